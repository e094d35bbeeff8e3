//! What few connections have, so that the others do not get larger for it.

use crate::clock::Moment;
use crate::conn::flow::Flow;
use crate::conn::{Conn, ConnId, Reading};

/// What few connections have. Once there, it stays until the connection goes.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// When the App wants to be told, by the clock.
    timer: Option<Moment>,
    /// Whom what it says is passed on to.
    pub link: Option<Link>,
    /// What is broken about it.
    pub flow: Option<Box<Flow>>,
}

/// One side of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The other side.
    pub mate: ConnId,
    /// It is not read, since the other side is not connected yet, or has much queued.
    pub is_held: bool,
    /// It has much queued, so the other side is not read.
    pub holds_mate: bool,
    /// What comes from the other side comes in pieces that are to stay apart.
    pub comes_apart: bool,
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

    /// Its side of a link.
    pub fn link(&self) -> Option<Link> {
        self.extras.as_ref()?.link
    }

    /// The same, to be changed.
    pub fn link_mut(&mut self) -> Option<&mut Link> {
        self.extras.as_mut()?.link.as_mut()
    }

    /// Links it, or does so no more.
    pub fn set_link(&mut self, link: Option<Link>) {
        if link.is_some() || self.extras.is_some() {
            self.extras.get_or_insert_default().link = link;
        }
    }

    /// What is broken about it.
    pub fn flow(&self) -> Option<&Flow> {
        self.extras.as_ref()?.flow.as_deref()
    }

    /// The same, to be changed.
    pub fn flow_mut(&mut self) -> Option<&mut Flow> {
        self.extras.as_mut()?.flow.as_deref_mut()
    }

    /// The same, if what it says is handed over now: not while it is paused, nor before what was kept then is, and not
    /// while the other side of its link has much queued.
    pub fn flow_mut_if_it_goes_on(&mut self) -> Option<&mut Flow> {
        let is_held = self.link().is_some_and(|link| link.is_held);
        let goes_on = (self.reading == Reading::Running && !is_held) || self.state.is_parting();
        self.flow_mut().filter(|_| goes_on)
    }

    /// Whether it is broken on purpose, or something is left of that.
    pub fn has_flow(&self) -> bool {
        self.flow().is_some()
    }

    /// Whether it is broken on purpose, or linked: what it says takes a way of its own. The limits on silence and
    /// slowness are not for these: they are slow by somebody's wish, or for want of what comes from elsewhere.
    pub fn has_detour(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.flow.is_some() || extras.link.is_some())
    }
}
