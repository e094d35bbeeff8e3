//! The link to this process's own screens: events and replies go in, typed; they come out on the right screen, spelt by
//! the desk's face.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::time::Duration;

use jiff::Timestamp;

use crate::buffer::framing::Frame;
use crate::reactor::mailbox::Mailbox;

use super::command::View;
use super::event::{Event, Who};
use super::json::{ReplyFrame, Writer};
use super::reply::Reply;
use super::text::{Format, Renderer, Repertoire, Stamp};
#[cfg(any(test, feature = "simulator"))]
use crate::terminal::CapturedScreen;
use crate::terminal::{LogWriter, Mail, Screen, WhenFull};

/// What spells at a desk.
#[derive(Debug)]
enum Face {
    Text(Text),
    Json(Writer),
}

#[derive(Debug)]
struct Text {
    renderer: Renderer,
    format: Format,
    stamp: Stamp,
    /// Whether stdout is a terminal that shows all there is in one order.
    all_on_out: bool,
    /// Whether what goes to stderr has the time in front: it is a log there, and nobody looks on.
    stamps_status: bool,
    /// Whether the lines `-> …`, which say that something was sent, are left out.
    is_quiet: bool,
}

/// How a desk is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// For people and simple scripts.
    Text(Format),
    /// For programs.
    Json,
}

/// The screens of one operator.
#[derive(Debug)]
pub struct Screens {
    face: Face,
    out: Screen,
    err: Screen,
}

impl Screens {
    /// Screens on stdout and stderr. `lossless`: whatever is no terminal gets every message, so whoever
    /// puts messages here has to mind `is_full`. The screens' threads post their notices to `mailbox`.
    ///
    /// # Errors
    /// When the system gives no descriptor or no thread.
    pub fn open(
        spelling: Spelling,
        lossless: bool,
        is_quiet: bool,
        mailbox: Mailbox<Mail>,
    ) -> io::Result<Screens> {
        let on_terminal = io::stdout().is_terminal();
        let when_full = if lossless && !on_terminal { WhenFull::Wait } else { WhenFull::Skip };
        let face = match spelling {
            Spelling::Json => Face::Json(Writer::default()),
            Spelling::Text(format) => {
                let all_on_out = on_terminal && format == Format::Human;
                let renderer = match all_on_out {
                    true => Renderer::for_terminal(terminal_repertoire()),
                    false => Renderer::new(format),
                };
                let stamps_status = !io::stderr().is_terminal();
                Face::Text(Text {
                    renderer,
                    format,
                    stamp: Stamp::local(),
                    all_on_out,
                    stamps_status,
                    is_quiet,
                })
            }
        };
        Ok(Screens { face, out: Screen::stdout(when_full, mailbox.clone())?, err: Screen::stderr(mailbox)? })
    }

    /// The link in memory: screens without threads. For stdout and for stderr, what is to be shown is
    /// taken out of a captured screen. They are full at these marks.
    #[cfg(any(test, feature = "simulator"))]
    pub fn in_memory(
        spelling: Spelling,
        when_full: WhenFull,
        out_mark_bytes: usize,
        err_mark_bytes: usize,
    ) -> (Screens, CapturedScreen, CapturedScreen) {
        let (out, captured_out) = Screen::on_reel(when_full, out_mark_bytes);
        let (err, captured_err) = Screen::on_reel(WhenFull::Skip, err_mark_bytes);
        let face = match spelling {
            Spelling::Json => Face::Json(Writer::default()),
            Spelling::Text(format) => Face::Text(Text {
                renderer: Renderer::new(format),
                format,
                stamp: Stamp::local(),
                all_on_out: false,
                stamps_status: false,
                is_quiet: false,
            }),
        };
        (Screens { face, out, err }, captured_out, captured_err)
    }

    /// Whether programs read here: everything is told in one order, and nobody is made to wait.
    pub fn is_json(&self) -> bool {
        matches!(self.face, Face::Json(_))
    }

    /// Whether people read here, and want to see what was said before they came.
    pub fn is_for_people(&self) -> bool {
        matches!(&self.face, Face::Text(text) if text.format == Format::Human)
    }

    /// What comes now has happened then; nothing: it happens now.
    pub fn set_time(&mut self, at: Option<Timestamp>) {
        if let Face::Text(text) = &mut self.face {
            text.stamp.set(at);
        }
    }

    /// Keeps what an event says, and shows nothing.
    pub fn knows(&mut self, event: &Event<'_>) {
        if let Face::Text(text) = &mut self.face {
            text.renderer.event(event, &mut Vec::new());
        }
    }

    /// Shows a line that is spelt already.
    pub fn line(&mut self, line: &[u8]) {
        self.out.put(|out| {
            out.extend_from_slice(line);
            out.push(b'\n');
        });
    }

    /// Shows a message, the most frequent of all events.
    #[inline]
    pub fn message(&mut self, who: Who<'_>, frame: &Frame<'_>, seq: u64, view: View) {
        let Screens { face, out, .. } = self;
        match face {
            Face::Text(Text { renderer, stamp, .. }) => {
                out.put(|out| renderer.message(who, frame, view, stamp, out));
            }
            Face::Json(writer) => out.put(|out| writer.message(who, frame, seq, out)),
        }
    }

    /// Shows an event where it belongs. `seq`: which one it is of the run.
    pub fn event(&mut self, event: &Event<'_>, seq: u64, view: View) {
        let Screens { face, out, err } = self;
        let text = match face {
            Face::Json(writer) => return out.put(|out| writer.event(event, seq, out)),
            Face::Text(text) => text,
        };
        let Text { renderer, stamp, .. } = text;
        match event {
            Event::Message(who, frame) => {
                out.put(|out| renderer.message(*who, frame, view, stamp, out));
            }
            Event::Listening(_, framing) => renderer.set_envelope(framing.envelope()),
            Event::Bye | Event::Drained(_) | Event::Finished(_) | Event::Typing(..) => {}
            Event::Sent { by, .. } if by.word().is_some() => {}
            // As the replies to what is typed: what was sent is no data.
            Event::Answered { .. } | Event::Sent { .. } if text.is_quiet => {}
            Event::Answered { .. } | Event::Sent { .. } if !text.all_on_out && !text.stamps_status => {
                err.put(|out| renderer.event(event, out));
            }
            Event::Answered { .. } | Event::Sent { .. } if !text.all_on_out => {
                err.put(|out| renderer.stamped_event(event, stamp, out));
            }
            _ if text.all_on_out || text.format == Format::Human => out.put(|out| renderer.event(event, out)),
            _ if text.stamps_status => err.put(|out| renderer.stamped_event(event, stamp, out)),
            _ => err.put(|out| renderer.event(event, out)),
        }
    }

    /// Shows the reply to a command of this desk.
    pub fn reply(&mut self, reply: &Reply<'_>, frame: ReplyFrame<'_>) {
        let Screens { face, out, err } = self;
        let text = match face {
            Face::Json(writer) => return out.put(|out| writer.reply(reply, frame, out)),
            Face::Text(text) => text,
        };
        if text.is_quiet && reply.says_sent() {
            return;
        }
        let Text { renderer, stamp, .. } = text;
        if text.all_on_out {
            out.put(|out| renderer.reply(reply, out));
        } else if text.stamps_status {
            err.put(|out| renderer.stamped_reply(reply, stamp, out));
        } else {
            err.put(|out| renderer.reply(reply, out));
        }
    }

    /// A connection has another name now.
    pub fn forget_label(&mut self, serial: u64) {
        if let Face::Text(text) = &mut self.face {
            text.renderer.forget_label(serial);
        }
    }

    /// Hands what was shown in this turn to the screens.
    pub fn hand_over(&mut self) {
        self.out.hand_over();
        self.err.hand_over();
        let skipped = self.out.take_skipped() + self.err.take_skipped();
        if skipped > 0 {
            self.event(&Event::Skipped(skipped), 0, View::Text);
            self.out.hand_over();
            self.err.hand_over();
        }
        match &mut self.face {
            Face::Text(text) => text.stamp.expire(),
            Face::Json(writer) => writer.expire(),
        }
    }

    /// Whether messages should wait. When there is room again, mail comes.
    pub fn is_full(&self) -> bool {
        self.out.is_full()
    }

    /// Whether what comes next would wait, or be skipped.
    pub fn has_no_room(&self) -> bool {
        self.out.has_no_room()
    }

    /// Whether each line of the log should have the time in front, as the other status lines have.
    pub fn stamps_log(&self) -> bool {
        match &self.face {
            Face::Text(text) => !text.all_on_out && text.stamps_status,
            Face::Json(_) => true,
        }
    }

    /// A writer for the log, which goes where the other status lines go.
    pub fn log_writer(&self) -> LogWriter {
        match &self.face {
            Face::Text(text) if text.all_on_out => self.out.log_writer(),
            _ => self.err.log_writer(),
        }
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
