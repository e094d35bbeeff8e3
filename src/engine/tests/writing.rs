//! What peers are sent.

use super::*;

#[test]
fn an_answer_goes_out_in_the_turn_of_its_question() {
    let mut rig = Rig::echo(Limits::default());
    let far = rig.connect();

    rig.says(&far, "hello");
    rig.turn();

    assert_eq!(far.wire.text(), "hello");
    assert!(rig.engine.is_idle(), "nothing is left to do");
}

#[test]
fn what_is_blocked_goes_on_when_there_is_room_again() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.puts([Put::Accept(3), Put::Interrupted, Put::WouldBlock]);
    rig.board().send(far.id, b"hello");
    rig.settle();
    let first = far.wire.text();

    rig.note(&far, WRITABLE);
    rig.settle();

    assert_eq!((first.as_str(), far.wire.text().as_str()), ("hel", "hello"));
}

#[test]
fn a_turn_writes_one_budget_to_a_connection() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    rig.board().send(far.id, &[b'x'; 500]);

    let written: Vec<usize> = (0..3)
        .map(|_| {
            let before = far.wire.written().len();
            rig.turn();
            far.wire.written().len() - before
        })
        .collect();

    assert_eq!(written, [48; 3], "bytes written turn by turn");
}

#[test]
fn a_turn_writes_one_budget_also_to_a_connection_that_was_just_read() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.on_received(|id, _, board| {
        board.send(id, &[b'x'; 500]);
    });
    let far = rig.connect();
    rig.says(&far, "give me a lot\n");

    let written: Vec<usize> = (0..3)
        .map(|_| {
            let before = far.wire.written().len();
            rig.turn();
            far.wire.written().len() - before
        })
        .collect();

    assert_eq!(written, [48; 3], "bytes written turn by turn");
}

#[test]
fn a_turn_writes_one_budget_also_to_a_connection_that_others_have_something_sent_to() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let (answered, other) = (rig.connect(), rig.connect());
    let to = answered.id;
    rig.on_received(move |_, _, board| {
        board.send(to, &[b'x'; 200]);
    });
    rig.says(&answered, "give me a lot\n");
    rig.says(&other, "give it more\n");

    let written: Vec<usize> = (0..3)
        .map(|_| {
            let before = answered.wire.written().len();
            rig.turn();
            answered.wire.written().len() - before
        })
        .collect();

    assert_eq!(written, [48; 3], "bytes written turn by turn");
}

#[test]
fn a_turn_writes_one_budget_also_to_a_connection_that_hears_what_is_said_to_many() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    rig.board().send(far.id, &[b'x'; 300]);

    let written: Vec<usize> = (0..3)
        .map(|_| {
            rig.board().broadcast(None, &[&[b'y'; 100]]);
            let before = far.wire.written().len();
            rig.turn();
            far.wire.written().len() - before
        })
        .collect();

    assert_eq!(written, [48; 3], "bytes written turn by turn");
}

#[test]
fn input_that_was_not_yet_read_is_heard_although_writing_failed() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    // No event has announced these yet.
    far.wire.arrives("twelve bytes\n".repeat(20).as_bytes());
    far.wire.arrives(b"tail");
    far.wire.gets([Get::Fail(ErrorKind::ConnectionReset)]);
    far.wire.breaks(ErrorKind::BrokenPipe);

    rig.board().send(far.id, b"hello");
    rig.settle();

    let told = rig.told();
    assert_eq!(told.iter().filter(|entry| *entry == "#1 line twelve bytes").count(), 20, "{told:#?}");
    assert_eq!(told[20..], ["#1 Gone tail", "#1 closed reset"]);
    assert_eq!(rig.board().stats().unsent_bytes, 5);
}

#[test]
fn a_broken_connection_without_input_is_closed_without_another_event() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.breaks(ErrorKind::ConnectionReset);

    rig.board().send(far.id, b"hello");
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed reset"]);
    assert_eq!((rig.board().send(far.id, b"more"), far.wire.is_dropped()), (Sent::Gone, true));
}

#[test]
fn input_of_a_broken_connection_waits_until_reading_is_held_no_more() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.board().hold_reading(true);
    far.wire.arrives(b"last words\n");
    far.wire.breaks(ErrorKind::BrokenPipe);
    rig.board().send(far.id, b"hello");
    rig.settle();
    let held = rig.told();

    rig.board().hold_reading(false);
    rig.settle();

    assert_eq!(held, [""; 0]);
    assert_eq!(rig.told(), ["#1 line last words", "#1 closed reset"]);
}

#[test]
fn what_is_said_to_many_after_a_connection_broke_is_not_counted_as_queued_for_it() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.board().hold_reading(true);
    far.wire.breaks(ErrorKind::BrokenPipe);
    rig.board().send(far.id, b"hello");
    rig.settle();

    rig.board().broadcast(None, &[b"it does not hear this"]);
    rig.settle();

    assert_eq!(rig.queued(&far), 5);
    rig.board().hold_reading(false);
    rig.settle();
    assert_eq!(rig.board().stats().unsent_bytes, 5);
}

#[test]
fn input_that_was_not_yet_read_is_heard_although_our_fin_failed() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.arrives(b"last words\n");
    far.wire.gets([Get::Fail(ErrorKind::ConnectionReset)]);
    // What a shutdown says of a socket that was reset.
    far.wire.finish_fails(ErrorKind::NotConnected);

    rig.board().finish(far.id);
    rig.settle();

    assert_eq!(rig.told().first().map(String::as_str), Some("#1 line last words"));
    assert_eq!((rig.board().len(), rig.board().audience()), (0, 0));
}
