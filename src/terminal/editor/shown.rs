//! What a line looks like. A character that cannot be seen, or would change where others are seen, is spelt out, so
//! that what is sent is what was read; line breaks and tabs have signs of their own.

use std::borrow::Cow;

use crate::terminal::visible::is_visible;
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Which characters the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repertoire {
    /// UTF-8 goes to the terminal.
    Unicode,
    /// Only ASCII does; other characters are spelt out, and sent as they are.
    Ascii,
}

/// The most code points that one character may have and be shown as it is. A family of four with skin tones has 11;
/// what has hundreds covers its neighbours.
const CLUSTER_CHARS_MAX: usize = 16;

/// The smallest piece of a row.
#[derive(Debug)]
pub(crate) struct Unit<'a> {
    /// How many bytes of the line it stands for.
    pub bytes: usize,
    pub shown: Cow<'a, str>,
    /// How many columns it takes; 1 or more.
    pub width: usize,
    /// Whether it is shown in place of something else.
    pub is_stand_in: bool,
}

/// A text from here on, in units. Where a row may begin, this may begin as well, and gives the same.
pub(crate) struct Units<'a> {
    rest: &'a str,
    repertoire: Repertoire,
    /// How much of the rest is spelt out a code point a time.
    split_bytes: usize,
}

pub(crate) fn units(text: &str, repertoire: Repertoire) -> Units<'_> {
    Units { rest: text, repertoire, split_bytes: 0 }
}

impl<'a> Iterator for Units<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        if self.split_bytes > 0 {
            return self.split();
        }
        let cluster = match self.rest.as_bytes() {
            // Between two characters of ASCII is always an end.
            [b' '..=b'~'] => self.rest,
            [b' '..=b'~', b' '..=b'~', ..] => &self.rest[..1],
            _ => self.rest.graphemes(true).next()?,
        };
        if !is_shown_whole(cluster, self.repertoire) {
            self.split_bytes = cluster.len();
            return self.split();
        }
        self.rest = &self.rest[cluster.len()..];
        let width = if cluster.len() == 1 { 1 } else { cluster.width() };
        Some(Unit { bytes: cluster.len(), shown: Cow::Borrowed(cluster), width, is_stand_in: false })
    }
}

impl<'a> Units<'a> {
    fn split(&mut self) -> Option<Unit<'a>> {
        let char = self.rest.chars().next()?;
        let (piece, rest) = self.rest.split_at(char.len_utf8());
        self.rest = rest;
        self.split_bytes -= piece.len();
        if is_shown_whole(piece, self.repertoire) {
            let width = piece.width();
            return Some(Unit { bytes: piece.len(), shown: Cow::Borrowed(piece), width, is_stand_in: false });
        }
        let shown = stand_in(char, self.repertoire);
        Some(Unit { bytes: piece.len(), width: shown.width(), shown, is_stand_in: true })
    }
}

fn stand_in(char: char, repertoire: Repertoire) -> Cow<'static, str> {
    match (char, repertoire) {
        ('\n', Repertoire::Unicode) => Cow::Borrowed("⏎"),
        ('\n', Repertoire::Ascii) => Cow::Borrowed("\\n"),
        ('\t', Repertoire::Unicode) => Cow::Borrowed("⇥"),
        ('\t', Repertoire::Ascii) => Cow::Borrowed("\\t"),
        _ => Cow::Owned(char.escape_unicode().to_string()),
    }
}

/// Whether a character, as a person counts them, can go to the terminal as it is.
fn is_shown_whole(cluster: &str, repertoire: Repertoire) -> bool {
    if let [byte] = cluster.as_bytes() {
        return matches!(byte, b' '..=b'~');
    }
    let Some(first) = cluster.chars().next() else { return false };
    if repertoire == Repertoire::Ascii || !is_visible(first) || is_mark(first) {
        return false;
    }
    let follow = cluster.chars().skip(1);
    let joins = |char: char| match char {
        // Emoji, and scripts whose letters take another form by it: Indic ones, Arabic.
        '\u{200c}' | '\u{200d}' => {
            is_emoji(first) || first.general_category() == GeneralCategory::OtherLetter
        }
        '\u{fe0e}' | '\u{fe0f}' => first.is_emoji_char(),
        // A flag of a part of a country.
        '\u{e0020}'..='\u{e007f}' => first == '\u{1f3f4}',
        _ => is_visible(char),
    };
    follow.clone().count() < CLUSTER_CHARS_MAX && follow.clone().all(joins) && cluster.width() > 0
}

fn is_emoji(char: char) -> bool {
    !char.is_ascii() && char.is_emoji_char()
}

fn is_mark(char: char) -> bool {
    use GeneralCategory as Category;
    let category = char.general_category();
    matches!(category, Category::NonspacingMark | Category::EnclosingMark | Category::SpacingMark)
}

/// Whether a text has a letter of a script that is written from right to left, by the blocks that are reserved for
/// such scripts.
pub(crate) fn is_right_to_left(text: &str) -> bool {
    let is_such = |char| {
        matches!(char,
            '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    !text.is_ascii() && text.chars().any(is_such)
}
