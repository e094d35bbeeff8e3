//! A file on its way: nothing gets in between, whoever says it and to however many.

use super::*;
use crate::buffer::framing::Framing;
use crate::modes::Console;
use crate::reactor::Reactor;

/// A console to whose first connection a file is on its way, which is never read any further.
fn with_file_under_way(spelling: Spelling, options: DeskOptions) -> Rig<Console> {
    let mut rig = Rig::new(Console::new(Framing::Lines), spelling, options, Limits::default());
    let (_, mailbox) = Reactor::new(Limits::default()).unwrap();
    rig.hub.desks.mailbox = Some(mailbox);
    (1..=2).for_each(|serial| assert_eq!(rig.connect(), serial));
    let mut session = Session::new(FIRST_DESK, None, Aim::Last, false, false);
    let asked = crate::hub::send::Asked { line: b"", reference: None };
    let to = crate::desk::To::One(1);
    rig.hub.desks.send_file(&mut session, to, b"Cargo.toml", asked, &mut rig.engine.board).unwrap();
    rig.shown();
    rig
}

#[test]
fn on_a_terminal_what_is_sent_to_several_does_not_get_into_a_file() {
    let options = DeskOptions { waits_for_slow: false, ..DeskOptions::PIPE };
    let mut rig = with_file_under_way(Spelling::Text(Format::Human), options);

    for (line, reply) in [
        ("@1 text", "cannot send to #1: a file is on its way to it\n"),
        ("@1,1 text", "cannot send to #1: a file is on its way to it\n"),
        ("@1,2 text", "-> #2 5 bytes; #1 was not sent it: a file is on its way to it\n"),
        ("/hex @1,2 41", "-> #2 1 byte; #1 was not sent it: a file is on its way to it\n"),
        ("@all text", "cannot send to all: a file is on its way to somebody\n"),
    ] {
        assert_eq!(rig.reply_to(line).0, reply);
    }

    assert_eq!((rig.got(1), rig.got(2)), (vec![], b"text\nA".to_vec()));
}

#[test]
fn a_program_is_told_who_did_not_get_it_since_a_file_is_on_its_way() {
    let mut rig = with_file_under_way(Spelling::Json, DeskOptions::PIPE);

    let (reply, _) = rig.reply_to(r#"{"cmd":"send","to":[1,2],"text":"text"}"#);

    assert!(reply.ends_with(",\"queued\":1,\"bytes\":5,\"full\":[1]}\n"), "{reply}");
    assert_eq!((rig.got(1), rig.got(2)), (vec![], b"text\n".to_vec()));
}

#[test]
fn what_is_repeated_does_not_get_into_a_file() {
    let mut rig = with_file_under_way(Spelling::Text(Format::Human), DeskOptions::PIPE);
    for line in ["/every 1s @1 one", "/every 1s @1,2 several", "/every 1s @all all"] {
        rig.reply_to(line);
    }

    rig.pass(1000);
    rig.pass(1000);

    assert_eq!(rig.got(1), b"");
    assert_eq!(rig.got(2), b"several\nseveral\n");
}
