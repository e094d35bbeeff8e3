//! Hazards 28 to 31: TLS with peers who give up, send junk, are cut off or come in pieces, against the built programs.
#![cfg(feature = "tls")]
// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tls.rs"]
mod made;
#[path = "common/tls_peer.rs"]
mod peer;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Program, Server};
use made::House;
use peer::{both_ways, client, complete};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
/// As long as nothing that TLS sends.
const PIECE: usize = 7;

/// Whom the house's client would believe, in one version alone.
fn trust(house: &House, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(house.authority.certificate.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

fn connect(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// What a session has to send.
fn records(session: &mut rustls::Connection) -> Vec<u8> {
    let mut records = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut records).unwrap();
    }
    records
}

/// Somebody else is served as if nothing had happened.
#[track_caller]
fn serves_on(server: &Server, trust: &Arc<ClientConfig>) {
    let (session, mut socket) = (client(trust), connect(server));
    let mut session = session;
    complete(&mut session, &mut socket).unwrap();
    both_ways(session, socket, 1000);
}

/// How the connections that were closed so far were, once there are so many: the reasons alone.
#[track_caller]
fn reasons(server: &Server, count: usize) -> Vec<String> {
    let lines = server.err.lines_with(" closed: ", count);
    let reason = |line: &String| line.split_once(" closed: ").unwrap().1.to_owned();
    lines.iter().map(|line| reason(line).split(" (received").next().unwrap().to_owned()).collect()
}

/// A socket on which what is sent comes in pieces, and ends after so many bytes.
struct Torn {
    socket: TcpStream,
    sent: usize,
    most: usize,
}

impl Write for Torn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE).min(self.most - self.sent);
        if count == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.socket.write_all(&bytes[..count])?;
        self.sent += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Torn {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.sent == self.most {
            // Whatever the answer is, nothing follows it.
            self.socket.shutdown(Shutdown::Write)?;
        }
        self.socket.read(room)
    }
}

/// A whole session, or as much of it as so many bytes of ours are. Returns how many the handshake took, and all.
fn session(server: &Server, trust: &Arc<ClientConfig>, most: usize) -> (usize, usize) {
    let (mut session, mut torn) = (client(trust), Torn { socket: connect(server), sent: 0, most });
    let mut settled = usize::MAX;
    let talk = |session: &mut rustls::Connection, torn: &mut Torn, settled: &mut usize| -> io::Result<()> {
        while session.is_handshaking() || session.wants_write() {
            session.complete_io(torn)?;
        }
        *settled = torn.sent;
        session.writer().write_all(b"one\ntwo\n")?;
        session.send_close_notify();
        while session.wants_write() {
            session.write_tls(torn)?;
        }
        Ok(())
    };
    let whole = talk(&mut session, &mut torn, &mut settled);
    assert!(whole.is_ok() || most < usize::MAX, "{whole:?}");
    let _ = torn.socket.shutdown(Shutdown::Write);
    let mut rest = Vec::new();
    // Who was cut off may be answered by a reset.
    let ended = torn.socket.read_to_end(&mut rest);
    assert!(ended.is_ok() || most < usize::MAX, "{ended:?}");
    (settled, torn.sent)
}

#[test]
fn h28_who_gives_up_after_its_hello_is_let_go_at_once_and_costs_nothing() {
    let house = House::new("h28");
    let server = house.serve(&["--echo", "--tls-handshake", "1h"]);
    for version in VERSIONS {
        let trust = trust(&house, version);
        let mut socket = connect(&server);
        socket.write_all(&records(&mut client(&trust))).unwrap();
        socket.write_all(&[21, 3, 3, 0, 2, 1, 0]).unwrap();

        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        serves_on(&server, &trust);
    }
    let reasons = reasons(&server, 4);
    let given_up = reasons.iter().filter(|why| *why == "no TLS handshake: the peer gave it up");
    assert_eq!(given_up.count(), 2, "{reasons:?}");
}

#[test]
fn h29_junk_after_our_goodbye_is_no_panic() {
    let house = House::new("h29");
    let mut server = house.serve(&[]);
    let mut number = 0;
    for version in VERSIONS {
        let trust = trust(&house, version);
        for command in ["/kick", "/eof"] {
            for junk in
                [&[7; 3000][..], &[23, 3, 3, 0, 32], &[21, 3, 3, 0, 2, 2, 80], &[22, 3, 3, 0, 4, 0, 0, 0, 0]]
            {
                let (mut session, mut socket) = (client(&trust), connect(&server));
                complete(&mut session, &mut socket).unwrap();
                number += 1;
                server.wait_for_status(&format!("#{number} connected"));
                server.type_line(&format!("{command} {number}"));
                let mut goodbye = [0; 1000];
                let count = socket.read(&mut goodbye).unwrap();
                session.read_tls(&mut &goodbye[..count]).unwrap();
                assert!(session.process_new_packets().unwrap().peer_has_closed());
                // Late, but right; then what is not even that.
                session.writer().write_all(b"late\n").unwrap();
                socket.write_all(&records(&mut session)).unwrap();
                let _ = socket.write_all(junk).and_then(|()| socket.write_all(&[9; 32]));
                drop(socket);
                server.wait_for_status(&format!("#{number} closed: "));
            }
        }
    }
    assert!(server.is_running());
    server.type_line("/stats");
    server.wait_for_status("connections");
}

#[test]
fn h30_records_of_a_byte_and_writes_of_a_byte_bring_the_same() {
    let house = House::new("h30");
    let sliced = house.serve(&["--echo", "--fault", "slicer=1"]);
    let plain = house.serve(&["--echo"]);
    for version in VERSIONS {
        let trust = trust(&house, version);
        let (mut session, mut socket) = (client(&trust), connect(&sliced));
        complete(&mut session, &mut socket).unwrap();
        both_ways(session, socket, 20_000);

        let (mut session, mut socket) = (client(&trust), connect(&plain));
        complete(&mut session, &mut socket).unwrap();
        let said: Vec<u8> = (0..3000_u32).map(|at| (at * 31) as u8).collect();
        let mut all = Vec::new();
        for byte in said.chunks(1) {
            session.writer().write_all(byte).unwrap();
            all.extend(records(&mut session));
        }
        // All at once, which is read as it comes; and nothing of it is left inside.
        socket.write_all(&all).unwrap();
        let mut heard = Vec::new();
        while heard.len() < said.len() {
            assert_ne!(session.read_tls(&mut socket).unwrap(), 0);
            session.process_new_packets().unwrap();
            let mut some = [0; 4096];
            while let Ok(count @ 1..) = session.reader().read(&mut some) {
                heard.extend_from_slice(&some[..count]);
            }
        }
        assert_eq!(heard, said);
    }
}

#[test]
fn h31_cut_off_after_every_seventh_byte_the_right_reason_is_told() {
    let house = House::new("h31");
    for version in VERSIONS {
        let (server, trust) = (house.serve(&["--echo"]), trust(&house, version));
        let (settled, all) = session(&server, &trust, usize::MAX);
        assert_eq!(reasons(&server, 1), ["both sides finished"]);
        for (number, cut) in (0..all).step_by(PIECE).enumerate() {
            session(&server, &trust, cut);
            let expected = match cut {
                0 => "no TLS handshake: the peer left before it began",
                cut if cut < settled => "no TLS handshake: the peer left in the middle of it",
                _ => "cut off: it ended without TLS's close_notify",
            };
            let told = reasons(&server, number + 2);
            assert_eq!(
                told.last().map(String::as_str),
                Some(expected),
                "after {cut} of {settled}, {all} bytes"
            );
        }
        serves_on(&server, &trust);
    }
}

/// Passes on what comes, a piece at a time.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut some = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut some) {
        if some[..count].chunks(PIECE).any(|piece| to.write_all(piece).is_err()) {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn a_relay_that_cuts_all_that_is_said_into_pieces_changes_nothing() {
    let house = House::new("pieces");
    let server = house.serve(&["--echo"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut ours = Program::client(&["--tls-ca", &house.ca, &format!("localhost:{port}")]);
    let (near, _) = listener.accept().unwrap();
    let far = connect(&server);
    near.set_nodelay(true).unwrap();
    for (from, to) in [(&near, &far), (&far, &near)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || pass_on(from, to));
    }

    let said: String = (0..3000).map(|number| format!("line {number}\n")).collect();
    ours.write_stdin(said.as_bytes());
    ours.close_stdin();

    assert!(ours.exit_status().success(), "{}", String::from_utf8_lossy(&ours.err.to_end()));
    assert_eq!(String::from_utf8(ours.out.to_end()).unwrap(), said);
    assert_eq!(reasons(&server, 1), ["both sides finished"]);
}

#[test]
fn whatever_is_said_in_place_of_tls_is_told_in_words_and_disturbs_nobody() {
    let house = House::new("junk");
    let server = house.serve(&["--echo", "--tls-handshake", "1h"]);
    let trust = trust(&house, &TLS13);
    let hello = records(&mut client(&trust));
    let torn = &hello[..hello.len() / 2];
    let ssl2: &[u8] = &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 16];
    let cases: [(&[u8], bool, &str); 17] = [
        (b"", true, "the peer left before it began"),
        (b"hello, is anybody there?\n", false, "it did not speak TLS"),
        (b"h", true, "it did not speak TLS"),
        (&[0; 100_000], false, "it did not speak TLS"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, "it spoke plain HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false, "it spoke plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", false, "it spoke SSH"),
        (&[255, 253, 1, 255, 251, 3], false, "it spoke telnet"),
        (ssl2, false, "it spoke SSL 2"),
        (torn, true, "the peer left in the middle of it"),
        (&[torn, &[b'x'; 1000]].concat(), false, "a message that cannot be read (MessageTooShort)"),
        (&[22, 3, 1, 0xff, 0xff, 1], false, "a record that is too long"),
        (&[22, 3, 3, 0x48, 1], false, "a record that is too long"),
        (&[21, 3, 1, 0, 2, 2, 40], false, "nothing in common, as the peer says (handshake failure)"),
        (&[21, 3, 1, 0, 2, 1, 0], false, "the peer gave it up"),
        (&[23, 3, 3, 0, 5, 1, 2, 3, 4, 5], false, "a message that does not belong there"),
        (&[20, 3, 3, 0, 1, 1], false, "a message that does not belong there"),
    ];
    for (number, (said, leaves, why)) in cases.into_iter().enumerate() {
        let mut socket = connect(&server);
        // What comes behind the first of it may find nobody any more.
        let _ = socket.write_all(said);
        if leaves {
            socket.shutdown(Shutdown::Write).unwrap();
        }
        let _ = socket.read_to_end(&mut Vec::new());
        // It is waited for, a while, to leave.
        drop(socket);
        let told = reasons(&server, number + 1);
        assert_eq!(told.last(), Some(&format!("no TLS handshake: {why}")), "{said:?}");
    }
    serves_on(&server, &trust);
}

/// What was encrypted counts as sent, and is ours as long as the system has not taken it.
#[test]
fn who_is_closed_and_reads_late_is_sent_all_that_it_was_promised() {
    let house = House::new("late");
    let mut server = house.serve(&["--format", "tsv"]);
    let mut socket = peer::with_small_buffers(server.address);
    let mut session = client(&trust(&house, &TLS13));
    complete(&mut session, &mut socket).unwrap();
    server.wait_for_status("#1 connected from ");

    let text = "x".repeat(49_999);
    for line in [format!("@1 {text}"), format!("@1 {text}"), format!("@1 {text}"), "/kick 1".to_owned()] {
        server.type_line(&line);
    }
    server.wait_for_status("#1 closes after what is queued");
    // Longer than whoever has taken its end is waited for.
    common::let_pass(Duration::from_millis(2500));

    let mut got = Vec::new();
    while session.read_tls(&mut socket).unwrap() > 0 {
        let state = session.process_new_packets().unwrap();
        let begun = got.len();
        got.resize(begun + state.plaintext_bytes_to_read(), 0);
        session.reader().read_exact(&mut got[begun..]).unwrap();
    }
    assert_eq!(got.len(), 3 * 50_000);
    server.wait_for_status("#1 closed: kicked (received 0, sent 150000)");
}

#[test]
fn what_was_encrypted_and_never_taken_is_told_as_not_sent_when_the_server_ends() {
    let house = House::new("unsaid");
    let mut server = house.serve(&["--format", "tsv", "--drain", "500ms"]);
    let mut socket = peer::with_small_buffers(server.address);
    let mut session = client(&trust(&house, &TLS13));
    complete(&mut session, &mut socket).unwrap();
    server.wait_for_status("#1 connected from ");
    for _ in 0..4 {
        server.type_line(&format!("@1 {}", "x".repeat(49_999)));
    }
    server.err.lines_with("-> #1 50000 bytes", 4);

    server.signal("TERM");

    let line = server.wait_for_status(" bytes could not be sent, to 1 connection");
    assert_eq!(server.exit_status().code(), Some(1));
    let unsent: usize = line.split(' ').find_map(|word| word.parse().ok()).unwrap();
    let mut got = 0;
    while session.read_tls(&mut socket).is_ok_and(|count| count > 0) {
        let said = session.process_new_packets().unwrap().plaintext_bytes_to_read();
        session.reader().read_exact(&mut vec![0; said]).unwrap();
        got += said;
    }
    assert_eq!(got + unsent, 200_000, "{line}");
}

#[test]
fn who_has_not_shaken_hands_is_nobody_until_it_is_lost_and_then_it_is_told_where_it_came_from() {
    let house = House::new("nobody");
    let mut server = house.serve(&["--echo"]);
    let (silent, lost) = (connect(&server), connect(&server));
    let came_from = lost.local_addr().unwrap();
    serves_on(&server, &trust(&house, &TLS13));
    server.wait_for_status("#3 closed: ");

    server.type_line("/who");
    server.wait_for_status("nobody is connected");
    socket2::SockRef::from(&lost).set_linger(Some(Duration::ZERO)).unwrap();
    drop(lost);

    server.wait_for_status(&format!("#2 from {came_from} closed: no TLS handshake: the peer has reset it"));
    server.signal("TERM");
    server.wait_for_status(&format!("#1 from {} closed: the server stops", silent.local_addr().unwrap()));
}

#[test]
fn those_who_are_pushed_out_of_their_handshakes_are_told_of_together() {
    let house = House::new("pushed");
    let server = house.serve(&["--max-conns", "4"]);
    let flood: Vec<TcpStream> = (0..40).map(|_| connect(&server)).collect();

    let line = server.wait_for_status(" turned away in the last second: pushed out of a handshake");

    assert!(line.starts_with("* "), "{line}");
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains(" closed: "), "and of nobody by itself");
    drop(flood);
}
