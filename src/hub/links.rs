//! Links as the desks see them: who is linked to whom, so that neither waits for an answer, and what is told of that.
//! The bytes themselves are passed on by the engine.

use std::collections::HashMap;

use crate::board::Board;
use crate::buffer::framing::{Envelope, Frame};
use crate::conn::{ConnId, Outbound};
use crate::desk::{Author, Event, NoLink, Receivers, Refusal, Reply, To};
use crate::hub::desks::Desks;
use crate::hub::session::Session;

/// What is known of links.
#[derive(Debug)]
pub struct Links {
    /// Both ways.
    mates: HashMap<u64, ConnId>,
    /// The target's sides, and whom each was dialled for.
    clients: HashMap<u64, u64>,
    /// What stands around a message that is passed on.
    pub envelope: Envelope,
}

impl Default for Links {
    fn default() -> Links {
        Links { mates: HashMap::new(), clients: HashMap::new(), envelope: Envelope::Lf }
    }
}

impl Links {
    /// Notes that two are linked.
    pub fn join(&mut self, one: ConnId, other: ConnId) {
        self.mates.insert(one.serial(), other);
        self.mates.insert(other.serial(), one);
    }

    /// Notes that one is the target's side of another.
    pub fn join_target(&mut self, client: ConnId, target: ConnId) {
        self.join(client, target);
        self.clients.insert(target.serial(), client.serial());
    }

    /// Whether nobody is linked.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.mates.is_empty()
    }

    /// Whom one is linked to.
    pub fn mate(&self, serial: u64) -> Option<ConnId> {
        self.mates.get(&serial).copied()
    }

    /// Whose target's side it is.
    pub fn client_of(&self, serial: u64) -> Option<u64> {
        self.clients.get(&serial).copied()
    }

    /// Notes that one is linked no more. Returns whom it was linked to.
    pub fn part(&mut self, serial: u64) -> Option<ConnId> {
        let mate = self.mates.remove(&serial)?;
        self.mates.remove(&mate.serial());
        Some(mate)
    }

    /// A connection has ended.
    pub fn forget(&mut self, serial: u64) {
        self.part(serial);
        self.clients.remove(&serial);
    }
}

impl Desks {
    /// Links two.
    pub(super) fn link(
        &mut self,
        session: &Session,
        [one, other]: [To<'_>; 2],
        reference: Option<&str>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        let one = self.resolve_one(one, session, board)?;
        let other = self.resolve_one(other, session, board)?;
        let ids = [self.linkable(one, board)?, self.linkable(other, board)?];
        if one == other {
            return Err(Refusal::Link(NoLink::Itself(one)));
        }
        board.link(ids[0], ids[1]);
        self.links.join(ids[0], ids[1]);
        // Who answers them from now on is the other one.
        for id in ids {
            self.pending.remove(id);
        }
        let [one, other] = [self.names.who(one), self.names.who(other)];
        self.out.reply(session.id, reference, &Reply::Linked(one, other));
        self.out.tell_others(Some(session.id), &Event::Linked(one, other, session.id));
        Ok(())
    }

    /// The one with this number, if it may be linked.
    fn linkable(&self, serial: u64, board: &Board) -> Result<ConnId, Refusal> {
        let id = board.find(serial).ok_or(Refusal::Gone(serial))?;
        let view = board.view(id).filter(|view| view.is_open || view.is_connecting);
        let view = view.ok_or(Refusal::Gone(serial))?;
        let no = |why| Err(Refusal::Link(why));
        match self.links.mate(serial) {
            _ if view.outbound != Outbound::Open => no(NoLink::Finished(serial)),
            Some(mate) => no(NoLink::Linked(serial, mate.serial())),
            None if self.own.is_reached_by(serial) => no(NoLink::ToUs(serial)),
            None if self.files.go_to(serial) => no(NoLink::File(serial)),
            None => Ok(id),
        }
    }

    /// Takes one apart from whom it is linked to.
    pub(super) fn unlink(
        &mut self,
        session: &Session,
        whom: To<'_>,
        reference: Option<&str>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        let serial = self.resolve_one(whom, session, board)?;
        let id = board.find(serial).ok_or(Refusal::Gone(serial))?;
        let mate = self.links.part(serial).ok_or(Refusal::Link(NoLink::NotLinked(serial)))?;
        board.unlink(id);
        let [one, other] = [self.names.who(serial), self.names.who(mate.serial())];
        self.out.reply(session.id, reference, &Reply::Unlinked(one, other));
        self.out.tell_others(Some(session.id), &Event::Unlinked(one, other, session.id));
        Ok(())
    }

    /// Tells the programs that what one has said was passed on; people have read it once.
    #[inline(never)]
    pub(super) fn passed_on(&mut self, to: ConnId, frame: Frame<'_>, board: &Board) {
        if self.out.has_programs()
            && let Some(bytes) = self.passed_bytes(to, frame, board)
        {
            let to = Receivers::One(to.serial());
            self.out.tell_programs(&Event::Sent { by: Author::Link, to, bytes: &bytes });
        }
    }

    /// Tells the transcript alone of it.
    pub(super) fn passed_on_unseen(&mut self, to: ConnId, frame: Frame<'_>, board: &Board) {
        if let Some(bytes) = self.passed_bytes(to, frame, board) {
            let to = Receivers::One(to.serial());
            self.out.tell_unseen(&Event::Sent { by: Author::Link, to, bytes: &bytes });
        }
    }

    /// What was passed on to one who hears it.
    fn passed_bytes(&self, to: ConnId, frame: Frame<'_>, board: &Board) -> Option<Vec<u8>> {
        board.view(to).filter(|view| view.outbound == Outbound::Open)?;
        Some([&frame.head, frame.bytes, frame.behind(self.links.envelope)].concat())
    }
}
