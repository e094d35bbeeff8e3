//! How long the turns of the loop take, from when the poller has told something until it is asked again. Nobody else is
//! served meanwhile, so this is what a peer waits for the others at most. Measured only where somebody wants to know,
//! since it costs one more look at the clock a turn.

use std::time::Duration;

use crate::board::Board;

/// A turn is counted with those that took no longer than the first of these that it did not exceed. They begin where a
/// turn has hardly anything to do and end where people notice.
const BOUNDS: [Duration; 16] = [
    Duration::from_micros(10),
    Duration::from_micros(20),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// How many turns took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnTimes {
    /// Up to each bound, those of the bounds below left out; the last are those that took longer than any.
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl TurnTimes {
    /// Counts a turn that took this long.
    pub fn add(&mut self, took: Duration) {
        let at = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        self.counts[at] += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all of them took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How many took no longer than each of the bounds, those of the bounds below included; the bounds are between ten
    /// microseconds and a second.
    pub fn up_to(&self) -> impl Iterator<Item = (Duration, u64)> {
        let sums = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS.into_iter().zip(sums)
    }
}

/// Whether turns are timed, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    is_on: bool,
    times: TurnTimes,
}

impl Timing {
    /// A turn has ended, and whoever has a clock says how long it took, if anybody wants to know.
    #[inline]
    pub fn turn_took(&mut self, ask: impl FnOnce() -> Duration) {
        if self.is_on {
            self.times.add(ask());
        }
    }
}

impl Board {
    /// Has turns timed from the present one on.
    pub fn time_turns(&mut self) {
        self.timing.is_on = true;
    }

    /// How long turns took, the present one left out; nothing, where nobody has asked for it (`time_turns`).
    pub fn turn_times(&self) -> &TurnTimes {
        &self.timing.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(micros: &[u64]) -> TurnTimes {
        let mut times = TurnTimes::default();
        micros.iter().for_each(|micros| times.add(Duration::from_micros(*micros)));
        times
    }

    /// How many took no longer than so many microseconds.
    fn up_to(times: &TurnTimes, micros: u64) -> u64 {
        let found = times.up_to().find(|(bound, _)| *bound == Duration::from_micros(micros));
        found.unwrap_or_else(|| panic!("no bound of {micros} µs")).1
    }

    #[test]
    fn nothing_was_counted_before_the_first_turn() {
        let times = TurnTimes::default();

        assert_eq!((times.count(), times.sum()), (0, Duration::ZERO));
        assert!(times.up_to().all(|(_, count)| count == 0), "{times:?}");
    }

    #[test]
    fn a_turn_counts_for_its_bound_and_for_all_above() {
        let times = times(&[15]);

        assert_eq!((up_to(&times, 10), up_to(&times, 20), up_to(&times, 1_000_000)), (0, 1, 1));
        assert_eq!((times.count(), times.sum()), (1, Duration::from_micros(15)));
    }

    #[test]
    fn a_turn_as_long_as_a_bound_does_not_exceed_it() {
        assert_eq!(up_to(&times(&[10]), 10), 1);
        let just_over = Duration::from_micros(10) + Duration::from_nanos(1);
        let mut times = TurnTimes::default();
        times.add(just_over);
        assert_eq!(up_to(&times, 10), 0, "{just_over:?}");
    }

    #[test]
    fn a_turn_longer_than_all_bounds_is_counted_and_under_none_of_them() {
        let times = times(&[1, 3_000_000]);

        assert_eq!((up_to(&times, 1_000_000), times.count()), (1, 2));
        assert_eq!(times.sum(), Duration::from_micros(3_000_001));
    }

    #[test]
    fn the_bounds_ascend() {
        assert!(BOUNDS.is_sorted_by(|one, next| one < next), "{BOUNDS:?}");
    }

    #[test]
    fn nobody_asks_how_long_a_turn_took_unless_it_is_wanted() {
        let mut timing = Timing::default();
        timing.turn_took(|| panic!("the clock was asked"));
        timing.is_on = true;
        timing.turn_took(|| Duration::from_micros(7));

        assert_eq!(timing.times, times(&[7]));
    }
}
