//! The system below the engine, simulated: sockets with buffers on both sides, a listener with a backlog, a
//! number of descriptors, and a poller that is edge-triggered as Linux is:
//!
//! - A socket is put on the ready list when something *changes* about it (bytes, an end or an error arrive;
//!   room appears where a write had found none). What is announced is how it stands when the poller is asked.
//! - What was announced is not announced again, however much of it was left unread or unwritten.
//! - A FIN reads as IN and RDHUP; with ours out as well HUP comes to it. A reset reads as IN, OUT, ERR, HUP
//!   and RDHUP, and whatever came before it can still be read. Behind a FIN no read tells of a reset.
//! - A listener is announced when somebody knocks. An accept that fails for want of a descriptor leaves the
//!   newcomer in the backlog, and nothing announces it again, not even a descriptor that becomes free.
//! - A close with input left unread, or input that arrives after it, is a reset: what was queued is lost.
//!
//! (All of it measured on Linux 6.18 over loopback.) At any call of the engine's something may befall the
//! socket first, so that nothing is believed to stay as it was seen.

mod calls;
mod ends;
mod far_ends;
mod sock;
mod toy;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::time::Duration;

use super::dice::Dice;
use super::far::{Far, Then};
use crate::address::Address;
use crate::board::Dial;
use crate::clock::Moment;
use crate::conn::Key;
use crate::engine::note::Readiness;
use sock::{Answer, Link};
use toy::Toy;

pub(super) use sock::{Awake, Sock};

pub(super) use ends::{SimListener, SimStream};

/// Where peers knock, and where desks do: the numbers of the listeners.
pub(super) const DOORS: usize = 2;
pub(super) const DOOR_OF_PEERS: usize = 0;
pub(super) const DOOR_OF_DESKS: usize = 1;

/// A vanished peer is given up after so long: three unanswered questions.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(120);

/// What a simulated system is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Descriptors for connections.
    pub descriptors_max: usize,
    /// Newcomers that may wait.
    pub backlog_max: usize,
    /// What the kernel keeps for a socket: received and not read, written and not taken, and the same at
    /// the far end.
    pub buffer_bytes: usize,
    /// At one call in so many something befalls the socket first; 0 for never.
    pub turbulence: usize,
    /// Some of those who come or are dialled speak a toy of TLS.
    pub toys: bool,
    /// All that was said and written is kept, to be compared, and the sums are checked after each turn.
    pub keeps_records: bool,
}

/// A handle on the system; clones are the same system.
#[derive(Clone, Debug)]
pub(super) struct Net(Rc<RefCell<Kernel>>);

#[derive(Debug)]
pub(super) struct Kernel {
    terms: Terms,
    dice: Dice,
    now: Moment,
    /// For how long the engine was stopped so far.
    stopped: Duration,
    /// How many times the poller has told everything.
    polls: u64,
    pub sockets: Vec<Sock>,
    ready: VecDeque<usize>,
    doors: [Door; DOORS],
    descriptors: usize,
    pub accepted: [u64; DOORS],
    /// What the next accept fails with.
    accept_fault: Option<ErrorKind>,
    /// Keys whose sockets were closed and of which the poller may still speak once.
    stale: Vec<Key>,
    /// By key: which socket was watched under it last.
    watched: Vec<usize>,
    vanished: Vec<usize>,
    /// By number: where each connection that was dialled was tried.
    pub tried: HashMap<u64, Vec<Address>>,
    /// Everything comes to its end.
    is_calm: bool,
    sabotage: Sabotage,
}

/// A listening socket, as the system sees it.
#[derive(Debug)]
struct Door {
    backlog: VecDeque<usize>,
    /// Somebody has knocked since the poller was asked.
    knocked: bool,
    is_listening: bool,
}

/// A fault of the simulated system itself, to show that the checks find it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sabotage {
    #[default]
    None,
    /// Room that appears is not announced.
    ForgetsRoom,
    /// Every now and then a write stores a byte twice.
    StutteringWrites,
    /// A descriptor is never free again.
    LeaksDescriptors,
    /// Of what is moved from one connection to another a byte is left out where not all is taken.
    LosesSpliced,
    /// A stream does not say that it has something of its own to send.
    HidesUnsent,
    /// Every now and then what was for a desk is taken from it.
    RobsDesks,
    /// What desks do not read is kept without a limit.
    HoardsForDesks,
    /// The engine is not told that it was stopped, or that the poller did not tell everything.
    HidesStops,
}

/// What the poller tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// Somebody knocks at the door of this number.
    Knock(usize),
    /// Something about the connection of this key.
    Of(Key, Readiness),
}

impl Net {
    pub fn new(terms: Terms, dice: Dice, sabotage: Sabotage) -> Net {
        Net(Rc::new(RefCell::new(Kernel {
            terms,
            dice,
            now: Moment::default(),
            stopped: Duration::ZERO,
            polls: 0,
            sockets: Vec::new(),
            ready: VecDeque::new(),
            doors: std::array::from_fn(|_| Door {
                backlog: VecDeque::new(),
                knocked: false,
                is_listening: true,
            }),
            descriptors: 0,
            accepted: [0; DOORS],
            accept_fault: None,
            stale: Vec::new(),
            watched: Vec::new(),
            vanished: Vec::new(),
            tried: HashMap::new(),
            is_calm: false,
            sabotage,
        })))
    }

    pub fn listener(&self, door: usize) -> SimListener {
        SimListener { net: self.clone(), door }
    }

    pub fn look(&self) -> Ref<'_, Kernel> {
        self.0.borrow()
    }

    pub fn touch(&self) -> RefMut<'_, Kernel> {
        self.0.borrow_mut()
    }

    /// Watches a stream from now on.
    pub fn watch(&self, stream: &SimStream, key: Key) {
        self.touch().watch(stream.sock, key);
    }

    /// Dials somebody, who will be there or not, and perhaps not even say so.
    pub fn dial(&self, dial: &Dial) -> io::Result<SimStream> {
        let mut kernel = self.touch();
        kernel.tried.entry(dial.id.serial()).or_default().push(dial.to.clone());
        let dice = kernel.dice.clone();
        if dice.one_in(6) {
            let at_once =
                [ErrorKind::AddrNotAvailable, ErrorKind::NetworkUnreachable, ErrorKind::ConnectionRefused];
            return Err(dice.pick(&at_once).into());
        }
        let far = Far::of_any_kind(dice.text(300), &dice);
        let answer = dice.pick(&[Answer::Accepted, Answer::Accepted, Answer::Refused, Answer::None]);
        let sock = kernel.add(far, Link::Dialing(answer));
        kernel.descriptors += 1;
        kernel.watch(sock, dial.id.key);
        drop(kernel);
        Ok(SimStream { net: self.clone(), sock })
    }
}

impl Kernel {
    /// Somebody knocks. Returns the number of the connection, if the backlog had room for it.
    pub fn connect(&mut self, door: usize, far: Far) -> Option<usize> {
        let Door { backlog, is_listening, .. } = &self.doors[door];
        if !is_listening || backlog.len() >= self.terms.backlog_max {
            return None;
        }
        let sock = self.add(far, Link::Up);
        self.doors[door].backlog.push_back(sock);
        self.doors[door].knocked = true;
        Some(sock)
    }

    fn add(&mut self, mut far: Far, link: Link) -> usize {
        if self.is_calm {
            far.calm_down();
        }
        let mut sock = Sock::new(far, link, self.awake());
        sock.reads_short = self.terms.turbulence > 0 && self.dice.one_in(4);
        if self.terms.toys && self.dice.one_in(3) {
            let has_come = link == Link::Up;
            sock.toy =
                Some(if has_come { Toy::of_newcomer(&self.dice) } else { Toy::of_dialled(&self.dice) });
        }
        sock.record = self.terms.keeps_records.then(Box::default);
        self.sockets.push(sock);
        self.sockets.len() - 1
    }

    fn watch(&mut self, sock: usize, key: Key) {
        if self.watched.len() <= key.place() {
            self.watched.resize(key.place() + 1, usize::MAX);
        }
        self.watched[key.place()] = sock;
        self.sockets[sock].key = Some(key);
        self.changed(sock);
    }

    /// The connection that was watched under this key last.
    pub fn number_of(&self, key: Key) -> usize {
        self.watched[key.place()]
    }

    pub fn is_turbulent(&self) -> bool {
        self.terms.turbulence > 0
    }

    pub fn descriptors(&self) -> usize {
        self.descriptors
    }

    /// Whether somebody waits in the backlog whom an accept would bring.
    pub fn can_accept(&self) -> bool {
        let somebody_waits = self.doors.iter().any(|door| door.is_listening && !door.backlog.is_empty());
        somebody_waits && self.descriptors < self.terms.descriptors_max
    }

    /// Whether the poller has something to tell.
    pub fn is_ready(&self) -> bool {
        self.doors.iter().any(|door| door.knocked) || !self.ready.is_empty()
    }

    pub fn accept_fails_once(&mut self, with: ErrorKind) {
        self.accept_fault = Some(with);
    }

    /// The far ends that do not read will; nothing else happens of its own any more.
    pub fn calm_down(&mut self) {
        self.is_calm = true;
        self.terms.turbulence = 0;
        self.accept_fault = None;
        for sock in &mut self.sockets {
            sock.far.calm_down();
        }
    }

    /// Moves the clock; whoever has vanished is given up in time.
    pub fn pass(&mut self, now: Moment) {
        self.now = now;
        for sock in std::mem::take(&mut self.vanished) {
            match self.sockets[sock].far.vanished_at {
                Some(at) if now.since(at) >= GIVEN_UP_AFTER => self.die(sock, ErrorKind::TimedOut),
                _ => self.vanished.push(sock),
            }
        }
    }

    /// Moves the clock while the engine cannot run.
    pub fn stop(&mut self, now: Moment, stopped: Duration) {
        self.stopped += stopped;
        self.pass(now);
    }

    /// Now, and how long the engine was stopped until now.
    pub fn awake(&self) -> Awake {
        Awake { at: self.now, stopped: self.stopped }
    }

    /// Whether what the far end said last may be unknown to the engine, since it came after the poller had told
    /// everything.
    pub fn is_news(&self, sock: &Sock) -> bool {
        sock.said_after_polls == self.polls
    }

    /// Asks the poller. It tells `most` things at most; what is left it tells the next time. Returns whether that
    /// was everything.
    pub fn poll(&mut self, most: usize, told: &mut Vec<Event>) -> bool {
        let all = self.ready.len() < most;
        self.polls += u64::from(all);
        for (number, door) in self.doors.iter_mut().enumerate() {
            if std::mem::take(&mut door.knocked) {
                told.push(Event::Knock(number));
            }
        }
        for key in std::mem::take(&mut self.stale) {
            told.push(Event::Of(
                key,
                Readiness { readable: true, writable: true, end_hinted: true, error_hinted: true },
            ));
        }
        for _ in 0..most.min(self.ready.len()) {
            let Some(number) = self.ready.pop_front() else { break };
            let sock = &mut self.sockets[number];
            sock.on_ready_list = false;
            if let Some(key) = sock.key {
                // Who is asked and has no room announces it when it has (tcp_poll in Linux's net/ipv4/tcp.c).
                sock.blocked |= !sock.has_room(self.terms.buffer_bytes);
                told.push(Event::Of(key, sock.readiness(self.terms.buffer_bytes)));
            }
        }
        // A poller may also speak for no reason.
        if self.terms.turbulence > 0 && !self.watched.is_empty() && self.dice.one_in(8) {
            let key = Key::of(self.dice.below(self.watched.len()));
            let sock = &self.sockets[self.watched[key.place()].min(self.sockets.len() - 1)];
            told.push(Event::Of(key, sock.readiness(self.terms.buffer_bytes)));
        }
        all
    }

    /// Something changed about a socket: the poller will tell how it stands.
    fn changed(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        if sock.key.is_some() && sock.closed_at.is_none() && !sock.on_ready_list {
            sock.on_ready_list = true;
            self.ready.push_back(number);
        }
    }
}
