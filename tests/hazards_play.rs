//! Hazard 64: a recording that changes as it is played. What is recorded of what was played is the same but for stamps
//! and numbers.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/recorded.rs"]
mod recorded;
#[path = "common/tap.rs"]
mod tap;

use common::{Peer, Random};
use recorded::{File, Transcript, play, when_closed, without_stamps};
use switchboard::desk::{Recording, What};
use tap::Tap;

/// Whatever happened in the only conversation of a transcript.
fn whats(lines: &[u8]) -> Vec<What> {
    let mut recording = Recording::read(lines).unwrap();
    let conversation = recording.conversations.pop().unwrap();
    assert!(recording.conversations.is_empty());
    conversation.turns.into_iter().map(|turn| turn.what).collect()
}

/// Plays a transcript to somebody who says what the peer said and has to get what it got; what is recorded of that.
#[track_caller]
fn played(lines: &[u8], arguments: &[&str]) -> Vec<u8> {
    let file = File::with(lines);
    let server = play(&file, &[&["--format", "json", "--speed", "0"], arguments].concat());
    let mut peer = server.connect();
    let mut is_reset = false;
    for what in whats(lines) {
        match what {
            What::Heard(bytes) => peer.send(&bytes),
            What::Said(bytes) => assert!(peer.exactly(bytes.len())[..] == bytes[..]),
            What::HeardEnd => peer.finish(),
            What::SaidEnd => assert_eq!(peer.read_to_end(), b""),
            What::SaidReset | What::HeardReset => is_reset = true,
        }
    }
    if is_reset {
        assert!(peer.read_to_any_end().1.is_some());
    } else {
        assert_eq!(peer.read_to_end(), b"");
    }
    drop(peer);
    when_closed(&server.out, 1)
}

/// A conversation through a tap: each says something in turn, then one of them finishes, then the other.
fn recorded(frame: &str, make: impl Fn(&mut Random) -> Vec<u8>, client_ends_first: bool) -> Vec<u8> {
    let (tap, mut client, mut far) =
        Tap::with_client(&["--format", "json", "--frame", frame, "--max-line", "1K"]);
    let mut random = Random::seeded(64);
    let pass = |from: &mut Peer, to: &mut Peer, bytes: Vec<u8>| {
        from.send(&bytes);
        assert!(to.exactly(bytes.len()) == bytes);
    };
    for _ in 0..20 {
        pass(&mut client, &mut far, make(&mut random));
        pass(&mut far, &mut client, make(&mut random));
    }
    let (first, second) = if client_ends_first { (&mut client, &mut far) } else { (&mut far, &mut client) };
    first.finish();
    assert_eq!(second.read_to_end(), b"");
    second.finish();
    assert_eq!(first.read_to_end(), b"");
    when_closed(&tap.server.out, 2)
}

#[test]
fn h64_what_is_played_and_recorded_again_is_the_same_but_for_stamps_and_numbers() {
    let bytes = |random: &mut Random| {
        let count = random.below(4000);
        random.bytes(count)
    };
    let line = |random: &mut Random| {
        let mut line = bytes(random);
        line.retain(|byte| *byte != b'\n');
        // Now and then with a CR.
        let end: &[u8] = if random.below(2) == 0 { b"\r\n" } else { b"\n" };
        [&line, end].concat()
    };
    let counted = |random: &mut Random| {
        let bytes = bytes(random);
        [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
    };
    let enclosed = |random: &mut Random| {
        let mut bytes = bytes(random);
        bytes.retain(|byte| *byte != 3);
        [b"\x02", &bytes[..], b"\x03"].concat()
    };
    for client_ends_first in [true, false] {
        for first in [
            recorded("lines", line, client_ends_first),
            recorded("len16", counted, client_ends_first),
            recorded("stx", enclosed, client_ends_first),
        ] {
            let second = played(&first, &["--max-line", "1K"]);
            assert!(whats(&second) == whats(&first), "{}", String::from_utf8_lossy(&second));
            let third = played(&second, &["--max-line", "1K"]);
            assert_eq!(without_stamps(&third), without_stamps(&second));
        }
    }
}

#[test]
fn h64_parts_may_be_cut_elsewhere_and_the_bytes_are_the_same() {
    let bytes = |random: &mut Random| {
        let count = 1 + random.below(4000);
        random.bytes(count)
    };
    let first = recorded("chunks", bytes, true);
    let joined = |lines: &[u8]| {
        let mut all: Vec<(bool, Vec<u8>)> = Vec::new();
        for what in whats(lines) {
            let (is_heard, bytes) = match &what {
                What::Heard(bytes) => (true, &bytes[..]),
                What::Said(bytes) => (false, &bytes[..]),
                _ => continue,
            };
            match all.last_mut() {
                Some((before, joined)) if *before == is_heard => joined.extend_from_slice(bytes),
                _ => all.push((is_heard, bytes.to_vec())),
            }
        }
        all
    };

    // With another limit than it was recorded with, and cut into nothing but what comes.
    for arguments in [&["--max-line", "100"][..], &["--frame", "silence=5ms", "--max-line", "64"]] {
        let second = played(&first, arguments);
        assert!(joined(&second) == joined(&first), "{arguments:?}");
    }
}

#[test]
fn h64_each_kind_of_end_is_the_same_again() {
    let script = || Transcript::new().open().said(0, "hi\n").heard(1, "QUIT\n").said(2, "bye\n");
    let file = |transcript: Transcript| std::fs::read(transcript.file().path()).unwrap();
    for first in [
        file(script().closed(3, "kicked")),
        file(script().closed(3, "we-reset")),
        file(script().end(3, "eof").closed(4, "finished")),
        file(script().end(3, "eof").said(4, "late\n").closed(4, "finished")),
        file(script().end(3, "fin").heard(4, "more\n").end(5, "eof").closed(6, "finished")),
    ] {
        let second = played(&first, &[]);
        assert_eq!(whats(&second), whats(&first));
        let third = played(&second, &[]);
        assert_eq!(without_stamps(&third), without_stamps(&second));
    }
}
