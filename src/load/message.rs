//! What is sent: each message can be told from every other, so that a reply that is lost, doubled,
//! garbled or delivered to somebody else is recognised as what it is.

use std::ops::Range;

/// How messages are made.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
    /// Pads or cuts a message to this size, its line ending included.
    size: Option<usize>,
    /// What it is padded with: enough for all of it.
    padding: Vec<u8>,
    /// A whole message, where all have the same form: only its digits have to be replaced.
    model: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    /// The connection's number, with at least so many digits.
    Conn(usize),
    /// The message's number on its connection.
    Seq(usize),
    /// A check over both numbers: a garbled digit must not look like somebody else's message.
    Check,
}

/// Who a message says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Which connection sent it, if it says.
    pub conn: Option<u64>,
    /// Which message of that connection it is, if it says.
    pub seq: Option<u64>,
}

impl Template {
    /// Messages of exactly `size` bytes (at least 1), line ending included. Where there is room they
    /// begin with their numbers and a check.
    pub fn of_size(size: usize) -> Template {
        let text = |text: &str| Part::Text(text.as_bytes().to_vec());
        let parts =
            vec![text("c"), Part::Conn(6), text(" m"), Part::Seq(10), text(" "), Part::Check, text(" ")];
        // Text, so that line-based servers and people can read it.
        let padding = b"abcdefghijklmnopqrstuvwxyz0123456789".iter().copied().cycle().take(size).collect();
        let mut template = Template { parts, size: Some(size), padding, model: None };
        if size > NUMBERED_BYTES {
            let mut model = Vec::new();
            template.push(0, 0, &mut model);
            template.model = Some(model);
        }
        template
    }

    /// Messages of this text, in which `{conn}` and `{seq}` stand for their numbers; a line ending is
    /// put behind it.
    pub fn of_text(text: &str) -> Template {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let next = [("{conn}", Part::Conn(1)), ("{seq}", Part::Seq(1))]
                .into_iter()
                .filter_map(|(name, part)| Some((rest.find(name)?, name.len(), part)))
                .min_by_key(|(at, ..)| *at);
            let Some((at, length, part)) = next else {
                parts.push(Part::Text(rest.as_bytes().to_vec()));
                break;
            };
            if at > 0 {
                parts.push(Part::Text(rest.as_bytes()[..at].to_vec()));
            }
            parts.push(part);
            rest = &rest[at + length..];
        }
        Template { parts, size: None, padding: Vec::new(), model: None }
    }

    /// Appends a message, line ending included.
    pub fn push(&self, conn: u64, seq: u64, out: &mut Vec<u8>) {
        let start = out.len();
        if let Some(model) = self.model.as_ref().filter(|_| conn < CONN_MAX && seq < SEQ_MAX) {
            out.extend_from_slice(model);
            let fields = &mut out[start..start + NUMBERED_BYTES];
            put_digits(&mut fields[CONN_AT], conn);
            put_digits(&mut fields[SEQ_AT], seq);
            fields[CHECK_AT].copy_from_slice(&check(conn, seq));
            return;
        }
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Conn(width) => push_number(out, conn, *width),
                Part::Seq(width) => push_number(out, seq, *width),
                Part::Check => out.extend_from_slice(&check(conn, seq)),
            }
        }
        if let Some(size) = self.size {
            out.truncate(start + size.saturating_sub(1));
            let missing = start + size - 1 - out.len();
            out.extend_from_slice(&self.padding[..missing]);
        }
        out.push(b'\n');
    }

    /// The size of the first message of this connection, line ending included.
    pub fn size_of(&self, conn: u64) -> u64 {
        let mut message = Vec::new();
        self.push(conn, 0, &mut message);
        message.len() as u64
    }

    /// Who a line (without its ending) claims to be, if it is a message of this template at all.
    pub fn claim(&self, line: &[u8]) -> Option<Claim> {
        let claim = self.read(line)?;
        let mut again = Vec::new();
        self.push(claim.conn.unwrap_or(0), claim.seq.unwrap_or(0), &mut again);
        again.pop();
        (again == line).then_some(claim)
    }

    /// The connection that a line claims to be from, which is quickly found out; the rest of it is not
    /// looked at.
    pub fn conn_of(&self, line: &[u8]) -> Option<u64> {
        let mut rest = line;
        for part in &self.parts {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(text.as_slice())?,
                Part::Conn(_) => return split_number(rest)?.0,
                Part::Seq(_) => rest = split_number(rest)?.1,
                Part::Check => rest = rest.get(CHECK_DIGITS..)?,
            }
        }
        None
    }

    /// Whether a message can be told from all others: it has both numbers, once each and apart.
    pub fn is_numbered(&self) -> bool {
        let count = |is_field: fn(&Part) -> bool| self.parts.iter().filter(|part| is_field(part)).count();
        let is_number = |part: &Part| matches!(part, Part::Conn(_) | Part::Seq(_));
        let apart = !self.parts.windows(2).any(|pair| pair.iter().all(is_number));
        let both = count(|part| matches!(part, Part::Conn(_))) == 1
            && count(|part| matches!(part, Part::Seq(_))) == 1;
        self.size.is_none_or(|size| size > NUMBERED_BYTES) && both && apart
    }

    fn read(&self, line: &[u8]) -> Option<Claim> {
        let mut claim = Claim::default();
        let mut rest = line;
        for part in &self.parts {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(text.as_slice())?,
                Part::Conn(_) => (claim.conn, rest) = split_number(rest)?,
                Part::Seq(_) => (claim.seq, rest) = split_number(rest)?,
                Part::Check => rest = rest.get(CHECK_DIGITS..)?,
            }
        }
        Some(claim)
    }
}

/// Where the fields of `Template::of_size` stand, and the first numbers that would not fit.
const CONN_AT: Range<usize> = 1..7;
const SEQ_AT: Range<usize> = 9..19;
const CHECK_AT: Range<usize> = 20..24;
const CONN_MAX: u64 = 1_000_000;
const SEQ_MAX: u64 = 10_000_000_000;

/// What the numbers and the check of `Template::of_size` take.
pub const NUMBERED_BYTES: usize = 25;

const CHECK_DIGITS: usize = 4;

/// Four letters from a multiplicative hash (Knuth, TAOCP 6.4) of both numbers.
fn check(conn: u64, seq: u64) -> [u8; CHECK_DIGITS] {
    let hash = (conn.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seq).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    [12, 8, 4, 0].map(|shift| b'a' + (hash >> shift & 15) as u8)
}

/// Fills a field with a number's digits, as far as it is no zero already.
fn put_digits(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn push_number(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

fn split_number(text: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..length]).ok()?.parse().ok()?;
    Some((Some(number), &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(template: &Template, conn: u64, seq: u64) -> Vec<u8> {
        let mut out = Vec::new();
        template.push(conn, seq, &mut out);
        out
    }

    #[test]
    fn a_message_has_the_size_that_was_asked_for() {
        for size in [1, 2, 20, 27, 28, 64, 1000] {
            let message = message(&Template::of_size(size), 7, 12);
            assert_eq!(message.len(), size);
            assert_eq!(message.last(), Some(&b'\n'));
        }
    }

    #[test]
    fn a_message_made_from_the_model_is_the_one_made_part_by_part() {
        let template = Template::of_size(64);
        let by_parts = Template { model: None, ..template.clone() };

        for (conn, seq) in [(0, 0), (7, 12), (999_999, 9_999_999_999), (1_000_000, 0), (0, 10_000_000_000)] {
            assert_eq!(message(&template, conn, seq), message(&by_parts, conn, seq), "{conn} {seq}");
        }
    }

    #[test]
    fn a_text_has_its_numbers_filled_in() {
        let template = Template::of_text("SET k{conn} {seq}");

        let message = message(&template, 3, 40);

        assert_eq!(message, b"SET k3 40\n");
        assert_eq!(template.claim(b"SET k3 40"), Some(Claim { conn: Some(3), seq: Some(40) }));
        assert_eq!(template.claim(b"SET k3 4x"), None);
    }

    #[test]
    fn no_garbled_byte_makes_a_message_look_like_another() {
        let template = Template::of_size(64);
        let original = message(&template, 12, 345);
        let line = &original[..63];
        assert_eq!(template.claim(line), Some(Claim { conn: Some(12), seq: Some(345) }));

        for at in 0..line.len() {
            for flip in 1..=255 {
                let mut garbled = line.to_vec();
                garbled[at] ^= flip;
                assert_eq!(template.claim(&garbled), None, "byte {at} flipped by {flip}");
            }
        }
    }
}
