//! The board's sums, made again from its connections and compared. For tests and the simulator.

use super::Board;
use crate::board::shared::Shared;
use crate::buffer::framing::FRAMING_BYTES_MAX;
use crate::conn::attempt::Attempt;
use crate::conn::state::Stage;
use crate::conn::{Conn, Reading};

impl Board {
    /// Checks every sum that is kept against what it is a sum of.
    pub(crate) fn check_sums(&self) {
        let Shared { sums, stats, limits, work, .. } = &self.shared;
        let count = |test: fn(&Conn) -> bool| self.table.iter().filter(|conn| test(conn)).count();
        assert_eq!(sums.audience, count(Conn::hears), "the audience");
        assert_eq!(sums.lagging, count(|conn| conn.lagging), "those that lag behind");
        assert_eq!(sums.holding_back, count(|conn| conn.share().holds_back), "those that hold others back");
        assert_eq!(stats.opened - stats.closed, self.len() as u64, "opened, closed and here");
        let own_bytes: usize = self.table.iter().map(Conn::own_bytes).sum();
        assert_eq!(sums.own_bytes, own_bytes, "what the connections have in memory");
        assert!(self.buffered_bytes() <= limits.buffers_bytes_max, "the budget of all buffers");
        let kept = |conn: &Conn| conn.flow().map_or(0, |flow| flow.kept_bytes());
        let waiting: usize = self.table.iter().map(|conn| conn.tail.bytes().len() + kept(conn)).sum();
        let accounted_for = stats.delivered_bytes + stats.discarded_bytes + waiting as u64;
        assert_eq!(stats.received_bytes, accounted_for, "received, against delivered, discarded and begun");
        assert_eq!(self.shared.timers.len(), count(|conn| conn.timer().is_some()), "the timers");
        let blocked = self.table.iter().filter(|conn| conn.slow.is_some()).map(|conn| conn.id);
        assert_eq!(self.shared.blocked, blocked.collect(), "those that did not take all");
        for conn in self.table.iter() {
            assert!(self.table.get(conn.id).is_some(), "{}: its place in the table", conn.id);
            // Of one that was paused, what was read then may wait as well, be it for the sweep.
            let is_cut = conn.reading == Reading::Running && conn.delivers();
            let kept_max = if is_cut { 0 } else { limits.read_budget_bytes };
            let is_short = conn.tail.bytes().len() <= limits.line_bytes_max + FRAMING_BYTES_MAX + kept_max;
            assert!(is_short, "{}: its unfinished line", conn.id);
            let timer = conn.timer().filter(|when| !self.shared.timers.contains(&(*when, conn.id)));
            assert_eq!(timer, None, "{}: its timer", conn.id);
            let is_queued = conn.is_over() == work.over.iter().any(|(key, _)| *key == conn.id.key);
            assert!(is_queued, "{}: on the list of those that ended, or not", conn.id);
        }
        self.check_detours();
        self.check_dials();
    }

    /// Whoever is broken stands on the list of those to be looked at as often as it says, and links go both ways.
    fn check_detours(&self) {
        let flows = &self.shared.flows;
        let due_at = |conn: &Conn| conn.flow().and_then(|flow| flow.due_at);
        let with_time = self.table.iter().filter(|conn| due_at(conn).is_some()).count();
        assert_eq!(flows.len(), with_time, "the broken ones to be looked at");
        let detours =
            self.table.iter().filter(|conn| conn.has_detour() && !conn.is_over()).map(|conn| conn.id);
        assert_eq!(self.shared.detours, detours.collect(), "those that are broken or linked");
        for conn in self.table.iter() {
            let is_listed = due_at(conn).is_none_or(|when| flows.contains(&(when, conn.id)));
            assert!(is_listed, "{}: when it is to be looked at", conn.id);
            let Some(link) = conn.link() else { continue };
            let back = self.table.get(link.mate).and_then(Conn::link).map(|link| link.mate);
            assert_eq!(back, Some(conn.id), "{}: whom it is linked to is linked to it", conn.id);
        }
    }

    /// Only who is being dialled is to be begun, and once; and where more addresses are left, its state says so.
    fn check_dials(&self) {
        let Shared { work, untried, .. } = &self.shared;
        let attempt = |conn: Option<&Conn>| match conn.map(|conn| conn.state.stage()) {
            Some(Stage::Connecting(attempt)) => Some(*attempt),
            _ => None,
        };
        for (at, dial) in work.dials.iter().enumerate() {
            let tried = attempt(self.table.get(dial.id));
            assert!(matches!(tried, Some(Attempt::WithMore | Attempt::Last)), "{}: {tried:?}", dial.id);
            assert!(work.dials[..at].iter().all(|other| other.id != dial.id), "{}: begun twice", dial.id);
        }
        let mut with_more = 0;
        for (id, left) in untried.iter() {
            let has_more = attempt(self.table.get(id)).map(Attempt::has_more);
            assert_eq!(has_more, Some(left > 0), "{id}: {left} more addresses");
            with_more += usize::from(left > 0);
        }
        let says_so = |conn: &&Conn| attempt(Some(conn)).is_some_and(Attempt::has_more);
        let say_so = self.table.iter().filter(says_so).count();
        assert_eq!(say_so, with_more, "those with more addresses");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;
    use crate::address::Address;
    use crate::board::Dial;
    use crate::clock::Moment;
    use crate::conn::faults::Faults;
    use crate::conn::policy::Role;
    use crate::conn::reason::Reason;
    use crate::conn::state::State;
    use crate::conn::{ConnId, Link, Peer};
    use crate::limits::Limits;

    fn somewhere() -> Address {
        Address::Tcp(([127, 0, 0, 1], 1).into())
    }

    fn dial(id: ConnId) -> Dial {
        Dial { id, from: None, to: somewhere() }
    }

    /// It says so much more of a line without an end.
    fn goes_on(board: &mut Board, id: ConnId, bytes: usize) {
        let Board { table, shared, .. } = board;
        let conn = &mut table[id.key];
        let mut line = conn.tail.take();
        line.resize(line.len() + bytes, b'x');
        conn.tail.put(line, Moment::default());
        shared.account(conn);
        shared.stats.received_bytes += bytes as u64;
    }

    /// What the audit says of a board on which somebody has spoken, is sent something and has a timer, when this was
    /// done to it; nothing where it finds nothing wrong.
    fn found(sabotage: impl FnOnce(&mut Board, ConnId)) -> String {
        let mut board = Board::new(Limits::small());
        let id = board.add(Peer::Unix, Role::PEER, State::open()).id;
        goes_on(&mut board, id, 10);
        board.send(id, b"hello");
        board.set_timer(id, Moment::default());
        sabotage(&mut board, id);
        let panic = match catch_unwind(AssertUnwindSafe(|| board.check_sums())) {
            Ok(()) => return String::new(),
            Err(panic) => panic,
        };
        let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        literal.or_else(|| panic.downcast_ref().cloned()).expect("a panic says something")
    }

    #[test]
    fn a_board_whose_sums_are_right_passes() {
        let said = found(|board, _| {
            let id = board.dial_later(Role::PEER, Peer::Unix);
            board.dial_to(id, [somewhere(), somewhere()]);
        });

        assert_eq!(said, "");
    }

    #[test]
    fn a_wrong_sum_is_found() {
        type Sabotage = fn(&mut Board, ConnId);
        let cases: [(&str, Sabotage); 16] = [
            ("the audience", |board, _| board.shared.sums.audience += 1),
            ("those that lag behind", |board, _| board.shared.sums.lagging += 1),
            ("those that hold others back", |board, _| board.shared.sums.holding_back += 1),
            ("opened, closed and here", |board, _| board.shared.stats.opened += 1),
            ("what the connections have in memory", |board, _| board.shared.sums.own_bytes += 1),
            ("the budget of all buffers", |board, _| board.shared.limits.buffers_bytes_max = 1),
            ("received, against delivered", |board, _| board.shared.stats.received_bytes += 1),
            ("the timers", |board, _| board.shared.timers.clear()),
            ("those that did not take all", |board, _| board.shared.blocked.clear()),
            ("the broken ones to be looked at", |board, id| {
                board.shared.flows.insert((Moment::default(), id));
            }),
            ("those that are broken or linked", |board, id| {
                board.shared.detours.insert(id);
            }),
            ("#1: when it is to be looked at", |board, id| {
                board.add_faults(id, &Faults { reset_peer: Some(Duration::ZERO), ..Faults::default() }, 1);
                let other = board.dial(somewhere());
                board.shared.flows = [(Moment::default(), other)].into();
            }),
            ("#1: whom it is linked to is linked to it", |board, id| {
                let mate = board.dial(somewhere());
                board.shared.detours.insert(id);
                board.table[id.key].set_link(Some(Link {
                    mate,
                    is_held: false,
                    holds_mate: false,
                    comes_apart: false,
                }));
            }),
            ("#1: its timer", |board, id| {
                let later = Moment::default() + Duration::from_secs(1);
                board.table[id.key].set_timer(Some(later));
            }),
            ("#1: its unfinished line", |board, id| goes_on(board, id, 10_000)),
            ("#1: on the list of those that ended", |board, id| {
                board.shared.work.over.push((id.key, Reason::Stopping));
            }),
        ];

        for (expected, sabotage) in cases {
            let said = found(sabotage);
            assert!(said.contains(expected), "{expected}: {said:?}");
        }
    }

    #[test]
    fn a_dial_that_cannot_be_begun_is_found() {
        let of_an_open_one = found(|board, id| board.shared.work.dials.push(dial(id)));
        let twice = found(|board, _| {
            let id = board.dial(somewhere());
            board.shared.work.dials.push(dial(id));
        });
        let without_its_addresses = found(|board, _| {
            let id = board.dial_later(Role::PEER, Peer::Unix);
            board.dial_to(id, [somewhere(), somewhere()]);
            board.shared.untried.forget(id);
        });

        assert!(of_an_open_one.contains("#1: None"), "{of_an_open_one:?}");
        assert!(twice.contains("#2: begun twice"), "{twice:?}");
        assert!(without_its_addresses.contains("those with more addresses"), "{without_its_addresses:?}");
    }
}
