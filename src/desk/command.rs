//! What an operator may want, typed. A face reads it from what was typed or sent; the hub carries it out. Nothing here
//! is text but what is to be sent, and nothing knows the connections.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use super::fault::{BadFault, FaultSpec};
use super::help::Help;

/// One command, and the reference that its reply will carry.
#[derive(Debug, PartialEq)]
pub struct Request<'a> {
    /// As the program spelt it: a JSON string or integer.
    pub reference: Option<&'a str>,
    /// What is wanted.
    pub command: Command<'a>,
}

/// Something an operator wants. What can be is borrowed from the line.
#[derive(Clone, Debug, PartialEq)]
pub enum Command<'a> {
    /// Send something.
    Send(To<'a>, Payload<'a>),
    /// Send what a file has in it.
    File(To<'a>, &'a [u8]),
    /// Make this the current target.
    Target(To<'a>),
    /// Finish, close or reset.
    Close(To<'a>, How, Cow<'a, [u8]>),
    /// List the connections, or those whose name fits.
    Who(Option<Cow<'a, str>>),
    /// List who waits for an answer.
    Pending,
    /// Choose whoever waits longest.
    Next,
    /// Strike off the list of those who wait.
    Done(To<'a>),
    /// Show the last messages of one, so many at most.
    Show(To<'a>, Option<usize>),
    /// Give a name, or take it away.
    Name(To<'a>, Option<Cow<'a, str>>),
    /// Connect out.
    Dial(Cow<'a, str>, Option<Cow<'a, str>>),
    /// Pass on what each of two says to the other.
    Link(To<'a>, To<'a>),
    /// Pass nothing on any more between this one and whom it is linked to.
    Unlink(To<'a>),
    /// Whose messages are shown at this desk.
    Filter(Filter<'a>),
    /// How the messages of one, or of all, are shown at this desk.
    View(Option<To<'a>>, View),
    /// Repeat something that sends.
    Every(Every<'a>),
    /// Break something on purpose, end that, or show it.
    Fault(Whose<'a>, Fault),
    /// Answer from now on as was just done.
    Learn,
    /// Say who is at this desk, and what for.
    Desk(DeskSays<'a>),
    /// Say to whom something is being typed here; to nobody any more.
    Typing(Option<To<'a>>),
    /// Show the counters.
    Stats,
    /// Explain the commands, or one of them.
    Help(Option<&'static Help>),
    /// End the program in order.
    Quit,
    /// Part of the language, and not built yet.
    NotYet(&'static str),
}

/// What whoever is at a desk says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskSays<'a> {
    /// What it is called, for the other desks.
    pub name: Option<Cow<'a, str>>,
    /// It only looks on from now on.
    pub watches: bool,
    /// Its replies are to be told in words, too: for so many columns; 0 for a pipe.
    pub words: Option<usize>,
}

/// Whom a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To<'a> {
    /// Whoever is the current target.
    Current,
    /// Whoever spoke last.
    Last,
    /// Everybody.
    All,
    /// The connection with this number.
    One(u64),
    /// A name or a glob.
    Named(&'a str),
    /// Members with commas between them, as they were typed. There may be millions, so they are not read here:
    /// `first_member` does that, one at a time, and finds what is wrong with them.
    Typed(&'a [u8]),
    /// Members as a program listed them.
    Listed(Vec<Member>),
}

/// One of several who are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// Everybody.
    All,
    /// The connection with this number.
    One(u64),
    /// A name or a glob.
    Named(Box<str>),
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A text, as one message: it is framed as messages are.
    Text(Cow<'a, [u8]>),
    /// These bytes, exactly.
    Exact(Cow<'a, [u8]>),
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Our FIN, after what is queued; it is still heard.
    Eof,
    /// Politely: a reason as its last line, what is queued, FIN.
    Kick,
    /// By a reset; what is queued is lost.
    Reset,
}

/// Whose messages are shown at a desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter<'a> {
    /// Not those of these.
    Mute(To<'a>),
    /// Those of these alone.
    Focus(To<'a>),
    /// Everybody's.
    All,
}

/// How messages are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// As text.
    #[default]
    Text,
    /// As bytes in hexadecimal, and what of them is ASCII.
    Hex,
}

/// What is to be repeated.
#[derive(Clone, Debug, PartialEq)]
pub enum Every<'a> {
    /// This, so often.
    Begin(Duration, Box<Command<'a>>),
    /// Tell what is being repeated.
    List,
    /// Stop this one; all, where there is no number.
    Off(Option<u64>),
}

/// Whose faults a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Those of newcomers, from now on.
    Newcomers,
    /// Those of these.
    These(To<'a>),
}

/// What is to become of faults.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// These are added.
    Add(Rc<FaultSpec>),
    /// They end.
    Off,
    /// They are shown.
    Show,
}

impl Fault {
    /// What is meant by words behind the command, `off`, or nothing.
    ///
    /// # Errors
    /// What is wrong with the words.
    pub fn of(spec: Option<&str>) -> Result<Fault, BadFault> {
        match spec.map(str::trim_ascii) {
            None => Ok(Fault::Show),
            Some("off") => Ok(Fault::Off),
            Some(spec) => FaultSpec::parse(spec).map(|spec| Fault::Add(Rc::new(spec))),
        }
    }
}

impl Payload<'_> {
    /// The bytes, without what frames them.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Payload::Text(bytes) | Payload::Exact(bytes) => bytes,
        }
    }
}

/// The number that these digits spell: no sign, no zero in front.
pub fn serial_of(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || (digits[0] == b'0' && digits.len() > 1) {
        return None;
    }
    digits.iter().try_fold(0u64, |serial, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        serial.checked_mul(10)?.checked_add(digit)
    })
}
