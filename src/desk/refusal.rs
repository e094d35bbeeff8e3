//! Why nothing was done. Each has a code, out of a closed list, and one line of words.

use std::fmt;

use super::fault::BadFault;
use super::lesson::NoLesson;
use super::link::NoLink;
use super::name::BadName;
use super::reply::Tally;
use super::text::Mistake;
use super::words::size;

/// Why a command was not carried out, not even in part.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What was typed makes no sense.
    Mistake(Mistake),
    /// A line of JSON is none, or no object.
    BadJson(String),
    /// A key of it is wrong, missing, unknown or there twice.
    BadRequest(String),
    /// There is no such command.
    UnknownCommand(String),
    /// Part of the protocol, and not built yet.
    NotYet(&'static str),
    /// A line was longer than a line may be.
    LineTooLong,
    /// Nobody ever had this number.
    NoSuch(u64),
    /// Nobody has this name, or one that fits.
    NobodyNamed(String),
    /// There was a connection of this number.
    Gone(u64),
    /// We have finished sending to this connection.
    Finished(u64),
    /// So much is queued for the connection already.
    Full(u64, usize),
    /// What is to be sent is longer than all that may be queued for a connection.
    TooLong(usize),
    /// It does not fit into a frame, which holds so many bytes at most.
    FrameTooLong(usize),
    /// The command is about nobody: nobody is connected.
    Nobody,
    /// None of those who were named got it.
    NoneOf(Tally),
    /// There is no current target: nobody has spoken yet.
    NoTarget,
    /// Between two programs, whoever spoke last is a race.
    LastIsARace,
    /// The command is about one, and several were named.
    OneOnly,
    /// In this mode the operator says no texts.
    Mute,
    /// A name is none.
    BadName(String, BadName),
    /// Somebody else has this name.
    NameTaken(String, Option<u64>),
    /// Nobody waits for an answer.
    NobodyWaits,
    /// Nothing is repeated under this number.
    NoEvery(u64),
    /// A list is too long for what has to be known at once.
    TooManyMembers(usize),
    /// Too much is being repeated already.
    TooManyEveries(usize),
    /// An address is none.
    BadAddress(String, String),
    /// What is to be broken is spelt wrong, or cannot be.
    BadFault(BadFault),
    /// A file cannot be sent.
    File(String, String),
    /// A file is on its way to this connection.
    FileUnderWay(u64),
    /// A file is on its way to somebody, and all are meant.
    FilesUnderWay,
    /// Two cannot be linked, or one is not.
    Link(NoLink),
    /// There is nothing to learn.
    NoLesson(NoLesson),
    /// Whoever is at this desk may not do this.
    NotAllowed,
    /// Too many desks are attached already.
    TooManyDesks(usize),
    /// What a server that this desk is attached to has said, and its code.
    Told(&'static str, String),
    /// The server is stopping.
    Stopping,
}

/// All codes there are, for the schema and the documentation.
pub const CODES: [&str; 27] = [
    "bad-json",
    "bad-request",
    "unknown-command",
    "not-yet",
    "too-long",
    "no-such-conn",
    "gone",
    "finished",
    "full",
    "nobody",
    "none-sent",
    "no-target",
    "last-is-a-race",
    "mute",
    "bad-name",
    "name-taken",
    "no-such-every",
    "too-many",
    "bad-address",
    "bad-fault",
    "file",
    "linked",
    "not-linked",
    "loop",
    "nothing-to-learn",
    "not-allowed",
    "stopping",
];

impl Refusal {
    /// One word for programs, out of `CODES`.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Mistake(mistake) => mistake.code(),
            Refusal::BadJson(_) => "bad-json",
            Refusal::BadRequest(_) | Refusal::OneOnly => "bad-request",
            Refusal::UnknownCommand(_) => "unknown-command",
            Refusal::NotYet(_) => "not-yet",
            Refusal::LineTooLong | Refusal::TooLong(_) | Refusal::FrameTooLong(_) => "too-long",
            Refusal::NoSuch(_) | Refusal::NobodyNamed(_) => "no-such-conn",
            Refusal::Gone(_) => "gone",
            Refusal::Finished(_) => "finished",
            Refusal::Full(..) => "full",
            Refusal::Nobody | Refusal::NobodyWaits => "nobody",
            Refusal::NoneOf(_) => "none-sent",
            Refusal::NoTarget => "no-target",
            Refusal::LastIsARace => "last-is-a-race",
            Refusal::Mute => "mute",
            Refusal::BadName(..) => "bad-name",
            Refusal::NameTaken(..) => "name-taken",
            Refusal::NoEvery(_) => "no-such-every",
            Refusal::TooManyEveries(_) | Refusal::TooManyMembers(_) | Refusal::TooManyDesks(_) => "too-many",
            Refusal::BadAddress(..) => "bad-address",
            Refusal::BadFault(_) => "bad-fault",
            Refusal::File(..) | Refusal::FileUnderWay(_) | Refusal::FilesUnderWay => "file",
            Refusal::Link(why) => why.code(),
            Refusal::NoLesson(_) => "nothing-to-learn",
            Refusal::NotAllowed => "not-allowed",
            Refusal::Told(code, _) => code,
            Refusal::Stopping => "stopping",
        }
    }

    /// What is said of one that is about nobody in particular.
    fn always_said(&self) -> Option<&'static str> {
        Some(match self {
            Refusal::LineTooLong => "cannot take this line: it is longer than 16 MiB",
            Refusal::Nobody => "nobody is connected",
            Refusal::NoTarget => "cannot send: nobody has spoken yet (@3 text sends to #3)",
            Refusal::OneOnly => "this is about one connection, and several were named",
            Refusal::NobodyWaits => "nobody waits for an answer",
            Refusal::FilesUnderWay => "cannot send to all: a file is on its way to somebody",
            Refusal::NotAllowed => "this may not be done at this desk: nothing was done",
            Refusal::Stopping => "the server is stopping: this was not done",
            _ => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(always) = self.always_said() {
            return f.write_str(always);
        }
        match self {
            Refusal::Mistake(mistake) => mistake.fmt(f),
            Refusal::BadJson(why) => write!(f, "this line is no JSON object: {why}"),
            Refusal::BadRequest(why) | Refusal::Told(_, why) => f.write_str(why),
            Refusal::UnknownCommand(name) => write!(f, "unknown command {name:?}"),
            Refusal::NotYet(name) => write!(f, "{name} is not built yet"),
            Refusal::NoSuch(serial) => write!(f, "there is no #{serial}: nothing was done"),
            Refusal::NobodyNamed(name) => write!(
                f,
                "unknown target @{name}: nobody has this name, or one that fits; \
                 @@text sends a text that begins with @"
            ),
            Refusal::Gone(serial) => write!(f, "#{serial} is gone"),
            Refusal::Finished(serial) => write!(f, "cannot send to #{serial}: our side of it is finished"),
            Refusal::Full(serial, queued) => {
                write!(f, "#{serial} is not reading, {} queued: this was not sent", size(*queued))
            }
            Refusal::TooLong(max) => {
                write!(f, "cannot send this text: it is longer than {} (--queue-max)", size(*max))
            }
            Refusal::FrameTooLong(max) => {
                write!(f, "cannot send this text: a frame holds {} (--frame)", size(*max))
            }
            Refusal::NoneOf(Tally { gone, full, finished, not_reached, .. }) => write!(
                f,
                "nobody got it: {gone} gone, {full} not reading, {finished} to whom our side is finished, \
                 {not_reached} not reached"
            ),
            Refusal::LastIsARace => {
                f.write_str("\"last\" is a race between two programs: name a connection by its number")
            }
            Refusal::Mute => f.write_str(
                "cannot send: in this mode the operator does not speak (/send and /hex send bytes)",
            ),
            Refusal::BadName(name, why) => write!(f, "cannot use the name {name:?}: {why}"),
            Refusal::NameTaken(name, Some(serial)) => {
                write!(f, "cannot use the name {name}: #{serial} has it")
            }
            Refusal::NameTaken(name, None) => write!(f, "the name {name} is not yours to take or to leave"),
            Refusal::NoEvery(number) => write!(f, "nothing is repeated under {number}: /every lists all"),
            Refusal::TooManyMembers(max) => write!(f, "cannot repeat for a list of more than {max}"),
            Refusal::TooManyEveries(max) => write!(f, "cannot repeat more than {max} at a time"),
            Refusal::BadAddress(address, why) => write!(f, "cannot dial {address}: {why}"),
            Refusal::BadFault(why) => why.fmt(f),
            Refusal::File(path, why) => write!(f, "cannot send {path}: {why}"),
            Refusal::FileUnderWay(serial) => {
                write!(f, "cannot send to #{serial}: a file is on its way to it")
            }
            Refusal::Link(why) => why.fmt(f),
            Refusal::NoLesson(why) => why.fmt(f),
            Refusal::TooManyDesks(max) => write!(f, "cannot attach: {max} desks are attached already"),
            // The others are always said in the same way.
            _ => Ok(()),
        }
    }
}
