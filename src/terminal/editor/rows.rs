//! Where the rows of a line begin. Only as many are found as are looked at, and what lies before an edit is kept; so
//! a key costs about a screenful, however long the line is.

use std::ops::Range;

use super::shown::{Repertoire, units};

/// The rows of one line, as far as they were asked for.
#[derive(Debug)]
pub(super) struct Rows {
    columns: usize,
    /// How many columns stand before the line in the first row.
    indent: usize,
    repertoire: Repertoire,
    /// Where each row begins, in bytes; never empty.
    starts: Vec<usize>,
    /// Whether the last of these is the last row.
    is_whole: bool,
}

impl Rows {
    pub fn new(repertoire: Repertoire) -> Rows {
        Rows { columns: 0, indent: 0, repertoire, starts: vec![0], is_whole: false }
    }

    /// The text has changed from this byte on. The row before goes, too: its last character may have become narrower.
    pub fn changed_from(&mut self, at: usize) {
        let kept = self.starts.partition_point(|start| *start < at).saturating_sub(1);
        self.starts.truncate(kept.max(1));
        self.is_whole = false;
    }

    /// What stands around the line; if that has changed, so have all rows.
    pub fn set_frame(&mut self, columns: usize, indent: usize) {
        if (self.columns, self.indent) != (columns, indent) {
            (self.columns, self.indent) = (columns, indent);
            self.changed_from(0);
        }
    }

    /// The row in which this place is; where it is at the end of one, that is the next one's beginning.
    pub fn row_of(&mut self, text: &str, at: usize) -> usize {
        while !self.is_whole && self.last() <= at {
            self.find_next(text);
        }
        self.starts.partition_point(|start| *start <= at) - 1
    }

    /// How many rows there are, or `enough` if there are more.
    pub fn count(&mut self, text: &str, enough: usize) -> usize {
        while !self.is_whole && self.starts.len() < enough {
            self.find_next(text);
        }
        self.starts.len().min(enough)
    }

    /// The bytes of a row that was found.
    pub fn range(&mut self, text: &str, row: usize) -> Range<usize> {
        self.count(text, row + 2);
        self.starts[row]..self.starts.get(row + 1).copied().unwrap_or(text.len())
    }

    /// How many columns stand before the line in this row.
    pub fn indent_of(&self, row: usize) -> usize {
        if row == 0 { self.indent } else { 0 }
    }

    fn last(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// A row ends before what has no room in it; one that is full to its last column has an empty one behind it, for
    /// the cursor.
    fn find_next(&mut self, text: &str) {
        let start = self.last();
        let (mut end, mut used) = (start, self.indent_of(self.starts.len() - 1));
        for unit in units(&text[start..], self.repertoire) {
            // What is wider than the whole terminal has to stand somewhere.
            if used + unit.width > self.columns && used > 0 {
                return self.starts.push(end);
            }
            end += unit.bytes;
            used += unit.width;
        }
        if used >= self.columns {
            self.starts.push(end);
        } else {
            self.is_whole = true;
        }
    }
}
