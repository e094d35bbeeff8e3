//! Bytes that are changed at random. Which ones follows from the seed alone, however they come.

use fastrand::Rng;

use crate::buffer::outbox::Outbox;

/// Chooses bytes and changes them.
#[derive(Debug)]
pub(super) struct Corruption {
    rng: Rng,
    /// So many bytes are still spared before the next is changed; unknown before the first, or with another
    /// probability.
    spared: Option<f64>,
}

impl Corruption {
    /// One whose choices follow from `rng`.
    pub fn new(rng: Rng) -> Corruption {
        Corruption { rng, spared: None }
    }

    /// Another probability holds from now on.
    pub fn begin(&mut self) {
        self.spared = None;
    }

    /// Changes each byte from this one on with this probability, into any other. From one that is changed to the next it
    /// leaps, so that a rare change costs nothing in between: how many are spared follows the geometric distribution.
    pub fn change(&mut self, queue: &mut Outbox, from: usize, probability: f64) {
        if probability <= 0.0 {
            return;
        }
        let mut at = from as f64 + self.spared.take().unwrap_or_else(|| leap(&mut self.rng, probability));
        while at < queue.len() as f64 {
            if let Some(byte) = queue.byte_mut(at as usize) {
                *byte ^= self.rng.u8(1..);
            }
            at += 1.0 + leap(&mut self.rng, probability);
        }
        self.spared = Some(at - queue.len() as f64);
    }
}

/// How many bytes are spared before the next is changed.
fn leap(rng: &mut Rng, probability: f64) -> f64 {
    if probability >= 1.0 {
        return 0.0;
    }
    ((1.0 - rng.f64()).ln() / (-probability).ln_1p()).floor()
}
