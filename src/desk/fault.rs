//! What is to be broken on purpose, as it is spelt: words with blanks between them, each about what a peer is sent
//! (`out:`, which need not be written), about what it sends (`in:`), or about the connection. What `Display` spells,
//! `FaultSpec::parse` reads back.

mod bad;

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use crate::clock::typed_duration;
use crate::conn::faults::{Blackhole, CloseFault, Faults, Latency, LimitData, Slicer, Way};
use crate::limits::typed_size;

pub use bad::BadFault;

/// What is to be broken, for how long, and about whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultSpec {
    /// What is broken.
    pub faults: Faults,
    /// All of it ends by itself after so long; in whole milliseconds, 24 h at most.
    pub lasts: Option<Duration>,
    /// Newcomers are reset at once.
    pub down: bool,
    /// The share of newcomers that it hits, from 0 to 1; all of them, where it is not there.
    pub toxicity: Option<f64>,
    /// What is left to chance follows from this.
    pub seed: Option<u64>,
}

/// A word of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Latency,
    Bandwidth,
    Slicer,
    LimitData,
    Blackhole,
    Stall,
    Corrupt,
    ResetPeer,
    SlowClose,
    NoClose,
    Down,
    Toxicity,
    Seed,
    For,
}

/// How a word is written.
#[derive(Debug)]
struct Entry {
    word: Word,
    name: &'static str,
    /// What would have been right.
    how: &'static str,
}

const fn entry(word: Word, name: &'static str, how: &'static str) -> Entry {
    Entry { word, name, how }
}

const WORDS: [Entry; 14] = [
    entry(Word::Latency, "latency", "latency=200ms, or latency=200ms,50ms with jitter; each up to 24h"),
    entry(Word::Bandwidth, "bandwidth", "bandwidth=10K, in bytes a second, 1 to 1024G"),
    entry(Word::Slicer, "slicer", "slicer=1, or slicer=1,5ms with a pause; 1 to 1G bytes, up to 24h"),
    entry(Word::LimitData, "limit_data", "limit_data=1000, or limit_data=1000,rst; 0 to 1024G bytes"),
    entry(Word::Blackhole, "blackhole", "blackhole, or blackhole=5s; up to 24h"),
    entry(Word::Stall, "stall", "stall"),
    entry(Word::Corrupt, "corrupt", "corrupt=0.001, from 0 to 1"),
    entry(Word::ResetPeer, "reset_peer", "reset_peer, or reset_peer=5s; up to 24h"),
    entry(Word::SlowClose, "slow_close", "slow_close=2s, up to 24h"),
    entry(Word::NoClose, "no_close", "no_close"),
    entry(Word::Down, "down", "down"),
    entry(Word::Toxicity, "toxicity", "toxicity=0.1, from 0 to 1"),
    entry(Word::Seed, "seed", "seed=7, a whole number below 2 to the 64th"),
    entry(Word::For, "for", "for=30s, from 1ms to 24h"),
];

/// A day is what a person plans for.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
const BYTES_MAX: u64 = 1 << 40;
const PIECE_BYTES_MAX: u64 = 1 << 30;

/// What a word is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Out,
    In,
    Whole,
}

impl FaultSpec {
    /// Reads it.
    ///
    /// # Errors
    /// The word that is wrong, and what would have been right.
    pub fn parse(text: &str) -> Result<FaultSpec, BadFault> {
        let mut reading = Reading::default();
        text.split_ascii_whitespace().try_for_each(|spelt| reading.take(spelt))?;
        if reading.seen.is_empty() { Err(BadFault::Nothing) } else { Ok(reading.spec) }
    }

    /// What holds of a connection, and for how much longer.
    pub fn holding(faults: &Faults, lasts: Option<Duration>) -> FaultSpec {
        FaultSpec { faults: faults.clone(), lasts, ..FaultSpec::default() }
    }

    /// Adds what stands in `more`; the same word is replaced.
    pub fn add(&mut self, more: &FaultSpec) {
        self.faults.add(&more.faults);
        self.lasts = more.lasts.or(self.lasts);
        self.down |= more.down;
        self.toxicity = more.toxicity.or(self.toxicity);
        self.seed = more.seed.or(self.seed);
    }

    /// Whether it breaks nothing, whatever it says about when and whom.
    pub fn breaks_nothing(&self) -> bool {
        self.faults.is_none() && !self.down
    }

    /// A word of it that is about newcomers alone.
    pub fn of_newcomers_only(&self) -> Option<&'static str> {
        match self {
            FaultSpec { down: true, .. } => Some("down"),
            FaultSpec { toxicity: Some(_), .. } => Some("toxicity"),
            FaultSpec { seed: Some(_), .. } => Some("seed"),
            _ => None,
        }
    }
}

fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|entry| entry.name)
}

/// All words, for whoever completes them: `latency=`, since it needs a value, but `stall`.
pub(super) fn spellings() -> impl Iterator<Item = String> {
    WORDS.iter().map(|entry| {
        let needs_value = entry.how.as_bytes().get(entry.name.len()) == Some(&b'=');
        format!("{}{}", entry.name, if needs_value { "=" } else { "" })
    })
}

impl Word {
    /// Whether each direction has one of its own.
    fn is_of_a_direction(self) -> bool {
        matches!(
            self,
            Word::Latency
                | Word::Bandwidth
                | Word::Slicer
                | Word::LimitData
                | Word::Blackhole
                | Word::Stall
                | Word::Corrupt
        )
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    spec: FaultSpec,
    seen: Vec<(Word, Side)>,
}

impl Reading {
    fn take(&mut self, spelt: &str) -> Result<(), BadFault> {
        let (side, rest) = match spelt.split_once(':') {
            Some(("out", rest)) => (Some(Side::Out), rest),
            Some(("in", rest)) => (Some(Side::In), rest),
            _ => (None, spelt),
        };
        let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
        let Some(entry) = WORDS.iter().find(|entry| entry.name == name) else {
            return Err(if spelt == "off" { BadFault::OffAlone } else { BadFault::unknown(name) });
        };
        match (side, entry.word.is_of_a_direction()) {
            (Some(_), false) => return Err(BadFault::NoDirection(entry.name)),
            (None, false) => self.see(entry, Side::Whole)?,
            (None, true) if entry.word == Word::Stall => {
                self.see(entry, Side::Out)?;
                self.see(entry, Side::In)?;
            }
            (side, true) => self.see(entry, side.unwrap_or(Side::Out))?,
        }
        if matches!(entry.word, Word::SlowClose | Word::NoClose) && self.spec.faults.close.is_some() {
            return Err(BadFault::SlowAndNoClose);
        }
        let read = match entry.word.is_of_a_direction() {
            true => self.read_of_way(entry.word, side, value),
            false => self.read_of_whole(entry.word, value),
        };
        read.ok_or_else(|| BadFault::unreadable(spelt, entry.how))
    }

    fn see(&mut self, entry: &Entry, side: Side) -> Result<(), BadFault> {
        if self.seen.contains(&(entry.word, side)) {
            return Err(BadFault::Twice(entry.name));
        }
        self.seen.push((entry.word, side));
        Ok(())
    }

    fn read_of_way(&mut self, word: Word, side: Option<Side>, value: Option<&str>) -> Option<()> {
        let Faults { outbound, inbound, .. } = &mut self.spec.faults;
        let way = if side == Some(Side::In) { &mut *inbound } else { &mut *outbound };
        let time_or_none = |text: Option<&str>| text.map_or(Some(Duration::ZERO), time);
        match word {
            Word::Latency => {
                let (delay, jitter) = pair(value?);
                way.latency = Some(Latency { delay: time(delay)?, jitter: time_or_none(jitter)? });
            }
            Word::Bandwidth => way.bandwidth = Some(NonZeroU64::new(bytes(value?, BYTES_MAX)?)?),
            Word::Slicer => {
                let (piece, pause) = pair(value?);
                let piece = usize::try_from(bytes(piece, PIECE_BYTES_MAX)?).ok()?;
                way.slicer = Some(Slicer { bytes: NonZeroUsize::new(piece)?, pause: time_or_none(pause)? });
            }
            Word::LimitData => {
                let (most, end) = pair(value?);
                let resets = end.map_or(Some(false), |end| (end == "rst").then_some(true))?;
                way.limit_data = Some(LimitData { bytes: bytes(most, BYTES_MAX)?, resets });
            }
            Word::Blackhole => {
                let closes_after = value.map_or(Some(None), |value| time(value).map(Some))?;
                way.blackhole = Some(Blackhole { closes_after });
            }
            Word::Corrupt => way.corrupt = Some(share(value?)?),
            // Without a direction it is about both.
            _ if value.is_some() => return None,
            _ => {
                way.stall = true;
                inbound.stall |= side.is_none();
            }
        }
        Some(())
    }

    fn read_of_whole(&mut self, word: Word, value: Option<&str>) -> Option<()> {
        let spec = &mut self.spec;
        match word {
            Word::ResetPeer => {
                spec.faults.reset_peer = Some(value.map_or(Some(Duration::ZERO), time)?);
            }
            Word::SlowClose => spec.faults.close = Some(CloseFault::Slow(time(value?)?)),
            Word::Toxicity => spec.toxicity = Some(share(value?)?),
            Word::Seed => {
                // Read by itself alone it would take a sign.
                let digits = value.filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?;
                spec.seed = Some(digits.parse().ok()?);
            }
            Word::For => spec.lasts = Some(time(value?).filter(|lasts| !lasts.is_zero())?),
            _ if value.is_some() => return None,
            Word::NoClose => spec.faults.close = Some(CloseFault::Never),
            _ => spec.down = true,
        }
        Some(())
    }
}

/// What stands in front of a comma, and behind it, if there is one.
fn pair(value: &str) -> (&str, Option<&str>) {
    value.split_once(',').map_or((value, None), |(first, second)| (first, Some(second)))
}

fn time(text: &str) -> Option<Duration> {
    typed_duration(text).filter(|time| *time <= TIME_MAX)
}

fn bytes(text: &str, most: u64) -> Option<u64> {
    typed_size(text).filter(|bytes| *bytes <= most)
}

/// `0.1`: digits and a point alone, no exponent.
fn share(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|share| is_plain && (0.0..=1.0).contains(share))
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let Faults { outbound, inbound, reset_peer, close } = &self.faults;
        let both_stall = outbound.stall && inbound.stall;
        push_way(&mut words, "out", outbound, both_stall);
        push_way(&mut words, "in", inbound, both_stall);
        if both_stall {
            words.push("stall".to_owned());
        }
        match reset_peer {
            Some(after) if after.is_zero() => words.push("reset_peer".to_owned()),
            Some(after) => words.push(format!("reset_peer={}", spelt_time(*after))),
            None => {}
        }
        match close {
            Some(CloseFault::Slow(later)) => words.push(format!("slow_close={}", spelt_time(*later))),
            Some(CloseFault::Never) => words.push("no_close".to_owned()),
            None => {}
        }
        if self.down {
            words.push("down".to_owned());
        }
        words.extend(self.toxicity.map(|share| format!("toxicity={share}")));
        words.extend(self.seed.map(|seed| format!("seed={seed}")));
        words.extend(self.lasts.map(|lasts| format!("for={}", spelt_time(lasts))));
        f.write_str(&words.join(" "))
    }
}

fn push_way(words: &mut Vec<String>, side: &str, way: &Way, both_stall: bool) {
    let Way { latency, bandwidth, slicer, limit_data, blackhole, stall, corrupt } = way;
    let mut push = |word: String| words.push(format!("{side}:{word}"));
    let second = |time: Duration| match time.is_zero() {
        true => String::new(),
        false => format!(",{}", spelt_time(time)),
    };
    if let Some(Latency { delay, jitter }) = latency {
        push(format!("latency={}{}", spelt_time(*delay), second(*jitter)));
    }
    if let Some(bandwidth) = bandwidth {
        push(format!("bandwidth={}", spelt_bytes(bandwidth.get())));
    }
    if let Some(Slicer { bytes, pause }) = slicer {
        push(format!("slicer={}{}", spelt_bytes(bytes.get() as u64), second(*pause)));
    }
    if let Some(LimitData { bytes, resets }) = limit_data {
        push(format!("limit_data={}{}", spelt_bytes(*bytes), if *resets { ",rst" } else { "" }));
    }
    match blackhole {
        Some(Blackhole { closes_after: Some(after) }) => push(format!("blackhole={}", spelt_time(*after))),
        Some(Blackhole { closes_after: None }) => push("blackhole".to_owned()),
        None => {}
    }
    if *stall && !both_stall {
        push("stall".to_owned());
    }
    if let Some(share) = corrupt {
        push(format!("corrupt={share}"));
    }
}

/// In the largest unit in which it is a whole number; as with limits, `60s` is no minute yet.
fn spelt_time(time: Duration) -> String {
    let (millis, seconds) = (time.as_millis(), time.as_secs());
    match seconds {
        _ if millis % 1000 != 0 => format!("{millis}ms"),
        7200.. if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        120.. if seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

fn spelt_bytes(bytes: u64) -> String {
    for (unit, shift) in [("G", 30), ("M", 20), ("K", 10)] {
        if bytes > 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests;
