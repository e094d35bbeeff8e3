//! Where newcomers come in: the listeners, and whom they let in. Generic over what a listener is, so that
//! a simulator drives the same code as the reactor.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::app::App;
use crate::board::Running;
use crate::clock::Moment;
use crate::conn::Peer;
use crate::conn::policy::Role;
use crate::conn::stream::Stream;
use crate::engine::{Engine, System};

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

/// Which addresses may come in.
#[derive(Debug, Default)]
struct Admission {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
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

impl<L> Default for Acceptor<L> {
    fn default() -> Acceptor<L> {
        Acceptor { entrances: Vec::new(), admission: Default::default(), warned_at: None, tell_at: None }
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

    /// Lets in, in this role, only addresses of `allow`, if there are any, and none of `deny`.
    pub fn set_admission(&mut self, role: Role, allow: Vec<IpNet>, deny: Vec<IpNet>) {
        self.admission[role.number()] = Admission { allow, deny };
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

    fn admits(&self, peer: &Peer, role: Role) -> bool {
        let Admission { allow, deny } = &self.admission[role.number()];
        let address = match peer {
            Peer::V4(v4) => IpAddr::V4(*v4.ip()),
            Peer::V6(v6) => IpAddr::V6(*v6.ip()).to_canonical(),
            // Whoever is accepted has an address, unless it came through a Unix socket.
            Peer::Unix | Peer::UnixOf(_) | Peer::Named(_) => return true,
        };
        let is_in = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        !is_in(deny) && (allow.is_empty() || is_in(allow))
    }
}

impl<L: Listen> Engine<L> {
    /// Accepts those who wait, within the budget.
    pub(super) fn accept<A: App>(&mut self, app: &mut A, system: &mut impl System<Listener = L>) {
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
        let mut gone = 0;
        for _ in 0..budget {
            let Entrance { listener, accepting, role } = &mut self.acceptor.entrances[at];
            // The App may have stopped while it was told of the last newcomer.
            if *accepting == Accepting::Idle || self.board.running != Running::On {
                return;
            }
            match listener.accept() {
                Ok((stream, peer)) => {
                    let role = *role;
                    self.admit(stream, peer, role, app, system);
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
                Err(error) => {
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
        let Engine { board, acceptor, .. } = self;
        let policy = board.shared.policies[role.number()];
        let conns_max = policy.conns_max.unwrap_or(board.limits().conns_max);
        let tell_at = board.shared.time.listened() + GATHERED_FOR;
        if !acceptor.admits(&peer, role) {
            board.shared.stats.refused_address += 1;
            acceptor.tell_at.get_or_insert(tell_at);
            log::info!("turned away {peer}: its address is not allowed in");
            return;
        }
        if board.shared.sums.of_role[role.number()] >= conns_max {
            board.shared.stats.refused_full += 1;
            acceptor.tell_at.get_or_insert(tell_at);
            log::info!("turned away {peer}: full");
            let plural = if conns_max == 1 { "" } else { "s" };
            return refuse(stream, &format!("switchboard: full ({conns_max} connection{plural})\n"));
        }
        if let Err(error) = system.watch(&mut stream, board.next_key()) {
            board.shared.stats.accept_errors += 1;
            if acceptor.may_warn(board.now()) {
                log::warn!("cannot watch the connection of {peer}: {error}");
            }
            return;
        }
        self.adopt(stream, peer, role, app);
    }
}

/// Tells a newcomer why it cannot stay. Its first words, if they are here already, are read and thrown
/// away: closing with unread input would reset the connection and could cost it the line.
fn refuse(mut stream: impl Stream, why: &str) {
    let mut unread = [0; 4096];
    // Whatever fails here, the newcomer is let go all the same.
    let _ = stream.write(why.as_bytes());
    let _ = stream.finish();
    let _ = stream.read(&mut unread);
}
