//! The App of one thread: connects, talks, and judges what comes back.

mod clockwork;
mod connecting;
mod listening;
mod talking;

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::clock::{Clock, Moment};
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::conn::reason::{Reason, in_words};
use crate::limits::Limits;
use crate::terminal::Mail;

pub(super) use self::clockwork::{note_processor, processor_time};
pub(super) use self::connecting::{connect_failure, lost_failure};

use super::chat::Book;
use super::echo::{Awaited, Expect};
use super::pacer::Pacer;
use super::plan::{Pace, Plan, Talk};
use super::tally::{Failure, Latencies, SLICE, Slice, Tally, beginning_of};

/// Connections being dialled at a time. Those that stand in the listener's backlog are not counted: for
/// these there is `--connect-rate`.
pub(super) const DIALS_MAX: usize = 100;

/// What is said in a chat to find out who has been let in, and how often.
const KNOCK: &[u8] = b"switchboard-load: knock\n";
const KNOCK_EVERY: Duration = Duration::from_millis(100);

/// Bytes of messages that may be in flight in an open loop: each is kept twice, to be sent and to be
/// compared with its reply.
const IN_FLIGHT_BYTES_MAX: u64 = 128 << 20;
/// Of large messages a few more, but no more than this.
const IN_FLIGHT_BYTES_MAX_IF_LARGE: u64 = 1 << 30;

/// How long a server is listened to that does not finish its side when we have finished ours. One that does
/// has said all that it had to say before.
pub(super) const PARTING_MAX: Duration = Duration::from_millis(500);

/// How often it is looked whether something has waited too long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The limits of a tester's reactor: it is patient, and leaves without lingering.
pub fn limits(plan: &Plan) -> Limits {
    // Where nothing is awaited, the next message leaves when the one before it has.
    let is_send = matches!(plan.talk, Talk::Send(_));
    Limits {
        outbox_high_bytes: if is_send { 1 } else { Limits::default().outbox_high_bytes },
        outbox_low_bytes: if is_send { 0 } else { Limits::default().outbox_low_bytes },
        outbox_bytes_max: 256 << 20,
        outbox_soft_max: Duration::MAX,
        // Otherwise it is the missing reply that tells of a server which does not read.
        write_stall_max: if is_send { plan.timeout } else { Duration::MAX },
        half_open_max: Duration::MAX,
        linger_silence: Duration::ZERO,
        linger_max: Duration::from_millis(100),
        drain_max: Duration::from_secs(1),
        ..Limits::default()
    }
}

/// The App.
#[derive(Debug)]
pub struct Tester {
    plan: Plan,
    clock: Clock,
    phase: Phase,
    slots: Vec<Slot>,
    /// The slot of each connection, by its key on the board.
    slot_of: Vec<u32>,
    up: u64,
    dialing: usize,
    next_dial: usize,
    /// Connections begun so far.
    dialed: u64,
    /// Those that are to be dialled again, and those that should wait a little first.
    redial: VecDeque<u32>,
    redial_later: Vec<u32>,
    /// What was due and what of it was unanswered at the end of each slice that counts.
    backlog: Vec<(u64, u64)>,
    /// The last of a number of messages left long after it should have.
    left_late: bool,
    began: Option<Moment>,
    pacer: Option<Pacer>,
    /// Messages sent on the schedule since the first.
    paced: u64,
    first_paced: Moment,
    /// In an open loop: how long after it was due the first message that counts was answered.
    lag: Option<Duration>,
    /// The slot whose turn it is on the schedule.
    turn: usize,
    /// Messages that are still to be sent, where their number is bounded.
    to_send: Option<u64>,
    in_flight: u64,
    /// In an open loop no more than this, or a server that falls behind would fill our memory.
    in_flight_max: u64,
    book: Option<Book>,
    messages: Vec<u8>,
    tally: Tally,
    slice: Slice,
    next_slice: Moment,
    next_look: Moment,
    watcher: Sender<Slice>,
    processor_at: Duration,
}

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connecting.
    Ramp,
    /// All are connected. In a chat the first one knocks, at this moment next, until all others have
    /// heard it: a connection may stand in a backlog yet, and who is not let in would miss messages.
    Knock {
        next: Moment,
        until: Moment,
    },
    /// Talking, but it does not count before this moment.
    Warmup(Moment),
    /// Talking, and it counts, since this moment.
    Measure(Moment),
    /// No more talking, and the time that counts ended at `ended`; replies are waited for until `until`.
    Drain {
        since: Moment,
        ended: Moment,
        until: Moment,
    },
    /// Nothing is awaited any more, and our side of each connection is finished: until each server's side is,
    /// too, or until this moment, there may be a reply too many, or a reset that tells of what was not read.
    Parting(Moment),
    Over,
}

#[derive(Debug)]
struct Slot {
    link: Link,
    seq: u64,
    awaited: Awaited,
    /// A line of a chat that has not come whole.
    line: Vec<u8>,
    latency: Option<Latencies>,
    /// Where no reply is awaited: its messages that were counted when they were sent.
    counted: u64,
    /// It has heard the knocking.
    is_let_in: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Dialing(ConnId, Moment),
    Up(ConnId),
}

impl Tester {
    /// A tester that follows `plan` and tells `watcher` what happens each slice.
    pub fn new(plan: Plan, clock: Clock, watcher: Sender<Slice>) -> Tester {
        let count = plan.connections as usize;
        let size = plan.template.size_of(plan.first_conn);
        let slot = |number| Slot {
            link: Link::Down,
            seq: 0,
            awaited: Awaited::new(number, 0),
            line: Vec::new(),
            latency: None,
            counted: 0,
            is_let_in: false,
        };
        let slots = (0..plan.connections).map(|place| slot(plan.first_conn + place)).collect();
        let book = matches!(plan.talk, Talk::Chat(_)).then(|| Book::new(count, plan.first_conn));
        Tester {
            clock,
            phase: Phase::Ramp,
            slots,
            slot_of: Vec::new(),
            up: 0,
            dialing: 0,
            next_dial: 0,
            dialed: 0,
            redial: VecDeque::new(),
            redial_later: Vec::new(),
            backlog: Vec::new(),
            left_late: false,
            began: None,
            pacer: None,
            paced: 0,
            first_paced: Moment::default(),
            lag: None,
            turn: 0,
            to_send: plan.messages,
            in_flight: 0,
            in_flight_max: (IN_FLIGHT_BYTES_MAX / size).max(1000.min(IN_FLIGHT_BYTES_MAX_IF_LARGE / size)),
            book,
            messages: Vec::new(),
            tally: Tally::default(),
            slice: empty_slice(latencies_of_slice(&plan)),
            next_slice: Moment::default(),
            next_look: Moment::default(),
            watcher,
            processor_at: Duration::ZERO,
            plan,
        }
    }

    /// What was counted.
    pub fn into_tally(self) -> Tally {
        self.tally
    }
}

impl App for Tester {
    type Message = Mail;

    fn policy(&self, _role: Role) -> Policy {
        Policy { backpressure: Backpressure::None, ..Policy::RAW }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        let Some(slot) = self.slot(id) else { return };
        let now = self.clock.now();
        if let Link::Dialing(_, since) = self.slots[slot].link {
            self.tally.connect.note(now.since(since), 1);
            self.tally.connected += 1;
            self.dialing -= 1;
            self.up += 1;
        }
        self.slots[slot].link = Link::Up(id);
        if matches!(self.plan.talk, Talk::Churn(_)) {
            self.send(slot, 1, now, board);
        }
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        let Some(slot) = self.slot(id) else { return };
        if matches!(self.phase, Phase::Measure(_)) {
            self.tally.rx_bytes += frame.bytes.len() as u64;
            self.slice.bytes += frame.bytes.len() as u64;
        }
        match &self.plan.talk {
            Talk::Echo(_, expect) | Talk::Churn(expect) => {
                let expect = expect.clone();
                self.receive_echo(slot, frame.bytes, &expect, board);
            }
            Talk::Chat(_) => self.receive_chat(slot, frame.bytes, board),
            Talk::Send(_) | Talk::Hold => {
                self.tally.first_unasked.get_or_insert_with(|| beginning_of(frame.bytes));
            }
        }
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        if let Some(slot) = self.slot(id) {
            // We have finished first, so it is no more than polite.
            if !matches!(self.phase, Phase::Parting(_) | Phase::Over) {
                self.tally.fail(Failure::ClosedEarly, 1);
            }
            let now = self.clock.now();
            self.lose(slot, now, board);
        }
        board.close(id, Reason::Finished);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let Some(slot) = self.slot(id) else { return };
        // Where replies are awaited all have come by then, so nothing is lost with a connection.
        let is_done = match self.phase {
            Phase::Parting(_) => !matches!(self.plan.talk, Talk::Send(_)),
            phase => phase == Phase::Over,
        };
        if !is_done {
            let (failure, error) = match why {
                Reason::CannotConnect(error) => (connect_failure(error), Some(error)),
                Reason::Lost(error) => (lost_failure(error), Some(error)),
                Reason::ReadsNothing(_) => (Failure::TimedOut, None),
                _ => (Failure::Other, None),
            };
            self.tally.fail(failure, 1);
            if let Some(error) = error {
                self.tally.first_error.get_or_insert_with(|| in_words(error));
            }
        }
        let now = self.clock.now();
        self.lose(slot, now, board);
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        let Mail::Terminate = mail else { return };
        let now = self.clock.now();
        self.tally.interrupted = !matches!(self.phase, Phase::Parting(_) | Phase::Over);
        if let Phase::Measure(since) = self.phase {
            self.stop_counting(since, now, board);
        }
        if self.phase != Phase::Over {
            self.finish(now, board);
        }
    }

    fn turn_ended(&mut self, board: &mut Board) {
        let now = self.clock.now();
        if self.phase == Phase::Ramp || (matches!(self.plan.talk, Talk::Churn(_)) && self.is_talking()) {
            self.dial_more(now, board);
        }
        self.follow_the_plan(now, board);
        self.send_paced(board);
        if let (Talk::Send(Pace::Closed(batch)), true) = (&self.plan.talk, self.is_talking()) {
            let batch = *batch;
            self.send_unpaced(batch, board);
        }
        self.end_slice(now, board);
    }
}

/// The latencies of a slice: a long run has many of them; a search holds those of a step against its bounds.
fn latencies_of_slice(plan: &Plan) -> Latencies {
    if plan.patience.is_some() { Latencies::default() } else { Latencies::coarse() }
}

/// A slice in which nothing has happened.
pub(super) fn empty_slice(latency: Latencies) -> Slice {
    Slice {
        at: Duration::ZERO,
        measured: None,
        connections: 0,
        messages: 0,
        bytes: 0,
        latency,
        failures: 0,
        backlog: None,
    }
}
