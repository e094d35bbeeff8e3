//! Messages whose length stands in front.
//!
//! The tail begins with that length, or with a piece of it. Where a part was handed out, it is replaced by what remains,
//! so that the tail alone says how the message goes on.

use super::outgoing::{Prefix, TooLong};
use super::{End, Frame};

/// How many bytes the length in front of a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthBytes {
    /// One: up to 255 bytes.
    One,
    /// Two: up to 64 KiB less one.
    Two,
    /// Four: up to 4 GiB less one.
    Four,
}

impl LengthBytes {
    /// As a number.
    pub const fn count(self) -> usize {
        match self {
            LengthBytes::One => 1,
            LengthBytes::Two => 2,
            LengthBytes::Four => 4,
        }
    }

    /// The longest message that it can say the length of.
    pub const fn payload_bytes_max(self) -> usize {
        (u32::MAX >> (32 - 8 * self.count())) as usize
    }
}

/// How a length is written.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub bytes: LengthBytes,
    pub little_endian: bool,
}

impl Header {
    fn count(self) -> usize {
        self.bytes.count()
    }

    /// The length that these bytes begin with.
    fn read(self, bytes: &[u8]) -> usize {
        let push = |length: usize, byte: &u8| length << 8 | usize::from(*byte);
        let bytes = &bytes[..self.count()];
        if self.little_endian { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) }
    }

    /// This length, written.
    pub fn write(self, payload_bytes: usize) -> Result<Prefix, TooLong> {
        let bytes_max = self.bytes.payload_bytes_max();
        let length = u32::try_from(payload_bytes).ok().filter(|_| payload_bytes <= bytes_max);
        let length = length.ok_or(TooLong { bytes_max })?;
        let (little, big) = (length.to_le_bytes(), length.to_be_bytes());
        Ok(Prefix::of(if self.little_endian { &little[..self.count()] } else { &big[4 - self.count()..] }))
    }

    /// How many bytes of a tail are the length, if all of it is there.
    pub fn head_bytes(self, tail: &[u8]) -> Option<usize> {
        Some(self.count()).filter(|count| tail.len() >= *count)
    }

    /// Has the tail begin with what remains behind a part. What there is of the rest stands behind it already.
    pub fn part_was_taken(self, tail: &mut [u8], part_bytes: usize) {
        let remains = self.read(tail).saturating_sub(part_bytes);
        if let Ok(length) = self.write(remains) {
            tail[..self.count()].copy_from_slice(&length);
        }
    }

    /// What the tail is when all that there was of a message was handed out, and so much remains.
    fn leave(self, tail: &mut Vec<u8>, remains: usize) {
        tail.clear();
        if remains > 0
            && let Ok(length) = self.write(remains)
        {
            tail.extend_from_slice(&length);
        }
    }
}

/// See `Framing::cut`.
pub(super) fn cut(
    header: Header,
    tail: &mut Vec<u8>,
    fresh: &[u8],
    bytes_max: usize,
    mut emit: impl FnMut(Frame<'_>) -> bool,
) -> usize {
    let head = header.count();
    let mut used = 0;
    while used < fresh.len() {
        // Where the whole length is here, it need not pass through the tail.
        let is_new = tail.is_empty() && fresh.len() - used >= head;
        let body = if is_new { used + head } else { used + fill(tail, head, &fresh[used..]) };
        if !is_new && tail.len() < head {
            return body;
        }
        let remains = header.read(if is_new { &fresh[used..] } else { tail });
        let now = remains.min(bytes_max);
        // A part is as long as a message may be, whatever has come of the rest.
        let end = if now == remains { End::Framed(head as u8) } else { End::Limit };
        let goes_on = if tail.len() <= head && fresh.len() - body >= now {
            used = body + now;
            let length = Prefix::of(if is_new { &fresh[body - head..body] } else { tail });
            header.leave(tail, remains - now);
            emit(Frame { head: length, ..Frame::of(&fresh[body..used], end) })
        } else {
            if is_new {
                tail.extend_from_slice(&fresh[used..body]);
            }
            used = body + fill(tail, head.saturating_add(now), &fresh[body..]);
            if tail.len() - head < now {
                return used;
            }
            let goes_on = emit(Frame { head: Prefix::of(&tail[..head]), ..Frame::of(&tail[head..], end) });
            header.leave(tail, remains - now);
            goes_on
        };
        if !goes_on {
            return used;
        }
    }
    used
}

/// Appends to the tail until it has so many bytes, or there are no more. Returns how many were appended.
fn fill(tail: &mut Vec<u8>, until: usize, from: &[u8]) -> usize {
    let count = until.saturating_sub(tail.len()).min(from.len());
    tail.extend_from_slice(&from[..count]);
    count
}
