//! Which characters a terminal shows: one table for what peers say and for what is typed.

use std::sync::LazyLock;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The characters of two bytes in UTF-8, which are those of most alphabets, as one bit each: the table is searched for
/// longer than anything else takes that is done to a character.
static OF_TWO_BYTES: LazyLock<[u64; 32]> = LazyLock::new(|| {
    let mut bits = [0; 32];
    for char in '\u{80}'..'\u{800}' {
        bits[char as usize / 64] |= u64::from(is_in_table(char)) << (char as usize % 64);
    }
    bits
});

/// Whether something is seen of a character, and only of that: no control character, no invisible or
/// direction-changing one, no line separator, nothing that is not assigned.
pub fn is_visible(char: char) -> bool {
    match char {
        ' '..='~' => true,
        ..'\u{80}' => false,
        ..'\u{800}' => OF_TWO_BYTES[char as usize / 64] >> (char as usize % 64) & 1 == 1,
        // CJK and Hangul, without a look into the table.
        '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => true,
        _ => is_in_table(char),
    }
}

fn is_in_table(char: char) -> bool {
    use GeneralCategory as Category;
    match char {
        _ if is_blank(char) => false,
        _ => !matches!(
            char.general_category(),
            Category::Control
                | Category::Format
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::PrivateUse
                | Category::Surrogate
                | Category::Unassigned
        ),
    }
}

/// Whether nothing is seen of a character although it is a letter, a mark or a symbol by its category: the
/// property Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and the Braille pattern without a dot.
fn is_blank(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_as_visible_as_the_table_has_it() {
        let wrong = ('\0'..=char::MAX).find(|char| is_visible(*char) != is_in_table(*char));
        assert_eq!(wrong, None);
    }
}
