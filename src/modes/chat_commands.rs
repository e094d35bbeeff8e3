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
    /// It looks like a command and is none.
    Unknown(&'a [u8]),
}

/// What a peer is told who asks for help.
pub const HELP: [&str; 5] = [
    "/nick NAME  take a name; it is shown with your number",
    "/who        who is here",
    "/quit       leave",
    "/help       this",
    "//text      say a text that begins with /",
];

/// Reads a line that begins with `/`. A word of letters behind it is a command; a path such as `/etc/hosts` is a text.
///
/// # Errors
/// The text that it is instead.
pub fn read(line: &[u8]) -> Result<ChatCommand<'_>, &[u8]> {
    if line.starts_with(b"//") {
        return Err(&line[1..]);
    }
    let line = line.trim_ascii_end();
    let (word, rest) = match line.iter().position(u8::is_ascii_whitespace) {
        Some(at) => (&line[..at], line[at..].trim_ascii()),
        None => (line, &line[line.len()..]),
    };
    if word.len() < 2 || !word[1..].iter().all(u8::is_ascii_alphabetic) {
        return Err(line);
    }
    match (word, rest) {
        (b"/nick", b"") => Ok(ChatCommand::Nick(None)),
        // What is no UTF-8 is no name; what it becomes here is none either.
        (b"/nick", name) => Ok(ChatCommand::Nick(Some(str::from_utf8(name).unwrap_or("\u{fffd}")))),
        (b"/who", _) => Ok(ChatCommand::Who),
        (b"/quit", _) => Ok(ChatCommand::Quit),
        (b"/help", _) => Ok(ChatCommand::Help),
        (word, _) => Ok(ChatCommand::Unknown(word)),
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
            ("/nik ann", Ok(ChatCommand::Unknown(b"/nik"))),
            ("//nick ann", Err(&b"/nick ann"[..])),
            ("/etc/hosts", Err(b"/etc/hosts")),
            ("/", Err(b"/")),
            ("/ who", Err(b"/ who")),
            ("/3", Err(b"/3")),
        ] {
            assert_eq!(read(line.as_bytes()), read_as, "{line:?}");
        }
    }
}
