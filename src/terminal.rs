//! This process's own ends: stdin, stdout and stderr, and signals, each with a thread of its own that posts what it
//! brings. Nothing here knows a connection, or what a line means.

pub mod editor;
mod history_file;
mod input;
mod interactive;
mod log_file;
#[doc(hidden)]
pub mod painter;
mod screen;
mod signals;
mod stdin;
mod tty;
mod visible;

use std::io;

use crate::address::Address;
use crate::conn::ConnId;

pub use history_file::{HistoryFile, history_path};
pub use input::{Input, LINE_BYTES_MAX, Typed};
pub use interactive::{Act, Interactive, Terminal};
pub use log_file::{LogFile, LogNews};
#[cfg(any(test, feature = "simulator"))]
pub use screen::CapturedScreen;
pub use screen::{LogWriter, Screen, WhenFull};
pub use signals::{block_stopping_signals, on_first_signal, on_reread, on_signal};
pub use stdin::{BufferReturn, Chunk, read_file_in_background, read_in_background};
pub use tty::{Size, is_interactive, restore as restore_terminal, size as terminal_size};
pub(crate) use visible::is_visible;

/// A signal that asks for an orderly end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminate;

/// A line that was entered on a terminal, and for whom: what its prompt showed when it was begun. What stood there is
/// what it reaches, whoever has spoken since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The line; one that was pasted may have line breaks in it.
    pub line: Vec<u8>,
    /// It is a text, whatever it looks like.
    pub is_text: bool,
    /// The current target.
    pub whom: Whom,
    /// Whom it names itself, where that was known.
    pub named: Option<Whom>,
    /// Whoever spoke last when it was entered.
    pub last: Option<u64>,
    /// For which run of the server it was entered, where it is at the other end of a link: 1 is the first.
    pub run: u32,
}

/// A current target, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whom {
    /// There is none.
    #[default]
    Nobody,
    /// This connection.
    One(u64),
    /// These.
    Several(Vec<u64>),
    /// Everybody, whoever that is when it is sent.
    All,
}

/// What reaches an App of ours from outside the loop. An App that has no screens may have messages of its own, made
/// of a `Chunk` and of `Terminate`; one that hears nothing but signals takes `Terminate` itself.
#[derive(Debug)]
pub enum Mail {
    /// Stdin brought something.
    Stdin(Chunk),
    /// A line was entered on the terminal.
    Entered(Entered),
    /// Something is being typed on the terminal, for these; for nobody any more.
    Typing(Option<Whom>),
    /// A screen that was full has room again.
    ScreenHasRoom,
    /// A screen can't be written to any more.
    ScreenFailed(io::Error),
    /// What became of the file of a screen that is one.
    LogFile(LogNews),
    /// The file of this number brought something.
    File(u64, Chunk),
    /// The addresses of the name that this connection is to be begun to.
    Resolved(ConnId, io::Result<Vec<Address>>),
    /// A signal that asks for files to be read again.
    Reread,
    /// A signal that asks for an orderly end.
    Terminate,
}

impl From<Chunk> for Mail {
    fn from(chunk: Chunk) -> Mail {
        Mail::Stdin(chunk)
    }
}

impl From<Terminate> for Mail {
    fn from(_: Terminate) -> Mail {
        Mail::Terminate
    }
}
