//! What all modes have in common: an operator, who sees what happens and gives commands. A mode owns
//! one and adds what its peers' words are for.

use std::io::{self, ErrorKind};
use std::mem;
use std::time::{Duration, Instant};

use crate::console::{Answer, Chunk, Command, Desk, Event, HELP, Input, Mail, Source, To, Typed, parse};
use crate::{Board, ConnId, Frame, Inbound, Limits, Moment, Outbound, Reason, Sent};

/// Typed lines taken in one turn; more wait for the next.
const LINES_MAX: usize = 4096;

/// The least time that the last words have to reach the screen; mostly they need no more than a moment.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much of what was typed was obeyed in one turn.
#[derive(Debug)]
struct Turn {
    lines: usize,
    /// Bytes of texts: they are flushed when the turn ends, which shows who is slow.
    bytes: usize,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obeyed {
    Done,
    /// It is a text, and one of those who are to get it reads slowly.
    Waits,
}

impl Turn {
    /// Counts the work that a command makes, with so many connections here.
    fn charge(&mut self, command: &Command<'_>, conns: usize) {
        match command {
            // What is said to all is kept once, whoever hears it.
            Command::Say(To::Several(serials), text) => self.bytes += text.len() * serials.len(),
            Command::Say(_, text) => self.bytes += text.len(),
            Command::Who => self.lines += conns,
            _ => {}
        }
    }

    fn is_used_up(&self, limits: &Limits) -> bool {
        self.lines >= LINES_MAX || self.bytes > limits.outbox_high_bytes
    }
}

/// How the operator's texts reach the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// As they were typed, to whoever is addressed; mostly whoever spoke last.
    Plain,
    /// As a participant's among others: with a name in front, and mostly to all.
    Participant,
    /// Not at all.
    Mute,
}

/// What the end of stdin means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStdinEof {
    /// The server goes on without an operator.
    Keep,
    /// It takes nobody new and ends when the last connection has.
    Drain,
    /// It ends, in order.
    Quit,
}

/// What an operator's surroundings are.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// How texts reach the peers.
    pub voice: Voice,
    /// What the end of stdin means.
    pub on_stdin_eof: OnStdinEof,
    /// Whether the operator's texts wait while a peer reads slowly. A program behind a pipe can wait;
    /// a person at a terminal is told instead.
    pub waits_for_slow: bool,
}

/// The operator.
#[derive(Debug)]
pub struct Operator {
    desk: Desk,
    input: Input,
    /// A text that waits until it may be sent; nothing typed after it overtakes it.
    waiting: Option<Vec<u8>>,
    manners: Manners,
    /// The current target.
    aim: To,
    spoke_last: Option<ConnId>,
    is_here: bool,
    is_stopping: bool,
    /// Why stdout cannot be written to.
    screen_error: Option<io::Error>,
    /// When the end began.
    stopped_at: Option<Instant>,
    /// What the stop could not send: connections and bytes.
    unsent: (usize, usize),
    /// What came when it had begun and was thrown away: connections and bytes.
    discarded: (usize, usize),
    /// Newcomers of whom it was said that they were turned away: when it was full, and by their address.
    told_turned_away: (u64, u64),
    since: Moment,
}

impl Operator {
    /// An operator at this desk, whose lines come from `source`.
    pub fn new(desk: Desk, source: Option<Source>, manners: Manners) -> Operator {
        Operator {
            desk,
            input: Input::new(source),
            waiting: None,
            manners,
            aim: if manners.voice == Voice::Participant { To::All } else { To::Last },
            spoke_last: None,
            is_here: true,
            is_stopping: false,
            screen_error: None,
            stopped_at: None,
            unsent: (0, 0),
            discarded: (0, 0),
            told_turned_away: (0, 0),
            since: Moment::default(),
        }
    }

    /// Shows that somebody connected.
    pub fn opened(&mut self, id: ConnId, board: &Board) {
        if let Some(view) = board.view(id) {
            self.desk.show(&Event::Opened(id, view.peer));
        }
    }

    /// Shows what a peer said.
    pub fn heard(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.spoke_last = Some(id);
        self.desk.show(&Event::Message(id, frame));
        if self.desk.is_full() {
            board.hold_reading(true);
        }
    }

    /// Shows that a peer has finished sending. Our side stays open for the operator's answer.
    pub fn ended(&mut self, id: ConnId, board: &mut Board) {
        let stays_open = board.view(id).is_some_and(|view| view.outbound == Outbound::Open) && self.is_here;
        let kept = Some(board.limits().half_open_max).filter(|limit| stays_open && !limit.is_zero());
        self.desk.show(&Event::Ended(id, kept));
        if !self.is_here {
            board.finish(id);
        }
    }

    /// Shows that newcomers were turned away, unless that was said.
    pub fn turned_away(&mut self, board: &Board) {
        let counted = (board.stats().refused_full, board.stats().refused_address);
        let told = mem::replace(&mut self.told_turned_away, counted);
        for (count, why) in [(counted.0 - told.0, "full"), (counted.1 - told.1, "address not allowed")] {
            if count > 0 {
                self.desk.show(&Event::TurnedAway(count, why));
            }
        }
    }

    /// Shows that a connection has ended.
    pub fn closed(&mut self, id: ConnId, why: &Reason, board: &Board) {
        let Some(view) = board.view(id) else { return };
        if (self.is_stopping || self.is_draining()) && view.queued_bytes > 0 {
            self.unsent.0 += 1;
            self.unsent.1 += view.queued_bytes;
        }
        if self.is_stopping && view.discarded_bytes > 0 {
            self.discarded.0 += 1;
            self.discarded.1 += view.discarded_bytes;
        }
        let (rx_bytes, tx_bytes) = (view.rx_bytes, view.tx_bytes);
        let (unsent_bytes, discarded_bytes) = (view.queued_bytes, view.discarded_bytes);
        self.desk.show(&Event::Closed { id, why, rx_bytes, tx_bytes, unsent_bytes, discarded_bytes });
    }

    /// Takes what came from outside the loop.
    pub fn message(&mut self, mail: Mail, board: &mut Board) {
        match mail {
            Mail::Stdin(Chunk::Bytes(bytes)) => self.input.push(bytes),
            Mail::Stdin(Chunk::Ended(error)) => {
                if let Some(error) = error {
                    self.answer(Answer::NoInput(&crate::in_words(&error)));
                }
                self.input.end();
            }
            // `turn_ended` will find the room.
            Mail::ScreenHasRoom => {}
            Mail::ScreenFailed(error) => {
                // Whoever read our output has gone: a quiet end. Anything else has to be told.
                if error.kind() != ErrorKind::BrokenPipe {
                    self.screen_error = Some(error);
                }
                self.stop(board);
            }
            Mail::Terminate => self.stop(board),
        }
    }

    /// Obeys what was typed, and hands what was shown to the screens.
    pub fn turn_ended(&mut self, board: &mut Board) {
        self.obey_input(board);
        self.desk.hand_over();
        board.hold_reading(self.desk.is_full());
    }

    /// Ends: waits until all was shown. To be called after the loop.
    ///
    /// # Errors
    /// When something could not be shown.
    pub fn finish(self, limits: &Limits) -> Result<Farewell, String> {
        // What the connections did not take of the time is left for the screen, and never nothing: where
        // they took it all, how that went is still to be shown.
        let taken = self.stopped_at.map_or(Duration::ZERO, |since| since.elapsed());
        let unwritten = self.desk.close(limits.drain_max.saturating_sub(taken).max(LAST_WORDS));
        if let Some(error) = self.screen_error {
            return Err(format!("cannot write to stdout: {}", crate::in_words(&error)));
        }
        if unwritten > 0 {
            return Err(format!("cannot write to stdout: nobody took the last {unwritten} bytes"));
        }
        let ((unsent_conns, unsent_bytes), (discarded_conns, discarded_bytes)) =
            (self.unsent, self.discarded);
        Ok(Farewell { unsent_conns, unsent_bytes, discarded_conns, discarded_bytes })
    }

    fn obey_input(&mut self, board: &mut Board) {
        // Taken out, so that a line may be borrowed from it while it is obeyed.
        let mut input = mem::take(&mut self.input);
        let mut turn = Turn { lines: 0, bytes: 0 };
        if let Some(line) = self.waiting.take()
            && self.obey_line(&line, &mut turn, board) == Obeyed::Waits
        {
            self.waiting = Some(line);
        }
        while !self.is_stopping && self.waiting.is_none() {
            if turn.is_used_up(board.limits()) {
                board.call_again();
                break;
            }
            match input.next_line() {
                None => break,
                Some(Typed::Line(line)) => {
                    if self.obey_line(line, &mut turn, board) == Obeyed::Waits {
                        self.waiting = Some(line.to_vec());
                    }
                }
                Some(Typed::TooLong) => self.answer(Answer::TooLong),
                Some(Typed::End) => self.leave(board),
            }
        }
        self.input = input;
    }

    fn obey_line(&mut self, line: &[u8], turn: &mut Turn, board: &mut Board) -> Obeyed {
        turn.lines += 1;
        match parse(line) {
            // It is tried again when the brake is off.
            Ok(Command::Say(to, _)) if self.manners.waits_for_slow && self.is_braked(&to, board) => {
                return Obeyed::Waits;
            }
            Ok(command) => {
                turn.charge(&command, board.len());
                self.obey(command, board);
            }
            Err(mistake) => self.answer(Answer::Mistake(&mistake)),
        }
        Obeyed::Done
    }

    /// Whether a text waits for one of those who are to get it. Who else is slow does not matter to it.
    fn is_braked(&self, to: &To, board: &Board) -> bool {
        let is_slow = |serial: u64| board.find(serial).is_some_and(|id| board.is_braked_by(id));
        match if *to == To::Current { &self.aim } else { to } {
            To::All => board.is_braked(),
            To::One(serial) => is_slow(*serial),
            To::Several(serials) => serials.iter().any(|serial| is_slow(*serial)),
            To::Last | To::Current => self.spoke_last.is_some_and(|id| board.is_braked_by(id)),
        }
    }

    fn obey(&mut self, command: Command<'_>, board: &mut Board) {
        match command {
            Command::Say(to, text) => self.say(to, text, board),
            Command::Aim(to) => self.aim_at(to, board),
            Command::Who => self.list(board),
            Command::Stats => {
                let uptime = board.now().since(self.since);
                self.answer(Answer::Stats { stats: board.stats(), conns: board.len(), uptime });
            }
            Command::Help(None) => HELP.iter().for_each(|help| self.answer(Answer::Help(help))),
            Command::Help(Some(help)) => self.answer(Answer::Help(help)),
            Command::Quit => self.stop(board),
            Command::Eof(to) => self.each(&to, board, |this, id, board| {
                board.finish(id);
                this.answer(Answer::Closing(id, "finishes after what is queued"));
            }),
            Command::Reset(to) => self.each(&to, board, |this, id, board| {
                board.hang_up(id, Reason::WeReset);
                this.answer(Answer::Closing(id, "is reset"));
            }),
            Command::Kick(to, reason) => self.each(&to, board, |this, id, board| {
                if !reason.is_empty() {
                    match board.send_parts(id, &[reason, b"\n"]) {
                        // It is closed all the same; the reason is what it does not get.
                        Sent::Full(queued) => this.answer(Answer::Full(id, queued)),
                        Sent::Finished => this.answer(Answer::Finished(id)),
                        Sent::Queued | Sent::Slow(_) | Sent::Gone => {}
                    }
                }
                board.close(id, Reason::Kicked(String::from_utf8_lossy(reason).into_owned()));
                this.answer(Answer::Closing(id, "closes after what is queued"));
            }),
        }
    }

    fn say(&mut self, to: To, text: &[u8], board: &mut Board) {
        let label: &[u8] = match self.manners.voice {
            Voice::Plain => b"",
            Voice::Participant => b"<operator> ",
            Voice::Mute => return self.answer(Answer::Mute),
        };
        let to = if to == To::Current { self.aim.clone() } else { to };
        let parts = [label, text, b"\n"];
        let bytes = label.len() + text.len() + 1;
        if bytes > board.limits().outbox_bytes_max {
            return self.answer(Answer::TextTooLong(board.limits().outbox_bytes_max));
        }
        if to == To::All {
            if board.audience() == 0 {
                return self.answer(Answer::Nobody);
            }
            board.broadcast(None, &parts);
            return self.answer(Answer::SentToAll(board.audience(), bytes));
        }
        self.each(&to, board, |this, id, board| {
            this.answer(match board.send_parts(id, &parts) {
                Sent::Queued => Answer::Sent(id, bytes),
                Sent::Slow(queued) => Answer::NotReading(id, queued),
                Sent::Full(queued) => Answer::Full(id, queued),
                Sent::Finished => Answer::Finished(id),
                Sent::Gone => Answer::Gone(id.serial()),
            });
        });
    }

    fn aim_at(&mut self, to: To, board: &mut Board) {
        let mut names = Vec::new();
        match &to {
            To::All => names.push("everybody".to_owned()),
            To::Last | To::Current => names.push("whoever spoke last".to_owned()),
            one_or_several => {
                self.each(one_or_several, board, |_, id, _| names.push(id.to_string()));
                if names.is_empty() {
                    return;
                }
            }
        }
        self.aim = to;
        self.answer(Answer::Aimed(&names.join(", ")));
    }

    fn list(&mut self, board: &Board) {
        if board.is_empty() {
            return self.answer(Answer::Nobody);
        }
        board.views().for_each(|view| self.answer(Answer::Row(view)));
    }

    /// Does something to each connection that is meant, and answers for those that are not there. A
    /// number that nobody ever had is a mistake, and then nothing is done to anybody.
    fn each(&mut self, to: &To, board: &mut Board, mut what: impl FnMut(&mut Self, ConnId, &mut Board)) {
        match to {
            To::One(serial) => self.each_of(&[*serial], board, what),
            To::Several(serials) => self.each_of(serials, board, what),
            To::Last | To::Current => match self.spoke_last {
                Some(id) => self.each_of(&[id.serial()], board, what),
                None => self.answer(Answer::NoTarget),
            },
            To::All => {
                let ids: Vec<ConnId> =
                    board.views().filter(|view| view.is_open).map(|view| view.id).collect();
                if ids.is_empty() {
                    self.answer(Answer::Nobody);
                }
                ids.into_iter().for_each(|id| what(self, id, board));
            }
        }
    }

    fn each_of(
        &mut self,
        serials: &[u64],
        board: &mut Board,
        mut what: impl FnMut(&mut Self, ConnId, &mut Board),
    ) {
        if let Some(serial) = serials.iter().find(|serial| !board.has_seen(**serial)) {
            return self.answer(Answer::NoSuch(*serial));
        }
        for &serial in serials {
            match board.find(serial) {
                Some(id) => what(self, id, board),
                None => self.answer(Answer::Gone(serial)),
            }
        }
    }

    /// Whether the end has begun in that nobody new is taken.
    fn is_draining(&self) -> bool {
        !self.is_here && self.manners.on_stdin_eof == OnStdinEof::Drain
    }

    /// Stdin has ended.
    fn leave(&mut self, board: &mut Board) {
        self.is_here = false;
        match self.manners.on_stdin_eof {
            OnStdinEof::Keep => {}
            OnStdinEof::Drain => board.drain(),
            OnStdinEof::Quit => return self.stop(board),
        }
        // Nobody is left to answer those who have finished.
        let is_waiting = |inbound, outbound| (inbound, outbound) == (Inbound::Ended, Outbound::Open);
        let waiting: Vec<ConnId> = board
            .views()
            .filter(|view| is_waiting(view.inbound, view.outbound))
            .map(|view| view.id)
            .collect();
        waiting.into_iter().for_each(|id| board.finish(id));
    }

    fn stop(&mut self, board: &mut Board) {
        if mem::replace(&mut self.is_stopping, true) {
            return;
        }
        self.stopped_at = Some(Instant::now());
        // Those of the last second, of whom nothing was said yet.
        self.turned_away(board);
        let waiting = board.views().filter(|view| view.queued_bytes > 0).count();
        self.answer(Answer::Stopping(waiting));
        board.stop();
    }

    fn answer(&mut self, answer: Answer<'_>) {
        self.desk.show(&Event::Answer(answer));
    }
}

/// What there is to say at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Connections that did not get all that was queued for them when the stop began.
    pub unsent_conns: usize,
    /// How many bytes those were.
    pub unsent_bytes: usize,
    /// Connections that said something when the stop had begun, which was thrown away.
    pub discarded_conns: usize,
    /// How many bytes those were.
    pub discarded_bytes: usize,
}
