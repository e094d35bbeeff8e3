//! What stands between a client and its server: lines in bulk, bytes that are no text, and one line and its answer at a
//! time, where the rate says how long a round trip takes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use crate::programs::{Kind, Programs, Role, Server};
use crate::table::{Figure, Unit, Work};

const LINE_BYTES: usize = 64;
const LINE: &[u8; LINE_BYTES] = b"a line of sixty-four bytes, its line ending included, as it is.\n";
const BULK_BYTES: usize = 256 << 20;
const BLOCK_BYTES: usize = 64 << 10;
const ROUND_TRIPS: usize = 20_000;

pub fn works() -> Vec<Work> {
    let kinds = || vec![Kind::Switchboard, Kind::Quiet, Kind::Socat];
    let bulk = |what: &str, block: fn() -> Vec<u8>| Work {
        name: format!("tap, 256 MiB of {what}, for each 64 bytes"),
        bar: "< 1.0 of socat, 0.5 for quiet".to_owned(),
        unit: Unit::ServerNs,
        programs: kinds(),
        measure: Box::new(move |programs, kind| pump(programs, kind, &block())),
    };
    let answers = Work {
        name: "tap, a line and its answer".to_owned(),
        bar: "< 1.0 of socat".to_owned(),
        unit: Unit::ServerNs,
        programs: kinds(),
        measure: Box::new(ask),
    };
    vec![bulk("lines", || LINE.repeat(BLOCK_BYTES / LINE_BYTES)), bulk("noise", noise), answers]
}

/// Bytes as a compressor leaves them (xorshift64).
fn noise() -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    while bytes.len() < BLOCK_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// A tap, and both ends of a connection through it.
fn connected(programs: &Programs, kind: Kind) -> io::Result<(Server, TcpStream, TcpStream)> {
    let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = programs.start(kind, Role::Tap(target.local_addr()?.port()))?;
    let near = server.connect()?;
    let far = target.accept()?.0;
    far.set_nodelay(true)?;
    Ok((server, near, far))
}

fn pump(programs: &Programs, kind: Kind, block: &[u8]) -> io::Result<Figure> {
    let (server, mut near, mut far) = connected(programs, kind)?;
    let (before, began) = (server.processor_ns()?, Instant::now());
    let all_arrived = thread::scope(|scope| {
        let sender = scope.spawn(|| (0..BULK_BYTES / block.len()).try_for_each(|_| near.write_all(block)));
        let (mut arrived, mut buffer) = (0, vec![0; 4 * BLOCK_BYTES]);
        while arrived < BULK_BYTES {
            arrived += far.read(&mut buffer)?;
        }
        sender.join().unwrap()?;
        io::Result::Ok(arrived == BULK_BYTES)
    })?;
    let pieces = (BULK_BYTES / LINE_BYTES) as f64;
    let took = began.elapsed().as_secs_f64();
    let ns = (server.processor_ns()? - before) as f64;
    Ok(Figure { main: ns / pieces, per_second: pieces / took, all_arrived })
}

fn ask(programs: &Programs, kind: Kind) -> io::Result<Figure> {
    let (server, mut near, mut far) = connected(programs, kind)?;
    let (before, began) = (server.processor_ns()?, Instant::now());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut line = [0; LINE_BYTES];
            (0..ROUND_TRIPS).try_for_each(|_| far.read_exact(&mut line).and_then(|()| far.write_all(&line)))
        });
        let mut line = [0; LINE_BYTES];
        (0..ROUND_TRIPS).try_for_each(|_| near.write_all(LINE).and_then(|()| near.read_exact(&mut line)))
    })?;
    let took = began.elapsed().as_secs_f64();
    let ns = (server.processor_ns()? - before) as f64;
    Ok(Figure { main: ns / ROUND_TRIPS as f64, per_second: ROUND_TRIPS as f64 / took, all_arrived: true })
}
