//! Links: what one of two connections said goes to the other as soon as it was read, and so does its end.

use std::io::ErrorKind;

use super::Engine;
use super::flush::flush;
use crate::board::{Board, Shared};
use crate::clock::Moment;
use crate::conn::reason::{Reason, in_words};
use crate::conn::state::{Stage, Step};
use crate::conn::stream::{SentBack, Stream, Then};
use crate::conn::{Conn, ConnId, Inbound, Key, Outbound};
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    /// Passes on what was just read of a connection, if it is linked: at once where that can be, else behind what is
    /// queued.
    pub(super) fn pass_on(&mut self, from: Key, fresh: &[u8]) {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &table[from];
        let Some(link) = conn.link() else { return };
        let is_apart = conn.flow().is_some_and(|flow| flow.slices_inbound());
        let Some(mate) = table.get_mut(link.mate).filter(|mate| mate.may_be_sent()) else { return };
        // What a fault delays is not to keep the next piece waiting.
        let mate_is_broken = mate.has_flow();
        if let Some(link) = mate.link_mut() {
            link.comes_apart = is_apart && !mate_is_broken;
        }
        shared.catch_up(mate);
        let stream = self.streams.get_mut(mate.id.key.place()).and_then(Option::as_mut);
        if mate.takes_at_once() && is_apart {
            write_apart(mate, stream, fresh, shared);
        } else if mate.takes_at_once() {
            flush(mate, stream, fresh, shared);
        } else {
            mate.outbox.push(fresh);
            shared.note_queued(mate);
            shared.account(mate);
            shared.work.enlist_to_write(mate);
        }
        let holds = note_queue(mate, shared);
        hold(&mut table[from], holds);
    }

    /// Does what follows from a change of those that are linked: whoever was held is read again, an end is passed on.
    #[inline]
    pub(super) fn tend_links(&mut self) {
        if !self.board.shared.work.linked.is_empty() {
            self.tend_some();
        }
    }

    #[cold]
    fn tend_some(&mut self) {
        for id in std::mem::take(&mut self.board.shared.work.linked) {
            self.tend(id);
        }
    }

    fn tend(&mut self, id: ConnId) {
        let Board { table, shared, .. } = &mut self.board;
        let Some((conn, mate)) = table.get_mut(id).and_then(|conn| Some((conn.id, conn.link()?.mate))) else {
            return;
        };
        let Some(other) = table.get_mut(mate) else {
            return shared.unlink(&mut table[conn.key]);
        };
        // One that writing has failed to takes nothing more, and is not waited for: were both waiting for each other like
        // that, neither would be read to its end.
        let is_full = !other.state.is_broken() && other.link().is_some_and(|link| link.holds_mate);
        let is_held = other.state.is_connecting() || is_full;
        let may_be_sent = other.may_be_sent();
        let conn = &mut table[conn.key];
        if let Some(link) = conn.link_mut() {
            link.is_held = is_held;
        }
        if !is_held {
            shared.work.enlist_to_read(conn);
            shared.come_back(conn, Some(shared.time.now()));
        }
        let why = match conn.state.stage() {
            Stage::Parting(parting) if parting.why.breaks_off() => Some(Reason::LinkReset(id.serial())),
            Stage::Parting(_) => Some(Reason::LinkEnded(id.serial())),
            _ => None,
        };
        let has_finished = conn.state.is_open() && conn.state.inbound() == Inbound::Ended;
        match why {
            Some(why) => self.end_mate(mate, why),
            None if has_finished && may_be_sent => self.board.step(mate, Step::Finish),
            None => {}
        }
    }

    /// A connection has ended: so does whoever it is linked to.
    pub(super) fn pass_end_on(&mut self, key: Key, why: &Reason) {
        let conn = &mut self.board.table[key];
        let Some(link) = conn.link() else { return };
        let serial = conn.id.serial();
        conn.set_link(None);
        let Board { table, shared, .. } = &mut self.board;
        if let Some(mate) = table.get_mut(link.mate) {
            shared.unlink(mate);
        }
        match why {
            // Its peer has finished and so have we, since the other side had.
            Reason::Finished => self.board.step(link.mate, Step::Finish),
            Reason::CannotConnect(error) => {
                self.end_mate(link.mate, Reason::LinkFailed(serial, in_words(error)));
            }
            why if why.breaks_off() => self.end_mate(link.mate, Reason::LinkReset(serial)),
            _ => self.end_mate(link.mate, Reason::LinkEnded(serial)),
        }
    }

    /// Closes the other side of a link: after what is queued for it. A reset waits for nothing that cannot come.
    fn end_mate(&mut self, mate: ConnId, why: Reason) {
        let Board { table, shared, .. } = &mut self.board;
        let Some(conn) = table.get_mut(mate) else { return };
        if why.resets() && conn.state.outbound() == Outbound::Closed {
            shared.step(conn, Step::HangUp(why));
        } else {
            shared.close(conn, why);
        }
    }

    /// Moves what has come in to whoever it is linked to, where nobody is to be told and much comes at a time. Returns
    /// whether there may be more; `None` where it has to be read.
    pub(super) fn splice_on(&mut self, from: Key) -> Option<bool> {
        let splice = self.splice.as_mut()?;
        let Board { table, shared, .. } = &mut self.board;
        let conn = &table[from];
        let link = conn.link()?;
        let is_plain = conn.is_bulk && conn.tail.is_empty() && conn.delivers() && !conn.has_flow();
        if !is_plain || shared.policy(conn).hears_links {
            return None;
        }
        let takes = |mate: &&Conn| mate.may_be_sent() && mate.takes_at_once() && !mate.is_behind(&shared.log);
        let mate = table.get(link.mate).filter(takes)?;
        let places = [from.place(), mate.id.key.place()];
        let [Some(stream), Some(onto)] = self.streams.get_disjoint_mut(places).ok()? else { return None };
        let rest = &mut self.scratch;
        match stream.send_on(onto, splice, 2 * shared.limits.read_budget_bytes, rest) {
            SentBack::Nothing => None,
            SentBack::Failed(error) => {
                let conn = &mut table[from];
                conn.readable = false;
                shared.step(conn, Step::HangUp(Reason::Lost(error)));
                Some(false)
            }
            SentBack::Some { read, written, kept, then } => {
                let now = shared.time.listened();
                let conn = &mut table[from];
                note_read(conn, read, &then, now, shared);
                let has_to_read = conn.end_hinted && matches!(then, Then::Drained);
                conn.readable |= has_to_read;
                let more = conn.readable;
                let mate = table.get_mut(link.mate)?;
                mate.sent_bytes += written as u64;
                mate.outbox.push(&rest[..kept]);
                mate.writable &= !matches!(then, Then::Blocked | Then::Broken(_));
                shared.stats.sent_bytes += written as u64;
                shared.note_flush(mate, written, matches!(then, Then::Blocked));
                if let Then::Broken(error) = then {
                    shared.step(mate, Step::WriteFailed(error));
                    let holds = note_queue(mate, shared);
                    hold(&mut table[from], holds);
                } else {
                    let holds = note_queue(mate, shared);
                    let conn = &mut table[from];
                    hold(conn, holds);
                    if let Then::Failed(error) = then {
                        shared.step(conn, Step::HangUp(Reason::Lost(error)));
                    }
                }
                if has_to_read { None } else { Some(more) }
            }
        }
    }
}

/// Has one side of a link wait for the other, or not.
fn hold(conn: &mut Conn, is_held: bool) {
    if let Some(link) = conn.link_mut() {
        link.is_held = is_held;
    }
}

/// Writes a piece as a segment of its own; what is left of it is queued.
fn write_apart<S: Stream>(conn: &mut Conn, stream: Option<&mut S>, piece: &[u8], shared: &mut Shared) {
    let Some(stream) = stream else { return };
    let (written, error) = match stream.write_piece(piece) {
        Ok(written) => (written, None),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            conn.writable = error.kind() == ErrorKind::Interrupted;
            (0, None)
        }
        Err(error) => (0, Some(error)),
    };
    shared.note_kept(conn, stream);
    conn.outbox.push(&piece[written..]);
    conn.sent_bytes += written as u64;
    shared.stats.sent_bytes += written as u64;
    if let Some(error) = error {
        return shared.step(conn, Step::WriteFailed(error));
    }
    shared.note_flush(conn, written, written < piece.len());
    if !conn.outbox.is_empty() {
        shared.work.enlist_to_write(conn);
    }
}

/// Notes that so much was taken of a connection without being looked at.
fn note_read(conn: &mut Conn, read: usize, then: &Then, now: Moment, shared: &mut Shared) {
    conn.is_bulk = read == 0 || read >= shared.limits.splice_bytes_min;
    conn.readable = !matches!(then, Then::Drained | Then::Failed(_));
    conn.received_bytes += read as u64;
    if read > 0 {
        conn.received_at = now;
    }
    shared.stats.received_bytes += read as u64;
    shared.stats.delivered_bytes += read as u64;
    shared.stats.frames += u64::from(read > 0);
}

/// Notes how much is queued for one side of a link; returns whether the other one has to wait.
pub(super) fn note_queue(conn: &mut Conn, shared: &mut Shared) -> bool {
    let queued_bytes = conn.outbox.len();
    // What is delayed on purpose is no sign that the peer is slow.
    let delays = conn.flow().is_some_and(|flow| flow.faults().outbound.latency.is_some());
    let limits = &shared.limits;
    // One more read has to fit in behind it.
    let soft_bytes =
        limits.outbox_soft_bytes.min(limits.outbox_bytes_max.saturating_sub(limits.read_budget_bytes));
    let high_bytes = if delays { soft_bytes } else { limits.outbox_high_bytes };
    let low_bytes = if delays { high_bytes / 2 } else { shared.limits.outbox_low_bytes };
    let Some(link) = conn.link_mut() else { return false };
    let mate = link.mate;
    // Pieces stay apart only where none waits.
    let (high_bytes, low_bytes) = if link.comes_apart { (0, 0) } else { (high_bytes, low_bytes) };
    if queued_bytes > high_bytes && !link.holds_mate {
        link.holds_mate = true;
        shared.work.linked.push(mate);
    } else if queued_bytes <= low_bytes && link.holds_mate {
        link.holds_mate = false;
        shared.work.linked.push(mate);
    }
    link.holds_mate
}
