//! The client, against a plain listener of the test's own, and against the server.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/client.rs"]
mod servers;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use common::{Peer, Program, Random, Server, is_left_out_over_tls, is_over_tls};
use servers::{accept, deaf_listener, wait_until_signals_are_watched};

/// A client, and the far end of its connection.
fn client_and_far_end() -> (Program, Peer, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = Program::client(&[&address]);
    let far_end = accept(&listener);
    (client, far_end, address)
}

/// The same with these options.
fn piped(options: &[&str]) -> (Program, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = Program::client(&[options, &[&address]].concat());
    let far_end = accept(&listener);
    (client, far_end)
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
fn in_a_pipe_a_line_that_says_exit_is_sent_like_any_other() {
    for arguments in [&[][..], &["--no-exit"]] {
        let (mut client, mut far_end) = piped(arguments);

        client.write_stdin(b"hi\nexit\nmore\nexit");
        client.close_stdin();
        let got = far_end.read_to_end();
        drop(far_end);

        assert_eq!(String::from_utf8_lossy(&got), "hi\nexit\nmore\nexit", "{arguments:?}");
        assert_eq!(client.exit_status().code(), Some(0));
    }
}

#[test]
fn with_exit_a_line_that_says_so_half_closes_and_what_is_outstanding_is_awaited() {
    for exit in ["exit\n", "exit\r\n"] {
        let (mut client, mut far_end) = piped(&["--exit"]);

        client.write_stdin(format!("hi\nexit now\n{exit}never sent\n").as_bytes());
        let got = far_end.read_to_end();
        client.write_stdin(b"nor this\n");
        far_end.send("an answer, later\n");
        client.out.line_with("an answer, later");
        assert!(client.is_running(), "it waits for the server");
        drop(far_end);

        assert_eq!(String::from_utf8_lossy(&got), "hi\nexit now\n");
        assert_eq!(client.exit_status().code(), Some(0));
        assert_eq!(client.err.to_end(), b"");
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
fn when_the_server_finishes_first_all_of_the_input_still_arrives() {
    let bytes = Random::seeded(6).bytes(16 << 20);

    for _ in 0..5 {
        let (mut client, mut far_end, _) = client_and_far_end();
        far_end.send("bye\n");
        far_end.finish();
        client.out.line_with("bye");

        let mut stdin = client.take_stdin();
        let got = thread::scope(|scope| {
            let bytes = &bytes;
            scope.spawn(move || stdin.write_all(bytes).expect("the client reads"));
            far_end.read_to_end()
        });

        assert_eq!(got.len(), bytes.len());
        assert!(got == bytes, "other bytes arrived");
        assert_eq!(client.exit_status().code(), Some(0));
        assert_eq!((client.out.to_end(), client.err.to_end()), (b"bye\n".to_vec(), Vec::new()));
    }
}

#[test]
fn when_the_server_has_finished_what_comes_late_is_sent_and_the_end_of_input_ends_it() {
    let (mut client, mut far_end, _) = client_and_far_end();

    far_end.send("bye\n");
    far_end.finish();
    client.out.line_with("bye");
    client.type_line("late");
    assert_eq!(far_end.line(), "late");
    client.type_line("later");
    assert_eq!(far_end.line(), "later");
    client.close_stdin();

    assert_eq!(far_end.read_to_end(), b"");
    assert_eq!(client.exit_status().code(), Some(0));
}

/// Over TLS the far end of a test is not the client's own.
const ARRIVES: &str = "what the client has sent arrives at the veil, which cannot give it back";

/// The one line that a client says whose input did not arrive.
#[track_caller]
fn told_of_loss(client: &mut Program, address: &str) -> String {
    assert_eq!(client.exit_status().code(), Some(1));
    let err = String::from_utf8(client.err.to_end()).unwrap();
    assert!(
        err.starts_with(&format!("switchboard-client: connection to {address} lost: reset by the peer; "))
    );
    assert_eq!(err.lines().count(), 1, "{err:?}");
    err
}

#[test]
fn when_the_server_leaves_amid_the_input_what_could_not_be_sent_is_said_with_status_1() {
    if is_left_out_over_tls(ARRIVES) {
        return;
    }
    let bytes = Random::seeded(7).bytes(16 << 20);

    for _ in 0..5 {
        let (mut client, mut far_end, address) = client_and_far_end();
        far_end.send("bye\n");
        drop(far_end);

        let mut stdin = client.take_stdin();
        thread::scope(|scope| {
            // It ends before it has read all.
            scope.spawn(|| stdin.write_all(&bytes).expect_err("the client ends"));
            let err = told_of_loss(&mut client, &address);
            assert!(err.contains("could not be sent"), "{err:?}");
        });
    }
}

#[test]
fn when_the_server_has_left_even_a_few_bytes_that_did_not_arrive_are_said_with_status_1() {
    if is_left_out_over_tls(ARRIVES) {
        return;
    }
    for is_gone_before in [true, false] {
        for _ in 0..5 {
            let (mut client, mut far_end, address) = client_and_far_end();
            far_end.send("bye\n");
            if is_gone_before {
                drop(far_end);
                client.out.line_with("bye");
                client.write_stdin(b"a few bytes");
                client.close_stdin();
            } else {
                client.write_stdin(b"a few bytes");
                client.close_stdin();
                far_end.stream.read_exact(&mut [0]).expect("some of it arrives");
                drop(far_end);
            }

            told_of_loss(&mut client, &address);
        }
    }
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
    let command = Program::client_command(&[&server.port()]);
    let mut client = Program::start_onto(command, stdout.into());

    drop(reader);
    client.type_line("hello");
    let status = client.exit_status();

    assert_eq!((status.code(), client.err.to_end()), (Some(0), Vec::new()));
}

#[test]
fn a_signal_while_it_dials_ends_a_client_in_a_pipe_with_status_1() {
    let (_listener, address, _waiting) = deaf_listener();
    let mut client = Program::client(&[&address]);
    wait_until_signals_are_watched(client.pid());

    client.signal("INT");

    assert_eq!(client.exit_status().code(), Some(1));
    let scheme = if is_over_tls() { "tls:" } else { "" };
    let expected = format!("switchboard-client: gave up connecting to {scheme}{address}\n");
    assert_eq!(String::from_utf8(client.err.to_end()).unwrap(), expected);
}

#[test]
fn a_unix_socket_that_is_not_there_is_named_with_its_path() {
    let path = std::env::temp_dir().join(format!("switchboard-client-none-{}", std::process::id()));
    let mut client = Program::client(&[&format!("unix:{}", path.display())]);

    let status = client.exit_status();
    let err = String::from_utf8_lossy(&client.err.to_end()).into_owned();

    let told =
        format!("switchboard-client: cannot connect to unix:{}: No such file or directory\n", path.display());
    assert_eq!((status.code(), err), (Some(1), told));
}

#[test]
fn what_may_yet_become_exit_is_sent_when_a_script_is_told_to_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Program::client(&["--exit", &listener.local_addr().unwrap().to_string()]);
    let mut server = accept(&listener);
    client.write_stdin(b"hello\nexi");
    assert_eq!(server.line(), "hello");

    client.signal("TERM");

    assert_eq!(server.read_to_end(), b"exi");
    assert_eq!(client.exit_status().code(), Some(0));
}
