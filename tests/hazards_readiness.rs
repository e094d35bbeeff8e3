//! Hazards of event-loop servers, as docs/hazards.md numbers them: what readiness means (h06 to h14).

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{Peer, RaiseAtEnd, Random, Server, has_tool, let_pass, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const READ_BUDGET: usize = 64 << 10;
const WRITE_BUDGET: usize = 256 << 10;

#[test]
fn h06_what_is_meant_for_one_who_has_left_never_reaches_the_stranger_in_its_place() {
    const THREADS: usize = 3;
    const EACH: usize = 700;
    let mut server = Server::start(&[]);
    let (address, out) = (server.address, server.out.clone());
    let mut stdin = server.take_stdin();
    let done: [AtomicBool; THREADS] = Default::default();

    thread::scope(|scope| {
        for (thread, done) in done.iter().enumerate() {
            scope.spawn(move || {
                let _done = RaiseAtEnd(done);
                let mut staying: VecDeque<(Peer, String)> = VecDeque::new();
                for number in 0..EACH {
                    let token = format!("token-{thread}-{number}");
                    let mut peer = Peer::connect(address);
                    peer.send(format!("{token}\n"));
                    match number % 3 {
                        // Its place is free before the operator has answered it.
                        0 => drop(peer),
                        1 => peer.reset(),
                        _ => staying.push_back((peer, token)),
                    }
                    if staying.len() > 6 || number + 1 == EACH {
                        let (mut peer, token) = staying.pop_front().unwrap();
                        assert_eq!(peer.line(), token);
                        // It may be answered again, but with nobody else's token.
                        while !peer.is_quiet() {
                            assert_eq!(peer.line(), token);
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut random = Random::seeded(6);
            let mut seen: Vec<String> = Vec::new();
            let mut at = 0;
            while !done.iter().all(|done| done.load(Ordering::SeqCst)) {
                let bytes = out.so_far();
                let fresh = &bytes[at..];
                let length = fresh.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                at += length;
                let mut typed = String::new();
                for line in String::from_utf8_lossy(&fresh[..length]).lines() {
                    seen.push(format!("@{}\n", line.replace('\t', " ")));
                    // An answer to whoever spoke, and a late one to somebody of the last thirty.
                    typed += seen.last().unwrap();
                    typed += &seen[seen.len() - 1 - random.below(seen.len().min(30))];
                }
                if typed.is_empty() {
                    thread::park_timeout(Duration::from_millis(1));
                }
                stdin.write_all(typed.as_bytes()).expect("the server reads its stdin");
            }
        });
    });

    let err = String::from_utf8_lossy(&server.err.so_far()).into_owned();
    let gone = err.lines().filter(|line| line.ends_with(" is gone")).count();
    assert!(gone > 100, "only {gone} answers came too late, which shows nothing");
    assert!(server.is_running());
}

/// Lets each peer send its bytes from a thread of its own; `meanwhile` runs when nobody can send more.
fn all_send(peers: &[Peer], all_bytes: &[Vec<u8>], meanwhile: impl FnOnce()) {
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (peer, bytes) in peers.iter().zip(all_bytes) {
            let (mut stream, sent) = (peer.stream.try_clone().unwrap(), &sent);
            scope.spawn(move || {
                for piece in bytes.chunks(8192) {
                    stream.write_all(piece).expect("the server reads in time");
                    sent.fetch_add(piece.len(), Ordering::SeqCst);
                }
            });
        }
        let mut before = usize::MAX;
        wait_until("the senders to come to rest", || {
            let_pass(Duration::from_millis(50));
            let now = sent.load(Ordering::SeqCst);
            (std::mem::replace(&mut before, now) == now).then_some(())
        });
        meanwhile();
    });
}

#[test]
fn h07_what_a_budget_leaves_unread_is_echoed_though_no_event_comes_any_more() {
    let server = Server::start(&["--echo"]);
    let mut sizes: Vec<usize> = [READ_BUDGET, 2 * READ_BUDGET, WRITE_BUDGET, 2 * WRITE_BUDGET]
        .iter()
        .flat_map(|budget| [budget - 1, *budget, budget + 1])
        .collect();
    let mut random = Random::seeded(7);
    sizes.extend((0..12).map(|_| 1 + random.below(600_000)));
    let all_bytes: Vec<Vec<u8>> = sizes.iter().map(|size| random.bytes(*size)).collect();

    // Once it finds all of it at a time when it wakes up, and once it has to wait for its readers.
    for is_paused in [true, false] {
        let mut peers: Vec<Peer> = sizes.iter().map(|_| server.connect()).collect();
        if is_paused {
            server.pause();
        }
        thread::scope(|scope| {
            let senders: Vec<Peer> =
                peers.iter().map(|peer| Peer::over(peer.stream.try_clone().unwrap())).collect();
            let (all_bytes, server) = (&all_bytes, &server);
            scope.spawn(move || all_send(&senders, all_bytes, || server.resume()));
            // Whoever reads too early would spare the server the wait.
            let_pass(Duration::from_millis(if is_paused { 0 } else { 300 }));
            for (peer, bytes) in peers.iter_mut().zip(all_bytes) {
                let got = peer.exactly(bytes.len());
                assert!(got == *bytes, "other bytes came back of {}", bytes.len());
            }
        });
    }
}

#[test]
fn h07_what_lies_behind_an_urgent_byte_is_shown_wherever_that_stands() {
    let server = Server::start(&["--format", "raw"]);
    let bulk = "bulk ".repeat(12_000) + "\n";

    for (before, behind) in
        [("", "little\n"), ("little\n", ""), ("a\n", "b\n"), (&bulk, "c\n"), ("d\n", &bulk)]
    {
        let shown_before = server.out.so_far().len();
        let mut peer = server.connect();
        server.pause();
        peer.send(before);
        assert_eq!(socket2::SockRef::from(&peer.stream).send_out_of_band(b"!").unwrap(), 1);
        peer.send(behind);
        server.resume();

        let expected = [before, behind].concat();
        let shown = server.out.wait_for("all but the urgent byte", |out| {
            (out.len() >= shown_before + expected.len()).then(|| out[shown_before..].to_vec())
        });
        assert!(shown == expected.as_bytes(), "{} bytes, something else", shown.len());
    }
}

#[test]
fn h08_who_floods_takes_turns_with_those_who_say_little() {
    const FLOODERS: usize = 5;
    let server = Server::start(&["--format", "tsv"]);
    let flooders: Vec<Peer> = (0..FLOODERS).map(|_| server.connect_numbered().0).collect();
    let (mut quiet, number) = server.connect_numbered();
    let is_over = AtomicBool::new(false);

    server.pause();
    thread::scope(|scope| {
        for flooder in &flooders {
            let (mut stream, is_over) = (flooder.stream.try_clone().unwrap(), &is_over);
            scope.spawn(move || {
                let lines = "flood flood flood flood\n".repeat(1000);
                while !is_over.load(Ordering::SeqCst) && stream.write_all(lines.as_bytes()).is_ok() {}
            });
        }
        // Those who flood have begun long before the quiet one says its word.
        let_pass(Duration::from_millis(100));
        quiet.send("a quiet word\n");
        let flood_ends = RaiseAtEnd(&is_over);
        server.resume();
        let said = format!("{number}\ta quiet word\n");
        let at = server.out.wait_for("the quiet word", |out| {
            out.windows(said.len()).position(|window| window == said.as_bytes())
        });
        let out = server.out.wait_for("some more of the flood", |out| {
            (out.len() > at + FLOODERS * 4 * READ_BUDGET).then(|| out.to_vec())
        });
        drop(flood_ends);

        assert!(at < 2 * FLOODERS * READ_BUDGET * 5 / 4, "only after {at} bytes of flood");
        for flooder in 1..=FLOODERS {
            let label = format!("{flooder}\tflood");
            let is_label = |line: &[u8]| line.starts_with(label.as_bytes());
            let lines = out.split(|byte| *byte == b'\n').filter(|line| is_label(line)).count();
            assert!(lines > 1000, "#{flooder} came through with {lines} lines only");
        }
    });
}

#[test]
fn h09_a_large_text_to_many_of_whom_some_never_read_keeps_nobody_waiting() {
    const TEXT: usize = 1 << 20;
    let (mut server, mut peers) = Server::with_peers(&[], 61);
    let mut talker = peers.pop().unwrap();
    let never_read = peers.split_off(30);
    let text = [b"@all ".to_vec(), vec![b'x'; TEXT - 1], b"\n".to_vec()].concat();

    server.write_stdin(&text);
    thread::scope(|scope| {
        let rest_of_talker = talker.stream.try_clone().unwrap();
        scope.spawn(move || Peer::over(rest_of_talker).exactly(TEXT));
        for peer in &mut peers {
            scope.spawn(move || {
                let got = peer.exactly(TEXT);
                assert!(got.iter().rev().skip(1).all(|byte| *byte == b'x') && got.ends_with(b"\n"));
            });
        }
        for number in 0..50 {
            server.hears(&mut talker, &format!("ping {number}."));
        }
    });

    // Those who do not read are still there, with theirs queued, and the others are still served.
    let stuck = server.who().iter().filter(|row| row.state.contains("not-reading")).count();
    assert_eq!(stuck, never_read.len());
    server.type_line("@1 after it");
    assert_eq!(peers[0].line(), "after it");
}

#[test]
fn h10_a_peer_that_has_finished_gets_all_that_is_queued_and_costs_nothing_while_it_does_not_read() {
    const TEXT: usize = 1 << 20;
    let mut server = Server::start(&[]);
    let (mut peer, _) = server.connect_numbered();

    peer.send("the last word");
    peer.finish();
    server.out.line_with("1\tthe last word");
    for _ in 0..4 {
        server.write_stdin(&[b"@1 ".to_vec(), vec![b'y'; TEXT - 1], b"\n".to_vec()].concat());
    }
    server.type_line("/eof 1");
    server.err.line_with("finishes after what is queued");
    let (turns, ticks) = (server.stat("turns"), server.cpu_ticks());
    let_pass(Duration::from_millis(500));
    let (turns, ticks) = (server.stat("turns") - turns, server.cpu_ticks() - ticks);
    let got = peer.read_to_end();

    assert!(turns < 50 && ticks < 15, "{turns} turns and {ticks} ticks while it did not read");
    assert_eq!(got.len(), 4 * TEXT);
    assert!(got.iter().all(|byte| b"y\n".contains(byte)));
    server.wait_for_status("* #1 closed");
}

/// A peer that says this, without a line ending, and resets the connection.
fn says_and_resets(mut peer: Peer, bytes: &[u8]) {
    peer.send(bytes);
    peer.reset();
}

#[test]
fn h11_what_was_said_before_a_reset_is_shown_as_a_blocking_reader_would_have_got_it() {
    const ROUNDS: usize = 120;
    let sizes = [1, 100, 4096, 40_000];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reference_address = listener.local_addr().unwrap();
    let reference = thread::spawn(move || {
        let mut got = 0;
        for _ in 0..ROUNDS * sizes.len() {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                got += count;
            }
        }
        got
    });
    // By lines, so that the unfinished one that the reset cuts off has to be shown, too.
    let server = Server::start(&["--format", "tsv"]);

    for size in sizes {
        for _ in 0..ROUNDS {
            says_and_resets(Peer::connect(reference_address), &vec![b'r'; size]);
            says_and_resets(server.connect(), &vec![b'r'; size]);
        }
    }
    let got_by_reference = reference.join().unwrap();
    server.err.lines_with(" closed", ROUNDS * sizes.len());

    assert!(got_by_reference > ROUNDS * 40_000 / 2, "the system keeps nothing: {got_by_reference} bytes");
    let shown = server.out.wait_for("what was said before the resets", |out| {
        let shown = out.iter().filter(|byte| **byte == b'r').count();
        (shown >= got_by_reference).then_some(shown)
    });
    assert!(shown <= ROUNDS * sizes.iter().sum::<usize>(), "more was shown than was said");
}

/// A line each way, so many times, in order and with nothing lost.
fn talks_both_ways(server: &mut Server, peer: &mut Peer, count: usize) {
    for number in 0..count {
        peer.send(format!("up {number}\n"));
        server.type_line(&format!("@1 down {number}"));
        assert_eq!(peer.line(), format!("down {number}"));
    }
    let shown = server.out.lines_with("1\tup ", count);
    for (number, line) in shown.iter().enumerate() {
        assert_eq!(*line, format!("1\tup {number}"));
    }
}

#[test]
fn h12_signals_in_great_number_end_nothing_and_lose_nothing() {
    let mut server = Server::start(&[]);
    let (mut peer, _) = server.connect_numbered();
    let pid = Pid::from_raw(server.pid() as i32).unwrap();
    let (is_over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));

    thread::scope(|scope| {
        scope.spawn(|| {
            // A stop and a continuation interrupt the poller even where no signal is handled.
            let signals = [Signal::WINCH, Signal::STOP, Signal::CONT, Signal::URG, Signal::CHILD];
            for signal in signals.iter().cycle() {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                kill_process(pid, *signal).expect("it runs");
                sent.fetch_add(1, Ordering::SeqCst);
                thread::park_timeout(Duration::from_micros(200));
            }
            kill_process(pid, Signal::CONT).expect("it runs");
        });
        let _signals_end = RaiseAtEnd(&is_over);
        talks_both_ways(&mut server, &mut peer, 400);
        wait_until("some hundreds of signals", || (sent.load(Ordering::SeqCst) > 500).then_some(()));
    });

    server.hears(&mut peer, "still here");
    assert!(server.is_running());
}

#[test]
fn h12_an_interrupted_poll_is_no_error_and_no_event() {
    if !has_tool("strace") {
        return;
    }
    let mut server = Server::start(&[]);
    let (mut peer, _) = server.connect_numbered();
    // Which of the two calls there is depends on the processor.
    let calls = "?epoll_wait,?epoll_pwait";
    let strace = server.traced(&[&format!("trace={calls}"), &format!("inject={calls}:error=EINTR:when=1+3")]);

    talks_both_ways(&mut server, &mut peer, 100);

    let injected = strace.err.lines_with("(INJECTED)", 50);
    assert!(injected[0].contains("EINTR"), "{injected:?}");
    assert!(server.is_running());
}

#[test]
fn h13_a_flood_of_lines_from_several_writers_arrives_whole_and_in_each_ones_order() {
    const WRITERS: usize = 4;
    const LINES: usize = 4000;
    let mut server = Server::start(&[]);
    let (mut peer, _) = server.connect_numbered();
    let stdin = Mutex::new(server.take_stdin());

    let mut next = [0; WRITERS];
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let stdin = &stdin;
            scope.spawn(move || {
                for number in 0..LINES {
                    // One write a line, so that as many as possible ring for the loop.
                    let line = format!("@1 {writer} {number}\n");
                    stdin.lock().unwrap().write_all(line.as_bytes()).expect("it reads its stdin");
                }
            });
        }
        for _ in 0..WRITERS * LINES {
            let line = peer.line();
            let (writer, number) = line.split_once(' ').unwrap();
            let expected: &mut usize = &mut next[writer.parse::<usize>().unwrap()];
            assert_eq!(number, expected.to_string(), "of writer {writer}");
            *expected += 1;
        }
    });

    assert_eq!(next, [LINES; WRITERS]);
    stdin.lock().unwrap().write_all(b"@1 the end\n").unwrap();
    assert_eq!(peer.line(), "the end", "nothing came twice");
    let err = server.err.wait_for("the last answer", |err| {
        err.ends_with(b"-> #1 8 bytes\n").then(|| String::from_utf8_lossy(err).into_owned())
    });
    assert_eq!(err.matches("-> #1 ").count(), WRITERS * LINES + 1, "each line is answered once");
}

#[test]
fn h14_many_connections_of_which_none_says_anything_cost_nothing() {
    let servers = [Server::start(&[]), Server::start(&["--chat"]), Server::start(&["--echo"])];
    let mut peers: Vec<Peer> = servers.iter().flat_map(|server| (0..200).map(|_| server.connect())).collect();
    // All kinds: half a line said, our side finished, and one that was read from before.
    peers.iter_mut().step_by(10).for_each(|peer| peer.send("half a line"));
    peers.iter().step_by(25).for_each(Peer::finish);
    let of_all = |count: fn(&Server) -> u64| servers.each_ref().map(count);

    let switches = |server: &Server| server.switches();
    let ticks = |server: &Server| server.cpu_ticks();
    let mut before = of_all(switches);
    wait_until("the servers to be idle", || {
        let_pass(Duration::from_millis(400));
        let now = of_all(switches);
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    let ticks_before = of_all(ticks);
    let_pass(Duration::from_secs(1));

    assert_eq!(of_all(switches), before, "threads woke up in an idle second");
    assert_eq!(of_all(ticks), ticks_before, "processor time, in ticks");
    // They are idle, not dead.
    for (server, peers) in servers.iter().zip(peers.chunks_mut(200)) {
        let peer = &mut peers.last_mut().unwrap().stream;
        peer.write_all(b"awake\n").unwrap();
        let mut got = [0; 6];
        peer.set_nonblocking(true).unwrap();
        wait_until("an echo or a line shown", || {
            let shown = server.out.so_far().windows(6).any(|window| window == b"awake\n");
            let echoed = match peer.read(&mut got) {
                Ok(count) => count == 6,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    false
                }
            };
            (shown || echoed).then_some(())
        });
    }
}
