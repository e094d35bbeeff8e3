//! What is to be done, and for whom. A connection stands on a list once at most, for which its flag is the proof; each
//! list has one function that puts a connection on it.

use crate::board::Dial;
use crate::conn::reason::Reason;
use crate::conn::{Conn, ConnId, Key, WriteTurn};

/// The lists of a turn.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Those that may be read.
    pub ready: Vec<Key>,
    /// Those that may have something to be written.
    pub dirty: Vec<Key>,
    /// Those that have used up their write budget of this turn.
    pub spent: Vec<Key>,
    /// Those that have ended, and why; they wait to be swept.
    pub over: Vec<(Key, Reason)>,
    /// Those that have taken what was queued, and whose App wants to know.
    pub drained: Vec<ConnId>,
    /// Those whose side of ours is being finished, and whose App wants to know.
    pub finished: Vec<ConnId>,
    /// Those of whose link something may have changed.
    pub linked: Vec<ConnId>,
    /// Connections to be begun.
    pub dials: Vec<Dial>,
    /// Something is to be done that is on no list.
    pub wants_turn: bool,
}

impl Work {
    /// To be read: as soon as its turn to be read comes, now or in the next turn.
    pub fn enlist_to_read(&mut self, conn: &mut Conn) {
        if conn.readable && !conn.on_ready_list {
            conn.on_ready_list = true;
            self.ready.push(conn.id.key);
        }
    }

    /// To go on where it was paused, whether or not there is more to be read.
    pub fn enlist_resumed(&mut self, conn: &mut Conn) {
        if !conn.on_ready_list {
            conn.on_ready_list = true;
            self.ready.push(conn.id.key);
        }
    }

    /// To be flushed. What is not writable will be, when an event says that it is again.
    pub fn enlist_to_write(&mut self, conn: &mut Conn) {
        if conn.writable && conn.write_turn == WriteTurn::Off {
            conn.write_turn = WriteTurn::Dirty;
            self.dirty.push(conn.id.key);
        }
    }

    /// To be sent our FIN behind what is queued; and its App may want to know.
    pub fn enlist_to_finish(&mut self, conn: &mut Conn) {
        self.enlist_to_write(conn);
        if std::mem::take(&mut conn.tells_finished) {
            self.finished.push(conn.id);
        }
    }

    /// To be flushed in the next turn, and no more in this one.
    pub fn enlist_for_next_turn(&mut self, conn: &mut Conn) {
        conn.write_turn = WriteTurn::Spent;
        self.spent.push(conn.id.key);
    }

    /// To be swept.
    pub fn enlist_over(&mut self, conn: &Conn, why: Reason) {
        self.over.push((conn.id.key, why));
    }
}
