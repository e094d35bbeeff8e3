//! The terminal desk: the last rows are the operator's, whatever arrives above. Pure: events and replies go in, typed
//! keys go in, and what comes out is what is to be drawn, and what was entered. It knows nothing of the server but what
//! it is told, so that it can be at the other end of a socket.

mod aim;
mod complete;
mod events;
mod feed;
mod guard;
mod hex;
mod keys;
mod others;
mod paint;
mod roster;
mod sampler;

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use aim::Aim;
use aim::Pin;
use feed::{Feed, Kind, Line};
use guard::Guard;
use others::Others;
use paint::{colour_of, parts};
pub use roster::Roster;
use sampler::Sampler;

use super::text::{Renderer, Repertoire, Stamp};
use crate::terminal::editor::{self, Editor, Key, Keys};
use crate::terminal::painter::{self, Painter};
use crate::terminal::{Act, Chunk, HistoryFile, Interactive, Mail, Size, Whom};

/// So much of what waits comes with one frame: keys are looked at between two, and what is drawn holds up nobody.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// For so long after Enter the prompt stays, whoever speaks: what comes as fast as that was pasted, or typed ahead, by
/// somebody who has not read another one.
const STAYS: Duration = Duration::from_millis(200);

/// How a terminal desk is set up.
#[derive(Debug)]
pub struct TerminalOptions {
    /// Which characters it shows.
    pub repertoire: Repertoire,
    /// Whether there are colours.
    pub is_coloured: bool,
    /// Whether the lines that say that something was sent are left out.
    pub is_quiet: bool,
    /// Whether it is counted who waits for an answer.
    pub tracks_pending: bool,
    /// Whether the operator speaks to everybody at first.
    pub speaks_to_all: bool,
    /// Whether there may be other desks, which are told to whom something is being typed here.
    pub has_others: bool,
    /// It is attached to a server, so leaving it ends nothing else.
    pub is_attached: bool,
    /// Where entered lines are kept, if they are, and those of earlier.
    pub history: Option<(HistoryFile, editor::History)>,
}

/// One operator at a terminal.
#[derive(Debug)]
pub struct TerminalDesk {
    editor: Editor,
    keys: Keys,
    renderer: Renderer,
    stamp: Stamp,
    roster: Roster,
    /// The current target.
    aim: Aim,
    /// What the prompt showed when it was drawn last: whom a line that is begun now reaches.
    shown: Pin,
    /// Whom the line that is being edited reaches.
    pin: Option<Pin>,
    /// Whom the line before it was for, and until when a line that is begun is for the same.
    stays: Option<(Pin, Instant)>,
    feed: Feed,
    sampler: Sampler,
    guard: Guard,
    painter: Painter,
    history_file: Option<Arc<Mutex<HistoryFile>>>,
    is_quiet: bool,
    tracks_pending: bool,
    is_attached: bool,
    others: Others,
    /// What was typed behind a command that is to change the target, until that is answered.
    behind: Option<Vec<Key>>,
    /// The same once it is answered, to be taken with the next frame.
    answered_behind: Option<Vec<Key>>,
    /// Entered lines that are not answered yet.
    unanswered: usize,
    /// Where what is looked up for Tab is to stand.
    completing: Option<(Range<usize>, String)>,
    /// The line begins with what was pasted.
    is_pasted: bool,
    /// Nothing more is typed here: the end was asked for.
    is_over: bool,
    /// Whom the prompt has shown for a line that names its own target, and how that was written.
    shown_named: Option<(String, Pin)>,
    /// Both, of the frame that is being written.
    composed: Option<(Pin, Option<(String, Pin)>)>,
    /// Something has changed that is to be seen.
    is_stale: bool,
    /// Whose message was the last, and whether it is shown.
    spoke_last: Option<(u64, bool)>,
    is_drawn: bool,
    clears_screen: bool,
    rings: bool,
    /// When what was begun to be typed is taken as it is.
    settles_at: Option<Instant>,
}

impl TerminalDesk {
    /// A desk where nobody is connected yet.
    pub fn new(options: TerminalOptions) -> TerminalDesk {
        let repertoire = match options.repertoire {
            Repertoire::Unicode => editor::Repertoire::Unicode,
            Repertoire::Ascii => editor::Repertoire::Ascii,
        };
        let aim = if options.speaks_to_all { Aim::All } else { Aim::Last };
        let roster = Roster::default();
        let mut editor = Editor::new(repertoire);
        let (file, history) = options.history.unzip();
        editor.history = history.unwrap_or_default();
        let mut desk = TerminalDesk {
            editor,
            keys: Keys::new(),
            renderer: Renderer::for_terminal(options.repertoire),
            stamp: Stamp::local(),
            shown: aim.pin(&roster),
            roster,
            aim,
            pin: None,
            stays: None,
            feed: Feed::default(),
            sampler: Sampler::default(),
            guard: Guard::default(),
            painter: Painter { columns: 80, is_coloured: options.is_coloured, repertoire },
            history_file: file.map(|file| Arc::new(Mutex::new(file))),
            is_quiet: options.is_quiet,
            tracks_pending: options.tracks_pending,
            is_attached: options.is_attached,
            others: Others::new(options.has_others),
            behind: None,
            answered_behind: None,
            unanswered: 0,
            completing: None,
            is_pasted: false,
            is_over: false,
            shown_named: None,
            composed: None,
            is_stale: true,
            spoke_last: None,
            is_drawn: false,
            clears_screen: false,
            rings: false,
            settles_at: None,
        };
        desk.say(
            Kind::Note,
            "* what you type goes to whom the prompt names; /help explains the rest, Ctrl-D leaves",
        );
        desk
    }

    /// Whether there is something to be drawn.
    pub fn wants_frame(&self) -> bool {
        self.is_stale || !self.feed.is_empty()
    }

    /// A line of the log, or several.
    pub fn log(&mut self, lines: &str) {
        for line in lines.lines() {
            self.say(Kind::Log, line);
        }
    }

    /// How many bytes wait to be seen.
    pub fn waiting_bytes(&mut self) -> usize {
        self.feed.take(usize::MAX).0.iter().map(|line| line.text.len()).sum()
    }

    /// Has a line shown that is about no connection.
    fn say(&mut self, kind: Kind, text: &str) {
        self.feed.push(Line { kind, serial: 0, text: text.to_owned() });
    }

    /// Whom the prompt names.
    fn prompted(&self) -> Pin {
        let begun = self.pin.as_ref().or(self.stays.as_ref().map(|(pin, _)| pin));
        begun.cloned().unwrap_or_else(|| self.aim.pin(&self.roster))
    }

    /// Appends what waits, row by row.
    fn draw_feed(&mut self, out: &mut String) {
        let (lines, skipped) = self.feed.take(FRAME_BYTES_MAX);
        if lines.is_empty() && skipped == 0 {
            return;
        }
        let painter = self.painter;
        painter::rows(out, |out| {
            if skipped > 0 {
                let lines = super::words::plural(skipped, "line");
                let text = format!("* {lines} skipped: the terminal was too slow for them");
                painter.paint(parts(&Line { kind: Kind::Loss, serial: 0, text }), out);
            }
            lines.iter().for_each(|line| painter.paint(parts(line), out));
        });
    }

    fn draw(&mut self, edits: bool, out: &mut String) {
        if std::mem::take(&mut self.clears_screen) {
            out.push_str("\x1b[H\x1b[2J");
            self.editor.forget();
        }
        self.editor.erase(out);
        self.draw_feed(out);
        if edits {
            self.draw_editor(out);
        }
        self.is_drawn = edits;
        if std::mem::take(&mut self.rings) {
            out.push('\x07');
        }
    }

    fn draw_editor(&mut self, out: &mut String) {
        let prompted = self.prompted();
        // A line that names its own target reaches that.
        let target = self.editor.line().split(' ').next().unwrap_or_default().to_owned();
        let addressed = self.addressed();
        let named = addressed.clone().unwrap_or_else(|| prompted.clone());
        self.composed = Some((prompted, addressed.map(|pin| (target, pin))));
        let sgr = match named.whom {
            _ if !self.painter.is_coloured => String::new(),
            Whom::One(_) | Whom::Several(_) if named.has_left(&self.roster) => "\x1b[31m".into(),
            Whom::One(serial) => colour_of(serial),
            _ => "\x1b[1m".into(),
        };
        self.editor.set_prompt(&named.prompt(&self.roster), &sgr);
        self.editor.set_status(&self.status());
        self.editor.draw(out);
    }

    /// Counts, never ages: an idle desk costs nothing.
    fn status(&self) -> String {
        let here = format!("{} here", grouped(self.roster.len() as u64));
        let between = if self.painter.repertoire == editor::Repertoire::Unicode { "·" } else { "," };
        let here = match self.roster.pending() as u64 {
            0 => here,
            pending => format!("{} pending {between} {here}", grouped(pending)),
        };
        match self.others.typing() {
            None => here,
            Some(typing) => format!("{typing} {between} {here}"),
        }
    }
}

impl Interactive for TerminalDesk {
    type Mail = Mail;

    fn resize(&mut self, size: Size) {
        self.is_stale |= self.painter.columns != size.columns;
        self.painter.columns = size.columns.max(2);
        self.renderer.set_columns(self.painter.columns);
        self.editor.set_size(size.columns, size.rows);
    }

    fn typed(&mut self, bytes: &[u8], now: Instant, acts: &mut Vec<Act<Mail>>) {
        let mut keys = Vec::new();
        self.keys.feed(bytes, &mut keys);
        self.settles_at = self.keys.is_pending().then(|| now + Keys::ESCAPE_TIME);
        self.press_all(keys, now, acts);
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
            self.press_all(keys, now, acts);
        }
        if self.stays.take_if(|(_, until)| *until <= now).is_some() {
            self.is_stale = true;
        }
        self.go_on(now, acts);
        let next = self.sampler.check(now);
        self.tell_floods();
        if self.wants_frame() || edits != self.is_drawn {
            self.is_stale = false;
            painter::frame(out, |out| self.draw(edits, out));
        }
        let stays_until = self.stays.as_ref().map(|(_, until)| *until);
        let more_at = (!self.feed.is_empty()).then_some(now);
        [next, self.settles_at, stays_until, more_at].into_iter().flatten().min()
    }

    fn erase(&mut self, out: &mut String) {
        self.editor.erase(out);
        self.is_drawn = false;
    }

    fn forget_drawn(&mut self) {
        self.editor.forget();
        self.is_stale = true;
    }

    fn frame_is_written(&mut self) {
        if let Some(composed) = self.composed.take() {
            (self.shown, self.shown_named) = composed;
        }
    }

    fn looked_up(&mut self, found: Vec<String>) {
        // What has been typed since is for another place.
        if let Some((range, line)) = self.completing.take().filter(|(_, line)| *line == self.editor.line()) {
            debug_assert!(range.end <= line.len());
            self.offer(range, &found);
        }
    }

    fn ended(&mut self, error: Option<io::Error>) -> Mail {
        Mail::Stdin(Chunk::Ended(error))
    }

    fn failed(&mut self, error: io::Error) -> Mail {
        Mail::ScreenFailed(error)
    }

    fn cannot_suspend(&mut self) {
        self.say(Kind::Refusal, "this cannot be stopped: there is no shell that would bring it back");
    }
}

/// `5,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
