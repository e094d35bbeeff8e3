//! Hazards of links and of what is broken on purpose, as docs/hazards.md numbers them (h55 to h60). Schedules in their
//! thousands are the simulator's; here are real sockets.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tap.rs"]
mod tap;

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Peer, RaiseAtEnd, Random, Server, let_pass, wait_until};
use tap::{Noise, Tap, asks, deaf_port, send_until_it_blocks};

const MIB: usize = 1 << 20;
const QUIET: Duration = Duration::from_millis(300);

#[test]
fn h55_an_end_waits_for_what_is_queued_and_ends_that_direction_alone() {
    for arguments in [&[][..], &["--quiet"]] {
        let tap = Tap::unseen(arguments);
        let (mut client, mut far) = tap.connect();

        // More than any buffer on the way holds, before anybody reads; the end is said behind it.
        thread::scope(|scope| {
            scope.spawn(|| {
                Noise::seeded(1).send(&mut &client.stream, 24 * MIB);
                client.finish();
            });
            far.send("the other way is open\n");
            let_pass(QUIET);
            Noise::seeded(1).hear(&mut &far.stream, 24 * MIB);
        });

        assert_eq!(far.read_to_end(), b"", "{arguments:?}");
        assert_eq!(client.line(), "the other way is open");
        far.send("still\n");
        far.finish();
        assert_eq!(client.read_to_end(), b"still\n");
        tap.server.wait_for_status("* #1 closed: both sides finished");
    }
}

#[test]
fn h55_a_reset_comes_as_one_after_all_that_was_read_before_it() {
    for arguments in [&[][..], &["--quiet"]] {
        let mut tap = Tap::unseen(arguments);
        let (client, far) = tap.connect();
        // So much that some of it waits here, for whoever does not read.
        let sent = send_until_it_blocks(&client.stream, &mut Noise::seeded(1), QUIET, 64 * MIB);
        let read = |tap: &mut Tap| tap.server.who().first().map_or(0, |row| row.received);
        let before = read(&mut tap);
        assert!(before > 0 && before <= sent as u64);

        client.reset();
        let mut far = far;
        let (bytes, error) = far.read_to_any_end();

        assert_eq!(error, Some(ErrorKind::ConnectionReset), "{arguments:?}: after {} bytes", bytes.len());
        // What the system had not handed over may have gone with the reset.
        assert!(bytes.len() as u64 >= before, "{arguments:?}: {} of {before} bytes", bytes.len());
        Noise::seeded(1).agree(&bytes, 0);
    }
}

/// What one end does at random: says so much in all, in pieces, and then finishes.
fn says_and_finishes(stream: &TcpStream, seed: u64, count: usize) {
    let mut random = Random::seeded(seed);
    let bytes = Noise::seeded(seed).bytes(count);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let most = if random.below(4) == 0 { 60_000 } else { 200 };
        let piece = (1 + random.below(most)).min(rest.len());
        let mut to = stream;
        to.write_all(&rest[..piece]).expect("it is taken");
        rest = &rest[piece..];
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
}

#[test]
fn h55_what_one_said_is_what_the_other_got_whoever_finishes_when() {
    const PAIRS: u64 = 200;
    for arguments in [&[][..], &["--quiet"]] {
        let tap = Tap::unseen(arguments);
        for pair in 0..PAIRS {
            let mut random = Random::seeded(pair);
            let (client, far) = tap.connect();
            let amounts = [0, 1].map(|_| [0, 1, 100, 70_000, 400_000][random.below(5)] + random.below(50));
            thread::scope(|scope| {
                for (from, to, at) in [(&client, &far, 0), (&far, &client, 1)] {
                    let seed = pair * 2 + at;
                    let count = amounts[at as usize];
                    scope.spawn(move || says_and_finishes(&from.stream, seed, count));
                    scope.spawn(move || {
                        Noise::seeded(seed).hear(&mut &to.stream, count);
                        let mut end = &to.stream;
                        assert_eq!(std::io::Read::read(&mut end, &mut [0]).unwrap(), 0, "pair {pair}");
                    });
                }
            });
        }
        tap.server.err.lines_with(" closed: both sides finished", 2 * PAIRS as usize);
    }
}

#[test]
fn h56_who_is_fast_waits_for_who_is_slow_and_memory_is_bounded() {
    for (arguments, pairs) in [(&[][..], 20), (&["--quiet"], 20)] {
        let tap = Tap::unseen(arguments);
        let connected: Vec<(Peer, Peer)> = (0..pairs).map(|_| tap.connect()).collect();
        let before = tap.server.resident_bytes();

        for (client, far) in &connected {
            send_until_it_blocks(&client.stream, &mut Noise::seeded(1), Duration::from_millis(30), 64 * MIB);
            send_until_it_blocks(&far.stream, &mut Noise::seeded(1), Duration::from_millis(30), 64 * MIB);
        }
        let_pass(QUIET);

        let grown = tap.server.resident_bytes().saturating_sub(before) as usize;
        // Each way 64 KiB and what one read brings beyond, doubled for what a queue has in reserve.
        assert!(
            grown < pairs * 2 * (256 << 10),
            "{arguments:?}: {grown} bytes for {pairs} pairs that read nothing"
        );
    }
}

#[test]
fn h56_when_both_sides_are_full_both_go_on_as_soon_as_they_read() {
    for arguments in [&[][..], &["--quiet"]] {
        let tap = Tap::unseen(arguments);
        let (client, far) = tap.connect();
        let mut noises = [Noise::seeded(1), Noise::seeded(2)];

        // Neither reads before it can say no more.
        let said = send_until_it_blocks(&client.stream, &mut noises[0], QUIET, 64 * MIB);
        let answered = send_until_it_blocks(&far.stream, &mut noises[1], QUIET, 64 * MIB);

        let [there, back] = &mut noises;
        thread::scope(|scope| {
            scope.spawn(|| there.send(&mut &client.stream, 8 * MIB));
            scope.spawn(|| back.send(&mut &far.stream, 8 * MIB));
            scope.spawn(|| Noise::seeded(1).hear(&mut &far.stream, said + 8 * MIB));
            Noise::seeded(2).hear(&mut &client.stream, answered + 8 * MIB);
        });
    }
}

#[test]
fn h57_a_link_that_would_go_in_a_circle_is_refused_and_says_why() {
    let mut server = Server::start(&[]);
    let own = server.address;
    let (mut peer, _) = server.connect_numbered();
    assert_eq!(asks(&mut server, "/link 1 1", "cannot"), "cannot link #1 to itself");

    // #2 is dialled to this server, which sees it as #3.
    asks(&mut server, &format!("/dial {own}"), "-> #2");
    server.err.line_with("* #2 connected to");
    server.err.line_with("* #3 connected from");
    for line in ["/link 1 2", "/link 2 1", "/link 2 3"] {
        let told = asks(&mut server, line, "cannot");
        assert!(told.contains("#2: it leads to this server itself"), "{line}: {told}");
    }
    let (_other, _) = server.connect_numbered();
    asks(&mut server, "/link 1 4", "are linked");
    for line in ["/link 1 4", "/link 4 1", "/link 3 1"] {
        let told = asks(&mut server, line, "cannot");
        assert!(told.contains("is linked to"), "{line}: {told}");
    }

    peer.send("round and round\n");
    server.out.line_with("1\tround and round");
    let before = server.stat("turns");
    let_pass(QUIET);
    assert!(server.stat("turns") - before < 20, "nothing spins");
}

#[test]
fn h57_a_tap_that_leads_to_itself_by_a_way_unknown_at_the_start_does_not_spin() {
    // A name can lead here later; an address of another listener of the same server does from the start.
    let port = deaf_port();
    let server = Server::start(&["--tap", &format!("127.0.0.1:{port}")]);
    let (mut client, _) = server.connect_numbered();
    client.read_to_any_end();
    server.err.line_with("* #1 closed: linked to #2, which did not come about");

    // Two taps that lead to each other: no single one of them can know. What there is, is bounded by the limits.
    let first = deaf_port();
    let second = Server::start(&["--tap", &first.to_string(), "--max-conns", "50"]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--tap", &second.port(), "--max-conns", "50", &first.to_string()]);
    let mut first = Server::of(command);
    let mut client = first.connect();
    client.read_to_any_end();
    assert!(first.is_running());
    drop((client, second));
    wait_until("all of it to be over", || {
        first.type_line("/stats");
        let err = String::from_utf8_lossy(&first.err.so_far()).into_owned();
        err.lines()
            .rfind(|line| line.starts_with("connections "))?
            .starts_with("connections 0 now")
            .then_some(())
    });
}

#[test]
fn h58_while_the_target_is_not_reached_the_newcomer_is_not_read() {
    // A listener whose queue is full answers nothing to whoever knocks.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let _in_its_queue = TcpStream::connect(address).unwrap();
    let mut tap = Server::start(&["--tap", &address.to_string()]);
    let (client, _) = tap.connect_numbered();
    let before = tap.resident_bytes();

    let sent = send_until_it_blocks(&client.stream, &mut Noise::seeded(1), QUIET, 64 * MIB);

    let rows = tap.who();
    assert_eq!((rows.len(), rows[0].received), (2, 0), "{rows:?}");
    assert!(tap.resident_bytes() < before + (2 << 20), "{sent} bytes are kept by the system");
    // Whoever gives up is not hung on to, and the dial ends with it.
    client.reset();
    tap.type_line("/rst 2");
    tap.err.line_with("* #1 closed: ");
    wait_until("both to be gone", || tap.who().is_empty().then_some(()));
}

#[test]
fn h58_who_cannot_be_connected_to_is_told_by_an_end_and_the_operator_why() {
    let mut server = Server::start(&["--tap", &deaf_port().to_string()]);

    for number in [1, 3, 5] {
        let mut client = server.connect();
        client.send("is anybody there?\n");
        let (bytes, _) = client.read_to_any_end();
        assert_eq!(bytes, b"");
        let closed = server.err.line_with(&format!("* #{number} closed"));
        let mate = number + 1;
        let why = format!("linked to #{mate}, which did not come about: Connection refused");
        assert!(closed.contains(&why), "{closed}");
    }
    assert!(server.who().is_empty());
    assert_eq!(server.out.so_far(), b"", "what was not read was not shown");
}

#[test]
fn h59_a_throttled_talker_is_not_let_through_in_bursts() {
    let mut tap = Tap::unseen(&["--fault", "bandwidth=100K"]);
    let (client, far) = tap.connect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = far.stream.set_write_timeout(Some(Duration::from_millis(100)));
            let (mut to, bytes) = (&far.stream, [7; 8 << 10]);
            while !over.load(Ordering::SeqCst) {
                let _ = to.write(&bytes);
            }
        });
        let _over = RaiseAtEnd(&over);
        let (mut from, mut buffer) = (&client.stream, vec![0; 64 << 10]);
        let _ = std::io::Read::read(&mut from, &mut buffer).unwrap();
        let began = Instant::now();
        let (mut last_at, mut gaps) = (began, Vec::new());
        while began.elapsed() < Duration::from_millis(1500) {
            let read = std::io::Read::read(&mut from, &mut buffer).unwrap();
            gaps.push((last_at.elapsed(), read));
            last_at = Instant::now();
        }
        gaps.sort_unstable();
        let (gap, _) = gaps[gaps.len() / 2];
        assert!(gaps.len() > 30 && gap < Duration::from_millis(50), "{} pieces, {gap:?} apart", gaps.len());
    });
    tap.server.type_line("/quit");
}

#[test]
fn h59_what_is_delayed_keeps_its_order_whatever_the_jitter() {
    let (mut tap, mut client, mut far) = Tap::with_client(&[]);
    tap.asks("/fault 1 latency=30ms,30ms in:latency=30ms,30ms", "#1: ");
    for number in 0..200 {
        far.send(format!("{number}\n"));
        client.send(format!("{number}\n"));
        if number % 10 == 0 {
            let_pass(Duration::from_millis(3));
        }
    }
    far.finish();
    client.finish();

    let all: String = (0..200).map(|number| format!("{number}\n")).collect();
    assert_eq!(String::from_utf8(client.read_to_end()).unwrap(), all, "and the end comes last");
    assert_eq!(String::from_utf8(far.read_to_end()).unwrap(), all);
}

#[test]
fn h59_a_stall_holds_for_as_long_as_it_is_on() {
    let mut tap = Tap::start(&["--idle", "1s", "--half-open", "1s"]);
    let (mut client, mut far) = tap.connect();
    tap.server.wait_for_status("* #2 connected");
    tap.asks("/fault 1 stall", "#1: stall");
    tap.asks("/fault 2 in:latency=1ms", "#2: ");
    far.send("held back\n");
    far.finish();

    let_pass(Duration::from_millis(3000));

    assert!(client.is_quiet());
    assert_eq!(tap.server.who().len(), 2, "no limit has cut it");
    tap.asks("/fault 1 off", "#1: no faults");
    assert_eq!(client.line(), "held back");
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn h60_many_throttled_connections_do_not_hold_up_the_others() {
    const THROTTLED: usize = 300;
    let mut tap = Tap::unseen(&["--quiet"]);
    let (mut client, mut far) = tap.connect();
    tap.asks("/fault new bandwidth=10K", "newcomers: ");
    let slow: Vec<(Peer, Peer)> = (0..THROTTLED).map(|_| tap.connect()).collect();
    let over = AtomicBool::new(false);
    let mut times: Vec<Duration> = thread::scope(|scope| {
        // Each of them always has something to say.
        scope.spawn(|| {
            slow.iter().for_each(|(_, far)| far.stream.set_nonblocking(true).unwrap());
            slow.iter().for_each(|(client, _)| client.stream.set_nonblocking(true).unwrap());
            let mut buffer = vec![7; 4 << 10];
            while !over.load(Ordering::SeqCst) {
                for (client, far) in &slow {
                    let (mut from, mut to) = (&client.stream, &far.stream);
                    let _ = to.write(&buffer);
                    let _ = std::io::Read::read(&mut from, &mut buffer);
                }
                let_pass(Duration::from_millis(5));
            }
        });
        let _over = RaiseAtEnd(&over);
        let echo = scope.spawn(move || {
            for _ in 0..500 {
                let line = far.line();
                far.send(format!("{line}\n"));
            }
        });
        let time = |number| {
            let since = Instant::now();
            client.send(format!("{number}\n"));
            assert_eq!(client.line(), format!("{number}"));
            since.elapsed()
        };
        let times = (0..500).map(time).collect();
        echo.join().unwrap();
        times
    });

    times.sort_unstable();
    let half = times[times.len() / 2];
    assert!(half < Duration::from_millis(50), "a round trip takes {half:?}");
}
