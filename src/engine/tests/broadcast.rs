//! What is said to many.

use super::*;

#[test]
fn a_speaker_does_not_hear_itself() {
    let mut rig = Rig::chat(Limits::default());
    let fars = [rig.connect(), rig.connect(), rig.connect()];

    rig.says(&fars[0], "one\n");
    rig.says(&fars[1], "two\n");
    rig.settle();
    rig.board().broadcast(None, &[b"op\n"]);
    rig.settle();

    let heard = fars.map(|far| far.wire.text());
    assert_eq!(heard, ["two\nop\n", "one\nop\n", "one\ntwo\nop\n"]);
}

#[test]
fn a_newcomer_hears_what_is_said_from_now_on() {
    let mut rig = Rig::new();
    let old = rig.connect();
    rig.board().broadcast(None, &[b"before "]);

    let new = rig.connect();
    rig.board().broadcast(None, &[b"after"]);
    rig.settle();

    assert_eq!((old.wire.text().as_str(), new.wire.text().as_str()), ("before after", "after"));
}

#[test]
fn what_is_sent_to_one_keeps_its_place_among_what_is_said_to_many() {
    let mut rig = Rig::new();
    let (lagging, prompt) = (rig.connect(), rig.connect());
    lagging.wire.puts([Put::Accept(2)]);
    lagging.wire.stalls();
    rig.board().broadcast(None, &[b"all 1, "]);
    rig.settle();

    for far in [&lagging, &prompt] {
        rig.board().send(far.id, b"you, ");
    }
    rig.board().broadcast(None, &[b"all 2, "]);
    rig.settle();
    for far in [&lagging, &prompt] {
        rig.board().send(far.id, b"you again");
    }
    rig.has_room_again(&lagging);
    rig.settle();

    for far in [&lagging, &prompt] {
        assert_eq!(far.wire.text(), "all 1, you, all 2, you again", "{}", far.id);
    }
}

#[test]
fn a_blocked_receiver_hears_everything_later_and_the_memory_is_given_back() {
    let mut rig = Rig::chat(Limits::default());
    let (blocked, talker) = (rig.connect(), rig.connect());
    blocked.wire.stalls();
    let mut expected = String::new();
    for round in 0..100 {
        rig.says(&talker, &format!("{round}\n"));
        // Its own words must not come back to it later.
        rig.says(&blocked, &format!("own {round}\n"));
        rig.settle();
        expected += &format!("{round}\n");
    }
    let (kept, queued) = (rig.board().shared.log.kept_bytes(), rig.queued(&blocked));

    rig.has_room_again(&blocked);
    rig.settle();

    assert!(kept >= expected.len(), "{kept} bytes kept for the blocked one");
    assert_eq!((queued, blocked.wire.text()), (expected.len(), expected));
    assert_eq!(rig.board().shared.log.kept_bytes(), 0, "all have heard all");
}

#[test]
fn the_log_is_given_back_when_the_only_one_that_lagged_is_hung_up() {
    let mut rig = Rig::new();
    let blocked = rig.connect();
    blocked.wire.stalls();
    rig.board().broadcast(None, &[&[b'x'; 10_000]]);
    rig.settle();

    rig.board().hang_up(blocked.id, kicked());
    rig.settle();

    assert_eq!(rig.board().shared.log.kept_bytes(), 0, "nobody is left to hear it");
}

#[test]
fn the_log_is_given_back_when_the_only_one_that_lagged_got_a_copy() {
    let mut rig = Rig::new();
    let blocked = rig.connect();
    blocked.wire.stalls();
    rig.board().broadcast(None, &[&[b'x'; 10_000]]);
    rig.settle();

    rig.board().send(blocked.id, b"what is sent keeps its place");
    rig.settle();

    assert_eq!(rig.board().shared.log.kept_bytes(), 0, "it has a copy of its own");
}

#[test]
fn a_receiver_whose_queue_is_full_is_dropped_and_the_others_hear_everything() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let (stuck, prompt) = (rig.connect(), rig.connect());
    stuck.wire.stalls();

    for _ in 0..20 {
        rig.board().broadcast(None, &[&[b'x'; 99], b"\n"]);
        rig.settle();
    }

    assert_eq!(rig.told(), ["#1 closed queue-full"]);
    assert_eq!(prompt.wire.written().len(), 2000);
    assert_eq!((rig.board().stats().dropped_slow, rig.board().stats().unsent_bytes), (1, 900));
    assert_eq!(rig.board().shared.log.kept_bytes(), 0, "nobody waits for it any more");
}

#[test]
fn a_queue_takes_all_of_a_message_or_nothing() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();

    let sent = [790, 10, 1].map(|size| rig.board().send(far.id, &vec![b'x'; size]));
    rig.settle();

    assert_eq!((sent[0], sent[2]), (Sent::Queued(790), Sent::Full(800)));
    assert_eq!((rig.queued(&far), rig.board().len()), (800, 1));
}

#[test]
fn the_walk_over_many_receivers_spans_turns_and_leaves_nobody_out() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let mut fars: Vec<Far> = (0..20).map(|_| rig.connect()).collect();
    rig.board().broadcast(None, &[&[b'a'; 30]]);
    rig.turn();
    let after_one_turn: usize = fars.iter().map(|far| far.wire.written().len()).sum();

    // In the middle of the walk: more is said, one leaves, one comes.
    rig.board().broadcast(None, &[&[b'b'; 30]]);
    rig.board().hang_up(fars.remove(10).id, kicked());
    let newcomer = rig.connect();
    rig.settle();

    assert_eq!(after_one_turn, 120, "the budget of 100, and the rest of the last one's");
    let expected = "a".repeat(30) + &"b".repeat(30);
    for far in fars {
        assert_eq!(far.wire.text(), expected, "{}", far.id);
    }
    assert_eq!((newcomer.wire.text().as_str(), rig.board().shared.log.kept_bytes()), ("", 0));
}

#[test]
fn a_turn_delivers_to_so_many_receivers_however_little_each_is_told() {
    let limits = Limits { deliver_budget_receivers: 3, ..Limits::default() };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    let fars: Vec<Far> = (0..10).map(|_| rig.connect()).collect();
    rig.board().broadcast(None, &[b"hello"]);

    let have_heard: Vec<usize> = (0..4)
        .map(|_| {
            rig.turn();
            fars.iter().filter(|far| far.wire.text() == "hello").count()
        })
        .collect();

    assert_eq!(have_heard, [3, 6, 9, 10], "how many have heard it, turn by turn");
}

/// It says much and reads nothing: what it has said itself, in between, must not make its place in the log a walk
/// that grows for ever.
#[test]
fn who_talks_and_does_not_listen_gets_a_copy_of_what_it_has_not_heard() {
    let mut rig = Rig::chat(Limits { own_pieces_max: 5, ..Limits::default() });
    let (deaf, other, third) = (rig.connect(), rig.connect(), rig.connect());
    deaf.wire.stalls();

    for _ in 0..40 {
        rig.says(&deaf, "d\n");
        rig.says(&other, "o\n");
        rig.settle();
        assert!(
            rig.board().shared.log.kept_bytes() <= 4 * 7,
            "{} bytes kept",
            rig.board().shared.log.kept_bytes()
        );
    }
    rig.has_room_again(&deaf);
    rig.settle();

    assert_eq!(deaf.wire.text(), "o\n".repeat(40));
    assert_eq!(other.wire.text(), "d\n".repeat(40));
    assert_eq!(third.wire.text(), "d\no\n".repeat(40));
    rig.board().check_sums();
}
