//! One command carried out, whoever has spelt it, and answered once.

use std::borrow::Cow;
use std::rc::Rc;

use crate::board::Board;
use crate::buffer::framing::whole_chars;
use crate::conn::ConnId;
use crate::conn::policy::Role;
use crate::desk::{
    BadName, Command, DeskId, Event, Filter, Filtered, Kept, Namer, Outcome, Refusal, Reply, Request, Target,
    To, View, Waiting, check_name, is_glob,
};
use crate::hub::desks::Desks;
use crate::hub::history::{History, MESSAGES_MAX, TO_ALL};
use crate::hub::job::{Act, Several};
use crate::hub::names::Source;
use crate::hub::operators::Attendant;
use crate::hub::send::{Asked, of_known, of_list};
use crate::hub::session::{Aim, Session};
use crate::hub::target::Whom;
use crate::hub::turn::{Executed, Turn};
use crate::hub::who::Known;

/// How many messages `/show` shows where nothing is said.
const SHOWN: usize = 10;

impl Desks {
    /// Carries out a command, or begins to. What goes wrong is refused, and nothing was done then.
    pub(super) fn execute(
        &mut self,
        session: &mut Session,
        request: Request<'_>,
        line: &[u8],
        turn: &mut Turn,
        board: &mut Board,
    ) -> Result<Executed, Refusal> {
        let asked = Asked { line, reference: request.reference };
        let (desk, reference) = (session.id, request.reference);
        if !session.rights.allow(&request.command) {
            return Err(Refusal::NotAllowed);
        }
        turn.charge(&request.command, &session.aim, self.pending.len(), self.names.len(), board);
        match request.command {
            Command::Send(to, payload) => return self.send(session, to, &payload, asked, turn, board),
            Command::Close(to, how, reason) => return self.close(session, to, how, &reason, asked, board),
            Command::File(to, path) => return self.send_file(session, to, path, asked, board),
            Command::Target(to) => return self.set_target(session, to, asked, board),
            Command::Done(to) => return self.done(session, to, asked, board),
            Command::Filter(filter) => return self.filter(session, filter, asked, board),
            Command::Who(glob) => self.list(desk, glob.as_deref(), reference, board),
            Command::Pending => {
                self.keep_history();
                self.list_pending(desk, reference, board);
            }
            Command::Next => self.next(session, reference, board)?,
            Command::Show(whom, count) => {
                let serial = self.resolve_one(whom, session, board)?;
                self.show_last(desk, serial, count.unwrap_or(SHOWN), reference, board);
            }
            Command::Name(whom, name) => self.give_name(session, whom, name, reference, board)?,
            Command::Dial(address, name) => self.dial(desk, &address, name, reference, board)?,
            Command::Link(one, other) => self.link(session, [one, other], reference, board)?,
            Command::Unlink(whom) => self.unlink(session, whom, reference, board)?,
            Command::View(whom, view) => self.set_view(session, whom, view, reference, board)?,
            Command::Every(every) => self.repeat(session, every, asked, board)?,
            Command::Fault(whose, fault) => return self.fault(session, whose, fault, asked, board),
            Command::Learn => self.learn(session, reference)?,
            Command::Desk(says) => self.desk_says_of_itself(session, says, reference, board)?,
            Command::Typing(to) => self.typing(session, to, line, reference, board)?,
            Command::Stats => {
                let uptime = board.now().since(self.since);
                let conns = board.count(Role::PEER);
                let stats = &self.stats_of_peers(board);
                self.out.reply(desk, reference, &Reply::Stats { stats, conns, uptime });
            }
            Command::Help(help) => self.out.reply(desk, reference, &Reply::Help(help)),
            Command::Quit => self.stop(Some((desk, reference)), board),
            Command::NotYet(what) => return Err(Refusal::NotYet(what)),
        }
        Ok(Executed::Done)
    }

    fn set_target(
        &mut self,
        session: &mut Session,
        to: To<'_>,
        asked: Asked<'_>,
        board: &Board,
    ) -> Result<Executed, Refusal> {
        let (aim, target) = match to {
            To::All => (Aim::All, Target::All),
            To::Last | To::Current => (Aim::Last, Target::Last),
            To::Named(name) => match self.resolve(To::Named(name), asked.line, session, board)? {
                Whom::One(serial) => (Aim::Named(name.into()), Target::Named(name, self.names.who(serial))),
                _ => (Aim::Named(name.into()), Target::Glob(name)),
            },
            to => match self.resolve(to, asked.line, session, board)? {
                Whom::One(serial) if board.find(serial).is_none() => return Err(Refusal::Gone(serial)),
                Whom::One(serial) => (Aim::One(serial), Target::One(self.names.who(serial))),
                Whom::List(source) => return Ok(of_list(Act::Target, b"", asked, source)),
                Whom::All | Whom::Known(_) => (Aim::Last, Target::Last),
            },
        };
        session.aim = aim;
        self.out.reply(session.id, asked.reference, &Reply::TargetIs(target));
        Ok(Executed::Done)
    }

    fn done(
        &mut self,
        session: &mut Session,
        to: To<'_>,
        asked: Asked<'_>,
        board: &Board,
    ) -> Result<Executed, Refusal> {
        let act = Act::Done;
        let whom = match self.resolve(to, asked.line, session, board)? {
            Whom::One(serial) => {
                let id = board.find(serial).ok_or(Refusal::Gone(serial))?;
                self.out.reply(session.id, asked.reference, &Reply::Done(self.names.who(serial)));
                self.strike_off(session.id, id);
                return Ok(Executed::Done);
            }
            Whom::All => {
                let waiting = self.pending.all().into_iter().map(|(serial, _)| serial).collect();
                Rc::new(Several::of(waiting))
            }
            Whom::Known(whom) => whom,
            Whom::List(source) => return Ok(of_list(act, b"", asked, source)),
        };
        if whom.serials().is_empty() {
            return Err(Refusal::NobodyWaits);
        }
        Ok(of_known(act, b"", asked, whom))
    }

    /// The same for one of several.
    pub(super) fn strike_off_one_of_several(&mut self, by: DeskId, serial: u64, board: &Board) -> Outcome {
        let Some(id) = board.find(serial) else { return Outcome::Gone };
        self.strike_off(by, id);
        Outcome::Done(0)
    }

    /// Strikes one off the list of those who wait.
    pub(super) fn strike_off(&mut self, by: DeskId, id: ConnId) {
        if self.pending.remove(id) {
            self.is_struck_off(by, id.serial());
        }
    }

    /// One who had waited does so no more, by what this desk has done: all desks are told, and this one, which has its
    /// reply, at least counts them.
    pub(super) fn is_struck_off(&mut self, by: DeskId, serial: u64) {
        self.out.tell_others(Some(by), &Event::Done(self.names.who(serial), by));
        self.out.awaits_nothing(serial);
    }

    /// From the first time that somebody asks for them, the last messages are kept.
    pub(super) fn keep_history(&mut self) {
        self.history.get_or_insert_with(History::default);
    }

    fn list_pending(&mut self, desk: DeskId, reference: Option<&str>, board: &Board) {
        let known = Known {
            names: &self.names,
            pending: &self.pending,
            faults: &self.faults,
            links: &self.links,
            board,
        };
        let waiting = self.pending.all().into_iter().filter_map(|(serial, entry)| {
            let text = beginning(&entry.text);
            let is_cut = entry.is_cut || text.len() < entry.text.len();
            Some(Waiting { row: known.row_of(serial)?, text, is_cut })
        });
        let waiting: Vec<Waiting<'_>> = waiting.collect();
        self.out.reply(desk, reference, &Reply::Pending(&waiting));
    }

    fn next(&mut self, session: &mut Session, reference: Option<&str>, board: &Board) -> Result<(), Refusal> {
        self.keep_history();
        let serial = self.pending.next_for(session.id, board.now()).ok_or(Refusal::NobodyWaits)?;
        let Some(entry) = self.pending.get(serial) else { return Err(Refusal::NobodyWaits) };
        let whole = match &self.history {
            Some(history) if entry.is_cut => history.first_since(serial, entry.since),
            _ => None,
        };
        let is_cut = entry.is_cut && whole.is_none();
        let text = whole.as_deref().unwrap_or(&entry.text);
        let known = Known {
            names: &self.names,
            pending: &self.pending,
            faults: &self.faults,
            links: &self.links,
            board,
        };
        let row = known.row_of(serial).ok_or(Refusal::NobodyWaits)?;
        session.aim = Aim::One(serial);
        let waiting = Waiting { row, text, is_cut };
        self.out.reply(session.id, reference, &Reply::Next(&waiting));
        Ok(())
    }

    fn show_last(&mut self, desk: DeskId, serial: u64, count: usize, reference: Option<&str>, board: &Board) {
        self.keep_history();
        let past = match &self.history {
            Some(history) => {
                history.last(count.min(MESSAGES_MAX), |whose| whose == serial || whose == TO_ALL)
            }
            None => Vec::new(),
        };
        let now = board.now();
        let kept: Vec<Kept<'_>> = past
            .iter()
            .map(|past| Kept { age: now.since(past.at), is_ours: past.is_ours, bytes: &past.bytes })
            .collect();
        self.out.reply(desk, reference, &Reply::Shown(self.names.who(serial), &kept));
    }

    fn give_name(
        &mut self,
        session: &Session,
        whom: To<'_>,
        name: Option<Cow<'_, str>>,
        reference: Option<&str>,
        board: &Board,
    ) -> Result<(), Refusal> {
        let serial = self.resolve_one(whom, session, board)?;
        if board.find(serial).is_none() {
            return Err(Refusal::Gone(serial));
        }
        let changed = match name.as_deref() {
            None => self.names.remove(serial),
            Some(name) => {
                self.claim(name, serial)?;
                self.names.set(serial, name, Source::Given);
                true
            }
        };
        self.out.forget_label(serial);
        self.out.reply(session.id, reference, &Reply::Named(self.names.who(serial)));
        if changed {
            self.renamed(serial, Namer::Desk(session.id));
        }
        Ok(())
    }

    /// Makes sure that a name can be given: a peer that took it for itself loses it.
    fn claim(&mut self, name: &str, serial: u64) -> Result<(), Refusal> {
        check_name(name).map_err(|why: BadName| Refusal::BadName(shortened(name), why))?;
        match self.names.holder(name).filter(|holder| *holder != serial) {
            None => Ok(()),
            Some(_) if self.take_from_nick(name) => Ok(()),
            Some(holder) => Err(Refusal::NameTaken(name.to_owned(), Some(holder))),
        }
    }

    /// Takes a name from the peer that has chosen it for itself, if one has: an operator's choice comes first.
    pub(super) fn take_from_nick(&mut self, name: &str) -> bool {
        let Some(holder) = self.names.is_nick_of(name) else { return false };
        self.names.remove(holder);
        self.renamed(holder, Namer::Peer);
        true
    }

    fn filter(
        &mut self,
        session: &mut Session,
        filter: Filter<'_>,
        asked: Asked<'_>,
        board: &Board,
    ) -> Result<Executed, Refusal> {
        let (act, to) = match filter {
            Filter::Mute(to) => (Act::Mute, to),
            Filter::Focus(to) => (Act::Focus, to),
            Filter::All => {
                if let Some(outlet) = self.out.of(session.id) {
                    outlet.show_all();
                }
                self.out.reply(session.id, asked.reference, &Reply::Filtered(Filtered::All));
                return Ok(Executed::Done);
            }
        };
        match self.resolve(to, asked.line, session, board)? {
            Whom::One(serial) if board.find(serial).is_none() => return Err(Refusal::Gone(serial)),
            Whom::One(serial) => self.filter_these(session, act, &[serial], asked.reference),
            Whom::All => {
                let all: Vec<u64> = board.peers().map(|view| view.id.serial()).collect();
                self.filter_these(session, act, &all, asked.reference);
            }
            Whom::Known(whom) => self.filter_these(session, act, whom.serials(), asked.reference),
            Whom::List(source) => return Ok(of_list(act, b"", asked, source)),
        }
        Ok(Executed::Done)
    }

    /// Hides what these say, or shows it alone.
    pub(super) fn filter_these(
        &mut self,
        session: &Session,
        act: Act,
        serials: &[u64],
        reference: Option<&str>,
    ) {
        let Some(outlet) = self.out.of(session.id) else { return };
        let filtered = if act == Act::Mute {
            Filtered::Muted(outlet.mute(serials))
        } else {
            outlet.focus(serials);
            Filtered::Focused(serials.len())
        };
        self.out.reply(session.id, reference, &Reply::Filtered(filtered));
    }

    fn set_view(
        &mut self,
        session: &Session,
        whom: Option<To<'_>>,
        view: View,
        reference: Option<&str>,
        board: &Board,
    ) -> Result<(), Refusal> {
        let serial = whom.map(|whom| self.resolve_one(whom, session, board)).transpose()?;
        if let Some(gone) = serial.filter(|serial| board.find(*serial).is_none()) {
            return Err(Refusal::Gone(gone));
        }
        if let Some(outlet) = self.out.of(session.id) {
            outlet.set_view(serial, view);
        }
        let who = serial.map(|serial| self.names.who(serial));
        self.out.reply(session.id, reference, &Reply::Viewing(who, view));
        Ok(())
    }

    /// The rows of `/who`.
    fn list(&mut self, desk: DeskId, glob: Option<&str>, reference: Option<&str>, board: &Board) {
        // What a peer calls itself is no target, but it is looked for here.
        let meant = glob.map(|glob| match is_glob(glob) {
            true => self.names.called(glob),
            false => self.names.holder(glob).into_iter().collect(),
        });
        let known = Known {
            names: &self.names,
            pending: &self.pending,
            faults: &self.faults,
            links: &self.links,
            board,
        };
        let rows: Vec<_> = board
            .peers()
            .filter(|view| meant.as_ref().is_none_or(|meant| meant.binary_search(&view.id.serial()).is_ok()))
            // Of who has come and may yet turn out to be nobody nothing was told.
            .filter(|view| !view.is_connecting || self.dialled.contains(&view.id.serial()))
            .map(|view| known.row(&view))
            .collect();
        let desks: Vec<_> = self.operators.iter().map(Attendant::operator).collect();
        self.out.reply(desk, reference, &Reply::Conns(&rows, &desks));
    }
}

/// So much of a message is its beginning.
const BEGINNING_BYTES_MAX: usize = 256;

/// How a message begins: in a list it has one line.
fn beginning(text: &[u8]) -> &[u8] {
    let line = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
    &line[..whole_chars(&line[..line.len().min(BEGINNING_BYTES_MAX)])]
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}
