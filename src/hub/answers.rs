//! What is said to peers of itself: greetings, answers and what a recording has. For each connection that has something
//! outstanding there is a queue, carried out in order, one thing at a time: there may be waits in between, and a peer
//! may not read what it is sent. It is not read itself then, so that whoever asks faster than it takes answers has to
//! wait, as any talker does.

use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use crate::board::Board;
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::conn::reason::{Reason, ScriptEnd};
use crate::desk::{Author, Event, Outcome, Part, Template, Value};
use crate::hub::desks::Desks;

/// Answers that may wait for one connection; one that has so many outstanding is not read.
const WAITING_MAX: usize = 64;

/// The same for what was taken out of the messages that are to be answered.
const GROUPS_BYTES_MAX: usize = 64 << 10;

/// Something to be said or done.
#[derive(Debug)]
pub struct Saying {
    /// Not before this moment.
    pub not_before: Moment,
    /// What.
    pub what: Said,
    /// By whom.
    pub by: Author,
}

/// What is to be said or done.
#[derive(Debug)]
pub enum Said {
    /// This text.
    Text(Text),
    /// These bytes, exactly.
    Exact(Arc<[u8]>),
    /// Our side is finished.
    Finish,
    /// The connection is closed politely.
    Close,
    /// The connection is reset.
    Reset,
}

/// A text for one connection, as far as it is not said yet.
#[derive(Debug)]
pub struct Text {
    /// What is said.
    pub template: Rc<Template>,
    /// The first of its parts that is not said.
    pub at: usize,
    /// What the groups of the regular expression have matched, from `${1}` on.
    pub groups: Box<[Box<[u8]>]>,
    /// How many messages there were.
    pub count: u64,
}

/// What holds up a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// It is not time yet.
    Until,
    /// The peer has not taken what it was sent before.
    Undrained,
    /// A file is on its way to it.
    ByFile,
}

#[derive(Debug)]
struct Queue {
    sayings: VecDeque<Saying>,
    held: Held,
    is_paused: bool,
}

/// All queues.
#[derive(Debug, Default)]
pub struct Answers {
    queues: HashMap<u64, Queue>,
    /// Kept for its memory.
    scratch: Vec<u8>,
}

/// What became of something to be said.
enum Progress {
    Done,
    /// The rest of it, and what holds it up.
    Held(Option<Saying>, Held),
}

impl Answers {
    /// A connection has ended.
    pub fn forget(&mut self, serial: u64) {
        self.queues.remove(&serial);
    }
}

impl Desks {
    /// Says something to a connection, behind what is said to it already.
    pub fn say(&mut self, id: ConnId, saying: Saying, board: &mut Board) {
        if self.is_stopping() {
            return;
        }
        if let Some(queue) = self.answers.queues.get_mut(&id.serial()) {
            queue.sayings.push_back(saying);
            // What a recording has comes in its own time, however much it is.
            let is_answer = |saying: &Saying| saying.by == Author::Reply;
            if are_many(&queue.sayings) && queue.sayings.back().is_some_and(is_answer) {
                queue.is_paused = true;
                board.pause(id);
            }
            return;
        }
        if let Progress::Held(rest, held) = self.carry_on(id, saying, board) {
            self.hold_up(id, rest.into_iter().collect(), held, board);
        }
    }

    fn hold_up(&mut self, id: ConnId, sayings: VecDeque<Saying>, held: Held, board: &mut Board) {
        let is_paused = held == Held::Undrained || are_many(&sayings);
        match held {
            Held::Until => {
                sayings.front().into_iter().for_each(|first| board.set_timer(id, first.not_before))
            }
            Held::Undrained => board.tell_when_drained(id),
            Held::ByFile => {}
        }
        if is_paused {
            board.pause(id);
        } else {
            board.resume(id);
        }
        self.answers.queues.insert(id.serial(), Queue { sayings, held, is_paused });
    }

    /// Goes on with what is outstanding for a connection.
    pub(super) fn go_on_saying(&mut self, id: ConnId, board: &mut Board) {
        let Some(mut queue) = self.answers.queues.remove(&id.serial()) else { return };
        while let Some(saying) = queue.sayings.pop_front() {
            if let Progress::Held(rest, held) = self.carry_on(id, saying, board) {
                rest.into_iter().for_each(|rest| queue.sayings.push_front(rest));
                return self.hold_up(id, queue.sayings, held, board);
            }
        }
        if queue.is_paused {
            board.resume(id);
        }
    }

    /// How many are outstanding for a connection.
    #[cfg(test)]
    pub(super) fn answers_waiting(&self, serial: u64) -> usize {
        self.answers.queues.get(&serial).map_or(0, |queue| queue.sayings.len())
    }

    /// Finishes our side of a connection, behind what is outstanding for it.
    pub(super) fn finish_behind(&mut self, id: ConnId, board: &mut Board) {
        let saying = Saying { not_before: Moment::default(), what: Said::Finish, by: Author::Play };
        self.say(id, saying, board);
    }

    /// Whether something outstanding waits until this connection has taken what was queued for it.
    pub(super) fn waits_for_drained(&self, id: ConnId) -> bool {
        self.answers.queues.get(&id.serial()).is_some_and(|queue| queue.held == Held::Undrained)
    }

    /// No file is on its way to this connection any more.
    pub(super) fn say_behind_file(&mut self, serial: u64, board: &mut Board) {
        let waits = self.answers.queues.get(&serial).is_some_and(|queue| queue.held == Held::ByFile);
        if let Some(id) = board.find(serial).filter(|_| waits) {
            self.go_on_saying(id, board);
        }
    }

    /// Says as much as may be said now.
    fn carry_on(&mut self, id: ConnId, mut saying: Saying, board: &mut Board) -> Progress {
        if saying.not_before > board.now() {
            return Progress::Held(Some(saying), Held::Until);
        }
        if !self.files.is_empty() && self.files.go_to(id.serial()) {
            return Progress::Held(Some(saying), Held::ByFile);
        }
        let by = saying.by;
        match &mut saying.what {
            Said::Text(text) => match self.say_text(id, text, by, board) {
                TextProgress::Done => Progress::Done,
                TextProgress::Waits(until) => {
                    saying.not_before = until;
                    Progress::Held(Some(saying), Held::Until)
                }
                TextProgress::Undrained { is_whole } => {
                    Progress::Held(Some(saying).filter(|_| !is_whole), Held::Undrained)
                }
            },
            Said::Exact(bytes) => match self.say_bytes(id, &bytes.clone(), by, board) {
                Spoken::Done => Progress::Done,
                Spoken::Much => Progress::Held(None, Held::Undrained),
                Spoken::NoRoom => Progress::Held(Some(saying), Held::Undrained),
            },
            Said::Finish => {
                board.finish(id);
                Progress::Done
            }
            Said::Close => self.end_as(id, by, false, board),
            Said::Reset => self.end_as(id, by, true, board),
        }
    }

    fn end_as(&mut self, id: ConnId, by: Author, resets: bool, board: &mut Board) -> Progress {
        let end = match (by, resets) {
            (Author::Play, false) => ScriptEnd::Played,
            (Author::Play, true) => ScriptEnd::PlayedReset,
            (_, false) => ScriptEnd::Rule,
            (_, true) => ScriptEnd::RuleReset,
        };
        // A reset comes behind all that was sent, too, or it would destroy it.
        board.close(id, Reason::Script(end));
        Progress::Done
    }

    fn say_text(&mut self, id: ConnId, text: &mut Text, by: Author, board: &mut Board) -> TextProgress {
        let template = Rc::clone(&text.template);
        let parts = template.parts();
        let mut scratch = std::mem::take(&mut self.answers.scratch);
        let progress = loop {
            // All up to what is done on the way goes out as one.
            let from = text.at;
            let is_said = |part: &Part| matches!(part, Part::Bytes(_) | Part::Value(_));
            let until = from + parts[from..].iter().take_while(|part| is_said(part)).count();
            let spoken = match &parts[from..until] {
                [] => Spoken::Done,
                [Part::Bytes(bytes)] => self.say_bytes(id, bytes, by, board),
                all => {
                    scratch.clear();
                    self.push_parts(&mut scratch, all, id, text, board);
                    self.say_bytes(id, &scratch, by, board)
                }
            };
            if spoken == Spoken::NoRoom {
                break TextProgress::Undrained { is_whole: false };
            }
            text.at = until;
            let Some(part) = parts.get(until) else {
                break match spoken {
                    Spoken::Much => TextProgress::Undrained { is_whole: true },
                    _ => TextProgress::Done,
                };
            };
            text.at += 1;
            match part {
                Part::Wait(time) => break TextProgress::Waits(board.now() + *time),
                Part::Close => drop(self.end_as(id, by, false, board)),
                _ => drop(self.end_as(id, by, true, board)),
            }
        };
        self.answers.scratch = scratch;
        progress
    }

    fn push_parts(&self, out: &mut Vec<u8>, parts: &[Part], id: ConnId, text: &Text, board: &Board) {
        for part in parts {
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Value(value) => self.push_value(out, *value, id, text, board),
                Part::Wait(_) | Part::Close | Part::Reset => {}
            }
        }
    }

    fn push_value(&self, out: &mut Vec<u8>, value: Value, id: ConnId, text: &Text, board: &Board) {
        match value {
            Value::Id => out.extend_from_slice(id.serial().to_string().as_bytes()),
            Value::Name => {
                out.extend_from_slice(self.names.of(id.serial()).unwrap_or_default().as_bytes());
            }
            Value::Peer => {
                let peer = board.view(id).map(|view| view.peer.to_string());
                out.extend_from_slice(peer.unwrap_or_default().as_bytes());
            }
            Value::Time => {
                out.extend_from_slice(
                    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().as_bytes(),
                );
            }
            Value::Count => out.extend_from_slice(text.count.to_string().as_bytes()),
            Value::Group(group) => {
                out.extend_from_slice(text.groups.get(group - 1).map_or(b"", |group| group));
            }
        }
    }

    /// Queues bytes for a connection and tells the desks. One that cannot be sent anything any more gets nothing.
    fn say_bytes(&mut self, id: ConnId, bytes: &[u8], by: Author, board: &mut Board) -> Spoken {
        let queued = match self.queue(id, &[bytes], board) {
            Outcome::Done(queued) | Outcome::Behind(queued, _) => queued,
            Outcome::Full(0) => {
                let who = id.serial();
                let why = format!("cannot say to #{who} what is longer than --queue-max: it was left out");
                self.out.tell(&Event::Note(&why));
                return Spoken::Done;
            }
            Outcome::Full(_) => return Spoken::NoRoom,
            _ => return Spoken::Done,
        };
        if let Some(history) = &mut self.history {
            history.add(id.serial(), true, bytes, board.now());
        }
        let who = self.names.who(id.serial());
        self.out.answered(&Event::Answered { who, by, bytes });
        if queued > board.limits().outbox_high_bytes { Spoken::Much } else { Spoken::Done }
    }
}

/// Whether more outstanding is not to be taken on.
fn are_many(sayings: &VecDeque<Saying>) -> bool {
    let bytes_of = |saying: &Saying| match &saying.what {
        Said::Text(text) => text.groups.iter().map(|group| group.len()).sum(),
        _ => 0,
    };
    sayings.len() >= WAITING_MAX || sayings.iter().map(bytes_of).sum::<usize>() > GROUPS_BYTES_MAX
}

/// What became of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    /// They are queued, or nobody is there to get them.
    Done,
    /// They are queued, and it is much.
    Much,
    /// There is no room for them yet.
    NoRoom,
}

/// What became of a text.
enum TextProgress {
    Done,
    Waits(Moment),
    Undrained { is_whole: bool },
}
