//! Completion: of what the owner offers, what all candidates have in common.

use std::ops::Range;

use unicode_segmentation::GraphemeCursor;

use super::line::Run;
use super::{Editor, Last};

/// What has become of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Offer {
    /// There were no candidates, or no room for one.
    Nothing,
    /// The only candidate stands there now.
    Completed,
    /// What all have in common stands there now, and that is more than before.
    Extended,
    /// They have nothing more in common than what stands there. The next Tab lists.
    Ambiguous,
    /// As before, and this was the second Tab: the owner shows the candidates.
    List,
}

impl Editor {
    /// Puts what all candidates have in common in place of the word in the range (bytes of the line), and a blank
    /// behind it where there is only one and `with_blank` asks for it. To be called at [`super::Action::Complete`].
    pub fn offer(&mut self, range: Range<usize>, candidates: &[String], with_blank: bool) -> Offer {
        let Some(word) = self.line().get(range.clone()) else { return Offer::Nothing };
        let Some(first) = candidates.first() else { return Offer::Nothing };
        let is_only = candidates.iter().all(|candidate| candidate == first);
        let common = common_start(candidates);
        let behind =
            if is_only && with_blank && !self.line()[range.end..].starts_with(' ') { " " } else { "" };
        // What was typed stays if it is nothing that all begin with: they were found in another way.
        let adds = is_only || common.len() > word.len() && common.starts_with(word);
        if adds {
            let new = [common, behind].concat();
            if new != word && !self.line.replace(range, &new, Run::Alone) {
                return Offer::Nothing;
            }
            self.last = Last::Tab { was_in_vain: false };
            return if is_only { Offer::Completed } else { Offer::Extended };
        }
        let is_second = self.last == Last::Tab { was_in_vain: true };
        self.last = Last::Tab { was_in_vain: true };
        if is_second { Offer::List } else { Offer::Ambiguous }
    }
}

/// The longest text that all of these begin with, in whole characters.
fn common_start(candidates: &[String]) -> &str {
    let Some((first, others)) = candidates.split_first() else { return "" };
    let mut end = first.len();
    for other in others {
        let same = first[..end].bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count();
        end = same;
        // Neither may be cut within a character.
        while [first, other].iter().any(|text| !is_between(text, end)) {
            end -= 1;
        }
    }
    &first[..end]
}

fn is_between(text: &str, at: usize) -> bool {
    text.is_char_boundary(at)
        && GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(true)
}
