//! Connections that are broken on purpose, driven through time.

use std::num::{NonZeroU64, NonZeroUsize};

use super::*;
use crate::clock::Moment;
use crate::conn::faults::{Blackhole, CloseFault, Faults, Latency, LimitData, Slicer, Way};

const RATE: u64 = 1000;

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn outbound(way: Way) -> Faults {
    Faults { outbound: way, ..Faults::default() }
}

pub(super) fn inbound(way: Way) -> Faults {
    Faults { inbound: way, ..Faults::default() }
}

pub(super) fn latency(delay_ms: u64) -> Way {
    Way { latency: Some(Latency { delay: ms(delay_ms), jitter: ms(0) }), ..Way::default() }
}

fn bandwidth() -> Way {
    Way { bandwidth: NonZeroU64::new(RATE), ..Way::default() }
}

pub(super) fn stall() -> Way {
    Way { stall: true, ..Way::default() }
}

fn limit(bytes: u64, resets: bool) -> Way {
    Way { limit_data: Some(LimitData { bytes, resets }), ..Way::default() }
}

/// A connection that is broken in this way.
pub(super) fn broken(rig: &mut Rig, faults: &Faults) -> Far {
    let far = rig.connect();
    rig.board().add_faults(far.id, faults, 7);
    rig.settle();
    far
}

#[test]
fn h59_what_is_sent_comes_exactly_so_much_later_and_in_order() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &outbound(latency(200)));
    rig.board().send(far.id, b"one ");
    rig.pass(100);
    rig.board().send(far.id, b"two");
    rig.pass(99);
    assert_eq!(far.wire.text(), "");
    rig.pass(1);
    assert_eq!(far.wire.text(), "one ");
    rig.pass(99);
    assert_eq!(far.wire.text(), "one ");
    rig.pass(1);
    assert_eq!(far.wire.text(), "one two");
}

#[test]
fn what_is_said_comes_exactly_so_much_later_and_so_does_its_end() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &inbound(latency(200)));
    rig.says(&far, "hello\n");
    rig.finishes(&far);
    rig.settle();
    rig.pass(199);
    assert_eq!(rig.told(), Vec::<String>::new());

    rig.pass(1);

    assert_eq!(rig.told(), ["#1 line hello", "#1 ended", "#1 closed finished"]);
}

#[test]
fn so_many_bytes_a_second_go_out_and_come_in() {
    let mut rig = Rig::with(Limits::default(), Framing::Raw, Backpressure::None);
    let both = Faults { outbound: bandwidth(), inbound: bandwidth(), ..Faults::default() };
    let far = broken(&mut rig, &both);
    rig.board().send(far.id, &[b'x'; 5000]);
    rig.says(&far, &"y".repeat(5000));
    rig.settle();
    for second in 1..=5 {
        for _ in 0..100 {
            rig.pass(10);
        }
        let heard = rig.engine.board.view(far.id).unwrap();
        assert_eq!(far.wire.written().len(), second * RATE as usize);
        assert_eq!(heard.sent_bytes as usize, second * RATE as usize);
    }
    let told: usize = rig.told().iter().map(|line| line.matches('y').count()).sum();
    assert_eq!(told, 5000);
}

#[test]
fn h59_each_piece_is_written_by_itself_and_no_sooner_than_asked() {
    let mut rig = Rig::new();
    let slicer = Slicer { bytes: NonZeroUsize::new(2).unwrap(), pause: ms(5) };
    let far = broken(&mut rig, &outbound(Way { slicer: Some(slicer), ..Way::default() }));
    rig.board().send(far.id, b"hello");
    rig.settle();
    assert_eq!(far.wire.writes(), [2]);
    rig.pass(5);
    rig.pass(5);
    assert_eq!(far.wire.writes(), [2, 2, 1]);
}

#[test]
fn pieces_of_what_is_said_pass_a_link_one_by_one() {
    let mut rig = Rig::new();
    let slicer = Slicer { bytes: NonZeroUsize::new(2).unwrap(), pause: ms(0) };
    let one = broken(&mut rig, &inbound(Way { slicer: Some(slicer), ..Way::default() }));
    let other = rig.connect();
    rig.board().link(one.id, other.id);
    rig.says(&one, "hello\n");
    rig.settle();

    assert_eq!(other.wire.writes(), [2, 2, 2]);
}

#[test]
fn exactly_so_many_bytes_are_sent_and_then_a_fin() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &outbound(limit(7, false)));
    rig.board().send(far.id, b"hello");
    rig.settle();
    assert!(!far.wire.is_finished());
    rig.board().send(far.id, b" world");
    rig.settle();

    assert_eq!(far.wire.text(), "hello w");
    assert!(far.wire.is_finished() && !far.wire.is_aborted());
    rig.finishes(&far);
    rig.settle();
    assert_eq!(rig.told(), ["#1 closed fault"]);
}

#[test]
fn exactly_so_many_bytes_are_sent_and_then_a_reset() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &outbound(limit(7, true)));
    rig.board().send(far.id, b"hello world");
    rig.settle();

    assert_eq!(far.wire.text(), "hello w");
    assert!(far.wire.is_aborted());
    assert_eq!(rig.told(), ["#1 closed fault"]);
}

#[test]
fn exactly_so_many_bytes_are_heard_and_then_it_ends() {
    let mut rig = Rig::with(Limits::default(), Framing::Raw, Backpressure::None);
    let far = broken(&mut rig, &inbound(limit(7, false)));
    rig.says(&far, "hello world");
    rig.settle();

    assert_eq!(rig.told(), ["#1 Read hello w"]);
    assert!(far.wire.is_finished());
}

#[test]
fn h59_what_is_stalled_waits_without_limits_and_goes_on_when_that_ends() {
    let limits = Limits { idle_max: Some(ms(1000)), ..Limits::default() };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    let both = Faults { outbound: stall(), inbound: stall(), ..Faults::default() };
    let far = broken(&mut rig, &both);
    rig.board().send(far.id, b"hello\n");
    rig.says(&far, "hi\n");
    rig.pass(100_000);
    assert_eq!((far.wire.text(), rig.told()), (String::new(), Vec::new()));

    rig.board().clear_faults(far.id);
    rig.settle();

    assert_eq!((far.wire.text(), rig.told()), ("hello\n".into(), vec!["#1 line hi".to_owned()]));
    assert!(rig.board().faults(far.id).is_none());
    rig.pass(1000);
    assert!(far.wire.is_finished(), "the limits hold again");
}

#[test]
fn the_hard_limit_holds_for_what_is_stalled() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = broken(&mut rig, &outbound(stall()));
    let sent: Vec<Sent> = (0..100).map(|_| rig.board().send(far.id, &[b'x'; 100])).collect();

    assert!(matches!(sent.last(), Some(Sent::Full(_))));
    assert!(rig.queued(&far) <= small().outbox_bytes_max);
}

#[test]
fn it_is_reset_when_that_was_asked_for() {
    let mut rig = Rig::new();
    let faults = Faults { reset_peer: Some(ms(5000)), ..Faults::default() };
    let far = broken(&mut rig, &faults);
    rig.pass(4999);
    assert!(!far.wire.is_aborted());

    rig.pass(1);

    assert!(far.wire.is_aborted());
    assert_eq!(rig.told(), ["#1 closed fault"]);
}

#[test]
fn in_a_black_hole_all_vanishes_until_it_closes() {
    let mut rig = Rig::new();
    let hole = Way { blackhole: Some(Blackhole { closes_after: Some(ms(5000)) }), ..Way::default() };
    let far = broken(&mut rig, &Faults { outbound: hole.clone(), inbound: hole, ..Faults::default() });
    rig.board().send(far.id, b"hello\n");
    rig.says(&far, "hi\n");
    rig.pass(4999);
    assert_eq!((far.wire.text(), rig.told()), (String::new(), Vec::new()));
    assert_eq!(rig.board().stats().vanished_bytes, 6);

    rig.pass(1);

    assert!(far.wire.is_finished());
}

#[test]
fn our_fin_comes_later_or_never() {
    let mut rig = Rig::new();
    let slow = Faults { close: Some(CloseFault::Slow(ms(2000))), ..Faults::default() };
    let never = Faults { close: Some(CloseFault::Never), ..Faults::default() };
    let (slow, never) = (broken(&mut rig, &slow), broken(&mut rig, &never));
    for far in [&slow, &never] {
        rig.board().send(far.id, b"bye\n");
        rig.board().finish(far.id);
    }
    rig.settle();
    rig.pass(1999);
    assert_eq!((slow.wire.text(), never.wire.text()), ("bye\n".into(), "bye\n".into()));
    assert!(!slow.wire.is_finished());
    rig.pass(1);
    assert!(slow.wire.is_finished());
    rig.pass(100_000);
    assert!(!never.wire.is_finished());

    rig.board().clear_faults(never.id);
    rig.settle();

    assert!(never.wire.is_finished());
}

#[test]
fn who_is_reset_takes_along_what_was_kept_and_it_is_counted() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &inbound(latency(200)));
    rig.says(&far, "hello\n");
    rig.settle();

    rig.board().hang_up(far.id, Reason::WeReset);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed we-reset"]);
    assert_eq!(rig.board().stats().discarded_bytes, 6);
}

#[test]
fn a_broadcast_is_delayed_like_everything_else() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &outbound(latency(200)));
    rig.board().broadcast(None, &[b"to all\n"]);
    rig.board().send(far.id, b"to one\n");
    rig.pass(199);
    assert_eq!(far.wire.text(), "");

    rig.pass(1);

    assert_eq!(far.wire.text(), "to all\nto one\n");
}

#[test]
fn a_paused_connection_keeps_what_comes_due_meanwhile() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &inbound(latency(200)));
    rig.says(&far, "hello\n");
    rig.settle();
    rig.board().pause(far.id);
    rig.pass(500);
    assert_eq!(rig.told(), Vec::<String>::new());

    rig.board().resume(far.id);
    rig.settle();

    assert_eq!(rig.told(), ["#1 line hello"]);
}

#[test]
fn who_has_finished_is_sent_nothing_that_is_broadcast_later() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &outbound(latency(200)));
    rig.board().broadcast(None, &[b"before\n"]);
    rig.board().finish(far.id);
    rig.board().broadcast(None, &[b"after\n"]);
    rig.settle();
    let other = rig.connect();
    rig.board().broadcast(None, &[b"later\n"]);

    rig.pass(400);

    assert_eq!((far.wire.text(), other.wire.text()), ("before\n".into(), "later\n".into()));
    assert!(far.wire.is_finished());
}

#[test]
fn an_end_that_was_kept_is_told_though_something_is_sent_when_the_faults_end() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &inbound(latency(200)));
    rig.finishes(&far);
    rig.settle();
    // Behind the step that looks at the broken ones, and before that which sends.
    rig.app.on_timer = Box::new(|id, board| {
        board.clear_faults(id);
        board.send(id, b"hello\n");
    });
    rig.board().set_timer(far.id, Moment::default());
    rig.settle();

    assert_eq!(rig.told(), ["#1 timer", "#1 ended", "#1 closed finished"]);
}

#[test]
fn who_is_paused_in_the_middle_of_what_was_kept_is_heard_in_order_afterwards() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.on_received(|id, _, board| board.pause(id));
    let far = broken(&mut rig, &inbound(latency(200)));
    let lines: Vec<String> = (0..100).map(|line| line.to_string()).collect();
    for line in &lines {
        rig.says(&far, &format!("{line}\n"));
    }
    rig.settle();
    // What is left of what was kept lies where the sums allow one read budget.
    rig.pass(200);

    for _ in &lines {
        rig.board().resume(far.id);
        rig.settle();
    }

    let expected: Vec<String> = lines.iter().map(|line| format!("#1 line {line}")).collect();
    assert_eq!(rig.told(), expected);
}

#[test]
fn who_is_being_closed_is_reset_when_that_was_asked_for() {
    let mut rig = Rig::new();
    let faults = Faults { reset_peer: Some(ms(500)), ..Faults::default() };
    let far = broken(&mut rig, &faults);
    rig.board().close(far.id, kicked());
    rig.settle();

    rig.pass(500);

    assert!(far.wire.is_aborted());
    assert_eq!(rig.told(), ["#1 closed fault"]);
}

#[test]
fn each_piece_of_what_is_said_has_a_turn_of_its_own() {
    let mut rig = Rig::with(Limits::default(), Framing::Raw, Backpressure::None);
    let slicer = Slicer { bytes: NonZeroUsize::new(2).unwrap(), pause: ms(0) };
    let far = broken(&mut rig, &inbound(Way { slicer: Some(slicer), ..Way::default() }));
    rig.says(&far, "hello!");
    rig.turn();
    let first = rig.told().len();
    rig.turn();

    assert!(first <= 2, "read, and looked at once: {first}");
    assert_eq!(rig.told().len(), 3 - first);
}

#[test]
fn what_comes_due_at_once_is_written_within_the_budget_of_a_turn() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = broken(&mut rig, &outbound(latency(200)));
    rig.board().send(far.id, &[b'x'; 500]);
    rig.settle();
    rig.board().shared.time.pass(ms(200));
    rig.turn();

    let written = far.wire.written().len();
    assert!(written <= 2 * small().write_budget_bytes, "{written} bytes in one turn");
    rig.settle();
    assert_eq!(far.wire.written().len(), 500);
}

#[test]
fn what_is_sent_has_its_time_though_reading_is_held() {
    let mut rig = Rig::new();
    let both = Faults { outbound: latency(203), inbound: latency(200), ..Faults::default() };
    let far = broken(&mut rig, &both);
    rig.says(&far, "hello\n");
    rig.board().send(far.id, b"hi\n");
    rig.settle();
    rig.board().hold_reading(true);
    rig.pass(200);
    rig.pass(2);
    assert_eq!((far.wire.text(), rig.told()), (String::new(), Vec::new()));

    let now = rig.board().now();
    let due = rig.board().shared.flows.first().map(|(when, _)| when.since(now));
    assert_eq!(due, Some(ms(1)), "and not only when what is kept is looked at again");
    rig.pass(1);

    assert_eq!(far.wire.text(), "hi\n");
}
