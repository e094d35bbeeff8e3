//! What follows when nothing more comes from a peer: its FIN, a loss, or a break that we found out by writing.

use std::io;

use super::Engine;
use crate::app::App;
use crate::conn::reason::Reason;
use crate::conn::state::Step;
use crate::conn::stream::Stream;
use crate::conn::tls_end::TlsEndKind;
use crate::conn::{Key, Outbound};
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    /// The peer's FIN was read, and perhaps the connection was lost right behind it.
    pub(super) fn inbound_ended<A: App>(&mut self, key: Key, app: &mut A) {
        let lost = self.error_behind_fin(key);
        self.hand_over_all(key, app);
        let conn = &self.board.table[key];
        if conn.state.is_broken() {
            return self.end_broken(key, app);
        }
        let id = conn.id;
        self.board.step(id, Step::PeerFinished);
        if self.board.table[key].state.is_open() {
            app.ended(id, &mut self.board);
        }
        self.board.step(id, lost.map_or(Step::EndIfFinished, |error| Step::HangUp(Reason::Lost(error))));
    }

    /// All that could be read was, and then the connection was lost.
    #[cold]
    #[inline(never)]
    pub(super) fn inbound_failed<A: App>(&mut self, key: Key, why: Reason, app: &mut A) {
        self.hand_over_all(key, app);
        let conn = &mut self.board.table[key];
        let id = conn.id;
        let kind = why.tls_end().map(|end| end.kind);
        if conn.state.is_parting() && kind == Some(TlsEndKind::Truncated) {
            // It is sent what it was promised all the same; what it says is thrown away, be it cut short or not.
            return self.inbound_ended(key, app);
        }
        if conn.state.is_parting() && why.is_told() {
            // The same, as far as it was encrypted already.
            conn.readable = true;
            return self.board.shared.work.enlist_to_read(conn);
        }
        if why.is_told() && conn.state.is_open() {
            // What it still sends is thrown away: with unread input the close would be a reset, which may cost it the
            // alert.
            conn.readable = true;
            return self.board.close(id, why);
        }
        self.board.hang_up(id, why);
    }

    /// All that came before the break has been read: now it is over.
    pub(super) fn end_broken<A: App>(&mut self, key: Key, app: &mut A) {
        self.hand_over_all(key, app);
        self.board.step(self.board.table[key].id, Step::Drained);
    }

    /// What broke the connection right behind the peer's FIN, which is all that a read tells then. Asked where the
    /// same event announced both, and where our FIN is out: the peer's would then end a connection whose last bytes
    /// a reset threw away as if they had arrived.
    fn error_behind_fin(&mut self, key: Key) -> Option<io::Error> {
        let conn = &self.board.table[key];
        if !conn.error_hinted && conn.state.outbound() != Outbound::Closed {
            return None;
        }
        self.streams[key.place()].as_mut()?.take_error().ok()?
    }
}
