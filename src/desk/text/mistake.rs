//! What is wrong with a line that was typed.

use std::fmt;

use crate::desk::fault::BadFault;
use crate::desk::help::Help;

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Mistake {
    /// No such command.
    UnknownCommand(String),
    /// What stands behind `@`, or behind a command, can name no connections.
    UnknownTarget(String),
    /// The command is about a connection, and none was named.
    NoTarget(&'static Help),
    /// There is more behind the command than belongs there.
    TooMuch(&'static Help, String),
    /// Something is missing, or is not what belongs there.
    Usage(&'static Help),
    /// This spells no bytes.
    NotBytes(&'static Help, String),
    /// This is no time between two repetitions.
    NoPeriod(String),
    /// What is to be repeated sends nothing.
    DoesNotSend(String),
    /// What is to be broken is spelt wrong.
    BadFault(BadFault),
}

impl Mistake {
    /// A target that names no connections; what is long is cut.
    pub fn unknown_target(name: &[u8]) -> Mistake {
        Mistake::UnknownTarget(lossy(name))
    }

    /// One word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Mistake::UnknownCommand(_) => "unknown-command",
            Mistake::UnknownTarget(_) => "no-such-conn",
            Mistake::BadFault(_) => "bad-fault",
            _ => "bad-request",
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::UnknownCommand(name) => {
                write!(f, "unknown command {name}: /help lists them, //text sends a text that begins with /")
            }
            Mistake::UnknownTarget(name) => write!(
                f,
                "unknown target {name}: it is a number, a name or a glob, several with commas, all or last; \
                 @@text sends a text that begins with @"
            ),
            Mistake::NoTarget(help) => {
                // The usage without what may be left out is an example.
                let example = help.usage.split(" [").next().unwrap_or(help.usage);
                write!(f, "{} needs to know which connection, for example: {example}", help.name)
            }
            Mistake::TooMuch(help, what) => {
                write!(f, "{} does not take {what:?}: it is written {}", help.name, help.usage)
            }
            Mistake::Usage(help) => write!(f, "{} is written {}", help.name, help.usage),
            Mistake::NotBytes(help, what) => {
                write!(f, "{} cannot read {what:?}: it is written {}", help.name, help.usage)
            }
            Mistake::NoPeriod(what) => {
                write!(
                    f,
                    "/every cannot repeat each {what:?}: it takes 10ms to 24h, for example /every 5s hello"
                )
            }
            Mistake::DoesNotSend(what) => {
                write!(f, "/every repeats what sends something, and {what:?} does not")
            }
            Mistake::BadFault(why) => why.fmt(f),
        }
    }
}

/// The beginning of what was typed, to be shown in an error.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}
