//! What is told in figures of the peers.

use super::*;
use crate::buffer::framing::Framing;
use crate::desk::http::metrics::push_page;
use crate::modes::Console;

fn console(peers: usize) -> Rig<Console> {
    let human = Spelling::Text(Format::Human);
    let mut rig = Rig::new(Console::new(Framing::Lines), human, DeskOptions::PIPE, Limits::default());
    (0..peers).for_each(|_| {
        rig.connect();
    });
    rig
}

/// What the page says of a metric without labels.
fn figure<M: Mode>(rig: &Rig<M>, name: &str) -> u64 {
    let mut page = Vec::new();
    push_page(&mut page, &rig.hub.desks.figures(&rig.engine.board));
    let page = String::from_utf8(page).expect("it is text");
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in\n{page}")).parse().expect("a number")
}

#[test]
fn what_was_said_both_ways_and_who_is_here_is_counted() {
    let mut rig = console(3);
    rig.says(1, b"hello\n");
    rig.says(2, b"one\ntwo\n");
    rig.resets(3);
    rig.settle();
    rig.type_line("@1 welcome");
    rig.settle();

    for (name, value) in [
        ("switchboard_connections", 2),
        ("switchboard_connections_opened_total", 3),
        ("switchboard_received_bytes_total", 14),
        ("switchboard_sent_bytes_total", 8),
        ("switchboard_messages_total", 3),
        ("switchboard_queued_bytes", 0),
    ] {
        assert_eq!(figure(&rig, name), value, "{name}");
    }
}

#[test]
fn what_is_queued_counts_for_each_that_is_to_get_it_until_it_has_gone() {
    let mut rig = console(3);
    for slow in [1, 2] {
        rig.wires[&slow].stalls();
    }
    rig.type_line("@all ten bytes");
    rig.type_line("@1 more");
    rig.settle();
    assert_eq!(figure(&rig, "switchboard_queued_bytes"), 2 * 10 + 5);
    let viewed: usize = rig.engine.board.peers().map(|view| view.queued_bytes).sum();
    assert_eq!(viewed, 25, "as each is seen by itself");

    rig.wires[&1].takes_all();
    rig.note(1, WRITABLE);
    rig.settle();
    assert_eq!(figure(&rig, "switchboard_queued_bytes"), 10);

    rig.resets(2);
    rig.settle();
    assert_eq!(figure(&rig, "switchboard_queued_bytes"), 0, "what is lost is queued no more");
}
