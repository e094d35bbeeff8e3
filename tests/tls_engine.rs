//! TLS in the engine, over real sockets: an echo that runs in a reactor, and peers that speak it by the library's own
//! buffered side, which shares no code with ours.
#![cfg(feature = "tls")]

#[path = "common/tls_peer.rs"]
mod peer;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, Connection, RootCertStore, ServerConfig, ServerConnection};
use switchboard::{
    App, Board, ConnId, Endpoint, Frame, Limits, Mailbox, Policy, Reactor, Reason, Role, Tls, TlsConfigs,
};

use peer::{both_ways, client, complete, with_small_buffers};

const DEADLINE: Duration = Duration::from_secs(60);

/// What the echo is told from outside.
enum Order {
    Dial(String),
    Stop,
}

/// Sends back what it hears, and tells of who comes and goes.
struct Echo {
    told: Sender<String>,
}

impl App for Echo {
    type Message = Order;

    fn policy(&self, _role: Role) -> Policy {
        Policy { backpressure: switchboard::Backpressure::Sender, ..Policy::RAW }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        let via = board.view(id).map(|view| view.via);
        let _ = self.told.send(format!("{id} open {via:?}"));
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        if frame.bytes == b"leave\n" {
            return board.close(id, Reason::Kicked("told so".into()));
        }
        board.send(id, frame.bytes);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, _board: &mut Board) {
        let _ = self.told.send(format!("{id} {}: {why}", why.code()));
    }

    fn message(&mut self, order: Order, board: &mut Board) {
        match order {
            Order::Dial(to) => {
                let found =
                    Endpoint::parse(&to).and_then(|at| at.resolve().map_err(|error| error.to_string()));
                board.dial(found.expect("an address").remove(0));
            }
            Order::Stop => board.stop(),
        }
    }
}

/// A reactor that runs in a thread.
struct Running {
    at: SocketAddr,
    mailbox: Mailbox<Order>,
    tls: Tls,
    told: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(limits: Limits, configs: TlsConfigs) -> Running {
        let (mut reactor, mailbox) = Reactor::new(limits).expect("a poller");
        let tls = reactor.use_tls(configs);
        let bound = reactor.listen_on("tls:127.0.0.1:0").expect("a port");
        assert!(bound.to_string().starts_with("tls:127.0.0.1:"), "{bound}");
        let at = bound.socket().expect("a TCP address");
        let (sender, told) = channel();
        let thread = thread::spawn(move || drop(reactor.run(Echo { told: sender }).expect("a loop")));
        Running { at, mailbox, tls, told, thread: Some(thread) }
    }

    /// What is told next.
    fn told(&self) -> String {
        self.told.recv_timeout(DEADLINE).expect("to be told something")
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.at).expect("to be accepted");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        socket
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.mailbox.post(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(thread::panicking() || ended.is_ok(), "the loop has panicked");
        }
    }
}

/// A certificate for localhost and whoever trusts it.
fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    // Of two with one subject the second would be told by its signature.
    static MADE: AtomicU32 = AtomicU32::new(0);
    let subject = format!("number {}", MADE.fetch_add(1, Ordering::Relaxed));
    params.distinguished_name.push(rcgen::DnType::CommonName, subject);
    let signing = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&signing).expect("a certificate").der().clone();
    let key = PrivateKeyDer::try_from(signing.serialize_der()).expect("a key");
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let server = server.expect("versions").with_no_client_auth();
    let mut server = server.with_single_cert(vec![certificate.clone()], key).expect("a key that fits");
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut client = client.expect("versions").with_root_certificates(roots).with_no_client_auth();
    client.resumption = Resumption::disabled();
    (Arc::new(server), Arc::new(client))
}

fn both() -> (TlsConfigs, Arc<ServerConfig>, Arc<ClientConfig>) {
    let (server, client) = configs();
    let configs =
        TlsConfigs { server: Some(server.clone()), client: Some(client.clone()), client_name: None };
    (configs, server, client)
}

/// A socket with a handshake behind it.
fn greeted(running: &Running, config: &Arc<ClientConfig>) -> (Connection, TcpStream) {
    let (mut session, mut socket) = (client(config), running.connect());
    complete(&mut session, &mut socket).expect("a handshake");
    (session, socket)
}

#[test]
fn h30_a_hundred_mebibytes_go_both_ways_at_once() {
    let (configs, _, trust) = both();
    let running = Running::start(Limits::default(), configs);
    let (session, socket) = greeted(&running, &trust);

    both_ways(session, socket, 100 << 20);

    assert_eq!(running.told(), "#1 open Some(Tls13)");
}

#[test]
fn h30_much_goes_both_ways_at_once_through_socket_buffers_of_4_kib() {
    let (configs, _, trust) = both();
    let running = Running::start(Limits::default(), configs);
    let (mut session, mut socket) = (client(&trust), with_small_buffers(running.at));
    complete(&mut session, &mut socket).expect("a handshake");

    both_ways(session, socket, 4 << 20);
}

#[test]
fn who_is_dialled_hears_and_is_heard() {
    let (configs, serving, _) = both();
    let running = Running::start(Limits::default(), configs);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    running.mailbox.post(Order::Dial(format!("tls:localhost:{}", at.port()))).expect("a loop");
    let (mut socket, _) = listener.accept().expect("to be dialled");
    let mut session = ServerConnection::new(serving).expect("a session").into();
    complete(&mut session, &mut socket).expect("a handshake");

    both_ways(session, socket, 8 << 20);

    assert_eq!(running.told(), "#1 open Some(Tls13)");
}

#[test]
fn a_server_that_is_not_who_it_should_be_is_not_connected_to() {
    let (configs, ..) = both();
    let running = Running::start(Limits::default(), configs);
    let (stranger, _) = self::configs();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    running.mailbox.post(Order::Dial(format!("tls:{at}"))).expect("a loop");
    let (mut socket, _) = listener.accept().expect("to be dialled");
    let mut session = ServerConnection::new(stranger).expect("a session").into();

    let told = complete(&mut session, &mut socket);

    let why = running.told();
    assert!(why.starts_with("#1 cannot-connect: no TLS handshake: certificate: "), "{why}");
    assert!(told.is_err_and(|error| error.to_string().contains("UnknownCA")), "an alert says why");
}

#[test]
fn how_tls_ended_a_connection_is_told_apart() {
    let (configs, _, trust) = both();
    let (_, distrust) = self::configs();
    let running = Running::start(Limits::default(), configs);
    let end = |what: &dyn Fn()| {
        what();
        loop {
            let told = running.told();
            if !told.contains(" open ") {
                return told.split_once(' ').expect("a number").1.to_owned();
            }
        }
    };
    let clean = end(&|| {
        let (mut session, mut socket) = greeted(&running, &trust);
        session.send_close_notify();
        session.write_tls(&mut socket).expect("room");
        // What comes back ends with its close_notify and FIN.
        socket.shutdown(std::net::Shutdown::Write).expect("a FIN");
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).expect("an end");
        session.read_tls(&mut &rest[..]).expect("room");
        assert!(session.process_new_packets().expect("records").peer_has_closed());
    });
    let cut_short = end(&|| drop(greeted(&running, &trust)));
    let http = end(&|| {
        let mut socket = running.connect();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("room");
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).expect("an end, and no reset");
        assert_eq!(rest, [21, 3, 3, 0, 2, 2, 50], "an alert");
    });
    let nothing = end(&|| drop(running.connect()));
    let refused = end(&|| {
        let (mut session, mut socket) = (client(&distrust), running.connect());
        let error = complete(&mut session, &mut socket).expect_err("an unknown issuer");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        let _ = session.write_tls(&mut socket);
    });
    let broken = end(&|| {
        let (_session, mut socket) = greeted(&running, &trust);
        socket.write_all(&[23, 3, 3, 0, 20]).expect("room");
        socket.write_all(&[9; 20]).expect("room");
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).expect("an alert and an end, and no reset");
        assert!(!rest.is_empty());
    });

    assert_eq!(clean, "finished: both sides finished");
    assert_eq!(cut_short, "truncated: cut off: it ended without TLS's close_notify");
    assert_eq!(http, "tls-handshake: no TLS handshake: it spoke plain HTTP");
    assert_eq!(nothing, "tls-handshake: no TLS handshake: the peer left before it began");
    assert_eq!(refused, "tls-handshake: no TLS handshake: certificate refused by the peer (unknown CA)");
    assert_eq!(broken, "tls-broken: TLS was broken: a record that cannot be decrypted");
}

#[test]
fn h29_who_says_goodbye_is_heard_until_it_has() {
    let (configs, _, trust) = both();
    let running = Running::start(Limits::default(), configs);
    let (mut session, mut socket) = greeted(&running, &trust);
    session.writer().write_all(b"leave\n").expect("room");
    session.write_tls(&mut socket).expect("room");

    let mut rest = [0; 1000];
    let count = socket.read(&mut rest).expect("a goodbye");
    session.read_tls(&mut &rest[..count]).expect("room");
    assert!(session.process_new_packets().expect("records").peer_has_closed());
    // What comes after it is no fault, be it data or not even that.
    session.writer().write_all(b"too late").expect("room");
    session.write_tls(&mut socket).expect("room");
    socket.write_all(&[7; 3000]).expect("room");
    drop(socket);

    assert_eq!(running.told(), "#1 open Some(Tls13)");
    assert_eq!(running.told(), "#1 kicked: kicked: told so");
}

#[test]
fn unfinished_handshakes_keep_nobody_out() {
    let (configs, _, trust) = both();
    let limits = Limits { conns_max: 20, ..Limits::default() };
    let running = Running::start(limits, configs);
    // Each says how a ClientHello begins, and then nothing.
    let squatters: Vec<_> = (0..60)
        .map(|_| {
            let mut socket = running.connect();
            socket.write_all(&[22, 3, 1]).expect("room");
            socket
        })
        .collect();

    for _ in 0..5 {
        let (mut session, mut socket) = greeted(&running, &trust);
        session.writer().write_all(b"hello").expect("room");
        complete(&mut session, &mut socket).expect("room");
        let mut echo = [0; 5];
        while session.reader().read(&mut echo).is_err() {
            session.complete_io(&mut socket).expect("an answer");
        }
        assert_eq!(&echo, b"hello");
    }
    drop(squatters);
}

#[test]
fn a_handshake_that_does_not_end_is_ended_in_time() {
    let (configs, ..) = both();
    let limits = Limits { tls_handshake_max: Duration::from_millis(300), ..Limits::default() };
    let running = Running::start(limits, configs);
    let began = Instant::now();
    let mut socket = running.connect();
    socket.write_all(&[22, 3, 1]).expect("room");

    assert_eq!(socket.read(&mut [0; 100]).expect("an end"), 0);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(running.told(), "#1 tls-handshake: no TLS handshake: it took longer than 300ms");
}

#[test]
fn who_is_turned_away_hears_no_plain_words_in_its_handshake() {
    let (configs, _, trust) = both();
    let limits = Limits { conns_max: 1, ..Limits::default() };
    let running = Running::start(limits, configs);
    let _inside = greeted(&running, &trust);
    let mut socket = running.connect();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).expect("an end");
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_new_certificate_is_for_those_who_come() {
    let (configs, _, trust) = both();
    let running = Running::start(Limits::default(), configs);
    let (mut before, mut socket) = greeted(&running, &trust);
    let (configs, _, new_trust) = both();
    running.tls.replace(configs);

    let _ = greeted(&running, &new_trust);
    before.writer().write_all(b"still here").expect("room");
    complete(&mut before, &mut socket).expect("it is heard as before");
    let (mut session, mut socket) = (client(&trust), running.connect());
    assert!(complete(&mut session, &mut socket).is_err(), "who trusts the old one alone");
}

#[test]
fn a_tls_address_is_not_listened_at_without_a_certificate() {
    let (mut reactor, _mailbox) = Reactor::<Order>::new(Limits::default()).expect("a poller");
    let error = reactor.listen_on("tls:127.0.0.1:0").expect_err("nothing to show");
    assert_eq!(error.to_string(), "there is no certificate for TLS");
}
