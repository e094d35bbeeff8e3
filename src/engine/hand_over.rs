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
        let used = receiver.hand_over_frames(&mut rest, fresh, board, app);
        rest.in_place = board.shared.end_in_place();
        rest.tail.extend_from_slice(&fresh[used..]);
        rest
    }

    /// Hands over what there is of an unfinished message. That of one that is being closed is handed over by the sweep.
    pub(super) fn hand_over_part<A: App>(&mut self, key: Key, app: &mut A) {
        let Board { table, shared, .. } = &mut self.board;
        let conn = &mut table[key];
        if conn.tail.is_empty() || !conn.delivers() {
            return;
        }
        let (id, framing) = (conn.id, shared.policy(conn).framing);
        let mut rest = conn.tail.take();
        let head = framing.head_of(&rest);
        let part = framing.take_part(&mut rest);
        conn.tail.put(rest, shared.time.listened());
        shared.account(conn);
        if part.is_empty() {
            return;
        }
        let frame = Frame { head, ..Frame::of(&part, End::Silence) };
        Receiver::new(id, framing, shared).hand_over(frame, &mut self.board, app);
    }

    /// Hands over all that is left of what it said, since nothing more will come, be it paused or not.
    pub(super) fn hand_over_all<A: App>(&mut self, key: Key, app: &mut A) {
        let board = &mut self.board;
        let Board { table, shared, .. } = &mut *board;
        let conn = &mut table[key];
        if conn.tail.is_empty() || !conn.delivers() {
            return;
        }
        let (id, left, framing) = (conn.id, conn.tail.take(), shared.policy(conn).framing);
        shared.account(conn);
        let mut receiver = Receiver { is_last: true, ..Receiver::new(id, framing, shared) };
        let mut rest = Rest { tail: Vec::new(), since: shared.time.listened(), in_place: 0..0 };
        receiver.hand_over_frames(&mut rest, &left, board, app);
        let (bytes, left_out) = receiver.framing.unended(&rest.tail);
        if !bytes.is_empty() {
            let head = receiver.framing.head_of(&rest.tail);
            receiver.hand_over(Frame { head, ..Frame::of(bytes, End::Gone) }, board, app);
        }
        board.shared.discard(&mut board.table[key], left_out);
    }
}

/// Cuts all that is left of what a connection said into frames: where it was paused, there may be some, and in any case
/// what has no end. Returns how many bytes are told nobody, since they framed what has no end.
pub(super) fn last_frames(
    left: &[u8],
    framing: Framing,
    bytes_max: usize,
    mut to: impl FnMut(Frame<'_>),
) -> usize {
    let mut tail = Vec::new();
    if framing.is_raw() {
        tail.extend_from_slice(left);
    } else {
        framing::cut_frames(framing, &mut tail, left, bytes_max, &mut to);
    }
    let (bytes, left_out) = framing.unended(&tail);
    if !bytes.is_empty() {
        to(Frame { head: framing.head_of(&tail), ..Frame::of(bytes, End::Gone) });
    }
    left_out
}

/// What is left of a read when the App was told of it.
pub(super) struct Rest {
    /// The beginning of a message, and when it began.
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
    /// These are its last words: no pause is heeded, and what has no end is left in the tail.
    is_last: bool,
}

impl Receiver {
    /// One that delivers.
    fn new(id: ConnId, framing: Framing, shared: &Shared) -> Receiver {
        let steps = shared.steps;
        Receiver { id, delivers: true, is_paused: false, framing, steps, is_last: false }
    }

    /// Hands over frames until the App pauses it. Returns how many of the fresh bytes were used; in the end the tail is
    /// one of the framing that holds then, unless it was paused.
    fn hand_over_frames<A: App>(
        &mut self,
        rest: &mut Rest,
        fresh: &[u8],
        board: &mut Board,
        app: &mut A,
    ) -> usize {
        let mut used = 0;
        let mut cut_by = self.framing;
        while !self.is_paused {
            if cut_by != self.framing && !rest.tail.is_empty() {
                // It took another role in the middle of a long message: what it has begun is cut anew.
                let begun = mem::take(&mut rest.tail);
                let mut again = 0;
                while again < begun.len() && rest.tail.is_empty() && !self.is_paused {
                    cut_by = self.framing;
                    again += self.cut(rest, &begun[again..], board, app);
                }
                rest.tail.extend_from_slice(&begun[again..]);
            } else if used < fresh.len() {
                cut_by = self.framing;
                used += self.cut(rest, &fresh[used..], board, app);
            } else {
                break;
            }
        }
        used
    }

    /// Hands over frames until the App pauses it or changes how it is cut. Returns how many of the fresh bytes were
    /// used.
    fn cut<A: App>(&mut self, rest: &mut Rest, fresh: &[u8], board: &mut Board, app: &mut A) -> usize {
        let (now, bytes_max) = (board.shared.time.listened(), board.limits().line_bytes_max);
        let Rest { tail, since, .. } = rest;
        if self.is_last && self.framing.is_raw() {
            tail.extend_from_slice(fresh);
            return fresh.len();
        }
        self.framing.cut(tail, fresh, bytes_max, |frame| {
            *since = now;
            self.hand_over(frame, board, app)
        })
    }

    /// Whether the next frame may be handed over, cut as this one was.
    fn hand_over<A: App>(&mut self, frame: Frame<'_>, board: &mut Board, app: &mut A) -> bool {
        let Board { table, shared, .. } = board;
        if !self.delivers {
            shared.discard(&mut table[self.id.key], frame.received_bytes());
            return true;
        }
        shared.stats.count_delivered(&frame);
        app.received(self.id, frame, board);
        let Board { table, shared, .. } = board;
        if self.steps == shared.steps {
            return true;
        }
        self.steps = shared.steps;
        let conn = &table[self.id.key];
        self.delivers = conn.delivers();
        self.is_paused = !self.is_last && conn.is_paused();
        let before = mem::replace(&mut self.framing, shared.policy(conn).framing);
        !self.is_paused && self.framing == before
    }
}
