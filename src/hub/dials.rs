//! Connections that we begin: once, because somebody asked for it, or again and again, to an address that is to be held.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use crate::address::{Address, Endpoint};
use crate::board::Board;
use crate::clock::Moment;
use crate::conn::policy::Role;
use crate::conn::reason::{Reason, in_words};
use crate::conn::{ConnId, Peer};
use crate::desk::{DeskId, Refusal, Reply, check_name};
use crate::hub::desks::Desks;
use crate::hub::names::Source;
use crate::hub::own;
use crate::reactor::resolver::resolve_in_background;
use crate::reactor::tls::setup::{read_system_authorities, system_authorities_are_read};
use crate::terminal::Mail;

/// An address that is to be held is dialled again so long after it was lost.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// An address that is to be held.
#[derive(Debug)]
pub struct Held {
    endpoint: Endpoint,
    /// The connection to it, if there is one, or is to be one.
    serial: Option<u64>,
    /// When to dial it next.
    next: Option<Moment>,
    /// What an operator has called the connection to it.
    name: Option<String>,
}

impl Desks {
    /// Holds a connection to this address: it is dialled now, and a second after each end.
    pub fn hold(&mut self, endpoint: Endpoint) {
        self.held.push(Held { endpoint, serial: None, next: Some(Moment::default()), name: None });
    }

    /// Dials once, as somebody has asked.
    pub(super) fn dial(
        &mut self,
        desk: DeskId,
        address: &str,
        name: Option<Cow<'_, str>>,
        reference: Option<&str>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        let bad = |why: String| Refusal::BadAddress(address.chars().take(80).collect(), why);
        let endpoint = Endpoint::parse(address).map_err(|error| bad(error.to_string()))?;
        let endpoint = if self.options.dials_over_tls { endpoint.over_tls() } else { endpoint };
        if let Some(name) = &name {
            check_name(name).map_err(|why| Refusal::BadName(name.chars().take(40).collect(), why))?;
            if let Some(holder) = self.names.find(name) {
                return Err(Refusal::NameTaken(name.to_string(), Some(holder)));
            }
        }
        let id = self.begin_dial(&endpoint, None, board).map_err(|error| bad(in_words(&error)))?;
        if let Some(name) = name {
            self.rename(id.serial(), &name);
        }
        let reply = Reply::Dialling(self.names.who(id.serial()), address);
        self.out.reply(desk, reference, &reply);
        Ok(())
    }

    fn rename(&mut self, serial: u64, name: &str) {
        let is_anothers = self.names.holder(name).is_some_and(|holder| holder != serial);
        if !is_anothers || self.take_from_nick(name) {
            self.names.set(serial, name, Source::Given);
        }
    }

    /// Dials the target for a newcomer, and links the two: while it is being dialled, the newcomer is not read. If it
    /// does not come about, the newcomer is closed for that.
    pub fn tap(&mut self, client: ConnId, target: &Endpoint, board: &mut Board) {
        if let Err(error) = self.begin_dial(target, Some(client), board) {
            board.close(client, Reason::Kicked(format!("cannot tap {target}: {}", in_words(&error))));
        }
    }

    /// `client`: the newcomer to which it is linked from the start.
    fn begin_dial(
        &mut self,
        endpoint: &Endpoint,
        client: Option<ConnId>,
        board: &mut Board,
    ) -> io::Result<ConnId> {
        let reads_authorities =
            endpoint.is_tls() && self.options.trusts_system && !system_authorities_are_read();
        let literal = endpoint.literal().filter(|_| !reads_authorities);
        match (literal, self.mailbox.clone()) {
            (Some(address), _) => {
                let id = board.dial(address.clone());
                self.dial_has_begun(id, client, board);
                if self.own.note(id, &[address]) && client.is_some() {
                    own::refuse(id, board);
                }
                Ok(id)
            }
            (None, Some(mailbox)) => {
                let id = board.dial_later(Role::PEER, Peer::from(endpoint.clone()));
                self.dial_has_begun(id, client, board);
                let found = resolve_in_background(endpoint.clone(), mailbox, move |found| {
                    if reads_authorities {
                        read_system_authorities();
                    }
                    Mail::Resolved(id, found)
                });
                if let Err(error) = found {
                    board.hang_up(id, Reason::CannotConnect(error));
                }
                Ok(id)
            }
            (None, None) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn dial_has_begun(&mut self, id: ConnId, client: Option<ConnId>, board: &mut Board) {
        self.dialled.insert(id.serial());
        if let Some(client) = client {
            self.links.join_target(client, id);
            board.link(client, id);
        }
    }

    /// The addresses of a name that was to be dialled.
    pub(super) fn resolved(&mut self, id: ConnId, found: io::Result<Vec<Address>>, board: &mut Board) {
        match found {
            Ok(addresses) if self.own.note(id, &addresses) && self.links.mate(id.serial()).is_some() => {
                own::refuse(id, board);
            }
            Ok(addresses) => board.dial_to(id, addresses),
            Err(error) => board.hang_up(id, Reason::CannotConnect(error)),
        }
    }

    /// A connection has ended. If it was one that is to be held, it is dialled again, and will be called as it was.
    pub(super) fn lost(&mut self, serial: u64, board: &mut Board) {
        if let Some(held) = self.held.iter_mut().find(|held| held.serial == Some(serial)) {
            held.serial = None;
            held.name = self.names.of(serial).map(str::to_owned);
            let next = board.now() + AGAIN_AFTER;
            held.next = Some(next);
            board.wake_at(next);
        }
    }

    /// Dials again what is to be held and is not.
    pub(super) fn redial(&mut self, board: &mut Board) {
        if self.held.is_empty() || self.is_stopping() || self.is_draining() {
            return;
        }
        let now = board.now();
        let mut held = std::mem::take(&mut self.held);
        for one in held.iter_mut() {
            if one.serial.is_none()
                && let Some(next) = one.next
            {
                if next > now {
                    board.wake_at(next);
                    continue;
                }
                match self.begin_dial(&one.endpoint, None, board) {
                    Ok(id) => {
                        one.serial = Some(id.serial());
                        one.next = None;
                        if let Some(name) = &one.name {
                            self.rename(id.serial(), name);
                        }
                    }
                    Err(_) => {
                        one.next = Some(now + AGAIN_AFTER);
                        board.wake_at(now + AGAIN_AFTER);
                    }
                }
            }
        }
        self.held = held;
    }
}
