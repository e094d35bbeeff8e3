//! The search for programs: the result of a run at the rate that was found, and `find` beside it.

use serde_json::{Value, json};

use super::super::cli::LoadArgs;
use super::super::json as of_run;
use super::super::threshold::Bound;
use super::judge::{Cause, Step, Verdict};
use super::run::Found;
use super::{Length, Stop, text};

/// The result as one object.
pub fn result(args: &LoadArgs, found: &Found) -> Value {
    let of_rate = LoadArgs { rate: Some(found.rate), ..args.clone() };
    let is_saturated = found.search.found().is_none();
    let mut result = of_run::result(&of_rate, &found.tally, is_saturated);
    let (low, high) = found.search.bracket();
    result["find"] = json!({
        "conditions": args.find.iter().map(Bound::text).collect::<Vec<_>>(),
        "rate": found.search.found(),
        "held_at": low,
        "failed_at": high,
        "stopped": match found.stop {
            Stop::Narrow => "narrow",
            Stop::NothingHolds => "nothing_holds",
            Stop::Highest => "highest",
            Stop::Steps => "steps",
            Stop::Interrupted => "interrupted",
            Stop::CannotGoOn => "cannot_go_on",
        },
        "why": text::why_stopped(&args.find, found),
        "tester_limited": text::is_of_tester(found),
        "took_s": found.took.as_secs_f64(),
        "steps": found.search.steps().iter().map(|step| of_step(&args.find, step)).collect::<Vec<_>>(),
    });
    result
}

fn of_step(bounds: &[Bound], step: &Step) -> Value {
    json!({
        "rate": step.rate,
        "length": match step.length {
            Length::Short => "short",
            Length::Full => "full",
            Length::Long => "long",
        },
        "measured_s": step.measured.as_secs_f64(),
        "achieved_rate": step.achieved,
        "p50_ms": step.p50_ms,
        "values_ms": step.values_ms,
        "windows": step.windows,
        "windows_held": step.windows_held,
        "backlog_growth": step.growth,
        "tester_share": step.busiest,
        "held": step.held(),
        "cause": match &step.verdict {
            Verdict::Held => None,
            Verdict::Failed(Cause::Errors(_)) => Some("errors"),
            Verdict::Failed(Cause::Unanswered(_)) => Some("unanswered"),
            Verdict::Failed(Cause::Tester(_)) => Some("tester"),
            Verdict::Failed(Cause::Starved(_)) => Some("starved"),
            Verdict::Failed(Cause::Behind(_)) => Some("behind"),
            Verdict::Failed(Cause::Latency(_)) => Some("latency"),
            Verdict::Failed(Cause::Stalled(_)) => Some("stalled"),
            Verdict::Failed(Cause::Growing(_)) => Some("growing"),
        },
        "why": text::verdict(bounds, step),
    })
}
