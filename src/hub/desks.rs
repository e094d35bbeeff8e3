//! What all desks share: who is called how, who waits for an answer, what was said; and the way out to each of them.
//! Modes are given this, and tell it what happens.

use std::collections::HashSet;
use std::io;
use std::mem;
use std::rc::Rc;

use crate::board::Board;
use crate::board::stats::Stats;
use crate::buffer::framing::{End, Frame, Prefix};
use crate::clock::Moment;
use crate::conn::reason::Reason;
use crate::conn::{ConnId, Outbound};
use crate::desk::text::without_cr;
use crate::desk::{Display, Event, Namer, Template};
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
use crate::hub::operators::Attendant;
use crate::hub::options::{DeskOptions, Voice};
use crate::hub::outlets::Outlets;
use crate::hub::own::Own;
use crate::hub::pending::Pending;
use crate::hub::rules::Rules;
use crate::hub::stop::{Lost, Stop};
use crate::process::manager::Manager;
use crate::reactor::mailbox::Mailbox;
use crate::reactor::tls::setup::Keeper;
use crate::terminal::Mail;

/// Why newcomers are turned away, as it is told.
const WHY_TURNED_AWAY: [&str; 5] =
    ["full", "too many from one address", "too fast", "address not allowed", "pushed out of a handshake"];

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
    /// Who is at the desks, where more may be attached.
    pub(super) operators: Vec<Attendant>,
    /// What of the counters is about desks.
    pub(super) of_desks: Stats,
    /// The attached desks were told that it is over.
    pub(super) said_bye: bool,
    /// Whether somebody may still type.
    pub stdin_is_open: bool,
    pub(super) stop: Option<Stop>,
    /// What could not be sent since the end began.
    pub(super) unsent: Lost,
    /// Why stdout cannot be written to.
    pub(super) screen_error: Option<io::Error>,
    /// Newcomers of whom it was said that they were turned away, for each reason.
    told_turned_away: [u64; 5],
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
            operators: Vec::new(),
            of_desks: Stats::default(),
            said_bye: false,
            stdin_is_open: true,
            stop: None,
            unsent: Lost::default(),
            screen_error: None,
            told_turned_away: [0; 5],
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
        let stays_open = is_open && self.is_attended() && !is_linked;
        let kept = Some(board.limits().half_open_max).filter(|limit| stays_open && !limit.is_zero());
        self.out.tell(&Event::Ended(self.names.who(id.serial()), kept));
        if !self.is_attended() && !is_linked && !self.files.go_to(id.serial()) {
            self.finish_behind(id, board);
        }
    }

    /// Shows that newcomers were turned away, unless that was said.
    pub fn turned_away(&mut self, board: &Board) {
        let stats = board.stats();
        let counted = [
            stats.refused_full,
            stats.refused_too_many,
            stats.refused_too_fast,
            stats.refused_address,
            stats.pushed_out,
        ];
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
        let was_dialled = self.dialled.contains(&id.serial());
        let is_unseen = why.is_of_an_unseen_one() || (view.never_came_about && !was_dialled);
        // Those who were pushed out are told of together.
        let is_told = !matches!(why, Reason::PushedOut);
        let closed = Event::Closed {
            who: self.names.who(id.serial()),
            why,
            unseen: Some(view.peer).filter(|_| is_unseen),
            received_bytes: view.received_bytes,
            sent_bytes: view.sent_bytes,
            unsent_bytes: view.queued_bytes,
            discarded_bytes: view.discarded_bytes,
        };
        if is_told {
            self.out.tell(&closed);
        }
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

    /// The words in front of what the operator says to all.
    pub fn label(&self) -> &'static [u8] {
        if self.options.voice == Voice::Participant { b"<operator> " } else { b"" }
    }

    /// The same of what it says to one, which the others do not hear.
    pub fn private_label(&self) -> &'static [u8] {
        if self.options.voice == Voice::Participant { b"<operator> (private) " } else { b"" }
    }
}
