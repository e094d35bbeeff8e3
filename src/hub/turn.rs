//! What was typed, taken line by line: a bounded amount a turn, in order, each line answered once.

use std::borrow::Cow;
use std::mem;

use crate::board::Board;
use crate::desk::{Command, Filter, HELP, Mistake, Payload, Refusal, Request, To, Whose, json, text};
use crate::hub::desks::Desks;
use crate::hub::history::MESSAGES_MAX;
use crate::hub::job::{Act, Checked, Job, PATTERN_COST};
use crate::hub::session::{Aim, Pinned, Session, Waiting};
use crate::limits::Limits;
use crate::terminal::{Entered, Typed};

/// Typed lines taken in one turn; more wait for the next.
const LINES_MAX: usize = 4096;

/// Members of a list looked at in one turn; each takes less than a tenth of a microsecond.
const NUMBERS_MAX: usize = 16_384;

/// How much of what was typed was carried out in one turn.
#[derive(Debug, Default)]
pub struct Turn {
    pub lines: usize,
    /// Bytes of texts: they are flushed when the turn ends, which shows who is slow.
    pub bytes: usize,
    /// Members of lists looked at.
    numbers: usize,
}

/// What became of a line.
#[derive(Debug)]
pub enum Executed {
    /// It was carried out, or refused; either way it was answered.
    Done,
    /// Whoever it is for reads slowly, or is being sent a file; who that is, where it is one.
    Waits(Option<u64>),
    /// It takes more than this. The job has not got the line yet.
    Begins(Box<Job>),
}

/// What became of a job in this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Done,
    /// The turn is used up.
    Pauses,
    /// It is a text, and who is next to get it reads slowly.
    Waits,
}

impl Turn {
    /// Counts those that a command goes through, so that however many are typed, a turn stays short.
    pub fn charge(&mut self, command: &Command<'_>, aim: &Aim, pending: usize, names: usize, board: &Board) {
        let is_named = |to: &To<'_>| match to {
            To::Named(_) => true,
            To::Current => matches!(aim, Aim::Named(_)),
            _ => false,
        };
        match command {
            // A row takes as long as a line.
            Command::Who(_) => self.lines += board.len(),
            Command::Pending => self.lines += pending,
            Command::Next | Command::Done(To::All) => self.numbers += pending,
            Command::Show(..) | Command::Learn => self.numbers += MESSAGES_MAX,
            Command::Help(_) => self.lines += HELP.len(),
            Command::Close(To::All, ..)
            | Command::File(To::All, _)
            | Command::Fault(Whose::These(To::All), _)
            | Command::Filter(Filter::Mute(To::All) | Filter::Focus(To::All)) => self.numbers += board.len(),
            Command::Send(to, _)
            | Command::Close(to, ..)
            | Command::File(to, _)
            | Command::Target(to)
            | Command::Fault(Whose::These(to), _)
            | Command::Done(to)
                if is_named(to) =>
            {
                self.numbers += names + PATTERN_COST;
            }
            _ => {}
        }
    }

    fn is_used_up(&self, limits: &Limits) -> bool {
        self.lines >= LINES_MAX || self.numbers >= NUMBERS_MAX || self.bytes > limits.outbox_high_bytes
    }
}

impl Desks {
    /// Carries out what a session has typed, as much as a turn allows.
    pub fn take_lines(&mut self, session: &mut Session, board: &mut Board) {
        // Taken out, so that a line may be borrowed from it while it is carried out.
        let mut input = mem::take(&mut session.input);
        let mut turn = Turn::default();
        if let Some(Waiting { line, whom }) = session.waiting.take() {
            // Whom it is for was decided when the line was taken, whoever has spoken since.
            match self.take_request(session, &line, whom, &mut turn, board) {
                Executed::Done => {}
                Executed::Waits(whom) => session.waiting = Some(Waiting { line, whom }),
                Executed::Begins(job) => begin(session, job, line),
            }
        }
        while session.waiting.is_none() {
            if turn.is_used_up(board.limits()) {
                board.call_again();
                break;
            }
            // A program that does not read its replies is not heard any further.
            if session.is_json && self.out.has_no_room(session.id) {
                break;
            }
            if session.job.is_some() {
                if self.go_on(session, &mut turn, board) == Progress::Waits {
                    break;
                }
                continue;
            }
            if let Some(entered) = session.entered.pop_front() {
                self.take_entered(session, entered, &mut turn, board);
                continue;
            }
            match input.next_line() {
                None => break,
                Some(Typed::Line(line)) => match self.take_line(session, line, &mut turn, board) {
                    Executed::Done => {}
                    Executed::Waits(whom) => {
                        session.waiting = Some(Waiting { line: input.keep_line(), whom });
                    }
                    Executed::Begins(job) => begin(session, job, input.keep_line()),
                },
                Some(Typed::TooLong) => self.out.refuse(session.id, None, Refusal::LineTooLong),
                Some(Typed::End) => self.leave(board),
            }
        }
        session.input = input;
    }

    #[inline]
    fn take_line(
        &mut self,
        session: &mut Session,
        line: &[u8],
        turn: &mut Turn,
        board: &mut Board,
    ) -> Executed {
        turn.lines += 1;
        if !session.is_json
            && is_plain_text(line)
            && !self.is_stopping()
            && let Some(executed) = self.say_to_current(session, line, turn, board)
        {
            return executed;
        }
        self.take_request(session, line, None, turn, board)
    }

    /// Carries out a line that was entered on a terminal. It never waits: a person is told who is slow.
    fn take_entered(&mut self, session: &mut Session, entered: Entered, turn: &mut Turn, board: &mut Board) {
        let Entered { line, is_text, whom, named, last, .. } = entered;
        turn.lines += 1;
        session.pinned = Some(Pinned { whom, named, last });
        let executed = if is_text && !self.is_stopping() {
            let command = Command::Send(To::Current, Payload::Text(Cow::Borrowed(&line)));
            let request = Request { reference: None, command };
            self.execute(session, request, &line, turn, board).unwrap_or_else(|refusal| {
                self.out.refuse(session.id, None, refusal);
                Executed::Done
            })
        } else {
            self.take_request(session, &line, None, turn, board)
        };
        session.pinned = None;
        match executed {
            Executed::Done => {}
            Executed::Waits(whom) => session.waiting = Some(Waiting { line, whom }),
            Executed::Begins(job) => begin(session, job, line),
        }
    }

    /// Reads a line and carries it out. `whom`: for whom a text was found to be, when it began to wait.
    fn take_request(
        &mut self,
        session: &mut Session,
        line: &[u8],
        whom: Option<u64>,
        turn: &mut Turn,
        board: &mut Board,
    ) -> Executed {
        let mut request = match read(session.is_json, line) {
            Ok(request) => request,
            Err((reference, refusal)) => {
                self.out.refuse(session.id, reference, refusal);
                return Executed::Done;
            }
        };
        if let (Some(serial), Command::Send(to, _) | Command::File(to, _) | Command::Close(to, ..)) =
            (whom, &mut request.command)
        {
            *to = To::One(serial);
        }
        let reference = request.reference;
        if self.is_stopping() {
            self.out.refuse(session.id, reference, Refusal::Stopping);
            return Executed::Done;
        }
        match self.execute(session, request, line, turn, board) {
            Ok(executed) => executed,
            Err(refusal) => {
                self.out.refuse(session.id, reference, refusal);
                Executed::Done
            }
        }
    }

    /// Goes on with the job that was begun.
    #[inline(never)]
    fn go_on(&mut self, session: &mut Session, turn: &mut Turn, board: &mut Board) -> Progress {
        let Some(mut job) = session.job.take() else { return Progress::Done };
        match self.carry_out(&mut job, session, turn, board) {
            Ok(Progress::Done) => self.conclude(&mut job, session, board),
            Ok(progress) => {
                session.job = Some(job);
                return progress;
            }
            Err(refusal) => self.out.refuse(session.id, job.reference.as_deref(), refusal),
        }
        Progress::Done
    }

    /// Carries out what the turn allows of a job.
    fn carry_out(
        &mut self,
        job: &mut Job,
        session: &mut Session,
        turn: &mut Turn,
        board: &mut Board,
    ) -> Result<Progress, Refusal> {
        if self.is_stopping() {
            // Of a list that was not read to its end, nobody was met yet.
            return if job.whom().is_some() { Ok(Progress::Done) } else { Err(Refusal::Stopping) };
        }
        if job.check(&mut turn.numbers, NUMBERS_MAX, &self.names, board)? == Checked::Some {
            return Ok(Progress::Pauses);
        }
        while let Some(serial) = job.next() {
            if turn.is_used_up(board.limits()) {
                return Ok(Progress::Pauses);
            }
            let is_slow = || board.find(serial).is_some_and(|id| board.is_held_back_by(id));
            let waits = job.act.sends() && session.waits_for_slow && is_slow();
            if waits || self.waits_for_file(session, job.act, serial) {
                return Ok(Progress::Waits);
            }
            turn.lines += 1;
            turn.bytes += job.bytes().len();
            let outcome = match job.act {
                Act::Fault => self.fault_one_of_several(job, serial, session.id, board),
                Act::Close(how) => self.end_one_of_several(how, serial, job.bytes(), session.id, board),
                Act::Done => self.strike_off_one_of_several(session.id, serial, board),
                act => self.act(act, serial, job.bytes(), board),
            };
            job.note(serial, outcome);
        }
        Ok(Progress::Done)
    }

    /// Gives up what a session had begun when the end comes: each command has its reply.
    pub fn cut_short(&mut self, session: &mut Session, board: &Board) {
        if let Some(mut job) = session.job.take() {
            if job.whom().is_some() {
                self.conclude(&mut job, session, board);
            } else {
                self.out.refuse(session.id, job.reference.as_deref(), Refusal::Stopping);
            }
        }
        // The loop may end with this turn.
        while session.is_json && !self.out.has_no_room(session.id) {
            let (reference, refusal) = match session.input.next_line() {
                Some(Typed::Line(line)) => match read(true, line) {
                    Ok(request) => (request.reference, Refusal::Stopping),
                    Err(rejected) => rejected,
                },
                Some(Typed::TooLong) => (None, Refusal::LineTooLong),
                Some(Typed::End) | None => return,
            };
            self.out.refuse(session.id, reference, refusal);
        }
    }
}

fn begin(session: &mut Session, mut job: Box<Job>, line: Vec<u8>) {
    job.keep(line);
    session.job = Some(job);
}

/// Whether a line is surely a text, and for the current target; `exit` alone is none.
fn is_plain_text(line: &[u8]) -> bool {
    !matches!(line.first(), Some(b'/' | b'@' | b'e'))
}

/// Reads a line as the session's face spells it.
fn read(is_json: bool, line: &[u8]) -> Result<Request<'_>, (Option<&str>, Refusal)> {
    if is_json {
        return json::parse(line).map_err(|rejected| (rejected.reference, rejected.refusal));
    }
    let command = text::parse(line).map_err(|mistake: Mistake| (None, Refusal::Mistake(mistake)))?;
    Ok(Request { reference: None, command })
}
