//! Hazards of a server that answers of itself, as docs/hazards.md numbers them (h61, h62).

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;

use common::{Peer, Server, let_pass};

const MIB: u64 = 1 << 20;

/// A stand-in that answers whatever it is told.
fn stand_in(more: &[&str]) -> Server {
    Server::start(
        &[&["--quiet", "--reply", "^third$", "third ${n}\\n", "--reply", ".", "again\\n"], more].concat(),
    )
}

/// A third connection asks and is answered.
#[track_caller]
fn serves(server: &Server) {
    let mut peer = server.connect();
    for number in 1..=20 {
        peer.send("third\n");
        assert_eq!(peer.line(), format!("third {number}"));
    }
}

#[test]
fn h61_two_that_answer_each_other_for_ever_are_told_of_and_hold_up_nobody() {
    let (one, other) = (stand_in(&[]), stand_in(&[]));
    let mut between = Server::start(&["--quiet", "--reply", "^third$", "third ${n}\\n"]);
    for server in [&one, &other] {
        between.type_line(&format!("/dial {}", server.address));
    }
    between.wait_for_status("* #2 connected");
    between.type_line("/link 1 2\n/send @1 begin\\n");
    between.wait_for_status("-> #1 and #2 are linked");

    for server in [&one, &other] {
        let told = server.err.line_with("#1 was answered 1000 times within a second by the rules");
        assert!(told.contains("/kick 1 ends it"), "{told}");
    }
    let all = [&one, &other, &between];
    let before = all.map(|server| server.resident_bytes());
    all.iter().for_each(|server| serves(server));
    let_pass(std::time::Duration::from_secs(1));
    for (server, before) in all.iter().zip(before) {
        serves(server);
        let grown = server.resident_bytes().saturating_sub(before) / MIB;
        assert!(grown < 16, "{grown} MiB");
        let told = String::from_utf8_lossy(&server.err.so_far()).matches("was answered 1000 times").count();
        assert!(told <= 2, "told {told} times");
    }

    between.type_line("/kick 1");
    between.wait_for_status("* #1 closed");
    [&one, &other, &between].into_iter().for_each(serves);
}

#[test]
fn h61_an_echo_that_is_answered_for_ever_is_told_of_and_holds_up_nobody() {
    let echo = Server::start(&["--echo"]);
    let mut server = stand_in(&["--dial", &echo.address.to_string()]);
    server.wait_for_status("* #1 connected");
    server.type_line("@1 begin");

    server.err.line_with("#1 was answered 1000 times within a second by the rules");
    let before = server.resident_bytes();
    serves(&server);
    let mut beside = echo.connect();
    beside.send("beside\n");
    assert_eq!(beside.line(), "beside");
    let_pass(std::time::Duration::from_secs(1));
    serves(&server);

    let grown = server.resident_bytes().saturating_sub(before) / MIB;
    assert!(grown < 16, "{grown} MiB");
    server.type_line("/kick 1");
    server.wait_for_status("* #1 closed");
}

#[test]
fn h62_an_expression_that_takes_for_ever_elsewhere_takes_no_time_here() {
    let expressions =
        ["(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a*)*b"];
    let path = std::env::temp_dir().join(format!("switchboard-h62-{}", std::process::id()));
    let rules: String = expressions.iter().map(|regex| format!("{regex}\tfits ${{1}}\n")).collect();
    fs::write(&path, rules).unwrap();
    let server =
        Server::start(&["--quiet", "--reply-file", path.to_str().unwrap(), "--reply", "^end$", "end\\n"]);
    fs::remove_file(&path).unwrap();
    let (mut peer, mut beside) = (server.connect(), server.connect());

    // Backtracking tries as many ways as there are to divide these: 2 to the power of sixty thousand.
    let almost = ["a".repeat(65_000), "!\n".to_owned()].concat();
    let before = server.cpu_ticks();
    for _ in 0..10 {
        peer.send(&almost);
    }
    peer.send("end\n");
    peer.send("xb\n");
    assert_eq!(peer.line(), "end");
    assert_eq!(peer.exactly(5), b"fits ");
    beside.send("end\n");

    assert_eq!(beside.line(), "end");
    // A hundredth of a second for each would be a hundred times what it takes; a backtracker never ends.
    let took = server.cpu_ticks() - before;
    assert!(took < 1000, "{took} hundredths of a second");
}

#[test]
fn h62_an_expression_that_is_too_large_is_refused_before_anything_listens() {
    for expression in ["(a{1000}){1000}", "((a{100}){100}){100}", "[a-z]{1000000}"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let out = command.args(["--reply", expression, "x", "0"]).output().unwrap();

        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{told}");
        assert!(told.contains("it is too large"), "{told}");
    }
    // Many that are large are refused together.
    let path = std::env::temp_dir().join(format!("switchboard-h62-many-{}", std::process::id()));
    let rules: String = (0..200).map(|number| format!("{number}(ab{{100}}){{20}}\tx\n")).collect();
    fs::write(&path, rules).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let out = command.args(["--reply-file", path.to_str().unwrap(), "0"]).output().unwrap();
    fs::remove_file(&path).unwrap();
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot use these rules together: it is too large"), "{told}");
    assert_eq!(told.lines().count(), 1);
}

/// What is learnt is in the hands of whoever answers, never in those of who asks.
#[test]
fn h62_what_a_peer_says_is_learnt_as_a_message_and_never_as_an_expression() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    let answer = |server: &mut Server, peer: &mut Peer, asked: &str| {
        peer.send(format!("{asked}\n"));
        server.out.line_with(&asked[..asked.len().min(4)]);
        server.type_line("@1 yes\n/learn");
        assert_eq!(peer.line(), "yes");
    };
    let [one, other] = &mut peers[..] else { return };
    answer(&mut server, one, "(.*)+$");
    server.err.line_with("-> \"(.*)+$\" is answered with \"yes\\n\" from now on");

    other.send("anything else\n(.*)+$\n");

    assert_eq!(other.line(), "yes");
    assert!(other.is_quiet());
}
