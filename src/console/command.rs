//! The grammar of what an operator types: a pure function from a line to a command. Whatever is
//! mistyped is an error, and an error sends nothing.

use std::collections::HashSet;
use std::fmt;

/// Something an operator wants. Texts are borrowed from the line.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Send a text, with one `\n` behind it.
    Say(To, &'a [u8]),
    /// Make this the current target.
    Aim(To),
    /// List the connections.
    Who,
    /// Send our FIN after what is queued.
    Eof(To),
    /// Close politely, perhaps telling the peer why.
    Kick(To, &'a [u8]),
    /// Reset.
    Reset(To),
    /// Show the counters.
    Stats,
    /// Explain the commands, or one of them.
    Help(Option<&'static Help>),
    /// End the program in order.
    Quit,
}

/// Whom a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Whoever is the current target.
    Current,
    /// One connection.
    One(u64),
    /// Several, in the order they were named; nobody twice.
    Several(Vec<u64>),
    /// Everybody.
    All,
    /// Whoever spoke last.
    Last,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Mistake {
    /// No such command.
    UnknownCommand(String),
    /// What stands behind `@`, or behind a command, names no connections.
    UnknownTarget(String),
    /// The command is about a connection, and none was named.
    NoTarget(&'static Help),
    /// There is more behind the command than belongs there.
    TooMuch(&'static Help, String),
}

/// One line of help.
#[derive(Debug, PartialEq, Eq)]
pub struct Help {
    /// The command's name, or what stands for it.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does.
    pub what: &'static str,
}

const fn entry(name: &'static str, usage: &'static str, what: &'static str) -> Help {
    Help { name, usage, what }
}

/// All there is to type.
pub const HELP: &[Help] = &[
    entry("text", "text", "send text to the current target: whoever spoke last, unless one was chosen"),
    entry("@", "@3 text  @3,7 text", "send text once to #3, to #3 and #7"),
    entry("@all", "@all text", "send text to everybody"),
    entry("@last", "@last text", "send text to whoever spoke last"),
    entry("target", "@3  @last", "make #3 the current target; go back to following whoever spoke last"),
    entry("//", "//text  @@text", "send a text that begins with / or @"),
    entry("/who", "/who", "list the connections"),
    entry("/eof", "/eof 3", "finish sending to #3 (FIN after what is queued); it is still heard"),
    entry("/kick", "/kick 3 [reason]", "close #3 politely; a reason is sent to it as its last line"),
    entry("/rst", "/rst 3", "reset #3; what is queued for it is lost"),
    entry("/stats", "/stats", "show the counters"),
    entry("/help", "/help [command]", "explain the commands, or one"),
    entry("/quit", "/quit  exit", "send what is queued, close everything, end"),
];

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::UnknownCommand(name) => {
                write!(f, "unknown command {name}: /help lists them, //text sends a text that begins with /")
            }
            Mistake::UnknownTarget(name) => write!(
                f,
                "unknown target {name}: it is a number, numbers with commas, all or last; \
                 @@text sends a text that begins with @"
            ),
            Mistake::NoTarget(help) => {
                // The usage without what may be left out is an example.
                let example = help.usage.split(" [").next().unwrap_or(help.usage);
                write!(f, "{} needs to know which connection, for example: {example}", help.name)
            }
            Mistake::TooMuch(help, what) => {
                write!(f, "{} does not take {what:?}: it is written {}", help.name, help.usage)
            }
        }
    }
}

/// Reads one line, without its `\n`.
///
/// # Errors
/// A `Mistake`, which tells the operator what would have been right.
pub fn parse(line: &[u8]) -> Result<Command<'_>, Mistake> {
    match line {
        [b'/', b'/', ..] | [b'@', b'@', ..] => Ok(Command::Say(To::Current, &line[1..])),
        [b'/', ..] => parse_command(trimmed(line)),
        [b'@', ..] => parse_addressed(line),
        _ if trimmed(line) == b"exit" => Ok(Command::Quit),
        _ => Ok(Command::Say(To::Current, line)),
    }
}

fn parse_addressed(line: &[u8]) -> Result<Command<'_>, Mistake> {
    let (target, text) = match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (trimmed(line), None),
    };
    let to = parse_target(&target[1..]).ok_or_else(|| Mistake::UnknownTarget(lossy(target)))?;
    Ok(match text {
        Some(text) => Command::Say(to, text),
        None => Command::Aim(to),
    })
}

fn parse_command(line: &[u8]) -> Result<Command<'_>, Mistake> {
    let (name, rest) = first_word(line);
    let help = HELP.iter().find(|help| help.name.as_bytes() == name);
    let Some(help) = help else { return Err(Mistake::UnknownCommand(lossy(name))) };
    let about = || {
        let (word, rest) = first_word(rest);
        if word.is_empty() {
            return Err(Mistake::NoTarget(help));
        }
        let target = word.strip_prefix(b"@").unwrap_or(word);
        Ok((parse_target(target).ok_or_else(|| Mistake::UnknownTarget(lossy(word)))?, rest))
    };
    let alone = |what, rest: &[u8]| match rest {
        [] => Ok(what),
        rest => Err(Mistake::TooMuch(help, lossy(rest))),
    };
    match help.name {
        "/who" => alone(Command::Who, rest),
        "/stats" => alone(Command::Stats, rest),
        "/quit" => alone(Command::Quit, rest),
        "/eof" => about().and_then(|(to, rest)| alone(Command::Eof(to), rest)),
        "/rst" => about().and_then(|(to, rest)| alone(Command::Reset(to), rest)),
        "/kick" => about().map(|(to, reason)| Command::Kick(to, reason)),
        "/help" if rest.is_empty() => Ok(Command::Help(None)),
        "/help" => {
            let (word, rest) = first_word(rest);
            let topic = help_on(word).ok_or_else(|| Mistake::UnknownCommand(lossy(word)))?;
            alone(Command::Help(Some(topic)), rest)
        }
        _ => Err(Mistake::UnknownCommand(lossy(name))),
    }
}

/// The help on a command, named with or without its slash.
pub fn help(name: &str) -> Option<&'static Help> {
    help_on(name.as_bytes())
}

fn help_on(name: &[u8]) -> Option<&'static Help> {
    let name = match name {
        b"exit" => b"/quit",
        name => name,
    };
    HELP.iter().find(|help| {
        help.name.as_bytes() == name
            || help.name.strip_prefix('/').is_some_and(|bare| bare.as_bytes() == name)
    })
}

/// `3`, `#3`, `3,7`, `all` or `last`.
fn parse_target(name: &[u8]) -> Option<To> {
    match name {
        b"all" => return Some(To::All),
        b"last" => return Some(To::Last),
        _ => {}
    }
    if !name.contains(&b',') {
        return parse_serial(name).map(To::One);
    }
    let mut serials = Vec::new();
    let mut named = HashSet::new();
    for part in name.split(|byte| *byte == b',') {
        let serial = parse_serial(part)?;
        if named.insert(serial) {
            serials.push(serial);
        }
    }
    Some(To::Several(serials))
}

fn parse_serial(digits: &[u8]) -> Option<u64> {
    let digits = digits.strip_prefix(b"#").unwrap_or(digits);
    // `parse` would take a plus sign, too.
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()
}

fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(u8::is_ascii_whitespace) {
        Some(at) => (&text[..at], text[at..].trim_ascii_start()),
        None => (text, &[]),
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_and_targets() {
        for (line, command) in [
            ("hello", Command::Say(To::Current, b"hello")),
            ("", Command::Say(To::Current, b"")),
            (" /who", Command::Say(To::Current, b" /who")),
            ("//path", Command::Say(To::Current, b"/path")),
            ("@@name", Command::Say(To::Current, b"@name")),
            ("@3 hi there", Command::Say(To::One(3), b"hi there")),
            ("@#3 hi", Command::Say(To::One(3), b"hi")),
            ("@3 ", Command::Say(To::One(3), b"")),
            ("@3,7,3 hi", Command::Say(To::Several(vec![3, 7]), b"hi")),
            ("@all hi", Command::Say(To::All, b"hi")),
            ("@last exit", Command::Say(To::Last, b"exit")),
            ("@3", Command::Aim(To::One(3))),
            ("@last\r", Command::Aim(To::Last)),
            ("exit", Command::Quit),
            ("exit\r", Command::Quit),
            ("exit now", Command::Say(To::Current, b"exit now")),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line:?}");
        }
    }

    #[test]
    fn commands() {
        for (line, command) in [
            ("/who", Command::Who),
            ("/who \r", Command::Who),
            ("/eof 3", Command::Eof(To::One(3))),
            ("/rst @all", Command::Reset(To::All)),
            ("/kick #3  be quiet", Command::Kick(To::One(3), b"be quiet")),
            ("/kick 3", Command::Kick(To::One(3), b"")),
            ("/help", Command::Help(None)),
            ("/help kick", Command::Help(help("/kick"))),
            ("/quit", Command::Quit),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line:?}");
        }
    }

    #[test]
    fn what_is_mistyped_is_an_error() {
        for line in [
            "@",
            "@ hi",
            "@x hi",
            "@3, hi",
            "@,3 hi",
            "@3;7 hi",
            "@-3 hi",
            "@+3 hi",
            "@99999999999999999999 hi",
            "@allhi there",
            "/",
            "/whom",
            "/who 3",
            "/eof",
            "/eof x",
            "/eof 3 4",
            "/kick",
            "/rst",
            "/quit now",
            "/help nothing",
            "/pending",
            "/next",
            "/name 3 lab-a",
            "/text",
            "/@all hi",
        ] {
            assert!(parse(line.as_bytes()).is_err(), "{line:?} is no mistake");
        }
    }

    #[test]
    fn a_mistake_says_what_is_missing_or_too_much() {
        for (line, told) in [
            ("/kick", "/kick needs to know which connection, for example: /kick 3"),
            ("/eof ", "/eof needs to know which connection, for example: /eof 3"),
            ("/rst", "/rst needs to know which connection, for example: /rst 3"),
            ("/who 3", "/who does not take \"3\": it is written /who"),
            ("/rst 3 now", "/rst does not take \"now\": it is written /rst 3"),
        ] {
            assert_eq!(parse(line.as_bytes()).expect_err(line).to_string(), told);
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_command_or_a_mistake(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&line);
        }

        #[test]
        fn any_text_can_be_sent(text in "[^\n]{0,40}") {
            let line = format!("@last {text}");
            prop_assert_eq!(parse(line.as_bytes()), Ok(Command::Say(To::Last, text.as_bytes())));
        }
    }
}
