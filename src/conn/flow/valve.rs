//! One direction of a connection that is broken on purpose: what comes is changed, dropped or counted, and passes when
//! its time has come. The bytes themselves lie in a queue outside; here are positions in it, and moments.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;

use super::bucket::Bucket;
use super::corruption::Corruption;
use crate::buffer::outbox::Outbox;
use crate::clock::Moment;
use crate::conn::faults::{LimitData, Way};

/// Chunks that come within this time of each other pass together.
const CHUNK: Duration = Duration::from_millis(1);

/// More chunks than this are not told apart; what comes then passes with the last.
const CHUNKS_MAX: usize = 1 << 16;

/// Whether bytes may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// So many may, one or more.
    Open(usize),
    /// None may before this moment, or before something changes.
    Shut(Option<Moment>),
}

/// One direction.
#[derive(Debug)]
pub(super) struct Valve {
    way: Way,
    /// How many bytes have come, less those that were dropped.
    taken: u64,
    /// How many of them have passed.
    passed: u64,
    /// Up to which of them may pass from when on, in order.
    chunks: VecDeque<(u64, Moment)>,
    /// Up to here all have waited long enough.
    waited: u64,
    bucket: Option<Bucket>,
    /// Nothing waited for its turn when it was last looked at.
    was_idle: bool,
    corruption: Corruption,
    /// When the next piece may pass.
    next_piece: Moment,
    /// Of `limit_data`, how many may still come.
    left: Option<u64>,
}

impl Valve {
    /// One in which nothing is broken yet; what will be left to chance follows from `rng`.
    pub fn new(rng: Rng) -> Valve {
        Valve {
            way: Way::default(),
            taken: 0,
            passed: 0,
            chunks: VecDeque::new(),
            waited: 0,
            bucket: None,
            was_idle: true,
            corruption: Corruption::new(rng),
            next_piece: Moment::default(),
            left: None,
        }
    }

    /// Goes by `way` from now on, in which the words of `more` are new, and begin.
    pub fn set(&mut self, way: &Way, more: &Way, now: Moment) {
        self.way = way.clone();
        if let Some(rate) = more.bandwidth {
            self.bucket = Some(Bucket::new(rate, now));
        }
        if let Some(LimitData { bytes, .. }) = more.limit_data {
            self.left = Some(bytes);
        }
        if more.slicer.is_some() {
            self.next_piece = now;
        }
        if more.corrupt.is_some() {
            self.corruption.begin();
        }
    }

    /// Nothing is broken any more: all may pass.
    pub fn clear(&mut self) {
        self.way = Way::default();
        self.chunks = VecDeque::new();
        (self.bucket, self.left) = (None, None);
    }

    /// Takes note of what was appended to the queue since the last call: changes it, drops it, gives it its time.
    /// Returns how many bytes were dropped.
    pub fn take(&mut self, queue: &mut Outbox, now: Moment, rng: &mut Rng) -> usize {
        let known = (self.taken - self.passed) as usize;
        let mut fresh = queue.len() - known;
        if fresh == 0 {
            return 0;
        }
        let kept = if self.way.blackhole.is_some() { 0 } else { self.left.map_or(u64::MAX, |left| left) };
        let kept = fresh.min(usize::try_from(kept).unwrap_or(usize::MAX));
        let dropped = fresh - kept;
        queue.truncate(known + kept);
        fresh = kept;
        if let Some(left) = &mut self.left {
            *left -= fresh as u64;
        }
        if fresh == 0 {
            return dropped;
        }
        if let Some(probability) = self.way.corrupt {
            self.corruption.change(queue, known, probability);
        }
        self.taken += fresh as u64;
        self.delay(now, rng);
        dropped
    }

    /// Gives what has come last its time.
    fn delay(&mut self, now: Moment, rng: &mut Rng) {
        let last = self.chunks.back().map(|(_, when)| *when);
        let when = self.later(now, rng);
        let Some(last) = last else {
            if when > now {
                self.chunks.push_back((self.taken, when));
            } else {
                self.waited = self.taken;
            }
            return;
        };
        // Order is kept.
        let when = when.max(last);
        let is_full = self.chunks.len() >= CHUNKS_MAX;
        match self.chunks.back_mut() {
            Some(chunk) if when.since(last) < CHUNK => chunk.0 = self.taken,
            Some(chunk) if is_full => *chunk = (self.taken, when),
            _ => self.chunks.push_back((self.taken, when)),
        }
    }

    /// When what comes now may pass.
    pub fn later(&self, now: Moment, rng: &mut Rng) -> Moment {
        let Some(latency) = self.way.latency else { return now };
        let jitter = latency.jitter.min(latency.delay).as_nanos() as u64;
        let least = latency.delay.saturating_sub(latency.jitter);
        let more = if jitter == 0 { 0 } else { rng.u64(0..=2 * jitter) };
        now + least + Duration::from_nanos(more)
    }

    /// Whether something of the queue may pass now.
    pub fn gate(&mut self, now: Moment) -> Gate {
        if self.way.stall {
            return Gate::Shut(None);
        }
        while let Some((end, when)) = self.chunks.front().copied()
            && when <= now
        {
            self.waited = end;
            self.chunks.pop_front();
        }
        let until = if self.chunks.is_empty() { self.taken } else { self.waited.max(self.passed) };
        let mut bytes = (until - self.passed) as usize;
        if bytes == 0 {
            self.was_idle = true;
            return Gate::Shut(self.chunks.front().map(|(_, when)| *when));
        }
        if std::mem::take(&mut self.was_idle)
            && let Some(bucket) = &mut self.bucket
        {
            bucket.begin(now);
        }
        if let Some(slicer) = self.way.slicer {
            if self.next_piece > now {
                return Gate::Shut(Some(self.next_piece));
            }
            bytes = bytes.min(slicer.bytes.get());
        }
        match self.bucket.as_mut().map(|bucket| bucket.allows(bytes, now)) {
            Some(Err(when)) => Gate::Shut(Some(when)),
            Some(Ok(bytes)) => Gate::Open(bytes),
            None => Gate::Open(bytes),
        }
    }

    /// So many bytes were taken off the front of the queue.
    pub fn pass(&mut self, bytes: usize, now: Moment) {
        self.passed += bytes as u64;
        if let Some(slicer) = self.way.slicer {
            self.next_piece = now + slicer.pause;
        }
        if let Some(bucket) = &mut self.bucket {
            bucket.spend(bytes);
        }
    }

    /// Whether all that may pass by `limit_data` has, and how the connection is to end then.
    pub fn ends(&self) -> Option<LimitData> {
        self.way.limit_data.filter(|_| self.left == Some(0) && self.taken == self.passed)
    }

    /// What the chunks take in memory.
    pub fn held_bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<(u64, Moment)>()
    }
}

#[cfg(test)]
mod tests;
