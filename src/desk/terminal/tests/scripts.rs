//! Random scripts of keys, messages and sizes, of the whole desk on the model of a terminal: at the bottom always
//! stands the prompt with what was typed, and in the end every message stands there once, in order.

use super::*;

/// `SWITCHBOARD_SCRIPTS=1000 cargo test --lib scripts` has a thousand.
const SCRIPTS: u64 = 20;
const STEPS: usize = 60;

const TYPED: &[&str] = &[
    "a",
    "hello ",
    "你好",
    "é",
    "e\u{301}",
    "👩‍👩‍👧‍👦",
    "\x7f",
    "\x1b[D",
    "\x1b[C",
    "\x01",
    "\x05",
    "\x17",
    "\x19",
];

#[test]
fn h49_whatever_arrives_while_a_line_is_typed_the_line_is_whole_and_each_message_stands_once() {
    let scripts =
        std::env::var("SWITCHBOARD_SCRIPTS").map_or(SCRIPTS, |count| count.parse().expect("a number"));
    for seed in 0..scripts {
        let mut dice = Dice::of_seed(seed);
        let (mut columns, mut rows) = (40 + dice.below(80), 20 + dice.below(20));
        let mut rig = Rig::new(columns, rows);
        rig.opens(1);
        rig.opens(2);
        let mut said = 0;
        for step in 0..STEPS {
            // Nobody says more than 200 lines a second.
            rig.pass(Duration::from_millis(100));
            match dice.below(10) {
                0..4 => {
                    for _ in 0..dice.below(30) {
                        let filler = dice.pick(&["x", "好", "long word "]).repeat(dice.below(60));
                        rig.says(1 + said % 2, &format!("<{said:05}>{filler}"));
                        said += 1;
                    }
                }
                4 => {
                    (columns, rows) = (40 + dice.below(80), 20 + dice.below(20));
                    rig.resize(columns, rows);
                }
                5 => rig.pass(Duration::from_millis(700)),
                6 if rig.desk.editor.line().len() > 200 => rig.types("\x15"),
                _ => rig.types(dice.pick(TYPED)),
            }
            rig.draw();
            let typed: String = rig.desk.editor.line().split_whitespace().collect();
            let bottom: String = rig.model.screen().concat().split_whitespace().collect();
            let prompt: String = rig.desk.shown.prompt(&rig.desk.roster).split_whitespace().collect();
            let drawn = bottom.rfind(&prompt).map(|at| &bottom[at + prompt.len()..]).unwrap_or_default();
            assert!(drawn.starts_with(&typed), "seed {seed}, step {step}: {typed:?} is not in {drawn:?}");
        }
        let all = rig.model.all().concat();
        let numbers: Vec<u64> =
            all.split('<').skip(1).filter_map(|part| part.split_once('>')?.0.parse().ok()).collect();
        assert_eq!(numbers, (0..said).collect::<Vec<u64>>(), "seed {seed}: each once, in order");
    }
}
