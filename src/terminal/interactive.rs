//! The thread that has the terminal: it reads keys, writes what is to be seen, and sleeps as long as there is neither.
//! What is typed means, and what is seen, is its owner's affair (`Interactive`), which other threads reach as well.

mod thread;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCONT, SIGQUIT, SIGTSTP, SIGWINCH};
use signal_hook::low_level::{emulate_default_handler, pipe};

use super::tty::{self, Size};
use thread::Thread;

/// Enough for a thread that makes a few calls.
const SMALL_STACK_BYTES: usize = 128 << 10;

/// What is to be done for what was typed.
pub enum Act<M> {
    /// Post this.
    Post(M),
    /// Do this, which may take its time.
    Run(Box<dyn FnOnce() + Send>),
    /// Look this up, which may take its time, and say what was found (`Interactive::looked_up`).
    LookUp(Box<dyn FnOnce() -> Vec<String> + Send>),
    /// Stop the job, as Ctrl-Z does.
    Suspend,
    /// Read nothing more.
    EndInput,
}

/// Who takes what is typed, and says what is to be seen. It is called by the terminal's thread, and by whoever holds a
/// `Terminal`, one at a time.
pub trait Interactive: Send + 'static {
    /// What it posts.
    type Mail: Send;

    /// The terminal has this size now. Whatever was drawn may have been rewrapped.
    fn resize(&mut self, size: Size);

    /// Takes bytes that were typed, cut anywhere, and appends what is to be done.
    fn typed(&mut self, bytes: &[u8], now: Instant, acts: &mut Vec<Act<Self::Mail>>);

    /// Appends what is to be written now. `edits`: a line can be edited; else the terminal is not ours, or there is no
    /// more input, and only what arrives is to be seen. Returns when to ask again if nothing happens.
    fn frame(
        &mut self,
        edits: bool,
        now: Instant,
        out: &mut String,
        acts: &mut Vec<Act<Self::Mail>>,
    ) -> Option<Instant>;

    /// What `frame` has appended stands on the terminal now; whatever is typed from here on was typed in view of it.
    fn frame_is_written(&mut self) {}

    /// Appends what takes the edited line off the terminal; it may be drawn again later.
    fn erase(&mut self, out: &mut String);

    /// Whatever was drawn is somewhere else now: others have written here.
    fn forget_drawn(&mut self);

    /// What an `Act::LookUp` has found.
    fn looked_up(&mut self, found: Vec<String>);

    /// The terminal was hung up, or cannot be read: this is posted, and nothing more will be typed.
    fn ended(&mut self, error: Option<io::Error>) -> Self::Mail;

    /// Nothing can be written any more.
    fn failed(&mut self, error: io::Error) -> Self::Mail;

    /// Whether the process cannot be stopped, and is told so.
    fn cannot_suspend(&mut self);
}

impl<M: std::fmt::Debug> std::fmt::Debug for Act<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Act::Post(mail) => f.debug_tuple("Post").field(mail).finish(),
            Act::Run(_) => f.write_str("Run"),
            Act::LookUp(_) => f.write_str("LookUp"),
            Act::Suspend => f.write_str("Suspend"),
            Act::EndInput => f.write_str("EndInput"),
        }
    }
}

/// A terminal, held by those who have something to be seen on it.
#[derive(Debug)]
pub struct Terminal<D> {
    shared: Arc<Shared<D>>,
}

impl<D> Clone for Terminal<D> {
    fn clone(&self) -> Self {
        Terminal { shared: self.shared.clone() }
    }
}

#[derive(Debug)]
struct Shared<D> {
    desk: Mutex<D>,
    /// Wakes the thread; a byte is in it only once.
    wake: UnixStream,
    is_awake: AtomicBool,
    closing: AtomicBool,
    /// The other end, until the thread has it.
    woken: Mutex<Option<UnixStream>>,
    /// Whether the thread has written the last of it, or never began; rung then.
    is_done: Mutex<bool>,
    done: Condvar,
}

impl<D: Interactive> Terminal<D> {
    /// A terminal that nobody reads or writes yet. What its owner is told meanwhile is seen once it has begun.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(desk: D) -> io::Result<Terminal<D>> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Terminal {
            shared: Arc::new(Shared {
                desk: Mutex::new(desk),
                wake,
                woken: Mutex::new(Some(woken)),
                is_awake: AtomicBool::new(false),
                closing: AtomicBool::new(false),
                is_done: Mutex::new(true),
                done: Condvar::new(),
            }),
        })
    }

    /// Starts the thread; what it brings is posted by `post`. A second call does nothing.
    ///
    /// # Errors
    /// When the system gives no descriptor, no handler or no thread.
    pub fn begin(&self, post: impl Fn(D::Mail) + Send + 'static) -> io::Result<()> {
        let shared = self.shared.clone();
        let woken = shared.woken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(woken) = woken else { return Ok(()) };
        // Duplicates: std's own would buffer. Their flags are shared with whoever else has this terminal, so they are
        // never made non-blocking.
        let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (signals, handler) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        // Each flag before its pipe, since that is their order in the handler: whoever is woken finds the flag raised.
        let stopped = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTSTP, stopped.clone())?;
        let continued = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGCONT, continued.clone())?;
        pipe::register(SIGWINCH, handler.try_clone()?)?;
        pipe::register(SIGCONT, handler.try_clone()?)?;
        pipe::register(SIGTSTP, handler)?;
        restore_at_quit()?;
        tty::restore_at_panic();
        *shared.is_done.lock().unwrap_or_else(PoisonError::into_inner) = false;
        let thread = Thread {
            shared,
            stdin,
            stdout,
            signals,
            woken,
            stopped,
            continued,
            has_erased: false,
            edits: false,
            reads: true,
            drawn_at: None,
            typed_unseen: false,
            out: String::new(),
        };
        std::thread::Builder::new().name("terminal".into()).spawn(move || thread.run(post))?;
        Ok(())
    }

    /// Its owner, to be told something; see `wake`.
    pub fn lock(&self) -> MutexGuard<'_, D> {
        self.shared.lock()
    }

    /// There is something to be drawn.
    pub fn wake(&self) {
        if !self.shared.is_awake.swap(true, Ordering::AcqRel) {
            // Where the byte finds no room, there is one already.
            let _ = (&self.shared.wake).write(&[0]);
        }
    }

    /// Waits until all is written and the terminal is as it was before, for `patience` at most. Returns whether it is.
    pub fn close(&self, patience: Duration) -> bool {
        self.shared.closing.store(true, Ordering::Release);
        self.wake();
        let is_done = self.shared.is_done.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.done.wait_timeout_while(is_done, patience, |is_done| !*is_done);
        let is_done = *waited.unwrap_or_else(PoisonError::into_inner).0;
        tty::restore();
        is_done
    }
}

impl<D> Shared<D> {
    fn lock(&self) -> MutexGuard<'_, D> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SIGQUIT ends the process at once, but not before the terminal is as it was. The thread does nothing else, so that
/// nothing keeps it from that.
fn restore_at_quit() -> io::Result<()> {
    let (mut arrived, handler) = UnixStream::pair()?;
    pipe::register(SIGQUIT, handler)?;
    let quit = move || {
        if arrived.read(&mut [0; 1]).is_ok() {
            tty::restore();
            let _ = emulate_default_handler(SIGQUIT);
        }
    };
    std::thread::Builder::new().name("quit".into()).stack_size(SMALL_STACK_BYTES).spawn(quit)?;
    Ok(())
}
