//! Links: what one says is what the other gets, in whichever order things happen.

use super::*;
use crate::conn::faults::{Faults, Latency, Way};
use crate::conn::tls_end::{TlsEnd, TlsEndKind};

/// Two that are linked.
pub(super) fn linked(rig: &mut Rig) -> (Far, Far) {
    let (one, other) = (rig.connect(), rig.connect());
    rig.board().link(one.id, other.id);
    rig.settle();
    (one, other)
}

#[test]
fn what_one_says_the_other_gets_and_the_app_is_told() {
    let mut rig = Rig::new();
    let (one, other) = linked(&mut rig);
    rig.says(&one, "hello\nhal");
    rig.settle();
    rig.says(&other, "hi\n");
    rig.settle();

    assert_eq!(other.wire.written(), b"hello\nhal");
    assert_eq!(one.wire.written(), b"hi\n");
    assert_eq!(rig.told(), ["#1 line hello", "#2 line hi"]);
}

#[test]
fn what_the_app_sends_to_one_is_for_that_one_alone() {
    let mut rig = Rig::new();
    let (one, other) = linked(&mut rig);

    rig.board().send(one.id, b"between\n");
    rig.settle();

    assert_eq!(one.wire.written(), b"between\n");
    assert_eq!(other.wire.written(), b"");
}

#[test]
fn who_does_not_read_keeps_the_other_from_being_read() {
    let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
    let (one, other) = linked(&mut rig);
    other.wire.stalls();
    for _ in 0..100 {
        rig.says(&one, "0123456789");
        rig.settle();
    }
    let queued = rig.queued(&other);
    assert!(queued <= small().outbox_high_bytes + small().read_budget_bytes, "{queued} bytes are queued");

    rig.has_room_again(&other);
    rig.settle();

    assert_eq!(other.wire.written(), "0123456789".repeat(100).as_bytes());
}

#[test]
fn h55_a_fin_comes_behind_what_was_said_and_the_other_direction_goes_on() {
    let mut rig = Rig::new();
    rig.on_ended(|_, _| {});
    let (one, other) = linked(&mut rig);
    other.wire.stalls();
    rig.says(&one, "the last\n");
    rig.finishes(&one);
    rig.settle();
    assert!(!other.wire.is_finished());

    rig.has_room_again(&other);
    rig.settle();
    assert_eq!(other.wire.written(), b"the last\n");
    assert!(other.wire.is_finished());
    rig.says(&other, "an answer\n");
    rig.finishes(&other);
    rig.settle();

    assert_eq!(one.wire.written(), b"an answer\n");
    assert!(rig.board().is_empty());
}

#[test]
fn h55_a_reset_comes_as_one_behind_what_was_said() {
    let mut rig = Rig::new();
    let (one, other) = linked(&mut rig);
    other.wire.stalls();
    rig.says(&one, "the last\n");
    rig.settle();
    rig.resets(&one);
    rig.settle();
    assert!(!other.wire.is_aborted());

    rig.has_room_again(&other);
    rig.settle();

    assert_eq!(other.wire.written(), b"the last\n");
    assert!(other.wire.is_aborted());
    assert!(rig.told().contains(&"#2 closed link-reset".to_owned()));
}

#[test]
fn h55_what_tls_has_cut_short_or_broken_ends_by_a_reset_on_the_other_side() {
    for kind in [TlsEndKind::Truncated, TlsEndKind::Alert, TlsEndKind::Broken] {
        let mut rig = Rig::new();
        let (one, other) = linked(&mut rig);
        other.wire.stalls();
        rig.says(&one, "the last\n");
        let is_told = kind == TlsEndKind::Broken;
        one.wire.short_read_drains(false);
        one.wire.gets([Get::FailTls(TlsEnd { kind, why: "a reason".into(), is_told })]);
        rig.note(&one, READABLE);
        rig.settle();

        rig.has_room_again(&other);
        rig.settle();

        assert_eq!(other.wire.written(), b"the last\n");
        assert!(other.wire.is_aborted() && !one.wire.is_aborted(), "{kind:?}");
        assert!(rig.told().contains(&"#2 closed link-reset".to_owned()), "{kind:?}");
    }
}

#[test]
fn who_is_closed_here_is_closed_on_the_other_side_as_well() {
    let mut rig = Rig::new();
    let (one, other) = linked(&mut rig);

    rig.board().close(one.id, kicked());
    rig.settle();

    assert!(other.wire.is_finished() && !other.wire.is_aborted());
}

#[test]
fn nothing_is_read_of_one_whose_other_side_is_yet_to_come_about() {
    let mut rig = Rig::new();
    let one = rig.connect();
    let dialled = rig.dial();
    rig.board().link(one.id, dialled);
    rig.says(&one, "early\n");
    rig.turn();
    assert_eq!(rig.told(), Vec::<String>::new());
    let other = rig.attach_dialed();

    other.wire.dial_is(Outcome::Connected);
    rig.note(&other, WRITABLE);
    rig.settle();

    assert_eq!(other.wire.written(), b"early\n");
}

#[test]
fn whose_other_side_never_comes_about_is_closed_and_why_is_told() {
    let mut rig = Rig::new();
    let one = rig.connect();
    let dialled = rig.dial();
    rig.board().link(one.id, dialled);
    rig.says(&one, "early\n");
    let other = rig.attach_dialed();
    other.wire.dial_is(Outcome::Refused(ErrorKind::ConnectionRefused));
    rig.note(&other, EVERYTHING);
    rig.settle();

    assert!(one.wire.is_finished());
    rig.finishes(&one);
    rig.settle();
    let told = rig.told();
    assert_eq!(told.last().unwrap(), "#1 closed link-failed", "{told:?}");
}

#[test]
fn what_was_linked_goes_on_by_itself_when_it_is_linked_no_more() {
    let mut rig = Rig::new();
    let (one, other) = linked(&mut rig);
    rig.board().unlink(other.id);

    rig.says(&one, "alone\n");
    rig.settle();

    assert_eq!(other.wire.written(), b"");
    assert_eq!(rig.told(), ["#1 line alone"]);
    assert_eq!(rig.board().mate(one.id), None);
}

#[test]
fn nobody_is_linked_to_itself_or_twice() {
    let mut rig = Rig::new();
    let (one, other) = linked(&mut rig);
    let third = rig.connect();
    rig.board().link(third.id, third.id);
    rig.board().link(third.id, one.id);

    assert_eq!(rig.board().mate(third.id), None);
    assert_eq!(rig.board().mate(one.id), Some(other.id));
}

#[test]
fn what_was_kept_by_a_fault_waits_as_well_while_the_other_side_takes_nothing() {
    let limits = Limits { outbox_bytes_max: 2000, ..small() };
    let mut rig = Rig::with(limits, Framing::Raw, Backpressure::None);
    let (one, other) = linked(&mut rig);
    let delay = Latency { delay: Duration::from_millis(100), jitter: Duration::ZERO };
    let late = Way { latency: Some(delay), ..Way::default() };
    rig.board().add_faults(one.id, &Faults { inbound: late, ..Faults::default() }, 1);
    other.wire.stalls();
    rig.says(&one, &"0123456789".repeat(100));
    rig.settle();
    rig.pass(100);
    let queued = rig.queued(&other);
    assert!(queued <= small().outbox_high_bytes + small().read_budget_bytes, "{queued} bytes are queued");

    rig.has_room_again(&other);
    rig.settle();

    assert_eq!(other.wire.written(), "0123456789".repeat(100).as_bytes());
}

#[test]
fn two_that_both_wait_for_each_other_and_are_both_reset_are_over() {
    let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
    let (one, other) = linked(&mut rig);
    for far in [&one, &other] {
        far.wire.stalls();
        rig.says(far, &"0123456789".repeat(100));
    }
    rig.settle();

    // Behind what each has said and was not read.
    rig.resets(&one);
    rig.resets(&other);
    rig.settle();

    assert!(rig.board().is_empty());
}

/// Two that are linked, of whom the App is told nothing, over streams that can move bytes by themselves.
fn spliced() -> (Rig, Far, Far) {
    let limits = Limits { read_budget_bytes: 100, splice_bytes_min: 50, ..Limits::default() };
    let mut rig = Rig::with(limits.clone(), Framing::Lines, Backpressure::None);
    for policy in &mut rig.app.policies {
        policy.hears_links = false;
    }
    let mut rig = Rig::of(limits, rig.app);
    let (one, other) = linked(&mut rig);
    one.wire.splices();
    other.wire.splices();
    (rig, one, other)
}

/// So many different bytes.
fn bulk(bytes: usize) -> String {
    (0..bytes).map(|at| char::from(b'a' + (at % 23) as u8)).collect()
}

#[test]
fn where_nobody_is_told_much_moves_on_without_being_read() {
    let (mut rig, one, other) = spliced();

    rig.says(&one, &bulk(350));
    rig.settle();

    assert_eq!(other.wire.text(), bulk(350));
    assert_eq!(
        (one.wire.spliced_bytes(), rig.told().len()),
        (250, 0),
        "the first read tells that it is much"
    );
    let stats = rig.board().stats();
    assert_eq!((stats.received_bytes, stats.sent_bytes, stats.frames), (350, 350, 4));
}

#[test]
fn h55_what_the_other_side_does_not_take_is_kept_and_comes_before_what_follows_and_before_the_end() {
    let (mut rig, one, other) = spliced();
    rig.on_ended(|_, _| {});
    rig.says(&one, &bulk(100));
    rig.settle();
    other.wire.stalls();
    other.wire.puts([Put::Accept(30)]);

    rig.says(&one, &bulk(300));
    rig.finishes(&one);
    rig.settle();
    assert!(rig.queued(&other) >= 70 && !other.wire.is_finished());
    rig.has_room_again(&other);
    rig.settle();

    assert_eq!(other.wire.text(), bulk(100) + &bulk(300));
    assert!(other.wire.is_finished());
}

#[test]
fn where_moving_on_fails_the_side_that_broke_is_lost_and_the_other_is_reset() {
    let (mut rig, one, other) = spliced();
    rig.says(&one, &bulk(100));
    rig.settle();
    other.wire.breaks(ErrorKind::BrokenPipe);
    other.wire.gets([Get::Fail(ErrorKind::ConnectionReset)]);

    rig.says(&one, &bulk(120));
    rig.settle();

    let told = rig.told();
    assert_eq!(told, ["#2 closed reset", "#1 closed link-reset"]);
    assert!(one.wire.is_aborted());
}

#[test]
fn what_moves_on_waits_for_what_of_a_broadcast_is_not_out_yet() {
    let (mut rig, one, other) = spliced();
    rig.says(&one, &bulk(100));
    rig.settle();
    other.wire.stalls();
    other.wire.puts([Put::Accept(4)]);
    rig.board().broadcast(None, &[b"broadcast\n"]);
    rig.settle();

    rig.has_room_again(&other);
    rig.says(&one, &bulk(100));
    rig.settle();

    assert_eq!(other.wire.text(), bulk(100) + "broadcast\n" + &bulk(100));
}

#[test]
fn a_reset_that_is_met_behind_what_was_moved_on_comes_as_one() {
    let (mut rig, one, other) = spliced();
    rig.says(&one, &bulk(100));
    rig.settle();

    one.wire.arrives(bulk(80).as_bytes());
    rig.resets(&one);
    rig.settle();

    assert_eq!((other.wire.text(), one.wire.spliced_bytes()), (bulk(100) + &bulk(80), 80));
    assert!(other.wire.is_aborted());
    assert_eq!(rig.told(), ["#1 closed reset", "#2 closed link-reset"]);
}

#[test]
fn a_reset_waits_for_what_the_system_has_not_sent_and_no_longer_than_an_end_may() {
    let mut rig = Rig::new();
    let (one, other) = linked(&mut rig);
    other.wire.has_unsent(true);
    rig.says(&one, "the last\n");
    rig.settle();
    rig.resets(&one);
    rig.settle();
    rig.told();
    let longest = Limits::default().linger_max.as_millis() as u64;
    rig.pass(longest - 1);
    assert!(!other.wire.is_dropped(), "what was said is still under way");

    rig.pass(1);

    assert!(other.wire.is_aborted());
    assert_eq!(rig.told(), ["#2 closed link-reset"]);
}
