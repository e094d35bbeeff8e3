//! Echo: bytes come back as they went.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::thread;

use common::{Peer, Random, Server, wait_until};

/// Sends all in pieces of this size, from a thread of its own, then our FIN; returns what comes back.
fn echoed(peer: &mut Peer, bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut writer = Peer::over(peer.stream.try_clone().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || {
            bytes.chunks(piece).for_each(|piece| writer.send(piece));
            writer.finish();
        });
        peer.read_to_end()
    })
}

#[test]
fn bytes_come_back_exactly_whatever_the_pieces_and_then_the_fin() {
    let server = Server::start(&["--echo"]);
    let bytes = Random::seeded(1).bytes(4 << 20);

    for (piece, count) in [(1, 5_000), (7, 30_000), (1460, 1 << 20), (4096, 2 << 20), (65_535, 4 << 20)]
        .into_iter()
        .chain([(65_536, 4 << 20), (65_537, 4 << 20), (1 << 20, 4 << 20)])
    {
        let got = echoed(&mut server.connect(), &bytes[..count], piece);

        assert_eq!(got.len(), count, "in pieces of {piece}");
        assert!(got == bytes[..count], "other bytes came back, in pieces of {piece}");
    }
}

#[test]
fn many_at_once_each_get_their_own_bytes_back() {
    let server = Server::start(&["--echo"]);

    thread::scope(|scope| {
        for number in 0..40 {
            let mut peer = server.connect();
            scope.spawn(move || {
                let mut random = Random::seeded(100 + number);
                let count = 1 + random.below(300_000);
                let bytes = random.bytes(count);
                let got = echoed(&mut peer, &bytes, 1 + count / 10);
                assert!(got == bytes, "peer {number} sent {count} bytes and got {} others", got.len());
            });
        }
    });
}

#[test]
fn a_peer_that_does_not_read_waits_alone_and_loses_nothing() {
    let mut server = Server::start(&["--echo"]);
    let (mut stuck, _) = server.connect_numbered();
    let mut random = Random::seeded(2);
    let piece = random.bytes(64 << 10);
    let mut sent = 0;

    // It writes until the server reads no more from it.
    stuck.stream.set_nonblocking(true).unwrap();
    wait_until("the server to stop reading from it", || {
        loop {
            match stuck.stream.write(&piece[sent % piece.len()..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("after {sent} bytes: {error}"),
            }
        }
        server.who()[0].state.contains("not-reading").then_some(())
    });
    let mut other = server.connect();
    for number in 0..100 {
        other.send(format!("{number}\n"));
        assert_eq!(other.line(), number.to_string());
    }
    stuck.stream.set_nonblocking(false).unwrap();
    let got = stuck.exactly(sent);

    assert!(sent > 100_000, "it could send {sent} bytes only");
    let expected: Vec<u8> = piece.iter().copied().cycle().take(sent).collect();
    assert!(got == expected, "other bytes came back");
}

#[test]
fn the_fin_is_answered_after_everything_went_out_even_to_a_late_reader() {
    let server = Server::start(&["--echo"]);
    let mut peer = server.connect();
    let bytes = Random::seeded(3).bytes(300_000);

    peer.send(&bytes);
    peer.finish();
    // Another one's round trip shows that the server has seen it.
    let mut other = server.connect();
    other.send("ping\n");
    assert_eq!(other.line(), "ping");

    let got = peer.read_to_end();
    assert_eq!(got.len(), bytes.len());
    assert!(got == bytes, "other bytes came back");
}

#[test]
fn nothing_that_is_echoed_is_shown_and_the_console_works_beside_it() {
    let mut server = Server::start(&["--echo"]);
    let (mut peer, _) = server.connect_numbered();

    peer.send("hello\n");
    assert_eq!(peer.line(), "hello");
    server.write_stdin(b"a text\n@1 a text\n@all a text\n/stats\n");
    let rows = server.who();
    peer.send("again\n");

    assert_eq!((rows[0].number, rows[0].received), (1, 6), "{rows:?}");
    assert_eq!(peer.line(), "again", "the operator's texts are not mixed in");
    server.type_line("exit");
    assert_eq!(peer.read_to_end(), b"");
    assert_eq!(server.out.to_end(), b"");
    assert!(server.exit_status().success());
}

#[test]
fn a_peer_that_resets_amid_its_echo_disturbs_nobody() {
    let server = Server::start(&["--echo"]);
    let mut steady = server.connect();

    for number in 0..30 {
        let mut peer = server.connect();
        peer.send(vec![b'x'; 200_000]);
        peer.stream.read_exact(&mut [0; 1000]).expect("some of it comes back");
        peer.reset();
        steady.send(format!("{number}\n"));
        assert_eq!(steady.line(), number.to_string());
    }
}

/// Sends one urgent byte (`MSG_OOB`), which is no part of the stream.
fn send_urgent(peer: &Peer) {
    assert_eq!(socket2::SockRef::from(&peer.stream).send_out_of_band(b"!").unwrap(), 1);
}

/// Sends these pieces with an urgent byte between each two of them, from a thread of its own, and our FIN; returns
/// what comes back. A second urgent byte would make ordinary data of one that the server has not passed yet, so each
/// waits until what was sent before it has come back.
fn echoed_around_urgent(peer: &mut Peer, pieces: &[&[u8]]) -> Vec<u8> {
    let mut writer = Peer::over(peer.stream.try_clone().unwrap());
    let (came_back, is_back) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for (at, piece) in pieces.iter().enumerate() {
                if at > 1 && is_back.recv().is_err() {
                    return;
                }
                if at > 0 {
                    send_urgent(&writer);
                }
                writer.send(piece);
            }
            writer.finish();
        });
        let mut got = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            got.extend(peer.exactly(piece.len()));
            if at > 0 {
                // It waits for no more than those that are followed by another urgent byte.
                let _ = came_back.send(());
            }
        }
        got.extend(peer.read_to_end());
        got
    })
}

#[test]
fn an_urgent_byte_amid_bulk_does_not_stop_the_echo_of_what_follows() {
    let server = Server::start(&["--echo"]);
    let bytes = Random::seeded(7).bytes(3 << 20);
    let (first, second) = bytes.split_at(2 << 20);
    let halves = || second.split_at(1 << 19);

    for (what, pieces) in [
        ("behind bulk", vec![first, second]),
        ("behind bulk and before little", vec![&bytes[..bytes.len() - 5], &bytes[bytes.len() - 5..]]),
        ("before anything", vec![b"", &bytes]),
        ("before the FIN", vec![&bytes, b""]),
        ("alone", vec![b"", b""]),
        ("twice", vec![first, halves().0, halves().1]),
        ("twice and before the FIN", vec![first, halves().0, halves().1, b""]),
    ] {
        for _ in 0..5 {
            let got = echoed_around_urgent(&mut server.connect(), &pieces);

            let expected = pieces.concat();
            assert_eq!(got.len(), expected.len(), "an urgent byte {what}");
            assert!(got == expected, "other bytes came back, an urgent byte {what}");
        }
    }
}

#[test]
fn an_urgent_byte_that_comes_while_the_server_stands_still_stops_nothing() {
    let server = Server::start(&["--echo"]);
    let bytes = Random::seeded(8).bytes(1 << 20);
    let mut peer = server.connect();
    // From here on bytes go back without passing through the server.
    peer.send(&bytes[..500_000]);
    let before = peer.exactly(500_000);
    server.pause();
    peer.send(&bytes[500_000..560_000]);
    send_urgent(&peer);
    peer.send(&bytes[560_000..600_000]);

    server.resume();
    let behind = peer.exactly(100_000);
    peer.send(&bytes[600_000..]);
    let after = peer.exactly(bytes.len() - 600_000);

    assert!([before, behind, after].concat() == bytes, "other bytes came back");
}
