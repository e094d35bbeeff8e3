//! The chat: a console in which every line of a peer also goes to all others, with its name in front.

use std::collections::HashSet;

use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Notices, Policy, Role};
use crate::conn::reason::Reason;
use crate::desk::text::{push_human, push_id, without_cr};
use crate::hub::Operator;
use crate::terminal::Mail;

/// The chat.
#[derive(Debug)]
pub struct Chat {
    operator: Operator,
    relays_raw: bool,
    /// Those who have finished, and of whom it was said that they left.
    have_left: HashSet<ConnId>,
    /// The line being relayed; kept for its memory.
    line: Vec<u8>,
}

impl Chat {
    /// A chat. Others read what is relayed with a bare netcat, so it is made safe for a terminal,
    /// unless it `relays_raw`.
    pub fn new(operator: Operator, relays_raw: bool) -> Chat {
        Chat { operator, relays_raw, have_left: HashSet::new(), line: Vec::new() }
    }

    /// Gives the operator back.
    pub fn into_operator(self) -> Operator {
        self.operator
    }

    fn announce(&mut self, id: ConnId, what: &str, board: &mut Board) {
        board.broadcast(Some(id), &[format!("* {id} {what}\n").as_bytes()]);
    }
}

impl App for Chat {
    type Message = Mail;

    fn policy(&self, _role: Role) -> Policy {
        Policy {
            shows_parts: true,
            backpressure: Backpressure::Everybody,
            notices: Notices::Lines,
            ..Policy::LINES
        }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        self.operator.opened(id, board);
        self.announce(id, "joined", board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.line.clear();
        self.line.push(b'<');
        push_id(&mut self.line, id);
        self.line.extend_from_slice(b"> ");
        if self.relays_raw {
            self.line.extend_from_slice(frame.bytes);
        } else {
            push_human(&mut self.line, without_cr(frame.bytes));
        }
        self.line.push(b'\n');
        board.broadcast(Some(id), &[&self.line]);
        self.operator.heard(id, frame, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.operator.ended(id, board);
        // It may go on listening, but it will say nothing more; mostly it is gone altogether, which
        // cannot be told from here.
        self.announce(id, "left", board);
        self.have_left.insert(id);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        self.operator.closed(id, why, board);
        if !self.have_left.remove(&id) {
            self.announce(id, "left", board);
        }
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
