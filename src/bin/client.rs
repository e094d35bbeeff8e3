//! The client: what is typed goes to the server, what the server says is shown, both at any time. An
//! App on the same reactor as the server's modes.

// Beside each other in `src/bin/` they would be programs of their own.
mod client {
    pub mod at_terminal;
    pub mod ends;
    pub mod exit_watch;
    pub mod waiting;
}

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use client::at_terminal::AtTerminal;
use client::ends::Ends;
use client::exit_watch::{EXIT, ExitWatch, Look, is_exit};
use client::waiting::Waiting;
use switchboard::cli::{self, ClientArgs};
use switchboard::internals::{cannot, in_words};
use switchboard::terminal::{Chunk, Entered, Mail, on_signal};
use switchboard::{
    Address, App, Backpressure, Board, ConnId, Endpoint, Frame, Limits, Moment, Outbound, Policy, Reactor,
    Reason, Role, View,
};

fn main() -> ExitCode {
    cli::main_checked(ClientArgs::check, run)
}

/// How long a line that was typed may wait for a connection that does not come about, once it was said to leave.
const DIAL_PATIENCE: Duration = Duration::from_secs(1);

/// So much may be typed while the server takes nothing, without keeping what is typed next from being seen: it may
/// say `exit`.
const TYPED_AHEAD_BYTES_MAX: usize = 1 << 20;

/// A client waits for its one server as long as that lives, however slowly it reads.
fn limits() -> Limits {
    Limits {
        write_stall_max: Duration::MAX,
        outbox_soft_max: Duration::MAX,
        // A server that has finished may still be told something for as long as there is input.
        half_open_max: Duration::MAX,
        // Its last words are acknowledged or on their way by then, and a person waits for the prompt.
        linger_silence: Duration::from_millis(300),
        linger_max: Duration::from_secs(1),
        ..Limits::default()
    }
}

fn run(args: &ClientArgs) -> Result<(), String> {
    let place = args.place();
    let tls = args.tls.settings().load()?;
    let found = place.resolve().map_err(cannot(format!("connect to {place}")))?;
    let (mut reactor, mailbox) = Reactor::new(limits()).map_err(cannot("start"))?;
    tls.use_in(&mut reactor);
    let shows_to_person = io::stdout().is_terminal();
    let ends = Ends::open(args.plain, shows_to_person, mailbox.clone())?;
    on_signal(vec![mailbox.clone()]).map_err(cannot("watch for signals"))?;
    let source = ends.begin(mailbox)?;
    let typed_by_person = io::stdin().is_terminal();
    // Lines that are edited come whole.
    let has_exit_watch = (typed_by_person || args.exit) && matches!(ends, Ends::Plain { .. });
    let client = Client {
        ends,
        shows_to_person,
        typed_by_person,
        exit_watch: has_exit_watch.then(ExitWatch::default),
        to_try: found.into(),
        tried: String::new(),
        server: Server::Dialing,
        input: Input::Coming,
        waiting: Waiting::new(source),
        server_has_finished: None,
        is_leaving: false,
        dial_until: None,
        outcome: Ok(()),
    };
    let client = reactor.run(client).map_err(cannot("wait for events"))?;
    // Whoever reads our output may take as long as it likes, unless we were told to leave.
    let patience = if client.is_leaving { limits().drain_max } else { Duration::MAX };
    let outcome = client.outcome(&place);
    match client.ends.close(patience) {
        // What was written last failed when the loop had ended.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            outcome.and_then(|()| Err(cannot("write to stdout")(error)))
        }
        _ => outcome,
    }
}

#[derive(Debug)]
struct Client {
    ends: Ends,
    shows_to_person: bool,
    typed_by_person: bool,
    exit_watch: Option<ExitWatch>,
    /// The server's addresses that were not tried yet.
    to_try: VecDeque<Address>,
    /// The one that was tried last, in words.
    tried: String,
    server: Server,
    input: Input,
    waiting: Waiting,
    server_has_finished: Option<Taken>,
    /// `exit` was typed, or a signal came.
    is_leaving: bool,
    /// For how long the server is dialled, once somebody does not want to wait for it any more.
    dial_until: Option<Moment>,
    outcome: Result<(), String>,
}

#[derive(Debug)]
enum Server {
    Dialing,
    Connected(ConnId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// There may be more of it.
    Coming,
    /// It has ended, or what still comes of it counts no more. Our FIN follows what waits.
    Ended,
}

/// How much the server's system has taken since the server finished, and when that last changed.
#[derive(Clone, Copy, Debug)]
struct Taken {
    bytes: u64,
    changed_at: Moment,
    /// It is still to be said that the server has finished.
    is_news: bool,
}

impl App for Client {
    type Message = Mail;

    fn policy(&self, _role: Role) -> Policy {
        let as_shown = if self.shows_to_person { Policy::LINES } else { Policy::RAW };
        Policy { shows_parts: true, backpressure: Backpressure::None, ..as_shown }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        if let Some(view) = board.view(id).filter(|_| self.typed_by_person) {
            self.ends.tell(&format!("connected to {}", view.peer));
        }
        self.server = Server::Connected(id);
    }

    fn first_bytes(&mut self, _id: ConnId, bytes: &[u8]) {
        self.ends.recognise(bytes);
    }

    fn received(&mut self, _id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.ends.show(&frame);
        if self.ends.are_full() {
            board.hold_reading(true);
        }
    }

    /// The server has finished; what there is to be sent to it is still sent.
    fn ended(&mut self, id: ConnId, board: &mut Board) {
        let bytes = board.view(id).map_or(0, |view| view.sent_bytes);
        self.server_has_finished = Some(Taken { bytes, changed_at: board.now(), is_news: true });
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let view = board.view(id);
        let (queued, sent) = view.map_or((0, 0), |view| (view.queued_bytes, view.sent_bytes));
        let unsent = self.unsent_bytes() + queued;
        match why {
            Reason::CannotConnect(_) if !self.to_try.is_empty() => return,
            Reason::CannotConnect(error) => {
                self.fail(format!("cannot connect to {}: {}", self.tried, in_words(error)));
            }
            Reason::Lost(_) => {
                // What a person types next is not owed to anybody.
                let more = self.input == Input::Coming && !self.typed_by_person;
                let rest = match (unsent, more) {
                    (_, true) if sent == 0 => "; none of the input could be sent".to_owned(),
                    (_, true) => format!(
                        "; {sent} bytes were sent and may not have arrived, what follows them could not be sent"
                    ),
                    (0, false) if sent == 0 => String::new(),
                    (0, false) => format!("; {sent} bytes were sent and may not have arrived"),
                    (_, false) => format!("; {unsent} bytes could not be sent"),
                };
                self.fail(format!("connection to {} lost: {why}{rest}", self.tried));
            }
            _ if unsent > 0 && matches!(self.server, Server::Connected(_)) => {
                self.fail(format!("{unsent} bytes could not be sent to {}", self.tried));
            }
            _ => {}
        }
        // What comes now is shown as not sent, where it is shown.
        self.input = Input::Ended;
        board.stop();
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        match mail {
            Mail::Stdin(Chunk::Bytes(bytes)) if self.input == Input::Ended => {
                self.waiting.give_back(bytes);
            }
            Mail::Stdin(Chunk::Bytes(bytes)) => self.typed(bytes, board),
            Mail::Stdin(Chunk::Ended(_)) if self.input == Input::Ended => {}
            Mail::Stdin(Chunk::Ended(error)) => self.input_ended(error, board),
            // `turn_ended` will find the room.
            Mail::ScreenHasRoom => {}
            Mail::ScreenFailed(error) => {
                // Whoever read our output has gone: a quiet end. Anything else has to be told.
                if error.kind() != ErrorKind::BrokenPipe {
                    self.fail(format!("cannot write to stdout: {}", in_words(&error)));
                }
                // What still comes can't be shown, so there is nothing to wait for.
                if let Server::Connected(id) = self.server {
                    board.hang_up(id, Reason::Stopping);
                }
                board.stop();
            }
            Mail::Entered(_) if self.input == Input::Ended => {}
            Mail::Entered(entered) => self.entered(entered, board),
            // Nobody here asks for files, names or rereading.
            Mail::File(..) | Mail::LogFile(_) | Mail::Resolved(..) | Mail::Reread | Mail::Typing(_) => {}
            Mail::Terminate => {
                self.is_leaving = true;
                // What was read by now is still sent; what comes next is nobody's loss.
                if std::mem::replace(&mut self.input, Input::Ended) == Input::Coming && !self.typed_by_person
                {
                    let held = self.exit_watch.as_ref().map_or(&EXIT[..0], ExitWatch::held_back);
                    self.waiting.push(held);
                }
                self.dial_no_longer_than(board.now());
            }
        }
    }

    fn turn_ended(&mut self, board: &mut Board) {
        match self.server {
            Server::Dialing => self.go_on_dialing(board),
            Server::Connected(id) => self.go_on_sending(id, board),
        }
        let is_behind = self.waiting.bytes() >= TYPED_AHEAD_BYTES_MAX;
        self.ends.set_waiting_bytes(is_behind.then(|| self.waiting.bytes()));
        self.ends.hand_over();
        board.hold_reading(self.ends.are_full());
        self.tell_that_server_has_finished();
    }
}

impl Client {
    /// Notes what went wrong, unless something did before.
    fn fail(&mut self, why: String) {
        if self.outcome.is_ok() {
            self.outcome = Err(why);
        }
    }

    fn outcome(&self, place: &Endpoint) -> Result<(), String> {
        match (&self.outcome, &self.server, self.unsent_bytes()) {
            (Err(_), _, _) | (_, Server::Connected(_), _) => self.outcome.clone(),
            (_, Server::Dialing, 0) => Err(format!("gave up connecting to {place}")),
            (_, Server::Dialing, unsent) => {
                Err(format!("gave up connecting to {place}; {unsent} bytes could not be sent"))
            }
        }
    }

    /// What was read from stdin and never given to the connection.
    fn unsent_bytes(&self) -> usize {
        let is_coming = self.input == Input::Coming;
        let held = self.exit_watch.as_ref().filter(|_| is_coming).map_or(0, |watch| watch.held_back().len());
        self.waiting.bytes() + held
    }

    fn typed(&mut self, mut bytes: Vec<u8>, board: &mut Board) {
        let look = self.exit_watch.as_mut().map_or(Look::all(&bytes), |watch| watch.look(&bytes));
        self.waiting.push(look.before);
        if self.typed_by_person && self.waiting.bytes() < TYPED_AHEAD_BYTES_MAX {
            self.waiting.push(&bytes[..look.length]);
            self.waiting.give_back(bytes);
        } else {
            bytes.truncate(look.length);
            self.waiting.borrow(bytes);
        }
        if look.leaves {
            self.said_exit(board);
        }
    }

    /// A line was entered where lines are edited. Several, pasted, are sent as they are.
    fn entered(&mut self, Entered { mut line, is_text, .. }: Entered, board: &mut Board) {
        self.ends.change(AtTerminal::taken);
        if !is_text && is_exit(&line) {
            return self.said_exit(board);
        }
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        self.waiting.push(&line);
    }

    fn input_ended(&mut self, error: Option<io::Error>, board: &mut Board) {
        if let Some(error) = error {
            self.fail(format!("cannot read stdin: {}", in_words(&error)));
        }
        let held = self.exit_watch.as_ref().map_or(&EXIT[..0], ExitWatch::held_back);
        if is_exit(held) {
            return self.said_exit(board);
        }
        self.waiting.push(held);
        self.input = Input::Ended;
        if self.typed_by_person && matches!(self.server, Server::Dialing) {
            // Ctrl-D, typed by somebody who does not want to wait any more.
            self.dial_no_longer_than(board.now() + DIAL_PATIENCE);
        }
    }

    /// A line said `exit`: a person leaves, and a script has no more to say.
    fn said_exit(&mut self, board: &mut Board) {
        self.input = Input::Ended;
        if self.typed_by_person {
            self.is_leaving = true;
            self.dial_no_longer_than(board.now() + DIAL_PATIENCE);
        }
    }

    fn dial_no_longer_than(&mut self, until: Moment) {
        self.dial_until = Some(self.dial_until.map_or(until, |before| before.min(until)));
    }

    /// Tries one address after the other. Where somebody wants to leave who has typed nothing, there is nothing to
    /// wait for.
    fn go_on_dialing(&mut self, board: &mut Board) {
        if let Some(until) = self.dial_until {
            if self.waiting.bytes() == 0 || until <= board.now() {
                return board.stop();
            }
            board.wake_at(until);
        }
        if board.is_empty()
            && let Some(address) = self.to_try.pop_front()
        {
            self.tried = address.to_string();
            board.dial(address);
        }
    }

    /// Sends what was typed, then our FIN where there is no more of it. Whoever types waits while the server does
    /// not read.
    fn go_on_sending(&mut self, id: ConnId, board: &mut Board) {
        if self.is_leaving {
            while self.waiting.send_one(id, board) {}
            return board.stop();
        }
        let may_be_sent = |view: &View<'_>| view.is_open && view.outbound == Outbound::Open;
        let Some(view) = board.view(id).filter(may_be_sent) else { return };
        if !view.is_slow && self.waiting.send_one(id, board) && self.waiting.bytes() > 0 {
            board.call_again();
        }
        if self.input == Input::Ended && self.waiting.bytes() == 0 {
            self.finish(id, board);
        }
    }

    /// Sends our FIN. Where the server has finished, the connection ends with it; had it gone, a reset would come
    /// as the answer to what was sent last, and nobody would be there to hear it. So there the FIN waits for it a
    /// little.
    fn finish(&mut self, id: ConnId, board: &mut Board) {
        let (Some(view), Some(taken)) = (board.view(id), &mut self.server_has_finished) else {
            return board.finish(id);
        };
        if view.sent_bytes != taken.bytes {
            (taken.bytes, taken.changed_at) = (view.sent_bytes, board.now());
        }
        let has_sent_any = view.sent_bytes > 0 || view.queued_bytes > 0;
        let silence = board.limits().linger_silence;
        let quiet_at = if view.queued_bytes > 0 { board.now() } else { taken.changed_at } + silence;
        if has_sent_any && board.now() < quiet_at {
            board.wake_at(quiet_at);
        } else {
            board.finish(id);
        }
    }

    fn tell_that_server_has_finished(&mut self) {
        let Some(taken) = &mut self.server_has_finished else { return };
        if !std::mem::take(&mut taken.is_news) || !self.typed_by_person || self.is_leaving {
            return;
        }
        self.ends.tell(match self.input {
            Input::Coming => "the server has finished sending; what you type is still sent",
            Input::Ended => "the server has finished",
        });
    }
}
