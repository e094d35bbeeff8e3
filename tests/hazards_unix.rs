//! Unix sockets: who may reach one, and whose files a server may remove. The numbers hNN are those of the
//! list of hazards of event-loop servers in docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use common::{Program, has_tool, wait_until};

/// A path at which there is nothing yet, in a directory of this test.
fn place(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("h40-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    let _ = fs::remove_dir(&path);
    path
}

/// A server at this path, which others on the machine may do with what the umask of the shell allows.
fn command_at(path: &Path, through: &str) -> Command {
    let mut command = Command::new("sh");
    let start = format!("umask 0; exec {through} \"$0\" \"$1\"");
    command.args(["-c", &start, env!("CARGO_BIN_EXE_switchboard"), &format!("unix:{}", path.display())]);
    command
}

#[track_caller]
fn listens(path: &Path, through: &str) -> Program {
    let program = Program::start(command_at(path, through));
    program.err.line_with("switchboard: listening on unix:");
    program
}

/// Says hello to the server at this path.
#[track_caller]
fn is_served(server: &Program, path: &Path) {
    let mut peer = UnixStream::connect(path).expect("a server listens there");
    peer.write_all(b"hello\n").unwrap();
    server.out.line_with("hello");
}

/// What a server says that cannot listen at this path.
#[track_caller]
fn refusal(path: &Path) -> String {
    let mut program = Program::start(command_at(path, ""));
    assert_eq!(program.exit_status().code(), Some(1), "a server at {}", path.display());
    String::from_utf8(program.err.to_end()).unwrap()
}

/// Watches a path until a server that is started there listens; all modes that were seen, one upon the
/// other.
fn modes_seen(path: &Path, through: &str) -> u32 {
    let seen = AtomicU32::new(0);
    thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let seen = &seen;
        scope.spawn(move || {
            while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                if let Ok(found) = fs::symlink_metadata(path) {
                    seen.fetch_or(found.mode() & 0o7777, Ordering::Relaxed);
                }
            }
        });
        let server = listens(path, through);
        seen.fetch_or(fs::symlink_metadata(path).unwrap().mode() & 0o7777, Ordering::Relaxed);
        drop((server, done));
    });
    seen.into_inner()
}

#[test]
fn h40_a_socket_is_its_owners_alone_at_every_start() {
    let path = place("mode");

    // The server is killed each time, so each but the first finds a stale socket.
    for _ in 0..20 {
        assert_eq!(modes_seen(&path, ""), 0o600, "modes seen while it started");
    }
}

#[test]
fn h40_a_socket_is_its_owners_alone_from_the_moment_of_the_bind() {
    if !has_tool("strace") {
        return;
    }
    let path = place("moment");

    // Right after the bind the server is held for a while, so that nothing done later goes unseen. The tracer is
    // the grandchild (-D), so that the server itself is ours to kill.
    let held = "strace -D -f -qq -o /dev/null -e trace=bind -e inject=bind:delay_exit=300000";
    assert_eq!(modes_seen(&path, held), 0o600, "modes seen while it started");
}

#[test]
fn h40_files_made_later_have_the_umask_of_the_shell() {
    let path = place("umask");
    let server = listens(&path, "");

    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();

    let umask = status.lines().find(|line| line.starts_with("Umask:")).expect("Linux tells it");
    assert_eq!(umask.split_whitespace().last(), Some("0000"), "the mask was for the bind alone");
}

#[test]
fn h40_a_stale_socket_is_replaced() {
    let path = place("stale");
    drop(UnixListener::bind(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();

    let mut server = listens(&path, "");
    is_served(&server, &path);
    let mode = fs::symlink_metadata(&path).unwrap().mode() & 0o7777;
    server.type_line("exit");
    server.exit_status();

    assert_eq!(mode, 0o600);
    assert!(!path.exists(), "it is removed at the end");
}

#[test]
fn h40_the_socket_of_a_live_server_is_never_taken() {
    let path = place("live");
    let first = listens(&path, "");
    let inode = fs::symlink_metadata(&path).unwrap().ino();

    for _ in 0..5 {
        let expected =
            format!("switchboard: cannot listen on unix:{}: Address already in use\n", path.display());
        assert_eq!(refusal(&path), expected);
        assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode, "it is the same socket");
    }

    is_served(&first, &path);
}

#[test]
fn h40_a_live_server_that_is_too_busy_to_accept_keeps_its_socket() {
    let path = place("busy");
    let server = listens(&path, "");
    server.signal("STOP");
    // Its backlog fills up until a newcomer would have to wait.
    let mut waiting = Vec::new();
    let full = loop {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&socket2::SockAddr::unix(&path).unwrap()) {
            Ok(()) => waiting.push(socket),
            Err(error) => break error,
        }
        assert!(waiting.len() < 10_000, "no backlog is that long");
    };
    assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);

    let told = refusal(&path);
    waiting.clear();
    server.signal("CONT");

    assert!(told.ends_with("Address already in use\n"), "{told}");
    is_served(&server, &path);
}

#[test]
fn h40_what_is_no_stale_socket_is_never_touched() {
    let file = place("file");
    fs::write(&file, "precious").unwrap();
    let directory = place("directory");
    fs::create_dir(&directory).unwrap();
    let link = place("link");
    symlink(&file, &link).unwrap();
    let pipe = place("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is everywhere").success());
    let datagrams = place("datagrams");
    let receiver = UnixDatagram::bind(&datagrams).unwrap();
    let dangling = place("dangling");
    symlink(place("nothing"), &dangling).unwrap();
    let live = place("linked-live");
    let server = listens(&live, "");
    let link_to_live = place("link-to-live");
    symlink(&live, &link_to_live).unwrap();
    let stale = place("linked-stale");
    drop(UnixListener::bind(&stale).unwrap());
    let link_to_stale = place("link-to-stale");
    symlink(&stale, &link_to_stale).unwrap();
    let all = [&file, &directory, &link, &pipe, &datagrams, &dangling, &link_to_live, &link_to_stale];
    let inodes = || all.map(|path| fs::symlink_metadata(path).expect("it is still there").ino());
    let before = inodes();

    for path in all {
        let told = refusal(path);
        assert!(told.starts_with("switchboard: cannot listen on unix:"), "{told}");
        assert_eq!(inodes(), before, "after a try at {}", path.display());
    }

    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    UnixDatagram::unbound().unwrap().send_to(b"x", &datagrams).expect("the receiver is still reached");
    drop(receiver);
    is_served(&server, &live);
    assert!(
        fs::symlink_metadata(&stale).unwrap().file_type().is_socket(),
        "behind a link nothing is removed"
    );
    all.iter().filter(|path| ***path != directory).for_each(|path| fs::remove_file(path).unwrap());
    fs::remove_dir(&directory).unwrap();
    fs::remove_file(&stale).unwrap();
}

#[test]
fn h40_at_its_end_a_server_removes_no_socket_but_its_own() {
    let path = place("successor");
    let mut first = listens(&path, "");
    fs::remove_file(&path).unwrap();
    let second = listens(&path, "");

    first.type_line("exit");
    assert_eq!(first.exit_status().code(), Some(0));

    is_served(&second, &path);
}

#[test]
fn h40_of_servers_that_start_at_once_where_a_stale_socket_is_one_listens_and_is_reached() {
    let path = place("race");
    drop(UnixListener::bind(&path).unwrap());
    let in_use = format!("switchboard: cannot listen on unix:{}: Address already in use\n", path.display());

    // Those that listen are killed, so each round finds a stale socket.
    for round in 0..60 {
        let count = if round % 3 == 0 { 8 } else { 2 };
        let mut servers: Vec<Program> = (0..count).map(|_| Program::start(command_at(&path, ""))).collect();
        servers.iter().for_each(|server| drop(server.err.line_with(" on unix:")));
        let listening = |server: &Program| server.err.so_far().starts_with(b"switchboard: listening");
        let (winners, mut others): (Vec<_>, Vec<_>) = servers.drain(..).partition(listening);

        assert_eq!(winners.len(), 1, "so many say that they listen, in round {round}");
        is_served(&winners[0], &path);
        for other in &mut others {
            assert_eq!(other.exit_status().code(), Some(1));
            assert_eq!(String::from_utf8_lossy(&other.err.to_end()), in_use);
        }
    }
}

#[test]
fn h40_two_servers_that_both_find_a_socket_stale_do_not_both_replace_it() {
    if !has_tool("strace") {
        return;
    }
    let path = place("both");
    drop(UnixListener::bind(&path).unwrap());
    let trace = path.with_extension("trace");

    // The first is held between its finding and the removal. It asks twice, the second time under its lock.
    let held = format!(
        "strace -D -f -qq -o {} -e trace=connect,unlink -e inject=unlink:delay_enter=1000000",
        trace.display()
    );
    let first = Program::start(command_at(&path, &held));
    wait_until("it to find the socket stale", || {
        fs::read_to_string(&trace).ok().filter(|calls| calls.matches("ECONNREFUSED").count() == 2)
    });
    let told = refusal(&path);

    assert!(told.ends_with("Address already in use\n"), "{told}");
    first.err.line_with("switchboard: listening on unix:");
    is_served(&first, &path);
    fs::remove_file(&trace).unwrap();
}

#[test]
fn h40_a_server_that_has_bound_its_socket_and_does_not_listen_yet_keeps_it() {
    if !has_tool("strace") {
        return;
    }
    let path = place("bound");

    // Between the bind and the listen the server is held for a while.
    let held = "strace -D -f -qq -o /dev/null -e trace=listen -e inject=listen:delay_enter=1000000";
    let first = Program::start(command_at(&path, held));
    wait_until("it to bind", || path.exists().then_some(()));
    let told = refusal(&path);

    assert!(told.ends_with("Address already in use\n"), "{told}");
    first.err.line_with("switchboard: listening on unix:");
    is_served(&first, &path);
}

#[test]
fn h40_a_server_that_starts_while_another_ends_keeps_its_socket() {
    if !has_tool("strace") {
        return;
    }
    let path = place("relay");

    // Right before it removes its socket the first server is held for a while.
    let held = "strace -D -f -qq -o /dev/null -e trace=unlink,unlinkat \
                -e inject=unlink,unlinkat:delay_enter=500000";
    let mut first = listens(&path, held);
    first.type_line("exit");
    let second = wait_until("another server to get the path", || {
        let server = Program::start(command_at(&path, ""));
        server.err.line_with(" on unix:").starts_with("switchboard: listening").then_some(server)
    });
    assert_eq!(first.exit_status().code(), Some(0));

    is_served(&second, &path);
}

#[test]
fn h40_a_live_server_does_not_notice_another_that_tries_to_take_its_place() {
    let path = place("unnoticed");
    let server = listens(&path, "");

    refusal(&path);
    is_served(&server, &path);

    // What is shown may come behind what is answered.
    server.err.line_with("connected");
    let err = String::from_utf8(server.err.so_far()).unwrap();
    assert_eq!(err.matches("connected").count(), 1, "one peer came: {err}");
}

#[test]
fn h40_where_the_directory_stays_locked_a_new_socket_is_made_and_a_stale_one_is_left_alone() {
    let directory = place("locked");
    fs::create_dir(&directory).unwrap();
    let (new, stale) = (directory.join("new"), directory.join("stale"));
    drop(UnixListener::bind(&stale).unwrap());
    let lock = fs::File::open(&directory).unwrap();
    lock.lock().unwrap();

    is_served(&listens(&new, ""), &new);
    let told = refusal(&stale);

    let why = "a stale socket is in the way, and its directory cannot be locked: \
               Resource temporarily unavailable";
    assert_eq!(told, format!("switchboard: cannot listen on unix:{}: {why}\n", stale.display()));
    drop(lock);
    is_served(&listens(&stale, ""), &stale);
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn h40_beside_a_socket_nothing_is_left_in_its_directory() {
    let directory = place("litter");
    fs::create_dir(&directory).unwrap();
    let path = directory.join("socket");
    drop(UnixListener::bind(&path).unwrap());

    let mut server = listens(&path, "");
    let while_it_runs = fs::read_dir(&directory).unwrap().count();
    server.type_line("exit");
    server.exit_status();

    assert_eq!((while_it_runs, fs::read_dir(&directory).unwrap().count()), (1, 0));
    fs::remove_dir(&directory).unwrap();
}
