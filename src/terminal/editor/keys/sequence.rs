//! CSI and SS3 sequences: those that keys send, and what follows those that they do not.

use super::{Key, Keys, PARAMETER_BYTES_MAX, State};

/// Alt, without and with Shift, and Ctrl, likewise, as xterm numbers what is held down with a key.
const ALT_OR_CTRL: [u16; 4] = [3, 4, 5, 6];

impl Keys {
    pub(super) fn in_csi(&mut self, byte: u8, out: &mut Vec<Key>) {
        match byte {
            b' '..=b'?' => {
                // Cut short, it would mean something else; so at the bound it only becomes wrong.
                if self.begun.len() < PARAMETER_BYTES_MAX {
                    self.begun.push(byte);
                } else {
                    self.begun[0] = b'?';
                }
            }
            b'@'..=b'~' => {
                let parameters = std::mem::take(&mut self.begun);
                self.state = State::Ground;
                self.csi(&parameters, byte, out);
            }
            0x7f => {}
            _ => self.anew(byte, out),
        }
    }

    fn csi(&mut self, parameters: &[u8], last: u8, out: &mut Vec<Key>) {
        // Mouse reports of the oldest kind, in bare bytes; and F1 to F5 of the Linux console.
        self.state = match (parameters, last) {
            (b"", b'M') => State::Report(3),
            (b"", b'T') => State::Report(6),
            (b"", b't') => State::Report(2),
            (b"", b'[') => State::Report(1),
            (b"200", b'~') => {
                self.paste.clear();
                self.paste_is_too_long = false;
                State::Paste(0)
            }
            _ => State::Ground,
        };
        let Some((first, held)) = numbers(parameters) else { return };
        let is_word = ALT_OR_CTRL.contains(&held);
        let key = match (last, first) {
            (b'~', 1 | 7) => Key::Home,
            (b'~', 4 | 8) => Key::End,
            (b'~', 3) if is_word => Key::KillWordForward,
            (b'~', 3) => Key::Delete,
            (b'A'..=b'D' | b'F' | b'H', 1) => match arrow(last, is_word) {
                Some(key) => key,
                None => return,
            },
            _ => return,
        };
        out.push(key);
    }

    pub(super) fn in_ss3(&mut self, byte: u8, out: &mut Vec<Key>) {
        self.state = State::Ground;
        match byte {
            // Some put what is held down here.
            b'0'..=b'9' | b';' => self.state = State::Ss3,
            b'M' => out.push(Key::Enter),
            b'c' => out.push(Key::WordRight),
            b'd' => out.push(Key::WordLeft),
            b'!'..=b'~' => out.extend(arrow(byte, false)),
            _ => self.anew(byte, out),
        }
    }
}

fn arrow(last: u8, is_word: bool) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' if is_word => Key::WordRight,
        b'D' if is_word => Key::WordLeft,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        _ => return None,
    })
}

/// The first two numbers, each 1 where there is none; nothing for what no key sends: private sequences,
/// intermediates, more numbers.
fn numbers(parameters: &[u8]) -> Option<(u16, u16)> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut numbers = text.split(';').map(|number| if number.is_empty() { Ok(1) } else { number.parse() });
    let first = numbers.next()?.ok()?;
    let second = numbers.next().unwrap_or(Ok(1)).ok()?;
    numbers.next().is_none().then_some((first, second))
}
