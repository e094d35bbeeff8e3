//! The thread that reads stdin. It blocks where it pleases, and the loop never does.
//!
//! It reads into one of a few buffers, posts the buffer, and gets it back when the App is done with it.
//! When none is left it waits: so much input can be under way and no more, and whoever writes into the
//! pipe waits, too.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

use crate::Mailbox;

use super::Mail;

/// The buffers under way: one being filled, one being worked on.
const BUFFERS: usize = 2;
const BUFFER_BYTES: usize = 128 << 10;

/// What reading brought.
#[derive(Debug)]
pub enum Chunk {
    /// Some bytes, cut anywhere. Give them back with `Source::give_back`.
    Bytes(Vec<u8>),
    /// Stdin has ended, or cannot be read. Nothing more will come.
    Ended(Option<io::Error>),
}

/// The App's end: it gives the buffers back.
#[derive(Debug)]
pub struct Source {
    empty: Sender<Vec<u8>>,
}

impl Source {
    /// Lets the thread fill this buffer again.
    pub fn give_back(&self, buffer: Vec<u8>) {
        // When the thread has ended there is nobody who wants it.
        let _ = self.empty.send(buffer);
    }
}

/// Starts reading stdin; what it brings is posted as `Mail::Stdin`.
///
/// # Errors
/// When the system gives no descriptor or no thread.
pub fn read_in_background(mailbox: Mailbox<Mail>) -> io::Result<Source> {
    // A duplicate of the descriptor is read past std's own buffer and lock. Its flags are shared with
    // whoever else has this terminal, so it is never made non-blocking.
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (empty, buffers) = channel();
    for _ in 0..BUFFERS {
        let _ = empty.send(Vec::new());
    }
    thread::Builder::new().name("stdin".into()).spawn(move || read_all(stdin, buffers, &mailbox))?;
    Ok(Source { empty })
}

fn read_all(mut stdin: File, buffers: Receiver<Vec<u8>>, mailbox: &Mailbox<Mail>) {
    for mut buffer in buffers {
        buffer.resize(BUFFER_BYTES, 0);
        let chunk = match read_some(&mut stdin, &mut buffer) {
            Ok(0) => Chunk::Ended(None),
            Ok(count) => {
                buffer.truncate(count);
                Chunk::Bytes(buffer)
            }
            // A terminal that was hung up says so by an error; there is nobody left to tell.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Chunk::Ended(None)
            }
            Err(error) => Chunk::Ended(Some(error)),
        };
        let ended = matches!(chunk, Chunk::Ended(_));
        if mailbox.post(Mail::Stdin(chunk)).is_err() || ended {
            return;
        }
    }
}

fn read_some(stdin: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stdin.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Somebody who shares it has made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(stdin, PollFlags::IN)], None)?;
            }
            result => return result,
        }
    }
}
