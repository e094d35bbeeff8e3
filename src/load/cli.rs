//! The load tester's command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ArgPredicate;
use clap::{Parser, ValueEnum};

use crate::address::Endpoint;
use crate::cli::{DEFAULT_ADDRESS, DialTlsArgs, duration, sizes, some_duration};
use crate::desk::text::plural;

use super::echo::Expect;
use super::message::{NUMBERED_BYTES, Template};
use super::plan::{Pace, Talk};
use super::replay::Speed;
use super::threshold::{Bound, Threshold};

/// A load tester with an honest clock, for any line-based TCP server.
#[derive(Clone, Debug, Parser)]
#[command(name = "switchboard-load", version, max_term_width = 100)]
#[command(after_help = "With --rate the loop is open: response times count from when a message should have \
left, so a stall is charged in full. Without it the loop is closed, and stalls are under-counted.\n\n\
CONDITION is FIGURE>VALUE or FIGURE<VALUE (quote it from the shell). FIGURE is one of\n  \
p50, p99, p99.9 ...       that percentile of the latency; VALUE is a time: 5ms, 0.5s, 800us\n  \
max, mean                 of the latency; VALUE is a time\n  \
rate                      messages a second achieved; VALUE is a number\n  \
errors, unanswered        how many; VALUE is a number\n\
A condition on a latency also fails where none was measured. With --rate the latency is the response time.\n\n\
Durations take ms, s, m, h; sizes take K, M, G.\n\
--find doubles the rate until that does not hold, and then halves the gap; -d and --warmup are of a step. A step also \
fails where the server falls behind or anything goes wrong; one that failed is repeated, and the majority decides. \
--fail-if is then about the rate that was found.\n\n\
Exit status: 0 when all went well, 1 on any error or failed --fail-if, 2 on wrong usage.")]
pub struct LoadArgs {
    /// Whom to load.
    #[arg(
        help = "Whom to load: host:port, :port or port (loopback), [v6]:port, unix:PATH; tls: in front for TLS"
    )]
    #[arg(value_name = "ADDRESS", default_value = DEFAULT_ADDRESS, value_parser = Endpoint::parse)]
    pub address: Endpoint,

    /// How many connections
    #[arg(short, long, value_name = "N", default_value = "100", value_parser = whole::<u32>(CONNECTIONS_MAX))]
    #[arg(default_value_if("replay", ArgPredicate::IsPresent, "1000000"))]
    pub connections: u32,

    /// How long to measure [default: 10s; with --messages: as long as they take; with --find: 3s a step]
    #[arg(short, long, value_name = "DURATION", value_parser = some_duration)]
    pub duration: Option<Duration>,

    /// How many messages to measure, on all connections together
    #[arg(short = 'n', long, value_name = "N", value_parser = whole::<u64>(MESSAGES_MAX))]
    pub messages: Option<u64>,

    /// Messages a second in all, sent on schedule whatever the replies do (open loop)
    #[arg(short, long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,

    /// Bytes a message, line ending included; 1 to 64M
    #[arg(short, long, value_name = "SIZE", default_value = "64", value_parser = sizes("1", "64M"))]
    pub size: usize,

    /// The text of a message, in which {conn} and {seq} stand for numbers; a line ending is added
    #[arg(short, long, value_name = "TEXT", conflicts_with = "size")]
    pub message: Option<String>,

    /// The reply to each message is a line of this text, not the message itself
    #[arg(long, value_name = "TEXT")]
    pub expect: Option<String>,

    /// Messages in flight on each connection (closed loop); with --pattern send: sent at a time
    #[arg(short, long, value_name = "N", default_value = "1", conflicts_with = "rate",
          value_parser = whole::<u32>(PIPELINE_MAX))]
    pub pipeline: u32,

    /// What is awaited: a reply to each; nothing; each message on all other connections
    #[arg(long, value_enum, value_name = "PATTERN", default_value = "echo")]
    pub pattern: Pattern,

    /// New connections a second, at most
    #[arg(long, value_name = "N", value_parser = rate)]
    pub connect_rate: Option<f64>,

    /// Talk for this long before anything counts [default: 1s; with --messages: 0s; with --find: 500ms]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub warmup: Option<Duration>,

    /// How long a connection or a reply is waited for
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = some_duration)]
    pub timeout: Duration,

    /// A new connection for each message
    #[arg(long, conflicts_with_all = ["rate", "pipeline", "hold", "pattern"])]
    pub churn: bool,

    /// Connect and stay silent
    #[arg(long, conflicts_with_all = ["rate", "pipeline", "messages", "message", "expect", "pattern"])]
    pub hold: bool,

    /// Send what the peers of a transcript said (the server's --log), and compare each reply with what was recorded;
    /// -c is then how many conversations may go on at a time [default: as recorded; with --speed 0: 100]
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_WITH_REPLAY)]
    pub replay: Option<PathBuf>,

    /// How fast: 1 in the recording's own timing, 10 ten times as fast, 0 as fast as the replies come
    #[arg(long, value_name = "N", default_value = "1", requires = "replay", value_parser = Speed::parse)]
    pub speed: Speed,

    /// This machine's addresses to connect from, in turn; one has about 28,000 ports
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub source_ip: Vec<IpAddr>,

    /// How the result looks on stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "human")]
    pub format: ReportFormat,

    /// Write the latencies to this file as HdrHistogram's percentile distribution, in milliseconds
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,

    /// Draw latency by percentile and throughput over time to this file; with --find latency over rate
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,

    /// Fail when this holds of the result, such as p99>5ms (grammar below); may be repeated
    #[arg(long, value_name = "CONDITION", value_parser = Threshold::parse)]
    pub fail_if: Vec<Threshold>,

    /// Find the highest rate of an open loop at which this latency stays below this time, such as p99<50ms;
    /// may be repeated
    #[arg(long, value_name = "FIGURE<TIME", value_parser = Bound::parse,
          conflicts_with_all = ["rate", "pipeline", "messages", "churn", "hold", "hgrm"])]
    pub find: Vec<Bound>,

    /// Threads, each with its own loop
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = whole::<u32>(THREADS_MAX))]
    pub threads: u32,

    /// Without a terminal: say every five seconds how it goes
    #[arg(short, long)]
    pub verbose: bool,

    /// See `DialTlsArgs`.
    #[command(flatten)]
    pub tls: DialTlsArgs,
}

/// What says how and what to talk, and does not go with what a transcript says of that.
const NOT_WITH_REPLAY: [&str; 14] = [
    "find",
    "rate",
    "size",
    "message",
    "expect",
    "pipeline",
    "pattern",
    "churn",
    "hold",
    "messages",
    "duration",
    "warmup",
    "connect_rate",
    "threads",
];

/// See `LoadArgs::pattern`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pattern {
    /// A reply to each message
    Echo,
    /// Nothing
    Send,
    /// Each message on all other connections
    Chat,
}

/// See `LoadArgs::format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a person
    Human,
    /// One object, on the last line
    Json,
}

/// The most of each. Messages number connections with six digits; more than so many messages would take days,
/// and each thread costs descriptors and memory.
const CONNECTIONS_MAX: u64 = 1_000_000;
const MESSAGES_MAX: u64 = 1_000_000_000_000;
const PIPELINE_MAX: u64 = 1_000_000;
const THREADS_MAX: u64 = 256;

/// In a chat each connection keeps account of all others.
const CHAT_CONNECTIONS_MAX: u32 = 10_000;

/// The longest message, and the most in flight on one connection and on all of them. Each message in flight is
/// kept twice, to be sent and to be compared with its reply.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const IN_FLIGHT_BYTES_MAX: usize = 256 << 20;
const IN_FLIGHT_BYTES_MAX_IN_ALL: usize = 1 << 30;

impl LoadArgs {
    /// Whether the arguments go together.
    ///
    /// # Errors
    /// Why they do not.
    pub fn check(&self) -> Result<(), String> {
        self.tls.check(&self.address)?;
        let bytes = self.message.as_ref().map_or(self.size, String::len);
        if bytes > MESSAGE_BYTES_MAX {
            return Err("a message may have 64M bytes at most".into());
        }
        if bytes.saturating_mul(self.pipeline as usize) > IN_FLIGHT_BYTES_MAX {
            return Err("--pipeline times --size may be 256M at most".into());
        }
        let on_all = bytes.saturating_mul(self.pipeline as usize).saturating_mul(self.connections as usize);
        if on_all > IN_FLIGHT_BYTES_MAX_IN_ALL && !self.hold {
            return Err("--connections times --pipeline times --size may be 1G at most".into());
        }
        if self.message.as_ref().is_some_and(|text| text.contains('\n')) {
            return Err("--message is one line; its line ending is added".into());
        }
        if !self.find.is_empty() && self.pattern != Pattern::Echo {
            return Err("--find goes with --pattern echo: it takes replies to judge a rate".into());
        }
        if let Some(bound) =
            self.find.iter().find(|bound| bound.limit_ms() >= self.timeout.as_secs_f64() * 1e3)
        {
            return Err(format!("--timeout has to be longer than the time of --find {:?}", bound.text()));
        }
        self.talk().map(drop)
    }

    /// Whom to load, over TLS if that is asked for.
    pub fn place(&self) -> Endpoint {
        self.tls.place(&self.address)
    }

    /// What is said, or why these arguments do not go together.
    pub fn talk(&self) -> Result<Talk, String> {
        let pace = self.rate.map_or(Pace::Closed(u64::from(self.pipeline)), Pace::Open);
        let expect = match &self.expect {
            Some(line) => Expect::Line(line.clone().into_bytes()),
            None => Expect::Echo,
        };
        if self.hold {
            return Ok(Talk::Hold);
        }
        if self.churn {
            return Ok(Talk::Churn(expect));
        }
        match self.pattern {
            Pattern::Echo => Ok(Talk::Echo(pace, expect)),
            _ if self.expect.is_some() => Err("--expect goes with --pattern echo".into()),
            Pattern::Send => Ok(Talk::Send(pace)),
            Pattern::Chat if self.threads > 1 => {
                Err("--pattern chat takes one thread: every message is awaited on all connections".into())
            }
            Pattern::Chat if self.connections < 2 => {
                Err("--pattern chat takes at least two connections".into())
            }
            Pattern::Chat if self.connections > CHAT_CONNECTIONS_MAX => {
                Err(format!("--pattern chat takes at most {CHAT_CONNECTIONS_MAX} connections"))
            }
            Pattern::Chat if !self.template().is_numbered() => Err(format!(
                "--pattern chat has to tell messages apart: --size of more than {NUMBERED_BYTES}, or a \
                 --message with {{conn}} and {{seq}}"
            )),
            Pattern::Chat => Ok(Talk::Chat(pace)),
        }
    }

    /// How many conversations of a replay may go on at a time, if it is said: else the number is the most there is.
    pub fn asked_connections(&self) -> Option<u32> {
        Some(self.connections).filter(|count| u64::from(*count) < CONNECTIONS_MAX)
    }

    /// How messages are made.
    pub fn template(&self) -> Template {
        match &self.message {
            Some(text) => Template::of_text(text),
            None => Template::of_size(self.size),
        }
    }

    /// Time before anything counts.
    pub fn warmup(&self) -> Duration {
        let by_count = self.messages.is_some() || self.hold;
        let default = match by_count {
            true => Duration::ZERO,
            false if !self.find.is_empty() => Duration::from_millis(500),
            false => Duration::from_secs(1),
        };
        self.warmup.unwrap_or(default)
    }

    /// Time that counts, if it is bounded.
    pub fn duration(&self) -> Option<Duration> {
        let seconds = if self.find.is_empty() { 10 } else { 3 };
        let default = self.messages.is_none().then_some(Duration::from_secs(seconds));
        self.duration.or(default)
    }

    /// What is searched for, in words.
    pub fn bounds(&self) -> String {
        self.find.iter().map(Bound::text).collect::<Vec<_>>().join(" and ")
    }

    /// One line on what is being done.
    pub fn summary(&self) -> String {
        let what = match (self.hold, self.churn, self.pattern) {
            (true, ..) => "held".to_owned(),
            (_, true, _) => "one message each, again and again".to_owned(),
            (.., Pattern::Echo) => "echo".to_owned(),
            (.., Pattern::Send) => "send".to_owned(),
            (.., Pattern::Chat) => "chat".to_owned(),
        };
        let pace = match (self.hold || self.churn, self.rate, self.pattern) {
            (true, ..) => String::new(),
            _ if !self.find.is_empty() => format!(", the highest rate with {}", self.bounds()),
            (_, Some(rate), _) => format!(", open loop at {rate} messages/s"),
            // Nothing is awaited, so there is no loop to be closed.
            (_, None, Pattern::Send) => format!(", {} at a time on each", self.pipeline),
            (_, None, _) => format!(", closed loop with {} in flight each", self.pipeline),
        };
        let message = match (&self.message, self.hold) {
            (_, true) => String::new(),
            (Some(text), _) => format!(", message {text:?}"),
            (None, _) => format!(", {} a message", plural(self.size as u64, "byte")),
        };
        let mut times = match (self.duration(), self.messages) {
            (Some(time), None) if !self.find.is_empty() => format!(", steps of {time:?}"),
            (Some(time), None) => format!(", {time:?}"),
            (None, Some(count)) => format!(", {}", plural(count, "message")),
            (Some(time), Some(count)) => format!(", {} or {time:?}", plural(count, "message")),
            (None, None) => String::new(),
        };
        if !self.warmup().is_zero() {
            times += &format!(" after {:?} of warm-up", self.warmup());
        }
        let connections = plural(self.connections.into(), "connection");
        format!("{connections} to {}: {what}{pace}{message}{times}", self.place())
    }
}

/// A whole number from 1 to `max`.
fn whole<T: TryFrom<u64> + Clone + Send + Sync + 'static>(
    max: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let digits_alone = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits_alone {
            return Err("not a whole number".to_owned());
        }
        // What does not even fit is beyond the range as well.
        let number = text.parse().ok().filter(|number| (1..=max).contains(number));
        let number = number.and_then(|number: u64| T::try_from(number).ok());
        number.ok_or_else(|| format!("has to be from 1 to {max}"))
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if rate.is_finite() && (0.001..=1e9).contains(&rate) {
        Ok(rate)
    } else {
        Err("has to be from 0.001 to 1e9".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        LoadArgs::command().debug_assert();
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for arguments in [
            &["--pattern", "chat", "-t", "2"][..],
            &["--pattern", "chat", "-c", "1"],
            &["--pattern", "chat", "-s", "10"],
            &["--pattern", "send", "--expect", "x"],
        ] {
            let args = LoadArgs::try_parse_from([&["switchboard-load"], arguments].concat()).unwrap();
            assert!(args.talk().is_err(), "{arguments:?}");
        }
    }
}
