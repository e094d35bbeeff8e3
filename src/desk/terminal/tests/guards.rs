//! What must not happen by accident.

use super::*;

fn rig() -> Rig {
    let mut rig = Rig::new(80, 24);
    rig.opens(3);
    rig.says(3, "hello");
    rig.draw();
    rig
}

#[test]
fn words_that_are_commands_elsewhere_are_held_back_once() {
    for word in ["help", "?", "quit"] {
        let mut rig = rig();
        rig.types(&format!("{word}\r"));
        rig.draw();
        assert_eq!(rig.sent(), [""; 0], "{word}");
        let told = format!("{word:?} was not sent to #3: Enter sends it, /help explains");
        assert!(rig.rows().contains(&told), "{:?}", rig.rows());

        rig.types("\r");
        assert_eq!(rig.sent(), [format!("One(3): {word}")]);
    }
    let mut rig = rig();
    rig.types("quit\r\x15/stats\r");
    rig.replies_sent(3);
    rig.sent();
    rig.types("quit\r");
    assert_eq!(rig.sent(), [""; 0], "it is another line");
    rig.types("\x15help me\r");
    assert_eq!(rig.sent(), ["One(3): help me"]);
    rig.types("exit\r/quit\r");
    assert_eq!(rig.sent(), ["One(3): exit", "One(3): /quit"], "these never ask");
}

#[test]
fn an_empty_line_sends_nothing() {
    let mut rig = rig();
    rig.types("\r\r\r");
    assert_eq!(rig.sent(), [""; 0]);
}

#[test]
fn ctrl_c_clears_a_line_and_on_an_empty_one_quits_when_it_comes_twice_within_two_seconds() {
    let mut rig = rig();
    rig.types("half a line\x03");
    rig.draw();
    assert!(rig.last_row().starts_with("#3>") && !rig.last_row().contains("half"), "{:?}", rig.last_row());

    rig.types("\x03");
    rig.draw();
    let asked = "* Ctrl-C again within two seconds quits and drops 1 connection".to_owned();
    assert!(rig.rows().contains(&asked), "{:?}", rig.rows());
    rig.pass(Duration::from_secs(3));
    rig.types("\x03");
    assert!(!rig.was_terminated, "too late");
    rig.types("\x03");
    assert!(rig.was_terminated);
}

#[test]
fn ctrl_d_asks_once_while_somebody_is_connected() {
    let mut rig = rig();
    rig.types("\x04");
    rig.draw();
    assert!(!rig.has_ended);
    assert!(
        rig.rows().contains(&"* Ctrl-D again quits and drops 1 connection".to_owned()),
        "{:?}",
        rig.rows()
    );
    rig.types("x\x7f\x04");
    assert!(!rig.has_ended, "something else was done since");
    rig.types("\x04");
    assert!(rig.has_ended);

    let mut alone = Rig::new(80, 24);
    alone.types("\x04");
    assert!(alone.has_ended);
}

#[test]
fn h50_what_is_pasted_in_several_rows_is_one_text_for_one_target_and_nothing_is_sent_before_enter() {
    let mut rig = rig();
    rig.types("\x1b[200~/kick 3\r/quit\rlast\r\x1b[201~");
    rig.draw();
    assert_eq!(rig.sent(), [""; 0]);
    assert!(rig.last_row().starts_with("#3> /kick 3⏎/quit⏎last⏎"), "{:?}", rig.last_row());

    rig.types("\r");
    let entered = rig.entered.pop().expect("it was entered");
    assert_eq!(entered.line, b"/kick 3\n/quit\nlast");
    assert!(entered.is_text, "it is no command");
    assert_eq!(entered.whom, crate::terminal::Whom::One(3));
}

#[test]
fn a_command_that_was_typed_and_has_a_second_row_is_neither_carried_out_nor_sent() {
    let mut rig = rig();
    rig.types("/send @3 \x1b[200~one\rtwo\x1b[201~\r");
    rig.draw();
    assert_eq!(rig.sent(), [""; 0]);
    assert!(rig.last_row().contains("> /send @3 one⏎two"), "{:?}", rig.last_row());

    rig.types("\x15\x1b[200~/kick 3\r\x1b[201~\r");
    assert_eq!(rig.sent(), ["One(3): /kick 3"], "the end of the only row is none of it");
}

#[test]
fn while_the_server_stops_nothing_is_taken_and_ctrl_c_is_a_signal() {
    let mut rig = rig();
    rig.types("/quit\r");
    rig.sent();
    rig.desk.reply(&Reply::Stopping(1));

    rig.types("too late\r");
    assert_eq!(rig.sent(), [""; 0]);
    rig.types("\x03");
    assert!(rig.was_terminated);
}
