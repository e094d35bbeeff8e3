//! What is particular to a mode: what peers' words are for.

use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::conn::ConnId;
use crate::conn::policy::{Policy, Role};
use crate::hub::desks::Desks;

/// A mode. Whatever it does not say is done as in the console.
pub trait Mode {
    /// How the connections of this role are treated.
    fn policy(&self, role: Role) -> Policy;

    /// Somebody has connected; the desks have been told.
    fn opened(&mut self, _id: ConnId, _desks: &mut Desks, _board: &mut Board) {}

    /// A peer has said something: to be shown at the desks, mostly.
    fn received(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board);

    /// A peer has finished sending. Its connection stays open for an answer.
    fn ended(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        desks.ended(id, board);
    }

    /// A connection has ended; the desks are told next.
    fn closing(&mut self, _id: ConnId, _desks: &mut Desks, _board: &mut Board) {}
}
