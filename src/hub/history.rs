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
    /// Of something longer, whose next part is another message.
    is_cut: bool,
    length: usize,
}

/// The ring.
#[derive(Debug, Default)]
pub struct History {
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    /// How many were ever kept.
    added: u64,
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
        self.push(Entry { serial, at, is_ours, is_cut: false, length: 0 }, bytes);
    }

    /// Keeps what a peer has said; `is_cut`: it goes on in the next message.
    pub fn hear(&mut self, serial: u64, bytes: &[u8], is_cut: bool, at: Moment) {
        self.push(Entry { serial, at, is_ours: false, is_cut, length: 0 }, bytes);
    }

    fn push(&mut self, entry: Entry, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(BYTES_MAX)];
        while self.entries.len() >= MESSAGES_MAX || self.bytes.len() + bytes.len() > BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes.drain(..oldest.length);
        }
        self.bytes.extend(bytes);
        self.entries.push_back(Entry { length: bytes.len(), ..entry });
        self.added += 1;
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

    /// Where the next message will stand.
    pub fn end(&self) -> u64 {
        self.added
    }

    /// The last message of a connection before this place, and whether it was whole.
    pub fn last_said_before(&self, end: u64, serial: u64) -> Option<(Vec<u8>, bool)> {
        let mut until = self.bytes.len();
        let mut found: Option<(Vec<u8>, bool)> = None;
        for (entry, place) in self.entries.iter().rev().zip((0..self.added).rev()) {
            let from = until - entry.length;
            if place < end && entry.serial == serial && !entry.is_ours {
                if let Some((bytes, is_whole)) = found {
                    // What comes behind one that was cut is the rest of it.
                    return Some((bytes, is_whole && !entry.is_cut));
                }
                found = Some((self.bytes.range(from..until).copied().collect(), !entry.is_cut));
            }
            until = from;
        }
        found
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
        assert_eq!(history.last_said_before(history.end() - 7, 3), Some((b"message 4987".to_vec(), true)));
        assert_eq!(history.last_said_before(history.end() - 1000, 3), None);
        history.add(1, true, &vec![b'x'; 2 << 20], Moment::default());
        assert_eq!(history.last(9, |_| true).len(), 1);
        assert_eq!(history.bytes.len(), BYTES_MAX);
    }
}
