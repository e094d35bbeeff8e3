//! What is repeated while nobody reads what is told of it.

use serde_json::Value;

use super::*;
use crate::buffer::framing::Framing;
use crate::modes::Console;

#[test]
fn a_program_that_does_not_read_is_told_how_often_something_was_sent_and_not_each_time() {
    let console = Console::new(Framing::Lines);
    let limits = Limits::default();
    let mut rig = Rig::with_screens(console, Spelling::Json, DeskOptions::PIPE, limits, 10_000);
    let peer = rig.connect();
    rig.type_line(format!(
        r#"{{"cmd":"every","every":"1s","to":{peer},"text":"{}","ref":1}}"#,
        "x".repeat(500)
    ));
    rig.settle();
    rig.shown();

    for _ in 0..1000 {
        rig.pass(1000);
    }
    let mut told = rig.shown().events;
    let waited: usize = told.iter().map(String::len).sum();
    rig.pass(1000);
    told.extend(rig.shown().events);

    assert_eq!(rig.got(peer).len(), 1001 * 501, "each time something was sent");
    assert!((10_000..40_000).contains(&waited), "{waited} bytes waited to be read");
    let (sent, skipped): (Vec<_>, Vec<_>) = told
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .partition(|line: &Value| line["ev"] == "sent");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(sent.len() as u64 + skipped[0]["count"].as_u64().unwrap(), 1001);
    assert_eq!(sent.last().unwrap()["seq"], 1003, "what was left out has its numbers");
}
