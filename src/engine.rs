//! The turn, all of it but the poller: steps 2 to 9 of `reactor.rs`. Generic over sockets and over what lies
//! outside, so that the simulator drives the same code as the reactor, in the same order.

pub(crate) mod accept;
pub(crate) mod pump;
mod read;
#[cfg(test)]
mod tests;

use std::io;

use crate::app::App;
use crate::board::{Board, Dial, Polled, Running};
use crate::clock::Moment;
use crate::conn::reason::Reason;
use crate::conn::stream::Stream;
use crate::engine::accept::{Acceptor, Listen};
use crate::engine::pump::{Pump, Readiness};
use crate::limits::Limits;

/// What the engine needs of the world beside sockets: a poller's watch over them, and mail.
pub(crate) trait System {
    /// The listening sockets.
    type Listener: Listen;
    /// What other threads post.
    type Mail;

    /// Watches a newcomer from now on; it is announced under this key.
    fn watch(&mut self, stream: &mut StreamOf<Self::Listener>, key: usize) -> io::Result<()>;

    /// Begins a connection and watches it; it is announced under the key of its id.
    fn dial(&mut self, dial: &Dial, limits: &Limits) -> io::Result<StreamOf<Self::Listener>>;

    /// Says that mail is about to be taken: what is posted from now on is announced anew.
    fn rearm_mail(&mut self);

    /// The next piece of mail, if there is one.
    fn next_mail(&mut self) -> Option<Self::Mail>;
}

/// What a poller may tell of beside connections and listeners: mail, and a timer.
const OTHER_SOURCES: usize = 2;

type StreamOf<L> = <L as Listen>::Stream;

/// How long nothing has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Something can be done now.
    None,
    /// Until something is announced or one of these moments has come.
    Until {
        /// The next deadline; a millisecond does not matter to it.
        deadline: Option<Moment>,
        /// When the App wants to be woken, as precisely as can be.
        wake: Option<Moment>,
    },
}

/// Everything that takes part in a turn, but for the App and the poller.
#[derive(Debug)]
pub(crate) struct Engine<L: Listen> {
    pub board: Board,
    pub pump: Pump<L::Stream>,
    door: Acceptor<L>,
    mail_is_waiting: bool,
}

impl<L: Listen> Engine<L> {
    /// An engine whose first turn comes whatever happens: the App may want to begin something.
    /// `splice` makes what streams need to send_back, if the App is one that only returns what it hears.
    pub fn new(
        mut board: Board,
        door: Acceptor<L>,
        app: &impl App,
        splice: impl FnOnce() -> <StreamOf<L> as Stream>::Splice,
    ) -> Engine<L> {
        let pump = Pump::new(&mut board, app, splice);
        board.call_again();
        Engine { board, pump, door, mail_is_waiting: false }
    }

    /// Whether no turn is needed any more.
    pub fn has_ended(&self) -> bool {
        self.board.running != Running::On && self.board.is_empty()
    }

    /// How long to wait for the next turn.
    pub fn rest(&self) -> Sleep {
        if self.mail_is_waiting || self.door.is_pending() || !self.pump.is_idle(&self.board) {
            return Sleep::None;
        }
        Sleep::Until { deadline: self.next_deadline(), wake: self.board.wake }
    }

    /// By the clock.
    fn next_deadline(&self) -> Option<Moment> {
        let stop = match self.board.running {
            Running::Stopping(at) => Some(at),
            Running::On | Running::Draining => None,
        };
        let retry = self.door.next_retry();
        let next = [retry, stop, self.board.deadlines.next()].into_iter().flatten().min();
        next.map(|when| self.board.time.by_the_clock(when))
    }

    /// When accepting is tried again, where it failed.
    #[cfg(any(test, feature = "simulator"))]
    pub fn next_retry(&self) -> Option<Moment> {
        self.door.next_retry()
    }

    /// Begins a turn: this is the time until it ends. What the poller told is noted next.
    pub fn begin_turn(&mut self, now: Moment, polled: Polled) {
        let sources = self.board.len() + self.door.listeners() + OTHER_SOURCES;
        self.board.time.advance(now, polled, sources);
        self.board.wake = self.board.wake.filter(|wake| *wake > now);
    }

    /// Notes that mail has come.
    pub fn note_mail(&mut self) {
        self.mail_is_waiting = true;
    }

    /// Notes that somebody waits at the listener of this number. Returns whether there is such a one.
    pub fn note_pending(&mut self, listener: usize) -> bool {
        self.door.note(listener)
    }

    /// Notes what was announced of a connection.
    pub fn note(&mut self, key: usize, readiness: Readiness) {
        self.pump.note(key, readiness, &mut self.board);
    }

    /// Does all that was noted, within the budgets.
    pub fn turn<A: App>(&mut self, app: &mut A, outside: &mut impl System<Listener = L, Mail = A::Message>) {
        self.door.accept(&mut self.pump, &mut self.board, app, |stream, key| outside.watch(stream, key));
        self.take_mail(app, outside);
        self.dial(outside);
        let closed_before = self.board.stats.closed;
        self.pump.turn(&mut self.board, app);
        if self.board.stats.closed > closed_before {
            self.door.try_again();
        }
        if self.board.running != Running::On {
            self.door.close();
        }
    }

    fn take_mail<A: App>(&mut self, app: &mut A, outside: &mut impl System<Mail = A::Message>) {
        if !self.mail_is_waiting {
            return;
        }
        outside.rearm_mail();
        for _ in 0..self.board.limits().mail_budget {
            let Some(mail) = outside.next_mail() else {
                self.mail_is_waiting = false;
                return;
            };
            app.message(mail, &mut self.board);
        }
    }

    fn dial(&mut self, outside: &mut impl System<Listener = L>) {
        for dial in std::mem::take(&mut self.board.dials) {
            match outside.dial(&dial, self.board.limits()) {
                Ok(stream) => self.pump.attach(dial.id.key, stream),
                Err(error) => self.board.hang_up(dial.id, Reason::CannotConnect(error)),
            }
        }
    }
}
