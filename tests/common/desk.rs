//! A program at the other end of `--format json`: it says commands, takes events and replies, and holds the whole run
//! against the schema when it is over.

// Each test file uses what it needs.
#![allow(dead_code)]

use std::collections::{BTreeSet, HashMap};

use jsonschema::Validator;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::common::{Peer, Server, is_over_tls};

pub const SCHEMA: &str = include_str!("../../docs/desk.schema.json");

/// The codes with which the grammar alone refuses a line, whoever is connected.
const OF_GRAMMAR: [&str; 4] = ["bad-json", "bad-request", "unknown-command", "last-is-a-race"];

pub fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// Validates commands.
pub fn commands() -> Validator {
    let mut schema = schema();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!("#/$defs/command");
    jsonschema::validator_for(&schema).expect("the schema is one")
}

/// Validates lines of stdout. `strictly`: a key that the schema does not know is none, either.
pub fn lines(strictly: bool) -> Validator {
    let mut schema = schema();
    for (_, def) in schema["$defs"].as_object_mut().unwrap() {
        if strictly && def.get("properties").is_some() {
            def["additionalProperties"] = json!(false);
        }
    }
    jsonschema::validator_for(&schema).expect("the schema is one")
}

/// A line that was written to stdin.
struct Said {
    line: Vec<u8>,
    /// The reference, as it is spelt, if it is one.
    reference: Option<String>,
    /// Whether the schema can tell if it is a command.
    is_judged: bool,
}

/// A line that came from stdout.
pub struct Line {
    pub value: Value,
    reference: Option<String>,
    /// A test has looked at it.
    is_taken: bool,
}

impl Line {
    fn is_reply(&self) -> bool {
        matches!(self.value["ev"].as_str(), Some("ok" | "error"))
    }
}

pub struct Desk {
    pub server: Server,
    said: Vec<Said>,
    lines: Vec<Line>,
    /// Bytes of stdout that are in `lines`.
    parsed: usize,
}

impl Desk {
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Desk {
        let mut desk = Desk {
            server: Server::start(&[&["--format", "json"], arguments].concat()),
            said: Vec::new(),
            lines: Vec::new(),
            parsed: 0,
        };
        let first = desk.event("listening");
        let scheme = if is_over_tls() { "tls:" } else { "" };
        assert_eq!(first["addr"], format!("{scheme}{}", desk.server.address));
        desk
    }

    /// A desk with so many peers, numbered from 1.
    #[track_caller]
    pub fn with_peers(arguments: &[&str], count: u64) -> (Desk, Vec<Peer>) {
        let mut desk = Desk::start(arguments);
        let peers = (1..=count).map(|number| desk.connect(number)).collect();
        (desk, peers)
    }

    /// Connects a peer, which gets this number.
    #[track_caller]
    pub fn connect(&mut self, number: u64) -> Peer {
        let peer = self.server.connect();
        let opened = self.about("open", number);
        assert_eq!(opened["peer"], peer.seen_from.to_string());
        peer
    }

    /// Says a command under a reference of its own, and waits for the reply.
    #[track_caller]
    pub fn ask(&mut self, command: Value) -> Value {
        let line = self.with_reference(command);
        self.ask_line(line, true)
    }

    /// The same, of a command that is refused; returns the code.
    #[track_caller]
    pub fn refused(&mut self, command: Value) -> String {
        let reply = self.ask(command.clone());
        assert_eq!(reply["ev"], "error", "{command} was answered {reply}");
        reply["code"].as_str().unwrap().to_owned()
    }

    /// Says a line as it is, and waits for the reply. `is_judged`: the schema can tell whether it is a command.
    #[track_caller]
    pub fn ask_line(&mut self, line: impl Into<Vec<u8>>, is_judged: bool) -> Value {
        let line = line.into();
        self.server.write_stdin(&[&line[..], b"\n"].concat());
        self.note(line, is_judged);
        self.reply(self.said.len() - 1)
    }

    /// Says several in one go. Their replies are looked at in the end.
    #[track_caller]
    pub fn say_all(&mut self, commands: impl IntoIterator<Item = Value>) {
        let mut all = Vec::new();
        for command in commands {
            let line = self.with_reference(command);
            all.extend_from_slice(line.as_bytes());
            all.push(b'\n');
            self.note(line.into_bytes(), true);
        }
        self.server.write_stdin(&all);
    }

    /// Notes what is written to stdin elsewhere.
    pub fn note(&mut self, line: Vec<u8>, is_judged: bool) {
        // No test has a reference in a line so long, and to look for one takes a while.
        let is_long = line.len() > 1 << 20;
        let reference = str::from_utf8(&line).ok().filter(|_| !is_long).and_then(reference_of);
        self.said.push(Said { line, reference, is_judged });
    }

    /// How many commands were said.
    pub fn said(&self) -> usize {
        self.said.len()
    }

    /// A command with a reference: integers and strings in turn.
    pub fn with_reference(&self, mut command: Value) -> String {
        let number = self.said.len() as i64;
        if command.get("ref").is_none() {
            command["ref"] =
                if number % 2 == 0 { json!(number - 4) } else { json!(format!("r\"{number}\\ é")) };
        }
        command.to_string()
    }

    /// The reply to the command of this number, from 0.
    #[track_caller]
    pub fn reply(&mut self, number: usize) -> Value {
        let said = String::from_utf8_lossy(&self.said[number].line).chars().take(200).collect::<String>();
        self.take(&format!("the reply to {said}"), |lines| {
            lines.iter().enumerate().filter(|(_, line)| line.is_reply()).nth(number).map(|(at, _)| at)
        })
    }

    /// The next event of this kind that was not taken yet.
    #[track_caller]
    pub fn event(&mut self, kind: &str) -> Value {
        self.event_where(kind, |_| true)
    }

    /// The same, about this connection.
    #[track_caller]
    pub fn about(&mut self, kind: &str, id: u64) -> Value {
        self.event_where(kind, |event| event["id"] == id)
    }

    #[track_caller]
    pub fn event_where(&mut self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.take(&format!("an event {kind:?}"), |lines| {
            let is_meant = |line: &Line| !line.is_taken && line.value["ev"] == kind && is_it(&line.value);
            lines.iter().position(is_meant)
        })
    }

    #[track_caller]
    fn take(&mut self, what: &str, find: impl Fn(&[Line]) -> Option<usize>) -> Value {
        let Desk { server, lines, parsed, .. } = self;
        let at = server.program.out.wait_for(what, |bytes| {
            parse(bytes, parsed, lines);
            find(lines)
        });
        lines[at].is_taken = true;
        lines[at].value.clone()
    }

    /// Quits, and holds what was said against what came. Returns all that came.
    #[track_caller]
    pub fn quit(mut self) -> Vec<Value> {
        let reply = self.ask(json!({"cmd": "quit"}));
        assert_eq!(reply["ev"], "ok");
        self.ended()
    }

    /// The same, and all that came as it was spelt.
    #[track_caller]
    pub fn quit_with_text(mut self) -> (Vec<Value>, String) {
        self.ask(json!({"cmd": "quit"}));
        let out = String::from_utf8(self.server.out.to_end()).expect("it is UTF-8");
        (self.ended(), out)
    }

    /// Waits for the end, and holds what was said against what came. Returns all that came.
    #[track_caller]
    pub fn ended(mut self) -> Vec<Value> {
        self.close();
        self.check_schema();
        self.lines.into_iter().map(|line| line.value).collect()
    }

    /// The same without the schema: for so many lines that it would take too long.
    #[track_caller]
    pub fn close(&mut self) {
        let out = self.server.out.to_end();
        assert!(out.ends_with(b"\n"), "the last line is whole");
        assert_eq!(self.server.exit_status().code(), Some(0), "{:?}", self.server.err.so_far());
        parse(&out, &mut self.parsed, &mut self.lines);
        self.check_references();
        self.check_seq();
        assert_eq!(self.lines.first().unwrap().value["ev"], "listening");
        assert_eq!(self.lines.last().unwrap().value["ev"], "bye");
    }

    /// Every reference comes back once, in order, as it was spelt.
    #[track_caller]
    fn check_references(&self) {
        let replies: Vec<&Line> = self.lines.iter().filter(|line| line.is_reply()).collect();
        for (at, (said, reply)) in self.said.iter().zip(&replies).enumerate() {
            let line = String::from_utf8_lossy(&said.line[..said.line.len().min(300)]);
            assert_eq!(said.reference, reply.reference, "command {at}: {line} -> {}", reply.value);
        }
        assert_eq!(self.said.len(), replies.len(), "a reply for each command");
    }

    /// `seq` counts up by one, over events and what was sent.
    #[track_caller]
    fn check_seq(&self) {
        let numbered = self.lines.iter().filter_map(|line| line.value["seq"].as_u64());
        for (expected, seq) in (1..).zip(numbered) {
            assert_eq!(seq, expected, "a hole");
        }
        for Line { value, .. } in &self.lines {
            let is_sent = value["ev"] == "ok" && value.get("queued").is_some();
            let has_none = ["listening", "ok", "error", "skipped"].contains(&value["ev"].as_str().unwrap());
            assert_eq!(value.get("seq").is_some(), is_sent || !has_none, "{value}");
        }
    }

    /// Every line is as the schema says, and the server takes the commands that the schema takes, and no others.
    #[track_caller]
    fn check_schema(&self) {
        let (plain, strict, commands) = (lines(false), lines(true), commands());
        for Line { value, .. } in &self.lines {
            assert!(plain.is_valid(value), "{value}\n{:#?}", plain.validate(value));
            assert!(strict.is_valid(value), "a key that is not in the schema: {value}");
        }
        let replies = self.lines.iter().filter(|line| line.is_reply());
        for (said, Line { value: reply, .. }) in self.said.iter().zip(replies) {
            if !said.is_judged {
                continue;
            }
            let is_valid =
                serde_json::from_slice(&said.line).is_ok_and(|command: Value| commands.is_valid(&command));
            let is_refused = reply["code"].as_str().is_some_and(|code| OF_GRAMMAR.contains(&code));
            let line = String::from_utf8_lossy(&said.line);
            assert_eq!(is_valid, !is_refused, "the schema and the server differ: {line} -> {reply}");
        }
    }
}

/// The codes of the errors among these lines.
pub fn codes(lines: &[Value]) -> BTreeSet<String> {
    lines.iter().filter_map(|line| Some(line.get("code")?.as_str()?.to_owned())).collect()
}

/// Takes whole lines out of what was written.
fn parse(bytes: &[u8], parsed: &mut usize, lines: &mut Vec<Line>) {
    while let Some(length) = bytes[*parsed..].iter().position(|byte| *byte == b'\n') {
        let line = str::from_utf8(&bytes[*parsed..*parsed + length]).expect("it is UTF-8");
        *parsed += length + 1;
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.is_object(), "{line}");
        let reference = reference_of(line);
        lines.push(Line { value, reference, is_taken: false });
    }
}

/// The reference of a line, as it is spelt, if it is a string or an integer.
fn reference_of(line: &str) -> Option<String> {
    let keys: HashMap<String, &RawValue> = serde_json::from_str(line).ok()?;
    let raw = keys.get("ref")?.get();
    let is_string = raw.starts_with('"') && serde_json::from_str::<String>(raw).is_ok();
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    (is_string || digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| raw.to_owned())
}
