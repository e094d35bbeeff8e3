//! The programs that are compared: built, started on their core, accounted for, killed.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::SERVER_CORE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Switchboard,
    /// The same program, told to write tsv where the other writes JSON.
    Tsv,
    /// The bare epoll loop in C.
    Epoll,
    /// The bare fan-out loop in C.
    Batch,
    Tokio,
    Nats,
    Ncat,
    /// The same program, showing nothing.
    Quiet,
    Socat,
    /// The same program, with one exact rule where the other has many expressions.
    OneRule,
    /// The same program, without rules.
    NoRule,
}

/// What a server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Echo,
    Chat,
    /// Write what comes to stdout.
    Show,
    /// The same, as JSON; commands are JSON, too.
    Json,
    /// Stand between whoever connects and what listens at this port of ours.
    Tap(u16),
    /// Answer what comes by rules, and say so or not.
    Rules {
        is_quiet: bool,
    },
}

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    folder: PathBuf,
    tokio: Option<PathBuf>,
}

/// A server that is killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Programs {
    /// Builds the floors; what cannot be built is left out.
    pub fn build() -> io::Result<Programs> {
        let floors = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/floors"));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(&folder)?;
        for floor in ["epoll", "batch"] {
            let source = floors.join(floor).with_extension("c");
            // Whether it worked is seen by whether there is a program.
            let _ = Command::new("cc").arg("-O2").arg("-o").arg(folder.join(floor)).arg(source).status();
        }
        let tokio = floors.join("tokio");
        let target = folder.join("tokio");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--manifest-path"])
            .arg(tokio.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status();
        let tokio = built.is_ok_and(|status| status.success()).then(|| target.join("release/tokio-floor"));
        Ok(Programs { folder, tokio })
    }

    pub fn has(&self, kind: Kind) -> bool {
        let runs = |name: &str| Command::new(name).arg("--version").output().is_ok();
        match kind {
            Kind::Switchboard | Kind::Tsv | Kind::Quiet | Kind::OneRule | Kind::NoRule => true,
            Kind::Epoll => self.folder.join("epoll").exists(),
            Kind::Batch => self.folder.join("batch").exists(),
            Kind::Tokio => self.tokio.is_some(),
            Kind::Nats => runs("nats-server"),
            Kind::Ncat => runs("ncat"),
            Kind::Socat => Command::new("socat").arg("-V").output().is_ok(),
        }
    }

    /// A file that a bench may write.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts a server whose stdout goes nowhere.
    pub fn start(&self, kind: Kind, role: Role) -> io::Result<Server> {
        self.start_onto(kind, role, Stdio::null())
    }

    /// Starts a server; it listens when this returns.
    pub fn start_onto(&self, kind: Kind, role: Role, stdout: Stdio) -> io::Result<Server> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]);
        match kind {
            Kind::Switchboard | Kind::Tsv | Kind::Quiet | Kind::OneRule | Kind::NoRule => {
                let role = if kind == Kind::Tsv { Role::Show } else { role };
                command.arg(env!("CARGO_BIN_EXE_switchboard")).args(match role {
                    Role::Echo => &["--echo"][..],
                    Role::Chat => &["--chat"],
                    Role::Show | Role::Tap(_) | Role::Rules { .. } => &["--format", "tsv"],
                    Role::Json => &["--format", "json"],
                });
                if let Role::Tap(target) = role {
                    command.args(["--tap", &target.to_string()]);
                }
                if let Role::Rules { .. } = role
                    && kind != Kind::NoRule
                {
                    command.arg("--reply-file").arg(crate::rules::write_rules(self, kind)?);
                }
                if kind == Kind::Quiet || role == (Role::Rules { is_quiet: true }) {
                    command.arg("--quiet");
                }
                command.arg(&port);
            }
            Kind::Epoll => {
                let role = if role == Role::Chat { "fanout" } else { "echo" };
                command.arg(self.folder.join("epoll")).args([&port, role]);
            }
            Kind::Batch => {
                command.arg(self.folder.join("batch")).arg(&port);
            }
            Kind::Tokio => {
                let role = if role == Role::Chat { "fanout" } else { "echo" };
                command.arg(self.tokio.as_ref().unwrap()).args([&port, role]);
            }
            Kind::Nats => {
                command.args(["nats-server", "-a", "127.0.0.1", "-p", &port]).env("GOMAXPROCS", "1");
            }
            Kind::Socat => {
                let Role::Tap(target) = role else { panic!("socat only stands between") };
                command.arg("socat");
                command.arg(format!("TCP-LISTEN:{port},fork,reuseaddr,nodelay,bind=127.0.0.1"));
                command.arg(format!("TCP:127.0.0.1:{target},nodelay"));
            }
            Kind::Ncat => {
                let role = if role == Role::Chat { "--broker" } else { "-k" };
                command.args(["ncat", "-l", role, "-m", "5000", "127.0.0.1", &port]);
            }
        }
        let child = command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::null()).spawn()?;
        let server = Server { child, address };
        let give_up_at = Instant::now() + Duration::from_secs(5);
        // Asked of the system, not tried: a connection more would be one more to be told everything.
        while !is_listening(address.port())? {
            assert!(Instant::now() < give_up_at, "{kind:?} does not listen");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(server)
    }
}

impl Server {
    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub fn take_stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Processor time of all its threads, in nanoseconds, and of the processes it has started that are still there.
    pub fn processor_ns(&self) -> io::Result<u64> {
        processor_ns_of(self.child.id())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(pages * rustix::param::page_size() as u64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn processor_ns_of(process: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.path();
        let account = fs::read_to_string(task.join("schedstat"))?;
        sum += account.split(' ').next().unwrap().parse::<u64>().unwrap();
        let children = fs::read_to_string(task.join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            sum += processor_ns_of(child.parse().unwrap())?;
        }
    }
    Ok(sum)
}

/// Opens a file anew for a server's stdout.
pub fn fresh_file(path: &PathBuf) -> io::Result<Stdio> {
    Ok(File::create(path)?.into())
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn is_listening(port: u16) -> io::Result<bool> {
    const LISTEN: &str = "0A";
    let local = format!(":{port:04X}");
    let sockets = fs::read_to_string("/proc/net/tcp")?;
    Ok(sockets.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|address| address.ends_with(&local)) && fields.nth(1) == Some(LISTEN)
    }))
}
