//! What an operator does to several at once, carried out in slices: a list may name millions, and nobody else is
//! to wait for that. First the whole list is looked at, since one wrong number refuses all of it; then it is
//! done to one after the other.

use std::collections::HashSet;
use std::mem;
use std::ops::Range;
use std::rc::Rc;

use crate::board::{Board, Sent, View};
use crate::conn::reason::Reason;
use crate::desk::{Answer, Command, Mistake, Tally, To, first_number};

/// More than so many are answered for in one line, not in one each; and of those that are gone, no more than
/// this are remembered, so that a list takes no more memory than there are connections.
const TOLD_ONE_BY_ONE: usize = 100;

/// A list with a mistake in it is named whole up to so many bytes; else it is the part that is wrong.
const NAMED_WHOLE_BYTES: usize = 80;

/// What is done to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Say,
    Target,
    Finish,
    Reset,
    Kick,
}

/// Connections that were named; nobody twice.
#[derive(Debug, Default)]
pub struct Several {
    serials: Vec<u64>,
    gone: usize,
    /// Others are gone, too.
    more_gone: bool,
}

/// One command about several.
#[derive(Debug)]
pub struct Errand {
    pub deed: Deed,
    /// The line as it was typed.
    line: Vec<u8>,
    /// Where in it the text is.
    text: Range<usize>,
    phase: Phase,
    pub tally: Tally,
}

#[derive(Debug)]
enum Phase {
    /// Looking at the numbers: where the list is, and where in it the next number begins.
    Checking { list: Range<usize>, at: usize, named: HashSet<u64>, found: Several },
    /// Doing it: to whom, and how many of them are through.
    Doing { whom: Rc<Several>, done: usize },
}

/// Why nothing is done to anybody.
#[derive(Debug)]
pub enum Refused {
    Mistake(Mistake),
    NoSuch(u64),
}

/// How far the check has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// All numbers are known.
    All,
    /// There are more to be looked at.
    Some,
}

impl Deed {
    /// Does it to one of those who were here, and tells what there is to answer, mostly one thing.
    pub fn act(
        self,
        serial: u64,
        label: &[u8],
        text: &[u8],
        board: &mut Board,
        mut tell: impl FnMut(Answer<'_>),
    ) {
        let Some(id) = board.find(serial) else { return tell(Answer::Gone(serial)) };
        match self {
            Deed::Say => tell(match board.send_parts(id, &[label, text, b"\n"]) {
                Sent::Queued => Answer::Sent(id, label.len() + text.len() + 1),
                Sent::Slow(queued) => Answer::NotReading(id, queued),
                Sent::Full(queued) => Answer::Full(id, queued),
                Sent::Finished => Answer::Finished(id),
                Sent::Gone => Answer::Gone(serial),
            }),
            Deed::Target => tell(Answer::TargetIs("")),
            Deed::Finish => {
                board.finish(id);
                tell(Answer::Closing(id, "finishes after what is queued"));
            }
            Deed::Reset => {
                board.hang_up(id, Reason::WeReset);
                tell(Answer::Closing(id, "is reset"));
            }
            Deed::Kick => {
                if !text.is_empty() {
                    match board.send_parts(id, &[text, b"\n"]) {
                        // It is closed all the same; the reason is what it does not get.
                        Sent::Full(queued) => tell(Answer::Full(id, queued)),
                        Sent::Finished => tell(Answer::Finished(id)),
                        Sent::Queued | Sent::Slow(_) | Sent::Gone => {}
                    }
                }
                board.close(id, Reason::Kicked(String::from_utf8_lossy(text).into_owned()));
                tell(Answer::Closing(id, "closes after what is queued"));
            }
        }
    }
}

impl Several {
    /// All connections that `are_meant`.
    pub fn all(board: &Board, are_meant: impl Fn(&View<'_>) -> bool) -> Several {
        let meant = board.peers().filter(are_meant);
        Several { serials: meant.map(|view| view.id.serial()).collect(), ..Several::default() }
    }

    pub fn serials(&self) -> &[u64] {
        &self.serials
    }

    pub fn is_many(&self) -> bool {
        self.serials.len() > TOLD_ONE_BY_ONE || self.more_gone
    }
}

impl Errand {
    /// What a command asks for, if it is about a list, and the line is the one that it was read from.
    pub fn of_list(command: &Command<'_>, line: &[u8]) -> Option<Errand> {
        let (deed, to, text) = parts(command)?;
        let To::Several(list) = to else { return None };
        let list = range_in(list, line);
        let at = list.start;
        let phase = Phase::Checking { list, at, named: HashSet::new(), found: Several::default() };
        Some(Errand::new(deed, text, line, phase))
    }

    /// What a command asks for, done to connections that are known.
    pub fn of_known(command: &Command<'_>, line: &[u8], whom: Rc<Several>) -> Option<Errand> {
        let (deed, _, text) = parts(command)?;
        Some(Errand::new(deed, text, line, Phase::Doing { whom, done: 0 }))
    }

    fn new(deed: Deed, text: &[u8], line: &[u8], phase: Phase) -> Errand {
        Errand { deed, line: Vec::new(), text: range_in(text, line), phase, tally: Tally::default() }
    }

    /// Gives it the line to keep. Nothing can be done before.
    pub fn keep(&mut self, line: Vec<u8>) {
        self.line = line;
    }

    pub fn text(&self) -> &[u8] {
        &self.line[self.text.clone()]
    }

    /// Looks at the next numbers, and counts them, until the count is at its limit.
    ///
    /// # Errors
    /// At the first that is none, or that nobody ever had.
    pub fn check(&mut self, count: &mut usize, count_max: usize, board: &Board) -> Result<Checked, Refused> {
        let Phase::Checking { list, at, named, found } = &mut self.phase else { return Ok(Checked::All) };
        while *count < count_max {
            *count += 1;
            let rest = &self.line[*at..list.end];
            let (serial, length) = match first_number(rest) {
                Ok(first) => first,
                Err(wrong) => return Err(Refused::Mistake(mistake(&self.line, list.clone(), wrong))),
            };
            if !board.has_seen(serial) {
                return Err(Refused::NoSuch(serial));
            }
            found.add(serial, named, board);
            if length == rest.len() {
                let whom = Rc::new(mem::take(found));
                self.phase = Phase::Doing { whom, done: 0 };
                return Ok(Checked::All);
            }
            *at += length + 1;
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

    /// Does it to the next one, and counts what there is to answer.
    pub fn act(&mut self, serial: u64, label: &[u8], board: &mut Board, mut tell: impl FnMut(Answer<'_>)) {
        let (text, tally) = (&self.line[self.text.clone()], &mut self.tally);
        self.deed.act(serial, label, text, board, |answer| {
            count(tally, &answer);
            tell(answer);
        });
        if let Phase::Doing { done, .. } = &mut self.phase {
            *done += 1;
        }
    }

    /// Whom it is about, once that is known.
    pub fn whom(&self) -> Option<&Rc<Several>> {
        match &self.phase {
            Phase::Checking { .. } => None,
            Phase::Doing { whom, .. } => Some(whom),
        }
    }

    /// How many are not through; unknown until all numbers were looked at.
    pub fn left(&self) -> Option<usize> {
        match &self.phase {
            Phase::Checking { .. } => None,
            Phase::Doing { whom, done } => Some(whom.serials.len() - done),
        }
    }

    /// What became of all of them.
    pub fn sum(&self) -> Tally {
        let more_gone = self.whom().is_some_and(|whom| whom.more_gone);
        Tally { more_gone, ..self.tally }
    }
}

impl Several {
    fn add(&mut self, serial: u64, named: &mut HashSet<u64>, board: &Board) {
        if named.contains(&serial) {
            return;
        }
        if board.find(serial).is_none() {
            if self.gone == TOLD_ONE_BY_ONE {
                self.more_gone = true;
                return;
            }
            self.gone += 1;
        }
        named.insert(serial);
        self.serials.push(serial);
    }
}

fn count(tally: &mut Tally, answer: &Answer<'_>) {
    match answer {
        Answer::Sent(..) | Answer::Closing(..) | Answer::TargetIs(_) => tally.done += 1,
        Answer::NotReading(..) => {
            tally.done += 1;
            tally.slow += 1;
        }
        Answer::Full(..) => tally.full += 1,
        Answer::Finished(_) => tally.finished += 1,
        Answer::Gone(_) => tally.gone += 1,
        _ => {}
    }
}

fn parts<'a>(command: &Command<'a>) -> Option<(Deed, To<'a>, &'a [u8])> {
    Some(match command {
        Command::Say(to, text) => (Deed::Say, *to, text),
        Command::Target(to) => (Deed::Target, *to, b""),
        Command::Eof(to) => (Deed::Finish, *to, b""),
        Command::Reset(to) => (Deed::Reset, *to, b""),
        Command::Kick(to, reason) => (Deed::Kick, *to, reason),
        Command::Who | Command::Stats | Command::Help(_) | Command::Quit => return None,
    })
}

/// Where in a line a part that was borrowed from it lies. What is no part of it is empty.
fn range_in(part: &[u8], line: &[u8]) -> Range<usize> {
    let from = part.as_ptr().addr().wrapping_sub(line.as_ptr().addr());
    if part.is_empty() || from > line.len() { 0..0 } else { from..from + part.len() }
}

fn mistake(line: &[u8], list: Range<usize>, wrong: &[u8]) -> Mistake {
    if list.len() > NAMED_WHOLE_BYTES {
        return Mistake::unknown_target(wrong);
    }
    let with_at = line[..list.start].ends_with(b"@");
    Mistake::unknown_target(&line[list.start - usize::from(with_at)..list.end])
}

#[cfg(test)]
mod tests {
    use crate::address::Address;
    use crate::board::Board;
    use crate::desk::{Desk, Format};
    use crate::hub::{OnStdinEof, Operator, OperatorOptions, Voice};
    use crate::limits::Limits;
    use crate::terminal::{CapturedScreen, Chunk, Mail, WhenFull};

    /// An operator, a board with so many connections, and what is answered.
    struct Rig {
        operator: Operator,
        board: Board,
        answers: CapturedScreen,
    }

    impl Rig {
        fn with(count: usize) -> Rig {
            let (desk, _, answers) = Desk::on_reels(Format::Tsv, WhenFull::Skip, 1 << 20, 1 << 20);
            let options =
                OperatorOptions { voice: Voice::Plain, on_stdin_eof: OnStdinEof::Keep, waits_for_slow: true };
            let mut board = Board::new(Limits::default());
            for _ in 0..count {
                board.dial(Address::Tcp(([127, 0, 0, 1], 1).into()));
            }
            Rig { operator: Operator::new(desk, None, options), board, answers }
        }

        fn type_line(&mut self, line: &[u8]) {
            self.operator.message(Mail::Stdin(Chunk::Bytes([line, b"\n"].concat())), &mut self.board);
        }

        /// Ends a turn; returns whether another is wanted at once.
        fn turn(&mut self) -> bool {
            self.board.shared.work.wants_turn = false;
            self.operator.turn_ended(&mut self.board);
            self.board.shared.work.wants_turn
        }

        fn answered(&self) -> String {
            let mut answers = Vec::new();
            self.answers.take(&mut answers);
            String::from_utf8(answers).unwrap()
        }

        /// What is answered to a line, and how many turns that takes.
        fn answer_to(&mut self, line: &[u8]) -> (String, usize) {
            self.type_line(line);
            let mut turns = 1;
            while self.turn() {
                assert_eq!(self.answered(), "", "in the middle");
                turns += 1;
            }
            (self.answered(), turns)
        }
    }

    fn list(numbers: impl Iterator<Item = usize>) -> String {
        numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn a_list_of_millions_is_carried_out_in_many_turns_and_whoever_is_named_is_met_once() {
        let mut rig = Rig::with(1);
        let ones = "1,".repeat(2_000_000) + "1";

        for (line, answer) in [
            (format!("/eof {ones}"), "-> #1 finishes after what is queued\n"),
            (format!("@{ones}"), "* the current target is #1\n"),
            (format!("@{ones},9 text"), "there is no #9: nothing was done\n"),
            (format!("/rst {ones}"), "-> #1 is reset\n"),
        ] {
            let (answered, turns) = rig.answer_to(line.as_bytes());
            assert_eq!(answered, answer);
            assert!((100..200).contains(&turns), "{turns} turns");
        }
        let (answered, turns) = rig.answer_to(format!("@1,x,{ones} text").as_bytes());
        assert!(answered.starts_with("unknown target x: "), "{answered}");
        assert_eq!(turns, 1, "what is wrong at the beginning is found there");
    }

    #[test]
    fn many_are_answered_for_in_one_line_and_few_one_by_one() {
        let mut rig = Rig::with(300);

        let few = rig.answer_to(b"/rst 3,#1,3").0;
        let many = rig.answer_to(format!("@{}", list(1..=200)).as_bytes()).0;
        let reset = rig.answer_to(format!("/rst {}", list(1..=300)).as_bytes()).0;
        let none = rig.answer_to(format!("/kick {} bye", list(1..=300)).as_bytes()).0;

        assert_eq!(few, "-> #3 is reset\n-> #1 is reset\n");
        assert_eq!(many, "* the current target is 198 connections; 2 gone\n");
        assert_eq!(reset, "-> 298 connections are reset; 2 gone\n");
        assert_eq!(none, "-> 0 connections close after what is queued; more than 100 gone\n");
        assert_eq!(rig.answer_to(b"/kick all").0, "nobody is connected\n");
    }

    #[test]
    fn nothing_that_is_typed_later_overtakes_a_list() {
        let mut rig = Rig::with(3);

        rig.type_line(format!("/rst {}3", "2,".repeat(100_000)).as_bytes());
        let (answered, _) = rig.answer_to(b"/rst 3");

        assert_eq!(answered, "-> #2 is reset\n-> #3 is reset\n#3 is gone\n");
    }

    #[test]
    fn an_end_in_the_middle_of_a_list_is_told() {
        let mut rig = Rig::with(2);
        rig.type_line(format!("/rst {}2", "1,".repeat(100_000)).as_bytes());
        assert!(rig.turn(), "it is not through");

        rig.operator.message(Mail::Terminate, &mut rig.board);
        while rig.turn() {}

        assert_eq!(
            rig.answered(),
            "* the end came first: nothing was done to those of the list\n* stopping\n"
        );
    }
}
