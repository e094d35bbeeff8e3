//! The editor as a person has it: what keys do, and what stands on a terminal then.

use super::{Action, Editor, Key, Keys, Repertoire};

mod characters;
mod drawing;
mod history;
mod input;
mod keys;
pub(crate) mod model;
mod scripts;

/// The keys in these bytes, read at once.
fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut found = Vec::new();
    Keys::new().feed(bytes, &mut found);
    found
}

/// An editor in which this was typed, and the last answer.
fn typed(bytes: &str) -> (Editor, Action) {
    let mut editor = Editor::new(Repertoire::Unicode);
    let action = press_all(&mut editor, bytes);
    (editor, action)
}

/// Types this, and says what the last key asked for.
fn press_all(editor: &mut Editor, bytes: &str) -> Action {
    keys(bytes.as_bytes()).into_iter().map(|key| editor.press(key)).last().unwrap_or(Action::None)
}

/// The line with the cursor in it, as `|`.
fn state(editor: &Editor) -> String {
    let (before, behind) = editor.line().split_at(editor.cursor());
    format!("{before}|{behind}")
}
