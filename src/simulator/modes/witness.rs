//! What a mode is told, written down beside it, so that it can be compared with what it tells.

use std::collections::BTreeMap;

use super::desks::Attached;
use crate::app::App;
use crate::board::Board;
use crate::buffer::framing::Frame;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::Reason;
use crate::conn::{ConnId, Outbound};
use crate::simulator::audit;
use crate::simulator::net::Net;

/// Beside a mode, writes down what it is told.
pub(super) struct Witness<A> {
    pub app: A,
    pub net: Net,
    pub conns: BTreeMap<u64, Seen>,
    /// Desks that have attached, by the number of their socket.
    pub desks: BTreeMap<usize, Attached>,
    /// Frames in the order in which they were handed over.
    pub frames: Vec<(u64, Vec<u8>)>,
    /// A chat tells of everything that is seen here.
    pub relays: bool,
}

/// What was seen of a connection.
#[derive(Default)]
pub(super) struct Seen {
    pub sock: usize,
    has_left: bool,
    /// What a chat has to tell it of the others.
    pub told: Vec<u8>,
    pub closed: Option<(&'static str, usize)>,
}

impl<A> Witness<A> {
    fn tell_others(&mut self, who: ConnId, line: &[u8], board: &Board) {
        if !self.relays {
            return;
        }
        for view in board.views().filter(|view| view.is_open && view.outbound == Outbound::Open) {
            if view.id != who
                && let Some(seen) = self.conns.get_mut(&view.id.serial())
            {
                seen.told.extend_from_slice(line);
            }
        }
    }
}

impl<A: App> App for Witness<A> {
    type Message = A::Message;

    fn policy(&self, role: Role) -> Policy {
        self.app.policy(role)
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        let sock = self.net.look().number_of(id.key);
        if !id.has_number() {
            self.desks.insert(sock, Attached::now(&self.conns, self.frames.len()));
            return self.app.opened(id, board);
        }
        self.conns.insert(id.serial(), Seen { sock, ..Seen::default() });
        self.tell_others(id, format!("* {id} joined\n").as_bytes(), board);
        self.app.opened(id, board);
        if self.relays
            && let Some(seen) = self.conns.get_mut(&id.serial())
        {
            let here = match board.audience() {
                0 | 1 => "nobody else is here".to_owned(),
                2 => "1 other is here".to_owned(),
                all => format!("{} others are here", all - 1),
            };
            let welcome = format!("* you are {id}; {here}; /help lists the commands\n");
            seen.told.extend_from_slice(welcome.as_bytes());
        }
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        if !id.has_number() {
            return self.app.received(id, frame, board);
        }
        self.frames.push((id.serial(), frame.bytes.to_vec()));
        let line = [format!("<{id}> ").as_bytes(), frame.bytes, b"\n"].concat();
        self.tell_others(id, &line, board);
        self.app.received(id, frame, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        if !id.has_number() {
            return self.app.ended(id, board);
        }
        self.tell_others(id, format!("* {id} left\n").as_bytes(), board);
        self.conns.entry(id.serial()).or_default().has_left = true;
        self.app.ended(id, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let unsent = board.view(id).map_or(0, |view| view.queued_bytes);
        if !id.has_number() {
            let sock = self.net.look().number_of(id.key);
            let attached = self.desks.get_mut(&sock).expect("who is closed was opened");
            assert_eq!(attached.closed.replace((why.code(), unsent)), None, "a desk is closed once");
            return self.app.closed(id, why, board);
        }
        let seen = self.conns.entry(id.serial()).or_default();
        assert_eq!(seen.closed.replace((why.code(), unsent)), None, "{id} was closed once");
        audit::check_stall(id, why, &self.net.look(), seen.sock, board.limits());
        if !seen.has_left {
            self.tell_others(id, format!("* {id} left\n").as_bytes(), board);
        }
        self.app.closed(id, why, board);
    }

    fn message(&mut self, message: A::Message, board: &mut Board) {
        self.app.message(message, board);
    }

    fn drained(&mut self, id: ConnId, board: &mut Board) {
        self.app.drained(id, board);
    }

    fn turn_ended(&mut self, board: &mut Board) {
        self.app.turn_ended(board);
    }
}
