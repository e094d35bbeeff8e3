//! The head of a request, as strict as RFC 9112 allows: whatever two readers could understand in two ways is refused, and
//! so is a body, for which there is no use here.

use httparse::{Error, Header, Status as Parsed};

use super::response::Status;

/// A head may be this long.
pub const HEAD_BYTES_MAX: usize = 8 << 10;

/// So many fields may stand in it.
const FIELDS_MAX: usize = 48;

/// What was made of the bytes that there are.
#[derive(Debug)]
pub enum Read<'b> {
    /// More is needed.
    Partial,
    /// No request that can be answered with anything else.
    Wrong(Status, &'static str),
    /// A whole head, and how long it is.
    Whole(Request<'b>, usize),
}

/// A request, as far as anybody here asks.
#[derive(Debug)]
pub struct Request<'b> {
    /// What is to be done.
    pub method: &'b str,
    /// To what, without the query.
    pub path: &'b str,
    /// Whether it is of HTTP/1.1 at least.
    pub is_of_1_1: bool,
    fields: Vec<(&'b str, &'b [u8])>,
}

impl<'b> Request<'b> {
    /// Reads what has come of a head by now.
    pub fn read(bytes: &'b [u8]) -> Read<'b> {
        let mut headers = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        let length = match parsed.parse(bytes) {
            Ok(Parsed::Complete(length)) if length <= HEAD_BYTES_MAX => length,
            Ok(Parsed::Partial) if bytes.len() <= HEAD_BYTES_MAX => return Read::Partial,
            Ok(_) => return Read::Wrong(Status::HeadTooLarge, "the head is longer than 8 KiB"),
            Err(Error::TooManyHeaders) => {
                return Read::Wrong(Status::HeadTooLarge, "there are more than 48 fields");
            }
            Err(Error::Version) => {
                return Read::Wrong(Status::VersionNotSupported, "only HTTP/1.1 is spoken here");
            }
            Err(_) => return Read::Wrong(Status::BadRequest, "that is no request of HTTP/1.1"),
        };
        if has_bare_line_feed(&bytes[..length]) {
            return Read::Wrong(Status::BadRequest, "a line ends without a carriage return");
        }
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Read::Wrong(Status::BadRequest, "that is no request of HTTP/1.1");
        };
        let fields = parsed.headers.iter().map(|Header { name, value }| (*name, *value)).collect();
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        Read::Whole(Request { method, path, is_of_1_1: version >= 1, fields }, length)
    }

    /// The value of a field that stands there once; `Err` where it stands there several times, or is no ASCII.
    ///
    /// # Errors
    /// When it cannot be said which is meant.
    pub fn only(&self, name: &str) -> Result<Option<&'b str>, &'static str> {
        let mut found = self.all(name);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.map(Some).ok_or("a field has bytes in it that mean nothing there"),
            (Some(_), Some(_)) => Err("a field stands there twice that may stand there once"),
        }
    }

    /// The members of a list, which may be spread over several fields of that name.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &'b str> {
        self.all(name).flatten().flat_map(|value| value.split(',').map(str::trim))
    }

    /// Whether it says that a body follows.
    pub fn has_body(&self) -> bool {
        let is_empty = |value: Option<&str>| value == Some("0");
        self.all("transfer-encoding").next().is_some()
            || self.all("content-length").any(|value| !is_empty(value))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = Option<&'b str>> {
        let is_it = move |(found, _): &&(&'b str, &'b [u8])| found.eq_ignore_ascii_case(name);
        let value =
            |(_, value): &(&'b str, &'b [u8])| str::from_utf8(value).ok().filter(|value| value.is_ascii());
        self.fields.iter().filter(is_it).map(value).collect::<Vec<_>>().into_iter()
    }
}

fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(bytes: &[u8]) -> Option<Status> {
        if let Read::Wrong(status, _) = Request::read(bytes) { Some(status) } else { None }
    }

    #[test]
    fn a_request_is_read_however_it_is_cut() {
        let whole = b"GET /a?b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n\r\nrest";
        for cut in 0..whole.len() - 4 {
            assert!(matches!(Request::read(&whole[..cut]), Read::Partial), "cut at {cut}");
        }
        let Read::Whole(request, length) = Request::read(whole) else { panic!("a whole one") };
        assert_eq!((request.method, request.path, &whole[length..]), ("GET", "/a", &b"rest"[..]));
        assert_eq!(request.only("host"), Ok(Some("x")));
        assert_eq!(request.list("CONNECTION").collect::<Vec<_>>(), ["keep-alive", "Upgrade"]);
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\nHost: x\n\n"[..],
            b"GET / HTTP/1.1\r\nHost: x\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ] {
            assert_eq!(wrong(bytes), Some(Status::BadRequest), "{:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(wrong(b"GET / HTTP/3.0\r\n\r\n"), Some(Status::VersionNotSupported));
    }

    #[test]
    fn a_head_is_bounded_in_bytes_and_in_fields() {
        let long = [b"GET / HTTP/1.1\r\na: ", &vec![b'x'; HEAD_BYTES_MAX][..]].concat();
        let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(FIELDS_MAX + 1), b"\r\n"].concat();

        assert_eq!(wrong(&long), Some(Status::HeadTooLarge));
        assert_eq!(wrong(&[&long[..], b"\r\n\r\n"].concat()), Some(Status::HeadTooLarge));
        assert_eq!(wrong(&many), Some(Status::HeadTooLarge));
    }

    #[test]
    fn a_body_is_noticed_however_it_is_announced() {
        let has_body = |field: &str| {
            let bytes = format!("GET / HTTP/1.1\r\n{field}\r\n\r\n");
            matches!(Request::read(bytes.as_bytes()), Read::Whole(request, _) if request.has_body())
        };
        assert!(has_body("Content-Length: 5") && has_body("Transfer-Encoding: chunked"));
        assert!(has_body("Content-Length: 0\r\nContent-Length: 5"));
        assert!(!has_body("Content-Length: 0") && !has_body("A: b"));
    }
}
