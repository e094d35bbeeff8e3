//! What has to hold for any bytes: one function a target, which panics where it does not hold. The fuzz
//! targets and `tests/fuzz_corpus.rs` share this file.
//!
//! Nothing here is taken from the code that is checked: the tables of what is not shown, and the way back
//! from each spelling, are written down a second time.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use switchboard::desk::http::{Going, Read, Request, Socket};
use switchboard::desk::text::{Format, Renderer, Stamp, first_member, parse, push_human, push_tsv};
use switchboard::desk::{Command, Filter, HELP, How, Mistake, Payload, To, View, Who, json};
use switchboard::internals::{cut_frames, cut_lines, whole_chars};
use switchboard::terminal::{Input, Typed};
use switchboard::{Delimiter, End, Frame, Framing, LengthBytes};

/// Checks one input.
pub type Check = fn(&[u8]);

/// Every target, under the name of its corpus.
pub const TARGETS: &[(&str, Check)] = &[
    ("framer", framer),
    ("renderer", renderer),
    ("command", command),
    ("input", input),
    ("json", request),
    ("http", http),
    ("websocket", websocket),
];

/// Takes the first bytes off as settings; what is missing is 0.
fn settings<const COUNT: usize>(data: &[u8]) -> ([usize; COUNT], &[u8]) {
    let (front, rest) = data.split_at(data.len().min(COUNT));
    (std::array::from_fn(|at| front.get(at).copied().unwrap_or(0).into()), rest)
}

/// Cuts bytes into pieces of up to `most` bytes, of lengths that follow from `seed`; some are empty.
fn pieces(mut bytes: &[u8], seed: usize, most: usize) -> Vec<&[u8]> {
    let mut state = seed as u32 ^ 0x9e37_79b9;
    let mut out = Vec::new();
    while !bytes.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, rest) = bytes.split_at(((state >> 16) as usize % (most + 1)).min(bytes.len()));
        out.push(piece);
        bytes = rest;
    }
    out
}

type Frames = Vec<(Vec<u8>, End)>;

fn frames(pieces: &[&[u8]], line_bytes_max: usize) -> (Frames, Vec<u8>) {
    let (mut tail, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        cut_lines(&mut tail, piece, line_bytes_max, |frame: Frame<'_>| {
            assert_eq!(frame.is_part(), frame.end != End::Newline);
            out.push((frame.bytes.to_vec(), frame.end));
        });
        assert!(tail.len() <= line_bytes_max, "the tail is over the limit");
        assert!(!tail.contains(&b'\n'), "a line ending is left in the tail");
    }
    (out, tail)
}

/// Frames that are no lines, of a kind that follows from `seed`.
fn other_frames(bytes: &[u8], seed: usize, bytes_max: usize) {
    let length = |bytes| Framing::Length { bytes, little_endian: seed & 8 != 0 };
    let framing = match seed % 8 {
        0 => Framing::Delimited(Delimiter::Cr),
        1 => Framing::Delimited(Delimiter::Nul),
        2 => Framing::Delimited(Delimiter::CrLf),
        3 => Framing::StxEtx,
        4 => length(LengthBytes::One),
        5 => length(LengthBytes::Two),
        6 => length(LengthBytes::Four),
        _ => Framing::Silence(Duration::from_millis(1)),
    };
    let cut = |pieces: &[&[u8]]| {
        let (mut tail, mut out): (Vec<u8>, Frames) = Default::default();
        let mut received = 0;
        for piece in pieces {
            cut_frames(framing, &mut tail, piece, bytes_max, |frame: Frame<'_>| {
                assert!(frame.bytes.len() <= bytes_max, "a frame is over the limit");
                received += frame.received_bytes();
                out.push((frame.bytes.to_vec(), frame.end));
            });
            assert!(tail.len() <= bytes_max + 4, "the tail is over the limit");
        }
        assert_eq!(received + tail.len(), bytes.len(), "{framing:?}: something was lost or made up");
        (out, tail)
    };
    let at_once = cut(&[bytes]);
    for most in [1, 3, 8, 64] {
        assert_eq!(at_once, cut(&pieces(bytes, seed, most)), "{framing:?}: where the reads were cut shows");
    }
}

/// The framer. The first byte sets the limit, the second where the reads were cut, and which kind of frames the bytes
/// are cut into beside lines.
pub fn framer(data: &[u8]) {
    let ([limit, seed], bytes) = settings(data);
    other_frames(bytes, seed, 4 + limit % 64);
    // The least that may be set (`--max-line 4`) holds any character.
    let line_bytes_max = 4 + limit % 64;

    let (at_once, tail) = frames(&[bytes], line_bytes_max);

    for most in [1, 3, 8, 64] {
        let cut = frames(&pieces(bytes, seed, most), line_bytes_max);
        assert_eq!((&at_once, &tail), (&cut.0, &cut.1), "where the reads were cut shows");
    }
    let mut back = Vec::new();
    for (frame, end) in &at_once {
        assert!(frame.len() <= line_bytes_max, "a frame is over the limit");
        assert!(!frame.contains(&b'\n'), "a line ending is in a frame");
        back.extend_from_slice(frame);
        match end {
            End::Newline => back.push(b'\n'),
            End::Limit => {
                assert!(!frame.is_empty(), "a part of a line is empty");
                assert!(frame.len() + 3 >= line_bytes_max, "a line was cut long before the limit");
            }
            other => panic!("the framer does not end a frame with {other:?}"),
        }
    }
    back.extend_from_slice(&tail);
    assert_eq!(back, bytes, "something was lost or made up");
    // Text that is cut stays text.
    if let Ok(text) = str::from_utf8(bytes) {
        for (frame, _) in &at_once {
            assert!(str::from_utf8(frame).is_ok(), "a character of {text:?} was cut apart");
        }
        let whole = whole_chars(bytes);
        assert_eq!(whole, bytes.len(), "text ends in a whole character");
    }
    let whole = whole_chars(bytes);
    assert!(whole <= bytes.len() && bytes.len() - whole <= 3, "held back is less than a character");
    if whole < bytes.len() {
        let held = &bytes[whole..];
        let wrong = str::from_utf8(held).expect_err("what is held back is no whole character");
        assert_eq!((wrong.valid_up_to(), wrong.error_len()), (0, None), "{held:x?} can become no character");
    }
}

/// Whether a character must never reach a terminal or a log: the control characters, those that change
/// the direction or cannot be seen, and the separators of lines.
fn is_dangerous(char: char) -> bool {
    matches!(char,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{180b}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'
        | '\u{110bd}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn dangerous_in(text: &str) -> Option<char> {
    text.chars().find(|char| is_dangerous(*char))
}

fn safe_text(shown: Vec<u8>) -> String {
    let text = String::from_utf8(shown).expect("what is shown is UTF-8");
    assert_eq!(dangerous_in(&text), None, "it reaches the terminal in {text:?}");
    text
}

/// What `push` makes of bytes. It appends, and does not look at what is there.
fn shown(push: fn(&mut Vec<u8>, &[u8]), bytes: &[u8]) -> String {
    let mut alone = Vec::new();
    push(&mut alone, bytes);
    let mut behind = b"before\\".to_vec();
    push(&mut behind, bytes);
    assert_eq!(behind.strip_prefix(b"before\\"), Some(&alone[..]), "it touches what was there");
    safe_text(alone)
}

/// The two escapers, once each: safe, and readable back. Cheap, for many inputs.
pub fn escapes(bytes: &[u8]) {
    let (mut human, mut tsv) = (Vec::new(), Vec::new());
    push_human(&mut human, bytes);
    push_tsv(&mut tsv, bytes);
    assert_eq!(from_human(&safe_text(human)), bytes, "the human spelling reads back as something else");
    assert_eq!(from_tsv(&safe_text(tsv)), bytes, "the tsv field reads back as something else");
}

/// The renderer. The first byte sets where the text is cut.
pub fn renderer(data: &[u8]) {
    let ([seed], bytes) = settings(data);
    escapes(bytes);
    let (human, tsv) = (shown(push_human, bytes), shown(push_tsv, bytes));

    // The places where a line that is too long may be cut: between characters.
    let at = if bytes.is_empty() { 0 } else { seed % bytes.len() };
    let at = whole_chars(&bytes[..at]);
    let (front, back) = bytes.split_at(at);
    if !holds_emoji_together(front, back) {
        assert_eq!(shown(push_tsv, front) + &shown(push_tsv, back), tsv, "a cut at {at} shows in tsv");
    }
    // How a backslash is spelt depends on at most three bytes behind it, and on a whole run of them.
    let may_be_escape = front[front.len().saturating_sub(3)..].contains(&b'\\');
    if !may_be_escape && !holds_emoji_together(front, back) {
        assert_eq!(shown(push_human, front) + &shown(push_human, back), human, "a cut at {at} shows");
    }
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    if bytes.iter().all(plain) {
        assert_eq!((human.as_bytes(), tsv.as_bytes()), (bytes, bytes), "plain text is shown as it is");
    }
    message(bytes, &human, &tsv);
}

/// Whether a cut may part an emoji from what holds it together, which is shown only where it does.
fn holds_emoji_together(front: &[u8], back: &[u8]) -> bool {
    let [text, picture, joiner, keycap] = ["\u{fe0e}", "\u{fe0f}", "\u{200d}", "\u{20e3}"].map(str::as_bytes);
    [text, picture, joiner, keycap].iter().any(|part| back.starts_with(part)) || front.ends_with(joiner)
}

/// A message is one line, whatever it says.
fn message(bytes: &[u8], human: &str, tsv: &str) {
    thread_local! {
        static DESK: RefCell<([Renderer; 3], Stamp)> = RefCell::new((
            [Format::Human, Format::Tsv, Format::Raw].map(Renderer::new),
            Stamp::local(),
        ));
    }
    let who = Who { serial: 7, name: None };
    DESK.with_borrow_mut(|(renderers, stamp)| {
        let mut rendered = |end| {
            renderers.each_mut().map(|renderer| {
                let mut out = Vec::new();
                renderer.message(who, &Frame::of(bytes, end), View::Text, stamp, &mut out);
                out
            })
        };
        let lines = rendered(End::Newline);
        let label = "#7> ";
        let in_human = str::from_utf8(&lines[0]).expect("it is text");
        let said = in_human.split_once(label).expect("it says who spoke").1;
        let said = said.strip_suffix('\n').expect("it is a line");
        if !bytes.ends_with(b"\r") {
            assert_eq!(said, human);
        }
        let carriage_returns = bytes.len() - bytes.strip_suffix(b"\r").unwrap_or(bytes).len();
        assert_eq!(from_human(said), bytes[..bytes.len() - carriage_returns]);
        assert_eq!(lines[1], format!("7\t{tsv}\n").into_bytes());
        assert_eq!(lines[2].strip_suffix(b"\n"), Some(bytes));

        let [human_part, tsv_part, raw_part] = rendered(End::Limit);
        assert!(human_part.ends_with("…\n".as_bytes()), "a part says that it goes on");
        assert_eq!(tsv_part, format!("7\t{tsv}\tmore\n").into_bytes());
        assert_eq!(raw_part, bytes);
        for text in [&lines[0], &lines[1], &human_part] {
            assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1, "one line, not several");
        }
    });
}

fn hex(digits: &[u8]) -> Option<u8> {
    let both = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
    u8::from_str_radix(str::from_utf8(digits).ok().filter(|_| both)?, 16).ok()
}

/// What a script does with a tsv field.
fn from_tsv(field: &str) -> Vec<u8> {
    let mut rest = field.as_bytes();
    let mut out = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let (kind, behind) = rest.split_first().expect("something follows a backslash");
        rest = behind;
        out.push(match kind {
            b'\\' => b'\\',
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'x' => {
                let (digits, behind) = rest.split_at(2);
                rest = behind;
                hex(digits).expect("two digits follow")
            }
            other => panic!("no such escape: {other:x}"),
        });
    }
    out
}

/// What a careful reader makes of the human spelling: before an escape, two backslashes stand for one.
fn from_human(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let plain = memchr(b'\\', rest);
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        let run = rest.iter().take_while(|byte| **byte == b'\\').count();
        rest = &rest[run..];
        let byte = rest.get(..3).filter(|start| start[0] == b'x').and_then(|start| hex(&start[1..]));
        let is_escape = byte.is_some() || rest.starts_with(b"u{");
        out.resize(out.len() + if is_escape { run / 2 } else { run }, b'\\');
        if !is_escape || run % 2 == 0 {
            continue;
        }
        if let Some(byte) = byte {
            out.push(byte);
            rest = &rest[3..];
        } else {
            let end = memchr(b'}', rest);
            let code = str::from_utf8(&rest[2..end]).ok().and_then(|code| u32::from_str_radix(code, 16).ok());
            let char = code.and_then(char::from_u32).expect("a character's number stands in the braces");
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[end + 1..];
        }
    }
    out
}

/// Where a byte first is, or the length. (The project has memchr, the fuzz targets need not.)
fn memchr(byte: u8, bytes: &[u8]) -> usize {
    bytes.iter().position(|other| *other == byte).unwrap_or(bytes.len())
}

/// A text, as one message.
fn text<'a>(to: To<'a>, text: &'a [u8]) -> Command<'a> {
    Command::Send(to, Payload::Text(Cow::Borrowed(text)))
}

/// The grammar. The input is one line: what stands behind its end is another.
pub fn command(bytes: &[u8]) {
    let line = &bytes[..memchr(b'\n', bytes)];
    let parsed = parse(line);
    check_kind(line, &parsed);
    match parsed {
        // Spelt out again in the one canonical way, it has to mean the same.
        Ok(command) => {
            if let Some(spelt) = spelling(&command) {
                assert_eq!(parse(&spelt), Ok(command), "spelt {:?}", String::from_utf8_lossy(&spelt));
            }
        }
        Err(mistake) => {
            let told = mistake.to_string();
            assert!(!told.is_empty() && told.len() < 600, "{} bytes to say what is wrong", told.len());
            // What is wrong stays wrong with a line ending of a device's behind it, and the text sent by
            // the way out that the mistake names is the line itself.
            let escaped = [&line[..1], line].concat();
            assert_eq!(parse(&escaped), Ok(text(To::Current, line)));
            let _ = shown(push_human, told.as_bytes());
        }
    }
    // Any text can be sent to anybody: nothing behind the first space is looked at.
    let addressed = [b"@#7,lab-a,7 ", line].concat();
    assert_eq!(parse(&addressed), Ok(text(To::Typed(b"#7,lab-a,7"), line)));
}

/// What kind of command a line is can be told from its first bytes.
fn check_kind(line: &[u8], parsed: &Result<Command<'_>, Mistake>) {
    match line {
        [b'/', b'/', rest @ ..] | [b'@', b'@', rest @ ..] => {
            let Ok(Command::Send(To::Current, Payload::Text(said))) = parsed else {
                panic!("not a text: {parsed:?}")
            };
            assert_eq!((said[0], &said[1..]), (line[0], rest));
        }
        [b'/', ..] => {
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() && *byte != b'\n';
            let name = line.split(is_blank).next().unwrap_or_default();
            let is_known = HELP.iter().any(|help| help.name.as_bytes() == name);
            match parsed {
                Ok(Command::Send(_, Payload::Text(_)) | Command::Target(_)) => {
                    panic!("a text is spelt otherwise")
                }
                Ok(Command::Send(_, Payload::Exact(bytes))) => {
                    assert!(matches!(name, b"/hex" | b"/send") && bytes.len() <= line.len());
                }
                Ok(Command::Close(_, How::Kick, reason)) => {
                    assert!(line.trim_ascii_end().ends_with(reason), "the reason is the end of the line");
                    assert!(!reason.first().is_some_and(u8::is_ascii_whitespace));
                }
                Ok(_) => assert!(is_known),
                Err(Mistake::UnknownCommand(_)) => {
                    assert!(!is_known || name == b"/help" || name == b"/every")
                }
                Err(_) => assert!(is_known),
            }
        }
        [b'@', behind @ ..] => {
            let space = memchr(b' ', behind);
            match parsed {
                Ok(Command::Send(to, Payload::Text(text))) => {
                    assert_eq!(**text, behind[space + 1..], "the text is what follows the first space");
                    assert!(names(&behind[..space], to));
                }
                Ok(Command::Target(to)) => assert!(space == behind.len() && names(behind, to)),
                Err(Mistake::UnknownTarget(name)) => assert!(name.starts_with('@')),
                other => panic!("an address is no {other:?}"),
            }
        }
        _ => {
            let quits = line.trim_ascii_end() == b"exit";
            let expected = if quits { Command::Quit } else { text(To::Current, line) };
            assert_eq!(parsed, &Ok(expected), "a text is sent as it is");
        }
    }
}

/// Whether a target's numbers and names, and no others, stand in a part of a line.
fn names(part: &[u8], to: &To<'_>) -> bool {
    let part = part.trim_ascii_end();
    match to {
        To::Current | To::Listed(_) => false,
        To::All => part == b"all",
        To::Last => part == b"last",
        To::One(serial) => part.strip_prefix(b"#").unwrap_or(part) == serial.to_string().as_bytes(),
        To::Named(name) => part == name.as_bytes(),
        To::Typed(list) => {
            let mut parts = list.split(|byte| *byte == b',');
            let is_read = |part: &[u8]| match first_member(part) {
                Ok((member, length)) => length == part.len() && names(part, &member),
                Err(wrong) => wrong == part,
            };
            list.contains(&b',') && parts.all(is_read)
        }
    }
}

/// The canonical spelling, for what has one here.
fn spelling(command: &Command<'_>) -> Option<Vec<u8>> {
    let plain = |text: &str| text.as_bytes().to_vec();
    Some(match command {
        Command::Send(To::Current, Payload::Text(text)) => match &**text {
            [b'/' | b'@', ..] => [&text[..1], &text[..]].concat(),
            text => text.to_vec(),
        },
        Command::Send(to, Payload::Text(text)) => [b"@", &target(to)[..], b" ", &text[..]].concat(),
        Command::Send(to, Payload::Exact(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}:")).collect();
            match to {
                To::Current if bytes.is_empty() => return None,
                To::Current => plain(&format!("/hex {digits}")),
                to => [b"/hex @", &target(to)[..], b" ", digits.as_bytes()].concat(),
            }
        }
        Command::Target(to) => [b"@", &target(to)[..]].concat(),
        Command::Who(None) => plain("/who"),
        Command::Close(to, How::Eof, _) => [b"/eof @", &target(to)[..]].concat(),
        Command::Close(to, How::Kick, reason) => [b"/kick @", &target(to)[..], b" ", &reason[..]].concat(),
        Command::Close(to, How::Reset, _) => [b"/rst @", &target(to)[..]].concat(),
        Command::Filter(Filter::All) => plain("/show all"),
        Command::Stats => plain("/stats"),
        Command::Help(None) => plain("/help"),
        Command::Help(Some(help)) => plain(&format!("/help {}", help.name)),
        Command::Quit => plain("exit"),
        _ => return None,
    })
}

fn target(to: &To<'_>) -> Vec<u8> {
    let text = match to {
        To::Current | To::Listed(_) => panic!("it has no name"),
        To::One(serial) => format!("#{serial}"),
        To::Named(name) => (*name).to_owned(),
        To::Typed(list) => return list.to_vec(),
        To::All => "all".into(),
        To::Last => "last".into(),
    };
    text.into_bytes()
}

/// The JSON face. The input is one line: it is a request, or an error of one line, with the reference as it was spelt.
pub fn request(bytes: &[u8]) {
    let line = &bytes[..memchr(b'\n', bytes)];
    match json::parse(line) {
        Ok(request) => {
            if let Some(reference) = request.reference {
                assert!(str::from_utf8(line).is_ok_and(|line| line.contains(reference)));
            }
        }
        Err(rejected) => {
            let told = rejected.refusal.to_string();
            assert!(!told.is_empty() && told.len() < 600 && !told.contains('\n'), "{told:?}");
            if let Some(reference) = rejected.reference {
                assert!(
                    reference.starts_with('"')
                        || reference.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
                );
            }
        }
    }
}

/// The operator's input. The first byte sets how it comes, the second how long the chunks are.
pub fn input(data: &[u8]) {
    let ([seed, most], bytes) = settings(data);
    let mut expected: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let unended = expected.pop().unwrap_or_default();
    // Whoever takes the lines may take all that are here, one at a time, or come only at the end.
    for takes_at_once in [usize::MAX, 1, 0] {
        let mut input = Input::new(None);
        let mut lines = Vec::new();
        for piece in pieces(bytes, seed, 1 + most % 32) {
            input.push(piece.to_vec());
            for _ in 0..takes_at_once {
                match input.next_line() {
                    Some(Typed::Line(line)) => lines.push(line.to_vec()),
                    Some(other) => panic!("{other:?} before the end"),
                    None => break,
                }
            }
        }
        assert!(expected.starts_with(&lines.iter().map(Vec::as_slice).collect::<Vec<_>>()));
        while let Some(typed) = input.next_line() {
            let Typed::Line(line) = typed else { panic!("{typed:?} before the end") };
            lines.push(line.to_vec());
        }
        assert_eq!(lines, expected, "the lines are what stood between the line endings");
        input.end();
        if !unended.is_empty() {
            assert_eq!(input.next_line(), Some(Typed::Line(unended)), "a last line needs no line ending");
        }
        assert_eq!(input.next_line(), Some(Typed::End));
        assert_eq!(input.next_line(), None, "the end is told once");
    }
}

/// Whether the tables above would catch what must not come out. Not a check of the code, but of this.
#[allow(dead_code)]
pub fn notices_a_bad_renderer() -> bool {
    let dangerous =
        ["\x1b[1m", "\u{9b}31m", "\u{9c}", "\u{202e}", "\u{2066}", "\u{2028}", "\u{feff}", "a\nb"];
    dangerous.iter().all(|shown| dangerous_in(shown).is_some())
        && dangerous_in("plain, 你好 and \\x1b").is_none()
        && from_human("\\x1b") == b"\x1b"
        && from_human("\\\\x1b") == b"\\x1b"
        && from_tsv("\\\\x1b") == b"\\x1b"
}

/// The head of a request: it is understood in one way however it is cut, and what is let through has one meaning.
pub fn http(data: &[u8]) {
    let whole = match Request::read(data) {
        Read::Whole(request, length) => Some((request, length)),
        Read::Wrong(status, why) => {
            assert!((400..=599).contains(&status.code()) && !why.is_empty());
            None
        }
        Read::Partial => None,
    };
    for cut in 0..data.len() {
        match (Request::read(&data[..cut]), &whole) {
            (Read::Whole(_, length), Some((_, known))) => assert_eq!(length, *known, "cut at {cut}"),
            (Read::Whole(..), None) => panic!("a head at {cut} of what is none"),
            (Read::Wrong(..), Some((_, known))) => {
                panic!("cut at {cut} of a head of {known} bytes it is wrong")
            }
            (Read::Wrong(..) | Read::Partial, _) => {}
        }
    }
    let Some((request, length)) = whole else { return };
    let head = &data[..length];
    assert!(head.ends_with(b"\r\n\r\n"), "a head ends with an empty line");
    assert_eq!(
        head.iter().filter(|byte| **byte == b'\n').count(),
        head.windows(2).filter(|two| *two == b"\r\n").count()
    );
    assert!(!request.path.contains(['?', ' ']) && !request.method.is_empty());
    if let Ok(Some(host)) = request.only("host") {
        assert!(host.is_ascii() && !host.contains(['\r', '\n']));
    }
}

/// What comes over a WebSocket: texts that are texts, the same however they are cut; and its end has a code that may be sent.
pub fn websocket(data: &[u8]) {
    let ([seed], data) = settings(data);
    let take = |pieces: &[&[u8]]| {
        let (mut socket, mut texts, mut out) = (Socket::new(), Vec::new(), Vec::new());
        let mut going = Going::On;
        for piece in pieces {
            going = socket.take(piece, |text| texts.push(text.to_owned()));
            out.extend(socket.outgoing());
            if going == Going::Ended {
                break;
            }
        }
        (texts, out, going)
    };
    let (texts, out, going) = take(&[data]);
    assert_eq!(take(&pieces(data, seed, 7)), (texts.clone(), out.clone(), going), "cut otherwise");
    assert!(texts.iter().map(String::len).sum::<usize>() <= data.len());
    // What the server says of itself is control frames, which are short and not masked.
    let mut rest = &out[..];
    while let [first, length, more @ ..] = rest {
        assert!(matches!(first, 0x88 | 0x8a) && *length <= 125, "{first:#x}, {length}");
        let body = &more[..usize::from(*length)];
        if *first == 0x88 && !body.is_empty() {
            let code = u16::from_be_bytes([body[0], body[1]]);
            assert!(matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999), "code {code}");
        }
        rest = &more[usize::from(*length)..];
    }
}
