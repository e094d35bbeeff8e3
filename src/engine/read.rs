//! The part of a turn that reads: each connection within its budget, what it said to the App, the answers out at
//! once.

use std::io;
use std::mem;

use super::pump::Pump;
use crate::app::{App, Backpressure};
use crate::board::Board;
use crate::buffer::framing::{self, End, Frame, Framing};
use crate::conn::reason::Reason;
use crate::conn::state::{Stage, Step};
use crate::conn::stream::{SentBack, Stream, Then};
use crate::conn::{ConnId, FillEnd, Inbound, Outbound};

impl<S: Stream> Pump<S> {
    pub(super) fn read_ready<A: App>(&mut self, board: &mut Board, app: &mut A) {
        for key in board.read_again.drain(..) {
            let Some(conn) = board.conns.get_mut(key as usize) else { continue };
            if conn.readable && !mem::replace(&mut conn.on_ready_list, true) {
                self.ready.push(key);
            }
        }
        let mut list = mem::take(&mut self.ready);
        let mut kept = 0;
        for at in 0..list.len() {
            let key = list[at];
            // Whether reading is held may change with every frame handed over.
            let stays = if self.is_held(board) && !is_never_held(key, board) {
                true
            } else {
                self.read_one(key, board, app)
            };
            if stays {
                list[kept] = key;
                kept += 1;
            }
        }
        list.truncate(kept);
        // What a flush has put on the list meanwhile comes after those who were there before.
        list.append(&mut self.ready);
        self.ready = list;
    }

    /// Reads one connection and hands over what it said. Returns whether it stays on the ready list.
    fn read_one<A: App>(&mut self, key: u32, board: &mut Board, app: &mut A) -> bool {
        // The key may be free by now, or another's; then the flags of that other one decide.
        let Some(conn) = board.conns.get_mut(key as usize) else { return false };
        let Some(stream) = self.streams[key as usize].as_mut() else { return false };
        conn.on_ready_list = false;
        let id = conn.id;
        match conn.state.stage() {
            Stage::Over(_) => return false,
            Stage::Dialing => match stream.connected() {
                Ok(true) => {
                    board.step(id, Step::Established);
                    app.opened(id, board);
                    board.arm(key);
                    // Bytes may have come with the same event: read on.
                    return self.read_one(key, board, app);
                }
                Ok(false) => return false,
                Err(error) => {
                    board.hang_up(id, Reason::CannotConnect(error));
                    return false;
                }
            },
            Stage::Open | Stage::Parting(_) | Stage::Broken(_) => {}
        }
        if !conn.readable {
            return false;
        }
        if conn.state.inbound() == Inbound::Ended {
            conn.readable = false;
            self.hang_up_if_lost(key, board);
            return false;
        }
        let is_parting = conn.state.is_parting();
        if self.brakes == Backpressure::Sender && conn.is_over_high() && !is_parting {
            // `flush` puts it back on the list when it has caught up.
            return false;
        }
        let more = match self.send_back(key, board) {
            Some(more) => more,
            None => self.fill(key, board, app),
        };
        // The end of what it said may have brought something to be said, or our FIN.
        let conn = &board.conns[key as usize];
        if conn.on_dirty_list && !conn.budget_spent {
            self.flush(key, &[], board);
        }
        board.arm(key);
        let conn = &mut board.conns[key as usize];
        // The flush may have put it on the new list already.
        let stays = more && !conn.on_ready_list;
        conn.on_ready_list |= more;
        stays
    }

    /// Reads a connection and hands over what it said. Returns whether more may be left to be read.
    fn fill<A: App>(&mut self, key: u32, board: &mut Board, app: &mut A) -> bool {
        let Some(stream) = self.streams[key as usize].as_mut() else { return false };
        let bulk_bytes = board.limits().splice_bytes_min;
        let conn = &mut board.conns[key as usize];
        let id = conn.id;
        let fill = conn.fill(stream, &mut self.scratch);
        conn.is_bulk = fill.bytes >= bulk_bytes;
        if fill.bytes > 0 {
            conn.received_at = board.time.listened();
            board.stats.received_bytes += fill.bytes as u64;
            let scratch = mem::take(&mut self.scratch);
            let fresh = &scratch[..fill.bytes];
            board.lend(id, fresh);
            hand_over(key, fresh, board, app);
            let lent = &fresh[board.lent()];
            // Flushed at once: had all the answers of a turn to wait for its end, many large buffers
            // would live at the same time, which costs bulk traffic more than half its speed.
            let conn = &board.conns[key as usize];
            if conn.on_dirty_list && !conn.budget_spent {
                self.flush(key, lent, board);
            }
            self.scratch = scratch;
            board.account(key);
            board.keep_budget();
        }
        match fill.then {
            FillEnd::More => true,
            FillEnd::Drained => {
                // Where the flush found it broken, it is readable again: something may have come
                // between the read and the break.
                if !board.conns[key as usize].readable {
                    hang_up_if_broken(key, board, app);
                }
                false
            }
            FillEnd::Ended => {
                let lost = self.error_behind_fin(key, board);
                inbound_ended(key, lost, board, app);
                false
            }
            FillEnd::Failed(error) => {
                hand_over_tail(key, usize::MAX, End::Gone, board, app);
                board.hang_up(id, Reason::Lost(error));
                false
            }
        }
    }

    /// Sends back what has come in, where that is all the App would do and much comes at a time. Returns
    /// whether more may be left to be read; `None` where it has to be read.
    fn send_back(&mut self, key: u32, board: &mut Board) -> Option<bool> {
        let splice = self.splice.as_mut()?;
        let limits = board.limits();
        // Twice what is read: a peer that says a whole budget at a time is then found to have said all.
        let (bytes_max, bytes_min) = (2 * limits.read_budget_bytes, limits.splice_bytes_min);
        let conn = &mut board.conns[key as usize];
        if !(conn.is_bulk && conn.may_be_sent() && conn.takes_at_once()) {
            return None;
        }
        let stream = self.streams[key as usize].as_mut()?;
        match stream.send_back(splice, bytes_max, &mut self.scratch) {
            SentBack::Nothing => None,
            SentBack::Failed(error) => {
                conn.readable = false;
                let id = conn.id;
                board.hang_up(id, Reason::Lost(error));
                Some(false)
            }
            SentBack::Some { read, written, kept, then } => {
                // Where there was nothing, nothing is known of what comes next.
                conn.is_bulk = read == 0 || read >= bytes_min;
                conn.readable = !matches!(then, Then::Drained);
                conn.writable = !matches!(then, Then::Blocked | Then::Broken(_));
                conn.sent_back(read, written, &self.scratch[..kept], board.time.listened());
                let (id, more) = (conn.id, conn.readable);
                // Moving stops before an urgent byte as if nothing came after it. A read goes past it.
                let has_to_read = conn.end_hinted && matches!(then, Then::Drained);
                conn.readable |= has_to_read;
                board.stats.received_bytes += read as u64;
                board.stats.sent_bytes += written as u64;
                board.stats.discarded_bytes += (read - written - kept) as u64;
                board.stats.frames += u64::from(read > 0);
                board.note_flush(key, written, matches!(then, Then::Blocked));
                if let Then::Broken(error) = then {
                    board.step(id, Step::WriteFailed(error));
                }
                if has_to_read { None } else { Some(more) }
            }
        }
    }

    /// What broke the connection right behind the peer's FIN, which is all that a read tells then. Asked where the
    /// same event announced both, and where our FIN is out: the peer's would then end a connection whose last bytes
    /// a reset threw away as if they had arrived.
    fn error_behind_fin(&mut self, key: u32, board: &Board) -> Option<io::Error> {
        let conn = &board.conns[key as usize];
        if !conn.error_hinted && conn.state.outbound() != Outbound::Closed {
            return None;
        }
        self.streams[key as usize].as_mut()?.take_error().ok()?
    }

    /// The connection may have broken behind the peer's FIN, which reading does not tell.
    fn hang_up_if_lost(&mut self, key: u32, board: &mut Board) {
        let Some(stream) = self.streams[key as usize].as_mut() else { return };
        if let Ok(Some(error)) = stream.take_error() {
            board.hang_up(board.conns[key as usize].id, Reason::Lost(error));
        }
    }
}

/// What a closing connection says is thrown away, and one that is being dialled says nothing yet, so
/// there is always room for it.
pub(super) fn is_never_held(key: u32, board: &Board) -> bool {
    let conn = board.conns.get(key as usize);
    conn.is_some_and(|conn| conn.state.is_parting() || conn.state.is_dialing())
}

/// Hands fresh bytes to the App, cut into frames.
fn hand_over<A: App>(key: u32, fresh: &[u8], board: &mut Board, app: &mut A) {
    let conn = &mut board.conns[key as usize];
    if !conn.delivers() {
        // What it had begun to say before it was closed is handed over by the sweep.
        return board.discard(key, fresh.len());
    }
    let id = conn.id;
    let now = board.time.listened();
    let mut since = conn.tail.since().unwrap_or(now);
    let mut tail = conn.tail.take();
    match board.framing {
        Framing::Raw => hand_over_frame(id, Frame { bytes: fresh, end: End::Read }, board, app),
        Framing::Lines => {
            let line_bytes_max = board.limits().line_bytes_max;
            framing::cut_lines(&mut tail, fresh, line_bytes_max, |frame| {
                since = now;
                hand_over_frame(id, frame, board, app);
            });
        }
    }
    // Nothing frees a key within the turn, so it is still the same connection.
    let conn = &mut board.conns[key as usize];
    if conn.delivers() {
        conn.tail.put(tail, since);
    } else if !tail.is_empty() {
        board.discard(key, tail.len());
    }
}

/// Hands over the unfinished tail, or its first `bytes_max` bytes.
pub(super) fn hand_over_tail<A: App>(key: u32, bytes_max: usize, end: End, board: &mut Board, app: &mut A) {
    let conn = &mut board.conns[key as usize];
    let id = conn.id;
    if conn.tail.is_empty() || !conn.delivers() {
        // The sweep hands over what one that is being closed had begun to say.
        return;
    }
    let mut part = conn.tail.take();
    let rest = part.split_off(bytes_max.min(part.len()));
    conn.tail.put(rest, board.time.listened());
    board.account(key);
    hand_over_frame(id, Frame { bytes: &part, end }, board, app);
}

fn hand_over_frame<A: App>(id: ConnId, frame: Frame<'_>, board: &mut Board, app: &mut A) {
    // It may have been closed by what the App did on the frame before.
    if board.delivers(id) {
        board.stats.frames += 1;
        board.stats.cuts += u64::from(frame.end == End::Limit);
        app.received(id, frame, board);
    } else {
        let newline = usize::from(frame.end == End::Newline);
        board.discard(id.key, frame.bytes.len() + newline);
    }
}

/// The peer's FIN was read, and perhaps the connection was `lost` right behind it.
fn inbound_ended<A: App>(key: u32, lost: Option<io::Error>, board: &mut Board, app: &mut A) {
    hand_over_tail(key, usize::MAX, End::Gone, board, app);
    if hang_up_if_broken(key, board, app) {
        return;
    }
    let id = board.conns[key as usize].id;
    board.step(id, Step::PeerFinished);
    if board.conns[key as usize].state.is_open() {
        app.ended(id, board);
    }
    match lost {
        Some(error) => board.hang_up(id, Reason::Lost(error)),
        None => board.step(id, Step::EndIfFinished),
    }
}

/// All that came before the break has been read: now it is over.
fn hang_up_if_broken<A: App>(key: u32, board: &mut Board, app: &mut A) -> bool {
    if !board.conns[key as usize].state.is_broken() {
        return false;
    }
    hand_over_tail(key, usize::MAX, End::Gone, board, app);
    let id = board.conns[key as usize].id;
    board.step(id, Step::Drained);
    true
}
