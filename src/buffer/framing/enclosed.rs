//! Messages between STX and ETX, and what stands outside of them: single characters of control, such as ENQ and ACK,
//! or noise.
//!
//! The tail says where it stands: one that begins with STX is inside of a frame, any other is outside. So an STX stays
//! in the tail as long as its frame goes on, be it behind parts that were handed out.

use memchr::memchr;

use super::lines::{cut_long, extend_within};
use super::{End, Frame, Prefix};

/// Begins a frame.
pub(super) const STX: u8 = 0x02;
/// Ends it.
pub(super) const ETX: u8 = 0x03;

/// What stands in front of a message.
const HEAD: Prefix = Prefix { bytes: [STX, 0, 0, 0], count: 1 };

/// Both of them are no part of the message.
const ENDED: End = End::Framed(2);

/// How many bytes of a tail are no part of what is said in it.
pub(super) fn head_bytes(tail: &[u8]) -> usize {
    usize::from(tail.first() == Some(&STX))
}

/// See `Framing::cut`.
pub(super) fn cut(
    tail: &mut Vec<u8>,
    fresh: &[u8],
    bytes_max: usize,
    mut emit: impl FnMut(Frame<'_>) -> bool,
) -> usize {
    let mut used = 0;
    while used < fresh.len() {
        let rest = &fresh[used..];
        let is_inside = *tail.first().unwrap_or(&rest[0]) == STX;
        let cut = if is_inside {
            inside(tail, rest, bytes_max, &mut emit)
        } else {
            outside(tail, rest, bytes_max, &mut emit)
        };
        match cut {
            Ok(more) => used += more,
            Err(more) => return used + more,
        }
    }
    used
}

/// Cuts up to the ETX of a frame, if it is there. Says how much was used, as an error where `emit` wants no more.
fn inside<E: FnMut(Frame<'_>) -> bool>(
    tail: &mut Vec<u8>,
    fresh: &[u8],
    bytes_max: usize,
    emit: &mut E,
) -> Result<usize, usize> {
    let emit = &mut |frame: Frame<'_>| emit(Frame { head: HEAD, ..frame });
    // Where nothing has begun, the STX is the first of the fresh bytes.
    let from = usize::from(tail.is_empty());
    let end = memchr(ETX, &fresh[from..]).map(|at| from + at);
    let more = &fresh[from..end.unwrap_or(fresh.len())];
    if tail.is_empty() {
        let last = match cut_long(more, bytes_max, emit) {
            Ok(last) => last,
            Err(handed_out) => {
                tail.push(STX);
                return Err(from + handed_out);
            }
        };
        let Some(end) = end else {
            tail.push(STX);
            tail.extend_from_slice(last);
            return Ok(fresh.len());
        };
        return then(emit(Frame::of(last, ENDED)), end + 1);
    }
    extend_within(tail, 1, more, bytes_max, bytes_max, emit)?;
    let Some(end) = end else { return Ok(fresh.len()) };
    let goes_on = emit(Frame::of(&tail[1..], ENDED));
    tail.clear();
    then(goes_on, end + 1)
}

/// Cuts what stands before the next STX, which shows that nothing more belongs to it: as silence would.
fn outside<E: FnMut(Frame<'_>) -> bool>(
    tail: &mut Vec<u8>,
    fresh: &[u8],
    bytes_max: usize,
    emit: &mut E,
) -> Result<usize, usize> {
    let end = memchr(STX, fresh);
    let more = &fresh[..end.unwrap_or(fresh.len())];
    if tail.is_empty() {
        let last = cut_long(more, bytes_max, emit)?;
        if end.is_some() {
            return then(emit(Frame::of(last, End::Silence)), more.len());
        }
        tail.extend_from_slice(last);
        return Ok(more.len());
    }
    extend_within(tail, 0, more, bytes_max, bytes_max, emit)?;
    if end.is_none() {
        return Ok(more.len());
    }
    let goes_on = emit(Frame::of(tail, End::Silence));
    tail.clear();
    then(goes_on, more.len())
}

/// So much was used, and it goes on or not.
fn then(goes_on: bool, used: usize) -> Result<usize, usize> {
    if goes_on { Ok(used) } else { Err(used) }
}
