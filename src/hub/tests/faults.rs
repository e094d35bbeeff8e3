//! What is to be broken: whom it is done to, for how long, and what is told of it.

use super::*;
use crate::buffer::framing::Framing;
use crate::conn::stream::script::Dial as Answer;
use crate::modes::Console;

fn console(spelling: Spelling, chance: u64) -> Rig<Console> {
    let options = DeskOptions { chance, ..DeskOptions::PIPE };
    Rig::new(Console::new(Framing::Lines), spelling, options, Limits::default())
}

fn typed() -> Rig<Console> {
    console(Spelling::Text(Format::Human), 0)
}

/// The same with somebody who stays, so that there is always one.
fn typed_with_one(chance: u64) -> Rig<Console> {
    let mut rig = console(Spelling::Text(Format::Human), chance);
    rig.connect();
    rig.shown();
    rig
}

/// Who of the next hundred is reset at once.
fn hit(rig: &mut Rig<Console>) -> Vec<bool> {
    let is_down = |_| {
        rig.connect();
        rig.settle();
        let events = rig.shown().events;
        let closed = events.iter().any(|event| event.contains("closed: broken on purpose: down"));
        assert_eq!(events.len(), if closed { 2 } else { 1 }, "{events:?}");
        closed
    };
    (0..100).map(is_down).collect()
}

#[test]
fn newcomers_that_are_down_are_told_to_have_come_and_are_reset_at_once() {
    let mut rig = typed();
    rig.connect();
    assert_eq!(rig.reply_to("/fault new down").0, "newcomers: down\n");
    rig.shown();

    rig.connect();
    rig.settle();

    let events = rig.shown().events;
    assert!(events[0].starts_with("* #2 connected from "), "{events:?}");
    assert_eq!(events[1..], ["* #2 closed: broken on purpose: down (received 0, sent 0)"]);
    assert!(rig.engine.board.find(1).is_some(), "who was here before is none");
}

#[test]
fn whom_we_have_dialled_is_no_newcomer() {
    let mut rig = typed();
    rig.reply_to("/fault new down");
    rig.reply_to("/dial 127.0.0.1:1");

    rig.answers(Answer::Connected);
    rig.settle();

    assert_eq!(rig.shown().events, ["* #1 connected to 127.0.0.1:1"]);
}

#[test]
fn a_share_of_newcomers_is_hit_and_a_seed_hits_the_same_again() {
    let mut rig = typed_with_one(0);
    let of_seed = |seed: u64, rig: &mut Rig<Console>| {
        rig.reply_to(format!("/fault new down toxicity=0.3 seed={seed}"));
        hit(rig)
    };

    let first = of_seed(7, &mut rig);
    let again = of_seed(7, &mut rig);
    rig.reply_to("/fault new off");
    let in_another_run = of_seed(7, &mut typed_with_one(1));
    let other = of_seed(8, &mut rig);

    assert_eq!(first, again, "a seed begins anew");
    assert_eq!(first, in_another_run, "and follows from nothing else");
    assert_ne!(first, other);
    for seed in [7, 8, 9, 10] {
        let count = of_seed(seed, &mut rig).into_iter().filter(|hit| *hit).count();
        assert!((15..=45).contains(&count), "{count} of 100 for a share of 0.3");
    }
}

#[test]
fn without_a_seed_another_run_hits_others_and_none_or_all_are_exact() {
    let runs: Vec<Vec<bool>> = (0..2)
        .map(|chance| {
            let mut rig = typed_with_one(chance);
            rig.reply_to("/fault new down toxicity=0.5");
            hit(&mut rig)
        })
        .collect();
    assert_ne!(runs[0], runs[1]);

    for (share, is_hit) in [("0", false), ("1", true)] {
        let mut rig = typed_with_one(0);
        rig.reply_to(format!("/fault new down toxicity={share}"));
        assert_eq!(hit(&mut rig), [is_hit; 100], "toxicity={share}");
    }
}

#[test]
fn what_is_done_to_newcomers_ends_by_itself_and_shows_what_is_left_of_its_time() {
    let mut rig = typed();
    assert_eq!(rig.reply_to("/fault new down for=5s").0, "newcomers: down for=5s\n");

    rig.pass(1500);
    assert_eq!(rig.reply_to("/fault new").0, "newcomers: down for=4s\n");
    assert_eq!(rig.reply_to("/fault new toxicity=1").0, "newcomers: down toxicity=1 for=4s\n");
    rig.pass(3300);
    assert_eq!(rig.reply_to("/fault new").0, "newcomers: down toxicity=1 for=200ms\n");
    rig.pass(200);

    assert_eq!(rig.shown().events, ["* newcomers are broken no more"]);
    assert_eq!(rig.reply_to("/fault new").0, "newcomers: no faults\n");
    assert_eq!(hit(&mut rig), [false; 100]);
}

#[test]
fn faults_from_the_start_are_those_of_newcomers() {
    let mut rig = typed();
    for spec in ["in:stall seed=1", "down for=2s"] {
        rig.hub.desks.break_newcomers(&crate::desk::FaultSpec::parse(spec).unwrap());
    }

    assert_eq!(rig.reply_to("/fault new").0, "newcomers: in:stall down seed=1 for=2s\n");
    rig.pass(2000);

    assert_eq!(rig.shown().events, ["* newcomers are broken no more"]);
}

#[test]
fn faults_about_everybody_are_done_in_slices_and_answered_once() {
    let mut rig = typed();
    for _ in 0..5000 {
        rig.connect();
    }
    rig.shown();

    let (reply, turns) = rig.reply_to("/fault all latency=5ms");

    assert_eq!(reply, "-> 5000 connections are broken: out:latency=5ms\n");
    assert!(turns > 1, "{turns}");
    assert_eq!(rig.reply_to("/fault all off").0, "-> 5000 connections are broken no more\n");
    assert_eq!(rig.reply_to("/fault all").0, "none of 5000 connections is broken on purpose\n");
}

mod of_the_board {
    use super::*;

    #[test]
    fn what_is_added_goes_to_what_holds_and_what_is_shown_is_all_of_it() {
        let mut rig = typed();
        rig.connect();
        rig.connect();
        for (line, reply) in [
            (
                "/fault 1 for=5s",
                "this breaks nothing: for, toxicity and seed say when and whom, beside a word that breaks something\n",
            ),
            ("/fault 1 latency=1s in:corrupt=0.5", "#1: out:latency=1s in:corrupt=0.5\n"),
            ("/fault 1 latency=2s slicer=1", "#1: out:latency=2s out:slicer=1 in:corrupt=0.5\n"),
            ("/fault 1 for=5s", "#1: out:latency=2s out:slicer=1 in:corrupt=0.5 for=5s\n"),
            ("/fault 2", "#2: no faults\n"),
            ("/fault 1,2", "#1: out:latency=2s out:slicer=1 in:corrupt=0.5 for=5s\n#2: no faults\n"),
            ("/fault 1,2 off", "-> #1, #2 are broken no more\n"),
            ("/fault all", "#1: no faults\n#2: no faults\n"),
        ] {
            assert_eq!(rig.reply_to(line).0, reply, "{line}");
        }
    }

    #[test]
    fn who_shows_what_is_broken_to_a_person_and_to_a_program() {
        let mut rig = console(Spelling::Text(Format::Tsv), 0);
        rig.connect();
        rig.reply_to("/fault 1 latency=1s,5ms in:stall for=9s");
        let (table, _) = rig.reply_to("/who");
        let row = table.lines().nth(1).unwrap();
        assert!(row.ends_with(" ESTABLISHED,limits-off,broken:out:latency=1s,5ms+in:stall+for=9s"), "{row}");

        let mut rig = console(Spelling::Json, 0);
        rig.connect();
        rig.connect();
        rig.reply_to(r#"{"cmd":"fault","to":1,"spec":"in:stall"}"#);
        let (rows, _) = rig.reply_to(r#"{"cmd":"who"}"#);
        let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
        assert_eq!(rows["conns"][0]["fault"], "in:stall");
        assert!(rows["conns"][1].get("fault").is_none(), "{rows}");
    }

    #[test]
    fn what_is_broken_for_a_time_is_mended_at_its_end_and_all_desks_are_told() {
        let mut rig = console(Spelling::Json, 0);
        rig.connect();
        rig.connect();
        rig.shown();
        rig.reply_to(r#"{"cmd":"fault","to":[1,2],"spec":"latency=1s for=2s"}"#);
        rig.reply_to(r#"{"cmd":"fault","to":2,"spec":"for=4s"}"#);
        rig.shown();

        let ends = |rig: &mut Rig<Console>| -> Vec<u64> {
            let events = rig.shown().events;
            let of = |event: &String| {
                let event: serde_json::Value = serde_json::from_str(event).unwrap();
                assert_eq!((&event["ev"], &event["spec"]), (&"fault".into(), &"off".into()));
                assert!(event.get("by").is_none(), "{event}");
                event["id"].as_u64().unwrap()
            };
            events.iter().map(of).collect()
        };
        rig.pass(1999);
        assert!(ends(&mut rig).is_empty());
        rig.pass(1);
        assert_eq!(ends(&mut rig), [1]);
        rig.pass(2000);
        assert_eq!(ends(&mut rig), [2]);
        let board = &rig.engine.board;
        assert!(board.views().all(|view| board.faults(view.id).is_none()));
    }

    #[test]
    fn a_newcomer_is_told_to_be_broken_and_is_mended_with_the_rule_that_has_broken_it() {
        let mut rig = typed();
        rig.reply_to("/fault new in:latency=5ms for=3s");
        rig.pass(1000);

        rig.connect();
        rig.settle();
        let events = rig.shown().events;
        assert_eq!(events[1..], ["* #1 is broken on purpose: in:latency=5ms for=2s"], "{events:?}");
        rig.reply_to("/fault new off");
        rig.connect();
        rig.settle();
        assert_eq!(rig.shown().events.len(), 1, "off is for who comes from then on");
        rig.pass(2000);

        assert_eq!(rig.shown().events, ["* #1 is broken no more"]);
    }

    #[test]
    fn nothing_is_mended_of_who_has_left() {
        let mut rig = typed();
        rig.reply_to("/fault new corrupt=0.5 for=1h");
        rig.connect();
        rig.settle();
        rig.shown();

        rig.resets(1);
        rig.pass(3_600_000);

        let events = rig.shown().events;
        assert!(!events.iter().any(|event| event.contains("#1 is broken no more")), "{events:?}");
    }
}
