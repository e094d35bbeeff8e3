//! What the engine knows of time. Time in which the loop did not run (the process was stopped, in a debugger, on a
//! paused machine, or short of a processor) proves nothing about a peer: it could not be read, and nothing could be
//! written to it. Two rules follow, and both are kept here:
//!
//! - Deadlines go by the time that the loop has *listened*, which leaves out whatever nobody asked the poller to
//!   sleep for.
//! - A deadline is judged only when everything that had happened by then has been *noted*: the poller was asked at
//!   that moment or later, and it told everything. What it told is read and flushed before anybody is judged.

use std::time::Duration;

use crate::clock::Moment;

/// A turn and a late wake-up may take this long and still count as listening; whatever is longer counts no more
/// than this. Turns take milliseconds, and a scheduler is late by tens of milliseconds at most.
pub(crate) const LAPSE_MAX: Duration = Duration::from_millis(100);

/// How the poller was asked, and what it told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Polled {
    /// When it was asked, or a moment before that.
    pub asked_at: Moment,
    /// The longest that it was to sleep; `None` is for ever.
    pub timeout: Option<Duration>,
    pub told: Told,
    /// The process was continued since the last time. That it was stopped before is supposed: where it was not, the
    /// time since then counts for less than it was, which closes nobody too early.
    pub was_stopped: bool,
}

/// How much of what there was to tell the poller has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Everything.
    All,
    /// So many events, which is as many as it may tell at once; there may be more.
    Full(usize),
    /// Nothing, since a signal interrupted it.
    Nothing,
}

/// The time of the present turn.
#[derive(Debug, Default)]
pub(crate) struct Time {
    /// What the clock says.
    now: Moment,
    /// The same without whatever the loop did not listen.
    listened: Moment,
    /// Everything that had happened by then was noted.
    noted_until: Moment,
    catching_up: Option<CatchingUp>,
}

/// The poller has more to tell than fits at once. It tells in the order in which things happened, and of each
/// source once, so what had happened by some moment has been told after as many events as there are sources.
#[derive(Debug)]
struct CatchingUp {
    until: Moment,
    events_left: usize,
}

impl Time {
    /// Begins a turn at the time `now`, with `sources` registered with the poller.
    pub fn advance(&mut self, now: Moment, polled: Polled, sources: usize) {
        let working = polled.asked_at.since(self.now);
        let sleeping = now.since(polled.asked_at.max(self.now));
        let asked_at =
            if polled.was_stopped { self.listened } else { self.listened + working.min(LAPSE_MAX) };
        self.listened = if polled.was_stopped {
            self.listened + (working + sleeping).min(LAPSE_MAX)
        } else {
            let longest = polled.timeout.unwrap_or(Duration::MAX).saturating_add(LAPSE_MAX);
            asked_at + sleeping.min(longest)
        };
        self.now = now.max(self.now);
        self.note(asked_at, polled.told, sources);
    }

    fn note(&mut self, asked_at: Moment, told: Told, sources: usize) {
        match told {
            Told::All => {
                self.noted_until = asked_at;
                self.catching_up = None;
            }
            Told::Full(events) => {
                let CatchingUp { until, events_left } =
                    self.catching_up.take().unwrap_or(CatchingUp { until: asked_at, events_left: sources });
                if events_left <= events {
                    self.noted_until = until;
                } else {
                    self.catching_up = Some(CatchingUp { until, events_left: events_left - events });
                }
            }
            Told::Nothing => {}
        }
    }

    /// What the clock said when the turn began.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// How long the loop has listened. All deadlines of connections are moments of this time.
    pub fn listened(&self) -> Moment {
        self.listened
    }

    /// Deadlines up to this one can be judged.
    pub fn noted_until(&self) -> Moment {
        self.noted_until
    }

    /// What the clock will say when the loop has listened until `when`, if it listens from now on.
    pub fn by_the_clock(&self, when: Moment) -> Moment {
        self.now + when.since(self.listened)
    }

    /// Lets the clock go on with everything noted, as after a sleep that was asked for.
    #[cfg(test)]
    pub fn pass(&mut self, time: Duration) {
        let now = self.now + time;
        let polled = Polled { asked_at: self.now, timeout: Some(time), told: Told::All, was_stopped: false };
        self.advance(now, polled, 0);
        self.noted_until = self.listened;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::after_start(Duration::from_millis(ms))
    }

    fn polled(asked_at_ms: u64, timeout_ms: u64, told: Told) -> Polled {
        let timeout = Some(Duration::from_millis(timeout_ms));
        Polled { asked_at: at(asked_at_ms), timeout, told, was_stopped: false }
    }

    #[test]
    fn a_sleep_that_was_asked_for_counts_and_lateness_does_not() {
        let mut time = Time::default();
        time.advance(at(3000), polled(0, 3000, Told::All), 1);
        assert_eq!(time.listened(), at(3000));

        time.advance(at(10_000), polled(3000, 1000, Told::All), 1);

        assert_eq!(time.listened(), at(4100), "a second was asked for, and a lapse is allowed");
        assert_eq!(time.now(), at(10_000));
        assert_eq!(time.by_the_clock(at(5100)), at(11_000));
    }

    #[test]
    fn a_turn_that_takes_long_is_no_listening() {
        let mut time = Time::default();

        time.advance(at(9001), polled(9000, 1000, Told::All), 1);

        assert_eq!((time.listened(), time.noted_until()), (at(101), at(100)));
    }

    #[test]
    fn a_stop_in_the_middle_of_a_long_sleep_is_no_listening() {
        let mut time = Time::default();
        let slept = Polled { timeout: None, was_stopped: true, ..polled(1, 0, Told::Nothing) };

        time.advance(at(60_000), slept, 1);

        assert_eq!((time.listened(), time.noted_until()), (at(100), at(0)));
    }

    #[test]
    fn an_ordinary_signal_takes_nothing_from_a_sleep() {
        let mut time = Time::default();

        time.advance(at(2000), polled(0, 9000, Told::Nothing), 1);

        assert_eq!((time.listened(), time.noted_until()), (at(2000), at(0)), "but nothing is known of it");
    }

    #[test]
    fn a_deadline_is_judged_only_when_the_poller_was_asked_after_it() {
        let mut time = Time::default();
        time.advance(at(1000), polled(0, 1000, Told::All), 1);
        assert_eq!(time.noted_until(), at(0), "what came during the sleep may be untold");

        time.advance(at(1001), polled(1001, 0, Told::All), 1);

        assert_eq!(time.noted_until(), at(1001));
    }

    #[test]
    fn a_full_poller_has_told_everything_once_each_source_has_had_its_turn() {
        let mut time = Time::default();
        for (ms, noted_ms) in [(10, 0), (20, 0), (30, 10), (40, 10), (50, 10), (60, 40)] {
            time.advance(at(ms), polled(ms, 0, Told::Full(1024)), 3000);
            assert_eq!(time.noted_until(), at(noted_ms), "after {ms} ms");
        }
    }
}
