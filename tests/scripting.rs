//! The examples that are no Rust: a program in Python over JSON, a script over tsv. They find the built server in PATH.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{Random, Server, has_tool};

const CONNECTIONS: usize = 500;
const ROUND_TRIPS: usize = 100;
const THREADS: usize = 10;

/// A server under an example that is run by this tool.
#[track_caller]
fn example(tool: &str, name: &str) -> Option<Server> {
    if !has_tool(tool) {
        return None;
    }
    let built = Path::new(env!("CARGO_BIN_EXE_switchboard")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths([built.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new(tool);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)).arg("127.0.0.1:0");
    command.env("PATH", path);
    Some(Server::of(command))
}

/// Ends the server under it, and waits for the example.
#[track_caller]
fn ends_well(mut server: Server) {
    let children = format!("/proc/{0}/task/{0}/children", server.pid());
    let children = std::fs::read_to_string(children).expect("it runs");
    let child = children.split_whitespace().next().expect("the server is its child").to_owned();
    assert!(Command::new("kill").args(["-TERM", &child]).status().unwrap().success());
    assert_eq!(server.exit_status().code(), Some(0), "{}", String::from_utf8_lossy(&server.err.so_far()));
}

/// Talks over so many connections, all of them at a time; returns how long each round trip took.
fn talk(server: &Server, seed: u64, connections: usize) -> Vec<Duration> {
    let mut random = Random::seeded(seed);
    let mut peers: Vec<_> = (0..connections).map(|_| (server.connect(), String::new())).collect();
    let mut times = Vec::new();
    for round in 0..ROUND_TRIPS {
        let mut said = Vec::new();
        for (at, (peer, value)) in peers.iter_mut().enumerate() {
            // What is set in one round is asked for in the next. Nobody else has this key or this value.
            let key = format!("key-{seed}-{at}-{}", round / 2);
            let (line, answer) = if round % 2 == 0 {
                *value = format!("{key}'s \t\"\\ é {}", "x".repeat(random.below(80)));
                (format!("SET {key} {value}\n"), format!("OK {key}"))
            } else {
                (format!("GET {key}\n"), value.clone())
            };
            said.push((Instant::now(), answer));
            peer.send(line);
        }
        for ((peer, _), (since, answer)) in peers.iter_mut().zip(said) {
            assert_eq!(peer.line(), answer);
            times.push(since.elapsed());
        }
    }
    assert!(peers.iter_mut().all(|(peer, _)| peer.is_quiet()), "an answer too many");
    times
}

#[test]
fn a_program_in_python_serves_hundreds_and_each_gets_its_own_answers() {
    let Some(server) = example("python3", "serve.py") else { return };

    let mut times: Vec<Duration> = thread::scope(|scope| {
        let talk = |seed| {
            scope.spawn({
                let server = &server;
                move || talk(server, seed, CONNECTIONS / THREADS)
            })
        };
        let threads: Vec<_> = (0..THREADS as u64).map(talk).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });

    assert_eq!(times.len(), CONNECTIONS * ROUND_TRIPS);
    times.sort_unstable();
    let (half, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let _ = writeln!(
        io::stderr(),
        "{CONNECTIONS} connections: p50 {half:?}, p99 {p99:?}, max {:?}",
        times.last()
    );
    ends_well(server);
}

#[test]
fn who_does_not_read_gets_all_from_the_program_in_python_when_it_does() {
    let Some(server) = example("python3", "serve.py") else { return };
    let (mut slow, mut quick) = (server.connect(), server.connect());
    let value = "x".repeat(60_000);
    slow.send(format!("SET k {value}\n"));
    assert_eq!(slow.line(), "OK k");

    // 24 MB, of which the server would queue a third.
    slow.send("GET k\n".repeat(400));
    quick.send("GET other\n");
    assert_eq!(quick.line(), "NONE", "nobody else waits");
    for _ in 0..400 {
        assert_eq!(slow.line().len(), value.len());
    }

    assert!(slow.is_quiet());
    ends_well(server);
}

#[test]
fn a_script_answers_each_peer_exactly_and_takes_no_orders_from_any() {
    let Some(server) = example("bash", "serve.sh") else { return };
    let mut peers: Vec<_> = (0..20).map(|_| server.connect()).collect();

    for (at, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("I am {at}\n@all \\x41\t$(exit) `id` 'é\" *\nexit\n/quit\n\n"));
    }
    for (at, peer) in peers.iter_mut().enumerate() {
        let lines = [
            format!("I am {at}"),
            "@all \\x41\t$(exit) `id` 'é\" *".into(),
            "exit".into(),
            "/quit".into(),
            String::new(),
        ];
        for line in lines {
            assert_eq!(peer.line(), format!("you said {line}"));
        }
    }
    peers[0].send(b"\xff\x00\x1b\r\r\n");
    assert_eq!(peers[0].exactly(15), b"you said \xff\x00\x1b\r\r\n", "tsv keeps each CR");
    peers[1].send("time\n");
    assert_eq!(peers[1].line().len(), "12:00:00".len());
    peers[2].send("bye\n");
    assert_eq!(peers[2].read_to_end(), b"good bye\n");

    drop(peers);
    ends_well(server);
}
