//! What is broken about a connection on purpose: as it was asked for, pure data. `flow` carries it out.
//!
//! The words are Toxiproxy's (<https://github.com/Shopify/toxiproxy#toxics>), where it has one; its downstream is what
//! the peer is sent.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// All that is broken about a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// What becomes of what it is sent.
    pub outbound: Way,
    /// What becomes of what it sends.
    pub inbound: Way,
    /// It is reset so long after this was asked for.
    pub reset_peer: Option<Duration>,
    /// When our FIN comes.
    pub close: Option<CloseFault>,
}

/// What is broken about one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Way {
    /// Each chunk comes later.
    pub latency: Option<Latency>,
    /// Most bytes a second, evenly.
    pub bandwidth: Option<NonZeroU64>,
    /// It comes in pieces.
    pub slicer: Option<Slicer>,
    /// The connection ends after so many more bytes.
    pub limit_data: Option<LimitData>,
    /// It vanishes.
    pub blackhole: Option<Blackhole>,
    /// Nothing is written, or read.
    pub stall: bool,
    /// Each byte is changed with this probability, which is between 0 and 1.
    pub corrupt: Option<f64>,
}

/// A delay. Order is kept, so a chunk with a shorter delay waits for the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// So much later.
    pub delay: Duration,
    /// Up to so much more, or less, each chunk anew.
    pub jitter: Duration,
}

/// Pieces, each a segment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicer {
    /// Most bytes of a piece.
    pub bytes: NonZeroUsize,
    /// How long after one the next comes at the earliest.
    pub pause: Duration,
}

/// An end after so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitData {
    /// So many pass.
    pub bytes: u64,
    /// Then comes a reset; else a FIN.
    pub resets: bool,
}

/// Everything vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blackhole {
    /// The connection is closed so long after this was asked for.
    pub closes_after: Option<Duration>,
}

/// When our FIN comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseFault {
    /// So long after it was due.
    Slow(Duration),
    /// Never.
    Never,
}

impl Faults {
    /// Whether nothing is broken.
    pub fn is_none(&self) -> bool {
        *self == Faults::default()
    }

    /// Adds what is broken in `more`; the same word is replaced.
    pub fn add(&mut self, more: &Faults) {
        self.outbound.add(&more.outbound);
        self.inbound.add(&more.inbound);
        self.reset_peer = more.reset_peer.or(self.reset_peer);
        self.close = more.close.or(self.close);
    }
}

impl Way {
    /// Whether nothing is broken.
    pub fn is_none(&self) -> bool {
        *self == Way::default()
    }

    fn add(&mut self, more: &Way) {
        self.latency = more.latency.or(self.latency);
        self.bandwidth = more.bandwidth.or(self.bandwidth);
        self.slicer = more.slicer.or(self.slicer);
        self.limit_data = more.limit_data.or(self.limit_data);
        self.blackhole = more.blackhole.or(self.blackhole);
        self.stall |= more.stall;
        self.corrupt = more.corrupt.or(self.corrupt);
    }
}
