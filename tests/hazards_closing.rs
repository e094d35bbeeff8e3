//! The end of a connection and of the server: what was promised arrives, and nobody holds up the end.
//! The numbers hNN are those of the list of hazards of event-loop servers in docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Peer, Program, Server, connect_narrow, let_pass, wait_until};

/// A text of so many bytes, its line ending included, in which no two places look the same.
fn text(bytes: usize) -> String {
    let mut text: String = (0..bytes / 6 + 1).map(|number| format!("{number:05} ")).collect();
    text.truncate(bytes - 1);
    text.push('\n');
    text
}

#[test]
fn h26_a_newcomer_who_is_turned_away_reads_why_whatever_it_has_sent_already() {
    const ROUNDS: usize = 5;
    const NEWCOMERS: usize = 20;
    let server = Server::start(&["--max-conns", "1"]);
    let (_first, _) = server.connect_numbered();

    for round in 0..ROUNDS {
        // While the server stands still, all they send is there before it looks at them.
        server.signal("STOP");
        let newcomers: Vec<TcpStream> = (0..NEWCOMERS)
            .map(|number| {
                let mut stream = TcpStream::connect(server.address).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                // From nothing at all to far more than one read takes.
                stream.write_all(&vec![b'x'; number * 2000]).unwrap();
                stream
            })
            .collect();
        server.signal("CONT");
        for (number, stream) in newcomers.into_iter().enumerate() {
            let (got, error) = Peer::over(stream).read_to_any_end();
            let got = String::from_utf8_lossy(&got).into_owned();
            assert_eq!(
                got,
                "switchboard: full (1 connection)\n",
                "round {round}, with {} bytes unread; it ended with {error:?}",
                number * 2000
            );
        }
    }
}

/// Types a text for #1, and waits until the server has it.
fn promise(server: &mut Program, promised: &str) {
    server.write_stdin(format!("@1 {promised}").as_bytes());
    server.err.wait_for("the answer to a text", |err| {
        let err = String::from_utf8_lossy(err);
        (err.contains("-> #1 ") || err.contains("#1 is not reading")).then_some(())
    });
}

/// Ends a connection in which 600 kB wait for a peer that talks without a pause and reads late; returns
/// what the peer got, and with which error it ended.
fn ended_while_it_talks(how: &str, promised: &str) -> (String, Option<ErrorKind>) {
    let mut server = Server::start(&[]);
    let mut peer = Peer::over(connect_narrow(server.address));
    server.wait_for_status("* #1 connected");
    let mut mouth = peer.stream.try_clone().unwrap();

    thread::scope(|scope| {
        // It goes on talking until it has read all. Closed over unread input, the connection would be
        // reset, and what had not arrived yet be lost.
        scope.spawn(move || while mouth.write_all(&[b'x'; 999]).is_ok() {});
        server.out.wait_for("the first words", |out| (!out.is_empty()).then_some(()));
        promise(&mut server, promised);
        match how {
            "TERM" => server.signal("TERM"),
            line => server.type_line(line),
        }
        let sign = match how {
            "TERM" | "exit" => "* stopping",
            "/eof 1" => "finishes after",
            _ => "closes after",
        };
        server.wait_for_status(sign);
        // The end of it is read late: an eager server has closed by then.
        let mut got = peer.exactly(promised.len() - 50_000);
        let until = Instant::now() + Duration::from_millis(300);
        wait_until("time to pass", || (Instant::now() >= until).then_some(()));
        let (rest, error) = peer.read_to_any_end();
        let _ = peer.stream.shutdown(Shutdown::Both);
        got.extend(rest);
        (String::from_utf8(got).unwrap(), error)
    })
}

#[test]
fn h26_all_that_was_promised_arrives_however_the_connection_is_ended() {
    let promised = text(600_000);
    for (how, last) in [("/kick 1 be quiet", "be quiet\n"), ("/eof 1", ""), ("exit", ""), ("TERM", "")] {
        let (got, error) = ended_while_it_talks(how, &promised);

        let expected = promised.clone() + last;
        assert_eq!((got.len(), error), (expected.len(), None), "bytes received, ended by {how}");
        assert!(got == expected, "other bytes came, ended by {how}");
    }
}

#[test]
fn h26_a_closed_connection_whose_peer_stays_is_let_go_all_the_same() {
    let mut server = Server::start(&[]);
    let (mut other, _) = server.connect_numbered();
    let before = server.descriptors();
    let (mut stays, _) = server.connect_numbered();

    server.type_line("/kick 2 good bye");
    assert_eq!(stays.read_to_end(), b"good bye\n");

    wait_until("its descriptor to be free", || (server.descriptors() == before).then_some(()));
    server.hears(&mut other, "I am not disturbed");
}

/// A server with so much for each peer that no system takes it all, readers first.
fn with_much_queued(
    drain: &str,
    readers: usize,
    stuck: usize,
) -> (Server, Vec<Peer>, Vec<TcpStream>, String) {
    let mut server = Server::start(&["--drain", drain]);
    let connect =
        |count: usize| -> Vec<TcpStream> { (0..count).map(|_| connect_narrow(server.address)).collect() };
    let peers = connect(readers).into_iter().map(Peer::over).collect();
    server.err.lines_with("connected from", readers);
    let stalled = connect(stuck);
    server.err.lines_with("connected from", readers + stuck);
    let promised = text(700_000);
    server.write_stdin(format!("@all {promised}").as_bytes());
    server.err.line_with("-> all ");
    (server, peers, stalled, promised)
}

#[test]
fn h27_at_the_end_readers_get_all_and_who_does_not_read_is_not_waited_for() {
    let (readers, stuck) = (15, 15);
    let (mut server, mut peers, _stalled, promised) = with_much_queued("2s", readers, stuck);

    let asked_at = Instant::now();
    server.signal("TERM");
    server.wait_for_status("* stopping");
    thread::scope(|scope| {
        for peer in &mut peers {
            scope.spawn(|| {
                let got = peer.read_to_end();
                assert!(got == promised.as_bytes(), "{} of {} bytes came", got.len(), promised.len());
                let _ = peer.stream.shutdown(Shutdown::Both);
            });
        }
    });
    let status = server.exit_status();
    let took = asked_at.elapsed();
    let err = String::from_utf8(server.err.to_end()).unwrap();

    assert_eq!(status.code(), Some(1), "bytes were lost: {err}");
    assert!((Duration::from_millis(1900)..Duration::from_secs(8)).contains(&took), "it ended after {took:?}");
    let report = err.lines().find(|line| line.contains(", to ")).expect("a report");
    let expected = format!(" bytes could not be sent, to {stuck} connections");
    assert!(report.starts_with("switchboard: ") && report.ends_with(&expected), "{report:?}");
    let unsent: usize = report.split(' ').nth(1).unwrap().parse().unwrap();
    let lost_by_each: usize = err
        .lines()
        .filter_map(|line| line.strip_suffix(" bytes could not be sent)"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(unsent, lost_by_each, "the sum and its parts: {err}");
    assert!(err.ends_with(&format!("{report}\n")), "the report is the last word: {err}");
    assert!((stuck * 100_000..stuck * promised.len()).contains(&unsent), "{report:?}");
}

#[test]
fn h27_nobody_is_waited_for_longer_than_it_takes() {
    let (mut server, mut peers, _, promised) = with_much_queued("1h", 10, 0);

    server.signal("TERM");
    server.wait_for_status("* stopping");
    for peer in &mut peers {
        assert!(peer.read_to_end() == promised.as_bytes());
    }
    peers.clear();

    assert_eq!(server.exit_status().code(), Some(0));
    assert!(!String::from_utf8(server.err.to_end()).unwrap().contains("could not be sent"));
}

#[test]
fn h27_a_second_signal_ends_at_once_with_status_1() {
    for second in ["TERM", "INT"] {
        let (mut server, _, _stalled, _) = with_much_queued("1h", 0, 3);

        server.signal("TERM");
        server.wait_for_status("* stopping");
        let_pass(Duration::from_millis(600));
        assert!(server.is_running(), "an hour has not passed");
        server.signal(second);

        assert_eq!(server.exit_status().code(), Some(1), "after SIG{second}");
    }
}

/// Ends a server at a Unix socket, where one does not read, by so many signals; whether its file is gone.
fn removes_its_file(drain: &str, signals: i32) -> bool {
    let name = format!("h27-{}-{signals}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--drain", drain, &format!("unix:{}", path.display())]);
    let mut server = Program::start(command);
    server.err.line_with("listening on unix:");
    let _stuck = UnixStream::connect(&path).unwrap();
    server.err.line_with("* #1 connected");
    promise(&mut server, &text(3_000_000));

    server.signal("TERM");
    server.err.line_with("* stopping");
    // Nobody new is taken any more; from here on the file is of no use.
    wait_until("newcomers to be refused", || UnixStream::connect(&path).err());
    (1..signals).for_each(|_| {
        // What comes sooner counts as the first.
        let_pass(Duration::from_millis(600));
        server.signal("TERM");
    });

    // Either way it did not get all.
    assert_eq!(server.exit_status().code(), Some(1), "after {signals} signals");
    !path.exists()
}

#[test]
fn h27_the_file_of_a_unix_socket_is_gone_after_an_end_by_a_signal() {
    assert!(removes_its_file("300ms", 1), "the socket is left behind");
}

#[test]
fn h27_the_file_of_a_unix_socket_is_gone_after_an_end_by_two_signals() {
    assert!(removes_its_file("1h", 2), "the socket is left behind");
}

#[test]
fn h27_when_the_time_is_over_all_that_was_to_be_shown_is_shown_all_the_same() {
    // The last events come when the time is over; whoever reads them is there.
    let mut server = Server::start(&["--format", "human", "--drain", "300ms"]);
    let _stuck = connect_narrow(server.address);
    server.wait_for_status("* #1 connected");
    promise(&mut server, &text(700_000));

    server.signal("TERM");
    let status = server.exit_status();
    let out = String::from_utf8(server.out.to_end()).unwrap();
    let err = String::from_utf8(server.err.to_end()).unwrap();

    assert!(out.contains("* #1 closed: the server stops"), "{out}{err}");
    assert_eq!(status.code(), Some(1), "it did not get all: {out}{err}");
}

#[test]
fn h27_while_it_ends_a_stuck_stdout_does_not_cost_the_peers_anything() {
    let (unread, stdout) = std::io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--format", "raw", "--drain", "1s", "0"]);
    let mut server = Server::of_program(Program::start_onto(command, stdout.into()));
    let mut peer = Peer::over(connect_narrow(server.address));
    let mut mouth = peer.stream.try_clone().unwrap();
    let promised = text(600_000);

    thread::scope(|scope| {
        scope.spawn(move || while mouth.write_all(&[b'x'; 999]).is_ok() {});
        promise(&mut server, &promised);
        server.signal("TERM");
        server.wait_for_status("* stopping");
        let mut got = vec![0; promised.len()];
        peer.stream.read_exact(&mut got).expect("all of it comes");
        assert!(got == promised.as_bytes());
        let _ = peer.stream.shutdown(Shutdown::Both);
    });
    let status = server.exit_status();
    let err = String::from_utf8(server.err.to_end()).unwrap();

    // What peers said and nobody took is told, since it is lost.
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.lines().last().unwrap().starts_with("switchboard: cannot write to stdout: "), "{err}");
    drop(unread);
}
