//! The board's own books, made anew from its connections and compared. For tests and the simulator.

use super::Board;
use crate::conn::Conn;

impl Board {
    /// Checks every sum that is kept against what it is a sum of.
    pub(crate) fn check_sums(&self) {
        let count = |test: fn(&Conn) -> bool| self.conns.iter().filter(|(_, conn)| test(conn)).count();
        assert_eq!(self.audience, count(Conn::may_be_sent), "the audience");
        assert_eq!(self.lagging, count(|conn| conn.lagging), "those that lag behind");
        assert_eq!(self.holding_back, count(Conn::holds_back), "the brakes");
        assert_eq!(self.stats.opened - self.stats.closed, self.len() as u64, "opened, closed and here");
        let own_bytes: usize = self.conns.iter().map(|(_, conn)| conn.own_bytes()).sum();
        assert_eq!(self.own_bytes, own_bytes, "what the connections have in memory");
        assert!(self.buffered_bytes() <= self.limits.buffers_bytes_max, "the budget of all buffers");
        for (key, conn) in &self.conns {
            assert_eq!(conn.id.key as usize, key, "{}: its place in the slab", conn.id);
            assert!(
                conn.tail.bytes().len() <= self.limits.line_bytes_max,
                "{}: its unfinished line",
                conn.id
            );
            let is_queued = conn.is_over() == self.over.iter().any(|(key, _)| *key == conn.id.key);
            assert!(is_queued, "{}: on the list of those that ended, or not", conn.id);
        }
    }
}
