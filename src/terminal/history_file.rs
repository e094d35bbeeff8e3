//! The file in which entered lines are kept from one run to the next. It is nobody else's to read, from its first
//! moment; several programs may add to it at once.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::editor::History;

/// A longer file is cut down to its newest lines when it is opened.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A line that is longer is not kept.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The file, open for adding.
#[derive(Debug)]
pub struct HistoryFile {
    file: File,
}

/// Where it is: in `$XDG_STATE_HOME`, or where that is by default. Nowhere, where there is no home.
pub fn history_path(state_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The base directory specification has relative ones ignored.
    let state = state_home.filter(|path| path.is_absolute());
    let state =
        state.or_else(|| home.filter(|path| path.is_absolute()).map(|home| home.join(".local/state")))?;
    Some(state.join("switchboard/history"))
}

impl HistoryFile {
    /// Opens it, and reads what is in it.
    ///
    /// # Errors
    /// When it cannot be made, opened or read.
    pub fn open(path: &Path) -> io::Result<(HistoryFile, History)> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
        }
        // Nobody waits for somebody who has stopped with it in hand: it is read all the same, and cut down another time.
        let is_ours = file.try_lock().is_ok();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(plain).collect();
        let newest = lines[lines.len().saturating_sub(History::ENTRIES_MAX)..].to_vec();
        if metadata.len() > FILE_BYTES_MAX && is_ours {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(newest.iter().map(|line| escaped(line) + "\n").collect::<String>().as_bytes())?;
        }
        file.unlock()?;
        Ok((HistoryFile { file }, History::from(newest)))
    }

    /// Adds a line, whole, whoever else adds one. What cannot be written is not kept: nobody waits for a history.
    pub fn add(&mut self, line: &str) {
        if line.len() <= LINE_BYTES_MAX {
            // Whoever has the lock cuts the file down; what is added meanwhile, in one write behind its end, is whole.
            let is_ours = self.file.try_lock().is_ok();
            let _ = self.file.write_all((escaped(line) + "\n").as_bytes());
            if is_ours {
                let _ = self.file.unlock();
            }
        }
    }
}

/// On one line.
fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn plain(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(char) = chars.next() {
        out.push(match char {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            char => char,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, gone at the end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let place = std::env::temp_dir().join(format!("switchboard-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&place);
            Place(place)
        }

        fn file(&self) -> PathBuf {
            self.0.join("deeper/history")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn entries(path: &Path) -> Vec<String> {
        let (_, history) = HistoryFile::open(path).unwrap();
        history.entries().map(str::to_owned).collect()
    }

    #[test]
    fn h53_what_was_entered_is_there_in_the_next_run_and_nobody_else_may_read_it() {
        let place = Place::new("history");
        let (mut file, _) = HistoryFile::open(&place.file()).unwrap();

        let lines = ["@3 你好", "two\nrows \\n", "\\", "last"];
        lines.iter().for_each(|line| file.add(line));

        assert_eq!(entries(&place.file()), lines);
        assert_eq!(fs::metadata(place.file()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(place.0.join("deeper")).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn h53_a_history_that_others_may_read_is_shut() {
        let place = Place::new("open-history");
        fs::create_dir_all(place.0.join("deeper")).unwrap();
        fs::write(place.file(), "a secret\n").unwrap();
        fs::set_permissions(place.file(), Permissions::from_mode(0o644)).unwrap();

        assert_eq!(entries(&place.file()), ["a secret"]);
        assert_eq!(fs::metadata(place.file()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn h53_programs_that_add_at_once_tear_no_line() {
        let place = Place::new("shared-history");
        let add = |number: usize| {
            let (mut file, _) = HistoryFile::open(&place.file()).unwrap();
            (0..100).for_each(|line| file.add(&format!("{number} {line} {}", "x".repeat(5000))));
        };

        std::thread::scope(|scope| (0..4).for_each(|number| drop(scope.spawn(move || add(number)))));

        let text = fs::read_to_string(place.file()).unwrap();
        assert_eq!(text.lines().count(), 400);
        assert!(text.lines().all(|line| line.len() > 5000 && line.ends_with('x')));
    }

    #[test]
    fn it_lies_where_programs_keep_their_state() {
        let at = |state: Option<&str>, home: Option<&str>| {
            history_path(state.map(Into::into), home.map(Into::into))
        };

        assert_eq!(at(Some("/state"), Some("/home/ann")), Some("/state/switchboard/history".into()));
        assert_eq!(at(None, Some("/home/ann")), Some("/home/ann/.local/state/switchboard/history".into()));
        assert_eq!(at(Some("relative"), Some("/h")), Some("/h/.local/state/switchboard/history".into()));
        assert_eq!(at(None, None), None);
    }
}
