//! The hub in memory: a mode, the engine's whole turns over scripted streams, and a desk whose lines are typed by the
//! test and whose screens are read by it. What is held here: what each line is answered with, what the desks are told,
//! and which bytes reach which wire.

mod aim;
mod doors;
mod faults;
mod figures;
mod files;
mod learn;
mod links;
mod lists;
mod names;
mod repeating;
mod requests;
mod table;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::board::{Dial, Polled, Told};
use crate::clock::Moment;
use crate::conn::stream::script::{Dial as Answer, Get, Scripted, Wire, script};
use crate::conn::{Key, Peer};
use crate::desk::text::Format;
use crate::desk::{Screens, Spelling};
use crate::engine::accept::{Acceptor, Listen};
use crate::engine::note::Readiness;
use crate::engine::{Engine, Sleep, System};
use crate::limits::Limits;
use crate::terminal::{CapturedScreen, WhenFull};

const READABLE: Readiness =
    Readiness { readable: true, writable: false, end_hinted: false, error_hinted: false };
const WRITABLE: Readiness =
    Readiness { readable: false, writable: true, end_hinted: false, error_hinted: false };
const ENDING: Readiness =
    Readiness { readable: true, writable: false, end_hinted: true, error_hinted: false };
const EVERYTHING: Readiness =
    Readiness { readable: true, writable: true, end_hinted: true, error_hinted: true };

/// The screens hold this much between two looks, far more than a test shows.
const SCREEN_BYTES: usize = 64 << 20;

/// Those who knock.
#[derive(Debug, Default)]
struct Door(Rc<RefCell<VecDeque<(Scripted, Peer)>>>);

impl Listen for Door {
    type Stream = Scripted;

    fn accept(&mut self) -> io::Result<(Scripted, Peer)> {
        self.0.borrow_mut().pop_front().ok_or(ErrorKind::WouldBlock.into())
    }
}

/// What lies outside of the engine.
#[derive(Default)]
struct Outside {
    mail: VecDeque<Mail>,
    /// Whom we have dialled and who has not answered.
    dialled: Vec<(u64, Wire)>,
}

impl System for Outside {
    type Listener = Door;
    type Mail = Mail;

    fn watch(&mut self, _stream: &mut Scripted, _key: Key) -> io::Result<()> {
        Ok(())
    }

    fn dial(&mut self, dial: &Dial, _limits: &Limits) -> io::Result<Scripted> {
        let (stream, wire) = script();
        wire.dial_is(Answer::Pending);
        self.dialled.push((dial.id.serial(), wire));
        Ok(stream)
    }

    fn rearm_mail(&mut self) {}

    fn next_mail(&mut self) -> Option<Mail> {
        self.mail.pop_front()
    }
}

/// What was shown since the last look: replies and events, line by line, in the order of each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    replies: Vec<String>,
    events: Vec<String>,
}

/// A server in memory, with one desk.
struct Rig<M: Mode> {
    engine: Engine<Door>,
    hub: Hub<M>,
    outside: Outside,
    knocking: Rc<RefCell<VecDeque<(Scripted, Peer)>>>,
    /// The far ends of those who were accepted or dialled, by number. Kept until they are forgotten.
    wires: BTreeMap<u64, Wire>,
    out: CapturedScreen,
    err: CapturedScreen,
    now: Moment,
}

impl<M: Mode> Rig<M> {
    /// A server whose desk is spelt so. Text is for people, so that events stand apart from replies.
    fn new(mode: M, spelling: Spelling, options: DeskOptions, limits: Limits) -> Rig<M> {
        Rig::with_screens(mode, spelling, options, limits, SCREEN_BYTES)
    }

    /// The same, and its screens are full at this mark.
    fn with_screens(
        mode: M,
        spelling: Spelling,
        options: DeskOptions,
        limits: Limits,
        mark_bytes: usize,
    ) -> Rig<M> {
        let (display, out, err) = Screens::in_memory(spelling, WhenFull::Wait, mark_bytes, mark_bytes);
        let hub = Hub::new(mode, Display::Screens(Box::new(display)), None, options);
        let knocking = Rc::default();
        let mut acceptor = Acceptor::default();
        acceptor.add(Door(Rc::clone(&knocking)), Role::PEER);
        let engine = Engine::new(Board::new(limits), acceptor, &hub, || ());
        let (outside, wires, now) = (Outside::default(), BTreeMap::new(), Moment::default());
        Rig { engine, hub, outside, knocking, wires, out, err, now }
    }

    /// Somebody connects. Returns its number.
    fn connect(&mut self) -> u64 {
        let (stream, wire) = script();
        let port = 1024 + (self.engine.board.stats().opened % 60_000) as u16;
        let peer = Peer::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        self.knocking.borrow_mut().push_back((stream, peer));
        self.engine.note_pending(0);
        self.turn();
        // A tap has begun to dial for it.
        let accepted = self.engine.board.views().filter(|view| !view.is_connecting);
        let serial = accepted.last().expect("it was accepted").id.serial();
        self.wires.insert(serial, wire);
        serial
    }

    fn note(&mut self, serial: u64, readiness: Readiness) {
        if let Some(id) = self.engine.board.find(serial) {
            self.engine.note(id.key, readiness);
        }
    }

    /// A peer says something.
    fn says(&mut self, serial: u64, bytes: &[u8]) {
        self.wires[&serial].arrives(bytes);
        self.note(serial, READABLE);
    }

    fn finishes(&mut self, serial: u64) {
        self.wires[&serial].gets([Get::Eof]);
        self.note(serial, ENDING);
    }

    fn resets(&mut self, serial: u64) {
        let wire = &self.wires[&serial];
        wire.gets([Get::Fail(ErrorKind::ConnectionReset)]);
        wire.breaks(ErrorKind::BrokenPipe);
        self.note(serial, EVERYTHING);
    }

    /// Whoever was dialled first answers.
    fn answers(&mut self, answer: Answer) {
        if self.outside.dialled.is_empty() {
            return;
        }
        let (serial, wire) = self.outside.dialled.remove(0);
        wire.dial_is(answer);
        self.wires.insert(serial, wire);
        self.note(serial, EVERYTHING);
    }

    /// Types bytes, as they come out of a pipe.
    fn type_bytes(&mut self, bytes: impl Into<Vec<u8>>) {
        self.post(Mail::Stdin(Chunk::Bytes(bytes.into())));
    }

    /// Types a line.
    fn type_line(&mut self, line: impl AsRef<[u8]>) {
        self.type_bytes([line.as_ref(), b"\n"].concat());
    }

    fn post(&mut self, mail: Mail) {
        self.outside.mail.push_back(mail);
        self.engine.note_mail();
    }

    /// One turn. Returns whether another is wanted at once.
    fn turn(&mut self) -> bool {
        self.turn_after(Duration::ZERO)
    }

    fn turn_after(&mut self, time: Duration) -> bool {
        let polled = Polled { asked_at: self.now, timeout: Some(time), told: Told::All, was_stopped: false };
        self.now = self.now + time;
        self.engine.begin_turn(self.now, polled);
        self.engine.turn(&mut self.hub, &mut self.outside);
        self.engine.rest() == Sleep::None
    }

    /// Turns until nothing is left to do; at least one. Returns how many.
    fn settle(&mut self) -> usize {
        let turns = 1 + (0..10_000).take_while(|_| self.turn()).count();
        assert!(turns <= 10_000, "it never came to rest");
        self.engine.board.check_sums();
        turns
    }

    /// Lets time pass, and does what it brings.
    fn pass(&mut self, ms: u64) {
        self.turn_after(Duration::from_millis(ms));
        self.settle();
    }

    /// What was shown since the last look.
    fn shown(&mut self) -> Shown {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        // What does not fit behind what waits comes when that is taken.
        loop {
            let before = out.len() + err.len();
            let wants_room = self.out.take(&mut out) | self.err.take(&mut err);
            self.hub.desks.out.hand_over();
            if !wants_room && out.len() + err.len() == before {
                break;
            }
        }
        let lines = |bytes: &[u8]| -> Vec<String> {
            String::from_utf8(bytes.to_vec()).expect("it is text").lines().map(str::to_owned).collect()
        };
        if self.hub.sessions[0].is_json {
            let is_reply =
                |line: &String| line.starts_with("{\"ev\":\"ok\"") || line.starts_with("{\"ev\":\"error\"");
            let (replies, events) = lines(&out).into_iter().partition(is_reply);
            return Shown { replies, events };
        }
        Shown { replies: lines(&err), events: lines(&out).iter().map(|line| unstamped(line)).collect() }
    }

    /// The replies since the last look, as one text.
    fn replied(&mut self) -> String {
        self.shown().replies.iter().map(|line| format!("{line}\n")).collect()
    }

    /// What a line is answered with, and how many turns that takes.
    fn reply_to(&mut self, line: impl AsRef<[u8]>) -> (String, usize) {
        self.type_line(line);
        let turns = self.settle();
        (self.replied(), turns)
    }

    /// What reached a far end so far.
    fn got(&self, serial: u64) -> Vec<u8> {
        self.wires[&serial].written()
    }
}

/// A line without the time of day in front of it, which is in front of messages.
fn unstamped(line: &str) -> String {
    match line.split_once(' ') {
        Some((stamp, rest)) if stamp.len() == 12 && stamp.as_bytes()[2] == b':' => rest.to_owned(),
        _ => line.to_owned(),
    }
}

fn list(numbers: impl Iterator<Item = u64>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}
