//! Ctrl-R: back through the history for what is typed.

use unicode_segmentation::UnicodeSegmentation;

use super::history::History;

/// The longest text that is searched for, in bytes.
const QUERY_BYTES_MAX: usize = 256;

/// A search that goes on.
#[derive(Debug)]
pub(super) struct Search {
    query: String,
    /// Which entry is shown; the number of entries, while it is still the draft.
    found: usize,
    has_failed: bool,
    /// What was edited before, and where the cursor stood in it.
    pub draft: (String, usize),
}

impl Search {
    pub fn new(draft: (String, usize), history: &History) -> Search {
        Search { query: String::new(), found: history.len(), has_failed: false, draft }
    }

    pub fn query(&self) -> &str {
        &self.query
    }

    /// How it is announced in place of the prompt.
    pub fn prompt(&self) -> String {
        let failed = if self.has_failed { "failed " } else { "" };
        format!("({failed}search \"{}\") ", self.query)
    }

    /// Searches for more, from the entry that is shown; gives the entry that fits, and where the text stands in it.
    pub fn extend<'a>(&mut self, text: &str, history: &'a History) -> Option<(&'a str, usize)> {
        if self.query.len() + text.len() > QUERY_BYTES_MAX {
            return None;
        }
        self.query.push_str(text);
        self.find(self.found.saturating_add(1), history)
    }

    /// Searches for one character less, from the newest entry.
    pub fn shorten<'a>(&mut self, history: &'a History) -> Option<(&'a str, usize)> {
        let last = self.query.grapheme_indices(true).next_back();
        self.query.truncate(last.map_or(0, |(at, _)| at));
        self.find(usize::MAX, history)
    }

    /// Searches on, behind the entry that is shown.
    pub fn go_on<'a>(&mut self, history: &'a History) -> Option<(&'a str, usize)> {
        self.find(self.found, history)
    }

    fn find<'a>(&mut self, before: usize, history: &'a History) -> Option<(&'a str, usize)> {
        if self.query.is_empty() {
            self.has_failed = false;
            return None;
        }
        let found = history.find(&self.query, before);
        self.has_failed = found.is_none();
        let (number, at) = found?;
        self.found = number;
        Some((history.entry(number), at))
    }
}
