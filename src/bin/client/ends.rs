//! Where the client hears and shows: stdin and stdout as they are, or a terminal at which lines are edited.

use std::io;
use std::time::Duration;

use switchboard::cli::{self, ClientArgs};
use switchboard::desk::text::{push_human, without_cr};
use switchboard::desk::{Protocol, terminal_repertoire};
use switchboard::internals::cannot;
use switchboard::terminal::{
    BufferReturn, Mail, Screen, Terminal, WhenFull, is_interactive, read_in_background,
};
use switchboard::{End, Frame, Mailbox};

use super::at_terminal::AtTerminal;

/// The two of them.
#[derive(Debug)]
pub enum Ends {
    /// Each by itself.
    Plain {
        /// Stdout.
        screen: Screen,
        /// A terminal gets what is fit for it, all else the bytes.
        is_for_person: bool,
    },
    /// Both are one terminal, whose last rows are being edited.
    Terminal {
        /// It, and what is on it.
        terminal: Terminal<AtTerminal>,
        /// There is something to be drawn.
        has_news: bool,
    },
}

impl Ends {
    /// The ends as they are here; nothing is read yet.
    pub fn open(is_plain: bool, is_for_person: bool, mailbox: Mailbox<Mail>) -> Result<Ends, String> {
        if is_plain || !is_interactive() {
            let screen = Screen::stdout(WhenFull::Wait, mailbox).map_err(cannot("use stdout"))?;
            return Ok(Ends::Plain { screen, is_for_person });
        }
        let is_coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let terminal = Terminal::new(AtTerminal::new(terminal_repertoire(), is_coloured));
        Ok(Ends::Terminal { terminal: terminal.map_err(cannot("use the terminal"))?, has_news: false })
    }

    /// Begins to read. Returns where the buffers go back to that come from there, if any do.
    pub fn begin(&self, mailbox: Mailbox<Mail>) -> Result<Option<BufferReturn>, String> {
        match self {
            Ends::Plain { .. } => read_in_background(mailbox).map(Some).map_err(cannot("read stdin")),
            Ends::Terminal { terminal, .. } => {
                // When the loop has ended there is nobody who wants to know.
                let post = move |mail| {
                    let _ = mailbox.post(mail);
                };
                terminal.begin(post).map(|()| None).map_err(cannot("use the terminal"))
            }
        }
    }

    /// Shows what the server said.
    pub fn show(&mut self, frame: &Frame<'_>) {
        match self {
            Ends::Plain { screen, is_for_person: true } => screen.put(|out| {
                push_human(out, without_cr(frame.bytes));
                if frame.end == End::Newline {
                    out.push(b'\n');
                }
            }),
            Ends::Plain { screen, .. } => screen.put(|out| out.extend_from_slice(frame.bytes)),
            Ends::Terminal { .. } => self.change(|person| person.said(frame)),
        }
    }

    /// Tells whoever has come to a server that speaks TLS without speaking it, from the first that it said.
    pub fn recognise(&mut self, bytes: &[u8]) {
        if Protocol::of_first_bytes(bytes) == Some(Protocol::Tls) {
            self.tell("the server speaks TLS: write tls: in front of its address");
        }
    }

    /// Says something of our own to a person.
    pub fn tell(&mut self, what: &str) {
        match self {
            Ends::Plain { .. } => cli::tell::<ClientArgs>(what),
            Ends::Terminal { .. } => {
                self.change(|person| person.tell(cli::told::<ClientArgs>(what)));
                self.hand_over();
            }
        }
    }

    /// Does something with a person whose line is edited, if there is one, that is to be seen.
    pub fn change(&mut self, change: impl FnOnce(&mut AtTerminal)) {
        if let Ends::Terminal { terminal, has_news } = self {
            change(&mut terminal.lock());
            *has_news = true;
        }
    }

    /// So many bytes wait for a server that takes nothing; or it does.
    pub fn set_waiting_bytes(&self, bytes: Option<usize>) {
        if let Ends::Terminal { terminal, .. } = self {
            terminal.lock().set_waiting_bytes(bytes);
        }
    }

    /// Whether more is to be shown only later. When there is room again, mail comes.
    pub fn are_full(&self) -> bool {
        match self {
            Ends::Plain { screen, .. } => screen.is_full(),
            Ends::Terminal { terminal, .. } => terminal.lock().is_full(),
        }
    }

    /// What was shown in this turn is to be seen.
    pub fn hand_over(&mut self) {
        match self {
            Ends::Plain { screen, .. } => screen.hand_over(),
            Ends::Terminal { terminal, has_news } => {
                if std::mem::take(has_news) {
                    terminal.wake();
                }
            }
        }
    }

    /// Waits until all is written, for `patience` at most, and leaves a terminal as it was before.
    pub fn close(self, patience: Duration) -> io::Result<()> {
        match self {
            Ends::Plain { mut screen, .. } => screen.close(patience).map(drop),
            Ends::Terminal { terminal, .. } => {
                terminal.lock().end();
                terminal.close(patience);
                Ok(())
            }
        }
    }
}
