//! Where to listen, or whom to dial.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// A place to listen at or to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An address as it was typed: its form is known to be right, its name was not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A port of this machine, reached from this machine alone.
    Loopback(u16),
    /// A host, by name or address, and a port.
    Host(String, u16),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl Place {
    /// Reads `host:port`, `:port` or `port` (loopback), `[v6]:port`, `unix:PATH`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Place, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("a path is missing".into())
            } else {
                Ok(Place::Unix(path.into()))
            };
        }
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = port.parse().map_err(|_| format!("{port:?} is no port (0 to 65535)"))?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            None if host.contains(':') => return Err("an IPv6 address stands in brackets: [::1]:5000".into()),
            None => host,
            Some(None) => return Err("a ] is missing".into()),
            Some(Some(v6)) => {
                v6.parse::<std::net::Ipv6Addr>().map_err(|_| format!("{v6:?} is no IPv6 address"))?;
                v6
            }
        };
        Ok(if host.is_empty() { Place::Loopback(port) } else { Place::Host(host.to_owned(), port) })
    }

    /// Looks it up: all its addresses, in the resolver's order; at least one.
    ///
    /// # Errors
    /// Whatever the system's resolver says.
    pub fn resolve(&self) -> io::Result<Vec<Address>> {
        match self {
            Place::Loopback(port) => Ok(vec![Address::Tcp((Ipv4Addr::LOCALHOST, *port).into())]),
            Place::Unix(path) => Ok(vec![Address::Unix(path.clone())]),
            Place::Host(host, port) => {
                let found: Vec<_> = (host.as_str(), *port).to_socket_addrs()?.map(Address::Tcp).collect();
                if found.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
                }
                Ok(found)
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Loopback(port) => write!(f, "{}:{port}", Ipv4Addr::LOCALHOST),
            Place::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Host(host, port) => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_documented() {
        for (text, place, shown) in [
            ("5000", Place::Loopback(5000), "127.0.0.1:5000"),
            (":0", Place::Loopback(0), "127.0.0.1:0"),
            ("0.0.0.0:80", Place::Host("0.0.0.0".into(), 80), "0.0.0.0:80"),
            ("example.org:80", Place::Host("example.org".into(), 80), "example.org:80"),
            ("[::1]:80", Place::Host("::1".into(), 80), "[::1]:80"),
            ("unix:/tmp/a", Place::Unix("/tmp/a".into()), "unix:/tmp/a"),
        ] {
            assert_eq!(Place::parse(text), Ok(place.clone()), "{text}");
            assert_eq!(place.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "host", "host:", "host:99999", "::1:80", "[::1:80", "[nonsense]:80", "unix:", "-1"] {
            assert!(Place::parse(text).is_err(), "{text:?}");
        }
    }
}
