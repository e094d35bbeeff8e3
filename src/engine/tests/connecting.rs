//! Before a connection is one, and where a stream has an end of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;
use crate::address::Endpoint;
use crate::board::Running;
use crate::conn::Key;
use crate::engine::System;

/// How an address answers.
enum Answer {
    /// At once, that it cannot be.
    AtOnce(ErrorKind),
    /// Later, as the test says on the wire.
    Later,
}

use Answer::{AtOnce, Later};

/// A system in which each dial is answered as the test says, and which remembers all of them.
struct Phone {
    answers: VecDeque<Answer>,
    dialled: Vec<String>,
    wires: Vec<Wire>,
}

impl Phone {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Phone {
        Phone { answers: answers.into_iter().collect(), dialled: Vec::new(), wires: Vec::new() }
    }

    /// The far end of what was dialled last.
    fn far(&self, id: ConnId) -> Far {
        Far { id, wire: self.wires.last().expect("something was dialled").clone() }
    }
}

impl System for Phone {
    type Listener = Nobody;
    type Mail = Infallible;

    fn watch(&mut self, _stream: &mut Scripted, _key: Key) -> io::Result<()> {
        Ok(())
    }

    fn dial(&mut self, dial: &Dial, _limits: &Limits) -> io::Result<Scripted> {
        self.dialled.push(format!("{} {}", dial.id, dial.to));
        match self.answers.pop_front().expect("no more is dialled than the test knows of") {
            AtOnce(kind) => Err(kind.into()),
            Later => {
                let (stream, wire) = script();
                wire.dial_is(Outcome::Pending);
                self.wires.push(wire);
                Ok(stream)
            }
        }
    }

    fn rearm_mail(&mut self) {}

    fn next_mail(&mut self) -> Option<Infallible> {
        None
    }
}

impl Rig {
    /// Turns in which is dialled what is to be, until nothing is left to do.
    fn settle_with(&mut self, phone: &mut Phone) {
        for _ in 0..100 {
            self.engine.dial(phone);
            self.turn();
            if self.engine.is_idle() {
                return;
            }
        }
        panic!("the engine never came to rest");
    }

    fn pass_with(&mut self, ms: u64, phone: &mut Phone) {
        self.board().shared.time.pass(Duration::from_millis(ms));
        self.settle_with(phone);
    }

    fn dial_name(&mut self) -> ConnId {
        self.board().dial_later(Role::PEER, Endpoint::Host("example.org".into(), 80).into())
    }

    /// Begun, and told at once where to: at so many addresses, the first of which ends in `.1`.
    fn dial_several(&mut self, count: u8) -> ConnId {
        let id = self.dial_name();
        self.board().dial_to(id, (1..=count).map(at));
        id
    }

    fn comes_about(&mut self, far: &Far) {
        far.wire.dial_is(Outcome::Connected);
        self.note(far, WRITABLE);
    }

    fn is_refused(&mut self, far: &Far) {
        far.wire.dial_is(Outcome::Refused(ErrorKind::ConnectionRefused));
        self.note(far, EVERYTHING);
    }

    fn peer(&self, id: ConnId) -> Option<String> {
        self.engine.board.view(id).map(|view| view.peer.to_string())
    }

    /// From now on openings are written down, too: who, and where.
    fn notes_openings(&mut self) -> Rc<RefCell<Vec<String>>> {
        let opened = Rc::new(RefCell::new(Vec::new()));
        let log = opened.clone();
        self.on_opened(move |id, board| {
            let peer = board.view(id).map(|view| view.peer.to_string());
            log.borrow_mut().push(format!("{id} {}", peer.unwrap_or_default()));
        });
        opened
    }
}

fn at(last: u8) -> Address {
    Address::Tcp(([192, 0, 2, last], 80).into())
}

#[test]
fn where_the_first_address_refuses_the_second_is_tried_under_the_same_id() {
    for first in [AtOnce(ErrorKind::ConnectionRefused), Later] {
        let is_later = matches!(first, Later);
        let mut rig = Rig::new();
        let opened = rig.notes_openings();
        let mut phone = Phone::answering([first, Later]);
        let id = rig.dial_several(2);
        rig.settle_with(&mut phone);
        if is_later {
            let far = phone.far(id);
            rig.is_refused(&far);
            rig.settle_with(&mut phone);
            assert!(far.wire.is_dropped());
        }

        let far = phone.far(id);
        rig.comes_about(&far);
        rig.says(&far, "hello\n");
        rig.settle_with(&mut phone);

        assert_eq!(phone.dialled, ["#1 192.0.2.1:80", "#1 192.0.2.2:80"]);
        assert_eq!(
            (opened.take(), rig.told()),
            (vec!["#1 192.0.2.2:80".into()], vec!["#1 line hello".into()])
        );
        assert_eq!(rig.board().len(), 1);
    }
}

#[test]
fn a_dial_that_waits_for_its_addresses_is_called_as_it_was_typed_and_has_no_stream() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let mut phone = Phone::answering([Later]);
    let id = rig.dial_name();
    rig.settle_with(&mut phone);
    rig.pass_with(3900, &mut phone);
    let waiting = (rig.peer(id), rig.board().send(id, b"too early"), phone.dialled.len(), rig.told());

    rig.board().dial_to(id, [at(1)]);
    rig.board().dial_to(id, [at(2)]);
    rig.settle_with(&mut phone);
    // Its time begins anew with the address.
    rig.pass_with(3900, &mut phone);
    let far = phone.far(id);
    rig.comes_about(&far);
    rig.settle_with(&mut phone);

    assert_eq!(waiting, (Some("example.org:80".into()), Sent::Gone, 0, vec![]));
    assert_eq!(phone.dialled, ["#1 192.0.2.1:80"], "where to is said once");
    assert!(rig.board().view(id).is_some_and(|view| view.is_open && view.peer.to_string() == "192.0.2.1:80"));
    assert_eq!(rig.told(), Vec::<String>::new());
}

#[test]
fn a_dial_that_is_never_told_where_to_is_given_up_whatever_the_poller_says_of_its_key() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let mut phone = Phone::answering([]);
    let id = rig.dial_name();
    for _ in 0..39 {
        rig.engine.note(id.key, EVERYTHING);
        rig.pass_with(100, &mut phone);
    }
    let before = rig.told();

    rig.engine.note(id.key, EVERYTHING);
    rig.pass_with(200, &mut phone);

    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed cannot-connect".to_owned()]));
}

/// What `App::closed` is told when these are all the answers there are.
fn told_when_all_fail(answers: [ErrorKind; 3]) -> String {
    let mut rig = Rig::new();
    let why = Rc::new(RefCell::new(Vec::new()));
    let log = why.clone();
    rig.app.on_why = Box::new(move |why| log.borrow_mut().push(why.to_string()));
    let mut phone = Phone::answering(answers.map(AtOnce));
    rig.dial_several(3);
    rig.settle_with(&mut phone);
    assert_eq!((phone.dialled.len(), rig.told()), (3, vec!["#1 closed cannot-connect".to_owned()]));
    assert_eq!(rig.board().len(), 0);
    let why = why.borrow();
    assert_eq!(why.len(), 1);
    why[0].clone()
}

#[test]
fn where_all_addresses_fail_it_is_closed_once_with_what_says_most_of_the_peer() {
    use ErrorKind::{AddrNotAvailable, ConnectionRefused, NetworkUnreachable, PermissionDenied};
    let words = |kind: ErrorKind| io::Error::from(kind).to_string();
    for (answers, told) in [
        ([ConnectionRefused, NetworkUnreachable, PermissionDenied], ConnectionRefused),
        ([NetworkUnreachable, ConnectionRefused, PermissionDenied], ConnectionRefused),
        ([NetworkUnreachable, AddrNotAvailable, PermissionDenied], PermissionDenied),
        ([NetworkUnreachable, NetworkUnreachable, AddrNotAvailable], AddrNotAvailable),
    ] {
        assert_eq!(told_when_all_fail(answers), words(told), "{answers:?}");
    }
}

#[test]
fn without_any_address_it_cannot_be_connected() {
    let mut rig = Rig::new();
    rig.dial_several(0);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed cannot-connect"]);
}

#[test]
fn an_address_that_does_not_answer_keeps_the_next_waiting_for_its_share_and_the_last_has_all_its_time() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let mut phone = Phone::answering([Later, Later]);
    let id = rig.dial_several(2);
    rig.settle_with(&mut phone);
    let first = phone.far(id);
    rig.pass_with(900, &mut phone);
    let (dialled_early, was_dropped) = (phone.dialled.len(), first.wire.is_dropped());

    rig.pass_with(200, &mut phone);
    let second = phone.far(id);
    let moved_on = (rig.peer(id), phone.dialled.len(), first.wire.is_dropped());
    rig.pass_with(3800, &mut phone);
    let before = rig.told();
    rig.pass_with(300, &mut phone);

    assert_eq!((dialled_early, was_dropped), (1, false));
    assert_eq!(moved_on, (Some("192.0.2.2:80".into()), 2, true));
    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed cannot-connect".to_owned()]));
    assert!(second.wire.is_dropped());
}

#[test]
fn an_answer_that_waits_to_be_noticed_counts_though_the_time_of_its_address_is_over() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let mut phone = Phone::answering([Later]);
    let id = rig.dial_several(2);
    rig.settle_with(&mut phone);
    let far = phone.far(id);
    rig.comes_about(&far);

    rig.pass_with(2000, &mut phone);

    assert_eq!(rig.peer(id), Some("192.0.2.1:80".into()));
    assert!(rig.board().view(id).is_some_and(|view| view.is_open));
}

#[test]
fn one_that_is_ended_before_it_has_an_address_or_between_two_is_told_once_and_dials_no_more() {
    type End = fn(&mut Board, ConnId);
    let ends: [(End, &str); 3] = [
        (|board, id| board.hang_up(id, Reason::WeReset), "#1 closed we-reset"),
        (|board, id| board.close(id, kicked()), "#1 closed kicked"),
        (|board, _| board.stop(), "#1 closed stopping"),
    ];
    for (end, told) in ends {
        // Before it has an address.
        let mut rig = Rig::new();
        let id = rig.dial_name();
        rig.settle();
        end(rig.board(), id);
        rig.board().dial_to(id, [at(1), at(2)]);
        rig.settle_with(&mut Phone::answering([]));
        rig.board().dial_to(id, [at(1), at(2)]);
        rig.settle_with(&mut Phone::answering([]));
        assert_eq!(rig.told(), [told], "before");

        // While the first is tried, and between it and the second.
        for fails_first in [false, true] {
            let mut rig = Rig::new();
            let mut phone = Phone::answering([Later]);
            let id = rig.dial_several(2);
            rig.settle_with(&mut phone);
            if fails_first {
                let far = phone.far(id);
                rig.is_refused(&far);
                rig.turn();
                assert_eq!(rig.board().shared.work.dials.len(), 1, "the second is next");
            }
            end(rig.board(), id);
            rig.settle_with(&mut phone);
            rig.pass_with(120_000, &mut phone);

            assert_eq!((phone.dialled.len(), rig.told()), (1, vec![told.to_owned()]), "{fails_first}");
            assert!(phone.wires[0].is_dropped());
            assert_eq!(rig.board().len(), 0);
        }
    }
}

#[test]
fn what_is_told_late_of_an_address_that_failed_is_not_taken_for_the_next() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let opened = rig.notes_openings();
    let mut phone = Phone::answering([Later, Later]);
    let id = rig.dial_several(2);
    rig.settle_with(&mut phone);
    let first = phone.far(id);
    rig.is_refused(&first);
    rig.turn();

    // Before the second is dialled, while it is, and behind its deadline.
    rig.note(&first, EVERYTHING);
    rig.turn();
    rig.note(&first, EVERYTHING);
    rig.settle_with(&mut phone);
    rig.note(&first, EVERYTHING);
    rig.pass_with(3900, &mut phone);
    let before = (rig.told(), opened.borrow().len());
    let second = phone.far(id);
    rig.comes_about(&second);
    rig.says(&second, "hello\n");
    rig.settle_with(&mut phone);

    assert_eq!((before, phone.dialled.len()), ((vec![], 0), 2));
    assert_eq!((opened.take(), rig.told()), (vec!["#1 192.0.2.2:80".into()], vec!["#1 line hello".into()]));
}

#[test]
fn one_that_is_begun_after_a_stop_is_closed_as_the_others_were() {
    let mut rig = Rig::new();
    rig.board().stop();
    rig.dial_several(2);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed stopping"]);
    assert!(matches!(rig.board().running, Running::Stopping(_)));
}

#[test]
fn a_dial_that_comes_to_nothing_in_time_is_given_up() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.dial();
    let far = rig.attach_dialed();
    rig.settle();

    rig.pass(3900);
    let before = rig.told();
    rig.pass(200);

    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed cannot-connect".to_owned()]));
    assert!(far.wire.is_dropped());
}

#[test]
fn a_dial_whose_answer_waits_to_be_noticed_is_not_given_up() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.dial();
    let far = rig.attach_dialed();
    rig.settle();
    far.wire.dial_is(Outcome::Connected);
    rig.note(&far, WRITABLE);

    rig.pass(5000);

    assert_eq!(rig.told(), Vec::<String>::new());
    assert!(rig.board().view(far.id).is_some_and(|view| view.is_open));
}

#[test]
fn one_that_is_accepted_with_a_handshake_is_opened_when_that_is_done_and_has_a_time_of_its_own() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    rig.on_opened(|id, board| {
        board.send(id, b"welcome\n");
    });
    let (slow, silent) = (rig.connect_with_handshake(), rig.connect_with_handshake());
    rig.says(&slow, "hello\n");
    // The system says of every socket at first that it can be written to.
    rig.note(&silent, WRITABLE);
    rig.settle();
    let before = (slow.wire.text(), rig.told());

    slow.wire.dial_is(Outcome::Connected);
    rig.note(&slow, READABLE);
    rig.settle();
    let after = (slow.wire.text(), rig.told());
    rig.pass(3500);

    assert_eq!(before, (String::new(), vec![]));
    assert_eq!(after, ("welcome\n".to_owned(), vec!["#1 line hello".to_owned()]));
    assert_eq!(rig.told(), ["#2 closed tls-handshake"]);
    assert!(silent.wire.is_dropped());
}

#[test]
fn who_is_reached_has_the_time_of_a_handshake_anew_and_then_the_next_address_is_tried() {
    // Of several addresses each has one second to be reached, the last four, and a handshake three.
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let why = Rc::new(RefCell::new(Vec::new()));
    let log = why.clone();
    rig.app.on_why = Box::new(move |why| log.borrow_mut().push(why.to_string()));
    let mut phone = Phone::answering([Later, Later]);
    let id = rig.dial_several(2);
    rig.settle_with(&mut phone);
    for dialled in 1..=2 {
        rig.pass_with(900, &mut phone);
        let far = phone.far(id);
        far.wire.dial_is(Outcome::Reached);
        rig.note(&far, WRITABLE);
        rig.settle_with(&mut phone);
        rig.pass_with(2900, &mut phone);
        let before = (phone.dialled.len(), far.wire.is_dropped(), rig.told());
        rig.pass_with(200, &mut phone);
        assert_eq!((before, far.wire.is_dropped()), ((dialled, false, vec![]), true));
    }

    assert_eq!(phone.dialled, ["#1 192.0.2.1:80", "#1 192.0.2.2:80"]);
    assert_eq!(rig.told(), ["#1 closed cannot-connect"]);
    assert_eq!(why.take(), ["no TLS handshake: it took longer than 3s"]);
    assert_eq!(rig.board().stats().ended_tls, 1);
}

#[test]
fn an_end_that_cannot_be_sent_yet_is_sent_when_there_is_room() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.finish_fails(ErrorKind::WouldBlock);
    rig.board().send(far.id, b"last words");
    rig.board().finish(far.id);
    rig.settle();
    let before = (far.wire.text(), far.wire.is_finished(), rig.told());

    far.wire.finish_works();
    rig.note(&far, WRITABLE);
    rig.settle();

    assert_eq!(before, ("last words".to_owned(), false, vec![]));
    assert!(far.wire.is_finished());
    rig.finishes(&far);
    rig.settle();
    assert_eq!(rig.told(), ["#1 ended", "#1 closed finished"]);
}

#[test]
fn a_peer_that_does_not_even_take_our_end_is_waited_for_no_longer_than_any_other() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.finish_fails(ErrorKind::WouldBlock);

    rig.board().close(far.id, kicked());
    rig.settle();
    let before = rig.told();
    rig.pass(60_000);

    assert_eq!((before, rig.told()), (vec![], vec!["#1 closed kicked".to_owned()]));
}

#[test]
fn where_both_have_finished_and_our_end_cannot_be_sent_it_is_over_after_a_while() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.finish_fails(ErrorKind::WouldBlock);
    rig.finishes(&far);
    rig.settle();
    let before = rig.told();

    rig.pass(60_000);
    rig.pass(60_000);

    assert_eq!((before, rig.told()), (vec!["#1 ended".to_owned()], vec!["#1 closed half-open".to_owned()]));
}

#[test]
fn so_many_handshakes_go_on_in_a_turn_and_the_others_in_the_next() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let newcomers: Vec<_> = (0..5).map(|_| rig.connect_with_handshake()).collect();
    for far in &newcomers {
        far.wire.dial_is(Outcome::Connected);
        rig.note(far, READABLE);
    }
    let is_open = |rig: &mut Rig, far: &Far| rig.board().view(far.id).is_some_and(|view| view.is_open);

    let mut open = Vec::new();
    for _ in 0..3 {
        rig.turn();
        open.push(newcomers.iter().filter(|far| is_open(&mut rig, far)).count());
    }

    assert_eq!(open, [2, 4, 5]);
}
