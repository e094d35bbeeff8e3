//! Echo: every byte goes back to who sent it. The smallest useful App, and the one to start from when
//! writing another: say how bytes become frames, and what to do with a frame. Everything else has a
//! default; the default of `ended` answers a peer's FIN with ours once everything has gone out.

use std::convert::Infallible;

use crate::{App, Board, ConnId, Frame, Framing};

/// Returns bytes exactly as they came.
#[derive(Debug)]
pub struct Echo;

impl App for Echo {
    type Message = Infallible;

    fn framing(&self) -> Framing {
        Framing::Raw
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        board.send(id, frame.bytes);
    }

    fn message(&mut self, message: Infallible, _board: &mut Board) {
        match message {}
    }
}
