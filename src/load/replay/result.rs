//! What came of a replay: for a person, for programs, and whether it went as recorded.

use std::fmt::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::text::plural;
use crate::load::cli::LoadArgs;
use crate::load::json;
use crate::load::report::{ms, write_bars, write_processor, write_table, write_troubles};

use super::player::{Plan, Played};
use super::script::{Script, Speed};

/// What was played, where to, and what came of it.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// What was typed.
    pub args: &'a LoadArgs,
    /// The recording.
    pub script: &'a Script,
    /// How it was played.
    pub plan: &'a Plan,
    /// What was counted.
    pub played: &'a Played,
}

/// One line on what is being done.
pub fn summary(args: &LoadArgs, script: &Script, plan: &Plan) -> String {
    let file = args.replay.as_deref().unwrap_or_else(|| "".as_ref()).display();
    let pace = match plan.speed {
        Speed::Unpaced => "as fast as the replies come".to_owned(),
        Speed::Times(1.0) => format!("in its own {:?}", rounded(script.length())),
        Speed::Times(speed) => format!("{speed} times as fast as its {:?}", rounded(script.length())),
    };
    let (conversations, messages) =
        (plural(script.len() as u64, "conversation"), plural(script.messages(), "message"));
    format!("replay of {file} to {}: {conversations} with {messages}, {pace}", args.address)
}

/// To the microsecond at most, as stamps are.
fn rounded(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

impl Outcome<'_> {
    /// The whole report, lines of text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    /// Nothing, or in one line what was not as it should be.
    ///
    /// # Errors
    /// That line.
    pub fn verdict(&self) -> Result<(), String> {
        let tally = &self.played.tally;
        let mut failed: Vec<String> =
            self.args.fail_if.iter().filter_map(|threshold| threshold.failure(tally)).collect();
        if self.played.different > 0 {
            let count = plural(self.played.different, "conversation");
            failed.push(format!("{count} of {} not as recorded", self.script.len()));
        }
        if tally.cut_short {
            failed.push(format!("{} never begun", plural(self.played.unfinished, "conversation")));
        }
        failed.extend(self.played.difference.clone());
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join("; "))) }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let Outcome { args, script, plan, played } = self;
        let tally = &played.tally;
        let seconds = tally.measured.as_secs_f64();
        writeln!(out, "{}", summary(args, script, plan))?;
        if tally.interrupted {
            writeln!(out, "interrupted after {seconds:.1} s: this is what there is")?;
        }
        if tally.cut_short {
            writeln!(out, "cut short: nobody could be connected to")?;
        }
        writeln!(out)?;
        write!(out, "conversations {} as recorded, {} not", played.as_recorded, played.different)?;
        let unfinished = Some(played.unfinished).filter(|count| *count > 0);
        writeln!(out, "{}", unfinished.map_or(String::new(), |count| format!(", {count} not finished")))?;
        let per_second = tally.messages as f64 / seconds.max(1e-9);
        let messages = script.messages();
        writeln!(out, "messages      {} of {messages} sent  ({per_second:.1} messages/s)", tally.messages)?;
        writeln!(out, "replies       {} compared", played.replies)?;
        writeln!(out, "bytes         {} sent, {} received", tally.tx_bytes, tally.rx_bytes)?;
        if played.not_compared_bytes > 0 {
            let bytes = plural(played.not_compared_bytes, "byte");
            writeln!(out, "not compared  {bytes}: behind our end, where the recording has no more")?;
        }
        write!(out, "time          {seconds:.3} s")?;
        match (plan.speed, played.last_left) {
            (Speed::Times(_), Some(last)) => writeln!(
                out,
                "; the last message left {} ms after its time, the latest {} ms",
                ms(last.late.as_secs_f64() * 1e3),
                ms(played.most_late.as_secs_f64() * 1e3)
            )?,
            _ => writeln!(out, "; recorded in {:?}", rounded(script.length()))?,
        }
        writeln!(out)?;
        let unpaced = "as fast as the replies come: stalls are under-counted, since nothing more is sent while one \
                       lasts; --speed 1 counts them";
        write_table(out, tally, plan.speed != Speed::Unpaced, unpaced)?;
        if tally.latency.count() > 0 {
            writeln!(out)?;
            write_bars(out, &tally.latency)?;
        }
        write_troubles(out, args, tally)?;
        if let Some(difference) = &played.difference {
            writeln!(out, "{difference}")?;
        }
        writeln!(out)?;
        write_processor(out, tally, "")
    }

    /// The result as one object: that of any run, and what a replay has beside it.
    pub fn json(&self) -> Value {
        let Outcome { args, script, plan, played } = self;
        let mut result = json::result(args, &played.tally, false);
        let last_left = played.last_left.filter(|_| plan.speed != Speed::Unpaced);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let is_paced = plan.speed != Speed::Unpaced;
        let changes = [
            ("config", "connections", json!(plan.at_a_time)),
            ("config", "pattern", json!("replay")),
            ("config", "size", Value::Null),
            ("config", "duration_s", Value::Null),
            ("config", "warmup_s", json!(0.0)),
            ("config", "replay", json!(args.replay.as_ref().map(|path| path.to_string_lossy()))),
            ("config", "speed", json!(plan.speed.number())),
            (
                "metrics",
                "service_ms",
                json!(is_paced.then(|| json::latencies(&played.tally.service)).flatten()),
            ),
            (
                "metrics",
                "replay",
                json!({
                    "conversations": script.len(),
                    "as_recorded": played.as_recorded,
                    "different": played.different,
                    "unfinished": played.unfinished,
                    "messages": script.messages(),
                    "replies": played.replies,
                    "not_compared_bytes": played.not_compared_bytes,
                    "recorded_s": script.length().as_secs_f64(),
                    "last_late_ms": last_left.map(|left| milliseconds(left.late)),
                    "most_late_ms": is_paced.then(|| milliseconds(played.most_late)),
                    "first_difference": played.difference,
                }),
            ),
        ];
        for (part, key, value) in changes {
            result[part][key] = value;
        }
        result
    }
}
