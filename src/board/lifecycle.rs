//! What follows from a step in a connection's life.

use crate::board::shared::Shared;
use crate::buffer::outbox::Outbox;
use crate::conn::reason::Reason;
use crate::conn::state::{Became, Step};
use crate::conn::{Conn, Outbound};

impl Shared {
    /// Moves a connection on in its life, and does all that follows from it: queues, lists, sums and deadlines. The
    /// only caller of `State::take`.
    pub fn step(&mut self, conn: &mut Conn, step: Step) {
        let (before, was_connecting) = (conn.share(), conn.state.is_connecting());
        let unsent_bytes = conn.queued_bytes(&self.log) + self.in_place_bytes(conn.id);
        let became = conn.state.take(step, self.time.listened(), unsent_bytes);
        self.steps += 1;
        if conn.extras.is_some() && !matches!(became, Became::Same) {
            self.note_step(conn);
        }
        if before.hears && !conn.hears() && !conn.is_over() {
            // What it was not sent yet of the log is its own from now on: it follows the log no more.
            self.catch_up(conn);
        }
        match became {
            Became::Same => return,
            Became::Trying => {
                // Its time begins anew, and what was hinted at was hinted of another socket.
                conn.received_at = self.time.listened();
                (conn.readable, conn.writable) = (false, false);
                (conn.end_hinted, conn.error_hinted) = (false, false);
            }
            // Nothing is held against its handshake that the way there took.
            Became::Reached => conn.received_at = self.time.listened(),
            Became::Established => {
                self.no_longer_connects(conn);
                self.handshakes.remove(&conn.id);
                conn.writable = true;
                conn.cursor = self.log.cursor_at_end();
                (conn.received_at, conn.sent_at) = (self.time.listened(), self.time.listened());
            }
            Became::HalfClosed => {
                // Its FIN is the last thing it said; how long our side stays open is counted from here. The deadline
                // is set where the read ends: mostly the App answers with our FIN, and there is none.
                conn.received_at = self.time.listened();
                return;
            }
            Became::FinSent => {}
            Became::Finishing => self.work.enlist_to_finish(conn),
            Became::Parting => {
                // It may have been slow, so that we had stopped reading it. Now we must drain what it sends: it might
                // not read before it has sent it.
                self.work.enlist_to_read(conn);
                self.work.enlist_to_write(conn);
                self.note_parting(conn);
                if was_connecting {
                    self.no_longer_connects(conn);
                }
            }
            Became::Broken => self.note_break(conn),
            Became::Over(why) => {
                if was_connecting {
                    self.no_longer_connects(conn);
                }
                self.lay_out(conn, why, unsent_bytes);
            }
        }
        self.account(conn);
        self.count(before, conn);
        self.arm(conn);
    }

    /// It is connected, or will not be.
    fn no_longer_connects(&mut self, conn: &Conn) {
        self.work.dials.retain(|dial| dial.id != conn.id);
        self.untried.forget(conn.id);
    }

    /// The limits that were suspended hold for the rest of its way; where it takes nothing, no flush will note it.
    fn note_parting(&mut self, conn: &mut Conn) {
        let was_suspended = conn.has_detour() || self.policy(conn).looks_on;
        let is_behind = !conn.outbox.is_empty() || conn.stream_keeps.has_unsent();
        if was_suspended && !conn.writable && is_behind {
            conn.sent_at = self.time.listened();
            self.note_flush(conn, 0, true);
        }
    }

    /// Nobody can be made to wait any more, and only reading it to its end lets it go.
    fn note_break(&mut self, conn: &mut Conn) {
        (conn.readable, conn.end_hinted) = (true, true);
        self.forget_slow(conn);
        self.resume(conn);
    }

    /// A step that its link or its faults may have something to do with.
    #[cold]
    fn note_step(&mut self, conn: &mut Conn) {
        if let Some(link) = conn.link() {
            self.work.linked.extend([conn.id, link.mate]);
        }
        let now = self.time.now();
        if conn.state.outbound() == Outbound::Finishing
            && let Some(flow) = conn.flow_mut()
        {
            flow.fin_is_asked_for(now);
        }
    }

    /// A connection is over: it waits to be swept, and keeps nothing until then.
    fn lay_out(&mut self, conn: &mut Conn, why: Reason, unsent_bytes: usize) {
        self.detours.remove(&conn.id);
        // One that has failed keeps its place until now, and may be pushed out of it.
        self.handshakes.remove(&conn.id);
        self.forget_slow(conn);
        self.set_timer(conn, None);
        if let Some(flow) = conn.flow() {
            // What it said and nobody was told yet.
            let kept = flow.kept_bytes();
            self.mend(conn);
            self.discard(conn, kept);
        }
        conn.outbox = Outbox::default();
        self.sums.lagging -= usize::from(std::mem::take(&mut conn.lagging));
        // Whoever only looks on, or asks, is none of those who are served.
        if conn.id.has_number() {
            self.stats.count_limit(&why);
        }
        self.stats.unsent_bytes += unsent_bytes as u64;
        self.work.enlist_over(conn, why);
    }
}
