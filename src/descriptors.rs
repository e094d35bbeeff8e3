//! The descriptor limit of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no connections: stdin, stdout and stderr twice, the poller, the waker, the
/// signals, the listeners; and one, at least, by which a newcomer can be told that it is full. Redis
/// keeps as many (`CONFIG_MIN_RESERVED_FDS`).
pub const RESERVED: usize = 32;

/// Raises the soft limit as far as it goes; returns how many descriptors there may be now. That can be
/// a thousand million, so nothing should ever be allocated by it.
pub fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Where it cannot be raised, what it is counts.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if raised { maximum } else { current };
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
