//! Each kind of line, as it is documented.

use super::*;
use crate::conn::stream::Via;
use crate::desk::{DeskId, Namer};
use std::time::Duration;

use crate::board::stats::Stats;
use crate::desk::words::size;
use crate::desk::{Deed, Delivered, FaultSpec, Outcome, Refusal, Tally};

fn rendered(format: Format, event: &Event<'_>) -> String {
    let (mut out, mut renderer) = (Vec::new(), Renderer::new(format));
    match event {
        Event::Message(who, frame) => {
            renderer.message(*who, frame, View::Text, &mut Stamp::local(), &mut out);
        }
        event => renderer.event(event, &mut out),
    }
    String::from_utf8(out).unwrap()
}

fn replied(reply: &Reply<'_>) -> String {
    let mut out = Vec::new();
    Renderer::new(Format::Human).reply(reply, &mut out);
    String::from_utf8(out).unwrap()
}

fn line(bytes: &[u8]) -> Event<'_> {
    message(bytes, End::Newline)
}

fn message(bytes: &[u8], end: End) -> Event<'_> {
    Event::Message(who(), Frame::of(bytes, end))
}

fn who() -> Who<'static> {
    Who::nameless(1)
}

fn named() -> Who<'static> {
    Who { serial: 1, name: Some("lab-a") }
}

#[test]
fn a_message_in_each_format() {
    let human = rendered(Format::Human, &line(b"hello\r"));
    let (stamp, rest) = human.split_at("12:03:04.123".len());
    assert_eq!(rest, " #1> hello\n");
    let shape: String = stamp.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    assert_eq!(shape, "00:00:00.000");
    assert_eq!(rendered(Format::Tsv, &line(b"a\tb\r")), "1\ta\\tb\\r\n");
    assert_eq!(rendered(Format::Raw, &line(b"\x1b[1m\r")), "\x1b[1m\r\n");
}

#[test]
fn a_line_that_goes_on_says_so_to_people_and_to_scripts() {
    let part = message(b"abc", End::Limit);
    assert!(rendered(Format::Human, &part).ends_with("#1> abc…\n"));
    assert_eq!(rendered(Format::Tsv, &part), "1\tabc\tmore\n");
    assert_eq!(rendered(Format::Raw, &part), "abc");
}

#[test]
fn a_name_stands_beside_the_number_and_a_new_one_is_shown_at_once() {
    let (mut out, mut stamp, mut renderer) = (Vec::new(), Stamp::local(), Renderer::new(Format::Human));
    let frame = Frame::of(b"hi", End::Newline);
    renderer.message(who(), &frame, View::Text, &mut stamp, &mut out);
    renderer.forget_label(1);
    renderer.message(named(), &frame, View::Hex, &mut stamp, &mut out);

    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(" #1> hi\n") && text.ends_with(" #1 lab-a> 68 69  |hi|\n"), "{text}");
}

#[test]
fn events_read_as_documented() {
    let spec = FaultSpec::parse("in:stall latency=200ms").unwrap();
    let peer = Peer::from("127.0.0.1:50122".parse::<std::net::SocketAddr>().unwrap());
    for (event, text) in [
        (
            Event::Opened { who: named(), peer: &peer, dialled: false, client: None, via: Via::Plain },
            "* #1 lab-a connected from 127.0.0.1:50122\n",
        ),
        (
            Event::Opened { who: who(), peer: &peer, dialled: true, client: None, via: Via::Plain },
            "* #1 connected to 127.0.0.1:50122\n",
        ),
        (
            Event::Opened { who: named(), peer: &peer, dialled: true, client: Some(7), via: Via::Plain },
            "* #1 lab-a connected to 127.0.0.1:50122 for #7\n",
        ),
        (Event::Linked(named(), Who::nameless(7), DeskId(2)), "* #1 lab-a and #7 are linked\n"),
        (Event::Unlinked(Who::nameless(7), named(), DeskId(2)), "* #7 and #1 lab-a are linked no more\n"),
        (Event::Skipped(1), "* 1 line skipped: it came faster than it was read\n"),
        (Event::TurnedAway(312, "full"), "* 312 turned away in the last second: full\n"),
        (Event::Ended(who(), None), "* #1 has finished sending (it may have left)\n"),
        (
            Event::Ended(who(), Some(Duration::from_secs(60))),
            "* #1 has finished sending (it may have left); kept 60 s for your answer\n",
        ),
        (
            Event::Fault { who: Some(named()), spec: Some(&spec), by: None },
            "* #1 lab-a is broken on purpose: out:latency=200ms in:stall\n",
        ),
        (Event::Fault { who: Some(who()), spec: None, by: None }, "* #1 is broken no more\n"),
        (
            Event::Fault { who: None, spec: Some(&spec), by: None },
            "* newcomers are broken on purpose: out:latency=200ms in:stall\n",
        ),
        (Event::Fault { who: None, spec: None, by: None }, "* newcomers are broken no more\n"),
        (Event::Named(named(), Namer::List), "* #1 is now lab-a\n"),
        (Event::Named(who(), Namer::List), "* #1 has no name any more\n"),
    ] {
        assert_eq!(rendered(Format::Human, &event), text);
    }
}

#[test]
fn replies_are_one_line_and_tell_the_truth() {
    let sent = |not_reading_for| Delivered { bytes: 6, queued_bytes: 1_234_573, not_reading_for };
    let other = Who::nameless(7);
    let several = |outcomes: &[(Who<'_>, Outcome)]| {
        let mut tally = Tally::default();
        outcomes.iter().for_each(|(_, outcome)| tally.count(*outcome));
        replied(&Reply::Several(Deed::Send(6), outcomes, &tally))
    };
    let eight = Duration::from_secs(8);
    for (reply, text) in [
        (replied(&Reply::Sent(who(), sent(None))), "-> #1 6 bytes\n"),
        (
            replied(&Reply::Sent(named(), sent(Some(eight)))),
            "-> #1 lab-a 6 bytes behind 1.2 MB, not reading for 8.0 s\n",
        ),
        (several(&[(who(), Outcome::Done(6)), (other, Outcome::Gone)]), "-> #1 6 bytes; #7 is gone\n"),
        (several(&[(who(), Outcome::Done(6)), (other, Outcome::Done(6))]), "-> #1, #7 6 bytes\n"),
        (
            several(&[(who(), Outcome::Behind(70_000, eight)), (other, Outcome::Finished)]),
            "-> #1 6 bytes; #1 behind 70.0 kB, not reading for 8.0 s; \
             #7 was not sent it: our side of it is finished\n",
        ),
        (several(&[(who(), Outcome::Gone), (other, Outcome::Gone)]), "#1 is gone; #7 is gone\n"),
        (replied(&Reply::Refused(Refusal::Gone(7))), "#7 is gone\n"),
        (replied(&Reply::Refused(Refusal::NoSuch(9))), "there is no #9: nothing was done\n"),
    ] {
        assert_eq!(reply, text);
    }
}

#[test]
fn the_time_stands_in_front_of_each_line_of_a_reply() {
    let stats = Stats { turns: 1, ..Stats::default() };
    let reply = Reply::Stats { stats: &stats, conns: 0, uptime: Duration::from_secs(1) };
    let (mut plain, mut stamped) = (Vec::new(), b"before\n".to_vec());
    let mut stamp = Stamp::local();
    Renderer::new(Format::Tsv).reply(&reply, &mut plain);
    Renderer::new(Format::Tsv).stamped_reply(&reply, &mut stamp, &mut stamped);

    let plain = String::from_utf8(plain).unwrap();
    let expected: Vec<String> = plain.lines().map(|line| format!("{} {line}", stamp.text())).collect();
    let stamped = String::from_utf8(stamped).unwrap();
    assert_eq!(stamped.lines().skip(1).collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), 5);
    assert!(plain.contains("1 turn of the loop") && plain.contains("0 accepts failed"), "{plain}");
}

#[test]
fn a_terminal_of_ascii_alone_gets_nothing_else() {
    let mut out = Vec::new();
    let frame = Frame::of("é".as_bytes(), End::Limit);
    Renderer::for_terminal(Repertoire::Ascii).message(
        who(),
        &frame,
        View::Text,
        &mut Stamp::local(),
        &mut out,
    );
    assert!(out.ends_with(b" #1> \\u{e9}...\n"), "{}", String::from_utf8_lossy(&out));
}

#[test]
fn limits_are_said_in_the_unit_that_fits() {
    for (millis, text) in [
        (0, "0 s"),
        (500, "500 ms"),
        (1500, "1500 ms"),
        (60_000, "60 s"),
        (90_000, "90 s"),
        (300_000, "5 min"),
        (3_600_000, "60 min"),
        (7_200_000, "2 h"),
    ] {
        assert_eq!(limit(Duration::from_millis(millis)), text);
    }
}

#[test]
fn sizes_are_for_people() {
    for (bytes, text) in
        [(1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (8 << 20, "8.4 MB")]
    {
        assert_eq!(size(bytes), text);
    }
}
