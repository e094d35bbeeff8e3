//! What peers say, and parts of lines.

use super::*;

#[test]
fn a_line_is_handed_over_when_its_ending_comes_however_it_was_cut() {
    let mut rig = Rig::new();
    let far = rig.connect();

    for piece in ["he", "l", "lo\nwor", "ld", "\n\n", "rest"] {
        rig.says(&far, piece);
        rig.settle();
    }

    assert_eq!(rig.told(), ["#1 line hello", "#1 line world", "#1 line "]);
}

#[test]
fn all_that_came_before_a_fin_is_heard_before_the_end_wherever_it_comes() {
    let text = "one\n\ntwo\nthree";
    for cut in 0..=text.len() {
        let mut rig = Rig::new();
        let far = rig.connect();

        rig.says(&far, &text[..cut]);
        rig.finishes(&far);
        rig.settle();

        let mut expected: Vec<String> = text[..cut]
            .split_inclusive('\n')
            .map(|line| match line.strip_suffix('\n') {
                Some(line) => format!("#1 line {line}"),
                None => format!("#1 Gone {line}"),
            })
            .collect();
        expected.extend(["#1 ended".to_owned(), "#1 closed finished".to_owned()]);
        assert_eq!(rig.told(), expected, "after {cut} bytes");
        assert!(far.wire.is_finished() && far.wire.is_dropped(), "after {cut} bytes: {:?}", far.wire);
    }
}

#[test]
fn all_that_came_before_a_reset_is_heard_before_the_close_wherever_it_comes() {
    let text = "one\n\ntwo\nthree";
    for cut in 0..=text.len() {
        let mut rig = Rig::new();
        let far = rig.connect();

        rig.says(&far, &text[..cut]);
        rig.resets(&far);
        rig.settle();

        let told = rig.told();
        let (last, heard) = told.split_last().expect("it was told of the close");
        let heard: Vec<&str> = heard.iter().map(|entry| entry.splitn(3, ' ').nth(2).unwrap()).collect();
        let expected: Vec<&str> = text[..cut].split_inclusive('\n').map(|line| line.trim_end()).collect();
        assert_eq!((heard, last.as_str()), (expected, "#1 closed reset"), "after {cut} bytes");
        assert!(far.wire.is_dropped(), "after {cut} bytes");
    }
}

#[test]
fn one_event_is_enough_for_any_number_of_bytes() {
    let budget = small().read_budget_bytes;
    for size in [budget - 1, budget, budget + 1, 2 * budget, 5 * budget + 3] {
        let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
        let far = rig.connect();

        rig.says(&far, &"x".repeat(size));
        rig.settle();

        assert_eq!(far.wire.read_bytes(), size, "it came to rest with bytes unread");
        let heard: usize = rig.told().iter().map(|entry| entry.matches('x').count()).sum();
        assert_eq!(heard, size);
    }
}

#[test]
fn a_flood_gets_one_budget_a_turn_and_starves_nobody() {
    let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
    let (flood, quiet) = (rig.connect(), rig.connect());

    rig.says(&flood, &"x".repeat(1000));
    rig.says(&quiet, "y");
    rig.turn();

    assert_eq!((flood.wire.read_bytes(), quiet.wire.read_bytes()), (64, 1));
    assert!(!rig.engine.is_idle(), "the flood has not been read to its end");
}

#[test]
fn an_event_without_anything_behind_it_changes_nothing() {
    let mut rig = Rig::new();
    let far = rig.connect();

    rig.note(&far, EVERYTHING);
    rig.settle();

    assert_eq!(rig.told(), [""; 0]);
    assert_eq!((rig.board().len(), far.wire.reads()), (1, 1));
}

#[test]
fn an_event_between_turns_is_not_lost_while_the_connection_is_on_the_list() {
    let mut rig = Rig::with(small(), Framing::Raw, Backpressure::None);
    let far = rig.connect();
    rig.says(&far, &"x".repeat(64));
    rig.turn();

    rig.says(&far, "y");
    rig.finishes(&far);
    rig.settle();

    assert_eq!(rig.told()[1..], ["#1 Read y", "#1 ended", "#1 closed finished"]);
}

#[test]
fn a_part_is_shown_once_after_a_silence() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.says(&far, "login: ");
    rig.settle();

    rig.pass(199);
    let early = rig.told();
    rig.pass(1);
    let due = rig.told();
    rig.pass(60_000);
    let late = rig.told();

    assert_eq!((early, due, late), (vec![], vec!["#1 Silence login: ".to_owned()], vec![]));
}

#[test]
fn more_of_a_line_puts_the_showing_of_its_part_off() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.says(&far, "a");
    rig.settle();
    rig.pass(150);
    rig.says(&far, "b");
    rig.settle();

    rig.pass(150);
    let early = rig.told();
    rig.pass(50);

    assert_eq!((early, rig.told()), (vec![], vec!["#1 Silence ab".to_owned()]));
}

#[test]
fn a_device_that_ends_its_lines_with_cr_alone_and_talks_all_the_time_is_seen() {
    let mut rig = Rig::new();
    let far = rig.connect();

    for _ in 0..21 {
        rig.says(&far, "21.5\r");
        rig.settle();
        rig.pass(100);
    }

    let told = rig.told();
    assert_eq!(
        told,
        vec![format!("#1 Silence {}", "21.5\r".repeat(10)); 2],
        "ten a second are shown once a second"
    );
}

#[test]
fn a_checksum_that_looks_like_the_beginning_of_a_character_is_shown_with_its_frame() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.arrives(b"\x01\x03\x04\x00\x2a\xcd");
    rig.note(&far, READABLE);
    rig.settle();

    rig.pass(200);

    assert_eq!(rig.told(), ["#1 Silence \u{1}\u{3}\u{4}\0*\u{fffd}"]);
}

#[test]
fn a_line_that_was_shown_in_part_goes_on_with_what_is_new() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.says(&far, "pass");
    rig.settle();
    rig.pass(200);

    rig.says(&far, "word\n");
    rig.settle();

    assert_eq!(rig.told(), ["#1 Silence pass", "#1 line word"]);
}

#[test]
fn a_split_character_is_held_back_and_shown_whole() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.arrives(b"a\xe4\xbd");
    rig.note(&far, READABLE);
    rig.settle();
    rig.pass(200);
    let shown = rig.told();

    far.wire.arrives(b"\xa0");
    rig.note(&far, READABLE);
    rig.settle();
    rig.pass(200);

    assert_eq!((shown, rig.told()), (vec!["#1 Silence a".to_owned()], vec!["#1 Silence 你".to_owned()]));
}

#[test]
fn a_split_character_that_nobody_completes_is_shown_after_all() {
    let mut rig = Rig::new();
    let far = rig.connect();
    far.wire.arrives(b"\xe4\xbd");
    rig.note(&far, READABLE);
    rig.settle();

    rig.pass(999);
    let early = rig.told();
    rig.pass(1);

    assert_eq!((early, rig.told()), (vec![], vec!["#1 Silence \u{fffd}".to_owned()]));
}

#[test]
fn no_part_is_shown_while_more_may_wait_unread() {
    let mut rig = Rig::new();
    let far = rig.connect();
    rig.says(&far, "par");
    rig.settle();
    rig.board().hold_reading(true);
    rig.says(&far, "t\n");

    rig.pass(1000);
    let held = rig.told();
    rig.board().hold_reading(false);
    rig.settle();

    assert_eq!((held, rig.told()), (vec![], vec!["#1 line part".to_owned()]));
}

#[test]
fn a_line_costs_three_look_ups_of_its_connection_and_an_answer_two() {
    for (answers, expected) in [(false, 3), (true, 5)] {
        let mut rig = Rig::new();
        rig.on_received(move |id, bytes, board| {
            if answers {
                board.send(id, bytes);
            }
        });
        let far = rig.connect();
        rig.settle();
        let before = rig.board().table.look_ups();

        // Looked up for: the event; the read; what is left of the read. The answer: to queue it, and since its key
        // stands on the list of those to be flushed at the end of the turn.
        rig.says(&far, "hello\n");
        rig.engine.serve(&mut rig.app);

        assert_eq!(rig.board().table.look_ups() - before, expected, "answered: {answers}");
    }
}
