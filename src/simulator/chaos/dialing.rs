//! What the chaos dials: at one address or at several, known at once, later or never, and given up at any time.

use std::collections::HashMap;

use super::any_role;
use crate::address::{Address, Endpoint};
use crate::board::Board;
use crate::conn::reason::Reason;
use crate::conn::{ConnId, Peer};
use crate::simulator::dice::Dice;
use crate::simulator::net::Net;

/// Those that were dialled, and neither opened nor closed.
#[derive(Debug, Default)]
pub(super) struct Dialed {
    here: Vec<ConnId>,
    /// By number: where each was to be tried. None, where it has not been told.
    given: HashMap<u64, Vec<Address>>,
    /// How many addresses were given out, so that no two are the same.
    addresses: u32,
}

impl Dialed {
    /// Begins one in one of the ways that there are.
    pub fn begin(&mut self, dice: &Dice, board: &mut Board) {
        let role = any_role(dice);
        if dice.one_in(2) {
            let to = self.address();
            let id = board.dial_as(role, None, to.clone());
            self.here.push(id);
            self.given.insert(id.serial(), vec![to]);
            return;
        }
        let id = board.dial_later(role, Peer::from(Endpoint::Host("name".into(), 1)));
        self.here.push(id);
        if dice.one_in(2) {
            self.tell_where_to(id, dice, board);
        }
    }

    /// Says of one where to, whether or not that was said before.
    pub fn tell_one_where_to(&mut self, dice: &Dice, board: &mut Board) {
        if let Some(id) = self.any(dice) {
            self.tell_where_to(id, dice, board);
        }
    }

    /// Ends one in one of the ways that there are; our FIN ends none.
    pub fn end_one(&mut self, dice: &Dice, board: &mut Board) {
        let Some(id) = self.any(dice) else { return };
        match dice.below(3) {
            0 => board.hang_up(id, Reason::WeReset),
            1 => board.close(id, Reason::Kicked(String::new())),
            _ => board.finish(id),
        }
    }

    /// It was opened, if it is one of these: at the address that was tried last, and none was left out before.
    pub fn has_opened(&mut self, id: ConnId, net: &Net, board: &Board) {
        let Some(at) = self.here.iter().position(|here| *here == id) else { return };
        self.here.remove(at);
        let (given, tried) = (self.given.remove(&id.serial()).unwrap_or_default(), tried(id, net));
        assert!(given.starts_with(&tried), "{id}: tried at {tried:?} of {given:?}");
        let peer = board.view(id).map(|view| view.peer.clone());
        assert_eq!(peer, tried.last().map(Peer::from), "{id}: where it was opened");
    }

    /// It was closed; returns whether it is one of these. Who cannot be connected was tried everywhere.
    pub fn came_to_nothing(&mut self, id: ConnId, why: &Reason, net: &Net) -> bool {
        let Some(at) = self.here.iter().position(|here| *here == id) else { return false };
        self.here.remove(at);
        let (given, tried) = (self.given.remove(&id.serial()).unwrap_or_default(), tried(id, net));
        match why {
            Reason::CannotConnect(_) => assert_eq!(given, tried, "{id}: {why}"),
            Reason::WeReset | Reason::Kicked(_) | Reason::Fault(_) => {
                assert!(given.starts_with(&tried), "{id}: tried at {tried:?} of {given:?}");
            }
            _ => panic!("{id} was never opened, and closed as {why}"),
        }
        true
    }

    fn any(&self, dice: &Dice) -> Option<ConnId> {
        let count = self.here.len();
        (count > 0).then(|| self.here[dice.below(count)])
    }

    /// Only the first time counts, and only until it is over.
    fn tell_where_to(&mut self, id: ConnId, dice: &Dice, board: &mut Board) {
        let addresses: Vec<Address> = (0..dice.below(5)).map(|_| self.address()).collect();
        let is_here = board.find(id.serial()).is_some();
        board.dial_to(id, addresses.clone());
        if is_here {
            self.given.entry(id.serial()).or_insert(addresses);
        }
    }

    fn address(&mut self) -> Address {
        self.addresses += 1;
        Address::Tcp((self.addresses.to_be_bytes(), 1).into())
    }
}

fn tried(id: ConnId, net: &Net) -> Vec<Address> {
    net.look().tried.get(&id.serial()).cloned().unwrap_or_default()
}
