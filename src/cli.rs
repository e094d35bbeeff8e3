//! The command lines: what may be given, and how sizes, durations and addresses are written.

mod limits;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ipnet::{IpNet, Ipv4Net};

use crate::address::Place;

pub use limits::LimitArgs;

/// The default address of server and client.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:5000";

/// A TCP console for many connections.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version, max_term_width = 100)]
#[command(
    after_help = "While it runs: text goes to whoever spoke last, `@3 text` to #3, `@all text` to everybody; \
`/help` lists the rest, `exit` ends.\nDurations take ms, s, m, h; sizes take K, M, G."
)]
pub struct ServerArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(
        help = "Where to listen: host:port, :port or port (loopback), [v6]:port, unix:PATH; port 0 takes a free one"
    )]
    #[arg(value_name = "ADDRESS", default_value = DEFAULT_ADDRESS, value_parser = Place::parse)]
    pub addresses: Vec<Place>,

    /// Send every line of a connection to all others, too
    #[arg(long, conflicts_with = "echo")]
    pub chat: bool,

    /// With --chat: relay bytes as they are, not made safe for a terminal
    #[arg(long, requires = "chat", conflicts_with = "echo")]
    pub chat_raw: bool,

    /// Return bytes exactly as they came
    #[arg(long)]
    pub echo: bool,

    /// How messages look on stdout
    #[arg(long, value_enum, default_value = "auto", value_name = "FORMAT")]
    pub format: FormatArg,

    /// What the end of stdin means [default: quit on a terminal, else keep]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_stdin_eof: Option<StdinEofArg>,

    /// Let in only these addresses
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = net)]
    pub allow: Vec<IpNet>,

    /// Let in none of these addresses; wins over --allow
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = net)]
    pub deny: Vec<IpNet>,

    /// See `LimitArgs`.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// A client for switchboard, and for any line-based TCP server.
#[derive(Debug, Parser)]
#[command(name = "switchboard-client", version, max_term_width = 100)]
#[command(
    after_help = "Each line typed is sent; what arrives is shown. `exit` leaves; the end of the input \
half-closes,\nand the rest of the replies is still shown."
)]
pub struct ClientArgs {
    /// Where to connect.
    #[arg(help = "Where to connect: host:port, :port or port (loopback), [v6]:port, unix:PATH")]
    #[arg(value_name = "ADDRESS", default_value = DEFAULT_ADDRESS, value_parser = Place::parse)]
    pub address: Place,

    /// Send a line that says `exit` like any other
    #[arg(long)]
    pub no_exit: bool,
}

/// See `ServerArgs::format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// human when stdout is a terminal, else tsv
    Auto,
    /// 12:03:04.123 #3> hello, and events between the messages
    Human,
    /// 3, a tab, hello: messages alone, with backslash escapes
    Tsv,
    /// The bytes as they came
    Raw,
}

/// See `ServerArgs::on_stdin_eof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StdinEofArg {
    /// Go on serving
    Keep,
    /// Take nobody new, end when the last connection has
    Drain,
    /// End, in order
    Quit,
}

/// A whole program: reads the command line, runs, prints what went wrong as one line, and gives the
/// exit status: 0 for an orderly end, 1 for an error, 2 for wrong usage.
pub fn main<Args: Parser>(run: impl FnOnce(&Args) -> Result<(), String>) -> ExitCode {
    main_checked(|_| Ok(()), run)
}

/// The same for arguments that may not go together in ways that clap cannot be told: where `check` says
/// so, that is wrong usage, too.
pub fn main_checked<Args: Parser>(
    check: impl FnOnce(&Args) -> Result<(), String>,
    run: impl FnOnce(&Args) -> Result<(), String>,
) -> ExitCode {
    let conflict = |why| Args::command().error(clap::error::ErrorKind::ArgumentConflict, why);
    let checked = Args::try_parse().and_then(|args| match check(&args) {
        Ok(()) => Ok(args),
        Err(why) => Err(conflict(why)),
    });
    let args = match checked {
        Ok(args) => args,
        Err(error) => {
            // Help and version come this way, too. Where even printing fails, nobody is left to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tell::<Args>(&why);
            ExitCode::FAILURE
        }
    }
}

/// Prints one line on stderr, behind the program's name. A closed stderr is nobody's error.
pub fn tell<Args: Parser>(what: &str) {
    let line = format!("{}: {what}\n", Args::command().get_name());
    // In one write, so that it is not torn where others write there, too.
    let _ = io::stderr().write_all(line.as_bytes());
}

fn net(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
    let net = text.parse().or_else(|_| address());
    net.map(canonical).map_err(|_| "not an address or CIDR such as 10.0.0.0/8".into())
}

/// A net of IPv4 addresses written as IPv6 ones (`::ffff:10.0.0.0/104`) as what it is: peers are compared in
/// their own family.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let prefix = v6.prefix_len().checked_sub(96);
    let v4 = v6.addr().to_ipv4_mapped().zip(prefix).and_then(|(v4, prefix)| Ipv4Net::new(v4, prefix).ok());
    v4.map_or(net, IpNet::V4)
}

/// `64K`: a number of bytes, with K, M or G for powers of 1024.
fn size(text: &str) -> Result<usize, String> {
    let (number, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = number.parse().map_err(|_| "not a size such as 512, 64K, 8M, 1G".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

pub(crate) fn some_size(text: &str) -> Result<usize, String> {
    size(text).and_then(|size| if size == 0 { Err("has to be more than 0".into()) } else { Ok(size) })
}

/// A line has to have room for the longest character, or it could not be cut between characters.
fn line_size(text: &str) -> Result<usize, String> {
    size(text).and_then(|size| if size < 4 { Err("has to be at least 4".into()) } else { Ok(size) })
}

/// Less could not hold what one packet brings.
fn queue_size(text: &str) -> Result<usize, String> {
    size(text).and_then(|size| if size < 4096 { Err("has to be at least 4K".into()) } else { Ok(size) })
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("not a number from 1 on".into()),
        Ok(count) => Ok(count),
    }
}

/// `200ms`, `10s`, `5m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let wrong = || "not a duration such as 200ms, 10s, 5m, 1h".to_owned();
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds =
        |each: u64| number.checked_mul(each).map(Duration::from_secs).ok_or_else(|| "too long".to_owned());
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3600),
        _ => Err(wrong()),
    }
}

pub(crate) fn some_duration(text: &str) -> Result<Duration, String> {
    duration(text)
        .and_then(|time| if time.is_zero() { Err("has to be more than 0".into()) } else { Ok(time) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn sizes_and_durations_are_read_as_documented() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("64K"), Ok(65_536));
        assert_eq!(size("8M"), Ok(8 << 20));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for text in ["", "K", "1T", "-1", "1.5M", "99999999999999999999G", "18446744073709551615K"] {
            assert!(size(text).is_err(), "{text:?}");
        }
        for text in ["", "10", "s", "10x", "-1s", "10 s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_net_of_mapped_addresses_is_an_ipv4_net() {
        for (text, meant) in [
            ("::ffff:127.0.0.0/104", "127.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("fe80::/10", "fe80::/10"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(net(text).unwrap().to_string(), meant);
        }
    }

    #[test]
    fn the_command_lines_are_consistent() {
        use clap::CommandFactory;
        ServerArgs::command().debug_assert();
        ClientArgs::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_of_limits() {
        let args = ServerArgs::try_parse_from(["switchboard"]).unwrap();
        assert_eq!(format!("{:?}", args.limits.limits()), format!("{:?}", Limits::default()));
        assert_eq!(args.limits.check(), Ok(()));
    }

    #[test]
    fn limits_that_do_not_go_together_are_refused() {
        for arguments in [
            &["--queue-low", "2K", "--queue-high", "1K"][..],
            &["--queue-max", "64K", "--queue-soft", "65K"],
            &["--queue-max", "128K", "--queue-high", "100K"],
        ] {
            let args = ServerArgs::try_parse_from([&["switchboard"], arguments].concat()).unwrap();
            assert!(args.limits.check().is_err(), "{arguments:?}");
        }
    }
}
