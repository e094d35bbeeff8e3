//! Connections that we begin: to one address, or to several that are tried in turn under one id, and which need not be
//! known yet when it begins. Where else one may be tried is kept here and not in the connection, since few have that,
//! and not for long.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::IpAddr;

use crate::address::Address;
use crate::board::shared::Shared;
use crate::board::{Board, Running};
use crate::conn::policy::Role;
use crate::conn::reason::{Reason, is_of_the_way};
use crate::conn::state::{State, Step};
use crate::conn::{Conn, ConnId, Peer};

/// A connection to be begun.
#[derive(Debug)]
pub(crate) struct Dial {
    pub id: ConnId,
    /// The address of ours to begin it from; the system chooses where there is none.
    pub from: Option<IpAddr>,
    pub to: Address,
}

/// Those who have, or had, more than one address to be tried at, until they are connected or over.
#[derive(Debug, Default)]
pub(crate) struct Untried(BTreeMap<ConnId, Rest>);

#[derive(Debug)]
struct Rest {
    addresses: VecDeque<Address>,
    /// Why it is said to have failed, if all addresses do.
    told: Option<io::Error>,
}

impl Board {
    /// Begins a connection to an address. `App::opened` or `App::closed` will tell what became of it.
    pub fn dial(&mut self, to: Address) -> ConnId {
        self.dial_as(Role::PEER, None, to)
    }

    /// The same in a role, and from one of this machine's own addresses. One address has some 28,000 ports for
    /// connections to the same place (`net.ipv4.ip_local_port_range`).
    pub fn dial_as(&mut self, role: Role, from: Option<IpAddr>, to: Address) -> ConnId {
        let id = self.add(Peer::from(&to), role, State::connecting()).id;
        self.shared.work.dials.push(Dial { id, from, to });
        self.hang_up_if_stopping(id);
        id
    }

    /// The same before it is known where to: `dial_to` says that, and until then nothing is done but to wait, for
    /// `Limits::connect_max` at most. `peer` is what it is called meanwhile, mostly `Peer::from(endpoint)`. Whoever
    /// finds no address hangs up, with `Reason::CannotConnect` and what is wrong.
    pub fn dial_later(&mut self, role: Role, peer: Peer) -> ConnId {
        let id = self.add(peer, role, State::awaited()).id;
        self.hang_up_if_stopping(id);
        id
    }

    /// Says where one that was begun by `dial_later` is to be connected to. The addresses are tried in turn until one
    /// answers, and `View::peer` is the one that is tried. Each has `Limits::connect_max`, but those that are not the
    /// last only `Limits::try_next_after`. Where all fail, `App::closed` is told the first error that is not about the
    /// way there, such as a network that is unreachable, since the others are of addresses that this machine cannot
    /// use; if there is none, the last. Without any address it ends at once, as what cannot be connected.
    ///
    /// Nothing happens where it has ended, or was told before.
    pub fn dial_to(&mut self, id: ConnId, addresses: impl IntoIterator<Item = Address>) {
        let Board { table, shared, .. } = self;
        let Some(conn) = table.get_mut(id).filter(|conn| conn.state.awaits_address()) else { return };
        let mut addresses: VecDeque<Address> = addresses.into_iter().collect();
        let Some(first) = addresses.pop_front() else {
            let error = io::Error::new(ErrorKind::NotFound, "there is no address to connect to");
            return shared.step(conn, Step::HangUp(Reason::CannotConnect(error)));
        };
        let is_last = addresses.is_empty();
        if !is_last {
            shared.untried.0.insert(id, Rest { addresses, told: None });
        }
        shared.try_at(conn, first, is_last);
    }

    fn hang_up_if_stopping(&mut self, id: ConnId) {
        if matches!(self.running, Running::Stopping(_)) {
            self.hang_up(id, Reason::Stopping);
        }
    }
}

impl Shared {
    /// What was tried has failed: the next address is tried, or it is over.
    pub fn attempt_failed(&mut self, conn: &mut Conn, error: io::Error) {
        let Some(rest) = self.untried.0.get_mut(&conn.id) else {
            return self.step(conn, Step::HangUp(Reason::CannotConnect(error)));
        };
        let Some(next) = rest.addresses.pop_front() else {
            let error = rest.told.take().unwrap_or(error);
            return self.step(conn, Step::HangUp(Reason::CannotConnect(error)));
        };
        log::debug!("{}: cannot connect to {}: {error}; trying {next}", conn.id, conn.peer);
        if rest.told.is_none() && !is_of_the_way(&error) {
            rest.told = Some(error);
        }
        let is_last = rest.addresses.is_empty();
        self.try_at(conn, next, is_last);
    }

    /// Has it tried at this address, in this turn or the next.
    fn try_at(&mut self, conn: &mut Conn, to: Address, is_last: bool) {
        conn.peer = Peer::from(&to);
        self.work.dials.push(Dial { id: conn.id, from: None, to });
        self.step(conn, Step::Try { is_last });
    }
}

impl Untried {
    /// It is connected, or over.
    pub fn forget(&mut self, id: ConnId) {
        self.0.remove(&id);
    }

    /// Whose addresses these are, and how many are left.
    #[cfg(any(test, feature = "simulator"))]
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, usize)> {
        self.0.iter().map(|(id, rest)| (*id, rest.addresses.len()))
    }
}
