//! What is outstanding for a connection: it keeps nobody from being heard, is not grown by what comes again, and is
//! finished before our side is.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[path = "common/client.rs"]
mod client;
mod common;
#[path = "common/desk.rs"]
mod desk;
#[path = "common/recorded.rs"]
mod recorded;

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use common::{Peer, Server, connect_narrow};
use desk::Desk;
use recorded::Transcript;
use serde_json::json;

const MIB: usize = 1 << 20;

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("switchboard-behind-{name}-{}", std::process::id()))
}

#[test]
fn what_is_repeated_behind_a_wait_does_not_pile_up_and_its_peer_is_heard() {
    let server = Server::start(&["--every", "10ms", "a${wait 100ms}b\\n"]);
    let mut peer = server.connect();

    // Two hundred times as many would be outstanding by now if each were kept.
    (0..20).for_each(|_| assert_eq!(peer.line(), "ab"));
    peer.send("hello\n");
    server.out.line_with("hello");
    peer.finish();
    server.wait_for_status("#1 has finished sending");
}

#[test]
fn whoever_a_recording_speaks_to_is_heard_meanwhile() {
    let mut script = Transcript::new().open();
    for number in 0..200 {
        script = script.said(number * 25, format!("{number}\n"));
    }
    let server = script.play(&[]);
    let mut peer = server.connect();

    assert_eq!(peer.line(), "0");
    assert_eq!(peer.line(), "1");
    peer.send("hello?\n");
    server.out.line_with("hello?");
    peer.finish();
    server.wait_for_status("#1 has finished sending");

    let said = String::from_utf8_lossy(&server.err.so_far()).matches("(play)").count();
    assert!(said < 200, "it was heard after all had been said");
}

#[test]
fn an_answer_behind_a_file_is_sent_although_nobody_is_left() {
    let file = path("file");
    fs::write(&file, "f".repeat(8 * MIB)).unwrap();
    let mut server = Server::start(&["--reply", "x", "ANSWER\\n"]);
    let mut peer = Peer::over(connect_narrow(server.address));
    server.wait_for_status("* #1 connected");
    server.type_line(&format!("/file @1 {}", file.display()));
    server.wait_for_status("8388608 bytes of");
    peer.send("x\n");
    server.out.line_with("x");
    peer.finish();
    server.wait_for_status("has finished sending");
    server.program.close_stdin();

    let got = peer.read_to_end();

    fs::remove_file(file).unwrap();
    assert_eq!(got.len(), 8 * MIB + 7);
    assert!(got.ends_with(b"fANSWER\n"));
}

#[test]
fn who_has_finished_gets_the_answer_that_it_waits_for_whatever_the_limit_for_silence() {
    let server =
        Server::start(&["--half-open", "300ms", "--idle", "300ms", "--reply", "x", "soon ${wait 1s}late\\n"]);
    let mut peer = server.connect();
    peer.send("x\n");
    peer.finish();

    assert_eq!(peer.line(), "soon late");
    assert!(peer.read_to_end().is_empty());
    server.wait_for_status("#1 closed: it had finished, and nothing was said for 300ms");
}

/// Whoever has so many answers outstanding is not heard until they are given; that it has gone is noticed all the same.
#[test]
fn a_peer_that_resets_while_it_waits_for_many_answers_leaves_its_place_to_others() {
    let server = Server::start(&["--max-conns", "1", "--reply", "x", "${wait 1h}late\\n"]);
    let mut peer = server.connect();
    peer.send("x\n".repeat(500));
    server.out.line_with("x");

    peer.reset();

    server.wait_for_status("#1 closed: reset");
    server.out.lines_with("1\tx", 500);
    let mut newcomer = server.connect();
    newcomer.send("hello\n");
    server.out.line_with("hello");
}

#[test]
fn what_is_still_to_be_said_when_the_server_ends_is_told() {
    let mut server = Server::start(&["--reply", "x", "${wait 1h}late\\n", "--reply", "y", "now\\n"]);
    let (mut first, mut second) = (server.connect(), server.connect());
    first.send("x\n");
    second.send("y\n");
    server.out.line_with("x");
    assert_eq!(second.line(), "now");

    server.signal("TERM");

    server.wait_for_status("* what was still to be said to 1 connection is left out");
    assert!(server.exit_status().success());
    assert!(first.read_to_end().is_empty());
}

#[test]
fn a_program_is_told_to_go_on_whatever_else_waits_for_the_same() {
    let mut desk = Desk::start(&["--reply", "x", &format!("{}\\n", "r".repeat(70_000))]);
    let mut slow = Peer::over(connect_narrow(desk.server.address));
    desk.about("open", 1);
    let text = "y".repeat(MIB / 16);
    (0..64).for_each(|_| drop(desk.ask(json!({"cmd": "send", "to": 1, "text": text}))));
    slow.send("x\n");
    desk.about("msg", 1);

    assert_eq!(slow.exactly(4 * MIB + 64 + 70_001).len(), 4 * MIB + 64 + 70_001);
    desk.about("drained", 1);
    desk.quit();
}

#[test]
fn whoever_is_in_the_midst_of_a_sequence_goes_on_there_when_the_rules_are_read_again() {
    let file = path("turns");
    fs::write(&file, "n\tfirst\\n\nn\tsecond\\n\nn\tthird\\n\n").unwrap();
    let server = Server::start(&["--reply-file", file.to_str().unwrap()]);
    let mut peer = server.connect();
    let ask = |peer: &mut Peer| {
        peer.send("n\n");
        peer.line()
    };
    assert_eq!(ask(&mut peer), "first");

    fs::write(&file, "=other\tx\nn\tfirst\\n\nn\tsecond\\n\nn\tthird\\n\n").unwrap();
    server.signal("USR1");
    server.wait_for_status("* the rules were read again: 2");
    assert_eq!(ask(&mut peer), "second");

    // One that there is no more is followed by the last that there is.
    fs::write(&file, "n\tonly\\n\n").unwrap();
    server.signal("USR1");
    server.wait_for_status("* the rules were read again: 1");
    assert_eq!(ask(&mut peer), "only");
    fs::remove_file(file).unwrap();
}

#[test]
fn for_whom_the_greeting_closes_no_target_is_dialled() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap().to_string();
    let server = Server::start(&["--tap", &address, "--greet", "closed today\\n${close}"]);
    let mut peer = server.connect();

    assert_eq!(peer.read_to_end(), b"closed today\n");
    drop(peer);
    server.wait_for_status("#1 closed: closed by a rule");

    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("#2"), "nothing was dialled");
}

#[test]
fn behind_a_close_nothing_is_carried_out_any_more() {
    let server =
        Server::start(&["--reply", "x", "one${wait 50ms}two\\n${close}", "--reply", "y", "never\\n"]);
    let mut peer = server.connect();
    peer.send("x\ny\ny\n");

    assert_eq!(peer.read_to_end(), b"onetwo\n");
}

#[test]
fn whose_message_takes_the_expressions_long_is_not_heard_for_a_while_and_others_are() {
    let server = Server::start(&["--reply", "[ab]*a[ab]{100}c", "found\\n", "--reply", "^ping$", "pong\\n"]);
    let (mut dear, mut other) = (server.connect(), server.connect());
    let mut random = common::Random::seeded(7);
    let line: Vec<u8> = (0..6000).map(|_| b"ab"[random.below(2)]).chain([b'\n']).collect();
    (0..3).for_each(|_| dear.send(&line));
    dear.send("ping\n");

    for _ in 0..20 {
        other.send("ping\n");
        assert_eq!(other.line(), "pong");
    }
    // It is answered in the end, too.
    assert_eq!(dear.line(), "pong");
}
