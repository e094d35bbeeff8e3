//! The App that plays a script: each recorded conversation is a connection.

mod conversing;

use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::address::Address;
use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::clock::{Clock, Moment};
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::conn::reason::Reason;
use crate::limits::Limits;
use crate::load::tally::{Latencies, SLICE, Slice, Tally};
use crate::load::tester::{DIALS_MAX, empty_slice, note_processor, processor_time};
use crate::reactor::tls::setup::Loaded;
use crate::terminal::Mail;

use super::dialogue::{Dialogue, Left};
use super::script::{Script, Speed};

/// Whom a script is played to, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub target: Address,
    /// What TLS is spoken with, where it is.
    pub tls: Loaded,
    /// This machine's addresses to connect from, in turn; the system's choice where there is none.
    pub sources: Vec<IpAddr>,
    /// How many conversations may go on at a time; a further one begins when one of these has ended.
    pub at_a_time: usize,
    /// How fast.
    pub speed: Speed,
    /// How long a connection or a reply is waited for.
    pub timeout: Duration,
}

impl Plan {
    /// The limits of a player's reactor: it waits for replies, not for silence, and leaves without lingering.
    pub fn limits(&self) -> Limits {
        Limits {
            // Of a message that the server does not read no more is queued than this, and one piece.
            outbox_high_bytes: conversing::PIECE_BYTES,
            outbox_low_bytes: 0,
            outbox_soft_max: Duration::MAX,
            write_stall_max: self.timeout,
            connect_max: self.timeout,
            tls_handshake_max: self.timeout,
            half_open_max: Duration::MAX,
            linger_silence: Duration::ZERO,
            linger_max: Duration::from_millis(100),
            drain_max: Duration::from_secs(1),
            ..Limits::default()
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What is counted in every run. Its messages are those that were sent.
    pub tally: Tally,
    /// Conversations that went as recorded.
    pub as_recorded: u64,
    /// Those that did not.
    pub different: u64,
    /// Those that were interrupted, or never begun.
    pub unfinished: u64,
    /// Replies that came whole, and were compared.
    pub replies: u64,
    /// Bytes that came behind our end, where the recording has nothing to compare them with.
    pub not_compared_bytes: u64,
    /// How long after its time the last message of the recording left, and when that was.
    pub last_left: Option<Left>,
    /// The longest that a message left after its time.
    pub most_late: Duration,
    /// The first thing that was not as recorded.
    pub difference: Option<String>,
}

/// The App.
#[derive(Debug)]
pub struct Player {
    plan: Plan,
    script: Arc<Script>,
    clock: Clock,
    /// Conversations begun so far, in their order.
    begun: usize,
    open: HashMap<ConnId, Playing>,
    dialing: usize,
    /// When it began, and when there was last room again for another conversation.
    began: Option<Moment>,
    room_since: Moment,
    /// When something last happened.
    active: Moment,
    is_over: bool,
    played: Played,
    slice: Slice,
    next_slice: Moment,
    watcher: Sender<Slice>,
    processor_at: Duration,
}

/// A conversation that was begun.
#[derive(Debug)]
struct Playing {
    phase: Phase,
    dialogue: Dialogue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Since this moment.
    Dialing(Moment),
    Talking,
    /// The recording has ended before the connection did. Our side is finished, and the server may finish its own.
    Parting,
}

impl Player {
    /// A player that tells `watcher` what happens each slice.
    pub fn new(plan: Plan, script: Arc<Script>, clock: Clock, watcher: Sender<Slice>) -> Player {
        Player {
            plan,
            script,
            clock,
            begun: 0,
            open: HashMap::new(),
            dialing: 0,
            began: None,
            room_since: Moment::default(),
            active: Moment::default(),
            is_over: false,
            played: Played::default(),
            slice: empty_slice(Latencies::coarse()),
            next_slice: Moment::default(),
            watcher,
            processor_at: Duration::ZERO,
        }
    }

    /// What came of it.
    pub fn into_played(self) -> Played {
        self.played
    }

    fn begin(&mut self, now: Moment) -> Moment {
        if self.began.is_none() {
            self.began = Some(now);
            (self.room_since, self.active) = (now, now);
            self.processor_at = processor_time();
        }
        self.began.unwrap_or(now)
    }

    /// Begins the conversations whose time has come.
    fn begin_more(&mut self, began: Moment, now: Moment, board: &mut Board) {
        while let Some(place) = self.script.nth(self.begun) {
            let dials_max = if self.plan.speed == Speed::Unpaced { DIALS_MAX } else { usize::MAX };
            if self.open.len() >= self.plan.at_a_time || self.dialing >= dials_max {
                return;
            }
            let planned = began + self.plan.speed.time(self.script.start(place)).unwrap_or_default();
            if planned > now {
                return board.wake_at(planned);
            }
            // Whoever had to wait for room still takes its own time between its messages.
            let times = (planned, planned.max(self.room_since));
            let Plan { speed, timeout, .. } = self.plan;
            let dialogue = Dialogue::new(&self.script, place, speed, timeout, times);
            let sources = &self.plan.sources;
            let source = (!sources.is_empty()).then(|| sources[self.begun % sources.len()]);
            let id = board.dial_as(Role::PEER, source, self.plan.target.clone());
            self.open.insert(id, Playing { phase: Phase::Dialing(now), dialogue });
            self.dialing += 1;
            self.begun += 1;
        }
    }

    /// Whether nobody was ever connected to, and nobody is being: then nobody will be.
    fn is_in_vain(&self) -> bool {
        self.begun > 0 && self.open.is_empty() && self.played.tally.connected == 0
    }

    fn finish(&mut self, began: Moment, now: Moment, board: &mut Board) {
        let ids: Vec<ConnId> = self.open.keys().copied().collect();
        for id in ids {
            self.conclude(id, now);
        }
        let untried = (self.script.len() - self.begun) as u64;
        self.played.unfinished += untried;
        let tally = &mut self.played.tally;
        tally.cut_short = untried > 0 && !tally.interrupted;
        tally.measured = self.active.since(began);
        note_processor(tally, self.processor_at);
        self.tell_slice(began, now);
        self.is_over = true;
        board.stop();
    }

    fn end_slice(&mut self, began: Moment, now: Moment, board: &mut Board) {
        if now >= self.next_slice {
            let is_first = mem::replace(&mut self.next_slice, now + SLICE) == Moment::default();
            if !is_first {
                self.tell_slice(began, now);
            }
        }
        board.wake_at(self.next_slice);
    }

    fn tell_slice(&mut self, began: Moment, now: Moment) {
        let mut slice = mem::replace(&mut self.slice, empty_slice(Latencies::coarse()));
        slice.at = now.since(began);
        slice.measured = Some(now.since(began));
        slice.connections = self.open.len().saturating_sub(self.dialing) as u64;
        slice.failures = self.played.tally.failed();
        // When nobody watches any more, that is no reason to stop.
        let _ = self.watcher.send(slice);
    }
}

impl App for Player {
    type Message = Mail;

    fn policy(&self, _role: Role) -> Policy {
        Policy { backpressure: Backpressure::None, ..Policy::RAW }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        let now = self.clock.now();
        let Some(playing) = self.open.get_mut(&id) else { return };
        if let Phase::Dialing(since) = mem::replace(&mut playing.phase, Phase::Talking) {
            self.dialing -= 1;
            self.played.tally.connected += 1;
            self.played.tally.connect.note(now.since(since), 1);
        }
        playing.dialogue.connected(now);
        self.active = now;
        self.go_on(id, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.hear(id, frame.bytes, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.hear_end(id, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, _board: &mut Board) {
        self.hear_close(id, why);
    }

    fn drained(&mut self, id: ConnId, board: &mut Board) {
        self.go_on(id, board);
    }

    fn timer(&mut self, id: ConnId, board: &mut Board) {
        self.go_on(id, board);
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        let Mail::Terminate = mail else { return };
        if !self.is_over {
            let now = self.clock.now();
            let began = self.begin(now);
            self.played.tally.interrupted = true;
            self.finish(began, now, board);
        }
    }

    fn turn_ended(&mut self, board: &mut Board) {
        if self.is_over {
            return;
        }
        let now = self.clock.now();
        let began = self.begin(now);
        if !self.is_in_vain() {
            self.begin_more(began, now, board);
        }
        let is_done = self.open.is_empty() && self.begun == self.script.len();
        if is_done || self.is_in_vain() {
            return self.finish(began, now, board);
        }
        self.end_slice(began, now, board);
    }
}
