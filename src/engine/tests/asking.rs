//! What an App may ask of the board, and what it gets.

use super::*;
use crate::engine::Sleep;

const OTHER: Role = Role::new(1);

#[test]
fn of_several_moments_to_be_woken_at_the_earliest_counts_until_it_has_come() {
    let mut rig = Rig::new();
    let now = rig.board().now();
    let (early, late) = (now + Duration::from_millis(100), now + Duration::from_millis(200));

    rig.board().wake_at(late);
    rig.board().wake_at(early);
    let asked = rig.engine.rest();
    let polled = Polled { asked_at: now, timeout: None, told: Told::All, was_stopped: false };
    rig.engine.begin_turn(early, polled);

    assert_eq!(asked, Sleep::Until { deadline: None, wake: Some(early) });
    assert_eq!(rig.engine.rest(), Sleep::Until { deadline: None, wake: None });
}

#[test]
fn the_one_whom_others_wait_for_is_told_apart() {
    let mut rig = Rig::chat(small());
    let (slow, other) = (rig.connect(), rig.connect());
    slow.wire.stalls();

    rig.board().send(slow.id, &[b'x'; 300]);
    rig.settle();

    assert!(rig.board().is_held_back_by(slow.id));
    assert!(!rig.board().is_held_back_by(other.id));
    rig.has_room_again(&slow);
    rig.settle();
    assert!(!rig.board().is_held_back_by(slow.id));
}

#[test]
fn a_drained_server_ends_when_the_last_one_leaves_by_itself() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.settle();

    rig.board().drain();
    rig.says(&far, "still heard\n");
    rig.settle();
    let before = (rig.told(), rig.engine.has_ended());
    rig.finishes(&far);
    rig.settle();

    assert_eq!(before, (vec!["#1 line still heard".to_owned()], false));
    assert!(rig.engine.has_ended());
}

#[test]
fn one_that_drains_while_it_stops_goes_on_stopping() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.stalls();
    rig.board().send(far.id, b"never read");

    rig.board().stop();
    rig.board().drain();
    rig.pass(60_000);

    assert!(rig.engine.has_ended());
}

#[test]
fn peers_are_those_of_their_role_and_each_role_is_counted() {
    let mut rig = Rig::new();
    let (first, watcher, second) = (rig.connect(), rig.connect_as(OTHER), rig.connect());
    let peers: Vec<ConnId> = rig.board().peers().map(|view| view.id).collect();
    let counts = (rig.board().count(Role::PEER), rig.board().count(OTHER));

    rig.board().take_role(watcher.id, Role::PEER);
    rig.board().hang_up(first.id, Reason::WeReset);
    rig.settle();

    assert_eq!((peers, counts), (vec![first.id, second.id], (2, 1)));
    assert_eq!((rig.board().count(Role::PEER), rig.board().count(OTHER)), (2, 0));
}

#[test]
fn what_goes_back_from_where_it_was_read_is_told_as_queued() {
    let mut rig = Rig::new();
    rig.on_received(|id, line, board| {
        board.send(id, line);
        let queued = board.view(id).map(|view| view.queued_bytes);
        assert_eq!(queued, Some(line.len()));
    });
    let far = rig.connect();

    rig.says(&far, "hello\n");
    rig.settle();

    assert_eq!((far.wire.text().as_str(), rig.queued(&far)), ("hello", 0));
}
