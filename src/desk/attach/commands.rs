//! What is typed at an attached desk, as a line of JSON: who is meant becomes numbers here, as the prompt has shown them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::conn::reason::in_words;
use crate::desk::text::first_member;
use crate::desk::{Aim, Command, Every, Fault, How, Mistake, Payload, Refusal, Roster, To, Whose};
use crate::terminal::Whom;

/// A file goes in one line, which has 16 MiB, and takes a third more there than it has.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Whom those reach who name nobody, or somebody by a name.
#[derive(Debug)]
pub struct Meant<'a> {
    /// The current target.
    pub whom: &'a Whom,
    /// Whom the line names itself, as its prompt has shown it.
    pub named: Option<&'a Whom>,
    /// Whoever spoke last.
    pub last: Option<u64>,
    /// Who is here.
    pub here: &'a Roster,
}

impl Meant<'_> {
    /// A command as the server is told it.
    ///
    /// # Errors
    /// When it is about nobody, or cannot be told.
    pub fn spell(&self, command: &Command<'_>) -> Result<Value, Refusal> {
        Ok(match command {
            Command::Send(to, payload) => self.send(to, payload)?,
            Command::File(to, path) => {
                let bytes = read(path)?;
                json!({"cmd": "send", "to": spelt(&self.whom(to)?), "b64": STANDARD.encode(bytes)})
            }
            Command::Close(to, how, reason) => {
                let to = spelt(&self.whom(to)?);
                let mut said = json!({"cmd": "close", "to": to, "how": word(*how)});
                if *how == How::Kick && !reason.is_empty() {
                    said["text"] = json!(String::from_utf8_lossy(reason));
                }
                said
            }
            Command::Who(None) => json!({"cmd": "who"}),
            Command::Who(Some(glob)) => json!({"cmd": "who", "glob": glob}),
            Command::Pending => json!({"cmd": "pending"}),
            Command::Next => json!({"cmd": "next"}),
            Command::Done(whom) => json!({"cmd": "done", "id": self.one(whom)?}),
            Command::Show(whom, None) => json!({"cmd": "show", "id": self.one(whom)?}),
            Command::Show(whom, Some(count)) => {
                json!({"cmd": "show", "id": self.one(whom)?, "count": count})
            }
            Command::Name(whom, None) => json!({"cmd": "name", "id": self.one(whom)?}),
            Command::Name(whom, Some(name)) => {
                json!({"cmd": "name", "id": self.one(whom)?, "name": name})
            }
            Command::Dial(address, None) => json!({"cmd": "dial", "addr": address}),
            Command::Dial(address, Some(name)) => json!({"cmd": "dial", "addr": address, "name": name}),
            Command::Link(one, other) => {
                json!({"cmd": "link", "ids": [self.one(one)?, self.one(other)?]})
            }
            Command::Unlink(whom) => json!({"cmd": "unlink", "id": self.one(whom)?}),
            Command::Every(Every::List) => json!({"cmd": "every"}),
            Command::Every(Every::Off(None)) => json!({"cmd": "every", "off": "all"}),
            Command::Every(Every::Off(Some(number))) => json!({"cmd": "every", "off": number}),
            Command::Every(Every::Begin(period, sends)) => {
                let Value::Object(mut said) = self.spell(sends)? else { return Err(Refusal::Nobody) };
                said.insert("cmd".to_owned(), json!("every"));
                said.insert("every".to_owned(), json!(format!("{}ms", period.as_millis())));
                Value::Object(said)
            }
            Command::Fault(whose, fault) => self.fault(whose, fault)?,
            Command::Learn => json!({"cmd": "learn"}),
            Command::Stats => json!({"cmd": "stats"}),
            Command::Quit => json!({"cmd": "quit"}),
            // These are carried out here.
            _ => return Err(Refusal::NotYet("this")),
        })
    }

    fn send(&self, to: &To<'_>, payload: &Payload<'_>) -> Result<Value, Refusal> {
        let mut said = Map::new();
        said.insert("cmd".to_owned(), json!("send"));
        said.insert("to".to_owned(), spelt(&self.whom(to)?));
        match (str::from_utf8(payload.bytes()), payload) {
            (Ok(text), Payload::Text(_)) => drop(said.insert("text".to_owned(), json!(text))),
            (Ok(text), Payload::Exact(_)) => {
                said.insert("text".to_owned(), json!(text));
                said.insert("eol".to_owned(), json!(false));
            }
            (Err(_), Payload::Exact(bytes)) => {
                drop(said.insert("b64".to_owned(), json!(STANDARD.encode(bytes))));
            }
            (Err(_), Payload::Text(_)) => {
                let why = "cannot send this text: it is no UTF-8; /send takes \\xNN";
                return Err(Refusal::Told("bad-request", why.to_owned()));
            }
        }
        Ok(Value::Object(said))
    }

    fn fault(&self, whose: &Whose<'_>, fault: &Fault) -> Result<Value, Refusal> {
        let to = match whose {
            Whose::Newcomers => json!("new"),
            Whose::These(to) => spelt(&self.whom(to)?),
        };
        Ok(match fault {
            Fault::Show => json!({"cmd": "fault", "to": to}),
            Fault::Off => json!({"cmd": "fault", "to": to, "spec": "off"}),
            Fault::Add(spec) => json!({"cmd": "fault", "to": to, "spec": spec.to_string()}),
        })
    }

    /// Who is meant, in numbers.
    ///
    /// # Errors
    /// When that is nobody.
    pub fn whom(&self, to: &To<'_>) -> Result<Whom, Refusal> {
        let whom = match to {
            To::Current => self.whom.clone(),
            To::All => Whom::All,
            To::One(serial) => Whom::One(*serial),
            To::Last => self.last.map_or(Whom::Nobody, Whom::One),
            To::Named(name) => {
                let named = || Aim::Named((*name).to_owned()).pin(self.here).whom;
                let whom = self.named.cloned().unwrap_or_else(named);
                return match whom {
                    Whom::Nobody => Err(Refusal::NobodyNamed((*name).to_owned())),
                    whom => Ok(whom),
                };
            }
            To::Typed(list) => self.listed(list)?,
            To::Listed(_) => Whom::Nobody,
        };
        if whom == Whom::Nobody { Err(Refusal::NoTarget) } else { Ok(whom) }
    }

    fn listed(&self, mut list: &[u8]) -> Result<Whom, Refusal> {
        let mut serials = Vec::new();
        loop {
            let wrong = |wrong| Refusal::Mistake(Mistake::unknown_target(wrong));
            let (member, length) = first_member(list).map_err(wrong)?;
            let one = Meant { named: None, ..*self };
            match one.whom(&member)? {
                Whom::One(serial) => serials.push(serial),
                Whom::Several(several) => serials.extend(several),
                Whom::All => return Ok(Whom::All),
                Whom::Nobody => return Err(Refusal::NoTarget),
            }
            match list.get(length + 1..) {
                Some(rest) if list.len() > length => list = rest,
                _ => return Ok(Whom::Several(serials)),
            }
        }
    }

    fn one(&self, to: &To<'_>) -> Result<u64, Refusal> {
        match self.whom(to)? {
            Whom::One(serial) => Ok(serial),
            Whom::Several(serials) if serials.len() == 1 => Ok(serials[0]),
            _ => Err(Refusal::OneOnly),
        }
    }
}

/// Who is meant, as JSON has it.
pub fn spelt(whom: &Whom) -> Value {
    match whom {
        Whom::Nobody => json!([]),
        Whom::One(serial) => json!(serial),
        Whom::Several(serials) => json!(serials),
        Whom::All => json!("all"),
    }
}

fn word(how: How) -> &'static str {
    match how {
        How::Eof => "eof",
        How::Kick => "kick",
        How::Reset => "rst",
    }
}

/// What a file has in it, which is read where it is typed.
fn read(path: &[u8]) -> Result<Vec<u8>, Refusal> {
    let named = String::from_utf8_lossy(path).into_owned();
    let refused = |why: String| Refusal::File(named.clone(), why);
    let file = File::open(Path::new(&named)).map_err(|error| refused(in_words(&error)))?;
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return Err(refused("it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| refused(in_words(&error)))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(refused("it is longer than 8 MiB".to_owned()));
    }
    Ok(bytes)
}
