//! What the service manager is told of this process, if one wants to know: sd_notify(3).

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How long a manager that is busy is waited for, before there is anybody else who would have to wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It listens: whoever waited for it may connect.
    Ready,
    /// It has begun to end.
    Stopping,
}

/// Whoever has started this process and wants to know how far it is.
#[derive(Debug)]
pub struct Manager {
    socket: OsString,
}

impl Manager {
    /// The one that the environment names, if it does.
    pub fn of_environment() -> Option<Manager> {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())?;
        Some(Manager { socket })
    }

    /// Tells it how far we are. Where it cannot be told, that is logged, and nothing else is different for it.
    pub fn tell(&self, progress: Progress) {
        if let Err(error) = send(&self.socket, progress) {
            log::warn!("cannot tell the service manager ({}): {error}", self.socket.display());
        }
    }
}

fn send(socket: &OsStr, progress: Progress) -> io::Result<()> {
    let ours = UnixDatagram::unbound()?;
    let message: &[u8] = match progress {
        Progress::Ready => {
            ours.set_write_timeout(Some(PATIENCE))?;
            b"READY=1"
        }
        // The loop is not to be held up for it: that the process ends is seen anyway.
        Progress::Stopping => {
            ours.set_nonblocking(true)?;
            b"STOPPING=1"
        }
    };
    ours.send_to_addr(message, &address_of(socket)?).map(drop)
}

/// A path, or an abstract name behind an `@`.
fn address_of(socket: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        return SocketAddr::from_abstract_name(name);
    }
    if !socket.as_bytes().starts_with(b"/") {
        return Err(io::Error::other("it is neither a path nor an abstract name"));
    }
    SocketAddr::from_pathname(socket)
}
