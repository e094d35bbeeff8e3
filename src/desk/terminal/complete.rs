//! What Tab may put in: commands, those who are here, files.

use std::ops::Range;
use std::path::PathBuf;

use super::roster::Roster;
use crate::desk::fault;
use crate::desk::help::HELP;

/// What may stand where the cursor is.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing that is known.
    Nothing,
    /// One of these instead of this part of the line.
    Of(Range<usize>, Vec<String>),
    /// A file of this directory, whose name begins with what stands in this part of the line.
    File(Range<usize>, PathBuf, String),
}

/// Commands whose words are about somebody without an `@`.
const ABOUT_SOMEBODY: [&str; 13] = [
    "/done", "/show", "/name", "/eof", "/kick", "/rst", "/link", "/unlink", "/mute", "/focus", "/view",
    "/fault", "/who",
];

/// What may stand in a line, behind what is there up to the cursor.
pub fn choice(line: &str, cursor: usize, roster: &Roster) -> Choice {
    let before = &line[..cursor];
    let from = before.rfind([' ', '\n']).map_or(0, |at| at + 1);
    let word = &before[from..];
    let first = before.split(' ').next().unwrap_or_default();
    if first == "/fault" && from > 0 && !word.starts_with('@') {
        return faults(before, from, cursor, roster);
    }
    if word.starts_with('@') || (from > 0 && ABOUT_SOMEBODY.contains(&first)) {
        return somebody(word, from, cursor, roster);
    }
    if (from == 0 && word.starts_with('/')) || first == "/help" {
        return of(from..cursor, word, commands());
    }
    if from > 0 && first == "/file" {
        let (directory, name) =
            word.rsplit_once('/').map_or(("", word), |(directory, name)| (directory, name));
        let directory = match (directory, word.starts_with('/')) {
            ("", true) => "/",
            ("", false) => ".",
            (directory, _) => directory,
        };
        return Choice::File(cursor - name.len()..cursor, directory.into(), name.to_owned());
    }
    Choice::Nothing
}

/// Numbers and names; of a list, the last member.
fn somebody(word: &str, from: usize, cursor: usize, roster: &Roster) -> Choice {
    let member = word.rfind(['@', ',', '#']).map_or(0, |at| at + 1);
    let words = ["all", "last"].into_iter().map(str::to_owned).filter(|_| word.starts_with('@'));
    of(from + member..cursor, &word[member..], roster.spellings().chain(words))
}

/// Whose they are, and then what they are.
fn faults(before: &str, from: usize, cursor: usize, roster: &Roster) -> Choice {
    let word = &before[from..];
    if before[..from].split_whitespace().nth(1).is_some() {
        let behind = word.find(':').map_or(0, |at| at + 1);
        let off = (behind == 0).then(|| "off".to_owned());
        return of(from + behind..cursor, &word[behind..], fault::spellings().chain(off));
    }
    let new = if "new".starts_with(word) { Some("new".to_owned()) } else { None };
    let member = word.rfind([',', '#']).map_or(0, |at| at + 1);
    of(from + member..cursor, &word[member..], roster.spellings().chain(new))
}

fn commands() -> impl Iterator<Item = String> {
    HELP.iter().map(|help| help.name).filter(|name| name.starts_with('/') && *name != "//").map(str::to_owned)
}

fn of(range: Range<usize>, begun: &str, all: impl Iterator<Item = String>) -> Choice {
    let begun = begun.to_lowercase();
    let fitting: Vec<String> = all.filter(|one| one.to_lowercase().starts_with(&begun)).collect();
    if fitting.is_empty() { Choice::Nothing } else { Choice::Of(range, fitting) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster() -> Roster {
        let mut roster = Roster::default();
        for (serial, name) in [(3, Some("lab-a")), (4, Some("lab-b")), (31, None), (5, Some("nick"))] {
            roster.opened(serial, name);
        }
        roster.named(5, Some("nick"), true);
        roster
    }

    #[test]
    fn commands_numbers_names_and_files_are_offered_where_they_may_stand() {
        let of =
            |range, words: &[&str]| Choice::Of(range, words.iter().map(|word| (*word).to_owned()).collect());
        for (line, expected) in [
            ("/pe", of(0..3, &["/pending"])),
            ("/help /pe", of(6..9, &["/pending"])),
            ("@la", of(1..3, &["lab-a", "lab-b", "last"])),
            ("@4,la", of(3..5, &["lab-a", "lab-b", "last"])),
            ("/kick 3", of(6..7, &["3", "31"])),
            ("/kick LAB-A", of(6..11, &["lab-a"])),
            ("/hex @3", of(6..7, &["3", "31"])),
            ("/kick n", Choice::Nothing),
            ("/fault n", of(7..8, &["new"])),
            ("/fault 3,31", of(9..11, &["31"])),
            ("/fault @la", of(8..10, &["lab-a", "lab-b", "last"])),
            ("/fault 3 in:la", of(12..14, &["latency="])),
            ("/fault 3 stall s", of(15..16, &["slicer=", "stall", "slow_close=", "seed="])),
            ("/fault 3 o", of(9..10, &["off"])),
            ("hello la", Choice::Nothing),
            ("/file @3 /etc/ho", Choice::File(14..16, "/etc".into(), "ho".into())),
            ("/file no", Choice::File(6..8, ".".into(), "no".into())),
            ("/file /e", Choice::File(7..8, "/".into(), "e".into())),
        ] {
            assert_eq!(choice(line, line.len(), &roster()), expected, "{line:?}");
        }
    }
}
