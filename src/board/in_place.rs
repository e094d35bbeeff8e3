//! Bytes that go back to who sent them, straight from the buffer they were read into.
//!
//! While the App is handed what one read brought, the board knows where in memory that lies. Bytes that
//! are sent to the very connection they came from, and that lie there, are not copied: right
//! after the App has seen all of the read they are written from where they are, and only what is left
//! then is copied to the outbox. So an echo costs no copy, and no App has to know.

use std::ops::Range;

use crate::conn::ConnId;

/// What is being read, and which of it goes back.
#[derive(Debug)]
pub(crate) struct InPlace {
    from: ConnId,
    /// Where the bytes of the read lie. Compared with where others lie, never followed.
    addresses: Range<usize>,
    range: Range<usize>,
}

impl InPlace {
    /// Of what was just read from this connection, nothing goes back yet.
    pub fn new(from: ConnId, fresh: &[u8]) -> InPlace {
        let begin = fresh.as_ptr().addr();
        InPlace { from, addresses: begin..begin + fresh.len(), range: 0..0 }
    }

    /// Has these bytes go back to a connection that has nothing else queued, if they are of the read and follow what
    /// goes back already. Returns whether they do.
    pub fn reply(&mut self, to: ConnId, bytes: &[u8]) -> bool {
        let begin = bytes.as_ptr().addr();
        let is_inside = self.addresses.start <= begin && begin + bytes.len() <= self.addresses.end;
        if to != self.from || !is_inside || bytes.is_empty() {
            return false;
        }
        let at = begin - self.addresses.start;
        if self.range.is_empty() {
            self.range = at..at + bytes.len();
        } else if at == self.range.end {
            self.range.end += bytes.len();
        } else {
            return false;
        }
        true
    }

    /// How much goes back to this connection.
    pub fn bytes_for(&self, to: ConnId) -> usize {
        if to == self.from { self.range.len() } else { 0 }
    }

    /// Which bytes of the read go back.
    pub fn range(self) -> Range<usize> {
        self.range
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Key;

    const WHO: ConnId = ConnId { serial: 1, key: Key(0) };

    #[test]
    fn only_what_was_just_read_is_lent_and_only_to_its_sender() {
        let read = *b"one two three";
        let mut in_place = InPlace::new(WHO, &read);
        assert!(!in_place.reply(ConnId { serial: 2, key: Key(1) }, &read));
        assert!(!in_place.reply(WHO, &[0; 4]));
        assert!(in_place.reply(WHO, &read[4..7]));
        assert_eq!(in_place.bytes_for(WHO), 3);
        assert_eq!(in_place.range(), 4..7);
    }

    #[test]
    fn what_touches_is_lent_together_and_nothing_out_of_order() {
        let read = *b"one two three";
        let mut in_place = InPlace::new(WHO, &read);
        assert!(in_place.reply(WHO, &read[0..3]));
        assert!(in_place.reply(WHO, &read[3..7]));
        assert!(!in_place.reply(WHO, &read[0..3]));
        assert!(!in_place.reply(WHO, &read[8..]));
        assert_eq!(in_place.range(), 0..7);
    }
}
