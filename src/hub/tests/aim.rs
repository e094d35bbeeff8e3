//! Whom a text reaches, whatever happens between the line and its sending.

use super::*;
use crate::buffer::framing::Framing;
use crate::modes::Console;

#[test]
fn a_text_that_waits_for_a_slow_peer_goes_to_it_whoever_speaks_meanwhile() {
    let limits = Limits { keeps_up_window: Duration::from_secs(3600), ..Limits::default() };
    let spelling = Spelling::Text(Format::Human);
    let mut rig = Rig::new(Console::new(Framing::Lines), spelling, DeskOptions::PIPE, limits);
    let (slow, other) = (rig.connect(), rig.connect());
    rig.says(slow, b"first\n");
    rig.settle();
    rig.wires[&slow].stalls();
    rig.type_line(format!("@{slow} {}", "x".repeat(1 << 20)));
    rig.settle();
    rig.shown();

    rig.type_line("for the first");
    rig.settle();
    assert_eq!(rig.replied(), "", "it waits");
    rig.says(other, b"second\n");
    rig.settle();
    rig.wires[&slow].takes_all();
    rig.note(slow, EVERYTHING);
    rig.settle();

    assert_eq!(rig.replied(), format!("-> #{slow} 14 bytes\n"));
    assert_eq!(rig.got(other), b"");
    assert!(rig.got(slow).ends_with(b"x\nfor the first\n"));
}
