//! Counters. They only grow; rates are for whoever reads them twice.

use crate::buffer::framing::{End, Frame};
use crate::conn::reason::Reason;
use crate::conn::tls_end::TlsEndKind;

/// What the server has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections accepted or dialled.
    pub opened: u64,
    /// Connections that have ended.
    pub closed: u64,
    /// Newcomers turned away: the server was full.
    pub refused_full: u64,
    /// Newcomers turned away: their address is not allowed in.
    pub refused_address: u64,
    /// Newcomers turned away: too many of their source are here.
    pub refused_too_many: u64,
    /// Newcomers turned away: they come too fast from where they come from.
    pub refused_too_fast: u64,
    /// Newcomers let in that had to make room for others before their handshakes were done.
    pub pushed_out: u64,
    /// Accepts that failed.
    pub accept_errors: u64,
    /// Bytes read from peers.
    pub received_bytes: u64,
    /// Bytes written to peers.
    pub sent_bytes: u64,
    /// Of the bytes read, those that were handed to the App, line endings included, or sent back in its stead.
    pub delivered_bytes: u64,
    /// Bytes read from connections that were already being closed, and thrown away.
    pub discarded_bytes: u64,
    /// Bytes queued for connections that a fault has made vanish.
    pub vanished_bytes: u64,
    /// Bytes that were queued for a connection when it ended.
    pub unsent_bytes: u64,
    /// Frames handed to the App.
    pub frames: u64,
    /// Connections dropped because they did not read.
    pub dropped_slow: u64,
    /// Of these, those for whom more was queued than an outbox may hold.
    pub dropped_queue_full: u64,
    /// Of these, those that took nothing of what was queued.
    pub dropped_reads_nothing: u64,
    /// Connections dropped because all buffers together were full.
    pub dropped_buffers: u64,
    /// Connections closed because nothing was said for too long.
    pub closed_idle: u64,
    /// Connections closed because the peer had finished and nothing was said for too long.
    pub closed_half_open: u64,
    /// Connections that TLS has ended: no handshake, a broken record, an alert of the peer's, or cut short.
    pub ended_tls: u64,
    /// Of these, those whose handshake did not come about.
    pub failed_handshakes: u64,
    /// Lines handed over in parts because they were too long; counted once for each cut.
    pub cuts: u64,
    /// Turns of the loop.
    pub turns: u64,
}

impl Stats {
    /// All of them by name.
    pub fn counters(&self) -> [(&'static str, u64); 25] {
        [
            ("opened", self.opened),
            ("closed", self.closed),
            ("refused_full", self.refused_full),
            ("refused_address", self.refused_address),
            ("refused_too_many", self.refused_too_many),
            ("refused_too_fast", self.refused_too_fast),
            ("pushed_out", self.pushed_out),
            ("accept_errors", self.accept_errors),
            ("received_bytes", self.received_bytes),
            ("sent_bytes", self.sent_bytes),
            ("delivered_bytes", self.delivered_bytes),
            ("discarded_bytes", self.discarded_bytes),
            ("vanished_bytes", self.vanished_bytes),
            ("unsent_bytes", self.unsent_bytes),
            ("messages", self.frames),
            ("dropped_slow", self.dropped_slow),
            ("dropped_queue_full", self.dropped_queue_full),
            ("dropped_reads_nothing", self.dropped_reads_nothing),
            ("dropped_buffers", self.dropped_buffers),
            ("closed_idle", self.closed_idle),
            ("closed_half_open", self.closed_half_open),
            ("ended_tls", self.ended_tls),
            ("failed_handshakes", self.failed_handshakes),
            ("cuts", self.cuts),
            ("turns", self.turns),
        ]
    }

    /// Connections that a limit or the wait for a handshake has ended, and newcomers that were turned away, by why that
    /// was; each is counted once. The word is the code of the reason (`Reason::code`) where a connection has ended with
    /// it, else that of the counter.
    pub fn dropped(&self) -> [(&'static str, u64); 12] {
        let otherwise = self.dropped_queue_full + self.dropped_reads_nothing;
        [
            ("queue-full", self.dropped_queue_full),
            ("reads-too-slowly", self.dropped_slow.saturating_sub(otherwise)),
            ("reads-nothing", self.dropped_reads_nothing),
            ("buffers-full", self.dropped_buffers),
            ("idle", self.closed_idle),
            ("half-open", self.closed_half_open),
            ("tls-handshake", self.failed_handshakes),
            ("pushed-out", self.pushed_out),
            ("refused-full", self.refused_full),
            ("refused-address", self.refused_address),
            ("refused-too-many", self.refused_too_many),
            ("refused-too-fast", self.refused_too_fast),
        ]
    }

    /// Counts a frame that is handed to the App.
    pub(crate) fn count_delivered(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        self.cuts += u64::from(frame.end == End::Limit);
        self.delivered_bytes += frame.received_bytes() as u64;
    }

    /// Counts a connection that was ended by a limit.
    pub(crate) fn count_limit(&mut self, why: &Reason) {
        if let Some(end) = why.tls_end() {
            self.ended_tls += 1;
            self.failed_handshakes += u64::from(end.kind == TlsEndKind::Handshake);
        }
        match why {
            Reason::QueueFull => {
                self.dropped_slow += 1;
                self.dropped_queue_full += 1;
            }
            Reason::ReadsTooSlowly(_) => self.dropped_slow += 1,
            Reason::ReadsNothing(_) => {
                self.dropped_slow += 1;
                self.dropped_reads_nothing += 1;
            }
            Reason::BuffersFull => self.dropped_buffers += 1,
            Reason::Idle(_) => self.closed_idle += 1,
            Reason::HalfOpen(_) => self.closed_half_open += 1,
            Reason::Finished
            | Reason::Lost(_)
            | Reason::CannotConnect(_)
            | Reason::Kicked(_)
            | Reason::WeReset
            | Reason::PushedOut
            | Reason::Stopping
            | Reason::LinkEnded(_)
            | Reason::LinkReset(_)
            | Reason::LinkFailed(..)
            | Reason::Fault(_)
            | Reason::Script(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conn::tls_end::TlsEnd;

    #[test]
    fn whom_a_limit_has_ended_is_counted_under_the_code_of_its_reason_and_nowhere_else() {
        let time = Duration::from_secs(1);
        for why in [
            Reason::QueueFull,
            Reason::ReadsTooSlowly(time),
            Reason::ReadsNothing(time),
            Reason::BuffersFull,
            Reason::Idle(time),
            Reason::HalfOpen(time),
            Reason::Lost(TlsEnd::untold(TlsEndKind::Handshake, "").into()),
        ] {
            let mut stats = Stats::default();

            stats.count_limit(&why);

            let counted: Vec<_> = stats.dropped().into_iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(why.code(), 1)], "{stats:?}");
        }
    }
}
