//! Records, as far as they can be told apart without a key.

use super::session::RECORD_BYTES_MAX;

/// A record says first what it is and how long.
const HEADER_BYTES: usize = 5;
/// The most that a record is longer than what it carries, its header included (RFC 5246, 6.2.3).
const OVERHEAD_BYTES_MAX: usize = HEADER_BYTES + 2048;
/// At least so much is read at a time: a whole record.
pub(super) const READ_BYTES_MIN: usize = RECORD_BYTES_MAX + OVERHEAD_BYTES_MAX;

/// The first bytes of what somebody says, by which what is no TLS is told.
pub(super) type First = [u8; HEADER_BYTES + 3];

/// Whether this is the beginning of one record, and no more.
pub(super) fn is_unfinished(begun: &[u8], fresh: &[u8]) -> bool {
    let mut header = begun.iter().chain(fresh).skip(3).take(2).map(|byte| usize::from(*byte));
    let (Some(high), Some(low)) = (header.next(), header.next()) else {
        return looks_like_a_record(begun, fresh);
    };
    begun.len() + fresh.len() < HEADER_BYTES + (high << 8 | low) && looks_like_a_record(begun, fresh)
}

/// Whether it may be a record at all. What cannot be one, or is longer than any, is told at once by the library.
fn looks_like_a_record(begun: &[u8], fresh: &[u8]) -> bool {
    let mut bytes = begun.iter().chain(fresh);
    let may_begin = bytes.next().is_some_and(|kind| (20..=24).contains(kind));
    let may_be_version = bytes.next().is_none_or(|major| *major == 3);
    let high = bytes.nth(1).map_or(0, |high| usize::from(*high) << 8);
    let length = high | bytes.next().map_or(0, |low| usize::from(*low));
    may_begin && may_be_version && HEADER_BYTES + length <= READ_BYTES_MIN
}

/// Whether the last of these records is a close_notify that is not encrypted.
pub(super) fn ends_with_goodbye(records: &[u8]) -> bool {
    matches!(records, [.., 21, 3, _, 0, 2, _, 0])
}

/// The first bytes, by which what is no TLS is told.
pub(super) fn first_bytes(incoming: &[u8]) -> First {
    let mut first = [0; HEADER_BYTES + 3];
    for (place, byte) in first.iter_mut().zip(incoming) {
        *place = *byte;
    }
    first
}
