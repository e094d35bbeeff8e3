//! A program at the console's desk: what it asks in JSON, and what it has to be told. Each request has one reply, under
//! its reference and in order; what happened is numbered without a hole; and as many got a text as its reply says.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::{Keyboard, Meant, Seen, Witness, number_of_text, turn};
use crate::app::App;
use crate::simulator::world::World;
use crate::terminal::Mail;

/// Turns in which all that was sent has to be answered, when everybody has left.
const TURNS_MAX: usize = 4000;

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its reference, as it is spelt.
    reference: String,
    /// The number of the text that it sends.
    text: Option<usize>,
}

impl Keyboard {
    /// Sends a request.
    pub(super) fn ask_something(&mut self, seen: &BTreeMap<u64, Seen>) {
        let (one, other) = (self.somebody(seen), self.somebody(seen));
        let texts_before = self.texts;
        let what = match self.dice.below(17) {
            0..=2 => self.send(&one.to_string(), Meant::These([one].into())),
            3 | 4 => self.send(&format!("[{one},{other},{one}]"), Meant::These([one, other].into())),
            5 | 6 => self.send("\"all\"", Meant::All),
            7 => self.send(&format!("[{one},\"all\"]"), Meant::All),
            // Nobody gets these: the one is refused, and nobody has the other's name.
            8 => self
                .send(self.dice.pick(&["\"last\"", "\"nobody\"", "[\"1\"]"]), Meant::These(HashSet::new())),
            9 => format!(r#""cmd":"name","id":{one},"name":"n{}""#, other % 3),
            10 => self.send("\"n*\"", Meant::All),
            11 => format!(r#""cmd":"{}""#, self.dice.pick(&["who", "pending", "stats", "nonsense", "learn"])),
            12 => format!(r#""cmd":"{}","id":{one}"#, self.dice.pick(&["done", "show", "name", "who"])),
            13 => r#""cmd":"every","every":"2s","to":"all","text":"again""#.to_owned(),
            14 => r#""cmd":"every","off":"all""#.to_owned(),
            _ => {
                self.ends.insert(one);
                let how = self.dice.pick(&["eof", "rst", "kick"]);
                format!(r#""cmd":"close","to":[{one},{one}],"how":"{how}""#)
            }
        };
        let number = self.asked.len();
        let reference = if self.dice.one_in(2) { format!("\"r{number}\"") } else { number.to_string() };
        self.typed.extend_from_slice(format!("{{\"ref\":{reference},{what}}}\n").as_bytes());
        let text = (self.texts > texts_before).then_some(self.texts);
        self.asked.push(Asked { reference, text });
    }

    fn send(&mut self, to: &str, whom: Meant) -> String {
        let text = self.text("", whom);
        format!(r#""cmd":"send","to":{to},"text":"{text}""#)
    }

    fn replies(&self) -> usize {
        let is_reply =
            |line: &&[u8]| line.starts_with(b"{\"ev\":\"ok\"") || line.starts_with(b"{\"ev\":\"error\"");
        self.shown.split(|byte| *byte == b'\n').filter(is_reply).count()
    }
}

/// Waits until all that was sent is answered, unless the server has ended, and checks what was told.
pub(super) fn check<A: App<Message = Mail>>(world: &mut World<Witness<A>>, keyboard: &mut Keyboard) {
    for _ in 0..TURNS_MAX {
        let is_sent = keyboard.has_left || keyboard.typed.is_empty();
        if world.engine.has_ended() || (is_sent && keyboard.replies() == keyboard.posted_lines) {
            break;
        }
        turn(world, keyboard, Duration::from_millis(500));
    }
    let told: Vec<Value> = keyboard
        .shown
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap_or_else(|error| panic!("{line:?}: {error}")))
        .collect();
    check_seqs(&told);
    let (replies, events): (Vec<&Value>, Vec<&Value>) =
        told.iter().partition(|told| matches!(told["ev"].as_str(), Some("ok" | "error")));
    assert!(
        world.engine.has_ended() || replies.len() == keyboard.posted_lines,
        "{} replies to {} requests",
        replies.len(),
        keyboard.posted_lines
    );
    let frames: Vec<(u64, &[u8])> =
        world.app.frames.iter().map(|(serial, bytes)| (*serial, &bytes[..])).collect();
    let said = events.iter().filter(|event| event["ev"] == "msg");
    let said: Vec<(u64, &[u8])> =
        said.map(|msg| (number(msg, "id"), msg["text"].as_str().unwrap_or_default().as_bytes())).collect();
    assert!(said == frames, "something else was told than was said");
    check_ends(&events, &world.app.conns);
    let by_rules = texts_by_rules(&events);
    check_replies(&replies, by_rules, keyboard, world);
}

fn number(told: &Value, key: &str) -> u64 {
    number_of(&told[key])
}

fn number_of(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn check_seqs(told: &[Value]) {
    let seqs: Vec<u64> = told.iter().filter_map(|told| told["seq"].as_u64()).collect();
    // What an `/every` sends while the program does not read is counted instead.
    let skipped: u64 =
        told.iter().filter(|told| told["ev"] == "skipped").map(|told| number(told, "count")).sum();
    let missing = seqs.last().copied().unwrap_or_default() - seqs.len() as u64;
    assert!(seqs.is_sorted_by(|one, next| one < next), "each number once, in order: {seqs:?}");
    assert!(missing <= skipped, "{skipped} were skipped, and {missing} are missing in {seqs:?}");
}

/// Each connection opens once and closes once, in this order.
fn check_ends(events: &[&Value], conns: &BTreeMap<u64, Seen>) {
    let of = |kind: &str| -> Vec<u64> {
        let those = events.iter().filter(|event| event["ev"] == kind);
        those.map(|event| number(event, "id")).collect()
    };
    let (opened, mut closed) = (of("open"), of("close"));
    closed.sort_unstable();
    let all: Vec<u64> = conns.keys().copied().collect();
    let gone: Vec<u64> =
        conns.iter().filter(|(_, seen)| seen.closed.is_some()).map(|(serial, _)| *serial).collect();
    assert_eq!((opened, closed), (all, gone), "each opens once, and each that has ended closes once");
}

/// Texts that were learnt, and given again in answer: by connection and text, how often.
fn texts_by_rules(events: &[&Value]) -> BTreeMap<(u64, usize), usize> {
    let mut given = BTreeMap::new();
    for event in events.iter().filter(|event| event["ev"] == "sent" && event["by"] == "reply") {
        let text = event["text"].as_str().unwrap_or_default().as_bytes();
        for text in text.split_inclusive(|byte| *byte == b'\n').filter_map(number_of_text) {
            *given.entry((number_of(&event["ids"][0]), text)).or_default() += 1;
        }
    }
    given
}

/// One reply each, in order; and how many got each text.
fn check_replies<A: App<Message = Mail>>(
    replies: &[&Value],
    mut by_rules: BTreeMap<(u64, usize), usize>,
    keyboard: &Keyboard,
    world: &World<Witness<A>>,
) {
    let mut got: BTreeMap<usize, usize> = BTreeMap::new();
    let (kernel, mut losers) = (world.net.look(), 0);
    for (serial, seen) in &world.app.conns {
        let Some(record) = &kernel.sockets[seen.sock].record else { panic!("this system keeps records") };
        for text in record.written.split_inclusive(|byte| *byte == b'\n').filter_map(number_of_text) {
            if let Some(given) = by_rules.get_mut(&(*serial, text)).filter(|given| **given > 0) {
                *given -= 1;
                continue;
            }
            if let Meant::These(these) = &keyboard.meant_for[&text] {
                assert!(these.contains(serial), "#{serial} got another's text {text}");
            }
            *got.entry(text).or_default() += 1;
        }
        losers += usize::from(seen.closed.is_none_or(|(_, unsent)| unsent > 0));
    }
    for (reply, asked) in replies.iter().zip(&keyboard.asked) {
        assert_eq!(reply["ref"].to_string(), asked.reference, "{reply}");
        let Some(text) = asked.text else { continue };
        let (queued, got) = (number(reply, "queued") as usize, got.get(&text).copied().unwrap_or_default());
        // Whoever has lost something may have lost this.
        assert!(
            got <= queued && queued <= got + losers,
            "{got} got text {text}, {losers} lost something, and the reply was {reply}"
        );
    }
    let unanswered = keyboard.asked.iter().skip(replies.len()).filter_map(|asked| asked.text);
    unanswered.for_each(|text| assert_eq!(got.get(&text), None, "nobody gets what was not answered"));
}
