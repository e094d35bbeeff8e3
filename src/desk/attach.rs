//! A desk that is attached to a server by its control socket: the same displays as a server's own, told by lines of JSON
//! what a server's own are told typed. It comes and goes, and the server goes on. One more App on the reactor.

mod commands;
mod ends;
mod here;
mod session;
mod told;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::Address;
use crate::app::App;
use crate::board::{Board, Sent};
use crate::buffer::framing::Frame;
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::conn::reason::{Reason, in_words};
use crate::desk::{Aim, DeskId, Outlet, Refusal, Reply, Roster};
use crate::terminal::{BufferReturn, Chunk, Entered, Input, LINE_BYTES_MAX, Mail, Typed};

use told::Told;

use ends::Face;

/// A server that is lost is tried again this often.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// While more than this is queued for the server, nothing more is taken from a pipe. It takes as long as it takes.
const BEHIND_BYTES_MAX: usize = 64 << 10;

const UNCONNECTED: &str = "not sent: there is no connection to the server (Up brings the line back)";

/// What is wanted of it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where the server's control socket is.
    pub path: PathBuf,
    /// Only to look.
    pub watches: bool,
    /// What the desk is to be called.
    pub name: Option<String>,
}

/// A desk that is attached.
#[derive(Debug)]
pub struct Attached {
    wanted: Wanted,
    face: Face,
    link: Link,
    /// What the server has said and was not looked at yet.
    heard: Input,
    here: Roster,
    /// What was typed in a pipe.
    typed: Input,
    aim: Aim,
    /// What was asked of the server and is not answered, in order.
    asked: VecDeque<Asked>,
    /// Which run of which server it is, and how far it was told of it.
    run: String,
    seq: u64,
    /// How many runs there were so far.
    runs: u32,
    desk: DeskId,
    known: Known,
    /// What was entered on the terminal before it is known who is here.
    early: VecDeque<Entered>,
    meanwhile: Option<Meanwhile>,
    /// `/quit` was typed, and said what it does.
    asked_to_quit: bool,
    /// Nothing more will be typed.
    input_ended: bool,
    ending: Ending,
}

/// How it stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It is being connected to, for the first time or again.
    Dialling(Often),
    Up(ConnId),
    /// It is tried again at this moment.
    Lost(Moment),
}

/// What is known of the server at this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    /// Which run it is, of which there were so many events before; who is here is being told.
    Run {
        seq: u64,
    },
    /// Who is here, too.
    All,
}

/// What is typed in a pipe from the loss of a server on until it is known again: it is for whom it would have been then.
#[derive(Clone, Copy, Debug)]
struct Meanwhile {
    /// So much of it is to be taken yet.
    bytes: usize,
    /// For which run it is.
    run: u32,
    /// Whoever spoke last.
    last: Option<u64>,
}

/// How often it was connected before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Often {
    Never,
    Before,
}

/// Whether it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    No,
    /// Whoever is here has had enough.
    Left,
    /// The server has ended, in order.
    Over,
    Failed(String),
}

/// A command that is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// Its reply is shown.
    Shown,
    /// It tells the current target.
    Next,
    /// Something is sent to these; `None`: to all.
    Sends(Option<Vec<u64>>),
    /// Nobody has typed it.
    Unseen,
}

impl Attached {
    /// So much may be queued for a server: the longest line that it takes, behind another.
    pub const QUEUED_BYTES_MAX: usize = 2 * LINE_BYTES_MAX + 2 * BEHIND_BYTES_MAX;

    /// A desk that nobody has typed at yet. `source`: where buffers go back to.
    pub fn new(wanted: Wanted, outlet: Outlet, source: Option<BufferReturn>) -> Attached {
        Attached {
            wanted,
            face: Face::new(outlet),
            link: Link::Lost(Moment::default()),
            heard: Input::new(None),
            here: Roster::default(),
            typed: Input::new(source),
            aim: Aim::Last,
            asked: VecDeque::new(),
            run: String::new(),
            seq: 0,
            runs: 0,
            desk: DeskId(0),
            known: Known::Nothing,
            early: VecDeque::new(),
            meanwhile: None,
            asked_to_quit: false,
            input_ended: false,
            ending: Ending::No,
        }
    }

    /// Waits until all was shown.
    ///
    /// # Errors
    /// Why it ended, if that was an error.
    pub fn finish(self, patience: Duration) -> Result<(), String> {
        let unwritten = self.face.close(patience);
        match self.ending {
            Ending::Failed(why) => Err(why),
            _ => unwritten,
        }
    }

    fn dial(&mut self, often: Often, board: &mut Board) {
        self.link = Link::Dialling(often);
        board.dial(Address::Unix(self.wanted.path.clone()));
    }

    fn end(&mut self, ending: Ending, board: &mut Board) {
        if self.ending == Ending::No {
            self.ending = ending;
            board.stop();
        }
    }

    /// The connection is no more, or did not come about.
    fn lost(&mut self, why: &Reason, board: &mut Board) {
        let unanswered = self.asked.iter().filter(|asked| **asked != Asked::Unseen).count();
        self.asked.clear();
        self.heard = Input::new(None);
        let was_known = std::mem::replace(&mut self.known, Known::Nothing) != Known::Nothing;
        // What is left of another time, and was not taken since, is for whom it was then.
        if was_known && self.meanwhile.is_none_or(|meanwhile| meanwhile.bytes == 0) {
            self.meanwhile = Some(Meanwhile { bytes: 0, run: self.runs, last: self.here.last() });
        }
        if self.ending != Ending::No {
            return;
        }
        let path = self.wanted.path.display();
        let often = if let Link::Dialling(often) = self.link { often } else { Often::Before };
        match (often, self.link) {
            (Often::Never, _) => {
                let hint = "is a server running with --desk?";
                let why =
                    if let Reason::CannotConnect(error) = why { in_words(error) } else { why.to_string() };
                return self.end(Ending::Failed(format!("cannot attach to {path}: {why} ({hint})")), board);
            }
            (_, Link::Up(_)) => {
                self.face.lost(unanswered);
                self.face.note("the connection to the server is lost; it is tried again every second");
            }
            _ => {}
        }
        for _ in self.early.drain(..) {
            self.face.reply(&Reply::Refused(Refusal::Told("gone", UNCONNECTED.to_owned())));
        }
        if self.face.is_json() {
            return self.end(Ending::Failed(format!("the server at {path} has gone")), board);
        }
        let at = board.now() + RETRY_EVERY;
        self.link = Link::Lost(at);
        board.wake_at(at);
    }

    /// Looks at what the server has said, line by line.
    fn hear(&mut self, board: &mut Board) {
        let mut heard = std::mem::take(&mut self.heard);
        while let Some(Typed::Line(line)) = heard.next_line() {
            if self.face.is_json() {
                self.face.show_raw(line);
            }
            if let Some(told) = Told::read(line) {
                self.told(&told, board);
            } else if !self.face.is_json() {
                self.face.note(&String::from_utf8_lossy(line));
            }
        }
        self.heard = heard;
    }

    /// Sends a line, if there is somebody to send it to.
    fn say(&mut self, line: &[u8], asked: Asked, board: &mut Board) -> Result<(), Refusal> {
        let why = match self.link {
            Link::Up(id) => match board.send_parts(id, &[line, b"\n"]) {
                Sent::Queued(_) | Sent::Slow(_) => {
                    self.asked.push_back(asked);
                    return Ok(());
                }
                Sent::Full(_) => "not sent: the server has not taken yet what was sent before",
                _ => UNCONNECTED,
            },
            _ => UNCONNECTED,
        };
        Err(Refusal::Told("gone", why.to_owned()))
    }

    /// Whether the server takes what it is told.
    fn keeps_up(&self, board: &mut Board) -> bool {
        let Link::Up(id) = self.link else { return false };
        let keeps_up = board.view(id).is_some_and(|view| view.queued_bytes <= BEHIND_BYTES_MAX);
        if !keeps_up {
            board.tell_when_drained(id);
        }
        keeps_up
    }
}

impl App for Attached {
    type Message = Mail;

    fn policy(&self, _role: Role) -> Policy {
        Policy { backpressure: Backpressure::None, has_idle_limit: false, ..Policy::RAW }
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        self.link = Link::Up(id);
        self.introduce(board);
    }

    fn received(&mut self, _id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.heard.push(frame.bytes.to_vec());
        self.hear(board);
        if self.face.is_full() {
            board.hold_reading(true);
        }
    }

    fn closed(&mut self, _id: ConnId, why: &Reason, board: &mut Board) {
        self.lost(why, board);
    }

    fn message(&mut self, mail: Mail, board: &mut Board) {
        match mail {
            Mail::Stdin(Chunk::Bytes(bytes)) => self.typed.push(bytes),
            Mail::Stdin(Chunk::Ended(_)) => self.typed.end(),
            Mail::Entered(entered) => self.entered(entered, board),
            Mail::Typing(whom) => self.types(whom.as_ref(), board),
            Mail::ScreenFailed(error) => {
                let is_gone = error.kind() == io::ErrorKind::BrokenPipe;
                let why = format!("cannot write to stdout: {}", in_words(&error));
                self.end(if is_gone { Ending::Left } else { Ending::Failed(why) }, board);
            }
            Mail::Terminate => self.end(Ending::Left, board),
            // `turn_ended` finds the room; nobody here asks for the others.
            Mail::ScreenHasRoom | Mail::File(..) | Mail::LogFile(_) | Mail::Resolved(..) | Mail::Reread => {}
        }
    }

    fn turn_ended(&mut self, board: &mut Board) {
        match self.link {
            Link::Lost(at) if at <= board.now() && self.ending == Ending::No => {
                let often = if self.run.is_empty() { Often::Never } else { Often::Before };
                self.dial(often, board);
            }
            Link::Lost(at) if self.ending == Ending::No => board.wake_at(at),
            _ => {}
        }
        self.take_early(board);
        self.take_typed(board);
        // Who looks on has nothing to say anyway.
        if self.input_ended && self.asked.is_empty() && !self.wanted.watches && self.ending == Ending::No {
            self.end(Ending::Left, board);
        }
        self.face.hand_over();
        board.hold_reading(self.face.is_full());
    }
}
