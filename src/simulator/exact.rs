//! Faults through time as it passes in the simulated system: the engine sleeps until the moment that it says itself, and
//! what the far end gets is exact to the time that a turn takes.

use std::convert::Infallible;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use super::dice::Dice;
use super::far::Far;
use super::net::{Net, Sabotage, Terms};
use super::world::World;
use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::{Frame, Framing};
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::conn::faults::{CloseFault, Faults, Latency, Slicer, Way};
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::conn::reason::Reason;
use crate::engine::Sleep;
use crate::limits::Limits;

/// A turn takes less than this.
const TURN_MAX: Duration = Duration::from_micros(300);

/// What one is told and when, and nothing is done about it.
#[derive(Default)]
struct Listener {
    opened: Vec<ConnId>,
    heard: Vec<(Moment, usize)>,
    ended: Option<Moment>,
    closed: Option<Moment>,
}

impl App for Listener {
    type Message = Infallible;

    fn policy(&self, _role: Role) -> Policy {
        Policy { framing: Framing::Raw, backpressure: Backpressure::None, ..Policy::LINES }
    }

    fn opened(&mut self, id: ConnId, _board: &mut Board) {
        self.opened.push(id);
    }

    fn received(&mut self, _id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.heard.push((board.now(), frame.bytes.len()));
    }

    fn ended(&mut self, _id: ConnId, board: &mut Board) {
        self.ended = Some(board.now());
    }

    fn closed(&mut self, _id: ConnId, _why: &Reason, board: &mut Board) {
        self.closed = Some(board.now());
    }

    fn message(&mut self, message: Infallible, _board: &mut Board) {
        match message {}
    }
}

struct Bench {
    world: World<Listener>,
    id: ConnId,
    sock: usize,
    /// Since when the faults hold.
    began: Moment,
    /// What the far end had got after each turn that brought it something.
    got: Vec<(Moment, usize)>,
}

impl Bench {
    /// One that comes, is broken in this way, and says this then.
    fn of(faults: &Faults, says: usize) -> Bench {
        let terms = Terms {
            descriptors_max: 10,
            backlog_max: 10,
            buffer_bytes: 1 << 20,
            turbulence: 0,
            toys: false,
            keeps_records: true,
        };
        let dice = Dice::of_seed(1);
        let mut world = World::new(dice, terms, Limits::default(), Sabotage::None, Listener::default());
        world.knock(Far::saying(vec![b'y'; says]));
        world.turn(Duration::ZERO);
        world.turn(Duration::ZERO);
        let id = world.app.opened[0];
        let sock = world.net.look().number_of(id.key);
        world.engine.board.add_faults(id, faults, 7);
        let began = world.now;
        Bench { world, id, sock, began, got: Vec::new() }
    }

    fn net(&self) -> &Net {
        &self.world.net
    }

    /// Lets the far end say all it has to say.
    fn speaks(&self) {
        while self.net().look().sockets[self.sock].far.has_more_to_say() {
            self.net().touch().step(self.sock);
        }
    }

    /// Turns for so long, each time when the engine wants to, and notes what has come.
    fn run(&mut self, time: Duration) {
        let until = self.world.now + time;
        while self.world.now < until {
            let rest = self.world.engine.rest();
            let left = until.since(self.world.now);
            self.world.turn(left);
            assert!(rest != Sleep::None || self.world.now < until + TURN_MAX, "it comes to rest");
            let bytes = self.net().look().sockets[self.sock].written_bytes as usize;
            if self.got.last().map_or(bytes > 0, |(_, before)| bytes > *before) {
                self.got.push((self.world.engine.board.now(), bytes));
            }
        }
    }

    fn has_finished_at(&self) -> Option<Moment> {
        self.net().look().sockets[self.sock].fin_due_at()
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn outbound(way: Way) -> Faults {
    Faults { outbound: way, ..Faults::default() }
}

fn inbound(way: Way) -> Faults {
    Faults { inbound: way, ..Faults::default() }
}

fn latency(delay: Duration) -> Way {
    Way { latency: Some(Latency { delay, jitter: Duration::ZERO }), ..Way::default() }
}

/// That this came when it was to, or in the turn that ran then.
fn assert_is_at(when: Moment, expected: Moment) {
    let late = when.since(expected);
    assert!(when >= expected && late <= 2 * TURN_MAX, "{when:?} instead of {expected:?}");
}

#[test]
fn h59_latency_is_exact_to_the_turn_both_ways_and_for_the_end() {
    let delay = Duration::from_micros(123_457);
    let both = Faults { outbound: latency(delay), inbound: latency(delay), ..Faults::default() };
    let mut bench = Bench::of(&both, 5);
    bench.world.engine.board.send(bench.id, b"hello");
    let sent = bench.world.engine.board.now();
    bench.net().touch().calm_down();
    bench.speaks();
    bench.net().touch().step(bench.sock);
    let said = bench.world.now;

    bench.run(ms(1000));

    assert_eq!(bench.got.len(), 1);
    assert_is_at(bench.got[0].0, sent + delay);
    let Listener { heard, ended, .. } = &bench.world.app;
    assert_eq!(heard.iter().map(|(_, bytes)| bytes).sum::<usize>(), 5);
    assert_is_at(heard[0].0, said + delay);
    assert_is_at(ended.unwrap(), said + delay);
}

#[test]
fn h59_jitter_moves_each_chunk_within_its_bounds_and_none_past_another() {
    let jittered = Latency { delay: ms(50), jitter: ms(30) };
    let mut bench = Bench::of(&outbound(Way { latency: Some(jittered), ..Way::default() }), 0);
    let mut sent = Vec::new();
    for chunk in 0..100_u8 {
        bench.world.engine.board.send(bench.id, &[chunk; 3]);
        sent.push(bench.world.engine.board.now());
        bench.run(ms(4));
    }
    bench.run(ms(200));

    let kernel = bench.net().look();
    let written = &kernel.sockets[bench.sock].record.as_ref().unwrap().written;
    let expected: Vec<u8> = (0..100).flat_map(|chunk| [chunk; 3]).collect();
    assert_eq!(*written, expected, "in order");
    let came_at = |bytes: usize| bench.got.iter().find(|(_, got)| *got >= bytes).map(|(when, _)| *when);
    let delays: Vec<Duration> =
        sent.iter().enumerate().map(|(at, sent)| came_at(3 * at + 3).unwrap().since(*sent)).collect();
    assert!(delays.iter().all(|delay| (ms(20)..=ms(81)).contains(delay)), "{delays:?}");
    assert!(delays.iter().max().unwrap().saturating_sub(*delays.iter().min().unwrap()) > ms(30), "it varies");
}

#[test]
fn h59_each_tenth_of_a_second_brings_a_tenth_of_what_a_second_brings() {
    for rate in [1000, 10_240, 100_000] {
        let way = Way { bandwidth: NonZeroU64::new(rate), ..Way::default() };
        let mut bench = Bench::of(&outbound(way), 0);
        bench.world.engine.board.send(bench.id, &vec![b'x'; rate as usize * 2]);

        bench.run(ms(2500));

        let by = |time: Duration| {
            let until = bench.began + time;
            bench.got.iter().take_while(|(when, _)| *when <= until).last().map_or(0, |(_, bytes)| *bytes)
        };
        for tenth in 1..20 {
            let window = by(ms(100 * tenth)) - by(ms(100 * (tenth - 1)));
            let expected = rate as usize / 10;
            assert!(window.abs_diff(expected) <= expected / 9, "{window} of {expected} in tenth {tenth}");
        }
        assert_eq!(by(ms(2100)), 2 * rate as usize, "all of it after two seconds and a little");
        let all_at = bench.got.last().unwrap().0;
        assert!(all_at >= bench.began + ms(1999), "not sooner than it may: {all_at:?}");
    }
}

#[test]
fn h59_what_is_said_is_heard_at_the_pace_asked_for() {
    let way = Way { bandwidth: NonZeroU64::new(1000), ..Way::default() };
    let mut bench = Bench::of(&inbound(way), 1000);
    bench.speaks();

    bench.run(ms(1500));

    let heard = &bench.world.app.heard;
    let by = |time| -> usize {
        heard.iter().filter(|(when, _)| *when <= bench.began + time).map(|(_, bytes)| bytes).sum()
    };
    for tenth in 1..10 {
        assert!(by(ms(100 * tenth)).abs_diff(100 * tenth as usize) <= 11, "{}", by(ms(100 * tenth)));
    }
    assert_eq!(by(ms(1100)), 1000);
}

#[test]
fn h59_pieces_come_as_small_and_as_far_apart_as_asked_for() {
    let pause = Duration::from_micros(7_300);
    let slicer = Slicer { bytes: NonZeroUsize::new(3).unwrap(), pause };
    let way = Way { slicer: Some(slicer), ..Way::default() };
    let mut bench = Bench::of(&outbound(way), 0);
    bench.world.engine.board.send(bench.id, &[b'x'; 100]);

    bench.run(ms(1000));

    let sizes: Vec<usize> = bench.got.iter().map(|(_, bytes)| *bytes).collect();
    let expected: Vec<usize> = (1..=34).map(|piece| 100.min(3 * piece)).collect();
    assert_eq!(sizes, expected, "each piece has a turn of its own");
    for (one, next) in bench.got.iter().zip(&bench.got[1..]) {
        assert_is_at(next.0, one.0 + pause);
    }
}

#[test]
fn h59_what_is_stalled_comes_when_the_stall_ends_and_not_before() {
    let stall = Way { stall: true, ..Way::default() };
    let both = Faults { outbound: stall.clone(), inbound: stall, ..Faults::default() };
    let mut bench = Bench::of(&both, 5);
    bench.world.engine.board.send(bench.id, b"hello");
    bench.speaks();
    bench.run(ms(60_000));
    assert_eq!((bench.got.len(), bench.world.app.heard.len()), (0, 0));

    bench.world.engine.board.clear_faults(bench.id);
    let cleared = bench.world.now;
    bench.run(ms(10));

    assert_is_at(bench.got[0].0, cleared);
    let told = bench.world.app.heard[0];
    assert_eq!(told.1, 5);
    assert_is_at(told.0, cleared);
}

#[test]
fn h59_our_fin_comes_so_much_later_and_a_reset_when_it_was_asked_for() {
    let slow = Faults { close: Some(CloseFault::Slow(ms(2345))), ..Faults::default() };
    let mut bench = Bench::of(&slow, 0);
    bench.world.engine.board.finish(bench.id);
    bench.run(ms(1));
    let asked = bench.began;
    bench.run(ms(4000));
    assert_is_at(bench.has_finished_at().unwrap(), asked + ms(2345));

    let reset = Faults { reset_peer: Some(ms(777)), ..Faults::default() };
    let mut bench = Bench::of(&reset, 0);
    let asked = bench.world.engine.board.now();
    bench.run(ms(2000));
    assert_is_at(bench.world.app.closed.unwrap(), asked + ms(777));
    assert!(bench.net().look().sockets[bench.sock].is_aborted());
}
