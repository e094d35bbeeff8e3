//! Many talk to many. Loaded from here and not by `switchboard-load`, which looks at every line that
//! arrives and would itself be the bottleneck: here a delivery is only counted, by the mark at its end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use memchr::memchr_iter;
use mio::net::TcpStream as NonBlocking;
use mio::{Events, Interest, Poll, Token};

use crate::programs::{Kind, Programs, Role, Server};
use crate::table::{Figure, Unit, Work};

const LINE_BYTES: usize = 64;
/// The last byte of a line before its ending; nothing else that arrives has it.
const MARK: u8 = b'~';
const FOR: Duration = Duration::from_millis(1500);

#[derive(Clone, Copy)]
enum Pattern {
    /// Everybody says a line and, when it has heard one of each other, the next.
    Storm,
    /// One says so many lines in one go and, when all others have heard them, again.
    Burst(usize),
}

struct Listener {
    stream: NonBlocking,
    heard: u64,
    /// When it has heard so many, it is its turn again.
    turn_at: u64,
}

pub fn works() -> Vec<Work> {
    let all = vec![Kind::Switchboard, Kind::Batch, Kind::Tokio, Kind::Nats, Kind::Ncat];
    let no_ncat = vec![Kind::Switchboard, Kind::Batch, Kind::Tokio, Kind::Nats];
    vec![
        work("chat, 100 connections all talking", ">= 0.85 of batch", all, 100, Pattern::Storm),
        work("chat, 400 connections all talking", ">= 0.9 of batch", no_ncat.clone(), 400, Pattern::Storm),
        work("chat, 100 receivers, bursts of 32", ">= 0.9 of batch", no_ncat, 101, Pattern::Burst(32)),
    ]
}

fn work(name: &str, bar: &str, programs: Vec<Kind>, count: usize, pattern: Pattern) -> Work {
    Work {
        name: name.to_owned(),
        bar: bar.to_owned(),
        unit: Unit::Deliveries,
        programs,
        measure: Box::new(move |programs, kind| measure(programs, kind, count, pattern)),
    }
}

fn measure(programs: &Programs, kind: Kind, count: usize, pattern: Pattern) -> io::Result<Figure> {
    let server = programs.start(kind, Role::Chat)?;
    let mut poll = Poll::new()?;
    let others = count as u64 - 1;
    let mut listeners = Vec::new();
    for at in 0..count {
        let mut stream = join(&server, kind)?;
        poll.registry().register(&mut stream, Token(at), Interest::READABLE)?;
        let turn_at = match pattern {
            Pattern::Storm => others,
            Pattern::Burst(lines) => lines as u64,
        };
        listeners.push(Listener { stream, heard: 0, turn_at });
    }
    let line = line(kind);
    let (speakers, words, turn) = match pattern {
        Pattern::Storm => (count, line.clone(), others),
        Pattern::Burst(lines) => (1, line.repeat(lines), lines as u64),
    };
    for listener in &mut listeners[..speakers] {
        listener.stream.write_all(&words)?;
    }

    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 256 << 10];
    let (began, mut deliveries, mut done) = (Instant::now(), 0, 0);
    let mut last = began;
    while began.elapsed() < FOR {
        poll.poll(&mut events, Some(Duration::from_secs(1)))?;
        if events.is_empty() {
            // Something was lost, so that nobody's turn comes. What was delivered by then counts.
            break;
        }
        for event in &events {
            let at = event.token().0;
            let heard = hear(&mut listeners[at].stream, &mut buffer)?;
            deliveries += heard;
            listeners[at].heard += heard;
            while listeners[at].heard >= listeners[at].turn_at && (at > 0 || speakers > 1) {
                listeners[at].turn_at += turn;
                if speakers > 1 {
                    listeners[at].stream.write_all(&words)?;
                    continue;
                }
                done += 1;
                if done == others {
                    done = 0;
                    listeners[0].stream.write_all(&words)?;
                }
            }
        }
        last = Instant::now();
    }
    let per_second = deliveries as f64 / (last - began).as_secs_f64().max(0.001);
    Ok(Figure { main: per_second, per_second, all_arrived: last - began >= FOR / 2 })
}

/// Counts the lines that have arrived.
fn hear(stream: &mut NonBlocking, buffer: &mut [u8]) -> io::Result<u64> {
    let mut heard = 0;
    loop {
        match stream.read(buffer) {
            Ok(0) => return Ok(heard),
            Ok(count) => {
                heard += memchr_iter(MARK, &buffer[..count]).count() as u64;
                if count < buffer.len() {
                    return Ok(heard);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(heard),
            Err(error) => return Err(error),
        }
    }
}

fn line(kind: Kind) -> Vec<u8> {
    let mut text = vec![b'x'; LINE_BYTES - 2];
    text.push(MARK);
    match kind {
        Kind::Nats => [format!("PUB chat {}\r\n", text.len()).as_bytes(), &text, b"\r\n"].concat(),
        _ => [&text[..], b"\n"].concat(),
    }
}

/// Connects, and waits until the server has noticed.
fn join(server: &Server, kind: Kind) -> io::Result<NonBlocking> {
    let mut stream = server.connect()?;
    if kind == Kind::Nats {
        stream.write_all(b"CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB chat 1\r\nPING\r\n")?;
        read_until(&mut stream, b"PONG\r\n")?;
    } else {
        // Nothing tells from outside; ncat's backlog is ten.
        std::thread::park_timeout(Duration::from_millis(2));
    }
    stream.set_nonblocking(true)?;
    Ok(NonBlocking::from_std(stream))
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> io::Result<()> {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(end) {
        stream.read_exact(&mut byte)?;
        all.push(byte[0]);
    }
    Ok(())
}
