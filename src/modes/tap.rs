//! The tap: each newcomer is linked to a connection of its own to the target. What both say is shown, and the operator
//! may speak to either.

use crate::address::Endpoint;
use crate::board::Board;
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::hub::{Desks, Mode};

/// Stands between clients and their server.
#[derive(Debug)]
pub struct Tap {
    target: Endpoint,
    framing: Framing,
    heard: Heard,
}

/// Who hears what both sides say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The desks.
    Shown,
    /// The transcript alone.
    Kept,
    /// Nobody.
    Unheard,
}

impl Tap {
    /// A tap on this server, where bytes are cut into messages in this way to be heard.
    pub fn new(target: Endpoint, framing: Framing, heard: Heard) -> Tap {
        Tap { target, framing, heard }
    }
}

impl Mode for Tap {
    fn policy(&self, _role: Role) -> Policy {
        // The engine itself says nothing: each byte that either side gets is the other's. Who does not read is waited
        // for by whom it is linked to; what the operator sends beside that waits in the operator's pipe.
        Policy {
            framing: self.framing,
            shows_parts: true,
            backpressure: Backpressure::None,
            hears_links: self.heard != Heard::Unheard,
            ..Policy::LINES
        }
    }

    /// Whom an operator has dialled is no newcomer, nor is a target's side.
    fn opened(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        if !desks.dialled.contains(&id.serial()) {
            desks.tap(id, &self.target, board);
        }
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board) {
        match self.heard {
            Heard::Shown => desks.heard(id, frame, board),
            Heard::Kept => desks.heard_unseen(id, frame, board),
            Heard::Unheard => {}
        }
    }
}
