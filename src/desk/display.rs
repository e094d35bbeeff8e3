//! A desk: where somebody operates. Events go in, typed; they come out on the right screen in the
//! right format.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::reactor::mailbox::Mailbox;

use super::event::Event;
use super::text::{Renderer, Repertoire, Stamp};
#[cfg(any(test, feature = "simulator"))]
use crate::terminal::CapturedScreen;
use crate::terminal::{LogWriter, Mail, Screen, WhenFull};

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
    /// Whether what goes to stderr has the time in front: it is a log there, and nobody looks on.
    stamps_status: bool,
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
        let all_on_out = on_terminal && format == Format::Human;
        let renderer =
            if all_on_out { Renderer::for_terminal(terminal_repertoire()) } else { Renderer::new(format) };
        Ok(Desk {
            renderer,
            format,
            stamp: Stamp::local(),
            out: Screen::stdout(when_full, mailbox.clone())?,
            err: Screen::stderr(mailbox)?,
            all_on_out,
            stamps_status: !io::stderr().is_terminal(),
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
    ) -> (Desk, CapturedScreen, CapturedScreen) {
        let (out, out_reel) = Screen::on_reel(when_full, out_mark_bytes);
        let (err, err_reel) = Screen::on_reel(WhenFull::Skip, err_mark_bytes);
        let renderer = Renderer::new(format);
        let stamp = Stamp::local();
        let desk = Desk { renderer, format, stamp, out, err, all_on_out: false, stamps_status: false };
        (desk, out_reel, err_reel)
    }

    /// Shows an event where it belongs.
    pub fn show(&mut self, event: &Event<'_>) {
        let Desk { renderer, stamp, stamps_status, .. } = self;
        let is_data = match event {
            Event::Message(..) => true,
            Event::Answer(_) => false,
            Event::Opened(..)
            | Event::Ended(..)
            | Event::Closed { .. }
            | Event::Skipped(_)
            | Event::TurnedAway(..) => self.format == Format::Human,
        };
        if is_data || self.all_on_out {
            self.out.put(|out| renderer.render(event, stamp, out));
        } else if *stamps_status {
            self.err.put(|out| renderer.render_stamped(event, stamp, out));
        } else {
            self.err.put(|out| renderer.render(event, stamp, out));
        }
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

    /// Whether each line of the log should have the time in front, as the other status lines have.
    pub fn stamps_log(&self) -> bool {
        !self.all_on_out && self.stamps_status
    }

    /// A writer for the log, which goes where the other status lines go.
    pub fn log_writer(&self) -> LogWriter {
        if self.all_on_out { self.out.log_writer() } else { self.err.log_writer() }
    }

    /// Waits until all was written, for `patience` at most; returns how many bytes of stdout were not.
    ///
    /// # Errors
    /// When stdout cannot be written to.
    pub fn close(mut self, patience: Duration) -> io::Result<usize> {
        self.hand_over();
        let unwritten = self.out.close(patience);
        // Whoever does not read stderr misses the last lines of it, but does not hold up the end.
        let _ = self.err.close(patience.min(Duration::from_secs(1)));
        unwritten
    }
}

/// Which characters the terminal shows, as the locale has it.
pub fn terminal_repertoire() -> Repertoire {
    repertoire_of(|name| std::env::var_os(name))
}

/// The first of the three variables that says something decides (locale(7)). Where none does, as in most
/// containers, and where a locale names no character set, it is UTF-8, as it is on nearly all systems; only
/// who asks for another one, or for the bare C locale, gets ASCII.
fn repertoire_of(variable: impl Fn(&str) -> Option<OsString>) -> Repertoire {
    let said =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let said = said.unwrap_or_default();
    let locale = said.to_string_lossy();
    let locale = locale.split('@').next().unwrap_or_default();
    let is_utf8 = match locale.split_once('.') {
        Some((_, charset)) => charset.replace('-', "").eq_ignore_ascii_case("utf8"),
        None => !matches!(locale, "C" | "POSIX"),
    };
    if is_utf8 { Repertoire::Unicode } else { Repertoire::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_which_characters_a_terminal_shows() {
        use Repertoire::{Ascii, Unicode};
        for (all, ctype, lang, repertoire) in [
            ("", "", "", Unicode),
            ("", "", "C.UTF-8", Unicode),
            ("", "", "en_US.utf8", Unicode),
            ("", "", "de_DE", Unicode),
            ("", "", "de_DE.UTF-8@euro", Unicode),
            ("", "", "C", Ascii),
            ("", "", "POSIX", Ascii),
            ("", "", "de_DE.ISO-8859-1", Ascii),
            ("", "", "zh_CN.GBK", Ascii),
            ("C", "", "en_US.UTF-8", Ascii),
            ("", "C", "en_US.UTF-8", Ascii),
            ("en_US.UTF-8", "C", "C", Unicode),
            ("", "en_US.UTF-8", "C", Unicode),
        ] {
            let variables = [("LC_ALL", all), ("LC_CTYPE", ctype), ("LANG", lang)];
            let said = |name: &str| {
                let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
                Some(OsString::from(value))
            };
            assert_eq!(repertoire_of(said), repertoire, "{variables:?}");
        }
        assert_eq!(repertoire_of(|_| None), Unicode);
    }
}
