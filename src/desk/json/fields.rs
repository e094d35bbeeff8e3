//! One line of JSON, taken apart: which keys it has, and how the value of each is spelt. The values are read when it
//! is known what they have to be, so that an error can name its key.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::desk::command::Member;
use crate::desk::refusal::Refusal;

/// Most members of a list.
pub const MEMBERS_MAX: usize = 100_000;

/// Most keys of a line that no command has.
const IGNORED_MAX: usize = 64;

/// No key is longer than this.
const KEY_BYTES_MAX: usize = 256;

/// All keys of all commands.
pub const KEYS: [&str; 18] = [
    "cmd", "ref", "to", "text", "b64", "eol", "how", "id", "ids", "name", "addr", "every", "off", "spec",
    "count", "glob", "watch", "words",
];

/// The place of a key in `KEYS`.
fn place(key: &str) -> Option<usize> {
    KEYS.iter().position(|known| *known == key)
}

/// The values of a line, as they are spelt.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    values: [Option<&'a str>; KEYS.len()],
    /// The first thing that is wrong with the keys.
    wrong: Option<String>,
}

impl<'a> Fields<'a> {
    /// Takes a line apart.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn of(line: &'a [u8]) -> Result<Fields<'a>, Refusal> {
        if line.starts_with("\u{feff}".as_bytes()) {
            return Err(Refusal::BadJson("it begins with a byte order mark".into()));
        }
        let text = str::from_utf8(line).map_err(|error| {
            Refusal::BadJson(format!("byte {} of it is no UTF-8", error.valid_up_to() + 1))
        })?;
        if text.trim_start().starts_with('"') {
            // The error would have the whole of it in it.
            return Err(Refusal::BadJson("it is a string".into()));
        }
        serde_json::from_str(text).map_err(|error| Refusal::BadJson(error.to_string()))
    }

    /// What is wrong with the keys: one is there twice, or too many are unknown.
    pub fn take_wrong(&mut self) -> Option<Refusal> {
        self.wrong.take().map(Refusal::BadRequest)
    }

    /// How a value is spelt, if the key is there.
    pub fn raw(&self, key: &'static str) -> Option<&'a str> {
        self.values[place(key)?]
    }

    /// Whether other keys than `cmd`, `ref` and these are there.
    ///
    /// # Errors
    /// Names one of them.
    pub fn only(&self, command: &str, keys: &[&str]) -> Result<(), Refusal> {
        let is_odd = |key: &&&str| {
            self.values[place(key).unwrap_or_default()].is_some()
                && !matches!(**key, "cmd" | "ref")
                && !keys.contains(*key)
        };
        match KEYS.iter().find(is_odd) {
            None => Ok(()),
            Some(key) => Err(Refusal::BadRequest(format!("{command:?} takes no key {key:?}"))),
        }
    }

    /// A string.
    ///
    /// # Errors
    /// When it is something else, or spells no text.
    pub fn text(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.raw(key).map(|raw| string(key, raw)).transpose()
    }

    /// Bytes in base64.
    ///
    /// # Errors
    /// When it is something else.
    pub fn bytes(&self, key: &'static str) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let decoded = STANDARD.decode(text.as_bytes());
        decoded.map(Some).map_err(|error| {
            let why = error.to_string().trim_end_matches('.').to_owned();
            Refusal::BadRequest(format!("{key:?} is no base64: {why}"))
        })
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, Refusal> {
        match self.raw(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(raw) => Err(wrong_type(key, "true or false", raw)),
        }
    }

    /// A whole number, not negative.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, key: &'static str) -> Result<Option<u64>, Refusal> {
        self.raw(key).map(|raw| number(raw).ok_or_else(|| wrong_type(key, "a whole number", raw))).transpose()
    }

    /// The reference, as it is spelt, if it is one.
    ///
    /// # Errors
    /// When it is neither a string nor an integer.
    pub fn reference(&self) -> Result<Option<&'a str>, Refusal> {
        let Some(raw) = self.raw("ref") else { return Ok(None) };
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Some(raw));
        }
        match raw.starts_with('"') {
            true => string("ref", raw).map(|_| Some(raw)),
            false => Err(wrong_type("ref", "a string or an integer", raw)),
        }
    }
}

/// A value that is none of those it can be.
pub fn wrong_type(key: &str, wanted: &str, raw: &str) -> Refusal {
    let mut shown: String = raw.chars().take(40).collect();
    if shown.len() < raw.len() {
        shown.push('…');
    }
    Refusal::BadRequest(format!("{key:?} has to be {wanted}, not {shown}"))
}

/// A whole number, as JSON spells it.
pub fn number(raw: &str) -> Option<u64> {
    raw.bytes().all(|byte| byte.is_ascii_digit()).then(|| raw.parse().ok()).flatten()
}

/// A string, borrowed where nothing in it is escaped.
pub fn string<'a>(key: &str, raw: &'a str) -> Result<Cow<'a, str>, Refusal> {
    let Some(inner) = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) else {
        return Err(wrong_type(key, "a string", raw));
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        // It was found to end here, and to have no control characters in it, when it was taken out of the line.
        return Ok(Cow::Borrowed(inner));
    }
    unescaped(inner)
        .map(Cow::Owned)
        .ok_or_else(|| Refusal::BadRequest(format!("{key:?} is no text: it has half of a surrogate pair")))
}

/// What a string means, in one copy: it may be 16 MiB long. Its escapes were found to be some when it was taken out of
/// the line, but for halves of surrogate pairs, of which there is none in a text.
fn unescaped(inner: &str) -> Option<String> {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escaped = *rest.as_bytes().get(at + 1)?;
        rest = &rest[at + 2..];
        out.push(match escaped {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = unit(rest)?;
                // The second half of a pair, if this is the first of one.
                let is_half = (0xd800..0xdc00).contains(&first);
                let second =
                    rest.get(4..).and_then(|rest| unit(rest.strip_prefix("\\u")?)).filter(|_| is_half);
                rest = &rest[if second.is_some() { 10 } else { 4 }..];
                char::decode_utf16([first].into_iter().chain(second)).next()?.ok()?
            }
            quote_or_slash => char::from(quote_or_slash),
        });
    }
    out.push_str(rest);
    Some(out)
}

/// The four digits in front.
fn unit(digits: &str) -> Option<u16> {
    u16::from_str_radix(digits.get(..4)?, 16).ok()
}

/// The members of a list.
///
/// # Errors
/// When one is neither a number nor a string, or they are too many.
pub fn members(key: &'static str, raw: &str) -> Result<Vec<Member>, Refusal> {
    let read: Result<Members, _> = serde_json::from_str(raw);
    let Members(members) = read.map_err(|error| {
        Refusal::BadRequest(format!("{key:?} is no list of those who are meant: {error}"))
    })?;
    Ok(members)
}

struct Members(Vec<Member>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Members, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers and names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(raw) = list.next_element::<&RawValue>()? {
                    if members.len() == MEMBERS_MAX {
                        return Err(A::Error::custom(format_args!("it has more than {MEMBERS_MAX} members")));
                    }
                    let raw = raw.get();
                    members.push(match number(raw) {
                        Some(serial) => Member::One(serial),
                        None => {
                            let name: String = serde_json::from_str(raw).map_err(A::Error::custom)?;
                            member_of(name)
                        }
                    });
                }
                Ok(Members(members))
            }
        }
        from.deserialize_seq(List)
    }
}

fn member_of(name: String) -> Member {
    if name == "all" { Member::All } else { Member::Named(name.into()) }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fields<'a>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                let mut ignored = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    match key {
                        Ok(place) => {
                            let value = map.next_value::<&RawValue>()?.get();
                            if fields.values[place].replace(value).is_some() {
                                let key = KEYS[place];
                                fields.wrong.get_or_insert_with(|| format!("the key {key:?} is there twice"));
                            }
                        }
                        Err(key) => {
                            map.next_value::<IgnoredAny>()?;
                            // The first thing that is wrong is told, so nothing more is looked for behind it.
                            if fields.wrong.is_none() {
                                fields.wrong = ignore(key, &mut ignored).err();
                            }
                        }
                    }
                }
                Ok(fields)
            }
        }
        from.deserialize_map(Object)
    }
}

/// Notes a key that no command has. It is ignored, since a later version may have it, but not if it is there twice.
fn ignore(key: String, ignored: &mut Vec<String>) -> Result<(), String> {
    let beginning: String = key.chars().take(40).collect();
    if key.len() > KEY_BYTES_MAX {
        return Err(format!("a key is longer than {KEY_BYTES_MAX} bytes: {beginning:?}"));
    }
    if ignored.contains(&key) {
        return Err(format!("the key {beginning:?} is there twice"));
    }
    if ignored.len() == IGNORED_MAX {
        return Err(format!("it has more than {IGNORED_MAX} keys that no command has"));
    }
    ignored.push(key);
    Ok(())
}

/// A key: its place, or how it is spelt, if it is none that is known.
struct Key(Result<usize, String>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Key, D::Error> {
        struct Spelt;
        impl Visitor<'_> for Spelt {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                let beginning = || key[..key.floor_char_boundary(KEY_BYTES_MAX + 4)].to_owned();
                Ok(Key(place(key).ok_or_else(beginning)))
            }
        }
        from.deserialize_str(Spelt)
    }
}
