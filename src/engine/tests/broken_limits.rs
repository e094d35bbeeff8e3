//! What may be queued for those that are broken on purpose, and the limits that hold again when they are so no more.

use super::broken::{broken, latency, ms, outbound, stall};
use super::*;
use crate::conn::state::Step;

/// One that hears, and for whom nothing is written.
fn stalled(rig: &mut Rig) -> Far {
    broken(rig, &outbound(stall()))
}

#[test]
fn the_hard_limit_holds_for_what_is_broadcast_to_one_that_is_stalled() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = stalled(&mut rig);

    let mut most = 0;
    for _ in 0..100 {
        rig.board().broadcast(None, &[&[b'x'; 100]]);
        rig.settle();
        most = most.max(rig.queued(&far));
    }

    assert!(most <= small().outbox_bytes_max + 100, "{most} bytes were queued");
}

#[test]
fn the_hard_limit_holds_for_one_that_is_stalled_in_a_chat_and_the_others_go_on() {
    let mut rig = Rig::chat(small());
    let far = stalled(&mut rig);
    let (speaker, listener) = (rig.connect(), rig.connect());

    let mut most = 0;
    for _ in 0..100 {
        rig.says(&speaker, "0123456789012345678901234567890\n");
        rig.settle();
        most = most.max(rig.queued(&far));
    }

    assert!(most <= small().outbox_bytes_max, "{most} bytes were queued");
    assert_eq!(listener.wire.written().len(), 100 * 32);
}

#[test]
fn a_broadcast_leaves_out_whoever_is_stalled_and_full_and_says_so() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = stalled(&mut rig);
    let outcomes: Vec<_> = (0..12)
        .map(|at| {
            let outcome = rig.board().broadcast_where_room(&[&[b'a' + at; 100]]);
            rig.settle();
            outcome
        })
        .collect();
    let left_out: Vec<_> = outcomes.iter().map(|all| matches!(all[..], [(_, Sent::Full(_))])).collect();
    assert_eq!(rig.told(), Vec::<String>::new());

    rig.board().clear_faults(far.id);
    rig.settle();

    assert_eq!(left_out, (0..12).map(|at| at >= 8).collect::<Vec<_>>(), "{outcomes:?}");
    let heard: Vec<u8> = (0..8).flat_map(|at| [b'a' + at; 100]).collect();
    assert_eq!(far.wire.text(), String::from_utf8(heard).unwrap());
}

#[test]
fn silence_counts_anew_when_faults_end() {
    let limits = Limits { idle_max: Some(ms(1000)), ..Limits::default() };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    let far = broken(&mut rig, &outbound(latency(10)));
    rig.pass(100_000);

    rig.board().clear_faults(far.id);
    rig.settle();

    rig.pass(999);
    assert!(!far.wire.is_finished(), "it was silent while no limit held");
    rig.pass(1);
    assert!(far.wire.is_finished());
}

#[test]
fn who_takes_nothing_is_given_up_when_faults_end_though_it_took_nothing_before() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = broken(&mut rig, &outbound(latency(10)));
    far.wire.stalls();
    rig.board().send(far.id, b"hello\n");
    rig.pass(100_000);
    assert_eq!(rig.told(), Vec::<String>::new());

    rig.board().clear_faults(far.id);
    rig.settle();

    let longest = small().write_stall_max.as_millis() as u64;
    rig.pass(longest - 1);
    assert_eq!(rig.told(), Vec::<String>::new());
    rig.pass(1);
    assert_eq!(rig.told(), ["#1 closed reads-nothing"]);
}

#[test]
fn who_takes_nothing_is_given_up_when_it_is_being_closed_though_it_is_broken() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = broken(&mut rig, &outbound(latency(10)));
    far.wire.stalls();
    rig.board().send(far.id, b"hello\n");
    rig.pass(100_000);

    rig.board().close(far.id, kicked());
    rig.settle();

    let longest = small().write_stall_max.as_millis() as u64;
    rig.pass(longest - 1);
    assert_eq!(rig.told(), Vec::<String>::new());
    rig.pass(1);
    assert_eq!(rig.told(), ["#1 closed kicked"]);
}

#[test]
fn who_broke_with_much_queued_for_it_is_no_slow_reader_when_faults_end_but_read_to_its_end() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::Sender);
    let far = broken(&mut rig, &outbound(stall()));
    rig.board().hold_reading(true);
    rig.board().send(far.id, &vec![b'x'; small().outbox_high_bytes + 1]);
    rig.settle();
    let Board { table, shared, .. } = rig.board();
    let conn = table.get_mut(far.id).expect("it is here");
    // What was written to it failed, and that there is room again was not said since.
    conn.writable = false;
    shared.step(conn, Step::WriteFailed(ErrorKind::BrokenPipe.into()));
    rig.settle();

    rig.board().clear_faults(far.id);
    rig.settle();
    far.wire.arrives(b"last words\n");
    rig.resets(&far);
    rig.board().hold_reading(false);
    rig.settle();

    assert_eq!(rig.told(), ["#1 line last words", "#1 closed reset"]);
}
