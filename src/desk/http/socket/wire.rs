//! The two ends of the wire of a WebSocket, as the library reads and writes it. What comes is handed on a frame at a time,
//! and the head of each is looked at first: what is wrong about it ends the connection before all that it announces was
//! waited for.

use std::io::{self, ErrorKind};

/// A head has so many bytes at most: two, eight of a length, four of a mask.
const HEAD_BYTES_MAX: usize = 14;

/// See the file.
#[derive(Debug, Default)]
pub struct Wire {
    incoming: Vec<u8>,
    taken: usize,
    /// What is to be sent.
    pub outgoing: Vec<u8>,
    place: Place,
    /// A message was begun whose end is still to come.
    is_within: bool,
    /// The longest frame whose head has come.
    pub longest_bytes: u64,
}

/// Where in a frame the library has come to.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// So many bytes of its head were handed on, these.
    Head([u8; HEAD_BYTES_MAX], usize),
    /// So many bytes of what it carries are to come, one at least.
    Payload(u64),
}

impl Default for Place {
    fn default() -> Place {
        Place::Head([0; HEAD_BYTES_MAX], 0)
    }
}

impl Wire {
    /// One on which nothing has come, and this is to be sent.
    pub fn saying(outgoing: Vec<u8>) -> Wire {
        Wire { outgoing, ..Wire::default() }
    }

    /// Something has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.incoming.extend_from_slice(bytes);
    }

    /// Whether no message and no frame has begun.
    pub fn is_between_messages(&self) -> bool {
        !self.is_within && matches!(self.place, Place::Head(_, 0))
    }

    /// Notes what is about to be handed on, of these bytes. Returns how many that are: to the end of the head or of the
    /// frame at most.
    fn pass(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.place {
            Place::Payload(left) => {
                let length = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let left = left - length as u64;
                self.place = if left == 0 { Place::default() } else { Place::Payload(left) };
                Ok(length)
            }
            Place::Head(mut head, known) => {
                let wanted = if known < 2 { 2 } else { head_bytes(head[1]) };
                let length = bytes.len().min(wanted - known);
                let known = known + length;
                head[known - length..known].copy_from_slice(&bytes[..length]);
                if known == 2 && self.is_wrong(head[0], head[1]) {
                    return Err(ErrorKind::InvalidData.into());
                }
                self.place = Place::Head(head, known);
                if known > 2 && known == head_bytes(head[1]) {
                    self.begin(&head);
                }
                Ok(length)
            }
        }
    }

    /// The head is whole.
    fn begin(&mut self, head: &[u8; HEAD_BYTES_MAX]) {
        if !is_control(head[0]) {
            self.is_within = !is_final(head[0]);
        }
        let [_, second, a, b, c, d, e, f, g, h, ..] = *head;
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            length => u64::from(length),
        };
        self.longest_bytes = self.longest_bytes.max(length);
        self.place = if length == 0 { Place::default() } else { Place::Payload(length) };
    }

    /// Whether no client may begin a frame so (RFC 6455, 5.2, 5.4 and 5.5). No extension was agreed upon.
    fn is_wrong(&self, first: u8, second: u8) -> bool {
        let has_reserved_bits = first & 0x70 != 0;
        let is_masked = second & 0x80 != 0;
        let is_out_of_place = match first & 0x0f {
            0 => !self.is_within,
            1 | 2 => self.is_within,
            8..=10 => !is_final(first) || second & 0x7f > 125,
            _ => true,
        };
        has_reserved_bits || !is_masked || is_out_of_place
    }
}

/// How long the head of a frame with a mask is, by its second byte.
fn head_bytes(second: u8) -> usize {
    match second & 0x7f {
        126 => 8,
        127 => HEAD_BYTES_MAX,
        _ => 6,
    }
}

fn is_control(first: u8) -> bool {
    first & 0x08 != 0
}

fn is_final(first: u8) -> bool {
    first & 0x80 != 0
}

impl io::Read for Wire {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let (from, end) = (self.taken, self.incoming.len().min(self.taken + to.len()));
        if from == self.incoming.len() {
            // An idle one keeps no memory for what came.
            (self.incoming, self.taken) = (Vec::new(), 0);
            return Err(ErrorKind::WouldBlock.into());
        }
        let incoming = std::mem::take(&mut self.incoming);
        let passed = self.pass(&incoming[from..end]);
        self.incoming = incoming;
        let length = passed?;
        to[..length].copy_from_slice(&self.incoming[from..from + length]);
        self.taken += length;
        Ok(length)
    }
}

impl io::Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
