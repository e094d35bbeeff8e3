//! Commands about many: one reply each, in slices that keep nobody waiting.

use super::*;
use crate::buffer::framing::Framing;
use crate::modes::Console;

/// A console whose operator types, or a program sends, and so many peers.
fn console(spelling: Spelling, peers: usize) -> Rig<Console> {
    let mut rig = Rig::new(Console::new(Framing::Lines), spelling, DeskOptions::PIPE, Limits::default());
    (0..peers).for_each(|_| {
        rig.connect();
    });
    rig.shown();
    rig
}

fn typed(peers: usize) -> Rig<Console> {
    console(Spelling::Text(Format::Human), peers)
}

#[test]
fn a_list_of_more_than_a_million_is_carried_out_in_many_turns_and_whoever_is_named_is_met_once() {
    let mut rig = typed(1);
    let ones = "1,".repeat(1_200_000) + "1";

    for (line, reply) in [
        (format!("@{ones} text"), "-> #1 5 bytes\n"),
        (format!("@{ones}"), "* the current target is #1\n"),
        (format!("@{ones},9 text"), "there is no #9: nothing was done\n"),
        (format!("/rst {ones}"), "-> #1 is reset\n"),
    ] {
        rig.type_line(line);
        let mut turns = 1;
        let replied = loop {
            let goes_on = rig.turn();
            let replied = rig.replied();
            if !goes_on || !replied.is_empty() {
                break replied;
            }
            turns += 1;
        };
        rig.settle();
        assert_eq!((replied + &rig.replied()).as_str(), reply);
        assert!((70..100).contains(&turns), "{turns} turns");
    }
    let (replied, turns) = rig.reply_to(format!("@1,x,{ones} text"));
    assert!(replied.starts_with("unknown target @x: nobody has this name"), "{replied}");
    assert!(turns <= 2, "what is wrong at the beginning is found there, not after {turns} turns");
    assert_eq!(rig.got(1), b"text\n");
}

#[test]
fn a_long_list_keeps_no_peer_waiting() {
    let mut rig = typed(2);
    rig.type_line(format!("@{}1 text", "2,".repeat(1_000_000)));
    rig.turn();
    assert!(rig.turn(), "it is not through");

    rig.says(2, b"meanwhile\n");
    rig.turn();

    let shown = rig.shown();
    assert_eq!((shown.events, shown.replies), (vec!["#2> meanwhile".to_owned()], vec![]));
    rig.settle();
    assert_eq!(rig.replied(), "-> #2, #1 5 bytes\n");
}

#[test]
fn many_are_answered_for_by_their_count_and_few_by_their_numbers() {
    let mut rig = typed(300);

    let few = rig.reply_to("/rst 3,#1,3").0;
    rig.settle();
    let gone = rig.reply_to("@1,2,3 text").0;
    let many = rig.reply_to(format!("@{}", list(1..=200))).0;
    let texts = rig.reply_to("text").0;
    let reset = rig.reply_to(format!("/rst {}", list(1..=300))).0;
    rig.settle();
    let none = rig.reply_to(format!("/kick {} bye", list(1..=300))).0;
    let all = rig.reply_to("/kick all").0;

    assert_eq!(few, "-> #3, #1 are reset\n");
    assert_eq!(gone, "-> #2 5 bytes; #1 is gone; #3 is gone\n");
    assert_eq!(many, "* the current target is 198 connections; 2 gone\n");
    assert_eq!(texts, "-> 198 connections 5 bytes; 2 gone\n");
    assert_eq!(reset, "-> 298 connections are reset; 2 gone\n");
    assert_eq!(none, "-> 0 connections close after what is queued; more than 100 gone\n");
    assert_eq!(all, "nobody is connected\n");
}

#[test]
fn a_program_is_told_by_number_to_whom_it_was_not_done_however_many_they_are() {
    let mut rig = console(Spelling::Json, 300);
    rig.reply_to(format!(r#"{{"cmd":"close","to":[{}],"how":"rst"}}"#, list(1..=150)));
    rig.settle();

    let (reply, _) =
        rig.reply_to(format!(r#"{{"cmd":"send","to":[{}],"text":"hi","ref":1}}"#, list(1..=300)));

    let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
    let gone: Vec<u64> = reply["gone"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    assert_eq!((reply["queued"].as_u64(), gone), (Some(150), (1..=150).collect()));
}

#[test]
fn nothing_that_is_typed_later_overtakes_a_list() {
    let mut rig = typed(3);

    rig.type_line(format!("@{}3 first", "2,".repeat(100_000)));
    rig.type_line("@3 second");
    rig.type_line(format!("/rst {}3", "2,".repeat(100_000)));
    rig.type_line("@3 third");
    rig.settle();

    assert_eq!(rig.replied(), "-> #2, #3 6 bytes\n-> #3 7 bytes\n-> #2, #3 are reset\n#3 is gone\n");
    assert_eq!(rig.got(3), b"first\nsecond\n");
}

#[test]
fn an_end_while_a_list_is_looked_at_is_told_and_nothing_was_done() {
    for (spelling, line, reply) in [
        (
            Spelling::Text(Format::Human),
            format!("@{}2 text", "1,".repeat(100_000)),
            "the server is stopping: this was not done\n",
        ),
        (
            Spelling::Json,
            format!(r#"{{"cmd":"send","to":[{}2],"text":"text","ref":"r"}}"#, "1,".repeat(99_000)),
            "{\"ev\":\"error\",\"ref\":\"r\",\"code\":\"stopping\",\"msg\":\"the server is stopping: this was not done\"}\n",
        ),
    ] {
        let mut rig = console(spelling, 2);
        rig.type_line(line);
        assert!(rig.turn(), "it is not through");

        rig.post(Mail::Terminate);
        rig.settle();

        assert_eq!(rig.replied(), reply);
        assert_eq!((rig.got(1), rig.got(2)), (vec![], vec![]));
    }
}

#[test]
fn an_end_while_a_list_is_carried_out_is_told_with_how_many_were_not_reached() {
    let mut rig = typed(300);
    let text = "x".repeat(1000);
    rig.type_line(format!("@{} {text}", list(1..=300)));
    assert!(rig.turn(), "so much text takes more than a turn");

    rig.post(Mail::Terminate);
    rig.settle();

    let reached = (1..=300).filter(|serial| !rig.got(*serial).is_empty()).count();
    assert!((1..300).contains(&reached), "{reached}");
    assert_eq!(
        rig.replied(),
        format!(
            "-> {reached} connections 1001 bytes; the end came first: {} connections not reached\n",
            300 - reached
        )
    );
}

#[test]
fn a_list_waits_for_a_slow_reader_in_a_pipe_and_is_answered_once() {
    let mut rig = typed(3);
    rig.wires[&2].stalls();
    let text = "x".repeat(70_000);
    rig.reply_to(format!("@2 {text}"));

    rig.type_line("@1,2,3 text");
    rig.settle();
    assert_eq!((rig.replied(), rig.got(3)), (String::new(), vec![]));
    rig.wires[&2].takes_all();
    rig.note(2, WRITABLE);
    rig.settle();

    assert_eq!(rig.replied(), "-> #1, #2, #3 5 bytes\n");
    assert_eq!(rig.got(3), b"text\n");
}
