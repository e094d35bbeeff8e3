//! The console: the operator sees what each peer says and answers by hand.

use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Notices, Policy, Role};
use crate::conn::reason::Reason;
use crate::desk::Format;
use crate::hub::Operator;
use crate::terminal::Mail;

/// The console.
#[derive(Debug)]
pub struct Console {
    operator: Operator,
    framing: Framing,
}

impl Console {
    /// A console whose messages are shown in this format.
    pub fn new(operator: Operator, format: Format) -> Console {
        let framing = match format {
            Format::Human | Format::Tsv => Framing::Lines,
            Format::Raw => Framing::Raw,
        };
        Console { operator, framing }
    }

    /// Gives the operator back.
    pub fn into_operator(self) -> Operator {
        self.operator
    }
}

impl App for Console {
    type Message = Mail;

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

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        self.operator.opened(id, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.operator.heard(id, frame, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.operator.ended(id, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        self.operator.closed(id, why, board);
    }

    fn turned_away(&mut self, board: &mut Board) {
        self.operator.turned_away(board);
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        self.operator.message(mail, board);
    }

    fn turn_ended(&mut self, board: &mut Board) {
        self.operator.turn_ended(board);
    }
}
