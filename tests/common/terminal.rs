//! A server on a real terminal: in a window of tmux, which shows what a person sees, and on a bare one (`script`), of
//! which every byte can be looked at.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{self, PipeReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::{Output, Peer, Program, has_tool, wait_until};

pub const SWITCHBOARD: &str = env!("CARGO_BIN_EXE_switchboard");

/// The variables of a terminal that a person sits at, whatever the test was started from.
fn at_a_terminal(command: &mut Command) {
    command.envs([("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("SHELL", "/bin/sh")]);
    command.env_remove("NO_COLOR").env_remove("RUST_LOG").env_remove("TMUX");
}

/// A path for a file of one test's, which is not there yet.
pub fn place(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("terminal-{name}-{}-{number}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

/// A window of its own, in a tmux of its own.
pub struct Pane {
    socket: String,
}

impl Drop for Pane {
    fn drop(&mut self) {
        self.tmux(&["kill-server"], b"");
    }
}

impl Pane {
    /// A window of this size in which a shell runs this; nothing where tmux is missing.
    #[track_caller]
    pub fn running(columns: usize, rows: usize, shell_line: &str) -> Option<Pane> {
        if !has_tool("tmux") {
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let pane = Pane { socket: format!("switchboard-{}-{number}", std::process::id()) };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let options = ["history-limit", "status", "default-terminal", "escape-time", "remain-on-exit"];
        let values = ["50000", "off", "xterm-256color", "0", "on"];
        let mut arguments = vec!["-f", "/dev/null", "start-server"];
        for (option, value) in options.iter().zip(values) {
            arguments.extend([";", "set-option", "-g", option, value]);
        }
        arguments.extend([";", "new-session", "-d", "-x", &columns, "-y", &rows, shell_line]);
        pane.tmux(&arguments, b"");
        Some(pane)
    }

    /// The same with a server in it, and where that listens.
    #[track_caller]
    pub fn serving(columns: usize, rows: usize, arguments: &str) -> Option<(Pane, SocketAddr)> {
        let line = format!("exec {SWITCHBOARD} --no-history {arguments} 0");
        let pane = Pane::running(columns, rows, &line)?;
        let address = pane.address();
        pane.prompt_is(|prompt| prompt.contains("> "));
        Some((pane, address))
    }

    /// The same with so many peers, numbered from 1.
    #[track_caller]
    pub fn with_peers(columns: usize, rows: usize, count: u64) -> Option<(Pane, Vec<Peer>)> {
        let (pane, address) = Pane::serving(columns, rows, "")?;
        let peers = (1..=count).map(|number| pane.connect(address, number)).collect();
        Some((pane, peers))
    }

    /// Connects a peer, which will have this number, and waits until the operator is told.
    #[track_caller]
    pub fn connect(&self, address: SocketAddr, number: u64) -> Peer {
        let peer = Peer::connect(address);
        self.has_row(&format!("* #{number} connected from "));
        peer
    }

    fn tmux(&self, arguments: &[&str], stdin: &[u8]) -> String {
        let mut command = Command::new("tmux");
        at_a_terminal(&mut command);
        command.args(["-u", "-L", &self.socket]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("tmux is here");
        // It may have no use for it.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
    }

    /// Types characters.
    pub fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text], b"");
    }

    /// Presses keys, by their names in tmux.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat(), b"");
    }

    /// Types a line, and presses Enter.
    pub fn enters(&self, line: &str) {
        self.types(line);
        self.press(&["Enter"]);
    }

    /// Pastes as a terminal does: between marks, where the program has asked for them.
    pub fn pastes(&self, text: &str) {
        self.tmux(&["load-buffer", "-", ";", "paste-buffer", "-p", "-d"], text.as_bytes());
    }

    pub fn resize(&self, columns: usize, rows: usize) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()], b"");
    }

    /// The rows of the screen, without the blank ones at its end.
    pub fn screen(&self) -> Vec<String> {
        self.captured(&[])
    }

    /// The same, with all that was pushed off it before.
    pub fn all_rows(&self) -> Vec<String> {
        self.captured(&["-S", "-"])
    }

    fn captured(&self, arguments: &[&str]) -> Vec<String> {
        let text = self.tmux(&[&["capture-pane", "-p"], arguments].concat(), b"");
        text.trim_end().split('\n').map(str::to_owned).collect()
    }

    /// The column and the row of the cursor, from 0.
    pub fn cursor(&self) -> (usize, usize) {
        let text = self.tmux(&["display-message", "-p", "#{cursor_x} #{cursor_y}"], b"");
        let (column, row) = text.trim().split_once(' ').expect("two numbers");
        (column.parse().unwrap(), row.parse().unwrap())
    }

    /// The process that was started in it.
    pub fn pid(&self) -> u32 {
        self.tmux(&["display-message", "-p", "#{pane_pid}"], b"").trim().parse().expect("a number")
    }

    /// Waits until the last row of the screen, without what stands dim at its right edge, is as wanted; returns it.
    #[track_caller]
    pub fn prompt_is(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        self.wait_for("the prompt", |rows| {
            let prompt = rows.last()?.split("   ").next()?.trim_end();
            // A prompt alone ends with a blank, which no capture has.
            is_wanted(prompt).then(|| prompt.to_owned()).or_else(|| {
                let with_blank = format!("{prompt} ");
                is_wanted(&with_blank).then_some(with_blank)
            })
        })
    }

    /// Waits until the last row is this prompt with this line.
    #[track_caller]
    pub fn shows_line(&self, line: &str) {
        self.prompt_is(|prompt| prompt.trim_end() == line.trim_end());
    }

    /// Waits for a row that contains this, wherever it is by now; returns it.
    #[track_caller]
    pub fn has_row(&self, part: &str) -> String {
        let what = format!("a row with {part:?}");
        self.wait_until(&what, || self.all_rows().into_iter().find(|row| row.contains(part)))
    }

    /// Waits until the screen has what is looked for.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, found: impl Fn(&[String]) -> Option<T>) -> T {
        self.wait_until(what, || found(&self.screen()))
    }

    #[track_caller]
    fn wait_until<T>(&self, what: &str, found: impl FnMut() -> Option<T>) -> T {
        let shown = ShownAtPanic(self);
        let found = wait_until(what, found);
        std::mem::forget(shown);
        found
    }

    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.has_row("switchboard: listening on ")
            .trim()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .expect("an address")
    }
}

/// Tells what was on the screen when something was waited for in vain.
struct ShownAtPanic<'a>(&'a Pane);

impl Drop for ShownAtPanic<'_> {
    fn drop(&mut self) {
        let _ = writeln!(std::io::stderr(), "on the screen:\n{}", self.0.screen().join("\n"));
    }
}

/// A server on a bare terminal; what it writes comes out of `script`, and what is written there are its keys.
pub struct Bare {
    pub script: Program,
    /// What it shows, as long as nobody reads it.
    unread: Option<PipeReader>,
    pub address: SocketAddr,
    pid_at: PathBuf,
    err_at: PathBuf,
    before: PathBuf,
    after: PathBuf,
}

impl Drop for Bare {
    fn drop(&mut self) {
        for path in [&self.pid_at, &self.err_at, &self.before, &self.after] {
            let _ = fs::remove_file(path);
        }
    }
}

impl Bare {
    /// Nothing where `script` is missing. `before`: what a shell does first.
    #[track_caller]
    pub fn serving(before: &str, arguments: &str) -> Option<Bare> {
        Bare::started(before, arguments, false)
    }

    /// The same on a terminal that takes only what the system keeps for it, until `read`.
    #[track_caller]
    pub fn unread(arguments: &str) -> Option<Bare> {
        Bare::started("", arguments, true)
    }

    /// Reads what it shows, from now on.
    pub fn read(&mut self) {
        self.script.out = Output::of(self.unread.take().expect("nobody reads it"));
    }

    fn started(before: &str, arguments: &str, is_unread: bool) -> Option<Bare> {
        if !has_tool("script") {
            return None;
        }
        let [pid_at, state_before, state_after] = ["pid", "before", "after"].map(place);
        // What is told at the start goes to a file.
        let err = place("err");
        let serve =
            format!("echo $$ >{}; exec {SWITCHBOARD} {arguments} 0 2>{}", pid_at.display(), err.display());
        let shell_line = format!(
            "stty -a >{}; {before} sh -c '{serve}'; echo its status: $?; stty -a >{}",
            state_before.display(),
            state_after.display()
        );
        let mut command = Command::new("script");
        at_a_terminal(&mut command);
        command.args(["-qefc", &shell_line, "/dev/null"]);
        let (script, unread) = if is_unread {
            let (unread, stdout) = io::pipe().unwrap();
            (Program::start_onto(command, stdout.into()), Some(unread))
        } else {
            (Program::start(command), None)
        };
        let address = wait_until("the server to listen", || {
            let err = fs::read_to_string(&err).ok()?;
            err.strip_suffix('\n')?.rsplit(' ').next()?.parse().ok()
        });
        Some(Bare { script, unread, address, pid_at, err_at: err, before: state_before, after: state_after })
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        fs::read_to_string(&self.pid_at).unwrap().trim().parse().expect("a number")
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill is everywhere").success(), "cannot send SIG{name}");
    }

    /// Connects a peer and waits until the operator is told.
    #[track_caller]
    pub fn connect(&self, number: u64) -> Peer {
        let peer = Peer::connect(self.address);
        self.has(&format!("* #{number} connected from "));
        peer
    }

    /// Waits for this among all that was written.
    #[track_caller]
    pub fn has(&self, part: &str) {
        self.script.out.wait_for(&format!("{part:?}"), |out| contains(out, part).then_some(()));
    }

    /// Waits until a line can be edited.
    #[track_caller]
    pub fn has_prompt(&self) {
        self.has("(nobody)> ");
    }

    /// All it wrote, once it has ended, and its exit status.
    #[track_caller]
    pub fn ended(&mut self) -> (String, i32) {
        let line = self.script.out.line_with("its status: ");
        self.script.exit_status();
        let status = line.trim().rsplit(' ').next().unwrap().parse().expect("a number");
        (String::from_utf8_lossy(&self.script.out.to_end()).into_owned(), status)
    }

    /// The settings of the terminal before and after, in words.
    pub fn settings(&self) -> (String, String) {
        let read = |at: &PathBuf| fs::read_to_string(at).expect("stty has written it");
        (read(&self.before), read(&self.after))
    }
}

fn contains(out: &[u8], part: &str) -> bool {
    out.windows(part.len()).any(|window| window == part.as_bytes())
}
