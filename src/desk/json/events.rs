//! Events as lines of JSON.

use super::VERSION;
use super::replies::spelt_faults;
use super::write::{Writer, bytes, flag, is_plain, list, number, payload, text};
use crate::buffer::framing::{End, Frame, Framing};
use crate::conn::stream::Via;
use crate::conn::{Credentials, Peer};
use crate::desk::event::{Author, DeskId, Event, Namer, Operator, Receivers, Who};
use crate::desk::text::{push_number, push_peer};

impl Writer {
    /// Appends an event, which is this one of the run.
    pub fn event(&mut self, event: &Event<'_>, seq: u64, out: &mut Vec<u8>) {
        match event {
            Event::Message(who, frame) => self.message(*who, frame, seq, out),
            Event::Listening(address, framing) => {
                out.extend_from_slice(b"{\"ev\":\"listening\",\"v\":");
                push_number(out, u64::from(VERSION));
                text(out, "run", &run_id());
                text(out, "addr", address);
                // Lines are what a reader takes it for; of what is only echoed, nothing is shown.
                if !matches!(framing, Framing::Lines | Framing::Echo) {
                    text(out, "frame", &framing.to_string());
                }
            }
            Event::Skipped(count) => {
                out.extend_from_slice(b"{\"ev\":\"skipped\",\"count\":");
                push_number(out, *count);
            }
            Event::Opened { who, .. } => {
                self.begin_about(out, "open", seq, *who);
                opened(out, event);
            }
            Event::Ended(who, _) => self.begin_about(out, "eof", seq, *who),
            Event::Finished(who) => self.begin_about(out, "fin", seq, *who),
            Event::Closed { who, why, unseen, received_bytes, sent_bytes, unsent_bytes, discarded_bytes } => {
                self.begin_about(out, "close", seq, *who);
                text(out, "reason", why.code());
                text(out, "msg", &why.to_string());
                if let Some(peer) = unseen {
                    text(out, "peer", &spelt(peer));
                }
                number(out, "rx", *received_bytes);
                number(out, "tx", *sent_bytes);
                number(out, "unsent", *unsent_bytes as u64);
                if *discarded_bytes > 0 {
                    number(out, "discarded", *discarded_bytes as u64);
                }
            }
            event => self.of_desks(event, seq, out),
        }
        if !matches!(event, Event::Message(..)) {
            out.extend_from_slice(b"}\n");
        }
    }

    /// Appends an event that is told again to whoever was not there: it has no number.
    pub fn past(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let Event::Opened { who, .. } = event else { return self.event(event, 0, out) };
        out.extend_from_slice(b"{\"ev\":\"open\"");
        self.after_seq(out);
        number(out, "id", who.serial);
        opened(out, event);
        flag(out, "past");
        out.extend_from_slice(b"}\n");
    }

    /// What the desks, and not the peers, have brought about.
    fn of_desks(&mut self, event: &Event<'_>, seq: u64, out: &mut Vec<u8>) {
        match event {
            Event::Sent { by, to, bytes } => {
                self.begin(out, "sent", seq);
                receivers(out, *to);
                payload(out, bytes);
                author(out, *by);
            }
            Event::Answered { who, by, bytes } => {
                self.begin(out, "sent", seq);
                list(out, "ids", [who.serial], push_number);
                payload(out, bytes);
                author(out, *by);
            }
            Event::Named(who, by) => {
                self.begin_about(out, "name", seq, *who);
                if let Some(name) = who.name {
                    text(out, "name", name);
                }
                if let Some(desk) = by.desk() {
                    number(out, "by", u64::from(desk.0));
                }
                if *by == Namer::Peer && who.name.is_some() {
                    flag(out, "nick");
                }
            }
            Event::Done(who, by) => {
                self.begin_about(out, "done", seq, *who);
                number(out, "by", u64::from(by.0));
            }
            Event::Linked(one, other, by) => self.link(out, "link", seq, [*one, *other], *by),
            Event::Unlinked(one, other, by) => self.link(out, "unlink", seq, [*one, *other], *by),
            Event::Drained(who) => self.begin_about(out, "drained", seq, *who),
            Event::FileSent { whom, path, bytes, error } => {
                self.begin(out, "file", seq);
                if let Some(who) = whom {
                    number(out, "id", who.serial);
                }
                text(out, "path", path);
                number(out, "bytes", *bytes);
                if let Some(error) = error {
                    text(out, "msg", error);
                }
            }
            Event::Every { number: at, period, why } => {
                self.begin(out, "every", seq);
                number(out, "n", *at);
                match period {
                    Some(period) => number(out, "ms", period.as_millis() as u64),
                    None => flag(out, "off"),
                }
                if let Some(why) = why {
                    text(out, "msg", why);
                }
            }
            Event::Fault { who, spec, by } => {
                self.begin(out, "fault", seq);
                if let Some(who) = who {
                    number(out, "id", who.serial);
                }
                text(out, "spec", &spelt_faults(*spec));
                if let Some(desk) = by {
                    number(out, "by", u64::from(desk.0));
                }
            }
            Event::Stopping(waiting, by) => {
                self.begin(out, "stopping", seq);
                number(out, "waiting", *waiting as u64);
                if let Some(desk) = by {
                    number(out, "by", u64::from(desk.0));
                }
            }
            Event::Speaks { who, protocol, .. } => {
                self.begin_about(out, "note", seq, *who);
                text(out, "msg", &format!("it speaks {protocol}"));
            }
            Event::Note(what) => {
                self.begin(out, "note", seq);
                text(out, "msg", what);
            }
            Event::TurnedAway(count, why) => {
                self.begin(out, "refused", seq);
                number(out, "count", *count);
                text(out, "why", why);
            }
            Event::Desk(operator) => begin_operator(out, "desk", "desk", *operator),
            Event::DeskLeft(operator) => {
                begin_operator(out, "desk", "desk", *operator);
                flag(out, "gone");
            }
            Event::Typing(operator, to) => {
                begin_operator(out, "typing", "by", Operator { watches: false, ..*operator });
                to.iter().for_each(|to| receivers(out, *to));
            }
            // The others are spelt above.
            _ => self.begin(out, "bye", seq),
        }
    }

    /// The most frequent of all.
    pub fn message(&mut self, who: Who<'_>, frame: &Frame<'_>, seq: u64, out: &mut Vec<u8>) {
        if !self.opening.is_next(who.serial, seq) {
            self.open(who, seq);
        }
        let (said, end): (&[u8], &[u8]) = match (frame.end, frame.bytes) {
            (End::Newline, [line @ .., b'\r']) => (line, b"\",\"end\":\"\\r\\n\"}\n"),
            (End::Newline | End::Framed(_) | End::Read, bytes) => (bytes, b"\"}\n"),
            (End::Silence, bytes) => (bytes, b"\",\"part\":\"silence\"}\n"),
            (End::Limit, bytes) => (bytes, b"\",\"part\":\"limit\"}\n"),
            (End::Gone, bytes) => (bytes, b"\",\"part\":\"eof\"}\n"),
        };
        let tells_head = frame.is_part() && !frame.head.is_empty();
        if is_plain(said) && !tells_head {
            let opening = self.opening.with_text();
            out.reserve(opening.len() + said.len() + end.len());
            out.extend_from_slice(opening);
            out.extend_from_slice(said);
            out.extend_from_slice(end);
        } else {
            out.extend_from_slice(self.opening.without_text());
            payload(out, said);
            if tells_head {
                bytes(out, "head", &frame.head);
            }
            // The quote stands behind it.
            out.extend_from_slice(&end[1..]);
        }
    }

    #[inline(never)]
    fn open(&mut self, who: Who<'_>, seq: u64) {
        let mut opening = std::mem::take(&mut self.opening);
        opening.make(who.serial, seq, push_number, |line| {
            self.after_seq(line);
            number(line, "id", who.serial);
        });
        self.opening = opening;
    }

    fn link(&mut self, out: &mut Vec<u8>, kind: &str, seq: u64, both: [Who<'_>; 2], by: DeskId) {
        self.begin(out, kind, seq);
        list(out, "ids", both.map(|who| who.serial), push_number);
        number(out, "by", u64::from(by.0));
    }

    fn begin_about(&mut self, out: &mut Vec<u8>, kind: &str, seq: u64, who: Who<'_>) {
        self.begin(out, kind, seq);
        number(out, "id", who.serial);
    }
}

/// What is told of somebody who came.
pub(super) fn opened(out: &mut Vec<u8>, event: &Event<'_>) {
    let Event::Opened { who, peer, dialled, client, via } = event else { return };
    self::peer(out, peer);
    if let Some(name) = who.name {
        text(out, "name", name);
    }
    if *dialled {
        flag(out, "dialed");
    }
    if let Some(client) = client {
        number(out, "for", *client);
    }
    self::via(out, *via);
}

/// What its bytes pass through, where that is not nothing.
pub(super) fn via(out: &mut Vec<u8>, via: Via) {
    if let Some(version) = via.tls_version() {
        text(out, "via", "tls");
        text(out, "tls", version);
    }
}

fn receivers(out: &mut Vec<u8>, to: Receivers<'_>) {
    match to {
        Receivers::One(serial) => list(out, "ids", [serial], push_number),
        Receivers::Several(serials) => list(out, "ids", serials.iter().copied(), push_number),
        Receivers::All => text(out, "to", "all"),
    }
}

/// Begins an event of the desks alone, which has no number.
fn begin_operator(out: &mut Vec<u8>, kind: &str, key: &str, operator: Operator<'_>) {
    out.extend_from_slice(b"{\"ev\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
    self::operator(out, key, operator);
}

/// Who is at a desk.
pub(super) fn operator(out: &mut Vec<u8>, key: &str, operator: Operator<'_>) {
    number(out, key, u64::from(operator.desk.0));
    if let Some(name) = operator.name {
        text(out, "name", name);
    }
    if operator.watches {
        flag(out, "watch");
    }
}

fn author(out: &mut Vec<u8>, by: Author) {
    match (by, by.word()) {
        (Author::Desk(desk), _) => number(out, "by", u64::from(desk.0)),
        (_, word) => text(out, "by", word.unwrap_or_default()),
    }
}

/// Who is at the other end: the address, and whose process it is where that is known.
pub(super) fn peer(out: &mut Vec<u8>, peer: &Peer) {
    text(out, "peer", &spelt(peer));
    if let Some(Credentials { pid, uid }) = peer.credentials() {
        pid.iter().for_each(|pid| number(out, "pid", u64::from(pid.get())));
        number(out, "uid", u64::from(uid));
    }
}

/// A peer's address.
fn spelt(peer: &Peer) -> String {
    let mut out = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = push_peer(&mut out, peer);
    String::from_utf8_lossy(&out).into_owned()
}

/// Tells this run from others: the process and the moment in which it began to say anything.
pub(super) fn run_id() -> String {
    use std::sync::OnceLock;
    static RUN: OnceLock<String> = OnceLock::new();
    let made = || {
        let nanos = jiff::Timestamp::now().as_nanosecond() as u64;
        format!("{:016x}", nanos ^ (u64::from(std::process::id()) << 40))
    };
    RUN.get_or_init(made).clone()
}
