//! What is broken on purpose: whom it is done to and for how long. What is broken about a connection the board knows, and
//! the connection carries it out.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;

use crate::board::Board;
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::conn::reason::{FaultEnd, Reason};
use crate::desk::{BadFault, DeskId, Event, Fault, FaultSpec, Outcome, Refusal, Reply, To, Who, Whose};
use crate::hub::desks::Desks;
use crate::hub::job::{Act, Job, Several};
use crate::hub::send::{Asked, of_known, of_list};
use crate::hub::session::Session;
use crate::hub::target::Whom;
use crate::hub::turn::Executed;

/// So many connections are mended in one turn, where their time is over; more wait for the next.
const ENDS_MAX: usize = 1024;

/// Faults, as far as they are not the connections'.
#[derive(Debug)]
pub struct Faults {
    newcomers: Option<Rule>,
    /// When the faults of a connection end by themselves.
    ends: HashMap<u64, Moment>,
    /// The same, soonest first.
    soonest: BTreeSet<(Moment, u64)>,
    /// For what nobody has given a seed.
    chance: Rng,
}

/// What is done to newcomers.
#[derive(Clone, Debug, Default)]
struct Rule {
    /// Without its `for`.
    spec: Rc<FaultSpec>,
    /// When it ends, and what it has broken with it.
    ends: Option<Moment>,
    /// How many have come since its seed was given.
    count: u64,
}

impl Rule {
    fn add(&mut self, more: &FaultSpec, now: Moment) {
        let spec = Rc::make_mut(&mut self.spec);
        spec.add(more);
        self.ends = spec.lasts.take().map(|lasts| now + lasts).or(self.ends);
        if more.seed.is_some() {
            self.count = 0;
        }
    }

    /// As it is shown.
    fn shown(&self, now: Moment) -> FaultSpec {
        FaultSpec { lasts: self.ends.map(|ends| rest(ends, now)), ..(*self.spec).clone() }
    }

    /// Whether the next newcomer is hit, and the seed for what is left to chance about it. Where a seed was given, both
    /// follow from it and from how many came before.
    fn draw(&mut self, chance: &mut Rng) -> (bool, u64) {
        let count = self.count;
        self.count += 1;
        // The golden ratio, as in SplitMix64: neighbours are far from each other.
        let of_its_own =
            |seed: u64| Rng::with_seed(seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let mut dice = self.spec.seed.map_or_else(|| chance.fork(), of_its_own);
        let is_hit = dice.f64() < self.spec.toxicity.unwrap_or(1.0);
        (is_hit, dice.u64(..))
    }
}

impl Faults {
    /// Nothing is broken. What nobody has given a seed for follows from `chance`.
    pub fn new(chance: u64) -> Faults {
        let (ends, soonest) = (HashMap::new(), BTreeSet::new());
        Faults { newcomers: None, ends, soonest, chance: Rng::with_seed(chance) }
    }

    /// What is broken about a connection, and for how much longer.
    pub fn of(&self, id: ConnId, board: &Board) -> Option<FaultSpec> {
        let faults = board.faults(id)?;
        Some(FaultSpec::holding(faults, self.rest_of(id.serial(), board.now())))
    }

    fn rest_of(&self, serial: u64, now: Moment) -> Option<Duration> {
        self.ends.get(&serial).map(|ends| rest(*ends, now))
    }

    fn end_at(&mut self, serial: u64, ends: Moment) {
        self.forget(serial);
        self.ends.insert(serial, ends);
        self.soonest.insert((ends, serial));
    }

    /// A connection has gone, or is broken no more.
    pub fn forget(&mut self, serial: u64) {
        if let Some(ends) = self.ends.remove(&serial) {
            self.soonest.remove(&(ends, serial));
        }
    }

    /// The next whose time is over.
    fn pop_due(&mut self, now: Moment) -> Option<u64> {
        let (_, serial) = *self.soonest.first().filter(|(ends, _)| *ends <= now)?;
        self.forget(serial);
        Some(serial)
    }

    /// When something ends by itself.
    fn next_end(&self) -> Option<Moment> {
        let of_rule = self.newcomers.as_ref().and_then(|rule| rule.ends);
        let of_conns = self.soonest.first().map(|(ends, _)| *ends);
        of_rule.into_iter().chain(of_conns).min()
    }
}

/// What is left until then: whole seconds, as long as it is one, since nobody reads more.
fn rest(ends: Moment, now: Moment) -> Duration {
    let rest = ends.since(now);
    let unit = if rest > Duration::from_secs(1) { 1_000_000_000 } else { 1_000_000 };
    let units = rest.as_nanos().div_ceil(unit).max(1);
    Duration::from_nanos(u64::try_from(units * unit).unwrap_or(u64::MAX))
}

impl Desks {
    /// Breaks newcomers in this way, too, from now on: from the start.
    pub fn break_newcomers(&mut self, spec: &FaultSpec) {
        self.faults.newcomers.get_or_insert_default().add(spec, self.since);
    }

    /// Breaks something, ends that, or shows it.
    pub(super) fn fault(
        &mut self,
        session: &Session,
        whose: Whose<'_>,
        fault: Fault,
        asked: Asked<'_>,
        board: &mut Board,
    ) -> Result<Executed, Refusal> {
        let to = match whose {
            Whose::These(to) => to,
            Whose::Newcomers => {
                self.fault_newcomers(session.id, fault, asked.reference, board)?;
                return Ok(Executed::Done);
            }
        };
        if let Fault::Add(spec) = &fault
            && let Some(word) = spec.of_newcomers_only()
        {
            return Err(Refusal::BadFault(BadFault::NewcomersOnly(word)));
        }
        self.fault_these(session, to, fault, asked, board)
    }

    fn fault_newcomers(
        &mut self,
        desk: DeskId,
        fault: Fault,
        reference: Option<&str>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        let now = board.now();
        let is_news = match fault {
            Fault::Add(more) => {
                let mut rule = self.faults.newcomers.clone().unwrap_or_default();
                rule.add(&more, now);
                if rule.spec.breaks_nothing() {
                    return Err(Refusal::BadFault(BadFault::BreaksNothing));
                }
                rule.ends.into_iter().for_each(|ends| board.wake_at(ends));
                self.faults.newcomers = Some(rule);
                true
            }
            Fault::Off => self.faults.newcomers.take().is_some(),
            Fault::Show => false,
        };
        let spec = self.faults.newcomers.as_ref().map(|rule| rule.shown(now));
        self.out.reply(desk, reference, &Reply::Faults(None, spec.as_ref()));
        if is_news {
            let event = Event::Fault { who: None, spec: spec.as_ref(), by: Some(desk) };
            self.out.tell_others(Some(desk), &event);
        }
        Ok(())
    }

    fn fault_these(
        &mut self,
        session: &Session,
        to: To<'_>,
        fault: Fault,
        asked: Asked<'_>,
        board: &mut Board,
    ) -> Result<Executed, Refusal> {
        let (act, spec) = match &fault {
            Fault::Add(spec) => (Act::Fault, Some(Rc::clone(spec))),
            Fault::Off => (Act::Fault, None),
            Fault::Show => (Act::ShowFaults, None),
        };
        let mut begun = match self.resolve(to, asked.line, session, board)? {
            Whom::One(serial) => {
                let id = board.find(serial).ok_or(Refusal::Gone(serial))?;
                self.fault_one(session.id, id, fault, asked.reference, board)?;
                return Ok(Executed::Done);
            }
            // Of several who are not all broken, one reply could not say for whom it counts.
            _ if spec.as_ref().is_some_and(|spec| spec.breaks_nothing()) => {
                return Err(Refusal::BadFault(BadFault::BreaksNothing));
            }
            Whom::All => {
                let whom = Several::all(board, |_| true);
                if whom.serials().is_empty() {
                    return Err(Refusal::Nobody);
                }
                of_known(act, b"", asked, Rc::new(whom))
            }
            Whom::Known(whom) => of_known(act, b"", asked, whom),
            Whom::List(source) => of_list(act, b"", asked, source),
        };
        if let Executed::Begins(job) = &mut begun {
            job.spec = spec;
        }
        Ok(begun)
    }

    fn fault_one(
        &mut self,
        desk: DeskId,
        id: ConnId,
        fault: Fault,
        reference: Option<&str>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        let (spec, is_news) = match fault {
            Fault::Add(spec) if spec.breaks_nothing() && board.faults(id).is_none() => {
                return Err(Refusal::BadFault(BadFault::BreaksNothing));
            }
            Fault::Add(spec) => {
                let (ends, seed) = (spec.lasts.map(|lasts| board.now() + lasts), self.faults.chance.u64(..));
                (Some(self.break_one(id, &spec, ends, seed, board)), true)
            }
            Fault::Off => (None, self.mend_one(id, board)),
            Fault::Show => (self.faults.of(id, board), false),
        };
        let who = self.names.who(id.serial());
        self.out.reply(desk, reference, &Reply::Faults(Some(who), spec.as_ref()));
        if is_news {
            let event = Event::Fault { who: Some(who), spec: spec.as_ref(), by: Some(desk) };
            self.out.tell_others(Some(desk), &event);
        }
        Ok(())
    }

    /// Breaks, or mends, one of several.
    pub(super) fn fault_one_of_several(
        &mut self,
        job: &Job,
        serial: u64,
        desk: DeskId,
        board: &mut Board,
    ) -> Outcome {
        let Some(id) = board.find(serial) else { return Outcome::Gone };
        let spec = if let Some(spec) = &job.spec {
            let (ends, seed) = (spec.lasts.map(|lasts| board.now() + lasts), self.faults.chance.u64(..));
            Some(self.break_one(id, spec, ends, seed, board))
        } else if self.mend_one(id, board) {
            None
        } else {
            return Outcome::Done(0);
        };
        let event = Event::Fault { who: Some(self.names.who(serial)), spec: spec.as_ref(), by: Some(desk) };
        self.out.tell_others(Some(desk), &event);
        Outcome::Done(0)
    }

    /// Replies with what is broken about several.
    pub(super) fn show_faults_of(&mut self, job: &Job, whom: &Several, session: &Session, board: &Board) {
        let (names, faults) = (&self.names, &self.faults);
        let shown = whom.serials().iter().filter_map(|serial| {
            let spec = faults.of(board.find(*serial)?, board).map(Box::new);
            Some((names.who(*serial), spec))
        });
        let shown: Vec<(Who<'_>, Option<Box<FaultSpec>>)> =
            shown.filter(|(_, spec)| spec.is_some() || !whom.is_many()).collect();
        let names_gone = !whom.is_many() || session.is_json;
        let gone = job.outcomes.iter().filter(|(_, outcome)| names_gone && *outcome == Outcome::Gone);
        let gone: Vec<(Who<'_>, Outcome)> =
            gone.map(|(serial, outcome)| (names.who(*serial), *outcome)).collect();
        let reply = Reply::FaultsOf(&shown, &gone, &job.tally);
        self.out.reply(session.id, job.reference.as_deref(), &reply);
    }

    /// Breaks a connection. Returns all that holds of it now.
    fn break_one(
        &mut self,
        id: ConnId,
        spec: &FaultSpec,
        ends: Option<Moment>,
        seed: u64,
        board: &mut Board,
    ) -> FaultSpec {
        let mut holding = board.faults(id).cloned().unwrap_or_default();
        if !spec.faults.is_none() {
            holding.add(&spec.faults);
            board.add_faults(id, &spec.faults, seed);
        }
        if let Some(ends) = ends {
            self.faults.end_at(id.serial(), ends);
            board.wake_at(ends);
        }
        FaultSpec::holding(&holding, self.faults.rest_of(id.serial(), board.now()))
    }

    /// Ends all that is broken about a connection. Returns whether anything was.
    fn mend_one(&mut self, id: ConnId, board: &mut Board) -> bool {
        self.faults.forget(id.serial());
        let was_broken = board.faults(id).is_some();
        board.clear_faults(id);
        was_broken
    }

    /// Does to somebody who has come what is to be done to newcomers. Whom we have dialled is none.
    pub(super) fn break_newcomer(&mut self, id: ConnId, board: &mut Board) {
        let Faults { newcomers: Some(rule), chance, .. } = &mut self.faults else { return };
        if self.dialled.contains(&id.serial()) {
            return;
        }
        let (is_hit, seed) = rule.draw(chance);
        let (spec, ends) = (Rc::clone(&rule.spec), rule.ends);
        if !is_hit {
            return;
        }
        if spec.down {
            return board.hang_up(id, Reason::Fault(FaultEnd::Down));
        }
        let holding = self.break_one(id, &spec, ends, seed, board);
        let who = Some(self.names.who(id.serial()));
        self.out.tell(&Event::Fault { who, spec: Some(&holding), by: None });
    }

    /// Ends what is to end by itself by now, and asks to be called when the next is.
    pub(super) fn end_faults(&mut self, board: &mut Board) {
        let now = board.now();
        let Some(next) = self.faults.next_end() else { return };
        if next > now {
            return board.wake_at(next);
        }
        if self.faults.newcomers.take_if(|rule| rule.ends.is_some_and(|ends| ends <= now)).is_some() {
            self.out.tell(&Event::Fault { who: None, spec: None, by: None });
        }
        for _ in 0..ENDS_MAX {
            let Some(serial) = self.faults.pop_due(now) else { break };
            if let Some(id) = board.find(serial)
                && self.mend_one(id, board)
            {
                self.out.tell(&Event::Fault { who: Some(self.names.who(serial)), spec: None, by: None });
            }
        }
        match self.faults.next_end() {
            Some(next) if next <= now => board.call_again(),
            Some(next) => board.wake_at(next),
            None => {}
        }
    }
}
