//! Bracketed paste: what comes between `CSI 200~` and `CSI 201~`, as one text.

use super::{Key, Keys, State};

/// What ends a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

impl Keys {
    /// Takes what belongs to a paste, and says how many bytes that are.
    pub(super) fn pasted(&mut self, bytes: &[u8], out: &mut Vec<Key>) -> usize {
        self.state = State::Paste(0);
        // Its end may have begun in what is there already.
        let before = self.paste.len();
        let looked_at = before.saturating_sub(PASTE_END.len() - 1);
        self.paste.extend_from_slice(bytes);
        let found = self.paste[looked_at..].windows(PASTE_END.len()).position(|window| window == PASTE_END);
        let Some(at) = found.map(|at| looked_at + at) else {
            if self.paste.len() > Keys::PASTE_BYTES_MAX + PASTE_END.len() {
                self.paste_is_too_long = true;
                let kept = self.paste.len() - PASTE_END.len();
                self.paste.drain(..kept);
            }
            return bytes.len();
        };
        let is_too_long = at > Keys::PASTE_BYTES_MAX || self.paste_is_too_long;
        out.push(if is_too_long { Key::PasteTooLong } else { Key::Paste(text_of_paste(&self.paste[..at])) });
        self.paste = Vec::new();
        self.state = State::Ground;
        at + PASTE_END.len() - before
    }
}

/// The text of a paste: lines end with `\n`, and nothing in it is a control character, tabs aside.
fn text_of_paste(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|char| !char.is_control() || matches!(char, '\n' | '\t')).collect()
}
