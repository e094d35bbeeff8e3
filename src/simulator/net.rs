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

mod ends;
mod sock;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::time::Duration;

use super::dice::Dice;
use super::far::{Far, Then};
use crate::clock::Moment;
use crate::conn::Key;
use crate::engine::note::Readiness;
use sock::{Link, Sock};

pub(super) use sock::Awake;

pub(super) use ends::{SimListener, SimStream};

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
    backlog: VecDeque<usize>,
    /// Somebody has knocked since the poller was asked.
    knocked: bool,
    is_listening: bool,
    descriptors: usize,
    pub accepted: u64,
    /// What the next accept fails with.
    accept_fault: Option<ErrorKind>,
    /// Keys whose sockets were closed and of which the poller may still speak once.
    stale: Vec<Key>,
    /// By key: which socket was watched under it last.
    watched: Vec<usize>,
    vanished: Vec<usize>,
    /// Everything comes to its end.
    is_calm: bool,
    sabotage: Sabotage,
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
    /// The engine is not told that it was stopped, or that the poller did not tell everything.
    HidesStops,
}

/// What the poller tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// Somebody knocks.
    Knock,
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
            backlog: VecDeque::new(),
            knocked: false,
            is_listening: true,
            descriptors: 0,
            accepted: 0,
            accept_fault: None,
            stale: Vec::new(),
            watched: Vec::new(),
            vanished: Vec::new(),
            is_calm: false,
            sabotage,
        })))
    }

    pub fn listener(&self) -> SimListener {
        SimListener(self.clone())
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

    /// Dials somebody, who will be there or not.
    pub fn dial(&self, far: Far, key: Key) -> SimStream {
        let mut kernel = self.touch();
        let refused = kernel.dice.one_in(4);
        let sock = kernel.add(far, Link::Dialing { refused });
        kernel.descriptors += 1;
        kernel.watch(sock, key);
        drop(kernel);
        SimStream { net: self.clone(), sock }
    }
}

impl Kernel {
    /// Somebody knocks. Returns the number of the connection, if the backlog had room for it.
    pub fn connect(&mut self, far: Far) -> Option<usize> {
        if !self.is_listening || self.backlog.len() >= self.terms.backlog_max {
            return None;
        }
        let sock = self.add(far, Link::Up);
        self.backlog.push_back(sock);
        self.knocked = true;
        Some(sock)
    }

    fn add(&mut self, mut far: Far, link: Link) -> usize {
        if self.is_calm {
            far.calm_down();
        }
        let mut sock = Sock::new(far, link, self.awake());
        sock.reads_short = self.terms.turbulence > 0 && self.dice.one_in(4);
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
        self.is_listening && !self.backlog.is_empty() && self.descriptors < self.terms.descriptors_max
    }

    /// Whether the poller has something to tell.
    pub fn is_ready(&self) -> bool {
        self.knocked || !self.ready.is_empty()
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
        if std::mem::take(&mut self.knocked) {
            told.push(Event::Knock);
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

    /// Before a call of the engine's, the far end may do something.
    fn befall(&mut self, number: usize) {
        if self.terms.turbulence > 0 && self.dice.one_in(self.terms.turbulence) {
            self.step(number);
        }
    }

    /// Lets one far end do what it would do next.
    pub fn step(&mut self, number: usize) {
        if let Link::Dialing { refused } = self.sockets[number].link {
            self.sockets[number].link = if refused { Link::Dead } else { Link::Up };
            self.sockets[number].error = refused.then_some(ErrorKind::ConnectionRefused);
            return self.changed(number);
        }
        if self.sockets[number].far.vanished_at.is_some() {
            return;
        }
        if self.is_calm {
            self.far_hears(number);
            self.far_says(number);
            return self.far_concludes(number);
        }
        match self.dice.below(4) {
            0 => self.far_hears(number),
            1 | 2 if self.sockets[number].far.has_more_to_say() => self.far_says(number),
            _ => self.far_concludes(number),
        }
    }

    /// Every far end reads what has arrived.
    pub fn all_hear(&mut self) {
        (0..self.sockets.len()).for_each(|number| self.far_hears(number));
    }

    fn far_says(&mut self, number: usize) {
        let Kernel { sockets, dice, terms, .. } = self;
        let sock = &mut sockets[number];
        if sock.far.fin_out || sock.link == Link::Dead {
            return;
        }
        let room = terms.buffer_bytes.saturating_sub(sock.inbox.len());
        if room == 0 {
            return;
        }
        let most = room.min(1 + dice.below(room.min(200)));
        let said = sock.far.says(most);
        if said.is_empty() {
            return;
        }
        if let Some(record) = &mut sock.record {
            record.said.extend_from_slice(&said);
        }
        if sock.closed_at.is_some() {
            // Nobody is there to take it.
            return self.reset_far(number);
        }
        sock.inbox.extend(said);
        sock.said_after_polls = self.polls;
        self.changed(number);
    }

    fn far_hears(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        let count = sock.arrived.len().min(sock.far.appetite_bytes);
        let heard = sock.arrived.drain(..count);
        match &mut sock.record {
            Some(record) => record.heard.extend(heard),
            None => drop(heard),
        }
        self.carry(number);
    }

    /// The far end has said all it had to say: what follows.
    fn far_concludes(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        if sock.far.has_more_to_say() || sock.link == Link::Dead {
            return;
        }
        match std::mem::replace(&mut sock.far.then, Then::Stay) {
            Then::Stay => {}
            Then::Finish => self.far_finishes(number),
            Then::Reset => {
                sock.far.has_reset = true;
                let kind = sock.kind_of_reset();
                self.die(number, kind);
            }
            Then::Close => {
                sock.far.is_closed = true;
                let unread = !sock.arrived.is_empty();
                self.far_finishes(number);
                if unread {
                    let kind = self.sockets[number].kind_of_reset();
                    self.die(number, kind);
                }
            }
            Then::Vanish => {
                sock.far.vanished_at = Some(self.now);
                self.vanished.push(number);
            }
        }
    }

    fn far_finishes(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        if !sock.far.fin_out {
            sock.far.fin_out = true;
            sock.fin_in = true;
            self.changed(number);
        }
    }

    /// The connection ends as a reset, or a silence for too long, ends one.
    fn die(&mut self, number: usize, kind: ErrorKind) {
        let sock = &mut self.sockets[number];
        if sock.link == Link::Dead {
            return;
        }
        sock.link = Link::Dead;
        sock.error = Some(kind);
        sock.lost_bytes += sock.outgoing.len();
        sock.outgoing = VecDeque::new();
        sock.blocked = false;
        self.changed(number);
    }

    /// Our side resets the connection.
    fn reset_far(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        sock.link = Link::Dead;
        sock.lost_bytes += sock.outgoing.len();
        sock.outgoing = VecDeque::new();
    }

    /// Carries what is written to the far end, as far as there is room there.
    fn carry(&mut self, number: usize) {
        let buffer_bytes = self.terms.buffer_bytes;
        let sock = &mut self.sockets[number];
        if sock.far.vanished_at.is_some() || sock.link != Link::Up {
            return;
        }
        if sock.far.is_closed && !sock.outgoing.is_empty() {
            // It arrives where nobody is any more, and a reset comes back.
            let kind = sock.kind_of_reset();
            return self.die(number, kind);
        }
        let room = buffer_bytes.saturating_sub(sock.arrived.len());
        let count = room.min(sock.outgoing.len());
        sock.arrived.extend(sock.outgoing.drain(..count));
        if sock.outgoing.is_empty() && sock.closed_at.is_some() {
            sock.outgoing = VecDeque::new();
        }
        if sock.blocked && sock.has_room(buffer_bytes) {
            sock.blocked = false;
            if self.sabotage != Sabotage::ForgetsRoom {
                self.changed(number);
            }
        }
    }

    fn read(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty(), "a read into no room looks like an end");
        self.befall(number);
        if self.terms.turbulence > 0 && self.dice.one_in(40) {
            return Err(ErrorKind::Interrupted.into());
        }
        let awake = self.awake();
        let Kernel { sockets, dice, .. } = self;
        let sock = &mut sockets[number];
        if !sock.inbox.is_empty() {
            let mut count = buffer.len().min(sock.inbox.len());
            if sock.reads_short {
                count = 1 + dice.below(count);
            }
            for (place, byte) in buffer.iter_mut().zip(sock.inbox.drain(..count)) {
                *place = byte;
            }
            if sock.inbox.is_empty() {
                sock.inbox = VecDeque::new();
            }
            sock.read_bytes += count as u64;
            sock.moved_at = awake;
            return Ok(count);
        }
        if sock.fin_in {
            return Ok(0);
        }
        match sock.error.take() {
            Some(kind) => Err(kind.into()),
            None if sock.link == Link::Dead => Ok(0),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, number: usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.befall(number);
        if self.terms.turbulence > 0 && self.dice.one_in(40) {
            return Err(ErrorKind::Interrupted.into());
        }
        let awake = self.awake();
        let Kernel { sockets, dice, terms, sabotage, .. } = self;
        let sock = &mut sockets[number];
        assert!(sock.our_fin.is_none(), "nothing is written after our FIN");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing looks like a failure");
        if let Some(kind) = sock.error.take() {
            return Err(kind.into());
        }
        if sock.link == Link::Dead {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = terms.buffer_bytes.saturating_sub(sock.outgoing.len());
        if room == 0 {
            sock.blocked = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut count = room.min(offered);
        if terms.turbulence > 0 && dice.one_in(4) {
            count = 1 + dice.below(count);
        }
        let mut left = count;
        for slice in slices {
            let taken = &slice[..slice.len().min(left)];
            left -= taken.len();
            sock.outgoing.extend(taken);
            if let Some(record) = &mut sock.record {
                record.written.extend_from_slice(taken);
                if *sabotage == Sabotage::StutteringWrites && dice.one_in(50) {
                    record.written.extend(taken.first());
                }
            }
        }
        sock.written_bytes += count as u64;
        (sock.moved_at, sock.wrote_at) = (awake, awake);
        self.carry(number);
        Ok(count)
    }

    fn finish(&mut self, number: usize) -> io::Result<()> {
        let sock = &mut self.sockets[number];
        assert!(sock.our_fin.is_none(), "our FIN is sent once");
        if sock.link == Link::Dead {
            return Err(ErrorKind::NotConnected.into());
        }
        if sock.reads_short && !sock.has_room(self.terms.buffer_bytes) {
            // A stream with bytes of its own has an end of its own, which takes room.
            sock.blocked = true;
            sock.fin_blocked_at.get_or_insert(self.now);
            return Err(ErrorKind::WouldBlock.into());
        }
        sock.our_fin = Some(self.now);
        if sock.fin_in {
            self.changed(number);
        }
        Ok(())
    }

    fn close(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        sock.closed_at = Some(self.now);
        let resets = sock.aborts || !sock.inbox.is_empty();
        sock.inbox = VecDeque::new();
        if let Some(key) = sock.key
            && self.terms.turbulence > 0
            && self.dice.one_in(2)
        {
            self.stale.push(key);
        }
        if resets {
            self.reset_far(number);
        }
        let sock = &mut self.sockets[number];
        if std::mem::take(&mut sock.on_ready_list) {
            self.ready.retain(|ready| *ready != number);
        }
        if self.sabotage != Sabotage::LeaksDescriptors {
            self.descriptors -= 1;
        }
    }

    fn accept(&mut self) -> io::Result<usize> {
        if let Some(kind) = self.accept_fault.take() {
            if kind == ErrorKind::ConnectionAborted
                && let Some(gone) = self.backlog.pop_front()
            {
                self.reset_far(gone);
            }
            return Err(kind.into());
        }
        if self.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.descriptors >= self.terms.descriptors_max {
            return Err(rustix::io::Errno::MFILE.into());
        }
        let sock = self.backlog.pop_front().ok_or(ErrorKind::WouldBlock)?;
        self.descriptors += 1;
        self.accepted += 1;
        Ok(sock)
    }
}
