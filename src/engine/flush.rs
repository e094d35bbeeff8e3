//! Step 8: what is queued is written, within a budget, and our FIN follows where it is due.

use std::io::{self, ErrorKind};
use std::mem;

use super::Engine;
use super::broken::flush_broken;
use super::link::note_queue;
use crate::app::App;
use crate::board::Shared;
use crate::conn::state::{Stage, Step};
use crate::conn::stream::Stream;
use crate::conn::{Conn, FlushEnd, Inbound, Outbound, WriteTurn};
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    /// Flushes those on the list.
    pub(super) fn flush_dirty(&mut self) {
        let Engine { board, streams, .. } = self;
        let mut list = mem::take(&mut board.shared.work.dirty);
        for &key in &list {
            // It is no longer dirty where it was flushed right after it was read, or has left.
            if let Some(conn) = board.table.at_mut(key)
                && conn.write_turn == WriteTurn::Dirty
            {
                flush(conn, streams[key.place()].as_mut(), &[], &mut board.shared);
            }
        }
        list.clear();
        // What was put on the list meanwhile.
        list.append(&mut board.shared.work.dirty);
        board.shared.work.dirty = list;
    }

    /// Tells the App of those that were flushed in the last turn and have little left.
    pub(super) fn tell_drained<A: App>(&mut self, app: &mut A) {
        for id in mem::take(&mut self.board.shared.work.drained) {
            if self.board.table.get(id).is_some_and(|conn| !conn.is_over()) {
                app.drained(id, &mut self.board);
            }
        }
    }

    /// Tells the App of those whose side of ours was being finished in the last turn, and that are still heard.
    pub(super) fn tell_finished<A: App>(&mut self, app: &mut A) {
        for id in mem::take(&mut self.board.shared.work.finished) {
            let is_heard = |conn: &Conn| conn.state.is_open() && conn.state.inbound() == Inbound::Open;
            if self.board.table.get(id).is_some_and(is_heard) {
                app.finished(id, &mut self.board);
            }
        }
    }

    /// Whoever used up its write budget goes on in the next turn.
    pub(super) fn renew_budgets(&mut self) {
        let shared = &mut self.board.shared;
        for key in shared.work.spent.drain(..) {
            self.board.table[key].write_turn = WriteTurn::Dirty;
            shared.work.dirty.push(key);
        }
    }
}

/// Writes to one connection what is queued for it, bytes that are `in_place` first, then our FIN if that is due.
/// Returns how many bytes it took. One that is dialled may have no stream yet.
pub(super) fn flush<S: Stream>(
    conn: &mut Conn,
    mut stream: Option<&mut S>,
    in_place: &[u8],
    shared: &mut Shared,
) -> usize {
    conn.write_turn = WriteTurn::Off;
    if conn.stream_keeps.has_unsent() {
        flush_stream(conn, stream.as_deref_mut(), shared);
    }
    if conn.has_flow() {
        if !in_place.is_empty() {
            // It was broken while it was answered.
            conn.outbox.put_back(in_place);
        }
        return flush_broken(conn, stream, shared);
    }
    let Some(stream) = stream.filter(|_| conn.state.writes()) else { return 0 };
    let was_over_high = conn.is_over_high();
    let flush = conn.flush(stream, in_place, &shared.log, shared.limits.write_budget_bytes);
    shared.stats.sent_bytes += flush.bytes as u64;
    // A peer that uses up its write budget with bytes still queued is being fed faster than it drains: it counts as
    // blocked.
    let blocked = matches!(flush.then, FlushEnd::Blocked | FlushEnd::More);
    match flush.then {
        FlushEnd::Done if conn.state.outbound() == Outbound::Finishing => finish(conn, stream, shared),
        FlushEnd::Done | FlushEnd::Blocked => {}
        FlushEnd::More => shared.work.enlist_for_next_turn(conn),
        FlushEnd::Failed(error) => shared.step(conn, Step::WriteFailed(error)),
    }
    shared.note_kept(conn, stream);
    shared.note_flush(conn, flush.bytes, blocked);
    if conn.extras.is_some() {
        note_queue(conn, shared);
    }
    tell_if_drained(conn, shared);
    shared.arm(conn);
    if conn.state.is_broken() || (was_over_high && !conn.is_over_high()) {
        shared.work.enlist_to_read(conn);
    }
    flush.bytes
}

/// Has a stream send what it has of its own. Where it finds no room again, so does what is queued, behind it.
#[cold]
#[inline(never)]
fn flush_stream<S: Stream>(conn: &mut Conn, stream: Option<&mut S>, shared: &mut Shared) {
    let unsent_bytes = conn.stream_keeps.unsent_bytes();
    conn.stream_keeps = conn.stream_keeps.tried();
    let Some(stream) = stream.filter(|_| conn.state.writes()) else { return };
    let flushed = stream.flush();
    shared.note_kept(conn, stream);
    let left_bytes = conn.stream_keeps.unsent_bytes();
    // It may have been too much, and over.
    if conn.state.writes() {
        shared.note_flush(conn, unsent_bytes.saturating_sub(left_bytes), left_bytes > 0);
    }
    match flushed {
        Ok(()) => (conn.writable, conn.sent_at) = (true, shared.time.listened()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        Err(error) => {
            shared.step(conn, Step::WriteFailed(error));
            shared.work.enlist_to_read(conn);
        }
    }
}

/// Has the App told that little is left, where it wants to know.
pub(super) fn tell_if_drained(conn: &mut Conn, shared: &mut Shared) {
    if conn.tells_drained && conn.queued_bytes(&shared.log) <= shared.limits.outbox_low_bytes {
        conn.tells_drained = false;
        shared.work.drained.push(conn.id);
    }
}

/// Ends our direction: by our FIN, or by a reset where that is how a polite close is to end.
pub(super) fn finish(conn: &mut Conn, stream: &mut impl Stream, shared: &mut Shared) {
    let resets = matches!(conn.state.stage(), Stage::Parting(parting) if parting.why.resets());
    let finished = if resets { drained(stream) } else { send_fin(conn, stream) };
    match finished {
        Ok(()) if resets => shared.step(conn, Step::Drained),
        Ok(()) => shared.step(conn, Step::FinSent),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            conn.writable = false;
            shared.step(conn, Step::FinBlocked);
        }
        Err(error) => shared.step(conn, Step::WriteFailed(error)),
    }
    // Before anything else is heard of it: that there is room again would be taken for what was said before.
    shared.note_kept(conn, stream);
}

/// Sends our FIN, unless dropping the stream, which comes next where both sides have finished, does it.
fn send_fin(conn: &Conn, stream: &mut impl Stream) -> io::Result<()> {
    if conn.state.inbound() == Inbound::Ended && stream.drop_finishes() { Ok(()) } else { stream.finish() }
}

/// A reset throws away what the system has not sent yet; where that is something, it has to wait.
fn drained(stream: &mut impl Stream) -> io::Result<()> {
    if stream.is_drained() { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
}
