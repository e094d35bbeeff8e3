//! Who waits for an answer, whose messages are shown, and what is sent again and again.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use serde_json::Value;

use common::{Peer, Server, let_pass, wait_until, without_ages};

/// Types a line; returns the lines that answer it, up to the answer to a line behind it.
#[track_caller]
fn answers(server: &mut Server, line: &str) -> Vec<String> {
    let from = server.err.so_far().len();
    server.type_line(&format!("{line}\n/help done"));
    server.err.wait_for(&format!("the answer to {line:?}"), |err| {
        let text = String::from_utf8_lossy(&err[from..]).into_owned();
        let (before, _) = text.split_once("/done [3] ")?;
        Some(before.lines().map(without_ages).collect())
    })
}

/// The one line that answers.
#[track_caller]
fn answer(server: &mut Server, line: &str) -> String {
    let lines = answers(server, line);
    assert_eq!(lines.len(), 1, "to {line:?}: {lines:?}");
    lines.into_iter().next().unwrap()
}

/// The numbers of those who wait, as `/pending` has them.
#[track_caller]
fn waiting(server: &mut Server) -> Vec<u64> {
    let number = |line: &String| line.strip_prefix('#')?.split(' ').next()?.parse().ok();
    answers(server, "/pending").iter().filter_map(number).collect()
}

#[test]
fn whoever_waits_longest_is_first_and_the_first_that_it_asked_is_told() {
    let (mut server, mut peers) = Server::with_peers(&[], 4);
    assert_eq!(answer(&mut server, "/pending"), "nobody waits for an answer");
    assert_eq!(answer(&mut server, "/next"), "nobody waits for an answer");

    for (at, text) in [(2, "third speaks first"), (0, "one"), (3, "four"), (2, "and again"), (0, "x")] {
        server.hears(&mut peers[at], text);
    }

    let expected = ["#3 waits 0s: third speaks first", "#1 waits 0s: one", "#4 waits 0s: four"];
    assert_eq!(answers(&mut server, "/pending"), expected);
    // To look does not change anything.
    assert_eq!(answers(&mut server, "/pending"), expected);
    let rows: Vec<(u64, bool)> =
        server.who().iter().map(|row| (row.number, row.state.ends_with(",waits"))).collect();
    assert_eq!(rows, [(1, true), (2, false), (3, true), (4, true)]);
}

#[test]
fn an_answer_strikes_off_whoever_gets_it_and_the_next_question_is_the_last_in_line() {
    let (mut server, mut peers) = Server::with_peers(&[], 5);
    for (at, peer) in peers.iter_mut().enumerate() {
        server.hears(peer, &format!("question {at}"));
    }

    for (typed, left) in [
        ("@2 an answer", &[1, 3, 4, 5][..]),
        ("/send @3 \\0", &[1, 4, 5]),
        ("/hex @1 00", &[4, 5]),
        ("/done 4", &[5]),
        ("@1,2 to those who do not wait", &[5]),
    ] {
        server.type_line(typed);
        assert_eq!(waiting(&mut server), left, "after {typed:?}");
    }
    for at in [3, 0, 1] {
        server.hears(&mut peers[at], &format!("more of {at}"));
    }
    assert_eq!(waiting(&mut server), [5, 4, 1, 2]);
    peers.remove(0).reset();
    server.wait_for_status("* #1 closed");
    assert_eq!(waiting(&mut server), [5, 4, 2]);
    // One that has finished waits all the same.
    peers[0].finish();
    server.wait_for_status("* #2 has finished");
    assert_eq!(waiting(&mut server), [5, 4, 2]);
    server.type_line("@2,4 both");
    assert_eq!(waiting(&mut server), [5]);
    server.type_line("@all everybody");
    assert_eq!(waiting(&mut server), [0; 0]);
}

#[test]
fn next_makes_whoever_waits_longest_the_target_and_shows_what_it_asked() {
    let (mut server, mut peers) = Server::with_peers(&[], 3);
    for at in [1, 0, 2] {
        server.hears(&mut peers[at], &format!("question {at}"));
    }

    for (number, at) in [(2, 1), (1, 0), (3, 2)] {
        let told = format!("* the current target is #{number}, who waits 0s: question {at}");
        assert_eq!(answer(&mut server, "/next"), told);
        assert_eq!(answer(&mut server, "an answer"), format!("-> #{number} 10 bytes"));
        assert_eq!(peers[at].line(), "an answer");
    }
    assert_eq!(answer(&mut server, "/next"), "nobody waits for an answer");
    // The target stays whom it was made.
    server.hears(&mut peers[0], "another");
    assert_eq!(answer(&mut server, "for three"), "-> #3 10 bytes");
    assert_eq!(waiting(&mut server), [1]);
}

#[test]
fn a_long_question_begins_in_the_list_and_is_whole_in_next() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    let long = format!("{} end", "q".repeat(2000));
    // From here on what is said is kept.
    answer(&mut server, "/next");
    server.hears(&mut peers[0], &long);

    let begins = answer(&mut server, "/pending");
    assert!(begins.starts_with("#1 waits 0s: qqqq") && begins.ends_with("q…"), "{begins:?}");
    assert!(begins.len() < 400, "{begins:?}");
    assert_eq!(answer(&mut server, "/next"), format!("* the current target is #1, who waits 0s: {long}"));
}

#[test]
fn done_strikes_off_one_or_several_or_the_target_and_refuses_whom_there_is_not() {
    let (mut server, mut peers) = Server::with_peers(&[], 4);
    for peer in &mut peers {
        server.hears(peer, &format!("from {}", peer.stream.local_addr().unwrap()));
    }

    for (typed, told) in [
        ("/done", "-> #4 needs no answer any more"),
        ("/done @1", "-> #1 needs no answer any more"),
        ("/done 1", "-> #1 needs no answer any more"),
        ("/done 9", "there is no #9: nothing was done"),
        ("/done 2,9", "there is no #9: nothing was done"),
        ("/done 2 x", "/done does not take \"x\": it is written /done [3]"),
        ("/done 2,3", "-> #2, #3 need no answer any more"),
        ("/done all", "nobody waits for an answer"),
        ("/pending", "nobody waits for an answer"),
    ] {
        assert_eq!(answer(&mut server, typed), told, "to {typed:?}");
    }
    peers.remove(3).reset();
    server.wait_for_status("* #4 closed");
    assert_eq!(answer(&mut server, "/done 4"), "#4 is gone");
    assert_eq!(answer(&mut server, "/done"), "#4 is gone");
    server.type_line("@all a word");
    for peer in &mut peers {
        assert_eq!(peer.line(), "a word", "to be struck off sends nothing");
    }
}

#[test]
fn show_has_the_last_messages_of_one_both_ways() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    let nothing = "#1 has said nothing that was kept: it is from now on";
    assert_eq!(answer(&mut server, "/show 1"), nothing);

    server.hears(&mut peers[0], "a question");
    server.hears(&mut peers[1], "somebody else");
    answer(&mut server, "@1 an answer");
    answer(&mut server, "/hex @1 00 ff");
    server.hears(&mut peers[0], "thanks!");

    let all = [
        "#1 0s ago> a question",
        "#1 0s ago, by us< an answer",
        "#1 0s ago, by us< \\x00\\xff",
        "#1 0s ago> thanks!",
    ];
    assert_eq!(answers(&mut server, "/show 1"), all);
    assert_eq!(answers(&mut server, "/show @1 2"), all[2..]);
    assert_eq!(answers(&mut server, "/show last"), all, "#1 spoke last");
    assert_eq!(answers(&mut server, "/show 2 99"), ["#2 0s ago> somebody else"]);
    assert_eq!(answer(&mut server, "/show 9"), "there is no #9: nothing was done");
    assert_eq!(answer(&mut server, "/show 1,2"), "this is about one connection, and several were named");
    assert_eq!(answer(&mut server, "/show 1 0"), "/show is written /show 3 [N]  /show all");
    // What one who has left has said can still be read.
    peers.remove(0).reset();
    server.wait_for_status("* #1 closed");
    assert_eq!(answers(&mut server, "/show 1 1"), all[3..]);
}

/// Lets each peer say something, one after the other, and returns the numbers of those whose messages are shown.
#[track_caller]
fn shown_of(server: &mut Server, peers: &mut [Peer], text: &str, count: usize) -> Vec<String> {
    let from = server.out.so_far().len();
    for (at, peer) in peers.iter_mut().enumerate() {
        let heard_of = |server: &mut Server| server.who()[at].received;
        let expected = heard_of(server) + text.len() as u64 + 1;
        peer.send(format!("{text}\n"));
        wait_until("it to be heard", || (heard_of(server) == expected).then_some(()));
    }
    server.out.wait_for(&format!("{count} messages"), |out| {
        let fresh = String::from_utf8_lossy(&out[from..]).into_owned();
        let who: Vec<String> =
            fresh.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
        (who.len() >= count).then_some(who)
    })
}

#[test]
fn mute_and_focus_hide_what_some_say_and_nothing_else() {
    let (mut server, mut peers) = Server::with_peers(&[], 3);
    let undo = "; /show all shows everything again";

    for (typed, told, shown) in [
        ("/mute 1", format!("-> 1 connection hidden{undo}"), &["2", "3"][..]),
        ("/mute @2", format!("-> 2 connections hidden{undo}"), &["3"]),
        ("/mute 2", format!("-> 2 connections hidden{undo}"), &["3"]),
        ("/focus 1", format!("-> only 1 connection shown{undo}"), &["1"]),
        ("/focus 3,2", format!("-> only 2 connections shown{undo}"), &["2", "3"]),
        ("/mute 3", format!("-> 1 connection hidden{undo}"), &["2"]),
        ("/mute 9", "there is no #9: nothing was done".into(), &["2"]),
        ("/focus 1,9", "there is no #9: nothing was done".into(), &["2"]),
        ("/show all", "-> everything is shown".into(), &["1", "2", "3"]),
        ("/mute all", format!("-> 3 connections hidden{undo}"), &[]),
    ] {
        assert_eq!(answer(&mut server, typed), told, "to {typed:?}");
        let found = shown_of(&mut server, &mut peers, "words", shown.len());
        assert_eq!(found, shown, "after {typed:?}");
    }

    // Whoever is hidden waits for an answer and speaks last all the same, and that it leaves is told.
    assert_eq!(waiting(&mut server), [1, 2, 3]);
    assert_eq!(answer(&mut server, "@last an answer"), "-> #3 10 bytes");
    peers.remove(2).reset();
    server.wait_for_status("* #3 closed");
    let (newcomer, _) = server.connect_numbered();
    peers.push(newcomer);
    assert_eq!(shown_of(&mut server, &mut peers, "a newcomer's", 1), ["4"]);
    server.type_line("exit");
    peers.clear();
    let shown = String::from_utf8(server.out.to_end()).unwrap();
    assert_eq!(shown.lines().count(), 14, "nothing more was shown:\n{shown}");
}

#[test]
fn what_is_repeated_for_one_comes_again_and_again_and_ends_with_it() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    server.hears(&mut peers[0], "I wait");

    assert_eq!(answer(&mut server, "/every 20ms @1 tick"), "-> every 20 ms: /every off 1 stops it");
    assert_eq!(answer(&mut server, "/every 1h @1 seldom"), "-> every 60 min: /every off 2 stops it");
    for _ in 0..5 {
        assert_eq!(peers[0].line(), "tick");
    }
    assert_eq!(waiting(&mut server), [0; 0], "it is an answer like any other");
    assert_eq!(answers(&mut server, "/every"), ["1: every 20 ms to #1 tick", "2: every 60 min to #1 seldom"]);
    peers.remove(0).reset();

    for number in [1, 2] {
        server.wait_for_status(&format!("* /every {number} has ended: those it was for are gone"));
    }
    assert_eq!(answer(&mut server, "/every"), "nothing is repeated");
    assert!(peers[0].is_quiet(), "nobody else got it");
}

#[test]
fn what_is_repeated_for_all_reaches_whoever_is_here_at_each_tick() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);

    assert_eq!(answer(&mut server, "/every 20ms @all tick"), "-> every 20 ms: /every off 1 stops it");
    assert_eq!(peers[0].line(), "tick");
    let (mut newcomer, _) = server.connect_numbered();
    assert_eq!(newcomer.line(), "tick");
    peers.remove(0).reset();
    server.wait_for_status("* #1 closed");
    newcomer.reset();
    server.wait_for_status("* #2 closed");
    // It goes on for nobody, and is there for the next.
    let_pass(Duration::from_millis(50));
    let (mut last, _) = server.connect_numbered();
    assert_eq!(last.line(), "tick");
    assert_eq!(answers(&mut server, "/every"), ["1: every 20 ms to all tick"]);
    assert_eq!(answer(&mut server, "/every off 1"), "-> 1 repetition stopped");
    assert_eq!(answer(&mut server, "@3 the last word"), "-> #3 14 bytes");
    while last.line() != "the last word" {}
    let_pass(Duration::from_millis(60));
    assert!(last.is_quiet(), "it has stopped");
}

#[test]
fn repetitions_are_listed_and_stopped_by_their_numbers() {
    let (mut server, mut peers) = Server::with_peers(&[], 3);
    server.hears(&mut peers[2], "I am the target");

    for (typed, told) in [
        ("/every", &["nothing is repeated"][..]),
        ("/every 1h to the target", &["-> every 60 min: /every off 1 stops it"]),
        ("/every 90s @1,2 both", &["-> every 90 s: /every off 2 stops it"]),
        ("/every 24h /hex @2 00 ff", &["-> every 24 h: /every off 3 stops it"]),
        ("/every 500ms /send @9 x", &["there is no #9: nothing was done"]),
        ("/every 10m @all all", &["-> every 10 min: /every off 4 stops it"]),
        ("/every off 9", &["nothing is repeated under 9: /every lists all"]),
        ("/every off", &["/every is written /every 5s LINE  /every  /every off 2|all"]),
        ("/every off 3", &["-> 1 repetition stopped"]),
        ("/every off 3", &["nothing is repeated under 3: /every lists all"]),
        (
            "/every",
            &[
                "1: every 60 min to #3 to the target",
                "2: every 90 s to #1, #2 both",
                "4: every 10 min to all all",
            ],
        ),
        ("/every 1h @2 again", &["-> every 60 min: /every off 5 stops it"]),
        ("/every off all", &["-> 4 repetitions stopped"]),
        ("/every off all", &["-> 0 repetitions stopped"]),
        ("/every", &["nothing is repeated"]),
    ] {
        assert_eq!(answers(&mut server, typed), told, "to {typed:?}");
    }
    assert!(peers.iter_mut().all(Peer::is_quiet), "none was due");
}

#[test]
fn what_is_repeated_for_several_goes_on_for_those_who_are_left() {
    let (mut server, mut peers) = Server::with_peers(&[], 3);

    answer(&mut server, "/every 20ms /send @1,2 tick\\n");
    assert_eq!((peers[0].line(), peers[1].line()), ("tick".into(), "tick".into()));
    peers.remove(0).reset();
    server.wait_for_status("* #1 closed");
    for _ in 0..3 {
        assert_eq!(peers[0].line(), "tick");
    }
    wait_until("the list to be shorter", || {
        (answers(&mut server, "/every") == ["1: every 20 ms to #2 tick\\x0a"]).then_some(())
    });
    peers.remove(0).reset();
    server.wait_for_status("* /every 1 has ended: those it was for are gone");
    assert!(peers[0].is_quiet());
}

#[test]
fn a_program_is_told_what_is_repeated_and_what_of_it_was_sent() {
    let mut server = Server::start(&["--format", "json"]);
    let mut peer = server.connect();
    server.out.line_with(r#"{"ev":"open""#);

    server.type_line(r#"{"cmd":"every","every":"20ms","to":1,"text":"tick","ref":7}"#);
    assert_eq!(server.out.line_with(r#""ref":7"#), r#"{"ev":"ok","ref":7,"n":1,"ms":20}"#);
    assert_eq!((peer.line(), peer.line()), ("tick".into(), "tick".into()));
    let sent: Value = serde_json::from_str(&server.out.line_with(r#"{"ev":"sent""#)).unwrap();
    assert_eq!((&sent["ids"][0], &sent["text"], &sent["by"]), (&1.into(), &"tick\n".into(), &"every".into()));
    server.type_line(r#"{"cmd":"every","ref":8}"#);
    let listed = r#"{"ev":"ok","ref":8,"every":[{"n":1,"ms":20,"to":[1],"text":"tick"}]}"#;
    assert_eq!(server.out.line_with(r#""ref":8"#), listed);
    peer.reset();
    let ended = server.out.line_with(r#""off":true"#);
    assert!(ended.starts_with(r#"{"ev":"every","#) && ended.contains(r#""n":1"#), "{ended}");
    server.type_line(r#"{"cmd":"every","off":1,"ref":9}"#);
    assert!(server.out.line_with(r#""ref":9"#).contains("no-such-every"));
}

#[test]
fn quiet_leaves_out_that_something_was_sent_and_nothing_else() {
    let (mut server, mut peers) = Server::with_peers(&["--quiet"], 3);

    for (typed, told) in [
        ("@1 one", &[][..]),
        ("@1,2 two", &[]),
        ("@all three", &[]),
        ("/send @1 x\\n", &[]),
        ("@9 x", &["there is no #9: nothing was done"]),
        ("/rst 3", &["-> #3 is reset"]),
        ("@3 x", &["#3 is gone"]),
        ("@2,3 four", &["-> #2 5 bytes; #3 is gone"]),
    ] {
        assert_eq!(answers(&mut server, typed), told, "to {typed:?}");
    }

    assert_eq!(peers[0].exactly(16), b"one\ntwo\nthree\nx\n");
    assert_eq!(peers[1].exactly(15), b"two\nthree\nfour\n");
}
