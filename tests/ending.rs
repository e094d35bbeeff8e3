//! The end: whatever was promised to a peer is sent first, within bounds.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Peer, Program, Server, let_pass, wait_until};

/// So much is on its way to a peer that has not read anything yet: more than the kernel takes.
const QUEUED: usize = 6 << 20;

/// How the end is asked for.
const WAYS: [&str; 3] = ["exit", "INT", "TERM"];

fn ask_to_end(server: &mut Server, how: &str) {
    match how {
        "exit" => server.type_line("exit"),
        signal => server.signal(signal),
    }
}

/// Queues `bytes` for a peer that does not read; returns what it will get.
fn queue_for(server: &mut Server, number: u64, bytes: usize) -> Vec<u8> {
    let mut expected = Vec::new();
    for byte in b'a'.. {
        let length = (bytes - expected.len()).min(1 << 20);
        if length == 0 {
            break;
        }
        let text = [vec![byte; length - 1], vec![b'\n']].concat();
        server.write_stdin(&[format!("@{number} ").into_bytes(), text.clone()].concat());
        expected.extend(text);
    }
    // The last of them was taken, too.
    server.type_line("/help stats");
    server.err.line_with("/stats");
    expected
}

#[track_caller]
fn has_got(peer: &mut Peer, expected: &[u8], how: &str) {
    let got = peer.read_to_end();
    assert_eq!(got.len(), expected.len(), "bytes received when the server was ended by {how}");
    assert!(got == expected, "other bytes came when the server was ended by {how}");
}

#[test]
fn with_nobody_there_it_ends_at_once_with_status_0() {
    for how in WAYS {
        let mut server = Server::start(&["--drain", "1h"]);

        ask_to_end(&mut server, how);

        assert_eq!(server.exit_status().code(), Some(0), "ended by {how}");
    }
}

#[test]
fn whatever_is_queued_is_sent_first_even_to_one_who_reads_late() {
    for (how, bytes) in WAYS.iter().flat_map(|how| [(*how, 600_000), (*how, QUEUED)]) {
        let mut server = Server::start(&[]);
        let (mut late, _) = server.connect_numbered();
        let (mut other, _) = server.connect_numbered();

        let expected = queue_for(&mut server, 1, bytes);
        server.type_line("@2 hello");
        server.err.line_with("-> #2 ");
        ask_to_end(&mut server, how);
        server.wait_for_status("* stopping");
        has_got(&mut other, b"hello\n", how);
        has_got(&mut late, &expected, how);
        drop((late, other));

        assert_eq!(server.exit_status().code(), Some(0), "ended by {how}");
        let err = String::from_utf8_lossy(&server.err.to_end()).into_owned();
        assert!(!err.contains("could not be sent"), "{err}");
    }
}

#[test]
fn a_peer_that_goes_on_talking_gets_all_that_was_queued_for_it_too() {
    for how in WAYS {
        let mut server = Server::start(&[]);
        let (mut talker, _) = server.connect_numbered();

        let expected = queue_for(&mut server, 1, QUEUED);
        let mut mouth = talker.stream.try_clone().unwrap();
        thread::scope(|scope| {
            // Were the connection closed over unread input, it would be reset, and the end be lost.
            scope.spawn(move || while mouth.write_all(&[b'x'; 1000]).is_ok() {});
            server.out.wait_for("the first words", |out| (!out.is_empty()).then_some(()));
            ask_to_end(&mut server, how);
            server.wait_for_status("* stopping");
            has_got(&mut talker, &expected, how);
            talker.finish();
        });

        assert_eq!(server.exit_status().code(), Some(0), "ended by {how}");
    }
}

#[test]
fn input_that_the_server_could_not_take_does_not_cost_the_peer_its_answer() {
    let (unread_pipe, stdout) = io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--format", "raw", "--drain", "10s", "0"]);
    let mut server = Server::of_program(Program::start_onto(command, Stdio::from(stdout)));
    let (mut peer, _) = server.connect_numbered();

    // Nobody reads the server's stdout, so in the end it reads nobody.
    peer.stream.set_nonblocking(true).unwrap();
    let mut received_before = String::new();
    wait_until("the server to stop reading", || {
        while peer.stream.write(&[b'x'; 4096]).is_ok() {}
        server.type_line("/who");
        let err = String::from_utf8_lossy(&server.err.so_far()).into_owned();
        let row = err.lines().rfind(|line| line.starts_with("#1 ")).unwrap_or_default().to_owned();
        let same = !row.is_empty() && row == received_before;
        received_before = row;
        same.then_some(())
    });
    peer.stream.set_nonblocking(false).unwrap();
    server.type_line("@1 the answer");
    server.err.line_with("-> #1 ");
    server.signal("TERM");
    let got = peer.read_to_end();

    assert_eq!(String::from_utf8_lossy(&got), "the answer\n");
    drop(unread_pipe);
}

#[test]
fn the_drain_limit_bounds_the_end_and_what_was_not_sent_is_reported() {
    for how in WAYS {
        let mut server = Server::start(&["--drain", "200ms"]);
        let (_stuck, _) = server.connect_numbered();

        queue_for(&mut server, 1, QUEUED);
        ask_to_end(&mut server, how);
        let status = server.exit_status();
        let err = String::from_utf8_lossy(&server.err.to_end()).into_owned();

        let report =
            err.lines().find(|line| line.starts_with("switchboard: ") && line.contains("could not be sent"));
        let report = report.unwrap_or_else(|| panic!("no report when ended by {how}:\n{err}"));
        let unsent: usize = report.split(' ').nth(1).unwrap().parse().expect("a number of bytes");
        assert!((1..=QUEUED).contains(&unsent), "{report:?}");
        assert_eq!(status.code(), Some(1), "bytes were lost, ended by {how}");
    }
}

/// A server that listens on a Unix socket, too; with the path of that.
fn also_on_a_unix_socket(name: &str, arguments: &[&str]) -> (Server, PathBuf) {
    let path = std::env::temp_dir().join(format!("switchboard-ending-{}-{name}", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments).arg("0").arg(format!("unix:{}", path.display()));
    let server = Server::of(command);
    assert!(path.exists(), "the socket's file is there");
    (server, path)
}

#[test]
fn what_a_drain_at_the_end_of_stdin_could_not_send_is_reported_with_status_1() {
    let mut server = Server::start(&["--on-stdin-eof", "drain"]);
    let (stuck, _) = server.connect_numbered();

    queue_for(&mut server, 1, QUEUED);
    server.close_stdin();
    wait_until("newcomers to be refused", || TcpStream::connect(server.address).err());
    stuck.reset();
    let status = server.exit_status();
    let err = String::from_utf8_lossy(&server.err.to_end()).into_owned();

    assert_eq!(status.code(), Some(1), "{err}");
    let last = err.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("switchboard: ") && last.ends_with(" bytes could not be sent, to 1 connection"),
        "{err}"
    );
}

#[test]
fn a_second_signal_half_a_second_after_the_first_ends_at_once() {
    for (first, second) in [("INT", "INT"), ("TERM", "HUP"), ("HUP", "TERM")] {
        let (mut server, path) = also_on_a_unix_socket(&format!("second-{first}"), &["--drain", "1h"]);
        let (_stuck, _) = server.connect_numbered();

        queue_for(&mut server, 1, QUEUED);
        server.signal(first);
        server.wait_for_status("* stopping");
        let_pass(Duration::from_millis(600));
        assert!(server.is_running(), "it waits for the peer that does not read");
        server.signal(second);
        let status = server.exit_status();

        assert_eq!(status.code(), Some(1), "after SIG{first} and SIG{second}: {status}");
        assert!(!path.exists(), "the socket's file was left behind");
    }
}

#[test]
fn signals_that_come_together_are_one_and_cost_nobody_anything() {
    // `timeout` tells its child and its group; of a terminal that goes, the shell tells its jobs, and then the
    // system does; and a supervisor may be in a hurry.
    for signals in [&["TERM", "TERM", "TERM"][..], &["TERM", "INT"], &["HUP", "HUP", "TERM"]] {
        let (mut server, path) = also_on_a_unix_socket("together", &[]);
        let (mut peer, _) = server.connect_numbered();
        let expected = queue_for(&mut server, 1, QUEUED);

        server.signals_at_once(signals);
        has_got(&mut peer, &expected, &format!("{signals:?}"));
        drop(peer);

        assert_eq!(server.exit_status().code(), Some(0), "after {signals:?}");
        assert!(!path.exists(), "the socket's file was left behind after {signals:?}");
    }
}

#[test]
fn a_client_that_is_told_twice_to_end_still_sends_what_was_typed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Program::client(&[&listener.local_addr().unwrap().port().to_string()]);
    let mut server = Peer::over(listener.accept().unwrap().0);
    let text = vec![b'x'; 3 << 20];
    let mut stdin = client.take_stdin();
    let writer = thread::spawn({
        let text = text.clone();
        move || (stdin.write_all(&text), stdin)
    });

    // It has begun to send, and what it sends is more than the system takes.
    let begun = server.exactly(1);
    client.signals_at_once(&["TERM", "TERM", "INT"]);
    let got = [begun, server.read_to_end()].concat();
    drop(server);

    assert!(text.starts_with(&got), "{} bytes that nobody typed", got.len());
    let status = client.exit_status();
    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&client.err.to_end()));
    drop(writer.join());
}

#[test]
fn while_it_ends_nobody_new_is_taken() {
    let mut server = Server::start(&["--drain", "1h"]);
    let (mut slow, _) = server.connect_numbered();

    let expected = queue_for(&mut server, 1, QUEUED);
    server.type_line("exit");
    server.wait_for_status("* stopping");
    let refused = wait_until("newcomers to be refused", || match TcpStream::connect(server.address) {
        Ok(mut early) => early.read(&mut [0]).err().map(|error| error.kind()),
        Err(error) => Some(error.kind()),
    });

    assert!(
        [io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionReset].contains(&refused),
        "{refused:?}"
    );
    has_got(&mut slow, &expected, "exit");
}

#[test]
fn a_line_that_was_begun_is_shown_however_the_connection_is_ended() {
    for end in ["exit", "/kick 1 enough", "/rst 1", "TERM", "HUP"] {
        let (mut server, mut peers) = Server::with_peers(&["--partial", "1h"], 1);
        peers[0].send("a line\nand the beginning of");
        server.out.line_with("1\ta line");

        match end {
            "TERM" | "HUP" => server.signal(end),
            command => server.type_line(command),
        }

        server.out.line_with("1\tand the beginning of");
        drop(peers);
        server.wait_for_status("* #1 closed: ");
    }
}

#[test]
fn what_comes_when_the_end_has_begun_is_shown_or_told_byte_for_byte() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);
    server.pause();
    peers[0].send("sixteen bytes..\n".repeat(1000));
    server.signal("TERM");
    server.resume();
    peers[0].finish();

    assert_eq!(server.exit_status().code(), Some(0));
    let shown = server.out.to_end().len() / "1\tsixteen bytes..\n".len() * 16;
    let err = String::from_utf8(server.err.to_end()).unwrap();
    let told = err.lines().find_map(|line| {
        let told = line.strip_prefix("switchboard: ")?;
        told.strip_suffix(" bytes came too late and were thrown away, from 1 connection")?
            .parse::<usize>()
            .ok()
    });
    assert_eq!(shown + told.unwrap_or(0), 16_000, "{err}");
}

#[test]
fn what_stops_a_job_in_the_background_does_not_stop_it() {
    let (server, mut peers) = Server::with_peers(&[], 1);

    // They come to a whole job when one of its processes reads or writes the terminal.
    server.signals_at_once(&["TTIN", "TTOU"]);

    peers[0].send("hello\n");
    server.out.line_with("hello");
}
