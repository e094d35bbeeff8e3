//! Messages that end with a mark: lines, and whatever else ends with a byte or two that are no part of it.
//!
//! A byte is looked at once, however a message is cut up on its way here, and one that lies whole within the fresh
//! bytes is not copied.

use memchr::{memchr, memchr_iter};

use super::chars::place_to_cut;
use super::{End, Frame};

/// What ends a message.
pub(super) trait Mark: Copy {
    /// How many bytes it has.
    const BYTES: usize;

    /// What a message that it ends is told to end with.
    fn end(self) -> End;

    /// Where the last byte of the first one is in the fresh bytes, which `before` came before.
    fn find(self, before: Option<u8>, fresh: &[u8]) -> Option<usize>;

    /// How many bytes of a mark may have begun where the bytes so far end with `last`.
    fn begun(self, last: Option<u8>) -> usize;
}

/// One byte.
#[derive(Clone, Copy)]
pub(super) struct Byte(pub u8, pub End);

impl Mark for Byte {
    const BYTES: usize = 1;

    fn end(self) -> End {
        self.1
    }

    fn find(self, _before: Option<u8>, fresh: &[u8]) -> Option<usize> {
        memchr(self.0, fresh)
    }

    fn begun(self, _last: Option<u8>) -> usize {
        0
    }
}

/// Both of `\r\n`; one alone is no mark.
#[derive(Clone, Copy)]
pub(super) struct CrLf;

impl Mark for CrLf {
    const BYTES: usize = 2;

    fn end(self) -> End {
        End::Framed(2)
    }

    fn find(self, before: Option<u8>, fresh: &[u8]) -> Option<usize> {
        let is_behind_cr = |at: &usize| match at.checked_sub(1) {
            Some(before) => fresh[before] == b'\r',
            None => before == Some(b'\r'),
        };
        memchr_iter(b'\n', fresh).find(is_behind_cr)
    }

    fn begun(self, last: Option<u8>) -> usize {
        usize::from(last == Some(b'\r'))
    }
}

/// Cuts `tail` followed by `fresh` where the mark is. See `Framing::cut`.
pub(super) fn cut<M: Mark>(
    mark: M,
    tail: &mut Vec<u8>,
    fresh: &[u8],
    bytes_max: usize,
    mut emit: impl FnMut(Frame<'_>) -> bool,
) -> usize {
    let mut used = 0;
    if !tail.is_empty() {
        let found = mark.find(tail.last().copied(), fresh);
        // All but the last byte of the mark, the first of which may be in the tail already.
        let more = &fresh[..found.unwrap_or(fresh.len())];
        let unsure = match found {
            Some(_) => M::BYTES - 1,
            None => mark.begun(more.last().or(tail.last()).copied()),
        };
        if let Err(stopped_at) = extend_within(tail, 0, more, bytes_max + unsure, bytes_max, &mut emit) {
            return stopped_at;
        }
        let Some(last) = found else { return fresh.len() };
        used = last + 1;
        let goes_on = emit(Frame::of(&tail[..tail.len() - unsure], mark.end()));
        tail.clear();
        if !goes_on {
            return used;
        }
    }
    while let Some(last) = mark.find(None, &fresh[used..]) {
        let message = &fresh[used..used + last - (M::BYTES - 1)];
        match cut_long(message, bytes_max, &mut emit) {
            Ok(message) => {
                used += last + 1;
                if !emit(Frame::of(message, mark.end())) {
                    return used;
                }
            }
            Err(handed_out) => return used + handed_out,
        }
    }
    let rest = &fresh[used..];
    let (sure, unsure) = rest.split_at(rest.len() - mark.begun(rest.last().copied()));
    match cut_long(sure, bytes_max, &mut emit) {
        Ok(sure) => {
            tail.extend_from_slice(sure);
            tail.extend_from_slice(unsure);
            fresh.len()
        }
        Err(handed_out) => used + handed_out,
    }
}

/// Appends to a tail, of which the first `head_bytes` are no part of the message, and hands out whatever would make the
/// message longer than `keeps_max`, in parts of `bytes_max` at most. Where `emit` stops that, it says how much of `more`
/// was appended.
#[inline]
pub(super) fn extend_within(
    tail: &mut Vec<u8>,
    head_bytes: usize,
    mut more: &[u8],
    keeps_max: usize,
    bytes_max: usize,
    emit: &mut impl FnMut(Frame<'_>) -> bool,
) -> Result<(), usize> {
    // Mostly it fits, and that is all there is to do for each read that brings a piece of a message.
    if tail.len() + more.len() > head_bytes + keeps_max {
        let bytes = more.len();
        let goes_on;
        (more, goes_on) = hand_out_parts(tail, head_bytes, more, keeps_max, bytes_max, emit);
        if !goes_on {
            return Err(bytes - more.len());
        }
    }
    tail.extend_from_slice(more);
    Ok(())
}

/// Does that until the rest fits, or `emit` says `false`. Returns what was not appended, and whether it goes on.
#[cold]
fn hand_out_parts<'a>(
    tail: &mut Vec<u8>,
    head_bytes: usize,
    mut more: &'a [u8],
    keeps_max: usize,
    bytes_max: usize,
    emit: &mut impl FnMut(Frame<'_>) -> bool,
) -> (&'a [u8], bool) {
    while tail.len() + more.len() > head_bytes + keeps_max {
        let (now, later) = more.split_at((head_bytes + bytes_max).saturating_sub(tail.len()));
        tail.extend_from_slice(now);
        more = later;
        let cut = head_bytes + place_to_cut(&tail[head_bytes..head_bytes + bytes_max]);
        let goes_on = emit(Frame::of(&tail[head_bytes..cut], End::Limit));
        tail.drain(head_bytes..cut);
        if !goes_on {
            return (more, false);
        }
    }
    (more, true)
}

/// Hands out what of a message is over the limit; returns the rest. Where `emit` stops that, it says how much was
/// handed out.
pub(super) fn cut_long<'a>(
    message: &'a [u8],
    bytes_max: usize,
    emit: &mut impl FnMut(Frame<'_>) -> bool,
) -> Result<&'a [u8], usize> {
    let mut rest = message;
    while rest.len() > bytes_max {
        let cut = place_to_cut(&rest[..bytes_max]);
        let goes_on = emit(Frame::of(&rest[..cut], End::Limit));
        rest = &rest[cut..];
        if !goes_on {
            return Err(message.len() - rest.len());
        }
    }
    Ok(rest)
}
