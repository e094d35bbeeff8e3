//! The client's command line.

use clap::Parser;

use crate::address::Endpoint;

use super::{DEFAULT_ADDRESS, DialTlsArgs};

/// A client for switchboard, and for any line-based TCP server.
#[derive(Debug, Parser)]
#[command(name = "switchboard-client", version, max_term_width = 100)]
#[command(
    after_help = "Each line typed is sent; what arrives is shown. Typed on a terminal, `exit` leaves. The end of \
the input half-closes,\nand the rest of the replies is still shown."
)]
pub struct ClientArgs {
    /// Where to connect.
    #[arg(
        help = "Where to connect: host:port, :port or port (loopback), [v6]:port, unix:PATH; tls: in front for TLS"
    )]
    #[arg(value_name = "ADDRESS", default_value = DEFAULT_ADDRESS, value_parser = Endpoint::parse)]
    pub address: Endpoint,

    /// In a pipe, too, a line that says `exit` ends the input
    #[arg(long)]
    pub exit: bool,

    /// On a terminal: write as it comes, and leave typing to the terminal itself
    #[arg(long)]
    pub plain: bool,

    /// Taken for older scripts: in a pipe a line that says `exit` is sent like any other anyway
    #[arg(long, hide = true)]
    pub no_exit: bool,

    /// See `DialTlsArgs`.
    #[command(flatten)]
    pub tls: DialTlsArgs,
}

impl ClientArgs {
    /// Whether what was given goes together.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self) -> Result<(), String> {
        self.tls.check(&self.address)
    }

    /// Where to connect, for TLS if that is asked for.
    pub fn place(&self) -> Endpoint {
        self.tls.place(&self.address)
    }
}
