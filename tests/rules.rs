//! A server that answers of itself: rules, greetings, what is repeated; and what no rule fits is left to the operator.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tap.rs"]
mod tap;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Peer, Server, connect_narrow, wait_until};
use tap::Target;

const MIB: usize = 1 << 20;

/// A file that goes with the test.
struct File(PathBuf);

impl File {
    fn of(name: &str, text: impl AsRef<[u8]>) -> File {
        let path = std::env::temp_dir().join(format!("switchboard-rules-{name}-{}", std::process::id()));
        fs::write(&path, text).unwrap();
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What a peer is answered to these lines: so many.
#[track_caller]
fn answers(peer: &mut Peer, lines: &str, count: usize) -> Vec<String> {
    peer.send(lines);
    (0..count).map(|_| peer.line()).collect()
}

#[test]
fn the_greeting_is_first_and_then_the_first_rule_that_fits_answers() {
    let file = File::of(
        "kinds",
        "# comments and empty lines are none\n\n=exact\tE\\n\nex(.)\tregex ${1}\\n\n^set (\\S+) (\\S+)$\t${2}=${1}$$\\n\r\n",
    );
    let server = Server::start(&[
        "--greet",
        "hi ${id} ${peer} ${name}.\\r\\n",
        "--reply",
        "^first",
        "given\\n",
        "--reply-file",
        file.path(),
    ]);
    let (mut peer, number) = server.connect_numbered();
    let own = peer.stream.local_addr().unwrap();

    assert_eq!(peer.line(), format!("hi {number} {own} .\r"));
    let lines = "exact\nexact!\r\nset a b\nfirst exact\nset 你 x\n";
    let expected = ["E", "regex a", "b=a$", "given", "x=你$"];
    assert_eq!(answers(&mut peer, lines, 5), expected);
    server.out.line_with("exact!");
    server.err.line_with("-> #1 8 bytes (reply) regex a");
    server.err.line_with(&format!("(greet) hi 1 {own}"));
}

#[test]
fn several_answers_are_used_in_turn_for_each_connection_and_the_last_one_stays() {
    let file = File::of("turns", "^n$\tone\\n\n=other\tx\\n\n^n$\ttwo ${n}\\n\n^n$\tthree\\n\n");
    let server = Server::start(&["--reply-file", file.path()]);
    let (mut one, mut other) = (server.connect(), server.connect());

    assert_eq!(answers(&mut one, "n\nother\nn\nn\nn\n", 5), ["one", "x", "two 3", "three", "three"]);
    assert_eq!(answers(&mut other, "n\nn\n", 2), ["one", "two 2"]);
}

#[test]
fn a_wait_is_waited_for_and_another_connection_is_not_held_up() {
    let server =
        Server::start(&["--reply", "slow", "${wait 300ms}late\\n", "--reply", "now", "now ${time}\\n"]);
    let (mut one, mut other) = (server.connect(), server.connect());
    let began = Instant::now();

    one.send("slow\nnow\n");
    let soon = answers(&mut other, "now\n", 1).remove(0);
    assert!(one.is_quiet(), "nothing overtakes what waits");
    assert_eq!(one.line(), "late");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(one.line().starts_with("now 20"));

    let stamp = soon.strip_prefix("now ").unwrap();
    assert!(stamp.len() == 27 && stamp.ends_with('Z') && stamp.as_bytes()[10] == b'T', "{stamp}");
}

#[test]
fn an_end_comes_behind_all_that_was_said_and_a_reset_does_as_well() {
    let long = "x".repeat(4 * MIB);
    let file = File::of("ends", format!("=close\t{long}${{close}}never\n=rst\t{long}${{rst}}never\n"));
    let server = Server::start(&["--reply-file", file.path()]);
    for (word, end, why) in [
        ("close\n", None, "* #1 closed: closed by a rule"),
        ("rst\n", Some(ErrorKind::ConnectionReset), "* #2 closed: reset by a rule"),
    ] {
        let mut peer = server.connect();
        peer.send(word);
        let mut all = 0;
        // Slowly enough that much of it waits in the system when the server has said all.
        while all < long.len() {
            all += peer.exactly((long.len() - all).min(100_000)).len();
        }
        let (rest, ended) = peer.read_to_any_end();
        assert_eq!((rest.len(), ended), (0, end), "{word}");
        drop(peer);
        server.wait_for_status(why);
    }
}

#[test]
fn rules_fit_messages_however_they_are_framed() {
    for (arguments, said, answered) in [
        (&["--frame", "stx"][..], &b"\x02ping\x03"[..], &b"<4>"[..]),
        (&["--frame", "len16"], b"\0\x04ping", b"<4>"),
        (&["--frame", "len8"], b"\x04ping\x01x", b"<4>"),
        (&["--frame", "nul"], b"ping\0", b"<4>"),
        (&["--frame", "cr"], b"ping\r", b"<4>"),
        (&["--frame", "crlf"], b"ping\r\n", b"<4>"),
        (&["--frame", "chunks"], b"ping", b"<4>"),
        (&["--frame", "silence=20ms"], b"ping", b"<4>"),
        (&["--format", "raw"], b"ping\r\n", b"<4>"),
        (&["--format", "json"], b"ping\r\n", b"<4>"),
        // What has no ending is a message when it has been silent for a while.
        (&["--partial", "20ms"], b"ping", b"<4>"),
        (&["--max-line", "16"], b"ping", b"<4>"),
    ] {
        let server = Server::start(&[&["--reply", "^(p)(ing)$", "<4>"], arguments].concat());
        let mut peer = server.connect();
        peer.send(said);
        assert_eq!(peer.exactly(answered.len()), answered, "{arguments:?}");
    }
}

#[test]
fn what_no_rule_fits_goes_to_the_operator_and_waits_for_it() {
    for (format, shown) in
        [("tsv", "1\tunknown"), ("human", "#1> unknown"), ("json", "\"id\":1,\"text\":\"unknown\"")]
    {
        let mut server = Server::start(&[
            "--format", format, "--reply", "^known", "yes\\n", "--reply", "^also", "${n}\\n",
        ]);
        let mut peer = server.connect();
        assert_eq!(answers(&mut peer, "known\nunknown\nalso\n", 2), ["yes", "3"]);
        server.out.line_with(shown);

        let pending = if format == "json" { r#"{"cmd":"pending"}"# } else { "/pending" };
        server.type_line(pending);
        server.wait_for_status("unknown");
        let said = if format == "json" { r#"{"cmd":"send","to":1,"text":"by hand"}"# } else { "by hand" };
        server.type_line(said);
        assert_eq!(peer.line(), "by hand");
        server.type_line(if format == "json" { r#"{"cmd":"pending","ref":9}"# } else { "/pending" });
        server.wait_for_status(if format == "json" { r#""ref":9,"conns":[]"# } else { "nobody waits" });
    }
}

#[test]
fn rules_are_read_again_and_what_is_broken_keeps_its_old_state() {
    let file = File::of("again", "=a\told\\n\n");
    let server = Server::start(&["--reply-file", file.path(), "--reply", "^b", "b\\n"]);
    let mut peer = server.connect();
    assert_eq!(answers(&mut peer, "a\nb\n", 2), ["old", "b"]);

    fs::write(file.path(), "=a\tnew\\n\n=c\tc\\n\n").unwrap();
    server.signal("USR1");
    server.wait_for_status("* the rules were read again: 3");
    assert_eq!(answers(&mut peer, "a\nb\nc\n", 3), ["new", "b", "c"]);

    for (text, why) in [
        (
            "=a\tx\n(\ty\n",
            "line 2: \"(\" is no regular expression: unclosed group; the rules stay as they were",
        ),
        ("=a\t${nmae}\n", "line 1: ${nmae} stands for nothing"),
        ("=a x\n", "line 1: there is no tab"),
        ("=\\q\tx\n", "line 1: \"\\\\q\" is no escape"),
    ] {
        fs::write(file.path(), text).unwrap();
        server.signal("USR1");
        server.wait_for_status(why);
        assert_eq!(answers(&mut peer, "a\nb\nc\n", 3), ["new", "b", "c"], "{text:?}");
    }
    fs::remove_file(file.path()).unwrap();
    server.signal("USR1");
    server.wait_for_status("it is there no more; the rules stay as they were");
    assert_eq!(answers(&mut peer, "a\n", 1), ["new"]);
}

#[test]
fn what_is_wrong_with_a_rule_is_one_line_before_anything_listens() {
    let bad = File::of("bad", "=fine\tx\n\n# a comment\n[z-a]\ty\n");
    let group = File::of("group", "^(.)$\t${2}\n");
    for (arguments, status, why) in [
        (&["--reply", "(", "x"][..], 2, "--reply \"(\": \"(\" is no regular expression: unclosed group"),
        (
            &["--reply", "(a{1000}){1000}", "x"],
            2,
            "it is too large: compiled, it takes more than 131072 bytes",
        ),
        (&["--reply", "a", "\\q"], 2, "--reply \"a\" \"\\\\q\": \"\\q\" is no escape"),
        (&["--reply", "a", "${x}"], 2, "${x} stands for nothing"),
        (&["--reply", "a", "${1}"], 2, "${1} names a group of which there are 0"),
        (&["--greet", "${wait 9d}"], 2, "cannot wait for \"9d\""),
        (&["--every", "5s", "$"], 2, "a $ stands alone"),
        (&["--reply-file", bad.path()], 1, "line 4: \"[z-a]\" is no regular expression"),
        (&["--reply-file", group.path()], 1, "line 1: ${2} names a group of which there are 1"),
        (&["--reply-file", "/nowhere/rules"], 1, "cannot read /nowhere/rules: No such file or directory"),
        (&["--reply-file", "/dev/null"], 1, "cannot read /dev/null: it is no regular file"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let out = command.args(arguments).arg("0").output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(status), "{arguments:?}: {told}");
        assert!(told.contains(why) && !told.contains("listening"), "{arguments:?}: {told}");
        assert!(status == 2 || told.lines().count() == 1, "{told}");
    }
}

#[test]
fn what_is_repeated_is_for_everybody_and_is_listed_and_stopped() {
    for text in ["tick\\n", "tick ${id}\\n"] {
        let mut server = Server::start(&["--every", "20ms", text]);
        let (mut one, mut other) = (server.connect(), server.connect());

        for (number, peer) in [(1, &mut one), (2, &mut other)] {
            let expected = text.replace("${id}", &number.to_string()).replace("\\n", "");
            assert_eq!([peer.line(), peer.line()], [expected.clone(), expected]);
        }
        server.type_line("/every");
        server.err.line_with(&format!("1: every 20 ms to all {}", text.replace('\\', "")[..4].to_owned()));
        server.type_line("/every off 1\n@all the end");
        server.err.line_with("-> 1 repetition stopped");
        for peer in [&mut one, &mut other] {
            wait_until("what came before it ended", || (peer.line() == "the end").then_some(()));
            assert!(peer.is_quiet());
        }
    }
}

#[test]
fn newcomers_are_greeted_in_every_mode_and_whom_we_dial_is_not_but_is_answered() {
    for mode in ["--chat", "--echo"] {
        let server = Server::start(&[mode, "--greet", "hello ${id}\\n", "--every", "1h", "x"]);
        assert_eq!(server.connect().line(), "hello 1", "{mode}");
    }
    let target = Target::new();
    let address = target.address.to_string();
    let tap = Server::start(&["--tap", &address, "--greet", "hello\\n", "--every", "20ms", "tick\\n"]);
    let mut client = tap.connect();
    let mut far = target.answers();
    assert_eq!([client.line(), client.line()], ["hello", "tick"]);
    client.send("to the server\n");
    assert_eq!(far.line(), "to the server", "it was told nothing else");

    let (listener, dialled) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), "--dial");
    let address = listener.local_addr().unwrap().to_string();
    let _server = Server::start(&[dialled, &address, "--greet", "hello\\n", "--reply", "ping", "pong\\n"]);
    let mut peer = Peer::over(listener.accept().unwrap().0);
    peer.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(answers(&mut peer, "ping\n", 1), ["pong"]);
}

#[test]
fn who_is_linked_is_answered_by_the_other_and_not_by_rules() {
    let (mut server, mut peers) = Server::with_peers(&["--reply", "ping", "pong\\n"], 2);
    server.type_line("/link 1 2");
    server.wait_for_status("-> #1 and #2 are linked");

    peers[0].send("ping\n");
    assert_eq!(peers[1].line(), "ping");
    peers[1].send("by hand\n");
    assert_eq!(peers[0].line(), "by hand");
    server.type_line("/unlink 1");
    server.wait_for_status("are linked no more");

    assert_eq!(answers(&mut peers[0], "ping\n", 1), ["pong"]);
}

#[test]
fn a_file_under_way_is_not_broken_into() {
    let long = File::of("long", "f".repeat(16 * MIB));
    let mut server = Server::start(&["--reply", "ping", "pong\\n", "--every", "20ms", "tick\\n"]);
    let stream = connect_narrow(server.address);
    let mut peer = Peer::over(stream);
    server.wait_for_status("* #1 connected");
    server.type_line(&format!("/file @1 {}", long.path()));
    server.wait_for_status("16777216 bytes of");
    peer.send("ping\n");
    server.out.line_with("ping");

    let mut before = Vec::new();
    loop {
        let byte = peer.exactly(1);
        if byte == b"f" {
            break;
        }
        before.extend(byte);
    }
    assert!(!String::from_utf8_lossy(&before).contains("pong"));
    assert_eq!(peer.exactly(16 * MIB - 1), vec![b'f'; 16 * MIB - 1]);
    let mut line = peer.line();
    while line == "tick" {
        line = peer.line();
    }
    assert_eq!(line, "pong");
}

#[test]
fn who_does_not_read_its_answers_is_not_read_and_others_are_served_in_bounded_memory() {
    let file = File::of("flood", format!("=\t{}\n=now\tnow\\n\n", "x".repeat(MIB)));
    let server = Server::start(&["--reply-file", file.path()]);
    let before = server.resident_bytes();
    let flooder = connect_narrow(server.address);
    flooder.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let lines = vec![b'\n'; 64 << 10];
    let mut sent = 0;
    while let Ok(count) = (&flooder).write(&lines) {
        sent += count;
        assert!(sent < 64 * MIB, "it is read although it does not read");
    }

    let mut other = server.connect();
    assert_eq!(answers(&mut other, "now\nnow\n", 2), ["now", "now"]);
    let grown = server.resident_bytes().saturating_sub(before) / MIB as u64;
    assert!(grown < 40, "{grown} MiB");
}

#[test]
fn the_operators_commands_are_as_they_were_and_quiet_leaves_out_what_is_answered() {
    let mut server = Server::start(&["--quiet", "--reply", "ping", "pong\\n"]);
    let mut peer = server.connect();
    assert_eq!(answers(&mut peer, "ping\n", 1), ["pong"]);

    let rows = server.who();

    assert_eq!((rows.len(), rows[0].number, rows[0].received), (1, 1, 5));
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("(reply)"));
    server.out.line_with("1\tping");
}
