//! Finishing, closing and resetting.

use std::rc::Rc;

use crate::board::Board;
use crate::conn::ConnId;
use crate::conn::reason::Reason;
use crate::desk::{Author, DeskId, Event, How, Outcome, Receivers, Refusal, Reply, To};
use crate::hub::desks::Desks;
use crate::hub::job::{Act, Several};
use crate::hub::send::{Asked, of_known, of_list};
use crate::hub::session::Session;
use crate::hub::target::Whom;
use crate::hub::turn::Executed;

/// So much of a reason is kept for the operators, once for each who is closed; the peers are told all of it.
const REASON_BYTES_MAX: usize = 256;

/// Most bytes of a reason, which is queued for each who is closed.
const REASON_SENT_BYTES_MAX: usize = 64 << 10;

impl Desks {
    /// Ends a connection in one way or another. Returns what became of the reason that it was to be told, where that
    /// did not get through: it is closed all the same.
    pub(super) fn end(
        &mut self,
        id: ConnId,
        how: How,
        reason: &[u8],
        by: DeskId,
        board: &mut Board,
    ) -> Option<Outcome> {
        match how {
            How::Eof => board.finish(id),
            How::Reset => board.hang_up(id, Reason::WeReset),
            How::Kick => {
                let told = (!reason.is_empty()).then(|| self.tell_reason(id, reason, by, board));
                let kept = &reason[..reason.len().min(REASON_BYTES_MAX)];
                board.close(id, Reason::Kicked(String::from_utf8_lossy(kept).into_owned()));
                return told.filter(|told| !told.is_done());
            }
        }
        None
    }

    /// Ends one of those who were here.
    pub(super) fn end_one_of_several(
        &mut self,
        how: How,
        serial: u64,
        reason: &[u8],
        by: DeskId,
        board: &mut Board,
    ) -> Outcome {
        let Some(id) = board.find(serial) else { return Outcome::Gone };
        self.end(id, how, reason, by, board).unwrap_or(Outcome::Done(0))
    }

    /// Tells a peer why it is closed, framed as texts are; without a label, since it is no part of a conversation. All
    /// programs are told of it: no reply says that it was sent.
    fn tell_reason(&mut self, id: ConnId, reason: &[u8], by: DeskId, board: &mut Board) -> Outcome {
        let Ok((prefix, suffix)) = self.options.envelope.around(reason.len()) else {
            return Outcome::Full(0);
        };
        let told = self.queue(id, &[&prefix, reason, suffix], board);
        if told.is_done() && self.out.has_programs() {
            let (by, to) = (Author::Desk(by), Receivers::One(id.serial()));
            self.out.tell_programs(&Event::Sent { by, to, bytes: &[&prefix, reason, suffix].concat() });
        }
        told
    }

    /// Finishes, closes or resets whoever is meant.
    pub(super) fn close(
        &mut self,
        session: &mut Session,
        to: To<'_>,
        how: How,
        reason: &[u8],
        asked: Asked<'_>,
        board: &mut Board,
    ) -> Result<Executed, Refusal> {
        let act = Act::Close(how);
        if reason.len() > REASON_SENT_BYTES_MAX {
            return Err(Refusal::TooLong(REASON_SENT_BYTES_MAX));
        }
        match self.resolve(to, asked.line, session, board)? {
            Whom::One(serial) if self.waits_for_file(session, act, serial) => {
                Ok(Executed::Waits(Some(serial)))
            }
            Whom::One(serial) => {
                let id = board.find(serial).ok_or(Refusal::Gone(serial))?;
                let told = self.end(id, how, reason, session.id, board);
                let reply = Reply::Closing(self.names.who(serial), how, told);
                self.out.reply(session.id, asked.reference, &reply);
                Ok(Executed::Done)
            }
            Whom::All => {
                // One that is being closed can still be reset.
                let whom = Several::all(board, |view| view.is_open || how == How::Reset);
                if whom.serials().is_empty() {
                    return Err(Refusal::Nobody);
                }
                Ok(of_known(act, reason, asked, Rc::new(whom)))
            }
            Whom::Known(whom) => Ok(of_known(act, reason, asked, whom)),
            Whom::List(source) => Ok(of_list(act, reason, asked, source)),
        }
    }
}
