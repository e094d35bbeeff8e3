//! The console: who is shown how, and whom a reply reaches.

mod common;

use common::{Peer, Program, Server, parse_tsv, wait_until};

/// A server, and so many peers, numbered from 1.
fn server_with(arguments: &[&str], peers: usize) -> (Server, Vec<Peer>) {
    let server = Server::start(arguments);
    let peers = (1..=peers as u64)
        .map(|expected| {
            let (peer, number) = server.connect_numbered();
            assert_eq!(number, expected, "numbers count up from 1");
            peer
        })
        .collect();
    (server, peers)
}

/// Lets a peer say something, and waits until the operator has seen it.
fn says(server: &Server, peer: &mut Peer, text: &str) {
    peer.send(format!("{text}\n"));
    server.out.line_with(text);
}

/// What the next things each peer gets are: a text to all is the last, so nothing came before it
/// that is not in the list.
#[track_caller]
fn each_gets(server: &mut Server, peers: &mut [Peer], expected: &[&[&str]]) {
    server.type_line("@all that was all");
    for (at, peer) in peers.iter_mut().enumerate() {
        for text in expected[at].iter().chain(&["that was all"]) {
            assert_eq!(&peer.line(), text, "what #{} got", at + 1);
        }
    }
}

/// With digits made equal, so that it can be compared.
fn shape(text: &str) -> String {
    text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect()
}

#[test]
fn each_message_is_shown_with_its_time_under_its_senders_number() {
    let (server, mut peers) = server_with(&["--format", "human"], 2);

    peers[1].send("good day\r\n");
    let good_day = server.out.line_with("good day");
    peers[0].send("hello\n");
    let hello = server.out.line_with("hello");

    for (line, rest) in [(good_day, " #2> good day"), (hello, " #1> hello")] {
        let (stamp, shown) = line.split_at("HH:MM:SS.mmm".len());
        assert_eq!((shape(stamp).as_str(), shown), ("00:00:00.000", rest), "in the line {line:?}");
    }
}

#[test]
fn the_format_of_a_pipe_is_tsv_and_holds_messages_alone() {
    let (mut server, mut peers) = server_with(&[], 2);

    says(&server, &mut peers[0], "hello");
    says(&server, &mut peers[1], "a\tb");
    server.write_stdin(b"a reply\n/who\n/stats\n/help\n/nonsense\n@9 x\n@1\n/eof 2\n/rst 1\nexit\n");
    let out = server.out.to_end();

    assert_eq!(String::from_utf8_lossy(&out), "1\thello\n2\ta\\tb\n");
}

#[test]
fn raw_shows_the_bytes_as_they_came_and_nothing_else() {
    let (mut server, mut peers) = server_with(&["--format", "raw"], 1);
    let said = b"\x1b[31mred\x00\r\n\xff\xfe\n\nlast";

    peers[0].send(said);
    server.out.wait_for("all of it", |bytes| bytes.ends_with(b"last").then_some(()));
    server.type_line("exit");

    assert_eq!(server.out.to_end(), said);
}

#[test]
fn tsv_parses_back_exactly_whatever_the_bytes_are() {
    let (mut server, mut peers) = server_with(&["--format", "tsv"], 1);
    let mut random = common::Random::seeded(1);
    let mut lines: Vec<Vec<u8>> = (0..=255).map(|byte| vec![b'a', byte, b'\\', byte]).collect();
    lines.extend([&b"\\x41"[..], b"\\\\n", b"\\", b"", b"\t", b"\xe4\xbd", b"\xc2\x9b", b"#1\t2"].map(Vec::from));
    lines.extend((0..200).map(|_| random.bytes(40)));
    lines.iter_mut().for_each(|line| line.retain(|byte| *byte != b'\n'));

    peers[0].send([lines.join(&b'\n'), b"\nthe last\n".to_vec()].concat());
    server.out.line_with("the last");
    server.type_line("exit");
    let out = server.out.to_end();

    let shown: Vec<&[u8]> = out.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').collect();
    assert_eq!(shown.len(), lines.len() + 1, "one line for each");
    for (line, shown) in lines.iter().zip(shown) {
        let field = shown.strip_prefix(b"1\t").expect("the number and a tab");
        assert!(!field.contains(&b'\t') && !field.contains(&b'\r'), "{:?}", String::from_utf8_lossy(field));
        assert_eq!(&parse_tsv(field), line);
    }
}

#[test]
fn no_peer_can_bring_a_control_character_to_the_operators_screen() {
    let (mut server, mut peers) = server_with(&["--format", "human"], 1);
    let mut said: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    said.extend("\u{85}\u{9b}31m\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}".bytes());
    said.extend(b"\x1b]0;evil\x07\x1b[2J\r12:00:00.000 #2> I am another\n\x9b31m no line ending yet");

    peers[0].send(&said);
    server.out.line_with("yet");
    server.type_line("exit");
    let out = String::from_utf8(server.out.to_end()).expect("what is shown is UTF-8");

    let odd: Vec<char> = out.chars().filter(|char| char.is_control() && *char != '\n').collect();
    assert!(odd.is_empty(), "control characters {odd:?} in {out:?}");
    for char in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{2028}', '\u{feff}'] {
        assert!(!out.contains(char), "{char:?} in {out:?}");
    }
    let forged = out.lines().find(|line| !line.starts_with("* ") && line.get(12..17) != Some(" #1> "));
    assert_eq!(forged, None, "every line shows whose it is");
}

#[test]
fn replies_go_once_to_one_to_several_and_to_all() {
    let (mut server, mut peers) = server_with(&[], 3);

    server.type_line("@2 to two");
    server.type_line("@1,3,1 to one and three");
    server.type_line("@all to all");

    let everybody: &[&[&str]] =
        &[&["to one and three", "to all"], &["to two", "to all"], &["to one and three", "to all"]];
    each_gets(&mut server, &mut peers, everybody);
}

#[test]
fn the_current_target_is_whoever_spoke_last_unless_one_was_chosen() {
    let (mut server, mut peers) = server_with(&[], 3);

    server.type_line("too early");
    server.err.line_with("cannot send");
    says(&server, &mut peers[0], "one speaks");
    server.type_line("follows one");
    says(&server, &mut peers[1], "two speaks");
    server.type_line("follows two");
    server.type_line("@3");
    server.type_line("sticks to three");
    says(&server, &mut peers[0], "one speaks again");
    server.type_line("still sticks to three");
    server.type_line("@last past the chosen one");
    server.type_line("sticks all the same");
    server.type_line("@last");
    server.type_line("follows one again");

    let one = ["follows one", "past the chosen one", "follows one again"];
    let three = ["sticks to three", "still sticks to three", "sticks all the same"];
    each_gets(&mut server, &mut peers, &[&one, &["follows two"], &three]);
}

#[test]
fn a_text_may_begin_with_a_slash_or_an_at_sign_or_be_the_word_exit() {
    let (mut server, mut peers) = server_with(&[], 1);

    says(&server, &mut peers[0], "go on");
    for line in ["//path/x", "@@name", "@last exit", " exit stage left", "@1 /who", ""] {
        server.type_line(line);
    }

    let texts = ["/path/x", "@name", "exit", " exit stage left", "/who", ""];
    each_gets(&mut server, &mut peers, &[&texts]);
}

#[test]
fn a_text_for_someone_who_has_left_is_refused_and_reaches_nobody_else() {
    let (mut server, mut peers) = server_with(&[], 1);

    // The slab gives the key that was freed last to the next newcomer.
    for gone in 1..=20 {
        says(&server, &mut peers[0], &format!("I am {gone}"));
        server.type_line(&format!("@{gone}"));
        peers.remove(0).reset();
        server.wait_for_status(&format!("* #{gone} closed"));
        let (newcomer, number) = server.connect_numbered();
        assert_eq!(number, gone + 1, "a number is never used again");
        peers.push(newcomer);
        for line in [format!("@{gone} secret"), "to the chosen one".into(), "@last to the last speaker".into()] {
            server.type_line(&line);
        }
        server.err.lines_with(&format!("#{gone} is gone"), 3);

        each_gets(&mut server, &mut peers, &[&[]]);
    }
}

#[test]
fn a_mistyped_command_or_target_is_an_error_and_sends_nothing() {
    let (mut server, mut peers) = server_with(&[], 2);
    says(&server, &mut peers[0], "hello");
    let mistakes = [
        "/whom", "/pending", "/next", "/hex 1 0d", "/file 1 /dev/null", "/mute 1", "/focus 1", "/name 1 a", "/", "/ who",
        "/1 text", "@lab-a text", "@lab-* text", "@x text", "@ text", "@1; text", "@1, text", "@,1 text", "@-1 text",
        "@+1 text", "@1.0 text", "@99 text", "@1,99 text", "@0 text", "@99999999999999999999 text", "@all, text", "@ALL text",
        "/kick", "/kick x reason", "/eof 1 2", "/rst 99", "/who 1", "/quit now",
    ];

    for (count, line) in mistakes.iter().enumerate() {
        server.type_line(line);
        let answers = |err: &[u8]| String::from_utf8_lossy(err).lines().filter(|line| is_refusal(line)).count();
        let count = count + 1;
        server.err.wait_for(&format!("an error for {line:?}"), |err| (answers(err) == count).then_some(()));
    }

    each_gets(&mut server, &mut peers, &[&[], &[]]);
}

fn is_refusal(line: &str) -> bool {
    ["unknown command ", "unknown target ", "cannot ", "there is no "].iter().any(|start| line.starts_with(start))
}

#[test]
fn what_is_unknown_is_called_so() {
    let (mut server, _peers) = server_with(&[], 1);

    for line in ["/pending", "@lab-a text", "@77 text"] {
        server.type_line(line);
    }

    assert!(server.err.line_with("/pending").starts_with("unknown command /pending"));
    assert!(server.err.line_with("lab-a").starts_with("unknown target @lab-a"));
    server.err.line_with("there is no #77");
}

#[test]
fn where_a_text_went_is_always_answered() {
    let (mut server, _peers) = server_with(&[], 3);

    server.type_line("@3 hello");
    server.type_line("@1,2 你好");
    server.type_line("@all x");

    let answers = server.err.lines_with("-> ", 4);
    assert_eq!(answers[..3], ["-> #3 6 bytes", "-> #1 7 bytes", "-> #2 7 bytes"]);
    assert!(answers[3].contains('3') && answers[3].ends_with("2 bytes"), "to all: {:?}", answers[3]);
}

#[test]
fn who_and_stats_tell_what_there_is() {
    let (mut server, mut peers) = server_with(&[], 3);
    says(&server, &mut peers[1], "12345678");
    peers.remove(0).reset();
    server.wait_for_status("* #1 closed");

    server.write_stdin(b"/who\n/stats\n");
    let rows = server.err.lines_with("received", 4);

    // The first of them says that #1 has closed, the last is a counter.
    assert!(rows[1].starts_with("#2 ") && rows[2].starts_with("#3 "), "who is there: {rows:?}");
    assert!(rows[1].contains(&peers[0].stream.local_addr().unwrap().to_string()), "{:?}", rows[1]);
    assert!(rows[1].contains("received 9,"), "{:?}", rows[1]);
    let counters = server.err.line_with("opened");
    assert!(counters.contains("2 now, 3 opened, 1 closed"), "{counters:?}");
}

#[test]
fn help_explains_every_command_or_one() {
    let (mut server, _peers) = server_with(&[], 0);

    server.type_line("/help");
    for usage in ["@3 text", "@all text", "@last text", "//text", "/who", "/eof 3", "/kick 3", "/rst 3", "/stats", "exit"] {
        server.err.line_with(usage);
    }
    server.type_line("/help kick");
    let about_kick = server.err.lines_with("/kick 3 [reason]", 2);

    assert_eq!(about_kick[0], about_kick[1], "the same line as in the list");
}

#[test]
fn eof_finishes_our_side_and_the_peer_is_still_heard() {
    let (mut server, mut peers) = server_with(&[], 1);

    server.write_stdin(b"@1 good bye\n/eof 1\n@1 too late\n");
    let got = peers[0].to_end();
    says(&server, &mut peers[0], "I am still here");

    assert_eq!(String::from_utf8_lossy(&got), "good bye\n");
    server.err.line_with("cannot send to #1");
}

#[test]
fn a_kicked_peer_gets_what_was_queued_then_the_reason_then_a_fin() {
    let (mut server, mut peers) = server_with(&[], 2);

    server.write_stdin(b"@1 a last word\n/kick 1 be quiet now\n/kick 2\n");
    let got = [peers[0].to_end(), peers[1].to_end()];

    assert_eq!(got.each_ref().map(|got| String::from_utf8_lossy(got)), ["a last word\nbe quiet now\n", ""]);
    // What it says from now on is not shown.
    peers[0].send("but\n");
    peers.clear();
    server.wait_for_status("* #1 closed");
    server.type_line("exit");
    assert_eq!(server.out.to_end(), b"");
}

#[test]
fn a_reset_is_seen_as_one() {
    let (mut server, mut peers) = server_with(&[], 2);

    server.type_line("/rst 1");
    let (got, error) = peers[0].to_any_end();

    assert_eq!((got, error), (Vec::new(), Some(std::io::ErrorKind::ConnectionReset)));
    server.type_line("@2 you stay");
    assert_eq!(peers[1].line(), "you stay");
}

#[test]
fn a_message_without_a_line_ending_is_shown_and_can_be_answered() {
    let (mut server, mut peers) = server_with(&[], 1);

    peers[0].send("你好");
    let shown = server.out.line_with("你");
    server.type_line("你也好");

    assert_eq!(shown, "1\t你好");
    assert_eq!(peers[0].line(), "你也好");
}

#[test]
fn a_character_that_came_in_two_pieces_is_shown_whole() {
    let (mut server, mut peers) = server_with(&[], 2);
    let (start, rest) = "你好".as_bytes().split_at(2);

    peers[0].send(start);
    peers[1].send([b"abc", start].concat());
    // The beginning of a line may be shown; the beginning of a character may not.
    server.out.line_with("abc");
    wait_until("the first bytes to be read", || {
        server.type_line("/who");
        server.err.so_far().windows(11).any(|part| part == b"received 2,").then_some(())
    });
    peers.iter_mut().for_each(|peer| peer.send([rest, b"\n"].concat()));
    server.out.lines_with("你好", 2);
    server.type_line("exit");

    let out = String::from_utf8(server.out.to_end()).unwrap();
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1\t你好", "2\tabc", "2\t你好"]);
}

#[test]
fn a_line_over_the_limit_is_shown_in_parts() {
    let (mut server, mut peers) = server_with(&["--max-line", "1K"], 1);
    let long: String = (0..1000).map(|number| format!("{number} ")).collect();

    peers[0].send(format!("before\n{long}\nafter\n"));
    server.out.line_with("after");
    server.type_line("exit");
    let out = String::from_utf8(server.out.to_end()).unwrap();

    let texts: Vec<&str> = out.lines().map(|line| line.strip_prefix("1\t").expect("its number")).collect();
    let (first, last) = (texts[0], texts[texts.len() - 1]);
    let parts = &texts[1..texts.len() - 1];
    assert_eq!((first, last), ("before", "after"));
    assert!(parts.iter().all(|part| part.len() <= 1024), "no part is longer than the limit");
    assert_eq!(parts.concat(), long);
}

#[test]
fn a_peer_that_does_not_read_is_reported_and_disturbs_nobody() {
    let (mut server, mut peers) = server_with(&["--queue-max", "4M"], 2);
    let text = "x".repeat(256 << 10);

    // The kernel takes a few megabytes; then the queue grows, and then it is full.
    wait_until("the queue of #1 to be full", || {
        server.type_line(&format!("@1 {text}"));
        server.err.so_far().windows(8).any(|part| part == b"not sent").then_some(())
    });
    server.type_line("@2 hello");
    let answer = peers[1].line();

    assert_eq!(answer, "hello");
    let report = server.err.line_with("MB queued");
    assert!(report.starts_with("#1 is not reading, "), "{report:?}");
    assert_eq!(peers[0].line(), text, "and it can still catch up");
}

#[test]
fn a_client_that_is_killed_takes_nobody_with_it() {
    let (mut server, mut peers) = server_with(&[], 1);
    let mut client = Program::client(&[&server.port()]);
    client.type_line("I am the client");
    server.out.line_with("2\tI am the client");

    client.signal("KILL");
    client.exit_status();
    server.wait_for_status("#2 has finished sending");
    says(&server, &mut peers[0], "I am still here");
    server.type_line("@1 so am I");

    assert_eq!(peers[0].line(), "so am I");
}
