//! The search for a person: a row for each step as it ends, and the result.

use std::fmt::{self, Write};

use super::super::report::ms;
use super::super::threshold::Bound;
use super::judge::{Cause, Step, Verdict};
use super::run::Found;
use super::{Length, NARROW, Stop};
use crate::desk::text::plural;

/// The names of the columns.
pub fn head(bounds: &[Bound]) -> String {
    let mut out = format!("{:>10}{:>12}{:>11}", "asked/s", "answered/s", "p50 ms");
    for bound in bounds {
        // Writing to a String cannot fail.
        let _ = write!(out, "{:>11}", format!("{} ms", bound.name()));
    }
    out + &format!("{:>9}  {}\n", "windows", "in this step")
}

/// The row of a step.
pub fn row(bounds: &[Bound], step: &Step) -> String {
    let (asked, achieved) = (per_second(step.rate), per_second(step.achieved));
    let mut out = format!("{asked:>10}{achieved:>12}{:>11}", ms(step.p50_ms));
    for value in &step.values_ms {
        // Writing to a String cannot fail.
        let _ = write!(out, "{:>11}", ms(*value));
    }
    let windows = format!("{}/{}", step.windows_held, step.windows);
    out + &format!("{windows:>9}  {}\n", verdict(bounds, step))
}

/// What a step comes to, in words.
pub fn verdict(bounds: &[Bound], step: &Step) -> String {
    let Verdict::Failed(cause) = &step.verdict else { return "held".to_owned() };
    match cause {
        Cause::Errors(errors) => errors.clone(),
        Cause::Unanswered(count) => format!("{} not answered", plural(*count, "message")),
        Cause::Tester(share) => {
            let used = share.map(|share| format!(" ({:.0} % of its processor)", share * 100.0));
            let achieved = per_second(step.achieved);
            format!("the tester itself could do no more: {achieved} messages/s{}", used.unwrap_or_default())
        }
        Cause::Starved(share) => {
            let used = share.map(|share| format!(", which used {:.0} % of it", share * 100.0));
            format!("others had the processor of the tester{}", used.unwrap_or_default())
        }
        Cause::Behind(None) => "the server fell behind at once".to_owned(),
        Cause::Behind(Some(achieved)) => {
            format!("the server fell behind: {} messages/s answered", per_second(*achieved))
        }
        Cause::Latency(missed) => too_long(bounds, step, missed),
        Cause::Stalled(missed) => {
            let (held, windows) = (step.windows_held, step.windows);
            format!("{}, though {held} of {windows} windows held", too_long(bounds, step, missed))
        }
        Cause::Growing(growth) => {
            format!("the backlog grew by {} ms in each second", ms(growth * 1e3))
        }
    }
}

fn too_long(bounds: &[Bound], step: &Step, missed: &[usize]) -> String {
    let missed = missed.iter().map(|at| format!("{} was {} ms", bounds[*at].name(), ms(step.values_ms[*at])));
    missed.collect::<Vec<_>>().join(", ")
}

/// The result.
pub fn result(bounds: &[Bound], found: &Found) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_result(&mut out, bounds, found);
    out
}

fn write_result(out: &mut String, bounds: &[Bound], found: &Found) -> fmt::Result {
    let search = &found.search;
    let wanted = bounds.iter().map(Bound::text).collect::<Vec<_>>().join(" and ");
    let (low, high) = search.bracket();
    writeln!(out)?;
    match search.found() {
        Some(rate) => writeln!(out, "highest rate  {} messages/s with {wanted}", per_second(rate))?,
        None => writeln!(out, "highest rate  none is known with {wanted}")?,
    }
    if let Some(rate) = search.found() {
        write!(out, "held          at {}: {}", per_second(rate), evidence(found, rate))?;
        let latency = search.latencies_at(rate);
        for bound in bounds {
            write!(out, "; {} was {} ms", bound.name(), ms(bound.value_ms(&latency)))?;
        }
        writeln!(out)?;
    } else if let Some(low) = low {
        let is_full = search.steps_at(low).any(|step| step.length != Length::Short);
        let enough = if is_full { "in full steps, but in no long one" } else { "in a short step alone" };
        writeln!(out, "held          at {}, {enough}", per_second(low))?;
    }
    if let Some(high) = high {
        let more = search.found().map(|rate| format!(" ({:.1} % more)", (high / rate - 1.0) * 100.0));
        let more = more.unwrap_or_default();
        write!(out, "did not hold  at {}{more}: held {}", per_second(high), evidence(found, high))?;
        writeln!(out, "; {}", why_not(bounds, found, high))?;
    }
    writeln!(out, "stopped       {}", why_stopped(bounds, found))?;
    let full = search.steps().iter().filter(|step| step.length != Length::Short).count();
    let short = search.steps().len() - full;
    let took = found.took.as_secs_f64();
    writeln!(out, "took          {took:.1} s: {}, {full} in full", plural(short as u64, "short step"))
}

/// How many steps and windows have held at a rate, full ones where there are any. Steps in which others had the
/// processor say nothing, and are set aside.
fn evidence(found: &Found, rate: f64) -> String {
    let at = || found.search.steps_at(rate);
    let is_full = at().any(|step| step.length != Length::Short);
    let is_starved = |step: &&Step| matches!(step.verdict, Verdict::Failed(Cause::Starved(_)));
    let all = || at().filter(|step| (step.length != Length::Short) == is_full);
    let steps = || all().filter(|step| !is_starved(step));
    let held = steps().filter(|step| step.held()).count();
    let windows_held: usize = steps().map(|step| step.windows_held).sum();
    let windows: usize = steps().map(|step| step.windows).sum();
    let steps = plural(steps().count() as u64, "step");
    let aside = all().filter(is_starved).count();
    let aside = if aside > 0 { format!(" ({aside} set aside)") } else { String::new() };
    format!("in {held} of {steps}{aside}, {windows_held} of {windows} windows")
}

/// Why a rate did not hold: what the last step there has shown that failed.
fn why_not(bounds: &[Bound], found: &Found, rate: f64) -> String {
    let failed = found.search.steps_at(rate).filter(|step| !step.held()).last();
    failed.map(|step| verdict(bounds, step)).unwrap_or_default()
}

/// Why the search ended, in words.
pub fn why_stopped(bounds: &[Bound], found: &Found) -> String {
    let high = found.search.bracket().1;
    match found.stop {
        Stop::Narrow if is_of_tester(found) => {
            high.map(|high| why_not(bounds, found, high)).unwrap_or_default()
        }
        Stop::Narrow => {
            format!("what held and what did not are within {:.1} % of each other", (NARROW - 1.0) * 100.0)
        }
        Stop::NothingHolds => "not even the lowest rate held".to_owned(),
        Stop::Highest => "there is no higher rate to ask for".to_owned(),
        Stop::Steps => "so many steps did not bring the two closer together".to_owned(),
        Stop::Interrupted => "interrupted: this is what is known".to_owned(),
        Stop::CannotGoOn => {
            let last = found.search.steps().last();
            let why = last.map(|step| verdict(bounds, step)).unwrap_or_default();
            format!("it could not go on: {why}")
        }
    }
}

/// Whether it is the tester's own limit that was found, not the server's.
pub fn is_of_tester(found: &Found) -> bool {
    let Some(high) = found.search.bracket().1 else { return false };
    let failed = found.search.steps_at(high).filter(|step| !step.held()).last();
    failed.is_some_and(|step| matches!(step.verdict, Verdict::Failed(Cause::Tester(_) | Cause::Starved(_))))
}

/// A rate with as many digits as it deserves.
pub fn per_second(rate: f64) -> String {
    if rate >= 1000.0 { format!("{rate:.0}") } else { format!("{}", (rate * 100.0).round() / 100.0) }
}
