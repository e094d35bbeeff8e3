//! Lines made into rows. What is longer than a row is wrapped by us, with an indent that no first row has, so that
//! nobody can paint a row that looks like another's.

use super::feed::{Kind, Line};
use crate::terminal::editor::{Repertoire, is_right_to_left, shown_units};

/// Where a line goes on. No first row begins with a blank.
const INDENT: &str = "    ";

/// Colours for connections, of the 256: of middling brightness, so that they are read on dark and on light, and none
/// that is the red of what was lost.
const OF_CONNS: [u8; 12] = [33, 28, 166, 133, 30, 136, 62, 168, 65, 131, 31, 130];

/// A word that takes more than this part of a row is cut where the row ends.
const LONG_WORD_SHARE: usize = 3;

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// How lines are painted.
#[derive(Clone, Copy, Debug)]
pub struct Painter {
    /// Columns of a row.
    pub columns: usize,
    /// Whether there are colours.
    pub is_coloured: bool,
    /// Which characters are shown as they are.
    pub repertoire: Repertoire,
}

/// The colour of a connection: an SGR sequence.
pub fn colour_of(serial: u64) -> String {
    format!("\x1b[38;5;{}m", OF_CONNS[(serial % OF_CONNS.len() as u64) as usize])
}

impl Painter {
    /// Appends the rows of a line, each with its end.
    pub fn paint(&self, line: &Line, out: &mut String) {
        let mut row = Row {
            painter: *self,
            out,
            text: String::new(),
            used: 0,
            break_at: None,
            sgr: String::new(),
            is_first: true,
        };
        for (sgr, part) in parts(line) {
            row.push(&sgr, part);
        }
        row.end();
    }
}

/// What is painted in which colour.
fn parts(line: &Line) -> Vec<(String, &str)> {
    let text = &*line.text;
    let plain = |sgr: &str| vec![(sgr.to_owned(), text)];
    match line.kind {
        Kind::Message | Kind::Typed => {
            let (stamp, rest) = text.split_at(text.find(' ').map_or(0, |at| at + 1));
            let (label, said) = rest.split_at(rest.find("> ").map_or(0, |at| at + 2));
            let colour = if line.kind == Kind::Typed { BOLD.to_owned() } else { colour_of(line.serial) };
            vec![(DIM.to_owned(), stamp), (colour, label), (String::new(), said)]
        }
        Kind::Note | Kind::Log => plain(DIM),
        Kind::Loss | Kind::Refusal => plain(RED),
        Kind::Reply | Kind::Hex => plain(""),
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
    is_first: bool,
}

impl Row<'_> {
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
            if self.used + unit.width > self.painter.columns && self.used > self.indent() {
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

    fn indent(&self) -> usize {
        if self.is_first { 0 } else { INDENT.len().min(self.painter.columns / 4).max(1) }
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
        self.is_first = false;
        self.out.push_str("\r\n");
        self.used = self.indent();
        self.out.push_str(&INDENT[..self.used.min(INDENT.len())]);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of a colour of the cube (WCAG 2.2): 0 is black, 1 is white.
    fn luminance(colour: u8) -> f64 {
        let level = |part: u8| {
            let value = f64::from([0u8, 95, 135, 175, 215, 255][usize::from(part % 6)]) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let cube = colour - 16;
        0.2126 * level(cube / 36) + 0.7152 * level(cube / 6) + 0.0722 * level(cube)
    }

    /// The rows of a message at a width, without colours.
    fn rows(said: &str, columns: usize) -> Vec<String> {
        let painter = Painter { columns, is_coloured: false, repertoire: Repertoire::Unicode };
        let mut out = String::new();
        let text = format!("12:00:00.000 #3> {said}");
        painter.paint(&Line { kind: Kind::Message, serial: 3, text }, &mut out);
        out.lines().map(str::to_owned).collect()
    }

    #[test]
    fn rows_end_between_words_and_only_a_long_one_is_cut() {
        for (said, columns, expected) in [
            ("its state, its temperature", 40, ["12:00:00.000 #3> its state, its ", "    temperature"]),
            ("its state, its temperature", 41, ["12:00:00.000 #3> its state, its ", "    temperature"]),
            ("exactly a whole row then more", 36, ["12:00:00.000 #3> exactly a whole row", "    then more"]),
            ("id 0123456789abcdef01234", 32, ["12:00:00.000 #3> id 0123456789ab", "    cdef01234"]),
            ("0123456789abcdef", 30, ["12:00:00.000 #3> 0123456789abc", "    def"]),
            ("读温度 读温度读温度", 32, ["12:00:00.000 #3> 读温度 读温度读", "    温度"]),
        ] {
            assert_eq!(rows(said, columns), expected, "{columns} columns");
        }
        assert_eq!(rows("a whole row", 28), ["12:00:00.000 #3> a whole row"]);
        assert_eq!(rows("a whole row ", 28), ["12:00:00.000 #3> a whole row"], "nor a row of a blank alone");
    }

    #[test]
    fn the_colours_of_connections_are_read_on_white_and_on_a_dark_ground() {
        for colour in OF_CONNS {
            let luminance = luminance(colour);
            // #1e1e1e, which many themes have for black.
            let (on_white, on_dark) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.063);
            assert!(on_white > 3.0 && on_dark > 3.0, "{colour}: {on_white:.1} and {on_dark:.1} to 1");
        }
    }
}
