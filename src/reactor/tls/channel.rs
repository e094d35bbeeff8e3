//! A connection's stream: its socket, or TLS over it.

use std::io::{self, IoSlice};

use mio::{Registry, Token};

use super::stream::TlsStream;
use crate::conn::stream::{Kept, SentBack, Stream, Via};
use crate::reactor::socket::Socket;
use crate::reactor::splice::Splice;

/// A socket, or TLS over one; boxed, since most are plain and take no more room than before.
#[derive(Debug)]
pub(crate) enum Channel {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// The same call to either.
macro_rules! either {
    ($channel:expr, $stream:ident => $call:expr) => {
        match $channel {
            Channel::Plain($stream) => $call,
            Channel::Tls($stream) => $call,
        }
    };
}

impl Channel {
    /// Registers for all that can happen to the socket, once and for good: edge-triggered.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Channel::Plain(socket) => socket.register(registry, token),
            Channel::Tls(stream) => stream.socket_mut().register(registry, token),
        }
    }
}

impl Stream for Channel {
    type Splice = Splice;

    #[inline(always)]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.read(buffer))
    }

    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write(bytes))
    }

    #[inline(always)]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.write_vectored(slices))
    }

    fn write_piece(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write_piece(bytes))
    }

    fn unsaid_bytes(&self) -> usize {
        either!(self, stream => stream.unsaid_bytes())
    }

    fn is_drained(&mut self) -> bool {
        either!(self, stream => stream.is_drained())
    }

    fn finish(&mut self) -> io::Result<()> {
        either!(self, stream => stream.finish())
    }

    fn abort(&mut self) -> io::Result<()> {
        either!(self, stream => stream.abort())
    }

    fn has_handshake(&self) -> bool {
        either!(self, stream => stream.has_handshake())
    }

    fn is_reached(&self) -> bool {
        either!(self, stream => stream.is_reached())
    }

    fn connected(&mut self) -> io::Result<bool> {
        either!(self, stream => stream.connected())
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, stream => stream.flush())
    }

    #[inline(always)]
    fn kept(&self) -> Option<Kept> {
        match self {
            Channel::Plain(_) => None,
            Channel::Tls(stream) => stream.kept(),
        }
    }

    fn via(&self) -> Via {
        either!(self, stream => stream.via())
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        either!(self, stream => stream.take_error())
    }

    fn send_back(&mut self, splice: &mut Splice, bytes_max: usize, rest: &mut [u8]) -> SentBack {
        match self {
            Channel::Plain(socket) => socket.send_back(splice, bytes_max, rest),
            Channel::Tls(_) => SentBack::Nothing,
        }
    }

    fn send_on(
        &mut self,
        to: &mut Channel,
        splice: &mut Splice,
        bytes_max: usize,
        rest: &mut [u8],
    ) -> SentBack {
        match (self, to) {
            (Channel::Plain(socket), Channel::Plain(to)) => socket.send_on(to, splice, bytes_max, rest),
            _ => SentBack::Nothing,
        }
    }

    #[inline(always)]
    fn short_read_drains(&self) -> bool {
        either!(self, stream => stream.short_read_drains())
    }

    fn drop_finishes(&self) -> bool {
        either!(self, stream => stream.drop_finishes())
    }
}
