//! What is broken on purpose. What an App may ask is here; it is carried out by `conn/flow.rs`, and in
//! `engine/broken.rs`.

use super::Board;
use crate::board::Shared;
use crate::clock::Moment;
use crate::conn::faults::Faults;
use crate::conn::flow::Flow;
use crate::conn::{Conn, ConnId};

impl Board {
    /// Breaks a connection on purpose: adds faults to those that hold; the same word is replaced, and begins anew.
    /// `seed` decides what is left to chance, from the first fault on. While a fault holds, the limits on silence and on
    /// slow readers do not; those on how much may be queued do.
    pub fn add_faults(&mut self, id: ConnId, faults: &Faults, seed: u64) {
        let Board { table, shared, .. } = self;
        let Some(conn) = table.get_mut(id).filter(|conn| !conn.is_over() && !faults.is_none()) else {
            return;
        };
        let now = shared.time.now();
        let extras = conn.extras.get_or_insert_default();
        let flow = extras.flow.get_or_insert_with(|| Box::new(Flow::new(seed)));
        // What was queued before passes as it was to, and is no chunk of these faults'.
        flow.take_outbound(&mut conn.outbox, now);
        flow.add(faults, now);
        shared.detours.insert(id);
        shared.account(conn);
        shared.lift_limits(conn);
        shared.come_back(conn, Some(now));
    }

    /// Ends all faults of a connection. What they have kept goes out, or is handed over, now.
    pub fn clear_faults(&mut self, id: ConnId) {
        let Board { table, shared, .. } = self;
        let Some(conn) = table.get_mut(id).filter(|conn| !conn.is_over()) else { return };
        let now = shared.time.now();
        if let Some(flow) = conn.flow_mut() {
            flow.clear();
            shared.account(conn);
            shared.come_back(conn, Some(now));
        }
    }

    /// What is broken about a connection, if anything is.
    pub fn faults(&self, id: ConnId) -> Option<&Faults> {
        self.table.get(id)?.flow().map(Flow::faults).filter(|faults| !faults.is_none())
    }
}

impl Shared {
    /// Has the engine look at a broken connection at this moment.
    pub fn come_back(&mut self, conn: &mut Conn, when: Option<Moment>) {
        let id = conn.id;
        let Some(flow) = conn.flow_mut() else { return };
        if let Some(before) = std::mem::replace(&mut flow.due_at, when) {
            self.flows.remove(&(before, id));
        }
        if let Some(when) = when {
            self.flows.insert((when, id));
        }
    }

    /// Gives what was queued for a broken connection its time.
    pub fn note_queued(&mut self, conn: &mut Conn) {
        let now = self.time.now();
        let Some(flow) = conn.extras.as_mut().and_then(|extras| extras.flow.as_mut()) else { return };
        let vanished = flow.take_outbound(&mut conn.outbox, now);
        self.stats.vanished_bytes += vanished as u64;
    }

    /// It is broken no more, and nothing is left of that.
    pub fn mend(&mut self, conn: &mut Conn) {
        self.come_back(conn, None);
        if let Some(extras) = &mut conn.extras {
            extras.flow = None;
        }
        if !conn.has_detour() {
            self.detours.remove(&conn.id);
        }
        self.work.enlist_to_read(conn);
        self.work.enlist_to_write(conn);
        self.account(conn);
        self.limits_hold_again(conn);
    }
}
