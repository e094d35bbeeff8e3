//! The load tester against servers that lie, leave or are not there: each is found out and called by its name.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::sync::Mutex;

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
