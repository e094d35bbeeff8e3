//! Bytes that go back to who sent them, or on to who is linked to them, without being copied into this process and out
//! of it again: they are moved from a socket into a pipe and from there into a socket, as references to the system's own memory
//! (splice(2), Linux). For much at a time it costs three quarters of reading and writing (BENCHMARKS.md); for
//! little it costs more.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::conn::stream::{SentBack, Then};

/// A pipe holds one buffer reference for each page of its size. The default of 16 can be fewer than the fragments of
/// one read; with many more, each slot is out of the cache when it is used again.
const PIPE_BYTES: usize = 128 << 10;

/// The pipe, one for all connections. It is empty whenever nothing is being sent back: what the socket does not take is
/// read out of it again.
#[derive(Debug)]
pub(crate) struct Splice {
    pipe: Option<Pipe>,
}

#[derive(Debug)]
struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
}

impl Splice {
    /// Where the system gives no pipe, it sends back nothing.
    pub fn new() -> Splice {
        let pipe = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC);
        let pipe = pipe.inspect_err(|error| log::debug!("no pipe to send bytes back through: {error}")).ok();
        Splice {
            pipe: pipe.map(|(out, into)| {
                if let Err(error) = fcntl_setpipe_size(&into, PIPE_BYTES) {
                    log::debug!("the pipe stays as small as it is: {error}");
                }
                Pipe { out, into }
            }),
        }
    }

    /// See `Stream::send_back` and `Stream::send_on`.
    pub fn send_on(&mut self, from: impl AsFd, to: impl AsFd, bytes_max: usize, rest: &mut [u8]) -> SentBack {
        let Some(pipe) = &self.pipe else { return SentBack::Nothing };
        let (mut read, mut written) = (0, 0);
        while read < bytes_max {
            // What is not taken by the socket has to have room in `rest`.
            let taken = match pipe.fill(&from, rest.len().min(bytes_max - read)) {
                Ok(count) if count > 0 => count,
                Err(Errno::AGAIN) => return SentBack::Some { read, written, kept: 0, then: Then::Drained },
                // An end is told to whoever reads, and to the next call.
                Ok(_) if read > 0 => break,
                Ok(_) => return SentBack::Nothing,
                // That it cannot be done at all; nothing was taken from the socket.
                Err(Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::NOMEM) if read == 0 => {
                    self.pipe = None;
                    return SentBack::Nothing;
                }
                Err(error) if read > 0 => {
                    return SentBack::Some { read, written, kept: 0, then: Then::Failed(error.into()) };
                }
                Err(error) => return SentBack::Failed(error.into()),
            };
            read += taken;
            let (sent, then) = pipe.empty(&to, taken);
            written += sent;
            if let Some(then) = then {
                return match pipe.take(&mut rest[..taken - sent]) {
                    Ok(()) => SentBack::Some { read, written, kept: taken - sent, then },
                    Err(error) => {
                        // What is left in it must not reach another connection.
                        self.pipe = None;
                        SentBack::Some { read, written, kept: 0, then: Then::Broken(error.into()) }
                    }
                };
            }
        }
        SentBack::Some { read, written, kept: 0, then: Then::More }
    }
}

impl Pipe {
    fn fill(&self, socket: &impl AsFd, bytes_max: usize) -> Result<usize, Errno> {
        loop {
            match splice(socket, None, &self.into, None, bytes_max, SpliceFlags::MOVE | SpliceFlags::NONBLOCK)
            {
                Err(Errno::INTR) => {}
                result => return result,
            }
        }
    }

    /// Writes as much as the socket takes; returns how much that was, and why it was not all.
    fn empty(&self, socket: &impl AsFd, bytes: usize) -> (usize, Option<Then>) {
        let mut written = 0;
        while written < bytes {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            match splice(&self.out, None, socket, None, bytes - written, flags) {
                Ok(0) => return (written, Some(Then::Broken(io::ErrorKind::WriteZero.into()))),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return (written, Some(Then::Blocked)),
                Err(error) => return (written, Some(Then::Broken(error.into()))),
            }
        }
        (written, None)
    }

    /// Takes out all that is left.
    fn take(&self, rest: &mut [u8]) -> Result<(), Errno> {
        let mut taken = 0;
        while taken < rest.len() {
            match read(&self.out, &mut rest[taken..]) {
                Ok(0) => return Err(Errno::PIPE),
                Ok(count) => taken += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
