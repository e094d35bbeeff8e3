//! Metrics of a running server (`--metrics`), as Prometheus asks for them and reads them with its own parser.

#[path = "common/attached.rs"]
mod attached;
mod common;
#[path = "common/metrics.rs"]
mod parsed;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use attached::{Remote, server_with_desk};
use common::{DEADLINE, Peer, Server};
use parsed::{Metrics, has_parser};
use serde_json::json;

const AT: [&str; 2] = ["--metrics", "127.0.0.1:0"];

/// Where its metrics are.
#[track_caller]
fn place_of(server: &Server) -> SocketAddr {
    let line = server.err.line_with("switchboard: metrics at ");
    let place =
        line.strip_prefix("switchboard: metrics at http://").and_then(|url| url.strip_suffix("/metrics"));
    place.unwrap_or_else(|| panic!("{line}")).parse().expect("an address")
}

/// An answer: the number of its status, its fields by their names in small letters, what is behind them.
struct Answer {
    status: u16,
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Asks for something, with HTTP in its plainest form.
#[track_caller]
fn get(at: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(at).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a deadline");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it answers and closes");
    let head_ends = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..head_ends].to_vec()).expect("a head is text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let fields = lines.filter_map(|line| line.split_once(':'));
    let fields: BTreeMap<_, _> =
        fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let body = bytes[head_ends + 4..].to_vec();
    assert_eq!(fields.get("content-length"), Some(&body.len().to_string()), "{head}");
    Answer { status: status.unwrap_or_else(|| panic!("{head}")), fields, body }
}

/// The page as it is answered.
#[track_caller]
fn page(at: SocketAddr) -> Vec<u8> {
    let Answer { status, fields, body } = get(at, "/metrics");
    assert_eq!(status, 200);
    assert_eq!(fields["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    body
}

#[test]
fn prometheus_reads_what_peers_have_said_and_been_sent() {
    if !has_parser() {
        return;
    }
    let (mut server, mut peers) = Server::with_peers(&AT, 2);
    let at = place_of(&server);
    server.hears(&mut peers[0], "hello");
    server.hears(&mut peers[1], "good day");
    server.type_line("@1 welcome");
    assert_eq!(peers[0].line(), "welcome");
    peers.pop().expect("two are here").reset();
    server.wait_for_status("* #2 closed");

    let read = Metrics::parse(&page(at));

    for (name, kind, value) in [
        ("switchboard_connections", "gauge", 1.0),
        ("switchboard_connections_opened_total", "counter", 2.0),
        ("switchboard_received_bytes_total", "counter", 15.0),
        ("switchboard_sent_bytes_total", "counter", 8.0),
        ("switchboard_messages_total", "counter", 2.0),
        ("switchboard_queued_bytes", "gauge", 0.0),
    ] {
        let sample = read.only(name);
        assert_eq!((sample.kind.as_str(), sample.value), (kind, value), "{sample:?}");
    }
}

#[test]
fn every_reason_is_told_before_anybody_was_dropped_and_counts_whom_its_limit_turns_away() {
    if !has_parser() {
        return;
    }
    let (server, _peers) = Server::with_peers(&[&AT[..], &["--max-conns", "1"]].concat(), 1);
    let at = place_of(&server);
    let by_reason = || Metrics::parse(&page(at)).by_label("switchboard_dropped_total", "reason");
    let before = by_reason();
    assert!(before.values().all(|count| *count == 0.0) && before.len() >= 10, "{before:?}");

    assert!(server.connect().line().starts_with("switchboard: full"));

    let mut expected = before;
    expected.insert("refused-full".to_owned(), 1.0);
    assert_eq!(by_reason(), expected);
}

#[test]
fn desks_and_whoever_asks_for_metrics_are_no_peers() {
    if !has_parser() {
        return;
    }
    let (server, path) = server_with_desk("metrics", &AT);
    let at = place_of(&server);
    let (mut peer, _) = server.connect_numbered();
    let mut desk = Remote::attach(&path);
    desk.ask(json!({"cmd": "name", "id": 1, "name": "lab-a"}));
    server.hears(&mut peer, "hello");

    for _ in 0..3 {
        let read = Metrics::parse(&page(at));
        let told = [
            "switchboard_connections",
            "switchboard_connections_opened_total",
            "switchboard_received_bytes_total",
            "switchboard_sent_bytes_total",
            "switchboard_messages_total",
        ]
        .map(|name| read.value(name));
        assert_eq!(told, [1.0, 1.0, 6.0, 0.0, 1.0]);
    }
}

#[test]
fn turns_are_timed_and_each_is_counted_up_to_all_bounds_above_it() {
    if !has_parser() {
        return;
    }
    let (server, mut peers) = Server::with_peers(&AT, 1);
    let at = place_of(&server);
    let count = |read: &Metrics| read.value("switchboard_turn_seconds_count");
    let first = Metrics::parse(&page(at));
    server.hears(&mut peers[0], "one more turn");

    let read = Metrics::parse(&page(at));

    assert!(count(&read) > count(&first), "{first:?}, then {read:?}");
    assert!(read.value("switchboard_turn_seconds_sum") > 0.0, "{read:?}");
    let buckets = read.named("switchboard_turn_seconds_bucket");
    let buckets: Vec<(f64, f64)> =
        buckets.map(|sample| (sample.labels["le"].parse().expect("a bound"), sample.value)).collect();
    assert!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{buckets:?}");
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, count(&read))));
}

#[test]
fn h73_nothing_that_a_peer_chose_is_on_the_page_and_it_has_no_more_lines_for_many() {
    let (mut server, mut peers) = Server::with_peers(&AT, 1);
    let at = place_of(&server);
    let lines = |page: &[u8]| page.iter().filter(|byte| **byte == b'\n').count();
    let with_one = lines(&page(at));
    server.hears(&mut peers[0], "# TYPE forged counter");
    server.type_line("/name 1 chosen");
    server.wait_for_status("chosen");
    let more: Vec<Peer> = (0..50).map(|_| server.connect_numbered().0).collect();

    let page = page(at);

    assert_eq!(lines(&page), with_one, "with {} more", more.len());
    assert!(page.len() < 16 << 10, "{} bytes", page.len());
    let text = String::from_utf8(page).expect("it is text");
    for chosen in ["forged", "chosen", "127.0.0.1"] {
        assert!(!text.contains(chosen), "{chosen} is in\n{text}");
    }
}

#[test]
fn it_says_that_it_is_well() {
    let server = Server::start(&AT);

    let answer = get(place_of(&server), "/healthz");

    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok\n"[..]));
}
