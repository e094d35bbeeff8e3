//! What every desk is told: what happened, typed. How it looks is the faces' affair.

use std::time::Duration;

use crate::buffer::framing::{Frame, Framing};
use crate::conn::Peer;
use crate::conn::reason::Reason;
use crate::conn::stream::Via;

use super::fault::FaultSpec;
use super::protocol::Protocol;

/// A connection, as it is shown: never by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    /// Its number.
    pub serial: u64,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
}

/// A desk. The first is this process's stdin and stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeskId(pub u32);

/// Somebody at a desk, as the other desks are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator<'a> {
    /// At which.
    pub desk: DeskId,
    /// What it is called, if it has said so.
    pub name: Option<&'a str>,
    /// It only looks on.
    pub watches: bool,
}

/// Who has said something to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// Whoever is at this desk.
    Desk(DeskId),
    /// An `/every`.
    Every,
    /// A greeting for newcomers.
    Greet,
    /// A rule that answers messages.
    Reply,
    /// A recording that is played.
    Play,
    /// Whom it is linked to: what that one has said is passed on.
    Link,
    /// An echo.
    Echo,
}

impl Author {
    /// One word for whoever is no desk.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Author::Desk(_) => None,
            Author::Every => Some("every"),
            Author::Greet => Some("greet"),
            Author::Reply => Some("reply"),
            Author::Play => Some("play"),
            Author::Link => Some("link"),
            Author::Echo => Some("echo"),
        }
    }
}

/// Who has given a connection its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namer {
    /// Whoever is at this desk.
    Desk(DeskId),
    /// A list of names.
    List,
    /// The peer itself: such a name is no target.
    Peer,
}

impl Namer {
    /// The desk, if it was one.
    pub fn desk(self) -> Option<DeskId> {
        if let Namer::Desk(desk) = self { Some(desk) } else { None }
    }
}

/// To whom something was sent.
#[derive(Clone, Copy, Debug)]
pub enum Receivers<'a> {
    /// One connection.
    One(u64),
    /// Several.
    Several(&'a [u64]),
    /// Everybody.
    All,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The server listens at this address, and cuts what is said to it there in this way.
    Listening(&'a str, Framing),
    /// Somebody connected, or a dial came about.
    Opened {
        /// Who.
        who: Who<'a>,
        /// From where, or where to.
        peer: &'a Peer,
        /// It was us who connected.
        dialled: bool,
        /// Whose target's side it is, where it was dialled for a newcomer.
        client: Option<u64>,
        /// What its bytes pass through.
        via: Via,
    },
    /// The first bytes of a connection are of something that has a name, and is mostly spoken elsewhere.
    Speaks {
        /// Who.
        who: Who<'a>,
        /// What.
        protocol: Protocol,
        /// It was us who connected.
        dialled: bool,
    },
    /// A peer said something.
    Message(Who<'a>, Frame<'a>),
    /// Something was sent.
    Sent {
        /// By whom.
        by: Author,
        /// To whom.
        to: Receivers<'a>,
        /// What, with its ending or whatever frames it, and without who says it.
        bytes: &'a [u8],
    },
    /// A connection was sent something of itself, which nobody has typed.
    Answered {
        /// Which.
        who: Who<'a>,
        /// By what.
        by: Author,
        /// Exactly this.
        bytes: &'a [u8],
    },
    /// A peer has finished sending. Our side stays open for an answer for so long, or does not.
    Ended(Who<'a>, Option<Duration>),
    /// Our side of a connection is finished, and it is still heard. Programs alone are told: for people there is the reply,
    /// or what it follows from.
    Finished(Who<'a>),
    /// A connection has ended.
    Closed {
        /// Which.
        who: Who<'a>,
        /// Why.
        why: &'a Reason,
        /// Who it was, where that was not told before: its handshake did not come about.
        unseen: Option<&'a Peer>,
        /// Bytes it sent.
        received_bytes: u64,
        /// Bytes it was sent.
        sent_bytes: u64,
        /// Bytes that were queued for it and are lost.
        unsent_bytes: usize,
        /// Bytes that it said when it was being closed, and that were thrown away.
        discarded_bytes: usize,
    },
    /// A connection has another name, or none any more.
    Named(Who<'a>, Namer),
    /// Bytes pass between these two from now on, as somebody at this desk has asked.
    Linked(Who<'a>, Who<'a>, DeskId),
    /// They do no more.
    Unlinked(Who<'a>, Who<'a>, DeskId),
    /// A connection was struck off the list of those who wait.
    Done(Who<'a>, DeskId),
    /// Much was queued for a connection; it has taken nearly all of it.
    Drained(Who<'a>),
    /// A file went out, whole or as far as this error.
    FileSent {
        /// To whom, if it was one.
        whom: Option<Who<'a>>,
        /// Which.
        path: &'a str,
        /// How much of it.
        bytes: u64,
        /// Why it was not all.
        error: Option<&'a str>,
    },
    /// Something is repeated from now on (`None`: no more), under this number.
    Every {
        /// Its number.
        number: u64,
        /// How often.
        period: Option<Duration>,
        /// Why it ended by itself.
        why: Option<&'a str>,
    },
    /// A connection is broken on purpose from now on, or no more.
    Fault {
        /// Which; newcomers, where it is none.
        who: Option<Who<'a>>,
        /// All that holds now.
        spec: Option<&'a FaultSpec>,
        /// By whose command; of itself, where it was none.
        by: Option<DeskId>,
    },
    /// The server ends as soon as what is queued for so many connections was sent; a desk has said so, where it was none of
    /// the system's.
    Stopping(usize, Option<DeskId>),
    /// Something worth a word, about nobody's command.
    Note(&'a str),
    /// Lines that were not shown at this desk, because it was not read.
    Skipped(u64),
    /// Somebody is at another desk from now on, has another name, or only looks on. The desks alone are told.
    Desk(Operator<'a>),
    /// Nobody is at it any more.
    DeskLeft(Operator<'a>),
    /// At another desk something is being typed, to these; to nobody any more.
    Typing(Operator<'a>, Option<Receivers<'a>>),
    /// So many newcomers were turned away within the last second, and why.
    TurnedAway(u64, &'static str),
    /// The server is about to end.
    Bye,
}

impl<'a> Who<'a> {
    /// A connection that has no name.
    pub fn nameless(serial: u64) -> Who<'a> {
        Who { serial, name: None }
    }
}

impl Event<'_> {
    /// Whether it is an event of the server, which all desks are told and which is counted; the others concern one desk
    /// alone.
    pub fn is_counted(&self) -> bool {
        !matches!(
            self,
            Event::Skipped(_)
                | Event::Listening(..)
                | Event::Desk(_)
                | Event::DeskLeft(_)
                | Event::Typing(..)
        )
    }
}
