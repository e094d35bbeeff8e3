//! What an App does within its calls.

use super::*;

#[test]
fn an_app_may_hang_up_on_a_newcomer() {
    let mut rig = Rig::new();
    rig.on_opened(|id, board| {
        board.send(id, b"never");
        board.hang_up(id, kicked());
    });

    let far = rig.connect();
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed kicked"]);
    assert_eq!((far.wire.text().as_str(), rig.board().stats().unsent_bytes), ("", 5));
}

#[test]
fn an_app_may_greet_a_newcomer_and_close_politely() {
    let mut rig = Rig::new();
    rig.on_opened(|id, board| {
        board.send(id, b"full\n");
        board.close(id, kicked());
    });

    let far = rig.connect();
    rig.settle();
    let (text, finished) = (far.wire.text(), far.wire.is_finished());
    rig.pass(2000);

    assert_eq!((text.as_str(), finished), ("full\n", true));
    assert_eq!(rig.told(), ["#1 closed kicked"], "after the silence of its lingering");
}

#[test]
fn an_app_that_hangs_up_on_a_line_hears_no_more_of_that_peer() {
    let mut rig = Rig::new();
    rig.on_received(|id, _, board| board.hang_up(id, kicked()));
    let far = rig.connect();

    rig.says(&far, "one\ntwo\nthree");
    rig.finishes(&far);
    rig.settle();

    assert_eq!(rig.told(), ["#1 line one", "#1 closed kicked"]);
    assert!(far.wire.is_dropped());
}

#[test]
fn an_app_may_hang_up_on_a_peer_that_is_read_later_in_the_turn() {
    let mut rig = Rig::new();
    let (first, second) = (rig.connect(), rig.connect());
    let victim = second.id;
    rig.on_received(move |_, _, board| board.hang_up(victim, kicked()));

    rig.says(&first, "kill\n");
    rig.says(&second, "unheard\n");
    rig.settle();

    assert_eq!(rig.told(), ["#1 line kill", "#2 closed kicked"]);
}

#[test]
fn what_an_app_says_when_somebody_left_goes_out() {
    let mut rig = Rig::new();
    let (leaver, other) = (rig.connect(), rig.connect());
    rig.on_closed(move |id, board| {
        assert_eq!(board.send(id, b"too late"), Sent::Gone);
        board.hang_up(id, Reason::WeReset);
        board.broadcast(Some(id), &[b"* it left\n"]);
    });

    rig.board().hang_up(leaver.id, kicked());
    rig.settle();

    assert_eq!(other.wire.text(), "* it left\n");
    assert_eq!(rig.told(), ["#1 closed kicked"]);
    assert!(!leaver.wire.is_aborted(), "the reason was given before");
}

#[test]
fn those_who_are_ended_because_somebody_left_are_closed_too() {
    let mut rig = Rig::new();
    let fars = [rig.connect(), rig.connect(), rig.connect()];
    let ids = fars.clone().map(|far| far.id);
    rig.on_closed(move |_, board| ids.iter().for_each(|id| board.hang_up(*id, Reason::Stopping)));

    rig.board().hang_up(fars[1].id, kicked());
    rig.settle();

    assert_eq!(rig.told(), ["#2 closed kicked", "#1 closed stopping", "#3 closed stopping"]);
    assert!(rig.board().is_empty());
}

#[test]
fn an_answer_given_at_the_end_of_a_stream_goes_out_before_our_fin() {
    let mut rig = Rig::new();
    rig.on_ended(|id, board| {
        board.send(id, b"total: 1\n");
        board.finish(id);
    });
    let far = rig.connect();

    rig.says(&far, "1\n");
    rig.finishes(&far);
    rig.settle();

    assert_eq!((far.wire.text().as_str(), far.wire.is_finished()), ("total: 1\n", true));
    assert_eq!(rig.told(), ["#1 line 1", "#1 ended", "#1 closed finished"]);
}

#[test]
fn what_was_answered_from_where_it_was_read_is_unsent_if_the_app_ends_the_connection_then() {
    let mut rig = Rig::new();
    rig.on_received(|id, line, board| {
        board.send(id, line);
        board.hang_up(id, Reason::WeReset);
    });
    let far = rig.connect();

    rig.says(&far, "hello\n");
    rig.settle();

    assert_eq!((far.wire.text().as_str(), rig.board().stats().unsent_bytes), ("", 5));
}

#[test]
fn what_goes_back_from_where_it_was_read_counts_as_queued_before_what_is_sent_next() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.on_received(|id, line, board| {
        assert!(matches!(board.send(id, line), Sent::Queued(_)));
        let room = board.limits().outbox_bytes_max - line.len();
        assert_eq!(board.send(id, &vec![b'x'; room + 1]), Sent::Full(line.len()), "one byte too many");
        board.send(id, b" and more\n");
    });
    let far = rig.connect();

    rig.says(&far, "hello\n");
    rig.settle();

    assert_eq!(far.wire.text(), "hello and more\n");
}
