//! The link to this process's own ends: screens that are written line by line, or a terminal whose last rows are the
//! operator's. Events and replies go in, typed.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::command::View;
use super::event::{Event, Who};
use super::json::ReplyFrame;
use super::reply::Reply;
use super::screens::Screens;
use super::terminal::TerminalDesk;
use crate::buffer::framing::Frame;
use crate::terminal::Terminal;

/// What one operator sees.
#[derive(Debug)]
pub enum Display {
    /// Lines, for whoever reads them.
    Screens(Box<Screens>),
    /// A terminal.
    Terminal(Terminal<TerminalDesk>),
}

impl Display {
    /// Whether programs read here: everything is told in one order, and nobody is made to wait.
    pub fn is_json(&self) -> bool {
        matches!(self, Display::Screens(screens) if screens.is_json())
    }

    /// Whether it is to be told of what this desk has sent, too: it counts who waits.
    pub fn hears_itself(&self) -> bool {
        matches!(self, Display::Terminal(_))
    }

    /// Shows a message, the most frequent of all events.
    #[inline]
    pub fn message(&mut self, who: Who<'_>, frame: &Frame<'_>, seq: u64, view: View) {
        match self {
            Display::Screens(screens) => screens.message(who, frame, seq, view),
            Display::Terminal(terminal) => terminal.lock().message(who, frame, view, Instant::now()),
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
        }
    }

    /// Shows the reply to a command of this desk.
    #[inline]
    pub fn reply(&mut self, reply: &Reply<'_>, frame: ReplyFrame<'_>) {
        match self {
            Display::Screens(screens) => screens.reply(reply, frame),
            Display::Terminal(terminal) => terminal.lock().reply(reply),
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
        }
    }

    /// Waits until all was written, for `patience` at most; returns how many bytes were not.
    ///
    /// # Errors
    /// When stdout cannot be written to.
    pub fn close(self, patience: Duration) -> io::Result<usize> {
        match self {
            Display::Screens(screens) => screens.close(patience),
            Display::Terminal(terminal) => {
                let all = terminal.close(patience);
                Ok(if all { 0 } else { terminal.lock().waiting_bytes() })
            }
        }
    }
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
