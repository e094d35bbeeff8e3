//! Whom Enter reaches. The current target is what replies have said; it becomes numbers when a line is begun, and stays
//! so until it is entered or empty again, whoever speaks meanwhile.

use super::roster::Roster;
use crate::terminal::Whom;

/// The current target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// This connection.
    One(u64),
    /// These.
    Several(Vec<u64>),
    /// Everybody.
    All,
    /// Whoever spoke last.
    Last,
    /// Whoever has this name, or one that fits.
    Named(String),
}

/// A target in numbers, and what the prompt calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// In numbers.
    pub whom: Whom,
    /// In words.
    pub label: String,
}

/// So many are named by the prompt; of more it says how many they are.
const NAMED_MAX: usize = 3;

impl Aim {
    /// Whom it reaches now.
    pub fn pin(&self, roster: &Roster) -> Pin {
        let nobody = |label: &str| Pin { whom: Whom::Nobody, label: label.to_owned() };
        match self {
            Aim::All => Pin { whom: Whom::All, label: "everybody".into() },
            Aim::One(serial) => one(*serial, roster),
            Aim::Last => roster.last().map_or_else(|| nobody("(nobody)"), |serial| one(serial, roster)),
            Aim::Several(serials) => several(serials.clone(), None, roster),
            Aim::Named(name) if !crate::desk::is_glob(name) => match roster.find(name) {
                Some(serial) => one(serial, roster),
                None => nobody(&format!("({name}: nobody)")),
            },
            Aim::Named(glob) => match roster.fitting(glob) {
                none if none.is_empty() => nobody(&format!("({glob}: nobody)")),
                serials => several(serials, Some(glob), roster),
            },
        }
    }
}

impl Pin {
    /// Whether nobody whom it was to reach is here any more.
    pub fn has_left(&self, roster: &Roster) -> bool {
        match &self.whom {
            Whom::One(serial) => !roster.has(*serial),
            Whom::Several(serials) => !serials.iter().any(|serial| roster.has(*serial)),
            Whom::All | Whom::Nobody => false,
        }
    }

    /// What the prompt says.
    pub fn prompt(&self, roster: &Roster) -> String {
        let Pin { label, .. } = self;
        match (self.has_left(roster), &self.whom) {
            (false, _) => format!("{label}> "),
            (true, Whom::One(_)) => format!("{label} has left> "),
            (true, _) => format!("{label}: all have left> "),
        }
    }
}

fn one(serial: u64, roster: &Roster) -> Pin {
    Pin { whom: Whom::One(serial), label: called(serial, roster) }
}

fn several(serials: Vec<u64>, glob: Option<&str>, roster: &Roster) -> Pin {
    let label = match (glob, serials.len()) {
        (Some(glob), count) => format!("{glob} ({count})"),
        (None, count) if count > NAMED_MAX => format!("{count} connections"),
        _ => serials.iter().map(|serial| called(*serial, roster)).collect::<Vec<_>>().join(", "),
    };
    Pin { whom: Whom::Several(serials), label }
}

/// Never by the name alone.
fn called(serial: u64, roster: &Roster) -> String {
    match roster.name(serial) {
        Some(name) => format!("#{serial} {name}"),
        None => format!("#{serial}"),
    }
}
