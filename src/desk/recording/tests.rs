//! What is read back of a transcript.

use super::*;

fn read(text: &str) -> Result<Recording, String> {
    Recording::read(text.as_bytes())
}

fn heard(at: u64, bytes: &[u8]) -> Turn {
    Turn { at: Duration::from_millis(at), what: What::Heard(bytes.into()) }
}

fn said(at: u64, bytes: &[u8]) -> Turn {
    Turn { at: Duration::from_millis(at), what: What::Said(bytes.into()) }
}

fn end(at: u64, what: What) -> Turn {
    Turn { at: Duration::from_millis(at), what }
}

const LISTENING: &str = "{\"ev\":\"listening\",\"v\":1,\"run\":\"a\",\"addr\":\"127.0.0.1:5000\"}\n";

#[test]
fn what_each_said_is_put_into_its_conversation_with_its_ending_and_its_time() {
    let text = LISTENING.to_owned()
        + r#"{"ev":"open","seq":1,"ts":"2026-01-02T03:04:05.000000Z","id":3,"peer":"127.0.0.1:1"}
{"ev":"sent","seq":2,"ts":"2026-01-02T03:04:05.010000Z","ids":[3],"text":"hi\n","by":"greet"}
{"ev":"open","seq":3,"ts":"2026-01-02T03:04:05.500000Z","id":4,"peer":"127.0.0.1:2"}
{"ev":"msg","seq":4,"ts":"2026-01-02T03:04:06.000000Z","id":3,"text":"a","end":"\r\n"}
{"ev":"msg","seq":5,"ts":"2026-01-02T03:04:06.000000Z","id":4,"b64":"/w=="}
{"ev":"msg","seq":6,"ts":"2026-01-02T03:04:06.100000Z","id":3,"text":"b","part":"silence"}
{"ev":"note","seq":7,"ts":"2026-01-02T03:04:06.100000Z","msg":"x"}
{"ev":"sent","seq":8,"ts":"2026-01-02T03:04:06.200000Z","to":"all","text":"all\n","by":1}
{"ev":"eof","seq":9,"ts":"2026-01-02T03:04:06.300000Z","id":3}
{"ev":"close","seq":10,"ts":"2026-01-02T03:04:06.400000Z","id":3,"reason":"finished","msg":"","rx":1,"tx":1,"unsent":0}
{"ev":"close","seq":11,"ts":"2026-01-02T03:04:06.400000Z","id":4,"reason":"reset","msg":"","rx":1,"tx":1,"unsent":0}
"#;

    let read = read(&text).unwrap();

    assert_eq!(read.conversations.len(), 2);
    assert_eq!(
        read.conversations[0].turns,
        [
            said(10, b"hi\n"),
            heard(1000, b"a\r\n"),
            heard(1100, b"b"),
            said(1200, b"all\n"),
            end(1300, What::HeardEnd),
            end(1400, What::SaidEnd),
        ]
    );
    assert_eq!(read.conversations[1].opened, Duration::from_millis(500));
    assert_eq!(
        read.conversations[1].turns,
        [heard(500, b"\xff\n"), said(700, b"all\n"), end(900, What::HeardReset)]
    );
}

#[test]
fn of_a_tap_the_client_is_recorded_and_the_targets_end_is_ours() {
    let text = LISTENING.to_owned()
        + r#"{"ev":"open","seq":1,"ts":"2026-01-02T03:04:05Z","id":1,"peer":"127.0.0.1:1"}
{"ev":"open","seq":2,"ts":"2026-01-02T03:04:05Z","id":2,"peer":"127.0.0.1:9","dialed":true,"for":1}
{"ev":"msg","seq":3,"ts":"2026-01-02T03:04:05Z","id":2,"text":"220 hi","end":"\r\n"}
{"ev":"sent","seq":4,"ts":"2026-01-02T03:04:05Z","ids":[1],"text":"220 hi\r\n","by":"link"}
{"ev":"eof","seq":5,"ts":"2026-01-02T03:04:06Z","id":2}
{"ev":"eof","seq":6,"ts":"2026-01-02T03:04:06Z","id":1}
{"ev":"close","seq":7,"ts":"2026-01-02T03:04:06Z","id":2,"reason":"link-ended","msg":""}
{"ev":"close","seq":8,"ts":"2026-01-02T03:04:06Z","id":1,"reason":"link-ended","msg":""}
"#;

    let read = read(&text).unwrap();

    assert_eq!(read.conversations.len(), 1);
    let turns = &read.conversations[0].turns;
    assert_eq!(turns[..], [said(0, b"220 hi\r\n"), end(1000, What::SaidEnd), end(1000, What::HeardEnd)]);
}

#[test]
fn messages_are_framed_as_their_run_was() {
    let of = |frame: &str| {
        let text = format!(
            "{{\"ev\":\"listening\",\"frame\":\"{frame}\"}}\n\
             {{\"ev\":\"open\",\"ts\":\"2026-01-02T03:04:05Z\",\"id\":1}}\n\
             {{\"ev\":\"msg\",\"ts\":\"2026-01-02T03:04:05Z\",\"id\":1,\"text\":\"ab\"}}\n"
        );
        read(&text).unwrap().conversations[0].turns.clone()
    };
    for (frame, bytes) in [
        ("crlf", &b"ab\r\n"[..]),
        ("nul", b"ab\0"),
        ("stx", b"\x02ab\x03"),
        ("len16", b"\0\x02ab"),
        ("len16le", b"\x02\0ab"),
        ("chunks", b"ab"),
    ] {
        assert_eq!(of(frame), [heard(0, bytes)], "{frame}");
    }
}

#[test]
fn a_line_may_be_torn_where_a_run_ends_and_nowhere_else() {
    let open = r#"{"ev":"open","seq":1,"ts":"2026-01-02T03:04:05Z","id":1,"peer":"127.0.0.1:1"}"#;
    let torn = r#"{"ev":"msg","seq":2,"#;
    let count = |text: String| read(&text).map(|read| read.conversations.len());

    assert_eq!(count(format!("{LISTENING}{open}\n{torn}")), Ok(1));
    assert_eq!(count(format!("{LISTENING}{open}\n{torn}\n{LISTENING}{open}\n")), Ok(2));
    for begun in ["{\"e", r#"{"ev":"listening","v":1,"addr"#] {
        let text = format!("{LISTENING}{open}\n{torn}\n{begun}\n{LISTENING}{open}\n");
        assert_eq!(count(text.clone()), Ok(2), "a run that was killed as it began");
        let lacks = read(&text).unwrap().lacks_in_words();
        assert_eq!(lacks.as_deref(), Some("breaks off 2 times, first at line 3"));
    }
    let told = count(format!("{LISTENING}{open}\n{torn}\n{open}\n")).unwrap_err();
    assert!(told.starts_with("line 3: this is no JSON object"), "{told}");
    assert_eq!(count(LISTENING.to_owned()), Err("nobody connected in it".to_owned()));
    let told = count("hello\n".to_owned()).unwrap_err();
    assert!(told.starts_with("line 1: this is no JSON object"), "{told}");
}

#[test]
fn runs_are_told_apart_and_where_a_recording_ends_nobody_has_hung_up() {
    let run = format!(
        "{LISTENING}{LISTENING}{}",
        r#"{"ev":"open","seq":1,"ts":"2026-01-02T03:04:05Z","id":1,"peer":"127.0.0.1:1"}
{"ev":"msg","seq":2,"ts":"2026-01-02T03:04:06Z","id":1,"text":"a"}
{"ev":"close","seq":3,"ts":"2026-01-02T03:04:07Z","id":1,"reason":"stopping","msg":""}
{"ev":"bye","seq":4,"ts":"2026-01-02T03:04:07Z"}
"#
    );

    let read = read(&run.repeat(2)).unwrap();

    let runs: Vec<usize> = read.conversations.iter().map(|conversation| conversation.run).collect();
    assert_eq!(runs, [0, 1]);
    assert_eq!(read.conversations[1].turns, [heard(1000, b"a\n")]);
}

#[test]
fn a_message_in_parts_is_framed_once() {
    let of = |frame: &str, lines: &[&str]| {
        let mut text = format!(
            "{{\"ev\":\"listening\",\"frame\":\"{frame}\"}}\n{{\"ev\":\"open\",\"ts\":\"2026-01-02T03:04:05Z\",\"id\":1}}\n"
        );
        for line in lines {
            text += &format!("{{\"ev\":\"msg\",\"ts\":\"2026-01-02T03:04:05Z\",\"id\":1,{line}}}\n");
        }
        let turns = read(&text).unwrap().conversations[0].turns.clone();
        let bytes = turns.into_iter().flat_map(|turn| match turn.what {
            What::Heard(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        });
        bytes.collect::<Vec<u8>>()
    };
    let [begun, more] = [r#""text":"ab","part":"limit","head":"Ag==""#, r#""text":"cd","part":"silence""#];
    let [whole, last] = [r#""text":"e""#, r#""text":"f","part":"eof","head":"Ag==""#];

    assert_eq!(of("stx", &[begun, more, whole, whole, last]), b"\x02abcde\x03\x02e\x03\x02f");
    assert_eq!(of("stx", &[more, whole]), b"cd\x02e\x03", "what stands outside of frames");
    let begun = r#""text":"ab","part":"limit","head":"AAM=""#;
    assert_eq!(of("len16", &[begun, whole, whole]), b"\0\x03abe\0\x01e");
    let bad = r#"{"ev":"msg","ts":"2026-01-02T03:04:05Z","id":1,"text":"","part":"limit","head":"!"}"#;
    assert!(read(&format!("{bad}\n{bad}\n")).unwrap_err().starts_with("line 1: \"head\" is no base64"));
}

#[test]
fn what_was_sent_and_is_not_told_is_counted_and_so_is_each_hole() {
    let of = |lines: &str| {
        let open = "{\"ev\":\"open\",\"ts\":\"2026-01-02T03:04:05Z\",\"id\":1}\n\
                    {\"ev\":\"sent\",\"ts\":\"2026-01-02T03:04:05Z\",\"ids\":[1],\"text\":\"1234\"}\n";
        read(&format!("{LISTENING}{open}{lines}")).unwrap().lacks_in_words()
    };
    let closed = |counts: &str| {
        format!(
            "{{\"ev\":\"close\",\"ts\":\"2026-01-02T03:04:05Z\",\"id\":1,\"reason\":\"finished\",{counts}}}\n"
        )
    };
    let skipped = "{\"ev\":\"skipped\",\"count\":17}\n";

    assert_eq!(of(&closed("\"tx\":4,\"unsent\":0")), None);
    assert_eq!(of(&closed("\"tx\":1,\"unsent\":3")), None, "it was sent, and is lost");
    assert_eq!(of(""), None, "one that goes on");
    assert_eq!(of(skipped).unwrap(), "leaves out 17 events at line 4");
    assert_eq!(of(&skipped.repeat(2)).unwrap(), "leaves out 34 events in 2 places, the first at line 4");
    let told = of(&format!("{skipped}{}", closed("\"tx\":10,\"unsent\":0"))).unwrap();
    assert!(
        told.starts_with(
            "leaves out 17 events at line 4, and lacks 6 bytes that were sent, in 1 of its 1 conversation ("
        ),
        "{told}"
    );
}

#[test]
fn a_file_that_a_run_goes_on_in_tells_of_those_who_are_here_and_both_together_are_one() {
    let first = LISTENING.to_owned()
        + r#"{"ev":"open","seq":1,"ts":"2026-01-02T03:04:05Z","id":1,"peer":"127.0.0.1:1"}
{"ev":"msg","seq":2,"ts":"2026-01-02T03:04:06Z","id":1,"text":"a"}
"#;
    let second = LISTENING.to_owned()
        + r#"{"ev":"open","ts":"2026-01-02T03:04:07Z","id":1,"peer":"127.0.0.1:1","past":true}
{"ev":"open","ts":"2026-01-02T03:04:07Z","id":2,"peer":"127.0.0.1:2","past":true}
{"ev":"open","seq":3,"ts":"2026-01-02T03:04:06Z","id":2,"peer":"127.0.0.1:2"}
{"ev":"msg","seq":4,"ts":"2026-01-02T03:04:08Z","id":1,"text":"b"}
"#;

    let [both, alone] = [read(&format!("{first}{second}")).unwrap(), read(&second).unwrap()];

    assert_eq!(both.conversations.len(), 2);
    assert_eq!(both.conversations[0].turns, [heard(1000, b"a\n"), heard(3000, b"b\n")]);
    assert_eq!(alone.conversations.len(), 2);
    assert_eq!(alone.conversations[0].turns, [heard(1000, b"b\n")]);
}
