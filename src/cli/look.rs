//! The flags of how a desk looks: the same for the server's own and for one that is attached.

use clap::{Args, ValueEnum};

/// How a desk looks.
#[derive(Clone, Debug, Args)]
pub struct LookArgs {
    /// How messages look on stdout
    #[arg(long, value_enum, default_value = "auto", value_name = "FORMAT")]
    pub format: FormatArg,

    /// How the desk shows messages at first
    #[arg(long, value_enum, default_value = "text", value_name = "VIEW")]
    pub view: ViewArg,

    /// On a terminal: write line by line, and leave typing to the terminal itself
    #[arg(long)]
    pub plain: bool,

    /// Colours on a terminal [NO_COLOR switches them off, too]
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorArg,

    /// Keep no history of what is typed on a terminal
    #[arg(long)]
    pub no_history: bool,
}

/// See `LookArgs::format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// human when stdout is a terminal, else tsv
    Auto,
    /// 12:03:04.123 #3> hello, and events between the messages
    Human,
    /// 3, a tab, hello: messages alone, with backslash escapes
    Tsv,
    /// One JSON object a line, events and replies; stdin then takes one object a line
    Json,
    /// The bytes as they came
    Raw,
}

/// See `LookArgs::view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ViewArg {
    /// As text
    Text,
    /// As bytes in hexadecimal
    Hex,
}

/// See `LookArgs::color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// Unless NO_COLOR is set
    Auto,
    /// Whatever is set
    Always,
    /// None
    Never,
}
