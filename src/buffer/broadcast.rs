//! What was said to many: one log of bytes for all who have to hear it, instead of a copy for each.
//!
//! The log has absolute positions. A connection has a `Hearing`: how far it has heard, and the last
//! of its own pieces, which it is not told. The pieces of one speaker form a chain from the newest
//! back to the oldest, so leaving them out costs nothing for whoever said nothing.

use std::collections::VecDeque;

use crate::buffer::gather::Gather;
use crate::limits::Limits;

/// Own pieces looked at for one write; a speaker with more unheard ones gets the rest with the next.
const OWN_PIECES_MAX: usize = 16;

/// Spare room that the log may keep.
const KEPT_BYTES: usize = 1 << 20;
const KEPT_PIECES: usize = 16 << 10;

/// The shared log.
#[derive(Debug)]
pub struct Said {
    bytes: VecDeque<u8>,
    /// The position of the first byte kept.
    start: u64,
    pieces: VecDeque<Piece>,
    /// The number of the first piece kept. Pieces are numbered from 1; 0 stands for none.
    first_piece: u64,
    /// See `owns_many`.
    own_unheard_max: u32,
}

/// What one speaker said in one go, from position `from` up to `to`.
#[derive(Debug)]
struct Piece {
    from: u64,
    to: u64,
    /// The number of the speaker's piece before this one.
    before: u64,
    /// How many pieces its speaker has not yet been led over, up to this one; at least, not fewer.
    unheard: u32,
}

/// What a connection has heard of the log.
#[derive(Clone, Copy, Debug)]
pub struct Hearing {
    heard: u64,
    /// The number of its own newest piece.
    own: u64,
}

/// A connection's own unheard pieces, oldest first, as far as one write looks.
struct OwnPieces {
    ranges: [(u64, u64); OWN_PIECES_MAX],
    count: usize,
    all: bool,
}

impl Default for Said {
    fn default() -> Said {
        Said::new(Limits::default().own_unheard_max)
    }
}

impl Said {
    /// An empty log; a connection owns many pieces when it has more than so many unheard ones.
    pub fn new(own_unheard_max: u32) -> Said {
        Said { bytes: VecDeque::new(), start: 0, pieces: VecDeque::new(), first_piece: 0, own_unheard_max }
    }

    /// The position behind the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Bytes kept in memory, for all receivers together.
    pub fn kept_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What it has in memory, spare room included. Once all have heard all, the room is kept for the next turn, and
    /// is nobody's.
    pub fn held_bytes(&self) -> usize {
        if self.bytes.is_empty() {
            return 0;
        }
        self.bytes.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }

    /// What it would have in memory if it were kept from this position on, without spare room.
    pub fn held_bytes_from(&self, position: u64) -> usize {
        let pieces = self.pieces.len() - self.pieces.partition_point(|piece| piece.to <= position);
        (self.end() - position.max(self.start)) as usize + pieces * size_of::<Piece>()
    }

    /// Gives spare room back.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.pieces.shrink_to_fit();
    }

    /// The hearing of a newcomer, who is told only what is said from now on.
    pub fn newcomer(&self) -> Hearing {
        Hearing { heard: self.end(), own: 0 }
    }

    /// Appends a message; the speaker, if it is one of the receivers, does not hear it.
    pub fn say(&mut self, parts: &[&[u8]], speaker: Option<&mut Hearing>) {
        let from = self.end();
        for part in parts {
            self.bytes.extend(*part);
        }
        let to = self.end();
        let Some(speaker) = speaker else { return };
        if let Some(last) = self.piece_mut(speaker.own).filter(|last| last.to == from) {
            last.to = to;
            return;
        }
        if self.pieces.is_empty() {
            // Numbers grow for ever, so a chain that leads to a forgotten piece ends there.
            self.first_piece = self.first_piece.max(1);
        }
        let unheard = self.own_unheard(speaker) + 1;
        self.pieces.push_back(Piece { from, to, before: speaker.own, unheard });
        speaker.own = self.first_piece + self.pieces.len() as u64 - 1;
    }

    /// Whether so much of what is left to hear are its own pieces that it should be given a copy of the rest: a
    /// peer that says much and reads nothing would otherwise make each look at its place in the log a long walk.
    pub fn owns_many(&self, hearing: &Hearing) -> bool {
        self.own_unheard(hearing) > self.own_unheard_max
    }

    /// How many of its own pieces it was not yet led over; counted anew only where it may be many.
    fn own_unheard(&self, hearing: &Hearing) -> u32 {
        let Some(last) = self.piece(hearing.own).filter(|piece| piece.to > hearing.heard) else { return 0 };
        if last.unheard <= self.own_unheard_max {
            return last.unheard;
        }
        let mut count = 0;
        let mut number = hearing.own;
        while let Some(piece) = self.piece(number).filter(|piece| piece.to > hearing.heard) {
            count += 1;
            number = piece.before;
        }
        count
    }

    /// Whether something is left that this connection has not heard. Call `skip_own` first to know
    /// whether it is anything but its own.
    pub fn is_behind(&self, hearing: &Hearing) -> bool {
        hearing.heard < self.end()
    }

    /// How far it has heard.
    pub fn position(&self, hearing: &Hearing) -> u64 {
        hearing.heard
    }

    /// How many bytes of the log it would still have to be sent, its own left out.
    pub fn unheard_bytes(&self, hearing: &Hearing) -> usize {
        let mut unheard = self.end() - hearing.heard;
        let mut number = hearing.own;
        while let Some(piece) = self.piece(number).filter(|piece| piece.to > hearing.heard) {
            unheard -= piece.to - piece.from.max(hearing.heard);
            number = piece.before;
        }
        unheard as usize
    }

    /// Appends what it has not heard, its own left out, as far as there is room.
    pub fn gather<'a>(&'a self, hearing: &Hearing, into: &mut Gather<'a>) {
        let own = self.own_pieces(hearing);
        let mut at = hearing.heard;
        for &(from, to) in &own.ranges[..own.count] {
            if !self.gather_range(at, from, into) {
                return;
            }
            at = at.max(to);
        }
        if own.all {
            let _ = self.gather_range(at, self.end(), into);
        }
    }

    /// Moves a hearing on by `sent` bytes that `gather` gave, and over own pieces that follow.
    pub fn heard(&self, hearing: &mut Hearing, mut sent: u64) {
        let own = self.own_pieces(hearing);
        for &(from, to) in &own.ranges[..own.count] {
            let before_own = from.saturating_sub(hearing.heard);
            if sent < before_own {
                break;
            }
            sent -= before_own;
            hearing.heard = hearing.heard.max(to);
        }
        hearing.heard += sent;
        debug_assert!(hearing.heard <= self.end(), "nobody hears more than was said");
    }

    /// Moves a hearing over own pieces that come next.
    pub fn skip_own(&self, hearing: &mut Hearing) {
        self.heard(hearing, 0);
    }

    /// Hands over all that is unheard, as slices, and moves the hearing to the end.
    pub fn take_unheard(&self, hearing: &mut Hearing, mut take: impl FnMut(&[u8])) {
        while self.is_behind(hearing) {
            let mut gather = Gather::new(usize::MAX);
            self.gather(hearing, &mut gather);
            let mut taken = 0;
            for slice in gather.slices() {
                take(slice);
                taken += slice.len() as u64;
            }
            self.heard(hearing, taken);
        }
    }

    /// Forgets what lies before `position`: everybody has heard it.
    pub fn forget_before(&mut self, position: u64) {
        let count = position.saturating_sub(self.start).min(self.bytes.len() as u64);
        if count == self.bytes.len() as u64 {
            self.bytes.clear();
            // Kept for the next turn, unless a burst has made it large.
            self.bytes.shrink_to(KEPT_BYTES);
        } else {
            self.bytes.drain(..count as usize);
            if self.bytes.capacity() > 4 * self.bytes.len() + KEPT_BYTES {
                self.bytes.shrink_to(2 * self.bytes.len());
            }
        }
        self.start += count;
        while self.pieces.front().is_some_and(|piece| piece.to <= self.start) {
            self.pieces.pop_front();
            self.first_piece += 1;
        }
        if self.pieces.capacity() > 4 * self.pieces.len() + KEPT_PIECES {
            self.pieces.shrink_to(2 * self.pieces.len());
        }
    }

    fn gather_range<'a>(&'a self, from: u64, to: u64, into: &mut Gather<'a>) -> bool {
        if from >= to {
            return true;
        }
        let (from, to) = ((from - self.start) as usize, (to - self.start) as usize);
        let (front, back) = self.bytes.as_slices();
        let split = front.len();
        into.push(&front[from.min(split)..to.min(split)])
            && into.push(&back[from.saturating_sub(split)..to.saturating_sub(split)])
    }

    fn own_pieces(&self, hearing: &Hearing) -> OwnPieces {
        // The chain leads from the newest back; the ring keeps the oldest of them.
        let mut ring = [(0, 0); OWN_PIECES_MAX];
        let mut seen = 0;
        let mut number = hearing.own;
        while let Some(piece) = self.piece(number).filter(|piece| piece.to > hearing.heard) {
            ring[seen % OWN_PIECES_MAX] = (piece.from, piece.to);
            seen += 1;
            number = piece.before;
        }
        let count = seen.min(OWN_PIECES_MAX);
        let mut ranges = [(0, 0); OWN_PIECES_MAX];
        for (at, range) in ranges[..count].iter_mut().enumerate() {
            *range = ring[(seen - 1 - at) % OWN_PIECES_MAX];
        }
        OwnPieces { ranges, count, all: seen <= OWN_PIECES_MAX }
    }

    fn piece(&self, number: u64) -> Option<&Piece> {
        self.pieces.get(usize::try_from(number.checked_sub(self.first_piece.max(1))?).ok()?)
    }

    fn piece_mut(&mut self, number: u64) -> Option<&mut Piece> {
        let first = self.first_piece.max(1);
        self.pieces.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hear(said: &Said, hearing: &mut Hearing, bytes_max: usize) -> Vec<u8> {
        let mut gather = Gather::new(bytes_max);
        said.gather(hearing, &mut gather);
        let heard: Vec<u8> = gather.slices().iter().flat_map(|slice| slice.iter().copied()).collect();
        said.heard(hearing, heard.len() as u64);
        heard
    }

    #[test]
    fn a_speaker_hears_the_others_only() {
        let mut said = Said::default();
        let (mut anna, mut bert) = (said.newcomer(), said.newcomer());
        said.say(&[b"a1 "], Some(&mut anna));
        said.say(&[b"b1 "], Some(&mut bert));
        said.say(&[b"a", b"2 "], Some(&mut anna));
        said.say(&[b"op "], None);
        assert_eq!(hear(&said, &mut anna, 100), b"b1 op ");
        assert_eq!(hear(&said, &mut bert, 100), b"a1 a2 op ");
        assert!(!said.is_behind(&anna));
    }

    #[test]
    fn own_words_alone_leave_nobody_behind() {
        let mut said = Said::default();
        let mut anna = said.newcomer();
        said.say(&[b"one"], Some(&mut anna));
        said.say(&[b"two"], Some(&mut anna));
        said.skip_own(&mut anna);
        assert!(!said.is_behind(&anna));
        assert_eq!(said.pieces.len(), 1, "pieces that touch are one");
    }

    proptest! {
        /// Several speakers, heard in bits of any size, the log trimmed at any time: each hears
        /// exactly what the others said, in order.
        #[test]
        fn each_hears_exactly_what_the_others_said(
            steps in proptest::collection::vec((0usize..4, 0usize..4, 1usize..30), 1..200),
        ) {
            let mut said = Said::default();
            let mut hearings = [said.newcomer(); 3];
            let mut expected = [const { Vec::new() }; 3];
            let mut heard = [const { Vec::new() }; 3];
            for (step, (kind, who, size)) in steps.into_iter().enumerate() {
                match kind {
                    0 | 1 => {
                        let message = vec![step as u8; size];
                        said.say(&[&message], hearings.get_mut(who));
                        for (at, expected) in expected.iter_mut().enumerate().filter(|(at, _)| *at != who) {
                            let _ = at;
                            expected.extend_from_slice(&message);
                        }
                    }
                    2 if who < 3 => {
                        let unheard = said.unheard_bytes(&hearings[who]);
                        prop_assert_eq!(unheard, expected[who].len() - heard[who].len());
                        let more = hear(&said, &mut hearings[who], size);
                        heard[who].extend(more);
                    }
                    _ => {
                        let all = hearings.iter().map(|hearing| said.position(hearing)).min();
                        said.forget_before(all.unwrap());
                    }
                }
            }
            for who in 0..3 {
                said.take_unheard(&mut hearings[who], |slice| heard[who].extend_from_slice(slice));
                prop_assert_eq!(&heard[who], &expected[who]);
            }
            said.forget_before(said.end());
            prop_assert_eq!(said.kept_bytes(), 0);
            prop_assert!(said.pieces.is_empty());
        }
    }
}
