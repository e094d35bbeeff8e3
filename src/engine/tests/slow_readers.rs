//! Slow readers, and reading that is held.

use super::*;

#[test]
fn who_does_not_read_its_echo_is_not_read_until_it_has_caught_up() {
    let limits = small();
    let mut rig = Rig::echo(limits.clone());
    let far = rig.connect();
    far.wire.puts([Put::Accept(10)]);
    far.wire.stalls();
    let text: String = (0..500).map(|number| format!("{number} ")).collect();

    rig.says(&far, &text);
    rig.settle();
    let read = far.wire.read_bytes();
    // No more than a part of the queue goes out: still over the low water.
    far.wire.puts([Put::Accept(100)]);
    rig.note(&far, WRITABLE);
    rig.settle();
    let still_read = far.wire.read_bytes();
    rig.has_room_again(&far);
    rig.settle();

    let most = 10 + limits.outbox_high_bytes + limits.read_budget_bytes;
    assert!(read <= most, "{read} bytes were read, {most} at most were expected");
    assert_eq!(still_read, read, "it is over the low water");
    assert_eq!(far.wire.text(), text, "it resumed without another event, and nothing was lost");
}

#[test]
fn a_send_to_a_blocked_peer_says_that_it_is_slow() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();
    rig.board().send(far.id, &[b'x'; 10]);
    rig.settle();

    rig.board().send(far.id, &[b'x'; 300]);
    rig.settle();
    let sent = rig.board().send(far.id, &[b'x'; 10]);

    assert_eq!(sent, Sent::Slow(320));
    assert!(rig.board().view(far.id).is_some_and(|view| view.is_slow));
}

#[test]
fn who_stays_over_the_soft_limit_is_dropped_however_the_bytes_came_to_be_queued() {
    let limits = Limits { write_stall_max: Duration::from_secs(60), ..small() };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();
    rig.board().send(far.id, &[b'x'; 10]);
    rig.settle();

    rig.board().send(far.id, &[b'x'; 500]);
    rig.settle();
    rig.pass(10_001);

    assert_eq!(rig.told(), ["#1 closed reads-too-slowly"]);
}

#[test]
fn who_takes_nothing_for_too_long_is_dropped() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();
    rig.board().send(far.id, b"hello");
    rig.settle();

    rig.pass(5999);
    let before = rig.told();
    rig.pass(1);

    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed reads-nothing".to_owned()]));
    assert_eq!(rig.board().stats().unsent_bytes, 5);
}

#[test]
fn a_room_waits_for_an_honest_slow_reader_and_loses_no_line() {
    let mut rig = Rig::chat(small());
    let (slow, talker) = (rig.connect(), rig.connect());
    slow.wire.stalls();
    let text: String = (0..300).map(|number| format!("{number}\n")).collect();

    rig.says(&talker, &text);
    rig.settle();
    let (read, held_back) = (talker.wire.read_bytes(), rig.board().is_held_back());
    rig.has_room_again(&slow);
    rig.settle();

    assert!(held_back && read < text.len(), "{read} of {} bytes were read", text.len());
    assert_eq!(slow.wire.text(), text, "the talker was read on without another event");
}

#[test]
fn a_room_does_not_wait_for_who_takes_too_little() {
    let mut rig = Rig::chat(Limits { outbox_bytes_max: 100_000, ..small() });
    let (stuck, talker, listener) = (rig.connect(), rig.connect(), rig.connect());
    stuck.wire.stalls();
    let text: String = (0..300).map(|number| format!("{number}\n")).collect();
    rig.says(&talker, &text);
    rig.settle();
    let heard_while_braked = listener.wire.text();

    rig.pass(1000);

    assert!(heard_while_braked.len() < text.len(), "it got the first second on trust");
    assert_eq!(listener.wire.text(), text);
    assert_eq!(rig.board().len(), 3, "it is not dropped for that");
}

#[test]
fn nobody_is_read_while_reading_is_held_and_nothing_is_lost_by_it() {
    let mut rig = Rig::new();
    let fars = [rig.connect(), rig.connect(), rig.connect()];
    rig.board().hold_reading(true);
    rig.says(&fars[0], "one\n");
    rig.says(&fars[1], "two\n");
    rig.finishes(&fars[1]);
    rig.settle();
    let held = (rig.told(), rig.engine.is_idle());

    rig.board().hold_reading(false);
    assert!(!rig.engine.is_idle(), "two may be read now");
    rig.settle();

    assert_eq!(held, (vec![], true));
    assert_eq!(rig.told(), ["#1 line one", "#2 line two", "#2 ended", "#2 closed finished"]);
}

#[test]
fn a_hold_in_the_middle_of_a_turn_keeps_those_who_were_not_read_yet_on_the_list() {
    let mut rig = Rig::new();
    let (first, second) = (rig.connect(), rig.connect());
    rig.on_received(|_, _, board| board.hold_reading(true));
    rig.says(&first, "one\n");
    rig.says(&second, "two\n");
    rig.settle();
    let held = rig.told();

    rig.board().hold_reading(false);
    rig.settle();

    assert_eq!((held, rig.told()), (vec!["#1 line one".to_owned()], vec!["#2 line two".to_owned()]));
}

#[test]
fn idle_time_does_not_count_while_reading_is_held() {
    let limits = Limits { idle_max: Some(Duration::from_secs(5)), ..small() };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    let _far = rig.connect();
    rig.board().hold_reading(true);
    rig.settle();

    rig.pass(60_000);
    let held = rig.told();
    rig.board().hold_reading(false);
    rig.pass(5000);

    assert_eq!((held, rig.told()), (vec![], vec!["#1 closed idle".to_owned()]));
}

/// It never meets `WouldBlock`, and is slow all the same: it is fed faster than a turn may write to it.
#[test]
fn who_reads_well_but_is_said_more_than_a_turn_may_write_holds_back_the_talkers_and_loses_nothing() {
    let mut rig = Rig::chat(Limits { write_budget_bytes: 32 << 10, ..Limits::default() });
    let (listener, talker) = (rig.connect(), rig.connect());
    talker.wire.arrives(&b"a line\n".repeat(100_000));
    rig.note(&talker, READABLE);

    let mut most = 0;
    for _ in 0..200 {
        rig.turn();
        most = most.max(rig.queued(&listener));
    }
    rig.settle();

    assert!(most < 512 << 10, "{most} bytes were queued for one who reads well");
    assert_eq!(listener.wire.written().len(), 700_000);
}

#[test]
fn nobody_waits_for_one_who_can_be_fed_no_more() {
    for end in [Board::finish, |board: &mut Board, id| board.close(id, kicked())] {
        let mut rig = Rig::chat(Limits::default());
        let (slow, talker, listener) = (rig.connect(), rig.connect(), rig.connect());
        slow.wire.stalls();
        rig.board().send(slow.id, &[b'x'; 200_000]);
        rig.settle();
        assert!(rig.board().is_held_back());

        end(rig.board(), slow.id);
        rig.says(&talker, "hello\n");
        rig.settle();

        assert!(!rig.board().is_held_back());
        assert_eq!(listener.wire.text(), "hello\n");
    }
}

/// Else the loop would go round once more for each write that is blocked, for nothing.
#[test]
fn a_peer_that_takes_nothing_gives_nothing_to_do_until_it_has_room() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();

    rig.board().send(far.id, &[b'x'; 10]);
    rig.turn();
    let when_blocked = rig.engine.is_idle();
    // Over the high water with the first of these, and still with the second.
    let when_more_is_queued = [300, 10].map(|size| {
        rig.board().send(far.id, &vec![b'x'; size]);
        rig.engine.is_idle()
    });

    assert_eq!((when_blocked, when_more_is_queued), (true, [true; 2]), "whether nothing was left to do");
    rig.has_room_again(&far);
    rig.settle();
    assert_eq!(far.wire.written().len(), 320);
}
