//! What is to be shown and was not yet written. A terminal that is slower than what happens loses the oldest messages
//! of those who say most, which are counted; what others say, replies, and who comes and goes are never skipped for them.

use std::collections::{HashMap, VecDeque};

/// So many bytes of messages wait at most.
const MESSAGES_BYTES_MAX: usize = 1 << 20;

/// So many bytes of all else. Whoever lists 20,000 connections has two megabytes.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What a peer said: the time, who, and its words.
    Message,
    /// A row of a message as bytes.
    Hex,
    /// What has happened to a connection, or to the server.
    Note,
    /// The same, where something was lost.
    Loss,
    /// A reply to a command.
    Reply,
    /// A reply that says that nothing was done.
    Refusal,
    /// What was typed here.
    Typed,
    /// A line of the log.
    Log,
}

impl Kind {
    /// Whether it is what a peer said.
    fn is_said(self) -> bool {
        matches!(self, Kind::Message | Kind::Hex)
    }
}

/// One line, without its end.
#[derive(Debug)]
pub struct Line {
    /// What it is.
    pub kind: Kind,
    /// Which connection it is about; 0 where it is about none.
    pub serial: u64,
    /// As it is to be read, with nothing in it that a terminal obeys.
    pub text: String,
}

/// The lines that wait.
#[derive(Debug, Default)]
pub struct Feed {
    lines: VecDeque<Line>,
    message_bytes: usize,
    kept_bytes: usize,
    skipped: u64,
}

impl Feed {
    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        let sum = if line.kind.is_said() { &mut self.message_bytes } else { &mut self.kept_bytes };
        *sum += line.text.len();
        self.lines.push_back(line);
        if self.message_bytes > MESSAGES_BYTES_MAX {
            self.skip_messages(MESSAGES_BYTES_MAX / 2);
        }
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.skip_others(KEPT_BYTES_MAX / 2);
        }
    }

    /// Skips messages until no more than so many bytes are left: the oldest of those of whom most waits, so that who
    /// says little loses nothing to who floods. Many at a time, so that each costs little.
    fn skip_messages(&mut self, bytes_left: usize) {
        let Feed { lines, message_bytes, skipped, .. } = self;
        let mut waiting: HashMap<u64, usize> = HashMap::new();
        for line in lines.iter().filter(|line| line.kind.is_said()) {
            *waiting.entry(line.serial).or_default() += line.text.len();
        }
        let share = share(waiting.values().copied().collect(), bytes_left);
        lines.retain(|line| {
            let own = waiting.get_mut(&line.serial).filter(|own| line.kind.is_said() && **own > share);
            let Some(own) = own else { return true };
            *own -= line.text.len();
            *message_bytes -= line.text.len();
            *skipped += 1;
            false
        });
    }

    /// The same for all else, whosever it is.
    fn skip_others(&mut self, bytes_left: usize) {
        let Feed { lines, kept_bytes, skipped, .. } = self;
        lines.retain(|line| {
            let is_kept = line.kind.is_said() || *kept_bytes <= bytes_left;
            if !is_kept {
                *kept_bytes -= line.text.len();
                *skipped += 1;
            }
            is_kept
        });
    }

    /// Drops the messages of those who are hidden from now on.
    pub fn hide(&mut self, is_hidden: impl Fn(u64) -> bool) {
        self.lines.retain(|line| !line.kind.is_said() || !is_hidden(line.serial));
        self.message_bytes =
            self.lines.iter().filter(|line| line.kind.is_said()).map(|line| line.text.len()).sum();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Takes lines of about so many bytes, the oldest first, and how many were skipped before them.
    pub fn take(&mut self, bytes_max: usize) -> (Vec<Line>, u64) {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max
            && let Some(line) = self.lines.pop_front()
        {
            let sum = if line.kind.is_said() { &mut self.message_bytes } else { &mut self.kept_bytes };
            *sum -= line.text.len();
            // Even an empty line takes a row.
            bytes += line.text.len() + 1;
            taken.push(line);
        }
        (taken, std::mem::take(&mut self.skipped))
    }
}

/// How much each may have, so that all together have no more than `sum_max`: whoever wants less has what it wants.
fn share(mut wanted: Vec<usize>, sum_max: usize) -> usize {
    wanted.sort_unstable();
    let mut left = sum_max;
    for (at, one) in wanted.iter().enumerate() {
        let share = left / (wanted.len() - at);
        if *one > share {
            return share;
        }
        left -= one;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: Kind, text: String) -> Line {
        Line { kind, serial: 7, text }
    }

    #[test]
    fn a_slow_terminal_loses_the_oldest_messages_and_nothing_else() {
        let mut feed = Feed::default();
        for number in 0..100_000 {
            feed.push(line(Kind::Message, format!("message {number:020}")));
            if number % 1000 == 0 {
                feed.push(line(Kind::Reply, format!("reply {number}")));
            }
        }

        let (lines, skipped) = feed.take(usize::MAX);

        let messages: Vec<&str> =
            lines.iter().filter(|line| line.kind == Kind::Message).map(|line| &*line.text).collect();
        assert_eq!(lines.len() - messages.len(), 100, "each reply");
        assert_eq!(messages.len() as u64 + skipped, 100_000);
        assert!(messages.len() * 28 <= MESSAGES_BYTES_MAX);
        assert_eq!(messages.last(), Some(&"message 00000000000000099999"), "the newest are kept");
        assert!(messages.is_sorted());
        assert!(feed.is_empty());
    }

    #[test]
    fn who_says_little_loses_nothing_to_who_floods() {
        let mut feed = Feed::default();
        for number in 0..1000 {
            feed.push(line(Kind::Message, "z".repeat(60_000)));
            feed.push(Line { kind: Kind::Message, serial: 4, text: format!("four says {number}") });
        }

        let (lines, skipped) = feed.take(usize::MAX);

        let of_four: Vec<&str> =
            lines.iter().filter(|line| line.serial == 4).map(|line| &*line.text).collect();
        assert_eq!(of_four, (0..1000).map(|number| format!("four says {number}")).collect::<Vec<_>>());
        assert_eq!((lines.len() - 1000) as u64 + skipped, 1000);
        assert!((lines.len() - 1000) * 60_000 <= MESSAGES_BYTES_MAX);
    }

    #[test]
    fn who_is_hidden_has_nothing_waiting_any_more() {
        let mut feed = Feed::default();
        feed.push(line(Kind::Message, "hidden".into()));
        feed.push(Line { kind: Kind::Message, serial: 8, text: "shown".into() });
        feed.push(line(Kind::Note, "* #7 closed".into()));

        feed.hide(|serial| serial == 7);

        let (lines, skipped) = feed.take(usize::MAX);
        assert_eq!(lines.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["shown", "* #7 closed"]);
        assert_eq!(skipped, 0);
    }
}
