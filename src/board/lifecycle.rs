//! What the pump and the reactor need of the board.

use std::ops::Range;

use super::{Board, catch_up, here_mut, mark_dirty};
use crate::board::in_place::InPlace;
use crate::buffer::outbox::Outbox;
use crate::conn::reason::Reason;
use crate::conn::slow_reader::{Slow, Verdict};
use crate::conn::state::{Became, State, Step};
use crate::conn::{Conn, ConnId, Peer};

impl Board {
    /// Lets bytes of what was just read from this connection go back to it without a copy.
    pub(crate) fn lend(&mut self, from: ConnId, fresh: &[u8]) {
        self.in_place = Some(InPlace::new(from, fresh));
    }

    /// Ends that; returns which of the bytes go back.
    pub(crate) fn lent(&mut self) -> Range<usize> {
        self.in_place.take().map_or(0..0, InPlace::lent)
    }

    /// What was said to many and is not yet delivered, or handed to the slow readers' account.
    pub(crate) fn log_backlog_bytes(&self) -> u64 {
        self.log.end() - self.walked_to
    }

    /// Whether so much is undelivered that nothing should be added.
    pub(crate) fn has_log_backlog(&self) -> bool {
        self.log_backlog_bytes() > self.limits.log_backlog_high_bytes as u64
    }

    /// Gives a connection a copy of its own of what it has not heard, so that the log can be trimmed.
    pub(crate) fn give_copy(&mut self, key: u32) {
        catch_up(&mut self.conns[key as usize], &self.log, &mut self.lagging);
        self.account(key);
    }

    /// Ends all connections now.
    pub(crate) fn hang_up_all(&mut self, why: impl Fn() -> Reason) {
        for at in 0..self.roster.ids().len() {
            self.hang_up(self.roster.ids()[at], why());
        }
    }

    /// Moves a connection on in its life, and does all that follows from it: queues, lists, sums and deadlines. The only
    /// caller of `State::take`.
    pub(crate) fn step(&mut self, id: ConnId, step: Step) {
        let Some(conn) = here_mut(&mut self.conns, id) else { return };
        let (was_sent, held_back, was_dialing) =
            (conn.may_be_sent(), conn.holds_back(), conn.state.is_dialing());
        let lent = self.in_place.as_ref().map_or(0, |in_place| in_place.bytes_for(id));
        let unsent_bytes = conn.queued_bytes(&self.log) + lent;
        let became = conn.state.take(step, self.time.listened(), unsent_bytes);
        let may_be_sent = conn.may_be_sent();
        if was_sent && !may_be_sent && !conn.is_over() {
            // What it was not sent yet of the log is its own from now on: it follows the log no more.
            catch_up(conn, &self.log, &mut self.lagging);
        }
        match became {
            Became::Same => return,
            Became::Established => {
                conn.writable = true;
                conn.cursor = self.log.cursor_at_end();
                (conn.received_at, conn.sent_at) = (self.time.listened(), self.time.listened());
            }
            Became::HalfClosed => {
                // Its FIN is the last thing it said; how long our side stays open is counted from here. The deadline
                // is set where the read ends: mostly the App answers with our FIN, and there is none.
                conn.received_at = self.time.listened();
                return;
            }
            Became::FinSent => {}
            Became::Finishing => mark_dirty(conn, &mut self.dirty),
            Became::Parting => {
                if conn.readable && !conn.on_ready_list {
                    // It was slow, so we had stopped reading it. Now we must drain what it sends: it might not read
                    // before it has sent it.
                    self.read_again.push(id.key);
                    self.wants_turn = true;
                }
                mark_dirty(conn, &mut self.dirty);
            }
            Became::Broken => {
                conn.readable = true;
                conn.end_hinted = true;
                self.forget_slow(id.key);
            }
            Became::Over(why) => {
                if was_dialing {
                    self.dials.retain(|dial| dial.id != id);
                }
                self.lay_out(id.key, why, unsent_bytes);
            }
        }
        let audience = self.audience + usize::from(may_be_sent);
        self.audience =
            audience.checked_sub(usize::from(was_sent)).expect("who leaves the audience was counted in it");
        self.account(id.key);
        self.count_holding_back(id.key, held_back);
        self.arm(id.key);
    }

    /// A connection is over: it waits to be swept, and keeps nothing until then.
    fn lay_out(&mut self, key: u32, why: Reason, unsent_bytes: usize) {
        self.forget_slow(key);
        let conn = &mut self.conns[key as usize];
        conn.outbox = Outbox::default();
        self.lagging -= usize::from(std::mem::take(&mut conn.lagging));
        self.stats.count_limit(&why);
        self.stats.unsent_bytes += unsent_bytes as u64;
        self.over.push((key, why));
    }

    /// Whoever waited for it may go on; the count of those that hold others back is the caller's to bring up to date.
    fn forget_slow(&mut self, key: u32) {
        let slow = self.conns[key as usize].slow.take();
        self.wants_turn |= slow.is_some_and(|slow| slow.is_over_high());
    }

    /// The key that the next connection will have.
    pub(crate) fn next_key(&self) -> usize {
        self.conns.vacant_key()
    }

    pub(crate) fn add(&mut self, peer: Peer, state: State) -> ConnId {
        self.last_serial += 1;
        let key = u32::try_from(self.conns.vacant_key());
        let key = key.expect("descriptors are ints, so there are fewer connections than 2^31");
        let id = ConnId { serial: self.last_serial, key };
        let cursor = self.log.cursor_at_end();
        let conn = Conn::new(id, peer, state, cursor, self.time.listened());
        self.audience += usize::from(conn.may_be_sent());
        self.conns.insert(conn);
        self.roster.add(id);
        self.stats.opened += 1;
        self.arm(key);
        id
    }

    /// Takes a connection that is over out of the slab; its key may be used again from now on.
    pub(crate) fn remove(&mut self, key: u32) {
        let conn = self.conns.remove(key as usize);
        debug_assert!(conn.is_over(), "only what has ended is swept");
        debug_assert_eq!(conn.accounted_bytes, 0, "what is over has nothing any more");
        self.stats.closed += 1;
        let conns = &self.conns;
        self.roster.remove_one(|id| conns.get(id.key as usize).is_some_and(|conn| conn.id == id));
    }

    /// Counts what a connection said and nobody is told.
    pub(crate) fn discard(&mut self, key: u32, bytes: usize) {
        self.stats.discarded_bytes += bytes as u64;
        self.conns[key as usize].state.discard(bytes);
    }

    /// Whether what this connection says is to be handed to the App.
    pub(crate) fn delivers(&self, id: ConnId) -> bool {
        self.conns.get(id.key as usize).is_some_and(|conn| conn.id == id && conn.delivers())
    }

    /// Puts the connection's next deadline, if it has one, into the heap.
    pub(crate) fn arm(&mut self, key: u32) {
        let conn = &mut self.conns[key as usize];
        let Some((when, _)) = conn.next_due(&self.limits, self.framing) else { return };
        if conn.alarm.is_none_or(|alarm| when < alarm) {
            conn.alarm = Some(when);
            self.deadlines.push(when, conn.id);
            self.forget_superseded_deadlines();
        }
    }

    /// Keeps the heap in proportion: with a long idle limit, those of connections that have left would
    /// stay for as long.
    fn forget_superseded_deadlines(&mut self) {
        // At most this many times as many as there may be good ones, so the work is amortised.
        if self.deadlines.len() > 64 + 4 * self.conns.len() {
            let conns = &self.conns;
            self.deadlines.retain(|when, id| {
                conns.get(id.key as usize).is_some_and(|conn| conn.id == id && conn.alarm == Some(when))
            });
        }
    }

    /// Notes how a flush went: it took `taken_bytes`, and `is_behind` if something was left.
    pub(crate) fn note_flush(&mut self, key: u32, taken_bytes: usize, is_behind: bool) {
        self.account(key);
        let conn = &mut self.conns[key as usize];
        if taken_bytes > 0 {
            conn.sent_at = self.time.listened();
        }
        let lagging = conn.may_be_sent() && self.log.is_behind(&conn.cursor);
        if lagging != conn.lagging {
            conn.lagging = lagging;
            if lagging {
                self.lagging += 1;
            } else {
                self.lagging -= 1;
            }
        }
        if conn.slow.is_none() && !is_behind {
            return;
        }
        let queued_bytes = conn.queued_bytes(&self.log);
        if queued_bytes == 0 {
            self.drop_slow(key);
            return;
        }
        let (now, held_back) = (self.time.listened(), conn.holds_back());
        let slow = conn.slow.get_or_insert_with(|| Box::new(Slow::new(now)));
        let was_high = slow.is_over_high();
        slow.note(taken_bytes, queued_bytes, now, &self.limits);
        let is_high = slow.is_over_high();
        self.count_holding_back(key, held_back);
        self.wants_turn |= was_high && !is_high;
        if queued_bytes > self.limits.outbox_bytes_max {
            let id = self.conns[key as usize].id;
            self.hang_up(id, Reason::QueueFull);
        }
    }

    /// Judges a slow reader by the clock.
    pub(crate) fn check_slow(&mut self, key: u32) {
        let conn = &mut self.conns[key as usize];
        let id = conn.id;
        let held_back = conn.holds_back();
        let Some(slow) = &mut conn.slow else { return };
        let verdict = slow.check(self.time.noted_until(), &self.limits);
        self.count_holding_back(key, held_back);
        let why = match verdict {
            Verdict::Patience => return,
            Verdict::OverSoftTooLong => Reason::ReadsTooSlowly(self.limits.outbox_soft_max),
            Verdict::TookNothingTooLong => Reason::ReadsNothing(self.limits.write_stall_max),
        };
        self.hang_up(id, why);
    }

    fn drop_slow(&mut self, key: u32) {
        let held_back = self.conns[key as usize].holds_back();
        self.forget_slow(key);
        self.count_holding_back(key, held_back);
    }

    /// Brings the count of those that others wait for up to date with this one, which `held_back` before.
    pub(super) fn count_holding_back(&mut self, key: u32, held_back: bool) {
        match (held_back, self.conns[key as usize].holds_back()) {
            (false, true) => self.holding_back += 1,
            (true, false) => {
                self.holding_back -= 1;
                // Whoever waited for it goes on.
                self.wants_turn = true;
            }
            _ => {}
        }
    }
}
