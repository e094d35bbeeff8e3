//! Step 3: what the poller tells of a connection is noted on it, as a hint. Reading and writing decide.

use super::Engine;
use crate::conn::{Inbound, Key, WriteTurn};
use crate::engine::accept::Listen;

/// What an event said of a connection. All of it are hints; reading and writing decide.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readiness {
    /// There may be something to read, an end or an error included.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer may have finished or gone.
    pub end_hinted: bool,
    /// The connection may have broken.
    pub error_hinted: bool,
}

impl<L: Listen> Engine<L> {
    /// Notes that mail has come.
    pub fn note_mail(&mut self) {
        self.mail_is_waiting = true;
    }

    /// Notes that somebody waits at the listener of this number.
    pub fn note_pending(&mut self, listener: usize) {
        self.acceptor.note(listener);
    }

    /// Notes what was announced of the connection at this key. Nothing else happens before `turn`.
    pub fn note(&mut self, key: Key, readiness: Readiness) {
        let shared = &mut self.board.shared;
        // An event may be stale: its connection was swept in an earlier turn.
        let Some(conn) = self.board.table.at_mut(key) else { return };
        conn.end_hinted |= readiness.end_hinted;
        conn.error_hinted |= readiness.error_hinted;
        if readiness.writable && !conn.writable {
            conn.writable = true;
            if conn.write_turn == WriteTurn::Off && conn.has_something_to_flush(&shared.log) {
                shared.work.enlist_to_write(conn);
            }
        }
        // Once the peer has finished, every event says "readable"; only an error is news.
        let has_news = match conn.state.inbound() {
            Inbound::Open => readiness.readable || readiness.end_hinted || conn.state.is_connecting(),
            Inbound::Ended => readiness.error_hinted,
        };
        if has_news {
            conn.readable = true;
            shared.work.enlist_to_read(conn);
        }
    }
}
