//! What holds after each turn, whatever the App does. Where it can, it asks the simulated system for the truth
//! instead of the engine.

use super::net::{Awake, Kernel, Net, SimListener};
use crate::clock::Moment;
use crate::conn::policy::Backpressure;
use crate::conn::reason::Reason;
use crate::conn::state::Stage;
use crate::conn::{ConnId, Inbound};
use crate::engine::Engine;
use crate::limits::Limits;

/// What the engine counts and what the system has, against each other.
pub(super) fn check(engine: &Engine<SimListener>, net: &Net) {
    let board = &engine.board;
    let kernel = net.look();
    board.check_sums();
    assert_eq!(kernel.descriptors(), engine.streams().count(), "open descriptors, against streams");
    for key in engine.streams() {
        let conn = board.table.at(key).unwrap_or_else(|| panic!("a stream without a connection: {key:?}"));
        let sock = &kernel.sockets[kernel.number_of(conn.id.key)];
        let id = conn.id;
        assert_eq!(conn.received_bytes, sock.read_bytes, "{id}: bytes read");
        assert_eq!(conn.sent_bytes, sock.written_bytes, "{id}: bytes written");
        assert_eq!(sock.closed_at, None, "{id}: its stream is open");
    }
    for conn in board.table.iter().filter(|conn| conn.state.is_connecting()) {
        let is_tried = engine.streams().any(|key| key == conn.id.key);
        let is_next = board.shared.work.dials.iter().any(|dial| dial.id == conn.id);
        let ways = [is_tried, is_next, conn.state.awaits_address()];
        assert_eq!(ways.iter().filter(|way| **way).count(), 1, "{}: tried, next, waiting: {ways:?}", conn.id);
    }
    let taken_in = || kernel.sockets.iter().filter(|sock| sock.was_watched());
    let read: u64 = taken_in().map(|sock| sock.read_bytes).sum();
    let written: u64 = taken_in().map(|sock| sock.written_bytes).sum();
    let stats = board.stats();
    assert_eq!((stats.received_bytes, stats.sent_bytes), (read, written), "all bytes read and written");
}

/// Where the engine would sleep, there is nothing that it could do.
pub(super) fn check_rest(engine: &Engine<SimListener>, net: &Net, buffer_bytes: usize) {
    let board = &engine.board;
    let kernel = net.look();
    for key in engine.streams() {
        let conn = &board.table[key];
        let sock = &kernel.sockets[kernel.number_of(conn.id.key)];
        let (id, is_held) = (conn.id, engine.is_held(key));
        let waits_for_itself = board.shared.policy(conn).backpressure == Backpressure::Sender;
        let is_parting = conn.state.is_parting();
        assert!(!conn.is_over(), "{id} waits to be swept");
        if sock.is_dialing() {
            continue;
        }
        let has_a_reason = conn.state.inbound() == Inbound::Ended
            || is_held
            || conn.is_paused()
            || (!is_parting && waits_for_itself && conn.is_over_high());
        assert!(
            !sock.has_input() || has_a_reason,
            "{id} has something to say and is not read: {conn:?} {sock:?}"
        );
        let is_broken_behind_its_fin = conn.state.inbound() == Inbound::Ended && sock.has_error();
        assert!(!is_broken_behind_its_fin || is_held, "{id} has gone, and nobody looks: {conn:?} {sock:?}");
        let wants_to_write = !conn.state.is_broken() && conn.has_something_to_flush(&board.shared.log);
        assert!(
            !(wants_to_write && sock.takes_output(buffer_bytes)),
            "{id} is to be sent something, and is not: {conn:?} {sock:?}"
        );
    }
}

/// Whatever will be due for a connection wakes the engine in time.
pub(super) fn check_deadlines(engine: &Engine<SimListener>, next: Option<Moment>) {
    let board = &engine.board;
    for conn in board.table.iter() {
        if let Some((when, due)) = conn.next_due(board.limits(), board.shared.policy(conn)) {
            let when = board.shared.time.by_the_clock(when);
            assert!(
                next.is_some_and(|next| next <= when),
                "{}: {due:?} is due, and nothing wakes for it",
                conn.id
            );
        }
    }
}

/// Nobody is dropped for taking nothing while nothing could be written to it: the time in which the engine was
/// stopped does not count.
pub(super) fn check_stall(id: ConnId, why: &Reason, kernel: &Kernel, number: usize, limits: &Limits) {
    if matches!(why, Reason::ReadsNothing(_)) {
        let stall = kernel.awake().awake_since(kernel.sockets[number].wrote_at);
        assert!(stall >= limits.write_stall_max, "{id}: {why}, and it took something {stall:?} ago");
    }
}

/// How far each connection had come before a turn.
pub(super) struct Reach {
    read_and_written: Vec<(u64, u64)>,
    accepted: u64,
    /// Those that were not being closed, and when something was last read or written.
    open: Vec<(ConnId, Awake)>,
}

impl Reach {
    pub fn of(engine: &Engine<SimListener>, net: &Net) -> Reach {
        let kernel = net.look();
        let sockets = &kernel.sockets;
        let read_and_written = sockets.iter().map(|sock| (sock.read_bytes, sock.written_bytes)).collect();
        let open = engine.streams().map(|key| &engine.board.table[key]);
        let open = open.filter(|conn| conn.state.is_open());
        let open = open.map(|conn| (conn.id, sockets[kernel.number_of(conn.id.key)].moved_at)).collect();
        Reach { read_and_written, accepted: kernel.accepted, open }
    }

    /// Nobody is closed for a silence that nobody listened to: it was long enough without the time in which the
    /// engine was stopped, and nothing that came before the poller was asked waits to be read.
    pub fn check_silences(&self, engine: &Engine<SimListener>, net: &Net) {
        let kernel = net.look();
        for (id, moved_at) in &self.open {
            let conn = engine.board.table.get(*id);
            let Some(Stage::Parting(parting)) = conn.map(|conn| conn.state.stage()) else { continue };
            let why = &parting.why;
            let (Reason::Idle(silence_min) | Reason::HalfOpen(silence_min)) = why else { continue };
            let silence = kernel.awake().awake_since(*moved_at);
            assert!(silence >= *silence_min, "{id}: {why}, and something was said {silence:?} ago");
            let number = kernel.number_of(id.key);
            let sock = &kernel.sockets[number];
            let read = sock.read_bytes - self.read_and_written[number].0;
            let is_unread = !sock.inbox_is_empty() && !kernel.is_news(sock);
            assert!(read == 0 && !is_unread, "{id}: {why}, and what it had said was not heard");
        }
    }

    /// A turn does so much and no more: for each connection one read budget, and one write budget for each of
    /// the three places where it is written to.
    pub fn check_budgets(&self, engine: &Engine<SimListener>, net: &Net) {
        let limits = engine.board.limits();
        for (number, sock) in net.look().sockets.iter().enumerate() {
            if !sock.was_watched() {
                continue;
            }
            let (read, written) = self.read_and_written.get(number).copied().unwrap_or_default();
            let (read, written) = (sock.read_bytes - read, sock.written_bytes - written);
            assert!(read <= limits.read_budget_bytes as u64, "{read} bytes read in one turn");
            assert!(written <= 3 * limits.write_budget_bytes as u64, "{written} bytes written in one turn");
        }
        let accepted = net.look().accepted - self.accepted;
        assert!(accepted <= limits.accept_budget as u64, "{accepted} newcomers in one turn");
    }
}
