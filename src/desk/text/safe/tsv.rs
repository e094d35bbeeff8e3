//! The odd bytes of a tsv field, by a table: what a tap shows may be anything, and as much as passes.

use super::{first_char, joins_emoji, plain_blocks};
use crate::terminal::is_visible;

/// Each byte in four bytes of room at most.
const CELL: usize = 4;

/// So many bytes are given their room at a time.
const BLOCK: usize = 64;

/// The longest character.
const CHAR_BYTES_MAX: usize = 4;

/// How a byte is spelt that is no part of a longer character, and how long that is.
type Spelling = ([u8; CELL], usize);

static SPELLINGS: [Spelling; 256] = spellings();

const fn spellings() -> [Spelling; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut all = [([0; CELL], 0); 256];
    let mut byte = 0;
    while byte < all.len() {
        all[byte] = match byte as u8 {
            b'\\' => (*b"\\\\\0\0", 2),
            b'\t' => (*b"\\t\0\0", 2),
            b'\n' => (*b"\\n\0\0", 2),
            b'\r' => (*b"\\r\0\0", 2),
            plain @ b' '..=b'~' => ([plain, 0, 0, 0], 1),
            odd => ([b'\\', b'x', DIGITS[(odd >> 4) as usize], DIGITS[(odd & 15) as usize]], CELL),
        };
        byte += 1;
    }
    all
}

/// Room in which bytes are spelt, one after the other.
struct Room<'a> {
    bytes: &'a mut [u8],
    used: usize,
}

impl Room<'_> {
    fn spell(&mut self, byte: u8) {
        let (spelling, length) = SPELLINGS[usize::from(byte)];
        self.bytes[self.used..self.used + CELL].copy_from_slice(&spelling);
        self.used += length;
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.bytes[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }
}

/// Appends `all` from this place on.
#[inline(never)]
pub(super) fn push_odd(out: &mut Vec<u8>, all: &[u8], from: usize) {
    let mut at = from;
    while at < all.len() {
        let plain = plain_blocks::<32, false>(&all[at..]);
        out.extend_from_slice(&all[at..at + plain]);
        at += plain;
        let end = all.len().min(at + BLOCK);
        let begin = out.len();
        // The last character may reach over the end of the block.
        out.resize(begin + CELL * (end - at + CHAR_BYTES_MAX), 0);
        let mut room = Room { bytes: &mut out[begin..], used: 0 };
        while at < end {
            // Of what is no text, few bytes might begin a longer character; whatever cannot is looked up alike, ASCII or
            // not, so that there is nothing to guess wrong.
            let may_begin = matches!(all[at], 0xc2..=0xf4);
            if may_begin && matches!(all.get(at + 1), Some(0x80..=0xbf)) {
                at += push_long(&mut room, all, at);
            } else {
                room.spell(all[at]);
                at += 1;
            }
        }
        let used = room.used;
        out.truncate(begin + used);
    }
}

/// Spells what begins with a byte that is not ASCII; returns how long that is.
fn push_long(room: &mut Room<'_>, all: &[u8], at: usize) -> usize {
    let (length, is_shown) = match first_char(&all[at..]) {
        Ok(char) => (char.len_utf8(), is_visible(char) || joins_emoji(all, at, char, is_visible)),
        Err(wrong) => (wrong.len(), false),
    };
    let bytes = &all[at..at + length];
    if is_shown {
        room.copy(bytes)
    } else {
        bytes.iter().for_each(|byte| room.spell(*byte))
    }
    length
}
