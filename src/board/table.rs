//! Who is connected: the slab, in which a connection is found by its key, and the roster, in which it is found by the
//! number that people call it by. A key is used again, a number never is, so an id has both.

use std::ops::{Index, IndexMut};

use slab::Slab;

use crate::board::roster::Roster;
use crate::board::time::Time;
use crate::buffer::broadcast::Cursor;
use crate::conn::policy::Role;
use crate::conn::state::State;
use crate::conn::{Conn, ConnId, Key, Peer};

/// One who comes.
pub(crate) struct Newcomer {
    pub peer: Peer,
    pub role: Role,
    pub state: State,
    pub has_number: bool,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slab: Slab<Conn>,
    roster: Roster,
    last_serial: u64,
    /// The same of those without a number; they are few.
    others: Roster,
    last_other: u64,
    /// How often a connection was looked up, which a test bounds.
    #[cfg(test)]
    look_ups: std::cell::Cell<usize>,
}

impl Table {
    /// The key that the next connection will have.
    pub fn next_key(&self) -> Key {
        Key::of(self.slab.vacant_key())
    }

    /// Takes in a connection.
    pub fn add(&mut self, newcomer: Newcomer, cursor: Cursor, time: &Time) -> &mut Conn {
        let Newcomer { peer, role, state, has_number } = newcomer;
        let key = self.next_key();
        let (roster, last, before) = match has_number {
            true => (&mut self.roster, &mut self.last_serial, 0),
            false => (&mut self.others, &mut self.last_other, ConnId::FIRST_WITHOUT_NUMBER),
        };
        *last += 1;
        let id = ConnId { serial: before + *last, key };
        roster.add(id);
        let place = self.slab.insert(Conn::new(id, peer, role, state, cursor, time.listened(), time.now()));
        &mut self.slab[place]
    }

    /// Takes a connection out; its key may be used again from now on.
    pub fn remove(&mut self, key: Key) -> Conn {
        let conn = self.slab.remove(key.place());
        let slab = &self.slab;
        let roster = if conn.id.has_number() { &mut self.roster } else { &mut self.others };
        roster.remove_one(|id| slab.get(id.key.place()).is_some_and(|conn| conn.id == id));
        conn
    }

    /// The connection with this id, unless it was swept.
    pub fn get(&self, id: ConnId) -> Option<&Conn> {
        self.at(id.key).filter(|conn| conn.id == id)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.at_mut(id.key).filter(|conn| conn.id == id)
    }

    /// Whoever stands at this key now, if anybody does.
    pub fn at(&self, key: Key) -> Option<&Conn> {
        self.count_look_up();
        self.slab.get(key.place())
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, key: Key) -> Option<&mut Conn> {
        self.count_look_up();
        self.slab.get_mut(key.place())
    }

    /// The connection with this number, unless it is over.
    pub fn find(&self, serial: u64) -> Option<ConnId> {
        self.roster.find(serial).filter(|id| self.get(*id).is_some_and(|conn| !conn.is_over()))
    }

    /// Whether a connection has had this number, be it gone or not.
    pub fn has_seen(&self, serial: u64) -> bool {
        (1..=self.last_serial).contains(&serial)
    }

    /// All ids in the order they came, those without a number last; some may have left.
    pub fn ids(&self) -> impl Iterator<Item = ConnId> {
        self.roster.ids().iter().chain(self.others.ids()).copied()
    }

    /// The same of those without a number alone.
    pub fn others(&self) -> impl Iterator<Item = ConnId> {
        self.others.ids().iter().copied()
    }

    /// All connections, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &Conn> {
        self.slab.iter().map(|(_, conn)| conn)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    #[cfg(test)]
    pub fn look_ups(&self) -> usize {
        self.look_ups.get()
    }

    #[inline]
    fn count_look_up(&self) {
        #[cfg(test)]
        self.look_ups.set(self.look_ups.get() + 1);
    }
}

impl Index<Key> for Table {
    type Output = Conn;

    fn index(&self, key: Key) -> &Conn {
        self.count_look_up();
        &self.slab[key.place()]
    }
}

impl IndexMut<Key> for Table {
    fn index_mut(&mut self, key: Key) -> &mut Conn {
        self.count_look_up();
        &mut self.slab[key.place()]
    }
}
