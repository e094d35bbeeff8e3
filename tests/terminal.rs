//! The terminal desk as its operator sees it: the built server in a real terminal, with real peers.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Peer, Program, RaiseAtEnd, has_tool, let_pass};
use terminal::{Bare, Pane, SWITCHBOARD};

#[test]
fn half_a_line_stands_whole_while_a_crowd_talks_and_reaches_whom_its_prompt_named() {
    const SPEAKERS: usize = 20;
    const LINES: usize = 150;
    let Some((pane, mut peers)) = Pane::with_peers(120, 40, 100) else { return };
    peers[99].send("the last word before\n");
    pane.shows_line("#100>");

    pane.types("half 你好 a lime");
    // Before the first of them speaks, so that the first key has met this prompt.
    pane.shows_line("#100> half 你好 a lime");
    for number in 0..LINES {
        for (at, peer) in peers[..SPEAKERS].iter_mut().enumerate() {
            peer.send(format!("line {number:05} of {}\n", at + 1));
        }
        if number == LINES / 2 {
            pane.shows_line("#100> half 你好 a lime");
            pane.press(&["Left", "BSpace"]);
            pane.types("n");
            pane.press(&["C-a", "Right", "Right"]);
        }
        // A thousand lines a second.
        let_pass(Duration::from_millis(20));
    }
    pane.has_row(&format!("line {:05} of {SPEAKERS}", LINES - 1));
    pane.shows_line("#100> half 你好 a line");
    assert_eq!(pane.cursor(), ("#100> ha".len(), 39));
    pane.press(&["Enter"]);

    assert_eq!(peers[99].line(), "half 你好 a line");
    pane.has_row("-> #100 19 bytes");
    assert!(peers[..99].iter_mut().all(Peer::is_quiet), "somebody else was sent something");
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in pane.all_rows().iter().filter(|row| row.contains("> line ")) {
        let (label, text) = row.split_once(' ').unwrap().1.split_once("> ").unwrap();
        said.entry(label.to_owned()).or_default().push(text.to_owned());
    }
    let expected = (1..=SPEAKERS).map(|speaker| {
        let lines = (0..LINES).map(|number| format!("line {number:05} of {speaker}")).collect();
        (format!("#{speaker}"), lines)
    });
    assert_eq!(said, expected.collect(), "each line once, in order");
}

#[test]
fn when_the_target_leaves_the_prompt_says_so_the_text_stays_and_enter_refuses() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 30, 3) else { return };
    peers[0].send("password?\n");
    pane.shows_line("#1>");

    pane.types("secret");
    pane.shows_line("#1> secret");
    peers.remove(0).reset();
    peers[1].send("keepalive\n");
    pane.shows_line("#1 has left> secret");
    pane.press(&["Enter"]);
    pane.has_row("not sent: #1 has left");
    pane.shows_line("#1 has left> secret");
    pane.press(&["C-u"]);
    pane.shows_line("#3>");
    pane.enters("for three");

    assert_eq!(peers[1].line(), "for three");
    assert!(peers[0].is_quiet(), "the secret went to #2");
}

#[test]
fn a_flood_buries_neither_what_others_say_nor_the_replies() {
    let Some((pane, mut peers)) = Pane::with_peers(120, 40, 7) else { return };
    let mut flooder = peers.pop().unwrap();
    let stop = AtomicBool::new(false);

    thread::scope(|scope| {
        let raise = RaiseAtEnd(&stop);
        let flood = scope.spawn(|| {
            let lines = "a flood of words\n".repeat(500);
            while !stop.load(Ordering::SeqCst) {
                flooder.send(&lines);
            }
        });
        pane.has_row("* #7 +");
        peers[3].send("four says\n");
        pane.enters("@4 answer");
        let_pass(Duration::from_secs(2));
        peers[4].send("five says\n");
        pane.enters("/name 5 lab-five");
        pane.enters("/kick 6");
        let_pass(Duration::from_secs(3));
        drop(raise);
        flood.join().unwrap();
    });
    let end = pane.has_row("has calmed down");
    let rows = pane.screen();

    let notice = pane.has_row("* #7 +");
    assert!(notice.contains(" lines/s, 1 in ") && notice.contains(" shown"), "{notice}");
    assert!(end.contains("lines of it were not shown"), "{end}");
    for expected in ["#4> four says", "-> #4 7 bytes", "> five says", "#5 is lab-five", "* #6 closed"] {
        assert!(rows.iter().any(|row| row.contains(expected)), "{expected:?} is not in {rows:#?}");
    }
    assert_eq!(peers[3].line(), "answer");
    assert!(rows.last().unwrap().starts_with("#7>") || rows.last().unwrap().starts_with("#5 lab-five>"));
}

#[test]
fn after_ctrl_z_and_fg_the_half_line_is_there_again() {
    let Some((shell, mut peer)) = of_a_shell("exec 3>&1;") else { return };
    shell.types("half a ");
    shell.shows_line("#1> half a");

    for _ in 0..3 {
        shell.press(&["C-z"]);
        shell.has_row("Stopped");
        shell.prompt_is(|prompt| prompt == "ready> ");
        shell.enters("clear; fg");
        shell.shows_line("#1> half a");
    }
    shell.enters("line");

    assert_eq!(peer.line(), "half a line");
}

#[test]
fn stopped_from_elsewhere_and_back_the_half_line_is_there_again() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 30, 1) else { return };
    peers[0].send("hello\n");
    pane.shows_line("#1>");
    pane.types("half a ");
    pane.shows_line("#1> half a");

    // The terminal's own program has no shell, so that nothing but the signals stops it and brings it back.
    signal(pane.pid(), "STOP");
    peers[0].send("meanwhile\n");
    signal(pane.pid(), "CONT");
    pane.has_row("#1> meanwhile");
    pane.shows_line("#1> half a");
    pane.enters("line");

    assert_eq!(peers[0].line(), "half a line");
}

#[test]
fn stopped_by_a_signal_the_shell_has_its_terminal_and_after_fg_the_line_goes_on() {
    let Some((shell, mut peer)) = of_a_shell("") else { return };
    shell.types("half a ");
    shell.shows_line("#1> half a");

    for name in ["STOP", "TSTP"] {
        signal_child(shell.pid(), name);
        shell.prompt_is(|prompt| prompt == "ready> ");
        shell.enters("clear; echo the sh''ell");
        shell.has_row("the shell");
        shell.enters("fg");
        shell.shows_line("#1> half a");
    }
    shell.enters("line");

    assert_eq!(peer.line(), "half a line");
}

#[test]
fn a_job_in_the_background_serves_and_after_fg_has_a_prompt() {
    let Some(shell) = interactive_shell() else { return };
    shell.enters(&format!("{SWITCHBOARD} --no-history 0 &"));
    let address = shell.address();
    let mut peer = shell.connect(address, 1);
    peer.send("hello\n");
    shell.has_row("#1> hello");

    // What is typed is the shell's.
    shell.enters("echo still the sh''ell");
    shell.has_row("still the shell");
    // The shell takes its time, and gives the terminal away long after the last key.
    shell.enters("sleep 1; fg");
    shell.shows_line("#1>");
    shell.enters("from the operator");

    assert_eq!(peer.line(), "from the operator");
}

#[test]
fn in_the_background_it_uses_no_processor_time_though_its_terminal_has_something_typed() {
    let Some(shell) = interactive_shell() else { return };
    shell.enters(&format!("{SWITCHBOARD} --no-history 0 & echo its num''ber is $!."));
    let line = shell.has_row("its number is ");
    let pid = line.trim().trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
    let _peer = shell.connect(shell.address(), 1);

    // Nobody reads this: it is neither the shell's, which waits, nor the server's.
    shell.enters("stty tostop; tail -f /dev/null");
    shell.enters("a line that nobody reads");
    let before = ticks(pid);
    let_pass(Duration::from_secs(3));

    assert!(ticks(pid) <= before + 2, "{} ticks of processor time in three seconds", ticks(pid) - before);
}

#[test]
fn while_nobody_says_anything_it_sleeps() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 30, 50) else { return };
    peers[0].send("hello\n");
    pane.shows_line("#1>");
    pane.types("half a line");
    pane.shows_line("#1> half a line");
    let pid = pane.pid();

    let_pass(Duration::from_millis(500));
    let before = (ticks(pid), terminal_switches(pid));
    let_pass(Duration::from_secs(3));
    let after = (ticks(pid), terminal_switches(pid));

    assert_eq!(before, after, "ticks of the process, switches of the terminal's thread");
    drop(peers);
}

#[test]
fn where_it_is_not_to_edit_nothing_but_text_is_written() {
    let plain: [(&str, &str); 4] = [
        ("TERM=dumb", "--no-history"),
        ("", "--no-history --plain"),
        ("", "--no-history --format human | cat; echo a pipe behind"),
        ("cat | ", "--no-history"),
    ];
    for (before, arguments) in plain {
        let (arguments, behind) = arguments.split_once(" | ").unwrap_or((arguments, ""));
        let behind = if behind.is_empty() { String::new() } else { format!(" | {behind}") };
        let Some(mut script) = on_a_terminal(&format!("{before} {SWITCHBOARD} {arguments} 0{behind}")) else {
            return;
        };
        let line = script.out.line_with("switchboard: listening on ");
        let mut peer = Peer::connect(line.trim().rsplit(' ').next().unwrap().parse().unwrap());
        peer.send("hello\n");
        script.out.line_with("> hello");
        script.type_line("@1 typed");
        assert_eq!(peer.line(), "typed", "{before} {arguments}");

        script.type_line("exit");
        assert_eq!(peer.read_to_end(), b"");
        drop(peer);
        script.close_stdin();
        let out = script.out.so_far();
        assert!(!out.contains(&b'\x1b'), "{before} {arguments}: {:?}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn ctrl_d_asks_once_while_somebody_is_connected() {
    let Some(mut bare) = Bare::serving("", "--no-history") else { return };
    let mut peer = bare.connect(1);

    bare.script.write_stdin(b"\x04");
    bare.has("* Ctrl-D again quits and drops 1 connection");
    bare.script.write_stdin(b"@1 still here\r");
    assert_eq!(peer.line(), "still here");
    bare.script.write_stdin(b"\x04");
    bare.script.out.wait_for("to be asked again", |out| {
        let text = String::from_utf8_lossy(out);
        (text.matches("Ctrl-D again quits").count() == 2).then_some(())
    });
    bare.script.write_stdin(b"\x04");

    assert_eq!(peer.read_to_end(), b"");
    drop(peer);
    assert_eq!(bare.ended().1, 0);
}

#[test]
fn ctrl_c_clears_the_line_and_on_an_empty_one_says_first_whom_it_drops() {
    let Some(mut bare) = Bare::serving("", "--no-history") else { return };
    let mut peer = bare.connect(1);
    peer.send("hello\n");
    bare.has("#1> ");

    bare.script.write_stdin(b"nothing of this\x03this\r");
    assert_eq!(peer.line(), "this");
    bare.script.write_stdin(b"\x03");
    bare.has("* Ctrl-C again within two seconds quits and drops 1 connection");
    bare.script.write_stdin(b"\x03");

    assert_eq!(peer.read_to_end(), b"");
    drop(peer);
    assert_eq!(bare.ended().1, 0);
}

#[test]
fn a_new_size_leaves_prompt_and_text_whole() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 30, 1) else { return };
    peers[0].send("hello\n");
    pane.shows_line("#1>");
    let text = "0123456789 ".repeat(12);
    pane.types(text.trim_end());
    pane.wait_for("the text", |rows| rows.last().unwrap().ends_with("6789").then_some(()));

    for (columns, rows) in [(60, 20), (140, 40), (200, 10), (100, 30)] {
        pane.resize(columns, rows);
        peers[0].send(format!("at {columns} columns\n"));
        pane.has_row(&format!("#1> at {columns} columns"));
        pane.wait_for(&format!("the line at {columns} columns"), |rows| {
            let from = rows.iter().rposition(|row| row.starts_with("#1> "))?;
            let shown: String = rows[from..].iter().flat_map(|row| row.chars()).collect();
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let shown = shown.split("here").collect::<Vec<_>>();
            let shown = digits(&shown.concat()[2..]);
            shown.starts_with(&digits(&text)).then_some(())
        });
    }
    pane.press(&["Enter"]);

    assert_eq!(peers[0].line(), text.trim_end());
}

/// Something on a bare terminal; nothing where `script` is missing.
fn on_a_terminal(shell_line: &str) -> Option<Program> {
    if !has_tool("script") {
        return None;
    }
    let mut command = Command::new("script");
    command.args(["-qefc", shell_line, "/dev/null"]).env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
    Some(Program::start(command))
}

/// A window with an interactive shell; nothing where the tools for it are missing.
fn interactive_shell() -> Option<Pane> {
    if !has_tool("bash") {
        return None;
    }
    let shell = Pane::running(100, 30, "PS1='ready> ' HISTFILE= exec bash --norc --noprofile -i")?;
    shell.prompt_is(|prompt| prompt == "ready> ");
    Some(shell)
}

/// The same with a server in its foreground, and a peer that it has been spoken to by.
fn of_a_shell(before: &str) -> Option<(Pane, Peer)> {
    let shell = interactive_shell()?;
    shell.enters(&format!("{before} {SWITCHBOARD} --no-history 0"));
    let mut peer = shell.connect(shell.address(), 1);
    peer.send("hello\n");
    shell.shows_line("#1>");
    Some((shell, peer))
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.expect("kill is everywhere").success(), "cannot send SIG{name}");
}

/// To the job of a shell, which has only one.
fn signal_child(shell: u32, name: &str) {
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).expect("it runs");
    signal(children.trim().parse().expect("one child"), name);
}

fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// How often the terminal's thread went to sleep.
fn terminal_switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let status = tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .find(|status| status.starts_with("Name:\tterminal\n"))
        .expect("there is such a thread");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn the_count_of_those_who_wait_goes_down_by_each_who_is_struck_off() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 20, 4) else { return };
    peers.iter_mut().for_each(|peer| peer.send("a question\n"));
    let ends = |end: &'static str| pane.wait_for(end, |rows| rows.last()?.ends_with(end).then_some(()));
    ends("4 pending · 4 here");

    pane.enters("/done 1,2");
    ends("2 pending · 4 here");
    pane.enters("/done all");

    ends("  4 here");
}
