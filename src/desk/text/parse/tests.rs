//! Lines and what they mean, mistyped ones among them.

use super::*;
use crate::desk::FaultSpec;
use proptest::prelude::*;

fn close(whom: To<'_>, how: How) -> Command<'_> {
    Command::Close(whom, how, Cow::Borrowed(b""))
}

fn exactly<'a>(to: To<'a>, bytes: &'a [u8]) -> Command<'a> {
    Command::Send(to, Payload::Exact(Cow::Borrowed(bytes)))
}

fn broken(spec: &str) -> Fault {
    Fault::Add(FaultSpec::parse(spec).unwrap().into())
}

#[test]
fn texts_and_targets() {
    for (line, command) in [
        ("hello", say(To::Current, b"hello")),
        ("", say(To::Current, b"")),
        (" /who", say(To::Current, b" /who")),
        ("//path", say(To::Current, b"/path")),
        ("@@name", say(To::Current, b"@name")),
        ("@3 hi there", say(To::One(3), b"hi there")),
        ("@#3 hi", say(To::One(3), b"hi")),
        ("@3 ", say(To::One(3), b"")),
        ("@3,7,3 hi", say(To::Typed(b"3,7,3"), b"hi")),
        ("@lab-a,7 hi", say(To::Typed(b"lab-a,7"), b"hi")),
        ("@all hi", say(To::All, b"hi")),
        ("@lab-a hi", say(To::Named("lab-a"), b"hi")),
        ("@lab-* hi", say(To::Named("lab-*"), b"hi")),
        ("@设备 你好", say(To::Named("设备"), "你好".as_bytes())),
        ("@last exit", say(To::Last, b"exit")),
        ("@3", Command::Target(To::One(3))),
        ("@*", Command::Target(To::Named("*"))),
        ("@last\r", Command::Target(To::Last)),
        ("exit", Command::Quit),
        ("exit\r", Command::Quit),
        ("exit now", say(To::Current, b"exit now")),
    ] {
        assert_eq!(parse(line.as_bytes()), Ok(command), "{line:?}");
    }
}

#[test]
fn commands() {
    for (line, command) in [
        ("/who", Command::Who(None)),
        ("/who \r", Command::Who(None)),
        ("/who lab-*", Command::Who(Some("lab-*".into()))),
        ("/eof 3", close(To::One(3), How::Eof)),
        ("/rst @all", close(To::All, How::Reset)),
        ("/kick #3  be quiet", Command::Close(To::One(3), How::Kick, Cow::Borrowed(b"be quiet"))),
        ("/kick lab-a", close(To::Named("lab-a"), How::Kick)),
        ("/help", Command::Help(None)),
        ("/help kick", Command::Help(crate::desk::help::help("/kick"))),
        ("/pending", Command::Pending),
        ("/next", Command::Next),
        ("/done", Command::Done(To::Current)),
        ("/done 3", Command::Done(To::One(3))),
        ("/show 3", Command::Show(To::One(3), None)),
        ("/show @3 5", Command::Show(To::One(3), Some(5))),
        ("/show all", Command::Filter(Filter::All)),
        ("/name 3 lab-a", Command::Name(To::One(3), Some("lab-a".into()))),
        ("/name 3", Command::Name(To::One(3), None)),
        ("/hex 01 03 00", exactly(To::Current, &[1, 3, 0])),
        ("/hex @1 03 00", exactly(To::One(1), &[3, 0])),
        ("/send a\\r\\n\\x00", exactly(To::Current, b"a\r\n\0")),
        ("/send @lab-a a b ", exactly(To::Named("lab-a"), b"a b ")),
        ("/file @3 some file", Command::File(To::One(3), b"some file")),
        ("/file x", Command::File(To::Current, b"x")),
        ("/dial :80 web", Command::Dial(":80".into(), Some("web".into()))),
        ("/mute 3", Command::Filter(Filter::Mute(To::One(3)))),
        ("/focus 3,7", Command::Filter(Filter::Focus(To::Typed(b"3,7")))),
        ("/view hex", Command::View(None, View::Hex)),
        ("/view 3 text", Command::View(Some(To::One(3)), View::Text)),
        ("/every", Command::Every(Every::List)),
        ("/every off 2", Command::Every(Every::Off(Some(2)))),
        ("/every off all", Command::Every(Every::Off(None))),
        (
            "/every 5s @3 hi",
            Command::Every(Every::Begin(Duration::from_secs(5), Box::new(say(To::One(3), b"hi")))),
        ),
        ("/quit", Command::Quit),
        ("/link 3 4", Command::Link(To::One(3), To::One(4))),
        ("/link @lab-a #4", Command::Link(To::Named("lab-a"), To::One(4))),
        ("/unlink @3", Command::Unlink(To::One(3))),
        ("/fault 3", Command::Fault(Whose::These(To::One(3)), Fault::Show)),
        ("/fault @lab-* off\r", Command::Fault(Whose::These(To::Named("lab-*")), Fault::Off)),
        ("/fault new  in:stall  for=5s ", Command::Fault(Whose::Newcomers, broken("in:stall for=5s"))),
        ("/learn", Command::Learn),
    ] {
        assert_eq!(parse(line.as_bytes()), Ok(command), "{line:?}");
    }
}

#[test]
fn what_is_mistyped_is_an_error() {
    for line in [
        "@",
        "@ hi",
        "@3;7 hi",
        "@-3 hi",
        "@+3 hi",
        "@03 hi",
        "@0x3 hi",
        "@3a hi",
        "@99999999999999999999 hi",
        "@#lab hi",
        "@# hi",
        "/",
        "/whom",
        "/who 3;",
        "/eof",
        "/eof 3 4",
        "/eof ;",
        "/kick",
        "/rst",
        "/quit now",
        "/help nothing",
        "/text",
        "/@all hi",
        "/next 3",
        "/pending 3",
        "/done 3 4",
        "/show 3 x",
        "/show 3 0",
        "/show all 5",
        "/name",
        "/name 3 a b",
        "/hex",
        "/hex @3",
        "/hex xy",
        "/hex 123",
        "/send",
        "/send @3",
        "/send \\q",
        "/file",
        "/file @3",
        "/dial",
        "/dial a b c",
        "/mute",
        "/focus",
        "/view",
        "/view 3",
        "/view 3 hexa",
        "/view hex 3",
        "/every 5s",
        "/every 5",
        "/every 5s /who",
        "/every 5s /kick 3",
        "/every off",
        "/every off x",
        "/every 1ms hi",
        "/every 5s /every 5s hi",
        "/fault",
        "/fault latency=5s",
        "/fault 3 latency",
        "/fault 3 off stall",
        "/fault new on",
        "/every 5s /fault 3 stall",
        "/ who",
    ] {
        assert!(parse(line.as_bytes()).is_err(), "{line:?} is no mistake: {:?}", parse(line.as_bytes()));
    }
}

#[test]
fn a_mistake_says_what_is_missing_or_too_much() {
    for (line, told) in [
        ("/kick", "/kick needs to know which connection, for example: /kick 3"),
        ("/eof ", "/eof needs to know which connection, for example: /eof 3"),
        ("/rst", "/rst needs to know which connection, for example: /rst 3"),
        ("/who 3", "/who does not take \"3\": it is written /who [GLOB]"),
        ("/rst 3 now", "/rst does not take \"now\": it is written /rst 3"),
        ("/hex 01 zz", "/hex cannot read \"zz\": it is written /hex [@3] 0d 0a ff"),
        ("/every 5s /who", "/every repeats what sends something, and \"/who\" does not"),
    ] {
        assert_eq!(parse(line.as_bytes()).expect_err(line).to_string(), told);
    }
}

/// Reads a list to its end.
fn members(mut list: &[u8]) -> Result<Vec<To<'_>>, &[u8]> {
    let mut out = Vec::new();
    loop {
        let (member, length) = first_member(list)?;
        out.push(member);
        match list.get(length + 1..) {
            Some(rest) => list = rest,
            None => return Ok(out),
        }
    }
}

#[test]
fn a_list_is_read_member_by_member() {
    let read = [To::One(3), To::One(7), To::Named("lab-*"), To::One(u64::MAX), To::All];
    assert_eq!(members(b"3,#7,lab-*,18446744073709551615,all"), Ok(read.to_vec()));
    for (list, wrong) in [
        ("3,", ""),
        (",3", ""),
        ("3,,7", ""),
        ("3,x;,y", "x;"),
        ("3,18446744073709551616", "18446744073709551616"),
    ] {
        assert_eq!(members(list.as_bytes()), Err(wrong.as_bytes()), "{list:?}");
    }
}

proptest! {
    #[test]
    fn any_line_is_a_command_or_a_mistake(line in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse(&line);
    }

    #[test]
    fn any_text_can_be_sent(text in "[^\n]{0,40}") {
        let line = format!("@last {text}");
        prop_assert_eq!(parse(line.as_bytes()), Ok(say(To::Last, text.as_bytes())));
    }
}
