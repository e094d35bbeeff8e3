//! The operator's language: what may be wanted, what is answered, what happened, all typed; and the faces that spell
//! it, text and JSON. Nothing here acts on a connection.

mod attach;
mod command;
mod display;
mod event;
mod fault;
mod help;
pub mod http;
pub mod json;
mod lesson;
mod link;
mod name;
mod outlet;
mod protocol;
mod recording;
mod refusal;
mod relay;
mod reply;
mod rights;
mod rules;
mod screens;
mod template;
mod terminal;
pub mod text;
mod transcript;
mod words;

pub use attach::{Attached, Wanted};
pub use command::{
    Command, DeskSays, Every, Fault, Filter, How, Member, Payload, Request, To, View, Whose, serial_of,
};
pub use display::{Display, Unwritten};
pub use event::{Author, DeskId, Event, Namer, Operator, Receivers, Who};
pub use fault::{BadFault, FaultSpec};
pub use help::{HELP, Help, help};
pub use lesson::{NoLesson, Written};
pub use link::NoLink;
pub use name::{BadName, NAME_CHARS_MAX, check_name, folded, is_glob, matcher, may_be_target};
pub use outlet::Outlet;
pub use protocol::Protocol;
pub use recording::{Conversation, Progress, Recording, Turn, What};
pub use refusal::{CODES, Refusal};
#[cfg(any(test, feature = "simulator"))]
pub use relay::Bounds;
pub use relay::Relay;
pub use reply::{
    ConnState, Deed, Delivered, Filtered, Kept, Outcome, Repeated, Reply, Row, Tally, Target, Waiting,
};
pub use rights::Rights;
pub use rules::{Pattern, RuleSet, Spelt, parse_rules};
pub use screens::{Screens, Spelling, terminal_repertoire};
pub use template::{BadText, Part, Template, Value, push_template};
pub use terminal::{Aim, Roster, TerminalDesk, TerminalOptions};
pub use text::{Format, Mistake};
pub use transcript::Transcript;
