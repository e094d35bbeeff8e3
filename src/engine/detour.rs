//! Reading those whose bytes take a way of their own: broken on purpose, or linked to another connection.

use std::mem;

use super::Engine;
use super::read::{Next, begin, put_back, settle};
use crate::app::App;
use crate::board::Board;
use crate::conn::Key;
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    /// Reads one that is broken on purpose, or linked.
    #[cold]
    pub(super) fn read_by_detour<A: App>(&mut self, key: Key, app: &mut A) -> Next {
        if self.board.table[key].has_flow() {
            self.read_broken(key, app);
        } else if let Some(more) = self.splice_on(key) {
            self.board.table[key].readable = more;
        } else {
            let Board { table, shared, .. } = &mut self.board;
            let conn = &mut table[key];
            let Some(stream) = self.streams[key.place()].as_mut() else { return Next::Wait };
            let fill = conn.fill(stream, &mut self.scratch);
            shared.note_kept(conn, stream);
            conn.is_bulk = fill.bytes >= shared.limits.splice_bytes_min;
            shared.stats.received_bytes += fill.bytes as u64;
            let scratch = mem::take(&mut self.scratch);
            if fill.bytes > 0 {
                conn.received_at = shared.time.listened();
                self.deliver(key, &scratch[..fill.bytes], app);
            }
            let next = self.after_fill(key, None, &[], fill.then, app);
            self.scratch = scratch;
            self.board.keep_budget();
            return next;
        }
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        let has_room = conn.flow().is_none_or(|flow| flow.room(conn.state.is_parting()) > 0);
        let next = if conn.readable && has_room && !conn.is_over() { Next::Again } else { Next::Wait };
        settle(conn, self.streams[key.place()].as_mut(), shared, next)
    }

    /// Passes on and hands over bytes that a connection has said; what is thrown away of one that is being closed is
    /// counted.
    pub(super) fn deliver<A: App>(&mut self, key: Key, fresh: &[u8], app: &mut A) {
        if !self.board.table[key].delivers() {
            return self.board.shared.discard(&mut self.board.table[key], fresh.len());
        }
        self.pass_on(key, fresh);
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        if conn.link().is_some() && !shared.policy(conn).hears_links {
            shared.stats.frames += 1;
            shared.stats.delivered_bytes += fresh.len() as u64;
            return;
        }
        conn.received_at = shared.time.listened();
        let (id, framing, before) = begin(conn, shared);
        let rest = self.hand_over(id, framing, before, fresh, app);
        let Engine { board: Board { table, shared, .. }, streams, .. } = self;
        put_back(&mut table[key], streams[key.place()].as_mut(), rest, fresh, shared);
    }
}
