//! How messages are shown: each format, whatever the bytes are and however they were cut up.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Output, Peer, Program, Random, Server, has_tool, parse_tsv, wait_until};

/// With digits made equal, so that it can be compared.
fn shape(text: &str) -> String {
    text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect()
}

#[test]
fn each_message_is_shown_with_its_time_under_its_senders_number() {
    let (server, mut peers) = Server::with_peers(&["--format", "human"], 2);

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
fn in_a_log_each_status_line_has_its_time_and_the_listening_line_is_exact() {
    for format in ["tsv", "human"] {
        let (err, stderr) = std::io::pipe().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["--format", format, "0"])
            .env("RUST_LOG", "switchboard=debug")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        // As it is written, with the time.
        let err = Output::of(err);
        let line = err.line_with("listening on ");
        let address = line.strip_prefix("switchboard: listening on ").expect("it is exact");
        let mut peer = Peer::connect(address.parse().expect("an address"));
        peer.send("hello\n");
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, b"/stats\n/who\n@9 x\n@1 hi\n/quit\n").unwrap();
        peer.read_to_end();
        drop(peer);
        child.wait().unwrap();

        let err = String::from_utf8(err.to_end()).unwrap();
        let status: Vec<&str> = err.lines().filter(|line| !line.starts_with("switchboard: ")).collect();
        for line in &status {
            let (stamp, rest) = line.split_at_checked("HH:MM:SS.mmm ".len()).unwrap_or((line, ""));
            assert_eq!(shape(stamp), "00:00:00.000 ", "{format}: the line {line:?}");
            assert!(!rest.is_empty(), "{format}: the line {line:?}");
        }
        for part in ["up ", "there is no #9", "-> #1 3 bytes", "* stopping"] {
            assert!(status.iter().any(|line| line[13..].starts_with(part)), "{format}: no {part:?} in {err}");
        }
        if format == "tsv" {
            assert!(status.iter().any(|line| line[13..].starts_with("* #1 connected from")), "{err}");
        }
    }
}

/// What a terminal shows of this message, where the locale is set like this before the server starts.
fn shown_on_a_terminal(name: &str, locale: &str, message: &str) -> String {
    let err = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    drop(File::create(&err).unwrap());
    let server = env!("CARGO_BIN_EXE_switchboard");
    let shell = format!("unset LC_ALL LC_CTYPE LANG; {locale} exec {server} 0 2>{}", err.display());
    let mut command = Command::new("script");
    command.args(["-qefc", &shell, "/dev/null"]).env("TERM", "dumb");
    let mut terminal = Program::start(command);
    let address = wait_until("the server to listen", || {
        fs::read_to_string(&err).ok()?.strip_suffix('\n')?.rsplit(' ').next()?.parse().ok()
    });
    let mut peer = Peer::connect(address);
    peer.send(format!("{message}\n"));
    let line = terminal.out.line_with("#1> ");
    terminal.type_line("exit");
    drop(peer);
    terminal.exit_status();
    let _ = fs::remove_file(err);
    line.split_once("#1> ").expect("it is there").1.trim_end().to_owned()
}

#[test]
fn a_terminal_whose_locale_is_not_utf8_gets_ascii_alone() {
    if !has_tool("script") {
        return;
    }
    for (locale, shown) in [
        ("", "你好 é"),
        ("export LANG=C.UTF-8;", "你好 é"),
        ("export LANG=en_US.UTF-8 LC_ALL=C;", "\\u{4f60}\\u{597d} \\u{e9}"),
        ("export LC_CTYPE=de_DE.ISO-8859-1;", "\\u{4f60}\\u{597d} \\u{e9}"),
    ] {
        assert_eq!(shown_on_a_terminal("locale", locale, "你好 é"), shown, "with {locale:?}");
    }
}

#[test]
fn a_locale_changes_nothing_for_programs() {
    for format in ["tsv", "human", "raw"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(["--format", format, "0"]).env("LC_ALL", "C");
        let server = Server::of(command);
        server.connect().send("你好\n");
        server.out.line_with("你好");
    }
}

#[test]
fn what_cannot_be_seen_is_spelt_out_and_an_emoji_stays_whole() {
    for (format, spelt) in
        [("human", "#1> a\\u{3164}b ❤\u{fe0f}!"), ("tsv", "1\ta\\xe3\\x85\\xa4b ❤\u{fe0f}!")]
    {
        let (server, mut peers) = Server::with_peers(&["--format", format], 1);
        peers[0].send("a\u{3164}b ❤\u{fe0f}!\n");
        let line = server.out.line_with("!");
        assert!(line.ends_with(spelt), "{line:?}");
    }
}

#[test]
fn the_format_of_a_pipe_is_tsv_and_holds_messages_alone() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);

    server.hears(&mut peers[0], "hello");
    peers[1].send("a\tb\n");
    server.out.line_with("2\t");
    server.write_stdin(b"a reply\n/who\n/stats\n/help\n/nonsense\n@9 x\n@1\n/eof 2\n/rst 1\nexit\n");
    let out = server.out.to_end();

    assert_eq!(String::from_utf8_lossy(&out), "1\thello\n2\ta\\tb\n");
}

#[test]
fn raw_shows_the_bytes_as_they_came_and_nothing_else() {
    let (mut server, mut peers) = Server::with_peers(&["--format", "raw"], 1);
    let said = b"\x1b[31mred\x00\r\n\xff\xfe\n\nlast";

    peers[0].send(said);
    server.out.wait_for("all of it", |bytes| bytes.ends_with(b"last").then_some(()));
    server.type_line("exit");

    assert_eq!(server.out.to_end(), said);
}

#[test]
fn tsv_parses_back_exactly_whatever_the_bytes_are() {
    let (mut server, mut peers) = Server::with_peers(&["--format", "tsv"], 1);
    let mut random = Random::seeded(1);
    let mut lines: Vec<Vec<u8>> = (0..=255).map(|byte| vec![b'a', byte, b'\\', byte]).collect();
    lines.extend(
        [&b"\\x41"[..], b"\\\\n", b"\\", b"", b"\t", b"\xe4\xbd", b"\xc2\x9b", b"#1\t2"].map(Vec::from),
    );
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
    let (mut server, mut peers) = Server::with_peers(&["--format", "human"], 1);
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
fn a_message_without_a_line_ending_is_shown_and_can_be_answered() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);

    peers[0].send("你好");
    let shown = server.out.line_with("你");
    server.type_line("你也好");

    assert_eq!(shown, "1\t你好");
    assert_eq!(peers[0].line(), "你也好");
}

#[test]
fn a_character_that_came_in_two_pieces_is_shown_whole() {
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    let (start, rest) = "你好".as_bytes().split_at(2);

    peers[0].send(start);
    peers[1].send([b"abc", start].concat());
    // The beginning of a line may be shown; the beginning of a character may not.
    server.out.line_with("abc");
    wait_until("the first bytes to be read", || {
        server.who().iter().any(|row| row.received == 2).then_some(())
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
    let (mut server, mut peers) = Server::with_peers(&["--max-line", "1K"], 1);
    let long: String = (0..1000).map(|number| format!("{number} ")).collect();

    peers[0].send(format!("before\n{long}\nafter\n"));
    server.out.line_with("after");
    server.type_line("exit");
    let out = String::from_utf8(server.out.to_end()).unwrap();

    let texts: Vec<&str> = out.lines().map(|line| line.strip_prefix("1\t").expect("its number")).collect();
    let (first, last) = (texts[0], texts[texts.len() - 1]);
    let parts = &texts[1..texts.len() - 1];
    assert_eq!((first, last), ("before", "after"));
    // A line that goes on says so in a field of its own: `id text more`.
    let (last_part, cut) = parts.split_last().expect("there are several");
    let cut: Vec<&str> = cut.iter().map(|part| part.strip_suffix("\tmore").expect("it goes on")).collect();
    assert!(cut.iter().all(|part| part.len() <= 1024), "no part is longer than the limit");
    assert_eq!(cut.concat() + last_part, long);
}
