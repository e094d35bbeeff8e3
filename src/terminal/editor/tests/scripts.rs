//! Random scripts of keys, messages and sizes, on the model of a terminal. After each step what stands at its bottom
//! is held against a picture made in another way, and in the end everything that ever stood on it is accounted for.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::characters::CHARACTERS;
use super::model::Model;
use crate::terminal::editor::search::Search;
use crate::terminal::editor::{Action, Editor, Keys, Repertoire};

/// `SWITCHBOARD_SCRIPTS=1000 cargo test --lib scripts` has a thousand.
const SCRIPTS: u64 = 100;
const STEPS: usize = 40;
/// A longer line is killed: yanking has no end, and shows nothing new beyond some screenfuls.
const LINE_BYTES_MAX: usize = 2_000;

struct Dice(u64);

impl Dice {
    fn of_seed(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6a09_e667_f3bc_c909 | 1)
    }

    /// xorshift64, Marsaglia 2003; its lowest bits are the worst.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const KEYS: &[&str] = &[
    "\x01",
    "\x02",
    "\x02",
    "\x04",
    "\x05",
    "\x06",
    "\x07",
    "\x08",
    "\x0b",
    "\x0e",
    "\x10",
    "\x12",
    "\x14",
    "\x15",
    "\x17",
    "\x19",
    "\x1f",
    "\x7f",
    "\x7f",
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[D",
    "\x1b[H",
    "\x1b[F",
    "\x1b[3~",
    "\x1bb",
    "\x1bf",
    "\x1bd",
    "\x1by",
    "\x1b\x7f",
    "\x1b[1;5C",
    "\x1b[1;5D",
    "\x1b[12;40R",
    "\x1b[I",
    "\x1b[M !!",
    "\x1b]11;rgb:0/0/0\x07",
    "\t",
    "\r",
    "\x03",
];

/// What a character looks like, and whether it may be split: what is spelt out is one piece, but of narrow cells.
fn looks(cluster: &str) -> (String, usize) {
    match cluster {
        "\n" => ("⏎".to_owned(), 1),
        "\t" => ("⇥".to_owned(), 1),
        "\u{200b}" => ("\\u{200b}".to_owned(), 8),
        " " => (" ".to_owned(), 1),
        "实" | "验" | "室" => (cluster.to_owned(), 2),
        _ if cluster.is_ascii() => (cluster.to_owned(), cluster.len()),
        _ => {
            let known = CHARACTERS.iter().find(|(_, character, _)| *character == cluster);
            let (_, _, width) = known.unwrap_or_else(|| panic!("{cluster:?} was never typed"));
            (cluster.to_owned(), *width)
        }
    }
}

/// The rows of a picture, and where in it the cursor is.
#[derive(Debug, PartialEq)]
struct Rows {
    rows: Vec<String>,
    cursor: (usize, usize),
}

struct Oracle<'a> {
    prompt: String,
    status: &'a str,
    columns: usize,
    height: usize,
}

impl Oracle<'_> {
    fn head(&self) -> String {
        let pieces: Vec<(String, usize)> = self.prompt.graphemes(true).map(looks).collect();
        let width: usize = pieces.iter().map(|(_, width)| width).sum();
        if width <= self.columns - 2 {
            return pieces.into_iter().map(|(text, _)| text).collect();
        }
        let mut used = 0;
        let kept = pieces.into_iter().take_while(|(_, width)| {
            used += width;
            used <= self.columns - 3
        });
        kept.map(|(text, _)| text).collect::<String>() + "…"
    }

    fn with_status(&self, row: &str) -> String {
        let (used, width) = (row.width(), self.status.width());
        if used + 2 + width + 1 > self.columns {
            return row.to_owned();
        }
        format!("{row}{}{}", " ".repeat(self.columns - 1 - width - used), self.status)
    }

    fn whole(&self, line: &str, cursor: usize) -> Rows {
        let head = self.head();
        let mut rows = vec![(head.clone(), head.width())];
        let mut found = None;
        for (at, cluster) in line.grapheme_indices(true) {
            let (text, width) = looks(cluster);
            if rows.last().expect("one").1 + width > self.columns {
                rows.push((String::new(), 0));
            }
            let row = rows.len() - 1;
            let last = rows.last_mut().expect("one");
            if at == cursor {
                found = Some((row, last.1));
            }
            last.0.push_str(&text);
            last.1 += width;
        }
        if rows.last().expect("one").1 == self.columns {
            rows.push((String::new(), 0));
        }
        let end = (rows.len() - 1, rows.last().expect("one").1);
        Rows { cursor: found.unwrap_or(end), rows: rows.into_iter().map(|(row, _)| row).collect() }
    }

    /// All pictures that would be right: where there is no room for all rows, any window with the cursor in it.
    fn pictures(&self, line: &str, cursor: usize) -> Vec<Rows> {
        let whole = self.whole(line, cursor);
        let (count, height) = (whole.rows.len(), self.height - 1);
        let mut pictures = Vec::new();
        for first in 0..count {
            for end in first + 1..=count.min(first + height) {
                if !(first..end).contains(&whole.cursor.0) {
                    continue;
                }
                let (above, below) = (usize::from(first > 0), usize::from(end < count));
                if above + end - first + below != height.min(count) {
                    continue;
                }
                let mut rows: Vec<String> = whole.rows[first..end].to_vec();
                if above > 0 {
                    rows.insert(0, self.head() + "…");
                }
                rows[0] = self.with_status(&rows[0]);
                if below > 0 {
                    rows.push("…".to_owned());
                }
                let row = whole.cursor.0 - first + above;
                pictures.push(Rows { rows, cursor: (row, whole.cursor.1) });
            }
        }
        assert!(!pictures.is_empty());
        pictures
    }
}

/// A terminal, the editor on it, and what was put on it.
struct Desk {
    model: Model,
    editor: Editor,
    keys: Keys,
    messages: Vec<String>,
    columns: usize,
    height: usize,
    status: &'static str,
    prompt: &'static str,
    drawn: Option<Rows>,
    /// Whether the terminal has pushed rows of the line out of the screen, where nobody can erase them.
    has_lost_rows: bool,
}

impl Desk {
    fn new(dice: &mut Dice) -> Desk {
        let (columns, height) = (20 + dice.below(121), 5 + dice.below(46));
        let mut editor = Editor::new(Repertoire::Unicode);
        editor.set_size(columns, height);
        let prompt = dice.pick(&["#3 lab-a> ", "(nobody)> ", "", "#12 实验室> "]);
        let status = dice.pick(&["2 pending · 5,000 here", "", "1 here"]);
        editor.set_prompt(prompt, dice.pick(&["", "\x1b[1;36m"]));
        editor.set_status(status);
        let model = Model::new(columns, height);
        let (keys, messages) = (Keys::new(), Vec::new());
        Desk {
            model,
            editor,
            keys,
            messages,
            columns,
            height,
            status,
            prompt,
            drawn: None,
            has_lost_rows: false,
        }
    }

    fn frame(&mut self, messages: &[String]) {
        let mut out = "\x1b[?2026h".to_owned();
        self.editor.erase(&mut out);
        messages.iter().for_each(|message| out.push_str(&format!("{message}\r\n")));
        self.editor.draw(&mut out);
        self.model.feed(&(out + "\x1b[?2026l"));
        self.messages.extend_from_slice(messages);
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(10) {
            0..6 => {
                let bytes = some_keys(dice);
                self.type_in(&bytes, dice);
                self.frame(&[]);
            }
            6..8 => {
                let count = 1 + dice.below(3);
                let messages: Vec<String> =
                    (0..count).map(|at| some_message(self.messages.len() + at, dice)).collect();
                self.frame(&messages);
            }
            8 => self.resize(20 + dice.below(121), 5 + dice.below(46)),
            _ => self.resize((self.columns - dice.below(6)).max(20), self.height),
        }
    }

    fn type_in(&mut self, bytes: &str, dice: &mut Dice) {
        let (first, rest) = bytes.as_bytes().split_at(dice.below(bytes.len() + 1));
        let mut keys = Vec::new();
        self.keys.feed(first, &mut keys);
        self.keys.feed(rest, &mut keys);
        for key in keys {
            match self.editor.press(key) {
                Action::Enter => {
                    let line = self.editor.take();
                    self.editor.history.push(&line);
                }
                Action::Interrupt => self.editor.clear(),
                _ => {}
            }
        }
        if self.editor.line().len() > LINE_BYTES_MAX {
            self.editor.clear();
        }
    }

    fn resize(&mut self, columns: usize, height: usize) {
        let mut columns = columns;
        let mut above = 0;
        if let Some(drawn) = &self.drawn {
            let (row, column) = drawn.cursor;
            // The model counts columns to find the cursor again, and is wrong about a row in which a wide character
            // that came to the edge has left a gap before it. Such a width is passed over.
            while columns < self.columns && rewrapped(&drawn.rows[row], columns, Some(column)).1 {
                columns += 1;
            }
            above = row;
            if columns < self.columns {
                let rows = drawn.rows[..row].iter().map(|row| rewrapped(row, columns, None).0);
                above = rows.sum::<usize>() + rewrapped(&drawn.rows[row], columns, Some(column)).0 - 1;
            }
        }
        self.model.resize(columns, height);
        self.has_lost_rows |= above > self.model.cursor().0;
        (self.columns, self.height) = (columns, height);
        self.editor.set_size(columns, height);
        self.frame(&[]);
    }

    /// What stands at the bottom is what should, and the cursor with it.
    fn check(&mut self, context: &str) {
        let prompt = match self.editor.search.as_ref().map(Search::prompt) {
            None => self.prompt.to_owned(),
            Some(search) if self.prompt.is_empty() => search,
            Some(search) => self.prompt.replace("> ", " ") + &search,
        };
        let oracle = Oracle { prompt, status: self.status, columns: self.columns, height: self.height };
        let screen = self.model.screen();
        let cursor = self.model.cursor();
        let pictures = oracle.pictures(self.editor.line(), self.editor.cursor());
        let is_there = |picture: &Rows| {
            let Some(top) = cursor.0.checked_sub(picture.cursor.0) else { return false };
            let rows = picture.rows.iter().map(|row| row.trim_end());
            cursor.1 == picture.cursor.1
                && top + picture.rows.len() <= screen.len()
                && rows.eq(screen[top..].iter().take(picture.rows.len()).map(String::as_str))
                && screen[top + picture.rows.len()..].iter().all(String::is_empty)
        };
        let found = pictures.into_iter().find(is_there);
        assert!(
            found.is_some(),
            "{context}: {:?} at {} on {}x{}, cursor {cursor:?}, seen:\n{}",
            self.editor.line(),
            self.editor.cursor(),
            self.columns,
            self.height,
            screen.join("\n")
        );
        self.drawn = found;
    }

    /// Every message stands there once, in order. Behind a row that was pushed out of the screen while it was wrapped,
    /// what is written next belongs to it for the model.
    fn check_messages(&self, context: &str) {
        let all = self.model.all();
        let begin = |line: &str| {
            if self.has_lost_rows { line.find("message ") } else { line.starts_with("message ").then_some(0) }
        };
        let messages: Vec<&str> = all.iter().filter_map(|line| Some(&line[begin(line)?..])).collect();
        assert_eq!(messages, self.messages, "{context}: {}", all.join("\n"));
    }

    /// Every message stands there once, in order, and beside them nothing but the line.
    fn check_all(&mut self, context: &str) {
        let mut out = String::new();
        self.editor.leave(&mut out);
        self.model.feed(&out);
        let all = self.model.all();
        self.check_messages(context);
        assert_eq!(self.model.cursor().1, 0, "{context}");
        if !self.has_lost_rows {
            let drawn =
                self.drawn.as_ref().expect("it was drawn").rows.iter().map(|row| row.trim_end().to_owned());
            let rest: Vec<&String> = all.iter().skip(self.messages.len()).collect();
            let drawn: Vec<String> = drawn.collect();
            let is_line = rest.iter().zip(&drawn).all(|(seen, drawn)| *seen == drawn);
            let is_nothing_else = rest[drawn.len()..].iter().all(|line| line.is_empty());
            assert!(is_line && is_nothing_else, "{context}: stale rows:\n{}", all.join("\n"));
        }
    }
}

/// How many rows a row becomes in a narrower terminal, or up to a column of it, with that; and whether a wide
/// character leaves a gap at an edge.
fn rewrapped(row: &str, columns: usize, column: Option<usize>) -> (usize, bool) {
    let (mut rows, mut used, mut passed, mut has_gap) = (1, 0, 0, false);
    for cluster in row.graphemes(true).chain(std::iter::repeat(" ")) {
        if column.is_none() && passed >= row.width() {
            break;
        }
        if used + cluster.width() > columns {
            has_gap |= used < columns;
            (rows, used) = (rows + 1, 0);
        }
        if column.is_some_and(|column| passed >= column) {
            break;
        }
        used += cluster.width();
        passed += cluster.width();
    }
    (rows, has_gap)
}

fn some_text(dice: &mut Dice) -> String {
    let count = 1 + dice.below(12);
    let text = (0..count).map(|_| match dice.below(12) {
        0..4 => CHARACTERS[dice.below(CHARACTERS.len())].1,
        4..6 => " ",
        6 => "word",
        7 => "\u{200b}",
        _ => dice.pick(&["a", "b", "c", "-", "你", "😀"]),
    });
    text.collect()
}

fn some_keys(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..5 => some_text(dice),
        5 => {
            let lines: Vec<String> = (0..1 + dice.below(8)).map(|_| some_text(dice)).collect();
            format!("\x1b[200~{}\x1b[201~", lines.join(dice.pick(&["\r", "\n", "\r\n", "\t", "   "])))
        }
        _ => dice.pick(KEYS).repeat(1 + dice.below(4)),
    }
}

/// Wide characters only where none can come to the edge: there the model leaves a cell empty, and cannot say later
/// that it was none of the text.
fn some_message(number: usize, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("message {number} 你好"),
        1 => format!("message {number} {}", "x".repeat(1 + dice.below(200))),
        _ => format!("message {number}"),
    }
}

/// Whether the terminal had room for all rows throughout.
fn run(seed: u64) -> bool {
    let mut dice = Dice::of_seed(seed);
    let mut desk = Desk::new(&mut dice);
    desk.frame(&[]);
    for step in 0..STEPS {
        desk.step(&mut dice);
        desk.check(&format!("seed {seed}, step {step}"));
        if step % 8 == 0 {
            desk.check_messages(&format!("seed {seed}, step {step}"));
        }
        if desk.has_lost_rows {
            break;
        }
    }
    desk.check_all(&format!("seed {seed}"));
    !desk.has_lost_rows
}

#[test]
fn h49_whatever_is_typed_arrives_and_is_resized_the_line_and_all_messages_stand_where_they_should() {
    const THREADS: u64 = 8;
    let scripts =
        std::env::var("SWITCHBOARD_SCRIPTS").map_or(SCRIPTS, |count| count.parse().expect("a number"));
    let whole: usize = std::thread::scope(|scope| {
        let some = |first: u64| (first..scripts).step_by(THREADS as usize).filter(|seed| run(*seed)).count();
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || some(first))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a script went wrong, as said above")).sum()
    });

    assert!(whole > scripts as usize / 2, "only in {whole} scripts all rows could be erased");
}
