//! Whom Enter reaches: what the prompt shows.

use super::*;
use crate::terminal::Whom;

#[test]
fn h41_a_message_from_somebody_else_redirects_nothing_that_is_begun() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(3);
    rig.says(1, "password?");
    rig.draw();
    assert_eq!(rig.prompt(), "#1");

    rig.types("secr");
    rig.says(3, "keepalive");
    rig.draw();
    assert_eq!(rig.prompt(), "#1");
    rig.types("et\r");

    assert_eq!(rig.sent(), ["One(1): secret"]);
    rig.replies_sent(1);
    rig.draw();
    assert_eq!(rig.prompt(), "#1", "for a moment");
    rig.types("more\r");
    assert_eq!(rig.sent(), ["One(1): more"]);
    rig.now = rig.draw().expect("it is drawn anew when the moment is over");
    rig.draw();
    assert_eq!(rig.prompt(), "#3", "then an empty line follows whoever spoke last");
    assert_eq!(rig.draw(), None);
}

/// A terminal that does not say what is pasted sends it as if it were typed, in pieces.
#[test]
fn h50_what_comes_as_fast_as_nobody_types_has_one_target() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(3);
    rig.says(1, "hello");
    rig.draw();

    for line in 0..200 {
        rig.types(&format!("line {line}\r"));
        rig.says(3, "keepalive");
        rig.pass(Duration::from_millis(20));
        rig.draw();
    }

    let sent = rig.sent();
    assert_eq!(sent.len(), 200);
    assert!(sent.iter().all(|one| one.starts_with("One(1): line ")), "{sent:?}");
}

/// The prompt was not drawn anew when the first key came: what was seen is what counts.
#[test]
fn h41_what_has_not_been_drawn_yet_redirects_nothing_either() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(3);
    rig.says(1, "password?");
    rig.draw();

    rig.says(3, "keepalive");
    rig.types("secret\r");

    assert_eq!(rig.sent(), ["One(1): secret"]);
}

#[test]
fn h41_who_has_left_is_named_by_the_prompt_and_enter_refuses_and_keeps_the_text() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(3);
    rig.says(1, "password?");
    rig.draw();
    rig.types("secret");

    rig.closes(1);
    rig.says(3, "hello");
    rig.types("\r");
    rig.draw();

    assert_eq!(rig.sent(), [""; 0]);
    assert!(rig.last_row().starts_with("#1 has left> secret"), "{:?}", rig.last_row());
    assert!(rig.rows().iter().any(|row| row.starts_with("not sent: #1 has left")), "{:?}", rig.rows());
    rig.types("\x15new line\r");
    assert_eq!(rig.sent(), [""; 0], "the prompt still shows #1");
    rig.types("\x15");
    rig.draw();
    rig.types("for #3\r");
    assert_eq!(rig.sent(), ["One(3): for #3"]);
}

#[test]
fn the_target_is_what_replies_have_said_it_is() {
    let mut rig = Rig::new(80, 24);
    for serial in [3, 4, 5, 6] {
        rig.opens(serial);
    }
    let named = |name| Event::Named(Who { serial: 3, name }, crate::desk::Namer::List);
    rig.desk.event(&named(Some("lab-a")), View::Text, rig.now);
    let several = |rig: &mut Rig, serials: &[u64]| {
        rig.desk.reply(&Reply::Targets(serials, &[], &Default::default()));
    };

    let mut seen = Vec::new();
    let mut see = |rig: &mut Rig| {
        rig.draw();
        let prompt = rig.prompt();
        rig.types("x\r");
        rig.replies_sent(3);
        seen.push(format!("{prompt} -> {}", rig.sent().pop().unwrap_or_default()));
    };
    rig.target_is(Target::All);
    see(&mut rig);
    rig.target_is(Target::One(Who { serial: 3, name: Some("lab-a") }));
    see(&mut rig);
    rig.target_is(Target::Glob("lab-*"));
    see(&mut rig);
    several(&mut rig, &[3, 4]);
    see(&mut rig);
    several(&mut rig, &[3, 4, 5, 6]);
    see(&mut rig);

    assert_eq!(
        seen,
        [
            "everybody -> All: x",
            "#3 lab-a -> One(3): x",
            "lab-* (1) -> Several([3]): x",
            "#3 lab-a, #4 -> Several([3, 4]): x",
            "4 connections -> Several([3, 4, 5, 6]): x",
        ]
    );
}

#[test]
fn a_line_that_names_its_target_has_the_prompt_name_it() {
    let mut rig = Rig::new(80, 24);
    for serial in [2, 5] {
        rig.opens(serial);
    }
    rig.says(2, "hello");
    rig.draw();

    let mut prompts = Vec::new();
    for line in ["@5 text", "@all text", "@2,5 text", "@9 text", "@5", "/who", "text"] {
        rig.types(line);
        rig.draw();
        prompts.push(rig.prompt());
        rig.types("\x15");
    }

    assert_eq!(prompts, ["#5", "everybody", "@2,5", "#2", "#2", "#2", "#2"]);
}

#[test]
fn nobody_is_sent_nothing_and_the_text_stays() {
    let mut rig = Rig::new(80, 24);
    rig.types("hello\r");
    rig.draw();

    assert_eq!(rig.sent(), [""; 0]);
    assert!(rig.last_row().starts_with("(nobody)> hello"), "{:?}", rig.last_row());
    rig.types("\x15/who\r");
    assert_eq!(rig.sent(), ["Nobody: /who"], "a command is no text");
}

/// Keys may come faster than the server answers.
#[test]
fn what_is_typed_behind_a_new_target_goes_to_that() {
    let mut rig = Rig::new(80, 24);
    rig.opens(3);
    rig.opens(7);
    rig.says(3, "hello");
    rig.draw();

    rig.types("first\r@7\rsecond\r");
    assert_eq!(rig.sent(), ["One(3): first", "One(3): @7"]);
    rig.replies_sent(3);
    rig.draw();
    assert_eq!(rig.sent(), [""; 0], "that was the reply to the first");
    rig.target_is(Target::One(Who::nameless(7)));
    rig.draw();

    assert_eq!(rig.sent(), ["One(7): second"]);
}

#[test]
fn what_is_typed_behind_a_target_that_is_refused_goes_to_nobody() {
    let mut rig = Rig::new(80, 24);
    rig.opens(3);
    rig.says(3, "hello");
    rig.draw();

    rig.types("@77\rsecret\r");
    rig.desk.reply(&Reply::Refused(crate::desk::Refusal::NoSuch(77)));
    rig.draw();

    assert_eq!(rig.sent(), ["One(3): @77"]);
    assert!(rig.rows().iter().any(|row| row == "what was typed behind it was not taken"), "{:?}", rig.rows());
}

/// Five connections come, speak and go while somebody types: each text reaches the one whom the prompt on the screen
/// named when its first key was pressed, or nobody.
#[test]
fn h41_in_any_order_of_keys_and_messages_a_text_reaches_whom_the_prompt_showed() {
    // `SWITCHBOARD_SCRIPTS=10000 cargo test --lib h41` has ten thousand.
    let scripts = std::env::var("SWITCHBOARD_SCRIPTS").map_or(500, |count| count.parse().expect("a number"));
    for seed in 0..scripts {
        let mut dice = Dice::of_seed(seed);
        let mut rig = Rig::new(80, 24);
        let (mut here, mut newest) = (Vec::new(), 0);
        // What the prompt showed at the first key of the line that stands there, if one does.
        let mut begun: Option<String> = None;
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..60 {
            match dice.below(12) {
                0 if here.len() < 5 => {
                    newest += 1;
                    rig.opens(newest);
                    here.push(newest);
                }
                1 if !here.is_empty() => rig.closes(here.swap_remove(dice.below(here.len()))),
                2..6 if !here.is_empty() => rig.says(here[dice.below(here.len())], "keepalive"),
                6 | 7 => {
                    rig.draw();
                }
                8 => {
                    rig.types("\x7f");
                    begun = begun.filter(|_| !rig.desk.editor.is_empty());
                }
                9 if begun.is_some() => {
                    rig.types("\r");
                    let shown = begun.as_deref().unwrap_or_default();
                    match rig.entered.pop() {
                        Some(Entered { whom: Whom::One(serial), .. }) => {
                            assert_eq!(shown, format!("#{serial}"), "seed {seed}");
                            assert!(here.contains(&serial), "seed {seed}: #{serial} has left");
                            rig.replies_sent(serial);
                            (begun, taken) = (None, taken + 1);
                        }
                        Some(other) => panic!("seed {seed}: {other:?}"),
                        None => refused += 1,
                    }
                }
                _ => {
                    begun = begun.or_else(|| Some(rig.prompt().trim_end_matches(" has left").to_owned()));
                    rig.types("x");
                }
            }
        }
        assert!(taken + refused > 0 || begun.is_some() || here.is_empty(), "seed {seed}: nothing was tried");
    }
}

/// The history hides the prompt's own text, but whom the line is for stays as it was when the search began.
#[test]
fn h41_a_line_that_is_searched_for_is_for_whom_the_prompt_named_when_the_search_began() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(2);
    rig.says(1, "hello");
    rig.draw();
    rig.types("hello there\r");
    rig.replies_sent(1);
    rig.pass(Duration::from_secs(1));
    rig.draw();
    rig.sent();

    rig.types("\x12");
    rig.says(2, "keepalive");
    rig.draw();
    rig.types("hel");
    rig.draw();
    assert!(rig.last_row().starts_with("#1 (search \"hel\") hello there"), "{:?}", rig.last_row());
    rig.types("\r");

    assert_eq!(rig.sent(), ["One(1): hello there"]);
}

#[test]
fn keys_that_come_with_the_answer_are_not_overtaken_by_those_after_it() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(2);
    rig.says(1, "hello");
    rig.draw();

    rig.types("@2\rhel");
    rig.target_is(Target::One(Who::nameless(2)));
    rig.types("lo\r");

    assert_eq!(rig.sent(), ["One(1): @2", "One(2): hello"]);
}

/// A terminal that takes output slowly shows a frame later than it was made.
#[test]
fn h41_until_a_frame_is_written_keys_are_typed_in_view_of_the_one_before_it() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(2);
    rig.says(1, "password?");
    rig.draw();

    rig.says(2, "keepalive");
    let (mut out, mut acts) = (String::new(), Vec::new());
    rig.desk.frame(true, rig.now, &mut out, &mut acts);
    rig.types("secret\r");
    rig.desk.frame_is_written();

    assert_eq!(rig.sent(), ["One(1): secret"]);
}

#[test]
fn ctrl_c_drops_what_was_typed_ahead_and_what_is_typed_behind_an_end_or_a_stop_is_for_nobody() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(2);
    rig.says(1, "hello");
    rig.draw();

    rig.types("@2\rabc\x03def\r");
    rig.target_is(Target::One(Who::nameless(2)));
    rig.draw();
    assert_eq!(rig.sent(), ["One(1): @2", "One(2): def"]);

    rig.types("\x1als -l\r");
    assert_eq!(rig.sent(), [""; 0], "it is for the shell");
    rig.types("\x04\x04ls -l\r");
    assert!(rig.has_ended);
    assert_eq!(rig.sent(), [""; 0]);
}

#[test]
fn a_line_for_somebody_who_has_left_stays_whoever_names_it() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(2);
    rig.says(1, "hello");
    rig.draw();
    rig.types("@2 a long text");
    rig.closes(2);
    rig.types("\r");
    rig.draw();

    assert_eq!(rig.sent(), [""; 0]);
    assert!(rig.last_row().starts_with("#2 has left> @2 a long text"), "{:?}", rig.last_row());
}

#[test]
fn h41_last_in_a_line_is_whom_the_prompt_has_shown_for_it() {
    let mut rig = Rig::new(80, 24);
    rig.opens(1);
    rig.opens(2);
    rig.target_is(Target::One(Who::nameless(2)));
    rig.says(1, "password?");
    rig.types("@last secret");
    rig.draw();
    assert_eq!(rig.prompt(), "#1");

    rig.says(2, "keepalive");
    rig.types("\r");

    let entered = rig.entered.pop().expect("it was entered");
    assert_eq!(entered.named, Some(Whom::One(1)));
}
