//! Stdout or stderr behind a thread of its own. The loop fills a buffer and swaps it with the one that
//! waits to be written; it never writes, so a terminal that was stopped or a pipe that nobody reads
//! cannot stop it.
//!
//! At any time one buffer is being filled, one waits and one is being written, and each is bounded.
//!
//! The thread writes at once what comes after a silence. What comes soon after that it lets gather for
//! a moment: waking a thread for each line of a burst costs more than making the line.

mod thread;

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::reactor::mailbox::Mailbox;

use super::Mail;

pub(super) use thread::{Sink, same_error, write_whole};

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
/// Nobody looks on while a file is written; what a sudden end may cost is a tenth of a second.
const FILE_PAUSE: Duration = Duration::from_millis(10);

/// So long it is waited in the end for what fails, which it mostly goes on to do.
const FAILING_PATIENCE: Duration = Duration::from_millis(250);

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

/// What a screen and its thread share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    slot: Mutex<Slot>,
    /// Rung when something was put into the slot, and when the thread has written all there was.
    pub(super) changed: Condvar,
}

/// What is on its way from the one who fills the screen to the thread that writes.
#[derive(Debug, Default)]
pub(super) struct Slot {
    waiting: Vec<u8>,
    /// Bytes taken out of the slot and not yet written.
    being_written: usize,
    /// The filler found no room and wants to know when there is some.
    wants_room: bool,
    /// All is to be written now, without a pause.
    hurries: bool,
    /// What is written goes into a new file from now on, if there is one and it can be opened; behind these lines.
    pub(super) reopens: Option<Vec<u8>>,
    /// Why nothing can be written at present; it is tried again.
    pub(super) failing: Option<io::Error>,
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

    /// A screen that is a file: what it has no room for is skipped, never waited for.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn on_file(
        sink: impl Sink + Send + 'static,
        tell: impl Fn(Mail) + Send + 'static,
    ) -> io::Result<Screen> {
        Screen::open(sink, WhenFull::Skip, FILE_PAUSE, tell)
    }

    fn open(
        sink: impl Sink + Send + 'static,
        when_full: WhenFull,
        pause: Duration,
        tell: impl Fn(Mail) + Send + 'static,
    ) -> io::Result<Screen> {
        let shared = Arc::new(Shared::default());
        let for_thread = shared.clone();
        let run = move || thread::write_all(sink, &for_thread, pause, tell);
        std::thread::Builder::new().name("screen".into()).spawn(run)?;
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
        if !self.makes_room() && self.when_full == WhenFull::Skip {
            self.skip();
        } else {
            self.append(render);
        }
    }

    /// The same, where it is known that there is room. Whether there is may change with each look, since the thread is
    /// at work.
    #[inline]
    pub fn append(&mut self, render: impl FnOnce(&mut Vec<u8>)) {
        render(&mut self.filling);
    }

    /// Counts something that is not put here.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Whether there is room, or is some now that what is here was handed over.
    #[inline]
    pub fn makes_room(&mut self) -> bool {
        if self.has_no_room() {
            self.hand_over();
        }
        !self.has_no_room()
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

    /// Whether all was written that was put here.
    pub fn is_done(&self) -> bool {
        let slot = self.shared.lock();
        self.filling.is_empty() && slot.waiting.is_empty() && slot.being_written == 0
    }

    /// Why it cannot be written at present, if it is a file and that is so.
    pub fn failure(&self) -> Option<io::Error> {
        self.shared.lock().failing.as_ref().map(same_error)
    }

    /// Goes on in a new file, where it is one: the thread opens it, and begins it with these lines.
    pub fn reopen(&self, opening: Vec<u8>) {
        self.shared.lock().reopens = Some(opening);
        self.shared.changed.notify_all();
    }

    /// Waits until all is written, for `patience` at most, and not much for what fails. Returns how many bytes are not.
    ///
    /// # Errors
    /// When writing has failed for good. The loop may have ended before that could be told it.
    pub fn close(&mut self, patience: Duration) -> io::Result<usize> {
        let began = Instant::now();
        let shared = self.shared.clone();
        loop {
            self.hand_over();
            let mut slot = shared.lock();
            let left = slot.waiting.len() + slot.being_written + self.filling.len();
            let patience = if slot.failing.is_some() { patience.min(FAILING_PATIENCE) } else { patience };
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
    pub(super) fn lock(&self) -> MutexGuard<'_, Slot> {
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
        drop(slot);
        // As the thread does, for whoever waits until all is written.
        self.shared.changed.notify_all();
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
