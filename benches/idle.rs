//! What an idle connection costs the server: opens many, lets each say a line, and prints the growth of
//! the server's resident memory per connection, before and after. `cargo bench --bench idle`
#![allow(clippy::unwrap_used)] // a bench that cannot go on may panic

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One process can hold no more than its descriptor limit, 20,000 on the machines this was made for.
const CONNECTIONS: usize = 15_000;
const LINE: &[u8] = b"a line of sixty-four bytes, its line ending included, as it is.\n";

fn main() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let mut server = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["--echo", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut status = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    status.read_line(&mut line)?;
    let port: u16 = line.trim().rsplit(':').next().unwrap().parse().unwrap();
    // Read on, or what the server has to say would pile up in it.
    thread::spawn(move || io::copy(&mut status, &mut io::sink()));

    let before = settled(&server);
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        streams.push(TcpStream::connect(("127.0.0.1", port))?);
    }
    // The last in is served last, so when it is answered all have been let in.
    let answered = speak(streams.last_mut().unwrap())?;
    assert!(answered, "the last connection was not answered");
    let silent = settled(&server);
    let mut answered = 0;
    for stream in &mut streams {
        answered += usize::from(speak(stream)?);
    }
    let spoken = settled(&server);

    let each = |now: u64| (now.saturating_sub(before)) as f64 / CONNECTIONS as f64;
    let mut out = io::stdout();
    writeln!(out, "server without connections: {} KiB resident", before >> 10)?;
    writeln!(out, "{CONNECTIONS} silent connections:   {:.0} bytes each", each(silent))?;
    writeln!(out, "after each was answered:    {:.0} bytes each; {answered} answered", each(spoken))?;
    server.kill()?;
    server.wait()?;
    Ok(())
}

fn speak(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(LINE)?;
    let mut back = [0; LINE.len()];
    stream.read_exact(&mut back)?;
    Ok(back == LINE)
}

/// Resident bytes, once they no longer change.
fn settled(server: &Child) -> u64 {
    let path = format!("/proc/{}/statm", server.id());
    let resident = || {
        let statm = std::fs::read_to_string(&path).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
    };
    let (mut last, mut since) = (resident(), Instant::now());
    while since.elapsed() < Duration::from_millis(300) {
        thread::park_timeout(Duration::from_millis(20));
        let now = resident();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}
