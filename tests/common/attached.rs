//! A desk at the control socket of a server: a bare Unix socket that says lines of JSON and reads what comes.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::Server;

/// Longer than anything takes that is waited for.
const DEADLINE: Duration = Duration::from_secs(30);

/// A path for a socket of one test's, which is not there yet.
pub fn place(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("swb-{name}-{}-{number}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// A server to whose control socket desks may attach, and where that is.
#[track_caller]
pub fn server_with_desk(name: &str, arguments: &[&str]) -> (Server, PathBuf) {
    let path = place(name);
    let server = Server::start(&[&[&*format!("--desk={}", path.display())], arguments].concat());
    (server, path)
}

/// A desk that is attached.
pub struct Remote {
    pub stream: UnixStream,
    reader: BufReader<UnixStream>,
    /// What it was told and no test has looked at.
    told: Vec<Value>,
    said: u64,
}

impl Remote {
    #[track_caller]
    pub fn attach(path: &Path) -> Remote {
        let stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Remote { stream, reader, told: Vec::new(), said: 0 }
    }

    /// The next line; nothing at the end.
    #[track_caller]
    pub fn next(&mut self) -> Option<Value> {
        if !self.told.is_empty() {
            return Some(self.told.remove(0));
        }
        self.read()
    }

    #[track_caller]
    fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing more came: {error}"),
        }
    }

    /// The next line that is as wanted; others stay to be looked at.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.told.iter().position(&is_it) {
            return self.told.remove(at);
        }
        loop {
            match self.read() {
                Some(line) if is_it(&line) => return line,
                Some(line) => self.told.push(line),
                None => panic!("it ended before {what}; told: {:#?}", self.told),
            }
        }
    }

    #[track_caller]
    pub fn event(&mut self, kind: &str) -> Value {
        self.until(kind, |line| line["ev"] == kind)
    }

    /// All lines to the end.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Says a command, and does not wait.
    pub fn tell(&mut self, mut command: Value) -> u64 {
        self.said += 1;
        command["ref"] = json!(self.said);
        self.say(format!("{command}\n").as_bytes());
        self.said
    }

    /// Says a command, and waits for its reply.
    #[track_caller]
    pub fn ask(&mut self, command: Value) -> Value {
        let number = self.tell(command);
        self.until("the reply", |line| line["ref"] == number)
    }
}
