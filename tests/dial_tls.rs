//! /dial to `tls:` addresses: what is told of those with whom TLS comes about, and of those with whom it does not.
#![cfg(feature = "tls")]
// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread;

use common::Server;
use serde_json::Value;
use tls::House;

/// Somebody who is dialled once, reads what comes first, says this and leaves; returns the port.
fn who_says(text: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let _ = stream.write_all(text.as_bytes());
    });
    port
}

#[test]
fn whoever_is_dialled_and_does_not_come_about_is_closed_with_the_reason() {
    let house = House::new("not-dialled");
    let far = house.serve(&["--echo"]);
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut server =
        Server::start(&["--tls-ca", &house.ca, "--tls-name", "other.example", "--tls-handshake", "500ms"]);

    for (number, (port, why)) in [
        (deaf, "Connection refused"),
        (who_says("HTTP/1.1 400 Bad Request\r\n\r\n"), "no TLS handshake: it spoke plain HTTP"),
        (who_says("SSH-2.0-device\r\n"), "no TLS handshake: it spoke SSH"),
        (who_says("login: "), "no TLS handshake: it did not speak TLS"),
        (who_says(""), "no TLS handshake: the peer left before it began"),
        (far.address.port(), "no TLS handshake: certificate: for another name (localhost"),
        (silent.local_addr().unwrap().port(), "no TLS handshake: it took longer than 500ms"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = number + 1;
        server.type_line(&format!("/dial tls:127.0.0.1:{port}"));
        let closed = server.wait_for_status(&format!("* #{number} closed: "));
        assert!(closed.starts_with(&format!("* #{number} closed: {why}")), "{closed}");
    }
    assert_eq!(server.stat("of them in the handshake"), 6);
    far.wait_for_status("closed: no TLS handshake: ");
    let err = String::from_utf8(server.err.so_far()).unwrap();
    assert!(!err.lines().any(|line| line.starts_with("* ") && line.contains(" connected to ")), "{err}");
}

#[test]
fn that_a_tap_waits_for_a_handshake_in_vain_ends_its_client_too_and_is_told() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = format!("tls:{}", silent.local_addr().unwrap());
    let tap = Server::start(&["--tls-insecure", "--tls-handshake", "300ms", "--tap", &target]);
    let mut client = tap.connect();
    let (bytes, _) = client.read_to_any_end();

    assert_eq!(bytes, b"");
    let closed = tap.wait_for_status("* #1 closed: ");
    let why = "linked to #2, which did not come about: no TLS handshake: it took longer than 300ms";
    assert!(closed.contains(why), "{closed}");
}

#[test]
fn whoever_is_dialled_is_judged_by_the_system_be_it_named_or_not() {
    let house = House::new("by-the-system");
    let far = house.serve(&["--echo"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.env("SSL_CERT_FILE", &house.ca).env_remove("SSL_CERT_DIR").arg("0");
    let mut server = Server::of(command);
    // With the first the authorities are read.
    for (number, host) in [(1, "127.0.0.1"), (2, "127.0.0.1"), (3, "localhost")] {
        server.type_line(&format!("/dial tls:{host}:{}", far.port()));
        let told = server.wait_for_status(&format!("* #{number} connected to "));
        assert_eq!(told, format!("* #{number} connected to {} (TLS 1.3)", far.address));
    }
}

#[test]
fn that_one_speaks_tls_is_told_when_it_opens_and_in_who() {
    let house = House::new("told");
    let far = house.serve(&["--format", "json"]);
    let mut server = Server::start(&["--tls-ca", &house.ca]);
    server.type_line(&format!("/dial tls:localhost:{} press", far.port()));
    let told = server.wait_for_status("* #1 press connected to ");
    assert!(told.ends_with(" (TLS 1.3)"), "{told}");
    assert_eq!(server.who()[0].state, "ESTABLISHED,tls1.3");

    let mut far = far;
    far.type_line(r#"{"cmd":"who","ref":"w"}"#);
    for (part, at) in [(r#"{"ev":"open""#, ""), (r#""ref":"w""#, "/conns/0")] {
        let line: Value = serde_json::from_str(&far.out.line_with(part)).unwrap();
        let one = line.pointer(at).unwrap();
        assert_eq!((&one["via"], &one["tls"]), (&"tls".into(), &"1.3".into()), "{line}");
    }
}
