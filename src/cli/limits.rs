//! The server's limits as flags. Each has the name and the default that the manual gives it.

use std::time::Duration;

use clap::Args;

use super::{LARGEST, counts, duration, durations, rates, sizes, some_duration};
use crate::limits::Limits;

/// The limits, as they may be given. What is not given follows from the others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Most connections at a time; 1 to 10000000 [default: what the descriptor limit allows]
    #[arg(long, value_name = "N", value_parser = counts("1", "10000000"))]
    pub max_conns: Option<u32>,

    /// Most connections of one address at a time, or of one IPv6 net of 64 bits; 1 to 10000000 [default: as many as come]
    #[arg(long, value_name = "N", value_parser = counts("1", "10000000"))]
    max_per_ip: Option<u32>,

    /// Most newcomers a second from one address, or from one IPv6 net of 64 bits; 1/s to 1000000/s
    /// [default: as many as come]
    #[arg(long, value_name = "N/s", value_parser = rates("1/s", "1000000/s"))]
    max_rate: Option<u32>,

    // A line has to have room for the longest character, or it could not be cut between characters.
    /// Longest line; a longer one is shown in parts; 4 to 1G
    #[arg(long, value_name = "SIZE", default_value = "64K", value_parser = sizes("4", "1G"))]
    max_line: usize,

    // Less could not hold what one packet brings.
    /// Most that may be queued for one connection; 4K to 1024G
    #[arg(long, value_name = "SIZE", default_value = "8M", value_parser = sizes("4K", LARGEST))]
    queue_max: usize,

    /// A connection that has more than this queued for --queue-soft-for is dropped; 1 to 1024G [default: 1M]
    #[arg(long, value_name = "SIZE", value_parser = sizes("1", LARGEST))]
    queue_soft: Option<usize>,

    /// See --queue-soft; 1ms to 8760h
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_duration)]
    queue_soft_for: Duration,

    /// Whoever feeds a connection that has more than this queued waits for it; 1 to 1024G [default: 64K]
    #[arg(long, value_name = "SIZE", value_parser = sizes("1", LARGEST))]
    queue_high: Option<usize>,

    /// Until it is down to this; 1 to 1024G [default: a quarter of --queue-high]
    #[arg(long, value_name = "SIZE", value_parser = sizes("1", LARGEST))]
    queue_low: Option<usize>,

    /// A connection that takes nothing for this long, with something queued for it, is dropped; 1ms to 8760h
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = some_duration)]
    write_stall: Duration,

    /// All buffers together; who has most queued is dropped first; 64K to 1024G
    /// [default: a quarter of the memory, at most 4G]
    #[arg(long, value_name = "SIZE", value_parser = sizes("64K", LARGEST))]
    pub buffers_max: Option<usize>,

    /// Close a connection on which nothing was said for this long, unless a rule owes it an answer; 1ms to 8760h [default: never]
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    idle: Option<Duration>,

    /// How long a connection stays open for an answer once the peer has finished sending; one that a rule owes is waited
    /// for; 0s to 8760h
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    half_open: Duration,

    /// A message without a line ending is shown after this much silence, and five times as long after its first byte
    /// at the latest; 1ms to 8760h
    #[arg(long = "partial", alias = "partial-after", value_name = "DURATION", default_value = "200ms", value_parser = some_duration)]
    partial_after: Duration,

    /// How long the end waits for what is still queued; 0s to 8760h
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    drain: Duration,

    /// A closed connection is read, and what comes is thrown away, until it was silent for this long;
    /// 0s to 8760h
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    linger_silence: Duration,

    /// The most that this may last; 0s to 8760h
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    linger: Duration,

    // A buffer of this size is made at the start.
    /// Most that is read from one connection before the others have their turn; 512 to 64M [default: 64K]
    #[arg(long, value_name = "SIZE", value_parser = sizes("512", "64M"))]
    read_budget: Option<usize>,

    /// Most that is written to one connection before the others have their turn; 512 to 1G
    #[arg(long, value_name = "SIZE", default_value = "256K", value_parser = sizes("512", "1G"))]
    write_budget: usize,

    /// Most newcomers let in before the others have their turn; 1 to 65536
    #[arg(long, value_name = "N", default_value = "32", value_parser = counts("1", "65536"))]
    accept_budget: u32,

    /// How many newcomers may wait to be let in; 1 to 1000000
    #[arg(long, value_name = "N", default_value = "4096", value_parser = counts("1", "1000000"))]
    backlog: u32,

    // The system counts it in whole seconds (TCP_KEEPIDLE, up to 32767 of them) and asks three times within it.
    /// A silent peer is asked after this long whether it is still there; 3s to 9h
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = durations("3s", "9h"))]
    keepalive: Duration,

    // The system counts it in milliseconds, as a signed number of 32 bits (TCP_USER_TIMEOUT).
    /// A connection ends when the far system acknowledges nothing for this long; 1ms to 596h
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = durations("1ms", "596h"))]
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
        let together = limits.outbox_high_bytes.checked_add(limits.read_budget_bytes);
        if together.is_none_or(|bytes| bytes > limits.outbox_bytes_max) {
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
            accept_budget: self.accept_budget as usize,
            line_bytes_max: self.max_line,
            outbox_high_bytes: high,
            outbox_low_bytes: self.queue_low.unwrap_or(high / 4),
            outbox_soft_bytes: self.queue_soft.unwrap_or(default.outbox_soft_bytes.min(self.queue_max)),
            outbox_soft_max: self.queue_soft_for,
            outbox_bytes_max: self.queue_max,
            buffers_bytes_max: self.buffers_max.unwrap_or(default.buffers_bytes_max),
            write_stall_max: self.write_stall,
            conns_max: self.max_conns.map_or(usize::MAX, |conns| conns as usize),
            source_conns_max: self.max_per_ip,
            source_rate_max: self.max_rate,
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
