//! What holds of links, after each turn and in the end, by what the far ends have said and got.

use super::{Closed, Linker, OWN, Side};
use crate::conn::ConnId;
use crate::simulator::net::{Kernel, Sock};
use crate::simulator::world::World;

/// A direction: one side that speaks, and the other one, which is sent that.
struct Way<'a> {
    from: &'a Side,
    to: &'a Side,
    said_at: &'a Sock,
    sent_at: &'a Sock,
}

impl Way<'_> {
    /// What was written of what was said.
    fn passed(&self) -> Vec<u8> {
        without_own(&self.sent_at.record.as_ref().expect("records are kept").written)
    }

    fn written_bytes(&self) -> usize {
        self.sent_at.written_bytes as usize
    }

    fn ids(&self) -> (ConnId, ConnId) {
        (self.from.id, self.to.id)
    }
}

fn without_own(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte != OWN).collect()
}

/// All directions between two that both came about.
fn ways<'a>(app: &'a Linker, kernel: &'a Kernel) -> impl Iterator<Item = Way<'a>> {
    app.sides.values().filter_map(|from| {
        let to = app.sides.get(&from.mate)?;
        let (said_at, sent_at) = (&kernel.sockets[from.sock?], &kernel.sockets[to.sock?]);
        Some(Way { from, to, said_at, sent_at })
    })
}

/// What was read of one was written to the other or is queued for it, in order and nothing else; and no more waits than
/// may.
pub(super) fn links(world: &World<Linker>) {
    let board = &world.engine.board;
    let limits = board.limits();
    for way in ways(&world.app, &world.net.look()) {
        let (id, mate) = way.ids();
        assert!(way.said_at.read().starts_with(&way.passed()), "{mate} got something else than {id} said");
        let own = way.written_bytes() - way.passed().len();
        assert!(own <= way.to.own_bytes, "{mate} got more from us than we said");
        let (Some(conn), Some(to)) = (board.table.get(id), board.table.get(mate)) else { continue };
        if board.mate(id) != Some(mate) || !to.may_be_sent() {
            continue;
        }
        let kept = conn.flow().map_or(0, |flow| flow.kept_bytes());
        if conn.state.is_open() {
            let read = conn.received_bytes as usize - kept;
            let sent = way.written_bytes() + to.outbox.len();
            assert_eq!(sent, read + way.to.own_bytes, "{id} was read, and {mate} sent: {conn:?} {to:?}");
        }
        let most = limits.outbox_high_bytes + limits.read_budget_bytes;
        let is_little = way.to.is_delayed || to.outbox.len() <= most;
        assert!(is_little, "{} bytes wait for {mate}", to.outbox.len());
    }
}

/// How it ended: each side as the other did.
pub(super) fn ends(world: &World<Linker>) {
    let kernel = world.net.look();
    assert_eq!(kernel.descriptors(), 0, "descriptors are left open");
    assert_eq!(world.engine.board.buffered_bytes(), 0, "nobody is left to have anything in memory");
    for side in world.app.sides.values() {
        let closed = closed(side);
        let Some(mate) = world.app.sides.get(&side.mate) else { continue };
        if closed.why == "cannot-connect" && !mate.is_meddled_with {
            let why = self::closed(mate).why;
            let fits = matches!(why, "link-failed" | "reset" | "timed-out" | "truncated" | "tls-broken");
            assert!(fits, "{} did not come about, and {} closed as {why}", side.id, mate.id);
        }
        if let Some(sock) = side.sock {
            assert_eq!(kernel.sockets[sock].is_aborted(), closed.resets, "{}: {}", side.id, closed.why);
        }
    }
    let limits = world.engine.board.limits();
    for way in ways(&world.app, &kernel).filter(|way| !way.from.is_meddled_with) {
        check_reason(&way);
        check_all_was_passed_on(&way);
        if way.said_at.far_kept_the_rules() && way.sent_at.far_kept_the_rules() {
            check_all_arrived(&way);
        }
        let sent_at = way.sent_at;
        let since = |moment| sent_at.closed_at.map_or_else(Default::default, |closed| closed.since(moment));
        let lingered = since(sent_at.moved_at.at) >= limits.linger_silence
            || since(sent_at.wrote_at.at) >= limits.write_stall_max
            || sent_at.fin_due_at().is_some_and(|fin| since(fin) >= limits.linger_max);
        if way.said_at.far.has_reset && sent_at.far_kept_the_rules() && !lingered {
            check_reset_arrived(&way);
        }
    }
}

fn closed(side: &Side) -> &Closed {
    side.closed.as_ref().unwrap_or_else(|| panic!("{} was never closed", side.id))
}

/// What one is closed as that is linked no more, since the other has finished, and that takes what is left too slowly.
const SLOW: [&str; 3] = ["half-open", "reads-nothing", "reads-too-slowly"];

/// What one is closed as whose peer has broken it off.
const BROKEN_OFF: [&str; 5] = ["reset", "timed-out", "lost", "truncated", "tls-broken"];

/// Nobody is closed for being slow, silent or half-open while it is linked; and an end has its like.
fn check_reason(way: &Way<'_>) {
    let ((id, mate), why, mate_why) = (way.ids(), closed(way.from).why, closed(way.to).why);
    let is_broken_off = BROKEN_OFF.contains(&mate_why);
    let fits = match why {
        "finished" => mate_why == "finished" || is_broken_off || SLOW.contains(&mate_why),
        "link-reset" => mate_why == "finished" || is_broken_off,
        why if SLOW.contains(&why) => mate_why == "finished",
        why if BROKEN_OFF.contains(&why) => matches!(mate_why, "link-reset" | "finished") || is_broken_off,
        _ => panic!("{id} was linked, and closed as {why}"),
    };
    assert!(fits, "{id}: {why}, and {mate}: {mate_why}");
}

/// All that was read of one was written to the other, or counted as lost.
fn check_all_was_passed_on(way: &Way<'_>) {
    let ((id, mate), to) = (way.ids(), closed(way.to));
    if !matches!(to.why, "finished" | "link-reset") {
        return;
    }
    let read = way.said_at.read_bytes as usize - closed(way.from).discarded_bytes;
    let sent = way.written_bytes() - way.sent_at.unsaid_bytes as usize + to.unsent_bytes;
    assert_eq!(sent, read + way.to.own_bytes, "{id} was read, and {mate} sent, in the end");
    assert!(to.why != "finished" || to.unsent_bytes == 0, "{mate} has finished, and not all was sent");
}

/// Where nobody broke anything, each has all that the other said, and then its end.
fn check_all_arrived(way: &Way<'_>) {
    let ((id, mate), why) = (way.ids(), closed(way.from).why);
    if SLOW.contains(&why) || SLOW.contains(&closed(way.to).why) {
        return;
    }
    assert_eq!(why, "finished", "{id} and {mate} did nothing but to speak and to finish");
    assert!(way.from.has_ended, "{id} has finished, and nobody was told");
    let mut got = way.sent_at.record.as_ref().expect("records are kept").heard.clone();
    got.extend(&way.sent_at.arrived);
    let got = without_own(&got);
    assert_eq!(got, way.said_at.said(), "{mate} got what {id} said");
}

/// Behind a reset nothing is missing that our side had read before it.
fn check_reset_arrived(way: &Way<'_>) {
    let ((id, mate), to) = (way.ids(), closed(way.to));
    assert!(to.resets || to.why == "finished", "{id} has reset, and {mate} is closed as {}", to.why);
    if way.sent_at.our_fin_is_out() {
        return;
    }
    assert_eq!(to.unsent_bytes, 0, "{id} has reset, and what it had said was not sent to {mate}");
    assert_eq!(way.sent_at.lost_bytes, 0, "{id} has reset, which destroyed what was under way to {mate}");
}
