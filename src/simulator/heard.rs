//! What an App heard, laid along what its peer said: byte for byte, what frames the messages included. How each kind of
//! frame is written is said here a second time, and nothing is taken from the framer.
//!
//! What is still to be heard is a stream that each frame takes something from the front of. Where a part was taken out
//! of a frame that goes on, what frames it is put back: its STX, or what remains of its length. So it does not matter
//! in which role the next frame is heard.

use crate::buffer::framing::{Delimiter, End, Frame, Framing};

/// How far a peer was heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// So many bytes of what was said were looked at.
    at: usize,
    /// Before those that follow.
    put_back: Vec<u8>,
    /// What framed a message that had no end, and was told nobody.
    left_out: usize,
}

impl Heard {
    /// What is still to be heard of all that was said.
    pub fn rest(&self, said: &[u8]) -> Vec<u8> {
        [&self.put_back, &said[self.at..]].concat()
    }

    /// How many of the bytes that were said the frames stand for.
    pub fn bytes(&self) -> usize {
        self.at - self.put_back.len() - self.left_out
    }

    /// So much of what was said went by without being heard, and nothing of it was begun.
    pub fn skip_to(&mut self, bytes: usize) {
        self.at = bytes;
    }

    /// A frame was heard, in a role that cuts in this way. It has to be what comes next of all that was read. Returns
    /// whether it is a part of something that framing bytes are around.
    pub fn hears(&mut self, read: &[u8], framing: Framing, frame: Frame<'_>) -> bool {
        let rest = self.rest(read);
        let is_whole = matches!(frame.end, End::Newline | End::Framed(_));
        let told = |around: &Around| [&around.before, frame.bytes, &around.behind].concat();
        let mut around = Around::what_comes_next(&rest, framing, frame.bytes.len(), is_whole);
        // One that was closed in the middle of a length: the rest of it was read and thrown away.
        let is_piece = frame.end == End::Gone
            && matches!(framing, Framing::Length { bytes, .. } if frame.bytes.len() < bytes.count());
        if is_piece && !around.as_ref().is_some_and(|around| rest.starts_with(&told(around))) {
            around = Some(Around::default());
        }
        let around = around.filter(|around| rest.starts_with(&told(around)));
        let around =
            around.unwrap_or_else(|| panic!("heard {frame:?} of {framing:?}, and next comes {rest:?}"));
        let inner = mark_of(framing, &around);
        let holds_end = !inner.is_empty() && frame.bytes.windows(inner.len()).any(|window| window == inner);
        assert!(!holds_end, "{frame:?} of {framing:?} goes on behind an end");
        let framed_by = if is_whole { around.before.len() + around.behind.len() } else { 0 };
        assert_eq!(frame.received_bytes(), frame.bytes.len() + framed_by, "{frame:?} of {framing:?}");
        assert_eq!(frame.end == End::Newline, is_whole && framing == Framing::Lines, "{framing:?}");
        let is_inside = !around.put_back.is_empty();
        self.take(told(&around).len(), around.put_back);
        if frame.end == End::Gone {
            self.left_out += std::mem::take(&mut self.put_back).len();
        }
        is_inside
    }

    /// Nothing more will be heard of it, whose role cuts in this way: what is left may be what frames a message that
    /// never came.
    pub fn ends(&mut self, read: &[u8], framing: Framing) {
        let rest = self.rest(read);
        let is_frame_alone = match framing {
            Framing::StxEtx => rest == [0x02],
            Framing::Length { bytes, .. } => rest.len() == bytes.count(),
            _ => false,
        };
        if is_frame_alone {
            self.left_out += rest.len();
            self.take(rest.len(), Vec::new());
        }
    }

    /// Takes so much from the front, and puts this back.
    fn take(&mut self, bytes: usize, put_back: Vec<u8>) {
        let from_front = bytes.min(self.put_back.len());
        self.put_back.drain(..from_front);
        self.at += bytes - from_front;
        self.put_back.splice(..0, put_back);
    }
}

/// What stands before a message and behind it, and what is put back where it is a part.
#[derive(Default)]
struct Around {
    before: Vec<u8>,
    behind: Vec<u8>,
    put_back: Vec<u8>,
}

impl Around {
    /// For a message of so many bytes, or a part of one. `None` where none of that length can come next.
    fn what_comes_next(rest: &[u8], framing: Framing, bytes: usize, is_whole: bool) -> Option<Around> {
        let behind: &[u8] = match framing {
            Framing::Lines | Framing::Delimited(_) => mark_of(framing, &Around::default()),
            Framing::StxEtx if rest.first() == Some(&0x02) => {
                let (stx, etx) = (vec![0x02], vec![0x03]);
                return Some(match is_whole {
                    true => Around { before: stx, behind: etx, put_back: Vec::new() },
                    false => Around { before: stx.clone(), behind: Vec::new(), put_back: stx },
                });
            }
            Framing::Length { bytes: length, little_endian } => {
                let before = rest.get(..length.count())?.to_vec();
                let digits: Vec<u8> =
                    if little_endian { before.clone() } else { before.iter().rev().copied().collect() };
                let said = digits.iter().rev().fold(0, |sum, digit| 256 * sum + usize::from(*digit));
                let remains = said.checked_sub(bytes).filter(|remains| (*remains == 0) == is_whole)?;
                let mut put_back: Vec<u8> =
                    (0..length.count()).map(|at| (remains >> (8 * at)) as u8).collect();
                if !little_endian {
                    put_back.reverse();
                }
                let put_back = if is_whole { Vec::new() } else { put_back };
                return Some(Around { before, behind: Vec::new(), put_back });
            }
            Framing::StxEtx | Framing::Raw | Framing::Echo | Framing::Silence(_) if is_whole => return None,
            Framing::StxEtx | Framing::Raw | Framing::Echo | Framing::Silence(_) => b"",
        };
        let behind = if is_whole { behind } else { b"" };
        Some(Around { behind: behind.to_vec(), ..Around::default() })
    }
}

/// What ends a message, and so is nowhere within one.
fn mark_of(framing: Framing, around: &Around) -> &'static [u8] {
    match framing {
        Framing::Lines => b"\n",
        Framing::Delimited(Delimiter::Cr) => b"\r",
        Framing::Delimited(Delimiter::Nul) => b"\0",
        Framing::Delimited(Delimiter::CrLf) => b"\r\n",
        Framing::StxEtx if around.before.is_empty() => b"\x02",
        Framing::StxEtx => b"\x03",
        Framing::Length { .. } | Framing::Raw | Framing::Echo | Framing::Silence(_) => b"",
    }
}
