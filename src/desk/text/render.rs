//! Events to bytes: a pure function of the event, the format and the time of day. Every line is whole
//! and ends with `\n`; nothing a peer said reaches it unescaped, save in `raw`.

use std::io::Write;

use crate::buffer::framing::{End, Envelope, Frame};
use crate::conn::{ConnId, Peer};
use crate::desk::command::View;
use crate::desk::event::{Event, Who};
use crate::desk::reply::Reply;
use crate::desk::words::{limit, plural};

use super::answered::push_answered;
use super::comings::{push_closed, push_linked, push_opened, push_speaks};
use super::desks::{DeskNames, push_desk, push_sent_elsewhere, push_stopping};
use super::reply::push_reply;
use super::safe::{push_ascii, push_dump, push_human, push_tsv};
use super::stamp::Stamp;

/// How messages look on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person: `12:03:04.123 #3> hello`, and events between them.
    Human,
    /// For scripts: `3<TAB>hello`, messages alone.
    Tsv,
    /// The bytes as they came.
    Raw,
}

/// Which characters whoever reads the human format can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repertoire {
    /// All that Unicode has.
    Unicode,
    /// ASCII alone: what is not in it is spelt out.
    Ascii,
}

impl Repertoire {
    /// Appends a peer's bytes as a person reads them.
    pub fn push(self, out: &mut Vec<u8>, bytes: &[u8]) {
        match self {
            Repertoire::Unicode => push_human(out, bytes),
            Repertoire::Ascii => push_ascii(out, bytes),
        }
    }

    /// What stands behind a line that goes on in the next message.
    pub(super) fn ellipsis(self) -> &'static str {
        match self {
            Repertoire::Unicode => "…",
            Repertoire::Ascii => "...",
        }
    }
}

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A program: times and sizes are whole numbers.
    Program,
    /// Somebody who looks on, at rows of so many columns: times and sizes are in units, and tables are for the eye.
    Person(usize),
}

/// Renders events and replies in one format.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    repertoire: Repertoire,
    reader: Reader,
    /// What framed a message behind, where that is shown as it came.
    envelope: Envelope,
    /// What stands in front of the lines of `labelled`: most lines are by whoever said the one before.
    label: Vec<u8>,
    labelled: Option<u64>,
    /// What stands in front of a reply `-> #3 6 bytes`, with the time of its turn: many of them go to one
    /// connection.
    reply_label: Vec<u8>,
    reply_labelled: Option<(u64, u64)>,
    /// What other desks are called.
    desks: DeskNames,
}

impl Renderer {
    /// A renderer for this format.
    pub fn new(format: Format) -> Renderer {
        Renderer::of(format, Repertoire::Unicode, Reader::Program)
    }

    /// A renderer of the human format for a terminal that shows these characters. Until it is told otherwise, its rows
    /// are taken for as long as need be.
    pub fn for_terminal(repertoire: Repertoire) -> Renderer {
        Renderer::of(Format::Human, repertoire, Reader::Person(usize::MAX))
    }

    /// The terminal has so many columns: tables are made to fit.
    pub fn set_columns(&mut self, columns: usize) {
        self.reader = Reader::Person(columns);
    }

    /// Messages are framed like this.
    pub fn set_envelope(&mut self, envelope: Envelope) {
        self.envelope = envelope;
    }

    fn of(format: Format, repertoire: Repertoire, reader: Reader) -> Renderer {
        Renderer {
            format,
            repertoire,
            reader,
            envelope: Envelope::Lf,
            label: Vec::new(),
            labelled: None,
            reply_label: Vec::new(),
            reply_labelled: None,
            desks: DeskNames::default(),
        }
    }

    /// Appends a peer's message.
    pub fn message(
        &mut self,
        who: Who<'_>,
        frame: &Frame<'_>,
        view: View,
        stamp: &mut Stamp,
        out: &mut Vec<u8>,
    ) {
        match self.format {
            Format::Human => {
                stamp.push(out);
                out.extend_from_slice(self.label(who));
                match view {
                    // A `\r` that the framing knows nothing of is part of what was said.
                    View::Text if matches!(frame.end, End::Framed(_)) => {
                        self.repertoire.push(out, frame.bytes)
                    }
                    View::Text => self.repertoire.push(out, without_cr(frame.bytes)),
                    View::Hex => push_dump(out, frame.bytes, true),
                }
                if frame.end == End::Limit {
                    out.extend_from_slice(self.repertoire.ellipsis().as_bytes());
                }
                out.push(b'\n');
            }
            Format::Tsv => {
                out.extend_from_slice(self.label(who));
                match view {
                    View::Text => push_tsv(out, frame.bytes),
                    View::Hex => push_dump(out, frame.bytes, false),
                }
                if frame.end == End::Limit {
                    out.extend_from_slice(b"\tmore");
                }
                out.push(b'\n');
            }
            Format::Raw => {
                out.extend_from_slice(&frame.head);
                out.extend_from_slice(frame.bytes);
                out.extend_from_slice(frame.behind(self.envelope));
            }
        }
    }

    /// Appends any other event, as one line.
    pub fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = match event {
            Event::Sent { .. } => push_sent_elsewhere(out, event, &self.desks, self.repertoire),
            Event::Desk(_) | Event::DeskLeft(_) => {
                let written = push_desk(out, event, &self.desks);
                self.desks.note(event);
                written
            }
            event => push_event(out, event, self.repertoire),
        };
    }

    /// Appends a reply, as one line or several.
    pub fn reply(&mut self, reply: &Reply<'_>, out: &mut Vec<u8>) {
        let _ = push_reply(out, reply, self.repertoire, self.reader);
    }

    /// The same with the time in front of each line.
    pub fn stamped_reply(&mut self, reply: &Reply<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        if let Reply::Sent(who, sent) = reply
            && sent.not_reading_for.is_none()
        {
            // The most frequent of all; see `push_number`.
            out.extend_from_slice(self.reply_label(*who, stamp));
            return push_bytes(out, sent.bytes);
        }
        stamp.push_lines(out, |out| self.reply(reply, out));
    }

    /// Appends an event with the time in front.
    pub fn stamped_event(&mut self, event: &Event<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        stamp.push_lines(out, |out| self.event(event, out));
    }

    /// Forgets how a connection is labelled: it has another name now.
    pub fn forget_label(&mut self, serial: u64) {
        self.labelled = self.labelled.filter(|labelled| *labelled != serial);
        self.reply_labelled = self.reply_labelled.filter(|(labelled, _)| *labelled != serial);
    }

    fn reply_label(&mut self, who: Who<'_>, stamp: &mut Stamp) -> &[u8] {
        if self.reply_labelled != Some((who.serial, stamp.turn())) {
            self.reply_labelled = Some((who.serial, stamp.turn()));
            self.reply_label.clear();
            stamp.push(&mut self.reply_label);
            push_sent_to(&mut self.reply_label, who);
        }
        &self.reply_label
    }

    fn label(&mut self, who: Who<'_>) -> &[u8] {
        if self.labelled != Some(who.serial) {
            self.labelled = Some(who.serial);
            self.label.clear();
            match self.format {
                Format::Human => {
                    push_who(&mut self.label, who);
                    self.label.extend_from_slice(b"> ");
                }
                Format::Tsv => {
                    push_number(&mut self.label, who.serial);
                    self.label.push(b'\t');
                }
                Format::Raw => {}
            }
        }
        &self.label
    }
}

/// A line as a person wants it: many devices end theirs with `\r\n`.
pub fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends `#7`.
pub fn push_id(out: &mut Vec<u8>, id: ConnId) {
    push_serial(out, id.serial());
}

pub(super) fn push_serial(out: &mut Vec<u8>, serial: u64) {
    out.push(b'#');
    push_number(out, serial);
}

/// Appends `#7`, or `#7 lab-a`.
pub(in crate::desk) fn push_who(out: &mut Vec<u8>, who: Who<'_>) {
    push_serial(out, who.serial);
    if let Some(name) = who.name {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
    }
}

/// Appends a number in decimal; `write!` would take longer than all the rest of a short message.
pub(in crate::desk) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub(super) fn push_sent_to(out: &mut Vec<u8>, who: Who<'_>) {
    out.extend_from_slice(b"-> ");
    push_who(out, who);
    out.push(b' ');
}

pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: usize) {
    push_number(out, bytes as u64);
    out.extend_from_slice(if bytes == 1 { b" byte\n" } else { b" bytes\n" });
}

fn push_event(out: &mut Vec<u8>, event: &Event<'_>, repertoire: Repertoire) -> std::io::Result<()> {
    match event {
        Event::Message(..) | Event::Listening(..) | Event::Finished(_) | Event::Bye => Ok(()),
        Event::Sent { .. } | Event::Desk(_) | Event::DeskLeft(_) | Event::Typing(..) => Ok(()),
        Event::Answered { who, by, bytes } => push_answered(out, *who, *by, bytes, repertoire),
        Event::Opened { .. } => push_opened(out, event),
        Event::Speaks { .. } => push_speaks(out, event),
        // Whether it only shut down its side or has left altogether cannot be told from its end.
        Event::Ended(who, kept) => {
            push_event_of(out, *who);
            out.extend_from_slice(b" has finished sending (it may have left)");
            match kept {
                None => writeln!(out),
                Some(kept) => writeln!(out, "; kept {} for your answer", limit(*kept)),
            }
        }
        Event::Closed { .. } => push_closed(out, event, repertoire),
        Event::Named(who, _) => {
            push_serial_of_event(out, who.serial);
            match who.name {
                Some(name) => writeln!(out, " is now {name}"),
                None => writeln!(out, " has no name any more"),
            }
        }
        Event::Linked(one, other, _) => push_linked(out, "* ", [*one, *other], "are linked"),
        Event::Unlinked(one, other, _) => push_linked(out, "* ", [*one, *other], "are linked no more"),
        Event::Done(who, _) => {
            push_event_of(out, *who);
            writeln!(out, " needs no answer any more")
        }
        Event::Drained(who) => {
            push_event_of(out, *who);
            writeln!(out, " has taken nearly all that was queued")
        }
        Event::FileSent { whom, path, bytes, error } => {
            out.extend_from_slice(b"* ");
            repertoire.push(out, path.as_bytes());
            write!(out, ": {} sent", plural(*bytes, "byte"))?;
            if let Some(who) = whom {
                out.extend_from_slice(b" to ");
                push_who(out, *who);
            }
            match error {
                Some(error) => writeln!(out, ", not all: {error}"),
                None => writeln!(out, ", all of it"),
            }
        }
        Event::Every { number, period: Some(period), .. } => {
            writeln!(out, "* something is repeated every {} ({number})", limit(*period))
        }
        Event::Every { number, period: None, why } => {
            write!(out, "* /every {number} has ended")?;
            if let Some(why) = why {
                write!(out, ": {why}")?;
            }
            writeln!(out)
        }
        Event::Fault { who, spec, .. } => {
            match who {
                Some(who) => push_event_of(out, *who),
                None => out.extend_from_slice(b"* newcomers"),
            }
            let are = if who.is_some() { "is" } else { "are" };
            match spec {
                Some(spec) => writeln!(out, " {are} broken on purpose: {spec}"),
                None => writeln!(out, " {are} broken no more"),
            }
        }
        Event::Stopping(waiting, by) => push_stopping(out, *waiting, *by),
        Event::Note(what) => writeln!(out, "* {what}"),
        Event::Skipped(1) => writeln!(out, "* 1 line skipped: it came faster than it was read"),
        Event::Skipped(count) => {
            writeln!(out, "* {count} lines skipped: they came faster than they were read")
        }
        Event::TurnedAway(count, why) => writeln!(out, "* {count} turned away in the last second: {why}"),
    }
}

pub(super) fn push_event_of(out: &mut Vec<u8>, who: Who<'_>) {
    out.extend_from_slice(b"* ");
    push_who(out, who);
}

fn push_serial_of_event(out: &mut Vec<u8>, serial: u64) {
    out.extend_from_slice(b"* ");
    push_serial(out, serial);
}

/// Appends a peer's address. Where thousands come and go each second, most of the time of a line went into `write!`
/// of an IPv4 address.
pub(in crate::desk) fn push_peer(out: &mut Vec<u8>, peer: &Peer) -> std::io::Result<()> {
    let Peer::V4(address) = peer else { return write!(out, "{peer}") };
    for (at, octet) in address.ip().octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        push_number(out, u64::from(octet));
    }
    out.push(b':');
    push_number(out, u64::from(address.port()));
    Ok(())
}

#[cfg(test)]
mod tests;
