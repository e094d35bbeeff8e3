//! Replies to lines. A command gets one, on one line where it is no table.

use std::io::{self, Write};

use crate::board::stats::Stats;
use crate::desk::command::{How, View};
use crate::desk::event::Who;
use crate::desk::help::HELP;
use crate::desk::refusal::Refusal;
use crate::desk::reply::{Deed, Filtered, Kept, Outcome, Repeated, Reply, Tally, Target, Waiting};
use crate::desk::words::{brief, duration, limit, plural, size};

use super::answered::{push_learnt, push_spelt};
use super::broken::{push_faults, push_not_shown};
use super::comings::push_linked;
use super::desks::{push_desks, push_stopping};
use super::render::{Reader, Repertoire, push_bytes, push_sent_to, push_serial, push_who};
use super::table::{push_conns, push_help};

/// Appends a reply.
pub(super) fn push_reply(
    out: &mut Vec<u8>,
    reply: &Reply<'_>,
    repertoire: Repertoire,
    reader: Reader,
) -> io::Result<()> {
    match reply {
        Reply::Sent(who, sent) => {
            push_sent_to(out, *who);
            match sent.not_reading_for {
                None => push_bytes(out, sent.bytes),
                Some(time) => {
                    let before = sent.queued_bytes.saturating_sub(sent.bytes);
                    let (bytes, queued) = (plural(sent.bytes as u64, "byte"), size(before));
                    writeln!(out, "{bytes} behind {queued}, not reading for {}", duration(time))?;
                }
            }
            Ok(())
        }
        Reply::SentToAll(bytes, odd, tally) => push_to_all(out, *bytes, odd, tally),
        Reply::Closing(who, how, reason) => {
            push_sent_to(out, *who);
            write!(out, "{}", of_one(*how))?;
            match reason {
                Some(Outcome::Full(queued)) => {
                    write!(out, "; {} queued: the reason was not sent", size(*queued))?;
                }
                Some(Outcome::Finished) => {
                    write!(out, "; our side of it is finished: the reason was not sent")?;
                }
                _ => {}
            }
            writeln!(out)
        }
        Reply::Several(deed, outcomes, tally) => push_several(out, *deed, outcomes, tally),
        Reply::Targets(_, outcomes, tally) => push_several(out, Deed::Target, outcomes, tally),
        Reply::TargetIs(target) => push_target(out, *target),
        Reply::Conns(rows, desks) => {
            push_conns(out, rows, reader)?;
            push_desks(out, desks)
        }
        Reply::DeskIs(_) => Ok(()),
        Reply::Words(words) | Reply::SentWords(words) => {
            let spoken = words.lines().map(|line| line.replace(char::is_control, "?"));
            spoken.for_each(|line| {
                push_spelt(out, &line, repertoire);
                out.push(b'\n');
            });
            Ok(())
        }
        Reply::Pending(waiting) => push_pending(out, waiting, repertoire),
        Reply::Next(waiting) => push_next(out, waiting, repertoire),
        Reply::Done(who) => with_who(out, "-> ", *who, " needs no answer any more"),
        Reply::Shown(who, kept) => push_shown(out, *who, kept, repertoire),
        Reply::Named(Who { serial, name }) => {
            out.extend_from_slice(b"-> ");
            push_serial(out, *serial);
            match name {
                Some(name) => writeln!(out, " is {name} now"),
                None => writeln!(out, " has no name any more"),
            }
        }
        Reply::Dialling(who, address) => {
            push_sent_to(out, *who);
            write!(out, "is being connected to ")?;
            repertoire.push(out, address.as_bytes());
            writeln!(out)
        }
        Reply::Linked(one, other) => push_linked(out, "-> ", [*one, *other], "are linked"),
        Reply::Unlinked(one, other) => push_linked(out, "-> ", [*one, *other], "are linked no more"),
        Reply::Filtered(Filtered::All) => writeln!(out, "-> everything is shown"),
        Reply::Filtered(Filtered::Muted(count)) => {
            let count = plural(*count as u64, "connection");
            writeln!(out, "-> {count} hidden; /show all shows everything again")
        }
        Reply::Filtered(Filtered::Focused(count)) => {
            let count = plural(*count as u64, "connection");
            writeln!(out, "-> only {count} shown; /show all shows everything again")
        }
        Reply::Viewing(who, view) => {
            let what = if *view == View::Hex { "shown in hexadecimal" } else { "shown as text" };
            match who {
                Some(who) => with_who(out, "-> ", *who, &format!(" is {what}")),
                None => writeln!(out, "-> messages are {what}"),
            }
        }
        Reply::EveryBegun(number, period) => {
            writeln!(out, "-> every {}: /every off {number} stops it", limit(*period))
        }
        Reply::Everies(repeated) => push_everies(out, repeated, repertoire),
        Reply::EveryOff(count) => writeln!(out, "-> {} stopped", plural(*count as u64, "repetition")),
        Reply::Faults(who, spec) => push_faults(out, *who, *spec),
        Reply::FaultsOf(all, outcomes, tally) => {
            all.iter().try_for_each(|(who, spec)| push_faults(out, Some(*who), spec.as_deref()))?;
            push_not_shown(out, all.is_empty(), outcomes, tally)
        }
        Reply::FileBegun(who, path, bytes) => {
            match who {
                Some(who) => push_sent_to(out, *who),
                None => out.extend_from_slice(b"-> "),
            }
            write!(out, "{} of ", plural(*bytes, "byte"))?;
            repertoire.push(out, path.as_bytes());
            writeln!(out)
        }
        Reply::Learnt(message, answer, written) => push_learnt(out, message, answer, written, repertoire),
        Reply::Stats { stats, conns, uptime } => push_stats(out, stats, *conns, &duration(*uptime)),
        Reply::Help(None) => HELP.iter().try_for_each(|help| push_help(out, help, reader)),
        Reply::Help(Some(help)) => push_help(out, help, reader),
        Reply::Stopping(waiting) => push_stopping(out, *waiting, None),
        Reply::Refused(Refusal::NoLesson(why)) => {
            push_spelt(out, &why.to_string(), repertoire);
            writeln!(out)
        }
        Reply::Refused(refusal) => {
            repertoire.push(out, refusal.to_string().as_bytes());
            writeln!(out)
        }
    }
}

fn with_who(out: &mut Vec<u8>, before: &str, who: Who<'_>, after: &str) -> io::Result<()> {
    out.extend_from_slice(before.as_bytes());
    push_who(out, who);
    writeln!(out, "{after}")
}

fn of_one(how: How) -> &'static str {
    match how {
        How::Eof => "finishes after what is queued",
        How::Kick => "closes after what is queued",
        How::Reset => "is reset",
    }
}

fn of_many(how: How) -> &'static str {
    match how {
        How::Eof => "finish after what is queued",
        How::Kick => "close after what is queued",
        How::Reset => "are reset",
    }
}

/// What was done, in one line: whom it was done to by number where they are few, how many they are where they are
/// many; then those it was not done to.
#[inline(never)]
fn push_several(
    out: &mut Vec<u8>,
    deed: Deed<'_>,
    outcomes: &[(Who<'_>, Outcome)],
    tally: &Tally,
) -> io::Result<()> {
    let names_all = !outcomes.is_empty();
    if tally.done > 0 || !names_all {
        match deed {
            Deed::Target => write!(out, "* the current target is ")?,
            _ => write!(out, "-> ")?,
        }
        if names_all {
            let is_done = |outcome: Outcome| match deed {
                // Whom a reason does not reach is closed all the same.
                Deed::Close(_) => outcome != Outcome::Gone,
                _ => outcome.is_done(),
            };
            push_list(out, outcomes.iter().filter(|(_, outcome)| is_done(*outcome)).map(|(who, _)| *who));
        } else {
            write!(out, "{}", plural(tally.done as u64, "connection"))?;
        }
        match deed {
            Deed::Send(bytes) => write!(out, " {}", plural(bytes as u64, "byte"))?,
            Deed::Target => {}
            Deed::Close(how) if tally.done == 1 && names_all => write!(out, " {}", of_one(how))?,
            Deed::Close(how) => write!(out, " {}", of_many(how))?,
            Deed::Done if tally.done == 1 => write!(out, " needs no answer any more")?,
            Deed::Done => write!(out, " need no answer any more")?,
            Deed::Break(spec) => write!(out, " {} broken: {spec}", is_or_are(tally.done))?,
            Deed::Mend => write!(out, " {} broken no more", is_or_are(tally.done))?,
        }
    }
    if names_all {
        push_odd_ones(out, outcomes, tally.done > 0)?
    } else {
        push_odd_counts(out, tally)?
    }
    if tally.not_reached > 0 {
        write!(out, "; the end came first: {} not reached", plural(tally.not_reached as u64, "connection"))?;
    }
    writeln!(out)
}

fn is_or_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

#[inline(never)]
fn push_to_all(out: &mut Vec<u8>, bytes: usize, odd: &[(Who<'_>, Outcome)], tally: &Tally) -> io::Result<()> {
    let (conns, bytes) = (plural(tally.done as u64, "connection"), plural(bytes as u64, "byte"));
    write!(out, "-> all ({conns}) {bytes}")?;
    if odd.is_empty() {
        push_odd_counts(out, tally)?
    } else {
        push_odd_ones(out, odd, true)?
    }
    writeln!(out)
}

fn push_list<'a>(out: &mut Vec<u8>, all: impl Iterator<Item = Who<'a>>) {
    for (at, who) in all.enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        push_who(out, who);
    }
}

pub(super) fn push_odd_ones(
    out: &mut Vec<u8>,
    outcomes: &[(Who<'_>, Outcome)],
    mut begun: bool,
) -> io::Result<()> {
    for (who, outcome) in outcomes {
        if matches!(outcome, Outcome::Done(_)) {
            continue;
        }
        if begun {
            out.extend_from_slice(b"; ");
        }
        begun = true;
        push_who(out, *who);
        match outcome {
            Outcome::Done(_) => {}
            Outcome::Behind(queued, time) => {
                write!(out, " behind {}, not reading for {}", size(*queued), duration(*time))?;
            }
            Outcome::Full(queued) => {
                write!(out, " is not reading, {} queued: this was not sent", size(*queued))?;
            }
            Outcome::BehindFile => write!(out, " was not sent it: a file is on its way to it")?,
            Outcome::Finished => write!(out, " was not sent it: our side of it is finished")?,
            Outcome::Gone => write!(out, " is gone")?,
        }
    }
    Ok(())
}

pub(super) fn push_odd_counts(out: &mut Vec<u8>, tally: &Tally) -> io::Result<()> {
    let Tally { slow, full, finished, gone, more_gone, .. } = *tally;
    if gone > 0 {
        write!(out, "; {}{gone} gone", if more_gone { "more than " } else { "" })?;
    }
    if slow > 0 {
        write!(out, "; {slow} not reading")?;
    }
    if full > 0 {
        write!(out, "; {full} not reading, to whom this was not sent")?;
    }
    if finished > 0 {
        write!(out, "; {finished} to whom our side is finished")?;
    }
    Ok(())
}

fn push_target(out: &mut Vec<u8>, target: Target<'_>) -> io::Result<()> {
    out.extend_from_slice(b"* the current target is ");
    match target {
        Target::One(who) | Target::Named(_, who) => push_who(out, who),
        Target::All => out.extend_from_slice(b"everybody"),
        Target::Last => out.extend_from_slice(b"whoever spoke last"),
        Target::Glob(glob) => write!(out, "everybody whose name fits {glob}")?,
    }
    writeln!(out)
}

fn push_pending(out: &mut Vec<u8>, waiting: &[Waiting<'_>], repertoire: Repertoire) -> io::Result<()> {
    if waiting.is_empty() {
        return writeln!(out, "nobody waits for an answer");
    }
    waiting.iter().try_for_each(|one| push_waiting(out, one, " waits", repertoire))
}

fn push_waiting(
    out: &mut Vec<u8>,
    waiting: &Waiting<'_>,
    waits: &str,
    repertoire: Repertoire,
) -> io::Result<()> {
    push_who(out, waiting.row.who);
    write!(out, "{waits} {}", brief(waiting.row.pending.unwrap_or_default()))?;
    out.extend_from_slice(b": ");
    repertoire.push(out, super::without_cr(waiting.text));
    if waiting.is_cut {
        out.extend_from_slice(repertoire.ellipsis().as_bytes());
    }
    writeln!(out)
}

fn push_next(out: &mut Vec<u8>, waiting: &Waiting<'_>, repertoire: Repertoire) -> io::Result<()> {
    out.extend_from_slice(b"* the current target is ");
    push_waiting(out, waiting, ", who waits", repertoire)
}

fn push_shown(out: &mut Vec<u8>, who: Who<'_>, kept: &[Kept<'_>], repertoire: Repertoire) -> io::Result<()> {
    if kept.is_empty() {
        return with_who(out, "", who, " has said nothing that was kept: it is from now on");
    }
    for one in kept {
        push_who(out, who);
        write!(out, " {} ago{} ", brief(one.age), if one.is_ours { ", by us<" } else { ">" })?;
        repertoire.push(out, super::without_cr(one.bytes));
        writeln!(out)?;
    }
    Ok(())
}

fn push_everies(out: &mut Vec<u8>, repeated: &[Repeated<'_>], repertoire: Repertoire) -> io::Result<()> {
    if repeated.is_empty() {
        return writeln!(out, "nothing is repeated");
    }
    for one in repeated {
        write!(out, "{}: every {} to ", one.number, limit(one.period))?;
        match one.whom {
            [] => out.extend_from_slice(b"all"),
            some => push_list(out, some.iter().map(|serial| Who::nameless(*serial))),
        }
        out.push(b' ');
        repertoire.push(out, super::without_cr(&one.bytes[..one.bytes.len().min(80)]));
        writeln!(out)?;
    }
    Ok(())
}

fn push_stats(out: &mut Vec<u8>, stats: &Stats, conns: usize, uptime: &str) -> io::Result<()> {
    let turns = plural(stats.turns, "turn");
    writeln!(out, "up {uptime}, {turns} of the loop (each serves whatever is ready)")?;
    writeln!(
        out,
        "connections {conns} now, {} opened, {} closed, {} dropped for not reading",
        stats.opened, stats.closed, stats.dropped_slow
    )?;
    writeln!(
        out,
        "turned away {} when full, {} by address, {} too many, {} too fast, {} pushed out; {} failed",
        stats.refused_full,
        stats.refused_address,
        stats.refused_too_many,
        stats.refused_too_fast,
        stats.pushed_out,
        plural(stats.accept_errors, "accept")
    )?;
    writeln!(
        out,
        "limits: {} closed as idle, {} as half-open, {} dropped for all buffers, {} ended by TLS, \
         {} of them in the handshake; {} cut",
        stats.closed_idle,
        stats.closed_half_open,
        stats.dropped_buffers,
        stats.ended_tls,
        stats.failed_handshakes,
        plural(stats.cuts, "line")
    )?;
    writeln!(
        out,
        "bytes {} received, {} sent, {} could not be sent, {} discarded; {}",
        stats.received_bytes,
        stats.sent_bytes,
        stats.unsent_bytes,
        stats.discarded_bytes,
        plural(stats.frames, "message")
    )
}
