//! The text being edited and the cursor in it. All that changes it goes through one function, which bounds it, keeps
//! what undoing takes, and remembers from where on the picture of it is no longer true.

use std::collections::VecDeque;
use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// What undoing may keep, in bytes; beyond it the oldest changes cannot be undone any more.
const UNDO_BYTES_MAX: usize = 4 << 20;
/// What a change counts beside its text.
const CHANGE_BYTES: usize = size_of::<Change>();

/// One change, as undoing needs it.
#[derive(Debug)]
struct Change {
    at: usize,
    removed: String,
    inserted_bytes: usize,
    cursor: usize,
}

/// Whether a change may become one with the change before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// It is undone by itself.
    Alone,
    /// It goes on with what was typed just before, and is undone with it.
    GoesOn,
}

/// A text of at most [`Line::BYTES_MAX`], with a cursor that stands between two characters as a person counts them
/// (grapheme clusters).
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    cursor: usize,
    changes: VecDeque<Change>,
    changes_bytes: usize,
    /// The first byte that may differ from what [`Line::take_changed`] was last asked about.
    changed_from: Option<usize>,
}

impl Line {
    pub const BYTES_MAX: usize = 1 << 20;

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// From where on the text differs since this was last asked, if it does.
    pub fn take_changed(&mut self) -> Option<usize> {
        self.changed_from.take()
    }

    /// Puts the cursor at a byte, or behind the character that this byte is within.
    pub fn move_to(&mut self, at: usize) {
        self.cursor = if self.is_between(at) { at } else { self.after(at) };
    }

    /// The end of the character that begins at, or contains, this place.
    pub fn after(&self, at: usize) -> usize {
        let next = GraphemeCursor::new(at, self.text.len(), true).next_boundary(&self.text, 0);
        next.ok().flatten().unwrap_or(self.text.len())
    }

    /// The beginning of the character before this place.
    pub fn before(&self, at: usize) -> usize {
        let previous = GraphemeCursor::new(at, self.text.len(), true).prev_boundary(&self.text, 0);
        previous.ok().flatten().unwrap_or(0)
    }

    fn is_between(&self, at: usize) -> bool {
        GraphemeCursor::new(at, self.text.len(), true).is_boundary(&self.text, 0).unwrap_or(true)
    }

    /// Replaces what is in the range, which lies between characters of the encoding, and puts the cursor behind what
    /// is new. False, with nothing changed, where the text would become too long.
    pub fn replace(&mut self, range: Range<usize>, new: &str, run: Run) -> bool {
        if range.is_empty() && new.is_empty() {
            return true;
        }
        if self.text.len() - range.len() + new.len() > Line::BYTES_MAX {
            return false;
        }
        let (at, cursor) = (range.start, self.cursor);
        let removed = self.text[range.clone()].to_owned();
        self.edit(range, new);
        self.move_to(at + new.len());
        match self.changes.back_mut() {
            Some(last) if run == Run::GoesOn && removed.is_empty() && last.at + last.inserted_bytes == at => {
                last.inserted_bytes += new.len();
            }
            _ => {
                self.changes_bytes += removed.len() + CHANGE_BYTES;
                self.changes.push_back(Change { at, removed, inserted_bytes: new.len(), cursor });
            }
        }
        while self.changes_bytes > UNDO_BYTES_MAX {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.changes_bytes -= oldest.removed.len() + CHANGE_BYTES;
        }
        true
    }

    /// Takes back the last change; false where there is none.
    pub fn undo(&mut self) -> bool {
        let Some(change) = self.changes.pop_back() else { return false };
        self.changes_bytes -= change.removed.len() + CHANGE_BYTES;
        self.edit(change.at..change.at + change.inserted_bytes, &change.removed);
        self.move_to(change.cursor);
        true
    }

    /// Makes this the text, with the cursor at its end and nothing to undo; gives back what it was.
    pub fn exchange(&mut self, text: String) -> String {
        self.changes.clear();
        self.changes_bytes = 0;
        self.changed_from = Some(0);
        self.cursor = text.len();
        std::mem::replace(&mut self.text, text)
    }

    /// The same, with the cursor at this place.
    pub fn restore(&mut self, text: String, cursor: usize) {
        self.exchange(text);
        self.move_to(cursor);
    }

    fn edit(&mut self, range: Range<usize>, new: &str) {
        self.changed_from = Some(self.changed_from.map_or(range.start, |from| from.min(range.start)));
        self.text.replace_range(range, new);
    }

    /// Where the word before the cursor begins, and what stands between it and the cursor is passed over.
    pub fn word_before(&self, is_word: fn(&str) -> bool) -> usize {
        let mut is_within = false;
        let characters = self.text[..self.cursor].grapheme_indices(true).rev();
        let first = characters.take_while(|(_, character)| {
            let goes_on = is_word(character) || !is_within;
            is_within |= is_word(character);
            goes_on
        });
        first.last().map_or(self.cursor, |(at, _)| at)
    }

    /// Where the word after the cursor ends, likewise.
    pub fn word_after(&self, is_word: fn(&str) -> bool) -> usize {
        let mut is_within = false;
        let characters = self.text[self.cursor..].grapheme_indices(true);
        let last = characters.take_while(|(_, character)| {
            let goes_on = is_word(character) || !is_within;
            is_within |= is_word(character);
            goes_on
        });
        last.last().map_or(self.cursor, |(at, character)| self.cursor + at + character.len())
    }
}

/// Letters and digits make a word for most keys, as in readline.
pub(super) fn is_alphanumeric(character: &str) -> bool {
    character.chars().next().is_some_and(char::is_alphanumeric)
}

/// Whatever is not blank makes one for Ctrl-W.
pub(super) fn is_not_blank(character: &str) -> bool {
    !character.chars().next().is_some_and(char::is_whitespace)
}
