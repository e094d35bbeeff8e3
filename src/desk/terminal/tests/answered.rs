//! What is answered of itself, on the screen and in the counts.

use super::*;
use crate::desk::event::{Author, DeskId, Receivers};
use crate::desk::lesson::{NoLesson, Written};
use crate::desk::refusal::Refusal;

impl Rig {
    fn is_answered(&mut self, serial: u64, text: &[u8]) {
        let who = Who::nameless(serial);
        self.desk.event(&Event::Answered { who, by: Author::Reply, bytes: text }, View::Text, self.now);
    }
}

#[test]
fn an_answer_by_a_rule_is_shown_with_its_text_and_who_got_it_does_not_wait() {
    let mut rig = Rig::new(100, 20);
    rig.opens(3);
    rig.opens(4);
    rig.says(3, "ping");
    rig.desk.awaits_nothing(3);
    rig.is_answered(3, b"pong\n");
    rig.draw();

    let has = |rig: &Rig, part: &str| rig.rows().iter().any(|row| row.contains(part));
    assert!(has(&rig, "-> #3 5 bytes (reply) pong"), "{:?}", rig.rows());
    assert!(!has(&rig, "pending"), "{:?}", rig.rows());

    // One that waits is not struck off by an answer to something else.
    rig.says(4, "unknown");
    rig.is_answered(4, b"\x1b[31mred\n\n");
    rig.draw();
    assert!(has(&rig, "1 pending"), "{:?}", rig.rows());
    assert!(has(&rig, "-> #4 10 bytes (reply) \\x1b[31mred\\x0a"), "{:?}", rig.rows());
}

#[test]
fn whoever_is_sent_something_again_waits_until_it_is_said_to_be_answered() {
    let mut rig = Rig::new(100, 20);
    for serial in [3, 4] {
        rig.opens(serial);
        rig.says(serial, "a question");
    }
    let to = Receivers::All;
    rig.desk.event(&Event::Sent { by: Author::Every, to, bytes: b"tick\n" }, View::Text, rig.now);
    rig.desk.event(&Event::Done(Who::nameless(3), DeskId(1)), View::Text, rig.now);
    rig.draw();

    assert!(rig.last_row().ends_with("1 pending · 2 here"), "the other reads slowly: {:?}", rig.rows());
}

#[test]
fn answers_to_a_flood_are_sampled_with_it() {
    let mut rig = Rig::new(100, 40);
    rig.opens(7);
    for _ in 0..100 {
        for number in 0..100 {
            rig.says(7, &format!("ask {number}"));
            rig.is_answered(7, b"answer\n");
        }
        rig.draw();
        rig.pass(Duration::from_millis(10));
    }

    let shown = rig.rows().iter().filter(|row| row.contains("(reply) answer")).count();
    let asked = rig.rows().iter().filter(|row| row.contains("#7> ask")).count();

    assert_eq!(shown, asked, "each that is shown has its question");
    assert!((1..2000).contains(&shown), "{shown} of 10,000");
    assert!(rig.rows().iter().any(|row| row.contains("lines/s, 1 in")), "{:?}", rig.rows());
}

#[test]
fn what_was_learnt_is_one_line_however_long_and_strange_it_is() {
    let mut rig = Rig::new(250, 20);
    let message = ["q".repeat(4000).into_bytes(), b"\n".to_vec()].concat();
    let written = Written::NotTo("/x/rules".to_owned(), "No space left on device".to_owned());

    rig.desk.reply(&Reply::Learnt(&message, b"\x1b]0;x\x07\"$1\xff", &written));
    rig.desk.reply(&Reply::Refused(Refusal::NoLesson(NoLesson::Fits("a\u{202e}".as_bytes().into()))));
    rig.draw();

    let told = format!(
        "-> \"{}…\" is answered with \"\\x1b]0;x\\x07\"$1\\xff\" from now on; not written to /x/rules: \
         No space left on device",
        "q".repeat(80)
    );
    assert!(rig.rows().contains(&told), "{:?}", rig.rows());
    let refused = "nothing to learn: a rule answers \"a\\xe2\\x80\\xae\" already";
    assert!(rig.rows().iter().any(|row| row.contains(refused)), "{:?}", rig.rows());
}
