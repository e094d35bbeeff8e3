//! A peer that has finished sending, or has gone with words still under way.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::thread;

use common::{Peer, Random, Server};

#[test]
fn a_peer_that_has_finished_sending_still_gets_a_later_reply() {
    let mut server = Server::start(&["--format", "human"]);
    let (mut peer, _) = server.connect_numbered();

    peer.send("hi\n");
    peer.finish();
    let said = server.out.line_with("has finished");
    server.type_line("a later reply");

    assert_eq!(said, "* #1 has finished sending (it may have left); kept 60 s for your answer");
    assert_eq!(peer.line(), "a later reply");
    server.type_line("@1 and another");
    assert_eq!(peer.line(), "and another");
    server.type_line("/eof 1");
    assert_eq!(peer.read_to_end(), b"");
    server.out.line_with("* #1 closed");
}

#[test]
fn how_long_a_connection_is_kept_for_an_answer_is_said_as_it_was_asked_and_only_where_it_is() {
    for (arguments, kept) in [
        (&["--half-open", "500ms"][..], "; kept 500 ms for your answer"),
        (&["--half-open", "5m"], "; kept 5 min for your answer"),
        (&["--half-open", "1h", "--chat"], "; kept 60 min for your answer"),
        (&["--half-open", "0s"], ""),
    ] {
        let (server, peers) = Server::with_peers(arguments, 1);
        peers[0].finish();

        let said = server.err.line_with("has finished");
        assert_eq!(said, format!("* #1 has finished sending (it may have left){kept}"), "{arguments:?}");
    }
    let (mut server, mut peers) = Server::with_peers(&[], 3);
    server.type_line("/eof 1");
    server.err.line_with("-> #1 finishes");
    peers[0].finish();
    assert_eq!(server.err.line_with("#1 has finished"), "* #1 has finished sending (it may have left)");
    peers[2].finish();
    server.err.line_with("#3 has finished");
    server.close_stdin();
    assert_eq!(peers[2].read_to_end(), b"", "nobody is left to answer it");
    peers[1].finish();
    assert_eq!(server.err.line_with("#2 has finished"), "* #2 has finished sending (it may have left)");
}

#[test]
fn a_last_line_without_an_ending_is_shown_when_the_peer_finishes() {
    let mut server = Server::start(&[]);
    let (mut peer, _) = server.connect_numbered();

    peer.send("the end");
    peer.finish();
    server.wait_for_status("#1 has finished");
    server.type_line("exit");

    assert_eq!(server.out.to_end(), b"1\tthe end\n");
}

#[test]
fn whoever_has_finished_is_let_go_after_the_half_open_limit() {
    let server = Server::start(&["--half-open", "200ms"]);
    let (mut finished, _) = server.connect_numbered();
    let (mut other, _) = server.connect_numbered();

    finished.send("hi\n");
    finished.finish();
    let got = finished.read_to_end();
    drop(finished);
    server.wait_for_status("* #1 closed");
    other.send("I have not finished\n");

    assert_eq!(got, b"");
    server.out.line_with("2\tI have not finished");
}

#[test]
fn with_no_operator_left_whoever_has_finished_is_let_go_at_once() {
    let mut server = Server::start(&["--half-open", "1h"]);
    let (mut before, _) = server.connect_numbered();
    let (mut after, _) = server.connect_numbered();

    before.send("before\n");
    before.finish();
    server.wait_for_status("#1 has finished");
    server.write_stdin(b"@1 a reply");
    server.close_stdin();
    let before = before.read_to_end();
    after.send("after\n");
    after.finish();

    assert_eq!(before, b"a reply\n");
    assert_eq!(after.read_to_end(), b"");
    server.out.line_with("2\tafter");
}

#[test]
fn what_was_said_before_a_reset_is_shown_all_of_it() {
    let server = Server::start(&["--format", "raw"]);
    let mut random = Random::seeded(3);
    let mut said = Vec::new();

    // One after the other, so that their words cannot mix. Half of them end inside a line.
    for number in 1..=60 {
        let (mut peer, _) = server.connect_numbered();
        let length = 1 + random.below(20_000);
        let mut words: Vec<u8> = random.bytes(length);
        *words.last_mut().unwrap() = if number % 2 == 0 { b'\n' } else { b'.' };
        peer.send(&words);
        peer.reset();
        said.extend(words);
        server
            .out
            .wait_for(&format!("the words of #{number}"), |out| (out.len() >= said.len()).then_some(()));
        assert!(server.out.so_far() == said, "what #{number} said is not what was shown");
    }
}

#[test]
fn a_peer_that_finishes_and_only_then_reads_gets_ten_megabytes_and_a_fin() {
    let mut server = Server::start(&["--queue-max", "32M"]);
    let (mut peer, _) = server.connect_numbered();
    let text = |number: u8| vec![b'a' + number; 1 << 20];

    for number in 0..10 {
        server.write_stdin(&[b"@1 ".to_vec(), text(number), b"\n".to_vec()].concat());
    }
    peer.finish();
    server.wait_for_status("#1 has finished");
    server.type_line("/eof 1");
    // It has not read anything yet, so all beyond the kernel's buffers is queued.
    server.err.line_with(" MB, not reading for ");
    let got = peer.read_to_end();

    let expected: Vec<u8> = (0..10).flat_map(|number| [text(number), vec![b'\n']].concat()).collect();
    assert_eq!(got.len(), expected.len());
    assert!(got == expected, "the bytes are not those that were typed");
}

#[test]
fn echo_returns_ten_megabytes_to_a_peer_that_has_finished() {
    let server = Server::start(&["--echo"]);
    let mut peer = server.connect();
    let sent = Random::seeded(10).bytes(10 << 20);

    let got = thread::scope(|scope| {
        let mut writer = Peer::over(peer.stream.try_clone().unwrap());
        let sent = &sent;
        scope.spawn(move || {
            writer.send(sent);
            writer.finish();
        });
        peer.read_to_end()
    });

    assert_eq!(got.len(), sent.len());
    assert!(got == sent, "the bytes are not those that were sent");
}
