//! Who comes, who goes, and who is linked to whom: the lines that say so.

use std::io::{self, Write};

use super::render::{Repertoire, push_event_of, push_number, push_peer, push_serial, push_who};
use crate::conn::Credentials;
use crate::desk::event::{Event, Who};
use crate::desk::protocol::Protocol;
use crate::desk::words::plural;

/// That somebody has connected, or was connected to.
pub(super) fn push_opened(out: &mut Vec<u8>, event: &Event<'_>) -> io::Result<()> {
    let Event::Opened { who, peer, dialled, client, via } = event else { return Ok(()) };
    push_event_of(out, *who);
    out.extend_from_slice(if *dialled { b" connected to " } else { b" connected from " });
    push_peer(out, peer)?;
    if let Some(Credentials { pid, uid }) = peer.credentials() {
        match pid {
            Some(pid) => write!(out, " (pid {pid}, uid {uid})")?,
            None => write!(out, " (uid {uid})")?,
        }
    }
    if let Some(client) = client {
        out.extend_from_slice(b" for ");
        push_serial(out, *client);
    }
    if let Some(version) = via.tls_version() {
        write!(out, " (TLS {version})")?;
    }
    writeln!(out)
}

/// What somebody speaks who may have come to the wrong port, or been dialled at one.
pub(super) fn push_speaks(out: &mut Vec<u8>, event: &Event<'_>) -> io::Result<()> {
    let Event::Speaks { who, protocol, dialled } = event else { return Ok(()) };
    push_event_of(out, *who);
    match (protocol, dialled) {
        (Protocol::Tls, false) => writeln!(out, " it speaks TLS (this port is plain)"),
        (Protocol::Tls, true) => writeln!(out, " it speaks TLS (it was dialled without)"),
        _ => writeln!(out, " it speaks {protocol}"),
    }
}

/// `#3 and #4 are linked`.
pub(super) fn push_linked(out: &mut Vec<u8>, before: &str, both: [Who<'_>; 2], are: &str) -> io::Result<()> {
    out.extend_from_slice(before.as_bytes());
    push_who(out, both[0]);
    out.extend_from_slice(b" and ");
    push_who(out, both[1]);
    writeln!(out, " {are}")
}

/// That a connection has ended.
pub(super) fn push_closed(out: &mut Vec<u8>, event: &Event<'_>, repertoire: Repertoire) -> io::Result<()> {
    let Event::Closed { who, why, unseen, received_bytes, sent_bytes, unsent_bytes, discarded_bytes } = event
    else {
        return Ok(());
    };
    push_event_of(out, *who);
    if let Some(peer) = unseen {
        out.extend_from_slice(b" from ");
        push_peer(out, peer)?;
    }
    out.extend_from_slice(b" closed: ");
    repertoire.push(out, why.to_string().as_bytes());
    out.extend_from_slice(b" (received ");
    push_number(out, *received_bytes);
    out.extend_from_slice(b", sent ");
    push_number(out, *sent_bytes);
    if *unsent_bytes > 0 {
        write!(out, ", {} could not be sent", plural(*unsent_bytes as u64, "byte"))?;
    }
    if *discarded_bytes > 0 {
        let were = if *discarded_bytes == 1 { "was" } else { "were" };
        let bytes = plural(*discarded_bytes as u64, "byte");
        write!(out, ", {bytes} came too late and {were} thrown away")?;
    }
    out.extend_from_slice(b")\n");
    Ok(())
}
