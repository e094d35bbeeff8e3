//! The result for a person.

use std::fmt::{self, Write};

use super::cli::{LoadArgs, Pattern};
use super::tally::{Latencies, Tally};

/// The tester itself is in the way when it uses more of its processors than this.
const BUSY: f64 = 0.8;

/// Characters shown of what the server said.
const SHOWN_CHARS_MAX: usize = 150;

/// Columns of the longest bar.
const BAR: f64 = 50.0;

const PERCENTS: [(&str, f64); 6] =
    [("p50", 50.0), ("p75", 75.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("p99.99", 99.99)];

/// The whole report, lines of text.
pub fn text(args: &LoadArgs, tally: &Tally, saturated: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, args, tally, saturated);
    out
}

fn write(out: &mut String, args: &LoadArgs, tally: &Tally, saturated: bool) -> fmt::Result {
    let seconds = tally.measured.as_secs_f64().max(1e-9);
    writeln!(out, "{}", args.summary())?;
    if tally.interrupted {
        writeln!(out, "interrupted after {seconds:.1} s: this is what there is")?;
    }
    if tally.cut_short {
        writeln!(out, "{}", cut_short(args, tally))?;
    }
    writeln!(out)?;
    if args.churn {
        writeln!(out, "connections   {} made, {} at a time", tally.connected, args.connections)?;
    } else {
        writeln!(out, "connections   {} of {}", tally.connected, args.connections)?;
    }
    if !args.hold {
        let (rx, tx) = (tally.rx_bytes as f64 / 1e6 / seconds, tally.tx_bytes as f64 / 1e6 / seconds);
        writeln!(
            out,
            "messages      {}  ({:.1} messages/s)",
            tally.messages,
            tally.messages as f64 / seconds
        )?;
        if args.pattern == Pattern::Chat {
            let rate = tally.deliveries as f64 / seconds;
            writeln!(out, "deliveries    {}  ({rate:.1} deliveries/s)", tally.deliveries)?;
        }
        writeln!(out, "bytes         {tx:.2} MB/s sent, {rx:.2} MB/s received")?;
    }
    if tally.unsent > 0 {
        writeln!(out, "not sent      {} messages that should have left by the end", tally.unsent)?;
    }
    if let Some(asked) = args.rate {
        let achieved = tally.messages as f64 / seconds;
        let saturated = if saturated { "  saturated: the asked rate was not reached" } else { "" };
        writeln!(out, "rate          {achieved:.1} messages/s achieved, {asked:.1} asked{saturated}")?;
    }
    writeln!(out)?;
    write_head(out)?;
    write_row(out, "connect", &tally.connect)?;
    if args.rate.is_some() && tally.latency.count() > 0 {
        write_row(out, "response", &tally.latency)?;
        write_row(out, "service", &tally.service)?;
        writeln!(out, "response counts from when a message should have left, service from when it did")?;
    } else if tally.latency.count() > 0 {
        write_row(out, "latency", &tally.latency)?;
        writeln!(
            out,
            "closed loop: stalls are under-counted, since nothing more is sent while one lasts; --rate counts them"
        )?;
    }
    if let Some((conn, p99)) = tally.slowest {
        writeln!(out, "slowest connection: number {conn}, p99 {} ms", ms(p99))?;
    }
    if tally.latency.count() > 0 {
        writeln!(out)?;
        write_bars(out, &tally.latency)?;
    }
    write_troubles(out, args, tally)?;
    writeln!(out)?;
    match tally.busiest {
        Some(busy) => write!(out, "the tester's busiest thread used {:.0} % of its processor", busy * 100.0)?,
        None => write!(out, "too little time counted to say what share of its processor the tester used")?,
    }
    if tally.messages > 0 {
        write!(out, ", {:.2} us a message", tally.processor.as_secs_f64() * 1e6 / tally.messages as f64)?;
    }
    if tally.busiest.is_some_and(|busy| busy > BUSY) {
        write!(out, "\nwarning: over 80 %: these figures may be the tester's own; use more threads")?;
    }
    writeln!(out)
}

/// That a run ended because no connection was left: when, and how much of it was done by then.
pub fn cut_short(args: &LoadArgs, tally: &Tally) -> String {
    if tally.measured.is_zero() && !args.warmup().is_zero() {
        return "cut short before anything counted: all connections were lost".to_owned();
    }
    let mut line = format!("cut short after {:.1} s", tally.measured.as_secs_f64());
    if let Some(duration) = args.duration() {
        line += &format!(" of {duration:?}");
    }
    if let Some(messages) = args.messages {
        line += &format!(", {} of {messages} messages", tally.messages);
    }
    line + ": all connections were lost"
}

fn write_head(out: &mut String) -> fmt::Result {
    write!(out, "{:<10}", "ms")?;
    for (name, _) in PERCENTS {
        write!(out, "{name:>10}")?;
    }
    writeln!(out, "{:>10}{:>10}", "max", "mean")
}

fn write_row(out: &mut String, name: &str, latencies: &Latencies) -> fmt::Result {
    if latencies.count() == 0 {
        return Ok(());
    }
    write!(out, "{name:<10}")?;
    for (_, percent) in PERCENTS {
        write!(out, "{:>10}", ms(latencies.percentile_ms(percent)))?;
    }
    writeln!(out, "{:>10}{:>10}", ms(latencies.max_ms()), ms(latencies.mean_ms()))
}

/// Milliseconds with as many digits as they deserve.
pub(super) fn ms(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// What somebody said, made safe for a terminal, and no more of it than says what it is.
pub fn short(words: &[u8]) -> String {
    let mut shown = Vec::new();
    crate::desk::text::push_human(&mut shown, words.trim_ascii_end());
    let shown = String::from_utf8_lossy(&shown);
    match shown.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &shown[..end]),
        None => shown.into_owned(),
    }
}

/// A bar for each doubling of the latency.
fn write_bars(out: &mut String, latencies: &Latencies) -> fmt::Result {
    let histogram = latencies.histogram();
    let total = latencies.count() as f64;
    let mut low = 0u64;
    let mut high = histogram.min().max(1).next_power_of_two();
    let mut rows = Vec::new();
    while low <= histogram.max() {
        let count = histogram.count_between(low, high - 1);
        rows.push((low, high, count));
        (low, high) = (high, high.saturating_mul(2));
    }
    let most = rows.iter().map(|(.., count)| *count).max().unwrap_or(1).max(1) as f64;
    for (low, high, count) in rows {
        let bar = "█".repeat((count as f64 / most * BAR).round() as usize);
        let (low, high) = (ms(low as f64 / 1e6), ms(high as f64 / 1e6));
        writeln!(out, "{low:>7} - {high:>7} ms {:>6.2} % {bar}", count as f64 / total * 100.0)?;
    }
    Ok(())
}

fn write_troubles(out: &mut String, args: &LoadArgs, tally: &Tally) -> fmt::Result {
    if tally.failed() == 0 && tally.unanswered == 0 {
        return Ok(());
    }
    writeln!(out)?;
    for (failure, count) in &tally.failures {
        writeln!(out, "error: {}: {count}", failure.name())?;
    }
    if let Some(error) = &tally.first_error {
        writeln!(out, "  the first was: {error}")?;
    }
    let wrong = &tally.wrong;
    for (what, count, unit) in [
        ("lost", wrong.lost_messages, "messages"),
        ("lost", wrong.lost_bytes, "bytes"),
        ("duplicated", wrong.duplicated_bytes, "bytes"),
        ("corrupted", wrong.corrupted_bytes, "bytes"),
        ("cross-delivered", wrong.cross_delivered_bytes, "bytes"),
        ("unasked for", wrong.unasked_bytes, "bytes"),
    ] {
        if count > 0 {
            writeln!(out, "  {what}: {count} {unit}")?;
        }
    }
    if let (Some(expected), Some(came)) = (&args.expect, &tally.first_other_reply) {
        let (expected, came) = (short(expected.as_bytes()), short(came));
        writeln!(out, "  expected \"{expected}\", but \"{came}\" came instead")?;
    }
    if let Some(words) = &tally.first_unasked {
        writeln!(out, "  the server said: {}", short(words))?;
    }
    if tally.unanswered > 0 {
        let count = tally.unanswered;
        writeln!(out, "unanswered at the end: {count} messages; they are counted above with their age")?;
    }
    if tally.failures.contains_key(&super::tally::Failure::NoPorts) {
        writeln!(
            out,
            "no ports: an address has some 28,000, and --source-ip has to name this machine's own"
        )?;
    }
    Ok(())
}
