//! The result for programs. `docs/load.schema.json` describes it; keys may be added and never change
//! meaning.

use serde_json::{Value, json};

use super::cli::{LoadArgs, Pattern};
use super::report::short;
use super::tally::{Failure, Latencies, Tally};

/// The result as one object.
pub fn result(args: &LoadArgs, tally: &Tally, saturated: bool) -> Value {
    let seconds = tally.measured.as_secs_f64().max(1e-9);
    let failures = Failure::ALL.map(|failure| {
        let count = tally.failures.get(&failure).copied().unwrap_or(0);
        (failure.name().replace(' ', "_"), Value::from(count))
    });
    let wrong = &tally.wrong;
    json!({
        "config": {
            "address": args.place().to_string(),
            "connections": args.connections,
            "threads": args.threads,
            "pattern": match (args.hold, args.churn, args.pattern) {
                (true, ..) => "hold",
                (_, true, _) => "churn",
                (.., Pattern::Echo) => "echo",
                (.., Pattern::Send) => "send",
                (.., Pattern::Chat) => "chat",
            },
            "rate": args.rate,
            "pipeline": args.pipeline,
            "size": args.message.is_none().then_some(args.size),
            "message": args.message,
            "expect": args.expect,
            "duration_s": args.duration().map(|time| time.as_secs_f64()),
            "messages": args.messages,
            "warmup_s": args.warmup().as_secs_f64(),
            "timeout_s": args.timeout.as_secs_f64(),
        },
        "metrics": {
            "messages": tally.messages,
            "messages_per_sec": tally.messages as f64 / seconds,
            "deliveries_per_sec": (args.pattern == Pattern::Chat).then_some(tally.deliveries as f64 / seconds),
            "mb_per_sec": (tally.rx_bytes + tally.tx_bytes) as f64 / 1e6 / seconds,
            "rx_bytes": tally.rx_bytes,
            "tx_bytes": tally.tx_bytes,
            "latency_ms": latencies(&tally.latency),
            "service_ms": args.rate.and_then(|_| latencies(&tally.service)),
            "connect_ms": latencies(&tally.connect),
            "slowest_connection": tally.slowest.map(|(conn, p99)| json!({ "conn": conn, "p99_ms": p99 })),
            "achieved_rate": tally.messages as f64 / seconds,
            "saturated": saturated,
            "errors": Value::from_iter(failures),
            "wrong": {
                "lost_messages": wrong.lost_messages,
                "lost_bytes": wrong.lost_bytes,
                "duplicated_bytes": wrong.duplicated_bytes,
                "corrupted_bytes": wrong.corrupted_bytes,
                "cross_delivered_bytes": wrong.cross_delivered_bytes,
                "unasked_bytes": wrong.unasked_bytes,
            },
            "first_other_reply": tally.first_other_reply.as_deref().map(short),
            "unanswered": tally.unanswered,
            "unsent": tally.unsent,
            "connected": tally.connected,
            "measured_s": tally.measured.as_secs_f64(),
            "processor_s": tally.processor.as_secs_f64(),
            "interrupted": tally.interrupted,
            "cut_short": tally.cut_short,
        },
    })
}

/// The percentiles, or nothing where nothing was measured.
pub(super) fn latencies(latencies: &Latencies) -> Option<Value> {
    let at = |percent| latencies.percentile_ms(percent);
    (latencies.count() > 0).then(|| {
        json!({
            "p50": at(50.0), "p75": at(75.0), "p90": at(90.0), "p99": at(99.0), "p999": at(99.9),
            "p9999": at(99.99), "max": latencies.max_ms(), "mean": latencies.mean_ms(), "count": latencies.count(),
        })
    })
}
