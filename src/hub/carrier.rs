//! What carries what is said at a desk, both ways: a connection of lines, or a WebSocket, whose messages are whole lines.

use std::io::ErrorKind;

use crate::board::{Board, Sent};
use crate::conn::ConnId;
use crate::conn::reason::Reason;
use crate::desk::http::{Beat, Going, Socket};
use crate::desk::{DeskId, Relay};
use crate::terminal::Input;

/// A message of a WebSocket has about so many bytes at most, as far as its lines allow: a page takes it in one piece.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// See the file.
#[derive(Debug)]
pub enum Carrier {
    /// None: it is this process's own, or its connection has ended.
    None,
    /// A connection of lines.
    Lines(ConnId),
    /// A WebSocket of a browser.
    WebSocket(ConnId, Box<Socket>),
}

/// How far what there is for a desk was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// There is nothing more.
    All,
    /// There is more.
    Some,
    /// Something found no room, and nothing behind it was sent.
    Full,
}

impl Delivered {
    fn of(is_full: bool, has_more: bool) -> Delivered {
        match (is_full, has_more) {
            (true, _) => Delivered::Full,
            (false, true) => Delivered::Some,
            (false, false) => Delivered::All,
        }
    }
}

impl Carrier {
    /// Its connection.
    pub fn conn(&self) -> Option<ConnId> {
        match self {
            Carrier::None => None,
            Carrier::Lines(id) | Carrier::WebSocket(id, _) => Some(*id),
        }
    }

    /// What was read becomes lines, where they are whole.
    pub fn take(&mut self, bytes: &[u8], input: &mut Input, board: &mut Board) {
        match self {
            Carrier::None => {}
            Carrier::Lines(_) => input.push(bytes.to_vec()),
            Carrier::WebSocket(id, socket) => {
                // A message is a line, or several, each whole.
                let going = socket.take(bytes, |text| {
                    let mut line = text.as_bytes().to_vec();
                    line.push(b'\n');
                    input.push(line);
                });
                say(*id, socket, board);
                if going == Going::Ended {
                    board.close(*id, Reason::Finished);
                }
            }
        }
    }

    /// Sends what there is for a desk, about so many bytes of it.
    pub fn deliver(
        &mut self,
        desk: DeskId,
        relay: &mut Relay,
        room_bytes: usize,
        board: &mut Board,
    ) -> Delivered {
        match self {
            Carrier::None => Delivered::All,
            Carrier::Lines(id) => {
                let mut is_full = false;
                let has_more = relay.take(desk, room_bytes, |piece| {
                    // What comes behind something that it has not got would be taken for that.
                    is_full = is_full || !send(*id, &[piece], board);
                });
                Delivered::of(is_full, has_more)
            }
            Carrier::WebSocket(id, socket) => {
                let mut left = room_bytes;
                let mut text = Vec::new();
                loop {
                    text.clear();
                    let has_more = relay.take(desk, left.min(MESSAGE_BYTES_MAX), |piece| {
                        text.extend_from_slice(piece);
                    });
                    let is_whole = text.last().is_none_or(|last| *last == b'\n');
                    if !text.is_empty()
                        && let Some(head) = socket.frame(text.len(), is_whole)
                        && !send(*id, &[&head, &text], board)
                    {
                        return Delivered::Full;
                    }
                    left = left.saturating_sub(text.len());
                    // In less room than that of a message a line would be cut, and the message would go on in the next.
                    if !has_more || text.is_empty() || left < MESSAGE_BYTES_MAX {
                        return Delivered::of(false, has_more);
                    }
                }
            }
        }
    }

    /// Whether somebody is still there, as far as that has to be asked. The system tells of one that is a mere connection.
    pub fn beat(&mut self, board: &mut Board) {
        if let Carrier::WebSocket(id, socket) = self {
            match socket.beat() {
                Beat::Alive => {}
                Beat::Asked => say(*id, socket, board),
                Beat::Silent => return board.hang_up(*id, Reason::Lost(ErrorKind::TimedOut.into())),
            }
            board.set_timer(*id, board.now() + Socket::BEAT_EVERY);
        }
    }

    /// Ends it, behind what is queued: the server does.
    pub fn close(&mut self, board: &mut Board) {
        if let Carrier::WebSocket(id, socket) = self {
            socket.close(Socket::GOING_AWAY, "the server has ended");
            say(*id, socket, board);
        }
        if let Some(id) = self.conn() {
            board.close(id, Reason::Stopping);
        }
    }
}

/// What a socket has to say of itself.
fn say(id: ConnId, socket: &mut Socket, board: &mut Board) {
    if !send(id, &[&socket.outgoing()], board) {
        board.hang_up(id, Reason::QueueFull);
    }
}

/// Returns whether there was room for it.
fn send(id: ConnId, parts: &[&[u8]], board: &mut Board) -> bool {
    !matches!(board.send_parts(id, parts), Sent::Full(_))
}
