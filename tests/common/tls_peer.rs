//! Peers that speak TLS by the library's own buffered side, which shares no code with ours.

// Each test file uses what it needs.
#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection};
use socket2::{Domain, Socket, Type};

use super::DEADLINE;

/// One that has said nothing yet.
pub fn client(config: &Arc<ClientConfig>) -> Connection {
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(config.clone(), name).expect("a session").into()
}

/// Does the handshake, and whatever else is to be done before what is said arrives.
pub fn complete(session: &mut Connection, socket: &mut TcpStream) -> io::Result<()> {
    while session.is_handshaking() || session.wants_write() {
        session.complete_io(socket)?;
    }
    Ok(())
}

/// The byte at this place of all that is said.
fn byte_at(place: usize) -> u8 {
    (place.wrapping_mul(0x9e37_79b9) >> 13) as u8
}

/// Says so much, in a thread, and hears it all back at the same time, each byte compared.
pub fn both_ways(session: Connection, socket: TcpStream, bytes: usize) {
    let session = Arc::new(Mutex::new(session));
    let writer = {
        let (session, mut socket) = (session.clone(), socket.try_clone().expect("a handle"));
        thread::spawn(move || {
            let mut said = 0;
            while said < bytes {
                let piece: Vec<u8> = (said..bytes.min(said + 40_000)).map(byte_at).collect();
                let mut records = Vec::new();
                let mut held = session.lock().expect("no panic");
                let count = held.writer().write(&piece).expect("room");
                while held.wants_write() {
                    held.write_tls(&mut records).expect("a buffer takes all");
                }
                drop(held);
                said += count;
                socket.write_all(&records).expect("to be read");
            }
        })
    };
    let (mut socket, mut heard) = (socket, 0);
    let (mut raw, mut plain) = (vec![0; 30_000], vec![0; 30_000]);
    while heard < bytes {
        let count = socket.read(&mut raw).expect("to be sent something");
        assert_ne!(count, 0, "it ended after {heard} bytes");
        let mut fresh = &raw[..count];
        let mut held = session.lock().expect("no panic");
        while !fresh.is_empty() {
            held.read_tls(&mut fresh).expect("room");
            held.process_new_packets().expect("records");
            while let Ok(count @ 1..) = held.reader().read(&mut plain) {
                let expected = (heard..heard + count).map(byte_at);
                assert!(plain[..count].iter().copied().eq(expected), "between {heard} and {count} more");
                heard += count;
            }
        }
    }
    writer.join().expect("all was said");
}

/// A socket with buffers of 4 KiB. Its segments are as short as on a network: with those of the loopback device, which
/// are longer than its window, the system itself waits 200 ms for each.
pub fn with_small_buffers(to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("a size");
    socket.set_send_buffer_size(4 << 10).expect("a size");
    socket.set_tcp_mss(536).expect("a size");
    socket.connect(&to.into()).expect("to be accepted");
    socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    socket.into()
}
