//! What a board says of its connections, and of what it was given for them.

use std::time::Duration;

use crate::board::Board;
use crate::clock::Moment;
use crate::conn::policy::Role;
use crate::conn::stream::Via;
use crate::conn::{ConnId, Inbound, Outbound, Peer};

/// What became of bytes given to `Board::send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// They are queued: this many bytes are now, these included.
    Queued(usize),
    /// They are queued, but the peer is slow: this many bytes are queued now.
    Slow(usize),
    /// They were not taken: this many bytes are queued already, and there is a limit.
    Full(usize),
    /// They were not taken: our direction of this connection is finished.
    Finished,
    /// They were not taken: the connection has ended.
    Gone,
}

/// What can be told of a connection.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Which one.
    pub id: ConnId,
    /// Who is at the other end; of one that is being dialled, the address that is tried, or what it is called before.
    pub peer: &'a Peer,
    /// What it is for.
    pub role: Role,
    /// What its bytes pass through, once it is connected.
    pub via: Via,
    /// The peer's direction.
    pub inbound: Inbound,
    /// Our direction.
    pub outbound: Outbound,
    /// Whether it is connected and neither being closed nor ended.
    pub is_open: bool,
    /// Whether it has ended before it was connected.
    pub never_came_about: bool,
    /// When it came, to the tenth of a second.
    pub opened_at: Moment,
    /// How long ago it last said something, or came, as far as silence is held against it.
    pub silent_for: Duration,
    /// How long ago it last took something, or came.
    pub took_nothing_for: Duration,
    /// Whether it is still being begun.
    pub is_connecting: bool,
    /// Bytes read from it.
    pub received_bytes: u64,
    /// Bytes written to it.
    pub sent_bytes: u64,
    /// Bytes queued for it.
    pub queued_bytes: usize,
    /// Bytes read from it that nobody was told, because it was being closed.
    pub discarded_bytes: usize,
    /// Whether the App has paused it.
    pub is_paused: bool,
    /// Whether it is slow: more was queued for it than the high water, and it has not yet caught up.
    pub is_slow: bool,
}

impl View<'_> {
    /// Whether it is sent what is given for it.
    pub fn may_be_sent(&self) -> bool {
        self.is_open && self.outbound == Outbound::Open
    }
}

impl Board {
    /// The connections without a number, in the order they came; they are few.
    pub fn without_number(&self) -> impl Iterator<Item = View<'_>> {
        self.table.others().filter_map(|id| self.view(id))
    }

    /// How many connections with a number there are, and how many bytes are queued for all of them together. Looks at
    /// each once, as they lie in memory.
    pub fn numbered(&self) -> (usize, u64) {
        let here = self.table.iter().filter(|conn| conn.id.has_number() && !conn.is_over());
        here.fold((0, 0), |(count, bytes), conn| {
            (count + 1, bytes + conn.queued_bytes(&self.shared.log) as u64)
        })
    }
}
