//! Before a connection is one, and where a stream has an end of its own.

use super::*;

#[test]
fn a_dial_that_comes_to_nothing_in_time_is_given_up() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.dial();
    let far = rig.attach_dialed();
    rig.settle();

    rig.pass(3900);
    let before = rig.told();
    rig.pass(200);

    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed cannot-connect".to_owned()]));
    assert!(far.wire.is_dropped());
}

#[test]
fn a_dial_whose_answer_waits_to_be_noticed_is_not_given_up() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.dial();
    let far = rig.attach_dialed();
    rig.settle();
    far.wire.dial_is(Outcome::Connected);
    rig.note(&far, WRITABLE);

    rig.pass(5000);

    assert_eq!(rig.told(), Vec::<String>::new());
    assert!(rig.board().view(far.id).is_some_and(|view| view.is_open));
}

#[test]
fn one_that_is_accepted_with_a_handshake_is_opened_when_that_is_done_and_has_as_long_as_a_dial() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.on_opened(|id, board| {
        board.send(id, b"welcome\n");
    });
    let (slow, silent) = (rig.connect_with_handshake(), rig.connect_with_handshake());
    rig.says(&slow, "hello\n");
    // The system says of every socket at first that it can be written to.
    rig.note(&silent, WRITABLE);
    rig.settle();
    let before = (slow.wire.text(), rig.told());

    slow.wire.dial_is(Outcome::Connected);
    rig.note(&slow, READABLE);
    rig.settle();
    let after = (slow.wire.text(), rig.told());
    rig.pass(5000);

    assert_eq!(before, (String::new(), vec![]));
    assert_eq!(after, ("welcome\n".to_owned(), vec!["#1 line hello".to_owned()]));
    assert_eq!(rig.told(), ["#2 closed cannot-connect"]);
    assert!(silent.wire.is_dropped());
}

#[test]
fn an_end_that_cannot_be_sent_yet_is_sent_when_there_is_room() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.finish_fails(ErrorKind::WouldBlock);
    rig.board().send(far.id, b"last words");
    rig.board().finish(far.id);
    rig.settle();
    let before = (far.wire.text(), far.wire.is_finished(), rig.told());

    far.wire.finish_works();
    rig.note(&far, WRITABLE);
    rig.settle();

    assert_eq!(before, ("last words".to_owned(), false, vec![]));
    assert!(far.wire.is_finished());
    rig.finishes(&far);
    rig.settle();
    assert_eq!(rig.told(), ["#1 ended", "#1 closed finished"]);
}

#[test]
fn a_peer_that_does_not_even_take_our_end_is_waited_for_no_longer_than_any_other() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.finish_fails(ErrorKind::WouldBlock);

    rig.board().close(far.id, kicked());
    rig.settle();
    let before = rig.told();
    rig.pass(60_000);

    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed kicked".to_owned()]));
}

#[test]
fn where_both_have_finished_and_our_end_cannot_be_sent_it_is_over_after_a_while() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.finish_fails(ErrorKind::WouldBlock);
    rig.finishes(&far);
    rig.settle();
    let before = rig.told();

    rig.pass(60_000);
    rig.pass(60_000);

    assert_eq!((before, rig.told()), (vec!["#1 ended".to_owned()], vec!["#1 closed half-open".to_owned()]));
}
