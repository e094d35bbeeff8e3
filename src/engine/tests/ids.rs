//! Ids, stale events, and dialling.

use crate::conn::Key;

use super::*;

#[test]
fn an_id_is_never_reused_though_its_place_is() {
    let mut rig = Rig::new();
    let old = rig.connect();
    rig.board().hang_up(old.id, kicked());
    rig.settle();

    let new = rig.connect();
    let sent = rig.board().send(old.id, b"for the old one");
    rig.board().finish(old.id);
    rig.board().close(old.id, kicked());
    rig.board().hang_up(old.id, kicked());
    rig.board().broadcast(Some(old.id), &[b"to all"]);
    rig.settle();

    assert_eq!((old.id.key, new.id.key, new.id.serial()), (Key(0), Key(0), 2), "the place is reused");
    assert_eq!((sent, new.wire.text().as_str(), new.wire.is_finished()), (Sent::Gone, "to all", false));
    assert_eq!((rig.told(), rig.board().find(1)), (vec!["#1 closed kicked".to_owned()], None));
}

#[test]
fn who_stays_is_found_and_closed_by_a_stop_however_many_have_come_and_gone() {
    let mut rig = Rig::new();
    let staying = [rig.connect(), rig.connect(), rig.connect()];

    for _ in 0..200 {
        let leaving = rig.connect();
        rig.board().hang_up(leaving.id, kicked());
        rig.settle();
    }
    rig.told();

    let found = [1, 2, 3].map(|serial| rig.board().find(serial));
    assert_eq!(found, staying.each_ref().map(|far| Some(far.id)));
    let listed: Vec<u64> = rig.board().views().map(|view| view.id.serial()).collect();
    assert_eq!(listed, [1, 2, 3]);
    rig.board().stop();
    rig.settle();
    let told_of_it = staying.map(|far| far.wire.is_finished());
    assert_eq!(told_of_it, [true; 3], "who was sent our FIN");
}

#[test]
fn an_event_for_somebody_who_has_left_harms_nobody() {
    let mut rig = Rig::new();
    let old = rig.connect();
    rig.board().hang_up(old.id, kicked());
    rig.settle();
    rig.note(&old, EVERYTHING);
    rig.settle();
    let after_the_stale_event = rig.told();

    let new = rig.connect();
    rig.note(&old, EVERYTHING);
    rig.settle();
    rig.says(&new, "hello\n");
    rig.settle();

    assert_eq!(after_the_stale_event, ["#1 closed kicked"]);
    assert_eq!(rig.told(), ["#2 line hello"]);
}

#[test]
fn deadlines_of_somebody_who_has_left_do_not_touch_who_came_after() {
    let mut rig = Rig::new();
    let old = rig.connect();
    rig.says(&old, "part");
    rig.settle();
    rig.board().hang_up(old.id, kicked());
    rig.settle();
    rig.told();

    rig.pass(100);
    let new = rig.connect();
    rig.says(&new, "new part");
    rig.settle();
    rig.pass(150);
    let early = rig.told();
    rig.pass(50);

    assert_eq!((early, rig.told()), (vec![], vec!["#2 Silence new part".to_owned()]));
}

#[test]
fn who_takes_the_place_of_a_flood_gets_one_budget_a_turn() {
    let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
    let flood = rig.connect();
    rig.board().hold_reading(true);
    rig.says(&flood, &"x".repeat(1000));
    rig.board().hang_up(flood.id, kicked());
    rig.settle();
    let heir = rig.connect();
    rig.says(&heir, &"y".repeat(1000));

    rig.board().hold_reading(false);
    let read = [(); 3].map(|()| {
        let before = heir.wire.read_bytes();
        rig.turn();
        heir.wire.read_bytes() - before
    });

    assert_eq!((heir.id.key, read), (flood.id.key, [64; 3]), "bytes read turn by turn");
}

#[test]
fn a_dialled_connection_opens_when_it_comes_about() {
    let mut rig = Rig::new();
    rig.on_opened(|id, board| {
        board.send(id, b"hello");
    });
    let id = rig.dial();
    let far = rig.attach_dialed();
    rig.note(&far, WRITABLE);
    rig.settle();
    let sent_early = rig.board().send(id, b"too early");

    far.wire.dial_is(Outcome::Connected);
    far.wire.arrives(b"hi\n");
    rig.note(&far, WRITABLE);
    rig.settle();

    assert_eq!((sent_early, far.wire.text().as_str()), (Sent::Gone, "hello"));
    assert_eq!(rig.told(), ["#1 line hi"]);
}

#[test]
fn a_dialled_connection_that_never_comes_about_is_closed_once() {
    let mut rig = Rig::new();
    rig.dial();
    let far = rig.attach_dialed();

    far.wire.dial_is(Outcome::Refused(ErrorKind::ConnectionRefused));
    rig.note(&far, EVERYTHING);
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed cannot-connect"]);
    assert_eq!((rig.board().len(), rig.board().audience()), (0, 0));
}

#[test]
fn a_dialled_connection_may_be_given_up_before_it_has_a_stream() {
    let mut rig = Rig::new();
    let id = rig.dial();

    rig.board().hang_up(id, kicked());
    rig.turn();

    assert_eq!(rig.told(), ["#1 closed kicked"]);
    assert!(
        rig.board().shared.work.dials.is_empty(),
        "it would be given a stream, at a place that is free again"
    );
}

#[test]
fn a_dialled_connection_is_idle_from_when_it_came_about() {
    let limits = Limits { idle_max: Some(Duration::from_secs(5)), ..small() };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    rig.dial();
    let far = rig.attach_dialed();
    rig.pass(3500);

    far.wire.dial_is(Outcome::Connected);
    rig.note(&far, WRITABLE);
    rig.settle();
    let before = rig.told();
    rig.pass(4900);
    let later = rig.told();
    rig.pass(200);

    assert_eq!((before, later, rig.told()), (vec![], vec![], vec!["#1 closed idle".to_owned()]));
}
