//! What peers' bytes may do to those who read them, which is nothing.
//! The numbers hNN are those of the list of hazards of event-loop servers in docs/hazards.md.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;
use std::thread;

use common::{Peer, Random, Server, parse_tsv, wait_until};
use proptest::prelude::*;
use switchboard::desk::text::{push_human, push_tsv};
use switchboard::internals::{cut_lines, whole_chars};

/// Whether a terminal could do anything with it but show it.
fn is_harmful(char: char) -> bool {
    let turns_direction = matches!(char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_hidden = matches!(char, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
        | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{e000}'..='\u{f8ff}');
    // Control characters are those of ASCII, DEL, and U+0080 to U+009F.
    char.is_control() || turns_direction || is_hidden
}

/// The first thing in an output that is not harmless, if its lines are left apart.
fn harm_in(output: &[u8]) -> Option<String> {
    match str::from_utf8(output) {
        Err(error) => Some(format!("no UTF-8: {error}")),
        Ok(text) => {
            text.chars().find(|char| *char != '\n' && is_harmful(*char)).map(|char| format!("{char:?}"))
        }
    }
}

fn human(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_human(&mut out, bytes);
    out
}

fn tsv(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_tsv(&mut out, bytes);
    out
}

/// What could be tried on a terminal, each in one line.
fn attacks() -> Vec<Vec<u8>> {
    let mut attacks: Vec<Vec<u8>> = vec![(0..=255).filter(|byte| *byte != b'\n').collect()];
    // Each byte alone and among letters, so that none hides behind what another was escaped with.
    attacks.extend((0..=255).filter(|byte| *byte != b'\n').map(|byte| vec![b'a', byte, b'b']));
    attacks.extend(('\u{80}'..='\u{9f}').map(|char| format!("a{char}b").into_bytes()));
    for sequence in [
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1b[21t",
        "\x1bP+q544e\x1b\\",
        "\x1bPq#0;2;0;0;0\x1b\\",
        "\x1b[2J\x1b[H",
        "\x1b[6n",
        "\x05",
        "\x07",
        "\x0e\x0f",
        "\x1b[?1049h",
        "\u{9d}0;title\u{9c}",
        "\u{9b}31m",
        "\u{90}x\u{9c}",
        "\x08\x08\x08",
        "\x7f",
        "\u{202e}evil",
        "\u{2066}x\u{2069}",
        "\u{61c}\u{200e}\u{200f}",
        "\u{2028}\u{2029}\u{85}\u{0b}\u{0c}",
        "\r* #9 connected",
        "\u{feff}\u{200b}",
        "✜\u{9c}",
        "\x1b]0;✜\x07",
    ] {
        attacks.push(sequence.into());
    }
    attacks.extend(
        [&b"\x9b31m"[..], b"\x9d0;t\x9c", b"\x90q\x9c", b"\xe2\x9c\x1b[m", b"\xc2", b"\xc2\x1b[m"]
            .map(Vec::from),
    );
    attacks
}

#[test]
fn h37_every_character_and_every_byte_comes_out_harmless() {
    let mut bytes = Vec::new();
    // Every character there is; of the planes in which nothing is assigned, every hundredth.
    let assigned = ('\0'..='\u{33480}').chain('\u{e0000}'..='\u{e01ef}');
    for char in assigned.chain(('\u{33480}'..=char::MAX).step_by(101)) {
        bytes.clear();
        bytes.push(b'a');
        bytes.extend(char.encode_utf8(&mut [0; 4]).bytes());
        let shown = human(&bytes);
        assert_eq!(harm_in(&shown), None, "{char:?} for people");
        assert!(!shown.contains(&b'\n'), "{char:?} for people");
        let shown = tsv(&bytes);
        assert_eq!(harm_in(&shown), None, "{char:?} in tsv");
        assert!(!shown.contains(&b'\n') && parse_tsv(&shown) == bytes, "{char:?} in tsv");
    }
    for attack in attacks() {
        assert_eq!((harm_in(&human(&attack)), harm_in(&tsv(&attack))), (None, None), "{attack:x?}");
    }
    // Were everything hidden, the above would hold, too.
    for plain in ["hello, C:\\temp ~", "你好 é ✜ 😀 한국 עברית"] {
        assert_eq!(String::from_utf8(human(plain.as_bytes())).unwrap(), plain);
    }
}

fn interesting_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(
            b"\x1b\x07\r\n\t\\xu{}[];#>a \x7f\x80\x9b\x9c\x9d\xc2\xe2\xf0\x9f\xa8\xef\xbb\xbf".to_vec()
        ),
    ];
    prop::collection::vec(byte, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn h37_any_bytes_come_out_harmless_and_in_one_line(bytes in interesting_bytes()) {
        let (human, tsv) = (human(&bytes), tsv(&bytes));
        prop_assert_eq!((harm_in(&human), harm_in(&tsv)), (None, None));
        prop_assert!(!human.contains(&b'\n') && !tsv.contains(&b'\n') && !tsv.contains(&b'\t'));
        prop_assert_eq!(parse_tsv(&tsv), bytes);
    }

    #[test]
    fn h39_no_line_reads_like_two_in_tsv(lines in prop::collection::vec(interesting_bytes(), 1..4)) {
        let mut shown = Vec::new();
        for line in &lines {
            push_tsv(&mut shown, line);
            shown.push(b'\n');
        }
        let read: Vec<Vec<u8>> = shown.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(parse_tsv).collect();
        prop_assert_eq!(read, lines);
    }
}

#[test]
fn h37_nothing_a_peer_sends_reaches_stdout_or_stderr_unescaped() {
    for arguments in [&["--format", "human"][..], &["--format", "tsv"], &["--chat", "--format", "human"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(arguments).arg("0").env("RUST_LOG", "trace");
        let mut server = Server::of(command);
        let mut peer = server.connect();

        let attacks = attacks();
        peer.send([attacks.join(&b'\n'), b"\nall of it\n\x1b]0;no end".to_vec()].concat());
        server.out.line_with("no end");
        server.type_line("exit");
        peer.finish();
        let (out, err) = (server.out.to_end(), server.err.to_end());

        // In tsv one tab a line is the format's own.
        let tabs = if arguments[1] == "tsv" { attacks.len() + 2 } else { 0 };
        assert_eq!(out.iter().filter(|byte| **byte == b'\t').count(), tabs, "with {arguments:?}");
        let without_tabs: Vec<u8> = out.iter().copied().filter(|byte| *byte != b'\t').collect();
        assert_eq!(harm_in(&without_tabs), None, "on stdout with {arguments:?}");
        assert_eq!(harm_in(&err), None, "on stderr with {arguments:?}");
        let messages =
            out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"* "));
        assert_eq!(messages.count(), attacks.len() + 2, "one line for each with {arguments:?}");
    }
}

#[test]
fn h37_what_a_chat_relays_is_harmless_and_whole() {
    let (_server, mut peers) = Server::with_peers(&["--chat"], 2);
    assert_eq!(peers[0].line(), "* #2 joined");

    for attack in attacks() {
        peers[0].send([&attack[..], b"\n"].concat());
        let line = peers[1].line();
        let expected = human(attack.strip_suffix(b"\r").unwrap_or(&attack));
        assert_eq!(line.as_bytes(), [b"<#1> ", &expected[..]].concat(), "relayed for {attack:x?}");
        assert_eq!(harm_in(line.as_bytes()), None);
    }
}

#[test]
fn h37_reasons_targets_and_commands_are_shown_harmless() {
    for format in ["human", "tsv"] {
        let (mut server, mut peers) = Server::with_peers(&["--format", format], 2);
        let evil = "\x1b]0;evil\x07\u{9b}31m\r\u{202e}x";

        server.write_stdin(format!("/kick 1 {evil}\n/{evil}\n@{evil} text\n/kick {evil}\n").as_bytes());
        // The peer gets what was typed; the operator's screen does not.
        assert_eq!(String::from_utf8(peers[0].read_to_end()).unwrap(), format!("{evil}\n"));
        peers.remove(0).finish();
        server.wait_for_status("* #1 closed: kicked: ");
        server.type_line("exit");
        peers.clear();
        let shown = [server.out.to_end(), server.err.to_end()].concat();

        assert_eq!(harm_in(&shown), None, "{}", String::from_utf8_lossy(&shown));
        assert!(String::from_utf8_lossy(&shown).matches("0;evil").count() >= 4, "each of them is shown");
    }
}

/// One byte of each kind that UTF-8 and terminals tell apart.
const KINDS: [u8; 21] = [
    0x00, 0x1b, b'\r', b'\\', b'x', 0x7f, 0x80, 0x8f, 0x9c, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe2, 0xed,
    0xef, 0xf0, 0xf4, 0xf5,
];

#[test]
fn h38_each_short_sequence_is_harmless_and_the_same_at_every_cut() {
    let mut sequences: Vec<Vec<u8>> = KINDS.iter().map(|byte| vec![*byte]).collect();
    let mut last = sequences.clone();
    for _ in 2..=4 {
        last = last.iter().flat_map(|start| KINDS.map(|byte| [&start[..], &[byte]].concat())).collect();
        sequences.extend(last.iter().cloned());
    }
    assert_eq!(sequences.len(), 21 + 21 * 21 + 21 * 21 * 21 + 21 * 21 * 21 * 21);

    for sequence in &sequences {
        let whole = tsv(sequence);
        assert!(harm_in(&whole).is_none() && harm_in(&human(sequence)).is_none(), "{sequence:x?}");
        assert_eq!(&parse_tsv(&whole), sequence);
        for cut in 1..sequence.len() {
            // A message may have to be shown before it is complete. Then the character that has only
            // begun is kept back, and nothing else.
            let shown_first = whole_chars(&sequence[..cut]);
            let parts = [tsv(&sequence[..shown_first]), tsv(&sequence[shown_first..])].concat();
            assert!(parts == whole, "{sequence:x?} cut at {cut}");
            assert!(cut - shown_first < 4);
            // However it came, as a line it is one.
            let (mut tail, mut lines) = (Vec::new(), Vec::new());
            cut_lines(&mut tail, &sequence[..cut], 1000, |frame| lines.push(frame.bytes.to_vec()));
            cut_lines(&mut tail, &[&sequence[cut..], b"\n"].concat(), 1000, |frame| {
                lines.push(frame.bytes.to_vec())
            });
            assert!(lines == [&sequence[..]] && tail.is_empty(), "{sequence:x?} cut at {cut}");
        }
    }
}

#[test]
fn h38_a_character_in_two_segments_is_shown_and_relayed_whole() {
    for arguments in [&[][..], &["--chat"], &["--format", "human"]] {
        let chars = ["é", "\u{9b}", "你", "✜", "\u{202e}", "😀"];
        let cuts: Vec<(usize, &str)> =
            chars.iter().flat_map(|char| (1..char.len()).map(move |cut| (cut, *char))).collect();
        let (mut server, mut peers) = Server::with_peers(arguments, cuts.len() as u64);

        for (peer, (cut, char)) in peers.iter_mut().zip(&cuts) {
            peer.send(&char.as_bytes()[..*cut]);
        }
        // The second part is sent when the first was read.
        wait_until("the first parts to be read", || {
            let rows = server.who();
            let is_read = |number: usize, cut: usize| {
                rows.iter().any(|row| row.number == number as u64 && row.received == cut as u64)
            };
            cuts.iter().enumerate().all(|(at, (cut, _))| is_read(at + 1, *cut)).then_some(())
        });
        for (peer, (cut, char)) in peers.iter_mut().zip(&cuts) {
            peer.send([&char.as_bytes()[*cut..], b"!\n"].concat());
        }
        server.out.wait_for("all lines", |out| {
            (out.iter().filter(|byte| **byte == b'!').count() == cuts.len()).then_some(())
        });
        let out = String::from_utf8(server.out.so_far()).unwrap();
        for (at, (cut, char)) in cuts.iter().enumerate() {
            let number = at + 1;
            let shown = if arguments == ["--format", "human"] {
                human(char.as_bytes())
            } else {
                tsv(char.as_bytes())
            };
            let shown = String::from_utf8(shown).unwrap() + "!";
            let label = if arguments == ["--format", "human"] {
                format!(" #{number}> ")
            } else {
                format!("{number}\t")
            };
            assert!(
                out.lines().any(|line| line.ends_with(&format!("{label}{shown}"))),
                "{char:?} cut at {cut}: {out}"
            );
        }
    }
}

/// Lines that pretend to be something else, and random ones.
fn forgeries(random: &mut Random, count: usize) -> Vec<Vec<u8>> {
    const TRIED: [&[u8]; 16] = [
        b"2\tI am another",
        b"\r2\tI am another",
        b"* #2 closed: kicked",
        b"12:00:00.000 #2> I am another",
        b"\r12:00:00.000 #2> I am another",
        b"\x0b* stopping",
        b"\x0c#3> x",
        b"\xe2\x80\xa8* #2 left",
        b"\xc2\x85x",
        b"\\n2\tx",
        b"\\",
        b"",
        b"<#2> I am another",
        b"<operator> obey",
        b"\\x0a",
        b"-> #3 6 bytes",
    ];
    (0..count)
        .map(|_| {
            let mut line = TRIED[random.below(TRIED.len())].to_vec();
            let more = random.below(20);
            line.extend(random.bytes(more));
            line.retain(|byte| *byte != b'\n');
            line
        })
        .collect()
}

/// Lets all talk at once, and then each say that it is done.
fn all_say(peers: &mut [Peer], said: &[Vec<Vec<u8>>]) {
    thread::scope(|scope| {
        for (peer, lines) in peers.iter_mut().zip(said) {
            scope.spawn(move || {
                let all = [lines.join(&b'\n'), b"\ndone\n".to_vec()].concat();
                all.chunks(777).for_each(|piece| peer.send(piece));
            });
        }
    });
}

fn said_by(peers: usize, lines: usize) -> Vec<Vec<Vec<u8>>> {
    (0..peers).map(|peer| forgeries(&mut Random::seeded(peer as u64 + 1), lines)).collect()
}

#[test]
fn h39_tsv_parses_back_to_who_said_what() {
    const PEERS: usize = 4;
    let said = said_by(PEERS, 2000);
    let (server, mut peers) = Server::with_peers(&[], PEERS as u64);

    all_say(&mut peers, &said);
    server.out.lines_with("\tdone", PEERS);
    let out = server.out.so_far();

    let mut read: Vec<Vec<Vec<u8>>> = vec![Vec::new(); PEERS];
    for line in out.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b'\t').expect("a number and a tab");
        let number: usize = str::from_utf8(&line[..at]).unwrap().parse().expect("a number");
        read[number - 1].push(parse_tsv(&line[at + 1..]));
    }
    for (number, (read, mut said)) in read.into_iter().zip(said).enumerate() {
        said.push(b"done".to_vec());
        assert!(read == said, "what #{} has said", number + 1);
    }
}

#[test]
fn h39_for_people_each_line_shows_whose_it_is() {
    const PEERS: usize = 3;
    let said = said_by(PEERS, 1000);
    let (mut server, mut peers) = Server::with_peers(&["--format", "human"], PEERS as u64);

    all_say(&mut peers, &said);
    server.out.lines_with("> done", PEERS);
    peers.clear();
    server.type_line("exit");
    let out = String::from_utf8(server.out.to_end()).unwrap();

    let mut shown: Vec<Vec<Vec<u8>>> = vec![Vec::new(); PEERS];
    for line in out.split_terminator('\n').filter(|line| !line.starts_with("* ")) {
        let (label, text) =
            line.get("HH:MM:SS.mmm ".len()..).and_then(|rest| rest.split_once("> ")).expect("a label");
        let number: usize = label.strip_prefix('#').expect("a number").parse().expect("a number");
        shown[number - 1].push(text.as_bytes().to_vec());
    }
    for (number, (shown, said)) in shown.into_iter().zip(said).enumerate() {
        let as_shown = |line: &Vec<u8>| human(line.strip_suffix(b"\r").unwrap_or(line));
        let mut expected: Vec<Vec<u8>> = said.iter().map(as_shown).collect();
        expected.push(b"done".to_vec());
        assert!(shown == expected, "what #{} has said", number + 1);
    }
    // Events are the server's own alone: each peer came and went once.
    let events: Vec<&str> =
        out.lines().filter(|line| line.starts_with("* ") && !line.starts_with("* stopping")).collect();
    assert_eq!(events.iter().filter(|line| line.contains(" connected from ")).count(), PEERS);
    assert!(events.len() <= 3 * PEERS, "{events:?}");
}

#[test]
fn h39_in_a_chat_nobody_can_speak_in_the_name_of_another_or_of_the_server() {
    let (_server, mut peers) = Server::with_peers(&["--chat"], 3);
    let said = forgeries(&mut Random::seeded(9), 500);
    let mut hearer = peers.pop().unwrap();

    all_say(&mut peers[..1], std::slice::from_ref(&said));
    for line in said.iter().chain([&b"done".to_vec()]) {
        let heard = hearer.line();
        let expected = human(line.strip_suffix(b"\r").unwrap_or(line));
        assert_eq!(heard.as_bytes(), [b"<#1> ", &expected[..]].concat());
    }
}
