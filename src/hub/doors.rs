//! Who comes in: which addresses peers may come from, as it was given on the command line and in files that are read again
//! on request; and what they turn out to speak.

use std::path::Path;

use ipnet::IpNet;

use crate::address::{Admission, Nets, parse_list};
use crate::board::Board;
use crate::conn::ConnId;
use crate::conn::policy::Role;
use crate::conn::reason::in_words;
use crate::desk::text::plural;
use crate::desk::{Event, Protocol};
use crate::hub::desks::Desks;
use crate::hub::files::read_small;

/// Where it stands which addresses may come in.
#[derive(Debug, Default)]
pub struct Doors {
    allow: Vec<Nets>,
    deny: Vec<Nets>,
}

impl Doors {
    /// As it was given.
    pub fn new(allow: Vec<Nets>, deny: Vec<Nets>) -> Doors {
        Doors { allow, deny }
    }

    /// Whether only who is named may come in.
    pub fn are_listed(&self) -> bool {
        !self.allow.is_empty()
    }

    /// Reads the files, and returns which addresses may come in.
    ///
    /// # Errors
    /// When a file cannot be read, or a line of it is no net: which one, and why.
    pub fn read(&self) -> Result<Admission, String> {
        let allow = if self.allow.is_empty() { None } else { Some(all(&self.allow)?) };
        Ok(Admission { allow, deny: all(&self.deny)? })
    }

    fn are_in_files(&self) -> bool {
        self.allow.iter().chain(&self.deny).any(|nets| matches!(nets, Nets::File(_)))
    }
}

fn all(given: &[Nets]) -> Result<Vec<IpNet>, String> {
    let mut all = Vec::new();
    for nets in given {
        match nets {
            Nets::Net(net) => all.push(*net),
            Nets::File(path) => all.extend(read_list(path)?),
        }
    }
    Ok(all)
}

fn read_list(path: &Path) -> Result<Vec<IpNet>, String> {
    let shown = path.display();
    let bytes = read_small(path).map_err(|error| format!("cannot read {shown}: {}", in_words(&error)))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("cannot use {shown}: it is not UTF-8"))?;
    parse_list(&text).map_err(|why| format!("cannot use {shown}, {why}"))
}

impl Desks {
    /// Shows what somebody speaks whose first bytes are known. Where answers are given of themselves, whoever wrote
    /// them knows what is spoken here; that it comes in TLS is told all the same.
    pub(super) fn recognise(&mut self, id: ConnId, bytes: &[u8]) {
        let Some(protocol) = Protocol::of_first_bytes(bytes) else { return };
        let is_expected = self.is_played || !self.rules.are_idle();
        if protocol == Protocol::Tls || !is_expected {
            let (who, dialled) = (self.names.who(id.serial()), self.dialled.contains(&id.serial()));
            self.out.tell(&Event::Speaks { who, protocol, dialled });
        }
    }

    /// Reads the lists of addresses again, for those who come from now on. What is broken keeps its old state.
    pub(super) fn reread_doors(&mut self, board: &mut Board) {
        if !self.doors.are_in_files() {
            return;
        }
        match self.doors.read() {
            Ok(admission) => {
                let told = admission_in_words(&admission);
                self.out.tell(&Event::Note(&format!("who may come in was read again: {told}")));
                board.admit(Role::PEER, admission);
            }
            Err(why) => self.out.tell(&Event::Note(&format!("{why}: who may come in stays as it was"))),
        }
    }
}

/// How many may come in: an editor may have left a list empty, which shuts everybody out.
fn admission_in_words(Admission { allow, deny }: &Admission) -> String {
    let nets = |nets: &[IpNet]| plural(nets.len() as u64, "net");
    match allow.as_deref() {
        None => format!("{} denied", nets(deny)),
        Some([]) => "nobody is allowed".to_owned(),
        Some(allow) => format!("{} allowed, {} denied", nets(allow), nets(deny)),
    }
}
