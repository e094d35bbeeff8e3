//! Signals that ask for an end.

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Mailbox;

use super::Mail;

/// Posts `Mail::Terminate` to each of these at the first SIGINT or SIGTERM. A second one ends the process at
/// once, with status 1, whatever it is doing.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub fn on_signal(mailboxes: Vec<Mailbox<Mail>>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for (count, _) in signals.forever().enumerate() {
            if count > 0 {
                std::process::exit(1);
            }
            for mailbox in &mailboxes {
                // When the loop has ended there is nobody who wants to know.
                let _ = mailbox.post(Mail::Terminate);
            }
        }
    })?;
    Ok(())
}
