//! The descriptor limit of this process.

use rlimit::Resource;

/// Descriptors that are no connections: stdin, stdout and stderr twice, the poller, the waker, the
/// signals, the listeners; and one, at least, by which a newcomer can be told that it is full. Redis
/// keeps as many (`CONFIG_MIN_RESERVED_FDS`).
pub const RESERVED: usize = 32;

/// How many connections so many descriptors allow; at least one.
pub fn connections_of(descriptors: usize) -> usize {
    descriptors.saturating_sub(RESERVED).max(1)
}

/// Raises the soft limit as far as it goes; returns how many descriptors there may be now. That can be
/// a thousand million, so nothing should ever be allocated by it.
pub fn raise_limit() -> usize {
    // A sandbox may refuse to tell. Whatever it is then is found out when a descriptor is wanted.
    let Ok((soft, hard)) = Resource::NOFILE.get() else { return usize::MAX };
    // Where it cannot be raised, what it is counts.
    let limit = if Resource::NOFILE.set(hard, hard).is_ok() { hard } else { soft };
    usize::try_from(limit).unwrap_or(usize::MAX)
}
