//! Newcomers, each linked to a connection that is dialled for it, as the tap does: what one far end says the other one
//! gets, whole and in order, and its end behind it. The App tells what it is told, says something of its own in
//! between, breaks one side or the other in ways that lose nothing, and in some worlds meddles with the link itself.

mod check;

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;

use super::chaos::breaking::harmless;
use super::dice::Dice;
use super::far::Far;
use super::heard::Heard;
use super::net::{Net, Sabotage, Terms};
use super::world::{World, small_limits};
use crate::address::Address;
use crate::app::App;
use crate::board::{Board, Sent};
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Notices, Policy, Role};
use crate::conn::reason::Reason;
use crate::limits::Limits;

/// Who was dialled.
const TARGET: Role = Role::new(1);

/// Links at a time, mostly.
const HERE_MAX: usize = 4;

/// What the App itself says is made of this, which no far end says.
const OWN: u8 = 0x01;

/// So much is queued for one at most when the App says something of its own, and so much it says then: where the
/// other side is read at all, its bytes come to more.
const QUEUED_MAX: usize = 100;
const OWN_MAX: usize = 20;

/// One side of a link, or of what was one.
struct Side {
    id: ConnId,
    /// The other one, by number.
    mate: u64,
    /// Its number in the simulated system, once it is open.
    sock: Option<usize>,
    heard: Heard,
    /// How much the App has said to it.
    own_bytes: usize,
    has_ended: bool,
    /// The App has ended something about the link, or about one of its sides.
    is_meddled_with: bool,
    /// What it is sent was to be late, so that more of it may wait.
    is_delayed: bool,
    closed: Option<Closed>,
}

/// How a side was closed.
struct Closed {
    why: &'static str,
    resets: bool,
    unsent_bytes: usize,
    discarded_bytes: usize,
}

struct Linker {
    dice: Dice,
    net: Net,
    policies: [Policy; Role::COUNT],
    /// By number.
    sides: BTreeMap<u64, Side>,
    paused: HashSet<ConnId>,
    breaks: bool,
    meddles: bool,
    dialed: u32,
    /// From now on it only listens.
    is_calm: bool,
}

impl Linker {
    fn side(&mut self, id: ConnId) -> &mut Side {
        self.sides.get_mut(&id.serial()).unwrap_or_else(|| panic!("{id} is none of those that are linked"))
    }

    fn begin(&mut self, id: ConnId, mate: ConnId) {
        let side = Side {
            id,
            mate: mate.serial(),
            sock: None,
            heard: Heard::default(),
            own_bytes: 0,
            has_ended: false,
            is_meddled_with: false,
            is_delayed: false,
            closed: None,
        };
        assert!(self.sides.insert(id.serial(), side).is_none(), "{id} came twice");
    }

    /// Notes that the App ends something itself.
    fn meddle(&mut self, id: ConnId) {
        let mate = self.side(id).mate;
        for serial in [id.serial(), mate] {
            if let Some(side) = self.sides.get_mut(&serial) {
                side.is_meddled_with = true;
            }
        }
    }

    fn anybody(&self, board: &Board) -> Option<ConnId> {
        // Who has come and not finished its handshake is none of them yet.
        let ids = board.views().map(|view| view.id);
        let here: Vec<ConnId> = ids.filter(|id| self.sides.contains_key(&id.serial())).collect();
        (!here.is_empty()).then(|| here[self.dice.below(here.len())])
    }

    /// Does something to somebody.
    fn act(&mut self, board: &mut Board) {
        let Some(id) = self.anybody(board).filter(|_| !self.is_calm) else { return };
        match self.dice.below(24) {
            0..4 => self.say(id, board),
            4 => {
                board.pause(id);
                if board.view(id).is_some_and(|view| view.is_paused) {
                    self.paused.insert(id);
                }
            }
            5..7 => {
                board.resume(id);
                self.paused.remove(&id);
            }
            7..11 if self.breaks && self.dice.one_in(3) => board.clear_faults(id),
            7..11 if self.breaks => {
                let faults = harmless(&self.dice);
                self.side(id).is_delayed |= faults.outbound.latency.is_some();
                board.add_faults(id, &faults, self.dice.below(1000) as u64);
            }
            11 if self.meddles => self.end_something(id, board),
            _ => {}
        }
    }

    fn say(&mut self, id: ConnId, board: &mut Board) {
        if board.view(id).is_none_or(|view| view.queued_bytes > QUEUED_MAX) {
            return;
        }
        let own = vec![OWN; 1 + self.dice.below(OWN_MAX)];
        if matches!(board.send(id, &own), Sent::Queued(_) | Sent::Slow(_)) {
            self.side(id).own_bytes += own.len();
        }
    }

    fn end_something(&mut self, id: ConnId, board: &mut Board) {
        self.meddle(id);
        match self.dice.below(4) {
            0 => {
                // What was passed on unheard until now is not told later either.
                for id in [Some(id), board.mate(id)].into_iter().flatten() {
                    self.skips_what_passed(id, board);
                }
                board.unlink(id);
            }
            1 => board.close(id, Reason::Kicked(String::new())),
            2 => board.hang_up(id, Reason::WeReset),
            _ => board.finish(id),
        }
    }

    fn skips_what_passed(&mut self, id: ConnId, board: &Board) {
        let Some(conn) = board.table.get(id) else { return };
        if !self.policies[conn.role.number()].hears_links && board.mate(id).is_some() {
            let kept = conn.flow().map_or(0, |flow| flow.kept_bytes());
            self.side(id).heard.skip_to(conn.received_bytes as usize - kept);
        }
    }
}

impl App for Linker {
    type Message = Infallible;

    fn policy(&self, role: Role) -> Policy {
        self.policies[role.number()]
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        if board.view(id).is_some_and(|view| view.role == Role::PEER) {
            self.dialed += 1;
            let to = Address::Tcp((self.dialed.to_be_bytes(), 1).into());
            let target = board.dial_as(TARGET, None, to);
            self.begin(id, target);
            self.begin(target, id);
            board.link(id, target);
            assert_eq!(board.mate(id), Some(target), "{id} is linked from the start");
        }
        let sock = self.net.look().number_of(id.key);
        self.side(id).sock = Some(sock);
        self.act(board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        let (role, is_open) = board.view(id).map_or((Role::PEER, false), |view| (view.role, view.is_open));
        let policy = self.policies[role.number()];
        assert!(policy.hears_links || board.mate(id).is_none(), "{id} is linked, and was heard: {frame:?}");
        let net = self.net.clone();
        let is_paused = self.paused.contains(&id);
        let side = self.side(id);
        let sock = side.sock.unwrap_or_else(|| panic!("{id} was heard before it was open"));
        let kernel = net.look();
        let sock = &kernel.sockets[sock];
        assert!(!is_paused || !is_open || sock.is_lost(), "{id} was heard while it was paused");
        side.heard.hears(sock.read(), policy.framing, frame);
        drop(kernel);
        self.act(board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.side(id).has_ended = true;
        // Over a link the engine passes it on, and the other direction goes on by itself.
        if board.mate(id).is_none() {
            board.finish(id);
        }
        self.act(board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let view = board.view(id).unwrap_or_else(|| panic!("{id} stands on the board while it is closed"));
        if !self.sides.contains_key(&id.serial()) {
            let kernel = self.net.look();
            let is_toy = kernel.sockets[kernel.number_of(id.key)].toy.is_some();
            assert!(is_toy && why.code() != "finished", "{id} was never opened, and closed as {why}");
            return;
        }
        let closed = Closed {
            why: why.code(),
            resets: why.resets(),
            unsent_bytes: view.queued_bytes,
            discarded_bytes: view.discarded_bytes,
        };
        // From here on the other side is linked no more, and told.
        if let Some(mate) = board.mate(id) {
            self.skips_what_passed(mate, board);
        }
        assert!(self.side(id).closed.replace(closed).is_none(), "{id} was closed once");
        self.act(board);
    }

    fn message(&mut self, message: Infallible, _board: &mut Board) {
        match message {}
    }

    fn turn_ended(&mut self, board: &mut Board) {
        self.act(board);
    }
}

fn any_policy(dice: &Dice) -> Policy {
    Policy {
        framing: dice.pick(&[Framing::Raw, Framing::Lines]),
        shows_parts: dice.one_in(2),
        backpressure: Backpressure::None,
        notices: Notices::None,
        hears_broadcasts: false,
        has_idle_limit: false,
        hears_links: dice.one_in(2),
        conns_max: None,
        ..Policy::LINES
    }
}

fn world(dice: &Dice, sabotage: Sabotage) -> World<Linker> {
    let terms = Terms {
        descriptors_max: 100,
        backlog_max: 6,
        buffer_bytes: dice.pick(&[30, 100, 300]),
        turbulence: dice.pick(&[6, 20]),
        toys: true,
        keeps_records: true,
    };
    let limits = Limits { splice_bytes_min: dice.pick(&[1, 20]), ..small_limits() };
    let app = Linker {
        dice: dice.clone(),
        net: Net::new(terms, dice.clone(), sabotage),
        policies: std::array::from_fn(|_| any_policy(dice)),
        sides: BTreeMap::new(),
        paused: HashSet::new(),
        breaks: dice.one_in(2),
        meddles: dice.one_in(3),
        dialed: 0,
        is_calm: false,
    };
    let mut world = World::new(dice.clone(), terms, limits, sabotage, app);
    world.app.net = world.net.clone();
    world
}

/// Runs one world to its end. `steps` tells how far it came.
pub(super) fn run(dice: &Dice, sabotage: Sabotage, steps: &mut usize) {
    let mut world = world(dice, sabotage);
    for _ in 0..150 {
        if dice.are_used_up() {
            break;
        }
        let here = world.engine.board.len() / 2;
        if here < HERE_MAX && dice.one_in(if here < 2 { 2 } else { 12 }) {
            let text = dice.text(600);
            world.knock(Far::of_any_kind(text, dice));
        }
        world.happen(dice.below(8));
        if dice.one_in(3) {
            world.app.act(&mut world.engine.board);
        }
        world.turn(std::time::Duration::from_millis(dice.pick(&[0, 0, 1, 50, 250, 1100])));
        check::links(&world);
        *steps = world.steps;
    }
    world.app.is_calm = true;
    for id in std::mem::take(&mut world.app.paused) {
        world.engine.board.resume(id);
    }
    let here: Vec<ConnId> = world.engine.board.views().map(|view| view.id).collect();
    for id in here {
        world.engine.board.clear_faults(id);
    }
    world.calm_down();
    world.run_out(|world| {
        check::links(world);
        world.engine.board.is_empty() && !world.net.look().can_accept()
    });
    *steps = world.steps;
    check::ends(&world);
}
