//! From bytes that were read to the frames that the App is given.

use std::mem;
use std::ops::Range;

use super::Engine;
use crate::app::App;
use crate::board::{Board, Shared};
use crate::buffer::framing::{self, End, Frame, Framing};
use crate::clock::Moment;
use crate::conn::{ConnId, Key};
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    /// Hands fresh bytes to the App, cut into frames, the first of them behind the tail that was left before. Returns
    /// what is left now, which is more than a tail where the App has paused the connection meanwhile.
    pub(super) fn hand_over<A: App>(
        &mut self,
        id: ConnId,
        framing: Framing,
        mut rest: Rest,
        fresh: &[u8],
        app: &mut A,
    ) -> Rest {
        let board = &mut self.board;
        board.shared.begin_in_place(id, fresh);
        let (now, line_bytes_max) = (board.shared.time.listened(), board.limits().line_bytes_max);
        let mut receiver = Receiver::new(id, &board.shared);
        match framing {
            Framing::Raw | Framing::Echo => {
                let begun = mem::take(&mut rest.tail);
                if !begun.is_empty() {
                    // It was cut into lines before.
                    receiver.hand_over(Frame { bytes: &begun, end: End::Read }, board, app);
                }
                receiver.hand_over(Frame { bytes: fresh, end: End::Read }, board, app);
            }
            Framing::Lines => framing::cut_lines(&mut rest.tail, fresh, line_bytes_max, |frame| {
                rest.since = now;
                receiver.hand_over(frame, board, app);
            }),
        }
        rest.in_place = board.shared.end_in_place();
        if !receiver.kept.is_empty() {
            receiver.kept.append(&mut rest.tail);
            rest.tail = receiver.kept;
        }
        rest
    }

    /// Hands over the first `bytes_max` bytes of the unfinished tail. That of one that is being closed is handed over
    /// by the sweep.
    pub(super) fn hand_over_part<A: App>(&mut self, key: Key, bytes_max: usize, app: &mut A) {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        if conn.tail.is_empty() || !conn.delivers() {
            return;
        }
        let id = conn.id;
        let mut part = conn.tail.take();
        let rest = part.split_off(bytes_max.min(part.len()));
        conn.tail.put(rest, shared.time.listened());
        shared.account(conn);
        let frame = Frame { bytes: &part, end: End::Silence };
        Receiver::new(id, shared).hand_over(frame, &mut self.board, app);
    }

    /// Hands over all that is left of what it said, since nothing more will come, be it paused or not.
    pub(super) fn hand_over_all<A: App>(&mut self, key: Key, app: &mut A) {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        if conn.tail.is_empty() || !conn.delivers() {
            return;
        }
        let (id, left) = (conn.id, conn.tail.take());
        shared.account(conn);
        let mut receiver = Receiver { heeds_pauses: false, ..Receiver::new(id, shared) };
        last_frames(&left, shared.limits.line_bytes_max, |frame| {
            receiver.hand_over(frame, &mut self.board, app);
        });
    }
}

/// Cuts all that is left of what a connection said into frames: lines, if it was paused, and an end.
pub(super) fn last_frames(left: &[u8], line_bytes_max: usize, mut to: impl FnMut(Frame<'_>)) {
    let mut tail = Vec::new();
    framing::cut_lines(&mut tail, left, line_bytes_max, &mut to);
    if !tail.is_empty() {
        to(Frame { bytes: &tail, end: End::Gone });
    }
}

/// What is left of a read when the App was told of it.
pub(super) struct Rest {
    /// The beginning of a line, and when it began.
    pub tail: Vec<u8>,
    pub since: Moment,
    /// Which bytes of the buffer go back from where they are.
    pub in_place: Range<usize>,
}

/// One that is being read, and whether what it says still goes to the App, which may close or pause it between two
/// frames.
struct Receiver {
    id: ConnId,
    delivers: bool,
    is_paused: bool,
    /// While no connection takes a step, that stays as it is.
    steps: u64,
    heeds_pauses: bool,
    /// What came after a pause.
    kept: Vec<u8>,
}

impl Receiver {
    /// One that delivers.
    fn new(id: ConnId, shared: &Shared) -> Receiver {
        Receiver {
            id,
            delivers: true,
            is_paused: false,
            steps: shared.steps,
            heeds_pauses: true,
            kept: Vec::new(),
        }
    }

    fn hand_over<A: App>(&mut self, frame: Frame<'_>, board: &mut Board, app: &mut A) {
        let Board { table, shared, .. } = board;
        if self.steps != shared.steps {
            self.steps = shared.steps;
            let conn = &table[self.id.key];
            self.delivers = conn.delivers();
            // Once something was kept, all that follows is: it may have been resumed by now.
            self.is_paused = self.heeds_pauses && (conn.is_paused() || !self.kept.is_empty());
        }
        if !self.delivers {
            shared.discard(&mut table[self.id.key], frame.received_bytes());
        } else if self.is_paused {
            self.kept.extend_from_slice(frame.bytes);
            if frame.end == End::Newline {
                self.kept.push(b'\n');
            }
        } else {
            shared.stats.count_delivered(&frame);
            app.received(self.id, frame, board);
        }
    }
}
