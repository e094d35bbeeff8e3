//! What was typed, as lines, taken one at a time: whoever takes them may stop at any line and go on
//! later.

use std::collections::VecDeque;
use std::mem;

use memchr::memchr;

use super::stdin::BufferReturn;

/// A typed line may be this long, 16 MiB; it is kept whole in memory.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// What stdin keeps for the beginnings of lines that are cut; there is one of it.
const TAIL_BYTES_KEPT: usize = 128 << 10;

/// The same of each of the others, which may be idle.
const TAIL_BYTES_KEPT_BY_MANY: usize = 256;

/// Typed bytes that wait to be taken as lines.
#[derive(Debug, Default)]
pub struct Input {
    chunks: VecDeque<Vec<u8>>,
    /// How much of the first chunk was taken.
    taken: usize,
    /// Where in the first chunk the line begins that was handed out last.
    line_from: usize,
    /// The beginning of a line whose end is in a chunk to come.
    tail: Vec<u8>,
    /// The tail was handed out and is to be cleared.
    tail_is_taken: bool,
    /// The line is too long: what is left of it is thrown away.
    overlong: bool,
    ended: bool,
    source: Option<BufferReturn>,
}

/// Something that was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed<'a> {
    /// A line, without its `\n`.
    Line(&'a [u8]),
    /// A line that is too long; none of it is kept.
    TooLong,
    /// The end of the input. Told once.
    End,
}

impl Input {
    /// Input whose chunks go back to `source` when they are used up.
    pub fn new(source: Option<BufferReturn>) -> Input {
        Input { source, ..Input::default() }
    }

    /// Appends bytes as they came.
    pub fn push(&mut self, chunk: Vec<u8>) {
        self.chunks.push_back(chunk);
    }

    /// How much is here that was not looked at yet, the beginning of an unfinished line left out.
    pub fn waiting_bytes(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum::<usize>() - self.taken
    }

    /// The same, with that beginning.
    pub fn untaken_bytes(&self) -> usize {
        self.waiting_bytes() + if self.tail_is_taken { 0 } else { self.tail.len() }
    }

    /// Notes that nothing more will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next line, if a whole one is here.
    pub fn next_line(&mut self) -> Option<Typed<'_>> {
        if self.tail_is_taken {
            self.tail.clear();
            // A long line is no reason to keep its memory.
            self.tail.shrink_to(match self.source {
                Some(_) => TAIL_BYTES_KEPT,
                None => TAIL_BYTES_KEPT_BY_MANY,
            });
            self.tail_is_taken = false;
        }
        while let Some(chunk) = self.chunks.front() {
            let fresh = &chunk[self.taken..];
            let Some(length) = memchr(b'\n', fresh) else {
                self.keep_tail();
                continue;
            };
            let line = self.taken..self.taken + length;
            self.line_from = line.start;
            self.taken = line.end + 1;
            if self.overlong || self.tail.len() + length > LINE_BYTES_MAX {
                self.overlong = false;
                self.tail = Vec::new();
                return Some(Typed::TooLong);
            }
            if self.tail.is_empty() {
                return Some(Typed::Line(&self.chunks[0][line]));
            }
            self.tail.extend_from_slice(&self.chunks[0][line]);
            self.tail_is_taken = true;
            return Some(Typed::Line(&self.tail));
        }
        if !self.ended {
            return None;
        }
        // A last line needs no line ending.
        if self.overlong {
            self.overlong = false;
            return Some(Typed::TooLong);
        }
        if !self.tail.is_empty() {
            self.tail_is_taken = true;
            return Some(Typed::Line(&self.tail));
        }
        self.ended = false;
        Some(Typed::End)
    }

    /// The line that was just handed out, to be kept; a long one is not copied.
    pub fn keep_line(&mut self) -> Vec<u8> {
        if mem::take(&mut self.tail_is_taken) {
            return mem::take(&mut self.tail);
        }
        let line =
            self.chunks.front().and_then(|chunk| chunk.get(self.line_from..self.taken.saturating_sub(1)));
        line.unwrap_or_default().to_vec()
    }

    /// Moves what is left of the first chunk to the tail and gives the chunk back.
    fn keep_tail(&mut self) {
        let Some(chunk) = self.chunks.pop_front() else { return };
        let fresh = &chunk[self.taken..];
        self.overlong |= self.tail.len() + fresh.len() > LINE_BYTES_MAX;
        if self.overlong {
            self.tail = Vec::new();
        } else {
            self.tail.extend_from_slice(fresh);
        }
        self.taken = 0;
        if let Some(source) = &self.source {
            source.give_back(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &mut Input) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(typed) = input.next_line() {
            out.push(match typed {
                Typed::Line(line) => String::from_utf8(line.to_vec()).unwrap(),
                Typed::TooLong => "TOO LONG".into(),
                Typed::End => "END".into(),
            });
        }
        out
    }

    #[test]
    fn lines_come_whole_however_the_chunks_were_cut() {
        let mut input = Input::new(None);
        input.push(b"one\ntw".to_vec());
        assert_eq!(all(&mut input), ["one"]);
        input.push(b"o".to_vec());
        assert!(all(&mut input).is_empty());
        assert_eq!((input.waiting_bytes(), input.untaken_bytes()), (0, 3));
        input.push(b"\n\nlast".to_vec());
        assert_eq!(input.next_line(), Some(Typed::Line(b"two")));
        assert_eq!(input.untaken_bytes(), 5, "what was handed out is taken");
        assert_eq!(all(&mut input), [""]);
        input.end();
        assert_eq!(all(&mut input), ["last", "END"]);
        assert!(all(&mut input).is_empty());
    }

    #[test]
    fn the_line_that_was_handed_out_can_be_kept_however_the_chunks_were_cut() {
        let mut input = Input::new(None);
        input.push(b"one\n\ntwo\nth".to_vec());
        input.push(b"ree\nfour\nfi".to_vec());
        input.push(b"ve".to_vec());
        input.end();
        let mut kept = Vec::new();
        while let Some(Typed::Line(line)) = input.next_line() {
            let line = line.to_vec();
            kept.push(String::from_utf8(input.keep_line()).unwrap());
            assert_eq!(kept.last().map(String::as_bytes), Some(&line[..]));
        }
        assert_eq!(kept, ["one", "", "two", "three", "four", "five"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_is_taken() {
        let mut input = Input::new(None);
        for _ in 0..17 {
            input.push(vec![b'a'; 1 << 20]);
            assert!(all(&mut input).is_empty());
        }
        input.push(b"aa\nnext\n".to_vec());
        assert_eq!(all(&mut input), ["TOO LONG", "next"]);
    }

    #[test]
    fn a_long_line_leaves_no_memory_to_one_of_many() {
        let mut input = Input::new(None);
        input.push(vec![b'a'; 100_000]);
        assert!(all(&mut input).is_empty());
        input.push(b"\n".to_vec());
        assert_eq!(all(&mut input), ["a".repeat(100_000)]);
        assert!(input.tail.capacity() <= TAIL_BYTES_KEPT_BY_MANY, "{}", input.tail.capacity());
    }
}
