//! The server: parses, builds, runs, and turns what went wrong into one line and an exit status.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use switchboard::cli::{self, FormatArg, ServerArgs, StdinEofArg};
use switchboard::desk::text::Stamp;
use switchboard::desk::text::plural;
use switchboard::desk::{Desk, Format};
use switchboard::hub::{OnStdinEof, Operator, OperatorOptions, StopReport, Voice, WithOperator};
use switchboard::internals::cannot;
use switchboard::modes::{Chat, Console, Echo};
use switchboard::process::{descriptors, memory};
use switchboard::terminal::{Mail, on_signal, read_in_background};
use switchboard::{App, Endpoint, Reactor, Role};

/// env_logger's own default would leave out warnings.
const DEFAULT_LOG: &str = "warn";

fn main() -> ExitCode {
    cli::main_checked(|args: &ServerArgs| args.limits.check(), run)
}

fn run(args: &ServerArgs) -> Result<(), String> {
    let mut limits = args.limits.limits();
    limits.conns_max = limits.conns_max.min(connections_possible(args.limits.max_conns));
    if args.limits.buffers_max.is_none() {
        limits.buffers_bytes_max = memory::buffers_bytes_max();
    }
    let (mut reactor, mailbox) = Reactor::new(limits.clone()).map_err(cannot("start"))?;
    reactor.admit(Role::PEER, args.allow.clone(), args.deny.clone());
    let format = format(args.format);
    let lossless = !args.chat && !args.echo;
    let desk = Desk::open(format, lossless, mailbox.clone()).map_err(cannot("use stdout"))?;
    start_log(&desk);
    let cannot_listen = |place: &Endpoint| cannot(format!("listen on {place}"));
    let mut found = Vec::new();
    for place in &args.addresses {
        found.push((place, place.resolve().map_err(cannot_listen(place))?));
    }
    // Before there is a socket's file that a signal could leave behind; after the names were looked up, which
    // may take long and is ended by any signal.
    on_signal(vec![mailbox.clone()]).map_err(cannot("watch for signals"))?;
    let mut bound = Vec::new();
    for (place, found) in found {
        bound.push(reactor.listen(&found[0]).map_err(cannot_listen(place))?);
    }
    let source = read_in_background(mailbox).map_err(cannot("read stdin"))?;
    // Last, since whoever waits for this line may count on everything from now on.
    for address in bound {
        cli::tell::<ServerArgs>(&format!("listening on {address}"));
    }
    let operator = Operator::new(desk, Some(source), operator_options(args));

    let operator = if args.echo {
        serve(reactor, WithOperator::new(Echo, operator))?.into_operator()
    } else if args.chat {
        serve(reactor, Chat::new(operator, args.chat_raw))?.into_operator()
    } else {
        serve(reactor, Console::new(operator, format))?.into_operator()
    };
    let StopReport { unsent_conns, unsent_bytes, discarded_conns, discarded_bytes } =
        operator.finish(&limits)?;
    if discarded_bytes > 0 {
        let (bytes, conns) = (counted(discarded_bytes, "byte"), counted(discarded_conns, "connection"));
        let were = if discarded_bytes == 1 { "was" } else { "were" };
        cli::tell::<ServerArgs>(&format!("{bytes} came too late and {were} thrown away, from {conns}"));
    }
    if unsent_bytes > 0 {
        let (bytes, conns) = (counted(unsent_bytes, "byte"), counted(unsent_conns, "connection"));
        return Err(format!("{bytes} could not be sent, to {conns}"));
    }
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    plural(count as u64, what)
}

fn serve<A: App<Message = Mail>>(reactor: Reactor<Mail>, app: A) -> Result<A, String> {
    reactor.run(app).map_err(cannot("wait for events"))
}

fn format(asked: FormatArg) -> Format {
    match asked {
        FormatArg::Human => Format::Human,
        FormatArg::Tsv => Format::Tsv,
        FormatArg::Raw => Format::Raw,
        FormatArg::Auto if io::stdout().is_terminal() => Format::Human,
        FormatArg::Auto => Format::Tsv,
    }
}

fn operator_options(args: &ServerArgs) -> OperatorOptions {
    let on_terminal = io::stdin().is_terminal();
    let voice = match (args.chat, args.echo) {
        (true, _) => Voice::Participant,
        (_, true) => Voice::Mute,
        _ => Voice::Plain,
    };
    let on_stdin_eof = match args.on_stdin_eof {
        Some(StdinEofArg::Keep) => OnStdinEof::Keep,
        Some(StdinEofArg::Drain) => OnStdinEof::Drain,
        Some(StdinEofArg::Quit) => OnStdinEof::Quit,
        None if on_terminal => OnStdinEof::Quit,
        None => OnStdinEof::Keep,
    };
    OperatorOptions { voice, on_stdin_eof, waits_for_slow: !on_terminal }
}

/// How many connections the descriptor limit allows, once it is raised.
fn connections_possible(asked: Option<u32>) -> usize {
    let limit = descriptors::raise_limit();
    let possible = descriptors::connections_of(limit);
    if let Some(asked) = asked
        && asked as usize > possible
    {
        cli::tell::<ServerArgs>(&format!(
            "at most {}, not {asked}: the descriptor limit is {limit}",
            counted(possible, "connection")
        ));
    }
    possible
}

/// The log goes through the screen, so that it cannot stop the loop either.
fn start_log(desk: &Desk) {
    let asked = std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT_LOG.into());
    let mut builder = env_logger::Builder::new();
    // Tried before: what env_logger finds wrong it prints itself, with a macro that may panic.
    match env_filter::Builder::new().try_parse(&asked) {
        Ok(_) => builder.parse_filters(&asked),
        Err(error) => {
            cli::tell::<ServerArgs>(&format!("cannot use RUST_LOG={asked:?}: {error}"));
            builder.parse_filters(DEFAULT_LOG)
        }
    };
    if desk.stamps_log() {
        builder.format(|out, record| {
            let (level, target) = (record.level(), record.target());
            writeln!(out, "{} [{level:<5} {target}] {}", Stamp::local().text(), record.args())
        });
    }
    builder.target(env_logger::Target::Pipe(Box::new(desk.log_writer()))).init();
}
