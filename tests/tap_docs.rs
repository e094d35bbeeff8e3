//! The three tasks of docs/tap.md, carried out as they stand there: each command is entered in its terminal, and what
//! is printed has to be what the page shows. Ports, stamps and how long something took are of that run alone.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tap.rs"]
mod tap;

use std::collections::VecDeque;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Program, has_tool, wait_until};
use tap::deaf_port;

const PAGE: &str = include_str!("../docs/tap.md");
const SERVER_PORT: &str = "6379";
const TAP_PORT: &str = "6380";

/// A line of the page's blocks.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    /// A command, and the terminal in which it is entered.
    Entered(&'a str, &'a str),
    /// What is typed at the tap.
    Typed(&'a str),
    /// What stands then in this terminal.
    Shown(&'a str, &'a str),
}

/// The lines in the blocks of a section, in their order.
fn lines_of<'a>(page: &'a str, title: &str) -> Vec<Line<'a>> {
    let section =
        page.split("\n## ").find(|section| section.starts_with(title)).expect("the section is there");
    let mut lines = Vec::new();
    let mut terminal = "";
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        let prompt = line.split_once("$ ").filter(|(name, _)| ["server", "tap", "client"].contains(name));
        if let Some((name, command)) = prompt {
            terminal = name;
            // What it entered before goes on.
            if command != "…" {
                lines.push(Line::Entered(name, command));
            }
        } else if let Some(typed) = line.strip_prefix("tap> ") {
            terminal = "tap";
            lines.push(Line::Typed(typed));
        } else if line.starts_with("* ") || without_stamp(line) != line {
            terminal = "tap";
            lines.push(Line::Shown(terminal, line));
        } else {
            lines.push(Line::Shown(terminal, line));
        }
    }
    lines
}

/// The line without the time in front of it.
fn without_stamp(line: &str) -> &str {
    let digits: String = line.chars().take(13).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if digits == "00:00:00.000 " { &line[13..] } else { line }
}

/// The line without what differs from run to run.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = without_stamp(line);
    while let Some((before, behind)) = rest.split_once("127.0.0.1:") {
        plain.push_str(before);
        plain.push_str("127.0.0.1:PORT");
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    plain + rest
}

/// The seconds of a line of bash's `time`, such as `real`, a tab, `0m0.512s`.
fn seconds(line: &str) -> Option<f64> {
    let (name, time) = line.split_once('\t').filter(|(name, _)| ["real", "user", "sys"].contains(name))?;
    let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
    let real: f64 = minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?;
    Some(if name == "real" { real } else { 0.0 })
}

/// Whether a line that was printed is the one that the page shows, in which `…` is anything.
fn fits(shown: &str, printed: &str) -> bool {
    if let (Some(shown), Some(printed)) = (seconds(shown), seconds(printed)) {
        // It may take longer here; less would mean that nothing was slow.
        return printed >= shown - 0.1;
    }
    let (shown, printed) = (plain(shown), plain(printed));
    match shown.split_once('…') {
        Some((begin, end)) => printed.starts_with(begin) && printed.ends_with(end),
        None => shown == printed,
    }
}

/// The three terminals.
struct Desk {
    ports: [u16; 2],
    directory: std::path::PathBuf,
    server: Option<Program>,
    tap: Option<Program>,
    /// Lines of the tap that the page shows and that were not seen yet.
    awaited: VecDeque<String>,
    /// Bytes of the tap's output up to the last line that was.
    seen: usize,
    client: Option<(String, Program)>,
    expected: Vec<String>,
}

impl Desk {
    fn new(name: &str) -> Desk {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Desk {
            ports: [deaf_port(), deaf_port()],
            directory,
            server: None,
            tap: None,
            awaited: VecDeque::new(),
            seen: 0,
            client: None,
            expected: Vec::new(),
        }
    }

    fn here(&self, text: &str) -> String {
        let [server, tap] = self.ports.map(|port| port.to_string());
        text.replace(SERVER_PORT, &server).replace(TAP_PORT, &tap)
    }

    /// Enters a command in a shell that finds the built programs.
    fn enter(&self, command: &str) -> Program {
        let built = Path::new(env!("CARGO_BIN_EXE_switchboard")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([built.to_owned()].into_iter().chain(std::env::split_paths(&path)));
        let mut bash = Command::new("bash");
        bash.args(["-c", &self.here(command)]).env("PATH", path.unwrap()).current_dir(&self.directory);
        Program::start(bash)
    }

    #[track_caller]
    fn follow(&mut self, line: &Line<'_>) {
        match line {
            Line::Entered("server", command) => {
                self.server = Some(self.enter(&format!("exec {command}")));
                let port = self.ports[0];
                wait_until("the server to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
            }
            Line::Entered("tap", command) => {
                // On a terminal this is the format anyway.
                let tap = self.enter(&format!("exec {command} --format human 2>&1"));
                tap.out.line_with("switchboard: listening on ");
                self.tap = Some(tap);
                self.seen = 0;
            }
            Line::Entered(_, command) => {
                self.client_has_ended();
                self.tap_has_shown();
                self.client = Some(((*command).to_owned(), self.enter(&format!("exec 2>&1; {command}"))));
            }
            Line::Typed(text) => {
                // Where the page has shown what the client prints, it is at its end.
                if !self.expected.is_empty() {
                    self.client_has_ended();
                }
                self.tap_has_shown();
                self.tap.as_mut().expect("a tap runs").type_line(text);
            }
            Line::Shown("tap", text) => {
                let text = self.here(text);
                self.awaited.push_back(text);
            }
            Line::Shown("client", text) => self.expected.push(self.here(text)),
            Line::Shown(..) => {}
        }
    }

    /// Waits until the tap has shown all that it is to show by now, in this order.
    #[track_caller]
    fn tap_has_shown(&mut self) {
        for shown in std::mem::take(&mut self.awaited) {
            let (tap, seen) = (self.tap.as_ref().expect("a tap runs"), self.seen);
            let after = tap.out.wait_for(&format!("{shown:?}"), |out| {
                let mut at = seen;
                for line in out[seen..].split_inclusive(|byte| *byte == b'\n') {
                    at += line.len();
                    let line = String::from_utf8_lossy(line);
                    if line.strip_suffix('\n').is_some_and(|line| fits(&shown, line)) {
                        return Some(at);
                    }
                }
                None
            });
            // Replies and messages come by two pipes here, so which was first cannot be told.
            if !["-> ", "#", "newcomers: "].iter().any(|reply| shown.starts_with(reply)) {
                self.seen = after;
            }
        }
    }

    /// Waits for the client, which has printed exactly what the page shows.
    #[track_caller]
    fn client_has_ended(&mut self) {
        let expected = std::mem::take(&mut self.expected);
        let Some((command, client)) = self.client.take() else { return };
        let printed = String::from_utf8(client.out.to_end()).unwrap();
        let printed: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
        let fits = printed.len() == expected.len()
            && expected.iter().zip(&printed).all(|(shown, printed)| fits(shown, printed));
        assert!(fits, "{command} printed {printed:#?}, and the page shows {expected:#?}");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[track_caller]
fn carry_out(title: &str) {
    if !["bash", "redis-cli", "redis-server", "timeout"].into_iter().all(has_tool) {
        return;
    }
    let mut desk = Desk::new(&title.replace(' ', "-"));
    let lines = lines_of(PAGE, title);
    assert!(lines.iter().filter(|line| matches!(line, Line::Entered("client", _))).count() > 1, "{lines:?}");
    let began = Instant::now();
    for line in &lines {
        desk.follow(line);
    }
    desk.client_has_ended();
    desk.tap_has_shown();
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
}

#[test]
fn tap_a_client_and_its_server() {
    carry_out("Tap a client and its server");
}

#[test]
fn a_client_against_a_slow_then_a_dying_server() {
    carry_out("A client against a slow, then a dying server");
}

#[test]
fn what_a_client_does_when_it_is_cut_in_mid_reply() {
    carry_out("What a client does when it is cut in mid-reply");
}

#[test]
fn every_word_of_the_page_is_one_that_the_server_takes() {
    let words: Vec<&str> =
        PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(words.len() > 12, "{words:?}");
    let mut server = common::Server::start(&[]);
    for word in words {
        // Beside one that breaks something, for those that only say when and whom.
        let spec = if ["for", "toxicity", "seed"].iter().any(|name| word.starts_with(name)) {
            format!("latency=1ms {word}")
        } else {
            word.to_owned()
        };
        tap::asks(&mut server, &format!("/fault new {spec}"), "newcomers: ");
        tap::asks(&mut server, "/fault new off", "newcomers: no faults");
    }
}
