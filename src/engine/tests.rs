//! Whole turns: an engine, an App that writes down what it is told, and scripted streams.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::mem;
use std::time::Duration;

use super::Engine;
use super::accept::{Acceptor, Listen};
use super::note::Readiness;
use crate::address::Address;
use crate::app::App;
use crate::board::Board;
use crate::board::{Dial, Polled, Sent, Told};
use crate::buffer::framing::{End, Frame, Framing};
use crate::conn::ConnId;
use crate::conn::Peer;
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::conn::reason::Reason;
use crate::conn::stream::script::{Dial as Outcome, Get, Put, Scripted, Wire, script};
use crate::limits::Limits;

mod accepting;
mod asking;
mod broadcast;
mod broken;
mod broken_in_between;
mod broken_limits;
mod budget;
mod closing;
mod connecting;
mod framing;
mod half_close;
mod hearing;
mod ids;
mod lapses;
mod links;
mod links_limits;
mod pausing;
mod reactions;

mod roles;
mod slow_readers;
mod splicing;
mod writing;

type Reaction = Box<dyn FnMut(ConnId, &mut Board)>;
type Answer = Box<dyn FnMut(ConnId, &[u8], &mut Board)>;

/// Writes down what it is told, as text, and does what a test wants it to do about it.
struct Recorder {
    policies: [Policy; Role::COUNT],
    log: Vec<String>,
    on_opened: Reaction,
    on_received: Answer,
    on_ended: Reaction,
    on_timer: Reaction,
    on_closed: Reaction,
    /// Told before that why it was closed.
    on_why: Box<dyn FnMut(&Reason)>,
}

impl Recorder {
    fn new(framing: Framing, backpressure: Backpressure) -> Recorder {
        Recorder {
            policies: [Policy { framing, backpressure, shows_parts: true, ..Policy::LINES }; Role::COUNT],
            log: Vec::new(),
            on_opened: Box::new(|_, _| {}),
            on_received: Box::new(|_, _, _| {}),
            on_ended: Box::new(|id, board| board.finish(id)),
            on_closed: Box::new(|_, _| {}),
            on_why: Box::new(|_| {}),
            on_timer: Box::new(|_, _| {}),
        }
    }
}

impl App for Recorder {
    type Message = Infallible;

    fn policy(&self, role: Role) -> Policy {
        self.policies[role.number()]
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        (self.on_opened)(id, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        let text = String::from_utf8_lossy(frame.bytes);
        self.log.push(match frame.end {
            End::Newline => format!("{id} line {text}"),
            end => format!("{id} {end:?} {text}"),
        });
        (self.on_received)(id, frame.bytes, board);
    }

    fn timer(&mut self, id: ConnId, board: &mut Board) {
        self.log.push(format!("{id} timer"));
        (self.on_timer)(id, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.log.push(format!("{id} ended"));
        (self.on_ended)(id, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        self.log.push(format!("{id} closed {}", why.code()));
        (self.on_why)(why);
        (self.on_closed)(id, board);
    }

    fn turned_away(&mut self, board: &mut Board) {
        self.log.push(format!("{} turned away", board.stats().refused_address + board.stats().refused_full));
    }

    fn message(&mut self, message: Infallible, _board: &mut Board) {
        match message {}
    }
}

/// The far end of a connection.
#[derive(Clone)]
struct Far {
    id: ConnId,
    wire: Wire,
}

/// A listener at which nobody waits.
#[derive(Debug)]
struct Nobody;

impl Listen for Nobody {
    type Stream = Scripted;

    fn accept(&mut self) -> io::Result<(Scripted, Peer)> {
        Err(ErrorKind::WouldBlock.into())
    }
}

struct Rig {
    engine: Engine<Nobody>,
    app: Recorder,
}

const READABLE: Readiness =
    Readiness { readable: true, writable: false, end_hinted: false, error_hinted: false };
const WRITABLE: Readiness =
    Readiness { readable: false, writable: true, end_hinted: false, error_hinted: false };
const ENDING: Readiness =
    Readiness { readable: true, writable: false, end_hinted: true, error_hinted: false };
const EVERYTHING: Readiness =
    Readiness { readable: true, writable: true, end_hinted: true, error_hinted: true };

fn small() -> Limits {
    Limits::small()
}

fn kicked() -> Reason {
    Reason::Kicked(String::new())
}

impl Rig {
    fn new() -> Rig {
        Rig::with(Limits::default(), Framing::Lines, Backpressure::None)
    }

    fn with(limits: Limits, framing: Framing, backpressure: Backpressure) -> Rig {
        Rig::of(limits, Recorder::new(framing, backpressure))
    }

    fn of(limits: Limits, app: Recorder) -> Rig {
        let mut engine = Engine::new(Board::new(limits), Acceptor::default(), &app, || ());
        engine.board.shared.work.wants_turn = false;
        Rig { engine, app }
    }

    fn board(&mut self) -> &mut Board {
        &mut self.engine.board
    }

    /// An App that sends back whatever it hears.
    fn echo(limits: Limits) -> Rig {
        let mut rig = Rig::with(limits, Framing::Raw, Backpressure::Sender);
        rig.on_received(|id, bytes, board| {
            board.send(id, bytes);
        });
        rig
    }

    /// An App that tells everybody else what it hears.
    fn chat(limits: Limits) -> Rig {
        let mut rig = Rig::with(limits, Framing::Lines, Backpressure::Everybody);
        rig.on_received(|id, bytes, board| board.broadcast(Some(id), &[bytes, b"\n"]));
        rig
    }

    fn on_opened(&mut self, reaction: impl FnMut(ConnId, &mut Board) + 'static) {
        self.app.on_opened = Box::new(reaction);
    }

    fn on_received(&mut self, answer: impl FnMut(ConnId, &[u8], &mut Board) + 'static) {
        self.app.on_received = Box::new(answer);
    }

    fn on_ended(&mut self, reaction: impl FnMut(ConnId, &mut Board) + 'static) {
        self.app.on_ended = Box::new(reaction);
    }

    fn on_closed(&mut self, reaction: impl FnMut(ConnId, &mut Board) + 'static) {
        self.app.on_closed = Box::new(reaction);
    }

    fn connect(&mut self) -> Far {
        self.connect_as(Role::PEER)
    }

    fn connect_with_handshake(&mut self) -> Far {
        let (stream, wire) = script();
        wire.has_handshake();
        self.adopt(stream, wire, Role::PEER)
    }

    fn connect_as(&mut self, role: Role) -> Far {
        let (stream, wire) = script();
        self.adopt(stream, wire, role)
    }

    fn adopt(&mut self, stream: Scripted, wire: Wire, role: Role) -> Far {
        let key = self.board().next_key();
        self.engine.adopt(stream, Peer::Unix, role, &mut self.app);
        Far { id: self.board().table[key].id, wire }
    }

    fn dial(&mut self) -> ConnId {
        self.board().dial(Address::Tcp(([127, 0, 0, 1], 1).into()))
    }

    /// What the reactor does about a dial.
    fn attach_dialed(&mut self) -> Far {
        let Dial { id, .. } = self.board().shared.work.dials.pop().expect("something was dialled");
        let (stream, wire) = script();
        wire.dial_is(Outcome::Pending);
        self.engine.attach(id.key, stream);
        Far { id, wire }
    }

    fn note(&mut self, far: &Far, readiness: Readiness) {
        self.engine.note(far.id.key, readiness);
    }

    fn says(&mut self, far: &Far, text: &str) {
        far.wire.arrives(text.as_bytes());
        self.note(far, READABLE);
    }

    /// The peer's FIN, in the same edge as what was said right before.
    fn finishes(&mut self, far: &Far) {
        far.wire.gets([Get::Eof]);
        self.note(far, ENDING);
    }

    fn resets(&mut self, far: &Far) {
        far.wire.gets([Get::Fail(ErrorKind::ConnectionReset)]);
        far.wire.breaks(ErrorKind::BrokenPipe);
        self.note(far, EVERYTHING);
    }

    fn has_room_again(&mut self, far: &Far) {
        far.wire.takes_all();
        self.note(far, WRITABLE);
    }

    fn turn(&mut self) {
        self.engine.serve(&mut self.app);
        self.board().check_sums();
    }

    /// Turns until nothing is left to do; at least one.
    fn settle(&mut self) {
        for _ in 0..1000 {
            self.turn();
            let shared = &self.engine.board.shared;
            let is_due = shared.deadlines.next().is_some_and(|when| when <= shared.time.noted_until())
                || shared.flows.first().is_some_and(|(when, _)| *when <= shared.time.now());
            if self.engine.is_idle() && !is_due {
                return;
            }
        }
        panic!("the engine never came to rest; so far: {:#?}", self.app.log);
    }

    /// Lets time pass and does what it brings.
    fn pass(&mut self, ms: u64) {
        self.board().shared.time.pass(Duration::from_millis(ms));
        self.settle();
    }

    /// Lets time pass in which the loop does not run; then the poller has told everything.
    fn lapse(&mut self, ms: u64) {
        let asked_at = self.board().now();
        let now = asked_at + Duration::from_millis(ms);
        let polled = Polled { asked_at, timeout: Some(Duration::ZERO), told: Told::All, was_stopped: true };
        self.board().shared.time.advance(now, polled, 0);
    }

    /// What the App was told since the last time.
    fn told(&mut self) -> Vec<String> {
        mem::take(&mut self.app.log)
    }

    fn queued(&self, far: &Far) -> usize {
        self.engine.board.view(far.id).map_or(0, |view| view.queued_bytes)
    }
}
