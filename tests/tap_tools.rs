//! Other people's clients and servers with a tap between them: nothing differs from without, and both sides are shown.
//! A test whose tool is missing says so.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tap.rs"]
mod tap;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Program, Server, has_tool, wait_until};
use tap::deaf_port;

/// A directory of its own, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A redis-server with nothing in it, on a port that was free.
struct Redis {
    _program: Program,
    port: u16,
    _directory: Directory,
}

impl Redis {
    fn start(name: &str) -> Redis {
        let directory = Directory::new(name);
        let port = deaf_port();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.current_dir(&directory.0);
        let program = Program::start(command);
        wait_until("redis-server to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
        Redis { _program: program, port, _directory: directory }
    }
}

/// What redis-cli prints, with these arguments and this on its stdin.
#[track_caller]
fn redis_cli(port: &str, arguments: &[&str], stdin: &[u8]) -> Vec<u8> {
    let mut command = Command::new("redis-cli");
    command.args(["-p", port]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let out = std::thread::scope(|scope| {
        scope.spawn(move || to.write_all(stdin));
        let mut out = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        out
    });
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success(), "redis-cli {arguments:?}: {err}");
    assert_eq!(err, "", "redis-cli {arguments:?}");
    out
}

/// The protocol of redis for a command.
fn resp(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn redis_cli_notices_nothing_and_the_operator_sees_both_sides() {
    if !["redis-cli", "redis-server"].into_iter().all(has_tool) {
        return;
    }
    let redis = Redis::start("tap-redis");
    let server = Server::start(&["--tap", &redis.port.to_string()]);
    let direct = redis.port.to_string();

    for arguments in
        [&["PING"][..], &["SET", "greeting", "hello, 你好"], &["GET", "greeting"], &["GET", "none"]]
    {
        let through = redis_cli(&server.port(), arguments, b"");
        assert_eq!(through, redis_cli(&direct, arguments, b""), "{arguments:?}");
    }

    server.out.line_with("1\tPING\\r");
    server.out.line_with("2\t+PONG\\r");
    server.out.line_with("3\tgreeting\\r");
    server.out.line_with("4\t+OK\\r");
    server.err.line_with(&format!("* #2 connected to 127.0.0.1:{} for #1", redis.port));
    server.err.line_with("* #8 closed: ");
}

#[test]
fn a_pipeline_of_redis_cli_has_all_its_answers() {
    if !["redis-cli", "redis-server"].into_iter().all(has_tool) {
        return;
    }
    const COMMANDS: usize = 20_000;
    let redis = Redis::start("tap-redis-pipe");
    let server = Server::start(&["--tap", &redis.port.to_string(), "--quiet"]);
    let mut commands = Vec::new();
    for number in 0..COMMANDS {
        commands.extend(resp(&[b"SET", format!("key{number}").as_bytes(), &[b'x'; 100]]));
    }

    let told = redis_cli(&server.port(), &["--pipe"], &commands);

    let told = String::from_utf8(told).unwrap();
    assert!(told.contains(&format!("errors: 0, replies: {COMMANDS}")), "{told}");
    assert_eq!(redis_cli(&server.port(), &["DBSIZE"], b""), format!("{COMMANDS}\n").as_bytes());
}

#[test]
fn a_value_of_ten_megabytes_comes_back_as_it_was() {
    if !["redis-cli", "redis-server"].into_iter().all(has_tool) {
        return;
    }
    let redis = Redis::start("tap-redis-big");
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--tap", &redis.port.to_string(), "0"]);
    let server = Server::of_program(Program::start_onto(command, Stdio::null()));
    let value = tap::Noise::seeded(1).bytes(10 << 20);

    assert_eq!(redis_cli(&server.port(), &["-x", "SET", "big"], &value), b"OK\n");
    let mut got = redis_cli(&server.port(), &["GET", "big"], b"");

    assert_eq!(got.pop(), Some(b'\n'), "redis-cli adds one");
    assert!(got == value, "{} bytes of {}", got.len(), value.len());
}

/// A server that says hello first, as RFC 5321 has it: takes one mail, prints it, and ends.
const SMTP_SERVER: &str = "import socket
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
stream, _ = listener.accept()
def say(text): stream.sendall(text.encode() + b'\\r\\n')
say('220 test ready')
lines = stream.makefile('rb')
for line in lines:
    word = line.split()[0].upper()
    if word == b'EHLO': say('250-test'); say('250 8BITMIME')
    elif word == b'DATA':
        say('354 go on')
        for line in lines:
            if line == b'.\\r\\n': break
            print(line.decode().rstrip())
        say('250 taken')
    elif word == b'QUIT': say('221 bye'); break
    else: say('250 ok')
stream.close()
";

/// Sends one mail.
const SMTP_CLIENT: &str = "import smtplib, sys
with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), timeout=20) as smtp:
    print(smtp.sendmail('a@example.org', ['b@example.org'], 'Subject: hi\\n\\nfirst\\n.hidden\\nlast'))
";

#[test]
fn pythons_smtplib_sends_a_mail_though_the_server_speaks_first() {
    if !has_tool("python3") {
        return;
    }
    let python = |script: &str, arguments: &[&str]| {
        let mut command = Command::new("python3");
        command.args(["-c", script]).args(arguments);
        Program::start(command)
    };
    let far = python(SMTP_SERVER, &[]);
    let port = far.out.wait_for("a port", |out| {
        Some(str::from_utf8(out).ok()?.lines().next().filter(|_| out.ends_with(b"\n"))?.to_owned())
    });
    let server = Server::start(&["--tap", &port, "--format", "human"]);

    let mut client = python(SMTP_CLIENT, &[&server.port()]);

    assert_eq!(client.exit_status().code(), Some(0), "{}", String::from_utf8_lossy(&client.err.to_end()));
    assert_eq!(client.out.to_end(), b"{}\n", "nobody was refused");
    let mail = String::from_utf8(far.out.to_end()).unwrap();
    assert_eq!(mail.lines().skip(1).collect::<Vec<_>>(), ["Subject: hi", "", "first", "..hidden", "last"]);
    for line in ["#2> 220 test ready", "#1> data", "#1> ..hidden", "#2> 250 taken", "#2> 221 bye"] {
        server.out.line_with(line);
    }
}
