//! Rules: messages that are answered without an operator. They come from the command line, from a file, and from
//! `/learn`, in this order, and the first that fits a message answers it. What none fits is left to the operator.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::board::Board;
use crate::buffer::framing::{End, Frame};
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::conn::reason::in_words;
use crate::desk::text::without_cr;
use crate::desk::{Author, Event, RuleSet, Spelt, Template, parse_rules};
use crate::hub::answers::{Said, Saying, Text};
use crate::hub::desks::Desks;
use crate::hub::files::read_small;

/// A connection that gets more answers within a second is told of: no device asks so much, but two that answer each other
/// do.
const ANSWERS_A_SECOND: u32 = 1000;

/// It is told of no more often than this, whoever it is.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What is said of itself in answer.
#[derive(Debug, Default)]
pub struct Rules {
    set: RuleSet,
    /// Those of the command line.
    given: Vec<Spelt>,
    /// Where more of them stand.
    path: Option<PathBuf>,
    /// Those that were learnt and stand in no file.
    learnt: Vec<Spelt>,
    /// Messages are counted, since a text may say how many there were.
    counts: bool,
    /// Of those who have said something.
    talks: HashMap<u64, Talk>,
    told_at: Option<Moment>,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Talk {
    /// Messages so far.
    count: u64,
    /// The last message was cut, and what comes next belongs to it.
    is_cut: bool,
    /// By rule with several texts: how many of them were used.
    used: Vec<(usize, usize)>,
    /// The second that is being counted, and its answers.
    second: Moment,
    answers: u32,
    is_told: bool,
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
    }

    /// Whether messages need not be looked at.
    #[inline]
    pub fn are_idle(&self) -> bool {
        self.set.is_empty() && !self.counts
    }

    /// Reads the file again. Where something is wrong with it, all stays as it was.
    fn reread(&mut self) -> Result<(), String> {
        let of_file = match &self.path {
            Some(path) => read(path)?,
            None => Vec::new(),
        };
        let all = self.given.iter().chain(&of_file).chain(&self.learnt);
        let path = self.path.iter().map(|path| format!(" of {}", path.display())).next();
        self.set = RuleSet::new(all)
            .map_err(|why| format!("cannot use the rules{}: {why}", path.unwrap_or_default()))?;
        // Places in the old set mean nothing in this one.
        self.talks.values_mut().for_each(|talk| talk.used.clear());
        Ok(())
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
        let rule = self.rule_for(id, message, frame.end);
        self.heard_where(id, frame, rule.is_none(), board);
        if let Some(rule) = rule {
            self.answer_by(rule, id, message, board);
        }
        rule.is_some()
    }

    /// The rule that fits a message. Of one that was cut the first part alone is looked at, and whoever is linked is
    /// answered by the other.
    fn rule_for(&mut self, id: ConnId, message: &[u8], end: End) -> Option<usize> {
        let goes_on = self.rules.talks.entry(id.serial()).or_default().note(end);
        if goes_on || (!self.links.is_empty() && self.links.mate(id.serial()).is_some()) {
            return None;
        }
        self.rules.set.find(message)
    }

    fn answer_by(&mut self, rule: usize, id: ConnId, message: &[u8], board: &mut Board) {
        let Rules { set, talks, .. } = &mut self.rules;
        let talk = talks.entry(id.serial()).or_default();
        let template = Rc::clone(talk.next_text(rule, set.texts(rule)));
        let groups = if template.groups() > 0 { set.groups(rule, message) } else { Box::default() };
        let is_flood = talk.is_flood(board.now());
        let text = Text { template, at: 0, groups, count: talk.count };
        let saying = Saying { not_before: Moment::default(), what: Said::Text(text), by: Author::Reply };
        self.say(id, saying, board);
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
            self.rules.talks.entry(serial).or_default().note(end);
        }
    }

    /// How many messages a connection has sent, where that is counted.
    pub(super) fn messages_of(&self, serial: u64) -> u64 {
        self.rules.talks.get(&serial).map_or(0, |talk| talk.count)
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

    /// Greets newcomers with this from now on.
    pub fn use_greeting(&mut self, greeting: Template) {
        self.greeting = Some(Rc::new(greeting));
    }

    /// Greets a newcomer. Whom we have dialled is none.
    pub(super) fn greet(&mut self, id: ConnId, board: &mut Board) {
        let Some(greeting) = self.greeting.as_ref().filter(|_| !self.dialled.contains(&id.serial())) else {
            return;
        };
        let text = Text { template: Rc::clone(greeting), at: 0, groups: Box::default(), count: 0 };
        let saying = Saying { not_before: Moment::default(), what: Said::Text(text), by: Author::Greet };
        self.say(id, saying, board);
    }
}

impl Talk {
    /// Counts a message, or what belongs to the one before. Returns which it is.
    fn note(&mut self, end: End) -> bool {
        let goes_on = std::mem::replace(&mut self.is_cut, end == End::Limit);
        self.count += u64::from(!goes_on);
        goes_on
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
        let text = &texts[*used];
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

/// Reads the rules of a file. One that is not there has none: what is learnt makes it.
fn read(path: &Path) -> Result<Vec<Spelt>, String> {
    let shown = path.display();
    let text = match read_small(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(format!("cannot read {shown}: {}", in_words(&error))),
    };
    parse_rules(&text).map_err(|why| format!("cannot use {shown}, {why}"))
}

/// What a rule sees: the message without what ended it. Of a line, the `\r` before its end belongs to that.
fn message_of<'a>(frame: &Frame<'a>) -> &'a [u8] {
    if frame.end == End::Newline { without_cr(frame.bytes) } else { frame.bytes }
}
