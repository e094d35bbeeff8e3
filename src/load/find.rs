//! `--find 'p99<50ms'`: the highest rate of an open loop at which that still holds.
//!
//! Pure, but for `run`: the search is told what a step at some rate has shown, and says what is to be tried next.
//! It doubles the rate until a step fails, and halves the gap between what held and what did not. Machines have
//! hiccups, so no step that failed is believed alone: the majority of up to five decides. What held in a short
//! step has to hold in a long one as well, the rate that is found in two, and what did not hold fails once more in
//! the end: what kept the machine busy may be over by then.

mod curve;
mod json;
mod judge;
mod run;
#[cfg(test)]
mod tests;
mod text;

pub(super) use self::run::run;

use self::judge::{Cause, Step, Verdict};

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

/// The lowest rate that did not hold is tried once more in the end, so that it has failed in so many steps.
const FAILED_STEPS_MIN: usize = 3;

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
    steps: Vec<Step>,
    first: f64,
    stopped: Option<Stop>,
}

impl Search {
    /// A search that begins with this rate.
    pub fn new(first: f64) -> Search {
        Search { first: first.clamp(LOWEST, HIGHEST), ..Search::default() }
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
        let full = |rate: f64| self.steps_at(rate).filter(|step| step.length == Length::Full);
        let held = full(low).filter(|step| step.held()).count();
        if held == 0 {
            return Next::Try(low, Length::Full);
        }
        if high / low > NARROW {
            return Next::Try(between(low, high), Length::Full);
        }
        // Something else may have kept the machine busy just then, or it was only looked at briefly.
        if full(high).count() < FAILED_STEPS_MIN {
            return Next::Try(high, Length::Full);
        }
        if held < 2 { Next::Try(low, Length::Full) } else { Next::Stop(Stop::Narrow) }
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

    /// The highest rate that holds and has been held in a full step, where there is one.
    pub fn found(&self) -> Option<f64> {
        let high = self.bracket().1;
        let full = self.steps.iter().filter(|step| step.length == Length::Full).map(|step| step.rate);
        let held = full.filter(|rate| self.opinion(*rate) == Opinion::Holds);
        held.filter(|rate| high.is_none_or(|high| *rate < high)).max_by(f64::total_cmp)
    }

    /// What the steps at a rate say together. Full ones count alone, where there are any.
    fn opinion(&self, rate: f64) -> Opinion {
        let is_full = self.steps_at(rate).any(|step| step.length == Length::Full);
        let length = if is_full { Length::Full } else { Length::Short };
        let (mut held, mut failed, mut starved) = (0, 0, 0_usize);
        for step in self.steps_at(rate).filter(|step| step.length == length) {
            match &step.verdict {
                Verdict::Held => held += 1,
                Verdict::Failed(Cause::Starved(_)) => starved += 1,
                Verdict::Failed(_) => failed += 1,
            }
        }
        match (held, failed + starved.saturating_sub(STARVED_MAX)) {
            (0, 0) if starved == 0 => Opinion::None,
            (0, 0) => Opinion::Doubt,
            (_, 0) | (2.., 1) | (3.., 2) => Opinion::Holds,
            (_, 1) | (1.., 2) => Opinion::Doubt,
            _ => Opinion::Fails,
        }
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
