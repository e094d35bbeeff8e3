//! How bytes are typed: in hexadecimal, or as text with escapes.

use std::borrow::Cow;

use super::safe::push_hex;
use crate::terminal::is_visible;

/// Reads `01 03 ff`, `0103ff`, `0x01,0x03` or `01:03:ff`: pairs of digits, with blanks, colons or commas between bytes
/// and `0x` in front of them. A single digit that stands alone is a byte, too.
///
/// # Errors
/// What is no hexadecimal, from there on.
pub fn from_hex(mut text: &[u8]) -> Result<Cow<'_, [u8]>, &[u8]> {
    let mut out = Vec::with_capacity(text.len() / 2);
    loop {
        let gap = text.iter().take_while(|byte| b" \t\r:,".contains(byte)).count();
        text = &text[gap..];
        if text.is_empty() {
            return if out.is_empty() { Err(text) } else { Ok(Cow::Owned(out)) };
        }
        let word = &text[..text.iter().take_while(|byte| !b" \t\r:,".contains(byte)).count()];
        let digits = word.strip_prefix(b"0x").or_else(|| word.strip_prefix(b"0X")).unwrap_or(word);
        match digits {
            [one] => out.push(digit(*one).ok_or(text)?),
            pairs if !pairs.is_empty() && pairs.len() % 2 == 0 => {
                for pair in pairs.chunks_exact(2) {
                    let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or(text)?;
                    out.push(high << 4 | low);
                }
            }
            _ => return Err(text),
        }
        text = &text[word.len()..];
    }
}

/// Reads text with `\r \n \t \0 \\ \xNN` in it; everything else stands for itself.
///
/// # Errors
/// The escape that is none, from there on.
pub fn from_escapes(text: &[u8]) -> Result<Cow<'_, [u8]>, &[u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else { return Ok(Cow::Borrowed(text)) };
    let mut out = text[..first].to_vec();
    let mut rest = &text[first..];
    while let [byte, after @ ..] = rest {
        if *byte != b'\\' {
            out.push(*byte);
            rest = after;
            continue;
        }
        let (byte, length) = escape_of(rest).ok_or(rest)?;
        out.push(byte);
        rest = &rest[length..];
    }
    Ok(Cow::Owned(out))
}

/// The byte that the escape at the beginning of this stands for, and how long the escape is.
pub fn escape_of(text: &[u8]) -> Option<(u8, usize)> {
    Some(match text.strip_prefix(b"\\")? {
        [b'r', ..] => (b'\r', 2),
        [b'n', ..] => (b'\n', 2),
        [b't', ..] => (b'\t', 2),
        [b'0', ..] => (0, 2),
        [b'\\', ..] => (b'\\', 2),
        [b'x', high, low, ..] => (digit(*high)? << 4 | digit(*low)?, 4),
        _ => return None,
    })
}

/// Appends bytes so that `from_escapes` reads them back, on one line: what is seen as it is, all else as an escape.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let spelt = char.encode_utf8(&mut buffer);
            match char {
                '\\' => out.extend_from_slice(b"\\\\"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\t' => out.extend_from_slice(b"\\t"),
                char if is_visible(char) => out.extend_from_slice(spelt.as_bytes()),
                _ => spelt.bytes().for_each(|byte| push_hex(out, byte)),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_hex(out, *byte));
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_however_they_are_spaced() {
        for text in
            ["01 03 ff", "0103ff", "0x01 0x03 0xFF", "01:03:ff", "0x0103FF", "1,3, ff", "  01 03\tff "]
        {
            assert_eq!(from_hex(text.as_bytes()).as_deref(), Ok(&[1, 3, 255][..]), "{text:?}");
        }
        for (text, wrong) in
            [("", ""), ("01 0", "0"), ("123", "123"), ("01 xy", "xy"), ("0x", "0x"), ("é", "é")]
        {
            if text == "01 0" {
                assert_eq!(from_hex(text.as_bytes()).as_deref(), Ok(&[1, 0][..]));
                continue;
            }
            assert_eq!(from_hex(text.as_bytes()).map_err(<[u8]>::to_vec), Err(wrong.as_bytes().to_vec()));
        }
    }

    #[test]
    fn escapes_are_read_and_what_is_none_is_refused() {
        for (text, bytes) in [
            ("plain", &b"plain"[..]),
            (r"a\r\n\x00", b"a\r\n\0"),
            (r"\t\0\\\x7F", b"\t\0\\\x7f"),
            ("你\\x80", "你".as_bytes()),
        ] {
            let read = from_escapes(text.as_bytes()).unwrap();
            assert!(read.starts_with(bytes), "{text:?}: {read:x?}");
        }
        for (text, wrong) in [(r"a\q", r"\q"), (r"\x1", r"\x1"), (r"\xg0", r"\xg0"), ("a\\", "\\")] {
            assert_eq!(from_escapes(text.as_bytes()).map_err(<[u8]>::to_vec), Err(wrong.as_bytes().to_vec()));
        }
    }
}
