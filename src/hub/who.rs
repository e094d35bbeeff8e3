//! What is told of a connection in a list.

use crate::board::{Board, View};
use crate::conn::ConnId;
use crate::desk::{ConnState, Row};
use crate::hub::faults::Faults;
use crate::hub::links::Links;
use crate::hub::names::Names;
use crate::hub::pending::Pending;

/// All that is known of connections.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub names: &'a Names,
    pub pending: &'a Pending,
    pub faults: &'a Faults,
    pub links: &'a Links,
    pub board: &'a Board,
}

impl<'a> Known<'a> {
    /// One connection, as `/who` shows it.
    pub fn row(&self, view: &View<'a>) -> Row<'a> {
        let (serial, now) = (view.id.serial(), self.board.now());
        Row {
            who: self.names.who(serial),
            peer: view.peer,
            via: view.via,
            age: now.since(view.opened_at),
            heard: (view.received_bytes > 0).then_some(view.silent_for),
            received_bytes: view.received_bytes,
            sent_bytes: view.sent_bytes,
            queued_bytes: view.queued_bytes,
            state: ConnState::of(view.is_connecting, view.is_open, view.inbound, view.outbound),
            is_slow: view.is_slow,
            pending: self.pending.get(serial).map(|entry| now.since(entry.since)),
            fault: self.faults.of(view.id, self.board).map(Box::new),
            linked: self.links.mate(serial).map(ConnId::serial),
        }
    }

    /// The same of the one with this number, if it is here.
    pub fn row_of(&self, serial: u64) -> Option<Row<'a>> {
        Some(self.row(&self.board.view(self.board.find(serial)?)?))
    }
}
