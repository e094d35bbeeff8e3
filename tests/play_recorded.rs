//! What is recorded through a tap, and what is played of it: the same bytes in the same order, whatever frames them; of
//! real programs, too.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/recorded.rs"]
mod recorded;
#[path = "common/tap.rs"]
mod tap;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;

use common::{Program, Random, Server, has_tool};
use recorded::{File, play, when_closed};
use switchboard::desk::{Recording, What};
use tap::Tap;

/// Every kind of frame but silence, and how a message of it is made.
const FRAMES: [&str; 12] = [
    "lines",
    "cr",
    "crlf",
    "nul",
    "stx",
    "len8",
    "len16",
    "len32",
    "len16le",
    "len32le",
    "chunks",
    "silence=5ms",
];

/// A message of this kind, of random bytes that do not end it.
fn message(frame: &str, random: &mut Random) -> Vec<u8> {
    let most = if frame == "len8" { 255 } else { 5000 };
    let count = random.below(most);
    let mut bytes = random.bytes(count);
    let length = |bytes: &[u8], size: usize| (bytes.len() as u64).to_be_bytes()[8 - size..].to_vec();
    let little = |bytes: &[u8], size: usize| (bytes.len() as u64).to_le_bytes()[..size].to_vec();
    let ended_by = |mut bytes: Vec<u8>, end: &[u8]| {
        bytes.retain(|byte| !end.contains(byte));
        [&bytes, end].concat()
    };
    match frame {
        // A CR before it belongs to the ending.
        "lines" if bytes.len().is_multiple_of(2) => ended_by(bytes, b"\r\n"),
        "lines" => ended_by(bytes, b"\n"),
        "cr" => ended_by(bytes, b"\r"),
        "crlf" => ended_by(bytes, b"\r\n"),
        "nul" => ended_by(bytes, b"\0"),
        "stx" => {
            bytes.retain(|byte| *byte != 3);
            [b"\x02", &bytes[..], b"\x03"].concat()
        }
        "len8" => [length(&bytes, 1), bytes].concat(),
        "len16" => [length(&bytes, 2), bytes].concat(),
        "len32" => [length(&bytes, 4), bytes].concat(),
        "len16le" => [little(&bytes, 2), bytes].concat(),
        "len32le" => [little(&bytes, 4), bytes].concat(),
        _ => [&bytes, &b"x"[..]].concat(),
    }
}

/// The only conversation of a transcript: whether the peer has said it, and what, in order; and how it ended.
fn conversation(lines: &[u8]) -> (Vec<(bool, Vec<u8>)>, Vec<What>) {
    let recording = Recording::read(lines).unwrap();
    assert_eq!(recording.conversations.len(), 1);
    let (mut turns, mut ends): (Vec<(bool, Vec<u8>)>, _) = (Vec::new(), Vec::new());
    for turn in &recording.conversations[0].turns {
        let (is_heard, bytes) = match &turn.what {
            What::Heard(bytes) => (true, bytes),
            What::Said(bytes) => (false, bytes),
            end => {
                ends.push(end.clone());
                continue;
            }
        };
        match turns.last_mut() {
            Some((before, all)) if *before == is_heard => all.extend_from_slice(bytes),
            _ => turns.push((is_heard, bytes.to_vec())),
        }
    }
    (turns, ends)
}

#[test]
fn what_is_recorded_through_a_tap_is_what_both_said_in_its_order_whatever_frames_it() {
    let mut random = Random::seeded(14);
    for frame in FRAMES {
        let arguments = ["--format", "json", "--frame", frame, "--max-line", "1K"];
        let (tap, mut client, mut far) = Tap::with_client(&arguments);
        let mut expected = Vec::new();

        for at in 0..30 {
            let is_client = at % 2 == 0;
            let bytes: Vec<u8> = (0..1 + random.below(3)).flat_map(|_| message(frame, &mut random)).collect();
            let (from, to) = if is_client { (&mut client, &mut far) } else { (&mut far, &mut client) };
            from.send(&bytes);
            assert!(to.exactly(bytes.len()) == bytes, "{frame}");
            if frame.starts_with("silence") {
                // What is told by silence alone is told a little later: whoever answers at once is told of before.
                let id = if is_client { "\"id\":1" } else { "\"id\":2" };
                let said: usize = 1 + at / 2;
                tap.server.out.wait_for("the message", |out| {
                    let text = std::str::from_utf8(out).ok()?;
                    let is_it = |line: &&str| line.contains("\"part\":\"silence\"") && line.contains(id);
                    (text.lines().filter(is_it).count() >= said).then_some(())
                });
            }
            expected.push((is_client, bytes));
        }
        client.finish();
        assert_eq!(far.read_to_end(), b"");
        far.finish();
        assert_eq!(client.read_to_end(), b"");

        let (turns, ends) = conversation(&when_closed(&tap.server.out, 2));
        assert!(turns == expected, "{frame}");
        assert_eq!(ends, [What::HeardEnd, What::SaidEnd], "{frame}");
    }
}

/// Reads up to an end.
#[track_caller]
fn read_all(mut from: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("it ends in order");
    bytes
}

#[test]
fn of_two_who_speak_at_the_same_time_each_is_recorded_to_the_byte() {
    for frame in FRAMES {
        let arguments = ["--format", "json", "--frame", frame, "--max-line", "1K"];
        let (tap, client, far) = Tap::with_client(&arguments);
        let said = [1, 2].map(|seed| {
            let mut random = Random::seeded(seed);
            let mut said: Vec<u8> = (0..20).flat_map(|_| message(frame, &mut random)).collect();
            if !frame.starts_with("len") {
                said.extend(random.bytes(3000));
                said.extend(b"\x03\r\n\0");
            }
            said
        });

        thread::scope(|scope| {
            for (mut stream, bytes) in [(&client.stream, &said[0]), (&far.stream, &said[1])] {
                scope.spawn(move || {
                    bytes.chunks(777).for_each(|chunk| stream.write_all(chunk).unwrap());
                    stream.shutdown(Shutdown::Write).unwrap();
                });
            }
            scope.spawn(|| assert!(read_all(&far.stream) == said[0], "{frame}"));
            assert!(read_all(&client.stream) == said[1], "{frame}");
        });

        let (turns, _) = conversation(&when_closed(&tap.server.out, 2));
        for (is_client, bytes) in [(true, &said[0]), (false, &said[1])] {
            let by_it = turns.iter().filter(|(by_client, _)| *by_client == is_client);
            let all: Vec<u8> = by_it.flat_map(|(_, bytes)| bytes.clone()).collect();
            assert!(&all == bytes, "{frame}, by the client: {is_client}");
        }
    }
}

/// A tap on a server that listens there, whose events are kept.
fn recorder(address: SocketAddr) -> Server {
    Server::start(&["--tap", &address.to_string(), "--format", "json"])
}

/// What a program prints, which is to end well.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().expect("it can be started");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{err}");
    out.into_owned()
}

/// A session with redis through `redis-cli`.
fn redis_session(port: u16) -> String {
    let commands = "SET greeting \"hello\\r\\n world\"\nGET greeting\nINCR visits\nLPUSH list a b c\n\
                    LRANGE list 0 -1\nGET nothing\nNOSUCH\nSTRLEN greeting\n";
    let script = File::with(commands);
    let mut command = Command::new("redis-cli");
    command.args(["-p", &port.to_string()]).stdin(std::fs::File::open(script.path()).unwrap());
    output(&mut command)
}

#[test]
fn a_redis_session_is_recorded_and_played_to_the_same_client_when_redis_has_gone() {
    if !has_tool("redis-server") || !has_tool("redis-cli") {
        return;
    }
    let port = tap::deaf_port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1", "--dir", "/tmp"]);
    let redis = Program::start(command);
    redis.out.line_with("eady to accept connections");
    let tap = recorder(([127, 0, 0, 1], port).into());
    let live = redis_session(tap.address.port());
    let file = File::with(when_closed(&tap.out, 2));
    drop((tap, redis));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "redis has gone");

    let server = play(&file, &[]);
    let played = redis_session(server.address.port());

    assert!(live.contains("hello") && live.contains("NOSUCH"), "{live}");
    assert_eq!(played, live);
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("recording"));
}

/// A mail by Python's smtplib, with lines of its own told to stderr.
const MAIL: &str = "
import smtplib, sys
smtp = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='me', timeout=20)
smtp.set_debuglevel(0)
print(smtp.ehlo())
print(smtp.sendmail('a@me', ['b@you', 'c@you'], 'Subject: x\\r\\n\\r\\nhello\\r\\n.dot\\r\\n'))
try:
    smtp.sendmail('a@me', ['nobody@you'], 'x')
except smtplib.SMTPRecipientsRefused as refused:
    print(refused.recipients)
print(smtp.rset())
print(smtp.quit())
";

/// A server for it.
const MAIL_SERVER: &str = "
import socket
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
lines = peer.makefile('rb')
say = lambda text: peer.sendall(text.encode() + b'\\r\\n')
say('220 small ready')
count = 0
while True:
    word = lines.readline()[:4].upper()
    if word == b'EHLO':
        say('250-small\\r\\n250 8BITMIME')
    elif word == b'DATA':
        say('354 go on')
        while lines.readline() != b'.\\r\\n':
            pass
        count += 1
        say('250 taken as %d' % count)
    elif word == b'RCPT':
        say('250 ok' if count == 0 else '550 no such')
    elif word == b'QUIT':
        say('221 bye')
        break
    elif not word:
        break
    else:
        say('250 ok')
peer.close()
";

#[test]
fn a_mail_is_recorded_and_played_to_smtplib_when_the_server_has_gone() {
    if !has_tool("python3") {
        return;
    }
    let mut command = Command::new("python3");
    command.args(["-c", MAIL_SERVER]);
    let mail_server = Program::start(command);
    let port: u16 = mail_server.out.line_with("").parse().unwrap();
    let tap = recorder(([127, 0, 0, 1], port).into());
    let mail = |port: u16| output(Command::new("python3").args(["-c", MAIL, &port.to_string()]));
    let live = mail(tap.address.port());
    let file = File::with(when_closed(&tap.out, 2));
    drop((tap, mail_server));

    let server = play(&file, &[]);
    let played = mail(server.address.port());

    assert!(live.contains("550") && live.contains("221"), "{live}");
    assert_eq!(played, live);
    assert!(!String::from_utf8_lossy(&server.err.so_far()).contains("recording"));
}
