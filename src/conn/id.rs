//! Which connection, and who is at its other end.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZeroU32;

use crate::address::{Address, Endpoint};

/// Names a connection. Shown as `#serial`; serials count up from 1 and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    pub(crate) serial: u64,
    pub(crate) key: Key,
}

/// A place in the table of connections, and the token by which the poller announces what stands there. It is used
/// again once its connection was swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub u32);

impl Key {
    /// The key of this place.
    ///
    /// # Panics
    /// From 2^32 on: a connection has a descriptor, which is an int, so there are fewer.
    pub fn of(place: usize) -> Key {
        Key(u32::try_from(place).expect("descriptors are ints, so there are fewer connections than 2^31"))
    }

    /// The place itself.
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

impl ConnId {
    /// From here on count those that people do not call by a number. Nobody ever has so many.
    pub(crate) const FIRST_WITHOUT_NUMBER: u64 = 1 << 63;

    /// The number that people and scripts call it by; of one without such a number, one that is its own all the same.
    pub fn serial(self) -> u64 {
        self.serial
    }

    /// Whether people call it by its number (`Policy::has_number`).
    #[inline]
    pub fn has_number(self) -> bool {
        self.serial < ConnId::FIRST_WITHOUT_NUMBER
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.serial)
    }
}

/// Who is at the other end, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An IPv4 address and port.
    V4(SocketAddrV4),
    /// An IPv6 address and port; boxed, since most connections have none.
    V6(Box<SocketAddrV6>),
    /// Somebody on this machine, through a Unix socket; such a peer has no address.
    Unix,
    /// The same where the system has told who that is.
    UnixOf(Credentials),
    /// Whoever is found there, once it is known where that is (`Board::dial_later`); boxed, since few are and not for
    /// long.
    Named(Box<Endpoint>),
}

/// Whose process it was that connected to a Unix socket, when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The process; none where it cannot be seen from here (it is in a container, and we are in another).
    pub pid: Option<NonZeroU32>,
    /// Its user.
    pub uid: u32,
}

impl Peer {
    /// Its address, where it has one; an IPv4 address in IPv6 clothes is the IPv4 address.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Peer::V4(v4) => Some(IpAddr::V4(*v4.ip())),
            Peer::V6(v6) => Some(v6.ip().to_canonical()),
            Peer::Unix | Peer::UnixOf(_) | Peer::Named(_) => None,
        }
    }

    /// Who it is, as the system has told it.
    pub fn credentials(&self) -> Option<Credentials> {
        if let Peer::UnixOf(credentials) = self { Some(*credentials) } else { None }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        match address {
            SocketAddr::V4(v4) => Peer::V4(v4),
            SocketAddr::V6(v6) => Peer::V6(Box::new(v6)),
        }
    }
}

impl From<&Address> for Peer {
    fn from(address: &Address) -> Peer {
        match address {
            Address::Tcp(socket) | Address::Tls { socket, .. } => Peer::from(*socket),
            Address::Unix(_) => Peer::Unix,
        }
    }
}

impl From<Endpoint> for Peer {
    fn from(endpoint: Endpoint) -> Peer {
        Peer::Named(Box::new(endpoint))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::V4(address) => address.fmt(f),
            Peer::V6(address) => address.fmt(f),
            Peer::Unix | Peer::UnixOf(_) => f.write_str("unix"),
            // A name is whatever was typed, and this is shown.
            Peer::Named(endpoint) => endpoint.to_string().escape_debug().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_takes_two_words_whatever_it_is() {
        assert_eq!(size_of::<Peer>(), 16);
    }

    #[test]
    fn a_peer_without_an_address_is_called_as_it_was_typed_and_forges_nothing() {
        let shown = |typed: &str| Peer::from(Endpoint::parse(typed).unwrap()).to_string();

        assert_eq!(shown("example.org:80"), "example.org:80");
        assert_eq!(shown("büro.example:80"), "büro.example:80");
        assert_eq!(shown("a\x1b[2J\n#2 hi\u{202e}:80"), "a\\u{1b}[2J\\n#2 hi\\u{202e}:80");
    }
}
