//! When something is due next. Deletion is lazy: an entry that has expired is compared with its connection's current
//! deadline, so postponing one costs nothing; stale entries are purged once they are the majority.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Moment;
use crate::conn::ConnId;

/// A min-heap of (when, whose).
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Moment, ConnId)>>,
}

impl Deadlines {
    pub fn push(&mut self, when: Moment, whose: ConnId) {
        self.heap.push(Reverse((when, whose)));
    }

    /// How many there are, superseded ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest, whether or not it has come.
    pub fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((when, _))| *when)
    }

    /// Throws out those that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(Moment, ConnId) -> bool) {
        self.heap.retain(|Reverse((when, whose))| keep(*when, *whose));
        self.heap.shrink_to(2 * self.heap.len());
    }

    /// Takes out one that has come by `now`.
    pub fn pop_due(&mut self, now: Moment) -> Option<(Moment, ConnId)> {
        let Reverse((when, _)) = self.heap.peek()?;
        if *when > now {
            return None;
        }
        let due = self.heap.pop().map(|Reverse(entry)| entry);
        if self.heap.is_empty() {
            // A burst of deadlines should not be paid for by an idle server.
            self.heap = BinaryHeap::new();
        }
        due
    }
}
