//! Connections that we begin, over real sockets and with real names: at several addresses, and before they are known.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use switchboard::{
    Address, App, Board, ConnId, Endpoint, Frame, Limits, Mailbox, Peer, Reactor, Reason, Role,
    resolve_in_background,
};

/// What a name was found to be.
type Found = io::Result<Vec<Address>>;

/// Writes down what becomes of its dials, and stops when one has ended or been opened.
struct Caller {
    dialled: Option<ConnId>,
    told: Vec<String>,
    turns: usize,
}

impl App for Caller {
    type Message = Found;

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        let peer = board.view(id).map(|view| view.peer.to_string()).unwrap_or_default();
        self.told.push(format!("{id} opened {peer}"));
        board.stop();
    }

    fn received(&mut self, _id: ConnId, _frame: Frame<'_>, _board: &mut Board) {}

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        self.told.push(format!("{id} closed {}", why.code()));
        board.stop();
    }

    fn message(&mut self, found: Found, board: &mut Board) {
        let id = self.dialled.expect("a name is looked up for one that was dialled");
        match found {
            Ok(addresses) => board.dial_to(id, addresses),
            Err(error) => board.hang_up(id, Reason::CannotConnect(error)),
        }
    }

    fn turn_ended(&mut self, _board: &mut Board) {
        self.turns += 1;
    }
}

/// Dials and runs until it is known what became of it.
fn call(dial: impl FnOnce(&mut Board, Mailbox<Found>) -> ConnId) -> Caller {
    let (mut reactor, mailbox) = Reactor::new(Limits::default()).unwrap();
    let dialled = Some(dial(reactor.board(), mailbox));
    reactor.run(Caller { dialled, told: Vec::new(), turns: 0 }).unwrap()
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

/// A name, looked up meanwhile.
fn call_by_name(name: &str, port: u16) -> Caller {
    let endpoint = Endpoint::Host(name.to_owned(), port);
    assert_eq!(endpoint.literal(), None);
    call(|board, mailbox| {
        resolve_in_background(endpoint.clone(), mailbox, |found| found).unwrap();
        board.dial_later(Role::PEER, Peer::from(endpoint))
    })
}

#[test]
fn where_the_first_address_refuses_the_second_is_connected() {
    let (listener, here) = listener();
    // All of 127/8 is this machine, and there nobody listens.
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], here.port()));

    let caller = call(|board, _| {
        let id = board.dial_later(Role::PEER, Peer::from(here));
        board.dial_to(
            id,
            [Address::Tcp(elsewhere), Address::Unix("/nowhere/at/all".into()), Address::Tcp(here)],
        );
        id
    });

    assert_eq!(caller.told, [format!("#1 opened {here}"), "#1 closed stopping".into()]);
    listener.accept().unwrap();
}

#[test]
fn where_all_addresses_refuse_it_is_closed_once() {
    let (_listener, here) = listener();
    let elsewhere = [2, 3].map(|last| SocketAddr::from(([127, 0, 0, last], here.port())));

    let caller = call(|board, _| {
        let id = board.dial_later(Role::PEER, Peer::from(here));
        board.dial_to(id, elsewhere.map(Address::Tcp));
        id
    });

    assert_eq!(caller.told, ["#1 closed cannot-connect"]);
    assert!(caller.turns < 20, "the loop did not wait for the answers: {} turns", caller.turns);
}

#[test]
fn a_name_is_looked_up_while_the_loop_runs_and_then_connected() {
    let (listener, here) = listener();

    let caller = call_by_name("localhost", here.port());

    assert_eq!(caller.told, [format!("#1 opened {here}"), "#1 closed stopping".into()]);
    listener.accept().unwrap();
}

/// RFC 6761, 6.4: no name under `.invalid` is ever found, be it that nobody is there to be asked.
#[test]
fn a_name_that_is_not_found_cannot_be_connected() {
    let caller = call_by_name("no-such-host.invalid", 80);

    assert_eq!(caller.told, ["#1 closed cannot-connect"]);
}

#[test]
fn many_names_are_looked_up_at_once_and_each_is_told_of() {
    const NAMES: usize = 100;
    struct Counter(usize);
    impl App for Counter {
        type Message = Found;
        fn received(&mut self, _id: ConnId, _frame: Frame<'_>, _board: &mut Board) {}
        fn message(&mut self, found: Found, board: &mut Board) {
            assert!(!found.unwrap().is_empty());
            self.0 += 1;
            if self.0 == NAMES {
                board.stop();
            }
        }
    }
    let (reactor, mailbox) = Reactor::new(Limits::default()).unwrap();
    for port in 0..NAMES {
        let endpoint = Endpoint::Host("localhost".into(), port as u16);
        resolve_in_background(endpoint, mailbox.clone(), |found| found).unwrap();
    }

    let Counter(found) = reactor.run(Counter(0)).unwrap();

    assert_eq!(found, NAMES);
}

#[test]
fn what_is_found_when_the_loop_has_ended_is_dropped_and_stops_no_thread() {
    let (reactor, mailbox) = Reactor::<Found>::new(Limits::default()).unwrap();
    drop(reactor);
    let (told, hear) = channel();

    resolve_in_background(Endpoint::Host("localhost".into(), 1), mailbox, move |found| {
        told.send(thread::current().name().map(str::to_owned)).unwrap();
        found
    })
    .unwrap();

    let name = hear.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(name.as_deref(), Some("resolver"));
}
