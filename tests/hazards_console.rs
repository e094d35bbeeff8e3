//! The operator's side: a stdout that nobody takes, a stdin that is not there or never ends. The numbers
//! hNN are those of the list of hazards of event-loop servers in docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Output, Peer, Program, Server, has_tool, rows, wait_until};
use rustix::fs::{OFlags, fcntl_getfl};

const MIB: u64 = 1 << 20;
const SERVER: &str = env!("CARGO_BIN_EXE_switchboard");

fn switchboard(arguments: &[&str]) -> Command {
    let mut command = Command::new(SERVER);
    command.args(arguments).arg("0");
    command
}

/// A server whose stdout is a pipe that only this test reads, when it does.
fn with_stdout(arguments: &[&str]) -> (Server, PipeReader) {
    let (reader, stdout) = io::pipe().unwrap();
    (Server::of_program(Program::start_onto(switchboard(arguments), stdout.into())), reader)
}

/// A server that the shell starts, with what stands behind its arguments.
fn through_shell(before: &str, behind: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} \"$0\" \"$@\" {behind}"), SERVER]);
    command
}

fn numbered(number: usize) -> String {
    format!("{number} {}\n", "x".repeat(1000))
}

fn number_of(line: &str) -> usize {
    line.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no number in {:?}", &line[..20]))
}

/// How many lines the server says it has skipped, in all.
fn skipped(text: &[u8]) -> usize {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter_map(|line| line.split_once(" lines skipped"));
    lines.map(|(count, _)| count.trim_start_matches("* ").parse::<usize>().unwrap()).sum()
}

/// Waits until `part` was written; what was looked at once is not looked at again, since it is much.
fn wait_for_part(output: &Output, part: &str) {
    let mut seen = 0;
    output.wait_for(&format!("{part:?}"), |bytes| {
        let from = std::mem::replace(&mut seen, bytes.len().saturating_sub(part.len()));
        bytes[from..].windows(part.len()).any(|window| window == part.as_bytes()).then_some(())
    });
}

/// A place for a file of this test.
fn place(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// Waits for the clock.
fn let_pass(time: Duration) {
    let until = Instant::now() + time;
    wait_until("time to pass", || (Instant::now() >= until).then_some(()));
}

#[test]
fn h32_in_a_chat_whose_stdout_nobody_reads_the_others_go_on_and_the_skipped_lines_are_counted() {
    const LINES: usize = 16_000;
    let (mut server, reader) = with_stdout(&["--chat"]);
    let (mut talker, _) = server.connect_numbered();
    let (mut hearer, _) = server.connect_numbered();
    assert_eq!(talker.line(), "* #2 joined");
    let before = server.resident_bytes();

    let mut highest = 0;
    thread::scope(|scope| {
        scope.spawn(|| (0..LINES).for_each(|number| talker.send(numbered(number))));
        for number in 0..LINES {
            assert_eq!(number_of(hearer.line().strip_prefix("<#1> ").expect("who says it")), number);
            if number % 500 == 0 {
                highest = highest.max(server.resident_bytes());
            }
        }
    });
    hearer.send("an answer\n");
    assert_eq!(talker.line(), "<#2> an answer");
    assert!(highest < before + 16 * MIB, "from {before} bytes of memory to {highest}");

    // Somebody reads again.
    let out = Output::of(reader);
    wait_until("what was skipped to be told", || (skipped(&server.err.so_far()) > 0).then_some(()));
    talker.send("and now?\n");
    wait_for_part(&out, "and now?");
    server.type_line("exit");
    let out = String::from_utf8(out.to_end()).unwrap();
    let shown = out.lines().count();
    let skipped = skipped(&server.err.to_end());
    assert_eq!(shown + skipped, LINES + 2, "{shown} lines shown, {skipped} said to be skipped");
    let numbers: Vec<usize> =
        out.lines().filter(|line| line.ends_with('x')).map(|line| number_of(&line[2..])).collect();
    assert!(numbers.is_sorted() && numbers.len() > 2000, "the first ones are shown, in order");
}

#[test]
fn h32_in_a_console_whose_pipe_nobody_reads_nothing_is_lost_and_commands_work() {
    const LINES: usize = 12_000;
    let (mut server, reader) = with_stdout(&[]);
    let (mut talker, _) = server.connect_numbered();
    let (mut hearer, _) = server.connect_numbered();
    let before = server.resident_bytes();

    thread::scope(|scope| {
        scope.spawn(|| (0..LINES).for_each(|number| talker.send(numbered(number))));
        // It is full when nothing moves any more.
        let mut received = 0;
        wait_until("the talker to be made to wait", || {
            let_pass(Duration::from_millis(100));
            let now = server.who()[0].received;
            let stands = received == now && now > 0;
            received = now;
            stands.then_some(())
        });
        for round in 0..50 {
            server.type_line(&format!("@2 reply {round}"));
            assert_eq!(hearer.line(), format!("reply {round}"));
        }
        let growth = server.resident_bytes().saturating_sub(before);
        assert!(growth < 8 * MIB, "{growth} bytes of memory for a pipe that nobody reads");

        let mut lines = BufReader::new(reader).lines();
        for number in 0..LINES {
            let line = lines.next().unwrap().unwrap();
            assert_eq!(number_of(line.strip_prefix("1\t").expect("whose it is")), number);
        }
        assert_eq!(skipped(&server.err.so_far()), 0);
        hearer.send("the last\n");
        assert_eq!(lines.next().unwrap().unwrap(), "2\tthe last");
    });
}

/// A server on a terminal, which `script` makes: what the terminal shows comes out of the pipe. It edits no line there;
/// what does is looked at in tests/hazards_terminal.rs.
struct OnTerminal {
    script: Program,
    screen: Option<PipeReader>,
    address: SocketAddr,
    server_pid: String,
}

impl OnTerminal {
    fn start(name: &str, before: &str, arguments: &str) -> OnTerminal {
        let (pid_at, err_at) = (place(&format!("{name}-pid")), place(&format!("{name}-err")));
        let shell = format!(
            "{before} echo $$ >{}; exec {SERVER} {arguments} 0 2>{}",
            pid_at.display(),
            err_at.display()
        );
        let (screen, stdout) = io::pipe().unwrap();
        let mut command = Command::new("script");
        command.args(["-qefc", &format!("exec sh -c '{shell}'"), "/dev/null"]).env("TERM", "dumb");
        let script = Program::start_onto(command, stdout.into());
        let address = wait_until("the server to listen", || {
            let err = fs::read_to_string(&err_at).ok()?;
            err.strip_suffix('\n')?.rsplit(' ').next()?.parse().ok()
        });
        let server_pid = fs::read_to_string(&pid_at).unwrap().trim().to_owned();
        OnTerminal { script, screen: Some(screen), address, server_pid }
    }

    fn has_ended(&self) -> bool {
        // A process that was not waited for yet has ended, too.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.server_pid)).unwrap_or_default();
        stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = Command::new("kill").args(["-KILL", &self.server_pid]).status();
        }
    }
}

#[test]
fn h32_on_a_terminal_that_is_stopped_the_peers_go_on_and_the_skipped_lines_are_counted() {
    const LINES: usize = 12_000;
    if !has_tool("script") {
        return;
    }
    let mut terminal = OnTerminal::start("h32", "", "--chat");
    let (mut talker, mut hearer) = (Peer::connect(terminal.address), Peer::connect(terminal.address));
    // Either may have come first; from here on both are there.
    talker.send("hello\n");
    let name = loop {
        let line = hearer.line();
        if let Some(name) = line.strip_suffix("> hello") {
            break name.to_owned();
        }
    };

    thread::scope(|scope| {
        scope.spawn(|| (0..LINES).for_each(|number| talker.send(numbered(number))));
        for number in 0..LINES {
            let line = hearer.line();
            assert!(line.starts_with(&format!("{name}> {number} x")), "{:?}", &line[..20]);
        }
    });

    let out = Output::of(terminal.screen.take().unwrap());
    wait_for_part(&out, " lines skipped");
    talker.send("and now?\n");
    wait_for_part(&out, "and now?");
    let shown = String::from_utf8_lossy(&out.so_far()).into_owned();
    let messages = shown.lines().filter(|line| line.trim_end().ends_with("xxx")).count();
    // Nothing but messages came while it was stopped.
    assert_eq!(messages + skipped(&out.so_far()), LINES);
    drop((talker, hearer));
    terminal.script.type_line("exit");
    wait_until("the server to end", || terminal.has_ended().then_some(()));
}

#[test]
fn h33_when_head_has_its_line_the_server_ends_quietly_with_status_0() {
    let (reader, stdout) = io::pipe().unwrap();
    let mut server = Server::of_program(Program::start_onto(switchboard(&[]), stdout.into()));
    // The command goes at once: it keeps our end of the pipe, as long as it is there.
    let mut head = Command::new("head").arg("-1").stdin(reader).stdout(Stdio::piped()).spawn().unwrap();
    let mut peer = server.connect();

    peer.send("one\n");
    let mut got = String::new();
    head.stdout.take().unwrap().read_to_string(&mut got).unwrap();
    head.wait().unwrap();
    peer.send("two\n");
    drop(peer);
    let status = server.exit_status();
    let err = String::from_utf8(server.err.to_end()).unwrap();

    assert_eq!(got, "1\tone\n");
    assert_eq!(status.code(), Some(0), "{err}");
    let told: Vec<&str> = err.lines().filter(|line| !line.starts_with("* ")).collect();
    assert_eq!(told, [format!("switchboard: listening on {}", server.address)], "no panic and no error");
}

#[test]
fn h33_a_full_disk_is_told_in_one_line_with_status_1() {
    for mode in [&[][..], &["--chat"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut server = Server::of_program(Program::start_onto(switchboard(mode), full.into()));

        let mut peer = server.connect();
        peer.send("one\n");
        drop(peer);
        let status = server.exit_status();
        let err = String::from_utf8(server.err.to_end()).unwrap();

        assert_eq!(status.code(), Some(1), "{err}");
        assert!(err.ends_with("\nswitchboard: cannot write to stdout: No space left on device\n"), "{err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

#[test]
fn h33_a_stderr_that_nobody_reads_or_that_is_full_stops_nothing() {
    for behind in ["2>/dev/full", "2>&-"] {
        let path = place("h33");
        let mut command = through_shell("exec", behind);
        command.arg(format!("unix:{}", path.display()));
        let mut server = Program::start(command);
        let mut peer = wait_until("the server to listen", || UnixStream::connect(&path).ok());

        peer.write_all(b"hello\n").unwrap();
        server.out.line_with("hello");
        server.write_stdin(b"/help\n/who\n/nonsense\n@1 good bye\nexit\n");
        let mut got = String::new();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.read_to_string(&mut got).unwrap();
        drop(peer);

        assert_eq!(got, "good bye\n", "with {behind}");
        assert_eq!(server.exit_status().code(), Some(0), "with {behind}");
    }
}

#[test]
fn h33_with_all_three_closed_no_peer_becomes_stdin_stdout_or_stderr() {
    let path = place("h33-closed");
    let mut command = through_shell("exec", "<&- >&- 2>&-");
    command.args(["--chat", &format!("unix:{}", path.display())]);
    let mut server = Program::start(command);
    let connect = || {
        let stream = wait_until("the server to listen", || UnixStream::connect(&path).ok());
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    let (mut first, mut second) = (connect(), connect());
    let joined = "* you are #1; nobody else is here; /help lists the commands\n* #2 joined\n";
    let mut got = vec![0; joined.len()];
    first.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), joined);

    // Had one of them taken the place of stdin, these would be commands; of stdout, it would read them.
    first.write_all(b"exit\n@all forged\n/kick 2\n").unwrap();
    let expected = "* you are #2; 1 other is here; /help lists the commands\n<#1> exit\n<#1> @all forged\n<#1> /kick 2\n";
    let mut got = vec![0; expected.len()];
    second.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), expected);
    second.write_all(b"still here\n").unwrap();
    let expected = "<#2> still here\n";
    let mut got = vec![0; expected.len()];
    first.read_exact(&mut got).unwrap();

    assert_eq!(String::from_utf8_lossy(&got), expected);
    assert!(server.is_running());
}

#[test]
fn h34_the_flags_of_stdin_stdout_and_stderr_stay_as_they_were() {
    for how in ["exit", "KILL"] {
        let (stdin, mut typed) = io::pipe().unwrap();
        let (out, stdout) = io::pipe().unwrap();
        let (err, stderr) = io::pipe().unwrap();
        // The same open files as the server's, so their flags are the same, too.
        let ours: [OwnedFd; 3] = [
            stdin.as_fd().try_clone_to_owned().unwrap(),
            stdout.as_fd().try_clone_to_owned().unwrap(),
            stderr.as_fd().try_clone_to_owned().unwrap(),
        ];
        let flags = || -> Vec<OFlags> { ours.iter().map(|file| fcntl_getfl(file).unwrap()).collect() };
        let before = flags();
        let mut child = switchboard(&["--echo"]).stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        let err = Output::of(err);
        let line = err.line_with("listening on ");
        let mut peer = Peer::connect(line.rsplit(' ').next().unwrap().parse().unwrap());
        peer.send("hello\n");
        assert_eq!(peer.line(), "hello");
        typed.write_all(b"/who\n").unwrap();
        err.wait_for("its row", |err| {
            let text = String::from_utf8_lossy(err);
            // Behind the time, as in every log.
            let rows: Vec<_> = text.lines().filter_map(|line| rows(line.get(13..)?).pop()).collect();
            rows.iter().any(|row| row.received == 6).then_some(())
        });

        assert_eq!(flags(), before, "while it runs");
        match how {
            "exit" => typed.write_all(b"exit\n").unwrap(),
            _ => child.kill().unwrap(),
        }
        drop(peer);
        child.wait().unwrap();
        assert_eq!(flags(), before, "after {how}");
        drop(out);
    }
}

#[test]
fn h34_a_terminal_is_left_as_it_was() {
    if !has_tool("script") {
        return;
    }
    let (before, after, err) = (place("h34-before"), place("h34-after"), place("h34-err"));
    let state = |at: &PathBuf| format!("{{ stty -a; grep flags /proc/self/fdinfo/0; }} >{}", at.display());
    let shell = format!("{}; {SERVER} 0 2>{}; {}", state(&before), err.display(), state(&after));
    let mut command = Command::new("script");
    command.args(["-qefc", &shell, "/dev/null"]);
    let mut script = Program::start(command);
    wait_until("the server to listen", || {
        fs::read_to_string(&err).ok().filter(|err| err.contains("listening"))
    });

    script.type_line("exit");
    script.exit_status();
    let (before, after) = (fs::read_to_string(before).unwrap(), fs::read_to_string(after).unwrap());

    assert!(before.contains("icanon") && before.contains("flags:"), "{before}");
    assert_eq!(before, after);
}

#[test]
fn h35_without_a_stdin_it_serves_and_costs_nothing() {
    let mut starts = vec![("exec", "</dev/null"), ("exec", "<&-"), ("exec", "0>/dev/null")];
    if has_tool("setsid") {
        starts.push(("exec setsid", "</dev/null"));
    }
    let mut servers: Vec<Server> = starts
        .iter()
        .map(|(before, behind)| {
            let mut command = through_shell(before, behind);
            command.args(["--chat", "0"]);
            Server::of(command)
        })
        .collect();
    for (server, start) in servers.iter().zip(&starts) {
        let (mut first, _) = server.connect_numbered();
        let (mut second, _) = server.connect_numbered();
        assert_eq!(first.line(), "* #2 joined");
        // A peer is not the operator, even if its descriptor should be the one that was free.
        first.send("exit\n");
        assert_eq!(second.line(), "<#1> exit", "started by {start:?}");
        second.send("I am here\n");
        assert_eq!(first.line(), "<#2> I am here", "started by {start:?}");
    }

    let before: Vec<u64> = servers.iter().map(|server| server.cpu_ticks()).collect();
    let_pass(Duration::from_secs(1));
    for ((server, before), start) in servers.iter_mut().zip(before).zip(&starts) {
        let ticks = server.cpu_ticks() - before;
        assert!(ticks < 10, "{ticks} ticks in a second with nothing to do, started by {start:?}");
        assert!(server.is_running(), "started by {start:?}");
    }
}

#[test]
fn h35_a_terminal_that_is_hung_up_or_says_so_ends_the_server() {
    if !has_tool("script") {
        return;
    }
    // The signal of the hang-up is not for those that nohup has started; they find out by reading.
    for (before, how) in [("", "KILL"), ("trap \"\" HUP;", "KILL"), ("", "end of file")] {
        let mut terminal = OnTerminal::start("h35", before, "");
        let screen = Output::of(terminal.screen.take().unwrap());
        let mut peer = Peer::connect(terminal.address);
        peer.send("hello\n");
        screen.line_with("hello");

        match how {
            "KILL" => terminal.script.signal("KILL"),
            _ => terminal.script.write_stdin(b"\x04"),
        }
        drop(peer);

        let what = format!("the server to end after {before:?} and {how}");
        wait_until(&what, || terminal.has_ended().then_some(()));
    }
}

#[test]
fn h36_a_flood_on_stdin_costs_no_memory_and_nobody_else_and_can_be_stopped() {
    if !has_tool("yes") {
        return;
    }
    let mut yes = Command::new("yes").arg("@all y").stdout(Stdio::piped()).spawn().unwrap();
    let (unread, stderr) = io::pipe().unwrap();
    let mut command = switchboard(&[]);
    command.stdin(yes.stdout.take().unwrap()).stdout(Stdio::piped()).stderr(stderr);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut lines = BufReader::new(unread);
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let address: SocketAddr = first.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    // What is answered to each of those lines nobody reads from here on.
    let out = Output::of(child.stdout.take().unwrap());
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };

    let mut reads = Peer::connect(address);
    let mut talks = Peer::connect(address);
    let mut ear = talks.stream.try_clone().unwrap();
    let deaf = thread::spawn(move || while ear.read(&mut [0; 65536]).is_ok_and(|count| count > 0) {});
    reads.exactly(1 << 20);
    let before = memory();
    for round in 0..100 {
        talks.send(format!("round {round}\n"));
        out.line_with(&format!("round {round}"));
        assert!(reads.exactly(64 << 10).chunks(2).all(|line| line == b"y\n"));
    }
    let growth = memory().saturating_sub(before);
    assert!(growth < 24 * MIB, "{growth} bytes of memory for a flood of lines");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    reads.read_to_end();
    deaf.join().unwrap();
    drop((reads, talks));
    let status = wait_until("the server to end", || child.try_wait().unwrap());

    assert_eq!(status.code(), Some(0), "SIGINT asks for an orderly end");
    yes.kill().unwrap();
    yes.wait().unwrap();
}

#[test]
fn h36_a_typed_line_without_end_is_refused_and_the_next_is_taken() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);
    let before = server.resident_bytes();

    let mut highest = before;
    for _ in 0..40 {
        server.write_stdin(&[b'x'; 1 << 20]);
        highest = highest.max(server.resident_bytes());
    }
    server.write_stdin(b"\n@1 the next\n");

    assert_eq!(peers[0].line(), "the next");
    server.err.line_with("cannot take this line");
    assert!(highest < before + 40 * MIB, "from {before} bytes of memory to {highest}");
}
