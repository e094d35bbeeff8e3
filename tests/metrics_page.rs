//! The page of metrics by itself, as Prometheus' own parser reads it.

mod common;
#[path = "common/metrics.rs"]
mod parsed;

use std::time::Duration;

use parsed::{Metrics, has_parser};
use switchboard::desk::http::metrics::{Figures, push_page};
use switchboard::{Stats, TurnTimes};

fn read_back(figures: &Figures<'_>) -> Metrics {
    let mut page = Vec::new();
    push_page(&mut page, figures);
    Metrics::parse(&page)
}

#[test]
fn prometheus_reads_every_metric_with_its_type_and_its_help() {
    if !has_parser() {
        return;
    }
    let stats = Stats { opened: 5, frames: 7, closed_idle: 2, ..Stats::default() };

    let read =
        read_back(&Figures { connections: 3, queued_bytes: 4096, stats, turns: &TurnTimes::default() });

    for (name, kind, value) in [
        ("switchboard_connections", "gauge", 3.0),
        ("switchboard_connections_opened_total", "counter", 5.0),
        ("switchboard_received_bytes_total", "counter", 0.0),
        ("switchboard_sent_bytes_total", "counter", 0.0),
        ("switchboard_messages_total", "counter", 7.0),
        ("switchboard_queued_bytes", "gauge", 4096.0),
        ("switchboard_turn_seconds_count", "histogram", 0.0),
        ("switchboard_turn_seconds_sum", "histogram", 0.0),
    ] {
        let sample = read.only(name);
        assert_eq!((sample.kind.as_str(), sample.value), (kind, value), "{sample:?}");
        assert!(sample.help.ends_with('.'), "{sample:?}");
    }
    let dropped = read.by_label("switchboard_dropped_total", "reason");
    assert_eq!((dropped["idle"], dropped["queue-full"], dropped.len()), (2.0, 0.0, 12));
    assert!(read.named("switchboard_dropped_total").all(|sample| sample.kind == "counter"));
}

#[test]
fn prometheus_reads_a_histogram_whose_buckets_ascend_to_all_turns() {
    if !has_parser() {
        return;
    }
    let mut turns = TurnTimes::default();
    for micros in [5, 30, 30, 700, 3_000_000] {
        turns.add(Duration::from_micros(micros));
    }

    let stats = Stats::default();
    let read = read_back(&Figures { connections: 0, queued_bytes: 0, stats, turns: &turns });

    let buckets = read.named("switchboard_turn_seconds_bucket");
    let mut buckets: Vec<(f64, f64)> =
        buckets.map(|sample| (sample.labels["le"].parse().expect("a bound"), sample.value)).collect();
    assert!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{buckets:?}");
    assert_eq!(buckets.pop(), Some((f64::INFINITY, 5.0)));
    assert_eq!((buckets[0], buckets.pop()), ((1e-5, 1.0), Some((1.0, 4.0))));
    assert_eq!(read.value("switchboard_turn_seconds_count"), 5.0);
    assert!((read.value("switchboard_turn_seconds_sum") - 3.000765).abs() < 1e-9);
}

#[test]
fn the_page_in_the_docs_is_what_is_printed() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let docs = std::fs::read_to_string(docs).expect("it is part of the project");
    let (_, shown) = docs.split_once("## The page\n\n").expect("it has the page");
    let shown: String =
        shown.lines().map(|line| format!("{}\n", line.strip_prefix("    ").expect("indented"))).collect();
    let stats = Stats {
        opened: 41,
        received_bytes: 90_872,
        sent_bytes: 12_345,
        frames: 1422,
        closed_idle: 3,
        refused_too_fast: 17,
        ..Stats::default()
    };
    let mut turns = TurnTimes::default();
    let took = [(8, 12), (15, 480), (35, 1902), (70, 377), (180, 41), (450, 3), (1800, 1)];
    for (micros, times) in took {
        (0..times).for_each(|_| turns.add(Duration::from_micros(micros)));
    }

    let mut page = Vec::new();
    push_page(&mut page, &Figures { connections: 12, queued_bytes: 4096, stats, turns: &turns });

    assert_eq!(String::from_utf8_lossy(&page), shown);
}
