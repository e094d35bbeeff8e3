//! The picture at the top of the README is taken of what is there: its script is run.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Program, has_tool};

/// Prints the text of a picture, a row a line. What is not well-formed is an error.
const READ: &str = "import sys, xml.etree.ElementTree as tree
for text in tree.parse(sys.argv[1]).getroot().iter('{http://www.w3.org/2000/svg}text'):
    print(''.join(text.itertext()))";

const BYTES_MAX: u64 = 60 * 1024;

/// A run of the script; its status, and what it said.
fn take_picture(directory: &Path, binary: &str) -> (Option<i32>, String) {
    let mut command = Command::new("python3");
    command.args(["docs/picture/session.py", "--pace", "0", "--address", "127.0.0.1:0", "--binary", binary]);
    command.arg(directory).current_dir(env!("CARGO_MANIFEST_DIR"));
    let mut script = Program::start(command);
    let status = script.exit_status();
    (status.code(), String::from_utf8(script.err.to_end()).unwrap())
}

fn rows_of(picture: &Path) -> Vec<String> {
    let mut command = Command::new("python3");
    command.args(["-c", READ]).arg(picture).env("PYTHONIOENCODING", "utf-8");
    let mut reader = Program::start(command);
    let status = reader.exit_status();
    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&reader.err.to_end()));
    String::from_utf8(reader.out.to_end()).unwrap().lines().map(str::to_owned).collect()
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

#[test]
fn a_session_is_drawn_light_and_dark() {
    if !["python3", "tmux"].into_iter().all(has_tool) {
        return;
    }
    let directory = directory("picture");

    let (status, said) = take_picture(&directory, env!("CARGO_BIN_EXE_switchboard"));

    assert_eq!((status, &*said), (Some(0), ""));
    for name in ["session-light.svg", "session-dark.svg"] {
        let picture = directory.join(name);
        let rows = rows_of(&picture);
        let has = |begins: &str| rows.iter().any(|row| row.starts_with(begins));
        assert!(has("#2 mei> 在，现在是 21.4"), "the prompt, and the line that is being typed: {rows:#?}");
        assert!(has("conn  name   peer "), "the table: {rows:#?}");
        assert!(rows.iter().any(|row| row.ends_with(" #1 lab-a> temperature 21.4 C")), "{rows:#?}");
        assert!(std::fs::metadata(&picture).unwrap().len() < BYTES_MAX);
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn where_the_server_is_not_built_the_script_says_so_in_one_line() {
    if !["python3", "tmux"].into_iter().all(has_tool) {
        return;
    }

    let (status, said) = take_picture(&directory("no-picture"), "nowhere/switchboard");

    assert_eq!(status, Some(1));
    let expected = "session.py: nowhere/switchboard is not there: cargo build --release makes it\n";
    assert_eq!(said, expected);
}
