//! What is said to peers of itself: greetings, answers and what a recording has. For each connection that has something
//! outstanding there is a queue, carried out in order, one thing at a time: there may be waits in between, and a peer
//! may not read what it is sent. It is not read itself then, so that whoever asks faster than it takes answers has to
//! wait, as any talker does.

mod queue;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::board::Board;
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::conn::reason::{Reason, ScriptEnd};
use crate::desk::json::spelt_now;
use crate::desk::text::plural;
use crate::desk::{Author, Event, Outcome, Part, Template, Value};
use crate::hub::desks::Desks;

use queue::{Held, Queue};
pub use queue::{Said, Saying, Text};

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
    /// The connection is being closed: nothing that stands behind it is carried out.
    Ended,
}

impl Answers {
    /// A connection has ended.
    pub fn forget(&mut self, serial: u64) {
        self.queues.remove(&serial);
    }

    /// Whether this text is outstanding for a connection.
    pub fn is_saying(&self, serial: u64, template: &Rc<Template>) -> bool {
        let is_it = |saying: &Saying| match &saying.what {
            Said::Text(text) => Rc::ptr_eq(&text.template, template),
            _ => false,
        };
        self.queues.get(&serial).is_some_and(|queue| queue.sayings.iter().any(is_it))
    }
}

impl Desks {
    /// Greets newcomers with this from now on.
    pub fn use_greeting(&mut self, greeting: Template) {
        self.greeting = Some(Rc::new(greeting));
    }

    /// Greets a newcomer. Whom we have dialled is none.
    pub(super) fn greet(&mut self, id: ConnId, board: &mut Board) {
        if let Some(greeting) = self.greeting.as_ref().filter(|_| !self.dialled.contains(&id.serial())) {
            let text = Text::new(Rc::clone(greeting), 0);
            self.say(id, Saying::text(text, Author::Greet), board);
        }
    }

    /// Says something to a connection, behind what is said to it already.
    pub fn say(&mut self, id: ConnId, saying: Saying, board: &mut Board) {
        if self.is_stopping() {
            return;
        }
        if let Some(queue) = self.answers.queues.get_mut(&id.serial()) {
            if !is_there(id, board) {
                return;
            }
            queue.push_back(saying);
            if queue.is_full() && !queue.is_paused {
                queue.is_paused = true;
                board.pause(id);
            }
            return;
        }
        if let Progress::Held(rest, held) = self.carry_on(id, saying, board) {
            let mut queue = Queue::new(held);
            rest.into_iter().for_each(|rest| queue.push_back(rest));
            self.hold_up(id, queue, board);
        }
    }

    /// Says, at the end, to how many something was still to be said.
    pub(super) fn tell_unsaid(&mut self) {
        let is_owed =
            |queue: &&Queue| queue.sayings.iter().any(|saying| !matches!(saying.what, Said::Nothing));
        let owed = self.answers.queues.values().filter(is_owed).count();
        if owed > 0 {
            let whom = plural(owed as u64, "connection");
            self.out.tell(&Event::Note(&format!("what was still to be said to {whom} is left out")));
        }
    }

    fn hold_up(&mut self, id: ConnId, mut queue: Queue, board: &mut Board) {
        if !is_there(id, board) {
            return board.owes(id, false);
        }
        match queue.held {
            Held::Until => {
                let first = queue.sayings.front();
                first.into_iter().for_each(|first| board.set_timer(id, first.not_before));
            }
            Held::Undrained => board.tell_when_drained(id),
            Held::ByFile => {}
        }
        queue.is_paused = queue.held == Held::Undrained || queue.is_full();
        if queue.is_paused {
            board.pause(id);
        } else {
            board.resume(id);
        }
        board.owes(id, true);
        self.answers.queues.insert(id.serial(), queue);
    }

    /// Goes on with what is outstanding for a connection.
    pub(super) fn go_on_saying(&mut self, id: ConnId, board: &mut Board) {
        let Some(mut queue) = self.answers.queues.remove(&id.serial()) else { return };
        while let Some(saying) = queue.pop_front() {
            match self.carry_on(id, saying, board) {
                Progress::Done => {}
                Progress::Held(rest, held) => {
                    rest.into_iter().for_each(|rest| queue.push_front(rest));
                    queue.held = held;
                    return self.hold_up(id, queue, board);
                }
                Progress::Ended => break,
            }
        }
        board.owes(id, false);
        if queue.is_paused {
            board.resume(id);
        }
    }

    /// How many are outstanding for a connection.
    #[cfg(test)]
    pub(super) fn answers_waiting(&self, serial: u64) -> usize {
        self.answers.queues.get(&serial).map_or(0, |queue| queue.sayings.len())
    }

    /// Does not hear a connection for so long: what it says is dear.
    pub(super) fn let_rest(&mut self, id: ConnId, time: Duration, board: &mut Board) {
        let rest = Saying { not_before: board.now() + time, what: Said::Nothing, by: Author::Reply };
        self.say(id, rest, board);
        if let Some(queue) = self.answers.queues.get_mut(&id.serial()) {
            queue.is_paused = true;
            board.pause(id);
        }
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
                TextProgress::Ended => Progress::Ended,
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
            Said::Nothing => Progress::Done,
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
        Progress::Ended
    }

    fn say_text(&mut self, id: ConnId, text: &mut Text, by: Author, board: &mut Board) -> TextProgress {
        let template = Rc::clone(&text.template);
        let parts = template.parts();
        // All up to what is done on the way goes out as one.
        let from = text.at;
        let is_said = |part: &Part| matches!(part, Part::Bytes(_) | Part::Value(_));
        let until = from + parts[from..].iter().take_while(|part| is_said(part)).count();
        let spoken = match &parts[from..until] {
            [] => Spoken::Done,
            [Part::Bytes(bytes)] => self.say_bytes(id, bytes, by, board),
            all => {
                let mut scratch = std::mem::take(&mut self.answers.scratch);
                scratch.clear();
                self.push_parts(&mut scratch, all, id, text, board);
                let spoken = self.say_bytes(id, &scratch, by, board);
                self.answers.scratch = scratch;
                spoken
            }
        };
        if spoken == Spoken::NoRoom {
            return TextProgress::Undrained { is_whole: false };
        }
        text.at = until + 1;
        match parts.get(until) {
            None if spoken == Spoken::Much => TextProgress::Undrained { is_whole: true },
            None => TextProgress::Done,
            Some(Part::Wait(time)) => TextProgress::Waits(board.now() + *time),
            Some(end) => {
                self.end_as(id, by, *end == Part::Reset, board);
                TextProgress::Ended
            }
        }
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
            Value::Time => out.extend_from_slice(spelt_now().as_bytes()),
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

/// Whether there is anybody to wait for something: what one says that has broken is heard, and answered by nothing.
fn is_there(id: ConnId, board: &Board) -> bool {
    board.view(id).is_some_and(|view| view.is_open)
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
    Ended,
}
