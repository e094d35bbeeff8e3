//! Tables: `/who`, which reads well for five and for five thousand, and `/help`.

use std::io::{self, Write as _};

use unicode_width::UnicodeWidthStr;

use crate::desk::help::Help;
use crate::desk::reply::{ConnState, Row};
use crate::desk::words::{brief, size};

use super::render::{Reader, push_peer};

const HEADS: [&str; 9] = ["conn", "name", "peer", "age", "heard", "received", "sent", "queued", "state"];
/// Of these, numbers stand at the right.
const FROM_RIGHT: usize = 3;
/// Which of them a person does without where there is no room, and in which order.
const SPARED: [usize; 6] = [3, 6, 5, 7, 4, 2];
/// Of a longer table the heads have been scrolled away, so they stand at its end, too.
const ROWS_IN_SIGHT: usize = 20;

/// Between two columns.
const GAP: &str = "  ";

/// Where a person reads what a command does.
const HELP_COLUMN: usize = 26;
/// With less room than this behind it, it stands in a row of its own.
const HELP_COLUMNS_MIN: usize = 24;

/// Appends the table, each column as wide as what is in it. In a pipe it is plain columns: seconds and bytes as whole
/// numbers, no blank within a field, `-` for what there is none of. What is broken on purpose is told to a person in a
/// row of its own, to a program at the end of the state: `,limits-off,broken:out:stall+no_close`.
pub(super) fn push_conns(out: &mut Vec<u8>, rows: &[Row<'_>], reader: Reader) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "nobody is connected");
    }
    let cells: Vec<[String; 9]> = rows.iter().map(|row| cells(row, reader)).collect();
    let mut widths = HEADS.map(str::width);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let (shown, spared) = columns_that_fit(&widths, reader);
    push_row(out, &HEADS, &widths, &shown);
    for (row, cells) in rows.iter().zip(&cells) {
        push_row(out, &cells.each_ref().map(String::as_str), &widths, &shown);
        if let Some(fault) = row.fault.as_ref().filter(|_| reader != Reader::Program) {
            writeln!(out, "      broken on purpose, limits off: {fault}")?;
        }
    }
    if reader != Reader::Program && rows.len() > ROWS_IN_SIGHT {
        push_row(out, &HEADS, &widths, &shown);
    }
    match &spared[..] {
        [] => Ok(()),
        spared => writeln!(out, "no room for: {}", spared.join(", ")),
    }
}

/// Those that are shown, and the heads of those that are not.
fn columns_that_fit(widths: &[usize; 9], reader: Reader) -> (Vec<usize>, Vec<&'static str>) {
    let mut shown: Vec<usize> = (0..HEADS.len()).collect();
    let Reader::Person(columns) = reader else { return (shown, Vec::new()) };
    let needed = |shown: &[usize]| shown.iter().map(|at| widths[*at] + GAP.len()).sum::<usize>() - GAP.len();
    for spared in SPARED {
        if needed(&shown) <= columns {
            break;
        }
        shown.retain(|at| *at != spared);
    }
    let spared = (0..HEADS.len()).filter(|at| !shown.contains(at)).map(|at| HEADS[at]).collect();
    (shown, spared)
}

fn push_row(out: &mut Vec<u8>, cells: &[&str; 9], widths: &[usize; 9], shown: &[usize]) {
    for (place, at) in shown.iter().copied().enumerate() {
        let cell = cells[at];
        let is_last = place + 1 == shown.len();
        let blanks = widths[at] - cell.width();
        let goes_right = at >= FROM_RIGHT && !is_last;
        if place > 0 {
            out.extend_from_slice(GAP.as_bytes());
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

fn cells(row: &Row<'_>, reader: Reader) -> [String; 9] {
    let for_person = reader != Reader::Program;
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
    for (holds, note) in [
        (row.is_slow, "not-reading"),
        (row.pending.is_some() && row.state != ConnState::Closing, "waits"),
        (row.fault.is_some() && for_person, "broken"),
    ] {
        if holds {
            let _ = write_note(&mut state, note, for_person);
        }
    }
    if let Some(version) = row.via.tls_version() {
        state += &if for_person { format!(", TLS {version}") } else { format!(",tls{version}") };
    }
    if let Some(mate) = row.linked {
        state += &if for_person { format!(", linked to #{mate}") } else { format!(",linked:#{mate}") };
    }
    if let Some(fault) = row.fault.as_ref().filter(|_| !for_person) {
        // It may have commas in it, so it stands last.
        state += &format!(",limits-off,broken:{}", fault.to_string().replace(' ', "+"));
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

/// Appends how a command is written and what it does: to a program in one line, to a person in as many as it takes to
/// keep the columns.
pub(super) fn push_help(out: &mut Vec<u8>, help: &Help, reader: Reader) -> io::Result<()> {
    let Reader::Person(columns) = reader else {
        return writeln!(out, "{:<24} {}", help.usage, help.what);
    };
    let is_narrow = columns < HELP_COLUMN + HELP_COLUMNS_MIN;
    let indent = if is_narrow { 4 } else { HELP_COLUMN };
    write!(out, "{}", help.usage)?;
    let mut used = help.usage.width();
    if used + GAP.len() > indent || is_narrow {
        write!(out, "\n{:indent$}", "")?;
    } else {
        write!(out, "{:1$}", "", indent - used)?;
    }
    used = indent;
    for word in help.what.split(' ') {
        let blank = usize::from(used > indent);
        if blank > 0 && used + blank + word.width() > columns {
            write!(out, "\n{:indent$}", "")?;
            used = indent;
        } else if blank > 0 {
            out.push(b' ');
            used += blank;
        }
        out.extend_from_slice(word.as_bytes());
        used += word.width();
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conn::Peer;
    use crate::conn::stream::Via;
    use crate::desk::event::Who;
    use crate::desk::fault::FaultSpec;
    use crate::desk::help::HELP;

    fn who_said_to(reader: Reader, count: u64) -> Vec<String> {
        who_with_faults_said_to(reader, count, None)
    }

    /// The first of them is broken so.
    fn who_with_faults_said_to(reader: Reader, count: u64, faults: Option<&str>) -> Vec<String> {
        let peer = Peer::V4("127.0.0.1:50122".parse().unwrap());
        let row = |serial| Row {
            who: Who { serial, name: (serial == 1).then_some("lab-a") },
            peer: &peer,
            via: if serial == 4 { Via::Tls13 } else { Via::Plain },
            age: Duration::from_secs(75),
            heard: Some(Duration::from_secs(8)),
            received_bytes: 1200,
            sent_bytes: 17,
            queued_bytes: 0,
            state: ConnState::Established,
            is_slow: false,
            pending: (serial == 1).then_some(Duration::from_secs(8)),
            fault: faults
                .filter(|_| serial == 1)
                .map(|spec| Box::new(FaultSpec::parse(spec).expect("it is one"))),
            linked: (serial == 3).then_some(7),
        };
        let rows: Vec<Row<'_>> = (1..=count).map(row).collect();
        let mut out = Vec::new();
        push_conns(&mut out, &rows, reader).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    fn help_said_to(reader: Reader) -> Vec<String> {
        let mut out = Vec::new();
        HELP.iter().try_for_each(|help| push_help(&mut out, help, reader)).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_person_sees_all_columns_where_there_is_room() {
        assert_eq!(
            who_said_to(Reader::Person(84), 2),
            [
                "conn  name   peer             age  heard  received  sent  queued  state",
                "#1    lab-a  127.0.0.1:50122  75s     8s      1200    17       0  ESTABLISHED, waits",
                "#2    -      127.0.0.1:50122  75s     8s      1200    17       0  ESTABLISHED",
            ]
        );
    }

    #[test]
    fn what_is_broken_has_a_row_of_its_own_for_a_person_and_no_blank_for_a_program() {
        let faults = Some("latency=1s,5ms in:stall for=9s");

        let rows = who_with_faults_said_to(Reader::Person(100), 2, faults);
        assert!(rows[1].ends_with("  ESTABLISHED, waits, broken"), "{rows:#?}");
        assert_eq!(rows[2], "      broken on purpose, limits off: out:latency=1s,5ms in:stall for=9s");
        assert!(rows[3].starts_with("#2 ") && rows[3].ends_with("  ESTABLISHED"), "{rows:#?}");

        let rows = who_with_faults_said_to(Reader::Program, 2, faults);
        let state = rows[1].split_whitespace().last();
        assert_eq!(state, Some("ESTABLISHED,waits,limits-off,broken:out:latency=1s,5ms+in:stall+for=9s"));
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn who_speaks_tls_is_told_with_its_state() {
        let last = |reader| who_said_to(reader, 4).pop().unwrap();

        assert!(last(Reader::Person(100)).ends_with("  ESTABLISHED, TLS 1.3"));
        assert!(last(Reader::Program).ends_with("  ESTABLISHED,tls1.3"));
    }

    #[test]
    fn with_whom_one_is_linked_stands_behind_its_state_and_in_one_word_for_a_program() {
        let last = |reader| who_said_to(reader, 3).pop().unwrap();

        assert!(last(Reader::Person(100)).ends_with("  ESTABLISHED, linked to #7"));
        assert!(last(Reader::Program).ends_with("  ESTABLISHED,linked:#7"));
    }

    #[test]
    fn on_a_narrow_terminal_a_person_sees_whole_rows_and_what_is_not_in_them() {
        assert_eq!(
            who_said_to(Reader::Person(60), 2),
            [
                "conn  name   peer             heard  state",
                "#1    lab-a  127.0.0.1:50122     8s  ESTABLISHED, waits",
                "#2    -      127.0.0.1:50122     8s  ESTABLISHED",
                "no room for: age, received, sent, queued",
            ]
        );
        for columns in 31..100 {
            let rows = who_said_to(Reader::Person(columns), 2);
            assert!(rows[..3].iter().all(|row| row.width() <= columns), "{columns}: {rows:#?}");
        }
    }

    #[test]
    fn the_heads_of_a_long_table_stand_at_its_end_too() {
        let rows = who_said_to(Reader::Person(80), 21);

        assert_eq!(rows.len(), 1 + 21 + 1 + 1);
        assert_eq!(rows[22], rows[0]);
        assert_eq!(who_said_to(Reader::Program, 21).len(), 1 + 21, "a program needs them once");
    }

    #[test]
    fn help_keeps_its_columns_for_a_person_and_its_lines_for_a_program() {
        for columns in [40, 60, 80, 200] {
            let rows = help_said_to(Reader::Person(columns));
            assert!(rows.iter().all(|row| row.width() <= columns), "{columns}: {rows:#?}");
        }
        let rows = help_said_to(Reader::Person(80));
        for wrapped in [
            &[
                "text                      send text to the current target: whoever spoke last,",
                "                          unless one was chosen",
            ][..],
            &[
                "/every 5s LINE  /every  /every off 2|all",
                "                          repeat LINE, which sends; list; stop",
            ],
        ] {
            assert!(rows.windows(2).any(|rows| rows == wrapped), "{rows:#?}");
        }
        assert_eq!(help_said_to(Reader::Program).len(), HELP.len());
    }
}
