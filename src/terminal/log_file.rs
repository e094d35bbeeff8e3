//! A file that lines are appended to by a thread of its own. When it cannot be written, it is tried again for as long as
//! that takes, from the very byte: what the thread has taken is never torn and never lost, and whoever fills the screen
//! skips what has no room meanwhile.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::mem;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::reactor::mailbox::Mailbox;

use super::Mail;
use super::screen::{Screen, Shared, Sink, same_error};

/// What could not be written is tried again after this.
const RETRY: Duration = Duration::from_millis(100);

/// What became of a file that lines are appended to.
#[derive(Debug)]
pub enum LogNews {
    /// It cannot be written; it is tried again and again.
    Failed(io::Error),
    /// It can be written again, and all that waited was.
    GoesOn,
    /// There is no new file; the old one is kept.
    NotReopened(io::Error),
}

/// A file that lines are appended to.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
    /// What was written last, perhaps by an earlier run, is a torn line.
    is_torn: bool,
}

impl LogFile {
    /// Opens a file, or makes one that is nobody else's to read. A pipe needs somebody who reads it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        // A pipe that nobody reads, or a device that waits for something, would keep the opening waiting for ever; and
        // one that is full, the thread. And no terminal is to become ours by it.
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
        let file = options.open(path).map_err(|error| explained(error, path))?;
        let is_torn = file.metadata()?.is_file() && is_torn(path);
        Ok(LogFile { file, path: path.to_owned(), is_torn })
    }

    /// The mode of a file that was there already and that others may read or write.
    pub fn mode_for_others(&self) -> Option<u32> {
        let metadata = self.file.metadata().ok()?;
        let mode = metadata.mode() & 0o777;
        (metadata.is_file() && mode & 0o077 != 0).then_some(mode)
    }

    /// Whether it is what this path leads to.
    pub fn is_at(&self, path: &Path) -> bool {
        let place = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let other = path.metadata().ok().map(place);
        other.is_some() && other == self.file.metadata().ok().map(place)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Screen {
    /// A screen that is a file. What becomes of it is posted as `LogFile`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn log_file(file: LogFile, mailbox: Mailbox<Mail>) -> io::Result<Screen> {
        // When the loop has ended there is nobody who wants to know.
        let tell = move |mail| {
            let _ = mailbox.post(mail);
        };
        Screen::on_file(Appending::to(file), tell)
    }
}

/// A pipe without a reader has an error that is no help.
fn explained(error: io::Error, path: &Path) -> io::Error {
    let is_pipe = || path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
    match error.raw_os_error() {
        Some(code) if code == Errno::NXIO.raw_os_error() && is_pipe() => {
            io::Error::other("it is a pipe that nobody reads")
        }
        _ => error,
    }
}

/// Whether a file ends in the middle of a line. If it may not be read, it may: an empty line does less harm than two in
/// one.
fn is_torn(path: &Path) -> bool {
    let last = || -> io::Result<u8> {
        let mut file = File::open(path)?;
        if file.seek(SeekFrom::End(0))? == 0 {
            return Ok(b'\n');
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(last[0])
    };
    last().map_or(true, |last| last != b'\n')
}

/// Which file of the system's it is, whatever its name.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// What the thread needs of a file.
trait Medium: Sized {
    /// Writes some of it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until more can be written, for so long at most.
    fn wait(&self, time: Duration);

    /// The file that has this one's name now, if it is another one.
    fn renewed(&self) -> io::Result<Option<Self>>;

    /// Takes note that a line is torn here, if one is. Returns whether it had been.
    fn mark_torn(&mut self, is_torn: bool) -> bool;
}

impl Medium for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn wait(&self, time: Duration) {
        let time = Timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos() as _ };
        // If even that fails, it is tried again at once.
        let _ = poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&time));
    }

    fn renewed(&self) -> io::Result<Option<LogFile>> {
        let renewed = LogFile::open(&self.path)?;
        let is_another = identity(&renewed.file)? != identity(&self.file)?;
        Ok(is_another.then_some(renewed))
    }

    fn mark_torn(&mut self, is_torn: bool) -> bool {
        mem::replace(&mut self.is_torn, is_torn)
    }
}

/// Appends to a medium, and does not give up.
struct Appending<M> {
    medium: M,
    /// What a new file begins with, as far as it is not written.
    opening: Vec<u8>,
    retry: Duration,
    /// It was told that it cannot be written.
    is_failing: bool,
}

impl<M: Medium> Appending<M> {
    fn to(medium: M) -> Appending<M> {
        Appending { medium, opening: Vec::new(), retry: RETRY, is_failing: false }
    }

    /// Goes on in the file that has the name now, behind these lines. Returns whether that is another one.
    fn renew(&mut self, opening: Vec<u8>, tell: &impl Fn(Mail)) -> bool {
        match self.medium.renewed() {
            // Nobody has moved it away: it goes on where it stands, be that in the middle of a line.
            Ok(None) => false,
            Ok(Some(medium)) => {
                self.medium = medium;
                self.opening = opening;
                true
            }
            Err(error) => {
                tell(Mail::LogFile(LogNews::NotReopened(error)));
                false
            }
        }
    }

    /// Writes some, if only of what stands in front of it; what is torn is ended first.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.medium.mark_torn(false)
            && let Err(error) = some(self.medium.write(b"\n"))
        {
            self.medium.mark_torn(true);
            return Err(error);
        }
        if !self.opening.is_empty() {
            let count = some(self.medium.write(&self.opening))?;
            self.opening.drain(..count);
            return Ok(0);
        }
        some(self.medium.write(bytes))
    }

    /// Notes, and tells once, that it cannot be written; and lets time pass, unless a new file is asked for.
    fn fail(&mut self, error: io::Error, shared: &Shared, tell: &impl Fn(Mail)) {
        let until = Instant::now() + self.retry;
        let mut slot = shared.lock();
        slot.failing = Some(same_error(&error));
        if !mem::replace(&mut self.is_failing, true) {
            drop(slot);
            shared.changed.notify_all();
            tell(Mail::LogFile(LogNews::Failed(error)));
            slot = shared.lock();
        }
        while slot.reopens.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            slot = shared.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All was written.
    fn succeed(&mut self, shared: &Shared, tell: &impl Fn(Mail)) {
        if self.is_failing {
            self.is_failing = false;
            shared.lock().failing = None;
            tell(Mail::LogFile(LogNews::GoesOn));
        }
    }
}

impl<M: Medium> Sink for Appending<M> {
    fn write_whole(&mut self, bytes: &[u8], shared: &Shared, tell: &impl Fn(Mail)) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() || !self.opening.is_empty() {
            match self.write_some(&bytes[written..]) {
                Ok(count) => {
                    written += count;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.medium.wait(self.retry),
                Err(error) => self.fail(error, shared, tell),
            }
            let reopens = shared.lock().reopens.take();
            if reopens.is_some_and(|opening| self.renew(opening, tell)) {
                // A new file begins with a whole line.
                written = line_start(bytes, written);
            }
        }
        self.succeed(shared, tell);
        Ok(())
    }

    fn reopen(&mut self, opening: Vec<u8>, tell: &impl Fn(Mail)) {
        self.renew(opening, tell);
    }
}

/// Nothing is not some.
fn some(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        written => written,
    }
}

/// Where the line begins that this place is in.
fn line_start(bytes: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests;
