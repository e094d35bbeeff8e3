//! JSON version 1: a program at both ends of the built server. Whatever is said in these tests, and whatever comes, is
//! held against docs/desk.schema.json when the server has ended; every reply against its command; `seq` against holes.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Peer, Program, Random, connect_narrow, has_tool};
use desk::{Desk, codes, schema};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// The bytes of a message or of what was sent.
fn payload(line: &Value) -> Vec<u8> {
    match line.get("text") {
        Some(text) => text.as_str().unwrap().as_bytes().to_vec(),
        None => STANDARD.decode(line["b64"].as_str().unwrap()).unwrap(),
    }
}

fn strings(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// What stands in quotes between two marks of a source.
fn quoted(source: &str, from: &str, to: &str) -> BTreeSet<String> {
    let part = source.split(from).nth(1).unwrap().split(to).next().unwrap();
    part.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_schema_has_the_codes_and_the_reasons_of_the_source() {
    let schema = schema();
    let refusals = include_str!("../src/desk/refusal.rs");
    let reasons = include_str!("../src/conn/reason.rs");

    assert_eq!(strings(&schema["$defs"]["code"]["enum"]), quoted(refusals, "pub const CODES", "];"));
    assert_eq!(
        strings(&schema["$defs"]["reason"]["enum"]),
        quoted(reasons, "pub fn code(&self)", "impl FaultEnd")
    );
}

#[test]
fn docs_scripting_explains_each_code_and_each_reason() {
    let schema = schema();
    let page = include_str!("../docs/scripting.md");

    for part in ["code", "reason"] {
        for word in strings(&schema["$defs"][part]["enum"]) {
            assert!(page.contains(&format!("\n| `{word}` | ")), "{part} {word:?} has no row");
        }
    }
}

#[test]
fn the_examples_of_docs_scripting_are_lines_of_version_1() {
    let (lines, commands) = (desk::lines(true), desk::commands());
    let page = include_str!("../docs/scripting.md");
    let mut found = (0, 0);

    for example in page.lines().filter(|line| !line.contains('…')) {
        if let Some(line) = example.strip_prefix("    > ").and_then(|line| serde_json::from_str(line).ok()) {
            assert!(lines.is_valid(&line), "{line}");
            found.0 += 1;
        }
        if let Some(line) = example.strip_prefix("    < {") {
            let command: Value = serde_json::from_str(&format!("{{{line}")).unwrap();
            assert_eq!(commands.is_valid(&command), command.get("txt").is_none(), "{line}");
            found.1 += 1;
        }
    }

    assert!(found.0 > 40 && found.1 > 20, "{found:?}");
}

#[test]
fn the_schema_refuses_what_is_no_line_of_version_1() {
    let validator = desk::lines(false);
    for line in [
        json!({}),
        json!([]),
        json!({"ev": "opened"}),
        json!({"ev": "ok"}),
        json!({"ev": "ok", "ref": 1.5, "id": 1}),
        json!({"ev": "ok", "ref": 1, "queued": 1, "bytes": 3}),
        json!({"ev": "error", "msg": "no"}),
        json!({"ev": "error", "code": "other", "msg": "no"}),
        json!({"ev": "msg", "seq": 1, "ts": "2026-01-02T03:04:05.678901Z", "id": 3}),
        json!({"ev": "msg", "seq": 1, "ts": "2026-01-02T03:04:05.678901Z", "id": 3, "text": "", "b64": ""}),
        json!({"ev": "msg", "seq": 1, "ts": "2026-01-02 03:04:05", "id": 3, "text": ""}),
        json!({"ev": "msg", "seq": 1, "ts": "2026-01-02T03:04:05.678901Z", "id": "3", "text": ""}),
        json!({"ev": "eof", "ts": "2026-01-02T03:04:05.678901Z", "id": 3}),
    ] {
        assert!(!validator.is_valid(&line), "{line}");
    }
    for line in [
        json!({"ev": "hello", "v": 1, "run": "9f2c", "desk": 2}),
        json!({"ev": "open", "ts": "2026-01-02T03:04:05.678901Z", "id": 3, "peer": "127.0.0.1:5", "via": "tls",
               "for": 1, "state": "open", "past": true}),
        json!({"ev": "sent", "seq": 3, "ts": "2026-01-02T03:04:05.678901Z", "to": "all", "text": "hi\n", "by": "reply"}),
        json!({"ev": "eof", "seq": 3, "ts": "2026-01-02T03:04:05.678901Z", "id": 3, "added later": true}),
    ] {
        assert!(validator.is_valid(&line), "{line}");
    }
}

#[test]
fn a_message_comes_as_it_was_with_its_ending_or_why_it_has_none() {
    let (mut desk, mut peers) = Desk::with_peers(&["--max-line", "16"], 1);
    let peer = &mut peers[0];

    peer.send(b"hello\ndos\r\n\r\n\n\xe4\xbd\xa0\xe5\xa5\xbd\n\xff\xfe\n\0\x1b[2J\x7f\"\\\n");
    peer.send("a".repeat(40) + "\n");
    for expected in [
        json!({"text": "hello"}),
        json!({"text": "dos", "end": "\r\n"}),
        json!({"text": "", "end": "\r\n"}),
        json!({"text": ""}),
        json!({"text": "你好"}),
        json!({"b64": "//4="}),
        json!({"text": "\0\u{1b}[2J\u{7f}\"\\"}),
        json!({"text": "a".repeat(16), "part": "limit"}),
        json!({"text": "a".repeat(16), "part": "limit"}),
        json!({"text": "a".repeat(8)}),
    ] {
        let mut message = desk.about("msg", 1);
        let keys = message.as_object_mut().unwrap();
        keys.retain(|key, _| !["ev", "seq", "ts", "id"].contains(&&**key));
        assert_eq!(message, expected);
    }
    peer.send("no ending");
    let silent = desk.about("msg", 1);
    peer.send("last words");
    peer.finish();
    let last = desk.about("msg", 1);
    let end = desk.about("eof", 1);

    assert_eq!((&silent["text"], &silent["part"]), (&json!("no ending"), &json!("silence")));
    assert_eq!((&last["text"], &last["part"]), (&json!("last words"), &json!("eof")));
    assert!(last["seq"].as_u64() < end["seq"].as_u64());
    assert_eq!(desk.ask(json!({"cmd": "send", "to": 1, "text": "an answer"}))["bytes"], 10);
    assert_eq!(desk.ask(json!({"cmd": "close", "to": 1, "how": "eof"}))["how"], "eof");
    assert_eq!(peer.read_to_end(), b"an answer\n");
    assert_eq!(desk.about("close", 1)["reason"], "finished");
    desk.quit();
}

#[test]
fn what_is_sent_reaches_those_who_are_meant_once_and_exactly() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 3);
    desk.ask(json!({"cmd": "name", "id": 2, "name": "lab-a"}));
    desk.ask(json!({"cmd": "name", "id": 3, "name": "lab-b"}));

    for (command, queued, bytes, expected) in [
        (json!({"to": 1, "text": "to a number"}), 1, 12, ["to a number\n", "", ""]),
        (json!({"to": "lab-a", "text": "a name"}), 1, 7, ["", "a name\n", ""]),
        (json!({"to": "LAB-B", "text": "its case"}), 1, 9, ["", "", "its case\n"]),
        (json!({"to": "lab-*", "text": "a glob"}), 2, 7, ["", "a glob\n", "a glob\n"]),
        (json!({"to": "lab-[!b]", "text": "a class"}), 1, 8, ["", "a class\n", ""]),
        (json!({"to": [3, "lab-*", 1, 1], "text": "a list"}), 3, 7, ["a list\n", "a list\n", "a list\n"]),
        (json!({"to": ["all", 1], "text": "all"}), 3, 4, ["all\n", "all\n", "all\n"]),
        (json!({"to": "all", "text": "每个人"}), 3, 10, ["每个人\n", "每个人\n", "每个人\n"]),
        (json!({"to": 1, "text": "a\r\n\0", "eol": false}), 1, 4, ["a\r\n\0", "", ""]),
        (json!({"to": 1, "text": "b", "eol": true}), 1, 2, ["b\n", "", ""]),
        (json!({"to": 1, "text": ""}), 1, 1, ["\n", "", ""]),
        (json!({"to": 1, "text": "x\ny"}), 1, 4, ["x\ny\n", "", ""]),
        (json!({"to": [1, 2], "b64": "AAECAw=="}), 2, 4, ["\0\x01\x02\x03", "\0\x01\x02\x03", ""]),
        (json!({"to": 1, "b64": ""}), 1, 0, ["", "", ""]),
    ] {
        let mut command = command.clone();
        command["cmd"] = json!("send");
        let reply = desk.ask(command.clone());

        assert_eq!((&reply["queued"], &reply["bytes"]), (&json!(queued), &json!(bytes)), "{command}");
        for (peer, expected) in peers.iter_mut().zip(expected) {
            assert_eq!(String::from_utf8(peer.exactly(expected.len())).unwrap(), expected, "{command}");
        }
    }
    desk.ask(json!({"cmd": "close", "to": "all"}));
    for peer in &mut peers {
        assert_eq!(peer.read_to_end(), b"", "and nothing else");
    }
    desk.quit();
}

/// Commands that each say something wrong, the code, and a part of the words.
fn wrong_lines() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        ("", "bad-json", "no JSON object"),
        ("hello", "bad-json", "no JSON object"),
        ("7", "bad-json", "integer"),
        ("[]", "bad-json", "sequence"),
        ("\"x\"", "bad-json", "string"),
        ("null", "bad-json", "null"),
        (r#"{"cmd":"who""#, "bad-json", "EOF"),
        (r#"{"cmd":"who"} x"#, "bad-json", "trailing"),
        (r#"{"ref":1}"#, "bad-request", "\"cmd\" is missing"),
        (r#"{"cmd":7,"ref":1}"#, "bad-request", "\"cmd\" has to be a string"),
        (r#"{"cmd":"sned","ref":1}"#, "unknown-command", "\"sned\""),
        (r#"{"cmd":"who","ref":1.5}"#, "bad-request", "\"ref\""),
        (r#"{"cmd":"who","ref":null}"#, "bad-request", "\"ref\""),
        (r#"{"cmd":"who","ref":{}}"#, "bad-request", "\"ref\""),
        (r#"{"cmd":"who","glob":"a b","ref":1}"#, "bad-request", "\"glob\""),
        (r#"{"cmd":"who","glob":"","ref":1}"#, "bad-request", "\"glob\""),
        (r#"{"cmd":"who","glob":"3","ref":1}"#, "bad-request", "\"glob\""),
        (r#"{"cmd":"stats","to":1,"ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":1,"txt":"x","ref":1}"#, "bad-request", "\"text\" or \"b64\""),
        (r#"{"cmd":"send","to":1,"ref":1}"#, "bad-request", "\"text\" or \"b64\""),
        (r#"{"cmd":"send","text":"x","ref":1}"#, "bad-request", "\"to\" is missing"),
        (r#"{"cmd":"send","to":-1,"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":1.5,"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":null,"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":true,"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":{"id":1},"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":[[1]],"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":[1,null],"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":[1,-1],"text":"x","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":"last","text":"x","ref":1}"#, "last-is-a-race", "race"),
        (r#"{"cmd":"send","to":[1,"last"],"text":"x","ref":1}"#, "last-is-a-race", "race"),
        (r#"{"cmd":"send","to":1,"text":7,"ref":1}"#, "bad-request", "\"text\""),
        (r#"{"cmd":"send","to":1,"text":null,"ref":1}"#, "bad-request", "\"text\""),
        (r#"{"cmd":"send","to":1,"text":"x","b64":"","ref":1}"#, "bad-request", "exclude"),
        (r#"{"cmd":"send","to":1,"b64":"A","ref":1}"#, "bad-request", "\"b64\""),
        (r#"{"cmd":"send","to":1,"b64":"AB==","ref":1}"#, "bad-request", "\"b64\""),
        (r#"{"cmd":"send","to":1,"b64":"AA=","ref":1}"#, "bad-request", "\"b64\""),
        (r#"{"cmd":"send","to":1,"b64":"AA","ref":1}"#, "bad-request", "\"b64\""),
        (r#"{"cmd":"send","to":1,"b64":"A-_A","ref":1}"#, "bad-request", "\"b64\""),
        (r#"{"cmd":"send","to":1,"b64":"AA==","eol":false,"ref":1}"#, "bad-request", "\"eol\""),
        (r#"{"cmd":"send","to":1,"text":"x","eol":0,"ref":1}"#, "bad-request", "\"eol\""),
        (r#"{"cmd":"send","to":1,"text":"x","how":"rst","ref":1}"#, "bad-request", "\"how\""),
        (r#"{"cmd":"close","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"close","to":1,"how":"no","ref":1}"#, "bad-request", "\"how\""),
        (r#"{"cmd":"close","to":1,"how":"eof","text":"x","ref":1}"#, "bad-request", "\"text\""),
        (r#"{"cmd":"show","ref":1}"#, "bad-request", "\"id\" is missing"),
        (r#"{"cmd":"show","id":"1","ref":1}"#, "bad-request", "\"id\""),
        (r#"{"cmd":"show","id":1,"count":-1,"ref":1}"#, "bad-request", "\"count\""),
        (r#"{"cmd":"done","id":[1],"ref":1}"#, "bad-request", "\"id\""),
        (r#"{"cmd":"name","name":"x","ref":1}"#, "bad-request", "\"id\""),
        (r#"{"cmd":"name","id":1,"name":null,"ref":1}"#, "bad-request", "\"name\""),
        (r#"{"cmd":"dial","ref":1}"#, "bad-request", "\"addr\""),
        (r#"{"cmd":"dial","addr":7,"ref":1}"#, "bad-request", "\"addr\""),
        (r#"{"cmd":"every","every":5,"to":1,"text":"x","ref":1}"#, "bad-request", "\"every\""),
        (r#"{"cmd":"every","every":"9ms","to":1,"text":"x","ref":1}"#, "bad-request", "\"every\""),
        (r#"{"cmd":"every","every":"86401s","to":1,"text":"x","ref":1}"#, "bad-request", "\"every\""),
        (r#"{"cmd":"every","every":"5s","ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"every","every":"5s","to":1,"ref":1}"#, "bad-request", "\"text\""),
        (r#"{"cmd":"every","every":"5s","off":1,"ref":1}"#, "bad-request", "exclude"),
        (r#"{"cmd":"every","off":"some","ref":1}"#, "bad-request", "\"off\""),
        (r#"{"cmd":"every","off":1,"to":1,"ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"every","to":1,"ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"fault","id":1,"ref":1}"#, "bad-request", "\"id\""),
        (r#"{"cmd":"quit","to":1,"ref":1}"#, "bad-request", "\"to\""),
        (r#"{"cmd":"fault","ref":1}"#, "bad-request", "\"to\" is missing"),
        (r#"{"cmd":"fault","to":1,"spec":7,"ref":1}"#, "bad-request", "\"spec\""),
        (r#"{"cmd":"fault","to":1,"spec":"out:stal","ref":1}"#, "bad-fault", "is it stall?"),
        (r#"{"cmd":"fault","to":1,"spec":"","ref":1}"#, "bad-fault", "no fault is named"),
        (r#"{"cmd":"fault","to":1,"spec":"down","ref":1}"#, "bad-fault", "newcomers only"),
        (r#"{"cmd":"fault","to":"new","spec":"toxicity=0.1","ref":1}"#, "bad-fault", "breaks nothing"),
        (r#"{"cmd":"fault","to":["new",1],"spec":"stall","ref":1}"#, "no-such-conn", "new"),
        (r#"{"cmd":"fault","to":"last","spec":"stall","ref":1}"#, "last-is-a-race", "race"),
        (r#"{"cmd":"link","ref":1}"#, "bad-request", "\"ids\" is missing"),
        (r#"{"cmd":"link","ids":3,"ref":1}"#, "bad-request", "\"ids\""),
        (r#"{"cmd":"link","ids":[1],"ref":1}"#, "bad-request", "\"ids\" has to be a list of two numbers"),
        (r#"{"cmd":"link","ids":[1,2,3],"ref":1}"#, "bad-request", "\"ids\""),
        (r#"{"cmd":"link","ids":[1,"all"],"ref":1}"#, "bad-request", "\"ids\""),
        (r#"{"cmd":"link","ids":[1,1],"ref":1}"#, "loop", "cannot link #1 to itself"),
        (r#"{"cmd":"unlink","ref":1}"#, "bad-request", "\"id\" is missing"),
        (r#"{"cmd":"unlink","id":1,"ref":1}"#, "not-linked", "#1 is not linked"),
        (r#"{"cmd":"learn","ref":1}"#, "nothing-to-learn", "nobody was answered yet"),
    ]
}

#[test]
fn a_wrong_line_sends_nothing_and_the_server_and_the_schema_refuse_the_same() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 1);

    for (line, code, words) in wrong_lines() {
        let reply = desk.ask_line(line, true);

        assert_eq!((&reply["ev"], &reply["code"]), (&json!("error"), &json!(code)), "{line} -> {reply}");
        assert!(reply["msg"].as_str().unwrap().contains(words), "{line} -> {reply}");
    }

    desk.ask(json!({"cmd": "send", "to": 1, "text": "the first"}));
    assert_eq!(peers[0].line(), "the first");
    desk.quit();
}

#[test]
fn periods_from_10_ms_to_a_day_are_taken_and_no_others_and_the_schema_agrees() {
    let (mut desk, _peers) = Desk::with_peers(&[], 1);
    for (period, is_one) in [
        ("10ms", true),
        ("9ms", false),
        ("00010ms", true),
        ("86400000ms", true),
        ("86400001ms", false),
        ("9999999ms", true),
        ("1s", true),
        ("0s", false),
        ("86400s", true),
        ("86401s", false),
        ("1440m", true),
        ("1441m", false),
        ("24h", true),
        ("25h", false),
        ("1d", false),
        ("5", false),
        ("s", false),
        ("5 s", false),
        ("-5s", false),
        ("1.5s", false),
        ("", false),
    ] {
        let reply = desk.ask(json!({"cmd": "every", "every": period, "to": 1, "text": "x"}));
        assert_eq!(reply["ev"] == "ok", is_one, "{period}: {reply}");
        if is_one {
            desk.ask(json!({"cmd": "every", "off": "all"}));
        }
    }
    desk.quit();
}

#[test]
fn every_code_that_a_program_can_be_told_is_told() {
    let mut told = BTreeSet::new();
    let (mut desk, mut peers) = Desk::with_peers(&["--queue-max", "256K"], 4);
    let send = |to: Value| json!({"cmd": "send", "to": to, "text": "x"});
    drop(peers.pop());
    desk.about("eof", 4);
    desk.ask(json!({"cmd": "close", "to": 4, "how": "rst"}));
    desk.about("close", 4);
    desk.ask(json!({"cmd": "close", "to": 3, "how": "eof"}));
    desk.ask(json!({"cmd": "name", "id": 1, "name": "lab-a"}));
    for (command, code) in [
        (send(json!(99)), "no-such-conn"),
        (send(json!(0)), "no-such-conn"),
        (send(json!("1")), "no-such-conn"),
        (send(json!("nobody")), "no-such-conn"),
        (send(json!("x*")), "no-such-conn"),
        (send(json!("two words")), "no-such-conn"),
        (send(json!([1, 99])), "no-such-conn"),
        (send(json!([1, "x*"])), "no-such-conn"),
        (send(json!(4)), "gone"),
        (send(json!([4])), "gone"),
        (send(json!(3)), "finished"),
        (send(json!([3, 4])), "none-sent"),
        (send(json!([])), "nobody"),
        (json!({"cmd": "send", "to": 1, "text": "x".repeat(256 << 10)}), "too-long"),
        (json!({"cmd": "name", "id": 2, "name": "LAB-A"}), "name-taken"),
        (json!({"cmd": "name", "id": 2, "name": "3"}), "bad-name"),
        (json!({"cmd": "name", "id": 2, "name": "all"}), "bad-name"),
        (json!({"cmd": "name", "id": 4, "name": "x"}), "gone"),
        (json!({"cmd": "done", "id": 4}), "gone"),
        (json!({"cmd": "close", "to": 4}), "gone"),
        (json!({"cmd": "close", "to": "x"}), "no-such-conn"),
        (json!({"cmd": "show", "id": 99}), "no-such-conn"),
        (json!({"cmd": "every", "off": 7}), "no-such-every"),
        (json!({"cmd": "every", "every": "1h", "to": 4, "text": "x"}), "gone"),
        (json!({"cmd": "dial", "addr": "nowhere"}), "bad-address"),
        (json!({"cmd": "dial", "addr": "127.0.0.1:7", "name": "lab-a"}), "name-taken"),
        (json!({"cmd": "learn"}), "nothing-to-learn"),
        (json!({"cmd": "fault", "to": 1, "spec": "loss=1"}), "bad-fault"),
        (json!({"cmd": "fault", "to": 4, "spec": "stall"}), "gone"),
        (json!({"cmd": "link", "ids": [1, 3]}), "finished"),
        (json!({"cmd": "link", "ids": [1, 4]}), "gone"),
        (json!({"cmd": "link", "ids": [1, 99]}), "no-such-conn"),
        (json!({"cmd": "link", "ids": [2, 2]}), "loop"),
        (json!({"cmd": "unlink", "id": 4}), "gone"),
        (json!({"cmd": "unlink", "id": 2}), "not-linked"),
        (send(json!("last")), "last-is-a-race"),
        (json!({"cmd": "nothing"}), "unknown-command"),
        (json!({"cmd": "who", "how": "rst"}), "bad-request"),
    ] {
        assert_eq!(desk.refused(command.clone()), code, "{command}");
    }
    for _ in 0..100 {
        desk.ask(json!({"cmd": "every", "every": "24h", "to": 1, "text": "x"}));
    }
    assert_eq!(desk.refused(json!({"cmd": "every", "every": "24h", "to": 1, "text": "x"})), "too-many");
    assert_eq!(desk.ask(json!({"cmd": "link", "ids": [1, 2]}))["ids"], json!([1, 2]));
    assert_eq!(desk.refused(json!({"cmd": "link", "ids": [2, 1]})), "linked");
    desk.ask(json!({"cmd": "unlink", "id": 2}));
    let full = fill(&mut desk, 2);
    assert_eq!(full["code"], "full");
    desk.ask_line("no JSON", true);
    desk.ask(json!({"cmd": "close", "to": "all", "how": "rst"}));
    desk.say_all([json!({"cmd": "quit"}), json!({"cmd": "who"})]);
    told.extend(codes(&desk.ended()));
    drop(peers);
    let (mut mute, _peers) = Desk::with_peers(&["--echo"], 1);
    assert_eq!(mute.refused(send(json!(1))), "mute");
    told.extend(codes(&mute.quit()));

    let (mut looks, _peers) = Desk::with_peers(&[], 1);
    looks.ask(json!({"cmd": "desk", "watch": true}));
    assert_eq!(looks.refused(send(json!(1))), "not-allowed");
    looks.server.signal("TERM");
    told.extend(codes(&looks.ended()));

    let mut all = strings(&schema()["$defs"]["code"]["enum"]);
    // A program has no current target, sends no files, and so repeats none, which is not built yet.
    for of_typed_commands in ["no-target", "file", "not-yet"] {
        assert!(all.remove(of_typed_commands));
    }
    assert_eq!(told, all);
}

#[test]
fn who_is_linked_is_told_and_what_is_passed_on_with_its_ending() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 2);
    assert_eq!(desk.ask(json!({"cmd": "link", "ids": [2, 1]}))["ids"], json!([2, 1]));
    let linked = desk.event("link");
    assert_eq!((&linked["ids"], &linked["by"]), (&json!([2, 1]), &json!(1)));

    for (said, passed_on) in
        [(&b"hello\r\n"[..], &b"hello\r\n"[..]), (b"\xff\n", b"\xff\n"), (b"pass", b"pass")]
    {
        peers[0].send(said);
        let (msg, sent) = (desk.about("msg", 1), desk.event("sent"));
        assert_eq!((&sent["ids"], &sent["by"]), (&json!([2]), &json!("link")));
        assert_eq!(payload(&sent), passed_on);
        assert_eq!(sent["seq"].as_u64().unwrap(), msg["seq"].as_u64().unwrap() + 1);
    }
    let rows = desk.ask(json!({"cmd": "who"}));
    assert_eq!((&rows["conns"][0]["link"], &rows["conns"][1]["link"]), (&json!(2), &json!(1)));
    assert_eq!(desk.ask(json!({"cmd": "pending"}))["conns"], json!([]), "neither waits");
    assert_eq!(desk.ask(json!({"cmd": "unlink", "id": 1}))["ids"], json!([1, 2]));
    assert_eq!(desk.event("unlink")["ids"], json!([1, 2]));
    assert_eq!(desk.ask(json!({"cmd": "who"}))["conns"][0].get("link"), None);
    desk.ask(json!({"cmd": "close", "to": "all", "how": "rst"}));
    desk.quit();
}

#[test]
fn a_taps_target_side_is_told_with_whom_it_is_for() {
    let target = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap().to_string();
    let (mut desk, _clients) = Desk::with_peers(&["--tap", &address], 1);

    let opened = desk.about("open", 2);

    assert_eq!((&opened["for"], &opened["dialed"]), (&json!(1), &json!(true)));
    assert_eq!(opened["peer"], address);
    assert_eq!(desk.refused(json!({"cmd": "link", "ids": [1, 2]})), "linked");
    desk.ask(json!({"cmd": "close", "to": "all", "how": "rst"}));
    desk.quit();
}

/// Sends to a peer that does not read until that is refused; returns the error.
#[track_caller]
fn fill(desk: &mut Desk, id: u64) -> Value {
    for _ in 0..2000 {
        let reply = desk.ask(json!({"cmd": "send", "to": id, "text": "x".repeat(64 << 10)}));
        if reply["ev"] == "error" {
            return reply;
        }
    }
    panic!("it takes everything");
}

#[test]
fn who_waits_is_told_shown_and_struck_off_and_names_stay_with_their_numbers() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 2);
    peers[1].send("first\nsecond\n");
    desk.about("msg", 2);
    desk.about("msg", 2);
    peers[0].send(b"\xff?\n");
    desk.about("msg", 1);

    assert_eq!(desk.ask(json!({"cmd": "name", "id": 2, "name": "лаб-2"}))["name"], "лаб-2");
    assert_eq!(desk.event("name")["by"], 1);
    let pending = desk.ask(json!({"cmd": "pending"}));
    let rows = desk.ask(json!({"cmd": "who"}));
    let named = desk.ask(json!({"cmd": "who", "glob": "ЛАБ-*"}).clone());
    desk.ask(json!({"cmd": "send", "to": 2, "text": "yes"}));
    desk.ask(json!({"cmd": "done", "id": 1}));
    let done = desk.event("done");
    let left = desk.ask(json!({"cmd": "pending"}));
    let shown = desk.ask(json!({"cmd": "show", "id": 2}));
    let last = desk.ask(json!({"cmd": "show", "id": 2, "count": 1}));
    let unnamed = desk.ask(json!({"cmd": "name", "id": 2}));

    let asked: Vec<(&Value, &Value, &Value)> = pending["conns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["id"], &one["text"], &one["b64"]))
        .collect();
    let null = Value::Null;
    assert_eq!(asked, [(&json!(2), &json!("first"), &null), (&json!(1), &null, &json!("/z8="))]);
    assert_eq!(pending["conns"][0]["name"], "лаб-2");
    assert_eq!(rows["conns"].as_array().unwrap().len(), 2);
    let row = &rows["conns"][1];
    assert_eq!((&row["rx"], &row["tx"], &row["state"]), (&json!(13), &json!(0), &json!("open")));
    assert!(row["pending"].is_string() && rows["conns"][0]["pending"].is_string(), "{rows}");
    assert_eq!(named["conns"].as_array().unwrap().len(), 1);
    assert_eq!((&done["id"], &done["by"]), (&json!(1), &json!(1)));
    assert_eq!(left["conns"], json!([]));
    let told = |one: &Value| (one["text"].as_str().unwrap().to_owned(), one.get("ours").is_some());
    let kept: Vec<(String, bool)> = shown["msgs"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(kept, [("first".into(), false), ("second".into(), false), ("yes".into(), true)]);
    assert_eq!(last["msgs"].as_array().unwrap().len(), 1);
    assert_eq!((unnamed.get("name"), &unnamed["id"]), (None, &json!(2)));
    let stats = desk.ask(json!({"cmd": "stats"}));
    assert_eq!(
        (&stats["conns_now"], &stats["opened"], &stats["messages"]),
        (&json!(2), &json!(2), &json!(3))
    );
    assert!(!desk.ask(json!({"cmd": "help"}))["help"].as_array().unwrap().is_empty());
    desk.quit();
}

#[test]
fn a_dial_is_answered_at_once_and_comes_about_or_not_under_its_number() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut desk = Desk::start(&[]);

    let dialled = desk.ask(json!({"cmd": "dial", "addr": open.to_string(), "name": "plc"}));
    let mut far = Peer::over(listener.accept().unwrap().0);
    let opened = desk.about("open", 1);
    desk.ask(json!({"cmd": "send", "to": "plc", "text": "hello"}));
    let heard = far.line();
    let in_vain = desk.ask(json!({"cmd": "dial", "addr": closed.to_string()}));
    let failed = desk.about("close", 2);

    assert_eq!((&dialled["id"], &dialled["addr"]), (&json!(1), &json!(open.to_string())));
    assert_eq!((&opened["dialed"], &opened["name"]), (&json!(true), &json!("plc")));
    assert_eq!((heard.as_str(), &in_vain["id"]), ("hello", &json!(2)));
    assert_eq!((&failed["reason"], &failed["msg"]), (&json!("cannot-connect"), &json!("Connection refused")));
    let lines = desk.quit();
    let opens = lines.iter().filter(|line| line["ev"] == "open").count();
    assert_eq!(opens, 1, "a dial that does not come about opens nothing");
}

#[test]
fn what_is_repeated_is_told_each_time_and_ends_with_whom_it_is_for() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 2);

    let begun = desk.ask(json!({"cmd": "every", "every": "20ms", "to": [1], "text": "tick"}));
    let bytes = desk.ask(json!({"cmd": "every", "every": "24h", "to": "all", "b64": "/w=="}));
    let told = desk.event("every");
    let list = desk.ask(json!({"cmd": "every"}));
    let (first, second) = (desk.event("sent"), desk.event("sent"));
    let heard = (peers[0].line(), peers[0].line());
    desk.ask(json!({"cmd": "close", "to": 1, "how": "rst"}));
    let ended = desk.event_where("every", |event| event.get("off").is_some());
    let off = desk.ask(json!({"cmd": "every", "off": 2}));
    let all = desk.ask(json!({"cmd": "every", "off": "all"}));

    assert_eq!((&begun["n"], &begun["ms"], &bytes["n"]), (&json!(1), &json!(20), &json!(2)));
    assert_eq!((&told["n"], &told["ms"]), (&json!(1), &json!(20)));
    assert_eq!(
        list["every"],
        json!([{"n": 1, "ms": 20, "to": [1], "text": "tick"},
               {"n": 2, "ms": 86_400_000, "to": "all", "b64": "/w=="}])
    );
    for sent in [first, second] {
        assert_eq!((&sent["ids"], &sent["by"]), (&json!([1]), &json!("every")));
        assert_eq!(String::from_utf8(payload(&sent)).unwrap().trim_end(), "tick");
    }
    assert_eq!(heard, ("tick".into(), "tick".into()));
    assert_eq!((&ended["n"], &ended["msg"]), (&json!(1), &json!("those it was for are gone")));
    assert_eq!((&off["off"], &all["off"]), (&json!(1), &json!(0)));
    desk.quit();
}

#[test]
fn each_way_of_closing_does_what_it_says_and_the_close_tells_why() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 7);
    let close = |desk: &mut Desk, rest: Value| {
        let mut command = rest;
        command["cmd"] = json!("close");
        desk.ask(command)
    };

    close(&mut desk, json!({"to": 1, "text": "good bye"}));
    assert_eq!(peers[0].read_to_end(), b"good bye\n");
    peers[0].finish();
    assert_eq!(desk.about("close", 1)["reason"], "kicked");
    close(&mut desk, json!({"to": 2, "how": "eof"}));
    assert_eq!(peers[1].read_to_end(), b"");
    peers[1].send("still heard\n");
    assert_eq!(desk.about("msg", 2)["text"], "still heard");
    peers[1].finish();
    assert_eq!(desk.about("close", 2)["reason"], "finished");
    close(&mut desk, json!({"to": 3, "how": "rst"}));
    assert_eq!(desk.about("close", 3)["reason"], "we-reset");
    assert!(peers[2].read_to_any_end().1.is_some(), "a reset");
    peers.remove(3).reset();
    let reset = desk.about("close", 4);
    let several = close(&mut desk, json!({"to": [5, 4], "how": "rst"}));
    let all = close(&mut desk, json!({"to": "all", "how": "rst"}));
    let nobody = close(&mut desk, json!({"to": "all"}));

    assert_eq!((&reset["reason"], &reset["msg"]), (&json!("reset"), &json!("reset by the peer")));
    assert_eq!((&several["closed"], &several["gone"]), (&json!(1), &json!([4])));
    assert_eq!((&all["closed"], &all["how"]), (&json!(2), &json!("rst")));
    assert_eq!(nobody["code"], "nobody");
    desk.quit();
}

#[test]
fn who_does_not_read_is_behind_then_full_and_drained_says_when_to_go_on() {
    let mut desk = Desk::start(&["--queue-max", "256K"]);
    let mut slow = Peer::over(connect_narrow(desk.server.address));
    desk.about("open", 1);
    let mut quick = desk.connect(2);

    let full = fill(&mut desk, 1);
    let some = desk.ask(json!({"cmd": "send", "to": [1, 2], "text": "y".repeat(64 << 10)}));
    let row = desk.ask(json!({"cmd": "who"}))["conns"][0].clone();
    assert_eq!(quick.exactly((64 << 10) + 1).len(), (64 << 10) + 1);
    let expected = row["tx"].as_u64().unwrap() + row["queued"].as_u64().unwrap();
    let got = slow.exactly(expected as usize);
    desk.about("drained", 1);
    let after = desk.ask(json!({"cmd": "send", "to": 1, "text": "go on"}));

    assert_eq!(full["code"], "full");
    assert!(full["msg"].as_str().unwrap().contains("not reading"), "{full}");
    assert_eq!((&some["queued"], &some["full"]), (&json!(1), &json!([1])));
    assert!(got.iter().all(|byte| b"x\n".contains(byte)), "what was refused was not sent");
    assert_eq!(after.get("behind"), None);
    assert_eq!(slow.line(), "go on");
    let lines = desk.quit();
    let behind: Vec<u64> = lines.iter().filter_map(|line| line.get("behind")?.as_u64()).collect();
    assert!(behind.iter().all(|bytes| *bytes > 16 << 10) && behind.len() > 1, "{behind:?}");
    let drained = lines.iter().filter(|line| line["ev"] == "drained").count();
    assert!((1..=behind.len()).contains(&drained), "{drained} times drained, {behind:?}");
}

/// A peer that does not read is in nobody's way, and is not dropped for what is said to all.
#[test]
fn what_is_said_to_all_is_refused_for_who_has_too_much_queued_and_the_reply_says_for_whom() {
    let (mut desk, mut peers) = Desk::with_peers(&["--queue-max", "256K"], 2);
    let text = "x".repeat(64 << 10);
    let say = |number: u64| json!({"cmd": "send", "to": "all", "text": format!("{number} {text}")});
    let mut said = 0;

    // The system's own buffers take the first few megabytes.
    let mut behind = false;
    let full = loop {
        said += 1;
        let reply = desk.ask(say(said));
        behind |= reply["behind"].as_u64().is_some_and(|bytes| bytes > 64 << 10);
        peers[1].line();
        if !reply["full"].is_null() || said == 1000 {
            break reply;
        }
    };
    // One of two is told less than all, and then both are told all again.
    let last = (1..said).map(|_| peers[0].line()).last().unwrap();
    desk.about("drained", 1);
    let after = desk.ask(json!({"cmd": "send", "to": "all", "text": "after it"}));

    assert_eq!((&full["ev"], &full["queued"], &full["full"]), (&json!("ok"), &json!(1), &json!([1])));
    assert!(behind, "it was behind before it was full");
    assert!(last.starts_with(&format!("{} ", said - 1)), "{:?}", &last[..20]);
    assert_eq!((peers[0].line(), peers[1].line()), ("after it".into(), "after it".into()));
    assert_eq!((&after["queued"], &after["full"]), (&json!(2), &json!(null)));
    desk.quit();
}

#[test]
fn a_program_sees_what_newcomers_are_given_and_ends_it() {
    let mut desk = Desk::start(&["--fault", "down", "--fault", "toxicity=1 seed=7"]);
    let _ = std::net::TcpStream::connect(desk.server.address);
    desk.about("open", 1);
    let close = desk.about("close", 1);

    let shown = desk.ask(json!({"cmd": "fault", "to": "new"}));
    let ended = desk.ask(json!({"cmd": "fault", "to": "new", "spec": "off"}));
    let told = desk.event("fault");
    let mut up = desk.connect(2);
    up.send("hello\n");

    assert_eq!((&close["reason"], &close["msg"]), (&json!("fault"), &json!("broken on purpose: down")));
    assert_eq!(shown["spec"], "down toxicity=1 seed=7");
    assert_eq!(ended["spec"], "off");
    assert_eq!((&told["spec"], &told["by"], told.get("id")), (&json!("off"), &json!(1), None));
    assert_eq!(desk.about("msg", 2)["text"], "hello");
    desk.quit();
}

#[test]
fn newcomers_who_are_turned_away_are_counted() {
    let (mut desk, _peers) = Desk::with_peers(&["--max-conns", "1"], 1);

    let mut late = desk.server.connect();
    late.read_to_end();
    let refused = desk.event("refused");

    assert_eq!((&refused["count"], &refused["why"]), (&json!(1), &json!("full")));
    desk.quit();
}

#[test]
fn an_end_from_outside_is_told_and_what_is_lost_has_its_number() {
    let mut desk = Desk::start(&["--drain", "200ms"]);
    let _slow = connect_narrow(desk.server.address);
    desk.about("open", 1);
    while desk.ask(json!({"cmd": "send", "to": 1, "text": "x".repeat(MIB)})).get("behind").is_none() {}

    desk.server.signal("TERM");
    let stopping = desk.event("stopping");
    let closed = desk.about("close", 1);

    assert_eq!(stopping["waiting"], 1);
    assert_eq!(closed["reason"], "stopping");
    assert!(closed["unsent"].as_u64().unwrap() > 0, "{closed}");
    let out = desk.server.out.to_end();
    assert!(out.ends_with(b"\"}\n") && String::from_utf8(out).unwrap().contains("{\"ev\":\"bye\""));
    assert_eq!(desk.server.exit_status().code(), Some(1), "bytes were lost");
}

/// Reads what the server wrote with another reader than ours. Prints each line anew, and in front of it the bytes of
/// a message in hexadecimal.
const IN_PYTHON: &str = "
import base64, json, sys
for line in sys.stdin.buffer:
    one = json.loads(line)
    raw = base64.b64decode(one['b64'], validate=True) if 'b64' in one else one.get('text', '').encode()
    print((raw if one['ev'] == 'msg' else b'').hex(), json.dumps(one))
";

#[test]
fn python_reads_the_same_in_every_line() {
    if !has_tool("python3") {
        return;
    }
    let (mut desk, mut peers) = Desk::with_peers(&[], 1);
    let mut random = Random::seeded(7);
    let mut said: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![b'a', byte, b'z']).collect();
    said.extend((0..200).map(|length| random.bytes(length)));
    said.extend(
        ["\u{2028}\u{2029}", "\u{feff}", "😀 e\u{301}", "\u{10ffff}", "</script>", "\\u0041"].map(Vec::from),
    );
    said.iter_mut().for_each(|bytes| bytes.retain(|byte| !b"\r\n".contains(byte)));
    for bytes in &said {
        peers[0].send([bytes, &b"\n"[..]].concat());
        desk.ask(json!({"cmd": "send", "to": 1, "b64": STANDARD.encode(bytes)}));
    }
    desk.ask(json!({"cmd": "name", "id": 1, "name": "设备-é"}));
    for command in ["who", "pending", "stats", "help", "learn", "every"] {
        desk.ask(json!({"cmd": command}));
    }
    desk.ask(json!({"cmd": "show", "id": 1, "count": 1000}));
    for _ in &said {
        desk.about("msg", 1);
    }
    let lines = desk.quit_with_text();

    let mut command = Command::new("python3");
    command.args(["-c", IN_PYTHON]);
    let mut python = Program::start(command);
    let mut stdin = python.take_stdin();
    let writer = thread::spawn(move || stdin.write_all(lines.1.as_bytes()));
    let read = String::from_utf8(python.out.to_end()).unwrap();
    writer.join().unwrap().expect("it reads to the end");

    assert_eq!(python.exit_status().code(), Some(0), "{}", String::from_utf8_lossy(&python.err.to_end()));
    let (bytes, values): (Vec<&str>, Vec<Value>) = read
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(hex, line)| (hex, serde_json::from_str(line).unwrap()))
        .unzip();
    assert_eq!(values, lines.0);
    let heard: Vec<&str> =
        bytes.into_iter().zip(&values).filter(|(_, one)| one["ev"] == "msg").map(|(hex, _)| hex).collect();
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(heard, said.iter().map(hex).collect::<Vec<_>>());
}

/// Any command, out of all there are: about connections that are here, that are gone and that never were.
fn any_command(random: &mut Random, conns: usize) -> Value {
    let id = 1 + random.below(conns + 2);
    let to = match random.below(6) {
        0 => json!("all"),
        1 => json!("lab-*"),
        2 => json!([id, 1 + random.below(conns + 2), "lab-a"]),
        3 => json!(["all", id]),
        _ => json!(id),
    };
    match random.below(18) {
        0..6 => json!({"cmd": "send", "to": to, "text": "x".repeat(random.below(100))}),
        6 => json!({"cmd": "send", "to": to, "b64": "AAEC"}),
        7 => json!({"cmd": "name", "id": id, "name": "lab-a"}),
        8 => json!({"cmd": "name", "id": id}),
        9 => json!({"cmd": "show", "id": id, "count": random.below(4)}),
        10 => json!({"cmd": "done", "id": id}),
        11 => json!({"cmd": "who", "glob": "lab-*"}),
        12 => json!({"cmd": "every", "off": "all"}),
        13 => json!({"cmd": "every", "every": "24h", "to": to, "text": "x"}),
        14 => json!({"cmd": "pending"}),
        15 if random.below(2) == 0 => json!({"cmd": "fault", "to": to}),
        15 => json!({"cmd": "close", "to": to, "how": "no"}),
        16 if random.below(400) == 0 => json!({"cmd": "close", "to": id, "how": "rst"}),
        16 => json!({"cmd": "link", "ids": [id, id]}),
        _ => json!({"cmd": "stats"}),
    }
}

#[test]
fn h43_each_of_very_many_commands_has_one_reply_in_order() {
    // `SWITCHBOARD_COMMANDS=1000000 cargo test --test json h43` has a million.
    let count = std::env::var("SWITCHBOARD_COMMANDS").map_or(30_000, |count| count.parse().unwrap());
    let (mut desk, peers) = Desk::with_peers(&[], 20);
    let readers: Vec<_> =
        peers.into_iter().map(|mut peer| thread::spawn(move || peer.read_to_any_end())).collect();
    let mut random = Random::seeded(43);
    for _ in 0..count / 1000 {
        let commands: Vec<Value> = (0..1000).map(|_| any_command(&mut random, 20)).collect();
        desk.say_all(commands);
    }

    desk.reply(desk.said() - 1);
    desk.ask(json!({"cmd": "close", "to": "all", "how": "rst"}));
    desk.ask(json!({"cmd": "quit"}));
    desk.close();

    readers.into_iter().for_each(|reader| drop(reader.join().unwrap()));
}

#[test]
fn h43_what_is_said_behind_a_quit_is_answered_that_the_server_is_stopping() {
    let (mut desk, peers) = Desk::with_peers(&[], 3);
    let many = (0..2000).map(|number| match number % 4 {
        0 => json!({"cmd": "send", "to": "all", "text": "too late"}),
        1 => json!({"cmd": "who"}),
        2 => json!({"cmd": "quit"}),
        _ => json!({"cmd": "send", "to": [1, 2], "text": "too late"}),
    });

    let first = [json!({"cmd": "send", "to": [1, 2, 3], "text": "in time"}), json!({"cmd": "quit"})];
    desk.say_all(first.into_iter().chain(many));
    let heard: Vec<Vec<u8>> = peers.into_iter().map(|mut peer| peer.read_to_end()).collect();
    let lines = desk.ended();

    assert!(heard.iter().all(|bytes| bytes == b"in time\n"), "{heard:?}");
    let stopping = lines.iter().filter(|line| line["code"] == "stopping").count();
    assert_eq!(stopping, 2000);
}

#[test]
fn h43_a_command_about_very_many_is_answered_though_the_end_comes_in_the_middle_of_it() {
    let (mut desk, _peers) = Desk::with_peers(&[], 3);
    // More than is looked at in a turn, and no more than a pipe holds.
    let list: Vec<u64> = (0..25_000).map(|number| 1 + number % 3).collect();

    desk.server.pause();
    desk.say_all([json!({"cmd": "send", "to": list, "text": "x"}), json!({"cmd": "stats"})]);
    desk.server.signal("TERM");
    desk.server.resume();

    desk.ended();
}

#[test]
fn h43_whoever_leaves_in_the_same_turn_was_sent_it_or_is_gone_and_never_both() {
    for _ in 0..20 {
        let (mut desk, mut peers) = Desk::with_peers(&[], 2);

        desk.server.pause();
        peers.remove(0).reset();
        desk.say_all([
            json!({"cmd": "send", "to": 1, "text": "x"}),
            json!({"cmd": "send", "to": [1, 2], "text": "x"}),
            json!({"cmd": "close", "to": 1, "how": "rst"}),
            json!({"cmd": "send", "to": 1, "text": "x"}),
            json!({"cmd": "name", "id": 1, "name": "x"}),
        ]);
        desk.server.resume();
        let last = desk.reply(desk.said() - 1);
        desk.about("close", 1);

        assert!(last["ev"] == "ok" || last["code"] == "gone", "{last}");
        assert_eq!(desk.refused(json!({"cmd": "send", "to": 1, "text": "x"})), "gone");
        desk.ask(json!({"cmd": "close", "to": 2, "how": "rst"}));
        desk.quit();
    }
}

#[test]
fn h43_answers_longer_than_any_buffer_come_whole_and_in_order() {
    let mut desk = Desk::start(&[]);
    let peers: Vec<Peer> = (0..1000).map(|_| desk.server.connect()).collect();
    for id in 1..=1000 {
        desk.about("open", id);
    }
    let list: Vec<u64> = (1..=1000).collect();

    desk.say_all((0..30).flat_map(|_| {
        [
            json!({"cmd": "who"}),
            json!({"cmd": "send", "to": list, "text": "x"}),
            json!({"cmd": "show", "id": 7}),
        ]
    }));
    for number in 0..90 {
        let reply = desk.reply(number);
        match number % 3 {
            0 => assert_eq!(reply["conns"].as_array().unwrap().len(), 1000),
            1 => assert_eq!(reply["queued"], 1000),
            _ => {
                assert_eq!(reply["msgs"].as_array().unwrap().len(), 1, "{reply}")
            }
        }
    }

    drop(peers);
    for id in 1..=1000 {
        // They have not read what they were sent.
        assert_eq!(desk.about("close", id)["reason"], "reset");
    }
    desk.quit();
}

/// The most that it has had in memory at any time, and what it has now.
fn memory(desk: &Desk) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", desk.server.pid())).expect("it runs");
    let bytes = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    (bytes("VmHWM:"), bytes("VmRSS:"))
}

/// Something that begins and ends so, and is as long as a line may be.
fn whole_line(begin: &str, filling: &str, end: &str) -> Vec<u8> {
    let room = 16 * MIB - begin.len() - end.len();
    [begin.as_bytes(), filling.repeat(room / filling.len()).as_bytes(), end.as_bytes()].concat()
}

/// Lines that hurt, the code of the error, and what its words have to name.
fn lines_that_hurt() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let deep = "[".repeat(100_000);
    let deep_ends = "]".repeat(100_000);
    let mut hurting: Vec<(Vec<u8>, &str, &str)> = vec![
        (whole_line("", "x", ""), "bad-json", "line 1 column 1"),
        (whole_line("", "x", "y").repeat(2), "too-long", "16 MiB"),
        (whole_line("\"", "x", "\""), "bad-json", "it is a string"),
        (whole_line("", "1", ""), "bad-json", "number out of range"),
        (whole_line("", " ", ""), "bad-json", "EOF"),
        (whole_line("", "\0", ""), "bad-json", "line 1 column 1"),
        (whole_line(r#"{"cmd":""#, "x", r#""}"#), "unknown-command", "xxx"),
        (whole_line(r#"{"cmd":"\n"#, "x", r#""}"#), "unknown-command", "xxx"),
        (whole_line("{\"", "x", "\":1}"), "bad-request", "xxx"),
        (whole_line("{", "\"x\":1,", "\"x\":1}"), "bad-request", "\"x\""),
        (whole_line(r#"{"cmd":"send","to":1,"text":""#, "x", r#""}"#), "too-long", "8.4 MB"),
        (whole_line(r#"{"cmd":"send","to":1,"text":"\n"#, "x", r#""}"#), "too-long", "8.4 MB"),
        (whole_line(r#"{"cmd":"send","to":1,"text":"\ud800"#, "x", r#""}"#), "bad-request", "\"text\""),
        (whole_line(r#"{"cmd":"send","to":1,"b64":""#, "AAAA", r#""}"#), "too-long", "8.4 MB"),
        (whole_line(r#"{"cmd":"send","to":1,"b64":"A"#, "AAAA", r#""}"#), "bad-request", "\"b64\""),
        (whole_line(r#"{"cmd":"send","text":"x","to":""#, "*", r#""}"#), "bad-request", "\"to\""),
        (whole_line(r#"{"cmd":"send","text":"x","to":"["#, "a", r#"]"}"#), "bad-request", "\"to\""),
        (whole_line(r#"{"cmd":"send","text":"x","to":["#, "1,", "1]}"), "bad-request", "\"to\""),
        (whole_line(r#"{"cmd":"who","glob":""#, "?", r#""}"#), "bad-request", "\"glob\""),
        (whole_line(r#"{"cmd":"name","id":1,"name":""#, "x", r#""}"#), "bad-name", "32 letters"),
        (whole_line(r#"{"cmd":"dial","addr":""#, "x", r#":1"}"#), "bad-request", "\"addr\""),
        (whole_line(r#"{"cmd":"every","every":""#, "1", r#"s"}"#), "bad-request", "\"every\""),
        (whole_line(r#"{"cmd":"who","ref":[""#, "x", r#""]}"#), "bad-request", "\"ref\""),
        (whole_line("", "[", ""), "bad-json", "sequence"),
        (whole_line("{\"to\":", "[", ""), "bad-json", "EOF"),
        (whole_line("{\"x\":", "{\"a\":", ""), "bad-json", "EOF"),
    ];
    for (line, code, words) in [
        (deep.clone(), "bad-json", "sequence"),
        (format!("{deep}{deep_ends}"), "bad-json", "sequence"),
        (format!(r#"{{"cmd":"who","x":{deep}{deep_ends},"x":1}}"#), "bad-request", "\"x\""),
        (format!(r#"{{"cmd":"send","text":"x","to":{deep}{deep_ends}}}"#), "bad-request", "\"to\""),
        (format!(r#"{{"cmd":"who","ref":{deep}{deep_ends}}}"#), "bad-request", "\"ref\""),
        (format!("{}1{}", "{\"cmd\":".repeat(100_000), "}".repeat(100_000)), "bad-request", "\"cmd\""),
        (r#"{"cmd":"send","to":1,"to":2,"text":"x"}"#.into(), "bad-request", "\"to\" is there twice"),
        (r#"{"cmd":"who","cmd":"quit"}"#.into(), "bad-request", "\"cmd\" is there twice"),
        (r#"{"cmd":"who","\u0063md":"quit"}"#.into(), "bad-request", "\"cmd\" is there twice"),
        (r#"{"cmd":"send","to":1,"text":"\ud800"}"#.into(), "bad-request", "\"text\" is no text"),
        (r#"{"cmd":"send","to":1,"text":"\udc00\ud800"}"#.into(), "bad-request", "\"text\" is no text"),
        (r#"{"cmd":"send","to":"\ud800","text":"x"}"#.into(), "bad-request", "\"to\" is no text"),
        (r#"{"cmd":"who","ref":"\udfff"}"#.into(), "bad-request", "\"ref\" is no text"),
        (r#"{"\ud800":1}"#.into(), "bad-json", "hex escape"),
        (r#"{"cmd":"send","to":1e999,"text":"x"}"#.into(), "bad-request", "\"to\""),
        (format!(r#"{{"cmd":"send","to":{},"text":"x"}}"#, "9".repeat(1000)), "bad-request", "\"to\""),
        (r#"{"cmd":"send","to":[18446744073709551616],"text":"x"}"#.into(), "bad-request", "\"to\""),
        (
            r#"{"cmd":"send","to":18446744073709551615,"text":"x"}"#.into(),
            "no-such-conn",
            "18446744073709551615",
        ),
        (r#"{"cmd":"show","id":1,"count":1e3}"#.into(), "bad-request", "\"count\""),
        ("{\"cmd\":\"who\0\"}".into(), "bad-json", "control character"),
        ("\0{\"cmd\":\"who\"}".into(), "bad-json", "column 1"),
        ("\u{feff}{\"cmd\":\"who\"}".into(), "bad-json", "byte order mark"),
        (r#"{"cmd":"send","to":1,"b64":"=AAA"}"#.into(), "bad-request", "\"b64\" is no base64"),
        (r#"{"cmd":"send","to":1,"b64":"AA AA"}"#.into(), "bad-request", "\"b64\" is no base64"),
        (r#"{"cmd":"send","to":1,"b64":"AAAAA==="}"#.into(), "bad-request", "\"b64\" is no base64"),
    ] {
        hurting.push((line.into_bytes(), code, words));
    }
    for (line, words) in [
        (&b"\xff"[..], "byte 1 "),
        (b"{\"cmd\":\"wh\xc3\"}", "byte 11 "),
        (b"{\"cmd\":\"who\",\"ref\":\"\xed\xa0\x80\"}", "byte 21 "),
    ] {
        hurting.push((line.to_vec(), "bad-json", words));
    }
    hurting
}

/// Says a line that hurts; whatever was wrong is named, and not repeated whole.
#[track_caller]
fn hurts(desk: &mut Desk, line: Vec<u8>, code: &str, words: &str) {
    let begin = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
    let (_, before) = memory(desk);

    let reply = desk.ask_line(line, false);

    let told = reply["msg"].as_str().unwrap_or_default();
    assert_eq!((&reply["ev"], &reply["code"]), (&json!("error"), &json!(code)), "{begin} -> {reply:.300}");
    assert!(told.contains(words) && told.len() < 300, "{begin} -> {told:.300}");
    let (most, _) = memory(desk);
    // The line, and what is made of it; a megabyte is for the reader's and the screen's buffers.
    assert!(most < before + 33 * MIB as u64, "{begin}: {before} bytes before, {most} then");
}

#[test]
fn h44_json_that_hurts_is_one_error_that_names_what_is_wrong_and_costs_no_memory() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 1);
    let (_, before) = memory(&desk);

    let (long, short): (Vec<_>, Vec<_>) =
        lines_that_hurt().into_iter().partition(|(line, _, _)| line.len() > MIB);
    for (line, code, words) in short {
        hurts(&mut desk, line, code, words);
    }
    // What one has left in the allocator is no part of the next one's share.
    for (line, code, words) in long.clone() {
        hurts(&mut Desk::with_peers(&[], 1).0, line, code, words);
    }
    for (line, code, words) in long.into_iter().step_by(3) {
        let reply = desk.ask_line(line, false);
        assert!(reply["code"] == code && reply["msg"].as_str().unwrap().contains(words), "{reply:.300}");
    }

    let (_, after) = memory(&desk);
    assert!(after < before + 32 * MIB as u64, "{before} bytes before, {after} after all of them");
    desk.ask(json!({"cmd": "send", "to": 1, "text": "still here"}));
    assert_eq!(peers[0].line(), "still here", "and nothing else was sent");
    desk.quit();
}

#[test]
fn programs_are_told_when_our_side_is_finished_and_what_a_kick_says() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 4);

    desk.ask(json!({"cmd": "close", "to": 1, "how": "eof"}));
    assert_eq!(desk.about("fin", 1)["ev"], "fin");
    assert_eq!(peers[0].read_to_end(), b"");
    peers[0].send("still heard\n");
    assert_eq!(desk.about("msg", 1)["text"], "still heard");

    desk.ask(json!({"cmd": "close", "to": 2, "text": "why"}));
    desk.ask(json!({"cmd": "close", "to": [3], "text": "why"}));
    for id in [2, 3] {
        let sent = desk.event_where("sent", |event| event["ids"] == json!([id]));
        assert_eq!((&sent["text"], &sent["by"]), (&json!("why\n"), &json!(1)));
        assert_eq!(desk.about("close", id)["reason"], "kicked");
    }

    // Where the peer has finished, too, its close says all.
    peers[3].finish();
    desk.about("eof", 4);
    desk.ask(json!({"cmd": "close", "to": 4, "how": "eof"}));
    assert_eq!(desk.about("close", 4)["reason"], "finished");
    let fins = String::from_utf8(desk.server.out.so_far()).unwrap().matches("\"ev\":\"fin\"").count();
    assert_eq!(fins, 1);
    desk.quit();
}

#[test]
fn a_fin_is_told_whoever_has_asked_for_it() {
    let (mut desk, mut peers) = Desk::with_peers(&["--chat"], 1);
    peers[0].send("/quit\n");
    desk.about("fin", 1);
    desk.quit();

    let (mut desk, peers) = Desk::with_peers(&[], 2);
    desk.ask(json!({"cmd": "link", "ids": [1, 2]}));
    peers[0].finish();
    desk.about("eof", 1);
    desk.about("fin", 2);
    desk.quit();
}
