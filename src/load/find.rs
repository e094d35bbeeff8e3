//! `--find 'p99<50ms'`: the highest rate of an open loop at which that still holds.
//!
//! Pure, but for `run`: the search is told what a step at some rate has shown, and says what is to be tried next.
//! It doubles the rate until a step fails, and halves the gap between what held and what did not. Machines have
//! hiccups, so no step that failed is believed alone: the majority of up to five decides. What held in a short
//! step has to hold in a full one as well, and the rate that is found in one three times as long; what did not hold
//! fails once more in the end, since what kept the machine busy may be over by then.
//!
//! No rate holds at which the latencies of all its long steps together do not: a stall may be the machine's or the
//! server's, and only more steps tell how much of the time it takes.

mod curve;
mod json;
mod judge;
mod run;
#[cfg(test)]
mod tests;
mod text;

pub(super) use self::run::run;

use self::judge::{Cause, Step, Verdict};
use super::tally::Latencies;
use super::threshold::Bound;

/// The search narrows until what did not hold is no further above what did.
const NARROW: f64 = 1.025;

/// Below this many messages a second nothing is searched for.
const LOWEST: f64 = 1.0;
/// The highest that can be asked for.
const HIGHEST: f64 = 1e9;

/// How much lower it is tried where not even the first rate holds.
const DOWN: f64 = 4.0;

/// Steps after which it ends, whatever it knows by then: a server that changes its mind is not followed for ever.
const STEPS_MAX: usize = 60;
/// So many of them are kept to be sure of what held by then.
const STEPS_LAST: usize = 9;

/// The lowest rate that did not hold is tried once more in the end, so that it has failed in so many steps.
const FAILED_STEPS_MIN: usize = 3;

/// Where stalls alone keep a rate from holding, so many steps with one decide, if no more had none; and so many steps
/// in all.
const STALLED_MAX: usize = 3;
const STALLED_STEPS_MAX: usize = 9;
/// For so many full steps that held one that did not is left out. A server that pauses gains nothing by that: no long
/// step of it holds.
const OUTVOTED_BY: usize = 2;

/// So many steps at one rate may come to nothing because others had the tester's processor; what comes to nothing
/// after these counts as failed.
const STARVED_MAX: usize = 3;

/// How long a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// To get near.
    Short,
    /// To be sure.
    Full,
    /// To be sure of what is found: what a server does every few seconds may fall between the others, never in this.
    Long,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// A step at this rate.
    Try(f64, Length),
    /// Nothing: the search is over.
    Stop(Stop),
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What held and what did not are next to each other.
    Narrow,
    /// Not even the lowest rate held.
    NothingHolds,
    /// Every rate held that can be asked for.
    Highest,
    /// So many steps did not bring the two together.
    Steps,
    /// Whoever ran it wanted it to end.
    Interrupted,
    /// Nobody could be connected to, or nothing more could be had from the system.
    CannotGoOn,
}

/// What is known: every step so far.
#[derive(Debug, Default)]
pub(super) struct Search {
    bounds: Vec<Bound>,
    steps: Vec<Step>,
    first: f64,
    stopped: Option<Stop>,
}

impl Search {
    /// A search for the highest rate at which these hold, that begins with this one.
    pub fn new(bounds: &[Bound], first: f64) -> Search {
        Search { bounds: bounds.to_vec(), first: first.clamp(LOWEST, HIGHEST), ..Search::default() }
    }

    /// Adds what a step has shown.
    pub fn note(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Ends it before its time.
    pub fn stop(&mut self, why: Stop) {
        self.stopped = Some(why);
    }

    /// All steps, in their order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Those at this rate.
    pub fn steps_at(&self, rate: f64) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.rate == rate)
    }

    /// What is to be done next: it follows from what is known alone.
    pub fn next(&self) -> Next {
        if let Some(why) = self.stopped {
            return Next::Stop(why);
        }
        if self.steps.len() >= STEPS_MAX {
            return Next::Stop(Stop::Steps);
        }
        // Only the last one can be in doubt, since nothing else is tried until it is settled.
        if let Some(last) = self.steps.last()
            && self.opinion(last.rate) == Opinion::Doubt
        {
            return Next::Try(last.rate, last.length);
        }
        match self.bracket() {
            (None, None) => Next::Try(self.first, Length::Short),
            (Some(low), None) if low >= HIGHEST => Next::Stop(Stop::Highest),
            (Some(low), None) => Next::Try((low * 2.0).min(HIGHEST), Length::Short),
            (None, Some(high)) if high <= LOWEST => Next::Stop(Stop::NothingHolds),
            (None, Some(high)) => Next::Try((high / DOWN).max(LOWEST), Length::Short),
            (Some(low), Some(high)) => self.narrow(low, high),
        }
    }

    fn narrow(&self, low: f64, high: f64) -> Next {
        let held = self.full_at(low).filter(|step| step.held()).count();
        if held == 0 {
            return Next::Try(low, Length::Full);
        }
        let is_late = self.steps.len() >= STEPS_MAX - STEPS_LAST;
        let is_wide = high / low > NARROW;
        if is_wide && !is_late {
            return Next::Try(between(low, high), Length::Full);
        }
        // Something else may have kept the machine busy just then, or it was only looked at briefly.
        if self.full_at(high).count() < FAILED_STEPS_MIN && !is_late {
            return Next::Try(high, Length::Full);
        }
        if !self.is_sure_of(low) {
            return Next::Try(low, Length::Long);
        }
        Next::Stop(if is_wide { Stop::Steps } else { Stop::Narrow })
    }

    /// The highest rate that held below all that did not, and the lowest that did not.
    pub fn bracket(&self) -> (Option<f64>, Option<f64>) {
        let of = |wanted: Opinion| {
            let rates = self.steps.iter().map(|step| step.rate);
            rates.filter(move |rate| self.opinion(*rate) == wanted)
        };
        let high = of(Opinion::Fails).min_by(f64::total_cmp);
        let low =
            of(Opinion::Holds).filter(|rate| high.is_none_or(|high| *rate < high)).max_by(f64::total_cmp);
        (low, high)
    }

    /// The highest rate that holds and has held in a long step, where there is one: others may only have missed what
    /// happens now and then.
    pub fn found(&self) -> Option<f64> {
        let high = self.bracket().1;
        let full = self.steps.iter().filter(|step| step.length != Length::Short).map(|step| step.rate);
        let held = full.filter(|rate| self.is_sure_of(*rate) && self.opinion(*rate) == Opinion::Holds);
        held.filter(|rate| high.is_none_or(|high| *rate < high)).max_by(f64::total_cmp)
    }

    fn is_sure_of(&self, rate: f64) -> bool {
        self.steps_at(rate).any(|step| step.held() && step.length == Length::Long)
    }

    fn full_at(&self, rate: f64) -> impl Iterator<Item = &Step> {
        self.steps_at(rate).filter(|step| step.length != Length::Short)
    }

    /// The latencies of all full steps at a rate together, but for those in which others had the processor, and for the
    /// worst where enough others held.
    pub fn latencies_at(&self, rate: f64) -> Latencies {
        let counts = |step: &&Step| !matches!(step.verdict, Verdict::Failed(Cause::Starved(_)));
        let (held, mut bad): (Vec<&Step>, Vec<&Step>) =
            self.full_at(rate).filter(counts).partition(|step| step.held());
        bad.sort_by_key(|step| step.windows_held);
        bad.drain(..bad.len().min(held.len() / OUTVOTED_BY));
        let mut all = Latencies::default();
        held.iter().chain(&bad).for_each(|step| all.add(&step.latency));
        all
    }

    /// What the steps at a rate say together. Full ones count alone, where there are any.
    fn opinion(&self, rate: f64) -> Opinion {
        let is_full = self.steps_at(rate).any(|step| step.length != Length::Short);
        let (mut held, mut stalled, mut failed, mut starved) = (0_usize, 0_usize, 0_usize, 0_usize);
        for step in self.steps_at(rate).filter(|step| (step.length != Length::Short) == is_full) {
            match &step.verdict {
                Verdict::Held => held += 1,
                Verdict::Failed(Cause::Starved(_)) => starved += 1,
                Verdict::Failed(Cause::Stalled(_)) => stalled += 1,
                Verdict::Failed(_) => failed += 1,
            }
        }
        let vote = match (held + stalled, failed + starved.saturating_sub(STARVED_MAX)) {
            (0, 0) if starved == 0 => Opinion::None,
            (0, 0) => Opinion::Doubt,
            (_, 0) | (2.., 1) | (3.., 2) => Opinion::Holds,
            (_, 1) | (1.., 2) => Opinion::Doubt,
            _ => Opinion::Fails,
        };
        // Short steps are to get near alone.
        if vote != Opinion::Holds || !is_full || self.is_met_at(rate) {
            return vote;
        }
        let bad = stalled + failed;
        let is_settled = bad >= STALLED_MAX.max(held) || held + bad >= STALLED_STEPS_MAX;
        if is_settled { Opinion::Fails } else { Opinion::Doubt }
    }

    /// Whether what is asked for holds of all that was measured at a rate in full steps.
    fn is_met_at(&self, rate: f64) -> bool {
        let latency = self.latencies_at(rate);
        self.bounds.iter().all(|bound| bound.holds(&latency))
    }
}

/// What several steps at one rate say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opinion {
    None,
    Holds,
    /// One more has to decide.
    Doubt,
    Fails,
}

/// The middle, as a factor, and a round number if one is near: nobody wants 1537.4821.
fn between(low: f64, high: f64) -> f64 {
    let middle = (low * high).sqrt();
    // A thousandth of it is far less than what is searched for.
    let digit = 10f64.powf(middle.log10().floor() - 3.0);
    (middle / digit).round() * digit
}
