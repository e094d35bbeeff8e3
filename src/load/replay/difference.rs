//! What was not as recorded, in words.

use std::time::Duration;

use crate::desk::text::push_tsv;

/// So much is kept of what was recorded and of what came instead, from a little before they part.
pub const BYTES_KEPT: usize = 48;
/// How much of that is the same in both, so that one sees where it is.
pub const SAME_BYTES_KEPT: usize = 16;

/// The first thing that was not as recorded in a conversation. An offset counts what the server had said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Other bytes came. Both begin with a few that are the same.
    Wrong {
        /// How many were right before.
        offset: u64,
        /// What was recorded.
        expected: Vec<u8>,
        /// What came.
        got: Vec<u8>,
    },
    /// More came than was recorded.
    Surplus {
        /// How much was recorded.
        offset: u64,
        /// What came behind that.
        got: Vec<u8>,
    },
    /// What was recorded next did not come in this time.
    Missing(u64, Awaited, Duration),
    /// The server had finished before.
    Ended(u64, Awaited),
    /// The connection broke, for this reason.
    Broke(u64, Awaited, String),
    /// The server took nothing for this time.
    NotRead(u64, Duration),
    /// It did not come about, for this reason.
    NotConnected(String),
}

/// What was recorded next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The server says this.
    Bytes(Vec<u8>),
    /// A message to it, which begins like this.
    Message(Vec<u8>),
    /// The server finishes.
    End,
    /// The server resets the connection.
    Reset,
    /// Nothing more: the recording ends.
    Nothing,
}

impl Difference {
    /// In words, of the conversation of this number, from 1.
    pub fn in_words(&self, number: usize) -> String {
        let what = match self {
            Difference::Wrong { offset, expected, got } => format!(
                "the server's bytes differ after {offset}: {} was recorded, {} came",
                quoted(expected),
                quoted(got)
            ),
            Difference::Surplus { offset, got } => {
                format!(
                    "{} came, too, behind all {offset} bytes that were recorded of the server",
                    quoted(got)
                )
            }
            Difference::Missing(offset, awaited, time) => {
                format!("after {offset} bytes of the server {awaited} did not come within {time:?}")
            }
            Difference::Ended(offset, awaited) => {
                format!("the server finished after {offset} bytes, where {awaited} was recorded")
            }
            Difference::Broke(offset, awaited, why) => {
                format!("{why} after {offset} bytes of the server, where {awaited} was recorded")
            }
            Difference::NotRead(offset, time) => {
                format!("the server read nothing for {time:?}, after {offset} bytes that it said")
            }
            Difference::NotConnected(why) => format!("cannot connect: {why}"),
        };
        format!("conversation {number}: {what}")
    }
}

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Awaited::Bytes(bytes) => f.write_str(&quoted(bytes)),
            Awaited::Message(bytes) => write!(f, "the message {}", quoted(bytes)),
            Awaited::End => f.write_str("its end"),
            Awaited::Reset => f.write_str("its reset"),
            Awaited::Nothing => f.write_str("nothing more"),
        }
    }
}

/// The beginning of something, as much as is kept.
pub fn beginning(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(BYTES_KEPT)].to_vec()
}

/// Bytes as they are shown: safe for a terminal, line endings to be seen.
fn quoted(bytes: &[u8]) -> String {
    let mut shown = vec![b'"'];
    push_tsv(&mut shown, bytes);
    shown.push(b'"');
    if bytes.len() == BYTES_KEPT {
        shown.extend_from_slice(b"...");
    }
    String::from_utf8_lossy(&shown).into_owned()
}
