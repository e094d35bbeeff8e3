//! Standing in for a recorded server: who connects is told what was told then, as soon as it has said what was said before
//! that. What does not fit is left to the operator, as in the console.

use crate::board::Board;
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::policy::{Policy, Role};
use crate::hub::{Desks, Mode, Play as Player};
use crate::modes::console::Console;

/// Stands in for a recorded server.
#[derive(Debug)]
pub struct Play {
    console: Console,
    player: Player,
}

impl Play {
    /// Plays by `player`, and is a console beside that.
    pub fn new(player: Player, framing: Framing) -> Play {
        Play { console: Console::new(framing), player }
    }
}

impl Mode for Play {
    fn policy(&self, role: Role) -> Policy {
        self.console.policy(role)
    }

    fn opened(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        self.player.opened(id, desks, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board) {
        if !self.player.heard(id, frame, desks, board) {
            self.console.received(id, frame, desks, board);
        }
    }

    fn ended(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        self.player.ended(id, desks, board);
    }

    fn closing(&mut self, id: ConnId, _desks: &mut Desks, _board: &mut Board) {
        self.player.forget(id.serial());
    }
}
