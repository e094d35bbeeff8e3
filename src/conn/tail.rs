//! The beginning of a message whose ending has not come yet.

use std::mem;

use crate::clock::Moment;

/// So much spare room is left to a tail; beyond it the memory is given back.
const SPARE_BYTES: usize = 128;

/// What a connection has begun to say. Most have begun nothing, so it is a pointer then, and owns no memory.
#[derive(Debug, Default)]
pub(crate) struct Tail(Option<Box<Begun>>);

#[derive(Debug)]
struct Begun {
    bytes: Vec<u8>,
    /// When the first of these bytes came.
    since: Moment,
}

impl Tail {
    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |begun| &begun.bytes)
    }

    /// Whether nothing has begun.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// When it began, if it has.
    pub fn since(&self) -> Option<Moment> {
        self.0.as_ref().filter(|begun| !begun.bytes.is_empty()).map(|begun| begun.since)
    }

    /// Counts as begun now.
    pub fn begins_at(&mut self, now: Moment) {
        if let Some(begun) = &mut self.0 {
            begun.since = now;
        }
    }

    /// What it has in memory, spare room included.
    pub fn held_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |begun| begun.bytes.capacity())
    }

    /// Takes the bytes out, to be put back with `put`.
    pub fn take(&mut self) -> Vec<u8> {
        self.0.as_mut().map_or(Vec::new(), |begun| mem::take(&mut begun.bytes))
    }

    /// Puts bytes in its place, of which the first came at `since`. Where a long message went before, its memory
    /// is given back: a tail holds twice its length at most, or a little.
    pub fn put(&mut self, mut bytes: Vec<u8>, since: Moment) {
        if bytes.is_empty() {
            self.0 = None;
            return;
        }
        if bytes.capacity() > 2 * bytes.len() + SPARE_BYTES {
            bytes.shrink_to_fit();
        }
        match &mut self.0 {
            Some(begun) => **begun = Begun { bytes, since },
            None => self.0 = Some(Box::new(Begun { bytes, since })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_beginning_behind_a_long_line_holds_no_more_than_it_needs() {
        let mut tail = Tail::default();
        let mut bytes = vec![b'x'; 64 << 10];
        bytes.truncate(10);

        tail.put(bytes, Moment::default());

        assert!(tail.held_bytes() <= 2 * 10 + SPARE_BYTES, "{} bytes are held", tail.held_bytes());
        assert_eq!(tail.bytes(), [b'x'; 10]);
    }

    #[test]
    fn an_empty_tail_owns_no_memory() {
        let mut tail = Tail::default();
        tail.put(b"begun".to_vec(), Moment::default());
        let bytes = tail.take();
        assert!(tail.is_empty() && tail.since().is_none());
        assert_eq!(bytes, b"begun");

        tail.put(Vec::with_capacity(100), Moment::default());

        assert_eq!(tail.held_bytes(), 0);
    }
}
