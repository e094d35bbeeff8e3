//! --tap: a connection to the target for each newcomer, what the operator sees of both and says to either; and what may
//! not be linked. How the bytes pass is in tests/links.rs.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use common::{Peer, Program, Server, wait_until};

/// The server that is tapped.
struct Target(TcpListener);

impl Target {
    fn new() -> Target {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Target(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    #[track_caller]
    fn answers(&self) -> Peer {
        let (stream, _) = wait_until("it to be dialled", || self.0.accept().ok());
        Peer::dialled(stream)
    }
}

/// A tap, its target, and so many clients, each with its target's side.
fn tapped(arguments: &[&str], count: u64) -> (Server, Target, Vec<(Peer, Peer)>) {
    let target = Target::new();
    let address = target.address().to_string();
    let server = Server::start(&[&["--tap", &address], arguments].concat());
    let mut both = Vec::new();
    for number in 0..count {
        let client = server.connect();
        both.push((client, target.answers()));
        let (client, side) = (2 * number + 1, 2 * number + 2);
        server.wait_for_status(&format!("* #{side} connected to {address} for #{client}"));
    }
    (server, target, both)
}

fn unix_path(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// Runs a server that does not come up; returns its status and what it says.
fn failed_start(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments);
    let mut program = Program::start(command);
    let code = program.exit_status().code();
    assert_eq!(program.out.to_end(), b"");
    (code, String::from_utf8(program.err.to_end()).unwrap())
}

/// A port at which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[test]
fn both_sides_are_shown_under_their_numbers_and_the_operator_speaks_to_either_alone() {
    let (mut server, _target, mut both) = tapped(&[], 2);
    let (client, side) = &mut both[1];

    client.send("GET\n");
    assert_eq!(server.out.line_with("GET"), "3\tGET");
    side.send("200\n");
    assert_eq!(server.out.line_with("200"), "4\t200");
    server.type_line("@4 to the server");
    server.type_line("@3 to the client");
    while side.line() != "to the server" {}
    while client.line() != "to the client" {}

    let rows = server.who();
    let states: Vec<&str> = rows.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(
        states,
        [2, 1, 4, 3].map(|mate| format!("ESTABLISHED,linked:#{mate}")),
        "each stands with its mate, and none waits"
    );
    server.type_line("@last x");
    assert_eq!(server.wait_for_status("-> #4 2 bytes"), "-> #4 2 bytes");
}

#[test]
fn whom_the_operator_dials_is_tapped_by_nobody() {
    let (mut server, target, _both) = tapped(&[], 1);

    server.type_line(&format!("/dial {}", target.address()));
    let _dialled = target.answers();

    let told = server.wait_for_status("* #3 connected to ");
    assert_eq!(told, format!("* #3 connected to {}", target.address()));
    assert_eq!(server.who().len(), 3);
}

#[test]
fn a_name_and_a_unix_socket_are_tapped_too() {
    let target = Target::new();
    let server = Server::start(&["--tap", &format!("localhost:{}", target.address().port())]);
    let _both = (server.connect(), target.answers());
    server.wait_for_status(" for #1");

    let path = unix_path("tapped");
    let listener = UnixListener::bind(&path).unwrap();
    let server = Server::start(&["--tap", &format!("unix:{}", path.display())]);
    let _client = server.connect();
    assert_eq!(server.wait_for_status(" for #1"), "* #2 connected to unix for #1");
    drop(listener);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_quiet_tap_shows_who_comes_and_goes_and_no_message() {
    let (mut server, _target, mut both) = tapped(&["--quiet"], 1);
    let (client, side) = &mut both[0];

    client.send("secret\n");
    side.send("secret\n");
    server.type_line("@2 beside it");
    while side.line() != "beside it" {}
    server.type_line("/unlink 1");

    assert_eq!(server.wait_for_status("-> #1 and #2"), "-> #1 and #2 are linked no more");
    assert_eq!(server.out.so_far(), b"");
}

#[test]
fn h57_a_tap_to_its_own_address_is_refused_at_the_start_however_it_is_written() {
    let port = free_port().to_string();
    let path = unix_path("tap-of-itself").display().to_string();
    let at = |host: &str| format!("{host}:{port}");
    let unix = format!("unix:{path}");

    for (listens, target, shown) in [
        (&port, at("127.0.0.1"), at("127.0.0.1")),
        (&port, port.clone(), at("127.0.0.1")),
        (&port, at("localhost"), at("localhost")),
        (&port, at("0.0.0.0"), at("0.0.0.0")),
        (&at("0.0.0.0"), at("127.0.0.1"), at("127.0.0.1")),
        (&at("0.0.0.0"), at("127.1.2.3"), at("127.1.2.3")),
        (&at("[::1]"), at("[::1]"), at("[::1]")),
        (&at("[::]"), at("[::1]"), at("[::1]")),
        (&unix, unix.clone(), unix.clone()),
    ] {
        if listens.contains("::") && TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let told = failed_start(&["--tap", &target, listens]);

        let expected = format!("switchboard: cannot tap {shown}: that is this server itself\n");
        assert_eq!(told, (Some(1), expected), "{listens} {target}");
    }
    assert!(!std::path::Path::new(&path).exists(), "no socket is left behind");
}

#[test]
fn h57_a_dial_to_this_server_is_not_linked() {
    let mut server = Server::start(&[]);
    let (_other, _) = server.connect_numbered();
    let port = server.port();
    for (number, address) in [(2, format!("127.0.0.1:{port}")), (4, format!("localhost:{port}"))] {
        server.type_line(&format!("/dial {address}"));
        server.wait_for_status(&format!("* #{number} connected to "));
        server.wait_for_status(&format!("* #{} connected from ", number + 1));
        for whom in [number + 1, 1] {
            server.type_line(&format!("/link {number} {whom}"));
            server.wait_for_status(&format!("cannot link #{number}: it leads to this server itself"));
        }
    }

    // Whoever has come is linked to whoever else has.
    server.type_line("/link 1 3");
    assert_eq!(server.wait_for_status("-> #1 and #3"), "-> #1 and #3 are linked");
}

#[test]
fn what_excludes_a_tap_and_what_is_no_target_is_wrong_usage() {
    for (arguments, told) in [
        (&["--tap", "5001", "--chat"][..], "cannot be used with '--chat'"),
        (&["--tap", "5001", "--echo"], "cannot be used with '--echo'"),
        (&["--tap"], "a value is required"),
        (&["--tap", "nowhere"], "\"nowhere\" has no port: write nowhere:5000"),
        (&["--tap", "5001", "--tap", "5002"], "cannot be used multiple times"),
    ] {
        let (code, err) = failed_start(arguments);
        assert!(code == Some(2) && err.contains(told), "{arguments:?}: {err}");
    }
}
