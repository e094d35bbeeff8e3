//! What may be typed, through the pipes of the built program: the table that the hub's own tests drive in memory
//! (`tests/commands/table.txt`), and many requests at random.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "commands/table.rs"]
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{Output, Peer, Server};
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

#[test]
fn a_line_is_compared_without_what_no_table_can_know() {
    assert_eq!(
        without_moment(r#"{"ev":"ok","seq":12,"ref":1,"ts":"2026-01-02T03:04:05.678901Z","queued":1}"#),
        r#"{"ev":"ok","ref":1,"queued":1}"#
    );
    assert_eq!(without_moment("conn   name  peer"), "conn name peer");
}
