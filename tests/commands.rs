//! What may be typed, through the pipes of the built program: the table that the hub's own tests drive in memory
//! (`tests/commands/table.txt`), and many requests at random.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "commands/requests.rs"]
mod requests;
#[path = "commands/table.rs"]
mod table;

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use common::{Output, Peer, Program, RaiseAtEnd, Random, Server};
use requests::{Expected, Requests, carries};
use table::{Action, Face, Outcome, Row, rows, without_moment};

/// Most of a row is waiting.
const THREADS: usize = 8;

/// A server in the scene that each row begins with.
struct Scene {
    server: Server,
    /// 1 to 5, of whom the first has gone.
    peers: Vec<Peer>,
    /// Where its replies are, and how many lines of them the scene took.
    replies: Output,
    lines_before: usize,
}

/// The replies among what was written, as whole lines; of text, all but the listening line are.
fn replies_in(bytes: &[u8], face: Face) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let is_reply = |line: &&str| match face {
        Face::Text => !line.starts_with("switchboard: "),
        Face::Json => line.starts_with("{\"ev\":\"ok\"") || line.starts_with("{\"ev\":\"error\""),
    };
    whole.filter(is_reply).map(str::to_owned).collect()
}

fn wait_for_replies(output: &Output, face: Face, count: usize) {
    let has = |bytes: &[u8]| (replies_in(bytes, face).len() >= count).then_some(());
    output.wait_for(&format!("{count} lines of replies"), has);
}

fn set(row: &Row) -> Scene {
    let format = if row.face == Face::Json { "json" } else { "human" };
    let mut server = Server::start(&[&["--format", format], &row.mode[..]].concat());
    let mut peers = Vec::new();
    for number in 1..=5 {
        let peer = server.connect();
        let from = peer.stream.local_addr().unwrap().to_string();
        let line = server.out.line_with(&from);
        assert!(
            line.contains(&format!("#{number} ")) || line.contains(&format!("\"id\":{number},")),
            "{line}"
        );
        peers.push(peer);
    }
    let says = |peers: &mut Vec<Peer>, server: &Server| {
        if !row.has("--echo") {
            server.hears(&mut peers[2], "ping");
            server.hears(&mut peers[3], "hello");
        }
    };
    let replies = if row.face == Face::Json { server.out.clone() } else { server.err.clone() };
    if row.has("--chat") {
        // What is said there reaches the others, so it is part of the scene.
        says(&mut peers, &server);
    }
    let [first, rest @ ..] = row.setup();
    server.type_line(first);
    server.out.line_with(if row.face == Face::Json { "{\"ev\":\"close\"" } else { "* #1 closed" });
    rest.iter().for_each(|line| server.type_line(line));
    let lines_before = row.setup().len();
    wait_for_replies(&replies, row.face, lines_before);
    for at in [1, 2, 3] {
        while peers[at].line() != "ready" {}
    }
    peers[4].read_to_end();
    if !row.has("--chat") {
        says(&mut peers, &server);
    }
    Scene { server, peers, replies, lines_before }
}

/// Types what the row has, ends the server, and tells what came of it.
fn drive(row: &Row) -> Outcome {
    let Scene { mut server, mut peers, replies, lines_before } = set(row);
    let mut ends = Vec::new();
    let mut lines = lines_before;
    for step in &row.steps {
        let Action::Typed(line) = &step.action else { panic!("this takes more than a pipe") };
        // Behind the end of the server nobody may be left to read.
        server.write_stdin(&[line, &b"\n"[..]].concat());
        lines += step.replies.iter().filter(|reply| *reply != "⋮").count();
        wait_for_replies(&replies, row.face, lines);
        ends.push(replies_in(&replies.so_far(), row.face).len());
    }
    if server.is_running() {
        server.signal("TERM");
    }
    // Whom it closes has to close, too, or it would be listened to for a while.
    let mut got = |peer: &mut Peer| {
        let bytes = peer.read_to_any_end().0;
        let _ = peer.stream.shutdown(std::net::Shutdown::Both);
        bytes
    };
    let wires: Vec<Vec<u8>> = peers[1..].iter_mut().map(&mut got).collect();
    server.exit_status();
    let all = replies_in(&replies.to_end(), row.face);
    if let Some(end) = ends.last_mut() {
        *end = all.len();
    }
    let mut outcome = Outcome { wires: (2..).zip(wires).collect(), ..Outcome::default() };
    let mut from = lines_before;
    for end in ends {
        outcome.steps.push((all[from..end].to_vec(), Vec::new()));
        from = end;
    }
    outcome
}

#[test]
fn through_a_pipe_whatever_is_typed_has_the_reply_and_the_bytes_that_the_table_says() {
    let rows: Vec<Row> = rows().into_iter().filter(|row| !row.takes_more_than_a_pipe()).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));

    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = row.check(&drive(row), false) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });

    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// Comes, speaks, reads or does not, and goes, again and again.
fn come_and_go(server: &Server, seed: u64, is_over: &AtomicBool) {
    let mut random = Random::seeded(seed);
    while !is_over.load(Ordering::SeqCst) {
        // It may be full, or just end.
        let Ok(stream) = std::net::TcpStream::connect(server.address) else { return };
        for _ in 0..random.below(50) {
            let _ = (&stream).write_all(b"hello\nthere");
            thread::yield_now();
        }
        if random.below(2) == 0 {
            Peer::over(stream).reset();
        }
    }
}

/// 20,000; `SWITCHBOARD_REQUESTS=100000 cargo test --release --test commands` for as many as that.
#[test]
fn through_a_pipe_each_of_many_requests_has_one_reply_under_its_reference_in_order() {
    let count: usize = std::env::var("SWITCHBOARD_REQUESTS").map_or(20_000, |count| count.parse().unwrap());
    let (reader, stdout) = io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--format", "json", "--queue-max", "1M", "0"]);
    let mut server = Server::of_program(Program::start_onto(command, stdout.into()));
    let mut stdin = BufWriter::new(server.take_stdin());
    let (tell, told) = mpsc::channel();
    let (is_over, opened) = (AtomicBool::new(false), AtomicUsize::new(0));

    thread::scope(|scope| {
        let _raise = RaiseAtEnd(&is_over);
        for seed in 0..3 {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || come_and_go(server, seed, is_over));
        }
        let opened = &opened;
        scope.spawn(move || {
            // However fast it is: others come and go from the first request on.
            common::wait_until("others to come and go", || {
                (opened.load(Ordering::SeqCst) > 10).then_some(())
            });
            let mut requests = Requests::of_seed(7);
            for _ in 0..count {
                let asked = requests.next(opened.load(Ordering::SeqCst) as u64);
                tell.send(asked.expected).unwrap();
                stdin.write_all(&asked.line).and_then(|()| stdin.write_all(b"\n")).unwrap();
            }
            tell.send(Expected::Reference("\"q\"".into())).unwrap();
            stdin.write_all(b"{\"cmd\":\"quit\",\"ref\":\"q\"}\n").and_then(|()| stdin.flush()).unwrap();
        });
        let mut replies = 0;
        for line in BufReader::new(reader).split(b'\n') {
            let line = String::from_utf8(line.unwrap()).expect("it is text");
            if line.starts_with("{\"ev\":\"ok\"") || line.starts_with("{\"ev\":\"error\"") {
                let expected = told.recv().unwrap_or_else(|_| panic!("nobody asked for {line}"));
                assert!(carries(&line, &expected), "{expected:?} was answered by {line}");
                replies += 1;
            } else if line.starts_with("{\"ev\":\"open\"") {
                opened.fetch_add(1, Ordering::SeqCst);
            }
            if replies > count {
                is_over.store(true, Ordering::SeqCst);
            }
        }
        assert_eq!(replies, count + 1, "each has its reply");
    });
    let status = server.exit_status();
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "what some did not take is told, and nothing else: {status}"
    );
    assert!(opened.into_inner() > 10, "others came and went meanwhile");
}

#[test]
fn a_line_is_compared_without_what_no_table_can_know() {
    assert_eq!(
        without_moment(r#"{"ev":"ok","seq":12,"ref":1,"ts":"2026-01-02T03:04:05.678901Z","queued":1}"#),
        r#"{"ev":"ok","ref":1,"queued":1}"#
    );
    assert_eq!(without_moment("conn   name  peer"), "conn name peer");
}
