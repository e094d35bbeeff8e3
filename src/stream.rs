//! What a connection needs of a byte stream. Sockets are one, a test's script or a simulator another.

use std::io::{self, IoSlice};

/// A non-blocking byte stream. `WouldBlock` says: not now.
pub trait Stream {
    /// Reads once into `buffer`; 0 means that the peer has finished sending.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes once from several slices.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends our FIN: nothing is written after this.
    fn finish(&mut self) -> io::Result<()>;

    /// Makes the coming close a reset (RST), which discards whatever is under way.
    fn abort(&mut self) -> io::Result<()>;

    /// For a stream that was dialled: whether it is connected by now, or why it never will be.
    fn connected(&mut self) -> io::Result<bool>;

    /// The error that befell it since the last call, if reads would not tell: after a FIN they say
    /// "ended" even when a reset came behind it. A stream whose reads tell all has none.
    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        Ok(None)
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
