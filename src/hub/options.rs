//! What an operator's surroundings are: how texts reach the peers, and what the end of stdin means.

/// How the operator's texts reach the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// As they were typed, to whoever is addressed; mostly whoever spoke last.
    Plain,
    /// As a participant's among others: with a name in front, and mostly to all.
    Participant,
    /// Not at all.
    Mute,
}

/// What the end of stdin means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStdinEof {
    /// The server goes on without an operator.
    Keep,
    /// It takes nobody new and ends when the last connection has.
    Drain,
    /// It ends, in order.
    Quit,
}

/// What an operator's surroundings are.
#[derive(Clone, Copy, Debug)]
pub struct OperatorOptions {
    /// How texts reach the peers.
    pub voice: Voice,
    /// What the end of stdin means.
    pub on_stdin_eof: OnStdinEof,
    /// Whether the operator's texts wait while a peer reads slowly. A program behind a pipe can wait;
    /// a person at a terminal is told instead.
    pub waits_for_slow: bool,
}
