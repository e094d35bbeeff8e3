//! Seeds by the second, and what shows that the simulator itself can be trusted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::*;

/// How long `cargo test` tries seeds.
const SECONDS: u64 = 10;

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

fn run_or_say_how_to_replay(seed: u64) -> usize {
    run_seed(seed).unwrap_or_else(|failure| {
        panic!("{failure}\nagain: SWITCHBOARD_SIM_SEED={seed} cargo test --lib simulator")
    })
}

#[test]
fn whatever_happens_in_whatever_order_the_sums_are_right() {
    if let Some(seed) = variable("SWITCHBOARD_SIM_SEED") {
        run_or_say_how_to_replay(seed);
        return;
    }
    // The same seeds in each `cargo test`; others where somebody asks for more.
    let asked = variable("SWITCHBOARD_SIM_SECONDS");
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = asked.map_or(1, |_| since_1970.as_secs() << 24);
    let until = Instant::now() + Duration::from_secs(asked.unwrap_or(SECONDS));

    let (mut seed, mut steps) = (first, 0);
    while Instant::now() < until {
        steps += run_or_say_how_to_replay(seed);
        seed += 1;
    }

    tell(&format!("{} seeds from {first}, {steps} steps\n", seed - first));
}

/// 400 in `cargo test`; `SWITCHBOARD_SIM_LINKS=10000` for as many as that.
#[test]
fn h55_what_one_end_of_a_link_says_the_other_gets_and_its_end_comes_behind_that() {
    let count = variable("SWITCHBOARD_SIM_LINKS").unwrap_or(400);
    let mut steps = 0;

    for seed in (0..count).map(seed_of_links) {
        steps += run_or_say_how_to_replay(seed);
    }

    tell(&format!("{count} worlds of links, {steps} steps\n"));
}

#[test]
fn a_seed_runs_the_same_each_time() {
    for seed in [2, 3, 4, 5, 8, 9] {
        let runs = [run_seed(seed), run_seed(seed)];

        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
}

/// The first panic whose backtrace is shown reads all debug information, some 60 MB, which is no connection's. Who
/// measures memory and who panics on purpose do not do so at the same time.
fn without_backtraces_beside_it() -> MutexGuard<'static, ()> {
    static MEASURES_OR_PANICS: Mutex<()> = Mutex::new(());
    MEASURES_OR_PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A simulator that finds nothing proves nothing: each of these faults has to be found, told by what it breaks,
/// and found again at the same step when its seed is run again.
#[test]
fn faults_built_in_on_purpose_are_found_and_found_again() {
    let _alone = without_backtraces_beside_it();
    for (sabotage, told) in [
        // Whose room it is: a connection's like any other, that of one that is broken, a stream's own.
        (
            Sabotage::ForgetsRoom,
            &[
                "is to be sent something, and is not",
                "is to be sent something in its time, and nobody will look",
                "its stream has something to send, and does not",
            ][..],
        ),
        (Sabotage::HidesUnsent, &["its stream has something to send, and does not"]),
        (Sabotage::StutteringWrites, &["sent something else than was accepted"]),
        (Sabotage::LeaksDescriptors, &["open descriptors, against streams"]),
        (Sabotage::LosesSpliced, &["got something else than"]),
        (Sabotage::RobsDesks, &["were skipped, and"]),
        (Sabotage::HoardsForDesks, &["are kept for all desks, and"]),
        // It breaks three promises.
        (
            Sabotage::HidesStops,
            &["and it took something", "over the soft limit for", "and something was said"],
        ),
    ] {
        let failed = |seed| run_sabotaged(seed, sabotage).err().map(|failure| (seed, failure));
        let mut missing = told.to_vec();
        for (seed, failure) in (1..2000).filter_map(failed) {
            assert!(told.iter().any(|told| failure.contains(told)), "{sabotage:?} was found as {failure}");
            let before = missing.len();
            missing.retain(|told| !failure.contains(told));
            if missing.len() < before {
                assert_eq!(run_sabotaged(seed, sabotage), Err(failure), "the same seed, the same failure");
            }
            if missing.is_empty() {
                break;
            }
        }
        assert_eq!(missing, Vec::<&str>::new(), "{sabotage:?} is found by these within 2000 seeds, too");
    }
}

/// What fuzzers found worth keeping is run by every `cargo test`.
#[test]
fn the_corpus_of_schedules_replays() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/schedule");
    let mut count = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is part of the project") {
        schedule(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{corpus} is empty");
}

/// 50,000 in `cargo test`; `SWITCHBOARD_SIM_CONNECTIONS=1000000` for as many as that, best with `--release`.
#[test]
fn a_crowd_is_served_at_once_in_less_than_a_kilobyte_each() {
    let count = variable("SWITCHBOARD_SIM_CONNECTIONS").unwrap_or(50_000) as usize;
    let _alone = without_backtraces_beside_it();
    let before = resident_bytes();
    let mut peak = 0;

    crowd::run(count, || peak = resident_bytes());

    // Both ends together: the engine's part is told by `cargo bench --bench idle`.
    let each = peak.saturating_sub(before) / count;
    tell(&format!("{count} connections, {each} bytes each, {peak} bytes in all\n"));
    // Other tests run beside it.
    let spared = 64 << 20;
    assert!(
        peak.saturating_sub(before) <= spared + count * 1024,
        "{count} connections cost {each} bytes each"
    );
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn tell(text: &str) {
    // A macro would be swallowed where the test passes, which is when it is wanted.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}
