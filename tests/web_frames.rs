//! What is right and what is wrong on the wire of a WebSocket (RFC 6455): the groups of cases that the Autobahn suite has,
//! as far as they apply, each in one piece and byte by byte. Compression is not offered, so there is none of it.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/web.rs"]
mod web;

use std::net::Shutdown;

use serde_json::json;
use web::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Socket, TEXT, Web, close_frame, frame, frame_head, unmasked,
};

const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;

/// A message may be this long.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
enum Back {
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// The reply to the command with this reference.
    Reply(&'static str),
    /// The end, with this code.
    Close(u16),
    /// The end, without any.
    CloseWithout,
}

use Back::{Close, CloseWithout, Pong, Reply};

/// What is sent, piece by piece, and what comes back. Where that is no end, it goes on.
struct Case {
    name: String,
    sent: Vec<u8>,
    back: Vec<Back>,
}

fn case(name: impl Into<String>, sent: &[Vec<u8>], back: &[Back]) -> Case {
    Case { name: name.into(), sent: sent.concat(), back: back.to_vec() }
}

/// A command whose reply bears this reference.
fn command(reference: &str) -> Vec<u8> {
    json!({"cmd": "pending", "ref": reference}).to_string().into_bytes()
}

/// The same, filled up with blanks to so many bytes.
fn command_of(reference: &str, bytes: usize) -> Vec<u8> {
    let mut text = command(reference);
    text.resize(bytes, b' ');
    text
}

/// Cut into frames of so many bytes.
fn fragments(kind: u8, payload: &[u8], bytes: usize) -> Vec<u8> {
    let count = payload.len().div_ceil(bytes);
    let one = |(at, piece): (usize, &[u8])| {
        let end = if at + 1 == count { FIN } else { 0 };
        frame(end | if at == 0 { kind } else { CONTINUATION }, piece)
    };
    payload.chunks(bytes).enumerate().flat_map(one).collect()
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    /// In one piece.
    Whole,
    /// In pieces of so many bytes.
    Bytes(usize),
}

impl Case {
    /// Sends it, and looks at what comes back.
    fn run(&self, web: &Web, cut: Cut) -> Result<(), String> {
        let mut socket = web.open();
        match cut {
            Cut::Whole => socket.send(&self.sent),
            Cut::Bytes(bytes) => {
                // What is wrong may end it before all is said.
                let _ = self
                    .sent
                    .chunks(bytes)
                    .try_for_each(|piece| std::io::Write::write_all(&mut socket.stream, piece));
            }
        }
        let mut seen = Vec::new();
        while seen.len() < self.back.len() {
            let Some(back) = next(&mut socket, &self.back) else { break };
            seen.push(back);
            if matches!(seen.last(), Some(Close(_) | CloseWithout)) {
                break;
            }
        }
        if seen != self.back {
            return Err(format!("{} ({cut:?}): {seen:?} instead of {:?}", self.name, self.back));
        }
        let is_over = matches!(self.back.last(), Some(Close(_) | CloseWithout));
        if is_over {
            // Behind a close frame there is nothing but the end.
            if let Some(frame) = socket.frame() {
                return Err(format!("{} ({cut:?}): {frame:?} behind the end", self.name));
            }
        } else {
            socket.send(&frame(FIN | PING, b"still there?"));
            if next(&mut socket, &[Pong(Vec::new())]) != Some(Pong(b"still there?".to_vec())) {
                return Err(format!("{} ({cut:?}): it does not go on", self.name));
            }
        }
        Ok(())
    }
}

/// The next thing that comes back, of those that are waited for.
fn next(socket: &mut Socket, wanted: &[Back]) -> Option<Back> {
    loop {
        for back in wanted {
            if let Reply(reference) = back
                && let Some(reply) = socket.reply(reference)
            {
                assert_eq!(reply["ev"], "ok", "{reply}");
                return Some(Reply(reference));
            }
        }
        let frame = socket.frame()?;
        if socket.takes(&frame) {
            continue;
        }
        return Some(match (frame.first & 0x0f, frame.payload) {
            (PONG, payload) => Pong(payload),
            (CLOSE, payload) if payload.is_empty() => CloseWithout,
            (CLOSE, payload) => {
                assert!(str::from_utf8(&payload[2..]).is_ok(), "{payload:?}");
                Close(u16::from_be_bytes([payload[0], payload[1]]))
            }
            (PING, _) => continue,
            (kind, payload) => panic!("a frame of kind {kind}: {payload:?}"),
        });
    }
}

/// All of them, in one piece, byte by byte, and in pieces that are no multiple of anything.
#[track_caller]
fn each_is_answered_so(cases: &[Case]) {
    let web = Web::start(&[]);
    let mut wrong = Vec::new();
    for case in cases {
        // Megabytes byte by byte would prove no more.
        let small = if case.sent.len() > 2000 { 4093 } else { 1 };
        for cut in [Cut::Whole, Cut::Bytes(small), Cut::Bytes(small.max(3))] {
            wrong.extend(case.run(&web, cut).err());
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn h71_1_messages_of_every_length_are_heard() {
    let mut cases = vec![
        case("nothing", &[frame(FIN | TEXT, b"")], &[]),
        case(
            "two in one go",
            &[frame(FIN | TEXT, &command("a")), frame(FIN | TEXT, &command("b"))],
            &[Reply("a"), Reply("b")],
        ),
        case(
            "two lines in one",
            &[frame(FIN | TEXT, &[command("a"), command("b")].join(&b'\n'))],
            &[Reply("a"), Reply("b")],
        ),
        case("bytes", &[frame(FIN | BINARY, b"bytes")], &[Close(1003)]),
        case("no bytes", &[frame(FIN | BINARY, b"")], &[Close(1003)]),
        case(
            "bytes in fragments",
            &[frame(BINARY, b"by"), frame(FIN | CONTINUATION, b"tes")],
            &[Close(1003)],
        ),
    ];
    for bytes in [125, 126, 127, 128, 65_535, 65_536, 65_537] {
        cases.push(case(
            format!("{bytes} bytes"),
            &[frame(FIN | TEXT, &command_of("long", bytes))],
            &[Reply("long")],
        ));
    }
    // More bytes than needed for a length are not forbidden to be read, and mean the same.
    let payload = command("odd");
    let masked = &frame(FIN | TEXT, &payload)[2..];
    let lengths = [&[FIN | TEXT, 0x80 | 126][..], &(payload.len() as u16).to_be_bytes()].concat();
    cases.push(case("a length that could be shorter", &[lengths, masked.to_vec()], &[Reply("odd")]));
    each_is_answered_so(&cases);
}

#[test]
fn h71_2_pings_are_answered_with_what_they_carry_and_pongs_are_not() {
    let all = (0..=255).collect::<Vec<u8>>();
    let pong = |payload: &[u8]| Pong(payload.to_vec());
    let ten: Vec<Vec<u8>> = (0..10).map(|number| vec![number; 10]).collect();
    each_is_answered_so(&[
        case("without payload", &[frame(FIN | PING, b"")], &[pong(b"")]),
        case("with a text", &[frame(FIN | PING, b"hello")], &[pong(b"hello")]),
        case("with bytes that are no text", &[frame(FIN | PING, &all[131..])], &[pong(&all[131..])]),
        case("with 125 bytes", &[frame(FIN | PING, &all[..125])], &[pong(&all[..125])]),
        case("with 126 bytes", &[frame(FIN | PING, &all[..126])], &[Close(1002)]),
        case("a pong that nobody asked for", &[frame(FIN | PONG, b"")], &[]),
        case("one with a payload", &[frame(FIN | PONG, b"unasked")], &[]),
        case("one, then a ping", &[frame(FIN | PONG, b"unasked"), frame(FIN | PING, b"x")], &[pong(b"x")]),
        case(
            "ten at once",
            &ten.iter().map(|payload| frame(FIN | PING, payload)).collect::<Vec<_>>(),
            &ten.iter().map(|payload| pong(payload)).collect::<Vec<_>>(),
        ),
    ]);
}

#[test]
fn h71_3_no_reserved_bit_is_understood() {
    let mut cases = Vec::new();
    // The first is what a compressed message would have; nobody has offered that.
    for bits in [RSV1, RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV3, RSV2 | RSV3, RSV1 | RSV2 | RSV3] {
        for (name, kind, payload) in [
            ("text", TEXT, &b"{}"[..]),
            ("bytes", BINARY, b"x"),
            ("ping", PING, b"x"),
            ("close", CLOSE, b"\x03\xe8"),
        ] {
            cases.push(case(
                format!("{bits:x} of a {name}"),
                &[frame(FIN | bits | kind, payload)],
                &[Close(1002)],
            ));
        }
    }
    cases.push(case(
        "of a later fragment",
        &[frame(TEXT, b"a"), frame(FIN | RSV1 | CONTINUATION, b"b")],
        &[Close(1002)],
    ));
    cases.push(case(
        "behind what is right",
        &[frame(FIN | PING, b"a"), frame(FIN | RSV3 | TEXT, b"b"), frame(FIN | PING, b"")],
        &[Pong(b"a".to_vec()), Close(1002)],
    ));
    cases.push(case("of an empty frame", &[frame(FIN | RSV1 | TEXT, b"")], &[Close(1002)]));
    each_is_answered_so(&cases);
}

#[test]
fn h71_4_no_kind_but_the_six_is_understood() {
    let mut cases = Vec::new();
    for kind in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push(case(format!("{kind}, empty"), &[frame(FIN | kind, b"")], &[Close(1002)]));
        cases.push(case(format!("{kind}"), &[frame(FIN | kind, b"payload")], &[Close(1002)]));
        cases.push(case(
            format!("{kind} between pings"),
            &[frame(FIN | PING, b"a"), frame(FIN | kind, b""), frame(FIN | PING, b"")],
            &[Pong(b"a".to_vec()), Close(1002)],
        ));
    }
    each_is_answered_so(&cases);
}

#[test]
fn h71_5_fragments_make_a_message_and_only_control_frames_stand_between() {
    let text = command("parts");
    let (one, two) = text.split_at(9);
    let ping = || frame(FIN | PING, b"between");
    let pong = || Pong(b"between".to_vec());
    each_is_answered_so(&[
        case("two", &[frame(TEXT, one), frame(FIN | CONTINUATION, two)], &[Reply("parts")]),
        case("one a byte", &[fragments(TEXT, &text, 1)], &[Reply("parts")]),
        case(
            "empty ones",
            &[
                frame(TEXT, b""),
                frame(CONTINUATION, &text),
                frame(CONTINUATION, b""),
                frame(FIN | CONTINUATION, b""),
            ],
            &[Reply("parts")],
        ),
        case(
            "empty ones alone",
            &[frame(TEXT, b""), frame(CONTINUATION, b""), frame(FIN | CONTINUATION, b"")],
            &[],
        ),
        case(
            "a ping between",
            &[frame(TEXT, one), ping(), frame(FIN | CONTINUATION, two)],
            &[pong(), Reply("parts")],
        ),
        case(
            "pings and pongs between",
            &[frame(TEXT, one), ping(), frame(FIN | PONG, b"x"), ping(), frame(FIN | CONTINUATION, two)],
            &[pong(), pong(), Reply("parts")],
        ),
        case("a ping in fragments", &[frame(PING, b"a"), frame(FIN | CONTINUATION, b"b")], &[Close(1002)]),
        case("a pong in fragments", &[frame(PONG, b"a"), frame(FIN | CONTINUATION, b"b")], &[Close(1002)]),
        case(
            "a close in fragments",
            &[frame(CLOSE, b"\x03"), frame(FIN | CONTINUATION, b"\xe8")],
            &[Close(1002)],
        ),
        case("a continuation of nothing", &[frame(FIN | CONTINUATION, b"x")], &[Close(1002)]),
        case("a continuation of nothing that goes on", &[frame(CONTINUATION, b"x")], &[Close(1002)]),
        case(
            "a continuation behind the end of a message",
            &[frame(FIN | TEXT, b""), frame(FIN | PING, b"a"), frame(FIN | CONTINUATION, b"x")],
            &[Pong(b"a".to_vec()), Close(1002)],
        ),
        case("a new text within one", &[frame(TEXT, one), frame(FIN | TEXT, two)], &[Close(1002)]),
        case("the beginning of one within one", &[frame(TEXT, one), frame(TEXT, two)], &[Close(1002)]),
        case("bytes within a text", &[frame(TEXT, one), frame(FIN | BINARY, two)], &[Close(1002)]),
        case("a close within a text", &[frame(TEXT, one), close_frame(1000, b"")], &[Close(1000)]),
    ]);
}

#[test]
fn h71_6_a_text_is_utf_8_wherever_it_is_cut() {
    let text = json!({"cmd": "pending", "ref": "κόσμε 你好 \u{10ffff}\u{0}"}).to_string().into_bytes();
    let reply = || Reply("κόσμε 你好 \u{10ffff}\u{0}");
    let mut cases = vec![
        case("in one frame", &[frame(FIN | TEXT, &text)], &[reply()]),
        case("cut in characters", &[fragments(TEXT, &text, 1)], &[reply()]),
        case("cut in threes", &[fragments(TEXT, &text, 3)], &[reply()]),
        case(
            "half a character at the end",
            &[frame(FIN | TEXT, "你".as_bytes().split_last().unwrap().1)],
            &[Close(1007)],
        ),
        case(
            "half a character at the end of the last fragment",
            &[frame(TEXT, b"ab"), frame(FIN | CONTINUATION, b"\xe4\xbd")],
            &[Close(1007)],
        ),
        case(
            "half a character, then an empty fragment",
            &[frame(TEXT, b"\xe4\xbd"), frame(FIN | CONTINUATION, b"")],
            &[Close(1007)],
        ),
        case(
            "half a character, then another",
            &[frame(TEXT, b"\xe4\xbd"), frame(FIN | CONTINUATION, b"abc")],
            &[Close(1007)],
        ),
        // It is told as soon as it is known, not at the end of a message that may never come.
        case("at once", &[frame(TEXT, b"ab\xff")], &[Close(1007)]),
        case(
            "at once in a later fragment",
            &[frame(TEXT, b"ab"), frame(CONTINUATION, b"\xc0\x80")],
            &[Close(1007)],
        ),
    ];
    for bytes in [
        &b"\x80"[..],
        b"\xbf",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ] {
        cases.push(case(format!("{bytes:x?}"), &[frame(FIN | TEXT, bytes)], &[Close(1007)]));
        cases.push(case(format!("{bytes:x?} bytewise"), &[fragments(TEXT, bytes, 1)], &[Close(1007)]));
    }
    each_is_answered_so(&cases);
}

#[test]
fn h71_7_a_close_is_answered_with_its_code_or_with_what_is_wrong_about_it() {
    let long = "x".repeat(123);
    let mut cases = vec![
        case("without a code", &[frame(FIN | CLOSE, b"")], &[CloseWithout]),
        case("half a code", &[frame(FIN | CLOSE, b"\x03")], &[Close(1002)]),
        case("with a reason", &[close_frame(1000, "tschüß".as_bytes())], &[Close(1000)]),
        case("with the longest reason", &[close_frame(1000, long.as_bytes())], &[Close(1000)]),
        case(
            "with one that is too long",
            &[close_frame(1000, format!("{long}x").as_bytes())],
            &[Close(1002)],
        ),
        case("with one that is no text", &[close_frame(1000, b"\xce\xba\xed\xa0\x80")], &[Close(1007)]),
        case("with half a character", &[close_frame(1000, b"\xe4\xbd")], &[Close(1007)]),
        case("twice", &[close_frame(1000, b""), close_frame(1000, b"")], &[Close(1000)]),
        case("then a text", &[close_frame(1000, b""), frame(FIN | TEXT, &command("late"))], &[Close(1000)]),
        case("then a ping", &[close_frame(1000, b""), frame(FIN | PING, b"")], &[Close(1000)]),
        case("then what is no frame", &[close_frame(1000, b""), vec![0xff; 50]], &[Close(1000)]),
        case(
            "behind a ping",
            &[frame(FIN | PING, b"a"), close_frame(1001, b"")],
            &[Pong(b"a".to_vec()), Close(1001)],
        ),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999] {
        cases.push(case(format!("{code}"), &[close_frame(code, b"")], &[Close(code)]));
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(case(format!("{code}, which nobody may say"), &[close_frame(code, b"")], &[Close(1002)]));
    }
    each_is_answered_so(&cases);
}

#[test]
fn h71_9_a_mebibyte_is_heard_and_a_byte_more_is_not() {
    let most = command_of("most", MESSAGE_BYTES_MAX);
    let more = command_of("more", MESSAGE_BYTES_MAX + 1);
    let claims = |length: u64| [frame_head(FIN | TEXT, length, true), vec![0; 4]].concat();
    each_is_answered_so(&[
        case("most", &[frame(FIN | TEXT, &most)], &[Reply("most")]),
        case("more", &[frame(FIN | TEXT, &more)], &[Close(1009)]),
        case("most, in fragments", &[fragments(TEXT, &most, 4096)], &[Reply("most")]),
        case("more, in fragments", &[fragments(TEXT, &more, 4096)], &[Close(1009)]),
        case("one that says it is longer", &[claims(MESSAGE_BYTES_MAX as u64 + 1)], &[Close(1009)]),
        case("one that says it has 2^62 bytes", &[claims(1 << 62)], &[Close(1009)]),
        case("one that says it has 2^63 bytes", &[claims(1 << 63)], &[Close(1009)]),
        case("one that says it has all bytes", &[claims(u64::MAX)], &[Close(1009)]),
    ]);
}

#[test]
fn h71_10_what_no_client_may_send_ends_it_and_what_it_may_does_not() {
    let long_ping = [frame_head(FIN | PING, 1 << 20, true), vec![0; 4]].concat();
    each_is_answered_so(&[
        case("a text without a mask", &[unmasked(FIN | TEXT, &command("a"))], &[Close(1002)]),
        case("an empty one without a mask", &[unmasked(FIN | TEXT, b"")], &[Close(1002)]),
        case("a ping without a mask", &[unmasked(FIN | PING, b"x")], &[Close(1002)]),
        case("a close without a mask", &[unmasked(FIN | CLOSE, b"\x03\xe8")], &[Close(1002)]),
        case(
            "one without a mask behind one with",
            &[frame(FIN | PING, b"a"), unmasked(FIN | TEXT, b"b")],
            &[Pong(b"a".to_vec()), Close(1002)],
        ),
        // The head says it all: what it announces is not waited for.
        case("the head of a ping that is too long", &[long_ping], &[Close(1002)]),
        case("the head of one without a mask", &[frame_head(FIN | TEXT, 1000, false)], &[Close(1002)]),
        case(
            "the head of one with a reserved bit",
            &[frame_head(FIN | RSV1 | TEXT, 1000, true)],
            &[Close(1002)],
        ),
        case(
            "the head of a continuation of nothing",
            &[frame_head(CONTINUATION, 1000, true)],
            &[Close(1002)],
        ),
        case("a request of HTTP", &[b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()], &[Close(1002)]),
    ]);
}

#[test]
fn h71_ten_thousand_fragments_and_pings_are_one_message_and_as_many_pongs() {
    let web = Web::start(&[]);
    let mut socket = web.open();
    let before = web.server.resident_bytes();
    let text = command_of("slow", 10_000);
    for (at, byte) in text.iter().enumerate() {
        let end = if at + 1 == text.len() { FIN } else { 0 };
        let piece = frame(end | if at == 0 { TEXT } else { CONTINUATION }, &[*byte]);
        let payload = at.to_string().into_bytes();
        socket.send(&[frame(FIN | PING, &payload), piece].concat());
        assert_eq!(next(&mut socket, &[]), Some(Pong(payload)));
    }

    assert_eq!(next(&mut socket, &[Reply("slow")]), Some(Reply("slow")));
    let grown = web.server.resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
}

#[test]
fn h71_an_end_in_the_middle_of_a_message_is_an_end_and_carries_nothing_out() {
    let web = Web::start(&[]);
    let mut peer = web.server.connect_numbered().0;
    let command = br#"{"cmd":"send","to":1,"text":"half"}"#;
    let whole = frame(FIN | TEXT, command);
    for sent in [
        whole[..1].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        frame(TEXT, command),
        [frame(TEXT, &command[..10]), close_frame(1000, b"")].concat(),
    ] {
        let mut socket = web.open();
        socket.send(&sent);
        socket.stream.shutdown(Shutdown::Write).unwrap();
        while socket.frame().is_some() {}
    }

    // A whole one is carried out, though its desk leaves, or breaks, right behind it.
    let said =
        |text: &str| frame(FIN | TEXT, json!({"cmd": "send", "to": 1, "text": text}).to_string().as_bytes());
    web.open().send(&[said("whole"), close_frame(1000, b"")].concat());
    assert_eq!(peer.line(), "whole");
    web.open().send(&[said("before it broke"), unmasked(FIN | TEXT, b"")].concat());
    assert_eq!(peer.line(), "before it broke");
}

#[test]
fn h71_the_end_of_the_server_is_told_with_its_code() {
    let mut web = Web::start(&[]);
    let mut socket = web.open();
    socket.event("hello");
    web.server.signal("TERM");

    let last = socket.control();

    assert_eq!(last.map(|frame| frame.payload[..2].to_vec()), Some(1001_u16.to_be_bytes().to_vec()));
    assert!(web.server.exit_status().success());
    assert_eq!(socket.frame(), None);
}

#[test]
fn h71_one_desk_too_many_is_told_why_and_with_which_code() {
    let web = Web::start(&[]);
    let mut desks: Vec<Socket> = (0..16).map(|_| web.open()).collect();
    desks.iter_mut().for_each(|desk| drop(desk.event("hello")));
    let mut more = web.open();

    let last = more.control();

    assert_eq!(last.map(|frame| frame.payload[..2].to_vec()), Some(1013_u16.to_be_bytes().to_vec()));
    assert_eq!(more.event("error")["code"], "too-many");
    assert_eq!(desks[0].ask(json!({"cmd": "pending"}))["ev"], "ok");
}
