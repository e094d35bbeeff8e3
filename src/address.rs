//! Where to listen, or whom to dial.

mod admission;

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net};

pub(crate) use admission::parse_list;
pub use admission::{Admission, Nets};

/// The longest path of a Unix socket: what `sun_path` has room for, and a NUL behind it (unix(7)).
#[cfg(target_os = "linux")]
const UNIX_PATH_BYTES_MAX: usize = 107;
#[cfg(not(target_os = "linux"))]
const UNIX_PATH_BYTES_MAX: usize = 103;

/// A place to listen at or to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A TCP address at which TLS is spoken.
    Tls {
        /// The address.
        socket: SocketAddr,
        /// The host as it was typed, which the certificate of a server that is dialled has to name.
        host: Box<str>,
    },
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl Address {
    /// The TCP address, be TLS spoken there or not.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Address::Tcp(socket) | Address::Tls { socket, .. } => Some(*socket),
            Address::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Tls { socket, .. } => write!(f, "tls:{socket}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An address as it was typed: its form is known to be right, its name was not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A port of this machine, reached from this machine alone.
    Loopback(u16),
    /// A host, by name or address, and a port.
    Host(String, u16),
    /// A Unix socket's path.
    Unix(PathBuf),
    /// One of the first two, at which TLS is spoken.
    Tls(Box<Endpoint>),
}

impl Endpoint {
    /// Reads `host:port`, `:port` or `port` (loopback), `[v6]:port`, `unix:PATH`, and all but the last with `tls:` in
    /// front.
    ///
    /// # Errors
    /// What is wrong with the text, and what to write instead where that can be told.
    pub fn parse(text: &str) -> Result<Endpoint, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return parse_unix(path);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let tls = if matches!(scheme, "tls" | "ssl") { "tls:" } else { "" };
            return Err(format!(
                "an address has no {scheme}:// in front: write {tls}{}",
                rest.split('/').next().unwrap_or_default()
            ));
        }
        if let Some(text) = text.strip_prefix("tls:") {
            return parse_tls(text);
        }
        if let Some(in_brackets) = text.strip_prefix('[') {
            let (v6, rest) = in_brackets.split_once(']').ok_or("a ] is missing")?;
            parse_v6(v6)?;
            return match rest.strip_prefix(':') {
                Some(port) => Ok(Endpoint::Host(v6.to_owned(), parse_port(port)?)),
                None if rest.is_empty() => Err(lacks_port(text)),
                None => Err(format!("a colon and the port follow the ], not {rest:?}")),
            };
        }
        let (host, port) = match text.rsplit_once(':') {
            Some(("", port)) => return parse_port(port).map(Endpoint::Loopback),
            Some((host, port)) => (host, port),
            None if is_number(text) => return parse_port(text).map(Endpoint::Loopback),
            None if text.contains('/') => {
                return Err(format!("{text:?} has no port: write unix:{text} if it is a Unix socket"));
            }
            None => return Err(lacks_port(text)),
        };
        if host.contains(':') {
            // What is no port may be the address's last group, and what could be a port may be, too.
            let address = if parse_v6(host).is_ok() && is_number(port) {
                format!("[{host}]:{port}")
            } else if parse_v6(text).is_ok() {
                format!("[{text}]:5000")
            } else {
                return Err("not an address: write host:port, or [v6]:port with an IPv6 address".into());
            };
            return Err(format!("an IPv6 address stands in brackets: {address}"));
        }
        if port.is_empty() {
            return Err(lacks_port(host));
        }
        Ok(Endpoint::Host(host.to_owned(), parse_port(port)?))
    }

    /// Its host, as it was typed.
    pub fn host(&self) -> Option<&str> {
        match self {
            Endpoint::Host(host, _) => Some(host),
            Endpoint::Tls(plain) => plain.host(),
            Endpoint::Loopback(_) | Endpoint::Unix(_) => None,
        }
    }

    /// Whether TLS is spoken there.
    pub fn is_tls(&self) -> bool {
        matches!(self, Endpoint::Tls(_))
    }

    /// The same with TLS, as where that is asked for beside the address. A Unix socket has none.
    #[must_use]
    pub fn over_tls(self) -> Endpoint {
        match self {
            Endpoint::Loopback(_) | Endpoint::Host(..) => Endpoint::Tls(Box::new(self)),
            Endpoint::Unix(_) | Endpoint::Tls(_) => self,
        }
    }

    /// Its address where that needs no looking up: it is one already, or a Unix socket's path. `None` for a name, and
    /// for an IPv6 address with a zone, which the system knows. What stands at a path is not looked at, as `resolve`
    /// does.
    pub fn literal(&self) -> Option<Address> {
        match self {
            Endpoint::Loopback(port) => Some(Address::Tcp((Ipv4Addr::LOCALHOST, *port).into())),
            Endpoint::Host(host, port) => {
                let host: IpAddr = host.parse().ok()?;
                Some(Address::Tcp(canonical((host, *port).into())))
            }
            Endpoint::Unix(path) => Some(Address::Unix(path.clone())),
            Endpoint::Tls(plain) => Some(plain.with_tls(plain.literal()?)),
        }
    }

    /// Looks it up: all its addresses, in the resolver's order; at least one. An IPv4 address that is written
    /// as an IPv6 one (`::ffff:127.0.0.1`) is the IPv4 address: no socket of ours speaks both.
    ///
    /// # Errors
    /// Whatever the system's resolver says, or what stands at a Unix socket's path and is no socket.
    pub fn resolve(&self) -> io::Result<Vec<Address>> {
        match self {
            Endpoint::Loopback(port) => Ok(vec![Address::Tcp((Ipv4Addr::LOCALHOST, *port).into())]),
            Endpoint::Unix(path) => {
                // The system would only say that the address is in use, or that it refuses to connect.
                what_is_in_the_way(path)
                    .map_or(Ok(()), |what| Err(io::Error::other(format!("it is {what}, not a socket"))))?;
                Ok(vec![Address::Unix(path.clone())])
            }
            Endpoint::Host(host, port) => {
                let found = (host.as_str(), *port).to_socket_addrs().map_err(|error| {
                    // The resolver would say that it does not know the host's name, which is none.
                    match host.split_once('%') {
                        Some((_, zone)) => io::Error::other(format!(
                            "its zone {zone:?} is not known here: that is a network interface, of a link-local address"
                        )),
                        None => error,
                    }
                })?;
                let found: Vec<_> = found.map(canonical).map(Address::Tcp).collect();
                if found.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
                }
                Ok(found)
            }
            Endpoint::Tls(plain) => {
                Ok(plain.resolve()?.into_iter().map(|found| plain.with_tls(found)).collect())
            }
        }
    }

    /// An address of this endpoint, which speaks no TLS, for TLS.
    fn with_tls(&self, address: Address) -> Address {
        match (self, address) {
            (Endpoint::Host(host, _), Address::Tcp(socket)) => {
                Address::Tls { socket, host: host.as_str().into() }
            }
            (_, Address::Tcp(socket)) => Address::Tls { socket, host: socket.ip().to_string().into() },
            (_, address) => address,
        }
    }
}

/// What to write where a host and a port stand apart, as netcat takes them: `localhost 5000`. Nothing where
/// they could mean something else.
pub(crate) fn joined(host: &str, port: &str) -> Option<String> {
    let is_host = !host.is_empty() && !host.starts_with('-') && !is_number(host);
    if !is_host || !is_number(port) {
        return None;
    }
    let in_brackets = parse_v6(host).is_ok();
    let address = if in_brackets { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Endpoint::parse(&address).ok().map(|_| address)
}

fn parse_tls(text: &str) -> Result<Endpoint, String> {
    match Endpoint::parse(text)? {
        Endpoint::Unix(_) => Err(format!("a Unix socket speaks no TLS: write {text}")),
        Endpoint::Tls(_) => Err(format!("tls: stands there twice: write {text}")),
        plain => Ok(plain.over_tls()),
    }
}

fn parse_unix(path: &str) -> Result<Endpoint, String> {
    match path.len() {
        0 => Err("a path is missing".into()),
        1..=UNIX_PATH_BYTES_MAX => Ok(Endpoint::Unix(path.into())),
        bytes => Err(format!(
            "the path is {bytes} bytes long, and that of a Unix socket may have {UNIX_PATH_BYTES_MAX} at most"
        )),
    }
}

/// Digits alone: `parse` would take a plus sign, too.
fn parse_port(text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Err("the port is missing behind the colon".into());
    }
    let port = is_number(text).then(|| text.parse().ok()).flatten();
    port.ok_or_else(|| format!("{text:?} is no port (0 to 65535)"))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn lacks_port(host: &str) -> String {
    if host.is_empty() {
        return "an address is missing: write localhost:5000".into();
    }
    format!("{host:?} has no port: write {host}:5000")
}

/// An IPv6 address, perhaps with a zone behind it (`fe80::1%eth0`, RFC 4007), which the resolver knows.
fn parse_v6(text: &str) -> Result<(), String> {
    let wrong = || format!("{text:?} is no IPv6 address");
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    address.parse::<Ipv6Addr>().map_err(|_| wrong())?;
    if zone == Some("") { Err(wrong()) } else { Ok(()) }
}

/// An IPv4 address in IPv6 clothes (`::ffff:127.0.0.1`) as what it is.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => v6.ip().to_ipv4_mapped().map_or(address, |v4| (v4, v6.port()).into()),
        SocketAddr::V4(_) => address,
    }
}

/// What stands at a path and can't be a socket. Where that can't be told, the system will say what is wrong.
fn what_is_in_the_way(path: &Path) -> Option<&'static str> {
    let Ok(found) = fs::metadata(path) else {
        // There may be something by now: a server that starts at the same time replaces a socket.
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        return is_link.then_some("a symbolic link to nothing");
    };
    let found = found.file_type();
    match () {
        () if found.is_socket() => None,
        () if found.is_file() => Some("a plain file"),
        () if found.is_dir() => Some("a directory"),
        () if found.is_fifo() => Some("a named pipe"),
        () => Some("a device"),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Loopback(port) => write!(f, "{}:{port}", Ipv4Addr::LOCALHOST),
            Endpoint::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Host(host, port) => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Tls(plain) => write!(f, "tls:{plain}"),
        }
    }
}

/// Reads a net, or an address that stands alone.
///
/// # Errors
/// What it is not.
pub(crate) fn parse_net(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
    let net = text.parse().or_else(|_| address());
    net.map(canonical_net).map_err(|_| "not an address or CIDR such as 10.0.0.0/8".into())
}

/// A net of IPv4 addresses written as IPv6 ones (`::ffff:10.0.0.0/104`) as what it is: peers are compared in
/// their own family.
fn canonical_net(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let prefix = v6.prefix_len().checked_sub(96);
    let v4 = v6.addr().to_ipv4_mapped().zip(prefix).and_then(|(v4, prefix)| Ipv4Net::new(v4, prefix).ok());
    v4.map_or(net, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_documented() {
        for (text, place, shown) in [
            ("5000", Endpoint::Loopback(5000), "127.0.0.1:5000"),
            (":0", Endpoint::Loopback(0), "127.0.0.1:0"),
            ("0.0.0.0:80", Endpoint::Host("0.0.0.0".into(), 80), "0.0.0.0:80"),
            ("example.org:80", Endpoint::Host("example.org".into(), 80), "example.org:80"),
            ("[::1]:80", Endpoint::Host("::1".into(), 80), "[::1]:80"),
            ("[fe80::1%eth0]:80", Endpoint::Host("fe80::1%eth0".into(), 80), "[fe80::1%eth0]:80"),
            ("unix:/tmp/a", Endpoint::Unix("/tmp/a".into()), "unix:/tmp/a"),
            ("tls:5000", Endpoint::Loopback(5000).over_tls(), "tls:127.0.0.1:5000"),
            ("tls::0", Endpoint::Loopback(0).over_tls(), "tls:127.0.0.1:0"),
            ("tls:a.org:80", Endpoint::Host("a.org".into(), 80).over_tls(), "tls:a.org:80"),
            ("tls:[::1]:80", Endpoint::Host("::1".into(), 80).over_tls(), "tls:[::1]:80"),
        ] {
            assert_eq!(Endpoint::parse(text), Ok(place.clone()), "{text}");
            assert_eq!(place.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_what_was_meant_is_said() {
        for (text, told) in [
            ("", "write localhost:5000"),
            ("host", "\"host\" has no port: write host:5000"),
            ("[::1]", "\"[::1]\" has no port: write [::1]:5000"),
            ("/run/a", "write unix:/run/a"),
            ("tcp://host:80", "write host:80"),
            ("tls://host:80", "write tls:host:80"),
            ("tls:", "an address is missing"),
            ("tls:host", "\"host\" has no port: write host:5000"),
            ("tls:unix:/run/a", "a Unix socket speaks no TLS: write unix:/run/a"),
            ("tls:tls:80", "tls: stands there twice: write tls:80"),
            ("http://host:80/", "write host:80"),
            ("host:", "\"host\" has no port: write host:5000"),
            ("host:http", "is no port (0 to 65535)"),
            ("host:99999", "is no port (0 to 65535)"),
            (":+80", "\"+80\" is no port"),
            ("+80", "has no port"),
            ("-1", "has no port"),
            ("::1", "[::1]:5000"),
            ("::1:80", "[::1]:80"),
            ("fe80::1%eth0:80", "[fe80::1%eth0]:80"),
            ("tcp:host:80", "write host:port"),
            ("[::1:80", "a ] is missing"),
            ("[::1]80", "a colon"),
            ("[nonsense]:80", "is no IPv6 address"),
            ("[fe80::1%]:80", "is no IPv6 address"),
            ("unix:", "a path is missing"),
        ] {
            let wrong = Endpoint::parse(text).expect_err(text);
            assert!(wrong.contains(told), "{text:?}: {wrong}");
        }
        let longest = format!("unix:/{}", "x".repeat(UNIX_PATH_BYTES_MAX - 1));
        assert!(Endpoint::parse(&longest).is_ok());
        assert!(Endpoint::parse(&format!("{longest}x")).expect_err("too long").contains("at most"));
    }

    #[test]
    fn a_host_and_a_port_that_stand_apart_are_joined() {
        for (host, port, address) in [
            ("localhost", "5000", Some("localhost:5000")),
            ("::1", "5000", Some("[::1]:5000")),
            ("fe80::1%eth0", "5000", Some("[fe80::1%eth0]:5000")),
            ("5000", "6000", None),
            ("--format", "5000", None),
            ("localhost:5000", "6000", None),
            ("localhost", "99999", None),
            ("localhost", "x", None),
        ] {
            assert_eq!(joined(host, port).as_deref(), address, "{host} {port}");
        }
    }

    #[test]
    fn what_is_an_address_already_is_not_looked_up() {
        let literal = |text: &str| Endpoint::parse(text).unwrap().literal().map(|found| found.to_string());
        for (text, address) in [
            ("5000", Some("127.0.0.1:5000")),
            ("192.0.2.1:80", Some("192.0.2.1:80")),
            ("[2001:db8::1]:80", Some("[2001:db8::1]:80")),
            ("[::ffff:127.0.0.1]:80", Some("127.0.0.1:80")),
            ("unix:/tmp/a", Some("unix:/tmp/a")),
            ("tls:[::ffff:127.0.0.1]:80", Some("tls:127.0.0.1:80")),
            ("tls:localhost:80", None),
            ("localhost:80", None),
            ("[fe80::1%eth0]:80", None),
            // The resolver takes it for 127.0.0.1, as ever.
            ("127.1:80", None),
        ] {
            assert_eq!(literal(text).as_deref(), address, "{text}");
        }
    }

    #[test]
    fn an_address_for_tls_knows_whom_it_was_typed_for() {
        let host = |text: &str| match Endpoint::parse(text).unwrap().resolve().unwrap().remove(0) {
            Address::Tls { host, .. } => host,
            other => panic!("{other}"),
        };
        assert_eq!(&*host("tls:localhost:80"), "localhost");
        assert_eq!(&*host("tls:[::1]:80"), "::1");
        assert_eq!(&*host("tls:80"), "127.0.0.1");
        assert_eq!(Endpoint::Unix("/tmp/a".into()).over_tls(), Endpoint::Unix("/tmp/a".into()));
    }

    #[test]
    fn a_net_of_mapped_addresses_is_an_ipv4_net() {
        for (text, meant) in [
            ("::ffff:127.0.0.0/104", "127.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("fe80::/10", "fe80::/10"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(parse_net(text).unwrap().to_string(), meant);
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_the_ipv4_address() {
        let found = Endpoint::parse("[::ffff:127.0.0.1]:80").unwrap().resolve().unwrap();
        assert_eq!(found, [Address::Tcp("127.0.0.1:80".parse().unwrap())]);
    }
}
