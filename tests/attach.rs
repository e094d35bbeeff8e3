//! `switchboard attach`: one more desk, on a terminal and in a pipe; leaving it and coming back.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

#[path = "common/attached.rs"]
mod attached;
mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{ChildStdin, Command};
use std::thread;

use attached::{Remote, place, server_with_desk};
use common::{Program, Server, wait_until};
use serde_json::json;
use terminal::{Pane, SWITCHBOARD};

/// An attached desk in a pipe.
#[track_caller]
fn piped(path: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(SWITCHBOARD);
    command.arg("attach").arg(path).args(arguments);
    Program::start(command)
}

/// An attached desk on a terminal; nothing where tmux is missing.
#[track_caller]
fn at_terminal(path: &Path, arguments: &str) -> Option<Pane> {
    let line =
        format!("{SWITCHBOARD} attach --no-history {arguments} {}; echo its status: $?", path.display());
    let pane = Pane::running(100, 24, &line)?;
    pane.has_row("attached to ");
    Some(pane)
}

/// The process of the one desk that is attached there.
fn process_of(path: &Path) -> String {
    wait_until("its process", || {
        let found =
            Command::new("pgrep").args(["-f", &format!("attach.*{}", path.display())]).output().ok()?;
        let pids = String::from_utf8(found.stdout).ok()?;
        let is_it = |pid: &&str| {
            std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(SWITCHBOARD))
        };
        pids.lines().find(is_it).map(str::to_owned)
    })
}

/// A place between a desk and its server at which the test says when they are connected, and when no more.
struct Bridge(UnixListener);

/// A desk that has connected, and has not heard anything.
struct Kept {
    desk: UnixStream,
    /// What it has said of itself.
    introduction: Vec<u8>,
}

/// A desk and a server that hear each other.
struct Bridged(UnixStream, UnixStream);

impl Bridge {
    fn at(path: &Path) -> Bridge {
        Bridge(UnixListener::bind(path).unwrap())
    }

    /// The next desk that connects.
    #[track_caller]
    fn keep(&self) -> Kept {
        let (mut desk, _) = self.0.accept().unwrap();
        let mut introduction = vec![0; 4096];
        let length = desk.read(&mut introduction).unwrap();
        introduction.truncate(length);
        Kept { desk, introduction }
    }
}

impl Kept {
    /// Lets them hear each other.
    #[track_caller]
    fn pass_to(self, server: &Path) -> Bridged {
        let (desk, mut server) = (self.desk, UnixStream::connect(server).unwrap());
        server.write_all(&self.introduction).unwrap();
        for (from, to) in [(&desk, &server), (&server, &desk)] {
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            // Whatever ends it is the end of the other side, too.
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        Bridged(desk, server)
    }
}

impl Bridged {
    /// They hear each other no more.
    fn cut(self) {
        self.0.shutdown(Shutdown::Both).unwrap();
        let _ = self.1.shutdown(Shutdown::Both);
    }
}

/// Types lines in a pipe, and waits until all of them were taken out of it.
#[track_caller]
fn type_and_see_taken(stdin: &mut ChildStdin, lines: &str) {
    stdin.write_all(lines.as_bytes()).unwrap();
    wait_until("the lines to be read", || (rustix::io::ioctl_fionread(&*stdin).unwrap() == 0).then_some(()));
}

#[test]
fn two_terminals_answer_the_same_peers_and_each_sees_what_the_other_sends() {
    let (mut server, path) = server_with_desk("two", &[]);
    let (mut peer, mut other) = (server.connect(), server.connect());
    server.hears(&mut peer, "hello");
    let Some(ann) = at_terminal(&path, "--name ann") else { return };
    let Some(bob) = at_terminal(&path, "--name bob") else { return };
    ann.has_row("#1> hello");
    bob.has_row("#1> hello");
    ann.has_row("* desk 3 is bob now");

    ann.types("from a");
    bob.has_row("desk 2 ann types to #1");
    // Somebody else speaks meanwhile, and is not answered by it.
    other.send("me, too\n");
    ann.has_row("#2> me, too");
    ann.enters("nn");
    assert_eq!(peer.line(), "from ann");
    bob.has_row("-> #1 9 bytes (desk 2 ann) from ann");
    ann.has_row("-> #1 9 bytes");
    bob.enters("@2 from bob");
    assert_eq!(other.line(), "from bob");
    ann.has_row("-> #2 9 bytes (desk 3 bob) from bob");
    bob.enters("/name 2 lab");
    ann.has_row("* #2 is now lab");
    ann.enters("@lab by name");
    assert_eq!(other.line(), "by name");
    server.type_line("@1 from stdin");
    ann.has_row("-> #1 11 bytes (desk 1) from stdin");
    assert_eq!(peer.line(), "from stdin");
    assert!(peer.is_quiet() && other.is_quiet(), "each text came once");
    ann.enters("/who");
    ann.has_row("desk 1, desk 2 ann, desk 3 bob");
}

#[test]
fn leaving_ends_the_desk_and_nothing_else_however_it_is_done() {
    let (server, path) = server_with_desk("leave", &[]);
    let (mut peer, _) = server.connect_numbered();
    let mut stays = Remote::attach(&path);
    stays.event("open");
    for leaves in ["exit", "Ctrl-D", "Ctrl-C"] {
        let Some(pane) = at_terminal(&path, "") else { return };
        match leaves {
            "exit" => pane.enters("exit"),
            "Ctrl-D" => pane.press(&["C-d"]),
            _ => {
                pane.press(&["C-c"]);
                pane.has_row("Ctrl-C again within two seconds leaves this desk, and nothing else");
                pane.press(&["C-c"]);
            }
        }
        pane.has_row("its status: 0");
        stays.until("it to go", |line| line["gone"] == true);
        assert_eq!(stays.ask(json!({"cmd": "send", "to": 1, "text": leaves}))["queued"], 1);
        assert_eq!(peer.line(), leaves);
    }
}

#[test]
fn who_comes_back_sees_what_was_said_meanwhile() {
    let (server, path) = server_with_desk("back", &[]);
    let mut peer = server.connect();
    let Some(pane) = at_terminal(&path, "") else { return };
    peer.send("one\n");
    pane.has_row("#1> one");
    pane.press(&["C-d"]);
    pane.has_row("its status: 0");
    peer.send("two\n");
    server.out.line_with("two");

    let Some(pane) = at_terminal(&path, "") else { return };
    pane.has_row("#1> two");
    // Whoever spoke last is the same for it as for those who were there.
    pane.prompt_is(|prompt| prompt == "#1> ");
    pane.enters("three");
    assert_eq!(peer.line(), "three");
}

#[test]
fn the_server_is_ended_only_when_that_was_said_twice() {
    let (mut server, path) = server_with_desk("quit", &[]);
    let (_peer, _) = server.connect_numbered();
    let Some(pane) = at_terminal(&path, "") else { return };
    pane.enters("/quit");
    pane.has_row("/quit again ends the server, for all: #1; exit leaves this desk alone");
    pane.enters("/who");
    pane.has_row("ESTABLISHED");
    pane.enters("/quit");
    wait_until("it to be said again", || {
        let rows = pane.all_rows();
        (rows.iter().filter(|row| row.contains("/quit again ends")).count() == 2).then_some(())
    });
    assert!(server.is_running());
    pane.enters("/quit");
    pane.has_row("the server has ended");
    pane.has_row("its status: 0");
    assert_eq!(server.exit_status().code(), Some(0));
}

#[test]
fn a_server_that_is_killed_is_found_again_and_nothing_begun_for_the_old_one_reaches_the_new_one() {
    let (mut server, path) = server_with_desk("again", &[]);
    let (_peer, _) = server.connect_numbered();
    let Some(pane) = at_terminal(&path, "") else { return };
    pane.enters("@1");
    pane.prompt_is(|prompt| prompt == "#1> ");
    pane.types("secret");
    pane.shows_line("#1> secret");

    server.signal("KILL");
    server.exit_status();
    pane.has_row("* the connection to the server is lost; it is tried again every second");
    let server = Server::start(&[&format!("--desk={}", path.display())]);
    pane.has_row("* attached to another run, as desk 2");
    let (mut stranger, number) = server.connect_numbered();
    assert_eq!(number, 1);
    pane.has_row("* #1 connected from ");
    pane.press(&["Enter"]);

    pane.has_row("not sent: (nobody) is nobody");
    pane.shows_line("(nobody)> secret");
    assert!(stranger.is_quiet(), "a stranger has got it");
    pane.press(&["C-u"]);
    pane.enters("@1 hello");
    assert_eq!(stranger.line(), "hello");
}

#[test]
fn what_is_typed_in_a_pipe_while_the_server_is_away_reaches_nobody_of_another_one() {
    let (mut server, path) = server_with_desk("other", &[]);
    let mut peer = server.connect();
    let mut desk = piped(&path, &["--format", "human"]);
    desk.out.line_with("attached to ");
    server.hears(&mut peer, "I am the first");
    desk.out.line_with("#1> I am the first");
    desk.type_line("/name 1 lab");
    desk.err.line_with("#1 is lab now");
    let mut stdin = desk.take_stdin();
    type_and_see_taken(&mut stdin, "a line that is beg");

    server.signal("KILL");
    server.exit_status();
    desk.out.line_with("the connection to the server is lost; it is tried again every second");
    // Another server is there before the desk is, and so is a stranger who has spoken already.
    let (other, elsewhere) = server_with_desk("elsewhere", &[]);
    let mut stranger = other.connect();
    other.hears(&mut stranger, "hello");
    type_and_see_taken(&mut stdin, "un for whoever spoke last\n@1 one\n@lab named\n@all all\n@1\naimed\n");
    std::fs::rename(&elsewhere, &path).unwrap();

    desk.out.line_with("attached to another run, as desk 2");
    desk.err.lines_with("not sent: it was typed for the run of the server that has ended", 6);
    stdin.write_all(b"@lab x\n@1 now\n").unwrap();
    desk.err.line_with("unknown target @lab");
    assert_eq!(stranger.line(), "now", "it has got what was for another");
    assert!(stranger.is_quiet());
}

#[test]
fn what_is_typed_in_a_pipe_while_the_link_is_down_goes_to_whoever_was_meant() {
    let (server, there) = server_with_desk("there", &[]);
    let path = place("bridge");
    let bridge = Bridge::at(&path);
    let (mut meant, mut other) = (server.connect(), server.connect());
    let mut desk = piped(&path, &["--format", "human"]);
    let link = bridge.keep().pass_to(&there);
    server.hears(&mut meant, "please answer");
    desk.out.line_with("#1> please answer");

    link.cut();
    let kept = bridge.keep();
    server.hears(&mut other, "me, too");
    let mut stdin = desk.take_stdin();
    type_and_see_taken(&mut stdin, "the answer\n@2 by number\n");
    let _link = kept.pass_to(&there);

    assert_eq!(meant.line(), "the answer");
    assert_eq!(other.line(), "by number");
    // What is typed now is for whoever has spoken last now.
    desk.out.line_with("#2> me, too");
    stdin.write_all(b"now\n").unwrap();
    assert_eq!(other.line(), "now");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn who_attaches_again_is_told_nothing_twice_and_how_much_it_was_not_told() {
    let (server, there) = server_with_desk("twice", &[]);
    let path = place("bridge");
    let bridge = Bridge::at(&path);
    let mut peer = server.connect();
    server.hears(&mut peer, "one");
    let (_later, _) = server.connect_numbered();
    let mut desk = piped(&path, &["--format", "human"]);
    let link = bridge.keep().pass_to(&there);
    desk.out.line_with("#1> one");
    desk.type_line("/who");
    desk.err.lines_with("ESTABLISHED", 2);

    link.cut();
    let link = bridge.keep().pass_to(&there);
    desk.out.line_with("attached again, as desk 3: 0 events meanwhile");
    link.cut();
    let kept = bridge.keep();
    server.hears(&mut peer, "two");
    server.hears(&mut peer, "three");
    let _link = kept.pass_to(&there);
    desk.out.line_with("attached again, as desk 4: 2 events meanwhile");
    desk.out.line_with("#1> three");
    server.hears(&mut peer, "four");
    desk.out.line_with("#1> four");

    let shown = String::from_utf8(desk.out.so_far()).unwrap();
    for said in ["one", "two", "three", "four"] {
        assert_eq!(shown.matches(&format!("#1> {said}\n")).count(), 1, "{said}:\n{shown}");
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_is_entered_on_a_terminal_before_the_server_has_said_who_it_is_reaches_nobody_of_another_one() {
    let (mut server, there) = server_with_desk("first", &[]);
    let path = place("bridge");
    let bridge = Bridge::at(&path);
    let (_peer, _) = server.connect_numbered();
    let line = format!("{SWITCHBOARD} attach --no-history {}; echo its status: $?", path.display());
    let Some(pane) = Pane::running(100, 24, &line) else { return };
    let _link = bridge.keep().pass_to(&there);
    pane.has_row("attached to ");
    pane.enters("@1");
    pane.prompt_is(|prompt| prompt == "#1> ");

    server.signal("KILL");
    server.exit_status();
    let kept = bridge.keep();
    let (other, elsewhere) = server_with_desk("second", &[]);
    let mut stranger = other.connect();
    other.hears(&mut stranger, "hello");
    for line in ["secret", "@1 by number", "@1"] {
        pane.enters(line);
        pane.has_row(&format!("you> {line}"));
    }
    let _link = kept.pass_to(&elsewhere);

    pane.has_row("* attached to another run, as desk 2");
    wait_until("all of it to be refused", || {
        let rows = pane.all_rows();
        let refused =
            rows.iter().filter(|row| row.contains("not sent: it was typed for the run of the server"));
        (refused.count() == 3).then_some(())
    });
    pane.enters("@1 now");
    assert_eq!(stranger.line(), "now", "it has got what was for another");
    assert!(stranger.is_quiet());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn h45_a_terminal_that_is_stopped_under_a_flood_costs_the_others_nothing_and_goes_on_afterwards() {
    let (server, path) = server_with_desk("flood", &["--quiet"]);
    let (mut peer, mut calm) = (server.connect(), server.connect());
    let Some(pane) = at_terminal(&path, "") else { return };
    let mut other = Remote::attach(&path);
    other.event("hello");
    let pid = process_of(&path);
    Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    // As fast as one who reads keeps up with.
    for _ in 0..40 {
        (0..1000).for_each(|_| peer.send(format!("{}\n", "x".repeat(500))));
        (0..1000).for_each(|_| drop(other.event("msg")));
    }
    calm.send("end\n");
    assert_eq!(other.event("msg")["text"], "end", "it has missed nothing");
    Command::new("kill").args(["-CONT", &pid]).status().unwrap();

    pane.has_row("lines skipped: they came faster than they were read");
    pane.has_row("#2> end");
    pane.enters("@2 still here");
    assert_eq!(calm.line(), "still here");
    assert!(server.resident_bytes() < 64 << 20, "{}", server.resident_bytes());
}

#[test]
fn h45_of_four_terminals_one_that_is_stopped_costs_the_other_three_and_the_peers_nothing() {
    const MESSAGES: usize = 16_000;
    let (server, path) = server_with_desk("four", &["--chat", "--quiet"]);
    let (mut talker, mut listener) = (server.connect(), server.connect());
    talker.line();
    drop((talker.line(), listener.line()));
    let desks: Vec<Program> = (0..4).map(|_| piped(&path, &["--format", "tsv"])).collect();
    desks.iter().for_each(|desk| drop(desk.err.line_with("attached to ")));
    desks[0].pause();
    let before = server.resident_bytes();
    let text = "x".repeat(500);

    // As fast as those who read keep up with.
    for batch in 0..MESSAGES / 1000 {
        (1..1000).for_each(|_| talker.send(format!("{text}\n")));
        talker.send(format!("end of {batch}\n"));
        for desk in &desks[1..] {
            let end = format!("1\tend of {batch}\n");
            desk.out.wait_for(&end, |shown| shown.ends_with(end.as_bytes()).then_some(()));
        }
        (1..1000).for_each(|_| assert_eq!(listener.line(), format!("<#1> {text}")));
        assert_eq!(listener.line(), format!("<#1> end of {batch}"));
    }

    for desk in &desks[1..] {
        let shown = String::from_utf8(desk.out.so_far()).unwrap();
        assert_eq!(
            shown.lines().filter(|line| line.starts_with("1\t")).count(),
            MESSAGES,
            "nothing is missing"
        );
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more in memory");
    desks[0].resume();
    desks[0].err.line_with("lines skipped: they came faster than they were read");
    desks[0].out.line_with(&format!("end of {}", MESSAGES / 1000 - 1));
}

#[test]
fn h47_a_terminal_that_is_killed_leaves_nothing_and_the_server_goes_on() {
    let (server, path) = server_with_desk("kill9", &[]);
    let (mut peer, _) = server.connect_numbered();
    let mut stays = Remote::attach(&path);
    stays.event("open");
    // Whatever it writes beside what it shows would be in one of these.
    let home = place("home");
    std::fs::create_dir(&home).unwrap();
    let own = format!("env HOME={0} TMPDIR={0} XDG_STATE_HOME={0} XDG_RUNTIME_DIR={0}", home.display());
    let line =
        format!("{own} {SWITCHBOARD} attach --no-history --name ann {}; echo its status: $?", path.display());
    let Some(pane) = Pane::running(100, 24, &line) else { return };
    pane.has_row("attached to ");
    pane.enters("/every 100ms @1 again");
    assert_eq!(peer.line(), "again");
    let descriptors = server.descriptors();
    pane.types("@1 half");
    stays.until("what is typed", |line| line["ev"] == "typing" && line["ids"] == json!([1]));

    Command::new("kill").args(["-KILL", &process_of(&path)]).status().unwrap();

    pane.has_row("its status: 137");
    assert_eq!(stays.until("its end", |line| line["gone"] == true)["desk"], 3);
    let who = stays.ask(json!({"cmd": "who"}));
    assert_eq!(who["desks"], json!([{"desk": 1}, {"desk": 2}]), "nobody else is in the list");
    wait_until("its descriptor to go", || (server.descriptors() == descriptors - 1).then_some(()));
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0, "no file is left");
    // What it had begun goes on until somebody ends it, and nothing else of it arrives.
    assert_eq!((peer.line(), peer.line()), ("again".into(), "again".into()));
    assert_eq!(stays.ask(json!({"cmd": "every", "off": "all"}))["off"], 1);
    stays.ask(json!({"cmd": "send", "to": 1, "text": "from another"}));
    let next = std::iter::from_fn(|| Some(peer.line())).find(|line| line != "again");
    assert_eq!(next.as_deref(), Some("from another"));
    std::fs::remove_dir(&home).unwrap();
}

#[test]
fn h48_a_terminal_attaches_to_nobody_in_a_directory_that_is_not_its_owners_alone() {
    let directory = place("open");
    std::fs::create_dir(&directory).unwrap();
    let attach_without_path = |directory: &Path| {
        let mut command = Command::new(SWITCHBOARD);
        command.arg("attach").env("XDG_RUNTIME_DIR", directory);
        Program::start(command)
    };
    let with_mode =
        |mode| std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(mode)).unwrap();
    let server = Server::start(&[&format!("--desk={}", directory.join("switchboard.sock").display())]);

    with_mode(0o770);
    let mut refused = attach_without_path(&directory);
    refused.err.line_with("is open to others: chmod 700 shuts it");
    assert_eq!(refused.exit_status().code(), Some(1));
    if rustix::process::geteuid().is_root() {
        with_mode(0o700);
        std::os::unix::fs::chown(&directory, Some(65534), None).unwrap();
        let mut refused = attach_without_path(&directory);
        refused.err.line_with("belongs to somebody else");
        assert_eq!(refused.exit_status().code(), Some(1));
        std::os::unix::fs::chown(&directory, Some(0), None).unwrap();
    }
    with_mode(0o700);
    attach_without_path(&directory).err.line_with("attached to ");
    drop(server);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn in_a_pipe_lines_go_in_and_what_happens_from_now_on_comes_out() {
    let (server, path) = server_with_desk("pipe", &[]);
    let mut peer = server.connect();
    peer.send("before\n");
    server.out.line_with("before");
    let mut desk = piped(&path, &["--format", "tsv"]);
    desk.err.line_with("attached to ");
    peer.send("a\tb\n");
    desk.out.line_with("1\ta\\tb");
    desk.type_line("@1 answer");
    assert_eq!(peer.line(), "answer");
    desk.err.line_with("-> #1 7 bytes");
    desk.type_line("/send @1 a\\r\\n\\xff");
    assert_eq!(peer.exactly(4), b"a\r\n\xff");
    desk.type_line("@9 x");
    desk.err.line_with("there is no #9: nothing was done");
    desk.type_line("@nobody x");
    desk.err.line_with("unknown target @nobody");
    // The end of the input is the end of the desk, once all is answered.
    desk.type_line("@1 last");
    desk.close_stdin();
    assert_eq!(desk.exit_status().code(), Some(0));
    assert_eq!(peer.line(), "last");
    assert_eq!(desk.out.to_end(), b"1\ta\\tb\n", "what was said before is for people");
}

#[test]
fn a_file_is_read_where_it_is_typed() {
    let (server, path) = server_with_desk("file", &[]);
    let mut peer = server.connect();
    let file = place("a-file");
    std::fs::write(&file, b"\x00\xffbytes").unwrap();
    let mut desk = piped(&path, &["--format", "human"]);
    desk.out.line_with("attached to ");
    desk.type_line(&format!("/file @1 {}", file.display()));
    assert_eq!(peer.exactly(7), b"\x00\xffbytes");
    desk.type_line("/file @1 /dev/null");
    desk.err.line_with("cannot send /dev/null: it is no regular file");
    std::fs::remove_file(&file).unwrap();
    drop(server);
}

#[test]
fn as_json_it_is_the_servers_own_lines_both_ways() {
    let (server, path) = server_with_desk("json", &[]);
    let mut peer = server.connect();
    let mut desk = piped(&path, &["--format", "json", "--name", "robot"]);
    desk.out.line_with("{\"ev\":\"hello\",\"v\":1,");
    desk.type_line("{\"cmd\":\"send\",\"to\":1,\"text\":\"hi\",\"ref\":\"x\"}");
    assert_eq!(peer.line(), "hi");
    let reply = desk.out.line_with("\"ref\":\"x\"");
    assert!(reply.contains("\"queued\":1"), "{reply}");
    desk.type_line("{\"cmd\":\"who\",\"ref\":2}");
    desk.close_stdin();
    let who = desk.out.line_with("\"ref\":2");
    assert!(who.contains("\"name\":\"robot\""), "{who}");
    assert_eq!(desk.exit_status().code(), Some(0));
    drop(server);
}

#[test]
fn who_only_watches_is_told_so_and_what_cannot_be_attached_to_is_said() {
    let (server, path) = server_with_desk("watch", &[]);
    let mut peer = server.connect();
    let mut desk = piped(&path, &["--watch", "--format", "human"]);
    desk.out.line_with("attached to ");
    desk.type_line("@1 x");
    desk.err.line_with("this may not be done at this desk: nothing was done");
    peer.send("seen\n");
    desk.out.line_with("#1> seen");
    assert!(peer.is_quiet());
    desk.signal("TERM");
    assert_eq!(desk.exit_status().code(), Some(0));

    let desks: Vec<Remote> = (0..16).map(|_| Remote::attach(&path)).collect();
    let mut surplus = piped(&path, &[]);
    surplus.err.line_with("switchboard attach: cannot attach: 16 desks are attached already");
    assert_eq!(surplus.exit_status().code(), Some(1));
    drop(desks);
    drop(server);

    let mut nowhere = piped(&place("nowhere"), &[]);
    let line = nowhere.err.line_with("cannot attach to ");
    assert!(line.contains("No such file or directory (is a server running with --desk?)"), "{line}");
    assert_eq!(nowhere.exit_status().code(), Some(1));
    let mut badly = piped(&path, &["--name", "two words"]);
    badly.err.line_with("cannot use the name \"two words\"");
    assert_eq!(badly.exit_status().code(), Some(1));
}

#[test]
fn a_pipe_loses_nothing_however_much_more_it_says_than_the_server_takes_at_once() {
    let (server, path) = server_with_desk("much", &["--queue-max", "64M"]);
    let (mut peer, _) = server.connect_numbered();
    let all = (15 << 20) + 1 + 40 * ((1 << 20) + 1);
    let reads = std::thread::spawn(move || peer.exactly(all));
    let line = |number: usize, bytes: usize| {
        format!("{}\n", json!({"cmd": "send", "to": 1, "text": "x".repeat(bytes), "ref": number}))
    };
    // The longest has nearly what a line may have; the others come faster than they are taken.
    let mut said = vec![line(0, 15 << 20)];
    said.extend((1..=40).map(|number| line(number, 1 << 20)));

    let mut desk = piped(&path, &["--format", "json"]);
    let mut stdin = desk.take_stdin();
    let says = std::thread::spawn(move || said.iter().try_for_each(|line| stdin.write_all(line.as_bytes())));
    let told = String::from_utf8(desk.out.to_end()).unwrap();

    assert!(desk.exit_status().success());
    says.join().unwrap().expect("all of it is taken");
    let replies = told.lines().filter(|line| line.starts_with(r#"{"ev":"ok""#)).count();
    assert_eq!(replies, 41, "each command has its reply");
    reads.join().expect("the peer hears all of it");
}

#[test]
fn a_file_of_eight_mebibytes_goes_out_from_an_attached_desk() {
    let (server, path) = server_with_desk("file", &["--queue-max", "64M"]);
    let (mut peer, _) = server.connect_numbered();
    let file = place("firmware");
    std::fs::write(&file, vec![b'x'; 8 << 20]).unwrap();

    let mut desk = piped(&path, &["--format", "tsv"]);
    desk.type_line(&format!("/file @1 {}", file.display()));

    desk.err.line_with("-> #1 8388608 bytes");
    assert!(peer.exactly(8 << 20).iter().all(|byte| *byte == b'x'));
    std::fs::remove_file(file).unwrap();
}
