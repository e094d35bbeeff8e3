//! What may be wrong with a text.

use std::fmt;

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadText {
    /// A backslash begins nothing that is known.
    Escape(String),
    /// A `${…}` that is not known.
    Unknown(String),
    /// A `${` without its `}`.
    Open(String),
    /// A `$` that begins nothing.
    Dollar,
    /// A wait that is none.
    Wait(String),
    /// A group of this number, where there are so many.
    NoGroup(usize, usize),
}

impl BadText {
    pub(super) fn escape(text: &[u8]) -> BadText {
        let length = if text.get(1) == Some(&b'x') { 4 } else { 2 };
        BadText::Escape(shown(&text[..length.min(text.len())]))
    }

    pub(super) fn unknown(text: &[u8]) -> BadText {
        BadText::Unknown(shown(text))
    }

    pub(super) fn open(text: &[u8]) -> BadText {
        BadText::Open(shown(text))
    }
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(40).collect()
}

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadText::Escape(text) => {
                write!(f, "\"{text}\" is no escape: there are \\r \\n \\t \\0 \\\\ \\xNN")
            }
            BadText::Unknown(text) => write!(
                f,
                "{text} stands for nothing: there are ${{id}} ${{name}} ${{peer}} ${{time}} ${{n}} ${{1}}… \
                 ${{close}} ${{rst}} ${{wait 200ms}}"
            ),
            BadText::Open(text) => write!(f, "{text} has no }}"),
            BadText::Dollar => f.write_str("a $ stands alone: $$ is one, ${…} stands for something"),
            BadText::Wait(time) => {
                write!(
                    f,
                    "cannot wait for {time:?}: a wait is a duration such as 200ms or 5s, of a day at most"
                )
            }
            BadText::NoGroup(group, groups) => {
                write!(f, "${{{group}}} names a group of which there are {groups}")
            }
        }
    }
}

impl std::error::Error for BadText {}
