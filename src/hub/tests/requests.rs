//! Many requests at random, while connections come, speak, stall and go: each has one reply, which carries its
//! reference, in order.

#[path = "../../../tests/commands/requests.rs"]
mod shared;

use shared::{Expected, Requests, carries};

use super::*;
use crate::buffer::framing::Framing;
use crate::modes::Console;

/// Connections at a time.
const CONNS_MAX: usize = 8;

/// A program at a desk, and everything that goes on beside it.
struct World {
    rig: Rig<Console>,
    requests: Requests,
    /// What is to be answered, in order.
    expected: VecDeque<Expected>,
    /// Sent and not yet read: it is cut anywhere.
    sent: Vec<u8>,
    replies: usize,
    /// The codes of those that were errors.
    codes: BTreeMap<String, usize>,
    /// The last number that a connection was given.
    last: u64,
    /// The number of what happened last.
    seq: u64,
}

impl World {
    fn new(seed: u64, limits: Limits) -> World {
        let rig = Rig::new(Console::new(Framing::Lines), Spelling::Json, DeskOptions::PIPE, limits);
        let requests = Requests::of_seed(seed);
        let (expected, codes) = (VecDeque::new(), BTreeMap::new());
        World { rig, requests, expected, sent: Vec::new(), replies: 0, codes, last: 0, seq: 0 }
    }

    fn ask(&mut self) {
        let newest = self.rig.engine.board.views().map(|view| view.id.serial()).max();
        self.last = self.last.max(newest.unwrap_or_default());
        let asked = self.requests.next(self.last);
        self.sent.extend_from_slice(&asked.line);
        self.sent.push(b'\n');
        self.expected.push_back(asked.expected);
    }

    fn post_some(&mut self, all: bool) {
        let count = if all { self.sent.len() } else { self.requests.below(self.sent.len() + 1) };
        let rest = self.sent.split_off(count);
        let bytes = mem::replace(&mut self.sent, rest);
        self.rig.type_bytes(bytes);
    }

    /// Somebody comes, speaks, reads or does not, or goes.
    fn happen(&mut self) {
        let World { rig, requests, .. } = self;
        while rig.engine.board.len() < CONNS_MAX && requests.one_in(2) {
            rig.connect();
        }
        let serials: Vec<u64> = rig.wires.keys().copied().collect();
        let Some(serial) = serials.get(requests.below(serials.len().max(1))).copied() else { return };
        match requests.below(16) {
            0..=6 => rig.says(serial, b"hello\nthere"),
            7 => rig.says(serial, &[b'x'; 3000]),
            8 | 9 => rig.wires[&serial].stalls(),
            10 | 11 => {
                rig.wires[&serial].takes_all();
                rig.note(serial, WRITABLE);
            }
            12 if requests.one_in(2) => rig.resets(serial),
            13 if requests.one_in(2) => rig.finishes(serial),
            12..=14 => rig.answers(Answer::Connected),
            _ => rig.answers(Answer::Refused(ErrorKind::ConnectionRefused)),
        }
        let ours_are_out: Vec<u64> =
            serials.into_iter().filter(|serial| rig.wires[serial].is_finished()).collect();
        ours_are_out.into_iter().for_each(|serial| rig.finishes(serial));
        let board = &rig.engine.board;
        rig.wires.retain(|serial, _| board.find(*serial).is_some());
        rig.outside.dialled.retain(|(serial, _)| board.find(*serial).is_some());
    }

    /// Looks at what was shown: replies in order, and the numbers of what happened without a hole.
    fn look(&mut self) {
        let shown = self.rig.shown();
        for reply in &shown.replies {
            let expected = self.expected.pop_front();
            let expected = expected.unwrap_or_else(|| panic!("nobody asked for {reply}"));
            assert!(carries(reply, &expected), "{expected:?} was answered by {reply}");
            self.replies += 1;
            let code = reply.split_once("\"code\":\"").and_then(|(_, rest)| rest.split('"').next());
            *self.codes.entry(code.unwrap_or("ok").to_owned()).or_default() += 1;
        }
        let mut seqs: Vec<u64> =
            shown.replies.iter().chain(&shown.events).filter_map(|line| seq_of(line)).collect();
        seqs.sort_unstable();
        for seq in seqs {
            assert_eq!(seq, self.seq + 1, "nothing is missed");
            self.seq = seq;
        }
    }

    fn run(&mut self, count: usize) {
        let until = self.replies + self.expected.len() + count;
        while self.replies + self.expected.len() < until {
            (0..1 + self.requests.below(20)).for_each(|_| self.ask());
            self.post_some(false);
            self.happen();
            let passes = if self.requests.one_in(60) { 7000 } else { [0, 0, 1, 20][self.requests.below(4)] };
            self.rig.turn_after(Duration::from_millis(passes));
            if self.requests.one_in(8) {
                self.rig.settle();
            }
            self.look();
        }
        self.post_some(true);
        self.rig.settle();
        self.look();
        assert_eq!(self.expected, [], "each has its reply");
    }

    /// The program says that it is to end; whoever asks for more is told.
    fn end(&mut self) {
        self.sent
            .extend_from_slice(b"{\"cmd\":\"every\",\"off\":\"all\"}\n{\"cmd\":\"quit\",\"ref\":\"q\"}\n");
        let of_the_end = [Expected::NoReference, Expected::Reference("\"q\"".into())];
        self.expected.extend(of_the_end);
        (0..100).for_each(|_| self.ask());
        self.post_some(true);
        self.rig.pass(0);
        self.look();
        assert_eq!(self.expected, [], "each has its reply");
        for _ in 0..20 {
            self.rig.pass(1000);
        }
        self.look();
        assert!(self.rig.engine.has_ended(), "what lingers is dropped in time");
    }

    /// Of those who have gone, nothing is kept.
    fn check_what_is_kept(&mut self) {
        let here = self.rig.engine.board.len();
        let desks = self.rig.hub.desks();
        assert!(desks.pending.all().len() <= here, "{:?}", desks.pending);
        assert!(desks.names.fitting("*").len() <= here, "{:?}", desks.names);
        assert!(desks.dialled.len() <= here, "{:?}", desks.dialled);
        assert!(desks.files.is_empty());
    }
}

fn seq_of(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(",\"seq\":")?;
    // What a peer said stands behind it, and replies without a number have none in front.
    if !line[..line.len() - rest.len()].ends_with(",\"seq\":") || line.find(",\"seq\":")? > 30 {
        return None;
    }
    rest.split([',', '}']).next()?.parse().ok()
}

#[test]
fn each_of_many_requests_has_one_reply_whatever_goes_on_beside_it() {
    let mut codes = BTreeMap::new();
    for (seed, limits) in [(1, Limits::small()), (2, Limits::default())] {
        let mut world = World::new(seed, limits);

        world.run(25_000);
        world.check_what_is_kept();
        world.end();

        world.check_what_is_kept();
        assert_eq!(world.rig.engine.board.buffered_bytes(), 0);
        codes.append(&mut world.codes);
    }

    let is_reached = |code: &&&str| {
        codes.contains_key(**code)
            || matches!(**code, "mute" | "file" | "no-target" | "not-yet" | "not-allowed")
    };
    let missing: Vec<&&str> = crate::desk::CODES.iter().filter(|code| !is_reached(code)).collect();
    assert!(missing.is_empty() && codes["ok"] > 5_000, "missing {missing:?} of {codes:?}");
}

/// A million of them; memory does not grow from the first hundred thousand on:
/// `cargo test --release --lib a_million_requests -- --ignored --nocapture`
#[test]
#[ignore = "a million requests"]
fn a_million_requests_have_a_million_replies_and_cost_no_memory() {
    let mut world = World::new(3, Limits::small());
    world.run(100_000);
    let before = resident_bytes();
    let began = std::time::Instant::now();

    for _ in 0..9 {
        world.run(100_000);
    }

    let (grown, took) = (resident_bytes().saturating_sub(before), began.elapsed());
    let told =
        format!("{} replies; the last 900,000 in {took:.1?}, {grown} bytes more in memory\n", world.replies);
    // A macro would be swallowed where the test passes, which is when it is wanted.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    assert!(world.replies >= 1_000_000 && grown < 4 << 20, "{told}");
    world.check_what_is_kept();
    world.end();
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
