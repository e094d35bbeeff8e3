//! What is wrong is told in one line that names it, whoever was to read it; and nothing is done.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use common::{Program, Server};

/// Where something wrong comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// A line of JSON: the error's code and its words.
    Json,
    /// A line that is typed.
    Typed,
    /// A file of names; `FILE` stands for its path.
    Names,
    /// A flag of the command line.
    Flag,
}

use Place::{Flag, Json, Names, Typed};

/// What is wrong, and the line that tells it.
const TABLE: &[(Place, &str, &str)] = &[
    (Json, r#"hello"#, "bad-json: this line is no JSON object: expected value at line 1 column 1"),
    (
        Json,
        r#"[1,2]"#,
        "bad-json: this line is no JSON object: invalid type: sequence, expected an object at line 1 column 0",
    ),
    (
        Json,
        r#"{"cmd":"send","to":1,"text":"x""#,
        "bad-json: this line is no JSON object: EOF while parsing an object at line 1 column 31",
    ),
    (Json, r#"{"to":1,"text":"x"}"#, r#"bad-request: the key "cmd" is missing"#),
    (Json, r#"{"cmd":"send","to":1}"#, r#"bad-request: "text" or "b64" is missing"#),
    (Json, r#"{"cmd":"send","to":1,"to":2,"text":"x"}"#, r#"bad-request: the key "to" is there twice"#),
    (Json, r#"{"cmd":"send","to":1,"txt":"x"}"#, r#"bad-request: "text" or "b64" is missing"#),
    (
        Json,
        r#"{"cmd":"send","to":1.5,"text":"x"}"#,
        r#"bad-request: "to" has to be a number, a string or a list, not 1.5"#,
    ),
    (
        Json,
        r#"{"cmd":"send","to":"1","text":"x"}"#,
        "no-such-conn: unknown target @1: nobody has this name, or one that fits; @@text sends a text that begins with @",
    ),
    (
        Json,
        r#"{"cmd":"send","to":[1,"lab-a"],"text":"x"}"#,
        "no-such-conn: unknown target @lab-a: nobody has this name, or one that fits; @@text sends a text that begins with @",
    ),
    (
        Json,
        r#"{"cmd":"send","to":"last","text":"x"}"#,
        r#"last-is-a-race: "last" is a race between two programs: name a connection by its number"#,
    ),
    (Json, r#"{"cmd":"send","to":[],"text":"x"}"#, "nobody: nobody is connected"),
    (Json, r#"{"cmd":"send","to":9,"text":"x"}"#, "no-such-conn: there is no #9: nothing was done"),
    (
        Json,
        r#"{"cmd":"send","to":1,"b64":"a?"}"#,
        r#"bad-request: "b64" is no base64: Invalid symbol 63, offset 1"#,
    ),
    (Json, r#"{"cmd":"send","to":1,"text":7}"#, r#"bad-request: "text" has to be a string, not 7"#),
    (
        Json,
        r#"{"cmd":"send","to":1,"text":"x","eol":"no"}"#,
        r#"bad-request: "eol" has to be true or false, not "no""#,
    ),
    (
        Json,
        r#"{"cmd":"close","to":1,"how":"softly"}"#,
        r#"bad-request: "how" has to be "kick", "eof" or "rst", not "softly""#,
    ),
    (
        Json,
        r#"{"cmd":"name","id":1,"name":"all"}"#,
        r#"bad-name: cannot use the name "all": all, last, new, off, operator, me mean something else"#,
    ),
    (
        Json,
        r#"{"cmd":"every","every":"5 s","to":1,"text":"x"}"#,
        r#"bad-request: "every" has to be a time from "10ms" to "24h", not "5 s""#,
    ),
    (Json, r#"{"cmd":"dance"}"#, r#"unknown-command: unknown command "dance""#),
    (
        Json,
        r#"{"cmd":"dial","addr":"127.0.0.1"}"#,
        "bad-address: cannot dial 127.0.0.1: \"127.0.0.1\" has no port: write 127.0.0.1:5000",
    ),
    (Json, r#"{"cmd":"who","ref":1.5}"#, r#"bad-request: "ref" has to be a string or an integer, not 1.5"#),
    (Typed, "@9 x", "there is no #9: nothing was done"),
    (
        Typed,
        "@01 x",
        "unknown target @01: it is a number, a name or a glob, several with commas, all or last; @@text sends a text that begins with @",
    ),
    (
        Typed,
        "@1,,1 x",
        "unknown target @1,,1: it is a number, a name or a glob, several with commas, all or last; @@text sends a text that begins with @",
    ),
    (
        Typed,
        "@la b",
        "unknown target @la: nobody has this name, or one that fits; @@text sends a text that begins with @",
    ),
    (Typed, "/name 1 9lives", "cannot use the name \"9lives\": a name begins with a letter"),
    (
        Typed,
        "/name 1 a,b",
        "cannot use the name \"a,b\": a name has letters, digits, - _ and . in it, not ','",
    ),
    (Typed, "/name 1 a\u{200b}b", "cannot use the name \"a\\\\u{200b}b\": U+200B is in no name"),
    (
        Typed,
        "/name 1 abcdefghijabcdefghijabcdefghijabc",
        "cannot use the name \"abcdefghijabcdefghijabcdefghijabc\": a name has 1 to 32 letters",
    ),
    (Typed, "/name all x", "this is about one connection, and several were named"),
    (Typed, "/hex @1 0d 0", "-> #1 2 bytes"),
    (Typed, "/hex @1 0d 123", "/hex cannot read \"123\": it is written /hex [@3] 0d 0a ff"),
    (Typed, "/send @1 a\\q", "/send cannot read \"\\\\q\": it is written /send [@3] a\\r\\n\\0"),
    (
        Typed,
        "/every 5 @1 x",
        "/every cannot repeat each \"5\": it takes 10ms to 24h, for example /every 5s hello",
    ),
    (Typed, "/every 5s /kick 1", "/every repeats what sends something, and \"/kick 1\" does not"),
    (Names, "10.0.0.1\n", "switchboard: cannot use FILE, line 1: there is no name behind 10.0.0.1"),
    (
        Names,
        "10.0.0.1 a\n10.0.0.0/33 b\n",
        "switchboard: cannot use FILE, line 2: \"10.0.0.0/33\" is not an address or CIDR such as 10.0.0.0/8",
    ),
    (Names, "# ok\n10.0.0.1 a b\n", "switchboard: cannot use FILE, line 2: there is \"b\" behind the name"),
    (
        Names,
        "10.0.0.1 me\n",
        "switchboard: cannot use FILE, line 1: cannot use the name \"me\": all, last, new, off, operator, me mean something else",
    ),
    (
        Flag,
        "--frame=bytes",
        "error: invalid value 'bytes' for '--frame <KIND>': no such kind of frame; there are lines, cr, crlf, nul, stx, len8, len16, len32, len16le, len32le, silence=DURATION (1ms to 1h), chunks",
    ),
    (
        Flag,
        "--frame=silence=2h",
        "error: invalid value 'silence=2h' for '--frame <KIND>': its silence: has to be from 1ms to 1h; there are lines, cr, crlf, nul, stx, len8, len16, len32, len16le, len32le, silence=DURATION (1ms to 1h), chunks",
    ),
    (
        Flag,
        "--replay-last=1001",
        "error: invalid value '1001' for '--replay-last <N>': has to be from 0 to 1000",
    ),
    (
        Flag,
        "--dial=nowhere",
        "error: invalid value 'nowhere' for '--dial <ADDRESS>': \"nowhere\" has no port: write nowhere:5000",
    ),
];

fn of(place: Place) -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().filter(move |row| row.0 == place).map(|(_, wrong, told)| (*wrong, *told))
}

#[test]
fn a_wrong_line_of_json_gets_one_error_that_names_what_is_wrong() {
    let mut server = Server::start(&["--format", "json"]);
    let mut peer = server.connect();
    server.out.line_with(r#"{"ev":"open""#);

    for (count, (wrong, told)) in of(Json).enumerate() {
        server.type_line(wrong);
        let errors = server.out.lines_with(r#"{"ev":"error""#, count + 1);
        let error: Value = serde_json::from_str(&errors[count]).unwrap();
        let got = format!("{}: {}", error["code"].as_str().unwrap(), error["msg"].as_str().unwrap());
        assert_eq!(got, told, "to {wrong}");
    }
    server.type_line(r#"{"cmd":"close","to":1,"how":"eof","ref":"the end"}"#);

    assert_eq!(peer.read_to_end(), b"", "nothing was sent");
    server.out.line_with(r#"{"ev":"ok","ref":"the end""#);
    assert_eq!(server.out.lines_with("\"ref\"", 1).len(), 1, "the others had none");
}

#[test]
fn a_wrong_line_that_is_typed_gets_one_line() {
    let (mut server, mut peers) = Server::with_peers(&[], 1);

    for (wrong, told) in of(Typed) {
        let from = server.err.so_far().len();
        server.type_line(wrong);
        let got = server.err.wait_for(&format!("the answer to {wrong:?}"), |err| {
            String::from_utf8_lossy(&err[from..]).strip_suffix('\n').map(str::to_owned)
        });
        assert_eq!(got, told, "to {wrong:?}");
    }
    server.type_line("/eof 1");

    assert_eq!(peers[0].read_to_end(), b"\r\0", "but for the one line that is right, nothing was sent");
}

/// Runs the server, which is to end by itself; returns its status and what it wrote to stderr.
fn ended(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments).arg("0");
    let mut program = Program::start(command);
    let code = program.exit_status().code();
    assert_eq!(program.out.to_end(), b"", "{arguments:?}");
    (code, String::from_utf8(program.err.to_end()).unwrap())
}

#[test]
fn a_wrong_file_of_names_ends_the_start_with_one_line_that_names_the_line() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bad-names-{}", std::process::id()));
    let path = path.to_str().unwrap();

    for (wrong, told) in of(Names) {
        fs::write(path, wrong).unwrap();
        let expected = format!("{}\n", told.replace("FILE", path));
        assert_eq!(ended(&["--names", path]), (Some(1), expected), "for {wrong:?}");
    }
    fs::remove_file(path).unwrap();
    let expected = format!("switchboard: cannot read {path}: No such file or directory\n");
    assert_eq!(ended(&["--names", path]), (Some(1), expected));
}

#[test]
fn a_wrong_flag_is_told_in_one_line_with_status_2() {
    for (wrong, told) in of(Flag) {
        let (code, err) = ended(&[wrong]);
        assert_eq!((code, err.lines().next()), (Some(2), Some(told)), "{wrong}");
    }
}
