//! The examples do what they say, as a stranger would find out.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
/// Its own tests are run with these: as a test of its own it would not be built as a program.
#[allow(dead_code)]
#[path = "../examples/line_protocol.rs"]
mod line_protocol;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Peer, Program};

/// An example that listens, and where. They are built by `cargo test` and `cargo build --examples`, but not where a
/// single test is asked for.
fn example(name: &str) -> Option<(Program, SocketAddr)> {
    let programs = Path::new(env!("CARGO_BIN_EXE_switchboard")).parent().unwrap();
    let path = programs.join("examples").join(name);
    if !path.exists() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not built, and in CI nothing is skipped");
        let _ = writeln!(io::stderr(), "skipped: the example {name} is not built");
        return None;
    }
    let mut command = Command::new(path);
    command.arg("127.0.0.1:0");
    let program = Program::start(command);
    let line = program.out.line_with("listening on ");
    let address = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    Some((program, address))
}

#[test]
fn the_echo_returns_every_byte() {
    let Some((_program, address)) = example("echo") else { return };
    let mut peer = Peer::connect(address);
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();

    for chunk in bytes.chunks(50_000) {
        peer.send(chunk);
        assert_eq!(peer.exactly(chunk.len()), chunk);
    }
    peer.finish();

    assert_eq!(peer.read_to_end(), b"", "it finishes, too");
}

#[test]
fn the_relay_lets_each_peer_say_ten_lines_a_second() {
    let Some((mut program, address)) = example("relay") else { return };
    let (mut talker, mut quiet, mut listener) =
        (Peer::connect(address), Peer::connect(address), Peer::connect(address));
    // All three are known to be here when each has been heard.
    talker.send("hello\n");
    quiet.send("hello\n");
    let _ = (listener.line(), listener.line());

    let began = Instant::now();
    talker.send((0..12).map(|number| format!("{number}\n")).collect::<String>());
    let mut heard = vec![listener.line(), listener.line()];
    quiet.send("in between\n");
    heard.extend((0..11).map(|_| listener.line()));

    assert!(began.elapsed() >= Duration::from_millis(1000), "twelve lines took {:?}", began.elapsed());
    let of_talker: Vec<String> = heard.iter().filter(|line| *line != "in between").cloned().collect();
    assert_eq!(of_talker, (0..12).map(|number| number.to_string()).collect::<Vec<_>>(), "all, in order");
    assert_ne!(heard.last().map(String::as_str), Some("in between"), "nobody else waits");
    program.signal("INT");
    assert_eq!(program.exit_status().code(), Some(0));
}

#[test]
fn the_store_answers_each_line_however_it_is_cut_and_says_good_bye() {
    let Some((_program, address)) = example("line_protocol") else { return };
    let mut peer = Peer::connect(address);

    peer.send("SET name swit");
    common::let_pass(Duration::from_millis(300));
    peer.send("chboard\r\nGET name\nGET other\nnonsense\nDEL name\nGET name\nQUIT\nGET name\n");

    let answers = String::from_utf8(peer.read_to_end()).unwrap();
    let expected =
        "OK\nVALUE switchboard\nNONE\nERROR write SET key value, GET key, DEL key or QUIT\nOK\nNONE\nBYE\n";
    assert_eq!(answers, expected);
}
