//! The table of what may be typed, and what comes of it, as it stands in `table.txt`. It is driven twice: in memory, by
//! the tests of the hub, and through the pipes of the built program, by `tests/commands.rs`.

// It is test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

/// The table itself.
const TABLE: &str = include_str!("table.txt");

/// How a line is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Text,
    Json,
}

/// One thing after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A line is typed, or sent by a program.
    Typed(Vec<u8>),
    /// A peer says something.
    Says(u64, Vec<u8>),
    /// So many milliseconds pass.
    Passes(u64),
}

/// One thing, and what it brings: replies and events, as they are shown.
#[derive(Clone, Debug)]
pub struct Step {
    pub action: Action,
    pub replies: Vec<String>,
    pub events: Vec<String>,
}

/// A row: what is typed into the scene at one of the faces, and which bytes reach which peer.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its line in the table.
    pub at: usize,
    /// The arguments of the program.
    pub mode: Vec<&'static str>,
    pub face: Face,
    pub steps: Vec<Step>,
    /// What is not named gets nothing.
    pub wires: Vec<(u64, Vec<u8>)>,
}

/// What came of a row: of each step its replies and events; and the bytes on the wires of 2 to 5.
#[derive(Debug, Default)]
pub struct Outcome {
    pub steps: Vec<(Vec<String>, Vec<String>)>,
    pub wires: Vec<(u64, Vec<u8>)>,
}

/// All rows; one that is spelt in two faces is two.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut mode = Vec::new();
    let mut block: Vec<(usize, &'static str)> = Vec::new();
    for (at, line) in TABLE.lines().enumerate().chain([(0, "")]) {
        match line.split_whitespace().next() {
            Some("#" | "==") => {}
            Some("mode") => mode = line.split_whitespace().skip(1).collect(),
            Some(_) => block.push((at + 1, line)),
            None if block.is_empty() => {}
            None => rows.extend(rows_of(&std::mem::take(&mut block), &mode)),
        }
    }
    rows
}

fn rows_of(block: &[(usize, &'static str)], mode: &[&'static str]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut wires = Vec::new();
    for &(at, line) in block {
        let (word, value) = (line.split_whitespace().next().unwrap(), line.get(7..).unwrap_or_default());
        let face = if word == "json" { Face::Json } else { Face::Text };
        if matches!(word, "text" | "json") && rows.last().is_none_or(|row| row.face != face) {
            rows.push(Row { at, mode: mode.to_vec(), face, steps: Vec::new(), wires: Vec::new() });
        }
        let row = rows.last_mut().unwrap_or_else(|| panic!("line {at}: nothing is typed before {line:?}"));
        let mut step = |action| row.steps.push(Step { action, replies: vec![], events: vec![] });
        match word {
            "text" | "json" => step(Action::Typed(typed(value))),
            "says" => step(of_peer(value, Action::Says)),
            "pass" => step(Action::Passes(value.parse().unwrap())),
            "reply" => row.steps.last_mut().unwrap().replies.push(value.to_owned()),
            "event" => row.steps.last_mut().unwrap().events.push(value.to_owned()),
            "wire" => wires.push(of_peer(value, |serial, bytes| (serial, bytes))),
            _ => panic!("line {at}: no row has {word:?} in it"),
        }
    }
    rows.iter_mut().for_each(|row| row.wires.clone_from(&wires));
    rows
}

/// What is typed, as it stands there, but for what an editor would lose: `␠` is a blank, `␍` a carriage return.
fn typed(value: &str) -> Vec<u8> {
    value.replace('␠', " ").replace('␍', "\r").into_bytes()
}

/// `#3 hello\n`, with escapes as Rust has them.
fn of_peer<T>(value: &str, make: impl Fn(u64, Vec<u8>) -> T) -> T {
    let (serial, bytes) = value.split_once(' ').unwrap();
    make(serial.trim_start_matches('#').parse().unwrap(), unescaped(bytes))
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            },
            byte => byte,
        });
    }
    out
}

impl Row {
    /// What a driver has to type first to set the scene; then everybody who can be sent something is sent `READY`.
    pub fn setup(&self) -> [&'static str; 5] {
        match self.face {
            Face::Text => ["/rst 1", "/name 2 lab-a", "/name 3 lab-b", "/eof 5", "/send @2,3,4 ready\\n"],
            Face::Json => [
                r#"{"cmd":"close","to":1,"how":"rst"}"#,
                r#"{"cmd":"name","id":2,"name":"lab-a"}"#,
                r#"{"cmd":"name","id":3,"name":"lab-b"}"#,
                r#"{"cmd":"close","to":5,"how":"eof"}"#,
                r#"{"cmd":"send","to":[2,3,4],"text":"ready\n","eol":false}"#,
            ],
        }
    }

    /// Whether this program has that argument.
    pub fn has(&self, argument: &str) -> bool {
        self.mode.contains(&argument)
    }

    /// Whether it is about more than what is typed, which takes a clock or an ear.
    pub fn takes_more_than_a_pipe(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step.action, Action::Typed(_)))
    }

    /// Compares what came of it with what the table says. `with_events`: these are compared, too.
    pub fn check(&self, outcome: &Outcome, with_events: bool) -> Result<(), String> {
        let fit = self.steps.len() == outcome.steps.len()
            && self.steps.iter().zip(&outcome.steps).all(|(step, (replies, events))| {
                fits(&step.replies, replies) && (!with_events || fits(&step.events, events))
            });
        let got: Vec<_> = outcome.wires.iter().filter(|(_, bytes)| !bytes.is_empty()).cloned().collect();
        if fit && got == self.wires {
            return Ok(());
        }
        Err(format!("line {}: this came of it:\n{}", self.at, self.spelt(outcome)))
    }

    /// The row as it would have to stand in the table.
    pub fn spelt(&self, outcome: &Outcome) -> String {
        let mut out = String::new();
        let word = if self.face == Face::Json { "json" } else { "text" };
        for (step, (replies, events)) in self.steps.iter().zip(&outcome.steps) {
            let _ = match &step.action {
                Action::Typed(line) => {
                    let line = String::from_utf8_lossy(line).replace('\r', "␍");
                    let blanks = line.len() - line.trim_end_matches(' ').len();
                    writeln!(out, "{word}   {}{}", line.trim_end_matches(' '), "␠".repeat(blanks))
                }
                Action::Says(serial, bytes) => writeln!(out, "says   #{serial} {}", bytes.escape_ascii()),
                Action::Passes(ms) => writeln!(out, "pass   {ms}"),
            };
            replies.iter().for_each(|reply| writeln!(out, "reply  {}", without_moment(reply)).unwrap());
            events.iter().for_each(|event| writeln!(out, "event  {}", without_moment(event)).unwrap());
        }
        for (serial, bytes) in outcome.wires.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let mut bytes = bytes.escape_ascii().to_string();
            if bytes.ends_with(' ') {
                bytes.truncate(bytes.len() - 1);
                bytes.push_str("\\x20");
            }
            let _ = writeln!(out, "wire   #{serial} {bytes}");
        }
        out
    }
}

/// Whether lines are as expected. `⋮` stands for any number of lines, `…` for anything within one.
fn fits(expected: &[String], lines: &[String]) -> bool {
    match expected {
        [] => lines.is_empty(),
        [any, rest @ ..] if any == "⋮" => (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..])),
        [first, rest @ ..] => {
            lines.first().is_some_and(|line| line_fits(first, &without_moment(line)))
                && fits(rest, &lines[1..])
        }
    }
}

fn line_fits(expected: &str, line: &str) -> bool {
    let Some((before, after)) = expected.split_once('…') else { return expected == line };
    let Some(rest) = line.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| line_fits(after, &rest[at..]))
}

/// A line without the number and the time of JSON, and without how wide the columns of a table are.
pub fn without_moment(line: &str) -> String {
    if !line.starts_with('{') {
        return line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    }
    let mut line = line.to_owned();
    for (begin, end) in [(",\"seq\":", [',', '}']), (",\"ts\":\"", ['"', '"'])] {
        let Some(from) = line.find(begin) else { continue };
        let value = from + begin.len();
        let until = value + line[value..].find(end).unwrap();
        let is_quoted = end[0] == '"';
        line.replace_range(from..until + usize::from(is_quoted), "");
    }
    line
}
