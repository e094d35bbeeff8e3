//! The command lines: what may be given, and how sizes, durations and addresses are written.

mod attach;
mod client;
mod doors;
mod frame;
mod limits;
mod look;
mod program;
mod stand_in;
mod tls;
mod web;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::address::Endpoint;
use crate::buffer::framing::Framing;
use crate::clock::typed_duration;
use crate::desk::{BadFault, FaultSpec};
use crate::limits::{typed_number, typed_size};

pub use attach::AttachArgs;
pub use client::ClientArgs;
pub use doors::DoorArgs;
pub use limits::LimitArgs;
pub use look::{ColorArg, FormatArg, LookArgs, ViewArg};
pub use program::{main, main_checked, main_from, tell, told};
pub use stand_in::StandInArgs;
pub use tls::{DialTlsArgs, ServerTlsArgs, TrustArgs};
pub use web::{WebArgs, check_reach};

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
        help = "Where to listen: host:port, :port or port (loopback), [v6]:port, unix:PATH, and tls: in front of one of \
TCP; port 0 takes a free one"
    )]
    #[arg(value_name = "ADDRESS", default_value = DEFAULT_ADDRESS, value_parser = Endpoint::parse)]
    pub addresses: Vec<Endpoint>,

    /// Send every line of a connection to all others, too
    #[arg(long, conflicts_with = "echo")]
    pub chat: bool,

    /// With --chat: relay bytes as they are, not made safe for a terminal
    #[arg(long, requires = "chat", conflicts_with = "echo")]
    pub chat_raw: bool,

    /// Return bytes exactly as they came
    #[arg(long)]
    pub echo: bool,

    /// Stand between clients and this server: each newcomer is linked to a connection of its own to it; both are shown
    #[arg(long, value_name = "TARGET", value_parser = Endpoint::parse, conflicts_with_all = ["chat", "echo"])]
    pub tap: Option<Endpoint>,

    /// See `LookArgs`.
    #[command(flatten)]
    pub look: LookArgs,

    /// What is one message, both ways: lines, cr, crlf, nul, stx, len8, len16, len32 (le behind it for little-endian),
    /// silence=20ms, chunks
    #[arg(long, value_name = "KIND", value_parser = Framing::parse, conflicts_with_all = ["chat", "echo"])]
    pub frame: Option<Framing>,

    /// What is put behind what the operator types [default: as --frame says]
    #[arg(long, value_enum, value_name = "ENDING", conflicts_with_all = ["chat", "echo"])]
    pub eol: Option<EolArg>,

    /// Leave out the lines that say that something was sent; with --tap, also what both sides say
    #[arg(long)]
    pub quiet: bool,

    /// Name newcomers by where they come from: lines `IP-or-net NAME`; read again on SIGUSR1
    #[arg(long, value_name = "FILE")]
    pub names: Option<PathBuf>,

    /// Append all that happens to this file, as JSON, what is sent included; opened anew on SIGUSR1
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// With --chat: tell a newcomer the last N lines; 0 to 1000
    #[arg(long, value_name = "N", default_value = "0", value_parser = counts("0", "1000"), requires = "chat")]
    pub replay_last: u32,

    /// Let further desks attach through a control socket [default: $XDG_RUNTIME_DIR/switchboard.sock, or
    /// /tmp/switchboard-UID/switchboard.sock]
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true)]
    pub desk: Option<Option<PathBuf>>,

    /// Connect to this address, and again a second after each end; repeatable
    #[arg(long, value_name = "ADDRESS", value_parser = Endpoint::parse)]
    pub dial: Vec<Endpoint>,

    /// Break newcomers on purpose, from the start: words as `/help /fault` has them, such as 'latency=200ms in:stall';
    /// repeatable
    #[arg(long, value_name = "SPEC", value_parser = FaultSpec::parse)]
    pub fault: Vec<FaultSpec>,

    /// What the end of stdin means [default: quit on a terminal, else keep]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_stdin_eof: Option<StdinEofArg>,

    /// See `WebArgs`.
    #[command(flatten)]
    pub web: WebArgs,

    /// See `DoorArgs`.
    #[command(flatten)]
    pub doors: DoorArgs,

    /// See `StandInArgs`.
    #[command(flatten)]
    pub stand_in: StandInArgs,

    /// See `ServerTlsArgs`.
    #[command(flatten)]
    pub tls: ServerTlsArgs,

    /// See `LimitArgs`.
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl ServerArgs {
    /// Whether what was given goes together.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self) -> Result<(), String> {
        if let Some(doubt) = self.tls.doubt(&self.listened(), &self.dialled()) {
            tell::<ServerArgs>(&doubt);
        }
        self.web.check()?;
        self.limits.check()?;
        self.stand_in.check(self.chat || self.echo || self.tap.is_some())?;
        self.tls.check(&self.listened(), self.dialled().into_iter())?;
        match self.faults() {
            Some(spec) if spec.breaks_nothing() => Err(format!("--fault: {}", BadFault::BreaksNothing)),
            _ => Ok(()),
        }
    }

    /// Where it listens, for peers and for what is served in HTTP.
    pub fn listened(&self) -> Vec<Endpoint> {
        self.addresses.iter().chain(self.web.places()).cloned().collect()
    }

    /// Whom it dials of itself.
    fn dialled(&self) -> Vec<Endpoint> {
        self.dial.iter().chain(&self.tap).map(|place| self.tls.dialled(place)).collect()
    }

    /// All that was given with `--fault`, one behind the other.
    pub fn faults(&self) -> Option<FaultSpec> {
        let (first, rest) = self.fault.split_first()?;
        let mut spec = first.clone();
        rest.iter().for_each(|more| spec.add(more));
        Some(spec)
    }
}

/// See `ServerArgs::eol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EolArg {
    /// A line feed
    Lf,
    /// Carriage return and line feed
    Crlf,
    /// A carriage return
    Cr,
    /// Nothing
    None,
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

/// The longest duration that any flag takes, a year: added to any moment it stays within what a clock knows.
const LONGEST: &str = "8760h";

/// The largest size that any flag takes where nothing else is said: no buffer is made by it, and no sum of a
/// few of them overflows.
const LARGEST: &str = "1024G";

/// `64K`.
fn size(text: &str) -> Result<u64, String> {
    typed_size(text).ok_or_else(|| "not a size such as 512, 64K, 8M, 1G".into())
}

/// `200ms`, `10s`, `5m`, `1h`.
fn time(text: &str) -> Result<Duration, String> {
    typed_duration(text).ok_or_else(|| "not a duration such as 200ms, 10s, 5m, 1h".into())
}

/// Reads a value that has to be within a range, which is written as a user would write it.
fn within<T: PartialOrd>(
    text: &str,
    read: impl Fn(&str) -> Result<T, String>,
    least: &str,
    most: &str,
) -> Result<T, String> {
    let outside = || format!("has to be from {least} to {most}");
    // A word that is no value at all is told the range, too.
    let value = read(text).map_err(|why| format!("{why}; it {}", outside()))?;
    // The bounds are ours, and a test reads each of them.
    if read(least).is_ok_and(|least| value >= least) && read(most).is_ok_and(|most| value <= most) {
        Ok(value)
    } else {
        Err(outside())
    }
}

/// A parser of sizes in a range.
pub(crate) fn sizes(
    least: &'static str,
    most: &'static str,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let size = within(text, size, least, most)?;
        usize::try_from(size).map_err(|_| "more than this machine can address".to_owned())
    }
}

/// A parser of durations in a range.
fn durations(
    least: &'static str,
    most: &'static str,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync {
    move |text| within(text, time, least, most)
}

/// A parser of numbers in a range.
fn counts(
    least: &'static str,
    most: &'static str,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync {
    move |text| {
        let read = |text: &str| typed_number(text).ok_or_else(|| "not a number".to_owned());
        let count = within(text, read, least, most)?;
        u32::try_from(count).map_err(|_| format!("has to be from {least} to {most}"))
    }
}

/// `10/s`.
fn rates(
    least: &'static str,
    most: &'static str,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync {
    move |text| {
        let number = |text: &str| text.strip_suffix("/s").and_then(typed_number);
        let read = |text: &str| number(text).ok_or_else(|| "not a rate such as 10/s".to_owned());
        let rate = within(text, read, least, most)?;
        u32::try_from(rate).map_err(|_| format!("has to be from {least} to {most}"))
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    durations("0s", LONGEST)(text)
}

pub(crate) fn some_duration(text: &str) -> Result<Duration, String> {
    durations("1ms", LONGEST)(text)
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
        for text in ["", "K", "1T", "-1", "+1", "1.5M", "99999999999999999999G", "18446744073709551615K"] {
            assert!(sizes("1", LARGEST)(text).is_err(), "{text:?}");
        }
        for text in ["", "10", "s", "10x", "-1s", "10 s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_limit_has_a_range_that_its_help_names_and_nothing_outside_it_is_taken() {
        use clap::CommandFactory;
        let command = ServerArgs::command();
        let mut ranges = 0;
        for argument in command.get_arguments().filter(|argument| {
            argument.get_help_heading() == Some("Limits") && argument.get_action().takes_values()
        }) {
            let flag = format!("--{}", argument.get_long().expect("every limit is a flag"));
            let help = argument.get_help().expect("every flag is explained").to_string();
            let (_, range) = help.rsplit_once("; ").unwrap_or_else(|| panic!("{flag}: {help}"));
            let range = range.split(" [").next().unwrap();
            let (least, most) = range.split_once(" to ").unwrap_or_else(|| panic!("{flag}: {help}"));
            let parsed =
                |value: &str| ServerArgs::try_parse_from(["switchboard", &format!("{flag}={value}")]);
            for inside in [least, most] {
                assert!(parsed(inside).is_ok(), "{flag} {inside}");
            }
            let beside = |bound: &str, step: i64| {
                let unit_at = bound.find(|char: char| !char.is_ascii_digit()).unwrap_or(bound.len());
                let (number, unit) = bound.split_at(unit_at);
                format!("{}{unit}", number.parse::<i64>().unwrap() + step)
            };
            let (smaller, larger) = (beside(least, -1), beside(most, 1));
            let huge = "18446744073709551615";
            for outside in [&smaller, &larger, huge, &format!("{huge}0h"), &format!("{huge}0G"), "+5", "x"] {
                let told = parsed(outside).expect_err(&format!("{flag} {outside} is taken")).to_string();
                assert!(told.contains(&format!("has to be from {least} to {most}")), "{outside}: {told}");
            }
            ranges += 1;
        }
        assert_eq!(ranges, 23, "a limit was left out");
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
    fn faults_of_several_flags_are_one_and_have_to_break_something() {
        let parsed = |arguments: &[&str]| ServerArgs::try_parse_from([&["switchboard"], arguments].concat());

        let args = parsed(&["--fault", "latency=1s seed=7", "--fault", "latency=2s in:stall"]).unwrap();
        assert_eq!(args.faults().unwrap().to_string(), "out:latency=2s in:stall seed=7");
        assert_eq!(args.check(), Ok(()));

        let idle = parsed(&["--fault", "toxicity=0.1", "--fault=for=5s"]).unwrap().check().unwrap_err();
        assert!(idle.starts_with("--fault: this breaks nothing"), "{idle}");
        let wrong = parsed(&["--fault", "latncy=1s"]).unwrap_err().to_string();
        assert!(wrong.contains("unknown fault \"latncy\": is it latency?"), "{wrong}");
        assert!(parsed(&["--fault", ""]).is_err() && parsed(&["--fault", "off"]).is_err());
    }

    #[test]
    fn limits_that_do_not_go_together_are_refused() {
        for arguments in [
            &["--queue-low", "2K", "--queue-high", "1K"][..],
            &["--queue-max", "64K", "--queue-soft", "65K"],
            &["--queue-max", "128K", "--queue-high", "100K"],
            &["--queue-high", "1023G", "--read-budget", "64M"],
        ] {
            let args = ServerArgs::try_parse_from([&["switchboard"], arguments].concat()).unwrap();
            assert!(args.limits.check().is_err(), "{arguments:?}");
        }
    }
}
