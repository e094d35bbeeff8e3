//! As a service: sockets that are handed over, what the manager is told, the unit files, and the warning for open doors.
//! The numbers hNN are those of the list of hazards in docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{DEADLINE, Output, Peer, Program, Server, has_tool, wait_until};

const SERVER: &str = env!("CARGO_BIN_EXE_switchboard");

/// A path in a directory of these tests at which there is nothing yet.
fn place(name: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("service-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// A server to which these two are handed over as descriptors 3 and 4, as systemd does; what it says.
struct Activated {
    child: std::process::Child,
    err: Output,
}

impl Activated {
    fn start(first: impl Into<OwnedFd>, second: impl Into<OwnedFd>, arguments: &str) -> Activated {
        Activated::as_told(
            first,
            second,
            &format!("LISTEN_PID=$$ LISTEN_FDS=2 exec {SERVER} --format human {arguments}"),
        )
    }

    /// The same with other words to the shell that hands them over.
    fn as_told(first: impl Into<OwnedFd>, second: impl Into<OwnedFd>, exec: &str) -> Activated {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec 3<&0 4<&1 </dev/null >&2; export LISTEN_PID LISTEN_FDS; {exec}")]);
        command.stdin(Stdio::from(first.into())).stdout(Stdio::from(second.into())).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let err = Output::of(child.stderr.take().unwrap());
        Activated { child, err }
    }

    /// What it said, where it has not even begun.
    #[track_caller]
    fn failure(mut self) -> String {
        let status = wait_until("it to end", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(1));
        String::from_utf8(self.err.to_end()).unwrap()
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tcp() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn h75_sockets_are_served_in_whatever_order_they_come_and_though_they_block() {
    let path = place("handed");
    for tcp_is_first in [true, false] {
        let _ = fs::remove_file(&path);
        let (listener, address) = tcp();
        let unix = UnixListener::bind(&path).unwrap();
        let server = if tcp_is_first {
            Activated::start(listener, unix, "")
        } else {
            Activated::start(unix, listener, "")
        };
        server.err.line_with(&format!("switchboard: listening on {address}"));
        server.err.line_with(&format!("switchboard: listening on unix:{}", path.display()));

        let mut one = Peer::connect(address);
        one.send("from TCP\n");
        server.err.line_with("#1> from TCP");
        UnixStream::connect(&path).unwrap().write_all(b"from Unix\n").unwrap();
        server.err.line_with("#2> from Unix");
        // A listener that blocks would have stopped everything after the first who came.
        one.send("again\n");
        server.err.line_with("#1> again");
        drop(server);
        assert!(path.exists(), "the file is its maker's to remove");
    }
}

#[test]
fn h75_what_is_handed_over_and_is_no_listener_is_told_in_one_line() {
    let no_stream = "cannot use descriptor 4, which was handed over: it is no TCP or Unix stream socket";
    let no_listener = "cannot listen on a socket that was handed over: it does not listen (a unit of systemd needs \
                       Accept=no)";
    let (_listener, address) = tcp();
    let datagrams: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let local_datagrams: OwnedFd = UnixDatagram::unbound().unwrap().into();
    let file: OwnedFd = fs::File::open("/dev/null").unwrap().into();
    let connected: OwnedFd = TcpStream::connect(address).unwrap().into();
    for (second, why) in
        [(datagrams, no_stream), (local_datagrams, no_stream), (file, no_stream), (connected, no_listener)]
    {
        let told = Activated::start(tcp().0, second, "").failure();
        assert_eq!(told, format!("switchboard: {why}\n"));
    }
}

#[test]
fn h75_sockets_that_were_meant_for_another_process_are_not_touched() {
    let (listener, address) = tcp();
    let kept = listener.try_clone().unwrap();
    let exec = format!("LISTEN_PID=1 LISTEN_FDS=2 exec {SERVER} --format human 127.0.0.1:0");
    let server = Activated::as_told(listener, tcp().0, &exec);

    let line = server.err.line_with("switchboard: listening on ");

    assert!(!line.ends_with(&address.to_string()), "{line}");
    drop(kept);
}

#[test]
#[cfg(feature = "tls")]
fn where_there_is_a_certificate_those_of_tcp_speak_tls() {
    use std::io::Read;

    let path = place("with-tls");
    let (listener, address) = tcp();
    let server = Activated::start(listener, UnixListener::bind(&path).unwrap(), "--echo --tls-self-signed");
    let line = server.err.line_with("switchboard: certificate SHA-256 ");
    server.err.line_with(&format!("switchboard: listening on tls:{address}"));
    server.err.line_with(&format!("switchboard: listening on unix:{}", path.display()));

    let fingerprint = line.rsplit(' ').next().unwrap();
    let mut client = Program::client(&["--tls-fingerprint", fingerprint, &address.to_string()]);
    client.type_line("hello");
    client.out.line_with("hello");
    let mut unix = UnixStream::connect(&path).unwrap();
    unix.write_all(b"plain\n").unwrap();
    let mut said = [0; 6];
    unix.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"plain\n");
}

#[test]
fn an_address_that_is_not_bound_is_named() {
    let (one, other) = (tcp(), tcp());
    let server = Activated::start(one.0, other.0, "127.0.0.1:9 unix:/nowhere/at/all");

    server.err.line_with("switchboard: 2 sockets were handed over, so 127.0.0.1:9 is not bound");
    server.err.line_with("switchboard: 2 sockets were handed over, so unix:/nowhere/at/all is not bound");
    server.err.line_with(&format!("switchboard: listening on {}", other.1));
}

/// An IPv6 socket that takes IPv4 as well, and its port.
fn for_both() -> (socket2::Socket, u16) {
    let both = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
    both.set_only_v6(false).unwrap();
    both.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    both.listen(5).unwrap();
    let port = both.local_addr().unwrap().as_socket().unwrap().port();
    (both, port)
}

#[test]
fn who_comes_by_ipv4_through_a_socket_for_both_is_shown_and_judged_as_ipv4() {
    let (both, port) = for_both();
    let server = Activated::start(both, tcp().0, "--allow 127.0.0.0/8");
    server.err.line_with(&format!("switchboard: listening on [::]:{port}"));

    let peer = Peer::connect((Ipv4Addr::LOCALHOST, port).into());

    let from = peer.stream.local_addr().unwrap();
    server.err.line_with(&format!("* #1 connected from {from}"));
}

#[test]
fn a_tap_that_would_lead_back_by_ipv4_through_a_socket_for_both_is_refused() {
    let (both, port) = for_both();

    let told = Activated::start(both, tcp().0, &format!("--tap 127.0.0.1:{port}")).failure();

    let why = format!("switchboard: cannot tap 127.0.0.1:{port}: that is this server itself\n");
    assert!(told.ends_with(&why), "{told}");
}

#[test]
fn systemd_socket_activate_serves() {
    if !has_tool("systemd-socket-activate") {
        return;
    }
    let path = place("activate");
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", path.to_str().unwrap(), SERVER, "--format", "human"]);
    let server = Program::start(command);
    server.err.line_with("Listening on ");

    let mut peer = UnixStream::connect(&path).unwrap();
    peer.write_all(b"woken\n").unwrap();

    server.err.line_with(&format!("switchboard: listening on unix:{}", path.display()));
    server.out.line_with("#1> woken");
}

/// What a manager is told that listens there: that the server is ready, when it can be connected to, and that it stops.
#[track_caller]
fn is_told(manager: &UnixDatagram, name: &str) {
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let (path, mut message) = (place("notified"), [0; 256]);
    let mut command = Command::new(SERVER);
    command.env("NOTIFY_SOCKET", name).arg(format!("unix:{}", path.display()));
    let mut next = || {
        let count = manager.recv(&mut message).expect("the manager is told");
        String::from_utf8_lossy(&message[..count]).into_owned()
    };

    let mut server = Program::start(command);
    let ready = next();
    UnixStream::connect(&path).expect("whoever is ready listens");
    server.signal("TERM");
    let stopping = next();

    assert_eq!((&*ready, &*stopping), ("READY=1", "STOPPING=1"));
    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn h75_the_manager_is_told_when_it_listens_and_when_it_stops() {
    let path = place("manager");
    is_told(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_manager_may_have_an_abstract_name() {
    let name = format!("switchboard-manager-{}", std::process::id());
    let address = UnixAddress::from_abstract_name(&name).unwrap();
    is_told(&UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
}

#[test]
fn a_manager_that_is_not_there_keeps_nobody_from_serving() {
    for name in ["/nowhere/at/all", "vsock:2:1234"] {
        let mut command = Command::new(SERVER);
        command.env("NOTIFY_SOCKET", name).arg("0");
        let server = Server::of(command);

        server.err.line_with(&format!("cannot tell the service manager ({name}): "));
        let mut peer = server.connect();
        server.hears(&mut peer, "hello");
    }
}

/// The unit files, made to start the program that was built.
fn units() -> [PathBuf; 2] {
    let directory = place("units");
    fs::create_dir_all(&directory).unwrap();
    ["switchboard.service", "switchboard.socket"].map(|name| {
        let unit = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name));
        let path = directory.join(name);
        fs::write(&path, unit.unwrap().replace("/usr/bin/switchboard", SERVER)).unwrap();
        path
    })
}

#[test]
fn the_units_are_right_and_leave_the_service_little_to_do_harm_with() {
    if !has_tool("systemd-analyze") {
        return;
    }
    let units = units();
    let analyze = |arguments: &[&str], units: &[PathBuf]| {
        let output = Command::new("systemd-analyze").args(arguments).args(units).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };

    let (is_right, said) = analyze(&["verify", "--man=no"], &units);
    let (_, security) = analyze(&["security", "--no-pager", "--offline=true"], &units[..1]);

    assert!(is_right, "{said}");
    let level = security.lines().rfind(|line| line.contains("Overall exposure level")).expect("a level");
    let level: f64 = level.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(level < 2.0, "exposure {level}");
}

#[test]
fn a_door_that_is_open_to_the_network_is_warned_about_once() {
    for (arguments, is_warned) in [
        (&["0.0.0.0:0"][..], true),
        (&["0.0.0.0:0", "--deny", "192.0.2.1"], true),
        (&["0.0.0.0:0", "--allow", "127.0.0.0/8"], false),
        (&["127.0.0.1:0", "[::1]:0", "127.1.2.3:0"], false),
        (&["unix:@"], false),
    ] {
        let path = format!("unix:{}", place("closed").display());
        let arguments = arguments.iter().map(|argument| argument.replace("unix:@", &path));
        let mut command = Command::new(SERVER);
        command.args(arguments);
        let mut server = Program::start(command);
        let line = server.err.line_with("switchboard: listening on ");
        let address = line.rsplit(' ').next().unwrap().to_owned();
        server.type_line("exit");
        server.exit_status();

        let said = String::from_utf8(server.err.to_end()).unwrap();
        let warning =
            format!("switchboard: {address} is open to the network: --allow names who may connect\n");
        assert_eq!(said.matches(&warning).count(), usize::from(is_warned), "{said}");
        assert_eq!(said.matches("open to the network").count(), usize::from(is_warned), "{said}");
    }
}
