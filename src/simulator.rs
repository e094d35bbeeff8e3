//! A simulator: the engine, and the modes on it, in a simulated system (sockets, poller, descriptors, clock),
//! where whatever can happen does, in an order that follows from one number. Here is how it works:
//!
//! 1. The *net* is the system below: sockets that are read and written in pieces, stand still, end, break and
//!    time out; a poller that tells of changes once; descriptors that run out. It knows the truth.
//! 2. *Far* ends say what they have to say, read much, little or nothing, and finish, reset, close or vanish:
//!    between turns, and in the middle of one, right before a call of the engine's.
//! 3. A *world* is an engine with its App. One step: something happens; the engine says how long it may sleep,
//!    and the clock moves no further; the poller tells; the engine has its turn.
//! 4. After each turn the *sums* are checked, and before each sleep, whether there is really nothing to do:
//!    not by what the engine remembers, but by what the net knows.
//! 5. In the end everybody reads and finishes, everything has to come to its end, and what was promised has to
//!    have arrived.
//!
//! *Chaos* is an App that does anything; *links* is one that links those who come to those whom it dials; *modes* are
//! the real ones, with an operator at the keyboard and, in some worlds, desks that attach. A seed that
//! fails is printed: `SWITCHBOARD_SIM_SEED=7 cargo test --lib simulator` runs it again.
//! `SWITCHBOARD_SIM_SECONDS=600` goes on for longer than the ten seconds of `cargo test`, with other seeds.

mod audit;
mod chaos;
#[cfg(test)]
mod crowd;
mod dice;
#[cfg(test)]
mod exact;
mod far;
mod heard;
mod links;
mod modes;
mod net;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use dice::Dice;
use modes::Attaches;
use net::Sabotage;

/// Runs the schedule that a fuzzer's bytes stand for; panics where something does not hold.
pub fn schedule(bytes: &[u8]) {
    let dice = Dice::of_bytes(bytes);
    match dice.below(6) {
        0 => modes::run(&dice, Attaches::Nobody, &mut 0),
        3 => modes::run(&dice, Attaches::Some(Sabotage::None), &mut 0),
        1 => links::run(&dice, Sabotage::None, &mut 0),
        _ => chaos::run(&dice, Sabotage::None, &mut 0),
    }
}

/// Runs the schedule of a seed. Returns how many steps it had.
///
/// # Errors
/// What did not hold, and at which step.
pub fn run_seed(seed: u64) -> Result<usize, String> {
    run_sabotaged(seed, Sabotage::None)
}

/// The seeds whose worlds are links, one after the other.
#[cfg(test)]
fn seed_of_links(number: u64) -> u64 {
    4 * number + 3
}

fn run_sabotaged(seed: u64, sabotage: Sabotage) -> Result<usize, String> {
    let mut steps = 0;
    let run = AssertUnwindSafe(|| {
        let dice = Dice::of_seed(seed);
        match (sabotage, seed % 4) {
            (Sabotage::None, 0) => modes::run(&dice, Attaches::Nobody, &mut steps),
            (Sabotage::None, 2) | (Sabotage::RobsDesks | Sabotage::HoardsForDesks, _) => {
                modes::run(&dice, Attaches::Some(sabotage), &mut steps);
            }
            (Sabotage::None, 3) | (Sabotage::LosesSpliced, _) => links::run(&dice, sabotage, &mut steps),
            _ => chaos::run(&dice, sabotage, &mut steps),
        }
    });
    match catch_unwind(run) {
        Ok(()) => Ok(steps),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            Err(format!("seed {seed}, step {steps}: {said}"))
        }
    }
}

#[cfg(test)]
mod tests;
