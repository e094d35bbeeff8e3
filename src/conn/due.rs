//! What time alone brings about for a connection.

use crate::buffer::framing::Framing;
use crate::clock::Moment;
use crate::conn::attempt::Attempt;
use crate::conn::policy::Policy;
use crate::conn::state::Stage;
use crate::conn::{Conn, Inbound, Outbound, Reading};
use crate::limits::Limits;

/// A message without an ending that goes on and on is shown this many times as long after its first byte as a silence
/// would have to last: a device that ends its lines in its own way, and talks all the time, is seen.
const PART_SILENCES_MAX: u32 = 5;

/// Something that time alone brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    ShowPart,
    HalfOpenOver,
    IdleOver,
    LingerOver,
    CheckSlow,
    ConnectOver,
}

impl Conn {
    /// What time will bring next for it, and when.
    pub fn next_due(&self, limits: &Limits, policy: &Policy) -> Option<(Moment, Due)> {
        let mut next: Option<(Moment, Due)> = None;
        let mut at = |when: Moment, due: Due| {
            if next.is_none_or(|(earliest, _)| when < earliest) {
                next = Some((when, due));
            }
        };
        match self.state.stage() {
            Stage::Over(_) | Stage::Broken(_) => return None,
            Stage::Connecting(attempt) => {
                let longest = match attempt {
                    Attempt::Awaited | Attempt::Last => limits.connect_max,
                    Attempt::Handshake | Attempt::Reached { .. } => limits.tls_handshake_max,
                    Attempt::WithMore => limits.connect_max.min(limits.try_next_after),
                };
                at(self.received_at + longest, Due::ConnectOver);
            }
            Stage::Parting(parting) => {
                // As long as its stream has something of its own to send, our FIN waits behind that, and whether the
                // peer takes it is for `slow` to say.
                if let Some(fin_at) = parting.fin_at.filter(|_| !self.stream_keeps.has_unsent()) {
                    // A connection that has already been silent for `linger_silence` is closed at once, or every stop
                    // would take that long for an idle peer. The cost: if the peer sends after that, the system's reset
                    // may destroy bytes that were not yet delivered to it.
                    // A reset waits until the system has sent all, and how far that is nobody tells.
                    let quiet_at = self.received_at.max(self.sent_at) + limits.linger_silence;
                    let quiet_at = if parting.why.resets() { fin_at + limits.linger_max } else { quiet_at };
                    at(quiet_at.max(fin_at).min(fin_at + limits.linger_max), Due::LingerOver);
                }
            }
            Stage::Open => {
                if let Some(when) = self.part_due(limits, policy) {
                    at(when, Due::ShowPart);
                }
                let active_at = self.received_at.max(self.sent_at);
                // Our FIN may be all that is left, and wait for a stream that cannot send it.
                let has_nothing_to_send = match self.state.outbound() {
                    Outbound::Open => true,
                    Outbound::Finishing => self.outbox.is_empty() && !self.stream_keeps.has_unsent(),
                    Outbound::Closed => false,
                };
                let is_suspended = self.has_detour() || self.is_owed;
                if self.state.inbound() == Inbound::Ended && has_nothing_to_send && !is_suspended {
                    at(active_at + limits.half_open_max, Due::HalfOpenOver);
                }
                if let Some(idle_max) =
                    limits.idle_max.filter(|_| policy.has_idle_limit && !self.has_flow() && !self.is_owed)
                {
                    at(active_at + idle_max, Due::IdleOver);
                }
            }
        }
        if let Some(slow) = &self.slow {
            at(slow.next_check(limits), Due::CheckSlow);
        }
        next
    }

    /// When what it has begun to say is shown, if silence shows it.
    fn part_due(&self, limits: &Limits, policy: &Policy) -> Option<Moment> {
        let since = self.tail.since()?;
        let (framing, tail) = (policy.framing, self.tail.bytes());
        if self.state.inbound() == Inbound::Ended
            || self.reading != Reading::Running
            || framing.begun(tail).is_empty()
        {
            return None;
        }
        if let Framing::Silence(silence) = framing {
            return Some(self.received_at + silence);
        }
        if !policy.shows_parts && framing.has_end_to_come(tail) {
            return None;
        }
        // What may be the beginning of a character waits for the rest of it as long as anything may.
        let latest = since + limits.partial_after.saturating_mul(PART_SILENCES_MAX);
        let silent = self.received_at + limits.partial_after;
        Some(if framing.is_split_char(tail) { latest } else { silent.min(latest) })
    }
}
