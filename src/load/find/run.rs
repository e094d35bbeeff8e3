//! The search in the world: steps are run, told as they end, and in the end what they have shown.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::super::cli::{LoadArgs, ReportFormat};
use super::super::interrupt::Interrupt;
use super::super::live::Live;
use super::super::output::{self, Output};
use super::super::plan::{Pace, Plan, Talk};
use super::super::tally::{Failure, Tally};
use super::super::{report, run as runs};
use super::judge::{Cause, Step, Verdict};
use super::{Length, Next, Search, Stop, curve, json, text};
use crate::conn::reason::cannot;

/// Messages a second of the first step: as many as there are connections, within these.
const FIRST_MIN: f64 = 10.0;
const FIRST_MAX: f64 = 1000.0;

/// A short step is this part of a full one, and its warm-up this part of a full one's.
const SHORT: u32 = 4;
const SHORT_WARMUP: u32 = 2;
/// A long one is so many full ones.
const LONG: u32 = 3;
/// In less time than this nothing is measured.
const SHORT_MIN: Duration = Duration::from_millis(100);

/// A step ends early where replies are behind by so many times what is asked for, and by at least this.
const PATIENCE: f64 = 4.0;
const PATIENCE_MIN: Duration = Duration::from_millis(500);

/// What is left when the search has ended.
#[derive(Debug)]
pub(super) struct Found {
    /// Its steps.
    pub search: Search,
    /// Why it ended.
    pub stop: Stop,
    /// What was counted at the rate that was found; in the last step where none was.
    pub tally: Tally,
    /// That rate.
    pub rate: f64,
    /// How long all of it took.
    pub took: Duration,
}

/// Searches for the highest rate and prints it.
///
/// # Errors
/// One line: why nothing could be run, or why there is no result.
pub fn run(args: &LoadArgs) -> Result<(), String> {
    let plan = runs::plan(args)?;
    let plot = output::open(&args.plot)?;
    let interrupt = Interrupt::listen().map_err(cannot("watch for signals"))?;
    if args.format == ReportFormat::Human {
        output::print(&format!("{}\n\n{}", args.summary(), text::head(&args.find)))?;
    }
    let found = search(args, &plan, &interrupt)?;
    match args.format {
        ReportFormat::Human => output::print(&text::result(&args.find, &found))?,
        ReportFormat::Json => output::print(&format!("{}\n", json::result(args, &found)))?,
    }
    let written = draw(args, plot, &found);
    verdict(args, &found).and(written)
}

fn search(args: &LoadArgs, plan: &Plan, interrupt: &Interrupt) -> Result<Found, String> {
    let began = Instant::now();
    let mut search = Search::new(&args.find, f64::from(args.connections).clamp(FIRST_MIN, FIRST_MAX));
    // What held once may turn out not to, so the best alone would not do.
    let mut held: Vec<(f64, Tally)> = Vec::new();
    let mut last = (0.0, Tally::default());
    let stop = loop {
        let (rate, length) = match search.next() {
            Next::Try(rate, length) => (rate, length),
            Next::Stop(why) => break why,
        };
        let plan = step_of(plan, args, rate, length);
        let live = Live::new(&LoadArgs { duration: plan.duration, ..args.clone() });
        let (tally, slices) = runs::run_threads(&plan, u64::from(args.threads), live, interrupt)?;
        if tally.interrupted {
            search.stop(Stop::Interrupted);
            continue;
        }
        let step = Step::judge(rate, length, &args.find, &tally, &slices);
        tell(args, &step)?;
        if cannot_go_on(&tally) {
            search.stop(Stop::CannotGoOn);
        }
        if step.held() && length != Length::Short {
            held.push((rate, tally.clone()));
        }
        search.note(step);
        last = (rate, tally);
    };
    let found = held.into_iter().rfind(|(rate, _)| search.found() == Some(*rate));
    let (rate, tally) = found.unwrap_or(last);
    Ok(Found { search, stop, tally, rate, took: began.elapsed() })
}

/// The plan of one step.
fn step_of(plan: &Plan, args: &LoadArgs, rate: f64, length: Length) -> Plan {
    let Talk::Echo(_, expect) = &plan.talk else { return plan.clone() };
    let limits = args.find.iter().map(|bound| Duration::from_secs_f64(bound.limit_ms() / 1e3));
    let patience = limits.max().unwrap_or_default().mul_f64(PATIENCE).max(PATIENCE_MIN);
    let (duration, warmup) = (args.duration().unwrap_or_default(), args.warmup());
    let (duration, warmup) = match length {
        Length::Full => (duration, warmup),
        Length::Long => (duration.saturating_mul(LONG), warmup),
        Length::Short => ((duration / SHORT).max(SHORT_MIN).min(duration), warmup / SHORT_WARMUP),
    };
    Plan {
        talk: Talk::Echo(Pace::Open(rate), expect.clone()),
        duration: Some(duration),
        warmup,
        patience: Some(patience),
        ..plan.clone()
    }
}

/// Whether the next step would find the same, whatever its rate: nobody is there, or it is this machine that has no
/// more to give.
fn cannot_go_on(tally: &Tally) -> bool {
    let ours = [Failure::NoDescriptors, Failure::NoPorts];
    tally.connected == 0 || ours.iter().any(|failure| tally.failures.contains_key(failure))
}

/// Tells of a step that is over: to a person on stdout, where the result will be, and else to whoever watches.
fn tell(args: &LoadArgs, step: &Step) -> Result<(), String> {
    let row = text::row(&args.find, step);
    if args.format == ReportFormat::Human {
        return output::print(&row);
    }
    if args.verbose || io::stderr().is_terminal() {
        // A closed stderr is nobody's error.
        let _ = io::stderr().write_all(row.as_bytes());
    }
    Ok(())
}

fn draw(args: &LoadArgs, plot: Option<Output>, found: &Found) -> Result<(), String> {
    plot.map_or(Ok(()), |file| file.write(&curve::svg(&args.summary(), &args.find, found)))
}

fn verdict(args: &LoadArgs, found: &Found) -> Result<(), String> {
    let why_last = || {
        let last = found.search.steps().last();
        last.map(|step| text::verdict(&args.find, step)).unwrap_or_default()
    };
    let mut failed = Vec::new();
    match (found.stop, found.search.found()) {
        (Stop::CannotGoOn, _) => failed.push(format!("the search could not go on: {}", why_last())),
        (Stop::Interrupted, None) => failed.push("interrupted before a rate was known to hold".to_owned()),
        (Stop::Steps, None) => {
            let count = found.search.steps().len();
            failed.push(format!("no rate was known to hold after {count} steps: {}", why_last()));
        }
        (_, None) => {
            let lowest = text::per_second(found.rate);
            failed.push(format!("not even {lowest} messages/s held: {}", why_last()));
        }
        (_, Some(_)) => {}
    }
    if found.search.found().is_some() {
        failed.extend(args.fail_if.iter().filter_map(|threshold| threshold.failure(&found.tally)));
    }
    let is_mismatch = |step: &Step| matches!(step.verdict, Verdict::Failed(Cause::Errors(_)));
    if found.search.found().is_none()
        && found.search.steps().last().is_some_and(is_mismatch)
        && let Some(words) = &found.tally.first_other_reply
    {
        failed.push(format!("the server said: {}", report::short(words)));
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join("; "))) }
}
