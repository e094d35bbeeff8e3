//! Who gets at the web desk, and who does not: another site's page, a name that was made to lead here, whoever has no
//! token, and whatever is no request. Over bare sockets; how a browser takes it is in `tests/web/`.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/web.rs"]
mod web;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::{Program, Server, connect_narrow, wait_until};
use serde_json::{Value, json};
use web::{ACCEPT, Answer, Asked, KEY, Socket, Web, ask};

/// What is wrong, the bytes, and the status that they get.
type Case = (&'static str, Vec<u8>, u16);

/// That an answer keeps itself to itself, and says nothing that it should not.
#[track_caller]
fn is_shut(what: &str, answer: &Answer, web: &Web) {
    for (field, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    ] {
        assert_eq!(answer.all(field), [value], "{what}: {field}\n{}", answer.head);
    }
    let policy = answer.all("Content-Security-Policy");
    let policy: Vec<&str> = policy.iter().flat_map(|policy| policy.split("; ")).collect();
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "connect-src 'self'"]
    {
        assert!(policy.contains(&directive), "{what}: {directive} is missing in {policy:?}");
    }
    let head = answer.head.to_ascii_lowercase();
    for never in ["access-control", "set-cookie", "server:", "location", "unsafe-"] {
        assert!(!head.contains(never), "{what}: {never}\n{head}");
    }
    let text = answer.text();
    assert!(!text.contains(&web.acts) && !text.contains(&web.looks), "{what}: a token is told: {text}");
    // To HEAD it is told how long the rest would be.
    if !answer.body.is_empty() {
        assert_eq!(answer.all("Content-Length"), [answer.body.len().to_string()], "{what}: {text}");
    }
}

/// Each of the cases gets what it should, and the right request gets in afterwards.
#[track_caller]
fn each_gets_its_status(web: &Web, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (what, bytes, status) in cases {
        let answer = ask(web.at, &bytes);
        is_shut(what, &answer, web);
        if answer.status != status {
            wrong.push(format!("{what}: {} instead of {status}: {}", answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    web.open().event("hello");
}

#[test]
fn h67_whoever_asks_for_another_host_is_told_that_it_is_not_here() {
    let web = Web::start(&["--web-host", "desk.example.org"]);
    let port = web.at.port();
    let as_host = |host: &str| Asked::page(web.at, "/").with("Host", host).bytes();
    let upgrade = |host: &str, origin: &str| {
        Asked::socket(web.at, &web.acts).with("Host", host).with("Origin", origin).bytes()
    };
    let mut cases: Vec<Case> = vec![
        ("no host", Asked::page(web.at, "/").without("Host").bytes(), 400),
        ("two hosts", Asked::page(web.at, "/").and("Host", &web.at.to_string()).bytes(), 400),
        ("ours, then theirs", Asked::page(web.at, "/").and("Host", "evil.test").bytes(), 400),
        ("an empty host", as_host(""), 421),
        (
            "a rebinding name that equals the origin",
            {
                let host = format!("evil.test:{port}");
                upgrade(&host, &format!("http://{host}"))
            },
            421,
        ),
        ("no HTTP/1.1, and so no host", b"GET / HTTP/1.0\r\n\r\n".to_vec(), 400),
    ];
    for host in [
        "evil.test:P",
        "127.0.0.1.evil.test:P",
        "localhost.evil.test:P",
        "127.0.0.1.nip.io:P",
        "127.1:P",
        "127.0.1:P",
        "127.000.000.001:P",
        "0177.0.0.1:P",
        "0x7f000001:P",
        "2130706433:P",
        "127.0.0.2:P",
        "0.0.0.0:P",
        "[::]:P",
        "[0:0:0:0:0:0:0:1]:P",
        "[::ffff:127.0.0.1]:P",
        "127.0.0.1.:P",
        "localhost.:P",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "127.0.0.1:80",
        "127.0.0.1:0P",
        "127.0.0.1:P:P",
        "127.0.0.1:+P",
        "user@127.0.0.1:P",
        "evil.test@127.0.0.1:P",
        "127.0.0.1:P@evil.test",
        "127.0.0.1:P/",
        "127.0.0.1:P, evil.test",
        "http://127.0.0.1:P",
        "127.0.0.1:P evil.test",
        "desk.example.org.evil.test",
        "desk.example.org:1",
        "sub.desk.example.org",
        "desk%2eexample%2eorg",
        "desk.example.org\u{e9}",
    ] {
        let host_of_port = host.replace('P', &port.to_string());
        // What is no ASCII may be taken for anything.
        let status = if host.is_ascii() { 421 } else { 400 };
        cases.push((host, as_host(&host_of_port), status));
        let origin = format!("http://{host_of_port}");
        cases.push((host, upgrade(&host_of_port, &origin), status));
    }

    each_gets_its_status(&web, cases);

    for host in
        ["127.0.0.1:P", "localhost:P", "LOCALHOST:P", "[::1]:P", "desk.example.org", "desk.example.org:P"]
    {
        let answer = ask(web.at, &as_host(&host.replace('P', &port.to_string())));
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
    }
}

#[test]
fn h67_figures_are_for_their_own_names_too_and_the_desk_is_not_there() {
    let web = Web::start(&["--metrics", "127.0.0.1:0"]);
    let line = web.server.err.line_with("switchboard: metrics at ");
    let at = line.trim_start_matches("switchboard: metrics at http://").trim_end_matches("/metrics");
    let at = at.parse().unwrap_or_else(|_| panic!("{line}"));
    for (what, bytes, status) in [
        ("theirs", Asked::page(at, "/metrics").with("Host", "evil.test").bytes(), 421),
        ("the desk's", Asked::page(at, "/metrics").with("Host", &web.at.to_string()).bytes(), 421),
        ("none", Asked::page(at, "/metrics").without("Host").bytes(), 400),
        ("the page", Asked::page(at, "/").bytes(), 404),
        ("a WebSocket", Asked::socket(at, &web.acts).bytes(), 404),
        ("a body", Asked::page(at, "/metrics").and("Content-Length", "1").bytes(), 400),
        ("POST", Asked::page(at, "/metrics").line("POST /metrics HTTP/1.1").bytes(), 405),
        ("ours", Asked::page(at, "/metrics").bytes(), 200),
    ] {
        let answer = ask(at, &bytes);
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        is_shut(what, &answer, &web);
    }
}

#[test]
fn h66_no_page_but_our_own_opens_a_websocket_even_with_the_token() {
    let web = Web::start(&["--web-host", "desk.example.org"]);
    let (at, port) = (web.at, web.at.port());
    let right = Asked::socket(at, &web.acts);
    let mut cases: Vec<Case> = vec![
        ("no origin", right.clone().without("Origin").bytes(), 403),
        ("ours twice", right.clone().and("Origin", &format!("http://{at}")).bytes(), 400),
        ("ours, then theirs", right.clone().and("Origin", "http://evil.test").bytes(), 400),
    ];
    for origin in [
        "null",
        "",
        "file://",
        "http://evil.test",
        "https://evil.test",
        "http://evil.test:P",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost",
        "http://127.0.0.1:P.evil.test",
        "http://evil.test#127.0.0.1:P",
        "http://evil.test/127.0.0.1:P",
        "http://user@127.0.0.1:P",
        "http://127.0.0.1:P/",
        "http://127.0.0.1:P, http://evil.test",
        "http://evil.test http://127.0.0.1:P",
        "http://localhost.:P",
        "http://0.0.0.0:P",
        "HTTP://127.0.0.1:P",
        "ws://127.0.0.1:P",
        "wss://127.0.0.1:P",
        "chrome-extension://abcdefghijklmnop",
        "127.0.0.1:P",
        "http://",
        "http://http://127.0.0.1:P",
        "http://desk.example.org:1",
    ] {
        let value = origin.replace('P', &port.to_string());
        cases.push((origin, right.clone().with("Origin", &value).bytes(), 403));
    }

    each_gets_its_status(&web, cases);

    for origin in [
        "http://127.0.0.1:P",
        "https://127.0.0.1:P",
        "http://localhost:P",
        "http://[::1]:P",
        "https://desk.example.org",
    ] {
        let mut stream = web::connect(at);
        let asked = right.clone().with("Origin", &origin.replace('P', &port.to_string()));
        stream.write_all(&asked.bytes()).unwrap();
        Socket::over(stream).event("hello");
    }
}

#[test]
fn h68_without_the_token_exactly_as_it_is_nobody_gets_in() {
    let web = Web::start(&[]);
    let other = Web::start(&[]);
    let asked = |protocols: &str| Asked::socket(web.at, "").with("Sec-WebSocket-Protocol", protocols).bytes();
    let (token, looks) = (&web.acts, &web.looks);
    let without = Asked::socket(web.at, "").with("Sec-WebSocket-Protocol", "switchboard.v1");

    // Without any there is nothing to be counted; of wrong ones, four are not too many.
    each_gets_its_status(
        &web,
        vec![
            ("no subprotocol", without.clone().without("Sec-WebSocket-Protocol").bytes(), 401),
            ("no token", without.bytes(), 401),
            ("in the query", without.clone().line(&format!("GET /ws?token={token} HTTP/1.1")).bytes(), 401),
            ("in the fragment", without.clone().line(&format!("GET /ws?#{token} HTTP/1.1")).bytes(), 401),
            ("as a bearer", without.clone().and("Authorization", &format!("Bearer {token}")).bytes(), 401),
            ("as a password", without.clone().and("Authorization", "Basic dG9rZW46dG9rZW4=").bytes(), 401),
            ("as a cookie", without.clone().and("Cookie", &format!("token={token}")).bytes(), 401),
            ("in a field of that name", without.clone().and("Token", token).bytes(), 401),
            ("bare", asked(&format!("switchboard.v1, {token}")), 401),
            ("in other letters", asked(&format!("switchboard.v1, TOKEN.{token}")), 401),
            ("without our subprotocol", asked(&format!("token.{token}")), 400),
            ("with another version of it", asked(&format!("switchboard.v2, token.{token}")), 400),
            ("with it in capitals", asked(&format!("SWITCHBOARD.V1, token.{token}")), 400),
            ("a character less", asked(&format!("switchboard.v1, token.{}", &token[..31])), 401),
            ("a character more", asked(&format!("switchboard.v1, token.{token}0")), 401),
            ("empty", asked("switchboard.v1, token."), 401),
            ("of another run", asked(&format!("switchboard.v1, token.{}", other.acts)), 401),
        ],
    );
    let (at, token, looks_there) = (other.at, &other.acts, &other.looks);
    let asked = |protocols: &str| Asked::socket(at, "").with("Sec-WebSocket-Protocol", protocols).bytes();
    each_gets_its_status(
        &other,
        vec![
            ("twice", asked(&format!("switchboard.v1, token.{token}, token.{token}")), 401),
            ("both", asked(&format!("switchboard.v1, token.{looks_there}, token.{token}")), 401),
            (
                "over two fields",
                Asked::socket(at, token).and("Sec-WebSocket-Protocol", &format!("token.{looks}")).bytes(),
                401,
            ),
            ("all wrong, long", asked(&format!("switchboard.v1, token.{}", "f".repeat(7000))), 401),
        ],
    );
}

#[test]
fn what_is_no_request_of_ours_gets_the_status_that_says_so() {
    let web = Web::start(&[]);
    let at = web.at;
    let page = |line: &str| Asked::page(at, "/").line(line).bytes();
    let right = Asked::socket(at, &web.acts);
    let long = |bytes: usize| Asked::page(at, "/").and("A", &"x".repeat(bytes)).bytes();
    let many = (0..48).fold(Asked::page(at, "/"), |asked, _| asked.and("A", "b")).bytes();
    let bare = |text: &str| text.replace("HOST", &at.to_string()).into_bytes();
    let cases = vec![
        ("no upgrade", Asked::page(at, "/ws").bytes(), 426),
        ("an upgrade to something else", right.clone().with("Upgrade", "h2c").bytes(), 426),
        ("an upgrade that is not of the connection", right.clone().with("Connection", "close").bytes(), 426),
        ("no version", right.clone().without("Sec-WebSocket-Version").bytes(), 426),
        ("an old version", right.clone().with("Sec-WebSocket-Version", "8").bytes(), 426),
        ("two versions", right.clone().and("Sec-WebSocket-Version", "13").bytes(), 400),
        ("no key", right.clone().without("Sec-WebSocket-Key").bytes(), 400),
        ("a short key", right.clone().with("Sec-WebSocket-Key", "c2hvcnQ=").bytes(), 400),
        (
            "a key that is no base64",
            right.clone().with("Sec-WebSocket-Key", "************************").bytes(),
            400,
        ),
        ("two keys", right.clone().and("Sec-WebSocket-Key", KEY).bytes(), 400),
        ("a WebSocket in HTTP/1.0", right.clone().line("GET /ws HTTP/1.0").bytes(), 426),
        ("a WebSocket by HEAD", right.clone().line("HEAD /ws HTTP/1.1").bytes(), 426),
        ("a WebSocket by POST", right.clone().line("POST /ws HTTP/1.1").bytes(), 405),
        ("a WebSocket elsewhere", right.clone().line("GET /ws/ HTTP/1.1").bytes(), 404),
        ("POST", page("POST / HTTP/1.1"), 405),
        ("PUT", page("PUT / HTTP/1.1"), 405),
        ("DELETE", page("DELETE / HTTP/1.1"), 405),
        ("TRACE", page("TRACE / HTTP/1.1"), 405),
        ("a method in small letters", page("get / HTTP/1.1"), 405),
        ("OPTIONS", page("OPTIONS * HTTP/1.1"), 405),
        (
            "a preflight",
            Asked::page(at, "/ws")
                .line("OPTIONS /ws HTTP/1.1")
                .and("Origin", "http://evil.test")
                .and("Access-Control-Request-Method", "GET")
                .and("Access-Control-Request-Private-Network", "true")
                .bytes(),
            405,
        ),
        ("CONNECT", bare("CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n"), 405),
        ("an absolute target", page(&format!("GET http://{at}/ HTTP/1.1")), 400),
        ("an absolute target elsewhere", page("GET http://evil.test/ HTTP/1.1"), 400),
        ("no slash", page("GET index.html HTTP/1.1"), 400),
        ("an unknown path", page("GET /nothing HTTP/1.1"), 404),
        ("metrics at the desk", page("GET /metrics HTTP/1.1"), 404),
        ("out of the folder", page("GET /../Cargo.toml HTTP/1.1"), 404),
        ("out of it, encoded", page("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), 404),
        ("out of it, backwards", page("GET /..\\..\\etc\\passwd HTTP/1.1"), 404),
        ("an encoded name", page("GET /%6dain.js HTTP/1.1"), 404),
        ("an encoded slash", page("GET /%2fws HTTP/1.1"), 404),
        ("two slashes", page("GET //ws HTTP/1.1"), 404),
        ("an encoded nothing", page("GET /main.js%00 HTTP/1.1"), 404),
        ("a body", bare("GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhello"), 400),
        ("a body that is no number", bare("GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n"), 400),
        (
            "two lengths",
            bare("GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"),
            400,
        ),
        ("two lengths in one", bare("GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0, 5\r\n\r\n"), 400),
        ("chunks", bare("GET / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (
            "chunks and a length",
            bare("GET / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
            400,
        ),
        ("a folded field", bare("GET / HTTP/1.1\r\nHost: HOST\r\nA: b\r\n c\r\n\r\n"), 400),
        ("a blank before a colon", bare("GET / HTTP/1.1\r\nHost : HOST\r\n\r\n"), 400),
        ("a field without a colon", bare("GET / HTTP/1.1\r\nHost: HOST\r\nnothing\r\n\r\n"), 400),
        ("a field without a name", bare("GET / HTTP/1.1\r\nHost: HOST\r\n: a\r\n\r\n"), 400),
        ("bare line feeds", bare("GET / HTTP/1.1\nHost: HOST\n\n"), 400),
        ("one bare line feed", bare("GET / HTTP/1.1\r\nHost: HOST\n\r\n"), 400),
        ("a bare carriage return", bare("GET / HTTP/1.1\r\nHost: HOST\r\nA: b\rc\r\n\r\n"), 400),
        ("a zero in a value", b"GET / HTTP/1.1\r\nA: \0\r\n\r\n".to_vec(), 400),
        ("two blanks", page("GET  / HTTP/1.1"), 400),
        ("three words", page("GET / / HTTP/1.1"), 505),
        ("a head over 8 KiB", long(8200), 431),
        ("a head that never ends", vec![b'G'; 20_000], 431),
        ("49 fields", many, 431),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), 400),
        ("HTTP/2 in words", page("GET / HTTP/2.0"), 505),
        ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(), 505),
        ("HTTP/9.9", page("GET / HTTP/9.9"), 505),
        ("a hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n".to_vec(), 400),
        ("a line of JSON", b"{\"cmd\":\"who\"}\n".to_vec(), 400),
        ("a letter's head", b"EHLO evil.test\r\n".to_vec(), 400),
    ];
    assert!(cases.len() >= 30, "{}", cases.len());

    each_gets_its_status(&web, cases);

    let answer = ask(at, &long(8000));
    assert_eq!(answer.status, 200, "up to 8 KiB it is heard: {}", answer.text());
}

#[test]
fn the_right_request_gets_its_websocket_and_nothing_else_is_said_back() {
    let web = Web::start(&[]);
    let mut stream = web::connect(web.at);
    stream
        .write_all(
            &Asked::socket(web.at, &web.acts).and("Sec-WebSocket-Extensions", "permessage-deflate").bytes(),
        )
        .unwrap();

    let answer = wait_until("the head of the answer", || {
        let mut buffer = [0; 4096];
        let count = stream.peek(&mut buffer).unwrap();
        let ends = buffer[..count].windows(4).position(|four| four == b"\r\n\r\n")?;
        Some(Answer::of(&buffer[..ends + 4]))
    });

    assert_eq!(answer.status, 101);
    let mut fields: Vec<&str> = answer.head.lines().skip(1).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "Connection: Upgrade",
            &format!("Sec-WebSocket-Accept: {ACCEPT}"),
            "Sec-WebSocket-Protocol: switchboard.v1",
            "Upgrade: websocket",
        ]
    );
    Socket::over(stream).event("hello");
}

#[test]
fn what_is_said_right_behind_the_request_is_heard() {
    let web = Web::start(&[]);
    let mut stream = web::connect(web.at);
    let command = web::frame(web::FIN | web::TEXT, br#"{"cmd":"pending","ref":"early"}"#);
    stream.write_all(&[Asked::socket(web.at, &web.acts).bytes(), command].concat()).unwrap();

    let reply = Socket::over(stream).until("the reply", |line| line["ref"] == "early");

    assert_eq!(reply["ev"], "ok");
}

#[test]
fn every_page_and_no_other_is_served_and_asked_for_its_head_it_is_the_same() {
    let web = Web::start(&[]);
    for (path, kind) in [
        ("/", "text/html"),
        ("/style.css", "text/css"),
        ("/main.js", "text/javascript"),
        ("/?x=1", "text/html"),
    ] {
        let answer = Asked::page(web.at, path).ask(web.at);
        let head = Asked::page(web.at, path).line(&format!("HEAD {path} HTTP/1.1")).ask(web.at);

        assert_eq!((answer.status, head.status), (200, 200), "{path}");
        is_shut(path, &answer, &web);
        assert_eq!(answer.all("Content-Type"), [format!("{kind}; charset=utf-8")]);
        assert_eq!((answer.head, head.body), (head.head, Vec::new()), "{path}");
    }
}

#[test]
fn h68_after_five_wrong_tokens_in_a_second_even_the_right_one_waits_a_second() {
    let web = Web::start(&[]);
    let wrong = Asked::socket(web.at, &"0".repeat(32));
    let right = Asked::socket(web.at, &web.acts).bytes();
    // A busy machine may take a second for so few; then they were not five in a second.
    wait_until("it to be refused with the right one", || {
        for _ in 0..5 {
            assert_eq!(wrong.ask(web.at).status, 401);
        }
        let mut stream = web::connect(web.at);
        stream.write_all(&right).unwrap();
        let mut first = [0; 12];
        std::io::Read::read_exact(&mut stream, &mut first).unwrap();
        (&first == b"HTTP/1.1 401").then_some(())
    });

    let stream = wait_until("it to be let in again", || {
        let mut stream = web::connect(web.at);
        stream.write_all(&right).unwrap();
        let mut first = [0; 12];
        wait_until("an answer", || (stream.peek(&mut first).unwrap() == first.len()).then_some(()));
        (&first == b"HTTP/1.1 101").then_some(stream)
    });

    Socket::over(stream).event("hello");
}

#[test]
fn h68_the_tokens_stand_in_a_file_of_ours_alone_and_nowhere_else() {
    let mut web = Web::start_with(&["--web-full"], |command| {
        command.env("RUST_LOG", "trace");
    });
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&web.file), mode(web.file.parent().unwrap())), (0o600, 0o700));
    assert_eq!((web.acts.len(), web.looks.len()), (32, 32));
    assert_ne!(web.acts, web.looks);
    let mut socket = web.open();
    socket.ask(json!({"cmd": "stats"}));
    Socket::open(web.at, &web.looks).event("hello");
    Asked::socket(web.at, &format!("{}x", web.acts)).ask(web.at);
    let who = socket.ask(json!({"cmd": "who"})).to_string();

    web.server.signal("TERM");
    assert!(web.server.exit_status().success());

    assert!(!web.file.exists(), "it goes with the server");
    let told = [web.server.out.to_end(), web.server.err.to_end(), who.into_bytes()].concat();
    let told = String::from_utf8_lossy(&told);
    for secret in [&web.acts, &web.looks, "token."] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn the_file_of_whoever_has_the_port_next_stays_when_the_server_before_has_ended() {
    let mut before = Web::start(&["--drain", "1h"]);
    let stuck = connect_narrow(before.server.address);
    before.server.err.line_with("#1");
    for _ in 0..6 {
        before.server.type_line(&format!("@1 {}", "x".repeat(1_000_000)));
    }
    before.server.err.lines_with("-> #1", 6);
    before.server.signal("TERM");
    wait_until("the port to be free", || TcpStream::connect(before.at).is_err().then_some(()));

    let next = Web::start_with(&[&format!("--web={}", before.at.port())], |command| {
        command.env("XDG_RUNTIME_DIR", &before.directory);
    });
    assert_eq!((&next.file, next.at), (&before.file, before.at));
    assert!(before.server.is_running());
    drop(stuck);
    before.server.exit_status();

    let kept = fs::read_to_string(&next.file).expect("it is still there");
    assert!(kept.contains(&next.acts), "{kept}");
    next.open().event("hello");
}

#[test]
fn h68_a_directory_that_others_may_enter_keeps_no_token() {
    let directory = std::env::temp_dir().join(format!("swb-web-open-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.env("XDG_RUNTIME_DIR", &directory).args(["--web", "0"]);
    let mut program = Program::start(command);

    let told = String::from_utf8(program.err.to_end()).unwrap();

    assert_eq!(program.exit_status().code(), Some(1), "{told}");
    assert!(told.starts_with("switchboard: cannot keep the token of the web desk in "), "{told}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    fs::remove_dir(&directory).unwrap();
}

#[test]
fn off_loopback_a_desk_without_tls_is_wrong_usage() {
    for place in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args([&format!("--web={place}"), "0"]);
        let mut program = Program::start(command);

        let told = String::from_utf8(program.err.to_end()).unwrap();

        assert_eq!(program.exit_status().code(), Some(2), "{told}");
        let line = told.lines().next().unwrap_or_default();
        assert!(
            line.starts_with(&format!("error: cannot serve the web desk at {place}: off loopback")),
            "{told}"
        );
    }
}

/// The code of a refusal, or that there was none.
fn code(reply: &Value) -> &str {
    reply["code"].as_str().unwrap_or("ok")
}

#[test]
fn h68_who_may_only_look_sees_all_and_changes_nothing() {
    let (web, mut peer) = with_peer(&[]);
    let mut socket = Socket::open(web.at, &web.looks);
    assert_eq!(socket.event("hello")["may"], "look");
    for command in ["who", "pending", "stats", "help"] {
        assert_eq!(code(&socket.ask(json!({"cmd": command}))), "ok", "{command}");
    }

    for command in [
        json!({"cmd": "send", "to": 1, "text": "no"}),
        json!({"cmd": "send", "to": "all", "text": "no"}),
        json!({"cmd": "close", "to": 1}),
        json!({"cmd": "name", "id": 1, "name": "no"}),
        json!({"cmd": "done", "id": 1}),
        json!({"cmd": "next"}),
        json!({"cmd": "typing", "to": 1}),
        json!({"cmd": "dial", "addr": "127.0.0.1:1"}),
        json!({"cmd": "fault", "to": 1, "spec": "stall"}),
        json!({"cmd": "quit"}),
    ] {
        assert_eq!(code(&socket.ask(command.clone())), "not-allowed", "{command}");
    }

    peer.send("and it goes on\n");
    assert_eq!(socket.event("msg")["text"], "and it goes on");
    assert!(peer.is_quiet(), "it was sent nothing");
}

#[test]
fn h68_a_page_reaches_no_further_than_those_who_are_here_unless_it_is_said_that_it_may() {
    let further = [
        json!({"cmd": "dial", "addr": "127.0.0.1:1"}),
        json!({"cmd": "dial", "addr": "unix:/run/docker.sock"}),
        json!({"cmd": "link", "ids": [1, 2]}),
        json!({"cmd": "fault", "to": "new", "spec": "stall"}),
        json!({"cmd": "every", "every": "1h", "to": 1, "text": "x"}),
        json!({"cmd": "learn"}),
        json!({"cmd": "quit"}),
    ];
    let (web, mut peer) = with_peer(&[]);
    let mut socket = web.open();
    assert_eq!(socket.event("hello")["may"], "web");
    assert_eq!(code(&socket.ask(json!({"cmd": "send", "to": 1, "text": "yes"}))), "ok");
    assert_eq!(peer.line(), "yes");
    for command in further {
        assert_eq!(code(&socket.ask(command.clone())), "not-allowed", "{command}");
    }

    let (mut web, _peer) = with_peer(&["--web-full"]);
    let mut socket = web.open();
    assert_eq!(socket.event("hello")["may"], "web-full");
    for (address, may) in [
        ("unix:/run/docker.sock", false),
        ("unix:relative", false),
        ("unix:", false),
        ("UNIX:/run/docker.sock", true),
        (" unix:/run/docker.sock", true),
        ("tls:unix:/run/docker.sock", true),
    ] {
        let reply = socket.ask(json!({"cmd": "dial", "addr": address}));
        // What is not refused for that is no address of a socket, and so nothing.
        assert_eq!(code(&reply) == "not-allowed", !may, "{address}: {reply}");
        assert_ne!(code(&reply), "ok", "{address}: {reply}");
    }
    assert_eq!(code(&socket.ask(json!({"cmd": "quit"}))), "ok");
    assert!(web.server.exit_status().success());
}

/// A desk that speaks to one peer.
fn with_peer(arguments: &[&str]) -> (Web, common::Peer) {
    let web = Web::start(arguments);
    let (peer, number) = Server::connect_numbered(&web.server);
    assert_eq!(number, 1);
    (web, peer)
}
