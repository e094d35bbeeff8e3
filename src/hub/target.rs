//! Whom a command is about: what was spelt, made into numbers, once for each command. One member of a list that is
//! nobody refuses the whole list.

use std::rc::Rc;

use crate::board::Board;
use crate::desk::{Refusal, To, is_glob};
use crate::hub::desks::Desks;
use crate::hub::job::{Several, Source};
use crate::hub::session::{Aim, Pinned, Session};
use crate::terminal;

/// Those who are meant.
#[derive(Debug)]
pub enum Whom {
    /// This connection, which was here at some time.
    One(u64),
    /// Everybody.
    All,
    /// These.
    Known(Rc<Several>),
    /// A list that has to be read first.
    List(Source),
}

impl Desks {
    /// Finds out who is meant. `line` is what a typed list is borrowed from.
    pub(super) fn resolve(
        &self,
        to: To<'_>,
        line: &[u8],
        session: &Session,
        board: &Board,
    ) -> Result<Whom, Refusal> {
        match (&to, &session.pinned) {
            (To::Current, Some(pinned)) => return of_pinned(&pinned.whom, board),
            (To::Named(_) | To::Last, Some(Pinned { named: Some(named), .. })) => {
                return of_pinned(named, board);
            }
            (To::Last, Some(pinned)) => return pinned.last.map(Whom::One).ok_or(Refusal::NoTarget),
            _ => {}
        }
        match to {
            To::Current => match &session.aim {
                Aim::One(serial) => known(*serial, board),
                Aim::Several(several) => Ok(Whom::Known(several.clone())),
                Aim::All => Ok(Whom::All),
                Aim::Last => self.last(),
                Aim::Named(name) => self.named(name),
            },
            To::Last if session.is_json => Err(Refusal::LastIsARace),
            To::Last => self.last(),
            To::All => Ok(Whom::All),
            To::One(serial) => known(serial, board),
            To::Named(name) => self.named(name),
            To::Typed(list) => Ok(Whom::List(Source::typed(list, line))),
            To::Listed(members) => Ok(Whom::List(Source::listed(members))),
        }
    }

    /// The one connection that is meant, for what cannot be done to several.
    pub(super) fn resolve_one(&self, to: To<'_>, session: &Session, board: &Board) -> Result<u64, Refusal> {
        match self.resolve(to, b"", session, board)? {
            Whom::One(serial) => Ok(serial),
            Whom::Known(several) => match several.serials() {
                [only] => Ok(*only),
                _ => Err(Refusal::OneOnly),
            },
            Whom::All | Whom::List(_) => Err(Refusal::OneOnly),
        }
    }

    fn last(&self) -> Result<Whom, Refusal> {
        self.spoke_last.map(|id| Whom::One(id.serial())).ok_or(Refusal::NoTarget)
    }

    fn named(&self, name: &str) -> Result<Whom, Refusal> {
        let nobody = || Refusal::NobodyNamed(name.to_owned());
        if !is_glob(name) {
            return self.names.find(name).map(Whom::One).ok_or_else(nobody);
        }
        let serials = self.names.fitting(name);
        if serials.is_empty() { Err(nobody()) } else { Ok(Whom::Known(Rc::new(Several::of(serials)))) }
    }
}

/// What the prompt has shown is what is reached.
fn of_pinned(whom: &terminal::Whom, board: &Board) -> Result<Whom, Refusal> {
    match whom {
        terminal::Whom::Nobody => Err(Refusal::NoTarget),
        terminal::Whom::One(serial) => known(*serial, board),
        terminal::Whom::Several(serials) => Ok(Whom::Known(Rc::new(Several::of(serials.clone())))),
        terminal::Whom::All => Ok(Whom::All),
    }
}

fn known(serial: u64, board: &Board) -> Result<Whom, Refusal> {
    if board.has_seen(serial) { Ok(Whom::One(serial)) } else { Err(Refusal::NoSuch(serial)) }
}
