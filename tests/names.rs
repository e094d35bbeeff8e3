//! Names: who is called how, and whom a name reaches.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Peer, Program, Server, wait_until, without_ages};

/// A file of names that is there as long as the test.
struct NamesFile(PathBuf);

impl NamesFile {
    fn new(test: &str, text: &str) -> NamesFile {
        let name = format!("names-{test}-{}", std::process::id());
        let file = NamesFile(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for NamesFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Types a line; returns the one line that answers it.
#[track_caller]
fn answer(server: &mut Server, line: &str) -> String {
    let from = server.err.so_far().len();
    server.type_line(line);
    server.err.wait_for(&format!("the answer to {line:?}"), |err| {
        String::from_utf8_lossy(&err[from..]).split_once('\n').map(|(line, _)| line.to_owned())
    })
}

/// What each has got when all is over, line by line.
#[track_caller]
fn each_has_got(server: &mut Server, peers: &mut [Peer], expected: &[&[&str]]) {
    server.type_line("/eof all");
    for (at, (peer, expected)) in peers.iter_mut().zip(expected).enumerate() {
        let got = String::from_utf8(peer.read_to_end()).unwrap();
        assert_eq!(got.lines().collect::<Vec<_>>(), *expected, "what #{} got", at + 1);
    }
}

#[test]
fn a_name_is_given_told_moved_and_taken_away() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);

    for (line, told) in [
        ("/name 1 lab-a", "-> #1 is lab-a now"),
        ("@lab-a hello", "-> #1 lab-a 6 bytes"),
        ("@LAB-A again", "-> #1 lab-a 6 bytes"),
        ("/name 2 Lab-A", "cannot use the name Lab-A: #1 has it"),
        ("/name 1 LAB-A", "-> #1 is LAB-A now"),
        ("/name 1 lab-b", "-> #1 is lab-b now"),
        ("/name @lab-b lab-c", "-> #1 is lab-c now"),
        ("/name 2 lab-a", "-> #2 is lab-a now"),
        ("@lab-a to two", "-> #2 lab-a 7 bytes"),
        ("/name 2", "-> #2 has no name any more"),
        ("/name 2", "-> #2 has no name any more"),
        ("/name 1 метр", "-> #1 is метр now"),
        ("@МЕТР 5", "-> #1 метр 2 bytes"),
    ] {
        assert_eq!(answer(&mut server, line), told, "to {line:?}");
    }
    let refused = answer(&mut server, "@lab-a nobody");
    assert!(refused.starts_with("unknown target @lab-a: nobody has this name"), "{refused:?}");

    each_has_got(&mut server, &mut peers, &[&["hello", "again", "5"], &["to two"]]);
}

#[test]
fn globs_and_lists_of_names_reach_each_once_and_one_that_is_unknown_refuses_all() {
    let (mut server, mut peers) = Server::with_peers(&[], 4);
    for (number, name) in [(1, "lab-a"), (2, "Lab-B"), (3, "press")] {
        answer(&mut server, &format!("/name {number} {name}"));
    }

    for (line, told) in [
        ("@lab-* all labs", "-> #1 lab-a, #2 Lab-B 9 bytes"),
        ("@LAB-? too", "-> #1 lab-a, #2 Lab-B 4 bytes"),
        ("@lab-[b-z] b", "-> #2 Lab-B 2 bytes"),
        ("@lab-*,press,1,#4 mixed", "-> #1 lab-a, #2 Lab-B, #3 press, #4 6 bytes"),
        (
            "@press,nobody x",
            "unknown target @nobody: nobody has this name, or one that fits; @@text sends a text that begins with @",
        ),
        (
            "@press,x-* x",
            "unknown target @x-*: nobody has this name, or one that fits; @@text sends a text that begins with @",
        ),
        ("@press,9 x", "there is no #9: nothing was done"),
        ("@press", "* the current target is #3 press"),
        ("to press", "-> #3 press 9 bytes"),
        ("@lab-*", "* the current target is everybody whose name fits lab-*"),
        ("to labs", "-> #1 lab-a, #2 Lab-B 8 bytes"),
        ("/name 4 lab-z", "-> #4 is lab-z now"),
        ("more", "-> #1 lab-a, #2 Lab-B, #4 lab-z 5 bytes"),
        ("/kick lab-* bye", "-> #1 lab-a, #2 Lab-B, #4 lab-z close after what is queued"),
    ] {
        assert_eq!(answer(&mut server, line), told, "to {line:?}");
    }

    let first = ["all labs", "too", "mixed", "to labs", "more", "bye"];
    let second = ["all labs", "too", "b", "mixed", "to labs", "more", "bye"];
    each_has_got(
        &mut server,
        &mut peers,
        &[&first, &second, &["mixed", "to press"], &["mixed", "more", "bye"]],
    );
}

#[test]
fn the_name_of_one_who_has_left_reaches_nobody_until_it_is_given_again() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    answer(&mut server, "/name 1 lab-a");
    answer(&mut server, "@lab-a");

    peers.remove(0).reset();
    server.wait_for_status("* #1 lab-a closed: ");
    for line in ["@lab-a secret", "to the chosen one", "@lab-* secret", "/kick lab-a", "/hex @lab-a 00"] {
        let told = answer(&mut server, line);
        assert!(told.starts_with("unknown target @lab-"), "to {line:?}: {told:?}");
    }
    assert_eq!(answer(&mut server, "/name 1 lab-a"), "#1 is gone");
    let (newcomer, _) = server.connect_numbered();
    peers.push(newcomer);
    assert_eq!(answer(&mut server, "/name 3 LAB-a"), "-> #3 is LAB-a now");
    assert_eq!(answer(&mut server, "@lab-a welcome"), "-> #3 LAB-a 8 bytes");

    each_has_got(&mut server, &mut peers, &[&[], &["welcome"]]);
}

#[test]
fn wherever_a_connection_is_shown_its_name_stands_beside_its_number() {
    let (mut server, mut peers) = Server::with_peers(&["--format", "human"], 2);
    server.type_line("/name 1 lab-a");
    server.err.line_with("-> #1 is lab-a now");

    server.hears(&mut peers[0], "hello");
    let line = server.out.line_with("hello");
    assert_eq!(line.split_once(' ').unwrap().1, "#1 lab-a> hello");
    for (typed, told) in [
        ("/next", "* the current target is #1 lab-a, who waits 0s: hello"),
        ("/pending", "#1 lab-a waits 0s: hello"),
        ("@1", "* the current target is #1 lab-a"),
        ("an answer", "-> #1 lab-a 10 bytes"),
        ("@1,2 both", "-> #1 lab-a, #2 5 bytes"),
        ("/view 1 text", "-> #1 lab-a is shown as text"),
        ("/show 1 1", "#1 lab-a 0s ago, by us< both"),
        ("/done 1", "-> #1 lab-a needs no answer any more"),
        ("/who lab-*", "conn  name   peer             age  heard  received  sent  queued  state"),
        ("/eof 1", "-> #1 lab-a finishes after what is queued"),
    ] {
        let told_now = answer(&mut server, typed);
        if typed == "/who lab-*" {
            let names: Vec<&str> = told_now.split_whitespace().take(2).collect();
            assert_eq!(names, ["conn", "name"], "{told_now:?}");
            server.err.line_with("#1    lab-a  127.0.0.1:");
        } else {
            assert_eq!(without_ages(&told_now), told, "to {typed:?}");
        }
    }
    peers[0].finish();
    server.out.line_with("* #1 lab-a has finished sending");
    peers.clear();
    server.out.line_with("* #1 lab-a closed: ");
}

#[test]
fn the_first_line_of_a_file_that_fits_names_a_newcomer_and_a_second_one_from_there_is_numbered() {
    let file = NamesFile::new(
        "first",
        "# who is where\n10.0.0.0/8 elsewhere\n127.0.0.1 Self # this machine\n\n127.0.0.0/8 loop\n",
    );
    let (mut server, _peers) = Server::with_peers(&["--names", file.path()], 3);

    let names =
        |server: &mut Server| server.who().into_iter().map(|row| (row.number, row.name)).collect::<Vec<_>>();
    let of =
        |list: &[(u64, &str)]| list.iter().map(|(at, name)| (*at, (*name).to_owned())).collect::<Vec<_>>();
    assert_eq!(names(&mut server), of(&[(1, "Self"), (2, "Self.2"), (3, "Self.3")]));
    server.err.line_with("* #2 Self.2 connected from 127.0.0.1:");

    // A number that is free again is given again, and so is the bare name.
    server.type_line("/rst 2");
    server.wait_for_status("* #2 Self.2 closed: ");
    let (_fourth, _) = server.connect_numbered();
    answer(&mut server, "/name 1 other");
    let (_fifth, _) = server.connect_numbered();
    let expected = of(&[(1, "other"), (3, "Self.3"), (4, "Self.2"), (5, "Self")]);
    let mut found = names(&mut server);
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(answer(&mut server, "@self* x"), "-> #3 Self.3, #4 Self.2, #5 Self 2 bytes");
}

#[test]
fn a_file_of_names_is_read_again_when_it_is_told_and_a_broken_one_changes_nothing() {
    let file = NamesFile::new("again", "127.0.0.1 old\n");
    let (mut server, _first) = Server::with_peers(&["--names", file.path()], 1);

    file.write("127.0.0.1 fresh\n");
    server.signal("USR1");
    // Those who are here keep their names; that it was read shows in the next.
    let mut newcomers = Vec::new();
    wait_until("a newcomer with the new name", || {
        newcomers.push(server.connect());
        let line = server.wait_for_status(&format!("* #{} ", newcomers.len() + 1));
        line.contains(" fresh connected").then_some(())
    });
    assert_eq!(server.who()[0].name, "old");

    for (broken, why) in [
        ("127.0.0.1 fine\n127.0.0.1 new\n", ", line 2: cannot use the name \"new\": "),
        ("127.0.0.999 x\n", ", line 1: \"127.0.0.999\" is not an address"),
        ("127.0.0.1\n", ", line 1: there is no name behind 127.0.0.1"),
    ] {
        file.write(broken);
        server.signal("USR1");
        let line = server.wait_for_status(why);
        assert!(
            line.starts_with("* cannot use /") && line.ends_with(": the names stay as they were"),
            "{line:?}"
        );
    }
    fs::remove_file(&file.0).unwrap();
    server.signal("USR1");
    server.wait_for_status("No such file or directory: the names stay as they were");
    let (_last, number) = server.connect_numbered();
    let name = server.who().into_iter().find(|row| row.number == number).unwrap().name;
    assert_eq!(name.split('.').next(), Some("fresh"));
}

#[test]
fn a_file_of_names_that_is_broken_at_the_start_ends_it_with_one_line() {
    for (broken, why) in [
        ("127.0.0.1 fine\n127.0.0.1 3\n", ", line 2: cannot use the name \"3\": a name begins with a letter"),
        ("\n\n10.0.0.1 a b\n", ", line 3: there is \"b\" behind the name"),
        ("10.0.0.0/33 a\n", ", line 1: \"10.0.0.0/33\" is not "),
        ("lab-a 10.0.0.1\n", ", line 1: \"lab-a\" is not "),
    ] {
        let file = NamesFile::new("broken", broken);
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(["--names", file.path(), "0"]);
        let mut program = Program::start(command);
        let code = program.exit_status().code();
        let err = String::from_utf8(program.err.to_end()).unwrap();
        assert_eq!(code, Some(1), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.starts_with("switchboard: cannot use ") && err.contains(why), "{broken:?}: {err}");
    }
}

#[test]
fn a_peers_own_name_is_shown_and_is_nobodys_target_and_gives_way_to_an_operators() {
    let (mut server, mut peers) = (Server::start(&["--chat"]), Vec::<Peer>::new());
    for _ in 0..2 {
        peers.push(server.connect_numbered().0);
    }
    peers[0].send("/nick ann\n");
    server.wait_for_status("* #1 is now ann");

    let told = answer(&mut server, "@ann secret");
    assert!(told.starts_with("unknown target @ann: nobody has this name"), "{told:?}");
    let told = answer(&mut server, "@a* secret");
    assert!(told.starts_with("unknown target @a*: nobody has this name"), "{told:?}");
    assert_eq!(answer(&mut server, "@1 by number"), "-> #1 ann 31 bytes");
    server.type_line("/name 2 Ann");
    server.wait_for_status("* #1 has no name any more");
    server.wait_for_status("-> #2 is Ann now");
    peers[0].send("/nick ANN\n");
    let mut refused = String::new();
    while !refused.contains("not yours") {
        refused = peers[0].line();
    }
    assert_eq!(refused, "* the name ANN is not yours to take or to leave");
}
