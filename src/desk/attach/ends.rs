//! What an attached desk shows, and how: the display of a server's own desk, or the lines of JSON as they come.

use std::time::Duration;

use crate::desk::json::ReplyFrame;
use crate::desk::text::plural;
use crate::desk::{Display, Event, Outlet, Refusal, Reply, Unwritten, View};

/// See the file.
#[derive(Debug)]
pub struct Face {
    /// What is shown there, and what of it.
    pub outlet: Outlet,
}

impl Face {
    /// With nothing shown yet.
    pub fn new(outlet: Outlet) -> Face {
        Face { outlet }
    }

    /// Whether programs read here: they get the server's own lines.
    pub fn is_json(&self) -> bool {
        self.outlet.display.is_json()
    }

    /// Whether more is to be shown only later.
    pub fn is_full(&self) -> bool {
        self.outlet.display.is_full()
    }

    /// A line of the server's, as it is.
    pub fn show_raw(&mut self, line: &[u8]) {
        self.outlet.display.line(line);
    }

    /// Shows an event, unless it is hidden here.
    pub fn event(&mut self, event: &Event<'_>) {
        let display = &mut self.outlet.display;
        match event {
            Event::Message(who, frame) => match self.outlet.view_of(who.serial) {
                Some(view) => self.outlet.display.message(*who, frame, 0, view),
                None => self.outlet.display.hidden(*who),
            },
            Event::Answered { who, .. } => {
                if let Some(view) = self.outlet.view_of(who.serial) {
                    self.outlet.display.event(event, 0, view);
                }
            }
            Event::Sent { .. } => {
                let view = self.outlet.view_of_sent(event);
                self.outlet.display.event(event, 0, view);
            }
            Event::Named(who, _) => {
                display.forget_label(who.serial);
                display.event(event, 0, View::Text);
            }
            event => display.event(event, 0, View::Text),
        }
    }

    /// Shows a reply.
    pub fn reply(&mut self, reply: &Reply<'_>) {
        self.outlet.display.set_time("");
        self.outlet.display.reply(reply, ReplyFrame::default());
    }

    /// Says something of its own.
    pub fn note(&mut self, what: &str) {
        if !self.is_json() {
            self.outlet.display.event(&Event::Note(what), 0, View::Text);
        }
    }

    /// So many commands will not be answered any more.
    pub fn lost(&mut self, unanswered: usize) {
        if unanswered > 0 {
            let count = plural(unanswered as u64, "command");
            let why = format!("whether it was done is not known: {count} not answered");
            (0..unanswered).for_each(|_| self.reply(&Reply::Refused(Refusal::Told("gone", why.clone()))));
        }
    }

    /// Hands what was shown to whoever writes it.
    pub fn hand_over(&mut self) {
        self.outlet.display.hand_over();
    }

    /// Waits until all was written.
    pub fn close(self, patience: Duration) -> Result<(), String> {
        match self.outlet.display.close(patience) {
            Unwritten::Bytes(bytes) => {
                Err(format!("cannot write to stdout: nobody took the last {bytes} bytes"))
            }
            Unwritten::Failed(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(format!("cannot write to stdout: {}", crate::conn::reason::in_words(&error)))
            }
            _ => Ok(()),
        }
    }

    /// The terminal, if it is one.
    pub fn terminal(&self) -> Option<&crate::terminal::Terminal<crate::desk::TerminalDesk>> {
        match &self.outlet.display {
            Display::Terminal(terminal) => Some(terminal),
            Display::Screens(_) | Display::Transcript(_) => None,
        }
    }
}
