//! What must not happen by accident: leaving while others are connected, and sending a word that was meant for us.

use std::time::{Duration, Instant};

/// Ctrl-C counts twice within this time.
const TWICE: Duration = Duration::from_secs(2);

/// What was held back or asked last; anything else that is done ends it.
#[derive(Debug, Default)]
pub struct Guard {
    interrupted_at: Option<Instant>,
    asked_to_end: bool,
    held_back: Option<String>,
}

impl Guard {
    /// Ctrl-C on an empty line. Returns whether that was the second of two.
    pub fn interrupts(&mut self, now: Instant) -> bool {
        let before = self.interrupted_at.replace(now);
        before.is_some_and(|before| now.saturating_duration_since(before) <= TWICE)
    }

    /// Ctrl-D on an empty line, while so many are here. Returns whether it ends.
    pub fn ends(&mut self, here: usize) -> bool {
        here == 0 || std::mem::replace(&mut self.asked_to_end, true)
    }

    /// Whether a line is to be held back once: in other programs it is a command.
    pub fn holds_back(&mut self, line: &str) -> bool {
        if !matches!(line.trim_end(), "help" | "?" | "quit") || self.held_back.as_deref() == Some(line) {
            self.held_back = None;
            return false;
        }
        self.held_back = Some(line.to_owned());
        true
    }

    /// A key was pressed that is neither of these; with Enter, what was held back goes out.
    pub fn other_key(&mut self, is_enter: bool) {
        self.asked_to_end = false;
        self.interrupted_at = None;
        if !is_enter {
            self.held_back = None;
        }
    }
}
