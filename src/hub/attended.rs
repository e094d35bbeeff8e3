//! An App that knows no operator, with one beside it: who comes and goes is shown, and the commands
//! work, but what peers say is the App's affair alone.

use std::convert::Infallible;

use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::conn::ConnId;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::Reason;
use crate::hub::Operator;
use crate::terminal::Mail;

/// The App and its operator.
#[derive(Debug)]
pub struct WithOperator<A> {
    app: A,
    operator: Operator,
}

impl<A> WithOperator<A> {
    /// Puts an operator beside an App.
    pub fn new(app: A, operator: Operator) -> WithOperator<A> {
        WithOperator { app, operator }
    }

    /// Gives the operator back.
    pub fn into_operator(self) -> Operator {
        self.operator
    }
}

impl<A: App<Message = Infallible>> App for WithOperator<A> {
    type Message = Mail;

    fn policy(&self, role: Role) -> Policy {
        self.app.policy(role)
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        self.operator.opened(id, board);
        self.app.opened(id, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.app.received(id, frame, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.app.ended(id, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        self.app.closed(id, why, board);
        self.operator.closed(id, why, board);
    }

    fn turned_away(&mut self, board: &mut Board) {
        self.operator.turned_away(board);
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        self.operator.message(mail, board);
    }

    fn turn_ended(&mut self, board: &mut Board) {
        self.app.turn_ended(board);
        self.operator.turn_ended(board);
    }
}
