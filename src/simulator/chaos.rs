//! An App that does anything at any time, and keeps account of everything: the engine's contract, checked from
//! the side of whoever writes an App.

pub(super) mod breaking;
mod dialing;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use super::audit;
use super::dice::Dice;
use super::far::Far;
use super::heard::Heard;
use super::net::{Awake, Net, Sabotage, Terms};
use super::world::{World, small_limits};
use crate::app::App;
use crate::board::{Board, Sent};
use crate::buffer::framing::{Delimiter, End, Frame, Framing, LengthBytes};
use crate::clock::Moment;
use crate::conn::policy::{Backpressure, Notices, Policy, Role};
use crate::conn::reason::Reason;
use crate::conn::{Conn, ConnId, Outbound};
use crate::engine::Engine;
use crate::limits::Limits;
use breaking::Breaking;
use dialing::Dialed;

/// Connections at a time, mostly.
const HERE_MAX: usize = 8;

/// What an App knows of a connection.
struct Account {
    id: ConnId,
    /// Its number in the simulated system.
    sock: usize,
    /// How far the App heard it.
    heard: Heard,
    /// All that was accepted for it, in the order in which it has to arrive.
    owed: Vec<u8>,
    ended: usize,
    /// Why it was closed, and what was queued for it then.
    closed: Option<Closed>,
    received_bytes: u64,
    /// Since when more was queued for it than the soft limit, after each turn.
    over_soft_since: Option<Awake>,
    timer: Option<Moment>,
}

/// How a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Closed {
    why: &'static str,
    resets: bool,
    queued: usize,
}

struct Chaos {
    dice: Dice,
    net: Net,
    policies: [Policy; Role::COUNT],
    /// Of those that came about, by serial, and the serials in the order they opened.
    accounts: HashMap<u64, Account>,
    opened: Vec<ConnId>,
    dialed: Dialed,
    breaking: Breaking,
    paused: HashSet<ConnId>,
    is_held: bool,
    /// From now on it only listens, so that all comes to an end.
    calm: bool,
}

impl Chaos {
    fn account(&mut self, id: ConnId) -> &mut Account {
        let account = self.accounts.get_mut(&id.serial());
        let account = account.unwrap_or_else(|| panic!("the App is told of {id}, which was not opened"));
        assert_eq!(account.id, id, "a serial is used once");
        account
    }

    fn anybody(&self) -> Option<ConnId> {
        let count = self.opened.len();
        (count > 0).then(|| self.opened[self.dice.below(count)])
    }

    fn send(&mut self, to: ConnId, board: &mut Board) {
        let text = self.dice.text(60);
        let may = board.view(to).is_some_and(|view| view.is_open && view.outbound == Outbound::Open);
        let sent = board.send(to, &text);
        match sent {
            Sent::Queued(_) | Sent::Slow(_) => self.account(to).owed.extend(text),
            Sent::Full(_) | Sent::Finished | Sent::Gone => {}
        }
        assert_eq!(may, !matches!(sent, Sent::Finished | Sent::Gone), "{sent:?} to {to}");
    }

    fn broadcast(&mut self, except: Option<ConnId>, board: &mut Board) {
        let text = self.dice.text(60);
        let (front, back) = text.split_at(self.dice.below(text.len() + 1));
        let audience: Vec<ConnId> = board
            .views()
            .filter(|view| view.is_open && view.outbound == Outbound::Open)
            .filter(|view| self.policies[view.role.number()].hears_broadcasts)
            .map(|view| view.id)
            .collect();
        assert_eq!(audience.len(), board.audience());
        let left_out: Vec<ConnId> = if except.is_none() && self.dice.below(2) == 0 {
            let outcomes = board.broadcast_where_room(&[front, back]);
            outcomes.into_iter().filter(|(_, sent)| matches!(sent, Sent::Full(_))).map(|(id, _)| id).collect()
        } else {
            board.broadcast(except, &[front, back]);
            except.into_iter().collect()
        };
        for id in audience.into_iter().filter(|id| !left_out.contains(id)) {
            self.account(id).owed.extend_from_slice(&text);
        }
    }

    /// Does something to somebody.
    fn act(&mut self, id: ConnId, board: &mut Board) {
        match self.dice.below(36) {
            0 => board.close(id, Reason::Kicked(String::new())),
            1 => board.hang_up(id, Reason::WeReset),
            2 => board.finish(id),
            3 => {
                self.is_held = !self.is_held;
                board.hold_reading(self.is_held);
            }
            4..10 => self.send(id, board),
            10..16 => self.broadcast(Some(id), board),
            16 => self.broadcast(None, board),
            17 if board.len() < HERE_MAX => self.dialed.begin(&self.dice, board),
            18 => self.dialed.end_one(&self.dice, board),
            19 => board.take_role(id, any_role(&self.dice)),
            20 => self.pause(id, board),
            21 => self.resume(id, board),
            22 => self.set_timer(id, board),
            23 => self.dialed.tell_one_where_to(&self.dice, board),
            31.. => self.breaking.act(id, &self.dice, board),
            _ => {}
        }
    }

    fn pause(&mut self, id: ConnId, board: &mut Board) {
        board.pause(id);
        if board.view(id).is_some_and(|view| view.is_paused) {
            self.paused.insert(id);
        }
    }

    fn resume(&mut self, id: ConnId, board: &mut Board) {
        board.resume(id);
        self.paused.remove(&id);
    }

    /// Whether its reset has come, so that nothing will.
    fn is_lost(&self, id: ConnId) -> bool {
        let sock = self.accounts.get(&id.serial()).map(|account| account.sock);
        sock.is_some_and(|sock| self.net.look().sockets[sock].is_dead())
    }

    /// Whatever it said was heard by now, or will not be.
    fn hears_no_more(&mut self, id: ConnId, board: &Board) {
        let net = self.net.clone();
        let role = board.view(id).map_or(Role::PEER, |view| view.role);
        let framing = self.policies[role.number()].framing;
        if self.breaking.harm(id).inbound {
            return;
        }
        let account = self.account(id);
        account.heard.ends(net.look().sockets[account.sock].read(), framing);
    }

    fn set_timer(&mut self, id: ConnId, board: &mut Board) {
        let when = board.now() + Duration::from_millis(self.dice.below(3000) as u64);
        board.set_timer(id, when);
        if let Some(account) = self.accounts.get_mut(&id.serial()) {
            account.timer = Some(when);
        }
    }

    /// Does something to the one it was called about, or to another.
    fn react(&mut self, id: ConnId, board: &mut Board) {
        if self.calm {
            return;
        }
        let other = if self.dice.one_in(4) { self.anybody() } else { None };
        self.act(other.unwrap_or(id), board);
    }
}

fn any_role(dice: &Dice) -> Role {
    dice.pick(&[Role::PEER, Role::PEER, Role::new(1), Role::new(2)])
}

fn any_policy(dice: &Dice) -> Policy {
    Policy {
        framing: any_framing(dice),
        shows_parts: dice.below(3) > 0,
        backpressure: dice.pick(&[Backpressure::None, Backpressure::Sender, Backpressure::Everybody]),
        // What the engine says of its own would be more than the App has given it.
        notices: Notices::None,
        hears_broadcasts: dice.below(3) > 0,
        has_idle_limit: dice.below(3) > 0,
        hears_links: true,
        conns_max: dice.one_in(4).then_some(3),
        ..Policy::LINES
    }
}

fn any_framing(dice: &Dice) -> Framing {
    let little_endian = dice.one_in(2);
    let length = |bytes| Framing::Length { bytes, little_endian };
    dice.pick(&[
        Framing::Lines,
        Framing::Lines,
        Framing::Lines,
        Framing::Raw,
        Framing::Delimited(Delimiter::Cr),
        Framing::Delimited(Delimiter::Nul),
        Framing::Delimited(Delimiter::CrLf),
        Framing::StxEtx,
        Framing::StxEtx,
        length(LengthBytes::One),
        length(LengthBytes::One),
        length(LengthBytes::Two),
        length(LengthBytes::Four),
        Framing::Silence(Duration::from_millis(20)),
        Framing::Silence(Duration::from_millis(600)),
    ])
}

impl App for Chaos {
    type Message = Infallible;

    fn policy(&self, role: Role) -> Policy {
        self.policies[role.number()]
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        self.dialed.has_opened(id, &self.net, board);
        let sock = self.net.look().number_of(id.key);
        let account = Account {
            id,
            sock,
            heard: Heard::default(),
            owed: Vec::new(),
            ended: 0,
            closed: None,
            received_bytes: 0,
            over_soft_since: None,
            timer: None,
        };
        assert!(self.accounts.insert(id.serial(), account).is_none(), "{id} was opened twice");
        self.opened.push(id);
        self.react(id, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        // The last words of one that is closed or lost are told in any case.
        let (is_open, role) = board.view(id).map_or((false, Role::PEER), |view| (view.is_open, view.role));
        let framing = self.policies[role.number()].framing;
        assert!(
            !self.paused.contains(&id) || !is_open || self.is_lost(id),
            "{id} was heard while it was paused"
        );
        let is_harmed = self.breaking.harm(id).inbound;
        // What is broken keeps what was said, or lets it wait.
        let is_broken = board.table.get(id).is_some_and(Conn::has_flow);
        let net = self.net.clone();
        let account = self.account(id);
        assert!(account.closed.is_none() && account.ended == 0, "{id} was heard after its end");
        if is_harmed {
            return self.react(id, board);
        }
        let kernel = net.look();
        let sock = &kernel.sockets[account.sock];
        let is_inside = account.heard.hears(sock.read(), framing, frame);
        // What stands outside of frames ends where one begins, if that was read.
        let is_ended =
            framing == Framing::StxEtx && !is_inside && account.heard.rest(sock.read()).starts_with(b"\x02");
        if frame.end == End::Silence && !is_ended && !is_broken {
            let goes_on = !sock.inbox_is_empty() && !kernel.is_news(sock);
            assert!(!goes_on, "{id}: a part was shown, and more of it was here");
        }
        drop(kernel);
        self.react(id, board);
    }

    fn timer(&mut self, id: ConnId, board: &mut Board) {
        if let Some(account) = self.accounts.get_mut(&id.serial()) {
            let when = account.timer.take().unwrap_or_else(|| panic!("{id} has no timer"));
            assert!(when <= board.now(), "{id}: its timer came early");
        }
        self.react(id, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.hears_no_more(id, board);
        let account = self.account(id);
        account.ended += 1;
        assert_eq!((account.ended, account.closed), (1, None), "{id} ended");
        if self.calm || self.dice.one_in(2) {
            board.finish(id);
        }
        self.react(id, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let view = board.view(id).unwrap_or_else(|| panic!("{id} stands on the board while it is closed"));
        let (queued, received_bytes) = (view.queued_bytes, view.received_bytes);
        if self.dialed.came_to_nothing(id, why, &self.net) {
            return;
        }
        if !self.accounts.contains_key(&id.serial()) {
            let is_of_handshake = why.is_of_an_unseen_one() || why.code() != "finished";
            assert!(
                is_of_handshake && self.net.look().sockets[self.net.look().number_of(id.key)].toy.is_some()
            );
            return;
        }
        if self.account(id).ended == 0 {
            self.hears_no_more(id, board);
        }
        let account = self.account(id);
        let closed = Closed { why: why.code(), resets: why.resets(), queued };
        assert_eq!(account.closed.replace(closed), None, "{id} was closed once");
        account.received_bytes = received_bytes;
        let (sock, over_soft_since) = (account.sock, account.over_soft_since);
        let kernel = self.net.look();
        audit::check_stall(id, why, &kernel, sock, board.limits());
        if matches!(why, Reason::ReadsTooSlowly(_)) {
            let since = over_soft_since.unwrap_or_else(|| panic!("{id} was not over the soft limit"));
            let over = kernel.awake().awake_since(since);
            assert!(over >= board.limits().outbox_soft_max, "{id}: over the soft limit for {over:?}");
        }
        drop(kernel);
        self.react(id, board);
    }

    fn message(&mut self, message: Infallible, _board: &mut Board) {
        match message {}
    }

    fn turn_ended(&mut self, board: &mut Board) {
        if let Some(id) = self.anybody() {
            self.react(id, board);
        }
    }
}

/// A world in which anything happens.
fn world(dice: &Dice, sabotage: Sabotage) -> World<Chaos> {
    let terms = Terms {
        descriptors_max: dice.pick(&[4, 6, 100]),
        backlog_max: 6,
        buffer_bytes: dice.pick(&[30, 100, 300]),
        turbulence: dice.pick(&[6, 20]),
        toys: true,
        keeps_records: true,
    };
    let limits = Limits {
        idle_max: dice.one_in(5).then_some(Duration::from_secs(3)),
        conns_max: dice.pick(&[5, 100]),
        buffers_bytes_max: dice.pick(&[1500, 1 << 30]),
        ..small_limits()
    };
    let app = Chaos {
        dice: dice.clone(),
        net: Net::new(terms, dice.clone(), sabotage),
        policies: std::array::from_fn(|_| any_policy(dice)),
        accounts: HashMap::new(),
        opened: Vec::new(),
        dialed: Dialed::default(),
        breaking: Breaking::default(),
        paused: HashSet::new(),
        is_held: false,
        calm: false,
    };
    let mut world = World::new(dice.clone(), terms, limits, sabotage, app);
    world.app.net = world.net.clone();
    world
}

/// Runs one world to its end. `steps` tells how far it came.
pub(super) fn run(dice: &Dice, sabotage: Sabotage, steps: &mut usize) {
    let mut world = world(dice, sabotage);
    for _ in 0..200 {
        if dice.are_used_up() {
            break;
        }
        let here = world.engine.board.len();
        if here < HERE_MAX && dice.one_in(if here < 3 { 2 } else { 10 }) {
            let text = dice.talk(400);
            world.knock(Far::of_any_kind(text, dice));
        }
        world.happen(dice.below(6));
        if dice.one_in(3)
            && let Some(id) = world.app.anybody()
        {
            world.app.act(id, &mut world.engine.board);
        }
        // What was queued between two turns counts from the one before.
        note_soft_limits(&mut world);
        world.turn(Duration::from_millis(dice.pick(&[0, 0, 1, 50, 250, 1100, 4000])));
        check_accounts(&world);
        note_soft_limits(&mut world);
        *steps = world.steps;
    }
    world.app.calm = true;
    world.engine.board.hold_reading(false);
    for id in std::mem::take(&mut world.app.paused) {
        world.engine.board.resume(id);
    }
    let here: Vec<ConnId> = world.engine.board.views().map(|view| view.id).collect();
    for id in here {
        world.engine.board.clear_faults(id);
    }
    world.calm_down();
    world.run_out(|world| world.engine.board.is_empty() && !world.net.look().can_accept());
    *steps = world.steps;
    check_accounts(&world);
    check_end(&world);
}

/// Writes down since when each is over the soft limit of its queue.
fn note_soft_limits(world: &mut World<Chaos>) {
    let World { engine, app, net, .. } = world;
    let awake = net.look().awake();
    for account in app.accounts.values_mut() {
        let queued = engine.board.view(account.id).map_or(0, |view| view.queued_bytes);
        let is_over = queued > engine.board.limits().outbox_soft_bytes;
        account.over_soft_since = is_over.then(|| account.over_soft_since.unwrap_or(awake));
    }
}

/// What the App heard and was promised, against what the far ends said and were sent.
fn check_accounts(world: &World<Chaos>) {
    let World { engine: Engine { board, .. }, app, .. } = world;
    let kernel = world.net.look();
    let (mut discarded, mut unsent, mut vanished, mut is_all_heard) = (0, 0, 0, true);
    for account in app.accounts.values() {
        let (id, harm) = (account.id, app.breaking.harm(account.id));
        let conn = board.table.get(id);
        assert_ne!(conn.is_some(), account.closed.is_some(), "{id} is here, or closed");
        let sock = &kernel.sockets[account.sock];
        let record = sock.record.as_deref().unwrap_or_else(|| panic!("this system keeps records"));
        let received_bytes = conn.map_or(account.received_bytes, |conn| conn.received_bytes) as usize;
        assert_eq!(received_bytes as u64, sock.read_bytes, "{id}: bytes read");
        is_all_heard &= !harm.inbound;
        if !harm.inbound {
            discarded += check_heard(account, conn, &record.said, received_bytes);
        }

        let queued = match (conn, account.closed) {
            (Some(conn), _) => conn.queued_bytes(&board.shared.log),
            (None, Some(Closed { queued, .. })) => queued,
            (None, None) => 0,
        };
        let is_as_accepted = harm.outbound || account.owed.starts_with(&record.written);
        assert!(is_as_accepted, "{id}: sent something else than was accepted");
        // What its stream had yet to send when it was dropped was lost with the rest.
        let sent = record.written.len() - sock.unsaid_bytes as usize;
        let gone = account.owed.len().checked_sub(sent + queued);
        let gone = gone.unwrap_or_else(|| panic!("{id}: more sent and queued than accepted"));
        assert!(gone == 0 || harm.vanishes, "{id}: sent and queued, against accepted");
        vanished += gone;
        if conn.is_none_or(|conn| conn.is_over()) {
            unsent += queued;
        }
    }
    let stats = board.stats();
    assert!(!is_all_heard || stats.discarded_bytes == discarded as u64, "bytes discarded");
    assert_eq!(stats.unsent_bytes, unsent as u64, "bytes unsent");
    assert_eq!(stats.vanished_bytes, vanished as u64, "bytes vanished");
}

/// What it heard was held against what was said when it heard it: that the rest waits for it. Returns how much was
/// thrown away.
fn check_heard(account: &Account, conn: Option<&Conn>, said: &[u8], received_bytes: usize) -> usize {
    let id = account.id;
    let tail: &[u8] = conn.map_or(&[], |conn| conn.tail.bytes());
    let rest = account.heard.rest(said);
    assert!(rest.starts_with(tail), "{id}: began something else than was said");
    let kept_bytes = conn.and_then(Conn::flow).map_or(0, |flow| flow.kept_bytes());
    let kept = account.heard.bytes() + tail.len() + kept_bytes;
    assert!(kept <= received_bytes, "{id}: heard more than was read");
    if conn.is_some_and(|conn| conn.delivers()) {
        assert_eq!(kept, received_bytes, "{id}: heard and its tail, against bytes read");
    }
    received_bytes - kept
}

fn check_end(world: &World<Chaos>) {
    let kernel = world.net.look();
    assert_eq!(kernel.descriptors(), 0, "descriptors are left open");
    assert_eq!(world.engine.board.buffered_bytes(), 0, "nobody is left to have anything in memory");
    let limits = world.engine.board.limits();
    for account in world.app.accounts.values() {
        let id = account.id;
        let Some(Closed { why, resets, queued: unsent }) = account.closed else {
            panic!("{id} was never closed")
        };
        let sock = &kernel.sockets[account.sock];
        assert!(sock.closed_at.is_some(), "{id}: its stream is let go of");
        assert_eq!(sock.is_aborted(), resets, "{id}: closed {why}");
        if why == "finished" {
            assert_eq!(unsent, 0, "{id}: all was sent");
        }
        let is_heard = !world.app.breaking.harm(id).inbound;
        if is_heard && matches!(why, "finished" | "reset" | "lost" | "timed-out" | "truncated") {
            let rest = account.heard.rest(sock.said());
            assert!(rest.is_empty(), "{id}: {why}, and this was not heard: {rest:?} {sock:?}");
        }
        // What was promised arrives, unless the far end itself broke the connection, or took so long over it
        // that the closing had to come to its end.
        let since = |moment| sock.closed_at.map_or(Duration::ZERO, |closed| closed.since(moment));
        let lingered_out = since(sock.moved_at.at) >= limits.linger_silence
            || sock.fin_due_at().is_some_and(|fin| since(fin) >= limits.linger_max);
        let is_polite = matches!(why, "finished" | "kicked" | "idle" | "half-open");
        if is_polite && unsent == 0 && sock.far_was_faithful() && !lingered_out {
            assert_eq!(sock.lost_bytes, 0, "{id}: {why}, and a reset destroyed what was under way to it");
        }
    }
}
