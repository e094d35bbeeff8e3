//! What stands around a text on its way to a peer: who says it, where that has to be said, and what frames it.

use crate::board::Board;
use crate::buffer::framing::{Prefix, TooLong};
use crate::desk::Refusal;
use crate::hub::desks::Desks;
use crate::hub::job::Act;
use crate::hub::options::Voice;

/// What stands around a text: who says it, where that is to be said, and what frames it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    pub label: &'static [u8],
    pub prefix: Prefix,
    pub suffix: &'static [u8],
}

impl Around {
    /// What stands around a text by an operator who has no name, where messages are lines.
    pub const LINE: Around = Around { label: b"", prefix: Prefix::NONE, suffix: b"\n" };

    /// How long the text is with all of it.
    pub fn bytes(&self, text: &[u8]) -> usize {
        self.label.len() + self.prefix.len() + text.len() + self.suffix.len()
    }

    /// The text as it goes out, but for who says it.
    pub fn framed(&self, text: &[u8]) -> Vec<u8> {
        [&self.prefix, text, self.suffix].concat()
    }
}

impl Desks {
    /// What stands around what is sent to one, or why it cannot be sent to anybody.
    pub(super) fn check_length(&self, act: Act, bytes: &[u8], board: &Board) -> Result<Around, Refusal> {
        if act == Act::SendText && self.options.voice == Voice::Mute {
            return Err(Refusal::Mute);
        }
        let bytes_max = board.limits().outbox_bytes_max;
        let around = self.around(act, bytes).map_err(|error| Refusal::FrameTooLong(error.bytes_max))?;
        if around.bytes(bytes) > bytes_max { Err(Refusal::TooLong(bytes_max)) } else { Ok(around) }
    }

    /// What stands around what is sent to one.
    #[inline]
    pub(super) fn around(&self, act: Act, bytes: &[u8]) -> Result<Around, TooLong> {
        if act != Act::SendText {
            return Ok(Around::default());
        }
        let (prefix, suffix) = self.options.envelope.around(bytes.len())?;
        Ok(Around { label: self.private_label(), prefix, suffix })
    }

    /// The same of what is sent to all.
    pub(super) fn around_for_all(&self, act: Act, bytes: &[u8]) -> Result<Around, TooLong> {
        let around = self.around(act, bytes)?;
        Ok(Around { label: if act == Act::SendText { self.label() } else { b"" }, ..around })
    }
}
