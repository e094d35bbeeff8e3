//! One connection: its read buffer (the unfinished tail), its write buffer (the outbox), what is known
//! of its readiness, and how far each direction has come. It holds no socket and knows none.

pub(crate) mod attempt;
mod due;
mod extras;
pub mod faults;
pub(crate) mod flow;
mod id;
mod moved;
pub(crate) mod policy;
pub(crate) mod reason;
mod share;
pub(crate) mod slow_reader;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod tail;
pub(crate) mod tls_end;

use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::buffer::broadcast::{BroadcastLog, Cursor};
use crate::buffer::gather::Gather;
use crate::buffer::outbox::Outbox;
use crate::clock::Moment;
use crate::conn::policy::Role;
use crate::conn::slow_reader::Slow;
use crate::conn::state::{Stage, State};
use crate::conn::stream::{Kept, Stream, Via};
use crate::conn::tail::Tail;
use crate::limits::Limits;

pub(crate) use due::Due;
pub(crate) use extras::{Extras, Link};
pub(crate) use id::Key;
pub use id::{ConnId, Credentials, Peer};
pub(crate) use moved::{Fill, FillEnd, Flush, FlushEnd};
pub(crate) use share::Share;
pub use state::{Inbound, Outbound};

/// Whether a connection is read, as far as the App has a say in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Running,
    /// It is not read, and of what was read before nothing more is handed over.
    Paused,
    /// It is to go on, first with what was kept of the last read, or what was begun in another role.
    Resumed,
}

/// How a connection stands to the writing of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteTurn {
    /// Nobody has asked for a flush.
    Off,
    /// It stands on the list of those to be flushed.
    Dirty,
    /// It has used up its write budget, and is flushed again in the next turn.
    Spent,
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub id: ConnId,
    pub peer: Peer,
    pub role: Role,
    /// Whether what is broadcast is meant for it.
    pub hears_broadcasts: bool,
    pub state: State,
    /// The beginning of a line whose ending has not come yet.
    pub tail: Tail,
    pub outbox: Outbox,
    /// What the board's sum has for it.
    pub accounted_bytes: usize,
    pub cursor: Cursor,
    pub slow: Option<Box<Slow>>,
    /// Whether the App lets it be read.
    pub reading: Reading,
    /// What few connections have.
    pub extras: Option<Box<Extras>>,
    /// When it last said something; at first, when it came.
    pub received_at: Moment,
    /// When it last took something; at first, when it came.
    pub sent_at: Moment,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// The earliest deadline in the heap that is this connection's.
    pub alarm: Option<Moment>,
    /// The stream may have something to read: no read has said otherwise since the last event.
    pub readable: bool,
    /// The stream may take something: no write has said otherwise since the last event.
    pub writable: bool,
    /// An event hinted at an end, so a short read does not prove that nothing is left.
    pub end_hinted: bool,
    /// An event hinted at a break, which reading does not tell where a FIN came before it.
    pub error_hinted: bool,
    /// What was read of it last was much.
    pub is_bulk: bool,
    /// It stands on the ready list.
    pub on_ready_list: bool,
    /// How it stands to the writing of this turn.
    pub write_turn: WriteTurn,
    /// It is behind in what was said to many, after its last flush.
    pub lagging: bool,
    /// The App wants to know when little is left of what is queued.
    pub tells_drained: bool,
    /// The App wants to know when our side is finished.
    pub tells_finished: bool,
    /// The App has something to say to it yet.
    pub is_owed: bool,
    /// What its bytes pass through.
    pub via: Via,
    /// What its stream keeps of its own, as it was last noted.
    pub stream_keeps: Kept,
    /// When it came, in tenths of a second since the start: it is for people, and four bytes last for 13 years.
    opened_tenths: u32,
}

impl Conn {
    /// `now` is the time that was listened, by which silence is judged; `came_at` the clock's.
    pub fn new(
        id: ConnId,
        peer: Peer,
        role: Role,
        state: State,
        cursor: Cursor,
        now: Moment,
        came_at: Moment,
    ) -> Conn {
        Conn {
            id,
            peer,
            role,
            hears_broadcasts: true,
            state,
            tail: Tail::default(),
            outbox: Outbox::default(),
            accounted_bytes: 0,
            cursor,
            slow: None,
            reading: Reading::Running,
            extras: None,
            received_at: now,
            sent_at: now,
            received_bytes: 0,
            sent_bytes: 0,
            alarm: None,
            readable: false,
            writable: false,
            end_hinted: false,
            error_hinted: false,
            is_bulk: false,
            on_ready_list: false,
            write_turn: WriteTurn::Off,
            lagging: false,
            tells_drained: false,
            tells_finished: false,
            is_owed: false,
            via: Via::Plain,
            stream_keeps: Kept::default(),
            opened_tenths: u32::try_from(came_at.since(Moment::default()).as_millis() / 100)
                .unwrap_or(u32::MAX),
        }
    }

    /// When it came.
    pub fn opened_at(&self) -> Moment {
        Moment::after_start(Duration::from_millis(u64::from(self.opened_tenths) * 100))
    }

    pub fn is_over(&self) -> bool {
        self.state.is_over()
    }

    /// See `State::delivers`.
    pub fn delivers(&self) -> bool {
        self.state.delivers()
    }

    /// See `State::may_be_sent`.
    pub fn may_be_sent(&self) -> bool {
        self.state.may_be_sent()
    }

    /// Whether what it says has to wait until the App resumes it. A connection that is being closed is read in any
    /// case: what it says is thrown away.
    pub fn is_paused(&self) -> bool {
        self.reading == Reading::Paused && !self.state.is_parting()
    }

    /// Whether it is sent what is broadcast.
    pub fn hears(&self) -> bool {
        self.hears_broadcasts && self.may_be_sent()
    }

    /// Whether a flush now would write whatever it is sent next, with nothing queued before it.
    pub fn takes_at_once(&self) -> bool {
        self.writable && self.write_turn != WriteTurn::Spent && self.outbox.is_empty() && !self.has_flow()
    }

    /// Whether it is a slow reader that has not caught up.
    pub fn is_over_high(&self) -> bool {
        self.slow.as_ref().is_some_and(|slow| slow.is_over_high())
    }

    /// Whether it has not read so much of what it was sent that it has to before it is read itself, where it is to wait
    /// for itself. Of a broken one no record of slowness is kept.
    pub fn is_full(&self, limits: &Limits) -> bool {
        self.is_over_high() || (self.has_flow() && self.outbox.len() > limits.outbox_high_bytes)
    }

    /// Whether others wait for it: not where they cannot feed it any more.
    pub fn holds_back(&self) -> bool {
        self.may_be_sent() && self.slow.as_ref().is_some_and(|slow| slow.holds_back())
    }

    /// What it counts for in the sums at the moment.
    pub fn share(&self) -> Share {
        Share { hears: self.hears(), holds_back: self.hears() && self.holds_back() }
    }

    /// Whether there is something to do for a flush: bytes to send, the stream's own or queued ones, or a FIN.
    pub fn has_something_to_flush(&self, log: &BroadcastLog) -> bool {
        self.stream_keeps.has_unsent()
            || match self.state.outbound() {
                Outbound::Open => !self.outbox.is_empty() || self.is_behind(log),
                Outbound::Finishing => true,
                Outbound::Closed => false,
            }
    }

    /// Whether it was accepted so long ago that its handshake should have been over twice.
    pub fn has_shaken_hands_long(&self, limits: &Limits, now: Moment) -> bool {
        self.state.is_shaking_hands() && now.since(self.opened_at()) >= 2 * limits.tls_handshake_max
    }

    /// What it has in memory of its own, spare room included. Once it is over, the rest goes with the sweep.
    pub fn own_bytes(&self) -> usize {
        if self.is_over() {
            return 0;
        }
        let broken = self.flow().map_or(0, |flow| flow.held_bytes());
        self.tail.held_bytes() + self.outbox.held_bytes() + broken + self.stream_keeps.bytes()
    }

    /// Whether it has something broadcast still to hear.
    pub fn is_behind(&self, log: &BroadcastLog) -> bool {
        self.hears() && log.is_behind(&self.cursor)
    }

    /// All that is queued for it, what was said to many included; once it is over, all that was.
    pub fn queued_bytes(&self, log: &BroadcastLog) -> usize {
        if let Stage::Over(ending) = self.state.stage() {
            return ending.unsent_bytes;
        }
        // Once it hears nothing more, what it had not heard has been moved to the outbox.
        self.outbox.len() + if self.hears() { log.unread_bytes(&self.cursor) } else { 0 }
    }

    /// Moves what it has not heard yet of what was said to many into its own outbox, so that whatever
    /// is queued next comes after it.
    pub fn catch_up(&mut self, log: &BroadcastLog) {
        if !self.hears_broadcasts {
            return;
        }
        let Conn { cursor, outbox, .. } = self;
        log.drain_to(cursor, |bytes| outbox.push(bytes));
    }

    /// Reads until nothing is left, the budget (the size of `scratch`) is used up, or it ended.
    pub fn fill(&mut self, from: &mut impl Stream, scratch: &mut [u8]) -> Fill {
        let mut bytes = 0;
        let then = loop {
            let room = &mut scratch[bytes..];
            if room.is_empty() {
                break FillEnd::More;
            }
            let asked = room.len();
            match from.read(room) {
                Ok(0) => break FillEnd::Ended,
                Ok(count) => {
                    bytes += count;
                    if count < asked && from.short_read_drains() && !self.end_hinted {
                        break FillEnd::Drained;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break FillEnd::Drained,
                Err(error) => break FillEnd::Failed(error),
            }
        };
        self.received_bytes += bytes as u64;
        if !matches!(then, FillEnd::More) {
            self.readable = false;
        }
        Fill { bytes, then }
    }

    /// Writes what is queued, `budget_bytes` at most: first the bytes that are `in_place` in the buffer they were read
    /// into, then its own queue, then what was broadcast. What is left of the first is queued.
    pub fn flush(
        &mut self,
        to: &mut impl Stream,
        mut in_place: &[u8],
        log: &BroadcastLog,
        budget_bytes: usize,
    ) -> Flush {
        let mut bytes = 0;
        let then = loop {
            if self.hears() {
                log.skip_own(&mut self.cursor);
            }
            let behind = self.is_behind(log);
            if in_place.is_empty() && self.outbox.is_empty() && !behind {
                break FlushEnd::Done;
            }
            if bytes >= budget_bytes {
                break FlushEnd::More;
            }
            match self.write_once(to, in_place, log, behind, budget_bytes - bytes) {
                Ok(0) => break FlushEnd::Failed(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes += count;
                    let from_in_place = count.min(in_place.len());
                    in_place = &in_place[from_in_place..];
                    let from_log = count - from_in_place - self.outbox.sent(count - from_in_place);
                    if from_log > 0 {
                        log.advance(&mut self.cursor, from_log as u64);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.writable = false;
                    break FlushEnd::Blocked;
                }
                Err(error) => break FlushEnd::Failed(error),
            }
        };
        self.outbox.put_back(in_place);
        self.sent_bytes += bytes as u64;
        Flush { bytes, then }
    }

    /// Notes what was sent back without being looked at; what could not be sent is kept.
    pub fn sent_back(&mut self, read: usize, written: usize, kept: &[u8], now: Moment) {
        if read > 0 {
            self.received_at = now;
        }
        self.received_bytes += read as u64;
        self.sent_bytes += written as u64;
        self.outbox.push(kept);
    }

    fn write_once(
        &self,
        to: &mut impl Stream,
        in_place: &[u8],
        log: &BroadcastLog,
        behind: bool,
        bytes_max: usize,
    ) -> io::Result<usize> {
        let (front, back) = self.outbox.slices();
        if !behind && back.is_empty() && (in_place.is_empty() || front.is_empty()) {
            let only = if in_place.is_empty() { front } else { in_place };
            return to.write(&only[..only.len().min(bytes_max)]);
        }
        let mut gather = Gather::new(bytes_max);
        if gather.push(in_place) && gather.push(front) && gather.push(back) && behind {
            log.gather(&self.cursor, &mut gather);
        }
        to.write_vectored(gather.slices())
    }
}

#[cfg(test)]
mod tests;
