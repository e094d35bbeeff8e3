//! Devices on the line: those that mark no end, those that end with silence, and bytes that are no text.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use serde_json::Value;

use common::{DEADLINE, Peer, Server, let_pass};

/// A message as it was told: its text, and why it is a part, if it is one.
type Told = (String, Option<String>);

/// A kind of frame, the pieces that are sent, and the messages that come of them.
type Case<'a> = (&'a str, &'a [&'a [u8]], &'a [Told]);

/// A server that speaks JSON, and a peer of it.
fn json_server(arguments: &[&str]) -> (Server, Peer) {
    let server = Server::start(&[arguments, &["--format", "json"]].concat());
    let peer = server.connect();
    server.out.line_with(r#"{"ev":"open""#);
    (server, peer)
}

/// The message that was told as this one, counted from 1.
#[track_caller]
fn told(server: &Server, which: usize) -> Told {
    let lines = server.out.lines_with(r#"{"ev":"msg""#, which);
    let event: Value = serde_json::from_str(&lines[which - 1]).expect("a line of JSON");
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    (text("text").or(text("b64")).expect("a text"), text("part"))
}

fn whole(text: &str) -> Told {
    (text.to_owned(), None)
}

fn by_silence(text: &str) -> Told {
    (text.to_owned(), Some("silence".to_owned()))
}

#[test]
fn a_modbus_request_is_one_message_and_the_answer_goes_to_whoever_asked_as_it_was_typed() {
    let (mut server, mut peers) = Server::with_peers(&["--frame", "silence=5ms"], 2);

    for _ in 0..10 {
        let seen = server.out.so_far().len();
        peers[0].send(b"\x01\x03\x00\x00\x00\x02\xc4\x0b");
        server.out.wait_for("the request", |out| out[seen..].contains(&b'\n').then_some(()));
        server.type_line("/hex 01 03 04 00 00 00 2a 7b cd");
        assert_eq!(peers[0].exactly(9), b"\x01\x03\x04\x00\x00\x00\x2a\x7b\xcd");
    }

    assert_eq!(server.err.lines_with("-> ", 10), vec!["-> #1 9 bytes"; 10]);
    let requests = server.out.lines_with("\t", 10);
    assert_eq!(requests, vec![r"1	\x01\x03\x00\x00\x00\x02\xc4\x0b"; 10], "each is whole, and comes once");
    assert!(peers[0].is_quiet() && peers[1].is_quiet(), "nothing else was sent, and nobody else got it");
}

#[test]
fn a_device_that_ends_its_lines_with_cr_is_shown_line_by_line_however_often_it_speaks() {
    // Ten times a second it is never silent for as long as a line without an ending is waited for.
    let (server, mut peer) = json_server(&["--frame", "cr", "--partial", "1h"]);

    for number in 1..=10 {
        // The beginning of the next line is there, too, when this one is shown.
        peer.send(format!("{number}.5 C\rT="));
        let begun = if number == 1 { "" } else { "T=" };
        assert_eq!(told(&server, number), whole(&format!("{begun}{number}.5 C")));
    }
}

#[test]
fn the_same_device_is_shown_by_pieces_where_lines_are_waited_for() {
    // What `--frame cr` is for: nothing ends this, and it is shown five times the silence after its first byte.
    let (server, mut peer) = json_server(&["--partial", "200ms"]);
    let began = Instant::now();

    while !server.out.so_far().windows(8).any(|part| part == b"T=20.5\\r") {
        assert!(began.elapsed() < DEADLINE, "it is never shown");
        peer.send("T=20.5\r");
        let_pass(Duration::from_millis(50));
    }

    let (text, why) = told(&server, 1);
    assert!(text.starts_with("T=20.5\rT=20.5\r"), "{text:?}");
    assert_eq!(why.as_deref(), Some("silence"));
}

#[test]
fn what_has_no_ending_yet_is_shown_when_it_is_silent_and_the_rest_when_it_comes() {
    let cases: [Case<'_>; 5] = [
        ("lines", &[b"login: ", b"ok\nnext\n"], &[by_silence("login: "), whole("ok"), whole("next")]),
        ("nul", &[b"a", b"b\0c\0"], &[by_silence("a"), whole("b"), whole("c")]),
        ("len16", &[b"\x00\x05abc", b"de\x00\x01f"], &[by_silence("abc"), whole("de"), whole("f")]),
        ("stx", &[b"\x06", b"\x02ab", b"c\x03"], &[by_silence("\x06"), by_silence("ab"), whole("c")]),
        // A character that was cut in two is shown whole.
        ("crlf", &[b"caf\xc3", b"\xa9\r\n"], &[by_silence("caf"), whole("é")]),
    ];
    for (kind, pieces, expected) in cases {
        let (server, mut peer) = json_server(&["--frame", kind, "--partial", "30ms"]);
        let mut seen = 0;
        for (at, piece) in pieces.iter().enumerate() {
            peer.send(piece);
            // All but the last piece come to one message, by silence.
            let more = if at + 1 < pieces.len() { 1 } else { expected.len() - seen };
            for _ in 0..more {
                assert_eq!(told(&server, seen + 1), expected[seen], "--frame {kind}");
                seen += 1;
            }
        }
    }
}

#[test]
fn what_a_peer_left_without_an_ending_is_shown_as_it_leaves() {
    for (kind, said) in
        [("lines", "bye"), ("cr", "bye"), ("stx", "\x02bye"), ("len8", "\x09bye"), ("silence=1h", "bye")]
    {
        let (server, mut peer) = json_server(&["--frame", kind, "--partial", "1h"]);

        peer.send(said);
        drop(peer);

        assert_eq!(told(&server, 1), ("bye".to_owned(), Some("eof".to_owned())), "--frame {kind}");
    }
}

#[test]
fn messages_are_shown_as_bytes_where_that_is_asked_for() {
    let (mut server, mut peers) = Server::with_peers(&["--view", "hex"], 2);
    let says = |server: &Server, peer: &mut Peer, expected: &str| {
        let seen = server.out.so_far().len();
        peer.send(b"A\x00\xff\n");
        let line = server.out.wait_for("its message", |out| {
            let fresh = String::from_utf8_lossy(&out[seen..]).into_owned();
            fresh.strip_suffix('\n').map(str::to_owned)
        });
        assert_eq!(line, expected);
    };
    let (as_bytes, as_text) = ("41 00 ff", "A\\x00\\xff");

    says(&server, &mut peers[0], &format!("1\t{as_bytes}"));
    for (typed, reply, views) in [
        ("/view 1 text", "-> #1 is shown as text", [as_text, as_bytes]),
        ("/view text", "-> messages are shown as text", [as_text, as_text]),
        ("/view @2 hex", "-> #2 is shown in hexadecimal", [as_text, as_bytes]),
        ("/view hex", "-> messages are shown in hexadecimal", [as_bytes, as_bytes]),
    ] {
        let replies = server.err.so_far().len();
        server.type_line(typed);
        server.err.wait_for(reply, |err| {
            (String::from_utf8_lossy(&err[replies..]) == format!("{reply}\n")).then_some(())
        });
        for (at, view) in views.iter().enumerate() {
            says(&server, &mut peers[at], &format!("{}\t{view}", at + 1));
        }
    }
}

#[test]
fn a_person_sees_bytes_and_what_of_them_is_text() {
    let (server, mut peers) =
        Server::with_peers(&["--view", "hex", "--format", "human", "--frame", "silence=5ms"], 1);

    peers[0].send(b"\x01\x03 Az~\x7f\xe4\n");

    let line = server.out.line_with(" #1> ");
    assert_eq!(line.split_once(" #1> ").unwrap().1, "01 03 20 41 7a 7e 7f e4 0a  |.. Az~...|");
}
