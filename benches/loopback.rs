//! The built server over loopback: how long an echo takes, alone and with many in flight.
#![allow(missing_docs)] // criterion's macros make public items
#![allow(clippy::unwrap_used)] // a bench that cannot go on may panic

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A server that is killed when the bench is over.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["--echo", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server was built");
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).expect("it says where it listens");
        let port = line.trim().rsplit(':').next().unwrap().parse().expect("a port");
        Server { child, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_nodelay(true).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn echo(c: &mut Criterion) {
    let server = Server::start();
    let mut group = c.benchmark_group("echo over loopback");
    for messages in [1, 64] {
        let mut stream = server.connect();
        let out = "a line of sixty-four bytes, its line ending included, as it is.\n".repeat(messages);
        let mut back = vec![0; out.len()];
        group.throughput(Throughput::Elements(messages as u64));
        group.bench_function(format!("{messages} in flight"), |b| {
            b.iter(|| {
                stream.write_all(out.as_bytes()).unwrap();
                stream.read_exact(&mut back).unwrap();
            });
            assert_eq!(back, out.as_bytes());
        });
    }
    group.finish();
}

criterion_group!(benches, echo);
criterion_main!(benches);
