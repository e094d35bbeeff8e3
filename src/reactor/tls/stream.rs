//! A TLS session over a socket, as a `Stream`.
//!
//! What comes in is read into a buffer that all of a thread share, decrypted there, and what was said is put where the
//! reader wants it. A connection keeps bytes of its own only while it has to (`Held`): the beginning of a record whose
//! rest has not come, what was said and the reader had no room for, and records that the socket has not taken. While
//! there are such, nothing more is encrypted, so each of the three is a few records at most.
//!
//! What is to be sent unasked (flights, answers to key updates, alerts) is sent in the call that brought it about; what
//! is left is sent when the poller says that there is room, as the engine arranges (`Kept`).

mod held;
mod incoming;
mod outgoing;

use std::cell::RefCell;
use std::io::{self, IoSlice};

use held::{Held, Part};

use super::session::{Output, RECORD_BYTES_MAX, Session, Wish};
use crate::conn::stream::{Kept, Stream, Via};

/// The most that one write takes. More at a time would save system calls, and be kept where a peer reads slowly.
const WRITE_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;

/// What the sessions of a thread share.
#[derive(Default)]
struct Scratch {
    /// What was read.
    input: Vec<u8>,
    /// What is to be sent.
    output: Output,
    /// What is gathered for one record.
    gathered: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The socket is not connected yet.
    Dialling,
    /// It is, and nothing was understood of the peer.
    Greeting,
    /// Something was.
    Handshake,
    /// Anything may be said.
    Settled,
}

/// What the peer may still say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incoming {
    Open,
    /// It has said its last.
    Ended,
    /// It was cut short, by what the next read tells (`Held::end`).
    Failing,
    /// It was, and a read has told. What comes is thrown away, and a write tells the same.
    Failed,
    /// What comes is thrown away.
    Ignored,
}

/// What may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outgoing {
    Open,
    /// The last record is among what is unsent, or was sent.
    LastSaid,
    /// The FIN is out.
    Closed,
}

/// A TLS session over a socket.
pub(crate) struct TlsStream<S> {
    socket: S,
    phase: Phase,
    incoming: Incoming,
    outgoing: Outgoing,
    held: Held,
    /// The last read brought less than it asked for, so that nothing was left.
    was_short: bool,
    session: Session,
}

// What a session has in it is nobody's business.
impl<S> std::fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl<S: Stream> TlsStream<S> {
    /// Over a socket that was accepted.
    pub(super) fn accepted(socket: S, session: Session) -> TlsStream<S> {
        TlsStream::new(socket, Phase::Greeting, session)
    }

    /// Over a socket that is being connected.
    pub(super) fn dialled(socket: S, session: Session) -> TlsStream<S> {
        TlsStream::new(socket, Phase::Dialling, session)
    }

    fn new(socket: S, phase: Phase, session: Session) -> TlsStream<S> {
        TlsStream {
            socket,
            phase,
            incoming: Incoming::Open,
            outgoing: Outgoing::Open,
            held: Held::default(),
            was_short: false,
            session,
        }
    }

    /// The socket below, to be registered.
    pub fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }
}

// What is called with each message is kept out of its callers, in which plain sockets are quicker for it.
impl<S: Stream> Stream for TlsStream<S> {
    type Splice = S::Splice;

    #[inline(never)]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let unread = self.held.get(Part::Unread);
        if !unread.is_empty() {
            let count = buffer.len().min(unread.len());
            buffer[..count].copy_from_slice(&unread[..count]);
            self.held.done_with(Part::Unread, count);
            // That was found out some time ago: more may have been announced since.
            self.was_short = false;
            return Ok(count);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                match self.incoming {
                    Incoming::Ended => return Ok(0),
                    Incoming::Ignored | Incoming::Failed => return self.ignore(scratch),
                    Incoming::Failing => return Err(self.failed()),
                    // One who is turned away before anything was settled.
                    Incoming::Open if self.phase != Phase::Settled => return self.ignore(scratch),
                    Incoming::Open => {}
                }
                let count = self.take_in(buffer, scratch)?;
                if count > 0 {
                    return Ok(count);
                }
            }
        })
    }

    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| self.say(bytes, &mut scratch.output, S::write))
    }

    #[inline(never)]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        if let Some(first) = first
            && first.len() >= RECORD_BYTES_MAX
        {
            return self.write(first);
        }
        SCRATCH.with_borrow_mut(|Scratch { output, gathered, .. }| {
            gathered.clear();
            for slice in slices {
                let room = RECORD_BYTES_MAX - gathered.len();
                gathered.extend_from_slice(&slice[..slice.len().min(room)]);
            }
            self.say(gathered, output, S::write)
        })
    }

    fn write_piece(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
        SCRATCH.with_borrow_mut(|scratch| self.say(bytes, &mut scratch.output, S::write_piece))
    }

    fn unsaid_bytes(&self) -> usize {
        self.held.unsaid_bytes()
    }

    fn is_drained(&mut self) -> bool {
        !self.held.has(Part::Unsent) && self.socket.is_drained()
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.outgoing == Outgoing::Open && self.phase == Phase::Settled {
            self.send_unsent()?;
            self.outgoing = Outgoing::LastSaid;
            SCRATCH.with_borrow_mut(|Scratch { output, .. }| {
                self.encrypt(Wish::Close, output)?;
                self.send(output.bytes(), S::write)
            })?;
        }
        self.send_unsent()?;
        self.socket.finish()?;
        self.outgoing = Outgoing::Closed;
        Ok(())
    }

    fn abort(&mut self) -> io::Result<()> {
        self.socket.abort()
    }

    fn has_handshake(&self) -> bool {
        self.phase != Phase::Settled
    }

    fn is_reached(&self) -> bool {
        self.phase != Phase::Dialling
    }

    fn connected(&mut self) -> io::Result<bool> {
        SCRATCH.with_borrow_mut(|scratch| self.shake_hands(scratch))
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    #[inline(never)]
    fn short_read_drains(&self) -> bool {
        let may_say_more = self.incoming == Incoming::Open && !self.held.has(Part::Unread);
        may_say_more && self.was_short && self.socket.short_read_drains()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_unsent()
    }

    fn kept(&self) -> Option<Kept> {
        Some(Kept::new(self.held.bytes(), self.held.get(Part::Unsent).len()))
    }

    fn via(&self) -> Via {
        if self.session.is_tls13() { Via::Tls13 } else { Via::Tls12 }
    }
}

#[cfg(test)]
mod tests;
