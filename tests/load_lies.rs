//! The load tester against servers that lie, leave or are not there: each is found out and called by its name.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::sync::{Mutex, mpsc};

use common::DEADLINE;
use tester::{Client, SIZE, free_port, load, load_for_people, serve};

fn named(troubles: &[(&str, u64)]) -> Vec<(String, u64)> {
    troubles.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// Answers rightly but for the reply to the message of this number.
fn but_for_one(client: Client, number: usize, lie: impl Fn(Vec<u8>) -> Vec<u8>) {
    client.answer(|line, at| if at == number { lie(line) } else { line });
}

/// Holds the greeting of two connections until both are there, then exchanges their lines.
fn swapping() -> String {
    let waiting = Mutex::new(None::<Client>);
    serve(move |mut client, _| {
        // One lock for looking and leaving: of two who come at once, one waits and the other finds it.
        let mut place = waiting.lock().unwrap();
        let Some(mut other) = place.take() else {
            *place = Some(client);
            return;
        };
        drop(place);
        let (Some(mine), Some(theirs)) = (client.line(), other.line()) else { return };
        client.send(&theirs);
        other.send(&mine);
        // Both stay open until the tester leaves.
        client.line();
        other.line();
    })
}

#[test]
fn one_garbled_byte_in_many_is_corruption_of_one_byte() {
    let port = serve(|client, _| {
        but_for_one(client, 500, |mut line| {
            line[40] ^= 1;
            line
        });
    });

    let run = load(&port, "-n 1000 -c 1");

    assert_eq!(run.troubles(), named(&[("mismatch", 1), ("corrupted_bytes", 1)]), "{run:?}");
    assert_eq!((run.number("messages"), run.status), (999.0, Some(1)), "{run:?}");
}

#[test]
fn replies_swapped_between_two_connections_are_cross_delivered() {
    let port = swapping();

    let run = load(&port, "-n 2 -c 2 --timeout 500ms");

    assert_eq!(run.number("wrong/cross_delivered_bytes"), 2.0 * SIZE as f64, "{run:?}");
    assert_eq!(run.number("wrong/corrupted_bytes"), 0.0, "{run:?}");
    assert_eq!(run.number("unanswered"), 2.0, "neither got its own: {run:?}");
    assert_eq!(run.status, Some(1));
}

#[test]
fn a_reply_left_out_is_lost() {
    let port = serve(|client, _| but_for_one(client, 2, |_| Vec::new()));

    let run = load(&port, "-n 10 -c 1 -p 2");

    let troubles = [("mismatch", 1), ("lost_messages", 1), ("lost_bytes", SIZE as u64)];
    assert_eq!(run.troubles(), named(&troubles), "{run:?}");
    assert_eq!((run.number("messages"), run.status), (9.0, Some(1)), "{run:?}");
}

#[test]
fn a_reply_sent_twice_is_duplicated() {
    let port = serve(|client, _| but_for_one(client, 2, |line| line.repeat(2)));

    let run = load(&port, "-n 10 -c 1");

    assert_eq!(run.troubles(), named(&[("mismatch", 1), ("duplicated_bytes", SIZE as u64)]), "{run:?}");
    assert_eq!((run.number("messages"), run.status), (10.0, Some(1)), "{run:?}");
}

#[test]
fn a_server_that_finishes_before_the_run_does_closed_early() {
    let port = serve(|mut client, _| client.answer_some(5));

    let run = load(&port, "-n 10 -c 1");

    assert_eq!(run.troubles(), named(&[("closed_early", 1)]), "{run:?}");
    assert_eq!((run.number("messages"), run.number("unanswered")), (5.0, 1.0), "{run:?}");
    assert_eq!(run.status, Some(1));
}

#[test]
fn a_reset_is_called_a_reset() {
    let port = serve(|mut client, _| {
        client.answer_some(5);
        client.reset();
    });

    let run = load(&port, "-n 10 -c 1");

    assert_eq!(run.troubles(), named(&[("reset", 1)]), "{run:?}");
    assert_eq!((run.number("messages"), run.status), (5.0, Some(1)), "{run:?}");
}

#[test]
fn a_banner_is_unasked_for_and_shown_and_the_replies_behind_it_are_right() {
    let port = serve(|mut client, _| {
        client.send(b"hello\n");
        client.answer(|line, _| line);
    });

    for arguments in ["-n 10 -c 1", "-n 10 -c 1 -s 1000", "-n 10 -c 1 -p 8"] {
        let run = load(&port, arguments);
        assert_eq!(run.troubles(), named(&[("mismatch", 1), ("unasked_bytes", 6)]), "{arguments}: {run:?}");
        assert_eq!((run.number("messages"), run.status), (10.0, Some(1)), "{arguments}: {run:?}");
    }
    let run = load_for_people(&port, &["-n", "10", "-c", "1"]);

    assert!(run.out.contains("the server said: hello\n"), "{run:?}");
}

#[test]
fn a_server_that_greets_each_connection_of_a_churn_is_unasked_for_and_not_corrupting() {
    let port = serve(|mut client, _| {
        client.send(b"hello\n");
        client.answer(|line, _| line);
    });

    let run = load(&port, "-n 10 -c 2 --churn");

    assert_eq!(run.troubles(), named(&[("mismatch", 10), ("unasked_bytes", 60)]), "{run:?}");
    assert_eq!((run.number("messages"), run.status), (10.0, Some(1)), "{run:?}");
}

#[test]
fn a_churn_ends_though_each_reply_is_garbled() {
    let port = serve(|client, _| {
        client.answer(|mut line, _| {
            line[40] ^= 1;
            line
        });
    });

    let run = load(&port, "-n 10 -c 2 --churn");

    assert_eq!(run.troubles(), named(&[("mismatch", 10), ("corrupted_bytes", 10)]), "{run:?}");
    assert_eq!((run.number("messages"), run.status), (0.0, Some(1)), "{run:?}");
}

#[test]
fn a_server_that_never_answers_times_out_and_what_was_sent_is_unanswered() {
    let port = serve(|client, _| client.answer(|_, _| Vec::new()));

    let run = load(&port, "-n 3 -c 3 --timeout 500ms");

    assert_eq!(run.troubles(), named(&[("timed_out", 3)]), "{run:?}");
    assert_eq!((run.number("unanswered"), run.number("latency_ms/count")), (3.0, 3.0), "{run:?}");
    assert!(run.number("latency_ms/p50") >= 500.0, "they count with their age: {run:?}");
    assert_eq!(run.status, Some(1));
}

#[test]
fn a_port_where_nobody_listens_refuses_each_connection_and_the_run_ends() {
    let port = free_port();

    for arguments in
        ["-n 3 -c 3", "-c 3 --hold", "-r 1000 -c 3", "-c 3 --pattern send", "-c 3 --pattern chat"]
    {
        let run = load(&port, arguments);

        assert_eq!(run.troubles(), named(&[("refused", 3)]), "{arguments}: {run:?}");
        assert_eq!(run.status, Some(1), "{arguments}");
    }
}

#[test]
fn a_churn_that_is_refused_ends_as_well() {
    let run = load(&free_port(), "-n 3 -c 3 --churn");

    assert!(run.number("errors/refused") >= 3.0, "{run:?}");
    assert_eq!(run.status, Some(1));
}

/// A chat's relay that lies about the fifth message to one of those who should hear it.
fn lying_relay(lie: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> String {
    let room = Mutex::new((Vec::<Client>::new(), 0));
    serve(move |mut client, _| {
        room.lock().unwrap().0.push(Client::new(client.stream.try_clone().unwrap()));
        let own = client.stream.peer_addr().unwrap();
        while let Some(line) = client.line() {
            let (everybody, said) = &mut *room.lock().unwrap();
            // A message, not what the tester may say to be let in.
            let is_message = line.len() == SIZE;
            *said += usize::from(is_message);
            let others = everybody.iter_mut().filter(|other| other.stream.peer_addr().ok() != Some(own));
            for (place, other) in others.enumerate() {
                let lies = is_message && *said == 5 && place == 0;
                other.send(&if lies { lie(&line) } else { line.clone() });
            }
        }
    })
}

#[test]
fn a_chat_that_garbles_a_line_corrupts_and_the_run_ends() {
    let port = lying_relay(|line| [&line[..40], b"?", &line[41..]].concat());

    let run = load(&port, "-n 30 -c 3 -p 2 --pattern chat --timeout 500ms");

    assert_eq!(run.troubles(), named(&[("mismatch", 1), ("corrupted_bytes", 1)]), "{run:?}");
    assert_eq!((run.number("latency_ms/count"), run.status), (59.0, Some(1)), "{run:?}");
}

#[test]
fn a_chat_that_leaves_out_a_line_loses_it_and_the_run_ends() {
    let port = lying_relay(|_| Vec::new());

    let run = load(&port, "-n 30 -c 3 -p 2 --pattern chat --timeout 500ms");

    assert_eq!(run.number("wrong/lost_messages"), 1.0, "{run:?}");
    assert_eq!(run.status, Some(1), "{run:?}");
}

#[test]
fn a_chat_goes_on_behind_a_line_that_somebody_waited_for_in_vain() {
    let port = lying_relay(|_| Vec::new());

    // Long enough for its sender to give up and to say the next.
    let run = load(&port, "-d 3s --warmup 0s -c 3 --pattern chat --timeout 500ms");

    assert_eq!(run.troubles(), named(&[("timed_out", 1), ("lost_messages", 1)]), "{run:?}");
    assert_eq!(run.status, Some(1), "{run:?}");
}

#[test]
fn a_chat_that_relays_nothing_has_no_message_that_counts() {
    let port = serve(|client, _| client.answer(|_, _| Vec::new()));

    let run = load(&port, "-n 3 -c 3 --pattern chat --timeout 500ms");

    assert_eq!((run.number("messages"), run.number("achieved_rate")), (0.0, 0.0), "{run:?}");
    assert!(run.number("errors/timed_out") > 0.0, "{run:?}");
    assert_eq!(run.status, Some(1), "{run:?}");
}

#[test]
fn sending_to_a_server_that_resets_each_connection_fails() {
    let port = serve(|client, _| client.reset());

    for arguments in ["-n 3 -c 3", "-n 3 -c 3 -r 1000", "-d 1h -c 3"] {
        let run = load(&port, &format!("--pattern send {arguments}"));

        assert_eq!(run.troubles(), named(&[("reset", 3)]), "{arguments}: {run:?}");
        assert_eq!((run.status, run.err.lines().count()), (Some(1), 1), "{arguments}: {run:?}");
        assert!(run.err.contains("3 reset"), "{arguments}: {run:?}");
    }
}

#[test]
fn sending_fails_where_nothing_could_be_sent() {
    let (keep, kept) = mpsc::channel();
    let port = serve(move |client, _| keep.send(client.stream).unwrap());

    // More than any socket takes of whom nobody reads.
    for arguments in ["-c 2 -s 16M -d 300ms", "-c 2 -s 16M -d 300ms -r 100"] {
        let run = load(&port, &format!("--pattern send --warmup 0s {arguments}"));

        assert!(kept.recv_timeout(DEADLINE).is_ok(), "it was connected to");
        assert_eq!((run.number("messages"), run.status), (0.0, Some(1)), "{arguments}: {run:?}");
        assert!(
            run.err.contains("nothing that counts was sent") && run.err.lines().count() == 1,
            "{arguments}: {run:?}"
        );
    }
}

#[test]
fn a_run_whose_server_dies_says_that_it_was_cut_short_and_when() {
    let port = serve(|mut client, _| client.answer_some(5));

    for (arguments, said) in [
        ("-d 1h --warmup 0s", &["cut short after ", " s of 3600s", "all connections were lost"][..]),
        ("-d 1h --warmup 0s -r 1000 -t 2", &["cut short after ", " s of 3600s"]),
        ("-n 1000", &["cut short after ", ", 10 of 1000 messages", "all connections were lost"]),
        ("-d 1h --warmup 1h", &["cut short before anything counted", "all connections were lost"]),
        ("-d 1h --pattern send --warmup 0s", &["cut short after ", " s of 3600s"]),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').chain(["-c", "2"]).collect();
        let for_people = load_for_people(&port, &arguments);
        let for_programs = load(&port, &arguments.join(" "));

        assert_eq!(for_programs.result()["metrics"]["cut_short"], true, "{for_programs:?}");
        for run in [&for_people, &for_programs] {
            assert_eq!((run.status, run.err.lines().count()), (Some(1), 1), "{arguments:?}: {run:?}");
            for part in said {
                assert!(run.err.contains(part), "no {part:?} on stderr of {arguments:?}: {run:?}");
            }
        }
        for part in said {
            assert!(for_people.out.contains(part), "no {part:?} in {arguments:?}: {for_people:?}");
        }
    }
}

#[test]
fn a_run_that_goes_on_with_fewer_connections_is_not_cut_short() {
    let port = serve(|mut client, number| {
        if number == 0 {
            return client.answer_some(1);
        }
        client.answer(|line, _| line);
    });

    let run = load(&port, "-c 2 -t 2 -d 300ms --warmup 0s");

    assert_eq!(run.result()["metrics"]["cut_short"], false, "{run:?}");
    assert_eq!(run.status, Some(1), "{run:?}");
}

#[test]
fn a_reply_sent_once_more_behind_the_last_one_is_duplicated() {
    // It comes when the tester has nothing to say any more, which is as late as can be.
    let port = serve(|mut client, _| {
        let mut last = Vec::new();
        while let Some(line) = client.line() {
            client.send(&line);
            last = line;
        }
        client.send(&last);
    });

    for (arguments, size) in [
        ("-n 10 -c 1", SIZE),
        ("-n 10 -c 1 -p 4", SIZE),
        ("-r 1000 -d 50ms --warmup 0s -c 1", SIZE),
        ("-n 10 -c 1 -s 8", 8),
        ("-n 10 -c 1 -m PING", 5),
        ("-n 10 -c 1 -m PING --expect PING", 5),
    ] {
        let run = load(&port, arguments);

        let troubles = [("mismatch", 1), ("duplicated_bytes", size as u64)];
        assert_eq!(run.troubles(), named(&troubles), "{arguments}: {run:?}");
        assert_eq!(run.status, Some(1), "{arguments}: {run:?}");
    }
}

#[test]
fn a_server_that_says_goodbye_or_resets_when_all_is_answered_has_done_nothing_wrong() {
    let port = serve(|mut client, number| {
        while let Some(line) = client.line() {
            client.send(&line);
        }
        if number % 2 == 0 {
            return client.reset();
        }
        client.send(b"goodbye\n");
    });

    for _ in 0..2 {
        let run = load(&port, "-n 10 -c 1");

        assert_eq!((run.troubles(), run.status), (Vec::new(), Some(0)), "{run:?}");
    }
}

#[test]
fn a_server_that_never_finishes_is_not_waited_for_for_long() {
    let port = serve(|mut client, _| {
        while let Some(line) = client.line() {
            client.send(&line);
        }
        // Kept open until the whole test ends.
        std::mem::forget(client.stream.try_clone());
    });

    let run = load(&port, "-n 10 -c 1 --timeout 1h");

    assert_eq!((run.number("messages"), run.status), (10.0, Some(0)), "{run:?}");
}

#[test]
fn what_came_in_place_of_the_expected_reply_is_shown_beside_it() {
    let port = serve(|client, _| {
        client.answer(|_, at| match at {
            0 => b"+PONG\r\n".to_vec(),
            _ => [&b"-ERR \x1b[31m no\tsuch command "[..], &[b'x'; 3000], b"\n"].concat(),
        });
    });
    let arguments = ["-m", "PING", "--expect", "+PONG", "-n", "4", "-c", "1"];

    let for_people = load_for_people(&port, &arguments);
    let for_programs = load(&port, &arguments.join(" "));

    let line = for_people.out.lines().find(|line| line.contains("came instead")).unwrap_or_default();
    assert!(line.contains("expected \"+PONG\", but \"-ERR \\x1b[31m no"), "{for_people:?}");
    assert!(line.contains("xxx...\"") && line.len() < 250, "{for_people:?}");
    assert!(!for_people.out.contains('\x1b'), "{for_people:?}");
    assert_eq!((for_people.status, for_programs.status), (Some(1), Some(1)));
    let other = &for_programs.result()["metrics"]["first_other_reply"];
    assert!(other.as_str().is_some_and(|other| other.starts_with("-ERR \\x1b[31m")), "{for_programs:?}");
}
