//! What is wrong with what was to be broken, in one line of words.

use std::fmt;

use super::words;

/// So much of a word is named.
const NAMED_CHARS_MAX: usize = 40;

/// What is wrong with the spelling of faults, or with what they are to be done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFault {
    /// There is no word.
    Nothing,
    /// There is no such fault; and one whose name is much like it.
    Unknown(String, Option<&'static str>),
    /// A word is not written so, but like this.
    Unreadable(String, &'static str),
    /// A word is about the connection, and not about one direction.
    NoDirection(&'static str),
    /// A word is there twice.
    Twice(&'static str),
    /// Our FIN cannot come later and never.
    SlowAndNoClose,
    /// `off` stands among others.
    OffAlone,
    /// A word is about newcomers alone.
    NewcomersOnly(&'static str),
    /// There are only words about when and whom, and nothing is broken.
    BreaksNothing,
}

impl BadFault {
    pub(super) fn unknown(name: &str) -> BadFault {
        let name = shortened(name);
        let nearest = words()
            .map(|word| (distance(&name, word), word))
            .min()
            .filter(|(distance, word)| *distance <= 2 && *distance * 2 < word.len())
            .map(|(_, word)| word);
        BadFault::Unknown(name, nearest)
    }

    pub(super) fn unreadable(spelt: &str, how: &'static str) -> BadFault {
        BadFault::Unreadable(shortened(spelt), how)
    }
}

fn shortened(spelt: &str) -> String {
    spelt.chars().take(NAMED_CHARS_MAX).collect()
}

/// How many characters have to be changed, left out or put in to make one of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, char) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, against) in other.iter().enumerate() {
            let changed = diagonal + usize::from(char != *against);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

impl std::error::Error for BadFault {}

impl fmt::Display for BadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadFault::Nothing => {
                f.write_str("no fault is named: write words such as latency=200ms in:stall, or off")
            }
            BadFault::Unknown(name, nearest) => {
                write!(f, "unknown fault {name:?}: ")?;
                if let Some(nearest) = nearest {
                    write!(f, "is it {nearest}? ")?;
                }
                write!(f, "There are {}", words().collect::<Vec<_>>().join(", "))
            }
            BadFault::Unreadable(spelt, how) => write!(f, "cannot read {spelt:?}: it is written {how}"),
            BadFault::NoDirection(word) => {
                write!(f, "{word} is about the whole connection: it takes neither out: nor in:")
            }
            BadFault::Twice(word) => {
                write!(f, "{word} is there twice: each word stands once for each direction")
            }
            BadFault::SlowAndNoClose => f.write_str("slow_close and no_close exclude each other"),
            BadFault::OffAlone => f.write_str("off stands alone: it ends all that is broken"),
            BadFault::NewcomersOnly(word) => {
                write!(f, "{word} is for newcomers only: it stands behind /fault new")
            }
            BadFault::BreaksNothing => f.write_str(
                "this breaks nothing: for, toxicity and seed say when and whom, beside a word that breaks something",
            ),
        }
    }
}
