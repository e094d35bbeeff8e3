//! A stream that does what a test tells it to, and remembers what was done to it.
//!
//! `script()` gives the two ends: the `Scripted` stream for the engine, and the `Wire` by which the
//! test says what the next calls will meet and sees, even after the stream was dropped, what it got.

mod meets;
mod splice;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

use super::{Kept, SentBack, Stream};
use splice::splice;

pub(crate) use meets::{Dial, Get, Put};

#[derive(Debug)]
struct State {
    gets: VecDeque<Get>,
    puts: VecDeque<Put>,
    /// What a write meets when `puts` is used up: all is taken, or nothing.
    takes_all: bool,
    drains: bool,
    drop_finishes: bool,
    /// Whether it can send back what has come in by itself, and how much it did.
    splices: bool,
    spliced_bytes: usize,
    dial: Dial,
    finish_fails: Option<ErrorKind>,
    /// Its end is a record of its own, which it keeps while it cannot be sent: whether it does.
    keeps_end: Option<bool>,
    /// Whether the system has still to send something of what was written.
    has_unsent: bool,
    has_handshake: bool,
    befell: Option<ErrorKind>,
    reads: usize,
    read_bytes: usize,
    writes: Vec<usize>,
    written: Vec<u8>,
    blocked: bool,
    finished: bool,
    aborted: bool,
    dropped: bool,
}

/// The engine's end.
#[derive(Debug)]
pub(crate) struct Scripted(Rc<RefCell<State>>);

/// The test's end.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Rc<RefCell<State>>);

/// A stream with nothing to read that takes all it is given.
pub(crate) fn script() -> (Scripted, Wire) {
    let state = Rc::new(RefCell::new(State {
        gets: VecDeque::new(),
        puts: VecDeque::new(),
        takes_all: true,
        drains: true,
        drop_finishes: false,
        splices: false,
        spliced_bytes: 0,
        dial: Dial::Connected,
        finish_fails: None,
        keeps_end: None,
        has_unsent: false,
        has_handshake: false,
        befell: None,
        reads: 0,
        read_bytes: 0,
        writes: Vec::new(),
        written: Vec::new(),
        blocked: false,
        finished: false,
        aborted: false,
        dropped: false,
    }));
    (Scripted(Rc::clone(&state)), Wire(state))
}

pub(crate) fn bytes(bytes: impl AsRef<[u8]>) -> Get {
    Get::Bytes(bytes.as_ref().to_vec())
}

impl Wire {
    /// Appends results of coming reads.
    pub fn gets(&self, gets: impl IntoIterator<Item = Get>) {
        self.0.borrow_mut().gets.extend(gets);
    }

    /// Bytes come in. As on a socket they join those that were not yet read.
    pub fn arrives(&self, more: &[u8]) {
        if more.is_empty() {
            return;
        }
        let mut state = self.0.borrow_mut();
        match state.gets.back_mut() {
            Some(Get::Bytes(waiting)) => waiting.extend_from_slice(more),
            _ => state.gets.push_back(bytes(more)),
        }
    }

    /// Appends results of coming writes.
    pub fn puts(&self, puts: impl IntoIterator<Item = Put>) {
        self.0.borrow_mut().puts.extend(puts);
    }

    /// From now on nothing is taken but what `puts` allows.
    pub fn stalls(&self) {
        self.0.borrow_mut().takes_all = false;
    }

    /// From now on all is taken.
    pub fn takes_all(&self) {
        let mut state = self.0.borrow_mut();
        state.puts.clear();
        state.takes_all = true;
    }

    /// From now on each write fails, whatever was allowed before.
    pub fn breaks(&self, kind: ErrorKind) {
        let mut state = self.0.borrow_mut();
        state.puts = VecDeque::from([Put::Fail(kind)]);
    }

    /// An error befalls it that reads will not tell.
    pub fn is_befallen_by(&self, kind: ErrorKind) {
        self.0.borrow_mut().befell = Some(kind);
    }

    /// It can send back what has come in by itself.
    pub fn splices(&self) {
        self.0.borrow_mut().splices = true;
    }

    /// Bytes that were taken to be sent back by itself.
    pub fn spliced_bytes(&self) -> usize {
        self.0.borrow().spliced_bytes
    }

    pub fn short_read_drains(&self, drains: bool) {
        self.0.borrow_mut().drains = drains;
    }

    /// Where the peer has finished, letting go of it sends our FIN, as on a plain socket.
    pub fn drop_finishes(&self) {
        self.0.borrow_mut().drop_finishes = true;
    }

    pub fn dial_is(&self, dial: Dial) {
        self.0.borrow_mut().dial = dial;
    }

    pub fn finish_fails(&self, kind: ErrorKind) {
        self.0.borrow_mut().finish_fails = Some(kind);
    }

    /// Its end is a record, which it keeps while it cannot be sent.
    pub fn keeps_its_end(&self) {
        self.0.borrow_mut().keeps_end = Some(false);
    }

    /// From now on our FIN can be sent.
    pub fn finish_works(&self) {
        self.0.borrow_mut().finish_fails = None;
    }

    /// The system has still to send something of what was written, or has sent it all.
    pub fn has_unsent(&self, has_unsent: bool) {
        self.0.borrow_mut().has_unsent = has_unsent;
    }

    /// It has something to settle before it is connected.
    pub fn has_handshake(&self) {
        let mut state = self.0.borrow_mut();
        state.has_handshake = true;
        state.dial = Dial::Pending;
    }

    /// How often it was read, whatever that brought.
    pub fn reads(&self) -> usize {
        self.0.borrow().reads
    }

    /// Bytes that reads have brought.
    pub fn read_bytes(&self) -> usize {
        self.0.borrow().read_bytes
    }

    /// Whether a read would bring bytes, an end or an error.
    pub fn has_more(&self) -> bool {
        self.0.borrow().gets.iter().any(|get| !matches!(get, Get::Interrupted | Get::WouldBlock))
    }

    pub fn written(&self) -> Vec<u8> {
        self.0.borrow().written.clone()
    }

    /// What was written, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow().written).into_owned()
    }

    /// The sizes of the writes that took something.
    pub fn writes(&self) -> Vec<usize> {
        self.0.borrow().writes.clone()
    }

    /// Whether a write met `WouldBlock`.
    pub fn is_blocked(&self) -> bool {
        self.0.borrow().blocked
    }

    /// Whether our FIN is out.
    pub fn is_finished(&self) -> bool {
        self.0.borrow().finished
    }

    /// Whether the close was made a reset.
    pub fn is_aborted(&self) -> bool {
        self.0.borrow().aborted
    }

    /// Whether the engine has let go of the stream.
    pub fn is_dropped(&self) -> bool {
        self.0.borrow().dropped
    }
}

impl State {
    fn get(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty(), "a read into no room looks like an end");
        self.reads += 1;
        match self.gets.pop_front() {
            Some(Get::Bytes(mut bytes)) => {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                self.read_bytes += count;
                if count < bytes.len() {
                    bytes.drain(..count);
                    self.gets.push_front(Get::Bytes(bytes));
                }
                Ok(count)
            }
            Some(Get::Interrupted) => Err(ErrorKind::Interrupted.into()),
            Some(Get::Eof) => {
                self.gets.push_front(Get::Eof);
                Ok(0)
            }
            Some(Get::Fail(kind)) => {
                self.gets.push_front(Get::Eof);
                Err(kind.into())
            }
            Some(Get::FailTls(end)) => {
                self.gets.push_front(Get::Eof);
                Err(end.into())
            }
            Some(Get::WouldBlock) | None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn put(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        assert!(!self.finished, "nothing is written after our FIN");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing looks like a failure");
        let room = match self.puts.pop_front() {
            Some(Put::Accept(room)) => room,
            Some(Put::Interrupted) => return Err(ErrorKind::Interrupted.into()),
            Some(Put::Zero) => return Ok(0),
            Some(Put::Fail(kind)) => {
                self.puts.push_front(Put::Fail(kind));
                return Err(kind.into());
            }
            None if self.takes_all => offered,
            Some(Put::WouldBlock) | None => {
                self.blocked = true;
                return Err(ErrorKind::WouldBlock.into());
            }
        };
        let count = room.min(offered);
        let joined = slices.iter().flat_map(|slice| slice.iter().copied());
        self.written.extend(joined.take(count));
        self.writes.push(count);
        Ok(count)
    }
}

impl Stream for Scripted {
    type Splice = ();

    fn send_back(&mut self, _splice: &mut (), bytes_max: usize, rest: &mut [u8]) -> SentBack {
        splice(&self.0, &self.0, bytes_max, rest)
    }

    fn send_on(&mut self, to: &mut Scripted, _: &mut (), bytes_max: usize, rest: &mut [u8]) -> SentBack {
        splice(&self.0, &to.0, bytes_max, rest)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().get(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().put(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.borrow_mut().put(slices)
    }

    fn has_handshake(&self) -> bool {
        self.0.borrow().has_handshake
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let fails = state.finish_fails;
        if let Some(keeps) = &mut state.keeps_end {
            *keeps = fails.is_some();
        }
        if let Some(kind) = fails {
            return Err(kind.into());
        }
        assert!(!state.finished, "our FIN is sent once");
        state.finished = true;
        Ok(())
    }

    fn abort(&mut self) -> io::Result<()> {
        self.0.borrow_mut().aborted = true;
        Ok(())
    }

    fn is_reached(&self) -> bool {
        matches!(self.0.borrow().dial, Dial::Reached)
    }

    fn connected(&mut self) -> io::Result<bool> {
        match self.0.borrow().dial {
            Dial::Pending | Dial::Reached => Ok(false),
            Dial::Connected => Ok(true),
            Dial::Refused(kind) => Err(kind.into()),
        }
    }

    fn is_drained(&mut self) -> bool {
        !self.0.borrow().has_unsent
    }

    fn kept(&self) -> Option<Kept> {
        let has_unsent = self.0.borrow().keeps_end?;
        Some(Kept::new(usize::from(has_unsent), usize::from(has_unsent)))
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        Ok(self.0.borrow_mut().befell.take().map(io::Error::from))
    }

    fn short_read_drains(&self) -> bool {
        self.0.borrow().drains
    }

    fn drop_finishes(&self) -> bool {
        self.0.borrow().drop_finishes
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.0.borrow_mut().dropped = true;
    }
}
