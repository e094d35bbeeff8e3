//! The engine in its simulated surroundings: one step lets things happen outside, decides how long the engine
//! may sleep as the engine itself says, and gives it a turn. After each turn the sums are checked.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::audit;
use super::dice::Dice;
use super::far::Far;
use super::net::{DOOR_OF_DESKS, DOOR_OF_PEERS, Event, Net, Sabotage, SimListener, SimStream, Terms};
use crate::app::App;
use crate::board::{Board, Dial, LAPSE_MAX, Polled, Told};
use crate::clock::Moment;
use crate::conn::Key;
use crate::conn::policy::Role;
use crate::engine::accept::Acceptor;
use crate::engine::{Engine, Sleep, System};
use crate::hub;
use crate::limits::Limits;

/// Turns in a row that may bring nothing about although the engine wants them.
const EMPTY_TURNS_MAX: usize = 100;

/// Limits that a few bytes, and a few connections, reach.
pub(super) fn small_limits() -> Limits {
    Limits {
        splice_bytes_min: 40,
        deliver_budget_receivers: 3,
        log_backlog_high_bytes: 300,
        own_pieces_max: 4,
        accept_budget: 3,
        mail_budget: 2,
        ..Limits::small()
    }
}

/// An engine, its App, and all that is outside.
pub(super) struct World<A: App> {
    pub dice: Dice,
    pub net: Net,
    pub engine: Engine<SimListener>,
    pub app: A,
    pub now: Moment,
    pub steps: usize,
    terms: Terms,
    mail: Post<A::Message>,
    /// What the engine has done and how many turns ago that changed.
    done: u64,
    empty_turns: usize,
    /// Kept for its memory.
    told: Vec<Event>,
    sabotage: Sabotage,
}

/// What keeps the engine from running.
#[derive(Clone, Copy, Debug)]
enum Lapse {
    None,
    /// The poller returns so much later than it was asked to.
    Late(Duration),
    /// A signal interrupts the poller.
    Interrupted,
    /// The process is stopped while the poller sleeps, which interrupts it, too.
    Stopped(Duration),
    /// The process is stopped between the poller's return and the look at the clock.
    StoppedBehind(Duration),
}

/// Mail on its way, and the bell that is rung for it.
struct Post<M> {
    waiting: VecDeque<M>,
    /// What comes in the moment when the engine has just found that nothing waits.
    late: VecDeque<M>,
    rung: bool,
    announced: bool,
    taken: u64,
}

impl<M> Post<M> {
    /// Rings, unless that was done already.
    fn post(&mut self, mail: M) {
        self.waiting.push_back(mail);
        self.announced |= !std::mem::replace(&mut self.rung, true);
    }

    fn post_the_late(&mut self) {
        for mail in std::mem::take(&mut self.late) {
            self.post(mail);
        }
    }
}

impl<A: App> World<A> {
    pub fn new(dice: Dice, terms: Terms, limits: Limits, sabotage: Sabotage, app: A) -> World<A> {
        let net = Net::new(terms, dice.clone(), sabotage);
        let mut acceptor = Acceptor::default();
        acceptor.add(net.listener(DOOR_OF_PEERS), Role::PEER);
        acceptor.add(net.listener(DOOR_OF_DESKS), hub::DESK);
        let engine = Engine::new(Board::new(limits), acceptor, &app, || ());
        let mail =
            Post { waiting: VecDeque::new(), late: VecDeque::new(), rung: false, announced: false, taken: 0 };
        let now = Moment::default();
        let told = Vec::new();
        World { dice, net, engine, app, now, steps: 0, terms, mail, done: 0, empty_turns: 0, told, sabotage }
    }

    /// Posts mail, at once or in the worst moment.
    pub fn post(&mut self, mail: A::Message) {
        if self.mail.late.is_empty() && self.dice.below(4) > 0 {
            self.mail.post(mail);
        } else {
            self.mail.late.push_back(mail);
        }
    }

    /// Somebody knocks.
    pub fn knock(&mut self, far: Far) {
        self.net.touch().connect(DOOR_OF_PEERS, far);
    }

    /// The far ends do something, so many of them one after the other; and what is rarer happens.
    pub fn happen(&mut self, count: usize) {
        let mut kernel = self.net.touch();
        for _ in 0..count {
            if !kernel.sockets.is_empty() {
                let number = self.dice.below(kernel.sockets.len());
                kernel.step(number);
            }
        }
        if self.dice.one_in(30) {
            kernel.accept_fails_once(self.dice.pick(&[
                ErrorKind::ConnectionAborted,
                ErrorKind::Interrupted,
                ErrorKind::OutOfMemory,
                ErrorKind::PermissionDenied,
            ]));
        }
    }

    /// The engine sleeps as long as it says, or less, and has its turn. What happens in the world lets it sleep
    /// for `passes` at most; or it cannot run for a while.
    pub fn turn(&mut self, passes: Duration) {
        self.steps += 1;
        // Sooner or later it comes anyhow.
        if self.dice.one_in(8) || !self.net.look().is_turbulent() {
            self.mail.post_the_late();
        }
        let rest = self.engine.rest();
        let is_told = self.mail.announced || self.net.look().is_ready();
        let timeout = match rest {
            Sleep::None => {
                self.count_empty_turns();
                Some(Duration::ZERO)
            }
            Sleep::Until { deadline, wake } => {
                let until = [deadline, wake].into_iter().flatten().min();
                if until.is_some_and(|until| until <= self.now) && !self.engine.has_ended() {
                    self.count_empty_turns();
                } else {
                    self.empty_turns = 0;
                }
                if !is_told && self.terms.keeps_records {
                    self.check_rest(deadline);
                }
                until.map(|until| until.since(self.now))
            }
        };
        let slept = if is_told { Duration::ZERO } else { timeout.unwrap_or(Duration::MAX).min(passes) };
        let polled = self.poll(timeout, slept);
        // A turn takes time, too.
        self.now = self.now + Duration::from_micros(self.dice.below(300) as u64);
        self.net.touch().pass(self.now);
        self.engine.begin_turn(self.now, polled);
        self.note_what_is_told(polled.told);
        if !self.terms.keeps_records {
            return self.engine_turns();
        }
        let before = audit::Reach::of(&self.engine, &self.net);
        self.engine_turns();
        audit::check(&self.engine, &self.net);
        before.check_silences(&self.engine, &self.net);
        before.check_budgets(&self.engine, &self.net);
    }

    fn engine_turns(&mut self) {
        let mut outside = Surroundings { net: &self.net, mail: &mut self.mail, dice: &self.dice };
        self.engine.turn(&mut self.app, &mut outside);
    }

    /// Sleeps and asks the poller, with whatever keeps the engine from running meanwhile.
    fn poll(&mut self, timeout: Option<Duration>, slept: Duration) -> Polled {
        let asked_at = self.now;
        let lapse = self.lapse(timeout);
        let (mut told, mut was_stopped) = (Told::Nothing, false);
        match lapse {
            Lapse::None => self.now = self.now + slept,
            Lapse::Late(late) => {
                self.now = self.now + timeout.unwrap_or_default();
                self.stop(late);
            }
            Lapse::Interrupted => self.now = self.now + slept,
            Lapse::Stopped(stopped) => {
                self.now = self.now + slept;
                self.stop(stopped);
                was_stopped = true;
            }
            Lapse::StoppedBehind(_) => self.now = self.now + slept,
        }
        self.net.touch().pass(self.now);
        if !matches!(lapse, Lapse::Interrupted | Lapse::Stopped(_)) {
            let most = if self.terms.turbulence > 0 { 1 + self.dice.below(8) } else { 1024 };
            let all = self.net.touch().poll(most, &mut self.told);
            told = if all { Told::All } else { Told::Full(most) };
        }
        if let Lapse::StoppedBehind(stopped) = lapse {
            self.stop(stopped);
            was_stopped = true;
        }
        if self.sabotage == Sabotage::HidesStops {
            return Polled { asked_at, timeout: None, told: Told::All, was_stopped: false };
        }
        Polled { asked_at, timeout, told, was_stopped }
    }

    /// What keeps the engine from running this time; mostly nothing.
    fn lapse(&self, timeout: Option<Duration>) -> Lapse {
        if !self.net.look().is_turbulent() || !self.dice.one_in(10) {
            return Lapse::None;
        }
        let stopped = Duration::from_millis(self.dice.pick(&[150, 700, 4000, 11_000]));
        match self.dice.below(4) {
            // Nothing tells a late return from a sleep that was asked for, unless it is later than that.
            0 if timeout.is_some() => Lapse::Late(stopped),
            0 | 1 => Lapse::Interrupted,
            2 => Lapse::Stopped(stopped),
            _ => Lapse::StoppedBehind(stopped),
        }
    }

    /// Time passes, and the world goes on, while the engine cannot run.
    fn stop(&mut self, stopped: Duration) {
        self.now = self.now + stopped;
        self.net.touch().stop(self.now, stopped.saturating_sub(LAPSE_MAX));
        self.happen(self.dice.below(20));
    }

    fn note_what_is_told(&mut self, told: Told) {
        // A poller that was interrupted has told of no mail either.
        if told != Told::Nothing && std::mem::take(&mut self.mail.announced) {
            self.engine.note_mail();
        }
        for told in self.told.drain(..) {
            match told {
                Event::Knock(door) => self.engine.note_pending(door),
                Event::Of(key, readiness) => self.engine.note(key, readiness),
            }
        }
    }

    /// Where the engine would sleep although nothing is announced, there is nothing that it could do, and
    /// what will be due is known.
    fn check_rest(&self, deadline: Option<Moment>) {
        audit::check_rest(&self.engine, &self.net, self.terms.buffer_bytes);
        audit::check_deadlines(&self.engine, deadline);
        assert!(self.mail.waiting.is_empty(), "mail waits, and nobody will say so");
        if self.net.look().can_accept() && !self.engine.has_ended() {
            let soon = self.now + self.engine.board.limits().accept_retry;
            let retries_soon = self.engine.next_retry().is_some_and(|at| at <= soon);
            assert!(retries_soon, "somebody waits to be accepted, and nobody will say so");
        }
    }

    fn count_empty_turns(&mut self) {
        let stats = self.engine.board.stats();
        let passed = stats.delivered_bytes + stats.discarded_bytes + stats.vanished_bytes;
        let carried = stats.received_bytes + stats.sent_bytes + passed;
        let done = carried + stats.opened + stats.closed + self.mail.taken;
        self.empty_turns = if done == self.done { self.empty_turns + 1 } else { 0 };
        self.done = done;
        assert!(self.empty_turns <= EMPTY_TURNS_MAX, "turn after turn brings nothing about");
    }

    /// Everything comes to its end: the far ends read all and finish.
    pub fn calm_down(&mut self) {
        self.net.touch().calm_down();
    }

    /// Lets each far end act, and the engine turn, until nothing is left; that has to come.
    pub fn run_out(&mut self, is_over: impl Fn(&World<A>) -> bool) {
        for _ in 0..4000 {
            let count = self.net.look().sockets.len();
            for number in 0..count {
                self.net.touch().step(number);
            }
            self.turn(Duration::from_millis(500));
            if is_over(self) && self.engine.rest() != Sleep::None {
                return;
            }
        }
        let here: Vec<_> = self.engine.board.views().collect();
        panic!("it never came to its end; still here: {here:?}");
    }
}

struct Surroundings<'a, M> {
    net: &'a Net,
    mail: &'a mut Post<M>,
    dice: &'a Dice,
}

impl<M> System for Surroundings<'_, M> {
    type Listener = SimListener;
    type Mail = M;

    fn watch(&mut self, stream: &mut SimStream, key: Key) -> io::Result<()> {
        if self.net.look().is_turbulent() && self.dice.one_in(50) {
            return Err(ErrorKind::StorageFull.into());
        }
        self.net.watch(stream, key);
        Ok(())
    }

    fn dial(&mut self, dial: &Dial, _limits: &Limits) -> io::Result<SimStream> {
        self.net.dial(dial)
    }

    fn rearm_mail(&mut self) {
        self.mail.rung = false;
    }

    fn next_mail(&mut self) -> Option<M> {
        let Some(mail) = self.mail.waiting.pop_front() else {
            self.mail.post_the_late();
            return None;
        };
        self.mail.taken += 1;
        Some(mail)
    }
}
