//! The operator's language, pure: what may be typed, what happened, and how both are spelt. Nothing here acts on a
//! connection.

mod command;
mod display;
mod event;
pub mod text;

pub use command::{Command, HELP, Mistake, To, first_number, help, parse};
pub use display::{Desk, Format, terminal_repertoire};
pub use event::{Answer, Event, Many, Tally};
