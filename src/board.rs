//! All connections, and what an App may ask of them. A wish is state here (bytes in outboxes, marks on
//! connections), which the engine and the reactor carry out at fixed points of the turn.
//!
//! What stands here is for Apps; what follows from it stands in `shared` and `lifecycle`.

#[cfg(any(test, feature = "simulator"))]
mod audit;
mod broadcast;
mod budget;
mod deadlines;
mod dials;
mod ending;
mod faults;
mod in_place;
mod lifecycle;
mod links;
mod roster;
mod shared;
pub(crate) mod stats;
mod table;
mod time;
pub(crate) mod turns;
mod view;
mod work;

use crate::address::Admission;
use crate::board::stats::Stats;
use crate::board::table::{Newcomer, Table};
use crate::board::turns::Timing;
use crate::clock::Moment;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::Reason;
use crate::conn::state::{State, Step};
use crate::conn::{Conn, ConnId, Key, Peer};
use crate::limits::Limits;

pub(crate) use dials::Dial;
pub(crate) use shared::Shared;
#[cfg(any(test, feature = "simulator"))]
pub(crate) use time::LAPSE_MAX;
pub(crate) use time::{Polled, Told};
pub use view::{Sent, View};

/// Whether the server goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    /// It serves.
    On,
    /// It takes nobody new and ends when the last connection has.
    Draining,
    /// All connections are being closed; whatever is left at this moment is dropped.
    Stopping(Moment),
}

/// All connections. The App's only handle on the engine.
#[derive(Debug)]
pub struct Board {
    pub(crate) table: Table,
    pub(crate) shared: Shared,
    pub(crate) running: Running,
    pub(crate) reading_held: bool,
    /// When the App wants a turn, whatever happens.
    pub(crate) wake: Option<Moment>,
    /// Who is to be let in from now on, where that has changed.
    pub(crate) admissions: Vec<(Role, Admission)>,
    /// How long turns take, where somebody wants to know.
    pub(crate) timing: Timing,
}

impl Board {
    /// An empty board.
    pub fn new(limits: Limits) -> Board {
        Board {
            table: Table::default(),
            shared: Shared::new(limits),
            running: Running::On,
            reading_held: false,
            wake: None,
            admissions: Vec::new(),
            timing: Timing::default(),
        }
    }

    /// Queues bytes for one connection. Never blocks.
    pub fn send(&mut self, to: ConnId, bytes: &[u8]) -> Sent {
        self.send_parts(to, &[bytes])
    }

    /// Queues bytes that lie in several places, all of them or none.
    pub fn send_parts(&mut self, to: ConnId, parts: &[&[u8]]) -> Sent {
        let Board { table, shared, .. } = self;
        let Some(conn) = table.get_mut(to) else { return Sent::Gone };
        if !conn.may_be_sent() {
            return if conn.state.is_open() { Sent::Finished } else { Sent::Gone };
        }
        shared.catch_up(conn);
        let queued = conn.outbox.len() + shared.in_place_bytes(to);
        let more: usize = parts.iter().map(|part| part.len()).sum();
        if queued + more > shared.limits.outbox_bytes_max {
            // Catching up has moved bytes, though none are added.
            shared.account(conn);
            return Sent::Full(queued);
        }
        if let [only] = parts
            && shared.reply_in_place(conn, only)
        {
            shared.work.enlist_to_write(conn);
            return Sent::Queued(queued + more);
        }
        for part in parts {
            conn.outbox.push(part);
        }
        if conn.extras.is_some() {
            shared.note_queued(conn);
        }
        shared.work.enlist_to_write(conn);
        shared.account(conn);
        if !conn.writable {
            // No flush will note it.
            shared.note_flush(conn, 0, true);
            shared.arm(conn);
        }
        if conn.is_over_high() { Sent::Slow(queued + more) } else { Sent::Queued(queued + more) }
    }

    /// Sends our FIN once the outbox is empty. The peer is still heard.
    pub fn finish(&mut self, id: ConnId) {
        self.step(id, Step::Finish);
    }

    /// Closes politely: what is queued is sent, then our FIN; what the peer still says is discarded,
    /// for a while, so that no reset destroys what is under way to it.
    pub fn close(&mut self, id: ConnId, why: Reason) {
        if let Some(conn) = self.table.get_mut(id) {
            self.shared.close(conn, why);
        }
    }

    /// Ends a connection now. What is queued for it is lost, and counted.
    pub fn hang_up(&mut self, id: ConnId, why: Reason) {
        self.step(id, Step::HangUp(why));
    }

    /// Gives a connection another role from now on: what it says next is cut into frames as that role has it, and so is
    /// what it had begun to say, with what framed it: the STX of a frame of which a part was handed over, or how much
    /// was still to come of one whose length stood in front.
    pub fn take_role(&mut self, id: ConnId, role: Role) {
        if let Some(conn) = self.table.get_mut(id).filter(|conn| !conn.is_over()) {
            self.shared.take_role(conn, role);
        }
    }

    /// Stops reading a connection; nothing more that it says is handed over until `resume`, not even the next line of
    /// the same read. What was read before is kept, one read budget at most, and what comes waits in the system, so
    /// that in the end the peer has to wait. Its FIN is not noticed meanwhile, and no silence is held against it while
    /// something of it waits. Closing resumes, and so does its break (a reset): what it had said before is handed over
    /// then, and it ends; pausing does nothing to it any more.
    pub fn pause(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id).filter(|conn| !conn.is_over()) {
            self.shared.pause(conn);
        }
    }

    /// Goes on reading a connection that was paused, from the next time on that connections are read.
    pub fn resume(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id).filter(|conn| !conn.is_over()) {
            self.shared.resume(conn);
        }
    }

    /// Whether the App still has something to say to a connection, in its own time: meanwhile neither silence
    /// (`Limits::idle_max`) nor that its peer has finished (`Limits::half_open_max`) ends it.
    pub fn owes(&mut self, id: ConnId, owes: bool) {
        if let Some(conn) = self.table.get_mut(id).filter(|conn| conn.is_owed != owes) {
            conn.is_owed = owes;
            if !owes {
                // Its time begins now.
                conn.sent_at = self.shared.time.listened();
            }
            self.shared.arm(conn);
        }
    }

    /// Has `App::drained` called once, as soon as no more than the low water (`Limits::outbox_low_bytes`) is queued for
    /// a connection; not where it ends before.
    pub fn tell_when_drained(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.tells_drained = true;
        }
    }

    /// Has `App::finished` called once, when our side of a connection is being finished and the peer is still heard,
    /// whoever has asked for that.
    pub fn tell_when_finished(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            conn.tells_finished = true;
        }
    }

    /// Has `App::timer` called for a connection at this moment or right after it, to the precision of the system's
    /// timers. A connection has one timer: setting it again replaces it, and it goes when the connection ends.
    pub fn set_timer(&mut self, id: ConnId, when: Moment) {
        if let Some(conn) = self.table.get_mut(id).filter(|conn| !conn.is_over()) {
            self.shared.set_timer(conn, Some(when));
        }
    }

    /// Takes the timer of a connection back.
    pub fn clear_timer(&mut self, id: ConnId) {
        if let Some(conn) = self.table.get_mut(id) {
            self.shared.set_timer(conn, None);
        }
    }

    /// Reads nobody while `held`, but for those that look on (`Policy::looks_on`). For an App that has no room for what it
    /// would be told.
    pub fn hold_reading(&mut self, held: bool) {
        self.reading_held = held;
    }

    /// Lets in, in this role, only whom `admission` admits, from the next newcomer on. Whoever is here stays. Peers that
    /// have no address, at a Unix socket, are always let in.
    pub fn admit(&mut self, role: Role, admission: Admission) {
        self.admissions.push((role, admission));
    }

    /// Asks for another turn at once, without waiting for anything to happen.
    pub fn call_again(&mut self) {
        self.shared.work.wants_turn = true;
    }

    /// Asks for a turn at this moment, to the precision of the system's timers, whatever else happens.
    /// Of several moments asked for in a turn the earliest counts; it is forgotten once it has come.
    pub fn wake_at(&mut self, when: Moment) {
        self.wake = Some(self.wake.map_or(when, |wake| wake.min(when)));
    }

    /// Whether there is a slow reader that others wait for.
    pub fn is_held_back(&self) -> bool {
        self.shared.sums.holding_back > 0
    }

    /// Whether this one is a slow reader that whoever feeds it waits for.
    pub fn is_held_back_by(&self, id: ConnId) -> bool {
        self.table.get(id).is_some_and(Conn::holds_back)
    }

    /// The time, read once a turn.
    pub fn now(&self) -> Moment {
        self.shared.time.now()
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Whether a connection has had this number, be it gone or not.
    pub fn has_seen(&self, serial: u64) -> bool {
        self.table.has_seen(serial)
    }

    /// The connection with this number, if it has not ended.
    pub fn find(&self, serial: u64) -> Option<ConnId> {
        self.table.find(serial)
    }

    /// All connections, in the order they came.
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.table.ids().filter_map(|id| self.view(id))
    }

    /// The connections of the role `PEER`, in the order they came.
    pub fn peers(&self) -> impl Iterator<Item = View<'_>> {
        self.views().filter(|view| view.role == Role::PEER)
    }

    /// How many connections of this role there are.
    pub fn count(&self, role: Role) -> usize {
        self.shared.sums.of_role[role.number()]
    }

    /// What can be told of a connection; `None` once it was swept.
    pub fn view(&self, id: ConnId) -> Option<View<'_>> {
        let conn = self.table.get(id)?;
        // Once it is over, what went back from where it was read has been counted.
        let in_place = if conn.is_over() { 0 } else { self.shared.in_place_bytes(id) };
        Some(View {
            id,
            peer: &conn.peer,
            role: conn.role,
            via: conn.via,
            inbound: conn.state.inbound(),
            outbound: conn.state.outbound(),
            is_open: conn.state.is_open(),
            is_connecting: conn.state.is_connecting(),
            never_came_about: conn.state.never_came_about(),
            opened_at: conn.opened_at(),
            silent_for: self.shared.time.listened().since(conn.received_at),
            took_nothing_for: self.shared.time.listened().since(conn.sent_at),
            received_bytes: conn.received_bytes,
            sent_bytes: conn.sent_bytes,
            queued_bytes: conn.queued_bytes(&self.shared.log) + in_place,
            discarded_bytes: conn.state.discarded_bytes(),
            is_paused: conn.is_paused(),
            is_slow: conn.is_over_high(),
        })
    }

    /// Says how the roles are treated. Whoever was dialled before is treated so, too.
    pub(crate) fn set_policies(&mut self, policies: [Policy; Role::COUNT]) {
        self.shared.policies = policies;
        let ids: Vec<ConnId> = self.table.ids().collect();
        for id in ids {
            if let Some(conn) = self.table.get_mut(id) {
                self.shared.take_role(conn, conn.role);
            }
        }
    }

    /// Moves a connection on in its life, unless it was swept.
    pub(crate) fn step(&mut self, id: ConnId, step: Step) {
        if let Some(conn) = self.table.get_mut(id) {
            self.shared.step(conn, step);
        }
    }

    /// Whether people call newcomers with this role by a number.
    pub(crate) fn has_number(&self, role: Role) -> bool {
        self.shared.policies[role.number()].has_number
    }

    /// The key that the next connection will have.
    pub(crate) fn next_key(&self) -> Key {
        self.table.next_key()
    }

    /// Takes in a connection.
    pub(crate) fn add(&mut self, peer: Peer, role: Role, state: State) -> &mut Conn {
        let has_number = self.has_number(role);
        let Board { table, shared, .. } = self;
        let newcomer = Newcomer { peer, role, state, has_number };
        let conn = table.add(newcomer, shared.log.cursor_at_end(), &shared.time);
        shared.count_newcomer(conn);
        conn
    }

    /// Takes out a connection that is over; its key may be used again from now on.
    pub(crate) fn remove(&mut self, key: Key) -> Conn {
        let conn = self.table.remove(key);
        assert!(conn.is_over(), "only what is over is taken out");
        assert_eq!(conn.accounted_bytes, 0, "what is over has nothing any more");
        self.shared.stats.closed += 1;
        self.shared.sums.of_role[conn.role.number()] -= 1;
        conn
    }

    /// Keeps the heap in proportion: with a long idle limit, those of connections that have left would
    /// stay for as long.
    pub(crate) fn forget_superseded_deadlines(&mut self) {
        let Board { table, shared, .. } = self;
        // At most this many times as many as there may be good ones, so the work is amortised.
        if shared.deadlines.len() > 64 + 4 * table.len() {
            shared.deadlines.retain(|when, id| table.get(id).is_some_and(|conn| conn.alarm == Some(when)));
        }
    }
}
