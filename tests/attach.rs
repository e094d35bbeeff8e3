//! `switchboard attach`: one more desk, on a terminal and in a pipe; leaving it and coming back.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[path = "common/attached.rs"]
mod attached;
mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::path::Path;
use std::process::Command;

use attached::{Remote, place, server_with_desk};
use common::{Program, Server, wait_until};
use serde_json::json;
use terminal::{Pane, SWITCHBOARD};

/// An attached desk in a pipe.
#[track_caller]
fn piped(path: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(SWITCHBOARD);
    command.arg("attach").arg(path).args(arguments);
    Program::start(command)
}

/// An attached desk on a terminal; nothing where tmux is missing.
#[track_caller]
fn at_terminal(path: &Path, arguments: &str) -> Option<Pane> {
    let line =
        format!("{SWITCHBOARD} attach --no-history {arguments} {}; echo its status: $?", path.display());
    let pane = Pane::running(100, 24, &line)?;
    pane.has_row("attached to ");
    Some(pane)
}

#[test]
fn two_terminals_answer_the_same_peers_and_each_sees_what_the_other_sends() {
    let (mut server, path) = server_with_desk("two", &[]);
    let (mut peer, mut other) = (server.connect(), server.connect());
    server.hears(&mut peer, "hello");
    let Some(ann) = at_terminal(&path, "--name ann") else { return };
    let Some(bob) = at_terminal(&path, "--name bob") else { return };
    ann.has_row("#1> hello");
    bob.has_row("#1> hello");
    ann.has_row("* desk 3 is bob now");

    ann.types("from a");
    bob.has_row("desk 2 ann types to #1");
    // Somebody else speaks meanwhile, and is not answered by it.
    other.send("me, too\n");
    ann.has_row("#2> me, too");
    ann.enters("nn");
    assert_eq!(peer.line(), "from ann");
    bob.has_row("-> #1 9 bytes (desk 2 ann) from ann");
    ann.has_row("-> #1 9 bytes");
    bob.enters("@2 from bob");
    assert_eq!(other.line(), "from bob");
    ann.has_row("-> #2 9 bytes (desk 3 bob) from bob");
    bob.enters("/name 2 lab");
    ann.has_row("* #2 is now lab");
    ann.enters("@lab by name");
    assert_eq!(other.line(), "by name");
    server.type_line("@1 from stdin");
    ann.has_row("-> #1 11 bytes (desk 1) from stdin");
    assert_eq!(peer.line(), "from stdin");
    assert!(peer.is_quiet() && other.is_quiet(), "each text came once");
    ann.enters("/who");
    ann.has_row("desk 1, desk 2 ann, desk 3 bob");
}

#[test]
fn leaving_ends_the_desk_and_nothing_else_however_it_is_done() {
    let (server, path) = server_with_desk("leave", &[]);
    let (mut peer, _) = server.connect_numbered();
    let mut stays = Remote::attach(&path);
    stays.event("open");
    for leaves in ["exit", "Ctrl-D", "Ctrl-C"] {
        let Some(pane) = at_terminal(&path, "") else { return };
        match leaves {
            "exit" => pane.enters("exit"),
            "Ctrl-D" => pane.press(&["C-d"]),
            _ => {
                pane.press(&["C-c"]);
                pane.has_row("Ctrl-C again within two seconds leaves this desk, and nothing else");
                pane.press(&["C-c"]);
            }
        }
        pane.has_row("its status: 0");
        stays.until("it to go", |line| line["gone"] == true);
        assert_eq!(stays.ask(json!({"cmd": "send", "to": 1, "text": leaves}))["queued"], 1);
        assert_eq!(peer.line(), leaves);
    }
}

#[test]
fn who_comes_back_sees_what_was_said_meanwhile() {
    let (server, path) = server_with_desk("back", &[]);
    let mut peer = server.connect();
    let Some(pane) = at_terminal(&path, "") else { return };
    peer.send("one\n");
    pane.has_row("#1> one");
    pane.press(&["C-d"]);
    pane.has_row("its status: 0");
    peer.send("two\n");
    server.out.line_with("two");

    let Some(pane) = at_terminal(&path, "") else { return };
    pane.has_row("#1> two");
    // Whoever spoke last is the same for it as for those who were there.
    pane.prompt_is(|prompt| prompt == "#1> ");
    pane.enters("three");
    assert_eq!(peer.line(), "three");
}

#[test]
fn the_server_is_ended_only_when_that_was_said_twice() {
    let (mut server, path) = server_with_desk("quit", &[]);
    let (_peer, _) = server.connect_numbered();
    let Some(pane) = at_terminal(&path, "") else { return };
    pane.enters("/quit");
    pane.has_row("/quit again ends the server, for all: #1; exit leaves this desk alone");
    pane.enters("/who");
    pane.has_row("ESTABLISHED");
    pane.enters("/quit");
    wait_until("it to be said again", || {
        let rows = pane.all_rows();
        (rows.iter().filter(|row| row.contains("/quit again ends")).count() == 2).then_some(())
    });
    assert!(server.is_running());
    pane.enters("/quit");
    pane.has_row("the server has ended");
    pane.has_row("its status: 0");
    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn a_server_that_is_killed_is_found_again_and_nothing_begun_for_the_old_one_reaches_the_new_one() {
    let (mut server, path) = server_with_desk("again", &[]);
    let (_peer, _) = server.connect_numbered();
    let Some(pane) = at_terminal(&path, "") else { return };
    pane.enters("@1");
    pane.prompt_is(|prompt| prompt == "#1> ");
    pane.types("secret");
    pane.shows_line("#1> secret");

    server.signal("KILL");
    server.exit_status();
    pane.has_row("* the connection to the server is lost; it is tried again every second");
    let server = Server::start(&[&format!("--desk={}", path.display())]);
    pane.has_row("* attached to another run, as desk 2");
    let (mut stranger, number) = server.connect_numbered();
    assert_eq!(number, 1);
    pane.has_row("* #1 connected from ");
    pane.press(&["Enter"]);

    pane.has_row("not sent: (nobody) is nobody");
    pane.shows_line("(nobody)> secret");
    assert!(stranger.is_quiet(), "a stranger has got it");
    pane.press(&["C-u"]);
    pane.enters("@1 hello");
    assert_eq!(stranger.line(), "hello");
}

#[test]
fn h45_a_terminal_that_is_stopped_under_a_flood_costs_the_others_nothing_and_goes_on_afterwards() {
    let (server, path) = server_with_desk("flood", &["--quiet"]);
    let (mut peer, mut calm) = (server.connect(), server.connect());
    let Some(pane) = at_terminal(&path, "") else { return };
    let mut other = Remote::attach(&path);
    other.event("hello");
    let pid = wait_until("its process", || {
        let found =
            Command::new("pgrep").args(["-f", &format!("attach.*{}", path.display())]).output().ok()?;
        let pids = String::from_utf8(found.stdout).ok()?;
        let is_it = |pid: &&str| {
            std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(SWITCHBOARD))
        };
        pids.lines().find(is_it).map(str::to_owned)
    });
    Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    // As fast as one who reads keeps up with.
    for _ in 0..40 {
        (0..1000).for_each(|_| peer.send(format!("{}\n", "x".repeat(500))));
        (0..1000).for_each(|_| drop(other.event("msg")));
    }
    calm.send("end\n");
    assert_eq!(other.event("msg")["text"], "end", "it has missed nothing");
    Command::new("kill").args(["-CONT", &pid]).status().unwrap();

    pane.has_row("lines skipped: nobody was reading them");
    pane.has_row("#2> end");
    pane.enters("@2 still here");
    assert_eq!(calm.line(), "still here");
    assert!(server.resident_bytes() < 64 << 20, "{}", server.resident_bytes());
}

#[test]
fn in_a_pipe_lines_go_in_and_what_happens_from_now_on_comes_out() {
    let (server, path) = server_with_desk("pipe", &[]);
    let mut peer = server.connect();
    peer.send("before\n");
    server.out.line_with("before");
    let mut desk = piped(&path, &["--format", "tsv"]);
    desk.err.line_with("attached to ");
    peer.send("a\tb\n");
    desk.out.line_with("1\ta\\tb");
    desk.type_line("@1 answer");
    assert_eq!(peer.line(), "answer");
    desk.err.line_with("-> #1 7 bytes");
    desk.type_line("/send @1 a\\r\\n\\xff");
    assert_eq!(peer.exactly(4), b"a\r\n\xff");
    desk.type_line("@9 x");
    desk.err.line_with("there is no #9: nothing was done");
    desk.type_line("@nobody x");
    desk.err.line_with("unknown target @nobody");
    // The end of the input is the end of the desk, once all is answered.
    desk.type_line("@1 last");
    desk.close_stdin();
    assert_eq!(desk.exit_status().code(), Some(0));
    assert_eq!(peer.line(), "last");
    assert_eq!(desk.out.to_end(), b"1\ta\\tb\n", "what was said before is for people");
}

#[test]
fn a_file_is_read_where_it_is_typed() {
    let (server, path) = server_with_desk("file", &[]);
    let mut peer = server.connect();
    let file = place("a-file");
    std::fs::write(&file, b"\x00\xffbytes").unwrap();
    let mut desk = piped(&path, &["--format", "human"]);
    desk.out.line_with("attached to ");
    desk.type_line(&format!("/file @1 {}", file.display()));
    assert_eq!(peer.exactly(7), b"\x00\xffbytes");
    desk.type_line("/file @1 /dev/null");
    desk.err.line_with("cannot send /dev/null: it is no regular file");
    std::fs::remove_file(&file).unwrap();
    drop(server);
}

#[test]
fn as_json_it_is_the_servers_own_lines_both_ways() {
    let (server, path) = server_with_desk("json", &[]);
    let mut peer = server.connect();
    let mut desk = piped(&path, &["--format", "json", "--name", "robot"]);
    desk.out.line_with("{\"ev\":\"hello\",\"v\":1,");
    desk.type_line("{\"cmd\":\"send\",\"to\":1,\"text\":\"hi\",\"ref\":\"x\"}");
    assert_eq!(peer.line(), "hi");
    let reply = desk.out.line_with("\"ref\":\"x\"");
    assert!(reply.contains("\"queued\":1"), "{reply}");
    desk.type_line("{\"cmd\":\"who\",\"ref\":2}");
    desk.close_stdin();
    let who = desk.out.line_with("\"ref\":2");
    assert!(who.contains("\"name\":\"robot\""), "{who}");
    assert_eq!(desk.exit_status().code(), Some(0));
    drop(server);
}

#[test]
fn who_only_watches_is_told_so_and_what_cannot_be_attached_to_is_said() {
    let (server, path) = server_with_desk("watch", &[]);
    let mut peer = server.connect();
    let mut desk = piped(&path, &["--watch", "--format", "human"]);
    desk.out.line_with("attached to ");
    desk.type_line("@1 x");
    desk.err.line_with("this may not be done at this desk: nothing was done");
    peer.send("seen\n");
    desk.out.line_with("#1> seen");
    assert!(peer.is_quiet());
    desk.signal("TERM");
    assert_eq!(desk.exit_status().code(), Some(0));

    let desks: Vec<Remote> = (0..16).map(|_| Remote::attach(&path)).collect();
    let mut surplus = piped(&path, &[]);
    surplus.err.line_with("switchboard attach: cannot attach: 16 desks are attached already");
    assert_eq!(surplus.exit_status().code(), Some(1));
    drop(desks);
    drop(server);

    let mut nowhere = piped(&place("nowhere"), &[]);
    let line = nowhere.err.line_with("cannot attach to ");
    assert!(line.contains("No such file or directory (is a server running with --desk?)"), "{line}");
    assert_eq!(nowhere.exit_status().code(), Some(1));
    let mut badly = piped(&path, &["--name", "two words"]);
    badly.err.line_with("cannot use the name \"two words\"");
    assert_eq!(badly.exit_status().code(), Some(1));
}
