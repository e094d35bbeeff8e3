//! The load tester against servers that are slow, stall or do not keep up: time is charged as it passes.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::sync::{OnceLock, mpsc};
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
        std::thread::spawn(move || {
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
