//! The web desk in a browser: the real server, two pages in Chromium, three peers. What is longer than this is run by
//! hand (CONTRIBUTING.md).

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Server, has_tool};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web");

/// Whether what `npm ci` installs is here; like `has_tool`.
fn has_modules() -> bool {
    let found = Path::new(TESTS).join("node_modules/playwright-core").exists();
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "npm ci was not run in tests/web, and in CI nothing is skipped"
        );
        let _ = writeln!(io::stderr(), "skipped: npm ci was not run in tests/web");
    }
    found
}

/// A directory of ours alone, in which the server keeps its token.
struct Private(PathBuf);

impl Private {
    fn new() -> Private {
        let path = std::env::temp_dir().join(format!("swb-web-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Private(path)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn two_pages_in_a_browser_do_what_an_operator_does_in_a_minute() {
    if !(has_tool("node") && has_tool("chromium") && has_modules()) {
        return;
    }
    let private = Private::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--web", "--quiet", "0"]).env("XDG_RUNTIME_DIR", &private.0);
    let server = Server::of(command);
    let line = server.err.line_with("web desk at ");
    let kept = line.rsplit(" in ").next().unwrap();
    let addresses = fs::read_to_string(kept).unwrap_or_else(|error| panic!("{line}: {error}"));
    let (web, looks) = addresses.trim_end().split_once('\n').expect("two addresses");

    let mut node = Command::new("node");
    node.args(["--test", "two.test.mjs"]).current_dir(TESTS).stdin(Stdio::null());
    node.env("SWITCHBOARD_WEB", web).env("SWITCHBOARD_LOOKS", looks);
    node.env("SWITCHBOARD_PEERS", server.address.to_string());
    let ended = node.output().unwrap();

    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{told}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(told.contains("# pass 1\n") && told.contains("# skipped 0\n"), "{told}");
}
