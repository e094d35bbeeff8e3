//! The server's one App: it has a mode for what is particular, desks for those who operate, and between them what all
//! modes share. A command comes from a session, is carried out here, and is answered at its desk; what happens is told
//! to all desks.

mod answers;
mod around;
mod attached;
mod carrier;
mod close;
mod desks;
mod dials;
mod doors;
mod every;
mod execute;
mod faults;
mod figures;
mod files;
mod history;
mod job;
mod learn;
mod links;
mod mode;
mod names;
mod names_file;
mod operators;
mod options;
mod outlets;
mod own;
mod pending;
mod play;
mod rules;
mod send;
mod send_all;
mod session;
mod stop;
mod target;
mod tls;
mod transcript;
mod turn;
mod visitors;
mod who;

use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::{Reason, in_words};
use crate::conn::{ConnId, Inbound, Outbound};
use crate::desk::{DeskId, Display, Event, Refusal, Reply};
use crate::hub::outlets::FIRST_DESK;
use crate::hub::session::{Aim, Session};
use crate::reactor::mailbox::Mailbox;
use crate::terminal::{BufferReturn, Chunk, Mail};

pub use attached::{DESK, DESKS_MAX};
pub use desks::Desks;
pub use doors::Doors;
pub use history::History;
pub use mode::Mode;
pub use names_file::NamesFile;
pub use options::{DeskOptions, OnStdinEof, Voice};
pub use own::{ITSELF, Own};
pub use play::Play;
pub use rules::Rules;
pub use stop::StopReport;
pub use visitors::{CONNS_MAX as VISITORS_MAX, METRICS, Visitors, WEB};

/// The App.
#[derive(Debug)]
pub struct Hub<M> {
    mode: M,
    desks: Desks,
    /// The first is this process's own.
    sessions: Vec<Session>,
    /// The number of the desk that came last.
    last_desk: DeskId,
    /// Those who ask in HTTP.
    visitors: Visitors,
}

impl<M: Mode> Hub<M> {
    /// A hub with one desk, whose lines come from `source`.
    pub fn new(mode: M, display: Display, source: Option<BufferReturn>, options: DeskOptions) -> Hub<M> {
        let aim = if options.voice == Voice::Participant { Aim::All } else { Aim::Last };
        let is_json = display.is_json();
        let waits = options.waits_for_slow && !is_json;
        let session = Session::new(FIRST_DESK, source, aim, is_json, waits);
        let mut desks = Desks::new(display, options);
        desks.links.envelope = mode.policy(Role::PEER).framing.envelope();
        Hub { mode, desks, sessions: vec![session], last_desk: FIRST_DESK, visitors: Visitors::default() }
    }

    /// Lets other threads be started that post what they find.
    pub fn with_mailbox(mut self, mailbox: Mailbox<Mail>) -> Hub<M> {
        self.desks.mailbox = Some(mailbox);
        self
    }

    /// What the desks share.
    pub fn desks(&mut self) -> &mut Desks {
        &mut self.desks
    }

    /// What is served to those who ask in HTTP.
    pub fn visitors(&mut self) -> &mut Visitors {
        &mut self.visitors
    }

    /// Gives the desks back, when the loop has ended.
    pub fn into_desks(self) -> Desks {
        self.desks
    }
}

impl<M: Mode> App for Hub<M> {
    type Message = Mail;

    fn policy(&self, role: Role) -> Policy {
        match role {
            DESK => attached::POLICY,
            WEB | METRICS => visitors::POLICY,
            _ => self.mode.policy(role),
        }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        if !id.has_number() {
            return match board.view(id).map(|view| view.role) {
                Some(DESK) => self.desk_opened(id, board),
                _ => self.visitor_opened(id, board),
            };
        }
        self.desks.opened(id, board);
        // A fault for newcomers may have ended it.
        if board.view(id).is_some_and(|view| view.is_open) {
            self.desks.greet(id, board);
        }
        // The greeting may have closed it.
        if board.view(id).is_some_and(|view| view.is_open) {
            self.mode.opened(id, &mut self.desks, board);
        }
    }

    fn first_bytes(&mut self, id: ConnId, bytes: &[u8]) {
        if id.has_number() {
            self.desks.recognise(id, bytes);
        }
    }

    fn received(&mut self, id: ConnId, mut frame: Frame<'_>, board: &mut Board) {
        if !id.has_number() {
            self.desks.of_desks.frames += 1;
            if !self.visitor_says(id, frame.bytes, board) {
                self.desk_says(id, frame.bytes, board);
            }
            return;
        }
        if !frame.head.is_empty() {
            self.desks.told_head(id, &mut frame);
        }
        self.mode.received(id, frame, &mut self.desks, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        if !id.has_number() {
            if !self.visitor_leaves(id, board) {
                self.desk_leaves(id, board);
            }
            return;
        }
        self.mode.ended(id, &mut self.desks, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        if !id.has_number() {
            self.visitors.closed(id);
            return self.desk_closed(id, board);
        }
        self.mode.closing(id, &mut self.desks, board);
        self.desks.closed(id, why, board);
        if self.desks.out.has_relay() && (self.desks.is_stopping() || self.desks.is_draining()) {
            // If it was the last, the desks are next.
            board.call_again();
        }
    }

    fn drained(&mut self, id: ConnId, board: &mut Board) {
        // What waits for a desk is forwarded in each turn.
        if id.has_number() {
            self.desks.drained(id, board);
        }
    }

    fn finished(&mut self, id: ConnId, _board: &mut Board) {
        let who = self.desks.names.who(id.serial());
        self.desks.out.tell_programs(&Event::Finished(who));
    }

    fn timer(&mut self, id: ConnId, board: &mut Board) {
        if !id.has_number() {
            return self.visitor_timer(id, board);
        }
        self.desks.go_on_saying(id, board);
    }

    fn turned_away(&mut self, board: &mut Board) {
        self.desks.turned_away(board);
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        match mail {
            Mail::Stdin(Chunk::Bytes(bytes)) => self.first().input.push(bytes),
            Mail::Stdin(Chunk::Ended(error)) => {
                if let Some(error) = error {
                    let why = format!("cannot read stdin: {}", in_words(&error));
                    self.desks.out.tell(&Event::Note(&why));
                }
                self.first().input.end();
            }
            Mail::Entered(entered) => self.first().entered.push_back(entered),
            Mail::Typing(whom) => self.desks.typed_to(&mut self.sessions[0], whom, board),
            // `turn_ended` will find the room.
            Mail::ScreenHasRoom => {}
            Mail::ScreenFailed(error) => {
                self.desks.screen_failed(error);
                self.desks.stop(None, board);
            }
            Mail::LogFile(news) => self.desks.transcript_is(news),
            Mail::File(number, chunk) => self.desks.take_chunk(number, chunk, board),
            Mail::Resolved(id, found) => self.desks.resolved(id, found, board),
            Mail::Reread => {
                let framing = self.mode.policy(Role::PEER).framing;
                self.desks.reopen_transcript(framing, board);
                self.desks.reread_names();
                self.desks.reread_rules();
                self.desks.reread_tls();
                self.desks.reread_doors(board);
            }
            Mail::Terminate => self.desks.stop(None, board),
        }
    }

    /// Obeys what was typed, and hands what was shown to the screens.
    fn turn_ended(&mut self, board: &mut Board) {
        self.desks.tick(board);
        self.desks.end_faults(board);
        self.desks.redial(board);
        for session in &mut self.sessions {
            self.desks.take_lines(session, board);
            if self.desks.is_stopping() {
                self.desks.cut_short(session, board);
            }
        }
        let waits = |desks: &Desks, session: &Session| session.is_json && desks.out.has_no_room(session.id);
        let waited = self.sessions.iter().any(|session| waits(&self.desks, session));
        self.desks.out.hand_over();
        self.forward(board);
        // Where handing over has made the room, nobody else will tell of it.
        if waited && !self.sessions.iter().any(|session| waits(&self.desks, session)) {
            board.call_again();
        }
        self.end_turn_of_desks(board);
        board.hold_reading(self.desks.out.are_full());
    }
}

impl<M> Hub<M> {
    fn first(&mut self) -> &mut Session {
        &mut self.sessions[0]
    }
}

impl Desks {
    /// Stdin has ended.
    pub(super) fn leave(&mut self, board: &mut Board) {
        self.stdin_is_open = false;
        if let Some(at) = self.operators.iter().position(|one| one.desk == FIRST_DESK) {
            let gone = self.operators.remove(at);
            self.out.tell_desks(FIRST_DESK, &Event::DeskLeft(gone.operator()));
        }
        match self.options.on_stdin_eof {
            OnStdinEof::Keep => {}
            OnStdinEof::Drain => board.drain(),
            OnStdinEof::Quit => return self.stop(None, board),
        }
        if !self.is_attended() {
            self.finish_those_who_wait(board);
        }
    }

    /// Nobody is left to answer.
    pub(super) fn finish_those_who_wait(&mut self, board: &mut Board) {
        // Nobody is left to answer those who have finished.
        let is_waiting = |inbound, outbound| (inbound, outbound) == (Inbound::Ended, Outbound::Open);
        let waiting: Vec<ConnId> = board
            .peers()
            .filter(|view| is_waiting(view.inbound, view.outbound))
            .map(|view| view.id)
            .collect();
        // A file or an answer that is on its way is what they wait for; they are finished behind it. Whoever is linked
        // is answered by another.
        let is_alone = |id: &ConnId| !self.files.go_to(id.serial()) && self.links.mate(id.serial()).is_none();
        let waiting: Vec<ConnId> = waiting.into_iter().filter(is_alone).collect();
        waiting.into_iter().for_each(|id| self.finish_behind(id, board));
    }

    /// Begins the end, and replies to whoever asked for it.
    pub(super) fn stop(&mut self, asked: Option<(DeskId, Option<&str>)>, board: &mut Board) {
        if !self.begin_stop(board) {
            if let Some((desk, reference)) = asked {
                self.out.refuse(desk, reference, Refusal::Stopping);
            }
            return;
        }
        self.abandon_files();
        let waiting = board.peers().filter(|view| view.queued_bytes > 0).count();
        match asked {
            Some((desk, reference)) => {
                self.out.reply(desk, reference, &Reply::Stopping(waiting));
                if self.out.has_relay() {
                    self.out.tell_others(Some(desk), &Event::Stopping(waiting, Some(desk)));
                }
            }
            None => self.out.tell(&Event::Stopping(waiting, None)),
        }
        board.stop();
    }
}

#[cfg(test)]
mod tests;
