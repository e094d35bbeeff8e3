//! Sending, closing and whatever else is done to a connection by its number: to one at once, to several as a job.

use std::rc::Rc;
use std::time::Duration;

use crate::board::{Board, Sent};
use crate::buffer::framing::Envelope;
use crate::conn::ConnId;
use crate::desk::{Author, Deed, Delivered, Event, Outcome, Payload, Receivers, Refusal, Reply, To, Who};
use crate::hub::around::Around;
use crate::hub::desks::Desks;
use crate::hub::job::{Act, Job, Several, Source};
use crate::hub::options::Voice;
use crate::hub::session::{Aim, Session};
use crate::hub::target::Whom;
use crate::hub::turn::{Executed, Turn};

/// A command on its way: what it was read from and what it is answered under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub line: &'a [u8],
    pub reference: Option<&'a str>,
}

/// Why something was not sent to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsent {
    /// It is to wait.
    Waits,
    /// This came of it.
    Failed(Outcome),
}

impl Desks {
    /// Sends something to whoever is meant.
    pub(super) fn send(
        &mut self,
        session: &mut Session,
        to: To<'_>,
        payload: &Payload<'_>,
        asked: Asked<'_>,
        turn: &mut Turn,
        board: &mut Board,
    ) -> Result<Executed, Refusal> {
        let (act, bytes) = match payload {
            Payload::Text(bytes) => (Act::SendText, bytes),
            Payload::Exact(bytes) => (Act::SendExactly, bytes),
        };
        let around = self.check_length(act, bytes, board)?;
        match self.resolve(to, asked.line, session, board)? {
            Whom::One(serial) => {
                turn.bytes += bytes.len();
                match self.send_to_one(session, &around, serial, bytes, asked.reference, board) {
                    Ok(()) => Ok(Executed::Done),
                    Err(Unsent::Waits) => Ok(Executed::Waits(Some(serial))),
                    Err(Unsent::Failed(outcome)) => Err(refusal(serial, outcome)),
                }
            }
            Whom::All if session.waits_for_slow && (board.is_held_back() || !self.files.is_empty()) => {
                Ok(Executed::Waits(None))
            }
            Whom::All if !self.files.is_empty() => Err(Refusal::FilesUnderWay),
            Whom::All => {
                // What is said to all is kept once, whoever hears it.
                turn.bytes += bytes.len();
                self.send_to_all(session, act, bytes, asked, board)
            }
            Whom::Known(whom) => Ok(of_known(act, bytes, asked, whom)),
            Whom::List(source) => Ok(of_list(act, bytes, asked, source)),
        }
    }

    /// Says a text to the current target, where that is one: the most frequent command of all, so it takes no detour.
    /// Where it is for more than one, or for nobody, nothing is done.
    #[inline]
    pub(super) fn say_to_current(
        &mut self,
        session: &mut Session,
        text: &[u8],
        turn: &mut Turn,
        board: &mut Board,
    ) -> Option<Executed> {
        let serial = match (&session.aim, self.options.voice, self.spoke_last) {
            (Aim::One(serial), Voice::Plain, _) => *serial,
            (Aim::Last, Voice::Plain, Some(id)) => id.serial(),
            _ => return None,
        };
        let is_common = self.options.envelope == Envelope::Lf;
        if !is_common || text.len() >= board.limits().outbox_bytes_max {
            return None;
        }
        turn.bytes += text.len();
        match self.send_to_one(session, &Around::LINE, serial, text, None, board) {
            Ok(()) => {}
            Err(Unsent::Waits) => return Some(Executed::Waits(Some(serial))),
            Err(Unsent::Failed(outcome)) => self.out.refuse(session.id, None, refusal(serial, outcome)),
        }
        Some(Executed::Done)
    }

    /// Sends something whose length was checked to one, and replies.
    #[inline]
    fn send_to_one(
        &mut self,
        session: &mut Session,
        around: &Around,
        serial: u64,
        bytes: &[u8],
        reference: Option<&str>,
        board: &mut Board,
    ) -> Result<(), Unsent> {
        let Some(id) = board.find(serial) else { return Err(Unsent::Failed(Outcome::Gone)) };
        let has_file = !self.files.is_empty() && self.files.go_to(serial);
        if session.waits_for_slow && (has_file || board.is_held_back_by(id)) {
            return Err(Unsent::Waits);
        }
        if has_file {
            return Err(Unsent::Failed(Outcome::BehindFile));
        }
        let (outcome, waited) = self.send_now(around, id, bytes, board);
        let (queued_bytes, not_reading_for) = match outcome {
            Outcome::Done(queued) => (queued, None),
            Outcome::Behind(queued, time) => (queued, Some(time)),
            outcome => return Err(Unsent::Failed(outcome)),
        };
        if waited || session.lesson.takes(serial) {
            self.note_answer(session, around, serial, bytes, waited);
        }
        let seq = self.out.count_sent_unheard().unwrap_or_else(|| {
            let (by, to) = (Author::Desk(session.id), Receivers::One(serial));
            self.out.count_sent(Some(session.id), &Event::Sent { by, to, bytes: &around.framed(bytes) })
        });
        let sent = Delivered { bytes: around.bytes(bytes), queued_bytes, not_reading_for };
        let reply = Reply::Sent(self.names.who(serial), sent);
        self.out.reply_sent(session.id, reference, Some(seq), &reply);
        Ok(())
    }

    /// Sends something to a connection that is here. Returns whether that waited for an answer, too.
    #[inline]
    fn send_now(&mut self, around: &Around, id: ConnId, bytes: &[u8], board: &mut Board) -> (Outcome, bool) {
        // Mostly nothing stands before it, and even nothing takes time to queue.
        let outcome = if around.label.is_empty() && around.prefix.is_empty() {
            self.queue(id, &[bytes, around.suffix], board)
        } else {
            self.queue(id, &[around.label, &around.prefix, bytes, around.suffix], board)
        };
        let waited = outcome.is_done() && self.pending.remove(id);
        if outcome.is_done() {
            self.keep_said(id, bytes, board);
        }
        (outcome, waited)
    }

    /// Does something to one of those who were here.
    pub(super) fn act(&mut self, act: Act, serial: u64, bytes: &[u8], board: &mut Board) -> Outcome {
        let Some(id) = board.find(serial) else { return Outcome::Gone };
        match act {
            _ if act.sends() && !self.files.is_empty() && self.files.go_to(serial) => Outcome::BehindFile,
            Act::SendText | Act::SendExactly => match self.around(act, bytes) {
                Ok(around) => {
                    // Whether this one had waited is asked when the job is done.
                    drop(self.pending.take_struck_off());
                    self.send_now(&around, id, bytes, board).0
                }
                // Its length was checked before.
                Err(_) => Outcome::Full(0),
            },
            // The others are done elsewhere.
            _ => Outcome::Done(0),
        }
    }

    /// Keeps what was said to a connection, where that is kept.
    #[inline]
    fn keep_said(&mut self, id: ConnId, bytes: &[u8], board: &Board) {
        if let Some(history) = &mut self.history {
            history.add(id.serial(), true, bytes, board.now());
        }
    }

    /// Queues bytes for a connection, and has it told when a program may go on.
    #[inline]
    pub(super) fn queue(&mut self, id: ConnId, parts: &[&[u8]], board: &mut Board) -> Outcome {
        let sent = board.send_parts(id, parts);
        self.outcome(id, sent, board)
    }

    /// What became of bytes that were given for a connection.
    #[inline]
    pub(super) fn outcome(&self, id: ConnId, sent: Sent, board: &mut Board) -> Outcome {
        let outcome = match sent {
            Sent::Queued(queued) => Outcome::Done(queued),
            Sent::Slow(queued) => {
                let time = board.view(id).map_or(Duration::ZERO, |view| view.took_nothing_for);
                Outcome::Behind(queued, time)
            }
            Sent::Full(queued) => Outcome::Full(queued),
            Sent::Finished => Outcome::Finished,
            Sent::Gone => Outcome::Gone,
        };
        if let Outcome::Done(queued) | Outcome::Behind(queued, _) = outcome
            && queued > self.out.low_water_bytes
        {
            board.tell_when_drained(id);
        }
        outcome
    }

    /// Replies to a command about several, when all was done.
    pub(super) fn conclude(&mut self, job: &mut Job, session: &mut Session, board: &Board) {
        job.sum_up();
        let Some(whom) = job.whom().cloned() else { return };
        let reference = job.reference.as_deref();
        // Where a list comes down to one connection, it is refused as if that had been named alone.
        if let ([(serial, outcome)], 0) = (&job.outcomes[..], job.tally.done) {
            return self.out.refuse(session.id, reference, refusal(*serial, *outcome));
        }
        if job.tally.done == 0 && session.is_json {
            return self.out.refuse(session.id, reference, Refusal::NoneOf(job.tally));
        }
        let spec = job.spec.clone();
        let deed = match job.act {
            Act::SendText | Act::SendExactly => {
                let around = self.around(job.act, job.bytes()).unwrap_or_default();
                Deed::Send(around.bytes(job.bytes()))
            }
            Act::Target => {
                if job.tally.done > 0 {
                    session.aim = Aim::Several(whom.clone());
                }
                Deed::Target
            }
            Act::Close(how) => Deed::Close(how),
            Act::Done => Deed::Done,
            Act::Fault => spec.as_deref().map_or(Deed::Mend, Deed::Break),
            Act::ShowFaults => return self.show_faults_of(job, &whom, session, board),
            Act::Mute | Act::Focus => {
                let gone = |serial: &u64| job.outcomes.contains(&(*serial, Outcome::Gone));
                let here: Vec<u64> = whom.serials().iter().copied().filter(|serial| !gone(serial)).collect();
                return match (whom.serials().first(), &here[..]) {
                    (Some(first), []) => self.out.refuse(session.id, reference, Refusal::Gone(*first)),
                    _ => self.filter_these(session, job.act, &here, reference),
                };
            }
        };
        let seq = match deed {
            Deed::Send(_) if job.tally.done > 0 => {
                self.note_answers(session, job);
                let bytes = &self.around(job.act, job.bytes()).unwrap_or_default().framed(job.bytes());
                let (by, got) = (Author::Desk(session.id), job.done_to());
                let event = Event::Sent { by, to: Receivers::Several(&got), bytes };
                Some(self.out.count_sent(Some(session.id), &event))
            }
            _ => None,
        };
        let names = &self.names;
        let outcomes: Vec<(Who<'_>, Outcome)> =
            job.outcomes.iter().map(|(serial, outcome)| (names.who(*serial), *outcome)).collect();
        let names_all = !whom.is_many() || session.is_json;
        let shown = if names_all { &outcomes[..] } else { &[] };
        let reply = match deed {
            Deed::Target => Reply::Targets(whom.serials(), shown, &job.tally),
            deed => Reply::Several(deed, shown, &job.tally),
        };
        self.out.reply_sent(session.id, reference, seq, &reply);
    }
}

/// Why something was not done to the only one it was for.
#[cold]
pub(super) fn refusal(serial: u64, outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Full(queued) => Refusal::Full(serial, queued),
        Outcome::BehindFile => Refusal::FileUnderWay(serial),
        Outcome::Finished => Refusal::Finished(serial),
        Outcome::Done(_) | Outcome::Behind(..) | Outcome::Gone => Refusal::Gone(serial),
    }
}

/// A command about a list that has to be read first.
pub(super) fn of_list(act: Act, bytes: &[u8], asked: Asked<'_>, source: Source) -> Executed {
    Executed::Begins(Box::new(Job::of_list(act, bytes, asked.line, source, asked.reference)))
}

/// A command about those who are known.
pub(super) fn of_known(act: Act, bytes: &[u8], asked: Asked<'_>, whom: Rc<Several>) -> Executed {
    Executed::Begins(Box::new(Job::of_known(act, bytes, asked.line, whom, asked.reference)))
}
