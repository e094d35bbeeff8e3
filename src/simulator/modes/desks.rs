//! Desks that attach to a mode while it runs: who they are, what they ask, and how they read and leave. What each of them has
//! to be told is checked in `check`.

mod check;

use std::collections::{BTreeMap, HashSet};

use super::{Seen, Types, Witness};
use crate::board::Board;
use crate::desk::{Bounds, DeskId};
use crate::hub::{Hub, Mode};
use crate::limits::Limits;
use crate::simulator::dice::Dice;
use crate::simulator::far::{Far, Then};
use crate::simulator::net::{DOOR_OF_DESKS, Sabotage, Terms};
use crate::simulator::world::World;

/// What a command that nobody may obey begins with, and what would be sent if it were.
const HALF: &str = "{\"cmd\":\"send\",\"to\":\"all\",\"text\":\"half";
const HALF_TEXT: &[u8] = b"half";

/// Most bytes that one command is answered with here, or that one event has.
const ANSWER_BYTES_MAX: usize = 20_000;

/// Most bytes that a desk which has just come is told of those who are here, beside what was said.
const GREETING_BYTES_MAX: usize = 200_000;

/// The desks of a world.
pub(super) struct Desks {
    dice: Dice,
    sabotage: Sabotage,
    bounds: Bounds,
    /// In so many steps one more comes.
    rarity: usize,
    all: Vec<Desk>,
    /// Those whom a command was to end.
    pub ends: HashSet<u64>,
    /// Lines that have no number, as many as there may be.
    uncounted_max: u64,
}

/// A desk, as it was made.
struct Desk {
    sock: usize,
    /// The reference of each command, as it is spelt.
    asked: Vec<String>,
    script_bytes: usize,
}

/// Whether desks are told each message as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HearsAll {
    Yes,
    No,
}

/// What was seen of a desk's connection.
#[derive(Default)]
pub(super) struct Attached {
    /// Who was here when it came, and how much had been said.
    present: Vec<u64>,
    frames_before: usize,
    pub(super) closed: Option<(&'static str, usize)>,
}

impl Attached {
    /// Of one that comes now.
    pub fn now(conns: &BTreeMap<u64, Seen>, frames_before: usize) -> Attached {
        let here = conns.iter().filter(|(_, seen)| seen.closed.is_none()).map(|(serial, _)| *serial);
        Attached { present: here.collect(), frames_before, closed: None }
    }
}

impl Desks {
    /// Opens a mode to desks.
    pub fn open<M: Mode>(dice: &Dice, app: &mut Hub<M>, sabotage: Sabotage) -> Desks {
        let bounds = Bounds {
            chunk_bytes: dice.pick(&[100, 1000]),
            log_bytes: dice.pick(&[1000, 5000, 1 << 20]),
            own_bytes: dice.pick(&[300, 5000]),
        };
        app.desks().open_to_desks();
        let relay = app.desks().out.relay().expect("it was opened");
        let hoards = sabotage == Sabotage::HoardsForDesks;
        relay.keep_within(if hoards { Bounds { log_bytes: usize::MAX >> 1, ..bounds } } else { bounds });
        Desks {
            dice: dice.clone(),
            sabotage,
            bounds,
            rarity: dice.pick(&[6, 25, 25]),
            all: Vec::new(),
            ends: HashSet::new(),
            // Stdin's desk leaves, too.
            uncounted_max: 1,
        }
    }

    /// The terms and limits of a world with desks: some are as scarce as without, and sometimes few peers fill it.
    pub fn widen(&self, terms: &mut Terms, limits: &mut Limits) {
        terms.buffer_bytes = self.dice.pick(&[terms.buffer_bytes, 10_000]);
        limits.write_budget_bytes = self.dice.pick(&[limits.write_budget_bytes, 10_000]);
        if self.dice.one_in(3) {
            (terms.descriptors_max, limits.conns_max) = (100, 3);
        }
    }

    /// Perhaps one more comes.
    pub fn may_come<M: Mode>(&mut self, world: &World<Witness<Hub<M>>>, types: Types, is_program: bool) {
        if !self.dice.one_in(self.rarity) {
            return;
        }
        let (mut script, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..self.dice.below(25) {
            let command = self.command(world.app.conns.len(), types, is_program);
            let number = asked.len();
            let reference = match self.dice.below(3) {
                _ if !command.starts_with('"') => "null".to_owned(),
                0 => format!("\"d{number}\""),
                1 => number.to_string(),
                _ => "null".to_owned(),
            };
            let line = match &*reference {
                _ if !command.starts_with('"') => format!("{command}\n"),
                "null" => format!("{{{command}}}\n"),
                _ => format!("{{\"ref\":{reference},{command}}}\n"),
            };
            script.extend_from_slice(line.as_bytes());
            asked.push(reference);
        }
        let then =
            self.dice.pick(&[Then::Stay, Then::Stay, Then::Finish, Then::Close, Then::Reset, Then::Vanish]);
        if then != Then::Stay && self.dice.one_in(2) {
            script.extend_from_slice(HALF.as_bytes());
        }
        let script_bytes = script.len();
        let appetite_bytes = self.dice.pick(&[usize::MAX, usize::MAX, 500, 3, 0]);
        let mut far = Far::saying(script);
        (far.then, far.appetite_bytes) = (then, appetite_bytes);
        if let Some(sock) = world.net.touch().connect(DOOR_OF_DESKS, far) {
            // It comes and goes.
            self.uncounted_max += 2;
            self.all.push(Desk { sock, asked, script_bytes });
        }
    }

    /// What stands in a command beside its reference; what does not begin with a quotation mark is none.
    fn command(&mut self, peers: usize, types: Types, is_program: bool) -> String {
        // Somebody who is here, was here, will be or never will be.
        let somebody = || self.dice.below(peers + 4) as u64;
        let (one, other) = (somebody(), somebody());
        let kinds = match (types, is_program) {
            (Types::Texts, _) => 10,
            (Types::Everything, false) => 11,
            (Types::Everything, true) => 13,
        };
        let send = |to: &str| format!(r#""cmd":"send","to":{to},"text":"desk {one} {other}""#);
        match self.dice.below(kinds) {
            0 => send(&one.to_string()),
            1 => send(&format!("[{one},{other},{one}]")),
            2 => send("\"all\""),
            3 => send(self.dice.pick(&["\"last\"", "\"nobody\"", "9999999"])),
            4 | 5 => format!(r#""cmd":"{}""#, self.dice.pick(&["who", "pending", "stats", "next", "help"])),
            6 => {
                self.uncounted_max += 1;
                let to = if self.dice.one_in(3) { String::new() } else { format!(r#","to":{one}"#) };
                format!(r#""cmd":"typing"{to}"#)
            }
            7 => {
                self.uncounted_max += 1;
                format!(r#""cmd":"desk","name":"d{other}","watch":{}"#, self.dice.one_in(10))
            }
            8 => self.dice.pick(&["hello", "{", "{}", "[]", "{\"cmd\":7}"]).to_owned(),
            9 => format!(r#""cmd":"{}","id":{one}"#, self.dice.pick(&["show", "done"])),
            10 => {
                self.ends.insert(one);
                format!(r#""cmd":"close","to":{one},"how":"{}""#, self.dice.pick(&["eof", "rst", "kick"]))
            }
            11 => format!(r#""cmd":"name","id":{one},"name":"n{}""#, other % 3),
            _ => r#""cmd":"every","every":"2s","to":"all","text":"again""#.to_owned(),
        }
    }

    /// After each turn: what is kept for desks is bounded, whether they read or not.
    pub fn look<M: Mode>(&self, world: &mut World<Witness<Hub<M>>>) {
        let app = &mut world.app.app;
        let Some(relay) = app.desks().out.relay() else { return };
        let (log_bytes, own_bytes) = relay.kept_bytes();
        let Bounds { chunk_bytes, log_bytes: log_max, own_bytes: own_max } = self.bounds;
        let log_max = log_max + chunk_bytes + ANSWER_BYTES_MAX;
        assert!(log_bytes <= log_max, "{log_bytes} bytes are kept for all desks, and {log_max} may be");
        let own_max = own_max + GREETING_BYTES_MAX + ANSWER_BYTES_MAX;
        assert!(own_bytes <= own_max, "{own_bytes} bytes are kept for one desk, and {own_max} may be");
        if self.sabotage == Sabotage::RobsDesks && self.dice.one_in(20) {
            for number in 2..2 + self.all.len() as u32 {
                relay.forget_to_tell(DeskId(number));
            }
        }
        check_queues(&world.engine.board);
    }
}

/// What is queued for a desk at its connection is bounded, too.
fn check_queues(board: &Board) {
    let limit = board.limits().outbox_bytes_max;
    for view in board.views().filter(|view| !view.id.has_number()) {
        assert!(view.queued_bytes <= limit, "{}: {} bytes are queued", view.id, view.queued_bytes);
    }
}
