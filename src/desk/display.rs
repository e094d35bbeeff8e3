//! The link to this process's own ends: screens that are written line by line, or a terminal whose last rows are the
//! operator's; and to the file of the transcript. Events and replies go in, typed.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::command::View;
use super::event::{Event, Who};
use super::json::ReplyFrame;
use super::reply::Reply;
use super::screens::Screens;
use super::terminal::TerminalDesk;
use super::transcript::Transcript;
use crate::buffer::framing::Frame;
use crate::terminal::Terminal;

/// What one operator sees, or the transcript keeps.
#[derive(Debug)]
pub enum Display {
    /// Lines, for whoever reads them.
    Screens(Box<Screens>),
    /// A terminal.
    Terminal(Terminal<TerminalDesk>),
    /// A file with all that happens, for those who look at it later.
    Transcript(Box<Transcript>),
}

impl Display {
    /// Whether programs read here: everything is told in one order, and nobody is made to wait.
    pub fn is_json(&self) -> bool {
        match self {
            Display::Screens(screens) => screens.is_json(),
            Display::Terminal(_) => false,
            Display::Transcript(_) => true,
        }
    }

    /// Whether people read here, and want to see what was said before they came.
    pub fn is_for_people(&self) -> bool {
        match self {
            Display::Screens(screens) => screens.is_for_people(),
            Display::Terminal(_) => true,
            Display::Transcript(_) => false,
        }
    }

    /// What is shown now has happened then, as JSON spells it; where that is nothing, it happens now.
    pub fn set_time(&mut self, at: &str) {
        let at = at.parse().ok();
        match self {
            Display::Screens(screens) => screens.set_time(at),
            Display::Terminal(terminal) => terminal.lock().set_time(at),
            Display::Transcript(_) => {}
        }
    }

    /// Shows a line that is spelt already.
    pub fn line(&mut self, line: &[u8]) {
        if let Display::Screens(screens) = self {
            screens.line(line);
        }
    }

    /// Keeps what an event says, and shows nothing.
    pub fn knows(&mut self, event: &Event<'_>) {
        match self {
            Display::Screens(screens) => screens.knows(event),
            Display::Terminal(terminal) => terminal.lock().knows(event),
            Display::Transcript(_) => {}
        }
    }

    /// Whether it takes whoever is sent something for answered.
    pub fn counts_who_waits(&self) -> bool {
        matches!(self, Display::Terminal(_))
    }

    /// Whether it is to be told of what this desk has sent, too: it counts who waits,
    /// or keeps all.
    pub fn hears_itself(&self) -> bool {
        matches!(self, Display::Terminal(_) | Display::Transcript(_))
    }

    /// Shows a message, the most frequent of all events.
    #[inline]
    pub fn message(&mut self, who: Who<'_>, frame: &Frame<'_>, seq: u64, view: View) {
        match self {
            Display::Screens(screens) => screens.message(who, frame, seq, view),
            Display::Terminal(terminal) => terminal.lock().message(who, frame, view, Instant::now()),
            Display::Transcript(transcript) => transcript.message(who, frame, seq),
        }
    }

    /// A message was not shown here, by the operator's own choice.
    pub fn hidden(&mut self, who: Who<'_>) {
        if let Display::Terminal(terminal) = self {
            terminal.lock().spoke_unseen(who.serial);
        }
    }

    /// What a peer has said needs no answer.
    pub fn awaits_nothing(&mut self, serial: u64) {
        if let Display::Terminal(terminal) = self {
            terminal.lock().awaits_nothing(serial);
        }
    }

    /// Shows an event where it belongs. `seq`: which one it is of the run.
    pub fn event(&mut self, event: &Event<'_>, seq: u64, view: View) {
        match self {
            Display::Screens(screens) => screens.event(event, seq, view),
            Display::Terminal(terminal) => terminal.lock().event(event, view, Instant::now()),
            Display::Transcript(transcript) => transcript.event(event, seq),
        }
    }

    /// Shows the reply to a command of this desk.
    #[inline]
    pub fn reply(&mut self, reply: &Reply<'_>, frame: ReplyFrame<'_>) {
        match self {
            Display::Screens(screens) => screens.reply(reply, frame),
            Display::Terminal(terminal) => terminal.lock().reply(reply),
            // Nobody commands from there.
            Display::Transcript(_) => {}
        }
    }

    /// Shows nothing more of what these have said and was not shown yet.
    pub fn hide(&mut self, is_hidden: impl Fn(u64) -> bool) {
        if let Display::Terminal(terminal) = self {
            terminal.lock().hide(is_hidden);
        }
    }

    /// A connection has another name now.
    pub fn forget_label(&mut self, serial: u64) {
        match self {
            Display::Screens(screens) => screens.forget_label(serial),
            Display::Terminal(terminal) => terminal.lock().forget_label(serial),
            Display::Transcript(_) => {}
        }
    }

    /// Hands what was shown in this turn over to be written.
    pub fn hand_over(&mut self) {
        match self {
            Display::Screens(screens) => screens.hand_over(),
            Display::Terminal(terminal) => {
                let mut desk = terminal.lock();
                desk.expire();
                let wakes = desk.wants_frame();
                drop(desk);
                if wakes {
                    terminal.wake();
                }
            }
            Display::Transcript(transcript) => transcript.hand_over(),
        }
    }

    /// Whether messages should wait. When there is room again, mail comes.
    pub fn is_full(&self) -> bool {
        matches!(self, Display::Screens(screens) if screens.is_full())
    }

    /// Whether what comes next would wait, or be skipped.
    pub fn has_no_room(&self) -> bool {
        matches!(self, Display::Screens(screens) if screens.has_no_room())
    }

    /// Whether each line of the log should have the time in front, as the other status lines have.
    pub fn stamps_log(&self) -> bool {
        matches!(self, Display::Screens(screens) if screens.stamps_log())
    }

    /// A writer for the log, which goes where the other status lines go.
    pub fn log_writer(&self) -> Box<dyn Write + Send> {
        match self {
            Display::Screens(screens) => Box::new(screens.log_writer()),
            Display::Terminal(terminal) => Box::new(TerminalLog(terminal.clone())),
            Display::Transcript(_) => Box::new(io::sink()),
        }
    }

    /// The transcript, if it is that.
    pub fn transcript(&mut self) -> Option<&mut Transcript> {
        match self {
            Display::Transcript(transcript) => Some(transcript),
            Display::Screens(_) | Display::Terminal(_) => None,
        }
    }

    /// Waits until all was written, for `patience` at most; returns what was not.
    pub fn close(self, patience: Duration) -> Unwritten {
        match self {
            Display::Screens(screens) => match screens.close(patience) {
                Ok(0) => Unwritten::Nothing,
                Ok(bytes) => Unwritten::Bytes(bytes),
                Err(error) => Unwritten::Failed(error),
            },
            Display::Terminal(terminal) => match terminal.close(patience) {
                true => Unwritten::Nothing,
                false => Unwritten::Bytes(terminal.lock().waiting_bytes()),
            },
            Display::Transcript(transcript) => {
                transcript.close(patience).map_or(Unwritten::Nothing, Unwritten::OfTranscript)
            }
        }
    }
}

/// What did not get to its screen.
#[derive(Debug)]
pub enum Unwritten {
    /// All did.
    Nothing,
    /// So many bytes, in the time there was.
    Bytes(usize),
    /// Stdout could not be written to.
    Failed(io::Error),
    /// The end of the transcript, in one line.
    OfTranscript(String),
}

/// Whole lines of the log, shown above the line that is edited.
struct TerminalLog(Terminal<TerminalDesk>);

impl Write for TerminalLog {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.lock().log(&String::from_utf8_lossy(lines));
        self.0.wake();
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
