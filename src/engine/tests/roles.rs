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

#[test]
fn a_role_that_is_taken_in_mid_read_holds_from_the_next_byte_on() {
    for cut in [1, 8, 9] {
        let mut rig = two_roles();
        rig.on_received(|id, line, board| {
            if line == b"UPGRADE" {
                board.take_role(id, WATCHER);
            }
        });
        let far = rig.connect();
        let (first, second) = "UPGRADE\na\nb\n".split_at(cut);

        rig.says(&far, first);
        rig.settle();
        rig.says(&far, second);
        rig.settle();

        let told = rig.told();
        let raw: String = told[1..].iter().map(|told| told.trim_start_matches("#1 Read ")).collect();
        assert_eq!((told[0].as_str(), raw.as_str()), ("#1 line UPGRADE", "a\nb\n"), "cut at {cut}");
    }
}

#[test]
fn what_was_kept_of_one_whose_bytes_are_raw_by_now_is_not_cut_into_lines_at_the_end() {
    let mut rig = two_roles();
    rig.on_received(|id, _, board| board.pause(id));
    let far = rig.connect();
    rig.says(&far, "UPGRADE\na\nb\n");
    rig.settle();

    rig.board().take_role(far.id, WATCHER);
    rig.board().hang_up(far.id, Reason::WeReset);
    rig.settle();

    assert_eq!(rig.told(), ["#1 line UPGRADE", "#1 Gone a\nb\n", "#1 closed we-reset"]);
}

#[test]
fn whoever_was_dialled_before_the_loop_ran_is_treated_as_its_role_says() {
    let Rig { app, .. } = two_roles();
    let mut board = Board::new(Limits::default());
    board.dial_as(WATCHER, None, Address::Tcp(([127, 0, 0, 1], 1).into()));
    let mut rig = Rig { engine: Engine::new(board, Acceptor::default(), &app, || ()), app };
    let far = rig.attach_dialed();
    far.wire.dial_is(Outcome::Connected);
    rig.note(&far, WRITABLE);
    rig.settle();

    rig.board().broadcast(None, &[b"for peers\n"]);
    rig.says(&far, "half");
    rig.settle();

    assert_eq!((rig.told(), far.wire.text().as_str()), (vec!["#1 Read half".to_owned()], ""));
    assert_eq!(rig.board().audience(), 0);
}

#[test]
fn what_was_begun_as_a_line_is_not_overtaken_where_the_rest_goes_back_unseen() {
    let limits = Limits { read_budget_bytes: 100, splice_bytes_min: 50, ..Limits::default() };
    let mut rig = Rig::echo(limits.clone());
    rig.app.policies[Role::PEER.number()].framing = Framing::Lines;
    rig.app.policies[WATCHER.number()].framing = Framing::Echo;
    let mut rig = Rig::of(limits, rig.app);
    let far = rig.connect();
    far.wire.splices();
    let said: String = (0..600).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
    rig.says(&far, &said[..90]);
    rig.settle();

    rig.board().take_role(far.id, WATCHER);
    rig.says(&far, &said[90..]);
    rig.settle();

    assert_eq!(far.wire.text(), said);
    assert!(far.wire.spliced_bytes() > 0, "what came after it did go back unseen");
}
