//! Messages that end when nothing comes any more. Who knows the time says when that is; here they only grow.

use super::{End, Frame};

/// See `Framing::cut`. What is handed out is as long as a message may be, and goes on.
pub(super) fn cut(
    tail: &mut Vec<u8>,
    fresh: &[u8],
    bytes_max: usize,
    mut emit: impl FnMut(Frame<'_>) -> bool,
) -> usize {
    let mut used = 0;
    while tail.len() + fresh.len() - used > bytes_max {
        let from = used;
        used += bytes_max.saturating_sub(tail.len());
        let goes_on = if tail.is_empty() {
            emit(Frame::of(&fresh[from..used], End::Limit))
        } else {
            tail.extend_from_slice(&fresh[from..used]);
            let goes_on = emit(Frame::of(tail, End::Limit));
            tail.clear();
            goes_on
        };
        if !goes_on {
            return used;
        }
    }
    tail.extend_from_slice(&fresh[used..]);
    fresh.len()
}
