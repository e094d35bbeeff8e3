//! Hazards of event-loop servers, as docs/hazards.md numbers them: time (h23 to h25).

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Peer, Program, RaiseAtEnd, Server, has_tool, wait_until};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::{Domain, SockRef, Socket, Type};

#[test]
fn h23_who_squats_is_closed_when_idle_and_who_dribbles_hinders_nobody() {
    const SQUATTERS: usize = 60;
    const DRIBBLERS: usize = 20;
    let places = (SQUATTERS + DRIBBLERS + 1).to_string();
    let (server, mut peers) =
        Server::with_peers(&["--idle", "1s", "--max-conns", &places], (SQUATTERS + DRIBBLERS + 1) as u64);
    let mut steady = peers.pop().unwrap();
    let mut dribblers = peers.split_off(SQUATTERS);
    // Half of the squatters have said one byte of something.
    peers.iter_mut().step_by(2).for_each(|peer| peer.send("x"));
    let idle_for =
        |server: &Server| String::from_utf8_lossy(&server.err.so_far()).matches("idle for").count();
    let is_over = AtomicBool::new(false);

    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                dribblers.iter_mut().for_each(|peer| peer.send("."));
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        let dribble_ends = RaiseAtEnd(&is_over);
        let mut number = 0;
        wait_until("the squatters to be closed", || {
            server.hears(&mut steady, &format!("word {number}."));
            number += 1;
            (idle_for(&server) >= SQUATTERS).then_some(())
        });
        // There is room again, while the dribblers, who are not idle, are still there.
        let (mut newcomer, _) = server.connect_numbered();
        server.hears(&mut newcomer, "a newcomer's word");
        assert_eq!(idle_for(&server), SQUATTERS, "who says something is not idle");
        drop(dribble_ends);
    });

    for squatter in &mut peers {
        assert_eq!(squatter.read_to_end(), b"switchboard: idle for 1s\n", "it is told why");
    }
    server.err.lines_with("idle for", SQUATTERS + DRIBBLERS);
}

#[test]
fn h24_a_peer_that_was_killed_is_gone_at_once() {
    if !has_tool("nc") {
        return;
    }
    let (mut server, mut peers) = Server::with_peers(&[], 1);
    let mut command = Command::new("nc");
    command.args(["127.0.0.1", &server.port()]);
    let mut victim = Program::start(command);
    victim.type_line("hello");
    server.out.line_with("2\thello");

    victim.signal("KILL");
    victim.exit_status();
    server.wait_for_status("#2 has finished");
    // Whether nobody is behind it any more shows when something is sent to it.
    wait_until("the killed one to be gone", || {
        server.type_line("@2 anybody there?");
        String::from_utf8_lossy(&server.err.so_far()).contains("* #2 closed").then_some(())
    });

    server.type_line("@1 hello");
    assert_eq!(peers[0].line(), "hello");
}

/// The server's own end of its newest connection, as a descriptor of ours, or none where the system
/// does not let us have it.
fn newest_socket(server: &Server) -> Option<Socket> {
    let pid = pidfd_open(Pid::from_raw(server.pid() as i32)?, PidfdFlags::empty()).ok()?;
    let is_socket = |number: &i32| {
        let target = fs::read_link(format!("/proc/{}/fd/{number}", server.pid()));
        target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    let newest = (0..200).rev().find(is_socket)?;
    pidfd_getfd(pid, newest, PidfdGetfdFlags::empty()).ok().map(Socket::from)
}

/// `newest_socket`, or a word on why the test is skipped. In CI nothing is.
fn newest_socket_or_skip(server: &Server) -> Option<Socket> {
    let socket = newest_socket(server);
    if socket.is_none() {
        assert!(std::env::var_os("CI").is_none(), "the server's descriptors cannot be looked at");
        let _ = writeln!(std::io::stderr(), "skipped: the server's descriptors cannot be looked at");
    }
    socket
}

#[test]
fn h24_every_connection_is_asked_when_silent_and_given_up_when_nothing_is_acknowledged() {
    for arguments in [&[][..], &["--echo"], &["--chat"]] {
        let server = Server::start(arguments);
        let (_peer, _) = server.connect_numbered();
        let Some(socket) = newest_socket_or_skip(&server) else { return };

        assert_eq!(socket.local_addr().unwrap().as_socket(), Some(server.address));
        assert!(socket.keepalive().unwrap(), "nobody asks a silent peer");
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(20));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(60)));
    }
}

/// Two hosts: a server at 10.24.0.1 in a network of its own, and a peer behind a cable. The cable is
/// `far`, whose end the peer's network has.
struct Cable {
    far_pid: String,
    _far: Program,
}

impl Cable {
    /// Lays it from the network of `server`, a shell that waits.
    fn lay(near: &Program) -> Cable {
        let mut command = Command::new("unshare");
        command.args(["-n", "cat"]);
        let mut far = Program::start(command);
        far.type_line("ready");
        far.out.line_with("ready");
        let far_pid = far.pid().to_string();
        within(&near.pid().to_string(), &format!("ip link add near type veth peer name far netns {far_pid}"));
        within(&near.pid().to_string(), "ip addr add 10.24.0.1/24 dev near; ip link set near up");
        within(&far_pid, "ip addr add 10.24.0.2/24 dev far; ip link set far up");
        Cable { far_pid, _far: far }
    }

    fn peer(&self, port: &str) -> Program {
        let mut command = Command::new("nsenter");
        command.args([&format!("--net=/proc/{}/ns/net", self.far_pid), "nc", "10.24.0.1", port]);
        Program::start(command)
    }

    /// Whatever is sent from now on is lost, and nobody says so.
    fn pull(&self) {
        within(&self.far_pid, "ip link set far down");
    }
}

/// Runs a line in the network of a process.
#[track_caller]
fn within(pid: &str, line: &str) {
    let mut command = Command::new("nsenter");
    command.args([&format!("--net=/proc/{pid}/ns/net"), "sh", "-e", "-c", line]);
    assert!(command.status().expect("nsenter runs").success(), "{line}");
}

#[test]
fn h24_a_peer_whose_cable_was_pulled_is_removed_as_timed_out_whether_it_was_written_to_or_not() {
    let may_unshare = Command::new("unshare").args(["-n", "true"]).output();
    if !["nc", "ip", "nsenter", "unshare"].into_iter().all(has_tool)
        || !may_unshare.is_ok_and(|output| output.status.success())
    {
        let _ = writeln!(std::io::stderr(), "skipped: no network of our own is to be had here");
        return;
    }
    let mut command = Command::new("unshare");
    command.args([
        "-n",
        "sh",
        "-c",
        "read start; exec \"$0\" 10.24.0.1:0",
        env!("CARGO_BIN_EXE_switchboard"),
    ]);
    let mut near = Program::start(command);
    // Its network is its own as soon as it is no longer ours.
    let ours = fs::read_link("/proc/self/ns/net").unwrap();
    wait_until("the network of the server", || {
        fs::read_link(format!("/proc/{}/ns/net", near.pid())).ok().filter(|network| *network != ours)
    });
    let cable = Cable::lay(&near);
    near.type_line("start");
    let mut server = Server::of_program(near);

    // The times are the operating system's to keep; they are shortened to what a test can wait for.
    let mut peers = Vec::new();
    for number in 1..=2 {
        let mut peer = cable.peer(&server.port());
        peer.type_line("hello");
        server.out.line_with(&format!("{number}\thello"));
        let Some(socket) = newest_socket_or_skip(&server) else { return };
        let sock = SockRef::from(&socket);
        sock.set_tcp_user_timeout(Some(Duration::from_secs(1))).unwrap();
        let second = Duration::from_secs(1);
        let keepalive = socket2::TcpKeepalive::new().with_time(second).with_interval(second).with_retries(1);
        sock.set_tcp_keepalive(&keepalive).unwrap();
        peers.push(peer);
    }
    cable.pull();
    server.type_line("@1 are you there?");

    for number in 1..=2 {
        let closed = server.wait_for_status(&format!("* #{number} closed"));
        assert!(closed.to_lowercase().contains("timed out"), "{closed:?}");
    }
    server.type_line("/who");
    server.err.line_with("nobody is connected");
}

/// A peer whose window is as small as can be.
fn with_a_tiny_window(server: &Server) -> Peer {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.connect(&server.address.into()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    Peer::over(socket.into())
}

#[test]
fn h25_who_reads_nothing_or_a_byte_now_and_then_is_dropped_and_pins_nothing() {
    const LINES: usize = 6000;
    let mut server = Server::start(&["--chat", "--queue-max", "256K"]);
    let (mut talker, _) = server.connect_numbered();
    let (mut reader, _) = server.connect_numbered();
    let stuck = with_a_tiny_window(&server);
    server.wait_for_status("#3 connected");
    let mut dribbling = with_a_tiny_window(&server);
    server.wait_for_status("#4 connected");
    let descriptors = server.descriptors();
    let is_over = AtomicBool::new(false);

    thread::scope(|scope| {
        scope.spawn(|| {
            // It acknowledges, it even reads, but it will never catch up.
            while !is_over.load(Ordering::SeqCst) && matches!(dribbling.stream.read(&mut [0]), Ok(1)) {
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        scope.spawn(move || {
            for number in 0..LINES {
                talker.send(format!("{number} {}\n", "z".repeat(500)));
            }
            // It leaves only when all was read.
            talker.finish();
            talker.read_to_any_end();
        });
        let _dribble_ends = RaiseAtEnd(&is_over);
        for number in 0..LINES {
            let line = loop {
                let line = reader.line();
                // Others come and go meanwhile.
                if !line.starts_with('*') {
                    break line;
                }
            };
            assert!(line.starts_with(&format!("<#1> {number} ")), "{line:?} instead of {number}");
        }
        for number in [3, 4] {
            let closed = server.wait_for_status(&format!("* #{number} closed"));
            assert!(closed.contains("reading"), "{closed:?}");
        }
        // Where both have gone, its answer comes to the talker, too, and ends it.
        server.type_line("/kick 1");
    });

    wait_until("their descriptors to be free", || (server.descriptors() <= descriptors - 2).then_some(()));
    assert_eq!(server.stat("dropped for not reading"), 2);
    drop(stuck);
}
