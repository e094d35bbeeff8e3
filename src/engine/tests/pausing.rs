//! One connection that is paused, and its timer.

use super::*;
use crate::clock::Moment;

#[test]
fn of_one_that_is_paused_nothing_is_heard_until_it_is_resumed_and_then_all_in_order() {
    let mut rig = Rig::new();
    let (far, other) = (rig.connect(), rig.connect());
    rig.on_received(|id, line, board| {
        if line == b"two" {
            board.pause(id);
        }
    });

    rig.says(&far, "one\ntwo\nthree\nfour\nbegun");
    rig.says(&other, "hello\n");
    rig.settle();
    let at_first = rig.told();
    rig.says(&far, " and ended\nlast\n");
    rig.pass(60_000);
    let while_paused = rig.told();
    let is_paused = rig.board().view(far.id).is_some_and(|view| view.is_paused);
    rig.board().resume(far.id);
    rig.settle();

    assert_eq!(at_first, ["#1 line one", "#1 line two", "#2 line hello"]);
    assert_eq!((while_paused, is_paused), (vec![], true));
    assert_eq!(rig.told(), ["#1 line three", "#1 line four", "#1 line begun and ended", "#1 line last"]);
}

#[test]
fn a_paused_peer_has_to_wait_since_it_is_not_read() {
    let mut rig = Rig::with(small(), Framing::Lines, Backpressure::None);
    let far = rig.connect();
    rig.board().pause(far.id);

    for _ in 0..20 {
        rig.says(&far, &"x\n".repeat(32));
        rig.settle();
    }

    assert_eq!(far.wire.read_bytes(), 0);
    rig.board().resume(far.id);
    rig.settle();
    assert_eq!(rig.told().len(), 640);
}

#[test]
fn the_end_of_a_paused_peer_is_told_behind_what_it_said() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.on_received(|id, line, board| {
        if line == b"one" {
            board.pause(id);
        }
    });
    far.wire.arrives(b"one\ntwo\nthree");
    rig.finishes(&far);
    rig.settle();
    let while_paused = rig.told();

    far.wire.gets([Get::Eof]);
    rig.board().resume(far.id);
    rig.settle();

    assert_eq!(while_paused, ["#1 line one"]);
    assert_eq!(rig.told(), ["#1 line two", "#1 Gone three", "#1 ended", "#1 closed finished"]);
}

#[test]
fn what_a_paused_peer_had_said_is_heard_when_it_is_closed_or_lost() {
    for ends in [
        (|rig: &mut Rig, far: &Far| rig.board().close(far.id, kicked())) as fn(&mut Rig, &Far),
        |rig, far| rig.board().hang_up(far.id, Reason::WeReset),
    ] {
        let mut rig = Rig::new();
        let far = rig.connect();
        rig.on_received(|id, line, board| {
            if line == b"one" {
                board.pause(id);
            }
        });
        rig.says(&far, "one\ntwo\nthree");
        rig.settle();
        rig.told();

        ends(&mut rig, &far);
        rig.settle();
        rig.pass(60_000);

        assert_eq!(rig.told()[..2], ["#1 line two", "#1 Gone three"]);
    }
}

/// Its reset is announced before or after it is paused, behind a FIN or not; or we find out by writing to it.
#[test]
fn a_paused_peer_that_breaks_is_heard_to_its_end_and_not_paused_any_more() {
    let breaks: [fn(&mut Rig, &Far); 4] = [
        |rig, far| {
            rig.settle();
            far.wire.is_befallen_by(ErrorKind::ConnectionReset);
            rig.resets(far);
        },
        |rig, far| {
            far.wire.is_befallen_by(ErrorKind::ConnectionReset);
            rig.resets(far);
        },
        |rig, far| {
            far.wire.gets([Get::Eof]);
            far.wire.is_befallen_by(ErrorKind::ConnectionReset);
            rig.note(far, EVERYTHING);
        },
        |rig, far| {
            rig.settle();
            far.wire.gets([Get::Fail(ErrorKind::ConnectionReset)]);
            far.wire.breaks(ErrorKind::BrokenPipe);
            rig.board().send(far.id, b"hello");
        },
    ];
    for (number, breaks) in breaks.into_iter().enumerate() {
        let mut rig = Rig::new();
        let far = rig.connect();
        rig.on_received(|id, _, board| board.pause(id));

        rig.says(&far, "one\ntwo\nthree");
        breaks(&mut rig, &far);
        rig.settle();

        assert_eq!(
            rig.told(),
            ["#1 line one", "#1 line two", "#1 Gone three", "#1 closed reset"],
            "{number}"
        );
    }
}

#[test]
fn a_paused_peer_that_says_something_is_not_idle() {
    let limits = Limits { idle_max: Some(Duration::from_secs(5)), ..Limits::default() };
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    let far = rig.connect();
    rig.board().pause(far.id);
    rig.says(&far, "hello\n");

    rig.pass(6000);
    rig.pass(6000);

    assert_eq!(rig.told(), Vec::<String>::new());
    rig.board().resume(far.id);
    rig.settle();
    assert_eq!(rig.told(), ["#1 line hello"]);
}

#[test]
fn a_timer_comes_once_when_it_is_due_and_never_for_one_that_has_left() {
    let mut rig = Rig::new();
    let (first, second, leaves) = (rig.connect(), rig.connect(), rig.connect());
    let at = |rig: &mut Rig, ms| rig.board().now() + Duration::from_millis(ms);
    for (far, ms) in [(&first, 100), (&second, 300), (&leaves, 100)] {
        let when = at(&mut rig, ms);
        rig.board().set_timer(far.id, when);
    }
    let when = at(&mut rig, 200);
    rig.board().set_timer(first.id, when);
    rig.board().hang_up(leaves.id, Reason::WeReset);
    rig.settle();
    rig.told();

    rig.pass(150);
    let early = rig.told();
    rig.pass(100);
    let due = rig.told();
    rig.board().clear_timer(second.id);
    rig.pass(1000);

    assert_eq!((early, due, rig.told()), (vec![], vec!["#1 timer".to_owned()], vec![]));
}

/// Pauses each time that it hears something.
fn pauses_always(limits: Limits) -> Rig {
    let mut rig = Rig::with(limits, Framing::Lines, Backpressure::None);
    rig.on_received(|id, _, board| board.pause(id));
    rig
}

#[test]
fn one_that_is_resumed_for_each_line_says_all_of_them_in_order() {
    let mut rig = pauses_always(small());
    let far = rig.connect();
    let lines: Vec<String> = (0..100).map(|number| "y".repeat(number)).collect();
    let said = lines.join("\n") + "\n";
    rig.says(&far, &said);
    rig.settle();

    let mut heard = String::new();
    while rig.board().view(far.id).is_some_and(|view| view.is_paused) {
        for told in rig.told() {
            heard += &match told.strip_prefix("#1 line ") {
                Some(line) => format!("{line}\n"),
                None => told["#1 Limit ".len()..].to_owned(),
            };
        }
        rig.board().resume(far.id);
        rig.settle();
    }

    assert_eq!(heard, said);
}

#[test]
fn one_that_is_paused_for_each_line_is_heard_to_its_last_word_when_it_is_lost() {
    let mut rig = pauses_always(Limits::default());
    let far = rig.connect();
    far.wire.arrives(b"one\ntwo\nthree\nbegun");

    rig.resets(&far);
    rig.settle();

    let told = rig.told();
    assert_eq!(told, ["#1 line one", "#1 line two", "#1 line three", "#1 Gone begun", "#1 closed reset"]);
}

#[test]
fn an_idle_peer_is_no_idle_one_while_what_it_said_is_kept() {
    let limits = Limits { idle_max: Some(Duration::from_secs(5)), ..Limits::default() };
    let mut rig = pauses_always(limits);
    let far = rig.connect();
    rig.says(&far, "one\ntwo\n");

    rig.pass(6000);
    rig.pass(6000);

    assert_eq!(rig.told(), ["#1 line one"]);
    rig.board().resume(far.id);
    rig.settle();
    assert_eq!(rig.told(), ["#1 line two"]);
}

#[test]
fn a_dial_that_was_paused_and_resumed_and_could_not_begin_is_closed() {
    let mut rig = Rig::new();
    let id = rig.dial();
    rig.board().pause(id);
    rig.board().resume(id);
    rig.board().shared.work.dials.clear();

    rig.board().hang_up(id, Reason::CannotConnect(ErrorKind::NotFound.into()));
    rig.settle();

    assert_eq!(rig.told(), ["#1 closed cannot-connect"]);
}

#[test]
fn a_timer_that_is_set_again_in_the_past_keeps_no_other_from_coming() {
    let mut rig = Rig::new();
    let (first, second) = (rig.connect(), rig.connect());
    let now = rig.board().now();
    for far in [&first, &second] {
        rig.board().set_timer(far.id, now);
    }
    rig.app.on_timer = Box::new(|id, board| {
        if id.serial() == 1 {
            board.set_timer(id, Moment::default());
        }
    });

    rig.engine.serve(&mut rig.app);

    assert_eq!(rig.told(), ["#1 timer", "#2 timer"]);
}
