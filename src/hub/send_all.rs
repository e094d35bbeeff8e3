//! What is said to everybody: it is kept once, whoever hears it, and nobody is looked at but those who have not taken
//! what they were sent before.

use crate::board::Board;
use crate::conn::ConnId;
use crate::desk::{Author, Event, Outcome, Receivers, Refusal, Reply, Tally, Who};
use crate::hub::around::Around;
use crate::hub::desks::Desks;
use crate::hub::history::TO_ALL;
use crate::hub::job::{Act, TOLD_ONE_BY_ONE};
use crate::hub::send::{Asked, refusal};
use crate::hub::session::Session;
use crate::hub::turn::Executed;

impl Desks {
    pub(super) fn send_to_all(
        &mut self,
        session: &mut Session,
        act: Act,
        bytes: &[u8],
        asked: Asked<'_>,
        board: &mut Board,
    ) -> Result<Executed, Refusal> {
        let conns = board.audience();
        if conns == 0 {
            return Err(Refusal::Nobody);
        }
        let around =
            self.around_for_all(act, bytes).map_err(|error| Refusal::FrameTooLong(error.bytes_max))?;
        let odd = self.say_to_all(act, &around, bytes, board);
        self.strike_off_but(&odd);
        session.lesson.was_for_several();
        let mut tally = Tally { done: conns - odd.len(), ..Tally::default() };
        odd.iter().for_each(|(_, outcome)| tally.count(*outcome));
        if tally.done == 0 {
            return Err(match &odd[..] {
                [(only, outcome)] => refusal(only.serial(), *outcome),
                _ => Refusal::NoneOf(tally),
            });
        }
        let by = Author::Desk(session.id);
        let seq = self.out.count_sent(
            Some(session.id),
            &Event::Sent { by, to: Receivers::All, bytes: &around.framed(bytes) },
        );
        let names = &self.names;
        let told = if odd.len() <= TOLD_ONE_BY_ONE || session.is_json { &odd[..] } else { &[] };
        let told: Vec<(Who<'_>, Outcome)> =
            told.iter().map(|(id, outcome)| (names.who(id.serial()), *outcome)).collect();
        let reply = Reply::SentToAll(around.bytes(bytes), &told, &tally);
        self.out.reply_sent(session.id, asked.reference, Some(seq), &reply);
        Ok(Executed::Done)
    }

    /// Strikes all off the list of those who wait, but those who did not get it.
    pub(super) fn strike_off_but(&mut self, odd: &[(ConnId, Outcome)]) {
        let left_out = odd.iter().filter(|(_, outcome)| !outcome.is_done()).map(|(id, _)| *id);
        self.pending.clear_but(left_out);
    }

    /// Broadcasts something, and keeps it where it is to be kept. Returns those who have not taken what they were sent
    /// before, and what became of it for them: whoever has too much queued already is left out.
    pub(super) fn say_to_all(
        &mut self,
        act: Act,
        around: &Around,
        bytes: &[u8],
        board: &mut Board,
    ) -> Vec<(ConnId, Outcome)> {
        let parts: [&[u8]; 4] = [around.label, &around.prefix, bytes, around.suffix];
        let odd = board.broadcast_where_room(&parts);
        let odd: Vec<(ConnId, Outcome)> =
            odd.into_iter().map(|(id, sent)| (id, self.outcome(id, sent, board))).collect();
        if let Some(history) = &mut self.history {
            history.add(TO_ALL, true, bytes, board.now());
        }
        if let Some(replay) = self.replay.as_mut().filter(|_| act == Act::SendText) {
            replay.add(TO_ALL, true, &parts.concat(), board.now());
        }
        odd
    }
}
