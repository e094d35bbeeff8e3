//! The transcript, `--log FILE`: what is in it in each mode, who may read it, and how it goes on after a `mv`, in the
//! built server over real sockets.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/desk.rs"]
mod desk;
#[path = "common/tap.rs"]
mod tap;
#[path = "common/transcript.rs"]
mod transcript;

use std::fs;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Program, Server, wait_until};
use desk::Desk;
use serde_json::{Value, json};
use tap::Tap;
use transcript::{Place, check_whole, ends, events_of, file_with, kinds, of_kind, text, times_told};

/// The bytes of messages or of what was sent, one behind the other.
fn payload(events: &[&Value]) -> Vec<u8> {
    let bytes = |event: &&Value| match event.get("text") {
        Some(text) => text.as_str().unwrap().as_bytes().to_vec(),
        None => STANDARD.decode(event["b64"].as_str().unwrap()).unwrap(),
    };
    events.iter().flat_map(bytes).collect()
}

/// Every line is as the schema says.
#[track_caller]
fn check_schema(events: &[Value]) {
    let schema = desk::lines(true);
    for event in events {
        assert!(schema.is_valid(event), "{event}\n{:#?}", schema.validate(event));
    }
}

#[test]
fn in_a_console_it_has_what_was_said_and_all_that_was_sent_whatever_is_hidden() {
    let place = Place::new("console");
    let log = place.file("log");
    let (mut server, mut peers) = Server::with_peers(&["--log", text(&log)], 2);

    server.hears(&mut peers[0], "one");
    peers[1].send("two\r\n");
    server.out.line_with("two");
    server.type_line("@1 hello");
    assert_eq!(peers[0].line(), "hello");
    server.type_line("@all everybody");
    server.type_line("@1,2 both");
    server.type_line("/hex @2 ff 00");
    server.type_line("/mute 1");
    server.type_line("/view hex");
    server.type_line("/every 1h @1 again");
    assert_eq!(peers[1].exactly(17), b"everybody\nboth\n\xff\x00");
    server.wait_for_status("stops it");
    peers[0].send("muted\n");
    file_with(&log, "muted");
    ends(&mut server);

    let events = events_of(&log);
    assert_eq!(check_whole(&events), 0);
    check_schema(&events);
    assert_eq!(payload(&of_kind(&events, "msg")), b"onetwomuted");
    assert_eq!(of_kind(&events, "msg")[1]["end"], "\r\n");
    let sent: Vec<Value> = of_kind(&events, "sent")
        .into_iter()
        .map(|sent| json!([sent.get("ids"), sent.get("to"), sent.get("text"), sent["by"]]))
        .collect();
    assert_eq!(
        sent[..4],
        [
            json!([[1], null, "hello\n", 1]),
            json!([null, "all", "everybody\n", 1]),
            json!([[1, 2], null, "both\n", 1]),
            json!([[2], null, null, 1]),
        ]
    );
    assert_eq!(of_kind(&events, "close").len(), 2);
}

#[test]
fn it_is_the_same_for_every_format_and_a_program_finds_its_own_sends_under_their_numbers() {
    let place = Place::new("formats");
    for format in ["human", "tsv", "raw"] {
        let log = place.file(format);
        let mut server = Server::start(&["--format", format, "--quiet", "--log", text(&log)]);
        let mut peer = server.connect();
        peer.send("hello\n");
        server.out.line_with("hello");
        server.type_line("@1 there");
        assert_eq!(peer.line(), "there");
        ends(&mut server);

        let events = events_of(&log);
        assert_eq!(
            kinds(&events),
            ["listening", "open", "msg", "sent", "stopping", "close", "bye"],
            "{format}"
        );
        assert_eq!(check_whole(&events), 0);
    }
    let log = place.file("json");
    let (mut desk, mut peers) = Desk::with_peers(&["--log", text(&log)], 1);
    let reply = desk.ask(json!({"cmd": "send", "to": 1, "text": "there"}));
    assert_eq!(peers[0].line(), "there");
    desk.ask(json!({"cmd": "quit"}));
    desk.ended();

    let events = events_of(&log);
    assert_eq!(check_whole(&events), 0);
    assert_eq!(of_kind(&events, "sent")[0]["seq"], reply["seq"]);
    assert!(events.iter().all(|event| event["ev"] != "ok"), "it has no replies");
}

#[test]
fn what_is_shown_raw_is_in_it_message_by_message() {
    let place = Place::new("raw");
    for (frame, spelt, messages) in
        [("lines", &b"one\r\ntwo\n"[..], ["one", "two"]), ("len8", b"\x03one\x03two", ["one", "two"])]
    {
        let log = place.file(frame);
        let mut server = Server::start(&["--format", "raw", "--frame", frame, "--log", text(&log)]);
        let mut peer = server.connect();
        peer.send(spelt);
        server.out.wait_for("the bytes", |out| (out == spelt).then_some(()));
        ends(&mut server);

        let events = events_of(&log);
        let told = events[0].get("frame").and_then(Value::as_str);
        assert_eq!(told, Some(frame).filter(|frame| *frame != "lines"), "{}", events[0]);
        let said: Vec<&str> =
            of_kind(&events, "msg").iter().map(|said| said["text"].as_str().unwrap()).collect();
        assert_eq!(said, messages, "{frame}");
        assert_eq!(server.out.so_far(), spelt, "what is shown is what came");
    }
}

#[test]
fn in_a_chat_it_has_what_everybody_says() {
    let place = Place::new("chat");
    let log = place.file("log");
    let (mut server, mut peers) = Server::with_peers(&["--chat", "--log", text(&log)], 2);

    peers[0].send("hello\n");
    while peers[1].line() != "<#1> hello" {}
    server.type_line("welcome");
    while peers[0].line() != "<operator> welcome" {}
    ends(&mut server);

    let events = events_of(&log);
    assert_eq!(check_whole(&events), 0);
    check_schema(&events);
    assert_eq!(payload(&of_kind(&events, "msg")), b"hello");
    let sent = of_kind(&events, "sent");
    assert_eq!(
        (sent[0]["to"].as_str(), sent[0]["text"].as_str()),
        (Some("all"), Some("welcome\n")),
        "{sent:?}"
    );
}

#[test]
fn in_an_echo_it_has_what_came_and_went_back_as_it_came() {
    let place = Place::new("echo");
    let log = place.file("log");
    let mut server = Server::start(&["--echo", "--log", text(&log)]);
    let mut peer = server.connect();
    let said: Vec<u8> = (0..=255).cycle().take(300_000).collect();

    let mut sender = common::Peer::over(peer.stream.try_clone().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(&said));
        assert!(peer.exactly(said.len()) == said, "the echo is exact");
    });
    ends(&mut server);

    let events = events_of(&log);
    assert_eq!(check_whole(&events), 0);
    check_schema(&events);
    assert_eq!(events[0]["frame"], "chunks");
    assert!(payload(&of_kind(&events, "msg")) == said, "what is in the file is what was said");
    let sent = of_kind(&events, "sent");
    assert!(payload(&sent) == said, "and that it went back");
    assert!(sent.iter().all(|sent| sent["by"] == "echo" && sent["ids"] == json!([1])));
    assert_eq!(server.out.so_far(), b"", "an echo shows nothing");
}

#[test]
fn it_has_what_is_said_of_itself_by_whatever_says_it() {
    let place = Place::new("itself");
    let log = place.file("log");
    let mut server = Server::start(&[
        "--log",
        text(&log),
        "--greet",
        "hi\\n",
        "--reply",
        "x",
        "y\\n",
        "--every",
        "50ms",
        "to all\\n",
        "--every",
        "50ms",
        "to ${id}\\n",
    ]);
    let mut peer = server.connect();
    peer.send("x\n");
    server.type_line("/every 50ms @1 typed");
    for line in ["hi", "y", "to all", "to 1", "typed"] {
        while peer.line() != line {}
    }
    ends(&mut server);

    let events = events_of(&log);
    assert_eq!(check_whole(&events), 0);
    check_schema(&events);
    let sent = of_kind(&events, "sent");
    for (text, by) in [
        ("hi\n", "greet"),
        ("y\n", "reply"),
        ("to all\n", "every"),
        ("to 1\n", "every"),
        ("typed\n", "every"),
    ] {
        let is_there = sent.iter().any(|sent| sent["text"] == text && sent["by"] == by);
        assert!(is_there, "{text:?} by {by}: {sent:?}");
    }
}

#[test]
fn it_has_the_bytes_of_a_file_that_was_sent() {
    let place = Place::new("file");
    let (log, path) = (place.file("log"), place.file("firmware"));
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    fs::write(&path, &bytes).unwrap();
    let (mut server, mut peers) = Server::with_peers(&["--log", text(&log)], 2);

    server.type_line(&format!("/file @1,2 {}", text(&path)));
    peers.iter_mut().for_each(|peer| assert!(peer.exactly(bytes.len()) == bytes));
    ends(&mut server);

    let events = events_of(&log);
    assert_eq!(check_whole(&events), 0);
    check_schema(&events);
    let sent = of_kind(&events, "sent");
    assert!(payload(&sent) == bytes);
    assert!(sent.iter().all(|sent| sent["by"] == 1 && sent["ids"] == json!([1, 2])));
}

#[test]
fn in_a_tap_it_has_both_sides_and_where_each_message_went_though_none_is_shown() {
    for is_quiet in [false, true] {
        let place = Place::new("tap");
        let log = place.file("log");
        let quiet: &[&str] = if is_quiet { &["--quiet"] } else { &[] };
        let (mut tap, mut client, mut far) = Tap::with_client(&[&["--log", text(&log)], quiet].concat());

        client.send("question\r\n");
        assert_eq!(far.line(), "question\r");
        far.send("answer\n");
        assert_eq!(client.line(), "answer");
        file_with(&log, "answer");
        ends(&mut tap.server);

        let events = events_of(&log);
        assert_eq!(check_whole(&events), 0);
        check_schema(&events);
        let said: Vec<Value> = events
            .iter()
            .filter(|event| event.get("text").is_some())
            .map(|event| {
                json!([event["ev"], event.get("id"), event.get("ids"), event["text"], event.get("by")])
            })
            .collect();
        assert_eq!(
            said,
            [
                json!(["msg", 1, null, "question", null]),
                json!(["sent", null, [2], "question\r\n", "link"]),
                json!(["msg", 2, null, "answer", null]),
                json!(["sent", null, [1], "answer\n", "link"]),
            ]
        );
        assert_eq!(tap.server.out.so_far().is_empty(), is_quiet, "quiet shows no messages");
    }
}

#[test]
fn its_first_line_says_what_ends_a_message() {
    let place = Place::new("frames");
    for (at, frame) in ["len16le", "silence=20ms", "stx", "lines"].into_iter().enumerate() {
        let log = place.file(&at.to_string());
        let mut server = Server::start(&["--frame", frame, "--log", text(&log)]);
        ends(&mut server);

        let first = events_of(&log).remove(0);
        let told = first.get("frame").and_then(Value::as_str);
        assert_eq!(told, Some(frame).filter(|frame| *frame != "lines"), "{first}");
    }
}

#[test]
fn h65_it_is_its_owners_alone_whatever_the_umask_and_one_that_is_there_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("mode");
    let (log, old) = (place.file("log"), place.file("old"));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::write(&old, "").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();

    let mut server = Server::of(transcript::served_after("umask 0", &["--log", text(&log)]));
    assert_eq!(mode(&log), 0o600);
    assert_eq!(times_told(&server, "the transcript"), 0);
    fs::rename(&log, place.file("moved")).unwrap();
    server.signal("USR1");
    wait_until("a new file", || log.exists().then_some(()));
    assert_eq!(mode(&log), 0o600, "a file that is opened anew is nobody else's, either");
    ends(&mut server);
    let mut server = Server::of(transcript::served_after("umask 0", &["--log", text(&old)]));
    ends(&mut server);
    let told =
        format!("switchboard: the transcript {} is open to others: it keeps its mode 640\n", old.display());
    assert_eq!(times_told(&server, &told), 1);

    assert_eq!(mode(&old), 0o640);
    assert_eq!(check_whole(&events_of(&old)), 0);
}

#[test]
fn what_cannot_be_written_is_told_before_anything_listens() {
    let place = Place::new("refused");
    let pipe = place.file("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, why) in [
        (place.file("none/log"), "No such file or directory"),
        (place.file("."), "Is a directory"),
        (pipe, "it is a pipe that nobody reads"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(["--log", text(&path), "0"]);
        let mut program = Program::start_onto(command, Stdio::null());

        assert_eq!(program.exit_status().code(), Some(1));
        let told = String::from_utf8(program.err.to_end()).unwrap();
        assert_eq!(told, format!("switchboard: cannot write the transcript {}: {why}\n", path.display()));
    }
}

#[test]
fn what_is_played_is_not_appended_to() {
    let place = Place::new("played");
    let (log, link) = (place.file("log"), place.file("link"));
    let script =
        "{\"ev\":\"listening\",\"v\":1}\n{\"ev\":\"open\",\"ts\":\"2026-01-02T03:04:05Z\",\"id\":1}\n";
    fs::write(&log, script).unwrap();
    std::os::unix::fs::symlink(&log, &link).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--play", text(&log), "--log", text(&link), "0"]);

    let mut program = Program::start_onto(command, Stdio::null());

    assert_eq!(program.exit_status().code(), Some(1));
    let told = String::from_utf8(program.err.to_end()).unwrap();
    let why = "it is what --play plays";
    assert_eq!(told, format!("switchboard: cannot write the transcript {}: {why}\n", link.display()));
    assert_eq!(fs::read_to_string(&log).unwrap(), script);
}

#[test]
fn h63_a_torn_line_of_an_earlier_run_stays_the_only_one() {
    let place = Place::new("torn");
    let log = place.file("log");
    fs::write(&log, "{\"ev\":\"listening\",\"v\":1}\n{\"ev\":\"op").unwrap();

    ends(&mut Server::start(&["--log", text(&log)]));
    ends(&mut Server::start(&["--log", text(&log)]));

    let written = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    let broken = lines.iter().filter(|line| serde_json::from_str::<Value>(line).is_err());
    assert_eq!(broken.collect::<Vec<_>>(), [&"{\"ev\":\"op"], "{written}");
    assert_eq!(written.matches("\"listening\"").count(), 3);
    assert!(!written.contains("\n\n"), "{written}");
}

#[test]
fn h63_moved_away_and_opened_anew_it_misses_nothing() {
    let place = Place::new("rotated");
    let log = place.file("log");
    let mut server = Server::start(&["--log", text(&log)]);
    let mut peer = server.connect();

    let mut files = Vec::new();
    for number in 0..4 {
        peer.send(format!("before {number}\n").repeat(1000));
        file_with(&log, &format!("before {number}"));
        let moved = place.file(&format!("log.{number}"));
        fs::rename(&log, &moved).unwrap();
        peer.send(format!("while {number}\n").repeat(1000));
        server.signal("USR1");
        wait_until("a new file", || log.exists().then_some(()));
        files.push(moved);
    }
    peer.send("the last\n");
    server.out.line_with("the last");
    ends(&mut server);

    files.push(log);
    let events: Vec<Value> = files.iter().flat_map(|file| events_of(file)).collect();
    assert_eq!(check_whole(&events), 0);
    assert_eq!(of_kind(&events, "msg").len(), 8001);
}

#[test]
fn h63_a_new_file_begins_with_where_it_listens_and_who_is_here_and_one_that_is_the_same_does_not() {
    let place = Place::new("begins");
    let (log, moved) = (place.file("log"), place.file("moved"));
    let mut server = Server::start(&["--frame", "crlf", "--log", text(&log)]);
    let mut peer = server.connect();
    peer.send("one\r\n");
    server.out.line_with("one");
    server.type_line("/name 1 lab-a");
    file_with(&log, "lab-a");

    // Nobody has moved it: it goes on, and that it was asked for is not to be seen.
    server.signal("USR1");
    server.type_line("@1 hello");
    assert_eq!(peer.line(), "hello\r");
    file_with(&log, "hello");
    fs::rename(&log, &moved).unwrap();
    server.signal("USR1");
    file_with(&log, "\"past\"");
    peer.send("two\r\n");
    server.out.line_with("two");
    ends(&mut server);

    let old = events_of(&moved);
    assert_eq!(of_kind(&old, "listening").len(), 1);
    let new = events_of(&log);
    check_schema(&new);
    assert_eq!(kinds(&new)[..3], ["listening", "open", "msg"], "{new:?}");
    assert_eq!((&new[0]["frame"], &new[0]["run"]), (&"crlf".into(), &old[0]["run"]));
    let here = json!([new[1]["id"], new[1]["peer"], new[1]["name"], new[1]["past"]]);
    assert_eq!(here, json!([1, old[1]["peer"], "lab-a", true]));
    assert_eq!(check_whole(&[old, new].concat()), 0);
}

#[test]
fn h63_if_it_cannot_be_opened_anew_it_goes_on_in_the_old_file_and_says_why() {
    let place = Place::new("stays");
    let (log, moved) = (place.file("log"), place.file("moved"));
    let mut server = Server::start(&["--log", text(&log)]);
    let mut peer = server.connect();

    fs::rename(&log, &moved).unwrap();
    fs::create_dir(&log).unwrap();
    server.signal("USR1");
    let why = "Is a directory; it goes on in the file it has";
    server.wait_for_status(&format!("cannot reopen the transcript {}: {why}", log.display()));
    server.hears(&mut peer, "after that");
    ends(&mut server);

    let events = events_of(&moved);
    assert_eq!(check_whole(&events), 0);
    assert_eq!(payload(&of_kind(&events, "msg")), b"after that");
    assert_eq!(times_told(&server, "cannot reopen"), 1);
}

#[test]
fn it_is_whole_though_nobody_reads_stdout_any_more() {
    let place = Place::new("unread");
    let log = place.file("log");
    let shell = format!("exec 3>&2; \"$0\" --log {} 0 2>&3 | head -n 1", text(&log));
    let mut command = Command::new("bash");
    command.args(["-c", &shell, env!("CARGO_BIN_EXE_switchboard")]);
    let program = Program::start(command);
    let address = program.err.line_with("listening on ").rsplit(' ').next().unwrap().parse().unwrap();

    let mut peer = common::Peer::connect(address);
    peer.send("first\n");
    program.out.line_with("first");
    // Whatever is written next finds that head has left.
    peer.send("second\n");
    peer.read_to_any_end();

    file_with(&log, "\"bye\"");
    let events = events_of(&log);
    assert_eq!(check_whole(&events), 0);
    assert_eq!(payload(&of_kind(&events, "msg")), b"firstsecond");
}
