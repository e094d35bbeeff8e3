//! The limits of slow readers, made small enough to be reached in a test. The numbers hNN are those of the
//! list of hazards of event-loop servers in docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Peer, Server, connect_narrow, wait_until};

const KIB: usize = 1 << 10;

/// Connects so many that read nothing as long as the test does not, numbered from `first`.
#[track_caller]
fn stuck(server: &Server, first: usize, count: usize) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let stream = connect_narrow(server.address);
        server.wait_for_status(&format!("* #{number} connected"));
        stream
    };
    (first..first + count).map(connect).collect()
}

/// Types a text of so many bytes for `whom`, and waits for the answer to a command behind it.
#[track_caller]
fn send(server: &mut Server, whom: &str, bytes: usize) {
    server.type_line(&format!("@{whom} {}", "x".repeat(bytes - 1)));
    who(server);
}

/// What is queued for each, as `/who` says now.
#[track_caller]
fn who(server: &mut Server) -> Vec<(usize, usize)> {
    server.who().iter().map(|row| (row.number as usize, row.queued as usize)).collect()
}

/// Who was dropped so far, in order, with why.
fn dropped(server: &Server) -> Vec<(usize, String)> {
    let err = String::from_utf8_lossy(&server.err.so_far()).into_owned();
    let closed = err.lines().filter_map(|line| line.strip_prefix("* #")?.split_once(" closed: "));
    closed.map(|(number, why)| (number.parse().unwrap(), why.to_owned())).collect()
}

/// Says hello as a peer, and is answered by name.
#[track_caller]
fn is_served(server: &mut Server, peer: &mut Peer, number: usize, text: &str) {
    server.hears(peer, text);
    server.type_line(&format!("@{number} answer to {text}"));
    assert_eq!(peer.line(), format!("answer to {text}"));
}

#[test]
fn h15_who_stays_over_the_soft_limit_is_dropped_when_its_time_is_over_and_others_are_not() {
    let mut server = Server::start(&["--queue-soft", "256K", "--queue-soft-for", "1500ms"]);
    let _over = stuck(&server, 1, 1);
    let _under = stuck(&server, 2, 1);
    let (mut reads, _) = server.connect_numbered();

    let began = Instant::now();
    send(&mut server, "1", 900 * KIB);
    send(&mut server, "2", 200 * KIB);
    let line = server.err.line_with("* #1 closed: ");
    let after = began.elapsed();

    assert!(line.contains("reading too slowly"), "{line:?}");
    assert!(after >= Duration::from_millis(1400), "dropped after {after:?} already");
    is_served(&mut server, &mut reads, 3, "hello");
    assert_eq!(dropped(&server).len(), 1, "#2 is under the limit: {:?}", dropped(&server));
}

#[test]
fn h15_who_comes_back_under_the_soft_limit_in_time_stays_and_gets_all() {
    let mut server = Server::start(&["--queue-soft", "256K", "--queue-soft-for", "3s"]);
    let mut over = stuck(&server, 1, 1).remove(0);
    let _dropped_later = stuck(&server, 2, 1);

    send(&mut server, "1,2", 900 * KIB);
    let mut got = vec![0; 900 * KIB];
    over.read_exact(&mut got).expect("it takes all before its time is over");
    // The other one's time is over later than this one's would be.
    server.err.line_with("* #2 closed: ");

    assert_eq!(who(&mut server), [(1, 0)], "who is there, and what is queued");
    send(&mut server, "1", 100);
    over.read_exact(&mut got[..100]).expect("it is still served");
}

#[test]
fn h17_who_takes_a_little_now_and_then_is_not_waited_for_for_ever() {
    const LINES: usize = 1500;
    let server =
        Server::start(&["--chat", "--queue-soft", "256K", "--queue-soft-for", "1s", "--write-stall", "1h"]);
    let (mut talker, _) = server.connect_numbered();
    let (mut hearer, _) = server.connect_numbered();
    let mut crawls = stuck(&server, 3, 1).remove(0);
    let text = "y".repeat(1000);

    thread::scope(|scope| {
        scope.spawn(|| (0..LINES).for_each(|number| talker.send(format!("{number} {text}\n"))));
        for number in 0..LINES {
            let line = loop {
                let line = hearer.line();
                if !line.starts_with("* ") {
                    break line;
                }
            };
            assert_eq!(line, format!("<#1> {number} {text}"), "nobody else loses a line");
            // A few bytes, long apart: not enough to be waited for.
            if number % 100 == 0 {
                let _ = crawls.read(&mut [0; 100]);
            }
        }
    });
    let line = server.err.line_with("* #3 closed: ");

    assert!(line.contains("reading too slowly"), "{line:?}");
}

#[test]
fn h20_when_all_buffers_together_are_full_the_largest_goes_first_and_small_ones_are_served() {
    let mut server = Server::start(&["--buffers-max", "6M", "--queue-max", "64M", "--queue-soft-for", "1h"]);
    let _stuck = stuck(&server, 1, 6);
    let (mut reads, _) = server.connect_numbered();

    // After a second of not reading nobody is waited for any more, so what follows comes at once.
    send(&mut server, "1,2,3,4,5,6", 300 * KIB);
    for (number, kib) in [(4, 400), (2, 2400), (5, 300), (1, 700)] {
        send(&mut server, &number.to_string(), kib * KIB);
    }
    let queued = who(&mut server);
    let sum: usize = queued.iter().map(|(_, bytes)| bytes).sum();
    let largest = |queued: &[(usize, usize)]| queued.iter().max_by_key(|(_, bytes)| *bytes).unwrap().0;
    assert_eq!((queued.len(), largest(&queued)), (7, 2), "what is queued: {queued:?}");
    assert!((4300 * KIB..6144 * KIB).contains(&sum), "nobody was dropped yet, at {sum} bytes in all");

    // Now it is too much, by what somebody else is sent.
    send(&mut server, "3", 6144 * KIB - sum + 100 * KIB);
    let line = server.err.line_with(" closed: ");
    assert!(line.contains("all buffers"), "the operator is told why: {line:?}");
    let rest = who(&mut server);
    let first = dropped(&server)[0].0;
    assert_eq!(first, 2, "the largest goes first: {queued:?}, {:?}", dropped(&server));
    assert!(rest.iter().map(|(_, bytes)| bytes).sum::<usize>() <= 6144 * KIB, "{rest:?}");
    assert_eq!(rest.len(), 6, "no more than necessary: {rest:?}");
    is_served(&mut server, &mut reads, 7, "hello");
}

#[test]
fn h20_many_small_queues_are_bounded_as_well_as_one_large_one() {
    const STUCK: usize = 60;
    let mut server = Server::start(&["--buffers-max", "4M", "--queue-soft-for", "1h"]);
    let _stuck = stuck(&server, 1, STUCK);
    let (mut reads, _) = server.connect_numbered();
    let before = server.resident_bytes();

    // To one after the other, since what is said to all at once is kept once.
    let everybody: Vec<String> = (1..=STUCK).map(|number| number.to_string()).collect();
    for round in 0..4 {
        send(&mut server, &everybody.join(","), 200 * KIB);
        let sum: usize = who(&mut server).iter().map(|(_, bytes)| bytes).sum();
        assert!(sum <= 4096 * KIB, "{sum} bytes queued in round {round}");
        is_served(&mut server, &mut reads, STUCK + 1, &format!("round {round}"));
    }
    let growth = server.resident_bytes().saturating_sub(before);

    assert!(growth < 20 << 20, "{growth} bytes of memory, for a bound of 4 MiB");
    let dropped = dropped(&server);
    assert!(dropped.len() > STUCK / 2, "{} of {STUCK} were dropped", dropped.len());
    assert!(dropped.iter().all(|(_, why)| why.contains("all buffers")), "{dropped:?}");
}

#[test]
fn h25_who_takes_nothing_is_dropped_however_little_is_queued_and_its_memory_comes_back() {
    let mut server = Server::start(&["--write-stall", "1s", "--queue-soft-for", "1h"]);
    let _stuck = stuck(&server, 1, 3);
    let (mut reads, _) = server.connect_numbered();

    let began = Instant::now();
    send(&mut server, "1,2,3", 300 * KIB);
    server.err.lines_with(" closed: read nothing for ", 3);
    let after = began.elapsed();

    assert!(after >= Duration::from_millis(900), "dropped after {after:?} already");
    // Who has nothing queued may be silent for as long as it likes.
    is_served(&mut server, &mut reads, 4, "hello");
    assert_eq!(who(&mut server), [(4, 0)]);
}

#[test]
fn h25_who_takes_a_little_all_the_time_is_not_exempt_from_the_soft_limit() {
    let mut server =
        Server::start(&["--write-stall", "1h", "--queue-soft", "256K", "--queue-soft-for", "1500ms"]);
    let mut crawls = stuck(&server, 1, 1).remove(0);
    crawls.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let is_over = AtomicBool::new(false);

    thread::scope(|scope| {
        scope.spawn(|| {
            // A kilobyte now and then, so that the system takes more from the server from time to time.
            let give_up_at = Instant::now() + DEADLINE;
            while !is_over.load(Ordering::Relaxed) && Instant::now() < give_up_at {
                match crawls.read(&mut [0; 1024]) {
                    Ok(0) => break,
                    Err(error) if error.kind() != ErrorKind::WouldBlock => break,
                    _ => thread::park_timeout(Duration::from_millis(50)),
                }
            }
        });
        send(&mut server, "1", 1200 * KIB);
        let line = wait_until("it to be dropped", || dropped(&server).pop());
        is_over.store(true, Ordering::Relaxed);
        assert!(line.1.contains("reading too slowly"), "{line:?}");
    });
    // What it does to a dropped one's connection is not the server's affair any more.
    let _ = crawls.write_all(b"x");
}
