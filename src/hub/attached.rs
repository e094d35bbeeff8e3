//! Desks that are attached: each is a connection of a role of its own, and a session whose face is JSON. None of them is a
//! peer, and nobody waits for one. What they are told is spelt once for all of them (`desk/relay.rs`); here it gets to
//! their connections, as far as they take it, and what they say becomes commands.
//!
//! How lines get from and to a connection, its `Carrier` knows.

use crate::board::Board;
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Policy, Role};
use crate::conn::reason::Reason;
use crate::desk::json::{Greeting, Present, ReplyFrame, Writer};
use crate::desk::{DeskId, Event, Refusal, Reply, Rights};
use crate::hub::carrier::{Carrier, Delivered};
use crate::hub::desks::Desks;
use crate::hub::operators::Attendant;
use crate::hub::session::Session;
use crate::hub::who::Known;
use crate::hub::{Hub, names};

/// Of those at the control socket.
pub const DESK: Role = Role::new(1);

/// Most desks that are attached at a time.
pub const DESKS_MAX: usize = 16;

/// A few more are let in for as long as it takes to tell them why they cannot stay.
const CONNS_MAX: usize = 2 * DESKS_MAX;

/// So much is queued for a desk at a time.
const QUEUED_BYTES_MAX: usize = 256 << 10;

/// Once it has said so much that was not looked at yet, it is not heard for a while.
const SAID_BYTES_MAX: usize = 256 << 10;

/// How the connections of attached desks are treated.
pub const POLICY: Policy = Policy {
    backpressure: Backpressure::None,
    hears_broadcasts: false,
    has_idle_limit: false,
    conns_max: Some(CONNS_MAX),
    has_number: false,
    looks_on: true,
    ..Policy::RAW
};

impl<M> Hub<M> {
    /// Somebody has connected to the control socket.
    pub(super) fn desk_opened(&mut self, id: ConnId, board: &mut Board) {
        let uid = board.view(id).and_then(|view| view.peer.credentials()).map(|credentials| credentials.uid);
        let own = rustix::process::geteuid().as_raw();
        // Where the system does not tell who it is, the mode of the socket has to do.
        let is_ours = uid.map_or(cfg!(not(target_os = "linux")), |uid| uid == own || uid == 0);
        let refusal = match self.refuses_desks() {
            _ if !is_ours => Refusal::NotAllowed,
            Some(refusal) => refusal,
            None => return self.attach_desk(Carrier::Lines(id), Rights::Full, board),
        };
        board.send(id, &refusal_line(refusal));
        board.close(id, Reason::Kicked(String::new()));
    }

    /// Why there may be no further desk, if that is so.
    pub(super) fn refuses_desks(&self) -> Option<Refusal> {
        let attached = self.sessions.iter().filter(|session| session.conn().is_some()).count();
        (attached >= DESKS_MAX).then_some(Refusal::TooManyDesks(DESKS_MAX))
    }

    /// There is one more desk from now on.
    pub(super) fn attach_desk(&mut self, carrier: Carrier, rights: Rights, board: &mut Board) {
        self.last_desk = DeskId(self.last_desk.0 + 1);
        let desk = self.last_desk;
        self.desks.greet_desk(desk, rights, board);
        self.desks.desk_came(Attendant { desk, name: None, rights });
        self.sessions.push(Session::attached(desk, carrier, rights));
        self.forward(board);
    }

    pub(super) fn at(&mut self, id: ConnId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.conn() == Some(id))
    }

    /// A desk has said something, cut anywhere.
    pub(super) fn desk_says(&mut self, id: ConnId, bytes: &[u8], board: &mut Board) {
        let Some(session) = self.at(id) else { return };
        session.carrier.take(bytes, &mut session.input, board);
        if session.input.waiting_bytes() > SAID_BYTES_MAX {
            board.pause(id);
        }
    }

    /// A desk will say nothing more. Half a line is no command; whole ones are still carried out.
    pub(super) fn desk_leaves(&mut self, id: ConnId, board: &mut Board) {
        match self.at(id) {
            Some(session) => session.is_leaving = true,
            None => board.finish(id),
        }
    }

    /// The connection of a desk has ended. What it had said is still carried out, and whatever it has begun goes on.
    pub(super) fn desk_closed(&mut self, id: ConnId, board: &mut Board) {
        self.desks.count_desk(id, board);
        let Some(session) = self.at(id) else { return };
        (session.carrier, session.is_leaving) = (Carrier::None, true);
        let desk = session.id;
        self.desks.desk_left(desk, board);
        board.call_again();
    }

    /// Hands each desk what there is for it, as far as it takes it; to be called when its commands were carried out.
    pub(super) fn forward(&mut self, board: &mut Board) {
        let room_bytes = QUEUED_BYTES_MAX.min(board.limits().outbox_bytes_max / 2);
        let Some(relay) = self.desks.out.relay() else { return };
        for session in &mut self.sessions {
            let Some(id) = session.conn() else { continue };
            let Some(view) = board.view(id) else { continue };
            if session.input.waiting_bytes() <= SAID_BYTES_MAX && view.is_paused {
                board.resume(id);
            }
            let Some(queued_bytes) = board.view(id).map(|view| view.queued_bytes) else { continue };
            let mut delivered = Delivered::Some;
            if queued_bytes <= room_bytes / 2 {
                delivered = session.carrier.deliver(session.id, relay, room_bytes - queued_bytes, board);
            }
            match delivered {
                // It would go on in the middle of a line.
                Delivered::Full => board.hang_up(id, Reason::QueueFull),
                Delivered::Some => board.tell_when_drained(id),
                Delivered::All if session.is_leaving && session.is_idle() => board.finish(id),
                Delivered::All => {}
            }
        }
        relay.end_turn();
    }

    /// Does what has come due for the desks by the end of a turn.
    pub(super) fn end_turn_of_desks(&mut self, board: &mut Board) {
        let is_over = |session: &Session| session.is_leaving && session.conn().is_none() && session.is_idle();
        self.sessions.retain(|session| !is_over(session));
        let is_ending = self.desks.is_stopping() || self.desks.is_draining();
        // They see the others leave, and are the last to go.
        if is_ending && !self.desks.said_bye && board.views().all(|view| !view.id.has_number()) {
            self.desks.said_bye = true;
            let seq = self.desks.out.seq() + 1;
            if let Some(relay) = self.desks.out.relay() {
                relay.event(&Event::Bye, seq, None);
            }
            let room_bytes = board.limits().outbox_bytes_max / 2;
            for session in &mut self.sessions {
                // As much as there is, since there will be no other time.
                if let Some(relay) = self.desks.out.relay() {
                    session.carrier.deliver(session.id, relay, room_bytes, board);
                }
                session.carrier.close(board);
            }
            self.visitors.close(board);
            // Whoever is still at its handshake would ask when nobody answers any more.
            let connecting = board.without_number().filter(|view| view.is_connecting);
            let connecting: Vec<ConnId> = connecting.map(|view| view.id).collect();
            connecting.into_iter().for_each(|id| board.hang_up(id, Reason::Stopping));
        }
    }
}

/// What somebody is told who cannot be at a desk.
pub(super) fn refusal_line(refusal: Refusal) -> Vec<u8> {
    let mut line = Vec::new();
    Writer::default().reply(&Reply::Refused(refusal), ReplyFrame::default(), &mut line);
    line
}

impl Desks {
    /// Tells a desk that comes later what run this is, who is here, and what was said.
    fn greet_desk(&mut self, desk: DeskId, rights: Rights, board: &Board) {
        let mode = self.mode();
        let Desks { out, names, pending, faults, links, dialled, operators, .. } = self;
        let seq = out.seq();
        let Some(relay) = out.relay() else { return };
        let known = Known { names, pending, faults, links, board };
        relay.attach(desk, |writer, line| {
            writer.hello(Greeting { desk, seq, rights, mode }, line);
            operators.iter().for_each(|other| writer.other_desk(other.operator(), line));
            for view in board.peers().filter(|view| !view.is_connecting) {
                let serial = view.id.serial();
                let (dialled, client) = (dialled.contains(&serial), links.client_of(serial));
                let who = names.who(serial);
                let opened = Event::Opened { who, peer: view.peer, dialled, client, via: view.via };
                let is_nick = names.source(serial) == Some(names::Source::Nick);
                writer.present(&Present { opened, row: known.row(&view), is_nick }, line);
            }
        });
    }
}
