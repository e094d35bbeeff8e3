//! Who comes in and by which door: what strangers speak, who is at the other end of a Unix socket, and how often and how
//! many of one address are let in.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

#[path = "common/desk.rs"]
mod desk;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use common::{Program, Server};
use desk::Desk;
use serde_json::json;

/// The first bytes of a ClientHello as `openssl s_client` sends them.
const HELLO: &[u8] = &[22, 3, 1, 1, 0x2e, 1, 0, 1, 0x2a, 3, 3];

#[test]
fn what_a_stranger_speaks_is_told_once_before_what_it_says() {
    for (said, message) in [
        (HELLO, "it speaks TLS"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "it speaks HTTP"),
        (&[255, 251, 24, 255, 253, 32], "it speaks telnet"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "it speaks SSH"),
    ] {
        let (mut desk, mut peers) = Desk::with_peers(&[], 1);

        peers[0].send(said);
        desk.about("msg", 1);
        peers[0].send(said);
        peers[0].send("\nover\n");
        desk.event_where("msg", |event| event["text"] == "over");

        drop(peers);
        let lines = desk.quit();
        let notes: Vec<_> = lines.iter().filter(|line| line["ev"] == "note").collect();
        assert_eq!(notes.len(), 1, "{lines:?}");
        assert_eq!((&notes[0]["id"], &notes[0]["msg"]), (&json!(1), &json!(message)));
        let at = |kind: &str| lines.iter().position(|line| line["ev"] == kind);
        assert!(at("note") < at("msg"), "{lines:?}");
    }
}

#[test]
fn a_person_is_told_that_the_port_is_plain() {
    let (server, mut peers) = Server::with_peers(&["--format", "human"], 2);
    peers[0].send(HELLO);
    peers[1].send("GET /status HTTP/1.1\r\n\r\n");

    server.out.line_with("* #1 it speaks TLS (this port is plain)");
    server.out.line_with("* #2 it speaks HTTP");
}

#[test]
fn whoever_is_dialled_and_speaks_tls_is_told_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut desk = Desk::start(&[]);
    desk.ask(json!({"cmd": "dial", "addr": address}));
    let (mut far, _) = listener.accept().unwrap();

    far.write_all(&[21, 3, 3, 0, 2, 2, 50]).unwrap();

    assert_eq!(desk.about("note", 1)["msg"], "it speaks TLS");
}

#[test]
fn where_it_is_known_what_is_spoken_nothing_is_told() {
    let target = Server::start(&["--echo"]);
    let tap = Server::start(&["--tap", &target.address.to_string(), "--format", "human"]);
    let rules = Server::start(&["--reply", "^GET ", "no\r\n", "--format", "human"]);
    for server in [&tap, &rules] {
        let mut peer = server.connect();
        peer.send("GET / HTTP/1.1\r\n\r\n");
        peer.line();
        server.out.line_with("GET / HTTP/1.1");
        let shown = String::from_utf8(server.out.so_far()).unwrap();
        assert!(!shown.contains("speaks"), "{shown}");
    }
}

/// A path in a directory of these tests at which there is nothing yet.
fn place(name: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("doors-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// A server at a Unix socket, with these arguments.
#[track_caller]
fn at_path(path: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments).arg(format!("unix:{}", path.display()));
    let program = Program::start(command);
    program.err.line_with("switchboard: listening on unix:");
    program
}

#[test]
#[cfg(target_os = "linux")]
fn who_comes_through_a_unix_socket_is_shown_with_its_process_and_its_user() {
    let path = place("credentials");
    let own = std::process::id();
    let uid = fs::metadata("/proc/self").unwrap().uid();

    let server = at_path(&path, &["--format", "human"]);
    let _peer = UnixStream::connect(&path).unwrap();
    server.out.line_with(&format!("* #1 connected from unix (pid {own}, uid {uid})"));
    drop(server);

    let mut server = at_path(&path, &["--format", "json"]);
    let _peer = UnixStream::connect(&path).unwrap();
    let open = server.out.line_with("\"ev\":\"open\"");
    server.type_line("{\"cmd\":\"who\",\"ref\":\"w\"}");
    let who = server.out.line_with("\"conns\"");
    for line in [open, who] {
        assert!(line.contains(&format!("\"peer\":\"unix\",\"pid\":{own},\"uid\":{uid}")), "{line}");
        let line = serde_json::from_str(&line).unwrap();
        assert!(desk::lines(true).is_valid(&line), "{line}");
    }
}

#[test]
fn a_unix_socket_is_never_wider_than_it_was_asked_to_be() {
    let path = place("mode");
    // More of them: SWITCHBOARD_STARTS=1000.
    let starts = std::env::var("SWITCHBOARD_STARTS").map_or(20, |starts| starts.parse().unwrap());
    let (seen, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if let Ok(found) = fs::symlink_metadata(&path) {
                    seen.fetch_or(found.mode() & 0o7777, Ordering::Relaxed);
                }
            }
        });
        for _ in 0..starts {
            let server = at_path(&path, &["--unix-mode", "0660"]);
            seen.fetch_or(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, Ordering::Relaxed);
            drop(server);
        }
        is_over.store(true, Ordering::Relaxed);
    });

    assert_eq!(seen.into_inner(), 0o660, "all modes that were seen, one upon the other");
}

/// How many were turned away for this, as a program was told so far.
fn told_of(desk: &mut Desk, why: &str, count: u64) {
    let mut sum = 0;
    while sum < count {
        let refused = desk.event("refused");
        assert_eq!(refused["why"], why, "{refused}");
        sum += refused["count"].as_u64().unwrap();
    }
    assert_eq!(sum, count);
}

#[test]
fn so_many_of_one_address_are_let_in_and_the_next_when_one_has_left() {
    let (mut desk, mut peers) = Desk::with_peers(&["--max-per-ip", "2"], 2);

    let told = desk.server.connect().read_to_end();
    told_of(&mut desk, "too many from one address", 1);
    drop(peers.pop());
    desk.event("eof");
    desk.ask(json!({"cmd": "close", "to": 2, "how": "rst"}));
    desk.about("close", 2);
    peers.push(desk.connect(3));
    let stats = desk.ask(json!({"cmd": "stats"}));

    assert_eq!(String::from_utf8_lossy(&told), "switchboard: too many from one address (2 connections)\n");
    assert_eq!(stats["refused_too_many"], 1);
    desk.quit();
}

#[test]
fn who_comes_too_fast_is_told_so_and_the_operator_gathered() {
    let mut desk = Desk::start(&["--max-rate", "3/s", "--echo"]);

    let told: Vec<_> = (0..40).map(|_| desk.server.connect()).collect();
    let mut turned_away = 0;
    for (at, mut peer) in told.into_iter().enumerate() {
        peer.finish();
        let got = String::from_utf8(peer.read_to_any_end().0).unwrap();
        if at < 3 {
            assert_eq!(got, "", "the first three are let in");
        } else if !got.is_empty() {
            assert_eq!(got, "switchboard: too fast (3 newcomers a second from one address)\n");
            turned_away += 1;
        }
    }
    assert!(turned_away >= 30, "{turned_away}");
    told_of(&mut desk, "too fast", turned_away);
    assert_eq!(desk.ask(json!({"cmd": "stats"}))["refused_too_fast"], turned_away);
}

#[test]
fn lists_of_addresses_are_read_again_and_a_broken_one_changes_nothing() {
    let path = place("allow");
    fs::write(&path, "# nobody of this machine\n10.0.0.0/8\n").unwrap();
    let mut desk = Desk::start(&["--allow", &format!("192.0.2.1,@{}", path.display())]);
    desk.server.connect().read_to_any_end();
    told_of(&mut desk, "address not allowed", 1);

    fs::write(&path, "10.0.0.0/8\n127.0.0.0/33\n").unwrap();
    desk.server.signal("USR1");
    let why = format!(
        "cannot use {}, line 2: \"127.0.0.0/33\" is not an address or CIDR such as 10.0.0.0/8: who may come in \
         stays as it was",
        path.display()
    );
    assert_eq!(desk.event("note")["msg"], why);
    desk.server.connect().read_to_any_end();
    told_of(&mut desk, "address not allowed", 1);

    fs::write(&path, "::ffff:127.0.0.0/104\n").unwrap();
    desk.server.signal("USR1");
    let mut peer = common::wait_until("the new list to hold", || {
        let mut peer = desk.server.connect();
        peer.stream.set_nonblocking(false).unwrap();
        peer.stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        peer.read_to_any_end().1.is_some_and(|kind| kind == std::io::ErrorKind::WouldBlock).then_some(peer)
    });
    peer.send("here I am\n");
    desk.event_where("msg", |event| event["text"] == "here I am");
}

#[test]
fn a_list_that_cannot_be_used_is_told_at_the_start() {
    let path = place("broken");
    for (content, why) in [
        (None, format!("switchboard: cannot read {}: No such file or directory\n", path.display())),
        (
            Some("lab-a\n"),
            format!(
                "switchboard: cannot use {}, line 1: \"lab-a\" is not an address or CIDR such as 10.0.0.0/8\n",
                path.display()
            ),
        ),
    ] {
        content.iter().for_each(|content| fs::write(&path, content).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(["--deny", &format!("@{}", path.display()), "0"]);
        let mut program = Program::start(command);

        assert_eq!(program.exit_status().code(), Some(1));
        assert_eq!(String::from_utf8(program.err.to_end()).unwrap(), why);
    }
}
