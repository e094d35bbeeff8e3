//! The board's sums, made again from its connections and compared. For tests and the simulator.

use super::Board;
use crate::board::shared::Shared;
use crate::buffer::framing::FRAMING_BYTES_MAX;
use crate::conn::state::{Attempt, Stage};
use crate::conn::{Conn, Flow};

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
        let waiting: usize = self.table.iter().map(|conn| conn.tail.bytes().len()).sum();
        let accounted_for = stats.delivered_bytes + stats.discarded_bytes + waiting as u64;
        assert_eq!(stats.received_bytes, accounted_for, "received, against delivered, discarded and begun");
        assert_eq!(self.shared.timers.len(), count(|conn| conn.timer.is_some()), "the timers");
        for conn in self.table.iter() {
            assert!(self.table.get(conn.id).is_some(), "{}: its place in the table", conn.id);
            // Of one that was paused, what was read then may wait as well, be it for the sweep.
            let is_cut = conn.flow == Flow::Running && conn.delivers();
            let kept_max = if is_cut { 0 } else { limits.read_budget_bytes };
            let is_short = conn.tail.bytes().len() <= limits.line_bytes_max + FRAMING_BYTES_MAX + kept_max;
            assert!(is_short, "{}: its unfinished line", conn.id);
            let timer = conn.timer.filter(|when| !self.shared.timers.contains(&(*when, conn.id)));
            assert_eq!(timer, None, "{}: its timer", conn.id);
            let is_queued = conn.is_over() == work.over.iter().any(|(key, _)| *key == conn.id.key);
            assert!(is_queued, "{}: on the list of those that ended, or not", conn.id);
        }
        self.check_dials();
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
            let expected = if left == 0 { Attempt::Last } else { Attempt::WithMore };
            assert_eq!(attempt(self.table.get(id)), Some(expected), "{id}: {left} more addresses");
            with_more += usize::from(left > 0);
        }
        let say_so = self.table.iter().filter(|conn| attempt(Some(conn)) == Some(Attempt::WithMore)).count();
        assert_eq!(say_so, with_more, "those with more addresses");
    }
}
