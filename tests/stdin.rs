//! Stdin: what its end means, and that a server with nothing to do does nothing.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Peer, Program, Server, has_tool, wait_until};

/// A server whose stdin is what the shell makes of `redirection`.
fn with_stdin(redirection: &str, arguments: &[&str]) -> Server {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}"), env!("CARGO_BIN_EXE_switchboard")]);
    command.args(arguments).arg("0");
    Server::of(command)
}

/// Waits for the clock.
fn let_pass(time: Duration) {
    let until = Instant::now() + time;
    wait_until("time to pass", || (Instant::now() >= until).then_some(()));
}

/// How often its threads were put to sleep or interrupted so far: a thread that does nothing never is.
fn switches(server: &Program) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs");
    let status = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).expect("it runs"));
    let of_task = |status: String| {
        let lines = status.lines().filter(|line| line.contains("ctxt_switches:"));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    status.map(of_task).sum()
}

/// Has been served, so that all there was to do was done.
fn serves(server: &Server) -> Peer {
    let mut peer = server.connect();
    peer.send("hello\n");
    server.out.line_with("hello");
    peer
}

#[test]
fn without_a_stdin_it_goes_on_serving() {
    for redirection in ["</dev/null", "<&-"] {
        let mut server = with_stdin(redirection, &[]);

        let mut peer = serves(&server);
        peer.finish();

        assert_eq!(peer.read_to_end(), b"", "with {redirection}, nobody is left to answer");
        assert!(server.is_running(), "with {redirection}");
    }
}

#[test]
fn when_its_pipe_ends_it_goes_on_serving() {
    let mut server = Server::start(&[]);
    let (mut before, _) = server.connect_numbered();

    server.type_line("@1 I am off");
    server.close_stdin();
    assert_eq!(before.line(), "I am off");
    before.send("bye\n");
    server.out.line_with("bye");
    let _after = serves(&server);

    assert!(server.is_running());
    server.signal("TERM");
    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn the_final_line_needs_no_line_ending() {
    let mut server = Server::start(&[]);
    let (mut peer, _) = server.connect_numbered();

    server.write_stdin(b"@1 first\n@1 last words");
    server.close_stdin();

    assert_eq!((peer.line(), peer.line()), ("first".into(), "last words".into()));
}

#[test]
fn a_final_exit_without_line_ending_ends_it() {
    let mut server = Server::start(&[]);

    server.write_stdin(b"exit");
    server.close_stdin();

    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn with_on_stdin_eof_quit_it_ends_in_order() {
    let mut server = Server::start(&["--on-stdin-eof", "quit"]);
    let (mut peer, _) = server.connect_numbered();

    server.write_stdin(b"@1 bye");
    server.close_stdin();

    assert_eq!(peer.read_to_end(), b"bye\n");
    drop(peer);
    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn with_on_stdin_eof_drain_it_ends_when_the_last_peer_has() {
    let mut server = Server::start(&["--on-stdin-eof", "drain"]);
    let (mut first, _) = server.connect_numbered();
    let (mut second, _) = server.connect_numbered();

    server.close_stdin();
    wait_until("newcomers to be refused", || std::net::TcpStream::connect(server.address).err());
    first.finish();
    assert_eq!(first.read_to_end(), b"");
    second.send("I am still served\n");
    server.out.line_with("2\tI am still served");
    assert!(server.is_running(), "the last peer is still there");
    second.finish();

    assert_eq!(second.read_to_end(), b"");
    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn an_idle_server_uses_no_processor_time() {
    let servers = [with_stdin("</dev/null", &[]), Server::start(&[]), with_stdin("</dev/null", &["--echo"])];
    let peers: Vec<Peer> = servers.iter().flat_map(|server| (0..20).map(|_| server.connect())).collect();
    // One of them is half-closed, and one has said half a line.
    let half_closed = serves(&servers[1]);
    half_closed.finish();
    let mut says_half = serves(&servers[0]);
    says_half.send("half a line");
    servers[0].out.line_with("half a line");
    let of_all = |count: fn(&Program) -> u64| servers.each_ref().map(|server| count(server));

    // What there is to do at the beginning is soon done.
    let mut before = of_all(switches);
    wait_until("the servers to be idle", || {
        let_pass(Duration::from_millis(500));
        let now = of_all(switches);
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    let ticks_before = of_all(Program::cpu_ticks);
    let_pass(Duration::from_secs(3));

    assert_eq!(of_all(switches), before, "threads woke up in three idle seconds");
    assert_eq!(of_all(Program::cpu_ticks), ticks_before, "processor time, in ticks");
    drop((peers, half_closed));
}

#[test]
fn an_idle_server_makes_no_system_call() {
    if !has_tool("strace") {
        return;
    }
    let server = with_stdin("</dev/null", &[]);
    let _peer = serves(&server);
    let mut command = Command::new("strace");
    command.args(["-f", "-p", &server.pid().to_string()]);

    let strace = Program::start(command);
    strace.err.line_with("attached");
    // To be traced interrupts the calls in which the threads wait; they are made again.
    let mut before = strace.err.so_far();
    wait_until("the calls to be made again", || {
        let_pass(Duration::from_millis(500));
        let now = strace.err.so_far();
        let same = now == before;
        before = now;
        same.then_some(())
    });
    let_pass(Duration::from_secs(2));
    let after = strace.err.so_far();
    strace.signal("INT");

    assert!(after == before, "calls of an idle server:\n{}", String::from_utf8_lossy(&after[before.len()..]));
}

#[test]
fn a_text_waits_for_no_slow_peer_but_its_own() {
    const PEERS: u64 = 40;
    const TEXT_BYTES: usize = 600_000;
    let (mut server, mut peers) = Server::with_peers(&[], PEERS);

    // None of them reads. Were each text to wait for all who are slow, a second each, the first would
    // be given up before the last is sent.
    for number in 1..=PEERS {
        server.type_line(&format!("@{number} {}", "x".repeat(TEXT_BYTES - 1)));
    }
    server.type_line("exit");
    server.wait_for_status("* stopping");

    for peer in &mut peers {
        assert_eq!(peer.read_to_end().len(), TEXT_BYTES);
    }
}

#[test]
fn in_readmes_loop_a_peer_that_says_exit_or_quit_ends_nothing() {
    use std::os::unix::process::CommandExt;

    if !has_tool("bash") {
        return;
    }
    let readme = include_str!("../README.md");
    let from = readme.find("    mkfifo replies\n").expect("README has the loop");
    let script: Vec<&str> = readme[from..].lines().take_while(|line| line.starts_with("    ")).collect();
    let script = script.join("\n").replace("switchboard 5000", "\"$0\" 0");
    let folder =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("loop-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_switchboard")]).current_dir(&folder).process_group(0);
    let mut server = Server::of(command);
    let mut peers = [server.connect(), server.connect()];

    for text in ["exit", "/quit", "@all hello", "-n", "\\n/quit", "%s", " blank", "", "bye"] {
        for peer in &mut peers {
            peer.send(format!("{text}\n"));
            let shown = text.replace('\\', "\\\\");
            assert_eq!(peer.line(), format!("you said {shown}"));
        }
    }

    // The server is a child of the shell's: the signal goes to all of them.
    let group = format!("-{}", server.pid());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    server.exit_status();
    let _ = fs::remove_dir_all(&folder);
}
