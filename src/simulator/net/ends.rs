//! What the engine holds of the simulated system: its listener, and its ends of the connections.

use std::io::{self, ErrorKind, IoSlice};

use super::sock::Link;
use super::{DOOR_OF_DESKS, Net, Sabotage};
use crate::conn::stream::{Kept, SentBack, Stream, Then};
use crate::conn::{Credentials, Peer};
use crate::engine::accept::Listen;

/// The simulated listener.
#[derive(Debug)]
pub(in crate::simulator) struct SimListener {
    pub(super) net: Net,
    pub(super) door: usize,
}

impl Listen for SimListener {
    type Stream = SimStream;

    fn accept(&mut self) -> io::Result<(SimStream, Peer)> {
        let sock = self.net.touch().accept(self.door)?;
        // Whoever is at a desk has to be of our own.
        let uid = rustix::process::geteuid().as_raw();
        let peer = match self.door {
            DOOR_OF_DESKS => Peer::UnixOf(Credentials { pid: None, uid }),
            _ => Peer::Unix,
        };
        Ok((SimStream { net: self.net.clone(), sock }, peer))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut kernel = self.net.touch();
        let door = &mut kernel.doors[self.door];
        door.is_listening = false;
        for waiting in std::mem::take(&mut door.backlog) {
            kernel.reset_far(waiting);
        }
    }
}

impl Net {
    /// Moves what has come in at one socket to the same or another, past whoever would look at it.
    fn send_on(&self, from: usize, to: usize, bytes_max: usize, rest: &mut [u8]) -> SentBack {
        let bytes_max = bytes_max.min(rest.len());
        let read = match self.touch().read(from, &mut rest[..bytes_max]) {
            Ok(0) => return SentBack::Nothing,
            Ok(count) => count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    return SentBack::Some { read: 0, written: 0, kept: 0, then: Then::Drained };
                }
                ErrorKind::Interrupted => return SentBack::Nothing,
                _ => return SentBack::Failed(error),
            },
        };
        let mut written = 0;
        let then = loop {
            if written == read {
                break Then::More;
            }
            let wrote = self.touch().write(to, &[IoSlice::new(&rest[written..read])]);
            match wrote {
                Ok(count) => written += count,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => break Then::Blocked,
                    _ => break Then::Broken(error),
                },
            }
        };
        let loses = self.look().sabotage == Sabotage::LosesSpliced && written < read;
        rest.copy_within(written + usize::from(loses)..read, 0);
        SentBack::Some { read, written, kept: read - written, then }
    }
}

/// Our end of a simulated connection.
#[derive(Debug)]
pub(in crate::simulator) struct SimStream {
    pub(super) net: Net,
    pub(super) sock: usize,
}

impl SimStream {
    fn is_toy(&self) -> bool {
        self.net.look().sockets[self.sock].toy.is_some()
    }

    fn unsent_is_empty(&self) -> bool {
        self.net.look().sockets[self.sock].toy.as_ref().is_none_or(|toy| toy.unsent.is_empty())
    }
}

impl Stream for SimStream {
    type Splice = ();

    fn send_back(&mut self, _splice: &mut (), bytes_max: usize, rest: &mut [u8]) -> SentBack {
        if self.is_toy() {
            return SentBack::Nothing;
        }
        self.net.send_on(self.sock, self.sock, bytes_max, rest)
    }

    fn send_on(
        &mut self,
        to: &mut SimStream,
        _splice: &mut (),
        bytes_max: usize,
        rest: &mut [u8],
    ) -> SentBack {
        if self.is_toy() || to.is_toy() {
            return SentBack::Nothing;
        }
        self.net.send_on(self.sock, to.sock, bytes_max, rest)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_toy() {
            return self.net.touch().toy_read(self.sock, buffer);
        }
        self.net.touch().read(self.sock, buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_toy() {
            return self.net.touch().toy_write(self.sock, &[IoSlice::new(bytes)]);
        }
        self.net.touch().write(self.sock, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_toy() {
            return self.net.touch().toy_write(self.sock, slices);
        }
        self.net.touch().write(self.sock, slices)
    }

    fn unsaid_bytes(&self) -> usize {
        self.net.look().sockets[self.sock].toy.as_ref().map_or(0, |toy| toy.unsaid_bytes())
    }

    fn is_drained(&mut self) -> bool {
        if self.is_toy() {
            return self.unsent_is_empty() && self.net.touch().is_drained(self.sock);
        }
        self.net.touch().is_drained(self.sock)
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.is_toy() {
            return self.net.touch().toy_finish(self.sock);
        }
        self.net.touch().finish(self.sock)
    }

    fn abort(&mut self) -> io::Result<()> {
        self.net.touch().sockets[self.sock].aborts = true;
        Ok(())
    }

    fn connected(&mut self) -> io::Result<bool> {
        if self.is_toy() {
            return self.net.touch().toy_connected(self.sock);
        }
        let mut kernel = self.net.touch();
        let sock = &mut kernel.sockets[self.sock];
        match sock.error.take() {
            Some(kind) => Err(kind.into()),
            None => Ok(sock.link == Link::Up),
        }
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        Ok(self.net.touch().sockets[self.sock].error.take().map(io::Error::from))
    }

    fn short_read_drains(&self) -> bool {
        !self.net.look().sockets[self.sock].reads_short && !self.is_toy()
    }

    fn has_handshake(&self) -> bool {
        self.net.look().sockets[self.sock].toy.as_ref().is_some_and(|toy| !toy.is_settled())
    }

    fn is_reached(&self) -> bool {
        !self.net.look().sockets[self.sock].is_dialing()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_toy() { self.net.touch().toy_flush(self.sock) } else { Ok(()) }
    }

    fn kept(&self) -> Option<Kept> {
        let kernel = self.net.look();
        let toy = kernel.sockets[self.sock].toy.as_ref()?;
        let unsent = if kernel.sabotage == Sabotage::HidesUnsent { 0 } else { toy.unsent.len() };
        Some(Kept::new(toy.held_bytes(), unsent))
    }

    fn drop_finishes(&self) -> bool {
        !self.net.look().sockets[self.sock].reads_short && !self.is_toy()
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.net.touch().close(self.sock);
    }
}
