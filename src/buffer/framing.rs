//! Bytes to frames. Knows nothing of connections: it is given the unfinished tail of what came before
//! and the fresh bytes, and leaves the new tail.
//!
//! A byte is looked at once, however a message is cut up on its way here, and a frame that lies whole within the fresh
//! bytes is not copied. The tail is all that is remembered: what it begins with says how its message goes on, so the
//! same bytes mean the same to whoever cuts them next, be it anew.

mod chars;
mod enclosed;
mod gathered;
mod length;
mod lines;
mod outgoing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::mem;
use std::time::Duration;

pub use chars::whole_chars;
pub use length::LengthBytes;
pub use outgoing::{Envelope, Prefix, TooLong};

use length::Header;
use lines::{Byte, CrLf};

/// So much longer than a message may be is what is kept of one that goes on: what frames it comes to it.
#[cfg(any(test, feature = "simulator"))]
pub(crate) const FRAMING_BYTES_MAX: usize = 4;

/// How the bytes of a connection become frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A frame is a line, without its `\n`. A `\r` before it belongs to the line.
    Lines,
    /// A frame is what one read brought.
    Raw,
    /// The same, for an App that does nothing with a frame but send it back to where it came from. Where much comes
    /// at a time, the engine does that by itself, for less, and `App::received` is not called.
    Echo,
    /// A frame is what stands before each of these.
    Delimited(Delimiter),
    /// A frame is what stands between STX (0x02) and the next ETX (0x03). What stands outside of frames is handed over
    /// as a part (`End::Silence`), when the next STX comes or the peer falls silent.
    StxEtx,
    /// The length of a frame stands before it.
    Length {
        /// How many bytes the length has, which does not count itself.
        bytes: LengthBytes,
        /// Whether the lowest of them comes first; in a network the highest does.
        little_endian: bool,
    },
    /// A frame ends when nothing has come for so long (`End::Silence`). All bytes are its own.
    Silence(Duration),
}

/// What ends a frame, and is no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// `\r`.
    Cr,
    /// A zero.
    Nul,
    /// `\r\n`. One of them alone belongs to the frame.
    CrLf,
}

/// What ended a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A `\n`, which is not part of the frame's bytes.
    Newline,
    /// It is whole, and so many bytes more framed it: a delimiter, STX and ETX, or its length.
    Framed(u8),
    /// The message is longer than one may be; it goes on in the next frame.
    Limit,
    /// No ending came, and nothing else for a while.
    Silence,
    /// No ending came before the peer finished or the connection broke.
    Gone,
    /// The framing is raw: this is what one read brought.
    Read,
}

/// A piece of what a peer said. Its bytes are borrowed: copy what must outlive the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The bytes, without what framed them.
    pub bytes: &'a [u8],
    /// Why the frame ends here.
    pub end: End,
    /// What stood in front of the bytes and framed them: STX, or their length. Of a message that comes in parts each has
    /// it, where a length is what was still to come; what the peer has said there is what the first part has.
    pub head: Prefix,
}

impl<'a> Frame<'a> {
    /// A frame that nothing stood in front of.
    #[inline]
    pub const fn of(bytes: &'a [u8], end: End) -> Frame<'a> {
        Frame { bytes, end, head: Prefix::NONE }
    }

    /// What stood behind the bytes and framed them, where frames are cut so that this envelope fits them.
    pub fn behind(&self, envelope: Envelope) -> &'static [u8] {
        match self.end {
            End::Newline => b"\n",
            End::Framed(_) => envelope.behind(),
            End::Limit | End::Silence | End::Gone | End::Read => b"",
        }
    }

    /// How many of the bytes that were received it stands for: its own, and those that framed it.
    pub fn received_bytes(&self) -> usize {
        self.bytes.len()
            + match self.end {
                End::Newline => 1,
                End::Framed(bytes) => usize::from(bytes),
                End::Limit | End::Silence | End::Gone | End::Read => 0,
            }
    }

    /// Whether this is a part of a message only, or bytes whose end is not marked.
    pub fn is_part(&self) -> bool {
        !matches!(self.end, End::Newline | End::Framed(_))
    }
}

/// As a command line spells it (`Framing::parse`).
impl fmt::Display for Framing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Framing::Lines => out.write_str("lines"),
            Framing::Raw | Framing::Echo => out.write_str("chunks"),
            Framing::Delimited(Delimiter::Cr) => out.write_str("cr"),
            Framing::Delimited(Delimiter::CrLf) => out.write_str("crlf"),
            Framing::Delimited(Delimiter::Nul) => out.write_str("nul"),
            Framing::StxEtx => out.write_str("stx"),
            Framing::Length { bytes, little_endian } => {
                let bits = match bytes {
                    LengthBytes::One => "len8",
                    LengthBytes::Two => "len16",
                    LengthBytes::Four => "len32",
                };
                // One byte has no order.
                let has_order = *bytes != LengthBytes::One;
                write!(out, "{bits}{}", if *little_endian && has_order { "le" } else { "" })
            }
            Framing::Silence(time) => write!(out, "silence={}ms", time.as_millis()),
        }
    }
}

impl Framing {
    /// What goes around an answer to whoever frames what it says in this way.
    pub fn envelope(self) -> Envelope {
        match self {
            Framing::Lines => Envelope::Lf,
            Framing::Delimited(Delimiter::Cr) => Envelope::Cr,
            Framing::Delimited(Delimiter::Nul) => Envelope::Nul,
            Framing::Delimited(Delimiter::CrLf) => Envelope::CrLf,
            Framing::StxEtx => Envelope::StxEtx,
            Framing::Length { bytes, little_endian } => Envelope::Length { bytes, little_endian },
            Framing::Raw | Framing::Echo | Framing::Silence(_) => Envelope::None,
        }
    }

    /// Cuts `tail` followed by `fresh` into frames for `emit`, until it says `false`. Returns how many of the fresh
    /// bytes were used; what is left is the tail, followed by those that were not.
    ///
    /// No frame handed out is longer than `bytes_max`, and no tail left behind is longer than that by more than
    /// `FRAMING_BYTES_MAX`. Where a longer message is cut, text is cut between characters.
    pub(crate) fn cut(
        self,
        tail: &mut Vec<u8>,
        fresh: &[u8],
        bytes_max: usize,
        mut emit: impl FnMut(Frame<'_>) -> bool,
    ) -> usize {
        match self {
            Framing::Lines => lines::cut(Byte(b'\n', End::Newline), tail, fresh, bytes_max, emit),
            // Lines alone have the caller's code woven into theirs, which is where speed counts.
            _ => self.cut_otherwise(tail, fresh, bytes_max, &mut emit),
        }
    }

    fn cut_otherwise(
        self,
        tail: &mut Vec<u8>,
        fresh: &[u8],
        bytes_max: usize,
        emit: &mut dyn FnMut(Frame<'_>) -> bool,
    ) -> usize {
        // A message has room for a byte, or its parts would never come to their end.
        let bytes_max = bytes_max.max(1);
        match self {
            Framing::Lines => lines::cut(Byte(b'\n', End::Newline), tail, fresh, bytes_max, emit),
            Framing::Delimited(Delimiter::Cr) => {
                lines::cut(Byte(b'\r', End::Framed(1)), tail, fresh, bytes_max, emit)
            }
            Framing::Delimited(Delimiter::Nul) => {
                lines::cut(Byte(0, End::Framed(1)), tail, fresh, bytes_max, emit)
            }
            Framing::Delimited(Delimiter::CrLf) => lines::cut(CrLf, tail, fresh, bytes_max, emit),
            Framing::StxEtx => enclosed::cut(tail, fresh, bytes_max, emit),
            Framing::Length { bytes, little_endian } => {
                length::cut(Header { bytes, little_endian }, tail, fresh, bytes_max, emit)
            }
            Framing::Silence(_) => gathered::cut(tail, fresh, bytes_max, emit),
            Framing::Raw | Framing::Echo => {
                let begun = mem::take(tail);
                if !begun.is_empty() && !emit(Frame::of(&begun, End::Read)) {
                    return 0;
                }
                emit(Frame::of(fresh, End::Read));
                fresh.len()
            }
        }
    }

    /// Whether a frame is whatever a read brings.
    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Framing::Raw | Framing::Echo)
    }

    /// What a tail has of a message, without what frames it, or may.
    pub(crate) fn begun(self, tail: &[u8]) -> &[u8] {
        match self {
            Framing::Delimited(Delimiter::CrLf) => tail.strip_suffix(b"\r").unwrap_or(tail),
            _ => &tail[self.head_bytes(tail).unwrap_or(tail.len())..],
        }
    }

    /// What of a tail stands in front of the message that it has begun.
    pub(crate) fn head_of(self, tail: &[u8]) -> Prefix {
        Prefix::of(&tail[..self.head_bytes(tail).unwrap_or(0)])
    }

    /// How many bytes in front of a tail are no part of a message; `None` where they are not all there.
    fn head_bytes(self, tail: &[u8]) -> Option<usize> {
        match self {
            Framing::StxEtx => Some(enclosed::head_bytes(tail)),
            Framing::Length { bytes, little_endian } => Header { bytes, little_endian }.head_bytes(tail),
            Framing::Lines | Framing::Raw | Framing::Echo | Framing::Delimited(_) | Framing::Silence(_) => {
                Some(0)
            }
        }
    }

    /// Whether bytes that are still to come will end the message that a tail has begun.
    pub(crate) fn has_end_to_come(self, tail: &[u8]) -> bool {
        match self {
            Framing::Lines | Framing::Delimited(_) | Framing::Length { .. } => true,
            Framing::StxEtx => enclosed::head_bytes(tail) > 0,
            Framing::Raw | Framing::Echo | Framing::Silence(_) => false,
        }
    }

    /// Whether all that a tail has begun is the beginning of a character, for whose rest a text is waited.
    pub(crate) fn is_split_char(self, tail: &[u8]) -> bool {
        self.is_text() && chars::whole_chars(self.begun(tail)) == 0
    }

    fn is_text(self) -> bool {
        match self {
            Framing::Lines | Framing::Delimited(_) | Framing::StxEtx => true,
            Framing::Raw | Framing::Echo | Framing::Length { .. } | Framing::Silence(_) => false,
        }
    }

    /// Takes out of a tail what is shown of a message when that has to be. What is left says how the message goes on.
    pub(crate) fn take_part(self, tail: &mut Vec<u8>) -> Vec<u8> {
        let begun = self.begun(tail);
        let bytes = if self.is_text() { chars::part_to_show(begun) } else { begun.len() };
        if bytes == tail.len() {
            return mem::take(tail);
        }
        let head = self.head_bytes(tail).unwrap_or(tail.len());
        let part = tail[head..head + bytes].to_vec();
        tail.drain(head..head + bytes);
        if let Framing::Length { bytes: length, little_endian } = self
            && bytes > 0
        {
            Header { bytes: length, little_endian }.part_was_taken(tail, bytes);
        }
        part
    }

    /// What is told of a tail whose rest will never come, and how many bytes that framed it are left out. Where even
    /// those are not all there, they are told as they came.
    pub(crate) fn unended(self, tail: &[u8]) -> (&[u8], usize) {
        let head = self.head_bytes(tail).unwrap_or(0);
        (&tail[head..], head)
    }
}

/// Cuts `tail` followed by `fresh` into lines for `emit` and leaves the unfinished rest in `tail`.
///
/// No line handed out and no tail left behind is longer than `line_bytes_max`; where a longer line is
/// cut, it is cut between characters.
pub fn cut_lines(tail: &mut Vec<u8>, fresh: &[u8], line_bytes_max: usize, emit: impl FnMut(Frame<'_>)) {
    cut_frames(Framing::Lines, tail, fresh, line_bytes_max, emit);
}

/// The same for frames of any kind, where what is left may be longer by the bytes that frame it, four at most. A tail
/// belongs to the framing that left it.
pub fn cut_frames(
    framing: Framing,
    tail: &mut Vec<u8>,
    fresh: &[u8],
    bytes_max: usize,
    mut emit: impl FnMut(Frame<'_>),
) {
    framing.cut(tail, fresh, bytes_max, |frame| {
        emit(frame);
        true
    });
}
