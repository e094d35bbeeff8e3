//! The loop. One turn:
//!
//! 1. Poll: not at all if something can be done now, else until the next deadline, else for ever.
//! 2. Read the clock, once; where turns are timed, once more at the end of it.
//! 3. Note each event on its connection, as a hint. Nothing else happens yet.
//! 4. Accept, within a budget. What stopped it short of `WouldBlock` is remembered, since an
//!    edge-triggered listener is not announced twice.
//! 5. Take from the mailbox, within a budget; dial what is to be dialled.
//! 6. Read those that are ready, within a budget each; hand the frames to the App; flush the answers.
//! 7. Keep the deadlines; tell the App that the turn has ended.
//! 8. Flush whoever else has something to be sent; deliver what was said to many; FIN where it is due.
//! 9. Sweep what has ended. Keys are freed here alone, so a key is enough of a token.
//!
//! Steps 2 to 9 are the engine's, so that the simulator drives them too; each from 3 on is a file there: note, accept,
//! mail, read, due, flush (and deliver), sweep.

pub(crate) mod handed;
pub(crate) mod mailbox;
pub(crate) mod resolver;
mod socket;
mod splice;
mod timer;
pub(crate) mod tls;

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::{Events, Interest, Poll, Registry, Token, Waker};
use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::SIGCONT;

use crate::address::{Address, Admission, Endpoint};
use crate::app::App;
use crate::board::{Board, Dial, Polled, Told};
use crate::clock::{Clock, Moment};
use crate::conn::Key;
use crate::conn::policy::Role;
use crate::engine::accept::Acceptor;
use crate::engine::note::Readiness;
use crate::engine::{Engine, Sleep, System};
use crate::limits::Limits;
use crate::reactor::handed::HandedOver;
use crate::reactor::mailbox::{MailReceiver, Mailbox, mailbox};
use crate::reactor::socket::{Listener, Socket};
use crate::reactor::splice::Splice;
use crate::reactor::timer::Timer;
#[cfg(feature = "tls")]
use crate::reactor::tls::TlsConfigs;
use crate::reactor::tls::{Channel, Tls};

/// Events taken from the poller in one turn; more wait for the next.
const EVENTS_MAX: usize = 1024;

const MAILBOX: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);
/// Listeners count down from here, to `LAST_LISTENER`; connections have their keys, which count up from 0.
const FIRST_LISTENER: usize = usize::MAX - 2;
const LAST_LISTENER: usize = usize::MAX / 2;

/// What a token stands for.
enum Source {
    Mailbox,
    Timer,
    /// The listener of this number.
    Listener(usize),
    Connection(Key),
}

impl Source {
    fn of(token: Token) -> Source {
        match token {
            MAILBOX => Source::Mailbox,
            TIMER => Source::Timer,
            Token(number @ LAST_LISTENER..) => Source::Listener(FIRST_LISTENER - number),
            Token(place) => Source::Connection(Key::of(place)),
        }
    }
}

/// A poller with its listeners, its connections and its mailbox. `M` is what other threads post.
#[derive(Debug)]
pub struct Reactor<M> {
    poll: Poll,
    clock: Clock,
    acceptor: Acceptor<Listener>,
    mail: MailReceiver<M>,
    board: Board,
    tls: Tls,
}

impl<M: Send + 'static> Reactor<M> {
    /// A reactor, and the handle by which other threads reach the App that it will run.
    ///
    /// # Errors
    /// When the system gives no poller.
    pub fn new(limits: Limits) -> io::Result<(Reactor<M>, Mailbox<M>)> {
        let poll = Poll::new()?;
        let (mailbox, mail) = mailbox(Waker::new(poll.registry(), MAILBOX)?);
        let reactor = Reactor {
            poll,
            clock: Clock::start(),
            acceptor: Acceptor::default(),
            mail,
            board: Board::new(limits),
            tls: Tls::default(),
        };
        Ok((reactor, mailbox))
    }

    /// Listens at an address; returns it with the port that it really got. Nobody is accepted before
    /// `run`.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn listen(&mut self, at: &Address) -> io::Result<Address> {
        self.listen_as(Role::PEER, at)
    }

    /// The same at an address as it is typed: `host:port`, `:port` or `port` (loopback), `[v6]:port`, `unix:PATH`, and
    /// with `tls:` in front of one of TCP, where `use_tls` has said with what.
    ///
    /// # Errors
    /// When the text is no address, its name is not found, or it cannot be bound.
    pub fn listen_on(&mut self, at: &str) -> io::Result<Address> {
        let found = Endpoint::parse(at).map_err(io::Error::other)?.resolve()?;
        self.listen(&found[0])
    }

    /// The same as `listen` for connections of this role.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn listen_as(&mut self, role: Role, at: &Address) -> io::Result<Address> {
        let (listener, address) = Listener::bind(at, self.board.limits(), &self.tls)?;
        self.add(role, listener)?;
        Ok(address)
    }

    /// The same at a Unix socket that nobody but its owner may connect to, whatever `Limits::unix_mode` says.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn listen_for_owner(&mut self, role: Role, at: &Path) -> io::Result<()> {
        self.add(role, Listener::bind_for_owner(at)?)
    }

    /// Listens on a socket that somebody else has opened and that listens already, and says what it is: TCP or Unix,
    /// blocking or not. `over_tls`: if it is of TCP, TLS is spoken there.
    ///
    /// # Errors
    /// When it is no such socket, or there is no certificate to speak TLS with.
    pub fn listen_on_socket(
        &mut self,
        role: Role,
        socket: OwnedFd,
        over_tls: bool,
    ) -> io::Result<HandedOver> {
        let tls = over_tls.then(|| self.tls.clone());
        tls.as_ref().map_or(Ok(()), Tls::check_server)?;
        let (listener, handed) = Listener::handed_over(socket, self.board.limits(), tls)?;
        self.add(role, listener)?;
        Ok(handed)
    }

    fn add(&mut self, role: Role, mut listener: Listener) -> io::Result<()> {
        let token = Token(FIRST_LISTENER - self.acceptor.listeners());
        self.poll.registry().register(listener.source(), token, Interest::READABLE)?;
        self.acceptor.add(listener, role);
        Ok(())
    }

    /// Lets in, in this role, only whom `admission` admits: peers with an address, that is; see `Board::admit`.
    pub fn admit(&mut self, role: Role, admission: Admission) {
        self.board.admit(role, admission);
    }

    /// Says what TLS is spoken with at `tls:` addresses, before one of them is listened at. By the handle that is
    /// returned it may be replaced later, by any thread.
    #[cfg(feature = "tls")]
    pub fn use_tls(&mut self, configs: TlsConfigs) -> Tls {
        self.tls.replace(configs);
        self.tls.clone()
    }

    /// The clock by which `Board::now` goes; an App that has to know the time more exactly than once a
    /// turn asks it.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The board, to dial before the loop starts.
    pub fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    /// Runs until the App has called `Board::stop` or `Board::drain` and all connections have ended. Gives the App
    /// back.
    ///
    /// # Errors
    /// When the poller fails; no connection's error ends the loop.
    pub fn run<A: App<Message = M>>(self, mut app: A) -> io::Result<A> {
        let Reactor { mut poll, clock, acceptor, mail, board, tls } = self;
        let mut engine = Engine::new(board, acceptor, &app, Splice::new);
        let continued = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGCONT, continued.clone())?;
        // Where every other thread blocks it (see `block_stopping_signals`), the flag is up before anything else
        // happens here after a stop.
        let own_signal: SigSet = [Signal::SIGCONT].into_iter().collect();
        own_signal.thread_unblock()?;
        let mut timer = None;
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !engine.has_ended() {
            let (asked_at, timeout) = time_to_sleep(&engine, &clock, &mut timer, poll.registry())?;
            let told = match poll.poll(&mut events, timeout) {
                Ok(()) => told(&events),
                Err(error) if error.kind() == ErrorKind::Interrupted => Told::Nothing,
                Err(error) => return Err(error),
            };
            // Read before the flag is looked at: a stop in between is part of the next turn.
            let now = clock.now();
            let was_stopped = continued.load(Ordering::Relaxed) && continued.swap(false, Ordering::Relaxed);
            engine.begin_turn(now, Polled { asked_at, timeout, told, was_stopped });
            for event in &events {
                match Source::of(event.token()) {
                    Source::Mailbox => engine.note_mail(),
                    // Having woken is all it is for.
                    Source::Timer => {}
                    Source::Listener(number) => engine.note_pending(number),
                    Source::Connection(key) => engine.note(key, readiness(event)),
                }
            }
            engine.turn(&mut app, &mut Os { registry: poll.registry(), mail: &mail, tls: &tls });
            engine.board.timing.turn_took(|| clock.now().since(now));
        }
        Ok(app)
    }
}

/// The system that the process runs on, as the engine sees it.
struct Os<'a, M> {
    registry: &'a Registry,
    mail: &'a MailReceiver<M>,
    tls: &'a Tls,
}

impl<M> System for Os<'_, M> {
    type Listener = Listener;
    type Mail = M;

    fn watch(&mut self, channel: &mut Channel, key: Key) -> io::Result<()> {
        channel.register(self.registry, Token(key.place()))
    }

    fn dial(&mut self, dial: &Dial, limits: &Limits) -> io::Result<Channel> {
        let socket = Socket::connect(dial.from, &dial.to, limits)?;
        let mut channel = match &dial.to {
            Address::Tls { host, .. } => self.tls.dialled(socket, host)?,
            Address::Tcp(_) | Address::Unix(_) => Tls::plain(socket),
        };
        channel.register(self.registry, Token(dial.id.key.place()))?;
        Ok(channel)
    }

    fn rearm_mail(&mut self) {
        self.mail.open();
    }

    fn next_mail(&mut self) -> Option<M> {
        self.mail.next()
    }
}

/// How long the poller may sleep from when on: not at all, for a while, or for ever. Sets the timer, which is made
/// when an App first asks for it, where a whole millisecond would be too coarse.
fn time_to_sleep(
    engine: &Engine<Listener>,
    clock: &Clock,
    timer: &mut Option<Timer>,
    registry: &Registry,
) -> io::Result<(Moment, Option<Duration>)> {
    let Sleep::Until { deadline, wake } = engine.rest() else {
        // Where there is always something to do, the clock is read once a turn.
        return Ok((engine.board.now(), Some(Duration::ZERO)));
    };
    let now = clock.now();
    let mut longest = deadline.map(|when| when.since(now));
    if let Some(wake) = wake {
        if wake <= now {
            return Ok((now, Some(Duration::ZERO)));
        }
        let timer = match timer {
            Some(timer) => timer,
            none => none.insert(Timer::new(registry, TIMER)?),
        };
        longest = [longest, timer.set(wake, now)?].into_iter().flatten().min();
    }
    Ok((now, longest))
}

fn told(events: &Events) -> Told {
    let count = events.iter().count();
    if count < EVENTS_MAX { Told::All } else { Told::Full(count) }
}

fn readiness(event: &mio::event::Event) -> Readiness {
    let error_hinted = event.is_error() || event.is_write_closed();
    Readiness {
        readable: event.is_readable(),
        writable: event.is_writable(),
        // Urgent data, too, means that a short read proves nothing.
        end_hinted: event.is_read_closed() || event.is_priority() || error_hinted,
        error_hinted,
    }
}
