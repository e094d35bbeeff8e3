//! One operator, as far as commands come from it: what was typed and not yet carried out, and whom it speaks to.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::clock::Moment;
use crate::conn::ConnId;
use crate::desk::{DeskId, Rights};
use crate::hub::carrier::Carrier;
use crate::hub::job::{Job, Several};
use crate::hub::learn::Lesson;
use crate::terminal::{BufferReturn, Entered, Input, Whom};

/// Whom an operator speaks to who names nobody.
#[derive(Clone, Debug)]
pub enum Aim {
    /// This connection, and nobody else once it has gone.
    One(u64),
    /// These.
    Several(Rc<Several>),
    /// Everybody.
    All,
    /// Whoever spoke last.
    Last,
    /// Whoever has a name that fits when the line is taken.
    Named(Rc<str>),
}

/// A text that waits.
#[derive(Debug)]
pub struct Waiting {
    /// The line as it was typed.
    pub line: Vec<u8>,
    /// For whom it was when it was taken, where that is one.
    pub whom: Option<u64>,
}

/// Whom a line reaches that names nobody, as its prompt has shown it.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// The current target.
    pub whom: Whom,
    /// Whom the line names itself.
    pub named: Option<Whom>,
    /// Whoever spoke last.
    pub last: Option<u64>,
}

/// One operator.
#[derive(Debug)]
pub struct Session {
    /// Which desk it is at.
    pub id: DeskId,
    /// How it is attached.
    pub carrier: Carrier,
    /// What may be done there.
    pub rights: Rights,
    /// No more commands will come; those that are here are still carried out.
    pub is_leaving: bool,
    /// To whom it was said last that something is being typed here, and when.
    pub typing: Option<(Vec<u64>, Moment)>,
    /// What was typed.
    pub input: Input,
    /// What was entered on a terminal, line by line.
    pub entered: VecDeque<Entered>,
    /// Of the line that is being carried out: whom its prompt named.
    pub pinned: Option<Pinned>,
    /// A line that waits until it may be carried out; nothing typed after it overtakes it.
    pub waiting: Option<Waiting>,
    /// A command that takes more than one turn; nothing typed after it overtakes it either.
    pub job: Option<Box<Job>>,
    /// The current target.
    pub aim: Aim,
    /// What it has answered last.
    pub lesson: Lesson,
    /// Whether lines are JSON.
    pub is_json: bool,
    /// Whether its texts wait while a peer reads slowly. A program behind a pipe can wait; a person at a terminal is
    /// told instead, and so is a program that reads replies.
    pub waits_for_slow: bool,
}

impl Session {
    /// The operator at a desk, whose lines come from `source`.
    pub fn new(
        id: DeskId,
        source: Option<BufferReturn>,
        aim: Aim,
        is_json: bool,
        waits_for_slow: bool,
    ) -> Session {
        let (input, entered) = (Input::new(source), VecDeque::new());
        let lesson = Lesson::default();
        Session {
            id,
            carrier: Carrier::None,
            rights: Rights::Full,
            is_leaving: false,
            typing: None,
            input,
            entered,
            pinned: None,
            waiting: None,
            job: None,
            aim,
            lesson,
            is_json,
            waits_for_slow,
        }
    }

    /// The operator at an attached desk.
    pub fn attached(id: DeskId, carrier: Carrier, rights: Rights) -> Session {
        Session { carrier, rights, ..Session::new(id, None, Aim::Last, true, false) }
    }

    /// The connection it is attached by.
    pub fn conn(&self) -> Option<ConnId> {
        self.carrier.conn()
    }

    /// Whether nothing that it was told is still to be done.
    pub fn is_idle(&self) -> bool {
        self.input.waiting_bytes() == 0 && self.job.is_none() && self.waiting.is_none()
    }
}
