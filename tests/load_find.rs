//! The load tester searches for the highest rate: what it finds, what it says of it, and when it gives up.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use common::{DEADLINE, Program, let_pass};
use serde_json::Value;
use tester::{Run, end_of, free_port, load, load_for_people, serve, start_load, wait_up_to};

/// So many workers, each of which takes so long for a line: a server of known capacity.
const WORKERS: usize = 4;
const SERVICE: Duration = Duration::from_millis(10);
const CAPACITY: f64 = 400.0;

/// Connections enough to keep all workers busy: each has one line worked on at a time.
const CONNECTIONS: &str = "12";

/// A server of [`WORKERS`], and what they did.
struct Workers {
    port: String,
    /// How many lines they answered, and how long each of them kept its worker, together.
    done: Arc<Mutex<(u32, Duration)>>,
}

impl Workers {
    fn serve() -> Workers {
        let free = Arc::new((Mutex::new(WORKERS), Condvar::new()));
        let done = Arc::new(Mutex::new((0, Duration::ZERO)));
        let all = done.clone();
        let port = serve(move |client, _| {
            let (workers, freed) = &*free;
            client.answer(|line, _| {
                let mut left = freed.wait_while(workers.lock().unwrap(), |left| *left == 0).unwrap();
                *left -= 1;
                drop(left);
                let began = Instant::now();
                wait_up_to(began + SERVICE);
                *workers.lock().unwrap() += 1;
                let (count, time) = &mut *all.lock().unwrap();
                *count += 1;
                *time += began.elapsed();
                freed.notify_one();
                line
            });
        });
        Workers { port, done }
    }

    /// Whether this is near what they could do a second: [`CAPACITY`], or less where a busy machine woke them late.
    fn can_nearly(&self, rate: f64) -> bool {
        let (count, time) = *self.done.lock().unwrap();
        let could = WORKERS as f64 * f64::from(count) / time.as_secs_f64();
        (could * 0.7..CAPACITY * 1.15).contains(&rate)
    }
}

/// Waits for a search to end: it takes longer than anything else that is waited for.
#[track_caller]
fn end_of_search(mut tester: Program) -> Run {
    let give_up_at = Instant::now() + DEADLINE * 4;
    while tester.is_running() && Instant::now() < give_up_at {
        let_pass(Duration::from_millis(50));
    }
    end_of(tester)
}

/// The number in front of ` messages/s` on the line that begins so.
#[track_caller]
fn rate_on(out: &str, beginning: &str) -> f64 {
    let line = out.lines().find_map(|line| line.strip_prefix(beginning));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number behind {beginning:?} in {out}"))
}

#[test]
fn the_highest_rate_of_a_server_is_near_its_capacity_and_the_result_says_how_sure_that_is() {
    let workers = Workers::serve();
    let plot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("find.svg");
    let _ = fs::remove_file(&plot);

    let run = end_of_search(start_load(
        &workers.port,
        &["-c", CONNECTIONS, "--find", "p99<60ms", "-d", "600ms", "--plot", plot.to_str().unwrap()],
    ));

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    let found = rate_on(&run.out, "highest rate  ");
    assert!(workers.can_nearly(found), "{found} of {:?}:\n{}", workers.done, run.out);
    let failed = run.out.lines().find(|line| line.starts_with("did not hold  at ")).unwrap_or_default();
    for part in ["% more): held in ", " steps, ", " windows; "] {
        assert!(failed.contains(part), "no {part:?} in {}", run.out);
    }
    for part in ["messages/s with p99<60ms\n", "\nheld          at ", "\nstopped       ", "\ntook          "]
    {
        assert!(run.out.contains(part), "no {part:?} in {}", run.out);
    }
    let plot = fs::read_to_string(plot).unwrap();
    assert!(plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"), "{plot}");
    for part in ["class=\"held\"", "class=\"failed\"", "class=\"knee\"", "p99&lt;60ms"] {
        assert!(plot.contains(part), "no {part:?} in {plot}");
    }
}

#[test]
fn the_result_for_programs_has_every_step_and_what_was_measured_at_the_rate_that_was_found() {
    let schema = include_str!("../docs/load.schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let workers = Workers::serve();

    let arguments = format!(
        "-c {CONNECTIONS} -t 2 --find p99<60ms --find mean<50ms -d 600ms --fail-if rate<100000 --format json"
    );
    let run = end_of_search(start_load(&workers.port, &arguments.split(' ').collect::<Vec<_>>()));

    let result = run.result();
    let complaints: Vec<String> = validator.iter_errors(&result).map(|error| error.to_string()).collect();
    assert_eq!(complaints, Vec::<String>::new(), "{result}");
    let number =
        |path: &str| result.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}"));
    let found = number("/find/rate");
    assert!(workers.can_nearly(found), "of {:?}: {result}", workers.done);
    assert_eq!(number("/config/rate"), found, "the metrics are those of that rate: {result}");
    assert!(number("/metrics/latency_ms/p99") < 60.0, "{result}");
    assert!(found < number("/find/failed_at"), "{result}");
    let steps = result["find"]["steps"].as_array().unwrap();
    for step in steps {
        assert_eq!(step["held"].as_bool().unwrap(), step["cause"].is_null(), "{step}");
        assert_eq!(step["values_ms"].as_array().unwrap().len(), 2, "{step}");
    }
    let held = steps.iter().filter(|step| step["rate"] == result["find"]["rate"] && step["held"] == true);
    assert!(held.count() >= 2, "{result}");
    // What the run is to fail on is asked of the rate that was found.
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.err.starts_with("switchboard-load: failed: rate<100000: it was "), "{run:?}");
}

#[test]
fn where_not_even_the_lowest_rate_holds_it_says_why() {
    let port = serve(|client, _| {
        client.answer(|line, _| {
            wait_up_to(Instant::now() + Duration::from_millis(60));
            line
        });
    });

    let run = load_for_people(&port, &["-c", "2", "--find", "p99<20ms", "-d", "2s"]);

    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.err.starts_with("switchboard-load: failed: not even 1 messages/s held: p99 was "), "{run:?}");
    assert!(run.out.contains("\nhighest rate  none is known with p99<20ms\n"), "{run:?}");
    assert!(run.out.contains("\nstopped       not even the lowest rate held\n"), "{run:?}");
}

#[test]
fn wrong_replies_make_a_step_fail_however_fast_they_are() {
    let port = serve(|client, _| client.answer(|_, _| b"-ERR unknown command\n".to_vec()));

    let arguments = "-c 2 --expect +OK --find p99<200ms -d 1s --timeout 300ms";
    let run = load_for_people(&port, &arguments.split(' ').collect::<Vec<_>>());

    assert_eq!(run.status, Some(1), "{run:?}");
    for part in [" mismatch", "the server said: -ERR unknown command"] {
        assert!(run.err.contains(part), "no {part:?} in {run:?}");
    }
}

#[test]
fn nobody_is_searched_for_who_is_not_there() {
    let run = load_for_people(&free_port(), &["-c", "3", "--find", "p99<1s"]);

    assert_eq!(run.status, Some(1), "{run:?}");
    assert_eq!(run.err, "switchboard-load: failed: the search could not go on: 3 refused\n", "{run:?}");
    assert_eq!(run.out.matches("3 refused").count(), 2, "in one step, and in the result: {run:?}");
}

#[test]
fn an_interrupt_ends_the_search_and_what_is_known_is_told() {
    let port = serve(|client, _| client.answer(|line, _| line));
    let tester = start_load(&port, &["-c", "2", "--find", "p99<1s", "-d", "2s"]);
    tester.out.line_with("  held");

    tester.signal("INT");
    let run = end_of(tester);

    assert!(run.out.contains("\nstopped       interrupted: this is what is known\n"), "{run:?}");
    assert!(run.out.contains("in a short step alone"), "{run:?}");
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.err.contains("interrupted before a rate was known to hold"), "{run:?}");
}

#[test]
fn what_a_search_cannot_be_asked_for_is_wrong_usage() {
    for (arguments, told) in [
        ("--find p99<5ms --rate 100", "cannot be used with"),
        ("--find p99<5ms -p 2", "cannot be used with"),
        ("--find p99<5ms -n 100", "cannot be used with"),
        ("--find p99<5ms --churn", "cannot be used with"),
        ("--find p99<5ms --hold", "cannot be used with"),
        ("--find p99<5ms --hgrm x", "cannot be used with"),
        ("--find p99<5ms --pattern send", "--find goes with --pattern echo"),
        ("--find p99<5ms --pattern chat", "--find goes with --pattern echo"),
        ("--find p99<5s", "--timeout has to be longer than"),
        ("--find p99>5ms", "is no latency below a time, such as p99<50ms"),
        ("--find rate<5", "is no latency below a time, such as p99<50ms"),
        ("--find p99", "is no latency below a time, such as p99<50ms"),
    ] {
        // Nobody is there, so a search that began would say that it was refused.
        let run = load(&free_port(), arguments);

        assert_eq!((run.status, run.out.as_str()), (Some(2), ""), "{arguments}: {run:?}");
        assert!(run.err.contains(told), "no {told:?} with {arguments}: {run:?}");
    }
}
