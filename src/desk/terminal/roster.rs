//! Who is here, as far as events and replies have told: what the prompt, the counts and completion go by.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::desk::name::{folded, matcher};

/// What is known of a connection.
#[derive(Debug, Default)]
struct Conn {
    name: Option<String>,
    /// The peer has chosen its name for itself, so it is no target.
    is_nick: bool,
    waits: bool,
}

/// Those who are here.
#[derive(Debug, Default)]
pub struct Roster {
    conns: BTreeMap<u64, Conn>,
    by_name: HashMap<String, u64>,
    pending: usize,
    /// What these say goes on to others, so they wait for nobody here.
    linked: HashSet<u64>,
    last: Option<u64>,
    /// The highest number so far.
    newest: u64,
}

impl Roster {
    /// Whoever spoke last before, and the numbers that there were, are of the same run.
    pub fn follows(&mut self, before: &Roster) {
        (self.last, self.newest) = (before.last, before.newest);
    }

    /// Somebody has come.
    pub fn opened(&mut self, serial: u64, name: Option<&str>) {
        self.conns.entry(serial).or_default();
        self.newest = self.newest.max(serial);
        self.named(serial, name, false);
    }

    /// Somebody has said something; `waits`: and waits for an answer from now on. Returns whether that is news.
    pub fn spoke(&mut self, serial: u64, waits: bool) -> bool {
        let is_other = self.last.replace(serial) != Some(serial);
        self.waits(serial, waits) || is_other
    }

    /// Somebody waits for an answer from now on. Returns whether that is news.
    pub fn waits(&mut self, serial: u64, waits: bool) -> bool {
        if waits
            && let Some(conn) = self.conns.get_mut(&serial).filter(|conn| !conn.waits)
            && !self.linked.contains(&serial)
        {
            conn.waits = true;
            self.pending += 1;
            return true;
        }
        false
    }

    /// Somebody was sent something, or needs no answer any more.
    pub fn answered(&mut self, serial: u64) {
        if let Some(conn) = self.conns.get_mut(&serial).filter(|conn| conn.waits) {
            conn.waits = false;
            self.pending -= 1;
        }
    }

    /// All were sent something, but those who are left out.
    pub fn all_answered(&mut self, is_left_out: impl Fn(u64) -> bool) {
        for (serial, conn) in self.conns.iter_mut().filter(|(_, conn)| conn.waits) {
            conn.waits = is_left_out(*serial);
            self.pending -= usize::from(!conn.waits);
        }
    }

    /// What these say goes on to each other from now on, or no more.
    pub fn linked(&mut self, serials: [u64; 2], are_linked: bool) {
        for serial in serials {
            self.answered(serial);
            if are_linked {
                self.linked.insert(serial);
            } else {
                self.linked.remove(&serial);
            }
        }
    }

    /// Somebody has another name, or none.
    pub fn named(&mut self, serial: u64, name: Option<&str>, is_nick: bool) {
        let Some(conn) = self.conns.get_mut(&serial) else { return };
        if let Some(before) = conn.name.take() {
            self.by_name.remove(&folded(&before));
        }
        if let Some(name) = name {
            conn.name = Some(name.to_owned());
            conn.is_nick = is_nick;
            self.by_name.insert(folded(name), serial);
        }
    }

    /// Somebody has gone.
    pub fn closed(&mut self, serial: u64) {
        self.answered(serial);
        self.named(serial, None, false);
        self.conns.remove(&serial);
        self.linked.remove(&serial);
    }

    /// All who are here, in the order they came.
    pub fn serials(&self) -> impl Iterator<Item = u64> {
        self.conns.keys().copied()
    }

    /// Whether it is here.
    pub fn has(&self, serial: u64) -> bool {
        self.conns.contains_key(&serial)
    }

    /// Whether it is here, or was.
    pub fn has_seen(&self, serial: u64) -> bool {
        serial <= self.newest
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// How many wait for an answer.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Whoever spoke last, be it here or not.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// The name of a connection, if it has one.
    pub fn name(&self, serial: u64) -> Option<&str> {
        self.conns.get(&serial)?.name.as_deref()
    }

    /// Whoever is meant by a name.
    pub fn find(&self, name: &str) -> Option<u64> {
        self.by_name.get(&folded(name)).copied().filter(|serial| self.is_target(*serial))
    }

    /// Those who are meant by a glob, in the order they came.
    pub fn fitting(&self, glob: &str) -> Vec<u64> {
        let Some(matcher) = matcher(glob) else { return Vec::new() };
        let fits = |(name, serial): (&String, &u64)| {
            (matcher.is_match(name) && self.is_target(*serial)).then_some(*serial)
        };
        let mut serials: Vec<u64> = self.by_name.iter().filter_map(fits).collect();
        serials.sort_unstable();
        serials
    }

    /// All that may be written for those who are here: their numbers, and names that are targets.
    pub fn spellings(&self) -> impl Iterator<Item = String> {
        self.conns.iter().flat_map(|(serial, conn)| {
            let name = conn.name.clone().filter(|_| !conn.is_nick);
            [Some(serial.to_string()), name].into_iter().flatten()
        })
    }

    fn is_target(&self, serial: u64) -> bool {
        self.conns.get(&serial).is_some_and(|conn| !conn.is_nick)
    }
}
