//! Names for newcomers, by where they come from: a file of lines `IP-or-net NAME`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::conn::reason::in_words;
use crate::conn::{ConnId, Peer};
use crate::desk::Namer;
use crate::desk::{Event, NAME_CHARS_MAX, Refusal, check_name, folded};
use crate::hub::desks::Desks;
use crate::hub::files::read_small;
use crate::hub::names::Source;

/// Where the names stand, and what was read there last.
#[derive(Debug, Default)]
pub struct NamesFile {
    path: PathBuf,
    entries: Vec<(IpNet, String)>,
    /// By name, the number that the next newcomer is tried with who has to share it.
    next_numbers: HashMap<String, u64>,
}

impl NamesFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or a line of it is none: which one, and why.
    pub fn read(path: &Path) -> Result<NamesFile, String> {
        let shown = path.display();
        let text = read_text(path).map_err(|error| format!("cannot read {shown}: {}", in_words(&error)))?;
        let entries =
            parse(&text).map_err(|(line, why)| format!("cannot use {shown}, line {line}: {why}"))?;
        Ok(NamesFile { path: path.to_owned(), entries, next_numbers: HashMap::new() })
    }

    /// `NAME.2`, or the next that is free and is nobody's of the file. The search begins where the last one ended, so
    /// that a thousand newcomers of one net are not a thousand times as dear as one.
    fn numbered(&mut self, name: &str, is_free: impl Fn(&str) -> bool) -> String {
        let NamesFile { entries, next_numbers, .. } = self;
        let next = next_numbers.entry(name.to_owned()).or_insert(2);
        loop {
            let end = format!(".{next}");
            let kept: String = name.chars().take(NAME_CHARS_MAX - end.len()).collect();
            let numbered = kept + &end;
            let is_anothers = entries.iter().any(|(_, other)| folded(other) == folded(&numbered));
            if !is_anothers && is_free(&numbered) {
                return numbered;
            }
            *next += 1;
        }
    }

    /// A name is free again, and is the next to be given, if it is one that was made here.
    fn freed(&mut self, name: &str) {
        let Some((base, number)) = name.rsplit_once('.') else { return };
        if let (Some(next), Ok(number)) = (self.next_numbers.get_mut(base), number.parse::<u64>()) {
            *next = (*next).min(number.max(2));
        }
    }

    /// The name for an address: of the first line that fits.
    fn name_for(&self, peer: &Peer) -> Option<&str> {
        let address = peer.ip()?;
        self.entries.iter().find(|(net, _)| net.contains(&address)).map(|(_, name)| &**name)
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_small(path)?).map_err(|_| io::Error::other("it is not UTF-8"))
}

fn parse(text: &str) -> Result<Vec<(IpNet, String)>, (usize, String)> {
    let mut entries = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        let (Some(net), name, more) = (words.next(), words.next(), words.next()) else { continue };
        let wrong = |why: String| (at + 1, why);
        let name = name.ok_or_else(|| wrong(format!("there is no name behind {net}")))?;
        if let Some(more) = more {
            return Err(wrong(format!("there is {more:?} behind the name")));
        }
        let net = crate::address::parse_net(net).map_err(|why| wrong(format!("{net:?} is {why}")))?;
        check_name(name).map_err(|why| wrong(format!("cannot use the name {name:?}: {why}")))?;
        entries.push((net, name.to_owned()));
    }
    Ok(entries)
}

impl Desks {
    /// Uses these names from now on, and keeps peers from taking them.
    pub fn use_names(&mut self, file: NamesFile) {
        file.entries.iter().for_each(|(_, name)| self.names.reserve(name));
        self.names_file = Some(file);
    }

    /// Gives a newcomer the name that the file has for its address: a second one from there is `NAME.2`.
    pub(super) fn name_newcomer(&mut self, id: ConnId, peer: &Peer) {
        if self.names.of(id.serial()).is_some() {
            return;
        }
        let Some(file) = &mut self.names_file else { return };
        let Some(name) = file.name_for(peer).map(str::to_owned) else { return };
        let names = &self.names;
        let is_free = |name: &str| names.holder(name).is_none() || names.is_nick_of(name).is_some();
        let name = if is_free(&name) { name } else { file.numbered(&name, is_free) };
        self.take_from_nick(&name);
        self.names.set(id.serial(), &name, Source::Given);
    }

    /// Whoever had this name has gone.
    pub(super) fn forget_name(&mut self, serial: u64) {
        if let (Some(file), Some(name)) = (&mut self.names_file, self.names.of(serial)) {
            file.freed(name);
        }
        self.names.remove(serial);
    }

    /// Reads the names again. What is broken keeps its old state.
    pub(super) fn reread_names(&mut self) {
        if let Some(file) = &self.names_file {
            match NamesFile::read(&file.path) {
                Ok(file) => self.use_names(file),
                Err(why) => self.out.tell(&Event::Note(&format!("{why}: the names stay as they were"))),
            }
        }
    }

    /// A peer calls itself so, or nothing any more. Returns whether that changed anything.
    ///
    /// # Errors
    /// When the name is none, or is not its to take.
    pub fn take_nick(&mut self, serial: u64, name: Option<&str>) -> Result<bool, Refusal> {
        let refused = |name: &str| Refusal::NameTaken(name.chars().take(40).collect(), None);
        if let Some(own) = self.names.of(serial)
            && self.names.find(own) == Some(serial)
        {
            return Err(refused(own));
        }
        let changed = match name {
            None => self.names.remove(serial),
            Some(name) => {
                check_name(name).map_err(|why| Refusal::BadName(name.chars().take(40).collect(), why))?;
                if !self.names.is_free_for_a_nick(name, serial) {
                    return Err(refused(name));
                }
                self.names.set(serial, name, Source::Nick);
                true
            }
        };
        if changed {
            self.renamed(serial, Namer::List);
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_what_is_wrong_is_named_by_its_line() {
        let entries =
            parse("# who is where\n10.0.0.1 lab-a\n\n10.1.0.0/16\tlab # all of them\n::1 self\n").unwrap();
        assert_eq!(entries.len(), 3);
        for (text, line, why) in [
            ("10.0.0.1\n", 1, "there is no name behind 10.0.0.1"),
            ("\nx lab\n", 2, "\"x\" is not an address"),
            ("10.0.0.1 a b\n", 1, "there is \"b\" behind the name"),
            ("10.0.0.1 all\n", 1, "cannot use the name \"all\""),
        ] {
            let (at, told) = parse(text).unwrap_err();
            assert_eq!(at, line);
            assert!(told.starts_with(why), "{told}");
        }
    }
}
