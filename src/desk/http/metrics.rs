//! The page that `--metrics` answers `GET /metrics` with, in the text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Nothing that a peer chose is in it, and no label of it
//! is a connection's, so it has the same lines however many there are.

use std::time::Duration;

use crate::board::stats::Stats;
use crate::board::turns::TurnTimes;

/// The `Content-Type` of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the page tells of the peers and of the loop.
#[derive(Debug)]
pub struct Figures<'a> {
    /// How many connections there are.
    pub connections: usize,
    /// Bytes queued for all of them.
    pub queued_bytes: u64,
    /// What was counted since the start.
    pub stats: Stats,
    /// How long turns took.
    pub turns: &'a TurnTimes,
}

/// Appends the page.
pub fn push_page(out: &mut Vec<u8>, figures: &Figures<'_>) {
    let Figures { connections, queued_bytes, stats, turns } = figures;
    let one = |out: &mut Vec<u8>, metric: Metric, value: u64| {
        metric.push_head(out);
        push_sample(out, metric.name, "", value);
    };
    one(out, CONNECTIONS, *connections as u64);
    one(out, OPENED, stats.opened);
    one(out, RECEIVED, stats.received_bytes);
    one(out, SENT, stats.sent_bytes);
    one(out, MESSAGES, stats.frames);
    one(out, QUEUED, *queued_bytes);
    DROPPED.push_head(out);
    for (reason, count) in stats.dropped() {
        push_sample(out, DROPPED.name, &format!("{{reason=\"{reason}\"}}"), count);
    }
    push_turns(out, turns);
}

/// One that is told of.
#[derive(Clone, Copy)]
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
}

const CONNECTIONS: Metric =
    Metric { name: "switchboard_connections", kind: "gauge", help: "Connections that are here." };
const OPENED: Metric = Metric {
    name: "switchboard_connections_opened_total",
    kind: "counter",
    help: "Connections that were accepted or dialled.",
};
const RECEIVED: Metric = Metric {
    name: "switchboard_received_bytes_total",
    kind: "counter",
    help: "Bytes read from connections.",
};
const SENT: Metric =
    Metric { name: "switchboard_sent_bytes_total", kind: "counter", help: "Bytes written to connections." };
const MESSAGES: Metric = Metric {
    name: "switchboard_messages_total",
    kind: "counter",
    help: "Messages that connections have said.",
};
const QUEUED: Metric = Metric {
    name: "switchboard_queued_bytes",
    kind: "gauge",
    help: "Bytes queued for connections; what is said to many counts for each of them.",
};
const DROPPED: Metric = Metric {
    name: "switchboard_dropped_total",
    kind: "counter",
    help: "Connections that a limit has ended, and newcomers that were turned away.",
};
const TURNS: Metric = Metric {
    name: "switchboard_turn_seconds",
    kind: "histogram",
    help: "How long a turn of the loop takes, which is how long everybody else waits meanwhile.",
};

impl Metric {
    fn push_head(&self, out: &mut Vec<u8>) {
        let Metric { name, kind, help } = self;
        out.extend_from_slice(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n").as_bytes());
    }
}

/// One line: a name, labels in their braces, if there are any, and a number.
fn push_sample(out: &mut Vec<u8>, name: &str, labels: &str, value: u64) {
    out.extend_from_slice(format!("{name}{labels} {value}\n").as_bytes());
}

fn push_turns(out: &mut Vec<u8>, turns: &TurnTimes) {
    let Metric { name, .. } = TURNS;
    TURNS.push_head(out);
    let bucket = format!("{name}_bucket");
    for (bound, count) in turns.up_to() {
        push_sample(out, &bucket, &format!("{{le=\"{}\"}}", seconds(bound)), count);
    }
    push_sample(out, &bucket, "{le=\"+Inf\"}", turns.count());
    let sum = turns.sum();
    let (whole, nanos) = (sum.as_secs(), sum.subsec_nanos());
    out.extend_from_slice(format!("{name}_sum {whole}.{nanos:09}\n").as_bytes());
    push_sample(out, &format!("{name}_count"), "", turns.count());
}

/// A bound as Prometheus itself spells it (Go's `%g`): a label that is spelt otherwise would be another series.
fn seconds(bound: Duration) -> String {
    // Below a tenth of a millisecond it has an exponent. The bounds there are so many times ten microseconds.
    if bound < Duration::from_micros(100) {
        return format!("{}e-05", bound.as_micros() / 10);
    }
    bound.as_secs_f64().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(stats: Stats, turns: &TurnTimes) -> String {
        let mut out = Vec::new();
        push_page(&mut out, &Figures { connections: 3, queued_bytes: 4096, stats, turns });
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn each_figure_has_its_line() {
        let stats = Stats {
            opened: 5,
            received_bytes: 1200,
            sent_bytes: 800,
            frames: 7,
            closed_idle: 2,
            ..Stats::default()
        };
        let mut turns = TurnTimes::default();
        turns.add(Duration::from_micros(30));
        turns.add(Duration::from_secs(2));

        let page = page(stats, &turns);

        for line in [
            "switchboard_connections 3",
            "switchboard_connections_opened_total 5",
            "switchboard_received_bytes_total 1200",
            "switchboard_sent_bytes_total 800",
            "switchboard_messages_total 7",
            "switchboard_queued_bytes 4096",
            "switchboard_dropped_total{reason=\"idle\"} 2",
            "switchboard_turn_seconds_bucket{le=\"2e-05\"} 0",
            "switchboard_turn_seconds_bucket{le=\"5e-05\"} 1",
            "switchboard_turn_seconds_bucket{le=\"1\"} 1",
            "switchboard_turn_seconds_bucket{le=\"+Inf\"} 2",
            "switchboard_turn_seconds_sum 2.000030000",
            "switchboard_turn_seconds_count 2",
        ] {
            assert!(page.lines().any(|one| one == line), "no {line} in\n{page}");
        }
    }

    #[test]
    fn every_reason_is_there_before_anybody_was_dropped() {
        let page = page(Stats::default(), &TurnTimes::default());

        let dropped: Vec<_> =
            page.lines().filter(|line| line.starts_with("switchboard_dropped_total")).collect();

        let expected: Vec<_> = Stats::default()
            .dropped()
            .iter()
            .map(|(reason, _)| format!("switchboard_dropped_total{{reason=\"{reason}\"}} 0"))
            .collect();
        assert_eq!(dropped, expected);
    }

    #[test]
    fn each_metric_says_what_it_is_in_front_of_its_lines_and_no_line_stands_twice() {
        let page = page(Stats::default(), &TurnTimes::default());

        let (mut name, mut seen) = ("", std::collections::BTreeSet::new());
        for line in page.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(metric) => name = metric.split(' ').next().expect("it has a name"),
                None if line.starts_with("# HELP ") => {}
                None => assert!(line.starts_with(name) && !name.is_empty(), "{line} stands under {name}"),
            }
            let without_value = line.rsplit_once(' ').expect("a name and a value").0;
            assert!(seen.insert(without_value), "{line} is there twice");
        }
        assert_eq!(page.matches("# HELP ").count(), 8);
        assert_eq!(page.matches("# TYPE ").count(), 8);
    }

    #[test]
    fn bounds_are_spelt_as_prometheus_spells_them() {
        let spelt: Vec<String> = TurnTimes::default().up_to().map(|(bound, _)| seconds(bound)).collect();

        assert_eq!(
            spelt.join(" "),
            "1e-05 2e-05 5e-05 0.0001 0.0002 0.0005 0.001 0.002 0.005 0.01 0.02 0.05 0.1 0.2 0.5 1"
        );
    }

    #[test]
    fn h73_the_page_is_small_however_much_was_counted() {
        const MUCH: u64 = u64::MAX / 4;
        let stats = Stats {
            opened: MUCH,
            received_bytes: MUCH,
            sent_bytes: MUCH,
            frames: MUCH,
            dropped_slow: MUCH,
            closed_idle: MUCH,
            refused_full: MUCH,
            ..Stats::default()
        };
        let mut turns = TurnTimes::default();
        turns.add(Duration::MAX);

        let page = page(stats, &turns);

        assert!(page.len() < 16 << 10, "{} bytes", page.len());
    }
}
