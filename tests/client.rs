//! The client, against a plain listener of the test's own, and against the server.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use common::{DEADLINE, Peer, Program, Random, Server, has_tool, wait_until};

/// Waits until the client connects.
fn accept(listener: &TcpListener) -> Peer {
    listener.set_nonblocking(true).unwrap();
    let (stream, _) = wait_until("the client to connect", || listener.accept().ok());
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    Peer::over(stream)
}

/// A client, and the far end of its connection.
fn client_and_far_end() -> (Program, Peer, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = Program::client(&[&address]);
    let far_end = accept(&listener);
    (client, far_end, address)
}

#[test]
fn both_sides_may_talk_at_any_time() {
    let (mut client, mut far_end, _) = client_and_far_end();

    far_end.send("who is there?\n");
    client.out.line_with("who is there?");
    for round in 0..20 {
        client.type_line(&format!("typed {round}"));
        assert_eq!(far_end.line(), format!("typed {round}"));
        far_end.send(format!("said {round}\nsaid more {round}\n"));
        client.out.line_with(&format!("said more {round}"));
    }
    far_end.send("no line ending");

    client.out.wait_for("what has no line ending", |out| out.ends_with(b"no line ending").then_some(()));
    assert_eq!(client.err.so_far(), b"", "in a pipe it says nothing of its own");
}

#[test]
fn exit_leaves_and_what_was_typed_before_is_sent() {
    for exit in ["exit\n", "exit\r\n"] {
        let (mut client, mut far_end, _) = client_and_far_end();

        client.write_stdin(format!("hi\nexit now\n{exit}never sent\n").as_bytes());
        let got = far_end.read_to_end();

        assert_eq!(String::from_utf8_lossy(&got), "hi\nexit now\n");
        assert_eq!(client.exit_status().code(), Some(0));
    }
}

#[test]
fn the_end_of_input_half_closes_and_the_rest_of_the_replies_is_printed() {
    let (mut client, mut far_end, _) = client_and_far_end();

    client.write_stdin(b"a question\nno line ending");
    client.close_stdin();
    let got = far_end.read_to_end();
    let answer = vec![b'a'; 3 << 20];
    far_end.send(&answer);
    far_end.send("late");
    assert!(client.is_running(), "it waits for the server to finish");
    drop(far_end);

    assert_eq!(String::from_utf8_lossy(&got), "a question\nno line ending");
    assert!(client.out.to_end() == [answer, b"late".to_vec()].concat(), "all that was said is printed");
    assert_eq!(client.exit_status().code(), Some(0));
}

#[test]
fn when_the_server_finishes_the_client_does() {
    let (mut client, mut far_end, _) = client_and_far_end();

    far_end.send("bye\n");
    far_end.finish();

    assert_eq!(far_end.read_to_end(), b"");
    assert_eq!(client.exit_status().code(), Some(0));
    assert_eq!(client.out.to_end(), b"bye\n");
}

#[test]
fn bytes_pass_unharmed_in_a_pipe() {
    let server = Server::start(&["--echo"]);
    let mut client = Program::client(&[&server.port()]);
    let bytes = Random::seeded(5).bytes(5 << 20);

    let mut stdin = client.take_stdin();
    thread::scope(|scope| {
        let bytes = &bytes;
        scope.spawn(move || stdin.write_all(bytes).expect("the client reads"));
    });
    let got = client.out.to_end();

    assert_eq!(got.len(), bytes.len());
    assert!(got == bytes, "other bytes came back");
    assert_eq!(client.exit_status().code(), Some(0));
}

#[test]
fn a_connection_that_is_reset_is_told_in_one_line_with_status_1() {
    let (mut client, mut far_end, address) = client_and_far_end();

    client.type_line("hello");
    assert_eq!(far_end.line(), "hello");
    far_end.send("the last words\n");
    client.out.line_with("the last words");
    far_end.reset();

    assert_eq!(client.exit_status().code(), Some(1));
    let err = String::from_utf8(client.err.to_end()).unwrap();
    assert!(err.starts_with("switchboard-client: ") && err.contains(&address), "{err:?}");
    assert!(err.contains("reset") && err.lines().count() == 1, "{err:?}");
}

#[test]
fn a_client_in_a_script_gets_the_operators_answer() {
    let mut server = Server::start(&[]);
    let mut client = Program::client(&[&server.port()]);

    client.write_stdin(b"hi\n");
    client.close_stdin();
    server.out.line_with("1\thi");
    server.write_stdin(b"@1 hello\n/eof 1\n");

    assert_eq!(client.out.to_end(), b"hello\n");
    assert_eq!(client.exit_status().code(), Some(0));
}

#[test]
fn when_whoever_reads_its_stdout_goes_away_it_ends_quietly() {
    let (reader, stdout) = std::io::pipe().unwrap();
    let server = Server::start(&["--echo"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-client"));
    command.arg(server.port());
    let mut client = Program::start_onto(command, stdout.into());

    drop(reader);
    client.type_line("hello");
    let status = client.exit_status();

    assert_eq!((status.code(), client.err.to_end()), (Some(0), Vec::new()));
}

#[test]
fn a_terminal_gets_no_control_sequence_from_the_far_end() {
    if !has_tool("script") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new("script");
    let client = format!("{} {}", env!("CARGO_BIN_EXE_switchboard-client"), listener.local_addr().unwrap());
    // `script` gives the client a terminal and writes what that would show to its own stdout.
    command.args(["-q", "-c", &client, "/dev/null"]);
    let program = Program::start(command);
    let mut far_end = accept(&listener);

    far_end.send(b"\x1b]0;evil\x07\x1b[2J\x9b31m\xc2\x9b31m\x08\x7f\xe2\x80\xae over\n");
    let shown = program.out.line_with("over");

    let shown = shown.trim_end_matches('\r');
    let odd: Vec<char> =
        shown.chars().filter(|char| char.is_control() || "\u{202e}\u{fffd}".contains(*char)).collect();
    assert!(odd.is_empty(), "{odd:?} in {shown:?}");
    assert!(shown.contains("evil"), "{shown:?}");
}
