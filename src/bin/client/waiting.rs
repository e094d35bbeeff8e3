//! What was read from stdin and is not sent yet.

use std::collections::VecDeque;

use switchboard::terminal::BufferReturn;
use switchboard::{Board, ConnId, Sent};

/// It, in the order in which it came.
#[derive(Debug)]
pub struct Waiting {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Whoever reads stdin, where that is read in such buffers.
    source: Option<BufferReturn>,
}

#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    /// It is the buffer of whoever reads stdin, and goes back to it.
    is_borrowed: bool,
}

impl Waiting {
    /// Nothing yet; what is borrowed goes back there.
    pub fn new(source: Option<BufferReturn>) -> Waiting {
        Waiting { pieces: VecDeque::new(), bytes: 0, source }
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A copy of this is to be sent behind what waits.
    pub fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.pieces.push_back(Piece { bytes: bytes.to_vec(), is_borrowed: false });
        }
    }

    /// The same for a buffer that goes back to where it came from when it was sent.
    pub fn borrow(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return self.give_back(bytes);
        }
        self.bytes += bytes.len();
        self.pieces.push_back(Piece { bytes, is_borrowed: true });
    }

    /// A buffer goes back to where it came from.
    pub fn give_back(&self, bytes: Vec<u8>) {
        if let Some(source) = &self.source {
            source.give_back(bytes);
        }
    }

    /// Sends a piece. Returns whether there was one and it was taken.
    pub fn send_one(&mut self, id: ConnId, board: &mut Board) -> bool {
        let Some(piece) = self.pieces.front() else { return false };
        if !matches!(board.send(id, &piece.bytes), Sent::Queued(_) | Sent::Slow(_)) {
            return false;
        }
        if let Some(piece) = self.pieces.pop_front() {
            self.bytes -= piece.bytes.len();
            if piece.is_borrowed {
                self.give_back(piece.bytes);
            }
        }
        true
    }
}
