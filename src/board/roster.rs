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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Key;

    fn id(serial: u64) -> ConnId {
        ConnId { serial, key: Key::of(serial as usize) }
    }

    /// So many come, then all leave, the first first. `each` is told of each how many are left, and how often the
    /// roster has asked by then who is here.
    fn come_and_go(roster: &mut Roster, count: u64, mut each: impl FnMut(&Roster, usize, usize)) {
        (1..=count).for_each(|serial| roster.add(id(serial)));
        let mut looks = 0;
        for gone in 1..=count {
            let asked = std::cell::Cell::new(0);
            roster.remove_one(|id| {
                asked.set(asked.get() + 1);
                id.serial > gone
            });
            looks += asked.get();
            each(roster, (count - gone) as usize, looks);
        }
    }

    #[test]
    fn leaving_costs_two_looks_at_others_on_average_however_many_are_here() {
        for count in [1, 100, 10_000] {
            come_and_go(&mut Roster::default(), count, |_, left, looks| {
                let most = 2 * (count as usize - left);
                assert!(looks <= most, "{looks} looks, {most} at most, when {left} of {count} were left");
            });
        }
    }

    #[test]
    fn a_few_who_come_and_go_are_never_gone_through() {
        come_and_go(&mut Roster::default(), 64, |_, left, looks| {
            assert_eq!(looks, 0, "looks when {left} were left");
        });
    }

    #[test]
    fn who_is_remembered_is_bounded_by_who_is_here() {
        come_and_go(&mut Roster::default(), 10_000, |roster, left, _| {
            let (remembered, room) = (roster.ids().len(), roster.ids.capacity());
            assert!(remembered <= 2 * left + 64, "{remembered} are remembered, {left} are here");
            assert!(room <= 4 * left + 256, "there is room for {room}, {left} are here");
        });
    }

    #[test]
    fn a_newcomer_is_found_when_all_before_it_have_gone() {
        let mut roster = Roster::default();
        come_and_go(&mut roster, 65, |_, _, _| {});

        roster.add(id(66));

        assert_eq!(roster.ids(), [id(66)]);
        assert_eq!((roster.find(66), roster.find(65)), (Some(id(66)), None));
    }
}
