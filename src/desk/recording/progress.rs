//! How far a peer has come in a recorded conversation. What it says is held against what was said then byte by byte,
//! whatever it is cut into; a message that does not fit is left out whole.

use super::{Turn, What};

/// Where a peer is in a conversation. It begins as `Progress::default()`; all calls are to be about the same turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    at: Place,
    message: Message,
    /// Of the turns before this one, what we said was given out. Where a message is left out of which the beginning did
    /// fit, it lies behind the place.
    given: usize,
}

/// The first byte that was not said yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    turn: usize,
    /// So many bytes of that turn were.
    bytes: usize,
}

/// The message that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Message {
    /// It has not begun.
    #[default]
    New,
    /// It fits so far, and began here.
    Fits(Place),
    /// It does not fit, nor does what is still to come of it.
    LeftOut,
}

impl Progress {
    /// Takes a piece of what the peer says, which lies in several places, with what frames it. `goes_on`: the message
    /// does, in the next piece. Returns whether it fits.
    pub fn hear(&mut self, turns: &[Turn], piece: &[&[u8]], goes_on: bool) -> bool {
        self.pass_ours(turns);
        let began = match self.message {
            Message::New => self.at,
            Message::Fits(began) => began,
            Message::LeftOut => {
                self.message = if goes_on { Message::LeftOut } else { Message::New };
                return false;
            }
        };
        let passed = piece.iter().try_fold(self.at, |at, bytes| pass(turns, at, bytes));
        self.at = passed.unwrap_or(began);
        self.message = match passed {
            _ if !goes_on => Message::New,
            Some(_) => Message::Fits(began),
            None => Message::LeftOut,
        };
        passed.is_some()
    }

    /// The same of a piece that a silence has ended. It was a message where one ended then, and where it does not fit. In the
    /// middle of what was said at once then it has only begun: if the rest does not fit, it is left out whole, too.
    pub fn hear_until_silence(&mut self, turns: &[Turn], piece: &[&[u8]]) -> bool {
        let fits = self.hear(turns, piece, true);
        if !fits || self.at.bytes == 0 {
            self.message = Message::New;
        }
        fits
    }

    /// Whether what comes next belongs to the message of the piece before.
    pub fn is_within_message(&self) -> bool {
        self.message != Message::New
    }

    /// The peer has finished sending. Returns whether it did so then.
    pub fn hear_end(&mut self, turns: &[Turn]) -> bool {
        self.pass_ours(turns);
        self.message = Message::New;
        let fits = turns.get(self.at.turn).is_some_and(|turn| turn.what == What::HeardEnd);
        self.at.turn += usize::from(fits);
        fits
    }

    /// The next thing that we said or did and that nothing the peer is still to say came before. It is given out once.
    pub fn next_of_ours<'a>(&mut self, turns: &'a [Turn]) -> Option<&'a Turn> {
        self.pass_ours(turns);
        let until = self.at.turn.max(self.given);
        let ours = turns[self.given..until].iter().position(|turn| is_ours(&turn.what));
        let found = ours.map(|ours| self.given + ours);
        self.given = found.map_or(until, |found| found + 1);
        found.map(|found| &turns[found])
    }

    /// Whether the peer has said all that it said.
    pub fn is_through(&self, turns: &[Turn]) -> bool {
        let is_heard = |turn: &Turn| matches!(turn.what, What::Heard(_) | What::HeardEnd);
        !turns[self.at.turn.min(turns.len())..].iter().any(is_heard)
    }

    /// Goes past what we said: the peer says nothing there.
    fn pass_ours(&mut self, turns: &[Turn]) {
        self.at = past_ours(turns, self.at);
    }
}

fn is_ours(what: &What) -> bool {
    matches!(what, What::Said(_) | What::SaidEnd | What::SaidReset)
}

fn past_ours(turns: &[Turn], mut at: Place) -> Place {
    let is_no_word = |what: &What| is_ours(what) || matches!(what, What::Heard(bytes) if bytes.is_empty());
    while at.bytes == 0 && turns.get(at.turn).is_some_and(|turn| is_no_word(&turn.what)) {
        at.turn += 1;
    }
    at
}

/// Where it goes on behind these bytes; `None` where others were said.
fn pass(turns: &[Turn], at: Place, mut bytes: &[u8]) -> Option<Place> {
    let mut at = at;
    while !bytes.is_empty() {
        at = past_ours(turns, at);
        let Some(Turn { what: What::Heard(heard), .. }) = turns.get(at.turn) else { return None };
        let due = &heard[at.bytes..];
        let count = due.len().min(bytes.len());
        if due[..count] != bytes[..count] {
            return None;
        }
        bytes = &bytes[count..];
        let is_whole = count == due.len();
        at = if is_whole {
            Place { turn: at.turn + 1, bytes: 0 }
        } else {
            Place { bytes: at.bytes + count, ..at }
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn turn(what: What) -> Turn {
        Turn { at: Duration::ZERO, what }
    }

    fn heard(bytes: &[u8]) -> Turn {
        turn(What::Heard(bytes.into()))
    }

    fn said(bytes: &[u8]) -> Turn {
        turn(What::Said(bytes.into()))
    }

    /// All that is to be said now, with blanks between.
    fn ours(progress: &mut Progress, turns: &[Turn]) -> String {
        let mut all = Vec::new();
        while let Some(turn) = progress.next_of_ours(turns) {
            all.push(match &turn.what {
                What::Said(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            });
        }
        all.join(" ")
    }

    #[test]
    fn what_we_said_is_due_once_the_peer_has_said_what_came_before_it() {
        let turns =
            [said(b"hi"), heard(b"a\r\n"), said(b"1"), said(b"2"), heard(b"b\n"), turn(What::SaidEnd)];
        let mut progress = Progress::default();

        assert_eq!(ours(&mut progress, &turns), "hi");
        assert_eq!(ours(&mut progress, &turns), "", "it is said once");
        assert!(!progress.hear(&turns, &[b"b", b"\n"], false), "the order is strict");
        assert!(!progress.hear(&turns, &[b"a", b"\n"], false), "a CR is missing");
        assert!(progress.hear(&turns, &[b"a\r", b"\n"], false));
        assert_eq!(ours(&mut progress, &turns), "1 2");
        assert!(!progress.is_through(&turns));
        assert!(progress.hear(&turns, &[b"b", b"\n"], false));
        assert_eq!(ours(&mut progress, &turns), "SaidEnd");
        assert!(progress.is_through(&turns));
        assert!(!progress.hear(&turns, &[b"b", b"\n"], false), "nothing more was said then");
    }

    #[test]
    fn a_message_that_does_not_fit_is_left_out_whole_and_what_was_said_in_it_is_not_said_again() {
        let turns = [heard(b"aa"), said(b"1"), heard(b"bb"), heard(b"\n"), said(b"2")];
        let mut progress = Progress::default();

        assert!(progress.hear(&turns, &[b"aa"], true));
        assert_eq!(ours(&mut progress, &turns), "1");
        assert!(!progress.hear(&turns, &[b"xx"], true));
        assert!(!progress.hear(&turns, &[b"aabb"], true), "it is still the same message");
        assert!(!progress.hear(&turns, &[b"", b"\n"], false));
        assert_eq!(ours(&mut progress, &turns), "");
        assert!(progress.hear(&turns, &[b"aabb", b"\n"], false), "from where it began");
        assert_eq!(ours(&mut progress, &turns), "2");
    }

    #[test]
    fn half_a_message_that_a_silence_has_ended_is_left_out_with_the_rest_of_it() {
        let turns = [heard(b"one\n"), said(b"1"), heard(b"two"), said(b"2"), heard(b"three\n"), said(b"3")];
        let mut progress = Progress::default();

        assert!(progress.hear_until_silence(&turns, &[b"on"]));
        assert!(progress.is_within_message());
        assert!(!progress.hear(&turns, &[b"p", b"\n"], false));
        assert!(progress.hear_until_silence(&turns, &[b"o"]));
        assert!(progress.hear(&turns, &[b"ne", b"\n"], false), "what is cut by a silence is the same");
        assert_eq!(ours(&mut progress, &turns), "1");
        assert!(progress.hear_until_silence(&turns, &[b"two"]));
        assert!(!progress.is_within_message(), "it ended there then");
        assert_eq!(ours(&mut progress, &turns), "2");
        assert!(!progress.hear_until_silence(&turns, &[b"x"]));
        assert!(progress.hear(&turns, &[b"three", b"\n"], false), "a stray one takes nothing back");
        assert_eq!(ours(&mut progress, &turns), "3");
    }

    #[test]
    fn an_end_fits_where_it_was_and_nowhere_else() {
        let turns = [heard(b"a"), turn(What::HeardEnd), said(b"1"), turn(What::SaidEnd)];
        let mut progress = Progress::default();

        assert!(!progress.hear_end(&turns));
        assert!(progress.hear(&turns, &[b"a"], false));
        assert!(!progress.hear(&turns, &[b"a"], false), "behind it comes the end");
        assert_eq!(ours(&mut progress, &turns), "");
        assert!(progress.hear_end(&turns));
        assert_eq!(ours(&mut progress, &turns), "1 SaidEnd");
        assert!(!progress.hear_end(&turns), "there is one");
    }

    proptest! {
        /// The peer's bytes are a, b and a mark, so that much nearly fits.
        #[test]
        fn it_does_not_matter_what_the_peers_words_are_cut_into(
            turns in proptest::collection::vec((any::<bool>(), "[ab\n]{0,5}"), 0..12),
            cuts in proptest::collection::vec(0usize..60, 0..12),
        ) {
            let words: String = turns.iter().filter(|(is_heard, _)| *is_heard).map(|(_, text)| &text[..]).collect();
            let turns: Vec<Turn> = turns
                .iter()
                .map(|(is_heard, text)| if *is_heard { heard(text.as_bytes()) } else { said(text.as_bytes()) })
                .collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(words.len())).collect();
            cuts.extend([0, words.len()]);
            cuts.sort_unstable();
            let mut progress = Progress::default();
            let mut given = Vec::new();

            for pair in cuts.windows(2) {
                given.extend(std::iter::from_fn(|| progress.next_of_ours(&turns)));
                let due = due_before(&turns, pair[0]);
                prop_assert_eq!(given.len(), due, "behind {} bytes", pair[0]);
                prop_assert!(progress.hear(&turns, &[&words.as_bytes()[pair[0]..pair[1]]], false));
            }

            given.extend(std::iter::from_fn(|| progress.next_of_ours(&turns)));
            let all: Vec<&Turn> = turns.iter().filter(|turn| is_ours(&turn.what)).collect();
            prop_assert_eq!(given, all);
        }

        #[test]
        fn what_is_left_out_changes_nothing(
            turns in proptest::collection::vec("[ab]{1,3}\n", 1..8),
            strays in proptest::collection::vec((0usize..8, "[abc]{0,4}\n"), 0..8),
            cut in 0usize..4,
        ) {
            let all: Vec<Turn> =
                turns.iter().flat_map(|text| [heard(text.as_bytes()), said(text.as_bytes())]).collect();
            let mut progress = Progress::default();

            for (at, text) in turns.iter().enumerate() {
                for (_, stray) in strays.iter().filter(|(before, stray)| *before == at && stray != text) {
                    let before = progress.clone();
                    let cut = cut.min(stray.len() - 1);
                    let (head, tail) = stray.as_bytes().split_at(cut);
                    progress.hear(&all, &[head], true);
                    prop_assert_eq!(progress.next_of_ours(&all), None);
                    prop_assert!(!progress.hear(&all, &[tail], false));
                    prop_assert_eq!(&progress, &before);
                }
                prop_assert!(progress.hear(&all, &[text.as_bytes()], false));
                prop_assert_eq!(&progress.next_of_ours(&all).unwrap().what, &What::Said(text.as_bytes().into()));
                prop_assert_eq!(progress.next_of_ours(&all), None);
            }
            prop_assert!(progress.is_through(&all));
        }
    }

    /// How much of ours is due when the peer has said so many bytes.
    fn due_before(turns: &[Turn], bytes: usize) -> usize {
        let mut left = bytes;
        let mut due = 0;
        for turn in turns {
            match &turn.what {
                What::Heard(heard) if heard.len() > left => return due,
                What::Heard(heard) => left -= heard.len(),
                _ => due += 1,
            }
        }
        due
    }
}
