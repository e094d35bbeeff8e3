//! All connections, and what an App may ask of them. A wish is state here (bytes in outboxes, marks on
//! connections), which the pump and the reactor carry out at fixed points of the turn.
//!
//! What stands here is for Apps; what the engine needs of it stands in `engine`.

#[cfg(any(test, feature = "simulator"))]
mod audit;
mod budget;
mod deadlines;
mod in_place;
mod lifecycle;
mod roster;
pub(crate) mod stats;
mod time;

use std::net::IpAddr;

use slab::Slab;

use crate::address::Address;
use crate::board::deadlines::Deadlines;
use crate::board::in_place::InPlace;
use crate::board::roster::Roster;
use crate::board::stats::Stats;
use crate::buffer::broadcast::BroadcastLog;
use crate::buffer::framing::Framing;
use crate::clock::Moment;
use crate::conn::reason::Reason;
use crate::conn::state::{State, Step};
use crate::conn::{Conn, ConnId, Inbound, Outbound, Peer};
use crate::limits::Limits;

#[cfg(any(test, feature = "simulator"))]
pub(crate) use time::LAPSE_MAX;
pub(crate) use time::{Polled, Time, Told};

/// What became of bytes given to `Board::send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// They are queued.
    Queued,
    /// They are queued, but the peer is slow: this many bytes are queued now.
    Slow(usize),
    /// They were not taken: this many bytes are queued already, and there is a limit.
    Full(usize),
    /// They were not taken: our direction of this connection is finished.
    Finished,
    /// They were not taken: the connection has ended.
    Gone,
}

/// What can be told of a connection.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Which one.
    pub id: ConnId,
    /// Who is at the other end.
    pub peer: &'a Peer,
    /// The peer's direction.
    pub inbound: Inbound,
    /// Our direction.
    pub outbound: Outbound,
    /// Whether it is connected and neither being closed nor ended.
    pub is_open: bool,
    /// Bytes read from it.
    pub received_bytes: u64,
    /// Bytes written to it.
    pub sent_bytes: u64,
    /// Bytes queued for it.
    pub queued_bytes: usize,
    /// Bytes read from it that nobody was told, because it was being closed.
    pub discarded_bytes: usize,
    /// Whether it is slow: more was queued for it than the high water, and it has not yet caught up.
    pub is_slow: bool,
}

/// A connection to be begun.
#[derive(Debug)]
pub(crate) struct Dial {
    pub id: ConnId,
    /// The address of ours to begin it from; the system chooses where there is none.
    pub from: Option<IpAddr>,
    pub to: Address,
}

/// Whether the server goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    /// It serves.
    On,
    /// It takes nobody new and ends when the last connection has.
    Draining,
    /// All connections are being closed; whatever is left at this moment is dropped.
    Stopping(Moment),
}

/// All connections. The App's only handle on the engine.
#[derive(Debug)]
pub struct Board {
    pub(crate) conns: Slab<Conn>,
    roster: Roster,
    last_serial: u64,
    pub(crate) log: BroadcastLog,
    /// What is being read in this moment, and goes back without a copy.
    in_place: Option<InPlace>,
    /// Those that may have something to flush.
    pub(crate) dirty: Vec<u32>,
    /// Those that were not read because they did not read, and now are to be read all the same.
    pub(crate) read_again: Vec<u32>,
    /// Those that have ended and wait to be swept.
    pub(crate) over: Vec<(u32, Reason)>,
    pub(crate) deadlines: Deadlines,
    /// Addresses to be dialled in this turn.
    pub(crate) dials: Vec<Dial>,
    /// What the App is and how it takes frames; see `App::framing`.
    pub(crate) framing: Framing,
    limits: Limits,
    pub(crate) stats: Stats,
    pub(crate) time: Time,
    pub(crate) running: Running,
    /// What all connections have in memory of their own; see `budget`.
    own_bytes: usize,
    /// How many may be sent something.
    audience: usize,
    /// How many slow readers others wait for.
    holding_back: usize,
    /// How far the log reached when the last whole walk over its receivers began.
    pub(crate) walked_to: u64,
    /// How many are behind in what was said, after their last flush.
    pub(crate) lagging: usize,
    pub(crate) reading_held: bool,
    pub(crate) wants_turn: bool,
    /// When the App wants a turn, whatever happens.
    pub(crate) wake: Option<Moment>,
}

impl Board {
    /// An empty board.
    pub fn new(limits: Limits) -> Board {
        Board {
            conns: Slab::new(),
            roster: Roster::default(),
            last_serial: 0,
            log: BroadcastLog::new(limits.own_pieces_max),
            in_place: None,
            dirty: Vec::new(),
            read_again: Vec::new(),
            over: Vec::new(),
            deadlines: Deadlines::default(),
            dials: Vec::new(),
            framing: Framing::Lines,
            limits,
            stats: Stats::default(),
            time: Time::default(),
            running: Running::On,
            own_bytes: 0,
            audience: 0,
            holding_back: 0,
            walked_to: 0,
            lagging: 0,
            reading_held: false,
            wants_turn: false,
            wake: None,
        }
    }

    /// Queues bytes for one connection. Never blocks.
    pub fn send(&mut self, to: ConnId, bytes: &[u8]) -> Sent {
        self.send_parts(to, &[bytes])
    }

    /// Queues bytes that lie in several places, all of them or none.
    pub fn send_parts(&mut self, to: ConnId, parts: &[&[u8]]) -> Sent {
        let Some(conn) = here_mut(&mut self.conns, to) else { return Sent::Gone };
        if !conn.may_be_sent() {
            return if conn.state.is_open() { Sent::Finished } else { Sent::Gone };
        }
        catch_up(conn, &self.log, &mut self.lagging);
        let lent = self.in_place.as_ref().map_or(0, |in_place| in_place.bytes_for(to));
        let queued = conn.outbox.len() + lent;
        let more: usize = parts.iter().map(|part| part.len()).sum();
        if queued + more > self.limits.outbox_bytes_max {
            // Catching up has moved bytes, though none are added.
            self.account(to.key);
            return Sent::Full(queued);
        }
        if let ([only], Some(in_place)) = (parts, &mut self.in_place)
            && conn.takes_at_once()
            && in_place.lend(to, only)
        {
            mark_dirty(conn, &mut self.dirty);
            return Sent::Queued;
        }
        for part in parts {
            conn.outbox.push(part);
        }
        mark_dirty(conn, &mut self.dirty);
        self.account(to.key);
        let conn = &self.conns[to.key as usize];
        if !conn.writable {
            // No flush will note it.
            self.note_flush(to.key, 0, true);
            self.arm(to.key);
        }
        let conn = &self.conns[to.key as usize];
        if conn.is_over_high() { Sent::Slow(queued + more) } else { Sent::Queued }
    }

    /// Says something to everybody, in parts that are joined; `except` does not hear it. The bytes are
    /// kept once, whoever has to hear them.
    pub fn broadcast(&mut self, except: Option<ConnId>, parts: &[&[u8]]) {
        let Some(mut speaker) = except.and_then(|id| here_mut(&mut self.conns, id)) else {
            return self.log.append(parts, None);
        };
        if self.log.too_many_own(&speaker.cursor) {
            let key = speaker.id.key;
            if speaker.may_be_sent() {
                self.give_copy(key);
            } else {
                // It hears nothing any more.
                speaker.cursor = self.log.cursor_at_end();
            }
            speaker = &mut self.conns[key as usize];
        }
        self.log.append(parts, Some(&mut speaker.cursor));
    }

    /// How many connections a broadcast reaches.
    pub fn audience(&self) -> usize {
        self.audience
    }

    /// Sends our FIN once the outbox is empty. The peer is still heard.
    pub fn finish(&mut self, id: ConnId) {
        self.step(id, Step::Finish);
    }

    /// Closes politely: what is queued is sent, then our FIN; what the peer still says is discarded,
    /// for a while, so that no reset destroys what is under way to it.
    pub fn close(&mut self, id: ConnId, why: Reason) {
        self.step(id, Step::Close(why));
    }

    /// Ends a connection now. What is queued for it is lost, and counted.
    pub fn hang_up(&mut self, id: ConnId, why: Reason) {
        self.step(id, Step::HangUp(why));
    }

    /// Begins a connection to an address. `App::opened` or `App::closed` will tell what became of it.
    pub fn dial(&mut self, to: Address) -> ConnId {
        self.dial_from(None, to)
    }

    /// The same from one of this machine's own addresses. One address has some 28,000 ports for
    /// connections to the same place (`net.ipv4.ip_local_port_range`).
    pub fn dial_from(&mut self, from: Option<IpAddr>, to: Address) -> ConnId {
        let id = self.add(Peer::from(&to), State::dialing());
        self.dials.push(Dial { id, from, to });
        if matches!(self.running, Running::Stopping(_)) {
            self.hang_up(id, Reason::Stopping);
        }
        id
    }

    /// Reads nobody while `held`. For an App that has no room for what it would be told.
    pub fn hold_reading(&mut self, held: bool) {
        self.reading_held = held;
    }

    /// Asks for another turn at once, without waiting for anything to happen.
    pub fn call_again(&mut self) {
        self.wants_turn = true;
    }

    /// Asks for a turn at this moment, to the precision of the system's timers, whatever else happens.
    /// Of several moments asked for in a turn the earliest counts; it is forgotten once it has come.
    pub fn wake_at(&mut self, when: Moment) {
        self.wake = Some(self.wake.map_or(when, |wake| wake.min(when)));
    }

    /// Whether there is a slow reader that others wait for.
    pub fn is_held_back(&self) -> bool {
        self.holding_back > 0
    }

    /// Whether this one is a slow reader that whoever feeds it waits for.
    pub fn is_held_back_by(&self, id: ConnId) -> bool {
        let conn = self.conns.get(id.key as usize).filter(|conn| conn.id == id);
        conn.is_some_and(Conn::holds_back)
    }

    /// Closes all connections politely and ends the loop when they are gone, `Limits::drain_max` from
    /// now at the latest.
    pub fn stop(&mut self) {
        if matches!(self.running, Running::Stopping(_)) {
            return;
        }
        self.running = Running::Stopping(self.time.listened() + self.limits.drain_max);
        for at in 0..self.roster.ids().len() {
            self.close(self.roster.ids()[at], Reason::Stopping);
        }
    }

    /// Takes nobody new, and ends the loop when the last connection has ended.
    pub fn drain(&mut self) {
        if self.running == Running::On {
            self.running = Running::Draining;
        }
    }

    /// The time, read once a turn.
    pub fn now(&self) -> Moment {
        self.time.now()
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// Whether a connection has had this number, be it gone or not.
    pub fn has_seen(&self, serial: u64) -> bool {
        (1..=self.last_serial).contains(&serial)
    }

    /// The connection with this number, if it has not ended.
    pub fn find(&self, serial: u64) -> Option<ConnId> {
        let id = self.roster.find(serial)?;
        self.conns.get(id.key as usize).filter(|conn| conn.id == id && !conn.is_over())?;
        Some(id)
    }

    /// All connections, in the order they came.
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.roster.ids().iter().filter_map(|id| self.view(*id))
    }

    /// What can be told of a connection; `None` once it was swept.
    pub fn view(&self, id: ConnId) -> Option<View<'_>> {
        let conn = self.conns.get(id.key as usize).filter(|conn| conn.id == id)?;
        // Once it is over, what was lent to it has been counted.
        let in_place = self.in_place.as_ref().filter(|_| !conn.is_over());
        let lent = in_place.map_or(0, |in_place| in_place.bytes_for(id));
        Some(View {
            id,
            peer: &conn.peer,
            inbound: conn.state.inbound(),
            outbound: conn.state.outbound(),
            is_open: conn.state.is_open(),
            received_bytes: conn.received_bytes,
            sent_bytes: conn.sent_bytes,
            queued_bytes: conn.queued_bytes(&self.log) + lent,
            discarded_bytes: conn.state.discarded_bytes(),
            is_slow: conn.is_over_high(),
        })
    }
}

/// The connection with this id, unless it was swept. Free functions, so that a caller may hold it and
/// still use the board's other fields.
fn here_mut(conns: &mut Slab<Conn>, id: ConnId) -> Option<&mut Conn> {
    conns.get_mut(id.key as usize).filter(|conn| conn.id == id)
}

/// Gives it a copy of what it has not heard of the log, so that it lags no more.
fn catch_up(conn: &mut Conn, log: &BroadcastLog, lagging: &mut usize) {
    conn.catch_up(log);
    *lagging -= usize::from(std::mem::take(&mut conn.lagging));
}

fn mark_dirty(conn: &mut Conn, dirty: &mut Vec<u32>) {
    // What is not writable will be flushed when an event says that it is again.
    if conn.writable && !conn.on_dirty_list {
        conn.on_dirty_list = true;
        dirty.push(conn.id.key);
    }
}
