//! TLS around what the tests say plainly: a thread each way stands between a test's socket and the server, and speaks TLS
//! to the latter by the library's own buffered side, which shares no code with ours. An end is an end on both sides, a
//! reset a reset; that the server ended without a close_notify is a reset, too.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, SupportedProtocolVersion,
};

/// What the sockets between a test and its veil hold, each: little beside those of the server, as if they were not there.
const BUFFER_BYTES: usize = 64 << 10;

/// What the veils of a process speak with.
struct Veils {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    made: AtomicUsize,
}

fn veils() -> &'static Veils {
    static VEILS: OnceLock<Veils> = OnceLock::new();
    VEILS.get_or_init(|| {
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let signing = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&signing).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(signing.serialize_der()).unwrap();
        Veils { certificate, key, made: AtomicUsize::new(0) }
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Mostly TLS 1.3, every fourth time 1.2.
fn version() -> [&'static SupportedProtocolVersion; 1] {
    let number = veils().made.fetch_add(1, Ordering::Relaxed);
    if number % 4 == 3 { [&rustls::version::TLS12] } else { [&rustls::version::TLS13] }
}

/// What a server is started with, so that it speaks TLS on both sides. Whom to believe is another test's.
pub const ARGUMENTS: [&str; 3] = ["--tls-self-signed", "--tls", "--tls-insecure"];

/// Puts TLS over a connection to the server.
pub fn over_dialled(tls: TcpStream) -> TcpStream {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&version());
    let builder = builder.unwrap().dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    let config = Arc::new(builder.with_no_client_auth());
    let name = ServerName::try_from("localhost").unwrap();
    spread(tls, ClientConnection::new(config, name).unwrap().into())
}

/// Puts TLS over a connection that the server has dialled.
pub fn over_accepted(tls: TcpStream) -> TcpStream {
    let Veils { certificate, key, .. } = veils();
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&version());
    let builder = builder.unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![certificate.clone()], key.clone_key()).unwrap();
    spread(tls, ServerConnection::new(Arc::new(config)).unwrap().into())
}

/// Returns the test's end.
fn spread(tls: TcpStream, session: Connection) -> TcpStream {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    for stream in [&near, &far] {
        let socket = socket2::SockRef::from(stream);
        socket.set_recv_buffer_size(BUFFER_BYTES).unwrap();
        socket.set_send_buffer_size(BUFFER_BYTES).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    tls.set_nonblocking(false).unwrap();
    tls.set_nodelay(true).unwrap();
    let veil = Arc::new(Veil { plain: far, tls, session: Mutex::new(session) });
    thread::spawn(move || {
        if veil.shakes_hands().is_err() {
            // The server's own word is what a test looks at.
            return reset(&veil.plain);
        }
        let other = veil.clone();
        thread::spawn(move || other.goes_out());
        veil.comes_in();
    });
    near
}

struct Veil {
    plain: TcpStream,
    tls: TcpStream,
    session: Mutex<Connection>,
}

impl Veil {
    fn shakes_hands(&self) -> io::Result<()> {
        let mut session = self.session.lock().unwrap();
        while session.is_handshaking() || session.wants_write() {
            session.complete_io(&mut &self.tls)?;
        }
        Ok(())
    }

    /// What the test says.
    fn goes_out(&self) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let Ok(count) = (&self.plain).read(&mut buffer) else { return reset(&self.tls) };
            let mut records = Vec::new();
            let mut session = self.session.lock().unwrap();
            if count == 0 {
                session.send_close_notify();
            } else {
                session.writer().write_all(&buffer[..count]).unwrap();
            }
            while session.wants_write() {
                session.write_tls(&mut records).unwrap();
            }
            drop(session);
            if (&self.tls).write_all(&records).is_err() {
                return reset(&self.plain);
            }
            if count == 0 {
                let _ = self.tls.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    /// What the server says.
    fn comes_in(&self) {
        let (mut raw, mut said) = (vec![0; 32 << 10], Vec::new());
        // Whatever came with the handshake is looked at before anything is waited for.
        let mut count = 0;
        loop {
            let ended = self.takes(&raw[..count], &mut said);
            if (&self.plain).write_all(&said).is_err() {
                return reset(&self.tls);
            }
            match ended {
                Ok(true) => {
                    let _ = self.plain.shutdown(Shutdown::Write);
                    // A reset may follow.
                    return if (&self.tls).read(&mut raw).is_err() {
                        reset(&self.plain)
                    };
                }
                Ok(false) => {}
                Err(_) => return reset(&self.plain),
            }
            count = match (&self.tls).read(&mut raw) {
                Ok(count @ 1..) => count,
                Ok(_) | Err(_) => return reset(&self.plain),
            };
        }
    }

    /// Decrypts. Returns whether that was the last.
    fn takes(&self, mut raw: &[u8], said: &mut Vec<u8>) -> io::Result<bool> {
        said.clear();
        let mut session = self.session.lock().unwrap();
        loop {
            if !raw.is_empty() {
                session.read_tls(&mut raw)?;
            }
            let state = session.process_new_packets().map_err(io::Error::other)?;
            let at = said.len();
            said.resize(at + state.plaintext_bytes_to_read(), 0);
            session.reader().read_exact(&mut said[at..])?;
            if raw.is_empty() {
                return Ok(state.peer_has_closed());
            }
        }
    }
}

/// Resets a connection, although somebody else may still read of it.
fn reset(stream: &TcpStream) {
    let _ = rustix::net::connect_unspec(stream);
}

/// Believes anybody.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
