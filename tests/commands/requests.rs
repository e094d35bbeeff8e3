//! Requests at random, of programs that know the protocol, that do not, and that mean harm: each with the reference
//! under which it has to be answered. Shared by the tests of the hub and by `tests/commands.rs`.

/// What is to be known of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It has this reference, spelt so.
    Reference(String),
    /// None could be read, so it has none.
    NoReference,
    /// The line was spoilt somewhere, so nobody can know.
    Either,
}

/// A line, without its end, and what answers it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub line: Vec<u8>,
    pub expected: Expected,
}

/// Requests without end, the same for the same seed.
#[derive(Debug)]
pub struct Requests {
    /// xorshift64, Marsaglia 2003.
    state: u64,
    asked: u64,
}

const NAMES: [&str; 6] = ["lab-a", "lab-b", "Lab-A", "设备", "метр", "all"];
const TARGETS: [&str; 12] = [
    "\"all\"",
    "\"lab-*\"",
    "\"lab-a\"",
    "\"*\"",
    "\"nobody\"",
    "\"last\"",
    "\"3\"",
    "\"[\"",
    "\"\\u0061ll\"",
    "[]",
    "0",
    "18446744073709551615",
];
const TEXTS: [&str; 8] = [
    "\"hi\"",
    "\"\"",
    "\"你好\"",
    "\"\\u4f60\\ud83d\\ude00\"",
    "\"a\\r\\nb\\n\"",
    "\"\\u0000\\u001b[2J\"",
    "\"\\\"quoted\\\\\"",
    "\"{\\\"ev\\\":\\\"ok\\\",\\\"ref\\\":1}\"",
];
/// Whole requests that are wrong, though a reference can be read: `@` stands for it.
const WRONG: [&str; 18] = [
    r#"{"ref":@}"#,
    r#"{"ref":@,"cmd":null}"#,
    r#"{"ref":@,"cmd":"sned","to":3,"text":"x"}"#,
    r#"{"ref":@,"cmd":"send","to":3}"#,
    r#"{"ref":@,"cmd":"send","text":"x"}"#,
    r#"{"cmd":"send","to":3,"text":"x","text":"y","ref":@}"#,
    r#"{"cmd":"send","to":-3,"text":"x","ref":@}"#,
    r#"{"cmd":"send","to":1e3,"text":"x","ref":@}"#,
    r#"{"cmd":"send","to":[1,[2]],"text":"x","ref":@}"#,
    r#"{"cmd":"send","to":{"id":1},"text":"x","ref":@}"#,
    r#"{"cmd":"send","to":"all","b64":"!!!!","ref":@}"#,
    r#"{"cmd":"send","to":"all","text":"\ud800","ref":@}"#,
    r#"{"cmd":"send","to":"all","text":"x","eol":0,"ref":@}"#,
    r#"{"cmd":"close","to":"all","how":"now","ref":@}"#,
    r#"{"cmd":"stats","too":[1,{"ref":7}],"ref":@}"#,
    r#"{"cmd":"every","every":"1ms","to":"all","text":"x","ref":@}"#,
    r#"{"cmd":"dial","addr":"nowhere","ref":@}"#,
    r#"{"cmd":"dial","addr":"127.0.0.1:1","name":"a b","ref":@}"#,
];
/// Lines of which no reference can be read.
const SENSELESS: [&[u8]; 14] = [
    b"",
    b" ",
    b"hello",
    b"/quit",
    b"exit",
    b"[]",
    b"null",
    b"\"ref\"",
    b"{",
    b"{\"ref\":1",
    b"{\"cmd\":\"stats\"} {\"ref\":1}",
    b"{\"ref\":{},\"cmd\":\"stats\"}",
    b"{\"ref\":1.5,\"cmd\":\"stats\"}",
    b"\xff\xfe{\"ref\":1}",
];

impl Requests {
    pub fn of_seed(seed: u64) -> Requests {
        Requests { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, asked: 0 }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        ((self.state >> 11) % bound as u64) as usize
    }

    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// The next, where numbers up to `last` were given to connections.
    pub fn next(&mut self, last: u64) -> Asked {
        self.asked += 1;
        let reference = self.reference();
        let is = |line: String| Asked { line: line.into(), expected: Expected::Reference(reference.clone()) };
        match self.below(20) {
            0 => is(self.pick(&WRONG).replace('@', &reference)),
            1 => Asked { line: self.pick(&SENSELESS).to_vec(), expected: Expected::NoReference },
            2 => {
                let line = self.right(last, &reference).into_bytes();
                let (at, byte) = (self.below(line.len()), self.pick(b"\0\"{}[],:0a\\\x80\xff "));
                let mut line = if self.one_in(3) { line[..at].to_vec() } else { line };
                line.get_mut(at).into_iter().for_each(|place| *place = byte);
                Asked { line, expected: Expected::Either }
            }
            3 if self.one_in(20) => is(self.hostile(last, &reference)),
            _ => is(self.right(last, &reference)),
        }
    }

    /// Each once.
    fn reference(&mut self) -> String {
        let number = self.asked;
        match self.below(6) {
            0 => format!("-{number}"),
            1 => format!("\"r{number}\""),
            2 => format!("\"\\u00e9\\n\\\"{number}\""),
            3 => format!("{number}00000000000000000000"),
            4 => format!("\"你{number}\""),
            _ => number.to_string(),
        }
    }

    fn serial(&mut self, last: u64) -> u64 {
        // Mostly of those who came last.
        let back = self.below(10) as u64;
        match self.below(16) {
            0 => self.below(last as usize + 1) as u64,
            1 => last + 1 + back,
            _ => last.saturating_sub(back),
        }
    }

    fn target(&mut self, last: u64) -> String {
        match self.below(6) {
            0 => self.pick(&TARGETS).to_owned(),
            1 => {
                let count = 1 + self.below(5);
                let members: Vec<String> = (0..count)
                    .map(|_| {
                        if self.one_in(4) {
                            self.pick(&TARGETS[..4]).to_owned()
                        } else {
                            self.serial(last).to_string()
                        }
                    })
                    .collect();
                format!("[{}]", members.join(","))
            }
            _ => self.serial(last).to_string(),
        }
    }

    fn right(&mut self, last: u64, reference: &str) -> String {
        let (to, id, text) = (self.target(last), self.serial(last), self.pick(&TEXTS));
        let other = if self.one_in(8) { id } else { self.serial(last) };
        let what = match self.below(40) {
            // Who is closed is no longer there for all that comes behind.
            0 if self.one_in(4) => format!(r#""cmd":"close","to":{id}"#),
            1 if self.one_in(16) => format!(r#""cmd":"close","to":{to},"how":"kick","text":{text}"#),
            2 if self.one_in(4) => format!(r#""cmd":"close","to":{id},"how":"eof""#),
            3 if self.one_in(4) => format!(r#""cmd":"close","to":{id},"how":"rst""#),
            4 => r#""cmd":"who""#.to_owned(),
            5 => r#""cmd":"who","glob":"lab-*""#.to_owned(),
            6 => r#""cmd":"pending""#.to_owned(),
            7 => format!(r#""cmd":"show","id":{id}"#),
            8 => format!(r#""cmd":"show","id":{id},"count":2"#),
            9 | 10 => format!(r#""cmd":"done","id":{id}"#),
            11..=13 => format!(r#""cmd":"name","id":{id},"name":"{}""#, self.pick(&NAMES)),
            14 => format!(r#""cmd":"name","id":{id}"#),
            15 => r#""cmd":"stats""#.to_owned(),
            16 => format!(
                r#""cmd":"every","every":"{}","to":{},"text":{text}"#,
                self.pick(&["10ms", "5s", "24h", "24h", "24h"]),
                if self.one_in(2) { "\"all\"".to_owned() } else { to }
            ),
            17 => r#""cmd":"every""#.to_owned(),
            18 => format!(r#""cmd":"every","off":{}"#, self.below(99)),
            19 if self.one_in(100) => r#""cmd":"every","off":"all""#.to_owned(),
            20 if self.one_in(4) => r#""cmd":"dial","addr":"127.0.0.1:1""#.to_owned(),
            20 if self.one_in(4) => r#""cmd":"dial","addr":"127.0.0.1:1","name":"lab-a""#.to_owned(),
            21 => self
                .pick(&[
                    r#""cmd":"fault","to":3,"spec":"loss""#,
                    r#""cmd":"fault","to":"all""#,
                    r#""cmd":"fault","to":"new","spec":"off""#,
                    r#""cmd":"learn""#,
                ])
                .to_owned(),
            30 => format!(r#""cmd":"link","ids":[{id},{other}]"#),
            31 => format!(r#""cmd":"unlink","id":{id}"#),
            22 if self.one_in(10) => r#""cmd":"help""#.to_owned(),
            27..=29 => format!(r#""cmd":"send","to":{to},"text":"{}""#, "0123456789".repeat(30)),
            23 | 24 => format!(r#""cmd":"send","to":{to},"b64":"AP8K""#),
            25 | 26 => format!(r#""cmd":"send","to":{to},"text":{text},"eol":false"#),
            _ => format!(r#""cmd":"send","to":{to},"text":{text}"#),
        };
        if self.one_in(2) {
            format!(r#"{{{what},"ref":{reference}}}"#)
        } else {
            format!(r#"{{"ref":{reference}, {what} }}"#)
        }
    }

    /// What is made to take long, or much.
    fn hostile(&mut self, last: u64, reference: &str) -> String {
        let (count, id) = (1 + self.below(3000), self.serial(last));
        match self.below(6) {
            0 => format!(
                r#"{{"ref":{reference},"cmd":"send","to":{}3{},"text":"x"}}"#,
                "[".repeat(count),
                "]".repeat(count)
            ),
            1 => format!(
                r#"{{"ref":{reference},"too":{}{},"cmd":"who"}}"#,
                "[".repeat(count),
                "]".repeat(count)
            ),
            2 => format!(
                r#"{{"ref":{reference},"cmd":"send","to":[{}{id}],"text":"x"}}"#,
                format!("{id},").repeat(count)
            ),
            3 => {
                format!(r#"{{"ref":{reference},"cmd":"send","to":{id},"text":"{}"}}"#, "x".repeat(count * 50))
            }
            4 => format!(
                r#"{{"ref":{reference},"cmd":"send","to":"{}","text":"x"}}"#,
                "*a".repeat(count.min(200))
            ),
            _ => format!(r#"{{{}"ref":{reference},"cmd":"who"}}"#, r#""text":"x","#.repeat(count)),
        }
    }
}

/// Whether a reply carries what it has to.
pub fn carries(reply: &str, expected: &Expected) -> bool {
    let rest = reply.strip_prefix("{\"ev\":\"ok\"").or_else(|| reply.strip_prefix("{\"ev\":\"error\""));
    let Some(rest) = rest else { return false };
    let rest = match rest.strip_prefix(",\"seq\":") {
        Some(rest) => rest.trim_start_matches(|char: char| char.is_ascii_digit()),
        None => rest,
    };
    let behind = rest.strip_prefix(",\"ref\":");
    match expected {
        Expected::Either => true,
        Expected::NoReference => behind.is_none(),
        Expected::Reference(reference) => behind
            .and_then(|behind| behind.strip_prefix(&**reference))
            .is_some_and(|end| end.starts_with([',', '}'])),
    }
}
