//! Which connection has which name. What an operator or a list gave is a target; what a peer took for itself is only
//! shown, so that nobody steps into a name.

use std::collections::{HashMap, HashSet};

use crate::desk::{Who, folded, matcher};

/// Where a name came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operator or a list gave it.
    Given,
    /// The peer took it.
    Nick,
}

/// All names, both ways.
#[derive(Debug, Default)]
pub struct Names {
    by_serial: HashMap<u64, (Box<str>, Source)>,
    /// By the folded name.
    by_name: HashMap<String, u64>,
    /// Folded names that were ever given: no peer takes one of these, however long its owner is gone.
    given: HashSet<String>,
}

impl Names {
    /// The name of a connection. Where nobody has one, a message pays nothing for that.
    #[inline]
    pub fn of(&self, serial: u64) -> Option<&str> {
        if self.by_serial.is_empty() { None } else { self.look_up(serial) }
    }

    #[inline(never)]
    fn look_up(&self, serial: u64) -> Option<&str> {
        self.by_serial.get(&serial).map(|(name, _)| &**name)
    }

    /// Where the name of a connection came from, if it has one.
    pub fn source(&self, serial: u64) -> Option<Source> {
        self.by_serial.get(&serial).map(|(_, source)| *source)
    }

    /// How many have one.
    pub fn len(&self) -> usize {
        self.by_serial.len()
    }

    /// A connection, as it is shown.
    #[inline]
    pub fn who(&self, serial: u64) -> Who<'_> {
        Who { serial, name: self.of(serial) }
    }

    /// Who has exactly this name, whatever it came from.
    pub fn holder(&self, name: &str) -> Option<u64> {
        self.by_name.get(&folded(name)).copied()
    }

    /// The connection that is meant by a name.
    pub fn find(&self, name: &str) -> Option<u64> {
        self.holder(name).filter(|serial| self.is_given(*serial))
    }

    /// The connections that are meant by a glob, in the order they came. A pattern that is none fits nobody.
    pub fn fitting(&self, glob: &str) -> Vec<u64> {
        let mut serials = self.called(glob);
        serials.retain(|serial| self.is_given(*serial));
        serials
    }

    /// The connections whose name fits a glob, whatever it came from, in the order they came.
    pub fn called(&self, glob: &str) -> Vec<u64> {
        let Some(matcher) = matcher(glob) else { return Vec::new() };
        let fits = |(name, serial): (&String, &u64)| matcher.is_match(name).then_some(*serial);
        let mut serials: Vec<u64> = self.by_name.iter().filter_map(fits).collect();
        serials.sort_unstable();
        serials
    }

    fn is_given(&self, serial: u64) -> bool {
        self.by_serial.get(&serial).is_some_and(|(_, source)| *source == Source::Given)
    }

    /// Whether a peer may call itself so.
    pub fn is_free_for_a_nick(&self, name: &str, serial: u64) -> bool {
        let folded = folded(name);
        !self.given.contains(&folded) && self.by_name.get(&folded).is_none_or(|holder| *holder == serial)
    }

    /// Gives a connection a name, which must be nobody else's.
    pub fn set(&mut self, serial: u64, name: &str, source: Source) {
        self.remove(serial);
        let folded = folded(name);
        if source == Source::Given {
            self.given.insert(folded.clone());
        }
        let before = self.by_name.insert(folded, serial);
        debug_assert!(before.is_none(), "two connections never have one name");
        self.by_serial.insert(serial, (name.into(), source));
    }

    /// Keeps a name from being taken by a peer, without giving it to anybody.
    pub fn reserve(&mut self, name: &str) {
        self.given.insert(folded(name));
    }

    /// Takes a connection's name away. Returns whether it had one.
    pub fn remove(&mut self, serial: u64) -> bool {
        match self.by_serial.remove(&serial) {
            Some((name, _)) => {
                self.by_name.remove(&folded(&name));
                true
            }
            None => false,
        }
    }

    /// Whether this name is a peer's own choice, which gives way to an operator's.
    pub fn is_nick_of(&self, name: &str) -> Option<u64> {
        self.holder(name).filter(|serial| !self.is_given(*serial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_without_regard_to_case_and_a_nick_is_no_target() {
        let mut names = Names::default();
        names.set(3, "Lab-A", Source::Given);
        names.set(4, "ann", Source::Nick);
        names.set(5, "lab-b", Source::Given);

        assert_eq!(names.find("lAB-a"), Some(3));
        assert_eq!(names.find("ann"), None);
        assert_eq!(names.fitting("LAB-*"), [3, 5]);
        assert_eq!(names.fitting("*"), [3, 5]);
        assert_eq!(names.called("*"), [3, 4, 5]);
        assert_eq!(names.fitting("lab-[b-z]"), [5]);
        assert!(names.fitting("[").is_empty());
        assert_eq!(names.of(4), Some("ann"));
    }

    #[test]
    fn a_freed_name_is_no_peers_to_take() {
        let mut names = Names::default();
        names.set(3, "lab-a", Source::Given);
        names.remove(3);

        assert_eq!(names.find("lab-a"), None);
        assert!(!names.is_free_for_a_nick("LAB-A", 9));
        assert!(names.is_free_for_a_nick("ann", 9));
    }
}
