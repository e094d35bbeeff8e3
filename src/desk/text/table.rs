//! `/who`: a table that reads well for five and for five thousand. Each column is as wide as what is in it.

use std::io::{self, Write as _};

use unicode_width::UnicodeWidthStr;

use crate::desk::reply::{ConnState, Row};
use crate::desk::words::{brief, size};

use super::render::push_peer;

const HEADS: [&str; 9] = ["conn", "name", "peer", "age", "heard", "received", "sent", "queued", "state"];
/// Of these, numbers stand at the right.
const FROM_RIGHT: usize = 3;

/// Appends the table. In a pipe it is plain columns: seconds and bytes as whole numbers, no blank within a field, `-`
/// for what there is none of.
pub(super) fn push_conns(out: &mut Vec<u8>, rows: &[Row<'_>], for_person: bool) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "nobody is connected");
    }
    let cells: Vec<[String; 9]> = rows.iter().map(|row| cells(row, for_person)).collect();
    let mut widths = HEADS.map(str::width);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    push_row(out, &HEADS, &widths);
    cells.iter().for_each(|row| push_row(out, &row.each_ref().map(String::as_str), &widths));
    Ok(())
}

fn push_row(out: &mut Vec<u8>, cells: &[&str; 9], widths: &[usize; 9]) {
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let is_last = at + 1 == cells.len();
        let blanks = width - cell.width();
        let goes_right = at >= FROM_RIGHT && !is_last;
        if at > 0 {
            out.extend_from_slice(b"  ");
        }
        if goes_right {
            out.resize(out.len() + blanks, b' ');
        }
        out.extend_from_slice(cell.as_bytes());
        if !goes_right && !is_last {
            out.resize(out.len() + blanks, b' ');
        }
    }
    out.push(b'\n');
}

fn cells(row: &Row<'_>, for_person: bool) -> [String; 9] {
    let none = || "-".to_owned();
    let time = |time| if for_person { brief(time) } else { time.as_secs().to_string() };
    let bytes = |bytes: u64| match usize::try_from(bytes) {
        Ok(bytes) if for_person && bytes >= 100_000 => size(bytes),
        _ => bytes.to_string(),
    };
    let mut peer = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = push_peer(&mut peer, row.peer);
    let mut state = row.state.in_tcp_words().to_owned();
    for (holds, note) in
        [(row.is_slow, "not-reading"), (row.pending.is_some() && row.state != ConnState::Closing, "waits")]
    {
        if holds {
            let _ = write_note(&mut state, note, for_person);
        }
    }
    [
        format!("#{}", row.who.serial),
        row.who.name.map_or_else(none, str::to_owned),
        String::from_utf8_lossy(&peer).into_owned(),
        time(row.age),
        row.heard.map_or_else(none, time),
        bytes(row.received_bytes),
        bytes(row.sent_bytes),
        bytes(row.queued_bytes as u64),
        state,
    ]
}

fn write_note(state: &mut String, note: &str, for_person: bool) -> std::fmt::Result {
    use std::fmt::Write as _;
    if for_person { write!(state, ", {}", note.replace('-', " ")) } else { write!(state, ",{note}") }
}
