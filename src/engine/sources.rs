//! Where newcomers come from: how many of each source are here, and how fast they come. Kept only where a limit asks for
//! it, and bounded: by the connections that are here, and by `SOURCES_MAX`.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::clock::Moment;
use crate::conn::{Key, Peer};

/// Sources whose rate is remembered; beyond that the one is forgotten that was seen least recently. Each takes about a
/// hundred bytes.
const SOURCES_MAX: usize = 16_384;

/// Who counts as one: an IPv4 address, or the first 64 bits of an IPv6 address, since whoever has one of those mostly has
/// all of its net (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl Source {
    /// Where somebody comes from; nowhere, through a Unix socket.
    pub fn of(peer: &Peer) -> Option<Source> {
        Some(match peer.ip()? {
            IpAddr::V4(v4) => Source::V4(v4),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Source::V6([a, b, c, d])
            }
        })
    }
}

/// What is known of sources.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Where those come from who are here.
    of: HashMap<Key, Source>,
    here: HashMap<Source, u32>,
    recent: Recent,
}

impl Sources {
    /// How many of this source are here.
    pub fn count(&self, source: Source) -> u32 {
        self.here.get(&source).copied().unwrap_or(0)
    }

    /// One who comes from there is let in, under this key.
    pub fn enter(&mut self, key: Key, source: Source) {
        let before = self.of.insert(key, source);
        debug_assert!(before.is_none(), "whoever had this key was swept");
        *self.here.entry(source).or_default() += 1;
    }

    /// Who had this key has gone, wherever it came from.
    pub fn leave(&mut self, key: Key) {
        let Some(source) = self.of.remove(&key) else { return };
        if let Some(count) = self.here.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.here.remove(&source);
            }
        }
    }

    /// Whether nobody is known to be here.
    pub fn are_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Whether one more from there comes within the rate, which is so many a second, and as many at once after a second
    /// of none. Counts it if so.
    pub fn is_in_time(&mut self, source: Source, rate: u32, now: Moment) -> bool {
        self.recent.is_in_time(source, rate, now, SOURCES_MAX)
    }
}

/// The sources that were seen last. A source's bucket is one moment: when it would be full again.
#[derive(Debug, Default)]
struct Recent {
    /// By source: that moment, and when it was seen last.
    buckets: HashMap<Source, (Moment, u64)>,
    by_age: BTreeMap<u64, Source>,
    last_seen: u64,
}

impl Recent {
    fn is_in_time(&mut self, source: Source, rate: u32, now: Moment, sources_max: usize) -> bool {
        let each = Duration::from_secs(1) / rate.max(1);
        self.last_seen += 1;
        let (full_at, seen) = self.buckets.entry(source).or_insert((now, self.last_seen));
        let would_be = (*full_at).max(now) + each;
        let is_in_time = would_be.since(now) <= Duration::from_secs(1);
        if is_in_time {
            *full_at = would_be;
        }
        let before = std::mem::replace(seen, self.last_seen);
        self.by_age.remove(&before);
        self.by_age.insert(self.last_seen, source);
        if self.buckets.len() > sources_max
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.buckets.remove(&oldest);
        }
        is_in_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u8) -> Source {
        Source::V4([10, 0, 0, number].into())
    }

    fn at(ms: u64) -> Moment {
        Moment::after_start(Duration::from_millis(ms))
    }

    fn of(address: &str) -> Option<Source> {
        Source::of(&Peer::from(std::net::SocketAddr::new(address.parse().unwrap(), 1)))
    }

    #[test]
    fn a_net_of_64_bits_is_one_source_and_ipv4_in_ipv6_clothes_is_ipv4() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(Source::of(&Peer::Unix), None);
    }

    #[test]
    fn who_is_here_is_counted_until_it_goes_and_then_nothing_is_left() {
        let mut sources = Sources::default();
        (0..3).for_each(|key| sources.enter(Key(key), source(1)));
        sources.enter(Key(3), source(2));
        assert_eq!((sources.count(source(1)), sources.count(source(2))), (3, 1));

        sources.leave(Key(1));
        sources.leave(Key(1));
        sources.leave(Key(9));
        assert_eq!(sources.count(source(1)), 2);

        [0, 2, 3].into_iter().for_each(|key| sources.leave(Key(key)));
        assert!(sources.are_empty() && sources.here.is_empty());
    }

    #[test]
    fn a_second_of_them_may_come_at_once_and_then_one_at_a_time() {
        let mut recent = Recent::default();
        let mut come = |ms: u64| recent.is_in_time(source(1), 10, at(ms), 100);

        assert_eq!((0..12).filter(|_| come(1000)).count(), 10);
        assert_eq!((come(1099), come(1100), come(1100)), (false, true, false));
        // Who was turned away has spent nothing.
        assert_eq!((0..100).filter(|_| come(1150)).count(), 0);
        assert_eq!((come(1200), come(1200)), (true, false));
        // However long nobody came, no more than a second's worth is saved.
        assert_eq!((0..50).filter(|_| come(1_000_000)).count(), 10);
    }

    #[test]
    fn sources_do_not_spend_each_others_time() {
        let mut recent = Recent::default();
        for number in 0..50 {
            assert!(recent.is_in_time(source(number), 1, at(5), 100));
            assert!(!recent.is_in_time(source(number), 1, at(6), 100));
        }
    }

    #[test]
    fn the_one_that_was_seen_least_recently_is_forgotten_and_memory_is_bounded() {
        let mut recent = Recent::default();
        let mut come = |number, ms| recent.is_in_time(source(number), 1, at(ms), 3);
        (1..=3).for_each(|number| assert!(come(number, 0)));
        // Turned away, and seen.
        assert!(!come(1, 1));
        assert!(come(4, 2));

        assert_eq!((come(1, 3), come(3, 3), come(2, 3)), (false, false, true));
        assert_eq!((recent.buckets.len(), recent.by_age.len()), (3, 3));
    }
}
