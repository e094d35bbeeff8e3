//! The operator's side: stdin and the screens, each with a thread of its own, and the two pure pieces
//! between them and the modes: the grammar of commands, and the rendering of events.
//!
//! Nothing here knows a socket or the loop.

mod answer;
mod command;
mod desk;
mod input;
mod render;
mod safe;
mod screen;
mod signals;
mod stamp;
mod stdin;

use std::io;

pub use answer::{Answer, Event, Many, Tally};
pub use command::{Command, HELP, Mistake, To, first_number, help, parse};
pub use desk::{Desk, Format, terminal_repertoire};
pub use input::{Input, Typed};
pub use render::{Renderer, Repertoire, plural, push_id, without_cr};
pub use safe::{push_ascii, push_human, push_tsv};
#[cfg(any(test, feature = "simulator"))]
pub use screen::Reel;
pub use screen::{LogWriter, Screen, WhenFull};
pub use signals::{block_stopping_signals, on_signal};
pub use stamp::Stamp;
pub use stdin::{Chunk, Source, read_in_background};

/// What reaches an App of ours from outside the loop.
#[derive(Debug)]
pub enum Mail {
    /// Stdin brought something.
    Stdin(Chunk),
    /// A screen that was full has room again.
    ScreenHasRoom,
    /// A screen can't be written to any more.
    ScreenFailed(io::Error),
    /// A signal that asks for an orderly end.
    Terminate,
}
