//! `--fail-if 'p99>5ms'`: when a run counts as failed; `--find 'p99<50ms'`: what has to hold of it.

use super::tally::{Latencies, Tally};

/// A bound on one figure of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    figure: Figure,
    fails: Comparison,
    /// Milliseconds where the figure is a time.
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    Percentile(f64),
    Max,
    Mean,
    Rate,
    Errors,
    Unanswered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Above,
    Below,
}

impl Threshold {
    /// Reads `FIGURE>VALUE` or `FIGURE<VALUE`. Figures are p50, p99.9 and the like, max and mean, with a
    /// value in us, ms or s; and rate, errors and unanswered, with a number.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Threshold, String> {
        let wrong = || format!("{text:?} is no condition such as p99>5ms, rate<10000, errors>0");
        let at = text.find(['<', '>']).ok_or_else(wrong)?;
        let (name, value) = (text[..at].trim(), text[at + 1..].trim());
        let fails = if text[at..].starts_with('>') { Comparison::Above } else { Comparison::Below };
        let figure = match name {
            "max" => Figure::Max,
            "mean" => Figure::Mean,
            "rate" => Figure::Rate,
            "errors" => Figure::Errors,
            "unanswered" => Figure::Unanswered,
            _ => {
                let percent = name.strip_prefix('p').and_then(percent).ok_or_else(wrong)?;
                Figure::Percentile(percent)
            }
        };
        let is_time = matches!(figure, Figure::Percentile(_) | Figure::Max | Figure::Mean);
        let bound = if is_time { milliseconds(value) } else { value.parse().ok() };
        let bound = bound.filter(|bound| bound.is_finite()).ok_or_else(wrong)?;
        Ok(Threshold { text: text.to_owned(), figure, fails, bound })
    }

    /// If the result fails it: a line that says so.
    pub fn failure(&self, tally: &Tally) -> Option<String> {
        let latency = &tally.latency;
        let (value, unit) = match self.figure {
            Figure::Percentile(_) | Figure::Max | Figure::Mean => (self.figure.of(latency), " ms"),
            Figure::Rate => (tally.messages as f64 / tally.measured.as_secs_f64().max(1e-9), " messages/s"),
            Figure::Errors => (tally.failed() as f64, ""),
            Figure::Unanswered => (tally.unanswered as f64, ""),
        };
        let is_time = unit == " ms";
        let fails = match self.fails {
            Comparison::Above => value > self.bound,
            Comparison::Below => value < self.bound,
        };
        if is_time && latency.count() == 0 {
            return Some(format!("{}: nothing was measured", self.text));
        }
        fails.then(|| format!("{}: it was {value:.3}{unit}", self.text))
    }
}

impl Figure {
    /// A latency in milliseconds; of what is none, 0.
    fn of(self, latency: &Latencies) -> f64 {
        match self {
            Figure::Percentile(percent) => latency.percentile_ms(percent),
            Figure::Max => latency.max_ms(),
            Figure::Mean => latency.mean_ms(),
            Figure::Rate | Figure::Errors | Figure::Unanswered => 0.0,
        }
    }
}

/// A latency that has to stay below a time: what a rate is searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound(Threshold);

impl Bound {
    /// Reads `FIGURE<TIME` in the grammar of a threshold, for latencies alone.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Bound, String> {
        let wrong = || format!("{text:?} is no latency below a time, such as p99<50ms, max<1s");
        let threshold = Threshold::parse(text).map_err(|_| wrong())?;
        let is_latency = matches!(threshold.figure, Figure::Percentile(_) | Figure::Max | Figure::Mean);
        let is_bound = is_latency && threshold.fails == Comparison::Below && threshold.bound > 0.0;
        if is_bound { Ok(Bound(threshold)) } else { Err(wrong()) }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The figure's name, such as `p99`.
    pub fn name(&self) -> &str {
        self.0.text.split('<').next().unwrap_or_default().trim()
    }

    /// The time that it has to stay below, in milliseconds.
    pub fn limit_ms(&self) -> f64 {
        self.0.bound
    }

    /// The figure of these latencies, in milliseconds.
    pub fn value_ms(&self, latency: &Latencies) -> f64 {
        self.0.figure.of(latency)
    }

    /// Whether it stays below; of nothing nothing holds.
    pub fn holds(&self, latency: &Latencies) -> bool {
        latency.count() > 0 && self.value_ms(latency) < self.limit_ms()
    }
}

/// `99` and `99.9`, and `999`, which people write for 99.9.
fn percent(digits: &str) -> Option<f64> {
    let value: f64 = digits.parse().ok()?;
    let percent = if digits.len() > 2 && digits.starts_with('9') && !digits.contains('.') {
        value / 10f64.powi(digits.len() as i32 - 2)
    } else {
        value
    };
    (0.0..=100.0).contains(&percent).then_some(percent)
}

fn milliseconds(value: &str) -> Option<f64> {
    let unit_at = value.find(|char: char| char.is_ascii_alphabetic())?;
    let number: f64 = value[..unit_at].trim().parse().ok()?;
    match &value[unit_at..] {
        "us" => Some(number / 1e3),
        "ms" => Some(number),
        "s" => Some(number * 1e3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_run_fails_where_a_figure_is_beyond_its_bound() {
        let mut tally = Tally { messages: 100, measured: Duration::from_secs(2), ..Tally::default() };
        tally.latency.note(Duration::from_millis(10), 100);

        for (text, fails) in [
            ("p99>5ms", true),
            ("p99>11ms", false),
            ("p99.9 > 0.009s", true),
            ("p999>9000us", true),
            ("max<11ms", true),
            ("rate<51", true),
            ("rate<49", false),
            ("errors>0", false),
            ("unanswered>0", false),
        ] {
            let failure = Threshold::parse(text).unwrap().failure(&tally);
            assert_eq!(failure.is_some(), fails, "{text}: {failure:?}");
        }
    }

    #[test]
    fn a_bound_holds_of_latencies_below_it_and_of_nothing_else() {
        let mut latency = Latencies::default();
        let bound = Bound::parse("p99 < 50ms").unwrap();
        assert!(!bound.holds(&latency), "nothing was measured");

        latency.note(Duration::from_millis(49), 1000);

        assert!(bound.holds(&latency));
        assert!(!Bound::parse("max<0.049s").unwrap().holds(&latency));
        assert_eq!((bound.name(), bound.text(), bound.limit_ms()), ("p99", "p99 < 50ms", 50.0));
        for text in ["p99>50ms", "rate<5", "errors<1", "p99<0ms", "p99<-1ms", "p99", ""] {
            assert!(Bound::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["", "p99", "p99>", "p99>5", "p101>5ms", "rate<5ms", "speed>3", "p99=5ms", "pxx>5ms"] {
            assert!(Threshold::parse(text).is_err(), "{text:?}");
        }
    }
}
