//! What goes back to who sent it without being shown to anybody.

use super::*;

/// An echo whose App says that it does nothing else, over streams that can do it by themselves.
fn splice() -> (Rig, Far) {
    let limits = Limits { read_budget_bytes: 100, splice_bytes_min: 50, ..Limits::default() };
    let mut rig = Rig::echo(limits.clone());
    rig.app.policies[Role::PEER.number()].framing = Framing::Echo;
    let mut rig = Rig::of(limits, rig.app);
    let far = rig.connect();
    far.wire.splices();
    (rig, far)
}

/// So many different bytes.
fn bulk(bytes: usize) -> String {
    (0..bytes).map(|at| char::from(b'a' + (at % 23) as u8)).collect()
}

#[test]
fn from_the_second_read_on_much_goes_back_without_the_app() {
    let (mut rig, far) = splice();

    rig.says(&far, &bulk(350));
    rig.settle();

    assert_eq!(far.wire.text(), bulk(350));
    assert_eq!((far.wire.spliced_bytes(), rig.told().len()), (250, 1), "the App saw the first read alone");
    let stats = rig.board().stats();
    assert_eq!((stats.received_bytes, stats.sent_bytes, stats.frames), (350, 350, 4));
}

#[test]
fn little_is_handed_to_the_app_as_ever() {
    let (mut rig, far) = splice();
    rig.says(&far, &bulk(110));
    rig.settle();

    rig.says(&far, "little");
    rig.settle();
    rig.says(&far, "more");
    rig.settle();

    assert_eq!(far.wire.text(), bulk(110) + "littlemore");
    assert_eq!(far.wire.spliced_bytes(), 10, "behind much may come more, which is soon known");
}

#[test]
fn what_is_not_taken_is_kept_and_comes_before_what_follows() {
    let (mut rig, far) = splice();
    rig.says(&far, &bulk(100));
    rig.settle();
    far.wire.stalls();
    far.wire.puts([Put::Accept(30)]);

    rig.says(&far, &bulk(300));
    rig.settle();
    let queued = rig.queued(&far);
    rig.has_room_again(&far);
    rig.settle();

    assert!(queued >= 70, "{queued} queued");
    assert_eq!(far.wire.text(), bulk(100) + &bulk(300));
    rig.board().check_sums();
}

#[test]
fn when_sending_back_fails_what_was_said_is_still_read_and_what_is_lost_is_counted() {
    let (mut rig, far) = splice();
    rig.says(&far, &bulk(100));
    rig.settle();
    rig.told();
    far.wire.breaks(ErrorKind::BrokenPipe);

    rig.says(&far, &bulk(120));
    far.wire.gets([Get::Eof]);
    rig.settle();

    assert_eq!(rig.told().last().map(String::as_str), Some("#1 closed reset"));
    let stats = rig.board().stats();
    assert_eq!((stats.received_bytes, stats.sent_bytes, stats.unsent_bytes), (220, 100, 100));
}

#[test]
fn the_end_behind_much_is_an_end_and_a_break_is_a_break() {
    for (end, told) in
        [(Get::Eof, "#1 closed finished"), (Get::Fail(ErrorKind::ConnectionReset), "#1 closed reset")]
    {
        let (mut rig, far) = splice();
        far.wire.arrives(bulk(200).as_bytes());
        far.wire.gets([end]);

        rig.note(&far, ENDING);
        rig.settle();

        assert_eq!(rig.told().last().map(String::as_str), Some(told));
        assert_eq!(far.wire.text(), bulk(200));
    }
}

#[test]
fn an_app_that_does_anything_else_sees_everything() {
    let mut rig = Rig::echo(Limits { read_budget_bytes: 100, splice_bytes_min: 50, ..Limits::default() });
    let far = rig.connect();
    far.wire.splices();

    rig.says(&far, &bulk(350));
    rig.settle();

    assert_eq!((far.wire.text(), far.wire.spliced_bytes()), (bulk(350), 0));
}
