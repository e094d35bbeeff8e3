//! The server: parses, builds, runs, and turns what went wrong into one line and an exit status.

#[path = "main/attach.rs"]
mod attach;
#[path = "main/doors.rs"]
mod doors;
#[path = "main/ends.rs"]
mod ends;
#[path = "main/options.rs"]
mod options;
#[path = "main/sites.rs"]
mod sites;

use std::fs::File;
use std::io::{BufReader, Write};
use std::process::ExitCode;

use switchboard::cli::{self, ServerArgs, StandInArgs};
use switchboard::desk::http::WebHost;
use switchboard::desk::text::{Stamp, plural};
use switchboard::desk::{
    Display, Event, Recording, Screens, Spelling, TerminalDesk, TerminalOptions, Transcript,
};
use switchboard::hub::{
    DESKS_MAX, Desks, Doors, History, Hub, ITSELF, Mode, NamesFile, Play, Rules, StopReport, VISITORS_MAX,
};
use switchboard::internals::cannot;
use switchboard::modes::{self, Chat, Console, Echo, Tap};
use switchboard::process::{descriptors, handed, memory};
use switchboard::terminal::{
    BufferReturn, LogFile, Mail, Terminal, on_reread, on_signal, read_in_background,
};
use switchboard::tls::Keeper;
use switchboard::{Framing, Limits, Mailbox, Reactor, Role};

use doors::{House, Open, Ways};
use ends::{edits_on_terminal, spelling, terminal_options};
use options::{desk_options, framing, has_others, heard, is_console};

/// env_logger's own default would leave out warnings.
const DEFAULT_LOG: &str = "warn";

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    match words.next().zip(std::env::args_os().nth(1)) {
        Some((_, second)) if second == "attach" => cli::main_from(words, |_| Ok(()), attach::run),
        _ => cli::main_checked(ServerArgs::check, run),
    }
}

fn run(args: &ServerArgs) -> Result<(), String> {
    // Before there are threads.
    let handed = handed::take()?;
    let limits = limits(args);
    let (mut reactor, mailbox) = Reactor::new(limits.clone()).map_err(cannot("start"))?;
    let doors = Doors::new(args.doors.allow.clone(), args.doors.deny.clone());
    reactor.admit(Role::PEER, doors.read()?);
    let tls = args.tls.settings(&args.listened(), args.web.web_host.iter().map(WebHost::name));
    tls.prepare(args.tap.iter().chain(&args.dial).map(|place| args.tls.dialled(place)));
    let keeper = tls.load()?.keep(tls, &mut reactor);
    let names = args.names.as_deref().map(NamesFile::read).transpose()?;
    let rules = rules(&args.stand_in)?;
    let (played, frame) = played(args)?.unzip();
    let frame = args.frame.or(frame).unwrap_or(Framing::Lines);
    let spelling = spelling(args.look.format);
    let display = display(args, spelling, &mailbox)?;
    let transcript = transcript(args, &mailbox)?;
    start_log(&display);
    let places = args.tls.places(&args.addresses, &args.listened());
    let ways = Ways::find(&places, handed, args.tls.has_certificate())?;
    // If it is not found now, it may be when somebody comes.
    let tap = args.tap.as_ref().map(|target| args.tls.dialled(target));
    let tapped = tap.as_ref().and_then(|target| target.resolve().ok()).unwrap_or_default();
    // Before there is a socket's file that a signal could leave behind; after the names were looked up, which
    // may take long and is ended by any signal.
    on_signal(vec![mailbox.clone()]).map_err(cannot("watch for signals"))?;
    on_reread(mailbox.clone()).map_err(cannot("watch for signals"))?;
    let open = Open::all(args, ways, &mut reactor)?;
    if let Some(target) = args.tap.as_ref().filter(|_| tapped.iter().any(|address| open.own.has(address))) {
        return Err(format!("cannot tap {target}: {ITSELF}"));
    }
    let source = match &display {
        Display::Terminal(_) | Display::Transcript(_) => None,
        Display::Screens(_) => Some(read_in_background(mailbox.clone()).map_err(cannot("read stdin"))?),
    };
    // Last, since whoever waits for this may count on everything from now on.
    if let Some(fingerprint) = keeper.fingerprint() {
        cli::tell::<ServerArgs>(&format!("certificate SHA-256 {fingerprint}"));
    }
    if let Some(warning) = keeper.warning() {
        cli::tell::<ServerArgs>(&warning);
    }
    let house = open.announce(doors);
    if let Display::Terminal(terminal) = &display {
        let mailbox = mailbox.clone();
        // When the loop has ended there is nobody who wants to know.
        let post = move |mail| {
            let _ = mailbox.post(mail);
        };
        terminal.begin(post).map_err(cannot("use the terminal"))?;
    }
    let floor =
        Floor { args, frame, reactor, mailbox, display, transcript, source, names, rules, house, keeper };
    report(floor.serve_as_asked(framing(args, frame, spelling), played)?, &limits)
}

/// What the first desk shows, and how.
fn display(args: &ServerArgs, spelling: Spelling, mailbox: &Mailbox<Mail>) -> Result<Display, String> {
    if edits_on_terminal(&args.look, spelling) {
        let options = TerminalOptions {
            tracks_pending: is_console(args),
            speaks_to_all: args.chat,
            has_others: has_others(args),
            ..terminal_options::<ServerArgs>(&args.look, args.quiet)
        };
        Terminal::new(TerminalDesk::new(options)).map(Display::Terminal).map_err(cannot("use the terminal"))
    } else {
        let screens = Screens::open(spelling, is_console(args), args.quiet, mailbox.clone());
        screens.map(|screens| Display::Screens(Box::new(screens))).map_err(cannot("use stdout"))
    }
}

/// What was asked for, as far as this machine can do it.
fn limits(args: &ServerArgs) -> Limits {
    let mut limits = args.limits.limits();
    limits.tls_handshake_max = args.tls.tls_handshake;
    args.doors.limit(&mut limits);
    // Desks get in when the server is full, and have descriptors of their own.
    let of_desks = if has_others(args) { DESKS_MAX + 1 } else { 0 };
    let of_desks = of_desks + args.web.places().count() * (VISITORS_MAX + 1);
    limits.conns_max = limits.conns_max.min(connections_possible(args.limits.max_conns, of_desks));
    if args.limits.buffers_max.is_none() {
        limits.buffers_bytes_max = memory::buffers_bytes_max();
    }
    limits
}

/// The file that all that happens is appended to.
fn transcript(args: &ServerArgs, mailbox: &Mailbox<Mail>) -> Result<Option<Transcript>, String> {
    let Some(path) = &args.log else { return Ok(None) };
    let cannot_write = || cannot(format!("write the transcript {}", path.display()));
    let file = LogFile::open(path).map_err(cannot_write())?;
    if args.stand_in.play.as_ref().is_some_and(|played| file.is_at(played)) {
        return Err(format!("cannot write the transcript {}: it is what --play plays", path.display()));
    }
    if let Some(mode) = file.mode_for_others() {
        let path = path.display();
        cli::tell::<ServerArgs>(&format!(
            "the transcript {path} is open to others: it keeps its mode {mode:o}"
        ));
    }
    Transcript::new(file, mailbox.clone()).map(Some).map_err(cannot_write())
}

/// What a server needs beside its mode.
struct Floor<'a> {
    args: &'a ServerArgs,
    /// What one message is.
    frame: Framing,
    reactor: Reactor<Mail>,
    mailbox: Mailbox<Mail>,
    display: Display,
    transcript: Option<Transcript>,
    source: Option<BufferReturn>,
    names: Option<NamesFile>,
    rules: Rules,
    house: House,
    /// What TLS was read from.
    keeper: Keeper,
}

impl Floor<'_> {
    /// Serves in the mode that was asked for.
    fn serve_as_asked(self, framing: Framing, played: Option<Recording>) -> Result<Desks, String> {
        let args = self.args;
        match (&args.tap, played) {
            _ if args.echo => self.serve(Echo { is_kept: args.log.is_some() }),
            _ if args.chat => self.serve(Chat::new(args.chat_raw, args.replay_last as usize)),
            (Some(target), _) => self.serve(Tap::new(args.tls.dialled(target), framing, heard(args))),
            (None, Some(played)) => {
                self.serve(modes::Play::new(Play::new(played, args.stand_in.speed), framing))
            }
            (None, None) => self.serve(Console::new(framing)),
        }
    }

    /// Serves to the end.
    fn serve<M: Mode>(self, mode: M) -> Result<Desks, String> {
        let Floor { args, frame, reactor, mailbox, display, transcript, source, names, rules, house, keeper } =
            self;
        let options = desk_options(args, frame);
        let framing = mode.policy(Role::PEER).framing;
        let mut hub = Hub::new(mode, display, source, options).with_mailbox(mailbox);
        let desks = hub.desks();
        desks.replay = (args.replay_last > 0).then(History::default);
        if let Some(transcript) = transcript {
            desks.keep_transcript(transcript);
        }
        for address in house.own.bound() {
            desks.out.tell(&Event::Listening(&address.to_string(), framing));
        }
        if has_others(args) {
            desks.open_to_desks();
        }
        desks.keep_tls(keeper);
        desks.own = house.own;
        desks.doors = house.doors;
        desks.manager = house.manager;
        desks.is_played = args.stand_in.play.is_some();
        args.dial.iter().for_each(|endpoint| desks.hold(args.tls.dialled(endpoint)));
        stand_in(args, rules, desks)?;
        args.faults().iter().for_each(|spec| desks.break_newcomers(spec));
        if let Some(names) = names {
            desks.use_names(names);
        }
        let _kept = house.sites.serve(args, hub.visitors());
        reactor.run(hub).map(Hub::into_desks).map_err(cannot("wait for events"))
    }
}

/// The transcript that is played, and how messages were framed in it.
fn played(args: &ServerArgs) -> Result<Option<(Recording, Framing)>, String> {
    let Some(path) = &args.stand_in.play else { return Ok(None) };
    let file = File::open(path).map_err(cannot(format!("read {}", path.display())))?;
    let path = path.display();
    let (recording, framing) = Recording::read_with_framing(BufReader::new(file))
        .map_err(|why| format!("cannot play {path}: {why}"))?;
    if let Some(what) = recording.lacks_in_words() {
        cli::tell::<ServerArgs>(&format!("{path} {what}"));
    }
    Ok(Some((recording, framing)))
}

/// The rules that messages are answered by.
fn rules(args: &StandInArgs) -> Result<Rules, String> {
    let mut rules = Rules::new(args.rules()?, args.reply_file.clone())?;
    if let Some(path) = rules.missing_file() {
        cli::tell::<ServerArgs>(&format!("{} is not there yet: /learn will make it", path.display()));
    }
    if args.repeated()?.iter().any(|(_, text)| text.counts()) {
        rules.count_messages();
    }
    Ok(rules)
}

/// Has the desks say what they are to say of themselves.
fn stand_in(args: &ServerArgs, rules: Rules, desks: &mut Desks) -> Result<(), String> {
    let args = &args.stand_in;
    desks.use_rules(rules);
    args.greet.iter().for_each(|greeting| desks.use_greeting(greeting.clone()));
    for (period, text) in args.repeated()? {
        desks.repeat_text(period, text);
    }
    Ok(())
}

/// Says what was lost at the end.
fn report(desks: Desks, limits: &Limits) -> Result<(), String> {
    let StopReport { unsent_conns, unsent_bytes, discarded_conns, discarded_bytes, transcript_lacks } =
        desks.finish(limits, cli::tell::<ServerArgs>)?;
    if discarded_bytes > 0 {
        let (bytes, conns) = (counted(discarded_bytes, "byte"), counted(discarded_conns, "connection"));
        let were = if discarded_bytes == 1 { "was" } else { "were" };
        cli::tell::<ServerArgs>(&format!("{bytes} came too late and {were} thrown away, from {conns}"));
    }
    if unsent_bytes > 0 {
        transcript_lacks.iter().for_each(|why| cli::tell::<ServerArgs>(why));
        let (bytes, conns) = (counted(unsent_bytes, "byte"), counted(unsent_conns, "connection"));
        return Err(format!("{bytes} could not be sent, to {conns}"));
    }
    // Whoever asked for it counts on it later.
    transcript_lacks.map_or(Ok(()), Err)
}

fn counted(count: usize, what: &str) -> String {
    plural(count as u64, what)
}

/// How many connections the descriptor limit allows, once it is raised.
fn connections_possible(asked: Option<u32>, of_desks: usize) -> usize {
    let limit = descriptors::raise_limit();
    let possible = descriptors::connections_of(limit.saturating_sub(of_desks));
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
fn start_log(display: &Display) {
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
    if display.stamps_log() {
        builder.format(|out, record| {
            let (level, target) = (record.level(), record.target());
            writeln!(out, "{} [{level:<5} {target}] {}", Stamp::local().text(), record.args())
        });
    }
    builder.target(env_logger::Target::Pipe(display.log_writer())).init();
}
