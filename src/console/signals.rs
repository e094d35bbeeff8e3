//! Signals: those that ask for an end, and those that must not bring one about.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::thread;

use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::Mailbox;

use super::Mail;

/// Failed reads in a row after which signals count as not to be heard any more.
const READS_MAX: usize = 100;

/// Keeps the system from stopping or killing the process for what it reads and writes; the call then says what
/// is wrong. To be called before any other thread is started: a thread has the mask of the one that started it.
///
/// - SIGTTIN: a job in the background cannot read its terminal. The read fails (EIO), and stdin's thread waits.
///   It comes to the whole job, also when another process of it reads.
/// - SIGTTOU: the same for writing, where the terminal has `tostop`. The write goes through.
/// - SIGXFSZ: a file has grown to its limit (RLIMIT_FSIZE). The write fails (EFBIG), as on a full disk.
///
/// They are blocked and not caught: the system makes a call anew that was interrupted by a handler, so reading
/// would begin again for ever.
pub fn block_stopping_signals() {
    let signals: SigSet = [Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGXFSZ].into_iter().collect();
    // It fails only for an operation that the system does not know.
    let _ = signals.thread_block();
}

/// Posts `Mail::Terminate` to each of these at the first SIGINT or SIGTERM. A second one ends the process at
/// once, with status 1, whatever it is doing. A SIGHUP asks for an end as well, unless it is ignored as under
/// nohup, but it never hurries: of a terminal that goes, the shell tells its jobs, and the system tells them again.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub fn on_signal(mailboxes: Vec<Mailbox<Mail>>) -> io::Result<()> {
    let (mut arrived, handler) = UnixStream::pair()?;
    pipe::register(SIGINT, handler.try_clone()?)?;
    pipe::register(SIGTERM, handler)?;
    if !ignores_hangup() {
        let (mut arrived, handler) = UnixStream::pair()?;
        pipe::register(SIGHUP, handler)?;
        let mailboxes = mailboxes.clone();
        thread::Builder::new().name("hangup".into()).spawn(move || {
            wait_for_one(&mut arrived);
            terminate(&mailboxes);
        })?;
    }
    thread::Builder::new().name("signals".into()).spawn(move || {
        // Each signal is a byte. If they could not be heard any more, nobody could end the program: that
        // counts as one.
        wait_for_one(&mut arrived);
        terminate(&mailboxes);
        wait_for_one(&mut arrived);
        std::process::exit(1);
    })?;
    Ok(())
}

fn terminate(mailboxes: &[Mailbox<Mail>]) {
    for mailbox in mailboxes {
        // When the loop has ended there is nobody who wants to know.
        let _ = mailbox.post(Mail::Terminate);
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

/// Waits for a byte. A read that fails is tried again, but not for ever.
fn wait_for_one(arrived: &mut UnixStream) {
    for _ in 0..READS_MAX {
        if arrived.read(&mut [0]).is_ok() {
            return;
        }
    }
}
