//! Links whose sides take nothing: what may be queued for them, and the limits that hold again when they are linked no
//! more.

use super::broken::{latency, outbound};
use super::links::linked;
use super::*;

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

#[test]
fn a_broadcast_leaves_out_whoever_is_linked_and_full_and_says_so() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let (one, other) = linked(&mut rig);
    one.wire.stalls();

    let outcomes: Vec<_> = (0..12)
        .map(|_| {
            let outcome = rig.board().broadcast_where_room(&[&[b'x'; 100]]);
            rig.settle();
            outcome
        })
        .collect();

    let of_one = |all: &Vec<_>| all.iter().any(|(id, sent)| *id == one.id && matches!(sent, Sent::Full(_)));
    assert_eq!(outcomes.iter().filter(|all| of_one(all)).count(), 4, "{outcomes:?}");
    assert_eq!((rig.queued(&one), other.wire.written().len()), (800, 1200));
    assert_eq!(rig.told(), Vec::<String>::new());
}

#[test]
fn who_was_slow_before_it_was_linked_keeps_the_other_from_being_read() {
    let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
    let (one, other) = (rig.connect(), rig.connect());
    other.wire.stalls();
    rig.board().send(other.id, &[b'q'; 700]);
    rig.settle();
    rig.board().link(one.id, other.id);
    rig.settle();
    for _ in 0..50 {
        rig.says(&one, "0123456789");
        rig.settle();
    }
    let queued = rig.queued(&other);
    assert!(queued <= small().outbox_bytes_max, "{queued} bytes are queued");

    rig.has_room_again(&other);
    rig.settle();

    assert_eq!(other.wire.text(), "q".repeat(700) + &"0123456789".repeat(50));
}

#[test]
fn the_hard_limit_holds_for_what_a_fault_delays_behind_a_link_and_all_of_it_comes() {
    let mut rig =
        Rig::with(Limits { outbox_soft_bytes: 10_000, ..small() }, Framing::Raw, Backpressure::None);
    let (one, other) = linked(&mut rig);
    rig.board().add_faults(other.id, &outbound(latency(1000)), 7);
    for _ in 0..200 {
        rig.says(&one, "0123456789");
        rig.settle();
    }
    let queued = rig.queued(&other);
    assert!(queued <= small().outbox_bytes_max, "{queued} bytes are queued");

    for _ in 0..5 {
        rig.pass(1000);
    }

    assert_eq!(other.wire.text(), "0123456789".repeat(200));
}

#[test]
fn a_peer_that_breaks_while_both_sides_are_full_leaves_the_other_to_be_read_on() {
    let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
    let (one, other) = linked(&mut rig);
    one.wire.stalls();
    other.wire.stalls();
    for _ in 0..100 {
        rig.says(&one, "0123456789");
        rig.says(&other, "0123456789");
        rig.settle();
    }
    assert!(other.wire.has_more(), "it waits for the other side");

    rig.resets(&one);
    rig.settle();

    assert!(!other.wire.has_more(), "or its peer would never come to read");
}

#[test]
fn the_time_for_a_half_open_one_counts_anew_when_it_is_linked_no_more() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.on_ended(|_, _| {});
    let (one, _other) = linked(&mut rig);
    rig.finishes(&one);
    rig.settle();
    rig.pass(100_000);

    rig.board().unlink(one.id);
    rig.settle();

    rig.pass(millis(small().half_open_max) - 1);
    assert!(!one.wire.is_finished(), "it was half-open while no limit held");
    rig.pass(1);
    assert!(one.wire.is_finished());
}

#[test]
fn who_takes_nothing_is_given_up_when_the_other_side_is_lost() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let (one, other) = linked(&mut rig);
    other.wire.stalls();
    rig.says(&one, "the last\n");
    rig.pass(100_000);

    rig.resets(&one);
    rig.settle();
    assert_eq!(rig.told(), ["#1 line the last", "#1 closed reset"]);

    rig.pass(millis(small().write_stall_max) - 1);
    assert_eq!(rig.told(), Vec::<String>::new());
    rig.pass(1);
    assert_eq!(rig.told(), ["#2 closed link-reset"]);
}

#[test]
fn two_of_a_link_that_both_take_nothing_are_given_up_when_one_is_closed() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let (one, other) = linked(&mut rig);
    for far in [&one, &other] {
        far.wire.stalls();
        rig.says(far, "the last\n");
    }
    rig.pass(100_000);
    rig.told();

    rig.board().close(one.id, kicked());
    rig.settle();
    rig.pass(millis(small().write_stall_max));

    assert_eq!(rig.told(), ["#1 closed kicked", "#2 closed link-ended"]);
}
