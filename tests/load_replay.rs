//! `switchboard-load --replay`: a transcript played to servers that answer as recorded, and to some that do not.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::fs;
use std::io::Read;
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{DEADLINE, Server};
use tester::{Client, Run, end_of, free_port, load_for_people, serve, start_load};

/// A file for one test, with this in it.
fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A transcript of events, each with its time in milliseconds.
fn transcript(events: &[(u64, &str)]) -> String {
    let mut text = String::from("{\"ev\":\"listening\",\"v\":1,\"run\":\"a\",\"addr\":\"127.0.0.1:5000\"}\n");
    for (seq, (millis, event)) in events.iter().enumerate() {
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (kind, rest) = event.split_once(' ').unwrap();
        text += &format!(
            "{{\"ev\":\"{kind}\",\"seq\":{},\"ts\":\"2026-01-02T03:04:{seconds:02}.{millis:03}000Z\",{rest}}}\n",
            seq + 1
        );
    }
    text
}

/// Two conversations that overlap: #1 is greeted, says two lines, one of them bytes, and finishes first; to #2 the
/// server says goodbye, and finishes first.
const TWO: &[(u64, &str)] = &[
    (0, r#"open "id":1,"peer":"127.0.0.1:1""#),
    (1, r#"sent "ids":[1],"text":"220 ready\r\n","by":"greet""#),
    (50, r#"msg "id":1,"text":"HELO me","end":"\r\n""#),
    (51, r#"sent "ids":[1],"text":"250 HELO me\r\n","by":1"#),
    (60, r#"open "id":2,"peer":"127.0.0.1:2""#),
    (61, r#"sent "ids":[2],"text":"220 ready\r\n","by":"greet""#),
    (80, r#"msg "id":2,"text":"QUIT""#),
    (81, r#"sent "ids":[2],"text":"221 bye\r\n","by":1"#),
    (81, r#"fin "id":2"#),
    (90, r#"close "id":2,"reason":"kicked","msg":"","rx":5,"tx":20,"unsent":0"#),
    (100, r#"msg "id":1,"b64":"/wAB""#),
    (101, r#"sent "ids":[1],"b64":"MjUwIP8AAQ0K","by":1"#),
    (150, r#"eof "id":1"#),
    (151, r#"sent "ids":[1],"text":"221 you left\r\n","by":1"#),
    (152, r#"close "id":1,"reason":"finished","msg":"","rx":20,"tx":47,"unsent":0"#),
];

/// A server that does as in `TWO`, but for what `change` makes of its replies.
fn answer(mut client: Client, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    client.send(&change(b"220 ready\r\n".to_vec()));
    while let Some(mut line) = client.line() {
        while matches!(line.last(), Some(b'\r' | b'\n')) {
            line.pop();
        }
        if line == b"QUIT" {
            client.send(&change(b"221 bye\r\n".to_vec()));
            return;
        }
        client.send(&change([b"250 ", &line[..], b"\r\n"].concat()));
    }
    client.send(&change(b"221 you left\r\n".to_vec()));
}

/// Replays to a port, with its result in JSON; arguments as in a shell, without quotes.
#[track_caller]
fn replay(path: &Path, port: &str, arguments: &str) -> Run {
    let mut all = vec!["--format", "json", "--replay", path.to_str().unwrap()];
    all.extend(arguments.split_whitespace());
    load_for_people(port, &all)
}

#[test]
fn what_goes_as_recorded_is_said_to_at_any_speed() {
    let path = file("two.jsonl", &transcript(TWO));
    let port = serve(|client, _| answer(client, |reply| reply));

    for arguments in ["", "--speed 10", "--speed 0", "--speed 0 -c 1", "--speed 0.5"] {
        let run = replay(&path, &port, arguments);

        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{arguments}: {run:?}");
        assert_eq!(run.troubles(), [], "{arguments}: {run:?}");
        for (name, number) in [
            ("replay/conversations", 2.0),
            ("replay/as_recorded", 2.0),
            ("replay/different", 0.0),
            ("messages", 3.0),
            // Those that follow a message, and the goodbye that follows our end.
            ("latency_ms/count", 4.0),
            ("replay/replies", 6.0),
            ("tx_bytes", 18.0),
            ("rx_bytes", 67.0),
            ("connected", 2.0),
            ("replay/recorded_s", 0.152),
        ] {
            assert_eq!(run.number(name), number, "{name} with {arguments:?}: {run:?}");
        }
    }
}

#[test]
fn a_person_is_told_how_it_went_and_how_late_it_was() {
    let path = file("people.jsonl", &transcript(TWO));
    let port = serve(|client, _| answer(client, |reply| reply));
    let (hgrm, plot) = (file("replay.hgrm", ""), file("replay.svg", ""));

    let replay = ["--replay", path.to_str().unwrap()];
    let files = ["--hgrm", hgrm.to_str().unwrap(), "--plot", plot.to_str().unwrap()];
    let run = load_for_people(&port, &[&replay[..], &files].concat());

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    for part in [
        "2 conversations with 3 messages, in its own 152ms\n",
        "\nconversations 2 as recorded, 0 not\n",
        "\nmessages      3 of 3 sent  (",
        "\nreplies       6 compared\n",
        "; the last message left ",
        "\nresponse ",
        "\nservice ",
    ] {
        assert!(run.out.contains(part), "no {part:?} in {run:?}");
    }
    let hgrm = fs::read_to_string(hgrm).unwrap();
    assert!(hgrm.lines().any(|line| line.starts_with("#[Max") && line.ends_with(" 4]")), "{hgrm}");
    assert!(fs::read_to_string(plot).unwrap().contains("replay of "), "the plot says what it is of");
}

#[test]
fn the_first_byte_that_differs_is_named_and_the_rest_is_still_played() {
    let path = file("differs.jsonl", &transcript(TWO));
    let port = serve(|client, _| {
        answer(client, |mut reply| {
            if reply.starts_with(b"250 HELO") {
                reply[5] = b'\x1b';
            }
            reply
        });
    });

    let run = replay(&path, &port, "--speed 0");

    let difference = "conversation 1: the server's bytes differ after 16: \"250 HELO me\\r\\n\" was recorded, \
                      \"250 H\\x1bLO me\\r\\n\" came";
    let told = format!("switchboard-load: failed: 1 conversation of 2 not as recorded; {difference}\n");
    assert_eq!((run.status, run.err.as_str()), (Some(1), told.as_str()), "{run:?}");
    let troubles = [("mismatch".to_owned(), 1), ("corrupted_bytes".to_owned(), 1)];
    assert_eq!(run.troubles(), troubles, "{run:?}");
    assert_eq!((run.number("messages"), run.number("replay/replies")), (3.0, 6.0), "{run:?}");
    let first = run.result()["metrics"]["replay"]["first_difference"].clone();
    assert_eq!(first, difference, "{run:?}");
}

#[test]
fn a_reply_that_is_missing_too_much_or_cut_short_by_an_end_is_told() {
    let path = file("missing.jsonl", &transcript(TWO));
    type Change = fn(Vec<u8>) -> Vec<u8>;
    let cases: [(Change, &str, &str); 2] = [
        (
            |reply| if reply.starts_with(b"250 \xff") { Vec::new() } else { reply },
            "timed_out",
            "conversation 1: after 24 bytes of the server \"250 \\xff\\x00\\x01\\r\\n\" did not come within 300ms",
        ),
        (
            |reply| if reply.starts_with(b"221 you") { [reply, b"twice\n".to_vec()].concat() } else { reply },
            "mismatch",
            "conversation 1: \"twice\\n\" came, too, behind all 47 bytes that were recorded of the server",
        ),
    ];
    for (change, kind, told) in cases {
        let port = serve(move |client, _| answer(client, change));

        let run = replay(&path, &port, "--speed 0 --timeout 300ms");

        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.err.ends_with(&format!("; {told}\n")), "{run:?}");
        assert_eq!(run.number(&format!("errors/{kind}")), 1.0, "{run:?}");
        assert_eq!(run.number("replay/as_recorded"), 1.0, "{run:?}");
    }

    let port = serve(|mut client, _| client.send(b"220 re"));
    let run = replay(&path, &port, "--speed 0");
    let told = "the server finished after 6 bytes, where \"ady\\r\\n\" was recorded\n";
    assert!(run.err.ends_with(told), "{run:?}");
    assert_eq!(run.number("errors/closed_early"), 2.0, "{run:?}");
    assert_eq!(run.number("unsent"), 3.0, "{run:?}");
}

#[test]
fn a_reset_is_told_or_awaited_and_ours_is_one() {
    let reset = |events: &[(u64, &'static str)], end| transcript(&[events, &[(30, end)]].concat());
    let said = &TWO[..4];
    let by_server = file("reset.jsonl", &reset(said, r#"close "id":1,"reason":"we-reset","msg":"""#));
    let by_peer = file("reset-by-peer.jsonl", &reset(said, r#"close "id":1,"reason":"reset","msg":"""#));
    let by_end = file("no-reset.jsonl", &reset(said, r#"close "id":1,"reason":"finished","msg":"""#));
    let port = serve(|mut client, _| {
        client.send(b"220 ready\r\n");
        client.line();
        client.send(b"250 HELO me\r\n");
        client.reset();
    });

    let run = replay(&by_server, &port, "--speed 0");
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    let run = replay(&by_end, &port, "--speed 0");
    assert!(run.err.contains("reset by the peer after 24 bytes of the server, where its end was recorded"));
    assert_eq!((run.status, run.number("errors/reset")), (Some(1), 1.0), "{run:?}");

    let (tell, told) = mpsc::channel();
    let port = serve(move |mut client, _| {
        client.send(b"220 ready\r\n");
        client.line();
        client.send(b"250 HELO me\r\n");
        let _ = tell.send(client.stream.read(&mut [0; 10]).map_err(|error| error.kind()));
    });
    let run = replay(&by_peer, &port, "--speed 0");
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Err(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn messages_come_no_earlier_than_recorded_and_no_earlier_than_what_was_said_before_them() {
    let path = file("timing.jsonl", &transcript(TWO));
    for (speed, least) in [("1", [50, 80, 100]), ("0.5", [100, 160, 200]), ("10", [5, 8, 10])] {
        let (tell, told) = mpsc::channel();
        // The port is known before the time is taken, and the tester starts after that.
        let began = Instant::now();
        let port = serve(move |client, _| {
            let mut client = client;
            client.send(b"220 ready\r\n");
            while let Some(line) = client.line() {
                let _ = tell.send((began.elapsed(), line.clone()));
                match &line[..] {
                    b"QUIT\n" => return client.send(b"221 bye\r\n"),
                    b"HELO me\r\n" => client.send(b"250 HELO me\r\n"),
                    _ => client.send(b"250 \xff\x00\x01\r\n"),
                }
            }
            client.send(b"221 you left\r\n");
        });

        let run = replay(&path, &port, &format!("--speed {speed}"));

        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
        let mut came: Vec<_> = told.try_iter().collect();
        came.sort();
        for (line, least) in [&b"HELO me\r\n"[..], b"QUIT\n", b"\xff\x00\x01\n"].iter().zip(least) {
            let (at, _) = came.iter().find(|(_, came)| came == line).unwrap();
            assert!(*at >= Duration::from_millis(least), "{line:?} came at {at:?} at speed {speed}");
        }
        assert!(run.number("replay/last_late_ms") >= 0.0, "{run:?}");
    }
}

#[test]
fn a_server_that_holds_up_a_greeting_is_charged_for_the_messages_behind_it() {
    let path = file("held-up.jsonl", &transcript(TWO));
    let port = serve(|client, _| {
        tester::wait_up_to(Instant::now() + Duration::from_millis(300));
        answer(client, |reply| reply);
    });

    let run = replay(&path, &port, "");

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    // Its first message was due 50 ms after the connection.
    assert!(run.number("latency_ms/max") >= 240.0, "{run:?}");
    assert!(run.number("replay/most_late_ms") >= 240.0, "{run:?}");
}

#[test]
fn a_server_that_keeps_the_next_conversations_waiting_is_charged_for_their_replies() {
    const COUNT: u64 = 10;
    const TAKES: u64 = 60;
    let events: Vec<(u64, String)> = (0..COUNT)
        .flat_map(|id| {
            let begins = id * 10;
            [
                (begins, format!("open \"id\":{id}")),
                (begins + 1, format!("msg \"id\":{id},\"text\":\"hi\"")),
                (begins + 2, format!("sent \"ids\":[{id}],\"text\":\"hi\\n\"")),
                (begins + 3, format!("fin \"id\":{id}")),
                (begins + 4, format!("close \"id\":{id},\"reason\":\"finished\",\"msg\":\"\"")),
            ]
        })
        .collect();
    let events: Vec<(u64, &str)> = events.iter().map(|(at, event)| (*at, event.as_str())).collect();
    let path = file("kept-waiting.jsonl", &transcript(&events));
    let port = serve(|mut client, _| {
        let line = client.line().unwrap();
        tester::wait_up_to(Instant::now() + Duration::from_millis(TAKES));
        client.send(&line);
    });

    let run = replay(&path, &port, "-c 1");

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    // One at a time, the last reply cannot come before all have been worked on, and it was due long before.
    let least = (COUNT * TAKES - (COUNT - 1) * 10 - 1) as f64;
    assert!(run.number("latency_ms/max") >= least * 0.99, "{least}: {run:?}");
}

#[test]
fn a_large_message_and_its_reply_pass_whole_though_the_server_reads_late() {
    const BYTES: usize = 20 << 20;
    let text = "x".repeat(BYTES);
    let path = file(
        "large.jsonl",
        &transcript(&[
            (0, r#"open "id":1"#),
            (1, &format!("msg \"id\":1,\"text\":\"{text}\"")),
            (2, &format!("sent \"ids\":[1],\"text\":\"{text}\\n\"")),
            (3, r#"eof "id":1"#),
            (3, r#"close "id":1,"reason":"finished","msg":"""#),
        ]),
    );
    let port = serve(|mut client, _| {
        tester::wait_up_to(Instant::now() + Duration::from_millis(200));
        let line = client.line().unwrap();
        client.send(&line);
        while client.line().is_some() {}
    });

    let run = replay(&path, &port, "--timeout 30s");

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(run.number("tx_bytes"), BYTES as f64 + 1.0, "{run:?}");
}

#[test]
fn no_more_conversations_go_on_at_a_time_than_are_asked_for() {
    let events: Vec<(u64, String)> = (1..=12)
        .flat_map(|id| {
            [
                (0, format!("open \"id\":{id}")),
                (1, format!("msg \"id\":{id},\"text\":\"hi\"")),
                (2, format!("sent \"ids\":[{id}],\"text\":\"hi\\n\"")),
                (3, format!("eof \"id\":{id}")),
                (3, format!("close \"id\":{id},\"reason\":\"finished\",\"msg\":\"\"")),
            ]
        })
        .collect();
    let events: Vec<(u64, &str)> = events.iter().map(|(at, event)| (*at, event.as_str())).collect();
    let path = file("many.jsonl", &transcript(&events));
    for arguments in ["-c 3", "-c 3 --speed 0"] {
        let (tell, told) = mpsc::channel();
        let port = serve(move |mut client, _| {
            tell.send(1).unwrap();
            let line = client.line().unwrap();
            client.send(&line);
            client.line();
            // Before our end is sent, so that the next cannot have come by then.
            tell.send(-1).unwrap();
        });

        let run = replay(&path, &port, arguments);

        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
        let mut here = 0;
        for change in told.try_iter() {
            here += change;
            assert!(here <= 3, "{here} at a time with {arguments}");
        }
        assert_eq!(run.number("replay/as_recorded"), 12.0, "{run:?}");
    }
}

#[test]
fn what_cannot_be_replayed_is_said_before_anything_is_connected() {
    let (tell, told) = mpsc::channel();
    let port = serve(move |_, _| tell.send(()).unwrap());
    let broken = transcript(TWO).replace("\"ids\":[1],\"text\":\"220", "\"text\" \"220");
    let broken = file("broken.jsonl", &broken);
    let empty = file("empty.jsonl", &transcript(&[]));
    let none = Path::new("/no/such/file");

    for (path, why) in [
        (&*broken, "line 3: this is no JSON object"),
        (&empty, "nobody connected in it"),
        (none, "No such file or directory"),
        (Path::new("/"), "Is a directory"),
    ] {
        let run = replay(path, &port, "");

        let told = format!("switchboard-load: cannot replay {}: {why}", path.display());
        assert!(run.err.starts_with(&told) && run.err.lines().count() == 1, "{run:?}");
        assert_eq!((run.status, run.out.as_str()), (Some(1), ""), "{run:?}");
    }
    assert!(told.try_recv().is_err(), "somebody was connected to");
}

#[test]
fn what_does_not_go_with_a_replay_is_wrong_usage() {
    let path = file("usage.jsonl", &transcript(TWO));
    for arguments in [
        "-r 5",
        "-s 5",
        "-m x",
        "--expect x",
        "-p 2",
        "--pattern send",
        "--churn",
        "--hold",
        "-n 5",
        "-d 1s",
        "--warmup 1s",
        "-t 2",
        "--connect-rate 5",
        "--speed -1",
        "--speed x",
    ] {
        let run = replay(&path, "9", arguments);
        assert_eq!((run.status, run.out.as_str()), (Some(2), ""), "{arguments}: {run:?}");
    }
    let run = load_for_people("9", &["--speed", "2"]);
    assert_eq!(run.status, Some(2), "{run:?}");
}

#[test]
fn where_nobody_listens_it_ends_at_once() {
    let later: Vec<(u64, &str)> =
        [&TWO[..4], &[(50_000, r#"open "id":3"#), (50_001, r#"msg "id":3,"text":"x""#)]].concat();
    let path = file("nobody.jsonl", &transcript(&later));

    let run = replay(&path, &free_port(), "");

    let told = "switchboard-load: failed: 1 conversation of 2 not as recorded; 1 conversation never begun; \
                conversation 1: cannot connect: Connection refused\n";
    assert_eq!((run.status, run.err.as_str()), (Some(1), told), "{run:?}");
    assert_eq!(run.number("errors/refused"), 1.0, "{run:?}");
}

#[test]
fn a_recording_that_stops_before_its_end_is_left_politely() {
    let path = file("stops.jsonl", &transcript(&TWO[..4]));
    let (tell, told) = mpsc::channel();
    let port = serve(move |mut client, _| {
        client.send(b"220 ready\r\n");
        client.line();
        client.send(b"250 HELO me\r\n");
        tell.send(client.line()).unwrap();
        client.send(b"421 you leave?\r\n");
        let _ = client.stream.shutdown(Shutdown::Write);
        let _ = client.stream.read(&mut [0; 10]);
    });

    let run = replay(&path, &port, "--speed 0");

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), None, "our end, in order");
    assert_eq!(run.number("replay/not_compared_bytes"), 16.0, "the goodbye: {run:?}");
    let run = load_for_people(&port, &["--replay", path.to_str().unwrap()]);
    let told = "\nnot compared  16 bytes: behind our end, where the recording has no more\n";
    assert!(run.out.contains(told), "{run:?}");
}

#[test]
fn what_a_server_adds_where_the_recording_stops_before_its_end_is_not_as_recorded() {
    let stops: Vec<(u64, &str)> =
        [&TWO[..4], &[(900, r#"close "id":1,"reason":"stopping","msg":"""#)]].concat();
    let path = file("adds.jsonl", &transcript(&stops));
    let port = serve(|mut client, _| {
        client.send(b"220 ready\r\n");
        client.line();
        client.send(b"250 HELO me\r\n");
        tester::wait_up_to(Instant::now() + Duration::from_millis(20));
        client.send(b"GARBAGE\n");
        client.line();
    });

    for arguments in ["", "--speed 0"] {
        let run = replay(&path, &port, arguments);

        let told = "; conversation 1: \"GARBAGE\\n\" came, too, behind all 24 bytes that were recorded of the server\n";
        assert!(run.err.ends_with(told), "{arguments}: {run:?}");
        assert_eq!((run.status, run.number("wrong/unasked_bytes")), (Some(1), 8.0), "{arguments}: {run:?}");
    }
}

#[test]
fn an_interrupt_prints_what_there_is_of_a_replay() {
    let path = file("interrupted.jsonl", &transcript(&[TWO, &[(55_000, r#"open "id":3"#)]].concat()));
    let (tell, told) = mpsc::channel();
    let port = serve(move |client, number| {
        answer(client, |reply| reply);
        tell.send(number).unwrap();
    });
    let tester = start_load(&port, &["--replay", path.to_str().unwrap()]);
    for _ in 0..2 {
        told.recv_timeout(DEADLINE).expect("two conversations end");
    }

    tester.signal("INT");
    let run = end_of(tester);

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    assert!(run.out.contains("interrupted after") && run.out.contains(" not finished\n"), "{run:?}");
}

#[test]
fn a_failed_condition_fails_a_replay_that_went_as_recorded() {
    let path = file("condition.jsonl", &transcript(TWO));
    let port = serve(|client, _| answer(client, |reply| reply));

    let run = replay(&path, &port, "--speed 0 --fail-if errors<1");

    let told = "switchboard-load: failed: errors<1: it was 0.000\n";
    assert_eq!((run.status, run.err.as_str()), (Some(1), told), "{run:?}");
}

#[test]
fn the_echo_of_the_server_itself_is_as_recorded() {
    let server = Server::start(&["--echo"]);
    let path = file(
        "echo.jsonl",
        &transcript(&[
            (0, r#"open "id":1"#),
            (1, r#"msg "id":1,"text":"hello""#),
            (2, r#"sent "ids":[1],"text":"hel""#),
            (2, r#"sent "ids":[1],"text":"lo\n""#),
            (2, r#"msg "id":1,"text":"more","part":"eof""#),
            (2, r#"eof "id":1"#),
            (3, r#"sent "ids":[1],"text":"more""#),
            (3, r#"close "id":1,"reason":"finished","msg":"""#),
        ]),
    );

    let run = replay(&path, &server.port(), "");

    assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(run.number("replay/replies"), 3.0, "{run:?}");
}

#[test]
fn what_a_recording_lacks_is_told_before_it_is_replayed() {
    let text = transcript(TWO).replace("\"tx\":47", "\"tx\":50") + "{\"ev\":\"skipped\",\"count\":4}\n";
    let path = file("lacks.jsonl", &text);
    let port = serve(|client, _| answer(client, |reply| reply));

    let run = replay(&path, &port, "--speed 0");

    let told =
        "leaves out 4 events at line 17, and lacks 3 bytes that were sent, in 1 of its 2 conversations (";
    assert!(run.err.contains(told), "{run:?}");
}
