//! Faults that begin, end and meet other things in the middle: an answer, an echo, an end, a pause, a link.

use std::num::NonZeroU64;

use super::broken::{broken, inbound, latency, ms, outbound};
use super::*;
use crate::conn::faults::{Blackhole, CloseFault, Faults, Way};

fn hole(closes_after_ms: Option<u64>) -> Way {
    Way { blackhole: Some(Blackhole { closes_after: closes_after_ms.map(ms) }), ..Way::default() }
}

#[test]
fn who_waits_for_a_late_fin_or_has_sent_it_is_sent_nothing_that_is_broadcast_then() {
    let mut rig = Rig::new();
    let slow = Faults { close: Some(CloseFault::Slow(ms(2000))), ..Faults::default() };
    let (late, at_once) = (broken(&mut rig, &slow), broken(&mut rig, &inbound(latency(100))));
    let hears = rig.connect();
    for far in [&late, &at_once] {
        rig.board().finish(far.id);
    }
    rig.settle();
    assert!(at_once.wire.is_finished() && !late.wire.is_finished());

    for _ in 0..3 {
        rig.board().broadcast(None, &[b"later\n"]);
        rig.settle();
    }
    rig.board().clear_faults(at_once.id);
    rig.pass(2000);

    assert_eq!((late.wire.text(), at_once.wire.text()), (String::new(), String::new()));
    assert!(late.wire.is_finished());
    assert_eq!(hears.wire.text(), "later\n".repeat(3));
}

#[test]
fn an_answer_comes_though_a_fault_begins_in_the_same_read() {
    let mut rig = Rig::new();
    rig.on_received(|id, bytes, board| match bytes {
        b"break" => board.add_faults(id, &outbound(latency(10)), 1),
        _ => {
            board.send(id, bytes);
        }
    });
    let far = rig.connect();

    rig.says(&far, "hello\nbreak\nworld\n");
    rig.settle();
    rig.pass(10);

    assert_eq!(far.wire.text(), "helloworld");
}

#[test]
fn an_echo_that_is_slowed_down_waits_for_itself_and_nothing_is_lost() {
    let mut rig = Rig::echo(small());
    let rate = Way { bandwidth: NonZeroU64::new(1000), ..Way::default() };
    let far = broken(&mut rig, &outbound(rate));
    let text: String = (0..5000).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
    rig.says(&far, &text);

    let mut most = 0;
    for _ in 0..600 {
        rig.pass(10);
        most = most.max(rig.queued(&far));
    }

    assert_eq!(far.wire.text(), text);
    assert!(most <= small().outbox_high_bytes + small().read_budget_bytes, "{most} bytes were queued");
}

#[test]
fn a_tiny_share_of_corrupted_bytes_changes_none_of_a_few() {
    let mut rig = Rig::new();
    let rare = Way { corrupt: Some(1e-17), ..Way::default() };
    let far = broken(&mut rig, &outbound(rare));

    rig.board().send(far.id, b"hello");
    rig.settle();

    assert_eq!(far.wire.text(), "hello");
}

#[test]
fn a_black_hole_without_a_time_takes_the_place_of_one_with_a_time() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &outbound(hole(Some(1000))));

    rig.board().add_faults(far.id, &outbound(hole(None)), 7);
    rig.pass(100_000);

    assert!(!far.wire.is_finished());
}

#[test]
fn of_two_black_holes_the_sooner_one_closes() {
    for (out_ms, in_ms) in [(1000, 9000), (9000, 1000)] {
        let mut rig = Rig::new();
        let both = Faults { outbound: hole(Some(out_ms)), inbound: hole(Some(in_ms)), ..Faults::default() };
        let far = broken(&mut rig, &both);
        rig.pass(999);
        assert!(!far.wire.is_finished());

        rig.pass(1);

        assert!(far.wire.is_finished(), "{out_ms} ms of what is sent, {in_ms} ms of what is said");
    }
}

#[test]
fn what_was_kept_stays_kept_while_reading_is_held() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &inbound(latency(100)));
    rig.says(&far, "hello\n");
    rig.settle();
    rig.board().hold_reading(true);
    rig.pass(200);
    assert_eq!(rig.told(), Vec::<String>::new());

    rig.board().hold_reading(false);
    rig.pass(10);

    assert_eq!(rig.told(), ["#1 line hello"]);
}

#[test]
fn who_is_resumed_right_when_more_comes_due_is_heard_in_order() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &inbound(latency(100)));
    let (second, paused) = (rig.connect(), far.id);
    rig.on_received(move |id, bytes, board| match bytes {
        b"a" => board.pause(id),
        b"go" => board.resume(paused),
        _ => {}
    });
    rig.says(&far, "a\nb\nc\n");
    rig.settle();
    rig.pass(50);
    rig.says(&far, "d\n");
    rig.settle();
    rig.pass(50);
    assert_eq!(rig.told(), ["#1 line a"]);

    rig.board().shared.time.pass(ms(50));
    rig.says(&second, "go\n");
    rig.settle();

    assert_eq!(rig.told(), ["#2 line go", "#1 line b", "#1 line c", "#1 line d"]);
}

#[test]
fn what_was_kept_waits_for_the_other_side_of_a_link_to_come_about() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &inbound(latency(100)));
    let dialled = rig.dial();
    let other = rig.attach_dialed();
    rig.says(&far, "hello\n");
    rig.settle();
    rig.board().link(far.id, dialled);
    rig.pass(200);
    assert_eq!((other.wire.text(), rig.told()), (String::new(), Vec::new()));

    other.wire.dial_is(Outcome::Connected);
    rig.note(&other, WRITABLE);
    rig.settle();
    rig.pass(10);

    assert_eq!(other.wire.text(), "hello\n");
}

#[test]
fn an_end_that_its_stream_keeps_is_known_at_once_so_that_room_for_it_is_not_taken_for_older() {
    let mut rig = Rig::new();
    let far = broken(&mut rig, &outbound(latency(200)));
    far.wire.keeps_its_end();
    far.wire.finish_fails(ErrorKind::WouldBlock);

    rig.board().finish(far.id);
    rig.settle();
    rig.pass(200);

    let conn = rig.board().table.get(far.id).expect("it is here");
    assert!(conn.stream_keeps.has_unsent() && !conn.writable, "{conn:?}");
}
