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

/// Reads up to a line with this in it; returns the line.
#[track_caller]
fn line_with(peer: &mut Peer, part: &str) -> String {
    for _ in 0..1000 {
        let line = peer.line();
        if line.contains(part) {
            return line;
        }
    }
    panic!("a thousand lines without {part:?}");
}

#[test]
fn a_newcomer_is_told_its_number_and_how_many_are_here() {
    let server = Server::start(&["--chat"]);

    let mut peers = Vec::new();
    for (number, here) in [(1, "nobody else is here"), (2, "1 other is here"), (3, "2 others are here")] {
        let mut peer = server.connect();
        assert_eq!(peer.line(), format!("* you are #{number}; {here}; /help lists the commands"));
        peers.push(peer);
    }

    assert_eq!(peers[0].line(), "* #2 joined");
    assert_eq!(peers[0].line(), "* #3 joined");
    assert_eq!(peers[1].line(), "* #3 joined");
    peers[0].send("hello\n");
    assert_eq!(peers[2].line(), "<#1> hello", "it is not told that itself has joined");
}

#[test]
fn a_peer_names_itself_and_is_shown_by_name_and_number() {
    let (server, mut peers) = chat_of(&[], 3);

    for (said, told) in [
        ("/nick ann", "* #1 is now ann#1"),
        ("hello", "<ann#1> hello"),
        // Its own name in other letters is its own.
        ("/nick Ann", "* #1 is now Ann#1"),
        ("/nick", "* #1 is now #1"),
        ("bare", "<#1> bare"),
        ("/nick 安\r", "* #1 is now 安#1"),
    ] {
        peers[0].send(format!("{said}\n"));
        for hearer in [1, 2] {
            assert_eq!(peers[hearer].line(), told, "after {said:?}");
        }
        if said.starts_with('/') {
            assert_eq!(peers[0].line(), told, "after {said:?}");
        }
    }
    server.wait_for_status("* #1 is now ann");
    server.wait_for_status("* #1 has no name any more");
    // The commands are no lines of the chat.
    assert_eq!(server.out.lines_with("", 2), ["1\thello", "1\tbare"]);
    let (mut newcomer, _) = server.connect_numbered();
    newcomer.send("/who\n");
    assert_eq!(newcomer.line(), "* 4 here: 安#1, #2, #3, #4");
    peers.remove(0).reset();
    assert_eq!(newcomer.line(), "* 安#1 left");
}

#[test]
fn a_name_that_is_somebody_elses_or_none_is_refused_and_only_who_asked_is_told() {
    let (mut server, mut peers) = chat_of(&[], 3);
    peers[0].send("/nick ann\n");
    line_with(&mut peers[1], "ann#1");
    line_with(&mut peers[2], "ann#1");
    server.type_line("/name 3 lab-a");
    server.wait_for_status("-> #3 is lab-a now");
    let not_yours = "is not yours to take or to leave";

    for (said, told) in [
        ("/nick ann", format!("* the name ann {not_yours}")),
        ("/nick ANN", format!("* the name ANN {not_yours}")),
        ("/nick Lab-A", format!("* the name Lab-A {not_yours}")),
        (
            "/nick operator",
            "* cannot use the name \"operator\": all, last, new, off, operator, me mean something else"
                .into(),
        ),
        (
            "/nick OPERATOR",
            "* cannot use the name \"OPERATOR\": all, last, new, off, operator, me mean something else"
                .into(),
        ),
        ("/nick <operator>", "* cannot use the name \"<operator>\": ".into()),
        ("/nick a b", "* cannot use the name \"a b\": ".into()),
        ("/nick 7", "* cannot use the name \"7\": a name begins with a letter".into()),
        ("/nick a\u{202e}b", "* cannot use the name \"a\\u{202e}b\": U+202E is in no name".into()),
        ("/nick a\x1b[2J", "* cannot use the name \"a\\u{1b}[2J\": U+001B is in no name".into()),
    ] {
        peers[1].send(format!("{said}\n"));
        let line = peers[1].line();
        assert!(line.starts_with(&told), "to {said:?}: {line:?}");
    }
    // What an operator has given is kept from others when its owner has left, and is not the owner's to change.
    peers[2].send("/nick other\n");
    assert_eq!(peers[2].line(), format!("* the name lab-a {not_yours}"));
    peers.remove(2).reset();
    assert_eq!(peers[1].line(), "* lab-a#3 left");
    peers[1].send("/nick LAB-A\n");
    assert_eq!(peers[1].line(), format!("* the name LAB-A {not_yours}"));
    // What a peer has taken is free when it leaves.
    peers.remove(0).reset();
    assert_eq!(peers[0].line(), "* ann#1 left");
    peers[0].send("/nick Ann\n");
    assert_eq!(peers[0].line(), "* #2 is now Ann#2");
}

#[test]
fn a_name_that_looks_like_the_operators_is_never_without_its_number() {
    let (mut server, mut peers) = chat_of(&[], 2);

    // The first letter of each is another one, of Greek or of Cyrillic.
    for look_alike in ["\u{3bf}perator", "\u{43e}perator"] {
        peers[0].send(format!("/nick {look_alike}\nsend me your keys\n"));
        assert_eq!(peers[1].line(), format!("* #1 is now {look_alike}#1"));
        assert_eq!(peers[1].line(), format!("<{look_alike}#1> send me your keys"));
    }
    peers[0].send("<operator> forged\n");
    assert_eq!(peers[1].line(), "<\u{43e}perator#1> <operator> forged");
    server.type_line("the real one");
    assert_eq!(peers[1].line(), "<operator> the real one");
}

#[test]
fn who_help_and_quit_are_a_peers_own() {
    let (server, mut peers) = chat_of(&[], 3);
    peers[2].send("/nick cy\n");
    for peer in &mut peers {
        line_with(peer, "cy#3");
    }

    peers[0].send("/who\n");
    assert_eq!(peers[0].line(), "* 3 here: #1, #2, cy#3");
    peers[0].send("/help\n");
    let help: Vec<String> = (0..5).map(|_| peers[0].line()).collect();
    for (line, begins) in help.iter().zip(["* /nick NAME ", "* /who ", "* /quit ", "* /help ", "* //who "]) {
        assert!(line.starts_with(begins), "{help:?}");
    }
    // What is no command here is said, and what is one can be said, too.
    for (said, heard) in
        [("/kick 2", "/kick 2"), ("//who", "/who"), ("/etc/hosts", "/etc/hosts"), ("//x", "//x")]
    {
        peers[0].send(format!("{said}\n"));
        assert_eq!(peers[1].line(), format!("<#1> {heard}"));
    }
    peers[1].send("/quit\n");
    assert_eq!(peers[1].read_to_end(), b"", "it has heard all");
    peers.remove(1);
    server.wait_for_status("* #2 closed: both sides finished");
    assert_eq!(line_with(&mut peers[0], "left"), "* #2 left");
}

#[test]
fn a_newcomer_is_told_the_last_lines_and_nothing_that_was_private() {
    let (mut server, mut peers) = chat_of(&["--replay-last", "3"], 2);
    peers[0].send("/nick ann\n");
    line_with(&mut peers[1], "ann#1");
    for text in ["too long ago", "first"] {
        peers[0].send(format!("{text}\n"));
        line_with(&mut peers[1], text);
    }
    server.type_line("@2 a secret");
    assert_eq!(peers[1].line(), "<operator> (private) a secret");
    server.type_line("second");
    assert_eq!(peers[1].line(), "<operator> second");
    peers[1].send("third \x1b[31m\n");
    server.out.line_with("third");

    let mut newcomer = server.connect();

    assert!(newcomer.line().starts_with("* you are #3; "));
    let told: Vec<String> = (0..3).map(|_| newcomer.line()).collect();
    assert_eq!(told, ["<ann#1> first", "<operator> second", "<#2> third \\x1b[31m"]);
    peers[0].send("now\n");
    assert_eq!(newcomer.line(), "<ann#1> now", "and then what is said now");
    let mut other = Server::start(&["--chat"]);
    other.type_line("nobody is here");
    assert!(other.connect().line().starts_with("* you are #1; "));
}

#[test]
fn what_the_operator_says_to_some_is_marked_private_and_reaches_nobody_else() {
    let (mut server, mut peers) = chat_of(&[], 3);
    server.type_line("/name 1 lab-a");
    server.wait_for_status("-> #1 is lab-a now");

    for line in ["@1 one", "@1,2 two", "@lab-* three", "@3", "four", "@all", "five", "/send @2 exactly\\n"] {
        server.type_line(line);
    }

    let private = |text: &str| format!("<operator> (private) {text}");
    let all = "<operator> five".to_owned();
    let expected: [&[String]; 3] = [
        &[private("one"), private("two"), private("three"), all.clone()],
        &[private("two"), all.clone(), "exactly".to_owned()],
        &[private("four"), all.clone()],
    ];
    for (at, expected) in expected.into_iter().enumerate() {
        for text in expected {
            assert_eq!(&peers[at].line(), text, "what #{} got", at + 1);
        }
        assert!(peers[at].is_quiet());
    }
}
