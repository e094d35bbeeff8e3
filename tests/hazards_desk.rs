//! Who operates is no peer, and no peer is an operator. The numbers hNN are those of the list of hazards in
//! docs/hazards.md; what names can do is held in memory as well (`src/hub/tests/names.rs`).

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Read;
use std::net::TcpStream;

use common::{Peer, Server, let_pass};
use std::time::Duration;

/// A chat of so many, numbered from 1, who have read all that was said so far.
fn chat_of(arguments: &[&str], peers: u64) -> (Server, Vec<Peer>) {
    let server = Server::start(&[&["--chat"], arguments].concat());
    let mut here: Vec<Peer> = Vec::new();
    for number in 1..=peers {
        let (peer, _) = server.connect_numbered();
        for earlier in &mut here {
            assert_eq!(earlier.line(), format!("* #{number} joined"));
        }
        here.push(peer);
    }
    (server, here)
}

#[test]
fn h42_no_peer_is_called_operator_nor_as_somebody_whom_the_operator_has_named() {
    let (mut server, mut peers) = chat_of(&[], 3);
    server.type_line("/name 1 lab-a");
    server.err.line_with("-> #1 is lab-a now");

    for (name, told) in [
        ("operator", "* cannot use the name \"operator\": "),
        ("OPERATOR", "* cannot use the name \"OPERATOR\": "),
        ("me", "* cannot use the name \"me\": "),
        ("<operator>", "* cannot use the name \"<operator>\": "),
        ("#1", "* cannot use the name \"#1\": "),
        ("LAB-A", "* the name LAB-A is not yours"),
    ] {
        peers[1].send(format!("/nick {name}\n"));
        let line = peers[1].line();
        assert!(line.starts_with(told), "{line:?}");
    }
    peers[1].send("hello\n");

    assert_eq!(peers[2].line(), "<#2> hello", "nothing else was told to others");
}

#[test]
fn h42_a_name_that_has_become_free_leads_to_nobody_whoever_comes_and_wants_it() {
    let (mut server, mut peers) = chat_of(&[], 2);
    server.type_line("/name 1 lab-a");
    server.type_line("@lab-a");
    server.err.line_with("* the current target is #1 lab-a");
    peers.remove(0).reset();
    server.err.line_with("* #1 lab-a closed");
    assert_eq!(peers[0].line(), "* lab-a#1 left");

    peers[0].send("/nick lab-a\n");
    assert!(peers[0].line().starts_with("* the name lab-a is not yours"));
    server.type_line("secret");
    server.type_line("@lab-a secret");
    server.type_line("@lab-* secret");

    server.err.lines_with("unknown target @lab-", 3);
    server.type_line("@2 not secret");
    assert_eq!(peers[0].line(), "<operator> (private) not secret");
}

#[test]
fn h46_the_operator_does_not_stand_among_those_who_are_here() {
    let (mut server, mut peers) = chat_of(&[], 2);

    peers[0].send("/who\n");
    assert_eq!(peers[0].line(), "* 2 here: #1, #2");
    let rows = server.who();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2]);
    let (_third, number) = server.connect_numbered();
    assert_eq!(number, 3, "the operator has no number");
}

#[test]
fn h46_what_is_said_to_all_does_not_come_back_to_who_says_it() {
    let (mut server, mut peers) = chat_of(&[], 2);

    server.type_line("@all hello");
    server.err.line_with("-> all (2 connections) 17 bytes");
    server.type_line("/kick all");
    server.err.line_with("-> #1, #2 close after what is queued");

    for peer in &mut peers {
        assert_eq!(peer.read_to_end(), b"<operator> hello\n");
    }
    drop(peers);
    server.err.line_with("* #2 closed");
    assert_eq!(server.out.so_far(), b"", "nobody has said anything");
    server.type_line("/stats");
    server.err.line_with("connections 0 now, 2 opened");
}

#[test]
fn h46_the_operator_takes_no_place_of_those_who_may_connect() {
    let (mut server, mut peers) = chat_of(&["--max-conns", "2"], 2);

    let mut surplus = TcpStream::connect(server.address).unwrap();
    let mut told = String::new();
    surplus.read_to_string(&mut told).unwrap();
    server.type_line("@2 hello");

    assert!(told.contains("full"), "{told:?}");
    assert_eq!(peers[1].line(), "<operator> (private) hello", "who operates is there even when it is full");
}

#[test]
fn h46_silence_ends_peers_and_nobody_who_operates() {
    let (mut server, mut peers) = Server::with_peers(&["--idle", "1s"], 1);

    peers.remove(0).read_to_any_end();
    server.err.line_with("* #1 closed: ");
    let_pass(Duration::from_millis(1500));
    server.type_line("/who");
    server.err.line_with("nobody is connected");
    let (mut peer, number) = server.connect_numbered();
    server.type_line(&format!("@{number} hello"));

    assert_eq!(peer.line(), "hello");
}
