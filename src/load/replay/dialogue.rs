//! One recorded conversation, played as its peer: what is to be done next, and when; and whether what comes is what
//! was recorded. Pure: bytes, ends and moments go in.
//!
//! What the peer did is done at its recorded time, and never before all that it had been told before has come. What
//! the server says may come earlier than recorded, since only bytes are compared; its end may not, as long as
//! messages are left that it was to hear.

mod judging;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::desk::{Turn, What};

use super::difference::Difference;
use super::script::{Script, Speed};

/// Where the recording stops before the end, the server is listened to for so long before we finish: what it says by
/// then is no goodbye, and nobody has recorded it.
const QUIET: Duration = Duration::from_millis(200);

/// A conversation that goes on.
#[derive(Debug)]
pub struct Dialogue {
    script: Arc<Script>,
    /// Its place in the script.
    place: usize,
    speed: Speed,
    timeout: Duration,
    /// When it should have begun, by the recording: what lateness and responses are counted from.
    planned: Moment,
    /// What it goes by in time: the same, unless it had to wait for others to end.
    opens: Moment,
    /// The first turn of the peer that is not done, and how much of it is.
    ours: usize,
    sent: usize,
    /// The first turn of the server that has not come, and how much of it has.
    theirs: usize,
    heard: usize,
    /// All that the server has said, as far as it was recorded.
    heard_in_all: u64,
    /// Since when the next turn is the next.
    since: Moment,
    /// What was done last, until the server has said something after it.
    asked: Option<Asked>,
    is_over: bool,
    account: Account,
}

/// When the peer's side did something that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When it was due.
    pub due: Moment,
    /// When it was done.
    pub sent: Moment,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Send these bytes, or some of them.
    Send(&'a [u8]),
    /// Finish our side.
    Finish,
    /// Reset the connection.
    Reset,
    /// Nothing before this moment, unless something comes.
    Wait(Moment),
    /// What was awaited until now has not come.
    Overdue,
    /// Nothing more, and this is how to leave.
    Leave(Leave),
}

/// How a conversation is left in which all has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The recording says how it ended, and so it has; if our side is not finished, it may be.
    AsRecorded,
    /// The recording stops before the end: we finish, and listen until the server has, too.
    Unrecorded,
}

/// A message that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// When it should have left, counted from the beginning of the recording.
    pub recorded: Duration,
    /// How long after its time; nothing where there is no pace.
    pub late: Duration,
}

/// What was found out about a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Replies that have come whole, right or wrong.
    pub replies: u64,
    /// Those that had wrong bytes, and how many these were.
    pub wrong_replies: u64,
    /// See `wrong_replies`.
    pub wrong_bytes: u64,
    /// Bytes beyond all that was recorded.
    pub surplus_bytes: u64,
    /// The first difference.
    pub difference: Option<Difference>,
    /// The turn whose bytes differ first, as long as it is the one that comes.
    differs_in: Option<usize>,
    /// The turn that was counted as wrong last.
    counted_in: Option<usize>,
}

impl Dialogue {
    /// The conversation at this place, which should begin at `planned` and goes by the times that it has from `opens`
    /// on. A reply is waited for up to `timeout` longer than its time.
    pub fn new(
        script: &Arc<Script>,
        place: usize,
        speed: Speed,
        timeout: Duration,
        (planned, opens): (Moment, Moment),
    ) -> Dialogue {
        let mut dialogue = Dialogue {
            script: script.clone(),
            place,
            speed,
            timeout,
            planned,
            opens,
            ours: 0,
            sent: 0,
            theirs: 0,
            heard: 0,
            heard_in_all: 0,
            since: opens,
            asked: None,
            is_over: false,
            account: Account::default(),
        };
        dialogue.ours = dialogue.next_of(0, true);
        dialogue.theirs = dialogue.next_of(0, false);
        dialogue.skip_empty_replies();
        dialogue
    }

    /// The conversation's place.
    pub fn place(&self) -> usize {
        self.place
    }

    /// It has been connected.
    pub fn connected(&mut self, now: Moment) {
        self.since = now;
    }

    /// What is to be done at this moment.
    pub fn next(&self, now: Moment) -> Step<'_> {
        if self.is_over {
            return Step::Leave(Leave::AsRecorded);
        }
        if self.ours < self.theirs {
            return match self.due(self.ours).filter(|due| *due > now) {
                Some(due) => Step::Wait(due),
                None => match &self.turns()[self.ours].what {
                    What::Heard(bytes) => Step::Send(&bytes[self.sent..]),
                    What::HeardReset => Step::Reset,
                    _ => Step::Finish,
                },
            };
        }
        if self.theirs < self.turns().len() {
            let from = self.due(self.theirs).map_or(self.since, |due| due.max(self.since));
            let until = from + self.timeout;
            return if until <= now { Step::Overdue } else { Step::Wait(until) };
        }
        let server_ended = self.turns().iter().rev().any(|turn| turn.what == What::SaidEnd);
        if server_ended {
            return Step::Leave(Leave::AsRecorded);
        }
        self.quiet_until().filter(|until| *until > now).map_or(Step::Leave(Leave::Unrecorded), Step::Wait)
    }

    /// So many bytes of what was to be sent were. If that was the rest of a message, it has left.
    pub fn sent(&mut self, bytes: usize, now: Moment) -> Option<Left> {
        self.sent += bytes;
        let is_whole =
            matches!(&self.turns()[self.ours].what, What::Heard(message) if message.len() == self.sent);
        if !is_whole {
            return None;
        }
        self.sent = 0;
        let recorded = self.script.start(self.place) + self.turns()[self.ours].at;
        let due = self.planned_for(self.ours);
        self.has_done(now);
        Some(Left { recorded, late: due.map_or(Duration::ZERO, |due| now.since(due)) })
    }

    /// Our side was finished.
    pub fn finished(&mut self, now: Moment) {
        self.has_done(now);
    }

    /// It was reset by us, as recorded: whatever else the recording has cannot happen any more.
    pub fn reset(&mut self) {
        self.is_over = true;
    }

    /// What is known of it.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Messages that have not left.
    pub fn unsent(&self) -> u64 {
        let rest = self.turns()[self.ours..].iter();
        if self.is_over { 0 } else { rest.filter(|turn| matches!(turn.what, What::Heard(_))).count() as u64 }
    }

    /// Replies that have not come whole, and their bytes.
    pub fn missing(&self) -> (u64, u64) {
        let mut missing = (0, 0);
        for turn in &self.turns()[self.theirs..] {
            if let What::Said(bytes) = &turn.what {
                missing = (missing.0 + 1, missing.1 + bytes.len() as u64);
            }
        }
        if missing.0 > 0 { (missing.0, missing.1 - self.heard as u64) } else { missing }
    }

    /// What was asked and has no answer, where one was recorded.
    pub fn unanswered(&self) -> Option<Asked> {
        self.is_asked_for(self.theirs).then_some(self.asked).flatten()
    }

    fn has_done(&mut self, now: Moment) {
        // Not from when there was room for it: a server that keeps others waiting for that is charged for them, too.
        self.asked = Some(Asked { due: self.planned_for(self.ours).unwrap_or(now), sent: now });
        self.ours = self.next_of(self.ours + 1, true);
        self.since = now;
    }

    /// Whether the turn at this place answers what was done last: that stands right before it.
    fn is_asked_for(&self, theirs: usize) -> bool {
        let turns = self.turns();
        let is_reply = turns.get(theirs).is_some_and(|turn| matches!(turn.what, What::Said(_)));
        is_reply && theirs > 0 && is_ours(&turns[theirs - 1]) && self.ours > theirs - 1
    }

    fn turns(&self) -> &[Turn] {
        self.script.turns(self.place)
    }

    /// Until when nothing more may come of the server where all has happened; no time where our side is finished, since
    /// the recording may have been cut off just before what is said to that.
    fn quiet_until(&self) -> Option<Moment> {
        let turns = self.turns();
        if turns.iter().any(|turn| turn.what == What::HeardEnd) {
            return None;
        }
        let last = turns.len().checked_sub(1).and_then(|last| self.due(last));
        Some(last.map_or(self.since, |due| due.max(self.since)) + QUIET.min(self.timeout))
    }

    /// When the turn at this place should come by the recording, if there is a pace.
    fn planned_for(&self, turn: usize) -> Option<Moment> {
        self.speed.time(self.turns()[turn].at).map(|time| self.planned + time)
    }

    /// When the turn at this place is due, if there is a pace.
    fn due(&self, turn: usize) -> Option<Moment> {
        self.speed.time(self.turns()[turn].at).map(|time| self.opens + time)
    }

    /// The first turn from this place on that is the peer's, or the server's.
    fn next_of(&self, from: usize, ours: bool) -> usize {
        let turns = self.turns();
        let found = turns[from.min(turns.len())..].iter().position(|turn| is_ours(turn) == ours);
        found.map_or(turns.len(), |at| from + at)
    }
}

/// Whether it is the peer's side that does this.
fn is_ours(turn: &Turn) -> bool {
    matches!(turn.what, What::Heard(_) | What::HeardEnd | What::HeardReset)
}

#[cfg(test)]
mod tests;
