//! The console's two directions: lines of peers to a file, and replies from a pipe to a peer.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use crate::programs::{Kind, Programs, Role, fresh_file};
use crate::table::{Figure, Unit, Work};

const LINE: &[u8] = b"a line of sixty-four bytes, its line ending included, as it is.\n";
const LINES: usize = 2_000_000;
const REPLIES: usize = 5_000_000;
const COMMANDS: usize = 2_000_000;

pub fn works() -> Vec<Work> {
    let shown = |peers: usize| Work {
        name: format!("2,000,000 lines from {peers} to a file"),
        bar: "<= 1.1 of ncat".to_owned(),
        unit: Unit::ServerNs,
        programs: vec![Kind::Switchboard, Kind::Ncat],
        measure: Box::new(move |programs, kind| show(programs, kind, Role::Show, peers)),
    };
    let json = Work {
        name: "2,000,000 lines from 16 to a file, as JSON".to_owned(),
        bar: "<= 2.0 of tsv".to_owned(),
        unit: Unit::ServerNs,
        programs: vec![Kind::Switchboard, Kind::Tsv],
        measure: Box::new(|programs, kind| show(programs, kind, Role::Json, 16)),
    };
    let commands = Work {
        name: "JSON commands from a pipe to one".to_owned(),
        bar: ">= 1,500,000/s".to_owned(),
        unit: Unit::Deliveries,
        programs: vec![Kind::Switchboard],
        measure: Box::new(|programs, _| {
            let command =
                |number| format!("{{\"cmd\":\"send\",\"to\":1,\"text\":\"{number:09}\",\"ref\":{number}}}\n");
            send(programs, Role::Json, COMMANDS, b"", command)
        }),
    };
    let reply = Work {
        name: "replies from a pipe to one".to_owned(),
        bar: ">= 5,000,000/s".to_owned(),
        unit: Unit::Deliveries,
        programs: vec![Kind::Switchboard],
        measure: Box::new(|programs, _| {
            send(programs, Role::Show, REPLIES, b"@1\n", |number| format!("{number:09}\n"))
        }),
    };
    vec![shown(1), shown(16), json, reply, commands]
}

fn show(programs: &Programs, kind: Kind, role: Role, peers: usize) -> io::Result<Figure> {
    let file = programs.file("shown");
    let server = programs.start_onto(kind, role, fresh_file(&file)?)?;
    let streams: Result<Vec<_>, _> = (0..peers).map(|_| server.connect()).collect();
    let (before, began) = (server.processor_ns()?, Instant::now());
    let senders: Vec<_> = streams?
        .into_iter()
        .map(|mut stream| {
            thread::spawn(move || {
                let batch = LINE.repeat(1000);
                for _ in 0..LINES / peers / 1000 {
                    stream.write_all(&batch)?;
                }
                stream.shutdown(Shutdown::Write)?;
                // Kept open until the server has finished with it.
                io::copy(&mut (&stream).take(1), &mut io::sink())
            })
        })
        .collect();
    // All is there when the file grows no more.
    let (mut size, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_millis(300) || size < (LINES * 60) as u64 {
        thread::park_timeout(Duration::from_millis(20));
        let now = fs::metadata(&file)?.len();
        if now != size {
            (size, since) = (now, Instant::now());
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{kind:?} shows no more");
    }
    let took = since - began;
    let ns = (server.processor_ns()? - before) as f64;
    drop(server);
    for sender in senders {
        // What became of the connection when the server was killed is nobody's concern.
        let _ = sender.join();
    }
    let shown = memchr::memchr_iter(b'\n', &fs::read(&file)?).count();
    fs::remove_file(&file)?;
    Ok(Figure {
        main: ns / LINES as f64,
        per_second: LINES as f64 / took.as_secs_f64(),
        all_arrived: shown >= LINES,
    })
}

/// Sends so many numbered texts to one peer, each by the line that `spell` makes of its number.
fn send(
    programs: &Programs,
    role: Role,
    count: usize,
    first: &[u8],
    spell: impl Fn(usize) -> String,
) -> io::Result<Figure> {
    let mut server = programs.start(Kind::Switchboard, role)?;
    let mut stdin = server.take_stdin();
    let mut peer = server.connect()?;
    let replies: Vec<u8> = (0..count).flat_map(|number| format!("{number:09}\n").into_bytes()).collect();
    let typed: Vec<u8> = (0..count).flat_map(|number| spell(number).into_bytes()).collect();
    // That it is there is known when something has come.
    let mut ready = [0; 3];
    let hello: &[u8] = match role {
        Role::Json => b"{\"cmd\":\"send\",\"to\":\"all\",\"text\":\"ok\"}\n",
        _ => b"@all ok\n",
    };
    stdin.write_all(hello)?;
    peer.read_exact(&mut ready)?;
    stdin.write_all(first)?;

    let began = Instant::now();
    let (mut arrived, mut buffer) = (0, vec![0; 1 << 20]);
    let mut in_order = true;
    let writer = thread::spawn(move || stdin.write_all(&typed).map(|()| stdin));
    while arrived < replies.len() {
        let count = peer.read(&mut buffer)?;
        assert!(count > 0, "the server has closed");
        in_order &= buffer[..count] == replies[arrived..arrived + count];
        arrived += count;
    }
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    // Its end is the server's end of input.
    let _stdin = writer.join();
    Ok(Figure { main: per_second, per_second, all_arrived: in_order })
}
