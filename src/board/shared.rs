//! What all connections share: the log of broadcasts, the lists of work, the sums, the time. It is apart from the table
//! so that one connection can be held and changed while everything that follows from the change is done here; each is
//! looked up once for that.

use std::collections::BTreeSet;
use std::mem;
use std::ops::Range;

use crate::board::deadlines::Deadlines;
use crate::board::dials::Untried;
use crate::board::in_place::InPlace;
use crate::board::stats::Stats;
use crate::board::time::Time;
use crate::board::work::Work;
use crate::buffer::broadcast::BroadcastLog;
use crate::clock::Moment;
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::conn::reason::Reason;
use crate::conn::slow_reader::{Slow, Verdict};
use crate::conn::state::Step;
use crate::conn::stream::{Kept, Stream};
use crate::conn::{Conn, ConnId, Reading, Share};
use crate::limits::Limits;

/// Everything on the board but the connections themselves.
#[derive(Debug)]
pub(crate) struct Shared {
    pub log: BroadcastLog,
    /// How far the log reached when the last whole walk over its receivers began.
    pub walked_to: u64,
    /// What is being read in this moment, and goes back without a copy.
    in_place: Option<InPlace>,
    pub work: Work,
    /// Where else those who are being dialled may be tried.
    pub untried: Untried,
    pub deadlines: Deadlines,
    pub time: Time,
    pub sums: Sums,
    pub stats: Stats,
    pub limits: Limits,
    /// The Apps' timers, by the clock; a connection has one at most.
    pub timers: BTreeSet<(Moment, ConnId)>,
    /// When the engine has to look at broken connections, by the clock; each stands here once at most.
    pub flows: BTreeSet<(Moment, ConnId)>,
    /// Those whose last flush has left something in their queue, or would have. Whoever is over a limit is one of them.
    pub blocked: BTreeSet<ConnId>,
    /// Those that are broken on purpose, or linked.
    pub detours: BTreeSet<ConnId>,
    /// Those who were accepted and whose handshake is not over.
    pub handshakes: BTreeSet<ConnId>,
    /// By role.
    pub policies: [Policy; Role::COUNT],
    /// How many steps the connections have taken, pauses and roles included. Where it stands still, no connection's
    /// state has changed.
    pub steps: u64,
}

/// Sums over all connections, kept up to date with every change of one.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// What all have in memory of their own; see `budget`.
    pub own_bytes: usize,
    /// How many are sent what is broadcast.
    pub audience: usize,
    /// How many slow readers others wait for.
    pub holding_back: usize,
    /// How many are behind in what was broadcast, after their last flush.
    pub lagging: usize,
    /// How many there are, by role.
    pub of_role: [usize; Role::COUNT],
}

impl Sums {
    /// Counts a connection as what it is now instead of what it was before.
    fn replace(&mut self, before: Share, now: Share) {
        let replaced = |sum: usize, before: bool, now: bool| {
            (sum + usize::from(now))
                .checked_sub(usize::from(before))
                .expect("what a connection no longer counts for, it was counted for")
        };
        self.audience = replaced(self.audience, before.hears, now.hears);
        self.holding_back = replaced(self.holding_back, before.holds_back, now.holds_back);
    }
}

impl Shared {
    pub fn new(limits: Limits) -> Shared {
        Shared {
            log: BroadcastLog::new(limits.own_pieces_max),
            walked_to: 0,
            in_place: None,
            work: Work::default(),
            untried: Untried::default(),
            deadlines: Deadlines::default(),
            time: Time::default(),
            sums: Sums::default(),
            stats: Stats::default(),
            limits,
            timers: BTreeSet::new(),
            flows: BTreeSet::new(),
            blocked: BTreeSet::new(),
            detours: BTreeSet::new(),
            handshakes: BTreeSet::new(),
            policies: [Policy::LINES; Role::COUNT],
            steps: 0,
        }
    }

    /// Lets bytes of what was just read from this connection go back to it without a copy.
    pub fn begin_in_place(&mut self, from: ConnId, fresh: &[u8]) {
        self.in_place = Some(InPlace::new(from, fresh));
    }

    /// Ends that; returns which of the bytes go back.
    pub fn end_in_place(&mut self) -> Range<usize> {
        self.in_place.take().map_or(0..0, InPlace::range)
    }

    /// How much goes back to this connection from where it was read.
    pub fn in_place_bytes(&self, to: ConnId) -> usize {
        self.in_place.as_ref().map_or(0, |in_place| in_place.bytes_for(to))
    }

    /// Has these bytes go back from where they lie, if they are of what was just read from this connection and can go
    /// out in order. Returns whether they do.
    pub fn reply_in_place(&mut self, conn: &Conn, bytes: &[u8]) -> bool {
        conn.takes_at_once() && self.in_place.as_mut().is_some_and(|in_place| in_place.reply(conn.id, bytes))
    }

    /// Bytes that were broadcast since the last whole walk over the receivers began.
    pub fn log_backlog_bytes(&self) -> u64 {
        self.log.end() - self.walked_to
    }

    /// Whether so much is undelivered that nothing should be added.
    pub fn has_log_backlog(&self) -> bool {
        self.log_backlog_bytes() > self.limits.log_backlog_high_bytes as u64
    }

    /// How a connection is treated.
    pub fn policy(&self, conn: &Conn) -> &Policy {
        &self.policies[conn.role.number()]
    }

    /// Whether those whom everybody has to wait for keep such connections from being read.
    pub fn holds_everybody(&self, role: Role) -> bool {
        self.policies[role.number()].backpressure == Backpressure::Everybody
            && (self.sums.holding_back > 0 || self.has_log_backlog())
    }

    /// Gives a connection another role from now on. What was broadcast before it is still told; what it has begun to
    /// say is cut as the new role has it.
    pub fn take_role(&mut self, conn: &mut Conn, role: Role) {
        let before = conn.share();
        if self.policy(conn).framing != self.policies[role.number()].framing
            && conn.reading == Reading::Running
            && !conn.tail.is_empty()
        {
            // A tail means something to the framing that left it alone, so it is looked at as if it came now.
            conn.reading = Reading::Resumed;
            self.work.enlist_resumed(conn);
        }
        self.sums.of_role[conn.role.number()] -= 1;
        self.sums.of_role[role.number()] += 1;
        conn.role = role;
        let hears = self.policy(conn).hears_broadcasts;
        if before.hears && !hears {
            self.catch_up(conn);
            self.account(conn);
            self.work.enlist_to_write(conn);
        } else if !conn.hears_broadcasts && hears {
            conn.cursor = self.log.cursor_at_end();
        }
        conn.hears_broadcasts = hears;
        self.steps += 1;
        // It may have been slow, and not been read because of that.
        self.work.enlist_to_read(conn);
        self.count(before, conn);
        self.arm(conn);
    }

    /// Reads it no more, and hands over nothing more of it, until it is resumed. One that has broken is read to its end.
    pub fn pause(&mut self, conn: &mut Conn) {
        if conn.state.is_broken() {
            return;
        }
        conn.reading = Reading::Paused;
        self.steps += 1;
    }

    /// Lets it go on.
    pub fn resume(&mut self, conn: &mut Conn) {
        if conn.reading == Reading::Paused {
            conn.reading = Reading::Resumed;
            self.steps += 1;
            self.work.enlist_resumed(conn);
            // What has come due meanwhile.
            self.come_back(conn, Some(self.time.now()));
        }
    }

    /// Begins a polite close; a connection that is closed is paused no more.
    pub fn close(&mut self, conn: &mut Conn, why: Reason) {
        self.resume(conn);
        self.step(conn, Step::Close(why));
    }

    /// Sets the connection's timer, or takes it back.
    pub fn set_timer(&mut self, conn: &mut Conn, when: Option<Moment>) {
        if let Some(before) = conn.set_timer(when) {
            self.timers.remove(&(before, conn.id));
        }
        if let Some(when) = when {
            self.timers.insert((when, conn.id));
        }
    }

    /// The timers that have come by `now`.
    pub fn timers_due(&self, now: Moment) -> Vec<(Moment, ConnId)> {
        self.timers.iter().take_while(|(when, _)| *when <= now).copied().collect()
    }

    /// Counts a newcomer.
    pub fn count_newcomer(&mut self, conn: &mut Conn) {
        conn.hears_broadcasts = self.policy(conn).hears_broadcasts;
        self.sums.of_role[conn.role.number()] += 1;
        self.sums.replace(Share { hears: false, holds_back: false }, conn.share());
        self.stats.opened += 1;
        self.arm(conn);
    }

    /// Brings the sum of what all have in memory up to date with this connection.
    pub fn account(&mut self, conn: &mut Conn) {
        let own_bytes = conn.own_bytes();
        let before = mem::replace(&mut conn.accounted_bytes, own_bytes);
        self.sums.own_bytes = self.sums.own_bytes + own_bytes - before;
    }

    /// Notes what a stream keeps of its own after a call. Where it has something unsent that it had not before, it found
    /// no room; where it still has, there may be room again by now; where it has no more, there was.
    #[inline]
    pub fn note_kept(&mut self, conn: &mut Conn, stream: &impl Stream) {
        if let Some(keeps) = stream.kept()
            && keeps != conn.stream_keeps
        {
            self.note_change(conn, keeps);
        }
    }

    #[cold]
    #[inline(never)]
    fn note_change(&mut self, conn: &mut Conn, keeps: Kept) {
        let had_unsent = mem::replace(&mut conn.stream_keeps, keeps).has_unsent();
        self.account(conn);
        if keeps.has_unsent() == had_unsent {
            return;
        }
        conn.writable = had_unsent;
        if had_unsent && conn.has_something_to_flush(&self.log) {
            self.work.enlist_to_write(conn);
        }
        if keeps.has_unsent() && conn.state.writes() {
            // What was written counts as sent, and the peer does not take it: it is slow, be anything queued or not.
            self.note_flush(conn, 0, true);
            self.arm(conn);
        }
    }

    /// Brings the sums up to date with a connection that counted for this much before.
    pub fn count(&mut self, before: Share, conn: &Conn) {
        let now = conn.share();
        if before == now {
            return;
        }
        self.sums.replace(before, now);
        // Whoever waited for it goes on.
        self.work.wants_turn |= before.holds_back && !now.holds_back;
    }

    /// Gives it a copy of its own of what it has not heard of the log, so that whatever is queued next comes after
    /// that, and the log can be trimmed.
    pub fn catch_up(&mut self, conn: &mut Conn) {
        conn.catch_up(&self.log);
        if conn.extras.is_some() {
            self.note_queued(conn);
        }
        self.sums.lagging -= usize::from(mem::take(&mut conn.lagging));
    }

    /// Counts what a connection said and nobody is told.
    pub fn discard(&mut self, conn: &mut Conn, bytes: usize) {
        self.stats.discarded_bytes += bytes as u64;
        conn.state.discard(bytes);
    }

    /// So many bytes of a connection that is over counted as sent, and were not: its stream had them yet.
    #[cold]
    pub fn take_back(&mut self, conn: &mut Conn, bytes: usize) {
        conn.sent_bytes -= bytes as u64;
        conn.state.leave_unsent(bytes);
        self.stats.sent_bytes -= bytes as u64;
        self.stats.unsent_bytes += bytes as u64;
    }

    /// Puts the connection's next deadline, if it has one, into the heap.
    pub fn arm(&mut self, conn: &mut Conn) {
        let Some((when, _)) = conn.next_due(&self.limits, self.policy(conn)) else { return };
        if conn.alarm.is_none_or(|alarm| when < alarm) {
            conn.alarm = Some(when);
            self.deadlines.push(when, conn.id);
        }
    }

    /// Notes how a flush went: it took `taken_bytes`, and was `blocked` if something was left.
    pub fn note_flush(&mut self, conn: &mut Conn, taken_bytes: usize, blocked: bool) {
        self.account(conn);
        if taken_bytes > 0 {
            conn.sent_at = self.time.listened();
        }
        let lagging = conn.is_behind(&self.log);
        if lagging != conn.lagging {
            conn.lagging = lagging;
            if lagging {
                self.sums.lagging += 1;
            } else {
                self.sums.lagging -= 1;
            }
        }
        // One to which nothing is written any more is no reader: as a slow one it would not be read to its end.
        if (conn.slow.is_some() || blocked) && conn.state.writes() {
            let waits_for_none = conn.has_detour() || self.policy(conn).looks_on;
            let is_suspended = waits_for_none && !conn.state.is_parting();
            if is_suspended { self.note_hard_limit(conn) } else { self.note_slow(conn, taken_bytes) }
        }
    }

    /// Keeps the record of one that may be a slow reader.
    fn note_slow(&mut self, conn: &mut Conn, taken_bytes: usize) {
        let before = conn.share();
        let queued_bytes = conn.queued_bytes(&self.log);
        if queued_bytes == 0 && !conn.stream_keeps.has_unsent() {
            self.forget_slow(conn);
            return self.count(before, conn);
        }
        let now = self.time.listened();
        let slow = conn.slow.get_or_insert_with(|| {
            self.blocked.insert(conn.id);
            Box::new(Slow::new(now))
        });
        let was_high = slow.is_over_high();
        slow.note(taken_bytes, queued_bytes, now, &self.limits);
        self.work.wants_turn |= was_high && !slow.is_over_high();
        self.count(before, conn);
        if queued_bytes > self.limits.outbox_bytes_max {
            self.step(conn, Step::HangUp(Reason::QueueFull));
        }
    }

    /// The only limit that holds for those that are broken on purpose, or linked, or look on.
    #[cold]
    fn note_hard_limit(&mut self, conn: &mut Conn) {
        if conn.queued_bytes(&self.log) > self.limits.outbox_bytes_max {
            self.step(conn, Step::HangUp(Reason::QueueFull));
        }
    }

    /// Judges a slow reader by the clock.
    pub fn check_slow(&mut self, conn: &mut Conn) {
        let before = conn.share();
        let Some(slow) = &mut conn.slow else { return };
        let verdict = slow.check(self.time.noted_until(), &self.limits);
        self.count(before, conn);
        let why = match verdict {
            Verdict::Patience => return,
            Verdict::OverSoftTooLong => Reason::ReadsTooSlowly(self.limits.outbox_soft_max),
            Verdict::TookNothingTooLong => Reason::ReadsNothing(self.limits.write_stall_max),
        };
        self.step(conn, Step::HangUp(why));
    }

    /// Whoever waited for it may go on; that it holds nobody back any more is the caller's to count.
    pub(super) fn forget_slow(&mut self, conn: &mut Conn) {
        let slow = conn.slow.take();
        if slow.is_some() {
            self.blocked.remove(&conn.id);
        }
        self.work.wants_turn |= slow.is_some_and(|slow| slow.is_over_high());
    }
}
