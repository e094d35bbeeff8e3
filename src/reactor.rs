//! The loop. One turn:
//!
//! 1. Poll: not at all if something can be done now, else until the next deadline, else for ever.
//! 2. Read the clock, once.
//! 3. Note each event on its connection, as a hint. Nothing else happens yet.
//! 4. Accept, within a budget. What stopped it short of `WouldBlock` is remembered, since an
//!    edge-triggered listener is not announced twice.
//! 5. Take from the mailbox, within a budget; dial what is to be dialled.
//! 6. Read those that are ready, within a budget each; hand the frames to the App; flush the answers.
//! 7. Keep the deadlines; tell the App that the turn has ended.
//! 8. Flush whoever else has something to be sent; deliver what was said to many; FIN where it is due.
//! 9. Sweep what has ended. Keys are freed here alone, so a key is enough of a token.
//!
//! Steps 6 to 9 are the pump's, where a simulator can drive them too.

use std::io::{self, ErrorKind};
use std::time::Duration;

use ipnet::IpNet;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::address::Address;
use crate::alarm::Alarm;
use crate::app::App;
use crate::board::{Board, Dial, Running};
use crate::clock::{Clock, Moment};
use crate::door::Door;
use crate::limits::Limits;
use crate::mailbox::{Letters, Mailbox, mailbox};
use crate::pump::{Pump, Readiness};
use crate::reason::Reason;
use crate::socket::{Listener, Socket};

/// Events taken from the poller in one turn; more wait for the next.
const EVENTS_MAX: usize = 1024;

const MAILBOX: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);
/// Listeners count down from here; connections have their slab keys, which count up from 0.
const FIRST_LISTENER: usize = usize::MAX - 2;

/// A poller with its listeners, its connections and its mailbox. `M` is what other threads post.
#[derive(Debug)]
pub struct Reactor<M> {
    poll: Poll,
    clock: Clock,
    door: Door<Listener>,
    letters: Letters<M>,
    mail_is_waiting: bool,
    /// Made when an App first asks for it.
    alarm: Option<Alarm>,
    board: Board,
}

impl<M: Send + 'static> Reactor<M> {
    /// A reactor, and the handle by which other threads reach the App that it will run.
    ///
    /// # Errors
    /// When the system gives no poller.
    pub fn new(limits: Limits) -> io::Result<(Reactor<M>, Mailbox<M>)> {
        let poll = Poll::new()?;
        let (mailbox, letters) = mailbox(Waker::new(poll.registry(), MAILBOX)?);
        let reactor = Reactor {
            poll,
            clock: Clock::start(),
            door: Door::default(),
            letters,
            mail_is_waiting: false,
            alarm: None,
            board: Board::new(limits),
        };
        Ok((reactor, mailbox))
    }

    /// Listens at an address; returns it with the port that it really got. Nobody is accepted before
    /// `run`.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn listen(&mut self, at: &Address) -> io::Result<Address> {
        let (mut listener, address) = Listener::bind(at, self.board.limits())?;
        let token = Token(FIRST_LISTENER - self.door.listeners());
        self.poll.registry().register(listener.source(), token, Interest::READABLE)?;
        self.door.add(listener);
        Ok(address)
    }

    /// Lets in only addresses of `allow`, if there are any, and none of `deny`.
    pub fn admit(&mut self, allow: Vec<IpNet>, deny: Vec<IpNet>) {
        self.door.admit(allow, deny);
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

    /// Runs until the App has called `Board::stop` and all connections have ended. Gives the App back.
    ///
    /// # Errors
    /// When the poller fails; no connection's error ends the loop.
    pub fn run<A: App<Message = M>>(mut self, mut app: A) -> io::Result<A> {
        let mut pump = Pump::new(&mut self.board, &app);
        let mut events = Events::with_capacity(EVENTS_MAX);
        // The App gets a first turn whatever happens: it may want to begin something.
        self.board.call_again();
        while !self.has_ended() {
            let timeout = self.time_to_sleep(&pump)?;
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.board.now = self.clock.now();
            self.board.wake = self.board.wake.filter(|wake| *wake > self.board.now);
            for event in &events {
                match event.token() {
                    MAILBOX => self.mail_is_waiting = true,
                    // Having woken is all it is for.
                    ALARM => {}
                    Token(token) => {
                        if !self.door.note(FIRST_LISTENER.wrapping_sub(token)) {
                            pump.note(token, readiness(event), &mut self.board);
                        }
                    }
                }
            }
            let registry = self.poll.registry();
            self.door.accept(&mut pump, &mut self.board, &mut app, |socket, key| {
                socket.register(registry, Token(key))
            });
            self.take_mail(&mut app);
            self.dial(&mut pump);
            let closed_before = self.board.stats.closed;
            pump.turn(&mut self.board, &mut app);
            if self.board.stats.closed > closed_before {
                self.door.try_again();
            }
            if self.board.running != Running::On {
                self.door.close();
            }
        }
        Ok(app)
    }

    fn has_ended(&self) -> bool {
        self.board.running != Running::On && self.board.is_empty()
    }

    fn is_idle(&self, pump: &Pump<Socket>) -> bool {
        !self.mail_is_waiting && !self.door.is_pending() && pump.is_idle(&self.board)
    }

    /// How long the poller may sleep: not at all, for a while, or for ever.
    fn time_to_sleep(&mut self, pump: &Pump<Socket>) -> io::Result<Option<Duration>> {
        if !self.is_idle(pump) {
            return Ok(Some(Duration::ZERO));
        }
        let now = self.clock.now();
        if let Some(wake) = self.board.wake {
            if wake <= now {
                return Ok(Some(Duration::ZERO));
            }
            let alarm = match &mut self.alarm {
                Some(alarm) => alarm,
                none => none.insert(Alarm::new(self.poll.registry(), ALARM)?),
            };
            alarm.set(wake, now)?;
        }
        Ok(self.next_deadline().map(|when| when.since(now)))
    }

    fn next_deadline(&self) -> Option<Moment> {
        let stop = match self.board.running {
            Running::Stopping(at) => Some(at),
            Running::On | Running::Draining => None,
        };
        let retry = self.door.next_retry();
        [retry, stop, self.board.deadlines.next()].into_iter().flatten().min()
    }

    fn take_mail<A: App<Message = M>>(&mut self, app: &mut A) {
        if !self.mail_is_waiting {
            return;
        }
        self.letters.open();
        for _ in 0..self.board.limits().mail_budget {
            let Some(message) = self.letters.next() else {
                self.mail_is_waiting = false;
                return;
            };
            app.message(message, &mut self.board);
        }
    }

    fn dial(&mut self, pump: &mut Pump<Socket>) {
        for Dial { id, from, to } in std::mem::take(&mut self.board.dials) {
            let socket = Socket::connect(from, &to, self.board.limits()).and_then(|mut socket| {
                socket.register(self.poll.registry(), Token(id.key as usize))?;
                Ok(socket)
            });
            match socket {
                Ok(socket) => pump.attach(id.key, socket),
                Err(error) => self.board.hang_up(id, Reason::CannotConnect(error)),
            }
        }
    }
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
