//! How this process's own ends look: which format, which colours, which history. The same for a server and for a desk that
//! is attached to one.

use std::io::{self, IsTerminal};

use clap::Parser;

use switchboard::cli::{self, ColorArg, FormatArg, LookArgs, ViewArg};
use switchboard::desk::text::Format;
use switchboard::desk::{Spelling, TerminalOptions, View, terminal_repertoire};
use switchboard::terminal::{HistoryFile, history_path, is_interactive};

/// How the terminal of a desk of a console that is alone looks. A history that cannot be kept is no reason not to begin.
pub fn terminal_options<Args: Parser>(look: &LookArgs, is_quiet: bool) -> TerminalOptions {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_coloured = match look.color {
        ColorArg::Auto => variable("NO_COLOR").is_none(),
        ColorArg::Always => true,
        ColorArg::Never => false,
    };
    let path = history_path(variable("XDG_STATE_HOME").map(Into::into), variable("HOME").map(Into::into));
    let history = path.filter(|_| !look.no_history).and_then(|path| match HistoryFile::open(&path) {
        Ok(history) => Some(history),
        Err(error) => {
            cli::tell::<Args>(&format!("cannot keep a history in {}: {error}", path.display()));
            None
        }
    });
    TerminalOptions {
        repertoire: terminal_repertoire(),
        is_coloured,
        is_quiet,
        tracks_pending: true,
        speaks_to_all: false,
        has_others: false,
        is_attached: false,
        history,
    }
}

/// Whether the last rows of a terminal are the operator's.
pub fn edits_on_terminal(look: &LookArgs, spelling: Spelling) -> bool {
    spelling == Spelling::Text(Format::Human) && !look.plain && is_interactive()
}

/// How messages are shown at first.
pub fn view(look: &LookArgs) -> View {
    match look.view {
        ViewArg::Text => View::Text,
        ViewArg::Hex => View::Hex,
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
