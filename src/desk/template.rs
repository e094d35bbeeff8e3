//! TEXT, as it is given for a greeting or an answer: bytes with escapes, what is put in for each connection, and what is
//! done where it stands. It is read once, when it is given, and what is wrong with it is found then.

mod bad;

use std::time::Duration;

use super::text::escape_of;
use crate::clock::typed_duration;

pub use bad::BadText;

/// Most parenthesised groups of a regular expression that a text may name; no person counts further.
const GROUP_MAX: usize = 99;

/// The longest wait, a day.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// A text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Box<[Part]>,
    spelt: Box<[u8]>,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Bytes(Box<[u8]>),
    /// What this stands for.
    Value(Value),
    /// `${wait 200ms}`: what follows comes so much later.
    Wait(Duration),
    /// `${close}`: the connection is closed politely.
    Close,
    /// `${rst}`: the connection is reset.
    Reset,
}

/// What is put into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// `${id}`: the connection's number.
    Id,
    /// `${name}`: its name; nothing, where it has none.
    Name,
    /// `${peer}`: its address.
    Peer,
    /// `${time}`: the time, as JSON spells it.
    Time,
    /// `${n}`: how many messages the connection has sent so far, the one that is answered included.
    Count,
    /// `${1}`: what the group of this number has matched.
    Group(usize),
}

impl Template {
    /// Reads a text: `\r \n \t \0 \\ \xNN`, `$$`, `${id} ${name} ${peer} ${time} ${n} ${1}…`, `${close}`, `${rst}`,
    /// `${wait 200ms}`; everything else stands for itself.
    ///
    /// # Errors
    /// What is none of these.
    pub fn parse(text: &[u8]) -> Result<Template, BadText> {
        let mut parts = Vec::new();
        let mut bytes = Vec::new();
        let mut rest = text;
        while let [byte, after @ ..] = rest {
            rest = match byte {
                b'\\' => {
                    let (byte, length) = escape_of(rest).ok_or_else(|| BadText::escape(rest))?;
                    bytes.push(byte);
                    &rest[length..]
                }
                b'$' if after.first() == Some(&b'$') => {
                    bytes.push(b'$');
                    &after[1..]
                }
                b'$' => {
                    let (part, length) = placeholder(rest)?;
                    if !bytes.is_empty() {
                        parts.push(Part::Bytes(std::mem::take(&mut bytes).into()));
                    }
                    parts.push(part);
                    &rest[length..]
                }
                byte => {
                    bytes.push(*byte);
                    after
                }
            };
        }
        if !bytes.is_empty() {
            parts.push(Part::Bytes(bytes.into()));
        }
        Ok(Template { parts: parts.into(), spelt: text.into() })
    }

    /// A text that stands for these bytes alone.
    pub fn of_bytes(bytes: &[u8]) -> Template {
        let part = (!bytes.is_empty()).then(|| Part::Bytes(bytes.into()));
        let mut spelt = Vec::new();
        push_template(&mut spelt, bytes);
        Template { parts: part.into_iter().collect(), spelt: spelt.into() }
    }

    /// Its parts, in order. No two that stand for bytes alone are neighbours.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How it is spelt.
    pub fn spelt(&self) -> &[u8] {
        &self.spelt
    }

    /// The highest group that it names; 0 where it names none.
    pub fn groups(&self) -> usize {
        let group = |part: &Part| if let Part::Value(Value::Group(group)) = part { *group } else { 0 };
        self.parts.iter().map(group).max().unwrap_or_default()
    }

    /// Whether it says how many messages there were.
    pub fn counts(&self) -> bool {
        self.parts.contains(&Part::Value(Value::Count))
    }

    /// The bytes that it stands for, where these are the same for everybody and nothing else is done.
    pub fn constant(&self) -> Option<&[u8]> {
        match &*self.parts {
            [] => Some(b""),
            [Part::Bytes(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Makes sure that it names no group beyond these.
    ///
    /// # Errors
    /// When it does.
    pub fn check_groups(&self, groups: usize) -> Result<(), BadText> {
        if self.groups() > groups { Err(BadText::NoGroup(self.groups(), groups)) } else { Ok(()) }
    }
}

/// Reads what begins with a `$`. Returns how long it is, too.
fn placeholder(text: &[u8]) -> Result<(Part, usize), BadText> {
    if text.get(1) != Some(&b'{') {
        return Err(BadText::Dollar);
    }
    let end = memchr::memchr(b'}', text).ok_or_else(|| BadText::open(text))?;
    let name = str::from_utf8(&text[2..end]).map_err(|_| BadText::unknown(&text[..=end]))?;
    let part = match name {
        "id" => Part::Value(Value::Id),
        "name" => Part::Value(Value::Name),
        "peer" => Part::Value(Value::Peer),
        "time" => Part::Value(Value::Time),
        "n" => Part::Value(Value::Count),
        "close" => Part::Close,
        "rst" => Part::Reset,
        name => match (name.strip_prefix("wait "), group(name)) {
            (Some(time), _) => Part::Wait(wait(time)?),
            (None, Some(group)) => Part::Value(Value::Group(group)),
            (None, None) => return Err(BadText::unknown(&text[..=end])),
        },
    };
    Ok((part, end + 1))
}

fn wait(time: &str) -> Result<Duration, BadText> {
    let wait = typed_duration(time.trim()).filter(|wait| *wait <= WAIT_MAX);
    wait.ok_or_else(|| BadText::Wait(time.chars().take(40).collect()))
}

fn group(name: &str) -> Option<usize> {
    let is_number = !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|group| is_number && (1..=GROUP_MAX).contains(group))
}

/// Appends bytes so that `Template::parse` reads them back as they are, on one line and without a tab.
pub fn push_template(out: &mut Vec<u8>, bytes: &[u8]) {
    for (at, piece) in bytes.split(|byte| *byte == b'$').enumerate() {
        if at > 0 {
            out.extend_from_slice(b"$$");
        }
        super::text::push_escaped(out, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(bytes: &[u8]) -> Part {
        Part::Bytes(bytes.into())
    }

    #[test]
    fn a_text_is_bytes_values_and_what_is_done_on_the_way() {
        let read = Template::parse(b"a\\r\\n$$5 ${id}-${12}\\x00${wait 200ms}b${close}").unwrap();

        assert_eq!(
            read.parts(),
            [
                bytes(b"a\r\n$5 "),
                Part::Value(Value::Id),
                bytes(b"-"),
                Part::Value(Value::Group(12)),
                bytes(b"\0"),
                Part::Wait(Duration::from_millis(200)),
                bytes(b"b"),
                Part::Close,
            ]
        );
        assert_eq!((read.groups(), read.constant()), (12, None));
        assert_eq!(Template::parse("你好".as_bytes()).unwrap().constant(), Some("你好".as_bytes()));
        assert_eq!(Template::parse(b"").unwrap().constant(), Some(&b""[..]));
    }

    #[test]
    fn what_is_wrong_with_a_text_is_named() {
        for (text, why) in [
            (r"a\q", r#""\q" is no escape"#),
            (r"\x1", r#""\x1" is no escape"#),
            ("${nam}", "${nam} stands for nothing"),
            ("${0}", "${0} stands for nothing"),
            ("${100}", "${100} stands for nothing"),
            ("${01}", "${01} stands for nothing"),
            ("${}", "${} stands for nothing"),
            ("${wait}", "${wait} stands for nothing"),
            ("${wait 5}", "cannot wait for \"5\""),
            ("${wait 25h}", "cannot wait for \"25h\""),
            ("costs $5", "a $ stands alone"),
            ("$", "a $ stands alone"),
            ("${id", "${id has no }"),
        ] {
            let told = Template::parse(text.as_bytes()).expect_err(text).to_string();
            assert!(told.starts_with(why), "{text}: {told}");
        }
        let named = Template::parse(b"${1}${3}").unwrap();
        assert_eq!(named.check_groups(3), Ok(()));
        assert_eq!(named.check_groups(2).unwrap_err().to_string(), "${3} names a group of which there are 2");
    }

    proptest! {
        #[test]
        fn any_bytes_are_spelt_on_one_line_and_read_back(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "[\\\\$\\{\\}a\t\n\r\u{202e}你é]*".prop_map(String::into_bytes),
        ]) {
            let mut spelt = Vec::new();
            push_template(&mut spelt, &bytes);

            prop_assert!(!spelt.iter().any(|byte| *byte < b' ' || *byte == 0x7f), "{:?}", spelt);
            prop_assert!(str::from_utf8(&spelt).is_ok());
            let read = Template::parse(&spelt).unwrap();
            prop_assert_eq!(read.constant(), Some(&bytes[..]));
        }
    }
}
