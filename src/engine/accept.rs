//! Where newcomers come in: the listeners, and whom they let in. Generic over what a listener is, so that
//! a simulator drives the same code as the reactor.

use std::io::{self, ErrorKind};
use std::mem;
use std::time::Duration;

use crate::address::Admission;
use crate::app::App;
use crate::board::stats::Stats;
use crate::board::{Board, Running};
use crate::clock::Moment;
use crate::conn::policy::Role;
use crate::conn::reason::{Reason, is_for_want_of_descriptors};
use crate::conn::state::Step;
use crate::conn::stream::Stream;
use crate::conn::{Key, Peer};
use crate::engine::sources::{Source, Sources};
use crate::engine::{Engine, System};

/// Among so many unfinished handshakes one of the same source is looked for.
const LOOKED_AT_MAX: usize = 1024;

/// That accepting fails is said this often at most.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// Those who were turned away are gathered for so long before the App is told.
const GATHERED_FOR: Duration = Duration::from_secs(1);

/// What the engine needs of a listening socket.
pub trait Listen {
    /// What it accepts.
    type Stream: Stream;

    /// Takes one newcomer; `WouldBlock` says that nobody waits.
    ///
    /// # Errors
    /// Whatever the system says.
    fn accept(&mut self) -> io::Result<(Self::Stream, Peer)>;
}

/// The listeners, and whom they let in.
#[derive(Debug)]
pub struct Acceptor<L> {
    entrances: Vec<Entrance<L>>,
    /// By role.
    admission: [Admission; Role::COUNT],
    /// Where peers come from, as far as there are limits on it.
    sources: Sources,
    /// When it was last said that accepting fails.
    warned_at: Option<Moment>,
    /// When the App will be told of those who were turned away, if anybody was.
    tell_at: Option<Moment>,
}

/// A listener.
#[derive(Debug)]
struct Entrance<L> {
    listener: L,
    /// What those whom it accepts are for.
    role: Role,
    accepting: Accepting,
}

/// Why a newcomer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Its address is not let in. It is not told: whoever is shut out learns nothing of who is not.
    Address,
    /// More than so many a second come from where it comes from.
    TooFast(u32),
    /// So many are here from where it comes from.
    TooMany(u32),
    /// So many are here.
    Full(usize),
}

/// How a listener stands. It is announced once; whatever keeps us from accepting all that wait has to
/// be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepting {
    /// `WouldBlock` was seen: the poller will say when somebody comes.
    Idle,
    /// More may be waiting.
    Pending,
    /// An accept failed in a way that only time, or a close, can mend.
    Retry(Moment),
}

/// Whose place a newcomer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// That of one who comes from the same source.
    ItsOwn,
    /// Anybody's.
    Anybodys,
}

impl<L> Default for Acceptor<L> {
    fn default() -> Acceptor<L> {
        Acceptor {
            entrances: Vec::new(),
            admission: Default::default(),
            sources: Sources::default(),
            warned_at: None,
            tell_at: None,
        }
    }
}

impl<L: Listen> Acceptor<L> {
    /// How many listeners there are; the next one will have this number.
    pub fn listeners(&self) -> usize {
        self.entrances.len()
    }

    /// Adds a listener, for connections of this role.
    pub fn add(&mut self, listener: L, role: Role) {
        self.entrances.push(Entrance { listener, role, accepting: Accepting::Idle });
    }

    /// Notes that somebody waits at this listener, if it is still open.
    pub fn note(&mut self, number: usize) {
        let Some(entrance) = self.entrances.get_mut(number) else { return };
        // Where accepting failed, one more who comes changes nothing about it.
        if entrance.accepting == Accepting::Idle {
            entrance.accepting = Accepting::Pending;
        }
    }

    /// Whether somebody may be waiting who can be let in now.
    pub fn is_pending(&self) -> bool {
        self.entrances.iter().any(|entrance| entrance.accepting == Accepting::Pending)
    }

    /// When to try again where accepting failed, or to tell of those who were turned away.
    pub fn next_retry(&self) -> Option<Moment> {
        let retries = self.entrances.iter().filter_map(|entrance| match entrance.accepting {
            Accepting::Retry(at) => Some(at),
            Accepting::Idle | Accepting::Pending => None,
        });
        retries.chain(self.tell_at).min()
    }

    /// Somebody has left, so there may be a descriptor for a newcomer again.
    pub fn try_again(&mut self) {
        for entrance in &mut self.entrances {
            if matches!(entrance.accepting, Accepting::Retry(_)) {
                entrance.accepting = Accepting::Pending;
            }
        }
    }

    /// Takes nobody any more.
    pub fn close(&mut self) {
        self.entrances.clear();
    }

    /// Whether nothing was said of failures for a while. Notes that something is said now.
    fn may_warn(&mut self, now: Moment) -> bool {
        let may = self.warned_at.is_none_or(|at| now.since(at) >= WARN_EVERY);
        if may {
            self.warned_at = Some(now);
        }
        may
    }

    /// Somebody has gone who had this key.
    pub fn left(&mut self, key: Key) {
        if !self.sources.are_empty() {
            self.sources.leave(key);
        }
    }

    /// Whether a newcomer may stay, and why not. The first question is the one that costs least to have asked in vain;
    /// who comes too fast is so whether there is room or not.
    fn judge(&mut self, peer: &Peer, role: Role, board: &Board) -> Result<(), Refusal> {
        if peer.ip().is_some_and(|address| !self.admission[role.number()].admits(address)) {
            return Err(Refusal::Address);
        }
        let limits = board.limits();
        // The limits on sources are for peers, and are mostly not there.
        if role == Role::PEER
            && (limits.source_rate_max.is_some() || limits.source_conns_max.is_some())
            && let Some(source) = Source::of(peer)
        {
            if let Some(rate) = limits.source_rate_max
                && !self.sources.is_in_time(source, rate, board.now())
            {
                return Err(Refusal::TooFast(rate));
            }
            if let Some(most) = limits.source_conns_max.filter(|most| self.sources.count(source) >= *most) {
                return Err(Refusal::TooMany(most));
            }
        }
        let conns_max = board.shared.policies[role.number()].conns_max.unwrap_or(limits.conns_max);
        if board.shared.sums.of_role[role.number()] >= conns_max {
            return Err(Refusal::Full(conns_max));
        }
        Ok(())
    }
}

impl Refusal {
    /// What the newcomer is told, if anything.
    fn told(self) -> Option<String> {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        match self {
            Refusal::Address => None,
            Refusal::TooFast(rate) => Some(format!(
                "switchboard: too fast ({rate} newcomer{} a second from one address)\n",
                plural(rate as usize)
            )),
            Refusal::TooMany(most) => Some(format!(
                "switchboard: too many from one address ({most} connection{})\n",
                plural(most as usize)
            )),
            Refusal::Full(most) => Some(format!("switchboard: full ({most} connection{})\n", plural(most))),
        }
    }

    fn count(self, stats: &mut Stats) {
        match self {
            Refusal::Address => stats.refused_address += 1,
            Refusal::TooFast(_) => stats.refused_too_fast += 1,
            Refusal::TooMany(_) => stats.refused_too_many += 1,
            Refusal::Full(_) => stats.refused_full += 1,
        }
    }
}

impl<L: Listen> Engine<L> {
    #[cold]
    #[inline(never)]
    fn take_admissions(&mut self) {
        for (role, admission) in mem::take(&mut self.board.admissions) {
            self.acceptor.admission[role.number()] = admission;
        }
    }

    /// Accepts those who wait, within the budget.
    pub(super) fn accept<A: App>(&mut self, app: &mut A, system: &mut impl System<Listener = L>) {
        if !self.board.admissions.is_empty() {
            self.take_admissions();
        }
        for at in 0..self.acceptor.entrances.len() {
            self.accept_at(at, app, system);
        }
        let tell_at = &mut self.acceptor.tell_at;
        if tell_at.take_if(|at| *at <= self.board.shared.time.listened()).is_some() {
            app.turned_away(&mut self.board);
        }
    }

    fn accept_at<A: App>(&mut self, at: usize, app: &mut A, system: &mut impl System<Listener = L>) {
        let now = self.board.shared.time.listened();
        if matches!(self.acceptor.entrances[at].accepting, Accepting::Retry(when) if when > now) {
            return;
        }
        let (budget, retry_at) = (self.board.limits().accept_budget, now + self.board.limits().accept_retry);
        // No more of those with a handshake than a turn can bring to its end, in two steps each: the others wait at the
        // door, where they cost nothing, and do not push out those who have been let in.
        let greeting_max = (self.board.limits().handshake_budget / 2).max(1);
        let (mut gone, mut greeting) = (0, 0);
        for _ in 0..budget {
            let Entrance { listener, accepting, role } = &mut self.acceptor.entrances[at];
            let role = *role;
            // The App may have stopped while it was told of the last newcomer.
            if *accepting == Accepting::Idle || self.board.running != Running::On {
                return;
            }
            match listener.accept() {
                Ok((stream, peer)) => {
                    greeting += usize::from(stream.has_handshake());
                    self.admit(stream, peer, role, app, system);
                    if greeting == greeting_max {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => *accepting = Accepting::Idle,
                // The newcomer has gone again, or a signal came: try the next.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) =>
                {
                    gone += 1;
                    if gone == budget {
                        // Whatever goes on there, it is not looked at without a pause.
                        *accepting = Accepting::Retry(retry_at);
                    }
                }
                Err(error)
                    if is_for_want_of_descriptors(&error)
                        && self.make_room(role, None, Whose::Anybodys, usize::MAX) => {}
                Err(error) => {
                    let accepting = &mut self.acceptor.entrances[at].accepting;
                    *accepting = Accepting::Retry(retry_at);
                    self.board.shared.stats.accept_errors += 1;
                    if self.acceptor.may_warn(self.board.now()) {
                        log::warn!("cannot accept: {error}; trying again when somebody leaves");
                    }
                    return;
                }
            }
        }
    }

    fn admit<A: App>(
        &mut self,
        mut stream: L::Stream,
        peer: Peer,
        role: Role,
        app: &mut A,
        system: &mut impl System<Listener = L>,
    ) {
        let mut judged = self.acceptor.judge(&peer, role, &self.board);
        let source = Source::of(&peer);
        let has_room = match judged {
            Err(Refusal::Full(conns_max)) => self.make_room(role, source, Whose::Anybodys, conns_max),
            // Its rate was counted by then, so it is judged no second time.
            Err(Refusal::TooMany(most)) => self.make_room(role, source, Whose::ItsOwn, most as usize),
            _ => false,
        };
        if has_room {
            judged = Ok(());
        }
        let Engine { board, acceptor, .. } = self;
        if let Err(refusal) = judged {
            // Who would have had no number is no peer, and was not counted when it was let in either.
            if board.has_number(role) {
                refusal.count(&mut board.shared.stats);
                acceptor.tell_at.get_or_insert(board.shared.time.listened() + GATHERED_FOR);
            }
            log::info!("turned away {peer}: {refusal:?}");
            refusal.told().iter().for_each(|why| refuse(&mut stream, why));
            return;
        }
        if let Err(error) = system.watch(&mut stream, board.next_key()) {
            board.shared.stats.accept_errors += 1;
            if acceptor.may_warn(board.now()) {
                log::warn!("cannot watch the connection of {peer}: {error}");
            }
            return;
        }
        if role == Role::PEER
            && board.limits().source_conns_max.is_some()
            && let Some(source) = Source::of(&peer)
        {
            acceptor.sources.enter(board.next_key(), source);
        }
        self.adopt(stream, peer, role, app);
    }

    /// Where nobody else fits in, whoever has not finished its handshake is first to go: the oldest of those who come from
    /// where the newcomer does, so that whoever floods pushes out its own, else the oldest of all, if it may be anybody's
    /// place. Who has only just come is not pushed out by those who only come to do that, unless they are most of all.
    /// Returns whether there is room now.
    #[cold]
    fn make_room(&mut self, role: Role, source: Option<Source>, whose: Whose, conns_max: usize) -> bool {
        let Board { table, shared, .. } = &mut self.board;
        let here =
            || shared.handshakes.iter().filter_map(|id| table.get(*id)).filter(|conn| conn.role == role);
        let its_own = || here().take(LOOKED_AT_MAX).filter(|conn| Source::of(&conn.peer) == source);
        let (oldest, count) = match whose {
            Whose::ItsOwn => (its_own().next(), its_own().count()),
            Whose::Anybodys => (its_own().next().or_else(|| here().next()), shared.handshakes.len()),
        };
        let Some(id) = oldest.map(|conn| conn.id) else { return false };
        let (now, conn) = (shared.time.now(), &mut table[id.key]);
        if count <= conns_max / 2 && now.since(conn.opened_at()) < shared.limits.handshake_grace {
            return false;
        }
        // Its descriptor may be what the newcomer needs.
        if let Some(stream) = self.streams.get_mut(conn.id.key.place()) {
            *stream = None;
        }
        if conn.id.has_number() {
            shared.stats.pushed_out += 1;
            self.acceptor.tell_at.get_or_insert(shared.time.listened() + GATHERED_FOR);
        }
        shared.step(conn, Step::HangUp(Reason::PushedOut));
        true
    }
}

/// Tells a newcomer why it cannot stay. Its first words, if they are here already, are read and thrown
/// away: closing with unread input would reset the connection and could cost it the line.
fn refuse(stream: &mut impl Stream, why: &str) {
    let mut unread = [0; 4096];
    // Whatever fails here, the newcomer is let go all the same.
    if !stream.has_handshake() {
        let _ = stream.write(why.as_bytes());
    }
    let _ = stream.finish();
    let _ = stream.read(&mut unread);
}
