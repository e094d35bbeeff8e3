//! Closing, and stopping.

use super::*;

#[test]
fn a_polite_close_sends_what_is_queued_then_a_fin_and_waits_for_the_peers() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.board().send(far.id, b"you are ");
    rig.board().send(far.id, b"kicked\n");
    rig.board().close(far.id, kicked());
    rig.settle();
    let (text, finished, before) = (far.wire.text(), far.wire.is_finished(), rig.told());

    rig.finishes(&far);
    rig.settle();

    assert_eq!((text.as_str(), finished), ("you are kicked\n", true));
    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed kicked".to_owned()]));
    assert!(far.wire.is_dropped());
}

#[test]
fn what_comes_in_after_a_polite_close_is_discarded_and_counted() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.board().close(far.id, kicked());
    rig.settle();

    rig.says(&far, "who hears\nthis?");
    rig.settle();
    rig.finishes(&far);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed kicked"]);
    assert_eq!(rig.board().stats().discarded_bytes, 15, "every byte, the line ending included");
}

#[test]
fn what_stands_behind_the_line_that_made_the_app_close_is_discarded_and_counted() {
    let mut rig = Rig::new();
    rig.on_received(|id, _, board| board.close(id, kicked()));
    let far = rig.connect();

    rig.says(&far, "exit\nmore\nand more");
    rig.settle();

    assert_eq!(rig.told(), ["#1 line exit"]);
    assert_eq!(rig.board().stats().discarded_bytes, 13, "every byte, the line ending included");
}

#[test]
fn a_line_that_was_begun_before_a_close_is_handed_over_as_far_as_it_came() {
    for close in [Board::close, Board::hang_up] {
        let mut rig = Rig::new();
        let far = rig.connect();
        rig.says(&far, "unfinished");
        rig.settle();

        close(rig.board(), far.id, kicked());
        rig.says(&far, " business\n");
        rig.finishes(&far);
        rig.settle();

        assert_eq!(rig.told(), ["#1 Gone unfinished", "#1 closed kicked"]);
        let late = rig.board().stats().received_bytes - 10;
        assert_eq!(rig.board().stats().discarded_bytes, late, "what came later is counted");
    }
}

#[test]
fn the_app_is_told_how_much_came_too_late() {
    let mut rig = Rig::new();
    let late = std::rc::Rc::new(std::cell::Cell::new(0));
    let seen = late.clone();
    rig.on_closed(move |id, board| seen.set(board.view(id).map_or(0, |view| view.discarded_bytes)));
    let far = rig.connect();
    rig.board().close(far.id, kicked());
    rig.settle();

    rig.says(&far, "too late\n");
    rig.settle();
    rig.finishes(&far);
    rig.settle();

    assert_eq!(late.get(), 9);
}

#[test]
fn a_polite_close_waits_while_the_peer_goes_on_talking_but_not_for_ever() {
    let limits = Limits::default();
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.says(&far, "a\n");
    rig.settle();
    rig.board().close(far.id, kicked());
    rig.settle();

    let mut waited_ms = 0_u64;
    while rig.board().len() == 1 && waited_ms < 20_000 {
        rig.says(&far, "talking on\n");
        rig.pass(1000);
        waited_ms += 1000;
    }

    assert_eq!(u128::from(waited_ms), limits.linger_max.as_millis());
    assert_eq!(rig.told().last().map(String::as_str), Some("#1 closed kicked"));
}

#[test]
fn a_polite_close_ends_when_the_peer_has_been_silent_for_long_enough() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.says(&far, "a\n");
    rig.settle();
    rig.pass(500);
    rig.board().close(far.id, kicked());
    rig.settle();

    rig.pass(1499);
    let before = rig.board().len();
    rig.pass(1);

    assert_eq!((before, rig.board().len()), (1, 0));
    assert_eq!(rig.told(), ["#1 line a", "#1 closed kicked"]);
}

#[test]
fn a_reset_during_a_polite_close_does_not_change_its_reason() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.stalls();
    rig.board().send(far.id, b"hello");
    rig.board().close(far.id, kicked());
    rig.settle();

    rig.resets(&far);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed kicked"]);
    assert_eq!(rig.board().stats().unsent_bytes, 5);
}

#[test]
fn a_polite_close_waits_with_its_fin_for_a_blocked_peer() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.stalls();
    rig.board().broadcast(None, &[b"to all "]);
    rig.board().send(far.id, b"to you");
    rig.settle();
    rig.board().close(far.id, kicked());
    rig.settle();
    let finished_early = far.wire.is_finished();

    rig.has_room_again(&far);
    rig.settle();

    assert!(!finished_early, "bytes were still queued");
    assert_eq!((far.wire.text().as_str(), far.wire.is_finished()), ("to all to you", true));
}

#[test]
fn a_closing_connection_is_read_to_its_end_although_reading_is_held() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    rig.board().hold_reading(true);
    rig.board().close(far.id, kicked());

    // More than one budget, and no further event.
    rig.says(&far, &"x".repeat(300));
    rig.finishes(&far);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed kicked"], "{} of 300 bytes were read", far.wire.read_bytes());
}

#[test]
fn hanging_up_ends_at_once_and_counts_what_is_lost() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.puts([Put::Accept(3)]);
    far.wire.stalls();
    rig.board().send(far.id, b"hello ");
    rig.settle();
    rig.board().broadcast(None, &[b"and all"]);

    rig.board().hang_up(far.id, kicked());
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed kicked"]);
    assert_eq!(rig.board().stats().unsent_bytes, 10, "of both queues");
    assert!(far.wire.is_dropped() && !far.wire.is_finished() && !far.wire.is_aborted(), "{:?}", far.wire);
}

#[test]
fn only_the_operators_reset_makes_the_close_a_reset() {
    let mut rig = Rig::new();
    let (reset, kept) = (rig.connect(), rig.connect());

    rig.board().hang_up(reset.id, Reason::WeReset);
    rig.board().hang_up(kept.id, kicked());
    rig.settle();

    assert_eq!((reset.wire.is_aborted(), kept.wire.is_aborted()), (true, false));
    assert_eq!(rig.told(), ["#1 closed we-reset", "#2 closed kicked"]);
}

#[test]
fn a_connection_that_was_ended_twice_closes_once_with_the_first_reason() {
    let mut rig = Rig::new();
    let far = rig.connect();

    rig.board().hang_up(far.id, kicked());
    rig.board().hang_up(far.id, Reason::WeReset);
    rig.board().close(far.id, Reason::Stopping);
    rig.board().finish(far.id);
    rig.resets(&far);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed kicked"]);
    assert!(!far.wire.is_aborted());
}

#[test]
fn a_stop_sends_what_is_queued_and_says_goodbye_to_all() {
    let mut rig = Rig::new();
    let fars = [rig.connect(), rig.connect()];
    fars[1].wire.stalls();
    rig.board().send(fars[0].id, b"one");
    rig.board().broadcast(None, &[b" and all"]);

    rig.board().stop();
    rig.settle();
    rig.has_room_again(&fars[1]);
    rig.finishes(&fars[1]);
    rig.finishes(&fars[0]);
    rig.settle();

    assert_eq!(fars.clone().map(|far| far.wire.text()), ["one and all", " and all"]);
    assert!(fars.iter().all(|far| far.wire.is_finished()), "each got a FIN");
    let mut told = rig.told();
    told.sort_unstable();
    assert_eq!(told, ["#1 closed stopping", "#2 closed stopping"]);
    assert_eq!(rig.board().stats().unsent_bytes, 0);
}

#[test]
fn what_is_left_when_a_stop_has_lasted_long_enough_is_dropped_and_counted() {
    let mut rig = Rig::new();
    let (stuck, prompt) = (rig.connect(), rig.connect());
    stuck.wire.puts([Put::Accept(4)]);
    stuck.wire.stalls();
    rig.board().broadcast(None, &[b"farewell"]);

    rig.board().stop();
    rig.settle();
    rig.pass(9999);
    let before = rig.told();
    rig.pass(1);

    assert_eq!(
        (before, rig.told()),
        (vec!["#2 closed stopping".to_owned()], vec!["#1 closed stopping".to_owned()])
    );
    assert_eq!((stuck.wire.text().as_str(), prompt.wire.text().as_str()), ("fare", "farewell"));
    assert_eq!((rig.board().stats().unsent_bytes, rig.board().len()), (4, 0));
}

/// A client that sends all it has before it reads: it could otherwise wait for us while we wait for it.
#[test]
fn a_slow_reader_that_was_not_read_is_read_again_once_it_is_being_closed() {
    let limits = Limits { outbox_high_bytes: 100, outbox_low_bytes: 10, ..Limits::default() };
    let mut rig = Rig::echo(limits);
    let far = rig.connect();
    far.wire.stalls();
    rig.says(&far, &"x".repeat(200));
    rig.settle();
    rig.says(&far, "not read while it does not read");
    rig.settle();
    assert!(far.wire.has_more());

    rig.board().close(far.id, kicked());
    rig.settle();

    assert!(!far.wire.has_more(), "what it says is taken, and thrown away");
    assert_eq!(rig.board().stats().discarded_bytes, 31);
}

#[test]
fn a_polite_close_waits_for_a_peer_that_was_silent_but_was_just_sent_something() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.pass(60_000);
    rig.board().send(far.id, b"goodbye\n");
    rig.board().close(far.id, kicked());
    rig.settle();

    rig.pass(1900);
    let before = rig.told();
    rig.pass(200);

    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed kicked".to_owned()]));
}

#[test]
fn a_polite_close_does_not_wait_where_nothing_was_said_for_long() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.pass(60_000);

    rig.board().close(far.id, kicked());
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed kicked"]);
}

/// What a session of TLS has encrypted counts as sent, and may be in it yet.
#[test]
fn a_close_waits_for_what_its_stream_keeps_as_long_as_for_anybody_who_takes_nothing() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.keeps_its_end();
    far.wire.finish_fails(ErrorKind::WouldBlock);
    let Limits { linger_max, write_stall_max, .. } = Limits::default();

    rig.board().close(far.id, kicked());
    rig.settle();
    rig.pass(linger_max.as_millis() as u64 + 1000);
    assert!(!far.wire.is_dropped(), "there is something to be sent yet");
    rig.pass(write_stall_max.as_millis() as u64);

    assert!(far.wire.is_dropped());
    assert_eq!(rig.told(), ["#1 closed kicked"]);
}
