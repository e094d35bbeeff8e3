//! What comes held against what was recorded.

use super::*;
use crate::load::replay::difference::{Awaited, BYTES_KEPT, SAME_BYTES_KEPT, beginning};
use crate::load::tally::Failure;

impl Dialogue {
    /// The server said something. Tells of each reply that answers something, once it has come whole.
    pub fn receive(&mut self, mut bytes: &[u8], now: Moment, mut answered: impl FnMut(Asked)) {
        let script = self.script.clone();
        let turns = script.turns(self.place);
        while !bytes.is_empty() {
            let Some(What::Said(reply)) = turns.get(self.theirs).map(|turn| &turn.what) else {
                return self.account.note_surplus(self.heard_in_all, bytes);
            };
            let length = bytes.len().min(reply.len() - self.heard);
            let (piece, rest) = bytes.split_at(length);
            self.account.compare(self.theirs, reply, (self.heard, self.heard_in_all), piece);
            self.heard += length;
            self.heard_in_all += length as u64;
            bytes = rest;
            if self.heard == reply.len() {
                if self.is_asked_for(self.theirs)
                    && let Some(asked) = self.asked.take()
                {
                    answered(asked);
                }
                self.has_come(now);
                self.skip_empty_replies();
            }
        }
    }

    /// The server has finished.
    ///
    /// # Errors
    /// What that is, if it was not recorded so.
    pub fn ended(&mut self, now: Moment) -> Result<(), Failure> {
        match self.turns().get(self.theirs).map(|turn| &turn.what) {
            None | Some(What::SaidEnd) if !self.has_messages_left() => {
                if self.theirs < self.turns().len() {
                    self.has_come(now);
                } else {
                    // Nothing is left to be listened to, nor, perhaps, to be done.
                    self.is_over = self.ours == self.turns().len();
                }
                Ok(())
            }
            _ => {
                let awaited = self.awaited();
                self.account.note(Difference::Ended(self.heard_in_all, awaited));
                Err(Failure::ClosedEarly)
            }
        }
    }

    /// The connection broke, as a reset or otherwise, for this reason.
    ///
    /// # Errors
    /// What that is, if it was not recorded so.
    pub fn broke(&mut self, failure: Failure, why: String) -> Result<(), Failure> {
        let is_recorded = match self.turns().get(self.theirs).map(|turn| &turn.what) {
            // Where all has come, a server that has gone may well refuse to hear our end.
            None => true,
            Some(What::SaidReset) => failure == Failure::Reset,
            _ => false,
        };
        if is_recorded && !self.has_messages_left() {
            self.is_over = true;
            return Ok(());
        }
        let awaited = self.awaited();
        self.account.note(Difference::Broke(self.heard_in_all, awaited, why));
        Err(failure)
    }

    /// What was awaited has not come in time.
    pub fn overdue(&mut self) -> Failure {
        let awaited = self.awaited();
        self.account.note(Difference::Missing(self.heard_in_all, awaited, self.timeout));
        Failure::TimedOut
    }

    /// The server has taken nothing for so long that nothing is sent any more.
    pub fn unread(&mut self) -> Failure {
        self.account.note(Difference::NotRead(self.heard_in_all, self.timeout));
        Failure::TimedOut
    }

    /// It did not come about, for this reason.
    pub fn not_connected(&mut self, why: String) {
        self.account.note(Difference::NotConnected(why));
    }

    pub(super) fn skip_empty_replies(&mut self) {
        let is_empty = |turn: &Turn| matches!(&turn.what, What::Said(bytes) if bytes.is_empty());
        while self.turns().get(self.theirs).is_some_and(is_empty) {
            self.theirs = self.next_of(self.theirs + 1, false);
        }
    }

    fn has_come(&mut self, now: Moment) {
        self.account.replies += u64::from(self.heard > 0);
        self.theirs = self.next_of(self.theirs + 1, false);
        self.heard = 0;
        self.since = now;
    }

    /// Whether the server has yet to be told something before its next turn.
    fn has_messages_left(&self) -> bool {
        let before = self.turns().get(self.ours..self.theirs).unwrap_or_default();
        before.iter().any(|turn| matches!(turn.what, What::Heard(_)))
    }

    /// What comes next in the recording; our own end does not matter to the server's.
    fn awaited(&self) -> Awaited {
        let turns = self.turns();
        if let Some(What::Heard(message)) = turns.get(self.ours).map(|turn| &turn.what)
            && self.ours < self.theirs
        {
            return Awaited::Message(beginning(message));
        }
        match turns.get(self.theirs).map(|turn| &turn.what) {
            Some(What::Said(reply)) => Awaited::Bytes(beginning(&reply[self.heard..])),
            Some(What::SaidReset) => Awaited::Reset,
            Some(_) => Awaited::End,
            None => Awaited::Nothing,
        }
    }
}

impl Account {
    fn note(&mut self, difference: Difference) {
        self.difference.get_or_insert(difference);
    }

    /// Compares a piece of a reply, which begins at these places of the reply and of all that the server says.
    fn compare(&mut self, turn: usize, reply: &[u8], (at, offset): (usize, u64), piece: &[u8]) {
        let expected = &reply[at..at + piece.len()];
        if self.differs_in == Some(turn) {
            self.see_more(piece);
        }
        if expected == piece {
            return;
        }
        let differs = |(right, got): (&u8, &u8)| right != got;
        self.wrong_bytes += expected.iter().zip(piece).filter(|pair| differs(*pair)).count() as u64;
        if self.counted_in.replace(turn) != Some(turn) {
            self.wrong_replies += 1;
        }
        if self.difference.is_some() {
            return;
        }
        let first = expected.iter().zip(piece).position(differs).unwrap_or_default();
        // A few that are right stand before it, be they of this piece or of one that came earlier.
        let from = (at + first).saturating_sub(SAME_BYTES_KEPT);
        let expected = beginning(&reply[from..]);
        let mut got = reply[from..at + first].to_vec();
        let room = expected.len() - got.len();
        got.extend_from_slice(&piece[first..piece.len().min(first + room)]);
        self.difference = Some(Difference::Wrong { offset: offset + first as u64, expected, got });
        self.differs_in = Some(turn);
    }

    /// More of the reply whose bytes differ first.
    fn see_more(&mut self, piece: &[u8]) {
        if let Some(Difference::Wrong { expected, got, .. }) = &mut self.difference {
            let room = expected.len() - got.len();
            got.extend_from_slice(&piece[..room.min(piece.len())]);
        }
    }

    fn note_surplus(&mut self, offset: u64, bytes: &[u8]) {
        self.surplus_bytes += bytes.len() as u64;
        self.difference.get_or_insert_with(|| Difference::Surplus { offset, got: Vec::new() });
        if let Some(Difference::Surplus { got, .. }) = &mut self.difference {
            let room = BYTES_KEPT - got.len();
            got.extend_from_slice(&bytes[..room.min(bytes.len())]);
        }
    }
}
