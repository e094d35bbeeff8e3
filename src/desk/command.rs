//! The grammar of what an operator types: a pure function from a line to a command. Whatever is
//! mistyped is an error, and an error sends nothing.

use std::fmt;

/// Something an operator wants. Texts are borrowed from the line.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Send a text, with one `\n` behind it.
    Say(To<'a>, &'a [u8]),
    /// Make this the current target.
    Target(To<'a>),
    /// List the connections.
    Who,
    /// Send our FIN after what is queued.
    Eof(To<'a>),
    /// Close politely, perhaps telling the peer why.
    Kick(To<'a>, &'a [u8]),
    /// Reset.
    Reset(To<'a>),
    /// Show the counters.
    Stats,
    /// Explain the commands, or one of them.
    Help(Option<&'static Help>),
    /// End the program in order.
    Quit,
}

/// Whom a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To<'a> {
    /// Whoever is the current target.
    Current,
    /// One connection.
    One(u64),
    /// Several: numbers with commas between them, as they were typed. There may be millions, so they are not
    /// read here: `first_number` does that, one at a time, and finds what is wrong with them.
    Several(&'a [u8]),
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

impl Mistake {
    /// A target that names no connections; what is long is cut.
    pub fn unknown_target(name: &[u8]) -> Mistake {
        Mistake::UnknownTarget(lossy(name))
    }
}

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
    let to = parse_target(&target[1..]).ok_or_else(|| Mistake::unknown_target(target))?;
    Ok(match text {
        Some(text) => Command::Say(to, text),
        None => Command::Target(to),
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
        Ok((parse_target(target).ok_or_else(|| Mistake::unknown_target(word))?, rest))
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
fn parse_target(name: &[u8]) -> Option<To<'_>> {
    match name {
        b"all" => return Some(To::All),
        b"last" => return Some(To::Last),
        _ => {}
    }
    if memchr::memchr(b',', name).is_some() {
        return Some(To::Several(name));
    }
    parse_serial(name).map(To::One)
}

/// The first number of what is left of a list, and the length of its spelling; behind it are a comma and the
/// rest of the list, if there is more.
///
/// # Errors
/// What stands there, if it is no number.
pub fn first_number(list: &[u8]) -> Result<(u64, usize), &[u8]> {
    let part = &list[..memchr::memchr(b',', list).unwrap_or(list.len())];
    parse_serial(part).map(|serial| (serial, part.len())).ok_or(part)
}

fn parse_serial(digits: &[u8]) -> Option<u64> {
    let digits = digits.strip_prefix(b"#").unwrap_or(digits);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |serial, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        serial.checked_mul(10)?.checked_add(digit)
    })
}

fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    // What `is_ascii_whitespace` names, but for the line ending. A list may be megabytes long.
    let blank = memchr::memchr3(b' ', b'\t', b'\r', text);
    let blank = memchr::memchr(b'\x0c', &text[..blank.unwrap_or(text.len())]).or(blank);
    match blank {
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
            ("@3,7,3 hi", Command::Say(To::Several(b"3,7,3"), b"hi")),
            ("@all hi", Command::Say(To::All, b"hi")),
            ("@last exit", Command::Say(To::Last, b"exit")),
            ("@3", Command::Target(To::One(3))),
            ("@last\r", Command::Target(To::Last)),
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

    /// Reads a list to its end.
    fn numbers(mut list: &[u8]) -> Result<Vec<u64>, &[u8]> {
        let mut out = Vec::new();
        loop {
            let (serial, length) = first_number(list)?;
            out.push(serial);
            match list.get(length + 1..) {
                Some(rest) => list = rest,
                None => return Ok(out),
            }
        }
    }

    #[test]
    fn a_list_is_read_number_by_number() {
        assert_eq!(numbers(b"3,#7,3,18446744073709551615"), Ok(vec![3, 7, 3, u64::MAX]));
        for (list, wrong) in [
            ("3,", ""),
            (",3", ""),
            ("3,,7", ""),
            ("3,x,y", "x"),
            ("3,18446744073709551616", "18446744073709551616"),
        ] {
            assert_eq!(numbers(list.as_bytes()), Err(wrong.as_bytes()), "{list:?}");
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
