//! Hazards 39, 41 and 49 to 54 on a real terminal: what the built server does to it, and what comes from it.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use common::{Peer, has_tool, let_pass, wait_until};
use terminal::{Bare, Pane, SWITCHBOARD, place};

#[test]
fn h39_no_row_but_a_first_one_begins_at_the_left_edge_however_wide_the_terminal_is() {
    let forged = "12:00:00.000 #4> give me your password";
    for columns in [80, 60, 120] {
        let Some((pane, mut peers)) = Pane::with_peers(columns, 40, 2) else { return };
        // However long the label is, one of these begins a row.
        for padding in columns - 30..columns {
            peers[0].send(format!("{}{forged}\n", "x".repeat(padding)));
        }
        // Characters of two columns leave one free at some edge, and a carriage return is none.
        peers[0].send(format!("{}{forged}\n", "你".repeat(columns / 2)));
        peers[0].send(format!("{}\r{forged}\n", "x".repeat(columns)));
        peers[1].send("the last\n");
        pane.has_row("#2> the last");

        let rows = pane.all_rows();
        let rows = &rows[..rows.len() - 1];
        let of_one = rows.iter().filter(|row| row.contains(" #1> ")).count();
        assert_eq!(of_one, 32, "at {columns} columns: {rows:#?}");
        for row in rows {
            let is_first = row.starts_with("* ")
                || row.starts_with("switchboard: ")
                || (stamp_ends(row) && (row[12..].starts_with(" #1> ") || row.ends_with(" #2> the last")));
            assert!(is_first || row.starts_with("    "), "at {columns} columns: {row:?}");
        }
    }
}

#[test]
fn h41_what_is_half_typed_for_one_never_reaches_who_speaks_meanwhile() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 30, 3) else { return };
    peers[0].send("password?\n");
    pane.shows_line("#1>");

    pane.types("se");
    pane.shows_line("#1> se");
    peers[2].send("keepalive\n");
    pane.has_row("#3> keepalive");
    pane.types("cret");
    pane.shows_line("#1> secret");
    pane.press(&["Enter"]);

    assert_eq!(peers[0].line(), "secret");
    pane.shows_line("#3>");
    pane.enters("and this for three");
    assert_eq!(peers[2].line(), "and this for three");
    assert!(peers[0].is_quiet() && peers[1].is_quiet());
}

#[test]
fn h41_a_line_that_became_empty_again_is_for_whoever_spoke_last() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 30, 2) else { return };
    peers[0].send("hello\n");
    pane.shows_line("#1>");

    pane.types("x");
    pane.shows_line("#1> x");
    peers[1].send("hello from two\n");
    pane.has_row("#2> hello from two");
    pane.shows_line("#1> x");
    pane.press(&["BSpace"]);
    pane.shows_line("#2>");
    pane.enters("for two");

    assert_eq!(peers[1].line(), "for two");
    assert!(peers[0].is_quiet());
}

#[test]
fn h49_marks_without_a_width_and_letters_of_two_leave_label_prompt_and_cursor_where_they_are() {
    let Some((pane, mut peers)) = Pane::with_peers(80, 40, 2) else { return };
    let bombs = [
        format!("e{}", "\u{301}".repeat(10_000)),
        "\u{200b}\u{200d}\u{2060}".repeat(1000),
        "你好，世界！".repeat(50),
        "👩‍👩‍👧‍👦🇩🇪👍🏽".repeat(30),
        "שלום עולם مرحبا بالعالم ".repeat(10),
        "\u{202e}drowssap\u{2066}".repeat(20),
    ];
    for (at, bomb) in bombs.iter().enumerate() {
        peers[0].send(format!("{bomb}\n"));
        peers[1].send(format!("behind bomb {at}\n"));
        let behind = pane.has_row(&format!("behind bomb {at}"));
        assert!(stamp_ends(&behind) && behind[12..].starts_with(" #2> behind"), "{behind:?}");

        pane.types("ab");
        pane.shows_line("#2> ab");
        assert_eq!(pane.cursor().0, "#2> ab".len(), "behind {bomb:?}");
        pane.press(&["C-u"]);
        pane.shows_line("#2>");
    }

    let rows = pane.all_rows();
    let of_one = rows.iter().filter(|row| row.contains(" #1> "));
    assert!(of_one.clone().all(|row| stamp_ends(row) && row[12..].starts_with(" #1> ")));
    assert_eq!(of_one.count(), bombs.len());
}

#[test]
fn h49_a_terminal_that_stands_still_holds_up_nobody_and_shows_the_line_whole_afterwards() {
    const LINES: usize = 30_000;
    let Some(mut bare) = Bare::unread("--no-history --chat") else { return };
    let (mut talker, mut hearer) = (Peer::connect(bare.address), Peer::connect(bare.address));
    for peer in [&mut talker, &mut hearer] {
        assert!(peer.line().starts_with("* you are #"));
    }

    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..LINES {
                talker.send(format!("number {number} {}\n", "x".repeat(200)));
            }
        });
        let mut number = 0;
        while number < LINES {
            let line = hearer.line();
            if !line.starts_with("* ") {
                assert!(line.contains(&format!("> number {number} x")), "{line:?}");
                number += 1;
            }
        }
    });
    bare.script.write_stdin("typed while it stood 你".as_bytes());
    bare.read();
    bare.has("everybody> \x1b[0mtyped while it stood 你");
    bare.script.write_stdin(b"\r");

    assert_eq!(hearer.line(), "<operator> typed while it stood 你");
}

#[test]
fn h50_what_is_pasted_is_one_text_and_does_nothing_before_enter() {
    let Some((pane, mut peers)) = Pane::with_peers(100, 40, 2) else { return };
    peers[0].send("go on\n");
    pane.shows_line("#1>");

    pane.pastes("/kick 1\n/quit");
    pane.wait_for("what was pasted", |rows| rows.last()?.contains("/quit").then_some(()));
    peers[1].send("meanwhile\n");
    pane.has_row("#2> meanwhile");
    assert!(peers[0].is_quiet(), "something was done before Enter");
    pane.press(&["Enter"]);

    assert_eq!((peers[0].line(), peers[0].line()), ("/kick 1".into(), "/quit".into()));
    let rows: Vec<String> = (1..=200).map(|row| format!("row {row} of a paste, @2 /kick 2")).collect();
    pane.types("@1 ");
    pane.pastes(&rows.join("\n"));
    pane.wait_for("what was pasted", |shown| shown.last()?.contains("row 200").then_some(()));
    assert!(peers[0].is_quiet(), "something was sent before Enter");
    pane.press(&["Enter"]);
    for row in &rows {
        assert_eq!(&peers[0].line(), row);
    }
    let bytes: usize = rows.iter().map(|row| row.len() + 1).sum();
    pane.has_row(&format!("-> #1 {bytes} bytes"));
    assert!(peers[1].is_quiet(), "a row was obeyed");
}

#[test]
fn h51_the_terminal_is_as_it_was_however_the_server_ends() {
    let ways = [
        ("exit", "exit\r", ""),
        ("/quit", "half a line\x15/quit\r", ""),
        ("Ctrl-D", "\x04", ""),
        ("Ctrl-C twice", "half a line\x03\x03\x03", ""),
        ("SIGTERM", "half a line", "TERM"),
        ("SIGHUP", "half a line", "HUP"),
        ("SIGINT", "half a line", "INT"),
        ("an open paste", "\x1b[200~half a paste", "TERM"),
    ];
    for (how, typed, signal) in ways {
        let Some(mut bare) = Bare::serving("", "--no-history") else { return };
        bare.has_prompt();

        bare.script.write_stdin(typed.as_bytes());
        if !signal.is_empty() {
            bare.signal(signal);
        }

        let (out, status) = bare.ended();
        assert_eq!(status, 0, "after {how}: {out:?}");
        is_as_it_was(&bare, &out, how);
    }
}

#[test]
fn h51_the_terminal_is_as_it_was_though_a_second_signal_ends_the_server_at_once() {
    let Some(mut bare) = Bare::serving("", "--no-history --drain 1h") else { return };
    let stuck = common::connect_narrow(bare.address);
    bare.has("* #1 connected from ");
    let file = place("stuck");
    fs::write(&file, "x".repeat(6 << 20)).unwrap();
    bare.script.write_stdin(format!("/file @1 {}\r", file.display()).as_bytes());
    bare.has("-> #1 6291456 bytes of");

    bare.signal("INT");
    bare.has("* stopping");
    let_pass(Duration::from_millis(600));
    bare.signal("INT");

    let (out, status) = bare.ended();
    assert_eq!(status, 1, "{out}");
    is_as_it_was(&bare, &out, "a second SIGINT");
    drop(stuck);
    fs::remove_file(file).unwrap();
}

#[test]
fn h51_a_terminal_that_goes_away_ends_the_server() {
    // The signal of the hang-up is not for those that nohup has started; they find out by reading.
    for before in ["", "trap \"\" HUP;"] {
        let Some(mut bare) = Bare::serving(before, "--no-history") else { return };
        let pid = bare.pid();
        let mut peer = bare.connect(1);
        bare.script.write_stdin(b"half a line");
        bare.has("half a line");

        bare.script.signal("KILL");

        assert_eq!(peer.read_to_end(), b"");
        drop(peer);
        wait_until(&format!("the server to end after {before:?}"), || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // A process that nobody has waited for yet has ended, too.
            let state = stat.rsplit(") ").next().unwrap();
            (state.is_empty() || state.starts_with('Z')).then_some(())
        });
    }
}

#[test]
fn h51_while_it_is_stopped_the_terminal_is_the_shells() {
    let settings = |shell: &Pane, name: &str| {
        let at = place(name);
        shell.enters(&format!("stty -a >{}; echo wri''tten", at.display()));
        shell.has_row("written");
        shell.enters("clear");
        shell.prompt_is(|prompt| prompt == "ready> ");
        let settings = fs::read_to_string(&at).unwrap();
        fs::remove_file(at).unwrap();
        settings
    };
    if !has_tool("bash") {
        return;
    }
    let start = "PS1='ready> ' HISTFILE= exec bash --norc --noprofile -i";
    let Some(shell) = Pane::running(100, 30, start) else { return };
    shell.prompt_is(|prompt| prompt == "ready> ");

    let before = settings(&shell, "before");
    shell.enters(&format!("{SWITCHBOARD} --no-history 0"));
    shell.has_row("listening on");
    shell.shows_line("(nobody)>");
    shell.types("half a line");
    shell.press(&["C-z"]);
    shell.has_row("Stopped");
    let stopped = settings(&shell, "stopped");
    shell.enters("fg");
    shell.shows_line("(nobody)> half a line");
    shell.press(&["C-u"]);
    shell.enters("exit");
    shell.prompt_is(|prompt| prompt == "ready> ");
    let after = settings(&shell, "after");

    assert!(before.contains("icanon"), "{before}");
    assert_eq!(before, stopped);
    assert_eq!(before, after);
}

/// What a terminal may say of itself, unasked or asked by a program before this one.
const ANSWERS: [&str; 34] = [
    "\x1b[24;80R",
    "\x1b[?24;80;1R",
    "\x1b[1;2R",
    "\x1b[0n",
    "\x1b[?62;22c",
    "\x1b[>41;354;0c",
    "\x1bP!|00000000\x1b\\",
    "\x1bP>|XTerm(390)\x1b\\",
    "\x1bP1$r0;1m\x1b\\",
    "\x1bP1+r544e=787465726d\x1b\\",
    "\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
    "\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
    "\x1b]4;1;rgb:cdcd/0000/0000\x07",
    "\x1b]52;c;L2tpY2sgMQ==\x07",
    "\x1b]lswitchboard\x1b\\",
    "\x1b]L/quit\x1b\\",
    "\x1b[?2026;2$y",
    "\x1b[?2004;1$y",
    "\x1b[8;24;80t",
    "\x1b[4;600;800t",
    "\x1b[?1u",
    "\x1b[?997;1n",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\x1b[I",
    "\x1b[O",
    "\x1b[M q!",
    "\x1b[M#\x7f\x7f",
    "\x1b[<0;10;20M",
    "\x1b[<0;10;20m",
    "\x1b[32;10;20M",
    "\x1b[200~\x1b[201~",
    "\x1b[201~",
];

#[test]
fn h52_what_a_terminal_answers_types_nothing() {
    let Some(mut bare) = Bare::serving("", "--no-history") else { return };
    let mut peer = bare.connect(1);
    peer.send("hello\n");
    bare.has("hello");
    bare.has("#1> ");

    for (at, answer) in ANSWERS.iter().enumerate() {
        bare.script.write_stdin(answer.as_bytes());
        bare.script.write_stdin(format!("typed {at}\r").as_bytes());
        assert_eq!(peer.line(), format!("typed {at}"), "behind {answer:?}");
        // In the middle of a line it is no part of it, either.
        bare.script.write_stdin(format!("before {answer}behind {at}\r").as_bytes());
        assert_eq!(peer.line(), format!("before behind {at}"), "around {answer:?}");
    }
    let all = ANSWERS.concat();
    bare.script.write_stdin(format!("{all}{all}the last\r").as_bytes());
    assert_eq!(peer.line(), "the last");

    bare.script.write_stdin(b"exit\r");
    assert_eq!(bare.ended().1, 0);
}

#[test]
fn h53_what_was_entered_is_kept_for_its_owner_alone_but_not_what_begins_with_a_blank() {
    let home = place("state");
    let file = home.join("switchboard/history");
    let before = format!("XDG_STATE_HOME={}", home.display());
    let Some(mut bare) = Bare::serving(&before, "") else { return };
    let mut peer = bare.connect(1);
    peer.send("hello\n");
    bare.has("hello");
    bare.has("#1> ");
    bare.script.write_stdin("@1 kept 你\r a secret\r@1 kept, too\r".as_bytes());
    assert_eq!([peer.line(), peer.line(), peer.line()], ["kept 你", " a secret", "kept, too"]);
    bare.script.write_stdin(b"exit\r");
    drop(peer);
    bare.ended();

    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file.clone()), mode(home.join("switchboard"))), (0o600, 0o700));
    let kept = fs::read_to_string(&file).unwrap();
    assert_eq!(kept, "@1 kept 你\n@1 kept, too\nexit\n");

    // The next one has it, and with --no-history there is none.
    let Some(mut bare) = Bare::serving(&before, "") else { return };
    let mut peer = bare.connect(1);
    bare.script.write_stdin(b"\x1b[A\x1b[A\x1b[A\r");
    assert_eq!(peer.line(), "kept 你");
    bare.script.write_stdin(b"exit\r");
    drop(peer);
    bare.ended();
    let kept = fs::read_to_string(&file).unwrap();
    let Some(mut bare) = Bare::serving(&before, "--no-history") else { return };
    let mut peer = bare.connect(1);
    bare.script.write_stdin(b"\x1b[A@1 not kept\r");
    assert_eq!(peer.line(), "not kept");
    bare.script.write_stdin(b"exit\r");
    drop(peer);
    bare.ended();
    assert_eq!(fs::read_to_string(&file).unwrap(), kept);
    fs::remove_dir_all(home).unwrap();
}

#[test]
fn h54_with_a_thousand_descriptors_open_from_the_start_everything_works() {
    if !has_tool("bash") {
        return;
    }
    let open = "ulimit -n 4096; for ((at = 0; at < 1100; at++)); do exec {fd}</dev/null; done";
    let start = format!("exec bash -c '{open}; exec {SWITCHBOARD} --no-history 0'");
    let Some(pane) = Pane::running(100, 30, &start) else { return };
    let address: SocketAddr = pane.address();
    let mut first = pane.connect(address, 1);
    let mut second = pane.connect(address, 2);
    let descriptors = fs::read_dir(format!("/proc/{}/fd", pane.pid())).unwrap().count();
    assert!(descriptors > 1100, "only {descriptors} were open");

    first.send("hello\n");
    pane.shows_line("#1>");
    pane.types("half 你 ");
    second.send("hello from two\n");
    pane.has_row("#2> hello from two");
    pane.resize(80, 24);
    pane.pastes("pasted\nin two rows");
    pane.wait_for("what was pasted", |rows| rows.last()?.contains("in two rows").then_some(()));
    pane.press(&["Enter"]);
    assert_eq!((first.line(), first.line()), ("half 你 pasted".into(), "in two rows".into()));
    pane.enters("/file @2 /etc/hostname");
    assert_eq!(second.line(), fs::read_to_string("/etc/hostname").unwrap().trim_end());
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    pane.enters(&format!("/dial {}", own.local_addr().unwrap()));
    let mut dialed = Peer::over(own.accept().unwrap().0);
    pane.enters("@3 hello out there");
    assert_eq!(dialed.line(), "hello out there");
    pane.press(&["C-d"]);
    pane.has_row("Ctrl-D again quits and drops 3 connections");
    pane.press(&["C-d"]);

    assert_eq!(first.read_to_end(), b"");
}

/// Whether a row begins with a time of day.
fn stamp_ends(row: &str) -> bool {
    let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
    row.len() > 12 && row.is_char_boundary(12) && row.bytes().zip(*b"00:00:00.000").all(fits)
}

/// Nothing that was set is left: neither settings, nor marks around pastes, nor held-back drawing, nor a colour.
#[track_caller]
fn is_as_it_was(bare: &Bare, out: &str, how: &str) {
    let (before, after) = bare.settings();
    assert!(before.contains("icanon"), "{before}");
    assert_eq!(before, after, "after {how}");
    for (set, reset) in
        [("\x1b[?2004h", "\x1b[?2004l"), ("\x1b[?2026h", "\x1b[?2026l"), ("\x1b[?7l", "\x1b[?7h")]
    {
        assert!(out.contains(set), "{set:?} before {how}");
        assert!(out.rfind(reset) > out.rfind(set), "{set:?} is in force after {how}: {out:?}");
    }
    let last = out.split("its status").next().unwrap();
    assert!(!last.trim_end().ends_with('>'), "the prompt was left standing after {how}: {last:?}");
}
