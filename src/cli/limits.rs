//! The server's limits as flags. Each has the name and the default that the manual gives it.

use std::time::Duration;

use clap::Args;

use super::{count, duration, line_size, queue_size, some_duration, some_size};
use crate::limits::Limits;

/// The limits, as they may be given. What is not given follows from the others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Most connections at a time [default: what the descriptor limit allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_conns: Option<u32>,

    /// Longest line; a longer one is shown in parts
    #[arg(long, value_name = "SIZE", default_value = "64K", value_parser = line_size)]
    max_line: usize,

    /// Most that may be queued for one connection
    #[arg(long, value_name = "SIZE", default_value = "8M", value_parser = queue_size)]
    queue_max: usize,

    /// A connection that has more than this queued for --queue-soft-for is dropped [default: 1M]
    #[arg(long, value_name = "SIZE", value_parser = some_size)]
    queue_soft: Option<usize>,

    /// See --queue-soft
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_duration)]
    queue_soft_for: Duration,

    /// Whoever feeds a connection that has more than this queued waits for it [default: 64K]
    #[arg(long, value_name = "SIZE", value_parser = some_size)]
    queue_high: Option<usize>,

    /// Until it is down to this [default: a quarter of --queue-high]
    #[arg(long, value_name = "SIZE", value_parser = some_size)]
    queue_low: Option<usize>,

    /// A connection that takes nothing for this long, with something queued for it, is dropped
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = some_duration)]
    write_stall: Duration,

    /// All buffers together; who has most queued is dropped first [default: a quarter of the memory, at most 4G]
    #[arg(long, value_name = "SIZE", value_parser = some_size)]
    pub buffers_max: Option<usize>,

    /// Close a connection on which nothing was said for this long [default: never]
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    idle: Option<Duration>,

    /// How long a connection stays open for an answer once the peer has finished sending
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    half_open: Duration,

    /// A message without a line ending is shown after this much silence
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = some_duration)]
    partial_after: Duration,

    /// How long the end waits for what is still queued
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    drain: Duration,

    /// A closed connection is read, and what comes is thrown away, until it was silent for this long
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    linger_silence: Duration,

    /// The most that this may last
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    linger: Duration,

    /// Most that is read from one connection before the others have their turn
    #[arg(long, value_name = "SIZE", value_parser = some_size)]
    read_budget: Option<usize>,

    /// Most that is written to one connection before the others have their turn
    #[arg(long, value_name = "SIZE", default_value = "256K", value_parser = some_size)]
    write_budget: usize,

    /// Most newcomers let in before the others have their turn
    #[arg(long, value_name = "N", default_value = "32", value_parser = count)]
    accept_budget: usize,

    /// How many newcomers may wait to be let in
    #[arg(long, value_name = "N", default_value = "4096", value_parser = clap::value_parser!(u32).range(1..))]
    backlog: u32,

    /// A silent peer is asked after this long whether it is still there
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = seconds)]
    keepalive: Duration,

    /// A connection ends when the far system acknowledges nothing for this long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = unacked)]
    unacked: Duration,
}

impl LimitArgs {
    /// Whether the sizes go together.
    ///
    /// # Errors
    /// Why they do not.
    pub fn check(&self) -> Result<(), String> {
        let limits = self.limits();
        if limits.outbox_low_bytes > limits.outbox_high_bytes {
            return Err("--queue-low may not be more than --queue-high".into());
        }
        // One read more than the high water has to fit, or an echo would lose bytes.
        if limits.outbox_high_bytes + limits.read_budget_bytes > limits.outbox_bytes_max {
            return Err("--queue-high and --read-budget together may not be more than --queue-max".into());
        }
        if limits.outbox_soft_bytes > limits.outbox_bytes_max {
            return Err("--queue-soft may not be more than --queue-max".into());
        }
        Ok(())
    }

    /// The limits that were asked for. The number of connections is bounded by descriptors, too, and
    /// the memory by the machine's: that is for `main` to see to.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        // Where little may be queued, everything below that is smaller, too.
        let high = self.queue_high.unwrap_or(default.outbox_high_bytes.min(self.queue_max / 4));
        Limits {
            read_budget_bytes: self.read_budget.unwrap_or(default.read_budget_bytes.min(self.queue_max / 2)),
            write_budget_bytes: self.write_budget,
            accept_budget: self.accept_budget,
            line_bytes_max: self.max_line,
            outbox_high_bytes: high,
            outbox_low_bytes: self.queue_low.unwrap_or(high / 4),
            outbox_soft_bytes: self.queue_soft.unwrap_or(default.outbox_soft_bytes.min(self.queue_max)),
            outbox_soft_max: self.queue_soft_for,
            outbox_bytes_max: self.queue_max,
            buffers_bytes_max: self.buffers_max.unwrap_or(default.buffers_bytes_max),
            write_stall_max: self.write_stall,
            conns_max: self.max_conns.map_or(usize::MAX, |conns| conns as usize),
            partial_after: self.partial_after,
            half_open_max: self.half_open,
            idle_max: self.idle,
            linger_silence: self.linger_silence,
            linger_max: self.linger,
            drain_max: self.drain,
            backlog: self.backlog,
            keepalive_after: self.keepalive,
            unacked_max: self.unacked,
            ..default
        }
    }
}

/// The system counts these in whole seconds, and asks three times within it.
fn seconds(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| {
        match time.as_secs() {
            0..3 => Err("has to be at least 3s".into()),
            // TCP_KEEPIDLE takes no more (MAX_TCP_KEEPIDLE).
            3..=32767 => Ok(time),
            _ => Err("has to be at most 9h".into()),
        }
    })
}

/// The system counts this in milliseconds, as a signed number of 32 bits (TCP_USER_TIMEOUT).
fn unacked(text: &str) -> Result<Duration, String> {
    some_duration(text).and_then(|time| {
        if time.as_millis() > i32::MAX as u128 { Err("has to be at most 596h".into()) } else { Ok(time) }
    })
}
