//! `--replay FILE`: the peers' side of a transcript as traffic. Each recorded conversation is a connection; what its
//! peer said is sent when it was said, and every byte of the server is compared with what was recorded.
//!
//! The clock is as honest as that of an open loop: a reply counts from when the message before it was due, so a server
//! that falls behind is charged for what could not be sent meanwhile.

mod dialogue;
mod difference;
mod player;
mod result;
mod script;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use crate::cli::tell;
use crate::conn::reason::cannot;
use crate::desk::Recording;
use crate::process::descriptors::{self, RESERVED};
use crate::reactor::Reactor;
use crate::terminal::on_signal;

use super::cli::{LoadArgs, ReportFormat};
use super::live::Live;
use super::output::{self, print};
use super::plot;
use super::run::watch;
use super::tally::Slice;

use self::player::{Plan, Played, Player};
use self::result::{Outcome, summary};
use self::script::Script;

pub use self::script::Speed;

/// Conversations at a time where they begin as soon as they can, unless it is said otherwise.
const AT_A_TIME: usize = 100;

/// Plays the transcript and prints the result.
///
/// # Errors
/// One line: why nothing could be played, or what was not as recorded.
pub fn run(args: &LoadArgs, path: &Path) -> Result<(), String> {
    let script = read(path)?;
    let place = args.place();
    let tls = args.tls.settings();
    tls.prepare(std::iter::once(place.clone()));
    let tls = tls.load()?;
    let found = place.resolve().map_err(cannot(format!("connect to {place}")))?;
    let plan = Plan {
        target: found[0].clone(),
        tls,
        sources: args.source_ip.clone(),
        at_a_time: at_a_time(args, &script),
        speed: args.speed,
        timeout: args.timeout,
    };
    let (plot, hgrm) = (output::open(&args.plot)?, output::open(&args.hgrm)?);
    let length = plan.speed.time(script.length());
    let live = Live::of(args.verbose, plan.at_a_time as u64, length);
    let (played, slices) = play(&plan, &script, live)?;

    let outcome = Outcome { args, script: &script, plan: &plan, played: &played };
    print(&match args.format {
        ReportFormat::Human => outcome.text(),
        ReportFormat::Json => format!("{}\n", outcome.json()),
    })?;
    let is_open_loop = plan.speed != Speed::Unpaced;
    let title = summary(args, &script, &plan);
    let written = plot
        .map_or(Ok(()), |file| file.write(&plot::svg(&title, &played.tally, &slices, is_open_loop)))
        .and(hgrm.map_or(Ok(()), |file| file.write(&played.tally.latency.hgrm())));
    outcome.verdict().and(written)
}

fn read(path: &Path) -> Result<Arc<Script>, String> {
    let doing = format!("replay {}", path.display());
    let file = File::open(path).map_err(cannot(&doing))?;
    let recording = Recording::read(BufReader::new(file)).map_err(|why| format!("cannot {doing}: {why}"))?;
    if let Some(what) = recording.lacks_in_words() {
        tell::<LoadArgs>(&format!("{} {what}", path.display()));
    }
    Ok(Script::new(recording))
}

/// As many as were recorded, or as are asked for, as far as this process may have so many.
fn at_a_time(args: &LoadArgs, script: &Script) -> usize {
    let asked = match (args.asked_connections(), args.speed) {
        (Some(asked), _) => asked as usize,
        (None, Speed::Unpaced) => AT_A_TIME,
        (None, Speed::Times(_)) => usize::MAX,
    };
    let possible = descriptors::raise_limit().saturating_sub(RESERVED).max(1);
    asked.min(script.len()).min(possible)
}

fn play(plan: &Plan, script: &Arc<Script>, live: Live) -> Result<(Played, Vec<Slice>), String> {
    let (watcher, watched) = channel();
    let (mut reactor, mailbox) = Reactor::new(plan.limits()).map_err(cannot("start"))?;
    plan.tls.use_in(&mut reactor);
    // Before anything is sent: whoever sees the traffic may interrupt it, and gets what there is.
    on_signal(vec![mailbox]).map_err(cannot("watch for signals"))?;
    let player = Player::new(plan.clone(), script.clone(), reactor.clock(), watcher);
    // It gives back what it counted alone: were its end of the channel to live on, watching would not end.
    let thread = thread::Builder::new()
        .name("replay".into())
        .spawn(move || reactor.run(player).map(Player::into_played))
        .map_err(cannot("start a thread"))?;
    let slices = watch(&watched, live);
    let played = thread.join().map_err(|_| "the thread of the replay panicked".to_owned())?;
    Ok((played.map_err(cannot("wait for events"))?, slices))
}
