//! The end of all connections: how it is asked for.

use crate::board::{Board, Running};
use crate::conn::ConnId;
use crate::conn::reason::Reason;

impl Board {
    /// Closes all connections politely (see `close`), but for those that look on (`Policy::looks_on`), which the App
    /// closes when the others have gone, and ends the loop when all are gone: within
    /// `Limits::linger_silence` where peers stay but take what they are sent, `Limits::drain_max` from now at the
    /// latest. What they say from now on, and what was not read of one that is paused, is discarded and counted; what
    /// could not be sent is counted, too.
    pub fn stop(&mut self) {
        if matches!(self.running, Running::Stopping(_)) {
            return;
        }
        self.running = Running::Stopping(self.shared.time.listened() + self.limits().drain_max);
        for id in self.all_ids() {
            // Nobody waits for what was only to be tried out.
            self.clear_faults(id);
            let stays = self.table.get(id).is_some_and(|conn| self.shared.policy(conn).looks_on);
            if !stays {
                self.close(id, Reason::Stopping);
            }
        }
    }

    /// Takes nobody new, and ends the loop when the last connection has ended.
    pub fn drain(&mut self) {
        if self.running == Running::On {
            self.running = Running::Draining;
        }
    }

    /// Ends all connections now.
    pub(crate) fn hang_up_all(&mut self, why: impl Fn() -> Reason) {
        for id in self.all_ids() {
            self.hang_up(id, why());
        }
    }

    fn all_ids(&self) -> Vec<ConnId> {
        self.table.ids().collect()
    }
}
