//! Who waits for an answer: from its first message after our last word to it until something is sent to it, it is
//! struck off, or it closes.

use std::collections::HashMap;
use std::time::Duration;

use crate::buffer::framing::{End, Frame};
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::desk::DeskId;
use crate::desk::text::without_cr;

/// So much of what it asked is kept here; the rest is in the history, where one is kept.
pub const TEXT_BYTES_MAX: usize = 4096;

/// For so long whom one desk was given as the next is not given to another.
const GIVEN_FOR: Duration = Duration::from_secs(60);

/// One who waits.
#[derive(Debug)]
pub struct Entry {
    /// Since when.
    pub since: Moment,
    /// What it asked first, or how that begins.
    pub text: Box<[u8]>,
    /// There was more.
    pub is_cut: bool,
    /// What it asked last, where that may be learnt.
    pub last: Option<Last>,
    /// Which desk was given it last as the next to be answered, and when.
    pub given: Option<(DeskId, Moment)>,
}

/// What somebody asked last.
#[derive(Debug)]
pub struct Last {
    /// It, or how it begins.
    pub text: Box<[u8]>,
    /// There is more of it.
    pub is_cut: bool,
}

/// All who wait.
#[derive(Debug, Default)]
pub struct Pending {
    entries: HashMap<u64, Entry>,
    /// A bit for each place in the table: whoever says thousands of lines is looked up for the first alone.
    waits: Vec<u64>,
    /// Whoever was struck off last, as it waited: it may be that it was answered.
    struck_off: Option<(u64, Entry)>,
}

impl Pending {
    fn bit(id: ConnId) -> (usize, u64) {
        (id.key.place() / 64, 1 << (id.key.place() % 64))
    }

    /// Notes a message.
    #[inline]
    pub fn note(&mut self, id: ConnId, frame: &Frame<'_>, now: Moment) {
        if !self.waits(id) {
            self.add(id, frame, now);
        }
    }

    /// Whether it waits.
    #[inline]
    pub fn waits(&self, id: ConnId) -> bool {
        let (word, bit) = Pending::bit(id);
        self.waits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Notes the last message of one who waits. `is_cut`: it is part of a longer one.
    pub fn note_last(&mut self, id: ConnId, text: &[u8], is_cut: bool) {
        let Some(entry) = self.entries.get_mut(&id.serial()) else { return };
        let kept = &text[..text.len().min(TEXT_BYTES_MAX)];
        entry.last = Some(Last { text: kept.into(), is_cut: is_cut || kept.len() < text.len() });
    }

    #[cold]
    fn add(&mut self, id: ConnId, frame: &Frame<'_>, now: Moment) {
        let (word, bit) = Pending::bit(id);
        if self.waits.len() <= word {
            self.waits.resize(word + 1, 0);
        }
        self.waits[word] |= bit;
        // Of a line, the `\r` before its end belongs to that.
        let text = if frame.end == End::Newline { without_cr(frame.bytes) } else { frame.bytes };
        let kept = &text[..text.len().min(TEXT_BYTES_MAX)];
        let is_cut = kept.len() < text.len() || frame.end == End::Limit;
        let entry = Entry { since: now, text: kept.into(), is_cut, last: None, given: None };
        self.entries.insert(id.serial(), entry);
    }

    /// Strikes one off. Returns whether it waited.
    #[inline]
    pub fn remove(&mut self, id: ConnId) -> bool {
        let (word, bit) = Pending::bit(id);
        let Some(bits) = self.waits.get_mut(word).filter(|bits| **bits & bit != 0) else { return false };
        *bits &= !bit;
        self.strike_off(id)
    }

    #[cold]
    fn strike_off(&mut self, id: ConnId) -> bool {
        self.struck_off = self.entries.remove(&id.serial()).map(|entry| (id.serial(), entry));
        self.struck_off.is_some()
    }

    /// Whether this one was struck off last, and was not asked for yet.
    pub fn has_struck_off(&self, serial: u64) -> bool {
        self.struck_off.as_ref().is_some_and(|(whose, _)| *whose == serial)
    }

    /// Whoever was struck off last, unless that was asked already.
    pub fn take_struck_off(&mut self) -> Option<(u64, Entry)> {
        self.struck_off.take()
    }

    /// Strikes all off but these.
    pub fn clear_but(&mut self, left_out: impl Iterator<Item = ConnId>) {
        let kept: Vec<(ConnId, Entry)> =
            left_out.filter_map(|id| Some((id, self.entries.remove(&id.serial())?))).collect();
        self.entries.clear();
        self.waits.fill(0);
        for (id, entry) in kept {
            let (word, bit) = Pending::bit(id);
            self.waits[word] |= bit;
            self.entries.insert(id.serial(), entry);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How one waits, if it does.
    pub fn get(&self, serial: u64) -> Option<&Entry> {
        self.entries.get(&serial)
    }

    /// Gives a desk whoever waits longest, and to no other desk for a while.
    pub fn next_for(&mut self, desk: DeskId, now: Moment) -> Option<u64> {
        let is_free =
            |entry: &Entry| entry.given.is_none_or(|(other, at)| other == desk || now.since(at) >= GIVEN_FOR);
        let free = self.entries.iter_mut().filter(|(_, entry)| is_free(entry));
        let (serial, entry) = free.min_by_key(|(serial, entry)| (entry.since, **serial))?;
        entry.given = Some((desk, now));
        Some(*serial)
    }

    /// All, longest first.
    pub fn all(&self) -> Vec<(u64, &Entry)> {
        let mut all: Vec<_> = self.entries.iter().map(|(serial, entry)| (*serial, entry)).collect();
        all.sort_unstable_by_key(|(serial, entry)| (entry.since, *serial));
        all
    }
}
