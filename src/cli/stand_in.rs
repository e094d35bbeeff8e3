//! The flags with which a server answers of itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::desk::text::period_of;
use crate::desk::{RuleSet, Spelt, Template};

/// What is said without an operator.
#[derive(Debug, Args)]
#[command(next_help_heading = "Standing in for a server")]
pub struct StandInArgs {
    /// Say this to each newcomer. In TEXT: \r \n \t \0 \\ \xNN, ${id} ${name} ${peer} ${time}, $$, ${wait 200ms},
    /// ${close}, ${rst}; exactly these bytes are sent
    #[arg(long, value_name = "TEXT", value_parser = greeting)]
    pub greet: Option<Template>,

    /// Answer each message that the regular expression fits, without its ending, anywhere in it, as bytes; ${1}… are its
    /// groups, and n in such braces how many messages there were; repeatable, the first that fits answers. What none fits
    /// is left to the operator
    #[arg(long, num_args = 2, value_names = ["REGEX", "TEXT"], allow_hyphen_values = true,
          conflicts_with_all = ["chat", "echo", "tap"])]
    pub reply: Vec<String>,

    /// The same from a file of lines REGEX, a tab, TEXT; =MESSAGE, a tab, TEXT fits that message alone; lines with the same
    /// first column are used in turn; read again on SIGUSR1; /learn appends to it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["chat", "echo", "tap"])]
    pub reply_file: Option<PathBuf>,

    /// Say TEXT to everybody, again and again; repeatable
    #[arg(long, num_args = 2, value_names = ["DURATION", "TEXT"], allow_hyphen_values = true)]
    pub every: Vec<String>,

    /// Stand in for the server of this transcript: each newcomer gets the next conversation that was recorded, and the
    /// last one again; what does not fit is left to the operator
    #[arg(long, value_name = "FILE", conflicts_with_all = ["chat", "echo", "tap"])]
    pub play: Option<PathBuf>,

    /// With --play: so many times as fast as it was recorded; 0: at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed, requires = "play")]
    pub speed: f64,
}

impl StandInArgs {
    /// Whether what was given can be used, where peers are (`passes_on`) not the operator's alone.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub fn check(&self, passes_on: bool) -> Result<(), String> {
        if let Some((_, text)) = self.repeated()?.iter().find(|(_, text)| passes_on && text.counts()) {
            let text = String::from_utf8_lossy(text.spelt()).into_owned();
            return Err(format!("--every {text:?}: ${{n}} counts messages, which only the console does"));
        }
        RuleSet::new(self.rules()?.iter()).map(drop)
    }

    /// Whether messages are not only shown.
    pub fn looks_at_messages(&self) -> bool {
        !self.reply.is_empty() || self.reply_file.is_some() || self.play.is_some()
    }

    /// The rules that were given one by one.
    ///
    /// # Errors
    /// What is none.
    pub fn rules(&self) -> Result<Vec<Spelt>, String> {
        let pairs = self.reply.chunks_exact(2);
        pairs
            .map(|pair| {
                let text = Template::parse(pair[1].as_bytes());
                let text = text.map_err(|why| format!("--reply {:?} {:?}: {why}", pair[0], pair[1]))?;
                Ok(Spelt::given(&pair[0], text))
            })
            .collect()
    }

    /// What is repeated, and how often.
    ///
    /// # Errors
    /// What is none.
    pub fn repeated(&self) -> Result<Vec<(Duration, Template)>, String> {
        let pairs = self.every.chunks_exact(2);
        pairs
            .map(|pair| {
                let period = period_of(pair[0].as_bytes());
                let period = period.ok_or_else(|| {
                    format!("--every {:?}: a duration from 10ms to 24h stands there", pair[0])
                })?;
                Ok((period, greeting(&pair[1]).map_err(|why| format!("--every {:?}: {why}", pair[1]))?))
            })
            .collect()
    }
}

/// A text that answers nothing, so there are no groups.
fn greeting(text: &str) -> Result<Template, String> {
    let read = Template::parse(text.as_bytes());
    let read = read.and_then(|template| template.check_groups(0).map(|()| template));
    read.map_err(|why| why.to_string())
}

fn speed(text: &str) -> Result<f64, String> {
    let outside = "has to be from 0.01 to 10000, or 0";
    let speed: f64 = text.parse().map_err(|_| format!("not a number; it {outside}"))?;
    if speed == 0.0 || (0.01..=10_000.0).contains(&speed) { Ok(speed) } else { Err(outside.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::super::ServerArgs;
    use clap::Parser;

    fn checked(arguments: &[&str]) -> Result<ServerArgs, String> {
        let args = ServerArgs::try_parse_from([&["switchboard"], arguments].concat());
        let args = args.map_err(|error| error.to_string())?;
        args.check().map(|()| args)
    }

    #[test]
    fn what_is_wrong_with_a_text_is_wrong_usage() {
        let args = checked(&["--greet", "hi ${id}\\n", "--every", "5s", "-x", "--every", "1m", "y"]).unwrap();
        assert_eq!(args.stand_in.repeated().unwrap().len(), 2);
        for (arguments, why) in [
            (&["--greet", "${nmae}"][..], "${nmae} stands for nothing"),
            (&["--greet", "${1}"], "${1} names a group of which there are 0"),
            (&["--every", "5", "x"], "--every \"5\": a duration"),
            (&["--every", "5ms", "x"], "--every \"5ms\": a duration"),
            (&["--every", "5s", "$"], "--every \"$\": a $ stands alone"),
            (&["--every", "5s", "${n}", "--echo"], "${n} counts messages, which only the console does"),
            (&["--every", "5s"], "2 values required"),
            (&["--reply", "x"], "2 values required"),
            (&["--speed", "2"], "--play"),
            (&["--play", "x", "--speed=-1"], "--speed"),
            (&["--play", "x", "--tap", "5001"], "cannot be used with"),
            (&["--reply", "a", "b", "--chat"], "cannot be used with"),
            (&["--reply-file", "a", "--echo"], "cannot be used with"),
        ] {
            let told = checked(arguments).expect_err(&format!("{arguments:?} is taken"));
            assert!(told.contains(why), "{arguments:?}: {told}");
        }
    }
}
