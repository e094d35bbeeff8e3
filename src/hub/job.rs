//! What an operator does to several at once, carried out in slices: a list may name millions, and nobody else is
//! to wait for that. First the whole list is looked at, since one wrong member refuses all of it; then it is
//! done to one after the other. It has one reply, at the end.

use std::collections::HashSet;
use std::mem;
use std::ops::Range;
use std::rc::Rc;

use crate::board::{Board, View};
use crate::desk::text::first_member;
use crate::desk::{FaultSpec, How, Member, Mistake, Outcome, Refusal, Tally, To};
use crate::hub::names::Names;

/// More than so many are answered for by their count, not by their numbers; and of those of a typed list that are
/// gone, no more than this are remembered, so that a list takes no more memory than there are connections.
pub(super) const TOLD_ONE_BY_ONE: usize = 100;

/// Making a pattern of a glob takes as long as looking at so many members.
pub(super) const PATTERN_COST: usize = 128;

/// A list with a mistake in it is named whole up to so many bytes; else it is the part that is wrong.
const NAMED_WHOLE_BYTES: usize = 80;

/// What is done to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A text is sent, as one message.
    SendText,
    /// Bytes are sent, exactly.
    SendExactly,
    /// They are the current target.
    Target,
    /// They are finished, closed or reset.
    Close(How),
    /// They are struck off the list of those who wait.
    Done,
    /// What they say is hidden.
    Mute,
    /// Only what they say is shown.
    Focus,
    /// They are broken on purpose, or no more, as the job says.
    Fault,
    /// What is broken about them is shown.
    ShowFaults,
}

impl Act {
    /// Whether it sends a peer something that its slowness can hold up.
    pub fn sends(self) -> bool {
        matches!(self, Act::SendText | Act::SendExactly)
    }
}

/// Connections that were named; nobody twice.
#[derive(Debug, Default)]
pub struct Several {
    serials: Vec<u64>,
    gone: usize,
    /// Others are gone, too.
    more_gone: bool,
}

/// Where those who are meant are written down.
#[derive(Debug)]
pub enum Source {
    /// In the line, with commas between them; how much of it was read.
    Typed(Range<usize>, usize),
    /// As a program listed them; how many were read.
    Listed(Vec<Member>, usize),
}

/// Bytes in the line that a job keeps, or apart from it.
#[derive(Debug)]
pub enum Bytes {
    InLine(Range<usize>),
    Apart(Vec<u8>),
}

/// One command about several.
#[derive(Debug)]
pub struct Job {
    pub act: Act,
    /// The line as it was typed.
    line: Vec<u8>,
    bytes: Bytes,
    /// How they are broken, where that is what is done to them.
    pub spec: Option<Rc<FaultSpec>>,
    phase: Phase,
    /// What became of each; where they are many, of those alone to whom it was not done.
    pub outcomes: Vec<(u64, Outcome)>,
    pub tally: Tally,
    /// The reference of the command.
    pub reference: Option<String>,
}

#[derive(Debug)]
enum Phase {
    /// Looking at the list.
    Checking { source: Source, named: HashSet<u64>, found: Several },
    /// Doing it: to whom, and how many of them are through.
    Doing { whom: Rc<Several>, done: usize },
}

/// How far the check has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// All members are known.
    All,
    /// There are more to be looked at.
    Some,
}

impl Source {
    /// A list that lies in a line.
    pub fn typed(list: &[u8], line: &[u8]) -> Source {
        let range = range_in(list, line).unwrap_or_default();
        let from = range.start;
        Source::Typed(range, from)
    }

    /// A list that a program has sent.
    pub fn listed(members: Vec<Member>) -> Source {
        Source::Listed(members, 0)
    }
}

impl Several {
    /// These, who are all known.
    pub fn of(serials: Vec<u64>) -> Several {
        Several { serials, ..Several::default() }
    }

    /// All connections that `are_meant`.
    pub fn all(board: &Board, are_meant: impl Fn(&View<'_>) -> bool) -> Several {
        Several::of(board.peers().filter(are_meant).map(|view| view.id.serial()).collect())
    }

    pub fn serials(&self) -> &[u64] {
        &self.serials
    }

    pub fn is_many(&self) -> bool {
        self.serials.len() > TOLD_ONE_BY_ONE || self.more_gone
    }

    /// Adds one who is meant, unless it is there. Of those who are gone, no more than `gone_max` are kept.
    fn add(&mut self, serial: u64, named: &mut HashSet<u64>, gone_max: usize, board: &Board) {
        if named.contains(&serial) {
            return;
        }
        if board.find(serial).is_none() {
            if self.gone == gone_max {
                self.more_gone = true;
                return;
            }
            self.gone += 1;
        }
        named.insert(serial);
        self.serials.push(serial);
    }
}

impl Job {
    /// A job about a list that has to be read first.
    pub fn of_list(act: Act, bytes: &[u8], line: &[u8], source: Source, reference: Option<&str>) -> Job {
        let phase = Phase::Checking { source, named: HashSet::new(), found: Several::default() };
        Job::new(act, bytes, line, phase, reference)
    }

    /// A job about those who are known.
    pub fn of_known(act: Act, bytes: &[u8], line: &[u8], whom: Rc<Several>, reference: Option<&str>) -> Job {
        Job::new(act, bytes, line, Phase::Doing { whom, done: 0 }, reference)
    }

    fn new(act: Act, bytes: &[u8], line: &[u8], phase: Phase, reference: Option<&str>) -> Job {
        let bytes = match range_in(bytes, line) {
            Some(range) => Bytes::InLine(range),
            None => Bytes::Apart(bytes.to_vec()),
        };
        let (outcomes, tally, reference) = (Vec::new(), Tally::default(), reference.map(str::to_owned));
        Job { act, line: Vec::new(), bytes, spec: None, phase, outcomes, tally, reference }
    }

    /// Gives it the line to keep. Nothing can be done before.
    pub fn keep(&mut self, line: Vec<u8>) {
        self.line = line;
    }

    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::InLine(range) => &self.line[range.clone()],
            Bytes::Apart(bytes) => bytes,
        }
    }

    /// Looks at the next members, and counts them, until the count is at its limit.
    ///
    /// # Errors
    /// At the first that is none, or that nobody is or was.
    pub fn check(
        &mut self,
        count: &mut usize,
        count_max: usize,
        names: &Names,
        board: &Board,
    ) -> Result<Checked, Refusal> {
        let Phase::Checking { source, named, found } = &mut self.phase else { return Ok(Checked::All) };
        while *count < count_max {
            *count += 1;
            let (member, is_last, gone_max) = next_member(source, &self.line)?;
            let mut add = |serial| found.add(serial, named, gone_max, board);
            match member {
                To::One(serial) if !board.has_seen(serial) => return Err(Refusal::NoSuch(serial)),
                To::One(serial) => add(serial),
                To::Named(name) => {
                    let fitting = match crate::desk::is_glob(name) {
                        true => names.fitting(name),
                        false => names.find(name).into_iter().collect(),
                    };
                    if fitting.is_empty() {
                        return Err(Refusal::NobodyNamed(name.to_owned()));
                    }
                    // All names were looked at for it, once a pattern was made of it.
                    *count += names.len() + PATTERN_COST;
                    fitting.into_iter().for_each(add);
                }
                _ => {
                    *count += board.len();
                    board.peers().filter(|view| view.is_open).for_each(|view| add(view.id.serial()));
                }
            }
            if is_last {
                let whom = Rc::new(mem::take(found));
                self.phase = Phase::Doing { whom, done: 0 };
                return Ok(Checked::All);
            }
        }
        Ok(Checked::Some)
    }

    /// Who is next, if it is known yet and there is one.
    pub fn next(&self) -> Option<u64> {
        match &self.phase {
            Phase::Checking { .. } => None,
            Phase::Doing { whom, done } => whom.serials.get(*done).copied(),
        }
    }

    /// Notes what became of it for the next one. Those to whom it was not done are kept, however many they are.
    pub fn note(&mut self, serial: u64, outcome: Outcome) {
        let Phase::Doing { whom, done } = &mut self.phase else { return };
        *done += 1;
        self.tally.count(outcome);
        // Whom a reason does not reach is closed all the same.
        if matches!(self.act, Act::Close(_)) && matches!(outcome, Outcome::Full(_) | Outcome::Finished) {
            self.tally.done += 1;
        }
        if !whom.is_many() || !outcome.is_done() {
            self.outcomes.push((serial, outcome));
        }
    }

    /// Whom it is about, once that is known.
    pub fn whom(&self) -> Option<&Rc<Several>> {
        match &self.phase {
            Phase::Checking { .. } => None,
            Phase::Doing { whom, .. } => Some(whom),
        }
    }

    /// Those to whom it was done so far.
    pub fn done_to(&self) -> Vec<u64> {
        let Phase::Doing { whom, done } = &self.phase else { return Vec::new() };
        let not_done = self.outcomes.iter().filter(|(_, outcome)| !outcome.is_done());
        let not_done: HashSet<u64> = not_done.map(|(serial, _)| *serial).collect();
        whom.serials[..*done].iter().copied().filter(|serial| !not_done.contains(serial)).collect()
    }

    /// Sums up what became of all of them.
    pub fn sum_up(&mut self) {
        let Phase::Doing { whom, done } = &self.phase else { return };
        self.tally.more_gone = whom.more_gone;
        self.tally.not_reached = whom.serials.len() - done;
    }
}

/// The next member of a list, whether it is the last, and how many may be kept who are gone.
fn next_member<'a>(source: &'a mut Source, line: &'a [u8]) -> Result<(To<'a>, bool, usize), Refusal> {
    match source {
        Source::Typed(list, at) => {
            let rest = &line[*at..list.end];
            let (member, length) =
                first_member(rest).map_err(|wrong| Refusal::Mistake(mistake(line, list.clone(), wrong)))?;
            *at += length + 1;
            Ok((member, length == rest.len(), TOLD_ONE_BY_ONE))
        }
        Source::Listed(members, at) => {
            let is_last = *at + 1 >= members.len();
            let member = match members.get(*at) {
                Some(Member::One(serial)) => To::One(*serial),
                Some(Member::Named(name)) => To::Named(name),
                Some(Member::All) | None => To::All,
            };
            *at += 1;
            Ok((member, is_last, usize::MAX))
        }
    }
}

/// Where in a line a part lies, if it was borrowed from it.
fn range_in(part: &[u8], line: &[u8]) -> Option<Range<usize>> {
    let from = part.as_ptr().addr().wrapping_sub(line.as_ptr().addr());
    let range = from..from.checked_add(part.len())?;
    (range.end <= line.len()).then_some(range)
}

fn mistake(line: &[u8], list: Range<usize>, wrong: &[u8]) -> Mistake {
    if list.len() > NAMED_WHOLE_BYTES {
        return Mistake::unknown_target(wrong);
    }
    let with_at = line[..list.start].ends_with(b"@");
    Mistake::unknown_target(&line[list.start - usize::from(with_at)..list.end])
}

/// Most members of a list that is read at once.
const AT_ONCE_MAX: usize = 10_000;

/// Reads a list to its end, for what has to know now who is meant.
///
/// # Errors
/// As `Job::check`; and when it is longer than what can be read without keeping others waiting.
pub fn read_at_once(source: Source, line: &[u8], names: &Names, board: &Board) -> Result<Vec<u64>, Refusal> {
    let mut job = Job::of_list(Act::Target, b"", line, source, None);
    job.keep(line.to_vec());
    let mut count = 0;
    match job.check(&mut count, AT_ONCE_MAX, names, board)? {
        Checked::All => Ok(job.whom().map_or(Vec::new(), |whom| whom.serials.clone())),
        Checked::Some => Err(Refusal::TooManyMembers(AT_ONCE_MAX)),
    }
}
