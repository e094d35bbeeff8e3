//! What is told of a connection in a list.

use crate::board::{Board, View};
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::desk::{ConnState, Row};
use crate::hub::links::Links;
use crate::hub::names::Names;
use crate::hub::pending::Pending;

/// One connection, as `/who` shows it.
pub fn row<'a>(view: &View<'a>, names: &'a Names, pending: &Pending, links: &Links, now: Moment) -> Row<'a> {
    let serial = view.id.serial();
    Row {
        who: names.who(serial),
        peer: view.peer,
        age: now.since(view.opened_at),
        heard: (view.received_bytes > 0).then_some(view.silent_for),
        received_bytes: view.received_bytes,
        sent_bytes: view.sent_bytes,
        queued_bytes: view.queued_bytes,
        state: ConnState::of(view.is_connecting, view.is_open, view.inbound, view.outbound),
        is_slow: view.is_slow,
        pending: pending.get(serial).map(|entry| now.since(entry.since)),
        linked: links.mate(serial).map(ConnId::serial),
    }
}

/// The same of the one with this number, if it is here.
pub fn row_of<'a>(
    serial: u64,
    names: &'a Names,
    pending: &Pending,
    links: &Links,
    board: &'a Board,
) -> Option<Row<'a>> {
    let view = board.view(board.find(serial)?)?;
    Some(row(&view, names, pending, links, board.now()))
}
