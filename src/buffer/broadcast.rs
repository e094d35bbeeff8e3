//! The broadcast log: bytes for many receivers are kept once, instead of a copy for each.
//!
//! The log has absolute positions. Each receiver has a `Cursor`: how far it was sent the log, and the newest of its own
//! pieces, which it is not sent. The pieces of one sender form a chain from the newest back to the oldest, so skipping
//! them costs nothing for a receiver that never sends.

use std::collections::VecDeque;

use crate::buffer::gather::Gather;

/// Own pieces looked at for one write; a receiver with more unread ones gets the rest with the next write.
const OWN_PIECES_MAX: usize = 16;

/// Spare room that the log may keep.
const KEPT_BYTES: usize = 1 << 20;
const KEPT_PIECES: usize = 16 << 10;

/// The shared log.
#[derive(Debug)]
pub struct BroadcastLog {
    bytes: VecDeque<u8>,
    /// The position of the first byte kept.
    start: u64,
    pieces: VecDeque<Piece>,
    /// The number of the first piece kept. Pieces are numbered from 1; 0 stands for none.
    first_piece: u64,
    /// See `too_many_own`.
    own_pieces_max: u32,
}

/// What one sender appended in one go, from position `from` up to `to`.
#[derive(Debug)]
struct Piece {
    from: u64,
    to: u64,
    /// The number of the same sender's piece before this one.
    before: u64,
    /// An upper bound of how many unread pieces of its own the sender has, this one included.
    unread: u32,
}

/// How far a receiver was sent the log.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    sent_to: u64,
    /// The number of its own newest piece.
    own: u64,
}

/// A receiver's own unread pieces, oldest first, as far as one write looks.
struct OwnPieces {
    ranges: [(u64, u64); OWN_PIECES_MAX],
    count: usize,
    all: bool,
}

#[cfg(test)]
impl Default for BroadcastLog {
    fn default() -> BroadcastLog {
        BroadcastLog::new(512)
    }
}

impl BroadcastLog {
    /// An empty log; a receiver has too many pieces of its own when more than so many are unread.
    pub fn new(own_pieces_max: u32) -> BroadcastLog {
        BroadcastLog {
            bytes: VecDeque::new(),
            start: 0,
            pieces: VecDeque::new(),
            first_piece: 0,
            own_pieces_max,
        }
    }

    /// The position behind the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Bytes in the log, for all receivers together.
    pub fn kept_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What it has in memory, spare room included. Once all were sent all, the room is kept for the next turn, and
    /// counts for nothing.
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

    /// A cursor for a new receiver, which is sent only what is appended from now on.
    pub fn cursor_at_end(&self) -> Cursor {
        Cursor { sent_to: self.end(), own: 0 }
    }

    /// Appends a message; the sender, if it is one of the receivers, is not sent it.
    pub fn append(&mut self, parts: &[&[u8]], sender: Option<&mut Cursor>) {
        let from = self.end();
        for part in parts {
            self.bytes.extend(*part);
        }
        if let Some(sender) = sender {
            self.leave_out(from, sender);
        }
    }

    /// Has a receiver not be sent what was appended from position `from` on.
    pub fn leave_out(&mut self, from: u64, receiver: &mut Cursor) {
        let (to, newest) = (self.end(), self.first_piece + self.pieces.len() as u64);
        // Only the newest is made longer, so that pieces stay in the order of their ends.
        if receiver.own + 1 == newest
            && let Some(last) = self.piece_mut(receiver.own).filter(|last| last.to == from)
        {
            last.to = to;
            return;
        }
        if self.pieces.is_empty() {
            // Numbers grow for ever, so a chain that leads to a forgotten piece ends there.
            self.first_piece = self.first_piece.max(1);
        }
        let unread = self.own_unread(receiver) + 1;
        self.pieces.push_back(Piece { from, to, before: receiver.own, unread });
        receiver.own = self.first_piece + self.pieces.len() as u64 - 1;
    }

    /// True if more than `own_pieces_max` of its own pieces are unread. Skipping them is a walk along the chain, so the
    /// receiver should then get a private copy of the rest.
    pub fn too_many_own(&self, cursor: &Cursor) -> bool {
        self.own_unread(cursor) > self.own_pieces_max
    }

    /// How many of its own pieces are unread; counted again only where the bound says that it may be many.
    fn own_unread(&self, cursor: &Cursor) -> u32 {
        let Some(last) = self.piece(cursor.own).filter(|piece| piece.to > cursor.sent_to) else { return 0 };
        if last.unread <= self.own_pieces_max {
            return last.unread;
        }
        let mut count = 0;
        let mut number = cursor.own;
        while let Some(piece) = self.piece(number).filter(|piece| piece.to > cursor.sent_to) {
            count += 1;
            number = piece.before;
        }
        count
    }

    /// Whether something of the log is left to be sent. Call `skip_own` first to know whether it is anything but the
    /// receiver's own.
    pub fn is_behind(&self, cursor: &Cursor) -> bool {
        cursor.sent_to < self.end()
    }

    /// The position up to which it was sent the log.
    pub fn position(&self, cursor: &Cursor) -> u64 {
        cursor.sent_to
    }

    /// How many bytes of the log it still has to be sent, its own left out.
    pub fn unread_bytes(&self, cursor: &Cursor) -> usize {
        let mut unread = self.end() - cursor.sent_to;
        let mut number = cursor.own;
        while let Some(piece) = self.piece(number).filter(|piece| piece.to > cursor.sent_to) {
            unread -= piece.to - piece.from.max(cursor.sent_to);
            number = piece.before;
        }
        unread as usize
    }

    /// Gathers what it still has to be sent, its own left out, as far as there is room.
    pub fn gather<'a>(&'a self, cursor: &Cursor, into: &mut Gather<'a>) {
        let own = self.own_pieces(cursor);
        let mut at = cursor.sent_to;
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

    /// Moves a cursor on by `sent` bytes that `gather` gave, and over own pieces that follow.
    pub fn advance(&self, cursor: &mut Cursor, sent: u64) {
        self.advance_over(cursor, sent);
    }

    /// The same; returns whether more own pieces may follow than were looked at.
    fn advance_over(&self, cursor: &mut Cursor, mut sent: u64) -> bool {
        let own = self.own_pieces(cursor);
        for &(from, to) in &own.ranges[..own.count] {
            let before_own = from.saturating_sub(cursor.sent_to);
            if sent < before_own {
                break;
            }
            sent -= before_own;
            cursor.sent_to = cursor.sent_to.max(to);
        }
        cursor.sent_to += sent;
        debug_assert!(cursor.sent_to <= self.end(), "a cursor never passes the end");
        !own.all
    }

    /// Moves a cursor over own pieces that come next.
    pub fn skip_own(&self, cursor: &mut Cursor) {
        // Mostly there are none: who has said something was sent it before it says more.
        if self.piece(cursor.own).is_some_and(|newest| newest.to > cursor.sent_to) {
            self.skip_unread_own(cursor);
        }
    }

    #[inline(never)]
    fn skip_unread_own(&self, cursor: &mut Cursor) {
        let mut before = cursor.sent_to;
        // One look takes in so many pieces only, and there may be more: a write of nothing would be taken for a failure.
        while self.advance_over(cursor, 0) && cursor.sent_to > before {
            before = cursor.sent_to;
        }
    }

    /// Hands over all that is unread, as slices, and moves the cursor to the end.
    pub fn drain_to(&self, cursor: &mut Cursor, mut take: impl FnMut(&[u8])) {
        while self.is_behind(cursor) {
            let mut gather = Gather::new(usize::MAX);
            self.gather(cursor, &mut gather);
            let mut taken = 0;
            for slice in gather.slices() {
                take(slice);
                taken += slice.len() as u64;
            }
            self.advance(cursor, taken);
        }
    }

    /// Drops what lies before `position`: every receiver was sent it.
    pub fn trim_before(&mut self, position: u64) {
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

    fn own_pieces(&self, cursor: &Cursor) -> OwnPieces {
        // The chain leads from the newest back; the ring keeps the oldest of them.
        let mut ring = [(0, 0); OWN_PIECES_MAX];
        let mut seen = 0;
        let mut number = cursor.own;
        while let Some(piece) = self.piece(number).filter(|piece| piece.to > cursor.sent_to) {
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

    fn hear(log: &BroadcastLog, cursor: &mut Cursor, bytes_max: usize) -> Vec<u8> {
        let mut gather = Gather::new(bytes_max);
        log.gather(cursor, &mut gather);
        let heard: Vec<u8> = gather.slices().iter().flat_map(|slice| slice.iter().copied()).collect();
        log.advance(cursor, heard.len() as u64);
        heard
    }

    #[test]
    fn a_speaker_hears_the_others_only() {
        let mut log = BroadcastLog::default();
        let (mut anna, mut bert) = (log.cursor_at_end(), log.cursor_at_end());
        log.append(&[b"a1 "], Some(&mut anna));
        log.append(&[b"b1 "], Some(&mut bert));
        log.append(&[b"a", b"2 "], Some(&mut anna));
        log.append(&[b"op "], None);
        assert_eq!(hear(&log, &mut anna, 100), b"b1 op ");
        assert_eq!(hear(&log, &mut bert, 100), b"a1 a2 op ");
        assert!(!log.is_behind(&anna));
    }

    #[test]
    fn however_many_own_pieces_come_next_all_of_them_are_skipped() {
        let mut log = BroadcastLog::default();
        let mut left_out = [log.cursor_at_end(), log.cursor_at_end()];
        for _ in 0..5 * OWN_PIECES_MAX {
            let from = log.end();
            log.append(&[b"not for these"], None);
            left_out.iter_mut().for_each(|cursor| log.leave_out(from, cursor));
        }

        log.skip_own(&mut left_out[0]);

        assert!(!log.is_behind(&left_out[0]), "a write of nothing would be taken for a failure");
    }

    #[test]
    fn own_words_alone_leave_nobody_behind() {
        let mut log = BroadcastLog::default();
        let mut anna = log.cursor_at_end();
        log.append(&[b"one"], Some(&mut anna));
        log.append(&[b"two"], Some(&mut anna));
        log.skip_own(&mut anna);
        assert!(!log.is_behind(&anna));
        assert_eq!(log.pieces.len(), 1, "pieces that touch are one");
    }

    /// So many say this, each once.
    fn all_say(log: &mut BroadcastLog, speakers: usize, message: &[u8]) {
        for _ in 0..speakers {
            let mut speaker = log.cursor_at_end();
            log.append(&[message], Some(&mut speaker));
        }
    }

    /// By this is reckoned how many have to be dropped where all together have too much.
    #[test]
    fn what_is_held_from_a_position_on_is_what_was_said_behind_it() {
        let mut log = BroadcastLog::default();
        all_say(&mut log, 10, b"hello");

        let held: Vec<usize> = (0..=10).map(|heard| log.held_bytes_from(5 * heard)).collect();

        let expected: Vec<usize> = (0..=10).rev().map(|left| left * (5 + size_of::<Piece>())).collect();
        assert_eq!(held, expected, "from each message on");
    }

    #[test]
    fn a_log_that_gets_shorter_gives_its_memory_back_although_somebody_is_behind() {
        // Bit by bit, and nearly all at once.
        for step in [1000, 99_000] {
            let mut log = BroadcastLog::default();
            all_say(&mut log, 100_000, &[b'x'; 50]);

            for heard in (0..100_000).step_by(step) {
                log.trim_before(50 * heard as u64);
                let (bytes, pieces) = (log.bytes.capacity(), log.pieces.capacity());
                let bytes_max = 4 * log.bytes.len() + KEPT_BYTES;
                assert!(bytes <= bytes_max, "room for {bytes} bytes of {bytes_max}, {heard} heard");
                let pieces_max = 4 * log.pieces.len() + KEPT_PIECES;
                assert!(pieces <= pieces_max, "room for {pieces} pieces of {pieces_max}, {heard} heard");
            }
        }
    }

    proptest! {
        /// Several speakers, heard in bits of any size, the log trimmed at any time: each hears
        /// exactly what the others said, in order.
        #[test]
        fn each_hears_exactly_what_the_others_said(
            steps in proptest::collection::vec((0usize..5, 0usize..4, 1usize..30), 1..200),
        ) {
            let mut log = BroadcastLog::default();
            let mut hearings = [log.cursor_at_end(); 3];
            let mut expected = [const { Vec::new() }; 3];
            let mut heard = [const { Vec::new() }; 3];
            for (step, (kind, who, size)) in steps.into_iter().enumerate() {
                match kind {
                    0 | 1 => {
                        let message = vec![step as u8; size];
                        log.append(&[&message], hearings.get_mut(who));
                        for (at, expected) in expected.iter_mut().enumerate().filter(|(at, _)| *at != who) {
                            let _ = at;
                            expected.extend_from_slice(&message);
                        }
                    }
                    4 => {
                        // All but one of them are left out, or with the fourth, all three.
                        let (from, message) = (log.end(), vec![step as u8; size]);
                        log.append(&[&message], None);
                        for (at, cursor) in hearings.iter_mut().enumerate().filter(|(at, _)| *at != who) {
                            let _ = at;
                            log.leave_out(from, cursor);
                        }
                        if let Some(expected) = expected.get_mut(who) {
                            expected.extend_from_slice(&message);
                        }
                    }
                    2 if who < 3 => {
                        let unread = log.unread_bytes(&hearings[who]);
                        prop_assert_eq!(unread, expected[who].len() - heard[who].len());
                        let more = hear(&log, &mut hearings[who], size);
                        heard[who].extend(more);
                    }
                    _ => {
                        let all = hearings.iter().map(|cursor| log.position(cursor)).min();
                        log.trim_before(all.unwrap());
                    }
                }
            }
            for who in 0..3 {
                log.drain_to(&mut hearings[who], |slice| heard[who].extend_from_slice(slice));
                prop_assert_eq!(&heard[who], &expected[who]);
            }
            log.trim_before(log.end());
            prop_assert_eq!(log.kept_bytes(), 0);
            prop_assert!(log.pieces.is_empty());
        }
    }
}
