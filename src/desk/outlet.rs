//! One desk's way out in this process: its display, and what of all there is the operator has chosen to see there.

use std::collections::{HashMap, HashSet};

use super::command::View;
use super::display::Display;
use super::event::{DeskId, Event, Receivers};

/// One desk's way out: what is shown there, and how.
#[derive(Debug)]
pub struct Outlet {
    /// Whose it is; nobody's, if it is the transcript.
    pub desk: Option<DeskId>,
    /// What shows it.
    pub display: Display,
    /// How messages are shown where nothing else is said.
    pub view: View,
    /// What an operator has chosen to see; mostly that is everything, which takes one look.
    choice: Option<Box<Choice>>,
    /// Events that it was not told.
    pub skipped: u64,
}

/// What a desk shows of whom.
#[derive(Debug, Default)]
struct Choice {
    /// Whose messages are hidden.
    muted: HashSet<u64>,
    /// Whose messages alone are shown.
    focus: Option<HashSet<u64>>,
    /// How those of some are shown.
    views: HashMap<u64, View>,
}

impl Outlet {
    /// The way out of a desk, which shows all.
    pub fn new(desk: Option<DeskId>, display: Display, view: View) -> Outlet {
        Outlet { desk, display, view, choice: None, skipped: 0 }
    }

    /// How messages of this one are shown, if they are.
    #[inline]
    pub fn view_of(&self, serial: u64) -> Option<View> {
        match &self.choice {
            None => Some(self.view),
            Some(choice) => choice.view_of(serial, self.view),
        }
    }

    /// How what was sent is shown: as what that one says is, or as all is.
    pub fn view_of_sent(&self, event: &Event<'_>) -> View {
        match event {
            Event::Sent { to: Receivers::One(serial), .. } => self.view_of(*serial).unwrap_or(self.view),
            _ => self.view,
        }
    }

    /// Whether it is not told of what has been done at that desk, and counts it. Of peers nothing is missed, since they
    /// wait; another desk does not, and would make any queue long.
    #[inline]
    pub fn misses_of(&mut self, other: Option<DeskId>) -> bool {
        let misses = other.is_some() && other != self.desk && self.desk.is_some() && self.display.is_full();
        self.skipped += u64::from(misses);
        misses
    }

    /// A connection has gone.
    pub fn forget(&mut self, serial: u64) {
        if let Some(choice) = &mut self.choice {
            choice.muted.remove(&serial);
            choice.views.remove(&serial);
        }
    }

    /// Hides what these say, too. Returns how many are hidden.
    pub fn mute(&mut self, serials: &[u64]) -> usize {
        let choice = self.choice.get_or_insert_default();
        choice.muted.extend(serials);
        self.display.hide(|serial| choice.muted.contains(&serial));
        choice.muted.len()
    }

    /// Shows only what these say.
    pub fn focus(&mut self, serials: &[u64]) {
        let choice = self.choice.get_or_insert_default();
        let focus: HashSet<u64> = serials.iter().copied().collect();
        choice.muted.retain(|serial| !focus.contains(serial));
        self.display.hide(|serial| !focus.contains(&serial));
        choice.focus = Some(focus);
    }

    /// Shows what everybody says.
    pub fn show_all(&mut self) {
        if let Some(choice) = &mut self.choice {
            choice.muted.clear();
            choice.focus = None;
        }
        self.choice.take_if(|choice| choice.views.is_empty());
    }

    /// Shows the messages of one, or of all, in this way.
    pub fn set_view(&mut self, serial: Option<u64>, view: View) {
        match serial {
            Some(serial) => drop(self.choice.get_or_insert_default().views.insert(serial, view)),
            None => {
                self.view = view;
                if let Some(choice) = &mut self.choice {
                    choice.views.clear();
                }
            }
        }
    }
}

impl Choice {
    /// How messages of this one are shown, if they are. Kept out of the way of those who have chosen nothing.
    #[inline(never)]
    fn view_of(&self, serial: u64, otherwise: View) -> Option<View> {
        let is_shown =
            !self.muted.contains(&serial) && self.focus.as_ref().is_none_or(|focus| focus.contains(&serial));
        is_shown.then(|| self.views.get(&serial).copied().unwrap_or(otherwise))
    }
}
