//! Why a connection ended.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use rustix::io::Errno;

use crate::conn::tls_end::{TlsEnd, TlsEndKind};

/// Why a connection ended. Each connection ends once, with one of these.
#[derive(Debug)]
pub enum Reason {
    /// Both sides had finished sending.
    Finished,
    /// The connection broke: reset by the peer, timed out, unreachable.
    Lost(io::Error),
    /// A dialled connection never came about.
    CannotConnect(io::Error),
    /// It was closed politely by whoever decides here, an operator or an App, perhaps with a word why.
    Kicked(String),
    /// It was reset by whoever decides here.
    WeReset,
    /// The peer had finished sending and nothing was said any more.
    HalfOpen(Duration),
    /// Nothing was said for the longest time allowed.
    Idle(Duration),
    /// More was queued for it than an outbox may hold.
    QueueFull,
    /// All buffers together were over their limit, and most was queued for it.
    BuffersFull,
    /// It stayed over the soft limit of its outbox for too long.
    ReadsTooSlowly(Duration),
    /// It took nothing of what was queued for it.
    ReadsNothing(Duration),
    /// Its place was needed for a newcomer, and its handshake was not done. Nobody had been told of it.
    PushedOut,
    /// The server stops.
    Stopping,
    /// The other side of its link has ended, in order.
    LinkEnded(u64),
    /// The other side of its link was reset, or lost.
    LinkReset(u64),
    /// It was to be linked to a connection that did not come about; why that was, in words.
    LinkFailed(u64, String),
    /// It was broken on purpose.
    Fault(FaultEnd),
    /// A rule, or a recording that is played, has ended it.
    Script(ScriptEnd),
}

/// Which fault has ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultEnd {
    /// `limit_data`, with a FIN.
    LimitData,
    /// `limit_data`, with a reset.
    LimitDataReset,
    /// `reset_peer`.
    ResetPeer,
    /// `blackhole`, after its time.
    Blackhole,
    /// `down`.
    Down,
}

/// What was said of itself and has ended a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    /// A text's `${close}`.
    Rule,
    /// A text's `${rst}`.
    RuleReset,
    /// A recording in which it was closed.
    Played,
    /// A recording in which it was reset.
    PlayedReset,
}

impl Reason {
    /// Whether its end is a reset.
    pub fn resets(&self) -> bool {
        match self {
            Reason::WeReset | Reason::LinkReset(_) => true,
            Reason::Script(end) => matches!(end, ScriptEnd::RuleReset | ScriptEnd::PlayedReset),
            Reason::Fault(fault) => !matches!(fault, FaultEnd::LimitData | FaultEnd::Blackhole),
            _ => false,
        }
    }

    /// Whether what was said may be cut short, which whoever it is linked to is told by a reset.
    pub(crate) fn breaks_off(&self) -> bool {
        self.resets() || matches!(self, Reason::Lost(_))
    }

    /// Whether the peer is still to be told of it, by an alert of TLS.
    pub(crate) fn is_told(&self) -> bool {
        matches!(self, Reason::Lost(error) if TlsEnd::of(error).is_some_and(|end| end.is_told))
    }

    /// Whether it ended before anybody was told that it had come: its handshake did not come about.
    pub(crate) fn is_of_an_unseen_one(&self) -> bool {
        let is_handshake = |end: &TlsEnd| end.kind == TlsEndKind::Handshake;
        matches!(self, Reason::Lost(error) if TlsEnd::of(error).is_some_and(is_handshake))
    }

    /// How TLS has ended it, if it has.
    pub fn tls_end(&self) -> Option<&TlsEnd> {
        match self {
            Reason::Lost(error) | Reason::CannotConnect(error) => TlsEnd::of(error),
            _ => None,
        }
    }

    /// One word for programs. Words may be added and never change meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Finished => "finished",
            Reason::Lost(error) => match (TlsEnd::of(error).map(|end| end.kind), error.kind()) {
                (Some(TlsEndKind::Handshake), _) => "tls-handshake",
                (Some(TlsEndKind::Alert), _) => "tls-alert",
                (Some(TlsEndKind::Broken), _) => "tls-broken",
                (Some(TlsEndKind::Truncated), _) => "truncated",
                (None, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => "reset",
                (None, io::ErrorKind::TimedOut) => "timed-out",
                (None, _) => "lost",
            },
            Reason::CannotConnect(_) => "cannot-connect",
            Reason::Kicked(_) => "kicked",
            Reason::WeReset => "we-reset",
            Reason::HalfOpen(_) => "half-open",
            Reason::Idle(_) => "idle",
            Reason::QueueFull => "queue-full",
            Reason::BuffersFull => "buffers-full",
            Reason::ReadsTooSlowly(_) => "reads-too-slowly",
            Reason::ReadsNothing(_) => "reads-nothing",
            Reason::PushedOut => "tls-handshake",
            Reason::Stopping => "stopping",
            Reason::LinkEnded(_) => "link-ended",
            Reason::LinkReset(_) => "link-reset",
            Reason::LinkFailed(..) => "link-failed",
            Reason::Fault(_) => "fault",
            Reason::Script(ScriptEnd::Rule) => "rule",
            Reason::Script(ScriptEnd::RuleReset) => "rule-reset",
            Reason::Script(ScriptEnd::Played) => "play",
            Reason::Script(ScriptEnd::PlayedReset) => "play-reset",
        }
    }
}

impl FaultEnd {
    /// The fault, as it is spelt.
    pub fn word(self) -> &'static str {
        match self {
            FaultEnd::LimitData | FaultEnd::LimitDataReset => "limit_data",
            FaultEnd::ResetPeer => "reset_peer",
            FaultEnd::Blackhole => "blackhole",
            FaultEnd::Down => "down",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Finished => f.write_str("both sides finished"),
            Reason::Lost(error) => match error.kind() {
                // What writing calls a broken pipe is the same reset.
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    f.write_str("reset by the peer")
                }
                _ => f.write_str(&in_words(error)),
            },
            Reason::CannotConnect(error) => f.write_str(&in_words(error)),
            Reason::Kicked(why) if why.is_empty() => f.write_str("kicked"),
            Reason::Kicked(why) => write!(f, "kicked: {why}"),
            Reason::WeReset => f.write_str("reset by the operator"),
            Reason::HalfOpen(limit) => write!(f, "it had finished, and nothing was said for {limit:?}"),
            Reason::Idle(limit) => write!(f, "idle for {limit:?}"),
            Reason::QueueFull => f.write_str("not reading, its queue is full"),
            Reason::BuffersFull => f.write_str("all buffers together are full, and it had the most"),
            Reason::ReadsTooSlowly(limit) => write!(f, "reading too slowly for {limit:?}"),
            Reason::ReadsNothing(limit) => write!(f, "read nothing for {limit:?}"),
            Reason::PushedOut => f.write_str("its place was needed before its handshake was done"),
            Reason::Stopping => f.write_str("the server stops"),
            Reason::LinkEnded(mate) => write!(f, "linked to #{mate}, which has ended"),
            Reason::LinkReset(mate) => write!(f, "linked to #{mate}, which was reset"),
            Reason::LinkFailed(mate, why) => write!(f, "linked to #{mate}, which did not come about: {why}"),
            Reason::Fault(fault) => write!(f, "broken on purpose: {}", fault.word()),
            Reason::Script(ScriptEnd::Rule) => f.write_str("closed by a rule"),
            Reason::Script(ScriptEnd::RuleReset) => f.write_str("reset by a rule"),
            Reason::Script(ScriptEnd::Played) => f.write_str("closed as in the recording"),
            Reason::Script(ScriptEnd::PlayedReset) => f.write_str("reset as in the recording"),
        }
    }
}

/// Whether a dial failed before it got anywhere: this machine has no way there. Of a name's addresses that is mostly
/// those of the family (IPv6, mostly) that it has no network for, which says nothing of the peer.
pub(crate) fn is_of_the_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
        || matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable)
}

/// Whether this process, or the system, has no descriptor left.
pub(crate) fn is_for_want_of_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// An error in the system's words alone: `Connection refused`, without the number behind it.
pub fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.find(" (os error ")) {
        (Some(_), Some(at)) => text[..at].to_owned(),
        _ => text,
    }
}

/// Turns an error into the line that a user reads: what was being done, to what, and why it failed.
pub fn cannot(what: impl fmt::Display) -> impl Fn(io::Error) -> String {
    move |error| format!("cannot {what}: {}", in_words(&error))
}
