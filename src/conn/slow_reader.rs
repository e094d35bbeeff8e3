//! The slow reader: a peer that did not take all it was sent. What becomes of it is decided here, and
//! here alone:
//!
//! - Over the high water it holds back whoever feeds it, until it is down to the low one, but only while
//!   it is honest, that is: while it takes a certain amount in each window of time. It gets the first
//!   window on trust.
//! - It is dropped when it was over the soft limit for too long, or took nothing at all for too long.
//!
//! The hard limit needs no clock and stands where bytes are queued (`Board::send`, the flush).

use std::time::Duration;

use crate::clock::Moment;
use crate::limits::Limits;

/// The record of a peer that has bytes waiting for it. It exists only while that is so.
#[derive(Debug)]
pub(crate) struct Slow {
    /// When it last took anything, or else when it began to be slow.
    sent_at: Moment,
    level: Level,
    over_soft_since: Option<Moment>,
}

#[derive(Debug)]
enum Level {
    /// Not yet over the high water, or back under the low one.
    Low,
    High(Window),
}

#[derive(Debug)]
struct Window {
    began: Moment,
    taken_bytes: usize,
    /// Whether it took enough in the window before this one.
    keeps_up: bool,
}

/// What the clock has to say about a slow reader.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Patience,
    OverSoftTooLong,
    TookNothingTooLong,
}

impl Slow {
    pub fn new(now: Moment) -> Slow {
        Slow { sent_at: now, level: Level::Low, over_soft_since: None }
    }

    /// Notes that it took `taken_bytes`, after which `queued_bytes` are left for it.
    pub fn note(&mut self, taken_bytes: usize, queued_bytes: usize, now: Moment, limits: &Limits) {
        if taken_bytes > 0 {
            self.sent_at = now;
        }
        match &mut self.level {
            Level::Low if queued_bytes > limits.outbox_high_bytes => {
                self.level = Level::High(Window { began: now, taken_bytes: 0, keeps_up: true });
            }
            Level::High(_) if queued_bytes <= limits.outbox_low_bytes => self.level = Level::Low,
            Level::High(window) => window.taken_bytes += taken_bytes,
            Level::Low => {}
        }
        self.over_soft_since = match self.over_soft_since {
            _ if queued_bytes <= limits.outbox_soft_bytes => None,
            None => Some(now),
            since => since,
        };
    }

    /// Whether it is over the high water (and was not under the low one since).
    pub fn is_over_high(&self) -> bool {
        matches!(self.level, Level::High(_))
    }

    /// Whether others wait for it.
    pub fn holds_back(&self) -> bool {
        matches!(self.level, Level::High(Window { keeps_up: true, .. }))
    }

    /// When `check` has to be called next.
    pub fn next_check(&self, limits: &Limits) -> Moment {
        let mut next = self.sent_at + limits.write_stall_max;
        if let Some(since) = self.over_soft_since {
            next = next.min(since + limits.outbox_soft_max);
        }
        if let Level::High(window) = &self.level {
            next = next.min(window.began + limits.keeps_up_window);
        }
        next
    }

    /// Judges it by the clock.
    pub fn check(&mut self, now: Moment, limits: &Limits) -> Verdict {
        let over = |since: Moment, max: Duration| now.since(since) >= max;
        if over(self.sent_at, limits.write_stall_max) {
            return Verdict::TookNothingTooLong;
        }
        if self.over_soft_since.is_some_and(|since| over(since, limits.outbox_soft_max)) {
            return Verdict::OverSoftTooLong;
        }
        if let Level::High(window) = &mut self.level
            && over(window.began, limits.keeps_up_window)
        {
            let keeps_up = window.taken_bytes >= limits.keeps_up_bytes_min;
            *window = Window { began: now, taken_bytes: 0, keeps_up };
        }
        Verdict::Patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::after_start(Duration::from_millis(ms))
    }

    #[test]
    fn a_reader_holds_back_between_the_high_and_the_low_water() {
        let limits = Limits::default();
        let mut slow = Slow::new(at(0));
        slow.note(0, limits.outbox_high_bytes, at(0), &limits);
        assert!(!slow.holds_back());
        slow.note(0, limits.outbox_high_bytes + 1, at(0), &limits);
        assert!(slow.holds_back());
        slow.note(100, limits.outbox_low_bytes + 1, at(1), &limits);
        assert!(slow.holds_back());
        slow.note(1, limits.outbox_low_bytes, at(2), &limits);
        assert!(!slow.holds_back());
    }

    #[test]
    fn who_takes_too_little_holds_nobody_back_until_it_takes_enough_again() {
        let limits = Limits::default();
        let mut slow = Slow::new(at(0));
        slow.note(0, 500_000, at(0), &limits);
        slow.note(limits.keeps_up_bytes_min - 1, 500_000, at(500), &limits);
        assert_eq!(slow.check(at(1000), &limits), Verdict::Patience);
        assert!(!slow.holds_back());
        slow.note(limits.keeps_up_bytes_min, 500_000, at(1500), &limits);
        assert_eq!(slow.check(at(2000), &limits), Verdict::Patience);
        assert!(slow.holds_back());
    }

    #[test]
    fn over_the_soft_limit_is_tolerated_for_a_while_only() {
        let limits = Limits::default();
        let mut slow = Slow::new(at(0));
        slow.note(0, limits.outbox_soft_bytes + 1, at(100), &limits);
        slow.note(10, limits.outbox_soft_bytes + 1, at(9000), &limits);
        assert_eq!(slow.check(at(10_099), &limits), Verdict::Patience);
        assert_eq!(slow.check(at(10_100), &limits), Verdict::OverSoftTooLong);
    }

    #[test]
    fn who_takes_nothing_is_dropped_however_little_is_queued() {
        let limits = Limits::default();
        let mut slow = Slow::new(at(0));
        slow.note(0, 1, at(0), &limits);
        assert_eq!(slow.check(at(29_999), &limits), Verdict::Patience);
        assert_eq!(slow.check(at(30_000), &limits), Verdict::TookNothingTooLong);
    }
}
