//! What is learnt of an answer, what is none, and what the rules make of messages that no real socket brings so exactly.

use super::*;
use crate::buffer::framing::Framing;
use crate::desk::{Spelt, Template};
use crate::modes::Console;

/// A console with these rules.
fn rig(rules: &[(&str, &str)], limits: Limits) -> Rig<Console> {
    let spelling = Spelling::Text(Format::Human);
    let mut rig = Rig::new(Console::new(Framing::Lines), spelling, DeskOptions::PIPE, limits);
    let spelt = |(regex, text): &(&str, &str)| Spelt::given(regex, Template::parse(text.as_bytes()).unwrap());
    rig.hub.desks.use_rules(Rules::new(rules.iter().map(spelt).collect(), None).unwrap());
    rig
}

/// A peer asks, and the operator answers by lines.
fn converse(rig: &mut Rig<Console>, peer: u64, asked: &[u8], typed: &[&str]) {
    rig.says(peer, asked);
    rig.settle();
    typed.iter().for_each(|line| rig.type_line(line));
    rig.settle();
    rig.shown();
}

#[test]
fn all_that_one_is_sent_before_another_is_answered_is_the_answer() {
    for rules in [&[][..], &[("never", "x")]] {
        let mut rig = rig(rules, Limits::default());
        let (one, other) = (rig.connect(), rig.connect());
        converse(&mut rig, one, b"ping\r\n", &["pong", "/send $a\\0\\\\", "/hex ff"]);
        // It speaks again, which is another message.
        rig.says(one, b"more\n");
        rig.settle();
        rig.shown();

        let told = "-> \"ping\" is answered with \"pong\\n$a\\x00\\\\\\xff\" from now on\n";
        assert_eq!(rig.reply_to("/learn").0, told);
        rig.says(other, b"ping\n");
        rig.settle();

        assert_eq!(rig.got(other), b"pong\n$a\0\\\xff");
        rig.shown();
        assert_eq!(rig.reply_to("/learn").0, "nothing to learn: this answer was learnt already\n");
        let waiting = rig.reply_to("/pending").0;
        assert_eq!(waiting.lines().count(), 1, "only the first asks: {waiting}");
        assert!(waiting.starts_with(&format!("#{one} waits")), "{waiting}");
    }
}

#[test]
fn what_was_answered_is_the_last_message_that_no_rule_fitted_where_that_is_known() {
    // Nothing is kept but the first, unless there are rules, or somebody has asked for what was said.
    for (rules, begins, learnt) in
        [(&[][..], "/stats", "one"), (&[("rule", "x")], "/stats", "two"), (&[], "/pending", "two")]
    {
        let mut rig = rig(rules, Limits::default());
        let peer = rig.connect();
        rig.reply_to(begins);
        let asked: &[u8] = if rules.is_empty() { b"one\ntwo\n" } else { b"one\ntwo\na rule\n" };
        converse(&mut rig, peer, asked, &["answer"]);

        let told = format!("-> \"{learnt}\" is answered with \"answer\\n\" from now on\n");
        assert_eq!(rig.reply_to("/learn").0, told);
    }
}

#[test]
fn what_is_said_behind_another_answer_does_not_belong_to_the_first() {
    let mut rig = rig(&[("rule", "of itself")], Limits::default());
    let peer = rig.connect();
    converse(&mut rig, peer, b"unknown\n", &["answer"]);
    converse(&mut rig, peer, b"rule\n", &["something else"]);

    let told = format!("nothing to learn: #{peer} had said nothing that waited for an answer\n");
    assert_eq!(rig.reply_to("/learn").0, told);
}

#[test]
fn what_is_no_answer_to_one_message_is_not_learnt_and_the_reply_says_why() {
    let limits = Limits { line_bytes_max: 8 << 10, ..Limits::default() };
    let long = [b"l".repeat(4097), b"\n".to_vec()].concat();
    let cut = [b"c".repeat(9000), b"\n".to_vec()].concat();
    for (asked, typed, told) in [
        (&b""[..], &[][..], "nothing to learn: nobody was answered yet"),
        (b"", &["@1 unasked"], "nothing to learn: #1 had said nothing that waited for an answer"),
        (b"x\n", &["@1,2 both"], "nothing to learn: the last text was for several"),
        (b"x\n", &["@all all"], "nothing to learn: the last text was for several"),
        (b"x\n", &["y", "@2 unasked"], "nothing to learn: #2 had said nothing that waited for an answer"),
        (b"x\n", &["/done 1", "y"], "nothing to learn: #1 had said nothing that waited for an answer"),
        (b"x\n", &["/done 1", "@1,1 y"], "nothing to learn: #1 had said nothing that waited for an answer"),
        (&long, &["y"], "cannot learn: what #1 said is longer than 4 KiB"),
        (&cut, &["y"], "cannot learn: what #1 said is longer than 4 KiB"),
    ] {
        for rules in [&[][..], &[("rule", "x")]] {
            let mut rig = rig(rules, limits.clone());
            let peers = [rig.connect(), rig.connect()];
            converse(&mut rig, peers[0], asked, typed);

            let reply = rig.reply_to("/learn").0;

            assert!(reply.starts_with(told), "{typed:?}: {reply}");
            assert!(rig.hub.desks.rules.learn(b"x", b"y").is_ok(), "{typed:?} taught it nothing");
        }
    }
}

#[test]
fn a_list_of_one_is_one() {
    let mut rig = rig(&[], Limits::default());
    let peer = rig.connect();
    converse(&mut rig, peer, b"ping\n", &[&format!("@{peer},{peer} pong")]);

    assert_eq!(rig.reply_to("/learn").0, "-> \"ping\" is answered with \"pong\\n\" from now on\n");
}

#[test]
fn an_answer_of_sixty_four_kib_is_learnt_and_a_longer_one_is_not() {
    for (more, told) in
        [(0, "-> \"ping\" is answered"), (1, "cannot learn: the answer is longer than 64 KiB\n")]
    {
        let mut rig = rig(&[], Limits::default());
        let peer = rig.connect();
        converse(&mut rig, peer, b"ping\n", &[&"a".repeat(60 << 10), &"b".repeat((4 << 10) - 2 + more)]);

        let reply = rig.reply_to("/learn").0;

        assert!(reply.starts_with(told), "{reply}");
        assert!(reply.len() < 300, "it is shortened");
        assert!(rig.got(peer).len() > 64 << 10 || more == 0);
    }
}

#[test]
fn what_a_rule_answers_is_pending_for_nobody_and_strikes_nobody_off() {
    let mut rig = rig(&[("^ping$", "pong\\n")], Limits { line_bytes_max: 16, ..Limits::default() });
    let (known, unknown) = (rig.connect(), rig.connect());
    rig.says(known, b"ping\n");
    rig.says(unknown, b"what?\nping\n");
    rig.settle();
    rig.shown();

    let waiting = rig.reply_to("/pending").0;

    assert!(waiting.starts_with(&format!("#{unknown} waits")) && waiting.contains("what?"), "{waiting}");
    assert_eq!(waiting.lines().count(), 1);
    assert_eq!((rig.got(known), rig.got(unknown)), (b"pong\n".to_vec(), b"pong\n".to_vec()));
}

#[test]
fn a_message_that_was_cut_is_looked_at_once_and_its_rest_belongs_to_it() {
    let mut rig = rig(&[("a", "A"), ("^b", "B")], Limits { line_bytes_max: 8, ..Limits::default() });
    let (fits, not) = (rig.connect(), rig.connect());
    rig.says(fits, b"aaaaaaaaaaaaaaaaaaaaa\nb\n");
    rig.says(not, b"xxxxxxxxbbbbbbbbaaa\na\n");
    rig.settle();
    rig.shown();

    assert_eq!(rig.got(fits), b"AB");
    assert_eq!(rig.got(not), b"A");
    let waiting = rig.reply_to("/pending").0;
    assert!(waiting.starts_with(&format!("#{not} waits")) && waiting.lines().count() == 1, "{waiting}");
}

#[test]
fn answers_behind_a_wait_stay_in_order_and_hold_up_nobody_else() {
    let mut rig = rig(&[("slow", "${wait 200ms}late ${n}\\n"), ("now", "${n}\\n")], Limits::default());
    let (one, other) = (rig.connect(), rig.connect());
    rig.says(one, b"slow\nnow\nslow\n");
    rig.says(other, b"now\n");
    rig.settle();

    assert_eq!((rig.got(one), rig.got(other)), (b"".to_vec(), b"1\n".to_vec()));
    rig.pass(199);
    assert_eq!(rig.got(one), b"");
    rig.pass(1);
    assert_eq!(rig.got(one), b"late 1\n2\n");
    rig.pass(199);
    assert_eq!(rig.got(one), b"late 1\n2\n", "the second wait begins when it is its turn");
    rig.pass(1);
    assert_eq!(rig.got(one), b"late 1\n2\nlate 3\n");
}

#[test]
fn many_that_wait_are_enough_and_what_else_it_says_is_not_read_meanwhile() {
    let mut rig = rig(&[("(.*)", "${wait 1s}${1}\\n")], Limits::default());
    let peer = rig.connect();
    // Long ones: what is taken out of them is kept.
    rig.says(peer, &[vec![b'x'; 30_000], b"\n".to_vec()].concat().repeat(20));
    rig.settle();

    let waiting = rig.hub.desks.answers_waiting(peer);
    assert!((2..=4).contains(&waiting), "{waiting}");
    for _ in 0..20 {
        rig.pass(1000);
    }
    assert_eq!(rig.got(peer).len(), 20 * 30_001, "all were answered");
}

#[test]
fn when_stdin_has_ended_an_answer_that_waits_is_still_given() {
    let mut rig = rig(&[("ping", "${wait 1s}pong\\n")], Limits::default());
    rig.post(Mail::Stdin(Chunk::Ended(None)));
    rig.settle();
    let peer = rig.connect();
    rig.says(peer, b"ping\n");
    rig.finishes(peer);
    rig.settle();

    assert_eq!(rig.got(peer), b"");
    rig.pass(1000);

    assert_eq!(rig.got(peer), b"pong\n");
    assert!(rig.engine.board.find(peer).is_none(), "both sides have finished");
}

#[test]
fn what_is_repeated_from_the_start_is_no_answer() {
    for text in ["tick\\n", "tick ${id}\\n"] {
        let mut rig = rig(&[], Limits::default());
        rig.hub.desks.repeat_text(Duration::from_secs(1), Template::parse(text.as_bytes()).unwrap());
        let peer = rig.connect();
        rig.says(peer, b"ping\n");
        rig.settle();
        rig.pass(1000);
        rig.shown();
        assert!(rig.got(peer).starts_with(b"tick"));

        assert!(rig.reply_to("/pending").0.contains("ping"));
        rig.type_line("pong");
        rig.settle();
        rig.shown();
        assert_eq!(rig.reply_to("/learn").0, "-> \"ping\" is answered with \"pong\\n\" from now on\n");
    }
}
