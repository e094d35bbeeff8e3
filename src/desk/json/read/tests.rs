//! Lines and what they mean, and the error of each that means nothing.

use super::*;
use proptest::prelude::*;

fn text(text: &str) -> Payload<'_> {
    Payload::Text(Cow::Borrowed(text.as_bytes()))
}

fn told(line: &str) -> (Option<String>, &'static str, String) {
    match parse(line.as_bytes()) {
        Ok(request) => panic!("{line} is {request:?}"),
        Err(Rejected { reference, refusal }) => {
            (reference.map(str::to_owned), refusal.code(), refusal.to_string())
        }
    }
}

#[test]
fn commands_are_read_and_carry_their_reference_as_it_was_spelt() {
    for (line, reference, command) in [
        (
            r#"{"cmd":"send","to":3,"text":"hi","ref":"a1"}"#,
            Some("\"a1\""),
            Command::Send(To::One(3), text("hi")),
        ),
        (r#" { "ref" : -12 , "cmd" : "stats" } "#, Some("-12"), Command::Stats),
        (
            r#"{"cmd":"stats","ref":123456789012345678901234567890}"#,
            Some("123456789012345678901234567890"),
            Command::Stats,
        ),
        (r#"{"cmd":"stats","ref":"\u00e9\n"}"#, Some(r#""\u00e9\n""#), Command::Stats),
        (
            r#"{"cmd":"send","to":"lab-*","text":"你好"}"#,
            None,
            Command::Send(To::Named("lab-*"), text("你好")),
        ),
        (
            r#"{"cmd":"send","to":[3,"all","x"],"b64":"AP8="}"#,
            None,
            Command::Send(
                To::Listed(vec![Member::One(3), Member::All, Member::Named("x".into())]),
                Payload::Exact(vec![0, 255].into()),
            ),
        ),
        (
            r#"{"cmd":"send","to":"all","text":"a\r\n","eol":false}"#,
            None,
            Command::Send(To::All, Payload::Exact(b"a\r\n".into())),
        ),
        (
            r#"{"cmd":"close","to":3,"how":"kick","text":"bye"}"#,
            None,
            Command::Close(To::One(3), How::Kick, b"bye".into()),
        ),
        (r#"{"cmd":"close","to":3,"how":"rst"}"#, None, Command::Close(To::One(3), How::Reset, b"".into())),
        (r#"{"cmd":"name","id":3,"name":"x"}"#, None, Command::Name(To::One(3), Some("x".into()))),
        (r#"{"cmd":"who","glob":"\u8bbe*"}"#, None, Command::Who(Some("设*".into()))),
        (r#"{"cmd":"name","id":3}"#, None, Command::Name(To::One(3), None)),
        (r#"{"cmd":"show","id":3,"count":2}"#, None, Command::Show(To::One(3), Some(2))),
        (r#"{"cmd":"every","off":"all"}"#, None, Command::Every(Every::Off(None))),
        (r#"{"cmd":"link","ids":[3,4]}"#, None, Command::Link(To::One(3), To::One(4))),
        (
            r#"{"cmd":"fault","to":"n\u0065w","spec":"out:stall"}"#,
            None,
            Command::Fault(Whose::Newcomers, Fault::of(Some("out:stall")).unwrap()),
        ),
        (
            r#"{"cmd":"fault","to":3,"spec":" off "}"#,
            None,
            Command::Fault(Whose::These(To::One(3)), Fault::Off),
        ),
        (r#"{"cmd":"fault","to":"all"}"#, None, Command::Fault(Whose::These(To::All), Fault::Show)),
    ] {
        assert_eq!(parse(line.as_bytes()), Ok(Request { reference, command }), "{line}");
    }
}

#[test]
fn an_error_names_the_key_and_keeps_the_reference() {
    for (line, code, part) in [
        (r#"{"ref":1}"#, "bad-request", "\"cmd\" is missing"),
        (r#"{"ref":1,"cmd":7}"#, "bad-request", "\"cmd\" has to be a string, not 7"),
        (r#"{"ref":1,"cmd":"sned"}"#, "unknown-command", "sned"),
        (r#"{"ref":1,"cmd":"send","to":3}"#, "bad-request", "\"text\" or \"b64\""),
        (r#"{"ref":1,"cmd":"send","text":"x"}"#, "bad-request", "\"to\" is missing"),
        (r#"{"ref":1,"cmd":"send","to":-3,"text":"x"}"#, "bad-request", "\"to\" has to be"),
        (r#"{"ref":1,"cmd":"send","to":3.5,"text":"x"}"#, "bad-request", "\"to\" has to be"),
        (r#"{"ref":1,"cmd":"send","to":1e999,"text":"x"}"#, "bad-request", "\"to\" has to be"),
        (r#"{"ref":1,"cmd":"send","to":null,"text":"x"}"#, "bad-request", "\"to\" has to be"),
        (r#"{"ref":1,"cmd":"send","to":"3","text":"x"}"#, "no-such-conn", "@3"),
        (r#"{"ref":1,"cmd":"send","to":"last","text":"x"}"#, "last-is-a-race", "race"),
        (r#"{"ref":1,"cmd":"send","to":[3,"last"],"text":"x"}"#, "last-is-a-race", "race"),
        (r#"{"ref":1,"cmd":"send","to":[],"text":"x"}"#, "nobody", "nobody"),
        (r#"{"ref":1,"cmd":"send","to":[[3]],"text":"x"}"#, "bad-request", "\"to\""),
        (r#"{"ref":1,"cmd":"send","to":3,"text":5}"#, "bad-request", "\"text\" has to be a string"),
        (r#"{"ref":1,"cmd":"send","to":3,"text":"\ud800"}"#, "bad-request", "\"text\" is no text"),
        (r#"{"ref":1,"cmd":"send","to":3,"b64":"A"}"#, "bad-request", "\"b64\" is no base64"),
        (r#"{"ref":1,"cmd":"send","to":3,"b64":"AA==","eol":true}"#, "bad-request", "\"eol\""),
        (r#"{"ref":1,"cmd":"send","to":3,"text":"x","b64":""}"#, "bad-request", "exclude"),
        (r#"{"ref":1,"cmd":"send","to":3,"text":"x","eol":"no"}"#, "bad-request", "\"eol\" has to be true"),
        (r#"{"ref":1,"cmd":"send","to":3,"txt":"x"}"#, "bad-request", "\"text\" or \"b64\" is missing"),
        (r#"{"ref":1,"cmd":"send","to":3,"to":4,"text":"x"}"#, "bad-request", "\"to\" is there twice"),
        (r#"{"ref":1,"cmd":"send","to":3,"text":"x","how":"rst"}"#, "bad-request", "takes no key \"how\""),
        (r#"{"ref":1,"cmd":"close","to":3,"how":"no"}"#, "bad-request", "\"how\""),
        (r#"{"ref":1,"cmd":"every","every":"5","to":3,"text":"x"}"#, "bad-request", "\"every\" has to be"),
        (r#"{"ref":1,"cmd":"fault","to":3,"spec":"latncy=5s"}"#, "bad-fault", "is it latency?"),
        (r#"{"ref":1,"cmd":"fault","spec":"stall"}"#, "bad-request", "\"to\" is missing"),
        (r#"{"ref":1,"cmd":"fault","to":3,"id":3}"#, "bad-request", "takes no key \"id\""),
        (r#"{"cmd":"who","ref":1,"x":[[[[{"deep":1}]]]],"x":1}"#, "bad-request", "\"x\" is there twice"),
    ] {
        let (reference, is, words) = told(line);
        assert_eq!((reference.as_deref(), is), (Some("1"), code), "{line}: {words}");
        assert!(words.contains(part), "{line}: {words}");
    }
}

#[test]
fn keys_that_no_command_has_are_ignored_and_there_are_64_at_most() {
    let with = |keys: usize| {
        let keys: String = (0..keys).map(|key| format!(",\"key {key}\":[{{}}]")).collect();
        format!("{{\"cmd\":\"quit\",\"ref\":1{keys}}}")
    };

    let (few, many) = (with(64), with(65));

    assert_eq!(parse(few.as_bytes()), Ok(Request { reference: Some("1"), command: Command::Quit }));
    let (reference, code, words) = told(&many);
    assert_eq!((reference.as_deref(), code), (Some("1"), "bad-request"));
    assert!(words.contains("more than 64 keys"), "{words}");
}

#[test]
fn what_is_no_object_is_one_error_without_a_reference() {
    let deep = "[".repeat(100_000);
    for line in [
        "",
        "x",
        "7",
        "[]",
        "\"x\"",
        "null",
        "{",
        "{\"cmd\":\"who\"",
        "{\"cmd\":\"who\"} x",
        "{'cmd':1}",
        "\u{feff}{\"cmd\":\"who\"}",
        "{\"cmd\":\"who\",}",
        "{\"cmd\":\"a\0b\"}",
        &deep,
    ] {
        let (reference, code, words) = told(line);
        assert_eq!((reference, code), (None, "bad-json"), "{line:.40}: {words}");
    }
    for reference in ["null", "1.5", "{}", "[1]", "true", "\"\\ud800\""] {
        let (none, code, words) = told(&format!("{{\"cmd\":\"who\",\"ref\":{reference}}}"));
        assert_eq!((none, code), (None, "bad-request"), "{words}");
        assert!(words.contains("\"ref\""), "{words}");
    }
    let wrong = parse(b"{\"cmd\":\"wh\xff\"}").unwrap_err();
    assert_eq!(wrong.refusal.code(), "bad-json");
    let nested = format!("{{\"cmd\":\"who\",\"to\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(told(&nested).1, "bad-request");
}

#[test]
fn what_is_too_long_is_named_and_never_repeated_whole() {
    let long = "*".repeat(100_000);
    for (line, code, part) in [
        (format!(r#"{{"cmd":"send","to":"{long}","text":"x"}}"#), "bad-request", "\"to\""),
        (format!(r#"{{"cmd":"send","to":[1,"{long}"],"text":"x"}}"#), "bad-request", "\"to\""),
        (format!(r#"{{"cmd":"who","glob":"{long}"}}"#), "bad-request", "\"glob\""),
        (format!(r#"{{"cmd":"dial","addr":"{long}"}}"#), "bad-request", "\"addr\""),
        (format!(r#""{long}""#), "bad-json", "string"),
        (format!("\u{feff}{{\"cmd\":\"who\",\"glob\":\"{long}\"}}"), "bad-json", "byte order mark"),
    ] {
        let (_, is, words) = told(&line);
        assert!(is == code && words.contains(part) && words.len() < 200, "{line:.40}: {is} {words:.300}");
    }
    assert!(parse(format!(r#"{{"cmd":"who","glob":"{}"}}"#, "*".repeat(256)).as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn escapes_are_read_as_serde_json_reads_them(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                r"\n", r"\u00e9", r"\ud83d", r"\uDE00", r"\u0000", r"\uffff", r"\\", r#"\""#, r"\/", r"\b\f\r\t", "a", "é", "u",
            ]),
            0..6,
        ),
    ) {
        let raw = format!("\"{}\"", pieces.concat());
        let expected: Option<String> = serde_json::from_str(&raw).ok();
        prop_assert_eq!(string("text", &raw).ok().map(Cow::into_owned), expected);
    }

    #[test]
    fn any_line_is_a_request_or_an_error(line in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse(&line);
    }

    #[test]
    fn any_text_is_read_back(text in "\\PC{0,20}|[\\x00-\\x20\"\\\\]{0,8}") {
        let line = serde_json::json!({"cmd": "send", "to": 1, "text": text}).to_string();
        let request = parse(line.as_bytes()).unwrap();
        prop_assert!(matches!(request.command,
            Command::Send(To::One(1), Payload::Text(bytes)) if *bytes == *text.as_bytes()));
    }
}
