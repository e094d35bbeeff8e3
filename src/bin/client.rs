//! The client: what is typed goes to the server, what the server says is shown, both at any time. An
//! App on the same reactor as the server's modes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use switchboard::cli::{self, ClientArgs};
use switchboard::desk::text::{push_human, without_cr};
use switchboard::internals::{cannot, in_words};
use switchboard::terminal::{BufferReturn, Chunk, Mail, Screen, WhenFull, on_signal, read_in_background};
use switchboard::{
    Address, App, Backpressure, Board, ConnId, End, Endpoint, Frame, Limits, Moment, Outbound, Policy,
    Reactor, Reason, Role, Sent, View,
};

fn main() -> ExitCode {
    cli::main(run)
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
    let found = args.address.resolve().map_err(cannot(format!("connect to {}", args.address)))?;
    let (reactor, mailbox) = Reactor::new(limits()).map_err(cannot("start"))?;
    let screen = Screen::stdout(WhenFull::Wait, mailbox.clone()).map_err(cannot("use stdout"))?;
    on_signal(vec![mailbox.clone()]).map_err(cannot("watch for signals"))?;
    let source = read_in_background(mailbox).map_err(cannot("read stdin"))?;
    let typed_by_person = io::stdin().is_terminal();
    let client = Client {
        screen,
        shows_to_person: io::stdout().is_terminal(),
        typed_by_person,
        exit_watch: (typed_by_person || args.exit).then(ExitWatch::default),
        to_try: found.into(),
        tried: String::new(),
        server: Server::Dialing,
        input: Input::Coming,
        waiting: Waiting { pieces: VecDeque::new(), bytes: 0, source },
        server_has_finished: None,
        is_leaving: false,
        dial_until: None,
        outcome: Ok(()),
    };
    let client = reactor.run(client).map_err(cannot("wait for events"))?;
    // Whoever reads our output may take as long as it likes, unless we were told to leave.
    let patience = if client.is_leaving { limits().drain_max } else { Duration::MAX };
    let outcome = client.outcome(&args.address);
    match client.screen.close(patience) {
        // What was written last failed when the loop had ended.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            outcome.and_then(|()| Err(cannot("write to stdout")(error)))
        }
        _ => outcome,
    }
}

#[derive(Debug)]
struct Client {
    screen: Screen,
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

/// What was read from stdin and not sent yet.
#[derive(Debug)]
struct Waiting {
    pieces: VecDeque<Piece>,
    bytes: usize,
    source: BufferReturn,
}

#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    /// It is the buffer of whoever reads stdin, and goes back to it.
    is_borrowed: bool,
}

impl App for Client {
    type Message = Mail;

    fn policy(&self, _role: Role) -> Policy {
        let as_shown = if self.shows_to_person { Policy::LINES } else { Policy::RAW };
        Policy { shows_parts: true, backpressure: Backpressure::None, ..as_shown }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        if let Some(view) = board.view(id).filter(|_| self.typed_by_person) {
            cli::tell::<ClientArgs>(&format!("connected to {}", view.peer));
        }
        self.server = Server::Connected(id);
    }

    fn received(&mut self, _id: ConnId, frame: Frame<'_>, board: &mut Board) {
        let for_person = self.shows_to_person;
        self.screen.put(|out| {
            if for_person {
                push_human(out, without_cr(frame.bytes));
                if frame.end == End::Newline {
                    out.push(b'\n');
                }
            } else {
                out.extend_from_slice(frame.bytes);
            }
        });
        if self.screen.is_full() {
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
        board.stop();
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        match mail {
            Mail::Stdin(Chunk::Bytes(bytes)) if self.input == Input::Ended => {
                self.waiting.source.give_back(bytes);
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
            // Nobody here asks for files, names or rereading.
            Mail::File(..) | Mail::Resolved(..) | Mail::Reread | Mail::Entered(_) => {}
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
        self.screen.hand_over();
        board.hold_reading(self.screen.is_full());
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
        self.waiting.bytes + held
    }

    fn typed(&mut self, mut bytes: Vec<u8>, board: &mut Board) {
        let look = self.exit_watch.as_mut().map_or(Look::all(&bytes), |watch| watch.look(&bytes));
        self.waiting.push(look.before);
        if self.typed_by_person && self.waiting.bytes < TYPED_AHEAD_BYTES_MAX {
            self.waiting.push(&bytes[..look.length]);
            self.waiting.source.give_back(bytes);
        } else {
            bytes.truncate(look.length);
            self.waiting.borrow(bytes);
        }
        if look.leaves {
            self.said_exit(board);
        }
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
            if self.waiting.bytes == 0 || until <= board.now() {
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
        if !view.is_slow && self.waiting.send_one(id, board) && self.waiting.bytes > 0 {
            board.call_again();
        }
        if self.input == Input::Ended && self.waiting.bytes == 0 {
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
        cli::tell::<ClientArgs>(match self.input {
            Input::Coming => "the server has finished sending; what you type is still sent",
            Input::Ended => "the server has finished",
        });
    }
}

impl Waiting {
    fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.pieces.push_back(Piece { bytes: bytes.to_vec(), is_borrowed: false });
        }
    }

    /// The same for a buffer that goes back to where it came from when it was sent.
    fn borrow(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return self.source.give_back(bytes);
        }
        self.bytes += bytes.len();
        self.pieces.push_back(Piece { bytes, is_borrowed: true });
    }

    /// Sends a piece. Returns whether there was one and it was taken.
    fn send_one(&mut self, id: ConnId, board: &mut Board) -> bool {
        let Some(piece) = self.pieces.front() else { return false };
        if !matches!(board.send(id, &piece.bytes), Sent::Queued(_) | Sent::Slow(_)) {
            return false;
        }
        if let Some(piece) = self.pieces.pop_front() {
            self.bytes -= piece.bytes.len();
            if piece.is_borrowed {
                self.source.give_back(piece.bytes);
            }
        }
        true
    }
}

/// Looks for a line that says `exit` in what is typed, however that is cut up. All else passes at once;
/// only what may yet become such a line is held back.
#[derive(Debug)]
struct ExitWatch {
    line: Line,
}

/// The word, with the line ending that some terminals have.
const EXIT: &[u8] = b"exit\r";

/// The line being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// So far it is the first so many bytes of `EXIT`; they are held back.
    MayBeExit(usize),
    /// It is something else.
    Other,
}

/// What to do with a chunk.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// To be sent before it: it was held back.
    before: &'static [u8],
    /// How much of the chunk is to be sent.
    length: usize,
    /// A line said `exit`.
    leaves: bool,
}

impl Look {
    fn all(chunk: &[u8]) -> Look {
        Look { before: b"", length: chunk.len(), leaves: false }
    }
}

impl Default for ExitWatch {
    fn default() -> Self {
        ExitWatch { line: Line::MayBeExit(0) }
    }
}

impl ExitWatch {
    fn held_back(&self) -> &'static [u8] {
        match self.line {
            Line::MayBeExit(count) => &EXIT[..count],
            Line::Other => b"",
        }
    }

    fn look(&mut self, chunk: &[u8]) -> Look {
        let held_before = self.held_back();
        let mut at = 0;
        loop {
            let newline = memchr::memchr(b'\n', &chunk[at..]);
            let line = &chunk[at..at + newline.unwrap_or(chunk.len() - at)];
            // What was held back belongs to the first line of the chunk: it goes where that goes.
            let before = if at == 0 { &[] } else { held_before };
            if let Line::MayBeExit(count) = self.line
                && EXIT[count..].starts_with(line)
            {
                self.line = Line::MayBeExit(count + line.len());
                let leaves = newline.is_some() && is_exit(self.held_back());
                if leaves || newline.is_none() {
                    return Look { before, length: at, leaves };
                }
            }
            let Some(length) = newline else {
                self.line = Line::Other;
                return Look { before: held_before, length: chunk.len(), leaves: false };
            };
            at += length + 1;
            self.line = Line::MayBeExit(0);
        }
    }
}

fn is_exit(line: &[u8]) -> bool {
    without_cr(line) == b"exit"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the text cut after every byte of `cuts`; returns what is sent, and whether it left.
    fn sent(text: &str, cuts: &[usize]) -> (String, bool) {
        let mut watch = ExitWatch::default();
        let mut out = Vec::new();
        let mut from = 0;
        for &to in cuts.iter().chain([&text.len()]) {
            let chunk = &text.as_bytes()[from..to];
            let look = watch.look(chunk);
            out.extend_from_slice(look.before);
            out.extend_from_slice(&chunk[..look.length]);
            if look.leaves {
                return (String::from_utf8(out).unwrap(), true);
            }
            from = to;
        }
        out.extend_from_slice(watch.held_back());
        (String::from_utf8(out).unwrap(), false)
    }

    #[test]
    fn a_line_that_says_exit_is_found_at_every_cut_and_all_else_passes() {
        for (text, passes, leaves) in [
            ("hi\nexit\nmore", "hi\n", true),
            ("exit\r\n", "", true),
            ("exits\nexi\n exit\nexit now\n", "exits\nexi\n exit\nexit now\n", false),
            ("\n\nexit\n", "\n\n", true),
            ("no exit\n", "no exit\n", false),
            ("exex\nexit", "exex\nexit", false),
            ("exit\rx\n", "exit\rx\n", false),
        ] {
            for first in 0..text.len() {
                for second in first..text.len() {
                    let found = sent(text, &[first, second]);
                    assert_eq!(found, (passes.to_owned(), leaves), "{text:?} cut at {first} and {second}");
                }
            }
        }
    }
}
