//! What the calls of a scripted stream meet.

use std::io::ErrorKind;

use crate::conn::tls_end::TlsEnd;

/// What a read meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Get {
    /// What one read brings at most. What did not fit is left for the next.
    Bytes(Vec<u8>),
    WouldBlock,
    Interrupted,
    /// Stays, as it does on a socket.
    Eof,
    /// Comes once, then the stream is at its end, as a socket is.
    Fail(ErrorKind),
    /// The same with what TLS has to say.
    FailTls(TlsEnd),
}

/// What a write meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// One write takes this much at most.
    Accept(usize),
    WouldBlock,
    Interrupted,
    Zero,
    /// Stays.
    Fail(ErrorKind),
}

/// How a dialled stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dial {
    Pending,
    /// Somebody is there, and a handshake is to come.
    Reached,
    Connected,
    Refused(ErrorKind),
}
