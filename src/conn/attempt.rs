//! What is tried before a connection is one.

/// How far a dial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Where to connect to is not known yet, so nothing is tried.
    Awaited,
    /// An address is tried, and there are more where it fails.
    WithMore,
    /// The only address, or the last of several, is tried.
    Last,
    /// Somebody is there, and a handshake has to come about first.
    Reached {
        /// There are more addresses where it fails.
        has_more: bool,
    },
    /// It was accepted, and a handshake has to come about first.
    Handshake,
}

impl Attempt {
    /// Whether another address is tried where this one fails.
    pub fn has_more(self) -> bool {
        matches!(self, Attempt::WithMore | Attempt::Reached { has_more: true })
    }
}
