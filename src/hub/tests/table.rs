//! The table of what may be typed, in memory: text and JSON, with what is shown and the bytes on each wire.

#[path = "../../../tests/commands/table.rs"]
mod shared;

use shared::{Action, Face, Outcome, Row};

use super::*;
use crate::buffer::framing::{Envelope, Framing};
use crate::modes::{Chat, Console, Echo};

/// Drives a row, in the mode that it is for.
fn drive(row: &Row) -> Outcome {
    let voice = match (row.has("--chat"), row.has("--echo")) {
        (true, _) => Voice::Participant,
        (_, true) => Voice::Mute,
        _ => Voice::Plain,
    };
    let envelope = if row.has("crlf") { Envelope::CrLf } else { Envelope::Lf };
    let tracks_pending = voice == Voice::Plain;
    let options = DeskOptions { voice, envelope, tracks_pending, ..DeskOptions::PIPE };
    match voice {
        Voice::Plain => drive_in(Console::new(Framing::Lines), options, row),
        Voice::Participant => drive_in(Chat::new(false, 0), options, row),
        Voice::Mute => drive_in(Echo::default(), options, row),
    }
}

fn drive_in<M: Mode>(mode: M, options: DeskOptions, row: &Row) -> Outcome {
    let spelling = if row.face == Face::Json { Spelling::Json } else { Spelling::Text(Format::Human) };
    let mut rig = Rig::new(mode, spelling, options, Limits::default());
    (1..=5).for_each(|serial| assert_eq!(rig.connect(), serial));
    for line in row.setup() {
        rig.reply_to(line);
    }
    if !row.has("--echo") {
        for (serial, text) in [(3, "ping\n"), (4, "hello\n")] {
            rig.says(serial, text.as_bytes());
            rig.settle();
        }
    }
    rig.shown();
    let before: Vec<usize> = (2..=5).map(|serial| rig.got(serial).len()).collect();
    let mut outcome = Outcome::default();
    for step in &row.steps {
        match &step.action {
            Action::Typed(line) => rig.type_line(line),
            Action::Says(serial, bytes) => rig.says(*serial, bytes),
            Action::Passes(ms) => rig.pass(*ms),
        }
        rig.settle();
        let shown = rig.shown();
        outcome.steps.push((shown.replies, shown.events));
    }
    outcome.wires =
        (2..=5).zip(before).map(|(serial, before)| (serial, rig.got(serial)[before..].to_vec())).collect();
    outcome
}

#[test]
fn whatever_is_typed_has_the_reply_the_events_and_the_bytes_that_the_table_says() {
    let rows = shared::rows();

    let wrong: Vec<String> = rows.iter().filter_map(|row| row.check(&drive(row), true).err()).collect();

    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let typed = rows.iter().filter(|row| row.face == Face::Text).count();
    assert!(typed >= 80, "{typed} rows are typed");
}

#[test]
fn a_command_has_one_reply_and_that_has_one_line_unless_it_is_a_table() {
    let tables = ["/who", "/pending", "/show", "/every", "/fault", "/stats", "/help"];
    for row in shared::rows().iter().filter(|row| !row.takes_more_than_a_pipe()) {
        for (step, (replies, _)) in row.steps.iter().zip(drive(row).steps) {
            let Action::Typed(line) = &step.action else { continue };
            let line = String::from_utf8_lossy(line);
            let is_table = row.face == Face::Text && tables.iter().any(|name| line.starts_with(name));
            assert!(replies.len() == 1 || (is_table && !replies.is_empty()), "{line:?} has {replies:?}");
        }
    }
}

#[test]
fn what_is_refused_puts_no_byte_on_any_wire() {
    for row in shared::rows() {
        let outcome = drive(&row);
        let is_refusal = |reply: &String| match row.face {
            Face::Json => reply.starts_with("{\"ev\":\"error\""),
            Face::Text => !reply.starts_with("-> ") && !reply.starts_with('*'),
        };
        if outcome.steps.iter().flat_map(|(replies, _)| replies).all(is_refusal)
            && !row.takes_more_than_a_pipe()
        {
            assert!(outcome.wires.iter().all(|(_, bytes)| bytes.is_empty()), "{}", row.spelt(&outcome));
        }
    }
}
