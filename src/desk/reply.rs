//! What a command is answered with: each gets exactly one reply.

use std::time::Duration;

use crate::board::stats::Stats;
use crate::conn::state::{Inbound, Outbound};

use super::command::{How, View};
use super::event::{Operator, Who};
use super::fault::FaultSpec;
use super::help::Help;
use super::lesson::Written;
use super::refusal::Refusal;

/// The answer to a command.
#[derive(Debug)]
pub enum Reply<'a> {
    /// Something was queued for one connection.
    Sent(Who<'a>, Delivered),
    /// So many bytes were queued for everybody, but for those it was not done to: what became of it for whoever has not
    /// taken what was sent before.
    SentToAll(usize, &'a [(Who<'a>, Outcome)], &'a Tally),
    /// A connection will be finished, closed or reset. A reason that it was to be told may not have got through.
    Closing(Who<'a>, How, Option<Outcome>),
    /// What became of a command about several.
    Several(Deed<'a>, &'a [(Who<'a>, Outcome)], &'a Tally),
    /// The current target.
    TargetIs(Target<'a>),
    /// These are the current target, and what became of each that was named; where they are many, of those alone who
    /// are gone.
    Targets(&'a [u64], &'a [(Who<'a>, Outcome)], &'a Tally),
    /// The connections, and who is at the desks, where there may be more than one.
    Conns(&'a [Row<'a>], &'a [Operator<'a>]),
    /// Who is at this desk, as the others are told.
    DeskIs(Operator<'a>),
    /// What a server that this desk is attached to has said, in words.
    Words(&'a str),
    /// The same, of what says no more than that something is on its way.
    SentWords(&'a str),
    /// Those who wait for an answer, longest first.
    Pending(&'a [Waiting<'a>]),
    /// Whoever waits longest is the current target now, and this is what it asked.
    Next(&'a Waiting<'a>),
    /// A connection was struck off the list.
    Done(Who<'a>),
    /// The last messages of a connection, oldest first.
    Shown(Who<'a>, &'a [Kept<'a>]),
    /// A connection has this name now, or none.
    Named(Who<'a>),
    /// A connection is being begun.
    Dialling(Who<'a>, &'a str),
    /// Bytes pass between these two from now on.
    Linked(Who<'a>, Who<'a>),
    /// They do no more.
    Unlinked(Who<'a>, Who<'a>),
    /// So many are hidden, or are shown alone; all are shown.
    Filtered(Filtered),
    /// How messages are shown now, of one or of all.
    Viewing(Option<Who<'a>>, View),
    /// Something is repeated from now on, under this number.
    EveryBegun(u64, Duration),
    /// What is repeated.
    Everies(&'a [Repeated<'a>]),
    /// So many are repeated no more.
    EveryOff(usize),
    /// What is broken about a connection (`None`: about newcomers), if anything is.
    Faults(Option<Who<'a>>, Option<&'a FaultSpec>),
    /// The same of several, where they are many, of those alone about whom something is; and which of them are gone, or,
    /// where they are many, how many.
    FaultsOf(&'a [(Who<'a>, Option<Box<FaultSpec>>)], &'a [(Who<'a>, Outcome)], &'a Tally),
    /// A file is on its way: how many bytes it has.
    FileBegun(Option<Who<'a>>, &'a str, u64),
    /// This message is answered with these bytes from now on.
    Learnt(&'a [u8], &'a [u8], &'a Written),
    /// The counters.
    Stats {
        /// What was counted.
        stats: &'a Stats,
        /// How many connections there are.
        conns: usize,
        /// Since the start.
        uptime: Duration,
    },
    /// Help on one command, or on all.
    Help(Option<&'a Help>),
    /// The program ends as soon as what is queued for so many connections was sent.
    Stopping(usize),
    /// Nothing was done.
    Refused(Refusal),
}

/// What is done to each of several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deed<'a> {
    /// They are sent so many bytes.
    Send(usize),
    /// They are the current target.
    Target,
    /// They are finished, closed or reset.
    Close(How),
    /// They are struck off the list of those who wait.
    Done,
    /// They are broken in this way, too.
    Break(&'a FaultSpec),
    /// They are broken no more.
    Mend,
}

/// What was queued for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// How many bytes.
    pub bytes: usize,
    /// How many are queued for it now.
    pub queued_bytes: usize,
    /// It has not read what was sent before: for how long it has taken nothing.
    pub not_reading_for: Option<Duration>,
}

/// What became of a command for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done; so much is queued now.
    Done(usize),
    /// It was done, but the peer has not read what was sent before: so much is queued, and it has taken nothing for
    /// this long.
    Behind(usize, Duration),
    /// It was not sent: so much is queued already, and there is a limit.
    Full(usize),
    /// It was not sent: a file is on its way to it, and nothing may get in between.
    BehindFile,
    /// It was not sent: we have finished sending to it.
    Finished,
    /// It is gone.
    Gone,
}

/// To how many of those who were named something was done, and to how many it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// It was done to so many.
    pub done: usize,
    /// So many of these have not read much that was sent before.
    pub slow: usize,
    /// Most that is queued for any of them.
    pub behind_bytes: usize,
    /// The text was refused: too much is queued, or a file is under way.
    pub full: usize,
    /// We have finished sending to so many.
    pub finished: usize,
    /// So many are gone.
    pub gone: usize,
    /// Others are gone, too, which were not counted.
    pub more_gone: bool,
    /// The end has come before so many were reached.
    pub not_reached: usize,
}

/// The current target, as it is shown.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// One connection.
    One(Who<'a>),
    /// Everybody.
    All,
    /// Whoever spoke last.
    Last,
    /// Whoever has this name, who is this one now.
    Named(&'a str, Who<'a>),
    /// Whoever has a name that fits this.
    Glob(&'a str),
}

/// A connection, as `/who` shows it.
#[derive(Debug)]
pub struct Row<'a> {
    /// Which.
    pub who: Who<'a>,
    /// From where.
    pub peer: &'a crate::conn::Peer,
    /// What its bytes pass through.
    pub via: crate::conn::stream::Via,
    /// How long it has been here.
    pub age: Duration,
    /// How long ago something came of it, if anything did.
    pub heard: Option<Duration>,
    /// Bytes that came of it.
    pub received_bytes: u64,
    /// Bytes that it was sent.
    pub sent_bytes: u64,
    /// Bytes queued for it.
    pub queued_bytes: usize,
    /// How far the connection is.
    pub state: ConnState,
    /// It has not read what was sent before.
    pub is_slow: bool,
    /// For how long it waits for an answer.
    pub pending: Option<Duration>,
    /// What is broken about it on purpose, if anything is. As long as that is so, it is not closed for its silence, nor
    /// for reading slowly.
    pub fault: Option<Box<FaultSpec>>,
    /// Whom it is linked to.
    pub linked: Option<u64>,
}

/// How far a connection is, in TCP's words, and whether it is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnState {
    /// It is being begun.
    SynSent,
    /// Both sides may send.
    Established,
    /// The peer has finished, we have not.
    CloseWait,
    /// We have finished, the peer has not.
    FinWait,
    /// Both have finished, and ours is on its way.
    LastAck,
    /// It is being closed.
    Closing,
}

/// One who waits for an answer.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// Who, for how long, and how the connection is otherwise.
    pub row: Row<'a>,
    /// What it asked first, or how that begins.
    pub text: &'a [u8],
    /// There was more of it than was kept.
    pub is_cut: bool,
}

/// A message that was kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// How long ago it came or went.
    pub age: Duration,
    /// It was sent by us.
    pub is_ours: bool,
    /// What it was.
    pub bytes: &'a [u8],
}

/// What a desk shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// So many are hidden.
    Muted(usize),
    /// Only so many are shown.
    Focused(usize),
    /// All are shown.
    All,
}

/// Something that is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Repeated<'a> {
    /// Its number.
    pub number: u64,
    /// How often.
    pub period: Duration,
    /// To whom: nobody in particular is everybody.
    pub whom: &'a [u64],
    /// What.
    pub bytes: &'a [u8],
}

impl Reply<'_> {
    /// Whether it says no more than that something is on its way.
    pub fn says_sent(&self) -> bool {
        match self {
            Reply::Sent(..) | Reply::SentWords(_) => true,
            Reply::SentToAll(_, _, tally) | Reply::Several(Deed::Send(_), _, tally) => {
                tally.full + tally.finished + tally.gone == 0
            }
            _ => false,
        }
    }
}

impl Outcome {
    /// Whether it was done.
    pub fn is_done(self) -> bool {
        matches!(self, Outcome::Done(_) | Outcome::Behind(..))
    }
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Done(queued) => {
                self.done += 1;
                self.behind_bytes = self.behind_bytes.max(queued);
            }
            Outcome::Behind(queued, _) => {
                self.done += 1;
                self.slow += 1;
                self.behind_bytes = self.behind_bytes.max(queued);
            }
            Outcome::Full(_) | Outcome::BehindFile => self.full += 1,
            Outcome::Finished => self.finished += 1,
            Outcome::Gone => self.gone += 1,
        }
    }
}

impl ConnState {
    /// The state that follows from both directions.
    pub fn of(is_connecting: bool, is_open: bool, inbound: Inbound, outbound: Outbound) -> ConnState {
        match (inbound, outbound) {
            _ if is_connecting => ConnState::SynSent,
            _ if !is_open => ConnState::Closing,
            (Inbound::Open, Outbound::Open) => ConnState::Established,
            (Inbound::Ended, Outbound::Open) => ConnState::CloseWait,
            (Inbound::Open, _) => ConnState::FinWait,
            (Inbound::Ended, _) => ConnState::LastAck,
        }
    }

    /// As `ss` and RFC 9293 call it.
    pub fn in_tcp_words(self) -> &'static str {
        match self {
            ConnState::SynSent => "SYN-SENT",
            ConnState::Established => "ESTABLISHED",
            ConnState::CloseWait => "CLOSE-WAIT",
            ConnState::FinWait => "FIN-WAIT",
            ConnState::LastAck => "LAST-ACK",
            ConnState::Closing => "CLOSING",
        }
    }

    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            ConnState::SynSent => "syn-sent",
            ConnState::Established => "open",
            ConnState::CloseWait => "close-wait",
            ConnState::FinWait => "fin-wait",
            ConnState::LastAck => "last-ack",
            ConnState::Closing => "closing",
        }
    }
}
