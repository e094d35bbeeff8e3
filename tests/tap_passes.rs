//! `--tap`, `/link` and `/unlink` over real sockets: what one side says is what the other gets, both are shown, and an
//! end is passed on as it came.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/desk.rs"]
mod desk;
#[path = "common/tap.rs"]
mod tap;

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use common::{Peer, Server, wait_until};
use desk::Desk;
use serde_json::json;
use tap::{Noise, Tap, Target, asks, deaf_port, send_until_it_blocks, talk_both_ways};

const MIB: usize = 1 << 20;

#[test]
fn both_sides_are_shown_under_their_numbers() {
    let (mut tap, mut client, mut far) = Tap::with_client(&["--format", "human"]);
    let from = client.seen_from;
    let to = tap.target.address;

    client.send("what time is it?\n");
    assert_eq!(far.line(), "what time is it?");
    far.send("noon\n");
    assert_eq!(client.line(), "noon");

    let out = &tap.server.out;
    assert_eq!(out.line_with("#1 connected"), format!("* #1 connected from {from}"));
    assert_eq!(out.line_with("#2 connected"), format!("* #2 connected to {to} for #1"));
    assert!(out.line_with("what time").ends_with(" #1> what time is it?"), "{}", out.line_with("what time"));
    assert!(out.line_with("noon").ends_with(" #2> noon"), "{}", out.line_with("noon"));
    let asked = tap.asks("/pending", "waits");
    assert_eq!(asked, "nobody waits for an answer");
}

#[test]
fn in_a_pipe_both_sides_are_tsv_and_who_came_is_on_stderr() {
    let (mut tap, mut client, mut far) = Tap::with_client(&[]);

    client.send("a\tb\\\n");
    assert_eq!(far.line(), "a\tb\\");
    far.send(b"\xff\x00\r\n");
    assert_eq!(client.exactly(4), b"\xff\x00\r\n");

    tap.server.err.line_with(&format!("* #2 connected to {} for #1", tap.target.address));
    tap.server.out.line_with("1\ta\\tb\\\\");
    tap.server.out.line_with("2\t\\xff\\x00\\r");
    let rows = tap.server.who();
    assert_eq!([rows[0].state.as_str(), &rows[1].state], ["ESTABLISHED,linked:#2", "ESTABLISHED,linked:#1"]);
    assert_eq!([rows[0].received, rows[0].sent, rows[1].received, rows[1].sent], [5, 4, 4, 5]);
}

#[test]
fn a_program_is_told_whom_the_targets_side_is_for_and_what_was_passed_on() {
    let target = Target::new();
    let mut desk = Desk::start(&["--tap", &target.address.to_string()]);
    let mut client = desk.connect(1);
    let mut far = target.answers();

    let opened = desk.about("open", 2);
    assert_eq!(opened["for"], 1, "{opened}");
    assert_eq!(opened["dialed"], true, "{opened}");
    assert_eq!(opened["peer"], target.address.to_string());
    client.send("hello\n");
    assert_eq!(far.line(), "hello");
    assert_eq!(desk.about("msg", 1)["text"], "hello");
    let passed = desk.event("sent");
    assert_eq!(json!([passed["ids"], passed["text"], passed["by"]]), json!([[2], "hello\n", "link"]));
    let conns = desk.ask(json!({"cmd": "who"}))["conns"].clone();
    assert_eq!([&conns[0]["link"], &conns[1]["link"]], [2, 1], "{conns}");

    desk.ask(json!({"cmd": "unlink", "id": 1}));
    far.send("nobody hears this but the operator\n");
    assert_eq!(desk.about("msg", 2)["text"], "nobody hears this but the operator");
    assert!(client.is_quiet());
    desk.ask(json!({"cmd": "link", "ids": [1, 2]}));
    far.send("but this\n");
    assert_eq!(client.line(), "but this");
    drop(client);
    assert_eq!(far.read_to_end(), b"");
    drop(far);
    desk.about("close", 1);
    desk.about("close", 2);
    desk.quit();
}

#[test]
fn what_both_say_at_once_arrives_unchanged_whether_it_is_shown_or_not() {
    for (arguments, mib) in
        [(&["--quiet"][..], 20), (&[], 3), (&["--format", "json"], 1), (&["--frame", "len32"], 1)]
    {
        let tap = Tap::unseen(arguments);
        let (client, far) = tap.connect();

        talk_both_ways(&client.stream, &far.stream, mib * MIB, 1);

        client.finish();
        far.finish();
        let (mut client, mut far) = (client, far);
        assert_eq!([client.read_to_end(), far.read_to_end()], [b"", b""], "{arguments:?}");
    }
}

/// Two gigabytes: `cargo test --release --test tap_passes -- --ignored`.
#[test]
#[ignore = "takes half a minute in a release build"]
fn a_gigabyte_each_way_at_once_arrives_unchanged() {
    for arguments in [&[][..], &["--quiet"]] {
        let tap = Tap::unseen(arguments);
        let (client, far) = tap.connect();

        talk_both_ways(&client.stream, &far.stream, 1024 * MIB, 1);
    }
}

#[test]
fn who_has_finished_still_gets_what_the_other_side_says_afterwards() {
    for arguments in [&[][..], &["--quiet"]] {
        let (tap, mut client, mut far) = Tap::with_client(arguments);

        client.send("my last words");
        client.finish();
        assert_eq!(far.read_to_end(), b"my last words", "{arguments:?}");
        tap.server.wait_for_status("* #1 has finished");
        far.send("an answer\n");
        assert_eq!(client.line(), "an answer");
        far.send("and another\n");
        assert_eq!(client.line(), "and another");
        far.finish();
        assert_eq!(client.read_to_end(), b"");

        let closed = tap.server.wait_for_status("* #1 closed");
        assert!(closed.starts_with("* #1 closed: both sides finished (received 13, sent 22"), "{closed}");
        tap.server.wait_for_status("* #2 closed: both sides finished (received 22, sent 13");
    }
}

#[test]
fn a_server_that_finishes_first_still_gets_what_the_client_says() {
    let (tap, mut client, mut far) = Tap::with_client(&[]);

    far.send("bye\n");
    far.finish();
    assert_eq!(client.read_to_end(), b"bye\n");
    client.send("wait\n");
    assert_eq!(far.line(), "wait");
    client.finish();

    assert_eq!(far.read_to_end(), b"");
    tap.server.wait_for_status("* #1 closed: both sides finished");
    tap.server.wait_for_status("* #2 closed: both sides finished");
}

#[test]
fn a_reset_is_a_reset_on_the_other_side_after_what_came_before_it() {
    for (arguments, from_client) in
        [(&[][..], true), (&[], false), (&["--quiet"], true), (&["--quiet"], false)]
    {
        let (tap, client, far) = Tap::with_client(arguments);
        let [mut from, mut to] = if from_client { [client, far] } else { [far, client] };
        let [here, there] = if from_client { [1, 2] } else { [2, 1] };

        from.send("x".repeat(10_000));
        assert_eq!(to.exactly(1), b"x", "what comes is passed on");
        wait_until("all of it to be there", || {
            let mut buffer = vec![0; 20_000];
            (to.stream.peek(&mut buffer).unwrap_or(0) > 0).then_some(())
        });
        from.reset();
        let (bytes, error) = to.read_to_any_end();

        assert_eq!(error, Some(ErrorKind::ConnectionReset), "{arguments:?}");
        assert!(bytes.iter().all(|byte| *byte == b'x'));
        tap.server.wait_for_status(&format!("* #{here} closed: reset by the peer"));
        tap.server.wait_for_status(&format!("* #{there} closed: linked to #{here}, which was reset"));
    }
}

#[test]
fn a_target_that_cannot_be_reached_closes_the_newcomer_and_says_why() {
    let gone = format!("{}/no-such-socket-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    for (target, why) in [
        (format!("127.0.0.1:{}", deaf_port()), "Connection refused"),
        (format!("unix:{gone}"), "No such file or directory"),
    ] {
        let mut server = Server::start(&["--tap", &target, "--format", "human"]);

        let mut client = server.connect();
        let (bytes, _) = client.read_to_any_end();

        assert_eq!(bytes, b"");
        let closed = server.out.line_with("* #1 closed");
        assert!(closed.starts_with("* #1 closed: linked to #2, which did not come about: "), "{closed}");
        assert!(closed.contains(why), "{closed}");
        server.out.line_with(&format!("* #2 closed: {why}"));
        asks(&mut server, "/who", "nobody is connected");
        assert!(server.is_running());
    }
}

#[test]
fn a_target_that_comes_back_is_reached_by_the_next_newcomer() {
    let port = deaf_port();
    let server = Server::start(&["--tap", &port.to_string()]);
    server.connect().read_to_any_end();
    server.wait_for_status("* #1 closed");

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut client = server.connect();
    client.send("hello\n");
    let mut far = Peer::dialled(listener.accept().unwrap().0);

    assert_eq!(far.line(), "hello");
}

#[test]
fn a_target_may_be_a_unix_socket_or_a_name() {
    let path = std::env::temp_dir().join(format!("switchboard-tap-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let server = Server::start(&["--tap", &format!("unix:{}", path.display())]);
    let mut client = server.connect();
    client.send("hello\n");
    client.finish();
    let mut far = listener.accept().unwrap().0;
    let mut said = String::new();
    std::io::Read::read_to_string(&mut far, &mut said).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(said, "hello\n");

    let target = Target::new();
    let server = Server::start(&["--tap", &format!("localhost:{}", target.address.port())]);
    let mut client = server.connect();
    client.send("hello\n");
    assert_eq!(target.answers().line(), "hello");
}

#[test]
fn who_is_linked_hears_the_other_until_that_is_undone() {
    let (mut server, mut peers) = Server::with_peers(&["--format", "human"], 3);

    assert_eq!(asks(&mut server, "/link 1 2", "linked"), "-> #1 and #2 are linked");
    peers[0].send("to two\n");
    peers[1].send("to one\n");
    assert_eq!([peers[0].line(), peers[1].line()], ["to one", "to two"]);
    assert!(server.out.line_with("to two").ends_with("#1> to two"), "it is shown as ever");
    assert_eq!(asks(&mut server, "/pending", "answer"), "nobody waits for an answer");
    assert_eq!(asks(&mut server, "/unlink 2", "linked"), "-> #2 and #1 are linked no more");
    peers[0].send("to nobody\n");
    server.out.line_with("to nobody");

    server.type_line("@2 from the operator");
    assert_eq!(peers[1].line(), "from the operator", "and nothing of #1 before it");
    assert!(peers[0].is_quiet() && peers[2].is_quiet());
}

#[test]
fn when_one_of_two_who_were_linked_by_hand_leaves_so_does_the_other() {
    let (mut server, mut peers) = Server::with_peers(&[], 4);
    asks(&mut server, "/link 1 2", "are linked");
    asks(&mut server, "/link 3 4", "are linked");

    peers.remove(0).reset();
    let (bytes, error) = peers[0].read_to_any_end();
    assert_eq!((&bytes[..], error), (&b""[..], Some(ErrorKind::ConnectionReset)));
    server.type_line("/kick 3");
    assert_eq!(peers[2].read_to_end(), b"");
    peers.truncate(2);

    server.err.line_with("* #2 closed: linked to #1, which was reset");
    server.err.line_with("* #4 closed: linked to #3, which has ended");
}

#[test]
fn what_the_operator_says_to_one_side_the_other_does_not_hear() {
    let (mut tap, mut client, mut far) = Tap::with_client(&["--format", "human"]);

    tap.asks("@1 from above", "-> #1 11 bytes");
    assert_eq!(client.line(), "from above");
    tap.asks("@2 to the server", "-> #2 14 bytes");
    assert_eq!(far.line(), "to the server");
    client.send("as ever\n");
    far.send("as ever, too\n");

    assert_eq!([far.line(), client.line()], ["as ever", "as ever, too"], "and nothing before it");
}

#[test]
fn a_server_that_speaks_first_is_heard_at_once() {
    let (tap, mut client, mut far) = Tap::with_client(&[]);

    far.send("220 ready\r\n");
    assert_eq!(client.line(), "220 ready\r");
    tap.server.out.line_with("2\t220 ready\\r");
    client.send("QUIT\r\n");
    assert_eq!(far.line(), "QUIT\r");
}

#[test]
fn what_a_client_says_before_the_target_has_answered_is_not_lost() {
    let tap = Tap::start(&[]);
    let mut client = tap.server.connect();

    client.send("impatient\n");
    client.finish();

    assert_eq!(tap.target.answers().read_to_end(), b"impatient\n");
}

#[test]
fn while_one_side_does_not_read_the_other_waits_and_memory_does_not_grow() {
    for arguments in [&[][..], &["--quiet"]] {
        let tap = Tap::unseen(arguments);
        let (client, far) = tap.connect();
        let before = tap.server.resident_bytes();

        let mut noise = Noise::seeded(7);
        let quiet = Duration::from_millis(300);
        let sent = send_until_it_blocks(&client.stream, &mut noise, quiet, 64 * MIB);
        let grown = tap.server.resident_bytes().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes for {sent} that nobody reads");

        // Now and then a kilobyte, as somebody would who takes one a second: nothing more is kept for that.
        let mut heard = Noise::seeded(7);
        let mut from = &far.stream;
        for _ in 0..200 {
            heard.hear(&mut from, 1 << 10);
        }
        let more = send_until_it_blocks(&client.stream, &mut noise, quiet, 64 * MIB);
        let grown = tap.server.resident_bytes().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes for {sent} and {more} that nobody reads");
        heard.hear(&mut from, sent + more - 200 * (1 << 10));
        client.finish();
        let mut far = far;
        assert_eq!(far.read_to_end(), b"", "{arguments:?}");
    }
}

#[test]
fn with_quiet_nothing_of_what_they_say_is_shown() {
    let (tap, mut client, mut far) = Tap::with_client(&["--quiet", "--format", "human"]);

    client.send("secret\n");
    assert_eq!(far.line(), "secret");
    far.send("secret, too\n");
    assert_eq!(client.line(), "secret, too");
    drop(client);
    assert_eq!(far.read_to_end(), b"");
    drop(far);

    tap.server.wait_for_status("* #2 connected to");
    tap.server.wait_for_status("* #2 closed: ");
    let shown = [tap.server.out.so_far(), tap.server.err.so_far()].concat();
    assert!(!String::from_utf8_lossy(&shown).contains("secret"));
}

#[test]
fn three_hundred_at_once_each_have_the_target_for_themselves() {
    const CLIENTS: usize = 300;
    let tap = Tap::unseen(&[]);
    let mut clients: Vec<Peer> = (0..CLIENTS).map(|_| tap.server.connect()).collect();

    for (number, client) in clients.iter_mut().enumerate() {
        client.send(format!("I am {number}\n"));
    }
    let answer = |mut far: Peer| {
        let name = far.line();
        far.send(format!("hello, {name}\n"));
        Noise::seeded(name.len() as u64).send(&mut &far.stream, 10_000);
        far
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let far = tap.target.answers();
            scope.spawn(move || drop(answer(far)));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.line(), format!("hello, I am {number}"));
            let name = format!("I am {number}");
            let bytes = client.read_to_any_end().0;
            assert_eq!(bytes.len(), 10_000);
            Noise::seeded(name.len() as u64).agree(&bytes, 0);
        }
    });
    drop(clients);
    tap.server.err.lines_with(" closed: ", 2 * CLIENTS);
}

#[test]
fn a_silent_pair_costs_nothing() {
    let (mut tap, _client, _far) = Tap::with_client(&[]);
    tap.server.wait_for_status("* #2 connected");
    let before = [tap.server.stat("turns"), tap.server.cpu_ticks()];

    common::let_pass(Duration::from_secs(1));

    let after = [tap.server.stat("turns"), tap.server.cpu_ticks()];
    assert!(after[0] - before[0] < 20 && after[1] - before[1] < 20, "{before:?} {after:?}");
}
