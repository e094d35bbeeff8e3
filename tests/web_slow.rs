//! Slow, huge and broken requests at the web desk, and very many of them: each is ended, and peers, desks and newcomers
//! notice nothing.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/web.rs"]
mod web;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Peer, connect_narrow, wait_until};
use serde_json::{Value, json};
use web::{Answer, Asked, FIN, PING, Socket, TEXT, Web, frame, to_end};

/// A desk that is attached, a peer, and what the server has open with them.
fn at_work(arguments: &[&str]) -> (Web, Socket, Peer, usize) {
    let web = Web::start(arguments);
    let mut desk = web.open();
    desk.event("hello");
    let peer = web.server.connect_numbered().0;
    let descriptors = web.server.descriptors();
    (web, desk, peer, descriptors)
}

/// A peer says something that the desk hears and answers, and nothing was lost in between; a newcomer is served.
#[track_caller]
fn goes_on(web: &Web, desk: &mut Socket, peer: &mut Peer, count: &mut u32) {
    *count += 1;
    peer.send(format!("question {count}\n"));
    assert_eq!(desk.event("msg")["text"], format!("question {count}"));
    desk.ask(json!({"cmd": "send", "to": 1, "text": format!("answer {count}")}));
    assert_eq!(peer.line(), format!("answer {count}"));
    assert_eq!(Asked::page(web.at, "/").ask(web.at).status, 200, "a newcomer");
}

/// The server has no more open than before.
#[track_caller]
fn are_back(web: &Web, before: usize) {
    wait_until("the descriptors to be back", || (web.server.descriptors() <= before).then_some(()));
}

/// Ends a connection without leaving anything of it in the system.
fn vanish(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn h70_a_head_that_comes_byte_by_byte_is_given_up_after_its_time() {
    let web = Web::start(&[]);
    let mut stream = web::connect(web.at);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();

    let mut bytes = Vec::new();
    let give_up_at = Instant::now() + common::DEADLINE;
    loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                assert!(Instant::now() < give_up_at, "it is still heard");
                // Always something new, and never the end.
                let _ = stream.write_all(b"x");
            }
            Err(error) => panic!("{error}"),
        }
    }

    let answer = Answer::of(&bytes);
    assert_eq!(answer.status, 408, "{}", answer.text());
}

#[test]
fn h70_beside_a_thousand_half_requests_newcomers_desks_and_peers_go_on() {
    let (web, mut desk, mut peer, descriptors) = at_work(&[]);
    let before = web.server.resident_bytes();
    let halves = [
        &b""[..],
        b"G",
        b"GET / HTTP/1.1\r\nHost: ",
        b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n",
        &[b'x'; 8000],
    ];
    let mut count = 0;
    let mut open = Vec::new();
    for number in 0..1000 {
        let mut stream = web::connect(web.at);
        // It may have been pushed out by those behind it.
        let _ = stream.write_all(halves[number % halves.len()]);
        open.push(stream);
        if number % 50 == 0 {
            goes_on(&web, &mut desk, &mut peer, &mut count);
        }
    }
    goes_on(&web, &mut desk, &mut peer, &mut count);

    let grown = web.server.resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
    // Sixty-four of them may wait, and no more.
    wait_until("most to be let go", || (web.server.descriptors() <= descriptors + 64).then_some(()));
    open.iter().for_each(vanish);
    drop(open);
    are_back(&web, descriptors);
}

#[test]
fn h70_ten_thousand_upgrades_without_the_token_cost_nobody_anything() {
    let (web, mut desk, mut peer, descriptors) = at_work(&[]);
    let without = Asked::socket(web.at, "").with("Sec-WebSocket-Protocol", "switchboard.v1").bytes();
    let wrong = Asked::socket(web.at, &"0".repeat(32)).bytes();
    let mut count = 0;
    let mut ask = |number: usize| {
        let mut stream = web::connect(web.at);
        stream.write_all(if number.is_multiple_of(2) { &without } else { &wrong }).unwrap();
        assert_eq!(Answer::of(&to_end(&mut stream)).status, 401);
        vanish(&stream);
    };
    (0..500).for_each(&mut ask);
    let before = web.server.resident_bytes();

    for number in 500..10_000 {
        ask(number);
        if number % 500 == 0 {
            goes_on(&web, &mut desk, &mut peer, &mut count);
        }
    }

    let grown = web.server.resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
    are_back(&web, descriptors);
}

#[test]
fn h70_many_who_do_not_read_their_answers_keep_no_newcomer_out() {
    let (web, mut desk, mut peer, descriptors) = at_work(&[]);
    let before = web.server.resident_bytes();
    let asked = Asked::page(web.at, "/main.js").bytes();
    let mut count = 0;
    let mut open = Vec::new();
    for number in 0..600 {
        let mut stream = connect_narrow(web.at);
        let _ = stream.write_all(&asked);
        open.push(stream);
        if number % 50 == 0 {
            goes_on(&web, &mut desk, &mut peer, &mut count);
        }
    }
    goes_on(&web, &mut desk, &mut peer, &mut count);

    let grown = web.server.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    open.iter().for_each(vanish);
    drop(open);
    are_back(&web, descriptors);
}

#[test]
fn h70_many_who_have_their_answer_and_stay_keep_no_newcomer_out() {
    let (web, mut desk, mut peer, descriptors) = at_work(&[]);
    let asked = Asked::page(web.at, "/nothing").bytes();
    let mut count = 0;
    let mut open = Vec::new();
    for number in 0..600 {
        let mut stream = web::connect(web.at);
        stream.write_all(&asked).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 404", "{number}: {}", String::from_utf8_lossy(&first));
        open.push(stream);
        if number % 100 == 0 {
            goes_on(&web, &mut desk, &mut peer, &mut count);
        }
    }
    goes_on(&web, &mut desk, &mut peer, &mut count);

    open.iter().for_each(vanish);
    drop(open);
    are_back(&web, descriptors);
}

#[test]
fn h70_a_head_of_a_gigabyte_is_refused_at_its_beginning() {
    let (web, mut desk, mut peer, _) = at_work(&[]);
    let before = web.server.resident_bytes();
    let mut stream = web::connect(web.at);
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let block = b"A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n".repeat(1000);

    // It is told long before, and what it still says is nobody's; after a while it is not even read any more.
    stream.write_all(&block).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 431");
    let mut sent = 0_usize;
    while sent < 1 << 30 && stream.write_all(&block).is_ok() {
        sent += block.len();
    }

    let grown = web.server.resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
    goes_on(&web, &mut desk, &mut peer, &mut 0);
}

#[test]
fn h70_the_end_of_the_server_waits_for_nobody_who_asks() {
    let (mut web, mut desk, peer, _) =
        at_work(&["--linger", "5m", "--linger-silence", "5m", "--drain", "5m"]);
    peer.reset();
    desk.event("close");
    let asking = |bytes: &[u8]| {
        let mut stream = web::connect(web.at);
        stream.write_all(bytes).unwrap();
        stream
    };
    let _halves: Vec<TcpStream> = (0..60).map(|_| asking(b"GET / HTTP/1.1\r\nHost: ")).collect();
    // These have their answer, and stay.
    let mut answered: Vec<TcpStream> = (0..60).map(|_| asking(&Asked::page(web.at, "/").bytes())).collect();
    answered.iter_mut().for_each(|stream| stream.read_exact(&mut [0; 12]).unwrap());

    web.server.signal("TERM");
    desk.event("bye");
    drop(desk);

    assert!(web.server.exit_status().success());
}

#[test]
fn h71_a_desk_that_pings_and_reads_nothing_is_ended_within_bounds() {
    let (web, mut desk, mut peer, descriptors) = at_work(&[]);
    let before = web.server.resident_bytes();
    let mut stream = connect_narrow(web.at);
    stream.write_all(&Asked::socket(web.at, &web.acts).bytes()).unwrap();
    let pings = frame(FIN | PING, &[b'x'; 125]).repeat(1000);

    let mut sent = 0_usize;
    // It is ended, and not waited for.
    while stream.write_all(&pings).is_ok() {
        sent += pings.len();
        assert!(sent < 1 << 30, "it is still read");
    }

    let grown = web.server.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    drop(stream);
    goes_on(&web, &mut desk, &mut peer, &mut 0);
    are_back(&web, descriptors);
}

#[test]
fn h45_a_page_that_is_always_behind_is_told_in_messages_that_end() {
    const COUNT: usize = 5000;
    let (_web, mut desk, mut peer, _) = at_work(&[]);
    // Each read of the server's brings more than one message may have.
    let line = format!("{}\n", "x".repeat(999));
    peer.send(line.repeat(COUNT));

    let mut seen = 0;
    while seen < COUNT {
        let told = desk.frame().expect("it goes on");
        assert_eq!(told.first, FIN | TEXT, "a message goes on after {} bytes", told.payload.len());
        for line in String::from_utf8(told.payload).unwrap().lines() {
            let line: Value = serde_json::from_str(line).expect("a whole line");
            match line["ev"].as_str().unwrap() {
                "msg" => seen += 1,
                "skipped" => seen += line["count"].as_u64().unwrap() as usize,
                _ => {}
            }
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn who_is_still_at_its_handshake_holds_up_no_end() {
    let mut web =
        Web::start(&["--web=tls:127.0.0.1:0", "--tls-self-signed", "--tls-handshake=1h", "--drain=1h"]);
    let silent = web::connect(web.at);
    // It was let in before this one.
    web.server.connect_numbered();

    web.server.signal("TERM");

    assert!(web.server.exit_status().success());
    drop(silent);
}
