//! The one way into the loop from outside: stdin, signals and other threads post here. Posting and
//! waking are one method, so nobody can forget to wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many messages wait at most; who posts one more waits. What a message may hold is bounded by who
/// makes it.
const WAITING_MAX: usize = 64;

/// Waking does not fail where memory is not short; then it is tried so many times.
const WAKES_MAX: usize = 3;

/// A handle for posting; clone it for each thread.
#[derive(Debug)]
pub struct Mailbox<M> {
    sender: SyncSender<M>,
    bell: Arc<WakeFlag>,
}

// Not derived: that would ask for `M: Clone`.
impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Mailbox { sender: self.sender.clone(), bell: self.bell.clone() }
    }
}

/// The loop has ended; the message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Wakes the loop, but only once until it has looked.
#[derive(Debug)]
struct WakeFlag {
    waker: mio::Waker,
    rung: AtomicBool,
}

/// The loop's end.
#[derive(Debug)]
pub(crate) struct MailReceiver<M> {
    receiver: Receiver<M>,
    bell: Arc<WakeFlag>,
}

pub(crate) fn mailbox<M>(waker: mio::Waker) -> (Mailbox<M>, MailReceiver<M>) {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let bell = Arc::new(WakeFlag { waker, rung: AtomicBool::new(false) });
    (Mailbox { sender, bell: bell.clone() }, MailReceiver { receiver, bell })
}

impl<M> Mailbox<M> {
    /// Posts a message and wakes the loop. Waits while too many are waiting.
    ///
    /// # Errors
    /// `Closed` when the loop has ended.
    pub fn post(&self, message: M) -> Result<(), Closed> {
        self.sender.send(message).map_err(|_| Closed)?;
        // Sent first, rung after: the loop lowers the flag before it looks, so either it finds this
        // message or it finds the flag raised again.
        let is_first = !self.bell.rung.swap(true, Ordering::SeqCst);
        if is_first && (0..WAKES_MAX).all(|_| self.bell.waker.wake().is_err()) {
            // Nobody has heard it, so the next one has to ring again.
            self.bell.rung.store(false, Ordering::SeqCst);
            log::warn!("cannot wake the loop; it is tried again with the next message");
        }
        Ok(())
    }
}

impl<M> MailReceiver<M> {
    /// Lowers the flag. To be called before the mail is taken.
    pub fn open(&self) {
        self.bell.rung.store(false, Ordering::SeqCst);
    }

    /// The next one, if there is one.
    pub fn next(&self) -> Option<M> {
        self.receiver.try_recv().ok()
    }
}
