//! Runs the built load tester, and servers for it to judge, right ones and lying ones.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::Program;

/// Bytes of a message where nothing else is asked for.
pub const SIZE: usize = 64;

/// What a run of the tester gave.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The result in JSON: the last line of stdout.
    #[track_caller]
    pub fn result(&self) -> Value {
        let line = self.out.lines().last().unwrap_or_else(|| panic!("no result: {self:?}"));
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A number of the result's metrics, such as `errors/reset`.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        let result = self.result();
        let found = result.pointer(&format!("/metrics/{name}")).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("no number {name}: {self:?}"))
    }

    /// All errors and all that was wrong about replies, where there was any: names and counts.
    #[track_caller]
    pub fn troubles(&self) -> Vec<(String, u64)> {
        let result = self.result();
        let of = |name: &str| result["metrics"][name].as_object().unwrap().clone();
        let all = of("errors").into_iter().chain(of("wrong"));
        all.map(|(name, count)| (name, count.as_u64().unwrap())).filter(|(_, count)| *count > 0).collect()
    }
}

/// Starts the tester against this port or address.
pub fn start_load(address: &str, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-load"));
    command.args(arguments).arg(address);
    Program::start(command)
}

/// Waits until the tester has ended.
#[track_caller]
pub fn end_of(mut program: Program) -> Run {
    let status = program.exit_status().code();
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    Run { status, out: text(program.out.to_end()), err: text(program.err.to_end()) }
}

/// Runs the tester to its end, for a person.
#[track_caller]
pub fn load_for_people(address: &str, arguments: &[&str]) -> Run {
    end_of(start_load(address, arguments))
}

/// Runs the tester to its end, with its result in JSON; arguments as in a shell, without quotes.
#[track_caller]
pub fn load(address: &str, arguments: &str) -> Run {
    let arguments: Vec<&str> = ["--format", "json"].into_iter().chain(arguments.split(' ')).collect();
    load_for_people(address, &arguments)
}

/// A server of this test on a free port, which is returned: each connection is handled in a thread of
/// its own, and is told its number, from 0.
pub fn serve(handle: impl Fn(Client, usize) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (client, handle) = (Client::new(stream.unwrap()), handle.clone());
            thread::spawn(move || handle(client, number));
        }
    });
    port
}

/// A port where nobody listens.
pub fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// The server's side of a connection. Nothing fails here: a tester may leave whenever it likes.
pub struct Client {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Client {
        stream.set_nodelay(true).unwrap();
        Client { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// The next line with its ending; none at the end.
    pub fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let count = self.reader.read_until(b'\n', &mut line).unwrap_or(0);
        (count > 0).then_some(line)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Answers each line with what this gives for it and its number, from 0.
    pub fn answer(mut self, mut reply: impl FnMut(Vec<u8>, usize) -> Vec<u8>) {
        let mut number = 0;
        while let Some(line) = self.line() {
            let reply = reply(line, number);
            self.send(&reply);
            number += 1;
        }
    }

    /// Answers so many lines rightly, and takes one more.
    pub fn answer_some(&mut self, count: usize) {
        for _ in 0..count {
            let Some(line) = self.line() else { return };
            self.send(&line);
        }
        self.line();
    }

    /// Resets the connection.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

/// Lets a lying server wait up to this moment.
pub fn wait_up_to(moment: Instant) {
    while let Some(left) = moment.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
}
