//! The time of day in front of a message.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// `12:03:04.123` in local time. The zone is looked up at the start, the digits are made at most once
/// a turn.
#[derive(Debug)]
pub struct Stamp {
    zone: TimeZone,
    /// With a blank behind it; empty where it has to be made anew.
    text: String,
    /// Counts how often it was forgotten.
    turn: u64,
}

/// How long it is, with the blank.
const BYTES: usize = "12:03:04.123 ".len();

impl Stamp {
    /// A stamp for this machine's time zone.
    pub fn local() -> Stamp {
        Stamp { zone: TimeZone::system(), text: String::new(), turn: 0 }
    }

    /// Forgets the time: the next `text` will look at the clock.
    pub fn expire(&mut self) {
        self.text.clear();
        self.turn += 1;
    }

    /// What comes now has happened then; nothing: it happens now.
    pub fn set(&mut self, at: Option<Timestamp>) {
        self.expire();
        if let Some(at) = at {
            self.text = at.to_zoned(self.zone.clone()).strftime("%H:%M:%S.%3f ").to_string();
        }
    }

    /// Stays the same for as long as the text does.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// The time of day.
    pub fn text(&mut self) -> &str {
        if self.text.is_empty() {
            let now: Zoned = Timestamp::now().to_zoned(self.zone.clone());
            self.text = now.strftime("%H:%M:%S.%3f ").to_string();
        }
        self.text.trim_end()
    }

    /// Appends the time of day and a blank.
    pub fn push(&mut self, out: &mut Vec<u8>) {
        if self.text.is_empty() {
            self.text();
        }
        // Of a length that is known, which is cheaper: the line behind it is often as short.
        match self.text.as_bytes().first_chunk::<BYTES>() {
            Some(text) => out.extend_from_slice(text),
            None => out.extend_from_slice(self.text.as_bytes()),
        }
    }

    /// Puts the time in front of each line that `push` appends.
    pub fn push_lines(&mut self, out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
        self.push(out);
        let mut from = out.len();
        push(out);
        // Mostly it is one line, which ends with the last byte.
        while let Some(newline) = memchr::memchr(b'\n', &out[from..])
            && from + newline + 1 < out.len()
        {
            from += newline + 1;
            let rest = out.split_off(from);
            self.push(out);
            from = out.len();
            out.extend_from_slice(&rest);
        }
    }
}
