//! What holds after each turn, whatever the App does. Where it can, it asks the simulated system for the truth
//! instead of the engine.

use super::net::{Awake, DOORS, Kernel, Net, SimListener};
use crate::clock::Moment;
use crate::conn::faults::CloseFault;
use crate::conn::policy::Backpressure;
use crate::conn::reason::Reason;
use crate::conn::state::Stage;
use crate::conn::{Conn, ConnId, Inbound, Outbound};
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
    let written: u64 = taken_in().map(|sock| sock.written_bytes - sock.unsaid_bytes).sum();
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
        check_link_at_rest(conn, engine);
        let waits_for_mate = !is_parting && conn.link().is_some_and(|link| link.is_held);
        let has_no_room = conn.flow().is_some_and(|flow| flow.room(is_parting) == 0);
        let has_a_reason = conn.state.inbound() == Inbound::Ended
            || is_held
            || waits_for_mate
            || has_no_room
            || conn.flow().and_then(|flow| flow.due_at).is_some_and(|when| when <= kernel.awake().at)
            || conn.is_paused()
            || (!is_parting && waits_for_itself && conn.is_full(board.limits()));
        assert!(
            !sock.has_input() || has_a_reason,
            "{id} has something to say and is not read: {conn:?} {sock:?}"
        );
        let is_broken_behind_its_fin = conn.state.inbound() == Inbound::Ended && sock.has_error();
        assert!(!is_broken_behind_its_fin || is_held, "{id} has gone, and nobody looks: {conn:?} {sock:?}");
        // A reset of ours waits until all has arrived.
        let resets = matches!(conn.state.stage(), Stage::Parting(parting) if parting.why.resets());
        let waits_for_far = resets && conn.outbox.is_empty() && !sock.all_has_arrived();
        let takes_output = sock.takes_output(buffer_bytes) && !waits_for_far;
        check_flow_at_rest(conn, is_held, takes_output);
        // A flow, too, is flushed when its stream has room.
        let is_written_to = conn.state.writes() || conn.state.is_connecting();
        assert!(
            !(sock.stream_has_unsent() && takes_output && is_written_to),
            "{id}: its stream has something to send, and does not: {conn:?} {sock:?}"
        );
        let wants_to_write =
            !conn.has_flow() && !conn.state.is_broken() && conn.has_something_to_flush(&board.shared.log);
        assert!(
            !(wants_to_write && takes_output),
            "{id} is to be sent something, and is not: {conn:?} {sock:?}"
        );
    }
}

/// What a broken connection keeps or has to send has its time, or is held up by what never ends by itself.
fn check_flow_at_rest(conn: &Conn, is_held: bool, takes_output: bool) {
    let Some(flow) = conn.flow() else { return };
    let (id, faults) = (conn.id, flow.faults());
    // Whatever its time, the engine comes back, and looks at both directions.
    if flow.due_at.is_some() {
        return;
    }
    let waits_for_mate = conn.link().is_some_and(|link| link.is_held);
    let waits = conn.is_paused() || is_held || faults.inbound.stall || waits_for_mate;
    assert!(
        flow.kept_bytes() == 0 || waits,
        "{id} has said something that is kept, and nobody will look: {conn:?}"
    );
    let may_end = conn.state.inbound() == Inbound::Open && !conn.state.is_parting();
    let ends = flow.room(true) == 0 && flow.kept_bytes() == 0 && may_end;
    assert!(!ends || waits, "{id} has finished, which is kept, and nobody will look: {conn:?}");
    let is_fin_alone = conn.outbox.is_empty() && conn.state.outbound() == Outbound::Finishing;
    let is_due = !conn.outbox.is_empty() || (is_fin_alone && faults.close != Some(CloseFault::Never));
    let is_shut = faults.outbound.stall || !takes_output || !conn.state.writes();
    assert!(!is_due || is_shut, "{id} is to be sent something in its time, and nobody will look: {conn:?}");
    assert!(!faults.is_none() || waits, "{id} is broken no more, and not like the others: {conn:?}");
}

/// Of a link one side waits only for the other, and what has ended on one side is ending on the other.
fn check_link_at_rest(conn: &Conn, engine: &Engine<SimListener>) {
    let Some(link) = conn.link() else { return };
    let (id, limits) = (conn.id, engine.board.limits());
    let mate = engine.board.table.get(link.mate);
    let mate = mate.unwrap_or_else(|| panic!("{id} is linked to {}, which has gone", link.mate));
    let is_full = !mate.state.is_broken() && mate.link().is_some_and(|link| link.holds_mate);
    let holds = mate.state.is_connecting() || is_full;
    assert_eq!(link.is_held, holds, "{id} waits for {}", link.mate);
    let low_bytes = if link.comes_apart { 0 } else { limits.outbox_low_bytes };
    let has_little = conn.outbox.len() <= low_bytes;
    assert!(!(link.holds_mate && has_little), "{id} has little queued, and {} waits for it", link.mate);
    let has_finished = conn.state.is_open() && conn.state.inbound() == Inbound::Ended;
    assert!(!(has_finished && mate.may_be_sent()), "{id} has finished, and {} is not told", link.mate);
    assert!(
        !(conn.state.is_parting() && mate.state.is_open()),
        "{id} is being closed, and {} is not",
        link.mate
    );
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

/// The numbers of those that are broken on purpose.
fn broken(engine: &Engine<SimListener>, kernel: &Kernel) -> Vec<usize> {
    let conns = engine.streams().map(|key| &engine.board.table[key]).filter(|conn| conn.has_flow());
    conns.map(|conn| kernel.number_of(conn.id.key)).collect()
}

/// How far each connection had come before a turn.
pub(super) struct Reach {
    read_and_written: Vec<(u64, u64)>,
    accepted: [u64; DOORS],
    /// Those that are broken on purpose, by number.
    broken: Vec<usize>,
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
        let broken = broken(engine, &kernel);
        Reach { read_and_written, accepted: kernel.accepted, broken, open }
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
    /// the three places where it is written to; what is broken on purpose is also written to when its time has come, and
    /// when what it said and was kept until then is answered.
    pub fn check_budgets(&self, engine: &Engine<SimListener>, net: &Net) {
        let limits = engine.board.limits();
        let broken_now = broken(engine, &net.look());
        for (number, sock) in net.look().sockets.iter().enumerate() {
            if !sock.was_watched() {
                continue;
            }
            let (read, written) = self.read_and_written.get(number).copied().unwrap_or_default();
            let (read, written) = (sock.read_bytes - read, sock.written_bytes - written);
            assert!(read <= limits.read_budget_bytes as u64, "{read} bytes read in one turn");
            let is_broken = self.broken.contains(&number) || broken_now.contains(&number);
            let places = if is_broken { 5 } else { 3 };
            let most = places * limits.write_budget_bytes;
            assert!(written <= most as u64, "{written} bytes written in one turn");
        }
        for (now, before) in net.look().accepted.iter().zip(self.accepted) {
            let accepted = now - before;
            assert!(accepted <= limits.accept_budget as u64, "{accepted} newcomers at one door in one turn");
        }
    }
}
