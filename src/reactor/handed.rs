//! Listening sockets that were opened by somebody else, who has set of their options whatever came to mind.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use mio::net::{TcpListener, UnixListener};
use socket2::{SockAddr, SockRef, Socket};

use crate::address::Address;
use crate::limits::Limits;
use crate::reactor::socket::{Listener, note_refusal, set_options};
use crate::reactor::tls::Tls;

/// What is known of such a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// Where it listens.
    pub address: Address,
    /// An IPv6 socket that takes IPv4 as well, as ours do not.
    pub takes_ipv4: bool,
}

impl Listener {
    /// Takes it as it is, but for what the loop and every connection count upon; one of TCP with TLS, if there is any.
    pub fn handed_over(
        socket: OwnedFd,
        limits: &Limits,
        tls: Option<Tls>,
    ) -> io::Result<(Listener, HandedOver)> {
        let socket = Socket::from(socket);
        #[cfg(target_os = "linux")]
        if !socket.is_listener()? {
            return Err(io::Error::other("it does not listen (a unit of systemd needs Accept=no)"));
        }
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?;
        let Some(address) = bound.as_socket() else {
            let handed = HandedOver { address: Address::Unix(path_of(&bound)), takes_ipv4: false };
            let listener = UnixListener::from_std(socket.into());
            // Its file is for whoever made it to remove.
            return Ok((Listener::Unix { _file: None, listener }, handed));
        };
        let keepalive_after = limits.keepalive_after;
        set_options(&SockRef::from(&socket), keepalive_after);
        #[cfg(target_os = "linux")]
        note_refusal("TCP_USER_TIMEOUT", socket.set_tcp_user_timeout(Some(limits.unacked_max)));
        let takes_ipv4 = address.is_ipv6() && !socket.only_v6()?;
        let listener = TcpListener::from_std(socket.into());
        let at = match tls {
            Some(_) => Address::Tls { socket: address, host: address.ip().to_string().into() },
            None => Address::Tcp(address),
        };
        Ok((Listener::Tcp { listener, keepalive_after, tls }, HandedOver { address: at, takes_ipv4 }))
    }
}

/// The path of a Unix socket; an abstract name has an `@` in front, as `ss` shows it.
fn path_of(bound: &SockAddr) -> PathBuf {
    if let Some(path) = bound.as_pathname() {
        return path.to_owned();
    }
    let name = bound.as_abstract_namespace().unwrap_or_default();
    std::ffi::OsString::from_vec([b"@", name].concat()).into()
}
