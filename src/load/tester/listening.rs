//! Replies: judged, timed and counted.

use std::mem;

use memchr::memchr;

use super::super::chat::{Complete, Heard};
use super::super::echo::{Finding, Run, STRAY_BYTES_MAX};
use super::super::tally::beginning_of;
use super::*;

impl Tester {
    pub(super) fn receive_echo(&mut self, slot: usize, bytes: &[u8], expect: &Expect, board: &mut Board) {
        let now = self.clock.now();
        let Tester { plan, slots, tally, phase, slice, lag, .. } = self;
        let one = &mut slots[slot];
        let before = one.awaited.unanswered();
        let latency = &mut one.latency;
        one.awaited.receive(bytes, expect, &plan.template, |finding| match finding {
            Finding::Answered(run) => {
                if is_achieved(plan, *phase, lag, run.scheduled, now) {
                    tally.messages += run.count;
                }
                note_answered(tally, slice, latency, *phase, &run, now);
            }
            finding => judge(finding, *phase, tally),
        });
        self.in_flight -= before - one.awaited.unanswered();
        match self.plan.talk {
            Talk::Echo(Pace::Closed(pipeline), _) => {
                let room = pipeline.saturating_sub(self.slots[slot].awaited.unanswered());
                self.send(slot, room, now, board);
            }
            Talk::Churn(_) if before > 0 && self.slots[slot].awaited.unanswered() == 0 => {
                let Link::Up(id) = self.slots[slot].link else { return };
                self.lose(slot, now, board);
                board.close(id, Reason::Finished);
            }
            _ => {}
        }
    }

    pub(super) fn receive_chat(&mut self, slot: usize, mut bytes: &[u8], board: &mut Board) {
        let now = self.clock.now();
        let mut tail = mem::take(&mut self.slots[slot].line);
        while let Some(end) = memchr(b'\n', bytes) {
            if tail.is_empty() {
                self.hear(slot, &bytes[..end], now, board);
            } else {
                tail.extend_from_slice(&bytes[..end]);
                self.hear(slot, &tail, now, board);
                tail.clear();
            }
            bytes = &bytes[end + 1..];
        }
        // A line without an end is none of ours.
        if tail.len() + bytes.len() <= STRAY_BYTES_MAX {
            tail.extend_from_slice(bytes);
        }
        self.slots[slot].line = tail;
    }

    pub(super) fn hear(&mut self, slot: usize, line: &[u8], now: Moment, board: &mut Board) {
        if matches!(self.phase, Phase::Knock { .. }) && line.ends_with(KNOCK.trim_ascii_end()) {
            self.slots[slot].is_let_in = true;
            return;
        }
        let Some(book) = &mut self.book else { return };
        match book.hear(slot, line, &self.plan.template) {
            Heard::Message { scheduled, sent, lost, complete } => {
                let run = Run { size: line.len() + 1, count: 1, scheduled, sent };
                if is_achieved(&self.plan, self.phase, &mut self.lag, scheduled, now) {
                    self.tally.deliveries += 1;
                }
                let latency = &mut self.slots[slot].latency;
                note_answered(&mut self.tally, &mut self.slice, latency, self.phase, &run, now);
                if lost > 0 {
                    self.tally.wrong.lost_messages += lost;
                    self.tally.fail(Failure::Mismatch, lost);
                }
                self.complete(complete, now, board);
            }
            Heard::Duplicated => {
                judge(Finding::Duplicated(line.len() as u64 + 1), self.phase, &mut self.tally);
            }
            Heard::Corrupted { bytes, complete } => {
                judge(Finding::Corrupted(bytes), self.phase, &mut self.tally);
                self.complete(complete, now, board);
            }
            Heard::Other => {}
        }
    }

    /// Messages of this sender's were heard by all.
    fn complete(&mut self, complete: Complete, now: Moment, board: &mut Board) {
        let is_in_time = match self.phase {
            Phase::Measure(_) => true,
            Phase::Drain { ended, .. } => self.lag.is_some_and(|lag| now <= ended + lag),
            _ => false,
        };
        if is_in_time {
            self.tally.messages += complete.counted;
        }
        self.go_on(complete, now, board);
    }

    /// Nobody is waiting for these any more: in a closed loop their sender says the next.
    pub(super) fn go_on(&mut self, complete: Complete, now: Moment, board: &mut Board) {
        let Some(book) = &self.book else { return };
        let pending = book.pending(complete.sender) as u64;
        self.in_flight = self.in_flight.saturating_sub(complete.count);
        if let (Talk::Chat(Pace::Closed(pipeline)), 1..) = (&self.plan.talk, complete.count) {
            let room = pipeline.saturating_sub(pending);
            self.send(complete.sender, room, now, board);
        }
    }
}

/// Whether a message counts only if it was due in the time that does. In a closed loop nothing is due: there a
/// time counts whatever is answered within it.
pub(super) fn counts_only_what_was_due(plan: &Plan) -> bool {
    plan.messages.is_some() || plan.talk.asked_rate().is_some()
}

/// Whether an answer at this moment counts towards the achieved rate. In an open loop the time in which answers
/// count begins and ends later than the one in which messages are due, both times by how long the first answer
/// took: otherwise the replies under way when it ends would be missing, and a steady delay would look like a
/// server that falls short.
fn is_achieved(
    plan: &Plan,
    phase: Phase,
    lag: &mut Option<Duration>,
    scheduled: Moment,
    now: Moment,
) -> bool {
    if counts_only_what_was_due(plan) && !counts(phase, scheduled) {
        return false;
    }
    match phase {
        Phase::Measure(_) => {
            if plan.talk.asked_rate().is_some() {
                lag.get_or_insert(now.since(scheduled));
            }
            true
        }
        Phase::Drain { ended, .. } => lag.is_some_and(|lag| now <= ended + lag),
        _ => false,
    }
}

/// Whether a message that left at this moment counts.
pub(super) fn counts(phase: Phase, scheduled: Moment) -> bool {
    match phase {
        Phase::Measure(since) | Phase::Drain { since, .. } => scheduled >= since,
        _ => false,
    }
}

pub(super) fn note_answered(
    tally: &mut Tally,
    slice: &mut Slice,
    of_slot: &mut Option<Latencies>,
    phase: Phase,
    run: &Run,
    now: Moment,
) {
    if matches!(phase, Phase::Measure(_)) {
        slice.messages += run.count;
    }
    if counts(phase, run.scheduled) {
        let response = now.since(run.scheduled);
        tally.latency.note(response, run.count);
        tally.service.note(now.since(run.sent), run.count);
        slice.latency.note(response, run.count);
        of_slot.get_or_insert_with(Latencies::coarse).note(response, run.count);
    }
}

pub(super) fn note_unanswered(tally: &mut Tally, phase: Phase, scheduled: Moment, count: u64, now: Moment) {
    if counts(phase, scheduled) {
        tally.unanswered += count;
        tally.latency.note(now.since(scheduled), count);
    }
}

/// Counts what was wrong about replies.
pub(super) fn judge(finding: Finding<'_>, phase: Phase, tally: &mut Tally) {
    let wrong = &mut tally.wrong;
    match finding {
        Finding::Answered(_) => return,
        // A server may say goodbye to those who have finished.
        Finding::Unasked(_) if matches!(phase, Phase::Parting(_)) => return,
        Finding::Lost(messages, bytes) => {
            wrong.lost_messages += messages;
            wrong.lost_bytes += bytes;
        }
        Finding::Duplicated(bytes) => wrong.duplicated_bytes += bytes,
        Finding::Corrupted(bytes) => wrong.corrupted_bytes += bytes,
        Finding::OtherReply(line) => {
            wrong.corrupted_bytes += line.len() as u64;
            tally.first_other_reply.get_or_insert_with(|| beginning_of(line));
        }
        Finding::CrossDelivered(bytes) => wrong.cross_delivered_bytes += bytes,
        Finding::Unasked(bytes) => {
            wrong.unasked_bytes += bytes.len() as u64;
            tally.first_unasked.get_or_insert_with(|| beginning_of(bytes));
        }
    }
    tally.fail(Failure::Mismatch, 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::load::message::Template;
    use crate::reactor::tls::setup::Settings;

    /// Replies to a message a millisecond, each after `delay`, in a second that counts from 100 ms on.
    fn achieved(talk: Talk, delay: impl Fn(u64) -> u64) -> u64 {
        let at = |millis| Moment::after_start(Duration::from_millis(millis));
        let plan = Plan {
            target: Address::Tcp(([127, 0, 0, 1], 9).into()),
            tls: Settings::default().load().unwrap(),
            sources: Vec::new(),
            connections: 1,
            first_conn: 0,
            connect_rate: None,
            talk,
            template: Template::of_size(64),
            warmup: Duration::from_millis(100),
            duration: Some(Duration::from_secs(1)),
            messages: None,
            timeout: Duration::from_secs(5),
            patience: None,
        };
        let mut lag = None;
        let mut answers: Vec<(u64, u64)> = (0..1100).map(|due| (due + delay(due), due)).collect();
        answers.sort_unstable();
        let counted = answers.into_iter().filter(|(now, due)| {
            let since = at(100);
            let phase = match now {
                0..100 => Phase::Warmup(since),
                100..1100 => Phase::Measure(since),
                _ => Phase::Drain { since, ended: at(1100), until: at(6100) },
            };
            is_achieved(&plan, phase, &mut lag, at(*due), at(*now))
        });
        counted.count() as u64
    }

    #[test]
    fn a_steady_delay_achieves_what_was_asked_for_and_a_backlog_does_not() {
        let open = || Talk::Echo(Pace::Open(1000.0), Expect::Echo);

        assert_eq!(achieved(open(), |_| 0), 1000);
        assert_eq!(achieved(open(), |_| 300), 1000, "those under way at the end are late by no more");
        assert_eq!(achieved(open(), |due| 500u64.saturating_sub(due)), 1000, "a stall of the warm-up");
        assert_eq!(achieved(open(), |due| due), 501, "half of what is asked for");
        assert_eq!(achieved(open(), |due| if due < 900 { 0 } else { 1000 }), 800, "a stall at the end");
    }

    #[test]
    fn in_a_closed_loop_whatever_is_answered_in_the_time_that_counts_is_achieved() {
        let closed = Talk::Echo(Pace::Closed(1), Expect::Echo);

        assert_eq!(achieved(closed, |_| 50), 1000);
    }
}
