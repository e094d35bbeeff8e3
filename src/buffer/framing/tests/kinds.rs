//! Frames of every kind: each is held against a reference that looks at one byte after the other, knows no limit and
//! has all of it at once.

use super::*;

type Frames = Vec<(Vec<u8>, End)>;

const SILENCE: Framing = Framing::Silence(Duration::from_secs(1));

fn length(bytes: LengthBytes, little_endian: bool) -> Framing {
    Framing::Length { bytes, little_endian }
}

/// Every kind that is cut.
fn kinds() -> [Framing; 12] {
    [
        Framing::Lines,
        Framing::Delimited(Delimiter::Cr),
        Framing::Delimited(Delimiter::Nul),
        Framing::Delimited(Delimiter::CrLf),
        Framing::StxEtx,
        length(LengthBytes::One, false),
        length(LengthBytes::One, true),
        length(LengthBytes::Two, false),
        length(LengthBytes::Two, true),
        length(LengthBytes::Four, false),
        length(LengthBytes::Four, true),
        SILENCE,
    ]
}

fn any_kind() -> impl Strategy<Value = Framing> {
    (0..kinds().len()).prop_map(|at| kinds()[at])
}

/// Bytes that mean something to one kind or another, in any order.
fn telling_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b'\n'),
        Just(b'\r'),
        Just(0),
        Just(1),
        Just(enclosed::STX),
        Just(enclosed::ETX),
        Just(9),
        Just(b'a'),
        Just(0xe4),
        Just(0xbd),
        Just(0xa0)
    ];
    proptest::collection::vec(byte, 0..200)
}

/// How a whole frame of this kind ends.
fn whole(framing: Framing) -> End {
    match framing {
        Framing::Lines => End::Newline,
        Framing::Delimited(Delimiter::Cr | Delimiter::Nul) => End::Framed(1),
        Framing::Delimited(Delimiter::CrLf) | Framing::StxEtx => End::Framed(2),
        Framing::Length { bytes, .. } => End::Framed(bytes.count() as u8),
        Framing::Raw | Framing::Echo | Framing::Silence(_) => End::Read,
    }
}

/// What is said in these bytes, and what has no end.
fn reference(framing: Framing, mut bytes: &[u8]) -> (Frames, Vec<u8>) {
    let mut out = Vec::new();
    let find = |bytes: &[u8], mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark);
    loop {
        let mark: &[u8] = match framing {
            Framing::Lines => b"\n",
            Framing::Delimited(Delimiter::Cr) => b"\r",
            Framing::Delimited(Delimiter::Nul) => b"\0",
            Framing::Delimited(Delimiter::CrLf) => b"\r\n",
            Framing::StxEtx if bytes.starts_with(b"\x02") => {
                let Some(end) = find(bytes, b"\x03") else { return (out, bytes[1..].to_vec()) };
                out.push((bytes[1..end].to_vec(), End::Framed(2)));
                bytes = &bytes[end + 1..];
                continue;
            }
            Framing::StxEtx => {
                let Some(end) = find(bytes, b"\x02") else { return (out, bytes.to_vec()) };
                out.push((bytes[..end].to_vec(), End::Silence));
                bytes = &bytes[end..];
                continue;
            }
            Framing::Length { bytes: length, little_endian } => {
                let head = length.count();
                if bytes.len() < head {
                    return (out, bytes.to_vec());
                }
                let mut digits = bytes[..head].to_vec();
                if little_endian {
                    digits.reverse();
                }
                let said = digits.iter().fold(0, |sum, digit| sum * 256 + usize::from(*digit));
                if bytes.len() < head + said {
                    return (out, bytes[head..].to_vec());
                }
                out.push((bytes[head..head + said].to_vec(), whole(framing)));
                bytes = &bytes[head + said..];
                continue;
            }
            Framing::Raw | Framing::Echo | Framing::Silence(_) => return (out, bytes.to_vec()),
        };
        let Some(end) = find(bytes, mark) else { return (out, bytes.to_vec()) };
        out.push((bytes[..end].to_vec(), whole(framing)));
        bytes = &bytes[end + mark.len()..];
    }
}

/// Cuts the pieces one after another; returns the frames and the tail.
fn cut(framing: Framing, pieces: &[&[u8]], bytes_max: usize) -> (Frames, Vec<u8>) {
    let (mut tail, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        cut_frames(framing, &mut tail, piece, bytes_max, |frame| {
            assert!(frame.bytes.len() <= bytes_max, "{framing:?}: {frame:?}");
            out.push((frame.bytes.to_vec(), frame.end));
        });
        assert!(tail.len() <= bytes_max + FRAMING_BYTES_MAX, "{framing:?}: {tail:?}");
    }
    (out, tail)
}

/// Puts the parts of long messages together again; what follows the last part is returned beside them.
fn joined(frames: Frames) -> (Frames, Vec<u8>) {
    let (mut out, mut begun) = (Vec::new(), Vec::new());
    for (bytes, end) in frames {
        begun.extend(bytes);
        if end != End::Limit {
            out.push((mem::take(&mut begun), end));
        }
    }
    (out, begun)
}

fn in_envelope(framing: Framing, message: &[u8]) -> Vec<u8> {
    let (before, behind) = framing.envelope().around(message.len()).expect("it is short enough");
    [&before[..], message, behind].concat()
}

fn pieces_of(bytes: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
    cuts.iter_mut().for_each(|at| *at = (*at).min(bytes.len()));
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

#[test]
fn what_goes_out_in_an_envelope_comes_in_whole_and_once_wherever_two_cuts_are_made() {
    let messages: [&[u8]; 7] = [b"one", b"", b"two\tx", "你好".as_bytes(), b"\x7f", b"", b"last"];
    for framing in kinds().into_iter().filter(|framing| framing.envelope() != Envelope::None) {
        let bytes = messages.map(|message| in_envelope(framing, message)).concat();
        let expected = messages.map(|message| (message.to_vec(), whole(framing)));
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let (frames, tail) = cut(framing, &pieces, 20);
                assert_eq!((&frames[..], &tail[..]), (&expected[..], &b""[..]), "{framing:?}: {pieces:?}");
            }
        }
    }
}

#[test]
fn half_of_a_delimiter_belongs_to_the_message_wherever_it_is_cut() {
    let framing = Framing::Delimited(Delimiter::CrLf);
    let bytes = b"\ra\nb\r\r\n\n\r\n\r";
    for cut_at in 0..=bytes.len() {
        let (frames, tail) = cut(framing, &[&bytes[..cut_at], &bytes[cut_at..]], 20);

        let whole = [(b"\ra\nb\r".to_vec(), End::Framed(2)), (b"\n".to_vec(), End::Framed(2))];
        assert_eq!((&frames[..], &tail[..]), (&whole[..], &b"\r"[..]), "cut at {cut_at}");
    }
}

#[test]
fn a_message_that_is_as_long_as_it_may_be_is_whole_whatever_frames_it() {
    for framing in kinds().into_iter().filter(|framing| framing.envelope() != Envelope::None) {
        for size in 16..=19 {
            let bytes = in_envelope(framing, &vec![b'x'; size]);
            for read in 1..=bytes.len() {
                let pieces: Vec<_> = bytes.chunks(read).collect();
                let (frames, tail) = cut(framing, &pieces, 16);

                let sizes: Vec<_> = frames.iter().map(|(bytes, end)| (bytes.len(), *end)).collect();
                let expected = match size {
                    16 => vec![(16, whole(framing))],
                    _ => vec![(16, End::Limit), (size - 16, whole(framing))],
                };
                assert_eq!((sizes, tail.len()), (expected, 0), "{framing:?}, {size} in reads of {read}");
            }
        }
    }
}

#[test]
fn parts_of_text_are_cut_between_characters_and_parts_of_what_is_counted_or_timed_where_they_are_full() {
    let text = "12你4567".as_bytes();
    for framing in kinds() {
        let parts: &[&[u8]] = match framing {
            Framing::Length { .. } | Framing::Silence(_) => &[b"12\xe4\xbd", b"\xa0456"],
            _ => &[b"12", "你4".as_bytes()],
        };
        let bytes = in_envelope(framing, text);
        for cut_at in 0..=bytes.len() {
            let (frames, _) = cut(framing, &[&bytes[..cut_at], &bytes[cut_at..]], 4);
            let limits = frames.iter().filter(|(_, end)| *end == End::Limit);
            let limits: Vec<_> = limits.map(|(bytes, _)| bytes.as_slice()).collect();
            assert_eq!(limits, parts, "{framing:?} cut at {cut_at}");
        }
    }
}

#[test]
fn what_lies_whole_within_a_read_is_not_copied() {
    for framing in kinds().into_iter().filter(|framing| framing.envelope() != Envelope::None) {
        let bytes = in_envelope(framing, b"message").repeat(3);
        let inside = bytes.as_ptr_range();
        let mut tail = Vec::new();
        cut_frames(framing, &mut tail, &bytes, 16, |frame| {
            assert!(inside.contains(&frame.bytes.as_ptr()), "{framing:?}: {frame:?}");
        });
        assert_eq!(tail.capacity(), 0, "{framing:?}");
    }
}

/// Where the work for each byte grew with what is there, this would take minutes.
#[test]
fn a_long_message_that_comes_by_the_byte_is_linear_work() {
    const BYTES: usize = 1 << 18;
    for framing in kinds() {
        let filler = if framing == Framing::Delimited(Delimiter::CrLf) { b'\n' } else { b'x' };
        let mut tail = match framing {
            Framing::StxEtx => vec![enclosed::STX],
            Framing::Length { bytes, .. } => vec![0xff; bytes.count()],
            _ => Vec::new(),
        };
        if matches!(framing, Framing::Lines) {
            tail.push(b'x');
        }
        let (mut parts, filler) = (0, [filler]);
        for _ in 0..BYTES {
            let fresh: &[u8] = if matches!(framing, Framing::Lines) { b"x" } else { &filler };
            cut_frames(framing, &mut tail, fresh, BYTES - 1, |_| parts += 1);
        }
        let kept = tail.len();
        let is_counted_out = matches!(framing, Framing::Length { bytes, .. } if bytes != LengthBytes::Four);
        assert!(is_counted_out || parts == 1, "{framing:?}: {parts} parts, {kept} kept");
    }
}

#[test]
fn what_frames_a_message_is_not_shown_and_goes_on_framing_it() {
    let cr_lf = Framing::Delimited(Delimiter::CrLf);
    let two = length(LengthBytes::Two, false);
    let little = length(LengthBytes::Four, true);
    for (framing, tail, shown, left) in [
        (Framing::Lines, &b"login: "[..], &b"login: "[..], &b""[..]),
        (Framing::Lines, b"a\xe4", b"a", b"\xe4"),
        (cr_lf, b"login: ", b"login: ", b""),
        (cr_lf, b"abc\r", b"abc", b"\r"),
        (cr_lf, b"\r", b"", b"\r"),
        (Framing::StxEtx, b"\x05", b"\x05", b""),
        (Framing::StxEtx, b"\x02", b"", b"\x02"),
        (Framing::StxEtx, b"\x02abc", b"abc", b"\x02"),
        (Framing::StxEtx, b"\x02a\xe4", b"a", b"\x02\xe4"),
        (two, b"\x01", b"", b"\x01"),
        (two, b"\x01\x04", b"", b"\x01\x04"),
        (two, b"\x01\x04abcdef", b"abcdef", b"\x00\xfe"),
        (two, b"\x01\x04a\xe4", b"a\xe4", b"\x01\x02"),
        (little, b"\x04\x01\0\0abcdef", b"abcdef", b"\xfe\0\0\0"),
        (SILENCE, b"a\xe4", b"a\xe4", b""),
    ] {
        let mut rest = tail.to_vec();
        assert_eq!(framing.begun(tail).is_empty(), shown.is_empty(), "{framing:?}: {tail:x?}");

        let part = framing.take_part(&mut rest);

        assert_eq!((&part[..], &rest[..]), (shown, left), "{framing:?}: {tail:x?}");
    }
}

#[test]
fn of_what_has_no_end_all_is_told_but_what_framed_it() {
    let two = length(LengthBytes::Two, false);
    for (framing, tail, told, left_out) in [
        (Framing::Lines, &b"abc"[..], &b"abc"[..], 0),
        (Framing::Delimited(Delimiter::CrLf), b"abc\r", b"abc\r", 0),
        (Framing::StxEtx, b"\x05", b"\x05", 0),
        (Framing::StxEtx, b"\x02", b"", 1),
        (Framing::StxEtx, b"\x02abc", b"abc", 1),
        (two, b"\x01", b"\x01", 0),
        (two, b"\x01\x04", b"", 2),
        (two, b"\x01\x04abc", b"abc", 2),
        (SILENCE, b"abc", b"abc", 0),
    ] {
        assert_eq!(framing.unended(tail), (told, left_out), "{framing:?}: {tail:x?}");
    }
}

#[test]
fn only_what_no_byte_will_end_is_shown_by_silence_alone() {
    for framing in kinds() {
        let begun = [&framing.envelope().around(9).unwrap().0[..], b"abc"].concat();
        let expected = framing != SILENCE;
        assert_eq!(framing.has_end_to_come(&begun), expected, "{framing:?}");
    }
    assert!(!Framing::StxEtx.has_end_to_come(b"\x06"), "nothing ends an ACK");
}

#[test]
fn a_message_that_its_length_cannot_tell_is_refused_with_the_most_that_fits() {
    for (bytes, bytes_max) in
        [(LengthBytes::One, 255), (LengthBytes::Two, 65_535), (LengthBytes::Four, u32::MAX as usize)]
    {
        for little_endian in [false, true] {
            let envelope = length(bytes, little_endian).envelope();
            let (before, behind) = envelope.around(bytes_max).expect("it fits");
            assert_eq!((&before[..], behind), (&vec![0xff; bytes.count()][..], &b""[..]));
            let one_more = bytes_max.checked_add(1);
            assert!(one_more.is_none_or(|bytes| envelope.around(bytes) == Err(TooLong { bytes_max })));
        }
    }
    let (big, little) = (length(LengthBytes::Four, false), length(LengthBytes::Four, true));
    assert_eq!(big.envelope().around(0x0102).unwrap().0[..], [0, 0, 1, 2]);
    assert_eq!(little.envelope().around(0x0102).unwrap().0[..], [2, 1, 0, 0]);
    assert_eq!(TooLong { bytes_max: 255 }.to_string(), "a message has at most 255 bytes here");
}

proptest! {
    #[test]
    fn cuts_do_not_matter_and_parts_are_the_message(
        framing in any_kind(),
        bytes in telling_bytes(),
        cuts in proptest::collection::vec(0usize..200, 0..8),
        bytes_max in 4usize..40,
    ) {
        let (frames, tail) = cut(framing, &pieces_of(&bytes, cuts), bytes_max);

        let at_once = cut(framing, &[&bytes], bytes_max);
        prop_assert_eq!((&frames, &tail), (&at_once.0, &at_once.1));
        let received = |(bytes, end): &(Vec<u8>, End)| Frame::of(bytes, *end).received_bytes();
        prop_assert_eq!(frames.iter().map(received).sum::<usize>() + tail.len(), bytes.len());
        let (whole, mut begun) = joined(frames);
        begun.extend(framing.unended(&tail).0);
        let (said, unended) = reference(framing, &bytes);
        prop_assert_eq!(whole, said);
        // Where the tail is the piece of a length, that is told as it is.
        prop_assert_eq!(begun, unended);
    }

    /// As the engine does where an App pauses a connection: what is left is kept, and cut anew.
    #[test]
    fn where_it_is_stopped_nothing_is_lost_and_nothing_comes_twice(
        framing in any_kind(),
        bytes in telling_bytes(),
        stops in proptest::collection::vec(any::<(bool, bool)>(), 1..20),
        bytes_max in 4usize..40,
    ) {
        let (mut tail, mut left, mut out) = (Vec::new(), bytes.clone(), Vec::new());
        let mut stops = stops.into_iter().cycle();
        let mut is_over = false;
        while !is_over {
            let mut anew = false;
            let used = framing.cut(&mut tail, &left, bytes_max, |frame| {
                out.push((frame.bytes.to_vec(), frame.end));
                let goes_on;
                (goes_on, anew) = stops.next().expect("it never ends");
                goes_on
            });
            is_over = used == left.len() && (!anew || tail.is_empty());
            left.drain(..used);
            if anew && !is_over {
                tail.append(&mut left);
                left = mem::take(&mut tail);
            }
        }

        prop_assert_eq!((out, tail), cut(framing, &[&bytes], bytes_max));
    }

    /// Parts may be shown at any time: together they are the message.
    #[test]
    fn what_is_shown_in_between_is_missing_nowhere(
        framing in any_kind(),
        bytes in telling_bytes(),
        cuts in proptest::collection::vec(0usize..200, 0..8),
        bytes_max in 4usize..40,
    ) {
        let (mut tail, mut told) = (Vec::new(), Vec::new());
        for piece in pieces_of(&bytes, cuts) {
            cut_frames(framing, &mut tail, piece, bytes_max, |frame| told.extend_from_slice(frame.bytes));
            let is_sure = framing.has_end_to_come(&tail) || framing == SILENCE;
            if is_sure && !framing.begun(&tail).is_empty() {
                told.extend(framing.take_part(&mut tail));
            }
        }
        told.extend_from_slice(framing.unended(&tail).0);

        let (said, unended) = reference(framing, &bytes);
        let mut expected: Vec<u8> = said.into_iter().flat_map(|(bytes, _)| bytes).collect();
        expected.extend(unended);
        prop_assert_eq!(told, expected);
    }

    /// With what stood around them, of which the first part of a message has what stood in front, frames are what came.
    #[test]
    fn what_framed_messages_is_told_where_it_stood(
        framing in any_kind(),
        bytes in telling_bytes(),
        cuts in proptest::collection::vec(0usize..200, 0..8),
        bytes_max in 4usize..40,
    ) {
        let (mut tail, mut came, mut has_begun) = (Vec::new(), Vec::new(), false);
        let mut take = |frame: Frame<'_>| {
            if !std::mem::replace(&mut has_begun, frame.is_part() && !frame.head.is_empty()) {
                came.extend_from_slice(&frame.head);
            }
            came.extend_from_slice(frame.bytes);
            came.extend_from_slice(frame.behind(framing.envelope()));
        };
        for piece in pieces_of(&bytes, cuts) {
            cut_frames(framing, &mut tail, piece, bytes_max, &mut take);
            if !framing.begun(&tail).is_empty() {
                let head = framing.head_of(&tail);
                take(Frame { head, ..Frame::of(&framing.take_part(&mut tail), End::Silence) });
            }
        }
        let (unended, left_out) = framing.unended(&tail);
        if !unended.is_empty() {
            take(Frame { head: framing.head_of(&tail), ..Frame::of(unended, End::Gone) });
        }

        // What has only begun to be framed when the end comes is told nobody.
        let left_out = if unended.is_empty() && !has_begun { left_out } else { 0 };
        prop_assert_eq!(&came[..], &bytes[..bytes.len() - left_out]);
    }
}
