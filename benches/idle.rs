//! What an idle connection costs the server: opens many, lets each say a line and then 64 KiB, and prints the growth of
//! the server's resident memory per connection, before and after; and the same with TLS. `cargo bench --bench idle`
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

/// A connection, whatever it goes through.
trait Talk: Read + Write {}
impl<T: Read + Write> Talk for T {}

fn main() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    measure("plain", &[], |stream| Box::new(stream))?;
    #[cfg(feature = "tls")]
    tls::measure_all()?;
    Ok(())
}

fn measure(
    name: &str,
    arguments: &[&str],
    mut connected: impl FnMut(TcpStream) -> Box<dyn Talk>,
) -> io::Result<()> {
    let mut server = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["--echo", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut status = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        status.read_line(&mut line)?;
    }
    let port: u16 = line.trim().rsplit(':').next().unwrap().parse().unwrap();
    // Read on, or what the server has to say would pile up in it.
    thread::spawn(move || io::copy(&mut status, &mut io::sink()));

    // What the first one needs, code and buffers that all share, is no one's own.
    let mut connect = || {
        TcpStream::connect(("127.0.0.1", port)).and_then(|stream| {
            // A line behind the end of a handshake would wait for the system's acknowledgement of that.
            stream.set_nodelay(true)?;
            Ok(connected(stream))
        })
    };
    assert!(speak(&mut connect()?, &[b'x'; 16 << 10])?, "the first connection was not answered");
    let before = settled(&server);
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        streams.push(connect()?);
    }
    // The last in is served last, so when it is answered all have been let in.
    assert!(speak(streams.last_mut().unwrap(), LINE)?, "the last connection was not answered");
    let mut out = io::stdout();
    let mut tell = |what: &str| {
        let each = settled(&server).saturating_sub(before) as f64 / CONNECTIONS as f64;
        writeln!(out, "{name}, {CONNECTIONS} connections, {what}: {each:.0} bytes each")
    };
    tell("silent")?;
    for (what, said) in [("after a line", LINE), ("after 64 KiB", &[b'x'; 64 << 10])] {
        for stream in &mut streams {
            for said in said.chunks(16 << 10) {
                assert!(speak(stream, said)?, "what came back is not what was said");
            }
        }
        tell(what)?;
    }
    writeln!(out, "{name}, server without connections: {} KiB resident", before >> 10)?;
    server.kill()?;
    server.wait()?;
    Ok(())
}

fn speak(stream: &mut impl Talk, said: &[u8]) -> io::Result<bool> {
    stream.write_all(said)?;
    let mut back = vec![0; said.len()];
    stream.read_exact(&mut back)?;
    Ok(back == said)
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

#[cfg(feature = "tls")]
mod tls {
    use std::fs;
    use std::sync::Arc;

    use switchboard::rustls::client::Resumption;
    use switchboard::rustls::crypto::ring;
    use switchboard::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, version};

    use super::*;

    /// Each version, without session tickets, as the server has it.
    pub fn measure_all() -> io::Result<()> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = env!("CARGO_TARGET_TMPDIR");
        let [certificate, key] = ["idle.crt", "idle.key"].map(|name| format!("{folder}/{name}"));
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        for (name, version) in [("TLS 1.3", &version::TLS13), ("TLS 1.2", &version::TLS12)] {
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
            let config = config.with_protocol_versions(&[version]).unwrap();
            let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
            config.resumption = Resumption::disabled();
            let config = Arc::new(config);
            measure(name, &["--tls-cert", &certificate, "--tls-key", &key], |mut socket| {
                let name = "127.0.0.1".try_into().unwrap();
                let mut session = ClientConnection::new(config.clone(), name).unwrap();
                while session.is_handshaking() {
                    session.complete_io(&mut socket).unwrap();
                }
                Box::new(StreamOwned::new(session, socket))
            })?;
        }
        Ok(())
    }
}
