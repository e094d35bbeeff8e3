//! How far reading and writing got.

use std::io;

/// What reading brought.
#[derive(Debug)]
pub(crate) struct Fill {
    pub bytes: usize,
    pub then: FillEnd,
}

#[derive(Debug)]
pub(crate) enum FillEnd {
    /// Nothing is left for now.
    Drained,
    /// The budget is used up, or may be.
    More,
    /// The peer's FIN.
    Ended,
    Failed(io::Error),
}

/// How far writing got.
#[derive(Debug)]
pub(crate) struct Flush {
    pub bytes: usize,
    pub then: FlushEnd,
}

#[derive(Debug)]
pub(crate) enum FlushEnd {
    /// All that was queued is out.
    Done,
    /// The stream takes no more for now.
    Blocked,
    /// The budget is used up.
    More,
    Failed(io::Error),
}
