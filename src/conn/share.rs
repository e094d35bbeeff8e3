//! What a connection counts for among all.

/// What a connection counts for in the sums over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// It is sent what is broadcast.
    pub hears: bool,
    /// It is a slow reader that others wait for; who hears no broadcasts keeps nobody waiting.
    pub holds_back: bool,
}
