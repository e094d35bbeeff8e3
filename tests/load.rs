//! The load tester against servers that do what they should: what it counts, what it prints, how it ends.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::process::Command;
use std::sync::mpsc;

use common::{DEADLINE, Program, Server, has_tool, wait_until};
use tester::{SIZE, end_of, free_port, load, load_for_people, serve};

#[test]
fn an_echo_run_counts_its_messages_and_finds_nothing_wrong() {
    let server = Server::start(&["--echo"]);

    for (arguments, count) in [
        ("-n 1000 -c 10", 1000.0),
        ("-n 1000 -c 10 -p 64", 1000.0),
        ("-n 1000 -c 10 -t 2", 1000.0),
        ("-n 1000 -c 10 -t 2 -r 5000", 1000.0),
        ("-n 7 -c 10", 7.0),
        ("-n 100 -c 3 -s 1", 100.0),
        ("-n 100 -c 3 -s 100K", 100.0),
        ("-n 100 -c 3 -s 100K -p 8", 100.0),
        ("-n 200 -c 5 --churn", 200.0),
        ("-n 100 -c 5 --warmup 200ms", 100.0),
    ] {
        let run = load(&server.port(), arguments);

        assert_eq!((run.number("messages"), run.status), (count, Some(0)), "{arguments}: {run:?}");
        assert_eq!(run.troubles(), [], "{arguments}: {run:?}");
        assert_eq!(run.number("unanswered"), 0.0, "{arguments}: {run:?}");
        assert_eq!(run.number("latency_ms/count"), count, "{arguments}: {run:?}");
        assert_eq!(run.err, "", "{arguments}");
    }
}

#[test]
fn bytes_are_counted_both_ways_and_latencies_are_in_order() {
    let server = Server::start(&["--echo"]);

    let run = load(&server.port(), "-n 1000 -c 10");

    let bytes = 1000.0 * SIZE as f64;
    assert_eq!((run.number("tx_bytes"), run.number("rx_bytes")), (bytes, bytes));
    let names = ["p50", "p75", "p90", "p99", "p999", "p9999", "max"];
    let values = names.map(|name| run.number(&format!("latency_ms/{name}")));
    assert!(values.is_sorted() && values[0] > 0.0, "{run:?}");
    assert_eq!(run.number("connect_ms/count"), 10.0, "{run:?}");
}

#[test]
fn each_message_of_a_churn_has_a_connection_of_its_own() {
    let (tell, told) = mpsc::channel();
    let port = serve(move |client, _| {
        let mut lines = 0;
        client.answer(|line, _| {
            lines += 1;
            line
        });
        let _ = tell.send(lines);
    });

    let run = load(&port, "-n 20 -c 2 --churn");

    assert_eq!((run.number("messages"), run.status), (20.0, Some(0)), "{run:?}");
    let mut talked = 0;
    while talked < 20 {
        let lines = told.recv_timeout(DEADLINE).expect("each connection ends");
        assert!(lines <= 1, "{lines} messages on one connection");
        talked += lines;
    }
}

#[test]
fn new_connections_of_a_churn_keep_to_the_connect_rate() {
    let server = Server::start(&["--echo"]);

    let run = load(&server.port(), "-c 5 --churn --connect-rate 20 -d 1s --warmup 0s");

    // Those of one second, and the one that is due at its start and at its end.
    assert!((1.0..=25.0).contains(&run.number("connected")), "{run:?}");
}

#[test]
fn a_fixed_reply_is_awaited_as_a_line() {
    let port = serve(|client, _| client.answer(|_, _| b"+PONG\r\n".to_vec()));

    let right = load(&port, "-m PING --expect +PONG -n 100 -c 4 -p 3");
    let wrong = load(&port, "-m PING --expect +PANG -n 4 -c 4");

    assert_eq!((right.number("messages"), right.status), (100.0, Some(0)), "{right:?}");
    assert_eq!(right.troubles(), []);
    assert_eq!((wrong.number("errors/mismatch"), wrong.status), (4.0, Some(1)), "{wrong:?}");
}

#[test]
fn a_text_has_its_numbers_filled_in() {
    let (tell, told) = mpsc::channel();
    let port = serve(move |client, _| {
        client.answer(|line, _| {
            tell.send(String::from_utf8(line.clone()).unwrap()).unwrap();
            line
        });
    });

    let run = load_for_people(&port, &["-m", "SET {conn} {seq}", "-n", "3", "-c", "1"]);

    assert_eq!(run.status, Some(0), "{run:?}");
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["SET 0 0\n", "SET 0 1\n", "SET 0 2\n"]);
}

#[test]
fn a_sink_gets_exactly_the_messages_that_are_counted() {
    for arguments in ["-n 25 -c 10", "-n 25 -c 1 -p 10", "-n 25 -c 2 -r 100000", "-n 20000 -c 2 -p 50"] {
        let (tell, told) = mpsc::channel();
        let port = serve(move |mut client, _| {
            while let Some(line) = client.line() {
                tell.send(line.len()).unwrap();
            }
        });

        let run = load(&port, &format!("--pattern send {arguments}"));

        let count: usize = arguments.split(' ').nth(1).unwrap().parse().unwrap();
        for _ in 0..count {
            assert_eq!(told.recv_timeout(DEADLINE), Ok(SIZE), "{arguments}: {run:?}");
        }
        assert_eq!((run.number("messages"), run.status), (count as f64, Some(0)), "{arguments}: {run:?}");
        assert_eq!(run.number("tx_bytes"), (count * SIZE) as f64, "{arguments}: {run:?}");
    }
}

#[test]
fn connections_are_held_and_nothing_is_said_on_them() {
    let (server, _) = Server::with_peers(&["--echo"], 0);

    let run = load(&server.port(), "-c 20 --hold -d 300ms");

    assert_eq!(
        (run.number("connected"), run.number("tx_bytes"), run.status),
        (20.0, 0.0, Some(0)),
        "{run:?}"
    );
    assert_eq!(run.troubles(), []);
    assert_eq!(run.number("connect_ms/count"), 20.0);
}

#[test]
fn what_is_said_in_a_chat_reaches_everybody_else_once() {
    let server = Server::start(&["--chat"]);

    for pipeline in ["1", "4"] {
        let run = load(&server.port(), &format!("--pattern chat -c 10 -n 50 -p {pipeline}"));

        assert_eq!((run.number("messages"), run.status), (50.0, Some(0)), "{run:?}");
        assert_eq!(run.number("latency_ms/count"), 50.0 * 9.0, "{run:?}");
        assert_eq!(run.troubles(), []);
        let deliveries = run.number("deliveries_per_sec") * run.number("measured_s");
        assert!((deliveries - 450.0).abs() < 0.5, "{deliveries} deliveries: {run:?}");
    }
}

#[test]
fn ncats_broker_relays_a_chat_as_well() {
    if !has_tool("ncat") {
        return;
    }
    let port = free_port();
    let mut command = Command::new("ncat");
    command.args(["-l", "--broker", "127.0.0.1", &port]);
    let _broker = Program::start(command);
    let address = format!("127.0.0.1:{port}");
    drop(wait_until("ncat to listen", || std::net::TcpStream::connect(&address).ok()));

    let run = load_for_people(&port, &["--pattern", "chat", "-c", "10", "-n", "50"]);

    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.out.contains("deliveries    450 "), "{run:?}");
}

#[test]
fn more_connections_than_descriptors_are_refused_in_one_line() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 200; exec \"$0\" -c 25000 9", env!("CARGO_BIN_EXE_switchboard-load")]);

    let run = end_of(Program::start(command));

    assert_eq!((run.status, run.out.as_str(), run.err.lines().count()), (Some(1), "", 1), "{run:?}");
    for part in ["switchboard-load: ", "25000 connections", "200 descriptors", "ulimit -n"] {
        assert!(run.err.contains(part), "no {part:?} in {run:?}");
    }
}

#[test]
fn a_run_fails_where_it_was_told_to() {
    let server = Server::start(&["--echo"]);

    for (condition, status) in [
        ("p99>20s", 0),
        ("p99>1us", 1),
        ("p99.9<20s", 1),
        ("max>20s", 0),
        ("mean>1us", 1),
        ("rate<1", 0),
        ("rate>1", 1),
        ("errors>0", 0),
        ("errors<1", 1),
        ("unanswered>0", 0),
    ] {
        let run = load(&server.port(), &format!("-n 100 -c 10 --fail-if {condition}"));
        assert_eq!(run.status, Some(status), "{condition}: {run:?}");
        assert_eq!(run.err.lines().count(), usize::try_from(status).unwrap(), "{condition}: {run:?}");
        assert!(status == 0 || run.err.contains(condition), "{condition}: {run:?}");
    }
}

#[test]
fn wrong_usage_is_refused_with_status_two() {
    for arguments in [
        "--no-such-option",
        "-c 0",
        "-n 0",
        "-r 0",
        "-r 100 -p 2",
        "-s 64 -m x",
        "--hold -n 5",
        "--churn --hold",
        "--fail-if speed>3",
        "--timeout 0s",
        "--pattern chat -c 1",
        "--pattern chat -t 2",
        "--pattern chat -s 8",
        "--pattern send --expect x",
    ] {
        let run = load(&free_port(), arguments);

        assert_eq!((run.status, run.out.as_str()), (Some(2), ""), "{arguments}: {run:?}");
        assert!(!run.err.is_empty(), "{arguments}");
    }
}

#[test]
fn a_closed_loop_says_that_it_under_counts_and_an_open_one_gives_both_times() {
    let server = Server::start(&["--echo"]);

    let closed = load_for_people(&server.port(), &["-n", "100"]);
    let open = load_for_people(&server.port(), &["-n", "100", "-r", "1000"]);

    assert!(closed.out.contains("under-counted") && closed.out.contains("\nlatency "), "{closed:?}");
    assert!(!open.out.contains("under-counted"), "{open:?}");
    for part in ["\nresponse ", "\nservice ", " 1000.0 asked"] {
        assert!(open.out.contains(part), "no {part:?} in {open:?}");
    }
}

#[test]
fn nothing_is_said_of_a_closed_loop_where_nothing_is_awaited() {
    let port = serve(|client, _| client.answer(|_, _| Vec::new()));

    for arguments in ["-n 100 --pattern send -p 4", "-d 100ms --hold"] {
        let run = load_for_people(&port, &arguments.split(' ').collect::<Vec<_>>());

        assert_eq!(run.status, Some(0), "{arguments}: {run:?}");
        for words in ["closed loop", "in flight"] {
            assert!(!run.out.contains(words), "{words:?} with {arguments}: {run:?}");
        }
    }
}

#[test]
fn values_beyond_their_range_are_refused_in_one_line_that_names_the_range() {
    const HUGE: &str = "18446744073709551615";

    for (arguments, range) in [
        (format!("-c {HUGE}"), "from 1 to 1000000"),
        (format!("-c {HUGE}0"), "from 1 to 1000000"),
        ("-c 4294967296".to_owned(), "from 1 to 1000000"),
        ("-c 0".to_owned(), "from 1 to 1000000"),
        (format!("-n {HUGE}"), "from 1 to 1000000000000"),
        (format!("-p {HUGE}"), "from 1 to 1000000"),
        (format!("-t {HUGE}"), "from 1 to 256"),
        (format!("-s {HUGE}"), "from 1 to 64M"),
        ("-s 65M".to_owned(), "from 1 to 64M"),
        (format!("--rate {HUGE}"), "from 0.001 to 1e9"),
        (format!("--connect-rate {HUGE}"), "from 0.001 to 1e9"),
        ("--rate inf".to_owned(), "from 0.001 to 1e9"),
        (format!("-d {HUGE}s"), "to 8760h"),
        ("-d 8761h".to_owned(), "to 8760h"),
        (format!("--warmup {HUGE}s"), "to 8760h"),
        (format!("--timeout {HUGE}ms"), "to 8760h"),
        ("-c 10001 --pattern chat".to_owned(), "at most 10000 connections"),
        ("-c 1000 -s 64 -p 1000000".to_owned(), "1G at most"),
        ("-p 1000000 -s 1K".to_owned(), "256M at most"),
    ] {
        // Nobody is there, so a run that began would say that it was refused.
        let run = load(&free_port(), &arguments);

        assert_eq!((run.status, run.out.as_str()), (Some(2), ""), "{arguments}: {run:?}");
        assert!(run.err.lines().next().is_some_and(|line| line.contains(range)), "{arguments}: {run:?}");
    }
}

#[test]
fn the_largest_values_that_are_taken_do_no_harm() {
    let port = serve(|client, _| client.answer(|line, _| line));

    for arguments in [
        "-r 1000000000 -c 2 -d 100ms --warmup 0s --timeout 100ms",
        "-r 1000000000 -c 2 -d 100ms --warmup 100ms --timeout 100ms --pattern send",
        "-r 0.001 -c 1 -n 1 -d 8760h --timeout 8760h",
        "-c 1 -n 1000000000000 -d 100ms --warmup 0s",
        "-c 1 -n 1 -p 1000000",
    ] {
        let run = load(&port, arguments);

        assert!(matches!(run.status, Some(0 | 1)), "{arguments}: {run:?}");
        assert!(run.number("connected") >= 1.0, "{arguments}: {run:?}");
    }
}

#[test]
fn the_help_has_the_grammar_of_conditions() {
    let run = load_for_people("9", &["--help"]);

    for part in [
        "FIGURE>VALUE or FIGURE<VALUE",
        "p99.9",
        "max, mean",
        "rate ",
        "errors, unanswered",
        "5ms, 0.5s, 800us",
    ] {
        assert!(run.out.contains(part), "no {part:?} in {run:?}");
    }
}
