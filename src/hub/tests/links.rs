//! Links and the tap, as the desk sees them: who waits for nobody, what is told, and who may not be linked. What the
//! bytes do is the engine's, and held by its tests.

use super::*;
use crate::address::{Address, Endpoint};
use crate::buffer::framing::{Delimiter, Framing};
use crate::modes::{Console, Echo, Heard, Tap};

const HUMAN: Spelling = Spelling::Text(Format::Human);

/// Where a server of these tests listens.
const OURS: &str = "127.0.0.1:5000";

fn console(spelling: Spelling) -> Rig<Console> {
    Rig::new(Console::new(Framing::Lines), spelling, DeskOptions::PIPE, Limits::default())
}

fn tap(target: &str, spelling: Spelling, is_quiet: bool) -> Rig<Tap> {
    let options = DeskOptions { tracks_pending: false, ..DeskOptions::PIPE };
    let target = Endpoint::parse(target).unwrap();
    let mut rig = Rig::new(
        Tap::new(target, Framing::Lines, if is_quiet { Heard::Unheard } else { Heard::Shown }),
        spelling,
        options,
        Limits::default(),
    );
    rig.hub.desks().own = ours();
    rig
}

fn ours() -> Own {
    Own::of(vec![at(OURS), at("unix:/run/ours")])
}

fn at(address: &str) -> Address {
    Endpoint::parse(address).unwrap().literal().unwrap()
}

/// An event of JSON, without its number and its time.
fn plain(event: &str) -> String {
    let (kind, rest) = event.split_once(",\"seq\":").unwrap();
    let (_, rest) = rest.split_once(",\"ts\":\"").unwrap();
    format!("{kind}{}", &rest[rest.find('"').unwrap() + 1..])
}

fn plain_events<M: Mode>(rig: &mut Rig<M>) -> Vec<String> {
    rig.shown().events.iter().map(|event| plain(event)).collect()
}

#[test]
fn who_is_linked_waits_for_nobody_until_it_is_linked_no_more() {
    let mut rig = console(HUMAN);
    (1..=3).for_each(|serial| assert_eq!(rig.connect(), serial));
    rig.says(1, b"before\n");
    rig.settle();
    rig.reply_to("/link 1 2");

    rig.says(1, b"to 2\n");
    rig.says(2, b"to 1\n");
    rig.says(3, b"to nobody\n");
    rig.settle();
    rig.shown();
    let (linked, _) = rig.reply_to("/pending");
    rig.reply_to("/unlink 2");
    rig.says(2, b"to you\n");
    rig.settle();
    rig.shown();
    let (parted, _) = rig.reply_to("/pending");

    assert!(linked.starts_with("#3 waits ") && linked.lines().count() == 1, "{linked}");
    assert!(parted.lines().count() == 2 && parted.contains("#2 waits "), "{parted}");
}

#[test]
fn an_echo_sends_nothing_back_of_what_goes_over_a_link() {
    let mut rig = Rig::new(Echo::default(), HUMAN, DeskOptions::PIPE, Limits::default());
    (1..=2).for_each(|serial| assert_eq!(rig.connect(), serial));
    rig.reply_to("/link 1 2");
    rig.says(1, b"to 2\n");
    rig.settle();
    assert_eq!((rig.got(1), rig.got(2)), (vec![], b"to 2\n".to_vec()));

    rig.reply_to("/unlink 1");
    rig.says(1, b"to me\n");
    rig.settle();

    assert_eq!((rig.got(1), rig.got(2)), (b"to me\n".to_vec(), b"to 2\n".to_vec()));
}

#[test]
fn the_end_of_who_is_linked_is_told_without_a_time_and_finishes_nothing_here() {
    let mut rig = console(HUMAN);
    (1..=4).for_each(|serial| assert_eq!(rig.connect(), serial));
    rig.finishes(3);
    rig.settle();
    rig.reply_to("/link 1 2");
    rig.reply_to("/link 3 4");
    rig.shown();
    rig.post(Mail::Stdin(Chunk::Ended(None)));
    rig.finishes(1);
    rig.settle();

    assert_eq!(rig.shown().events, ["* #1 has finished sending (it may have left)"]);
    for serial in [1, 3] {
        assert!(!rig.wires[&serial].is_finished(), "our side of #{serial} is what its mate makes of it");
    }
}

#[test]
fn programs_are_told_what_was_passed_on_to_whom_byte_for_byte() {
    let mut rig = console(Spelling::Json);
    (1..=3).for_each(|serial| assert_eq!(rig.connect(), serial));
    rig.reply_to(r#"{"cmd":"link","ids":[1,2]}"#);
    rig.shown();

    rig.says(1, b"hello\r\n\xff\n");
    rig.settle();
    rig.says(2, b"pass");
    rig.settle();
    rig.pass(1000);
    rig.says(3, b"alone\n");
    rig.settle();

    assert_eq!(
        plain_events(&mut rig),
        [
            r#"{"ev":"msg","id":1,"text":"hello","end":"\r\n"}"#,
            r#"{"ev":"sent","ids":[2],"text":"hello\r\n","by":"link"}"#,
            r#"{"ev":"msg","id":1,"b64":"/w=="}"#,
            r#"{"ev":"sent","ids":[2],"b64":"/wo=","by":"link"}"#,
            r#"{"ev":"msg","id":2,"text":"pass","part":"silence"}"#,
            r#"{"ev":"sent","ids":[1],"text":"pass","by":"link"}"#,
            r#"{"ev":"msg","id":3,"text":"alone"}"#,
        ]
    );
    rig.reply_to(r#"{"cmd":"close","to":2,"how":"eof"}"#);
    rig.shown();
    rig.says(1, b"too late\n");
    rig.settle();
    assert_eq!(plain_events(&mut rig), [r#"{"ev":"msg","id":1,"text":"too late"}"#]);
}

#[test]
fn what_frames_a_message_is_told_with_it() {
    let framing = Framing::Delimited(Delimiter::Nul);
    // The ending of what is typed is another matter.
    let options = DeskOptions { envelope: crate::buffer::framing::Envelope::CrLf, ..DeskOptions::PIPE };
    let mut rig = Rig::new(Console::new(framing), Spelling::Json, options, Limits::default());
    (1..=2).for_each(|serial| assert_eq!(rig.connect(), serial));
    rig.reply_to(r#"{"cmd":"link","ids":[2,1]}"#);
    rig.shown();

    rig.says(2, b"one\0");
    rig.settle();

    let sent = r#"{"ev":"sent","ids":[1],"text":"one\u0000","by":"link"}"#;
    assert_eq!(plain_events(&mut rig), [r#"{"ev":"msg","id":2,"text":"one"}"#, sent]);
}

#[test]
fn people_read_once_what_is_passed_on_and_see_who_is_linked() {
    let mut rig = console(HUMAN);
    (1..=2).for_each(|serial| assert_eq!(rig.connect(), serial));
    rig.reply_to("/name 1 lab-a");
    let (linked, _) = rig.reply_to("/link 1 2");
    rig.shown();
    rig.says(1, b"hello\n");
    rig.settle();

    assert_eq!(linked, "-> #1 lab-a and #2 are linked\n");
    assert_eq!(rig.shown().events, ["#1 lab-a> hello"]);
    let (who, _) = rig.reply_to("/who");
    assert!(who.contains(",linked:#2\n") && who.contains(",linked:#1\n"), "{who}");
    rig.resets(2);
    rig.settle();
    let (who, _) = rig.reply_to("/who lab-a");
    assert!(!who.contains("linked"), "{who}");
}

#[test]
fn h57_who_leads_back_to_this_server_is_not_linked() {
    let mut rig = console(HUMAN);
    rig.hub.desks().own = ours();
    let typed = ["/dial 127.0.0.1:5000", "/dial 127.0.0.1:5001", "/dial unix:/run/ours"];
    typed.iter().for_each(|line| drop(rig.reply_to(line)));
    rig.answers(Answer::Connected);
    rig.settle();
    assert_eq!(rig.connect(), 4);
    let refused = |serial: u64| {
        format!("cannot link #{serial}: it leads to this server itself, so bytes would go in a circle\n")
    };

    // The one is connected, the others are not yet.
    assert_eq!(rig.reply_to("/link 4 1").0, refused(1));
    assert_eq!(rig.reply_to("/link 3 4").0, refused(3));
    assert_eq!(rig.reply_to("/link 2 4").0, "-> #2 and #4 are linked\n");
}

#[test]
fn h57_of_a_name_it_counts_which_of_its_addresses_has_answered() {
    let mut rig = console(HUMAN);
    rig.hub.desks().own = ours();
    let named = Peer::from(Endpoint::parse("localhost:5000").unwrap());
    for _ in 0..2 {
        let id = rig.engine.board.dial_later(Role::PEER, named.clone());
        rig.hub.desks().dialled.insert(id.serial());
        rig.post(Mail::Resolved(id, Ok(vec![at("127.0.0.9:5000"), at(OURS)])));
    }
    rig.settle();
    assert_eq!(rig.connect(), 3);
    assert!(rig.reply_to("/link 1 3").0.starts_with("cannot link #1: it leads to"), "it may yet");

    rig.answers(Answer::Connected);
    rig.settle();
    rig.shown();

    assert_eq!(rig.reply_to("/link 1 3").0, "-> #1 and #3 are linked\n", "the first address has answered");
}

#[test]
fn each_newcomer_of_a_tap_has_a_connection_of_its_own_to_the_target() {
    let mut rig = tap("127.0.0.1:80", HUMAN, false);
    rig.connect();
    rig.settle();
    rig.answers(Answer::Connected);
    rig.settle();
    assert_eq!(
        rig.shown().events,
        ["* #1 connected from 127.0.0.1:1024", "* #2 connected to 127.0.0.1:80 for #1"]
    );

    rig.says(1, b"GET /\n");
    rig.settle();
    rig.says(2, b"200\n");
    rig.settle();

    assert_eq!(rig.shown().events, ["#1> GET /", "#2> 200"]);
    assert_eq!(rig.reply_to("@2 beside it").0, "-> #2 10 bytes\n");
    assert_eq!(rig.reply_to("@1 and here").0, "-> #1 9 bytes\n");
    let (who, _) = rig.reply_to("/who");
    assert!(who.contains("ESTABLISHED,linked:#2\n") && who.contains("ESTABLISHED,linked:#1\n"), "{who}");
    assert_eq!(rig.reply_to("/pending").0, "nobody waits for an answer\n");
    // Whom the operator dials is nobody's client.
    rig.reply_to("/dial 127.0.0.1:81");
    rig.answers(Answer::Connected);
    rig.settle();
    assert_eq!(rig.shown().events, ["* #3 connected to 127.0.0.1:81"]);
    assert_eq!(rig.engine.board.len(), 3);
}

#[test]
fn a_program_is_told_whose_target_side_it_is() {
    let mut rig = tap("127.0.0.1:80", Spelling::Json, false);
    rig.connect();
    rig.settle();
    rig.answers(Answer::Connected);
    rig.settle();

    assert_eq!(
        plain_events(&mut rig),
        [
            r#"{"ev":"open","id":1,"peer":"127.0.0.1:1024"}"#,
            r#"{"ev":"open","id":2,"peer":"127.0.0.1:80","dialed":true,"for":1}"#
        ]
    );
}

#[test]
fn a_quiet_tap_shows_who_comes_and_goes_and_what_is_answered_and_no_message() {
    let mut rig = tap("127.0.0.1:80", HUMAN, true);
    rig.connect();
    rig.settle();
    rig.answers(Answer::Connected);
    rig.settle();
    rig.says(1, b"secret\n");
    rig.says(2, b"secret\n");
    rig.settle();

    assert_eq!(rig.shown().events.len(), 2);
    assert_eq!(rig.reply_to("/unlink 1").0, "-> #1 and #2 are linked no more\n");
    rig.resets(2);
    rig.settle();
    let closed = rig.shown().events;
    assert!(closed.len() == 1 && closed[0].starts_with("* #2 closed: reset"), "{closed:?}");
}

#[test]
fn h57_a_target_that_turns_out_to_be_this_server_is_not_dialled() {
    for target in [OURS, "unix:/run/ours"] {
        let mut rig = tap(target, HUMAN, false);
        rig.connect();
        rig.settle();

        assert!(rig.outside.dialled.is_empty(), "{target}");
        let shown = rig.shown().events;
        let refused = "* #2 closed: that is this server itself (received 0, sent 0)".to_owned();
        assert!(shown.contains(&refused), "{shown:#?}");
    }
    let mut rig = tap("name.example:5000", HUMAN, false);
    rig.connect();
    rig.finishes(1);
    rig.settle();
    // Without a thread that looks it up, as here, it cannot be dialled at all.
    let shown = rig.shown().events;
    assert!(shown.len() == 2 && shown[1].contains("cannot tap name.example:5000"), "{shown:#?}");
    let (client, id) = (rig.connect(), rig.engine.board.dial_later(Role::PEER, Peer::Unix));
    let client = rig.engine.board.find(client).unwrap();
    rig.hub.desks().links.join_target(client, id);
    rig.post(Mail::Resolved(id, Ok(vec![at("127.0.0.9:5000"), at(OURS)])));
    rig.settle();

    let shown = rig.shown().events;
    assert!(shown.iter().any(|event| event.contains("closed: that is this server itself")), "{shown:#?}");
    assert!(rig.outside.dialled.is_empty());
}

#[test]
fn of_links_nothing_is_kept_when_those_have_gone() {
    let mut rig = tap("127.0.0.1:80", HUMAN, false);
    for _ in 0..20 {
        let client = rig.connect();
        rig.settle();
        rig.answers(Answer::Connected);
        rig.settle();
        rig.resets(client + u64::from(client % 4 == 1));
        rig.settle();
        rig.reply_to("/rst all");
    }
    rig.settle();

    let desks = rig.hub.desks();
    assert_eq!(format!("{:?}", desks.links), format!("{:?}", crate::hub::links::Links::default()));
    assert!(desks.dialled.is_empty());
}
