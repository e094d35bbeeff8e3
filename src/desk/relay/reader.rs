//! One attached desk: how far it has taken what all are told, and what is for it alone.

use std::collections::VecDeque;

use memchr::{memchr, memchr_iter, memrchr};

use super::Log;
use crate::desk::event::{DeskId, Event};
use crate::desk::json::Writer;
use crate::desk::text::Renderer;

/// See the file.
#[derive(Debug)]
pub struct Reader {
    pub desk: DeskId,
    /// How far it has taken the log; always where a line begins.
    pub at: u64,
    /// What is for it alone, and where in the log.
    own: VecDeque<Own>,
    own_bytes: usize,
    /// So many lines it has missed, and was not told yet.
    skipped: u64,
    /// Where the first of them began.
    missed_from: u64,
    /// Where its replies are told in words, too: by whom.
    pub words: Option<Box<Renderer>>,
}

/// What becomes of a line that is longer than the room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// As much of it is handed over as there is room for.
    Lines,
    /// It waits for more room.
    Nothing,
}

/// Something that only one desk is told.
#[derive(Debug)]
struct Own {
    /// It stands before what begins here in the log.
    at: u64,
    /// Before it so many bytes of the log are left out: it has this in place of them.
    left_out: u64,
    bytes: Vec<u8>,
    taken: usize,
}

impl Reader {
    /// One that hears what comes from here on.
    pub fn new(desk: DeskId, at: u64) -> Reader {
        Reader { desk, at, own: VecDeque::new(), own_bytes: 0, skipped: 0, missed_from: 0, words: None }
    }

    /// Appends something that it alone is told, behind all that there is by now.
    pub fn alone(&mut self, log_end: u64, render: impl FnOnce(&mut Vec<u8>)) {
        if self.own.back().is_none_or(|last| last.at + last.left_out != log_end) {
            self.own.push_back(Own { at: log_end, left_out: 0, bytes: Vec::new(), taken: 0 });
        }
        if let Some(last) = self.own.back_mut() {
            let before = last.bytes.len();
            render(&mut last.bytes);
            self.own_bytes += last.bytes.len() - before;
        }
    }

    /// It is not told what was appended last.
    pub fn leave_out(&mut self, at: u64, bytes: u64) {
        self.own.push_back(Own { at, left_out: bytes, bytes: Vec::new(), taken: 0 });
    }

    /// How much of its own waits for it.
    pub fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// Whether there is something for it.
    pub fn has_more(&self, log: &Log) -> bool {
        self.skipped > 0 || self.at < log.end || self.own_bytes > 0
    }

    /// Hands over the next piece, if there is one.
    pub fn next(
        &mut self,
        writer: &mut Writer,
        log: &Log,
        room_bytes: usize,
        cuts: Cuts,
        to: impl FnOnce(&[u8]),
    ) {
        loop {
            // What stood before the first line that is missing comes before it is told that it is. What is left out moves
            // its place on.
            let until = if self.skipped > 0 { self.missed_from } else { self.at };
            let Some(own) = self.own.front_mut().filter(|own| own.at <= until) else { break };
            self.at = self.at.max(own.at + own.left_out);
            if own.taken < own.bytes.len() {
                let piece = piece_of(&own.bytes[own.taken..], room_bytes, cuts);
                own.taken += piece.len();
                self.own_bytes -= piece.len();
                return to(piece);
            }
            self.own.pop_front();
        }
        if self.own.is_empty() {
            // A desk to which nothing happens keeps no memory for what it was told once.
            self.own = VecDeque::new();
        }
        if self.skipped > 0 {
            let mut line = Vec::new();
            writer.event(&Event::Skipped(std::mem::take(&mut self.skipped)), 0, &mut line);
            return to(&line);
        }
        let until = self.own.front().map_or(log.end, |own| own.at);
        let rest = log.rest_of_chunk(self.at, until);
        let line_bytes = memchr(b'\n', rest).map_or(0, |at| at + 1);
        if line_bytes > room_bytes {
            if cuts == Cuts::Nothing {
                return;
            }
            // It is taken out of the log, so that it is sent to its end whatever is forgotten meanwhile.
            let bytes = rest[..line_bytes].to_vec();
            self.own_bytes += line_bytes;
            self.own.push_front(Own { at: self.at, left_out: line_bytes as u64, bytes, taken: 0 });
            return self.next_of_long(room_bytes, to);
        }
        let piece = piece_of(rest, room_bytes, cuts);
        if !piece.is_empty() {
            self.at += piece.len() as u64;
            to(piece);
        }
    }

    fn next_of_long(&mut self, room_bytes: usize, to: impl FnOnce(&[u8])) {
        let Some(own) = self.own.front_mut() else { return };
        self.at = self.at.max(own.at + own.left_out);
        let piece = piece_of(&own.bytes, room_bytes, Cuts::Lines);
        own.taken += piece.len();
        self.own_bytes -= piece.len();
        to(piece);
    }

    /// The first piece of the log is about to be forgotten: what it has not taken of it, it has missed.
    pub fn miss_first(&mut self, log: &Log) {
        let end = log.first_end();
        if self.at >= end {
            return;
        }
        let missed = memchr_iter(b'\n', log.rest_of_chunk(self.at, end)).count();
        let not_meant = self.own.iter().filter(|own| own.left_out > 0 && (self.at..end).contains(&own.at));
        if self.skipped == 0 {
            self.missed_from = self.at;
        }
        self.skipped += (missed - not_meant.count().min(missed)) as u64;
        self.at = end;
    }
}

/// The whole lines that there is room for; of a first one that is longer, as much as there is room for, or nothing.
fn piece_of(bytes: &[u8], room_bytes: usize, cuts: Cuts) -> &[u8] {
    if bytes.len() <= room_bytes {
        return bytes;
    }
    let room = &bytes[..room_bytes];
    match (memrchr(b'\n', room), cuts) {
        (Some(at), _) => &bytes[..=at],
        (None, Cuts::Lines) => room,
        (None, Cuts::Nothing) => &[],
    }
}
