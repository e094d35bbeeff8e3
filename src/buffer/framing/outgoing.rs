//! What is put around a message that is sent, so that the other side can tell where it ends.

use std::fmt;
use std::ops::Deref;

use super::enclosed::{ETX, STX};
use super::length::{Header, LengthBytes};

/// What stands before and behind each message that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Nothing.
    None,
    /// `\n` behind it.
    Lf,
    /// `\r` behind it.
    Cr,
    /// `\r\n` behind it.
    CrLf,
    /// A zero behind it.
    Nul,
    /// STX (0x02) before it and ETX (0x03) behind it.
    StxEtx,
    /// Its length before it.
    Length {
        /// How many bytes the length has.
        bytes: LengthBytes,
        /// Whether the lowest of them comes first; in a network the highest does.
        little_endian: bool,
    },
}

impl Envelope {
    /// What stands before a message of so many bytes, and what behind it. Whether the message holds bytes that mean an
    /// end to the other side is not looked at.
    ///
    /// # Errors
    /// Where the message is longer than the length in front of it can say.
    pub fn around(self, payload_bytes: usize) -> Result<(Prefix, &'static [u8]), TooLong> {
        let before = match self {
            Envelope::StxEtx => Prefix::of(&[STX]),
            Envelope::Length { bytes, little_endian } => {
                Header { bytes, little_endian }.write(payload_bytes)?
            }
            _ => Prefix::NONE,
        };
        Ok((before, self.behind()))
    }

    /// What stands behind a message.
    pub fn behind(self) -> &'static [u8] {
        match self {
            Envelope::None | Envelope::Length { .. } => b"",
            Envelope::Lf => b"\n",
            Envelope::Cr => b"\r",
            Envelope::CrLf => b"\r\n",
            Envelope::Nul => b"\0",
            Envelope::StxEtx => &[ETX],
        }
    }
}

/// The few bytes that stand before a message: a slice that needs no memory elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// As large as a register, since each frame carries one.
#[repr(align(8))]
pub struct Prefix {
    pub(super) bytes: [u8; 4],
    pub(super) count: u8,
}

impl Prefix {
    /// No bytes.
    pub const NONE: Prefix = Prefix { bytes: [0; 4], count: 0 };

    /// Four bytes at most.
    pub(super) fn of(from: &[u8]) -> Prefix {
        let mut bytes = [0; 4];
        bytes[..from.len()].copy_from_slice(from);
        Prefix { bytes, count: from.len() as u8 }
    }
}

impl Deref for Prefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.count)]
    }
}

/// A message is longer than the length in front of it can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The most bytes that fit.
    pub bytes_max: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message has at most {} bytes here", self.bytes_max)
    }
}

impl std::error::Error for TooLong {}
