//! The thread behind a screen: it takes what waits, and writes it.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::{GATHERED_BYTES, KEPT_BYTES, Shared, Slot};
use crate::terminal::Mail;

/// Where a screen's thread writes.
pub(in crate::terminal) trait Sink {
    /// Writes all of it.
    ///
    /// # Errors
    /// When nothing can be written any more.
    fn write_whole(&mut self, bytes: &[u8], shared: &Shared, tell: &impl Fn(Mail)) -> io::Result<()>;

    /// Goes on in a new file, which begins with these lines, where it is one that has a name.
    fn reopen(&mut self, _opening: Vec<u8>, _tell: &impl Fn(Mail)) {}
}

impl Sink for File {
    fn write_whole(&mut self, bytes: &[u8], _shared: &Shared, _tell: &impl Fn(Mail)) -> io::Result<()> {
        write_whole(self, bytes)
    }
}

/// The thread: writes to the sink until that cannot be written any more.
pub(super) fn write_all(mut sink: impl Sink, shared: &Shared, pause: Duration, tell: impl Fn(Mail)) {
    let mut writing = Vec::new();
    let mut wrote_at = None;
    loop {
        let mut slot = shared.lock();
        slot.being_written = 0;
        if slot.waiting.is_empty() {
            shared.changed.notify_all();
            // Not while much comes: what is given back would be asked for again at once, page by page.
            writing.shrink_to(KEPT_BYTES);
        }
        slot = wait_for_something(slot, &shared.changed, wrote_at.map(|at| at + pause));
        let wants_room = slot.take(&mut writing);
        let reopens = slot.reopens.take();
        drop(slot);
        if let Some(opening) = reopens {
            sink.reopen(opening, &tell);
        }
        if wants_room {
            tell(Mail::ScreenHasRoom);
        }
        if let Err(error) = sink.write_whole(&writing, shared, &tell) {
            let mut slot = shared.lock();
            slot.broken = Some(same_error(&error));
            slot.waiting = Vec::new();
            shared.changed.notify_all();
            drop(slot);
            return tell(Mail::ScreenFailed(error));
        }
        wrote_at = Some(Instant::now());
        writing.clear();
    }
}

/// Waits until something waits to be written, and then until `not_before`, unless that much gathers or
/// somebody hurries, or there is to be a new file.
fn wait_for_something<'a>(
    mut slot: MutexGuard<'a, Slot>,
    changed: &Condvar,
    not_before: Option<Instant>,
) -> MutexGuard<'a, Slot> {
    loop {
        if slot.reopens.is_some() {
            return slot;
        }
        if slot.waiting.is_empty() {
            slot = changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let left = not_before.map_or(Duration::ZERO, |when| when.saturating_duration_since(Instant::now()));
        if left.is_zero() || slot.hurries || slot.wants_room || slot.waiting.len() >= GATHERED_BYTES {
            return slot;
        }
        slot = changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// The same error once more, for whoever asks later.
pub(in crate::terminal) fn same_error(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

pub(in crate::terminal) fn write_whole(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Somebody who shares it has made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(file, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
