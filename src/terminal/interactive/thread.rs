//! The thread itself: a frame, a sleep without a limit, and what has woken it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpgrp, getsid, kill_process_group};
use signal_hook::consts::SIGTSTP;
use signal_hook::low_level::emulate_default_handler;

use super::{Act, Interactive, Shared};
use crate::terminal::{screen, tty};

/// So many frames a second are drawn at most; what comes meanwhile comes with the next.
const FRAME: Duration = Duration::from_millis(10);

/// In the background, keys are left alone for so long before they are looked at again: mostly they are for the shell,
/// which takes them at once.
const BACKGROUND_PAUSE: Duration = Duration::from_millis(250);

/// In the background it is looked so often whether the terminal is ours again: a shell's `fg` tells a job that was
/// stopped, but not one that ran on.
const BACKGROUND_LOOK: Duration = Duration::from_secs(1);

/// A frame that is written within this time is seen as soon as it is there, and what is typed from then on was typed in
/// view of it. Nobody reacts faster; a program at the other end of the terminal may.
const AT_ONCE: Duration = Duration::from_millis(50);

/// What is typed is read in pieces of this size.
const READ_BYTES: usize = 16 << 10;

/// What the thread has.
pub(super) struct Thread<D> {
    pub shared: Arc<Shared<D>>,
    pub stdin: File,
    pub stdout: File,
    pub signals: UnixStream,
    pub woken: UnixStream,
    /// SIGTSTP came from elsewhere.
    pub stopped: Arc<AtomicBool>,
    /// The process goes on after a stop.
    pub continued: Arc<AtomicBool>,
    /// The stop was our own doing, and nothing was drawn then.
    pub has_erased: bool,
    /// The terminal is ours, and set for editing.
    pub edits: bool,
    /// There may be more input.
    pub reads: bool,
    pub drawn_at: Option<Instant>,
    /// Something waits to be read that was typed before that frame was seen.
    pub typed_unseen: bool,
    pub out: String,
}

/// What has come.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    stdin: bool,
    signals: bool,
}

impl<D: Interactive> Thread<D> {
    /// Goes on until it is told to close, also when nobody wants what is typed any more: there may be something left to
    /// be seen, and what is typed by then is for nobody else.
    pub fn run(mut self, post: impl Fn(D::Mail)) {
        loop {
            self.take_terminal();
            let is_last = self.shared.closing.load(Ordering::Acquire);
            self.shared.is_awake.store(false, Ordering::Release);
            let mut acts = Vec::new();
            let again_at = match self.draw(&mut acts) {
                Ok(again_at) => again_at,
                Err(error) => {
                    tty::restore();
                    let mail = self.shared.lock().failed(error);
                    return post(mail);
                }
            };
            if is_last && again_at.is_none_or(|at| at > Instant::now()) {
                let _ = self.erase();
                return;
            }
            let mut is_more = !acts.is_empty();
            if self.drawn_at.is_some() {
                if std::mem::take(&mut self.typed_unseen) {
                    self.take_input(&post);
                    is_more = true;
                }
                self.shared.lock().frame_is_written();
            }
            self.act(acts, &post);
            if is_more {
                continue;
            }
            let ready = self.wait(again_at);
            if ready.signals {
                self.take_signals();
            }
            if ready.stdin {
                self.take_input(&post);
            }
        }
    }

    /// Sets the terminal for editing as soon as it is in our hands.
    fn take_terminal(&mut self) {
        let may_edit = self.reads && tty::is_in_foreground();
        if may_edit && !self.edits {
            self.edits = tty::begin_editing().is_ok();
        } else if !may_edit && self.edits {
            // Whoever took it has set it as it is.
            self.edits = false;
            if self.reads { tty::forget() } else { tty::lend() }
        }
    }

    fn draw(&mut self, acts: &mut Vec<Act<D::Mail>>) -> io::Result<Option<Instant>> {
        if let Some(pause) = self.drawn_at.map(|at| FRAME.saturating_sub(at.elapsed())) {
            thread::park_timeout(pause);
        }
        let mut desk = self.shared.lock();
        desk.resize(tty::size());
        let again_at = desk.frame(self.edits, Instant::now(), &mut self.out, acts);
        drop(desk);
        self.drawn_at = None;
        if !self.out.is_empty() {
            let typed_before = self.has_input();
            let begun_at = Instant::now();
            self.write()?;
            let drawn_at = Instant::now();
            // A terminal that takes its time (Ctrl-S, a slow line) shows the frame before it meanwhile.
            let took_long = drawn_at.duration_since(begun_at) > AT_ONCE;
            self.typed_unseen = typed_before || took_long && self.has_input();
            self.drawn_at = Some(drawn_at);
        }
        Ok(again_at)
    }

    fn erase(&mut self) -> io::Result<()> {
        self.shared.lock().erase(&mut self.out);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let written = screen::write_whole(&mut self.stdout, self.out.as_bytes());
        self.out.clear();
        written
    }

    fn has_input(&self) -> bool {
        if !self.reads {
            return false;
        }
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut fds = [PollFd::new(&self.stdin, PollFlags::IN)];
        poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// Sleeps until something comes, without a limit where nothing is asked for and the terminal is ours.
    fn wait(&self, until: Option<Instant>) -> Ready {
        let look_at = (self.reads && !self.edits).then(|| Instant::now() + BACKGROUND_LOOK);
        let until = [until, look_at].into_iter().flatten().min();
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
        });
        let mut fds = [
            PollFd::new(&self.woken, PollFlags::IN),
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::new(&self.stdin, PollFlags::IN),
        ];
        let count = if self.reads { 3 } else { 2 };
        // An interrupted call has seen a signal, which is in the pipe.
        let _ = poll(&mut fds[..count], timeout.as_ref());
        let is_ready = |at: usize| !fds[at].revents().is_empty();
        let ready = Ready { signals: is_ready(1), stdin: count > 2 && is_ready(2) };
        if is_ready(0) {
            drain(&self.woken);
        }
        ready
    }

    /// A new size is looked for with each frame. After a stop the terminal is set anew; one from elsewhere is obeyed.
    fn take_signals(&mut self) {
        drain(&self.signals);
        if self.stopped.swap(false, Ordering::AcqRel) {
            self.suspend();
        }
        if self.continued.swap(false, Ordering::AcqRel) {
            // Whatever the shell did to the terminal, it is set again.
            self.edits = false;
            // Where there is no shell, nobody has written here meanwhile, and what was drawn is where it was.
            if !std::mem::take(&mut self.has_erased) && !has_no_shell() {
                self.shared.lock().forget_drawn();
            }
        }
    }

    fn take_input(&mut self, post: &impl Fn(D::Mail)) {
        if !self.edits && !tty::is_in_foreground() {
            return thread::park_timeout(BACKGROUND_PAUSE);
        }
        let mut bytes = [0; READ_BYTES];
        let count = match self.stdin.read(&mut bytes) {
            Ok(0) => return self.end_input(None, post),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => return,
            Err(_) if !tty::is_in_foreground() && !is_hung_up() => return,
            // A terminal that was hung up says so by an error; there is nobody left to tell.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                return self.end_input(None, post);
            }
            Err(error) => return self.end_input(Some(error), post),
        };
        let mut acts = Vec::new();
        self.shared.lock().typed(&bytes[..count], Instant::now(), &mut acts);
        self.act(acts, post);
    }

    fn act(&mut self, acts: Vec<Act<D::Mail>>, post: &impl Fn(D::Mail)) {
        for act in acts {
            match act {
                Act::Post(mail) => post(mail),
                Act::Run(run) => run(),
                Act::LookUp(look_up) => {
                    let found = look_up();
                    self.shared.lock().looked_up(found);
                }
                Act::Suspend => self.suspend_job(),
                Act::EndInput => self.reads = false,
            }
        }
    }

    fn end_input(&mut self, error: Option<io::Error>, post: &impl Fn(D::Mail)) {
        self.reads = false;
        let mail = self.shared.lock().ended(error);
        post(mail);
    }

    /// Ctrl-Z: the whole job stops, as it would where the terminal sends the signal. Where nobody could bring it back
    /// it goes on: the terminal's own program, in a window that has no shell.
    fn suspend_job(&mut self) {
        if has_no_shell() {
            return self.shared.lock().cannot_suspend();
        }
        // It reaches this process as well, whose handler only notes it.
        let _ = kill_process_group(getpgrp(), Signal::TSTP);
        self.suspend();
        drain(&self.signals);
        self.stopped.store(false, Ordering::Release);
    }

    fn suspend(&mut self) {
        let _ = self.erase();
        tty::lend();
        self.edits = false;
        self.has_erased = true;
        let _ = emulate_default_handler(SIGTSTP);
    }
}

impl<D> Drop for Thread<D> {
    /// Whoever waits for the last of it waits no longer, however it came to its end.
    fn drop(&mut self) {
        tty::restore();
        *self.shared.is_done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.done.notify_all();
    }
}

/// Whether this is the terminal's own program, or that is a script of which this is a part: nobody takes the terminal
/// while it is stopped, nor would bring it back.
fn has_no_shell() -> bool {
    getsid(None).is_ok_and(|session| session == getpgrp())
}

/// Whether there is no terminal any more.
fn is_hung_up() -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut fds, Some(&at_once)).is_ok() && fds[0].revents().contains(PollFlags::HUP)
}

fn drain(mut from: &UnixStream) {
    while from.read(&mut [0; 64]).is_ok_and(|count| count == 64) {}
}
