//! What a program on this engine has to be.

use crate::board::Board;
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::reason::Reason;

/// A policy: what to do with what peers say. It is called by the engine, one call at a time, and acts by
/// leaving its wishes on the `Board`; nothing it does there calls it back. The smallest useful one is
/// `modes::Echo`.
pub trait App {
    /// What other threads may post to it through the `Mailbox`.
    type Message: Send + 'static;

    /// How bytes become frames. Asked once, at the start.
    fn framing(&self) -> Framing {
        Framing::Lines
    }

    /// Who has to wait while a peer does not read what it is sent. Asked once, at the start.
    fn brakes(&self) -> Backpressure {
        Backpressure::Sender
    }

    /// Whether all that `received` does is to send each frame back to where it came from. Where much comes at a
    /// time, the engine then does that by itself, for less, and `received` is not called. It counts where the
    /// framing is raw: the frames of lines are not all that came. Asked once, at the start.
    fn only_returns(&self) -> bool {
        false
    }

    /// Whether a peer that is closed for its silence is told so in one line, `switchboard: idle for 60s`.
    /// Not where every byte that it is sent has a meaning. Asked once, at the start.
    fn tells_limits(&self) -> bool {
        false
    }

    /// Somebody connected, or a connection that was dialled came about.
    fn opened(&mut self, _id: ConnId, _board: &mut Board) {}

    /// A peer said something. The frame is borrowed: copy what must outlive the call.
    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board);

    /// A peer has finished sending (its FIN was read); our direction may stay open for an answer.
    fn ended(&mut self, id: ConnId, board: &mut Board) {
        board.finish(id);
    }

    /// A connection has ended. Called once for each connection, also for a dialled one that never came
    /// about. It still stands on the board, so `board.view(id)` tells what was sent.
    fn closed(&mut self, _id: ConnId, _why: &Reason, _board: &mut Board) {}

    /// Newcomers were turned away within the last second; `Board::stats` has counted them. Called once a second
    /// at most, and not at all while nobody is.
    fn turned_away(&mut self, _board: &mut Board) {}

    /// Another thread posted something.
    fn message(&mut self, message: Self::Message, board: &mut Board);

    /// All that came in this turn was handed over. What is put on the board here goes out in this turn.
    fn turn_ended(&mut self, _board: &mut Board) {}
}

/// Who is not read while a receiver is over its high water.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backpressure {
    /// Nobody: those who talk are not those who are answered.
    None,
    /// The slow receiver itself: what it is sent are answers to what it says.
    Sender,
    /// Everybody, as long as the slow receiver is honest: everybody talks to everybody.
    Everybody,
}
