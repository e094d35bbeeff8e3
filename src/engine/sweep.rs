//! Step 9: what has ended is taken out. Keys are freed here alone, so within a turn a key means one connection.

use std::mem;

use super::Engine;
use super::hand_over::last_frames;
use crate::app::App;
use crate::conn::stream::Stream;
use crate::engine::accept::Listen;

impl<L: Listen> Engine<L> {
    pub(super) fn sweep<A: App>(&mut self, app: &mut A) {
        let mut was_ready = false;
        for (key, why) in mem::take(&mut self.board.shared.work.over) {
            let conn = &mut self.board.table[key];
            assert!(conn.is_over(), "only what is over is laid out for the sweep");
            let id = conn.id;
            let begun = conn.tail.take();
            let framing = self.board.shared.policy(conn).framing;
            // It was cut short while it said this, or paused before it was heard.
            let line_bytes_max = self.board.limits().line_bytes_max;
            let left_out = last_frames(&begun, framing, line_bytes_max, |frame| {
                self.board.shared.stats.count_delivered(&frame);
                app.received(id, frame, &mut self.board);
            });
            self.board.shared.discard(&mut self.board.table[key], left_out);
            let stream = self.streams.get(key.place()).and_then(Option::as_ref);
            let unsaid_bytes = stream.map_or(0, Stream::unsaid_bytes);
            if unsaid_bytes > 0 {
                self.board.shared.take_back(&mut self.board.table[key], unsaid_bytes);
            }
            app.closed(id, &why, &mut self.board);
            if self.board.table[key].link().is_some() {
                self.pass_end_on(key, &why);
            }
            if let Some(mut stream) = self.streams.get_mut(key.place()).and_then(Option::take)
                && why.resets()
                && let Err(error) = stream.abort()
            {
                log::debug!("cannot make the close of {id} a reset: {error}");
            }
            // The App was told after its turn had ended; it may have something left to do about it.
            self.board.shared.work.wants_turn = true;
            was_ready |= self.board.remove(key).on_ready_list;
            self.acceptor.left(key);
        }
        if was_ready {
            // The next one with this key would be read twice a turn.
            let table = &self.board.table;
            self.board.shared.work.ready.retain(|key| table.at(*key).is_some_and(|conn| conn.on_ready_list));
        }
    }
}
