//! How the line of a message begins, up to its text. Mostly it is like the one before it but for its number, which is one
//! more: the same peer has spoken in the same turn.

const FIRST: &[u8] = b"{\"ev\":\"msg\",\"seq\":";
const TEXT: &[u8] = b",\"text\":\"";

/// The line of the last message, up to its text.
#[derive(Debug, Default)]
pub struct Opening {
    line: Vec<u8>,
    /// Whose message it is; nobody's, where it has to be made anew.
    of: Option<u64>,
    seq: u64,
    /// Where the digits of its number end.
    digits_end: usize,
}

impl Opening {
    /// The next one has to be made anew.
    pub fn forget(&mut self) {
        self.of = None;
    }

    /// Whether it is that of a message of this one, under this number, or could be made so.
    #[inline]
    pub fn is_next(&mut self, serial: u64, seq: u64) -> bool {
        if self.of != Some(serial) || seq != self.seq + 1 {
            return false;
        }
        self.seq = seq;
        for digit in self.line[FIRST.len()..self.digits_end].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return true;
            }
            *digit = b'0';
        }
        false
    }

    /// Makes it anew. `push_number` and `push_rest` append its number and what stands behind that.
    pub fn make(
        &mut self,
        serial: u64,
        seq: u64,
        push_number: impl FnOnce(&mut Vec<u8>, u64),
        push_rest: impl FnOnce(&mut Vec<u8>),
    ) {
        self.line.clear();
        self.line.extend_from_slice(FIRST);
        push_number(&mut self.line, seq);
        self.digits_end = self.line.len();
        push_rest(&mut self.line);
        self.line.extend_from_slice(TEXT);
        (self.of, self.seq) = (Some(serial), seq);
    }

    /// Up to the first character of a text.
    #[inline]
    pub fn with_text(&self) -> &[u8] {
        &self.line
    }

    /// Up to where the key of the text begins.
    pub fn without_text(&self) -> &[u8] {
        &self.line[..self.line.len() - TEXT.len()]
    }
}
