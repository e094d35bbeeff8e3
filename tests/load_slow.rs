//! The load tester against servers that are slow, stall or do not keep up: time is charged as it passes.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::DEADLINE;
use tester::{Client, load, load_for_people, serve, wait_up_to};

#[test]
fn a_delay_of_five_milliseconds_is_measured_as_such() {
    let port = serve(|client, _| {
        client.answer(|line, _| {
            wait_up_to(Instant::now() + Duration::from_millis(5));
            line
        });
    });

    let run = load(&port, "-r 200 -c 10 -d 1s");

    let p50 = run.number("latency_ms/p50");
    assert!((5.0..50.0).contains(&p50), "{run:?}");
    assert_eq!((run.troubles(), run.status), (Vec::new(), Some(0)), "{run:?}");
}

#[test]
fn a_stall_is_charged_to_all_that_should_have_left_during_it() {
    let first = OnceLock::new();
    let port = serve(move |client, _| {
        client.answer(|line, _| {
            let first = *first.get_or_init(Instant::now);
            let (begins, ends) = (first + Duration::from_millis(700), first + Duration::from_millis(1300));
            if Instant::now() >= begins {
                wait_up_to(ends);
            }
            line
        });
    });

    let run = load(&port, "-r 500 -c 4 -d 2s --warmup 0s");

    assert!(run.number("latency_ms/p99") >= 300.0, "{run:?}");
    assert!(run.number("latency_ms/p50") < 300.0, "it stalled for less than half of the time: {run:?}");
    assert!(run.number("service_ms/p99") > 0.0, "{run:?}");
    assert_eq!((run.troubles(), run.status), (Vec::new(), Some(0)), "{run:?}");
}

#[test]
fn a_rate_far_beyond_what_the_server_can_do_is_called_saturated() {
    let port = serve(|client, _| {
        client.answer(|line, _| {
            wait_up_to(Instant::now() + Duration::from_millis(10));
            line
        });
    });
    let arguments = "-r 5000 -c 2 -d 500ms --warmup 0s --timeout 500ms";

    let for_programs = load(&port, arguments);
    let for_people = load_for_people(&port, &arguments.split(' ').collect::<Vec<_>>());

    assert_eq!(for_programs.result()["metrics"]["saturated"], true, "{for_programs:?}");
    assert!(for_programs.number("achieved_rate") < 1000.0, "{for_programs:?}");
    assert!(for_programs.number("unanswered") > 0.0, "{for_programs:?}");
    assert!(for_people.out.contains("saturated"), "{for_people:?}");
}

#[test]
fn a_sink_that_does_not_read_saturates_an_open_loop_of_sending() {
    let (keep, kept) = mpsc::channel();
    let port = serve(move |client, _| keep.send(client.stream).unwrap());

    let run = load(&port, "--pattern send -r 2000 -c 1 -s 10K -d 1s --warmup 0s");

    assert!(kept.recv_timeout(DEADLINE).is_ok(), "the sink had a connection");
    assert_eq!(run.result()["metrics"]["saturated"], true, "20 MB do not fit into any socket: {run:?}");
}

#[test]
fn a_steady_delay_is_no_saturation_however_short_the_run() {
    let port = serve(|mut client, _| {
        // Replies go back in order, each 100 ms after its message.
        let (tell, told) = mpsc::channel::<(Instant, Vec<u8>)>();
        let mut back = Client::new(client.stream.try_clone().unwrap());
        thread::spawn(move || {
            for (due, line) in told {
                wait_up_to(due);
                back.send(&line);
            }
        });
        while let Some(line) = client.line() {
            tell.send((Instant::now() + Duration::from_millis(100), line)).unwrap();
        }
    });

    for arguments in ["-r 500 -c 10 -d 2s", "-r 500 -c 10 -d 1s --warmup 0s", "-r 500 -c 10 -n 250"] {
        let run = load(&port, arguments);

        assert_eq!(run.result()["metrics"]["saturated"], false, "{arguments}: {run:?}");
        assert_eq!((run.troubles(), run.status), (Vec::new(), Some(0)), "{arguments}: {run:?}");
    }
}

/// When a server that stalls at its first message goes on: after the warm-up of the run below.
fn stall_of_a_second() -> impl Fn() + Send + Sync + 'static {
    let first = OnceLock::new();
    move || wait_up_to(*first.get_or_init(Instant::now) + Duration::from_secs(1))
}

const THROUGH_THE_STALL: &str = "-c 2 -r 1000 -d 1s --warmup 900ms --fail-if rate>1100";

#[test]
fn no_more_than_was_asked_for_is_achieved_when_a_stall_of_the_warm_up_is_made_up_for() {
    let stall = stall_of_a_second();
    let port = serve(move |client, _| {
        client.answer(|line, _| {
            stall();
            line
        });
    });

    let run = load(&port, THROUGH_THE_STALL);

    assert!(run.number("achieved_rate") < 1020.0, "{run:?}");
    assert_eq!((run.troubles(), run.status), (Vec::new(), Some(0)), "{run:?}");
}

#[test]
fn no_more_than_was_asked_for_is_sent_when_a_sink_makes_up_for_a_stall_of_the_warm_up() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stalling-sink");
    let _ = fs::remove_file(&path);
    // TCP opens a window again only slowly that was shut for a second.
    let listener = UnixListener::bind(&path).unwrap();
    let stall = Arc::new(stall_of_a_second());
    thread::spawn(move || {
        for sink in listener.incoming() {
            let (mut sink, stall) = (sink.unwrap(), stall.clone());
            thread::spawn(move || {
                let mut bytes = [0; 8192];
                while matches!(sink.read(&mut bytes), Ok(1..)) {
                    stall();
                }
            });
        }
    });

    let run = load(&format!("unix:{}", path.display()), &format!("--pattern send -s 2K {THROUGH_THE_STALL}"));

    assert!(run.number("achieved_rate") < 1020.0, "{run:?}");
    assert_eq!((run.troubles(), run.status), (Vec::new(), Some(0)), "{run:?}");
}

#[test]
fn no_more_than_was_asked_for_is_heard_when_a_chat_makes_up_for_a_stall_of_the_warm_up() {
    let (stall, room) = (stall_of_a_second(), Mutex::new(Vec::<Client>::new()));
    let port = serve(move |mut client, _| {
        room.lock().unwrap().push(Client::new(client.stream.try_clone().unwrap()));
        let own = client.stream.peer_addr().unwrap();
        while let Some(line) = client.line() {
            // Not at what the tester says to be let in.
            if line.len() == tester::SIZE {
                stall();
            }
            let everybody = &mut *room.lock().unwrap();
            let others = everybody.iter_mut().filter(|other| other.stream.peer_addr().ok() != Some(own));
            others.for_each(|other| other.send(&line));
        }
    });

    let run = load(&port, &format!("--pattern chat {THROUGH_THE_STALL}"));

    assert!(run.number("achieved_rate") < 1020.0, "{run:?}");
    assert!(run.number("deliveries_per_sec") < 1020.0, "{run:?}");
    assert_eq!((run.troubles(), run.status), (Vec::new(), Some(0)), "{run:?}");
}
