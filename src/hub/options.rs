//! What the desks' surroundings are: how texts reach the peers, what the end of stdin means, what is kept.

use crate::buffer::framing::Envelope;
use crate::desk::View;

/// How the operator's texts reach the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// As they were typed, to whoever is addressed; mostly whoever spoke last.
    Plain,
    /// As a participant's among others: with a name in front, and mostly to all.
    Participant,
    /// Not at all; bytes may still be sent.
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

/// What the desks' surroundings are.
#[derive(Clone, Copy, Debug)]
pub struct DeskOptions {
    /// How texts reach the peers.
    pub voice: Voice,
    /// What the end of stdin means.
    pub on_stdin_eof: OnStdinEof,
    /// Whether texts wait while a peer reads slowly. A program behind a pipe can wait; a person at a terminal is told
    /// instead, and a program that reads JSON is told in the reply.
    pub waits_for_slow: bool,
    /// Whether the last messages are kept from the start; else they are from the first time that somebody asks.
    pub keeps_history: bool,
    /// Whether whoever speaks waits for an answer: not where peers talk to each other.
    pub tracks_pending: bool,
    /// How messages are shown.
    pub view: View,
    /// What is put around a text on its way to a peer.
    pub envelope: Envelope,
    /// What is queued for a peer beyond this is told to programs.
    pub low_water_bytes: usize,
    /// Whether TLS is spoken with whoever is dialled, also where that does not stand in front of the address.
    pub dials_over_tls: bool,
    /// Whether whoever is dialled over TLS is judged by the system's authorities, which have to be read for that.
    pub trusts_system: bool,
    /// What nobody has given a seed for follows from this.
    pub chance: u64,
}

impl DeskOptions {
    /// A console's, in a pipe.
    pub const PIPE: DeskOptions = DeskOptions {
        voice: Voice::Plain,
        on_stdin_eof: OnStdinEof::Keep,
        waits_for_slow: true,
        keeps_history: false,
        tracks_pending: true,
        view: View::Text,
        envelope: Envelope::Lf,
        low_water_bytes: 16 << 10,
        dials_over_tls: false,
        trusts_system: false,
        chance: 0,
    };
}
