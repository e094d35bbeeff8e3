//! Signals that ask for an end.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::Mailbox;

use super::Mail;

/// Failed reads in a row after which signals count as not to be heard any more.
const READS_MAX: usize = 100;

/// Posts `Mail::Terminate` to each of these at the first SIGINT or SIGTERM. A second one ends the process at
/// once, with status 1, whatever it is doing.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub fn on_signal(mailboxes: Vec<Mailbox<Mail>>) -> io::Result<()> {
    let (mut arrived, handler) = UnixStream::pair()?;
    pipe::register(SIGINT, handler.try_clone()?)?;
    pipe::register(SIGTERM, handler)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        // Each signal is a byte. If they could not be heard any more, nobody could end the program: that
        // counts as one.
        wait_for_one(&mut arrived);
        for mailbox in &mailboxes {
            // When the loop has ended there is nobody who wants to know.
            let _ = mailbox.post(Mail::Terminate);
        }
        wait_for_one(&mut arrived);
        std::process::exit(1);
    })?;
    Ok(())
}

/// Waits for a byte. A read that fails is tried again, but not for ever.
fn wait_for_one(arrived: &mut UnixStream) {
    for _ in 0..READS_MAX {
        if arrived.read(&mut [0]).is_ok() {
            return;
        }
    }
}
