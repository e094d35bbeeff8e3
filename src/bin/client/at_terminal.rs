//! A person at a terminal: the last rows are what is being typed, what arrives stands above. Pure: frames, notes and
//! keys go in; what comes out is what is to be drawn, and the lines that were entered.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::time::Instant;

use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;
use switchboard::desk::text::{Repertoire, plural, without_cr};
use switchboard::terminal::editor::{self, Action, Editor, Key, Keys};
use switchboard::terminal::painter::{self, Painter};
use switchboard::terminal::{Act, Chunk, Entered, Interactive, Mail, Size, Whom};
use switchboard::{End, Frame};

use super::exit_watch::is_exit;

const PROMPT: &str = "> ";
const DIM: &str = "\x1b[2m";

/// So many bytes that are not drawn yet are enough.
const FULL_BYTES: usize = 512 << 10;

/// The person, and what it sees.
#[derive(Debug)]
pub struct AtTerminal {
    editor: Editor,
    keys: Keys,
    repertoire: Repertoire,
    painter: Painter,
    /// What is to be drawn above the line.
    feed: VecDeque<(Kind, String)>,
    feed_bytes: usize,
    /// It was found full, and somebody waits for room.
    wants_room: bool,
    /// The server has said the beginning of a line, which was shown.
    is_within_line: bool,
    /// Lines that were entered, until it is said that they are taken.
    entered: VecDeque<String>,
    /// So much waits for the server that nothing more is to be entered.
    waiting_bytes: Option<usize>,
    /// No line is edited any more.
    is_over: bool,
    is_stale: bool,
    is_drawn: bool,
    clears_screen: bool,
    rings: bool,
    /// When what was begun to be typed is taken as it is.
    settles_at: Option<Instant>,
}

/// What a row above the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What the server said.
    Said,
    /// The same, where the line was begun before.
    SaidOn,
    /// What was typed, and taken.
    Typed,
    /// What was typed, and was not.
    NotSent,
    /// What the client itself says.
    Note,
}

impl AtTerminal {
    /// Nobody has typed or said anything yet.
    pub fn new(repertoire: Repertoire, is_coloured: bool) -> AtTerminal {
        let of_editor = match repertoire {
            Repertoire::Unicode => editor::Repertoire::Unicode,
            Repertoire::Ascii => editor::Repertoire::Ascii,
        };
        let mut editor = Editor::new(of_editor);
        editor.set_prompt(PROMPT, if is_coloured { DIM } else { "" });
        AtTerminal {
            editor,
            keys: Keys::new(),
            repertoire,
            painter: Painter { columns: 80, is_coloured, repertoire: of_editor },
            feed: VecDeque::new(),
            feed_bytes: 0,
            wants_room: false,
            is_within_line: false,
            entered: VecDeque::new(),
            waiting_bytes: None,
            is_over: false,
            is_stale: true,
            is_drawn: false,
            clears_screen: false,
            rings: false,
            settles_at: None,
        }
    }

    /// The server has said something.
    pub fn said(&mut self, frame: &Frame<'_>) {
        let mut text = Vec::new();
        self.repertoire.push(&mut text, without_cr(frame.bytes));
        let goes_on = mem::replace(&mut self.is_within_line, frame.end != End::Newline);
        match goes_on {
            false => self.push(Kind::Said, String::from_utf8_lossy(&text).into_owned()),
            // The end of a line alone.
            true if text.is_empty() => {}
            true => self.push(Kind::SaidOn, String::from_utf8_lossy(&text).into_owned()),
        }
    }

    /// The client has something to say.
    pub fn tell(&mut self, note: String) {
        self.push(Kind::Note, note);
    }

    /// The line that was entered first, of those that were not taken yet, is on its way.
    pub fn taken(&mut self) {
        if let Some(line) = self.entered.pop_front() {
            self.push(Kind::Typed, line);
        }
    }

    /// So many bytes wait for a server that takes nothing; or it does.
    pub fn set_waiting_bytes(&mut self, bytes: Option<usize>) {
        self.waiting_bytes = bytes;
    }

    /// Whether more is to be said only later. When there is room again, mail comes.
    pub fn is_full(&mut self) -> bool {
        self.wants_room = self.feed_bytes >= FULL_BYTES;
        self.wants_room
    }

    /// It is over: nothing that is typed from now on counts, and what was typed and is not on its way stays to be seen.
    pub fn end(&mut self) {
        let begun = if self.editor.is_empty() { None } else { Some(self.editor.take()) };
        for line in mem::take(&mut self.entered).into_iter().chain(begun) {
            self.push(Kind::NotSent, line);
        }
        self.stop_editing();
    }

    fn stop_editing(&mut self) {
        self.is_over = true;
        self.is_stale = true;
    }

    fn push(&mut self, kind: Kind, text: String) {
        self.feed_bytes += text.len();
        self.feed.push_back((kind, text));
    }

    fn press(&mut self, key: Key, acts: &mut Vec<Act<Mail>>) {
        if self.is_over {
            if key == Key::Interrupt {
                acts.push(interrupt());
            }
            return;
        }
        self.is_stale = true;
        let was_empty = self.editor.is_empty();
        match self.editor.press(key) {
            Action::None => {}
            Action::Enter => self.enter(acts),
            Action::Interrupt if !was_empty => self.editor.clear(),
            Action::Interrupt => {
                self.stop_editing();
                acts.push(interrupt());
            }
            Action::EndOfInput => {
                self.stop_editing();
                acts.push(Act::Post(Mail::Stdin(Chunk::Ended(None))));
                acts.push(Act::EndInput);
            }
            Action::Suspend => acts.push(Act::Suspend),
            Action::Refresh => self.clears_screen = true,
            // Nothing is known here that could be completed: it is a character like others.
            Action::Complete => self.rings |= !self.editor.insert("\t"),
            Action::Rejected => self.rings = true,
        }
    }

    fn enter(&mut self, acts: &mut Vec<Act<Mail>>) {
        let line = self.editor.line();
        // In what was pasted as several rows, none is meant for us.
        let is_text = line.contains('\n');
        let leaves = !is_text && is_exit(line.as_bytes());
        if let Some(waiting) = self.waiting_bytes.filter(|_| !leaves) {
            self.rings = true;
            let waiting = plural(waiting as u64, "byte");
            return self.tell(format!("not sent: the server takes nothing, and {waiting} wait for it"));
        }
        let line = self.editor.take();
        self.editor.history.push(&line);
        self.entered.push_back(line.clone());
        acts.push(Act::Post(Mail::Entered(Entered {
            line: line.into_bytes(),
            is_text,
            whom: Whom::Nobody,
            named: None,
            last: None,
            run: 0,
        })));
        if leaves {
            self.stop_editing();
        }
    }

    fn draw(&mut self, edits: bool, out: &mut String) {
        if mem::take(&mut self.clears_screen) {
            out.push_str("\x1b[H\x1b[2J");
            self.editor.forget();
        }
        self.editor.erase(out);
        if !self.feed.is_empty() {
            self.feed_bytes = 0;
            let (painter, feed) = (self.painter, mem::take(&mut self.feed));
            painter::rows(out, |out| feed.iter().for_each(|(kind, text)| paint(painter, *kind, text, out)));
        }
        if edits && !self.is_over {
            self.editor.draw(out);
        }
        if mem::take(&mut self.rings) {
            out.push('\x07');
        }
    }
}

/// Appends the rows of a line. What was typed has the prompt before it as it had when it was typed.
fn paint(painter: Painter, kind: Kind, text: &str, out: &mut String) {
    match kind {
        Kind::Said => painter.paint([("", text)], out),
        Kind::SaidOn => painter.paint_rest([("", text)], out),
        Kind::Typed => painter.paint([(DIM, PROMPT), ("", text)], out),
        Kind::NotSent => painter.paint([(DIM, PROMPT), ("", text), (DIM, " (not sent)")], out),
        Kind::Note => painter.paint([(DIM, text)], out),
    }
}

/// What Ctrl-C is where the terminal itself sees to it, so that a second one ends the process at once.
fn interrupt() -> Act<Mail> {
    Act::Run(Box::new(|| {
        // It fails only for a signal that there is not.
        let _ = raise(SIGINT);
    }))
}

impl Interactive for AtTerminal {
    type Mail = Mail;

    fn resize(&mut self, size: Size) {
        self.is_stale |= self.painter.columns != size.columns;
        self.painter.columns = size.columns.max(2);
        self.editor.set_size(size.columns, size.rows);
    }

    fn typed(&mut self, bytes: &[u8], now: Instant, acts: &mut Vec<Act<Mail>>) {
        let mut keys = Vec::new();
        self.keys.feed(bytes, &mut keys);
        self.settles_at = self.keys.is_pending().then(|| now + Keys::ESCAPE_TIME);
        keys.into_iter().for_each(|key| self.press(key, acts));
    }

    fn frame(
        &mut self,
        edits: bool,
        now: Instant,
        out: &mut String,
        acts: &mut Vec<Act<Mail>>,
    ) -> Option<Instant> {
        if self.settles_at.is_some_and(|at| at <= now) {
            let mut keys = Vec::new();
            self.keys.settle(&mut keys);
            self.settles_at = None;
            keys.into_iter().for_each(|key| self.press(key, acts));
        }
        if self.is_stale || !self.feed.is_empty() || edits != self.is_drawn {
            self.is_stale = false;
            self.is_drawn = edits;
            painter::frame(out, |out| self.draw(edits, out));
        }
        if mem::take(&mut self.wants_room) {
            acts.push(Act::Post(Mail::ScreenHasRoom));
        }
        self.settles_at
    }

    fn erase(&mut self, out: &mut String) {
        self.editor.erase(out);
        self.is_drawn = false;
    }

    fn forget_drawn(&mut self) {
        self.editor.forget();
        self.is_stale = true;
    }

    /// Nothing is ever looked up.
    fn looked_up(&mut self, _found: Vec<String>) {}

    fn ended(&mut self, error: Option<io::Error>) -> Mail {
        Mail::Stdin(Chunk::Ended(error))
    }

    fn failed(&mut self, error: io::Error) -> Mail {
        Mail::ScreenFailed(error)
    }

    fn cannot_suspend(&mut self) {
        self.tell("this cannot be stopped: there is no shell that would bring it back".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person for whom frames are drawn, one after the other.
    struct Seen {
        person: AtTerminal,
        posted: Vec<Mail>,
    }

    impl Seen {
        fn new() -> Seen {
            let mut person = AtTerminal::new(Repertoire::Unicode, false);
            person.resize(Size { columns: 20, rows: 10 });
            Seen { person, posted: Vec::new() }
        }

        /// The line that Enter has posted after these bytes were typed.
        fn entered(&mut self, bytes: &[u8]) -> Option<(String, bool)> {
            let mut acts = Vec::new();
            self.person.typed(bytes, Instant::now(), &mut acts);
            acts.into_iter().find_map(|act| match act {
                Act::Post(Mail::Entered(Entered { line, is_text, .. })) => {
                    Some((String::from_utf8(line).unwrap(), is_text))
                }
                _ => None,
            })
        }

        /// What the next frame leaves on an empty screen.
        fn frame(&mut self) -> String {
            let (mut out, mut acts) = (String::new(), Vec::new());
            self.person.frame(true, Instant::now(), &mut out, &mut acts);
            self.posted.extend(acts.into_iter().filter_map(|act| match act {
                Act::Post(mail) => Some(mail),
                _ => None,
            }));
            let mut terminal = avt::Terminal::with_scrollback(20, 10, None).expect("it has a size");
            terminal.feed(out.as_str());
            let lines = terminal.screen().visible_lines();
            let rows: Vec<String> = lines.map(|line| line.text().trim_end().to_owned()).collect();
            rows.join("\n").trim_end().to_owned()
        }
    }

    fn frame(bytes: &[u8], end: End) -> Frame<'_> {
        Frame::of(bytes, end)
    }

    #[test]
    fn what_goes_on_stands_under_its_beginning_and_the_end_of_a_line_alone_is_no_row() {
        let mut seen = Seen::new();

        seen.person.said(&frame(b"login: ", End::Silence));
        seen.person.said(&frame(b"\r", End::Newline));
        seen.person.said(&frame(b"a\x1b[2Jb", End::Silence));
        seen.person.said(&frame(b"and more of it than fits", End::Newline));
        seen.person.said(&frame(b"", End::Newline));
        seen.person.said(&frame(b"next", End::Newline));

        let expected = "login:\na\\x1b[2Jb\n    and more of it\n    than fits\n\nnext\n>";
        assert_eq!(seen.frame(), expected);
    }

    #[test]
    fn a_line_is_shown_as_sent_when_it_was_taken_and_else_as_not_sent_at_the_end() {
        let mut seen = Seen::new();

        let first = seen.entered(b"one\r");
        let second = seen.entered(b"two\rha");
        seen.person.taken();
        seen.person.end();
        let after = seen.entered(b"lf\r");

        assert_eq!((first, second, after), (Some(("one".into(), false)), Some(("two".into(), false)), None));
        assert_eq!(seen.frame(), "> one\n> two (not sent)\n> ha (not sent)");
    }

    #[test]
    fn what_is_pasted_in_rows_is_a_text_and_while_nothing_is_taken_the_line_stays() {
        let mut seen = Seen::new();

        let pasted = seen.entered(b"\x1b[200~exit\nmore\x1b[201~\r");
        seen.person.set_waiting_bytes(Some(1));
        let refused = seen.entered(b"kept\r");
        let kept = seen.person.editor.line().to_owned();
        let exit = seen.entered(b"\x15exit\r");

        assert_eq!(pasted, Some(("exit\nmore".into(), true)));
        assert_eq!((refused, &*kept), (None, "kept"));
        assert_eq!(exit, Some(("exit".into(), false)), "it still leaves");
    }

    #[test]
    fn whoever_waits_for_room_is_told_of_it() {
        let mut seen = Seen::new();

        let at_first = seen.person.is_full();
        seen.person.said(&frame(&[b'x'; FULL_BYTES], End::Newline));
        let at_last = seen.person.is_full();
        seen.frame();

        assert_eq!((at_first, at_last, seen.person.is_full()), (false, true, false));
        assert!(matches!(seen.posted[..], [Mail::ScreenHasRoom]), "{:?}", seen.posted);
    }
}
