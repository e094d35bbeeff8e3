//! Who is here, in the order they came: finds a connection by the number that people call it by.
//!
//! Serials only grow, so an append-only list stays sorted and a binary search finds one. Those who left
//! stay in it until they are the majority; whoever looks one up checks that it is still there.

use crate::conn::ConnId;

/// The ids of all connections, and of some that have left.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    ids: Vec<ConnId>,
    left: usize,
}

impl Roster {
    /// Adds a newcomer, whose serial is higher than any before.
    pub fn add(&mut self, id: ConnId) {
        debug_assert!(self.ids.last().is_none_or(|last| last.serial < id.serial));
        self.ids.push(id);
    }

    /// Notes that one has left. `is_here` must already say no for it.
    pub fn remove_one(&mut self, is_here: impl Fn(ConnId) -> bool) {
        self.left += 1;
        // The constant keeps a small roster from being gone through at each close.
        if self.left > 64 && self.left > self.ids.len() / 2 {
            self.ids.retain(|id| is_here(*id));
            self.ids.shrink_to(2 * self.ids.len());
            self.left = 0;
        }
    }

    /// The id with this serial; it may have left.
    pub fn find(&self, serial: u64) -> Option<ConnId> {
        let at = self.ids.binary_search_by_key(&serial, |id| id.serial).ok()?;
        Some(self.ids[at])
    }

    /// All ids in the order they came; some may have left.
    pub fn ids(&self) -> &[ConnId] {
        &self.ids
    }
}
