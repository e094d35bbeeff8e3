//! One simulated connection, as the system sees it: our socket, the far end, and what is under way between them.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use super::toy::Toy;
use crate::clock::Moment;
use crate::conn::Key;
use crate::engine::note::Readiness;
use crate::simulator::far::Far;

/// One connection: our socket and its far end.
#[derive(Debug)]
pub(in crate::simulator) struct Sock {
    pub far: Far,
    /// Received, and not yet read by us: bytes, and what a toy of TLS has beside them.
    pub(super) inbox: VecDeque<u16>,
    /// Written by us, and not yet at the far end.
    pub(super) outgoing: VecDeque<u16>,
    /// At the far end, and not yet read there.
    pub arrived: VecDeque<u8>,
    pub(super) link: Link,
    /// What the system has to tell of it (`SO_ERROR`).
    pub(super) error: Option<ErrorKind>,
    /// The far end's FIN is here, behind the inbox.
    pub(super) fin_in: bool,
    pub(super) our_fin: Option<Moment>,
    /// When our FIN was to be sent first, and there was no room for it.
    pub(super) fin_blocked_at: Option<Moment>,
    /// A write found no room.
    pub(super) blocked: bool,
    pub(super) on_ready_list: bool,
    pub(super) key: Option<Key>,
    pub(super) aborts: bool,
    /// Reads stop short at any place, as where a layer between has its own buffers.
    pub(super) reads_short: bool,
    /// When something was last read or written.
    pub moved_at: Awake,
    /// When something was last written.
    pub wrote_at: Awake,
    /// How many times the poller had told everything when the far end last said something.
    pub said_after_polls: u64,
    /// When our side was closed.
    pub closed_at: Option<Moment>,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// Of them, those that the toy of TLS had yet to send when we dropped it.
    pub unsaid_bytes: u64,
    /// Written, and destroyed by a reset before the far end had it.
    pub lost_bytes: usize,
    pub record: Option<Box<Record>>,
    /// Where TLS is played.
    pub toy: Option<Box<Toy>>,
}

/// A moment, and for how long the engine had been stopped by then.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::simulator) struct Awake {
    pub at: Moment,
    pub stopped: Duration,
}

impl Awake {
    /// The time from `earlier` to here in which the engine was not stopped.
    pub fn awake_since(self, earlier: Awake) -> Duration {
        self.at.since(earlier.at).saturating_sub(self.stopped - earlier.stopped)
    }
}

/// All that went through a connection.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Record {
    /// By the far end, read or not.
    pub said: Vec<u8>,
    /// By us, lost or not.
    pub written: Vec<u8>,
    /// What the far end has read.
    pub heard: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Dialled by us; what will come of it.
    Dialing(Answer),
    Up,
    /// Reset or given up.
    Dead,
}

/// What a dial will meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    Refused,
    /// Nobody is there, and nobody says so.
    None,
}

impl Sock {
    /// A socket that nothing has happened to yet.
    pub(super) fn new(far: Far, link: Link, now: Awake) -> Sock {
        Sock {
            far,
            inbox: VecDeque::new(),
            outgoing: VecDeque::new(),
            arrived: VecDeque::new(),
            link,
            error: None,
            fin_in: false,
            our_fin: None,
            fin_blocked_at: None,
            blocked: false,
            on_ready_list: false,
            key: None,
            aborts: false,
            reads_short: false,
            moved_at: now,
            wrote_at: now,
            said_after_polls: 0,
            closed_at: None,
            read_bytes: 0,
            written_bytes: 0,
            unsaid_bytes: 0,
            lost_bytes: 0,
            record: None,
            toy: None,
        }
    }

    /// What epoll would say now, in the words that the reactor makes of it.
    pub(super) fn readiness(&self, buffer_bytes: usize) -> Readiness {
        let dead = self.link == Link::Dead;
        let both_finished = self.fin_in && self.our_fin.is_some();
        let hangup = dead || both_finished;
        let error_hinted = self.error.is_some() || hangup;
        let dialing = self.is_dialing();
        Readiness {
            readable: !self.inbox.is_empty() || self.fin_in || dead,
            writable: !dialing && (dead || self.has_room(buffer_bytes)),
            end_hinted: self.fin_in || hangup || error_hinted,
            error_hinted,
        }
    }

    /// Whether there is room worth an announcement: Linux waits for a third of the buffer.
    pub(super) fn has_room(&self, buffer_bytes: usize) -> bool {
        self.outgoing.len() <= buffer_bytes - buffer_bytes.div_ceil(3)
    }

    /// Whether the far end has more to say, or something on its way.
    pub(super) fn has_more_to_say(&self) -> bool {
        self.far.has_more_to_say() || self.toy.as_ref().is_some_and(|toy| toy.far_has_more())
    }

    /// All that the far end has said, where records are kept.
    pub fn said(&self) -> &[u8] {
        self.record.as_ref().map_or(&[], |record| &record.said)
    }

    /// What was read of that.
    pub fn read(&self) -> &[u8] {
        &self.said()[..self.read_bytes as usize]
    }

    /// Whether a read would bring something: bytes, an end not yet read, or an error.
    pub fn has_input(&self) -> bool {
        let has_unread = self.toy.as_ref().is_some_and(|toy| toy.has_unread());
        !self.inbox.is_empty() || has_unread || self.fin_in || self.link == Link::Dead
    }

    pub fn inbox_is_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Whether the system has an error to tell.
    pub fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// Whether a write would take something, or fail.
    pub fn takes_output(&self, buffer_bytes: usize) -> bool {
        self.link == Link::Dead || (self.link == Link::Up && self.has_room(buffer_bytes))
    }

    /// After a FIN a reset is called a broken pipe.
    pub(super) fn kind_of_reset(&self) -> ErrorKind {
        if self.fin_in { ErrorKind::BrokenPipe } else { ErrorKind::ConnectionReset }
    }

    /// Whether the engine ever took it in; whoever is turned away is written to all the same.
    pub fn was_watched(&self) -> bool {
        self.key.is_some()
    }

    pub fn is_dead(&self) -> bool {
        self.link == Link::Dead
    }

    /// Whether nothing of it will come any more but what has, since it broke off, or its protocol did.
    pub fn is_lost(&self) -> bool {
        self.is_dead() || self.toy.as_ref().is_some_and(|toy| toy.is_deaf())
    }

    pub fn is_dialing(&self) -> bool {
        matches!(self.link, Link::Dialing(_))
    }

    /// When our FIN was sent, or was to be.
    pub fn fin_due_at(&self) -> Option<Moment> {
        self.fin_blocked_at.or(self.our_fin)
    }

    /// Whether all that was written is at the far end, or lost.
    pub fn all_has_arrived(&self) -> bool {
        self.outgoing.is_empty() && !self.stream_has_unsent()
    }

    /// Whether its stream has something of its own to send, and was not broken off.
    pub fn stream_has_unsent(&self) -> bool {
        self.link == Link::Up && self.toy.as_ref().is_some_and(|toy| !toy.unsent.is_empty())
    }

    /// Whether our FIN was sent.
    pub fn our_fin_is_out(&self) -> bool {
        self.our_fin.is_some()
    }

    /// Whether the far end neither broke the connection nor left it.
    pub fn far_was_faithful(&self) -> bool {
        let far = &self.far;
        !far.has_reset && !far.is_closed && far.vanished_at.is_none()
    }

    /// The same, and it kept to its protocol, where it has one.
    pub fn far_kept_the_rules(&self) -> bool {
        self.far_was_faithful() && self.toy.as_ref().is_none_or(|toy| toy.far_was_faithful())
    }

    /// Whether the close was made a reset.
    pub fn is_aborted(&self) -> bool {
        self.aborts
    }
}
