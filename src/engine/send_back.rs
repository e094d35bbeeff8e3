//! Sending back what came in, past the App, where that is all it would do.

use super::read::Next;
use crate::board::Shared;
use crate::conn::Conn;
use crate::conn::reason::Reason;
use crate::conn::state::Step;
use crate::conn::stream::{SentBack, Stream, Then};

/// Sends back what has come in, where that is all the App would do and much comes at a time. `None` where it has to be
/// read.
pub(super) fn send_back<S: Stream>(
    conn: &mut Conn,
    stream: &mut S,
    splice: &mut S::Splice,
    rest: &mut [u8],
    shared: &mut Shared,
) -> Option<Next> {
    if !(conn.is_bulk && conn.tail.is_empty() && conn.may_be_sent() && conn.takes_at_once()) {
        return None;
    }
    // Twice the read budget, so that after a peer's burst of a whole budget the same call also sees `EAGAIN`.
    let (bytes_max, bytes_min) = (2 * shared.limits.read_budget_bytes, shared.limits.splice_bytes_min);
    match stream.send_back(splice, bytes_max, rest) {
        SentBack::Nothing => None,
        SentBack::Failed(error) => {
            conn.readable = false;
            shared.step(conn, Step::HangUp(Reason::Lost(error)));
            Some(Next::Wait)
        }
        SentBack::Some { read, written, kept, then } => {
            // Where there was nothing, nothing is known of what comes next.
            conn.is_bulk = read == 0 || read >= bytes_min;
            conn.readable = !matches!(then, Then::Drained | Then::Failed(_));
            conn.writable = !matches!(then, Then::Blocked | Then::Broken(_));
            conn.sent_back(read, written, &rest[..kept], shared.time.listened());
            let next = if conn.readable { Next::Again } else { Next::Wait };
            // Moving stops before an urgent byte as if nothing came after it. A read goes past it.
            let has_to_read = conn.end_hinted && matches!(then, Then::Drained);
            conn.readable |= has_to_read;
            shared.stats.received_bytes += read as u64;
            shared.stats.sent_bytes += written as u64;
            shared.stats.delivered_bytes += (written + kept) as u64;
            shared.stats.discarded_bytes += (read - written - kept) as u64;
            shared.stats.frames += u64::from(read > 0);
            shared.note_flush(conn, written, matches!(then, Then::Blocked));
            match then {
                Then::Broken(error) => shared.step(conn, Step::WriteFailed(error)),
                Then::Failed(error) => shared.step(conn, Step::HangUp(Reason::Lost(error))),
                Then::Drained | Then::More | Then::Blocked => {}
            }
            if has_to_read { None } else { Some(next) }
        }
    }
}
