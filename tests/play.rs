//! --play: what stands in for a recorded server says what that said, to whoever says what was said to it; what does not
//! fit is the operator's.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[path = "common/client.rs"]
mod client;
mod common;
#[path = "common/recorded.rs"]
mod recorded;

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Program, Random, connect_narrow};
use recorded::{File, Transcript, play};

#[test]
fn who_connects_is_told_what_was_told_when_it_has_said_what_was_said() {
    let binary: Vec<u8> = (0..=255).collect();
    let script = Transcript::new().open();
    let script =
        script.said(0, "220 hello\r\n").heard(1, "EHLO me\r\n").said(2, "250-a\r\n").said(2, "250 b\r\n");
    let server = script.heard(3, &binary).said(4, &binary).play(&[]);
    let mut peer = server.connect();

    assert_eq!(peer.line(), "220 hello\r");
    peer.send("EHLO me\r\n");
    assert_eq!(peer.exactly(14), b"250-a\r\n250 b\r\n");
    peer.send(&binary);
    assert_eq!(peer.exactly(256), binary);

    // All of it is shown, and nobody waits for an answer.
    assert_eq!(server.out.line_with("EHLO"), "1\tEHLO me\\r");
    assert_eq!(server.wait_for_status("(play) 250 b"), "-> #1 7 bytes (play) 250 b");
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("not in the recording"));
}

#[test]
fn what_comes_in_other_pieces_fits_as_well() {
    let server = Transcript::new()
        .open()
        .heard(0, "abc\ndef\n")
        .said(0, "1\n")
        .heard(0, "ghi")
        .said(0, "2\n")
        .play(&[]);
    let mut peer = server.connect();

    peer.send("ab");
    server.out.line_with("ab");
    peer.send("c\n");
    server.out.lines_with("1\t", 2);
    peer.send("de");
    server.out.lines_with("1\t", 3);
    peer.send("f\nghi");

    assert_eq!(peer.exactly(4), b"1\n2\n");
}

#[test]
fn nothing_is_said_before_its_time_nor_out_of_order() {
    let server = Transcript::new()
        .open()
        .heard(0, "a\n")
        .said(300, "1\n")
        .said(310, "2\n")
        .heard(320, "b\n")
        .said(330, "3\n");
    let server = server.play(&[]);
    let began = Instant::now();
    let mut peer = server.connect();

    peer.send("a\nb\n");

    assert_eq!(peer.line(), "1");
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!((peer.line(), peer.line()), ("2".to_owned(), "3".to_owned()));
    assert!(began.elapsed() >= Duration::from_millis(330), "{:?}", began.elapsed());
}

#[test]
fn it_is_played_faster_or_at_once() {
    let hour = 3_600_000;
    let script = Transcript::new().open().said(3000, "hi\n").heard(hour, "a\n").said(hour, "1\n");
    for (speed, least) in [("10", 300), ("1000", 3)] {
        let server = script.play(&["--speed", speed]);
        let began = Instant::now();
        let mut peer = server.connect();
        assert_eq!(peer.line(), "hi");
        assert!(began.elapsed() >= Duration::from_millis(least), "{speed}: {:?}", began.elapsed());
    }
    let server = script.play(&["--speed", "0"]);
    let mut peer = server.connect();
    peer.send("a\n");
    assert_eq!((peer.line(), peer.line()), ("hi".to_owned(), "1".to_owned()));
}

#[test]
fn each_newcomer_gets_the_next_conversation_and_the_last_one_again() {
    let one = |script: Transcript, name: &str| {
        script.open().said(0, format!("{name}\n")).heard(0, "a\n").said(0, format!("{name}!\n"))
    };
    let server = one(one(Transcript::new(), "first"), "second").play(&[]);

    // They are served side by side.
    let mut peers: Vec<_> = (0..4).map(|_| server.connect_numbered().0).collect();
    peers.iter_mut().rev().for_each(|peer| peer.send("a\n"));

    for (peer, name) in peers.iter_mut().zip(["first", "second", "second", "second"]) {
        assert_eq!((peer.line(), peer.line()), (name.to_owned(), format!("{name}!")));
    }
}

#[test]
fn what_does_not_fit_is_shown_told_and_answered_by_hand_and_then_the_recorded_goes_on() {
    let mut server =
        Transcript::new().open().heard(0, "a\n").said(0, "1\n").heard(0, "b\n").said(0, "2\n").play(&[]);
    let mut peer = server.connect();

    peer.send("a\nwhat?\nb\r\n");
    assert_eq!(peer.line(), "1");
    let told = server.wait_for_status("not in the recording");
    assert_eq!(told, "* #1 said what is not in the recording there, as its message 2: it is yours to answer");
    assert_eq!(server.out.line_with("what?"), "1\twhat?");
    assert_eq!(server.out.line_with("b\\r"), "1\tb\\r");
    server.type_line("/pending");
    server.wait_for_status("#1 ");
    assert!(peer.is_quiet(), "nothing answers by itself");
    server.type_line("by hand");
    assert_eq!(peer.line(), "by hand");

    peer.send("b\n");
    assert_eq!(peer.line(), "2");
    peer.send("more\n");
    let told = server.wait_for_status("behind the end");
    assert_eq!(
        told,
        "* #1 goes on behind the end of the recording, with its message 5: it is yours to answer"
    );
    let all = String::from_utf8(server.err.so_far()).unwrap();
    assert_eq!(all.matches("yours to answer").count(), 2, "once, until something fits again: {all}");
}

#[test]
fn of_many_who_stray_at_once_some_are_told_and_the_rest_counted() {
    let mut server = Transcript::new().open().heard(0, "a\n").said(0, "1\n").play(&["--max-conns", "100"]);
    let mut peers: Vec<_> = (0..60).map(|_| server.connect()).collect();

    // It finds all of it at once.
    server.wait_for_status("* #60 connected");
    server.pause();
    peers.iter_mut().for_each(|peer| peer.send("x\n"));
    server.resume();
    server.out.lines_with("\tx", 60);
    server.type_line("/help stats");
    server.wait_for_status("show the counters");

    let told = String::from_utf8(server.err.so_far()).unwrap().matches("not in the recording").count();
    assert!((20..60).contains(&told), "{told} of 60 were told");
}

#[test]
fn rules_answer_what_does_not_fit_and_are_asked_for_nothing_else() {
    let server = Transcript::new().open().heard(0, "a\n").said(0, "1\n").heard(0, "b\n").said(0, "2\n");
    let server = server.play(&["--reply", "^[ax]$", "rule ${n}\\n", "--greet", "hi\\n"]);
    let mut peer = server.connect();

    peer.send("a\nx\na\nb\n");

    let lines: Vec<String> = (0..5).map(|_| peer.line()).collect();
    assert_eq!(lines, ["hi", "1", "rule 2", "rule 3", "2"]);
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("yours to answer"));
}

#[test]
fn where_the_server_hung_up_it_hangs_up_behind_its_words() {
    let server = Transcript::new().open().heard(0, "QUIT\n").said(0, "bye\n").closed(10, "kicked").play(&[]);
    let mut peer = server.connect();

    peer.send("QUIT\n");

    assert_eq!(peer.read_to_end(), b"bye\n");
    let told = server.wait_for_status("* #1 closed");
    assert_eq!(told, "* #1 closed: closed as in the recording (received 5, sent 4)");
}

#[test]
fn where_the_server_finished_and_the_client_went_on_it_is_still_heard() {
    let server = Transcript::new().open().said(0, "hi\n").end(1, "fin").heard(2, "thanks\n").end(3, "eof");
    let server = server.closed(4, "finished").play(&[]);
    let mut peer = server.connect();

    assert_eq!(peer.read_to_end(), b"hi\n");
    peer.send("thanks\n");
    server.out.line_with("thanks");
    peer.finish();

    assert_eq!(
        server.wait_for_status("* #1 closed"),
        "* #1 closed: both sides finished (received 7, sent 3)"
    );
}

#[test]
fn an_answer_to_the_clients_end_waits_for_that() {
    for stdin in ["open", "closed"] {
        let server =
            Transcript::new().open().heard(0, "sum\n").end(10, "eof").said(200, "42\n").said(210, "!\n");
        let mut server = server.closed(220, "finished").play(&[]);
        if stdin == "closed" {
            server.close_stdin();
        }
        let mut peer = server.connect();

        peer.send("sum\n");
        server.out.line_with("sum");
        assert!(peer.is_quiet());
        peer.finish();

        assert_eq!(peer.read_to_end(), b"42\n!\n", "stdin is {stdin}");
        server.wait_for_status("* #1 closed: both sides finished");
    }
}

#[test]
fn who_finishes_too_early_is_told_of_and_still_gets_what_is_due() {
    let server = Transcript::new().open().heard(0, "a\n").said(100, "1\n").heard(110, "b\n").said(120, "2\n");
    let server = server.closed(130, "kicked").play(&[]);
    let mut peer = server.connect();

    peer.send("a\n");
    peer.finish();

    let told = server.wait_for_status("earlier");
    assert_eq!(told, "* #1 has finished earlier than in the recording, after 1 message");
    server.wait_for_status("kept 60 s for your answer");
    assert_eq!(peer.line(), "1");
}

#[test]
fn without_an_operator_who_finishes_too_early_is_let_go_behind_what_is_due() {
    let mut server = Transcript::new().open().heard(0, "a\n").said(200, "1\n").heard(210, "b\n").play(&[]);
    server.close_stdin();
    let mut peer = server.connect();

    peer.send("a\n");
    peer.finish();

    assert_eq!(peer.read_to_end(), b"1\n");
}

#[test]
fn where_the_server_reset_it_is_reset_behind_its_words() {
    let server =
        Transcript::new().open().heard(0, "a\n").said(0, vec![b'x'; 1 << 20]).closed(5, "we-reset").play(&[]);
    let mut peer = server.connect();

    peer.send("a\n");
    assert_eq!(peer.exactly(1 << 20), vec![b'x'; 1 << 20]);

    assert_eq!(peer.read_to_any_end(), (Vec::new(), Some(io::ErrorKind::ConnectionReset)));
    assert!(server.wait_for_status("* #1 closed").starts_with("* #1 closed: reset as in the recording"));
}

#[test]
fn much_is_told_to_who_reads_slowly_and_others_are_served_meanwhile() {
    let pieces: Vec<Vec<u8>> = (0..12u8).map(|piece| vec![piece; 1 << 20]).collect();
    let script = Transcript::new().open().heard(0, "all\n");
    let script = pieces.iter().fold(script, |script, piece| script.said(0, piece));
    let server = script.open().heard(0, "a\n").said(0, "1\n").play(&[]);
    let mut slow = connect_narrow(server.address);
    server.wait_for_status("* #1 connected");
    io::Write::write_all(&mut slow, b"all\n").unwrap();
    server.out.line_with("all");

    let mut quick = server.connect();
    quick.send("a\n");
    assert_eq!(quick.line(), "1");

    let mut all = vec![0; 12 << 20];
    io::Read::read_exact(&mut slow, &mut all).unwrap();
    assert!(all == pieces.concat());
}

#[test]
fn whom_the_operator_dials_is_played_nothing() {
    let (listener, address) = client::listener();
    let mut server = Transcript::new().open().said(0, "hi\n").heard(0, "a\n").said(0, "1\n").play(&[]);

    server.type_line(&format!("/dial {address}"));
    let mut dialled = client::accept(&listener);
    server.wait_for_status("* #1 connected to");
    dialled.send("a\n");
    server.out.line_with("a");
    let mut peer = server.connect();

    assert_eq!(peer.line(), "hi");
    assert!(dialled.is_quiet());
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("recording"));
}

#[test]
fn messages_are_cut_as_they_were_when_nothing_else_is_said() {
    let script = Transcript::framed("len16").open().heard(0, b"\0\x02ab").said(0, b"\0\x01c");
    let mut server = script.play(&[]);
    let mut peer = server.connect();

    peer.send(b"\0\x02ab\0\x03xyz");

    assert_eq!(peer.exactly(3), b"\0\x01c");
    assert_eq!((server.out.line_with("ab"), server.out.line_with("xyz")), ("1\tab".into(), "1\txyz".into()));
    server.type_line("d");
    assert_eq!(peer.exactly(3), b"\0\x01d", "what is typed goes out framed likewise");
}

#[test]
fn random_conversations_are_played_to_the_byte() {
    let mut random = Random::seeded(64);
    let mut script = Transcript::new();
    let mut conversations = Vec::new();
    for _ in 0..8 {
        script = script.open();
        let mut turns = Vec::new();
        for at in 0..40 {
            let (is_heard, count) = (random.below(2) == 0, 1 + random.below(3000));
            let bytes = random.bytes(count);
            script = if is_heard { script.heard(at, &bytes) } else { script.said(at, &bytes) };
            turns.push((is_heard, bytes));
        }
        conversations.push(turns);
    }
    let server = script.play(&["--frame", "chunks"]);

    for turns in conversations {
        let (mut peer, _) = server.connect_numbered();
        for (is_heard, bytes) in turns {
            if is_heard {
                peer.send(bytes);
            } else {
                assert!(peer.exactly(bytes.len()) == bytes);
            }
        }
    }
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("recording"));
}

#[test]
fn what_cannot_be_played_is_said_before_anybody_is_let_in() {
    let open = r#"{"ev":"open","ts":"2026-01-02T03:04:05Z","id":1}"#;
    let bad = format!("{open}\n{{\"ev\":\"msg\",\"id\":1}}\n{open}\n");
    for (text, why) in [
        ("", "nobody connected in it"),
        ("hello\n", "line 1: this is no JSON object: expected value at column 1"),
        (&bad, "line 2: it has neither \"text\" nor \"b64\""),
    ] {
        let file = File::with(text);
        assert_eq!(failed(file.path()), format!("switchboard: cannot play {}: {why}\n", file.path()));
    }
    assert_eq!(failed("/nowhere/x"), "switchboard: cannot read /nowhere/x: No such file or directory\n");
    assert_eq!(failed("/"), "switchboard: cannot play /: Is a directory\n");
}

/// What a server says that cannot play this; its status is 1.
#[track_caller]
fn failed(path: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--play", path, "0"]);
    let mut program = Program::start(command);
    assert_eq!(program.exit_status().code(), Some(1));
    String::from_utf8(program.err.to_end()).unwrap()
}

#[test]
fn half_a_line_before_a_pause_that_goes_on_otherwise_takes_nothing_from_the_recording() {
    let server = Transcript::new().open().heard(0, "hello\n").said(1, "world\n").play(&["--speed", "0"]);
    let mut peer = server.connect();

    peer.send("hel");
    server.out.line_with("1\thel");
    peer.send("p\n");
    server.out.line_with("1\tp");
    peer.send("hello\n");

    assert_eq!(peer.line(), "world");
}

#[test]
fn what_a_recording_lacks_is_told_once_at_the_start() {
    let whole = Transcript::new().open().heard(0, "hello\n").said(1, "world\n");
    let whole = std::fs::read_to_string(whole.file().path()).unwrap();
    let close = r#"{"ev":"close","ts":"2026-01-02T03:04:07Z","id":1,"reason":"kicked","msg":"","rx":6,"tx":9,"unsent":0}"#;
    let file = File::with(format!("{whole}{{\"ev\":\"skipped\",\"count\":3}}\n{close}\n"));

    let server = play(&file, &[]);
    let told =
        server.err.line_with("leaves out 3 events at line 5, and lacks 3 bytes that were sent, in 1 of its");

    assert!(told.starts_with(&format!("switchboard: {} leaves out", file.path())), "{told}");
    let file = File::with(whole);
    let server = play(&file, &[]);
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("lacks"));
}
