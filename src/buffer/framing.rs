//! Bytes to frames. Knows nothing of connections: it is given the unfinished tail of what came before
//! and the fresh bytes, and leaves the new tail.
//!
//! A byte is looked at once, however a line is cut up on its way here, and a frame that lies whole
//! within the fresh bytes is not copied.

use memchr::memchr;

/// How the bytes of a connection become frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A frame is a line, without its `\n`. A `\r` before it belongs to the line.
    Lines,
    /// A frame is what one read brought.
    Raw,
    /// The same, for an App that does nothing with a frame but send it back to where it came from. Where much comes
    /// at a time, the engine does that by itself, for less, and `App::received` is not called.
    Echo,
}

/// What ended a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A `\n`, which is not part of the frame's bytes.
    Newline,
    /// The line is longer than a line may be; it goes on in the next frame.
    Limit,
    /// No line ending came, and nothing else for a while.
    Silence,
    /// No line ending came before the peer finished or the connection broke.
    Gone,
    /// The framing is raw: this is what one read brought.
    Read,
}

/// A piece of what a peer said. Its bytes are borrowed: copy what must outlive the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The bytes, without the line ending.
    pub bytes: &'a [u8],
    /// Why the frame ends here.
    pub end: End,
}

impl Frame<'_> {
    /// How many of the bytes that were received it stands for: its own, and the newline that ended it.
    pub fn received_bytes(&self) -> usize {
        self.bytes.len() + usize::from(self.end == End::Newline)
    }

    /// Whether this is a part of a line only, or bytes without lines.
    pub fn is_part(&self) -> bool {
        self.end != End::Newline
    }
}

/// Cuts `tail` followed by `fresh` into lines for `emit` and leaves the unfinished rest in `tail`.
///
/// No line handed out and no tail left behind is longer than `line_bytes_max`; where a longer line is
/// cut, it is cut between characters.
pub fn cut_lines(tail: &mut Vec<u8>, fresh: &[u8], line_bytes_max: usize, mut emit: impl FnMut(Frame<'_>)) {
    cut_lines_while(tail, fresh, line_bytes_max, |frame| {
        emit(frame);
        true
    });
}

/// The same until `emit` says `false` behind a whole line. Returns how many of the fresh bytes were used; there is no
/// tail where some were not.
pub(crate) fn cut_lines_while(
    tail: &mut Vec<u8>,
    fresh: &[u8],
    line_bytes_max: usize,
    mut emit: impl FnMut(Frame<'_>) -> bool,
) -> usize {
    let mut used = 0;
    if !tail.is_empty() {
        let line_end = memchr(b'\n', fresh);
        let rest_of_line = &fresh[..line_end.unwrap_or(fresh.len())];
        extend_within(tail, rest_of_line, line_bytes_max, &mut |part: Frame<'_>| {
            emit(part);
        });
        let Some(line_end) = line_end else { return fresh.len() };
        used = line_end + 1;
        let goes_on = emit(Frame { bytes: tail, end: End::Newline });
        tail.clear();
        if !goes_on {
            return used;
        }
    }
    while let Some(line_end) = memchr(b'\n', &fresh[used..]) {
        let line = &fresh[used..used + line_end];
        let last = cut_long(line, line_bytes_max, &mut |part: Frame<'_>| {
            emit(part);
        });
        used += line_end + 1;
        if !emit(Frame { bytes: last, end: End::Newline }) {
            return used;
        }
    }
    let rest = cut_long(&fresh[used..], line_bytes_max, &mut |part: Frame<'_>| {
        emit(part);
    });
    tail.extend_from_slice(rest);
    fresh.len()
}

/// Appends to a tail, handing out whatever would make it too long.
fn extend_within(
    tail: &mut Vec<u8>,
    mut more: &[u8],
    line_bytes_max: usize,
    emit: &mut impl FnMut(Frame<'_>),
) {
    while tail.len() + more.len() > line_bytes_max {
        let (now, later) = more.split_at(line_bytes_max.saturating_sub(tail.len()));
        tail.extend_from_slice(now);
        let cut = place_to_cut(tail);
        emit(Frame { bytes: &tail[..cut], end: End::Limit });
        tail.drain(..cut);
        more = later;
    }
    tail.extend_from_slice(more);
}

/// Hands out what of `line` is over the limit; returns the rest.
fn cut_long<'a>(mut line: &'a [u8], line_bytes_max: usize, emit: &mut impl FnMut(Frame<'_>)) -> &'a [u8] {
    while line.len() > line_bytes_max {
        let cut = place_to_cut(&line[..line_bytes_max]);
        emit(Frame { bytes: &line[..cut], end: End::Limit });
        line = &line[cut..];
    }
    line
}

/// Where to cut bytes that must be cut: before an unfinished character, if something is left then.
fn place_to_cut(bytes: &[u8]) -> usize {
    match whole_chars(bytes) {
        0 => bytes.len(),
        whole => whole,
    }
}

/// The length of `bytes` without a UTF-8 character at its end that has begun and may still be
/// completed by what follows. Bytes that are no UTF-8 anyway count as whole.
pub fn whole_chars(bytes: &[u8]) -> usize {
    let last_three = bytes.iter().enumerate().rev().take(3);
    for (at, &byte) in last_three {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => break,
        };
        let unfinished = bytes.len() - at < length
            // A prefix that no byte could complete (such as e0 80) is not unfinished but wrong.
            && std::str::from_utf8(&bytes[at..]).is_err_and(|error| error.error_len().is_none());
        return if unfinished { at } else { bytes.len() };
    }
    bytes.len()
}

/// How much of a message without an ending is shown when that has to be: all but a character that has only begun,
/// which the next bytes may complete. Where what comes before it is no text, the last byte is no character either (the
/// checksum of a Modbus frame often looks like the beginning of one); where nothing comes before it, it has had its
/// longer wait.
pub(crate) fn part_to_show(part: &[u8]) -> usize {
    match whole_chars(part) {
        0 => part.len(),
        whole if is_text(&part[..whole]) => whole,
        _ => part.len(),
    }
}

/// Whether these bytes are UTF-8, and hold no control characters but those that terminals and their users send.
fn is_text(bytes: &[u8]) -> bool {
    const OF_TERMINALS: [u8; 5] = [0x07, 0x08, b'\t', b'\r', 0x1b];
    let is_control = |byte: &u8| (*byte < 0x20 && !OF_TERMINALS.contains(byte)) || *byte == 0x7f;
    std::str::from_utf8(bytes).is_ok() && !bytes.iter().any(is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds the pieces one after another; returns the frames and the tail.
    fn frames(pieces: &[&[u8]], line_bytes_max: usize) -> (Vec<(Vec<u8>, End)>, Vec<u8>) {
        let (mut tail, mut out) = (Vec::new(), Vec::new());
        for piece in pieces {
            cut_lines(&mut tail, piece, line_bytes_max, |frame| out.push((frame.bytes.to_vec(), frame.end)));
            assert!(tail.len() <= line_bytes_max);
        }
        (out, tail)
    }

    #[test]
    fn lines_are_found_wherever_the_reads_were_cut() {
        let (out, tail) = frames(&[b"he", b"llo\nwor", b"ld\n\n", b"rest"], 100);
        let lines: Vec<_> = out.iter().map(|(bytes, _)| bytes.as_slice()).collect();
        assert_eq!(lines, [&b"hello"[..], b"world", b""]);
        assert_eq!(tail, b"rest");
    }

    #[test]
    fn a_long_line_comes_in_parts_cut_between_characters() {
        let (out, tail) = frames(&["12你4567\nx".as_bytes()], 4);
        assert_eq!(
            out,
            [(b"12".to_vec(), End::Limit), ("你4".into(), End::Limit), (b"567".to_vec(), End::Newline),]
        );
        assert_eq!(tail, b"x");
    }

    #[test]
    fn whole_chars_holds_back_only_what_can_become_a_character() {
        for (bytes, whole) in [
            (&b"abc"[..], 3),
            ("你".as_bytes(), 3),
            (b"a\xe4\xbd", 1),
            (b"a\xe4", 1),
            (b"a\xf0\x9f\x98", 1),
            (b"a\xe0\x80", 3),
            (b"a\xff", 2),
            (b"\x80\x80\x80\x80", 4),
            (b"\xed\xa0", 2),
            (b"", 0),
        ] {
            assert_eq!(whole_chars(bytes), whole, "{bytes:x?}");
        }
    }

    #[test]
    fn a_part_is_shown_without_the_beginning_of_a_character_unless_it_is_no_text() {
        for (part, shown) in [
            (&b"abc"[..], 3),
            (b"a\xe4\xbd", 1),
            (b"\x1b[1mtemp\xc2", 8),
            (b"\xe4\xbd", 2),
            // Modbus: read two registers, and an answer whose checksum ends like a character begins.
            (b"\x01\x03\x00\x00\x00\x02\xc4\x0b", 8),
            (b"\x01\x03\x04\x00\x00\x00\x2a\x7b\xcd", 9),
            (b"\xff\xfe\xc4", 3),
        ] {
            assert_eq!(part_to_show(part), shown, "{part:x?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_cuts_do_not_matter(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0xe4), Just(0xbd), Just(0xa0)], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..8),
            line_bytes_max in 4usize..40,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (out, tail) = frames(&pieces, line_bytes_max);
            let mut back = Vec::new();
            for (frame, end) in &out {
                prop_assert!(frame.len() <= line_bytes_max);
                back.extend_from_slice(frame);
                if *end == End::Newline {
                    back.push(b'\n');
                }
            }
            back.extend_from_slice(&tail);
            prop_assert_eq!(&back, &bytes);
            prop_assert_eq!(out, frames(&[&bytes], line_bytes_max).0);
        }
    }
}
