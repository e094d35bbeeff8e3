//! What one connection still has to be sent: a queue of bytes, written from its front.

use std::collections::VecDeque;

/// A connection's own queue. It owns no memory while it is empty.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: VecDeque<u8>,
}

impl Outbox {
    /// Bytes still to be sent.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is left to be sent.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// What is queued, in order, as the two slices it lies in; the second is mostly empty.
    pub fn slices(&self) -> (&[u8], &[u8]) {
        self.bytes.as_slices()
    }

    /// Takes up to `count` sent bytes off the front; returns how many there were.
    pub fn sent(&mut self, count: usize) -> usize {
        let count = count.min(self.bytes.len());
        if count == self.bytes.len() {
            self.bytes = VecDeque::new();
        } else {
            self.bytes.drain(..count);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(outbox: &Outbox) -> Vec<u8> {
        let (front, back) = outbox.slices();
        [front, back].concat()
    }

    #[test]
    fn what_is_pushed_is_taken_off_in_order() {
        let mut outbox = Outbox::default();
        outbox.push(b"hello ");
        outbox.push(b"world");
        assert_eq!(outbox.sent(3), 3);
        assert_eq!(content(&outbox), b"lo world");
        assert_eq!(outbox.sent(100), 8);
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_empty_outbox_owns_no_memory() {
        let mut outbox = Outbox::default();
        outbox.push(&[7; 100_000]);
        outbox.sent(100_000);
        assert_eq!(outbox.bytes.capacity(), 0);
    }
}
