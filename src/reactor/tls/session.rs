//! A TLS session: bytes in, bytes out, no socket. The one file that calls rustls, by its unbuffered API, by which a
//! session has no buffers of its own; what 0.24 calls otherwise is here.

use std::io;
use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{ClientConfig, CommonState, Error, ProtocolVersion, ServerConfig};

/// The most that one record carries (RFC 8446, 5.1).
pub(super) const RECORD_BYTES_MAX: usize = 16 << 10;
/// Room for what is sent beside data: flights, alerts, key updates. Where it is too little, it grows.
const FLIGHT_BYTES: usize = 4096;

/// A session of either side.
pub(super) enum Session {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What is to be written once all that came in has been looked at.
#[derive(Clone, Copy)]
pub(super) enum Wish<'a> {
    Nothing,
    /// These bytes.
    Say(&'a [u8]),
    /// That nothing more will be said.
    Close,
}

/// What is to be sent. Its memory stays and is not cleared for each record, since one that is cleared first costs as much
/// again as copying it.
#[derive(Debug, Default)]
pub(super) struct Output {
    memory: Vec<u8>,
    len: usize,
}

impl Output {
    pub fn clear(&mut self) {
        self.len = 0;
    }

    pub fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    /// Has something put behind what is there, into at least so much room; it says how much it was.
    fn put<E>(&mut self, room: usize, put: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<(), E> {
        let end = self.len + room;
        if self.memory.len() < end {
            self.memory.resize(end, 0);
        }
        self.len += put(&mut self.memory[self.len..])?;
        Ok(())
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Driven {
    /// So many bytes of the front of what came in are done with. What is left is given again, with more behind it.
    pub used: usize,
    /// The peer has said that it will say nothing more.
    pub ended: bool,
    /// What has ended the session. The alert that says so to the peer is among what is to be sent.
    pub error: Option<Error>,
}

/// The calls that both sides have and that only differ in a type.
trait Records {
    type Data;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
    fn common(&self) -> &CommonState;
}

impl Records for UnbufferedServerConnection {
    type Data = ServerConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
    fn common(&self) -> &CommonState {
        self
    }
}

impl Records for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
    fn common(&self) -> &CommonState {
        self
    }
}

impl Session {
    pub fn server(config: Arc<ServerConfig>) -> io::Result<Session> {
        UnbufferedServerConnection::new(config).map(Session::Server).map_err(io::Error::other)
    }

    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Session> {
        let session = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Session::Client(session))
    }

    /// Looks at all that came in (`incoming`; what was left of the last time comes first), puts what is to be sent behind
    /// what is in `out`, and gives what was said to `heard`.
    pub fn drive(
        &mut self,
        incoming: &mut [u8],
        wish: Wish<'_>,
        out: &mut Output,
        heard: impl FnMut(&[u8]),
    ) -> Driven {
        match self {
            Session::Server(session) => drive(session, incoming, wish, out, heard),
            Session::Client(session) => drive(session, incoming, wish, out, heard),
        }
    }

    pub fn is_handshaking(&self) -> bool {
        self.common().is_handshaking()
    }

    /// Whether it is TLS 1.3; known when the handshake is over.
    pub fn is_tls13(&self) -> bool {
        self.common().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    fn common(&self) -> &CommonState {
        match self {
            Session::Server(session) => session.common(),
            Session::Client(session) => session.common(),
        }
    }
}

fn drive<S: Records>(
    session: &mut S,
    incoming: &mut [u8],
    mut wish: Wish<'_>,
    out: &mut Output,
    mut heard: impl FnMut(&[u8]),
) -> Driven {
    let mut driven = Driven::default();
    loop {
        let UnbufferedStatus { mut discard, state, .. } = session.process(&mut incoming[driven.used..]);
        let mut goes_on = true;
        match state {
            Ok(ConnectionState::ReadTraffic(mut said)) => {
                while let Some(Ok(record)) = said.next_record() {
                    discard += record.discard;
                    heard(record.payload);
                }
            }
            // Nobody is offered to send any, unless a configuration says so that was not made for this.
            Ok(ConnectionState::ReadEarlyData(_)) => {
                driven.error = Some(Error::General("early data is not taken".into()));
                goes_on = false;
            }
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
            // What is in `out` is the caller's to be sent.
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => driven.ended = true,
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                let wrote = match std::mem::replace(&mut wish, Wish::Nothing) {
                    Wish::Nothing => Ok(()),
                    Wish::Say(bytes) => write(out, bytes.len(), |room| traffic.encrypt(bytes, room)),
                    Wish::Close => write(out, 0, |room| WriteTraffic::queue_close_notify(&mut traffic, room)),
                };
                driven.error = wrote.err();
                goes_on = false;
            }
            Ok(ConnectionState::Closed | ConnectionState::BlockedHandshake) => goes_on = false,
            // What a later version has beside these is nothing that was asked for.
            Ok(_) => goes_on = false,
            Err(error) => {
                driven.error = Some(error);
                goes_on = false;
            }
        }
        driven.used += discard;
        if !goes_on {
            break;
        }
    }
    if driven.error.is_some() {
        push_alert(session, &mut incoming[driven.used..], out);
    }
    driven
}

/// After an error the alert waits to be sent, perhaps behind a flight. Nothing else is asked of the session again.
fn push_alert<S: Records>(session: &mut S, incoming: &mut [u8], out: &mut Output) {
    while session.common().wants_write()
        && let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(data)), .. } =
            session.process(incoming)
    {
        encode(data, out);
    }
}

fn encode<D>(mut data: EncodeTlsData<'_, D>, out: &mut Output) {
    let mut room = FLIGHT_BYTES;
    while let Err(EncodeError::InsufficientSize(needed)) = out.put(room, |room| data.encode(room))
        && needed.required_size > room
    {
        room = needed.required_size;
    }
}

/// Encrypts so many bytes behind what is in `out`.
fn write(
    out: &mut Output,
    bytes: usize,
    mut encrypt: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Error> {
    let records = bytes.div_ceil(RECORD_BYTES_MAX).max(1);
    let mut room = bytes + records * 256;
    loop {
        match out.put(room, &mut encrypt) {
            Ok(()) => return Ok(()),
            Err(EncryptError::InsufficientSize(needed)) if needed.required_size > room => {
                room = needed.required_size;
            }
            Err(error) => return Err(Error::General(error.to_string())),
        }
    }
}
