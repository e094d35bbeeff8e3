//! The addresses at which this very server listens, and the connections that may lead to one of them: what these are
//! sent comes back as what another connection says, so a link to one of them could spin for ever.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::address::Address;
use crate::board::Board;
use crate::conn::reason::Reason;
use crate::conn::{ConnId, Peer};

/// What is said of such an address.
pub const ITSELF: &str = "that is this server itself";

/// Our own addresses.
#[derive(Debug, Default)]
pub struct Own {
    bound: Vec<Address>,
    /// Where it can be reached beside that: an IPv6 socket may take IPv4, too.
    beside: Vec<Address>,
    /// Those who were dialled to one of them, or to a name that has one of them.
    dialled: HashSet<u64>,
}

impl Own {
    /// Of a server that listens at these.
    pub fn of(bound: Vec<Address>) -> Own {
        Own { bound, ..Own::default() }
    }

    /// The same where it can be reached at these, too.
    pub fn and(self, beside: Vec<Address>) -> Own {
        Own { beside, ..self }
    }

    /// The same where it listens for others than peers, too.
    pub fn and_beside(mut self, others: impl IntoIterator<Item = Address>) -> Own {
        self.beside.extend(others);
        self
    }

    /// Where it listens.
    pub fn bound(&self) -> &[Address] {
        &self.bound
    }

    /// Whether whoever connects to this address reaches this server.
    pub fn has(&self, address: &Address) -> bool {
        self.bound.iter().chain(&self.beside).any(|bound| match (bound, address) {
            (Address::Unix(bound), Address::Unix(path)) => is_same_file(bound, path),
            _ => {
                bound.socket().zip(address.socket()).is_some_and(|(bound, address)| leads_to(address, bound))
            }
        })
    }

    /// Notes where a connection is dialled to. Returns whether it may come back here.
    pub fn note(&mut self, id: ConnId, addresses: &[Address]) -> bool {
        let leads_here = addresses.iter().any(|address| self.has(address));
        if leads_here {
            self.dialled.insert(id.serial());
        }
        leads_here
    }

    /// Of a name with several addresses it is known now which of them it is.
    pub fn opened(&mut self, id: ConnId, peer: &Peer) {
        let address = match peer {
            _ if !self.dialled.contains(&id.serial()) => return,
            Peer::V4(address) => Address::Tcp((*address).into()),
            Peer::V6(address) => Address::Tcp((**address).into()),
            Peer::Unix | Peer::UnixOf(_) | Peer::Named(_) => return,
        };
        if !self.has(&address) {
            self.dialled.remove(&id.serial());
        }
    }

    /// Whether what this one is sent comes back here.
    pub fn is_reached_by(&self, serial: u64) -> bool {
        self.dialled.contains(&serial)
    }

    /// A connection has ended.
    pub fn forget(&mut self, serial: u64) {
        self.dialled.remove(&serial);
    }
}

/// Ends a dial that would come back here.
pub fn refuse(id: ConnId, board: &mut Board) {
    board.hang_up(id, Reason::CannotConnect(io::Error::other(ITSELF)));
}

/// Whether who connects to an address reaches who is bound to another.
fn leads_to(address: SocketAddr, bound: SocketAddr) -> bool {
    // The system takes such an address for loopback, where somebody connects to it.
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    if address.port() != bound.port() || ip.is_ipv4() != bound.is_ipv4() {
        return false;
    }
    if bound.ip().is_unspecified() {
        return ip.is_loopback() || is_of_this_machine(address);
    }
    ip == bound.ip() && zone(address) == zone(bound)
}

/// Link-local addresses mean another machine in another zone.
fn zone(address: SocketAddr) -> u32 {
    if let SocketAddr::V6(v6) = address { v6.scope_id() } else { 0 }
}

/// Only an address of this machine can be bound to; no packet is sent for that.
fn is_of_this_machine(address: SocketAddr) -> bool {
    let mut local = address;
    local.set_port(0);
    if let SocketAddr::V6(v6) = address {
        local = SocketAddrV6::new(*v6.ip(), 0, 0, v6.scope_id()).into();
    }
    UdpSocket::bind(local).is_ok()
}

/// Whether two paths lead to one socket.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    one == other || file(one).is_some_and(|found| file(other) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoint;

    fn of(bound: &[&str]) -> Own {
        Own::of(bound.iter().map(|text| at(text)).collect())
    }

    fn at(text: &str) -> Address {
        Endpoint::parse(text).unwrap().literal().unwrap()
    }

    #[test]
    fn an_address_is_our_own_where_whoever_connects_to_it_reaches_us() {
        for (bound, address, is_own) in [
            ("127.0.0.1:5000", "127.0.0.1:5000", true),
            ("127.0.0.1:5000", "5000", true),
            ("127.0.0.1:5000", "0.0.0.0:5000", true),
            ("127.0.0.1:5000", "[::ffff:127.0.0.1]:5000", true),
            ("127.0.0.1:5000", "127.0.0.1:5001", false),
            ("127.0.0.1:5000", "127.0.0.2:5000", false),
            ("127.0.0.1:5000", "[::1]:5000", false),
            ("0.0.0.0:5000", "127.0.0.1:5000", true),
            ("0.0.0.0:5000", "127.3.4.5:5000", true),
            ("0.0.0.0:5000", "0.0.0.0:5000", true),
            // TEST-NET-1, RFC 5737: nobody's.
            ("0.0.0.0:5000", "192.0.2.1:5000", false),
            ("0.0.0.0:5000", "[::1]:5000", false),
            ("[::1]:5000", "[::1]:5000", true),
            ("[::1]:5000", "[::]:5000", true),
            ("[::]:5000", "[::1]:5000", true),
            ("[::]:5000", "[2001:db8::1]:5000", false),
            ("[::]:5000", "127.0.0.1:5000", false),
            ("unix:/tmp/a", "unix:/tmp/a", true),
            ("unix:/tmp/a", "unix:/tmp/b", false),
            ("unix:/tmp/a", "127.0.0.1:5000", false),
        ] {
            assert_eq!(of(&["127.0.0.9:1", bound]).has(&at(address)), is_own, "{bound} {address}");
        }
    }

    #[test]
    fn a_path_that_is_spelt_otherwise_is_the_same_socket() {
        let dir = std::env::temp_dir();
        let path = dir.join(format!("own-{}", std::process::id()));
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let otherwise = dir.join(".").join(path.file_name().unwrap());

        let is_own = Own::of(vec![Address::Unix(path.clone())]).has(&Address::Unix(otherwise));

        fs::remove_file(path).unwrap();
        assert!(is_own);
    }
}
