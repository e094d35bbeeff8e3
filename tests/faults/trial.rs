//! One case: the server under strace, two peers that talk, a third that shows whether all is well again,
//! an operator, and an end.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::cases::{Case, On, When};

/// How long is waited for what the fault may have prevented.
const PERHAPS: Duration = Duration::from_millis(200);
/// How long is waited for what has to happen.
const SURELY: Duration = Duration::from_secs(8);
/// A spinning server has used up this much of the time that it is watched for.
const WATCHED: Duration = Duration::from_millis(120);
const TICKS_MAX: u64 = 5;
/// A server that tries the same in vain, without a pause, does so thousands of times.
const FAULTS_MAX: usize = 400;

/// Several times what is read at once.
const BULK_BYTES: usize = 300_000;

/// What is wrong where nothing failed.
pub const NEVER_MADE: &str = "the call was never made, or strace cannot do this";

/// A first peer says so many lines; reading them and its end is one call more.
const FIRST_PEERS_LINES: usize = 7;
const FIRST_PEERS_READS: usize = FIRST_PEERS_LINES + 1;

/// How often the loader of the program makes each call, before the program itself makes any.
pub type LoaderCalls = HashMap<String, usize>;

/// What became of a server, where all was well.
#[derive(Debug)]
pub enum Verdict {
    /// It could not start and said why.
    Refused,
    /// It ended, saying why, when the call failed.
    EndedWithALine,
    /// It ended in order, telling nobody, as it should where nobody listens.
    EndedQuietly,
    /// It ended in order when it was asked to.
    Survived,
    /// Memory was refused, and the runtime ended it.
    Aborted,
}

impl Verdict {
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Refused => "refused to start",
            Verdict::EndedWithALine => "ended with a line",
            Verdict::EndedQuietly => "ended quietly",
            Verdict::Survived => "survived",
            Verdict::Aborted => "aborted for want of memory",
        }
    }
}

/// When a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    AtTheStart,
    ByItself,
    WhenAsked,
}

/// A directory of its own, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fault-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read(self.file(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn strace(scratch: &Scratch, options: &[String], arguments: &[&str]) -> Command {
    let mut command = Command::new("strace");
    // As a grandchild (-D), so that the process we start is the server itself: its descriptors, its
    // time and its exit status are what we see.
    command.args(["-D", "-f", "-qq", "-o"]).arg(scratch.file("calls")).args(options);
    command.arg(env!("CARGO_BIN_EXE_switchboard")).args(arguments);
    command
}

/// Waits until something is so, for a while; says whether it is.
fn comes_true(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let give_up_at = Instant::now() + patience;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= give_up_at {
            return false;
        }
        thread::park_timeout(Duration::from_millis(3));
    }
}

/// Counts what the loader and the runtime do before `main`: the first thing that the program itself asks
/// for is its descriptor limit.
pub fn calls_of_the_loader() -> LoaderCalls {
    let scratch = Scratch::new();
    let err = File::create(scratch.file("err")).unwrap();
    let mut command = strace(&scratch, &[], &["0"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(err).spawn().unwrap();
    let has_started = comes_true(SURELY, || scratch.text("err").contains("listening on "));
    let _ = child.kill();
    let _ = child.wait();
    assert!(has_started, "it does not start under strace: {}", scratch.text("err"));
    let calls = scratch.text("calls");
    let (before, _) = calls.split_once("RLIMIT_NOFILE").expect("it asks for its descriptor limit");
    let mut counts = LoaderCalls::new();
    for line in before.lines() {
        let call = line.split_whitespace().nth(1).and_then(|call| call.split_once('('));
        if let Some((name, _)) = call {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    // The line that the limit is asked for on was cut, but its beginning counted.
    *counts.entry("prlimit64".to_owned()).or_insert(1) -= 1;
    counts
}

/// A server with a fault.
pub struct Trial<'a> {
    case: &'a Case,
    scratch: Scratch,
    child: Child,
    stdin: File,
    /// Whether it ended by itself; once known, its status.
    ended: Option<std::process::ExitStatus>,
}

impl<'a> Trial<'a> {
    pub fn of(case: &'a Case, loader: &LoaderCalls) -> Trial<'a> {
        let scratch = Scratch::new();
        let status = Command::new("mkfifo").arg(scratch.file("in")).status().expect("mkfifo is everywhere");
        assert!(status.success());
        // Both ways, so that opening it does not wait and it never ends.
        let stdin = File::options().read(true).write(true).open(scratch.file("in")).unwrap();
        // A file has no other threads' calls on it, so there the loader does not matter.
        let before = match case.on {
            On::Anything if case.comes_after_a_first_peer() => FIRST_PEERS_READS,
            On::Anything => loader.get(case.call).copied().unwrap_or(0),
            _ => 0,
        };
        let when = match case.when {
            When::Nth(nth) => format!("{}", before + nth),
            When::EveryOther => format!("{}+2", before + 1),
            When::Always => format!("{}+", before + 1),
        };
        let Case { call, errno, .. } = case;
        let mut options = vec![
            "-e".to_owned(),
            format!("trace={call}"),
            "-e".to_owned(),
            format!("inject={call}:error={errno}:when={when}"),
        ];
        let stream = match case.on {
            On::Anything | On::Signals | On::Waker => None,
            On::Stdin => Some("in"),
            On::Stdout => Some("out"),
            On::Stderr => Some("err"),
        };
        let (out, err) =
            (File::create(scratch.file("out")).unwrap(), File::create(scratch.file("err")).unwrap());
        match stream {
            // Only the calls made on it fail.
            Some(name) => options.extend(["-P".to_owned(), scratch.file(name).to_str().unwrap().to_owned()]),
            // Other calls than the one run at full speed; this does not go together with -P.
            None => options.push("--seccomp-bpf".to_owned()),
        }
        let mut arguments = vec!["--half-open", "100ms", "--drain", "300ms"];
        match case.mode {
            "console" => {}
            "chat" => arguments.push("--chat"),
            "echo" | "bulk" => arguments.push("--echo"),
            "full" => arguments.extend(["--max-conns", "1"]),
            other => panic!("no such mode: {other}"),
        }
        arguments.push("0");
        let mut command = strace(&scratch, &options, &arguments);
        let child = command.stdin(stdin.try_clone().unwrap()).stdout(out).stderr(err).spawn().unwrap();
        Trial { case, scratch, child, stdin, ended: None }
    }

    /// Runs it; `Err` says what is wrong.
    pub fn run(mut self) -> Result<Verdict, String> {
        let verdict = self.run_to_the_end();
        let err = self.scratch.text("err");
        let faults = self.faults();
        let mut wrong: Vec<String> = verdict.as_ref().err().cloned().into_iter().collect();
        if err.contains("panicked") {
            wrong.push("it panicked".into());
        }
        if faults == 0 {
            wrong.push(NEVER_MADE.into());
        }
        if faults > FAULTS_MAX {
            wrong.push(format!("it spins: {faults} calls failed"));
        }
        if wrong.is_empty() {
            return verdict;
        }
        // Of the calls the end tells most.
        let calls = self.scratch.text("calls");
        let calls: Vec<&str> = calls.lines().rev().take(12).collect();
        let calls: String = calls.iter().rev().map(|call| format!("    {call}\n")).collect();
        Err(format!("{}; the last calls:\n{calls}  stderr:\n{err}", wrong.join("; ")))
    }

    fn run_to_the_end(&mut self) -> Result<Verdict, String> {
        let starts = comes_true(SURELY, || {
            self.has_ended() || self.scratch.text("err").contains("listening on ") || self.is_mute()
        });
        if !starts {
            return Err("it neither started nor ended".into());
        }
        if self.ended.is_some() {
            return self.judge_end(Ended::AtTheStart);
        }
        let Some(address) = self.address() else {
            // What it has to say cannot be read, so nobody knows where it listens.
            comes_true(PERHAPS, || self.has_ended());
            return self.terminate();
        };
        self.type_line("/stats");
        // All is open once this is answered.
        comes_true(5 * PERHAPS, || {
            self.has_ended() || self.scratch.text("err").contains("connections 0 now")
        });
        let descriptors = self.descriptors();
        if self.case.comes_after_a_first_peer() {
            self.let_a_first_peer_talk(address, descriptors)?;
        }
        self.talk(address);
        if self.watch_spins() {
            return Err("it spins".into());
        }
        let is_single = matches!(self.case.when, When::Nth(_)) || self.case.when == When::EveryOther;
        // A lie may have hidden the end of a connection, which then takes the only place there is.
        let is_lost = self.case.is_a_lie() && self.case.mode == "full";
        if is_single && !is_lost && !self.has_ended() {
            self.is_well_again(address)?;
            self.has_left_nothing_open(descriptors)?;
        }
        if self.has_ended() { self.judge_end(Ended::ByItself) } else { self.terminate() }
    }

    /// One peer comes and goes before any call fails.
    fn let_a_first_peer_talk(&mut self, address: SocketAddr, descriptors: usize) -> Result<(), String> {
        let mut peer = connect(address).ok_or("the first peer cannot connect")?;
        for line in 0..FIRST_PEERS_LINES {
            // Each is read by a call of its own, since the next is sent only then.
            if !self.is_heard(&mut peer, &format!("first {line}"), SURELY) {
                return Err("the first peer is not heard".into());
            }
        }
        drop(peer);
        let has_left = comes_true(SURELY, || self.descriptors() <= descriptors);
        if has_left { Ok(()) } else { Err("the first peer is kept".into()) }
    }

    /// Two peers say something, and the operator answers. What comes of it is not looked at: the fault
    /// may be in any of it.
    fn talk(&mut self, address: SocketAddr) {
        let mut peers: Vec<TcpStream> = (0..2).filter_map(|_| connect(address)).collect();
        for (number, peer) in peers.iter_mut().enumerate() {
            let _ = self.is_heard(peer, &format!("peer {number} says this"), PERHAPS);
        }
        if self.case.on == On::Waker {
            self.type_line("/who");
            comes_true(PERHAPS, || self.faults() > 0);
        }
        if !self.case.echoes() {
            self.type_line("@all hello");
            for peer in &mut peers {
                let _ = gets(peer, "hello", PERHAPS);
            }
        }
        if matches!(self.case.mode, "console" | "full") {
            let first = if self.case.comes_after_a_first_peer() { 2 } else { 1 };
            self.type_line(&format!("/eof {first}"));
            self.type_line(&format!("/kick {} bye", first + 1));
            for peer in &mut peers {
                let _ = gets(peer, "never said", PERHAPS);
            }
        }
        // One finishes, one resets.
        if let Some(peer) = peers.pop() {
            let _ = socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO));
        }
    }

    /// Whether what a peer says comes back, or to the operator.
    fn is_heard(&self, peer: &mut TcpStream, text: &str, patience: Duration) -> bool {
        // Much at a time goes back another way.
        let before = if self.case.mode == "bulk" { BULK_BYTES } else { 0 };
        let sent = peer.write_all(format!("{}{text}\n", "x".repeat(before)).as_bytes()).is_ok();
        if self.case.echoes() {
            sent && gets(peer, text, patience)
        } else {
            sent && comes_true(patience, || self.scratch.text("out").contains(text))
        }
    }

    /// After a fault that has passed, somebody else is served as if nothing had been.
    fn is_well_again(&mut self, address: SocketAddr) -> Result<(), String> {
        let mut tries = 0;
        let is_served = comes_true(SURELY, || {
            tries += 1;
            let served = connect(address).is_some_and(|mut peer| {
                let heard = self.is_heard(&mut peer, &format!("try {tries} of a newcomer"), PERHAPS);
                if heard && self.case.mode == "console" {
                    self.type_line("/rst last");
                    let _ = gets(&mut peer, "never said", PERHAPS);
                }
                let _ = socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO));
                heard
            });
            served || self.has_ended()
        });
        if is_served { Ok(()) } else { Err(format!("a newcomer is not served any more, {tries} tried")) }
    }

    fn has_left_nothing_open(&mut self, before: usize) -> Result<(), String> {
        let a_leak_is_ours = self.case.call == "close" && !self.case.must_not_leak;
        if a_leak_is_ours || self.case.is_a_lie() || before == 0 {
            return Ok(());
        }
        let is_clean = comes_true(SURELY, || self.has_ended() || self.descriptors() <= before);
        if is_clean {
            Ok(())
        } else {
            Err(format!("{} descriptors are open, {before} were", self.descriptors()))
        }
    }

    /// Whether it uses the processor though nobody is there.
    fn watch_spins(&mut self) -> bool {
        let before = self.ticks();
        let is_busy = comes_true(WATCHED, || self.ticks() > before + TICKS_MAX || self.has_ended());
        // Where each call is stopped by strace, the time is strace's, but the calls are counted.
        (is_busy && !self.has_ended()) || self.faults() > FAULTS_MAX
    }

    /// Asks it to end, by the next way if the fault is in the way of one.
    fn terminate(&mut self) -> Result<Verdict, String> {
        let pid = self.child.id().to_string();
        let signal = || drop(Command::new("kill").args(["-TERM", &pid]).status());
        signal();
        let mut ways = vec![SURELY];
        if self.case.may_swallow_signals() {
            ways = vec![Duration::from_millis(800), SURELY];
        }
        for patience in ways {
            if comes_true(patience, || self.has_ended()) {
                return self.judge_end(Ended::WhenAsked);
            }
            self.type_line("exit");
        }
        Err("it hangs: it does not end when asked to".into())
    }

    fn judge_end(&mut self, when: Ended) -> Result<Verdict, String> {
        let status = self.ended.expect("it has ended");
        let err = self.scratch.text("err");
        let lines: Vec<&str> = err.lines().filter(|line| !line.contains("listening on ")).collect();
        let reasons = lines.iter().filter(|line| line.starts_with("switchboard: cannot ")).count();
        if err.contains("strace: ") {
            return Err("strace does not do it".into());
        }
        if self.case.has_to_survive() && when != Ended::WhenAsked {
            return Err(format!("it ended by itself ({status})"));
        }
        let at_start = when == Ended::AtTheStart;
        match status.code() {
            Some(0) if when == Ended::WhenAsked => Ok(Verdict::Survived),
            // It served to the end, and says what a socket that takes nothing did not get.
            Some(1) if when == Ended::WhenAsked && lines.iter().any(|line| is_loss(line)) => {
                Ok(Verdict::Survived)
            }
            Some(0) if !at_start && self.case.ends_quietly() => Ok(Verdict::EndedQuietly),
            Some(1) if reasons == 1 && (!at_start || lines.len() == 1) => {
                Ok(if at_start { Verdict::Refused } else { Verdict::EndedWithALine })
            }
            None if self.case.may_abort() && err.contains("memory allocation of") => Ok(Verdict::Aborted),
            _ => Err(format!("it ended ({status}, signal {:?}) with {reasons} reasons", status.signal())),
        }
    }

    fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("it is our child");
        }
        self.ended.is_some()
    }

    /// Whether the line that says where it listens was itself what failed.
    fn is_mute(&self) -> bool {
        self.case.on == On::Stderr && self.scratch.text("calls").contains("listening on ")
    }

    fn address(&self) -> Option<SocketAddr> {
        let err = self.scratch.text("err");
        let line = err.lines().find(|line| line.contains("listening on "))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    fn type_line(&self, line: &str) {
        (&self.stdin).write_all(format!("{line}\n").as_bytes()).expect("it is a pipe of ours");
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
    }

    fn faults(&self) -> usize {
        // A call that was cut into two lines by another thread's says so in its second.
        self.scratch.text("calls").lines().filter(|line| line.contains("(INJECTED)")).count()
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PERHAPS).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

/// Reads until a text has come; `false` if the connection ends or the time is up before.
fn gets(peer: &mut TcpStream, text: &str, patience: Duration) -> bool {
    let _ = peer.set_read_timeout(Some(patience));
    let give_up_at = Instant::now() + patience;
    let mut got = Vec::new();
    let mut buffer = [0; 16 << 10];
    while Instant::now() < give_up_at {
        match peer.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(count) => got.extend_from_slice(&buffer[..count]),
        }
        if String::from_utf8_lossy(&got).contains(text) {
            return true;
        }
    }
    false
}

fn is_loss(line: &str) -> bool {
    line.starts_with("switchboard: ") && line.contains(" could not be sent, to ")
}
