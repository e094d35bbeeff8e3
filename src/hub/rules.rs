//! Rules: messages that are answered without an operator. They come from the command line, from a file, and from
//! `/learn`, in this order, and the first that fits a message answers it. What none fits is left to the operator.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::buffer::framing::{End, Frame};
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::conn::reason::in_words;
use crate::desk::text::without_cr;
use crate::desk::{Author, Event, NoLesson, RuleSet, Spelt, Template, Written, parse_rules};
use crate::hub::answers::{Saying, Text};
use crate::hub::desks::Desks;
use crate::hub::files::{append, read_small};

/// A connection that gets more answers within a second is told of: no device asks so much, but two that answer each other
/// do.
const ANSWERS_A_SECOND: u32 = 1000;

/// It is told of no more often than this, whoever it is.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// How long the expressions took for a message of this length is looked at. Where it was more than so long, its peer is not
/// heard for so many times as long: linear in the length of both, a large expression and a long message still take
/// a second, and the others have to be served meanwhile.
const LONG_BYTES: usize = 1024;
const DEAR: Duration = Duration::from_millis(5);
const RESTS: u32 = 10;

/// What is said of itself in answer.
#[derive(Debug, Default)]
pub struct Rules {
    set: RuleSet,
    /// Those of the command line.
    given: Vec<Spelt>,
    /// Where more of them stand.
    path: Option<PathBuf>,
    /// It was there once, so that its absence is a mistake.
    was_there: bool,
    /// Those that were learnt and stand in no file.
    learnt: Vec<Spelt>,
    /// Messages are counted, since a text may say how many there were.
    counts: bool,
    /// Messages are looked at at all: one look for all that are not.
    looks: bool,
    /// Of those who have said something.
    talks: HashMap<u64, Talk>,
    told_at: Option<Moment>,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Talk {
    /// Messages so far.
    count: u64,
    /// What comes next.
    next: Next,
    /// How often the rules have answered it.
    answered: u64,
    /// By rule with several texts: how many of them were used.
    used: Vec<(usize, usize)>,
    /// The second that is being counted, and its answers.
    second: Moment,
    answers: u32,
    is_told: bool,
}

/// What the next message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// A message.
    #[default]
    Message,
    /// More of one that was cut, whose beginning a rule has answered or has not.
    Rest { is_answered: bool },
}

/// Whether a message is answered of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// By this rule.
    Rule(usize),
    /// It belongs to one that was cut and was answered.
    RestOfAnswered,
    /// It is left to the operator, and is whole or is not.
    None { is_part: bool },
}

impl Rules {
    /// The rules of the command line, and of a file, which need not be there yet.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new(given: Vec<Spelt>, path: Option<PathBuf>) -> Result<Rules, String> {
        let mut rules = Rules { given, path, ..Rules::default() };
        rules.reread()?;
        Ok(rules)
    }

    /// Counts messages, whether there are rules or not.
    pub fn count_messages(&mut self) {
        self.counts = true;
        self.looks = true;
    }

    /// Whether messages need not be looked at.
    #[inline]
    pub fn are_idle(&self) -> bool {
        !self.looks
    }

    /// Reads the file again. Where something is wrong with it, all stays as it was.
    fn reread(&mut self) -> Result<(), String> {
        let of_file = match self.path.as_deref().map(|path| (path, read(path))) {
            None => Vec::new(),
            Some((path, Ok(None))) if self.was_there => {
                return Err(format!("cannot read {}: it is there no more", path.display()));
            }
            Some((_, Ok(None))) => Vec::new(),
            Some((_, read)) => {
                let rules = read?.unwrap_or_default();
                self.was_there = true;
                rules
            }
        };
        let all = self.given.iter().chain(&of_file).chain(&self.learnt);
        let path = self.path.iter().map(|path| format!(" of {}", path.display())).next();
        let set = RuleSet::new(all)
            .map_err(|why| format!("cannot use the rules{}: {why}", path.unwrap_or_default()))?;
        let old = std::mem::replace(&mut self.set, set);
        self.looks = !self.set.is_empty() || self.counts || self.path.is_some();
        // Whoever is in the midst of a sequence goes on there.
        let new_place = self.set.places_of(&old);
        for talk in self.talks.values_mut() {
            talk.used =
                talk.used.iter().filter_map(|(rule, used)| Some((new_place(*rule)?, *used))).collect();
        }
        Ok(())
    }

    /// The file that is to be there and is not: it is made when something is learnt.
    pub fn missing_file(&self) -> Option<&Path> {
        self.path.as_deref().filter(|_| !self.was_there)
    }

    /// Answers this message with these bytes from now on, and writes that down where there is a file for it.
    ///
    /// # Errors
    /// When a rule answers it already.
    pub fn learn(&mut self, message: &[u8], answer: &[u8]) -> Result<Written, NoLesson> {
        if self.set.find(message).is_some() {
            return Err(NoLesson::Fits(message.into()));
        }
        let rule = Spelt::learnt(message, answer);
        self.set.add_exact(message, Rc::clone(&rule.text));
        self.looks = true;
        let Some(path) = &self.path else {
            self.learnt.push(rule);
            return Ok(Written::Nowhere);
        };
        let shown = path.display().to_string();
        match append(path, &rule.line()) {
            Ok(()) => {
                self.was_there = true;
                Ok(Written::To(shown))
            }
            Err(error) => {
                self.learnt.push(rule);
                Ok(Written::NotTo(shown, in_words(&error)))
            }
        }
    }

    fn forget(&mut self, serial: u64) {
        self.talks.remove(&serial);
    }
}

impl Desks {
    /// Shows what a peer said in the console, and answers it where a rule fits it. Returns whether one did.
    #[inline]
    pub fn converse(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) -> bool {
        if self.rules.are_idle() {
            self.heard(id, frame, board);
            return false;
        }
        self.converse_by_rules(id, frame, board)
    }

    #[inline(never)]
    fn converse_by_rules(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) -> bool {
        let message = message_of(&frame);
        let began = (message.len() >= LONG_BYTES).then(Instant::now);
        let fit = self.fit_of(id, message, frame.end);
        let taken = began.map(|began| began.elapsed()).unwrap_or_default();
        self.heard_where(id, frame, matches!(fit, Fit::None { .. }), board);
        match fit {
            Fit::Rule(rule) => self.answer_by(rule, id, message, board),
            Fit::None { is_part } => self.pending.note_last(id, message, is_part),
            Fit::RestOfAnswered => {}
        }
        if taken > DEAR {
            self.let_rest(id, taken * RESTS, board);
        }
        if !self.pending.waits(id) {
            self.out.awaits_nothing(id.serial());
        }
        !matches!(fit, Fit::None { .. })
    }

    /// The rule that fits a message. Of one that was cut the first part alone is looked at, and whoever is linked is
    /// answered by the other.
    fn fit_of(&mut self, id: ConnId, message: &[u8], end: End) -> Fit {
        let Rules { talks, set, .. } = &mut self.rules;
        let talk = talks.entry(id.serial()).or_default();
        let is_cut = end == End::Limit;
        let fit = match talk.next {
            Next::Rest { is_answered: true } => Fit::RestOfAnswered,
            Next::Rest { is_answered: false } => Fit::None { is_part: true },
            Next::Message => {
                talk.count += 1;
                let is_linked = !self.links.is_empty() && self.links.mate(id.serial()).is_some();
                let rule = if is_linked { None } else { set.find(message) };
                rule.map_or(Fit::None { is_part: is_cut }, Fit::Rule)
            }
        };
        let is_answered = !matches!(fit, Fit::None { .. });
        talk.next = if is_cut { Next::Rest { is_answered } } else { Next::Message };
        fit
    }

    fn answer_by(&mut self, rule: usize, id: ConnId, message: &[u8], board: &mut Board) {
        let Rules { set, talks, .. } = &mut self.rules;
        let talk = talks.entry(id.serial()).or_default();
        let template = Rc::clone(talk.next_text(rule, set.texts(rule)));
        let groups = set.groups(rule, message, template.groups());
        talk.answered += 1;
        let is_flood = talk.is_flood(board.now());
        let text = Text { groups, ..Text::new(template, talk.count) };
        self.say(id, Saying::text(text, Author::Reply), board);
        if is_flood {
            self.tell_of_flood(id, board);
        }
    }

    #[cold]
    fn tell_of_flood(&mut self, id: ConnId, board: &Board) {
        let now = board.now();
        if self.rules.told_at.is_some_and(|at| now.since(at) < TOLD_EVERY) {
            return;
        }
        self.rules.told_at = Some(now);
        if let Some(talk) = self.rules.talks.get_mut(&id.serial()) {
            talk.is_told = true;
        }
        let serial = id.serial();
        let what = format!(
            "#{serial} was answered {ANSWERS_A_SECOND} times within a second by the rules: if it answers of itself, \
             too, this goes on for ever (/kick {serial} ends it)"
        );
        self.out.tell(&Event::Note(&what));
    }

    /// Counts a message that no rule has to answer, where messages are counted.
    pub(super) fn count_message(&mut self, serial: u64, end: End) {
        if !self.rules.are_idle() {
            self.rules.talks.entry(serial).or_default().note_answered(end);
        }
    }

    /// How many messages a connection has sent, where that is counted.
    pub(super) fn messages_of(&self, serial: u64) -> u64 {
        self.rules.talks.get(&serial).map_or(0, |talk| talk.count)
    }

    /// How often the rules have answered a connection.
    pub(super) fn answers_by_rules(&self, serial: u64) -> u64 {
        self.rules.talks.get(&serial).map_or(0, |talk| talk.answered)
    }

    /// A connection has ended.
    pub(super) fn forget_talk(&mut self, serial: u64) {
        self.rules.forget(serial);
    }

    /// Reads the rules' file again.
    pub(super) fn reread_rules(&mut self) {
        if self.rules.path.is_none() {
            return;
        }
        let told = match self.rules.reread() {
            Ok(()) => format!("the rules were read again: {}", self.rules.set.len()),
            Err(why) => format!("{why}; the rules stay as they were"),
        };
        self.out.tell(&Event::Note(&told));
    }

    /// Uses these rules from now on.
    pub fn use_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }
}

impl Talk {
    /// Counts a message that was answered in another way, unless it belongs to the one before.
    fn note_answered(&mut self, end: End) {
        self.count += u64::from(self.next == Next::Message);
        self.next = if end == End::Limit { Next::Rest { is_answered: true } } else { Next::Message };
    }

    /// The text whose turn it is; the last one stays.
    fn next_text<'a>(&mut self, rule: usize, texts: &'a [Rc<Template>]) -> &'a Rc<Template> {
        let last = texts.len() - 1;
        if last == 0 {
            return &texts[0];
        }
        let place = match self.used.iter().position(|(of, _)| *of == rule) {
            Some(place) => place,
            None => {
                self.used.push((rule, 0));
                self.used.len() - 1
            }
        };
        let used = &mut self.used[place].1;
        // There may be fewer than there were.
        let text = &texts[(*used).min(last)];
        *used = (*used + 1).min(last);
        text
    }

    /// Counts an answer. Returns whether there were so many within a second, for the first time.
    fn is_flood(&mut self, now: Moment) -> bool {
        if now.since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.answers = 0;
        }
        self.answers += 1;
        self.answers >= ANSWERS_A_SECOND && !self.is_told
    }
}

/// Reads the rules of a file, if it is there: what is learnt makes it.
fn read(path: &Path) -> Result<Option<Vec<Spelt>>, String> {
    let shown = path.display();
    let text = match read_small(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && has_folder(path) => return Ok(None),
        Err(error) => return Err(format!("cannot read {shown}: {}", in_words(&error))),
    };
    parse_rules(&text).map(Some).map_err(|why| format!("cannot use {shown}, {why}"))
}

/// Whether the folder is there in which a file could be made.
fn has_folder(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.is_none_or(Path::is_dir)
}

/// What a rule sees: the message without what ended it. Of a line, the `\r` before its end belongs to that.
fn message_of<'a>(frame: &Frame<'a>) -> &'a [u8] {
    if frame.end == End::Newline { without_cr(frame.bytes) } else { frame.bytes }
}
