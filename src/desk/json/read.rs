//! From a line of JSON to a request.

use std::borrow::Cow;

use super::fields::{Fields, members, number, string, wrong_type};
use crate::desk::command::{Command, DeskSays, Every, Fault, How, Member, Payload, Request, To, Whose};
use crate::desk::name::may_be_target;
use crate::desk::refusal::Refusal;
use crate::desk::text::period_of;

/// A name or a glob is no longer than this: a pattern is compiled, which takes much more memory than it is long.
const TARGET_CHARS_MAX: usize = 256;

/// An address is no longer than this; a host's name has 253 characters at most, a socket's path about a hundred.
const ADDRESS_CHARS_MAX: usize = 1024;

/// A line that is no request: what it was to be answered under, if that could be read, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// The reference, as it is spelt.
    pub reference: Option<&'a str>,
    /// What is wrong.
    pub refusal: Refusal,
}

/// Reads one line, without its `\n`. A key of another command is an error, one that no
/// command has is ignored: a later version may have it.
///
/// # Errors
/// What is wrong with it, by the name of the key.
pub fn parse(line: &[u8]) -> Result<Request<'_>, Rejected<'_>> {
    let mut fields = Fields::of(line).map_err(|refusal| Rejected { reference: None, refusal })?;
    let reference = fields.reference().map_err(|refusal| Rejected { reference: None, refusal })?;
    let rejected = |refusal| Rejected { reference, refusal };
    if let Some(refusal) = fields.take_wrong() {
        return Err(rejected(refusal));
    }
    let command = command(&fields).map_err(rejected)?;
    Ok(Request { reference, command })
}

fn command<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    let name = required(fields.text("cmd")?, "cmd")?;
    let only = |keys: &[&str]| fields.only(&name, keys);
    match &*name {
        "send" => {
            only(&["to", "text", "b64", "eol"])?;
            send(fields)
        }
        "close" => {
            only(&["to", "how", "text"])?;
            close(fields)
        }
        "who" => {
            only(&["glob"])?;
            who(fields)
        }
        "pending" => only(&[]).map(|()| Command::Pending),
        "show" => {
            only(&["id", "count"])?;
            let count = fields.number("count")?.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            Ok(Command::Show(one(fields)?, count))
        }
        "done" => {
            only(&["id"])?;
            Ok(Command::Done(one(fields)?))
        }
        "name" => {
            only(&["id", "name"])?;
            Ok(Command::Name(one(fields)?, fields.text("name")?))
        }
        "dial" => {
            only(&["addr", "name"])?;
            let address = short(fields.text("addr")?, "addr", ADDRESS_CHARS_MAX)?;
            Ok(Command::Dial(required(address, "addr")?, fields.text("name")?))
        }
        "every" => {
            only(&["every", "to", "text", "b64", "eol", "off"])?;
            every(fields)
        }
        "stats" => only(&[]).map(|()| Command::Stats),
        "help" => only(&[]).map(|()| Command::Help(None)),
        "quit" => only(&[]).map(|()| Command::Quit),
        "link" => {
            only(&["ids"])?;
            link(fields)
        }
        "unlink" => {
            only(&["id"])?;
            Ok(Command::Unlink(one(fields)?))
        }
        "fault" => {
            only(&["to", "spec"])?;
            fault(fields)
        }
        "learn" => only(&[]).map(|()| Command::Learn),
        name => command_of_desks(name, fields),
    }
}

/// What there is where there may be several desks.
fn command_of_desks<'a>(name: &str, fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    let only = |keys: &[&str]| fields.only(name, keys);
    match name {
        "next" => only(&[]).map(|()| Command::Next),
        "desk" => {
            only(&["name", "watch", "words"])?;
            desk(fields)
        }
        "typing" => {
            only(&["to"])?;
            let to = if fields.raw("to").is_some() { Some(to(fields)?) } else { None };
            Ok(Command::Typing(to))
        }
        name => Err(Refusal::UnknownCommand(name.chars().take(40).collect())),
    }
}

fn required<T>(value: Option<T>, key: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::BadRequest(format!("the key {key:?} is missing")))
}

/// Refuses what is too long to be what it has to be.
fn short<'a>(
    text: Option<Cow<'a, str>>,
    key: &str,
    chars_max: usize,
) -> Result<Option<Cow<'a, str>>, Refusal> {
    match text {
        Some(text) if text.chars().nth(chars_max).is_some() => {
            Err(Refusal::BadRequest(format!("{key:?} is longer than {chars_max} characters")))
        }
        text => Ok(text),
    }
}

fn one<'a>(fields: &Fields<'a>) -> Result<To<'a>, Refusal> {
    let serial = fields.number("id")?;
    required(serial, "id").map(To::One)
}

/// Two by their numbers.
fn link<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    let raw = required(fields.raw("ids"), "ids")?;
    match members("ids", raw)?[..] {
        [Member::One(one), Member::One(other)] => Ok(Command::Link(To::One(one), To::One(other))),
        _ => Err(wrong_type("ids", "a list of two numbers", raw)),
    }
}

fn send<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    Ok(Command::Send(to(fields)?, payload(fields)?))
}

fn payload<'a>(fields: &Fields<'a>) -> Result<Payload<'a>, Refusal> {
    let eol = fields.flag("eol")?.unwrap_or(true);
    match (fields.text("text")?, fields.bytes("b64")?) {
        (Some(_), Some(_)) => Err(Refusal::BadRequest("\"text\" and \"b64\" exclude each other".into())),
        (None, None) => Err(Refusal::BadRequest("\"text\" or \"b64\" is missing".into())),
        (None, Some(_)) if fields.raw("eol").is_some() => {
            Err(Refusal::BadRequest("\"b64\" goes as it is, so it takes no \"eol\"".into()))
        }
        (None, Some(bytes)) => Ok(Payload::Exact(Cow::Owned(bytes))),
        (Some(text), None) => {
            let bytes = match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
            Ok(if eol { Payload::Text(bytes) } else { Payload::Exact(bytes) })
        }
    }
}

fn close<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    let to = to(fields)?;
    let how = match fields.text("how")?.as_deref() {
        None | Some("kick") => How::Kick,
        Some("eof") => How::Eof,
        Some("rst") => How::Reset,
        Some(_) => {
            let raw = fields.raw("how").unwrap_or_default();
            return Err(wrong_type("how", "\"kick\", \"eof\" or \"rst\"", raw));
        }
    };
    let reason = match fields.text("text")? {
        None => Cow::Borrowed(&b""[..]),
        Some(_) if how != How::Kick => {
            return Err(Refusal::BadRequest("only a \"kick\" takes a \"text\"".into()));
        }
        Some(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
        Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
    };
    Ok(Command::Close(to, how, reason))
}

fn who<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    match short(fields.text("glob")?, "glob", TARGET_CHARS_MAX)? {
        None => Ok(Command::Who(None)),
        Some(glob) if may_be_target(&glob) => Ok(Command::Who(Some(glob))),
        Some(_) => Err(wrong_type("glob", "a name or a glob", fields.raw("glob").unwrap_or_default())),
    }
}

fn desk<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    let name = fields.text("name")?;
    let watches = match fields.flag("watch")? {
        Some(false) => {
            let raw = fields.raw("watch").unwrap_or_default();
            return Err(wrong_type("watch", "true: a desk that only looks on goes on doing so", raw));
        }
        watches => watches.is_some(),
    };
    let words = fields.number("words")?.map(|columns| usize::try_from(columns).unwrap_or(usize::MAX));
    Ok(Command::Desk(DeskSays { name, watches, words }))
}

fn every<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    let period = fields.text("every")?;
    match (period, fields.raw("off")) {
        (None, None) => fields.only("every", &[]).map(|()| Command::Every(Every::List)),
        (None, Some("\"all\"")) => fields.only("every", &["off"]).map(|()| Command::Every(Every::Off(None))),
        (None, Some(raw)) => {
            fields.only("every", &["off"])?;
            let number = number(raw).ok_or_else(|| wrong_type("off", "a number or \"all\"", raw))?;
            Ok(Command::Every(Every::Off(Some(number))))
        }
        (Some(_), Some(_)) => Err(Refusal::BadRequest("\"every\" and \"off\" exclude each other".into())),
        (Some(spelt), None) => {
            let period = period_of(spelt.as_bytes());
            let raw = fields.raw("every").unwrap_or_default();
            let period = period.ok_or_else(|| wrong_type("every", "a time from \"10ms\" to \"24h\"", raw))?;
            Ok(Command::Every(Every::Begin(period, Box::new(send(fields)?))))
        }
    }
}

fn fault<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Refusal> {
    let raw = fields.raw("to").filter(|raw| raw.starts_with('"'));
    let is_new = raw.map(|raw| string("to", raw)).transpose()?.is_some_and(|name| name == "new");
    let whose = if is_new { Whose::Newcomers } else { Whose::These(to(fields)?) };
    let spec = fields.text("spec")?;
    Ok(Command::Fault(whose, Fault::of(spec.as_deref()).map_err(Refusal::BadFault)?))
}

/// A number is an id; a string is `all`, a name or a glob; a list holds those.
fn to<'a>(fields: &Fields<'a>) -> Result<To<'a>, Refusal> {
    let raw = required(fields.raw("to"), "to")?;
    if let Some(serial) = number(raw) {
        return Ok(To::One(serial));
    }
    match raw.as_bytes().first() {
        Some(b'"') => named(string("to", raw)?),
        Some(b'[') => {
            let members = members("to", raw)?;
            for member in &members {
                if let Member::Named(name) = member {
                    check(name)?;
                }
            }
            if members.is_empty() { Err(Refusal::Nobody) } else { Ok(To::Listed(members)) }
        }
        _ => Err(wrong_type("to", "a number, a string or a list", raw)),
    }
}

fn named(name: Cow<'_, str>) -> Result<To<'_>, Refusal> {
    if name == "all" {
        return Ok(To::All);
    }
    check(&name)?;
    Ok(match name {
        Cow::Borrowed(name) => To::Named(name),
        Cow::Owned(name) => To::Listed(vec![Member::Named(name.into())]),
    })
}

fn check(name: &str) -> Result<(), Refusal> {
    match name {
        "last" => Err(Refusal::LastIsARace),
        name if name.chars().nth(TARGET_CHARS_MAX).is_some() => Err(Refusal::BadRequest(format!(
            "\"to\" has a name that is longer than {TARGET_CHARS_MAX} characters"
        ))),
        name if may_be_target(name) => Ok(()),
        name => Err(Refusal::NobodyNamed(name.chars().take(80).collect())),
    }
}

#[cfg(test)]
mod tests;
