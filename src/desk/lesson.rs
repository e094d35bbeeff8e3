//! What `/learn` has to tell: a rule that was learnt, or why there is none.

use std::fmt;

use super::text::push_escaped;
use crate::buffer::framing::whole_chars;

/// A message or an answer is named up to so many bytes; that is enough to know it again.
const NAMED_BYTES_MAX: usize = 80;

/// Where a rule that was learnt was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// There is no file for it: it is known as long as this run goes on.
    Nowhere,
    /// In this file.
    To(String),
    /// Not in this file, and why: it is known as long as this run goes on.
    NotTo(String, String),
}

/// Why nothing was learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLesson {
    /// In this mode nobody is answered by rules.
    Mode,
    /// Nobody was sent anything yet.
    NobodyAnswered,
    /// What was sent last to this one was no answer: it had said nothing that waited for one.
    NotAsked(u64),
    /// What was sent last was for several.
    Several,
    /// What was sent last was a file.
    File,
    /// What this one said is longer than a rule's message.
    MessageTooLong(u64),
    /// So much was answered that it is no rule any more.
    AnswerTooLong,
    /// A rule answers this message already.
    Fits(Box<[u8]>),
    /// This answer was learnt.
    Learnt,
}

impl fmt::Display for NoLesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoLesson::Mode => f.write_str("nothing to learn: only the console answers by rules"),
            NoLesson::NobodyAnswered => f.write_str("nothing to learn: nobody was answered yet"),
            NoLesson::NotAsked(serial) => {
                write!(f, "nothing to learn: #{serial} had said nothing that waited for an answer")
            }
            NoLesson::Several => f.write_str(
                "nothing to learn: the last text was for several, and a rule is learnt from an answer to one",
            ),
            NoLesson::File => f.write_str("nothing to learn: the last answer was a file"),
            NoLesson::MessageTooLong(serial) => {
                write!(f, "cannot learn: what #{serial} said is longer than 4 KiB, or was cut (--max-line)")
            }
            NoLesson::AnswerTooLong => f.write_str("cannot learn: the answer is longer than 64 KiB"),
            NoLesson::Fits(message) => {
                write!(f, "nothing to learn: a rule answers {} already", named(message))
            }
            NoLesson::Learnt => f.write_str("nothing to learn: this answer was learnt already"),
        }
    }
}

/// Bytes as they are named in a sentence: spelt with escapes, in quotes, no more than their beginning.
pub fn named(bytes: &[u8]) -> String {
    let kept = &bytes[..bytes.len().min(NAMED_BYTES_MAX)];
    let mut spelt = b"\"".to_vec();
    push_escaped(&mut spelt, &kept[..whole(kept, bytes)]);
    let mut spelt = String::from_utf8_lossy(&spelt).into_owned();
    if kept.len() < bytes.len() {
        spelt.push('…');
    }
    spelt.push('"');
    spelt
}

/// How much of a beginning ends between two characters.
fn whole(kept: &[u8], all: &[u8]) -> usize {
    if kept.len() < all.len() { whole_chars(kept) } else { kept.len() }
}
