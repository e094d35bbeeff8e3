//! A message as bytes: rows of an offset, up to 16 bytes and what of them is ASCII.

use std::fmt::Write;

/// What such a row takes beside its bytes: the indent, the offset, the direction, the frame around the text.
const ROW_COLUMNS: usize = 4 + 8 + 3 + 4;

/// Each byte takes two digits, a blank and a letter.
const BYTE_COLUMNS: usize = 4;

/// Which way the bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A peer said them.
    From,
    /// They were sent to it.
    To,
}

/// The rows of a message, on a terminal of so many columns.
pub fn rows(bytes: &[u8], direction: Direction, columns: usize) -> Vec<String> {
    // One more for the gap in the middle of each part.
    let in_row = if columns >= ROW_COLUMNS + 16 * BYTE_COLUMNS + 2 { 16 } else { 8 };
    let mark = if direction == Direction::From { '>' } else { '<' };
    let row = |(at, bytes): (usize, &[u8])| {
        let (mut digits, mut text) = (String::new(), String::new());
        for place in 0..in_row {
            let gap = if place == 8 { " " } else { "" };
            // Writing to a String cannot fail.
            let _ = match bytes.get(place) {
                Some(byte) => write!(digits, "{gap} {byte:02x}"),
                None => write!(digits, "{gap}   "),
            };
            match bytes.get(place) {
                Some(byte @ b' '..=b'~') => text.push(char::from(*byte)),
                Some(_) => text.push('.'),
                None => text.push(' '),
            }
        }
        format!("    {:08x} {mark}{digits}  |{text}|", at * in_row)
    };
    bytes.chunks(in_row).enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bytes_stand_in_a_row_where_they_fit_and_eight_where_not() {
        let bytes = b"hello world\r\n\x00\xff~!";

        assert_eq!(
            rows(bytes, Direction::From, 120),
            [
                "    00000000 > 68 65 6c 6c 6f 20 77 6f  72 6c 64 0d 0a 00 ff 7e  |hello world....~|",
                "    00000010 > 21                                                |!               |",
            ]
        );
        assert_eq!(
            rows(b"0123456789", Direction::To, 60),
            [
                "    00000000 < 30 31 32 33 34 35 36 37  |01234567|",
                "    00000008 < 38 39                    |89      |"
            ]
        );
    }
}
