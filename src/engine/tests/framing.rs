//! Frames of every kind, through whole turns: cut anywhere, paused in between, fallen silent, ended in the middle.

use super::*;
use crate::buffer::framing::{Delimiter, LengthBytes};

const CR_LF: Framing = Framing::Delimited(Delimiter::CrLf);
const LEN16: Framing = Framing::Length { bytes: LengthBytes::Two, little_endian: false };
const LEN32LE: Framing = Framing::Length { bytes: LengthBytes::Four, little_endian: true };
const SILENCE: Framing = Framing::Silence(Duration::from_millis(20));

/// The kinds whose ends are marked.
const MARKED: [Framing; 8] = [
    Framing::Lines,
    Framing::Delimited(Delimiter::Cr),
    Framing::Delimited(Delimiter::Nul),
    CR_LF,
    Framing::StxEtx,
    Framing::Length { bytes: LengthBytes::One, little_endian: false },
    LEN16,
    LEN32LE,
];

const OTHER: Role = Role::new(1);

fn rig(framing: Framing) -> Rig {
    Rig::with(Limits::default(), framing, Backpressure::None)
}

/// Peers that frame in one way, and another role that frames in another.
fn two_framings(first: Framing, second: Framing) -> Rig {
    let mut rig = rig(first);
    rig.app.policies[OTHER.number()].framing = second;
    Rig::of(Limits::default(), rig.app)
}

fn framed(framing: Framing, message: &str) -> Vec<u8> {
    let (before, behind) = framing.envelope().around(message.len()).unwrap();
    [&before[..], message.as_bytes(), behind].concat()
}

fn arrives(rig: &mut Rig, far: &Far, bytes: &[u8]) {
    far.wire.arrives(bytes);
    rig.note(far, READABLE);
    rig.settle();
}

/// What was told, without who said it and how it ended.
fn texts(told: &[String]) -> Vec<&str> {
    told.iter().map(|entry| entry.splitn(3, ' ').nth(2).unwrap_or_default()).collect()
}

/// The moment of the next deadline, if there is one that still counts.
fn is_waiting(rig: &mut Rig, far: &Far) -> bool {
    let board = rig.board();
    let conn = &board.table[far.id.key];
    conn.next_due(&board.shared.limits, board.shared.policy(conn)).is_some()
}

#[test]
fn messages_are_told_whole_and_once_wherever_they_were_cut() {
    let messages = ["one", "", "two x", "你好"];
    for framing in MARKED {
        let bytes = messages.map(|message| framed(framing, message)).concat();
        for cut in 0..=bytes.len() {
            let mut rig = rig(framing);
            let far = rig.connect();

            arrives(&mut rig, &far, &bytes[..cut]);
            arrives(&mut rig, &far, &bytes[cut..]);

            let told = rig.told();
            assert_eq!(texts(&told), messages, "{framing:?} cut at {cut}: {told:?}");
            assert!(told.iter().all(|entry| !entry.contains("Silence")), "{told:?}");
        }
    }
}

#[test]
fn one_that_is_paused_behind_each_message_loses_none_and_tells_none_twice() {
    let long = "y".repeat(100);
    let messages = ["one", "", &long, "three"];
    for framing in MARKED {
        let bytes = messages.map(|message| framed(framing, message)).concat();
        for cut in [0, 1, 3, 7, 40, bytes.len()] {
            let mut rig = Rig::with(small(), framing, Backpressure::None);
            rig.on_received(|id, _, board| board.pause(id));
            let far = rig.connect();
            let (mut told, mut resumed) = (Vec::new(), 0);
            for piece in [&bytes[..cut], &bytes[cut..]] {
                arrives(&mut rig, &far, piece);
                while rig.board().view(far.id).is_some_and(|view| view.is_paused) {
                    told.extend(rig.told());
                    assert_eq!(told.len(), resumed + 1, "{framing:?}: one at a time: {told:?}");
                    resumed += 1;
                    rig.board().resume(far.id);
                    rig.settle();
                }
            }
            let expected = ["one", "", &long[..40], &long[..40], &long[..20], "three"];
            assert_eq!(texts(&told), expected, "{framing:?} cut at {cut}: {told:?}");
        }
    }
}

#[test]
fn what_has_begun_is_shown_once_by_silence_and_goes_on_behind_that() {
    for framing in MARKED {
        let bytes = framed(framing, "abcdef");
        let (first, second) = bytes.split_at(bytes.len() - framing.envelope().around(6).unwrap().1.len() - 3);
        let mut rig = rig(framing);
        let far = rig.connect();

        arrives(&mut rig, &far, first);
        rig.pass(199);
        let early = rig.told();
        rig.pass(1);
        let due = rig.told();
        let waits = is_waiting(&mut rig, &far);
        rig.pass(60_000);
        arrives(&mut rig, &far, &second[..1]);
        rig.pass(199);
        let late = rig.told();
        arrives(&mut rig, &far, &second[1..]);

        assert_eq!((early, due, late), (vec![], vec!["#1 Silence abc".to_owned()], vec![]), "{framing:?}");
        assert!(!waits, "{framing:?}: nothing is left to be shown");
        assert_eq!(texts(&rig.told()), ["def"], "{framing:?}");
    }
}

#[test]
fn what_frames_a_message_alone_is_nothing_to_show_and_nothing_to_wait_for() {
    for (framing, bytes) in [
        (CR_LF, &b"\r"[..]),
        (Framing::StxEtx, b"\x02"),
        (LEN16, b"\x01"),
        (LEN16, b"\x01\x00"),
        (LEN32LE, b"\x01\x02\x00"),
    ] {
        let mut rig = rig(framing);
        let far = rig.connect();

        arrives(&mut rig, &far, bytes);
        let waits = is_waiting(&mut rig, &far);
        rig.pass(60_000);

        assert_eq!((waits, rig.told()), (false, vec![]), "{framing:?}: {bytes:x?}");
    }
}

#[test]
fn a_message_that_its_peer_will_end_is_shown_early_only_to_who_looks_on() {
    for framing in MARKED {
        let mut rig = rig(framing);
        rig.app.policies[0].shows_parts = false;
        let mut rig = Rig::of(Limits::default(), rig.app);
        let far = rig.connect();
        let bytes = framed(framing, "message");

        arrives(&mut rig, &far, &bytes[..bytes.len() - 2]);
        rig.pass(60_000);
        let early = rig.told();
        arrives(&mut rig, &far, &bytes[bytes.len() - 2..]);

        assert_eq!((early, texts(&rig.told())), (vec![], vec!["message"]), "{framing:?}");
    }
}

#[test]
fn what_stands_outside_of_frames_is_told_when_one_begins_or_silence_shows_it() {
    let mut rig = rig(Framing::StxEtx);
    rig.app.policies[0].shows_parts = false;
    let mut rig = Rig::of(Limits::default(), rig.app);
    let far = rig.connect();

    arrives(&mut rig, &far, b"\x05");
    rig.pass(200);
    let asked = rig.told();
    arrives(&mut rig, &far, b"noise\x02one\x03\x06\x02two\x03");

    assert_eq!(asked, ["#1 Silence \u{5}"]);
    let rest = ["#1 Silence noise", "#1 Framed(2) one", "#1 Silence \u{6}", "#1 Framed(2) two"];
    assert_eq!(rig.told(), rest);
}

#[test]
fn what_silence_ends_is_told_when_it_has_lasted_however_long_the_message_goes_on_and_whatever_it_is() {
    let mut rig = rig(SILENCE);
    rig.app.policies[0].shows_parts = false;
    let mut rig = Rig::of(Limits::default(), rig.app);
    let far = rig.connect();

    // Bytes that begin a character, and far longer than five silences.
    for _ in 0..30 {
        arrives(&mut rig, &far, b"\xe4");
        rig.pass(19);
    }
    let early = rig.told();
    rig.pass(1);
    let due = rig.told();
    let waits = is_waiting(&mut rig, &far);
    arrives(&mut rig, &far, b"a\nb");
    rig.pass(20);

    assert_eq!(early, Vec::<String>::new());
    assert_eq!(due, [format!("#1 Silence {}", "\u{fffd}".repeat(30))]);
    assert_eq!((waits, rig.told()), (false, vec!["#1 Silence a\nb".to_owned()]));
}

#[test]
fn silence_that_nobody_could_break_ends_nothing() {
    let mut rig = rig(SILENCE);
    let far = rig.connect();
    arrives(&mut rig, &far, b"one ");
    rig.board().pause(far.id);
    far.wire.arrives(b"message");
    rig.note(&far, READABLE);
    rig.pass(1000);
    let while_paused = rig.told();

    rig.board().resume(far.id);
    rig.settle();
    rig.pass(20);

    assert_eq!((while_paused, rig.told()), (vec![], vec!["#1 Silence one message".to_owned()]));
}

#[test]
fn a_message_over_the_limit_comes_in_parts_and_keeps_its_proper_end() {
    for framing in MARKED.into_iter().chain([SILENCE]) {
        let message = "m".repeat(100);
        let bytes = framed(framing, &message);
        for read in [1, 7, 64] {
            let mut rig = Rig::with(small(), framing, Backpressure::None);
            let far = rig.connect();
            for piece in bytes.chunks(read) {
                arrives(&mut rig, &far, piece);
            }
            rig.pass(20);

            let told = rig.told();
            let sizes: Vec<usize> = texts(&told).iter().map(|text| text.len()).collect();
            assert_eq!(sizes, [40, 40, 20], "{framing:?} in reads of {read}: {told:?}");
            assert!(told[..2].iter().all(|entry| entry.starts_with("#1 Limit")), "{told:?}");
            let end = if framing == SILENCE { "#1 Silence" } else { "#1 Framed" };
            assert!(told[2].starts_with(end) || framing == Framing::Lines, "{framing:?}: {told:?}");
            assert_eq!(rig.board().stats().cuts, 2);
        }
    }
}

#[test]
fn at_the_end_what_has_none_is_told_and_what_framed_it_is_counted_however_it_ends() {
    type Ending = fn(&mut Rig, &Far);
    let endings: [Ending; 4] = [
        |rig, far| rig.finishes(far),
        |rig, far| rig.resets(far),
        |rig, far| rig.board().close(far.id, kicked()),
        |rig, far| rig.board().hang_up(far.id, Reason::WeReset),
    ];
    for (framing, bytes, told, discarded) in [
        (Framing::Lines, &b"abc"[..], Some("abc"), 0),
        (CR_LF, b"abc\r", Some("abc\r"), 0),
        (CR_LF, b"\r", Some("\r"), 0),
        (Framing::StxEtx, b"\x02abc", Some("abc"), 1),
        (Framing::StxEtx, b"\x02", None, 1),
        (Framing::StxEtx, b"abc", Some("abc"), 0),
        (LEN16, b"\0\x09abc", Some("abc"), 2),
        (LEN16, b"\0\x09", None, 2),
        (LEN32LE, b"\x09\0\0", Some("\x09\0\0"), 0),
        (SILENCE, b"abc", Some("abc"), 0),
    ] {
        for (number, ends) in endings.into_iter().enumerate() {
            let mut rig = rig(framing);
            let far = rig.connect();
            arrives(&mut rig, &far, bytes);

            ends(&mut rig, &far);
            rig.settle();
            rig.pass(60_000);

            let log = rig.told();
            let gone = log.iter().find_map(|entry| entry.strip_prefix("#1 Gone "));
            assert_eq!(gone, told, "{framing:?}, {bytes:x?}, ending {number}: {log:?}");
            assert_eq!(rig.board().stats().discarded_bytes, discarded, "{framing:?}, {bytes:x?}: {log:?}");
        }
    }
}

#[test]
fn what_was_kept_of_one_that_was_paused_is_cut_when_it_is_gone() {
    for framing in MARKED {
        let mut rig = rig(framing);
        rig.on_received(|id, _, board| board.pause(id));
        let far = rig.connect();
        let bytes = ["one", "two", "three"].map(|message| framed(framing, message)).concat();
        let behind = framing.envelope().around(5).unwrap().1.len();
        arrives(&mut rig, &far, &bytes[..bytes.len() - behind - 1]);

        rig.board().hang_up(far.id, Reason::WeReset);
        rig.settle();

        let told = rig.told();
        assert_eq!(texts(&told)[..3], ["one", "two", "thre"], "{framing:?}: {told:?}");
        assert!(told[2].starts_with("#1 Gone "), "{told:?}");
    }
}

#[test]
fn one_that_takes_another_role_in_the_middle_loses_nothing_whatever_the_two_are() {
    let kinds = || MARKED.into_iter().chain([SILENCE, Framing::Raw]);
    let pairs = kinds().flat_map(|first| kinds().map(move |second| (first, second)));
    let bytes = b"ab\ncd\x02e\r\nf\0\x03\x01gh\x03ij\n\0\x02kl\r\0mn\n";
    for (first, second) in pairs.filter(|(first, second)| first != second) {
        for cut in 0..=bytes.len() {
            let mut rig = two_framings(first, second);
            let far = rig.connect();
            arrives(&mut rig, &far, &bytes[..cut]);
            if cut % 2 == 0 {
                rig.pass(200);
            }

            rig.board().take_role(far.id, OTHER);
            rig.settle();
            arrives(&mut rig, &far, &bytes[cut..]);
            rig.finishes(&far);
            rig.settle();

            let told = rig.told();
            assert_eq!(
                told.last().map(String::as_str),
                Some("#1 closed finished"),
                "{first:?} to {second:?}"
            );
            let stats = rig.board().stats();
            let missing = stats.discarded_bytes;
            assert!(missing <= 4, "{first:?} to {second:?} at {cut}: {missing} bytes are missing: {told:?}");
        }
    }
}

#[test]
fn what_was_begun_in_one_role_is_cut_as_the_next_has_it() {
    let mut rig = two_framings(SILENCE, Framing::Lines);
    let far = rig.connect();
    arrives(&mut rig, &far, b"one\ntwo\nthr");

    rig.board().take_role(far.id, OTHER);
    rig.settle();
    let at_once = rig.told();
    arrives(&mut rig, &far, b"ee\n");

    assert_eq!(at_once, ["#1 line one", "#1 line two"]);
    assert_eq!(rig.told(), ["#1 line three"]);
}

#[test]
fn a_role_that_is_taken_at_a_part_holds_for_the_rest_of_the_message() {
    for (first, second) in
        [(Framing::StxEtx, Framing::Lines), (LEN16, Framing::Lines), (Framing::Lines, SILENCE)]
    {
        let mut rig = two_framings(first, second);
        let mut rig = {
            rig.on_received(|id, bytes, board| {
                if bytes.starts_with(b"mmm") {
                    board.take_role(id, OTHER);
                }
            });
            Rig::of(small(), rig.app)
        };
        let far = rig.connect();
        let message = format!("{}tail\nmore", "m".repeat(40));
        let bytes = framed(first, &message);

        arrives(&mut rig, &far, &bytes);
        rig.pass(200);

        let told = rig.told();
        let all = texts(&told).concat();
        assert_eq!(told[0], format!("#1 Limit {}", "m".repeat(40)), "{first:?}: {told:?}");
        assert!(all.contains("tail") && all.contains("more"), "{first:?}: {told:?}");
        assert!(!told.iter().any(|entry| entry.contains("Framed")), "{first:?}: {told:?}");
    }
}

#[test]
fn what_remains_of_a_length_is_bytes_to_a_role_that_is_taken_at_a_part() {
    let mut rig = two_framings(LEN16, Framing::Lines);
    rig.on_received(|id, _, board| board.take_role(id, OTHER));
    let mut rig = Rig::of(small(), rig.app);
    let far = rig.connect();

    // Ten bytes remain, and ten is a newline.
    arrives(&mut rig, &far, &framed(LEN16, &format!("{}tail\nmore!", "m".repeat(40))));
    rig.finishes(&far);
    rig.settle();

    let told = rig.told();
    let rest = ["#1 line \0", "#1 line tail", "#1 Gone more!", "#1 ended", "#1 closed finished"];
    assert_eq!(told[1..], rest, "{told:?}");
    assert_eq!(rig.board().stats().discarded_bytes, 0);
}
