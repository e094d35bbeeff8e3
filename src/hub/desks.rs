//! What all desks share: who is called how, who waits for an answer, what was said; and the way out to each of them.
//! Modes are given this, and tell it what happens.

use std::collections::HashSet;
use std::io;
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::buffer::framing::{End, Frame, Prefix};
use crate::clock::Moment;
use crate::conn::reason::Reason;
use crate::conn::{ConnId, Outbound};
use crate::desk::text::without_cr;
use crate::desk::{Display, Event, Namer, Template, Unwritten};
use crate::hub::answers::Answers;
use crate::hub::dials::Held;
use crate::hub::doors::Doors;
use crate::hub::every::Everies;
use crate::hub::faults::Faults;
use crate::hub::files::Files;
use crate::hub::history::History;
use crate::hub::links::Links;
use crate::hub::names::Names;
use crate::hub::names_file::NamesFile;
use crate::hub::options::{DeskOptions, OnStdinEof, Voice};
use crate::hub::outlets::Outlets;
use crate::hub::own::Own;
use crate::hub::pending::Pending;
use crate::hub::rules::Rules;
use crate::limits::Limits;
use crate::process::manager::{Manager, Progress};
use crate::reactor::mailbox::Mailbox;
use crate::reactor::tls::setup::Keeper;
use crate::terminal::Mail;

/// The least time that the last words have to reach the screen; mostly they need no more than a moment.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why newcomers are turned away, as it is told.
const WHY_TURNED_AWAY: [&str; 4] = ["full", "too many from one address", "too fast", "address not allowed"];

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
struct Stop {
    since: Instant,
    /// What came since and was thrown away.
    discarded: Lost,
}

/// What the desks share.
#[derive(Debug)]
pub struct Desks {
    /// The ways out to them.
    pub out: Outlets,
    /// Who is called how.
    pub names: Names,
    /// Who waits for an answer.
    pub pending: Pending,
    /// Kept only where somebody asks for it.
    pub history: Option<History>,
    /// What was said to all, as it was told, for those who come later; kept only where they are to be told.
    pub replay: Option<History>,
    /// What newcomers are called.
    pub names_file: Option<NamesFile>,
    /// Addresses to which there is to be a connection.
    pub held: Vec<Held>,
    /// For threads that find something out.
    pub mailbox: Option<Mailbox<Mail>>,
    /// What is said of itself and is outstanding.
    pub answers: Answers,
    /// Messages that are answered of themselves.
    pub rules: Rules,
    /// Which addresses may come in.
    pub doors: Doors,
    /// Who is told when the end begins.
    pub manager: Option<Manager>,
    /// A recording is played.
    pub is_played: bool,
    /// What newcomers are greeted with.
    pub(super) greeting: Option<Rc<Template>>,
    /// What is repeated.
    pub everies: Everies,
    /// What TLS was read from.
    pub(super) tls: Option<Keeper>,
    /// What is broken on purpose.
    pub faults: Faults,
    /// Files under way.
    pub files: Files,
    /// Who is linked to whom.
    pub links: Links,
    /// Where we listen ourselves.
    pub own: Own,
    /// What their surroundings are.
    pub options: DeskOptions,
    /// Those that we have connected to.
    pub dialled: HashSet<u64>,
    /// Those in the middle of a message of which the first part was told, with what stood in front of it.
    pub(super) begun: HashSet<u64>,
    /// Whoever spoke last.
    pub spoke_last: Option<ConnId>,
    /// Whether somebody may still type.
    pub stdin_is_open: bool,
    stop: Option<Stop>,
    /// What could not be sent since the end began.
    pub(super) unsent: Lost,
    /// Why stdout cannot be written to.
    screen_error: Option<io::Error>,
    /// Newcomers of whom it was said that they were turned away, for each reason.
    told_turned_away: [u64; 4],
    /// When the server began.
    pub since: Moment,
}

impl Desks {
    /// The desk of this process's own ends, and what it shares with those to come.
    pub fn new(display: Display, options: DeskOptions) -> Desks {
        let keeps_history = options.keeps_history || display.is_json();
        Desks {
            out: Outlets::new(display, options.view, options.low_water_bytes),
            names: Names::default(),
            pending: Pending::default(),
            history: keeps_history.then(History::default),
            replay: None,
            names_file: None,
            held: Vec::new(),
            mailbox: None,
            answers: Answers::default(),
            rules: Rules::default(),
            doors: Doors::default(),
            manager: None,
            is_played: false,
            greeting: None,
            everies: Everies::default(),
            tls: None,
            faults: Faults::new(options.chance),
            files: Files::default(),
            links: Links::default(),
            own: Own::default(),
            options,
            dialled: HashSet::new(),
            begun: HashSet::new(),
            spoke_last: None,
            stdin_is_open: true,
            stop: None,
            unsent: Lost::default(),
            screen_error: None,
            told_turned_away: [0; 4],
            since: Moment::default(),
        }
    }

    /// Shows that somebody connected, and gives it the name that a list has for it, and the faults of newcomers.
    pub fn opened(&mut self, id: ConnId, board: &mut Board) {
        let Some(view) = board.view(id) else { return };
        self.name_newcomer(id, view.peer);
        let (who, dialled) = (self.names.who(id.serial()), self.dialled.contains(&id.serial()));
        self.own.opened(id, view.peer);
        let client = self.links.client_of(id.serial());
        self.out.tell(&Event::Opened { who, peer: view.peer, dialled, client, via: view.via });
        if self.out.has_programs() {
            board.tell_when_finished(id);
        }
        self.break_newcomer(id, board);
    }

    /// What frames a message in front is told with its first part.
    #[inline(never)]
    pub(super) fn told_head(&mut self, id: ConnId, frame: &mut Frame<'_>) {
        let goes_on = frame.is_part() && frame.end != End::Gone;
        if !goes_on && self.begun.is_empty() {
            return;
        }
        let has_begun =
            if goes_on { !self.begun.insert(id.serial()) } else { self.begun.remove(&id.serial()) };
        if has_begun {
            frame.head = Prefix::NONE;
        }
    }

    /// Shows what a peer said.
    #[inline]
    pub fn heard(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.heard_where(id, frame, true, board);
    }

    /// The same. `awaits`: whether it waits for somebody's answer.
    #[inline]
    pub(super) fn heard_where(&mut self, id: ConnId, frame: Frame<'_>, awaits: bool, board: &mut Board) {
        self.spoke_last = Some(id);
        // Where nobody is linked, a message pays nothing for that.
        let mate = if self.links.is_empty() { None } else { board.mate(id) };
        if awaits && self.options.tracks_pending && mate.is_none() {
            self.pending.note(id, &frame, board.now());
        }
        if let Some(history) = &mut self.history {
            // Of a line, the `\r` before its end belongs to that.
            let text = if frame.end == End::Newline { without_cr(frame.bytes) } else { frame.bytes };
            history.hear(id.serial(), text, frame.end == End::Limit, board.now());
        }
        if self.out.message(self.names.who(id.serial()), frame) {
            board.hold_reading(true);
        }
        if let Some(mate) = mate {
            self.passed_on(mate, frame, board);
        }
    }

    /// Shows that a peer has finished sending. Our side stays open for the operator's answer.
    pub fn ended(&mut self, id: ConnId, board: &mut Board) {
        // Its end is passed on to whom it is linked to, and answered from there.
        let is_linked = self.links.mate(id.serial()).is_some();
        let is_open = board.view(id).is_some_and(|view| view.outbound == Outbound::Open);
        let stays_open = is_open && self.stdin_is_open && !is_linked;
        let kept = Some(board.limits().half_open_max).filter(|limit| stays_open && !limit.is_zero());
        self.out.tell(&Event::Ended(self.names.who(id.serial()), kept));
        if !self.stdin_is_open && !is_linked && !self.files.go_to(id.serial()) {
            self.finish_behind(id, board);
        }
    }

    /// Shows that newcomers were turned away, unless that was said.
    pub fn turned_away(&mut self, board: &Board) {
        let stats = board.stats();
        let counted =
            [stats.refused_full, stats.refused_too_many, stats.refused_too_fast, stats.refused_address];
        let told = mem::replace(&mut self.told_turned_away, counted);
        for ((count, told), why) in counted.into_iter().zip(told).zip(WHY_TURNED_AWAY) {
            if count > told {
                self.out.tell(&Event::TurnedAway(count - told, why));
            }
        }
    }

    /// Shows that a connection has ended, and forgets it.
    pub fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let Some(view) = board.view(id) else { return };
        if self.stop.is_some() || self.is_draining() {
            self.unsent.add(view.queued_bytes);
        }
        if let Some(stop) = &mut self.stop {
            stop.discarded.add(view.discarded_bytes);
        }
        self.out.tell(&Event::Closed {
            who: self.names.who(id.serial()),
            why,
            unseen: Some(view.peer).filter(|_| why.is_of_an_unseen_one()),
            received_bytes: view.received_bytes,
            sent_bytes: view.sent_bytes,
            unsent_bytes: view.queued_bytes,
            discarded_bytes: view.discarded_bytes,
        });
        self.pending.remove(id);
        self.repeat_no_more_for(id.serial());
        self.send_pieces(board);
        self.lost(id.serial(), board);
        self.forget_name(id.serial());
        self.dialled.remove(&id.serial());
        self.faults.forget(id.serial());
        self.answers.forget(id.serial());
        self.forget_talk(id.serial());
        self.links.forget(id.serial());
        self.own.forget(id.serial());
        self.out.forget(id.serial());
        self.begun.remove(&id.serial());
    }

    /// Shows that a connection has taken nearly all that was queued for it.
    pub fn drained(&mut self, id: ConnId, board: &mut Board) {
        let waits = self.waits_for_drained(id);
        // A program that was told to wait is told to go on, whatever else waits for the same.
        let is_owed = self.out.low_water_bytes != usize::MAX;
        if (!waits || is_owed) && (self.files.is_empty() || !self.files.go_to(id.serial())) {
            self.out.tell(&Event::Drained(self.names.who(id.serial())));
        }
        self.send_pieces(board);
        if waits {
            self.go_on_saying(id, board);
        }
    }

    /// Tells of a name that was given, or taken away.
    pub fn renamed(&mut self, serial: u64, by: Namer) {
        self.out.forget_label(serial);
        self.out.tell_others(by.desk(), &Event::Named(self.names.who(serial), by));
    }

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

    /// The words in front of what the operator says to all.
    pub fn label(&self) -> &'static [u8] {
        if self.options.voice == Voice::Participant { b"<operator> " } else { b"" }
    }

    /// The same of what it says to one, which the others do not hear.
    pub fn private_label(&self) -> &'static [u8] {
        if self.options.voice == Voice::Participant { b"<operator> (private) " } else { b"" }
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
            return Err(format!("cannot write to stdout: {}", crate::conn::reason::in_words(&error)));
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
