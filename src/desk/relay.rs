//! What all attached desks are told. Each event is spelt once, in JSON, into one log that all of them are sent from;
//! what is for one of them alone (its greeting, its replies) stands in a queue of its own, in order between the events.
//! Nobody waits for a desk: of one that does not read, the log is forgotten from the front, the lines that it has missed
//! are counted, and it is told how many they are. Replies are never skipped; a desk that does not read its own is not heard
//! any further (`has_no_room`). Pure: who takes the bytes, and how they get to the desk, is not known here.

mod past;
mod reader;

use std::collections::VecDeque;

use super::event::{DeskId, Event, Who};
use super::json::{ReplyFrame, Writer};
use super::reply::Reply;
use super::text::{Format, Renderer, Repertoire};
use crate::buffer::framing::Frame;
use past::Past;
use reader::{Cuts, Reader};

/// How much is kept for desks that do not read.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The log is forgotten in pieces of about so many bytes.
    pub chunk_bytes: usize,
    /// So much of it is kept for desks that are slow, whoever they are and however many; and at least one piece.
    pub log_bytes: usize,
    /// Once so much of its own waits for a desk, it is not heard any further.
    pub own_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { chunk_bytes: 64 << 10, log_bytes: 4 << 20, own_bytes: 64 << 10 }
    }
}

/// All attached desks.
#[derive(Debug, Default)]
pub struct Relay {
    writer: Writer,
    log: Log,
    past: Past,
    /// What is only kept for those who come later.
    line: Vec<u8>,
    readers: Vec<Reader>,
    bounds: Bounds,
}

/// What was spelt for all and not yet taken by all, in pieces of whole lines.
#[derive(Debug, Default)]
struct Log {
    chunks: VecDeque<Vec<u8>>,
    /// Where the first of them begins, counted from the first byte there ever was.
    start: u64,
    /// Where the next line will begin.
    end: u64,
}

/// Which events stay to be told to those who come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// What was said.
    Said,
    /// All else.
    Nothing,
}

impl Relay {
    /// One more desk, which is told everything from now on. `greet` appends what it is told first, and what was said
    /// before stands behind that.
    pub fn attach(&mut self, desk: DeskId, greet: impl FnOnce(&mut Writer, &mut Vec<u8>)) {
        let mut reader = Reader::new(desk, self.log.end);
        reader.alone(self.log.end, |out| {
            greet(&mut self.writer, out);
            self.past.push_all(out);
        });
        self.readers.push(reader);
    }

    /// A desk is gone.
    pub fn detach(&mut self, desk: DeskId) {
        self.readers.retain(|reader| reader.desk != desk);
        self.forget_taken();
    }

    /// Whether anybody is attached.
    pub fn is_heard(&self) -> bool {
        !self.readers.is_empty()
    }

    /// From now on the replies to this desk are told in words, too: of a terminal with so many columns, or, where that is 0,
    /// of a pipe.
    pub fn use_words(&mut self, desk: DeskId, columns: usize) {
        if let Some(reader) = self.reader(desk) {
            let mut renderer = match columns {
                0 => Renderer::new(Format::Human),
                _ => Renderer::for_terminal(Repertoire::Unicode),
            };
            if columns > 0 {
                renderer.set_columns(columns);
            }
            reader.words = Some(Box::new(renderer));
        }
    }

    /// A message, the most frequent of all events.
    pub fn message(&mut self, who: Who<'_>, frame: &Frame<'_>, seq: u64) {
        self.spell(Keeps::Said, None, |writer, out| writer.message(who, frame, seq, out));
    }

    /// Any event. `but`: this desk has its reply in place of it.
    pub fn event(&mut self, event: &Event<'_>, seq: u64, but: Option<DeskId>) {
        let is_said = matches!(event, Event::Message(..) | Event::Sent { .. } | Event::Answered { .. });
        let keeps = if is_said { Keeps::Said } else { Keeps::Nothing };
        self.spell(keeps, but, |writer, out| writer.event(event, seq, out));
    }

    #[inline]
    fn spell(&mut self, keeps: Keeps, but: Option<DeskId>, render: impl FnOnce(&mut Writer, &mut Vec<u8>)) {
        let Relay { writer, log, past, line, readers, bounds } = self;
        if !readers.iter().any(|reader| Some(reader.desk) != but) {
            if keeps == Keeps::Said {
                line.clear();
                render(writer, line);
                past.add(line);
            }
            return;
        }
        let from = log.end;
        let spelt = log.append(bounds.chunk_bytes, |out| render(writer, out));
        if keeps == Keeps::Said {
            past.add(spelt);
        }
        let bytes = log.end - from;
        if let Some(reader) = readers.iter_mut().find(|reader| Some(reader.desk) == but) {
            reader.leave_out(from, bytes);
        }
        if log.end - log.start > bounds.log_bytes as u64 {
            self.forget_oldest();
        }
    }

    /// The reply to a command of this desk.
    pub fn reply(&mut self, desk: DeskId, reply: &Reply<'_>, frame: ReplyFrame<'_>) {
        let Relay { writer, log, readers, .. } = self;
        let Some(reader) = readers.iter_mut().find(|reader| reader.desk == desk) else { return };
        let words = reader.words.as_mut().map(|renderer| {
            let mut words = Vec::new();
            renderer.reply(reply, &mut words);
            words
        });
        reader.alone(log.end, |out| match words {
            None => writer.reply(reply, frame, out),
            Some(words) => writer.reply_with_words(reply, frame, &words, out),
        });
    }

    /// Tells one desk alone of an event.
    pub fn tell(&mut self, desk: DeskId, event: &Event<'_>) {
        let Relay { writer, log, readers, .. } = self;
        if let Some(reader) = readers.iter_mut().find(|reader| reader.desk == desk) {
            reader.alone(log.end, |out| writer.event(event, 0, out));
        }
    }

    /// Whether more of its own for a desk would have to wait.
    pub fn has_no_room(&self, desk: DeskId) -> bool {
        self.readers.iter().any(|reader| reader.desk == desk && reader.own_bytes() >= self.bounds.own_bytes)
    }

    /// Hands over what comes next for a desk, about `room_bytes` of it, in pieces: whole lines, but that one that is longer
    /// than that comes in several pieces, each with nothing in front. Returns whether there is more.
    pub fn take(&mut self, desk: DeskId, room_bytes: usize, mut to: impl FnMut(&[u8])) -> bool {
        let Relay { writer, log, readers, .. } = self;
        let Some(reader) = readers.iter_mut().find(|reader| reader.desk == desk) else { return false };
        let mut taken = 0;
        while taken < room_bytes {
            let before = taken;
            // A line is cut where it has all the room and no other: else whoever is always behind is always told half of one.
            let cuts = if taken == 0 { Cuts::Lines } else { Cuts::Nothing };
            reader.next(writer, log, room_bytes - taken, cuts, |piece| {
                taken += piece.len();
                to(piece);
            });
            if taken == before {
                break;
            }
        }
        reader.has_more(log)
    }

    /// The turn is over: what everybody has taken is forgotten, and the time.
    pub fn end_turn(&mut self) {
        self.forget_taken();
        self.writer.expire();
    }

    /// Other bounds, which a few lines reach.
    #[cfg(any(test, feature = "simulator"))]
    pub fn keep_within(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// How many bytes of the log are kept, and how many of its own for the desk that has the most of them.
    #[cfg(any(test, feature = "simulator"))]
    pub fn kept_bytes(&self) -> (usize, usize) {
        let log = self.log.chunks.iter().map(Vec::len).sum();
        (log, self.readers.iter().map(Reader::own_bytes).max().unwrap_or(0))
    }

    /// What all are told and this desk has not taken is taken from it, which is a fault.
    #[cfg(any(test, feature = "simulator"))]
    pub fn forget_to_tell(&mut self, desk: DeskId) {
        let end = self.log.end;
        if let Some(reader) = self.reader(desk) {
            reader.at = end;
        }
    }

    fn reader(&mut self, desk: DeskId) -> Option<&mut Reader> {
        self.readers.iter_mut().find(|reader| reader.desk == desk)
    }

    fn forget_taken(&mut self) {
        let taken = self.readers.iter().map(|reader| reader.at).min().unwrap_or(self.log.end);
        self.log.forget_before(taken, self.bounds.chunk_bytes);
    }

    /// Makes room in the log; who has not taken what goes has missed it.
    #[cold]
    fn forget_oldest(&mut self) {
        let Relay { log, readers, bounds, .. } = self;
        while log.end - log.start > bounds.log_bytes as u64 && log.chunks.len() > 1 {
            readers.iter_mut().for_each(|reader| reader.miss_first(log));
            log.forget_first();
        }
    }
}

impl Log {
    /// Appends a line, or several; returns them.
    #[inline]
    fn append(&mut self, chunk_bytes: usize, render: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        if self.chunks.back().is_none_or(|last| last.len() >= chunk_bytes) {
            self.chunks.push_back(Vec::new());
        }
        let Some(last) = self.chunks.back_mut() else { return &[] };
        let from = last.len();
        render(last);
        self.end += (last.len() - from) as u64;
        &last[from..]
    }

    /// What is there from this place on to the end of its piece, and no further than `until`.
    fn rest_of_chunk(&self, at: u64, until: u64) -> &[u8] {
        let mut start = self.start;
        for chunk in &self.chunks {
            let end = start + chunk.len() as u64;
            if at < end {
                let until = until.clamp(at, end);
                return &chunk[(at - start) as usize..(until - start) as usize];
            }
            start = end;
        }
        &[]
    }

    /// Where the first piece ends.
    fn first_end(&self) -> u64 {
        self.start + self.chunks.front().map_or(0, Vec::len) as u64
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.chunks.pop_front() {
            self.start += first.len() as u64;
        }
    }

    fn forget_before(&mut self, taken: u64, chunk_bytes: usize) {
        while self.chunks.len() > 1 && self.first_end() <= taken {
            self.forget_first();
        }
        if let Some(last) = self.chunks.front_mut()
            && taken >= self.end
        {
            // Its memory is for the next turn, but not that of a line that was very long.
            last.clear();
            last.shrink_to(2 * chunk_bytes);
            self.start = self.end;
        }
    }
}

#[cfg(test)]
mod tests;
