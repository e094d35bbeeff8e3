//! A table: what is typed, and what the line is then.

use super::{press_all, state, typed};
use crate::terminal::editor::{Action, Editor, Key, Offer, Repertoire};

const CASES: &[(&str, &str)] = &[
    ("abc", "abc|"),
    // Moving.
    ("abc\x02\x02x", "ax|bc"),
    ("abc\x1b[D\x1b[Dx", "ax|bc"),
    ("abc\x1bOD\x1bODx", "ax|bc"),
    ("abc\x1b[1;2D\x1b[1;2Dx", "ax|bc"),
    ("abc\x01x", "x|abc"),
    ("abc\x1b[H1\x1b[F2", "1abc2|"),
    ("abc\x1bOH1\x1bOF2", "1abc2|"),
    ("abc\x1b[1~1\x1b[4~2", "1abc2|"),
    ("abc\x1b[7~1\x1b[8~2", "1abc2|"),
    ("abc\x01\x06x\x05y\x1b[D\x1b[D\x1b[C", "axbc|y"),
    ("one two-three\x1bb", "one two-|three"),
    ("one two-three\x1bb\x1bb\x1bb\x1bb", "|one two-three"),
    ("one two\x1b[1;5D\x1b[1;3D\x1b[1;5C", "one| two"),
    ("one two\x01\x1bf\x1bf\x1bf", "one two|"),
    ("one two\x1bOd\x1bOd\x1bOc", "one| two"),
    ("añb ñ\x1bb\x1bb", "|añb ñ"),
    // Removing.
    ("abc\x7f\x08x", "ax|"),
    ("abc\x01\x1b[3~", "|bc"),
    ("abc\x01\x04", "|bc"),
    ("\x7f\x1b[3~\x02\x06\x17\x0b\x15", "|"),
    // Killing, and putting in again.
    ("one two-three\x17", "one |"),
    ("one two-three  \x17", "one |"),
    ("one two-three\x1b\x7f", "one two-|"),
    ("one two-three\x1b\x08", "one two-|"),
    ("one two-three\x01\x1bd", "| two-three"),
    ("one two\x01\x1b[3;5~", "| two"),
    ("one two\x1bb\x0b", "one |"),
    ("one two\x1bb\x15", "|two"),
    ("one two\x1bb\x15\x05\x19", "twoone |"),
    ("one two three\x17\x17\x19", "one two three|"),
    ("one two\x01\x1bd\x1bd\x19\x19", "one twoone two|"),
    ("one two three\x1bb\x17\x0b\x19", "one two three|"),
    ("one\x15two\x15\x19", "two|"),
    ("one\x15two\x15\x19\x1by", "one|"),
    ("one\x15two\x15\x19\x1by\x1by", "two|"),
    ("one\x15two\x1by", "two|"),
    // Undoing.
    ("one\x1f", "|"),
    ("one\x18\x15", "|"),
    ("one\x02x\x1f", "on|e"),
    ("one two\x17\x1f", "one two|"),
    ("one two\x17x\x1f\x1f", "one two|"),
    ("one\x7f\x7f\x1f", "on|"),
    ("one\x14\x1f", "one|"),
    ("one\x1f\x1f\x1f", "|"),
    ("\x1b[200~a\nb\x1b[201~\x1f", "|"),
    // Turning round.
    ("abcd\x14", "abdc|"),
    ("abcd\x02\x02\x14", "acb|d"),
    ("a\x14", "a|"),
    ("abc\x01\x14", "|abc"),
    // What is no key types nothing.
    ("a\x1bqb", "ab|"),
    ("a\x1b[15~\x1b[2~\x1b[5~\x1b[6~\x1b[Z\x1bOP\x1b[[Ab", "ab|"),
    ("a\0\x0f\x11\x13\x16\x1c\x1d\x1eb", "ab|"),
    // What was begun is cut short by a control character, which counts.
    ("ab\x1b\x02x", "ax|b"),
    ("ab\x1b[\x02x", "ax|b"),
    ("ab\x1bO\x02x", "ax|b"),
    ("ab\x18\x02x", "ax|b"),
    ("ab\x1b\x1b[Dx", "ax|b"),
    ("ab\x1b[1\x1b[Dx", "ax|b"),
    ("aé\x1béx", "aééx|"),
];

#[test]
fn keys_do_what_they_do_in_readline() {
    for (keys, line) in CASES {
        let (editor, _) = typed(keys);

        assert_eq!(state(&editor), *line, "after {keys:?}");
    }
}

#[test]
fn what_is_read_a_byte_at_a_time_is_the_same() {
    for (bytes, line) in CASES {
        let (mut editor, mut keys) = (Editor::new(Repertoire::Unicode), super::Keys::new());

        for byte in bytes.bytes() {
            let mut found = Vec::new();
            keys.feed(&[byte], &mut found);
            for key in found {
                let _ = editor.press(key);
            }
        }

        // One read may hold a run of characters, but a run is undone as a whole either way.
        assert_eq!(state(&editor), *line, "after {bytes:?}");
    }
}

#[test]
fn what_a_key_asks_of_the_owner() {
    let cases = [
        ("abc\r", Action::Enter),
        ("abc\n", Action::Enter),
        ("abc\x1bOM", Action::Enter),
        ("abc\x1b\r", Action::Enter),
        ("abc\x03", Action::Interrupt),
        ("\x04", Action::EndOfInput),
        ("a\x04", Action::Rejected),
        ("\x1a", Action::Suspend),
        ("\x0c", Action::Refresh),
        ("a\t", Action::Complete),
        ("\x7f", Action::Rejected),
        ("\x1f", Action::Rejected),
        ("\x19", Action::Rejected),
        ("\x07", Action::None),
    ];
    for (bytes, action) in cases {
        assert_eq!(typed(bytes).1, action, "after {bytes:?}");
    }
}

#[test]
fn enter_leaves_the_line_until_it_is_taken() {
    let (mut editor, _) = typed("abc\x02\r");

    assert_eq!(state(&editor), "ab|c");
    assert_eq!(editor.take(), "abc");
    assert_eq!(state(&editor), "|");
    assert_eq!(editor.press(Key::Undo), Action::Rejected, "nothing is undone across an Enter");
}

#[test]
fn what_would_make_the_line_too_long_is_refused_as_a_whole() {
    let (mut editor, _) = typed("ab\x02");
    let big = "x".repeat(Editor::LINE_BYTES_MAX - 3);

    assert_eq!(editor.press(Key::Paste(big.clone() + "你")), Action::Rejected);
    assert_eq!(state(&editor), "a|b");
    assert_eq!(editor.press(Key::PasteTooLong), Action::Rejected);
    assert!(editor.insert(&big));
    assert_eq!(editor.press(Key::Text("é".to_owned())), Action::Rejected);
    assert_eq!(editor.press(Key::Text("e".to_owned())), Action::None);
    assert!(!editor.insert("f"));
    assert_eq!(editor.line().len(), Editor::LINE_BYTES_MAX);
}

#[test]
fn an_offer_puts_in_what_all_candidates_have_in_common() {
    let cases: &[(&str, &[&str], Offer, &str)] = &[
        ("/ki", &["/kick"], Offer::Completed, "/kick |"),
        ("/k", &["/kick", "/kill"], Offer::Extended, "/ki|"),
        ("/ki", &["/kick", "/kill"], Offer::Ambiguous, "/ki|"),
        ("/x", &[], Offer::Nothing, "/x|"),
        ("lab", &["Lab-a", "Lab-b"], Offer::Ambiguous, "lab|"),
        ("n", &["ne\u{301}", "ne\u{300}"], Offer::Ambiguous, "n|"),
        ("n", &["n你a", "n你b"], Offer::Extended, "n你|"),
        ("n", &["n\u{4f60}", "n\u{4f61}"], Offer::Ambiguous, "n|"),
    ];
    for (word, candidates, offer, line) in cases {
        let (mut editor, _) = typed(&format!("{word}\t"));
        let candidates: Vec<String> = candidates.iter().map(|text| (*text).to_owned()).collect();

        let made = editor.offer(0..word.len(), &candidates, true);

        assert_eq!((made, state(&editor)), (*offer, (*line).to_owned()), "{word} {candidates:?}");
    }
}

#[test]
fn a_second_tab_in_vain_lists_the_candidates_and_another_key_between_forgets_the_first() {
    let candidates = ["one".to_owned(), "other".to_owned()];
    let (mut editor, _) = typed("o\t");

    assert_eq!(editor.offer(0..1, &candidates, false), Offer::Ambiguous);
    assert_eq!(press_all(&mut editor, "\t"), Action::Complete);
    assert_eq!(editor.offer(0..1, &candidates, false), Offer::List);
    let _ = press_all(&mut editor, "x\x7f\t");
    assert_eq!(editor.offer(0..1, &candidates, false), Offer::Ambiguous);
    assert_eq!(editor.offer(0..9, &candidates, false), Offer::Nothing, "a range outside the line");
}
