//! Servers for the client, made of plain sockets.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::TcpListener;

use super::common::{Peer, wait_until};

/// Waits until the client connects.
pub fn accept(listener: &TcpListener) -> Peer {
    listener.set_nonblocking(true).unwrap();
    let (stream, _) = wait_until("the client to connect", || listener.accept().ok());
    Peer::dialled(stream)
}

/// A listener, and where it listens.
pub fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Waits until the client that runs as this process, or as its child, watches for signals.
#[track_caller]
pub fn wait_until_signals_are_watched(pid: u32) {
    const SIGINT_BIT: u64 = 1 << 1;
    let children = format!("/proc/{pid}/task/{pid}/children");
    let is_watching = |pid: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        status.contains("Name:\tswitchboard-cli") && caught.is_some_and(|mask| mask & SIGINT_BIT != 0)
    };
    wait_until("the client to watch for signals", || {
        let children = fs::read_to_string(&children).unwrap_or_default();
        children.split_whitespace().chain([pid.to_string().as_str()]).any(is_watching).then_some(())
    });
}

/// A listener that answers nobody: its backlog is full. What fills it is kept.
pub fn deaf_listener() -> (socket2::Socket, String, Vec<socket2::Socket>) {
    let tcp = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = tcp();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let fill = || {
        let socket = tcp();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    };
    let waiting = (0..4).map(|_| fill()).collect();
    (listener, address.as_socket().unwrap().to_string(), waiting)
}
