//! Drives the built programs as a person or a script would: over their stdin, stdout and stderr, and
//! over plain `std::net` sockets. Nothing here sleeps: every wait is for a condition, with a deadline.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "tls")]
mod veil;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything that should happen at once may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What a program wrote to one of its outputs, growing while it runs.
#[derive(Clone)]
pub struct Output {
    shared: Arc<(Mutex<Written>, Condvar)>,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    ended: bool,
}

/// The time in front of a status line.
const STAMP: &[u8] = b"00:00:00.000 ";

/// Takes the time off the lines of stderr as they come: no test can know it. `tests/shown.rs` looks at it.
#[derive(Default)]
struct Unstamped {
    /// What the line begins with and may be the time; nothing, once the line is known.
    held: Vec<u8>,
    in_line: bool,
}

impl Unstamped {
    fn push(&mut self, out: &mut Vec<u8>, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            if self.in_line {
                let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
                out.extend_from_slice(&bytes[..end]);
                self.in_line = !bytes[..end].ends_with(b"\n");
                bytes = &bytes[end..];
                continue;
            }
            let expected = STAMP[self.held.len()];
            if expected == byte || (expected == b'0' && byte.is_ascii_digit()) {
                self.held.push(byte);
                bytes = &bytes[1..];
                if self.held.len() == STAMP.len() {
                    self.held.clear();
                    self.in_line = true;
                }
            } else {
                self.end(out);
                self.in_line = true;
            }
        }
    }

    /// What was held back is no time.
    fn end(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }
}

impl Output {
    /// A program's stderr, without the time in front of the lines.
    pub fn of_status(pipe: impl Read + Send + 'static) -> Output {
        Output::through(pipe, Some(Unstamped::default()))
    }

    pub fn of(pipe: impl Read + Send + 'static) -> Output {
        Output::through(pipe, None)
    }

    fn through(mut pipe: impl Read + Send + 'static, mut filter: Option<Unstamped>) -> Output {
        let output = Output { shared: Arc::default() };
        let shared = output.shared.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            loop {
                let count = pipe.read(&mut buffer).unwrap_or(0);
                let mut written = shared.0.lock().unwrap();
                match &mut filter {
                    Some(filter) if count == 0 => filter.end(&mut written.bytes),
                    Some(filter) => filter.push(&mut written.bytes, &buffer[..count]),
                    None => written.bytes.extend_from_slice(&buffer[..count]),
                }
                written.ended = count == 0;
                shared.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        output
    }

    /// Waits until `found` gives something for all that was written so far.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, mut found: impl FnMut(&[u8]) -> Option<T>) -> T {
        let give_up_at = Instant::now() + DEADLINE;
        let mut written = self.shared.0.lock().unwrap();
        loop {
            if let Some(found) = found(&written.bytes) {
                return found;
            }
            let left = give_up_at.saturating_duration_since(Instant::now());
            assert!(
                !written.ended && !left.is_zero(),
                "waited for {what} in vain; what was written:\n{}",
                String::from_utf8_lossy(&written.bytes)
            );
            written = self.shared.1.wait_timeout(written, left).unwrap().0;
        }
    }

    /// Waits for a whole line that contains `part`; returns the line.
    #[track_caller]
    pub fn line_with(&self, part: &str) -> String {
        self.wait_for(&format!("a line with {part:?}"), |bytes| {
            whole_lines(bytes).find(|line| line.contains(part))
        })
    }

    /// Waits for so many whole lines that contain `part`; returns them.
    #[track_caller]
    pub fn lines_with(&self, part: &str, count: usize) -> Vec<String> {
        self.wait_for(&format!("{count} lines with {part:?}"), |bytes| {
            let lines: Vec<String> = whole_lines(bytes).filter(|line| line.contains(part)).collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// All that was written up to its end, which is waited for.
    #[track_caller]
    pub fn to_end(&self) -> Vec<u8> {
        let give_up_at = Instant::now() + DEADLINE;
        let mut written = self.shared.0.lock().unwrap();
        while !written.ended {
            let left = give_up_at.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the output did not end");
            written = self.shared.1.wait_timeout(written, left).unwrap().0;
        }
        written.bytes.clone()
    }

    /// All that was written so far.
    pub fn so_far(&self) -> Vec<u8> {
        self.shared.0.lock().unwrap().bytes.clone()
    }
}

fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .map(|line| without_tls(String::from_utf8_lossy(line).trim_end_matches('\n')))
}

/// Whether these tests are those of `tests/over_tls.rs`: the server speaks TLS with everybody.
pub fn is_over_tls() -> bool {
    module_path!().starts_with("over_tls::")
}

/// Whether a test has nothing to look for in `tests/over_tls.rs`, and says why.
pub fn is_left_out_over_tls(why: &str) -> bool {
    if is_over_tls() {
        let _ = writeln!(io::stderr(), "left out: {why}");
    }
    is_over_tls()
}

/// A line as it is where nobody speaks TLS.
fn without_tls(line: &str) -> String {
    if !is_over_tls() {
        return line.to_owned();
    }
    line.strip_suffix(" (TLS 1.2)").or(line.strip_suffix(" (TLS 1.3)")).unwrap_or(line).to_owned()
}

/// What a server is told in addition in `tests/over_tls.rs`.
pub fn arguments_of_tls() -> &'static [&'static str] {
    #[cfg(feature = "tls")]
    if is_over_tls() {
        return &veil::ARGUMENTS;
    }
    &[]
}

/// A running program with its three streams in our hands. It is killed when the test is over.
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    pub out: Output,
    pub err: Output,
}

impl Program {
    pub fn start(command: Command) -> Program {
        Program::start_onto(command, Stdio::piped())
    }

    /// The same with another stdout. If that is no pipe made here, `out` stays empty.
    pub fn start_onto(mut command: Command, stdout: Stdio) -> Program {
        command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let out = child.stdout.take().map_or_else(|| Output::of(io::empty()), Output::of);
        let err = Output::of_status(child.stderr.take().unwrap());
        Program { stdin: child.stdin.take(), child, out, err }
    }

    /// The bundled client, with these arguments.
    pub fn client(arguments: &[&str]) -> Program {
        Program::start(Program::client_command(arguments))
    }

    /// How it is started.
    pub fn client_command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-client"));
        command.args(arguments);
        if is_over_tls() && !arguments.iter().any(|argument| argument.starts_with("unix:")) {
            command.arg("--tls-insecure");
        }
        command
    }

    /// Types a line.
    #[track_caller]
    pub fn type_line(&mut self, line: &str) {
        self.write_stdin(format!("{line}\n").as_bytes());
    }

    #[track_caller]
    pub fn write_stdin(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin was closed by the test");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the program reads its stdin");
    }

    /// Ends its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Takes its stdin out, to be written from another thread.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin was closed by the test")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill is everywhere").success(), "cannot send SIG{name}");
    }

    /// Sends all of these, one right after the other.
    #[track_caller]
    pub fn signals_at_once(&self, names: &[&str]) {
        let kill = |name| format!("kill -{name} {}; ", self.pid());
        let all: String = names.iter().map(kill).collect();
        let status = Command::new("sh").args(["-c", &all]).status();
        assert!(status.expect("a shell is everywhere").success(), "cannot send {names:?}");
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn exit_status(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_until("the program to end", || child.try_wait().expect("it is our child"))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Processor time used so far, in clock ticks (1/100 s), user and system together.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        // The name in brackets may contain anything; the fields are counted from behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Its open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running server.
pub struct Server {
    pub program: Program,
    pub address: SocketAddr,
    /// It is a chat, which greets a newcomer.
    greets: bool,
}

impl std::ops::Deref for Server {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl std::ops::DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
    }
}

impl Server {
    /// Starts the server on a free port, with these arguments, and waits until it listens.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(arguments).arg("0");
        Server::of(command)
    }

    /// Starts a command that ends up as a server.
    #[track_caller]
    pub fn of(mut command: Command) -> Server {
        command.args(arguments_of_tls());
        Server::of_program(Program::start(command))
    }

    /// Waits until a program that is a server listens.
    #[track_caller]
    pub fn of_program(program: Program) -> Server {
        let line = program.err.line_with("switchboard: listening on ");
        let address =
            line.rsplit(' ').next().unwrap().trim_start_matches("tls:").parse().expect("an address");
        let arguments = std::fs::read(format!("/proc/{}/cmdline", program.child.id())).unwrap_or_default();
        let greets = arguments.split(|byte| *byte == 0).any(|argument| argument == b"--chat");
        Server { program, address, greets }
    }

    /// A server and so many peers, numbered from 1.
    #[track_caller]
    pub fn with_peers(arguments: &[&str], count: u64) -> (Server, Vec<Peer>) {
        let server = Server::start(arguments);
        let connect = |expected| {
            let (peer, number) = server.connect_numbered();
            assert_eq!(number, expected, "numbers count up from 1");
            peer
        };
        let peers = (1..=count).map(connect).collect();
        (server, peers)
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// Connects a peer.
    #[track_caller]
    pub fn connect(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// Lets a peer say a line, and waits until the operator has seen it.
    #[track_caller]
    pub fn hears(&self, peer: &mut Peer, text: &str) {
        peer.send(format!("{text}\n"));
        self.out.line_with(text);
    }

    /// Connects a peer and waits until the server has shown it; the server must not be made to show
    /// others at the same time. Returns it with its number; the greeting of a chat was read.
    #[track_caller]
    pub fn connect_numbered(&self) -> (Peer, u64) {
        let mut peer = self.connect();
        let from = format!("connected from {}", peer.seen_from);
        let line = self.wait_for_status(&from);
        let number = line.trim_start_matches("* #").split(' ').next().unwrap().parse().unwrap();
        if self.greets {
            let welcome = peer.line();
            assert!(welcome.starts_with(&format!("* you are #{number}; ")), "{welcome:?}");
        }
        (peer, number)
    }

    /// Waits for a status line, which is on stdout in `--format human`, else on stderr.
    #[track_caller]
    pub fn wait_for_status(&self, part: &str) -> String {
        let (out, err) = (self.out.clone(), self.err.clone());
        wait_until(&format!("a status line with {part:?}"), || {
            [out.so_far(), err.so_far()]
                .iter()
                .find_map(|bytes| whole_lines(bytes).find(|line| line.contains(part)))
        })
    }
}

/// A peer: a plain socket, with deadlines.
pub struct Peer {
    pub stream: TcpStream,
    /// Where the server sees it, if it has come to it.
    pub seen_from: SocketAddr,
    reader: BufReader<TcpStream>,
}

impl Peer {
    #[track_caller]
    pub fn connect(to: SocketAddr) -> Peer {
        let stream = TcpStream::connect_timeout(&to, DEADLINE).expect("the server listens");
        let seen_from = stream.local_addr().unwrap();
        #[cfg(feature = "tls")]
        let stream = if is_over_tls() { veil::over_dialled(stream) } else { stream };
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { seen_from, ..Peer::over(stream) }
    }

    /// A peer that the server has dialled.
    pub fn dialled(stream: TcpStream) -> Peer {
        stream.set_nonblocking(false).unwrap();
        #[cfg(feature = "tls")]
        let stream = if is_over_tls() { veil::over_accepted(stream) } else { stream };
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer::over(stream)
    }

    /// A peer over a connection that was made elsewhere.
    pub fn over(stream: TcpStream) -> Peer {
        let reader = BufReader::new(stream.try_clone().unwrap());
        let seen_from = stream.local_addr().unwrap();
        Peer { stream, seen_from, reader }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Reads a line; returns it without its line ending.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).expect("a line comes in time");
        assert_eq!(line.pop(), Some(b'\n'), "the connection ended inside a line: {line:?}");
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Reads exactly so many bytes.
    #[track_caller]
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).expect("the bytes come in time");
        bytes
    }

    /// Reads up to the server's FIN; returns what came before.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes).expect("the server finishes in time");
        bytes
    }

    /// Reads up to the end of the connection, be it a FIN or a reset.
    pub fn read_to_any_end(&mut self) -> (Vec<u8>, Option<io::ErrorKind>) {
        let mut bytes = Vec::new();
        let error = self.reader.read_to_end(&mut bytes).err().map(|error| error.kind());
        (bytes, error)
    }

    /// Whether nothing has arrived. Only meaningful once something that was sent later has arrived
    /// elsewhere.
    pub fn is_quiet(&mut self) -> bool {
        if !self.reader.buffer().is_empty() {
            return false;
        }
        self.stream.set_nonblocking(true).unwrap();
        let quiet =
            matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).unwrap();
        quiet
    }

    /// Sends our FIN.
    pub fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Resets the connection.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Random numbers, the same in each run (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn seeded(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % limit
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

/// What a script does with the second field of a `tsv` line.
#[track_caller]
pub fn parse_tsv(field: &[u8]) -> Vec<u8> {
    let mut bytes = field.iter().copied();
    let mut out = Vec::new();
    let mut next = || bytes.next();
    while let Some(byte) = next() {
        out.push(match byte {
            b'\\' => match next().expect("something follows a backslash") {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                b'x' => {
                    let digits = [next().unwrap(), next().unwrap()];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => panic!("no such escape: {other:x}"),
            },
            byte => byte,
        });
    }
    out
}

/// Waits until `found` gives something; looks again every few milliseconds, since there is nothing
/// that would say when.
#[track_caller]
pub fn wait_until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let give_up_at = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < give_up_at, "waited for {what} in vain");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Whether a tool is here. A test that needs one returns where it is not, and says so; in CI, where
/// everything is installed, that is a failure.
#[track_caller]
pub fn has_tool(name: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(name).is_file()));
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{name} is missing, and in CI nothing is skipped");
        let _ = writeln!(io::stderr(), "skipped: {name} is not installed");
    }
    found
}

/// The same of a module of Python, for tests that start one which imports it.
#[track_caller]
pub fn has_python_module(name: &str) -> bool {
    if !has_tool("python3") {
        return false;
    }
    let mut python = Command::new("python3");
    python.args(["-c", &format!("import {name}")]).stdout(Stdio::null()).stderr(Stdio::null());
    let found = python.status().is_ok_and(|status| status.success());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "Python's {name} is missing, and in CI nothing is skipped");
        let _ = writeln!(io::stderr(), "skipped: Python's {name} is not installed");
    }
    found
}

/// A connection whose own system keeps only a few kilobytes for it: what it does not read soon waits at
/// the server.
#[track_caller]
pub fn connect_narrow(to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect_timeout(&to.into(), DEADLINE).expect("the server listens");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Waits for the clock.
pub fn let_pass(time: Duration) {
    let until = Instant::now() + time;
    wait_until("time to pass", || (Instant::now() >= until).then_some(()));
}

impl Program {
    /// Stops it as a debugger would, until `resume`: what happens meanwhile it will find all at once.
    #[track_caller]
    pub fn pause(&self) {
        self.signal("STOP");
        wait_until("it to stand still", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it is there");
            stat.rsplit(')').next().unwrap().starts_with(" T").then_some(())
        });
    }

    #[track_caller]
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// How often its threads were put to sleep or interrupted so far: a thread that does nothing never is.
    pub fn switches(&self) -> u64 {
        let of_task = |task: io::Result<std::fs::DirEntry>| {
            let status = std::fs::read_to_string(task.unwrap().path().join("status")).expect("it runs");
            let lines = status.lines().filter(|line| line.contains("ctxt_switches:"));
            lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs").map(of_task).sum()
    }

    /// Lets strace look at it from now on, with these expressions. It goes on untouched when strace ends.
    #[track_caller]
    pub fn traced(&self, expressions: &[&str]) -> Program {
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &self.pid().to_string()]);
        command.args(expressions.iter().flat_map(|expression| ["-e", expression]));
        let strace = Program::start(command);
        strace.err.line_with("attached");
        strace
    }
}

/// A row of `/who`, as a script reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub number: u64,
    pub name: String,
    pub peer: String,
    pub received: u64,
    pub sent: u64,
    pub queued: u64,
    pub state: String,
}

/// The rows of `/who` in what was written.
pub fn rows(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [number, name, peer, age, _heard, received, sent, queued, state] = fields[..] else {
            return None;
        };
        age.parse::<u64>().ok()?;
        Some(Row {
            number: number.strip_prefix('#')?.parse().ok()?,
            name: name.to_owned(),
            peer: peer.to_owned(),
            received: received.parse().ok()?,
            sent: sent.parse().ok()?,
            queued: queued.parse().ok()?,
            state: if is_over_tls() {
                state.replace(",tls1.2", "").replace(",tls1.3", "")
            } else {
                state.to_owned()
            },
        })
    };
    text.lines().filter_map(row).collect()
}

impl Server {
    /// What `/who` says now. For formats whose answers are on stderr.
    #[track_caller]
    pub fn who(&mut self) -> Vec<Row> {
        let from = self.err.so_far().len();
        self.write_stdin(b"/who\n/help stats\n");
        self.err.wait_for("the rows of /who", |err| {
            let text = String::from_utf8_lossy(&err[from..]).into_owned();
            text.split_once("show the counters\n").map(|(before, _)| rows(before))
        })
    }

    /// A number of `/stats`: the one before this label, such as `turns` or `accepts failed` (of one it says
    /// `turn`, `accept failed`). For formats whose answers are on stderr.
    #[track_caller]
    pub fn stat(&mut self, label: &str) -> u64 {
        let for_one = format!(" 1 {}", label.replacen("s", "", 1));
        let last = |bytes: &[u8]| {
            let lines: Vec<String> = whole_lines(bytes).collect();
            let answers = lines.iter().filter(|line| line.starts_with("bytes ")).count();
            let line = lines.iter().rfind(|line| line.contains(label) || line.contains(&for_one));
            (answers, line.cloned())
        };
        let answers_before = last(&self.err.so_far()).0;
        self.type_line("/stats");
        let line = self.err.wait_for("the counters", |bytes| {
            let (answers, line) = last(bytes);
            (answers > answers_before).then_some(line)
        });
        let line = line.unwrap_or_else(|| panic!("/stats tells no {label}"));
        let line = line.replace(&for_one, &format!(" 1 {label}"));
        let number = line.split(label).next().unwrap().trim_end().rsplit(' ').next().unwrap();
        number.parse().unwrap_or_else(|_| panic!("no number of {label} in {line:?}"))
    }
}

/// Raises a flag when it goes, also when a test fails: threads that go on until then would hold it up.
pub struct RaiseAtEnd<'a>(pub &'a std::sync::atomic::AtomicBool);

impl Drop for RaiseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

/// The same with each age (`waits 1s`, `1s ago`) as `0s`: no test can know it.
pub fn without_ages(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 0..words.len() {
        let is_age = at > 0 && words[at - 1] == "waits"
            || words.get(at + 1).is_some_and(|next| next.starts_with("ago"));
        if is_age {
            words[at] = words[at].replace(|char: char| char.is_ascii_digit(), "").replace('s', "0s");
        }
    }
    words.join(" ")
}
