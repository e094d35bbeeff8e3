//! Time inside the engine. The engine never asks a clock: whoever drives it passes the time in, so a
//! test or a simulator can drive it through any hour.

use std::num::NonZeroU64;
use std::ops::Add;
use std::time::{Duration, Instant};

/// A point in time: nanoseconds since the engine was made, plus one. Half the size of an `Instant`, of
/// which each connection keeps several; never zero, so that none at all (`Option`) takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(NonZeroU64);

impl Default for Moment {
    fn default() -> Moment {
        Moment(NonZeroU64::MIN)
    }
}

impl Moment {
    /// The moment that lies this far after the start.
    pub fn after_start(elapsed: Duration) -> Moment {
        Moment::default() + elapsed
    }

    /// The time from `earlier` to here; zero where `earlier` is later.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, later: Duration) -> Moment {
        let nanos = u64::try_from(later.as_nanos()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(nanos))
    }
}

/// The real clock, for the reactor.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// What it says.
    pub fn now(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }
}

/// A duration as it is typed: digits and `ms`, `s`, `m` or `h`, such as `200ms`. One that is too long to be counted is
/// the longest there is.
pub fn typed_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    Some(Duration::from_millis(number.parse().unwrap_or(u64::MAX).saturating_mul(millis)))
}
