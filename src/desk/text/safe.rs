//! Peers' bytes made fit to be shown. What comes out has no control character (C0, DEL, C1), no
//! invisible or direction-changing one, no line separator, and is valid UTF-8, whatever went in: it
//! cannot move the cursor, talk to the terminal or forge a line. Of the invisible ones only those are kept that
//! hold an emoji together, where they do.
//!
//! Two spellings of what is not shown as it is:
//!
//! - `human`: `\xNN` for a byte, `\u{NNNN}` for a character. A backslash stays as it is, except where
//!   it could be mistaken for the beginning of one of these: there it is doubled.
//! - `tsv`: `\\`, `\t`, `\n`, `\r`, and `\xNN` for each other byte. It parses back exactly.

mod tsv;

use unicode_properties::UnicodeEmoji;

use crate::terminal::is_visible;

/// Appends `bytes` as a person reads them.
pub fn push_human(out: &mut Vec<u8>, bytes: &[u8]) {
    walk(out, bytes, is_visible, |out, odd| escape_human(out, odd, is_visible));
}

/// The same for a terminal that knows ASCII alone: every other character is spelt out.
pub fn push_ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    let is_plain = |char| matches!(char, ' '..='~');
    walk(out, bytes, is_plain, |out, odd| escape_human(out, odd, is_plain));
}

/// Appends `bytes` as the second field of a `tsv` line.
pub fn push_tsv(out: &mut Vec<u8>, bytes: &[u8]) {
    let plain = plain_ascii(bytes);
    out.extend_from_slice(&bytes[..plain]);
    if plain < bytes.len() {
        tsv::push_odd(out, bytes, plain);
    }
}

/// Appends `bytes` in hexadecimal, with blanks between them; for a person with what of them is ASCII behind it.
pub fn push_dump(out: &mut Vec<u8>, bytes: &[u8], with_ascii: bool) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    if with_ascii {
        out.extend_from_slice(b"  |");
        out.extend(bytes.iter().map(|byte| if matches!(byte, b' '..=b'~') { *byte } else { b'.' }));
        out.push(b'|');
    }
}

/// What is not copied as it is.
enum Odd<'a> {
    /// A run of backslashes, and what follows it.
    Backslashes(usize, &'a [u8]),
    /// A character that is not to be shown.
    Hidden(char),
    /// Bytes that are no UTF-8.
    Wrong(&'a [u8]),
}

fn walk(
    out: &mut Vec<u8>,
    all: &[u8],
    shows: impl Fn(char) -> bool + Copy,
    escape: impl Fn(&mut Vec<u8>, Odd<'_>),
) {
    let mut plain = plain_ascii(all);
    let mut bytes = all;
    loop {
        out.extend_from_slice(&bytes[..plain]);
        bytes = &bytes[plain..];
        let Some(&first) = bytes.first() else { return };
        let length = if first == b'\\' {
            let count = bytes.iter().take_while(|byte| **byte == b'\\').count();
            escape(out, Odd::Backslashes(count, &bytes[count..]));
            count
        } else {
            match first_char(bytes) {
                Ok(char) if shows(char) || joins_emoji(all, all.len() - bytes.len(), char, shows) => {
                    out.extend_from_slice(&bytes[..char.len_utf8()]);
                    char.len_utf8()
                }
                Ok(char) => {
                    escape(out, Odd::Hidden(char));
                    char.len_utf8()
                }
                Err(wrong) => {
                    escape(out, Odd::Wrong(wrong));
                    wrong.len()
                }
            }
        };
        bytes = &bytes[length..];
        plain = plain_behind_odd(bytes);
    }
}

fn escape_human(out: &mut Vec<u8>, odd: Odd<'_>, shows: impl Fn(char) -> bool) {
    match odd {
        Odd::Backslashes(count, rest) => {
            let times = if begins_like_escape(rest, shows) { 2 } else { 1 };
            out.resize(out.len() + times * count, b'\\');
        }
        Odd::Hidden(char) if char.is_ascii() => push_hex(out, char as u8),
        Odd::Hidden(char) => out.extend(char.escape_unicode().map(|char| char as u8)),
        Odd::Wrong(bytes) => bytes.iter().for_each(|byte| push_hex(out, *byte)),
    }
}

/// Whether a backslash before this would read, once all is escaped, as the beginning of an escape. What joins
/// emoji joins nothing to a backslash.
fn begins_like_escape(rest: &[u8], shows: impl Fn(char) -> bool) -> bool {
    match rest {
        [b'x', high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        [b'u', b'{', ..] => true,
        [] => false,
        _ => !first_char(rest).is_ok_and(shows),
    }
}

/// How many bytes at the start are printable ASCII other than the backslash.
fn plain_ascii(bytes: &[u8]) -> usize {
    plain::<false>(bytes)
}

/// The same, up to a double quote.
pub(in crate::desk) fn plain_unquoted(bytes: &[u8]) -> usize {
    plain::<true>(bytes)
}

fn plain<const TO_QUOTE: bool>(bytes: &[u8]) -> usize {
    // Most are short, and plain as a whole.
    if is_plain_by_ends::<16, TO_QUOTE>(bytes) || is_plain_by_ends::<8, TO_QUOTE>(bytes) {
        return bytes.len();
    }
    // Longer ones, too, which is found out by wide blocks; the last one overlaps the one
    // before it, so that no byte of such a line is looked at alone.
    let at = plain_blocks::<32, TO_QUOTE>(bytes);
    if bytes.last_chunk::<32>().is_some_and(all_plain::<32, TO_QUOTE>) && bytes.len() - at < 32 {
        return bytes.len();
    }
    let at = at + plain_blocks::<8, TO_QUOTE>(&bytes[at..]);
    at + bytes[at..].iter().take_while(|byte| odd::<TO_QUOTE>(**byte) == 0).count()
}

/// The same where something odd stands before them: mostly more of that follows soon.
fn plain_behind_odd(bytes: &[u8]) -> usize {
    const FEW: usize = 8;
    let few = bytes.iter().take(FEW).take_while(|byte| odd::<false>(**byte) == 0).count();
    if few < FEW { few } else { FEW + plain_ascii(&bytes[FEW..]) }
}

/// Whether two blocks, one from each end, cover the bytes, and all in them are plain.
fn is_plain_by_ends<const SIZE: usize, const TO_QUOTE: bool>(bytes: &[u8]) -> bool {
    let (first, last) = (bytes.first_chunk::<SIZE>(), bytes.last_chunk::<SIZE>());
    let is_plain = |block: Option<&[u8; SIZE]>| block.is_some_and(all_plain::<SIZE, TO_QUOTE>);
    bytes.len() <= 2 * SIZE && is_plain(first) && is_plain(last)
}

/// How many bytes at the start lie in whole blocks of plain ones.
fn plain_blocks<const SIZE: usize, const TO_QUOTE: bool>(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<SIZE>();
    SIZE * blocks.iter().take_while(|block| all_plain::<SIZE, TO_QUOTE>(block)).count()
}

/// One loop without a way out, over bytes: the compiler makes a few wide comparisons of it.
fn all_plain<const SIZE: usize, const TO_QUOTE: bool>(block: &[u8; SIZE]) -> bool {
    block.iter().fold(0, |all, byte| all | odd::<TO_QUOTE>(*byte)) == 0
}

/// 0 for a printable ASCII byte other than the backslash; and, where it is up to a quote, other than that.
fn odd<const TO_QUOTE: bool>(byte: u8) -> u8 {
    u8::from(byte.wrapping_sub(b' ') > b'~' - b' ')
        | u8::from(byte == b'\\')
        | (u8::from(TO_QUOTE) & u8::from(byte == b'"'))
}

/// The character that `bytes` begin with, or the wrong bytes.
fn first_char(bytes: &[u8]) -> Result<char, &[u8]> {
    let length = match bytes.first() {
        None => return Err(bytes),
        Some(byte @ ..0x80) => return Ok(char::from(*byte)),
        // Nothing begins with these.
        Some(..0xc2 | 0xf5..) => return Err(&bytes[..1]),
        Some(..0xe0) => 2,
        Some(..0xf0) => 3,
        Some(_) => 4,
    };
    if length == 2 {
        // Mostly that, and not worth a call.
        return match bytes {
            [first, second @ 0x80..0xc0, ..] => {
                char::from_u32(u32::from(first & 0x1f) << 6 | u32::from(second & 0x3f)).ok_or(bytes)
            }
            _ => Err(&bytes[..1]),
        };
    }
    match bytes.get(..length).map(str::from_utf8) {
        Some(Ok(char)) => char.chars().next().ok_or(bytes),
        _ => wrong_char(bytes),
    }
}

/// What is wrong with the first bytes.
fn wrong_char(bytes: &[u8]) -> Result<char, &[u8]> {
    let window = &bytes[..bytes.len().min(4)];
    match window.utf8_chunks().next() {
        Some(chunk) => match chunk.valid().chars().next() {
            Some(char) => Ok(char),
            None => Err(&bytes[..chunk.invalid().len().max(1)]),
        },
        None => Err(bytes),
    }
}

/// The character that `bytes` end with, if they end with one.
fn last_char(bytes: &[u8]) -> Option<char> {
    let is_continuation = |byte: &&u8| **byte & 0xc0 == 0x80;
    let behind = bytes.iter().rev().take(3).take_while(is_continuation).count();
    let char = first_char(bytes.get(bytes.len().checked_sub(behind + 1)?..)?).ok()?;
    (char.len_utf8() == behind + 1).then_some(char)
}

/// Whether this invisible character, at this place, is part of an emoji: a selector behind one, or behind what
/// becomes a keycap, or a joiner between two (Unicode Technical Standard 51).
fn joins_emoji(all: &[u8], at: usize, char: char, shows: impl Fn(char) -> bool) -> bool {
    const SELECTOR: char = '\u{fe0f}';
    const KEYCAP: char = '\u{20e3}';
    if !matches!(char, '\u{fe0e}' | SELECTOR | '\u{200d}') {
        return false;
    }
    let (before, after) = (&all[..at], &all[at + char.len_utf8()..]);
    let is_emoji = |char: char| !char.is_ascii() && char.is_emoji_char() && shows(char);
    if char == '\u{200d}' {
        // A selector may stand between it and the emoji.
        let before = before.strip_suffix(SELECTOR.encode_utf8(&mut [0; 4]).as_bytes()).unwrap_or(before);
        return last_char(before).is_some_and(is_emoji) && first_char(after).is_ok_and(is_emoji);
    }
    match last_char(before) {
        Some('0'..='9' | '#' | '*') => first_char(after) == Ok(KEYCAP) && shows(KEYCAP),
        before => before.is_some_and(is_emoji),
    }
}

/// Appends `\xNN`.
pub(super) fn push_hex(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn human(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_human(&mut out, bytes);
        String::from_utf8(out).expect("what is shown is UTF-8")
    }

    fn ascii(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_ascii(&mut out, bytes);
        String::from_utf8(out).expect("what is shown is UTF-8")
    }

    fn tsv(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_tsv(&mut out, bytes);
        String::from_utf8(out).expect("what is shown is UTF-8")
    }

    /// What a script does with a tsv field.
    fn parse_tsv(field: &str) -> Vec<u8> {
        let mut bytes = field.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'\\' => match bytes.next() {
                    Some(b't') => b'\t',
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b'x') => {
                        let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    other => other.unwrap(),
                },
                byte => byte,
            });
        }
        out
    }

    /// The human spelling read back: of a run of backslashes before an escape, two stand for one.
    fn parse_human(text: &str) -> Vec<u8> {
        let mut rest = text.as_bytes();
        let mut out = Vec::new();
        while let Some(&byte) = rest.first() {
            let count = rest.iter().take_while(|byte| **byte == b'\\').count();
            let after = &rest[count..];
            let is_hex = matches!(after, [b'x', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
            let is_char = after.starts_with(b"u{");
            if count == 0 {
                out.push(byte);
                rest = &rest[1..];
            } else if !is_hex && !is_char {
                out.resize(out.len() + count, b'\\');
                rest = after;
            } else {
                out.resize(out.len() + count / 2, b'\\');
                rest = after;
                if count % 2 == 1 && is_hex {
                    out.push(u8::from_str_radix(std::str::from_utf8(&after[1..3]).unwrap(), 16).unwrap());
                    rest = &after[3..];
                } else if count % 2 == 1 {
                    let end = after.iter().position(|byte| *byte == b'}').unwrap();
                    let code = u32::from_str_radix(std::str::from_utf8(&after[2..end]).unwrap(), 16).unwrap();
                    out.extend(char::from_u32(code).unwrap().encode_utf8(&mut [0; 4]).bytes());
                    rest = &after[end + 1..];
                }
            }
        }
        out
    }

    #[test]
    fn text_is_visible_as_it_is() {
        for text in
            ["hello", "C:\\temp\\new", "你好，世界", "naïve — “quoted” ☕", "e\u{301}", "{\"a\":\"\\u0041\"}"]
        {
            assert_eq!(human(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_would_reach_the_terminal_is_spelt_out() {
        for (bytes, shown) in [
            (&b"\x1b]0;title\x07"[..], "\\x1b]0;title\\x07"),
            (b"a\tb\r", "a\\x09b\\x0d"),
            (b"\x9b31m", "\\x9b31m"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("\u{202e}evil".as_bytes(), "\\u{202e}evil"),
            ("a\u{200b}b\u{2028}".as_bytes(), "a\\u{200b}b\\u{2028}"),
            (b"\xe4\xbd", "\\xe4\\xbd"),
            (b"\\x1b and \\\x1b", "\\\\x1b and \\\\\\x1b"),
        ] {
            assert_eq!(human(bytes), shown);
        }
    }

    #[test]
    fn characters_of_which_nothing_is_seen_are_spelt_out() {
        let unseen = "\u{34f}\u{115f}\u{1160}\u{17b4}\u{180b}\u{180f}\u{2800}\u{3164}\u{fe00}\u{fe0f}\u{ffa0}\
                      \u{200d}\u{e000}\u{f8ff}\u{100000}\u{e0041}\u{e0100}";
        for char in unseen.chars() {
            let spelt = format!("\\u{{{:x}}}", u32::from(char));
            for before in ["a", "1", "你", "\\ ", "\u{2067}", ""] {
                let text = format!("{before}{char}b");
                assert!(human(text.as_bytes()).ends_with(&format!("{spelt}b")), "{text:?}");
                assert!(!tsv(text.as_bytes()).contains(char), "{text:?}");
                assert_eq!(parse_tsv(&tsv(text.as_bytes())), text.as_bytes());
            }
        }
    }

    #[test]
    fn what_holds_an_emoji_together_is_kept_there_and_nowhere_else() {
        for whole in [
            "❤\u{fe0f}",
            "☎\u{fe0e}",
            "1\u{fe0f}\u{20e3}",
            "👩\u{200d}🚀",
            "🏳\u{fe0f}\u{200d}🌈",
            "🕵🏽\u{200d}♂\u{fe0f}",
        ] {
            assert_eq!((human(whole.as_bytes()), tsv(whole.as_bytes())), (whole.into(), whole.into()));
        }
        for (text, shown) in [
            ("❤\u{fe0f}\u{fe0f}", "❤\u{fe0f}\\u{fe0f}"),
            ("1\u{fe0f}", "1\\u{fe0f}"),
            ("👩\u{200d}", "👩\\u{200d}"),
            ("👩\u{200d}a", "👩\\u{200d}a"),
            ("a\u{200d}👩", "a\\u{200d}👩"),
            ("👩\u{200d}\u{200d}👩", "👩\\u{200d}\\u{200d}👩"),
            ("你\u{fe0f}", "你\\u{fe0f}"),
        ] {
            assert_eq!(human(text.as_bytes()), shown);
        }
        assert_eq!(human(b"\x9d\xa4\xef\xb8\x8f"), "\\x9d\\xa4\\u{fe0f}", "no emoji without its first byte");
    }

    #[test]
    fn for_a_terminal_of_ascii_alone_all_else_is_spelt_out() {
        for (text, shown) in [
            ("plain ~ \\n", "plain ~ \\n"),
            ("你好 é", "\\u{4f60}\\u{597d} \\u{e9}"),
            ("❤\u{fe0f}", "\\u{2764}\\u{fe0f}"),
            ("1\u{fe0f}\u{20e3}", "1\\u{fe0f}\\u{20e3}"),
            ("\\é", "\\\\\\u{e9}"),
        ] {
            assert_eq!(ascii(text.as_bytes()), shown);
        }
        assert_eq!(ascii(b"\x1b\xff"), "\\x1b\\xff");
    }

    #[test]
    fn tsv_has_the_escapes_that_scripts_know() {
        assert_eq!(tsv(b"a\tb\\c\r\n\x00\xff"), "a\\tb\\\\c\\r\\n\\x00\\xff");
        assert_eq!(tsv("你好".as_bytes()), "你好");
    }

    fn is_safe(text: &str) -> bool {
        let joins = |char| matches!(char, '\u{fe0e}' | '\u{fe0f}' | '\u{200d}');
        text.chars().all(|char| !char.is_control() && (is_visible(char) || joins(char)))
    }

    #[test]
    fn every_sequence_of_up_to_three_special_bytes_is_safe() {
        // The bytes at which the classes of UTF-8 change; all others behave like a neighbour.
        let bytes: &[u8] = b"\x00\x0a\x1b\x20\x5c\x7e\x7f\x80\x8f\x90\x9b\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xe2\xed\xef\xf0\xf4\xf5\xff";
        for a in bytes {
            for b in bytes {
                for c in bytes {
                    let input = [*a, *b, *c];
                    assert!(is_safe(&human(&input)) && is_safe(&tsv(&input)), "{input:x?}");
                    assert_eq!(parse_human(&human(&input)), input, "{input:x?}");
                    assert_eq!(parse_tsv(&tsv(&input)), input, "{input:x?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_safe_and_parses_back(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            "[\\\\xu{}0-9a-f\u{1b}\u{202e}你]{0,40}".prop_map(String::into_bytes),
            "[\\\\1👩❤🏽\u{fe0e}\u{fe0f}\u{200d}\u{20e3}]{0,20}".prop_map(String::into_bytes),
            ".{0,40}".prop_map(String::into_bytes),
        ]) {
            prop_assert!(is_safe(&human(&bytes)) && is_safe(&tsv(&bytes)));
            prop_assert!(ascii(&bytes).bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(parse_human(&ascii(&bytes)), bytes.clone());
            prop_assert_eq!(parse_tsv(&tsv(&bytes)), bytes.clone());
            prop_assert_eq!(parse_human(&human(&bytes)), bytes);
        }
    }
}
