//! Step 6: each connection that may be read is read within its budget, what it said goes to the App, the answers go
//! out at once.

use std::io;
use std::mem;

use super::Engine;
use super::flush::flush;
use super::hand_over::Rest;
use super::send_back::send_back;
use crate::app::App;
use crate::board::{Board, Shared};
use crate::buffer::framing::Framing;
use crate::conn::policy::Backpressure;
use crate::conn::reason::Reason;
use crate::conn::state::{Stage, Step};
use crate::conn::stream::Stream;
use crate::conn::{Conn, ConnId, FillEnd, Inbound, Key, Reading, WriteTurn};
use crate::engine::accept::Listen;

/// Whether a connection may have more to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Not before the poller says so.
    Wait,
    /// In the next turn.
    Again,
}

/// What is to be done with a connection whose turn to be read has come.
enum Before {
    Read,
    /// The dial came about; it may be read then.
    Established,
    /// The dial did not come about.
    Failed(io::Error),
    /// Nothing, for now.
    Wait,
    /// A handshake goes on in the next turn: this one has had its share of them.
    NextTurn,
}

impl<L: Listen> Engine<L> {
    pub(super) fn read<A: App>(&mut self, app: &mut A) {
        self.handshakes_left = self.board.limits().handshake_budget;
        let mut list = mem::take(&mut self.board.shared.work.ready);
        let mut kept = 0;
        for at in 0..list.len() {
            let key = list[at];
            // Whether reading is held may change with every frame handed over.
            let stays = self.is_held(key) || self.read_one(key, app) == Next::Again;
            if stays {
                list[kept] = key;
                kept += 1;
            }
        }
        list.truncate(kept);
        // What a flush has put on the list meanwhile comes after those who were there before.
        list.append(&mut self.board.shared.work.ready);
        self.board.shared.work.ready = list;
    }

    /// Whether this connection is not read for now, since what it says could not be taken by the App or by those it is
    /// meant for. What a closing connection says is thrown away, and one that is being dialled says nothing yet, so
    /// there is always room for it; those that look on are heard even so.
    pub(crate) fn is_held(&self, key: Key) -> bool {
        let Board { table, shared, reading_held, .. } = &self.board;
        // Mostly nobody is held; then nobody is looked up.
        let may_be_held = *reading_held || shared.sums.holding_back > 0 || shared.has_log_backlog();
        may_be_held
            && table.at(key).is_some_and(|conn| {
                let is_heard = !conn.state.is_parting() && !conn.state.is_connecting();
                let is_held = *reading_held && !shared.policy(conn).looks_on;
                is_heard && (is_held || shared.holds_everybody(conn.role))
            })
    }

    /// Reads one connection and hands over what it said. Returns whether it stays on the ready list.
    // Inlined, it costs a turn more than the call.
    #[inline(never)]
    fn read_one<A: App>(&mut self, key: Key, app: &mut A) -> Next {
        let Board { table, shared, .. } = &mut self.board;
        // The key may be free by now, or another's; then the flags of that other one decide.
        let Some(conn) = table.at_mut(key) else { return Next::Wait };
        conn.on_ready_list = false;
        // A dial that is yet to begin, or could not, has none.
        let stream = self.streams.get_mut(key.place()).and_then(Option::as_mut);
        let Some(stream) = stream else {
            // What was announced was another's who had this key, or of an address that has failed.
            conn.readable = false;
            return Next::Wait;
        };
        match before_reading(conn, stream, &mut self.handshakes_left, shared) {
            Before::Read => {}
            Before::Wait => return Next::Wait,
            Before::NextTurn => {
                conn.on_ready_list = true;
                return Next::Again;
            }
            Before::Established => return self.established(key, app),
            Before::Failed(error) => {
                self.attempt_failed(key, error);
                return Next::Wait;
            }
        }
        if conn.reading == Reading::Resumed {
            return self.go_on(key, app);
        }
        if conn.has_detour() {
            return self.read_by_detour(key, app);
        }
        if let Some(splice) = &mut self.splice
            && shared.policy(conn).framing == Framing::Echo
            && let Some(next) = send_back(conn, stream, splice, &mut self.scratch, shared)
        {
            return settle(conn, Some(stream), shared, next);
        }
        let fill = conn.fill(stream, &mut self.scratch);
        shared.note_kept(conn, stream);
        conn.is_bulk = fill.bytes >= shared.limits.splice_bytes_min;
        let mut rest = None;
        let scratch = mem::take(&mut self.scratch);
        if fill.bytes > 0 {
            conn.received_at = shared.time.listened();
            shared.stats.received_bytes += fill.bytes as u64;
            let fresh = &scratch[..fill.bytes];
            if conn.delivers() {
                tell_first(conn, fresh, app);
                let (id, framing, before) = begin(conn, shared);
                rest = Some(self.hand_over(id, framing, before, fresh, app));
            } else {
                // What it had begun to say before it was closed is handed over by the sweep.
                shared.discard(conn, fill.bytes);
            }
        }
        let next = self.after_fill(key, rest, &scratch, fill.then, app);
        self.scratch = scratch;
        self.board.keep_budget();
        next
    }

    /// Tells the App that a connection came about, and reads it.
    fn established<A: App>(&mut self, key: Key, app: &mut A) -> Next {
        app.opened(self.board.table[key].id, &mut self.board);
        let conn = &mut self.board.table[key];
        self.board.shared.arm(conn);
        // The App may have closed it, which puts it on the list.
        if conn.on_ready_list {
            return Next::Wait;
        }
        // Bytes may have come with the same event: read on.
        self.read_one(key, app)
    }

    /// Hands over what was kept when the connection was paused, or what it had begun when it took a role that cuts
    /// otherwise; it is read in the next turn.
    fn go_on<A: App>(&mut self, key: Key, app: &mut A) -> Next {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        conn.reading = Reading::Running;
        // What was broken on purpose and came due meanwhile is next.
        shared.come_back(conn, Some(shared.time.now()));
        let (id, framing, now) = (conn.id, shared.policy(conn).framing, shared.time.listened());
        if !conn.delivers() || conn.tail.is_empty() {
            return settle(conn, self.streams[key.place()].as_mut(), shared, Next::Again);
        }
        let kept = conn.tail.take();
        let rest =
            self.hand_over(id, framing, Rest { tail: Vec::new(), since: now, in_place: 0..0 }, &kept, app);
        let next = self.after_fill(key, Some(rest), &kept, FillEnd::More, app);
        self.board.keep_budget();
        next
    }

    /// Puts back what is left of a read, flushes the answers, and does what its end asks for. Had all the answers of a
    /// turn to wait for its end, many large buffers would live at the same time, which costs bulk traffic more than
    /// half its speed.
    pub(super) fn after_fill<A: App>(
        &mut self,
        key: Key,
        rest: Option<Rest>,
        fresh: &[u8],
        then: FillEnd,
        app: &mut A,
    ) -> Next {
        let Engine { board: Board { table, shared, .. }, streams, .. } = self;
        // Nothing frees a key within the turn, so it is still the same connection.
        let conn = &mut table[key];
        let mut stream = streams[key.place()].as_mut();
        if let Some(rest) = rest {
            put_back(conn, stream.as_deref_mut(), rest, fresh, shared);
        }
        match then {
            FillEnd::More => return settle(conn, stream, shared, Next::Again),
            // Where the flush found it broken, it is readable again: something may have come between the read and the
            // break.
            FillEnd::Drained if conn.state.is_broken() && !conn.readable => self.end_broken(key, app),
            FillEnd::Drained => return settle(conn, stream, shared, Next::Wait),
            FillEnd::Ended if conn.is_paused() => {
                // It is read once more when it goes on, or at once where it may have broken behind its FIN.
                conn.readable = true;
                let next = if conn.error_hinted { Next::Again } else { Next::Wait };
                return settle(conn, stream, shared, next);
            }
            FillEnd::Ended => self.inbound_ended(key, app),
            FillEnd::Failed(error) => self.inbound_failed(key, Reason::Lost(error), app),
        }
        let shared = &mut self.board.shared;
        settle(&mut self.board.table[key], self.streams[key.place()].as_mut(), shared, Next::Wait)
    }
}

/// Has the App look at the first that a connection says.
#[inline]
fn tell_first(conn: &Conn, fresh: &[u8], app: &mut impl App) {
    if conn.received_bytes == fresh.len() as u64 {
        app.first_bytes(conn.id, fresh);
    }
}

/// Takes the tail that fresh bytes are to be cut behind.
#[inline]
pub(super) fn begin(conn: &mut Conn, shared: &Shared) -> (ConnId, Framing, Rest) {
    let framing = shared.policy(conn).framing;
    // What frames a message that goes on behind a part has been there for as long as you like.
    let since = conn.tail.since().filter(|_| !framing.begun(conn.tail.bytes()).is_empty());
    let (since, tail) = (since.unwrap_or(conn.received_at), conn.tail.take());
    (conn.id, framing, Rest { tail, since, in_place: 0..0 })
}

/// Puts back what is left of a read, and flushes the answers.
#[inline]
pub(super) fn put_back<S: Stream>(
    conn: &mut Conn,
    stream: Option<&mut S>,
    rest: Rest,
    fresh: &[u8],
    shared: &mut Shared,
) {
    let Rest { tail, since, in_place } = rest;
    if conn.delivers() {
        conn.tail.put(tail, since);
    } else {
        shared.discard(conn, tail.len());
    }
    if conn.write_turn == WriteTurn::Dirty {
        flush(conn, stream, &fresh[in_place], shared);
    }
    shared.account(conn);
}

/// What there is to do before a connection can be read, and whether it can.
fn before_reading(
    conn: &mut Conn,
    stream: &mut impl Stream,
    handshakes_left: &mut usize,
    shared: &mut Shared,
) -> Before {
    match conn.state.stage() {
        Stage::Over(_) => return Before::Wait,
        Stage::Connecting(_) => return go_on_connecting(conn, stream, handshakes_left, shared),
        Stage::Open | Stage::Parting(_) | Stage::Broken(_) => {}
    }
    if conn.is_paused() && conn.state.inbound() == Inbound::Open {
        // Reads would tell that it broke. It is asked once for each event that announces that.
        if mem::take(&mut conn.error_hinted)
            && let Ok(Some(error)) = stream.take_error()
        {
            shared.step(conn, Step::WriteFailed(error));
        }
        return Before::Wait;
    }
    if conn.reading == Reading::Resumed && conn.state.inbound() == Inbound::Open {
        return Before::Read;
    }
    if !conn.readable {
        return Before::Wait;
    }
    if conn.state.inbound() == Inbound::Ended {
        conn.readable = false;
        // It may have broken behind the peer's FIN, which reading does not tell.
        if let Ok(Some(error)) = stream.take_error() {
            shared.step(conn, Step::HangUp(Reason::Lost(error)));
        }
        return Before::Wait;
    }
    let waits_for_itself = shared.policy(conn).backpressure == Backpressure::Sender;
    if !conn.state.is_parting() && conn.link().is_some_and(|link| link.is_held) {
        // `tend_links` puts it back when the other side has room.
        return Before::Wait;
    }
    if waits_for_itself && conn.is_full(&shared.limits) && !conn.state.is_parting() {
        // `flush` puts it back on the list when it has caught up.
        return Before::Wait;
    }
    Before::Read
}

/// Whether a connection has come about by now.
#[cold]
#[inline(never)]
fn go_on_connecting(
    conn: &mut Conn,
    stream: &mut impl Stream,
    handshakes_left: &mut usize,
    shared: &mut Shared,
) -> Before {
    if stream.has_handshake() {
        let Some(left) = handshakes_left.checked_sub(1) else { return Before::NextTurn };
        *handshakes_left = left;
    }
    let connected = stream.connected();
    match connected {
        Ok(true) => {
            shared.step(conn, Step::Established);
            conn.via = stream.via();
            // It finds room like one that was just accepted, unless its last flight did not.
            conn.stream_keeps = conn.stream_keeps.tried();
            shared.note_kept(conn, stream);
            Before::Established
        }
        Ok(false) => {
            conn.readable = false;
            if stream.is_reached() && !conn.state.awaits_handshake() {
                shared.step(conn, Step::Reached);
            }
            shared.note_kept(conn, stream);
            Before::Wait
        }
        Err(error) => {
            shared.note_kept(conn, stream);
            Before::Failed(error)
        }
    }
}

/// Ends a connection's turn to be read. Flushes what came of the end of what it said: an answer, or our FIN.
pub(super) fn settle<S: Stream>(
    conn: &mut Conn,
    stream: Option<&mut S>,
    shared: &mut Shared,
    next: Next,
) -> Next {
    if conn.write_turn == WriteTurn::Dirty {
        flush(conn, stream, &[], shared);
    }
    shared.arm(conn);
    // The flush may have put it on the new list already.
    let stays = next == Next::Again && !conn.on_ready_list;
    conn.on_ready_list |= next == Next::Again;
    if stays { Next::Again } else { Next::Wait }
}
