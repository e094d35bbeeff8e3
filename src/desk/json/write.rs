//! How values are spelt in JSON: text where it is UTF-8, base64 where it is not, the time once a turn.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use std::time::Duration;

use super::opening::Opening;
use crate::desk::text::{plain_unquoted, push_number};

/// Writes events and replies as lines of JSON.
#[derive(Debug, Default)]
pub struct Writer {
    /// The time of this turn, as it is spelt; empty where it has to be asked for.
    stamp: String,
    now: Option<Timestamp>,
    /// How the line of the last message began.
    pub(super) opening: Opening,
}

impl Writer {
    /// Forgets the time: the next line will ask the clock.
    pub fn expire(&mut self) {
        self.stamp.clear();
        self.now = None;
        self.opening.forget();
    }

    /// The time of this turn.
    pub(super) fn now(&mut self) -> Timestamp {
        *self.now.get_or_insert_with(Timestamp::now)
    }

    /// Begins an event: its kind, its number and the time.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>, kind: &str, seq: u64) {
        out.extend_from_slice(b"{\"ev\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"seq\":");
        push_number(out, seq);
        self.after_seq(out);
    }

    /// What stands behind the number of every event: the time.
    pub(super) fn after_seq(&mut self, out: &mut Vec<u8>) {
        if self.stamp.is_empty() {
            self.stamp = spelt(self.now());
        }
        out.extend_from_slice(b",\"ts\":\"");
        out.extend_from_slice(self.stamp.as_bytes());
        out.push(b'"');
    }

    /// A moment so long ago.
    pub(super) fn ago(&mut self, time: Duration) -> String {
        let ago = SignedDuration::try_from(time).unwrap_or(SignedDuration::ZERO);
        spelt(self.now().checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

/// The time, as events have it.
pub fn spelt_now() -> String {
    spelt(Timestamp::now())
}

/// RFC 3339, in UTC, to the microsecond.
fn spelt(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Appends `,"key":7`.
pub(super) fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    begin_key(out, key);
    push_number(out, value);
}

/// Appends `,"key":"text"`.
pub(super) fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    begin_key(out, key);
    string(out, value);
}

/// Appends `,"key":true`.
pub(super) fn flag(out: &mut Vec<u8>, key: &str) {
    begin_key(out, key);
    out.extend_from_slice(b"true");
}

/// Whether a text stands for itself between quotes.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    plain_unquoted(bytes) == bytes.len()
}

/// Appends `,"text":"…"`, or `,"b64":"…"` where it is not UTF-8.
pub(super) fn payload(out: &mut Vec<u8>, bytes: &[u8]) {
    // Most texts are plain, and then nothing else has to be asked.
    if is_plain(bytes) {
        begin_key(out, "text");
        out.push(b'"');
        out.extend_from_slice(bytes);
        return out.push(b'"');
    }
    match str::from_utf8(bytes) {
        Ok(value) => text(out, "text", value),
        Err(_) => self::bytes(out, "b64", bytes),
    }
}

/// Appends `,"key":"…"`, in base64.
pub(super) fn bytes(out: &mut Vec<u8>, key: &str, bytes: &[u8]) {
    begin_key(out, key);
    out.push(b'"');
    let from = out.len();
    out.resize(from + bytes.len().div_ceil(3) * 4, 0);
    // It is exactly as long as it has room for.
    let length = STANDARD.encode_slice(bytes, &mut out[from..]).unwrap_or_default();
    out.truncate(from + length);
    out.push(b'"');
}

/// Appends `,"key":[…]`.
pub(super) fn list<T>(
    out: &mut Vec<u8>,
    key: &str,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Vec<u8>, T),
) {
    begin_key(out, key);
    out.push(b'[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}

fn begin_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a string with its quotes.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    let plain = plain_unquoted(rest);
    out.extend_from_slice(&rest[..plain]);
    rest = &rest[plain..];
    while let Some(at) = rest.iter().position(|byte| NEEDS_ESCAPE[usize::from(*byte)]) {
        out.extend_from_slice(&rest[..at]);
        escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// RFC 8259, section 7.
const NEEDS_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[0x7f] = true;
    table
};

fn escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        byte => {
            let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_moment_is_spelt_in_utc_to_the_microsecond() {
        assert_eq!(
            spelt(Timestamp::from_microsecond(1_767_323_045_678_901).unwrap()),
            "2026-01-02T03:04:05.678901Z"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..40), text in "\\PC*|[\\x00-\\x7f]*") {
            let mut out = b"{\"x\":1".to_vec();
            payload(&mut out, &bytes);
            out.extend_from_slice(b",\"y\":");
            string(&mut out, &text);
            out.push(b'}');
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(value["y"].as_str(), Some(&*text));
            let back = match value["text"].as_str() {
                Some(text) => text.as_bytes().to_vec(),
                None => STANDARD.decode(value["b64"].as_str().unwrap()).unwrap(),
            };
            prop_assert_eq!(back, bytes);
        }
    }
}
