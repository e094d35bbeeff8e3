//! The thread that reads stdin. It blocks where it pleases, and the loop never does.
//!
//! It reads into one of a few buffers, posts the buffer, and gets it back when the App is done with it.
//! When none is left it waits: so much input can be under way and no more, and whoever writes into the
//! pipe waits, too.
//!
//! A terminal is not read while the job is in the background: what is typed there is for somebody else. The
//! thread then sleeps until something is typed, and looks whether it has come back.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

use crate::reactor::mailbox::Mailbox;

use super::Mail;

/// The buffers under way: one being filled, one being worked on.
const BUFFERS: usize = 2;
const BUFFER_BYTES: usize = 128 << 10;

/// In the background, what was typed is left alone for so long before it is looked at again: mostly it is for
/// the shell, which takes it at once.
const BACKGROUND_PAUSE: Duration = Duration::from_millis(250);

/// What reading brought.
#[derive(Debug)]
pub enum Chunk {
    /// Some bytes, cut anywhere. Give them back with `BufferReturn::give_back`.
    Bytes(Vec<u8>),
    /// Stdin has ended, or cannot be read. Nothing more will come.
    Ended(Option<io::Error>),
}

/// The App's end: it gives the buffers back.
#[derive(Debug)]
pub struct BufferReturn {
    empty: Sender<Vec<u8>>,
}

impl BufferReturn {
    /// Lets the thread fill this buffer again.
    pub fn give_back(&self, buffer: Vec<u8>) {
        // When the thread has ended there is nobody who wants it.
        let _ = self.empty.send(buffer);
    }
}

/// Starts reading stdin; what it brings is posted.
///
/// # Errors
/// When the system gives no descriptor or no thread.
pub fn read_in_background<M: From<Chunk> + Send + 'static>(mailbox: Mailbox<M>) -> io::Result<BufferReturn> {
    // A duplicate of the descriptor is read past std's own buffer and lock. Its flags are shared with
    // whoever else has this terminal, so it is never made non-blocking.
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (empty, buffers) = channel();
    for _ in 0..BUFFERS {
        let _ = empty.send(Vec::new());
    }
    thread::Builder::new()
        .name("stdin".into())
        .spawn(move || read_all(stdin, buffers, |chunk| mailbox.post(chunk.into()).is_ok()))?;
    Ok(BufferReturn { empty })
}

/// Starts reading a file; what it brings is posted under this number.
///
/// # Errors
/// When the system gives no thread.
pub fn read_file_in_background(file: File, number: u64, mailbox: Mailbox<Mail>) -> io::Result<BufferReturn> {
    let (empty, buffers) = channel();
    for _ in 0..BUFFERS {
        let _ = empty.send(Vec::new());
    }
    let post = move |chunk| mailbox.post(Mail::File(number, chunk)).is_ok();
    // The loop's thread starts it, which is the one to be told that the process was stopped; no other may be.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let started = thread::Builder::new().name("file".into()).spawn(move || read_all(file, buffers, post));
    before.thread_set_mask()?;
    started?;
    Ok(BufferReturn { empty })
}

fn read_all(mut from: File, buffers: Receiver<Vec<u8>>, post: impl Fn(Chunk) -> bool) {
    for mut buffer in buffers {
        buffer.resize(BUFFER_BYTES, 0);
        let chunk = match read_some(&mut from, &mut buffer) {
            Ok(0) => Chunk::Ended(None),
            Ok(count) => {
                buffer.truncate(count);
                Chunk::Bytes(buffer)
            }
            // A terminal that was hung up says so by an error; there is nobody left to tell.
            Err(error) if is_hung_up(&error) => Chunk::Ended(None),
            Err(error) => Chunk::Ended(Some(error)),
        };
        let ended = matches!(chunk, Chunk::Ended(_));
        if !post(chunk) || ended {
            return;
        }
    }
}

fn read_some(stdin: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut was_refused = false;
    loop {
        match stdin.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Somebody who shares it has made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_for_input(stdin)?,
            Err(_) if is_in_background(stdin) => {
                was_refused = false;
                thread::park_timeout(BACKGROUND_PAUSE);
                wait_for_input(stdin)?;
            }
            // It may have come back to the foreground since the read.
            Err(error) if is_hung_up(&error) && !was_refused => was_refused = true,
            result => return result,
        }
    }
}

fn is_hung_up(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Waits until something can be read. Unlike reading, this may be done in the background, too.
fn wait_for_input(stdin: &File) -> io::Result<()> {
    match poll(&mut [PollFd::new(stdin, PollFlags::IN)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether this is our terminal and another job has it in its hands. Of a terminal that was hung up nothing can
/// be learnt.
fn is_in_background(stdin: &File) -> bool {
    tcgetpgrp(stdin).is_ok_and(|foreground| foreground != getpgrp())
}
