//! A desk: where somebody operates. Events go in, typed; they come out on the right screen in the
//! right format.

use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::Mailbox;

use super::Mail;
use super::answer::Event;
use super::render::Renderer;
#[cfg(any(test, feature = "simulator"))]
use super::screen::Reel;
use super::screen::{LogWriter, Screen, WhenFull};
use super::stamp::Stamp;

/// How messages look on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person: `12:03:04.123 #3> hello`, and events between them.
    Human,
    /// For scripts: `3<TAB>hello`, messages alone.
    Tsv,
    /// The bytes as they came.
    Raw,
}

/// The screens of one operator.
#[derive(Debug)]
pub struct Desk {
    renderer: Renderer,
    format: Format,
    stamp: Stamp,
    out: Screen,
    err: Screen,
    /// Whether stdout is a terminal that shows all there is in one order.
    all_on_out: bool,
}

impl Desk {
    /// A desk on stdout and stderr. `lossless`: whatever is no terminal gets every message, so whoever
    /// puts messages here has to mind `is_full`. The screens' threads post their notices to `mailbox`.
    ///
    /// # Errors
    /// When the system gives no descriptor or no thread.
    pub fn open(format: Format, lossless: bool, mailbox: Mailbox<Mail>) -> io::Result<Desk> {
        let on_terminal = io::stdout().is_terminal();
        let when_full = if lossless && !on_terminal { WhenFull::Wait } else { WhenFull::Skip };
        Ok(Desk {
            renderer: Renderer::new(format),
            format,
            stamp: Stamp::local(),
            out: Screen::stdout(when_full, mailbox.clone())?,
            err: Screen::stderr(mailbox)?,
            all_on_out: on_terminal && format == Format::Human,
        })
    }

    /// A desk whose screens have no threads: for stdout and for stderr, what is to be shown is taken out of
    /// a reel. They are full at these marks.
    #[cfg(any(test, feature = "simulator"))]
    pub fn on_reels(
        format: Format,
        when_full: WhenFull,
        out_mark_bytes: usize,
        err_mark_bytes: usize,
    ) -> (Desk, Reel, Reel) {
        let (out, out_reel) = Screen::on_reel(when_full, out_mark_bytes);
        let (err, err_reel) = Screen::on_reel(WhenFull::Skip, err_mark_bytes);
        let renderer = Renderer::new(format);
        let desk = Desk { renderer, format, stamp: Stamp::local(), out, err, all_on_out: false };
        (desk, out_reel, err_reel)
    }

    /// Shows an event where it belongs.
    pub fn show(&mut self, event: &Event<'_>) {
        let Desk { renderer, stamp, .. } = self;
        let is_data = match event {
            Event::Message(..) => true,
            Event::Answer(_) => false,
            Event::Opened(..) | Event::Ended(_) | Event::Closed { .. } | Event::Skipped(_) => {
                self.format == Format::Human
            }
        };
        let screen = if is_data || self.all_on_out { &mut self.out } else { &mut self.err };
        screen.put(|out| renderer.render(event, stamp, out));
    }

    /// Hands what was shown in this turn to the screens.
    pub fn hand_over(&mut self) {
        self.out.hand_over();
        self.err.hand_over();
        let skipped = self.out.take_skipped() + self.err.take_skipped();
        if skipped > 0 {
            self.show(&Event::Skipped(skipped));
            self.out.hand_over();
            self.err.hand_over();
        }
        self.stamp.expire();
    }

    /// Whether messages should wait. When there is room again, mail comes.
    pub fn is_full(&self) -> bool {
        self.out.is_full()
    }

    /// A writer for the log, which goes where the other status lines go.
    pub fn log_writer(&self) -> LogWriter {
        if self.all_on_out { self.out.log_writer() } else { self.err.log_writer() }
    }

    /// Waits until all was written, for `patience` at most; returns how many bytes of stdout were not.
    pub fn close(mut self, patience: Duration) -> usize {
        self.hand_over();
        let unwritten = self.out.close(patience);
        // Whoever does not read stderr misses the last lines of it, but does not hold up the end.
        self.err.close(patience.min(Duration::from_secs(1)));
        unwritten
    }
}
