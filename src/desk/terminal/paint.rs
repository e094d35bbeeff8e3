//! Which part of a line is painted in which colour.

use super::feed::{Kind, Line};

/// Colours for connections, of the 256: of middling brightness, so that they are read on dark and on light.
const OF_CONNS: [u8; 12] = [33, 71, 166, 133, 37, 136, 62, 167, 108, 97, 31, 172];

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
