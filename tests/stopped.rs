//! The server is stopped for a while, by Ctrl-Z, a debugger or a machine that sleeps: whatever its peers did meanwhile
//! counts, and nobody is closed or cut short for what the server missed.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Peer, Server, let_pass, wait_until};

#[test]
fn who_speaks_while_the_server_is_stopped_is_heard_and_not_closed_as_idle() {
    const PEERS: usize = 100;
    let (server, mut peers) = Server::with_peers(&["--idle", "3s"], PEERS as u64);

    server.pause();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("here is {number}.\n"));
    }
    let_pass(Duration::from_secs(4));
    server.resume();

    server.out.lines_with("here is", PEERS);
    let closed = String::from_utf8_lossy(&server.err.so_far()).matches("idle for").count();
    assert_eq!(closed, 0, "closed as idle although they spoke");
    server.err.lines_with("idle for", PEERS);
}

#[test]
fn who_is_silent_is_closed_only_after_the_server_has_listened_long_enough() {
    let (server, mut peers) = Server::with_peers(&["--idle", "5s"], 2);

    server.pause();
    let_pass(Duration::from_millis(5500));
    server.resume();
    let mut talker = peers.pop().unwrap();
    server.hears(&mut talker, "is the other one still here?");
    let shown = String::from_utf8_lossy(&server.err.so_far()).into_owned();

    assert!(!shown.contains("idle for"), "{shown}");
    server.err.line_with("* #1 closed: idle for");
}

#[test]
fn half_a_line_is_not_shown_when_the_rest_came_while_the_server_was_stopped() {
    let (server, mut peers) = Server::with_peers(&["--partial", "2s"], 50);
    peers.iter_mut().for_each(|peer| peer.send("half and "));

    server.pause();
    peers.iter_mut().for_each(|peer| peer.send("half\n"));
    let_pass(Duration::from_millis(2500));
    server.resume();

    let lines = server.out.lines_with("half", 50);
    assert!(lines.iter().all(|line| line.ends_with("\thalf and half")), "{lines:?}");
}

#[test]
fn a_steady_reader_gets_all_that_was_queued_before_the_server_was_stopped() {
    const BYTES: usize = 4 << 20;
    let (mut server, peers) = Server::with_peers(&["--queue-soft-for", "2s", "--write-stall", "2s"], 1);
    let peer = peers.into_iter().next().unwrap();
    let reader = thread::spawn(move || read_steadily(peer, BYTES + 1));

    server.write_stdin(b"@1 ");
    server.write_stdin(&vec![b'x'; BYTES]);
    server.write_stdin(b"\n");
    server.wait_for_status("-> #1");
    server.pause();
    let_pass(Duration::from_millis(3500));
    server.resume();

    assert_eq!(reader.join().unwrap(), BYTES + 1, "bytes that arrived");
}

/// Reads a little at a time, always, until it has so many bytes or an end comes; returns how many it had.
fn read_steadily(peer: Peer, bytes: usize) -> usize {
    let mut stream = peer.stream;
    let mut buffer = vec![0; 32 << 10];
    let mut count = 0;
    while count < bytes {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => count += read,
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    count
}

#[test]
fn a_device_without_line_feeds_that_never_pauses_is_shown_within_seconds() {
    let (server, peers) = Server::with_peers(&[], 1);
    let mut stream = peers.into_iter().next().unwrap().stream;

    let mut said = 0;
    wait_until("something of it to be shown", || {
        stream.write_all(b"21.5\r").unwrap();
        said += 1;
        thread::park_timeout(Duration::from_millis(50));
        (!server.out.so_far().is_empty()).then_some(())
    });

    let most = DEADLINE.as_millis() / 50;
    assert!(said < most, "{said} readings before the first was shown");
    assert!(server.out.line_with("1\t").starts_with("1\t21.5\\r21.5\\r"));
}

#[test]
fn a_device_that_answers_with_one_byte_is_seen_be_it_the_beginning_of_a_character() {
    let (server, peers) = Server::with_peers(&["--partial", "50ms"], 1);
    let mut stream = peers.into_iter().next().unwrap().stream;

    stream.write_all(b"\xc4").unwrap();

    assert_eq!(server.out.line_with("1\t"), "1\t\\xc4");
}
