//! A transcript whose disk is full, slow, or gone for a while, and whose server is killed: peers notice nothing, and what
//! is in the file is true.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/transcript.rs"]
mod transcript;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Peer, Program, Random, Server, has_tool, let_pass};
use serde_json::Value;
use transcript::{Place, check_numbers, check_whole, ends, events_in, events_of, of_kind, text, times_told};

/// More than all buffers between the loop and the file hold.
const FLOOD_LINES: usize = 6000;
const FLOOD_LINE_BYTES: usize = 4096;

/// A peer says so much that a file which is not written has a hole, and all of it is heard.
#[track_caller]
fn flood(server: &Server) -> Peer {
    let mut peer = server.connect();
    let line = [&[b'x'; FLOOD_LINE_BYTES - 1][..], b"\n"].concat();
    (0..FLOOD_LINES).for_each(|_| peer.send(&line));
    peer.finish();
    server.err.line_with("has finished sending");
    peer
}

/// A server whose stdout takes everything.
fn unseen(mut command: Command) -> Server {
    command.env_remove("RUST_LOG");
    Server::of_program(Program::start_onto(command, Stdio::null()))
}

fn served(log: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--drain", "60s", "--log", text(log), "0"]);
    command
}

#[test]
fn h63_a_full_disk_is_told_once_serving_goes_on_and_the_end_does_not_wait() {
    let mut server = unseen(served(Path::new("/dev/full")));

    server.err.line_with("cannot write the transcript /dev/full: No space left on device");
    let mut peer = flood(&server);
    server.type_line("@1 still here");
    assert_eq!(peer.line(), "still here");
    server.signal("TERM");
    assert_eq!(server.exit_status().code(), Some(1), "whoever asked for it is told that it is not whole");

    // It has been given a minute, and to end was not waited for as long as that.
    let told = String::from_utf8(server.err.to_end()).unwrap();
    assert!(
        told.contains("switchboard: the end of the transcript /dev/full is missing: No space left"),
        "{told}"
    );
    assert_eq!(told.matches("cannot write the transcript").count(), 1, "{told}");
    assert!(!told.contains("as fast as"), "a full disk is not a slow one: {told}");
}

#[test]
fn h63_when_a_file_may_grow_again_it_goes_on_where_it_stood_and_the_hole_is_marked() {
    if !has_tool("prlimit") {
        return;
    }
    let place = Place::new("limited");
    let log = place.file("log");
    // Full for a while: a limit that somebody else lifts.
    let mut server =
        unseen(transcript::served_after("ulimit -S -f 64", &["--drain", "60s", "--log", text(&log)]));

    flood(&server);
    server.err.line_with(&format!("cannot write the transcript {}: File too large", log.display()));
    let lifted =
        Command::new("prlimit").args(["--fsize=unlimited", "--pid", &server.pid().to_string()]).status();
    assert!(lifted.unwrap().success());
    server.err.line_with("is written again");
    let mut peer = server.connect();
    peer.send("afterwards\n");
    server.err.line_with("#2 connected");
    peer.finish();
    server.err.line_with("#2 has finished sending");
    ends(&mut server);

    let events = events_of(&log);
    let skipped = check_whole(&events);
    assert!(skipped > 0, "there is a hole");
    let said = of_kind(&events, "msg");
    assert_eq!(said.last().unwrap()["text"], "afterwards");
    assert!(said.len() > 1000, "what had room is there");
    assert_eq!(times_told(&server, "cannot write the transcript"), 1);
}

/// A pipe that the test reads, when it reads.
fn pipe(path: &Path) -> File {
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
    // For writing, too: so it is there at once.
    File::options().read(true).write(true).open(path).unwrap()
}

/// All lines up to the last of a run.
fn read_run(pipe: File) -> Vec<u8> {
    let (mut reader, mut bytes) = (BufReader::new(pipe), Vec::new());
    while !bytes.ends_with(b"}\n") || !is_end(bytes.rsplit(|byte| *byte == b'\n').nth(1)) {
        assert!(reader.read_until(b'\n', &mut bytes).unwrap() > 0);
    }
    bytes
}

fn is_end(line: Option<&[u8]>) -> bool {
    line.is_some_and(|line| line.starts_with(b"{\"ev\":\"bye\""))
}

#[test]
fn h63_a_disk_that_is_too_slow_is_told_once_and_makes_nobody_wait() {
    let place = Place::new("slow");
    let log = place.file("pipe");
    let reader = pipe(&log);
    let mut server = unseen(served(&log));

    flood(&server);
    server.err.line_with("cannot be written as fast as things happen");
    let run = thread::spawn(|| read_run(reader));
    ends(&mut server);

    let events = events_in(&run.join().unwrap());
    let skipped = check_whole(&events);
    assert!(skipped > 0, "there is a hole");
    let heard = of_kind(&events, "msg").len() as u64;
    assert!(heard > 1000 && heard + skipped >= FLOOD_LINES as u64, "{heard} and {skipped}");
    assert_eq!(times_told(&server, "the transcript"), 1);
}

#[test]
fn h63_a_file_that_takes_nothing_any_more_is_replaced_by_a_new_one() {
    let place = Place::new("replaced");
    let log = place.file("log");
    let reader = pipe(&log);
    let mut server = unseen(served(&log));

    flood(&server);
    fs::rename(&log, place.file("pipe")).unwrap();
    server.signal("USR1");
    transcript::file_with(&log, "\"skipped\"");
    ends(&mut server);
    drop(reader);

    let events = events_of(&log);
    assert!(of_kind(&events, "msg").len() > 1000);
    assert_eq!(events.last().unwrap()["ev"], "bye");
}

/// What stdout has shown, and when.
struct Shown {
    lines: usize,
    at: Instant,
}

/// Runs a server that somebody talks to without a pause, and kills it. Returns how much of what stdout had shown before
/// `lag` is missing in the transcript.
fn killed(log: &Path, after: Duration, lag: Duration) -> usize {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command
        .args(["--log", text(log), "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap().rsplit(' ').next().unwrap().to_owned();
    let mut stdout = child.stdout.take().unwrap();
    let (shows, shown) = mpsc::channel();
    let looker = thread::spawn(move || {
        let (mut buffer, mut lines) = (vec![0; 64 << 10], 0);
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count();
            let _ = shows.send(Shown { lines, at: Instant::now() });
        }
    });
    let talker = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        for number in (0u64..).step_by(50) {
            let lines: String = (number..number + 50).map(|number| format!("{number:063}\n")).collect();
            if stream.write_all(lines.as_bytes()).is_err() {
                break;
            }
        }
    });

    let mut all = vec![shown.recv_timeout(DEADLINE).unwrap()];
    let_pass(after);
    child.kill().unwrap();
    let killed_at = Instant::now();
    child.wait().unwrap();
    looker.join().unwrap();
    talker.join().unwrap();
    all.extend(shown);
    let known =
        all.iter().take_while(|shown| shown.at + lag < killed_at).last().map_or(0, |shown| shown.lines);
    let written = fs::read(log).unwrap();
    let whole = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let events = events_in(&written[..whole]);
    assert_eq!(check_numbers(&events), 0);
    let said = of_kind(&events, "msg");
    for (number, message) in said.iter().enumerate() {
        assert_eq!((&message["id"], &message["text"]), (&1.into(), &Value::from(format!("{number:063}"))));
    }
    known.saturating_sub(said.len())
}

#[test]
fn h63_after_a_kill_every_line_but_the_last_is_whole_and_little_is_missing() {
    // By hand, on a machine that does nothing else: SWITCHBOARD_KILLS=100, and a tenth of a second is all it may lag.
    let asked = std::env::var("SWITCHBOARD_KILLS").ok().map(|count| count.parse::<usize>().unwrap());
    let (count, lag) = asked.map_or((4, Duration::from_secs(2)), |count| (count, Duration::from_millis(100)));
    let mut random = Random::seeded(63);
    let place = Place::new("killed");
    for number in 0..count {
        let after = Duration::from_millis(random.below(400) as u64);
        let log = place.file(&number.to_string());

        let missing = killed(&log, after, lag);

        assert_eq!(missing, 0, "run {number}, killed {after:?} after the first line");
        fs::remove_file(&log).unwrap();
    }
}
