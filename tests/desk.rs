//! Several desks at one server, over its control socket: what each is told, what each may do, and that none of them is a
//! peer. The numbers hNN are those of the list of hazards in docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[path = "common/attached.rs"]
mod attached;
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use attached::{Remote, place, server_with_desk};
use common::{Peer, Program, Server, wait_until};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../docs/desk.schema.json");

/// What a desk is told before anything happens.
fn greeting(desk: &mut Remote) -> Vec<Value> {
    desk.tell(json!({"cmd": "stats"}));
    let mut told = Vec::new();
    loop {
        match desk.next().expect("it goes on") {
            line if line["ev"] == "ok" => return told,
            line => told.push(line),
        }
    }
}

fn kinds(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| line["ev"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_desk_is_greeted_with_who_is_here_and_what_was_said_and_then_told_what_happens() {
    let (mut server, path) = server_with_desk("greet", &["--format", "json"]);
    let mut first = server.connect();
    first.send("one\ntwo\n");
    server.out.line_with("\"two\"");
    let _second = server.connect();
    server.out.line_with("\"id\":2");
    server.write_stdin(
        b"{\"cmd\":\"name\",\"id\":2,\"name\":\"lab\"}\n{\"cmd\":\"send\",\"to\":2,\"text\":\"hi\"}\n",
    );
    server.out.line_with("\"queued\":1");

    let mut desk = Remote::attach(&path);
    let told = greeting(&mut desk);
    first.send("three\n");
    let live = desk.event("msg");

    assert_eq!(kinds(&told), ["hello", "desk", "open", "open", "msg", "msg", "sent"]);
    assert_eq!((&told[0]["v"], &told[0]["desk"], &told[0]["may"]), (&json!(1), &json!(2), &json!("all")));
    let run = server.out.line_with("listening");
    assert!(run.contains(told[0]["run"].as_str().unwrap()), "{run}");
    let open: Vec<_> = told[2..4].iter().map(|open| (&open["id"], &open["state"], &open["past"])).collect();
    assert_eq!(open, [(&json!(1), &json!("open"), &json!(true)), (&json!(2), &json!("open"), &json!(true))]);
    assert!(told[2].get("pending").is_some(), "who waits is told: {}", told[2]);
    assert_eq!(told[3]["name"], "lab");
    let said: Vec<_> = told[4..].iter().map(|line| (line["text"].as_str().unwrap(), &line["past"])).collect();
    let past = &json!(true);
    assert_eq!(said, [("one", past), ("two", past), ("hi\n", past)]);
    assert_eq!((&live["text"], live.get("past")), (&json!("three"), None));
    let last_past = told[6]["seq"].as_u64().unwrap();
    assert_eq!(told[0]["seq"], last_past, "the greeting says how far it goes");
    assert_eq!(live["seq"], last_past + 1, "nothing between what was and what comes");
}

#[test]
fn of_what_is_said_while_desks_come_each_sees_all_of_it_once() {
    let (server, path) = server_with_desk("seam", &["--quiet"]);
    let mut peer = server.connect();
    let talks = std::thread::spawn(move || {
        for number in 1..=900 {
            peer.send(format!("{number}\n"));
        }
        peer.send("end\n");
        peer
    });
    let mut all = Vec::new();
    for _ in 0..8 {
        let mut desk = Remote::attach(&path);
        let mut said = Vec::new();
        loop {
            let line = desk.event("msg");
            said.push(line["seq"].as_u64().unwrap());
            if line["text"] == "end" {
                break;
            }
        }
        all.push(said);
    }
    drop(talks.join().unwrap());

    for said in all {
        let whole: Vec<u64> = (*said.last().unwrap() - 900..=*said.last().unwrap()).collect();
        assert_eq!(said, whole, "no hole, and nothing twice");
    }
}

#[test]
fn what_one_desk_sends_reaches_the_peer_once_and_the_others_are_told_by_whom() {
    let (mut server, path) = server_with_desk("two", &["--format", "json"]);
    let mut peer = server.connect();
    let (mut ann, mut bob) = (Remote::attach(&path), Remote::attach(&path));
    ann.ask(json!({"cmd": "desk", "name": "ann"}));
    assert_eq!(bob.until("ann", |line| line["name"] == "ann")["desk"], 2);

    let from_ann = ann.ask(json!({"cmd": "send", "to": 1, "text": "from ann"}));
    let from_bob = bob.ask(json!({"cmd": "send", "to": "all", "text": "from bob"}));
    server.write_stdin(b"{\"cmd\":\"send\",\"to\":1,\"text\":\"from stdin\",\"ref\":9}\n");

    assert_eq!(
        (peer.line(), peer.line(), peer.line()),
        ("from ann".into(), "from bob".into(), "from stdin".into())
    );
    let at_bob = bob.event("sent");
    assert_eq!(
        (&at_bob["by"], &at_bob["text"], &at_bob["ids"]),
        (&json!(2), &json!("from ann\n"), &json!([1]))
    );
    assert_eq!(at_bob["seq"], from_ann["seq"], "the reply has the number that the others see");
    let at_ann = ann.event("sent");
    assert_eq!((&at_ann["by"], &at_ann["to"], &at_ann["seq"]), (&json!(3), &json!("all"), &from_bob["seq"]));
    assert_eq!(ann.event("sent")["by"], 1);
    let at_stdin = server.out.line_with("from ann");
    assert!(at_stdin.contains("\"by\":2"), "{at_stdin}");
    ann.tell(json!({"cmd": "stats"}));
    bob.tell(json!({"cmd": "quit"}));
    let rest = kinds(&ann.rest());
    assert_eq!(
        rest.iter().filter(|kind| *kind == "sent").count(),
        0,
        "nobody is told of what it has sent itself"
    );
    assert!(rest.contains(&"stopping".to_owned()), "{rest:?}");
}

#[test]
fn who_types_to_whom_is_shown_to_the_others_and_not_more_often_than_one_reads() {
    let (server, path) = server_with_desk("typing", &[]);
    let _peer = server.connect();
    let (mut ann, mut bob) = (Remote::attach(&path), Remote::attach(&path));
    bob.event("open");

    for _ in 0..50 {
        ann.ask(json!({"cmd": "typing", "to": 1}));
    }
    ann.ask(json!({"cmd": "typing"}));
    ann.ask(json!({"cmd": "typing"}));
    ann.ask(json!({"cmd": "typing", "to": "all"}));
    ann.ask(json!({"cmd": "send", "to": 1, "text": "x"}));
    bob.event("sent");
    bob.tell(json!({"cmd": "stats"}));
    let told: Vec<Value> = std::iter::from_fn(|| bob.next().filter(|line| line["ev"] != "ok"))
        .filter(|line| line["ev"] == "typing")
        .collect();

    assert_eq!(told.first().unwrap(), &json!({"ev": "typing", "by": 2, "ids": [1]}));
    let ends = told.len() - 2;
    assert_eq!(
        told[ends..],
        [json!({"ev": "typing", "by": 2}), json!({"ev": "typing", "by": 2, "to": "all"})]
    );
    assert!(told.len() < 12, "{} in a moment", told.len());
}

#[test]
fn who_only_looks_may_change_nothing_and_does_not_come_back_from_that() {
    let (server, path) = server_with_desk("looks", &[]);
    let mut peer = server.connect();
    let mut desk = Remote::attach(&path);
    assert_eq!(desk.ask(json!({"cmd": "desk", "watch": true, "name": "eve"}))["watch"], true);

    for command in [
        json!({"cmd": "send", "to": 1, "text": "x"}),
        json!({"cmd": "close", "to": 1}),
        json!({"cmd": "name", "id": 1, "name": "x"}),
        json!({"cmd": "quit"}),
        json!({"cmd": "typing", "to": 1}),
        json!({"cmd": "next"}),
    ] {
        let reply = desk.ask(command.clone());
        assert_eq!(reply["code"], "not-allowed", "{command} -> {reply}");
    }
    assert_eq!(desk.ask(json!({"cmd": "desk", "watch": false}))["code"], "bad-request");
    desk.ask(json!({"cmd": "desk", "name": "eve2"}));
    assert_eq!(desk.ask(json!({"cmd": "send", "to": 1, "text": "x"}))["code"], "not-allowed");
    let who = desk.ask(json!({"cmd": "who"}));
    assert_eq!(who["conns"].as_array().unwrap().len(), 1);
    assert_eq!(who["desks"][1], json!({"desk": 2, "name": "eve2", "watch": true}));
    assert_eq!(desk.ask(json!({"cmd": "show", "id": 1}))["ev"], "ok");
    assert!(peer.is_quiet(), "nothing reached it");
}

#[test]
fn whom_one_desk_was_given_as_the_next_another_is_not() {
    let (mut server, path) = server_with_desk("next", &[]);
    let (mut first, mut second) = (server.connect(), server.connect());
    server.hears(&mut first, "one");
    server.hears(&mut second, "two");
    let (mut ann, mut bob) = (Remote::attach(&path), Remote::attach(&path));

    let given = |reply: Value| reply["conns"][0]["id"].clone();
    assert_eq!(given(ann.ask(json!({"cmd": "next"}))), 1);
    assert_eq!(given(ann.ask(json!({"cmd": "next"}))), 1, "it is still hers");
    assert_eq!(given(bob.ask(json!({"cmd": "next"}))), 2);
    server.type_line("/next");
    server.err.line_with("nobody waits for an answer");
}

/// Who was struck off by which desk, up to an event of this kind.
#[track_caller]
fn struck_off_until(desk: &mut Remote, kind: &str) -> Vec<(Value, Value)> {
    let mut struck_off = Vec::new();
    loop {
        let line = desk.next().expect("it goes on");
        if line["ev"] == kind {
            return struck_off;
        }
        if line["ev"] == "done" {
            struck_off.push((line["id"].clone(), line["by"].clone()));
        }
    }
}

#[test]
fn of_several_who_are_struck_off_the_other_desks_are_told_one_by_one() {
    let (mut server, path) = server_with_desk("done", &[]);
    let mut peers: Vec<(Peer, u64)> = (0..5).map(|_| server.connect_numbered()).collect();
    for (peer, id) in &mut peers[..4] {
        server.hears(peer, &format!("{id} asks"));
    }
    let mut ann = Remote::attach(&path);
    greeting(&mut ann);

    server.type_line("/done 3,4,5");
    server.type_line("/done all");
    server.err.lines_with("no answer any more", 2);
    ann.tell(json!({"cmd": "pending"}));

    let expected = [3, 4, 1, 2].map(|id| (json!(id), json!(1)));
    assert_eq!(struck_off_until(&mut ann, "ok"), expected, "and #5 had not waited");
}

#[test]
fn whoever_a_file_has_answered_is_struck_off_at_the_other_desks() {
    let (mut server, path) = server_with_desk("file", &[]);
    let (mut waits, _) = server.connect_numbered();
    let (mut does_not, _) = server.connect_numbered();
    server.hears(&mut waits, "the file?");
    let mut ann = Remote::attach(&path);
    let file = place("answer");
    fs::write(&file, "x".repeat(100_000)).unwrap();

    server.type_line(&format!("/file @1,2 {}", file.display()));

    assert_eq!(struck_off_until(&mut ann, "file"), [(json!(1), json!(1))]);
    assert_eq!(ann.ask(json!({"cmd": "pending"}))["conns"], json!([]));
    assert_eq!((waits.exactly(100_000).len(), does_not.exactly(100_000).len()), (100_000, 100_000));
    fs::remove_file(file).unwrap();
}

#[test]
fn whoever_a_repetition_has_answered_is_struck_off_at_the_other_desks_and_each_time_once() {
    for to in [json!([1, 2]), json!("all")] {
        let (server, path) = server_with_desk("every", &[]);
        let (mut first, _) = server.connect_numbered();
        let (mut second, _) = server.connect_numbered();
        server.hears(&mut first, "one");
        let (mut ann, mut bob) = (Remote::attach(&path), Remote::attach(&path));
        greeting(&mut bob);
        ann.ask(json!({"cmd": "every", "every": "10ms", "to": to, "text": "tick"}));

        // It is told behind what has answered it.
        assert_eq!(struck_off_until(&mut bob, "sent"), [], "{to}");
        assert_eq!(struck_off_until(&mut bob, "sent"), [(json!(1), json!(2))], "{to}");
        second.send("two\n");
        assert_eq!(struck_off_until(&mut bob, "msg"), [], "{to}");
        assert_eq!(struck_off_until(&mut bob, "sent"), [], "{to}");
        assert_eq!(struck_off_until(&mut bob, "sent"), [(json!(2), json!(2))], "{to}");
        assert_eq!(struck_off_until(&mut bob, "sent"), [], "{to}");
        ann.ask(json!({"cmd": "every", "off": "all"}));
        bob.tell(json!({"cmd": "pending"}));

        assert_eq!(struck_off_until(&mut bob, "ok"), [], "{to}: nobody has asked again");
    }
}

#[test]
fn h45_of_four_desks_one_that_does_not_read_costs_nobody_anything_and_is_told_what_it_has_missed() {
    let (server, path) = server_with_desk("stuck", &["--quiet", "--format", "tsv"]);
    let mut stuck = Remote::attach(&path);
    let mut others: Vec<Remote> = (0..3).map(|_| Remote::attach(&path)).collect();
    let mut peer = server.connect();
    let before = server.resident_bytes();
    let text = "x".repeat(1000);
    // Its commands are answered when it reads, and not lost.
    for _ in 0..100 {
        stuck.tell(json!({"cmd": "who"}));
    }
    // As fast as those who read keep up with.
    for _ in 0..60 {
        (0..1000).for_each(|_| peer.send(format!("{text}\n")));
        for desk in &mut others {
            (0..1000).for_each(|_| drop(desk.event("msg")));
        }
    }
    peer.send("end\n");
    for desk in &mut others {
        assert_eq!(desk.event("msg")["text"], "end", "it has missed nothing");
    }

    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more in memory");
    let (mut told, mut skipped, mut replies) = (0, 0, 0);
    loop {
        let line = stuck.next().expect("it goes on");
        match line["ev"].as_str().unwrap() {
            "msg" => told += 1,
            "skipped" => skipped += line["count"].as_u64().unwrap(),
            "ok" => replies += 1,
            _ => {}
        }
        if line["text"] == "end" {
            break;
        }
    }
    assert_eq!(told + skipped, 60_001, "{told} told, {skipped} skipped");
    assert!(skipped > 10_000, "{skipped}");
    assert_eq!(replies, 100, "each command has its reply");
}

#[test]
fn h46_a_desk_stands_nowhere_among_the_peers_and_leaves_no_hole_in_their_numbers() {
    let (server, path) = server_with_desk("nopeer", &["--chat", "--idle", "1s", "--max-conns", "2"]);
    let mut desk = Remote::attach(&path);
    let (mut first, number) = server.connect_numbered();
    assert_eq!(number, 1);
    let mut other = Remote::attach(&path);
    let (mut second, number) = server.connect_numbered();
    assert_eq!(number, 2, "a desk takes no number");
    assert_eq!(first.line(), "* #2 joined");

    first.send("/who\n");
    assert_eq!(first.line(), "* 2 here: #1, #2");
    assert_eq!(desk.ask(json!({"cmd": "send", "to": "all", "text": "hello"}))["queued"], 2);
    assert_eq!((first.line(), second.line()), ("<operator> hello".into(), "<operator> hello".into()));
    let mut third = Remote::attach(&path);
    assert_eq!(third.event("hello")["desk"], 4, "it gets in when the server is full");
    assert_eq!(desk.ask(json!({"cmd": "send", "to": 3, "text": "x"}))["code"], "no-such-conn");
    let stats = desk.ask(json!({"cmd": "stats"}));
    assert_eq!((&stats["conns_now"], &stats["opened"], &stats["closed"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(stats["received_bytes"], "/who\n".len());
    // Silence ends peers, and no desk.
    first.read_to_end();
    assert_eq!(desk.event("close")["reason"], "idle");
    for desk in [&mut desk, &mut other, &mut third] {
        assert_eq!(desk.ask(json!({"cmd": "who"}))["ev"], "ok");
    }
}

#[test]
fn h46_desks_have_a_limit_of_their_own_and_the_next_one_is_told_why() {
    let (server, path) = server_with_desk("limit", &["--max-conns", "1"]);
    let mut desks: Vec<Remote> = (0..16).map(|_| Remote::attach(&path)).collect();
    for desk in &mut desks {
        desk.event("hello");
    }
    let mut surplus = Remote::attach(&path);
    let told = surplus.rest();
    drop(desks.pop());
    wait_until("a place", || {
        let mut desk = Remote::attach(&path);
        (desk.next()?["ev"] == "hello").then_some(())
    });
    let (_peer, number) = server.connect_numbered();

    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["ev"], &told[0]["code"]), (&json!("error"), &json!("too-many")));
    assert_eq!(number, 1, "they take no place of a peer's");
}

#[test]
fn h46_with_descriptors_for_few_a_desk_attaches_while_the_server_is_full() {
    let path = place("few");
    let mut command = Command::new("sh");
    let start =
        format!("ulimit -n 64; exec {} --desk={} 0", env!("CARGO_BIN_EXE_switchboard"), path.display());
    command.args(["-c", &start]);
    let server = Server::of(command);
    let peers: Vec<Peer> = (0..64).map(|_| server.connect()).collect();
    server.wait_for_status("turned away");

    let mut desks: Vec<Remote> = (0..16).map(|_| Remote::attach(&path)).collect();

    for desk in &mut desks {
        desk.event("hello");
    }
    assert_eq!(desks[15].ask(json!({"cmd": "send", "to": 1, "text": "x"}))["ev"], "ok");
    drop(peers);
}

#[test]
fn h47_half_a_command_is_not_obeyed_and_a_whole_one_is_though_its_desk_is_gone() {
    let (server, path) = server_with_desk("half", &[]);
    let mut peer = server.connect();
    let mut stays = Remote::attach(&path);
    stays.event("open");

    let mut dies = Remote::attach(&path);
    dies.event("hello");
    dies.say(b"{\"cmd\":\"send\",\"to\":1,\"text\":\"whole\"}\n{\"cmd\":\"close\",\"to\":1}");
    drop(dies);
    stays.until("its end", |line| line["gone"] == true);
    let mut ends = Remote::attach(&path);
    ends.say(
        b"{\"cmd\":\"every\",\"every\":\"50ms\",\"to\":1,\"text\":\"again\",\"ref\":1}\n{\"cmd\":\"quit\"",
    );
    ends.stream.shutdown(Shutdown::Write).unwrap();
    let told = ends.rest();

    assert_eq!(peer.line(), "whole");
    assert_eq!(
        told.iter().filter(|line| line["ref"] == 1).count(),
        1,
        "what was whole is answered: {told:?}"
    );
    assert_eq!((peer.line(), peer.line()), ("again".into(), "again".into()), "what it has begun goes on");
    assert_eq!(stays.ask(json!({"cmd": "every", "off": "all"}))["off"], 1);
    assert_eq!(stays.ask(json!({"cmd": "who"}))["conns"][0]["state"], "open");
}

#[test]
fn h47_a_desk_that_is_killed_with_replies_queued_leaves_nothing() {
    let (server, path) = server_with_desk("killed", &[]);
    let (_peer, _) = server.connect_numbered();
    let descriptors = server.descriptors();
    let mut stays = Remote::attach(&path);
    for _ in 0..3 {
        let mut dies = Remote::attach(&path);
        (0..5000).for_each(|_| drop(dies.stream.write_all(b"{\"cmd\":\"help\"}\n")));
        drop(dies);
    }

    (0..3).for_each(|_| drop(stays.until("its end", |line| line["gone"] == true)));
    wait_until("their descriptors to go", || (server.descriptors() == descriptors + 1).then_some(()));
    let who = stays.ask(json!({"cmd": "who"}));
    assert_eq!(who["desks"].as_array().unwrap().len(), 2, "{who}");
}

/// What a server says that cannot open its control socket.
#[track_caller]
fn refusal(arguments: &[&str], runtime_dir: Option<&Path>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments).arg("0").env_remove("XDG_RUNTIME_DIR");
    if let Some(path) = runtime_dir {
        command.env("XDG_RUNTIME_DIR", path);
    }
    let mut program = Program::start(command);
    assert_eq!(program.exit_status().code(), Some(1));
    String::from_utf8(program.err.to_end()).unwrap()
}

#[test]
fn h48_the_control_socket_is_its_owners_alone_and_no_stranger_is_let_in() {
    let (mut server, path) = server_with_desk("mode", &["--unix-mode", "0666"]);
    let mode = fs::symlink_metadata(&path).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    // As root it can be tried what somebody gets who comes past the mode.
    if rustix::process::geteuid().is_root() && common::has_tool("setpriv") && common::has_tool("socat") {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let address = format!("UNIX-CONNECT:{}", path.display());
        let mut stranger = Command::new("setpriv");
        stranger.args(["--reuid=65534", "--clear-groups", "socat", "-t5", "-", &address]);
        let told = Program::start(stranger).out.to_end();
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("\"code\":\"not-allowed\""), "{told:?}");
        assert_eq!(told.lines().count(), 1, "nothing else is told: {told:?}");
    }
    server.type_line("/quit");
    assert_eq!(server.exit_status().code(), Some(0));
    assert!(!path.exists(), "at the end it is removed");
}

#[test]
fn h48_what_is_in_the_way_is_not_touched_and_a_stale_socket_is_replaced() {
    let (mut server, path) = server_with_desk("way", &[]);
    let asked = format!("--desk={}", path.display());
    let told = refusal(&[&asked], None);
    assert!(told.contains(&format!("cannot open a desk at {}: ", path.display())), "{told}");
    Remote::attach(&path).event("hello");

    server.signal("KILL");
    server.exit_status();
    let server = Server::start(&[&asked]);
    Remote::attach(&path).event("hello");
    drop(server);

    let file = place("file");
    fs::write(&file, "mine").unwrap();
    refusal(&[&format!("--desk={}", file.display())], None);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let link = place("link");
    symlink(&file, &link).unwrap();
    refusal(&[&format!("--desk={}", link.display())], None);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    fs::remove_file(&link).unwrap();
    fs::remove_file(&file).unwrap();
}

#[test]
fn h48_the_directory_of_the_default_path_has_to_be_ours_alone() {
    let directory = place("dir");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let told = refusal(&["--desk"], Some(&directory));
    assert!(told.contains("is open to others"), "{told}");

    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--desk", "0"]).env("XDG_RUNTIME_DIR", &directory);
    let server = Server::of(command);
    Remote::attach(&directory.join("switchboard.sock")).event("hello");
    drop(server);

    let link = place("dirlink");
    symlink(&directory, &link).unwrap();
    let told = refusal(&["--desk"], Some(&link));
    assert!(told.contains("is no directory"), "{told}");
    fs::remove_file(&link).unwrap();
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn at_the_end_the_desks_are_told_of_all_others_first_and_are_the_last_to_go() {
    let (server, path) = server_with_desk("end", &["--on-stdin-eof", "drain"]);
    let (mut first, mut second) = (server.connect(), server.connect());
    server.wait_for_status("#2 connected");
    let mut desk = Remote::attach(&path);
    desk.event("hello");
    let mut server = server;
    server.close_stdin();
    desk.until("desk 1 to go", |line| line["gone"] == true);
    // Somebody is left who may answer, so a half-closed peer waits for that.
    first.finish();
    desk.event("eof");
    desk.ask(json!({"cmd": "send", "to": 1, "text": "an answer"}));
    assert_eq!(first.line(), "an answer");
    desk.ask(json!({"cmd": "close", "to": "all", "how": "eof"}));
    second.finish();
    assert_eq!(second.read_to_end(), b"");

    let told = kinds(&desk.rest());
    assert_eq!(told.last().map(String::as_str), Some("bye"), "{told:?}");
    assert_eq!(told.iter().filter(|kind| *kind == "close").count(), 2, "{told:?}");
    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn what_a_desk_is_told_and_may_say_is_as_the_schema_has_it() {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (_, def) in schema["$defs"].as_object_mut().unwrap() {
        if def.get("properties").is_some() {
            def["additionalProperties"] = json!(false);
        }
    }
    let lines = jsonschema::validator_for(&schema).unwrap();
    let (mut server, path) = server_with_desk("schema", &[]);
    let mut peer = server.connect();
    server.hears(&mut peer, "hello");
    let (mut ann, mut bob) = (Remote::attach(&path), Remote::attach(&path));
    for command in [
        json!({"cmd": "desk", "name": "ann", "words": 80}),
        json!({"cmd": "next"}),
        json!({"cmd": "typing", "to": [1]}),
        json!({"cmd": "who"}),
        json!({"cmd": "send", "to": 1, "text": "hi"}),
        json!({"cmd": "send", "to": 7, "text": "hi"}),
        json!({"cmd": "name", "id": 1, "name": "lab"}),
        json!({"cmd": "fault", "to": 1, "spec": "latency=1ms"}),
        json!({"cmd": "stats"}),
        json!({"cmd": "desk", "watch": true}),
    ] {
        ann.tell(command);
    }
    drop(Remote::attach(&path));
    ann.until("it to go", |line| line["gone"] == true);
    drop(Remote::attach(&path));
    bob.tell(json!({"cmd": "quit"}));
    drop(peer);

    let told = [ann.rest(), bob.rest()].concat();
    for line in &told {
        assert!(lines.is_valid(line), "{line}\n{:#?}", lines.validate(line));
    }
    let seen: BTreeSet<String> = kinds(&told).into_iter().collect();
    for kind in ["hello", "desk", "open", "msg", "typing", "sent", "name", "ok", "error", "stopping", "bye"] {
        assert!(seen.contains(kind), "{kind} is not among {seen:?}");
    }
    server.exit_status();
}

/// A peer has said more than stdout takes, and is not read any further; what it says ends some time.
fn until_held(desk: &mut Remote) {
    let mut before = 0;
    wait_until("the peer to be held", || {
        let received = desk.ask(json!({"cmd": "stats"}))["received_bytes"].as_u64().unwrap();
        let stands = received > 64 << 10 && received == std::mem::replace(&mut before, received);
        stands.then_some(())
    });
}

#[test]
fn where_nobody_reads_stdout_the_other_desks_go_on_and_no_message_is_lost() {
    const LINES: usize = 16_000;
    for (format, is_message) in [("json", r#"{"ev":"msg""#), ("tsv", "1\t")] {
        let path = place("unread");
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let arguments =
            [&format!("--desk={}", path.display()), "--metrics=127.0.0.1:0", "--format", format, "0"];
        command.args(arguments);
        let (mut stdout, theirs) = std::io::pipe().unwrap();
        let mut server = Server::of_program(Program::start_onto(command, theirs.into()));
        let mut desk = Remote::attach(&path);
        let mut floods = server.connect();
        let says = std::thread::spawn(move || {
            floods.send(format!("{}\n", "x".repeat(999)).repeat(LINES));
            floods
        });
        until_held(&mut desk);
        let mut peer = server.connect();
        desk.until("the other peer", |line| line["ev"] == "open" && line["id"] == 2);

        // Who comes now is greeted, whoever asks whether it lives is answered, and what is sent arrives.
        assert_eq!(Remote::attach(&path).event("hello")["desk"], 3);
        let metrics = server.err.line_with("switchboard: metrics at http://");
        let at = metrics.split("http://").nth(1).and_then(|url| url.split('/').next()).unwrap();
        let mut asks = TcpStream::connect(at).unwrap();
        write!(asks, "GET /healthz HTTP/1.1\r\nHost: {at}\r\n\r\n").unwrap();
        let mut answer = String::new();
        asks.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("ok\n"), "{answer}");
        let before = server.resident_bytes();
        let text = "y".repeat(8191);
        for _ in 0..2000 {
            assert_eq!(desk.ask(json!({"cmd": "send", "to": 2, "text": text}))["ev"], "ok");
            assert_eq!(peer.line().len(), text.len());
        }
        let grown = server.resident_bytes().saturating_sub(before);
        assert!(grown < 12 << 20, "{format}: {grown} bytes more");

        let reads = std::thread::spawn(move || {
            let mut told = String::new();
            stdout.read_to_string(&mut told).map(|_| told)
        });
        let _floods = says.join().unwrap();
        wait_until("all of it to be heard", || {
            let received = desk.ask(json!({"cmd": "stats"}))["received_bytes"].as_u64().unwrap();
            (received == LINES as u64 * 1000).then_some(())
        });
        server.signal("TERM");
        assert!(server.exit_status().success());
        let told = reads.join().unwrap().unwrap();
        assert_eq!(told.lines().filter(|line| line.starts_with(is_message)).count(), LINES, "{format}");
        if format == "json" {
            let skipped = told.lines().filter(|line| line.starts_with(r#"{"ev":"skipped""#));
            let skipped = skipped.map(|line| serde_json::from_str::<Value>(line).unwrap()["count"].as_u64());
            let sent = told.lines().filter(|line| line.starts_with(r#"{"ev":"sent""#)).count() as u64;
            let missed: u64 = skipped.map(Option::unwrap).sum();
            // Who came and went at the other desks is told by the same rule.
            assert!((2000..2010).contains(&(sent + missed)), "{sent} and {missed}");
        }
    }
}
