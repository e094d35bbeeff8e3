//! Step 7: whoever is due is judged. Everybody who said something by then has been read; whoever has room again is
//! flushed first.

use std::io::ErrorKind;

use super::Engine;
use crate::app::App;
use crate::board::{Board, Running};
use crate::conn::policy::Notices;
use crate::conn::reason::Reason;
use crate::conn::state::Step;
use crate::conn::tls_end::{TlsEnd, TlsEndKind};
use crate::conn::{Due, Key, Reading};
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    pub(super) fn keep_deadlines<A: App>(&mut self, app: &mut A) {
        self.board.forget_superseded_deadlines();
        let judged_until = self.board.shared.time.noted_until();
        if self.board.shared.deadlines.next().is_none_or(|when| when > judged_until) {
            return;
        }
        self.flush_dirty();
        // What is armed again meanwhile waits for the next turn, even if a limit of zero makes it due.
        for _ in 0..self.board.shared.deadlines.len() {
            let shared = &mut self.board.shared;
            let Some((when, id)) = shared.deadlines.pop_due(judged_until) else { return };
            let Some(conn) = self.board.table.get_mut(id) else { continue };
            // An earlier deadline may have superseded this one.
            if conn.alarm != Some(when) {
                continue;
            }
            conn.alarm = None;
            if let Some((when, due)) = conn.next_due(&shared.limits, shared.policy(conn))
                && when <= judged_until
            {
                self.act(due, id.key, app);
            }
            self.board.shared.arm(&mut self.board.table[id.key]);
        }
    }

    fn act<A: App>(&mut self, due: Due, key: Key, app: &mut A) {
        let held = self.is_held(key);
        let shared = &mut self.board.shared;
        let conn = &mut self.board.table[key];
        let id = conn.id;
        // While reading is held, silence proves nothing: what the peer said, and even its FIN, may
        // wait in the kernel, or in what was kept when it was paused.
        let unread = conn.readable || held || (conn.reading != Reading::Running && !conn.tail.is_empty());
        match due {
            Due::ShowPart | Due::IdleOver if unread => {
                conn.received_at = shared.time.listened();
                conn.tail.begins_at(shared.time.listened());
            }
            Due::ShowPart => self.hand_over_part(key, app),
            // That it has come about may be waiting to be noticed. Not for ever: who sends a byte now and then is readable
            // each time.
            Due::ConnectOver
                if conn.readable && !conn.has_shaken_hands_long(&shared.limits, shared.time.now()) =>
            {
                conn.received_at = shared.time.listened();
            }
            Due::ConnectOver => {
                let limit = shared.limits.tls_handshake_max;
                let error = match conn.state.awaits_handshake() {
                    true => {
                        TlsEnd::untold(TlsEndKind::Handshake, format!("it took longer than {limit:?}")).into()
                    }
                    false => ErrorKind::TimedOut.into(),
                };
                self.attempt_failed(key, error);
            }
            Due::HalfOpenOver => {
                // Not told: it waits for an answer, and would take the line for one.
                let why = Reason::HalfOpen(shared.limits.half_open_max);
                shared.close(conn, why);
            }
            Due::IdleOver => {
                let why = Reason::Idle(shared.limits.idle_max.unwrap_or_default());
                if shared.policy(conn).notices == Notices::Lines {
                    self.board.send(id, format!("switchboard: {why}\n").as_bytes());
                }
                self.board.close(id, why);
            }
            Due::LingerOver => shared.step(conn, Step::Drained),
            Due::CheckSlow => shared.check_slow(conn),
        }
    }

    /// Tells the App of the timers that it has set and that have come. What it sets meanwhile waits for the next turn.
    pub(super) fn ring_timers<A: App>(&mut self, app: &mut A) {
        for (when, id) in self.board.shared.timers_due(self.board.now()) {
            let Board { table, shared, .. } = &mut self.board;
            // Another's may have taken it back.
            if let Some(conn) = table.get_mut(id).filter(|conn| conn.timer() == Some(when)) {
                shared.set_timer(conn, None);
                app.timer(id, &mut self.board);
            }
        }
    }

    /// Ends what is left when a stop has taken as long as it may.
    pub(super) fn stop_if_due(&mut self) {
        if let Running::Stopping(at) = self.board.running
            && at <= self.board.shared.time.noted_until()
        {
            self.board.hang_up_all(|| Reason::Stopping);
        }
    }
}
