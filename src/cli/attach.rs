//! The command line of `switchboard attach`.

use std::path::PathBuf;

use clap::Parser;

use super::LookArgs;

/// One more desk of a server that runs with --desk: come, look, answer, leave, and come back.
#[derive(Debug, Parser)]
#[command(name = "switchboard attach", bin_name = "switchboard attach", version, max_term_width = 100)]
#[command(
    after_help = "`exit`, Ctrl-D and twice Ctrl-C leave this desk and nothing else; `/quit` ends the server."
)]
pub struct AttachArgs {
    /// The control socket [default: $XDG_RUNTIME_DIR/switchboard.sock, or /tmp/switchboard-UID/switchboard.sock]
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,

    /// The same, as the server is told it
    #[arg(long = "desk", value_name = "PATH", conflicts_with = "path")]
    pub desk: Option<PathBuf>,

    /// Only look: nothing can be sent or changed from here
    #[arg(long)]
    pub watch: bool,

    /// What this desk is called, for the others
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// See `LookArgs`.
    #[command(flatten)]
    pub look: LookArgs,

    /// Leave out the lines that say that something was sent
    #[arg(long)]
    pub quiet: bool,
}
