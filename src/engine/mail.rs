//! Step 5: what other threads have posted goes to the App, within a budget; what is to be dialled is dialled.

use std::io;
use std::mem;

use super::{Engine, System};
use crate::app::App;
use crate::board::Board;
use crate::conn::Key;
use crate::conn::reason::Reason;
use crate::conn::state::Step;
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    pub(super) fn take_mail<A: App>(&mut self, app: &mut A, system: &mut impl System<Mail = A::Message>) {
        if !self.mail_is_waiting {
            return;
        }
        system.rearm_mail();
        for _ in 0..self.board.limits().mail_budget {
            let Some(mail) = system.next_mail() else {
                self.mail_is_waiting = false;
                return;
            };
            app.message(mail, &mut self.board);
        }
    }

    /// One address of each that is to be dialled; where that fails at once, the next has the next turn.
    pub(super) fn dial(&mut self, system: &mut impl System<Listener = L>) {
        for dial in mem::take(&mut self.board.shared.work.dials) {
            match system.dial(&dial, self.board.limits()) {
                Ok(stream) => self.attach(dial.id.key, stream),
                Err(error) => self.attempt_failed(dial.id.key, error),
            }
        }
    }

    /// What was tried has failed. Its stream goes at once, so that nothing of it is taken for the next attempt.
    pub(super) fn attempt_failed(&mut self, key: Key, error: io::Error) {
        let conn = &self.board.table[key];
        if conn.state.is_shaking_hands() {
            let (id, why) = (conn.id, Reason::Lost(error));
            // Who is told why is heard until it has hung up.
            let step = if why.is_told() { Step::HandshakeFailed(why) } else { Step::HangUp(why) };
            return self.board.step(id, step);
        }
        if let Some(stream) = self.streams.get_mut(key.place()) {
            *stream = None;
        }
        let Board { table, shared, .. } = &mut self.board;
        shared.attempt_failed(&mut table[key], error);
    }
}
