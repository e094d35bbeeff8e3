//! A timer for an App that wants to be woken at a moment. Linux has one that is finer than the poller's.

#[cfg(all(target_os = "linux", not(switchboard_plain)))]
mod fine;
#[cfg(not(all(target_os = "linux", not(switchboard_plain))))]
mod plain;

#[cfg(all(target_os = "linux", not(switchboard_plain)))]
pub(crate) use fine::Timer;
#[cfg(not(all(target_os = "linux", not(switchboard_plain))))]
pub(crate) use plain::Timer;
