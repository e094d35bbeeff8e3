//! How this process's own ends look: which format, which colours, which history. The same for a server and for a desk that
//! is attached to one.

use std::io::{self, IsTerminal};

use clap::Parser;

use switchboard::cli::{self, ColorArg, FormatArg};
use switchboard::desk::text::Format;
use switchboard::desk::{Spelling, TerminalOptions, terminal_repertoire};
use switchboard::terminal::{HistoryFile, history_path};

/// What was said of how a terminal looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub color: ColorArg,
    pub no_history: bool,
    pub is_quiet: bool,
}

impl Look {
    /// Of a desk of a console that is alone. A history that cannot be kept is no reason not to begin.
    pub fn options<Args: Parser>(self) -> TerminalOptions {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_coloured = match self.color {
            ColorArg::Auto => variable("NO_COLOR").is_none(),
            ColorArg::Always => true,
            ColorArg::Never => false,
        };
        let path = history_path(variable("XDG_STATE_HOME").map(Into::into), variable("HOME").map(Into::into));
        let history = path.filter(|_| !self.no_history).and_then(|path| match HistoryFile::open(&path) {
            Ok(history) => Some(history),
            Err(error) => {
                cli::tell::<Args>(&format!("cannot keep a history in {}: {error}", path.display()));
                None
            }
        });
        TerminalOptions {
            repertoire: terminal_repertoire(),
            is_coloured,
            is_quiet: self.is_quiet,
            tracks_pending: true,
            speaks_to_all: false,
            has_others: false,
            is_attached: false,
            history,
        }
    }
}

/// How what is shown is spelt.
pub fn spelling(asked: FormatArg) -> Spelling {
    match asked {
        FormatArg::Human => Spelling::Text(Format::Human),
        FormatArg::Tsv => Spelling::Text(Format::Tsv),
        FormatArg::Raw => Spelling::Text(Format::Raw),
        FormatArg::Json => Spelling::Json,
        FormatArg::Auto if io::stdout().is_terminal() => Spelling::Text(Format::Human),
        FormatArg::Auto => Spelling::Text(Format::Tsv),
    }
}
