//! The terminal desk in memory: events and replies go in, keys go in, and what it draws goes to the model of a
//! terminal, which is looked at.

mod aim;
mod answered;
mod flood;
mod forged;
mod guards;
mod linked;
mod scripts;

use std::time::{Duration, Instant};

use super::*;
use crate::buffer::framing::{End, Frame};
use crate::conn::Peer;
use crate::conn::reason::Reason;
use crate::conn::stream::Via;
use crate::desk::command::View;
use crate::desk::event::{Event, Who};
use crate::desk::reply::{Delivered, Reply, Target};
use crate::terminal::Entered;
use crate::terminal::editor::tests::model::Model;

/// A desk, its terminal, and whoever types.
struct Rig {
    desk: TerminalDesk,
    model: Model,
    now: Instant,
    entered: Vec<Entered>,
    has_ended: bool,
    was_terminated: bool,
}

impl Rig {
    fn new(columns: usize, rows: usize) -> Rig {
        let desk = TerminalDesk::new(TerminalOptions {
            repertoire: Repertoire::Unicode,
            is_coloured: true,
            is_quiet: false,
            tracks_pending: true,
            speaks_to_all: false,
            has_others: false,
            is_attached: false,
            history: None,
        });
        let mut rig = Rig {
            desk,
            model: Model::new(columns, rows),
            now: Instant::now(),
            entered: Vec::new(),
            has_ended: false,
            was_terminated: false,
        };
        rig.resize(columns, rows);
        rig.draw();
        rig
    }

    fn resize(&mut self, columns: usize, rows: usize) {
        self.model.resize(columns, rows);
        self.desk.resize(Size { columns, rows });
    }

    fn opens(&mut self, serial: u64) {
        let opened = Event::Opened {
            who: Who::nameless(serial),
            peer: &Peer::Unix,
            dialled: false,
            client: None,
            via: Via::Plain,
        };
        self.desk.event(&opened, View::Text, self.now);
    }

    fn closes(&mut self, serial: u64) {
        let closed = Event::Closed {
            who: Who::nameless(serial),
            why: &Reason::Finished,
            unseen: None,
            received_bytes: 0,
            sent_bytes: 0,
            unsent_bytes: 0,
            discarded_bytes: 0,
        };
        self.desk.event(&closed, View::Text, self.now);
    }

    fn says(&mut self, serial: u64, text: &str) {
        let frame = Frame::of(text.as_bytes(), End::Newline);
        self.desk.message(Who::nameless(serial), &frame, View::Text, self.now);
    }

    /// What was typed is carried out at once, as far as this desk can tell.
    fn types(&mut self, keys: &str) {
        let mut acts = Vec::new();
        self.desk.typed(keys.as_bytes(), self.now, &mut acts);
        self.act(acts);
    }

    fn act(&mut self, acts: Vec<Act<Mail>>) {
        for act in acts {
            match act {
                Act::Post(Mail::Entered(entered)) => self.entered.push(entered),
                // It raises a signal, which nobody here is to get.
                Act::Run(_) if self.desk.is_over => self.was_terminated = true,
                Act::EndInput => self.has_ended = true,
                _ => {}
            }
        }
    }

    fn draw(&mut self) -> Option<Instant> {
        let (mut out, mut acts) = (String::new(), Vec::new());
        let next = self.desk.frame(true, self.now, &mut out, &mut acts);
        self.model.feed(&out);
        self.desk.frame_is_written();
        self.act(acts);
        next
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// What was entered, and for whom, as one would say it.
    fn sent(&mut self) -> Vec<String> {
        let sent = self.entered.drain(..).map(|entered| {
            format!("{:?}: {}", entered.whom, String::from_utf8(entered.line).expect("it was typed"))
        });
        sent.collect()
    }

    /// All rows that have something in them.
    fn rows(&self) -> Vec<String> {
        self.model.all().into_iter().filter(|row| !row.is_empty()).collect()
    }

    /// The row of the prompt.
    fn last_row(&self) -> String {
        self.rows().pop().unwrap_or_default()
    }

    /// The prompt, without what is typed and the counts.
    fn prompt(&self) -> String {
        let row = self.last_row();
        row.split_once("> ").map_or(row.trim_end_matches('>').to_owned(), |(prompt, _)| prompt.to_owned())
    }

    fn target_is(&mut self, target: Target<'_>) {
        self.desk.reply(&Reply::TargetIs(target));
    }

    fn replies_sent(&mut self, serial: u64) {
        let sent = Delivered { bytes: 6, queued_bytes: 0, not_reading_for: None };
        self.desk.reply(&Reply::Sent(Who::nameless(serial), sent));
    }
}

/// xorshift64, Marsaglia 2003; its lowest bits are the worst.
struct Dice(u64);

impl Dice {
    fn of_seed(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6a09_e667_f3bc_c909 | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
