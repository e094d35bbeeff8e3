//! The checks of the fuzz targets, without a fuzzer: every file of `fuzz/corpus` is replayed, and a seeded
//! run makes more inputs out of them. `SWITCHBOARD_FUZZ_SECONDS=180` lets that run go on for longer, with
//! another seed each second.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[path = "../fuzz/checks.rs"]
mod checks;
mod common;

use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use checks::{Check, TARGETS, escapes};
use common::Random;

/// So many inputs a target are made where no time is given.
const INPUTS: usize = 20_000;
const INPUT_BYTES_MAX: usize = 512;

/// Bytes at which something changes: UTF-8, the escapes, the grammar.
const TELLING: &[u8] =
    b"\0\x02\x03\t\n\r\x1b #,/0129@\\altsx{}~\x7f\x80\x9b\x9c\xa0\xbf\xc0\xc2\xe0\xe2\xed\xef\xf0\xf4\xff";
const PHRASES: &[&[u8]] = &[
    b"@3,7 ",
    b"@7,3,1,7,3,1 ",
    b"3,7,3,",
    b"@all ",
    b"@last",
    b"/kick 3 ",
    b"/eof ",
    b"/rst #",
    b"/help ",
    b"//",
    b"@@",
    b"exit",
    b"18446744073709551616",
    b"\r\n",
    b"\\x1b",
    b"\\u{202e}",
    "\u{202e}".as_bytes(),
    "\u{9b}".as_bytes(),
    "\u{2028}".as_bytes(),
    "你好".as_bytes(),
    "😀".as_bytes(),
    b"\x1b]0;",
    b"\xf0\x9f\x98",
    b"\xed\xa0\x80",
];

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Says which input it was before a check's panic goes on.
fn check(name: &str, check: Check, input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    if let Err(panic) = outcome {
        let text = format!("{name}, this input: b\"{}\"\n", input.escape_ascii());
        let _ = io::stderr().write_all(text.as_bytes());
        std::panic::resume_unwind(panic);
    }
}

/// Makes an input out of those of the corpus.
fn mutated(random: &mut Random, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].1.clone();
    for _ in 0..1 + random.below(6) {
        let at = random.below(input.len() + 1);
        let to = at + random.below(input.len() - at + 1);
        let mut put = |bytes: &[u8], until| drop(input.splice(at..until, bytes.iter().copied()));
        match random.below(9) {
            0 => put(&[TELLING[random.below(TELLING.len())]], at),
            1 => put(&[random.below(256) as u8], at),
            2 => put(PHRASES[random.below(PHRASES.len())], at),
            3 => put(&[], to),
            4 => {
                let other = &corpus[random.below(corpus.len())].1;
                let from = random.below(other.len() + 1);
                put(&other[from..], to);
            }
            5 => {
                let again = input[at..to].to_vec();
                input.splice(at..at, again);
            }
            6 if at < input.len() => input[at] ^= 1 << random.below(8),
            7 if at < input.len() => input[at] = TELLING[random.below(TELLING.len())],
            8 => input.truncate(at),
            _ => {}
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn seconds_asked() -> Option<Duration> {
    let seconds = std::env::var("SWITCHBOARD_FUZZ_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().expect("SWITCHBOARD_FUZZ_SECONDS is a number")))
}

#[test]
fn every_file_of_the_corpus_holds() {
    for (target, its_check) in TARGETS {
        let corpus = corpus(target);
        assert!(corpus.len() >= 20, "{target}: only {} files", corpus.len());
        for (name, input) in corpus {
            check(&format!("{target}/{name}"), *its_check, &input);
        }
    }
}

#[test]
fn inputs_made_from_the_corpus_hold() {
    let share = seconds_asked().map(|asked| asked / TARGETS.len() as u32);
    for (target, its_check) in TARGETS {
        let corpus = corpus(target);
        let began = Instant::now();
        let mut count = 0;
        let mut seed = 1;
        let mut random = Random::seeded(seed);
        while share.map_or(count < INPUTS, |share| began.elapsed() < share) {
            for _ in 0..1000 {
                let input = mutated(&mut random, &corpus);
                check(&format!("{target}, seed {seed}"), *its_check, &input);
            }
            count += 1000;
            if count % 1_000_000 == 0 {
                seed += 1;
                random = Random::seeded(seed);
            }
        }
        let told = format!("{target}: {count} inputs in {:.1} s\n", began.elapsed().as_secs_f64());
        let _ = io::stderr().write_all(told.as_bytes());
    }
}

/// `cargo test --release --test fuzz_corpus -- --ignored --nocapture`
#[test]
#[ignore = "takes a minute in a release build"]
fn ten_million_random_strings_are_shown_safely() {
    let began = Instant::now();
    let mut random = Random::seeded(20_261_124);
    for number in 0..10_000_000 {
        let length = random.below(48);
        // Bytes of any kind are mostly no UTF-8 at all; every other string is made of telling ones.
        let input: Vec<u8> = if number % 2 == 0 {
            random.bytes(length)
        } else {
            (0..length).map(|_| TELLING[random.below(TELLING.len())]).collect()
        };
        check("a random string", escapes, &input);
    }
    let told = format!("ten million in {:.1} s\n", began.elapsed().as_secs_f64());
    let _ = io::stderr().write_all(told.as_bytes());
}

/// A check that cannot fail is worth nothing.
#[test]
fn the_checks_would_notice() {
    assert!(checks::notices_a_bad_renderer());
}
