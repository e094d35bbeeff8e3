//! What comes from a terminal and is no key: pastes, and answers. And what is cut by a read.

use super::{keys, press_all, state, typed};
use crate::terminal::editor::{Action, Editor, Key, Keys, Repertoire};

/// What terminals answer or report by themselves, and then some that none does.
const ANSWERS: &[&[u8]] = &[
    b"\x1b[12;40R",
    b"\x1b[?12;40R",
    b"\x1b[R",
    b"\x1b[0n",
    b"\x1b[?62;22c",
    b"\x1b[>41;354;0c",
    b"\x1b[=1c",
    b"\x1b[I",
    b"\x1b[O",
    b"\x1b[M !!",
    b"\x1b[M#\xff\xe4",
    b"\x1b[Mabc",
    b"\x1b[<0;12;40M",
    b"\x1b[<0;12;40m",
    b"\x1b[32;12;40M",
    b"\x1b[Tabcdef",
    b"\x1b[tab",
    b"\x1b[8;24;80t",
    b"\x1b[4;600;800t",
    b"\x1b[1t",
    b"\x1b[3;10;20t",
    b"\x1b[?1u",
    b"\x1b[97;5u",
    b"\x1b[27;5;97~",
    b"\x1b[?2026;2$y",
    b"\x1b[12;1$y",
    b"\x1b[?997;1n",
    b"\x1b[?1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23;24;25;26;27;28;29;30c",
    b"\x1b]10;rgb:ffff/ffff/ffff\x07",
    b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1b]52;c;bHMgLWxhCg==\x1b\\",
    b"\x1b]lmy title: exit\x1b\\",
    "\x1b]l你好 Ü œ\x1b\\".as_bytes(),
    b"\x1bP1$r0m\x1b\\",
    b"\x1bP>|XTerm(390)\x1b\\",
    b"\x1bP!|00000000\x1b\\",
    b"\x1bP1+r544e=787465726d\x1b\\",
    b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b^private\x1b\\",
    b"\x1bXstring\x1b\\",
    b"\x9b?62c",
    b"\x9d11;rgb:0/0/0\x9c",
    b"\x901$r0m\x9c",
    b"\xff\xfe\x80",
    b"\x1b[200A",
    b"\x1b[1;2;3A",
    b"\x1b[201~",
];

#[test]
fn h52_what_a_terminal_answers_types_nothing_however_reads_cut_it() {
    for answer in ANSWERS {
        let all = [b"ab".as_slice(), answer, b"cd\x01"].concat();
        for first in 0..=all.len() {
            for second in first..=all.len() {
                let (mut found, mut keys) = (Vec::new(), Keys::new());

                for part in [&all[..first], &all[first..second], &all[second..]] {
                    keys.feed(part, &mut found);
                }

                let mut editor = Editor::new(Repertoire::Unicode);
                let actions: Vec<Action> = found.iter().map(|key| editor.press(key.clone())).collect();
                let seen = String::from_utf8_lossy(answer);
                assert_eq!(state(&editor), "|abcd", "{seen:?}, cut at {first} and {second}: {found:?}");
                assert!(actions.iter().all(|action| *action == Action::None), "{seen:?}: {actions:?}");
                assert!(!keys.is_pending(), "{seen:?} has left something behind");
            }
        }
    }
}

#[test]
fn h52_an_answer_that_never_ends_does_not_swallow_what_is_typed_for_ever() {
    let begun: [&[u8]; 6] = [b"\x1b]0;abc", b"\x1bPabc", b"\x1b_abc", b"\x1b[12;", b"\x1b[M", b"\x9dabc"];
    for begun in begun {
        for (ends, then) in [("\x03", Some(Key::Interrupt)), ("\x1b[D", Some(Key::Left)), ("\r", None)] {
            let (mut found, mut keys) = (Vec::new(), Keys::new());
            keys.feed(begun, &mut found);

            keys.feed(ends.as_bytes(), &mut found);
            keys.feed(b"x", &mut found);

            let expected =
                |key: Option<Key>| key.into_iter().chain([Key::Text("x".to_owned())]).collect::<Vec<_>>();
            // In a sequence that is no string, Enter is Enter.
            let is_fine =
                found == expected(then.clone()) || then.is_none() && found == expected(Some(Key::Enter));
            assert!(is_fine, "{begun:?} {ends:?}: {found:?}");
        }
        let (mut found, mut keys) = (Vec::new(), Keys::new());
        keys.feed(begun, &mut found);
        assert!(keys.is_pending());
        keys.settle(&mut found);
        keys.feed(b"x", &mut found);
        assert_eq!(found, [Key::Text("x".to_owned())], "{begun:?}, and some time");
    }
}

#[test]
fn h52_an_enter_within_an_answer_enters_nothing() {
    let found = keys(b"\x1b]lkick\r/kick 3\r\x1b\\");

    assert_eq!(found, []);
}

#[test]
fn escape_alone_is_known_only_by_what_does_not_follow() {
    let (mut found, mut keys) = (Vec::new(), Keys::new());

    keys.feed(b"\x1b", &mut found);
    assert_eq!((keys.is_pending(), found.len()), (true, 0));
    keys.settle(&mut found);
    keys.settle(&mut found);

    assert_eq!(found, [Key::Escape]);
}

#[test]
fn h50_a_paste_is_text_and_enters_nothing() {
    let (mut editor, action) = typed("\x1b[200~/kick 3\r\n/quit\r\tx\x03\x04\x1b[A\u{9b}\n\x1b[201~");

    assert_eq!(action, Action::None);
    assert_eq!(state(&editor), "/kick 3\n/quit\n\tx[A\n|");
    assert_eq!(press_all(&mut editor, "\r"), Action::Enter);
    assert_eq!(editor.take(), "/kick 3\n/quit\n\tx[A\n");
}

#[test]
fn h50_a_paste_is_one_text_however_reads_cut_it() {
    let all = "a\x1b[200~你\r\nb\x1b[20\x1b[201~c".as_bytes();
    let expected = [Key::Text("a".to_owned()), Key::Paste("你\nb[20".to_owned()), Key::Text("c".to_owned())];
    for first in 0..=all.len() {
        for second in first..=all.len() {
            let (mut found, mut keys) = (Vec::new(), Keys::new());
            for part in [&all[..first], &all[first..second], &all[second..]] {
                keys.feed(part, &mut found);
            }
            assert_eq!(found, expected, "cut at {first} and {second}");
        }
    }
}

#[test]
fn h50_what_is_pasted_cannot_end_its_paste() {
    // An end within is an end: terminals take it out of what they paste. All else is not.
    let found = keys(b"\x1b[200~a\x03/kick 3\r\x1b[200~\x03\x03\x1b\\\x18\r/quit\r\x1b[201~");

    assert_eq!(found, [Key::Paste("a/kick 3\n[200~\\\n/quit\n".to_owned())]);
}

#[test]
fn h50_a_paste_that_never_ends_is_given_up_by_two_lone_ctrl_c() {
    let (mut found, mut keys) = (Vec::new(), Keys::new());

    for read in ["\x1b[200~/kick 3\r", "\x03", "more", "\x03", "\x03", "x"] {
        keys.feed(read.as_bytes(), &mut found);
    }

    assert_eq!(found, [Key::Interrupt, Key::Text("x".to_owned())]);
}

#[test]
fn h50_a_paste_that_is_too_long_is_dropped_as_a_whole() {
    for (size, read) in [(Keys::PASTE_BYTES_MAX + 1, 4096), (Keys::PASTE_BYTES_MAX * 3, 1 << 30)] {
        let all = [b"\x1b[200~".to_vec(), vec![b'x'; size], b"\x1b[201~y".to_vec()].concat();
        let (mut found, mut keys) = (Vec::new(), Keys::new());

        all.chunks(read).for_each(|part| keys.feed(part, &mut found));

        assert_eq!(found, [Key::PasteTooLong, Key::Text("y".to_owned())]);
    }
    let all = [b"\x1b[200~".to_vec(), vec![b'x'; Keys::PASTE_BYTES_MAX], b"\x1b[201~".to_vec()].concat();
    assert!(matches!(&keys(&all)[..], [Key::Paste(text)] if text.len() == Keys::PASTE_BYTES_MAX));
}

#[test]
fn a_read_may_cut_a_character_anywhere() {
    let text = "é你😀e\u{301}👨‍👩‍👧x";
    for cut in 0..=text.len() {
        let (mut editor, mut keys, mut found) = (Editor::new(Repertoire::Unicode), Keys::new(), Vec::new());
        keys.feed(&text.as_bytes()[..cut], &mut found);
        keys.feed(&text.as_bytes()[cut..], &mut found);
        for key in found {
            let _ = editor.press(key);
        }
        assert_eq!(editor.line(), text, "cut at {cut}");
    }
}

#[test]
fn a_character_that_is_never_finished_takes_nothing_with_it() {
    let (mut found, mut keys) = (Vec::new(), Keys::new());

    for read in [b"a\xe4".as_slice(), b"b\xe4\xbd", b"\rc\xf0", b"\x1b[D\xc3(", b"d"] {
        keys.feed(read, &mut found);
    }

    let text = |text: &str| Key::Text(text.to_owned());
    assert_eq!(found, [text("ab"), Key::Enter, text("c"), Key::Left, text("(d")]);
}

#[test]
fn a_cr_with_an_lf_behind_it_is_one_enter() {
    assert_eq!(keys(b"\r\n\n\r\r"), [Key::Enter, Key::Enter, Key::Enter, Key::Enter]);
}
