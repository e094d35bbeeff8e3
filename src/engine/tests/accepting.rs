//! Who comes in, and who is turned away.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::Once;

use super::*;
use crate::address::Admission;
use crate::conn::Key;
use crate::engine::System;

/// What an accept meets.
type Met = io::Result<(Scripted, Peer)>;

/// A listener at which those wait whom a test has sent there.
#[derive(Clone, Debug, Default)]
struct Door(Rc<RefCell<VecDeque<Met>>>);

impl Listen for Door {
    type Stream = Scripted;

    fn accept(&mut self) -> Met {
        self.0.borrow_mut().pop_front().unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }
}

/// A system that can watch everybody, and in which nothing else happens.
struct Porter;

impl System for Porter {
    type Listener = Door;
    type Mail = Infallible;

    fn watch(&mut self, _stream: &mut Scripted, _key: Key) -> io::Result<()> {
        Ok(())
    }

    fn dial(&mut self, dial: &Dial, _limits: &Limits) -> io::Result<Scripted> {
        panic!("nobody has asked to dial {}", dial.to)
    }

    fn rearm_mail(&mut self) {}

    fn next_mail(&mut self) -> Option<Infallible> {
        None
    }
}

/// An engine with one listener.
struct House {
    engine: Engine<Door>,
    app: Recorder,
    door: Door,
}

impl House {
    /// Lets in only these nets, of which some may be denied.
    fn admitting(allow: &[&str], deny: &[&str]) -> House {
        House::within(Limits::default(), allow, deny)
    }

    fn within(limits: Limits, allow: &[&str], deny: &[&str]) -> House {
        House::of(Recorder::new(Framing::Lines, Backpressure::None), limits, allow, deny)
    }

    fn of(app: Recorder, limits: Limits, allow: &[&str], deny: &[&str]) -> House {
        let nets = |nets: &[&str]| nets.iter().map(|net| net.parse().expect("a net")).collect();
        let door = Door::default();
        let mut acceptor = Acceptor::default();
        acceptor.add(door.clone(), Role::PEER);
        let allow = (!allow.is_empty()).then(|| nets(allow));
        let mut board = Board::new(limits);
        board.admit(Role::PEER, Admission { allow, deny: nets(deny) });
        let engine = Engine::new(board, acceptor, &app, || ());
        House { engine, app, door }
    }

    /// Somebody waits at the door, from now on.
    fn comes_from(&self, address: [u8; 4]) -> Wire {
        let (stream, wire) = script();
        let peer = Peer::V4(SocketAddrV4::new(address.into(), 40_000));
        self.door.0.borrow_mut().push_back(Ok((stream, peer)));
        wire
    }

    /// The next one cannot be accepted.
    fn fails(&self, kind: ErrorKind) {
        self.door.0.borrow_mut().push_back(Err(kind.into()));
    }

    /// A turn this much later, in which the poller says that somebody waits.
    fn turn_after(&mut self, ms: u64) {
        self.engine.board.shared.time.pass(Duration::from_millis(ms));
        self.engine.note_pending(0);
        self.engine.turn(&mut self.app, &mut Porter);
        self.engine.board.check_sums();
    }

    /// The last number of each one's address who is here.
    fn sources(&self) -> Vec<u8> {
        let last = |view: crate::board::View<'_>| match view.peer {
            Peer::V4(address) => address.ip().octets()[3],
            other => panic!("{other} comes from nowhere"),
        };
        self.engine.board.views().map(last).collect()
    }

    fn peers(&self) -> Vec<String> {
        self.engine.board.views().map(|view| view.peer.to_string()).collect()
    }
}

#[test]
fn only_who_comes_from_where_it_may_is_let_in() {
    let mut house = House::admitting(&["10.0.0.0/8"], &["10.0.0.66/32"]);
    let wires = [[10, 0, 0, 66], [10, 1, 2, 3], [192, 168, 0, 1]].map(|address| house.comes_from(address));

    house.turn_after(0);

    assert_eq!(house.peers(), ["10.1.2.3:40000"]);
    let let_go = wires.map(|wire| wire.is_dropped());
    assert_eq!(let_go, [true, false, true], "whose connections were let go of");
}

#[test]
fn who_is_turned_away_for_its_address_is_counted_and_told_of_a_second_later_with_the_others() {
    let mut house = House::admitting(&[], &["192.168.0.0/16"]);
    house.comes_from([192, 168, 0, 1]);
    house.turn_after(0);
    house.comes_from([192, 168, 0, 2]);
    house.turn_after(999);
    let too_early = mem::take(&mut house.app.log);

    house.turn_after(1);
    house.turn_after(5000);

    assert_eq!(house.engine.board.stats().refused_address, 2);
    assert_eq!((too_early, house.app.log), (vec![], vec!["2 turned away".to_owned()]));
}

#[test]
fn of_one_source_so_many_are_let_in_and_another_when_one_has_gone() {
    let limits = Limits { source_conns_max: Some(2), ..Limits::default() };
    let mut house = House::within(limits, &[], &[]);
    let wires: Vec<Wire> = (0..3).map(|_| house.comes_from([10, 0, 0, 1])).collect();
    house.comes_from([10, 0, 0, 2]);

    house.turn_after(0);
    let told = wires[2].text();
    let full = (house.peers().len(), house.engine.board.stats().refused_too_many);
    let first = house.engine.board.views().next().expect("it is here").id;
    house.engine.board.hang_up(first, Reason::WeReset);
    house.turn_after(1);
    house.comes_from([10, 0, 0, 1]);
    house.turn_after(1);

    assert_eq!(full, (3, 1));
    assert_eq!(told, "switchboard: too many from one address (2 connections)\n");
    assert_eq!(house.peers(), ["10.0.0.1:40000", "10.0.0.2:40000", "10.0.0.1:40000"]);
}

#[test]
fn of_those_with_a_handshake_so_many_are_let_in_a_turn_as_it_can_bring_to_its_end() {
    let mut house = House::within(Limits { handshake_budget: 4, ..Limits::default() }, &[], &[]);
    for _ in 0..5 {
        house.comes_from([10, 0, 0, 1]).has_handshake();
    }

    let wait = [(); 3].map(|()| {
        house.turn_after(0);
        house.door.0.borrow().len()
    });

    assert_eq!(wait, [3, 1, 0]);
}

#[test]
fn whoever_floods_with_handshakes_pushes_out_its_own_and_the_oldest_of_all_only_where_it_has_none() {
    let limits = Limits { conns_max: 4, handshake_budget: 64, ..Limits::default() };
    let mut house = House::within(limits, &[], &[]);
    for address in [[10, 0, 0, 1], [10, 0, 0, 66], [10, 0, 0, 66], [10, 0, 0, 2]] {
        house.comes_from(address).has_handshake();
    }
    house.turn_after(0);

    house.comes_from([10, 0, 0, 66]).has_handshake();
    house.turn_after(0);
    assert_eq!(house.sources(), [1, 66, 2, 66], "it had the older one of its two");
    house.comes_from([10, 0, 0, 3]).has_handshake();
    house.turn_after(0);
    assert_eq!(house.sources(), [66, 2, 66, 3]);
}

#[test]
fn of_those_without_a_number_none_counts_as_turned_away_or_pushed_out() {
    for (has_number, counted, told) in [(true, (1, 1), "1 turned away"), (false, (0, 0), "")] {
        let limits = Limits { conns_max: 2, handshake_budget: 64, ..Limits::default() };
        let mut app = Recorder::new(Framing::Lines, Backpressure::None);
        app.policies[Role::PEER.number()].has_number = has_number;
        let mut house = House::of(app, limits, &[], &[]);
        for last in [1, 2] {
            house.comes_from([10, 0, 0, last]).has_handshake();
        }
        house.turn_after(0);

        let pushes = house.comes_from([10, 0, 0, 2]);
        house.turn_after(0);
        let is_late = house.comes_from([10, 0, 0, 3]);
        house.turn_after(0);
        house.turn_after(5000);

        assert_eq!(
            (pushes.text(), is_late.text()),
            ("".into(), "switchboard: full (2 connections)\n".into())
        );
        let stats = house.engine.board.stats();
        assert_eq!((stats.pushed_out, stats.refused_full), counted, "has a number: {has_number}");
        let log = house.app.log.iter().find(|line| line.ends_with("turned away"));
        assert_eq!(log.map_or("", String::as_str), told, "has a number: {has_number}");
    }
}

#[test]
fn of_one_source_that_may_have_no_more_an_unfinished_handshake_makes_room_and_nobody_elses_does() {
    let limits = Limits { source_conns_max: Some(2), handshake_budget: 64, ..Limits::default() };
    let mut house = House::within(limits, &[], &[]);
    house.comes_from([10, 0, 0, 9]).has_handshake();
    for _ in 0..2 {
        house.comes_from([10, 0, 0, 1]).has_handshake();
    }
    house.turn_after(0);
    house.comes_from([10, 0, 0, 1]);
    house.turn_after(0);
    assert_eq!(house.sources(), [9, 1, 1]);

    // The other one has had its second; then none is left that is unfinished.
    for _ in 0..2 {
        house.comes_from([10, 0, 0, 1]);
        house.turn_after(1000);
    }
    assert_eq!(house.sources(), [9, 1, 1]);
    assert_eq!(house.engine.board.stats().refused_too_many, 1, "the first of them had the other one's place");
}

#[test]
fn whom_we_have_dialled_counts_for_no_source() {
    let limits = Limits { source_conns_max: Some(1), ..Limits::default() };
    let mut house = House::within(limits, &[], &[]);
    let dialled =
        house.engine.board.dial_later(Role::PEER, Peer::V4(SocketAddrV4::new([10, 0, 0, 1].into(), 1)));

    house.comes_from([10, 0, 0, 1]);
    house.turn_after(0);
    house.engine.board.hang_up(dialled, Reason::WeReset);
    house.turn_after(0);
    house.comes_from([10, 0, 0, 1]);
    house.turn_after(0);

    assert_eq!(house.peers(), ["10.0.0.1:40000"]);
    assert_eq!(house.engine.board.stats().refused_too_many, 1);
}

#[test]
fn who_comes_too_fast_is_turned_away_and_comes_in_when_time_has_passed() {
    let limits = Limits { source_rate_max: Some(2), ..Limits::default() };
    let mut house = House::within(limits, &[], &[]);
    let wires: Vec<Wire> = (0..3).map(|_| house.comes_from([10, 0, 0, 1])).collect();
    house.comes_from([10, 0, 0, 2]);
    house.turn_after(0);
    let told = wires[2].text();

    house.comes_from([10, 0, 0, 1]);
    house.turn_after(500);

    assert_eq!(told, "switchboard: too fast (2 newcomers a second from one address)\n");
    assert_eq!((house.peers().len(), house.engine.board.stats().refused_too_fast), (4, 1));
}

#[test]
fn who_may_come_in_can_be_changed_and_whoever_is_here_stays() {
    let mut house = House::admitting(&["10.0.0.0/8"], &[]);
    house.comes_from([10, 0, 0, 1]);
    house.turn_after(0);

    house.engine.board.admit(Role::PEER, Admission { allow: Some(Vec::new()), deny: Vec::new() });
    house.comes_from([10, 0, 0, 2]);
    house.turn_after(0);

    assert_eq!(house.peers(), ["10.0.0.1:40000"]);
}

#[test]
fn that_accepting_fails_is_said_once_a_second_however_often_it_is_tried() {
    let mut house = House::admitting(&[], &[]);
    let retry_ms = Limits::default().accept_retry.as_millis() as u64;
    let said = listen_to_warnings();

    // Two seconds and one more try.
    let warnings: Vec<usize> = (0..=2000 / retry_ms)
        .map(|_| {
            house.fails(ErrorKind::OutOfMemory);
            house.turn_after(retry_ms);
            said()
        })
        .collect();

    assert_eq!(house.engine.board.stats().accept_errors, 21);
    let expected = [vec![1; 10], vec![2; 10], vec![3]].concat();
    assert_eq!(warnings, expected, "how often it was said, try by try");
}

thread_local!(static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });

/// A log for each test, since each has a thread of its own.
struct Warnings;

impl log::Log for Warnings {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            WARNINGS.with_borrow_mut(|warnings| warnings.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// Tells how many warnings this test has caused.
fn listen_to_warnings() -> impl Fn() -> usize {
    static SET: Once = Once::new();
    SET.call_once(|| {
        log::set_logger(&Warnings).expect("no other test sets one");
        log::set_max_level(log::LevelFilter::Warn);
    });
    || WARNINGS.with_borrow(Vec::len)
}
