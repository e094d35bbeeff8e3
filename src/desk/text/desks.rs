//! What is told of other desks: who comes and goes there, and what was sent from there.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::answered::push_shown;
use super::render::{Repertoire, push_number, push_serial};
use crate::desk::event::{Author, DeskId, Event, Operator, Receivers};
use crate::desk::words::plural;

/// So many connections are named one by one.
const NAMED_MAX: usize = 5;

/// Which desks there are, and what they are called, as far as that was told.
#[derive(Debug, Default)]
pub struct DeskNames(BTreeMap<DeskId, Option<String>>);

impl DeskNames {
    /// Keeps what an event says of them.
    pub fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Desk(Operator { desk, name, .. }) => {
                self.0.insert(*desk, name.map(str::to_owned));
            }
            Event::DeskLeft(Operator { desk, .. }) => {
                self.0.remove(desk);
            }
            _ => {}
        }
    }

    /// `desk 2`, `desk 2 ann`: a desk's name, too, never stands alone.
    pub fn called(&self, desk: DeskId) -> String {
        match self.0.get(&desk) {
            Some(Some(name)) => format!("desk {} {name}", desk.0),
            Some(None) | None => format!("desk {}", desk.0),
        }
    }
}

/// Appends `-> #3 6 bytes (desk 2 ann) hello`.
pub(super) fn push_sent_elsewhere(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    names: &DeskNames,
    repertoire: Repertoire,
) -> io::Result<()> {
    let Event::Sent { by: Author::Desk(desk), to, bytes } = event else { return Ok(()) };
    out.extend_from_slice(b"-> ");
    match to {
        Receivers::All => out.extend_from_slice(b"everybody"),
        Receivers::One(serial) => push_serial(out, *serial),
        Receivers::Several(serials) if serials.len() > NAMED_MAX => {
            out.extend_from_slice(plural(serials.len() as u64, "connection").as_bytes());
        }
        Receivers::Several(serials) => {
            for (at, serial) in serials.iter().enumerate() {
                out.extend_from_slice(if at > 0 { b", " } else { b"" });
                push_serial(out, *serial);
            }
        }
    }
    write!(out, " {} ({}) ", plural(bytes.len() as u64, "byte"), names.called(*desk))?;
    push_shown(out, bytes, repertoire);
    writeln!(out)
}

/// Appends that somebody is at a desk now, or no more, or what a desk is called now; `names` are from before that.
pub(super) fn push_desk(out: &mut Vec<u8>, event: &Event<'_>, names: &DeskNames) -> io::Result<()> {
    let (operator, what) = match event {
        Event::Desk(Operator { desk, name: Some(name), watches: false }) if names.0.contains_key(desk) => {
            return writeln!(out, "* desk {} is {name} now", desk.0);
        }
        Event::Desk(operator) if operator.watches => (operator, " looks on"),
        Event::Desk(operator) => (operator, " is attached"),
        Event::DeskLeft(operator) => (operator, " has left"),
        _ => return Ok(()),
    };
    out.extend_from_slice(b"* ");
    push_operator(out, operator);
    writeln!(out, "{what}")
}

fn push_operator(out: &mut Vec<u8>, operator: &Operator<'_>) {
    out.extend_from_slice(b"desk ");
    push_number(out, u64::from(operator.desk.0));
    if let Some(name) = operator.name {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
    }
}

/// Appends who is at the desks, in one line.
pub(super) fn push_desks(out: &mut Vec<u8>, desks: &[Operator<'_>]) -> io::Result<()> {
    for (at, operator) in desks.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b", " } else { b"" });
        push_operator(out, operator);
        if operator.watches {
            out.extend_from_slice(b" (looks on)");
        }
    }
    if desks.is_empty() { Ok(()) } else { writeln!(out) }
}

/// That the end has begun.
pub(super) fn push_stopping(out: &mut Vec<u8>, waiting: usize, by: Option<DeskId>) -> io::Result<()> {
    out.extend_from_slice(b"* stopping");
    if let Some(DeskId(desk)) = by {
        write!(out, ", as desk {desk} has said")?;
    }
    match waiting {
        0 => writeln!(out),
        _ => writeln!(out, ": sending what is queued for {}", plural(waiting as u64, "connection")),
    }
}
