//! A rate: so many bytes a second, evenly.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::clock::Moment;

/// What passes, passes once for this time's worth of bytes, where there are so many: at a hundredth of a second a peer
/// sees an even flow.
const QUANTUM: Duration = Duration::from_millis(10);

/// What was not used for longer than this is lost: a turn may be late, and the rate is kept all the same, but nothing
/// is made up for in a burst.
const CREDIT_MAX: Duration = Duration::from_millis(100);

const NANOS: u128 = 1_000_000_000;

/// Credit that grows with time and is spent by bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    rate: NonZeroU64,
    /// Credit is counted from here.
    since: Moment,
    /// What was spent since.
    spent: u64,
}

impl Bucket {
    /// One without credit.
    pub fn new(rate: NonZeroU64, now: Moment) -> Bucket {
        Bucket { rate, since: now, spent: 0 }
    }

    /// There was nothing to spend it on: whoever was silent has saved no more than passes at once. At high rates the
    /// queue is empty again and again for a moment, which is not to cost the rate anything.
    pub fn begin(&mut self, now: Moment) {
        self.keep(self.quantum(), now);
    }

    /// How many of these bytes may pass now; where none may, when some will.
    pub fn allows(&mut self, bytes: usize, now: Moment) -> Result<usize, Moment> {
        // A single byte may take longer to be earned than any credit lasts.
        self.keep(self.worth(CREDIT_MAX).max(self.quantum()), now);
        let available = self.earned(now).saturating_sub(self.spent);
        let wanted = self.quantum().min(bytes as u64);
        if available < wanted {
            return Err(self.when(wanted));
        }
        Ok(bytes.min(usize::try_from(available).unwrap_or(usize::MAX)))
    }

    /// Spends credit.
    pub fn spend(&mut self, bytes: usize) {
        self.spent += bytes as u64;
    }

    fn quantum(&self) -> u64 {
        self.worth(QUANTUM).max(1)
    }

    fn worth(&self, time: Duration) -> u64 {
        u64::try_from(u128::from(self.rate.get()) * time.as_nanos() / NANOS).unwrap_or(u64::MAX)
    }

    fn earned(&self, now: Moment) -> u64 {
        self.worth(now.since(self.since))
    }

    /// When this much more will be there than was spent.
    fn when(&self, bytes: u64) -> Moment {
        let total = u128::from(self.spent) + u128::from(bytes);
        let nanos = (total * NANOS).div_ceil(u128::from(self.rate.get()));
        self.since + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Counts from later, so that no more than this is left, and the numbers stay small.
    fn keep(&mut self, most: u64, now: Moment) {
        if self.earned(now).saturating_sub(self.spent) > most {
            let kept =
                Bucket { since: Moment::default(), spent: 0, ..*self }.when(most).since(Moment::default());
            let earlier = now.since(self.since).saturating_sub(kept);
            *self = Bucket { since: self.since + earlier, spent: 0, ..*self };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::after_start(Duration::from_millis(ms))
    }

    fn bucket(rate: u64) -> Bucket {
        Bucket::new(NonZeroU64::new(rate).unwrap(), at(0))
    }

    /// Takes all it can from one moment on, until another; returns how much in each of the windows.
    fn taken(bucket: &mut Bucket, from_ms: u64, window_ms: u64, windows: usize) -> Vec<usize> {
        let mut now = at(from_ms);
        let mut taken = vec![0; windows];
        loop {
            match bucket.allows(usize::MAX, now) {
                Ok(bytes) => {
                    let window = (now.since(at(from_ms)).as_millis() as u64 / window_ms) as usize;
                    if window >= windows {
                        return taken;
                    }
                    taken[window] += bytes;
                    bucket.spend(bytes);
                }
                Err(when) => {
                    assert!(when > now, "it is always said when to come again");
                    now = when;
                }
            }
        }
    }

    #[test]
    fn a_second_brings_a_seconds_worth_and_a_tenth_a_tenth() {
        for rate in [1000, 10_240, 1 << 20, 1 << 30] {
            let taken = taken(&mut bucket(rate), 0, 100, 30);
            let tenth = rate as f64 / 10.0;
            for bytes in taken {
                assert!((bytes as f64 - tenth).abs() <= 0.11 * tenth, "{bytes} of {tenth} at {rate}");
            }
        }
    }

    #[test]
    fn few_bytes_a_second_come_one_by_one() {
        assert_eq!(taken(&mut bucket(2), 0, 1000, 3), [1, 2, 2], "the first when it is earned");
    }

    #[test]
    fn who_comes_late_gets_the_rate_but_no_more_than_a_tenth_of_a_second_at_once() {
        let mut bucket = bucket(1000);
        assert_eq!(bucket.allows(500, at(50)), Ok(50));
        bucket.spend(50);

        assert_eq!(bucket.allows(500, at(3000)), Ok(100));
        bucket.spend(100);
        assert_eq!(bucket.allows(500, at(3000)), Err(at(3010)));
    }

    #[test]
    fn who_was_silent_has_saved_no_more_than_passes_at_once() {
        let mut bucket = bucket(1000);
        bucket.begin(at(90));
        assert_eq!(bucket.allows(500, at(90)), Ok(10));
        bucket.spend(10);

        assert_eq!(bucket.allows(5, at(90)), Err(at(95)));
    }
}
