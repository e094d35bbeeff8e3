//! Stdout or stderr behind a thread of its own. The loop fills a buffer and swaps it with the one that
//! waits to be written; it never writes, so a terminal that was stopped or a pipe that nobody reads
//! cannot stop it.
//!
//! At any time one buffer is being filled, one waits and one is being written, and each is bounded.
//!
//! The thread writes at once what comes after a silence. What comes soon after that it lets gather for
//! a moment: waking a thread for each line of a burst costs more than making the line.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::reactor::mailbox::Mailbox;

use super::Mail;

/// A buffer that is this full is full, where the one who fills it can wait.
const WAIT_MARK_BYTES: usize = 512 << 10;
/// The same where lines are skipped: so much has to fit at once, such as a long list of connections.
const SKIP_MARK_BYTES: usize = 4 << 20;
/// Capacity that is kept between writes: one read may overshoot the mark, and freed pages would be zeroed again by the
/// kernel.
const KEPT_BYTES: usize = 2 * WAIT_MARK_BYTES;

/// When so much waits, it is written whatever the time; it is well over what one write call costs.
const GATHERED_BYTES: usize = 256 << 10;
/// The least time between two writes of less than that. A script may answer what it reads on stdout,
/// and waits for it; nobody waits for status lines.
const DATA_PAUSE: Duration = Duration::from_micros(200);
const STATUS_PAUSE: Duration = Duration::from_millis(2);

/// What to do with a line when the screen is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Keep it. Whoever fills the screen watches `is_full` and stops what makes the lines.
    Wait,
    /// Skip it, and count.
    Skip,
}

/// One output, as the loop sees it.
#[derive(Debug)]
pub struct Screen {
    shared: Arc<Shared>,
    filling: Vec<u8>,
    skipped: u64,
    when_full: WhenFull,
    /// A buffer that is this full is full.
    mark_bytes: usize,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    /// Rung when something was put into the slot, and when the thread has written all there was.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    waiting: Vec<u8>,
    /// Bytes taken out of the slot and not yet written.
    being_written: usize,
    /// The filler found no room and wants to know when there is some.
    wants_room: bool,
    /// All is to be written now, without a pause.
    hurries: bool,
    /// Why nothing can be written any more.
    broken: Option<io::Error>,
}

impl Screen {
    /// A screen on this process's stdout. What its thread has to tell is posted: `ScreenHasRoom` once
    /// `is_full` was found, `ScreenFailed` when nothing can be written any more.
    ///
    /// # Errors
    /// When the system gives no descriptor or no thread.
    pub fn stdout(when_full: WhenFull, mailbox: Mailbox<Mail>) -> io::Result<Screen> {
        // A duplicate of the descriptor: std's own stdout would cut what is written at line endings.
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        // When the loop has ended there is nobody who wants to know.
        let tell = move |mail| {
            let _ = mailbox.post(mail);
        };
        Screen::open(file, when_full, DATA_PAUSE, tell)
    }

    /// A screen on this process's stderr. When nobody can read what is said there, there is nobody to
    /// tell, so its lines are skipped then, and `ScreenHasRoom` is all that is posted.
    ///
    /// # Errors
    /// When the system gives no descriptor or no thread.
    pub fn stderr(mailbox: Mailbox<Mail>) -> io::Result<Screen> {
        let file = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let tell = move |mail: Mail| {
            if matches!(mail, Mail::ScreenHasRoom) {
                // When the loop has ended there is nobody who wants to know.
                let _ = mailbox.post(mail);
            }
        };
        Screen::open(file, WhenFull::Skip, STATUS_PAUSE, tell)
    }

    fn open(
        file: File,
        when_full: WhenFull,
        pause: Duration,
        tell: impl Fn(Mail) + Send + 'static,
    ) -> io::Result<Screen> {
        let shared = Arc::new(Shared::default());
        let for_thread = shared.clone();
        let run = move || write_all(file, &for_thread, pause, tell);
        thread::Builder::new().name("screen".into()).spawn(run)?;
        let mark_bytes = match when_full {
            WhenFull::Wait => WAIT_MARK_BYTES,
            WhenFull::Skip => SKIP_MARK_BYTES,
        };
        Ok(Screen::over(shared, when_full, mark_bytes))
    }

    /// A screen without a thread: what it is given to write is taken out of the reel, or is not, as a
    /// terminal that was stopped does not.
    #[cfg(any(test, feature = "simulator"))]
    pub fn on_reel(when_full: WhenFull, mark_bytes: usize) -> (Screen, CapturedScreen) {
        let shared = Arc::new(Shared::default());
        (Screen::over(shared.clone(), when_full, mark_bytes), CapturedScreen { shared })
    }

    fn over(shared: Arc<Shared>, when_full: WhenFull, mark_bytes: usize) -> Screen {
        Screen { shared, filling: Vec::new(), skipped: 0, when_full, mark_bytes }
    }

    /// Puts something on the screen: `render` appends it, line ending included. It is not rendered
    /// where it would be skipped.
    pub fn put(&mut self, render: impl FnOnce(&mut Vec<u8>)) {
        if self.has_no_room() {
            self.hand_over();
            if self.when_full == WhenFull::Skip && self.has_no_room() {
                self.skipped += 1;
                return;
            }
        }
        render(&mut self.filling);
    }

    /// Whether whoever puts lines here has to wait; never where lines are skipped instead. Found out by
    /// `put` and `hand_over`; the thread will tell when there is room.
    pub fn is_full(&self) -> bool {
        self.when_full == WhenFull::Wait && self.has_no_room()
    }

    /// Whether it is as full as it may be, whether whoever fills it waits or is skipped.
    pub fn has_no_room(&self) -> bool {
        self.filling.len() >= self.mark_bytes
    }

    /// How many lines were skipped since this was last asked; none as long as there is no room to say so.
    pub fn take_skipped(&mut self) -> u64 {
        if self.has_no_room() { 0 } else { mem::take(&mut self.skipped) }
    }

    /// Hands what was put here to the thread, if that has room.
    pub fn hand_over(&mut self) {
        if self.filling.is_empty() {
            return;
        }
        let mut slot = self.shared.lock();
        let before = slot.waiting.len();
        if slot.broken.is_some() {
            self.filling.clear();
        } else if before == 0 {
            mem::swap(&mut slot.waiting, &mut self.filling);
        } else if before + self.filling.len() <= self.mark_bytes {
            slot.waiting.append(&mut self.filling);
        } else {
            slot.wants_room = true;
            return;
        }
        let wakes = slot.wakes_writer(before);
        drop(slot);
        if wakes {
            self.shared.changed.notify_all();
        }
    }

    /// Waits until all is written, for `patience` at most. Returns how many bytes are not.
    ///
    /// # Errors
    /// When writing has failed. The loop may have ended before that could be told it.
    pub fn close(mut self, patience: Duration) -> io::Result<usize> {
        let began = Instant::now();
        let shared = self.shared.clone();
        loop {
            self.hand_over();
            let mut slot = shared.lock();
            let left = slot.waiting.len() + slot.being_written + self.filling.len();
            let time_left = patience.saturating_sub(began.elapsed());
            if let Some(error) = slot.broken.take() {
                return Err(error);
            }
            if left == 0 || time_left.is_zero() {
                return Ok(left);
            }
            slot.hurries = true;
            shared.changed.notify_all();
            let _ = shared.changed.wait_timeout(slot, time_left);
        }
    }

    /// A writer that other code may log through without ever waiting.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter { shared: self.shared.clone() }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Nothing that holds the lock can panic half-way through a change.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Whether what was just put here, where so many bytes were `before`, is news to the thread: it
    /// sleeps for as long as nothing waits, and else for a pause, unless much waits.
    fn wakes_writer(&self, before: usize) -> bool {
        before == 0 || (before < GATHERED_BYTES && self.waiting.len() >= GATHERED_BYTES)
    }

    /// Swaps what waits for an empty buffer. Returns whether the filler wants to know that there is room.
    fn take(&mut self, empty: &mut Vec<u8>) -> bool {
        mem::swap(&mut self.waiting, empty);
        self.being_written = empty.len();
        mem::take(&mut self.wants_room)
    }
}

/// What a screen without a thread was given to write.
#[cfg(any(test, feature = "simulator"))]
#[derive(Debug)]
pub struct CapturedScreen {
    shared: Arc<Shared>,
}

#[cfg(any(test, feature = "simulator"))]
impl CapturedScreen {
    /// Appends what waits to `shown`. Returns whether the screen is to be told that it has room.
    pub fn take(&self, shown: &mut Vec<u8>) -> bool {
        let mut waiting = Vec::new();
        let mut slot = self.shared.lock();
        let wants_room = slot.take(&mut waiting);
        slot.being_written = 0;
        shown.append(&mut waiting);
        wants_room
    }
}

/// Appends whole log lines to what waits to be written; throws them away where too much waits.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut slot = self.shared.lock();
        let before = slot.waiting.len();
        if slot.broken.is_none() && before < SKIP_MARK_BYTES {
            slot.waiting.extend_from_slice(line);
            if slot.wakes_writer(before) {
                self.shared.changed.notify_all();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut file: File, shared: &Shared, pause: Duration, tell: impl Fn(Mail)) {
    let mut writing = Vec::new();
    let mut wrote_at = None;
    loop {
        let mut slot = shared.lock();
        slot.being_written = 0;
        if slot.waiting.is_empty() {
            shared.changed.notify_all();
        }
        slot = wait_for_something(slot, &shared.changed, wrote_at.map(|at| at + pause));
        let wants_room = slot.take(&mut writing);
        drop(slot);
        if wants_room {
            tell(Mail::ScreenHasRoom);
        }
        if let Err(error) = write_whole(&mut file, &writing) {
            let mut slot = shared.lock();
            slot.broken = Some(same_error(&error));
            slot.waiting = Vec::new();
            shared.changed.notify_all();
            drop(slot);
            return tell(Mail::ScreenFailed(error));
        }
        wrote_at = Some(Instant::now());
        writing.clear();
        writing.shrink_to(KEPT_BYTES);
    }
}

/// Waits until something waits to be written, and then until `not_before`, unless that much gathers or
/// somebody hurries.
fn wait_for_something<'a>(
    mut slot: MutexGuard<'a, Slot>,
    changed: &Condvar,
    not_before: Option<Instant>,
) -> MutexGuard<'a, Slot> {
    loop {
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
fn same_error(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

pub(super) fn write_whole(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
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
