//! What a connection is for, and what follows from it.

use super::*;

const WATCHER: Role = Role::new(1);

/// Peers that say lines, and watchers whose bytes are raw and who hear nothing that is broadcast.
fn with_watchers(limits: Limits) -> Rig {
    let mut rig = Rig::chat(limits.clone());
    rig.app.policies[WATCHER.number()] =
        Policy { hears_broadcasts: false, has_idle_limit: false, ..Policy::RAW };
    Rig::of(limits, rig.app)
}

fn two_roles() -> Rig {
    with_watchers(Limits { idle_max: Some(Duration::from_secs(3)), ..Limits::default() })
}

#[test]
fn each_role_has_its_own_frames_and_only_those_who_hear_broadcasts_are_told_them() {
    let mut rig = two_roles();
    let (peer, other) = (rig.connect(), rig.connect());
    let watcher = rig.connect_as(WATCHER);

    rig.says(&peer, "one\ntwo\n");
    rig.says(&watcher, "half a line");
    rig.settle();

    assert_eq!(rig.told(), ["#1 line one", "#1 line two", "#3 Read half a line"]);
    assert_eq!(other.wire.text(), "one\ntwo\nhalf a line\n");
    assert_eq!((watcher.wire.text().as_str(), rig.queued(&watcher)), ("", 0));
    assert_eq!(rig.board().audience(), 2, "the watcher is not counted");
    assert_eq!(rig.board().view(watcher.id).map(|view| view.role), Some(WATCHER));
}

#[test]
fn only_roles_with_an_idle_limit_are_closed_for_their_silence() {
    let mut rig = two_roles();
    rig.connect();
    rig.connect_as(WATCHER);

    rig.pass(5000);

    assert_eq!(rig.told(), ["#1 closed idle"]);
}

#[test]
fn a_connection_that_takes_another_role_has_heard_what_came_before_and_hears_nothing_after() {
    let mut rig = two_roles();
    let (peer, changing) = (rig.connect(), rig.connect());
    changing.wire.stalls();
    rig.says(&peer, "before\n");
    rig.settle();

    rig.board().take_role(changing.id, WATCHER);
    rig.says(&peer, "after\n");
    rig.settle();
    rig.has_room_again(&changing);
    rig.settle();
    let heard = changing.wire.text();
    rig.board().take_role(changing.id, Role::PEER);
    rig.says(&peer, "again\n");
    rig.settle();

    assert_eq!((heard.as_str(), changing.wire.text().as_str()), ("before\n", "before\nagain\n"));
}

#[test]
fn what_was_begun_as_a_line_comes_before_what_is_raw() {
    let mut rig = two_roles();
    let far = rig.connect();
    rig.says(&far, "GET / HTTP/1.1\nUpgr");
    rig.settle();

    rig.board().take_role(far.id, WATCHER);
    rig.says(&far, "\n\n");
    rig.settle();

    assert_eq!(rig.told(), ["#1 line GET / HTTP/1.1", "#1 Read Upgr", "#1 Read \n\n"]);
}

#[test]
fn one_who_hears_no_broadcasts_keeps_nobody_waiting() {
    for (role, told) in [(Role::PEER, vec![]), (WATCHER, vec!["#1 line is heard".to_owned()])] {
        let mut rig = with_watchers(small());
        let (peer, slow) = (rig.connect(), rig.connect_as(role));
        slow.wire.stalls();
        rig.board().send(slow.id, &[b'x'; 300]);
        rig.settle();

        rig.says(&peer, "is heard\n");
        rig.settle();

        assert_eq!(rig.told(), told, "beside a slow reader in {role:?}");
    }
}
