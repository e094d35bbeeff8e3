//! What comes in: read, decrypted and understood, or the reason why it is not.

use std::io::{self, ErrorKind};

use super::held::Part;
use super::{Incoming, Outgoing, Phase, Scratch, TlsStream};
use crate::conn::reason::in_words;
use crate::conn::stream::Stream;
use crate::conn::tls_end::{TlsEnd, TlsEndKind};
use crate::reactor::tls::record::{First, READ_BYTES_MIN, ends_with_goodbye, first_bytes, is_unfinished};
use crate::reactor::tls::session::{Driven, RECORD_BYTES_MAX, Wish};
use crate::reactor::tls::words::end_of;

/// At most so much is read at a time.
const READ_BYTES_MAX: usize = 80 << 10;
/// A record is longer than what it carries by less than this, unless somebody pads it.
const USUAL_OVERHEAD_BYTES: usize = 64;
/// The most that is kept of what is unfinished: the longest handshake message that the library takes, in records.
const UNFINISHED_BYTES_MAX: usize = 96 << 10;
/// Of one whom nobody listens to any more so many reads' worth is thrown away at a time; who sends more is let go.
const IGNORED_READS_MAX: usize = 8;

impl<S: Stream> TlsStream<S> {
    /// Reads from the socket once, and looks at all that is complete. Returns how much of what was said was put into
    /// `room`; what it has no room for is kept.
    pub(super) fn take_in(&mut self, room: &mut [u8], scratch: &mut Scratch) -> io::Result<usize> {
        let Scratch { input, output, .. } = scratch;
        let begun = self.held.get(Part::Unfinished).len();
        // What fills the room in whole records is longer than what is said by them.
        let most = (room.len() + room.len() / RECORD_BYTES_MAX * USUAL_OVERHEAD_BYTES)
            .clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        input.resize(input.len().max(begun + most), 0);
        let count = self.socket.read(&mut input[begun..begun + most])?;
        if count == 0 {
            return Err(self.cut_short().into());
        }
        self.was_short = count < most;
        let unfinished = self.held.get(Part::Unfinished);
        if is_unfinished(unfinished, &input[begun..begun + count]) {
            // A record that comes byte by byte is not copied with each of them.
            self.held.add(Part::Unfinished, &input[begun..begun + count]);
            return Ok(0);
        }
        input[..begun].copy_from_slice(unfinished);
        let incoming = &mut input[..begun + count];
        let first = (self.phase == Phase::Greeting).then(|| first_bytes(incoming));
        let (mut said, held) = (0, &mut self.held);
        output.clear();
        let driven = self.session.drive(incoming, Wish::Nothing, output, |heard| {
            let fits = if held.has(Part::Unread) { 0 } else { heard.len().min(room.len() - said) };
            room[said..said + fits].copy_from_slice(&heard[..fits]);
            said += fits;
            held.add(Part::Unread, &heard[fits..]);
        });
        if self.phase != Phase::Settled
            && driven.error.is_none()
            && ends_with_goodbye(&incoming[..driven.used])
        {
            // The library takes no unencrypted alert for an end, and without it this would last until the deadline.
            self.fail(TlsEnd::untold(TlsEndKind::Handshake, "the peer gave it up"));
            return Ok(said);
        }
        let left = &incoming[driven.used..];
        if left.len() > UNFINISHED_BYTES_MAX {
            // The library takes no message that is as long.
            self.fail(TlsEnd::untold(TlsEndKind::Broken, "a message that is too long"));
            return Ok(said);
        }
        self.held.set(Part::Unfinished, left);
        self.send_unasked(output.bytes());
        self.note(driven, first);
        Ok(said)
    }

    /// What follows from what was looked at.
    pub(super) fn note(&mut self, driven: Driven, first: Option<First>) {
        if let Some(error) = driven.error {
            let is_handshaking = self.phase != Phase::Settled;
            return self.fail(end_of(&error, is_handshaking, first.as_ref().map(|first| &first[..])));
        }
        if driven.used > 0 && self.phase == Phase::Greeting {
            self.phase = Phase::Handshake;
        }
        if driven.ended {
            self.incoming = Incoming::Ended;
            self.held.forget(Part::Unfinished);
        }
    }

    /// Nothing more is understood, and after the alert that is under way nothing more is said.
    pub(super) fn fail(&mut self, end: TlsEnd) {
        self.incoming = Incoming::Failing;
        self.held.set_end(end);
        if self.outgoing == Outgoing::Open {
            self.outgoing = Outgoing::LastSaid;
        }
        self.held.forget(Part::Unfinished);
    }

    /// What it has failed of; a read tells that once.
    pub(super) fn failed(&mut self) -> io::Error {
        self.incoming = Incoming::Failed;
        self.held.end().expect("what fails has an end").clone().into()
    }

    /// The peer's FIN was read, and it had not said that it would say nothing more.
    pub(super) fn cut_short(&mut self) -> TlsEnd {
        self.incoming = Incoming::Ignored;
        let has_begun = self.held.has(Part::Unfinished);
        self.held.forget(Part::Unfinished);
        match self.phase {
            Phase::Settled => TlsEnd::untold(TlsEndKind::Truncated, "it ended without TLS's close_notify"),
            Phase::Dialling | Phase::Greeting if !has_begun => {
                TlsEnd::untold(TlsEndKind::Handshake, "the peer left before it began")
            }
            Phase::Dialling | Phase::Greeting | Phase::Handshake => {
                TlsEnd::untold(TlsEndKind::Handshake, "the peer left in the middle of it")
            }
        }
    }

    /// Throws away what comes. Only an end is told.
    pub(super) fn ignore(&mut self, scratch: &mut Scratch) -> io::Result<usize> {
        scratch.input.resize(scratch.input.len().max(READ_BYTES_MAX), 0);
        for _ in 0..IGNORED_READS_MAX {
            if self.socket.read(&mut scratch.input)? == 0 {
                return Ok(0);
            }
        }
        Err(io::Error::new(ErrorKind::ConnectionAborted, "it went on although nobody listened"))
    }

    /// Goes on with the handshake as far as can be. Returns whether it is over.
    pub(super) fn shake_hands(&mut self, scratch: &mut Scratch) -> io::Result<bool> {
        if self.phase == Phase::Dialling {
            if !self.socket.connected()? {
                return Ok(false);
            }
            self.phase = Phase::Greeting;
            scratch.output.clear();
            let driven = self.session.drive(&mut [], Wish::Nothing, &mut scratch.output, |_| {});
            self.send_unasked(scratch.output.bytes());
            self.note(driven, None);
        }
        // Where that fails, the peer may have said why.
        let _ = self.send_unsent();
        while self.session.is_handshaking() {
            match self.take_in(&mut [], scratch) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if TlsEnd::of(&error).is_some() => return Err(error),
                Err(error) => {
                    return Err(TlsEnd::untold(TlsEndKind::Handshake, in_words_of_loss(&error)).into());
                }
            }
            if self.incoming == Incoming::Failing {
                return Err(self.failed());
            }
        }
        self.phase = Phase::Settled;
        Ok(true)
    }
}

/// How the peer was lost before there was a session.
fn in_words_of_loss(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "the peer has reset it".into(),
        _ => in_words(error),
    }
}
