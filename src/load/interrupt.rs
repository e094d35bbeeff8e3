//! An interrupt: heard of once by the whole process, and told to whatever runs at that moment.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::reactor::mailbox::Mailbox;
use crate::terminal::{Mail, Terminate, on_first_signal};

/// Where it is noted. A search makes many runs after one another, and handlers are registered only once.
#[derive(Clone, Debug)]
pub struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    /// None came; if one does, these want to know.
    Waiting(Vec<Mailbox<Mail>>),
    /// One came.
    Came,
}

impl Interrupt {
    /// Listens for the signals that ask for an end.
    ///
    /// # Errors
    /// When the system refuses the handlers or the thread.
    pub fn listen() -> io::Result<Interrupt> {
        let interrupt = Interrupt { state: Arc::new(Mutex::new(State::Waiting(Vec::new()))) };
        let heard = interrupt.clone();
        on_first_signal(move || heard.note())?;
        Ok(interrupt)
    }

    /// Tells these from now on, in place of those before; at once if it has come already.
    pub fn tell(&self, mailboxes: Vec<Mailbox<Mail>>) {
        let mut state = self.lock();
        match &mut *state {
            State::Waiting(waiting) => *waiting = mailboxes,
            State::Came => post(&mailboxes),
        }
    }

    fn note(&self) {
        let mut state = self.lock();
        if let State::Waiting(waiting) = &*state {
            post(waiting);
        }
        *state = State::Came;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn post(mailboxes: &[Mailbox<Mail>]) {
    for mailbox in mailboxes {
        // When the loop has ended there is nobody who wants to know.
        let _ = mailbox.post(Terminate.into());
    }
}
