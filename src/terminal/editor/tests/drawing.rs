//! Exactly what is written, where the scripts do not look.

use super::model::Model;
use super::press_all;
use crate::terminal::editor::{Action, Editor, Key, Repertoire};

fn drawn(editor: &mut Editor) -> String {
    let mut out = String::new();
    editor.draw(&mut out);
    out
}

fn erased(editor: &mut Editor) -> String {
    let mut out = String::new();
    editor.erase(&mut out);
    out
}

fn editor_on(columns: usize, rows: usize, repertoire: Repertoire) -> Editor {
    let mut editor = Editor::new(repertoire);
    editor.set_size(columns, rows);
    editor.set_prompt("> ", "\x1b[1;36m");
    editor
}

#[test]
fn a_short_line_is_one_row_with_its_status_at_the_right() {
    let mut editor = editor_on(20, 10, Repertoire::Unicode);
    editor.set_status("1 here");

    assert!(editor.insert("abc"));

    let row = "\x1b[1;36m> \x1b[0mabc        \x1b[2m1 here\x1b[0m";
    assert_eq!(drawn(&mut editor), format!("\x1b[?7l{row}\x1b[?7h\r\x1b[5C"));
    assert_eq!(erased(&mut editor), "\r\x1b[J");
    assert_eq!(erased(&mut editor), "", "it is not there any more");
}

#[test]
fn the_status_gives_way_where_no_two_blanks_would_be_before_it() {
    for (length, is_shown) in [(9, true), (10, false)] {
        let mut editor = editor_on(20, 10, Repertoire::Unicode);
        editor.set_status("1 here");
        assert!(editor.insert(&"x".repeat(length)));
        assert_eq!(drawn(&mut editor).contains("1 here"), is_shown, "{length}");
    }
}

#[test]
fn what_cannot_be_seen_is_spelt_out() {
    let cases = [
        ("a\nb\tc", "a⏎b⇥c", "a\\nb\\tc"),
        ("a\u{1b}[31mb", "a\\u{1b}[31mb", "a\\u{1b}[31mb"),
        ("a\u{9b}\u{7f}\r", "a\\u{9b}\\u{7f}\\u{d}", "a\\u{9b}\\u{7f}\\u{d}"),
        ("a\u{202e}b\u{2068}", "a\\u{202e}b\\u{2068}", "a\\u{202e}b\\u{2068}"),
        ("a\u{200d}b\u{200b}\u{feff}", "a\\u{200d}b\\u{200b}\\u{feff}", "a\\u{200d}b\\u{200b}\\u{feff}"),
        ("\u{301}x", "\\u{301}x", "\\u{301}x"),
        ("é你👨‍👩‍👧", "é你👨‍👩‍👧", "\\u{e9}\\u{4f60}\\u{1f468}\\u{200d}\\u{1f469}\\u{200d}\\u{1f467}"),
        ("نی\u{200c}ک", "\u{2068}نی\u{200c}ک\u{2069}", "\\u{646}\\u{6cc}\\u{200c}\\u{6a9}"),
        ("\u{3164}\u{2028}\u{e000}", "\\u{3164}\\u{2028}\\u{e000}", "\\u{3164}\\u{2028}\\u{e000}"),
    ];
    for (line, unicode, ascii) in cases {
        for (repertoire, expected) in [(Repertoire::Unicode, unicode), (Repertoire::Ascii, ascii)] {
            let mut editor = editor_on(140, 10, repertoire);
            assert!(editor.insert(line));

            let mut seen = drawn(&mut editor).replace("\x1b[2m", "").replace("\x1b[22m", "");
            seen = seen.replace("\x1b[?7l\x1b[1;36m> \x1b[0m", "").replace('\u{a0}', "");

            assert_eq!(seen.split("\x1b[?7h").next(), Some(expected), "{line:?}, {repertoire:?}");
            assert!(repertoire == Repertoire::Unicode || seen.is_ascii(), "{seen:?}");
        }
    }
}

#[test]
fn h49_a_pile_of_marks_is_spelt_out_instead_of_covering_its_neighbours() {
    let mut editor = editor_on(140, 10, Repertoire::Unicode);

    assert!(editor.insert(&format!("a{}", "\u{301}".repeat(20))));

    assert!(!drawn(&mut editor).contains('\u{301}'));
}

#[test]
fn h49_leaving_puts_the_cursor_below_the_whole_line_wherever_it_was() {
    let mut model = Model::new(20, 6);
    let mut editor = editor_on(20, 6, Repertoire::Unicode);
    assert!(editor.insert(&"word ".repeat(10)));
    let _ = press_all(&mut editor, "\x01");
    model.feed(&drawn(&mut editor));
    assert_eq!(model.cursor(), (0, 2));

    let mut out = String::new();
    editor.leave(&mut out);
    model.feed(&(out + "$ "));

    assert_eq!(model.screen(), ["> word word word wor", "d word word word wor", "d word word", "$", "", ""]);
    assert_eq!(erased(&mut editor), "", "what was left is not taken away again");
}

#[test]
fn h49_a_line_that_ends_at_the_edge_has_its_cursor_in_the_next_row() {
    for repertoire in [Repertoire::Unicode, Repertoire::Ascii] {
        let mut model = Model::new(20, 6);
        let mut editor = editor_on(20, 6, repertoire);
        assert!(editor.insert(&"x".repeat(18)));

        model.feed(&drawn(&mut editor));

        assert_eq!(model.cursor(), (1, 0));
        model.feed(&erased(&mut editor));
        assert!(model.all().iter().all(String::is_empty));
    }
}

#[test]
fn the_smallest_terminals_show_the_row_of_the_cursor() {
    for (columns, rows) in [(1, 1), (2, 1), (2, 2), (3, 3), (5, 1), (5, 2), (9, 4)] {
        let mut editor = editor_on(columns, rows, Repertoire::Unicode);
        editor.set_status("1 here");
        let mut model = Model::new(columns.max(2), rows);
        for key in
            ["a", "你", "\n", "\u{200b}", "bc", "\x01", "\x06", "\x05", "\x1b[200~a\r\rb\x1b[201~", "\x15"]
        {
            model.feed(&erased(&mut editor));
            let _ = press_all(&mut editor, key);
            model.feed(&drawn(&mut editor));
            assert!(model.cursor().0 < rows, "{columns}x{rows}");
        }
    }
}

/// Not a matter of time: what is written for a key is a screenful, and what is looked at before it as well, or this
/// would take hours.
#[test]
fn typing_into_the_longest_line_costs_a_screenful_a_key() {
    let mut editor = editor_on(80, 24, Repertoire::Unicode);
    assert!(editor.insert(&"word 你 ".repeat((Editor::LINE_BYTES_MAX - 4_000) / 9)));

    for keys in ["\x05", "\x01", "\x1bf"] {
        let _ = press_all(&mut editor, keys);
        for _ in 0..500 {
            assert_eq!(editor.press(Key::Text("x".to_owned())), Action::None);
            let _ = erased(&mut editor);
            let out = drawn(&mut editor);
            assert!(out.len() < 80 * 24 * 4, "{}", out.len());
        }
    }
}

#[test]
fn h49_a_character_that_becomes_narrower_goes_back_to_the_row_before() {
    let (mut typed, mut put_in) =
        (editor_on(20, 6, Repertoire::Unicode), editor_on(20, 6, Repertoire::Unicode));
    let watch = format!("{}⌚", "x".repeat(17));

    assert!(typed.insert(&watch));
    assert!(drawn(&mut typed).contains("\r\n⌚"), "it is too wide for the first row");
    let _ = typed.press(Key::Text("\u{fe0e}".to_owned()));
    assert!(put_in.insert(&format!("{watch}\u{fe0e}")));

    assert_eq!(drawn(&mut typed), drawn(&mut put_in));
}
