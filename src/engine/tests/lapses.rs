//! Time in which the loop did not run, and who is judged by it.

use super::*;

fn idle_after(ms: u64) -> Limits {
    Limits { idle_max: Some(Duration::from_millis(ms)), ..small() }
}

#[test]
fn nobody_is_idle_for_a_time_in_which_nobody_listened() {
    let mut rig = Rig::with(idle_after(3000), Framing::Lines, Backpressure::None);
    let _silent = rig.connect();
    rig.pass(2000);

    rig.lapse(60_000);
    rig.settle();
    let after_the_lapse = rig.told();
    rig.pass(1000);

    assert_eq!((after_the_lapse, rig.told()), (vec![], vec!["#1 closed idle".to_owned()]));
}

#[test]
fn who_spoke_at_the_last_moment_is_read_before_it_is_judged() {
    let mut rig = Rig::with(idle_after(3000), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    rig.board().shared.time.pass(Duration::from_millis(3000));

    rig.says(&far, "still here\n");
    rig.settle();

    assert_eq!(rig.told(), ["#1 line still here"]);
}

#[test]
fn a_deadline_waits_until_the_poller_was_asked_after_it() {
    let mut rig = Rig::with(idle_after(3000), Framing::Lines, Backpressure::None);
    let _silent = rig.connect();
    let (began, time) = (rig.board().now(), Duration::from_millis(3000));

    // The poller was asked before the deadline and slept up to it.
    let slept = Polled { asked_at: began, timeout: Some(time), told: Told::All, was_stopped: false };
    rig.board().shared.time.advance(began + time, slept, 1);
    rig.turn();
    let asked_before = rig.told();
    let asked = Polled { asked_at: began + time, timeout: Some(Duration::ZERO), ..slept };
    rig.board().shared.time.advance(began + time, asked, 1);
    rig.settle();

    assert_eq!((asked_before, rig.told()), (vec![], vec!["#1 closed idle".to_owned()]));
}

#[test]
fn who_has_room_again_is_flushed_before_it_is_judged() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();
    rig.board().send(far.id, b"hello");
    rig.settle();
    rig.board().shared.time.pass(small().write_stall_max);

    rig.has_room_again(&far);
    rig.settle();

    assert_eq!((rig.told(), far.wire.text()), (vec![], "hello".to_owned()));
}

#[test]
fn a_reader_that_could_be_sent_nothing_is_not_too_slow() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();
    rig.board().send(far.id, &[b'x'; 10]);
    rig.settle();
    rig.board().send(far.id, &[b'x'; 600]);
    rig.settle();

    rig.lapse(11_000);
    far.wire.puts([Put::Accept(100)]);
    rig.note(&far, WRITABLE);
    rig.settle();
    let after_the_lapse = rig.told();
    rig.has_room_again(&far);
    rig.settle();

    assert_eq!((after_the_lapse, rig.told()), (vec![], vec![]));
    assert_eq!(far.wire.written().len(), 610);
}

#[test]
fn a_line_that_was_completed_while_nobody_listened_is_shown_whole() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.says(&far, "half ");
    rig.settle();

    rig.lapse(4000);
    rig.says(&far, "and half\n");
    rig.settle();

    assert_eq!(rig.told(), ["#1 line half and half"]);
}

/// What a full poller tells of may be mail or a timer, too: who is announced behind them is heard before it is judged.
#[test]
fn nobody_is_judged_before_a_full_poller_has_had_room_for_mail_and_a_timer_as_well() {
    let mut rig = Rig::with(idle_after(3000), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    let (began, time) = (rig.board().now(), Duration::from_millis(3000));
    let slept = Polled { asked_at: began, timeout: Some(time), told: Told::All, was_stopped: false };
    rig.engine.begin_turn(began + time, slept);
    rig.turn();
    let told_one = Polled {
        asked_at: began + time,
        timeout: Some(Duration::ZERO),
        told: Told::Full(1),
        was_stopped: false,
    };

    for _mail_then_timer in 0..2 {
        rig.engine.begin_turn(began + time, told_one);
        rig.turn();
    }
    let before_its_turn = rig.told();
    rig.engine.begin_turn(began + time, told_one);
    rig.says(&far, "still here\n");
    rig.turn();

    assert_eq!((before_its_turn, rig.told()), (vec![], vec!["#1 line still here".to_owned()]));
}
