//! What is told in figures to whoever watches over the server itself (`--metrics`). Desks are no peers, and neither is
//! whoever asks for the figures.

use crate::board::Board;
use crate::desk::http::metrics::Figures;
use crate::hub::desks::Desks;

impl Desks {
    /// The figures of this moment. Looks at each connection once.
    pub fn figures<'a>(&self, board: &'a Board) -> Figures<'a> {
        let (connections, queued_bytes) = board.numbered();
        Figures { connections, queued_bytes, stats: self.stats_of_peers(board), turns: board.turn_times() }
    }
}
