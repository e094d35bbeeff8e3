//! A chat's book: each message is awaited on all other connections, once, in its sender's order.

use std::collections::VecDeque;

use crate::clock::Moment;

use super::message::Template;

/// How far into a line a relay's label (`<#3> `, `<user5> `) may reach.
const LABEL_BYTES_MAX: usize = 32;

/// Who said what, and who has heard it.
#[derive(Debug)]
pub struct Book {
    senders: Vec<Sender>,
    /// How many of each sender's messages each receiver has heard: receivers by senders.
    heard: Vec<u32>,
    /// Receivers that are no more; nobody waits for them.
    gone: Vec<bool>,
    first_conn: u64,
    /// Messages that should have left before this do not count.
    counts_from: Moment,
}

#[derive(Debug, Default)]
struct Sender {
    said: u64,
    /// What somebody has not heard yet, oldest first.
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    line: Vec<u8>,
    scheduled: Moment,
    sent: Moment,
    missing: usize,
}

/// Messages that everybody has heard by now, or will never hear: their sender may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complete {
    /// The sender's place.
    pub sender: usize,
    /// How many of its messages.
    pub count: u64,
    /// How many of these count.
    pub counted: u64,
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message, as it was sent; so many of its sender's were lost on the way to this receiver.
    Message { scheduled: Moment, sent: Moment, lost: u64, complete: Complete },
    /// A message once more.
    Duplicated,
    /// A message of somebody's, with so many bytes wrong.
    Corrupted { bytes: u64, complete: Complete },
    /// Something that is no message, such as an announcement of the server.
    Other,
}

impl Book {
    /// A book for so many connections, numbered from `first_conn`.
    pub fn new(connections: usize, first_conn: u64) -> Book {
        let senders = (0..connections).map(|_| Sender::default()).collect();
        Book {
            senders,
            heard: vec![0; connections * connections],
            gone: vec![false; connections],
            first_conn,
            counts_from: Moment::default(),
        }
    }

    /// Counts only messages that should have left at this moment or later.
    pub fn count_from(&mut self, moment: Moment) {
        self.counts_from = moment;
    }

    /// Notes that the connection at this place said a line (without its ending).
    pub fn say(&mut self, sender: usize, line: &[u8], scheduled: Moment, sent: Moment) {
        let missing = self.gone.iter().filter(|gone| !**gone).count() - 1;
        let sender = &mut self.senders[sender];
        sender.said += 1;
        sender.pending.push_back(Pending { line: line.to_vec(), scheduled, sent, missing });
    }

    /// A receiver is no more: what it had not heard is not awaited from it. Whose messages are complete
    /// by that.
    pub fn leave(&mut self, receiver: usize) -> Vec<Complete> {
        if std::mem::replace(&mut self.gone[receiver], true) {
            return Vec::new();
        }
        let (count, counts_from) = (self.senders.len(), self.counts_from);
        let others = self.senders.iter_mut().enumerate().filter(|(place, _)| *place != receiver);
        let complete = others.map(|(place, sender)| {
            let first_pending = sender.said - sender.pending.len() as u64;
            let unheard = u64::from(self.heard[receiver * count + place]).saturating_sub(first_pending);
            for pending in sender.pending.iter_mut().skip(unheard as usize) {
                pending.missing = pending.missing.saturating_sub(1);
            }
            sender.pop_complete(place, counts_from)
        });
        complete.filter(|complete| complete.count > 0).collect()
    }

    /// Messages of this sender that somebody has not heard.
    pub fn pending(&self, sender: usize) -> usize {
        self.senders[sender].pending.len()
    }

    /// Judges a line (without its ending) that the connection at this place received.
    pub fn hear(&mut self, receiver: usize, line: &[u8], template: &Template) -> Heard {
        let text = without_label(line);
        let place = template.conn_of(text).and_then(|conn| conn.checked_sub(self.first_conn));
        let place = place.and_then(|place| usize::try_from(place).ok());
        let Some(place) = place.filter(|place| *place < self.senders.len()) else { return Heard::Other };
        if place == receiver {
            // Nobody is told its own words.
            return Heard::Duplicated;
        }
        let counts_from = self.counts_from;
        let heard = &mut self.heard[receiver * self.senders.len() + place];
        let sender = &mut self.senders[place];
        let first_pending = sender.said - sender.pending.len() as u64;
        // What was given up on is behind everybody.
        *heard = (*heard).max(first_pending as u32);
        let at = u64::from(*heard).checked_sub(first_pending);
        let next = at.and_then(|at| sender.pending.get(at as usize));
        if next.is_some_and(|next| next.line == text) {
            *heard += 1;
            return sender.heard_at(at.unwrap_or(0) as usize, place, 0, counts_from);
        }
        let Some(seq) = template.claim(text).and_then(|claim| claim.seq) else {
            let Some(next) = next else { return Heard::Other };
            let differing = next.line.iter().zip(text).filter(|(right, got)| right != got).count();
            let wrong = differing + next.line.len().abs_diff(text.len());
            *heard += 1;
            // It has been heard, if wrongly; whoever waits for that may go on.
            let complete = sender.heard_at(at.unwrap_or(0) as usize, place, 0, counts_from).complete();
            return Heard::Corrupted { bytes: wrong as u64, complete };
        };
        if seq < u64::from(*heard) {
            return Heard::Duplicated;
        }
        if seq >= sender.said {
            return Heard::Other;
        }
        // Those in between were left out.
        let lost = seq - u64::from(*heard);
        *heard = (seq + 1) as u32;
        sender.heard_at((seq - first_pending) as usize, place, lost, counts_from)
    }

    /// Gives up on messages sent before `oldest`: whose they were, when each should have left, and how
    /// many receptions are missing.
    pub fn give_up(&mut self, oldest: Moment) -> Vec<(usize, Moment, u64)> {
        let mut given_up = Vec::new();
        for (place, sender) in self.senders.iter_mut().enumerate() {
            while let Some(pending) = sender.pending.front().filter(|pending| pending.sent < oldest) {
                given_up.push((place, pending.scheduled, pending.missing as u64));
                sender.pending.pop_front();
            }
        }
        given_up
    }

    /// What nobody may be waiting for any more: when each should have left, and how many receptions are
    /// missing.
    pub fn missing(&self) -> impl Iterator<Item = (Moment, u64)> {
        let pending = self.senders.iter().flat_map(|sender| &sender.pending);
        pending
            .filter(|pending| pending.missing > 0)
            .map(|pending| (pending.scheduled, pending.missing as u64))
    }
}

impl Heard {
    fn complete(self) -> Complete {
        match self {
            Heard::Message { complete, .. } | Heard::Corrupted { complete, .. } => complete,
            Heard::Duplicated | Heard::Other => Complete { sender: 0, count: 0, counted: 0 },
        }
    }
}

impl Sender {
    /// Takes off the messages of the sender at this place that everybody has heard; those count that should
    /// have left at `counts_from` or later.
    fn pop_complete(&mut self, place: usize, counts_from: Moment) -> Complete {
        let mut complete = Complete { sender: place, count: 0, counted: 0 };
        while let Some(pending) = self.pending.front().filter(|pending| pending.missing == 0) {
            complete.count += 1;
            complete.counted += u64::from(pending.scheduled >= counts_from);
            self.pending.pop_front();
        }
        complete
    }

    fn heard_at(&mut self, at: usize, place: usize, lost: u64, counts_from: Moment) -> Heard {
        // Those before it that this receiver skipped will not come any more.
        for skipped in self.pending.range_mut(at - lost as usize..at) {
            skipped.missing = skipped.missing.saturating_sub(1);
        }
        let pending = &mut self.pending[at];
        pending.missing = pending.missing.saturating_sub(1);
        let (scheduled, sent) = (pending.scheduled, pending.sent);
        let complete = self.pop_complete(place, counts_from);
        Heard::Message { scheduled, sent, lost, complete }
    }
}

/// What stands behind a relay's label, if there is one.
fn without_label(line: &[u8]) -> &[u8] {
    if line.first() != Some(&b'<') {
        return line;
    }
    let label = &line[..line.len().min(LABEL_BYTES_MAX)];
    match label.windows(2).position(|pair| pair == b"> ") {
        Some(at) => &line[at + 2..],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three connections, of which the first has said two messages.
    fn book() -> (Book, Template, [Vec<u8>; 2]) {
        let template = Template::of_size(40);
        let mut book = Book::new(3, 10);
        let lines = [0, 1].map(|seq| {
            let mut line = Vec::new();
            template.push(10, seq, &mut line);
            line.pop();
            line
        });
        for line in &lines {
            book.say(0, line, Moment::default(), Moment::default());
        }
        (book, template, lines)
    }

    fn message(count: u64, lost: u64) -> Heard {
        let now = Moment::default();
        Heard::Message {
            scheduled: now,
            sent: now,
            lost,
            complete: Complete { sender: 0, count, counted: count },
        }
    }

    #[test]
    fn a_message_is_complete_when_all_others_have_heard_it_with_or_without_a_label() {
        let (mut book, template, [first, second]) = book();
        let labelled = [b"<#1> ", &first[..]].concat();

        assert_eq!(book.hear(1, &first, &template), message(0, 0));
        assert_eq!(book.hear(1, &second, &template), message(0, 0));
        assert_eq!(book.hear(2, &labelled, &template), message(1, 0));

        assert_eq!(book.pending(0), 1);
    }

    #[test]
    fn a_message_that_was_given_up_on_does_not_confuse_those_behind_it() {
        let (mut book, template, [_, second]) = book();
        let later = Moment::default() + std::time::Duration::from_secs(1);

        let given_up = book.give_up(later);
        let mut third = Vec::new();
        template.push(10, 2, &mut third);
        third.pop();
        book.say(0, &third, later, later);

        assert_eq!(given_up.len(), 2);
        assert_eq!(book.hear(1, &second, &template), Heard::Duplicated, "nobody waits for it any more");
        assert!(matches!(book.hear(1, &third, &template), Heard::Message { lost: 0, .. }));
    }

    #[test]
    fn what_is_wrong_is_called_by_its_name() {
        let (mut book, template, [first, second]) = book();
        let mut garbled = first.clone();
        garbled[35] ^= 1;

        assert_eq!(book.hear(1, b"* #3 joined", &template), Heard::Other);
        assert_eq!(book.hear(0, &first, &template), Heard::Duplicated, "its own words");
        assert_eq!(
            book.hear(1, &garbled, &template),
            Heard::Corrupted { bytes: 1, complete: Complete { sender: 0, count: 0, counted: 0 } }
        );
        assert_eq!(book.hear(1, &second, &template), message(0, 0));
        assert_eq!(book.hear(1, &first, &template), Heard::Duplicated);
        assert_eq!(book.hear(2, &second, &template), message(2, 1));

        assert_eq!(book.pending(0), 0, "the one that was lost to #2 is waited for no more");
    }
}
