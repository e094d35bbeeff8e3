//! The grammar of what an operator types: a pure function from a line to a command. Whatever is
//! mistyped is an error, and an error sends nothing.

use std::borrow::Cow;
use std::time::Duration;

use super::bytes;
use super::mistake::{Mistake, lossy};
use crate::clock::typed_duration;
use crate::desk::command::{Command, Every, Fault, Filter, How, Payload, To, View, Whose, serial_of};
use crate::desk::help::{HELP, Help};
use crate::desk::name::may_be_target;

/// Reads one line, without its `\n`.
///
/// # Errors
/// A `Mistake`, which tells the operator what would have been right.
pub fn parse(line: &[u8]) -> Result<Command<'_>, Mistake> {
    match line {
        [b'/', b'/', ..] | [b'@', b'@', ..] => Ok(say(To::Current, &line[1..])),
        [b'/', ..] => parse_command(line.strip_suffix(b"\r").unwrap_or(line)),
        [b'@', ..] => parse_addressed(line),
        _ if trimmed(line) == b"exit" => Ok(Command::Quit),
        _ => Ok(say(To::Current, line)),
    }
}

fn say<'a>(to: To<'a>, text: &'a [u8]) -> Command<'a> {
    Command::Send(to, Payload::Text(Cow::Borrowed(text)))
}

fn parse_addressed(line: &[u8]) -> Result<Command<'_>, Mistake> {
    let (target, text) = match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (trimmed(line), None),
    };
    let to = parse_target(&target[1..]).ok_or_else(|| Mistake::unknown_target(target))?;
    Ok(match text {
        Some(text) => say(to, text),
        None => Command::Target(to),
    })
}

/// What stands behind a command's name.
struct Rest<'a> {
    help: &'static Help,
    text: &'a [u8],
}

impl<'a> Rest<'a> {
    /// Nothing more may stand there.
    fn alone(self, command: Command<'a>) -> Result<Command<'a>, Mistake> {
        if self.text.is_empty() { Ok(command) } else { Err(Mistake::TooMuch(self.help, lossy(self.text))) }
    }

    fn word(&mut self) -> &'a [u8] {
        let (word, rest) = first_word(self.text);
        self.text = rest;
        word
    }

    /// Whom a command is about that sends nothing: with `@` or without.
    fn whom(&mut self) -> Result<To<'a>, Mistake> {
        let word = self.word();
        if word.is_empty() {
            return Err(Mistake::NoTarget(self.help));
        }
        parse_target(word.strip_prefix(b"@").unwrap_or(word)).ok_or_else(|| Mistake::unknown_target(word))
    }

    fn whom_or_current(&mut self) -> Result<To<'a>, Mistake> {
        if self.text.is_empty() { Ok(To::Current) } else { self.whom() }
    }

    /// Whom a command is about that sends: it is written with `@`, or it is the current target.
    fn to(&mut self) -> Result<To<'a>, Mistake> {
        if self.text.starts_with(b"@") { self.whom() } else { Ok(To::Current) }
    }

    fn missing(&self) -> Mistake {
        Mistake::Usage(self.help)
    }
}

fn parse_command(line: &[u8]) -> Result<Command<'_>, Mistake> {
    let (name, text) = first_word(line);
    let help = HELP.iter().find(|help| help.name.as_bytes() == name && help.name.starts_with('/'));
    let Some(help) = help.filter(|help| help.name != "//") else {
        return Err(Mistake::UnknownCommand(lossy(name)));
    };
    // Of bytes that go exactly as they are, the last may be a blank.
    let mut rest = Rest { help, text: if name == b"/send" { text } else { trimmed(text) } };
    match help.name {
        "/who" => who(rest),
        "/pending" => rest.alone(Command::Pending),
        "/next" => rest.alone(Command::Next),
        "/done" => rest.whom_or_current().and_then(|whom| rest.alone(Command::Done(whom))),
        "/show" => show(rest),
        "/name" => give_name(rest),
        "/eof" => rest.whom().and_then(|whom| rest.alone(Command::Close(whom, How::Eof, Cow::Borrowed(b"")))),
        "/rst" => {
            rest.whom().and_then(|whom| rest.alone(Command::Close(whom, How::Reset, Cow::Borrowed(b""))))
        }
        "/kick" => rest.whom().map(|whom| Command::Close(whom, How::Kick, Cow::Borrowed(rest.text))),
        "/hex" | "/send" => send_exactly(rest),
        "/file" => file(rest),
        "/dial" => dial(rest),
        "/link" => link(rest),
        "/unlink" => rest.whom().and_then(|whom| rest.alone(Command::Unlink(whom))),
        "/mute" => rest.whom().and_then(|whom| rest.alone(Command::Filter(Filter::Mute(whom)))),
        "/focus" => rest.whom().and_then(|whom| rest.alone(Command::Filter(Filter::Focus(whom)))),
        "/view" => view(rest),
        "/every" => every(rest),
        "/fault" => fault(rest),
        "/learn" => rest.alone(Command::Learn),
        "/stats" => rest.alone(Command::Stats),
        "/help" => explain(rest),
        "/quit" => rest.alone(Command::Quit),
        name => Ok(Command::NotYet(name)),
    }
}

fn who(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let word = rest.word();
    if word.is_empty() {
        return Ok(Command::Who(None));
    }
    let glob =
        str::from_utf8(word.strip_prefix(b"@").unwrap_or(word)).ok().filter(|glob| may_be_target(glob));
    let glob = glob.ok_or_else(|| Mistake::TooMuch(rest.help, lossy(word)))?;
    rest.alone(Command::Who(Some(Cow::Borrowed(glob))))
}

fn show(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    match rest.whom_or_current()? {
        To::All => rest.alone(Command::Filter(Filter::All)),
        whom => {
            let word = rest.word();
            let count =
                if word.is_empty() { None } else { Some(count_of(word).ok_or_else(|| rest.missing())?) };
            rest.alone(Command::Show(whom, count))
        }
    }
}

fn count_of(word: &[u8]) -> Option<usize> {
    serial_of(word).filter(|count| *count > 0).and_then(|count| usize::try_from(count).ok())
}

fn give_name(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let whom = rest.whom()?;
    let word = rest.word();
    let name = match word {
        b"" => None,
        word => Some(String::from_utf8_lossy(word)),
    };
    rest.alone(Command::Name(whom, name))
}

fn send_exactly(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let to = rest.to()?;
    if rest.text.is_empty() {
        return Err(rest.missing());
    }
    let read = if rest.help.name == "/hex" { bytes::from_hex } else { bytes::from_escapes };
    let sent = read(rest.text).map_err(|what| Mistake::NotBytes(rest.help, lossy(what)))?;
    Ok(Command::Send(to, Payload::Exact(sent)))
}

fn file(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let to = rest.to()?;
    if rest.text.is_empty() { Err(rest.missing()) } else { Ok(Command::File(to, rest.text)) }
}

fn dial(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let (address, name) = (rest.word(), rest.word());
    if address.is_empty() {
        return Err(rest.missing());
    }
    let name = if name.is_empty() { None } else { Some(String::from_utf8_lossy(name)) };
    rest.alone(Command::Dial(String::from_utf8_lossy(address), name))
}

fn link(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let one = rest.whom()?;
    if rest.text.is_empty() {
        return Err(rest.missing());
    }
    let other = rest.whom()?;
    rest.alone(Command::Link(one, other))
}

fn view(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let view_of = |rest: &mut Rest<'_>| match rest.word() {
        b"text" => Ok(View::Text),
        b"hex" => Ok(View::Hex),
        _ => Err(rest.missing()),
    };
    let whom = match first_word(rest.text).0 {
        b"text" | b"hex" => None,
        _ => Some(rest.whom()?),
    };
    let view = view_of(&mut rest)?;
    rest.alone(Command::View(whom, view))
}

fn every(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    match rest.word() {
        b"" => Ok(Command::Every(Every::List)),
        b"off" => {
            let number = match rest.word() {
                b"all" => None,
                word => Some(serial_of(word).ok_or_else(|| rest.missing())?),
            };
            rest.alone(Command::Every(Every::Off(number)))
        }
        word => {
            let period = period_of(word).ok_or_else(|| Mistake::NoPeriod(lossy(word)))?;
            match parse(rest.text)? {
                _ if rest.text.is_empty() => Err(rest.missing()),
                sends @ (Command::Send(..) | Command::File(..)) => {
                    Ok(Command::Every(Every::Begin(period, Box::new(sends))))
                }
                _ => Err(Mistake::DoesNotSend(lossy(rest.text))),
            }
        }
    }
}

fn fault(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let (first, behind) = first_word(rest.text);
    let whose = if first == b"new" {
        rest.text = behind;
        Whose::Newcomers
    } else {
        Whose::These(rest.whom()?)
    };
    let spec = (!rest.text.is_empty()).then(|| String::from_utf8_lossy(rest.text));
    Ok(Command::Fault(whose, Fault::of(spec.as_deref()).map_err(Mistake::BadFault)?))
}

/// `5s`, from 10 ms to a day: oftener would keep the loop from its work, and a day is what a person plans for.
pub fn period_of(word: &[u8]) -> Option<Duration> {
    let period = typed_duration(str::from_utf8(word).ok()?)?;
    (Duration::from_millis(10)..=Duration::from_secs(24 * 3600)).contains(&period).then_some(period)
}

fn explain(mut rest: Rest<'_>) -> Result<Command<'_>, Mistake> {
    let word = rest.word();
    if word.is_empty() {
        return Ok(Command::Help(None));
    }
    let topic = str::from_utf8(word).ok().and_then(crate::desk::help::help);
    let topic = topic.ok_or_else(|| Mistake::UnknownCommand(lossy(word)))?;
    rest.alone(Command::Help(Some(topic)))
}

/// `3`, `#3`, `lab-a`, `lab-*`, several with commas between them, `all` or `last`.
fn parse_target(target: &[u8]) -> Option<To<'_>> {
    match target {
        b"all" => Some(To::All),
        b"last" => Some(To::Last),
        _ if memchr::memchr(b',', target).is_some() => Some(To::Typed(target)),
        _ => parse_member(target),
    }
}

fn parse_member(member: &[u8]) -> Option<To<'_>> {
    let digits = member.strip_prefix(b"#").unwrap_or(member);
    if digits.first().is_some_and(u8::is_ascii_digit) || digits.len() < member.len() {
        return serial_of(digits).map(To::One);
    }
    str::from_utf8(member).ok().filter(|name| may_be_target(name)).map(To::Named)
}

/// The first member of what is left of a list, and the length of its spelling; behind it are a comma and the
/// rest of the list, if there is more.
///
/// # Errors
/// What stands there, if it can name nobody.
pub fn first_member(list: &[u8]) -> Result<(To<'_>, usize), &[u8]> {
    let part = &list[..memchr::memchr(b',', list).unwrap_or(list.len())];
    let member = if part == b"all" { Some(To::All) } else { parse_member(part) };
    member.map(|member| (member, part.len())).ok_or(part)
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

#[cfg(test)]
mod tests;
