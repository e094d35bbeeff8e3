//! How the line stands on the terminal, and how it is taken away again.
//!
//! Rows are wrapped here, with the terminal's own wrapping off meanwhile: where it counts an emoji wider than we do,
//! a row is cut at the edge instead of becoming two. The cursor is placed from the left edge, never by counting back.

use std::fmt::Write;
use std::ops::Range;

use super::rows::Rows;
use super::shown::{Repertoire, Unit, is_right_to_left, units};

/// What is shown, besides how.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub prompt: &'a str,
    /// The sequence that colours the prompt, or nothing.
    pub sgr: &'a str,
    pub status: &'a str,
    pub text: &'a str,
    pub cursor: usize,
}

/// A terminal of this size, and what stands on it of ours.
#[derive(Debug)]
pub(super) struct Picture {
    columns: usize,
    height: usize,
    repertoire: Repertoire,
    pub rows: Rows,
    drawn: Option<Drawn>,
}

/// What was drawn last.
#[derive(Debug)]
struct Drawn {
    columns: usize,
    /// The rows down to that of the cursor.
    rows: Vec<Row>,
    /// The column of the cursor.
    column: usize,
}

/// One row as it is written, and the widths of what stands in it.
#[derive(Debug, Default)]
struct Row {
    text: String,
    widths: Vec<u8>,
}

/// Which rows of the line are shown, and where a mark says that there are more.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    rows: Range<usize>,
    is_cut_above: bool,
    is_cut_below: bool,
}

impl Picture {
    pub fn new(repertoire: Repertoire) -> Picture {
        Picture { columns: 80, height: 24, repertoire, rows: Rows::new(repertoire), drawn: None }
    }

    pub fn set_size(&mut self, columns: usize, height: usize) {
        (self.columns, self.height) = (columns.max(2), height.max(1));
    }

    pub fn forget(&mut self) {
        self.drawn = None;
    }

    pub fn erase(&mut self, out: &mut String) {
        let Some(drawn) = self.drawn.take() else { return };
        out.push('\r');
        let above = drawn.rows_above_cursor(self.columns);
        if above > 0 {
            push(out, format_args!("\x1b[{above}A"));
        }
        out.push_str("\x1b[J");
    }

    pub fn draw(&mut self, view: View<'_>, out: &mut String) {
        let (mut rows, row) = self.compose(view);
        let range = self.rows.range(view.text, row.of_line);
        let before_cursor =
            units_between(view.text, range.start..view.cursor, self.repertoire).map(|unit| unit.width);
        let column = self.rows.indent_of(row.of_line) + before_cursor.sum::<usize>();
        let below = rows.len() - 1 - row.of_window;
        write_rows(&rows, out);
        if below > 0 {
            push(out, format_args!("\x1b[{below}A"));
        }
        out.push('\r');
        // Beyond the last column is only what is wider than the terminal.
        let column = column.min(self.columns - 1);
        if column > 0 {
            push(out, format_args!("\x1b[{column}C"));
        }
        rows.truncate(row.of_window + 1);
        self.drawn = Some(Drawn { columns: self.columns, rows, column });
    }

    /// Draws it for the last time, and begins a row below it.
    pub fn leave(&mut self, view: View<'_>, out: &mut String) {
        self.erase(out);
        let (rows, _) = self.compose(view);
        write_rows(&rows, out);
        out.push_str("\r\n");
    }

    fn compose(&mut self, view: View<'_>) -> (Vec<Row>, Place) {
        let head = self.head(view);
        self.rows.set_frame(self.columns, head.width());
        let cursor_row = self.rows.row_of(view.text, view.cursor);
        let height = self.height.saturating_sub(1).max(1);
        let count = self.rows.count(view.text, cursor_row + height + 1);
        let window = Window::around(cursor_row, count, height);
        let mut rows = Vec::new();
        if window.is_cut_above {
            let mut row = head.clone();
            self.mark(&mut row);
            self.add_status(&mut row, view.status);
            rows.push(row);
        }
        let of_window = rows.len() + cursor_row - window.rows.start;
        for number in window.rows.clone() {
            let mut row = if number == 0 { head.clone() } else { Row::default() };
            let range = self.rows.range(view.text, number);
            self.add_line(&mut row, &view.text[range]);
            let has_status = number == 0 && self.add_status(&mut row, view.status);
            if number + 1 == count && !has_status {
                self.add_rest_for_cursor(&mut row);
            }
            rows.push(row);
        }
        if window.is_cut_below {
            let mut row = Row::default();
            self.mark(&mut row);
            rows.push(row);
        }
        (rows, Place { of_line: cursor_row, of_window })
    }

    /// The prompt, cut so that it leaves the line at least two columns beside it.
    fn head(&self, view: View<'_>) -> Row {
        let mut row = Row { text: view.sgr.to_owned(), widths: Vec::new() };
        let room = self.columns.saturating_sub(3);
        let is_cut = units(view.prompt, self.repertoire).map(|unit| unit.width).sum::<usize>() > room + 1;
        let mut used = 0;
        for unit in units(view.prompt, self.repertoire) {
            used += unit.width;
            if is_cut && used > room {
                break;
            }
            row.push(&unit);
        }
        if is_cut {
            self.mark(&mut row);
        }
        if !view.sgr.is_empty() {
            row.text.push_str("\x1b[0m");
        }
        row
    }

    /// Right-to-left text stands in isolates, so that in terminals that turn it round nothing beside it is turned as
    /// well; all others pass them over. Spelt out, nobody could read what they type.
    fn add_line(&self, row: &mut Row, text: &str) {
        let is_turned = self.repertoire == Repertoire::Unicode && is_right_to_left(text);
        if is_turned {
            row.text.push('\u{2068}');
        }
        let blank_at_end = text.len().wrapping_sub(1);
        let mut at = 0;
        for mut unit in units(text, self.repertoire) {
            // Some terminals forget blanks at the end of a row when they rewrap it, others do not. How many rows
            // there will be must not depend on that.
            if at == blank_at_end && unit.shown == " " && self.repertoire == Repertoire::Unicode {
                unit.shown = "\u{a0}".into();
            }
            at += unit.bytes;
            row.push(&unit);
        }
        if is_turned {
            row.text.push('\u{2069}');
        }
    }

    /// Behind the line stands one more cell. Where a narrower terminal puts a cursor that stood on none is anybody's
    /// guess; one that stands on a cell goes with it.
    fn add_rest_for_cursor(&self, row: &mut Row) {
        if row.width() < self.columns && self.repertoire == Repertoire::Unicode {
            row.push_plain("\u{a0}", 1);
        }
    }

    fn mark(&self, row: &mut Row) {
        row.push_plain(if self.repertoire == Repertoire::Unicode { "…" } else { "~" }, 1);
    }

    /// At the right edge, if two blanks remain before it and one behind it: a row that is full would be rewrapped
    /// as soon as the terminal becomes narrower.
    fn add_status(&self, row: &mut Row, status: &str) -> bool {
        let units: Vec<Unit<'_>> = units(status, self.repertoire).collect();
        let width: usize = units.iter().map(|unit| unit.width).sum();
        let used = row.width();
        if width == 0 || used + width + 3 > self.columns {
            return false;
        }
        for _ in used..self.columns - 1 - width {
            row.push_plain(" ", 1);
        }
        row.text.push_str("\x1b[2m");
        units.iter().for_each(|unit| row.push_plain(&unit.shown, unit.width));
        row.text.push_str("\x1b[0m");
        true
    }
}

/// Where the cursor is: in which row of the whole line, and in which of those shown.
struct Place {
    of_line: usize,
    of_window: usize,
}

impl Clone for Row {
    fn clone(&self) -> Row {
        Row { text: self.text.clone(), widths: self.widths.clone() }
    }
}

impl Row {
    fn width(&self) -> usize {
        self.widths.iter().map(|width| usize::from(*width)).sum()
    }

    /// What stands for something else is dim, so that it is not taken for itself.
    fn push(&mut self, unit: &Unit<'_>) {
        if unit.is_stand_in {
            self.text.push_str("\x1b[2m");
            unit.shown.chars().for_each(|char| self.push_plain(char.encode_utf8(&mut [0; 4]), 1));
            self.text.push_str("\x1b[22m");
        } else {
            self.push_plain(&unit.shown, unit.width);
        }
    }

    fn push_plain(&mut self, text: &str, width: usize) {
        self.text.push_str(text);
        self.widths.push(u8::try_from(width).unwrap_or(u8::MAX));
    }
}

impl Drawn {
    /// How many rows stand above the cursor's by now. A narrower terminal has rewrapped each row; a wider one has
    /// not, as each ended with a line break.
    fn rows_above_cursor(&self, columns: usize) -> usize {
        let Some((cursor_row, above)) = self.rows.split_last() else { return 0 };
        if columns >= self.columns {
            return above.len();
        }
        let rewrapped = above.iter().map(|row| rewrap(&row.widths, columns, usize::MAX).0 + 1);
        rewrapped.sum::<usize>() + rewrap(&cursor_row.widths, columns, self.column).0
    }
}

/// Where what begins at the column stands in a narrower terminal, which puts what does not fit into the next row.
fn rewrap(widths: &[u8], columns: usize, column: usize) -> (usize, usize) {
    let (mut row, mut used, mut passed) = (0, 0, 0);
    for width in widths.iter().map(|width| usize::from(*width)) {
        if used + width > columns && used > 0 {
            (row, used) = (row + 1, 0);
        }
        if passed >= column {
            return (row, used);
        }
        used += width;
        passed += width;
    }
    if column != usize::MAX && used >= columns { (row + 1, 0) } else { (row, used) }
}

impl Window {
    /// All rows, or as many as there is height for: those around the cursor's, with a row for each mark where there
    /// are three or more. The prompt stands in that of the first.
    fn around(row: usize, count: usize, height: usize) -> Window {
        let (above, below) = (usize::from(height >= 2), usize::from(height >= 3));
        if count <= height {
            Window { rows: 0..count, is_cut_above: false, is_cut_below: false }
        } else if row < height - below {
            Window { rows: 0..height - below, is_cut_above: false, is_cut_below: below > 0 }
        } else if row >= count - (height - above) {
            Window { rows: count - (height - above)..count, is_cut_above: above > 0, is_cut_below: false }
        } else {
            let room = height - above - below;
            let first = row - room / 2;
            Window { rows: first..first + room, is_cut_above: above > 0, is_cut_below: below > 0 }
        }
    }
}

fn units_between(text: &str, range: Range<usize>, repertoire: Repertoire) -> impl Iterator<Item = Unit<'_>> {
    let bytes = range.len();
    let mut at = 0;
    units(&text[range.start..], repertoire).take_while(move |unit| {
        at += unit.bytes;
        at <= bytes
    })
}

fn write_rows(rows: &[Row], out: &mut String) {
    out.push_str("\x1b[?7l");
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            out.push_str("\r\n");
        }
        out.push_str(&row.text);
    }
    out.push_str("\x1b[?7h");
}

fn push(out: &mut String, sequence: std::fmt::Arguments<'_>) {
    out.write_fmt(sequence).expect("a String takes whatever is written to it");
}
