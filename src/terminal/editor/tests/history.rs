//! Lines entered before, and how they are found again.

use super::{press_all, state};
use crate::terminal::editor::{Action, Editor, History, Repertoire};

fn editor_with(entries: &[&str]) -> Editor {
    let mut editor = Editor::new(Repertoire::Unicode);
    editor.history = History::from(entries.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    editor
}

#[test]
fn what_is_kept() {
    let mut history = History::default();

    let kept = ["a", "a", "", " secret", "b", "a"].map(|line| history.push(line));

    assert_eq!(kept, [true, false, false, false, true, true]);
    assert_eq!(history.entries().collect::<Vec<_>>(), ["a", "b", "a"]);
    for number in 0..2 * History::ENTRIES_MAX {
        history.push(&number.to_string());
    }
    assert_eq!(history.entries().count(), History::ENTRIES_MAX);
    assert_eq!(history.entries().next_back(), Some("1999"));
}

#[test]
fn up_and_down_keep_the_draft_and_what_was_changed_on_the_way() {
    let cases = [
        ("\x1b[A", "two|"),
        ("\x10\x10", "one|"),
        ("\x1b[A\x1b[A\x1b[A", "one|"),
        ("draft\x1b[A\x1b[B", "draft|"),
        ("draft\x1b[B", "draft|"),
        ("draft\x1b[A!\x1b[A\x1b[B", "two!|"),
        ("draft\x1b[A!\x1b[A?\x0e\x0e", "draft|"),
        ("draft\x1b[A!\x1b[B!\x1b[A", "two!|"),
    ];
    for (keys, line) in cases {
        let mut editor = editor_with(&["one", "two"]);

        let _ = press_all(&mut editor, keys);

        assert_eq!(state(&editor), line, "after {keys:?}");
    }
}

#[test]
fn what_was_changed_is_forgotten_with_enter() {
    let mut editor = editor_with(&["one", "two"]);

    let _ = press_all(&mut editor, "draft\x1b[A\x1b[A!\r");
    assert_eq!(editor.take(), "one!");
    editor.history.push("one!");
    let _ = press_all(&mut editor, "\x1b[A\x1b[A\x1b[A");

    assert_eq!(state(&editor), "one|");
}

#[test]
fn ctrl_r_searches_back() {
    let entries = ["alpha one", "beta", "alpha two", "gamma"];
    let cases = [
        ("draft\x12", "draft|", Action::None),
        ("draft\x12al", "|alpha two", Action::None),
        ("draft\x12alp\x12", "|alpha one", Action::None),
        ("draft\x12alp\x12\x12", "|alpha one", Action::None),
        ("draft\x12alpha o", "|alpha one", Action::None),
        ("draft\x12alpha o\x7f\x7f", "|alpha two", Action::None),
        ("draft\x12xyz", "draft|", Action::None),
        ("draft\x02\x12al\x07", "draf|t", Action::None),
        ("draft\x02\x12al\x03", "draf|t", Action::None),
        ("draft\x12al\r", "|alpha two", Action::Enter),
        ("draft\x12al\x1b[C", "a|lpha two", Action::None),
        ("draft\x12al\x05!", "alpha two!|", Action::None),
        ("draft\x12al\x07\x12\x12", "|alpha two", Action::None),
        ("draft\x12al\x03\x03", "draft|", Action::Interrupt),
        ("draft\x12al\x0c", "|alpha two", Action::Refresh),
        ("draft\x12\x1b[200~alpha o\nbeta\x1b[201~", "|alpha one", Action::None),
    ];
    for (keys, line, action) in cases {
        let mut editor = editor_with(&entries);

        let last = press_all(&mut editor, keys);

        assert_eq!((state(&editor).as_str(), last), (line, action), "after {keys:?}");
    }
}

#[test]
fn a_search_says_what_it_looks_for_in_place_of_the_prompt() {
    let mut editor = editor_with(&["alpha"]);
    editor.set_prompt("#3> ", "");

    for (keys, shown) in
        [("\x12al", "#3 (search \"al\") alpha"), ("x", "#3 (failed search \"alx\") alpha"), ("\x07", "#3> ")]
    {
        let _ = press_all(&mut editor, keys);
        let mut out = String::new();
        editor.draw(&mut out);
        assert!(out.contains(shown), "{out:?} after {keys:?}");
    }
}
