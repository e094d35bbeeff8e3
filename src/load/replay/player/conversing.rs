//! One conversation on its connection: what its dialogue wants is done, and what comes is told to it.

use crate::conn::reason::in_words;
use crate::load::replay::dialogue::{Leave, Step};
use crate::load::tally::Failure;
use crate::load::tester::{PARTING_MAX, connect_failure, lost_failure};

use super::*;
use crate::board::Sent;

/// Most bytes given to a connection at a time.
pub(super) const PIECE_BYTES: usize = 64 << 10;

impl Player {
    /// Does what is to be done in a conversation by now, and has it looked at again when there is more.
    pub(super) fn go_on(&mut self, id: ConnId, board: &mut Board) {
        loop {
            let now = self.clock.now();
            let Some(playing) = self.open.get_mut(&id) else { return };
            match playing.phase {
                Phase::Dialing(_) => return,
                Phase::Parting => return self.part(id, now, board),
                Phase::Talking => {}
            }
            let queued = board.view(id).map_or(0, |view| view.queued_bytes);
            match playing.dialogue.next(now) {
                Step::Send(_) => {
                    if !self.send(id, now, board) {
                        return;
                    }
                }
                Step::Finish => {
                    board.finish(id);
                    playing.dialogue.finished(now);
                    self.active = now;
                }
                Step::Wait(until) => return board.set_timer(id, until),
                Step::Overdue => {
                    let failure = playing.dialogue.overdue();
                    self.fail(id, failure, now);
                    return board.hang_up(id, Reason::WeReset);
                }
                // What was said last has to leave first.
                Step::Reset | Step::Leave(_) if queued > 0 => {
                    board.clear_timer(id);
                    return board.tell_when_drained(id);
                }
                Step::Reset => {
                    playing.dialogue.reset();
                    self.conclude(id, now);
                    return board.hang_up(id, Reason::WeReset);
                }
                Step::Leave(Leave::AsRecorded) => {
                    self.conclude(id, now);
                    return board.close(id, Reason::Finished);
                }
                Step::Leave(Leave::Unrecorded) => {
                    self.active = now;
                    playing.phase = Phase::Parting;
                    board.finish(id);
                    return board.set_timer(id, now + PARTING_MAX.min(self.plan.timeout));
                }
            }
        }
    }

    /// Sends some more of the message whose turn it is. Whether more may follow at once.
    fn send(&mut self, id: ConnId, now: Moment, board: &mut Board) -> bool {
        let Some(playing) = self.open.get_mut(&id) else { return false };
        let Step::Send(message) = playing.dialogue.next(now) else { return true };
        let piece = &message[..message.len().min(PIECE_BYTES)];
        let length = piece.len();
        let became = board.send(id, piece);
        match became {
            Sent::Queued(_) | Sent::Slow(_) => {
                self.active = now;
                self.played.tally.tx_bytes += length as u64;
                self.slice.bytes += length as u64;
                if let Some(left) = playing.dialogue.sent(length, now) {
                    self.note_left(left);
                }
            }
            Sent::Full(_) => {}
            Sent::Finished | Sent::Gone => {
                let why = "nothing can be sent any more".to_owned();
                if let Err(failure) = playing.dialogue.broke(Failure::Other, why) {
                    self.fail(id, failure, now);
                }
                board.hang_up(id, Reason::WeReset);
                return false;
            }
        }
        let has_room = matches!(became, Sent::Queued(_));
        if !has_room {
            board.clear_timer(id);
            board.tell_when_drained(id);
        }
        has_room
    }

    fn note_left(&mut self, left: Left) {
        self.played.tally.messages += 1;
        self.slice.messages += 1;
        self.played.most_late = self.played.most_late.max(left.late);
        if self.played.last_left.is_none_or(|last| last.recorded <= left.recorded) {
            self.played.last_left = Some(left);
        }
    }

    /// The server has had its time to finish, too.
    fn part(&mut self, id: ConnId, now: Moment, board: &mut Board) {
        self.conclude(id, now);
        board.close(id, Reason::Finished);
    }

    pub(super) fn hear(&mut self, id: ConnId, bytes: &[u8], board: &mut Board) {
        let now = self.clock.now();
        let Player { open, played, slice, active, .. } = self;
        let Some(playing) = open.get_mut(&id) else { return };
        played.tally.rx_bytes += bytes.len() as u64;
        slice.bytes += bytes.len() as u64;
        if playing.phase == Phase::Parting {
            // A server may say goodbye to whoever finishes though nobody did in the recording.
            played.not_compared_bytes += bytes.len() as u64;
            return;
        }
        *active = now;
        playing.dialogue.receive(bytes, now, |asked| {
            let response = now.since(asked.due);
            played.tally.latency.note(response, 1);
            played.tally.service.note(now.since(asked.sent), 1);
            slice.latency.note(response, 1);
        });
        self.go_on(id, board);
    }

    pub(super) fn hear_end(&mut self, id: ConnId, board: &mut Board) {
        let now = self.clock.now();
        let Some(playing) = self.open.get_mut(&id) else { return board.close(id, Reason::Finished) };
        if playing.phase == Phase::Parting {
            return self.part(id, now, board);
        }
        self.active = now;
        match playing.dialogue.ended(now) {
            Ok(()) => self.go_on(id, board),
            Err(failure) => {
                self.fail(id, failure, now);
                board.close(id, Reason::Finished);
            }
        }
    }

    pub(super) fn hear_close(&mut self, id: ConnId, why: &Reason) {
        let now = self.clock.now();
        let Some(playing) = self.open.get_mut(&id) else { return };
        if let Phase::Dialing(_) = playing.phase {
            self.dialing -= 1;
        }
        let tally = &mut self.played.tally;
        if let Reason::CannotConnect(error) | Reason::Lost(error) = why
            && playing.phase != Phase::Parting
        {
            tally.first_error.get_or_insert_with(|| in_words(error));
        }
        let found = match why {
            Reason::CannotConnect(error) => {
                playing.dialogue.not_connected(in_words(error));
                Err(connect_failure(error))
            }
            Reason::ReadsNothing(_) => Err(playing.dialogue.unread()),
            Reason::Lost(error) => playing.dialogue.broke(lost_failure(error), why.to_string()),
            _ => playing.dialogue.broke(Failure::Other, why.to_string()),
        };
        match found {
            Ok(()) => self.conclude(id, now),
            Err(failure) => self.fail(id, failure, now),
        }
    }

    /// A conversation cannot go on, for this reason.
    fn fail(&mut self, id: ConnId, failure: Failure, now: Moment) {
        let Some(playing) = self.open.get(&id) else { return };
        let tally = &mut self.played.tally;
        tally.fail(failure, 1);
        tally.unsent += playing.dialogue.unsent();
        if playing.phase == Phase::Talking {
            let (messages, bytes) = playing.dialogue.missing();
            tally.wrong.lost_messages += messages;
            tally.wrong.lost_bytes += bytes;
        }
        if let Some(asked) = playing.dialogue.unanswered() {
            tally.unanswered += 1;
            tally.latency.note(now.since(asked.due), 1);
        }
        self.conclude(id, now);
    }

    /// A conversation has ended, rightly or not, or everything has.
    pub(super) fn conclude(&mut self, id: ConnId, now: Moment) {
        if self.open.len() == self.plan.at_a_time {
            self.room_since = now;
        }
        let Some(playing) = self.open.remove(&id) else { return };
        if playing.phase != Phase::Parting && !self.played.tally.interrupted {
            self.active = now;
        }
        let (account, played) = (playing.dialogue.account(), &mut self.played);
        played.replies += account.replies;
        played.tally.fail(Failure::Mismatch, account.wrong_replies + u64::from(account.surplus_bytes > 0));
        played.tally.wrong.corrupted_bytes += account.wrong_bytes;
        played.tally.wrong.unasked_bytes += account.surplus_bytes;
        if let Some(difference) = &account.difference {
            played.different += 1;
            let number = playing.dialogue.place() + 1;
            played.difference.get_or_insert_with(|| difference.in_words(number));
        } else if played.tally.interrupted {
            played.unfinished += 1;
        } else {
            played.as_recorded += 1;
        }
    }
}
