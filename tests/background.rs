//! A job of an interactive shell, on a real terminal: in the background it goes on serving.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use common::{Peer, Program, has_tool, let_pass};

const SWITCHBOARD: &str = env!("CARGO_BIN_EXE_switchboard");
const CTRL_Z: &[u8] = b"\x1a";
const CTRL_C: &[u8] = b"\x03";

/// An interactive shell on a terminal of its own; nothing where the tools for it are missing.
fn shell() -> Option<Program> {
    if !has_tool("script") || !has_tool("bash") {
        return None;
    }
    let mut command = Command::new("script");
    // What the shell says is told from what is typed, which the terminal shows, too, by quotes in the latter.
    command.args(["-qc", "bash --norc --noprofile -i", "/dev/null"]).env("HISTFILE", "");
    // A job that edits lines is looked at in tests/terminal.rs.
    command.env("TERM", "dumb");
    let mut shell = Program::start(command);
    shell.type_line("bind 'set enable-bracketed-paste off'; PS1='rea''dy> '");
    shell.out.line_with("PS1=");
    shell.out.wait_for("the prompt", |out| contains(out, "ready> ").then_some(()));
    Some(shell)
}

fn contains(out: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(out).contains(part)
}

/// Where the server listens that the shell has started.
fn address(shell: &Program) -> SocketAddr {
    let line = shell.out.line_with("switchboard: listening on ");
    line.trim().rsplit(' ').next().unwrap().parse().expect("an address")
}

/// A peer connects and says something, which is shown: the server goes on.
#[track_caller]
fn is_served(shell: &Program, address: SocketAddr, text: &str) -> Peer {
    let mut peer = Peer::connect(address);
    peer.send(format!("{text}\n"));
    shell.out.line_with(&format!("> {text}"));
    peer
}

/// Takes the job to the foreground; the shell shows its command line.
fn to_foreground(shell: &mut Program) {
    let before = shell.out.so_far().len();
    shell.type_line("fg");
    shell.out.wait_for("the job's command line", |out| contains(&out[before..], "\n/").then_some(()));
}

/// Stops the job by hand, and lets it go on in the background.
fn to_background(shell: &mut Program) {
    let before = shell.out.so_far().len();
    shell.write_stdin(CTRL_Z);
    shell.out.wait_for("the job to stop", |out| contains(&out[before..], "Stopped").then_some(()));
    shell.type_line("bg");
    shell.out.wait_for("the job to go on", |out| contains(&out[before..], "]+ /").then_some(()));
}

#[test]
fn started_in_the_background_of_a_terminal_it_serves() {
    for before in ["", "stty tostop; "] {
        // The second has no shell any more that could take it to the foreground (an orphaned group).
        for job in [format!("{SWITCHBOARD} 0 &"), format!("({SWITCHBOARD} 0 </dev/tty &)")] {
            let Some(mut shell) = shell() else { return };

            shell.type_line(&format!("{before}{job}"));
            let address = address(&shell);
            let _first = is_served(&shell, address, "hello");
            // What is typed is the shell's, and that it came is no reason to stop either.
            shell.type_line("echo still the sh''ell");
            shell.out.line_with("still the shell");

            is_served(&shell, address, "and again");
        }
    }
}

#[test]
fn back_in_the_foreground_it_takes_what_is_typed_however_often_it_goes() {
    let Some(mut shell) = shell() else { return };
    shell.type_line(&format!("{SWITCHBOARD} 0 &"));
    let address = address(&shell);
    let mut peer = is_served(&shell, address, "hello");

    for round in 0..3 {
        to_foreground(&mut shell);
        shell.type_line(&format!("@1 round {round}"));
        assert_eq!(peer.line(), format!("round {round}"));
        to_background(&mut shell);
        peer.send(format!("in the background {round}\n"));
        shell.out.line_with(&format!("#1> in the background {round}"));
    }

    to_foreground(&mut shell);
    // The shell says so before it does it; once this has arrived, Ctrl-C is for the job.
    shell.type_line("@1 goodbye");
    assert_eq!(peer.line(), "goodbye");
    shell.write_stdin(CTRL_C);
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn in_the_background_it_uses_no_processor_time() {
    let Some(mut shell) = shell() else { return };
    shell.type_line(&format!("{SWITCHBOARD} 0 & echo its num''ber is $!."));
    let line = shell.out.line_with("its number is ");
    let pid: u32 = line.trim().trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
    let _peer = is_served(&shell, address(&shell), "hello");
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };

    // Nobody reads this: it is neither the shell's, which waits, nor the server's.
    shell.type_line("stty tostop; tail -f /dev/null");
    shell.type_line("a line that nobody reads");
    let before = ticks();
    let_pass(std::time::Duration::from_secs(3));

    assert!(ticks() <= before + 2, "{} ticks of processor time in three seconds", ticks() - before);
}

#[test]
fn a_client_in_the_background_shows_what_arrives_and_is_not_stopped() {
    let Some(mut shell) = shell() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();

    shell.type_line(&format!("stty tostop; {} {port} &", env!("CARGO_BIN_EXE_switchboard-client")));
    let mut server = Peer::over(listener.accept().unwrap().0);
    server.send("hello\n");
    shell.out.line_with("hello");
    to_foreground(&mut shell);
    shell.type_line("typed in the foreground");

    assert_eq!(server.line(), "typed in the foreground");
    server.finish();
}
