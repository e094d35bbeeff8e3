//! Texts made into rows, above the line that is edited. What is longer than a row is wrapped by us, with an indent, so
//! that a row that goes on looks like no line of its own.

use super::editor::{Repertoire, is_right_to_left, shown_units};

/// What a terminal holds back until it is whole (synchronized output); where that is not known, it is passed over.
const BEGIN_FRAME: &str = "\x1b[?2026h";
const END_FRAME: &str = "\x1b[?2026l";

/// A width that the terminal counts otherwise than we must not add a row, so it wraps nothing by itself meanwhile.
const NO_AUTOWRAP: &str = "\x1b[?7l";
const AUTOWRAP: &str = "\x1b[?7h";

/// Where a line goes on.
const INDENT: &str = "    ";

/// A word that takes more than this part of a row is cut where the row ends.
const LONG_WORD_SHARE: usize = 3;

/// Ends a colour.
const PLAIN: &str = "\x1b[0m";

/// How texts are painted.
#[derive(Clone, Copy, Debug)]
pub struct Painter {
    /// Columns of a row.
    pub columns: usize,
    /// Whether there are colours.
    pub is_coloured: bool,
    /// Which characters are shown as they are.
    pub repertoire: Repertoire,
}

/// Appends a frame: what is to be seen at once, and nothing of it before.
pub fn frame(out: &mut String, draw: impl FnOnce(&mut String)) {
    out.push_str(BEGIN_FRAME);
    draw(out);
    out.push_str(END_FRAME);
}

/// Appends rows, which a painter makes.
pub fn rows(out: &mut String, paint: impl FnOnce(&mut String)) {
    out.push_str(NO_AUTOWRAP);
    paint(out);
    out.push_str(AUTOWRAP);
}

impl Painter {
    /// Appends the rows of a line, each with its end. Its parts stand one behind the other, each in the colour of the
    /// SGR sequence before it, or in none.
    pub fn paint<'a>(&self, parts: impl IntoIterator<Item = (impl AsRef<str>, &'a str)>, out: &mut String) {
        self.fill(Row::first(*self, out), parts);
    }

    /// The same for what goes on with a line whose last row has ended.
    pub fn paint_rest<'a>(
        &self,
        parts: impl IntoIterator<Item = (impl AsRef<str>, &'a str)>,
        out: &mut String,
    ) {
        let mut row = Row::first(*self, out);
        row.indent();
        self.fill(row, parts);
    }

    fn fill<'a>(&self, mut row: Row<'_>, parts: impl IntoIterator<Item = (impl AsRef<str>, &'a str)>) {
        for (sgr, part) in parts {
            row.push(sgr.as_ref(), part);
        }
        row.end();
    }
}

/// The row that is being filled.
struct Row<'a> {
    painter: Painter,
    out: &'a mut String,
    /// What stands in it in the colour of the moment.
    text: String,
    used: usize,
    /// Where in `text` a row may end, and how many columns are used up to there.
    break_at: Option<(usize, usize)>,
    sgr: String,
    /// How much of it is not ours to fill.
    indent: usize,
}

impl Row<'_> {
    fn first(painter: Painter, out: &mut String) -> Row<'_> {
        Row { painter, out, text: String::new(), used: 0, break_at: None, sgr: String::new(), indent: 0 }
    }

    fn push(&mut self, sgr: &str, part: &str) {
        self.end_colour();
        sgr.clone_into(&mut self.sgr);
        // Most of what is said is short.
        if self.used + part.len() <= self.painter.columns
            && part.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        {
            self.text.push_str(part);
            self.used += part.len();
            return;
        }
        for unit in shown_units(part, self.painter.repertoire) {
            let is_blank = unit.shown == " ";
            if self.used + unit.width > self.painter.columns && self.used > self.indent {
                if is_blank {
                    // At the end of a row it is not seen, and at the beginning of one it would be in the way.
                    self.break_at = Some((self.text.len(), self.used));
                    continue;
                }
                self.wrap();
            }
            self.text.push_str(&unit.shown);
            self.used += unit.width;
            if is_blank || unit.width > 1 {
                self.break_at = Some((self.text.len(), self.used));
            }
        }
    }

    /// Goes on in the next row, with the whole of a word that was begun, unless it is a long one.
    fn wrap(&mut self) {
        let (at, used) = self.break_at.unwrap_or((self.text.len(), self.used));
        let word_columns = self.used - used;
        let is_long = word_columns > self.painter.columns / LONG_WORD_SHARE;
        let word = if is_long { String::new() } else { self.text.split_off(at) };
        self.begin_next();
        self.used += if is_long { 0 } else { word_columns };
        self.text = word;
    }

    fn begin_next(&mut self) {
        self.end_colour();
        self.out.push_str("\r\n");
        self.indent();
    }

    /// A narrow terminal has a narrow indent.
    fn indent(&mut self) {
        self.indent = INDENT.len().min(self.painter.columns / 4).max(1);
        self.used = self.indent;
        self.out.push_str(&INDENT[..self.indent]);
    }

    /// Right-to-left text stands in isolates, so that in terminals that turn it round, what stands beside it in the
    /// row stays where it is.
    fn end_colour(&mut self) {
        self.break_at = None;
        if self.text.is_empty() {
            return;
        }
        let is_coloured = self.painter.is_coloured && !self.sgr.is_empty();
        let is_turned = self.painter.repertoire == Repertoire::Unicode && is_right_to_left(&self.text);
        let around = |is_there: bool, mark: &'static str| if is_there { mark } else { "" };
        if is_coloured {
            self.out.push_str(&self.sgr);
        }
        self.out.push_str(around(is_turned, "\u{2068}"));
        self.out.push_str(&self.text);
        self.out.push_str(around(is_turned, "\u{2069}"));
        self.out.push_str(around(is_coloured, PLAIN));
        self.text.clear();
    }

    fn end(&mut self) {
        self.end_colour();
        self.out.push_str("\r\n");
    }
}
