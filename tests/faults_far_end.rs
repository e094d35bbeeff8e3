//! What is broken on purpose (`/fault`, `--fault`), as whoever is at the far end sees it. Exact figures are the
//! simulator's; here a machine may be busy, so what is asserted is what a wrong one would get wrong by far.
//! (`faults.rs` is about system calls that fail.)

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/desk.rs"]
mod desk;
#[path = "common/tap.rs"]
mod tap;

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Peer, Program, Server, has_tool, let_pass, wait_until};
use desk::Desk;
use serde_json::json;
use tap::{Noise, Tap, asks, send_until_it_blocks};

const MIB: usize = 1 << 20;

/// A tap with one client that is broken so.
fn broken(spec: &str) -> (Tap, Peer, Peer) {
    let (mut tap, client, far) = Tap::with_client(&[]);
    tap.server.wait_for_status("* #2 connected");
    tap.asks(&format!("/fault 1 {spec}"), "#1: ");
    (tap, client, far)
}

/// The same, told from whom and to whom the bytes go that are broken by `in:`, or else by `out:`.
fn broken_way(way: &str, spec: &str) -> (Tap, Peer, Peer) {
    let (tap, client, far) = broken(&format!("{way}:{spec}"));
    if way == "in" { (tap, client, far) } else { (tap, far, client) }
}

/// Reads for so long; how many bytes came in each of these windows of time since the first.
fn windows(from: &mut TcpStream, window: Duration, count: usize) -> Vec<usize> {
    let mut buffer = vec![0; 64 << 10];
    let mut windows = vec![0; count];
    let first = from.read(&mut buffer).expect("it begins");
    let since = Instant::now();
    windows[0] = first;
    loop {
        let read = from.read(&mut buffer).expect("it goes on");
        assert!(read > 0, "the end");
        match windows.get_mut((since.elapsed().as_nanos() / window.as_nanos()) as usize) {
            Some(window) => *window += read,
            None => return windows,
        }
    }
}

fn median<T: Ord + Copy>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[test]
fn bandwidth_is_a_rate_and_comes_evenly() {
    const RATE: usize = 200 << 10;
    for way in ["out", "in"] {
        let (_tap, from, mut to) = broken_way(way, "bandwidth=200K");
        let sender = thread::spawn(move || {
            let mut noise = Noise::seeded(1);
            // As much as is taken in the time; then the test is over, and so is the connection.
            while std::io::Write::write(&mut &from.stream, &noise.bytes(16 << 10)).is_ok() {}
        });

        let got = windows(&mut to.stream, Duration::from_millis(100), 15);

        drop(_tap);
        drop(to);
        sender.join().unwrap();
        let (all, tenth) = (got.iter().sum::<usize>(), RATE / 10);
        assert!(all < 15 * tenth * 13 / 10 && all > 15 * tenth / 2, "{way}: {got:?} of {tenth} a tenth");
        // In bursts, most tenths of a second would bring nothing.
        assert!((tenth / 2..=tenth * 3 / 2).contains(&median(&got)), "{way}: {got:?} of {tenth} a tenth");
    }
}

#[test]
fn latency_comes_later_and_in_order() {
    for (way, spec, least) in
        [("out", "latency=200ms", 200), ("in", "latency=200ms", 200), ("out", "latency=100ms,50ms", 50)]
    {
        let (_tap, from, mut to) = broken_way(way, spec);
        let began = Instant::now();
        let hears = thread::spawn(move || {
            let each = |_| (to.line().parse::<u128>().unwrap(), began.elapsed());
            (0..30).map(each).collect::<Vec<_>>()
        });

        let mut from = from;
        for _ in 0..30 {
            from.send(format!("{}\n", began.elapsed().as_micros()));
            let_pass(Duration::from_millis(15));
        }

        let heard = hears.join().unwrap();
        let sent: Vec<u128> = heard.iter().map(|(sent, _)| *sent).collect();
        assert!(sent.is_sorted(), "in order: {sent:?}");
        let late: Vec<u128> = heard.iter().map(|(sent, at)| (at.as_micros() - sent) / 1000).collect();
        assert!(late.iter().all(|late| *late >= least), "{way}:{spec}: {late:?} ms");
        assert!(median(&late) < 200 + 200, "{way}:{spec}: {late:?} ms");
    }
}

#[test]
fn what_comes_with_latency_is_not_made_slower_than_that() {
    let (_tap, from, to) = broken("latency=150ms");
    let (from, to) = (to, from);
    let began = Instant::now();

    // A pipe that is 150 ms long holds all of this at once: it takes one latency, not one for each piece.
    thread::scope(|scope| {
        scope.spawn(|| Noise::seeded(3).send(&mut &from.stream, MIB / 2));
        Noise::seeded(3).hear(&mut &to.stream, MIB / 2);
    });

    assert!(began.elapsed() >= Duration::from_millis(150));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Connects, says a line, reads so many bytes, and prints in how many segments they came (`tcpi_data_segs_in`, from the
/// 152nd byte of `struct tcp_info` on) and how many they were.
const COUNT_SEGMENTS: &str = "import socket, struct, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=20)
s.sendall(b'go\\n')
left = int(sys.argv[2])
while left:
    got = len(s.recv(left))
    assert got, 'the end'
    left -= got
info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
print(struct.unpack_from('I', info, 152)[0], flush=True)
";

/// Listens, prints its port, and reads until the end; then as above.
const COUNT_SEGMENTS_OF_ONE: &str = "import socket, struct, sys
l = socket.create_server(('127.0.0.1', 0))
print(l.getsockname()[1], flush=True)
s, _ = l.accept()
left = int(sys.argv[1])
while left:
    got = len(s.recv(left))
    assert got, 'the end'
    left -= got
info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
print(struct.unpack_from('I', info, 152)[0], flush=True)
";

#[test]
fn each_slice_is_a_segment_of_its_own() {
    if !has_tool("python3") {
        return;
    }
    for (spec, bytes, pieces) in [
        ("slicer=1", 200, 200),
        ("slicer=7", 700, 100),
        ("slicer=100,1ms", 2_000, 20),
        ("slicer=3000", 30_000, 10),
    ] {
        let tap = Tap::start(&["--fault", spec]);
        let mut command = Command::new("python3");
        command.args(["-c", COUNT_SEGMENTS, &tap.server.port(), &bytes.to_string()]);
        let python = Program::start(command);
        let mut far = tap.target.answers();
        assert_eq!(far.line(), "go");

        far.send("x".repeat(bytes));

        let out = String::from_utf8(python.out.to_end()).unwrap();
        let err = String::from_utf8(python.err.to_end()).unwrap();
        let segments: usize = out.trim().parse().unwrap_or_else(|_| panic!("{out:?} {err:?}"));
        // What is lost on the way, or not taken at once, comes again.
        assert!((pieces..=pieces + pieces / 10 + 2).contains(&segments), "{spec}: {segments} segments");
    }
}

#[test]
fn what_a_peer_sends_is_passed_on_in_slices() {
    if !has_tool("python3") {
        return;
    }
    let mut command = Command::new("python3");
    command.args(["-c", COUNT_SEGMENTS_OF_ONE, "200"]);
    let mut python = Program::start(command);
    let port =
        python.out.wait_for("a port", |out| Some(str::from_utf8(out).ok()?.strip_suffix('\n')?.to_owned()));
    let server = Server::start(&["--tap", &port, "--fault", "in:slicer=2,1ms"]);

    server.connect().send("x".repeat(200));

    let out = String::from_utf8(python.out.to_end()).unwrap();
    let segments: usize = out.lines().last().unwrap().parse().unwrap();
    assert!((100..=112).contains(&segments), "{segments} segments");
    drop(server);
    python.exit_status();
}

#[test]
fn limit_data_ends_it_after_exactly_so_many_bytes() {
    for (way, bytes) in [("out", 1000), ("in", 1000), ("out", 1), ("out", 300_000)] {
        for (value, error) in [("", None), (",rst", Some(ErrorKind::ConnectionReset))] {
            let (tap, mut from, mut to) = broken_way(way, &format!("limit_data={bytes}{value}"));

            from.send(vec![b'a'; 400]);
            from.stream.set_nonblocking(true).unwrap();
            let _ = std::io::Write::write(&mut from.stream, &vec![b'b'; 700_000]);
            from.stream.set_nonblocking(false).unwrap();
            let (got, end) = to.read_to_any_end();

            assert_eq!((got.len(), end), (bytes, error), "{way}:limit_data={bytes}{value}");
            assert!(got[..bytes.min(400)].iter().all(|byte| *byte == b'a'));
            let closed = tap.server.wait_for_status("closed: broken on purpose: limit_data");
            assert!(closed.starts_with("* #1 "), "{closed}");
            from.read_to_any_end();
            tap.server.wait_for_status("* #2 closed: linked to #1, which ");
        }
    }
}

#[test]
fn limit_data_counts_from_when_it_was_asked_for() {
    let (mut tap, mut client, mut far) = Tap::with_client(&[]);
    far.send("before\n");
    assert_eq!(client.line(), "before");

    tap.asks("/fault 1 limit_data=5", "#1: out:limit_data=5");
    far.send("12");
    assert_eq!(client.exactly(2), b"12");
    far.send("34567");

    assert_eq!(client.read_to_end(), b"345");
}

#[test]
fn while_it_is_stalled_both_sides_have_to_wait_and_afterwards_nothing_is_missing() {
    let (mut tap, client, far) = broken("stall");
    let quiet = Duration::from_millis(300);
    let (mut there, mut back) = (Noise::seeded(1), Noise::seeded(2));
    let before = tap.server.resident_bytes();

    let said = send_until_it_blocks(&client.stream, &mut there, quiet, 64 * MIB);
    let answered = send_until_it_blocks(&far.stream, &mut back, quiet, 64 * MIB);

    let (mut client, mut far) = (client, far);
    assert!(client.is_quiet() && far.is_quiet(), "nothing passes");
    let grown = tap.server.resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes for {said} and {answered}");
    let row = tap.server.who()[0].clone();
    assert!(row.state.contains("broken:stall"), "{row:?}");
    tap.asks("/fault 1 off", "#1: no faults");
    thread::scope(|scope| {
        scope.spawn(|| Noise::seeded(1).hear(&mut &far.stream, said));
        Noise::seeded(2).hear(&mut &client.stream, answered);
    });
    client.send("and on\n");
    assert_eq!(far.line(), "and on");
}

#[test]
fn a_stalled_connection_is_not_closed_for_its_silence() {
    let mut tap = Tap::start(&["--idle", "1s"]);
    let (mut client, mut far) = tap.connect();
    tap.server.wait_for_status("* #2 connected");
    tap.asks("/fault 1 stall", "#1: stall");
    tap.asks("/fault 2 stall", "#2: stall");

    far.send("held back\n");
    let_pass(Duration::from_millis(2500));

    let rows = tap.server.who();
    assert_eq!(rows.len(), 2, "nobody was closed: {rows:?}");
    assert!(rows[0].state.contains("limits-off"), "{rows:?}");
    tap.asks("/fault 1 off", "#1: no faults");
    tap.asks("/fault 2 off", "#2: no faults");
    assert_eq!(client.line(), "held back");
    tap.server.err.line_with("closed: idle");
}

#[test]
fn reset_peer_resets_at_once_or_then() {
    let (tap, mut client, mut far) = broken("reset_peer");
    assert_eq!(client.read_to_any_end(), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    tap.server.err.line_with("* #1 closed: broken on purpose: reset_peer");
    assert_eq!(far.read_to_any_end().1, Some(ErrorKind::ConnectionReset), "the other side learns it");

    let (mut tap, mut client, mut far) = Tap::with_client(&[]);
    tap.server.wait_for_status("* #2 connected");
    let since = Instant::now();
    tap.asks("/fault 1 reset_peer=400ms", "#1: reset_peer=400ms");
    far.send("until then all is well\n");
    assert_eq!(client.line(), "until then all is well");
    assert_eq!(client.read_to_any_end().1, Some(ErrorKind::ConnectionReset));
    assert!(since.elapsed() >= Duration::from_millis(400), "{:?}", since.elapsed());
}

#[test]
fn slow_close_and_no_close_keep_our_fin_back_and_nothing_else() {
    let (_tap, mut client, mut far) = broken("slow_close=500ms");
    let since = Instant::now();
    far.send("bye\n");
    far.finish();
    assert_eq!(client.line(), "bye");
    assert_eq!(client.read_to_end(), b"");
    assert!(since.elapsed() >= Duration::from_millis(500), "{:?}", since.elapsed());

    let (mut tap, mut client, mut far) = broken("no_close");
    far.send("bye\n");
    far.finish();
    assert_eq!(client.line(), "bye");
    let_pass(Duration::from_millis(400));
    assert!(client.is_quiet(), "no end comes");
    client.send("are you there?\n");
    assert_eq!(far.line(), "are you there?");
    tap.asks("/fault 1 off", "#1: no faults");
    assert_eq!(client.read_to_end(), b"", "now it does");
}

#[test]
fn what_is_sent_into_a_black_hole_vanishes() {
    for way in ["out", "in"] {
        let (mut tap, mut from, mut to) = broken_way(way, "blackhole");

        from.send("lost\n");
        Noise::seeded(1).send(&mut &from.stream, 20 * MIB);
        wait_until("all of it to be read", || {
            let rows = tap.server.who();
            let from = if way == "in" { &rows[0] } else { &rows[1] };
            (from.received == 5 + 20 * MIB as u64).then_some(())
        });
        assert!(to.is_quiet(), "{way}");
        to.send("the other way is open\n");
        assert_eq!(from.line(), "the other way is open", "{way}");
        tap.asks("/fault 1 off", "#1: no faults");
        from.send("found\n");
        assert_eq!(to.line(), "found", "{way}");
    }
    let since = Instant::now();
    let (tap, mut client, mut far) = broken("blackhole=400ms");
    far.send("lost\n");
    assert_eq!(client.read_to_any_end().0, b"");
    assert!(since.elapsed() >= Duration::from_millis(400), "{:?}", since.elapsed());
    tap.server.err.line_with("* #1 closed: broken on purpose: blackhole");
}

/// What becomes of so many zeros on their way to the next newcomer, said in pieces of so many bytes.
fn corrupted(tap: &Tap, bytes: usize, piece: usize) -> Vec<u8> {
    let (mut client, mut far) = tap.connect();
    let mut got = Vec::new();
    for _ in 0..bytes / piece {
        far.send(vec![0; piece]);
        got.extend(client.exactly(piece));
    }
    got
}

#[test]
fn so_many_bytes_are_corrupted_as_was_asked_and_a_seed_repeats_which() {
    const BYTES: usize = 100_000;
    let mut tap = Tap::unseen(&["--fault", "corrupt=0.01 seed=7"]);

    let first = corrupted(&tap, BYTES, 1000);
    let second = corrupted(&tap, BYTES, 1000);
    tap.asks("/fault new seed=7", "newcomers: ");
    let in_other_pieces = corrupted(&tap, BYTES, 2500);
    assert_eq!(corrupted(&tap, BYTES, 1000), second, "the second newcomer since the seed was given");

    let changed = first.iter().filter(|byte| **byte != 0).count();
    // Ten standard deviations; a thousand are expected.
    assert!((700..=1300).contains(&changed), "{changed} of {BYTES} changed");
    assert_ne!(first, second, "one newcomer is not broken as the other");
    assert!(first == in_other_pieces, "the same bytes are changed, however they come");
    tap.asks("/fault new corrupt=0", "newcomers: ");
    assert_eq!(corrupted(&tap, BYTES, BYTES), vec![0; BYTES]);
    tap.asks("/fault new corrupt=1", "newcomers: ");
    assert!(corrupted(&tap, 1000, 1000).iter().all(|byte| *byte != 0), "a byte is changed into another");
}

/// How a newcomer learns that it is not wanted: as it connects, or when it reads.
#[track_caller]
fn reset_at_once(server: &Server) -> ErrorKind {
    let connected = TcpStream::connect(server.address);
    connected.and_then(|mut stream| stream.read(&mut [0])).expect_err("nothing comes, not even an end").kind()
}

#[test]
fn what_is_down_resets_newcomers_and_dials_nobody() {
    let (mut tap, mut here, mut far) = Tap::with_client(&[]);
    tap.asks("/fault new down", "newcomers: down");

    for _ in 0..3 {
        assert_eq!(reset_at_once(&tap.server), ErrorKind::ConnectionReset);
    }

    tap.server.err.lines_with("closed: broken on purpose: down", 3);
    assert!(tap.target.is_left_alone());
    here.send("still here\n");
    assert_eq!(far.line(), "still here", "who was there before is not broken");
    tap.asks("/fault new off", "newcomers: no faults");
    let (mut client, mut far) = tap.connect();
    client.send("up again\n");
    assert_eq!(far.line(), "up again");
}

/// Which of the next so many newcomers are broken. `numbers`: those that they get.
#[track_caller]
fn hit(desk: &mut Desk, numbers: std::ops::Range<u64>) -> Vec<bool> {
    let begin = numbers.start;
    let peers: Vec<Peer> = numbers.map(|number| desk.connect(number)).collect();
    let conns = desk.ask(json!({"cmd": "who"}))["conns"].clone();
    let found = conns.as_array().unwrap().iter().filter(|conn| conn["id"].as_u64() >= Some(begin));
    let hit: Vec<bool> = found.map(|conn| conn.get("fault").is_some()).collect();
    assert_eq!(hit.len(), peers.len());
    hit
}

#[test]
fn toxicity_hits_a_share_of_newcomers_and_a_seed_repeats_which() {
    let mut desk = Desk::start(&[]);
    desk.ask(json!({"cmd": "fault", "to": "new", "spec": "out:latency=1ms toxicity=0.5 seed=42"}));

    let first = hit(&mut desk, 1..61);
    let count = first.iter().filter(|hit| **hit).count();
    assert!((10..=50).contains(&count), "{count} of 60 at a half");
    desk.ask(json!({"cmd": "fault", "to": "new", "spec": "seed=42"}));
    assert_eq!(hit(&mut desk, 61..121), first, "the same choices again");
    for (toxicity, hits) in [("0", false), ("1", true)] {
        desk.ask(json!({"cmd": "fault", "to": "new", "spec": format!("toxicity={toxicity}")}));
        let next = if hits { 131 } else { 121 };
        assert_eq!(hit(&mut desk, next..next + 10), [hits; 10], "toxicity={toxicity}");
    }
    desk.quit();
}

#[test]
fn a_fault_with_a_time_ends_by_itself() {
    let (mut tap, mut client, mut far) = Tap::with_client(&[]);
    tap.server.wait_for_status("* #2 connected");
    let since = Instant::now();
    let told = tap.asks("/fault 1 stall for=400ms", "#1: ");
    assert!(told.starts_with("#1: stall for="), "{told}");

    far.send("held back\n");
    assert_eq!(client.line(), "held back");

    assert!(since.elapsed() >= Duration::from_millis(400), "{:?}", since.elapsed());
    tap.server.err.line_with("* #1 is broken no more");
    assert_eq!(tap.asks("/fault 1", "#1"), "#1: no faults");

    tap.asks("/fault new down for=300ms", "newcomers: down for=");
    assert_eq!(reset_at_once(&tap.server), ErrorKind::ConnectionReset);
    tap.server.err.line_with("* newcomers are broken no more");
    let (mut client, mut far) = tap.connect();
    client.send("up again\n");
    assert_eq!(far.line(), "up again");
}

#[test]
fn the_same_word_is_replaced_others_are_added_and_off_ends_them_all() {
    let (mut tap, mut client, mut far) = broken("latency=10s");
    far.send("late\n");

    assert_eq!(tap.asks("/fault 1 in:latency=1ms", "#1"), "#1: out:latency=10s in:latency=1ms");
    assert_eq!(tap.asks("/fault 1 latency=20s", "#1"), "#1: out:latency=20s in:latency=1ms");
    assert_eq!(tap.asks("/fault 1", "#1"), "#1: out:latency=20s in:latency=1ms");
    assert_eq!(tap.asks("/fault 2", "#2"), "#2: no faults");
    client.send("soon\n");
    assert_eq!(far.line(), "soon");
    assert!(client.is_quiet());
    assert_eq!(tap.asks("/fault 1 off", "#1"), "#1: no faults");
    assert_eq!(client.line(), "late", "what was kept back comes at once");
}

#[test]
fn two_faults_at_once_both_hold() {
    let (_tap, mut client, mut far) = broken("latency=300ms limit_data=6");
    let since = Instant::now();

    far.send("0123456789");

    assert_eq!(client.read_to_end(), b"012345");
    assert!(since.elapsed() >= Duration::from_millis(300), "{:?}", since.elapsed());
}

#[test]
fn a_program_breaks_mends_and_is_told() {
    let (mut desk, mut peers) = Desk::with_peers(&[], 2);

    let reply = desk.ask(json!({"cmd": "fault", "to": 1, "spec": "latency=200ms"}));
    assert_eq!(json!([reply["id"], reply["spec"]]), json!([1, "out:latency=200ms"]));
    let since = Instant::now();
    desk.ask(json!({"cmd": "send", "to": [1, 2], "text": "hi"}));
    assert_eq!(peers[1].line(), "hi");
    assert_eq!(peers[0].line(), "hi");
    assert!(since.elapsed() >= Duration::from_millis(200), "{:?}", since.elapsed());
    let conns = desk.ask(json!({"cmd": "who"}))["conns"].clone();
    assert_eq!(conns[0]["fault"], "out:latency=200ms");
    assert_eq!(conns[1].get("fault"), None);

    let shown = desk.ask(json!({"cmd": "fault", "to": 1}));
    assert_eq!(shown["spec"], "out:latency=200ms");
    desk.ask(json!({"cmd": "fault", "to": 1, "spec": "for=100ms"}));
    let event = desk.event_where("fault", |event| event.get("by").is_none());
    assert_eq!(json!([event["id"], event["spec"]]), json!([1, "off"]));
    assert_eq!(desk.refused(json!({"cmd": "fault", "to": 1, "spec": "latncy=5s"})), "bad-fault");
    assert_eq!(desk.refused(json!({"cmd": "fault", "to": 1, "spec": "down"})), "bad-fault");
    assert_eq!(desk.refused(json!({"cmd": "fault", "to": 9, "spec": "stall"})), "no-such-conn");
    desk.ask(json!({"cmd": "fault", "to": 2, "spec": "reset_peer"}));
    let closed = desk.about("close", 2);
    assert_eq!(json!([closed["reason"], closed["msg"]]), json!(["fault", "broken on purpose: reset_peer"]));
    desk.ask(json!({"cmd": "fault", "to": "new", "spec": "stall"}));
    let of_newcomers = desk.event_where("fault", |event| event.get("id").is_none());
    assert_eq!(json!([of_newcomers["spec"], of_newcomers["by"]]), json!(["stall", 1]));
    desk.quit();
}

#[test]
fn from_the_start_newcomers_are_broken_and_the_targets_side_of_a_tap_is_not() {
    let mut tap = Tap::start(&["--fault", "latency=150ms", "--fault", "in:slicer=3"]);
    let since = Instant::now();
    let (mut client, mut far) = tap.connect();

    client.send("a question\n");
    assert_eq!(far.line(), "a question");
    far.send("an answer\n");
    assert_eq!(client.line(), "an answer");

    assert!(since.elapsed() >= Duration::from_millis(150));
    assert_eq!(tap.asks("/fault 1", "#1"), "#1: out:latency=150ms in:slicer=3");
    assert_eq!(tap.asks("/fault 2", "#2"), "#2: no faults");
}

#[test]
fn a_fault_that_is_spelt_wrong_is_wrong_usage_and_named() {
    for (spec, told) in [
        ("latncy=5s", "unknown fault \"latncy\": is it latency?"),
        ("bandwidth=fast", "bandwidth=10K"),
        ("in:down", "down"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(["--fault", spec, "0"]);
        let mut program = Program::start(command);

        assert_eq!(program.exit_status().code(), Some(2), "{spec}");
        let err = String::from_utf8(program.err.to_end()).unwrap();
        assert!(err.contains(told), "{spec}: {err}");
        assert!(!err.contains("listening"), "{spec}: {err}");
    }
}

#[test]
fn without_a_tap_what_the_operator_sends_is_broken_too() {
    let (mut server, mut peers) = Server::with_peers(&["--echo", "--fault", "in:limit_data=10"], 1);
    peers[0].send("0123456789abc\n");
    assert_eq!(peers[0].read_to_end(), b"0123456789");

    let (mut peer, number) = server.connect_numbered();
    asks(&mut server, &format!("/fault {number} off"), "no faults");
    asks(&mut server, &format!("/fault {number} limit_data=4,rst"), "limit_data");
    peer.send("abcdefgh\n");
    assert_eq!(peer.read_to_any_end(), (b"abcd".to_vec(), Some(ErrorKind::ConnectionReset)));
}

#[test]
fn the_end_of_the_server_does_not_wait_for_what_is_broken() {
    let (mut tap, mut client, mut far) = broken("stall");
    far.send("held back\n");
    let since = Instant::now();

    tap.server.type_line("/quit");

    assert_eq!(tap.server.exit_status().code(), Some(0));
    assert!(since.elapsed() < DEADLINE);
    client.read_to_any_end();
}
