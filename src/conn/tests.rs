//! One connection against a scripted stream: `fill`, `flush`, and what time brings next.

use std::time::Duration;

use super::*;
use crate::conn::policy::Policy;
use crate::conn::reason::Reason;
use crate::conn::state::Step;
use crate::conn::stream::script::{Get, Put, Wire, bytes, script};
use crate::limits::Limits;

const BUDGET_BYTES: usize = 16;

fn at(ms: u64) -> Moment {
    Moment::after_start(Duration::from_millis(ms))
}

fn conn(log: &BroadcastLog) -> Conn {
    let id = ConnId { serial: 1, key: Key(0) };
    let mut conn = Conn::new(id, Peer::Unix, Role::PEER, State::open(), log.cursor_at_end(), at(0), at(0));
    conn.readable = true;
    conn.writable = true;
    conn
}

/// What a fill brought and how it ended, as text.
#[derive(Debug, PartialEq, Eq)]
struct Brought(Vec<u8>, String);

fn brought(text: &[u8], then: &str) -> Brought {
    Brought(text.to_vec(), then.to_owned())
}

fn fill_with(conn: &mut Conn, from: &mut impl Stream) -> Brought {
    let mut scratch = [0; BUDGET_BYTES];
    let fill = conn.fill(from, &mut scratch);
    let then = match fill.then {
        FillEnd::Failed(error) => format!("{:?}", error.kind()),
        then => format!("{then:?}"),
    };
    Brought(scratch[..fill.bytes].to_vec(), then)
}

/// One fill of a new connection from this script.
fn fill(gets: impl IntoIterator<Item = Get>) -> (Brought, Conn, Wire) {
    let (mut stream, wire) = script();
    wire.gets(gets);
    let mut conn = conn(&BroadcastLog::default());
    let brought = fill_with(&mut conn, &mut stream);
    (brought, conn, wire)
}

/// How far a flush got, as text.
fn flush(conn: &mut Conn, to: &mut impl Stream, log: &BroadcastLog, budget_bytes: usize) -> (usize, String) {
    let flush = conn.flush(to, &[], log, budget_bytes);
    let then = match flush.then {
        FlushEnd::Failed(error) => format!("{:?}", error.kind()),
        then => format!("{then:?}"),
    };
    (flush.bytes, then)
}

fn ended(bytes: usize, then: &str) -> (usize, String) {
    (bytes, then.to_owned())
}

// Filling.

#[test]
fn a_short_read_ends_the_fill_without_another_call() {
    let script = [bytes("hello")];

    let (brought_by, conn, wire) = fill(script);

    assert_eq!(brought_by, brought(b"hello", "Drained"));
    assert_eq!((wire.reads(), conn.readable, conn.received_bytes), (1, false, 5));
}

#[test]
fn a_short_read_proves_nothing_once_an_end_was_hinted() {
    let (mut stream, wire) = script();
    wire.gets([bytes("bye"), Get::Eof]);
    let mut conn = conn(&BroadcastLog::default());
    conn.end_hinted = true;

    let brought_by = fill_with(&mut conn, &mut stream);

    assert_eq!(brought_by, brought(b"bye", "Ended"));
}

#[test]
fn a_stream_that_keeps_bytes_of_its_own_is_read_until_it_would_block() {
    let (mut stream, wire) = script();
    wire.short_read_drains(false);
    wire.gets([bytes("a"), bytes("bc"), bytes("d"), Get::WouldBlock, bytes("later")]);
    let mut conn = conn(&BroadcastLog::default());

    let brought_by = fill_with(&mut conn, &mut stream);

    assert_eq!(brought_by, brought(b"abcd", "Drained"));
    assert_eq!(wire.reads(), 4, "three reads that brought something, one that would block");
}

#[test]
fn nothing_to_read_is_no_end() {
    let script = [Get::WouldBlock];

    let (brought_by, conn, _) = fill(script);

    assert_eq!(brought_by, brought(b"", "Drained"));
    assert!(!conn.readable, "only the next event makes it readable again");
}

#[test]
fn an_interrupted_read_is_tried_again_wherever_it_comes() {
    let full = bytes([b'x'; BUDGET_BYTES - 1]);
    let script = [Get::Interrupted, Get::Interrupted, full, Get::Interrupted];

    let (brought_by, _, wire) = fill(script);

    assert_eq!(brought_by, brought(&[b'x'; BUDGET_BYTES - 1], "Drained"));
    assert_eq!(wire.reads(), 3, "the last interruption is left for the next read");
}

#[test]
fn a_fill_of_the_whole_budget_leaves_the_connection_readable() {
    for (size, count, then, readable) in [
        (BUDGET_BYTES - 1, BUDGET_BYTES - 1, "Drained", false),
        (BUDGET_BYTES, BUDGET_BYTES, "More", true),
        (BUDGET_BYTES + 1, BUDGET_BYTES, "More", true),
        (2 * BUDGET_BYTES, BUDGET_BYTES, "More", true),
    ] {
        let script = [bytes(vec![b'x'; size])];

        let (brought_by, conn, _) = fill(script);

        assert_eq!(brought_by, brought(&vec![b'x'; count], then), "{size} bytes were waiting");
        assert_eq!(conn.readable, readable, "{size} bytes were waiting");
    }
}

#[test]
fn what_came_before_an_end_is_brought_with_it_wherever_it_comes() {
    for (end, then) in [(Get::Eof, "Ended"), (Get::Fail(ErrorKind::ConnectionReset), "ConnectionReset")] {
        for before in 0..BUDGET_BYTES {
            let (mut stream, wire) = script();
            wire.gets((0..before).map(|at| bytes([at as u8])));
            wire.gets([end.clone()]);
            let mut conn = conn(&BroadcastLog::default());
            conn.end_hinted = true;

            let brought_by = fill_with(&mut conn, &mut stream);

            let expected: Vec<u8> = (0..before as u8).collect();
            assert_eq!(brought_by, brought(&expected, then), "{before} reads before {end:?}");
            assert_eq!((conn.readable, conn.received_bytes), (false, before as u64));
        }
    }
}

#[test]
fn an_end_right_behind_a_full_budget_is_met_by_the_next_fill() {
    for (end, then) in [(Get::Eof, "Ended"), (Get::Fail(ErrorKind::ConnectionReset), "ConnectionReset")] {
        let (mut stream, wire) = script();
        wire.gets([bytes([b'x'; BUDGET_BYTES]), end]);
        let mut conn = conn(&BroadcastLog::default());

        let first = fill_with(&mut conn, &mut stream);
        let second = fill_with(&mut conn, &mut stream);

        assert_eq!(first, brought(&[b'x'; BUDGET_BYTES], "More"));
        assert_eq!(second, brought(b"", then));
    }
}

// Flushing.

#[test]
fn short_writes_go_on_where_they_stopped() {
    let (mut stream, wire) = script();
    wire.puts([Put::Accept(1), Put::Accept(4), Put::Accept(2)]);
    let mut conn = conn(&BroadcastLog::default());
    conn.outbox.push(b"hello world");

    let flushed = flush(&mut conn, &mut stream, &BroadcastLog::default(), 100);

    assert_eq!(flushed, ended(11, "Done"));
    assert_eq!((wire.text().as_str(), wire.writes()), ("hello world", vec![1, 4, 2, 4]));
    assert_eq!(conn.sent_bytes, 11);
}

#[test]
fn a_flush_that_would_block_goes_on_at_the_next_one() {
    let (mut stream, wire) = script();
    wire.puts([Put::Accept(3), Put::WouldBlock]);
    let mut conn = conn(&BroadcastLog::default());
    conn.outbox.push(b"hello");

    let first = flush(&mut conn, &mut stream, &BroadcastLog::default(), 100);
    let writable_between = conn.writable;
    let second = flush(&mut conn, &mut stream, &BroadcastLog::default(), 100);

    assert_eq!((first, second), (ended(3, "Blocked"), ended(2, "Done")));
    assert!(!writable_between, "a write said that there is no room");
    assert_eq!(wire.text(), "hello");
}

#[test]
fn an_interrupted_write_is_tried_again() {
    let (mut stream, wire) = script();
    wire.puts([Put::Interrupted, Put::Accept(2), Put::Interrupted, Put::Interrupted]);
    let mut conn = conn(&BroadcastLog::default());
    conn.outbox.push(b"hello");

    let flushed = flush(&mut conn, &mut stream, &BroadcastLog::default(), 100);

    assert_eq!(flushed, ended(5, "Done"));
    assert_eq!((wire.text(), conn.writable), ("hello".to_owned(), true));
}

#[test]
fn a_flush_writes_its_budget_and_no_more() {
    for (queued, count, then) in [(9, 9, "Done"), (10, 10, "Done"), (11, 10, "More"), (20, 10, "More")] {
        let (mut stream, wire) = script();
        let mut conn = conn(&BroadcastLog::default());
        conn.outbox.push(&vec![b'x'; queued]);

        let flushed = flush(&mut conn, &mut stream, &BroadcastLog::default(), 10);

        assert_eq!(flushed, ended(count, then), "{queued} bytes were queued");
        assert_eq!(conn.queued_bytes(&BroadcastLog::default()), queued - wire.written().len());
        assert!(conn.writable, "the budget stopped it, not the stream");
    }
}

#[test]
fn a_write_that_fails_keeps_what_was_not_taken() {
    for (put, then) in [
        (Put::Fail(ErrorKind::BrokenPipe), "BrokenPipe"),
        (Put::Fail(ErrorKind::ConnectionReset), "ConnectionReset"),
        (Put::Zero, "WriteZero"),
    ] {
        let (mut stream, wire) = script();
        wire.puts([Put::Accept(2), put]);
        let mut conn = conn(&BroadcastLog::default());
        conn.outbox.push(b"hello");

        let flushed = flush(&mut conn, &mut stream, &BroadcastLog::default(), 100);

        assert_eq!(flushed, ended(2, then), "{put:?}");
        assert_eq!((wire.text().as_str(), conn.queued_bytes(&BroadcastLog::default())), ("he", 3), "{put:?}");
    }
}

#[test]
fn its_own_queue_goes_out_before_what_was_said_to_many_however_writes_are_cut() {
    for room in 1..20 {
        let mut log = BroadcastLog::default();
        let mut conn = conn(&log);
        conn.outbox.push(b"first ");
        log.append(&[b"said to many"], None);
        let (mut stream, wire) = script();
        wire.puts(std::iter::repeat_n(Put::Accept(room), 20));

        let flushed = flush(&mut conn, &mut stream, &log, 100);

        assert_eq!(flushed, ended(18, "Done"), "writes of {room}");
        assert_eq!(wire.text(), "first said to many", "writes of {room}");
    }
}

#[test]
fn own_words_are_left_out_however_writes_are_cut() {
    for room in 1..20 {
        let mut log = BroadcastLog::default();
        let mut conn = conn(&log);
        for round in 0..40 {
            log.append(&[format!("own{round} ").as_bytes()], Some(&mut conn.cursor));
            log.append(&[format!("{round} ").as_bytes()], None);
        }
        log.append(&[b"and own at last"], Some(&mut conn.cursor));
        let (mut stream, wire) = script();
        wire.puts(std::iter::repeat_n(Put::Accept(room), 200));

        let flushed = flush(&mut conn, &mut stream, &log, 1000);

        let expected: String = (0..40).map(|round| format!("{round} ")).collect();
        assert_eq!((flushed.1.as_str(), wire.text()), ("Done", expected), "writes of {room}");
        assert_eq!(conn.queued_bytes(&log), 0, "writes of {room}");
    }
}

#[test]
fn a_flush_of_own_words_alone_does_not_touch_the_stream() {
    let mut log = BroadcastLog::default();
    let mut conn = conn(&log);
    log.append(&[b"mine"], Some(&mut conn.cursor));
    let (mut stream, wire) = script();
    wire.stalls();

    let flushed = flush(&mut conn, &mut stream, &log, 100);

    assert_eq!(flushed, ended(0, "Done"));
    assert!(!wire.is_blocked(), "nothing was there to be written");
}

#[test]
fn catching_up_puts_what_is_queued_next_behind_what_was_said() {
    let mut log = BroadcastLog::default();
    let mut conn = conn(&log);
    log.append(&[b"one "], None);
    log.append(&[b"own "], Some(&mut conn.cursor));
    log.append(&[b"two "], None);

    conn.catch_up(&log);
    conn.outbox.push(b"three");
    log.append(&[b" four"], None);

    let (mut stream, wire) = script();
    flush(&mut conn, &mut stream, &log, 100);
    assert_eq!(wire.text(), "one two three four");
}

// What time brings.

fn due(conn: &Conn, limits: &Limits) -> Option<(Moment, Due)> {
    conn.next_due(limits, &Policy { shows_parts: true, ..Policy::LINES })
}

#[test]
fn time_alone_brings_nothing_to_a_quiet_connection() {
    let conn = conn(&BroadcastLog::default());

    let next = due(&conn, &Limits::default());

    assert_eq!(next, None);
}

#[test]
fn a_part_is_shown_after_a_silence_and_a_split_character_after_a_longer_one() {
    let limits = Limits::default();
    let mut conn = conn(&BroadcastLog::default());
    conn.received_at = at(1000);

    let dues = [&b"par"[..], b"par\xe4", b"\xe4\xbd"].map(|tail| {
        conn.tail.put(tail.to_vec(), at(900));
        due(&conn, &limits)
    });

    let part = Some((at(1200), Due::ShowPart));
    assert_eq!(dues, [part, part, Some((at(1900), Due::ShowPart))]);
}

#[test]
fn a_part_that_goes_on_and_on_is_shown_a_second_after_its_first_byte() {
    let mut conn = conn(&BroadcastLog::default());
    conn.tail.put(b"23.4\r23.5\r".to_vec(), at(100));
    conn.received_at = at(1050);

    let next = due(&conn, &Limits::default());

    assert_eq!(next, Some((at(1100), Due::ShowPart)));
}

#[test]
fn where_nobody_looks_on_a_line_waits_for_its_end() {
    let mut conn = conn(&BroadcastLog::default());
    conn.tail.put(b"GET ke".to_vec(), at(0));

    assert_eq!(conn.next_due(&Limits::default(), &Policy::LINES), None);
}

#[test]
fn a_line_that_was_begun_before_the_bytes_became_raw_is_shown_in_time_all_the_same() {
    let limits = Limits::default();
    let mut conn = conn(&BroadcastLog::default());
    conn.tail.put(b"begun".to_vec(), at(0));

    let next = conn.next_due(&limits, &Policy::RAW);

    assert_eq!(next, Some((at(0) + limits.partial_after, Due::ShowPart)));
}

#[test]
fn a_half_open_connection_is_counted_from_the_last_byte_either_way() {
    let limits = Limits::default();
    let mut conn = conn(&BroadcastLog::default());
    conn.state.take(Step::PeerFinished, at(0), 0);
    conn.received_at = at(1000);
    conn.sent_at = at(3000);

    let next = due(&conn, &limits);

    assert_eq!(next, Some((at(63_000), Due::HalfOpenOver)));
}

#[test]
fn the_idle_limit_counts_both_directions() {
    let limits = Limits { idle_max: Some(Duration::from_secs(5)), ..Limits::default() };
    let mut conn = conn(&BroadcastLog::default());
    conn.received_at = at(2000);
    conn.sent_at = at(1000);

    let next = due(&conn, &limits);

    assert_eq!(next, Some((at(7000), Due::IdleOver)));
}

#[test]
fn lingering_lasts_until_silence_and_never_longer_than_its_limit() {
    let limits = Limits::default();
    let mut conn = conn(&BroadcastLog::default());
    conn.state.take(Step::Close(Reason::Stopping), at(0), 0);
    conn.state.take(Step::FinSent, at(5000), 0);

    let dues = [1000, 4000, 6000, 14_000].map(|heard_ms| {
        conn.received_at = at(heard_ms);
        due(&conn, &limits).map(|(when, _)| when)
    });

    assert_eq!(dues, [5000, 6000, 8000, 15_000].map(|ms| Some(at(ms))));
    conn.received_at = at(1000);
    conn.sent_at = at(4500);
    assert_eq!(due(&conn, &limits).map(|(when, _)| when), Some(at(6500)), "what it took counts as well");
}

#[test]
fn what_is_over_broken_or_being_dialled_waits_for_no_time() {
    let limits = Limits { idle_max: Some(Duration::from_secs(5)), ..Limits::default() };
    let open = |step| {
        let mut state = State::open();
        state.take(step, at(0), 0);
        state
    };
    let broken = open(Step::WriteFailed(ErrorKind::BrokenPipe.into()));

    let dues = [open(Step::HangUp(Reason::Finished)), broken].map(|state| {
        let mut conn = conn(&BroadcastLog::default());
        conn.tail.put(b"tail".to_vec(), at(0));
        conn.state = state;
        due(&conn, &limits)
    });

    assert_eq!(dues, [None; 2]);
}

#[test]
fn the_earliest_of_several_deadlines_comes_first() {
    let limits = Limits { idle_max: Some(Duration::from_millis(100)), ..Limits::default() };
    let mut conn = conn(&BroadcastLog::default());
    conn.tail.put(b"part".to_vec(), at(0));
    conn.slow = Some(Box::new(Slow::new(at(0))));

    let next = due(&conn, &limits);

    assert_eq!(next, Some((at(100), Due::IdleOver)));
}
