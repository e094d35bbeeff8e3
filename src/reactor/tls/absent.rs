//! What there is where the feature `tls` is not: nobody speaks it, and whoever asks for it is told.

use std::io;

use crate::reactor::socket::Socket;

/// A connection's stream.
pub(crate) type Channel = Socket;

/// What TLS would be spoken with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls(());

impl Tls {
    /// Fails.
    pub fn check_server(&self) -> io::Result<()> {
        Err(io::Error::other("this program was built without TLS (its feature \"tls\")"))
    }

    /// A socket without TLS.
    pub fn plain(socket: Socket) -> Channel {
        socket
    }

    /// Fails.
    pub fn accepted(&self, socket: Socket) -> io::Result<Channel> {
        self.check_server().map(|()| socket)
    }

    /// Fails.
    pub fn dialled(&self, socket: Socket, _host: &str) -> io::Result<Channel> {
        self.accepted(socket)
    }
}
