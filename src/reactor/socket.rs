//! TCP and Unix sockets as mio has them: made, listened on, accepted, and used as a `Stream`.

use std::fs::{self, File};
use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
#[cfg(target_os = "linux")]
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::{TcpListener, UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::net::SendFlags;
use socket2::{Domain, SockAddr, SockRef, Socket as RawSocket, TcpKeepalive, Type};

use crate::address::{Address, canonical};
#[cfg(target_os = "linux")]
use crate::conn::Credentials;
use crate::conn::Peer;
use crate::conn::reason::in_words;
use crate::conn::stream::{SentBack, Stream};
use crate::engine::accept::Listen;
use crate::limits::Limits;
use crate::process::own_file::OwnFile;
use crate::reactor::splice::Splice;
use crate::reactor::tls::{Channel, Tls};

/// Unanswered questions after which a silent peer is given up.
const KEEPALIVE_RETRIES: u32 = 3;

/// Bytes that may wait in the kernel unsent. Beyond that a socket takes no more, and it is announced as
/// soon as there is room again; without it a stuck peer holds megabytes of the kernel's, and a slow one
/// takes nothing for seconds and then much at once.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT_BYTES: u32 = 128 << 10;

/// How long to wait for another server that is replacing a stale socket in the same directory, which takes it
/// some microseconds. Somebody may hold a lock on a directory for purposes of their own, and for good.
const DIRECTORY_LOCK_MAX: Duration = Duration::from_secs(5);
const DIRECTORY_LOCK_RETRY: Duration = Duration::from_millis(2);

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp {
        listener: TcpListener,
        keepalive_after: Duration,
        /// With what TLS is spoken there, if it is.
        tls: Option<Tls>,
    },
    /// The file is kept to be removed in the end. It goes first: as long as the socket is open nobody else takes
    /// the path for free, and its inode's number is given to no other file.
    Unix { _file: Option<OwnFile>, listener: UnixListener },
}

impl Listener {
    /// Binds and listens. Returns the address with the port that it really got.
    pub fn bind(at: &Address, limits: &Limits, tls: &Tls) -> io::Result<(Listener, Address)> {
        match at {
            Address::Tcp(socket) => {
                let (listener, socket) = Listener::bind_tcp(*socket, limits, None)?;
                Ok((listener, Address::Tcp(socket)))
            }
            Address::Tls { socket, host } => {
                tls.check_server()?;
                let (listener, socket) = Listener::bind_tcp(*socket, limits, Some(tls.clone()))?;
                Ok((listener, Address::Tls { socket, host: host.clone() }))
            }
            Address::Unix(path) => {
                let (listener, file) = bind_unix(path, limits.unix_mode)?;
                Ok((Listener::Unix { _file: Some(file), listener }, at.clone()))
            }
        }
    }

    /// At a Unix socket that is its owner's alone.
    pub fn bind_for_owner(path: &Path) -> io::Result<Listener> {
        let (listener, file) = bind_unix(path, 0o600)?;
        Ok(Listener::Unix { _file: Some(file), listener })
    }

    fn bind_tcp(at: SocketAddr, limits: &Limits, tls: Option<Tls>) -> io::Result<(Listener, SocketAddr)> {
        let listener = bind_tcp(at, limits)?;
        let address = listener.local_addr()?;
        Ok((Listener::Tcp { listener, keepalive_after: limits.keepalive_after, tls }, address))
    }

    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Listener::Tcp { listener, .. } => listener,
            Listener::Unix { listener, .. } => listener,
        }
    }
}

impl Listen for Listener {
    type Stream = Channel;

    fn accept(&mut self) -> io::Result<(Channel, Peer)> {
        match self {
            Listener::Tcp { listener, keepalive_after, tls } => {
                let (stream, peer) = listener.accept()?;
                // On Linux an accepted socket has the options of its listener.
                if cfg!(not(target_os = "linux")) {
                    set_options(&SockRef::from(&stream), *keepalive_after);
                }
                let socket = Socket::of(stream);
                // A socket that was handed over may take both.
                let channel = match tls {
                    Some(tls) => tls.accepted(socket)?,
                    None => Tls::plain(socket),
                };
                Ok((channel, canonical(peer).into()))
            }
            Listener::Unix { listener, .. } => {
                let (stream, _) = listener.accept()?;
                let peer = peer_of(&stream);
                Ok((Tls::plain(Socket::of(stream)), peer))
            }
        }
    }
}

/// A connection's socket, TCP or Unix. What may be done with the two is the same but for connecting, which here is
/// over for a Unix socket as soon as it has begun.
#[derive(Debug)]
pub(crate) struct Socket(RawSocket);

impl Socket {
    fn of(stream: impl Into<OwnedFd>) -> Socket {
        Socket(RawSocket::from(stream.into()))
    }

    /// Begins a connection, from one of this machine's own addresses if that is given.
    pub fn connect(from: Option<IpAddr>, to: &Address, limits: &Limits) -> io::Result<Socket> {
        match to {
            Address::Tcp(socket) | Address::Tls { socket, .. } => connect_tcp(from, *socket, limits),
            Address::Unix(path) => Ok(Socket::of(UnixStream::connect(path)?)),
        }
    }

    /// Registers for all that can happen to it, once and for good: edge-triggered.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let all = Interest::READABLE | Interest::WRITABLE;
        // Urgent data stops a read short of what lies behind it; the reader has to know.
        #[cfg(target_os = "linux")]
        let all = all | Interest::PRIORITY;
        registry.register(&mut SourceFd(&self.0.as_raw_fd()), token, all)
    }
}

impl Stream for Socket {
    type Splice = Splice;

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn write_piece(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The end of a record: the system joins nothing to it, be it in its queue or on its way to the card
        // (`tcp_skb_can_collapse_to` in Linux's net/tcp.h).
        Ok(rustix::net::send(&self.0, bytes, SendFlags::EOR | SendFlags::NOSIGNAL)?)
    }

    fn is_drained(&mut self) -> bool {
        // A socket that takes nothing while anything is unsent says so, and is announced when it has sent all.
        #[cfg(target_os = "linux")]
        if self.0.set_tcp_notsent_lowat(1).is_err() {
            // A Unix socket has no queue but the peer's.
            return true;
        }
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
        poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    fn finish(&mut self) -> io::Result<()> {
        // After a reset it says "not connected"; why that is, only the reset itself tells.
        self.0.shutdown(Shutdown::Write).or_else(|error| Err(self.take_error()?.unwrap_or(error)))
    }

    fn abort(&mut self) -> io::Result<()> {
        // A Unix socket has no reset; its close is seen at once.
        self.0.set_linger(Some(Duration::ZERO))
    }

    fn connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.0.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    fn send_back(&mut self, splice: &mut Splice, bytes_max: usize, rest: &mut [u8]) -> SentBack {
        splice.send_on(&self.0, &self.0, bytes_max, rest)
    }

    fn send_on(
        &mut self,
        to: &mut Socket,
        splice: &mut Splice,
        bytes_max: usize,
        rest: &mut [u8],
    ) -> SentBack {
        splice.send_on(&self.0, &to.0, bytes_max, rest)
    }

    fn short_read_drains(&self) -> bool {
        true
    }

    fn drop_finishes(&self) -> bool {
        true
    }
}

fn connect_tcp(from: Option<IpAddr>, to: SocketAddr, limits: &Limits) -> io::Result<Socket> {
    let socket = RawSocket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(from) = from {
        // A port that is bound before the far end is known may be shared, so it does not run out early.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    set_options(&SockRef::from(&socket), limits.keepalive_after);
    Ok(Socket(socket))
}

fn bind_tcp(address: SocketAddr, limits: &Limits) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // Whatever the system's default: `[::]` means IPv6, and IPv4 is given as an address of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    set_options(&SockRef::from(&socket), limits.keepalive_after);
    // Not on what we dial: a client waits for its one server as long as that answers at all.
    #[cfg(target_os = "linux")]
    note_refusal("TCP_USER_TIMEOUT", socket.set_tcp_user_timeout(Some(limits.unacked_max)));
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog(limits))?;
    Ok(TcpListener::from_std(socket.into()))
}

fn backlog(limits: &Limits) -> i32 {
    i32::try_from(limits.backlog).unwrap_or(i32::MAX)
}

/// Sets what makes a connection quick to notice trouble. A system that knows an option not does without
/// it.
pub(super) fn set_options(socket: &SockRef<'_>, keepalive_after: Duration) {
    let keepalive = TcpKeepalive::new()
        .with_time(keepalive_after)
        .with_interval(keepalive_after / KEEPALIVE_RETRIES)
        .with_retries(KEEPALIVE_RETRIES);
    note_refusal("keepalive", socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    note_refusal("TCP_NOTSENT_LOWAT", socket.set_tcp_notsent_lowat(NOTSENT_LOWAT_BYTES));
    note_refusal("TCP_NODELAY", socket.set_tcp_nodelay(true));
}

pub(super) fn note_refusal(option: &str, result: io::Result<()>) {
    if let Err(error) = result {
        log::warn!("cannot set {option}: {error}");
    }
}

/// Who is at the other end of a Unix socket.
#[cfg(target_os = "linux")]
fn peer_of(stream: &UnixStream) -> Peer {
    let told = nix::sys::socket::getsockopt(stream, nix::sys::socket::sockopt::PeerCredentials);
    told.map_or(Peer::Unix, |told| {
        let pid = u32::try_from(told.pid()).ok().and_then(NonZeroU32::new);
        Peer::UnixOf(Credentials { pid, uid: told.uid() })
    })
}

#[cfg(not(target_os = "linux"))]
fn peer_of(_stream: &UnixStream) -> Peer {
    Peer::Unix
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, OwnFile)> {
    // Held until the socket is bound: whoever finds none there, between the two, would be the one to bind.
    let _lock = remove_stale(path)?;
    // The mode is set by the mask at the bind itself: set afterwards, the socket would be open to
    // everybody for a moment.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(!mode & 0o777));
    let listener = std::os::unix::net::UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener?;
    let file = OwnFile::new(path.to_owned(), &fs::symlink_metadata(path)?);
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener), file))
}

/// Removes a socket that a server left behind when it was killed. Neither one that somebody holds open nor
/// anything that is no socket is touched.
///
/// Of several servers that start at once, each might find the same stale socket, and the slower one would remove
/// what the faster one has bound there meanwhile. So it is found stale once more, and removed, under a lock on the
/// directory: nothing but such a removal takes a stale socket from its path, and nothing is bound where one is.
/// The lock, which is returned, leaves no file behind and ends with the process.
fn remove_stale(path: &Path) -> io::Result<Option<File>> {
    if !is_stale(path)? {
        return Ok(None);
    }
    match lock_directory(path) {
        Ok(lock) => {
            if is_stale(path)? {
                fs::remove_file(path)?;
            }
            Ok(Some(lock))
        }
        Err(error) => Err(io::Error::other(format!(
            "a stale socket is in the way, and its directory cannot be locked: {}",
            in_words(&error)
        ))),
    }
}

/// Whether there is a socket at this path that no process has open any more.
fn is_stale(path: &Path) -> io::Result<bool> {
    // Whatever else may be there, the bind will say that it is in the way.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        return Ok(false);
    }
    // A datagram socket is refused where no socket is open behind the file, and told "wrong type" where a stream
    // socket is, even one that was bound and does not listen yet. A live server does not notice the question.
    let probe = RawSocket::new(Domain::UNIX, Type::DGRAM, None)?;
    let answer = probe.connect(&SockAddr::unix(path)?);
    Ok(answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

/// Locks the directory of this path until the file that is returned goes.
fn lock_directory(path: &Path) -> io::Result<File> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = File::open(directory.unwrap_or(Path::new(".")))?;
    let give_up_at = Instant::now() + DIRECTORY_LOCK_MAX;
    loop {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(directory),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if Instant::now() < give_up_at => thread::park_timeout(DIRECTORY_LOCK_RETRY),
            Err(error) => return Err(error.into()),
        }
    }
}
