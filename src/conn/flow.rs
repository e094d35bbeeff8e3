//! What faults do to one connection: both directions, how it ends, and when it has to be looked at next. Under edge
//! triggering a stream that says `WouldBlock` of its own accord would never be announced again, so nothing of this is a
//! wrapper around the stream: it lies between the stream and the queues, and the engine comes back when it is time.

mod bucket;
mod corruption;
mod valve;

use std::io;

use fastrand::Rng;

use crate::buffer::outbox::Outbox;
use crate::clock::Moment;
use crate::conn::faults::{CloseFault, Faults, LimitData};
use crate::conn::reason::FaultEnd;
use valve::Valve;

pub(crate) use valve::Gate;

/// So much of what was read may wait for its time; then the peer has to wait, as where a network holds no more.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// The same where nothing is delayed, and only the pace is kept.
const KEPT_BYTES_PACED: usize = 64 << 10;

/// How what it sends has ended, behind what is kept.
#[derive(Debug)]
pub(crate) enum InboundEnd {
    /// By a FIN.
    Finished,
    /// The connection was lost.
    Failed(io::Error),
    /// It was broken before, and all was read.
    Drained,
}

/// The faults of one connection at work.
#[derive(Debug)]
pub(crate) struct Flow {
    faults: Faults,
    rng: Rng,
    outbound: Valve,
    inbound: Valve,
    /// What was read, and waits for its time.
    kept: Outbox,
    inbound_end: Option<InboundEnd>,
    /// When that may be told.
    inbound_ends_at: Moment,
    /// When our FIN may go out, once it was asked for.
    fin_at: Option<Moment>,
    /// Since when our FIN alone is left.
    fin_alone_since: Option<Moment>,
    /// When it is reset.
    resets_at: Option<Moment>,
    /// When a black hole closes it, outbound and inbound.
    closes_at: [Option<Moment>; 2],
    /// Its entry on the board's list.
    pub due_at: Option<Moment>,
}

impl Flow {
    /// A connection that is not broken yet.
    pub fn new(seed: u64) -> Flow {
        let mut rng = Rng::with_seed(seed);
        let valves = [rng.fork(), rng.fork()].map(Valve::new);
        let [outbound, inbound] = valves;
        Flow {
            faults: Faults::default(),
            rng,
            outbound,
            inbound,
            kept: Outbox::default(),
            inbound_end: None,
            inbound_ends_at: Moment::default(),
            fin_at: None,
            fin_alone_since: None,
            resets_at: None,
            closes_at: [None; 2],
            due_at: None,
        }
    }

    /// What is broken.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Adds faults; what has come before passes as it was to.
    pub fn add(&mut self, more: &Faults, now: Moment) {
        self.faults.add(more);
        self.outbound.set(&self.faults.outbound, &more.outbound, now);
        self.inbound.set(&self.faults.inbound, &more.inbound, now);
        if let Some(after) = more.reset_peer {
            self.resets_at = Some(now + after);
        }
        for (way, closes_at) in [&more.outbound, &more.inbound].into_iter().zip(&mut self.closes_at) {
            if let Some(hole) = way.blackhole {
                *closes_at = hole.closes_after.map(|after| now + after);
            }
        }
        if more.close.is_some() {
            self.fin_at = None;
        }
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        self.faults = Faults::default();
        self.outbound.clear();
        self.inbound.clear();
        (self.resets_at, self.closes_at, self.fin_at) = (None, [None; 2], None);
        self.inbound_ends_at = Moment::default();
    }

    /// Whether nothing is broken, and nothing is left of what was.
    pub fn is_over(&self) -> bool {
        self.faults.is_none() && self.kept.is_empty() && self.inbound_end.is_none()
    }

    /// What ends the connection now, if anything does.
    pub fn ends(&self, now: Moment) -> Option<FaultEnd> {
        let has_come = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        match () {
            () if has_come(self.resets_at) => Some(FaultEnd::ResetPeer),
            () if self.closes_at.into_iter().any(has_come) => Some(FaultEnd::Blackhole),
            () => {
                [&self.outbound, &self.inbound].into_iter().find_map(Valve::ends).map(|limit| match limit {
                    LimitData { resets: true, .. } => FaultEnd::LimitDataReset,
                    LimitData { resets: false, .. } => FaultEnd::LimitData,
                })
            }
        }
    }

    /// Takes note of what was queued for the peer. Returns how many bytes vanished.
    pub fn take_outbound(&mut self, queue: &mut Outbox, now: Moment) -> usize {
        self.outbound.take(queue, now, &mut self.rng)
    }

    /// Whether something of what is queued may be written now.
    pub fn outbound_gate(&mut self, now: Moment) -> Gate {
        self.outbound.gate(now)
    }

    /// So much of what is queued was written.
    pub fn wrote(&mut self, bytes: usize, now: Moment) {
        self.outbound.pass(bytes, now);
    }

    /// Whether each write is to be a segment of its own.
    pub fn slices_outbound(&self) -> bool {
        self.faults.outbound.slicer.is_some()
    }

    /// Whether our FIN, which is all that is left to be sent, may go out now.
    pub fn fin_gate(&mut self, now: Moment) -> Gate {
        if self.faults.outbound.stall || self.faults.close == Some(CloseFault::Never) {
            return Gate::Shut(None);
        }
        let slow = match self.faults.close {
            Some(CloseFault::Slow(slow)) => slow,
            _ => std::time::Duration::ZERO,
        };
        let alone_since = *self.fin_alone_since.get_or_insert(now);
        let asked_for = *self.fin_at.get_or_insert_with(|| self.outbound.later(now, &mut self.rng));
        let when = asked_for.max(alone_since + slow);
        if when <= now { Gate::Open(0) } else { Gate::Shut(Some(when)) }
    }

    /// Our FIN was asked for: with latency it comes later, like everything else.
    pub fn fin_is_asked_for(&mut self, now: Moment) {
        if self.fin_at.is_none() {
            self.fin_at = Some(self.outbound.later(now, &mut self.rng));
        }
    }

    /// How much may be read now; of one that `parts`, all that comes before its end, to be thrown away.
    pub fn room(&self, parts: bool) -> usize {
        let way = &self.faults.inbound;
        if self.inbound_end.is_some() {
            return 0;
        }
        if parts {
            return usize::MAX;
        }
        if way.stall {
            return 0;
        }
        let most = if way.latency.is_some() { KEPT_BYTES_MAX } else { KEPT_BYTES_PACED };
        most.saturating_sub(self.kept.len())
    }

    /// Takes what was read. Returns how many bytes vanished.
    pub fn take_inbound(&mut self, bytes: &[u8], now: Moment) -> usize {
        self.kept.push(bytes);
        self.inbound.take(&mut self.kept, now, &mut self.rng)
    }

    /// What it sends has ended.
    pub fn inbound_has_ended(&mut self, end: InboundEnd, now: Moment) {
        self.inbound_ends_at = self.inbound.later(now, &mut self.rng);
        self.inbound_end = Some(end);
    }

    /// Whether something of what was read may be handed over now.
    pub fn inbound_gate(&mut self, now: Moment) -> Gate {
        self.inbound.gate(now)
    }

    /// Whether what is handed over is to be apart from what comes next.
    pub fn slices_inbound(&self) -> bool {
        self.faults.inbound.slicer.is_some()
    }

    /// Takes so many of the bytes that were read out, to be handed over.
    pub fn release(&mut self, bytes: usize, now: Moment, into: &mut Vec<u8>) {
        let (front, back) = self.kept.slices();
        let from_front = bytes.min(front.len());
        into.extend_from_slice(&front[..from_front]);
        into.extend_from_slice(&back[..bytes - from_front]);
        self.kept.sent(bytes);
        self.inbound.pass(bytes, now);
    }

    /// How what it sends has ended, if all before that was handed over and its time has come.
    pub fn release_end(&mut self, now: Moment) -> Option<InboundEnd> {
        if !self.kept.is_empty() || self.inbound_ends_at > now || self.faults.inbound.stall {
            return None;
        }
        self.inbound_end.take()
    }

    /// Bytes that were read and not handed over.
    pub fn kept_bytes(&self) -> usize {
        self.kept.len()
    }

    /// What it has in memory.
    pub fn held_bytes(&self) -> usize {
        self.kept.held_bytes() + self.outbound.held_bytes() + self.inbound.held_bytes()
    }

    /// When it is to be looked at next, where nothing happens before.
    pub fn next_due(
        &mut self,
        now: Moment,
        fin_is_due: bool,
        may_write: bool,
        may_hand_over: bool,
    ) -> Option<Moment> {
        // What has come was carried out.
        let ends = self.closes_at.into_iter().chain([self.resets_at]).flatten();
        let mut next = ends.filter(|when| *when > now).min();
        let mut gates = [Gate::Shut(None); 2];
        if may_hand_over {
            let is_end_alone = self.inbound_end.is_some() && self.kept.is_empty();
            gates[0] = match self.inbound.gate(now) {
                // One whose time has come is told when it is looked at, and has to be looked at for that.
                _ if is_end_alone && !self.faults.inbound.stall => {
                    Gate::Shut(Some(self.inbound_ends_at.max(now)))
                }
                gate => gate,
            };
        }
        if may_write {
            gates[1] = if fin_is_due { self.fin_gate(now) } else { self.outbound.gate(now) };
        }
        for gate in gates {
            let when = match gate {
                Gate::Open(_) => Some(now),
                Gate::Shut(when) => when,
            };
            next = [next, when].into_iter().flatten().min();
        }
        next
    }
}
