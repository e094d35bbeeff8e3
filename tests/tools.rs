//! Other people's tools against the echo server. A test whose tool is missing says so.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use common::{Program, Server, has_tool};

/// What a tool with these arguments makes of `printf 'hi\n' | tool` against an echo server on `port`.
#[track_caller]
fn gets_hi_back(tool: &str, arguments: impl FnOnce(&str) -> Vec<String>) {
    let server = Server::start(&["--echo"]);
    let mut command = Command::new(tool);
    command.args(arguments(&server.port()));
    let mut program = Program::start(command);

    program.write_stdin(b"hi\n");
    program.close_stdin();

    assert_eq!(String::from_utf8_lossy(&program.out.to_end()), "hi\n");
    let status = program.exit_status();
    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&program.err.to_end()));
}

fn texts(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

#[test]
fn the_client_gets_its_line_back() {
    gets_hi_back(env!("CARGO_BIN_EXE_switchboard-client"), |port| texts(&[port]));
}

#[test]
fn nc_gets_its_line_back() {
    if has_tool("nc") {
        gets_hi_back("nc", |port| texts(&["-N", "127.0.0.1", port]));
    }
}

#[test]
fn ncat_gets_its_line_back() {
    if has_tool("ncat") {
        gets_hi_back("ncat", |port| texts(&["127.0.0.1", port]));
    }
}

#[test]
fn socat_gets_its_line_back() {
    if has_tool("socat") {
        gets_hi_back("socat", |port| texts(&["-t", "6", "-", &format!("TCP:127.0.0.1:{port}")]));
    }
}

#[test]
fn redis_benchmark_completes() {
    if !has_tool("redis-benchmark") {
        return;
    }
    let server = Server::start(&["--echo"]);
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &server.port(), "-t", "ping_mbulk", "-c", "20", "-n", "20000", "-P", "16", "-q"]);

    let mut benchmark = Program::start(command);
    let status = benchmark.exit_status();

    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&benchmark.err.to_end()));
    let out = String::from_utf8_lossy(&benchmark.out.to_end()).into_owned();
    assert!(out.contains("requests per second"), "{out:?}");
}
