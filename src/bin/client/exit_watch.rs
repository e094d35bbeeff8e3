//! `exit`, found in what is typed however that is cut.

use switchboard::desk::text::without_cr;

/// Looks for a line that says `exit` in what is typed, however that is cut up. All else passes at once;
/// only what may yet become such a line is held back.
#[derive(Debug)]
pub struct ExitWatch {
    line: Line,
}

/// The word, with the line ending that some terminals have.
pub const EXIT: &[u8] = b"exit\r";

/// The line being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// So far it is the first so many bytes of `EXIT`; they are held back.
    MayBeExit(usize),
    /// It is something else.
    Other,
}

/// What to do with a chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// To be sent before it: it was held back.
    pub before: &'static [u8],
    /// How much of the chunk is to be sent.
    pub length: usize,
    /// A line said `exit`.
    pub leaves: bool,
}

impl Look {
    /// All of it is sent.
    pub fn all(chunk: &[u8]) -> Look {
        Look { before: b"", length: chunk.len(), leaves: false }
    }
}

impl Default for ExitWatch {
    fn default() -> Self {
        ExitWatch { line: Line::MayBeExit(0) }
    }
}

impl ExitWatch {
    /// What was taken and is neither to be sent yet nor an `exit`.
    pub fn held_back(&self) -> &'static [u8] {
        match self.line {
            Line::MayBeExit(count) => &EXIT[..count],
            Line::Other => b"",
        }
    }

    /// Looks at what was typed next.
    pub fn look(&mut self, chunk: &[u8]) -> Look {
        let held_before = self.held_back();
        let mut at = 0;
        loop {
            let newline = memchr::memchr(b'\n', &chunk[at..]);
            let line = &chunk[at..at + newline.unwrap_or(chunk.len() - at)];
            // What was held back belongs to the first line of the chunk: it goes where that goes.
            let before = if at == 0 { &[] } else { held_before };
            if let Line::MayBeExit(count) = self.line
                && EXIT[count..].starts_with(line)
            {
                self.line = Line::MayBeExit(count + line.len());
                let leaves = newline.is_some() && is_exit(self.held_back());
                if leaves || newline.is_none() {
                    return Look { before, length: at, leaves };
                }
            }
            let Some(length) = newline else {
                self.line = Line::Other;
                return Look { before: held_before, length: chunk.len(), leaves: false };
            };
            at += length + 1;
            self.line = Line::MayBeExit(0);
        }
    }
}

/// Whether a line says `exit`.
pub fn is_exit(line: &[u8]) -> bool {
    without_cr(line) == b"exit"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the text cut after every byte of `cuts`; returns what is sent, and whether it left.
    fn sent(text: &str, cuts: &[usize]) -> (String, bool) {
        let mut watch = ExitWatch::default();
        let mut out = Vec::new();
        let mut from = 0;
        for &to in cuts.iter().chain([&text.len()]) {
            let chunk = &text.as_bytes()[from..to];
            let look = watch.look(chunk);
            out.extend_from_slice(look.before);
            out.extend_from_slice(&chunk[..look.length]);
            if look.leaves {
                return (String::from_utf8(out).unwrap(), true);
            }
            from = to;
        }
        out.extend_from_slice(watch.held_back());
        (String::from_utf8(out).unwrap(), false)
    }

    #[test]
    fn a_line_that_says_exit_is_found_at_every_cut_and_all_else_passes() {
        for (text, passes, leaves) in [
            ("hi\nexit\nmore", "hi\n", true),
            ("exit\r\n", "", true),
            ("exits\nexi\n exit\nexit now\n", "exits\nexi\n exit\nexit now\n", false),
            ("\n\nexit\n", "\n\n", true),
            ("no exit\n", "no exit\n", false),
            ("exex\nexit", "exex\nexit", false),
            ("exit\rx\n", "exit\rx\n", false),
        ] {
            for first in 0..text.len() {
                for second in first..text.len() {
                    let found = sent(text, &[first, second]);
                    assert_eq!(found, (passes.to_owned(), leaves), "{text:?} cut at {first} and {second}");
                }
            }
        }
    }
}
