//! A session over a scripted socket, with the library's buffered side as the peer.

use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion, version,
};

use super::*;
use crate::conn::stream::script::{Get, Put, Scripted, Wire, script};
use crate::conn::tls_end::{TlsEnd, TlsEndKind};
use crate::reactor::tls::record::READ_BYTES_MIN;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// Both configurations, made once for each version.
fn configs(version: &'static SupportedProtocolVersion) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    static MADE: OnceLock<[(Arc<ServerConfig>, Arc<ClientConfig>); 2]> = OnceLock::new();
    let made = MADE.get_or_init(|| VERSIONS.map(make));
    made[usize::from(version.version == version::TLS13.version)].clone()
}

fn make(version: &'static SupportedProtocolVersion) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let server =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[version]).unwrap();
    let mut server = server.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.resumption = rustls::client::Resumption::disabled();
    (Arc::new(server), Arc::new(client))
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A stream of ours and the peer of the other side.
struct Pair {
    ours: TlsStream<Scripted>,
    wire: Wire,
    peer: Connection,
    /// How much of what we have written the peer has had.
    seen: usize,
    /// What the peer has sent in all.
    sent: usize,
    /// What we have read.
    heard: Vec<u8>,
    /// What the peer has read.
    told: Vec<u8>,
}

/// How reading ended, other than for the time being.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Clean,
    Tls(TlsEndKind),
    Other(ErrorKind),
}

impl Pair {
    fn server(version: &'static SupportedProtocolVersion) -> Pair {
        let (server, client) = configs(version);
        let (socket, wire) = script();
        let ours = TlsStream::accepted(socket, Session::server(server).unwrap());
        let peer = ClientConnection::new(client, localhost()).unwrap().into();
        Pair { ours, wire, peer, seen: 0, sent: 0, heard: Vec::new(), told: Vec::new() }
    }

    fn client(version: &'static SupportedProtocolVersion) -> Pair {
        let (server, client) = configs(version);
        let (socket, wire) = script();
        let ours = TlsStream::dialled(socket, Session::client(client, localhost()).unwrap());
        let peer = ServerConnection::new(server).unwrap().into();
        Pair { ours, wire, peer, seen: 0, sent: 0, heard: Vec::new(), told: Vec::new() }
    }

    /// The handshake is over.
    fn settled(mut self) -> Pair {
        for _ in 0..10 {
            self.exchange(usize::MAX);
        }
        assert!(!self.ours.has_handshake() && !self.peer.is_handshaking());
        self
    }

    /// What the peer has to send arrives, so many bytes at a time; we take our part after each; the peer has the answers.
    fn exchange(&mut self, piece: usize) -> Option<End> {
        let mut records = Vec::new();
        while self.peer.wants_write() {
            self.peer.write_tls(&mut records).unwrap();
        }
        self.sent += records.len();
        let mut end = self.step();
        for piece in records.chunks(piece) {
            self.wire.arrives(piece);
            end = self.step().or(end);
        }
        self.peer_hears();
        end
    }

    /// What we have written so far arrives at the peer.
    fn peer_hears(&mut self) {
        let written = self.wire.written();
        let mut fresh = &written[self.seen..];
        while !fresh.is_empty() {
            self.peer.read_tls(&mut fresh).unwrap();
            // An alert is an error to it, and seen by whoever asks.
            let _ = self.peer.process_new_packets();
            self.drain_peer();
        }
        self.seen = written.len();
    }

    /// What the engine would do on an event.
    fn step(&mut self) -> Option<End> {
        if self.ours.kept().unwrap().has_unsent() {
            let _ = self.ours.flush();
        }
        if self.ours.has_handshake() {
            match self.ours.connected() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(end(&error)),
            }
        }
        let mut room = [0; 5000];
        loop {
            match self.ours.read(&mut room) {
                Ok(0) => return Some(End::Clean),
                Ok(count) => self.heard.extend_from_slice(&room[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => return Some(end(&error)),
            }
        }
    }

    fn peer_says(&mut self, bytes: &[u8]) {
        self.peer.set_buffer_limit(None);
        self.peer.writer().write_all(bytes).unwrap();
    }

    fn drain_peer(&mut self) {
        let mut some = [0; 4096];
        while let Ok(count @ 1..) = self.peer.reader().read(&mut some) {
            self.told.extend_from_slice(&some[..count]);
        }
    }

    /// All that the peer can tell of what we have said.
    fn peer_heard(&mut self) -> Vec<u8> {
        self.drain_peer();
        std::mem::take(&mut self.told)
    }

    /// Writes all of it, as much at a time as there is room for.
    fn say(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.ours.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    assert!(self.ours.kept().unwrap().has_unsent(), "who has nothing to send takes more");
                    self.wire.puts([Put::Accept(1000)]);
                    let _ = self.ours.flush();
                }
            }
        }
    }
}

fn end(error: &io::Error) -> End {
    TlsEnd::of(error).map_or(End::Other(error.kind()), |end| End::Tls(end.kind))
}

/// Bytes that say where they are.
fn text(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn pairs() -> impl Iterator<Item = Pair> {
    VERSIONS.into_iter().flat_map(|version| [Pair::server(version), Pair::client(version)])
}

#[test]
fn a_session_that_comes_byte_by_byte_is_heard_whole() {
    for mut pair in pairs() {
        for _ in 0..6 {
            pair.exchange(1);
        }
        let said = text(40_000);
        pair.peer_says(&said);
        pair.exchange(1);
        pair.say(&said);
        pair.peer_hears();

        assert_eq!(pair.heard, said);
        assert_eq!(pair.peer_heard(), said);
        assert_eq!(pair.ours.kept().unwrap().bytes(), 0, "nothing is kept of what is over");
    }
}

#[test]
fn whatever_the_pieces_and_the_room_nothing_is_lost() {
    for piece in [2, 5, 7, 100, 1460, 16_389, 70_000] {
        for pair in pairs() {
            let mut pair = pair.settled();
            let said = text(100_000);
            pair.peer_says(&said);
            pair.exchange(piece);

            assert!(pair.heard == said, "{piece} bytes at a time");
        }
    }
}

#[test]
fn a_socket_that_takes_a_few_bytes_at_a_time_gets_all_in_order() {
    for mut pair in pairs() {
        pair.wire.stalls();
        for _ in 0..4000 {
            pair.wire.puts([Put::Accept(3), Put::Interrupted, Put::WouldBlock]);
            pair.exchange(usize::MAX);
            if !pair.ours.has_handshake()
                && !pair.peer.is_handshaking()
                && !pair.ours.kept().unwrap().has_unsent()
            {
                break;
            }
        }
        let said = text(70_000);
        pair.say(&said);
        while pair.ours.kept().unwrap().has_unsent() {
            assert!(
                pair.ours.kept().unwrap().bytes() <= 2 * READ_BYTES_MIN + 64,
                "no more is encrypted meanwhile"
            );
            pair.wire.puts([Put::Accept(500)]);
            let _ = pair.ours.flush();
        }
        pair.peer_hears();

        assert_eq!(pair.peer_heard(), said);
        assert_eq!(pair.ours.kept().unwrap().bytes(), 0);
    }
}

#[test]
fn several_slices_are_one_record() {
    for pair in pairs() {
        let mut pair = pair.settled();
        let before = pair.wire.written().len();
        let slices = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two")];

        assert_eq!(pair.ours.write_vectored(&slices).unwrap(), 7);
        assert!(pair.wire.written().len() - before < 7 + 64);
        pair.peer_hears();
        assert_eq!(pair.peer_heard(), b"one two");
    }
}

#[test]
fn h31_whatever_is_missing_at_the_end_is_told_apart() {
    for version in VERSIONS {
        // Once all of it, to know how long it is.
        let play = |most: usize| {
            let mut pair = Pair::server(version);
            let mut end = None;
            let (mut left, mut settled_at) = (most, usize::MAX);
            for round in 0..8 {
                if round == 4 {
                    pair.peer_says(b"one\ntwo\n");
                    pair.peer.send_close_notify();
                }
                let mut records = Vec::new();
                while pair.peer.wants_write() {
                    pair.peer.write_tls(&mut records).unwrap();
                }
                pair.sent += records.len();
                records.truncate(left);
                left -= records.len();
                pair.wire.arrives(&records);
                if left == 0 && !records.is_empty() {
                    pair.wire.gets([Get::Eof]);
                }
                end = end.or(pair.step());
                if !pair.ours.has_handshake() {
                    settled_at = settled_at.min(most - left);
                }
                pair.peer_hears();
            }
            (end, pair.sent, settled_at, pair.heard.len())
        };
        let (end, all, settled_at, heard) = play(1 << 20);
        assert_eq!((end, heard), (Some(End::Clean), 8));
        for cut in 1..all {
            let (end, ..) = play(cut);
            let kind = if cut < settled_at { TlsEndKind::Handshake } else { TlsEndKind::Truncated };
            assert_eq!(
                end,
                Some(End::Tls(kind)),
                "cut after {cut} of {all} bytes, settled after {settled_at}"
            );
        }
        assert_eq!(play(all).0, Some(End::Clean), "what ends after close_notify is whole");
    }
}

#[test]
fn h28_a_client_that_gives_up_after_its_hello_is_let_go() {
    for version in VERSIONS {
        let mut pair = Pair::server(version);
        pair.exchange(usize::MAX);
        // close_notify, in the clear.
        pair.wire.arrives(&[21, 3, 3, 0, 2, 1, 0]);

        assert_eq!(pair.step(), Some(End::Tls(TlsEndKind::Handshake)));
        pair.wire.arrives(&[21, 3, 3, 0, 2, 1, 0]);
        let again = pair.ours.read(&mut [0; 100]).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::WouldBlock, "and not heard again");
    }
}

#[test]
fn h29_junk_after_our_end_is_an_error_and_no_panic() {
    for pair in pairs() {
        let mut pair = pair.settled();
        pair.ours.finish().unwrap();
        pair.peer_says(b"still here");
        pair.exchange(usize::MAX);
        assert_eq!(pair.heard, b"still here", "the peer is heard after our end");
        let written = pair.wire.written().len();

        pair.wire.arrives(&[23, 3, 3, 0, 32]);
        pair.wire.arrives(&[7; 32]);
        assert_eq!(pair.step(), Some(End::Tls(TlsEndKind::Broken)));
        assert_eq!(pair.wire.written().len(), written, "nothing follows our end");
        pair.wire.arrives(&[9; 1000]);
        assert_eq!(pair.step(), None, "what comes is thrown away");
        pair.wire.gets([Get::Eof]);
        assert_eq!(pair.step(), Some(End::Clean), "and its end is seen");
    }
}

#[test]
fn what_is_written_after_a_broken_record_was_told_is_told_the_same() {
    for pair in pairs() {
        let mut pair = pair.settled();
        pair.wire.arrives(&[23, 3, 3, 0, 32]);
        pair.wire.arrives(&[7; 32]);
        assert_eq!(pair.step(), Some(End::Tls(TlsEndKind::Broken)));

        let error = pair.ours.write(b"an answer to what came before it").expect_err("nothing is taken");
        assert_eq!(end(&error), End::Tls(TlsEndKind::Broken), "and not that the socket was lost");
    }
}

#[test]
fn an_end_that_finds_no_room_waits_with_all_that_is_before_it() {
    for pair in pairs() {
        let mut pair = pair.settled();
        pair.wire.stalls();
        pair.wire.puts([Put::Accept(10)]);
        assert_eq!(pair.ours.write(b"last words").unwrap(), 10);

        for _ in 0..200 {
            match pair.ours.finish() {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(!pair.ours.is_drained());
            assert_eq!(
                pair.ours.write(b"more").unwrap_err().kind() == ErrorKind::WouldBlock,
                !pair.wire.is_finished()
            );
            pair.wire.puts([Put::Accept(1)]);
            if pair.ours.flush().is_ok() && !pair.ours.kept().unwrap().has_unsent() {
                pair.wire.takes_all();
            }
        }
        assert!(pair.wire.is_finished());
        pair.peer_hears();
        assert_eq!(pair.peer_heard(), b"last words");
        assert!(pair.peer.process_new_packets().unwrap().peer_has_closed());
    }
}

#[test]
fn what_speaks_no_tls_is_told_so_by_an_alert() {
    let too_long = b"\x16\x03\x03\x48\x01";
    for said in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"hello you\n", b"\x16\x03\x01\xff\xff", too_long] {
        for piece in [1, 100] {
            let mut pair = Pair::server(&version::TLS13);
            let mut end = None;
            for piece in said.chunks(piece) {
                pair.wire.arrives(piece);
                end = end.or(pair.step());
            }
            assert_eq!(end, Some(End::Tls(TlsEndKind::Handshake)), "{said:?}");
            assert_eq!(pair.wire.written()[..5], [21, 3, 3, 0, 2], "a fatal alert");
            pair.ours.finish().unwrap();
            assert!(pair.wire.is_finished());
        }
    }
}

#[test]
fn a_key_update_is_answered_when_there_is_room() {
    for side in [Pair::server, Pair::client] {
        let mut pair = side(&version::TLS13).settled();
        pair.wire.stalls();
        pair.peer.refresh_traffic_keys().unwrap();
        pair.peer_says(b"with new keys");
        pair.exchange(usize::MAX);
        assert_eq!(pair.heard, b"with new keys");
        pair.wire.takes_all();
        if pair.ours.kept().unwrap().has_unsent() {
            pair.ours.flush().unwrap();
        }
        pair.say(b"answer");
        pair.peer_hears();

        assert_eq!(pair.peer_heard(), b"answer");
    }
}

#[test]
fn a_short_read_drains_unless_something_is_still_to_be_told() {
    for pair in pairs() {
        let mut pair = pair.settled();
        let says = |pair: &mut Pair, said: &[u8]| {
            pair.peer_says(said);
            let mut records = Vec::new();
            while pair.peer.wants_write() {
                pair.peer.write_tls(&mut records).unwrap();
            }
            pair.wire.arrives(&records);
        };
        let (mut room, reads) = ([0; 100], pair.wire.reads());

        says(&mut pair, b"a line\n");
        assert_eq!(pair.ours.read(&mut room).unwrap(), 7);
        assert!(pair.ours.short_read_drains() && pair.wire.reads() == reads + 1);

        says(&mut pair, &text(150));
        assert_eq!(pair.ours.read(&mut room).unwrap(), 100);
        assert!(!pair.ours.short_read_drains(), "more of it is kept");
        assert_eq!(pair.ours.read(&mut room).unwrap(), 50);
        assert!(!pair.ours.short_read_drains(), "meanwhile more may have been announced");

        pair.peer_says(b"last words");
        pair.peer.send_close_notify();
        says(&mut pair, b"");
        assert_eq!(pair.ours.read(&mut room).unwrap(), 10);
        assert!(!pair.ours.short_read_drains(), "that this was the end is still to be told");
    }
}

#[test]
fn an_idle_session_keeps_no_buffer() {
    for pair in pairs() {
        let mut pair = pair.settled();
        pair.peer_says(&text(64 << 10));
        pair.exchange(1460);
        assert_eq!(pair.ours.kept().unwrap().bytes(), 0);
    }
    let bytes = size_of::<TlsStream<crate::reactor::socket::Socket>>();
    assert!(bytes <= 1136, "{bytes}");
}
