//! What each of several desks is told, however much it reads.

use super::*;
use crate::buffer::framing::End;
use crate::desk::Refusal;
use crate::desk::event::{Author, Receivers};

const ANN: DeskId = DeskId(2);
const BOB: DeskId = DeskId(3);

fn says(relay: &mut Relay, seq: u64, text: &str) {
    relay.message(Who::nameless(1), &Frame::of(text.as_bytes(), End::Newline), seq);
}

fn sends(relay: &mut Relay, seq: u64, by: DeskId) {
    let event = Event::Sent { by: Author::Desk(by), to: Receivers::One(1), bytes: b"x\n" };
    relay.event(&event, seq, Some(by));
    let frame = ReplyFrame { reference: Some("7"), seq: Some(seq), low_water_bytes: usize::MAX };
    relay.reply(by, &Reply::Refused(Refusal::Nobody), frame);
}

/// All there is for a desk, taken so many bytes at a time: each line as its kind and its number.
fn taken(relay: &mut Relay, desk: DeskId, room_bytes: usize) -> Vec<String> {
    let mut bytes = Vec::new();
    while relay.take(desk, room_bytes, |piece| bytes.extend_from_slice(piece)) {}
    let value = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    let lines = String::from_utf8(bytes).unwrap();
    let named = |line: &str| {
        let value = value(line);
        let number = value.get("seq").or(value.get("count")).map_or(String::new(), ToString::to_string);
        let past = if value.get("past").is_some() { " past" } else { "" };
        format!("{} {number}{past}", value["ev"].as_str().unwrap())
    };
    lines.lines().map(named).collect()
}

fn attach(relay: &mut Relay, desk: DeskId) {
    relay.attach(desk, |writer, out| writer.event(&Event::Note("hello"), 9, out));
}

#[test]
fn who_comes_later_is_told_what_was_before_once_and_then_what_comes() {
    let mut relay = Relay::default();
    says(&mut relay, 1, "one");
    attach(&mut relay, ANN);
    says(&mut relay, 2, "two");
    attach(&mut relay, BOB);
    says(&mut relay, 3, "three");

    assert_eq!(taken(&mut relay, ANN, 4096), ["note 9", "msg 1 past", "msg 2", "msg 3"]);
    assert_eq!(taken(&mut relay, BOB, 1), ["note 9", "msg 1 past", "msg 2 past", "msg 3"]);
}

#[test]
fn what_a_desk_has_sent_it_is_told_by_its_reply_in_the_same_place() {
    for room_bytes in [1, 100, 4096] {
        let mut relay = Relay::default();
        attach(&mut relay, ANN);
        attach(&mut relay, BOB);
        says(&mut relay, 1, "one");
        sends(&mut relay, 2, ANN);
        sends(&mut relay, 3, BOB);
        sends(&mut relay, 4, ANN);
        says(&mut relay, 5, "five");

        let ann = taken(&mut relay, ANN, room_bytes);
        assert_eq!(ann, ["note 9", "msg 1", "error 2", "sent 3", "error 4", "msg 5"], "{room_bytes}");
        let bob = taken(&mut relay, BOB, room_bytes);
        assert_eq!(bob, ["note 9", "msg 1", "sent 2", "error 3", "sent 4", "msg 5"], "{room_bytes}");
    }
}

#[test]
fn h45_who_does_not_read_misses_a_number_of_lines_that_is_told_and_none_of_its_replies() {
    let mut relay = Relay::default();
    attach(&mut relay, ANN);
    attach(&mut relay, BOB);
    let text = "x".repeat(1000);
    let mut heard_by_bob = Vec::new();
    for seq in 1..=20_000 {
        if seq % 1000 == 0 {
            sends(&mut relay, seq, ANN);
        } else {
            says(&mut relay, seq, &text);
        }
        if seq % 100 == 0 {
            heard_by_bob.extend(taken(&mut relay, BOB, 64 << 10));
            relay.end_turn();
        }
        let held = relay.log.chunks.iter().map(Vec::capacity).sum::<usize>();
        assert!(held < Bounds::default().log_bytes + (1 << 20), "{held} bytes are held");
    }

    assert_eq!(heard_by_bob.len(), 20_001, "the other one has missed nothing");
    let ann = taken(&mut relay, ANN, 64 << 10);
    let replies = ann.iter().filter(|line| line.starts_with("error")).count();
    assert_eq!(replies, 20, "each reply is there");
    let skipped: u64 = ann.iter().filter_map(|line| line.strip_prefix("skipped ")?.parse::<u64>().ok()).sum();
    let told = ann.iter().filter(|line| line.starts_with("msg")).count() as u64;
    assert_eq!(skipped + told + replies as u64, 20_000, "what is missing is counted");
    assert!(skipped > 10_000, "{skipped}");
    relay.end_turn();
    assert_eq!(relay.log.chunks.iter().map(Vec::len).sum::<usize>(), 0, "all is forgotten that was taken");
}

#[test]
fn what_is_missing_is_told_where_it_is_missing_though_a_line_was_cut_before() {
    let mut relay = Relay::default();
    attach(&mut relay, ANN);
    let text = "x".repeat(1000);
    let mut bytes = Vec::new();
    for seq in 1..=20_000 {
        says(&mut relay, seq, &text);
        // So little that a line is cut.
        if seq % 5000 == 0 {
            relay.take(ANN, 500, |piece| bytes.extend_from_slice(piece));
        }
    }
    while relay.take(ANN, 64 << 10, |piece| bytes.extend_from_slice(piece)) {}

    let (mut next, mut gaps) = (1, 0);
    for line in String::from_utf8(bytes).unwrap().lines().skip(1) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        match line["ev"].as_str().unwrap() {
            "skipped" => (next, gaps) = (next + line["count"].as_u64().unwrap(), gaps + 1),
            _ => {
                assert_eq!(line["seq"], next, "after {gaps} gaps");
                next += 1;
            }
        }
    }
    assert!(gaps > 1, "{gaps}");
}

#[test]
fn who_is_always_behind_is_told_whole_lines_all_the_same() {
    let mut relay = Relay::default();
    attach(&mut relay, ANN);
    (1..=1000).for_each(|seq| says(&mut relay, seq, &"x".repeat(seq as usize % 300)));
    (1001..=1010).for_each(|seq| sends(&mut relay, seq, ANN));
    let mut told = Vec::new();

    loop {
        let from = told.len();
        let has_more = relay.take(ANN, 2000, |piece| told.extend_from_slice(piece));
        let room_used = told.len() - from;
        assert!(told.ends_with(b"}\n"), "a line was cut after {} bytes", told.len());
        if !has_more {
            break;
        }
        assert!((1500..=2000).contains(&room_used), "{room_used}");
    }

    assert_eq!(told.split(|byte| *byte == b'\n').count(), 1 + 1010 + 1);
}

#[test]
fn a_line_longer_than_any_room_comes_whole_though_much_is_forgotten_meanwhile() {
    let mut relay = Relay::default();
    attach(&mut relay, ANN);
    attach(&mut relay, BOB);
    says(&mut relay, 1, &"x".repeat(3 << 20));
    let mut bytes = Vec::new();
    for seq in 2..6000 {
        relay.take(ANN, 1000, |piece| bytes.extend_from_slice(piece));
        says(&mut relay, seq, &"y".repeat(1000));
        relay.end_turn();
    }
    while relay.take(ANN, 1000, |piece| bytes.extend_from_slice(piece)) {}

    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let longest = lines.iter().map(|line| line.len()).max().unwrap();
    assert!(longest > 3 << 20, "{longest}");
    for line in lines.iter().filter(|line| !line.is_empty()) {
        assert!(line.starts_with(b"{") && line.ends_with(b"}"), "torn: {}", String::from_utf8_lossy(line));
    }
}

#[test]
fn h45_what_was_missed_is_told_before_whatever_comes_behind_it_also_in_a_long_reply() {
    let mut relay = Relay::default();
    relay.keep_within(Bounds { chunk_bytes: 100, log_bytes: 1000, own_bytes: 1000 });
    attach(&mut relay, ANN);
    taken(&mut relay, ANN, 4096);
    relay.reply(ANN, &Reply::Refused(Refusal::LineTooLong), ReplyFrame::default());
    let mut bytes = Vec::new();
    assert!(relay.take(ANN, 10, |piece| bytes.extend_from_slice(piece)), "there is more of it");
    (1..=100).for_each(|seq| says(&mut relay, seq, "x"));

    while relay.take(ANN, 10, |piece| bytes.extend_from_slice(piece)) {}

    let lines: Vec<serde_json::Value> = String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert_eq!(lines[0]["ev"], "error");
    assert_eq!(lines[1]["ev"], "skipped", "{lines:?}");
    assert_eq!(lines[2]["seq"].as_u64(), lines[1]["count"].as_u64().map(|count| count + 1));
}

#[test]
fn a_reply_is_told_in_words_too_where_that_was_asked_for() {
    let mut relay = Relay::default();
    attach(&mut relay, ANN);
    relay.use_words(ANN, 80);
    relay.reply(ANN, &Reply::Refused(Refusal::Nobody), ReplyFrame::default());
    let mut bytes = Vec::new();
    relay.take(ANN, 4096, |piece| bytes.extend_from_slice(piece));
    let last = String::from_utf8(bytes).unwrap().lines().last().unwrap().to_owned();
    let value: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(value["words"], serde_json::json!(["nobody is connected"]), "{last}");
}

#[test]
fn a_reply_comes_behind_what_its_desk_is_not_told_at_all() {
    for room_bytes in [1, 100, 4096] {
        let mut relay = Relay::default();
        attach(&mut relay, ANN);
        attach(&mut relay, BOB);
        relay.event(&Event::Note("by ann"), 1, Some(ANN));
        sends(&mut relay, 2, ANN);

        assert_eq!(taken(&mut relay, ANN, room_bytes), ["note 9", "error 2"]);
    }
}
