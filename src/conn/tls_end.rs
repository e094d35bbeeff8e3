//! How TLS has ended a connection. A stream says so within an error, since to those who read and write it is one.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

/// What TLS has ended a connection with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsEndKind {
    /// The handshake did not come about.
    Handshake,
    /// The peer ended it by an alert.
    Alert,
    /// The peer broke the protocol, or what it sent was changed on its way.
    Broken,
    /// The connection ended without the peer's saying so: what it said may be cut short.
    Truncated,
}

/// How TLS has ended a connection, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsEnd {
    /// With what.
    pub kind: TlsEndKind,
    /// Why, in words.
    pub why: Cow<'static, str>,
    /// Whether the peer is still there to be told, by an alert of ours.
    pub is_told: bool,
}

impl TlsEnd {
    /// One whose peer has gone, or is not worth a word.
    pub fn untold(kind: TlsEndKind, why: impl Into<Cow<'static, str>>) -> TlsEnd {
        TlsEnd { kind, why: why.into(), is_told: false }
    }

    /// What an error says of it, if that is where it comes from.
    pub fn of(error: &io::Error) -> Option<&TlsEnd> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for TlsEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TlsEnd { kind, why, .. } = self;
        match kind {
            TlsEndKind::Handshake => write!(f, "no TLS handshake: {why}"),
            TlsEndKind::Alert => write!(f, "by a TLS alert: {why}"),
            TlsEndKind::Broken => write!(f, "TLS was broken: {why}"),
            TlsEndKind::Truncated => write!(f, "cut off: {why}"),
        }
    }
}

impl Error for TlsEnd {}

impl From<TlsEnd> for io::Error {
    fn from(end: TlsEnd) -> io::Error {
        let kind = match end.kind {
            TlsEndKind::Truncated => io::ErrorKind::UnexpectedEof,
            TlsEndKind::Handshake | TlsEndKind::Alert | TlsEndKind::Broken => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, end)
    }
}
