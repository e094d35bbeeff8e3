//! Messages: made, noted and sent, on schedule or when there is room.

use std::mem;

use crate::board::Sent;

use super::super::echo::Run;
use super::clockwork::processor_time;
use super::listening::{counts, counts_only_what_was_due};
use super::*;

/// Messages sent on the schedule in one turn; replies have to be read between.
const PACED_MAX: u32 = 1 << 16;

/// Where no reply is awaited, so much may be queued on a connection before its turn is passed over.
const SEND_QUEUE_MAX: usize = 64 << 10;

impl Tester {
    pub(super) fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Warmup(_) | Phase::Measure(_))
    }

    /// Sends so many messages on one connection; all of them should have left at `scheduled`. Returns how
    /// many there were left to send.
    pub(super) fn send(&mut self, slot: usize, count: u64, scheduled: Moment, board: &mut Board) -> u64 {
        let Link::Up(id) = self.slots[slot].link else { return 0 };
        if count == 0 || !self.is_talking() {
            return 0;
        }
        let mut count = count;
        // What the warm-up sends does not count.
        if let (Some(left), Phase::Measure(_)) = (&mut self.to_send, self.phase) {
            count = count.min(*left);
            *left -= count;
        }
        if count == 0 {
            return 0;
        }
        let number = self.plan.first_conn + slot as u64;
        let mut messages = mem::take(&mut self.messages);
        messages.clear();
        let sent = self.clock.now();
        let one = &mut self.slots[slot];
        // Noted by runs of messages of one size: mostly all of them.
        let mut noted = 0;
        let mut run = Run { size: 0, count: 0, scheduled, sent };
        for _ in 0..count {
            let from = messages.len();
            self.plan.template.push(number, one.seq, &mut messages);
            one.seq += 1;
            let size = messages.len() - from;
            if let Some(book) = &mut self.book {
                book.say(slot, &messages[from..from + size - 1], scheduled, sent);
            }
            if size != run.size && run.count > 0 {
                note_sent(&self.plan.talk, &mut one.awaited, &messages[noted..from], run);
                noted = from;
                run.count = 0;
            }
            run.size = size;
            run.count += 1;
        }
        note_sent(&self.plan.talk, &mut one.awaited, &messages[noted..], run);
        if !matches!(self.plan.talk, Talk::Send(_)) {
            self.in_flight += count;
        }
        match board.send(id, &messages) {
            Sent::Queued(_) | Sent::Slow(_) => {
                if matches!(self.phase, Phase::Measure(_)) {
                    self.tally.tx_bytes += messages.len() as u64;
                    self.slice.bytes += messages.len() as u64;
                }
            }
            // They were noted as sent, so they will turn out to be unanswered.
            Sent::Full(_) => self.tally.fail(Failure::QueueFull, count),
            Sent::Finished | Sent::Gone => {}
        }
        self.messages = messages;
        count
    }

    /// Sends what the schedule says is due by now.
    pub(super) fn send_paced(&mut self, board: &mut Board) {
        let Some(pacer) = self.pacer else { return };
        let due = pacer.due(self.clock.now().since(self.first_paced));
        // What is not sent yet stays on the schedule, and its time runs.
        let mut left_in_turn = PACED_MAX;
        while self.paced < due && self.in_flight < self.in_flight_max && self.is_talking() {
            if self.to_send == Some(0) {
                return;
            }
            if left_in_turn == 0 {
                return board.call_again();
            }
            left_in_turn -= 1;
            let Some(slot) = self.next_in_turn(board) else { break };
            let scheduled = self.first_paced + pacer.when(self.paced);
            self.paced += 1;
            let sent = self.send(slot, 1, scheduled, board);
            self.count_sent_alone(slot, sent, scheduled);
            if self.to_send == Some(0) {
                let now = self.clock.now();
                return self.note_last_sent(pacer, now);
            }
        }
        if self.is_talking() && self.paced >= due {
            board.wake_at(self.first_paced + pacer.when(self.paced));
        }
    }

    /// The connection whose turn it is: one that is up and, where no reply would tell, takes what it is
    /// sent.
    fn next_in_turn(&mut self, board: &Board) -> Option<usize> {
        for _ in 0..self.slots.len() {
            let slot = self.turn;
            self.turn = (self.turn + 1) % self.slots.len();
            let Link::Up(id) = self.slots[slot].link else { continue };
            let takes = || board.view(id).is_some_and(|view| view.queued_bytes < SEND_QUEUE_MAX);
            if !matches!(self.plan.talk, Talk::Send(_)) || takes() {
                return Some(slot);
            }
        }
        None
    }

    /// Sends on each connection that has nothing more to send: nothing else holds it back.
    pub(super) fn send_unpaced(&mut self, batch: u64, board: &mut Board) {
        let mut sent = false;
        for slot in 0..self.slots.len() {
            let Link::Up(id) = self.slots[slot].link else { continue };
            if board.view(id).is_some_and(|view| view.queued_bytes == 0) {
                let now = self.clock.now();
                let count = self.send(slot, batch, now, board);
                self.count_sent_alone(slot, count, now);
                sent |= count > 0;
            }
        }
        if sent {
            board.call_again();
        }
    }

    /// Where no reply is awaited, a message counts when it is sent.
    pub(super) fn count_sent_alone(&mut self, slot: usize, count: u64, scheduled: Moment) {
        if !matches!(self.plan.talk, Talk::Send(_)) || !matches!(self.phase, Phase::Measure(_)) {
            return;
        }
        self.slice.messages += count;
        if counts(self.phase, scheduled) {
            self.tally.messages += count;
            self.slots[slot].counted += count;
        }
    }

    pub(super) fn begin_talking(&mut self, now: Moment, board: &mut Board) {
        self.phase = if self.plan.warmup.is_zero() {
            Phase::Measure(now)
        } else {
            Phase::Warmup(now + self.plan.warmup)
        };
        self.begin_to_count(now);
        let (Talk::Echo(pace, _) | Talk::Chat(pace) | Talk::Send(pace)) = self.plan.talk else { return };
        match pace {
            Pace::Open(rate) => {
                self.pacer = Some(Pacer::new(rate));
                self.first_paced = now;
            }
            Pace::Closed(pipeline) if !matches!(self.plan.talk, Talk::Send(_)) => {
                for slot in 0..self.slots.len() {
                    let scheduled = self.clock.now();
                    self.send(slot, pipeline, scheduled, board);
                }
            }
            Pace::Closed(_) => {}
        }
    }

    /// From this moment on it counts, if this is the beginning of the time that does.
    pub(super) fn begin_to_count(&mut self, now: Moment) {
        if self.phase == Phase::Measure(now) {
            self.processor_at = processor_time();
            if let Some(book) = self.book.as_mut().filter(|_| counts_only_what_was_due(&self.plan)) {
                book.count_from(now);
            }
        }
    }
}

/// Notes what is awaited on the connection that sent it.
fn note_sent(talk: &Talk, awaited: &mut Awaited, messages: &[u8], run: Run) {
    if let Talk::Echo(..) | Talk::Churn(_) = talk {
        awaited.sent(messages, run);
    }
}
