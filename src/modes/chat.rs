//! The chat: a console in which every line of a peer also goes to all others, with its number in front, and its name if
//! it has one.

use std::collections::HashSet;

use crate::board::Board;
use crate::buffer::framing::{End, Frame};
use crate::conn::ConnId;
use crate::conn::policy::{Backpressure, Notices, Policy, Role};
use crate::desk::text::{push_human, push_id, without_cr};
use crate::hub::{Desks, Mode};
use crate::modes::chat_commands::{ChatCommand, HELP, read};

/// Most who are named to somebody who asks who is here; a netcat shows no more at a time.
const NAMED_MAX: usize = 100;

/// The chat.
#[derive(Debug)]
pub struct Chat {
    relays_raw: bool,
    /// A newcomer is told so many of the last lines.
    replays: usize,
    /// Those of whom it was said that they joined, and not yet that they left.
    here: HashSet<ConnId>,
    /// The line being relayed; kept for its memory.
    line: Vec<u8>,
}

impl Chat {
    /// A chat. Others read what is relayed with a bare netcat, so it is made safe for a terminal,
    /// unless it `relays_raw`. A newcomer is sent the last `replays` lines.
    pub fn new(relays_raw: bool, replays: usize) -> Chat {
        Chat { relays_raw, replays, here: HashSet::new(), line: Vec::new() }
    }

    fn relay(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board) {
        self.line.clear();
        self.line.push(b'<');
        push_member(&mut self.line, id, desks);
        self.line.extend_from_slice(b"> ");
        if self.relays_raw {
            self.line.extend_from_slice(frame.bytes);
        } else {
            push_human(&mut self.line, without_cr(frame.bytes));
        }
        self.line.push(b'\n');
        board.broadcast(Some(id), &[&self.line]);
        if let Some(replay) = &mut desks.replay {
            replay.add(id.serial(), false, &self.line, board.now());
        }
        desks.heard(id, frame, board);
    }

    /// What a peer has asked of the chat itself.
    fn obey(&self, id: ConnId, command: ChatCommand<'_>, desks: &mut Desks, board: &mut Board) {
        match command {
            ChatCommand::Nick(name) => nick(id, name, desks, board),
            ChatCommand::Who => tell(id, &who(desks, board), board),
            ChatCommand::Help => HELP.iter().for_each(|line| tell(id, line, board)),
            ChatCommand::Quit => board.finish(id),
        }
    }

    fn greet(&self, id: ConnId, desks: &Desks, board: &mut Board) {
        let others = board.audience().saturating_sub(1);
        let here = match others {
            0 => "nobody else is here".to_owned(),
            1 => "1 other is here".to_owned(),
            others => format!("{others} others are here"),
        };
        let mut welcome = b"* you are ".to_vec();
        push_member(&mut welcome, id, desks);
        welcome.extend_from_slice(format!("; {here}; /help lists the commands\n").as_bytes());
        board.send(id, &welcome);
        if let Some(replay) = &desks.replay {
            for past in replay.last(self.replays, |_| true) {
                board.send(id, &past.bytes);
            }
        }
    }
}

impl Mode for Chat {
    fn policy(&self, _role: Role) -> Policy {
        Policy {
            shows_parts: true,
            backpressure: Backpressure::Everybody,
            notices: Notices::Lines,
            ..Policy::LINES
        }
    }

    fn opened(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        self.here.insert(id);
        announce(id, "joined", desks, board);
        self.greet(id, desks, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board) {
        let is_whole = matches!(frame.end, End::Newline | End::Gone);
        if is_whole && frame.bytes.first() == Some(&b'/') {
            match read(frame.bytes) {
                Ok(command) => return self.obey(id, command, desks, board),
                Err(text) => return self.relay(id, Frame { bytes: text, ..frame }, desks, board),
            }
        }
        self.relay(id, frame, desks, board);
    }

    fn ended(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        desks.ended(id, board);
        // It may go on listening, but it will say nothing more; mostly it is gone altogether, which
        // cannot be told from here.
        if self.here.remove(&id) {
            announce(id, "left", desks, board);
        }
    }

    fn closing(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        // Not so a dial that never came about.
        if self.here.remove(&id) {
            announce(id, "left", desks, board);
        }
    }
}

/// Appends `#3`, or `ann#3`: a name never stands alone.
fn push_member(out: &mut Vec<u8>, id: ConnId, desks: &Desks) {
    if let Some(name) = desks.names.of(id.serial()) {
        out.extend_from_slice(name.as_bytes());
    }
    push_id(out, id);
}

fn announce(id: ConnId, what: &str, desks: &Desks, board: &mut Board) {
    let mut line = b"* ".to_vec();
    push_member(&mut line, id, desks);
    line.extend_from_slice(format!(" {what}\n").as_bytes());
    board.broadcast(Some(id), &[&line]);
}

/// Tells one peer something of the chat itself. One that does not read misses it.
fn tell(id: ConnId, what: &str, board: &mut Board) {
    board.send(id, format!("* {what}\n").as_bytes());
}

fn nick(id: ConnId, name: Option<&str>, desks: &mut Desks, board: &mut Board) {
    match desks.take_nick(id.serial(), name) {
        Ok(true) => {
            let mut line = format!("* {id} is now ").into_bytes();
            push_member(&mut line, id, desks);
            line.push(b'\n');
            board.broadcast(None, &[&line]);
        }
        Ok(false) => {}
        Err(why) => tell(id, &why.to_string(), board),
    }
}

/// Who is here, in one line: as many as one reads. Nobody else is looked at, however often somebody asks.
fn who(desks: &Desks, board: &Board) -> String {
    let count = board.audience();
    let named = board.peers().filter(|view| view.is_open).take(NAMED_MAX.min(count));
    let all: Vec<String> = named
        .map(|view| {
            let mut member = Vec::new();
            push_member(&mut member, view.id, desks);
            String::from_utf8_lossy(&member).into_owned()
        })
        .collect();
    let more = count.saturating_sub(all.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{count} here: {}{more}", all.join(", "))
}
