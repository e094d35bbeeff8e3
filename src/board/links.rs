//! Two connections of which each is sent what the other says. What an App may ask is here; the bytes pass in
//! `engine/link.rs`.

use super::Board;
use crate::board::Shared;
use crate::conn::{Conn, ConnId, Link};

impl Board {
    /// Passes on what each of two connections says to the other from now on, unchanged, as soon as it is read; and the
    /// end: a FIN behind what is queued, a reset as one. While one has much queued, the other is not read. The App is
    /// told what they say as ever (`Policy::hears_links`). One of the two may still be being dialled: the other is not
    /// read before that is through. What an App sends to one of them is for that one alone. Limits on slow readers and
    /// on half-open connections do not hold meanwhile: whoever is slow keeps the other side waiting, as if the two were
    /// connected to each other. Where one of the two has ended, is being closed or is linked already, or both are the
    /// same, nothing is done.
    pub fn link(&mut self, one: ConnId, other: ConnId) {
        let may_be =
            |conn: &Conn| (conn.state.is_open() || conn.state.is_connecting()) && conn.link().is_none();
        let are_here = [one, other].into_iter().all(|id| self.table.get(id).is_some_and(may_be));
        if one == other || !are_here {
            return;
        }
        for (id, mate) in [(one, other), (other, one)] {
            let is_held = self.table.get(mate).is_some_and(|mate| mate.state.is_connecting());
            if let Some(conn) = self.table.get_mut(id) {
                conn.set_link(Some(Link { mate, is_held, holds_mate: false, comes_apart: false }));
                self.shared.detours.insert(id);
                self.shared.lift_limits(conn);
                self.shared.work.linked.push(id);
            }
        }
    }

    /// Ends that. What was passed on before is still sent.
    pub fn unlink(&mut self, id: ConnId) {
        let Some(Link { mate, .. }) = self.table.get(id).and_then(Conn::link) else { return };
        for id in [id, mate] {
            if let Some(conn) = self.table.get_mut(id) {
                self.shared.unlink(conn);
            }
        }
    }

    /// Whom a connection is linked to.
    pub fn mate(&self, id: ConnId) -> Option<ConnId> {
        self.table.get(id)?.link().map(|link| link.mate)
    }
}

impl Shared {
    /// It passes nothing on any more, and is not passed anything.
    pub fn unlink(&mut self, conn: &mut Conn) {
        conn.set_link(None);
        if !conn.has_detour() {
            self.detours.remove(&conn.id);
        }
        self.work.enlist_to_read(conn);
        self.work.wants_turn = true;
        self.come_back(conn, Some(self.time.now()));
        self.limits_hold_again(conn);
    }

    /// What was suspended holds again, and counts from here. One that takes nothing is not flushed, so it is noted here.
    pub fn limits_hold_again(&mut self, conn: &mut Conn) {
        if conn.is_over() || conn.has_flow() {
            return;
        }
        let now = self.time.listened();
        (conn.received_at, conn.sent_at) = (now, now);
        if conn.link().is_none() && !conn.writable && conn.queued_bytes(&self.log) > 0 {
            self.note_flush(conn, 0, true);
        }
        self.arm(conn);
    }

    /// The limits on slow readers hold no more for it; the hard one does.
    pub fn lift_limits(&mut self, conn: &mut Conn) {
        let before = conn.share();
        self.forget_slow(conn);
        self.count(before, conn);
        // It may have been kept from being read, since it was slow.
        self.work.enlist_to_read(conn);
    }
}
