//! `/learn`: a stand-in is taught by using it. What was answered by hand is a rule from then on, and in the file.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use common::Server;
use desk::Desk;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("switchboard-learn-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn rules(&self) -> String {
        self.0.join("rules").to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The reply to a line.
#[track_caller]
fn answer(server: &mut Server, line: &str) -> String {
    let from = server.err.so_far().len();
    server.type_line(line);
    server.err.wait_for(&format!("the answer to {line:?}"), |err| {
        let text = String::from_utf8_lossy(&err[from..]).into_owned();
        text.lines().next().filter(|_| text.ends_with('\n')).map(str::to_owned)
    })
}

#[test]
fn an_unknown_message_is_answered_by_hand_and_the_second_one_by_the_rule_also_after_a_new_start() {
    let folder = Folder::new("taught");
    let file = folder.rules();
    let mut server = Server::start(&["--reply-file", &file]);
    server.wait_for_status(&format!("switchboard: {file} is not there yet: /learn will make it"));
    let (mut one, _) = server.connect_numbered();
    let (mut other, _) = server.connect_numbered();

    one.send("PING #1\t$x \u{202e}y\n");
    server.out.line_with("PING #1");
    assert_eq!(answer(&mut server, "@1 PONG $1"), "-> #1 8 bytes");
    assert_eq!(one.line(), "PONG $1");
    let told = format!(
        "-> \"PING #1\\t$x \\xe2\\x80\\xaey\" is answered with \"PONG $1\\n\" from now on; written to {file}"
    );
    assert_eq!(answer(&mut server, "/learn"), told);
    other.send("PING #1\t$x \u{202e}y\n");
    assert_eq!(other.line(), "PONG $1");

    assert_eq!(fs::read_to_string(&file).unwrap(), "=PING #1\\t$x \\xe2\\x80\\xaey\tPONG $$1\\n\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop(server);
    let again = Server::start(&["--reply-file", &file]);
    let mut third = again.connect();
    third.send("PING #1\t$x \u{202e}y\r\n");
    assert_eq!(third.line(), "PONG $1");
    assert!(!String::from_utf8_lossy(&again.err.so_far()).contains("not there yet"));
}

#[test]
fn what_is_learnt_is_put_behind_what_is_in_the_file_on_a_line_of_its_own() {
    let folder = Folder::new("behind");
    let file = folder.rules();
    fs::write(&file, "^old\tan old one\\n").unwrap();
    let mut server = Server::start(&["--reply-file", &file]);
    let (mut peer, _) = server.connect_numbered();

    for (asked, answered) in [("one", "1"), ("two", "2")] {
        server.hears(&mut peer, asked);
        answer(&mut server, answered);
        assert!(answer(&mut server, "/learn").ends_with(&format!("; written to {file}")));
        assert_eq!(peer.line(), answered);
    }

    assert_eq!(fs::read_to_string(&file).unwrap(), "^old\tan old one\\n\n=one\t1\\n\n=two\t2\\n\n");
    server.signal("USR1");
    server.wait_for_status("* the rules were read again: 3");
    for (asked, answered) in [("older", "an old one"), ("one", "1"), ("two", "2")] {
        peer.send(format!("{asked}\n"));
        assert_eq!(peer.line(), answered);
    }
}

#[test]
fn a_rule_that_cannot_be_written_down_holds_for_this_run_and_the_reply_says_why() {
    let folder = Folder::new("unwritten");
    let file = folder.rules();
    let mut server = Server::start(&["--reply-file", &file]);
    let (mut peer, _) = server.connect_numbered();
    server.hears(&mut peer, "ping");
    answer(&mut server, "pong");
    fs::create_dir(&file).unwrap();

    let told = answer(&mut server, "/learn");

    let whole = format!("-> \"ping\" is answered with \"pong\\n\" from now on; not written to {file}: ");
    assert!(told.starts_with(&whole), "{told}");
    assert!(told.to_lowercase().ends_with("is a directory"), "{told}");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "^new$\tnew\\n\n").unwrap();
    server.signal("USR1");
    server.wait_for_status("* the rules were read again: 2");
    peer.send("ping\nnew\nping\n");
    assert_eq!([peer.line(), peer.line(), peer.line(), peer.line()], ["pong", "pong", "new", "pong"]);
}

#[test]
fn a_full_disk_leaves_no_half_of_a_rule_behind() {
    // A file that may not grow further stands for a disk that is full.
    let folder = Folder::new("full");
    let file = folder.rules();
    fs::write(&file, format!("^old\told\\n\n# {}\n", "x".repeat(4096 - 14))).unwrap();
    let before = fs::read(&file).unwrap();
    let command = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} --reply-file {file} 0",
        env!("CARGO_BIN_EXE_switchboard")
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &command]);
    let mut server = Server::of(shell);
    let (mut peer, _) = server.connect_numbered();
    server.hears(&mut peer, "ping");
    answer(&mut server, &"p".repeat(9000));

    let told = answer(&mut server, "/learn");

    assert!(told.ends_with(&format!("; not written to {file}: File too large")), "{told}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn without_a_file_it_is_known_as_long_as_the_run_goes_on() {
    let (mut server, mut peers) = Server::with_peers(&["--reply", "^known$", "of itself\\n"], 2);
    server.hears(&mut peers[0], "unknown");
    answer(&mut server, "by hand");
    assert_eq!(answer(&mut server, "/learn"), "-> \"unknown\" is answered with \"by hand\\n\" from now on");

    peers[1].send("unknown\nknown\n");

    assert_eq!([peers[1].line(), peers[1].line()], ["by hand", "of itself"]);
    server.hears(&mut peers[1], "other");
    answer(&mut server, "known, too");
    answer(&mut server, "/learn");
    for (line, told) in [
        ("/learn", "nothing to learn: this answer was learnt already"),
        ("/learn now", "/learn does not take \"now\": it is written /learn"),
    ] {
        assert_eq!(answer(&mut server, line), told);
    }
}

#[test]
fn where_nobody_is_answered_by_rules_nothing_is_learnt() {
    for mode in ["--chat", "--echo"] {
        let mut server = Server::start(&[mode]);
        assert_eq!(
            answer(&mut server, "/learn"),
            "nothing to learn: only the console answers by rules",
            "{mode}"
        );
    }
}

#[test]
fn a_program_learns_as_well_and_is_told_the_rule_and_where_it_is() {
    let folder = Folder::new("program");
    let file = folder.rules();
    let (mut desk, mut peers) = Desk::with_peers(&["--reply-file", &file, "--frame", "len8"], 2);
    assert_eq!(desk.refused(json!({"cmd": "learn"})), "nothing-to-learn");
    peers[0].send(b"\x02\xff\n");
    desk.about("msg", 1);
    desk.ask(json!({"cmd": "send", "to": 1, "text": "ok"}));

    let learnt = desk.ask(json!({"cmd": "learn"}));

    assert_eq!(learnt["learnt"], "=\\xff\\n\t\\x02ok", "{learnt}");
    assert_eq!(learnt["path"], file);
    peers[1].send(b"\x02\xff\n");
    assert_eq!(peers[1].exactly(3), b"\x02ok");
    let sent = desk.event_where("sent", |event| event["by"] == "reply");
    assert_eq!((&sent["ids"], &sent["text"]), (&json!([2]), &json!("\u{2}ok")));
    desk.ask(json!({"cmd": "send", "to": [2, 1], "text": "both"}));
    assert_eq!(desk.refused(json!({"cmd": "learn"})), "nothing-to-learn");
    fs::remove_file(Path::new(&file)).unwrap();
    peers[1].send(b"\x01x");
    desk.event_where("msg", |event| event["text"] == "x");
    desk.ask(json!({"cmd": "send", "to": 2, "b64": "AA=="}));
    fs::create_dir(Path::new(&file)).unwrap();
    let learnt = desk.ask(json!({"cmd": "learn"}));
    assert_eq!(learnt["learnt"], "=x\t\\x00");
    assert!(learnt["error"].as_str().unwrap().to_lowercase().contains("is a directory"), "{learnt}");
    desk.quit();
}
