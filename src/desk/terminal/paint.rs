//! Which part of a line is painted in which colour.

use super::feed::{Kind, Line};

/// Colours for connections, of the 256: of middling brightness, so that they are read on dark and on light, and none
/// that is the red of what was lost.
const OF_CONNS: [u8; 12] = [33, 28, 166, 133, 30, 136, 62, 168, 65, 131, 31, 130];

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";

/// The colour of a connection: an SGR sequence.
pub fn colour_of(serial: u64) -> String {
    format!("\x1b[38;5;{}m", OF_CONNS[(serial % OF_CONNS.len() as u64) as usize])
}

/// The parts of a line, each with its colour. No line begins with a blank, and rows that go on do.
pub fn parts(line: &Line) -> Vec<(String, &str)> {
    let text = &*line.text;
    let plain = |sgr: &str| vec![(sgr.to_owned(), text)];
    match line.kind {
        Kind::Message | Kind::Typed => {
            let (stamp, rest) = text.split_at(text.find(' ').map_or(0, |at| at + 1));
            let (label, said) = rest.split_at(rest.find("> ").map_or(0, |at| at + 2));
            let colour = if line.kind == Kind::Typed { BOLD.to_owned() } else { colour_of(line.serial) };
            vec![(DIM.to_owned(), stamp), (colour, label), (String::new(), said)]
        }
        Kind::Note | Kind::Log => plain(DIM),
        Kind::Loss | Kind::Refusal => plain(RED),
        Kind::Reply | Kind::Hex => plain(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::editor::Repertoire;
    use crate::terminal::painter::Painter;

    /// The relative luminance of a colour of the cube (WCAG 2.2): 0 is black, 1 is white.
    fn luminance(colour: u8) -> f64 {
        let level = |part: u8| {
            let value = f64::from([0u8, 95, 135, 175, 215, 255][usize::from(part % 6)]) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let cube = colour - 16;
        0.2126 * level(cube / 36) + 0.7152 * level(cube / 6) + 0.0722 * level(cube)
    }

    /// The rows of a message at a width, without colours.
    fn rows(said: &str, columns: usize) -> Vec<String> {
        let painter = Painter { columns, is_coloured: false, repertoire: Repertoire::Unicode };
        let mut out = String::new();
        let text = format!("12:00:00.000 #3> {said}");
        painter.paint(parts(&Line { kind: Kind::Message, serial: 3, text }), &mut out);
        out.lines().map(str::to_owned).collect()
    }

    #[test]
    fn rows_end_between_words_and_only_a_long_one_is_cut() {
        for (said, columns, expected) in [
            ("its state, its temperature", 40, ["12:00:00.000 #3> its state, its ", "    temperature"]),
            ("its state, its temperature", 41, ["12:00:00.000 #3> its state, its ", "    temperature"]),
            ("exactly a whole row then more", 36, ["12:00:00.000 #3> exactly a whole row", "    then more"]),
            ("id 0123456789abcdef01234", 32, ["12:00:00.000 #3> id 0123456789ab", "    cdef01234"]),
            ("0123456789abcdef", 30, ["12:00:00.000 #3> 0123456789abc", "    def"]),
            ("读温度 读温度读温度", 32, ["12:00:00.000 #3> 读温度 读温度读", "    温度"]),
        ] {
            assert_eq!(rows(said, columns), expected, "{columns} columns");
        }
        assert_eq!(rows("a whole row", 28), ["12:00:00.000 #3> a whole row"]);
        assert_eq!(rows("a whole row ", 28), ["12:00:00.000 #3> a whole row"], "nor a row of a blank alone");
    }

    #[test]
    fn the_colours_of_connections_are_read_on_white_and_on_a_dark_ground() {
        for colour in OF_CONNS {
            let luminance = luminance(colour);
            // #1e1e1e, which many themes have for black.
            let (on_white, on_dark) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.063);
            assert!(on_white > 3.0 && on_dark > 3.0, "{colour}: {on_white:.1} and {on_dark:.1} to 1");
        }
    }
}
