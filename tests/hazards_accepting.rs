//! Hazards of event-loop servers, as docs/hazards.md numbers them: accepting (h01 to h05).

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{Peer, Server, has_tool, let_pass};

/// A server that may have so many descriptors, and cannot raise that.
fn with_descriptors(count: usize, arguments: &[&str]) -> Server {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={count}:{count}")).arg(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments).arg("0");
    Server::of(command)
}

/// Leaves a running server those descriptors that it has. It has counted on more when it started, so
/// from there on accepting really fails.
#[track_caller]
fn allow_no_more_descriptors(server: &Server) {
    let is_used = |number: &u32| fs::symlink_metadata(format!("/proc/{}/fd/{number}", server.pid())).is_ok();
    let first_unused = (0..).find(|number| !is_used(number)).unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--pid", &server.pid().to_string(), &format!("--nofile={first_unused}:")]);
    assert!(command.status().expect("prlimit runs").success(), "the limit can be lowered");
}

#[track_caller]
fn is_served(peer: &mut Peer, text: &str) {
    peer.send(format!("{text}\n"));
    assert_eq!(peer.line(), text);
}

#[track_caller]
fn is_turned_away(mut peer: Peer, why: &str) {
    assert_eq!(String::from_utf8_lossy(&peer.read_to_end()), why);
}

#[test]
fn h01_out_of_descriptors_the_surplus_is_told_why_and_costs_nothing_while_it_hangs_on() {
    const PLACES: usize = 32;
    if !has_tool("prlimit") {
        return;
    }
    let mut server = with_descriptors(64, &["--echo"]);
    let mut inside: Vec<Peer> = (0..PLACES).map(|_| server.connect()).collect();
    inside.iter_mut().for_each(|peer| is_served(peer, "first"));

    let ticks_before = server.cpu_ticks();
    let mut surplus: Vec<Peer> = (PLACES..140).map(|_| server.connect()).collect();
    for peer in &mut surplus {
        let told = String::from_utf8_lossy(&peer.read_to_end()).into_owned();
        assert_eq!(told, format!("switchboard: full ({PLACES} connections)\n"));
    }
    // They know, and still keep their sockets.
    let turns_before = server.stat("turns");
    let_pass(Duration::from_millis(500));
    let turns = server.stat("turns") - turns_before;
    let ticks = server.cpu_ticks() - ticks_before;
    inside.iter_mut().for_each(|peer| is_served(peer, "second"));

    assert!(turns < 100, "{turns} turns for nothing");
    assert!(ticks < 30, "{ticks} ticks to turn away {}", surplus.len());
    assert_eq!(server.stat("when full"), surplus.len() as u64);
    drop(inside.drain(..25));
    server.err.lines_with(" closed", 25);
    let mut newcomers: Vec<Peer> = (0..25).map(|_| server.connect()).collect();
    newcomers.iter_mut().chain(&mut inside).for_each(|peer| is_served(peer, "third"));
}

#[test]
fn h01_when_accepting_itself_fails_the_loop_does_not_spin_and_those_inside_are_served() {
    if !has_tool("prlimit") {
        return;
    }
    let mut server = Server::start(&["--echo"]);
    let (mut inside, _) = server.connect_numbered();

    allow_no_more_descriptors(&server);
    let waiting: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    is_served(&mut inside, "first");
    let logged =
        |server: &Server| String::from_utf8_lossy(&server.err.so_far()).matches("cannot accept").count();
    let (turns, failed) = (server.stat("turns"), server.stat("accepts failed"));
    let logged_before = logged(&server);
    let_pass(Duration::from_secs(1));
    let (turns, failed) = (server.stat("turns") - turns, server.stat("accepts failed") - failed);
    is_served(&mut inside, "second");

    assert!(server.stat("accepts failed") > 0, "there was a descriptor left");
    assert!(failed <= 100, "{failed} failing accepts in a second");
    assert!(turns <= 200, "{turns} turns in a second of waiting");
    assert!(logged_before > 0, "the operator is told");
    assert!(logged(&server) <= logged_before + 1, "the same is logged over and over");
    drop(waiting);
}

#[test]
fn h01_while_accepting_fails_not_every_knock_is_logged_nor_tried() {
    const KNOCKS: u64 = 60;
    if !has_tool("prlimit") {
        return;
    }
    let mut server = Server::start(&["--echo"]);
    let (mut inside, _) = server.connect_numbered();

    allow_no_more_descriptors(&server);
    let began = Instant::now();
    let mut waiting = Vec::new();
    for number in 0..KNOCKS {
        waiting.push(server.connect());
        // One knock a turn, so that each is an event of its own.
        is_served(&mut inside, &format!("knock {number}"));
    }
    let failed = server.stat("accepts failed");
    let seconds = began.elapsed().as_secs() + 1;
    let err = String::from_utf8_lossy(&server.err.so_far()).into_owned();
    let logged = err.matches("cannot accept").count() as u64;

    // A pause is a pause: somebody who knocks all the time must not fill the log, or the processor.
    assert!((1..=2 + seconds).contains(&logged), "{logged} lines of log for {KNOCKS} knocks in vain");
    assert!((1..=2 + 12 * seconds).contains(&failed), "{failed} failing accepts for {KNOCKS} knocks");
}

#[test]
fn h02_those_who_wait_for_a_descriptor_get_in_when_others_leave_without_another_knock() {
    if !has_tool("prlimit") {
        return;
    }
    let mut server = Server::start(&["--echo"]);
    let mut inside: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    inside.iter_mut().for_each(|peer| is_served(peer, "inside"));

    allow_no_more_descriptors(&server);
    let mut waiting: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    waiting.iter_mut().for_each(|peer| peer.send("hello\n"));
    is_served(&mut inside[0], "all of them have knocked");
    assert!(server.stat("accepts failed") > 0, "there was a descriptor left");
    assert!(waiting.iter_mut().all(Peer::is_quiet), "there was a descriptor left");
    drop(inside);

    for peer in &mut waiting {
        assert_eq!(peer.line(), "hello");
    }
}

#[test]
fn h02_whom_one_turn_does_not_accept_the_next_ones_do_without_another_knock() {
    let server = Server::start(&["--echo"]);

    // Many times what is accepted in one turn, announced by a single edge.
    server.pause();
    let mut peers: Vec<Peer> = (0..300).map(|_| server.connect()).collect();
    peers.iter_mut().for_each(|peer| peer.send("hello\n"));
    server.resume();

    for (at, peer) in peers.iter_mut().enumerate() {
        assert_eq!(peer.line(), "hello", "peer {at}");
    }
}

#[test]
fn h03_whatever_error_accepting_brings_the_listener_lives_on() {
    if !has_tool("strace") {
        return;
    }
    const ERRORS: [&str; 9] =
        ["ECONNABORTED", "EINTR", "EPROTO", "ENOBUFS", "ENOMEM", "EMFILE", "ENFILE", "EPERM", "EIO"];

    thread::scope(|scope| {
        for error in ERRORS {
            scope.spawn(move || {
                let mut server = Server::start(&["--echo"]);
                let (mut steady, _) = server.connect_numbered();
                // The first call, the third, the fifth and so on, so that it comes with nobody inside a
                // batch, in the middle of one, and in its place at the end.
                let inject = format!("inject=accept4:error={error}:when=1+2");
                let strace = server.traced(&["trace=accept4", &inject]);

                for number in 0..4 {
                    let mut peer = server.connect();
                    is_served(&mut peer, &format!("{error} {number}"));
                    is_served(&mut steady, "still here");
                }

                let injected = strace.err.lines_with("(INJECTED)", 2);
                assert!(injected[0].contains(error), "{injected:?}");
                assert!(server.is_running());
            });
        }
    });
}

#[test]
fn h03_a_storm_of_newcomers_does_not_hold_up_those_inside() {
    const NEWCOMERS: usize = 500;
    let server = Server::start(&["--format", "human"]);
    let (mut inside, _) = server.connect_numbered();

    server.pause();
    let storm: Vec<Peer> = (0..NEWCOMERS).map(|_| server.connect()).collect();
    inside.send("I was here before\n");
    server.resume();
    let lines = server.out.lines_with("", NEWCOMERS + 2);

    let place = lines.iter().position(|line| line.contains("I was here before")).expect("it is shown");
    assert!(place < 150, "shown after {place} newcomers, though it was said when all of them waited");
    assert_eq!(lines.iter().filter(|line| line.contains(" connected from ")).count(), NEWCOMERS + 1);
    drop(storm);
}

#[test]
fn h04_at_the_cap_exactly_that_many_are_served_however_often_places_change_hands() {
    let mut server = Server::start(&["--echo", "--max-conns", "10"]);
    let mut closed = 0;
    let mut turned_away = 0;

    for round in 0..5 {
        let mut inside: Vec<Peer> = (0..10).map(|_| server.connect()).collect();
        for _ in 0..40 {
            is_turned_away(server.connect(), "switchboard: full (10 connections)\n");
            turned_away += 1;
        }
        inside.iter_mut().for_each(|peer| is_served(peer, &format!("round {round}")));
        closed += inside.len();
        drop(inside);
        server.err.lines_with(" closed", closed);
    }

    assert_eq!(server.stat("when full"), turned_away);
}

#[test]
fn h04_what_the_descriptors_allow_is_served_and_what_they_do_not_is_said_at_the_start() {
    if !has_tool("prlimit") {
        return;
    }
    // Fewer than the reserve: one connection is possible all the same.
    let scarce = with_descriptors(20, &["--echo"]);
    let asks_too_much = with_descriptors(64, &["--echo", "--max-conns", "1000"]);

    let mut only = scarce.connect();
    is_served(&mut only, "hello");
    is_turned_away(scarce.connect(), "switchboard: full (1 connection)\n");
    is_served(&mut only, "hello again");
    let said = asks_too_much.err.line_with("at most");
    assert_eq!(said, "switchboard: at most 32 connections, not 1000: the descriptor limit is 64");
}

#[test]
fn h04_what_it_needs_at_the_start_does_not_depend_on_how_many_descriptors_there_may_be() {
    if !has_tool("prlimit") {
        return;
    }
    let most = fs::read_to_string("/proc/sys/fs/nr_open").unwrap().trim().parse().unwrap();
    let may_have_most = Command::new("prlimit").args([&format!("--nofile={most}:{most}"), "true"]).output();
    let may_have_most = may_have_most.is_ok_and(|output| output.status.success());

    let few = with_descriptors(64, &[]);
    let many = if may_have_most { with_descriptors(most, &[]) } else { Server::start(&[]) };
    let is_all_there = |server: &Server| drop(server.connect_numbered());
    is_all_there(&few);
    is_all_there(&many);

    let more = many.resident_bytes().saturating_sub(few.resident_bytes());
    assert!(more < 2 << 20, "{more} bytes more with {most} descriptors (or what the system gives)");
    // Reserved but not yet touched, it would still be by the number of descriptors.
    let virtual_bytes = |server: &Server| {
        let statm = fs::read_to_string(format!("/proc/{}/statm", server.pid())).unwrap();
        statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
    };
    let more = virtual_bytes(&many).abs_diff(virtual_bytes(&few));
    assert!(more < 80 << 20, "{more} bytes more or less are reserved");
}

#[test]
fn h05_a_thousand_may_knock_at_once_before_anybody_opens() {
    let kernel_max = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let knocking = kernel_max.trim().parse::<usize>().unwrap().min(1000) - 8;
    let server = Server::start(&["--echo"]);

    // With the usual backlog of 128 the later ones would find no place, and wait for a second or more.
    server.pause();
    let mut peers: Vec<Peer> = (0..knocking).map(|_| server.connect()).collect();
    for (at, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("{at}\n"));
    }
    server.resume();

    for (at, peer) in peers.iter_mut().enumerate() {
        assert_eq!(peer.line(), at.to_string());
    }
    // None of them has left a trace that would keep the next one out.
    drop(peers);
    is_served(&mut server.connect(), "next");
}
