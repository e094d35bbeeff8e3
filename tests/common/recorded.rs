//! Transcripts for tests: written by hand, or kept of what a server says with `--format json`.

// Each test file uses what it needs.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::common::{Output, Server};

/// When all recordings of tests begin, in milliseconds since 1970.
const BEGAN: i64 = 1_767_323_045_000;

/// A transcript that grows.
pub struct Transcript {
    lines: String,
    id: u64,
    opened_at: i64,
}

impl Transcript {
    /// One of lines.
    pub fn new() -> Transcript {
        Transcript::framed("lines")
    }

    /// One of a server that cut messages in this way.
    pub fn framed(frame: &str) -> Transcript {
        let mut transcript = Transcript { lines: String::new(), id: 0, opened_at: BEGAN };
        transcript
            .push(&json!({"ev": "listening", "v": 1, "run": "1", "addr": "127.0.0.1:1", "frame": frame}));
        transcript
    }

    fn push(&mut self, line: &Value) {
        self.lines.push_str(&line.to_string());
        self.lines.push('\n');
    }

    fn event(mut self, at: i64, mut event: Value) -> Transcript {
        event["ts"] = json!(Timestamp::from_millisecond(self.opened_at + at).unwrap().to_string());
        self.push(&event);
        self
    }

    /// Somebody connects, a second after whoever was before. What follows is about that one; times are milliseconds since.
    pub fn open(mut self) -> Transcript {
        self.id += 1;
        self.opened_at += 1000;
        let event = json!({"ev": "open", "id": self.id, "peer": "127.0.0.1:2"});
        self.event(0, event)
    }

    /// It said these bytes.
    pub fn heard(self, at: i64, bytes: impl AsRef<[u8]>) -> Transcript {
        let event = json!({"ev": "msg", "id": self.id, "b64": STANDARD.encode(bytes), "part": "silence"});
        self.event(at, event)
    }

    /// It was sent these.
    pub fn said(self, at: i64, bytes: impl AsRef<[u8]>) -> Transcript {
        let event = json!({"ev": "sent", "ids": [self.id], "b64": STANDARD.encode(bytes), "by": 1});
        self.event(at, event)
    }

    /// `eof` or `fin`.
    pub fn end(self, at: i64, kind: &str) -> Transcript {
        let event = json!({"ev": kind, "id": self.id});
        self.event(at, event)
    }

    /// It was closed.
    pub fn closed(self, at: i64, reason: &str) -> Transcript {
        let event = json!({"ev": "close", "id": self.id, "reason": reason, "msg": ""});
        self.event(at, event)
    }

    /// As a file, which goes with what is returned.
    pub fn file(&self) -> File {
        File::with(&self.lines)
    }

    /// A server that plays it, with these arguments, too.
    #[track_caller]
    pub fn play(&self, arguments: &[&str]) -> Server {
        play(&self.file(), arguments)
    }
}

/// A server that plays a file.
#[track_caller]
pub fn play(file: &File, arguments: &[&str]) -> Server {
    Server::start(&[&["--play", file.path()], arguments].concat())
}

/// A file that goes when it is no longer needed.
pub struct File(PathBuf);

impl File {
    pub fn with(text: impl AsRef<[u8]>) -> File {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("recorded-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        File(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a server said with `--format json` by the time that so many connections had closed.
#[track_caller]
pub fn when_closed(out: &Output, count: usize) -> Vec<u8> {
    out.wait_for(&format!("{count} to be closed"), |bytes| {
        let text = std::str::from_utf8(bytes).ok()?;
        let whole = &text[..text.rfind('\n')? + 1];
        (whole.lines().filter(|line| line.starts_with("{\"ev\":\"close\"")).count() >= count)
            .then(|| whole.as_bytes().to_vec())
    })
}

/// Its events, without what differs from run to run.
pub fn without_stamps(lines: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(lines).unwrap().lines();
    lines
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            let keys = event.as_object_mut().unwrap();
            ["ts", "seq", "run", "addr", "peer"].iter().for_each(|key| drop(keys.remove(*key)));
            event
        })
        .collect()
}
