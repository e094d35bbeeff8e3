//! What goes wrong is told in one line, and the exit status says what kind of thing it was.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{DEADLINE, Peer, Program, Server, has_tool, wait_until};

fn switchboard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments);
    command
}

/// Runs a program to its end; returns its exit status and what it wrote to stdout and stderr.
fn outcome(mut program: Program) -> (Option<i32>, String, String) {
    let code = program.exit_status().code();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what it writes is text");
    (code, text(program.out.to_end()), text(program.err.to_end()))
}

/// A path for a Unix socket or a file, at which there is nothing yet.
fn unix_path(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// A server at a Unix socket.
fn unix_server(path: &str) -> Program {
    let program = Program::start(switchboard(&[&format!("unix:{path}")]));
    let line = program.err.line_with("listening");
    assert_eq!(line, format!("switchboard: listening on unix:{path}"));
    program
}

#[test]
fn a_port_that_is_taken_is_told_in_one_line_with_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();

    for arguments in [&[port.to_string()][..], &["0".into(), format!("127.0.0.1:{port}")]] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, out, err) = outcome(Program::start(switchboard(&arguments)));

        let expected = format!("switchboard: cannot listen on 127.0.0.1:{port}: Address already in use\n");
        assert_eq!((code, out.as_str(), err), (Some(1), "", expected));
    }
}

#[test]
fn several_addresses_are_all_served() {
    let mut program = Program::start(switchboard(&["0", "127.0.0.1:0"]));

    let lines = program.err.lines_with("switchboard: listening on 127.0.0.1:", 2);
    for line in lines {
        let mut peer = Peer::connect(line.rsplit(' ').next().unwrap().parse().expect("an address"));
        peer.send(format!("through {line}\n"));
        program.out.line_with(&line);
    }

    program.type_line("exit");
    assert_eq!(program.exit_status().code(), Some(0));
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [
        &["--nonsense"][..],
        &["--format", "yaml"],
        &["--format", "xml"],
        &["--max-conns", "0"],
        &["--echo", "--chat"],
        &["--chat-raw"],
        &["host-without-port"],
        &["127.0.0.1:99999"],
        &["::1:80"],
        &["--max-line", "0"],
        &["--drain", "10"],
        &["--idle", "-1s"],
        &["--allow", "everybody"],
        &["--on-stdin-eof", "maybe"],
        &["unix:"],
        &["--fault", "latncy=5s"],
        &["--fault", "off"],
        &["--fault", "latency=5s", "--fault", ""],
        &["--fault", "toxicity=0.1 seed=7"],
    ] {
        let (code, out, err) = outcome(Program::start(switchboard(arguments)));

        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.starts_with("error: "), "{arguments:?}: {err}");
    }
    let (code, _, err) = outcome(Program::client(&["127.0.0.1:1", "127.0.0.1:2"]));
    assert_eq!(code, Some(2), "two servers for one client: {err}");
}

#[test]
fn a_number_out_of_its_range_is_wrong_usage_and_nothing_listens_with_it() {
    let huge = "18446744073709551615";
    for (flag, value, range) in [
        ("--read-budget", huge, "has to be from 512 to 64M"),
        ("--read-budget", "100G", "has to be from 512 to 64M"),
        ("--queue-high", huge, "has to be from 1 to 1024G"),
        ("--queue-high", "1024G", "--queue-high and --read-budget together"),
        ("--max-line", huge, "has to be from 4 to 1G"),
        ("--max-conns", "4294967296", "has to be from 1 to 10000000"),
        ("--accept-budget", huge, "has to be from 1 to 65536"),
        ("--drain", "18446744073709551615s", "has to be from 0s to 8760h"),
        ("--idle", "0s", "has to be from 1ms to 8760h"),
        ("--keepalive", "10h", "has to be from 3s to 9h"),
        ("--half-open", "60", "not a duration such as 200ms, 10s, 5m, 1h; it has to be from 0s to 8760h"),
        ("--fault", "in:latency=25h", "cannot read \"in:latency=25h\": it is written latency=200ms, or"),
        ("--write-budget", "many", "not a size such as 512, 64K, 8M, 1G; it has to be from 512 to 1G"),
    ] {
        let (code, out, err) = outcome(Program::start(switchboard(&[flag, value, "0"])));

        assert_eq!((code, out.as_str()), (Some(2), ""), "{flag} {value}: {err}");
        let first = err.lines().next().unwrap_or_default();
        assert!(first.contains(flag) && first.contains(range), "{flag} {value}: {err}");
        assert!(!err.contains("listening"), "{flag} {value}: {err}");
    }
}

#[test]
fn an_address_in_another_programs_form_is_told_how_it_is_written_here() {
    // The load tester is left out of some builds.
    let programs = [
        Some(env!("CARGO_BIN_EXE_switchboard")),
        Some(env!("CARGO_BIN_EXE_switchboard-client")),
        option_env!("CARGO_BIN_EXE_switchboard-load"),
    ];
    for (arguments, told) in [
        (&["localhost", "5000"][..], "write localhost:5000"),
        (&["::1", "5000"], "write [::1]:5000"),
        (&["tcp://127.0.0.1:5000"], "write 127.0.0.1:5000"),
        (&["localhost"], "\"localhost\" has no port: write localhost:5000"),
        (&[":+7501"], "\"+7501\" is no port (0 to 65535)"),
        (&["/run/socket"], "write unix:/run/socket"),
    ] {
        for program in programs.into_iter().flatten() {
            let mut command = Command::new(program);
            command.args(arguments);
            let (code, out, err) = outcome(Program::start(command));

            assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
            let first = err.lines().next().unwrap_or_default();
            assert!(first.starts_with("error: ") && first.contains(told), "{arguments:?}: {err}");
        }
    }
}

#[test]
fn a_path_too_long_for_a_unix_socket_is_told_how_long_it_may_be() {
    let path = format!("unix:/{}", "x".repeat(107));
    for program in [Program::start(switchboard(&[&path])), Program::client(&[&path])] {
        let (code, _, err) = outcome(program);

        assert_eq!(code, Some(2), "{err}");
        let first = err.lines().next().unwrap_or_default();
        assert!(first.contains("108 bytes long") && first.contains("may have 107 at most"), "{err}");
    }
}

#[test]
fn an_ipv4_address_written_as_an_ipv6_one_is_served_and_dialled() {
    let program = Program::start(switchboard(&["[::ffff:127.0.0.1]:0"]));
    let server = Server::of_program(program);
    assert!(server.address.is_ipv4(), "{}", server.address);

    let mut client = Program::client(&[&format!("[::ffff:127.0.0.1]:{}", server.address.port())]);
    client.type_line("hello");
    server.out.line_with("1\thello");
}

#[test]
fn a_zone_behind_an_ipv6_address_is_looked_up_and_an_unknown_one_is_named() {
    let (code, _, err) = outcome(Program::start(switchboard(&["[fe80::1%nowhere0]:0"])));
    assert_eq!(code, Some(1), "{err}");
    let told = "switchboard: cannot listen on [fe80::1%nowhere0]:0: its zone \"nowhere0\" is not known here";
    assert!(err.starts_with(told) && err.lines().count() == 1, "{err}");

    // The address is nobody's here, but the zone is known: it is the system that says so.
    let (code, _, err) = outcome(Program::start(switchboard(&["[fe80::1%lo]:0"])));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("Cannot assign requested address"), "{err}");
}

#[test]
fn a_client_that_is_refused_says_so_in_one_line_with_status_1() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    let (code, out, err) = outcome(Program::client(&[&port.to_string()]));

    let expected = format!("switchboard-client: cannot connect to 127.0.0.1:{port}: Connection refused\n");
    assert_eq!((code, out.as_str(), err), (Some(1), "", expected));
}

#[test]
fn when_whoever_reads_stdout_goes_away_it_ends_quietly() {
    for format in ["human", "tsv", "raw"] {
        let (reader, stdout) = io::pipe().unwrap();
        let program = Program::start_onto(switchboard(&["--format", format, "0"]), Stdio::from(stdout));
        let mut server = Server::of_program(program);
        let mut peer = server.connect();

        peer.send("one\n");
        let mut first = String::new();
        let mut reader = BufReader::new(reader);
        reader.read_line(&mut first).unwrap();
        drop(reader);
        peer.send("two\n");
        let status = server.exit_status();

        let err = String::from_utf8(server.err.to_end()).unwrap();
        assert_eq!(status.code(), Some(0), "{format}: {err}");
        let told: Vec<&str> = err.lines().filter(|line| !line.starts_with("* ")).collect();
        assert_eq!(told, [format!("switchboard: listening on {}", server.address)], "{format}");
    }
}

#[test]
fn a_full_disk_is_told_in_one_line_with_status_1() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let program = Program::start_onto(switchboard(&["0"]), Stdio::from(full.try_clone().unwrap()));
    let mut server = Server::of_program(program);

    server.connect().send("hello\n");
    let status = server.exit_status();
    let err = String::from_utf8(server.err.to_end()).unwrap();

    assert_eq!(status.code(), Some(1), "{err}");
    let told: Vec<&str> = err.lines().filter(|line| !line.starts_with("* ")).skip(1).collect();
    assert_eq!(told, ["switchboard: cannot write to stdout: No space left on device"]);
    let mut client = Program::start_onto(
        {
            let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-client"));
            command.arg(Server::start(&["--echo"]).port());
            command
        },
        Stdio::from(full),
    );
    drop(client.take_stdin());
    assert!(!String::from_utf8_lossy(&client.err.to_end()).contains("panicked"));
}

#[test]
fn a_disk_that_is_full_at_the_very_end_is_told_too() {
    for _ in 0..20 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-client"));
        command.arg(listener.local_addr().unwrap().port().to_string());
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut client = Program::start_onto(command, Stdio::from(full));
        client.close_stdin();

        // The last words and the end come together.
        let mut server = listener.accept().unwrap().0;
        server.write_all(b"last words\n").unwrap();
        drop(server);

        let (status, _, err) = outcome(client);
        let told = "switchboard-client: cannot write to stdout: No space left on device\n";
        assert_eq!((status, err.as_str()), (Some(1), told));
    }
}

/// A command of ours whose stdout is a file that may grow to a kilobyte (`ulimit -f`).
fn onto_a_small_file(program: &str, arguments: &[&str]) -> (Command, PathBuf) {
    let path = unix_path(&format!("small-{}", arguments.len()));
    let mut command = Command::new("bash");
    command
        .args(["-c", "ulimit -f 1 && exec \"$0\" \"${@:2}\" > \"$1\"", program])
        .arg(&path)
        .args(arguments);
    (command, path)
}

#[test]
fn a_file_that_may_not_grow_any_more_is_told_in_one_line_with_status_1() {
    if !has_tool("bash") {
        return;
    }
    let (server, server_file) = onto_a_small_file(env!("CARGO_BIN_EXE_switchboard"), &["0"]);
    let mut server = Server::of(server);
    let mut peer = server.connect();
    peer.send("0123456789abcdef\n".repeat(1000));
    let status = server.exit_status();
    let err = String::from_utf8(server.err.to_end()).unwrap();
    assert_eq!(status.code(), Some(1), "{status} {err}");
    assert!(err.ends_with("\nswitchboard: cannot write to stdout: File too large\n"), "{err}");
    assert_eq!(fs::metadata(&server_file).unwrap().len(), 1024, "what fits is there");

    let echo = Server::start(&["--echo"]);
    let port = echo.port();
    let (client, client_file) =
        onto_a_small_file(env!("CARGO_BIN_EXE_switchboard-client"), &["--no-exit", &port]);
    let mut client = Program::start(client);
    client.write_stdin("0123456789abcdef\n".repeat(1000).as_bytes());
    let (status, _, err) = outcome(client);
    assert_eq!(
        (status, err.as_str()),
        (Some(1), "switchboard-client: cannot write to stdout: File too large\n")
    );

    for file in [server_file, client_file] {
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn when_it_is_full_a_newcomer_is_told_why_and_let_go_until_a_place_frees_up() {
    let mut server = Server::start(&["--max-conns", "2"]);
    let (first, _) = server.connect_numbered();
    let (mut second, _) = server.connect_numbered();

    for number in 0..40 {
        let mut newcomer = server.connect();
        if number % 2 == 0 {
            // Whether it may talk before it is let go is a matter of luck.
            let _ = newcomer.stream.write_all(b"hello?\n");
        }
        assert_eq!(String::from_utf8_lossy(&newcomer.read_to_end()), "switchboard: full (2 connections)\n");
    }
    second.send("I am not disturbed\n");
    server.out.line_with("2\tI am not disturbed");
    first.reset();
    server.wait_for_status("* #1 closed");
    let (mut third, number) = server.connect_numbered();
    server.type_line("@all welcome");

    assert_eq!(number, 3, "who was turned away has no number");
    assert_eq!((second.line(), third.line()), ("welcome".into(), "welcome".into()));
}

#[test]
fn newcomers_who_are_turned_away_are_told_to_the_operator_gathered() {
    const NEWCOMERS: usize = 200;
    for (arguments, why, places) in [
        (&["--max-conns", "1"][..], "full", 1),
        (&["--deny", "127.0.0.1"], "address not allowed", 0),
        (&["--max-conns", "1", "--format", "human"], "full", 1),
        (&["--max-conns", "1", "--chat"], "full", 1),
        (&["--max-conns", "1", "--echo"], "full", 1),
    ] {
        let (mut server, _inside) = Server::with_peers(arguments, places);
        let status = if arguments.contains(&"human") { server.out.clone() } else { server.err.clone() };
        let told = |bytes: &[u8]| -> Vec<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let behind = format!(" turned away in the last second: {why}");
            let counts = text.lines().filter_map(|line| line.strip_prefix("* ")?.strip_suffix(&behind));
            counts.map(|count| count.parse().expect("a number")).collect()
        };

        server.connect().read_to_any_end();
        let first =
            status.wait_for("the first to be told", |bytes| Some(told(bytes)).filter(|all| !all.is_empty()));
        let began = std::time::Instant::now();
        for _ in 0..NEWCOMERS {
            server.connect().read_to_any_end();
        }
        let all = status.wait_for("all to be told", |bytes| {
            Some(told(bytes)).filter(|all| all.iter().sum::<usize>() == NEWCOMERS + 1)
        });
        let seconds = began.elapsed().as_secs() as usize + 1;

        assert_eq!(first, [1], "{arguments:?}");
        assert!(all.len() <= 2 + seconds, "{arguments:?}: {all:?} in {seconds} s");
        // Those of the last moment are told at the end, too.
        server.connect().read_to_any_end();
        server.type_line("exit");
        server.exit_status();
        assert_eq!(told(&status.to_end()).iter().sum::<usize>(), NEWCOMERS + 2, "{arguments:?}");
    }
}

#[test]
fn one_place_is_called_one_connection() {
    let (server, _inside) = Server::with_peers(&["--max-conns", "1"], 1);
    assert_eq!(server.connect().read_to_end(), b"switchboard: full (1 connection)\n");
}

#[test]
fn an_address_is_let_in_or_shut_out_as_was_asked() {
    for (arguments, is_let_in) in [
        (&["--deny", "127.0.0.1"][..], false),
        (&["--deny", "10.0.0.0/8,127.0.0.0/8"], false),
        (&["--allow", "10.0.0.0/8"], false),
        (&["--allow", "127.0.0.0/8", "--deny", "127.0.0.1/32"], false),
        (&["--allow", "127.0.0.0/8"], true),
        (&["--allow", "10.0.0.0/8,127.0.0.1"], true),
        (&["--deny", "10.0.0.0/8"], true),
    ] {
        let mut server = Server::start(arguments);

        let mut peer = server.connect();
        if is_let_in {
            peer.send("hello\n");
            server.out.line_with("1\thello");
        } else {
            assert_eq!(peer.read_to_any_end().0, b"", "{arguments:?}");
            server.type_line("/who");
            server.err.line_with("nobody is connected");
        }
    }
}

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    for how in ["exit", "TERM"] {
        let path = unix_path("served");
        let address = path.to_str().unwrap();
        // A server that was killed has left its socket there.
        drop(UnixListener::bind(&path).unwrap());
        let mut server = unix_server(address);

        let mut peer = UnixStream::connect(&path).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.write_all(b"hello\n").unwrap();
        assert_eq!(server.out.line_with("hello"), "1\thello");
        let mut client = Program::client(&[&format!("unix:{address}")]);
        client.type_line("I, too");
        server.out.line_with("2\tI, too");
        server.type_line("@all welcome");
        client.out.line_with("welcome");
        match how {
            "exit" => server.type_line("exit"),
            signal => server.signal(signal),
        }
        let mut got = String::new();
        peer.read_to_string(&mut got).unwrap();
        drop(peer);

        assert_eq!(got, "welcome\n");
        assert_eq!(server.exit_status().code(), Some(0), "ended by {how}");
        assert!(!path.exists(), "the socket is left behind when ended by {how}");
    }
}

#[test]
fn what_is_at_a_unix_sockets_path_and_in_use_is_not_touched() {
    let path = unix_path("in-use");
    let address = format!("unix:{}", path.display());
    let expected = format!("switchboard: cannot listen on {address}: Address already in use\n");

    let live = UnixListener::bind(&path).unwrap();
    let beside_a_server = outcome(Program::start(switchboard(&[&address])));
    UnixStream::connect(&path).expect("it still listens there");
    drop(live);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    let beside_a_file = outcome(Program::start(switchboard(&[&address])));
    let client_at_a_file = outcome(Program::client(&[&address]));

    assert_eq!(beside_a_server, (Some(1), String::new(), expected));
    let why = "it is a plain file, not a socket";
    let expected = format!("switchboard: cannot listen on {address}: {why}\n");
    assert_eq!(beside_a_file, (Some(1), String::new(), expected));
    let expected = format!("switchboard-client: cannot connect to {address}: {why}\n");
    assert_eq!(client_at_a_file, (Some(1), String::new(), expected));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
}

#[test]
fn an_idle_connection_is_closed_after_the_limit_if_there_is_one() {
    let server = Server::start(&["--idle", "300ms"]);
    let (mut idle, _) = server.connect_numbered();
    let (busy, _) = server.connect_numbered();

    wait_until("the idle one to be closed while another talks", || {
        busy.stream.try_clone().unwrap().write_all(b"tick\n").expect("who talks is kept");
        String::from_utf8_lossy(&server.err.so_far()).contains("idle for").then_some(())
    });

    assert_eq!(idle.read_to_end(), b"switchboard: idle for 300ms\n", "it is told why");
    let line = server.err.line_with("idle for");
    assert!(line.starts_with("* #1 closed"), "{line:?}");
}
