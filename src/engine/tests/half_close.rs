//! Each direction ends on its own.

use super::*;

#[test]
fn an_answer_still_goes_out_after_the_peer_has_finished() {
    let mut rig = Rig::new();
    rig.on_ended(|_, _| {});
    let far = rig.connect();
    rig.says(&far, "question\n");
    rig.finishes(&far);
    rig.settle();
    let before = rig.told();

    let sent = rig.board().send(far.id, b"answer\n");
    rig.board().finish(far.id);
    rig.settle();

    assert_eq!(before, ["#1 line question", "#1 ended"]);
    assert_eq!((sent, far.wire.text().as_str()), (Sent::Queued(7), "answer\n"));
    assert_eq!(rig.told(), ["#1 closed finished"]);
    assert!(far.wire.is_finished(), "our FIN went out before the close");
}

#[test]
fn an_end_is_told_once_however_many_events_follow() {
    let mut rig = Rig::new();
    rig.on_ended(|_, _| {});
    let far = rig.connect();
    rig.finishes(&far);
    rig.settle();

    for readiness in [READABLE, ENDING, WRITABLE, EVERYTHING] {
        rig.note(&far, readiness);
        rig.settle();
    }

    assert_eq!(rig.told(), ["#1 ended"]);
}

#[test]
fn the_peer_is_still_heard_after_we_have_finished() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.board().send(far.id, b"bye\n");
    rig.board().finish(far.id);
    rig.settle();
    let (text, finished) = (far.wire.text(), far.wire.is_finished());

    rig.says(&far, "still here\n");
    rig.settle();
    let sent = rig.board().send(far.id, b"too late");
    rig.finishes(&far);
    rig.settle();

    assert_eq!((text.as_str(), finished, sent), ("bye\n", true, Sent::Finished));
    assert_eq!(rig.told(), ["#1 line still here", "#1 ended", "#1 closed finished"]);
    assert_eq!(far.wire.text(), "bye\n");
}

#[test]
fn our_fin_waits_for_what_is_queued() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.puts([Put::Accept(2)]);
    far.wire.stalls();
    rig.board().send(far.id, b"hello");
    rig.board().finish(far.id);
    rig.settle();
    let finished_early = far.wire.is_finished();

    rig.has_room_again(&far);
    rig.settle();

    assert!(!finished_early, "three bytes were still queued");
    assert_eq!((far.wire.text().as_str(), far.wire.is_finished()), ("hello", true));
}

#[test]
fn our_fin_waits_for_what_was_said_to_many() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.stalls();
    rig.board().broadcast(None, &[b"to everybody"]);
    rig.settle();
    rig.board().finish(far.id);
    rig.board().broadcast(None, &[b", and this after it finished"]);
    rig.settle();
    let finished_early = far.wire.is_finished();

    rig.has_room_again(&far);
    rig.settle();

    assert!(!finished_early, "it had not heard what was said before");
    assert_eq!((far.wire.text().as_str(), far.wire.is_finished()), ("to everybody", true));
}

#[test]
fn a_half_open_connection_ends_when_nothing_is_said_any_more_whatever_events_come() {
    let mut rig = Rig::with(
        Limits { idle_max: Some(Duration::from_secs(1)), ..small() },
        Framing::Lines,
        Backpressure::None,
    );
    rig.on_ended(|_, _| {});
    let far = rig.connect();
    rig.says(&far, "question\n");
    rig.finishes(&far);
    rig.settle();

    // After a FIN, every event says "readable", too.
    rig.note(&far, ENDING);
    rig.pass(1000);

    assert_eq!(rig.told(), ["#1 line question", "#1 ended", "#1 closed idle"]);
}

#[test]
fn a_half_open_connection_is_kept_for_an_answer_for_a_while() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.on_ended(|_, _| {});
    let far = rig.connect();
    rig.finishes(&far);
    rig.settle();
    rig.pass(4999);
    rig.board().send(far.id, b"a first answer");
    rig.settle();
    rig.pass(4999);
    let before = rig.told();

    rig.pass(1);

    assert_eq!((before, rig.told()), (vec!["#1 ended".to_owned()], vec!["#1 closed half-open".to_owned()]));
    assert!(far.wire.is_finished(), "it is told by a FIN");
}

#[test]
fn a_peer_that_vanishes_behind_its_fin_is_noticed() {
    let mut rig = Rig::new();
    rig.on_ended(|_, _| {});
    let far = rig.connect();
    rig.finishes(&far);
    rig.settle();

    far.wire.is_befallen_by(ErrorKind::ConnectionReset);
    rig.note(&far, EVERYTHING);
    rig.settle();

    assert_eq!(rig.told(), ["#1 ended", "#1 closed reset"]);
}

/// Linux reads an end, and keeps the error to itself, where a reset came behind a FIN.
#[test]
fn a_reset_that_is_announced_together_with_the_fin_before_it_ends_the_connection() {
    let mut rig = Rig::new();
    rig.on_ended(|_, _| {});
    let far = rig.connect();
    far.wire.arrives(b"last words\n");
    far.wire.gets([Get::Eof]);
    far.wire.is_befallen_by(ErrorKind::BrokenPipe);

    rig.note(&far, EVERYTHING);
    rig.settle();

    assert_eq!(rig.told(), ["#1 line last words", "#1 ended", "#1 closed reset"]);
}

#[test]
fn a_peer_that_still_talks_is_sent_our_fin_at_once_also_by_a_stream_that_needs_none_at_the_end() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.drop_finishes();

    rig.board().finish(far.id);
    rig.settle();

    assert!(far.wire.is_finished(), "it would wait for our FIN for ever");
    assert_eq!((far.wire.is_dropped(), rig.told()), (false, vec![]), "it may still talk");
}

#[test]
fn a_stream_whose_end_sends_our_fin_is_not_asked_for_one_where_the_peer_has_finished() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.drop_finishes();

    rig.finishes(&far);
    rig.settle();

    assert_eq!(rig.told(), ["#1 ended", "#1 closed finished"]);
    assert_eq!((far.wire.is_finished(), far.wire.is_dropped()), (false, true), "the drop sends it");
}
