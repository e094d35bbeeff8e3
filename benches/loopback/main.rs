//! The release server beside the bare loops, tokio, nats-server and ncat, in one run, as ratios:
//! `cargo bench --bench loopback`, or `-- chat` for the works whose names contain that. `ROUNDS=5` takes
//! the medians of so many rounds instead of three; in each round every program has its turn, so that a
//! machine that slows down slows all of them.
//!
//! Servers run on the first core, what loads them on the second. A server's time is the processor time
//! of all its threads, from the scheduler's own account. What is not installed is left out, and said so.
#![allow(clippy::unwrap_used)] // a bench that cannot go on may panic

mod chat;
mod console;
mod echo;
mod plot;
mod programs;
mod rules;
mod table;
mod tap;

use std::io::{self, Write};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use programs::Programs;
use table::Table;

/// Where the servers run, and where what loads them.
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

fn main() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    // Cargo adds `--bench`; what is left is a filter.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let programs = Programs::build()?;
    let this = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-pc", LOAD_CORE, &this]).output()?;
    assert!(pinned.status.success(), "cannot pin to a core: {}", String::from_utf8_lossy(&pinned.stderr));

    let mut table = Table::new(rounds);
    let works =
        [echo::works(), chat::works(), console::works(), tap::works(), rules::works()].into_iter().flatten();
    for work in works.filter(|work| work.name.contains(&filter)) {
        for round in 0..rounds {
            for &kind in &work.programs {
                if !programs.has(kind) {
                    continue;
                }
                writeln!(io::stderr(), "round {}: {}, {kind:?}", round + 1, work.name)?;
                let figure = (work.measure)(&programs, kind)?;
                table.note(&work, kind, figure);
            }
        }
    }
    if let Ok(path) = std::env::var("PLOT") {
        plot::write(&path, &table.charts())?;
    }
    table.print(&programs, &mut io::stdout())
}
