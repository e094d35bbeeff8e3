//! Step 5: what other threads have posted goes to the App, within a budget; what is to be dialled is dialled.

use std::mem;

use super::{Engine, System};
use crate::app::App;
use crate::conn::reason::Reason;
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

    pub(super) fn dial(&mut self, system: &mut impl System<Listener = L>) {
        for dial in mem::take(&mut self.board.shared.work.dials) {
            match system.dial(&dial, self.board.limits()) {
                Ok(stream) => self.attach(dial.id.key, stream),
                Err(error) => self.board.hang_up(dial.id, Reason::CannotConnect(error)),
            }
        }
    }
}
