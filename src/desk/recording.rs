//! A transcript read back: who said what and when, conversation by conversation. The other end of the JSON face: what
//! stands in for a recorded server, and what loads one as its peers did, go by it.

mod lacks;
mod line;
mod progress;

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use self::lacks::Lacks;
use self::line::{Line, Said};
pub use self::progress::Progress;
use crate::buffer::framing::Framing;
use crate::conn::reason::in_words;

/// A line of a transcript is no longer than this: room for a message of 64 MiB each byte of which is spelt `\u0001`.
const LINE_BYTES_MAX: u64 = 512 << 20;

/// What a transcript has in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The conversations with those who connected, in the order they came. Whom the server itself had dialled is not
    /// among them.
    pub conversations: Vec<Conversation>,
    /// What happened and is not in it.
    pub lacks: Lacks,
}

/// One recorded connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The run that it was of, from 0: several may be appended one behind the other.
    pub run: usize,
    /// When it came, counted from the first of its run.
    pub opened: Duration,
    /// What happened, in order.
    pub turns: Vec<Turn>,
}

/// Something that happened in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When, counted from when it connected.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The peer said this: a message, with whatever framed it.
    Heard(Arc<[u8]>),
    /// The peer has finished sending.
    HeardEnd,
    /// The peer has reset it, or was lost.
    HeardReset,
    /// It was sent this.
    Said(Arc<[u8]>),
    /// Our side was finished.
    SaidEnd,
    /// We have reset it.
    SaidReset,
}

/// What is known of a run while it is read.
#[derive(Debug)]
struct Run {
    number: usize,
    /// What it calls itself, until it has ended.
    id: Option<String>,
    framing: Framing,
    /// When the first came, in microseconds since 1970.
    began: Option<i64>,
    /// Of those that are open: where their conversation lies, and when they came.
    open: HashMap<u64, Open>,
    /// The target's sides of a tap, and whose they are.
    targets: HashMap<u64, u64>,
}

#[derive(Debug)]
struct Open {
    place: usize,
    since: i64,
    has_ended: bool,
    was_finished: bool,
    /// It is in the middle of a message, and what framed that in front was told.
    has_begun: bool,
    /// So much of what it was sent is told.
    told_bytes: u64,
    /// It was here when the file began.
    is_past: bool,
}

impl Open {
    fn new(place: usize, since: i64) -> Open {
        Open {
            place,
            since,
            has_ended: false,
            was_finished: false,
            has_begun: false,
            told_bytes: 0,
            is_past: false,
        }
    }

    /// What was said, with what framed it.
    fn whole(&mut self, said: Said) -> Arc<[u8]> {
        let Said { before, bytes, goes_on } = said;
        let had_begun = self.has_begun;
        self.has_begun = goes_on && (had_begun || !before.is_empty());
        if had_begun || before.is_empty() { bytes.into() } else { [before, bytes].concat().into() }
    }
}

impl Default for Run {
    fn default() -> Run {
        Run {
            number: 0,
            id: None,
            framing: Framing::Lines,
            began: None,
            open: HashMap::new(),
            targets: HashMap::new(),
        }
    }
}

impl Recording {
    /// Reads a transcript: of one run, or of several that were appended one behind the other. The last line of a run
    /// may be torn, and so may the first.
    ///
    /// # Errors
    /// When it cannot be read, when a line is none of a transcript (which one, and why), or when nobody connected.
    pub fn read(from: impl BufRead) -> Result<Recording, String> {
        Recording::read_with_framing(from).map(|(recording, _)| recording)
    }

    /// The same, and how messages were framed in the first run.
    ///
    /// # Errors
    /// As above.
    pub fn read_with_framing(mut from: impl BufRead) -> Result<(Recording, Framing), String> {
        let mut recording = Recording::default();
        let mut run = Run::default();
        let mut first_framing = None;
        // What was wrong with the line before: at the end of a run that is forgiven.
        let mut torn: Option<String> = None;
        let mut text = Vec::new();
        for number in 1u64.. {
            if !read_line(&mut from, number, &mut text)? {
                break;
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let line = match Line::read(&text, &run.framing) {
                Ok(line) => line,
                Err(why) => {
                    // Where a run ends in a torn line, the first of the next may be torn, too.
                    let begins_run = begins_run(&text);
                    if let Some(before) =
                        torn.replace(format!("line {number}: {why}")).filter(|_| !begins_run)
                    {
                        return Err(before);
                    }
                    recording.lacks.torn(number);
                    continue;
                }
            };
            if let Line::Listening { run: id, framing } = line {
                torn = None;
                first_framing.get_or_insert(framing);
                if id.is_some() && id == run.id {
                    // Who is here in a file stays in the next one.
                    continue;
                }
                // Several addresses are one run, and nobody has come between them.
                let has_begun = run.began.is_some();
                run = Run { number: run.number + usize::from(has_begun), id, framing, ..Run::default() };
                continue;
            }
            if let Some(before) = torn {
                return Err(before);
            }
            match line {
                Line::Skipped(count) => recording.lacks.hole(number, count),
                Line::Closed { id, sent, .. } => {
                    if let Some(open) = run.open.get(&id) {
                        recording.lacks.ended(sent, open.told_bytes);
                    }
                    run.take(line, &mut recording.conversations);
                }
                line => run.take(line, &mut recording.conversations),
            }
        }
        if recording.conversations.is_empty() {
            return Err(torn.unwrap_or_else(|| "nobody connected in it".to_owned()));
        }
        Ok((recording, first_framing.unwrap_or(Framing::Lines)))
    }

    /// What is not in it, in words that go on behind its name: whoever plays it is to know.
    pub fn lacks_in_words(&self) -> Option<String> {
        self.lacks.in_words(self.conversations.len())
    }
}

impl Run {
    fn take(&mut self, line: Line, all: &mut Vec<Conversation>) {
        match line {
            Line::Opened { id, client, is_dialled, is_past, at } => {
                if let Some(open) = self.open.get_mut(&id)
                    && (is_past || mem::take(&mut open.is_past))
                {
                    // It is told twice: where the file begins, and among what was under way to the one before.
                } else if let Some(client) = client {
                    self.targets.insert(id, client);
                } else if !is_dialled {
                    let began = *self.began.get_or_insert(at);
                    let place = all.len();
                    self.open.insert(id, Open { is_past, ..Open::new(place, at) });
                    all.push(Conversation {
                        run: self.number,
                        opened: between(began, at),
                        turns: Vec::new(),
                    });
                }
            }
            Line::Heard { id, said, at } => {
                if let Some(open) = self.open.get_mut(&id) {
                    let bytes = open.whole(said);
                    self.note(id, at, What::Heard(bytes), all);
                }
            }
            Line::Said { ids, bytes, at } => {
                ids.into_iter().for_each(|id| self.note(id, at, What::Said(bytes.clone()), all));
            }
            Line::SaidToAll { bytes, at } => {
                let mut ids: Vec<u64> = self.open.keys().copied().collect();
                ids.sort_unstable();
                ids.into_iter().for_each(|id| self.note(id, at, What::Said(bytes.clone()), all));
            }
            Line::Ended { id, at } => match self.targets.get(&id) {
                // The end of a tap's target is what its client is told.
                Some(client) => self.note(*client, at, What::SaidEnd, all),
                None => self.note(id, at, What::HeardEnd, all),
            },
            Line::Finished { id, at } => self.note(id, at, What::SaidEnd, all),
            Line::Closed { id, reason, at, .. } => {
                self.close(id, &reason, at, all);
                self.open.remove(&id);
                self.targets.remove(&id);
            }
            Line::Bye => self.id = None,
            Line::Listening { .. } | Line::Skipped(_) | Line::Other => {}
        }
    }

    fn close(&mut self, id: u64, reason: &str, at: i64, all: &mut [Conversation]) {
        let Some(open) = self.open.get(&id) else { return };
        let what = match reason {
            "reset" | "lost" | "timed-out" => What::HeardReset,
            "we-reset" | "link-reset" | "rule-reset" | "play-reset" => What::SaidReset,
            // It is the recording that ends here: whoever was there has gone on, or would have.
            "stopping" => return,
            _ if open.was_finished => return,
            _ => What::SaidEnd,
        };
        self.note(id, at, what, all);
    }

    fn note(&mut self, id: u64, at: i64, what: What, all: &mut [Conversation]) {
        let Some(open) = self.open.get_mut(&id) else { return };
        match what {
            What::HeardEnd if open.has_ended => return,
            What::SaidEnd if open.was_finished => return,
            What::Said(ref bytes) => open.told_bytes += bytes.len() as u64,
            What::HeardEnd => open.has_ended = true,
            What::SaidEnd => open.was_finished = true,
            _ => {}
        }
        all[open.place].turns.push(Turn { at: between(open.since, at), what });
    }
}

/// Reads the line of this number. Returns whether there is one.
fn read_line(from: &mut impl BufRead, number: u64, text: &mut Vec<u8>) -> Result<bool, String> {
    text.clear();
    let length = from.take(LINE_BYTES_MAX).read_until(b'\n', text).map_err(|error| in_words(&error))?;
    if length as u64 == LINE_BYTES_MAX && !text.ends_with(b"\n") {
        return Err(format!("line {number}: it is longer than {} MiB", LINE_BYTES_MAX >> 20));
    }
    Ok(length > 0)
}

/// Whether a torn line is as much as there is of one that begins a run.
fn begins_run(torn: &[u8]) -> bool {
    let (torn, whole) = (torn.trim_ascii_end(), br#"{"ev":"listening""#);
    torn.starts_with(whole) || whole.starts_with(torn)
}

/// The time between two moments; none, where the clock was set back.
fn between(since: i64, at: i64) -> Duration {
    Duration::from_micros(u64::try_from(at - since).unwrap_or_default())
}

#[cfg(test)]
mod tests;
