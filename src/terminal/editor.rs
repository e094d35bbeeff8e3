//! A line being edited at the bottom of a terminal, below what arrives meanwhile. Pure: [`Keys`] makes keys of what
//! was read, [`Editor::press`] takes them, [`Editor::erase`] and [`Editor::draw`] say what is to be written.
//!
//! # How its owner draws
//!
//! ```text
//! \x1b[?2026h   erase   messages, each with \r\n at its end   draw   \x1b[?2026l
//! ```
//!
//! in one write, whenever a key, a message or a new size has come: no scroll region and no other screen, so what
//! arrives goes into the terminal's own scrollback. The terminal is in raw mode, with autowrap on and the cursor at the left edge of an
//! empty row when it is drawn first.
//!
//! # Where that has its limits
//!
//! A terminal that becomes narrower is expected to rewrap its rows, as most do; one that cuts them instead (xterm,
//! the Linux console) loses up to as many rows of messages from its screen as the line had rows. Rows that a
//! terminal has pushed into its scrollback because it became smaller than the line cannot be erased any more.

use std::ops::Range;

mod complete;
mod edit;
mod history;
mod keys;
mod kills;
mod line;
mod picture;
mod rows;
mod search;
mod shown;

#[cfg(test)]
pub(crate) mod tests;

pub use complete::Offer;
pub use history::History;
pub use keys::{Key, Keys};
pub use shown::Repertoire;
pub(crate) use shown::{is_right_to_left, units as shown_units};

use kills::Kills;
use line::Line;
use picture::{Picture, View};
use search::Search;

/// What a key asks of the owner. The line is drawn anew after each, whatever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Nothing.
    None,
    /// The line is complete: [`Editor::take`] it, or leave it standing.
    Enter,
    /// Ctrl-C. The line is as it was; [`Editor::clear`] it.
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L: clear the screen, then [`Editor::forget`] what was drawn.
    Refresh,
    /// Tab: [`Editor::offer`] what may stand there.
    Complete,
    /// There was nothing to do it with, or no room: the line is as it was. A bell would be fitting.
    Rejected,
}

/// What the last key was, as far as the next one depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Last {
    Other,
    Typing,
    Kill,
    /// What it put in.
    Yank(Range<usize>),
    /// Tab; whether it had nothing to add, so that a second one lists.
    Tab {
        was_in_vain: bool,
    },
}

/// The line, its history, and where it stands on the terminal.
#[derive(Debug)]
pub struct Editor {
    line: Line,
    /// What was entered before. The owner pushes what it has taken.
    pub history: History,
    kills: Kills,
    last: Last,
    /// A search through the history, while one goes on.
    search: Option<Search>,
    last_query: String,
    prompt: String,
    sgr: String,
    status: String,
    picture: Picture,
}

impl Editor {
    /// The longest line, in bytes: 1 MiB. What would make it longer is refused as a whole.
    pub const LINE_BYTES_MAX: usize = Line::BYTES_MAX;

    /// An empty line without a prompt, on a terminal of 80 columns and 24 rows.
    pub fn new(repertoire: Repertoire) -> Editor {
        Editor {
            line: Line::default(),
            history: History::default(),
            kills: Kills::default(),
            last: Last::Other,
            search: None,
            last_query: String::new(),
            prompt: String::new(),
            sgr: String::new(),
            status: String::new(),
            picture: Picture::new(repertoire),
        }
    }

    /// The terminal has this size now; to be told before erasing, since what was drawn may have been rewrapped.
    /// Taken as at least 2 columns and 1 row.
    pub fn set_size(&mut self, columns: usize, rows: usize) {
        self.picture.set_size(columns, rows);
    }

    /// What stands before the line, in colours: an SGR sequence such as `\x1b[1;36m`, or nothing. A prompt that has
    /// no room in the first row is cut.
    pub fn set_prompt(&mut self, text: &str, sgr: &str) {
        text.clone_into(&mut self.prompt);
        sgr.clone_into(&mut self.sgr);
    }

    /// What stands, dim, at the right edge of the first row, as long as the line leaves two blanks before it.
    pub fn set_status(&mut self, text: &str) {
        text.clone_into(&mut self.status);
    }

    /// What is being edited; while the history is searched, what was found.
    pub fn line(&self) -> &str {
        self.line.text()
    }

    /// Where the cursor stands, in bytes; between two characters.
    pub fn cursor(&self) -> usize {
        self.line.cursor()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.line().is_empty()
    }

    /// Whether the history is being searched.
    pub fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// Gives the line away and begins a new one, with nothing to undo.
    pub fn take(&mut self) -> String {
        self.search = None;
        self.last = Last::Other;
        self.history.end_walk();
        self.line.exchange(String::new())
    }

    /// Begins a new line.
    pub fn clear(&mut self) {
        self.take();
    }

    /// Puts text in where the cursor is. False, with nothing changed, where it would become too long.
    pub fn insert(&mut self, text: &str) -> bool {
        self.accept_search();
        self.last = Last::Other;
        self.put_in(text, line::Run::Alone)
    }

    /// Forgets what was drawn: somebody has cleared the screen, and the cursor stands at the left edge of an empty row.
    pub fn forget(&mut self) {
        self.picture.forget();
    }

    /// Appends what takes the line off the terminal, from where drawing has left the cursor: to the left edge, up to
    /// the first row of it, and everything below erased. Nothing, where nothing is drawn.
    pub fn erase(&mut self, out: &mut String) {
        self.picture.erase(out);
    }

    /// Appends what draws the line in the rows from the cursor's on, which are empty.
    pub fn draw(&mut self, out: &mut String) {
        self.picture_of(|picture, view| picture.draw(view, out));
    }

    /// Appends what leaves the line standing as it is, with the cursor at the beginning of a row below it.
    pub fn leave(&mut self, out: &mut String) {
        self.picture_of(|picture, view| picture.leave(view, out));
    }

    fn picture_of(&mut self, act: impl FnOnce(&mut Picture, View<'_>)) {
        if let Some(from) = self.line.take_changed() {
            self.picture.rows.changed_from(from);
        }
        // Whom the line is for stays to be seen.
        let name = self.prompt.trim_end_matches("> ");
        let between = if name.is_empty() { "" } else { " " };
        let searching = self.search.as_ref().map(|search| format!("{name}{between}{}", search.prompt()));
        let (prompt, sgr) = searching.as_deref().map_or((&*self.prompt, &*self.sgr), |prompt| (prompt, ""));
        let (text, cursor) = (self.line.text(), self.line.cursor());
        act(&mut self.picture, View { prompt, sgr, status: &self.status, text, cursor });
    }
}
