//! Connections: made at a pace, found by their id, made again, and lost.

use std::io::ErrorKind;
use std::mem;

use rustix::io::Errno;

use super::listening::{judge, note_unanswered};
use super::*;

impl Tester {
    pub(super) fn dial_more(&mut self, now: Moment, board: &mut Board) {
        let began = *self.began.get_or_insert(now);
        let pacer = self.plan.connect_rate.map(Pacer::new);
        let allowed = pacer.map_or(u64::MAX, |pacer| pacer.due(now.since(began)));
        while self.dialing < DIALS_MAX && self.dialed < allowed && self.has_use_for_another() {
            let slot = match self.redial.pop_front() {
                Some(slot) => slot as usize,
                None if self.next_dial < self.slots.len() => {
                    self.next_dial += 1;
                    self.next_dial - 1
                }
                None => return,
            };
            self.dialed += 1;
            self.dial(slot, now, board);
        }
        if let Some(pacer) = pacer {
            board.wake_at(began + pacer.when(self.dialed));
        }
    }

    /// In a churn each connection carries one message, so none is made beyond those.
    fn has_use_for_another(&self) -> bool {
        match (&self.plan.talk, self.to_send) {
            (Talk::Churn(_), Some(left)) => (self.dialing as u64) < left,
            _ => true,
        }
    }

    pub(super) fn dial(&mut self, slot: usize, now: Moment, board: &mut Board) {
        let sources = &self.plan.sources;
        let source = (!sources.is_empty()).then(|| sources[slot % sources.len()]);
        let id = board.dial_as(Role::PEER, source, self.plan.target.clone());
        let key = id.key.place();
        if key >= self.slot_of.len() {
            self.slot_of.resize(key + 1, u32::MAX);
        }
        self.slot_of[key] = slot as u32;
        self.slots[slot].link = Link::Dialing(id, now);
        self.dialing += 1;
    }

    /// The slot whose connection this is now.
    pub(super) fn slot(&self, id: ConnId) -> Option<usize> {
        let slot = *self.slot_of.get(id.key.place())? as usize;
        match self.slots.get(slot)?.link {
            Link::Up(up) if up == id => Some(slot),
            Link::Dialing(dialing, _) if dialing == id => Some(slot),
            _ => None,
        }
    }

    /// A connection of ours is no more: what it had sent will not be answered.
    pub(super) fn lose(&mut self, slot: usize, now: Moment, board: &mut Board) {
        let lost = &mut self.slots[slot];
        let was_up = match mem::replace(&mut lost.link, Link::Down) {
            Link::Up(_) => {
                self.up -= 1;
                true
            }
            Link::Dialing(..) => {
                self.dialing -= 1;
                false
            }
            Link::Down => return,
        };
        let number = self.plan.first_conn + slot as u64;
        let mut awaited = mem::replace(&mut lost.awaited, Awaited::new(number, lost.seq));
        let tally = &mut self.tally;
        awaited.end(|finding| judge(finding, self.phase, tally));
        self.in_flight -= awaited.unanswered();
        for run in awaited.runs() {
            note_unanswered(&mut self.tally, self.phase, run.scheduled, run.count, now);
        }
        let complete = self.book.as_mut().map(|book| book.leave(slot)).unwrap_or_default();
        for complete in complete {
            self.go_on(complete, now, board);
        }
        if matches!(self.plan.talk, Talk::Churn(_)) && self.is_talking() {
            if was_up {
                self.redial.push_back(slot as u32);
            } else {
                // Its message will not be sent. Trying again at once would find the same.
                self.to_send = self.to_send.map(|left| left.saturating_sub(1));
                self.redial_later.push(slot as u32);
            }
        }
    }
}

pub(in crate::load) fn connect_failure(error: &std::io::Error) -> Failure {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE | Errno::NFILE) => Failure::NoDescriptors,
        Some(Errno::ADDRNOTAVAIL) => Failure::NoPorts,
        _ => match error.kind() {
            ErrorKind::ConnectionRefused => Failure::Refused,
            ErrorKind::TimedOut => Failure::TimedOut,
            ErrorKind::ConnectionReset => Failure::Reset,
            _ => Failure::Other,
        },
    }
}

pub(in crate::load) fn lost_failure(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Failure::Reset,
        ErrorKind::TimedOut => Failure::TimedOut,
        _ => Failure::Other,
    }
}
