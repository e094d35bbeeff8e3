//! What an attached desk makes of what it is told, and of what is typed at it.

use serde_json::{Value, json};

use super::commands::{Meant, spelt};
use super::told::Told;
use super::{Asked, Attached, Ending, Known, Link};
use crate::board::Board;
use crate::desk::json::Mode;
use crate::desk::text;
use crate::desk::{Aim, CODES, Command, Event, Refusal, Reply, To, Who};
use crate::terminal::{Entered, Typed, Whom};

const OF_ANOTHER_RUN: &str = "not sent: it was typed for the run of the server that has ended";

impl Attached {
    /// Says who is here, and what for.
    pub(super) fn introduce(&mut self, board: &mut Board) {
        let mut said = json!({"cmd": "desk"});
        if let Some(name) = &self.wanted.name {
            said["name"] = json!(name);
        }
        if self.wanted.watches {
            said["watch"] = json!(true);
        }
        if !self.face.is_json() {
            let size = self.face.terminal().map(|_| crate::terminal::terminal_size());
            said["words"] = json!(size.map_or(0, |size| size.columns));
            self.say_unseen(&said, board);
        } else if self.wanted.watches || self.wanted.name.is_some() {
            self.say_unseen(&said, board);
        }
    }

    /// Says something that nobody has typed, and that nobody misses where there is no connection.
    fn say_unseen(&mut self, said: &Value, board: &mut Board) {
        let _ = self.say(said.to_string().as_bytes(), Asked::Unseen, board);
    }

    /// The server has said something.
    pub(super) fn told(&mut self, told: &Told, board: &mut Board) {
        match told.kind() {
            "hello" => self.greeted(told),
            "ok" | "error" => self.answered(told, board),
            "bye" => {
                self.face.note("the server has ended");
                self.end(Ending::Over, board);
            }
            "open" if told.is_past() => self.is_here(told),
            "desk" if told.is_past() => {
                let display = &mut self.face.outlet.display;
                told.event(&self.here, |event| display.knows(event));
            }
            _ if self.face.is_json() => self.note_seq(told),
            "msg" | "sent" if told.is_past() => {
                let seq = told.number("seq");
                // Of what it has seen before, nothing is shown twice; a pipe is for what happens from now on.
                let is_for_people = self.face.outlet.display.is_for_people();
                if seq > self.seq && is_for_people {
                    self.show(told);
                }
                self.note_seq(told);
            }
            _ => {
                self.note_seq(told);
                self.note_who_is_here(told);
                self.show(told);
            }
        }
    }

    fn note_seq(&mut self, told: &Told) {
        self.seq = self.seq.max(told.number("seq"));
    }

    fn greeted(&mut self, told: &Told) {
        let is_same = self.run == told.text("run");
        let is_first = self.run.is_empty();
        self.desk = told.desk("desk");
        let (before, seq) = (std::mem::take(&mut self.here), told.number("seq"));
        let missed = seq.saturating_sub(self.seq);
        self.known = Known::Run { seq };
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile.bytes = self.typed.untaken_bytes();
        }
        if is_same {
            self.here.follows(&before);
        } else {
            self.run = told.text("run").to_owned();
            self.runs += 1;
            // What was chosen of the other run is nobody of this one.
            self.aim = if told.text("mode") == "chat" { Aim::All } else { Aim::Last };
            self.seq = 0;
            self.asked_to_quit = false;
        }
        let mode = Mode::of(told.text("mode")).unwrap_or(Mode::Console);
        if let Some(terminal) = self.face.terminal() {
            terminal.lock().begin_anew(self.desk, mode, is_same);
        }
        let (number, path) = (self.desk.0, self.wanted.path.display().to_string());
        match (is_first, is_same) {
            (true, _) => self.face.note(&format!("attached to {path} as desk {number}")),
            (false, true) => {
                self.face.note(&format!("attached again, as desk {number}: {missed} events meanwhile"));
            }
            (false, false) => self.face.note(&format!("attached to another run, as desk {number}")),
        }
        if is_same {
            return;
        }
        self.face.outlet.show_all();
    }

    /// Somebody was here before this desk was.
    fn is_here(&mut self, told: &Told) {
        let (serial, name) = (told.number("id"), Some(told.text("name")).filter(|name| !name.is_empty()));
        let (is_nick, waits) = (told.has("nick"), told.has("pending"));
        self.here.opened(serial, name);
        self.here.named(serial, name, is_nick);
        if let Some(terminal) = self.face.terminal() {
            terminal.lock().is_here(serial, name, is_nick, waits);
        }
    }

    fn note_who_is_here(&mut self, told: &Told) {
        let here = &mut self.here;
        let mut now = None;
        told.event(here, |event| match event {
            Event::Opened { who, .. } => now = Some((who.serial, who.name.map(str::to_owned), false, true)),
            Event::Named(who, by) => {
                let is_nick = *by == crate::desk::Namer::Peer;
                now = Some((who.serial, who.name.map(str::to_owned), is_nick, false));
            }
            _ => {}
        });
        if let Some((serial, name, is_nick, is_new)) = now {
            if is_new {
                here.opened(serial, None);
            }
            here.named(serial, name.as_deref(), is_nick);
        }
    }

    /// Shows an event. What was done at this desk has its reply.
    fn show(&mut self, told: &Told) {
        let (face, desk) = (&mut self.face, self.desk);
        face.outlet.display.set_time(told.text("ts"));
        told.event(&self.here, |event| {
            let by = match event {
                Event::Named(_, by) => by.desk(),
                Event::Done(_, by) | Event::Linked(_, _, by) | Event::Unlinked(_, _, by) => Some(*by),
                Event::Fault { by, .. } => *by,
                Event::Sent { by: crate::desk::Author::Desk(by), .. } => Some(*by),
                _ => None,
            };
            if by != Some(desk) || told.is_past() {
                face.event(event);
            } else if !matches!(event, Event::Sent { .. }) {
                face.outlet.display.knows(event);
            }
        });
        match told.kind() {
            "msg" => drop(self.here.spoke(told.number("id"), false)),
            "close" => self.here.closed(told.number("id")),
            _ => {}
        }
    }

    /// A command is answered.
    fn answered(&mut self, told: &Told, board: &mut Board) {
        self.note_seq(told);
        if told.kind() == "error" && self.run.is_empty() {
            // It was not let in, so nobody has greeted it.
            return self.end(Ending::Failed(told.text("msg").to_owned()), board);
        }
        let Some(asked) = self.asked.pop_front() else { return };
        if let Known::Run { seq } = self.known {
            // What this desk has said of itself is answered. Who is here, and what was said before, was told in front of that.
            self.known = Known::All;
            self.seq = self.seq.max(seq);
        }
        if self.face.is_json() {
            return;
        }
        if told.kind() == "error" {
            let code = CODES.into_iter().find(|code| *code == told.text("code")).unwrap_or("bad-request");
            let why = told.text("msg").to_owned();
            if asked == Asked::Unseen {
                return self.face.note(&why);
            }
            return self.face.reply(&Reply::Refused(Refusal::Told(code, why)));
        }
        let words = told.words();
        match asked {
            Asked::Unseen => return,
            Asked::Next => {
                if let Some(serial) = told.first_listed() {
                    self.aim = Aim::One(serial);
                    self.face.reply(&Reply::Words(&words));
                    if let Some(terminal) = self.face.terminal() {
                        terminal.lock().aims_at(serial);
                    }
                    return;
                }
            }
            Asked::Sends(serials) => {
                if let Some(terminal) = self.face.terminal() {
                    terminal.lock().has_sent(serials.as_deref());
                }
                let is_quiet = !told.has("gone") && !told.has("full") && !told.has("finished");
                let reply = if is_quiet { Reply::SentWords(&words) } else { Reply::Words(&words) };
                return self.face.reply(&reply);
            }
            Asked::Shown => {}
        }
        self.face.reply(&Reply::Words(&words));
    }

    /// Something is being typed on the terminal.
    pub(super) fn types(&mut self, whom: Option<&Whom>, board: &mut Board) {
        // Of a run that is not known, the number may be a stranger's.
        if self.wanted.watches || self.known == Known::Nothing {
            return;
        }
        let mut said = json!({"cmd": "typing"});
        if let Some(whom) = whom {
            said["to"] = spelt(whom);
        }
        self.say_unseen(&said, board);
    }

    /// A line was entered on the terminal. Before it is known who is here, nobody can be meant, so it waits for that.
    pub(super) fn entered(&mut self, entered: Entered, board: &mut Board) {
        let is_known = self.known == Known::All || !matches!(self.link, Link::Up(_));
        if is_exit(&entered) || (is_known && self.early.is_empty()) {
            self.carry_out(&entered, board);
        } else {
            self.early.push_back(entered);
        }
    }

    /// Carries out what was entered early, once it is known who is here.
    pub(super) fn take_early(&mut self, board: &mut Board) {
        while self.known == Known::All
            && self.ending == Ending::No
            && let Some(entered) = self.early.pop_front()
        {
            self.carry_out(&entered, board);
        }
    }

    fn carry_out(&mut self, entered: &Entered, board: &mut Board) {
        let Entered { line, is_text, whom, named, last, run } = entered;
        let command = if *is_text {
            Ok(Command::Send(To::Current, crate::desk::Payload::Text(line.as_slice().into())))
        } else {
            text::parse(line)
        };
        let is_for_any_run = matches!(command, Ok(Command::Help(_))) || is_exit(entered);
        // Before there was a first one, nobody was known who could be mistaken for another.
        if ![0, self.runs].contains(run) && !is_for_any_run {
            let refusal = Refusal::Told("gone", OF_ANOTHER_RUN.to_owned());
            return self.face.reply(&Reply::Refused(refusal));
        }
        let here = std::mem::take(&mut self.here);
        let meant = Meant { whom, named: named.as_ref(), last: *last, here: &here };
        let done =
            command.map_err(Refusal::Mistake).and_then(|command| self.obey(&command, line, &meant, board));
        self.here = here;
        if let Err(refusal) = done {
            self.face.reply(&Reply::Refused(refusal));
        }
    }

    /// Takes what was typed in a pipe.
    pub(super) fn take_typed(&mut self, board: &mut Board) {
        let is_up = matches!(self.link, Link::Up(_)) && (self.known == Known::All || self.face.is_json());
        // Before it is known who is here, nobody can be meant.
        if !is_up || self.input_ended {
            return;
        }
        let mut typed = std::mem::take(&mut self.typed);
        while self.asked.len() < 1024 && self.ending == Ending::No && self.keeps_up(board) {
            let before = self.meanwhile.map(|_| typed.untaken_bytes());
            match typed.next_line() {
                None => {
                    self.has_taken(before, typed.untaken_bytes());
                    break;
                }
                Some(Typed::End) => {
                    self.input_ended = true;
                    if self.face.terminal().is_some() {
                        self.end(Ending::Left, board);
                    }
                }
                Some(Typed::TooLong) => self.face.reply(&Reply::Refused(Refusal::LineTooLong)),
                Some(Typed::Line(line)) if self.face.is_json() => {
                    if let Err(refusal) = self.say(line, Asked::Shown, board) {
                        self.face.reply(&Reply::Refused(refusal));
                    }
                }
                Some(Typed::Line(line)) => {
                    let entered = self.piped(line);
                    self.carry_out(&entered, board);
                }
            }
            self.has_taken(before, typed.untaken_bytes());
        }
        self.typed = typed;
    }

    /// A line from a pipe, and whom it is for.
    fn piped(&self, line: &[u8]) -> Entered {
        let meanwhile = self.meanwhile.filter(|meanwhile| meanwhile.bytes > 0);
        let (run, last) =
            meanwhile.map_or((self.runs, self.here.last()), |meanwhile| (meanwhile.run, meanwhile.last));
        let whom = match self.aim {
            Aim::Last => last.map_or(Whom::Nobody, Whom::One),
            _ => self.aim.pin(&self.here).whom,
        };
        Entered { line: line.to_vec(), is_text: false, whom, named: None, last, run }
    }

    /// So much is to be taken of what was typed, where it was so much before.
    fn has_taken(&mut self, before: Option<usize>, now: usize) {
        let taken = before.map_or(0, |before| before.saturating_sub(now));
        self.meanwhile.take_if(|meanwhile| {
            meanwhile.bytes = meanwhile.bytes.saturating_sub(taken);
            meanwhile.bytes == 0
        });
    }

    /// Carries out a command, here or at the server.
    fn obey(
        &mut self,
        command: &Command<'_>,
        line: &[u8],
        meant: &Meant<'_>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        let asked_to_quit = std::mem::take(&mut self.asked_to_quit);
        match command {
            Command::Quit if line.trim_ascii() == b"exit" => {
                self.end(Ending::Left, board);
                return Ok(());
            }
            Command::Quit if !asked_to_quit && !self.wanted.watches => {
                self.asked_to_quit = true;
                let who = self.who_is_here(meant);
                let words =
                    format!("/quit again ends the server, for all: {who}; exit leaves this desk alone\n");
                self.face.reply(&Reply::Words(&words));
                return Ok(());
            }
            Command::Target(to) => return self.aim_at(to, meant),
            Command::Help(help) => {
                self.face.reply(&Reply::Help(*help));
                return Ok(());
            }
            Command::Filter(filter) => return self.filter(filter, meant),
            Command::View(whom, view) => {
                let serial = match whom.as_ref().map(|whom| meant.whom(whom)).transpose()? {
                    None => None,
                    Some(Whom::One(serial)) => Some(serial),
                    Some(_) => return Err(Refusal::OneOnly),
                };
                self.face.outlet.set_view(serial, *view);
                let who = serial.map(|serial| Who { serial, name: meant.here.name(serial) });
                self.face.reply(&Reply::Viewing(who, *view));
                return Ok(());
            }
            Command::NotYet(what) => return Err(Refusal::NotYet(what)),
            _ => {}
        }
        let said = meant.spell(command)?;
        let asked = match command {
            Command::Next => Asked::Next,
            Command::Send(..) | Command::File(..) => Asked::Sends(receivers(&said["to"])),
            _ => Asked::Shown,
        };
        self.say(said.to_string().as_bytes(), asked, board)
    }
}

/// Whether it ends this desk, and nothing else.
fn is_exit(entered: &Entered) -> bool {
    !entered.is_text && entered.line.trim_ascii() == b"exit"
}

/// Whom a command sends something to; nobody in particular is everybody.
fn receivers(to: &Value) -> Option<Vec<u64>> {
    match to {
        Value::Number(number) => number.as_u64().map(|serial| vec![serial]),
        Value::Array(all) => Some(all.iter().filter_map(Value::as_u64).collect()),
        _ => None,
    }
}
