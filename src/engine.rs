//! The turn, all of it but the poller: steps 2 to 9 of `reactor.rs`, from 3 on each in a file of its own. Generic over
//! sockets and over what lies outside, so that the simulator drives the same code as the reactor, in the same order.

pub(crate) mod accept;
mod broken;
mod deliver;
mod detour;
mod due;
mod ended;
mod flush;
mod hand_over;
mod link;
mod mail;
pub(crate) mod note;
mod read;
mod send_back;
mod sources;
mod sweep;
#[cfg(test)]
mod tests;

use std::io;

use crate::app::App;
use crate::board::{Board, Dial, Polled, Running};
use crate::buffer::framing::Framing;
use crate::clock::Moment;
use crate::conn::policy::Role;
use crate::conn::state::State;
use crate::conn::stream::Stream;
use crate::conn::{Key, Peer};
use crate::engine::accept::{Acceptor, Listen};
use crate::engine::deliver::Walk;
use crate::limits::Limits;

/// What the engine needs of the world beside sockets: a poller's watch over them, and mail.
pub(crate) trait System {
    /// The listening sockets.
    type Listener: Listen;
    /// What other threads post.
    type Mail;

    /// Watches a newcomer from now on; it is announced under this key.
    fn watch(&mut self, stream: &mut StreamOf<Self::Listener>, key: Key) -> io::Result<()>;

    /// Begins a connection and watches it; it is announced under the key of its id.
    fn dial(&mut self, dial: &Dial, limits: &Limits) -> io::Result<StreamOf<Self::Listener>>;

    /// Re-arms the waker. Called before mail is taken, so that what is posted meanwhile wakes the poller.
    fn rearm_mail(&mut self);

    /// The next piece of mail, if there is one.
    fn next_mail(&mut self) -> Option<Self::Mail>;
}

/// What a poller may tell of beside connections and listeners: mail, and a timer.
const OTHER_SOURCES: usize = 2;

type StreamOf<L> = <L as Listen>::Stream;
type SpliceOf<L> = <StreamOf<L> as Stream>::Splice;

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
pub(crate) struct Engine<L: Listen> {
    pub board: Board,
    acceptor: Acceptor<L>,
    mail_is_waiting: bool,
    /// By key.
    streams: Vec<Option<StreamOf<L>>>,
    /// The one buffer that all are read into, as large as the read budget.
    scratch: Box<[u8]>,
    /// The walk over those to whom broadcasts are to be delivered.
    walk: Walk,
    /// So many handshakes may still go on in this turn.
    handshakes_left: usize,
    /// For an App that only sends back what it hears.
    splice: Option<SpliceOf<L>>,
}

impl<L: Listen> Engine<L> {
    /// An engine whose first turn comes whatever happens: the App may want to begin something.
    /// `splice` makes what streams need to send bytes back, if the App is one that only sends back what it hears.
    pub fn new(
        mut board: Board,
        acceptor: Acceptor<L>,
        app: &impl App,
        splice: impl FnOnce() -> SpliceOf<L>,
    ) -> Engine<L> {
        let policies = Role::all().map(|role| app.policy(role));
        let splices = policies.iter().any(|policy| policy.framing == Framing::Echo || !policy.hears_links);
        board.set_policies(policies);
        board.call_again();
        Engine {
            acceptor,
            mail_is_waiting: false,
            streams: Vec::new(),
            scratch: vec![0; board.limits().read_budget_bytes].into_boxed_slice(),
            walk: Walk::Resting,
            handshakes_left: 0,
            splice: splices.then(splice),
            board,
        }
    }

    /// Whether no turn is needed any more.
    pub fn has_ended(&self) -> bool {
        self.board.running != Running::On && self.board.is_empty()
    }

    /// How long to wait for the next turn.
    pub fn rest(&self) -> Sleep {
        if self.mail_is_waiting || self.acceptor.is_pending() || !self.is_idle() {
            return Sleep::None;
        }
        let timer = self.board.shared.timers.first().map(|(when, _)| *when);
        let flow = self.board.shared.flows.first().map(|(when, _)| *when);
        let wake = [self.board.wake, timer, flow].into_iter().flatten().min();
        Sleep::Until { deadline: self.next_deadline(), wake }
    }

    /// Whether nothing is left to do for any connection until an event, a message or a deadline comes.
    fn is_idle(&self) -> bool {
        let work = &self.board.shared.work;
        let can_read = work.ready.iter().any(|key| !self.is_held(*key));
        let can_write = !work.dirty.is_empty() || self.board.shared.log_backlog_bytes() > 0;
        !can_read
            && !can_write
            && work.over.is_empty()
            && work.dials.is_empty()
            && work.drained.is_empty()
            && work.finished.is_empty()
            && work.linked.is_empty()
            && !work.wants_turn
    }

    /// By the clock.
    fn next_deadline(&self) -> Option<Moment> {
        let stop = match self.board.running {
            Running::Stopping(at) => Some(at),
            Running::On | Running::Draining => None,
        };
        let shared = &self.board.shared;
        let next = [self.acceptor.next_retry(), stop, shared.deadlines.next()].into_iter().flatten().min();
        next.map(|when| shared.time.by_the_clock(when))
    }

    /// When accepting is tried again, where it failed.
    #[cfg(any(test, feature = "simulator"))]
    pub fn next_retry(&self) -> Option<Moment> {
        self.acceptor.next_retry()
    }

    /// The keys of all connections that have a stream.
    #[cfg(any(test, feature = "simulator"))]
    pub fn streams(&self) -> impl Iterator<Item = Key> {
        let keys = self.streams.iter().enumerate();
        keys.filter_map(|(place, stream)| stream.is_some().then_some(Key::of(place)))
    }

    /// Step 2: this is the time until the turn ends. What the poller told is noted next.
    pub fn begin_turn(&mut self, now: Moment, polled: Polled) {
        let sources = self.board.len() + self.acceptor.listeners() + OTHER_SOURCES;
        self.board.shared.time.advance(now, polled, sources);
        self.board.wake = self.board.wake.filter(|wake| *wake > now);
    }

    /// Steps 4 to 9: does all that was noted, within the budgets.
    pub fn turn<A: App>(&mut self, app: &mut A, system: &mut impl System<Listener = L, Mail = A::Message>) {
        self.accept(app, system);
        self.take_mail(app, system);
        self.dial(system);
        let closed_before = self.board.stats().closed;
        self.serve(app);
        if self.board.stats().closed > closed_before {
            self.acceptor.try_again();
        }
        if self.board.running != Running::On {
            self.acceptor.close();
        }
    }

    /// Steps 6 to 9, for the connections that are here.
    fn serve<A: App>(&mut self, app: &mut A) {
        self.board.shared.stats.turns += 1;
        self.board.shared.work.wants_turn = false;
        self.tell_drained(app);
        self.tell_finished(app);
        self.tend_links();
        self.read(app);
        self.keep_deadlines(app);
        self.keep_flows(app);
        self.ring_timers(app);
        app.turn_ended(&mut self.board);
        self.tend_links();
        self.flush_dirty();
        self.deliver_broadcasts();
        self.board.keep_budget();
        self.stop_if_due();
        self.renew_budgets();
        self.sweep(app);
        // Once more, since the App may have said something when it was told who has gone.
        self.board.keep_budget();
    }

    /// Takes in an accepted connection. Its key will be `board.next_key()`.
    fn adopt<A: App>(&mut self, stream: StreamOf<L>, peer: Peer, role: Role, app: &mut A) {
        let is_connected = !stream.has_handshake();
        let state = if is_connected { State::open() } else { State::shaking_hands() };
        let conn = self.board.add(peer, role, state);
        // A new socket has room. Its first event may be awaited, but need not.
        conn.writable = is_connected;
        let id = conn.id;
        self.attach(id.key, stream);
        if is_connected {
            app.opened(id, &mut self.board);
        } else {
            self.board.shared.handshakes.insert(id);
        }
    }

    /// Gives a connection its stream.
    fn attach(&mut self, key: Key, stream: StreamOf<L>) {
        let place = key.place();
        if place >= self.streams.len() {
            self.streams.resize_with(place + 1, || None);
        }
        let before = self.streams[place].replace(stream);
        assert!(before.is_none(), "a key is freed before it is used again");
    }
}
