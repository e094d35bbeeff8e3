//! The last messages, both ways, as they were spelt for the desks that were here then, for those that come later.

use std::collections::VecDeque;

/// Most messages that are kept.
const MESSAGES_MAX: usize = 1000;

/// Most bytes of them, as they are spelt.
const BYTES_MAX: usize = 1 << 20;

/// What each line ends with, and what it ends with when it is told again.
const END: &[u8] = b"}\n";
const PAST_END: &[u8] = b",\"past\":true}\n";

/// The lines.
#[derive(Debug, Default)]
pub struct Past {
    bytes: VecDeque<u8>,
    lengths: VecDeque<usize>,
}

impl Past {
    /// Keeps a line; the oldest make room for it. Of one that is longer than all that is kept, nothing is.
    pub fn add(&mut self, line: &[u8]) {
        while self.lengths.len() >= MESSAGES_MAX || self.bytes.len() + line.len() > BYTES_MAX {
            let Some(oldest) = self.lengths.pop_front() else { return };
            self.bytes.drain(..oldest);
        }
        self.bytes.extend(line);
        self.lengths.push_back(line.len());
    }

    /// Appends all of them, marked as past.
    pub fn push_all(&self, out: &mut Vec<u8>) {
        out.reserve(self.bytes.len() + self.lengths.len() * PAST_END.len());
        let mut from = 0;
        for length in &self.lengths {
            out.extend(self.bytes.range(from..from + length - END.len()));
            out.extend_from_slice(PAST_END);
            from += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_messages_are_told_again_and_marked_and_what_is_kept_is_bounded() {
        let mut past = Past::default();
        (1..=2500).for_each(|seq| past.add(format!("{{\"seq\":{seq}}}\n").as_bytes()));
        let mut told = Vec::new();
        past.push_all(&mut told);
        let told = String::from_utf8(told).unwrap();
        assert_eq!(told.lines().count(), MESSAGES_MAX);
        assert_eq!(told.lines().next(), Some("{\"seq\":1501,\"past\":true}"));
        assert_eq!(told.lines().last(), Some("{\"seq\":2500,\"past\":true}"));

        past.add(&[&vec![b'x'; BYTES_MAX - 100][..], END].concat());
        assert!(past.bytes.len() <= BYTES_MAX, "{} bytes", past.bytes.len());
        past.add(&[&vec![b'x'; BYTES_MAX][..], END].concat());
        assert_eq!((past.bytes.len(), past.lengths.len()), (0, 0), "a line that is too long leaves a hole");
    }
}
