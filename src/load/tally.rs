//! What was counted. Latencies are kept in nanoseconds, in histograms that grow as they need to, so
//! nothing is clamped.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Three digits: a percentile is off by a thousandth at most.
const DIGITS: u8 = 3;
/// For one second's view, and for one connection, of which there are many.
const FEW_DIGITS: u8 = 1;

/// Of what the server said wrongly, enough is kept to know what it was: more than is shown, whatever the
/// characters.
const BYTES_KEPT: usize = 1000;

/// Latencies.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies::with_digits(DIGITS)
    }
}

impl Latencies {
    fn with_digits(digits: u8) -> Latencies {
        let mut histogram = Histogram::new(digits).expect("1 to 5 digits are allowed");
        histogram.auto(true);
        Latencies { histogram }
    }

    /// Latencies kept small rather than exact, to a tenth.
    pub fn coarse() -> Latencies {
        Latencies::with_digits(FEW_DIGITS)
    }

    /// Notes so many of the same latency.
    pub fn note(&mut self, latency: Duration, count: u64) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX / 2);
        let recorded = self.histogram.record_n(nanos.min(u64::MAX / 2), count);
        recorded.expect("a histogram that grows has a place for every value up to 2^63");
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Latencies) {
        self.histogram.add(&other.histogram).expect("a histogram that grows has room for another's values");
    }

    /// How many were noted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The latency below which so many percent lie, in milliseconds.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        self.histogram.value_at_quantile(percent / 100.0) as f64 / 1e6
    }

    /// The longest, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.histogram.max() as f64 / 1e6
    }

    /// The mean, in milliseconds.
    pub fn mean_ms(&self) -> f64 {
        self.histogram.mean() / 1e6
    }

    /// The histogram itself, in nanoseconds.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// HdrHistogram's percentile distribution, in milliseconds, as its plotters read it.
    pub fn hgrm(&self) -> String {
        use std::fmt::Write;
        let mut out = format!(
            "{:>12} {:>14} {:>10} {:>14}\n\n",
            "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
        );
        let mut total = 0;
        for step in self.histogram.iter_quantiles(5) {
            total += step.count_since_last_iteration();
            let (value, quantile) = (step.value_iterated_to() as f64 / 1e6, step.quantile_iterated_to());
            // Writing to a String cannot fail.
            let _ = if quantile < 1.0 {
                writeln!(out, "{value:>12.3} {quantile:>14.12} {total:>10} {:>14.2}", 1.0 / (1.0 - quantile))
            } else {
                writeln!(out, "{value:>12.3} {quantile:>14.12} {total:>10}")
            };
        }
        let (mean, deviation) = (self.mean_ms(), self.histogram.stdev() / 1e6);
        let (max, count) = (self.max_ms(), self.count());
        let _ = writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
        let _ = writeln!(out, "#[Max     = {max:>12.3}, Total count    = {count:>12}]");
        let _ = writeln!(
            out,
            "#[Buckets = {:>12}, SubBuckets     = {:>12}]",
            self.histogram.buckets(),
            self.histogram.distinct_values()
        );
        out
    }
}

/// What can go wrong with a connection or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody listens there.
    Refused,
    /// The connection was reset.
    Reset,
    /// No connection, or no reply, in time.
    TimedOut,
    /// The server finished before the run did.
    ClosedEarly,
    /// A reply was wrong: see `Wrong`.
    Mismatch,
    /// This process has no descriptors left.
    NoDescriptors,
    /// This machine has no ports left for another connection to the same place.
    NoPorts,
    /// The connection takes no more, and neither does the queue for it.
    QueueFull,
    /// Something else.
    Other,
}

impl Failure {
    /// All of them.
    pub const ALL: [Failure; 9] = [
        Failure::Refused,
        Failure::Reset,
        Failure::TimedOut,
        Failure::ClosedEarly,
        Failure::Mismatch,
        Failure::NoDescriptors,
        Failure::NoPorts,
        Failure::QueueFull,
        Failure::Other,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Failure::Refused => "refused",
            Failure::Reset => "reset",
            Failure::TimedOut => "timed out",
            Failure::ClosedEarly => "closed early",
            Failure::Mismatch => "mismatch",
            Failure::NoDescriptors => "no descriptors",
            Failure::NoPorts => "no ports",
            Failure::QueueFull => "queue full",
            Failure::Other => "other",
        }
    }
}

/// Replies that were not what they should have been. Messages are counted where whole ones are missing,
/// bytes everywhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// Messages that were left out.
    pub lost_messages: u64,
    /// Bytes of these.
    pub lost_bytes: u64,
    /// Bytes that came once more.
    pub duplicated_bytes: u64,
    /// Bytes that differed.
    pub corrupted_bytes: u64,
    /// Bytes that belong to another connection.
    pub cross_delivered_bytes: u64,
    /// Bytes that nobody asked for.
    pub unasked_bytes: u64,
}

/// All that one thread, or all together, counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Messages answered (or, where none is awaited, sent) within the time that counts.
    pub messages: u64,
    /// In a chat, how often a message reached somebody within that time.
    pub deliveries: u64,
    /// Bytes that came within that time.
    pub rx_bytes: u64,
    /// Bytes that were sent within that time.
    pub tx_bytes: u64,
    /// From when a message should have left (open loop), or did (closed loop), to its reply.
    pub latency: Latencies,
    /// In an open loop: from when a message did leave to its reply.
    pub service: Latencies,
    /// From dialling to being connected.
    pub connect: Latencies,
    /// Connections that came about.
    pub connected: u64,
    /// Messages without a reply at the end. They are in `latency` with their age.
    pub unanswered: u64,
    /// Messages of the schedule that had not even left at the end. They are in `latency` with their age.
    pub unsent: u64,
    /// What went wrong, and how often.
    pub failures: BTreeMap<Failure, u64>,
    /// What was wrong about replies.
    pub wrong: Wrong,
    /// The first thing the server said that nobody had asked for.
    pub first_unasked: Option<Vec<u8>>,
    /// The beginning of the first line that came in place of the fixed reply.
    pub first_other_reply: Option<Vec<u8>>,
    /// The first error in the system's words.
    pub first_error: Option<String>,
    /// The connection with the highest p99: its number, and that p99 in milliseconds.
    pub slowest: Option<(u64, f64)>,
    /// The time that counted.
    pub measured: Duration,
    /// Processor time that this used within it.
    pub processor: Duration,
    /// The part of its processor that the busiest thread used; none where too little time counted to tell.
    pub busiest: Option<f64>,
    /// In an open loop: whether the replies fell behind the schedule, more and more.
    pub fell_behind: bool,
    /// As a step of a search: whether it ended before its time because the replies were too far behind.
    pub gave_up: bool,
    /// Whether it was ended before its time by whoever ran it.
    pub interrupted: bool,
    /// Whether it ended before its time because no connection was left.
    pub cut_short: bool,
}

impl Tally {
    /// Counts a failure.
    pub fn fail(&mut self, failure: Failure, count: u64) {
        if count > 0 {
            *self.failures.entry(failure).or_default() += count;
        }
    }

    /// All failures together.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Adds what another thread counted at the same time.
    pub fn add(&mut self, other: Tally) {
        self.messages += other.messages;
        self.deliveries += other.deliveries;
        self.rx_bytes += other.rx_bytes;
        self.tx_bytes += other.tx_bytes;
        self.latency.add(&other.latency);
        self.service.add(&other.service);
        self.connect.add(&other.connect);
        self.connected += other.connected;
        self.unanswered += other.unanswered;
        self.unsent += other.unsent;
        for (failure, count) in other.failures {
            self.fail(failure, count);
        }
        self.wrong.lost_messages += other.wrong.lost_messages;
        self.wrong.lost_bytes += other.wrong.lost_bytes;
        self.wrong.duplicated_bytes += other.wrong.duplicated_bytes;
        self.wrong.corrupted_bytes += other.wrong.corrupted_bytes;
        self.wrong.cross_delivered_bytes += other.wrong.cross_delivered_bytes;
        self.wrong.unasked_bytes += other.wrong.unasked_bytes;
        self.first_unasked = self.first_unasked.take().or(other.first_unasked);
        self.first_other_reply = self.first_other_reply.take().or(other.first_other_reply);
        self.first_error = self.first_error.take().or(other.first_error);
        self.slowest = match (self.slowest, other.slowest) {
            (Some(mine), Some(theirs)) => Some(if theirs.1 > mine.1 { theirs } else { mine }),
            (mine, theirs) => mine.or(theirs),
        };
        self.measured = self.measured.max(other.measured);
        self.processor += other.processor;
        self.busiest = match (self.busiest, other.busiest) {
            (Some(mine), Some(theirs)) => Some(mine.max(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self.fell_behind |= other.fell_behind;
        self.gave_up |= other.gave_up;
        self.interrupted |= other.interrupted;
        // As long as one thread has connections left, the run goes on.
        self.cut_short &= other.cut_short;
    }
}

/// As much as is kept of what the server said wrongly.
pub fn beginning_of(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(BYTES_KEPT)].to_vec()
}

/// How long a slice of a run is.
pub const SLICE: Duration = Duration::from_millis(100);

/// What happened in one slice of the run, for the live view and the plot.
#[derive(Clone, Debug)]
pub struct Slice {
    /// How long the run is going on.
    pub at: Duration,
    /// How much of the time that counts has passed; none before.
    pub measured: Option<Duration>,
    /// Connections that are up.
    pub connections: u64,
    /// Messages answered (or deliveries, or messages sent) in it.
    pub messages: u64,
    /// Bytes both ways in it.
    pub bytes: u64,
    /// Latencies of what was answered in it.
    pub latency: Latencies,
    /// Failures so far.
    pub failures: u64,
    /// In an open loop, while it counts: messages that were due at its end and had no reply.
    pub backlog: Option<u64>,
}

impl Slice {
    /// Adds what another thread did in the same slice.
    pub fn add(&mut self, other: &Slice) {
        self.connections += other.connections;
        self.failures += other.failures;
        self.backlog = match (self.backlog, other.backlog) {
            (Some(mine), Some(theirs)) => Some(mine + theirs),
            (mine, theirs) => mine.or(theirs),
        };
        self.add_traffic(other);
    }

    /// Adds the slice that follows this one.
    pub fn append(&mut self, next: &Slice) {
        self.at = next.at;
        self.measured = next.measured;
        self.connections = next.connections;
        self.failures = next.failures;
        self.backlog = next.backlog;
        self.add_traffic(next);
    }

    fn add_traffic(&mut self, other: &Slice) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.latency.add(&other.latency);
    }
}
