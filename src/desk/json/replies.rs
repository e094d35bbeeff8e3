//! Replies as lines of JSON.

use super::events::{peer, via};
use super::write::{Writer, flag, list, number, payload, text};
use crate::desk::command::How;
use crate::desk::event::Who;
use crate::desk::fault::FaultSpec;
use crate::desk::help::HELP;
use crate::desk::lesson::Written;
use crate::desk::reply::{Deed, Filtered, Outcome, Reply, Row, Tally, Target, Waiting};
use crate::desk::rules::Spelt;
use crate::desk::text::push_number;

/// What a reply carries beside what it says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame<'a> {
    /// The reference of its command, as it was spelt.
    pub reference: Option<&'a str>,
    /// The number of what was sent.
    pub seq: Option<u64>,
    /// What is queued beyond this is told as `behind`.
    pub low_water_bytes: usize,
}

impl Writer {
    /// Appends a reply.
    pub fn reply(&mut self, reply: &Reply<'_>, frame: Frame<'_>, out: &mut Vec<u8>) {
        let is_error = matches!(reply, Reply::Refused(_));
        out.extend_from_slice(if is_error { b"{\"ev\":\"error\"" } else { b"{\"ev\":\"ok\"" });
        if let Some(seq) = frame.seq {
            number(out, "seq", seq);
        }
        if let Some(reference) = frame.reference {
            out.extend_from_slice(b",\"ref\":");
            out.extend_from_slice(reference.as_bytes());
        }
        match reply {
            Reply::Sent(_, sent) => {
                number(out, "queued", 1);
                number(out, "bytes", sent.bytes as u64);
                behind(out, sent.queued_bytes, frame);
            }
            Reply::SentToAll(bytes, odd, tally) => several(out, Deed::Send(*bytes), odd, tally, frame),
            Reply::Several(deed, outcomes, tally) => several(out, *deed, outcomes, tally, frame),
            Reply::Targets(_, outcomes, tally) => several(out, Deed::Target, outcomes, tally, frame),
            Reply::Refused(refusal) => {
                text(out, "code", refusal.code());
                text(out, "msg", &refusal.to_string());
            }
            Reply::Conns(rows, desks) => {
                list(out, "conns", *rows, |out, row| self.row(out, row));
                if !desks.is_empty() {
                    list(out, "desks", *desks, |out, operator| {
                        let from = out.len();
                        super::events::operator(out, "desk", *operator);
                        // The comma in front of its first key.
                        out[from] = b'{';
                        out.push(b'}');
                    });
                }
            }
            Reply::Pending(all) => list(out, "conns", *all, |out, one| self.waiting(out, one)),
            Reply::Next(one) => list(out, "conns", [one], |out, one| self.waiting(out, one)),
            Reply::Shown(_, kept) => list(out, "msgs", *kept, |out, one| {
                out.extend_from_slice(b"{\"ts\":");
                super::write::string(out, &self.ago(one.age));
                payload(out, one.bytes);
                if one.is_ours {
                    flag(out, "ours");
                }
                out.push(b'}');
            }),
            reply => push_rest(out, reply),
        }
        out.extend_from_slice(b"}\n");
    }

    /// The same with what a text desk would be told, line by line.
    pub fn reply_with_words(&mut self, reply: &Reply<'_>, frame: Frame<'_>, words: &[u8], out: &mut Vec<u8>) {
        self.reply(reply, frame, out);
        out.truncate(out.len() - b"}\n".len());
        let words = String::from_utf8_lossy(words);
        list(out, "words", words.lines(), super::write::string);
        out.extend_from_slice(b"}\n");
    }

    fn row(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        self.begin_row(out, row);
        out.push(b'}');
    }

    fn begin_row(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        begin_who(out, row.who);
        peer(out, row.peer);
        via(out, row.via);
        text(out, "since", &self.ago(row.age));
        self.end_row(out, row);
    }

    /// What a row has behind who it is, and since when.
    pub(super) fn end_row(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        if let Some(heard) = row.heard {
            text(out, "heard", &self.ago(heard));
        }
        number(out, "rx", row.received_bytes);
        number(out, "tx", row.sent_bytes);
        number(out, "queued", row.queued_bytes as u64);
        text(out, "state", row.state.code());
        if let Some(fault) = &row.fault {
            text(out, "fault", &fault.to_string());
        }
        if row.is_slow {
            flag(out, "slow");
        }
        if let Some(pending) = row.pending {
            text(out, "pending", &self.ago(pending));
        }
        if let Some(mate) = row.linked {
            number(out, "link", mate);
        }
    }

    fn waiting(&mut self, out: &mut Vec<u8>, one: &Waiting<'_>) {
        self.begin_row(out, &one.row);
        payload(out, one.text);
        if one.is_cut {
            flag(out, "cut");
        }
        out.push(b'}');
    }
}

fn push_rest(out: &mut Vec<u8>, reply: &Reply<'_>) {
    match reply {
        Reply::Closing(who, how, reason) => {
            number(out, "id", who.serial);
            text(out, "how", spelt_how(*how));
            match reason {
                Some(Outcome::Full(_)) => list(out, "full", [who.serial], push_number),
                Some(Outcome::Finished) => list(out, "finished", [who.serial], push_number),
                _ => {}
            }
        }
        Reply::Done(who) => number(out, "id", who.serial),
        Reply::Named(who) => {
            number(out, "id", who.serial);
            if let Some(name) = who.name {
                text(out, "name", name);
            }
        }
        Reply::Dialling(who, address) => {
            number(out, "id", who.serial);
            text(out, "addr", address);
        }
        Reply::Linked(one, other) | Reply::Unlinked(one, other) => {
            list(out, "ids", [one.serial, other.serial], push_number);
        }
        Reply::DeskIs(operator) => super::events::operator(out, "desk", *operator),
        Reply::TargetIs(target) => match target {
            Target::One(who) | Target::Named(_, who) => number(out, "to", who.serial),
            Target::All => text(out, "to", "all"),
            Target::Last => text(out, "to", "last"),
            Target::Glob(glob) => text(out, "to", glob),
        },
        Reply::Filtered(filtered) => match filtered {
            Filtered::Muted(count) => number(out, "muted", *count as u64),
            Filtered::Focused(count) => number(out, "focused", *count as u64),
            Filtered::All => flag(out, "all"),
        },
        Reply::EveryBegun(number_of_it, period) => {
            number(out, "n", *number_of_it);
            number(out, "ms", period.as_millis() as u64);
        }
        Reply::Everies(all) => list(out, "every", *all, |out, one| {
            out.extend_from_slice(b"{\"n\":");
            push_number(out, one.number);
            number(out, "ms", one.period.as_millis() as u64);
            match one.whom {
                [] => text(out, "to", "all"),
                some => list(out, "to", some.iter().copied(), push_number),
            }
            payload(out, one.bytes);
            out.push(b'}');
        }),
        Reply::EveryOff(count) => number(out, "off", *count as u64),
        Reply::Faults(who, spec) => {
            if let Some(who) = who {
                number(out, "id", who.serial);
            }
            text(out, "spec", &spelt_faults(*spec));
        }
        Reply::FaultsOf(all, outcomes, tally) => {
            list(out, "faults", *all, |out, (who, spec)| {
                begin_who(out, *who);
                text(out, "spec", &spelt_faults(spec.as_deref()));
                out.push(b'}');
            });
            odd_ones(out, outcomes, tally);
        }
        Reply::FileBegun(_, path, bytes) => {
            text(out, "path", path);
            number(out, "bytes", *bytes);
        }
        Reply::Stats { stats, conns, uptime } => {
            number(out, "uptime_ms", uptime.as_millis() as u64);
            number(out, "conns_now", *conns as u64);
            stats.counters().into_iter().for_each(|(name, count)| number(out, name, count));
        }
        Reply::Help(_) => list(out, "help", HELP, |out, help| {
            out.extend_from_slice(b"{\"usage\":");
            super::write::string(out, help.usage);
            text(out, "what", help.what);
            out.push(b'}');
        }),
        Reply::Learnt(message, answer, written) => {
            let line = Spelt::learnt(message, answer).line();
            text(out, "learnt", String::from_utf8_lossy(&line).trim_end_matches('\n'));
            match written {
                Written::Nowhere => {}
                Written::To(path) => text(out, "path", path),
                Written::NotTo(path, why) => {
                    text(out, "path", path);
                    text(out, "error", why);
                }
            }
        }
        Reply::Stopping(waiting) => number(out, "waiting", *waiting as u64),
        // The others are spelt above, or are a person's.
        _ => {}
    }
}

fn several(
    out: &mut Vec<u8>,
    deed: Deed<'_>,
    outcomes: &[(Who<'_>, Outcome)],
    tally: &Tally,
    frame: Frame<'_>,
) {
    match deed {
        Deed::Send(bytes) => {
            number(out, "queued", tally.done as u64);
            number(out, "bytes", bytes as u64);
            behind(out, tally.behind_bytes, frame);
        }
        Deed::Close(how) => {
            text(out, "how", spelt_how(how));
            number(out, "closed", tally.done as u64);
        }
        Deed::Target | Deed::Done => number(out, "done", tally.done as u64),
        Deed::Break(spec) => {
            number(out, "done", tally.done as u64);
            text(out, "spec", &spec.to_string());
        }
        Deed::Mend => {
            number(out, "done", tally.done as u64);
            text(out, "spec", "off");
        }
    }
    odd_ones(out, outcomes, tally);
}

/// To whom it was not done, and why.
fn odd_ones(out: &mut Vec<u8>, outcomes: &[(Who<'_>, Outcome)], tally: &Tally) {
    for (key, count, is) in [
        ("gone", tally.gone, is_gone as fn(&Outcome) -> bool),
        ("full", tally.full, |outcome| matches!(outcome, Outcome::Full(_) | Outcome::BehindFile)),
        ("finished", tally.finished, |outcome| matches!(outcome, Outcome::Finished)),
    ] {
        if count > 0 {
            let those = outcomes.iter().filter(|(_, outcome)| is(outcome)).map(|(who, _)| who.serial);
            list(out, key, those, push_number);
        }
    }
    if tally.not_reached > 0 {
        number(out, "not_reached", tally.not_reached as u64);
    }
}

fn is_gone(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Gone)
}

fn behind(out: &mut Vec<u8>, queued_bytes: usize, frame: Frame<'_>) {
    if queued_bytes > frame.low_water_bytes {
        number(out, "behind", queued_bytes as u64);
    }
}

fn spelt_how(how: How) -> &'static str {
    match how {
        How::Eof => "eof",
        How::Kick => "kick",
        How::Reset => "rst",
    }
}

/// What is broken, or that nothing is.
pub(super) fn spelt_faults(spec: Option<&FaultSpec>) -> String {
    spec.map_or_else(|| "off".to_owned(), FaultSpec::to_string)
}

fn begin_who(out: &mut Vec<u8>, who: Who<'_>) {
    out.extend_from_slice(b"{\"id\":");
    push_number(out, who.serial);
    if let Some(name) = who.name {
        text(out, "name", name);
    }
}
