//! What was killed, to be put in again.

use std::collections::VecDeque;

/// How many texts are kept, and how many bytes of them.
const KILLS_MAX: usize = 32;
const BYTES_MAX: usize = 4 << 20;

/// On which side of what was killed just before a text stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    Behind,
}

/// The newest stands last.
#[derive(Debug, Default)]
pub(super) struct Kills(VecDeque<String>);

impl Kills {
    /// Keeps a text; one with the last where that was killed by the key before.
    pub fn add(&mut self, text: &str, side: Side, joins: bool) {
        match self.0.back_mut().filter(|_| joins) {
            Some(last) if side == Side::Before => last.insert_str(0, text),
            Some(last) => last.push_str(text),
            None => self.0.push_back(text.to_owned()),
        }
        while self.0.len() > KILLS_MAX || self.0.len() > 1 && self.bytes() > BYTES_MAX {
            self.0.pop_front();
        }
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(String::len).sum()
    }

    pub fn last(&self) -> Option<&str> {
        self.0.back().map(String::as_str)
    }

    /// Puts the last text behind all others.
    pub fn rotate(&mut self) {
        if !self.0.is_empty() {
            self.0.rotate_right(1);
        }
    }
}
