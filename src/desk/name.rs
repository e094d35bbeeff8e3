//! What a connection may be called. A name is never shown without its number, so it forges no label; what is checked
//! here keeps it from being taken for a number, a command's word, or nothing at all.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Most letters of a name.
pub const NAME_CHARS_MAX: usize = 32;

/// Words that mean something else where a name could stand, or somebody else.
const RESERVED: [&str; 6] = ["all", "last", "new", "off", "operator", "me"];

/// Why something is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// It is empty, or too long.
    Length,
    /// It does not begin with a letter.
    Start,
    /// This character is in no name.
    Char(char),
    /// The word means something else.
    Reserved,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Length => write!(f, "a name has 1 to {NAME_CHARS_MAX} letters"),
            BadName::Start => f.write_str("a name begins with a letter"),
            BadName::Char(char) if is_invisible(*char) || is_spelt_out(*char) => {
                write!(f, "U+{:04X} is in no name", u32::from(*char))
            }
            BadName::Char(char) => write!(f, "a name has letters, digits, - _ and . in it, not {char:?}"),
            BadName::Reserved => {
                write!(f, "{} mean something else", RESERVED.join(", "))
            }
        }
    }
}

/// Letters to Unicode that show nothing: the fillers of Hangul.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

/// Whether Rust shows a character by its number: one that shows nothing, or not by itself.
fn is_spelt_out(char: char) -> bool {
    char.escape_debug().nth(1).is_some_and(|second| matches!(second, 'u' | '0' | 't' | 'n' | 'r'))
}

fn is_letter(char: char) -> bool {
    char.is_alphabetic() && !is_invisible(char)
}

fn is_digit(char: char) -> bool {
    char.general_category() == GeneralCategory::DecimalNumber
}

/// Whether a character can be in a name.
pub fn is_name_char(char: char) -> bool {
    is_letter(char) || is_digit(char) || matches!(char, '-' | '_' | '.')
}

/// Checks a name: 1 to 32 letters of any script, digits, `-`, `_` and `.`, of which the first is a letter.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), BadName> {
    let count = name.chars().count();
    if count == 0 || count > NAME_CHARS_MAX {
        return Err(BadName::Length);
    }
    if let Some(char) = name.chars().find(|char| !is_name_char(*char)) {
        return Err(BadName::Char(char));
    }
    if !name.starts_with(is_letter) {
        return Err(BadName::Start);
    }
    if RESERVED.contains(&folded(name).as_str()) {
        return Err(BadName::Reserved);
    }
    Ok(())
}

/// The form by which names are compared: without regard to case.
pub fn folded(name: &str) -> String {
    // By way of the upper case: there are letters whose capitals are the same, such as the two sigmas. And to that by
    // way of the lower case: a capital ẞ stays what it is, while ß becomes SS.
    name.to_lowercase().to_uppercase().to_lowercase()
}

/// Whether it is a pattern that several names may fit.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Most bytes of a glob: what it is held against has 32 letters, and what is much longer takes much longer to compile.
const GLOB_BYTES_MAX: usize = 256;

/// What a glob says of names, which have to be folded. A pattern that is none fits nobody.
pub fn matcher(glob: &str) -> Option<GlobMatcher> {
    Some(GlobBuilder::new(&folded(glob)).literal_separator(false).build().ok()?.compile_matcher())
}

/// Whether it can be a name or a glob at all.
pub fn may_be_target(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= GLOB_BYTES_MAX
        && text.chars().all(|char| is_name_char(char) || "*?[]!^{}".contains(char))
        && (is_glob(text) || text.starts_with(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name_and_what_is_none() {
        for name in ["a", "lab-a", "Lab.2_x", "设备", "метр", "ñandú", &"a".repeat(32), "операtor", "all2"]
        {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
        for (name, why) in [
            ("", BadName::Length),
            (&*"a".repeat(33), BadName::Length),
            ("3", BadName::Start),
            ("3a", BadName::Start),
            ("-a", BadName::Start),
            (".a", BadName::Start),
            ("a b", BadName::Char(' ')),
            ("a>", BadName::Char('>')),
            ("a#3", BadName::Char('#')),
            ("a*", BadName::Char('*')),
            ("a,b", BadName::Char(',')),
            ("a\u{202e}b", BadName::Char('\u{202e}')),
            ("a\u{200b}b", BadName::Char('\u{200b}')),
            ("a\u{301}", BadName::Char('\u{301}')),
            ("\u{3164}", BadName::Char('\u{3164}')),
            ("a\u{1b}[2J", BadName::Char('\u{1b}')),
            ("all", BadName::Reserved),
            ("OPERATOR", BadName::Reserved),
            ("Me", BadName::Reserved),
            ("last", BadName::Reserved),
        ] {
            assert_eq!(check_name(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn what_is_much_longer_than_any_name_is_no_target() {
        assert!(may_be_target("lab-[a-c]*") && may_be_target(&"a*".repeat(100)));
        // To compile one of these would take all the memory that a pattern may have, or more.
        assert!(!may_be_target(&"*a".repeat(500_000)));
    }

    #[test]
    fn names_are_compared_without_regard_to_case() {
        for (one, other) in [("Lab", "lAB"), ("ΣΑΣ", "σας"), ("straße", "STRASSE"), ("ÑU", "ñu")] {
            assert_eq!(folded(one), folded(other));
        }
        assert_ne!(folded("lab-a"), folded("lab-b"));
    }

    #[test]
    fn no_letter_of_any_script_makes_another_name_of_one_by_its_case() {
        let letters = (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|char| is_letter(*char));
        for name in
            letters.flat_map(|letter| [letter.to_string(), format!("a{letter}"), format!("{letter}a")])
        {
            let forms = [name.to_uppercase(), name.to_lowercase(), folded(&name)];
            let same = forms
                .iter()
                .filter(|form| check_name(form).is_ok())
                .all(|form| folded(form) == folded(&name));
            assert!(same, "{name}: {:?}", forms.map(|form| folded(&form)));
        }
    }
}
