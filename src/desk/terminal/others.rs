//! Other desks, as far as they show here: to whom something is being typed there; and what they are told of this one.

use std::collections::BTreeMap;

use super::{Aim, Pin, TerminalDesk};
use crate::desk::command::{Command, To};
use crate::desk::event::{DeskId, Event, Namer, Receivers};
use crate::desk::json::Mode;
use crate::desk::text::{self, DeskNames};
use crate::terminal::{Act, Mail, Whom};

/// What is known of other desks.
#[derive(Debug)]
pub struct Others {
    /// Which desk this is.
    own: DeskId,
    /// Which run of the server it is attached to, counted from 1.
    run: u32,
    /// They want to know to whom something is being typed here.
    listen: bool,
    /// What they were told.
    told: Option<Whom>,
    names: DeskNames,
    /// To whom something is being typed, where.
    typing: BTreeMap<DeskId, String>,
}

impl Others {
    /// None are known yet; `listen`: there may be some.
    pub fn new(listen: bool) -> Others {
        let (names, typing) = (DeskNames::default(), BTreeMap::new());
        Others { own: DeskId(1), run: 0, listen, told: None, names, typing }
    }

    /// Which desk this is.
    pub fn set_own(&mut self, desk: DeskId) {
        self.own = desk;
        self.told = None;
        self.typing.clear();
    }

    /// Which run of the server it is attached to; 0, where it was attached to none.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Whether something was done here.
    pub fn is_own(&self, desk: DeskId) -> bool {
        desk == self.own
    }

    /// To whom somebody is typing elsewhere, in words.
    pub fn typing(&self) -> Option<String> {
        let (desk, to) = self.typing.first_key_value()?;
        Some(match self.typing.len() {
            1 => format!("{} types to {to}", self.names.called(*desk)),
            count => format!("{count} desks type"),
        })
    }

    /// Keeps what an event says of other desks.
    pub fn note(&mut self, event: &Event<'_>) {
        self.names.note(event);
        match event {
            Event::Typing(operator, Some(to)) => {
                self.typing.insert(operator.desk, in_words(*to));
            }
            Event::Typing(operator, None) | Event::DeskLeft(operator) => {
                self.typing.remove(&operator.desk);
            }
            _ => {}
        }
    }
}

impl TerminalDesk {
    /// Which desk this is, where it is not the server's own.
    pub fn is_desk(&mut self, desk: DeskId) {
        self.others.set_own(desk);
        self.is_stale = true;
    }

    /// It is attached to a server, or to one again; who is here is told next. `is_same`: that is the run that it was
    /// attached to before; of another one, the numbers are of others.
    pub fn begin_anew(&mut self, desk: DeskId, mode: Mode, is_same: bool) {
        self.is_desk(desk);
        self.tracks_pending = mode == Mode::Console;
        let before = std::mem::take(&mut self.roster);
        if is_same {
            self.roster.follows(&before);
            return;
        }
        self.others.run += 1;
        self.aim = if mode == Mode::Chat { Aim::All } else { Aim::Last };
        self.stays = None;
        self.shown_named = None;
        // A line that was begun is for nobody any more; it stays where it is.
        let nobody = Pin { whom: Whom::Nobody, label: "(nobody)".to_owned() };
        self.pin = self.pin.take().map(|_| nobody.clone());
        self.shown = nobody;
    }

    /// Somebody was here before.
    pub fn is_here(&mut self, serial: u64, name: Option<&str>, is_nick: bool, waits: bool) {
        self.roster.opened(serial, name);
        self.roster.named(serial, name, is_nick);
        self.roster.waits(serial, waits && self.tracks_pending);
        self.is_stale = true;
    }

    /// Keeps what an event says of who is here, and shows nothing: it was done at this desk, and is answered there.
    pub fn knows(&mut self, event: &Event<'_>) {
        self.is_stale = true;
        match event {
            Event::Named(who, by) => {
                self.renderer.forget_label(who.serial);
                self.roster.named(who.serial, who.name, *by == Namer::Peer);
            }
            Event::Done(who, _) => self.roster.answered(who.serial),
            Event::Desk(_) => {
                self.others.note(event);
                self.renderer.event(event, &mut Vec::new());
            }
            Event::Linked(one, other, _) => self.roster.linked([one.serial, other.serial], true),
            Event::Unlinked(one, other, _) => self.roster.linked([one.serial, other.serial], false),
            _ => {}
        }
    }

    /// This is the current target from now on.
    pub fn aims_at(&mut self, serial: u64) {
        self.aim = Aim::One(serial);
        self.stays = None;
        self.is_stale = true;
    }

    /// Something was sent from here; to all, where it is to nobody in particular.
    pub fn has_sent(&mut self, serials: Option<&[u64]>) {
        match serials {
            Some(serials) => serials.iter().for_each(|serial| self.roster.answered(*serial)),
            None => self.roster.all_answered(|_| false),
        }
        self.is_stale = true;
    }

    /// Tells the other desks to whom something is being typed here, if that has changed.
    pub(super) fn tell_typing(&mut self, acts: &mut Vec<Act<Mail>>) {
        if !self.others.listen {
            return;
        }
        let whom = self.typed_to();
        if whom != self.others.told {
            self.others.told.clone_from(&whom);
            acts.push(Act::Post(Mail::Typing(whom)));
        }
    }

    /// Whom Enter would send something to.
    fn typed_to(&self) -> Option<Whom> {
        let line = self.editor.line();
        if self.editor.is_empty() || self.editor.is_searching() || line.starts_with('/') {
            return None;
        }
        let is_text = matches!(text::parse(line.as_bytes()), Ok(Command::Send(To::Current, _)));
        let whom = if is_text { self.prompted().whom } else { self.addressed()?.whom };
        (whom != Whom::Nobody).then_some(whom)
    }
}

fn in_words(to: Receivers<'_>) -> String {
    match to {
        Receivers::All => "everybody".to_owned(),
        Receivers::One(serial) => format!("#{serial}"),
        Receivers::Several([only]) => format!("#{only}"),
        Receivers::Several(serials) => format!("{} connections", serials.len()),
    }
}
