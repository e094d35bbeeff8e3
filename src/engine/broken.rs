//! Connections that are broken on purpose: what `conn/flow.rs` says of their bytes is carried out here, when something
//! comes, when something is to be sent, and when it is time.

use std::io::ErrorKind;
use std::time::Duration;

use super::Engine;
use super::flush::{finish, tell_if_drained};
use super::link::note_queue;
use crate::app::App;
use crate::board::{Board, Shared};
use crate::conn::flow::{Gate, InboundEnd};
use crate::conn::reason::{FaultEnd, Reason};
use crate::conn::state::Step;
use crate::conn::stream::Stream;
use crate::conn::{Conn, FillEnd, Key, Outbound, WriteTurn};
use crate::engine::accept::Listen;

/// So many of them are looked at in a turn; those whose time came first come first. A thousand of them do not make a
/// turn long for the others.
const FLOWS_A_TURN: usize = 32;

/// What is kept while reading is held is looked at again after this time.
const HELD_LOOK: Duration = Duration::from_millis(10);

/// So many pieces are written of one before others have their turn.
const PIECES_A_TURN: usize = 4;

impl<L: Listen> Engine<L> {
    /// Looks at those whose time has come.
    #[inline]
    pub(super) fn keep_flows<A: App>(&mut self, app: &mut A) {
        if !self.board.shared.flows.is_empty() {
            self.keep_some(app);
        }
    }

    #[cold]
    fn keep_some<A: App>(&mut self, app: &mut A) {
        let now = self.board.now();
        // What is due again at once waits for the next turn, behind those whose time came before.
        let due = self.board.shared.flows.iter().take_while(|(when, _)| *when <= now);
        let due: Vec<_> = due.take(FLOWS_A_TURN).copied().collect();
        for (_, id) in due {
            let Board { table, shared, .. } = &mut self.board;
            let Some(conn) = table.get_mut(id) else { continue };
            shared.come_back(conn, None);
            if !conn.has_flow() {
                continue;
            }
            end_if_due(conn, shared);
            if conn.writable && conn.write_turn != WriteTurn::Spent {
                let stream = self.streams.get_mut(id.key.place()).and_then(Option::as_mut);
                flush_broken(conn, stream, shared);
            }
            self.release(id.key, app);
            self.board.keep_budget();
        }
    }

    /// Reads one that is broken, as much as may be.
    pub(super) fn read_broken<A: App>(&mut self, key: Key, app: &mut A) {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        let Some(stream) = self.streams.get_mut(key.place()).and_then(Option::as_mut) else { return };
        let parts = conn.state.is_parting();
        let room = conn.flow().map_or(0, |flow| flow.room(parts));
        if room == 0 {
            return;
        }
        let now = shared.time.now();
        let most = room.min(self.scratch.len());
        let fill = conn.fill(stream, &mut self.scratch[..most]);
        shared.note_kept(conn, stream);
        shared.stats.received_bytes += fill.bytes as u64;
        let fresh = &self.scratch[..fill.bytes];
        if fill.bytes > 0 {
            conn.received_at = shared.time.listened();
        }
        let vanished = match conn.delivers() {
            true => conn.flow_mut().map_or(0, |flow| flow.take_inbound(fresh, now)),
            false => fill.bytes,
        };
        shared.discard(conn, vanished);
        let end = match fill.then {
            FillEnd::Ended => Some(InboundEnd::Finished),
            FillEnd::Failed(error) => Some(InboundEnd::Failed(error)),
            FillEnd::Drained if conn.state.is_broken() && !conn.readable => Some(InboundEnd::Drained),
            FillEnd::Drained | FillEnd::More => None,
        };
        if let (Some(end), Some(flow)) = (end, conn.flow_mut()) {
            flow.inbound_has_ended(end, now);
        }
        shared.account(conn);
        self.release(key, app);
    }

    /// Hands over what was read and whose time has come, and sees when the next has.
    fn release<A: App>(&mut self, key: Key, app: &mut A) {
        let now = self.board.now();
        let budget_bytes = self.board.limits().read_budget_bytes;
        let mut bytes = Vec::new();
        if self.is_held(key) {
            let Board { table, shared, .. } = &mut self.board;
            return see_held_again(&mut table[key], shared);
        }
        loop {
            let conn = &mut self.board.table[key];
            // What a parting one had said before is thrown away, like what it says now.
            let delivers = conn.delivers();
            let Some(flow) = conn.flow_mut_if_it_goes_on() else { break };
            let Gate::Open(count) = flow.inbound_gate(now) else { break };
            // Where the App pauses it in the middle, what is left lies where an unfinished line does.
            let count = count.min(budget_bytes);
            bytes.clear();
            flow.release(count, now, &mut bytes);
            let is_apart = flow.slices_inbound();
            if delivers {
                self.deliver(key, &bytes, app);
            } else {
                self.board.shared.discard(&mut self.board.table[key], count);
            }
            // Pieces are passed on each in a turn of its own, or the next would catch up with it.
            if is_apart {
                break;
            }
        }
        let Board { table, shared, .. } = &mut self.board;
        end_if_due(&mut table[key], shared);
        self.release_end(key, app);
        let Board { table, shared, .. } = &mut self.board;
        see_again(&mut table[key], shared);
    }

    /// Tells how what it sends has ended, when everything before that was told.
    fn release_end<A: App>(&mut self, key: Key, app: &mut A) {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        let now = shared.time.now();
        if conn.is_over() {
            return;
        }
        match conn.flow_mut_if_it_goes_on().and_then(|flow| flow.release_end(now)) {
            None => {}
            Some(InboundEnd::Finished) => self.inbound_ended(key, app),
            Some(InboundEnd::Failed(error)) => self.inbound_failed(key, Reason::Lost(error), app),
            Some(InboundEnd::Drained) => self.end_broken(key, app),
        }
    }
}

/// Writes of one that is broken what may be written now, and our FIN if it may. Returns how many bytes it took.
pub(super) fn flush_broken<S: Stream>(conn: &mut Conn, stream: Option<&mut S>, shared: &mut Shared) -> usize {
    // Who hears nothing more was given all that it is to hear when that began, and the log may have gone on since.
    if conn.hears() {
        shared.catch_up(conn);
    }
    let now = shared.time.now();
    let Some(stream) = stream.filter(|_| conn.state.writes()) else { return 0 };
    shared.note_queued(conn);
    let (mut bytes, mut blocked) = (0, false);
    for _ in 0..PIECES_A_TURN {
        let Conn { extras, outbox, .. } = conn;
        let Some(flow) = extras.as_mut().and_then(|extras| extras.flow.as_mut()).filter(|_| conn.writable)
        else {
            break;
        };
        let Gate::Open(count) = flow.outbound_gate(now) else { break };
        let front = outbox.slices().0;
        let left = shared.limits.write_budget_bytes - bytes;
        let piece = &front[..front.len().min(count).min(left)];
        if piece.is_empty() {
            shared.work.enlist_for_next_turn(conn);
            break;
        }
        let written = if flow.slices_outbound() { stream.write_piece(piece) } else { stream.write(piece) };
        match written {
            Ok(count) if count > 0 => {
                outbox.sent(count);
                flow.wrote(count, now);
                bytes += count;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                conn.writable = false;
                blocked = true;
            }
            result => {
                let error = result.err().unwrap_or(ErrorKind::WriteZero.into());
                shared.step(conn, Step::WriteFailed(error));
                break;
            }
        }
    }
    shared.note_kept(conn, stream);
    conn.sent_bytes += bytes as u64;
    shared.stats.sent_bytes += bytes as u64;
    // What a fault keeps back is left in the queue as well as what the peer does not take.
    shared.note_flush(conn, bytes, blocked || !conn.outbox.is_empty());
    note_queue(conn, shared);
    end_outbound(conn, stream, shared);
    tell_if_drained(conn, shared);
    if conn.state.is_broken() {
        shared.work.enlist_to_read(conn);
    }
    see_again(conn, shared);
    bytes
}

/// What follows where all that may be sent is out: the end that a fault brings, or our FIN.
fn end_outbound(conn: &mut Conn, stream: &mut impl Stream, shared: &mut Shared) {
    end_if_due(conn, shared);
    let now = shared.time.now();
    if conn.state.outbound() != Outbound::Finishing || !conn.outbox.is_empty() || !conn.state.writes() {
        return;
    }
    let may = conn.flow_mut().is_none_or(|flow| flow.fin_gate(now) == Gate::Open(0));
    if may && conn.writable {
        finish(conn, stream, shared);
    }
}

/// Ends a connection where a fault has it end now.
fn end_if_due(conn: &mut Conn, shared: &mut Shared) {
    let Some(fault) = conn.flow().and_then(|flow| flow.ends(shared.time.now())) else { return };
    if !is_at_its_end(conn, fault) {
        end(conn, fault, shared);
    }
}

/// Whether what this fault brings about has come about, or is on its way.
fn is_at_its_end(conn: &Conn, fault: FaultEnd) -> bool {
    conn.is_over() || (conn.state.is_parting() && fault != FaultEnd::ResetPeer)
}

/// Ends a connection as a fault has it.
fn end(conn: &mut Conn, fault: FaultEnd, shared: &mut Shared) {
    match fault {
        FaultEnd::ResetPeer | FaultEnd::Down => shared.step(conn, Step::HangUp(Reason::Fault(fault))),
        FaultEnd::LimitData | FaultEnd::LimitDataReset | FaultEnd::Blackhole => {
            shared.close(conn, Reason::Fault(fault));
        }
    }
}

/// Sees when a broken connection has to be looked at next; where nothing is broken any more, it is one like any other.
fn see_again(conn: &mut Conn, shared: &mut Shared) {
    let goes_on = conn.flow_mut_if_it_goes_on().is_some();
    see_next(conn, goes_on, shared);
}

/// The same where reading is held. Nobody tells when that ends, so what is kept is looked at again soon; what is to be
/// sent has its time as ever.
fn see_held_again(conn: &mut Conn, shared: &mut Shared) {
    see_next(conn, false, shared);
    let Some(flow) = conn.flow().filter(|flow| flow.kept_bytes() > 0 || flow.room(true) == 0) else { return };
    let soon = shared.time.now() + HELD_LOOK;
    let when = flow.due_at.map_or(soon, |when| when.min(soon));
    shared.come_back(conn, Some(when));
}

fn see_next(conn: &mut Conn, goes_on: bool, shared: &mut Shared) {
    let now = shared.time.now();
    if conn.is_over() {
        return;
    }
    shared.account(conn);
    let fin_is_due = conn.state.outbound() == Outbound::Finishing && conn.outbox.is_empty();
    let may_write = conn.writable && conn.state.writes() && conn.state.outbound() != Outbound::Closed;
    let is_parting = conn.state.is_parting();
    let Some(flow) = conn.flow_mut() else { return };
    if flow.is_over() {
        return shared.mend(conn);
    }
    let has_room = flow.room(is_parting) > 0;
    let next = flow.next_due(now, fin_is_due, may_write, goes_on);
    shared.come_back(conn, next);
    if has_room {
        shared.work.enlist_to_read(conn);
    }
    shared.arm(conn);
}
