//! The file of a transcript: where it is, what is in it, and whether that is whole.

// Each test file uses what it needs.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::common::{Program, Server, wait_until};

/// A directory of one test's, which is gone in the end.
pub struct Place(PathBuf);

impl Place {
    pub fn new(name: &str) -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("transcript-{name}-{}-{number}", std::process::id());
        let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place).unwrap();
        Place(place)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("it is a text")
}

/// A server with these arguments that a shell starts after these commands.
pub fn served_after(commands: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{commands}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_switchboard")]);
    command.args(arguments).arg("0");
    command
}

/// The lines of a transcript, each an object.
#[track_caller]
pub fn events_in(bytes: &[u8]) -> Vec<Value> {
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "the last line is torn");
    let lines = str::from_utf8(bytes).expect("it is UTF-8").lines();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The events of a file that is written no more.
#[track_caller]
pub fn events_of(path: &Path) -> Vec<Value> {
    events_in(&fs::read(path).unwrap())
}

/// Waits until a file contains this, and returns all that is in it then.
#[track_caller]
pub fn file_with(path: &Path, part: &str) -> String {
    wait_until(&format!("{part:?} in {}", path.display()), || {
        Some(fs::read_to_string(path).unwrap_or_default()).filter(|text| text.contains(part))
    })
}

/// What the lines are called, in order.
pub fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["ev"].as_str().unwrap()).collect()
}

pub fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["ev"] == kind).collect()
}

/// Whether each event of a run is there, in order, or counted where it is missing. Returns how many are missing.
#[track_caller]
pub fn check_numbers(events: &[Value]) -> u64 {
    assert_eq!(events.first().map(|event| &event["ev"]), Some(&"listening".into()));
    let (mut last, mut skipped) = (0, 0);
    for event in events {
        if let Some(seq) = event["seq"].as_u64() {
            assert_eq!(seq, last + 1, "behind {last}, of which {skipped} were skipped: {event}");
            last = seq;
        } else if event["ev"] == "skipped" {
            last += event["count"].as_u64().unwrap();
            skipped += event["count"].as_u64().unwrap();
        } else if event["past"] != true {
            assert_eq!(event["ev"], "listening", "{event} has no number");
        }
    }
    skipped
}

/// The same of a run that has ended.
#[track_caller]
pub fn check_whole(events: &[Value]) -> u64 {
    assert_eq!(events.last().map(|event| &event["ev"]), Some(&"bye".into()));
    check_numbers(events)
}

/// Lets a server end, in order.
#[track_caller]
pub fn ends(server: &mut Server) {
    server.signal("TERM");
    assert_eq!(server.exit_status().code(), Some(0), "{}", String::from_utf8_lossy(&server.err.so_far()));
}

/// How often something is on a program's stderr.
pub fn times_told(program: &Program, part: &str) -> usize {
    String::from_utf8_lossy(&program.err.so_far()).matches(part).count()
}
