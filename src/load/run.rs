//! A whole run: plans, starts the threads, watches, reports.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::address::Address;
use crate::conn::reason::cannot;
use crate::process::descriptors::{self, RESERVED};
use crate::reactor::Reactor;

use super::cli::{LoadArgs, Pattern, ReportFormat};
use super::interrupt::Interrupt;
use super::live::Live;
use super::output::{self, print};
use super::plan::{Plan, Talk};
use super::tally::{SLICE, Slice, Tally};
use super::tester::{self, Tester};
use super::{find, json, plot, replay, report};

/// Below this part of the asked rate a run fell short of it.
const REACHED: f64 = 0.98;

/// Runs what the arguments ask for and prints the result.
///
/// # Errors
/// One line: why nothing could be run, or that the run failed.
pub fn run(args: &LoadArgs) -> Result<(), String> {
    if let Some(path) = &args.replay {
        return replay::run(args, path);
    }
    if !args.find.is_empty() {
        return find::run(args);
    }
    let plan = plan(args)?;
    let (plot, hgrm) = (output::open(&args.plot)?, output::open(&args.hgrm)?);
    let interrupt = Interrupt::listen().map_err(cannot("watch for signals"))?;
    let (tally, slices) = run_threads(&plan, u64::from(args.threads), Live::new(args), &interrupt)?;

    let saturated = is_saturated(&plan, &tally);
    let text = match args.format {
        ReportFormat::Human => report::text(args, &tally, saturated),
        ReportFormat::Json => format!("{}\n", json::result(args, &tally, saturated)),
    };
    print(&text)?;
    // Printed first: a file that cannot be written after all must not cost the result.
    let written = plot
        .map_or(Ok(()), |file| file.write(&plot::svg(&args.summary(), &tally, &slices, args.rate.is_some())))
        .and(hgrm.map_or(Ok(()), |file| file.write(&tally.latency.hgrm())));
    verdict(args, &tally).and(written)
}

/// What the arguments ask for, where so many connections can be had.
///
/// # Errors
/// One line: why nothing can be run.
pub(super) fn plan(args: &LoadArgs) -> Result<Plan, String> {
    let talk = args.talk()?;
    let place = args.place();
    let tls = args.tls.settings();
    tls.prepare(std::iter::once(place.clone()));
    let tls = tls.load()?;
    let found = place.resolve().map_err(cannot(format!("connect to {place}")))?;
    let target = found[0].clone();
    check_room(args, &target)?;
    Ok(Plan {
        target,
        tls,
        sources: args.source_ip.clone(),
        connections: u64::from(args.connections),
        first_conn: 0,
        connect_rate: args.connect_rate.or(matches!(talk, Talk::Chat(_)).then_some(CHAT_CONNECT_RATE)),
        talk,
        template: args.template(),
        warmup: args.warmup(),
        duration: args.duration(),
        messages: args.messages,
        timeout: args.timeout,
        patience: None,
    })
}

/// Whether the asked rate was not reached.
pub(super) fn is_saturated(plan: &Plan, tally: &Tally) -> bool {
    let achieved = tally.messages as f64 / tally.measured.as_secs_f64().max(1e-9);
    let fell_short = plan.talk.asked_rate().is_some_and(|asked| achieved < asked * REACHED);
    // Falling short alone may be the replies that are still on their way at the end.
    !tally.measured.is_zero() && fell_short && (tally.fell_behind || tally.unsent > 0)
}

/// Says before anything is begun when so many connections cannot be had, and whose limit it is.
fn check_room(args: &LoadArgs, target: &Address) -> Result<(), String> {
    let connections = args.connections as usize;
    let descriptors = descriptors::raise_limit();
    if connections + RESERVED > descriptors {
        return Err(format!(
            "cannot hold {connections} connections: this process may have {descriptors} descriptors (ulimit -n), \
             and {RESERVED} are kept for other things"
        ));
    }
    if target.socket().is_none() {
        return Ok(());
    }
    let addresses = args.source_ip.len().max(1);
    match ports_an_address() {
        Some(ports) if connections > ports * addresses => {
            let have = if addresses == 1 { "address has" } else { "addresses have" };
            Err(format!(
                "cannot hold {connections} connections: {addresses} {have} {ports} ports each \
                 (net.ipv4.ip_local_port_range); give more with --source-ip"
            ))
        }
        _ => Ok(()),
    }
}

fn ports_an_address() -> Option<usize> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = range.split_whitespace().map(str::parse::<usize>);
    let (low, high) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    Some(high.checked_sub(low)? + 1)
}

/// Runs the plan in so many threads.
///
/// # Errors
/// One line: what the system refused.
pub(super) fn run_threads(
    plan: &Plan,
    threads: u64,
    live: Live,
    interrupt: &Interrupt,
) -> Result<(Tally, Vec<Slice>), String> {
    let (watcher, watched) = channel();
    let mut mailboxes = Vec::new();
    let mut ready = Vec::new();
    for plan in plan.split(threads) {
        let (mut reactor, mailbox) = Reactor::new(tester::limits(&plan)).map_err(cannot("start"))?;
        plan.tls.use_in(&mut reactor);
        ready.push((reactor, plan));
        mailboxes.push(mailbox);
    }
    // Before anything is sent: whoever sees the traffic may interrupt it, and gets what there is.
    interrupt.tell(mailboxes);

    let mut running = Vec::new();
    for (reactor, plan) in ready {
        let tester = Tester::new(plan, reactor.clock(), watcher.clone());
        // It gives back its tally alone: were its end of the channel to live on, watching would not end.
        let thread = thread::Builder::new()
            .name("load".into())
            .spawn(move || reactor.run(tester).map(Tester::into_tally));
        running.push(thread.map_err(cannot("start a thread"))?);
    }
    drop(watcher);

    let slices = watch(&watched, live);
    let mut tally: Option<Tally> = None;
    for thread in running {
        let counted = thread.join().map_err(|_| "a thread of the tester panicked".to_owned())?;
        let counted = counted.map_err(cannot("wait for events"))?;
        match &mut tally {
            Some(tally) => tally.add(counted),
            None => tally = Some(counted),
        }
    }
    Ok((tally.unwrap_or_default(), slices))
}

/// New connections a second in a chat, unless it is said otherwise. ncat's backlog is 10: faster, and
/// some would wait for a second SYN while the others already talk.
const CHAT_CONNECT_RATE: f64 = 200.0;

/// Slices that the live view shows together: a second's.
const SHOWN_TOGETHER: u128 = 10;

/// Shows each second, and gives all slices back, until the threads have ended. Threads tell of their
/// slices at about the same times, so these are put together by when they were.
pub(super) fn watch(watched: &Receiver<Slice>, mut live: Live) -> Vec<Slice> {
    let mut slices: BTreeMap<u128, Slice> = BTreeMap::new();
    let mut shown_to = 0;
    for part in watched {
        let place = (part.at + SLICE / 2).as_millis() / SLICE.as_millis();
        match slices.entry(place) {
            Entry::Occupied(mut slice) => slice.get_mut().add(&part),
            Entry::Vacant(vacant) => drop(vacant.insert(part)),
        }
        if place > shown_to + SHOWN_TOGETHER {
            let mut second = slices.range(shown_to..shown_to + SHOWN_TOGETHER).map(|(_, slice)| slice);
            if let Some(first) = second.next() {
                let mut shown = first.clone();
                second.for_each(|slice| shown.append(slice));
                live.show(&shown);
            }
            shown_to += SHOWN_TOGETHER;
        }
    }
    live.end();
    slices.into_values().collect()
}

fn verdict(args: &LoadArgs, tally: &Tally) -> Result<(), String> {
    let mut failed: Vec<String> =
        args.fail_if.iter().filter_map(|threshold| threshold.failure(tally)).collect();
    if tally.cut_short {
        failed.insert(0, report::cut_short(args, tally));
    }
    if args.pattern == Pattern::Send && tally.messages == 0 && !tally.interrupted {
        failed.push("nothing that counts was sent".to_owned());
    }
    if tally.failed() > 0 {
        let counts: Vec<String> =
            tally.failures.iter().map(|(failure, count)| format!("{count} {}", failure.name())).collect();
        failed.push(counts.join(", "));
    } else if tally.unanswered > 0 && !tally.interrupted {
        failed.push(format!("{} messages were not answered", tally.unanswered));
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join("; "))) }
}
