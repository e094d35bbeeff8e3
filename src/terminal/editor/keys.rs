//! What a terminal sends, as keys. A read may cut a character or a sequence anywhere; what the terminal answers by
//! itself (reports of the cursor, of focus, of the mouse, of its kind, colours, window) is no key and types nothing.
//!
//! Parsers made for what programs say *to* a terminal do not fit here: `ESC` and DEL is a key, `ESC O` begins one,
//! `ESC` and CR is Enter, three bytes follow a bare `CSI M`, and an answer that never ends must not swallow what is
//! typed after it. Hence a parser of its own.
//!
//! # What ends what never ends
//!
//! - A CSI or SS3 sequence: any control character, which is then taken for itself.
//! - An answer in a string (OSC, DCS, APC, PM, SOS): BEL, ST, CAN, SUB, any other sequence (so every arrow key), and
//!   Enter or Ctrl-C if it comes alone in its read, as a person's does. That Enter is swallowed.
//! - A paste: `CSI 201~`; else Ctrl-C twice, each alone in its read, with nothing between them. A Ctrl-C *within* a
//!   paste ends nothing: what follows it would be typed, and obeyed.

use std::str;
use std::time::Duration;

mod paste;
mod sequence;

/// What was pressed, as far as it means something to a line that is edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Printable characters, typed; as many as one read brought. Without control characters.
    Text(String),
    /// What was pasted, whole: line breaks are `\n`, tabs are kept, other control characters are left out.
    Paste(String),
    /// Something was pasted that is longer than [`Keys::PASTE_BYTES_MAX`]; all of it is dropped.
    PasteTooLong,
    /// Enter: CR, LF, or both.
    Enter,
    /// Tab.
    Tab,
    /// Backspace or Ctrl-H: the character before the cursor.
    Backspace,
    /// Delete: the character under the cursor.
    Delete,
    /// Left or Ctrl-B.
    Left,
    /// Right or Ctrl-F.
    Right,
    /// Up or Ctrl-P.
    Up,
    /// Down or Ctrl-N.
    Down,
    /// Home or Ctrl-A.
    Home,
    /// End or Ctrl-E.
    End,
    /// Alt-B, Ctrl-Left or Alt-Left.
    WordLeft,
    /// Alt-F, Ctrl-Right or Alt-Right.
    WordRight,
    /// Ctrl-W: back to a blank.
    KillWordBack,
    /// Alt-Backspace: back to what is neither a letter nor a digit.
    KillWordBackAlt,
    /// Alt-D or Ctrl-Delete.
    KillWordForward,
    /// Ctrl-K.
    KillToEnd,
    /// Ctrl-U.
    KillToStart,
    /// Ctrl-Y: what was killed last.
    Yank,
    /// Alt-Y, after a yank: what was killed before that.
    YankPop,
    /// Ctrl-_, or Ctrl-X Ctrl-U.
    Undo,
    /// Ctrl-T: the characters around the cursor.
    Transpose,
    /// Ctrl-R: back through the history.
    Search,
    /// Ctrl-G.
    Cancel,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    DeleteOrEnd,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Refresh,
    /// Escape alone, as only [`Keys::settle`] can tell.
    Escape,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ground,
    /// After Ctrl-X.
    Prefix,
    Escape,
    Csi,
    Ss3,
    /// In an answer; after an `ESC` in it the state is `Escape`, in which ST does nothing. One that began with an
    /// 8-bit control may end with one; elsewhere that byte is part of a character.
    Answer {
        is_8_bit: bool,
    },
    /// So many bytes of a report still follow, each 32 or more.
    Report(u8),
    /// In a paste, with how many lone Ctrl-C came last.
    Paste(u8),
}

/// Makes keys of bytes.
#[derive(Debug)]
pub struct Keys {
    state: State,
    /// The parameters and intermediates of a CSI sequence, or the begun character in the ground state.
    begun: Vec<u8>,
    /// The text of a paste so far, and whether it has become too long.
    paste: Vec<u8>,
    paste_is_too_long: bool,
    /// Whether an LF that comes now belongs to a CR before it.
    after_cr: bool,
}

/// What may stand between `CSI` and its last byte; a longer sequence is dropped. No key has more than 8.
const PARAMETER_BYTES_MAX: usize = 64;

impl Keys {
    /// The longest text that can be pasted at once, in bytes as they come: 1 MiB.
    pub const PASTE_BYTES_MAX: usize = 1 << 20;

    /// If nothing follows for so long, nothing will; see [`Keys::settle`].
    pub const ESCAPE_TIME: Duration = Duration::from_millis(50);

    /// A parser to which nothing has come yet.
    pub fn new() -> Keys {
        Keys {
            state: State::Ground,
            begun: Vec::new(),
            paste: Vec::new(),
            paste_is_too_long: false,
            after_cr: false,
        }
    }

    /// Takes what one read brought and appends the keys in it. Bytes that are no UTF-8 are dropped.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Key>) {
        if self.ends_what_never_ends(bytes, out) {
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.state {
                State::Ground => self.text(rest, out),
                State::Paste(_) => self.pasted(rest, out),
                _ => {
                    self.byte(rest[0], out);
                    1
                }
            };
            rest = &rest[taken..];
        }
    }

    /// Whether what came last may be the beginning of something, so that [`Keys::settle`] would make a difference.
    /// A paste is no such thing.
    pub fn is_pending(&self) -> bool {
        !self.begun.is_empty() || !matches!(self.state, State::Ground | State::Paste(_))
    }

    /// Nothing has followed for [`Keys::ESCAPE_TIME`], so nothing will: a lone `ESC` was the Escape key, and
    /// what else was begun is dropped. Whoever never calls this has no Escape key, and else nothing to fear.
    pub fn settle(&mut self, out: &mut Vec<Key>) {
        if self.state == State::Escape {
            out.push(Key::Escape);
        }
        if self.is_pending() {
            self.begun.clear();
            self.state = State::Ground;
        }
    }

    /// A key that a person presses when nothing else goes on, and that comes alone in its read.
    fn ends_what_never_ends(&mut self, bytes: &[u8], out: &mut Vec<Key>) -> bool {
        match (self.state, bytes) {
            (State::Answer { .. }, b"\r") => self.state = State::Ground,
            (State::Answer { .. }, b"\x03") => {
                self.state = State::Ground;
                out.push(Key::Interrupt);
            }
            (State::Paste(0), b"\x03") => self.state = State::Paste(1),
            (State::Paste(_), b"\x03") => {
                self.paste.clear();
                self.state = State::Ground;
                out.push(Key::Interrupt);
            }
            _ => return false,
        }
        true
    }

    /// Takes text up to the first byte that is none, or that one byte; says how many bytes it took.
    fn text(&mut self, bytes: &[u8], out: &mut Vec<Key>) -> usize {
        if !self.begun.is_empty() {
            return self.rest_of_char(bytes[0], out);
        }
        let is_text = |byte: &u8| *byte >= b' ' && *byte != 0x7f;
        let count = bytes.iter().position(|byte| !is_text(byte)).unwrap_or(bytes.len());
        if count == 0 {
            self.byte(bytes[0], out);
            return 1;
        }
        self.after_cr = false;
        match str::from_utf8(&bytes[..count]) {
            Ok(text) => {
                push_text(out, text);
                count
            }
            Err(error) => {
                let valid = error.valid_up_to();
                push_text(out, str::from_utf8(&bytes[..valid]).unwrap_or_default());
                match error.error_len() {
                    // A character that the read cut: unless something else follows, it goes on.
                    None if count == bytes.len() => {
                        self.begun.extend_from_slice(&bytes[valid..]);
                        count
                    }
                    None => count,
                    Some(_) => {
                        self.c1(bytes[valid]);
                        valid + 1
                    }
                }
            }
        }
    }

    /// Goes on with a character that a read had cut, by one byte; none is taken that does not belong to it.
    fn rest_of_char(&mut self, byte: u8, out: &mut Vec<Key>) -> usize {
        self.begun.push(byte);
        match str::from_utf8(&self.begun) {
            Ok(text) => push_text(out, text),
            Err(error) if error.error_len().is_none() => return 1,
            Err(_) => {
                // Not what it began as. The byte is looked at again, now for itself.
                self.begun.clear();
                return 0;
            }
        }
        self.begun.clear();
        1
    }

    /// A lone byte from 0x80 on begins a sequence in a terminal that has been set to 8-bit controls.
    fn c1(&mut self, byte: u8) {
        self.state = match byte {
            0x9b => State::Csi,
            0x8f => State::Ss3,
            0x90 | 0x98 | 0x9d..=0x9f => State::Answer { is_8_bit: true },
            _ => State::Ground,
        };
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Key>) {
        match self.state {
            State::Ground | State::Prefix => self.control(byte, out),
            State::Escape => self.escaped(byte, out),
            State::Csi => self.in_csi(byte, out),
            State::Ss3 => self.in_ss3(byte, out),
            State::Answer { is_8_bit } => match byte {
                0x1b => self.state = State::Escape,
                0x9c if !is_8_bit => {}
                0x07 | 0x18 | 0x1a | 0x9c => self.state = State::Ground,
                _ => {}
            },
            State::Report(_) if byte < b' ' => self.anew(byte, out),
            State::Report(count) => {
                self.state = if count > 1 { State::Report(count - 1) } else { State::Ground };
            }
            State::Paste(_) => {}
        }
    }

    /// What was begun is over; the byte is taken for itself.
    fn anew(&mut self, byte: u8, out: &mut Vec<Key>) {
        self.begun.clear();
        self.state = State::Ground;
        self.text(&[byte], out);
    }

    fn control(&mut self, byte: u8, out: &mut Vec<Key>) {
        let is_prefixed = self.state == State::Prefix;
        let is_after_cr = self.after_cr;
        self.state = State::Ground;
        self.after_cr = byte == b'\r';
        let key = match byte {
            0x15 if is_prefixed => Key::Undo,
            b'\n' if is_after_cr => return,
            0x18 => return self.state = State::Prefix,
            0x1b => return self.state = State::Escape,
            b' '..=0x7e | 0x80.. => {
                self.text(&[byte], out);
                return;
            }
            _ => match key_of(byte) {
                Some(key) => key,
                None => return,
            },
        };
        out.push(key);
    }

    fn escaped(&mut self, byte: u8, out: &mut Vec<Key>) {
        self.state = State::Ground;
        let key = match byte {
            b'[' => return self.state = State::Csi,
            b'O' => return self.state = State::Ss3,
            b']' | b'P' | b'X' | b'^' | b'_' => return self.state = State::Answer { is_8_bit: false },
            0x1b => return self.state = State::Escape,
            0x7f | 0x08 => Key::KillWordBackAlt,
            b'b' | b'B' => Key::WordLeft,
            b'f' | b'F' => Key::WordRight,
            b'd' | b'D' => Key::KillWordForward,
            b'y' | b'Y' => Key::YankPop,
            0..b' ' | 0x80.. => return self.anew(byte, out),
            _ => return,
        };
        out.push(key);
    }
}

impl Default for Keys {
    fn default() -> Keys {
        Keys::new()
    }
}

/// The key that sends this byte alone.
fn key_of(byte: u8) -> Option<Key> {
    Some(match byte {
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x03 => Key::Interrupt,
        0x04 => Key::DeleteOrEnd,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x07 => Key::Cancel,
        0x08 | 0x7f => Key::Backspace,
        b'\t' => Key::Tab,
        b'\n' | b'\r' => Key::Enter,
        0x0b => Key::KillToEnd,
        0x0c => Key::Refresh,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x12 => Key::Search,
        0x14 => Key::Transpose,
        0x15 => Key::KillToStart,
        0x17 => Key::KillWordBack,
        0x19 => Key::Yank,
        0x1a => Key::Suspend,
        0x1f => Key::Undo,
        _ => return None,
    })
}

/// Appends typed characters, to those that were typed just before where there are such.
fn push_text(out: &mut Vec<Key>, text: &str) {
    // C1 characters come in two bytes of UTF-8 each.
    let typed = text.chars().filter(|char| !char.is_control());
    if let Some(Key::Text(before)) = out.last_mut() {
        before.extend(typed);
        return;
    }
    let typed: String = typed.collect();
    if !typed.is_empty() {
        out.push(Key::Text(typed));
    }
}
