//! The transcript: all events of the run as lines of JSON, in a file. It hears everything and answers nobody; nobody
//! waits for it. What it has no room for is counted, and the count stands where the hole is.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::buffer::framing::Frame;
use crate::reactor::mailbox::Mailbox;
use crate::terminal::{LogFile, Mail, Screen};

use super::event::{Event, Who};
use super::json::Writer;

/// A file with all that happens.
#[derive(Debug)]
pub struct Transcript {
    writer: Writer,
    link: Screen,
    path: PathBuf,
    pace: Pace,
    /// Under which number the end is told, when it has come.
    bye: Option<u64>,
}

/// Whether the file keeps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    KeepsUp,
    /// There is a hole, and nothing was told of it yet.
    HasHole,
    /// It was told, and is not told again before all is written.
    Behind,
}

impl Transcript {
    /// A transcript in this file. What becomes of the file is posted (`Mail::LogFile`).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(file: LogFile, mailbox: Mailbox<Mail>) -> std::io::Result<Transcript> {
        let path = file.path().to_owned();
        Ok(Transcript::over(Screen::log_file(file, mailbox)?, path))
    }

    fn over(link: Screen, path: PathBuf) -> Transcript {
        Transcript { writer: Writer::default(), link, path, pace: Pace::KeepsUp, bye: None }
    }

    /// Adds a message, the most frequent of all events. Kept out of the way of those who keep no transcript.
    #[inline(never)]
    pub fn message(&mut self, who: Who<'_>, frame: &Frame<'_>, seq: u64) {
        self.put(|writer, out| writer.message(who, frame, seq, out));
    }

    /// Adds an event.
    pub fn event(&mut self, event: &Event<'_>, seq: u64) {
        if matches!(event, Event::Bye) {
            // It stands behind all that is still to be written, and behind what has no room.
            self.bye = Some(seq);
            return;
        }
        self.put(|writer, out| writer.event(event, seq, out));
    }

    #[inline]
    fn put(&mut self, render: impl FnOnce(&mut Writer, &mut Vec<u8>)) {
        // Asked once: were it asked again, there might be room by then, and no word of the hole in front.
        if !self.link.makes_room() {
            self.link.skip();
            if self.pace == Pace::KeepsUp {
                self.pace = Pace::HasHole;
            }
            return;
        }
        self.mark_hole();
        let Transcript { writer, link, .. } = self;
        link.append(|out| render(writer, out));
    }

    /// Says how much is missing here, if anything is; returns whether that is so.
    #[inline]
    fn mark_hole(&mut self) -> bool {
        let Transcript { writer, link, .. } = self;
        let skipped = link.take_skipped();
        if skipped > 0 {
            link.append(|out| writer.event(&Event::Skipped(skipped), 0, out));
        }
        skipped > 0
    }

    /// Hands what was added in this turn to the thread.
    pub fn hand_over(&mut self) {
        if self.link.makes_room() {
            self.mark_hole();
        }
        self.link.hand_over();
        self.writer.expire();
    }

    /// What is to be told of how it keeps up: once, until it has caught up.
    pub fn news(&mut self) -> Option<String> {
        match self.pace {
            Pace::KeepsUp => None,
            Pace::HasHole => {
                self.pace = Pace::Behind;
                // Of one that cannot be written at all, that was told.
                let path = self.path.display();
                self.link.failure().is_none().then(|| {
                    format!(
                        "the transcript {path} cannot be written as fast as things happen: \
                         what is left out is counted in it"
                    )
                })
            }
            Pace::Behind => {
                if self.link.is_done() {
                    self.pace = Pace::KeepsUp;
                }
                None
            }
        }
    }

    /// Goes on in the file that has its name now. If that is another one, it begins with these events, of which nobody
    /// else is told: where it listens, and who is here already.
    pub fn reopen<'a>(&mut self, opening: impl Iterator<Item = Event<'a>>) {
        let mut lines = Vec::new();
        for event in opening {
            self.writer.past(&event, &mut lines);
        }
        self.link.reopen(lines);
    }

    /// How it is called.
    pub fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Waits until all was written, for `patience` at most, and not for one that cannot be written. Returns why there
    /// is something that was not.
    pub fn close(mut self, patience: Duration) -> Option<String> {
        let began = Instant::now();
        let unwritten = loop {
            self.hand_over();
            let unwritten = self.link.close(patience.saturating_sub(began.elapsed()));
            if !matches!(unwritten, Ok(0)) {
                break unwritten;
            }
            // What had no room up to now is counted behind what had, and that is to be written, too.
            let has_hole = self.mark_hole();
            let Transcript { writer, link, bye, .. } = &mut self;
            let is_over = bye.take().map(|seq| link.append(|out| writer.event(&Event::Bye, seq, out)));
            if !has_hole && is_over.is_none() {
                break unwritten;
            }
        };
        let why = match unwritten {
            Ok(0) => return None,
            Ok(_) => self.link.failure(),
            Err(error) => Some(error),
        };
        let why =
            why.map_or_else(|| "it takes too long".to_owned(), |error| crate::conn::reason::in_words(&error));
        Some(format!("the end of the transcript {} is missing: {why}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::buffer::framing::End;
    use crate::terminal::WhenFull;

    /// Whether there is a hole between the numbers of lines that `skipped` does not tell of.
    fn numbers(text: &str) -> Vec<String> {
        let part = |line: &str, key: &str| {
            let rest = line.split(&format!("\"{key}\":")).nth(1)?;
            Some(rest.split([',', '}']).next()?.to_owned())
        };
        text.lines()
            .map(|line| match part(line, "count") {
                Some(count) => format!("skipped {count}"),
                None => part(line, "seq").unwrap(),
            })
            .collect()
    }

    fn says(transcript: &mut Transcript, seq: u64) {
        let frame = Frame::of(b"hello", End::Newline);
        transcript.message(Who::nameless(1), &frame, seq);
    }

    #[test]
    fn h63_a_hole_at_the_very_end_is_counted_in_the_last_line() {
        let (link, file) = Screen::on_reel(WhenFull::Skip, 1);
        let mut transcript = Transcript::over(link, "/log".into());
        (1..=5).for_each(|seq| says(&mut transcript, seq));

        // Nothing was taken before the end began.
        let closed = thread::spawn(move || transcript.close(Duration::from_secs(30)));
        let mut written = Vec::new();
        while !closed.is_finished() {
            file.take(&mut written);
            thread::yield_now();
        }

        assert_eq!(closed.join().unwrap(), None);
        assert_eq!(numbers(&String::from_utf8(written).unwrap()), ["1", "2", "skipped 3"]);
    }

    #[test]
    fn h63_a_hole_is_counted_where_it_is_and_told_once() {
        let (link, file) = Screen::on_reel(WhenFull::Skip, 1);
        let mut transcript = Transcript::over(link, "/log".into());
        let mut written = Vec::new();

        // One line waits, one is being filled, and there is no room for more.
        (1..=5).for_each(|seq| says(&mut transcript, seq));
        transcript.hand_over();
        let told = [transcript.news(), transcript.news()];
        file.take(&mut written);
        says(&mut transcript, 6);
        says(&mut transcript, 7);
        for seq in 8..10 {
            transcript.hand_over();
            file.take(&mut written);
            says(&mut transcript, seq);
        }
        for _ in 0..3 {
            transcript.hand_over();
            file.take(&mut written);
        }

        let told_first = told[0].as_deref().unwrap_or_default();
        assert!(told_first.starts_with("the transcript /log cannot be written as fast as "), "{told:?}");
        assert_eq!(told[1], None);
        assert_eq!(transcript.news(), None, "it has caught up");
        let numbers = numbers(&String::from_utf8(written).unwrap());
        let (mut next, mut holes) = (1, 0);
        for number in &numbers {
            match number.strip_prefix("skipped ") {
                Some(count) => {
                    next += count.parse::<u64>().unwrap();
                    holes += 1;
                }
                None => {
                    assert_eq!(number, &next.to_string(), "{numbers:?}");
                    next += 1;
                }
            }
        }
        assert_eq!((next, holes > 0), (10, true), "{numbers:?}");
    }
}
