//! What is one message, both ways: each kind of `--frame`, over real sockets. What goes over the wire is written and
//! compared here byte by byte, by a framing of the test's own.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use common::{Peer, Program, Random, Server, parse_tsv};

/// All kinds that mark where a message ends.
const KINDS: [&str; 10] =
    ["lines", "cr", "crlf", "nul", "stx", "len8", "len16", "len32", "len16le", "len32le"];

/// So many of each.
const MESSAGES: usize = 100;

/// A message as it goes over the wire.
fn framed(kind: &str, message: &[u8]) -> Vec<u8> {
    let count = message.len();
    let (before, after) = match kind {
        "lines" => (vec![], &b"\n"[..]),
        "cr" => (vec![], &b"\r"[..]),
        "crlf" => (vec![], &b"\r\n"[..]),
        "nul" => (vec![], &b"\0"[..]),
        "stx" => (vec![2], &b"\x03"[..]),
        "len8" => (vec![u8::try_from(count).unwrap()], &b""[..]),
        "len16" => (u16::try_from(count).unwrap().to_be_bytes().to_vec(), &b""[..]),
        "len32" => (u32::try_from(count).unwrap().to_be_bytes().to_vec(), &b""[..]),
        "len16le" => (u16::try_from(count).unwrap().to_le_bytes().to_vec(), &b""[..]),
        "len32le" => (u32::try_from(count).unwrap().to_le_bytes().to_vec(), &b""[..]),
        kind if kind == "chunks" || kind.starts_with("silence") => (vec![], &b""[..]),
        kind => panic!("no kind {kind}"),
    };
    [&before, message, after].concat()
}

/// Bytes of all sorts that say nothing about an end, where a kind of frame has a mark for that.
fn message(kind: &str, random: &mut Random) -> Vec<u8> {
    let count = random.below(120);
    let mut bytes = random.bytes(count);
    // Mostly it is text, with what has to be escaped in it.
    if random.below(3) > 0 {
        let words = ["hello", "\\", "\t", "\"", "你好", "é", "{}", " ", "\x1b[31m", "\u{202e}", "\x7f"];
        bytes = (0..count / 4).flat_map(|_| words[random.below(words.len())].bytes()).collect();
    }
    let marks: &[u8] = match kind {
        // With a `\r` before it, its end would be another.
        "lines" => b"\n\r",
        "cr" | "crlf" => b"\r",
        "nul" => b"\0",
        "stx" => b"\x02\x03",
        _ => b"",
    };
    bytes.retain(|byte| !marks.contains(byte));
    if kind == "chunks" || kind.starts_with("silence") {
        // Nothing is no message there.
        bytes.push(b'.');
    }
    bytes
}

fn messages(kind: &str) -> Vec<Vec<u8>> {
    let mut random = Random::seeded(kind.len() as u64 * 31 + kind.bytes().map(u64::from).sum::<u64>());
    (0..MESSAGES).map(|_| message(kind, &mut random)).collect()
}

/// Sends bytes in pieces that end anywhere.
fn send_cut(peer: &mut Peer, bytes: &[u8], random: &mut Random) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((1 + random.below(40)).min(rest.len()));
        peer.send(piece);
        rest = behind;
    }
}

/// The second field of each line of `tsv` that #1 said.
fn said_in_tsv(out: &[u8]) -> Vec<Vec<u8>> {
    let lines = out.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    lines.map(|line| parse_tsv(line.strip_prefix(b"1\t").expect("a message of #1"))).collect()
}

/// The messages among lines of JSON.
fn events(out: &[u8], kind: &str) -> Vec<Value> {
    let whole = &out[..out.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)];
    let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let events = lines.map(|line| serde_json::from_slice::<Value>(line).expect("a line of JSON"));
    events.filter(|event| event["ev"] == kind).collect()
}

/// What a message of JSON has in it.
fn payload(event: &Value) -> Vec<u8> {
    match event["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(event["b64"].as_str().expect("text or b64")).expect("base64"),
    }
}

/// Ends a server; returns all that it wrote. It does not wait for anybody who has left.
fn end_of(server: &mut Server, format: &str) -> Vec<u8> {
    server.type_line(if format == "json" { r#"{"cmd":"quit"}"# } else { "exit" });
    server.out.to_end()
}

#[test]
fn whatever_frames_them_messages_come_out_whole_and_in_order_however_they_were_cut() {
    thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || {
                let sent = messages(kind);
                let wire: Vec<u8> = sent.iter().flat_map(|message| framed(kind, message)).collect();
                let (mut server, mut peers) =
                    Server::with_peers(&["--frame", kind, "--partial", "1h", "--format", "tsv"], 1);
                send_cut(&mut peers[0], &wire, &mut Random::seeded(7));
                peers.clear();
                server.wait_for_status("* #1 has finished");
                assert_eq!(said_in_tsv(&end_of(&mut server, "tsv")), sent, "--frame {kind} in tsv");

                let mut server = Server::start(&["--frame", kind, "--partial", "1h", "--format", "json"]);
                let mut peer = server.connect();
                send_cut(&mut peer, &wire, &mut Random::seeded(8));
                drop(peer);
                server.out.line_with(r#"{"ev":"eof""#);
                let told = events(&end_of(&mut server, "json"), "msg");
                assert_eq!(told.iter().map(payload).collect::<Vec<_>>(), sent, "--frame {kind} in JSON");
                for event in told {
                    assert!(event["part"].is_null() && event["end"].is_null(), "it is whole: {event}");
                }
            });
        }
    });
}

#[test]
fn a_message_that_ends_with_silence_is_whole_however_it_was_cut() {
    const PEERS: usize = 20;
    let sent = messages("silence");
    for format in ["tsv", "json"] {
        let mut server = Server::start(&["--frame", "silence=150ms", "--format", format]);
        let mut peers: Vec<Peer> = (0..PEERS).map(|_| server.connect()).collect();
        let mut random = Random::seeded(9);

        // A peer says nothing more before its message was seen to be one.
        for round in 0..MESSAGES / PEERS {
            for (at, peer) in peers.iter_mut().enumerate() {
                send_cut(peer, &sent[round * PEERS + at], &mut random);
            }
            server.out.wait_for("all messages of this round", |out| {
                let count = match format {
                    "json" => events(out, "msg").len(),
                    _ => out.iter().filter(|byte| **byte == b'\n').count(),
                };
                (count == (round + 1) * PEERS).then_some(())
            });
        }
        drop(peers);
        let out = end_of(&mut server, format);

        // Those of one round come in any order; no two are alike by chance.
        let mut told: Vec<Vec<u8>> = match format {
            "json" => events(&out, "msg").iter().map(payload).collect(),
            _ => {
                let lines = String::from_utf8(out).unwrap();
                lines.lines().map(|line| parse_tsv(line.split_once('\t').unwrap().1.as_bytes())).collect()
            }
        };
        let mut sent = sent.clone();
        told.chunks_mut(PEERS).chain(sent.chunks_mut(PEERS)).for_each(<[_]>::sort);
        assert_eq!(told, sent, "in {format}");
    }
}

#[test]
fn chunks_are_shown_as_they_come() {
    for format in ["tsv", "json"] {
        let mut server = Server::start(&["--frame", "chunks", "--format", format]);
        let mut peer = server.connect();
        let sent = messages("chunks");

        for (count, message) in sent.iter().enumerate() {
            peer.send(message);
            server.out.wait_for("the chunk", |out| {
                let said = match format {
                    "json" => events(out, "msg").len(),
                    _ => out.iter().filter(|byte| **byte == b'\n').count(),
                };
                (said == count + 1).then_some(())
            });
        }
        drop(peer);
        let out = end_of(&mut server, format);

        let told = match format {
            "json" => events(&out, "msg").iter().map(payload).collect(),
            _ => said_in_tsv(&out),
        };
        assert_eq!(told, sent, "in {format}");
    }
}

#[test]
fn what_is_typed_goes_out_framed_as_what_is_heard() {
    thread::scope(|scope| {
        for kind in KINDS.into_iter().chain(["silence=20ms", "chunks"]) {
            scope.spawn(move || {
                let (mut server, mut peers) = Server::with_peers(&["--frame", kind], 3);
                let lines = "@1 to one\n@2,3 to two 你\n@all \n@1\nto the target\n@2,3\nto both\n\
                             @all\nto everybody\n//slash\n/send @1 a\\x00b\\r\n/hex @2 0d 0a 02 03 ff\n\
                             /send @1,2,3 exactly\n/hex @all 00\n/eof all\n";
                server.write_stdin(lines.as_bytes());

                let is = |message: &str| framed(kind, message.as_bytes());
                let all = [is("to everybody"), is("/slash")].concat();
                let end = b"exactly\0".to_vec();
                let first = [is("to one"), is(""), is("to the target"), all.clone(), b"a\0b\r".to_vec()];
                let second =
                    [is("to two 你"), is(""), is("to both"), all.clone(), b"\r\n\x02\x03\xff".to_vec()];
                let third = [is("to two 你"), is(""), is("to both"), all, Vec::new()];
                for (at, expected) in [first, second, third].into_iter().enumerate() {
                    let expected = [expected.concat(), end.clone()].concat();
                    assert_eq!(peers[at].read_to_end(), expected, "--frame {kind}: what #{} got", at + 1);
                }
            });
        }
    });
}

#[test]
fn programs_send_framed_texts_and_exact_bytes() {
    for kind in KINDS {
        let mut server = Server::start(&["--frame", kind, "--format", "json"]);
        let mut peer = server.connect();
        server.out.line_with(r#"{"ev":"open""#);

        for (at, line) in [
            r#"{"cmd":"send","to":1,"text":"hi 你"}"#,
            r#"{"cmd":"send","to":[1],"text":"listed"}"#,
            r#"{"cmd":"send","to":"all","text":"to all"}"#,
            r#"{"cmd":"send","to":1,"text":"bare","eol":false}"#,
            r#"{"cmd":"send","to":"all","b64":"AAECAwoN/w=="}"#,
        ]
        .iter()
        .enumerate()
        {
            server.type_line(line);
            server.out.lines_with(r#"{"ev":"ok""#, at + 1);
        }
        server.type_line(r#"{"cmd":"close","to":1,"how":"eof"}"#);

        let texts = ["hi 你", "listed", "to all"].map(|text| framed(kind, text.as_bytes())).concat();
        let expected = [texts, b"bare\x00\x01\x02\x03\n\r\xff".to_vec()].concat();
        assert_eq!(peer.read_to_end(), expected, "--frame {kind}");
        let bytes: Vec<u64> =
            events(&server.out.so_far(), "ok").iter().filter_map(|reply| reply["bytes"].as_u64()).collect();
        assert_eq!(bytes.iter().sum::<u64>(), expected.len() as u64, "what the replies tell: {bytes:?}");
    }
}

#[test]
fn eol_says_otherwise() {
    for kind in ["lines", "nul", "stx", "len16", "chunks"] {
        for (eol, ending) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r"), ("none", "")] {
            let (mut server, mut peers) = Server::with_peers(&["--frame", kind, "--eol", eol], 2);

            server.write_stdin(b"@1 a\n@1,2 bc\n@all d\n/send @1 e\n/eof 1\n");

            let expected = format!("a{ending}bc{ending}d{ending}e");
            let got = peers[0].read_to_end();
            assert_eq!(String::from_utf8(got).unwrap(), expected, "--frame {kind} --eol {eol}");
        }
    }
}

#[test]
fn a_text_that_does_not_fit_into_a_frame_is_refused_and_nothing_is_sent() {
    for (kind, most) in [("len8", 255), ("len16", 65_535)] {
        let (mut server, mut peers) = Server::with_peers(&["--frame", kind], 2);
        let fits = "x".repeat(most);

        let refused = ["@1 ", "@1,2 ", "@all ", "/every 10ms @all "];
        for (count, target) in refused.into_iter().enumerate() {
            server.type_line(&format!("{target}{fits}x"));
            let told = server.err.lines_with("cannot send this text", count + 1);
            assert!(told[count].ends_with(" (--frame)") && told[count].len() < 80, "{:?}", told[count]);
        }
        server.type_line(&format!("@1 {fits}"));
        server.type_line(&format!("/send @2 {fits}x"));
        server.type_line("/eof all");

        assert_eq!(peers[0].read_to_end(), framed(kind, fits.as_bytes()), "--frame {kind}");
        assert_eq!(peers[1].read_to_end(), format!("{fits}x").as_bytes(), "what /send says has no frame");
    }
}

#[test]
fn a_message_longer_than_a_line_may_be_is_shown_in_parts_that_are_marked() {
    // The last one ends by itself; the others go on.
    let whole = "0123456789abcdef".repeat(300) + "end";
    for kind in KINDS.into_iter().filter(|kind| *kind != "len8") {
        for format in ["tsv", "json", "human"] {
            let mut server = Server::start(&["--frame", kind, "--max-line", "1K", "--format", format]);
            let mut peer = server.connect();
            peer.send([framed(kind, whole.as_bytes()), framed(kind, b"next")].concat());
            server.out.line_with("next");
            drop(peer);
            let out = end_of(&mut server, format);

            let parts: Vec<(String, bool)> = match format {
                "json" => {
                    let is_part = |event: &Value| match &event["part"] {
                        Value::Null => false,
                        part => {
                            assert_eq!(part, "limit", "{event}");
                            true
                        }
                    };
                    let told = events(&out, "msg");
                    told.iter()
                        .map(|event| (event["text"].as_str().unwrap().into(), is_part(event)))
                        .collect()
                }
                "tsv" => {
                    let out = String::from_utf8(out).unwrap();
                    let part = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
                        ["1", text] => (text.to_owned(), false),
                        ["1", text, "more"] => (text.to_owned(), true),
                        _ => panic!("{line:?}"),
                    };
                    out.lines().map(part).collect()
                }
                _ => {
                    let out = String::from_utf8(out).unwrap();
                    let said = out.lines().filter_map(|line| line.split_once(" #1> ")).map(|(_, text)| text);
                    let part = |text: &str| (text.trim_end_matches('…').to_owned(), text.ends_with('…'));
                    said.map(part).collect()
                }
            };
            let marks: Vec<bool> = parts.iter().map(|(_, is_part)| *is_part).collect();
            let texts: Vec<&str> = parts.iter().map(|(text, _)| &**text).collect();
            assert_eq!(marks, [true, true, true, true, false, false], "--frame {kind} in {format}");
            assert_eq!(texts[..5].concat(), whole, "--frame {kind} in {format}");
            assert_eq!(texts[5], "next");
        }
    }
}

#[test]
fn a_kind_of_frame_that_there_is_not_is_told_in_one_line_with_status_2() {
    for (spelt, why) in [
        ("Lines", "no such kind of frame; there are lines, cr, "),
        ("len64", "no such kind of frame; there are lines, cr, "),
        ("", "no such kind of frame"),
        ("silence", "no such kind of frame"),
        ("silence=", "its silence: not a duration such as 200ms"),
        ("silence=0ms", "its silence: has to be from 1ms to 1h"),
        ("silence=20", "its silence: not a duration such as 200ms"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args([&format!("--frame={spelt}"), "0"]);
        let mut program = Program::start(command);

        assert_eq!(program.exit_status().code(), Some(2), "--frame={spelt}");
        let err = String::from_utf8(program.err.to_end()).unwrap();
        let first = err.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: ") && first.contains(why), "--frame={spelt}: {err}");
        assert_eq!(program.out.to_end(), b"", "it never listened");
        assert!(!err.contains("listening"), "{err}");
    }
}
