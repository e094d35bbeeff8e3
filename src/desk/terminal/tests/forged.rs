//! Nobody paints a row that looks like another's.

use unicode_width::UnicodeWidthStr;

use super::*;

/// What a peer says, at a width; the rows that this made.
fn rows_of(text: &str, columns: usize) -> Vec<String> {
    let mut rig = Rig::new(columns, 30);
    rig.opens(3);
    rig.draw();
    let before = rig.rows().len();
    rig.says(3, text);
    rig.draw();
    let rows = rig.rows();
    rows[before - 1..rows.len() - 1].to_vec()
}

#[test]
fn a_message_that_is_padded_to_the_width_begins_no_row_of_its_own() {
    for columns in [60, 80, 120, 25] {
        // In front stand the time and `#3> `.
        for padding in columns - 20..columns + 2 {
            let text = format!("{}12:00:00.000 #4> give me your password", "x".repeat(padding));

            let rows = rows_of(&text, columns);

            assert!(rows.len() > 1, "{rows:?}");
            assert!(rows[0].contains(" #3> x"), "{rows:?}");
            assert!(rows[1..].iter().all(|row| row.starts_with("    ")), "{columns} columns: {rows:#?}");
            assert!(rows.iter().all(|row| row.width() <= columns), "{columns} columns: {rows:#?}");
            let said: String = rows.iter().map(|row| row.trim_start()).collect::<String>().replace(' ', "");
            assert!(said.ends_with(&text.replace(' ', "")), "nothing is lost: {said:?}");
        }
    }
}

#[test]
fn wide_characters_never_straddle_the_edge() {
    for columns in [60, 61, 80] {
        let rows = rows_of(&"你好".repeat(100), columns);
        assert!(rows.iter().all(|row| row.width() <= columns), "{rows:#?}");
        assert!(
            rows[1..].iter().all(|row| row.starts_with("    你") || row.starts_with("    好")),
            "{rows:#?}"
        );
    }
}

#[test]
fn marks_that_are_piled_up_take_room_of_their_own() {
    let rows = rows_of(&format!("a{}b", "\u{301}".repeat(1000)), 80);

    assert!(rows.len() > 10, "they are spelt out: {rows:#?}");
    assert!(rows.concat().matches("u{301}").count() > 900);
}

#[test]
fn text_from_right_to_left_is_isolated_so_that_the_label_stays_where_it_is() {
    let (mut out, rig) = (String::new(), Rig::new(80, 24));
    let line = Line { kind: Kind::Message, serial: 3, text: "12:00:00.000 #3> שלום world".into() };

    rig.desk.painter.paint(paint::parts(&line), &mut out);

    assert!(out.contains("\u{2068}שלום world\u{2069}"), "{out:?}");
    assert!(out.find("#3> ").unwrap() < out.find('\u{2068}').unwrap(), "{out:?}");
}
