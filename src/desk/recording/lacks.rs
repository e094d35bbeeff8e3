//! What a transcript says itself that it does not have.

use crate::desk::text::plural;

/// What happened and is not in a transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// So many events were left out.
    events: u64,
    /// In so many places.
    holes: u64,
    /// The line of the first of them.
    first_line: u64,
    /// So many lines are torn.
    torn: u64,
    /// The first of them.
    first_torn: u64,
    /// So many bytes were sent and are not among what was said.
    bytes: u64,
    /// In so many conversations.
    conversations: usize,
}

impl Lacks {
    /// Events were left out here.
    pub fn hole(&mut self, line: u64, events: u64) {
        if self.holes == 0 {
            self.first_line = line;
        }
        self.holes += 1;
        self.events = self.events.saturating_add(events);
    }

    /// A line is torn: whoever wrote it was killed, or the disk was full.
    pub fn torn(&mut self, line: u64) {
        if self.torn == 0 {
            self.first_torn = line;
        }
        self.torn += 1;
    }

    /// A conversation has ended, in which so many bytes were sent and so many are told.
    pub fn ended(&mut self, sent: u64, told: u64) {
        self.bytes = self.bytes.saturating_add(sent.saturating_sub(told));
        self.conversations += usize::from(sent > told);
    }

    /// The same in words that go on behind the name of the file; `of`: how many conversations there are.
    pub fn in_words(&self, of: usize) -> Option<String> {
        let mut words = Vec::new();
        if self.holes > 0 {
            let events = plural(self.events, "event");
            let (holes, line) = (self.holes, self.first_line);
            words.push(match holes {
                1 => format!("leaves out {events} at line {line}"),
                _ => format!("leaves out {events} in {holes} places, the first at line {line}"),
            });
        }
        if self.torn > 0 {
            let (times, line) = (self.torn, self.first_torn);
            words.push(match times {
                1 => format!("breaks off at line {line}"),
                _ => format!("breaks off {times} times, first at line {line}"),
            });
        }
        if self.bytes > 0 {
            let (bytes, ended) = (plural(self.bytes, "byte"), self.conversations);
            let were = if self.bytes == 1 { "was" } else { "were" };
            words.push(format!(
                "lacks {bytes} that {were} sent, in {ended} of its {} (a chat's lines are such, and what came in a hole)",
                plural(of as u64, "conversation")
            ));
        }
        (!words.is_empty()).then(|| words.join(", and "))
    }
}
