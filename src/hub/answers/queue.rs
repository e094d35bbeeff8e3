//! What is outstanding for one connection, in order.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::clock::Moment;
use crate::desk::{Author, Template};

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
    /// Nothing: what stands behind it waits.
    Nothing,
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
pub(super) enum Held {
    /// It is not time yet.
    Until,
    /// The peer has not taken what it was sent before.
    Undrained,
    /// A file is on its way to it.
    ByFile,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub sayings: VecDeque<Saying>,
    /// Of them, answers of rules, and what their groups have matched.
    answers: usize,
    groups_bytes: usize,
    pub held: Held,
    pub is_paused: bool,
}

impl Text {
    /// A text of which nothing is said yet, to somebody who has sent so many messages, where that is counted.
    pub fn new(template: Rc<Template>, count: u64) -> Text {
        Text { template, at: 0, groups: Box::default(), count }
    }
}

impl Saying {
    /// A text, to be said as soon as may be.
    pub fn text(text: Text, by: Author) -> Saying {
        Saying { not_before: Moment::default(), what: Said::Text(text), by }
    }

    /// Whether it answers a message, and so may be held up by not hearing more of them. What a recording has, or what is
    /// repeated, comes in its own time.
    fn is_answer(&self) -> bool {
        self.by == Author::Reply
    }

    fn groups_bytes(&self) -> usize {
        match &self.what {
            Said::Text(text) => text.groups.iter().map(|group| group.len()).sum(),
            _ => 0,
        }
    }
}

impl Queue {
    pub fn new(held: Held) -> Queue {
        Queue { sayings: VecDeque::new(), answers: 0, groups_bytes: 0, held, is_paused: false }
    }

    pub fn push_back(&mut self, saying: Saying) {
        self.count(&saying);
        self.sayings.push_back(saying);
    }

    pub fn push_front(&mut self, saying: Saying) {
        self.count(&saying);
        self.sayings.push_front(saying);
    }

    fn count(&mut self, saying: &Saying) {
        self.answers += usize::from(saying.is_answer());
        self.groups_bytes += saying.groups_bytes();
    }

    pub fn pop_front(&mut self) -> Option<Saying> {
        let saying = self.sayings.pop_front()?;
        self.answers -= usize::from(saying.is_answer());
        self.groups_bytes -= saying.groups_bytes();
        Some(saying)
    }

    /// Whether no more answers are to be taken on.
    pub fn is_full(&self) -> bool {
        self.answers >= WAITING_MAX || self.groups_bytes > GROUPS_BYTES_MAX
    }
}
