//! The text face: events as lines for people and scripts, and what peers say made safe to show.

mod render;
mod safe;
mod stamp;

pub use render::{Renderer, Repertoire, plural, push_id, without_cr};
pub use safe::{push_ascii, push_human, push_tsv};
pub use stamp::Stamp;
