//! A flood from one buries nobody.

use super::*;

#[test]
fn what_others_say_and_all_replies_are_on_the_screen_after_a_flood() {
    let mut rig = Rig::new(120, 40);
    for serial in [4, 5, 7] {
        rig.opens(serial);
    }
    // Five seconds of a thousand frames, in each a hundred lines.
    for frame in 0..1000 {
        for line in 0..100 {
            rig.says(7, &format!("flood {frame} {line}"));
        }
        match frame {
            300 => rig.says(4, "the line of #4"),
            500 => rig.says(5, "the line of #5"),
            400 | 600 | 700 => rig.replies_sent(4),
            _ => {}
        }
        rig.draw();
        rig.pass(Duration::from_millis(5));
    }
    // Its end is found within two windows, and then nothing is waited for.
    for _ in 0..3 {
        rig.now = rig.draw().unwrap_or(rig.now);
    }
    assert_eq!(rig.draw(), None);
    let screen = rig.model.screen();

    let with = |part: &str| screen.iter().filter(|row| row.contains(part)).count();
    assert_eq!(
        (with("the line of #4"), with("the line of #5"), with("-> #4 6 bytes")),
        (1, 1, 3),
        "{screen:#?}"
    );
    assert!(rig.rows().iter().any(|row| row.starts_with("* #7 +") && row.contains(" lines/s, 1 in ")));
    assert!(with("* #7 has calmed down: ") == 1, "{screen:#?}");
}

#[test]
fn twenty_who_say_fifty_lines_a_second_are_shown_whole() {
    let mut rig = Rig::new(120, 40);
    (1..=20).for_each(|serial| rig.opens(serial));
    for tick in 0..500 {
        (1..=20)
            .filter(|serial| serial % 10 == tick % 10)
            .for_each(|serial| rig.says(serial, &format!("line {tick}")));
        rig.draw();
        rig.pass(Duration::from_millis(2));
    }
    let shown = rig.rows().iter().filter(|row| row.contains("> line ")).count();
    assert_eq!(shown, 1000);
}

#[test]
fn who_is_hidden_in_the_middle_of_a_flood_is_gone_with_the_next_frame() {
    let mut rig = Rig::new(120, 40);
    rig.opens(7);
    (0..100).for_each(|number| rig.says(7, &format!("flood {number}")));

    rig.desk.hide(|serial| serial == 7);
    rig.draw();

    assert!(!rig.rows().iter().any(|row| row.contains("flood")), "{:?}", rig.rows());
}
