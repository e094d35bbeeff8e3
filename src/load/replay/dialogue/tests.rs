//! One conversation: when what is due, what is told of what differs, and that it does not matter how bytes are cut.

use proptest::prelude::*;

use super::*;
use crate::desk::{Conversation, Recording};
use crate::load::tally::Failure;

fn at(millis: u64) -> Moment {
    Moment::after_start(Duration::from_millis(millis))
}

fn heard(millis: u64, bytes: &[u8]) -> Turn {
    Turn { at: Duration::from_millis(millis), what: What::Heard(bytes.into()) }
}

fn said(millis: u64, bytes: &[u8]) -> Turn {
    Turn { at: Duration::from_millis(millis), what: What::Said(bytes.into()) }
}

fn turn(millis: u64, what: What) -> Turn {
    Turn { at: Duration::from_millis(millis), what }
}

/// A conversation that begins at the start, with a timeout of a second.
fn dialogue(speed: Speed, turns: Vec<Turn>) -> Dialogue {
    let conversation = Conversation { turns, ..Conversation::default() };
    let script = Script::new(Recording { conversations: vec![conversation], ..Recording::default() });
    Dialogue::new(&script, 0, speed, Duration::from_secs(1), (at(0), at(0)))
}

/// Does all that is to be done at this moment: what was sent by that.
fn act(dialogue: &mut Dialogue, now: Moment) -> Vec<u8> {
    let mut sent = Vec::new();
    loop {
        match dialogue.next(now) {
            Step::Send(bytes) => {
                sent.extend_from_slice(bytes);
                let length = bytes.len();
                dialogue.sent(length, now);
            }
            Step::Finish => dialogue.finished(now),
            Step::Reset => dialogue.reset(),
            _ => return sent,
        }
    }
}

fn hear(dialogue: &mut Dialogue, bytes: &[u8], now: Moment) -> Vec<Asked> {
    let mut answered = Vec::new();
    dialogue.receive(bytes, now, |asked| answered.push(asked));
    answered
}

#[test]
fn a_message_leaves_at_its_time_and_not_before_what_was_said_before_it() {
    let turns = || vec![said(10, b"hi\n"), heard(100, b"a\n"), said(110, b"A\n"), heard(200, b"b\n")];

    let mut early = dialogue(Speed::Times(1.0), turns());
    assert_eq!(early.next(at(0)), Step::Wait(at(1010)), "the greeting may come until then");
    hear(&mut early, b"hi\n", at(5));
    assert_eq!(early.next(at(5)), Step::Wait(at(100)));
    assert_eq!(early.next(at(100)), Step::Send(b"a\n"));

    let mut late = dialogue(Speed::Times(10.0), turns());
    hear(&mut late, b"h", at(40));
    assert_eq!(act(&mut late, at(41)), b"", "the greeting has not come whole");
    hear(&mut late, b"i\n", at(50));
    assert_eq!(act(&mut late, at(50)), b"a\n");
    let answered = hear(&mut late, b"A\n", at(60));
    assert_eq!(answered, [Asked { due: at(10), sent: at(50) }], "counted from when it was due");
    assert_eq!(late.next(at(60)), Step::Send(b"b\n"));
    assert_eq!(late.sent(2, at(61)).map(|left| left.late), Some(Duration::from_millis(41)));

    let mut unpaced = dialogue(Speed::Unpaced, turns());
    hear(&mut unpaced, b"hi\n", at(1));
    assert_eq!(act(&mut unpaced, at(1)), b"a\n");
    let answered = hear(&mut unpaced, b"A\n", at(3));
    assert_eq!(answered, [Asked { due: at(1), sent: at(1) }]);
    assert_eq!(act(&mut unpaced, at(3)), b"b\n");
    assert_eq!(unpaced.next(at(3)), Step::Wait(at(203)), "something more may come, which was not recorded");
    assert_eq!(unpaced.next(at(203)), Step::Leave(Leave::Unrecorded));
}

#[test]
fn what_differs_is_told_with_its_place() {
    let long: Vec<u8> = (0..1000u32).flat_map(|number| number.to_string().into_bytes()).collect();
    let mut wrong = long.clone();
    wrong[700] = b'\x1b';
    let mut dialogue = dialogue(Speed::Unpaced, vec![said(0, b"hello\n"), said(0, &long), said(0, b"end\n")]);

    hear(&mut dialogue, &[b"hello\n", &wrong[..], b"end\nand more\n"].concat(), at(0));

    let account = dialogue.account();
    assert_eq!((account.replies, account.wrong_replies, account.wrong_bytes), (3, 1, 1));
    assert_eq!(account.surplus_bytes, 9);
    let words = account.difference.as_ref().map(|difference| difference.in_words(3)).unwrap_or_default();
    assert!(words.starts_with("conversation 3: the server's bytes differ after 706: \""), "{words}");
    assert!(words.contains("\\x1b") && !words.contains('\x1b'), "{words}");
    assert!(words.len() < 300, "{words}");
}

#[test]
fn a_reply_is_missing_from_its_time_on() {
    let mut paced = dialogue(Speed::Times(1.0), vec![heard(0, b"a\n"), said(5000, b"A\n")]);

    act(&mut paced, at(0));
    assert_eq!(paced.next(at(10)), Step::Wait(at(6000)), "it took five seconds in the recording");
    assert_eq!(paced.next(at(6000)), Step::Overdue);
    assert_eq!(paced.overdue(), Failure::TimedOut);

    assert_eq!(paced.missing(), (1, 2));
    assert_eq!(paced.unanswered(), Some(Asked { due: at(0), sent: at(0) }));
    let words = paced.account().difference.as_ref().map(|difference| difference.in_words(1));
    let told = "conversation 1: after 0 bytes of the server \"A\\n\" did not come within 1s";
    assert_eq!(words.as_deref(), Some(told));
}

#[test]
fn an_end_is_as_recorded_where_all_that_stands_before_it_has_happened() {
    let turns = |end| vec![heard(0, b"a\n"), said(1, b"A\n"), heard(2, b"bye\n"), turn(3, end)];
    let played = |end, sends, says: &[u8]| {
        let mut dialogue = dialogue(Speed::Times(1.0), turns(end));
        act(&mut dialogue, at(0));
        hear(&mut dialogue, says, at(1));
        if sends {
            act(&mut dialogue, at(2));
        }
        dialogue
    };

    assert_eq!(played(What::SaidEnd, true, b"A\n").ended(at(3)), Ok(()));
    assert_eq!(played(What::SaidEnd, false, b"A\n").ended(at(1)), Err(Failure::ClosedEarly));
    assert_eq!(played(What::SaidEnd, true, b"A").ended(at(3)), Err(Failure::ClosedEarly));
    assert_eq!(played(What::SaidReset, true, b"A\n").ended(at(3)), Err(Failure::ClosedEarly));
    let broke = |mut dialogue: Dialogue| dialogue.broke(Failure::Reset, "reset".to_owned());
    assert_eq!(broke(played(What::SaidReset, true, b"A\n")), Ok(()));
    assert_eq!(broke(played(What::SaidReset, false, b"A\n")), Err(Failure::Reset));
    assert_eq!(broke(played(What::SaidEnd, true, b"A\n")), Err(Failure::Reset));
}

#[test]
fn what_comes_when_all_has_happened_was_not_recorded_until_we_finish() {
    let turns = || vec![heard(10, b"a\n"), said(100, b"A\n")];

    let mut quiet = dialogue(Speed::Times(1.0), turns());
    act(&mut quiet, at(10));
    hear(&mut quiet, b"A\n", at(20));
    assert_eq!(quiet.next(at(20)), Step::Wait(at(300)), "from when it was recorded");
    hear(&mut quiet, b"more\n", at(250));
    assert_eq!(quiet.account().surplus_bytes, 5);
    assert_eq!(quiet.next(at(300)), Step::Leave(Leave::Unrecorded));

    let mut left = dialogue(Speed::Unpaced, turns());
    act(&mut left, at(10));
    hear(&mut left, b"A\n", at(20));
    assert_eq!((left.ended(at(30)), left.next(at(30))), (Ok(()), Step::Leave(Leave::AsRecorded)));

    let finished = [turns(), vec![turn(120, What::HeardEnd)]].concat();
    let mut finished = dialogue(Speed::Unpaced, finished);
    act(&mut finished, at(10));
    hear(&mut finished, b"A\n", at(20));
    act(&mut finished, at(20));
    assert_eq!(
        finished.next(at(20)),
        Step::Leave(Leave::Unrecorded),
        "what is said to an end may be missing"
    );
}

#[test]
fn ends_of_ours_come_at_their_time() {
    let mut finishes = dialogue(Speed::Times(1.0), vec![turn(5, What::HeardEnd), said(6, b"bye\n")]);
    assert_eq!(finishes.next(at(4)), Step::Wait(at(5)));
    assert_eq!(finishes.next(at(5)), Step::Finish);
    finishes.finished(at(5));
    assert_eq!(hear(&mut finishes, b"bye\n", at(6)).len(), 1, "an end may be answered, too");

    let mut resets = dialogue(Speed::Times(1.0), vec![turn(5, What::HeardReset), said(6, b"unheard\n")]);
    assert_eq!(resets.next(at(5)), Step::Reset);
    resets.reset();
    assert_eq!(resets.next(at(5)), Step::Leave(Leave::AsRecorded));
}

/// Recorded turns: mostly short messages and replies, with ends at the end.
fn recorded() -> impl Strategy<Value = Vec<Turn>> {
    let bytes = prop::collection::vec(0u8..4, 0..40);
    let turn = (any::<bool>(), bytes).prop_map(|(ours, bytes)| {
        let bytes = bytes.into();
        Turn { at: Duration::ZERO, what: if ours { What::Heard(bytes) } else { What::Said(bytes) } }
    });
    let ends = prop::sample::select(vec![vec![], vec![What::SaidEnd], vec![What::HeardEnd, What::SaidEnd]]);
    (prop::collection::vec(turn, 0..8), ends).prop_map(|(mut turns, ends)| {
        turns.extend(ends.into_iter().map(|what| Turn { at: Duration::ZERO, what }));
        turns
    })
}

proptest! {
    #[test]
    fn the_verdict_does_not_depend_on_how_the_bytes_are_cut(
        turns in recorded(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        more in prop::collection::vec(any::<u8>(), 0..60),
        drop in 0usize..4,
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut bytes: Vec<u8> = turns.iter().flat_map(|turn| match &turn.what {
            What::Said(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        }).collect();
        for (place, byte) in changes {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        if drop > 0 { bytes.truncate(bytes.len().saturating_sub(drop)) } else { bytes.extend(more) }
        let play = |pieces: Vec<&[u8]>| {
            let mut dialogue = dialogue(Speed::Unpaced, turns.clone());
            let mut sent = act(&mut dialogue, at(0));
            for piece in pieces {
                hear(&mut dialogue, piece, at(0));
                sent.extend(act(&mut dialogue, at(0)));
            }
            let end = dialogue.ended(at(0));
            let account = dialogue.account();
            let words = account.difference.as_ref().map(|difference| difference.in_words(1));
            let counts = (account.replies, account.wrong_replies, account.wrong_bytes, account.surplus_bytes);
            (sent, end, words, counts, dialogue.missing(), dialogue.unsent())
        };

        let whole = play(vec![&bytes]);
        let mut pieces = Vec::new();
        let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let length = cuts.next().map_or(1, |cut| *cut).min(rest.len());
            pieces.push(&rest[..length]);
            rest = &rest[length..];
        }

        prop_assert_eq!(play(pieces), whole);
    }
}
