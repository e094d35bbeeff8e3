//! What is to be played: the recorded conversations, when each begins, and how fast all of it goes.

use std::sync::Arc;
use std::time::Duration;

use crate::desk::{Conversation, Recording, Turn, What};

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// Each message as soon as the reply before it has come.
    Unpaced,
    /// So many times as fast as recorded.
    Times(f64),
}

impl Speed {
    /// Reads a number from 0, which is no pace at all.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Speed, String> {
        let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
        match speed {
            0.0 => Ok(Speed::Unpaced),
            // Slower or faster than this nothing is told from standing still, or from no pace.
            0.001..=1e6 => Ok(Speed::Times(speed)),
            _ => Err("has to be 0, or from 0.001 to 1e6".into()),
        }
    }

    /// How long after the start something comes that came so long after it in the recording; none without a pace.
    pub fn time(self, recorded: Duration) -> Option<Duration> {
        match self {
            Speed::Unpaced => None,
            Speed::Times(speed) => {
                Some(Duration::try_from_secs_f64(recorded.as_secs_f64() / speed).unwrap_or(Duration::MAX))
            }
        }
    }

    /// The number that it is typed as.
    pub fn number(self) -> f64 {
        match self {
            Speed::Unpaced => 0.0,
            Speed::Times(speed) => speed,
        }
    }
}

/// A recording on one line of time.
#[derive(Debug)]
pub struct Script {
    conversations: Vec<Conversation>,
    /// When each began, counted from the first of all.
    starts: Vec<Duration>,
    /// The conversations in the order in which they begin.
    order: Vec<usize>,
    length: Duration,
}

impl Script {
    /// Puts the runs of a recording one behind the other: how long nobody was there between them does not matter.
    pub fn new(recording: Recording) -> Arc<Script> {
        let conversations = recording.conversations;
        let mut starts = Vec::with_capacity(conversations.len());
        let (mut run, mut run_begins, mut length) = (0, Duration::ZERO, Duration::ZERO);
        for conversation in &conversations {
            if conversation.run != run {
                (run, run_begins) = (conversation.run, length);
            }
            let start = run_begins + conversation.opened;
            starts.push(start);
            // Where the clock was set back, the last turn need not be the latest.
            let last = conversation.turns.iter().map(|turn| turn.at).max().unwrap_or_default();
            length = length.max(start + last);
        }
        let mut order: Vec<usize> = (0..conversations.len()).collect();
        order.sort_by_key(|place| starts[*place]);
        Arc::new(Script { conversations, starts, order, length })
    }

    /// How many conversations there are.
    pub fn len(&self) -> usize {
        self.conversations.len()
    }

    /// The place of the conversation that begins as this one, from 0.
    pub fn nth(&self, number: usize) -> Option<usize> {
        self.order.get(number).copied()
    }

    /// What happened in the conversation at this place.
    pub fn turns(&self, place: usize) -> &[Turn] {
        &self.conversations[place].turns
    }

    /// When the conversation at this place began, counted from the first.
    pub fn start(&self, place: usize) -> Duration {
        self.starts[place]
    }

    /// How long all of it took.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How many messages the peers sent.
    pub fn messages(&self) -> u64 {
        let turns = self.conversations.iter().flat_map(|conversation| &conversation.turns);
        turns.filter(|turn| matches!(turn.what, What::Heard(_))).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_from_nothing_up() {
        for (text, speed) in [("0", Speed::Unpaced), ("0.0", Speed::Unpaced), ("0.5", Speed::Times(0.5))] {
            assert_eq!(Speed::parse(text), Ok(speed), "{text}");
        }
        for text in ["", "-1", "x", "inf", "nan", "1e9", "1e-9"] {
            assert!(Speed::parse(text).is_err(), "{text}");
        }
        assert_eq!(Speed::Times(10.0).time(Duration::from_secs(1)), Some(Duration::from_millis(100)));
        assert_eq!(Speed::Times(0.001).time(Duration::MAX), Some(Duration::MAX));
        assert_eq!(Speed::Unpaced.time(Duration::from_secs(1)), None);
    }

    #[test]
    fn runs_follow_each_other() {
        let seconds = Duration::from_secs;
        let of = |run, opened, last| Conversation {
            run,
            opened: seconds(opened),
            turns: vec![Turn { at: seconds(last), what: What::HeardEnd }],
        };
        let conversations = vec![of(0, 0, 9), of(0, 2, 3), of(1, 0, 1), of(1, 1, 1)];

        let script = Script::new(Recording { conversations, ..Recording::default() });

        let starts: Vec<u64> = (0..script.len()).map(|place| script.start(place).as_secs()).collect();
        assert_eq!((starts, script.length()), (vec![0, 2, 9, 10], seconds(11)));
    }
}
