//! Bytes that go back to who sent them without being copied into this process and out of it again: they are moved
//! from the socket into a pipe and from there into the socket, as references to the system's own memory
//! (splice(2), Linux). For much at a time it costs three quarters of reading and writing (BENCHMARKS.md); for
//! little it costs more.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::stream::Reflected;

/// The pipe takes references to buffers, not bytes; 16 of them (the default) can be too few for one read.
/// What an unprivileged process may ask for (`fs.pipe-max-size`).
const PIPE_BYTES: usize = 1 << 20;

/// The pipe, one for all connections. It is empty whenever nothing is being reflected.
#[derive(Debug)]
pub(crate) struct Mirror {
    pipe: Option<Pipe>,
}

#[derive(Debug)]
struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
}

impl Mirror {
    /// A mirror; where the system gives no pipe, it reflects nothing.
    pub fn new() -> Mirror {
        let pipe = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC);
        let pipe = pipe.inspect_err(|error| log::debug!("no pipe for the mirror: {error}")).ok();
        Mirror {
            pipe: pipe.map(|(out, into)| {
                if let Err(error) = fcntl_setpipe_size(&into, PIPE_BYTES) {
                    log::debug!("the mirror's pipe stays as small as it is: {error}");
                }
                Pipe { out, into }
            }),
        }
    }

    /// See `Stream::reflect`.
    pub fn reflect(&mut self, socket: impl AsFd, bytes_max: usize, rest: &mut [u8]) -> Reflected {
        let Some(pipe) = &self.pipe else { return Reflected::Nothing };
        let read = match pipe.fill(&socket, bytes_max.min(rest.len())) {
            Ok(0) => return Reflected::Nothing,
            Ok(count) => count,
            Err(Errno::AGAIN) => return Reflected::Drained,
            // That it cannot be done at all; nothing was taken from the socket.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::NOMEM) => {
                self.pipe = None;
                return Reflected::Nothing;
            }
            Err(error) => return Reflected::Failed(error.into()),
        };
        let (written, mut failure) = pipe.empty(&socket, read);
        let kept = match pipe.take(&mut rest[..read - written]) {
            Ok(()) => read - written,
            Err(error) => {
                // What is left in it must not reach another connection.
                self.pipe = None;
                failure = Some(error.into());
                0
            }
        };
        Reflected::Some { read, written, kept, failure }
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

    /// Writes as much as the socket takes; returns how much that was, and what was wrong with it.
    fn empty(&self, socket: &impl AsFd, bytes: usize) -> (usize, Option<io::Error>) {
        let mut written = 0;
        while written < bytes {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            match splice(&self.out, None, socket, None, bytes - written, flags) {
                Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return (written, None),
                Err(error) => return (written, Some(error.into())),
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
