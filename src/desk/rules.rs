//! Rules, as they are spelt: what is asked and what is answered; and which of many is the first that fits: one pass over
//! the message for all regular expressions together, in time linear in its length whatever they are (the `regex`
//! crate's promise), and one look-up for all messages that are meant exactly.

mod file;

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::template::Template;

use file::push_exact;

pub use file::parse as parse_rules;

/// What one expression may take when it is compiled, and all of them together: what is longer was not typed by a person.
const REGEX_BYTES_MAX: usize = 128 << 10;
const REGEXES_BYTES_MAX: usize = 8 << 20;

/// What the search for all of them may keep to be fast.
const CACHE_BYTES_MAX: usize = 8 << 20;

/// A rule as it was spelt.
#[derive(Clone, Debug)]
pub struct Spelt {
    /// What it fits.
    pub pattern: Pattern,
    /// What it answers.
    pub text: Rc<Template>,
    /// Whether it goes on with those before it that have the same pattern.
    pub is_in_turn: bool,
    /// Where it stands, for whoever has to mend it: `--reply`, `line 7`.
    pub place: String,
}

/// What a rule fits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// This message alone.
    Exact(Box<[u8]>),
    /// Each message in which this expression is found.
    Regex(Box<str>),
}

impl Spelt {
    /// A rule of the command line.
    pub fn given(expression: &str, text: Template) -> Spelt {
        let place = format!("--reply {expression:?}");
        Spelt { pattern: Pattern::Regex(expression.into()), text: Rc::new(text), is_in_turn: false, place }
    }

    /// A rule for this message alone, which answers exactly this.
    pub fn learnt(message: &[u8], answer: &[u8]) -> Spelt {
        let text = Rc::new(Template::of_bytes(answer));
        Spelt { pattern: Pattern::Exact(message.into()), text, is_in_turn: false, place: "/learn".to_owned() }
    }

    /// The line of a file that reads back as this rule, with its end.
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        match &self.pattern {
            Pattern::Exact(message) => push_exact(&mut line, message, self.text.spelt()),
            Pattern::Regex(expression) => {
                line.extend_from_slice(expression.as_bytes());
                line.push(b'\t');
                line.extend_from_slice(self.text.spelt());
            }
        }
        line.push(b'\n');
        line
    }
}

/// A rule that can be asked.
#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    texts: Vec<Rc<Template>>,
    /// Where its texts say what its groups have matched.
    groups: Option<Regex>,
}

/// All rules, in order.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    exact: HashMap<Box<[u8]>, usize>,
    regexes: RegexSet,
    /// The rule of each expression.
    of_regex: Vec<usize>,
}

impl Default for RuleSet {
    fn default() -> RuleSet {
        RuleSet { rules: Vec::new(), exact: HashMap::new(), regexes: RegexSet::empty(), of_regex: Vec::new() }
    }
}

impl RuleSet {
    /// The rules as they were spelt, in order.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new<'a>(all: impl Iterator<Item = &'a Spelt>) -> Result<RuleSet, String> {
        let mut set = RuleSet::default();
        // Those of a file are in turn among themselves.
        let mut places: HashMap<(&Pattern, bool), usize> = HashMap::new();
        let mut expressions: Vec<&str> = Vec::new();
        for spelt in all {
            let known = places.get(&(&spelt.pattern, spelt.is_in_turn)).copied();
            let compiled = match &spelt.pattern {
                Pattern::Exact(_) => None,
                Pattern::Regex(expression) => Some(compile(expression).map_err(|why| at(spelt, &why))?),
            };
            let groups = compiled.as_ref().map_or(0, |regex| regex.captures_len() - 1);
            spelt.text.check_groups(groups).map_err(|why| at(spelt, &why))?;
            let place = match known {
                Some(place) if spelt.is_in_turn => place,
                // The first that fits answers, so this one never does.
                Some(_) => continue,
                None => {
                    let place = set.rules.len();
                    let pattern = spelt.pattern.clone();
                    set.rules.push(Rule { pattern, texts: Vec::new(), groups: None });
                    places.insert((&spelt.pattern, spelt.is_in_turn), place);
                    match &spelt.pattern {
                        Pattern::Exact(message) => drop(set.exact.entry(message.clone()).or_insert(place)),
                        Pattern::Regex(expression) => {
                            expressions.push(expression);
                            set.of_regex.push(place);
                        }
                    }
                    place
                }
            };
            let rule = &mut set.rules[place];
            rule.texts.push(Rc::clone(&spelt.text));
            if spelt.text.groups() > 0 {
                rule.groups = compiled;
            }
        }
        set.regexes = RegexSetBuilder::new(&expressions)
            .unicode(false)
            .size_limit(REGEXES_BYTES_MAX)
            .dfa_size_limit(CACHE_BYTES_MAX)
            .build()
            .map_err(|error| format!("cannot use these rules together: {}", in_one_line(&error)))?;
        Ok(set)
    }

    /// Adds a rule for one message behind all others, which no rule has fitted so far.
    pub fn add_exact(&mut self, message: &[u8], text: Rc<Template>) {
        let place = self.rules.len();
        let pattern = Pattern::Exact(message.into());
        self.rules.push(Rule { pattern, texts: vec![text], groups: None });
        self.exact.entry(message.into()).or_insert(place);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The first rule that fits a message.
    pub fn find(&self, message: &[u8]) -> Option<usize> {
        let exact = if self.exact.is_empty() { None } else { self.exact.get(message).copied() };
        let of_set = || self.regexes.matches(message).iter().next().map(|regex| self.of_regex[regex]);
        let regex = if self.of_regex.is_empty() { None } else { of_set() };
        match (exact, regex) {
            (Some(exact), Some(regex)) => Some(exact.min(regex)),
            (exact, regex) => exact.or(regex),
        }
    }

    /// Where the rules of another set stand in this one, by their patterns.
    pub fn places_of<'a>(&'a self, other: &'a RuleSet) -> impl Fn(usize) -> Option<usize> + 'a {
        let places: HashMap<&Pattern, usize> =
            self.rules.iter().enumerate().rev().map(|(place, rule)| (&rule.pattern, place)).collect();
        move |rule| places.get(&other.rules[rule].pattern).copied()
    }

    /// What a rule answers, in turn; at least one text.
    pub fn texts(&self, rule: usize) -> &[Rc<Template>] {
        &self.rules[rule].texts
    }

    /// What so many groups of a rule have matched in a message, from the first on; nothing, where one has not taken part.
    pub fn groups(&self, rule: usize, message: &[u8], count: usize) -> Box<[Box<[u8]>]> {
        if count == 0 {
            return Box::default();
        }
        let captures = self.rules[rule].groups.as_ref().and_then(|regex| regex.captures(message));
        let Some(captures) = captures else { return Box::default() };
        let groups = captures.iter().skip(1).take(count);
        groups.map(|group| group.map_or(&b""[..], |group| group.as_bytes()).into()).collect()
    }
}

fn compile(expression: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(expression)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(CACHE_BYTES_MAX)
        .build();
    built.map_err(|error| format!("{expression:?} is no regular expression: {}", in_one_line(&error)))
}

/// What is wrong, without the picture of where.
fn in_one_line(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("it is too large: compiled, it takes more than {limit} bytes")
        }
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}

fn at(spelt: &Spelt, why: &impl fmt::Display) -> String {
    format!("{}: {why}", spelt.place)
}

#[cfg(test)]
mod tests;
