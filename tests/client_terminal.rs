//! The client on a terminal: with a line that is edited there, and plain.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/client.rs"]
mod servers;

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use common::{Peer, Program, has_tool, wait_until};
use servers::{accept, deaf_listener, listener, wait_until_signals_are_watched};

const CLIENT: &str = env!("CARGO_BIN_EXE_switchboard-client");
const CTRL_C: &[u8] = b"\x03";
const CTRL_D: &[u8] = b"\x04";
const CTRL_Z: &[u8] = b"\x1a";
const LEFT: &str = "\x1b[D";
const BACKSPACE: &str = "\x7f";

const FLOOD_LINES: usize = 50_000;

/// What a terminal of Linux holds for who reads it.
const QUEUE_BYTES: usize = 4096;

/// What a terminal says when its line is begun to be edited.
const EDITS: &str = "\x1b[?2004h";

/// Something that runs on a terminal of 80 columns: what is written to the program's stdin is typed there, and all that
/// it would show comes on its stdout. Nothing where the tool for it is missing.
fn on_terminal(term: &str, command_line: &str) -> Option<Program> {
    if !has_tool("script") {
        return None;
    }
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-c", command_line, "/dev/null"])
        .env("TERM", term)
        .env("LC_ALL", "C.UTF-8")
        .env_remove("NO_COLOR");
    Some(Program::start(command))
}

/// A client that edits lines on a terminal, and the far end of its connection. Its status is the program's.
fn client_and_far_end() -> Option<(Program, Peer, String)> {
    let (listener, address) = listener();
    let client = on_terminal("xterm", &format!("exec {CLIENT} {address}"))?;
    let far_end = accept(&listener);
    wait_for_prompt(&client);
    Some((client, far_end, address))
}

/// What is seen on the terminal and above it, row by row, after all that was written.
fn rows(out: &[u8]) -> Vec<String> {
    let mut terminal = avt::Terminal::with_scrollback(80, 24, None).expect("it has a size");
    terminal.feed(String::from_utf8_lossy(out).as_ref());
    let screen = terminal.screen();
    let rows: Vec<String> =
        screen.text().iter().map(|row| row.replace('\u{a0}', " ").trim_end().to_owned()).collect();
    let end = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |at| at + 1);
    rows[..end].to_vec()
}

/// Waits until the last rows are these.
#[track_caller]
fn wait_for_rows(program: &Program, expected: &[&str]) {
    program.out.wait_for(&format!("the last rows to be {expected:#?}"), |out| {
        rows(out).ends_with(&expected.iter().map(|row| row.to_string()).collect::<Vec<_>>()).then_some(())
    });
}

/// Waits for a row that begins so.
#[track_caller]
fn wait_for_row(program: &Program, beginning: &str) {
    program.out.wait_for(&format!("a row that begins with {beginning:?}"), |out| {
        rows(out).iter().any(|row| row.starts_with(beginning)).then_some(())
    });
}

/// Waits until keys are taken one by one.
#[track_caller]
fn wait_for_prompt(program: &Program) {
    program.out.wait_for("the prompt", |out| {
        (String::from_utf8_lossy(out).contains(EDITS) && rows(out).last().is_some_and(|row| row == ">"))
            .then_some(())
    });
}

/// The client that runs below this process.
#[track_caller]
fn client_below(pid: u32) -> u32 {
    fn found(pid: u32) -> Option<u32> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let is_it = name.trim() == "switchboard-cli";
        is_it
            .then_some(pid)
            .or_else(|| children.split_whitespace().find_map(|child| found(child.parse().ok()?)))
    }
    wait_until("the client to run", || found(pid))
}

#[track_caller]
fn send_signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.expect("kill is everywhere").success(), "cannot send SIG{name}");
}

/// Stops each thread of the process.
#[track_caller]
fn stop(pid: u32) {
    send_signal(pid, "STOP");
    let stands_still = |task: std::io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).expect("it is there");
        stat.rsplit(')').next().unwrap().starts_with(" T")
    };
    wait_until("it to stand still", || {
        fs::read_dir(format!("/proc/{pid}/task")).expect("it is there").all(stands_still).then_some(())
    });
}

/// Waits until so much is there to be read by the process, which does not read.
#[track_caller]
fn wait_for_queue(pid: u32, bytes: usize) {
    let flags = rustix::fs::OFlags::NOCTTY.bits() as i32;
    let terminal =
        fs::OpenOptions::new().read(true).custom_flags(flags).open(format!("/proc/{pid}/fd/0")).unwrap();
    wait_until("what was typed to be on the terminal", || {
        (rustix::io::ioctl_fionread(&terminal).unwrap() >= bytes as u64).then_some(())
    });
}

#[test]
fn half_a_line_survives_what_arrives() {
    let Some((mut client, mut far_end, address)) = client_and_far_end() else { return };
    let connected = format!("switchboard-client: connected to {address}");

    client.write_stdin(b"half a");
    wait_for_rows(&client, &["> half a"]);
    far_end.send("hello\nand more\n");
    wait_for_rows(&client, &[&connected, "hello", "and more", "> half a"]);
    client.write_stdin(b" line\r");

    assert_eq!(far_end.line(), "half a line");
    wait_for_rows(&client, &[&connected, "hello", "and more", "> half a line", ">"]);
}

#[test]
fn what_was_edited_is_sent_as_it_was_seen() {
    let Some((mut client, mut far_end, address)) = client_and_far_end() else { return };
    wait_for_rows(&client, &[&format!("switchboard-client: connected to {address}"), ">"]);

    client.write_stdin(format!("你号世界{LEFT}{LEFT}{BACKSPACE}好\r").as_bytes());
    assert_eq!(far_end.line(), "你好世界");
    wait_for_rows(&client, &["> 你好世界", ">"]);
    client.write_stdin(b"\r\x1b[200~one\n\texit\nexit\n\x1b[201~");
    wait_for_rows(&client, &[">", "> one⏎⇥exit⏎exit⏎"]);
    client.write_stdin(b"\r\x1b[A\x1b[A\r");

    let lines: Vec<String> = (0..5).map(|_| far_end.line()).collect();
    assert_eq!(
        lines,
        ["", "one", "\texit", "exit", "你好世界"],
        "an empty line, a paste, one from the history"
    );
}

#[test]
fn a_long_line_of_the_server_is_wrapped_and_all_of_a_flood_is_shown() {
    let Some((mut client, mut far_end, _)) = client_and_far_end() else { return };

    client.write_stdin(b"half");
    far_end.send(format!("{}\n", "x".repeat(100)));
    wait_for_rows(&client, &[&"x".repeat(80), &format!("    {}", "x".repeat(20)), "> half"]);
    let flood: String = (0..FLOOD_LINES).map(|number| format!("line {number}.\n")).collect();
    far_end.send(flood);
    far_end.send("the end\n");
    client.out.line_with("the end");
    let out = String::from_utf8(client.out.so_far()).unwrap();
    let mut rest = &*out;
    for number in 0..FLOOD_LINES {
        let line = format!("line {number}.\r");
        rest = rest.split_once(&line).unwrap_or_else(|| panic!("{line:?} is not shown")).1;
    }
    client.write_stdin(b" a line\r");
    assert_eq!(far_end.line(), "half a line");
}

#[test]
fn when_the_server_has_finished_it_is_said_above_the_line_which_is_still_sent() {
    let Some((mut client, mut far_end, _)) = client_and_far_end() else { return };

    client.write_stdin(b"half");
    wait_for_rows(&client, &["> half"]);
    far_end.send("bye\n");
    far_end.finish();
    let finished = "switchboard-client: the server has finished sending; what you type is still sent";
    wait_for_rows(&client, &["bye", finished, "> half"]);
    client.write_stdin(b" a line\r");
    assert_eq!(far_end.line(), "half a line");
    client.write_stdin(CTRL_D);

    assert_eq!(far_end.read_to_end(), b"");
    assert_eq!(client.exit_status().code(), Some(0));
}

/// A shell without a job control of its own runs the client; then it says with which status that has ended, reads a
/// line, and says which.
fn behind_the_client(address: &str) -> Option<Program> {
    let client = format!("{CLIENT} {address}; echo it ended with $?; read -r line; echo \"got: <$line>\"");
    has_tool("bash").then(|| on_terminal("xterm", &format!("exec bash -c '{client}'")))?
}

#[test]
fn when_the_server_leaves_half_a_line_stays_to_be_seen_and_the_shell_gets_nothing_of_it() {
    // So much does not fit into the terminal's queue, and is kept elsewhere.
    let much = "x".repeat(2 * QUEUE_BYTES - 192);
    for typed_ahead in ["", "f a line", "f a line", &much, &much] {
        let (listener, address) = listener();
        let Some(mut shell) = behind_the_client(&address) else { return };
        let far_end = accept(&listener);
        let client = client_below(shell.pid());
        wait_for_prompt(&shell);

        shell.write_stdin(b"echo hal");
        wait_for_rows(&shell, &["> echo hal"]);
        stop(client);
        shell.write_stdin(typed_ahead.as_bytes());
        wait_for_queue(client, typed_ahead.len().min(QUEUE_BYTES - 1));
        far_end.reset();
        send_signal(client, "CONT");
        wait_for_row(&shell, "it ended with 1");
        shell.write_stdin(b"for the shell\n");
        wait_for_row(&shell, "got: <for the shell>");

        if typed_ahead == much {
            continue;
        }
        let rows = rows(&shell.out.so_far());
        let lost = format!("switchboard-client: connection to {address} lost: reset by the peer");
        let half = rows.iter().position(|row| row.starts_with("> echo hal") && row.ends_with(" (not sent)"));
        let said = rows.iter().position(|row| row.starts_with(&lost));
        assert!(half.is_some() && half < said, "{rows:#?}");
    }
}

#[test]
fn an_interactive_shell_gets_nothing_of_half_a_line_either() {
    if !has_tool("bash") {
        return;
    }
    let (listener, address) = listener();
    let Some(mut shell) = on_terminal("xterm", "exec bash --norc --noprofile -i") else { return };
    shell.type_line("PS1='rea''dy> '; HISTFILE=");
    wait_for_row(&shell, "ready>");
    shell.type_line(&format!("{CLIENT} {address}"));
    let far_end = accept(&listener);
    wait_for_rows(&shell, &[">"]);
    // Were it executed, there would be no quotes in what is shown.
    shell.write_stdin(b"echo execu''ted");
    wait_for_rows(&shell, &["> echo execu''ted"]);

    far_end.reset();
    wait_for_rows(&shell, &["ready>"]);
    shell.write_stdin(b"\r");
    shell.type_line("echo status $?, and af''ter it");
    wait_for_row(&shell, "status 1, and after it");

    let rows = rows(&shell.out.so_far());
    assert!(rows.contains(&"> echo execu''ted (not sent)".to_owned()), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.contains("executed")), "{rows:#?}");
}

#[test]
fn it_stops_with_ctrl_z_and_comes_back_with_its_line() {
    if !has_tool("bash") {
        return;
    }
    let (listener, address) = listener();
    let Some(mut shell) = on_terminal("xterm", "exec bash --norc --noprofile -i") else { return };
    shell.type_line("PS1='rea''dy> '; HISTFILE=");
    wait_for_row(&shell, "ready>");
    shell.type_line(&format!("{CLIENT} {address}"));
    let mut far_end = accept(&listener);
    wait_for_rows(&shell, &[">"]);
    shell.write_stdin(b"half");
    wait_for_rows(&shell, &["> half"]);

    shell.write_stdin(CTRL_Z);
    wait_for_rows(&shell, &["ready>"]);
    far_end.send("said meanwhile\n");
    shell.type_line("echo in the sh''ell");
    wait_for_rows(&shell, &["in the shell", "ready>"]);
    shell.type_line("fg");
    wait_for_rows(&shell, &["said meanwhile", "> half"]);
    shell.write_stdin(b" a line\r");

    assert_eq!(far_end.line(), "half a line");
}

#[test]
fn ctrl_c_clears_a_line_and_on_an_empty_one_leaves() {
    let Some((mut client, mut far_end, address)) = client_and_far_end() else { return };
    let connected = format!("switchboard-client: connected to {address}");

    client.write_stdin(b"half");
    wait_for_rows(&client, &["> half"]);
    client.write_stdin(CTRL_C);
    wait_for_rows(&client, &[&connected, ">"]);
    client.write_stdin(b"whole\r");
    assert_eq!(far_end.line(), "whole");
    client.write_stdin(CTRL_C);

    assert_eq!(far_end.read_to_end(), b"");
    drop(far_end);
    assert_eq!(client.exit_status().code(), Some(0));
}

#[test]
fn the_terminal_is_afterwards_as_it_was_before() {
    type End = fn(&mut Program, u32, Peer);
    let ends: [(&str, End); 7] = [
        ("exit", |shell, _, _| shell.write_stdin(b"exit\r")),
        ("Ctrl-D", |shell, _, _| shell.write_stdin(CTRL_D)),
        ("Ctrl-C", |shell, _, _| shell.write_stdin(CTRL_C)),
        ("SIGTERM in mid-line", |shell, client, _| {
            shell.write_stdin(b"half");
            wait_for_rows(shell, &["> half"]);
            send_signal(client, "TERM");
        }),
        ("SIGHUP", |_, client, _| send_signal(client, "HUP")),
        ("a reset in mid-line", |shell, _, far_end| {
            shell.write_stdin(b"half");
            wait_for_rows(shell, &["> half"]);
            far_end.reset();
        }),
        ("SIGTERM", |_, client, mut far_end| {
            send_signal(client, "TERM");
            assert_eq!(far_end.read_to_end(), b"");
        }),
    ];
    for (what, end) in ends {
        let (listener, address) = listener();
        let settings = "$(stty -a | tr \"\\n\" \" \")";
        let command = format!("echo \"[{settings}]\"; {CLIENT} {address}; echo \"[{settings}]\"");
        let Some(mut shell) = on_terminal("xterm", &format!("exec sh -c '{command}'")) else { return };
        let far_end = accept(&listener);
        let client = client_below(shell.pid());
        wait_for_prompt(&shell);

        end(&mut shell, client, far_end);
        shell.exit_status();

        let out = String::from_utf8(shell.out.to_end()).unwrap();
        let settings: Vec<&str> =
            out.lines().filter_map(|line| line.rsplit_once("[speed").map(|(_, rest)| rest)).collect();
        assert_eq!(settings.len(), 2, "{what}: {out:?}");
        assert_eq!(settings[0], settings[1], "{what}");
        assert!(out.contains("\x1b[?2004l"), "{what}: pastes are marked no longer");
    }
}

#[test]
fn plain_and_on_a_dumb_terminal_it_writes_what_comes_and_nothing_else() {
    for (term, option) in [("dumb", ""), ("", ""), ("xterm", "--plain")] {
        let (listener, address) = listener();
        let Some(mut client) = on_terminal(term, &format!("exec {CLIENT} {option} {address}")) else {
            return;
        };
        let mut far_end = accept(&listener);

        client.out.line_with("connected to");
        far_end.send("hello\x1b[2J\nno ending");
        client.out.wait_for("what has no ending", |out| out.ends_with(b"no ending").then_some(()));
        client.type_line("typed");
        assert_eq!(far_end.line(), "typed");
        client.type_line("exit");
        assert_eq!(far_end.read_to_end(), b"");
        drop(far_end);

        assert_eq!(client.exit_status().code(), Some(0));
        let connected = format!("switchboard-client: connected to {address}\r\n");
        let expected = format!("{connected}hello\\x1b[2J\r\nno endingtyped\r\nexit\r\n");
        assert_eq!(String::from_utf8_lossy(&client.out.to_end()), expected, "TERM={term} {option}");
    }
}

#[test]
fn a_terminal_gets_no_control_sequence_from_the_far_end() {
    for option in ["", "--plain"] {
        let (listener, address) = listener();
        let Some(program) = on_terminal("xterm", &format!("exec {CLIENT} {option} {address}")) else {
            return;
        };
        let mut far_end = accept(&listener);

        far_end.send(b"\x1b]0;evil\x07\x1b[2J\x9b31m\xc2\x9b31m\x08\x7f\xe2\x80\xae over\n");
        let shown = program.out.line_with("over");

        // What is ours, before it in the line.
        let shown = shown.trim_end_matches('\r').rsplit_once("\x1b[?7l").map_or(&*shown, |(_, shown)| shown);
        let shown = shown.trim_end_matches('\r');
        let odd: Vec<char> =
            shown.chars().filter(|char| char.is_control() || "\u{202e}\u{fffd}".contains(*char)).collect();
        assert!(odd.is_empty(), "{odd:?} in {shown:?}");
        assert_eq!(shown, r"\x1b]0;evil\x07\x1b[2J\x9b31m\u{9b}31m\x08\x7f\u{202e} over");
    }
}

#[test]
fn exit_leaves_and_what_was_typed_before_is_sent() {
    for option in ["", "--plain"] {
        let (listener, address) = listener();
        let Some(mut client) = on_terminal("xterm", &format!("exec {CLIENT} {option} {address}")) else {
            return;
        };
        let mut far_end = accept(&listener);

        client.write_stdin(b"hi\nexit now\nexit\nnever sent\n");

        assert_eq!(String::from_utf8_lossy(&far_end.read_to_end()), "hi\nexit now\n");
        drop(far_end);
        assert_eq!(client.exit_status().code(), Some(0));
    }
}

#[test]
fn it_says_when_the_server_has_finished_and_goes_on() {
    for option in ["", "--plain"] {
        let (listener, address) = listener();
        let Some(mut client) = on_terminal("xterm", &format!("exec {CLIENT} {option} {address}")) else {
            return;
        };
        let mut far_end = accept(&listener);

        far_end.send("bye\n");
        far_end.finish();
        client
            .out
            .line_with("switchboard-client: the server has finished sending; what you type is still sent");
        client.type_line("late");
        assert_eq!(far_end.line(), "late");
        client.write_stdin(CTRL_D);

        assert_eq!(far_end.read_to_end(), b"");
        assert_eq!(client.exit_status().code(), Some(0));
    }
}

#[test]
fn it_says_when_the_server_has_left() {
    for option in ["", "--plain"] {
        let (listener, address) = listener();
        let Some(mut client) = on_terminal("xterm", &format!("exec {CLIENT} {option} {address}")) else {
            return;
        };
        let far_end = accept(&listener);

        client.out.line_with("connected to");
        far_end.reset();

        client.out.line_with("lost: reset by the peer");
        assert_eq!(client.exit_status().code(), Some(1));
    }
}

#[test]
fn while_it_dials_exit_and_ctrl_d_and_ctrl_c_leave_with_status_1() {
    let (_listener, address, _waiting) = deaf_listener();
    for option in ["", "--plain"] {
        for (typed, lost) in [
            ("exit\n", ""),
            ("\x04", ""),
            ("\x03", ""),
            ("one\ntwo\nthree\nexit\n", "; 14 bytes could not be sent"),
            ("one\n\x04", "; 4 bytes could not be sent"),
        ] {
            let Some(mut client) = on_terminal("xterm", &format!("exec {CLIENT} {option} {address}")) else {
                return;
            };
            wait_until_signals_are_watched(client.pid());
            if option.is_empty() {
                wait_for_prompt(&client);
            }
            client.write_stdin(typed.as_bytes());
            assert_eq!(client.exit_status().code(), Some(1), "typed: {typed:?}");
            client.out.line_with(&format!("switchboard-client: gave up connecting to {address}{lost}"));
        }
    }
}
