//! One direction, driven through time.

use std::num::{NonZeroU64, NonZeroUsize};

use super::*;
use crate::conn::faults::{Blackhole, Latency, Slicer};

fn at(ms: u64) -> Moment {
    Moment::after_start(Duration::from_millis(ms))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A direction and its queue; what passes is written down with its time.
struct Pipe {
    valve: Valve,
    queue: Outbox,
    rng: Rng,
    passed: Vec<(u64, Vec<u8>)>,
}

impl Pipe {
    fn of(way: Way) -> Pipe {
        let mut valve = Valve::new(Rng::with_seed(7));
        valve.set(&way, &way, at(0));
        Pipe { valve, queue: Outbox::default(), rng: Rng::with_seed(7), passed: Vec::new() }
    }

    fn comes(&mut self, now_ms: u64, bytes: &[u8]) -> usize {
        self.queue.push(bytes);
        self.valve.take(&mut self.queue, at(now_ms), &mut self.rng)
    }

    /// Lets everything pass whose time comes until then, each at that very moment.
    fn until(&mut self, end_ms: u64) {
        let mut now = at(0);
        loop {
            match self.valve.gate(now) {
                Gate::Open(bytes) => {
                    let (front, back) = self.queue.slices();
                    let piece: Vec<u8> = front.iter().chain(back).take(bytes).copied().collect();
                    self.queue.sent(bytes);
                    self.valve.pass(bytes, now);
                    self.passed.push((now.since(at(0)).as_millis() as u64, piece));
                }
                Gate::Shut(Some(when)) if when <= at(end_ms) => now = when,
                Gate::Shut(_) => return,
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.passed.iter().flat_map(|(_, bytes)| bytes).copied().collect()
    }
}

fn latency(delay: u64, jitter: u64) -> Way {
    Way { latency: Some(Latency { delay: ms(delay), jitter: ms(jitter) }), ..Way::default() }
}

fn slicer(bytes: usize, pause: u64) -> Option<Slicer> {
    Some(Slicer { bytes: NonZeroUsize::new(bytes).unwrap(), pause: ms(pause) })
}

#[test]
fn each_chunk_comes_exactly_so_much_later() {
    let mut pipe = Pipe::of(latency(200, 0));
    pipe.comes(0, b"one");
    pipe.comes(50, b"two");
    pipe.comes(120, b"three");

    pipe.until(1000);

    assert_eq!(pipe.passed, [(200, b"one".to_vec()), (250, b"two".to_vec()), (320, b"three".to_vec())]);
}

#[test]
fn jitter_keeps_to_its_bounds_and_keeps_the_order() {
    let mut pipe = Pipe::of(latency(100, 50));
    for number in 0..100u64 {
        pipe.comes(20 * number, &[number as u8]);
    }

    pipe.until(5000);

    assert_eq!(pipe.bytes(), (0..100).collect::<Vec<u8>>());
    let late = |(when, bytes): &(u64, Vec<u8>)| *when as i64 - 20 * i64::from(bytes[0]);
    assert!(pipe.passed.iter().all(|one| late(one) >= 50), "{:?}", pipe.passed);
    assert!(pipe.passed.iter().all(|one| late(one) <= 150), "{:?}", pipe.passed);
    assert!(pipe.passed.iter().any(|one| late(one) < 100) && pipe.passed.iter().any(|one| late(one) > 120));
}

#[test]
fn pieces_are_no_longer_and_no_closer_than_asked() {
    let mut pipe = Pipe::of(Way { slicer: slicer(2, 5), ..Way::default() });
    pipe.comes(0, b"hello");

    pipe.until(1000);

    assert_eq!(pipe.passed, [(0, b"he".to_vec()), (5, b"ll".to_vec()), (10, b"o".to_vec())]);
}

#[test]
fn delay_rate_and_pieces_go_together() {
    let way = Way { bandwidth: NonZeroU64::new(100), slicer: slicer(1, 0), ..latency(200, 0) };
    let mut pipe = Pipe::of(way);
    pipe.comes(0, b"abc");

    pipe.until(1000);

    assert_eq!(pipe.passed, [(200, b"a".to_vec()), (210, b"b".to_vec()), (220, b"c".to_vec())]);
}

#[test]
fn exactly_so_many_bytes_come_through_and_then_it_ends() {
    let limit = LimitData { bytes: 5, resets: true };
    let mut pipe = Pipe::of(Way { limit_data: Some(limit), ..Way::default() });
    assert_eq!(pipe.comes(0, b"abc"), 0);
    assert_eq!(pipe.comes(0, b"defg"), 2);
    assert_eq!(pipe.valve.ends(), None, "what may pass is still here");

    pipe.until(10);

    assert_eq!(pipe.bytes(), b"abcde");
    assert_eq!(pipe.valve.ends(), Some(limit));
    assert_eq!(pipe.comes(10, b"more"), 4);
}

#[test]
fn in_a_black_hole_everything_vanishes() {
    let hole = Blackhole { closes_after: None };
    let mut pipe = Pipe::of(Way { blackhole: Some(hole), ..Way::default() });
    assert_eq!(pipe.comes(0, b"hello"), 5);

    pipe.until(1000);

    assert_eq!(pipe.passed, []);
}

#[test]
fn a_stall_keeps_everything_until_it_ends() {
    let mut pipe = Pipe::of(Way { stall: true, ..Way::default() });
    pipe.comes(0, b"hello");
    pipe.until(100_000);
    assert_eq!(pipe.passed, []);

    pipe.valve.clear();
    pipe.until(100_000);

    assert_eq!(pipe.bytes(), b"hello");
}

#[test]
fn as_many_bytes_are_changed_as_the_probability_says_and_the_same_ones_for_the_same_seed() {
    let changed = |probability: f64| {
        let mut pipe = Pipe::of(Way { corrupt: Some(probability), ..Way::default() });
        for _ in 0..100 {
            pipe.comes(0, &[7; 10_000]);
        }
        pipe.until(10);
        pipe.bytes().iter().enumerate().filter(|(_, byte)| **byte != 7).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let rare = changed(0.001);

    assert!((800..1200).contains(&rare.len()), "{} of 1,000 expected", rare.len());
    assert_eq!(rare, changed(0.001));
    let mut at_once = Pipe::of(Way { corrupt: Some(0.001), ..Way::default() });
    at_once.comes(0, &[7; 1_000_000]);
    at_once.until(10);
    let all_at_once = at_once.bytes();
    let changed_at_once = all_at_once.iter().enumerate().filter(|(_, byte)| **byte != 7).map(|(at, _)| at);
    assert!(changed_at_once.eq(rare.iter().copied()), "the same ones, however they come");
    assert_eq!((changed(0.0).len(), changed(1.0).len()), (0, 1_000_000));
}

#[test]
fn what_was_delayed_keeps_its_order_when_the_delay_gets_shorter() {
    let mut pipe = Pipe::of(latency(500, 0));
    pipe.comes(0, b"first");
    let shorter = latency(10, 0);
    pipe.valve.set(&shorter, &shorter, at(0));
    pipe.comes(5, b" second");

    pipe.until(1000);

    assert_eq!(pipe.bytes(), b"first second");
    assert_eq!(pipe.passed[0].0, 500);
}
