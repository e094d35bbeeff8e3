//! Calls to the system that fail: each call the server makes, with each error its manual page names,
//! at the first, at a later and at every call. Whatever fails, the server does not panic, hang, spin or
//! leak; what it cannot start without is told in one line.
//!
//! One case alone runs with `SWITCHBOARD_FAULT="echo accept4 EMFILE 1"` (a part of its name is enough).
//!
//! strace counts the calls of each thread by itself, so the "first" call may fail in several threads.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[path = "faults/cases.rs"]
mod cases;
mod common;
#[path = "faults/trial.rs"]
mod trial;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use cases::{Case, KNOWN_FAILURES, When, all_cases};
use common::has_tool;
use trial::{NEVER_MADE, Trial, Verdict, calls_of_the_loader};

/// Most of a trial is waiting.
const THREADS: usize = 10;
/// How many calls are made is in part a matter of luck (what is sent at once, what is read at once), so a
/// case whose turn did not come is tried again.
const TRIES: usize = 4;

/// All cases, or those that were asked for.
fn chosen() -> Vec<Case> {
    let mut cases = all_cases();
    if let Ok(part) = std::env::var("SWITCHBOARD_FAULT") {
        cases.retain(|case| case.to_string().contains(&part));
        assert!(!cases.is_empty(), "no case is called {part:?}");
    }
    cases
}

/// Runs the cases on a few threads; gives back what became of each.
fn run_all(cases: &[Case]) -> Vec<(&Case, Result<Verdict, String>)> {
    let loader = calls_of_the_loader();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut result = Trial::of(case, &loader).run();
                    for _ in 1..TRIES {
                        if result.as_ref().is_err_and(|why| why.starts_with(NEVER_MADE)) {
                            result = Trial::of(case, &loader).run();
                        }
                    }
                    results.lock().unwrap().push((case, result));
                }
            });
        }
    });
    results.into_inner().unwrap()
}

#[test]
fn whatever_call_fails_it_neither_panics_nor_hangs_nor_spins_nor_leaks() {
    if !has_tool("strace") {
        return;
    }
    let began = Instant::now();
    let cases = chosen();

    let results = run_all(&cases);

    let mut complaints = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (case, result) in &results {
        let known = KNOWN_FAILURES.iter().find(|known| case.to_string().contains(known.case));
        match (result, known) {
            (Ok(verdict), None) => *counts.entry(verdict.name()).or_default() += 1,
            (Err(why), Some(known)) if why.contains(known.complaint) => {
                *counts.entry("known to fail").or_default() += 1
            }
            (Ok(_), Some(known)) if known.always => {
                writeln!(
                    complaints,
                    "{case}: is known to fail ({}), but passed: take it off the list",
                    known.why
                )
                .unwrap();
            }
            (Ok(_), Some(_)) => *counts.entry("known to fail sometimes").or_default() += 1,
            (Err(why), _) => writeln!(complaints, "{case}: {why}").unwrap(),
        }
    }
    let told = format!("{} cases in {:.1} s: {counts:?}", results.len(), began.elapsed().as_secs_f64());
    // Shown by `cargo test -- --nocapture`, and where it fails.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{told}\n").as_bytes());
    assert!(complaints.is_empty(), "\n{complaints}{told}");
}

#[test]
fn the_table_is_large_and_names_no_case_twice() {
    let names: Vec<String> = all_cases().iter().map(Case::to_string).collect();
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();

    assert!(names.len() >= 300, "only {} cases", names.len());
    assert_eq!(sorted.len(), names.len(), "a case stands there twice");
    for known in KNOWN_FAILURES {
        assert!(names.iter().any(|name| name.contains(known.case)), "no case is called {:?}", known.case);
    }
}

/// The harness is no use if it would not notice. Each of these is not what a system does, and the
/// server is right to be lost: the trial has to say so.
#[test]
fn a_trial_notices_what_is_wrong() {
    if !has_tool("strace") {
        return;
    }
    let loader = calls_of_the_loader();
    for (case, complaint) in [
        // A poller that is always interrupted: nothing is ever heard of, and it looks again at once.
        (Case::new("echo", "epoll_wait", "EINTR", When::Always), "spins"),
        // Closes that do not close, every other one.
        (Case::new("echo", "close", "EIO", When::EveryOther).that_would_leak(), "descriptors"),
        // A thread that never starts, and the program was told that it did not: one line, status 1; but
        // the trial is told to expect that the server survives it.
        (Case::new("console", "clone3", "EAGAIN", When::Nth(1)).that_has_to_survive(), "ended by itself"),
        // No such call is ever made.
        (Case::new("echo", "mkdir", "EIO", When::Nth(1)), NEVER_MADE),
    ] {
        let result = Trial::of(&case, &loader).run();
        match result {
            Err(why) => assert!(why.contains(complaint), "{case}: {why}"),
            Ok(verdict) => panic!("{case}: {} although it {complaint}", verdict.name()),
        }
    }
}
