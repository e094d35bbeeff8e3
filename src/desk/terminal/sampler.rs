//! Whose messages are shown, and of whose there are too many to be read: a flood from one connection must not bury the
//! rest. It is sampled until it calms down, and the operator is told how.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Nobody reads more than this from one; beyond it a connection is sampled.
const LINES_A_SECOND: u64 = 200;

/// The same where lines are so long that fewer of them bury the others. One that is longer by itself is shown whole.
const ROWS_A_SECOND: u64 = 1000;

/// Of a flood about so many lines a second are shown at most: over some seconds they fit on one screen together with
/// what the others said.
const SHOWN_A_SECOND: u64 = 3;

const WINDOW: Duration = Duration::from_secs(1);

/// The first estimate of a rate is made over at least this long.
const SHORTEST: Duration = Duration::from_millis(20);

/// What there is to be told of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// So many lines a second come, of which one in so many is shown from now on.
    Flood {
        /// Lines a second.
        rate: u64,
        /// One in so many is shown.
        one_in: u64,
    },
    /// It is over; so many lines were not shown.
    Calm(u64),
}

/// What comes of each connection.
#[derive(Debug, Default)]
pub struct Sampler {
    flows: HashMap<u64, Flow>,
    /// How many of them are floods.
    floods: usize,
    notices: Vec<(u64, Notice)>,
}

#[derive(Debug)]
struct Flow {
    /// When the window began in which is counted.
    since: Instant,
    /// Messages.
    count: u64,
    /// The rows that they have, or would have.
    rows: u64,
    flood: Option<Flood>,
}

#[derive(Clone, Copy, Debug)]
struct Flood {
    /// Lines that were shown in this window.
    shown: u64,
    one_in: u64,
    /// Lines until the next that is shown.
    until_shown: u64,
    hidden: u64,
}

impl Sampler {
    /// Counts a message that takes so many rows; returns whether it is shown.
    pub fn shows(&mut self, serial: u64, rows: u64, now: Instant) -> bool {
        let flow = self.flows.entry(serial).or_insert(Flow { since: now, count: 0, rows: 0, flood: None });
        if now.saturating_duration_since(flow.since) >= WINDOW
            && let Some(notice) = flow.roll(now)
        {
            self.floods -= usize::from(is_calm(notice));
            self.notices.push((serial, notice));
        }
        let had_room = flow.count < LINES_A_SECOND && flow.rows < ROWS_A_SECOND;
        flow.count += 1;
        flow.rows += rows;
        match &mut flow.flood {
            None if had_room => true,
            None => {
                let rate = flow.a_second(flow.count, now);
                let one_in = one_in(rate);
                flow.flood = Some(Flood { shown: 0, one_in, until_shown: one_in, hidden: 1 });
                self.floods += 1;
                self.notices.push((serial, Notice::Flood { rate, one_in }));
                false
            }
            Some(flood) => {
                flood.until_shown = flood.until_shown.saturating_sub(1);
                if flood.until_shown > 0 {
                    flood.hidden += 1;
                    return false;
                }
                flood.until_shown = flood.one_in;
                flood.shown += 1;
                // The rate was estimated over too short a time, or it has grown.
                if flood.shown > SHOWN_A_SECOND
                    && let Some(notice) = flow.adjust(now)
                {
                    self.notices.push((serial, notice));
                }
                true
            }
        }
    }

    /// Looks for floods that have calmed down. Returns when to look again, if there is one.
    pub fn check(&mut self, now: Instant) -> Option<Instant> {
        if self.floods == 0 {
            return None;
        }
        let mut next = None::<Instant>;
        for (serial, flow) in &mut self.flows {
            if flow.flood.is_some()
                && now.saturating_duration_since(flow.since) >= WINDOW
                && let Some(notice) = flow.roll(now)
            {
                self.floods -= usize::from(is_calm(notice));
                self.notices.push((*serial, notice));
            }
            if flow.flood.is_some() {
                let at = flow.since + WINDOW;
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        next
    }

    /// What there is to be told.
    pub fn take_notices(&mut self) -> Vec<(u64, Notice)> {
        std::mem::take(&mut self.notices)
    }

    /// These are hidden by the operator's own choice: nothing more is told of their floods.
    pub fn hide(&mut self, is_hidden: impl Fn(u64) -> bool) {
        self.flows.retain(|serial, _| !is_hidden(*serial));
        self.floods = self.flows.values().filter(|flow| flow.flood.is_some()).count();
        self.notices.retain(|(serial, _)| !is_hidden(*serial));
    }

    /// A connection has ended. Returns how many of its lines were not shown since that was told last.
    pub fn forget(&mut self, serial: u64) -> u64 {
        let flood = self.flows.remove(&serial).and_then(|flow| flow.flood);
        self.floods -= usize::from(flood.is_some());
        flood.map_or(0, |flood| flood.hidden)
    }
}

impl Flow {
    /// How many of these a second came in this window.
    fn a_second(&self, count: u64, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.since).max(SHORTEST).as_millis() as u64;
        count * 1000 / millis
    }

    /// Begins a new window. Returns what has changed with the one that is over.
    fn roll(&mut self, now: Instant) -> Option<Notice> {
        let is_flood =
            self.a_second(self.count, now) > LINES_A_SECOND || self.a_second(self.rows, now) > ROWS_A_SECOND;
        let notice = match is_flood {
            true => self.adjust(now),
            false => self.flood.take().map(|flood| Notice::Calm(flood.hidden)),
        };
        (self.since, self.count, self.rows) = (now, 0, 0);
        notice
    }

    /// Samples as the rate of this window demands. Returns whether that has changed.
    fn adjust(&mut self, now: Instant) -> Option<Notice> {
        let rate = self.a_second(self.count, now);
        let flood = self.flood.as_mut()?;
        flood.shown = 0;
        let one_in = one_in(rate);
        // A rate that goes up and down about a round number is no news each time.
        if one_in == flood.one_in || one_in * 10 == flood.one_in {
            return None;
        }
        (flood.one_in, flood.until_shown) = (one_in, one_in);
        Some(Notice::Flood { rate, one_in })
    }
}

fn is_calm(notice: Notice) -> bool {
    matches!(notice, Notice::Calm(_))
}

/// A round number, so that it can be read.
fn one_in(rate: u64) -> u64 {
    let mut one_in = 10;
    while rate / one_in > SHOWN_A_SECOND {
        one_in *= 10;
    }
    one_in
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many messages of #7, evenly spread over a time from a moment on; how many of them are shown.
    fn shown(sampler: &mut Sampler, from: Instant, count: u32, over: Duration) -> usize {
        (0..count).filter(|at| sampler.shows(7, 1, from + over * *at / count)).count()
    }

    #[test]
    fn who_says_200_lines_a_second_is_shown_whole() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());

        let shown = shown(&mut sampler, now, 2000, Duration::from_secs(10));

        assert_eq!((shown, sampler.take_notices()), (2000, Vec::new()));
        assert_eq!(sampler.check(now + Duration::from_secs(10)), None, "nothing is waited for");
    }

    #[test]
    fn a_flood_is_sampled_and_told_and_so_is_its_end() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());

        let in_flood = shown(&mut sampler, now, 500_000, Duration::from_secs(5));
        let others = (0..5).all(|at| sampler.shows(4, 1, now + Duration::from_secs(at)));
        let told = sampler.take_notices();
        let next = sampler.check(now + Duration::from_millis(5100)).expect("its end is waited for");
        sampler.check(next);
        let end = sampler.take_notices();
        let after = shown(&mut sampler, next + Duration::from_secs(1), 100, Duration::from_secs(1));

        assert!((201..240).contains(&in_flood), "{in_flood} lines on the screen");
        assert!(others, "nobody else is skipped for it");
        let is_right = |(serial, notice): &(u64, Notice)| {
            *serial == 7 && matches!(notice, Notice::Flood { rate: 99_000..101_000, one_in: 100_000 })
        };
        assert!(told.len() <= 2 && told.last().is_some_and(is_right), "{told:?}");
        assert_eq!(end, [(7, Notice::Calm(500_000 - in_flood as u64))]);
        assert_eq!(after, 100);
        assert_eq!(sampler.check(next + Duration::from_secs(9)), None, "and then nothing is waited for");
    }

    #[test]
    fn a_flood_that_is_faster_than_it_seemed_at_first_is_not_shown_for_a_whole_window() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());

        let in_first_second = shown(&mut sampler, now, 1_000_000, Duration::from_secs(1));
        let in_second = shown(&mut sampler, now + Duration::from_secs(1), 1_000_000, Duration::from_secs(1));
        let told = sampler.take_notices();

        assert!(in_first_second <= 210, "{in_first_second} lines on the screen");
        assert!(in_second <= 4, "{in_second} lines on the screen");
        assert!(told.len() <= 3, "{told:?}");
    }

    #[test]
    fn a_rate_that_goes_up_and_down_is_told_once() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());
        shown(&mut sampler, now, 100_000, Duration::from_secs(2));
        sampler.take_notices();

        for second in 2..12 {
            let count = if second % 2 == 0 { 38_000 } else { 42_000 };
            shown(&mut sampler, now + Duration::from_secs(second), count, Duration::from_secs(1));
        }

        assert!(sampler.take_notices().len() <= 1);
    }

    /// Fifty lines a second of which each takes 25 rows bury the others as well; a long one by itself does not.
    #[test]
    fn a_flood_of_long_lines_is_one_and_a_long_line_is_none() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());
        assert!(sampler.shows(4, 2000, now), "it is shown whole");

        let shown =
            (0..200u32).filter(|at| sampler.shows(7, 25, now + Duration::from_millis(20) * *at)).count();

        assert!((40..60).contains(&shown), "{shown} long lines in four seconds");
        let told = sampler.take_notices();
        assert!(matches!(told[..], [(7, Notice::Flood { .. }), ..]), "{told:?}");
        assert!(sampler.shows(4, 1, now + Duration::from_secs(4)), "it has calmed down");
    }

    #[test]
    fn of_whom_the_operator_has_hidden_nothing_is_told() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());
        shown(&mut sampler, now, 10_000, Duration::from_secs(1));

        sampler.hide(|serial| serial == 7);

        assert_eq!(sampler.check(now + Duration::from_secs(9)), None);
        assert_eq!(sampler.take_notices(), []);
    }

    #[test]
    fn whoever_leaves_in_the_middle_of_a_flood_leaves_nothing_behind() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());
        let in_flood = shown(&mut sampler, now, 10_000, Duration::from_secs(1)) as u64;

        assert_eq!(sampler.forget(7), 10_000 - in_flood);
        assert_eq!(sampler.check(now + Duration::from_secs(9)), None);
    }
}
