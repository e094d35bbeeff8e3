//! What goes out: encrypted, sent as far as the socket takes it, and kept until it does.

use std::io::{self, ErrorKind};

use super::held::{Part, Said};
use super::{Incoming, Outgoing, TlsStream, WRITE_BYTES_MAX};
use crate::conn::stream::Stream;
use crate::reactor::tls::session::{Output, RECORD_BYTES_MAX, Wish};
use crate::reactor::tls::words::end_of;

impl<S: Stream> TlsStream<S> {
    /// Sends what was encrypted before and not taken.
    pub(super) fn send_unsent(&mut self) -> io::Result<()> {
        if !self.held.has(Part::Unsent) {
            return Ok(());
        }
        let (sent, result) = send(&mut self.socket, self.held.get(Part::Unsent), S::write);
        self.held.done_with(Part::Unsent, sent);
        result
    }

    /// Sends records behind those that are unsent.
    pub(super) fn send(
        &mut self,
        records: &[u8],
        write: fn(&mut S, &[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let (sent, result) = match self.send_unsent() {
            Ok(()) => send(&mut self.socket, records, write),
            failed => (0, failed),
        };
        let waits_for_room = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        if waits_for_room || self.held.has(Part::Unsent) {
            self.held.add(Part::Unsent, &records[sent..]);
        }
        // Of a socket that is broken nobody will say that it has room again, so nothing waits for that.
        result
    }

    /// Sends what came about unasked. Where the socket is broken, whoever writes next is told.
    pub(super) fn send_unasked(&mut self, records: &[u8]) {
        if self.outgoing == Outgoing::Open {
            let _ = self.send(records, S::write);
        }
    }

    /// Encrypts and sends.
    pub(super) fn say(
        &mut self,
        bytes: &[u8],
        output: &mut Output,
        write: fn(&mut S, &[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if matches!(self.incoming, Incoming::Failing | Incoming::Failed)
            && let Some(end) = self.held.end()
        {
            // The next read will say the same, or the last one did: what has ended it is no loss of the socket's.
            return Err(end.clone().into());
        }
        if self.outgoing != Outgoing::Open {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.send_unsent()?;
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        self.encrypt(Wish::Say(bytes), output)?;
        let sent = self.send(output.bytes(), write);
        if self.held.has(Part::Unsent) {
            self.held.set_said(said_in(bytes.len(), output.bytes().len()));
        }
        match sent {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(bytes.len()),
        }
    }

    /// Encrypts into `output`.
    pub(super) fn encrypt(&mut self, wish: Wish<'_>, output: &mut Output) -> io::Result<()> {
        output.clear();
        // What is unfinished is given again, since the library may have a place in it.
        let mut unread = Vec::new();
        let unfinished = self.held.get_mut(Part::Unfinished);
        let driven = self.session.drive(unfinished, wish, output, |heard| unread.extend_from_slice(heard));
        self.held.done_with(Part::Unfinished, driven.used);
        self.held.add(Part::Unread, &unread);
        if driven.ended {
            self.incoming = Incoming::Ended;
        }
        match driven.error {
            Some(error) => {
                // What ends it is said to the peer, too.
                self.send_unasked(output.bytes());
                Err(end_of(&error, false, None).into())
            }
            None => Ok(()),
        }
    }
}

/// So many bytes in records that are so long together: all of them are full but the last, and each is longer than what it
/// carries by the same.
fn said_in(bytes: usize, records_bytes: usize) -> Said {
    let records = bytes.div_ceil(RECORD_BYTES_MAX).max(1);
    let last_bytes = bytes - (records - 1) * RECORD_BYTES_MAX;
    Said { bytes, last_bytes, last_record_bytes: last_bytes + (records_bytes - bytes) / records }
}

/// Writes until the socket takes no more; returns how much it took.
fn send<S: Stream>(
    socket: &mut S,
    bytes: &[u8],
    write: fn(&mut S, &[u8]) -> io::Result<usize>,
) -> (usize, io::Result<()>) {
    let mut sent = 0;
    while sent < bytes.len() {
        match write(socket, &bytes[sent..]) {
            Ok(0) => return (sent, Err(ErrorKind::WriteZero.into())),
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}
