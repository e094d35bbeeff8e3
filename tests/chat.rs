//! The chat: what one says all others read, with a bare netcat if need be.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::thread;

use common::{Peer, Server};

/// A chat of so many, numbered from 1, each of whom has read that the later ones joined.
fn chat_of(arguments: &[&str], peers: usize) -> (Server, Vec<Peer>) {
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
fn a_line_goes_to_all_others_under_its_speakers_name_and_not_to_the_speaker() {
    let (server, mut peers) = chat_of(&[], 3);

    peers[0].send("hello\n");
    for hearer in [1, 2] {
        assert_eq!(peers[hearer].line(), "<#1> hello");
    }
    peers[2].send("hello yourself\r\n");

    // Had the speaker got its own line, that would have come first.
    assert_eq!(peers[0].line(), "<#3> hello yourself");
    assert_eq!(peers[1].line(), "<#3> hello yourself");
    peers[0].send("bye\n");
    assert_eq!(peers[2].line(), "<#1> bye");
    assert_eq!(server.out.lines_with("", 3), ["1\thello", "3\thello yourself\\r", "1\tbye"]);
}

#[test]
fn whoever_leaves_is_announced() {
    let (mut server, mut peers) = chat_of(&[], 4);

    peers.remove(1).reset();
    for peer in &mut peers {
        assert_eq!(peer.line(), "* #2 left");
    }
    server.type_line("/kick 3 enough");
    assert_eq!(peers.remove(1).read_to_end(), b"enough\n");

    for peer in &mut peers {
        assert_eq!(peer.line(), "* #3 left");
    }
}

#[test]
fn what_the_operator_says_goes_to_all_unless_somebody_is_addressed() {
    let (mut server, mut peers) = chat_of(&[], 3);

    peers[0].send("hello\n");
    assert_eq!((peers[1].line(), peers[2].line()), ("<#1> hello".into(), "<#1> hello".into()));
    server.write_stdin("good day\n@2 你 alone\n//slash\n@all bye\n".as_bytes());

    for (at, expected) in
        [&["good day"][..], &["good day", "(private) 你 alone"], &["good day"]].into_iter().enumerate()
    {
        for text in expected.iter().chain(&["/slash", "bye"]) {
            assert_eq!(peers[at].line(), format!("<operator> {text}"), "what #{} got", at + 1);
        }
    }
    server.err.line_with("-> #2 ");
}

#[test]
fn what_is_relayed_can_do_nothing_to_a_terminal() {
    let (_server, mut peers) = chat_of(&[], 2);
    let mut said: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    said.extend("\u{85}\u{9b}31m \u{202e}\u{2066}\u{200b}\u{2028}".bytes());
    said.extend(b"\x1b]0;evil\x07\x1b[2J\r<operator> I am not\x9b31m 12\n");

    peers[0].send(&said);
    let line = peers[1].line();
    peers[0].send("你好, C:\\temp\n");
    let plain = peers[1].line();

    assert!(line.starts_with("<#1> "), "{line:?}");
    let is_odd =
        |char: &char| char.is_control() || "\u{202e}\u{2066}\u{200b}\u{2028}\u{fffd}".contains(*char);
    assert_eq!(line.chars().find(is_odd), None, "in the line {line:?}");
    assert_eq!(plain, "<#1> 你好, C:\\temp", "what is harmless stays as it is");
}

#[test]
fn with_chat_raw_the_bytes_are_relayed_as_they_are() {
    let (_server, mut peers) = chat_of(&["--chat-raw"], 2);
    let mut said: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    said.extend("\x1b[31m \u{202e}\u{9b}\r\n".bytes());

    peers[0].send(&said);

    let expected = [b"<#1> ", said.as_slice()].concat();
    assert_eq!(peers[1].exactly(expected.len()), expected);
}

#[test]
fn when_all_talk_at_once_everybody_hears_every_other_in_order() {
    const PEERS: usize = 20;
    const LINES: usize = 100;
    let (_server, mut peers) = chat_of(&[], PEERS);

    thread::scope(|scope| {
        for (at, peer) in peers.iter_mut().enumerate() {
            let mut mouth = Peer::over(peer.stream.try_clone().unwrap());
            scope.spawn(move || (0..LINES).for_each(|line| mouth.send(format!("line {line}\n"))));
            scope.spawn(move || {
                let mut next = [0; PEERS + 1];
                for _ in 0..(PEERS - 1) * LINES {
                    let line = peer.line();
                    let (speaker, text) = line.trim_start_matches("<#").split_once("> ").expect("a name");
                    let speaker: usize = speaker.parse().expect("a number");
                    assert_eq!(text, format!("line {}", next[speaker]), "#{} heard {line:?}", at + 1);
                    next[speaker] += 1;
                }
                assert_eq!(next[at + 1], 0, "#{} heard itself", at + 1);
            });
        }
    });
}
