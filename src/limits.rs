//! Every limit of the server in one place. A size has its unit in its name; a time is a `Duration`. And sizes as they
//! are typed.

use std::time::Duration;

use crate::process::{descriptors, memory};

/// How long a line may be before it is cut, 64 KiB.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// A size as it is typed: a number of bytes, with K, M or G for powers of 1024, such as `64K`. One that is too large to
/// be counted is the largest there is.
pub(crate) fn typed_size(text: &str) -> Option<u64> {
    let (number, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        _ => (text, 0),
    };
    Some(typed_number(number)?.saturating_mul(1 << shift))
}

/// A number in digits alone; one that the type has no room for is the largest there is.
pub(crate) fn typed_number(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The bounds within which the server works. `Limits::of_this_process()` is where to start: the
/// defaults below, as far as the machine allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most bytes read from one connection in one turn. It is also the size of the buffer that all
    /// connections are read into, so it bounds what one read can bring.
    /// Default: 64 KiB.
    pub read_budget_bytes: usize,
    /// From this size of a read on, an echo is done by splice(2), without the App (`Framing::Echo`); below it two
    /// splices cost more than a read and a write. Default: 16 KiB.
    pub splice_bytes_min: usize,
    /// Most bytes written to one connection in one turn.
    /// Default: 256 KiB.
    pub write_budget_bytes: usize,
    /// Most bytes of a broadcast delivered in one turn, over all receivers; the walk over them goes on
    /// in the next turn.
    /// Default: 8 MiB.
    pub deliver_budget_bytes: usize,
    /// Most receivers that a broadcast is delivered to in one turn.
    /// Default: 4096.
    pub deliver_budget_receivers: usize,
    /// While more than this was broadcast and not yet written or queued for each who hears it, nobody whose role says
    /// `Backpressure::Everybody` is read: what one turn reads is multiplied by those who hear it.
    /// Default: 256 KiB.
    pub log_backlog_high_bytes: usize,
    /// A connection that has said more than so many pieces since it last heard everything (its neighbours in the
    /// log are others' words) gets a copy of its own of what it has not heard: each look at its place in the log
    /// is a walk over these pieces.
    /// Default: 512.
    pub own_pieces_max: u32,
    /// Most connections accepted from one listener in one turn.
    /// Default: 32.
    pub accept_budget: usize,
    /// Most messages taken from the mailbox in one turn.
    /// Default: 64.
    pub mail_budget: usize,
    /// A line, or any other message, longer than this is handed over in parts.
    /// Default: 64 KiB.
    pub line_bytes_max: usize,
    /// A peer whose outbox holds more than this is slow: whoever feeds it has to wait.
    /// Default: 64 KiB.
    pub outbox_high_bytes: usize,
    /// A slow peer is slow no longer when its outbox is down to this.
    /// Default: 16 KiB.
    pub outbox_low_bytes: usize,
    /// A peer that stays over this for `outbox_soft_max` is dropped.
    /// Default: 1 MiB.
    pub outbox_soft_bytes: usize,
    /// How long a peer may stay over `outbox_soft_bytes`.
    /// Default: 10 s.
    pub outbox_soft_max: Duration,
    /// An outbox never holds more than this (`--queue-max`).
    /// Default: 8 MiB.
    pub outbox_bytes_max: usize,
    /// What all connections together may have in memory: outboxes, unfinished lines, and what was said to
    /// many, which counts once. Beyond it the connection with the most queued is dropped first.
    /// Default: 4 GiB.
    pub buffers_bytes_max: usize,
    /// What a slow peer has to take within `keeps_up_window` to be waited for.
    /// Default: 64 KiB.
    pub keeps_up_bytes_min: usize,
    /// See `keeps_up_bytes_min`.
    /// Default: 1 s.
    pub keeps_up_window: Duration,
    /// A peer that takes nothing for this long while something is queued for it is dropped.
    /// Default: 30 s.
    pub write_stall_max: Duration,
    /// Most connections at a time (`--max-conns`).
    /// Default: as many as come.
    pub conns_max: usize,
    /// Most connections at a time that were accepted from one source: an IPv4 address, or the first 64 bits of an IPv6
    /// address (`--max-per-ip`). For connections of the role `PEER`, and not for those at Unix sockets.
    /// Default: as many as come.
    pub source_conns_max: Option<u32>,
    /// Most newcomers a second from one source, which may come at once after a second of none (`--max-rate`). The rates
    /// of the 16,384 sources that were seen last are known.
    /// Default: as many as come.
    pub source_rate_max: Option<u32>,
    /// A message without a line ending is shown after this much silence, and five times as long after its first
    /// byte at the latest. A piece of a UTF-8 character is kept back until then, so that it can be shown whole. The
    /// same holds for messages of other kinds that have begun, but for those that silence ends by itself
    /// (`Framing::Silence`).
    /// Default: 200 ms.
    pub partial_after: Duration,
    /// How long a connection that is dialled may take to come about, its handshake not included. Where it is dialled
    /// before its addresses are known, they have as long, and then each address has it anew.
    /// Default: 60 s.
    pub connect_max: Duration,
    /// How long a TLS handshake may take, once somebody is there (`--tls-handshake`).
    /// Default: 10 s.
    pub tls_handshake_max: Duration,
    /// So many TLS handshakes go on in one turn, and half as many newcomers are accepted at an address with TLS: each
    /// takes up to a third of a millisecond, in which nobody else is served.
    /// Default: 8.
    pub handshake_budget: usize,
    /// Where no connection is free, a newcomer takes the place of the oldest whose handshake is unfinished for so long;
    /// where more than half of all are unfinished, of the oldest in any case.
    /// Default: 1 s.
    pub handshake_grace: Duration,
    /// Of several addresses each but the last has only so long, if that is less than `connect_max`: one that swallows
    /// what it is sent would keep a good one waiting for a minute. By then a first packet that is lost has been sent
    /// again three times, after 1, 3 and 7 s (RFC 6298), so who is there has mostly answered.
    /// Default: 10 s.
    pub try_next_after: Duration,
    /// How long our side stays open once the peer has finished sending, counted from the last byte
    /// either way (`--half-open`).
    /// Default: 60 s.
    pub half_open_max: Duration,
    /// A connection on which nothing was said for this long, either way, is closed (`--idle`).
    /// Default: none.
    pub idle_max: Option<Duration>,
    /// A closed connection is read (and what comes is discarded) until the peer has been silent for
    /// this long: closing with unread input would reset it, and the peer could lose our last bytes
    /// (RFC 2525, 2.17).
    /// Default: 2 s.
    pub linger_silence: Duration,
    /// The most that such a lingering close may last in all.
    /// Default: 10 s.
    pub linger_max: Duration,
    /// How long a stop waits for what is still queued (`--drain`).
    /// Default: 10 s.
    pub drain_max: Duration,
    /// How many newcomers may wait to be accepted. The kernel lowers it to its own limit
    /// (`net.core.somaxconn`); mio's own `bind` would ask for 128, and a storm of newcomers would be told
    /// to try again in a second.
    /// Default: 4096.
    pub backlog: u32,
    /// The permissions of a Unix socket that is made here (`--unix-mode`): whoever may write to it may connect.
    /// Default: 0600, its owner's alone.
    pub unix_mode: u32,
    /// A peer that is silent for this long is asked whether it is still there (TCP keepalive), three
    /// times, a third of this apart.
    /// Default: 60 s.
    pub keepalive_after: Duration,
    /// Bytes that a connected peer's system does not acknowledge for this long end the connection (RFC
    /// 5482). Not for connections that were dialled: a client waits for its one server.
    /// Default: 60 s.
    pub unacked_max: Duration,
    /// How long to wait before accepting again after an error that only time can mend, such as
    /// having no descriptors left (libev and HAProxy wait 100 ms, too).
    /// Default: 100 ms.
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
            source_conns_max: None,
            source_rate_max: None,
            partial_after: Duration::from_millis(200),
            connect_max: Duration::from_secs(60),
            tls_handshake_max: Duration::from_secs(10),
            handshake_budget: 8,
            handshake_grace: Duration::from_secs(1),
            try_next_after: Duration::from_secs(10),
            half_open_max: Duration::from_secs(60),
            idle_max: None,
            linger_silence: Duration::from_secs(2),
            linger_max: Duration::from_secs(10),
            drain_max: Duration::from_secs(10),
            backlog: 4096,
            unix_mode: 0o600,
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
            conns_max: defaults.conns_max.min(descriptors::connections_of(descriptors::raise_limit())),
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
            tls_handshake_max: Duration::from_secs(3),
            handshake_budget: 2,
            try_next_after: Duration::from_secs(1),
            half_open_max: Duration::from_secs(5),
            write_stall_max: Duration::from_secs(6),
            ..Limits::default()
        }
    }
}
