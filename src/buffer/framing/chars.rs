//! Where text may be cut: between characters.

/// Where to cut bytes that must be cut: before an unfinished character, if something is left then.
pub(super) fn place_to_cut(bytes: &[u8]) -> usize {
    match whole_chars(bytes) {
        0 => bytes.len(),
        whole => whole,
    }
}

/// The length of `bytes` without a UTF-8 character at its end that has begun and may still be
/// completed by what follows. Bytes that are no UTF-8 anyway count as whole.
pub fn whole_chars(bytes: &[u8]) -> usize {
    let last_three = bytes.iter().enumerate().rev().take(3);
    for (at, &byte) in last_three {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => break,
        };
        let unfinished = bytes.len() - at < length
            // A prefix that no byte could complete (such as e0 80) is not unfinished but wrong.
            && std::str::from_utf8(&bytes[at..]).is_err_and(|error| error.error_len().is_none());
        return if unfinished { at } else { bytes.len() };
    }
    bytes.len()
}

/// How much of a message without an ending is shown when that has to be: all but a character that has only begun,
/// which the next bytes may complete. Where what comes before it is no text, the last byte is no character either (the
/// checksum of a Modbus frame often looks like the beginning of one); where nothing comes before it, it has had its
/// longer wait.
pub(super) fn part_to_show(part: &[u8]) -> usize {
    match whole_chars(part) {
        0 => part.len(),
        whole if is_text(&part[..whole]) => whole,
        _ => part.len(),
    }
}

/// Whether these bytes are UTF-8, and hold no control characters but those that terminals and their users send.
fn is_text(bytes: &[u8]) -> bool {
    const OF_TERMINALS: [u8; 5] = [0x07, 0x08, b'\t', b'\r', 0x1b];
    let is_control = |byte: &u8| (*byte < 0x20 && !OF_TERMINALS.contains(byte)) || *byte == 0x7f;
    std::str::from_utf8(bytes).is_ok() && !bytes.iter().any(is_control)
}
