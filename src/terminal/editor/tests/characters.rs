//! What a person calls a character is one, whatever it is made of.

use super::{press_all, state, typed};

/// Characters of every kind, and how many columns each takes.
pub(super) const CHARACTERS: &[(&str, &str, usize)] = &[
    ("ASCII", "a", 1),
    ("Latin", "é", 1),
    ("combining", "e\u{301}", 1),
    ("two marks", "o\u{302}\u{323}", 1),
    ("CJK", "你", 2),
    ("kana with its mark", "は\u{3099}", 2),
    ("Hangul", "한", 2),
    ("Hangul in parts", "\u{1112}\u{1161}\u{11ab}", 2),
    ("fullwidth", "Ａ", 2),
    ("emoji", "😀", 2),
    ("skin tone", "👍🏽", 2),
    ("family", "👨‍👩‍👧‍👦", 2),
    ("profession with a tone", "👩🏾‍🚀", 2),
    ("flag", "🇩🇪", 2),
    ("flag of a part", "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", 2),
    ("variation selector", "❤\u{fe0f}", 2),
    ("keycap", "1\u{fe0f}\u{20e3}", 2),
    ("Hebrew with a vowel", "ש\u{5b8}", 1),
    ("Thai", "ที่", 1),
    ("Devanagari", "नि", 2),
];

#[test]
fn every_character_is_moved_over_removed_and_turned_round_as_one() {
    for (kind, character, _) in CHARACTERS {
        // A letter between flags, since two of these in a row are still two.
        let line = format!("x{character}{character}y");
        let two = typed(&format!("{line}\x02\x02"));
        assert_eq!(state(&two.0), format!("x{character}|{character}y"), "left over {kind}");
        assert_eq!(
            state(&typed(&format!("{line}\x02\x7f")).0),
            format!("x{character}|y"),
            "backspace, {kind}"
        );
        let deleted = typed(&format!("{line}\x01\x06\x1b[3~")).0;
        assert_eq!(state(&deleted), format!("x|{character}y"), "delete, {kind}");
        assert_eq!(
            state(&typed(&format!("{line}\x01\x06\x06")).0),
            format!("x{character}|{character}y"),
            "right, {kind}"
        );
        let turned = typed(&format!("x{character}\x14")).0;
        assert_eq!(state(&turned), format!("{character}x|"), "turned round, {kind}");
    }
}

#[test]
fn the_cursor_is_never_within_a_character_that_an_edit_has_made() {
    let (mut editor, _) = typed("\u{301}\x01");

    let _ = press_all(&mut editor, "e");

    assert_eq!(state(&editor), "e\u{301}|");
    let (editor, _) = typed("ex\u{301}\x02");
    assert_eq!(state(&editor), "e|x\u{301}");
    let (editor, _) = typed("🇩x🇪\x02\x7f");
    assert_eq!(state(&editor), "🇩🇪|");
}
