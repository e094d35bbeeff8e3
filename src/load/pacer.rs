//! When messages are due in an open loop. Pure: a function of the time that has passed.

use std::time::Duration;

/// A steady schedule of messages.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    per_second: f64,
}

impl Pacer {
    /// So many messages a second, more than 0.
    pub fn new(per_second: f64) -> Pacer {
        Pacer { per_second }
    }

    /// How many messages should have left after this time; the first leaves at once.
    pub fn due(&self, elapsed: Duration) -> u64 {
        let at_rate = elapsed.as_secs_f64() * self.per_second;
        // Rounding must not put off by a message what `when` says has come.
        let count = at_rate as u64 + 1;
        if self.when(count) <= elapsed { count + 1 } else { count }
    }

    /// When the message of this number (from 0) should leave.
    pub fn when(&self, number: u64) -> Duration {
        Duration::from_nanos((number as f64 / self.per_second * 1e9) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_due_at_the_rate_from_the_start() {
        let pacer = Pacer::new(1000.0);

        let due = [0, 999, 1000, 1001, 10_000].map(|micros| pacer.due(Duration::from_micros(micros)));

        assert_eq!(due, [1, 1, 2, 2, 11]);
    }

    proptest! {
        #[test]
        fn a_message_is_due_exactly_from_its_moment_on(rate in 0.1f64..5e6, number in 1u64..1_000_000) {
            let pacer = Pacer::new(rate);

            let when = pacer.when(number);

            prop_assert!(pacer.due(when) > number, "due {} at {when:?}", pacer.due(when));
            let before = when.saturating_sub(Duration::from_nanos(1));
            if pacer.when(number.saturating_sub(1)) <= before {
                prop_assert!(pacer.due(before) <= number, "due {} at {before:?}", pacer.due(before));
            }
        }
    }
}
