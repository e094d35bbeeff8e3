//! The lines that were entered before, and walking through them. Where they are kept is the owner's affair.

use std::collections::{BTreeMap, VecDeque};

/// Lines that were entered, the newest last.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: VecDeque<String>,
    /// Where a walk stands, if one goes on.
    walk: Option<Walk>,
}

/// A walk through the entries: which line is being edited, and what has become of those that were left changed.
#[derive(Clone, Debug)]
struct Walk {
    /// Behind the last entry stands the draft.
    at: usize,
    changed: BTreeMap<usize, String>,
}

impl History {
    /// How many lines are kept; the oldest go first.
    pub const ENTRIES_MAX: usize = 1_000;

    /// Keeps a line, unless it is empty, the same as the last, or begins with a blank; says whether it does.
    pub fn push(&mut self, line: &str) -> bool {
        self.walk = None;
        if line.is_empty() || line.starts_with(' ') || self.entries.back().is_some_and(|last| last == line) {
            return false;
        }
        self.entries.push_back(line.to_owned());
        if self.entries.len() > History::ENTRIES_MAX {
            self.entries.pop_front();
        }
        true
    }

    /// The lines, the oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.entries.iter().map(String::as_str)
    }

    /// Ends a walk; what was changed on it is forgotten.
    pub(super) fn end_walk(&mut self) {
        self.walk = None;
    }

    /// The line before the one that is being edited; that one is kept as it is now.
    pub(super) fn older(&mut self, edited: &str) -> Option<String> {
        let at = self.walk.as_ref().map_or(self.entries.len(), |walk| walk.at);
        self.go(edited, at, at.checked_sub(1)?)
    }

    /// The line after it.
    pub(super) fn newer(&mut self, edited: &str) -> Option<String> {
        let at = self.walk.as_ref()?.at;
        if at < self.entries.len() { self.go(edited, at, at + 1) } else { None }
    }

    fn go(&mut self, edited: &str, from: usize, to: usize) -> Option<String> {
        let walk = self.walk.get_or_insert(Walk { at: from, changed: BTreeMap::new() });
        if self.entries.get(from).is_none_or(|entry| entry != edited) {
            walk.changed.insert(from, edited.to_owned());
        } else {
            walk.changed.remove(&from);
        }
        walk.at = to;
        walk.changed.get(&to).or_else(|| self.entries.get(to)).cloned()
    }

    /// The newest entry before the `before`-th that contains the text, and where in it; which number it has.
    pub(super) fn find(&self, text: &str, before: usize) -> Option<(usize, usize)> {
        let entries = self.entries.iter().enumerate().take(before).rev();
        entries.filter_map(|(number, entry)| Some((number, entry.rfind(text)?))).next()
    }

    pub(super) fn entry(&self, number: usize) -> &str {
        self.entries.get(number).map_or("", String::as_str)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl From<Vec<String>> for History {
    /// What was kept from earlier, the oldest first.
    fn from(entries: Vec<String>) -> History {
        let mut history = History::default();
        for entry in &entries {
            history.push(entry);
        }
        history
    }
}
