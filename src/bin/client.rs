//! The client: what is typed goes to the server, what the server says is shown, both at any time. An
//! App on the same reactor as the server's modes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use switchboard::cli::{self, ClientArgs};
use switchboard::console::{
    Chunk, Mail, Screen, Source, WhenFull, on_signal, push_human, read_in_background, without_cr,
};
use switchboard::{
    Address, App, Board, Brakes, ConnId, End, Frame, Framing, Limits, Outbound, Reactor, Reason, cannot,
    in_words,
};

fn main() -> ExitCode {
    cli::main(run)
}

/// A client waits for its one server as long as that lives, however slowly it reads.
fn limits() -> Limits {
    Limits {
        write_stall_max: Duration::MAX,
        outbox_soft_max: Duration::MAX,
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
    let client = Client {
        source,
        screen,
        shows_to_person: io::stdout().is_terminal(),
        typed_by_person: io::stdin().is_terminal(),
        exit_watch: (!args.no_exit).then(ExitWatch::default),
        to_try: found.into(),
        server: Server::Dialing,
        waiting: VecDeque::new(),
        server_has_finished: false,
        is_leaving: false,
        outcome: Ok(()),
    };
    let client = reactor.run(client).map_err(cannot("wait for events"))?;
    // Whoever reads our output may take as long as it likes, unless we were told to leave.
    let patience = if client.is_leaving { limits().drain_max } else { Duration::MAX };
    match client.screen.close(patience) {
        // What was written last failed when the loop had ended.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            client.outcome.and_then(|()| Err(cannot("write to stdout")(error)))
        }
        _ => client.outcome,
    }
}

#[derive(Debug)]
struct Client {
    source: Source,
    screen: Screen,
    shows_to_person: bool,
    typed_by_person: bool,
    exit_watch: Option<ExitWatch>,
    /// The server's addresses that were not tried yet.
    to_try: VecDeque<Address>,
    server: Server,
    /// What was typed and not sent yet.
    waiting: VecDeque<Chunk>,
    /// The server's FIN was read, so ours follows what was typed by then.
    server_has_finished: bool,
    /// `exit` was typed, or a signal came.
    is_leaving: bool,
    outcome: Result<(), String>,
}

#[derive(Debug)]
enum Server {
    Dialing,
    Connected(ConnId),
}

impl App for Client {
    type Message = Mail;

    fn framing(&self) -> Framing {
        if self.shows_to_person { Framing::Lines } else { Framing::Raw }
    }

    fn brakes(&self) -> Brakes {
        Brakes::Nobody
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

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        self.server_has_finished = true;
        while !self.waiting.is_empty() {
            self.send_one(id, board);
        }
        board.finish(id);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let view = board.view(id);
        let peer = view.as_ref().map(|view| view.peer.to_string()).unwrap_or_default();
        let unsent = view.map_or(0, |view| view.queued_bytes);
        match why {
            Reason::CannotConnect(_) if !self.to_try.is_empty() => return,
            Reason::CannotConnect(error) => {
                self.outcome = Err(format!("cannot connect to {peer}: {}", in_words(error)));
            }
            Reason::Lost(error) => {
                self.outcome = Err(format!("connection to {peer} lost: {}", in_words(error)));
            }
            _ if unsent > 0 => self.outcome = Err(format!("{unsent} bytes could not be sent to {peer}")),
            _ => {}
        }
        board.stop();
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        match mail {
            Mail::Stdin(Chunk::Bytes(_)) if self.server_has_finished => {
                self.outcome = Err("the server finished before all input was sent".into());
            }
            Mail::Stdin(chunk) => self.waiting.push_back(chunk),
            // `turn_ended` will find the room.
            Mail::ScreenHasRoom => {}
            Mail::ScreenFailed(error) => {
                // Whoever read our output has gone: a quiet end. Anything else has to be told.
                if error.kind() != ErrorKind::BrokenPipe {
                    self.outcome = Err(format!("cannot write to stdout: {}", in_words(&error)));
                }
                // What still comes can't be shown, so there is nothing to wait for.
                if let Server::Connected(id) = self.server {
                    board.hang_up(id, Reason::Stopping);
                }
                board.stop();
            }
            Mail::Terminate => self.leave(board),
        }
    }

    fn turn_ended(&mut self, board: &mut Board) {
        match self.server {
            Server::Dialing if board.is_empty() => {
                if let Some(address) = self.to_try.pop_front() {
                    board.dial(address);
                }
            }
            Server::Dialing => {}
            Server::Connected(id) => self.send_waiting(id, board),
        }
        self.screen.hand_over();
        board.hold_reading(self.screen.is_full());
    }
}

impl Client {
    fn leave(&mut self, board: &mut Board) {
        self.is_leaving = true;
        board.stop();
    }

    /// Sends a chunk of what was typed; whoever types waits while the server does not read.
    fn send_waiting(&mut self, id: ConnId, board: &mut Board) {
        let can_send = |view: switchboard::View<'_>| view.outbound == Outbound::Open && !view.is_slow;
        if board.view(id).is_some_and(can_send) {
            self.send_one(id, board);
        }
    }

    fn send_one(&mut self, id: ConnId, board: &mut Board) {
        match self.waiting.pop_front() {
            None => {}
            Some(Chunk::Bytes(bytes)) => {
                let look = self.exit_watch.as_mut().map_or(Look::all(&bytes), |watch| watch.look(&bytes));
                board.send_parts(id, &[look.before, &bytes[..look.length]]);
                self.source.give_back(bytes);
                if look.leaves {
                    self.leave(board);
                } else if !self.waiting.is_empty() {
                    board.call_again();
                }
            }
            Some(Chunk::Ended(error)) => {
                if let Some(error) = error {
                    self.outcome = Err(format!("cannot read stdin: {}", in_words(&error)));
                }
                let held = self.exit_watch.as_ref().map_or(&EXIT[..0], ExitWatch::held_back);
                if is_exit(held) {
                    return self.leave(board);
                }
                board.send(id, held);
                board.finish(id);
            }
        }
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
