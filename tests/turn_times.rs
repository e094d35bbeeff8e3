//! How long the turns of a loop take, over a real poller and a real clock.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use switchboard::{App, Board, Clock, ConnId, Frame, Limits, Reactor, TurnTimes};

/// How long its second turn takes at least.
const LONG: Duration = Duration::from_millis(20);

/// Wants five turns, notes what is known of them in each, and stops in the last.
struct Worker {
    clock: Clock,
    seen: Vec<TurnTimes>,
}

impl App for Worker {
    type Message = ();

    fn received(&mut self, _id: ConnId, _frame: Frame<'_>, _board: &mut Board) {}

    fn turn_ended(&mut self, board: &mut Board) {
        self.seen.push(board.turn_times().clone());
        match self.seen.len() {
            2 => while self.clock.now().since(board.now()) < LONG {},
            // The poller is slept in, too.
            3 => return board.wake_at(board.now() + Duration::from_millis(1)),
            5 => return board.stop(),
            _ => {}
        }
        board.call_again();
    }
}

fn run(before: impl FnOnce(&mut Board)) -> Vec<TurnTimes> {
    let (mut reactor, _mailbox) = Reactor::new(Limits::default()).unwrap();
    before(reactor.board());
    let clock = reactor.clock();
    reactor.run(Worker { clock, seen: Vec::new() }).unwrap().seen
}

#[test]
fn each_turn_is_timed_once_it_has_ended_where_somebody_has_asked_for_it() {
    let seen = run(Board::time_turns);

    let counts: Vec<u64> = seen.iter().map(TurnTimes::count).collect();
    assert_eq!(counts, [0, 1, 2, 3, 4]);
    let second = seen[2].sum() - seen[1].sum();
    assert!(second >= LONG, "the second turn took {second:?}, and at least {LONG:?} of that are known");
    let as_long = seen[2].count() - seen[2].up_to().filter(|(bound, _)| *bound < LONG).last().unwrap().1;
    assert!(as_long >= 1, "{:?}", seen[2]);
}

#[test]
fn no_turn_is_timed_where_nobody_has_asked_for_it() {
    let seen = run(|_| {});

    assert_eq!(seen, vec![TurnTimes::default(); 5]);
}
