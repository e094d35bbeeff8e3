//! The web desk of a server, spoken to over bare sockets: requests as bytes, and WebSockets whose frames are made here.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::common::{DEADLINE, Server};

/// The key of RFC 6455, 1.3, and what it makes.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A mask that changes every byte.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A server with a web desk, and what its file says.
pub struct Web {
    pub server: Server,
    pub at: SocketAddr,
    /// The token of whoever may act.
    pub acts: String,
    /// Of whoever may look.
    pub looks: String,
    /// Where they stand.
    pub file: PathBuf,
    /// Where the file stands.
    pub directory: PathBuf,
}

impl Web {
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Web {
        Web::start_with(arguments, |_| {})
    }

    /// The same with something of its surroundings changed.
    #[track_caller]
    pub fn start_with(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Web {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("swb-web-{}-{number}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&directory).expect("a directory of our own");
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.env("XDG_RUNTIME_DIR", &directory).env_remove("RUST_LOG");
        if !arguments.iter().any(|argument| argument.starts_with("--web=")) {
            command.arg("--web");
        }
        command.args(arguments).arg("0");
        change(&mut command);
        let server = Server::of(command);
        let line = server.err.line_with("switchboard: web desk at ");
        let (_, file) = line.split_once(", with its token in ").unwrap_or_else(|| panic!("{line}"));
        let file = PathBuf::from(file);
        let text = fs::read_to_string(&file).expect("the file of the tokens is there");
        let lines: Vec<&str> = text.lines().collect();
        let [acts, looks] = lines[..] else { panic!("{text}") };
        let (url, acts) = acts.split_once('#').expect("a token");
        let (_, looks) = looks.split_once('#').expect("a token");
        let place = url.trim_start_matches("http://").trim_start_matches("https://").trim_end_matches('/');
        let at = place.replace("localhost", "127.0.0.1").parse().unwrap_or_else(|_| panic!("{place}"));
        Web { server, at, acts: acts.to_owned(), looks: looks.to_owned(), file, directory }
    }

    /// A WebSocket for which everything is right.
    #[track_caller]
    pub fn open(&self) -> Socket {
        Socket::open(self.at, &self.acts)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A request that is right until it is changed.
#[derive(Clone)]
pub struct Asked {
    line: String,
    fields: Vec<(String, String)>,
}

impl Asked {
    /// For a page.
    pub fn page(at: SocketAddr, path: &str) -> Asked {
        Asked { line: format!("GET {path} HTTP/1.1"), fields: vec![("Host".into(), at.to_string())] }
    }

    /// For a WebSocket.
    pub fn socket(at: SocketAddr, token: &str) -> Asked {
        Asked::page(at, "/ws")
            .and("Upgrade", "websocket")
            .and("Connection", "Upgrade")
            .and("Origin", &format!("http://{at}"))
            .and("Sec-WebSocket-Version", "13")
            .and("Sec-WebSocket-Key", KEY)
            .and("Sec-WebSocket-Protocol", &format!("switchboard.v1, token.{token}"))
    }

    /// With another first line.
    pub fn line(mut self, line: &str) -> Asked {
        self.line = line.to_owned();
        self
    }

    pub fn without(mut self, name: &str) -> Asked {
        self.fields.retain(|(field, _)| field != name);
        self
    }

    /// With one field more.
    pub fn and(mut self, name: &str, value: &str) -> Asked {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With another value of this field.
    pub fn with(self, name: &str, value: &str) -> Asked {
        self.without(name).and(name, value)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.line, fields.collect::<String>()).into_bytes()
    }

    #[track_caller]
    pub fn ask(&self, at: SocketAddr) -> Answer {
        ask(at, &self.bytes())
    }
}

/// An answer, as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn of(bytes: &[u8]) -> Answer {
        let ends = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let ends = ends.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..ends].to_vec()).expect("a head is text");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{head}"));
        Answer { status, head, body: bytes[ends + 4..].to_vec() }
    }

    /// The values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// All in one, to be searched.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

#[track_caller]
pub fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&at, DEADLINE).expect("the web desk listens");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Says these bytes, and reads up to the end.
#[track_caller]
pub fn ask(at: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(at);
    stream.write_all(bytes).expect("the request is taken");
    Answer::of(&to_end(&mut stream))
}

/// All that comes until the other side finishes.
#[track_caller]
pub fn to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the server finishes in time");
    bytes
}

/// The head of an answer, and whatever came with it.
#[track_caller]
fn head(stream: &mut TcpStream) -> (Answer, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(ends) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(ends + 4);
            return (Answer::of(&bytes), rest);
        }
        let count = stream.read(&mut buffer).expect("an answer comes in time");
        assert!(count > 0, "no answer: {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// What the first byte of a frame says beside its kind.
pub const FIN: u8 = 0x80;
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A frame as a client sends it, with this first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame_head(first, payload.len() as u64, true);
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The same as no client may send it: without a mask.
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    [frame_head(first, payload.len() as u64, false), payload.to_vec()].concat()
}

/// What stands in front of the mask.
pub fn frame_head(first: u8, length: u64, is_masked: bool) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    match length {
        0..126 => vec![first, mask | length as u8],
        126..0x1_0000 => [&[first, mask | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, mask | 127][..], &length.to_be_bytes()].concat(),
    }
}

/// A close frame with this code.
pub fn close_frame(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

/// A frame of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub payload: Vec<u8>,
}

/// The other end of a WebSocket.
pub struct Socket {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    /// A message that has begun.
    begun: Option<Vec<u8>>,
    /// Lines that were told and no test has looked at.
    told: Vec<Value>,
    said: u64,
}

impl Socket {
    #[track_caller]
    pub fn open(at: SocketAddr, token: &str) -> Socket {
        let mut stream = connect(at);
        stream.write_all(&Asked::socket(at, token).bytes()).expect("the request is taken");
        Socket::over(stream)
    }

    /// Over a connection on which everything was asked for.
    #[track_caller]
    pub fn over(mut stream: TcpStream) -> Socket {
        let (answer, buffer) = head(&mut stream);
        assert_eq!(answer.status, 101, "{}", answer.head);
        Socket { stream, buffer, begun: None, told: Vec::new(), said: 0 }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The next frame; nothing at the end.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Frame> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some((frame, length)) = read_frame(&self.buffer) {
                self.buffer.drain(..length);
                return Some(frame);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    assert!(self.buffer.is_empty(), "it ended in a frame: {:?}", self.buffer);
                    return None;
                }
                Ok(count) => self.buffer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing more came: {error}"),
            }
        }
    }

    /// The next frame that is no text; texts become lines that were told.
    #[track_caller]
    pub fn control(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            if !self.takes(&frame) {
                return Some(frame);
            }
        }
    }

    /// Whether it was of a text, whose lines are kept.
    #[track_caller]
    pub fn takes(&mut self, frame: &Frame) -> bool {
        let kind = frame.first & 0x0f;
        if !matches!(kind, TEXT | CONTINUATION) {
            return false;
        }
        assert_eq!(kind == TEXT, self.begun.is_none(), "a message within another");
        let mut text = self.begun.take().unwrap_or_default();
        text.extend_from_slice(&frame.payload);
        if frame.first & FIN == 0 {
            self.begun = Some(text);
            return true;
        }
        let text = String::from_utf8(text).expect("a text is UTF-8");
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.told.extend(text.lines().map(line));
        true
    }

    /// The next line that is as wanted; others stay to be looked at.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(at) = self.told.iter().position(&is_it) {
                return self.told.remove(at);
            }
            let frame = self.frame().unwrap_or_else(|| panic!("it ended before {what}: {:#?}", self.told));
            assert!(self.takes(&frame), "{frame:?} before {what}");
        }
    }

    #[track_caller]
    pub fn event(&mut self, kind: &str) -> Value {
        self.until(kind, |line| line["ev"] == kind)
    }

    /// Says a command, and does not wait.
    #[track_caller]
    pub fn tell(&mut self, mut command: Value) -> u64 {
        self.said += 1;
        command["ref"] = json!(self.said);
        self.send(&frame(FIN | TEXT, command.to_string().as_bytes()));
        self.said
    }

    /// Says a command, and waits for its reply.
    #[track_caller]
    pub fn ask(&mut self, command: Value) -> Value {
        let number = self.tell(command);
        self.until("the reply", |line| line["ref"] == number)
    }

    /// The reply to something that was said with this reference, if it has come.
    pub fn reply(&mut self, reference: &str) -> Option<Value> {
        let at = self.told.iter().position(|line| line["ref"] == reference)?;
        Some(self.told.remove(at))
    }
}

/// A frame of the server's, if it is whole, and how long it is. It masks nothing and uses the shortest length.
#[track_caller]
fn read_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second] = *bytes.first_chunk::<2>()?;
    assert_eq!(first & 0x70, 0, "reserved bits: {first:x}");
    assert_eq!(second & 0x80, 0, "no server masks anything");
    let (length, from) = match second {
        126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
        length => (u64::from(length), 2),
    };
    assert_eq!(frame_head(first, length, false).len(), from, "a length of {length} that could be shorter");
    let payload = bytes.get(from..from + usize::try_from(length).expect("a length that can be"))?.to_vec();
    Some((Frame { first, payload }, from + length as usize))
}
