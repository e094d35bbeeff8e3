//! `/learn`: the answer that an operator has just given is kept as a rule, for the message that it answered. What may be
//! learnt is noted as it is sent, at no cost to whoever sends much to one: only what belongs to an answer is looked at.

use std::borrow::Cow;

use crate::desk::{Command, NoLesson, Refusal, Reply};
use crate::hub::around::Around;
use crate::hub::desks::Desks;
use crate::hub::job::Job;
use crate::hub::pending::{Entry, TEXT_BYTES_MAX as MESSAGE_BYTES_MAX};
use crate::hub::session::Session;

/// A longer answer is no rule.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What an operator has answered last.
#[derive(Debug, Default)]
pub struct Lesson {
    what: What,
    /// Whatever else is said to this connection changes nothing here; 0: there is none.
    settled: u64,
    /// The answer, with what frames it. Kept for its memory.
    answer: Vec<u8>,
}

/// What was sent last.
#[derive(Debug, Default)]
enum What {
    /// Nothing.
    #[default]
    Nothing,
    /// An answer to this.
    Answer(Question),
    /// Something to a connection that had asked nothing.
    NoAnswer(u64),
    /// Something to several.
    ForSeveral,
    /// A file.
    File,
    /// An answer that was learnt.
    Learnt,
}

/// What was answered.
#[derive(Debug)]
struct Question {
    serial: u64,
    entry: Entry,
    /// What was said before it was answered stands before this in the history, where one was kept.
    before: Option<u64>,
    /// How often the rules had answered the connection by then: what is said to it after another answer belongs to that.
    answered: u64,
    /// Too much was answered.
    is_too_long: bool,
}

impl Lesson {
    /// Whether it is to be told of something that is said to this connection.
    #[inline]
    pub fn takes(&self, serial: u64) -> bool {
        self.settled != serial
    }

    /// Something was said to several.
    pub fn was_for_several(&mut self) {
        self.is_no_answer(What::ForSeveral, 0);
    }

    /// A file was sent.
    pub fn was_a_file(&mut self) {
        self.is_no_answer(What::File, 0);
    }

    fn is_no_answer(&mut self, what: What, settled: u64) {
        (self.what, self.settled) = (what, settled);
        self.answer.clear();
    }

    fn add(&mut self, around: &Around, bytes: &[u8]) {
        let What::Answer(question) = &mut self.what else { return };
        if self.answer.len() + around.prefix.len() + bytes.len() + around.suffix.len() > ANSWER_BYTES_MAX {
            question.is_too_long = true;
            self.settled = question.serial;
            self.answer.clear();
            return;
        }
        // Without who says it: that is for people.
        [&around.prefix, bytes, around.suffix].iter().for_each(|part| self.answer.extend_from_slice(part));
    }
}

impl Desks {
    /// Notes what an operator has said to one connection. `waited`: that had waited for it until now.
    #[inline(never)]
    pub(super) fn note_answer(
        &mut self,
        session: &mut Session,
        around: &Around,
        serial: u64,
        bytes: &[u8],
        waited: bool,
    ) {
        // Where nothing may be learnt, nothing is kept for it: a question and its answer are up to 68 KiB.
        if !session.rights.allow(&Command::Learn) {
            return;
        }
        let lesson = &mut session.lesson;
        let answered = self.answers_by_rules(serial);
        match &lesson.what {
            _ if waited => {
                let Some((serial, entry)) = self.pending.take_struck_off() else { return };
                let before = self.history.as_ref().map(|history| history.end());
                lesson.what = What::Answer(Question { serial, entry, before, answered, is_too_long: false });
                lesson.settled = 0;
                lesson.answer.clear();
                lesson.add(around, bytes);
            }
            What::Answer(question) if (question.serial, question.answered) == (serial, answered) => {
                lesson.add(around, bytes);
            }
            _ => lesson.is_no_answer(What::NoAnswer(serial), serial),
        }
    }

    /// Notes what an operator has said to those of a list, or whose name fits, when all was said.
    pub(super) fn note_answers(&mut self, session: &mut Session, job: &Job) {
        match job.whom().map(|whom| whom.serials()) {
            Some(&[only]) => {
                let around = self.around(job.act, job.bytes()).unwrap_or_default();
                let waited = self.pending.has_struck_off(only);
                self.note_answer(session, &around, only, job.bytes(), waited);
            }
            _ => session.lesson.was_for_several(),
        }
    }

    /// Answers from now on as was just done.
    pub(super) fn learn(&mut self, session: &mut Session, reference: Option<&str>) -> Result<(), Refusal> {
        let lesson = &mut session.lesson;
        let message = self.message_of(&lesson.what).map_err(Refusal::NoLesson)?.into_owned();
        let written = self.rules.learn(&message, &lesson.answer).map_err(Refusal::NoLesson)?;
        self.out.reply(session.id, reference, &Reply::Learnt(&message, &lesson.answer, &written));
        lesson.is_no_answer(What::Learnt, 0);
        Ok(())
    }

    /// The message that was answered: the last that it said and that no rule had answered, as far as that is known.
    fn message_of<'a>(&self, what: &'a What) -> Result<Cow<'a, [u8]>, NoLesson> {
        let question = match what {
            _ if !self.options.tracks_pending => return Err(NoLesson::Mode),
            What::Nothing => return Err(NoLesson::NobodyAnswered),
            What::NoAnswer(serial) => return Err(NoLesson::NotAsked(*serial)),
            What::ForSeveral => return Err(NoLesson::Several),
            What::File => return Err(NoLesson::File),
            What::Learnt => return Err(NoLesson::Learnt),
            What::Answer(question) if question.is_too_long => return Err(NoLesson::AnswerTooLong),
            What::Answer(question) => question,
        };
        let Question { serial, entry, before, .. } = question;
        let kept = || self.history.as_ref()?.last_said_before((*before)?, *serial);
        let (message, is_whole) = match (&entry.last, kept()) {
            (Some(last), _) => (Cow::Borrowed(&*last.text), !last.is_cut),
            (None, Some((message, is_whole))) => (Cow::Owned(message), is_whole),
            (None, None) => (Cow::Borrowed(&*entry.text), !entry.is_cut),
        };
        match is_whole && message.len() <= MESSAGE_BYTES_MAX {
            true => Ok(message),
            false => Err(NoLesson::MessageTooLong(*serial)),
        }
    }
}
