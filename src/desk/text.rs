//! The text face: what is typed read as commands, events and replies as lines for people and scripts, and what peers
//! say made safe to show.

mod answered;
mod broken;
mod bytes;
mod comings;
mod desks;
mod mistake;
mod parse;
mod render;
mod reply;
mod safe;
mod stamp;
mod table;

pub use super::words::plural;
pub use bytes::from_escapes;
pub(in crate::desk) use bytes::{escape_of, push_escaped};
pub(in crate::desk) use desks::DeskNames;
pub use mistake::Mistake;
pub use parse::{first_member, parse, period_of};
pub use render::{Format, Renderer, Repertoire, push_id, without_cr};
pub(in crate::desk) use render::{push_number, push_peer, push_who};
pub(in crate::desk) use safe::plain_unquoted;
pub use safe::{push_ascii, push_human, push_tsv};
pub use stamp::Stamp;
