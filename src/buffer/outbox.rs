//! What one connection still has to be sent: a queue of bytes, written from its front.

use std::collections::VecDeque;

/// So much spare room a queue may have, however little is in it.
const SPARE_BYTES: usize = 4 << 10;

/// A connection's own queue. It owns no memory while it is empty, and is a pointer then: most of a
/// server's connections have nothing queued.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Never empty.
    #[expect(clippy::box_collection, reason = "a pointer instead of four words in each connection")]
    bytes: Option<Box<VecDeque<u8>>>,
}

impl Outbox {
    /// Bytes still to be sent.
    pub fn len(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.len())
    }

    /// What it has in memory, spare room included.
    pub fn held_bytes(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.capacity())
    }

    /// Whether nothing is left to be sent.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_none()
    }

    /// Appends bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let queue = self.bytes.get_or_insert_default();
        if queue.len() > SPARE_BYTES && bytes.len() > queue.capacity() - queue.len() {
            // A long queue grows by an eighth, since spare room counts like what is queued. That is moved by the
            // system as whole pages.
            queue.reserve_exact(bytes.len().max(queue.len() / 8));
        }
        match bytes {
            // A line's ending: to append a slice takes several times as long, however short that is.
            [only] => queue.push_back(*only),
            _ => queue.extend(bytes),
        }
    }

    /// Puts bytes in front of all that is queued.
    pub fn put_back(&mut self, bytes: &[u8]) {
        if let Some(mut behind) = self.bytes.take() {
            self.push(bytes);
            self.bytes.get_or_insert_default().append(&mut behind);
        } else {
            self.push(bytes);
        }
    }

    /// What is queued, in order, as the two slices it lies in; the second is mostly empty.
    pub fn slices(&self) -> (&[u8], &[u8]) {
        self.bytes.as_ref().map_or((&[], &[]), |bytes| bytes.as_slices())
    }

    /// Drops what stands behind so many bytes.
    pub fn truncate(&mut self, len: usize) {
        if len == 0 {
            self.bytes = None;
        } else if let Some(bytes) = &mut self.bytes {
            bytes.truncate(len);
        }
    }

    /// The byte at this place.
    pub fn byte_mut(&mut self, at: usize) -> Option<&mut u8> {
        self.bytes.as_mut()?.get_mut(at)
    }

    /// Takes up to `count` sent bytes off the front; returns how many there were.
    pub fn sent(&mut self, count: usize) -> usize {
        let Some(bytes) = &mut self.bytes else { return 0 };
        if count >= bytes.len() {
            let all = bytes.len();
            self.bytes = None;
            return all;
        }
        bytes.drain(..count);
        // Three quarters of what was moved here are gone by then, so moving the rest costs little for each byte.
        if bytes.capacity() > 4 * bytes.len() + SPARE_BYTES {
            bytes.shrink_to(2 * bytes.len());
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
    fn what_is_put_back_comes_before_the_rest() {
        let mut outbox = Outbox::default();
        outbox.put_back(b"world");
        outbox.put_back(b"hello ");
        outbox.push(b"!");
        assert_eq!(content(&outbox), b"hello world!");
        outbox.put_back(b"");
        assert_eq!(outbox.len(), 12);
    }

    #[test]
    fn a_queue_that_gets_shorter_gives_its_memory_back_and_keeps_its_bytes() {
        let mut outbox = Outbox::default();
        let bytes: Vec<u8> = (0..100_000).map(|number| number as u8).collect();
        outbox.push(&bytes);

        for at in (0..100_000).step_by(1000) {
            assert_eq!(content(&outbox), &bytes[at..]);
            let most = 4 * outbox.len() + SPARE_BYTES;
            assert!(outbox.held_bytes() <= most, "{} of {most} bytes are held", outbox.held_bytes());
            outbox.sent(1000);
        }
    }

    /// Spare room counts like what is queued, and a longer queue has to be moved.
    #[test]
    fn what_just_fits_into_the_room_of_a_long_queue_takes_no_more() {
        let mut outbox = Outbox::default();
        outbox.push(&[1; 80_000]);
        outbox.push(&[2; 80_000]);
        outbox.push(&[3]);
        let held = outbox.held_bytes();

        let room = held - outbox.len();
        assert!(room > 0, "the last byte made room for more");
        // As much as fits at a time, and less than the eighth by which it would grow.
        outbox.push(&vec![4; room - 1]);
        outbox.push(&[5]);

        assert_eq!((outbox.len(), outbox.held_bytes()), (held, held), "bytes queued, bytes held");
    }

    #[test]
    fn an_empty_outbox_owns_no_memory() {
        let mut outbox = Outbox::default();
        outbox.push(&[7; 100_000]);
        outbox.sent(100_000);
        assert!(outbox.bytes.is_none());
    }
}
