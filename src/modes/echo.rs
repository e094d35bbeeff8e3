//! Echo: every byte goes back to who sent it. The smallest useful App, and the one to start from when
//! writing another: say how bytes become frames, and what to do with a frame. Everything else has a
//! default; the default of `ended` answers a peer's FIN with ours once everything has gone out.

use std::convert::Infallible;

use crate::app::App;
use crate::board::{Board, Sent};
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::Reason;

/// Returns bytes exactly as they came.
#[derive(Debug)]
pub struct Echo;

impl App for Echo {
    type Message = Infallible;

    fn policy(&self, _role: Role) -> Policy {
        Policy { framing: Framing::Echo, ..Policy::LINES }
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        if let Sent::Full(_) = board.send(id, frame.bytes) {
            // It is not read while it does not read, so this does not happen; but no byte is ever left out.
            board.hang_up(id, Reason::QueueFull);
        }
    }
}
