//! What all modes have in common: an operator, who sees what happens and gives commands. A mode owns
//! one and adds what its peers' words are for.

use std::io::{self, ErrorKind};
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::clock::Moment;
use crate::conn::policy::Role;
use crate::conn::reason::Reason;
use crate::conn::{ConnId, Inbound, Outbound};
use crate::desk::{Answer, Command, Desk, Event, HELP, Many, To, parse};
use crate::hub::errand::{Checked, Deed, Errand, Refused, Several};
use crate::hub::options::{OnStdinEof, OperatorOptions, Voice};
use crate::limits::Limits;
use crate::terminal::{BufferReturn, Chunk, Input, Mail, Typed};

/// Typed lines taken in one turn; more wait for the next.
const LINES_MAX: usize = 4096;

/// Numbers of a list looked at in one turn; each takes less than a tenth of a microsecond.
const NUMBERS_MAX: usize = 16_384;

/// The least time that the last words have to reach the screen; mostly they need no more than a moment.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much of what was typed was executed in one turn.
#[derive(Debug)]
struct Turn {
    lines: usize,
    /// Bytes of texts: they are flushed when the turn ends, which shows who is slow.
    bytes: usize,
    /// Numbers of lists looked at.
    numbers: usize,
}

/// What became of a line.
#[derive(Debug)]
enum Executed {
    Done,
    /// It is a text, and whoever is to get it reads slowly.
    Waits,
    /// It is about several. The errand has not got the line yet.
    Begins(Box<Errand>),
}

/// What became of an errand in this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Done,
    /// The turn is used up.
    Pauses,
    /// It is a text, and who is next to get it reads slowly.
    Waits,
}

/// The current target.
#[derive(Clone, Debug)]
enum Target {
    One(u64),
    Several(Rc<Several>),
    All,
    Last,
}

impl Turn {
    /// Counts the work that a command makes, with so many connections here.
    fn charge(&mut self, command: &Command<'_>, conns: usize) {
        match command {
            // What is said to all is kept once, whoever hears it.
            Command::Say(_, text) => self.bytes += text.len(),
            Command::Who => self.lines += conns,
            _ => {}
        }
    }

    fn is_used_up(&self, limits: &Limits) -> bool {
        self.lines >= LINES_MAX || self.numbers >= NUMBERS_MAX || self.bytes > limits.outbox_high_bytes
    }
}

/// The operator.
#[derive(Debug)]
pub struct Operator {
    desk: Desk,
    input: Input,
    /// A text that waits until it may be sent; nothing typed after it overtakes it.
    waiting: Option<Vec<u8>>,
    /// A command about several that was begun; nothing typed after it overtakes it either.
    errand: Option<Box<Errand>>,
    options: OperatorOptions,
    /// The current target.
    target: Target,
    spoke_last: Option<ConnId>,
    stdin_is_open: bool,
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
    pub fn new(desk: Desk, source: Option<BufferReturn>, options: OperatorOptions) -> Operator {
        Operator {
            desk,
            input: Input::new(source),
            waiting: None,
            errand: None,
            options,
            target: if options.voice == Voice::Participant { Target::All } else { Target::Last },
            spoke_last: None,
            stdin_is_open: true,
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
        let stays_open =
            board.view(id).is_some_and(|view| view.outbound == Outbound::Open) && self.stdin_is_open;
        let kept = Some(board.limits().half_open_max).filter(|limit| stays_open && !limit.is_zero());
        self.desk.show(&Event::Ended(id, kept));
        if !self.stdin_is_open {
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
        let (received_bytes, sent_bytes) = (view.received_bytes, view.sent_bytes);
        let (unsent_bytes, discarded_bytes) = (view.queued_bytes, view.discarded_bytes);
        self.desk.show(&Event::Closed { id, why, received_bytes, sent_bytes, unsent_bytes, discarded_bytes });
    }

    /// Takes what came from outside the loop.
    pub fn message(&mut self, mail: Mail, board: &mut Board) {
        match mail {
            Mail::Stdin(Chunk::Bytes(bytes)) => self.input.push(bytes),
            Mail::Stdin(Chunk::Ended(error)) => {
                if let Some(error) = error {
                    self.answer(Answer::NoInput(&crate::conn::reason::in_words(&error)));
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
        self.execute_input(board);
        self.desk.hand_over();
        board.hold_reading(self.desk.is_full());
    }

    /// Ends: waits until all was shown. To be called after the loop.
    ///
    /// # Errors
    /// When something could not be shown.
    pub fn finish(self, limits: &Limits) -> Result<StopReport, String> {
        // The screen gets what is left of `--drain`, at least LAST_WORDS, so that the report still appears.
        let taken = self.stopped_at.map_or(Duration::ZERO, |since| since.elapsed());
        let unwritten = self.desk.close(limits.drain_max.saturating_sub(taken).max(LAST_WORDS));
        // What was written last may have failed when the loop had ended; a reader that has gone is no error.
        let (unwritten, failed) = match unwritten {
            Ok(unwritten) => (unwritten, None),
            Err(error) => (0, Some(error).filter(|error| error.kind() != ErrorKind::BrokenPipe)),
        };
        if let Some(error) = self.screen_error.or(failed) {
            return Err(format!("cannot write to stdout: {}", crate::conn::reason::in_words(&error)));
        }
        if unwritten > 0 {
            return Err(format!("cannot write to stdout: nobody took the last {unwritten} bytes"));
        }
        let ((unsent_conns, unsent_bytes), (discarded_conns, discarded_bytes)) =
            (self.unsent, self.discarded);
        Ok(StopReport { unsent_conns, unsent_bytes, discarded_conns, discarded_bytes })
    }

    fn execute_input(&mut self, board: &mut Board) {
        // Taken out, so that a line may be borrowed from it while it is executed.
        let mut input = mem::take(&mut self.input);
        let mut turn = Turn { lines: 0, bytes: 0, numbers: 0 };
        if let Some(line) = self.waiting.take() {
            match self.execute_line(&line, &mut turn, board) {
                Executed::Done => {}
                Executed::Waits => self.waiting = Some(line),
                Executed::Begins(errand) => self.begin(errand, line),
            }
        }
        while !self.is_stopping && self.waiting.is_none() {
            if turn.is_used_up(board.limits()) {
                board.call_again();
                break;
            }
            if self.errand.is_some() {
                if self.go_on(&mut turn, board) == Progress::Waits {
                    break;
                }
                continue;
            }
            match input.next_line() {
                None => break,
                Some(Typed::Line(line)) => match self.execute_line(line, &mut turn, board) {
                    Executed::Done => {}
                    Executed::Waits => self.waiting = Some(input.keep_line()),
                    Executed::Begins(errand) => self.begin(errand, input.keep_line()),
                },
                Some(Typed::TooLong) => self.answer(Answer::TooLong),
                Some(Typed::End) => self.leave(board),
            }
        }
        self.input = input;
    }

    fn execute_line(&mut self, line: &[u8], turn: &mut Turn, board: &mut Board) -> Executed {
        turn.lines += 1;
        match parse(line) {
            // It is tried again when the brake is off.
            Ok(Command::Say(to, _)) if self.options.waits_for_slow && self.is_held_back(&to, board) => {
                return Executed::Waits;
            }
            Ok(command) if self.is_about_several(&command) => {
                return self.errand_for(&command, line, board);
            }
            Ok(command) => {
                turn.charge(&command, board.len());
                self.execute(command, board);
            }
            Err(mistake) => self.answer(Answer::Mistake(&mistake)),
        }
        Executed::Done
    }

    /// Whether a text waits for whoever is to get it. Who else is slow does not matter to it; of several each is
    /// waited for when it is its turn.
    fn is_held_back(&self, to: &To<'_>, board: &Board) -> bool {
        match (to, &self.target) {
            (To::Several(_), _) | (To::Current, Target::Several(_)) => false,
            (To::All, _) | (To::Current, Target::All) => board.is_held_back(),
            (To::One(serial), _) | (To::Current, Target::One(serial)) => {
                board.find(*serial).is_some_and(|id| board.is_held_back_by(id))
            }
            (To::Last, _) | (To::Current, Target::Last) => {
                self.spoke_last.is_some_and(|id| board.is_held_back_by(id))
            }
        }
    }

    fn is_about_several(&self, command: &Command<'_>) -> bool {
        match command {
            Command::Say(To::Current, _) => matches!(self.target, Target::Several(_)),
            Command::Say(to, _) | Command::Target(to) => matches!(to, To::Several(_)),
            Command::Eof(to) | Command::Reset(to) | Command::Kick(to, _) => {
                matches!(to, To::Several(_) | To::All)
            }
            Command::Who | Command::Stats | Command::Help(_) | Command::Quit => false,
        }
    }

    /// What there is to do for a command about several.
    #[inline(never)]
    fn errand_for(&mut self, command: &Command<'_>, line: &[u8], board: &Board) -> Executed {
        if let Command::Say(_, text) = command
            && let Some(refused) = self.refusal(text, board)
        {
            self.answer(refused);
            return Executed::Done;
        }
        let errand = match (command, &self.target) {
            (Command::Say(To::Current, _), Target::Several(whom)) => {
                Errand::of_known(command, line, whom.clone())
            }
            (Command::Eof(To::All) | Command::Kick(To::All, _), _) => {
                Errand::of_known(command, line, Rc::new(Several::all(board, |view| view.is_open)))
            }
            // One that is being closed can still be reset.
            (Command::Reset(To::All), _) => {
                Errand::of_known(command, line, Rc::new(Several::all(board, |_| true)))
            }
            _ => Errand::of_list(command, line),
        };
        errand.map_or(Executed::Done, |errand| Executed::Begins(Box::new(errand)))
    }

    fn begin(&mut self, mut errand: Box<Errand>, line: Vec<u8>) {
        errand.keep(line);
        self.errand = Some(errand);
    }

    /// Goes on with the errand that was begun.
    #[inline(never)]
    fn go_on(&mut self, turn: &mut Turn, board: &mut Board) -> Progress {
        let Some(mut errand) = self.errand.take() else { return Progress::Done };
        let progress = self.carry_out(&mut errand, turn, board);
        self.errand = (progress != Progress::Done).then_some(errand);
        progress
    }

    /// Carries out what the turn allows of an errand.
    fn carry_out(&mut self, errand: &mut Errand, turn: &mut Turn, board: &mut Board) -> Progress {
        match errand.check(&mut turn.numbers, NUMBERS_MAX, board) {
            Ok(Checked::All) => {}
            Ok(Checked::Some) => return Progress::Pauses,
            Err(Refused::Mistake(mistake)) => {
                self.answer(Answer::Mistake(&mistake));
                return Progress::Done;
            }
            Err(Refused::NoSuch(serial)) => {
                self.answer(Answer::NoSuch(serial));
                return Progress::Done;
            }
        }
        let is_many = errand.whom().is_some_and(|whom| whom.is_many());
        while let Some(serial) = errand.next() {
            if turn.is_used_up(board.limits()) {
                return Progress::Pauses;
            }
            let is_slow = |id| errand.deed == Deed::Say && board.is_held_back_by(id);
            if self.options.waits_for_slow && board.find(serial).is_some_and(is_slow) {
                return Progress::Waits;
            }
            turn.lines += 1;
            turn.bytes += errand.text().len();
            let shows = !is_many && errand.deed != Deed::Target;
            errand.act(serial, self.label(), board, |answer| {
                // Where they are many, all are answered for in the end.
                if shows || (!is_many && matches!(answer, Answer::Gone(_))) {
                    self.answer(answer);
                }
            });
        }
        self.conclude(errand, board);
        Progress::Done
    }

    /// Says what became of an errand as a whole, if that was not said one by one.
    fn conclude(&mut self, errand: &Errand, board: &Board) {
        let Some(whom) = errand.whom() else { return };
        if whom.serials().is_empty() {
            return self.answer(Answer::Nobody);
        }
        let what = match errand.deed {
            Deed::Say => Many::Sent(self.label().len() + errand.text().len() + 1),
            Deed::Target if errand.tally.done > 0 => {
                self.target = Target::Several(whom.clone());
                Many::TargetIs
            }
            Deed::Target => Many::Sent(0),
            Deed::Finish => Many::Closing("finish after what is queued"),
            Deed::Reset => Many::Closing("are reset"),
            Deed::Kick => Many::Closing("close after what is queued"),
        };
        if whom.is_many() {
            self.answer(Answer::Many(what, &errand.sum()));
        } else if matches!(what, Many::TargetIs) {
            let here = whom.serials().iter().filter_map(|serial| board.find(*serial));
            let names: Vec<String> = here.map(|id| id.to_string()).collect();
            self.answer(Answer::TargetIs(&names.join(", ")));
        }
    }

    fn execute(&mut self, command: Command<'_>, board: &mut Board) {
        match command {
            Command::Say(to, text) => self.say(to, text, board),
            Command::Target(to) => self.set_target(to, board),
            Command::Who => self.list(board),
            Command::Stats => {
                let uptime = board.now().since(self.since);
                self.answer(Answer::Stats { stats: board.stats(), conns: board.count(Role::PEER), uptime });
            }
            Command::Help(None) => HELP.iter().for_each(|help| self.answer(Answer::Help(help))),
            Command::Help(Some(help)) => self.answer(Answer::Help(help)),
            Command::Quit => self.stop(board),
            Command::Eof(to) => self.act_on(Deed::Finish, to, b"", board),
            Command::Reset(to) => self.act_on(Deed::Reset, to, b"", board),
            Command::Kick(to, reason) => self.act_on(Deed::Kick, to, reason, board),
        }
    }

    fn label(&self) -> &'static [u8] {
        if self.options.voice == Voice::Participant { b"<operator> " } else { b"" }
    }

    /// Why a text cannot be sent to anybody.
    fn refusal(&self, text: &[u8], board: &Board) -> Option<Answer<'static>> {
        let bytes_max = board.limits().outbox_bytes_max;
        match self.options.voice {
            Voice::Mute => Some(Answer::Mute),
            _ if self.label().len() + text.len() + 1 > bytes_max => Some(Answer::TextTooLong(bytes_max)),
            _ => None,
        }
    }

    fn say(&mut self, to: To<'_>, text: &[u8], board: &mut Board) {
        if let Some(refused) = self.refusal(text, board) {
            return self.answer(refused);
        }
        if to == To::All || (to == To::Current && matches!(self.target, Target::All)) {
            if board.audience() == 0 {
                return self.answer(Answer::Nobody);
            }
            let parts = [self.label(), text, b"\n"];
            board.broadcast(None, &parts);
            let bytes = parts.iter().map(|part| part.len()).sum();
            return self.answer(Answer::SentToAll(board.audience(), bytes));
        }
        self.act_on(Deed::Say, to, text, board);
    }

    /// To several it is done as an errand.
    fn set_target(&mut self, to: To<'_>, board: &mut Board) {
        let (target, name) = match to {
            To::All => (Target::All, "everybody".to_owned()),
            To::Last | To::Current | To::Several(_) => (Target::Last, "whoever spoke last".to_owned()),
            To::One(serial) if !board.has_seen(serial) => return self.answer(Answer::NoSuch(serial)),
            To::One(serial) => match board.find(serial) {
                Some(id) => (Target::One(serial), id.to_string()),
                None => return self.answer(Answer::Gone(serial)),
            },
        };
        self.target = target;
        self.answer(Answer::TargetIs(&name));
    }

    fn list(&mut self, board: &Board) {
        if board.is_empty() {
            return self.answer(Answer::Nobody);
        }
        board.peers().for_each(|view| self.answer(Answer::Row(view)));
    }

    /// Does something to one connection; what is about several is an errand. A number that nobody ever had is a
    /// mistake.
    fn act_on(&mut self, deed: Deed, to: To<'_>, text: &[u8], board: &mut Board) {
        let serial = match (to, &self.target) {
            (To::One(serial), _) => serial,
            (To::Current, Target::One(serial)) => *serial,
            _ => match self.spoke_last {
                Some(id) => id.serial(),
                None => return self.answer(Answer::NoTarget),
            },
        };
        if !board.has_seen(serial) {
            return self.answer(Answer::NoSuch(serial));
        }
        deed.act(serial, self.label(), text, board, |answer| self.answer(answer));
    }

    /// Whether the end has begun in that nobody new is taken.
    fn is_draining(&self) -> bool {
        !self.stdin_is_open && self.options.on_stdin_eof == OnStdinEof::Drain
    }

    /// Stdin has ended.
    fn leave(&mut self, board: &mut Board) {
        self.stdin_is_open = false;
        match self.options.on_stdin_eof {
            OnStdinEof::Keep => {}
            OnStdinEof::Drain => board.drain(),
            OnStdinEof::Quit => return self.stop(board),
        }
        // Nobody is left to answer those who have finished.
        let is_waiting = |inbound, outbound| (inbound, outbound) == (Inbound::Ended, Outbound::Open);
        let waiting: Vec<ConnId> = board
            .peers()
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
        if let Some(errand) = self.errand.take() {
            if errand.left().is_some_and(|left| left > 0) && errand.whom().is_some_and(|whom| whom.is_many())
            {
                self.conclude(&errand, board);
            }
            self.answer(Answer::CutShort(errand.left()));
        }
        let waiting = board.peers().filter(|view| view.queued_bytes > 0).count();
        self.answer(Answer::Stopping(waiting));
        board.stop();
    }

    fn answer(&mut self, answer: Answer<'_>) {
        self.desk.show(&Event::Answer(answer));
    }
}

/// What there is to say at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// Connections that did not get all that was queued for them when the stop began.
    pub unsent_conns: usize,
    /// How many bytes those were.
    pub unsent_bytes: usize,
    /// Connections that said something when the stop had begun, which was thrown away.
    pub discarded_conns: usize,
    /// How many bytes those were.
    pub discarded_bytes: usize,
}
