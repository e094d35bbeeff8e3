//! Sockets that whoever started this process has opened for it: systemd's socket activation, sd_listen_fds(3).

use std::os::fd::OwnedFd;

use listenfd::ListenFd;

/// Takes all of them, in their order; none where none are meant for this process. To be called before there are threads:
/// what says so is taken out of the environment.
///
/// # Errors
/// When one is no stream socket, of TCP or of this machine.
pub fn take() -> Result<Vec<OwnedFd>, String> {
    let mut handed = ListenFd::from_env();
    (0..handed.len()).map(|at| take_one(&mut handed, at)).collect()
}

fn take_one(handed: &mut ListenFd, at: usize) -> Result<OwnedFd, String> {
    // What is of another kind stays where it is, and is tried as the next.
    if let Ok(Some(listener)) = handed.take_tcp_listener(at) {
        return Ok(listener.into());
    }
    if let Ok(Some(listener)) = handed.take_unix_listener(at) {
        return Ok(listener.into());
    }
    let descriptor = handed.take_raw_fd(at).ok().flatten().unwrap_or_default();
    Err(format!(
        "cannot use descriptor {descriptor}, which was handed over: it is no TCP or Unix stream socket"
    ))
}
