//! What few connections have, so that the others do not get larger for it.

use crate::clock::Moment;
use crate::conn::Conn;

/// What few connections have. Once there, it stays until the connection goes.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// When the App wants to be told, by the clock.
    pub timer: Option<Moment>,
}

impl Conn {
    /// When the App wants to be told, by the clock.
    pub fn timer(&self) -> Option<Moment> {
        self.extras.as_ref()?.timer
    }

    /// Sets that, or takes it back; returns what it was before.
    pub fn set_timer(&mut self, when: Option<Moment>) -> Option<Moment> {
        match (&mut self.extras, when) {
            (Some(extras), when) => std::mem::replace(&mut extras.timer, when),
            (none, Some(when)) => {
                none.get_or_insert_default().timer = Some(when);
                None
            }
            (None, None) => None,
        }
    }
}
