//! What all connections together have in memory, and what is done when that is too much.
//!
//! What a connection has of its own (its outbox and its unfinished line, spare room included) is summed up in one
//! place,
//! `Shared::account`, which is called after every change of either. What was said to many is kept once and
//! counts once here, while on each connection all that it has not heard counts as queued.

use super::Board;
use crate::conn::ConnId;
use crate::conn::reason::Reason;

/// A connection that may have to go.
struct Holder {
    id: ConnId,
    /// All that is in memory because of it, what it has not heard of what was said to many included.
    holds_bytes: usize,
    own_bytes: usize,
    /// How much of what was said to many it has heard, if it is to hear it at all.
    heard: Option<u64>,
}

impl Board {
    /// What all connections have in memory.
    pub fn buffered_bytes(&self) -> usize {
        self.shared.sums.own_bytes + self.shared.log.held_bytes()
    }

    /// Drops those with the most, if all together have too much.
    pub(crate) fn keep_budget(&mut self) {
        if self.buffered_bytes() <= self.shared.limits.buffers_bytes_max {
            return;
        }
        self.shared.log.shrink();
        if self.buffered_bytes() <= self.shared.limits.buffers_bytes_max {
            return;
        }
        // Somewhat more is freed than has to be, or the next few bytes would bring us here again.
        let goal = self.shared.limits.buffers_bytes_max / 16 * 15;
        let mut holders = self.holders();
        holders.sort_unstable_by_key(|holder| std::cmp::Reverse(holder.holds_bytes));
        // The log is kept from where the first who remains has heard it.
        let mut kept_from = vec![self.shared.log.end(); holders.len() + 1];
        for at in (0..holders.len()).rev() {
            kept_from[at] = kept_from[at + 1].min(holders[at].heard.unwrap_or(u64::MAX));
        }
        let mut own_bytes = self.shared.sums.own_bytes;
        for (at, holder) in holders.iter().enumerate() {
            let shared_bytes = self.shared.log.held_bytes_from(kept_from[at]);
            if own_bytes + shared_bytes <= goal || holder.holds_bytes == 0 {
                self.shared.log.trim_before(kept_from[at]);
                self.shared.log.shrink();
                return;
            }
            own_bytes -= holder.own_bytes;
            self.hang_up(holder.id, Reason::BuffersFull);
        }
        self.shared.log.trim_before(self.shared.log.end());
    }

    fn holders(&self) -> Vec<Holder> {
        let conns = self.table.iter().filter(|conn| !conn.is_over());
        conns
            .map(|conn| Holder {
                id: conn.id,
                holds_bytes: conn.own_bytes() + conn.queued_bytes(&self.shared.log) - conn.outbox.len(),
                own_bytes: conn.own_bytes(),
                heard: conn.hears().then(|| self.shared.log.position(&conn.cursor)),
            })
            .collect()
    }
}
