//! The terminal's settings: how it is while a line is edited, and how it was before. It is put right again wherever
//! anything of ours still runs: at the end, before a stop, when a signal ends the process at once, after a panic.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr,
};

/// Pasted text comes between marks, so that nothing in it is taken for a key.
const MARKS_PASTES: &str = "\x1b[?2004h";

/// Takes back whatever we may have switched: marks around pastes, held-back drawing, no autowrap; and ends colours.
const AS_BEFORE: &str = "\x1b[?2004l\x1b[?2026l\x1b[?7h\x1b[0m";

/// What was typed or pasted before an end comes within this time after what came before it, in so many pieces at most.
const NEXT_PIECE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const PIECES_MAX: usize = 100;

/// The settings to go back to, as long as ours are in force.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// How large the terminal is, in columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many characters a row has.
    pub columns: usize,
    /// How many rows.
    pub rows: usize,
}

/// The size of the terminal at stdout; 80 by 24, where it has none, as a serial line does.
pub fn size() -> Size {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        _ => Size { columns: 80, rows: 24 },
    }
}

/// Whether lines can be edited: stdin and stdout are a terminal that knows more than a typewriter.
pub fn is_interactive() -> bool {
    let term = std::env::var_os("TERM").unwrap_or_default();
    io::stdin().is_terminal() && io::stdout().is_terminal() && !term.is_empty() && term != "dumb"
}

/// Whether the terminal is in this job's hands. One that cannot be asked is in nobody's.
pub fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

/// Has each key come as it is pressed, and shown by us alone. Ctrl-C and Ctrl-Z are keys as well; output is processed
/// as before, since other threads write whole lines. What was typed ahead is kept.
///
/// # Errors
/// When there is no terminal any more.
pub fn begin_editing() -> io::Result<()> {
    let stdin = io::stdin();
    let mut before = lock();
    let mut settings = tcgetattr(&stdin)?;
    // After a stop the shell may have left it in any state; ours is never one to go back to.
    if before.is_none() {
        *before = Some(settings.clone());
    }
    settings
        .local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN | LocalModes::ISIG);
    settings.input_modes.remove(InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON);
    tcsetattr(&stdin, OptionalActions::Now, &settings)?;
    drop(before);
    write_if_taken(MARKS_PASTES);
    Ok(())
}

/// Puts the terminal right again, if it is not, and for good: what was typed by now and not read was meant for us, so
/// whoever has the terminal next, mostly a shell, does not get it. Never waits for the terminal to take anything.
pub fn restore() {
    if lock().is_some() && is_in_foreground() {
        drop_typed_ahead();
    }
    lend();
}

/// The system holds more than the queue that it can be told to empty: what was pasted comes in pieces.
fn drop_typed_ahead() {
    let stdin = io::stdin();
    for _ in 0..PIECES_MAX {
        let _ = tcflush(&stdin, QueueSelector::IFlush);
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if !poll(&mut fds, Some(&NEXT_PIECE)).is_ok_and(|ready| ready > 0) {
            return;
        }
    }
}

/// The same before a stop, and where nothing more is read: what was typed is for whoever reads next.
pub fn lend() {
    let Some(before) = lock().take() else { return };
    // In the background the terminal is somebody else's, who has set it as it is.
    if is_in_foreground() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        write_if_taken(AS_BEFORE);
    }
}

/// Somebody else has the terminal, and has set it: there is nothing to be put right any more.
pub fn forget() {
    lock().take();
}

/// Has a panic put the terminal right before it is told.
pub fn restore_at_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        restore();
        tell(panic);
    }));
}

/// A terminal that was stopped takes nothing, and is not waited for.
fn write_if_taken(sequence: &str) {
    let stdout = io::stdout();
    let fd = stdout.as_fd();
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], Some(&at_once)).is_ok_and(|ready| ready > 0)
    {
        let mut out = stdout.lock();
        let _ = out.write_all(sequence.as_bytes()).and_then(|()| out.flush());
    }
}

fn lock() -> MutexGuard<'static, Option<Termios>> {
    // What holds it changes it in one step.
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}
