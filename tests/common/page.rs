//! A page of docs/, carried out as it stands: each command of its blocks is entered in its terminal, and what is printed
//! has to be what the page shows. Ports, stamps and how long something took are of that run alone.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{DEADLINE, Program, has_tool, let_pass, wait_until};

/// Terminals at which somebody types while what was entered there runs.
const CONSOLES: [&str; 2] = ["tap", "stand-in"];

/// A line of the page's blocks.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    /// A command, and the terminal in which it is entered.
    Entered(&'a str, &'a str),
    /// What is typed at the console.
    Typed(&'a str),
    /// What stands then in this terminal.
    Shown(&'a str, &'a str),
}

/// The lines in the blocks of a section, in their order.
pub fn lines_of<'a>(page: &'a str, title: &str) -> Vec<Line<'a>> {
    let section =
        page.split("\n## ").find(|section| section.starts_with(title)).expect("the section is there");
    let mut lines = Vec::new();
    let (mut terminal, mut console) = ("", CONSOLES[0]);
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        let prompt = line
            .split_once("$ ")
            .filter(|(name, _)| CONSOLES.contains(name) || ["server", "client"].contains(name));
        let typed = line.split_once("> ").filter(|(name, _)| CONSOLES.contains(name));
        if let Some((name, command)) = prompt {
            terminal = name;
            if CONSOLES.contains(&name) {
                console = name;
            }
            // What it entered before goes on.
            if command != "…" {
                lines.push(Line::Entered(name, command));
            }
        } else if let Some((name, typed)) = typed {
            terminal = name;
            console = name;
            lines.push(Line::Typed(typed));
        } else {
            if is_of_console(line) {
                terminal = console;
            }
            lines.push(Line::Shown(terminal, line));
        }
    }
    lines
}

/// Whether a line tells by itself that a console shows it.
fn is_of_console(line: &str) -> bool {
    ["* ", "-> ", "switchboard: "].iter().any(|begin| line.starts_with(begin)) || without_stamp(line) != line
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

/// The text with each number as `0`, and blanks as one.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        let goes_on = match c {
            '0' => plain.ends_with('0'),
            // A point within a number.
            '.' => plain.ends_with('0'),
            ' ' => plain.ends_with(' '),
            _ => false,
        };
        if !goes_on {
            plain.push(c);
        }
    }
    plain
}

/// How closely what is printed is compared with the page.
#[derive(Clone, Copy, PartialEq)]
pub enum Compare {
    /// Every line as it is, but for what is of one run alone.
    Lines,
    /// A row of a report is there, whatever was measured; other lines without their numbers, but for a status.
    Measurements,
}

impl Compare {
    /// Whether a line that was printed is the one that the page shows, in which `…` is anything.
    fn fits(self, shown: &str, printed: &str) -> bool {
        if let (Some(shown), Some(printed)) = (seconds(shown), seconds(printed)) {
            // It may take longer here; less would mean that nothing was slow.
            return printed >= shown - 0.1;
        }
        let (shown, printed) = (plain(shown), plain(printed));
        if self == Compare::Measurements && !shown.starts_with("status ") {
            return match (shown.split_once("  "), printed.split_once("  ")) {
                (Some((shown, _)), Some((printed, _))) => shown == printed,
                _ => without_numbers(&shown) == without_numbers(&printed),
            };
        }
        match shown.split_once('…') {
            Some((begin, end)) => {
                printed.len() >= begin.len() + end.len()
                    && printed.starts_with(begin)
                    && printed.ends_with(end)
            }
            None => shown == printed,
        }
    }
}

/// The terminals that a page speaks of.
pub struct Desk {
    /// A port as the page has it, and the one that stands for it here.
    ports: Vec<(&'static str, u16)>,
    compare: Compare,
    directory: std::path::PathBuf,
    server: Option<Program>,
    /// What runs at the terminal where somebody types.
    console: Option<Program>,
    /// Lines of the console that the page shows and that were not seen yet.
    awaited: VecDeque<String>,
    /// Bytes of the console's output up to the last line that was.
    seen: usize,
    client: Option<(String, Program)>,
    expected: Vec<String>,
    /// All that the client has printed.
    pub printed: Vec<String>,
}

impl Desk {
    pub fn new(name: &str, ports: &[&'static str], compare: Compare) -> Desk {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        // Held until all are known, so that they differ.
        let free: Vec<TcpListener> =
            ports.iter().map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let free = free.iter().map(|listener| listener.local_addr().unwrap().port());
        Desk {
            ports: ports.iter().copied().zip(free).collect(),
            compare,
            directory,
            server: None,
            console: None,
            awaited: VecDeque::new(),
            seen: 0,
            client: None,
            expected: Vec::new(),
            printed: Vec::new(),
        }
    }

    fn here(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (shown, port)| text.replace(shown, &port.to_string()))
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
    pub fn follow(&mut self, line: &Line<'_>) {
        match line {
            Line::Entered("server", command) => {
                let server = self.enter(&format!("exec {command}"));
                let port = self.ports[0].1;
                wait_until("the server to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
                self.server = Some(server);
            }
            Line::Entered(name, command) if CONSOLES.contains(name) => {
                self.client_has_ended();
                self.console_has_ended();
                // On a terminal this is the format anyway.
                let console = self.enter(&format!("exec {command} --format human 2>&1"));
                console.out.line_with("switchboard: listening on ");
                self.console = Some(console);
                self.seen = 0;
            }
            Line::Entered(_, command) => {
                self.client_has_ended();
                self.console_has_shown();
                self.client = Some(((*command).to_owned(), self.enter(&format!("exec 2>&1; {command}"))));
            }
            Line::Typed(text) => {
                // Where the page has shown what the client prints, it is at its end.
                if !self.expected.is_empty() {
                    self.client_has_ended();
                }
                self.console_has_shown();
                self.console.as_mut().expect("something runs there").type_line(text);
            }
            Line::Shown(name, text) if CONSOLES.contains(name) => {
                let text = self.here(text);
                self.awaited.push_back(text);
            }
            Line::Shown("client", text) => self.expected.push(self.here(text)),
            Line::Shown(..) => {}
        }
    }

    /// Waits until the console has shown all that it is to show by now, in this order.
    #[track_caller]
    fn console_has_shown(&mut self) {
        for shown in std::mem::take(&mut self.awaited) {
            let console = self.console.as_ref().expect("something runs there");
            // What is answered of itself may be told before the message that it answers.
            let seen = if shown.starts_with("-> ") && shown.contains(" bytes (") { 0 } else { self.seen };
            let after = console.out.wait_for(&format!("{shown:?}"), |out| {
                let mut at = seen;
                for line in out[seen..].split_inclusive(|byte| *byte == b'\n') {
                    at += line.len();
                    let line = String::from_utf8_lossy(line);
                    if line.strip_suffix('\n').is_some_and(|line| Compare::Lines.fits(&shown, line)) {
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

    /// Waits for what ran at the console, which the page has ended.
    #[track_caller]
    fn console_has_ended(&mut self) {
        self.console_has_shown();
        if let Some(mut console) = self.console.take() {
            assert_eq!(console.exit_status().code(), Some(0));
        }
    }

    /// Waits for the client, which has printed exactly what the page shows.
    #[track_caller]
    fn client_has_ended(&mut self) {
        let expected = std::mem::take(&mut self.expected);
        let Some((command, mut client)) = self.client.take() else { return };
        // What measures takes longer than anything else that is waited for.
        let give_up_at = Instant::now() + DEADLINE * 4;
        while self.compare == Compare::Measurements && client.is_running() && Instant::now() < give_up_at {
            let_pass(Duration::from_millis(50));
        }
        let printed = String::from_utf8(client.out.to_end()).unwrap();
        let printed: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
        let fits = printed.len() == expected.len()
            && expected.iter().zip(&printed).all(|(shown, printed)| self.compare.fits(shown, printed));
        assert!(fits, "{command} printed {printed:#?}, and the page shows {expected:#?}");
        self.printed.extend(printed.into_iter().map(str::to_owned));
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Carries out a section of a page, the first of whose ports is the server's, if these tools are here.
#[track_caller]
pub fn carry_out(
    page: &str,
    title: &str,
    ports: &[&'static str],
    tools: &[&str],
    compare: Compare,
) -> Option<Desk> {
    if !tools.iter().copied().all(has_tool) {
        return None;
    }
    let mut desk = Desk::new(&title.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), ports, compare);
    let lines = lines_of(page, title);
    assert!(lines.iter().filter(|line| matches!(line, Line::Entered("client", _))).count() > 1, "{lines:?}");
    let began = Instant::now();
    for line in &lines {
        desk.follow(line);
    }
    desk.client_has_ended();
    desk.console_has_shown();
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
    Some(desk)
}
