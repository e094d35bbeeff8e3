//! What a step has shown: whether what is asked for holds at its rate, and if not, why.

use std::time::Duration;

use super::super::tally::{Failure, Latencies, Slice, Tally};
use super::super::threshold::Bound;
use super::Length;

/// Parts of a step that are looked at alone, to say how steadily something held; each with so many messages.
const WINDOWS: u32 = 5;
const WINDOW_MESSAGES_MIN: f64 = 20.0;
/// A latency that is too long over all of a step, but short in this part of its windows, four of five, may be so for one
/// stall of the machine. That settles nothing: a server that pauses now and then looks the same.
const WINDOWS_HELD_MIN: f64 = 0.8;

/// Who keeps up answers at least this part of what is asked for while the backlog grows.
const KEPT_UP: f64 = 0.98;

/// In less time than this few answers say nothing: those of the warm-up came in it.
const BEHIND_TIME_MIN: Duration = Duration::from_millis(500);

/// The backlog grows where it gains so much time in each second that passes. A server that can do 100 in the time in
/// which 101 come gains a hundredth, which no latency shows for seconds.
const GROWTH: f64 = 0.01;
/// A short step is to get near alone, and in so little time a hiccup looks like a trend.
const GROWTH_IF_SHORT: f64 = 0.05;
/// Fewer messages than this come and go.
const GROWN_MESSAGES: f64 = 5.0;
/// Fewer slices than this are no trend.
const SLICES_MIN: usize = 5;
/// More than this say nothing more.
const SLICES_MAX: usize = 200;

/// Over this part of its processor the tester itself is what is measured.
const TESTER_BUSY: f64 = 0.9;

/// A step of the search, over.
#[derive(Clone, Debug)]
pub struct Step {
    /// Messages a second asked for.
    pub rate: f64,
    /// How long it was to be.
    pub length: Length,
    /// The time that counted.
    pub measured: Duration,
    /// Messages a second answered.
    pub achieved: f64,
    /// The median latency, in milliseconds.
    pub p50_ms: f64,
    /// The figure of each condition, in milliseconds.
    pub values_ms: Vec<f64>,
    /// In how many of its windows all conditions held.
    pub windows_held: usize,
    /// How many windows it had.
    pub windows: usize,
    /// Seconds by which the backlog grew in each second.
    pub growth: f64,
    /// The share of its processor that the tester's busiest thread used.
    pub busiest: Option<f64>,
    /// All its latencies.
    pub latency: Latencies,
    /// What it comes to.
    pub verdict: Verdict,
}

/// Whether the rate held.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// All of it.
    Held,
    /// It did not.
    Failed(Cause),
}

/// Why a rate did not hold, the gravest first.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// Something went wrong: failures by their names.
    Errors(String),
    /// So many messages have no reply.
    Unanswered(u64),
    /// The tester could do no more: the share of its processor that it used.
    Tester(Option<f64>),
    /// The tester left late, and not for lack of time: others had its processor. It used this share of it.
    Starved(Option<f64>),
    /// The server answered fewer than came, more and more behind: messages a second, where it lasted long enough
    /// to tell.
    Behind(Option<f64>),
    /// The conditions at these places are not met.
    Latency(Vec<usize>),
    /// They are not met either, but only because of one window: another step has to tell what that was.
    Stalled(Vec<usize>),
    /// They are, but would not be for long: seconds by which the backlog grew in each second.
    Growing(f64),
}

impl Step {
    /// Judges what a run at this rate counted, and what its slices told.
    pub fn judge(rate: f64, length: Length, bounds: &[Bound], tally: &Tally, slices: &[Slice]) -> Step {
        let windows = windows(rate, tally.measured, slices);
        let holds = |latency: &Latencies| bounds.iter().all(|bound| bound.holds(latency));
        let most = if length == Length::Short { GROWTH_IF_SHORT } else { GROWTH };
        let (growth, is_growing) = growth(rate, slices, most);
        let mut step = Step {
            rate,
            length,
            measured: tally.measured,
            achieved: tally.messages as f64 / tally.measured.as_secs_f64().max(1e-9),
            p50_ms: tally.latency.percentile_ms(50.0),
            values_ms: bounds.iter().map(|bound| bound.value_ms(&tally.latency)).collect(),
            windows_held: windows.iter().filter(|latency| holds(latency)).count(),
            windows: windows.len(),
            growth,
            busiest: tally.busiest,
            latency: tally.latency.clone(),
            verdict: Verdict::Held,
        };
        let missed = missed(bounds, &tally.latency, &windows);
        if let Some(cause) = cause(&step, &missed, is_growing, bounds, tally) {
            step.verdict = Verdict::Failed(cause);
        }
        step
    }

    /// Whether the rate held.
    pub fn held(&self) -> bool {
        self.verdict == Verdict::Held
    }
}

/// The conditions that are not met.
struct Missed {
    /// The places of all of them.
    all: Vec<usize>,
    /// The places of those that are not met in too many windows.
    steadily: Vec<usize>,
}

fn missed(bounds: &[Bound], latency: &Latencies, windows: &[Latencies]) -> Missed {
    let all: Vec<usize> = (0..bounds.len()).filter(|at| !bounds[*at].holds(latency)).collect();
    let is_steady = |at: &usize| {
        let held = windows.iter().filter(|window| bounds[*at].holds(window)).count();
        (held as f64) < windows.len() as f64 * WINDOWS_HELD_MIN
    };
    Missed { steadily: all.iter().copied().filter(is_steady).collect(), all }
}

fn cause(step: &Step, missed: &Missed, is_growing: bool, bounds: &[Bound], tally: &Tally) -> Option<Cause> {
    if tally.failed() > 0 {
        let counts = Failure::ALL.iter().filter_map(|failure| {
            tally.failures.get(failure).map(|count| format!("{count} {}", failure.name()))
        });
        return Some(Cause::Errors(counts.collect::<Vec<_>>().join(", ")));
    }
    if tally.unanswered > 0 {
        return Some(Cause::Unanswered(tally.unanswered));
    }
    let fell_short = step.achieved < step.rate * KEPT_UP && (tally.fell_behind || tally.unsent > 0);
    let is_behind = fell_short || tally.gave_up;
    if missed.all.is_empty() && !is_behind && !is_growing {
        return None;
    }
    // Counted from when a message did leave all is well, so it is the leaving that was late.
    let left_late = bounds.iter().all(|bound| bound.holds(&tally.service));
    if missed.steadily.is_empty() && !is_behind && !is_growing {
        let says_nothing = left_late && step.length != Length::Short;
        let stalled = || Cause::Stalled(missed.all.clone());
        return Some(if says_nothing { Cause::Starved(step.busiest) } else { stalled() });
    }
    if step.busiest.is_some_and(|share| share > TESTER_BUSY) {
        return Some(Cause::Tester(step.busiest));
    }
    if !missed.steadily.is_empty() && left_late {
        return Some(Cause::Starved(step.busiest));
    }
    if is_behind {
        return Some(Cause::Behind((step.measured >= BEHIND_TIME_MIN).then_some(step.achieved)));
    }
    let is_missed = !missed.steadily.is_empty();
    Some(if is_missed { Cause::Latency(missed.all.clone()) } else { Cause::Growing(step.growth) })
}

/// The latencies of each part of the time that counted. What was answered after it belongs to the last.
fn windows(rate: f64, measured: Duration, slices: &[Slice]) -> Vec<Latencies> {
    let messages = rate * measured.as_secs_f64();
    let count = ((messages / WINDOW_MESSAGES_MIN) as u32).clamp(1, WINDOWS) as usize;
    let mut windows = vec![Latencies::default(); count];
    for slice in slices {
        let Some(at) = slice.measured else { continue };
        let part = at.as_secs_f64() / measured.as_secs_f64().max(1e-9);
        // A slice is told at its end.
        let place = (part * count as f64 - 1e-9).max(0.0) as usize;
        windows[place.min(count - 1)].add(&slice.latency);
    }
    windows
}

/// By how many seconds the backlog grew in each second, and whether that is more than chance. The median of the
/// slopes between any two slices (Theil and Sen): a hiccup of the machine, even at the very end, does not tilt it.
fn growth(rate: f64, slices: &[Slice], most: f64) -> (f64, bool) {
    let points = || {
        let point = |slice: &Slice| Some((slice.measured?.as_secs_f64(), slice.backlog? as f64 / rate));
        slices.iter().filter_map(point)
    };
    // Each is held against each other, and hours have many.
    let points: Vec<(f64, f64)> = points().step_by(points().count() / SLICES_MAX + 1).collect();
    let mut slopes: Vec<f64> = Vec::new();
    for (at, (time, waiting)) in points.iter().enumerate() {
        let before = points[..at].iter().filter(|(earlier, _)| earlier < time);
        slopes.extend(before.map(|(earlier, waited)| (waiting - waited) / (time - earlier)));
    }
    if points.len() < SLICES_MIN || slopes.is_empty() {
        return (0.0, false);
    }
    let middle = slopes.len() / 2;
    let slope = *slopes.select_nth_unstable_by(middle, f64::total_cmp).1;
    let took = points[points.len() - 1].0 - points[0].0;
    (slope, slope > most && slope * took * rate > GROWN_MESSAGES)
}
