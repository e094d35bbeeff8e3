//! What a program on this engine has to be.

use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::conn::ConnId;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::Reason;

/// A policy: what to do with what peers say. It is called by the engine, one call at a time, and acts by
/// leaving its wishes on the `Board`; nothing it does there calls it back. The smallest useful one is
/// `examples/echo.rs`.
pub trait App {
    /// What other threads may post to it through the `Mailbox`.
    type Message: Send + 'static;

    /// How the connections of this role are treated. Asked once for each role, at the start.
    fn policy(&self, _role: Role) -> Policy {
        Policy::LINES
    }

    /// Somebody connected, or a connection that was dialled came about.
    fn opened(&mut self, _id: ConnId, _board: &mut Board) {}

    /// The first bytes that came from a peer, as they were read: more than a message, or less. What is to be done about
    /// them is for what comes next, `received` in most cases. Not called where bytes pass by the App: between two who are
    /// linked, and where something is broken on purpose.
    fn first_bytes(&mut self, _id: ConnId, _bytes: &[u8]) {}

    /// A peer said something. The frame is borrowed: copy what must outlive the call.
    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board);

    /// A peer has finished sending (its FIN was read); our direction may stay open for an answer, for
    /// `Limits::half_open_max` after the last byte either way. By default ours is finished as well, once everything
    /// that is queued has gone out.
    fn ended(&mut self, id: ConnId, board: &mut Board) {
        board.finish(id);
    }

    /// A connection has ended. Called once for each connection, also for a dialled one that never came
    /// about. It still stands on the board, so `board.view(id)` tells what was sent.
    fn closed(&mut self, _id: ConnId, _why: &Reason, _board: &mut Board) {}

    /// So much was taken of what was queued for a connection that no more than the low water is left, as
    /// `Board::tell_when_drained` has asked.
    fn drained(&mut self, _id: ConnId, _board: &mut Board) {}

    /// Our side of a connection is being finished, and the peer is still heard, as `Board::tell_when_finished` has asked.
    fn finished(&mut self, _id: ConnId, _board: &mut Board) {}

    /// The moment has come that was set with `Board::set_timer`.
    fn timer(&mut self, _id: ConnId, _board: &mut Board) {}

    /// Newcomers were turned away within the last second; `Board::stats` has counted them. Called once a second
    /// at most, and not at all while nobody is.
    fn turned_away(&mut self, _board: &mut Board) {}

    /// Another thread posted something. An App to which nobody posts anything has nothing to say here.
    fn message(&mut self, _message: Self::Message, _board: &mut Board) {}

    /// All that came in this turn was handed over. What is put on the board here goes out in this turn. Called in every
    /// turn, also in one that a timer or a deadline alone has brought about.
    fn turn_ended(&mut self, _board: &mut Board) {}
}
