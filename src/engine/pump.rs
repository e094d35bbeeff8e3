//! One turn over the connections: read, hand over, keep the deadlines, write, sweep. Generic over
//! `Stream`, so that a simulator drives the same code as the reactor, in the same order.
//!
//! It knows no poller. Whoever drives it notes readiness (`note`), calls `turn`, and asks `is_idle`
//! and `Board::deadlines` how long it may sleep.

use std::io;
use std::mem;

use super::read::{hand_over_tail, is_never_held};
use crate::app::{App, Backpressure};
use crate::board::{Board, Running};
use crate::buffer::framing::{self, End, Frame, Framing};
use crate::conn::reason::Reason;
use crate::conn::state::{State, Step};
use crate::conn::stream::Stream;
use crate::conn::{Conn, Due, FlushEnd, Inbound, Outbound, Peer};

/// What an event said of a connection. All of it are hints; reading and writing decide.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readiness {
    /// There may be something to read, an end or an error included.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer may have finished or gone.
    pub end_hinted: bool,
    /// The connection may have broken.
    pub error_hinted: bool,
}

/// The streams, and the lists of what there is to do.
#[derive(Debug)]
pub struct Pump<S: Stream> {
    /// By slab key.
    pub(super) streams: Vec<Option<S>>,
    /// Those that may be read.
    pub(super) ready: Vec<u32>,
    /// Those that have used up their write budget of this turn.
    pub(super) spent: Vec<u32>,
    /// The one buffer that all are read into.
    pub(super) scratch: Box<[u8]>,
    /// The walk over those who have to hear what was said.
    walk: Walk,
    pub(super) brakes: Backpressure,
    /// For an App that only returns what it hears.
    pub(super) splice: Option<S::Splice>,
    tells_limits: bool,
}

/// A walk over all receivers. It may span turns.
#[derive(Debug)]
enum Walk {
    Resting,
    /// The next slab key, how far the log reached when the walk began, and the least that anybody
    /// visited has heard.
    Under {
        next: usize,
        began_at: u64,
        heard_by_all: u64,
    },
}

impl<S: Stream> Pump<S> {
    /// A pump for this App, with a buffer as large as the read budget.
    pub fn new(board: &mut Board, app: &impl App, splice: impl FnOnce() -> S::Splice) -> Pump<S> {
        board.framing = app.framing();
        Pump {
            streams: Vec::new(),
            ready: Vec::new(),
            spent: Vec::new(),
            scratch: vec![0; board.limits().read_budget_bytes].into_boxed_slice(),
            walk: Walk::Resting,
            brakes: app.brakes(),
            splice: (app.only_returns() && board.framing == Framing::Raw).then(splice),
            tells_limits: app.tells_limits(),
        }
    }

    /// Takes in an accepted connection. Its key will be `board.next_key()`.
    pub fn adopt<A: App>(&mut self, stream: S, peer: Peer, board: &mut Board, app: &mut A) {
        let id = board.add(peer, State::open());
        self.attach(id.key, stream);
        // A new socket has room. Its first event may be awaited, but need not.
        board.conns[id.key as usize].writable = true;
        app.opened(id, board);
    }

    /// Gives a dialled connection its stream.
    pub fn attach(&mut self, key: u32, stream: S) {
        let at = key as usize;
        if at >= self.streams.len() {
            self.streams.resize_with(at + 1, || None);
        }
        debug_assert!(self.streams[at].is_none(), "a key is freed before it is used again");
        self.streams[at] = Some(stream);
    }

    /// Notes an event. Nothing else happens before `turn`.
    pub fn note(&mut self, key: usize, readiness: Readiness, board: &mut Board) {
        // An event may be stale: its connection was swept in an earlier turn.
        let Some(conn) = board.conns.get_mut(key) else { return };
        conn.end_hinted |= readiness.end_hinted;
        conn.error_hinted |= readiness.error_hinted;
        if readiness.writable && !conn.writable {
            conn.writable = true;
            if !conn.on_dirty_list && conn.has_something_to_flush(&board.log) {
                conn.on_dirty_list = true;
                board.dirty.push(key as u32);
            }
        }
        let dialing = conn.state.is_dialing();
        // Once the peer has finished, every event says "readable"; only an error is news.
        let has_news = match conn.state.inbound() {
            Inbound::Open => readiness.readable || readiness.end_hinted || dialing,
            Inbound::Ended => readiness.error_hinted,
        };
        if has_news {
            conn.readable = true;
            if !conn.on_ready_list {
                conn.on_ready_list = true;
                self.ready.push(key as u32);
            }
        }
    }

    /// Whether nothing is left to do until an event, a message or a deadline comes.
    pub fn is_idle(&self, board: &Board) -> bool {
        let can_read = match self.is_held(board) {
            true => self.ready.iter().any(|key| is_never_held(*key, board)),
            false => !self.ready.is_empty(),
        };
        let can_write = !board.dirty.is_empty() || board.log_backlog_bytes() > 0;
        !can_read && !can_write && board.over.is_empty() && board.dials.is_empty() && !board.wants_turn
    }

    /// Does what there is to do, within the budgets. `board.time` was advanced before.
    pub fn turn<A: App>(&mut self, board: &mut Board, app: &mut A) {
        board.stats.turns += 1;
        board.wants_turn = false;
        self.read_ready(board, app);
        self.keep_deadlines(board, app);
        app.turn_ended(board);
        self.flush_dirty(board);
        self.deliver_said(board);
        board.keep_budget();
        self.stop_if_due(board);
        self.renew_budgets(board);
        self.sweep(board, app);
        // Once more, since the App may have said something when it was told who has gone.
        board.keep_budget();
    }

    /// Whether nobody is read whose words would go to the App.
    pub(crate) fn is_held(&self, board: &Board) -> bool {
        let is_held_back = || board.is_held_back() || board.has_log_backlog();
        board.reading_held || (self.brakes == Backpressure::Everybody && is_held_back())
    }

    /// The keys of all connections that have a stream.
    #[cfg(any(test, feature = "simulator"))]
    pub(crate) fn streams(&self) -> impl Iterator<Item = usize> {
        self.streams.iter().enumerate().filter_map(|(key, stream)| stream.is_some().then_some(key))
    }

    #[cfg(any(test, feature = "simulator"))]
    pub(crate) fn brakes(&self) -> Backpressure {
        self.brakes
    }

    /// Judges whoever is due by now. Everybody who said something by then has been read; whoever has room again is
    /// flushed first.
    fn keep_deadlines<A: App>(&mut self, board: &mut Board, app: &mut A) {
        let judged_until = board.time.noted_until();
        if board.deadlines.next().is_none_or(|when| when > judged_until) {
            return;
        }
        self.flush_dirty(board);
        // What is armed again meanwhile waits for the next turn, even if a limit of zero makes it due.
        for _ in 0..board.deadlines.len() {
            let Some((when, id)) = board.deadlines.pop_due(judged_until) else { return };
            let Some(conn) = board.conns.get_mut(id.key as usize) else { continue };
            // An earlier deadline has superseded this one, or its owner has gone.
            if conn.id != id || conn.alarm != Some(when) {
                continue;
            }
            conn.alarm = None;
            let due = board.conns[id.key as usize].next_due(board.limits(), board.framing);
            if let Some((when, due)) = due
                && when <= judged_until
            {
                self.act(due, id.key, board, app);
            }
            board.arm(id.key);
        }
    }

    fn act<A: App>(&mut self, due: Due, key: u32, board: &mut Board, app: &mut A) {
        let held = self.is_held(board);
        let conn = &mut board.conns[key as usize];
        let id = conn.id;
        // While reading is held, silence proves nothing: what the peer said, and even its FIN, may
        // wait in the kernel.
        let unread = conn.readable || held;
        match due {
            Due::ShowPart | Due::IdleOver if unread => {
                conn.received_at = board.time.listened();
                conn.tail.begins_at(board.time.listened());
            }
            Due::ShowPart => {
                let bytes = framing::part_to_show(conn.tail.bytes());
                hand_over_tail(key, bytes, End::Silence, board, app);
            }
            Due::HalfOpenOver => {
                let limit = board.limits().half_open_max;
                // Not told: it waits for an answer, and would take the line for one.
                board.close(id, Reason::HalfOpen(limit));
            }
            Due::IdleOver => {
                let limit = board.limits().idle_max.unwrap_or_default();
                let why = Reason::Idle(limit);
                if self.tells_limits {
                    board.send(id, format!("switchboard: {why}\n").as_bytes());
                }
                board.close(id, why);
            }
            Due::LingerOver => board.step(id, Step::Drained),
            Due::CheckSlow => board.check_slow(key),
        }
    }

    fn flush_dirty(&mut self, board: &mut Board) {
        let mut list = mem::take(&mut board.dirty);
        for &key in &list {
            // Its flag is down where it was flushed right after it was read.
            if board.conns.get(key as usize).is_some_and(|conn| conn.on_dirty_list && !conn.budget_spent) {
                self.flush(key, &[], board);
            }
        }
        list.clear();
        // A flush that used up its budget has put its connection on the new list.
        list.append(&mut board.dirty);
        board.dirty = list;
    }

    /// Writes to one connection what is lent to it and what is queued for it, then our FIN if that is
    /// due. Returns how many bytes it took.
    pub(super) fn flush(&mut self, key: u32, lent: &[u8], board: &mut Board) -> usize {
        let budget_bytes = board.limits().write_budget_bytes;
        let conn = &mut board.conns[key as usize];
        conn.on_dirty_list = false;
        let id = conn.id;
        if !conn.state.writes() {
            return 0;
        }
        let Some(stream) = self.streams[key as usize].as_mut() else { return 0 };
        let was_over_high = conn.is_over_high();
        let flush = conn.flush(stream, lent, &board.log, budget_bytes);
        board.stats.sent_bytes += flush.bytes as u64;
        // Who takes all that a turn may write and still has some left is fed faster than it can be sent to.
        let is_behind = matches!(flush.then, FlushEnd::Blocked | FlushEnd::More);
        match flush.then {
            FlushEnd::Done if conn.state.outbound() == Outbound::Finishing => match finish(conn, stream) {
                Ok(()) => board.step(id, Step::FinSent),
                Err(error) => board.step(id, Step::WriteFailed(error)),
            },
            FlushEnd::Done | FlushEnd::Blocked => {}
            FlushEnd::More => {
                conn.on_dirty_list = true;
                conn.budget_spent = true;
                self.spent.push(key);
            }
            FlushEnd::Failed(error) => board.step(id, Step::WriteFailed(error)),
        }
        board.note_flush(key, flush.bytes, is_behind);
        board.arm(key);
        let conn = &mut board.conns[key as usize];
        let reads_again = conn.state.is_broken() || (was_over_high && !conn.is_over_high());
        if reads_again && conn.readable && !conn.on_ready_list {
            conn.on_ready_list = true;
            self.ready.push(key);
        }
        flush.bytes
    }

    /// Tells each connection what was said to many, as far as the budget goes.
    fn deliver_said(&mut self, board: &mut Board) {
        let end = board.log.end();
        if matches!(self.walk, Walk::Resting) {
            if board.log_backlog_bytes() == 0 {
                if board.log.kept_bytes() > 0 && board.lagging == 0 {
                    board.log.trim_before(end);
                }
                return;
            }
            self.walk = Walk::Under { next: 0, began_at: end, heard_by_all: end };
        }
        let Walk::Under { next, began_at, mut heard_by_all } = self.walk else { return };
        // The log may grow by what a stuck peer itself says, which does not count as queued for it.
        // Beyond this it gets a copy of its own, and the log can be trimmed.
        let behind_max = 2 * board.limits().outbox_bytes_max as u64;
        let budget_bytes = board.limits().deliver_budget_bytes;
        let budget_receivers = board.limits().deliver_budget_receivers;
        let (mut delivered, mut visited) = (0, 0);
        for key in next..self.streams.len() {
            if delivered >= budget_bytes || visited >= budget_receivers {
                self.walk = Walk::Under { next: key, began_at, heard_by_all };
                return;
            }
            let Some(conn) = board.conns.get_mut(key).filter(|conn| conn.may_be_sent()) else { continue };
            if !board.log.is_behind(&conn.cursor) {
                continue;
            }
            visited += 1;
            if conn.budget_spent {
                // It goes on with the next turn.
            } else if conn.writable {
                delivered += self.flush(key as u32, &[], board);
            } else {
                board.note_flush(key as u32, 0, true);
                board.arm(key as u32);
            }
            let conn = &mut board.conns[key];
            if !conn.may_be_sent() {
                continue;
            }
            if end - board.log.position(&conn.cursor) > behind_max {
                board.give_copy(key as u32);
            }
            let conn = &mut board.conns[key];
            heard_by_all = heard_by_all.min(board.log.position(&conn.cursor));
        }
        board.log.trim_before(heard_by_all);
        board.walked_to = began_at;
        self.walk = Walk::Resting;
    }

    /// Whoever used up its write budget goes on in the next turn.
    fn renew_budgets(&mut self, board: &mut Board) {
        for key in self.spent.drain(..) {
            board.conns[key as usize].budget_spent = false;
            board.dirty.push(key);
        }
    }

    fn stop_if_due(&mut self, board: &mut Board) {
        if let Running::Stopping(at) = board.running
            && at <= board.time.noted_until()
        {
            board.hang_up_all(|| Reason::Stopping);
        }
    }

    /// Takes out what has ended. Keys are freed here alone, so within a turn a key means one connection.
    fn sweep<A: App>(&mut self, board: &mut Board, app: &mut A) {
        let mut was_ready = false;
        for (key, why) in mem::take(&mut board.over) {
            let conn = &mut board.conns[key as usize];
            assert!(conn.is_over(), "only what is over is laid out for the sweep");
            let id = conn.id;
            let begun = conn.tail.take();
            if !begun.is_empty() {
                // It was cut short while it said this.
                board.stats.frames += 1;
                app.received(id, Frame { bytes: &begun, end: End::Gone }, board);
            }
            app.closed(id, &why, board);
            if let Some(mut stream) = self.streams.get_mut(key as usize).and_then(Option::take)
                && matches!(why, Reason::WeReset)
                && let Err(error) = stream.abort()
            {
                log::debug!("cannot make the close of {id} a reset: {error}");
            }
            was_ready |= board.conns[key as usize].on_ready_list;
            // The App was told after its turn had ended; it may have something left to do about it.
            board.wants_turn = true;
            board.remove(key);
        }
        if was_ready {
            // The next one with this key would be read twice a turn.
            self.ready.retain(|key| board.conns.get(*key as usize).is_some_and(|conn| conn.on_ready_list));
        }
    }
}

/// Sends our FIN, unless dropping the stream, which comes next where both sides have finished, does it.
fn finish(conn: &Conn, stream: &mut impl Stream) -> io::Result<()> {
    if conn.state.inbound() == Inbound::Ended && stream.drop_finishes() { Ok(()) } else { stream.finish() }
}
