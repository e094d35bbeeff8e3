//! What a peer of the chat may type beside texts.

/// A command of a peer's.
#[derive(Debug, PartialEq, Eq)]
pub enum ChatCommand<'a> {
    /// Take this name, or none.
    Nick(Option<&'a str>),
    /// Ask who is here.
    Who,
    /// Leave.
    Quit,
    /// Ask what there is to type.
    Help,
}

/// What a peer is told who asks for help.
pub const HELP: [&str; 5] = [
    "/nick NAME  take a name; it is shown with your number",
    "/who        who is here",
    "/quit       leave",
    "/help       this",
    "//who       say /who",
];

/// Reads a line that begins with `/`. There are four commands; everything else is a text, paths and what would be an
/// operator's command among them.
///
/// # Errors
/// The text that it is instead.
pub fn read(line: &[u8]) -> Result<ChatCommand<'_>, &[u8]> {
    // What begins with two is said with one where it would be a command, so that anything can be said.
    if line.starts_with(b"//") {
        return Err(if read(&line[1..]).is_ok() { &line[1..] } else { line });
    }
    let (word, rest) = match line.iter().position(u8::is_ascii_whitespace) {
        Some(at) => (&line[..at], line[at..].trim_ascii()),
        None => (line, &line[line.len()..]),
    };
    match (word, rest) {
        (b"/nick", b"") => Ok(ChatCommand::Nick(None)),
        // What is no UTF-8 is no name; what it becomes here is none either.
        (b"/nick", name) => Ok(ChatCommand::Nick(Some(str::from_utf8(name).unwrap_or("\u{fffd}")))),
        (b"/who", _) => Ok(ChatCommand::Who),
        (b"/quit", _) => Ok(ChatCommand::Quit),
        (b"/help", _) => Ok(ChatCommand::Help),
        _ => Err(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_paths_and_texts_are_told_apart() {
        for (line, read_as) in [
            ("/nick ann", Ok(ChatCommand::Nick(Some("ann")))),
            ("/nick", Ok(ChatCommand::Nick(None))),
            ("/who \r", Ok(ChatCommand::Who)),
            ("/quit", Ok(ChatCommand::Quit)),
            ("/kick 3", Err(&b"/kick 3"[..])),
            ("//nick ann", Err(b"/nick ann")),
            ("//nobody", Err(b"//nobody")),
            ("/etc/hosts", Err(b"/etc/hosts")),
            ("/", Err(b"/")),
            ("/ who", Err(b"/ who")),
            ("/3", Err(b"/3")),
        ] {
            assert_eq!(read(line.as_bytes()), read_as, "{line:?}");
        }
    }
}
