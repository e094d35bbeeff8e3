//! The plan in time: from one phase to the next, and what each second brings.

use std::mem;

use rustix::time::{ClockId, clock_gettime};

use super::super::chat::Complete;
use super::listening::{judge, note_unanswered};
use super::*;

/// Less than this behind the schedule is the timers' doing.
const JUST_NOW: Duration = Duration::from_millis(10);

/// The backlog may grow by this part of what is due, and by what is due in the time of a hiccup, before
/// it is said that the replies fall behind.
const BACKLOG_GROWTH: f64 = 0.02;
const HICCUP: Duration = Duration::from_millis(50);

/// The last of a number of messages may be late by the same part of its schedule, and by this.
const LATE: Duration = Duration::from_millis(5);

/// In less time than this the timers' grain and the tester's own start say more than what it did.
const SHARE_TIME_MIN: Duration = Duration::from_millis(10);

/// Into how many steps unsent messages are counted at most.
const UNSENT_STEPS: u64 = 100_000;

impl Tester {
    pub(super) fn follow_the_plan(&mut self, now: Moment, board: &mut Board) {
        match self.phase {
            Phase::Ramp => {
                let tried = self.next_dial == self.slots.len() && self.dialing == 0;
                if tried && self.up == 0 && !matches!(self.plan.talk, Talk::Churn(_)) {
                    self.finish(now, board);
                } else if tried || matches!(self.plan.talk, Talk::Churn(_)) {
                    self.phase = Phase::Knock { next: now, until: now + self.plan.timeout };
                    self.follow_the_plan(now, board);
                }
            }
            Phase::Knock { .. } if self.all_are_let_in() => {
                self.begin_talking(now, board);
                self.follow_the_plan(now, board);
            }
            Phase::Knock { until, .. } if until <= now => {
                let deaf = self.slots[1..].iter().filter(|slot| !slot.is_let_in).count() as u64;
                self.tally.fail(Failure::TimedOut, deaf);
                self.tally.first_error.get_or_insert_with(|| {
                    format!(
                        "{deaf} connections heard nothing: the server has not let them in, or relays nothing"
                    )
                });
                self.finish(now, board);
            }
            Phase::Knock { next, until } if next <= now => {
                if let Link::Up(id) = self.slots[0].link {
                    board.send(id, KNOCK);
                }
                let next = now + KNOCK_EVERY;
                self.phase = Phase::Knock { next, until };
                board.wake_at(next.min(until));
            }
            Phase::Knock { next, until } => board.wake_at(next.min(until)),
            Phase::Warmup(_) if self.nobody_is_left() => {
                self.tally.cut_short = true;
                self.finish(now, board);
            }
            Phase::Warmup(until) if until <= now => {
                self.phase = Phase::Measure(now);
                self.begin_to_count(now);
                self.follow_the_plan(now, board);
            }
            Phase::Warmup(until) => board.wake_at(until),
            Phase::Measure(since) => {
                let ends = self.plan.duration.map(|duration| since + duration);
                let all_sent = self.to_send == Some(0) && self.in_flight == 0 && self.has_flushed(board);
                let is_time = ends.is_some_and(|ends| ends <= now);
                let nobody_left = self.nobody_is_left();
                if is_time || all_sent || nobody_left {
                    // Where a number of messages is asked for, all of them may be done with in spite of it.
                    let is_done = self.plan.messages.is_some_and(|asked| asked <= self.tally.messages);
                    self.tally.cut_short = nobody_left && !is_time && !is_done;
                    self.stop_talking(since, now, board);
                } else if let Some(ends) = ends {
                    board.wake_at(ends);
                }
            }
            Phase::Drain { until, .. } if until <= now => self.finish(now, board),
            Phase::Drain { .. } if self.in_flight == 0 => self.part(now, board),
            Phase::Drain { until, .. } => board.wake_at(until),
            Phase::Parting(until) if until <= now || self.up == 0 => self.finish(now, board),
            Phase::Parting(until) => board.wake_at(until),
            Phase::Over => {}
        }
    }

    fn stop_talking(&mut self, since: Moment, now: Moment, board: &mut Board) {
        self.stop_counting(since, now, board);
        self.phase = Phase::Drain { since, ended: now, until: now + self.plan.timeout };
        self.follow_the_plan(now, board);
    }

    /// Ends a step of a search in which the replies are hopelessly behind: more of it would only have to be
    /// drained before the next step.
    fn lose_patience(&mut self, now: Moment, board: &mut Board) {
        let Phase::Measure(since) = self.phase else { return };
        let (Some(patience), Some(pacer), Some((_, backlog))) =
            (self.plan.patience, self.pacer, self.backlog_at(now))
        else {
            return;
        };
        // What has piled up is what comes in the time that a message spends in it (Little's law).
        if backlog > pacer.due(patience) {
            self.tally.gave_up = true;
            self.stop_talking(since, now, board);
        }
    }

    /// Whether no connection is there, and none is to come.
    fn nobody_is_left(&self) -> bool {
        self.up == 0 && self.dialing == 0 && self.redial.is_empty() && self.redial_later.is_empty()
    }

    /// Whether all who are connected hear what the first one says; outside a chat that does not matter.
    fn all_are_let_in(&self) -> bool {
        let hears = |slot: &Slot| slot.is_let_in || !matches!(slot.link, Link::Up(_));
        self.book.is_none() || self.slots[1..].iter().all(hears)
    }

    pub(super) fn stop_counting(&mut self, since: Moment, now: Moment, board: &Board) {
        self.count_unsent(since, now, board);
        self.tally.fell_behind = self.left_late || self.falls_behind();
        self.tally.measured = now.since(since);
        note_processor(&mut self.tally, self.processor_at);
    }

    /// Notes, when the last of a number of messages has left, whether it left late.
    pub(super) fn note_last_sent(&mut self, pacer: Pacer, now: Moment) {
        let scheduled = pacer.when(self.paced.saturating_sub(1));
        let late = now.since(self.first_paced + scheduled);
        self.left_late |= late > LATE + scheduled.mul_f64(BACKLOG_GROWTH);
    }

    /// Where no reply is awaited, a message has to have left at least.
    fn has_flushed(&self, board: &Board) -> bool {
        let is_flushed = |slot: &Slot| match slot.link {
            Link::Up(id) => board.view(id).is_none_or(|view| view.queued_bytes == 0),
            _ => true,
        };
        !matches!(self.plan.talk, Talk::Send(_)) || self.slots.iter().all(is_flushed)
    }

    /// Whether the backlog grew through the second half of the time that counts.
    fn falls_behind(&self) -> bool {
        let (Some(pacer), Some(&(due, backlog))) = (self.pacer, self.backlog.last()) else { return false };
        let (due_before, backlog_before) = self.backlog[self.backlog.len() / 2];
        // A hiccup at the very end is no trend.
        let slack = pacer.due(HICCUP) as f64;
        let grown = backlog as f64 - backlog_before as f64;
        grown > slack + (due - due_before) as f64 * BACKLOG_GROWTH
    }

    /// What is due by now and what of it is unanswered, in an open loop and while it counts.
    fn backlog_at(&self, now: Moment) -> Option<(u64, u64)> {
        let (Some(pacer), Phase::Measure(_)) = (self.pacer, self.phase) else { return None };
        let due = pacer.due(now.since(self.first_paced));
        (self.to_send != Some(0)).then_some((due, due.saturating_sub(self.paced) + self.in_flight))
    }

    /// Messages that should have left between these moments and could not: they have waited since they were
    /// due.
    fn count_unsent(&mut self, since: Moment, now: Moment, board: &Board) {
        if let Talk::Send(_) = self.plan.talk {
            self.count_queued_as_unsent(board);
        }
        let Some(pacer) = self.pacer else { return };
        // What was due only just now has not been held up.
        let due = pacer.due(now.since(self.first_paced).saturating_sub(JUST_NOW));
        let from = self.paced.max(self.first_due(pacer, since));
        let unsent = due.saturating_sub(from).min(self.to_send.unwrap_or(u64::MAX));
        // There may be a thousand million, so they are counted in steps.
        let step = (unsent / UNSENT_STEPS).max(1);
        let mut number = from;
        let end = from + unsent;
        while number < end {
            let count = step.min(end - number);
            self.tally.latency.note(now.since(self.first_paced + pacer.when(number)), count);
            number += count;
        }
        self.tally.unsent += unsent;
    }

    /// The number of the first message on the schedule that is due at this moment or later.
    fn first_due(&self, pacer: Pacer, moment: Moment) -> u64 {
        let elapsed = moment.since(self.first_paced);
        let mut number = pacer.due(elapsed);
        while number > 0 && pacer.when(number - 1) >= elapsed {
            number -= 1;
        }
        number
    }

    /// Where no reply is awaited, a message that is still queued has not left. What was queued in the warm-up
    /// has not been counted, so it is not taken off either.
    fn count_queued_as_unsent(&mut self, board: &Board) {
        let size = self.plan.template.size_of(self.plan.first_conn);
        for slot in &self.slots {
            let Link::Up(id) = slot.link else { continue };
            let queued = board.view(id).map_or(0, |view| view.queued_bytes as u64).div_ceil(size);
            let queued = queued.min(slot.counted);
            self.tally.messages = self.tally.messages.saturating_sub(queued);
            self.tally.unsent += queued;
            self.tally.tx_bytes = self.tally.tx_bytes.saturating_sub(queued * size);
        }
    }

    /// Finishes our side of each connection, and listens a little longer. Where connections are not kept to the
    /// end, or nothing is said on them, there is nothing to be heard.
    fn part(&mut self, now: Moment, board: &mut Board) {
        if self.up == 0 || matches!(self.plan.talk, Talk::Churn(_) | Talk::Hold) {
            return self.finish(now, board);
        }
        for slot in &self.slots {
            if let Link::Up(id) = slot.link {
                board.finish(id);
            }
        }
        let until = now + PARTING_MAX.min(self.plan.timeout);
        self.phase = Phase::Parting(until);
        board.wake_at(until);
    }

    pub(super) fn finish(&mut self, now: Moment, board: &mut Board) {
        let phase = self.phase;
        let Tester { slots, tally, .. } = self;
        for slot in slots {
            slot.awaited.end(|finding| judge(finding, phase, tally));
            for run in slot.awaited.runs() {
                note_unanswered(tally, phase, run.scheduled, run.count, now);
            }
        }
        if let Some(book) = &self.book {
            for (scheduled, missing) in book.missing() {
                note_unanswered(&mut self.tally, phase, scheduled, missing, now);
            }
        }
        let p99 = |latency: &Latencies| latency.percentile_ms(99.0);
        let slowest = self.slots.iter().enumerate().filter_map(|(place, slot)| {
            let latency = slot.latency.as_ref().filter(|latency| latency.count() > 0)?;
            Some((self.plan.first_conn + place as u64, p99(latency)))
        });
        self.tally.slowest = slowest.max_by(|left, right| left.1.total_cmp(&right.1));
        // One connection's latencies are kept coarsely, so they may be rounded up beyond the longest.
        let longest = self.tally.latency.max_ms();
        self.tally.slowest = self.tally.slowest.map(|(conn, p99)| (conn, p99.min(longest)));
        self.tell_slice(now);
        self.phase = Phase::Over;
        board.stop();
    }

    /// Tells what a slice of the time brought, and looks now and then for what has waited too long.
    pub(super) fn end_slice(&mut self, now: Moment, board: &mut Board) {
        if now < self.next_slice {
            return board.wake_at(self.next_slice);
        }
        let is_first = self.next_slice == Moment::default();
        self.next_slice = now + SLICE;
        board.wake_at(self.next_slice);
        if now >= self.next_look && self.phase != Phase::Over {
            self.next_look = now + LOOK_EVERY.min(self.plan.timeout / 4);
            self.give_up(now, board);
        }
        if self.is_talking() {
            let later = mem::take(&mut self.redial_later);
            self.redial.extend(later);
        }
        if !is_first && self.phase != Phase::Over {
            self.backlog.extend(self.backlog_at(now));
            self.tell_slice(now);
            self.lose_patience(now, board);
        }
    }

    fn tell_slice(&mut self, now: Moment) {
        let mut slice = mem::replace(&mut self.slice, empty_slice(latencies_of_slice(&self.plan)));
        slice.at = now.since(self.began.unwrap_or(now));
        slice.measured = match self.phase {
            Phase::Measure(since) => Some(now.since(since)),
            Phase::Drain { .. } | Phase::Parting(_) | Phase::Over => Some(self.tally.measured),
            _ => None,
        };
        slice.connections = self.up;
        slice.failures = self.tally.failed();
        slice.backlog = self.backlog_at(now).map(|(_, backlog)| backlog);
        // When nobody watches any more, that is no reason to stop.
        let _ = self.watcher.send(slice);
    }

    pub(super) fn give_up(&mut self, now: Moment, board: &mut Board) {
        let is_late = |since: Moment| now.since(since) >= self.plan.timeout;
        let late: Vec<(usize, ConnId, Failure)> = (0..self.slots.len())
            .filter_map(|slot| match self.slots[slot].link {
                Link::Dialing(id, since) if is_late(since) => Some((slot, id)),
                Link::Up(id) if self.slots[slot].awaited.oldest().is_some_and(|run| is_late(run.sent)) => {
                    Some((slot, id))
                }
                _ => None,
            })
            .map(|(slot, id)| (slot, id, Failure::TimedOut))
            .collect();
        for (slot, id, failure) in late {
            self.tally.fail(failure, self.slots[slot].awaited.unanswered().max(1));
            self.lose(slot, now, board);
            board.hang_up(id, Reason::Finished);
        }
        let oldest = Moment::default() + now.since(Moment::default() + self.plan.timeout);
        let given_up = self.book.as_mut().map(|book| book.give_up(oldest)).unwrap_or_default();
        for (sender, scheduled, missing) in given_up {
            self.tally.wrong.lost_messages += missing;
            self.tally.fail(Failure::TimedOut, missing);
            note_unanswered(&mut self.tally, self.phase, scheduled, missing, now);
            self.go_on(Complete { sender, count: 1, counted: 0 }, now, board);
        }
    }
}

/// Notes what this thread used of its processor within the time that counted, since it had used so much.
pub(in crate::load) fn note_processor(tally: &mut Tally, processor_at: Duration) {
    tally.processor = processor_time().saturating_sub(processor_at);
    let (processor, measured) = (tally.processor, tally.measured);
    tally.busiest = (measured >= SHARE_TIME_MIN).then(|| processor.as_secs_f64() / measured.as_secs_f64());
}

/// Processor time of this thread so far.
pub(in crate::load) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
