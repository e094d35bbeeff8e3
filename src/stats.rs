//! Counters. They only grow; rates are for whoever reads them twice.

/// What the server has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections accepted or dialled.
    pub opened: u64,
    /// Connections that have ended.
    pub closed: u64,
    /// Newcomers turned away: the server was full.
    pub refused_full: u64,
    /// Newcomers turned away: their address is not allowed in.
    pub refused_address: u64,
    /// Accepts that failed.
    pub accept_errors: u64,
    /// Bytes read from peers.
    pub rx_bytes: u64,
    /// Bytes written to peers.
    pub tx_bytes: u64,
    /// Bytes read from connections that were already being closed, and thrown away.
    pub discarded_bytes: u64,
    /// Bytes that were queued for a connection when it ended.
    pub unsent_bytes: u64,
    /// Frames handed to the App.
    pub frames: u64,
    /// Connections dropped because they did not read.
    pub dropped_slow: u64,
    /// Turns of the loop.
    pub turns: u64,
}
