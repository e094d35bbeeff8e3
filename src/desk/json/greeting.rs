//! What a desk that comes later is told first: which run this is, who is at the other desks, and who is here.

use super::VERSION;
use super::events::{opened, operator, run_id};
use super::write::{Writer, flag, number, text};
use crate::desk::event::{DeskId, Event, Operator};
use crate::desk::reply::Row;
use crate::desk::rights::Rights;
use crate::desk::text::push_number;

/// What peers' words are for, as far as a desk goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whoever speaks waits for an answer.
    Console,
    /// Everybody hears everybody.
    Chat,
    /// What is said goes back.
    Echo,
    /// What is said goes on to another.
    Tap,
}

/// The first line.
#[derive(Clone, Copy, Debug)]
pub struct Greeting {
    /// Which desk this is.
    pub desk: DeskId,
    /// How many events there were before.
    pub seq: u64,
    /// What may be done here.
    pub rights: Rights,
    /// What is served.
    pub mode: Mode,
}

/// Somebody who is here already.
#[derive(Debug)]
pub struct Present<'a> {
    /// Its coming, as it was told then.
    pub opened: Event<'a>,
    /// How it is now.
    pub row: Row<'a>,
    /// It has chosen its name for itself, so that is no target.
    pub is_nick: bool,
}

impl Mode {
    /// For programs.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Console => "console",
            Mode::Chat => "chat",
            Mode::Echo => "echo",
            Mode::Tap => "tap",
        }
    }

    /// What is meant by a word.
    pub fn of(word: &str) -> Option<Mode> {
        [Mode::Console, Mode::Chat, Mode::Echo, Mode::Tap].into_iter().find(|mode| mode.word() == word)
    }
}

impl Writer {
    /// Appends the first line.
    pub fn hello(&mut self, greeting: Greeting, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ev\":\"hello\",\"v\":");
        push_number(out, u64::from(VERSION));
        text(out, "run", &run_id());
        number(out, "desk", u64::from(greeting.desk.0));
        number(out, "seq", greeting.seq);
        text(out, "mode", greeting.mode.word());
        text(out, "may", greeting.rights.word());
        out.extend_from_slice(b"}\n");
    }

    /// Appends who is at another desk already.
    pub fn other_desk(&mut self, other: Operator<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ev\":\"desk\"");
        operator(out, "desk", other);
        flag(out, "past");
        out.extend_from_slice(b"}\n");
    }

    /// Appends who is here already, since when, and how it is now.
    pub fn present(&mut self, present: &Present<'_>, out: &mut Vec<u8>) {
        let Present { opened: event, row, is_nick } = present;
        out.extend_from_slice(b"{\"ev\":\"open\"");
        text(out, "ts", &self.ago(row.age));
        number(out, "id", row.who.serial);
        opened(out, event);
        if *is_nick {
            flag(out, "nick");
        }
        self.end_row(out, row);
        flag(out, "past");
        out.extend_from_slice(b"}\n");
    }
}
