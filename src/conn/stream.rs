//! What a connection needs of a byte stream. Sockets are one, a test's script or a simulator another.

use std::fmt;
use std::io::{self, IoSlice};

/// What came of sending back what had come in, without looking at it.
// Elsewhere than on Linux nobody makes one.
#[cfg_attr(not(all(target_os = "linux", not(switchboard_plain))), allow(dead_code))]
#[derive(Debug)]
pub enum SentBack {
    /// Nothing was, and nothing was taken: reading will tell why, or this stream cannot do it.
    Nothing,
    /// So many bytes were, perhaps none.
    Some {
        /// Bytes that were taken.
        read: usize,
        /// Of these, bytes that were sent.
        written: usize,
        /// Bytes that were taken and not sent; they are at the front of `rest` now. That is `read - written`, unless
        /// reading them out of the pipe failed.
        kept: usize,
        /// What ended it.
        then: Then,
    },
    /// Reading failed.
    Failed(io::Error),
}

/// What ended sending back.
// Elsewhere than on Linux nobody makes one.
#[cfg_attr(not(all(target_os = "linux", not(switchboard_plain))), allow(dead_code))]
#[derive(Debug)]
pub enum Then {
    /// Nothing is there to be read for now, or an urgent byte is in the way, which only a read goes past.
    Drained,
    /// More may be there to be read.
    More,
    /// The stream takes no more for now.
    Blocked,
    /// Writing failed.
    Broken(io::Error),
    /// Reading failed, behind what was taken: the system tells of it once, so a read would find an end.
    Failed(io::Error),
}

/// What bytes pass through on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// Nothing: they go as they are.
    #[default]
    Plain,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Via {
    /// Which version of TLS, if it is TLS: `1.3`.
    pub fn tls_version(self) -> Option<&'static str> {
        match self {
            Via::Plain => None,
            Via::Tls12 => Some("1.2"),
            Via::Tls13 => Some("1.3"),
        }
    }
}

/// What a stream keeps of its own between two calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Memory for what is under way in it, in blocks: it stands in each connection, and most keep nothing.
    blocks: u16,
    /// So many bytes it has to send that there was no room for: records of what was written, or answers that nobody asked
    /// for. `flush` is then called when there is room to write, be anything queued or not.
    unsent: u16,
}

impl Kept {
    const BLOCK_BYTES: usize = 64;

    /// So many bytes of memory, of which so many are to be sent; of what is more than can be told the most is told.
    #[cfg(any(feature = "tls", feature = "simulator", test))]
    pub fn new(bytes: usize, unsent_bytes: usize) -> Kept {
        let most = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        Kept { blocks: most(bytes.div_ceil(Kept::BLOCK_BYTES)), unsent: most(unsent_bytes) }
    }

    /// Bytes of memory, to the next block.
    pub fn bytes(self) -> usize {
        usize::from(self.blocks) * Kept::BLOCK_BYTES
    }

    /// Bytes that are to be sent.
    pub fn unsent_bytes(self) -> usize {
        usize::from(self.unsent)
    }

    pub fn has_unsent(self) -> bool {
        self.unsent > 0
    }

    /// The same as if nothing were to be sent: whoever is about to try it learns anew whether there is room.
    pub fn tried(self) -> Kept {
        Kept { unsent: 0, ..self }
    }
}

/// A non-blocking byte stream. `WouldBlock` says: not now.
pub trait Stream {
    /// What `send_back` needs beside the stream; there is one for all streams.
    type Splice: fmt::Debug;

    /// Reads once into `buffer`; 0 means that the peer has finished sending.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes once from several slices.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Writes once, as a segment of its own: what is written next is not put together with it. True of TCP alone; where
    /// there are no segments, it is a write like any other.
    fn write_piece(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    /// Of the bytes that were written, those that the stream has yet to give to the system, as far as that is known: were
    /// it dropped now, nobody would ever get them. A record of which a part is left counts as a whole.
    fn unsaid_bytes(&self) -> usize {
        0
    }

    /// Whether the system has sent all that was written. Where it cannot tell, it has.
    fn is_drained(&mut self) -> bool {
        true
    }

    /// Sends our FIN: nothing is written after this. `WouldBlock` says: not now, and it is called again when there is
    /// room to write, as where an end is a record of its own (TLS).
    fn finish(&mut self) -> io::Result<()>;

    /// Makes the coming close a reset (RST), which discards whatever is under way.
    fn abort(&mut self) -> io::Result<()>;

    /// Whether one that was accepted has something to settle before anything can be said, as TLS has. `connected`
    /// then tells when that is done; it has as long as one that was dialled.
    fn has_handshake(&self) -> bool {
        false
    }

    /// Whether one that was dialled and has something to settle has somebody to settle it with by now.
    fn is_reached(&self) -> bool {
        false
    }

    /// For a stream that was dialled, or has a handshake: whether it is connected by now, or why it never will be.
    fn connected(&mut self) -> io::Result<bool>;

    /// What it keeps of its own, if it is of a kind that does.
    fn kept(&self) -> Option<Kept> {
        None
    }

    /// Sends what it has of its own to send. `WouldBlock` says: not now, not all of it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// What its bytes pass through; known once it is connected.
    fn via(&self) -> Via {
        Via::Plain
    }

    /// The error that befell it since the last call, if reads would not tell: after a FIN they say
    /// "ended" even when a reset came behind it. A stream whose reads tell all has none.
    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// Sends back up to `bytes_max` bytes of what has come in, as a read and a write would, for less. What was
    /// taken and could not be sent is put into `rest`. Where an urgent byte was announced, that nothing is left is
    /// for a read to say.
    fn send_back(&mut self, _splice: &mut Self::Splice, _bytes_max: usize, _rest: &mut [u8]) -> SentBack {
        SentBack::Nothing
    }

    /// The same to another stream.
    fn send_on(
        &mut self,
        _to: &mut Self,
        _splice: &mut Self::Splice,
        _bytes_max: usize,
        _rest: &mut [u8],
    ) -> SentBack
    where
        Self: Sized,
    {
        SentBack::Nothing
    }

    /// Whether a read that brings less than was asked for proves that nothing is left. True of plain
    /// TCP, as epoll(7) has it; not of a stream that holds bytes of its own, such as TLS.
    fn short_read_drains(&self) -> bool;

    /// Whether dropping it, once the peer has finished and all was written, sends our FIN as `finish`
    /// would. True of plain sockets, which have nothing of their own to say at the end.
    fn drop_finishes(&self) -> bool {
        false
    }
}

#[cfg(test)]
pub(crate) mod script;
