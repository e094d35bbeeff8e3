//! Replies compared with what was sent on the same connection, byte for byte. As long as they agree
//! that is one comparison a read; where they differ, it is found out what went wrong.

use std::collections::VecDeque;
use std::mem;

use memchr::memchr;

use crate::clock::Moment;

use super::message::Template;

/// A line that nobody asked for is kept up to this length until its end comes.
pub const STRAY_BYTES_MAX: usize = 1 << 20;

/// What is awaited for a message.
#[derive(Clone, Debug)]
pub enum Expect {
    /// The message itself.
    Echo,
    /// A line of this text, whatever was sent.
    Line(Vec<u8>),
}

/// Messages of one size that left together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Bytes a message, line ending included.
    pub size: usize,
    /// How many of them.
    pub count: u64,
    /// When they should have left.
    pub scheduled: Moment,
    /// When they did.
    pub sent: Moment,
}

impl Run {
    /// Whether messages of both can be counted together.
    fn leaves_with(&self, other: &Run) -> bool {
        (self.size, self.scheduled, self.sent) == (other.size, other.scheduled, other.sent)
    }
}

/// What a piece of the replies turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding<'a> {
    /// Right answers, to these messages.
    Answered(Run),
    /// So many messages were left out, of so many bytes.
    Lost(u64, u64),
    /// So many bytes came once more.
    Duplicated(u64),
    /// So many bytes of an answer were wrong.
    Corrupted(u64),
    /// A line came in place of the fixed reply.
    OtherReply(&'a [u8]),
    /// So many bytes belong to another connection.
    CrossDelivered(u64),
    /// Nobody asked for this.
    Unasked(&'a [u8]),
}

/// What one connection has sent and not yet got back.
#[derive(Debug)]
pub struct Awaited {
    conn: u64,
    /// The bytes of all unanswered messages.
    expected: VecDeque<u8>,
    /// How many of them have come, all right so far; less than a message.
    got: usize,
    runs: VecDeque<Run>,
    unanswered: u64,
    /// The number of the message that is answered next.
    next_seq: u64,
    /// What differs from what is expected, from the beginning of a message, until it is judged.
    odd: Vec<u8>,
}

impl Awaited {
    /// Nothing yet, on the connection of this number, whose next message has this number.
    pub fn new(conn: u64, next_seq: u64) -> Awaited {
        Awaited {
            conn,
            expected: VecDeque::new(),
            got: 0,
            runs: VecDeque::new(),
            unanswered: 0,
            next_seq,
            odd: Vec::new(),
        }
    }

    /// Notes messages that were sent: their bytes, all together.
    pub fn sent(&mut self, bytes: &[u8], run: Run) {
        debug_assert_eq!(bytes.len(), run.size * run.count as usize);
        self.expected.extend(bytes);
        self.unanswered += run.count;
        match self.runs.back_mut().filter(|last| last.leaves_with(&run)) {
            Some(last) => last.count += run.count,
            None => self.runs.push_back(run),
        }
    }

    /// How many messages have no answer yet.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// The oldest messages without an answer.
    pub fn oldest(&self) -> Option<Run> {
        self.runs.front().copied()
    }

    /// All messages without an answer.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        self.runs.iter().copied()
    }

    /// Looks at what came.
    pub fn receive(
        &mut self,
        mut fresh: &[u8],
        expect: &Expect,
        template: &Template,
        mut tell: impl FnMut(Finding<'_>),
    ) {
        if let Expect::Line(line) = expect {
            return self.receive_lines(fresh, line, tell);
        }
        loop {
            if self.odd.is_empty() {
                let same = self.matching(fresh);
                self.got += same;
                self.complete(&mut tell);
                fresh = &fresh[same..];
                if fresh.is_empty() {
                    return;
                }
                // Judged from the beginning of the message that it is in.
                self.odd.extend(self.expected.range(..self.got));
                self.got = 0;
            }
            self.odd.push(fresh[0]);
            fresh = &fresh[1..];
            let rest_of_line = memchr(b'\n', fresh).map_or(fresh.len(), |at| at + 1);
            let rest_of_message = self.front_size().saturating_sub(self.odd.len());
            let take =
                if self.odd.ends_with(b"\n") { rest_of_message.min(rest_of_line) } else { rest_of_line };
            let take = take.min(fresh.len());
            self.odd.extend_from_slice(&fresh[..take]);
            fresh = &fresh[take..];
            self.judge(template, &mut tell);
            if fresh.is_empty() {
                return;
            }
        }
    }

    /// The connection has ended: what was not judged yet will not be completed.
    pub fn end(&mut self, mut tell: impl FnMut(Finding<'_>)) {
        if !self.odd.is_empty() {
            tell(Finding::Unasked(&mem::take(&mut self.odd)));
        }
    }

    /// How much of `fresh` is what comes next.
    fn matching(&self, fresh: &[u8]) -> usize {
        let (front, back) = self.expected.as_slices();
        let split = front.len();
        let front = &front[self.got.min(split)..];
        let back = &back[self.got.saturating_sub(split)..];
        let in_front = common(front, fresh);
        if in_front < front.len() { in_front } else { in_front + common(back, &fresh[in_front..]) }
    }

    /// Tells of the messages that have come whole.
    fn complete(&mut self, tell: &mut impl FnMut(Finding<'_>)) {
        while let Some(run) = self.runs.front().filter(|run| run.size <= self.got) {
            let run = Run { count: run.count.min((self.got / run.size) as u64), ..*run };
            self.got -= run.size * run.count as usize;
            self.pop(run.count);
            tell(Finding::Answered(run));
        }
    }

    /// Judges what differs, as far as it can be judged yet.
    fn judge(&mut self, template: &Template, tell: &mut impl FnMut(Finding<'_>)) {
        while !self.odd.is_empty() {
            let size = self.front_size();
            let line_end = memchr(b'\n', &self.odd);
            if let Some(end) = line_end
                && let Some(claim) = template.claim(&self.odd[..end])
            {
                self.judge_message(claim.conn, claim.seq, end + 1, tell);
                self.odd.drain(..=end);
            } else if size > 0 && self.odd.len() >= size {
                let wrong = self
                    .odd
                    .iter()
                    .zip(&self.expected)
                    .take(size)
                    .filter(|(odd, right)| odd != right)
                    .count();
                if wrong <= (size / 4).max(1) {
                    // It resembles what was awaited, so that is what it was.
                    tell(Finding::Corrupted(wrong as u64));
                    self.pop(1);
                    self.odd.drain(..size);
                } else {
                    let stray = line_end.map_or(self.odd.len(), |end| end + 1);
                    tell(Finding::Unasked(&self.odd[..stray]));
                    self.odd.drain(..stray);
                }
            } else if let Some(end) = line_end
                && self.unanswered == 0
                && self.is_the_last_one(&self.odd[..=end], template)
            {
                tell(Finding::Duplicated(end as u64 + 1));
                self.odd.drain(..=end);
            } else if size == 0 && line_end.is_some() || self.odd.len() > STRAY_BYTES_MAX {
                let stray = line_end.map_or(self.odd.len(), |end| end + 1);
                tell(Finding::Unasked(&self.odd[..stray]));
                self.odd.drain(..stray);
            } else {
                return;
            }
        }
    }

    /// Whether this is what was answered last, where a message is too short to be told from others.
    fn is_the_last_one(&self, line: &[u8], template: &Template) -> bool {
        let Some(last) = self.next_seq.checked_sub(1) else { return false };
        let mut message = Vec::new();
        template.push(self.conn, last, &mut message);
        message == line
    }

    /// Judges a line that is a message of ours, or would be one of another connection.
    fn judge_message(
        &mut self,
        conn: Option<u64>,
        seq: Option<u64>,
        bytes: usize,
        tell: &mut impl FnMut(Finding<'_>),
    ) {
        if conn.is_some_and(|conn| conn != self.conn) {
            return tell(Finding::CrossDelivered(bytes as u64));
        }
        let seq = seq.unwrap_or(self.next_seq);
        if seq < self.next_seq || self.unanswered == 0 {
            return tell(Finding::Duplicated(bytes as u64));
        }
        let skipped = seq - self.next_seq;
        if skipped >= self.unanswered {
            return tell(Finding::Corrupted(bytes as u64));
        }
        if skipped > 0 {
            let lost_bytes = self.pop(skipped);
            tell(Finding::Lost(skipped, lost_bytes));
        }
        if let Some(run) = self.runs.front() {
            let run = Run { count: 1, ..*run };
            self.pop(1);
            tell(Finding::Answered(run));
        }
    }

    fn receive_lines(&mut self, mut fresh: &[u8], right: &[u8], mut tell: impl FnMut(Finding<'_>)) {
        while let Some(end) = memchr(b'\n', fresh) {
            self.odd.extend_from_slice(&fresh[..end]);
            fresh = &fresh[end + 1..];
            let line = mem::take(&mut self.odd);
            let is_right = line.strip_suffix(b"\r").unwrap_or(&line) == right;
            match self.runs.front().map(|run| Run { count: 1, ..*run }) {
                Some(run) => {
                    self.pop(1);
                    tell(if is_right { Finding::Answered(run) } else { Finding::OtherReply(&line) });
                }
                None if is_right && self.next_seq > 0 => tell(Finding::Duplicated(line.len() as u64 + 1)),
                None => tell(Finding::Unasked(&line)),
            }
        }
        self.odd.extend_from_slice(fresh);
        if self.odd.len() > STRAY_BYTES_MAX {
            tell(Finding::Unasked(&mem::take(&mut self.odd)));
        }
    }

    fn front_size(&self) -> usize {
        self.runs.front().map_or(0, |run| run.size)
    }

    /// Takes off the first so many messages; returns how many bytes they had.
    fn pop(&mut self, mut count: u64) -> u64 {
        self.unanswered -= count;
        self.next_seq += count;
        let mut bytes = 0;
        while count > 0 {
            let Some(run) = self.runs.front_mut() else { break };
            let taken = run.count.min(count);
            run.count -= taken;
            count -= taken;
            bytes += taken * run.size as u64;
            if run.count == 0 {
                self.runs.pop_front();
            }
        }
        self.expected.drain(..bytes as usize);
        bytes
    }
}

/// How many bytes at the beginning of both are the same.
fn common(left: &[u8], right: &[u8]) -> usize {
    let length = left.len().min(right.len());
    // Mostly all of it is, which one wide comparison tells.
    if left[..length] == right[..length] {
        return length;
    }
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: usize = 40;

    /// A connection that has sent so many messages; returns their bytes, too.
    fn having_sent(count: u64) -> (Awaited, Template, Vec<Vec<u8>>) {
        let template = Template::of_size(SIZE);
        let mut awaited = Awaited::new(3, 0);
        let messages: Vec<Vec<u8>> = (0..count).map(|seq| message(&template, 3, seq)).collect();
        let now = Moment::default();
        for message in &messages {
            awaited.sent(message, Run { size: SIZE, count: 1, scheduled: now, sent: now });
        }
        (awaited, template, messages)
    }

    fn message(template: &Template, conn: u64, seq: u64) -> Vec<u8> {
        let mut message = Vec::new();
        template.push(conn, seq, &mut message);
        message
    }

    /// Sums of what was found: answered, lost, duplicated, corrupted, cross-delivered, unasked.
    fn found(awaited: &mut Awaited, template: &Template, reads: &[&[u8]]) -> [u64; 6] {
        let mut sums = [0; 6];
        for read in reads {
            awaited.receive(read, &Expect::Echo, template, |finding| match finding {
                Finding::Answered(run) => sums[0] += run.count,
                Finding::Lost(count, _) => sums[1] += count,
                Finding::Duplicated(bytes) => sums[2] += bytes,
                Finding::Corrupted(bytes) => sums[3] += bytes,
                Finding::OtherReply(line) => sums[3] += line.len() as u64,
                Finding::CrossDelivered(bytes) => sums[4] += bytes,
                Finding::Unasked(bytes) => sums[5] += bytes.len() as u64,
            });
        }
        sums
    }

    #[test]
    fn right_answers_are_right_however_they_are_cut() {
        let all = having_sent(5).2.concat();
        for read in 1..all.len() {
            let (mut awaited, template, _) = having_sent(5);

            let sums = found(&mut awaited, &template, &all.chunks(read).collect::<Vec<_>>());

            assert_eq!(sums, [5, 0, 0, 0, 0, 0], "in reads of {read}");
            assert_eq!(awaited.unanswered(), 0);
        }
    }

    #[test]
    fn each_wrong_is_called_by_its_name() {
        let other = message(&Template::of_size(SIZE), 4, 1);
        let (_, _, sent) = having_sent(5);
        let garbled: Vec<u8> = [&sent[1][..30], b"?", &sent[1][31..]].concat();
        let newline_gone: Vec<u8> = [&sent[1][..SIZE - 1], b"!"].concat();
        let newline_more: Vec<u8> = [&sent[1][..9], b"\n", &sent[1][10..]].concat();
        let size = SIZE as u64;
        for (what, second, sums) in [
            ("lost", vec![], [4, 1, 0, 0, 0, 0]),
            ("duplicated", [&sent[1][..], &sent[1]].concat(), [5, 0, size, 0, 0, 0]),
            ("an older one again", [&sent[1][..], &sent[0]].concat(), [5, 0, size, 0, 0, 0]),
            ("corrupted", garbled, [4, 0, 0, 1, 0, 0]),
            ("a line ending corrupted", newline_gone, [4, 0, 0, 1, 0, 0]),
            ("corrupted into a line ending", newline_more, [4, 0, 0, 1, 0, 0]),
            ("cross-delivered", other.clone(), [4, 1, 0, 0, size, 0]),
            (
                "unasked",
                [&b"hello, who is this? do tell, I cannot see you\n"[..], &sent[1]].concat(),
                [5, 0, 0, 0, 0, 46],
            ),
        ] {
            let all = [&sent[0][..], &second, &sent[2], &sent[3], &sent[4]].concat();
            for read in [1, 7, 39, 40, 41, 1000] {
                let (mut awaited, template, _) = having_sent(5);

                let found = found(&mut awaited, &template, &all.chunks(read).collect::<Vec<_>>());

                assert_eq!(found, sums, "{what}, in reads of {read}");
                assert_eq!(awaited.unanswered(), 0, "{what}, in reads of {read}");
            }
        }
    }

    #[test]
    fn a_fixed_reply_is_compared_by_the_line() {
        let (mut awaited, template, _) = having_sent(3);
        let mut findings = Vec::new();

        let expect = Expect::Line(b"+PONG".to_vec());
        for read in [&b"+PO"[..], b"NG\r\n+PUNG\r\n+PONG\n", b"+PONG\r\nbye\n"] {
            awaited.receive(read, &expect, &template, |finding| {
                findings.push(match finding {
                    Finding::Answered(_) => "answered",
                    Finding::OtherReply(b"+PUNG\r") => "another",
                    Finding::Duplicated(_) => "duplicated",
                    Finding::Unasked(_) => "unasked",
                    _ => "?",
                });
            });
        }

        assert_eq!(findings, ["answered", "another", "answered", "duplicated", "unasked"]);
    }

    proptest! {
        #[test]
        fn a_garbled_stream_is_never_taken_for_a_right_one(
            at in 0usize..5 * SIZE, flip in 1u8.., read in 1usize..100,
        ) {
            let (mut awaited, template, sent) = having_sent(5);
            let mut all = sent.concat();
            all[at] ^= flip;

            let sums = found(&mut awaited, &template, &all.chunks(read).collect::<Vec<_>>());

            prop_assert_eq!(sums, [4, 0, 0, 1, 0, 0]);
        }
    }
}
