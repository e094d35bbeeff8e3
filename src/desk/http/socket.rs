//! The server's end of a WebSocket (RFC 6455), over bytes that are handed in and out. What is wrong ends it with the code
//! that says so; nothing is compressed, so nothing unfolds.

mod wire;

use std::io::ErrorKind;
use std::time::Duration;

use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};
use wire::Wire;

/// Bytes that are read at a time. The library's default of 128 KiB would be allocated for each connection at once.
const READ_BYTES: usize = 256;

/// A message may be this long, in one frame or in several.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// It does.
    On,
    /// It has ended: once what it still says is sent, the connection may.
    Ended,
}

/// Whether somebody is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Something was heard.
    Alive,
    /// Nothing was, and a ping is on its way.
    Asked,
    /// Not even that was answered.
    Silent,
}

/// See the file.
#[derive(Debug)]
pub struct Socket {
    inner: WebSocket<Wire>,
    /// A message was begun, and its end is still to be sent.
    is_within: bool,
    /// Something has come since the last beat.
    is_heard: bool,
    /// A ping was sent since something came.
    is_asked: bool,
}

impl Socket {
    /// How often it is to be asked whether somebody is there. A laptop whose lid was shut says nothing, not even to the
    /// system.
    pub const BEAT_EVERY: Duration = Duration::from_secs(30);

    /// The code of an end because the server ends (RFC 6455, 7.4.1).
    pub const GOING_AWAY: u16 = 1001;

    /// The code of an end because there are too many: it may be tried again later (IANA's registry of close codes).
    pub const TRY_AGAIN_LATER: u16 = 1013;

    /// One that was just agreed upon.
    pub fn new() -> Socket {
        Socket { inner: over(Wire::default()), is_within: false, is_heard: true, is_asked: false }
    }

    /// Takes what has come, cut anywhere; hands over each whole text.
    pub fn take(&mut self, bytes: &[u8], mut to: impl FnMut(&str)) -> Going {
        (self.is_heard, self.is_asked) = (true, false);
        self.inner.get_mut().push(bytes);
        loop {
            match self.inner.read() {
                Ok(Message::Text(text)) => to(&text),
                Ok(Message::Binary(_)) => {
                    return self.fail(CloseCode::Unsupported, "only text is understood here");
                }
                // The library has the answer ready.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.give_back();
                    return Going::On;
                }
                // The library and the wire find out different things about a frame.
                Err(Error::Protocol(_) | Error::Io(_)) => {
                    return self.fail(CloseCode::Protocol, "that is no frame of WebSocket");
                }
                Err(Error::Utf8(_)) => return self.fail(CloseCode::Invalid, "a text is not UTF-8"),
                Err(Error::Capacity(_)) => {
                    return self.fail(CloseCode::Size, "a message is longer than 1 MiB");
                }
                Err(_) => return Going::Ended,
            }
        }
    }

    /// What stands in front of a text of so many bytes, or, where that is not its end (`is_end`), of this piece of it;
    /// `None` where it would not be heard any more.
    pub fn frame(&mut self, text_bytes: usize, is_end: bool) -> Option<Vec<u8>> {
        if !self.inner.can_write() {
            return None;
        }
        let opcode = OpCode::Data(if self.is_within { Data::Continue } else { Data::Text });
        let header = FrameHeader { opcode, is_final: is_end, ..FrameHeader::default() };
        self.is_within = !is_end;
        let mut bytes = Vec::new();
        header.format(text_bytes as u64, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Looks whether something has come since it was asked last, and asks for a sign of life if not.
    pub fn beat(&mut self) -> Beat {
        if std::mem::take(&mut self.is_heard) {
            return Beat::Alive;
        }
        if std::mem::replace(&mut self.is_asked, true) {
            return Beat::Silent;
        }
        // It fails where it has ended, which is told when it is read.
        let _ = self.inner.send(Message::Ping(Vec::new().into()));
        Beat::Asked
    }

    /// Ends it: `code` says why, for programs.
    pub fn close(&mut self, code: u16, why: &'static str) {
        let _ = self.inner.close(Some(CloseFrame { code: code.into(), reason: why.into() }));
        let _ = self.inner.flush();
    }

    /// What it has to say of itself: answers to pings, and its end.
    pub fn outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.inner.get_mut().outgoing)
    }

    /// The library keeps the memory of the longest frame that has come. An idle one needs none of it.
    fn give_back(&mut self) {
        let wire = self.inner.get_mut();
        if wire.longest_bytes > READ_BYTES as u64 && wire.is_between_messages() && self.inner.can_write() {
            let outgoing = std::mem::take(&mut self.inner.get_mut().outgoing);
            self.inner = over(Wire::saying(outgoing));
        }
    }

    fn fail(&mut self, code: CloseCode, why: &'static str) -> Going {
        self.close(code.into(), why);
        Going::Ended
    }
}

impl Default for Socket {
    fn default() -> Socket {
        Socket::new()
    }
}

/// The server's end over a wire on which nothing was said.
fn over(wire: Wire) -> WebSocket<Wire> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    WebSocket::from_raw_socket(wire, Role::Server, Some(config))
}

#[cfg(test)]
mod tests;
