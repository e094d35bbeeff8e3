//! The framer by itself: whatever the kind of frame, however the bytes are cut on their way.

mod kinds;

use super::chars::part_to_show;
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
