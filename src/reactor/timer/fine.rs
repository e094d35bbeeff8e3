//! A timer finer than the poller's, whose timeouts are whole milliseconds: a timerfd (Linux). It costs
//! nothing until an App asks for it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::clock::Moment;

/// Wakes the poller at a moment.
#[derive(Debug)]
pub(crate) struct Timer {
    timer: OwnedFd,
    set_for: Option<Moment>,
}

impl Timer {
    /// A timer that is announced under this token.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Timer> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Timer { timer, set_for: None })
    }

    /// Sets it for `when`, which has to lie after `now`. Setting it anew also clears what it had to
    /// announce, so it never has to be read. The poller may sleep for as long as it likes.
    pub fn set(&mut self, when: Moment, now: Moment) -> io::Result<Option<Duration>> {
        if self.set_for == Some(when) {
            return Ok(None);
        }
        let left = when.since(now);
        let once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let after = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos().max(1)),
        };
        timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: once, it_value: after },
        )?;
        self.set_for = Some(when);
        Ok(None)
    }
}
