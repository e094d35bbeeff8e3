//! Who comes in and by which door: what strangers speak, who is at the other end of a Unix socket, and how often and how
//! many of one address are let in.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

#[path = "common/desk.rs"]
mod desk;

use std::io::Write;
use std::net::TcpListener;

use common::Server;
use desk::Desk;
use serde_json::json;

/// The first bytes of a ClientHello as `openssl s_client` sends them.
const HELLO: &[u8] = &[22, 3, 1, 1, 0x2e, 1, 0, 1, 0x2a, 3, 3];

#[test]
fn what_a_stranger_speaks_is_told_once_before_what_it_says() {
    for (said, message) in [
        (HELLO, "it speaks TLS"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "it speaks HTTP"),
        (&[255, 251, 24, 255, 253, 32], "it speaks telnet"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "it speaks SSH"),
    ] {
        let (mut desk, mut peers) = Desk::with_peers(&[], 1);

        peers[0].send(said);
        desk.about("msg", 1);
        peers[0].send(said);
        peers[0].send("\nover\n");
        desk.event_where("msg", |event| event["text"] == "over");

        let (_, lines) = (peers, desk.quit());
        let notes: Vec<_> = lines.iter().filter(|line| line["ev"] == "note").collect();
        assert_eq!(notes.len(), 1, "{lines:?}");
        assert_eq!((&notes[0]["id"], &notes[0]["msg"]), (&json!(1), &json!(message)));
        let at = |kind: &str| lines.iter().position(|line| line["ev"] == kind);
        assert!(at("note") < at("msg"), "{lines:?}");
    }
}

#[test]
fn a_person_is_told_that_the_port_is_plain() {
    let (server, mut peers) = Server::with_peers(&["--format", "human"], 2);
    peers[0].send(HELLO);
    peers[1].send("GET /status HTTP/1.1\r\n\r\n");

    server.out.line_with("* #1 it speaks TLS (this port is plain)");
    server.out.line_with("* #2 it speaks HTTP");
}

#[test]
fn whoever_is_dialled_and_speaks_tls_is_told_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut desk = Desk::start(&[]);
    desk.ask(json!({"cmd": "dial", "addr": address}));
    let (mut far, _) = listener.accept().unwrap();

    far.write_all(&[21, 3, 3, 0, 2, 2, 50]).unwrap();

    assert_eq!(desk.about("note", 1)["msg"], "it speaks TLS");
}

#[test]
fn where_it_is_known_what_is_spoken_nothing_is_told() {
    let target = Server::start(&["--echo"]);
    let tap = Server::start(&["--tap", &target.address.to_string(), "--format", "human"]);
    let rules = Server::start(&["--reply", "^GET ", "no\r\n", "--format", "human"]);
    for server in [&tap, &rules] {
        let mut peer = server.connect();
        peer.send("GET / HTTP/1.1\r\n\r\n");
        peer.line();
        server.out.line_with("GET / HTTP/1.1");
        let shown = String::from_utf8(server.out.so_far()).unwrap();
        assert!(!shown.contains("speaks"), "{shown}");
    }
}
