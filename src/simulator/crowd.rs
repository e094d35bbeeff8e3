//! Very many connections at once: that all are served, and what each costs.

use std::time::Duration;

use super::dice::Dice;
use super::far::Far;
use super::net::{Net, Sabotage, Terms};
use super::world::World;
use crate::desk::text::Format;
use crate::desk::{Display, Screens, Spelling};
use crate::hub::{DeskOptions, Hub, Voice};
use crate::limits::Limits;
use crate::modes::Echo;
use crate::terminal::WhenFull;

/// Newcomers at a time.
const BACKLOG: usize = 4096;

fn words_of(number: usize) -> Vec<u8> {
    format!("it is {number}\n").into_bytes()
}

/// So many connect to an echo and stay, each says something and gets it back, and then all leave. `at_the_peak` is
/// called while all are here.
pub(super) fn run(count: usize, at_the_peak: impl FnOnce()) {
    let terms = Terms {
        descriptors_max: count,
        backlog_max: BACKLOG,
        buffer_bytes: 4096,
        turbulence: 0,
        toys: false,
        keeps_records: false,
    };
    let limits = Limits { accept_budget: BACKLOG, ..Limits::default() };
    let (display, _, _) = Screens::in_memory(Spelling::Text(Format::Tsv), WhenFull::Skip, 1 << 20, 1 << 20);
    let options = DeskOptions { voice: Voice::Mute, tracks_pending: false, ..DeskOptions::PIPE };
    let app = Hub::new(Echo::default(), Display::Screens(Box::new(display)), None, options);
    let mut world = World::new(Dice::of_seed(1), terms, limits, Sabotage::None, app);
    let moment = Duration::from_millis(1);

    for number in 0..count {
        // What it is told stays where it can be looked at.
        let mut far = Far::saying(words_of(number));
        far.appetite_bytes = 0;
        world.knock(far);
        if (number + 1) % BACKLOG == 0 {
            world.turn(moment);
        }
    }
    world.turn(moment);
    assert_eq!(world.engine.board.len(), count, "all are here");

    let mut silent: Vec<usize> = (0..count).collect();
    while !silent.is_empty() {
        silent.retain(|number| !speak(&world.net, *number));
        world.turn(moment);
    }
    // A poller tells of so many at a time, and a turn reads them all.
    while world.net.look().is_ready() {
        world.turn(moment);
    }
    for number in 0..count {
        let heard = &world.net.look().sockets[number].arrived;
        assert!(heard.iter().copied().eq(words_of(number)), "#{} was told {heard:?}", number + 1);
    }
    at_the_peak();

    world.calm_down();
    world.run_out(|world| world.engine.board.is_empty());
    let stats = world.engine.board.stats();
    assert_eq!((stats.opened, stats.closed), (count as u64, count as u64), "each came once and went once");
    assert_eq!(world.net.look().descriptors(), 0, "descriptors are left open");
    assert_eq!(world.engine.board.buffered_bytes(), 0, "nothing is left in memory");
}

/// Lets a far end go on; whether it has said all.
fn speak(net: &Net, number: usize) -> bool {
    let mut kernel = net.touch();
    kernel.step(number);
    !kernel.sockets[number].far.has_more_to_say()
}
