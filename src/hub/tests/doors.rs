//! Who comes in, as the desk sees it: what strangers speak, and who is turned away.

use super::*;
use crate::buffer::framing::Framing;
use crate::modes::Console;

const HELLO: &[u8] = &[22, 3, 1, 1, 0x2e, 1, 0, 1, 0x2a, 3, 3];

fn console(limits: Limits) -> Rig<Console> {
    let spelling = Spelling::Text(Format::Human);
    Rig::new(Console::new(Framing::Lines), spelling, DeskOptions::PIPE, limits)
}

/// What is told of what somebody speaks.
fn spoken(rig: &mut Rig<Console>) -> Vec<String> {
    rig.settle();
    rig.shown().events.into_iter().filter(|event| event.contains("speaks")).collect()
}

#[test]
fn only_the_first_bytes_are_looked_at_and_those_of_who_is_linked_are_not() {
    let mut rig = console(Limits::default());
    (1..=4).for_each(|serial| assert_eq!(rig.connect(), serial));
    rig.reply_to("/link 3 4");

    rig.says(1, HELLO);
    rig.says(2, b"hello\n");
    rig.says(3, HELLO);
    let at_first = spoken(&mut rig);
    rig.reply_to("/unlink 3");
    (1..=3).for_each(|serial| rig.says(serial, HELLO));
    let later = spoken(&mut rig);
    rig.says(4, b"GET / HTTP/1.1\r\n\r\n");
    let unlinked = spoken(&mut rig);

    assert_eq!(at_first, ["* #1 it speaks TLS (this port is plain)"]);
    assert_eq!(later, Vec::<String>::new());
    assert_eq!(unlinked, ["* #4 it speaks HTTP"]);
}

#[test]
fn a_hello_that_has_no_line_in_it_is_told_before_any_silence_shows_it() {
    let mut rig = console(Limits::default());
    rig.connect();
    rig.shown();

    rig.says(1, HELLO);
    rig.turn();

    assert_eq!(rig.shown().events, ["* #1 it speaks TLS (this port is plain)"]);
}

#[test]
fn each_reason_to_turn_somebody_away_is_told_apart_and_gathered() {
    let limits =
        Limits { source_conns_max: Some(2), source_rate_max: Some(5), conns_max: 3, ..Limits::default() };
    let mut rig = console(limits);
    let comes_from = |rig: &mut Rig<Console>, last: u8, count: usize| {
        for _ in 0..count {
            let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 1024);
            rig.knocking.borrow_mut().push_back((script().0, Peer::V4(address)));
        }
    };
    // Of eight of the first two are let in, three are too many, three too fast; of the second's two there is room for one.
    comes_from(&mut rig, 1, 8);
    comes_from(&mut rig, 2, 2);
    rig.engine.note_pending(0);
    rig.settle();
    let at_once = rig.shown().events;

    rig.pass(1000);
    let told = rig.shown().events;
    rig.pass(5000);

    assert_eq!(at_once.len(), 3, "{at_once:?}");
    assert_eq!(
        told,
        [
            "* 1 turned away in the last second: full",
            "* 3 turned away in the last second: too many from one address",
            "* 3 turned away in the last second: too fast",
        ]
    );
    assert_eq!(rig.shown().events, Vec::<String>::new());
}
