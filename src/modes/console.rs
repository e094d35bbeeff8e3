//! The console: the operator sees what each peer says and answers by hand what no rule answers.

use crate::board::Board;
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Notices, Policy, Role};
use crate::hub::{Desks, Mode};

/// The console.
#[derive(Debug)]
pub struct Console {
    framing: Framing,
}

impl Console {
    /// A console whose peers' bytes are cut into messages in this way.
    pub fn new(framing: Framing) -> Console {
        Console { framing }
    }
}

impl Mode for Console {
    fn policy(&self, _role: Role) -> Policy {
        let notices = if self.framing == Framing::Lines { Notices::Lines } else { Notices::None };
        // What a peer is sent comes from the operator, so it is the operator's pipe that waits.
        Policy {
            framing: self.framing,
            shows_parts: true,
            backpressure: Backpressure::None,
            notices,
            ..Policy::LINES
        }
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board) {
        let _is_answered = desks.converse(id, frame, board);
    }
}
