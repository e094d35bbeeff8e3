//! The file of rules: lines `REGEX<TAB>TEXT`, or `=MESSAGE<TAB>TEXT` for one message alone, and comments that begin with
//! `#`.

use std::rc::Rc;

use super::{Pattern, Spelt};
use crate::desk::template::Template;
use crate::desk::text::{from_escapes, push_escaped};

/// Reads rules.
///
/// # Errors
/// Which line is none, and why.
pub fn parse(text: &[u8]) -> Result<Vec<Spelt>, String> {
    let mut rules = Vec::new();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let place = format!("line {}", at + 1);
        if let Some((pattern, text)) = parse_line(line).map_err(|why| format!("{place}: {why}"))? {
            rules.push(Spelt { pattern, text: Rc::new(text), is_in_turn: true, place });
        }
    }
    Ok(rules)
}

/// Appends `=MESSAGE<TAB>TEXT`, so that it is read back as it is whatever the message has in it.
pub(super) fn push_exact(out: &mut Vec<u8>, message: &[u8], text: &[u8]) {
    out.push(b'=');
    push_escaped(out, message);
    out.push(b'\t');
    out.extend_from_slice(text);
}

fn parse_line(line: &[u8]) -> Result<Option<(Pattern, Template)>, String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let tab =
        memchr::memchr(b'\t', line).ok_or("there is no tab between what is asked and what is answered")?;
    let (pattern, text) = (&line[..tab], &line[tab + 1..]);
    let pattern = match pattern.strip_prefix(b"=") {
        Some(message) => {
            let message = from_escapes(message);
            Pattern::Exact(
                message.map_err(|at| format!("{:?} is no escape", String::from_utf8_lossy(at)))?.into(),
            )
        }
        None => {
            let expression = str::from_utf8(pattern);
            Pattern::Regex(expression.map_err(|_| "the regular expression is not UTF-8")?.into())
        }
    };
    Ok(Some((pattern, Template::parse(text).map_err(|why| why.to_string())?)))
}
