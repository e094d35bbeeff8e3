//! Files on their way to peers: read by a thread of their own, a piece at a time, as the peers take it, so that neither
//! the file nor a slow peer's share of it is ever whole in memory.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::board::Board;
use crate::conn::Inbound;
use crate::conn::reason::in_words;
use crate::desk::{Author, DeskId, Event, How, Outcome, Receivers, Refusal, Reply, To};
use crate::hub::desks::Desks;
use crate::hub::job::Act;
use crate::hub::options::Voice;
use crate::hub::send::Asked;
use crate::hub::session::Session;
use crate::hub::target::Whom;
use crate::hub::turn::Executed;
use crate::terminal::{BufferReturn, Chunk, read_file_in_background};

/// So much is queued at a time: less than the high water, so that nobody is a slow reader because of a file.
const PIECE_BYTES: usize = 32 << 10;

/// Most files at a time: each has a thread and a descriptor.
const FILES_MAX: usize = 16;

/// One file.
#[derive(Debug)]
struct Sending {
    number: u64,
    /// At which desk it was asked for.
    by: DeskId,
    path: String,
    /// To whom, as long as they are here.
    serials: Vec<u64>,
    /// The one whom it is for, be it gone, where it is for one.
    only: Option<u64>,
    /// What was read and not all sent, in order.
    chunks: VecDeque<Vec<u8>>,
    /// How much of the first of them was sent.
    taken: usize,
    /// How long it was when it was opened.
    total_bytes: u64,
    /// The reading has ended, perhaps by an error.
    ended: Option<Option<io::Error>>,
    sent_bytes: u64,
    source: BufferReturn,
}

/// All files under way.
#[derive(Debug, Default)]
pub struct Files {
    all: Vec<Sending>,
    last_number: u64,
}

impl Files {
    /// Whether a file is on its way to this connection: nothing may get in between.
    pub fn go_to(&self, serial: u64) -> bool {
        self.all.iter().any(|one| one.serials.contains(&serial))
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl Desks {
    /// Whether what an operator does next to this connection is to wait for a file: a pipe waits, a person is told.
    pub(super) fn waits_for_file(&self, session: &Session, act: Act, serial: u64) -> bool {
        let spares_the_file = !matches!(act, Act::Close(How::Reset));
        spares_the_file && session.waits_for_slow && !self.files.is_empty() && self.files.go_to(serial)
    }

    /// Begins to send a file.
    pub(super) fn send_file(
        &mut self,
        session: &mut Session,
        to: To<'_>,
        path: &[u8],
        asked: Asked<'_>,
        board: &mut Board,
    ) -> Result<Executed, Refusal> {
        let named = String::from_utf8_lossy(path).into_owned();
        if self.options.voice != Voice::Plain {
            // What peers say to each other, or what is echoed, would get into the middle of it.
            return Err(Refusal::File(named, "only the console sends files".to_owned()));
        }
        let serials = match self.resolve(to, asked.line, session, board)? {
            Whom::One(serial) => vec![serial],
            Whom::All => board.peers().filter(|view| view.is_open).map(|view| view.id.serial()).collect(),
            Whom::Known(whom) => whom.serials().to_vec(),
            Whom::List(source) => crate::hub::job::read_at_once(source, asked.line, &self.names, board)?,
        };
        let act = Act::SendExactly;
        if serials.iter().any(|serial| self.waits_for_file(session, act, *serial)) {
            let only = serials.first().filter(|_| serials.len() == 1);
            return Ok(Executed::Waits(only.copied()));
        }
        self.check_receivers(&serials, board)?;
        if self.files.all.len() >= FILES_MAX {
            return Err(Refusal::File(named, format!("{FILES_MAX} files are on their way already")));
        }
        let refused = |error: io::Error| Refusal::File(named.clone(), in_words(&error));
        let (file, bytes) = open_regular(Path::new(OsStr::from_bytes(path))).map_err(refused)?;
        let Some(mailbox) = self.mailbox.clone() else {
            return Err(refused(io::ErrorKind::Unsupported.into()));
        };
        self.files.last_number += 1;
        let number = self.files.last_number;
        let source = read_file_in_background(file, number, mailbox).map_err(refused)?;
        let only = serials.first().filter(|_| serials.len() == 1).copied();
        let whom = only.map(|serial| self.names.who(serial));
        session.lesson.was_a_file();
        self.out.reply(session.id, asked.reference, &Reply::FileBegun(whom, &named, bytes));
        self.files.all.push(Sending {
            number,
            by: session.id,
            path: named,
            serials,
            only,
            chunks: VecDeque::new(),
            taken: 0,
            total_bytes: bytes,
            ended: None,
            sent_bytes: 0,
            source,
        });
        Ok(Executed::Done)
    }

    /// A file goes to all of them or to nobody.
    fn check_receivers(&self, serials: &[u64], board: &Board) -> Result<(), Refusal> {
        if serials.is_empty() {
            return Err(Refusal::Nobody);
        }
        for serial in serials {
            let view = board.find(*serial).and_then(|id| board.view(id)).ok_or(Refusal::Gone(*serial))?;
            if !view.may_be_sent() {
                return Err(Refusal::Finished(*serial));
            }
            if self.files.go_to(*serial) {
                return Err(Refusal::FileUnderWay(*serial));
            }
        }
        Ok(())
    }

    /// A piece of a file was read.
    pub(super) fn take_chunk(&mut self, number: u64, chunk: Chunk, board: &mut Board) {
        let Some(one) = self.files.all.iter_mut().find(|one| one.number == number) else { return };
        match chunk {
            Chunk::Bytes(bytes) => one.chunks.push_back(bytes),
            Chunk::Ended(error) => one.ended = Some(error),
        }
        self.send_pieces(board);
    }

    /// Goes on with the files whose receivers have room, and ends those that are for nobody any more.
    pub(super) fn send_pieces(&mut self, board: &mut Board) {
        if self.files.is_empty() {
            return;
        }
        for mut one in std::mem::take(&mut self.files.all) {
            self.send_piece(&mut one, board);
            let is_over = one.serials.is_empty() || (one.chunks.is_empty() && one.ended.is_some());
            if !is_over {
                self.files.all.push(one);
                continue;
            }
            let serials = one.serials.clone();
            self.conclude_file(one);
            serials.iter().for_each(|serial| self.say_behind_file(*serial, board));
            if !self.is_attended() {
                self.finish_those_who_have(&serials, board);
            }
        }
    }

    fn send_piece(&mut self, one: &mut Sending, board: &mut Board) {
        one.serials.retain(|serial| {
            let view = board.find(*serial).and_then(|id| board.view(id));
            view.is_some_and(|view| view.may_be_sent())
        });
        let Some(bytes) = one.chunks.front() else { return };
        let low_water = board.limits().outbox_low_bytes;
        let mut wait = false;
        for serial in &one.serials {
            if let Some(id) = board.find(*serial)
                && board.view(id).is_some_and(|view| view.queued_bytes > low_water)
            {
                wait = true;
                board.tell_when_drained(id);
            }
        }
        if wait {
            return;
        }
        let piece = &bytes[one.taken..(one.taken + PIECE_BYTES).min(bytes.len())];
        one.serials.retain(|serial| {
            let Some(id) = board.find(*serial) else { return false };
            self.strike_off(one.by, id);
            let outcome = self.queue(id, &[piece], board);
            // It is looked at again when it has taken this, or has more room.
            board.tell_when_drained(id);
            matches!(outcome, Outcome::Done(_) | Outcome::Behind(..))
        });
        if !one.serials.is_empty() {
            let (by, to) = (Author::Desk(one.by), Receivers::Several(&one.serials));
            self.out.tell_unseen(&Event::Sent { by, to, bytes: piece });
        }
        one.sent_bytes += piece.len() as u64;
        one.taken += piece.len();
        if one.taken == bytes.len()
            && let Some(bytes) = one.chunks.pop_front()
        {
            one.taken = 0;
            one.source.give_back(bytes);
        }
    }

    /// The end has come: what was not sent of the files counts as lost, for each of their receivers.
    pub(super) fn abandon_files(&mut self) {
        for mut one in std::mem::take(&mut self.files.all) {
            let left = usize::try_from(one.total_bytes.saturating_sub(one.sent_bytes)).unwrap_or(usize::MAX);
            one.serials.iter().for_each(|_| self.unsent.add(left));
            one.ended = Some(Some(io::Error::other("the server stops")));
            self.conclude_file(one);
        }
    }

    /// Nobody is left to answer those who have finished: a file was what they waited for, and perhaps answers behind it.
    fn finish_those_who_have(&mut self, serials: &[u64], board: &mut Board) {
        for serial in serials {
            if let Some(id) = board.find(*serial)
                && board.view(id).is_some_and(|view| view.inbound == Inbound::Ended)
            {
                self.finish_behind(id, board);
            }
        }
    }

    fn conclude_file(&mut self, one: Sending) {
        let error = match one.ended {
            Some(Some(error)) => Some(in_words(&error)),
            Some(None) if one.chunks.is_empty() && !one.serials.is_empty() => None,
            _ => Some("nobody is left to take it".to_owned()),
        };
        let whom = one.only.map(|serial| self.names.who(serial));
        self.out.tell(&Event::FileSent {
            whom,
            path: &one.path,
            bytes: one.sent_bytes,
            error: error.as_deref(),
        });
    }
}

/// A file that is read at once, as names and rules are, is not longer than this.
const SMALL_BYTES_MAX: u64 = 16 << 20;

/// Reads a file that the loop can read: what is none, such as a pipe, could keep it waiting for ever.
pub(super) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let (file, bytes) = open_regular(path)?;
    if bytes > SMALL_BYTES_MAX {
        return Err(io::Error::other("it is longer than 16 MiB"));
    }
    let mut read = Vec::new();
    file.take(SMALL_BYTES_MAX).read_to_end(&mut read)?;
    Ok(read)
}

/// Appends a line to such a file, which is made for its owner alone if it is not there: whole, or not at all.
pub(super) fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let no_waiting = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(no_waiting);
    let mut file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let length = metadata.len();
    if length + line.len() as u64 >= SMALL_BYTES_MAX {
        return Err(io::Error::other("it would be longer than 16 MiB"));
    }
    // A line that somebody has left without its end is not to become part of this one.
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    let whole = if last == *b"\n" { line.to_vec() } else { [b"\n", line].concat() };
    file.write_all(&whole).inspect_err(|_| {
        // Half a line would be another rule. Where that fails, too, there is nothing left to be done.
        let _ = file.set_len(length);
    })
}

/// Opens a file to be sent, and says how long it is. What is no file (a pipe, a device, a directory) could keep us
/// waiting or never end.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let no_waiting = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(no_waiting).open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata.len())),
        false => Err(io::Error::other("it is no regular file")),
    }
}
