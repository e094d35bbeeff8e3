//! All buffers together: what is counted, and who has to go.

use super::*;

fn limits(buffers_bytes_max: usize) -> Limits {
    Limits { buffers_bytes_max, ..Limits::default() }
}

#[test]
fn who_has_the_most_queued_is_dropped_first_and_the_others_stay() {
    let mut rig = Rig::with(limits(10_000), Framing::Lines, Backpressure::None);
    let peers = [1000, 6000, 2000, 800].map(|bytes| {
        let far = rig.connect();
        far.wire.stalls();
        rig.board().send(far.id, &vec![b'x'; bytes]);
        rig.turn();
        far
    });
    assert_eq!(rig.told(), [""; 0]);

    rig.board().send(peers[3].id, &[b'y'; 500]);
    rig.turn();

    assert_eq!(rig.told(), ["#2 closed buffers-full"]);
    assert_eq!(rig.board().stats().dropped_buffers, 1);
    assert_eq!(rig.board().stats().unsent_bytes, 6000);
    rig.has_room_again(&peers[2]);
    rig.settle();
    assert_eq!(peers[2].wire.text().len(), 2000);
}

#[test]
fn unfinished_lines_count_and_are_stopped_within_the_turn_that_brings_them() {
    let mut rig = Rig::with(limits(3000), Framing::Lines, Backpressure::None);
    let peers: Vec<Far> = (0..5).map(|_| rig.connect()).collect();
    for far in &peers {
        rig.says(far, &"x".repeat(1000));
    }

    rig.turn();

    let told = rig.told();
    let (closed, shown): (Vec<&String>, Vec<&String>) = told.iter().partition(|line| line.contains("closed"));
    assert_eq!(closed, ["#1 closed buffers-full", "#2 closed buffers-full"], "each of these had the most");
    assert_eq!(shown.len(), 2, "what they had begun to say is not lost");
}

#[test]
fn what_was_said_to_many_counts_once_and_goes_with_the_last_who_has_not_heard_it() {
    let limits = Limits { log_backlog_high_bytes: usize::MAX, ..limits(10_000) };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    let stuck: Vec<Far> = (0..50).map(|_| rig.connect()).collect();
    stuck.iter().for_each(|far| far.wire.stalls());
    let reader = rig.connect();

    rig.board().broadcast(None, &[&[b'x'; 9000]]);
    rig.settle();
    assert_eq!(rig.board().buffered_bytes(), 9000, "kept once for fifty");
    assert_eq!(rig.told(), [""; 0]);
    rig.board().broadcast(None, &[&[b'y'; 9000]]);
    rig.settle();

    assert_eq!(rig.told().len(), 50, "all who held it had to go");
    assert_eq!(rig.board().len(), 1);
    assert_eq!(reader.wire.text().len(), 18_000, "who reads loses nothing");
    assert_eq!(rig.board().buffered_bytes(), 0);
}

#[test]
fn a_chat_goes_on_after_its_stuck_listeners_went() {
    let mut rig = Rig::chat(limits(2000));
    let (talker, stuck, reader) = (rig.connect(), rig.connect(), rig.connect());
    stuck.wire.stalls();

    for number in 0..10 {
        rig.says(&talker, &format!("{number}{}\n", "x".repeat(400)));
        rig.settle();
    }

    assert_eq!(rig.told().iter().filter(|line| line.contains("closed")).count(), 1);
    assert_eq!(reader.wire.text().lines().count(), 10);
}

#[test]
fn what_is_refused_may_have_made_the_log_the_peers_own_which_counts() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    far.wire.stalls();
    rig.board().broadcast(None, &[&[b'x'; 500]]);
    rig.turn();

    let sent = rig.board().send(far.id, &[b'y'; 500]);

    assert_eq!(sent, Sent::Full(500));
    rig.board().check_sums();
}

#[test]
fn what_the_app_says_when_somebody_has_gone_is_bounded_within_the_turn() {
    let mut rig = Rig::with(limits(1000), Framing::Lines, Backpressure::None);
    let (stuck, leaver) = (rig.connect(), rig.connect());
    stuck.wire.stalls();
    let stuck_id = stuck.id;
    rig.on_closed(move |id, board| {
        if id != stuck_id {
            board.send(stuck_id, &[b'x'; 2000]);
        }
    });

    rig.board().hang_up(leaver.id, kicked());
    rig.turn();

    assert_eq!(rig.board().buffered_bytes(), 0);
    rig.settle();
    assert_eq!(rig.told(), ["#2 closed kicked", "#1 closed buffers-full"]);
}
