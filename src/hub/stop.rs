//! The end: how it begins, what is lost by then, and what is told when all is over.

use std::io;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::conn::reason::in_words;
use crate::desk::{Event, Unwritten};
use crate::hub::desks::Desks;
use crate::hub::options::OnStdinEof;
use crate::limits::Limits;
use crate::process::manager::Progress;

/// The least time that the last words have to reach the screen; mostly they need no more than a moment.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Connections and bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lost {
    conns: usize,
    bytes: usize,
}

impl Lost {
    pub fn add(&mut self, bytes: usize) {
        if bytes > 0 {
            self.conns += 1;
            self.bytes += bytes;
        }
    }
}

/// An end that has begun.
#[derive(Debug)]
pub(super) struct Stop {
    since: Instant,
    /// What came since and was thrown away.
    pub discarded: Lost,
}

/// What there is to say at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// Connections that did not get all that was queued for them when the stop began.
    pub unsent_conns: usize,
    /// How many bytes those were.
    pub unsent_bytes: usize,
    /// Connections that said something when the stop had begun, which was thrown away.
    pub discarded_conns: usize,
    /// How many bytes those were.
    pub discarded_bytes: usize,
    /// Why the end of the transcript is missing, in one line, if it is.
    pub transcript_lacks: Option<String>,
}

impl Desks {
    /// Why stdout cannot be written to. Whoever read our output may have gone: a quiet end. Anything else has to be
    /// told.
    pub fn screen_failed(&mut self, error: io::Error) {
        self.screen_error = Some(error);
    }

    /// Whether the end has begun.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether the end has begun in that nobody new is taken.
    pub(super) fn is_draining(&self) -> bool {
        !self.stdin_is_open && self.options.on_stdin_eof == OnStdinEof::Drain
    }

    /// Begins the end. Returns whether it had not begun.
    pub fn begin_stop(&mut self, board: &Board) -> bool {
        if self.stop.is_some() {
            return false;
        }
        self.manager.iter().for_each(|manager| manager.tell(Progress::Stopping));
        self.stop = Some(Stop { since: Instant::now(), discarded: Lost::default() });
        // Those of the last second, of whom nothing was said yet.
        self.turned_away(board);
        self.tell_unsaid();
        true
    }

    /// Ends: waits until all was shown. To be called after the loop. What is no error is told with `tell`.
    ///
    /// # Errors
    /// When something could not be shown.
    pub fn finish(mut self, limits: &Limits, tell: impl Fn(&str)) -> Result<StopReport, String> {
        self.out.tell(&Event::Bye);
        // The screen gets what is left of `--drain`, at least LAST_WORDS, so that the report still appears.
        let taken = self.stop.as_ref().map_or(Duration::ZERO, |stop| stop.since.elapsed());
        let patience = limits.drain_max.saturating_sub(taken).max(LAST_WORDS);
        let (mut unwritten, mut failed, mut transcript_lacks) = (0, None, None);
        for missing in self.out.close(patience, LAST_WORDS) {
            match missing {
                Unwritten::Nothing => {}
                Unwritten::Bytes(bytes) => unwritten += bytes,
                Unwritten::OfTranscript(why) => transcript_lacks = Some(why),
                // What was written last may have failed when the loop had ended; a reader that has gone is no error.
                Unwritten::Failed(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Unwritten::Failed(error) => failed = Some(error),
            }
        }
        let has_no_reader =
            self.screen_error.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if has_no_reader {
            // It was what ended the program, and what came after that is nobody's concern.
            self.screen_error = None;
            self.stop.iter_mut().for_each(|stop| stop.discarded = Lost::default());
        }
        let error = self.screen_error.or(failed);
        if error.is_some() || unwritten > 0 {
            transcript_lacks.iter().for_each(|why| tell(why));
        }
        if let Some(error) = error {
            return Err(format!("cannot write to stdout: {}", in_words(&error)));
        }
        if unwritten > 0 {
            return Err(format!("cannot write to stdout: nobody took the last {unwritten} bytes"));
        }
        let discarded = self.stop.map(|stop| stop.discarded).unwrap_or_default();
        Ok(StopReport {
            unsent_conns: self.unsent.conns,
            unsent_bytes: self.unsent.bytes,
            discarded_conns: discarded.conns,
            discarded_bytes: discarded.bytes,
            transcript_lacks,
        })
    }
}
