//! What is said to all who hear broadcasts. It is kept once, whoever has to be sent it.

use crate::board::{Board, Sent};
use crate::conn::ConnId;

impl Board {
    /// Says something to everybody who hears broadcasts, in parts that are joined; `except` does not hear it. The bytes
    /// are kept once, whoever has to hear them. Nobody is left out for being slow: one for whom more than
    /// `Limits::outbox_bytes_max` is queued then is dropped (`Reason::QueueFull`).
    pub fn broadcast(&mut self, except: Option<ConnId>, parts: &[&[u8]]) {
        let Board { table, shared, .. } = self;
        // Whoever hears nothing has nothing to be left out of.
        let Some(speaker) = except.and_then(|id| table.get_mut(id)).filter(|conn| conn.hears()) else {
            return shared.log.append(parts, None);
        };
        if shared.log.too_many_own(&speaker.cursor) {
            shared.catch_up(speaker);
            shared.account(speaker);
        }
        shared.log.append(parts, Some(&mut speaker.cursor));
    }

    /// Says something to everybody who hears broadcasts and has room for it. Returns what became of it for those who
    /// have not taken what they were sent before: `Sent::Full` for one that is left out, because more than
    /// `Limits::outbox_bytes_max` would be queued for it, else what is queued for it now. For all others it is on its
    /// way. Looks at nobody but those, so it costs what `broadcast` costs where there are none.
    pub fn broadcast_where_room(&mut self, parts: &[&[u8]]) -> Vec<(ConnId, Sent)> {
        let Board { table, shared, .. } = self;
        let more: usize = parts.iter().map(|part| part.len()).sum();
        let mut outcomes = Vec::new();
        let may_be_behind: Vec<ConnId> = shared.blocked.union(&shared.detours).copied().collect();
        for id in may_be_behind {
            let Some(conn) = table.get_mut(id).filter(|conn| conn.hears()) else { continue };
            let queued = conn.queued_bytes(&shared.log);
            if queued == 0 && conn.has_detour() {
                continue;
            }
            outcomes.push((
                id,
                if queued + more > shared.limits.outbox_bytes_max {
                    Sent::Full(queued)
                } else if conn.is_over_high() {
                    Sent::Slow(queued + more)
                } else {
                    Sent::Queued(queued + more)
                },
            ));
            if shared.log.too_many_own(&conn.cursor) {
                shared.catch_up(conn);
                shared.account(conn);
            }
        }
        let from = shared.log.end();
        shared.log.append(parts, None);
        for (id, _) in outcomes.iter().filter(|(_, sent)| matches!(sent, Sent::Full(_))) {
            if let Some(conn) = table.get_mut(*id) {
                shared.log.leave_out(from, &mut conn.cursor);
            }
        }
        outcomes
    }

    /// How many connections a broadcast reaches.
    pub fn audience(&self) -> usize {
        self.shared.sums.audience
    }
}
