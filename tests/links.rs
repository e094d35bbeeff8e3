//! What passes over a link, and how its ends end, over real sockets: --tap, /link and /unlink.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::thread;

use common::{Peer, Random, Server, wait_until};

/// The server that is tapped.
struct Target(TcpListener);

impl Target {
    fn new() -> Target {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Target(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    #[track_caller]
    fn answers(&self) -> Peer {
        let (stream, _) = wait_until("it to be dialled", || self.0.accept().ok());
        Peer::dialled(stream)
    }
}

fn tapped(arguments: &[&str]) -> (Server, Peer, Peer) {
    let target = Target::new();
    let address = target.address().to_string();
    let server = Server::start(&[&["--tap", &address], arguments].concat());
    let client = server.connect();
    let side = target.answers();
    server.wait_for_status(" for #1");
    (server, client, side)
}

/// Two who have been linked by an operator.
fn linked(arguments: &[&str]) -> (Server, Peer, Peer) {
    let (mut server, mut peers) = Server::with_peers(arguments, 2);
    server.type_line("/link 1 2");
    server.wait_for_status("-> #1 and #2 are linked");
    let (other, one) = (peers.pop().unwrap(), peers.pop().unwrap());
    (server, one, other)
}

/// Says all of it while the other end is read.
#[track_caller]
fn passes(from: &mut Peer, to: &mut Peer, bytes: &[u8]) {
    let mut writer = from.stream.try_clone().unwrap();
    let got = thread::scope(|scope| {
        scope.spawn(move || writer.write_all(bytes).unwrap());
        to.exactly(bytes.len())
    });
    assert!(got == bytes, "{} bytes did not pass as they were", bytes.len());
}

#[test]
fn bytes_pass_both_ways_unchanged_whatever_they_are() {
    let mut random = Random::seeded(55);
    for (_server, mut one, mut other) in [
        tapped(&[]),
        tapped(&["--quiet"]),
        tapped(&["--frame", "len32"]),
        tapped(&["--frame", "stx", "--max-line", "16"]),
        linked(&[]),
    ] {
        for length in [1, 10, 70_000, 3_000_000] {
            let bytes = random.bytes(length);
            passes(&mut one, &mut other, &bytes);
            passes(&mut other, &mut one, &bytes);
        }
        // The server that speaks first, and a request without an end.
        passes(&mut other, &mut one, b"220 ready\r\n");
        passes(&mut one, &mut other, b"HELO");
    }
}

#[test]
fn h55_a_fin_passes_behind_what_was_said_and_the_answer_to_it_still_comes_back() {
    for (server, mut one, mut other) in [tapped(&[]), tapped(&["--quiet"]), linked(&[])] {
        let bytes = Random::seeded(1).bytes(300_000);
        let mut writer = one.stream.try_clone().unwrap();
        let got = thread::scope(|scope| {
            scope.spawn(|| {
                writer.write_all(&bytes).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            other.read_to_end()
        });
        assert!(got == bytes, "the tail is there");
        server.wait_for_status("* #1 has finished sending (it may have left)");

        other.send("an answer");
        other.finish();
        assert_eq!(one.read_to_end(), b"an answer");
        for number in [1, 2] {
            server.wait_for_status(&format!("* #{number} closed: "));
        }
    }
}

#[test]
fn h55_a_reset_passes_as_a_reset_to_the_other_side() {
    for (server, mut one, other) in [tapped(&[]), tapped(&["--quiet"]), linked(&[])] {
        one.send("x");
        other.reset();

        let (_, error) = one.read_to_any_end();
        assert_eq!(error, Some(ErrorKind::ConnectionReset));
        server.wait_for_status("* #2 closed: reset by the peer");
        server.wait_for_status("* #1 closed: linked to #2, which was reset");
    }
}

#[test]
fn h58_a_newcomer_whose_target_cannot_be_reached_is_closed_and_the_reason_is_shown() {
    let deaf = Target::new();
    let address = deaf.address();
    drop(deaf);
    for target in [address.to_string(), format!("localhost:{}", address.port())] {
        let server = Server::start(&["--tap", &target]);
        let mut client = server.connect();
        client.send("GET / HTTP/1.0\r\n\r\n");

        client.read_to_any_end();
        server.wait_for_status("* #2 closed: Connection refused");
        let closed = server.wait_for_status("* #1 closed: ");
        let why = "* #1 closed: linked to #2, which did not come about: Connection refused";
        assert!(closed.starts_with(why), "{closed}");
    }
}

#[test]
fn h56_a_side_that_does_not_read_makes_the_other_wait_and_nothing_is_lost() {
    let (server, mut one, mut other) = tapped(&["--quiet"]);
    let bytes = Random::seeded(9).bytes(32 << 20);
    one.stream.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let mut writer = one.stream.try_clone().unwrap();
    let mut written = 0;
    while let Ok(count) = writer.write(&bytes[written..]) {
        written += count;
        assert!(written < bytes.len(), "it is not made to wait");
    }
    assert!(server.resident_bytes() < 64 << 20);

    let got = other.exactly(written);
    assert!(got == bytes[..written]);
    passes(&mut one, &mut other, b"on we go");
}

#[test]
fn what_the_operator_sends_to_one_is_not_passed_on_and_an_unlink_ends_it() {
    let (mut server, mut one, mut other) = linked(&[]);
    server.type_line("@2 for you alone");
    assert_eq!(other.line(), "for you alone");
    passes(&mut other, &mut one, b"next\n");
    server.type_line("/unlink 2");
    server.wait_for_status("-> #2 and #1 are linked no more");

    server.hears(&mut one, "not passed on");
    server.type_line("@1 an answer");
    assert_eq!(one.line(), "an answer");
    assert!(other.is_quiet());
    // Neither ends with the other any more.
    other.reset();
    server.wait_for_status("* #2 closed: reset by the peer");
    server.hears(&mut one, "still here");
}

#[test]
fn whom_the_operator_closes_takes_the_other_with_it() {
    for (how, told) in [("/kick 2", "which has ended"), ("/rst 2", "which was reset")] {
        let (mut server, mut one, mut other) = tapped(&[]);
        server.type_line(how);
        other.read_to_any_end();
        drop(other);

        one.read_to_any_end();
        drop(one);
        let closed = server.wait_for_status("* #1 closed: ");
        assert!(closed.contains(told), "{how}: {closed}");
    }
}
