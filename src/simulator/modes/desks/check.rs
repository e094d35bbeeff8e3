//! What an attached desk was told, against what happened: each command has one reply, in order; what happened is numbered
//! without a hole that it was not told of, and is the same for all; and nothing of it is a peer's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::Witness;
use super::{Attached, Desk, Desks, HALF_TEXT, HearsAll};
use crate::hub::{DESKS_MAX, Hub, Mode};
use crate::simulator::net::Sock;
use crate::simulator::world::World;

/// Lines by their number, as they were told first.
type Events = BTreeMap<u64, Value>;

impl Desks {
    /// Checks what all of them were told.
    pub fn check<M: Mode>(&self, world: &World<Witness<Hub<M>>>, hears: HearsAll) {
        let kernel = world.net.look();
        let (mut events, mut numbers) = (Events::new(), BTreeSet::new());
        for desk in &self.all {
            let sock = &kernel.sockets[desk.sock];
            let Some(attached) = world.app.desks.get(&desk.sock) else {
                assert_eq!(written(sock), b"", "nobody is told anything who did not get in");
                continue;
            };
            let told = Told::of(desk, sock, attached, world.engine.has_ended());
            let Some(hello) = told.lines.first().filter(|first| first["ev"] == "hello") else {
                told.check_turned_away();
                continue;
            };
            let number = hello["desk"].as_u64().expect("it has a number");
            assert!(numbers.insert(number), "desk {number} came twice");
            told.check_greeting(number);
            told.check_replies(number);
            self.check_seqs(&told, number);
            told.check_same(number, &mut events);
            if hears == HearsAll::Yes {
                told.check_messages(number, &world.app.frames);
            }
            let peers = &world.app.conns;
            let ids = told.lines.iter().flat_map(ids_of);
            ids.for_each(|id| {
                assert!(peers.contains_key(&id), "desk {number} is told of #{id}, who is nobody")
            });
        }
        for (serial, seen) in &world.app.conns {
            let sent = written(&kernel.sockets[seen.sock]);
            let is_half = sent.windows(HALF_TEXT.len()).any(|window| window == HALF_TEXT);
            assert!(!is_half, "#{serial} got what is half a command");
        }
    }

    fn check_seqs(&self, told: &Told<'_>, number: u64) {
        let mut last = told.lines[0]["seq"].as_u64().expect("a greeting says how far it goes");
        let (mut missing, mut skipped, mut last_past) = (0, 0, 0);
        for line in &told.lines[1..] {
            if line["ev"] == "skipped" {
                skipped += line["count"].as_u64().expect("it says how many");
            }
            let Some(seq) = line["seq"].as_u64() else { continue };
            if line["past"] == true {
                assert!(last_past < seq && seq <= last, "desk {number}: {seq} is not past, or is so twice");
                last_past = seq;
                continue;
            }
            assert!(seq > last, "desk {number}: {seq} comes behind {last}");
            missing += seq - last - 1;
            last = seq;
            assert!(
                missing <= skipped,
                "desk {number}: {skipped} were skipped, and {missing} are missing by {seq}"
            );
        }
        let more = skipped - missing;
        let is_right = more <= self.uncounted_max || !told.is_whole;
        assert!(is_right, "desk {number}: {more} more are said to be skipped");
    }
}

fn written(sock: &Sock) -> &[u8] {
    sock.record.as_ref().map_or(&[], |record| &record.written)
}

/// Connections that a line is about, but for what a command has asked for in vain.
fn ids_of(line: &Value) -> Vec<u64> {
    let rows = line["conns"].as_array().into_iter().flatten().map(|row| &row["id"]);
    let is_event = line["ev"] != "ok" && line["ev"] != "error";
    let own = is_event.then_some(&line["id"]).into_iter();
    rows.chain(own).filter_map(Value::as_u64).collect()
}

/// What one desk was told.
struct Told<'a> {
    desk: &'a Desk,
    attached: &'a Attached,
    lines: Vec<Value>,
    /// Whole lines that it has said.
    said: usize,
    /// It has said all it had to say and was told all there was.
    is_whole: bool,
}

impl Told<'_> {
    fn of<'a>(desk: &'a Desk, sock: &Sock, attached: &'a Attached, has_ended: bool) -> Told<'a> {
        let bytes = written(sock);
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let is_whole = attached.closed == Some(("finished", 0))
            && sock.far_was_faithful()
            && sock.said().len() == desk.script_bytes
            && !has_ended;
        assert!(!is_whole || end == bytes.len(), "it ends in the middle of a line");
        // What a line says differs from run to run, since it has the time in it.
        let parse = |line: &[u8]| {
            serde_json::from_slice(line)
                .unwrap_or_else(|error| panic!("a desk's is no line of JSON: {error}"))
        };
        let lines = bytes[..end].split_inclusive(|byte| *byte == b'\n').map(parse).collect();
        let said = sock.said().iter().filter(|byte| **byte == b'\n').count();
        Told { desk, attached, lines, said, is_whole }
    }

    /// One too many is told so, and nothing else.
    fn check_turned_away(&self) {
        let codes: Vec<&str> = self.lines.iter().filter_map(|line| line["code"].as_str()).collect();
        assert_eq!(codes.len(), self.lines.len(), "{:?}", self.lines);
        assert!(codes.is_empty() || codes == ["too-many"], "more than {DESKS_MAX}: {codes:?}");
    }

    /// Each one who is open is told of once, before all that is said.
    fn check_greeting(&self, number: u64) {
        let opens = self.lines.iter().filter(|line| line["ev"] == "open" && line["past"] == true);
        let mut opens: Vec<u64> = opens.filter_map(|line| line["id"].as_u64()).collect();
        opens.sort_unstable();
        let is_cut = self.lines.iter().all(|line| line["ev"] == "hello" || line["past"] == true);
        let whole = opens == self.attached.present;
        assert!(whole || is_cut, "desk {number}: {opens:?} were here, and {:?} are", self.attached.present);
        let live = self.lines.iter().filter(|line| line["ev"] == "open" && line["past"] != true);
        let mut all: BTreeSet<u64> = opens.into_iter().collect();
        for id in live.filter_map(|line| line["id"].as_u64()) {
            assert!(all.insert(id), "desk {number}: #{id} opens twice");
        }
    }

    fn check_replies(&self, number: u64) {
        let is_reply = |line: &&Value| matches!(line["ev"].as_str(), Some("ok" | "error"));
        let replies: Vec<&Value> = self.lines.iter().filter(is_reply).collect();
        let asked = &self.desk.asked;
        assert!(replies.len() <= self.said, "desk {number}: {} replies to {}", replies.len(), self.said);
        for (reply, reference) in replies.iter().zip(asked) {
            assert_eq!(
                reply["ref"].to_string(),
                *reference,
                "desk {number} has a reply under another reference"
            );
        }
        let expected = if self.is_whole { asked.len() } else { replies.len() };
        assert_eq!(replies.len(), expected, "desk {number}: replies, against commands");
    }

    /// What has the same number is the same for all desks.
    fn check_same(&self, number: u64, events: &mut Events) {
        for line in
            self.lines.iter().filter(|line| !matches!(line["ev"].as_str(), Some("hello" | "ok" | "error")))
        {
            let Some(seq) = line["seq"].as_u64() else { continue };
            let mut line = line.clone();
            line.as_object_mut().expect("each line is an object").remove("past");
            let first = events.entry(seq).or_insert_with(|| line.clone());
            assert_eq!(*first, line, "desk {number} is told something else than another");
        }
    }

    /// All that was said since it came is told, in order, but what it has missed.
    fn check_messages(&self, number: u64, frames: &[(u64, Vec<u8>)]) {
        let is_live = |line: &&Value| line["ev"] == "msg" && line["past"] != true;
        let said: Vec<(u64, &[u8])> = self
            .lines
            .iter()
            .filter(is_live)
            .map(|line| {
                (
                    line["id"].as_u64().unwrap_or_default(),
                    line["text"].as_str().unwrap_or_default().as_bytes(),
                )
            })
            .collect();
        let mut rest =
            frames[self.attached.frames_before..].iter().map(|(serial, bytes)| (*serial, &bytes[..]));
        let skips = self.lines.iter().any(|line| line["ev"] == "skipped");
        for message in &said {
            let is_next =
                if skips { rest.any(|frame| frame == *message) } else { rest.next() == Some(*message) };
            assert!(is_next, "desk {number} is told {message:?}, which is not what was said");
        }
    }
}
