//! /dial and --dial: connections that the operator begins, once or to be held.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use common::{Peer, Server, wait_until};

/// Somebody who waits to be dialled.
struct Callee {
    listener: TcpListener,
    address: SocketAddr,
}

impl Callee {
    fn at(address: SocketAddr) -> Callee {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        Callee { listener, address }
    }

    fn new() -> Callee {
        Callee::at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Waits until it is dialled.
    #[track_caller]
    fn answers(&self) -> Peer {
        let (stream, _) = wait_until("it to be dialled", || self.listener.accept().ok());
        Peer::dialled(stream)
    }

    /// Whether nobody dials it just now.
    fn is_left_alone(&self) -> bool {
        self.listener.accept().is_err()
    }
}

/// A port at which nobody listens.
fn deaf_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Types a line; returns the first line that comes then.
#[track_caller]
fn answer(server: &mut Server, line: &str) -> String {
    let from = server.err.so_far().len();
    server.type_line(line);
    server.err.wait_for(&format!("the answer to {line:?}"), |err| {
        String::from_utf8_lossy(&err[from..]).split_once('\n').map(|(line, _)| line.to_owned())
    })
}

#[test]
fn whoever_is_dialled_is_a_connection_like_any_other() {
    let callee = Callee::new();
    let address = callee.address;
    let mut server = Server::start(&[]);
    let (_first, _) = server.connect_numbered();

    let told = answer(&mut server, &format!("/dial {address} press"));
    assert_eq!(told, format!("-> #2 press is being connected to {address}"));
    let mut peer = callee.answers();
    server.wait_for_status(&format!("* #2 press connected to {address}"));
    server.hears(&mut peer, "who is there?");
    assert_eq!(server.out.line_with("who is there?"), "2\twho is there?");

    for line in ["an answer", "@2 by number", "@press by name", "@all to all", "/hex @press 00 0a"] {
        server.type_line(line);
    }
    for expected in ["an answer", "by number", "by name", "to all", "\0"] {
        assert_eq!(peer.line(), expected);
    }
    let row = &server.who()[1];
    assert_eq!((row.name.as_str(), row.peer.as_str()), ("press", address.to_string().as_str()));
    server.type_line("/kick press bye");
    assert_eq!(peer.read_to_end(), b"bye\n");
    drop(peer);
    server.wait_for_status("* #2 press closed: kicked: bye");
    assert!(callee.is_left_alone(), "/dial dials once");
}

#[test]
fn of_a_name_with_several_addresses_the_one_that_listens_is_found() {
    // localhost may be ::1, too, where nobody listens.
    let callee = Callee::new();
    let port = callee.address.port();
    let mut server = Server::start(&[]);

    let told = answer(&mut server, &format!("/dial localhost:{port} local"));
    assert_eq!(told, format!("-> #1 local is being connected to localhost:{port}"));
    let mut peer = callee.answers();
    server.wait_for_status("* #1 local connected to ");
    server.hears(&mut peer, "found");
    server.type_line("@local hello");
    assert_eq!(peer.line(), "hello");
}

#[test]
fn a_unix_socket_and_a_bare_port_are_dialled_too() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dialled-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let callee = Callee::new();
    let mut server = Server::start(&[]);

    server.type_line(&format!("/dial unix:{}", path.display()));
    server.wait_for_status("* #1 connected to unix");
    server.type_line(&format!("/dial {}", callee.address.port()));
    let _peer = callee.answers();
    server.wait_for_status(&format!("* #2 connected to {}", callee.address));
    drop(listener);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_dial_that_is_refused_is_closed_with_the_reason() {
    let port = deaf_port();
    let mut server = Server::start(&[]);

    for (number, host) in [(1, "127.0.0.1"), (2, "localhost")] {
        let told = answer(&mut server, &format!("/dial {host}:{port} name-{number}"));
        assert_eq!(told, format!("-> #{number} name-{number} is being connected to {host}:{port}"));
        let closed = server.wait_for_status(&format!("* #{number} name-{number} closed: "));
        let why = format!("* #{number} name-{number} closed: Connection refused (received 0, sent 0)");
        assert_eq!(closed, why);
    }
    // The name is free again, and what never came about was never said to have connected.
    server.type_line("/dial name.invalid:1 name-1");
    let closed = server.wait_for_status("* #3 name-1 closed: ");
    assert!(closed.ends_with(" (received 0, sent 0)"), "{closed:?}");
    assert_eq!(answer(&mut server, "@name-1 x").split(':').next(), Some("unknown target @name-1"));
    let err = String::from_utf8(server.err.so_far()).unwrap();
    assert!(!err.contains("name-1 connected to "), "{err}");
}

#[test]
fn what_cannot_be_dialled_is_refused_in_one_line_and_takes_no_number() {
    let mut server = Server::start(&[]);
    let (_peer, _) = server.connect_numbered();
    answer(&mut server, "/name 1 lab-a");
    let port = deaf_port();

    for (typed, told) in [
        ("/dial", "/dial is written /dial ADDRESS [NAME]".to_owned()),
        ("/dial nonsense", "cannot dial nonsense: \"nonsense\" has no port: write nonsense:5000".into()),
        ("/dial 127.0.0.1:99999", "cannot dial 127.0.0.1:99999: ".into()),
        (
            "/dial http://example.org/",
            "cannot dial http://example.org/: an address has no http:// in front".into(),
        ),
        ("/dial ::1:80", "cannot dial ::1:80: an IPv6 address stands in brackets: [::1]:80".into()),
        ("/dial 1:2 a b", "/dial does not take \"b\": it is written /dial ADDRESS [NAME]".into()),
        (&format!("/dial {port} LAB-A"), "cannot use the name LAB-A: #1 has it".into()),
        (&format!("/dial {port} all"), "cannot use the name \"all\": ".into()),
        ("/dial unix:/nobody/here", "-> #2 is being connected to unix:/nobody/here".into()),
    ] {
        let got = answer(&mut server, typed);
        assert!(got.starts_with(&told), "to {typed:?}: {got:?}");
    }
    let closed = server.wait_for_status("* #2 closed: ");
    assert!(closed.starts_with("* #2 closed: No such file or directory"), "{closed:?}");
}

#[test]
fn an_address_that_is_held_is_dialled_again_a_second_after_each_end_under_the_same_name() {
    let callee = Callee::new();
    let address = callee.address;
    let mut server = Server::start(&["--dial", &address.to_string()]);

    let peer = callee.answers();
    server.wait_for_status(&format!("* #1 connected to {address}"));
    answer(&mut server, "/name 1 press");
    let mut peer = Some(peer);
    for number in 2..=3 {
        let before = Instant::now();
        peer.take().unwrap().reset();
        server.wait_for_status(&format!("* #{} press closed: reset by the peer", number - 1));
        peer = Some(callee.answers());
        // Not at once: what fails at once would be dialled for ever. A busy machine only makes it later.
        assert!(before.elapsed() >= Duration::from_millis(990), "after {:?}", before.elapsed());
        server.wait_for_status(&format!("* #{number} press connected to {address}"));
        let peer = peer.as_mut().unwrap();
        answer(&mut server, "@press are you there?");
        assert_eq!(peer.line(), "are you there?");
        server.hears(peer, &format!("I am, for the time {number}"));
    }

    // A name that was taken away does not come back.
    answer(&mut server, "/name 3");
    peer.take().unwrap().reset();
    server.wait_for_status("* #3 closed");
    let _peer = callee.answers();
    server.wait_for_status(&format!("* #4 connected to {address}"));
}

#[test]
fn an_address_that_is_held_is_dialled_until_somebody_listens() {
    let port = deaf_port();
    let server = Server::start(&["--dial", &format!("localhost:{port}"), "--dial", &port.to_string()]);

    for number in [1, 2] {
        server.wait_for_status(&format!("* #{number} closed: Connection refused"));
    }
    let callee = Callee::at((Ipv4Addr::LOCALHOST, port).into());
    let _peers = [callee.answers(), callee.answers()];

    for number in [3, 4] {
        server.wait_for_status(&format!("* #{number} connected to "));
    }
    assert!(callee.is_left_alone(), "each of them is held once");
}

#[test]
fn a_program_is_told_the_number_at_once_and_then_what_became_of_it() {
    let callee = Callee::new();
    let mut server = Server::start(&["--format", "json"]);
    let mut event = |line: String, part: &str| -> Value {
        if !line.is_empty() {
            server.type_line(&line);
        }
        serde_json::from_str(&server.out.line_with(part)).unwrap()
    };

    let address = callee.address;
    let dial = format!(r#"{{"cmd":"dial","addr":"{address}","name":"press","ref":"d"}}"#);
    assert_eq!(event(dial, r#""ref":"d""#)["id"], 1);
    let mut peer = callee.answers();
    let opened = event(String::new(), r#"{"ev":"open""#);
    assert_eq!(
        (&opened["id"], &opened["name"], &opened["dialed"]),
        (&1.into(), &"press".into(), &true.into())
    );
    assert_eq!(opened["peer"], address.to_string());
    let sent = event(r#"{"cmd":"send","to":"press","text":"hi","ref":"s"}"#.into(), r#""ref":"s""#);
    assert_eq!(sent["queued"], 1);
    assert_eq!(peer.line(), "hi");

    let dial = format!(r#"{{"cmd":"dial","addr":"127.0.0.1:{}","ref":"e"}}"#, deaf_port());
    assert_eq!(event(dial, r#""ref":"e""#)["id"], 2);
    let closed = event(String::new(), r#"{"ev":"close""#);
    assert_eq!((&closed["id"], &closed["reason"]), (&2.into(), &"cannot-connect".into()));
    assert_eq!(closed["msg"], "Connection refused");
}
