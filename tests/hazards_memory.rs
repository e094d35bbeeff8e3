//! Memory and backpressure: whoever does not read, or does not end its lines, costs a bounded amount and
//! disturbs nobody. The numbers hNN are those of the list of hazards of event-loop servers in
//! docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Peer, Program, Random, Row, Server, connect_narrow, wait_until};

const MIB: u64 = 1 << 20;

/// What a long run may add beyond what is queued: the buffers of the screen, and what the allocator keeps.
const SLACK: u64 = 12 * MIB;

/// Numbered lines of a thousand bytes or so.
fn numbered(number: usize) -> String {
    format!("{number} {}\n", "x".repeat(1000))
}

/// Reads up to the next line that somebody said; who joins and leaves is left out.
fn said(peer: &mut Peer) -> String {
    loop {
        let line = peer.line();
        if !line.starts_with("* ") {
            return line;
        }
    }
}

/// Reads `count` numbered lines of `speaker` and nothing else.
#[track_caller]
fn hears_all(peer: &mut Peer, speaker: &str, count: usize) {
    for number in 0..count {
        let line = said(peer);
        assert!(line.starts_with(&format!("<{speaker}> {number} x")), "line {number} is {:?}", &line[..40]);
    }
}

/// The bytes that a closed connection is said to have lost.
fn unsent(closed: &str) -> u64 {
    let before = closed.split(" bytes could not be sent").next().unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no number of bytes in {closed:?}"))
}

/// What `/who` says now: so many rows.
#[track_caller]
fn who(server: &mut Server, rows: usize) -> Vec<Row> {
    let found = server.who();
    assert_eq!(found.len(), rows, "{found:?}");
    found
}

#[test]
fn h15_the_queue_of_a_reader_who_never_reads_is_bounded_and_its_memory_comes_back() {
    const LINES: usize = 12_000;
    let server = Server::start(&["--chat", "--queue-max", "2M"]);
    let (mut talker, _) = server.connect_numbered();
    let (mut reader, _) = server.connect_numbered();
    let _stuck = connect_narrow(server.address);
    server.wait_for_status("* #3 connected");
    let before = server.resident_bytes();

    let mut highest = 0;
    thread::scope(|scope| {
        scope.spawn(|| (0..LINES).for_each(|number| talker.send(numbered(number))));
        for number in 0..LINES {
            assert!(said(&mut reader).starts_with(&format!("<#1> {number} x")));
            if number % 500 == 0 {
                highest = highest.max(server.resident_bytes());
            }
        }
    });
    let closed = server.wait_for_status("* #3 closed: ");

    assert!(closed.contains("queue is full"), "{closed:?}");
    assert!(
        (2 * MIB - (128 << 10)..=4 * MIB).contains(&unsent(&closed)),
        "what was queued when it was dropped: {closed:?}"
    );
    assert!(highest < before + 2 * MIB + SLACK, "from {before} bytes of memory to {highest}");
    wait_until("the memory to come back", || (server.resident_bytes() < before + SLACK).then_some(()));
}

#[test]
fn h16_an_echo_is_not_read_while_it_is_not_taken_and_nothing_is_lost() {
    const PEERS: usize = 100;
    let server = Server::start(&["--echo"]);
    let before = server.resident_bytes();
    // Bytes that come round again after a prime number, so that none can be taken for another.
    const PERIOD: usize = 65_521;
    let block = Random::seeded(16).bytes(PERIOD).repeat(2);
    let at = |from: usize| &block[from % PERIOD..][..16 << 10];
    let connect = |_| (TcpStream::connect(server.address).unwrap(), 0);
    let mut peers: Vec<(TcpStream, usize)> = (0..PEERS).map(connect).collect();

    // All send for as long as anything is taken from any of them.
    peers.iter().for_each(|(stream, _)| stream.set_nonblocking(true).unwrap());
    let mut quiet_since = Instant::now();
    let began = Instant::now();
    while quiet_since.elapsed() < Duration::from_millis(300) {
        assert!(began.elapsed() < DEADLINE, "an endless sender is never made to wait");
        for (stream, sent) in &mut peers {
            match stream.write(at(*sent)) {
                Ok(count) => {
                    *sent += count;
                    quiet_since = Instant::now();
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        thread::yield_now();
    }
    let growth = server.resident_bytes().saturating_sub(before);
    // The high water and what one read brings.
    let allowed = PEERS as u64 * (128 << 10) + SLACK;
    assert!(growth < allowed, "{growth} bytes of memory for {PEERS} senders that do not read");

    let block = &block;
    thread::scope(|scope| {
        for (stream, sent) in &mut peers {
            scope.spawn(move || {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let mut got = Vec::new();
                stream.read_to_end(&mut got).expect("the echo comes and ends");
                assert_eq!(got.len(), *sent, "as much comes back as was taken");
                assert!(got.chunks(PERIOD).all(|chunk| block.starts_with(chunk)), "the same comes back");
            });
        }
    });
}

#[test]
fn h17_of_many_who_hear_a_fast_talker_one_stalls_and_the_others_lose_nothing() {
    const HEARERS: usize = 60;
    const LINES: usize = 3000;
    let (server, mut peers) = Server::with_peers(&["--chat", "--queue-max", "1M"], HEARERS as u64 + 1);
    let _stuck = connect_narrow(server.address);
    let number = HEARERS + 2;
    server.wait_for_status(&format!("* #{number} connected"));
    let mut talker = peers.remove(0);

    thread::scope(|scope| {
        for peer in &mut peers {
            scope.spawn(|| hears_all(peer, "#1", LINES));
        }
        scope.spawn(|| (0..LINES).for_each(|number| talker.send(numbered(number))));
    });
    let closed = server.wait_for_status(&format!("* #{number} closed: "));

    assert!(closed.contains("not reading"), "the operator is told why: {closed:?}");
    talker.send("still here\n");
    peers.iter_mut().for_each(|peer| assert_eq!(said(peer), "<#1> still here"));
}

#[test]
fn h18_while_one_takes_nothing_others_are_answered() {
    const ROUNDS: usize = 400;
    let (mut server, mut peers) = Server::with_peers(&["--chat", "--queue-max", "64M"], 2);
    let _stuck = connect_narrow(server.address);
    server.wait_for_status("* #3 connected");
    let (mut asks, mut answers) = (peers.remove(0), peers.remove(0));
    assert_eq!(
        (asks.line(), asks.line(), answers.line()),
        ("* #2 joined".into(), "* #3 joined".into(), "* #3 joined".into())
    );

    // A send that waited for the stuck one would end this here; one that tried again and again would
    // end it for the processor.
    let text = "x".repeat(8 << 10);
    let mut longest = Duration::ZERO;
    for round in 0..ROUNDS {
        let asked_at = Instant::now();
        asks.send(format!("{round} {text}\n"));
        assert_eq!(answers.line(), format!("<#1> {round} {text}"));
        answers.send(format!("answer {round}\n"));
        assert_eq!(asks.line(), format!("<#2> answer {round}"));
        longest = longest.max(asked_at.elapsed());
    }
    let row = who(&mut server, 3).remove(2);
    let before = server.cpu_ticks();
    server.type_line("@2 one more");
    assert_eq!(answers.line(), "<operator> (private) one more");

    assert!(row.queued > MIB, "the third took nothing of all that: {row:?}");
    assert!(longest < Duration::from_secs(8), "somebody waited {longest:?} for somebody else's answer");
    assert!(server.cpu_ticks() < before + 50, "the stuck one costs no time");
}

#[test]
fn h19_what_is_said_to_many_who_do_not_read_is_kept_once() {
    const STUCK: usize = 1000;
    const TEXTS: usize = 8;
    let text = "y".repeat(64 << 10);
    let mut server = Server::start(&[]);
    let mut stuck: Vec<TcpStream> = (0..STUCK).map(|_| connect_narrow(server.address)).collect();
    server.err.lines_with("connected from", STUCK);

    let before = server.resident_bytes();
    for count in 1..=TEXTS {
        server.type_line(&format!("@all {text}"));
        server.err.lines_with("-> all (1000 connections) 65537 bytes", count);
    }
    let queued_in_all: u64 = who(&mut server, STUCK).iter().map(|row| row.queued).sum();
    let growth = server.resident_bytes().saturating_sub(before);

    // Copies would be as much memory as what is queued.
    assert!(queued_in_all > 100 * MIB, "only {queued_in_all} bytes wait: this shows nothing");
    assert!(growth < 16 * MIB, "{growth} bytes of memory for {queued_in_all} queued");
    for stream in stuck.iter_mut().step_by(100) {
        let mut got = vec![0; TEXTS * (text.len() + 1)];
        stream.read_exact(&mut got).expect("who was slow still gets it");
        assert!(
            got.split_inclusive(|byte| *byte == b'\n').all(|line| line == [text.as_bytes(), b"\n"].concat())
        );
    }
}

/// A server that writes its stdout into a pipe, which is in our hands.
fn with_stdout(arguments: &[&str]) -> (Server, std::io::PipeReader) {
    let (reader, stdout) = std::io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments).arg("0");
    (Server::of_program(Program::start_onto(command, Stdio::from(stdout))), reader)
}

#[test]
fn h21_a_line_without_end_is_shown_in_parts_and_costs_no_memory() {
    const BYTES: usize = 48 << 20;
    let (server, mut reader) = with_stdout(&["--format", "tsv"]);
    let mut peer = server.connect();
    let before = server.resident_bytes();

    let mut highest = before;
    thread::scope(|scope| {
        scope.spawn(|| {
            let piece = vec![b'z'; 1 << 20];
            (0..BYTES / piece.len()).for_each(|_| peer.send(&piece));
            peer.send("\nthe next\n");
        });
        let mut shown = Vec::new();
        let (mut lengths, mut longest, mut chunk) = (0, 0, vec![0; 64 << 10]);
        loop {
            let count = reader.read(&mut chunk).unwrap();
            shown.extend_from_slice(&chunk[..count]);
            highest = highest.max(server.resident_bytes());
            let mut taken = 0;
            for line in shown.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
                taken += line.len();
                let text = line.strip_prefix(b"1\t").expect("each part has its label").trim_ascii_end();
                if text == b"the next" {
                    assert_eq!(lengths, BYTES, "bytes of the endless line that were shown");
                    assert!(longest <= 64 << 10, "no part is longer than the limit: {longest}");
                    return;
                }
                let text = text.strip_suffix(b"\tmore").unwrap_or(text);
                assert!(text.iter().all(|byte| *byte == b'z'));
                lengths += text.len();
                longest = longest.max(text.len());
            }
            shown.drain(..taken);
        }
    });

    assert!(highest < before + SLACK, "from {before} bytes of memory to {highest}");
}

#[test]
fn h21_each_of_very_many_empty_lines_is_shown() {
    const LINES: usize = 1_000_000;
    let (server, mut reader) = with_stdout(&["--format", "tsv"]);
    let mut peer = server.connect();

    thread::scope(|scope| {
        scope.spawn(|| {
            peer.send(vec![b'\n'; LINES]);
            peer.send("end\n");
        });
        let expected = [b"1\t\n".repeat(LINES), b"1\tend\n".to_vec()].concat();
        let mut shown = vec![0; expected.len()];
        reader.read_exact(&mut shown).unwrap();
        assert!(shown == expected, "something else was shown");
    });
}

#[test]
fn h21_a_long_line_in_small_pieces_costs_about_what_so_many_short_lines_cost() {
    const PIECES: usize = 20_000;
    // What is copied or searched again with each piece costs the square: nearly a hundred gigabytes here.
    let ticks_for = |piece: &[u8]| {
        let (server, reader) = with_stdout(&["--format", "tsv", "--max-line", "16M"]);
        let (mut peer, _) = server.connect_numbered();
        let before = server.cpu_ticks();
        let mut shown = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..PIECES).for_each(|_| peer.send(piece));
                peer.send("\nend\n");
            });
            for line in BufReader::new(reader).split(b'\n') {
                let line = line.unwrap();
                let text = line.strip_prefix(b"1\t").expect("each line has its label");
                if text == b"end" {
                    return;
                }
                shown += text.len();
            }
        });
        let ticks = server.cpu_ticks() - before;
        assert_eq!(shown, piece.trim_ascii_end().len() * PIECES, "nothing is lost");
        ticks
    };
    let short = ticks_for(&[&[b'p'; 399][..], b"\n"].concat());
    let long = ticks_for(&[b'p'; 400]);

    assert!(long < 3 * short + 100, "{long} ticks for one line of pieces, {short} for short lines");
}

#[test]
fn h22_whoever_is_idle_has_given_its_buffers_back() {
    const IDLE: usize = 1500;
    let server = Server::start(&["--echo"]);
    let text = vec![b'w'; 64 << 10];
    let exchange = |streams: &mut Vec<TcpStream>| {
        let mut stream = connect_narrow(server.address);
        let mut mouth = stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| mouth.write_all(&text).unwrap());
            let mut got = vec![0; text.len()];
            stream.read_exact(&mut got).expect("the echo comes");
        });
        streams.push(stream);
    };
    let mut streams = Vec::new();
    // What the first ones cost is the process's own.
    (0..100).for_each(|_| exchange(&mut streams));
    let before = server.resident_bytes();
    (0..IDLE).for_each(|_| exchange(&mut streams));
    let growth = server.resident_bytes().saturating_sub(before);

    assert!(growth < IDLE as u64 * 1024, "{} bytes for each idle connection", growth / IDLE as u64);
}

#[test]
fn h22_half_a_line_that_was_shown_is_kept_no_longer() {
    const IDLE: usize = 400;
    let server = Server::start(&["--format", "tsv"]);
    let text = vec![b'w'; 48 << 10];
    let says_half = |count: usize| {
        let streams: Vec<TcpStream> = (0..count)
            .map(|_| {
                let mut stream = connect_narrow(server.address);
                stream.write_all(&text).unwrap();
                stream
            })
            .collect();
        streams
    };
    let shown = |count: usize| {
        let all = count * text.len();
        server.out.wait_for("all halves", |out| {
            (out.len() > all)
                .then(|| out.iter().filter(|byte| **byte == b'w').count())
                .filter(|shown| *shown == all)
        });
    };
    // Those who say it at the same time need room at the same time; those who come later have theirs.
    let _first = says_half(IDLE);
    shown(IDLE);
    let before = server.resident_bytes();
    let _others = says_half(IDLE);
    shown(2 * IDLE);
    let growth = server.resident_bytes().saturating_sub(before);

    // Kept, the halves would be 18 MiB.
    assert!(growth < 6 * MIB, "{growth} bytes for {IDLE} who have said half a line");
}

/// What a line left behind it is given back, however long it was: the sum of all buffers is a sum of memory.
#[test]
fn h20_peers_that_once_said_a_long_line_hold_no_more_than_what_they_have_begun_to_say() {
    const PEERS: u64 = 300;
    const LINE_BYTES: usize = 60_000;
    let arguments = ["--buffers-max", "1M", "--partial", "1h", "--format", "raw"];
    let (server, mut peers) = Server::with_peers(&arguments, PEERS);
    let before = server.resident_bytes();

    let half = [b'x'; LINE_BYTES / 2];
    for peer in &mut peers {
        // In two pieces, so that the first has to be kept.
        let read = server.out.so_far().len() + LINE_BYTES + 1;
        peer.send(half);
        peer.send(half);
        peer.send(b"\nbegun");
        server.out.wait_for("the line to be shown", |out| (out.len() >= read).then_some(()));
    }

    let held = server.resident_bytes() - before;
    assert!(held < PEERS * 20_000, "{held} bytes are held for {PEERS} beginnings of five bytes");
    let dropped = String::from_utf8_lossy(&server.err.so_far()).matches("buffers").count();
    assert_eq!(dropped, 0, "dropped although nearly nothing was queued");
}
