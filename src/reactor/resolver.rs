//! Names are looked up by threads: the system's resolver blocks, for half a minute where its servers are silent, and
//! the loop never does. What a lookup brings is posted.
//!
//! There is no pool that waits for work: a thread is started where fewer than enough are under way, takes what waits,
//! and ends when nothing does. Who comes when all are busy waits: of a list of names that is carried out at once, none
//! fails for having been typed behind sixteen others.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::address::{Address, Endpoint};
use crate::reactor::mailbox::Mailbox;

/// Lookups under way at a time, a thread each. Most of them wait for a server somewhere, so it is not the processors
/// that bound them, but what such a server should be asked by one client.
const THREADS_MAX: usize = 16;
/// Lookups that wait for others. Where no server answers, which takes some 10 s to be sure of, the last of these waits
/// for ten minutes, and the time of its dial has long been over.
const WAITING_MAX: usize = 1024;

static LOOKUPS: Lookups = Lookups::new(THREADS_MAX, WAITING_MAX);

/// Looks up an endpoint in a thread of its own, and posts the message that `make` makes of its addresses, or of why
/// there are none; see `Endpoint::resolve` for both. Nothing bounds the time that it takes, but for a dial it is
/// bounded by `Limits::connect_max`. `Endpoint::literal` says whether there is anything to look up.
///
/// Sixteen are looked up at a time, by all reactors of the process together, and further ones wait. When the loop has
/// ended, what is found is dropped.
///
/// # Errors
/// When more than a thousand wait, or the system gives no thread. Then `make` is not called.
pub fn resolve_in_background<M: Send + 'static>(
    endpoint: Endpoint,
    mailbox: Mailbox<M>,
    make: impl FnOnce(io::Result<Vec<Address>>) -> M + Send + 'static,
) -> io::Result<()> {
    LOOKUPS.add(Box::new(move || {
        // When the loop has ended there is nobody who wants to know.
        let _ = mailbox.post(make(endpoint.resolve()));
    }))
}

type Lookup = Box<dyn FnOnce() + Send>;

/// Those under way, and those that wait.
#[derive(Debug)]
struct Lookups {
    threads_max: usize,
    waiting_max: usize,
    queue: Mutex<Queue>,
}

struct Queue {
    threads: usize,
    waiting: VecDeque<Lookup>,
}

impl Lookups {
    const fn new(threads_max: usize, waiting_max: usize) -> Lookups {
        let queue = Queue { threads: 0, waiting: VecDeque::new() };
        Lookups { threads_max, waiting_max, queue: Mutex::new(queue) }
    }

    /// Has it done as soon as there is a thread for it.
    fn add(&'static self, lookup: Lookup) -> io::Result<()> {
        let mut queue = self.queue();
        if queue.waiting.len() >= self.waiting_max {
            let told = format!("{} names wait to be looked up already", queue.waiting.len());
            return Err(io::Error::new(ErrorKind::QuotaExceeded, told));
        }
        queue.waiting.push_back(lookup);
        if queue.threads < self.threads_max {
            match start(move || self.work()) {
                Ok(()) => queue.threads += 1,
                // Those that are there will come to it.
                Err(_) if queue.threads > 0 => {}
                Err(error) => {
                    queue.waiting.pop_back();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn work(&self) {
        while let Some(lookup) = self.next() {
            // What a caller's `make` panics with was reported by the hook, and is no other lookup's affair.
            let _ = catch_unwind(AssertUnwindSafe(lookup));
        }
    }

    /// What is to be done next; where that is nothing, the thread that asks ends.
    fn next(&self) -> Option<Lookup> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        queue.threads -= usize::from(next.is_none());
        next
    }

    /// Nothing that panics is done while it is locked, but for want of memory.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("threads", &self.threads).field("waiting", &self.waiting.len()).finish()
    }
}

/// Starts a thread that is told no signal: a thread has the mask of the one that starts it, and the loop's is open for
/// SIGCONT, by which it and no other has to be told that the process was stopped (`Reactor::run`).
fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let started = thread::Builder::new().name("resolver".into()).spawn(work);
    before.thread_set_mask()?;
    started.map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    /// A lookup that says that it has begun and waits to be let go on, and the other ends of both.
    fn held(began: &Sender<usize>, number: usize) -> (Lookup, Sender<()>) {
        let (began, (go_on, wait)) = (began.clone(), channel());
        let wait: Receiver<()> = wait;
        let lookup = move || {
            let _ = began.send(number);
            let _ = wait.recv();
        };
        (Box::new(lookup), go_on)
    }

    #[test]
    fn so_many_are_looked_up_at_a_time_further_ones_wait_and_too_many_are_refused() {
        static TWO: Lookups = Lookups::new(2, 2);
        let (began, begun) = channel();
        let mut held_up: Vec<_> = Vec::new();
        for number in 1..=2 {
            let (lookup, go_on) = held(&began, number);
            TWO.add(lookup).unwrap();
            held_up.push(go_on);
            // Otherwise it may wait still when the next comes.
            assert_eq!(begun.recv_timeout(DEADLINE), Ok(number));
        }
        for number in 3..=4 {
            let (lookup, go_on) = held(&began, number);
            TWO.add(lookup).unwrap();
            held_up.push(go_on);
        }
        let refused = TWO.add(held(&began, 5).0).expect_err("two are under way and two wait");

        assert_eq!(refused.to_string(), "2 names wait to be looked up already");
        assert!(begun.try_recv().is_err(), "the others wait");
        held_up.remove(1).send(()).unwrap();
        assert_eq!(begun.recv_timeout(DEADLINE), Ok(3));
        drop(held_up);
        assert_eq!(begun.recv_timeout(DEADLINE), Ok(4));
        until_idle(&TWO);
    }

    #[test]
    fn a_lookup_that_panics_keeps_no_other_from_being_done() {
        static ONE: Lookups = Lookups::new(1, 10);
        let (began, begun) = channel();
        let (first, go_on) = held(&began, 1);
        ONE.add(first).unwrap();
        ONE.add(Box::new(|| std::panic::resume_unwind(Box::new("on purpose")))).unwrap();
        ONE.add(held(&began, 2).0).unwrap();

        drop(go_on);

        let numbers = [begun.recv_timeout(DEADLINE), begun.recv_timeout(DEADLINE)];
        assert_eq!(numbers, [Ok(1), Ok(2)]);
        until_idle(&ONE);
    }

    /// Waits until all threads have ended, so that nothing is left of a list that is done.
    fn until_idle(lookups: &Lookups) {
        let until = std::time::Instant::now() + DEADLINE;
        while lookups.queue().threads > 0 {
            assert!(std::time::Instant::now() < until, "{lookups:?}");
            thread::yield_now();
        }
        assert_eq!(lookups.queue().waiting.len(), 0);
    }
}
