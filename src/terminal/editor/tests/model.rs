//! A terminal to look at: avt, which rewraps its rows when it becomes narrower. It takes each code point for a
//! character of one or two columns, so each character of several code points, or of another width, is given to it as
//! one that stands in for it: as in a terminal that counts by grapheme clusters.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) struct Model {
    terminal: avt::Terminal,
    stand_ins: BTreeMap<String, char>,
    /// The same, to be read the other way.
    names: BTreeMap<char, String>,
}

impl Model {
    pub fn new(columns: usize, height: usize) -> Model {
        let terminal = avt::Terminal::with_scrollback(columns, height, None).expect("it has a size");
        Model { terminal, stand_ins: BTreeMap::new(), names: BTreeMap::new() }
    }

    pub fn resize(&mut self, columns: usize, height: usize) {
        self.terminal.resize(columns, height);
    }

    pub fn feed(&mut self, bytes: &str) {
        let mut given = String::new();
        let mut rest = bytes;
        while let Some(first) = rest.chars().next() {
            if first == '\x1b' {
                let end = rest[2..].find(|char| ('@'..='~').contains(&char)).expect("it is whole") + 3;
                given.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            let cluster = rest.graphemes(true).next().unwrap_or_default();
            rest = &rest[cluster.len()..];
            match cluster.width() {
                _ if first.is_control() => given.push_str(cluster),
                0 => assert!(["\u{2068}", "\u{2069}"].contains(&cluster), "{cluster:?} has no width"),
                width => given.push(self.stand_in(cluster, width)),
            }
        }
        self.terminal.feed(given.as_str());
    }

    fn stand_in(&mut self, cluster: &str, width: usize) -> char {
        let mut chars = cluster.chars();
        if let (Some(char), None) = (chars.next(), chars.next()) {
            return char;
        }
        if let Some(stand_in) = self.stand_ins.get(cluster) {
            return *stand_in;
        }
        let first = if width == 1 { 0x1200 } else { 0x20000 };
        let stand_in = char::from_u32(first + self.names.len() as u32).expect("few are needed");
        assert_eq!(stand_in.width(), Some(width), "{cluster:?}");
        self.stand_ins.insert(cluster.to_owned(), stand_in);
        self.names.insert(stand_in, cluster.to_owned());
        stand_in
    }

    fn back(&self, shown: &str) -> String {
        let mut text = String::new();
        for char in shown.trim_end().chars() {
            match self.names.get(&char) {
                _ if char.is_ascii() => text.push(char),
                Some(name) => text.push_str(name),
                None if char == '\u{a0}' => text.push(' '),
                None => text.push(char),
            }
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// What is visible, without blanks at the ends of rows.
    pub fn screen(&self) -> Vec<String> {
        self.terminal.screen().visible_lines().map(|line| self.back(&line.text())).collect()
    }

    /// Everything that was ever shown and not erased, with what the terminal has wrapped put together again.
    pub fn all(&self) -> Vec<String> {
        self.terminal.screen().text().iter().map(|line| self.back(line)).collect()
    }

    /// Row and column of the cursor on the screen.
    pub fn cursor(&self) -> (usize, usize) {
        let cursor = self.terminal.cursor();
        (cursor.row, cursor.col)
    }
}
