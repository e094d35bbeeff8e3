//! Who is at the desks, as far as the others are told: when somebody comes, goes, or types.

use std::time::Duration;

use crate::board::Board;
use crate::board::stats::Stats;
use crate::conn::ConnId;
use crate::desk::json::Mode;
use crate::desk::{DeskId, DeskSays, Event, Operator, Receivers, Refusal, Reply, Rights, To, check_name};
use crate::hub::desks::Desks;
use crate::hub::options::Voice;
use crate::hub::outlets::FIRST_DESK;
use crate::hub::session::Session;
use crate::hub::target::Whom;
use crate::terminal;

/// That something is being typed to the same is told this often at most.
const TYPING_TOLD_EVERY: Duration = Duration::from_secs(1);

/// Somebody at a desk.
#[derive(Debug)]
pub struct Attendant {
    pub desk: DeskId,
    pub name: Option<String>,
    pub rights: Rights,
}

impl Attendant {
    /// As the others are told.
    pub fn operator(&self) -> Operator<'_> {
        Operator { desk: self.desk, name: self.name.as_deref(), watches: self.rights == Rights::Looks }
    }
}

impl Desks {
    /// What is served, as far as a desk goes by it.
    pub(super) fn mode(&self) -> Mode {
        match (self.options.voice, self.options.tracks_pending) {
            (Voice::Participant, _) => Mode::Chat,
            (Voice::Mute, _) => Mode::Echo,
            (Voice::Plain, true) => Mode::Console,
            (Voice::Plain, false) => Mode::Tap,
        }
    }

    /// Lets desks be attached.
    pub fn open_to_desks(&mut self) {
        self.out.open_relay(self.options.low_water_bytes);
        self.keep_history();
        self.operators.push(Attendant { desk: FIRST_DESK, name: None, rights: Rights::Full });
    }

    /// Whether somebody is there who may still answer.
    pub(super) fn is_attended(&self) -> bool {
        let may_send = |one: &Attendant| one.desk != FIRST_DESK && one.rights.may_send();
        self.stdin_is_open || self.operators.iter().any(may_send)
    }

    /// Somebody is at one more desk.
    pub(super) fn desk_came(&mut self, attendant: Attendant) {
        self.out.tell_desks(attendant.desk, &Event::Desk(attendant.operator()));
        self.operators.push(attendant);
    }

    /// Nobody is at a desk any more.
    pub(super) fn desk_left(&mut self, desk: DeskId, board: &mut Board) {
        if let Some(relay) = self.out.relay() {
            relay.detach(desk);
        }
        let Some(at) = self.operators.iter().position(|one| one.desk == desk) else { return };
        let gone = self.operators.remove(at);
        self.out.tell_desks(desk, &Event::DeskLeft(gone.operator()));
        if !self.is_attended() {
            self.finish_those_who_wait(board);
        }
    }

    /// Somebody says who is at this desk, and what for. Rights are given up and never taken.
    pub(super) fn desk_says_of_itself(
        &mut self,
        session: &mut Session,
        says: DeskSays<'_>,
        reference: Option<&str>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        let name = says.name.as_deref();
        if let Some(name) = name {
            let shortened = || name.chars().take(40).collect();
            check_name(name).map_err(|why| Refusal::BadName(shortened(), why))?;
        }
        if says.watches {
            session.rights = Rights::Looks;
        }
        let rights = session.rights;
        if let (Some(columns), Some(relay)) = (says.words, self.out.relay()) {
            relay.use_words(session.id, columns);
        }
        let mut changed = false;
        if let Some(one) = self.operators.iter_mut().find(|one| one.desk == session.id) {
            let before = (one.name.clone(), one.rights);
            one.name = name.map(str::to_owned).or(one.name.take());
            one.rights = rights;
            changed = before != (one.name.clone(), one.rights);
        }
        let name = self.operators.iter().find(|one| one.desk == session.id);
        let name = name.and_then(|one| one.name.clone());
        let operator = Operator { desk: session.id, name: name.as_deref(), watches: rights == Rights::Looks };
        self.out.reply(session.id, reference, &Reply::DeskIs(operator));
        if changed {
            self.out.tell_desks(session.id, &Event::Desk(operator));
        }
        if !self.is_attended() {
            self.finish_those_who_wait(board);
        }
        Ok(())
    }

    /// Something is being typed at a desk, for these; for nobody any more.
    pub(super) fn typing(
        &mut self,
        session: &mut Session,
        to: Option<To<'_>>,
        line: &[u8],
        reference: Option<&str>,
        board: &Board,
    ) -> Result<(), Refusal> {
        let whom = to.map(|to| self.resolve(to, line, session, board)).transpose()?;
        let serials = whom.map(|whom| match whom {
            Whom::One(serial) => Ok(Some(vec![serial])),
            Whom::Known(several) => Ok(Some(several.serials().to_vec())),
            Whom::List(source) => crate::hub::job::read_at_once(source, line, &self.names, board).map(Some),
            Whom::All => Ok(None),
        });
        let serials = serials.transpose()?;
        let one = self.operators.iter().find(|one| one.desk == session.id);
        let nameless = Operator { desk: session.id, name: None, watches: false };
        self.out.reply(session.id, reference, &Reply::DeskIs(one.map_or(nameless, Attendant::operator)));
        self.types(session, serials.as_ref().map(Option::as_deref), board);
        Ok(())
    }

    /// The same on this process's own terminal.
    pub(super) fn typed_to(&mut self, session: &mut Session, whom: Option<terminal::Whom>, board: &Board) {
        match whom {
            Some(terminal::Whom::One(serial)) => self.types(session, Some(Some(&[serial])), board),
            Some(terminal::Whom::Several(serials)) => self.types(session, Some(Some(&serials)), board),
            Some(terminal::Whom::All) => self.types(session, Some(None), board),
            Some(terminal::Whom::Nobody) | None => self.types(session, None, board),
        }
    }

    /// Tells the others to whom something is being typed; `None` within is everybody, and nobody without.
    fn types(&mut self, session: &mut Session, to: Option<Option<&[u64]>>, board: &Board) {
        // No connection has the number 0.
        let now = to.map(|to| to.map_or(vec![0], <[u64]>::to_vec));
        let before = session.typing.as_ref();
        let is_news = match (&now, before) {
            (Some(now), Some((whom, at))) => now != whom || board.now().since(*at) >= TYPING_TOLD_EVERY,
            (now, before) => now.is_some() || before.is_some(),
        };
        if !is_news {
            return;
        }
        session.typing = now.map(|now| (now, board.now()));
        let receivers = to.map(|to| to.map_or(Receivers::All, Receivers::Several));
        let one = self.operators.iter().find(|one| one.desk == session.id);
        let name = one.and_then(|one| one.name.clone());
        let operator = Operator { desk: session.id, name: name.as_deref(), watches: false };
        self.out.tell_desks(session.id, &Event::Typing(operator, receivers));
    }

    /// What a desk's connection has brought is no peer's: it is left out of what is told of them.
    pub(super) fn count_desk(&mut self, id: ConnId, board: &Board) {
        let Some(view) = board.view(id) else { return };
        self.of_desks.opened += 1;
        self.of_desks.closed += 1;
        self.of_desks.received_bytes += view.received_bytes;
        self.of_desks.sent_bytes += view.sent_bytes;
        self.of_desks.unsent_bytes += view.queued_bytes as u64;
    }

    /// The counters, as far as they are about peers.
    pub(super) fn stats_of_peers(&self, board: &Board) -> Stats {
        let (mut stats, mut of_desks) = (*board.stats(), self.of_desks);
        for view in board.without_number() {
            of_desks.opened += 1;
            of_desks.received_bytes += view.received_bytes;
            of_desks.sent_bytes += view.sent_bytes;
        }
        stats.opened -= of_desks.opened;
        // The one that is being swept is counted in its turn.
        stats.closed = stats.closed.saturating_sub(of_desks.closed);
        stats.received_bytes -= of_desks.received_bytes;
        stats.delivered_bytes = stats.delivered_bytes.saturating_sub(of_desks.received_bytes);
        stats.sent_bytes -= of_desks.sent_bytes;
        stats.unsent_bytes = stats.unsent_bytes.saturating_sub(of_desks.unsent_bytes);
        stats.frames -= of_desks.frames;
        stats
    }
}
