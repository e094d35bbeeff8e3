//! The operator's language: what may be wanted, what is answered, what happened, all typed; and the faces that spell
//! it, text and JSON. Nothing here acts on a connection.

mod command;
mod display;
mod event;
mod help;
pub mod json;
mod name;
mod refusal;
mod reply;
pub mod text;
mod words;

pub use command::{Command, Every, Filter, How, Member, Payload, Request, To, View, serial_of};
pub use display::{Display, Spelling, terminal_repertoire};
pub use event::{Author, DeskId, Event, Receivers, Who};
pub use help::{HELP, Help, help};
pub use name::{BadName, NAME_CHARS_MAX, check_name, folded, is_glob, may_be_target};
pub use refusal::{CODES, Refusal};
pub use reply::{
    ConnState, Deed, Delivered, Filtered, Kept, Outcome, Repeated, Reply, Row, Tally, Target, Waiting,
};
pub use text::{Format, Mistake};
