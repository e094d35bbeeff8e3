//! Step 8, too: each connection is told what was broadcast. The walk over all receivers may span turns.

use super::Engine;
use super::flush::flush;
use crate::conn::{Key, WriteTurn};
use crate::engine::accept::Listen;

/// A walk over all receivers.
#[derive(Debug)]
pub(super) enum Walk {
    Resting,
    /// The next place in the table, how far the log reached when the walk began, and the least that anybody
    /// visited has heard.
    Under {
        next: usize,
        began_at: u64,
        heard_by_all: u64,
    },
}

impl<L: Listen> Engine<L> {
    /// Goes on with the walk, or begins one, as far as the budget goes.
    pub(super) fn deliver_broadcasts(&mut self) {
        let shared = &mut self.board.shared;
        let end = shared.log.end();
        if matches!(self.walk, Walk::Resting) {
            if shared.log_backlog_bytes() == 0 {
                if shared.log.kept_bytes() > 0 && shared.sums.lagging == 0 {
                    shared.log.trim_before(end);
                }
                return;
            }
            self.walk = Walk::Under { next: 0, began_at: end, heard_by_all: end };
        }
        let Walk::Under { next, began_at, mut heard_by_all } = self.walk else { return };
        let (budget_bytes, budget_receivers) =
            (shared.limits.deliver_budget_bytes, shared.limits.deliver_budget_receivers);
        let (mut delivered, mut visited) = (0, 0);
        for place in next..self.streams.len() {
            if delivered >= budget_bytes || visited >= budget_receivers {
                self.walk = Walk::Under { next: place, began_at, heard_by_all };
                return;
            }
            if let Some((bytes, heard)) = self.deliver_to(place, end) {
                visited += 1;
                delivered += bytes;
                heard_by_all = heard_by_all.min(heard);
            }
        }
        let shared = &mut self.board.shared;
        shared.log.trim_before(heard_by_all);
        shared.walked_to = began_at;
        self.walk = Walk::Resting;
    }

    /// Delivers to whoever stands at this place, if it is behind. Returns how many bytes it took, and how far it has
    /// heard the log, whose end is `end`.
    fn deliver_to(&mut self, place: usize, end: u64) -> Option<(usize, u64)> {
        let shared = &mut self.board.shared;
        let conn = self.board.table.at_mut(Key::of(place)).filter(|conn| conn.hears())?;
        if !shared.log.is_behind(&conn.cursor) {
            return None;
        }
        let mut bytes = 0;
        if conn.write_turn == WriteTurn::Spent {
            // It goes on with the next turn.
        } else if conn.writable || conn.has_flow() {
            bytes = flush(conn, self.streams[place].as_mut(), &[], shared);
        } else {
            shared.note_flush(conn, 0, true);
            shared.arm(conn);
        }
        if !conn.hears() {
            return Some((bytes, end));
        }
        // A stuck peer's own broadcasts lengthen the log but not its queue. Past this lag, its unread part is copied,
        // so that the log can be trimmed.
        let behind_max = 2 * shared.limits.outbox_bytes_max as u64;
        if end - shared.log.position(&conn.cursor) > behind_max {
            shared.catch_up(conn);
            shared.account(conn);
        }
        Some((bytes, shared.log.position(&conn.cursor)))
    }
}
