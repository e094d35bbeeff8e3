//! What was sent of itself, as people see it: a reply that nobody has typed, with its text behind it.

use std::io::{self, Write};

use crate::buffer::framing::whole_chars;
use crate::desk::event::{Author, Who};
use crate::desk::lesson::{Written, named};
use crate::desk::words::plural;

use super::render::{Repertoire, push_sent_to};

/// So much of a text is shown: enough to know it again.
const SHOWN_BYTES_MAX: usize = 256;

/// Appends `-> #3 5 bytes (reply) pong`.
pub(super) fn push_answered(
    out: &mut Vec<u8>,
    who: Who<'_>,
    by: Author,
    bytes: &[u8],
    repertoire: Repertoire,
) -> io::Result<()> {
    push_sent_to(out, who);
    write!(out, "{} ({}) ", plural(bytes.len() as u64, "byte"), by.word().unwrap_or("desk"))?;
    push_shown(out, bytes, repertoire);
    writeln!(out)
}

/// Appends as much of a text as is enough to know it again.
pub(super) fn push_shown(out: &mut Vec<u8>, bytes: &[u8], repertoire: Repertoire) {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let shown = &text[..text.len().min(SHOWN_BYTES_MAX)];
    let shown = if shown.len() < text.len() { &shown[..whole_chars(shown)] } else { shown };
    repertoire.push(out, shown);
    if shown.len() < text.len() {
        out.extend_from_slice(repertoire.ellipsis().as_bytes());
    }
}

/// Appends `-> "ping" is answered with "pong\n" from now on`, and where that was written down.
pub(super) fn push_learnt(
    out: &mut Vec<u8>,
    message: &[u8],
    answer: &[u8],
    written: &Written,
    repertoire: Repertoire,
) -> io::Result<()> {
    out.extend_from_slice(b"-> ");
    push_spelt(out, &named(message), repertoire);
    out.extend_from_slice(b" is answered with ");
    push_spelt(out, &named(answer), repertoire);
    out.extend_from_slice(b" from now on");
    match written {
        Written::Nowhere => {}
        Written::To(path) => repertoire.push(out, format!("; written to {path}").as_bytes()),
        Written::NotTo(path, why) => {
            repertoire.push(out, format!("; not written to {path}: {why}").as_bytes());
        }
    }
    writeln!(out)
}

/// What is spelt with escapes is not spelt out again, but for what whoever reads it cannot see.
pub(super) fn push_spelt(out: &mut Vec<u8>, text: &str, repertoire: Repertoire) {
    for char in text.chars() {
        match (char, repertoire) {
            ('…', Repertoire::Ascii) => out.extend_from_slice(b"..."),
            (char, _) if char.is_ascii() => out.push(char as u8),
            (char, _) => repertoire.push(out, char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
