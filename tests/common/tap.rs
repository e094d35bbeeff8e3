//! A tap between peers and a target that both are in a test's hands.

// Each test file uses what it needs.
#![allow(dead_code)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::common::{Peer, Program, Server, arguments_of_tls, wait_until};

/// Somebody who waits to be connected to.
pub struct Target {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Target {
    pub fn new() -> Target {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        Target { listener, address }
    }

    /// Waits until somebody connects.
    #[track_caller]
    pub fn answers(&self) -> Peer {
        let (stream, _) = wait_until("somebody to connect", || self.listener.accept().ok());
        Peer::dialled(stream)
    }

    /// Whether nobody connects just now.
    pub fn is_left_alone(&self) -> bool {
        self.listener.accept().is_err()
    }
}

/// A port at which nobody listens.
pub fn deaf_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A tap and its target.
pub struct Tap {
    pub server: Server,
    pub target: Target,
}

impl Tap {
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Tap {
        let target = Target::new();
        let server = Server::start(&[&["--tap", &target.address.to_string()], arguments].concat());
        Tap { server, target }
    }

    /// The same with a stdout that takes everything and keeps nothing, for more bytes than a test wants to keep.
    #[track_caller]
    pub fn unseen(arguments: &[&str]) -> Tap {
        let target = Target::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command
            .args(["--tap", &target.address.to_string()])
            .args(arguments)
            .arg("0")
            .args(arguments_of_tls());
        Tap { server: Server::of_program(Program::start_onto(command, Stdio::null())), target }
    }

    /// A tap with one client: the client, and what the target has of it. They are #1 and #2.
    #[track_caller]
    pub fn with_client(arguments: &[&str]) -> (Tap, Peer, Peer) {
        let tap = Tap::start(arguments);
        let (client, far) = tap.connect();
        (tap, client, far)
    }

    /// Connects a client; returns it, and the target's end. Clients have odd numbers, ends of the target even ones.
    #[track_caller]
    pub fn connect(&self) -> (Peer, Peer) {
        let client = self.server.connect();
        let far = self.target.answers();
        (client, far)
    }

    /// Types a line, and waits for the line that begins so.
    #[track_caller]
    pub fn asks(&mut self, line: &str, answer: &str) -> String {
        asks(&mut self.server, line, answer)
    }
}

/// Types a line, and waits for the line after it that contains this, wherever answers are; returns it.
#[track_caller]
pub fn asks(server: &mut Server, line: &str, answer: &str) -> String {
    let from = [server.out.so_far().len(), server.err.so_far().len()];
    server.type_line(line);
    wait_until(&format!("{answer:?} as the answer to {line:?}"), || {
        [(&server.out, from[0]), (&server.err, from[1])].into_iter().find_map(|(output, from)| {
            let text = String::from_utf8_lossy(&output.so_far()[from..]).into_owned();
            let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
            whole.lines().find(|line| line.contains(answer)).map(str::to_owned)
        })
    })
}

/// Random bytes without end, the same for the same seed, so that whoever gets them can tell whether they are those
/// that were sent.
pub struct Noise {
    state: u64,
    block: Vec<u8>,
    at: usize,
}

impl Noise {
    const BLOCK_BYTES: usize = 64 << 10;

    pub fn seeded(seed: u64) -> Noise {
        let mut noise = Noise { state: seed, block: vec![0; Noise::BLOCK_BYTES], at: 0 };
        noise.roll();
        noise
    }

    /// `SplitMix64`.
    fn roll(&mut self) {
        for word in self.block.chunks_exact_mut(8) {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
        }
        self.at = 0;
    }

    /// The next bytes, at most so many and at least one.
    fn next(&mut self, most: usize) -> &[u8] {
        if self.at == self.block.len() {
            self.roll();
        }
        &self.block[self.at..][..most.min(self.block.len() - self.at)]
    }

    /// The next so many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let next = self.next(count - bytes.len());
            bytes.extend_from_slice(next);
            self.at += next.len();
        }
        bytes
    }

    /// Sends the next so many bytes.
    #[track_caller]
    pub fn send(&mut self, to: &mut impl Write, count: usize) {
        let mut left = count;
        while left > 0 {
            let sent = to.write(self.next(left)).expect("it takes everything");
            self.at += sent;
            left -= sent;
        }
    }

    /// Reads so many bytes, which have to be the next ones.
    #[track_caller]
    pub fn hear(&mut self, from: &mut impl Read, count: usize) {
        let mut buffer = vec![0; Noise::BLOCK_BYTES];
        let mut left = count;
        while left > 0 {
            let most = left.min(buffer.len());
            let read = from.read(&mut buffer[..most]).expect("the bytes come");
            assert!(read > 0, "the end came {left} bytes too early");
            self.agree(&buffer[..read], count - left);
            left -= read;
        }
    }

    /// Holds these against the next bytes. `from`: where they stand, for who has to look for a fault.
    #[track_caller]
    pub fn agree(&mut self, mut bytes: &[u8], from: usize) {
        while !bytes.is_empty() {
            let next = self.next(bytes.len());
            let count = next.len();
            assert!(next == &bytes[..count], "other bytes than those sent, after {from} right ones or more");
            self.at += count;
            bytes = &bytes[count..];
        }
    }
}

/// Sends and hears so many bytes at both ends, all at the same time.
#[track_caller]
pub fn talk_both_ways(one: &TcpStream, other: &TcpStream, count: usize, seed: u64) {
    thread::scope(|scope| {
        for (mut from, mut to, seed) in [(one, other, seed), (other, one, seed + 1)] {
            scope.spawn(move || Noise::seeded(seed).send(&mut from, count));
            scope.spawn(move || Noise::seeded(seed).hear(&mut to, count));
        }
    });
}

/// Sends until nothing is taken any more for so long. Returns how much was taken.
#[track_caller]
pub fn send_until_it_blocks(stream: &TcpStream, noise: &mut Noise, quiet: Duration, most: usize) -> usize {
    stream.set_nonblocking(true).unwrap();
    let (mut sent, mut last_at) = (0, Instant::now());
    let mut to = stream;
    while last_at.elapsed() < quiet {
        match to.write(noise.next(64 << 10)) {
            Ok(count) => {
                noise.at += count;
                sent += count;
                last_at = Instant::now();
                assert!(sent < most, "whoever sends is never made to wait: {sent} bytes were taken");
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::park_timeout(Duration::from_millis(2));
            }
            Err(error) => panic!("cannot send: {error}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    sent
}
