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
        let mut receiver = Receiver::new(id, framing, &board.shared);
        let mut used = 0;
        while used < fresh.len() && !receiver.is_paused {
            used += receiver.hand_over_some(&mut rest, &fresh[used..], board, app);
        }
        rest.in_place = board.shared.end_in_place();
        if !receiver.kept.is_empty() || used < fresh.len() {
            receiver.kept.append(&mut rest.tail);
            receiver.kept.extend_from_slice(&fresh[used..]);
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
        let (id, framing) = (conn.id, shared.policy(conn).framing);
        let mut part = conn.tail.take();
        let rest = part.split_off(bytes_max.min(part.len()));
        conn.tail.put(rest, shared.time.listened());
        shared.account(conn);
        let frame = Frame { bytes: &part, end: End::Silence };
        Receiver::new(id, framing, shared).hand_over(frame, &mut self.board, app);
    }

    /// Hands over all that is left of what it said, since nothing more will come, be it paused or not.
    pub(super) fn hand_over_all<A: App>(&mut self, key: Key, app: &mut A) {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        if conn.tail.is_empty() || !conn.delivers() {
            return;
        }
        let (id, left, framing) = (conn.id, conn.tail.take(), shared.policy(conn).framing);
        shared.account(conn);
        let mut receiver = Receiver { heeds_pauses: false, ..Receiver::new(id, framing, shared) };
        last_frames(&left, framing, shared.limits.line_bytes_max, |frame| {
            receiver.hand_over(frame, &mut self.board, app);
        });
    }
}

/// Cuts all that is left of what a connection said into frames: where it says lines and was paused, there may be some,
/// and in any case what has no end.
pub(super) fn last_frames(
    left: &[u8],
    framing: Framing,
    line_bytes_max: usize,
    mut to: impl FnMut(Frame<'_>),
) {
    let mut tail = Vec::new();
    match framing {
        Framing::Lines => framing::cut_lines(&mut tail, left, line_bytes_max, &mut to),
        Framing::Raw | Framing::Echo => tail.extend_from_slice(left),
    }
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

/// One that is being read, and what is done with what it says. Between two frames the App may close it, pause it or
/// give it another role.
struct Receiver {
    id: ConnId,
    delivers: bool,
    is_paused: bool,
    framing: Framing,
    /// While no connection takes a step, these stay as they are.
    steps: u64,
    heeds_pauses: bool,
    /// The parts of a long line that came after a pause.
    kept: Vec<u8>,
}

impl Receiver {
    /// One that delivers.
    fn new(id: ConnId, framing: Framing, shared: &Shared) -> Receiver {
        Receiver {
            id,
            delivers: true,
            is_paused: false,
            framing,
            steps: shared.steps,
            heeds_pauses: true,
            kept: Vec::new(),
        }
    }

    /// Hands over frames until the App pauses it or changes how it is cut. Returns how many of the fresh bytes were
    /// used.
    fn hand_over_some<A: App>(
        &mut self,
        rest: &mut Rest,
        fresh: &[u8],
        board: &mut Board,
        app: &mut A,
    ) -> usize {
        let (now, line_bytes_max) = (board.shared.time.listened(), board.limits().line_bytes_max);
        let framing = self.framing;
        if framing == Framing::Lines {
            return framing::cut_lines_while(&mut rest.tail, fresh, line_bytes_max, |frame| {
                rest.since = now;
                self.hand_over(frame, board, app);
                !self.is_paused && self.framing == framing
            });
        }
        let begun = mem::take(&mut rest.tail);
        if !begun.is_empty() {
            // It was cut into lines before.
            self.hand_over(Frame { bytes: &begun, end: End::Read }, board, app);
            return 0;
        }
        self.hand_over(Frame { bytes: fresh, end: End::Read }, board, app);
        fresh.len()
    }

    fn hand_over<A: App>(&mut self, frame: Frame<'_>, board: &mut Board, app: &mut A) {
        let Board { table, shared, .. } = board;
        if !self.delivers {
            return shared.discard(&mut table[self.id.key], frame.received_bytes());
        }
        if self.is_paused {
            self.kept.extend_from_slice(frame.bytes);
            if frame.end == End::Newline {
                self.kept.push(b'\n');
            }
            return;
        }
        shared.stats.count_delivered(&frame);
        app.received(self.id, frame, board);
        let Board { table, shared, .. } = board;
        if self.steps != shared.steps {
            self.steps = shared.steps;
            let conn = &table[self.id.key];
            self.delivers = conn.delivers();
            self.is_paused = self.heeds_pauses && conn.is_paused();
            self.framing = shared.policy(conn).framing;
        }
    }
}
