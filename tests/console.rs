//! The console: who is shown how, and whom a reply reaches.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Peer, Program, Server, wait_until};

/// What the next things each peer gets are: a text to all is the last, so nothing came before it
/// that is not in the list.
#[track_caller]
fn each_gets(server: &mut Server, peers: &mut [Peer], expected: &[&[&str]]) {
    server.type_line("@all that was all");
    for (at, peer) in peers.iter_mut().enumerate() {
        for text in expected[at].iter().chain(&["that was all"]) {
            assert_eq!(&peer.line(), text, "what #{} got", at + 1);
        }
    }
}

#[test]
fn replies_go_once_to_one_to_several_and_to_all() {
    let (mut server, mut peers) = Server::with_peers(&[], 3);

    server.type_line("@2 to two");
    server.type_line("@1,3,1 to one and three");
    server.type_line("@all to all");

    let everybody: &[&[&str]] =
        &[&["to one and three", "to all"], &["to two", "to all"], &["to one and three", "to all"]];
    each_gets(&mut server, &mut peers, everybody);
}

#[test]
fn the_current_target_is_whoever_spoke_last_unless_one_was_chosen() {
    let (mut server, mut peers) = Server::with_peers(&[], 3);

    server.type_line("too early");
    server.err.line_with("cannot send");
    server.hears(&mut peers[0], "one speaks");
    server.type_line("follows one");
    server.err.lines_with("-> ", 1);
    server.hears(&mut peers[1], "two speaks");
    server.write_stdin(b"follows two\n@3\nsticks to three\n");
    server.err.lines_with("-> ", 3);
    server.hears(&mut peers[0], "one speaks again");
    server.write_stdin(b"still sticks to three\n@last past the chosen one\nsticks all the same\n");
    server.write_stdin(b"@last\nfollows one again\n");

    let one = ["follows one", "past the chosen one", "follows one again"];
    let three = ["sticks to three", "still sticks to three", "sticks all the same"];
    each_gets(&mut server, &mut peers, &[&one, &["follows two"], &three]);
}

#[test]
fn a_text_may_begin_with_a_slash_or_an_at_sign_or_be_the_word_exit() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);

    server.hears(&mut peers[0], "go on");
    for line in ["//path/x", "@@name", "@last exit", " exit stage left", "@1 /who", ""] {
        server.type_line(line);
    }

    let texts = ["/path/x", "@name", "exit", " exit stage left", "/who", ""];
    each_gets(&mut server, &mut peers, &[&texts]);
}

#[test]
fn a_text_for_someone_who_has_left_is_refused_and_reaches_nobody_else() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);

    // The slab gives the key that was freed last to the next newcomer.
    for gone in 1..=20 {
        server.hears(&mut peers[0], &format!("I am {gone}"));
        server.type_line(&format!("@{gone}"));
        peers.remove(0).reset();
        server.wait_for_status(&format!("* #{gone} closed"));
        let (newcomer, number) = server.connect_numbered();
        assert_eq!(number, gone + 1, "a number is never used again");
        peers.push(newcomer);
        for line in
            [format!("@{gone} secret"), "to the chosen one".into(), "@last to the last speaker".into()]
        {
            server.type_line(&line);
        }
        server.err.lines_with(&format!("#{gone} is gone"), 3);

        each_gets(&mut server, &mut peers, &[&[]]);
    }
}

#[test]
fn a_mistyped_command_or_target_is_an_error_and_sends_nothing() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    server.hears(&mut peers[0], "hello");
    let mistakes = [
        "/whom",
        "/hex 1 0x",
        "/hex @9 0d",
        "/send @1 \\q",
        "/file 1 /dev/null",
        "/mute 9",
        "/focus x",
        "/name 1 all",
        "/every 5s /who",
        "/dial 127.0.0.1",
        "/",
        "/ who",
        "/1 text",
        "@lab-a text",
        "@lab-* text",
        "@x text",
        "@ text",
        "@1; text",
        "@1, text",
        "@,1 text",
        "@-1 text",
        "@+1 text",
        "@1.0 text",
        "@99 text",
        "@1,99 text",
        "@0 text",
        "@99999999999999999999 text",
        "@all, text",
        "@ALL text",
        "/kick",
        "/kick x reason",
        "/eof 1 2",
        "/rst 99",
        "/who 1",
        "/quit now",
    ];

    for (count, line) in mistakes.iter().enumerate() {
        server.type_line(line);
        let answers =
            |err: &[u8]| String::from_utf8_lossy(err).lines().filter(|line| is_refusal(line)).count();
        let count = count + 1;
        server.err.wait_for(&format!("an error for {line:?}"), |err| (answers(err) == count).then_some(()));
    }

    each_gets(&mut server, &mut peers, &[&[], &[]]);
}

fn is_refusal(line: &str) -> bool {
    let starts = ["unknown command ", "unknown target ", "cannot ", "there is no "];
    starts.iter().any(|start| line.starts_with(start))
        || [" needs to know which connection", " does not take ", " cannot read ", " repeats what sends "]
            .iter()
            .any(|part| line.contains(part))
}

#[test]
fn what_is_unknown_is_called_so() {
    let (mut server, _peers) = Server::with_peers(&[], 1);

    for line in ["/bogus", "@lab-a text", "@77 text"] {
        server.type_line(line);
    }

    assert!(server.err.line_with("/bogus").starts_with("unknown command /bogus"));
    assert!(server.err.line_with("lab-a").starts_with("unknown target @lab-a"));
    server.err.line_with("there is no #77");
}

#[test]
fn where_a_text_went_is_always_answered() {
    let (mut server, _peers) = Server::with_peers(&[], 3);

    server.type_line("@3 hello");
    server.type_line("@1,2 你好");
    server.type_line("@all x");

    let answers = server.err.lines_with("-> ", 3);
    assert_eq!(answers, ["-> #3 6 bytes", "-> #1, #2 7 bytes", "-> all (3 connections) 2 bytes"]);
}

#[test]
fn a_list_of_many_is_answered_in_one_line_and_each_of_them_gets_the_text_once() {
    const PEERS: u64 = 150;
    let (mut server, mut peers) = Server::with_peers(&[], PEERS);
    let everybody: Vec<String> = (1..=PEERS).chain(1..=PEERS).map(|number| number.to_string()).collect();
    let everybody = everybody.join(",");

    server.type_line(&format!("@{everybody},{} not a word", PEERS + 1));
    server.err.line_with(&format!("there is no #{}: nothing was done", PEERS + 1));
    server.type_line("/rst 7");
    server.wait_for_status("* #7 closed");
    drop(peers.remove(6));
    server.type_line(&format!("@{everybody} hello"));
    server.type_line(&format!("@{everybody}"));
    server.type_line("to the current target");
    server.type_line(&format!("/kick {everybody} bye"));

    for peer in &mut peers {
        assert_eq!(String::from_utf8(peer.read_to_end()).unwrap(), "hello\nto the current target\nbye\n");
    }
    for told in [
        "-> 149 connections 6 bytes; 1 gone",
        "* the current target is 149 connections; 1 gone",
        "-> 149 connections 22 bytes; 1 gone",
        "-> 149 connections close after what is queued; 1 gone",
    ] {
        assert_eq!(server.err.line_with(told), told);
    }
}

#[test]
fn who_and_stats_tell_what_there_is() {
    let (mut server, mut peers) = Server::with_peers(&[], 3);
    server.hears(&mut peers[1], "12345678");
    peers.remove(0).reset();
    server.wait_for_status("* #1 closed");

    let rows = server.who();
    server.type_line("/stats");

    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3], "who is there: {rows:?}");
    assert_eq!(rows[0].peer, peers[0].stream.local_addr().unwrap().to_string());
    assert_eq!((rows[0].received, rows[0].queued), (9, 0), "{:?}", rows[0]);
    assert_eq!(rows[0].state, "ESTABLISHED,waits", "it has said something and got no answer");
    let counters = server.err.line_with("opened");
    assert!(counters.contains("2 now, 3 opened, 1 closed"), "{counters:?}");
}

#[test]
fn help_explains_every_command_or_one() {
    let (mut server, _peers) = Server::with_peers(&[], 0);

    server.type_line("/help");
    for usage in [
        "@3 text",
        "@all text",
        "@last text",
        "//text",
        "/who",
        "/eof 3",
        "/kick 3",
        "/rst 3",
        "/stats",
        "exit",
    ] {
        server.err.line_with(usage);
    }
    server.type_line("/help kick");
    let about_kick = server.err.lines_with("/kick 3 [reason]", 2);

    assert_eq!(about_kick[0], about_kick[1], "the same line as in the list");
}

#[test]
fn eof_finishes_our_side_and_the_peer_is_still_heard() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);

    server.write_stdin(b"@1 good bye\n/eof 1\n@1 too late\n");
    let got = peers[0].read_to_end();
    server.hears(&mut peers[0], "I am still here");

    assert_eq!(String::from_utf8_lossy(&got), "good bye\n");
    server.err.line_with("cannot send to #1");
}

#[test]
fn a_kicked_peer_gets_what_was_queued_then_the_reason_then_a_fin() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);

    server.write_stdin(b"@1 a last word\n/kick 1 be quiet now\n/kick 2\n");
    let got = [peers[0].read_to_end(), peers[1].read_to_end()];

    assert_eq!(got.each_ref().map(|got| String::from_utf8_lossy(got)), ["a last word\nbe quiet now\n", ""]);
    // What it says from now on is not shown.
    peers[0].send("but\n");
    peers.clear();
    server.wait_for_status("* #1 closed");
    server.type_line("exit");
    assert_eq!(server.out.to_end(), b"");
}

#[test]
fn a_reset_is_seen_as_one() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);

    server.type_line("/rst 1");
    let (got, error) = peers[0].read_to_any_end();

    assert_eq!((got, error), (Vec::new(), Some(std::io::ErrorKind::ConnectionReset)));
    server.type_line("@2 you stay");
    assert_eq!(peers[1].line(), "you stay");
}

#[test]
fn a_peer_that_does_not_read_is_reported_and_disturbs_nobody() {
    let (mut server, mut peers) = Server::with_peers(&["--queue-max", "4M"], 2);
    let text = "x".repeat(256 << 10);

    // The kernel takes a few megabytes; then the queue grows, and then it is full.
    wait_until("the queue of #1 to be full", || {
        server.type_line(&format!("@1 {text}"));
        server.err.so_far().windows(8).any(|part| part == b"not sent").then_some(())
    });
    server.type_line("@2 hello");
    let answer = peers[1].line();

    assert_eq!(answer, "hello");
    let report = server.err.line_with("MB queued");
    assert!(report.starts_with("#1 is not reading, "), "{report:?}");
    assert_eq!(peers[0].line(), text, "and it can still catch up");
}

#[test]
fn small_texts_for_a_peer_that_does_not_read_are_reported_and_bounded_too() {
    let (mut server, _peers) = Server::with_peers(&["--queue-max", "1M"], 1);
    let texts = format!("@1 {}\n", "x".repeat(1000)).repeat(100);

    let report = wait_until("the queue of #1 to be full", || {
        server.write_stdin(texts.as_bytes());
        let err = String::from_utf8_lossy(&server.err.so_far()).into_owned();
        err.contains("not sent").then_some(err)
    });

    let first = report.lines().find(|line| line.contains("behind")).expect("a report");
    assert!(
        first.starts_with("-> #1 1001 bytes behind ") && first.contains(" kB, not reading for "),
        "{first:?}"
    );
}

#[test]
fn a_client_that_is_killed_takes_nobody_with_it() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);
    let mut client = Program::client(&[&server.port()]);
    client.type_line("I am the client");
    server.out.line_with("2\tI am the client");

    client.signal("KILL");
    client.exit_status();
    server.wait_for_status("#2 has finished sending");
    server.hears(&mut peers[0], "I am still here");
    server.type_line("@1 so am I");

    assert_eq!(peers[0].line(), "so am I");
}

#[test]
fn a_command_that_lacks_a_connection_says_so_with_an_example_and_does_nothing() {
    let (mut server, _peers) = Server::with_peers(&[], 1);
    for (line, answer) in [
        ("/kick", "/kick needs to know which connection, for example: /kick 3"),
        ("/eof", "/eof needs to know which connection, for example: /eof 3"),
        ("/rst 1 now", "/rst does not take \"now\": it is written /rst 3"),
    ] {
        server.type_line(line);
        assert_eq!(server.err.line_with(answer), answer, "to {line:?}");
    }
    let rows = server.who();
    assert_eq!((rows[0].state.as_str(), rows[0].sent), ("ESTABLISHED", 0), "nothing was done to it");
}

#[test]
fn who_is_being_closed_and_does_not_read_can_be_reset_with_all_others() {
    let mut server = Server::start(&[]);
    let stuck = common::connect_narrow(server.address);
    server.wait_for_status("* #1 connected");
    server.type_line(&format!("@1 {}", "x".repeat(4 << 20)));
    server.type_line("/kick 1");
    server.wait_for_status("-> #1 closes after what is queued");

    server.type_line("/rst all");

    server.wait_for_status("-> #1 is reset");
    server.wait_for_status("* #1 closed: reset by the operator");
    drop(stuck);
}
