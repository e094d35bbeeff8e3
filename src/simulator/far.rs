//! The far end of a simulated connection: what it will say, what it does then, and how it reads.

use std::collections::VecDeque;

use super::dice::Dice;
use crate::clock::Moment;

/// What a far end does when it has said all it had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: it stays and reads on.
    Stay,
    /// It sends its FIN, and reads on.
    Finish,
    /// It resets the connection.
    Reset,
    /// It closes: its FIN, and whatever is sent to it afterwards is answered with a reset.
    Close,
    /// It is never heard of again.
    Vanish,
}

/// A far end.
#[derive(Debug)]
pub(super) struct Far {
    to_say: VecDeque<u8>,
    pub then: Then,
    /// Most bytes that it reads at a time; 0 for one that never reads.
    pub appetite_bytes: usize,
    pub fin_out: bool,
    pub is_closed: bool,
    pub has_reset: bool,
    pub vanished_at: Option<Moment>,
}

impl Far {
    /// One that says this and stays.
    pub fn saying(to_say: Vec<u8>) -> Far {
        Far {
            to_say: to_say.into(),
            then: Then::Stay,
            appetite_bytes: usize::MAX,
            fin_out: false,
            is_closed: false,
            has_reset: false,
            vanished_at: None,
        }
    }

    /// One of any character that says this: most read well, some a little at a time, some not at all.
    pub fn of_any_kind(to_say: Vec<u8>, dice: &Dice) -> Far {
        const ENDS: [Then; 8] = [
            Then::Stay,
            Then::Stay,
            Then::Finish,
            Then::Finish,
            Then::Finish,
            Then::Reset,
            Then::Close,
            Then::Vanish,
        ];
        let appetite_bytes = dice.pick(&[usize::MAX, usize::MAX, 500, 40, 3, 0]);
        Far { then: dice.pick(&ENDS), appetite_bytes, ..Far::saying(to_say) }
    }

    /// One that is never unfaithful: it says this, may finish, and reads all it is sent, fast or slowly.
    pub fn faithful(to_say: Vec<u8>, dice: &Dice) -> Far {
        let appetite_bytes = dice.pick(&[usize::MAX, usize::MAX, 500, 40]);
        let then = dice.pick(&[Then::Stay, Then::Finish]);
        Far { then, appetite_bytes, ..Far::saying(to_say) }
    }

    pub fn has_more_to_say(&self) -> bool {
        !self.to_say.is_empty()
    }

    /// The next bytes that it says.
    pub fn says(&mut self, most: usize) -> Vec<u8> {
        let count = most.min(self.to_say.len());
        let said = self.to_say.drain(..count).collect();
        if self.to_say.is_empty() {
            self.to_say = VecDeque::new();
        }
        said
    }

    /// From now on it reads all, says no more than it began, and finishes.
    pub fn calm_down(&mut self) {
        self.appetite_bytes = usize::MAX;
        if self.then == Then::Stay {
            self.then = Then::Finish;
        }
    }
}
