//! How much memory the buffers of all connections may take on this machine.

use std::fs;
use std::path::Path;

use rlimit::Resource;

/// The most that is ever taken, 4 GiB, however large the machine.
const MOST_BYTES: u64 = 4 << 30;

/// A quarter of the memory that this process may have, 4 GiB at most: what the machine has, what its
/// control group may have (cgroup v2, `memory.max`), what the process may (`ulimit -v`).
pub fn buffers_bytes_max() -> usize {
    let limits = [total(), control_group(), Resource::AS.get_soft().ok()];
    let least = limits.into_iter().flatten().min().unwrap_or(u64::MAX);
    usize::try_from((least / 4).min(MOST_BYTES)).unwrap_or(usize::MAX)
}

fn total() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The least that this process's control group, or one above it, may have.
fn control_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    // The line of version 2 has neither a number nor names.
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = Path::new("/sys/fs/cgroup").join(own);
    let limits =
        own.ancestors().take_while(|group| group.starts_with("/sys/fs/cgroup")).filter_map(|group| {
            // "max" where there is none.
            fs::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()
        });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_what_there_is_but_something() {
        let most = buffers_bytes_max() as u64;
        assert!(most > 1 << 20, "{most}");
        assert!(most <= MOST_BYTES && total().is_none_or(|total| most <= total / 4));
    }
}
