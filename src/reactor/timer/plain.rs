//! Where the system has no finer timer: the poller's own timeout, to a whole millisecond.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

use crate::clock::Moment;

/// Nothing to keep.
#[derive(Debug)]
pub(crate) struct Timer;

impl Timer {
    /// See `fine`.
    pub fn new(_registry: &Registry, _token: Token) -> io::Result<Timer> {
        Ok(Timer)
    }

    /// How long the poller may sleep.
    pub fn set(&mut self, when: Moment, now: Moment) -> io::Result<Option<Duration>> {
        Ok(Some(when.since(now)))
    }
}
