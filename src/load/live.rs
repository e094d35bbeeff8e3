//! How it goes, on stderr: a progress bar on a terminal; else nothing, or a line now and then.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::desk::text::plural;

use super::cli::LoadArgs;
use super::tally::Slice;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The view.
#[derive(Debug)]
pub enum Live {
    /// A bar, for people.
    Bar {
        /// The bar.
        bar: ProgressBar,
        /// What it is drawn for.
        connections: u64,
        /// The time that will count.
        duration: Option<Duration>,
    },
    /// Lines, for logs; when the next is due.
    Lines(Duration),
    /// Nothing.
    Silent,
}

impl Live {
    /// The view for these arguments on this stderr.
    pub fn new(args: &LoadArgs) -> Live {
        Live::of(args.verbose, u64::from(args.connections), args.duration())
    }

    /// The view of so many connections that talk for this time, if it is known.
    pub fn of(verbose: bool, connections: u64, duration: Option<Duration>) -> Live {
        if io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
            // The template is fixed, so it is known to be right.
            if let Ok(style) = ProgressStyle::with_template("{prefix:>10} [{bar:20}] {wide_msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            Live::Bar { bar, connections, duration }
        } else if verbose {
            Live::Lines(LINE_EVERY)
        } else {
            Live::Silent
        }
    }

    /// Shows a second.
    pub fn show(&mut self, second: &Slice) {
        match self {
            Live::Bar { bar, connections, duration } => {
                let thousandths = |part: f64| (part.clamp(0.0, 1.0) * 1000.0) as u64;
                match second.measured {
                    None if second.connections == *connections => bar.set_prefix("warming up"),
                    None => {
                        bar.set_prefix("connecting");
                        bar.set_position(thousandths(second.connections as f64 / *connections as f64));
                    }
                    Some(measured) => {
                        bar.set_prefix("measuring");
                        let part = duration.map_or(1.0, |all| measured.as_secs_f64() / all.as_secs_f64());
                        bar.set_position(thousandths(part));
                    }
                }
                bar.set_message(line(second));
            }
            Live::Lines(due) if second.at >= *due => {
                *due = second.at + LINE_EVERY;
                // A closed stderr is nobody's error.
                let _ = writeln!(io::stderr(), "{:>6.1} s  {}", second.at.as_secs_f64(), line(second));
            }
            Live::Lines(_) | Live::Silent => {}
        }
    }

    /// Takes the view away.
    pub fn end(self) {
        if let Live::Bar { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

fn line(second: &Slice) -> String {
    let mut line = format!(
        "{}  {} messages/s  {:.1} MB/s",
        plural(second.connections, "connection"),
        second.messages,
        second.bytes as f64 / 1e6
    );
    if second.latency.count() > 0 {
        let (p50, p99) = (second.latency.percentile_ms(50.0), second.latency.percentile_ms(99.0));
        line += &format!("  p50 {p50:.2} ms  p99 {p99:.2} ms");
    }
    line + &format!("  {} errors", second.failures)
}
