//! Echo: every byte goes back to who sent it. The operator beside it has the commands, but what peers say is not shown.

use crate::board::{Board, Sent};
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::Reason;
use crate::hub::{Desks, Mode};

/// Returns bytes exactly as they came.
#[derive(Debug, Default)]
pub struct Echo {
    /// The transcript has what was said, and that the same went back.
    pub is_kept: bool,
}

impl Mode for Echo {
    fn policy(&self, _role: Role) -> Policy {
        let framing = if self.is_kept { Framing::Raw } else { Framing::Echo };
        Policy { framing, ..Policy::LINES }
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board) {
        if self.is_kept {
            desks.heard_unseen(id, frame, board);
        }
        // What one side of a link says is for the other.
        if !desks.links.is_empty() && board.mate(id).is_some() {
            return;
        }
        match board.send(id, frame.bytes) {
            // It is not read while it does not read, so this does not happen; but no byte is ever left out.
            Sent::Full(_) => board.hang_up(id, Reason::QueueFull),
            Sent::Queued(_) | Sent::Slow(_) if self.is_kept => desks.returned_unseen(id, frame.bytes),
            _ => {}
        }
    }

    /// Ours is finished as well, once everything that is queued has gone out.
    fn ended(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        // Whom an operator has linked is answered by another.
        if desks.links.mate(id.serial()).is_none() {
            board.finish(id);
        }
    }
}
