//! The last messages of all connections, in one ring: as many as fit into its bounds.

use std::collections::VecDeque;

use crate::clock::Moment;

/// Most messages that are kept.
pub const MESSAGES_MAX: usize = 1000;
/// Most bytes of them, 1 MiB.
const BYTES_MAX: usize = 1 << 20;

/// Stands for everybody: no connection has this number.
pub const TO_ALL: u64 = 0;

/// One message; its bytes lie in the ring.
#[derive(Clone, Copy, Debug)]
struct Entry {
    serial: u64,
    at: Moment,
    is_ours: bool,
    length: usize,
}

/// The ring.
#[derive(Debug, Default)]
pub struct History {
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
}

/// A message that was kept.
#[derive(Clone, Debug)]
pub struct Past {
    /// Whose conversation it belongs to.
    pub serial: u64,
    /// When it came or went.
    pub at: Moment,
    /// It was sent by us.
    pub is_ours: bool,
    /// What it was.
    pub bytes: Vec<u8>,
}

impl History {
    /// Keeps a message; the oldest make room for it. One that is larger than all that is kept is cut.
    pub fn add(&mut self, serial: u64, is_ours: bool, bytes: &[u8], at: Moment) {
        let bytes = &bytes[..bytes.len().min(BYTES_MAX)];
        while self.entries.len() >= MESSAGES_MAX || self.bytes.len() + bytes.len() > BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes.drain(..oldest.length);
        }
        self.bytes.extend(bytes);
        self.entries.push_back(Entry { serial, at, is_ours, length: bytes.len() });
    }

    /// The last messages that `are_meant`, so many at most, oldest first.
    pub fn last(&self, count: usize, are_meant: impl Fn(u64) -> bool) -> Vec<Past> {
        let mut until = self.bytes.len();
        let mut found = Vec::new();
        for entry in self.entries.iter().rev() {
            let from = until - entry.length;
            if found.len() == count {
                break;
            }
            if are_meant(entry.serial) {
                let bytes = self.bytes.range(from..until).copied().collect();
                found.push(Past { serial: entry.serial, at: entry.at, is_ours: entry.is_ours, bytes });
            }
            until = from;
        }
        found.reverse();
        found
    }

    /// The first message of a connection at or after this moment.
    pub fn first_since(&self, serial: u64, since: Moment) -> Option<Vec<u8>> {
        let mut from = 0;
        for entry in &self.entries {
            if entry.serial == serial && !entry.is_ours && entry.at >= since {
                return Some(self.bytes.range(from..from + entry.length).copied().collect());
            }
            from += entry.length;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_and_what_is_kept_is_whole() {
        let mut history = History::default();
        for number in 0..5000u64 {
            history.add(number % 7, false, format!("message {number}").as_bytes(), Moment::default());
        }

        let all = history.last(usize::MAX, |_| true);
        let last = history.last(2, |serial| serial == 3);

        assert_eq!(all.len(), MESSAGES_MAX);
        assert_eq!(all[0].bytes, b"message 4000");
        assert_eq!(
            last.iter().map(|past| &past.bytes[..]).collect::<Vec<_>>(),
            [&b"message 4987"[..], b"message 4994"]
        );
        history.add(1, true, &vec![b'x'; 2 << 20], Moment::default());
        assert_eq!(history.last(9, |_| true).len(), 1);
        assert_eq!(history.bytes.len(), BYTES_MAX);
    }
}
