//! What an operator is told: events of the connections, and answers to commands. Typed; how they look
//! is the renderer's affair.

use std::time::Duration;

use crate::board::View;
use crate::board::stats::Stats;
use crate::buffer::framing::Frame;
use crate::conn::reason::Reason;
use crate::conn::{ConnId, Peer};

use super::command::{Help, Mistake};

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Somebody connected.
    Opened(ConnId, &'a Peer),
    /// A peer said something.
    Message(ConnId, Frame<'a>),
    /// A peer has finished sending. Our side stays open for an answer for so long, or does not.
    Ended(ConnId, Option<Duration>),
    /// A connection has ended.
    Closed {
        /// Which.
        id: ConnId,
        /// Why.
        why: &'a Reason,
        /// Bytes it sent.
        received_bytes: u64,
        /// Bytes it was sent.
        sent_bytes: u64,
        /// Bytes that were queued for it and are lost.
        unsent_bytes: usize,
        /// Bytes that it said when it was being closed, and that were thrown away.
        discarded_bytes: usize,
    },
    /// Lines that were not shown, because the screen was full.
    Skipped(u64),
    /// So many newcomers were turned away within the last second, and why.
    TurnedAway(u64, &'static str),
    /// The answer to a command.
    Answer(Answer<'a>),
}

/// What became of a command.
#[derive(Debug)]
pub enum Answer<'a> {
    /// A text of this many bytes goes to a connection.
    Sent(ConnId, usize),
    /// A text goes to everybody: to so many connections, with so many bytes.
    SentToAll(usize, usize),
    /// A text goes to a connection, behind much that it has not read.
    NotReading(ConnId, usize),
    /// A text was refused: so much is queued for the connection already.
    Full(ConnId, usize),
    /// A text is longer than all that may be queued for a connection, which is so many bytes.
    TextTooLong(usize),
    /// We have finished sending to this connection.
    Finished(ConnId),
    /// There was a connection of this number.
    Gone(u64),
    /// There never was a connection of this number.
    NoSuch(u64),
    /// The command is about nobody: nobody is connected.
    Nobody,
    /// There is no current target: nobody has spoken yet.
    NoTarget,
    /// In this mode the operator does not speak.
    Mute,
    /// The current target is one now, several, all, or whoever spoke last.
    TargetIs(&'a str),
    /// A connection will be closed, finished or reset.
    Closing(ConnId, &'static str),
    /// What became of a command about many connections.
    Many(Many, &'a Tally),
    /// The end has come before a command about several was carried out: so many were not reached, or nothing
    /// was begun.
    CutShort(Option<usize>),
    /// A connection, as `/who` shows it.
    Row(View<'a>),
    /// The counters.
    Stats {
        /// What was counted.
        stats: &'a Stats,
        /// How many connections there are.
        conns: usize,
        /// Since the start.
        uptime: Duration,
    },
    /// A line of help.
    Help(&'a Help),
    /// What was typed makes no sense.
    Mistake(&'a Mistake),
    /// A line was longer than a typed line may be.
    TooLong,
    /// The program ends as soon as what is queued for so many connections was sent.
    Stopping(usize),
    /// Stdin cannot be read.
    NoInput(&'a str),
}

/// What was done to many at once.
#[derive(Clone, Copy, Debug)]
pub enum Many {
    /// A text of this many bytes goes to them.
    Sent(usize),
    /// They are the current target.
    TargetIs,
    /// They will be closed, finished or reset.
    Closing(&'static str),
}

/// To how many of those who were named something was done, and to how many it was not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// It was done to so many.
    pub done: usize,
    /// So many of these have not read much that was sent before.
    pub slow: usize,
    /// The text was refused: too much is queued.
    pub full: usize,
    /// We have finished sending to so many.
    pub finished: usize,
    /// So many are gone.
    pub gone: usize,
    /// Others are gone, too, which were not counted.
    pub more_gone: bool,
}
