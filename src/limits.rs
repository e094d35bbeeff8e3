//! Every limit of the server in one place. A size has its unit in its name; a time is a `Duration`.

use std::time::Duration;

use crate::process::{descriptors, memory};

/// How long a line may be before it is cut, 64 KiB.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// The bounds within which the server works. `Limits::default()` is what the manual promises.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most bytes read from one connection in one turn. It is also the size of the buffer that all
    /// connections are read into, so it bounds what one read can bring.
    pub read_budget_bytes: usize,
    /// Where a read brings at least this much, an App that only sends back what comes is left out (`Framing::Echo`).
    /// Below it, two moves through a pipe cost more than a copy in and a copy out.
    pub splice_bytes_min: usize,
    /// Most bytes written to one connection in one turn.
    pub write_budget_bytes: usize,
    /// Most bytes of a broadcast delivered in one turn, over all receivers; the walk over them goes on
    /// in the next turn.
    pub deliver_budget_bytes: usize,
    /// Most receivers that a broadcast is delivered to in one turn.
    pub deliver_budget_receivers: usize,
    /// While more than this was said to many and not yet delivered, nobody who talks to many is read:
    /// what one turn reads is multiplied by those who hear it.
    pub log_backlog_high_bytes: usize,
    /// A connection that has said more than so many pieces since it last heard everything (its neighbours in the
    /// log are others' words) gets a copy of its own of what it has not heard: each look at its place in the log
    /// is a walk over these pieces.
    pub own_pieces_max: u32,
    /// Most connections accepted from one listener in one turn.
    pub accept_budget: usize,
    /// Most messages taken from the mailbox in one turn.
    pub mail_budget: usize,
    /// A line longer than this is handed over in parts.
    pub line_bytes_max: usize,
    /// A peer whose outbox holds more than this is slow: whoever feeds it has to wait.
    pub outbox_high_bytes: usize,
    /// A slow peer is slow no longer when its outbox is down to this.
    pub outbox_low_bytes: usize,
    /// A peer that stays over this for `outbox_soft_max` is dropped.
    pub outbox_soft_bytes: usize,
    /// How long a peer may stay over `outbox_soft_bytes`.
    pub outbox_soft_max: Duration,
    /// An outbox never holds more than this (`--queue-max`).
    pub outbox_bytes_max: usize,
    /// What all connections together may have in memory: outboxes, unfinished lines, and what was said to
    /// many, which counts once. Beyond it the connection with the most queued is dropped first.
    pub buffers_bytes_max: usize,
    /// What a slow peer has to take within `keeps_up_window` to be waited for.
    pub keeps_up_bytes_min: usize,
    /// See `keeps_up_bytes_min`.
    pub keeps_up_window: Duration,
    /// A peer that takes nothing for this long while something is queued for it is dropped.
    pub write_stall_max: Duration,
    /// Most connections at a time (`--max-conns`).
    pub conns_max: usize,
    /// A message without a line ending is shown after this much silence, and five times as long after its first
    /// byte at the latest. A piece of a UTF-8 character is kept back until then, so that it can be shown whole.
    pub partial_after: Duration,
    /// How long a connection may take to come about, be it dialled or accepted with a handshake.
    pub connect_max: Duration,
    /// How long our side stays open once the peer has finished sending, counted from the last byte
    /// either way (`--half-open`).
    pub half_open_max: Duration,
    /// A connection on which nothing was said for this long, either way, is closed (`--idle`).
    pub idle_max: Option<Duration>,
    /// A closed connection is read (and what comes is discarded) until the peer has been silent for
    /// this long: closing with unread input would reset it, and the peer could lose our last bytes
    /// (RFC 2525, 2.17).
    pub linger_silence: Duration,
    /// The most that such a lingering close may last in all.
    pub linger_max: Duration,
    /// How long a stop waits for what is still queued (`--drain`).
    pub drain_max: Duration,
    /// How many newcomers may wait to be accepted. The kernel lowers it to its own limit
    /// (`net.core.somaxconn`); mio's own `bind` would ask for 128, and a storm of newcomers would be told
    /// to try again in a second.
    pub backlog: u32,
    /// A peer that is silent for this long is asked whether it is still there (TCP keepalive), three
    /// times, a third of this apart.
    pub keepalive_after: Duration,
    /// Bytes that a connected peer's system does not acknowledge for this long end the connection (RFC
    /// 5482). Not for connections that were dialled: a client waits for its one server.
    pub unacked_max: Duration,
    /// How long to wait before accepting again after an error that only time can mend, such as
    /// having no descriptors left (libev and HAProxy wait 100 ms, too).
    pub accept_retry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            read_budget_bytes: 64 << 10,
            splice_bytes_min: 16 << 10,
            write_budget_bytes: 256 << 10,
            deliver_budget_bytes: 8 << 20,
            deliver_budget_receivers: 4096,
            log_backlog_high_bytes: 256 << 10,
            own_pieces_max: 512,
            accept_budget: 32,
            mail_budget: 64,
            line_bytes_max: LINE_BYTES_MAX,
            outbox_high_bytes: 64 << 10,
            outbox_low_bytes: 16 << 10,
            outbox_soft_bytes: 1 << 20,
            outbox_soft_max: Duration::from_secs(10),
            outbox_bytes_max: 8 << 20,
            buffers_bytes_max: 4 << 30,
            keeps_up_bytes_min: 64 << 10,
            keeps_up_window: Duration::from_secs(1),
            write_stall_max: Duration::from_secs(30),
            conns_max: usize::MAX,
            partial_after: Duration::from_millis(200),
            connect_max: Duration::from_secs(60),
            half_open_max: Duration::from_secs(60),
            idle_max: None,
            linger_silence: Duration::from_secs(2),
            linger_max: Duration::from_secs(10),
            drain_max: Duration::from_secs(10),
            backlog: 4096,
            keepalive_after: Duration::from_secs(60),
            unacked_max: Duration::from_secs(60),
            accept_retry: Duration::from_millis(100),
        }
    }
}

impl Limits {
    /// The defaults, as far as this process may go: as many connections as it may have descriptors, whose soft limit
    /// is raised for that, and a quarter of its memory for their buffers, 4 GiB at most.
    pub fn of_this_process() -> Limits {
        let defaults = Limits::default();
        Limits {
            conns_max: defaults.conns_max.min(descriptors::connections_max()),
            buffers_bytes_max: memory::buffers_bytes_max(),
            ..defaults
        }
    }
}

#[cfg(any(test, feature = "simulator"))]
impl Limits {
    /// Limits that a few bytes reach.
    pub(crate) fn small() -> Limits {
        Limits {
            read_budget_bytes: 64,
            write_budget_bytes: 48,
            deliver_budget_bytes: 100,
            line_bytes_max: 40,
            outbox_high_bytes: 200,
            outbox_low_bytes: 50,
            outbox_soft_bytes: 400,
            outbox_bytes_max: 800,
            keeps_up_bytes_min: 50,
            connect_max: Duration::from_secs(4),
            half_open_max: Duration::from_secs(5),
            write_stall_max: Duration::from_secs(6),
            ..Limits::default()
        }
    }
}
