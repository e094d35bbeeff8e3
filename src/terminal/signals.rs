//! Signals: those that ask for an end, and those that must not bring one about.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

use crate::reactor::mailbox::Mailbox;

use super::{Mail, Terminate, tty};

/// For so long after the first signal every other is taken for the same one: `timeout` tells its child and
/// then its whole group, and of a terminal that goes the shell tells its jobs, and then the system does.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// A read cannot be given no time at all.
const SHORTEST_READ: Duration = Duration::from_millis(1);

/// Failed reads in a row after which signals count as not to be heard any more.
const READS_MAX: usize = 100;

/// Keeps the system from stopping or killing the process for what it reads and writes; the call then says what
/// is wrong. To be called before any other thread is started: a thread has the mask of the one that started it.
///
/// - SIGTTIN: a job in the background cannot read its terminal. The read fails (EIO), and stdin's thread waits.
///   It comes to the whole job, also when another process of it reads.
/// - SIGTTOU: the same for writing, where the terminal has `tostop`. The write goes through.
/// - SIGCONT: the process goes on after a stop, whatever is blocked; the loop takes the block off its own thread, so
///   that it is the one to be told (`Reactor::run`).
/// - SIGXFSZ: a file has grown to its limit (RLIMIT_FSIZE). The write fails (EFBIG), as on a full disk.
///
/// They are blocked and not caught: the system makes a call anew that was interrupted by a handler, so reading
/// would begin again for ever.
pub fn block_stopping_signals() {
    let signals: SigSet =
        [Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGCONT, Signal::SIGXFSZ].into_iter().collect();
    // It fails only for an operation that the system does not know.
    let _ = signals.thread_block();
}

/// Posts `Terminate` to each of these at the first SIGINT, SIGTERM or SIGHUP. A second one, half a second
/// after the first or later, ends the process at once, with status 1, whatever it is doing. No destructor is
/// run then, and none is missed: the loop closes its listeners as soon as it hears of the first. A SIGHUP that
/// is ignored, as under nohup, stays ignored.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub fn on_signal<M: From<Terminate> + Send + 'static>(mailboxes: Vec<Mailbox<M>>) -> io::Result<()> {
    on_first_signal(move || terminate(&mailboxes))
}

/// The same for whoever knows only then to whom it matters: calls this at the first signal.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub fn on_first_signal(tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (mut arrived, handler) = UnixStream::pair()?;
    if !ignores_hangup() {
        pipe::register(SIGHUP, handler.try_clone()?)?;
    }
    pipe::register(SIGINT, handler.try_clone()?)?;
    pipe::register(SIGTERM, handler)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        // Each signal is a byte. If they could not be heard any more, nobody could end the program: that
        // counts as one.
        wait_for_one(&mut arrived);
        let first_at = Instant::now();
        tell();
        ignore_until(first_at + SAME_SIGNAL, &mut arrived);
        wait_for_one(&mut arrived);
        tty::restore();
        std::process::exit(1);
    })?;
    Ok(())
}

/// Posts `Reread` at each SIGUSR1.
///
/// # Errors
/// When the system refuses the handler or the thread.
pub fn on_reread(mailbox: Mailbox<Mail>) -> io::Result<()> {
    let (mut arrived, handler) = UnixStream::pair()?;
    pipe::register(SIGUSR1, handler)?;
    thread::Builder::new().name("reread".into()).spawn(move || {
        // Until the loop has ended, or signals cannot be heard any more.
        while arrived.read(&mut [0; 64]).is_ok_and(|count| count > 0) && mailbox.post(Mail::Reread).is_ok() {}
    })?;
    Ok(())
}

fn terminate<M: From<Terminate>>(mailboxes: &[Mailbox<M>]) {
    for mailbox in mailboxes {
        // When the loop has ended there is nobody who wants to know.
        let _ = mailbox.post(Terminate.into());
    }
}

/// Whether whoever started us wants a hang-up to be ignored. Where it cannot be told, it is not.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is signal 1.
    ignored.is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}

/// Waits for a byte, and takes those that came with it. A read that fails is tried again, but not for ever.
fn wait_for_one(arrived: &mut UnixStream) {
    for _ in 0..READS_MAX {
        if arrived.read(&mut [0; 64]).is_ok() {
            return;
        }
    }
}

/// Throws away what comes before a moment. It looks at least once: on a busy machine this thread may come late,
/// and what is here by then came with the first.
fn ignore_until(end: Instant, arrived: &mut UnixStream) {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // A read that fails has waited, or it is made again; should it not end in time, one signal more is ignored.
        let _ = arrived.set_read_timeout(Some(left.max(SHORTEST_READ)));
        let _ = arrived.read(&mut [0; 64]);
        if Instant::now() >= end {
            let _ = arrived.set_read_timeout(None);
            return;
        }
    }
}
