//! Sending back what comes in, as an echo of much does. Linux can do it without a copy into the process.

#[cfg(not(all(target_os = "linux", not(switchboard_plain))))]
mod plain;
#[cfg(all(target_os = "linux", not(switchboard_plain)))]
mod uncopied;

#[cfg(not(all(target_os = "linux", not(switchboard_plain))))]
pub(crate) use plain::Splice;
#[cfg(all(target_os = "linux", not(switchboard_plain)))]
pub(crate) use uncopied::Splice;
