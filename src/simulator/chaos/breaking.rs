//! What the chaos breaks on purpose: faults that keep what is said and sent as it is, which change nothing in what has
//! to arrive, and some that lose or change it, after which the sums have to hold all the same.

use std::collections::HashMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use crate::board::Board;
use crate::conn::ConnId;
use crate::conn::faults::{Blackhole, CloseFault, Faults, Latency, LimitData, Slicer, Way};
use crate::simulator::dice::Dice;

/// What can no longer be held against the other of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Harm {
    /// What is heard, against what was said.
    pub inbound: bool,
    /// What was written, against what was accepted.
    pub outbound: bool,
    /// How much of what was accepted was written or is queued.
    pub vanishes: bool,
}

/// What was done to whom, by number.
#[derive(Debug, Default)]
pub(super) struct Breaking {
    harms: HashMap<u64, Harm>,
}

impl Breaking {
    /// What was done to one so far.
    pub fn harm(&self, id: ConnId) -> Harm {
        self.harms.get(&id.serial()).copied().unwrap_or_default()
    }

    /// Breaks one in some way, or ends that.
    pub fn act(&mut self, id: ConnId, dice: &Dice, board: &mut Board) {
        if dice.one_in(3) {
            return board.clear_faults(id);
        }
        let faults = if dice.one_in(6) { self.harming(id, dice) } else { harmless(dice) };
        board.add_faults(id, &faults, dice.below(1000) as u64);
    }

    /// Faults that lose something or change it.
    fn harming(&mut self, id: ConnId, dice: &Dice) -> Faults {
        let after = dice.one_in(2).then(|| any_time(dice));
        if dice.one_in(4) {
            return Faults { reset_peer: Some(any_time(dice)), ..Faults::default() };
        }
        let way = match dice.below(3) {
            0 => Way { corrupt: Some(dice.pick(&[0.01, 0.3, 1.0])), ..Way::default() },
            1 => {
                let limit = LimitData { bytes: dice.below(100) as u64, resets: dice.one_in(2) };
                Way { limit_data: Some(limit), ..Way::default() }
            }
            _ => Way { blackhole: Some(Blackhole { closes_after: after }), ..Way::default() },
        };
        let is_outbound = dice.one_in(2);
        let harm = self.harms.entry(id.serial()).or_default();
        harm.inbound |= !is_outbound;
        harm.outbound |= is_outbound;
        harm.vanishes |= is_outbound && way.corrupt.is_none();
        one_way(is_outbound, way)
    }
}

/// Faults that keep what is said and sent as it is.
pub(in crate::simulator) fn harmless(dice: &Dice) -> Faults {
    let way = match dice.below(8) {
        0..3 => {
            let (delay, jitter) = (any_time(dice), any_time(dice));
            Way { latency: Some(Latency { delay, jitter }), ..Way::default() }
        }
        3 => Way { bandwidth: NonZeroU64::new(dice.pick(&[10, 100, 1000, 100_000])), ..Way::default() },
        4 | 5 => {
            let bytes = dice.pick(&[1, 2, 7, 100]);
            let pause = Duration::from_micros(dice.pick(&[0, 500, 40_000]));
            Way { slicer: NonZeroUsize::new(bytes).map(|bytes| Slicer { bytes, pause }), ..Way::default() }
        }
        6 => Way { stall: true, ..Way::default() },
        _ => {
            let close = if dice.one_in(2) { CloseFault::Never } else { CloseFault::Slow(any_time(dice)) };
            return Faults { close: Some(close), ..Faults::default() };
        }
    };
    one_way(dice.one_in(2), way)
}

fn one_way(is_outbound: bool, way: Way) -> Faults {
    if is_outbound {
        Faults { outbound: way, ..Faults::default() }
    } else {
        Faults { inbound: way, ..Faults::default() }
    }
}

fn any_time(dice: &Dice) -> Duration {
    Duration::from_millis(dice.pick(&[0, 1, 30, 400, 2500]))
}
